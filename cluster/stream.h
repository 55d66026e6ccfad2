/* SPDX-License-Identifier: Apache-2.0 */
/* A non-blocking byte stream to a peer: a socket, with TLS or without. One thread. */
#ifndef QHSM_CLUSTER_STREAM_H
#define QHSM_CLUSTER_STREAM_H

#include <openssl/ssl.h>

#include "common/bytes.h"

enum stream_result {
    STREAM_DONE,       /* some bytes moved, or the handshake is complete */
    STREAM_WANT_READ,  /* wait until the socket is readable */
    STREAM_WANT_WRITE, /* or writable */
    STREAM_END,        /* the peer closed in order */
    STREAM_BROKEN,
};

struct stream {
    int fd;
    SSL *ssl; /* NULL: plain */
};

enum stream_result stream_handshake(struct stream *stream);
enum stream_result stream_read(struct stream *stream, uint8_t *into, size_t len, size_t *out_len);
enum stream_result stream_write(struct stream *stream, struct bytes data, size_t *out_len);
/* Bytes that came already and that the socket will not announce. */
bool stream_has_pending(const struct stream *stream);
/* Sends the end of TLS where that cannot block, closes the socket. */
void stream_close(struct stream *stream);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Streams over recv/send or SSL_read/SSL_write. */
#include "cluster/stream.h"

#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <sys/socket.h>
#include <unistd.h>

static enum stream_result ssl_result(const struct stream *stream, int code)
{
    switch (SSL_get_error(stream->ssl, code)) {
    case SSL_ERROR_WANT_READ:
        return STREAM_WANT_READ;
    case SSL_ERROR_WANT_WRITE:
        return STREAM_WANT_WRITE;
    case SSL_ERROR_ZERO_RETURN:
        return STREAM_END;
    default:
        return STREAM_BROKEN;
    }
}

enum stream_result stream_handshake(struct stream *stream)
{
    if (stream->ssl == NULL)
        return STREAM_DONE;
    ERR_clear_error();
    int code = SSL_accept(stream->ssl);
    return code == 1 ? STREAM_DONE : ssl_result(stream, code);
}

enum stream_result stream_read(struct stream *stream, uint8_t *into, size_t len, size_t *out_len)
{
    *out_len = 0;
    if (stream->ssl != NULL) {
        ERR_clear_error();
        int code = SSL_read_ex(stream->ssl, into, len, out_len);
        return code == 1 ? STREAM_DONE : ssl_result(stream, code);
    }
    ssize_t n = recv(stream->fd, into, len, 0);
    if (n > 0) {
        *out_len = (size_t)n;
        return STREAM_DONE;
    }
    if (n == 0)
        return STREAM_END;
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? STREAM_WANT_READ
                                                                     : STREAM_BROKEN;
}

enum stream_result stream_write(struct stream *stream, struct bytes data, size_t *out_len)
{
    *out_len = 0;
    if (stream->ssl != NULL) {
        ERR_clear_error();
        int code = SSL_write_ex(stream->ssl, data.ptr, data.len, out_len);
        return code == 1 ? STREAM_DONE : ssl_result(stream, code);
    }
    ssize_t n = send(stream->fd, data.ptr, data.len, MSG_NOSIGNAL);
    if (n >= 0) {
        *out_len = (size_t)n;
        return STREAM_DONE;
    }
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? STREAM_WANT_WRITE
                                                                     : STREAM_BROKEN;
}

bool stream_has_pending(const struct stream *stream)
{
    return stream->ssl != NULL && SSL_has_pending(stream->ssl) == 1;
}

void stream_close(struct stream *stream)
{
    if (stream->ssl != NULL) {
        if (SSL_is_init_finished(stream->ssl))
            (void)SSL_shutdown(stream->ssl); /* one write, not waited for */
        ERR_clear_error();
        SSL_free(stream->ssl);
        stream->ssl = NULL;
    }
    if (stream->fd >= 0)
        (void)close(stream->fd);
    stream->fd = -1;
}

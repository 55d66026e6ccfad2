/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes in and out of a connection's socket within its deadline, with as few system calls as can
 * be. */
#ifndef QHSM_RPC_CLIENT_IO_H
#define QHSM_RPC_CLIENT_IO_H

#include "rpc/client_conn.h"

/* On the socket itself. At most `cap` bytes, at least one. Failure: false with conn->io set
 * (RC_UNAVAILABLE at the end too). */
bool client_io_receive(struct client_conn *conn, void *out, size_t cap, size_t *out_len);
/* Everything. */
bool client_io_send(struct client_conn *conn, const void *data, size_t len);

/* Through TLS where the connection has it. */
enum rc client_io_read(struct client_conn *conn, void *out, size_t cap, size_t *out_len);
enum rc client_io_write(struct client_conn *conn, struct bytes data);
/* The TLS handshake on a connected socket; checks that the peer is an HSM of our cluster. */
enum rc client_io_handshake(struct client_conn *conn, const struct client_tls *tls);

#endif

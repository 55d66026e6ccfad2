/* SPDX-License-Identifier: Apache-2.0 */
/* Sends and receives of the client, plain and through TLS. */
#include "rpc/client_io.h"

#include <errno.h>
#include <openssl/err.h>
#include <poll.h>
#include <sys/socket.h>

static bool io_failed(struct client_conn *conn, int error)
{
    conn->io = rc_fail(RC_UNAVAILABLE, "the connection broke: %s", strerrordesc_np(error));
    return false;
}

static bool wait_for(struct client_conn *conn, short events)
{
    for (;;) {
        instant left = conn->deadline - clock_now();
        struct timespec wait = clock_timespec(left > 0 ? left : 0);
        struct pollfd poll_fd = {.fd = conn->fd, .events = events};
        int ready = ppoll(&poll_fd, 1, &wait, NULL);
        if (ready > 0)
            return true;
        if (ready == 0) {
            conn->io = rc_fail(RC_DEADLINE, "no answer in time");
            return false;
        }
        if (errno != EINTR)
            return io_failed(conn, errno);
    }
}

static bool is_transient(int error)
{
    return error == EAGAIN || error == EINTR;
}

bool client_io_receive(struct client_conn *conn, void *out, size_t cap, size_t *out_len)
{
    bool may_block = conn->may_block;
    conn->may_block = false;
    for (;;) {
        if (!may_block && !wait_for(conn, POLLIN))
            return false;
        ssize_t got = recv(conn->fd, out, cap, may_block ? 0 : MSG_DONTWAIT);
        if (got > 0) {
            *out_len = (size_t)got;
            return true;
        }
        if (got == 0) {
            conn->io = rc_fail(RC_UNAVAILABLE, "the HSM closed the connection");
            return false;
        }
        if (!is_transient(errno))
            return io_failed(conn, errno);
        may_block = false;
    }
}

bool client_io_send(struct client_conn *conn, const void *data, size_t len)
{
    const uint8_t *at = data;
    for (;;) {
        ssize_t sent = send(conn->fd, at, len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent == (ssize_t)len)
            return true;
        if (sent < 0 && !is_transient(errno))
            return io_failed(conn, errno);
        if (sent > 0) {
            at += sent;
            len -= (size_t)sent;
        }
        conn->may_block = false; /* the deadline has moved on */
        if (!wait_for(conn, POLLOUT))
            return false;
    }
}

/* Why libssl gave up: our own I/O, the peer's goodbye, or TLS itself. */
static enum rc tls_failed(struct client_conn *conn, const char *what)
{
    char text[160];
    if (conn->io != RC_OK) {
        (void)ERR_pop_to_mark();
        return conn->io;
    }
    if ((SSL_get_shutdown(conn->ssl) & SSL_RECEIVED_SHUTDOWN) != 0 && ERR_peek_last_error() == 0) {
        (void)ERR_pop_to_mark();
        return rc_fail(RC_UNAVAILABLE, "the HSM closed the connection");
    }
    return rc_fail(RC_TLS, "%s: %s", what, tls_failure_text(conn->ssl, text));
}

/* The error queue is the host's too: each call leaves it as it was. */
enum rc client_io_read(struct client_conn *conn, void *out, size_t cap, size_t *out_len)
{
    conn->io = RC_OK;
    if (conn->ssl == NULL)
        return client_io_receive(conn, out, cap, out_len) ? RC_OK : conn->io;
    (void)ERR_set_mark();
    if (SSL_read_ex(conn->ssl, out, cap, out_len) != 1)
        return tls_failed(conn, "reading from the HSM");
    (void)ERR_clear_last_mark();
    return RC_OK;
}

enum rc client_io_write(struct client_conn *conn, struct bytes data)
{
    conn->io = RC_OK;
    if (conn->ssl == NULL)
        return client_io_send(conn, data.ptr, data.len) ? RC_OK : conn->io;
    (void)ERR_set_mark();
    while (data.len > 0) {
        size_t sent = 0;
        if (SSL_write_ex(conn->ssl, data.ptr, data.len, &sent) != 1)
            return tls_failed(conn, "writing to the HSM");
        data = bytes_slice(data, sent, data.len);
    }
    (void)ERR_clear_last_mark();
    return RC_OK;
}

static enum rc check_peer(struct client_conn *conn, const struct client_tls *tls)
{
    struct tls_identity peer;
    TRY(tls_peer_identity(conn->ssl, &peer));
    if (peer.role != TLS_ROLE_NODE)
        return rc_fail(RC_TLS,
                       "the certificate of the other side is that of the %s %s, not of an "
                       "HSM",
                       tls_role_name(peer.role), peer.name);
    if (strcmp(peer.cluster, tls->own.cluster) != 0)
        return rc_fail(RC_TLS, "the HSM belongs to cluster %s, our certificate to %s", peer.cluster,
                       tls->own.cluster);
    if (tls->peer != NULL && strcmp(peer.name, tls->peer) != 0)
        return rc_fail(RC_TLS, "HSM %s answers there, not HSM %s", peer.name, tls->peer);
    conn->certificate_expires_s = peer.expires_s;
    return RC_OK;
}

static enum rc handshake(struct client_conn *conn, const struct client_tls *tls)
{
    BIO *bio = BIO_new(tls->method);
    conn->ssl = bio == NULL ? NULL : SSL_new(tls->ctx);
    if (conn->ssl == NULL) {
        BIO_free(bio);
        return rc_fail(RC_NO_MEMORY, "no TLS session");
    }
    BIO_set_data(bio, conn);
    BIO_set_init(bio, 1);
    SSL_set_bio(conn->ssl, bio, bio);
    if (SSL_connect(conn->ssl) != 1)
        return tls_failed(conn, "TLS handshake");
    return check_peer(conn, tls);
}

enum rc client_io_handshake(struct client_conn *conn, const struct client_tls *tls)
{
    conn->io = RC_OK;
    (void)ERR_set_mark();
    enum rc rc = handshake(conn, tls);
    if (rc != RC_OK) {
        SSL_free(conn->ssl);
        conn->ssl = NULL;
    }
    (void)ERR_pop_to_mark();
    return rc;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The side that dials: finds the peer, makes sure that it is the one that was meant, says who we
 * are, and waits until it is believed. Without that last step the engine would take a refusal for
 * a connection that broke, and dial again without a pause. */
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cluster/peer_hello.h"
#include "cluster/peer_link.h"

/* ---- where */

static void resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *list)
{
    struct peer_link *link = request->data;
    (void)list; /* stays in the request */
    link->resolving = false;
    link->resolve_status = status;
    if (link->state == LINK_CLOSED)
        peer_link_close(link, NULL);
    else
        peer_link_advance(link);
}

/* A number needs nobody's help. A name goes to libuv's pool, which keeps half of its threads from
 * names for the engine's disk writes. */
static enum rc look_up(struct peer_link *link)
{
    char host[LISTENER_HOST_MAX];
    char noted[PEER_ADDRESS_MAX + 1];
    const char *port = NULL;
    const char *address =
        peer_notes_address_of(&link->transport->notes, link->id, noted) ? noted : link->address;
    TRY(listener_split("address of a peer", address, host, &port));
    struct addrinfo hints = {.ai_family = AF_UNSPEC,
                             .ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
    if (getaddrinfo(host, port, &hints, &link->resolve.addrinfo) == 0)
        return RC_OK;
    link->resolve.addrinfo = NULL;
    link->resolve.data = link;
    hints.ai_flags = AI_NUMERICSERV;
    int rv = uv_getaddrinfo(link->transport->loop, &link->resolve, resolved, host, port, &hints);
    if (rv != 0)
        return rc_fail(RC_UNAVAILABLE, "%s: %s", address, uv_strerror(rv));
    link->resolving = true;
    return RC_OK;
}

enum link_step peer_dial_resolve(struct peer_link *link)
{
    if (link->resolving)
        return STEP_WAIT;
    if (link->resolve_status == 0)
        return STEP_NEXT;
    (void)rc_fail(RC_UNAVAILABLE, "%s: %s", link->address, uv_strerror(link->resolve_status));
    return STEP_FAIL;
}

/* ---- TCP */

/* Another of a name's addresses at each attempt. */
static const struct addrinfo *choose(const struct peer_link *link)
{
    const struct addrinfo *info = link->resolve.addrinfo; /* resolved: there is one */
    unsigned count = 1;
    for (const struct addrinfo *more = info->ai_next; more != NULL; more = more->ai_next)
        count++;
    unsigned turn = peer_report_failures(link->transport, link->id) % count;
    while (turn-- > 0)
        info = info->ai_next;
    return info;
}

static enum rc begin_connect(struct peer_link *link)
{
    const struct addrinfo *to = choose(link);
    link->fd = socket(to->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (link->fd < 0)
        return rc_fail(RC_IO, "socket: %s", strerror(errno));
    peer_socket_options(link->fd);
    if (connect(link->fd, to->ai_addr, to->ai_addrlen) != 0 && errno != EINPROGRESS)
        return rc_fail(RC_UNAVAILABLE, "%s: %s", link->address, strerror(errno));
    return peer_link_poll_tls(link);
}

/* Is it connected, as far as TCP goes? RC_OK with *out_done false: it takes longer. */
static enum rc check_connect(struct peer_link *link, bool *out_done)
{
    int error = 0;
    socklen_t len = sizeof error;
    struct tcp_info info = {.tcpi_state = TCP_CLOSE};
    socklen_t info_len = sizeof info;
    if (getsockopt(link->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0 || error != 0)
        return rc_fail(RC_UNAVAILABLE, "%s: %s", link->address, strerror(error));
    if (getsockopt(link->fd, IPPROTO_TCP, TCP_INFO, &info, &info_len) != 0)
        return rc_fail(RC_IO, "TCP_INFO: %s", strerror(errno));
    *out_done = info.tcpi_state != TCP_SYN_SENT;
    return RC_OK;
}

/* Waits at least once, so that nothing is answered from within the engine's call. */
enum link_step peer_dial_connect(struct peer_link *link)
{
    struct peer_trouble trouble = peer_link_trouble(link);
    if (trouble.cut_out) { /* packets that nobody answers */
        peer_link_want(link, 0, 0);
        return STEP_WAIT;
    }
    bool done = false;
    enum rc rc = link->fd < 0 ? begin_connect(link) : check_connect(link, &done);
    if (rc == RC_OK && done)
        rc = peer_link_begin_tls(link);
    if (rc != RC_OK)
        return STEP_FAIL;
    if (done)
        return STEP_NEXT;
    peer_link_want(link, UV_WRITABLE, 0);
    return STEP_WAIT;
}

/* ---- TLS and hello */

enum link_step peer_dial_handshake(struct peer_link *link)
{
    uint64_t id = 0;
    ERR_clear_error();
    int rv = SSL_do_handshake(link->ssl);
    if (rv != 1)
        return peer_link_tls_wait(link, rv);
    if (peer_link_identify(link, &id) != RC_OK)
        return STEP_FAIL;
    if (id != link->id) {
        (void)rc_fail(RC_TLS, "%s is node %" PRIu64 ", not %" PRIu64, link->address, id, link->id);
        return STEP_FAIL;
    }
    link->hello_len =
        peer_hello_write(link->transport->node, link->transport->address, link->hello);
    return STEP_NEXT;
}

enum link_step peer_dial_hello(struct peer_link *link)
{
    while (link->hello_at < link->hello_len) {
        ERR_clear_error();
        int rv = SSL_write(link->ssl, link->hello + link->hello_at,
                           (int)(link->hello_len - link->hello_at));
        if (rv <= 0)
            return peer_link_tls_wait(link, rv);
        link->hello_at += (size_t)rv;
    }
    return STEP_NEXT;
}

enum link_step peer_dial_ack(struct peer_link *link)
{
    while (link->ack_at < PEER_ACK_LEN) {
        ERR_clear_error();
        int rv = SSL_read(link->ssl, link->ack + link->ack_at, (int)(PEER_ACK_LEN - link->ack_at));
        if (rv <= 0)
            return peer_link_tls_wait(link, rv);
        link->ack_at += (size_t)rv;
    }
    if (peer_ack_read(link->ack) != RC_OK || peer_pump_open(link) != RC_OK)
        return STEP_FAIL;
    return STEP_NEXT;
}

/* The engine's call. Nothing is answered from within it. */
int peer_dial(struct raft_uv_transport *raft, struct raft_uv_connect *request, raft_id id,
              const char *address, raft_uv_connect_cb done)
{
    struct peer_transport *transport = raft->impl;
    struct peer_link *link = peer_link_new(transport, true, LINK_RESOLVE);
    if (link == NULL)
        return RAFT_NOMEM;
    link->id = id;
    (void)snprintf(link->address, sizeof link->address, "%s", address);
    if (look_up(link) != RC_OK)
        peer_link_close(link, rc_detail());
    else
        peer_link_advance(link);
    if (link->state == LINK_CLOSED)
        return RAFT_NOCONNECTION;
    link->request = request;
    link->done = done;
    return 0;
}

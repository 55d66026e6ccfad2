/* SPDX-License-Identifier: Apache-2.0 */
/* The life of a link: its states, its handles, its end. */
#include "cluster/peer_link.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static enum link_step (*const steps[2][LINK_STATE_COUNT])(struct peer_link *) = {
    [false] = {[LINK_HANDSHAKE] = peer_accept_handshake,
               [LINK_HELLO] = peer_accept_hello,
               [LINK_ACK] = peer_accept_ack,
               [LINK_PUMP] = peer_pump},
    [true] = {[LINK_RESOLVE] = peer_dial_resolve,
              [LINK_CONNECT] = peer_dial_connect,
              [LINK_HANDSHAKE] = peer_dial_handshake,
              [LINK_HELLO] = peer_dial_hello,
              [LINK_ACK] = peer_dial_ack,
              [LINK_PUMP] = peer_pump},
};

static void enter_next(struct peer_link *link)
{
    link->state++;
    if (link->state == LINK_PUMP && !link->outbound)
        link->transport->half_open--;
}

void peer_link_advance(struct peer_link *link)
{
    enum link_step step = STEP_NEXT;
    while (step == STEP_NEXT && link->state != LINK_CLOSED) {
        step = steps[link->outbound][link->state](link);
        if (step == STEP_NEXT)
            enter_next(link);
    }
    link->tls_ready = false;
    link->pair_ready = false;
    if (step == STEP_FAIL)
        peer_link_close(link, rc_detail());
}

/* ---- polls and timer */

/* With an error libuv has stopped the poll; the step finds out which. */
static void tls_event(uv_poll_t *poll, int status, int events)
{
    struct peer_link *link = poll->data;
    if (status < 0)
        link->tls_events = 0;
    link->tls_ready = status < 0 || (events & UV_READABLE) != 0;
    peer_link_advance(link);
}

static void pair_event(uv_poll_t *poll, int status, int events)
{
    struct peer_link *link = poll->data;
    if (status < 0)
        link->pair_events = 0;
    link->pair_ready = status < 0 || (events & UV_READABLE) != 0;
    if ((events & UV_DISCONNECT) != 0)
        peer_link_close(link, "the engine closed it");
    else
        peer_link_advance(link);
}

static void want(uv_poll_t *poll, uv_poll_cb event, int *present, int events)
{
    if (*present == events)
        return;
    *present = events;
    if (events == 0)
        (void)uv_poll_stop(poll);
    else
        (void)uv_poll_start(poll, events, event);
}

void peer_link_want(struct peer_link *link, int tls_events, int pair_events)
{
    if (link->has_tls_poll)
        want(&link->tls_poll, tls_event, &link->tls_events, tls_events);
    if (link->has_pair_poll)
        want(&link->pair_poll, pair_event, &link->pair_events, pair_events);
}

static enum rc poll_init(struct peer_link *link, uv_poll_t *poll, int fd, bool *has)
{
    int rv = uv_poll_init(link->transport->loop, poll, fd);
    if (rv != 0)
        return rc_fail(RC_IO, "poll: %s", uv_strerror(rv));
    poll->data = link;
    *has = true;
    link->handles++;
    return RC_OK;
}

enum rc peer_link_poll_tls(struct peer_link *link)
{
    return poll_init(link, &link->tls_poll, link->fd, &link->has_tls_poll);
}

enum rc peer_link_poll_pair(struct peer_link *link)
{
    return poll_init(link, &link->pair_poll, link->pair, &link->has_pair_poll);
}

static void timer_fired(uv_timer_t *timer)
{
    struct peer_link *link = timer->data;
    if (link->state == LINK_PUMP)
        peer_link_advance(link);
    else
        peer_link_close(link, "no answer in time");
}

void peer_link_timer(struct peer_link *link, unsigned ms)
{
    (void)uv_timer_start(&link->timer, timer_fired, ms, 0);
}

struct peer_trouble peer_link_trouble(struct peer_link *link)
{
    return peer_notes_trouble_of(&link->transport->notes, link->id);
}

/* ---- TLS */

enum rc peer_link_begin_tls(struct peer_link *link)
{
    char text[160];
    SSL_CTX *ctx = peer_transport_tls(link->transport, !link->outbound);
    link->ssl = SSL_new(ctx);
    SSL_CTX_free(ctx);
    if (link->ssl == NULL || SSL_set_fd(link->ssl, link->fd) != 1)
        return rc_fail(RC_TLS, "%s", tls_error_text(text));
    if (link->outbound)
        SSL_set_connect_state(link->ssl);
    else
        SSL_set_accept_state(link->ssl);
    return RC_OK;
}

enum link_step peer_link_tls_wait(struct peer_link *link, int rv)
{
    int system_error = errno;
    char text[160];
    switch (SSL_get_error(link->ssl, rv)) {
    case SSL_ERROR_WANT_READ:
        peer_link_want(link, UV_READABLE, link->pair_events);
        return STEP_WAIT;
    case SSL_ERROR_WANT_WRITE:
        peer_link_want(link, UV_WRITABLE, link->pair_events);
        return STEP_WAIT;
    case SSL_ERROR_ZERO_RETURN:
        (void)rc_fail(RC_UNAVAILABLE, "the peer closed the connection");
        return STEP_FAIL;
    case SSL_ERROR_SYSCALL:
        (void)rc_fail(RC_UNAVAILABLE, "%s",
                      system_error != 0 ? strerror(system_error) : "connection lost");
        ERR_clear_error();
        return STEP_FAIL;
    default:
        (void)rc_fail(RC_TLS, "%s", tls_failure_text(link->ssl, text));
        return STEP_FAIL;
    }
}

/* Decimal, without sign, blanks or leading zeros: one number has one name. */
static bool parse_number(const char *text, uint64_t *out)
{
    char *end = NULL;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (text[0] < '1' || text[0] > '9' || *end != 0 || errno != 0)
        return false;
    *out = value;
    return true;
}

enum rc peer_link_identify(const struct peer_link *link, uint64_t *out_id)
{
    struct tls_identity identity;
    TRY(tls_peer_identity(link->ssl, &identity));
    if (identity.role != TLS_ROLE_NODE)
        return rc_fail(RC_TLS, "the peer's certificate is of a %s, not of a node",
                       tls_role_name(identity.role));
    if (!bytes_equal(bytes_of_str(identity.cluster), bytes_of_str(link->transport->cluster_text)))
        return rc_fail(RC_TLS, "the peer's certificate is of cluster %s", identity.cluster);
    if (!parse_number(identity.name, out_id))
        return rc_fail(RC_TLS, "the peer's certificate has no node number");
    return RC_OK;
}

/* ---- beginning and end */

struct peer_link *peer_link_new(struct peer_transport *transport, bool outbound,
                                enum link_state state)
{
    struct peer_link *link = calloc(1, sizeof *link);
    if (link == NULL)
        return NULL;
    link->transport = transport;
    link->outbound = outbound;
    link->state = state;
    link->fd = -1;
    link->pair = -1;
    link->delayed_last = &link->delayed;
    uv_update_time(transport->loop); /* or time lost in a long callback is taken from the link's */
    (void)uv_timer_init(transport->loop, &link->timer);
    link->timer.data = link;
    link->handles = 1;
    link->prev = transport->links_last;
    *(link->prev != NULL ? &link->prev->next : &transport->links) = link;
    transport->links_last = link;
    transport->half_open += outbound ? 0 : 1;
    peer_link_timer(link, PEER_SETUP_MS);
    return link;
}

static void unlist(struct peer_link *link)
{
    struct peer_transport *transport = link->transport;
    *(link->prev != NULL ? &link->prev->next : &transport->links) = link->next;
    *(link->next != NULL ? &link->next->prev : &transport->links_last) = link->prev;
}

static void maybe_free(struct peer_link *link)
{
    if (link->handles > 0 || link->resolving)
        return;
    struct peer_transport *transport = link->transport;
    unlist(link);
    SSL_free(link->ssl);
    if (link->fd >= 0)
        (void)close(link->fd);
    if (link->pair >= 0)
        (void)close(link->pair);
    if (link->resolve.addrinfo != NULL)
        uv_freeaddrinfo(link->resolve.addrinfo);
    peer_pump_free(link);
    free(link);
    peer_transport_maybe_closed(transport);
}

static void handle_closed(uv_handle_t *handle)
{
    struct peer_link *link = handle->data;
    link->handles--;
    maybe_free(link);
}

static void answer_request(struct peer_link *link)
{
    struct raft_uv_connect *request = link->request;
    link->request = NULL;
    if (request != NULL)
        link->done(request, NULL, link->transport->closing ? RAFT_CANCELED : RAFT_NOCONNECTION);
}

void peer_link_close(struct peer_link *link, const char *reason)
{
    if (link->state == LINK_CLOSED) {
        maybe_free(link); /* a resolver's answer came late */
        return;
    }
    peer_report_end(link->transport, link, reason);
    if (link->state < LINK_PUMP && !link->outbound)
        link->transport->half_open--;
    link->state = LINK_CLOSED;
    if (link->pair >= 0) /* the engine's next write or read fails at once */
        (void)shutdown(link->pair, SHUT_RDWR);
    if (link->resolving)
        (void)uv_cancel((uv_req_t *)&link->resolve);
    uv_close((uv_handle_t *)&link->timer, handle_closed);
    if (link->has_tls_poll)
        uv_close((uv_handle_t *)&link->tls_poll, handle_closed);
    if (link->has_pair_poll)
        uv_close((uv_handle_t *)&link->pair_poll, handle_closed);
    answer_request(link);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The side that is dialled: who may come in, how many at a time, and the word that tells them. */
#include <errno.h>
#include <inttypes.h>
#include <openssl/err.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cluster/peer_hello.h"
#include "cluster/peer_link.h"
#include "common/log.h"

#define HALF_OPEN_MAX 64U
#define ACCEPTS_MAX   16U /* a wake-up */
#define REST_MS       200U

/* ---- set-up of a link */

enum link_step peer_accept_handshake(struct peer_link *link)
{
    ERR_clear_error();
    int rv = SSL_do_handshake(link->ssl);
    if (rv != 1)
        return peer_link_tls_wait(link, rv);
    if (peer_link_identify(link, &link->id) != RC_OK)
        link->verdict = PEER_NO_NODE; /* it is told so */
    return STEP_NEXT;
}

static enum peer_verdict judge(struct peer_link *link)
{
    uint64_t claimed = 0;
    if (link->verdict != PEER_WELCOME)
        return link->verdict;
    struct bytes hello = bytes_of(link->hello, link->hello_len);
    if (peer_hello_read(hello, &claimed, link->address) != RC_OK)
        return PEER_MALFORMED;
    if (claimed != link->id || claimed == link->transport->node)
        return PEER_OTHER_NUMBER;
    if (!link->transport->is_member(link->transport->context, link->id))
        return PEER_NO_MEMBER;
    return PEER_WELCOME;
}

/* Reads to hello_len, which is known when the fixed part is there. */
enum link_step peer_accept_hello(struct peer_link *link)
{
    struct peer_trouble trouble = peer_link_trouble(link);
    if (trouble.cut_in) {
        peer_link_want(link, 0, 0);
        return STEP_WAIT;
    }
    size_t wanted = link->hello_len > 0 ? link->hello_len : PEER_HELLO_FIXED_LEN;
    while (link->hello_at < wanted) {
        ERR_clear_error();
        int rv = SSL_read(link->ssl, link->hello + link->hello_at, (int)(wanted - link->hello_at));
        if (rv <= 0)
            return peer_link_tls_wait(link, rv);
        link->hello_at += (size_t)rv;
        if (link->hello_at == PEER_HELLO_FIXED_LEN) {
            if (peer_hello_len(link->hello, &wanted) != RC_OK)
                return STEP_FAIL;
            link->hello_len = wanted;
        }
    }
    link->verdict = judge(link);
    peer_ack_write(link->verdict, link->ack);
    return STEP_NEXT;
}

/* A node that dials again has lost what it had: its older links only wait for their time-out. */
static void replace_older(struct peer_link *link)
{
    struct peer_link *next = NULL;
    for (struct peer_link *other = link->transport->links; other != NULL; other = next) {
        next = other->next;
        if (other != link && !other->outbound && other->id == link->id && other->state == LINK_PUMP)
            peer_link_close(other, "it dialled again");
    }
}

/* One that moved while it was down is dialled where it says that it is now: without that nobody
 * reached it, and it could not tell the roll. */
static void note_address(struct peer_link *link)
{
    char noted[PEER_ADDRESS_MAX + 1];
    struct peer_notes *notes = &link->transport->notes;
    bool is_noted = peer_notes_address_of(notes, link->id, noted);
    if (is_noted && strcmp(noted, link->address) == 0)
        return;
    if (is_noted)
        log_info("peer_moved", "node=%" PRIu64 " peer=%" PRIu64 " from=%s to=%s",
                 link->transport->node, link->id, noted, link->address);
    if (peer_notes_locate(notes, link->id, link->address) != RC_OK)
        log_warn("peer_not_located", "node=%" PRIu64 " peer=%" PRIu64 " detail=\"%s\"",
                 link->transport->node, link->id, rc_detail());
}

enum link_step peer_accept_ack(struct peer_link *link)
{
    while (link->ack_at < PEER_ACK_LEN) {
        ERR_clear_error();
        int rv = SSL_write(link->ssl, link->ack + link->ack_at, (int)(PEER_ACK_LEN - link->ack_at));
        if (rv <= 0)
            return peer_link_tls_wait(link, rv);
        link->ack_at += (size_t)rv;
    }
    if (link->verdict != PEER_WELCOME) {
        (void)SSL_shutdown(link->ssl);
        (void)rc_fail(RC_NOT_PERMITTED, "%s", peer_verdict_text(link->verdict));
        return STEP_FAIL;
    }
    if (peer_pump_open(link) != RC_OK)
        return STEP_FAIL;
    note_address(link);
    replace_older(link);
    return STEP_NEXT;
}

/* ---- listening */

/* The oldest makes room: who means it is done within milliseconds. */
static void make_room(struct peer_transport *transport)
{
    struct peer_link *link = transport->links;
    while (transport->half_open >= HALF_OPEN_MAX && link != NULL) {
        if (!link->outbound && link->state < LINK_PUMP) {
            peer_link_close(link, "too many at once");
            return;
        }
        link = link->next;
    }
}

static void admit(struct peer_transport *transport, int fd)
{
    make_room(transport);
    struct peer_link *link = peer_link_new(transport, false, LINK_HANDSHAKE);
    if (link == NULL) {
        (void)close(fd);
        return;
    }
    link->fd = fd;
    peer_socket_options(fd);
    if (peer_link_poll_tls(link) != RC_OK || peer_link_begin_tls(link) != RC_OK)
        peer_link_close(link, rc_detail());
    else
        peer_link_advance(link);
}

static void listen_all(struct peer_transport *transport);

static void rested(uv_timer_t *timer)
{
    listen_all(timer->data);
}

/* Without descriptors the socket would stay readable, and the loop busy. */
static void rest(struct peer_transport *transport, int error)
{
    log_warn("peer_accept_failed", "error=\"%s\"", strerror(error));
    for (size_t i = 0; i < transport->sockets.count; i++)
        (void)uv_poll_stop(&transport->accept_polls[i]);
    (void)uv_timer_start(&transport->rest, rested, REST_MS, 0);
}

static bool is_passing(int error)
{
    return error == EAGAIN || error == EINTR || error == ECONNABORTED || error == EPROTO ||
           error == EPERM;
}

static void accept_event(uv_poll_t *poll, int status, int events)
{
    struct peer_transport *transport = poll->data;
    size_t i = (size_t)(poll - transport->accept_polls);
    (void)status;
    (void)events;
    for (unsigned count = 0; count < ACCEPTS_MAX; count++) {
        int fd = accept4(transport->sockets.fds[i], NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            if (!is_passing(errno))
                rest(transport, errno);
            return;
        }
        admit(transport, fd);
    }
}

static void listen_all(struct peer_transport *transport)
{
    for (size_t i = 0; i < transport->sockets.count; i++)
        (void)uv_poll_start(&transport->accept_polls[i], UV_READABLE, accept_event);
}

enum rc peer_accept_start(struct peer_transport *transport)
{
    (void)uv_timer_init(transport->loop, &transport->rest);
    transport->rest.data = transport;
    transport->handles = 1;
    transport->listening = true;
    for (size_t i = 0; i < transport->sockets.count; i++) {
        int rv =
            uv_poll_init(transport->loop, &transport->accept_polls[i], transport->sockets.fds[i]);
        if (rv != 0)
            return rc_fail(RC_IO, "poll: %s", uv_strerror(rv));
        transport->accept_polls[i].data = transport;
        transport->handles++;
    }
    listen_all(transport);
    return RC_OK;
}

static void handle_closed(uv_handle_t *handle)
{
    struct peer_transport *transport = handle->data;
    transport->handles--;
    peer_transport_maybe_closed(transport);
}

void peer_accept_stop(struct peer_transport *transport)
{
    if (!transport->listening)
        return;
    transport->listening = false;
    unsigned polls = transport->handles - 1;
    uv_close((uv_handle_t *)&transport->rest, handle_closed);
    for (unsigned i = 0; i < polls; i++)
        uv_close((uv_handle_t *)&transport->accept_polls[i], handle_closed);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Carrying bytes between TLS and the engine's end of the socket pair. Who cannot write does not
 * read: the sender feels it through TCP. What comes in is inspected first. */
#include <errno.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cluster/peer_delay.h"
#include "cluster/peer_link.h"
#include "common/log.h"

#define ROUNDS_MAX  32U /* a wake-up: a snapshot of a gigabyte must not keep the loop */
#define CUT_LOOK_MS 50U /* how often an emulated cut is looked at */
#define CUT_MAX_MS  PEER_SETUP_MS
#define PERMILLE    1000U

static void count(_Atomic uint64_t *counter, uint64_t more)
{
    atomic_fetch_add_explicit(counter, more, memory_order_relaxed);
}

/* ---- beginning */

static enum rc make_pair(struct peer_link *link, int *out_engine_end)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0)
        return rc_fail(RC_IO, "socketpair: %s", strerror(errno));
    link->pair = ends[0];
    *out_engine_end = ends[1];
    return RC_OK;
}

static void engine_end_freed(uv_handle_t *handle)
{
    raft_free(handle);
}

/* The engine closes and frees it. */
static enum rc make_stream(struct peer_link *link, int fd)
{
    link->stream = raft_malloc(sizeof *link->stream);
    if (link->stream == NULL) {
        (void)close(fd);
        return RC_NO_MEMORY;
    }
    (void)uv_pipe_init(link->transport->loop, link->stream, 0);
    int rv = uv_pipe_open(link->stream, fd);
    if (rv == 0)
        return RC_OK;
    (void)close(fd);
    uv_close((uv_handle_t *)link->stream, engine_end_freed);
    link->stream = NULL;
    return rc_fail(RC_IO, "pipe: %s", uv_strerror(rv));
}

enum rc peer_pump_open(struct peer_link *link)
{
    int engine_end = -1;
    link->buffer = calloc(1, PEER_BUFFER_LEN);
    if (link->buffer == NULL)
        return RC_NO_MEMORY;
    if (!link->outbound)
        TRY(peer_inspector_new(link->transport->cluster, link->id, &link->inspector));
    TRY(make_pair(link, &engine_end));
    enum rc rc = peer_link_poll_pair(link);
    if (rc != RC_OK) {
        (void)close(engine_end);
        return rc;
    }
    TRY(make_stream(link, engine_end));
    (void)uv_timer_stop(&link->timer);
    return RC_OK;
}

static void hand_over(struct peer_link *link)
{
    uv_stream_t *stream = (uv_stream_t *)link->stream;
    struct raft_uv_connect *request = link->request;
    link->handed_over = true;
    link->stream = NULL;
    link->request = NULL;
    peer_report_up(link->transport, link);
    if (link->outbound)
        link->done(request, stream, 0);
    else
        link->transport->accepted(&link->transport->raft, link->id, link->address, stream);
}

void peer_pump_free(struct peer_link *link)
{
    peer_inspector_free(link->inspector);
    peer_delay_clear(link);
    free(link->buffer);
}

/* ---- an emulated cut: nothing moves; after a while it is a dead connection, as by
 * TCP_USER_TIMEOUT */

static enum link_step stall(struct peer_link *link)
{
    uint64_t now = uv_now(link->transport->loop);
    if (link->stalled_ms == 0)
        link->stalled_ms = now;
    if (now - link->stalled_ms >= CUT_MAX_MS) {
        (void)rc_fail(RC_UNAVAILABLE, "cut");
        return STEP_FAIL;
    }
    peer_link_want(link, 0, 0);
    peer_link_timer(link, CUT_LOOK_MS);
    return STEP_WAIT;
}

/* ---- the engine's end */

/* More of what the engine sends, at most `max`; 0: nothing now. */
enum rc peer_pump_read_pair(struct peer_link *link, uint8_t *out, size_t max, size_t *out_len)
{
    ssize_t n = recv(link->pair, out, max, MSG_DONTWAIT);
    *out_len = 0;
    if (n > 0)
        *out_len = (size_t)n;
    else if (n == 0)
        return rc_fail(RC_CANCELLED, "the engine closed it");
    else if (errno != EAGAIN && errno != EINTR)
        return rc_fail(RC_UNAVAILABLE, "the engine's end: %s", strerror(errno));
    return RC_OK;
}

/* The engine's own end of the conversation is told to the peer. */
static enum link_step pair_failed(struct peer_link *link)
{
    ERR_clear_error();
    (void)SSL_shutdown(link->ssl);
    ERR_clear_error();
    return STEP_FAIL;
}

/* ---- out */

/* The peer has nothing to say on it but goodbye. */
static enum link_step check_silence(struct peer_link *link)
{
    uint8_t byte = 0;
    ERR_clear_error();
    int rv = SSL_read(link->ssl, &byte, 1);
    if (rv > 0) {
        (void)rc_fail(RC_PROTOCOL, "the peer answers where it should listen");
        return STEP_FAIL;
    }
    return peer_link_tls_wait(link, rv);
}

static enum link_step write_tls(struct peer_link *link)
{
    ERR_clear_error();
    int rv = SSL_write(link->ssl, link->buffer + link->start, (int)(link->end - link->start));
    if (rv <= 0)
        return peer_link_tls_wait(link, rv);
    link->start += (size_t)rv;
    count(&link->transport->counters.bytes_out, (uint64_t)rv);
    return STEP_NEXT;
}

/* STEP_WAIT: the engine has nothing to send now. */
static enum link_step refill(struct peer_link *link, unsigned delay_ms)
{
    size_t len = 0;
    enum rc rc = RC_OK;
    if (delay_ms > 0 || link->delayed != NULL)
        rc = peer_delay_refill(link, delay_ms, &len);
    else
        rc = peer_pump_read_pair(link, link->buffer, PEER_BUFFER_LEN, &len);
    if (rc != RC_OK)
        return pair_failed(link);
    link->start = 0;
    link->end = len;
    if (len > 0)
        return STEP_NEXT;
    peer_link_want(link, UV_READABLE, peer_delay_is_full(link) ? UV_DISCONNECT : UV_READABLE);
    return STEP_WAIT;
}

static enum link_step pump_out(struct peer_link *link, const struct peer_trouble *trouble)
{
    if (trouble->cut_out)
        return stall(link);
    link->stalled_ms = 0;
    enum link_step step = link->tls_ready ? check_silence(link) : STEP_NEXT;
    if (step == STEP_FAIL)
        return step;
    for (unsigned round = 0; round < ROUNDS_MAX; round++) {
        bool empty = link->start == link->end;
        step = empty ? refill(link, trouble->delay_ms) : write_tls(link);
        if (step == STEP_NEXT)
            continue;
        if (step == STEP_WAIT && !empty)
            peer_link_want(link, UV_READABLE | UV_WRITABLE, UV_DISCONNECT);
        return step;
    }
    peer_link_want(link, UV_READABLE | UV_WRITABLE, UV_DISCONNECT); /* at the next turn */
    return STEP_WAIT;
}

/* ---- in */

static unsigned throw_dice(struct peer_link *link)
{
    link->dice = link->dice * 6364136223846793005U + 1442695040888963407U; /* Knuth's MMIX */
    return (unsigned)((link->dice >> 33) % PERMILLE);
}

/* Inspects what was read; messages that emulated trouble loses are taken out. */
static enum rc inspect(struct peer_link *link, size_t len, unsigned drop_permille)
{
    size_t kept = 0;
    for (size_t at = 0; at < len;) {
        size_t used = 0;
        if (peer_inspect_at_start(link->inspector)) {
            link->dropping = drop_permille > 0 && throw_dice(link) < drop_permille;
            count(&link->transport->counters.messages_dropped, link->dropping ? 1 : 0);
        }
        TRY(peer_inspect(link->inspector, bytes_of(link->buffer + at, len - at), &used));
        if (!link->dropping) {
            memmove(link->buffer + kept, link->buffer + at, used);
            kept += used;
        }
        at += used;
    }
    link->start = 0;
    link->end = kept;
    return RC_OK;
}

static enum link_step read_tls(struct peer_link *link, unsigned drop_permille)
{
    ERR_clear_error();
    int rv = SSL_read(link->ssl, link->buffer, (int)PEER_BUFFER_LEN);
    if (rv <= 0)
        return peer_link_tls_wait(link, rv);
    count(&link->transport->counters.bytes_in, (uint64_t)rv);
    if (inspect(link, (size_t)rv, drop_permille) == RC_OK)
        return STEP_NEXT;
    count(&link->transport->counters.messages_refused, 1);
    log_error("peer_message_refused", "peer=%llu detail=\"%s\"", (unsigned long long)link->id,
              rc_detail());
    return STEP_FAIL;
}

/* STEP_WAIT: the engine takes no more now. */
static enum link_step write_pair(struct peer_link *link)
{
    ssize_t n = send(link->pair, link->buffer + link->start, link->end - link->start,
                     MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n > 0) {
        link->start += (size_t)n;
        return STEP_NEXT;
    }
    if (errno == EAGAIN || errno == EINTR)
        return STEP_WAIT;
    (void)rc_fail(RC_CANCELLED, "the engine closed it");
    return pair_failed(link);
}

/* The engine never writes on a stream that it accepted: readable means closed. */
static bool engine_is_gone(struct peer_link *link)
{
    uint8_t byte = 0;
    size_t len = 0;
    return peer_pump_read_pair(link, &byte, 1, &len) != RC_OK;
}

static enum link_step pump_in(struct peer_link *link, const struct peer_trouble *trouble)
{
    if (trouble->cut_in)
        return stall(link);
    link->stalled_ms = 0;
    if (link->pair_ready && engine_is_gone(link))
        return pair_failed(link);
    for (unsigned round = 0; round < ROUNDS_MAX; round++) {
        bool full = link->start < link->end;
        enum link_step step = full ? write_pair(link) : read_tls(link, trouble->drop_permille);
        if (step == STEP_NEXT)
            continue;
        if (step == STEP_WAIT)
            peer_link_want(link, full ? 0 : link->tls_events,
                           full ? UV_READABLE | UV_WRITABLE : UV_READABLE);
        return step;
    }
    /* TLS may hold more that no poll tells of: a socket that can be written wakes us at once. */
    peer_link_want(link, UV_READABLE | UV_WRITABLE, UV_READABLE);
    return STEP_WAIT;
}

enum link_step peer_pump(struct peer_link *link)
{
    if (!link->handed_over)
        hand_over(link);
    if (link->state == LINK_CLOSED)
        return STEP_WAIT;
    struct peer_trouble trouble = peer_link_trouble(link);
    return link->outbound ? pump_out(link, &trouble) : pump_in(link, &trouble);
}

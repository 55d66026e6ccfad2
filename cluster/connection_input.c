/* SPDX-License-Identifier: Apache-2.0 */
/* Reading frames: into the worker's scratch, from where most requests are served in place; what is
 * incomplete is kept by the connection. */
#include "cluster/connection_input.h"

#include <string.h>

#include "common/log.h"

#define ROUNDS_MAX   4U  /* reads in one turn */
#define FRAMES_MAX   32U /* requests in one turn */
#define UNSENT_PAUSE ((size_t)64 * 1024)
#define GROW_MIN     ((size_t)16 * 1024)
#define KEEP_MAX     ((size_t)64 * 1024)
#define DISCARD_MAX  ((size_t)64 * 1024 * 1024)
#define OFFENCES_MAX 8U
/* Fields 1 and 2 of a request, id and ticket, with their tags and lengths. */
#define HEAD_LEN    (11U + 3U + WIRE_TICKET_MAX)
#define ID_HEAD_LEN 11U

bool connection_input_paused(const struct connection *connection)
{
    return connection->outstanding >= WIRE_PIPELINE_MAX || connection->worker->is_draining ||
           connection->out.len - connection->out_done > UNSENT_PAUSE;
}

static size_t frame_max_of(const struct connection *connection)
{
    if (!connection->peer.logged_in && connection->peer.role != TLS_ROLE_NODE)
        return WIRE_FRAME_MAX_PUBLIC;
    return atomic_load_explicit(&connection->worker->service->limits.frame_max,
                                memory_order_relaxed);
}

static size_t announced_len(struct bytes input)
{
    return (size_t)input.ptr[0] << 24 | (size_t)input.ptr[1] << 16 | (size_t)input.ptr[2] << 8 |
           (size_t)input.ptr[3];
}

/* ---- one request */

static struct call *begin_call(struct connection *connection)
{
    struct call *call = worker_call_get(connection->worker);
    if (call == NULL) {
        connection_close(connection, "out of memory");
        return NULL;
    }
    call->owner = connection;
    call->home = worker_post_home;
    connection->outstanding++;
    connection->active_ms = clock_steady_ms();
    return call;
}

/* Answers a message that cannot be served, by its id if that can be read. */
static void refuse_message(struct connection *connection, struct bytes message, enum rc rc)
{
    struct call *call = begin_call(connection);
    if (call == NULL)
        return;
    call->service = connection->worker->service;
    call->peer = &connection->peer;
    call->id = frame_request_id(message);
    qhsm__response__init(&call->response);
    worker_advance(connection->worker, call, call_refuse(call, rc));
}

/* Whoever breaks the protocol again and again, or begins with it, is no client of ours. */
static void count_offence(struct connection *connection)
{
    connection->offences++;
    if (connection->offences < OFFENCES_MAX && connection->peer.greeted)
        return;
    if (log_admits())
        log_info("connection_cut", "peer=%s reason=\"breaks the protocol\"", connection->peer.name);
    if (connection->state == CONNECTION_OPEN)
        connection->state = CONNECTION_FLUSHING;
}

static void serve_message(struct connection *connection, struct bytes message)
{
    struct worker *worker = connection->worker;
    if (connection->refuse) {
        connection->state = CONNECTION_FLUSHING;
        refuse_message(connection, message,
                       rc_fail(RC_OVERLOADED, "this HSM is at its limit of %zu connections",
                               atomic_load(&worker->service->limits.connections_max)));
        return;
    }
    struct call *call = begin_call(connection);
    if (call == NULL)
        return;
    enum rc rc = call_decode(call, worker->service, &connection->peer, message);
    worker_advance(worker, call, rc == RC_OK ? call_admit(call) : CALL_ANSWER);
    if (rc != RC_OK || !connection->peer.greeted)
        count_offence(connection);
}

/* ---- frames that are larger than this connection may send */

/* The ticket at the head of a request whose rest has not come: it may lift the limit. */
static struct bytes leading_ticket(struct bytes head)
{
    size_t at = 0;
    if (head.len > 0 && head.ptr[0] == 0x08) { /* field 1, varint */
        for (at = 1; at < head.len && head.ptr[at] >= 0x80; at++)
            continue;
        at++;
    }
    if (at + 2 >= head.len || head.ptr[at] != 0x12) /* field 2, bytes */
        return BYTES_NONE;
    size_t len = head.ptr[at + 1] & 0x7FU;
    size_t start = at + 2;
    if (head.ptr[at + 1] >= 0x80) {
        len |= (size_t)head.ptr[at + 2] << 7;
        start = at + 3;
    }
    struct bytes ticket = bytes_slice(head, start, len);
    return ticket.len == len ? ticket : BYTES_NONE;
}

static bool lifts_limit(struct connection *connection, struct bytes head)
{
    struct bytes ticket = leading_ticket(head);
    if (ticket.len == 0 || !connection->peer.greeted)
        return false;
    bool good = peer_login(&connection->peer, connection->worker->service, ticket) == RC_OK;
    rc_detail_clear();
    return good;
}

/* True when the frame may be looked at again: its limit was lifted. */
static bool handle_oversized(struct connection *connection, struct bytes rest)
{
    size_t announced = announced_len(rest);
    struct bytes head = bytes_slice(rest, WIRE_FRAME_HEADER_LEN, HEAD_LEN);
    size_t frame_max = atomic_load(&connection->worker->service->limits.frame_max);
    bool may_lift = !connection->peer.logged_in && announced <= frame_max;
    if (head.len < (may_lift ? HEAD_LEN : ID_HEAD_LEN))
        return false;
    if (may_lift && lifts_limit(connection, head))
        return true;
    connection->discard = WIRE_FRAME_HEADER_LEN + announced;
    if (announced > DISCARD_MAX)
        connection->state = CONNECTION_FLUSHING;
    refuse_message(connection, head,
                   rc_fail(RC_TOO_LARGE, "a request of %zu bytes, limit %zu%s", announced,
                           frame_max_of(connection),
                           connection->peer.logged_in ? "" : " before login"));
    return false;
}

/* Length of the whole frame at the front, 0 when there is none (yet). */
static size_t next_frame(struct connection *connection, struct bytes rest)
{
    size_t len = 0;
    enum rc rc = frame_peek(rest, frame_max_of(connection), &len);
    if (rc == RC_TOO_LARGE && handle_oversized(connection, rest))
        rc = frame_peek(rest, frame_max_of(connection), &len);
    if (rc == RC_PROTOCOL) {
        connection->state = CONNECTION_FLUSHING;
        refuse_message(connection, BYTES_NONE, rc);
    }
    return rc == RC_OK ? len : 0;
}

/* ---- bytes */

static size_t discard(struct connection *connection, size_t available)
{
    size_t n = available < connection->discard ? available : connection->discard;
    connection->discard -= n;
    return n;
}

/* Serves the frames at the front of input; returns how many bytes they were. */
static size_t consume(struct connection *connection, struct bytes input)
{
    size_t used = 0;
    connection->has_more = false;
    while (used < input.len && connection->state == CONNECTION_OPEN) {
        struct bytes rest = bytes_slice(input, used, input.len);
        if (connection->discard > 0) {
            used += discard(connection, rest.len);
            continue;
        }
        if (connection->budget == 0 || connection_input_paused(connection)) {
            connection->has_more = true;
            break;
        }
        size_t len = next_frame(connection, rest);
        if (len == 0 && connection->discard == 0)
            break;
        if (len == 0)
            continue;
        connection->budget--;
        serve_message(connection,
                      bytes_slice(rest, WIRE_FRAME_HEADER_LEN, len - WIRE_FRAME_HEADER_LEN));
        used += len;
    }
    return used;
}

/* Drops the first `used` bytes of what the connection keeps. */
static void shift(struct buf *in, size_t used)
{
    if (used == 0)
        return;
    size_t rest = in->len - used;
    memmove(in->ptr, in->ptr + used, rest);
    bool keep = rest > 0 || in->cap <= KEEP_MAX;
    if (!keep || buf_resize(in, rest) != RC_OK)
        buf_clear(in);
}

static void serve_kept(struct connection *connection)
{
    if (connection->in.len > 0)
        shift(&connection->in, consume(connection, buf_bytes(&connection->in)));
}

/* Room to read into: never more than was already received, so that announcing much costs the peer
 * as much as us. */
static size_t room(const struct connection *connection)
{
    return connection->in.len > GROW_MIN ? connection->in.len : GROW_MIN;
}

static enum stream_result read_kept(struct connection *connection, size_t *asked, size_t *got)
{
    *asked = room(connection);
    if (buf_reserve(&connection->in, *asked) != RC_OK)
        return STREAM_BROKEN;
    enum stream_result result =
        stream_read(&connection->stream, connection->in.ptr + connection->in.len, *asked, got);
    connection->in.len += *got;
    serve_kept(connection);
    return result;
}

static enum stream_result read_fresh(struct connection *connection, size_t *asked, size_t *got)
{
    uint8_t *scratch = connection->worker->scratch;
    *asked = WORKER_SCRATCH_LEN;
    enum stream_result result = stream_read(&connection->stream, scratch, *asked, got);
    size_t used = consume(connection, bytes_of(scratch, *got));
    struct bytes rest = bytes_slice(bytes_of(scratch, *got), used, *got);
    if (connection->state == CONNECTION_OPEN && buf_append(&connection->in, rest) != RC_OK)
        result = STREAM_BROKEN;
    secret_wipe(scratch, *got);
    return result;
}

static void note_partial(struct connection *connection)
{
    bool partial = connection->in.len > 0 && !connection->has_more;
    if (!partial && connection->discard == 0)
        connection->partial_ms = 0;
    else if (connection->partial_ms == 0)
        connection->partial_ms = clock_steady_ms();
}

/* What TLS has buffered the socket does not announce again; after WANT_READ it is only part of a
 * record. */
static void read_rounds(struct connection *connection)
{
    for (unsigned round = 0; round < ROUNDS_MAX; round++) {
        if (connection->state != CONNECTION_OPEN || connection->has_more)
            return;
        if (connection_input_paused(connection))
            break;
        size_t asked = 0;
        size_t got = 0;
        enum stream_result result = connection->in.len > 0 ? read_kept(connection, &asked, &got)
                                                           : read_fresh(connection, &asked, &got);
        connection->want_write = result == STREAM_WANT_WRITE;
        if (result == STREAM_WANT_READ || result == STREAM_WANT_WRITE)
            return;
        if (result != STREAM_DONE) {
            connection_close(connection, result == STREAM_END ? "end" : "read");
            return;
        }
        if (got < asked && !stream_has_pending(&connection->stream))
            return;
    }
    if (stream_has_pending(&connection->stream))
        connection->has_more = true;
}

void connection_input_serve(struct connection *connection)
{
    connection->budget = FRAMES_MAX;
    connection->has_more = false;
    serve_kept(connection);
    read_rounds(connection);
    note_partial(connection);
}

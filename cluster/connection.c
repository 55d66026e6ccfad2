/* SPDX-License-Identifier: Apache-2.0 */
/* A connection's life: opening, handshake, deadlines, sending, closing. */
#include "cluster/connection.h"

#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cluster/chaos.h"
#include "cluster/connection_input.h"
#include "common/log.h"

#define OUT_KEEP_MAX ((size_t)256 * 1024)

static bool has_unsent(const struct connection *connection)
{
    return connection->out.len > connection->out_done;
}

/* ---- end of life */

static void free_if_done(struct connection *connection)
{
    if (connection->state != CONNECTION_CLOSED || connection->outstanding > 0 ||
        connection->poll_open || connection->is_runnable || connection->serving)
        return;
    buf_clear(&connection->in);
    buf_clear(&connection->out);
    peer_clear(&connection->peer, connection->worker->service);
    free(connection);
}

static void poll_closed(uv_handle_t *handle)
{
    struct connection *connection = handle->data;
    connection->poll_open = false;
    free_if_done(connection);
}

static void unlink_connection(struct connection *connection)
{
    struct worker *worker = connection->worker;
    if (connection->previous != NULL)
        connection->previous->next = connection->next;
    else
        worker->connections = connection->next;
    if (connection->next != NULL)
        connection->next->previous = connection->previous;
    atomic_fetch_sub(&worker->load, 1);
    atomic_fetch_sub(&worker->service->connections, 1);
}

void connection_close(struct connection *connection, const char *reason)
{
    if (connection->state == CONNECTION_CLOSED)
        return;
    log_debug("connection_closed", "peer=%s reason=\"%s\"", connection->peer.name, reason);
    connection->state = CONNECTION_CLOSED;
    unlink_connection(connection);
    if (connection->peer.greeted)
        session_objects_detach(connection->worker->service->hsm->sessions,
                               connection->peer.application, clock_wall_ms());
    uv_close((uv_handle_t *)&connection->poll, poll_closed);
    stream_close(&connection->stream);
}

/* ---- what the loop waits for */

/* Emulated: clients on other hosts do not get through. */
static bool is_cut_off(const struct connection *connection)
{
    const struct peer *peer = &connection->peer;
    const struct chaos *chaos = connection->worker->service->chaos;
    return chaos != NULL && chaos_cuts_clients(chaos) && !peer->is_local &&
           peer->role != TLS_ROLE_NODE && peer->role != TLS_ROLE_JOINER;
}

static void polled(uv_poll_t *poll, int status, int events);

static void update_events(struct connection *connection)
{
    if (connection->state == CONNECTION_CLOSED)
        return;
    int events = 0;
    if (has_unsent(connection) || connection->want_write)
        events |= UV_WRITABLE;
    if (connection->state == CONNECTION_HANDSHAKE && !connection->want_write)
        events |= UV_READABLE;
    if (connection->state == CONNECTION_OPEN && !connection_input_paused(connection))
        events |= UV_READABLE;
    if (events == connection->events)
        return;
    connection->events = events;
    if (events == 0)
        (void)uv_poll_stop(&connection->poll);
    else if (uv_poll_start(&connection->poll, events, polled) != 0)
        connection_close(connection, "poll");
}

static void make_runnable(struct connection *connection)
{
    struct worker *worker = connection->worker;
    if (connection->is_runnable || connection->state != CONNECTION_OPEN)
        return;
    connection->is_runnable = true;
    connection->next_runnable = worker->runnable;
    worker->runnable = connection;
    worker_resume(worker);
}

/* ---- sending */

/* A peer that reads steadily but never all would make it grow for ever. */
static void drop_sent(struct connection *connection)
{
    struct buf *out = &connection->out;
    size_t rest = out->len - connection->out_done;
    if (connection->out_done < OUT_KEEP_MAX && connection->out_done < rest)
        return;
    memmove(out->ptr, out->ptr + connection->out_done, rest);
    (void)buf_resize(out, rest);
    connection->out_done = 0;
}

static void keep_unsent(struct connection *connection, struct bytes data)
{
    size_t limit = atomic_load_explicit(&connection->worker->service->limits.connection_memory,
                                        memory_order_relaxed);
    if (data.len == 0)
        return;
    if (!has_unsent(connection))
        connection->blocked_ms = clock_steady_ms();
    if (connection->out_done > 0)
        drop_sent(connection);
    connection->out.max = limit;
    if (buf_append(&connection->out, data) != RC_OK) {
        if (log_admits())
            log_warn("slow_reader_cut", "peer=%s unsent=%zu", connection->peer.name,
                     connection->out.len - connection->out_done);
        connection_close(connection, "reads too slowly");
    }
}

/* Writes what the socket takes; the rest is returned. */
static struct bytes write_some(struct connection *connection, struct bytes data)
{
    while (data.len > 0) {
        size_t sent = 0;
        enum stream_result result = stream_write(&connection->stream, data, &sent);
        if (result == STREAM_WANT_WRITE || result == STREAM_WANT_READ)
            return data;
        if (result != STREAM_DONE) {
            connection_close(connection, "write");
            return BYTES_NONE;
        }
        data = bytes_slice(data, sent, data.len);
    }
    return data;
}

/* Sends what was gathered in the worker's buffer. */
static void send_gathered(struct connection *connection)
{
    struct buf *gathered = &connection->worker->out;
    if (gathered->len > 0 && connection->state != CONNECTION_CLOSED) {
        struct bytes data = buf_bytes(gathered);
        if (!has_unsent(connection))
            data = write_some(connection, data);
        if (connection->state != CONNECTION_CLOSED)
            keep_unsent(connection, data);
    }
    if (gathered->cap > OUT_KEEP_MAX || buf_resize(gathered, 0) != RC_OK)
        buf_clear(gathered);
}

static void flush(struct connection *connection)
{
    struct bytes all = buf_bytes(&connection->out);
    struct bytes rest = bytes_slice(all, connection->out_done, all.len);
    size_t before = rest.len;
    rest = write_some(connection, rest);
    if (connection->state == CONNECTION_CLOSED)
        return;
    if (rest.len == 0) {
        buf_clear(&connection->out);
        connection->out_done = 0;
        connection->blocked_ms = 0;
        return;
    }
    connection->out_done = all.len - rest.len;
    if (rest.len < before)
        connection->blocked_ms = clock_steady_ms();
}

/* After anything happened: what comes next for this connection. */
static void settle(struct connection *connection)
{
    if (connection->state == CONNECTION_CLOSED) {
        free_if_done(connection);
        return;
    }
    bool is_last = connection->outstanding == 0 && !has_unsent(connection);
    if (is_last && (connection->state == CONNECTION_FLUSHING || connection->worker->is_draining)) {
        connection_close(connection, "done");
        return;
    }
    if (connection->has_more && !connection_input_paused(connection))
        make_runnable(connection);
    update_events(connection);
}

void connection_answer(struct connection *connection, struct call *call)
{
    struct worker *worker = connection->worker;
    connection->outstanding--;
    if (connection->state != CONNECTION_CLOSED) {
        connection->active_ms = clock_steady_ms();
        if (call_pack(call, &worker->out) != RC_OK)
            connection_close(connection, "answer");
    }
    worker_call_put(worker, call);
    if (connection->serving && worker->out.len < OUT_KEEP_MAX)
        return;
    send_gathered(connection);
    if (!connection->serving)
        settle(connection);
}

/* ---- receiving */

static void serve(struct connection *connection)
{
    connection->serving = true;
    connection_input_serve(connection);
    connection->serving = false;
    send_gathered(connection);
    settle(connection);
}

void connection_resume(struct connection *connection)
{
    connection->is_runnable = false;
    connection->next_runnable = NULL;
    if (connection->state == CONNECTION_OPEN)
        serve(connection);
    else
        settle(connection);
}

static enum rc identify(struct connection *connection)
{
    struct tls_identity identity;
    TRY(tls_peer_identity(connection->stream.ssl, &identity));
    const struct server_config *config = connection->worker->service->config;
    if (strcasecmp(identity.cluster, config->cluster) != 0)
        return rc_fail(RC_TLS, "the certificate is of cluster %s", identity.cluster);
    connection->peer.role = identity.role;
    (void)snprintf(connection->peer.name, sizeof connection->peer.name, "%s", identity.name);
    return RC_OK;
}

/* True when the connection is open. */
static bool shake_hands(struct connection *connection)
{
    enum stream_result result = stream_handshake(&connection->stream);
    connection->want_write = result == STREAM_WANT_WRITE;
    if (result == STREAM_WANT_READ || result == STREAM_WANT_WRITE)
        return false;
    char text[160];
    if (result != STREAM_DONE) {
        if (log_admits())
            log_warn("tls_refused", "error=\"%s\"", tls_failure_text(connection->stream.ssl, text));
        connection_close(connection, "handshake");
        return false;
    }
    if (identify(connection) != RC_OK) {
        if (log_admits())
            log_warn("tls_refused", "error=\"%s\"", rc_detail());
        connection_close(connection, "certificate");
        return false;
    }
    connection->state = CONNECTION_OPEN;
    return true;
}

static void polled(uv_poll_t *poll, int status, int events)
{
    struct connection *connection = poll->data;
    if (status < 0) {
        connection_close(connection, "socket");
        return;
    }
    if (connection->state == CONNECTION_HANDSHAKE && !shake_hands(connection)) {
        update_events(connection);
        return;
    }
    if (connection->state == CONNECTION_OPEN && is_cut_off(connection)) {
        connection_close(connection, "emulated: clients are cut off");
        return;
    }
    if ((events & UV_WRITABLE) != 0 && has_unsent(connection))
        flush(connection);
    bool may_read = (events & UV_READABLE) != 0 || connection->want_write;
    if (connection->state == CONNECTION_OPEN && may_read)
        serve(connection);
    else
        settle(connection);
}

/* ---- opening */

static void identify_unix(struct connection *connection)
{
    struct ucred who = {.uid = (uid_t)-1};
    socklen_t len = sizeof who;
    (void)getsockopt(connection->stream.fd, SOL_SOCKET, SO_PEERCRED, &who, &len);
    bool is_admin = who.uid == 0 || who.uid == geteuid();
    connection->peer.role = is_admin ? TLS_ROLE_ADMIN : TLS_ROLE_CLIENT;
    connection->peer.is_local = true;
    (void)snprintf(connection->peer.name, sizeof connection->peer.name, "uid:%u pid:%d",
                   (unsigned)who.uid, (int)who.pid);
}

/* A peer that is gone without a word is found by keepalive within two minutes. */
static void configure_tcp(int fd)
{
    const int on = 1;
    const int idle_s = 60;
    const int interval_s = 10;
    const int probes = 6;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof idle_s);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval_s, sizeof interval_s);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes);
}

static void configure(struct connection *connection, const struct arrival *arrival)
{
    connection->stream = (struct stream){.fd = arrival->fd, .ssl = arrival->ssl};
    connection->refuse = arrival->refuse;
    connection->in = (struct buf)BUF_INIT_MAX(SIZE_MAX / 2);
    connection->out = (struct buf)BUF_INIT;
    connection->peer.ticket_sealed = (struct secret)SECRET_INIT;
    connection->opened_ms = clock_steady_ms();
    connection->active_ms = connection->opened_ms;
    connection->state = arrival->ssl == NULL ? CONNECTION_OPEN : CONNECTION_HANDSHAKE;
    if (arrival->is_unix) {
        identify_unix(connection);
        return;
    }
    configure_tcp(arrival->fd);
    (void)SSL_set_mode(arrival->ssl, SSL_MODE_ENABLE_PARTIAL_WRITE |
                                         SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                         SSL_MODE_RELEASE_BUFFERS);
    SSL_set_accept_state(arrival->ssl);
}

static void refuse_arrival(struct worker *worker, const struct arrival *arrival)
{
    struct stream stream = {.fd = arrival->fd, .ssl = arrival->ssl};
    stream_close(&stream);
    atomic_fetch_sub(&worker->load, 1);
    atomic_fetch_sub(&worker->service->connections, 1);
}

void connection_open(struct worker *worker, const struct arrival *arrival)
{
    struct connection *connection = calloc(1, sizeof *connection);
    if (connection == NULL || worker->is_draining ||
        (arrival->ssl != NULL && SSL_set_fd(arrival->ssl, arrival->fd) != 1) ||
        uv_poll_init(&worker->loop, &connection->poll, arrival->fd) != 0) {
        free(connection);
        refuse_arrival(worker, arrival);
        return;
    }
    connection->worker = worker;
    connection->poll.data = connection;
    connection->poll_open = true;
    configure(connection, arrival);
    connection->next = worker->connections;
    if (worker->connections != NULL)
        worker->connections->previous = connection;
    worker->connections = connection;
    update_events(connection);
}

/* ---- limits of time */

static const char *overdue(const struct connection *connection, uint64_t now_ms)
{
    const struct limits *limits = &connection->worker->service->limits;
    uint64_t deadline = atomic_load_explicit(&limits->login_deadline_ms, memory_order_relaxed);
    uint64_t idle = atomic_load_explicit(&limits->idle_timeout_ms, memory_order_relaxed);
    if (!connection->peer.greeted && now_ms > connection->opened_ms + deadline)
        return "no hello in time";
    if (connection->partial_ms != 0 && now_ms > connection->partial_ms + deadline)
        return "half a request";
    if (connection->blocked_ms != 0 && now_ms > connection->blocked_ms + deadline)
        return "reads too slowly";
    if (idle != 0 && connection->outstanding == 0 && now_ms > connection->active_ms + idle)
        return "idle";
    return NULL;
}

void connection_sweep(struct connection *connection, uint64_t now_ms)
{
    const char *reason = overdue(connection, now_ms);
    if (reason == NULL)
        return;
    if (log_admits())
        log_info("connection_cut", "peer=%s reason=\"%s\" unsent=%zu", connection->peer.name,
                 reason, connection->out.len - connection->out_done);
    connection_close(connection, reason);
}

void connection_drain(struct connection *connection)
{
    if (connection->state == CONNECTION_HANDSHAKE)
        connection_close(connection, "stopping");
    else
        settle(connection);
}

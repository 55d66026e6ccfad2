/* SPDX-License-Identifier: Apache-2.0 */
/* A connection to one daemon: hello, and one exchange after the other. */
#include "rpc/client_conn.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>

#include "rpc/client_io.h"
#include "rpc/wire.h"

#define READ_AHEAD  ((size_t)16 * 1024)
#define BUFFER_KEPT ((size_t)64 * 1024) /* larger ones are given back after the call */
#define FRAME_LIMIT ((size_t)16 * 1024 * 1024)
#define BLOCK_SLACK (2 * CLOCK_MS_NS)

void client_conn_init(struct client_conn *conn)
{
    *conn = (struct client_conn){.out = BUF_INIT_MAX(FRAME_LIMIT + 64),
                                 .in = BUF_INIT_MAX(FRAME_LIMIT + 64)};
    atomic_init(&conn->fd, -1);
}

static void tls_close(struct client_conn *conn, bool polite)
{
    if (conn->ssl == NULL)
        return;
    if (!tls_library_gone()) {
        conn->deadline = 0; /* what cannot be sent at once is not sent */
        if (polite)
            (void)SSL_shutdown(conn->ssl);
        SSL_free(conn->ssl);
    }
    conn->ssl = NULL;
}

void client_conn_close(struct client_conn *conn, bool polite)
{
    tls_close(conn, polite);
    endpoint_close(&conn->fd);
    conn->node = 0;
    conn->is_reused = false;
    conn->owed = 0;
    (void)buf_resize(&conn->in, 0);
}

void client_conn_clear(struct client_conn *conn)
{
    client_conn_close(conn, true);
    buf_clear(&conn->out);
    buf_clear(&conn->in);
}

bool client_conn_is_alive(const struct client_conn *conn)
{
    uint8_t byte;
    ssize_t got = recv(conn->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    if (got > 0) /* nothing is owed: that can but be TLS's farewell */
        return conn->ssl == NULL || conn->owed > 0;
    return got < 0 && (errno == EAGAIN || errno == EINTR);
}

static void buffer_done(struct buf *buf)
{
    if (buf->cap > BUFFER_KEPT)
        buf_clear(buf);
    else
        (void)buf_resize(buf, 0); /* wipes */
}

/* A whole frame at the front of what has come. */
static enum rc read_frame(struct client_conn *conn, size_t *out_len)
{
    for (;;) {
        TRY(frame_peek(buf_bytes(&conn->in), conn->frame_max, out_len));
        if (*out_len > 0)
            return RC_OK;
        TRY(buf_reserve(&conn->in, READ_AHEAD));
        size_t got = 0;
        TRY(client_io_read(conn, conn->in.ptr + conn->in.len, conn->in.cap - conn->in.len, &got));
        conn->in.len += got;
    }
}

static enum rc drop_front(struct buf *buf, size_t len)
{
    size_t rest = buf->len - len;
    memmove(buf->ptr, buf->ptr + len, rest);
    return buf_resize(buf, rest);
}

/* Answers to requests that were given up come first, and are passed over. */
static enum rc take_answer(struct client_conn *conn, struct arena *arena, Qhsm__Response **out)
{
    uint64_t id = conn->last_id;
    for (;;) {
        size_t len = 0;
        Qhsm__Response *response = NULL;
        TRY(read_frame(conn, &len));
        struct bytes frame = bytes_slice(buf_bytes(&conn->in), 0, len);
        TRY(frame_response(arena, bytes_slice(frame, WIRE_FRAME_HEADER_LEN, len), &response));
        if (conn->owed > 0 && response->id != 0 && response->id < id) {
            conn->owed--;
            arena_reset(arena);
            TRY(drop_front(&conn->in, len));
            continue;
        }
        if (conn->in.len > len)
            return rc_fail(RC_PROTOCOL, "the HSM sent more than one answer");
        /* Id 0: the daemon could not read the request so far, and says why. */
        if (response->id != id && (response->id != 0 || response->rc == 0))
            return rc_fail(RC_PROTOCOL, "an answer to another request");
        *out = response;
        return RC_OK;
    }
}

static void set_deadline(struct client_conn *conn, instant deadline)
{
    instant left = deadline - clock_now();
    conn->deadline = deadline;
    conn->may_block = left + BLOCK_SLACK >= conn->block_ns;
}

enum rc client_conn_send(struct client_conn *conn, Qhsm__Request *request, instant deadline)
{
    instant left = deadline - clock_now();
    set_deadline(conn, deadline);
    request->deadline_ms = left > CLOCK_MS_NS ? (uint32_t)(left / CLOCK_MS_NS) : 1;
    request->id = ++conn->last_id;
    TRY(frame_put(&conn->out, &request->base, conn->frame_max));
    enum rc rc = client_io_write(conn, buf_bytes(&conn->out));
    buffer_done(&conn->out);
    if (rc != RC_OK)
        client_conn_close(conn, false);
    return rc;
}

enum rc client_conn_receive(struct client_conn *conn, instant deadline, struct arena *arena,
                            Qhsm__Response **out)
{
    if (conn->deadline != deadline)
        set_deadline(conn, deadline);
    enum rc rc = take_answer(conn, arena, out);
    buffer_done(&conn->in);
    if (rc != RC_OK)
        client_conn_close(conn, false);
    else
        conn->is_reused = true;
    return rc;
}

void client_conn_give_up(struct client_conn *conn)
{
    conn->owed++;
}

static bool has_read_ahead(const struct client_conn *conn)
{
    return conn->ssl != NULL && SSL_has_pending(conn->ssl) == 1;
}

size_t client_conn_wait(struct client_conn *const *conns, size_t count, instant until)
{
    struct pollfd fds[CLIENT_CONN_WAIT_MAX];
    for (size_t i = 0; i < count; i++) {
        if (has_read_ahead(conns[i]))
            return i;
        fds[i] = (struct pollfd){.fd = conns[i]->fd, .events = POLLIN};
    }
    for (;;) {
        instant left = until - clock_now();
        struct timespec wait = clock_timespec(left > 0 ? left : 0);
        int ready = ppoll(fds, count, &wait, NULL);
        if (ready < 0 && errno == EINTR)
            continue;
        for (size_t i = 0; i < count && ready > 0; i++)
            if (fds[i].revents != 0)
                return i;
        return count;
    }
}

enum rc client_conn_exchange(struct client_conn *conn, Qhsm__Request *request, instant deadline,
                             struct arena *arena, Qhsm__Response **out)
{
    TRY(client_conn_send(conn, request, deadline));
    return client_conn_receive(conn, deadline, arena, out);
}

static enum rc accept_hello(struct client_conn *conn, const Qhsm__Response *response)
{
    if (response->rc != 0)
        return rc_fail(rc_from_wire(response->rc), "the HSM refuses the connection: %s",
                       response->detail);
    const Qhsm__HelloReply *hello = response->hello;
    if (response->body_case != QHSM__RESPONSE__BODY_HELLO)
        return rc_fail(RC_PROTOCOL, "no hello from the HSM");
    if (hello->version < WIRE_VERSION_MIN || hello->version > WIRE_VERSION_MAX)
        return rc_fail(RC_VERSION, "the HSM (%s) speaks version %u of the protocol, we %u to %u",
                       hello->release, hello->version, WIRE_VERSION_MIN, WIRE_VERSION_MAX);
    if (hello->frame_max < WIRE_FRAME_MAX_PUBLIC || hello->node == 0)
        return rc_fail(RC_PROTOCOL, "the hello of the HSM makes no sense");
    conn->node = hello->node;
    conn->frame_max = hello->frame_max < FRAME_LIMIT ? hello->frame_max : FRAME_LIMIT;
    memset(conn->cluster, 0, sizeof conn->cluster);
    if (hello->cluster.len == sizeof conn->cluster)
        memcpy(conn->cluster, hello->cluster.data, sizeof conn->cluster);
    (void)snprintf(conn->release, sizeof conn->release, "%s", hello->release);
    return RC_OK;
}

static enum rc say_hello(struct client_conn *conn, const struct client_peer *peer,
                         struct arena *arena)
{
    Qhsm__HelloRequest hello = QHSM__HELLO_REQUEST__INIT;
    hello.version_min = WIRE_VERSION_MIN;
    hello.version_max = WIRE_VERSION_MAX;
    hello.application.data = (uint8_t *)(uintptr_t)peer->application;
    hello.application.len = 16;
    hello.client = (char *)(uintptr_t)peer->client_name;
    Qhsm__Request request = QHSM__REQUEST__INIT;
    request.body_case = QHSM__REQUEST__BODY_HELLO;
    request.hello = &hello;
    Qhsm__Response *response = NULL;
    TRY(client_conn_exchange(conn, &request, conn->deadline, arena, &response));
    conn->is_reused = false;
    return accept_hello(conn, response);
}

static enum rc open_socket(struct client_conn *conn, const struct client_peer *peer,
                           const struct endpoint *endpoint, instant deadline)
{
    struct endpoint_options options = {.deadline = deadline,
                                       .receive_ms = peer->receive_ms,
                                       .dead_ms = peer->config->connect_timeout_ms};
    TRY(endpoint_connect(endpoint, &options, &conn->fd));
    conn->deadline = deadline;
    conn->may_block = false;
    conn->block_ns = (instant)options.receive_ms * CLOCK_MS_NS;
    conn->frame_max = WIRE_FRAME_MAX_PUBLIC;
    conn->certificate_expires_s = 0;
    return peer->tls != NULL ? client_io_handshake(conn, peer->tls) : RC_OK;
}

enum rc client_conn_open(struct client_conn *conn, const struct client_peer *peer,
                         const struct endpoint *endpoint, instant deadline)
{
    struct arena *arena = NULL;
    TRY(arena_new(&arena));
    enum rc rc = open_socket(conn, peer, endpoint, deadline);
    if (rc == RC_OK)
        rc = say_hello(conn, peer, arena);
    arena_free(arena);
    if (rc != RC_OK)
        client_conn_close(conn, false);
    return rc;
}

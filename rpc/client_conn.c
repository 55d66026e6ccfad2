/* SPDX-License-Identifier: Apache-2.0 */
/* A connection to one daemon: hello, and one exchange after the other. */
#include "rpc/client_conn.h"

#include <errno.h>
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
    return got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR));
}

static void buffer_done(struct buf *buf)
{
    if (buf->cap > BUFFER_KEPT)
        buf_clear(buf);
    else
        (void)buf_resize(buf, 0); /* wipes */
}

/* One frame, no more: only one request is outstanding. */
static enum rc read_frame(struct client_conn *conn)
{
    for (;;) {
        size_t len = 0;
        TRY(frame_peek(buf_bytes(&conn->in), conn->frame_max, &len));
        if (len > 0 && len < conn->in.len)
            return rc_fail(RC_PROTOCOL, "the HSM sent more than one answer");
        if (len > 0)
            return RC_OK;
        TRY(buf_reserve(&conn->in, READ_AHEAD));
        size_t got = 0;
        TRY(client_io_read(conn, conn->in.ptr + conn->in.len, conn->in.cap - conn->in.len, &got));
        conn->in.len += got;
    }
}

static enum rc take_answer(struct client_conn *conn, uint64_t id, struct arena *arena,
                           Qhsm__Response **out)
{
    TRY(read_frame(conn));
    Qhsm__Response *response = NULL;
    TRY(frame_response(
        arena, bytes_slice(buf_bytes(&conn->in), WIRE_FRAME_HEADER_LEN, conn->in.len), &response));
    /* Id 0: the daemon could not read the request so far, and says why. */
    if (response->id != id && (response->id != 0 || response->rc == 0))
        return rc_fail(RC_PROTOCOL, "an answer to another request");
    *out = response;
    return RC_OK;
}

static void set_deadline(struct client_conn *conn, Qhsm__Request *request, instant deadline)
{
    instant left = deadline - clock_now();
    conn->deadline = deadline;
    conn->may_block = left + BLOCK_SLACK >= conn->block_ns;
    request->deadline_ms = left > CLOCK_MS_NS ? (uint32_t)(left / CLOCK_MS_NS) : 1;
}

static enum rc pack(struct client_conn *conn, Qhsm__Request *request)
{
    request->id = ++conn->last_id;
    return frame_put(&conn->out, &request->base, conn->frame_max);
}

static enum rc exchange(struct client_conn *conn, Qhsm__Request *request, struct arena *arena,
                        Qhsm__Response **out)
{
    TRY(pack(conn, request));
    enum rc rc = client_io_write(conn, buf_bytes(&conn->out));
    if (rc == RC_OK)
        rc = take_answer(conn, request->id, arena, out);
    buffer_done(&conn->out);
    buffer_done(&conn->in);
    if (rc != RC_OK)
        client_conn_close(conn, false);
    return rc;
}

enum rc client_conn_exchange(struct client_conn *conn, Qhsm__Request *request, instant deadline,
                             struct arena *arena, Qhsm__Response **out)
{
    set_deadline(conn, request, deadline);
    TRY(exchange(conn, request, arena, out));
    conn->is_reused = true;
    return RC_OK;
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
    set_deadline(conn, &request, conn->deadline);
    Qhsm__Response *response = NULL;
    TRY(exchange(conn, &request, arena, &response));
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

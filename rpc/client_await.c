/* SPDX-License-Identifier: Apache-2.0 */
/* Waiting for an answer: how long one HSM is trusted to be alive, and asking a second one
 * meanwhile. */
#include "rpc/client_call.h"

static struct call_exchange exchange_of(struct client_conn *conn)
{
    return (struct call_exchange){.conn = conn,
                                  .endpoint = conn->endpoint,
                                  .node = conn->node,
                                  .was_reused = conn->is_reused};
}

/* A stopped process keeps its connections, and the kernel takes new ones for it. So a call that
 * changes nothing and could be asked elsewhere gives one HSM its share of the time only. */
static bool is_hurried(const struct call *call, unsigned endpoint)
{
    return call_is_free(call) && call->wish.node == 0 && call_has_other(call, endpoint);
}

/* What works on a mutation may take long by right (key generation), and a part of an operation can
 * be asked of nobody else: they are waited for as long as the HSM gives a sign of life. */
static bool is_watched(const struct call *call, unsigned endpoint)
{
    if (call->wish.node != 0)
        return client_pool_has_other(&call->client->pool, endpoint, 0);
    return !call_is_free(call) && call_has_other(call, endpoint);
}

static bool gives_sign_of_life(struct call *call, const struct call_exchange *exchange)
{
    struct client_pool *pool = &call->client->pool;
    unsigned long ms = call->repeat == RPC_REPEAT_NEVER ? call->client->config->connect_timeout_ms
                                                        : call_alive_ms(call->client);
    struct client_conn *conn = client_pool_spare(pool, exchange->endpoint);
    if (conn == NULL)
        return true;
    bool alive = call_open(call, conn, ms) == RC_OK;
    client_pool_give(pool, conn);
    return alive;
}

/* RC_DEADLINE: the HSM seems to be dead. */
static enum rc watch(struct call *call, const struct call_exchange *exchange)
{
    unsigned long share = call_share_ms(call->client);
    for (;;) {
        instant until = clock_after_ms(clock_now(), share);
        if (until >= call->wish.deadline || client_conn_wait(&exchange->conn, 1, until) == 0)
            return RC_OK;
        if (!gives_sign_of_life(call, exchange) &&
            client_conn_wait(&exchange->conn, 1, clock_now()) == 1)
            return rc_fail(RC_DEADLINE, "the HSM gives no sign of life");
    }
}

static enum rc receive(struct call *call, struct call_exchange *exchange, instant deadline)
{
    return client_conn_receive(exchange->conn, deadline, call->reply.arena, &call->reply.msg);
}

static void give_back(struct call *call, struct call_exchange *exchange)
{
    client_pool_give(&call->client->pool, exchange->conn);
    exchange->conn = NULL;
}

/* ---- a second HSM */

/* Reads and signatures; not what leaves something behind at an HSM. */
static bool may_hedge(const struct call *call, unsigned endpoint)
{
    switch ((int)call->request->body_case) {
    case QHSM__REQUEST__BODY_CRYPT:
    case QHSM__REQUEST__BODY_FIND:
    case QHSM__REQUEST__BODY_FACTS:
    case QHSM__REQUEST__BODY_GET_ATTRIBUTES:
    case QHSM__REQUEST__BODY_SLOTS:
    case QHSM__REQUEST__BODY_RANDOM:
    case QHSM__REQUEST__BODY_KEYSTORE_ENCRYPT:
    case QHSM__REQUEST__BODY_KEYSTORE_DECRYPT:
    case QHSM__REQUEST__BODY_KEYSTORE_REENCRYPT:
    case QHSM__REQUEST__BODY_KEYSTORE_SIGN:
    case QHSM__REQUEST__BODY_KEYSTORE_VERIFY:
    case QHSM__REQUEST__BODY_KEYSTORE_AGREE:
        return call->client->config->hedge_ms > 0 && is_hurried(call, endpoint);
    default:
        return false;
    }
}

/* Asks an HSM that is well too; false when there is none. */
static bool send_second(struct call *call, const struct call_exchange *first, instant deadline,
                        struct call_exchange *out)
{
    struct client_pool *pool = &call->client->pool;
    struct pool_wish wish = {.tried = call->wish.tried | client_pool_same(pool, first->endpoint),
                             .only_well = true,
                             .deadline = clock_now()};
    struct client_conn *conn = NULL;
    if (client_pool_take(pool, &wish, &conn) != RC_OK)
        return false;
    unsigned endpoint = conn->endpoint;
    enum rc rc = RC_OK;
    if (atomic_load(&conn->fd) < 0)
        rc = call_open(call, conn, call_probe_ms(call->client));
    bool other = rc == RC_OK && conn->node != first->node;
    if (other) {
        *out = exchange_of(conn);
        rc = client_conn_send(conn, call->request, deadline);
    }
    if (rc != RC_OK)
        (void)client_pool_failed(pool, endpoint, rc);
    if (other && rc == RC_OK)
        return true;
    client_pool_give(pool, conn);
    return false;
}

/* The answer of one of two that another HSM might better: that one is done with. */
static bool is_good(const struct call *call)
{
    enum rc rc = rc_from_wire(call->reply.msg->rc);
    return rc != RC_SESSION_OBJECT_LOST && !call_is_refused(call);
}

/* Out of the race: the other one may still win. */
static enum rc drop_out(struct call *call, struct call_exchange *exchange, enum rc rc)
{
    give_back(call, exchange);
    if (rc != RC_OK) {
        call_endpoint_failed(call, exchange->endpoint, rc);
        return RC_OK;
    }
    if (call_is_refused(call))
        return call_keep_refusal(call, exchange->endpoint);
    call->reply.msg = NULL;
    arena_reset(call->reply.arena);
    return RC_OK;
}

/* The first good answer wins. racers[0] was asked first. */
static enum rc race(struct call *call, struct call_exchange racers[2], instant deadline,
                    struct call_exchange *out)
{
    struct client_conn *const conns[] = {racers[0].conn, racers[1].conn};
    size_t winner = client_conn_wait(conns, 2, deadline);
    size_t first = winner == 2 ? 0 : winner;
    struct call_exchange *ahead = &racers[first];
    struct call_exchange *behind = &racers[1 - first];
    enum rc rc = receive(call, ahead, deadline);
    if (rc == RC_OK && is_good(call)) {
        client_conn_give_up(behind->conn);
        if (first == 1)
            client_pool_slow(&call->client->pool, behind->endpoint);
        give_back(call, behind);
        *out = *ahead;
        return RC_OK;
    }
    rc = drop_out(call, ahead, rc);
    *out = *behind;
    return rc == RC_OK ? receive(call, out, deadline) : rc;
}

static enum rc hedged(struct call *call, struct call_exchange *exchange, instant deadline)
{
    instant patience = clock_after_ms(clock_now(), call->client->config->hedge_ms);
    struct call_exchange racers[2] = {*exchange};
    if (patience >= deadline || client_conn_wait(&exchange->conn, 1, patience) == 0 ||
        !send_second(call, exchange, deadline, &racers[1]))
        return receive(call, exchange, deadline);
    return race(call, racers, deadline, exchange);
}

/* ---- */

static enum rc await(struct call *call, struct call_exchange *exchange, instant deadline)
{
    if (may_hedge(call, exchange->endpoint))
        return hedged(call, exchange, deadline);
    if (is_watched(call, exchange->endpoint)) {
        enum rc rc = watch(call, exchange);
        if (rc != RC_OK) {
            client_conn_close(exchange->conn, false);
            return rc;
        }
    }
    return receive(call, exchange, deadline);
}

enum rc call_exchange(struct call *call, struct call_exchange *exchange)
{
    instant deadline = call->wish.deadline;
    *exchange = exchange_of(exchange->conn);
    /* One that was in trouble is trusted less. */
    unsigned long share = call_share_ms(call->client) / (call->wish.is_probe ? 3 : 1);
    if (is_hurried(call, exchange->endpoint))
        deadline = clock_earlier(deadline, clock_after_ms(clock_now(), share));
    enum rc rc = client_conn_send(exchange->conn, call->request, deadline);
    if (rc == RC_OK)
        rc = await(call, exchange, deadline);
    give_back(call, exchange);
    return rc;
}

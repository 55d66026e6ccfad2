/* SPDX-License-Identifier: Apache-2.0 */
/* Calls: take a connection, exchange, and when that fails decide whether to repeat it elsewhere. */
#include "rpc/client_call.h"

#define CONNECT_USUAL_MS 2000UL
#define RESTART_PAUSE_MS 50UL
#define UNKNOWN_PAUSE_MS 100UL
#define BREAKS_MAX       4U /* a request that kills every daemon is not carried on for ever */

bool call_is_free(const struct call *call)
{
    return call->repeat == RPC_REPEAT_SAFE && call->request->sequence == 0;
}

unsigned long call_share_ms(const struct rpc_client *client)
{
    unsigned long third = client->config->call_timeout_ms / 3;
    unsigned long own = client->config->attempt_timeout_ms;
    return own > 0 && own < third ? own : third;
}

bool call_has_other(const struct call *call, unsigned endpoint)
{
    return client_pool_has_other(&call->client->pool, endpoint, call->wish.tried);
}

/* A part of the time to connect: where that was raised, for a slow link, the part is longer too. */
static unsigned long connect_part_ms(const struct rpc_client *client, unsigned part)
{
    unsigned long whole = client->config->connect_timeout_ms;
    unsigned long ms = (whole > CONNECT_USUAL_MS ? whole : CONNECT_USUAL_MS) / part;
    return ms < whole ? ms : whole;
}

unsigned long call_probe_ms(const struct rpc_client *client)
{
    unsigned long part = connect_part_ms(client, 10);
    unsigned long share = call_share_ms(client);
    return part < share ? part : share;
}

unsigned long call_alive_ms(const struct rpc_client *client)
{
    return connect_part_ms(client, 4);
}

enum rc call_open(struct call *call, struct client_conn *conn, unsigned long ms)
{
    struct rpc_client *client = call->client;
    struct client_peer peer = {.config = client->config,
                               .client_name = client->name,
                               .application = client->application,
                               .receive_ms = client->pool.endpoint_count > 1
                                                 ? call_share_ms(client)
                                                 : client->config->call_timeout_ms};
    const struct endpoint *endpoint = &client->pool.endpoints[conn->endpoint].endpoint;
    if (endpoint->is_tcp)
        TRY(rpc_client_tls(client, &peer.tls));
    instant deadline = clock_earlier(call->wish.deadline, clock_after_ms(clock_now(), ms));
    TRY(client_conn_open(conn, &peer, endpoint, deadline));
    client_pool_connected(&client->pool, conn);
    rpc_client_met(client, conn);
    atomic_store_explicit(&client->has_connected, true, memory_order_relaxed);
    return RC_OK;
}

static unsigned long connect_ms(const struct call *call, unsigned endpoint)
{
    if (call->wish.is_probe)
        return call_probe_ms(call->client);
    unsigned long ms = call->client->config->connect_timeout_ms;
    unsigned long share = call_share_ms(call->client);
    bool hurry = call->wish.node == 0 && ms > share && call_has_other(call, endpoint);
    return hurry ? share : ms;
}

void call_endpoint_failed(struct call *call, unsigned endpoint, enum rc rc)
{
    call->wish.tried |= client_pool_failed(&call->client->pool, endpoint, rc);
}

/* Makes conn ready to carry the call; false: it was given back, look for another. */
static bool prepare(struct call *call, struct client_conn *conn)
{
    struct client_pool *pool = &call->client->pool;
    unsigned endpoint = conn->endpoint;
    bool ready = true;
    if (atomic_load(&conn->fd) < 0) {
        enum rc rc = call_open(call, conn, connect_ms(call, endpoint));
        ready = rc == RC_OK;
        if (!ready)
            call_endpoint_failed(call, endpoint, rc);
    } else if ((!call_is_free(call) || call->breaks > 0) && !client_conn_is_alive(conn)) {
        /* Found out before anything is sent: nothing is lost, no outcome is in doubt, and it is no
         * break. After the first one of any call, since HSMs that were restarted since leave a
         * stale connection each. */
        client_conn_close(conn, false);
        client_pool_flush(pool, endpoint);
        ready = false;
    }
    if (ready && call->wish.node != 0 && conn->node != call->wish.node) {
        call->wish.tried |= (uint64_t)1 << endpoint;
        ready = false;
    }
    if (!ready)
        client_pool_give(pool, conn);
    return ready;
}

/* Sleeps, if the deadline leaves time for it and for another try. */
static bool pause_for(const struct call *call, unsigned long ms)
{
    instant until = clock_after_ms(clock_now(), ms);
    if (until >= call->wish.deadline)
        return false;
    struct timespec at = clock_timespec(until);
    (void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
    return true;
}

/* With an answer at hand that another HSM might have bettered: is it worth waiting for one? What is
 * the matter of the whole cluster is told at once. */
static bool is_passing(const struct call *call)
{
    if (call->refusal.msg == NULL)
        return true;
    enum rc rc = rc_from_wire(call->refusal.msg->rc);
    return rc == RC_UNAVAILABLE || rc == RC_DRAINING || rc == RC_DEADLINE;
}

/* A daemon that restarts is waited for, if there ever was one: half of the call's time. All of it
 * for a login, which libp11 tries but once in a child of fork, and would find no key ever after. */
static bool may_wait(struct call *call)
{
    const struct rpc_client *client = call->client;
    bool is_login = call->request->body_case == QHSM__REQUEST__BODY_LOGIN;
    instant half = clock_after_ms(call->started, client->config->call_timeout_ms / 2);
    instant patience = is_login ? call->wish.deadline : half;
    bool lost = call->repeat == RPC_REPEAT_NEVER && call->wish.node != 0;
    return !lost && call->repeat != RPC_REPEAT_FAREWELL && !client->config->is_hasty &&
           client->has_connected && clock_now() < patience && pause_for(call, RESTART_PAUSE_MS);
}

/* No endpoint is left to try. */
static enum rc exhausted(struct call *call, enum rc rc, bool *out_again)
{
    bool alone = call->wish.node != 0 || call->client->pool.endpoint_count == 1;
    bool refused = call->refusal.msg != NULL;
    bool may_pass = refused ? !alone && is_passing(call) : rc == RC_UNAVAILABLE;
    if (may_pass && may_wait(call)) {
        call->wish.tried = 0;
        *out_again = true;
        return rc;
    }
    if (refused) {
        struct rpc_reply spare = call->reply;
        call->reply = call->refusal;
        call->refusal = spare;
        return RC_OK;
    }
    bool lost = call->repeat == RPC_REPEAT_NEVER && call->wish.node != 0;
    return lost ? RC_OPERATION_LOST : rc;
}

/* A mutation was sent, or answered that nobody knows. */
static void note_doubt(struct call *call)
{
    call->is_doubtful = call->repeat == RPC_REPEAT_SAFE && call->request->sequence != 0;
}

static enum rc broken(struct call *call, const struct call_exchange *exchange, enum rc rc,
                      bool *out_again)
{
    bool is_slow = rc == RC_DEADLINE;
    note_doubt(call);
    bool is_broken =
        rc == RC_UNAVAILABLE || rc == RC_TLS || (is_slow && clock_now() < call->wish.deadline);
    if (is_slow && !is_broken)
        (void)client_pool_failed(&call->client->pool, exchange->endpoint, rc);
    if (!is_broken)
        return rc;
    if (exchange->was_reused && !is_slow) /* its daemon restarted: the other idle ones are stale */
        client_pool_flush(&call->client->pool, exchange->endpoint);
    else
        call_endpoint_failed(call, exchange->endpoint, rc);
    if (call->repeat == RPC_REPEAT_NEVER)
        return RC_OPERATION_LOST;
    *out_again = ++call->breaks < BREAKS_MAX;
    return rc;
}

/* Another HSM may be able to do what this one is not. */
static bool is_local_trouble(enum rc rc)
{
    return rc == RC_UNAVAILABLE || rc == RC_SEALED || rc == RC_NO_QUORUM || rc == RC_OVERLOADED ||
           rc == RC_DEADLINE || rc == RC_DRAINING || rc == RC_NO_LEADER || rc == RC_ZEROIZED ||
           rc == RC_DISK;
}

bool call_is_refused(const struct call *call)
{
    return is_local_trouble(rc_from_wire(call->reply.msg->rc)) && call->wish.node == 0 &&
           call->client->pool.endpoint_count > 1;
}

enum rc call_keep_refusal(struct call *call, unsigned endpoint)
{
    const Qhsm__Response *response = call->reply.msg;
    enum rc rc = rc_from_wire(response->rc);
    call->wish.tried |=
        client_pool_refused(&call->client->pool, endpoint, rc_fail(rc, "%s", response->detail));
    rpc_reply_clear(call->client, &call->refusal);
    call->refusal = call->reply;
    call->reply = (struct rpc_reply){.msg = NULL};
    return client_pool_arena_take(&call->client->pool, &call->reply.arena);
}

/* Another mutation may be asked again as often as time allows, since its number tells that it is
 * the same; but each login counts as a try of the PIN. */
static bool may_ask_again(struct call *call)
{
    bool counts = call->request->body_case == QHSM__REQUEST__BODY_LOGIN;
    return (!counts || ++call->breaks < BREAKS_MAX) && pause_for(call, UNKNOWN_PAUSE_MS);
}

/* Looks at an answer: is it the call's result, or is there more to try? */
static enum rc judge(struct call *call, unsigned endpoint, bool *out_again)
{
    enum rc rc = rc_from_wire(call->reply.msg->rc);
    if (call->repeat == RPC_REPEAT_NEVER)
        return RC_OK;
    if (rc == RC_OUTCOME_UNKNOWN && call->request->sequence != 0) {
        note_doubt(call);
        *out_again = may_ask_again(call);
    } else if (rc != RC_OK && call_is_refused(call)) {
        *out_again = true;
        return call_keep_refusal(call, endpoint);
    } else if (!is_local_trouble(rc)) {
        client_pool_succeeded(&call->client->pool, endpoint);
    }
    return RC_OK;
}

static enum rc attempt(struct call *call, bool *out_again)
{
    struct rpc_client *client = call->client;
    struct client_conn *conn = NULL;
    *out_again = false;
    enum rc rc = client_pool_take(&client->pool, &call->wish, &conn);
    if (rc != RC_OK)
        return rc == RC_DEADLINE ? rc : exhausted(call, rc, out_again);
    if (!prepare(call, conn)) {
        *out_again = clock_now() < call->wish.deadline;
        return rc_fail(RC_DEADLINE, "no HSM was reached in time");
    }
    call->request->seen_index = rpc_seen_index(client);
    if (call->reply.msg != NULL) {
        call->reply.msg = NULL;
        arena_reset(call->reply.arena);
    }
    struct call_exchange exchange = {.conn = conn};
    rc = call_exchange(call, &exchange);
    call->answered_by = exchange.node;
    return rc == RC_OK ? judge(call, exchange.endpoint, out_again)
                       : broken(call, &exchange, rc, out_again);
}

/* A refusal by one HSM, or none that is reached any more, does not tell what became of an attempt
 * before. The answer of the cluster as a whole does. */
static enum rc settle_doubt(const struct call *call, enum rc rc)
{
    const char *detail = "";
    enum rc last = rc;
    if (rc == RC_OK) {
        last = rc_from_wire(call->reply.msg->rc);
        detail = call->reply.msg->detail;
        if (!is_local_trouble(last))
            return RC_OK;
    }
    return rc_fail(RC_OUTCOME_UNKNOWN, "an HSM was lost before it answered, and then: %s",
                   detail[0] != 0 ? detail : rc_info(last)->text);
}

enum rc call_run(struct call *call)
{
    bool again = true;
    enum rc rc = RC_OK;
    call->wish.may_probe = call->repeat == RPC_REPEAT_SAFE && call->wish.node == 0;
    while (again)
        rc = attempt(call, &again);
    return call->is_doubtful ? settle_doubt(call, rc) : rc;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Calls: take a connection, exchange, and when that fails decide whether to repeat it elsewhere. */
#include "rpc/client.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "rpc/client_pool.h"

#define PROBE_MS         100UL /* for an endpoint that failed, while another one answers */
#define RESTART_PAUSE_MS 50UL
#define UNKNOWN_PAUSE_MS 100UL
#define BREAKS_MAX       4U /* a request that kills every daemon is not carried on for ever */

struct rpc_client {
    const struct client_config *config;
    char *name;
    uint8_t application[16];
    _Atomic(struct client_tls *) tls; /* made for the first tcp endpoint */
    atomic_uint_fast64_t sequence;
    atomic_uint_fast64_t seen_index;
    atomic_bool has_connected;
    struct client_pool pool;
    struct rpc_client *next_abandoned;
};

/* One call on its way. */
struct call {
    struct rpc_client *client;
    Qhsm__Request *request;
    enum rpc_repeat repeat;
    instant started;
    struct pool_wish wish;
    unsigned breaks;
    uint64_t answered_by;
    struct rpc_reply reply;   /* memory for the next answer */
    struct rpc_reply refusal; /* an answer that another HSM might better */
};

static _Atomic(struct rpc_client *) abandoned;

enum rc rpc_client_new(const struct client_config *config, const char *client_name,
                       const uint8_t application[16], struct rpc_client **out)
{
    struct rpc_client *client = calloc(1, sizeof *client);
    if (client == NULL)
        return RC_NO_MEMORY;
    client->config = config;
    client->name = strdup(client_name);
    memcpy(client->application, application, sizeof client->application);
    enum rc rc = client->name == NULL ? RC_NO_MEMORY : client_pool_init(&client->pool, config);
    if (rc != RC_OK) {
        free(client->name);
        free(client);
        return rc;
    }
    *out = client;
    return RC_OK;
}

void rpc_client_free(struct rpc_client *client)
{
    if (client == NULL)
        return;
    client_pool_clear(&client->pool);
    client_tls_free(client->tls);
    free(client->name);
    free(client);
}

void rpc_client_abandon(struct rpc_client *client)
{
    if (client == NULL)
        return;
    client_pool_abandon(&client->pool);
    client->next_abandoned = atomic_load(&abandoned);
    while (!atomic_compare_exchange_weak(&abandoned, &client->next_abandoned, client))
        continue;
}

uint64_t rpc_sequence(struct rpc_client *client)
{
    return atomic_fetch_add_explicit(&client->sequence, 1, memory_order_relaxed) + 1;
}

uint64_t rpc_seen_index(const struct rpc_client *client)
{
    return atomic_load_explicit(&client->seen_index, memory_order_relaxed);
}

static void note_index(struct rpc_client *client, uint64_t index)
{
    uint_fast64_t seen = rpc_seen_index(client);
    while (index > seen && !atomic_compare_exchange_weak(&client->seen_index, &seen, index))
        continue;
}

void rpc_reply_clear(struct rpc_client *client, struct rpc_reply *reply)
{
    if (reply->arena != NULL)
        client_pool_arena_give(&client->pool, reply->arena);
    *reply = (struct rpc_reply){.msg = NULL};
}

/* Two threads may both make one; no lock may be held meanwhile (rpc/tls.h), so the second is thrown
 * away. */
static enum rc client_tls_of(struct rpc_client *client, struct client_tls **out)
{
    struct client_tls *have = atomic_load(&client->tls);
    if (have == NULL) {
        struct client_tls *made = NULL;
        TRY(client_tls_new(client->config, &made));
        if (atomic_compare_exchange_strong(&client->tls, &have, made))
            have = made;
        else
            client_tls_free(made);
    }
    *out = have;
    return RC_OK;
}

/* With others to ask, one HSM that does not answer is given a third of the time. */
static unsigned long usual_ms(const struct rpc_client *client)
{
    unsigned long ms = client->config->call_timeout_ms;
    return client->pool.endpoint_count > 1 ? ms / 3 : ms;
}

/* A mutation may take long by right (key generation), so only the rest is hurried on. */
static instant attempt_deadline(const struct call *call)
{
    const struct rpc_client *client = call->client;
    size_t tried = (size_t)__builtin_popcountll(call->wish.tried);
    bool is_free = call->repeat == RPC_REPEAT_SAFE && call->request->sequence == 0 &&
                   call->wish.node == 0 && tried + 1 < client->pool.endpoint_count;
    if (!is_free)
        return call->wish.deadline;
    return clock_earlier(call->wish.deadline, clock_after_ms(clock_now(), usual_ms(client)));
}

static enum rc open_conn(struct call *call, struct client_conn *conn)
{
    struct rpc_client *client = call->client;
    struct client_peer peer = {
        .config = client->config, .client_name = client->name, .application = client->application};
    const struct endpoint *endpoint = &client->pool.endpoints[conn->endpoint].endpoint;
    unsigned long ms = client->config->connect_timeout_ms;
    if (call->wish.is_probe && ms > PROBE_MS)
        ms = PROBE_MS;
    if (endpoint->is_tcp)
        TRY(client_tls_of(client, &peer.tls));
    instant deadline = clock_earlier(call->wish.deadline, clock_after_ms(clock_now(), ms));
    TRY(client_conn_open(conn, &peer, endpoint, deadline));
    client_pool_succeeded(&client->pool, conn);
    atomic_store_explicit(&client->has_connected, true, memory_order_relaxed);
    return RC_OK;
}

static void endpoint_failed(struct call *call, unsigned endpoint, enum rc rc)
{
    client_pool_failed(&call->client->pool, endpoint, rc);
    call->wish.tried |= (uint64_t)1 << endpoint;
}

/* Makes conn ready to carry the call; false: it was given back, look for another. */
static bool prepare(struct call *call, struct client_conn *conn)
{
    struct client_pool *pool = &call->client->pool;
    unsigned endpoint = conn->endpoint;
    bool ready = true;
    if (atomic_load(&conn->fd) < 0) {
        enum rc rc = open_conn(call, conn);
        ready = rc == RC_OK;
        if (!ready)
            endpoint_failed(call, endpoint, rc);
    } else if (call->repeat == RPC_REPEAT_NEVER && !client_conn_is_alive(conn)) {
        /* Found out before anything is sent: nothing is lost. */
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

/* No endpoint is left to try. A daemon that restarts is waited for, if there ever was one. */
static enum rc exhausted(struct call *call, enum rc rc, bool *out_again)
{
    const struct rpc_client *client = call->client;
    if (call->refusal.msg != NULL) {
        struct rpc_reply spare = call->reply;
        call->reply = call->refusal;
        call->refusal = spare;
        return RC_OK;
    }
    bool lost = call->repeat == RPC_REPEAT_NEVER && call->wish.node != 0;
    instant patience = clock_after_ms(call->started, client->config->connect_timeout_ms);
    bool may_wait = !lost && call->repeat != RPC_REPEAT_FAREWELL && client->has_connected;
    if (rc == RC_UNAVAILABLE && may_wait && clock_now() < patience &&
        pause_for(call, RESTART_PAUSE_MS)) {
        call->wish.tried = 0;
        *out_again = true;
    }
    return lost ? RC_OPERATION_LOST : rc;
}

static enum rc broken(struct call *call, unsigned endpoint, bool was_reused, enum rc rc,
                      bool *out_again)
{
    bool is_slow = rc == RC_DEADLINE;
    bool is_broken =
        rc == RC_UNAVAILABLE || rc == RC_TLS || (is_slow && clock_now() < call->wish.deadline);
    if (is_slow && !is_broken)
        client_pool_failed(&call->client->pool, endpoint, rc);
    if (!is_broken)
        return rc;
    if (was_reused && !is_slow) /* its daemon restarted, so the other idle ones are stale too */
        client_pool_flush(&call->client->pool, endpoint);
    else
        endpoint_failed(call, endpoint, rc);
    if (call->repeat == RPC_REPEAT_NEVER)
        return RC_OPERATION_LOST;
    *out_again = ++call->breaks < BREAKS_MAX;
    return rc;
}

/* Another HSM may be able to do what this one is not. */
static bool is_local_trouble(enum rc rc)
{
    return rc == RC_UNAVAILABLE || rc == RC_SEALED || rc == RC_NO_QUORUM || rc == RC_OVERLOADED ||
           rc == RC_DEADLINE;
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
    struct client_pool *pool = &call->client->pool;
    const Qhsm__Response *response = call->reply.msg;
    enum rc rc = rc_from_wire(response->rc);
    if (rc == RC_OK || call->repeat == RPC_REPEAT_NEVER)
        return RC_OK;
    if (rc == RC_OUTCOME_UNKNOWN && call->request->sequence != 0) {
        *out_again = may_ask_again(call);
    } else if (is_local_trouble(rc) && call->wish.node == 0 && pool->endpoint_count > 1) {
        endpoint_failed(call, endpoint, rc_fail(rc, "%s", response->detail));
        rpc_reply_clear(call->client, &call->refusal);
        call->refusal = call->reply;
        call->reply = (struct rpc_reply){.msg = NULL};
        TRY(client_pool_arena_take(pool, &call->reply.arena));
        *out_again = true;
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
    unsigned endpoint = conn->endpoint;
    bool was_reused = conn->is_reused;
    call->answered_by = conn->node;
    call->request->seen_index = rpc_seen_index(client);
    if (call->reply.msg != NULL) {
        call->reply.msg = NULL;
        arena_reset(call->reply.arena);
    }
    rc = client_conn_exchange(conn, call->request, attempt_deadline(call), call->reply.arena,
                              &call->reply.msg);
    client_pool_give(&client->pool, conn);
    return rc == RC_OK ? judge(call, endpoint, out_again)
                       : broken(call, endpoint, was_reused, rc, out_again);
}

static enum rc answer_rc(struct rpc_client *client, const Qhsm__Response *response)
{
    note_index(client, response->applied_index);
    enum rc rc = rc_from_wire(response->rc);
    if (rc == RC_OK || response->detail[0] == 0) {
        rc_detail_clear();
        return rc;
    }
    return rc_fail(rc, "%s", response->detail);
}

enum rc rpc_call_pinned(struct rpc_client *client, Qhsm__Request *request, enum rpc_repeat repeat,
                        uint64_t *pin, struct rpc_reply *out)
{
    instant now = clock_now();
    struct call call = {
        .client = client,
        .request = request,
        .repeat = repeat,
        .started = now,
        .wish = {.node = *pin, .deadline = clock_after_ms(now, client->config->call_timeout_ms)}};
    *out = (struct rpc_reply){.msg = NULL};
    TRY(client_pool_arena_take(&client->pool, &call.reply.arena));
    bool again = true;
    enum rc rc = RC_OK;
    while (again)
        rc = attempt(&call, &again);
    rpc_reply_clear(client, &call.refusal);
    if (rc != RC_OK) {
        rpc_reply_clear(client, &call.reply);
        return rc;
    }
    *pin = call.answered_by;
    *out = call.reply;
    return answer_rc(client, out->msg);
}

enum rc rpc_call(struct rpc_client *client, Qhsm__Request *request, enum rpc_repeat repeat,
                 struct rpc_reply *out)
{
    uint64_t any = 0;
    return rpc_call_pinned(client, request, repeat, &any, out);
}

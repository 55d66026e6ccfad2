/* SPDX-License-Identifier: Apache-2.0 */
/* The client: what all of its calls share. */
#include "rpc/client.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "rpc/client_call.h"

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

void rpc_client_keep(struct rpc_client *client, uint64_t node)
{
    struct client_pool *pool = &client->pool;
    for (unsigned i = 0; i < pool->endpoint_count; i++)
        if (node == 0 || atomic_load(&pool->endpoints[i].node) != node)
            client_pool_flush(pool, i);
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
enum rc rpc_client_tls(struct rpc_client *client, struct client_tls **out)
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

static bool is_known(const uint8_t cluster[16])
{
    static const uint8_t unknown[16];
    return !bytes_equal(bytes_of(cluster, 16), bytes_of(unknown, 16));
}

/* A cluster that was restored from a backup, or made anew, counts from the beginning: it would
 * never get to where the old one was. */
void rpc_client_met(struct rpc_client *client, const struct client_conn *conn)
{
    if (!is_known(conn->cluster))
        return;
    (void)pthread_mutex_lock(&client->pool.mutex);
    if (!bytes_equal(bytes_of(client->cluster, 16), bytes_of(conn->cluster, 16))) {
        if (is_known(client->cluster))
            atomic_store(&client->seen_index, 0);
        memcpy(client->cluster, conn->cluster, sizeof client->cluster);
    }
    (void)pthread_mutex_unlock(&client->pool.mutex);
}

void rpc_client_seen(const struct rpc_client *client, struct rpc_seen *out)
{
    out->index = rpc_seen_index(client);
    memcpy(out->cluster, client->cluster, sizeof out->cluster);
}

void rpc_client_see(struct rpc_client *client, const struct rpc_seen *seen)
{
    note_index(client, seen->index);
    memcpy(client->cluster, seen->cluster, sizeof client->cluster);
}

void rpc_client_learn(struct rpc_client *client, const struct rpc_client *from)
{
    struct rpc_seen seen;
    rpc_client_seen(from, &seen);
    rpc_client_see(client, &seen);
    client_pool_learn(&client->pool, &from->pool);
    atomic_store(&client->has_connected, atomic_load(&from->has_connected));
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
    enum rc rc = call_run(&call);
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

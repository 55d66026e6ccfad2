/* SPDX-License-Identifier: Apache-2.0 */
/* The callers' side of consensus: a queue of proposals, made into log entries by as many as wait.
 */
#include "cluster/consensus.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cluster/consensus_internal.h"
#include "common/log.h"

#define WAITING_MAX   4096U
#define BATCH_LEN_MAX ((size_t)64 * 1024)
/* Entries of ours in the engine at a time: fewer make larger batches, more hide a round trip. */
#define NO_ROOM_MS    300U
#define IN_FLIGHT_MAX 4U
#define AUDIT_EVERY   1000U

static void list_init(struct proposal_list *list)
{
    *list = (struct proposal_list){.first = NULL, .last = &list->first, .count = 0};
}

static void list_push(struct proposal_list *list, struct proposal *proposal)
{
    proposal->next = NULL;
    *list->last = proposal;
    list->last = &proposal->next;
    list->count++;
}

static struct proposal *list_pop(struct proposal_list *list)
{
    struct proposal *proposal = list->first;
    if (proposal == NULL)
        return NULL;
    list->first = proposal->next;
    if (list->first == NULL)
        list->last = &list->first;
    list->count--;
    return proposal;
}

static void proposal_finish(struct proposal *proposal, enum rc rc)
{
    if (rc != RC_OK)
        proposal->result = (struct effect_result){.rc = rc};
    proposal->done(proposal->context, rc, &proposal->result, proposal->index);
    buf_clear(&proposal->effect);
    free(proposal);
}

/* ---- start and stop */

static void consensus_free(struct consensus *consensus)
{
    peer_transport_free(consensus->peer_transport);
    SSL_CTX_free(consensus->peers.server);
    SSL_CTX_free(consensus->peers.client);
    free(consensus->waits.items);
    (void)pthread_mutex_destroy(&consensus->waits.lock);
    (void)pthread_cond_destroy(&consensus->changed);
    (void)pthread_mutex_destroy(&consensus->lock);
    free(consensus->dir);
    free(consensus->listen);
    free(consensus->address);
    free(consensus);
}

static char *copy_or_null(const char *text)
{
    return text != NULL ? strdup(text) : NULL;
}

static enum rc copy_peers(struct consensus *consensus, const struct consensus_peers *peers)
{
    if (peers == NULL)
        return RC_OK;
    consensus->peers = *peers;
    (void)SSL_CTX_up_ref(peers->server);
    (void)SSL_CTX_up_ref(peers->client);
    consensus->listen = copy_or_null(peers->listen);
    consensus->address = copy_or_null(peers->address != NULL ? peers->address : peers->listen);
    if (consensus->listen == NULL || consensus->address == NULL)
        return RC_NO_MEMORY;
    if (strlen(consensus->address) > PEER_ADDRESS_MAX)
        return rc_fail(RC_CONFIG, "a peer's address has at most %u characters", PEER_ADDRESS_MAX);
    return RC_OK;
}

static enum rc consensus_new(const struct consensus_config *config, const struct seal_keys *keys,
                             struct state *state, struct consensus **out)
{
    struct consensus *consensus = calloc(1, sizeof *consensus);
    if (consensus == NULL)
        return RC_NO_MEMORY;
    consensus->config = *config;
    consensus->dir = strdup(config->dir);
    consensus->keys = keys;
    consensus->state = state;
    consensus->mark.fd = -1;
    consensus->audit.every = config->audit_every > 0 ? config->audit_every : AUDIT_EVERY;
    consensus->status.role = "follower";
    consensus->status.membership = "none";
    list_init(&consensus->waiting);
    consensus->in_flight_last = &consensus->in_flight;
    (void)pthread_mutex_init(&consensus->lock, NULL);
    (void)pthread_mutex_init(&consensus->waits.lock, NULL);
    (void)pthread_cond_init(&consensus->changed, NULL);
    consensus->phase = ENGINE_STARTING;
    enum rc rc = consensus->dir != NULL ? copy_peers(consensus, config->peers) : RC_NO_MEMORY;
    if (rc != RC_OK) {
        consensus_free(consensus);
        return rc;
    }
    *out = consensus;
    return RC_OK;
}

enum rc consensus_start(const struct consensus_config *config, const struct seal_keys *keys,
                        struct state *state, struct consensus **out)
{
    struct consensus *consensus = NULL;
    TRY(consensus_new(config, keys, state, &consensus));
    int error = pthread_create(&consensus->thread, NULL, engine_run, consensus);
    if (error != 0) {
        consensus_free(consensus);
        return rc_fail(RC_NO_MEMORY, "thread of consensus: %s", strerror(error));
    }
    (void)pthread_mutex_lock(&consensus->lock);
    while (consensus->phase == ENGINE_STARTING)
        (void)pthread_cond_wait(&consensus->changed, &consensus->lock);
    enum engine_phase phase = consensus->phase;
    (void)pthread_mutex_unlock(&consensus->lock);
    if (phase == ENGINE_RUNNING) {
        *out = consensus;
        return RC_OK;
    }
    enum rc rc = rc_fail(consensus->failure, "%s", consensus->failure_detail);
    consensus_stop(consensus);
    return rc;
}

void consensus_end(struct consensus *consensus)
{
    if (consensus == NULL || consensus->is_joined)
        return;
    (void)pthread_mutex_lock(&consensus->lock);
    consensus->stopping = true;
    if (consensus->phase == ENGINE_RUNNING)
        (void)uv_async_send(&consensus->wake);
    (void)pthread_mutex_unlock(&consensus->lock);
    (void)pthread_join(consensus->thread, NULL);
    consensus->is_joined = true;
}

void consensus_stop(struct consensus *consensus)
{
    if (consensus == NULL)
        return;
    consensus_end(consensus);
    consensus_free(consensus);
}

void consensus_status(struct consensus *consensus, struct consensus_status *out)
{
    (void)pthread_mutex_lock(&consensus->lock);
    *out = consensus->status;
    (void)pthread_mutex_unlock(&consensus->lock);
    out->silence_ms = consensus_leader_silence_ms(consensus);
    out->loop_max_us = atomic_load_explicit(&consensus->watch.max_us, memory_order_relaxed);
    out->loop_slow_count = atomic_load_explicit(&consensus->watch.slow_count, memory_order_relaxed);
}

/* ---- proposing: any thread */

enum rc consensus_check_running(const struct consensus *consensus)
{
    if (consensus->stopping || consensus->phase != ENGINE_RUNNING)
        return rc_fail(RC_UNAVAILABLE, "the HSM is stopping");
    return RC_OK;
}

static enum rc enqueue(struct consensus *consensus, struct proposal *proposal)
{
    (void)pthread_mutex_lock(&consensus->lock);
    enum rc rc = consensus_check_running(consensus);
    if (rc == RC_OK && consensus->waiting.count >= WAITING_MAX)
        rc = rc_fail(RC_OVERLOADED, "%u changes wait for the disk already", WAITING_MAX);
    if (rc == RC_OK) {
        if (consensus->waiting.count == 0)
            (void)uv_async_send(&consensus->wake);
        list_push(&consensus->waiting, proposal);
    }
    (void)pthread_mutex_unlock(&consensus->lock);
    return rc;
}

enum rc consensus_propose(struct consensus *consensus, struct buf *effect, consensus_done done,
                          void *context)
{
    if (effect->len + ENTRY_OVERHEAD_MAX > ENTRY_LEN_MAX)
        return rc_fail(RC_TOO_LARGE, "an object of %zu bytes, limit %zu", effect->len,
                       ENTRY_LEN_MAX - ENTRY_OVERHEAD_MAX);
    struct proposal *proposal = calloc(1, sizeof *proposal);
    if (proposal == NULL)
        return RC_NO_MEMORY;
    proposal->effect = buf_take(effect);
    proposal->done = done;
    proposal->context = context;
    enum rc rc = enqueue(consensus, proposal);
    if (rc != RC_OK) {
        buf_clear(&proposal->effect);
        free(proposal);
    }
    return rc;
}

/* ---- batches: the consensus thread */

/* As many as wait, up to ENTRY_EFFECTS_MAX and BATCH_LEN_MAX; at least one. */
static size_t take_waiting(struct consensus *consensus, struct proposal **items)
{
    size_t count = 0;
    size_t len = 0;
    (void)pthread_mutex_lock(&consensus->lock);
    while (consensus->waiting.first != NULL && count < ENTRY_EFFECTS_MAX) {
        len += consensus->waiting.first->effect.len + sizeof(uint32_t);
        if (count > 0 && len > BATCH_LEN_MAX)
            break;
        items[count++] = list_pop(&consensus->waiting);
    }
    (void)pthread_mutex_unlock(&consensus->lock);
    return count;
}

static void put_back(struct consensus *consensus, struct proposal **items, size_t count)
{
    struct proposal_list *list = &consensus->waiting;
    (void)pthread_mutex_lock(&consensus->lock);
    while (count > 0) {
        struct proposal *proposal = items[--count];
        proposal->next = list->first;
        if (list->first == NULL)
            list->last = &proposal->next;
        list->first = proposal;
        list->count++;
    }
    (void)pthread_mutex_unlock(&consensus->lock);
}

bool consensus_may_find_room(struct consensus *consensus)
{
    uint64_t now_ms = uv_now(&consensus->loop);
    if (disk_check(consensus) != RC_OK)
        return false;
    if (consensus->no_room_since_ms == 0)
        consensus->no_room_since_ms = now_ms;
    return now_ms - consensus->no_room_since_ms < NO_ROOM_MS;
}

static void batch_finish(struct batch *batch, enum rc rc)
{
    for (size_t i = 0; i < batch->count; i++)
        proposal_finish(batch->items[i], rc);
    free(batch);
}

static void in_flight_push(struct consensus *consensus, struct batch *batch)
{
    batch->next = NULL;
    *consensus->in_flight_last = batch;
    consensus->in_flight_last = &batch->next;
    consensus->in_flight_count++;
}

static void in_flight_remove(struct consensus *consensus, const struct batch *batch)
{
    struct batch **link = &consensus->in_flight;
    while (*link != batch)
        link = &(*link)->next;
    *link = batch->next;
    if (*link == NULL)
        consensus->in_flight_last = link;
    consensus->in_flight_count--;
}

/* LEADERSHIPLOST and its kin say nothing about the entry: a later leader may commit it. */
static void batch_done(struct raft_apply *request, int status, void *result)
{
    (void)result;
    struct batch *batch = request->data;
    struct consensus *consensus = batch->consensus;
    enum rc rc = RC_OK;
    in_flight_remove(consensus, batch);
    if (status != 0 || !batch->applied) {
        log_warn("change_outcome_unknown", "count=%zu reason=\"%s\"", batch->count,
                 raft_strerror(status));
        rc = rc_fail(RC_OUTCOME_UNKNOWN, "the log: %s", raft_strerror(status));
    }
    batch_finish(batch, rc);
    if (!consensus->closing)
        consensus_pump(consensus);
}

enum rc consensus_buffer(struct bytes entry, struct raft_buffer *out)
{
    out->base = raft_malloc(entry.len);
    if (out->base == NULL)
        return RC_NO_MEMORY;
    out->len = entry.len;
    memcpy(out->base, entry.ptr, entry.len);
    return RC_OK;
}

static enum rc batch_encode(struct consensus *consensus, const struct batch *batch,
                            struct raft_buffer *out)
{
    struct entry_place place = {.index = batch->index, .term = batch->term};
    memcpy(place.cluster, consensus->config.cluster, sizeof place.cluster);
    struct bytes effects[ENTRY_EFFECTS_MAX];
    for (size_t i = 0; i < batch->count; i++)
        effects[i] = buf_bytes(&batch->items[i]->effect);
    AUTO_BUF entry = BUF_INIT;
    TRY(entry_encode(consensus->keys, &place, effects, batch->count, &entry));
    return consensus_buffer(buf_bytes(&entry), out);
}

static enum rc batch_propose(struct consensus *consensus, struct batch *batch)
{
    struct raft *raft = &consensus->raft;
    batch->consensus = consensus;
    batch->request.data = batch;
    batch->index = raft_last_index(raft) + 1;
    batch->term = raft_current_term(raft);
    struct raft_buffer buffer;
    TRY(batch_encode(consensus, batch, &buffer));
    in_flight_push(consensus, batch);
    enum rc rc = raft_guard_apply(raft, &batch->request, &buffer, batch_done);
    if (rc != RC_OK) {
        in_flight_remove(consensus, batch);
        raft_free(buffer.base);
    }
    return rc;
}

/* False: they are to be tried again at the next tick. */
static bool propose_items(struct consensus *consensus, struct proposal **items, size_t count)
{
    struct batch *batch = calloc(1, sizeof *batch);
    if (batch == NULL) {
        for (size_t i = 0; i < count; i++)
            proposal_finish(items[i], RC_NO_MEMORY);
        return true;
    }
    memcpy(batch->items, items, count * sizeof(struct proposal *));
    batch->count = count;
    enum rc rc = batch_propose(consensus, batch);
    if (rc == RC_DISK && consensus_may_find_room(consensus)) {
        put_back(consensus, items, count);
        free(batch);
        return false;
    }
    if (rc == RC_OK)
        consensus->no_room_since_ms = 0;
    else
        batch_finish(batch, rc);
    return true;
}

void consensus_pump(struct consensus *consensus)
{
    if (!engine_leads(consensus)) {
        (void)rc_fail(RC_NO_QUORUM, "this HSM does not lead the cluster");
        consensus_fail_waiting(consensus, RC_NO_QUORUM);
        return;
    }
    if (members_transferring(consensus) || contacts_are_settling(consensus))
        return;
    enum rc rc = disk_check(consensus);
    if (rc != RC_OK) {
        consensus_fail_waiting(consensus, rc);
        return;
    }
    while (consensus->in_flight_count < IN_FLIGHT_MAX) {
        struct proposal *items[ENTRY_EFFECTS_MAX];
        size_t count = take_waiting(consensus, items);
        if (count == 0 || !propose_items(consensus, items, count))
            return;
    }
}

void consensus_applied(struct consensus *consensus, uint64_t index, uint64_t term,
                       const struct effect_result *results, uint64_t first_index, size_t count)
{
    for (struct batch *batch = consensus->in_flight; batch != NULL; batch = batch->next) {
        if (batch->index != index || batch->term != term || batch->count != count)
            continue;
        for (size_t i = 0; i < count; i++) {
            batch->items[i]->result = results[i];
            batch->items[i]->index = first_index + i;
        }
        batch->applied = true;
        return;
    }
}

void consensus_fail_waiting(struct consensus *consensus, enum rc rc)
{
    for (;;) {
        (void)pthread_mutex_lock(&consensus->lock);
        struct proposal *proposal = list_pop(&consensus->waiting);
        (void)pthread_mutex_unlock(&consensus->lock);
        if (proposal == NULL)
            return;
        proposal_finish(proposal, rc);
    }
}

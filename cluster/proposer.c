/* SPDX-License-Identifier: Apache-2.0 */
/* Effects that wait for a leader, and those that go into this HSM's own log. */
#include <inttypes.h>
#include <stdlib.h>

#include "cluster/proposer_internal.h"
#include "cluster/roll.h"
#include "common/log.h"
#include "common/thread.h"

#define UNDER_WAY_MAX 8192U
/* Without a leader so long, nobody waits for one; longer where enough are there to elect it, but
 * their votes split or the machines are slow. */
#define LEADER_ELECTIONS  4U
#define ELECTABLE_TIMES   3U
#define NANOSECONDS_OF_MS (1000L * 1000)

/* ---- is there a leader? */

/* "HSM 2 (zone b), HSM 3 (zone c)", or "" when none is known to be missing. */
static enum rc name_missing(const struct service *service, struct buf *out)
{
    uint64_t ids[CLUSTER_NODES_MAX];
    size_t count = consensus_missing(service->consensus, ids, CLUSTER_NODES_MAX);
    for (size_t i = 0; i < count && i < CLUSTER_NODES_MAX; i++) {
        struct roll_node node;
        const char *comma = i == 0 ? "" : ", ";
        if (roll_node(service->hsm->state, ids[i], &node) == RC_OK)
            TRY(buf_printf(out, "%sHSM %" PRIu64 " (zone %s)", comma, ids[i], node.zone));
        else
            TRY(buf_printf(out, "%sHSM %" PRIu64, comma, ids[i]));
    }
    return RC_OK;
}

/* Are enough voters there, as far as this HSM knows, to elect a leader? */
static bool is_electable(const struct service *service)
{
    struct consensus_member members[CLUSTER_NODES_MAX];
    uint64_t missing[CLUSTER_NODES_MAX];
    size_t count = consensus_members(service->consensus, members, CLUSTER_NODES_MAX);
    size_t gone = consensus_missing(service->consensus, missing, CLUSTER_NODES_MAX);
    size_t voters = 0, missed = 0;
    for (size_t i = 0; i < count && i < CLUSTER_NODES_MAX; i++) {
        if (members[i].role != CONSENSUS_VOTER)
            continue;
        voters++;
        for (size_t k = 0; k < gone && k < CLUSTER_NODES_MAX; k++)
            missed += missing[k] == members[i].id ? 1 : 0;
    }
    return 2 * (voters - missed) > voters;
}

enum rc proposer_check(const struct proposer *proposer)
{
    const struct service *service = proposer->service;
    uint64_t silence_ms = consensus_leader_silence_ms(service->consensus);
    uint64_t patience_ms = (uint64_t)service->config->election_ms * LEADER_ELECTIONS;
    AUTO_BUF missing = BUF_INIT;
    if (service->colleagues == NULL || silence_ms <= patience_ms ||
        (silence_ms <= patience_ms * ELECTABLE_TIMES && is_electable(service)))
        return RC_OK;
    TRY(name_missing(service, &missing));
    return rc_fail(RC_NO_QUORUM, "no leader for %" PRIu64 ".%" PRIu64 " s%s%s", silence_ms / 1000,
                   silence_ms % 1000 / 100,
                   missing.len > 0 ? "; missing: " : ", though no HSM is known to be missing",
                   buf_str(&missing));
}

/* ---- items */

void proposer_finish(struct proposal_item *item, enum rc rc)
{
    if (rc != RC_OK)
        item->result = (struct effect_result){.rc = rc};
    atomic_fetch_sub(&item->proposer->under_way, 1);
    item->done(item->context, rc, &item->result, item->index);
    buf_clear(&item->effect);
    free(item);
}

static void push(struct proposer *proposer, struct proposal_item *item)
{
    item->next = NULL;
    *proposer->last = item;
    proposer->last = &item->next;
    (void)pthread_cond_signal(&proposer->changed);
}

/* An effect that may have been made, by a leader that is gone, is not said to be refused: not by
 * whoever cannot take it now. */
enum rc proposer_give_up(const struct proposal_item *item, enum rc rc)
{
    if (item->is_unknown && rc != RC_OK)
        return rc_fail(RC_OUTCOME_UNKNOWN, "the leader was lost before it answered");
    return rc;
}

enum rc proposer_refusal(const struct proposer *proposer, enum rc rc)
{
    if (rc != RC_NOT_PERMITTED)
        return rc;
    return rc_fail(RC_DRAINING, "HSM %lu was removed from the cluster",
                   proposer->service->config->node);
}

void proposer_again(struct proposal_item *item, enum rc rc)
{
    struct proposer *proposer = item->proposer;
    item->was_tried = true;
    item->is_unknown = item->is_unknown || rc == RC_OUTCOME_UNKNOWN;
    (void)pthread_mutex_lock(&proposer->lock);
    bool goes_on = !proposer->stopping && clock_steady_ms() < item->expires_ms;
    if (goes_on)
        push(proposer, item);
    (void)pthread_mutex_unlock(&proposer->lock);
    if (!goes_on)
        proposer_finish(item, proposer_give_up(item, rc));
}

static void appended(void *context, enum rc rc, const struct effect_result *result, uint64_t index)
{
    struct proposal_item *item = context;
    item->result = *result;
    item->index = index;
    bool is_undone = rc == RC_NO_QUORUM; /* the lead was lost before it went into the log */
    if (is_undone || (rc == RC_OUTCOME_UNKNOWN && item->repeatable))
        proposer_again(item, rc);
    else
        proposer_finish(item, proposer_give_up(item, rc));
}

static enum rc append(struct proposal_item *item)
{
    AUTO_BUF copy = BUF_INIT; /* ours is kept, in case that another HSM takes the lead */
    TRY(buf_append(&copy, buf_bytes(&item->effect)));
    return consensus_propose(item->proposer->service->consensus, &copy, appended, item);
}

void proposer_append(struct proposal_item *item)
{
    enum rc rc = append(item);
    if (rc != RC_OK)
        proposer_finish(item, proposer_give_up(item, rc));
}

/* ---- proposing */

/* Effects begin {u8 format, u8 kind, application, u64 sequence}. */
static bool has_sequence(struct bytes effect)
{
    struct reader in = reader_of(effect);
    (void)reader_raw(&in, 2 + 16);
    uint64_t sequence = reader_u64(&in);
    return reader_ok(&in) && sequence != 0;
}

static enum rc admit(struct proposer *proposer, const struct buf *effect)
{
    if (effect->len + ENTRY_OVERHEAD_MAX > ENTRY_LEN_MAX)
        return rc_fail(RC_TOO_LARGE, "an object of %zu bytes, limit %zu", effect->len,
                       ENTRY_LEN_MAX - ENTRY_OVERHEAD_MAX);
    TRY(proposer_check(proposer));
    if (atomic_load(&proposer->under_way) >= UNDER_WAY_MAX)
        return rc_fail(RC_OVERLOADED, "%u changes wait already", UNDER_WAY_MAX);
    return RC_OK;
}

/* Waits, when another HSM leads. *out_here: goes into our own log. */
static enum rc enqueue(struct proposer *proposer, struct proposal_item *item, bool *out_here)
{
    (void)pthread_mutex_lock(&proposer->lock);
    enum rc rc = proposer->stopping ? rc_fail(RC_UNAVAILABLE, "the HSM is stopping") : RC_OK;
    *out_here = proposer->leader.self;
    if (rc == RC_OK)
        atomic_fetch_add(&proposer->under_way, 1);
    if (rc == RC_OK && !*out_here)
        push(proposer, item);
    (void)pthread_mutex_unlock(&proposer->lock);
    return rc;
}

enum rc proposer_propose(struct proposer *proposer, struct buf *effect, uint64_t expires_ms,
                         consensus_done done, void *context)
{
    TRY(admit(proposer, effect));
    struct proposal_item *item = calloc(1, sizeof *item);
    if (item == NULL)
        return RC_NO_MEMORY;
    item->proposer = proposer;
    item->effect = buf_take(effect);
    item->repeatable = has_sequence(buf_bytes(&item->effect));
    item->expires_ms = expires_ms;
    item->done = done;
    item->context = context;
    bool is_here = false;
    enum rc rc = enqueue(proposer, item, &is_here);
    if (rc == RC_OK && is_here) {
        rc = append(item);
        if (rc != RC_OK)
            atomic_fetch_sub(&proposer->under_way, 1);
    }
    if (rc != RC_OK) {
        buf_clear(&item->effect);
        free(item);
    }
    return rc;
}

uint64_t proposer_forwarded(const struct proposer *proposer)
{
    return atomic_load(&proposer->forwarded);
}

/* ---- life */

void proposer_look(struct proposer *proposer, pthread_cond_t *condition)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += PROPOSER_LOOK_MS * NANOSECONDS_OF_MS;
    if (until.tv_nsec >= 1000 * NANOSECONDS_OF_MS) {
        until.tv_nsec -= 1000 * NANOSECONDS_OF_MS;
        until.tv_sec++;
    }
    (void)pthread_cond_timedwait(condition, &proposer->lock, &until);
}

void proposer_leader_changed(struct proposer *proposer, const struct consensus_leader *leader)
{
    (void)pthread_mutex_lock(&proposer->lock);
    proposer->leader = *leader;
    (void)pthread_cond_broadcast(&proposer->changed);
    (void)pthread_cond_broadcast(&proposer->asked);
    (void)pthread_mutex_unlock(&proposer->lock);
}

enum rc proposer_new(struct service *service, struct proposer **out)
{
    struct proposer *proposer = calloc(1, sizeof *proposer);
    if (proposer == NULL)
        return RC_NO_MEMORY;
    proposer->service = service;
    proposer->last = &proposer->first;
    (void)pthread_mutex_init(&proposer->lock, NULL);
    thread_cond_init(&proposer->changed);
    thread_cond_init(&proposer->asked);
    *out = proposer;
    return RC_OK;
}

enum rc proposer_start(struct proposer *proposer)
{
    for (unsigned i = 0; i <= PROPOSER_SENDERS; i++) {
        bool is_reader = i == PROPOSER_SENDERS;
        TRY(thread_start(&proposer->threads[i], is_reader ? "qhsmd-index" : "qhsmd-propose",
                         is_reader ? proposer_read_run : proposer_send_run, proposer));
        proposer->thread_count++;
    }
    return RC_OK;
}

void proposer_stop(struct proposer *proposer)
{
    if (proposer == NULL)
        return;
    (void)pthread_mutex_lock(&proposer->lock);
    proposer->stopping = true;
    (void)pthread_cond_broadcast(&proposer->changed);
    (void)pthread_cond_broadcast(&proposer->asked);
    (void)pthread_mutex_unlock(&proposer->lock);
    for (unsigned i = 0; i < proposer->thread_count; i++)
        (void)pthread_join(proposer->threads[i], NULL);
    proposer->thread_count = 0;
    while (proposer->first != NULL) {
        struct proposal_item *item = proposer->first;
        proposer->first = item->next;
        proposer_finish(item,
                        proposer_give_up(item, rc_fail(RC_UNAVAILABLE, "the HSM is stopping")));
    }
    proposer->last = &proposer->first;
    while (proposer->readers != NULL) {
        struct index_reader *reader = proposer->readers;
        proposer->readers = reader->next;
        proposer_read_finish(reader, rc_fail(RC_UNAVAILABLE, "the HSM is stopping"), 0);
    }
}

void proposer_free(struct proposer *proposer)
{
    if (proposer == NULL)
        return;
    (void)pthread_cond_destroy(&proposer->changed);
    (void)pthread_cond_destroy(&proposer->asked);
    (void)pthread_mutex_destroy(&proposer->lock);
    free(proposer);
}

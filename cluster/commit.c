/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster/commit.h"

#include <pthread.h>
#include <stdio.h>

#include "cluster/proposer.h"

#define TRIES 5U

struct outcome {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool done;
    enum rc rc;
    char detail[256];
    uint64_t index; /* that a read is to wait for */
};
#define OUTCOME_INIT                                                           \
    {                                                                          \
        .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER \
    }

static void settle(struct outcome *outcome, enum rc rc, const char *detail, uint64_t index)
{
    (void)pthread_mutex_lock(&outcome->lock);
    outcome->rc = rc;
    outcome->index = index;
    (void)snprintf(outcome->detail, sizeof outcome->detail, "%s", detail);
    outcome->done = true;
    (void)pthread_cond_signal(&outcome->changed);
    (void)pthread_mutex_unlock(&outcome->lock);
}

static void done(void *context, enum rc rc, const struct effect_result *result, uint64_t index)
{
    settle(context, rc == RC_OK ? result->rc : rc, rc == RC_OK ? "" : rc_detail(), index);
}

static void was_read(void *context, enum rc rc, uint64_t index)
{
    settle(context, rc, rc == RC_OK ? "" : rc_detail(), index);
}

static enum rc await(struct outcome *outcome)
{
    (void)pthread_mutex_lock(&outcome->lock);
    while (!outcome->done)
        (void)pthread_cond_wait(&outcome->changed, &outcome->lock);
    (void)pthread_mutex_unlock(&outcome->lock);
    if (outcome->rc == RC_OK)
        return RC_OK;
    if (outcome->rc == RC_CONFLICT && outcome->detail[0] == 0)
        return rc_fail(RC_CONFLICT, "somebody else changed the same at the same time");
    return rc_fail(outcome->rc, "%s", outcome->detail);
}

/* A daemon is one application; it never asks twice with one number. */
static pthread_once_t once = PTHREAD_ONCE_INIT;
static uint8_t application[16];
static enum rc application_rc;
static _Atomic uint64_t sequence;

static void make_application(void)
{
    application_rc = random_bytes(application, sizeof application);
}

/* A request id of its own and the time. RC_RANDOM. */
static enum rc make_head(struct effect_head *out)
{
    (void)pthread_once(&once, make_application);
    TRY(application_rc);
    *out = (struct effect_head){.sequence = atomic_fetch_add(&sequence, 1) + 1,
                                .time_ms = clock_wall_ms()};
    memcpy(out->application, application, sizeof out->application);
    return RC_OK;
}

enum rc commit_effect(struct service *service, struct buf *effect, uint64_t expires_ms)
{
    struct outcome outcome = OUTCOME_INIT;
    if (service->proposer != NULL)
        TRY(proposer_propose(service->proposer, effect, expires_ms, done, &outcome));
    else
        TRY(consensus_propose(service->consensus, effect, done, &outcome));
    return await(&outcome);
}

enum rc commit_catch_up(struct service *service, uint64_t expires_ms)
{
    struct outcome asked = OUTCOME_INIT;
    struct outcome applied = OUTCOME_INIT;
    TRY(proposer_read_index(service->proposer, expires_ms, was_read, &asked));
    TRY(await(&asked));
    TRY(consensus_when_applied(service->consensus, asked.index, expires_ms, was_read, &applied));
    return await(&applied);
}

enum rc commit_changes(struct service *service, const struct roll_changes *changes,
                       uint64_t expires_ms)
{
    struct effect_head head;
    AUTO_BUF effect = BUF_INIT;
    TRY(make_head(&head));
    TRY(roll_changes_effect(changes, &head, &effect));
    return commit_effect(service, &effect, expires_ms);
}

enum rc commit_node(struct service *service, const struct roll_node *node, uint64_t expires_ms)
{
    AUTO_ROLL_CHANGES changes;
    roll_changes_init(&changes);
    TRY(roll_changes_node(&changes, node));
    return commit_changes(service, &changes, expires_ms);
}

static enum rc try_once(struct service *service, commit_attempt attempt, void *context,
                        uint64_t expires_ms)
{
    AUTO_ROLL_CHANGES changes;
    roll_changes_init(&changes);
    TRY(attempt(context, &changes));
    return changes.count == 0 ? RC_OK : commit_changes(service, &changes, expires_ms);
}

enum rc commit_retry(struct service *service, commit_attempt attempt, void *context,
                     uint64_t expires_ms)
{
    enum rc rc = RC_CONFLICT;
    for (unsigned i = 0; i < TRIES && rc == RC_CONFLICT; i++)
        rc = try_once(service, attempt, context, expires_ms);
    return rc;
}

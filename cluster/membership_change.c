/* SPDX-License-Identifier: Apache-2.0 */
/* Changes of the engine's members, waited for. A wait that is given up leaves its outcome to the
 * engine, which frees it. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "cluster/membership_internal.h"
#include "common/thread.h"

#define WAIT_MS 20000U
#define STEP_MS 100U

struct outcome {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool done, given_up;
    enum rc rc;
    char detail[200];
};

static void outcome_free(struct outcome *outcome)
{
    (void)pthread_cond_destroy(&outcome->changed);
    (void)pthread_mutex_destroy(&outcome->lock);
    free(outcome);
}

static void on_change(void *context, enum rc rc)
{
    struct outcome *outcome = context;
    (void)pthread_mutex_lock(&outcome->lock);
    outcome->rc = rc;
    outcome->done = true;
    (void)snprintf(outcome->detail, sizeof outcome->detail, "%s", rc_detail());
    (void)pthread_cond_signal(&outcome->changed);
    bool given_up = outcome->given_up;
    (void)pthread_mutex_unlock(&outcome->lock);
    if (given_up)
        outcome_free(outcome);
}

static struct outcome *outcome_new(void)
{
    struct outcome *outcome = calloc(1, sizeof *outcome);
    if (outcome == NULL)
        return NULL;
    (void)pthread_mutex_init(&outcome->lock, NULL);
    thread_cond_init(&outcome->changed);
    return outcome;
}

static struct timespec after_ms(uint64_t ms)
{
    uint64_t at = clock_steady_ms() + ms;
    return (struct timespec){.tv_sec = (time_t)(at / 1000),
                             .tv_nsec = (long)(at % 1000) * 1000 * 1000};
}

/* Frees the outcome, or leaves it to on_change(). */
static enum rc await(const struct membership *membership, struct outcome *outcome)
{
    uint64_t limit = clock_steady_ms() + WAIT_MS;
    enum rc rc = RC_OK;
    (void)pthread_mutex_lock(&outcome->lock);
    while (!outcome->done && !membership->stopping && clock_steady_ms() < limit) {
        struct timespec until = after_ms(STEP_MS);
        (void)pthread_cond_timedwait(&outcome->changed, &outcome->lock, &until);
    }
    bool is_done = outcome->done;
    outcome->given_up = !is_done;
    if (!is_done)
        rc = rc_fail(RC_CANCELLED, "the change of members takes too long");
    else if (outcome->rc != RC_OK)
        rc = rc_fail(outcome->rc, "%s", outcome->detail);
    (void)pthread_mutex_unlock(&outcome->lock);
    if (is_done)
        outcome_free(outcome);
    return rc;
}

/* `asked`: what the engine said at once; then it keeps no outcome. */
static enum rc finish(const struct membership *membership, struct outcome *outcome, enum rc asked)
{
    if (asked == RC_OK)
        return await(membership, outcome);
    outcome_free(outcome);
    return asked;
}

enum rc membership_add(struct membership *membership, const struct roll_node *node)
{
    struct outcome *outcome = outcome_new();
    if (outcome == NULL)
        return RC_NO_MEMORY;
    return finish(membership, outcome,
                  consensus_member_add(membership->service->consensus, node->id, node->address,
                                       on_change, outcome));
}

/* The list of members may be some milliseconds old: what is so already is no trouble. */
enum rc membership_assign(struct membership *membership, uint64_t id, enum consensus_role role)
{
    struct outcome *outcome = outcome_new();
    if (outcome == NULL)
        return RC_NO_MEMORY;
    enum rc rc = finish(
        membership, outcome,
        consensus_member_assign(membership->service->consensus, id, role, on_change, outcome));
    return rc == RC_EXISTS ? RC_CONFLICT : rc;
}

enum rc membership_drop(struct membership *membership, uint64_t id)
{
    struct outcome *outcome = outcome_new();
    if (outcome == NULL)
        return RC_NO_MEMORY;
    enum rc rc =
        finish(membership, outcome,
               consensus_member_remove(membership->service->consensus, id, on_change, outcome));
    return rc == RC_NOT_FOUND ? RC_CONFLICT : rc;
}

enum rc membership_transfer(struct membership *membership, uint64_t id)
{
    struct outcome *outcome = outcome_new();
    if (outcome == NULL)
        return RC_NO_MEMORY;
    return finish(membership, outcome,
                  consensus_transfer(membership->service->consensus, id, on_change, outcome));
}

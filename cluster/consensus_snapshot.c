/* SPDX-License-Identifier: Apache-2.0 */
/* The state as it is between two log entries, for backups: taken by the one thread that changes
 * it. */
#include "cluster/consensus_internal.h"

/* Lives on the stack of the thread that waits for it. */
struct snapshot_waiter {
    struct snapshot_waiter *next;
    bool finished;
    enum rc rc;
    struct state_snapshot *snapshot;
};

enum rc consensus_snapshot(struct consensus *consensus, struct state_snapshot **out)
{
    struct snapshot_waiter waiter = {.finished = false};
    (void)pthread_mutex_lock(&consensus->lock);
    enum rc rc = consensus_check_running(consensus);
    if (rc == RC_OK) {
        waiter.next = consensus->snapshot_waiters;
        /* cppcheck-suppress autoVariables ; out of the list before this returns */
        consensus->snapshot_waiters = &waiter;
        (void)uv_async_send(&consensus->wake);
        while (!waiter.finished)
            (void)pthread_cond_wait(&consensus->changed, &consensus->lock);
        rc = waiter.rc;
    }
    (void)pthread_mutex_unlock(&consensus->lock);
    if (rc == RC_OK)
        *out = waiter.snapshot;
    return rc == RC_UNAVAILABLE ? rc_fail(rc, "the HSM is stopping") : rc;
}

/* ---- the consensus thread */

static struct snapshot_waiter *take_waiter(struct consensus *consensus)
{
    (void)pthread_mutex_lock(&consensus->lock);
    struct snapshot_waiter *waiter = consensus->snapshot_waiters;
    if (waiter != NULL)
        consensus->snapshot_waiters = waiter->next;
    (void)pthread_mutex_unlock(&consensus->lock);
    return waiter;
}

/* Who waits may be gone as soon as the lock is. */
static void finish(struct consensus *consensus, struct snapshot_waiter *waiter, enum rc rc)
{
    (void)pthread_mutex_lock(&consensus->lock);
    waiter->rc = rc;
    waiter->finished = true;
    (void)pthread_cond_broadcast(&consensus->changed);
    (void)pthread_mutex_unlock(&consensus->lock);
}

void snapshots_pump(struct consensus *consensus)
{
    for (struct snapshot_waiter *waiter = take_waiter(consensus); waiter != NULL;
         waiter = take_waiter(consensus))
        finish(consensus, waiter, state_snapshot_take(consensus->state, &waiter->snapshot));
}

void snapshots_fail_waiting(struct consensus *consensus)
{
    for (struct snapshot_waiter *waiter = take_waiter(consensus); waiter != NULL;
         waiter = take_waiter(consensus))
        finish(consensus, waiter, RC_UNAVAILABLE);
}

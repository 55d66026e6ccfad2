/* SPDX-License-Identifier: Apache-2.0 */
/* Linearizable reads: a log entry that a majority stores proves that this node still leads. All who
 * ask while one is on its way share the next. No leases: a leader that was paused would serve what
 * is old. */
#include <stdlib.h>

#include "cluster/consensus_internal.h"

#define WAITING_MAX 65536U
#define LOOK_MS     250U
#define MS_NS       ((uint64_t)1000 * 1000)

uint64_t consensus_leader_silence_ms(struct consensus *consensus)
{
    uint64_t now = uv_hrtime() / MS_NS;
    uint64_t heard = atomic_load_explicit(&consensus->heard_ms, memory_order_relaxed);
    return now > heard ? now - heard : 0;
}

bool consensus_has_heard_leader(const struct consensus *consensus)
{
    return atomic_load_explicit(&consensus->has_heard, memory_order_relaxed);
}

enum rc consensus_barrier(struct consensus *consensus, consensus_read done, void *context)
{
    struct read_waiter *waiter = calloc(1, sizeof *waiter);
    if (waiter == NULL)
        return RC_NO_MEMORY;
    waiter->done = done;
    waiter->context = context;
    (void)pthread_mutex_lock(&consensus->lock);
    struct read_queue *reads = &consensus->reads;
    enum rc rc = consensus_check_running(consensus);
    if (rc == RC_OK && reads->waiting_count >= WAITING_MAX)
        rc = rc_fail(RC_OVERLOADED, "%u reads wait already", WAITING_MAX);
    if (rc == RC_OK) {
        waiter->next = reads->waiting;
        reads->waiting = waiter;
        if (reads->waiting_count++ == 0)
            (void)uv_async_send(&consensus->wake);
    }
    (void)pthread_mutex_unlock(&consensus->lock);
    if (rc != RC_OK)
        free(waiter);
    return rc;
}

/* ---- the consensus thread */

static struct read_waiter *take_waiting(struct consensus *consensus)
{
    (void)pthread_mutex_lock(&consensus->lock);
    struct read_waiter *waiters = consensus->reads.waiting;
    consensus->reads.waiting = NULL;
    consensus->reads.waiting_count = 0;
    (void)pthread_mutex_unlock(&consensus->lock);
    return waiters;
}

static void finish_all(struct consensus *consensus, struct read_waiter *waiters, enum rc rc)
{
    uint64_t applied = state_applied(consensus->state);
    while (waiters != NULL) {
        struct read_waiter *next = waiters->next;
        waiters->done(waiters->context, rc, applied);
        free(waiters);
        waiters = next;
    }
}

static void barrier_done(struct raft_barrier *request, int status)
{
    struct consensus *consensus = request->data;
    struct read_waiter *waiters = consensus->reads.flying;
    enum rc rc = RC_OK;
    consensus->reads.flying = NULL;
    consensus->reads.in_flight = false;
    if (status != 0)
        rc = rc_fail(RC_NO_QUORUM, "the lead was lost: %s", raft_strerror(status));
    finish_all(consensus, waiters, rc);
    if (!consensus->closing)
        reads_pump(consensus);
}

static void wait_again(struct consensus *consensus, struct read_waiter *waiters)
{
    (void)pthread_mutex_lock(&consensus->lock);
    while (waiters != NULL) {
        struct read_waiter *next = waiters->next;
        waiters->next = consensus->reads.waiting;
        consensus->reads.waiting = waiters;
        consensus->reads.waiting_count++;
        waiters = next;
    }
    (void)pthread_mutex_unlock(&consensus->lock);
}

static void begin_barrier(struct consensus *consensus, struct read_waiter *waiters)
{
    struct read_queue *reads = &consensus->reads;
    reads->flying = waiters;
    reads->in_flight = true;
    reads->request.data = consensus;
    int rv = raft_barrier(&consensus->raft, &reads->request, barrier_done);
    if (rv == 0)
        return;
    reads->flying = NULL;
    reads->in_flight = false;
    if (rv != RAFT_NOSPACE) /* it is an entry of the log */
        finish_all(consensus, waiters, rc_fail(RC_NO_QUORUM, "%s", raft_strerror(rv)));
    else if (consensus_may_find_room(consensus))
        wait_again(consensus, waiters);
    else
        finish_all(consensus, waiters, rc_fail(RC_DISK, "the disks of a majority are full"));
}

void reads_pump(struct consensus *consensus)
{
    if (consensus->reads.in_flight)
        return;
    bool leads = engine_leads(consensus);
    if (leads && members_transferring(consensus))
        return;
    struct read_waiter *waiters = take_waiting(consensus);
    if (waiters == NULL)
        return;
    if (!leads)
        finish_all(consensus, waiters, rc_fail(RC_NO_QUORUM, "this HSM does not lead the cluster"));
    else if (!engine_has_peers(consensus)) /* nobody else could lead */
        finish_all(consensus, waiters, RC_OK);
    else
        begin_barrier(consensus, waiters);
}

/* The engine appends such an entry when it is elected; not when the disks are full, and then never.
 */
void reads_finish_old(struct consensus *consensus)
{
    struct read_queue *reads = &consensus->reads;
    raft_index last = raft_last_index(&consensus->raft);
    uint64_t now = uv_now(&consensus->loop);
    if (now - reads->looked_ms < LOOK_MS)
        return;
    bool is_stuck = reads->stuck_at == last && raft_commit_index(&consensus->raft) < last;
    reads->looked_ms = now;
    reads->stuck_at = last;
    if (is_stuck && engine_leads(consensus) && !reads->in_flight &&
        consensus->in_flight_count == 0 && !members_transferring(consensus))
        begin_barrier(consensus, NULL);
}

void reads_fail_waiting(struct consensus *consensus)
{
    finish_all(consensus, take_waiting(consensus), RC_UNAVAILABLE);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The replication engine behind a narrow door, so that libraft could be changed for another. Its
 * own thread and loop. */
#ifndef QHSM_CLUSTER_CONSENSUS_H
#define QHSM_CLUSTER_CONSENSUS_H

#include "common/buf.h"
#include "common/rc.h"
#include "token/state.h"

struct consensus;

struct consensus_config {
    const char *dir; /* of the log and snapshots; made if absent (0700) */
    uint8_t cluster[16];
    uint64_t node;
    bool bootstrap; /* this directory is new: a cluster of this voter alone */
    unsigned heartbeat_ms, election_ms;
    unsigned snapshot_threshold, snapshot_trailing;
};

/* Reads snapshot and log into `state`, starts the thread, waits until this node leads or follows (a
 * few election times at most: without a quorum it serves what it has). `bootstrap` over a directory
 * that has a log already changes nothing. RC_DISK, RC_TAMPERED, RC_CONFIG say what is wrong with
 * the directory; a directory set aside after a wrong entry (DIR.quarantined) is refused. */
enum rc consensus_start(const struct consensus_config *config, const struct seal_keys *keys,
                        struct state *state, struct consensus **out);
/* Drains, closes, joins the thread. */
void consensus_stop(struct consensus *consensus);

/* Called on the consensus thread when the effect is committed and applied here, or has failed:
 * RC_NO_QUORUM, RC_OUTCOME_UNKNOWN, RC_DISK, with the thread's rc_detail(). `index` is the state's
 * after it (state_applied(), which counts effects and is the same on every HSM; a log entry may
 * carry several). */
typedef void (*consensus_done)(void *context, enum rc rc, const struct effect_result *result,
                               uint64_t index);
/* Takes the effect's buffer (but for RC_TOO_LARGE). Any thread. After RC_OK `done` is called
 * exactly once; after an error it is not called. RC_OVERLOADED when too much waits, RC_TOO_LARGE
 * when it fits no entry, RC_UNAVAILABLE when stopping. */
enum rc consensus_propose(struct consensus *consensus, struct buf *effect, consensus_done done,
                          void *context);

struct consensus_status {
    uint64_t term, applied, commit; /* of the log */
    uint64_t leader;                /* node id, 0: none known */
    const char *role;               /* "leader", "follower", "candidate" */
    uint64_t loop_max_us;           /* longest stall of the loop since start */
    uint64_t loop_slow_count;       /* stalls over 10 ms */
    uint64_t snapshots;
};
void consensus_status(struct consensus *consensus, struct consensus_status *out);

#endif

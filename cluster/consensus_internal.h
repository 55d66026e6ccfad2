/* SPDX-License-Identifier: Apache-2.0 */
/* The two halves of consensus: consensus.c (callers' side: queue and batches) and engine.c (libraft
 * on its own thread). */
#ifndef QHSM_CLUSTER_CONSENSUS_INTERNAL_H
#define QHSM_CLUSTER_CONSENSUS_INTERNAL_H

#include <pthread.h>
#include <raft.h>
#include <raft/uv.h>
#include <uv.h>

#include "cluster/consensus.h"
#include "cluster/entry.h"
#include "cluster/log_mark.h"
#include "cluster/loop_watch.h"
#include "cluster/raft_guard.h"
#include "cluster/snapshot.h"

struct proposal {
    struct proposal *next;
    struct buf effect;
    consensus_done done;
    void *context;
    struct effect_result result;
    uint64_t index; /* of the state, once applied */
};

struct proposal_list {
    struct proposal *first;
    struct proposal **last;
    size_t count;
};

/* One log entry of ours on its way. */
struct batch {
    struct raft_apply request;
    struct consensus *consensus;
    struct batch *next;
    uint64_t index, term;
    bool applied;
    size_t count;
    struct proposal *items[ENTRY_EFFECTS_MAX];
};

enum engine_phase { ENGINE_STARTING, ENGINE_RUNNING, ENGINE_FAILED, ENGINE_STOPPED };

struct consensus {
    struct consensus_config config;
    char *dir;
    const struct seal_keys *keys;
    struct state *state;
    pthread_t thread;

    /* shared with callers */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct proposal_list waiting;
    bool stopping;
    enum engine_phase phase;
    enum rc failure;
    char failure_detail[256];
    struct consensus_status status;

    /* the consensus thread's own */
    uv_loop_t loop;
    uv_async_t wake;
    struct loop_watch watch;
    struct raft_uv_transport transport;
    struct raft_guard guard;
    struct log_mark mark;
    struct raft_fsm fsm;
    struct raft raft;
    struct batch *in_flight; /* oldest first */
    struct batch **in_flight_last;
    size_t in_flight_count;
    uint64_t started_ns;
    uint64_t stop_ns; /* when draining began; 0: it has not */
    bool closing;
    bool restore_failed;
    struct snapshot *snapshot; /* being written */
    uint64_t snapshots;
};

/* consensus.c, on the consensus thread */
/* Proposes what waits, as far as entries in flight allow. */
void consensus_pump(struct consensus *consensus);
/* The entry at `index` has been applied with these results. */
void consensus_applied(struct consensus *consensus, uint64_t index, uint64_t term,
                       const struct effect_result *results, uint64_t first_index, size_t count);
/* Fails everything that still waits. */
void consensus_fail_waiting(struct consensus *consensus, enum rc rc);

/* engine.c */
/* The thread. Sets phase; returns when the engine is closed. */
void *engine_run(void *consensus);
/* Stops the process: the log and this node do not agree. Marks the directory first. */
_Noreturn void engine_quarantine(struct consensus *consensus, const char *reason);

#endif

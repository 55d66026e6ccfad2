/* SPDX-License-Identifier: Apache-2.0 */
/* Guards round libraft's raft_io against what the engine does wrong by itself: a snapshot sent ten
 * times over, a crash when one arrives while one is written, storage errors ignored. All on the
 * consensus thread. */
#ifndef QHSM_CLUSTER_RAFT_GUARD_H
#define QHSM_CLUSTER_RAFT_GUARD_H

#include <raft.h>

#include "common/rc.h"

struct raft_guard {
    struct raft_io io;    /* what the engine is given; must stay first */
    struct raft_io inner; /* the functions as they were */
    raft_io_recv_cb recv;
    unsigned own_puts;         /* snapshots of ours being written */
    unsigned installs;         /* InstallSnapshot being loaded or sent */
    uint64_t installs_dropped; /* sends refused while one was in flight */
    uint64_t receives_dropped; /* InstallSnapshot refused while we were writing one */
    raft_index loaded_index;   /* last of the log as it was read at the start */
    raft_index snapshot_index; /* of the snapshot that the engine will hand to restore() */
};

/* Replaces functions of guard->io, which raft_uv_init() (or a test) has filled in. */
void raft_guard_install(struct raft_guard *guard);

/* raft_apply() of one buffer, checked first (length a multiple of 8, at most ENTRY_LEN_MAX). Takes
 * the buffer (raft_malloc) when RC_OK. RC_NO_QUORUM when not leading, RC_DISK when a majority is
 * full; any other failure left the engine's log in an unknown state and aborts. */
enum rc raft_guard_apply(struct raft *raft, struct raft_apply *request, struct raft_buffer *buffer,
                         raft_apply_cb done);

#endif

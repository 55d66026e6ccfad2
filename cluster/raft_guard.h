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
    raft_io_tick_cb tick;
    raft_time now, seen; /* the engine's clock, and the real one when it was last looked at */
    raft_time stride;    /* the most that it goes on at once; 0 before start() */
    bool has_stored;     /* a term or vote, twice: in both of the engine's files */
    bool closing;        /* nothing may be sent any more */
    unsigned own_puts;   /* snapshots of ours being written */
    unsigned installs;   /* InstallSnapshot being loaded or sent */
    /* The last one that was sent: until when its receiver may take to answer. */
    raft_id install_peer;
    raft_index install_index;
    raft_time install_until;
    /* Of the snapshot that was loaded last, to be sent. */
    raft_index got_index;
    raft_term got_term;
    uint64_t installs_sent;
    uint64_t installs_dropped; /* sends refused while one was in flight or not answered */
    uint64_t installs_received;
    uint64_t receives_dropped; /* InstallSnapshot refused while we were writing one, or damaged */
    uint64_t sent_again;       /* small messages that were lost with a link */
    raft_index next_index;     /* that the log goes on with; may be beyond, never before it */
    raft_index loaded_index;   /* last of the log as it was read at the start */
    raft_index snapshot_index; /* of the snapshot that the engine will hand to restore() */
    raft_index foreign_index;  /* first of the log that owns() disowned at the start, or 0 */
    struct raft_entry *loaded; /* the engine's, between load() and start(); else NULL */
    size_t loaded_count;

    /* Of the owner, set after raft_guard_install(); may be NULL. */
    void (*heard)(void *context, raft_id from); /* a leader's message was taken */
    void (*contact)(void *context, const struct raft_message *message); /* any came */
    void (*told)(void *context, raft_id to, raft_index commit); /* a follower is sent this */
    void (*ticked)(void *context); /* the engine has sent its heartbeats */
    bool (*accepts)(void *context, const struct raft_install_snapshot *install);
    bool (*owns)(void *context, const struct raft_entry *entry); /* asked when the log is read */
    bool (*cuts)(void *context, raft_index index); /* the log will end before it; false: must not */
    void *context;
};

/* Replaces functions of guard->io, which raft_uv_init() (or a test) has filled in. */
void raft_guard_install(struct raft_guard *guard);

/* When restore() refuses the snapshot at the start: the engine then frees the log that it has
 * loaded by its batches, which it has not. Nothing later. */
void raft_guard_unload(struct raft_guard *guard);

/* raft_apply() of one buffer, checked first (length a multiple of 8, at most ENTRY_LEN_MAX). Takes
 * the buffer (raft_malloc) when RC_OK. RC_NO_QUORUM when not leading, RC_DISK when a majority is
 * full; any other failure left the engine's log in an unknown state and aborts. */
enum rc raft_guard_apply(struct raft *raft, struct raft_apply *request, struct raft_buffer *buffer,
                         raft_apply_cb done);

#endif

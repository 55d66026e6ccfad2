/* SPDX-License-Identifier: Apache-2.0 */
/* The halves of consensus: the callers' side (consensus.c: queue and batches; consensus_members.c;
 * consensus_read.c; consensus_wait.c) and the engine's (engine.c: libraft on its own thread;
 * engine_fsm.c: the state machine; engine_watch.c: what is looked at every few milliseconds;
 * engine_contact.c; engine_disk.c; audit.c). */
#ifndef QHSM_CLUSTER_CONSENSUS_INTERNAL_H
#define QHSM_CLUSTER_CONSENSUS_INTERNAL_H

#include <inttypes.h>
#include <pthread.h>
#include <raft.h>
#include <raft/uv.h>
#include <stdatomic.h>
#include <uv.h>

#include "cluster/consensus.h"
#include "cluster/entry.h"
#include "cluster/log_mark.h"
#include "cluster/loop_watch.h"
#include "cluster/peer_inspect.h"
#include "cluster/raft_guard.h"
#include "cluster/snapshot.h"

/* In the engine's configuration, of a node that talks to nobody. */
#define CONSENSUS_LONE_ADDRESS "node/%" PRIu64

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

enum change_action { CHANGE_ADD, CHANGE_ASSIGN, CHANGE_REMOVE, CHANGE_TRANSFER };

/* A change of the members that waits or is under way. */
struct member_change {
    struct member_change *next;
    enum change_action action;
    uint64_t id;
    enum consensus_role role;
    char address[PEER_ADDRESS_MAX + 1];
    consensus_changed done;
    void *context;
};

struct member_queue {
    struct member_change *waiting; /* shared with callers; newest first */
    /* The engine may keep these after a failure: they live as long as it. */
    struct raft_change change_request;
    struct raft_transfer transfer_request;
    struct member_change *change, *transfer; /* under way */
    bool transfer_called;                    /* the engine holds transfer_request */
    unsigned transfer_tries;                 /* left */
    uint64_t transfer_until_ms;
};

struct read_waiter {
    struct read_waiter *next;
    consensus_read done;
    void *context;
};

struct read_queue {
    struct read_waiter *waiting; /* shared with callers */
    size_t waiting_count;
    struct read_waiter *flying; /* the barrier under way is for them */
    struct raft_barrier request;
    bool in_flight;
    raft_index stuck_at; /* end of the log when last looked at */
    uint64_t looked_ms;  /* of the loop */
};

struct applied_wait {
    uint64_t index, expires_ms; /* of uv_hrtime() */
    consensus_read done;
    void *context;
};

struct applied_waits {
    pthread_mutex_t lock;
    struct applied_wait *items; /* a heap */
    size_t count, room;
    uint64_t earliest_ms; /* none expires before */
    bool closed;
};

#define CAPACITY_THRESHOLD_KIB 9000U /* a log that can take less is full */

/* A peer, as its messages show it. */
struct contact {
    uint64_t id;
    uint64_t since_ms; /* known since */
    uint64_t heard_ms;
    bool is_lost;         /* a link with it has ended since */
    raft_index told;      /* of what is committed, by this node as the leader */
    uint64_t told_ms;     /* of the loop */
    uint64_t answered_ms; /* as a follower */
    bool has_voted;
    unsigned capacity_kib;
};

struct contacts {
    struct contact peers[PEER_MEMBERS_MAX];
    size_t count;
    uint64_t leader, since_ms; /* who led last, since when */
    raft_term nudge_term;
    raft_index nudge_after; /* committed before this node led */
    uint64_t nudges;
    uint64_t missing[PEER_MEMBERS_MAX]; /* shared with callers */
    size_t missing_count;
};

struct disk_watch {
    _Atomic bool pretended;
    bool short_of_room, full;
    uint64_t free; /* bytes */
    uint64_t looked_ns, handed_ns;
};

#define AUDIT_RECORDS 8U
#define AUDIT_AT_ONCE 0U /* an audit of that entry asks for one */

/* What the state was like after certain entries of the log, the same ones everywhere. */
struct audit {
    uint64_t every;
    uint64_t last_index; /* of the last command; 0: not known since the start or a snapshot */
    struct entry_audit records[AUDIT_RECORDS];
    size_t record_count; /* so far */
    bool due;            /* the latest is to be proposed */
    _Atomic bool wanted; /* by a caller: a record now */
    bool in_flight;
    struct raft_apply request;
    uint64_t compared;
    uint64_t applied; /* the state's index that was compared last */
};

#define REMOVED_MAX 256U

/* What was last seen of the members and their leader. */
struct member_watch {
    struct consensus_leader leader;
    raft_index configuration_index;
    uint64_t ids[PEER_MEMBERS_MAX];
    size_t id_count;
    uint64_t removed[REMOVED_MAX];
    size_t removed_count;
};

enum engine_phase { ENGINE_STARTING, ENGINE_RUNNING, ENGINE_FAILED, ENGINE_STOPPED };

struct consensus {
    struct consensus_config config;
    struct consensus_peers peers; /* listen NULL: none */
    char *dir, *listen, *address;
    const struct seal_keys *keys;
    struct state *state;
    pthread_t thread;
    bool is_joined;
    struct peer_transport *peer_transport; /* made before the start returns; NULL: lone */

    /* shared with callers */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct proposal_list waiting;
    struct snapshot_waiter *snapshot_waiters; /* of consensus_snapshot.c */
    bool stopping;
    enum engine_phase phase;
    enum rc failure;
    char failure_detail[256];
    struct consensus_status status;
    struct consensus_member members[PEER_MEMBERS_MAX];
    size_t member_count;
    _Atomic uint64_t heard_ms; /* of uv_hrtime() */
    _Atomic bool has_heard;    /* a leader, since the start */
    struct applied_waits waits;

    /* the consensus thread's own */
    uv_loop_t loop;
    uv_async_t wake;
    uv_prepare_t before_waiting;
    struct loop_watch watch;
    struct raft_uv_transport transport; /* of a lone node */
    struct raft_guard guard;
    struct log_mark mark;
    struct raft_fsm fsm;
    struct raft raft;
    uint64_t no_room_since_ms; /* the engine has no room for entries; 0: it has */
    struct batch *in_flight;   /* oldest first */
    struct batch **in_flight_last;
    size_t in_flight_count;
    struct member_queue member_queue;
    struct member_watch member_watch;
    struct read_queue reads;
    struct audit audit;
    struct contacts contacts;
    struct disk_watch disk;
    uint64_t started_ns;
    uint64_t found_last; /* the last entry of the log as it was found at the start */
    uint64_t stop_ns;    /* when draining began; 0: it has not */
    bool handing_over, hand_over_tried;
    bool started; /* the engine runs: what it restores now came from a peer */
    bool closing;
    bool restore_failed;
    struct snapshot *snapshot; /* being written */
    uint64_t snapshots;
};

/* consensus.c, on the consensus thread */
/* Proposes what waits, as far as entries in flight allow; fails it when this node does not lead. */
void consensus_pump(struct consensus *consensus);
/* The entry at `index` has been applied with these results. */
void consensus_applied(struct consensus *consensus, uint64_t index, uint64_t term,
                       const struct effect_result *results, uint64_t first_index, size_t count);
/* The engine refused an entry for want of room: is it worth to try again soon? It prepares the
 * files of its log ahead, and at the start or under load the next one may not be ready yet. */
bool consensus_may_find_room(struct consensus *consensus);
/* Fails everything that still waits, with the thread's rc_detail(). */
void consensus_fail_waiting(struct consensus *consensus, enum rc rc);
/* A copy of an entry in the engine's memory. */
enum rc consensus_buffer(struct bytes entry, struct raft_buffer *out);
/* Any thread; the lock is held. */
enum rc consensus_check_running(const struct consensus *consensus);

/* consensus_members.c */
void members_pump(struct consensus *consensus);
/* Nothing is to be proposed now: within milliseconds this node leads, or it does not. */
bool members_transferring(const struct consensus *consensus);
/* So that the others need not miss this node first. False: there is nobody to hand it to. */
bool members_hand_over(struct consensus *consensus);
void members_fail_waiting(struct consensus *consensus);
/* To a voter that has room on its disk; nothing happens when there is none. */
void members_give_lead_away(struct consensus *consensus, consensus_changed done);

/* consensus_read.c */
void reads_pump(struct consensus *consensus);
/* An entry of this term for what older terms left, where the engine's own was refused. */
void reads_finish_old(struct consensus *consensus);
void reads_fail_waiting(struct consensus *consensus);

/* consensus_wait.c */
/* The state has moved on. */
void waits_note(struct consensus *consensus);
void waits_expire(struct consensus *consensus);
/* Fails all, now and from now on. */
void waits_close(struct consensus *consensus);

/* consensus_snapshot.c */
void snapshots_pump(struct consensus *consensus);
void snapshots_fail_waiting(struct consensus *consensus);

/* audit.c */
void audit_reset(struct consensus *consensus);
/* The command at `index` was applied. */
void audit_note(struct consensus *consensus, uint64_t index);
/* An audit was applied at `index`. Compares this state with the leader's; stops the process when
 * they differ. */
void audit_compare(struct consensus *consensus, uint64_t index, const struct entry_audit *audit);
/* Proposes the audit that is due, on the leader. */
void audit_pump(struct consensus *consensus);

/* engine_fsm.c */
void engine_fsm_init(struct consensus *consensus);
bool engine_accepts_snapshot(void *consensus, const struct raft_install_snapshot *install);
enum rc engine_refuse_quarantined(const struct consensus *consensus);
/* Stops the process: the log and this node do not agree. Marks the directory first. */
_Noreturn void engine_quarantine(struct consensus *consensus, const char *reason);

/* engine_contact.c; the hooks' context is the consensus */
void contacts_heard(void *consensus, const struct raft_message *message);
void contacts_lost(void *consensus, uint64_t id);
void contacts_told(void *consensus, raft_id to, raft_index commit);
void contacts_keep_members(struct consensus *consensus);
/* In the last election's time, or it is too early to tell. */
bool contacts_is_heard(struct consensus *consensus, uint64_t id);
/* Nothing is to be proposed for moments: the engine would refuse it for a wrong reason. */
bool contacts_are_settling(struct consensus *consensus);
/* As its last answer said. */
bool contacts_has_room(struct consensus *consensus, uint64_t id);
/* By when a majority, this node among it, had answered this leader; of uv_hrtime(). 0: never. */
uint64_t contacts_majority_ms(struct consensus *consensus);
/* Fills in up to PEER_MEMBERS_MAX numbers, and returns how many. */
size_t contacts_missing(struct consensus *consensus, uint64_t leader, uint64_t *out);
/* Tells followers of what has been committed, on the leader; before the loop waits. */
void contacts_nudge(struct consensus *consensus);
/* To followers that the engine sends no heartbeat in this tick; after it. */
void contacts_beat(void *consensus);

/* engine_disk.c */
void disk_tick(struct consensus *consensus);
/* RC_DISK when it is full, as last looked at. */
enum rc disk_check(const struct consensus *consensus);
/* Looks now. */
bool disk_has_room_for(struct consensus *consensus, uint64_t len);
/* Ends the process when a write of the log has failed. */
struct raft_tracer *disk_tracer(void);

/* engine_watch.c */
bool engine_leads(const struct consensus *consensus);
/* As the log says now. */
bool engine_has_member(const struct consensus *consensus, uint64_t id);
/* More than one voter, as the log says now. */
bool engine_has_peers(const struct consensus *consensus);
/* Anybody else who is sent the log. */
bool engine_has_followers(const struct consensus *consensus);
void engine_heard(void *consensus, raft_id from);
bool engine_is_member(void *consensus, uint64_t id);
/* Publishes the status, tells of another leader, forgets who was removed. The leader, 0: none. */
uint64_t engine_publish(struct consensus *consensus);

/* engine.c */
/* The thread. Sets phase; returns when the engine is closed. */
void *engine_run(void *consensus);

#endif

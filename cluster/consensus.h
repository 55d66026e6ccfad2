/* SPDX-License-Identifier: Apache-2.0 */
/* The replication engine behind a narrow door, so that libraft could be changed for another. Its
 * own thread and loop. */
#ifndef QHSM_CLUSTER_CONSENSUS_H
#define QHSM_CLUSTER_CONSENSUS_H

#include "cluster/peer_transport.h"
#include "common/buf.h"
#include "common/rc.h"
#include "token/state.h"

struct consensus;

/* How the members talk to each other. Strings are copied, references to contexts taken. */
struct consensus_peers {
    const char *listen;  /* host:port; port 0: any */
    const char *address; /* host:port by which the others reach it, in the log; NULL: as `listen` */
    SSL_CTX *server, *client; /* of rpc/tls.h; the certificate is qhsm:CLUSTER/node/NODE */
    /* Was this node removed from the cluster for good, as far as the caller's own records say? May
     * be NULL. On the consensus thread. */
    bool (*is_removed)(void *context, uint64_t id);
    void *context;
};

struct consensus_leader {
    uint64_t term;
    uint64_t leader; /* 0: none known */
    bool self;
};

struct consensus_config {
    const char *dir; /* of the log and snapshots; made if absent (0700) */
    uint8_t cluster[16];
    uint64_t node;
    /* This directory is new: a cluster of this voter alone. The others start with an empty
     * directory and without it, and wait until they are added. */
    bool bootstrap;
    unsigned heartbeat_ms, election_ms;
    unsigned snapshot_threshold, snapshot_trailing;
    const struct consensus_peers *peers; /* NULL: talks to nobody */
    unsigned audit_every; /* entries between comparisons of the state's hash; 0: 1,000 */
    /* Of the file system of `dir`: with less free, changes are refused before the engine's own
     * write fails. 0: no reserve. */
    uint64_t disk_reserve_bytes;
    /* Another leader or term, or none; on the consensus thread. May be NULL. */
    void (*leader_changed)(void *context, const struct consensus_leader *leader);
    void *context;
};

/* Reads snapshot and log into `state`, starts the thread, waits until this node leads or follows (a
 * few election times at most: without a quorum it serves what it has). `bootstrap` over a directory
 * that has a log already changes nothing. RC_DISK, RC_TAMPERED, RC_CONFIG say what is wrong with
 * the directory; a directory set aside after a wrong entry (DIR.quarantined) is refused. */
enum rc consensus_start(const struct consensus_config *config, const struct seal_keys *keys,
                        struct state *state, struct consensus **out);
/* Drains, closes, joins the thread. Other threads may still ask: they are told what was last known,
 * or that the HSM is stopping. */
void consensus_end(struct consensus *consensus);
/* The same, then frees it: nobody may ask any more. */
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

/* ---- reading what is new */

/* `applied` is the state's index: who has applied as much has seen everything that was acknowledged
 * anywhere before the call. */
typedef void (*consensus_read)(void *context, enum rc rc, uint64_t applied);
/* On the leader: a majority has confirmed that it still leads. Calls that wait share one log entry.
 * Any thread; `done` on the consensus thread, exactly once after RC_OK: RC_NO_QUORUM when it does
 * not lead. RC_OVERLOADED, RC_UNAVAILABLE when stopping. */
enum rc consensus_barrier(struct consensus *consensus, consensus_read done, void *context);
/* `done` when the state here has applied `index` (state_applied()), or RC_DEADLINE at `expires_ms`
 * of the steady clock (within 10 ms), RC_UNAVAILABLE when stopping. Any thread; `done` exactly once
 * after RC_OK, on the consensus thread, or on the caller's before the call returns when the index
 * is applied already. It must not block. RC_OVERLOADED when too many wait. */
enum rc consensus_when_applied(struct consensus *consensus, uint64_t index, uint64_t expires_ms,
                               consensus_read done, void *context);
/* The state as it is now, as references, taken on the consensus thread. Blocks for moments: never
 * on that thread nor on a worker. state_snapshot_free() it, on any thread. RC_NO_MEMORY,
 * RC_UNAVAILABLE when stopping. */
enum rc consensus_snapshot(struct consensus *consensus, struct state_snapshot **out);
/* Milliseconds since this node was last sure that the cluster has a leader: as a follower that it
 * heard it, as the leader that a majority answered. Any thread, cheap. */
uint64_t consensus_leader_silence_ms(struct consensus *consensus);
/* Has it been sure since it was started? Until then its state may be as old as its disk. Any
 * thread, cheap. */
bool consensus_has_heard_leader(const struct consensus *consensus);

/* ---- members; changes on the leader alone, one at a time */

enum consensus_role { /* as the engine counts them */
                      CONSENSUS_STANDBY,
                      CONSENSUS_VOTER,
                      CONSENSUS_SPARE,
                      CONSENSUS_ROLE_COUNT
};
/* "stand-by", "voter", "spare". */
const char *consensus_role_name(enum consensus_role role);

struct consensus_member {
    uint64_t id;
    enum consensus_role role;
    char address[256];
    uint64_t match; /* last log entry that it is known to have; 0 unless this node leads */
    bool is_heard;  /* it answers; always false unless this node leads. False as soon as a link with
                       it ends, and long before consensus_missing() names it */
};
/* Fills in at most `max` and returns how many there are. As this node's log says; any thread. */
size_t consensus_members(struct consensus *consensus, struct consensus_member *out, size_t max);

/* On the consensus thread, with rc_detail(). RC_NO_QUORUM: this node does not lead; RC_CONFLICT:
 * another change is under way, or it must wait; RC_EXISTS, RC_NOT_FOUND, RC_OUTCOME_UNKNOWN. */
typedef void (*consensus_changed)(void *context, enum rc rc);
/* A new member is a spare: it is sent nothing. A number is never used again. */
enum rc consensus_member_add(struct consensus *consensus, uint64_t id, const char *address,
                             consensus_changed done, void *context);
/* A stand-by is sent the log; it becomes a voter when it is close behind (RC_CONFLICT before). The
 * leader keeps its role. */
enum rc consensus_member_assign(struct consensus *consensus, uint64_t id, enum consensus_role role,
                                consensus_changed done, void *context);
/* Not the leader. The removed node is not told; its connections are refused. */
enum rc consensus_member_remove(struct consensus *consensus, uint64_t id, consensus_changed done,
                                void *context);
/* Hands the lead to a voter, 0: to any. RC_UNAVAILABLE when it did not take over. */
enum rc consensus_transfer(struct consensus *consensus, uint64_t id, consensus_changed done,
                           void *context);

/* Fills in at most `max` numbers of members that this node has not heard lately, and returns how
 * many there are. On the leader: no answer for an election's time. Where no leader is known: no
 * message in three elections, while this node asks for votes. On a follower of a leader: none, the
 * leader knows. Spares are not missed. Any thread, cheap. */
size_t consensus_missing(struct consensus *consensus, uint64_t *out, size_t max);

/* On the leader: has all members compare their states soon, whatever the interval. Who has
 * compared equal shows it in status.audited: at least what state_applied() was here before this
 * call. RC_NO_QUORUM when it does not lead, RC_UNAVAILABLE when stopping. Any thread. */
enum rc consensus_audit_now(struct consensus *consensus);

/* Emulates a full disk, or stops to. Any thread. */
void consensus_pretend_disk_full(struct consensus *consensus, bool full);

/* ---- offline, on a directory that no process uses */

struct consensus_log {
    uint64_t term, index; /* of the last entry: the node with the highest has most */
    uint64_t snapshot;    /* index of the newest snapshot, 0: none */
    uint64_t mark;        /* the log was known to reach this far; above `index`: it was damaged */
    bool quarantined;     /* set aside: not to be recovered from */
};
/* Reads what config->dir has. RC_DISK, RC_TAMPERED as consensus_start(), RC_NOT_FOUND: no log. */
enum rc consensus_inspect(const struct consensus_config *config, struct consensus_log *out);
/* Makes config->node the only member, as a voter, at the end of the log that it has. What only
 * others had acknowledged is lost, and these must never be started with their own logs again.
 * RC_TAMPERED when the log was set aside or is shorter than its mark. */
enum rc consensus_recover(const struct consensus_config *config);

/* ---- peers; any thread, RC_UNSUPPORTED when the node talks to nobody; see peer_transport.h */

enum rc consensus_reload(struct consensus *consensus, SSL_CTX *server, SSL_CTX *client);
enum rc consensus_locate(struct consensus *consensus, uint64_t id, const char *address);
enum rc consensus_suggest(struct consensus *consensus, uint64_t id, const char *address);
enum rc consensus_trouble(struct consensus *consensus, uint64_t id,
                          const struct peer_trouble *trouble);
enum rc consensus_peer_counters(struct consensus *consensus, struct peer_counters *out);

struct consensus_status {
    uint64_t renewed;                     /* how often: it is some milliseconds old when read */
    uint64_t term, applied, commit, last; /* of the log */
    uint64_t leader;                      /* node id, 0: none known */
    const char *role;                     /* "leader", "follower", "candidate" */
    const char *membership;               /* of consensus_role_name(), or "none" */
    uint64_t silence_ms;                  /* consensus_leader_silence_ms() */
    uint64_t loop_max_us;                 /* longest stall of the loop since start */
    uint64_t loop_slow_count;             /* stalls over 10 ms */
    uint64_t snapshots;
    uint64_t snapshots_sent, snapshots_not_sent; /* to peers; not: one was on its way */
    uint64_t snapshots_received;
    uint64_t audits;      /* comparisons with the leader's state, all equal */
    uint64_t audited;     /* state_applied() at the last of them; 0: none since the start */
    size_t missing_count; /* of consensus_missing() */
    bool disk_full;       /* free space is below the reserve, or it is pretended */
    uint64_t disk_free_bytes;
    uint64_t nudges; /* messages sent only to tell followers of a commit at once */
};
void consensus_status(struct consensus *consensus, struct consensus_status *out);

#endif

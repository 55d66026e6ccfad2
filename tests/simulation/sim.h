/* SPDX-License-Identifier: Apache-2.0 */
/* A whole cluster in one thread and virtual time: the real engine (libraft with our guard, batches,
 * reads, members, audits, snapshots and state) on disks and a network that are made up, and clients
 * that keep a history. libraft's own fixture is not used: it cannot lose what was not yet written,
 * restart a server from its disk, or carry our guard. One seed is one process: what it allocates
 * ends with it. */
#ifndef QHSM_TESTS_SIM_H
#define QHSM_TESTS_SIM_H

#include <setjmp.h>

#include "cluster/consensus_internal.h"
#include "tests/linearizability/lin.h"

#define SIM_NODES   8U
#define SIM_CLIENTS 4U
#define MS          ((uint64_t)1000) /* virtual time is in microseconds */

/* ---- random.c: one generator decides everything */

void random_seed(uint64_t seed);
uint64_t random_below(uint64_t limit);
uint64_t random_between(uint64_t least, uint64_t most);
bool random_chance(unsigned per_mille);

/* ---- events.c */

struct node;
typedef void (*event_run)(struct node *node, void *context);
/* `node` NULL: of the world. An event of a node ends with the node's incarnation, and waits while
 * the node is paused. */
void event_after(uint64_t delay_us, struct node *node, event_run run, void *context);
/* Runs the next one. False when none is left or the simulation has failed. */
bool event_next(void);

/* ---- disk.c */

struct stored_entry {
    raft_term term;
    enum raft_entry_type type;
    struct bytes data;
};
struct stored_snapshot {
    raft_index index;
    raft_term term;
    struct raft_configuration configuration;
    raft_index configuration_index;
    struct bytes data;
};
struct disk_write;
struct disk {
    raft_term term;
    raft_id vote;
    struct stored_snapshot *snapshot; /* immutable; NULL: none */
    raft_index start;                 /* index of the first entry */
    struct stored_entry *entries;
    size_t count, cap;
    struct disk_write *first, **last; /* on their way, in order */
    bool full, bad_metadata;
    uint64_t slow_us; /* more for each write */
};
void disk_init(struct disk *disk);
/* Fills in the functions of storage. */
void disk_install(struct raft_io *io);
/* The power goes: of what is on its way a part was written. */
void disk_crash(struct node *node);
raft_index disk_last(const struct disk *disk);

/* ---- network.c */

struct link {
    bool cut;      /* in this direction */
    unsigned loss; /* per mille */
    uint64_t delay_us;
    uint64_t busy_until; /* keeps the order */
};
void network_init(void);
void network_install(struct raft_io *io);
void network_heal(void);
/* For messages of our own between HSMs. False: lost. */
bool network_carry(const struct node *from, struct node *to, event_run run, void *context);

/* ---- node.c */

struct task;
struct node {
    unsigned number; /* of the slot */
    raft_id id;
    char address[32];
    bool exists; /* has a disk and was started once */
    bool up, removed;
    bool may_stop; /* it was hit by a fault that it has to answer by stopping */
    unsigned incarnation;
    uint64_t paused_until;
    int64_t clock_skew_ms;
    struct disk disk;
    struct consensus *consensus;
    raft_io_tick_cb tick;
    raft_io_recv_cb recv;
    bool woken;
    bool restored; /* from a snapshot, since it started */
    struct task *tasks;
    raft_term term_seen;
    raft_index commit_seen;
    uint64_t applied_seen;
    jmp_buf stopped;
};
/* Empty disk; the next free slot and number. NULL: none left. */
struct node *node_new(void);
void node_start(struct node *node);
void node_crash(struct node *node, const char *why);
/* Ends the process of the current node: jumps out. */
_Noreturn void node_stop(const char *why);
/* Runs in the node's process, and what it wakes. */
void node_enter(struct node *node, event_run run, void *context);
bool node_leads(const struct node *node);
struct node *node_of_id(raft_id id);
struct node *node_leader(void); /* the one of the highest term, or NULL */
uint64_t node_applied(const struct node *node);

/* ---- tasks.c: a request at the HSM that a client asked */

enum request_kind {
    REQUEST_SETUP_TOKEN,
    REQUEST_SETUP_POLICY,
    REQUEST_USER_ADD,
    REQUEST_USER_REMOVE,
    REQUEST_USERS_READ,
    REQUEST_PIN_WRONG,
    REQUEST_PIN_RIGHT,
    REQUEST_PIN_UNLOCK,
    REQUEST_PIN_READ,
    REQUEST_OBJECT_CREATE,
    REQUEST_OBJECT_MODIFY,
    REQUEST_OBJECT_DESTROY,
    REQUEST_OBJECT_READ,
    REQUEST_DOCUMENT_CAS,
    REQUEST_DOCUMENT_READ,
    REQUEST_KIND_COUNT
};
const char *request_name(enum request_kind kind);
bool request_is_read(enum request_kind kind);

struct request {
    enum request_kind kind;
    unsigned client;
    uint64_t sequence;
    char name[32];  /* label, user or key of the document */
    uint64_t value; /* to be written */
    uint64_t from;  /* document: the value that it replaces, LIN_ABSENT: none */
    uint64_t seen;  /* index that the client has seen */
};
struct answer {
    enum rc rc;
    uint64_t value; /* of a read */
    uint64_t index;
};
/* The answer travels back by itself. */
void task_begin(struct node *node, const struct request *request, unsigned attempt);
/* Whatever became possible. */
void tasks_pump(struct node *node);

/* ---- effects.c: what a request means here and now */

/* In doubt: what it is about does not seem to be there; the effect will be refused. */
enum prepared { PREPARED_EFFECT, PREPARED_DOUBT, PREPARED_ANSWER };
enum prepared effects_prepare(const struct node *node, const struct request *request,
                              struct buf *effect, struct answer *answer);

/* ---- clients.c */

void clients_start(void);
void clients_answered(const struct request *request, unsigned attempt, const struct answer *answer);
bool clients_ready(void); /* token, policy and users are there */
void clients_stop(void);  /* no new operations */
bool clients_idle(void);
/* Every key is read once more at every node. */
void clients_verify(void);

/* ---- nemesis.c */

void nemesis_start(void);
/* Everything is repaired and started. */
void nemesis_stop(void);

/* ---- checks.c */

struct sim_stats {
    uint64_t events, crashes, pauses, cuts, elections, snapshots, installs, forwards;
    uint64_t operations, unknown, refused, members, stops, applied, histories;
};
/* After each effect that a node applied, by index. */
void checks_applied(const struct node *node, uint64_t index, const struct state *state,
                    const struct effect_result *result);
void checks_node(struct node *node);
void checks_end(void);
enum lin_verdict checks_histories(void);

/* ---- simulate.c */

enum mutation { /* faults built in on purpose: each must be found */
                MUTATION_NONE,
                MUTATION_INDEX,    /* an entry is applied wherever it stands */
                MUTATION_EARLY,    /* acknowledged before it is committed */
                MUTATION_REQUESTS, /* a snapshot forgets the request table */
                MUTATION_SEQUENCE, /* a repeated request gets a new id */
                MUTATION_GUARD,    /* a snapshot may come while one is written */
                MUTATION_STALE,    /* reads do not ask the leader */
                MUTATION_VOTE,     /* votes are not stored */
                MUTATION_FSYNC,    /* writes are acknowledged before they are stored */
                MUTATION_COUNT
};

struct sim {
    uint64_t seed;
    enum mutation mutation;
    bool verbose;
    bool strict;  /* clocks jump by hours; a refusal is the last word on a repeated request */
    uint64_t now; /* microseconds */
    struct node nodes[SIM_NODES];
    struct link links[SIM_NODES][SIM_NODES];
    struct node *current; /* whose process runs */
    const struct seal_keys *keys;
    uint8_t cluster[16];
    struct lin_histories histories;
    struct sim_stats stats;
    bool reorder;
    unsigned threshold, trailing; /* of snapshots */
    bool failed;
    char failure[256];
};
extern struct sim sim;

/* A line of the trace. */
void trace(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Something that must not be: the seed has failed. */
void sim_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Memory until the end of the seed. */
void *sim_alloc(size_t len);

#endif

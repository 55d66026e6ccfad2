/* SPDX-License-Identifier: Apache-2.0 */
/* Several nodes in one process, with TLS between them over loopback. */
#ifndef QHSM_TESTS_ZONES_H
#define QHSM_TESTS_ZONES_H

#include <pthread.h>

#include "cluster/consensus.h"
#include "tests/unit/cluster/peer_fixture.h"
#include "token/state.h"

#define ZONES_MAX     5U
#define ZONES_WAIT_MS 60000U
/* Election timeouts. The patient ones outlast any pause of a busy machine, so that nobody but who
 * is told to takes the lead; the hasty ones are for tests that wait for an election. */
#define ZONES_PATIENT_MS 10000U
#define ZONES_HASTY_MS   500U

struct zone {
    uint64_t id;
    char dir[96];
    char address[32];
    struct peer_identity tls;
    struct seal_keys *keys;
    struct state *state;
    struct consensus *consensus; /* NULL: stopped */
    unsigned election_ms;        /* 0: of the zones; holds from the next start on */
    _Atomic unsigned leader_changes;
};

struct zones {
    char root[64];
    struct peer_fixture pki;
    unsigned heartbeat_ms, election_ms, threshold, trailing, audit_every;
    uint64_t disk_reserve;
    struct zone zone[ZONES_MAX]; /* node i + 1 */
    uint64_t tokens;             /* made so far */
    struct effect_head head;
};

/* Nothing runs yet; settings may be changed. */
void zones_init(struct zones *zones);
/* Stops all, removes all files. */
void zones_clear(struct zones *zones);
enum rc zone_try_start(struct zones *zones, unsigned i);
void zone_start(struct zones *zones, unsigned i);
void zone_stop(struct zones *zones, unsigned i);
/* The first `count` nodes as voters. */
void zones_form(struct zones *zones, unsigned count);
/* Node i joins as a spare, stand-by, then voter if wanted. */
void zones_join(struct zones *zones, unsigned i, enum consensus_role role);
/* The running node that leads, as soon as there is one that the others follow. Fails the case after
 * ZONES_WAIT_MS. */
unsigned zones_leader(struct zones *zones);
/* Does it come to hold of node i? */
bool zones_wait_for(bool (*holds)(unsigned i), unsigned i);
/* All that run have applied the same and have the same hash. */
bool zones_settle(struct zones *zones);
bool zones_same(struct zones *zones, unsigned a, unsigned b);

/* Waits for the outcome. */
enum rc zones_propose(struct zones *zones, unsigned i, struct buf *effect);
/* The next token, through node i. */
enum rc zones_token(struct zones *zones, unsigned i);
/* Through whoever leads, as often as it takes. */
void zones_tokens(struct zones *zones, unsigned count);
void zones_effect(struct zones *zones, struct buf *out);
/* A change of policy: an effect that is never refused once there is a token. */
void zones_policy_effect(struct zones *zones, struct buf *out);
enum rc zones_add(struct zones *zones, unsigned leader, uint64_t id, const char *address);
enum rc zones_assign(struct zones *zones, unsigned leader, uint64_t id, enum consensus_role role);
enum rc zones_remove(struct zones *zones, unsigned leader, uint64_t id);
enum rc zones_transfer(struct zones *zones, unsigned leader, uint64_t id);
enum rc zones_barrier(struct zones *zones, unsigned i, uint64_t *out_applied);
/* Trouble of node i with everybody else, both ways. */
void zones_cut(struct zones *zones, unsigned i, bool cut);
void zones_trouble(struct zones *zones, unsigned i, const struct peer_trouble *trouble);
uint64_t zones_term(struct zones *zones, unsigned i);
/* A moment old. */
struct consensus_status zones_status(struct zones *zones, unsigned i);
/* All that it tells was so after the call. */
struct consensus_status zones_new_status(struct zones *zones, unsigned i);
uint64_t zones_now_ms(void);
/* Of the first three, the one that is neither. */
unsigned zones_other(unsigned a, unsigned b);
/* The signal that ended it, or minus its exit code. */
int zones_in_child(void (*run)(void));

/* Changes that nobody waits for one by one. */
struct zones_flood {
    pthread_mutex_t lock;
    unsigned sent, good, unknown, no_quorum, other;
};
void zones_flood(struct zones *zones, struct zones_flood *flood, unsigned i, unsigned count);
bool zones_flood_is_over(struct zones_flood *flood);

#endif

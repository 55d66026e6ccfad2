/* SPDX-License-Identifier: Apache-2.0 */
/* The replicated state of an HSM: tokens, users, policies, objects, answered request ids. Changed
 * by state_apply() alone, which is total and deterministic; read by all workers. */
#ifndef QHSM_TOKEN_STATE_H
#define QHSM_TOKEN_STATE_H

#include <sys/uio.h>

#include "token/object.h"
#include "token/policy.h"

#define USER_NAME_MAX   31U
#define TOKEN_LABEL_MAX 32U
#define PIN_SALT_LEN    16U
#define PIN_HASH_LEN    32U

struct state;

enum rc state_new(const struct seal_keys *keys, struct state **out);
void state_free(struct state *state);

/* ---- reading: any thread
 * ---------------------------------------------------------------------------------------- */

struct token_row {
    uint64_t number; /* slot id; never reused */
    char label[TOKEN_LABEL_MAX + 1];
    char serial[17];
    uint64_t object_count;
    uint64_t epoch; /* counts every change of policy or re-initialisation: voids tickets */
    struct policy policy;
};
struct user_row {
    uint64_t id; /* unique in the cluster, never reused */
    uint64_t token;
    enum user_role role;
    char name[USER_NAME_MAX + 1]; /* "so"; "user" is the default user */
    uint64_t version;             /* counts changes of PIN, lock and disable: voids tickets */
    bool disabled;
    bool has_pin;
    uint32_t tries;      /* wrong ones in a row */
    uint32_t iterations; /* PBKDF2-HMAC-SHA256 */
    uint8_t salt[PIN_SALT_LEN];
    uint8_t verifier[PIN_HASH_LEN]; /* sealed by the pepper: see user.h */
};
#define DEFAULT_USER_NAME "user"
#define SO_USER_NAME      "so"

/* Copies out. RC_SLOT_INVALID. */
enum rc state_token(const struct state *state, uint64_t number, struct token_row *out);
/* Fills up to max numbers in ascending order and returns how many there are. */
size_t state_tokens(const struct state *state, uint64_t *numbers, size_t max);
uint64_t
state_next_token(const struct state *state); /* the slot that shows the uninitialised token */
enum rc state_user(const struct state *state, uint64_t token, const char *name,
                   struct user_row *out); /* RC_NOT_FOUND */
enum rc state_user_by_id(const struct state *state, uint64_t id, struct user_row *out);
size_t state_users(const struct state *state, uint64_t token, struct user_row *out, size_t max);
/* Does a login given at that epoch of the token and version of the user still hold? Cheap: one read
 * lock, nothing copied. */
bool state_login_holds(const struct state *state, uint64_t token, uint64_t token_epoch,
                       uint64_t user_id, uint64_t user_version);
/* A new reference or NULL. One shard's read lock. */
struct object *state_object(const struct state *state, uint64_t handle);
uint64_t state_object_count(const struct state *state);
uint64_t state_applied(const struct state *state);
void state_hash(const struct state *state, uint8_t out[32]);

/* Search: calls back for each object of the token that matches all attributes, handles ascending
 * after `after`, until `visit` returns false. Uses the index on label, id, class or unique id that
 * has the fewest candidates and never walks what it does not return when the template names label,
 * id or unique id. `see_private` false hides private objects. Secret attributes in the template
 * match nothing. Objects are borrowed for the call. */
typedef bool (*state_visit)(struct object *object, void *context);
enum rc state_find(const struct state *state, uint64_t token, struct attrs wanted, bool see_private,
                   uint64_t after, state_visit visit, void *context);

/* ---- effects: encoded by these, decoded by state_apply()
 * ---------------------------------------------------------- */

/* Who asked: a repeated {application, sequence} that was done answers as the first time did, and
 * changes nothing; a refused one is tried again. Sequence 0: not repeatable. A sequence below those
 * that are still remembered: RC_OUTCOME_UNKNOWN. */
struct effect_head {
    uint8_t application[16];
    uint64_t sequence;
    uint64_t time_ms; /* of the proposer: the state's logical clock */
};

/* `number` is state_next_token() for a new token. Re-initialisation names the token's own serial:
 * with another one a new token was meant, and somebody was quicker (RC_CONFLICT). */
enum rc effect_token_init(struct buf *out, const struct effect_head *head, uint64_t number,
                          const char *label, const char *serial,
                          const struct user_row *so); /* makes, or re-initialises and empties */
/* expected_version 0: the user must not exist yet. `user` gives role, disabled, PIN and, when it is
 * 0, a fresh start of tries; id and version are the state's. */
enum rc effect_user_put(struct buf *out, const struct effect_head *head,
                        const struct user_row *user, uint64_t expected_version);
enum rc effect_user_delete(struct buf *out, const struct effect_head *head, uint64_t token,
                           const char *name);
/* Refused: RC_PIN_LOCKED, RC_USER_DISABLED, RC_NOT_FOUND, and RC_CONFLICT when the PIN was changed
 * meanwhile. wrong: tries + 1. right: tries = 0 unless the limit was reached meanwhile
 * (RC_PIN_LOCKED). */
enum rc effect_user_tried(struct buf *out, const struct effect_head *head, uint64_t user_id,
                          uint64_t expected_version, bool right);
/* expected_epoch: of the token, when the change was made; RC_CONFLICT with another one. 0: any. */
enum rc effect_policy_put(struct buf *out, const struct effect_head *head, uint64_t token,
                          uint64_t expected_epoch, const struct policy *policy);
/* One or two records; all or none. RC_LIMIT by policy; RC_TICKET_VOID when the owner is gone. */
enum rc effect_objects_add(struct buf *out, const struct effect_head *head, uint64_t token,
                           const struct bytes *records, size_t count);
/* The record's version must be the stored one + 1: RC_CONFLICT otherwise. */
enum rc effect_object_replace(struct buf *out, const struct effect_head *head, uint64_t handle,
                              struct bytes record);
enum rc effect_object_destroy(struct buf *out, const struct effect_head *head, uint64_t handle);

#define EFFECT_HANDLES_MAX 2U
struct effect_result {
    enum rc rc;
    size_t handle_count;
    uint64_t handles[EFFECT_HANDLES_MAX];
};

/* The single writer. `index` must be state_applied() + 1. A refusal is in the result; what is
 * impossible (a malformed effect) aborts the process with a log line. Locks shards for moments. */
void state_apply(struct state *state, uint64_t index, struct bytes effect,
                 struct effect_result *out);
/* Is it well-formed, so that state_apply() will not abort? For effects from a peer, before they are
 * proposed. RC_PROTOCOL. */
enum rc effect_check(struct bytes effect);
/* Moves the index over entries without effect (barriers, configuration). */
void state_skip(struct state *state, uint64_t index);

/* ---- snapshots: writer's thread
 * ---------------------------------------------------------------------------------- */

struct state_snapshot; /* references to immutable records; ends with count, state hash and MAC */
enum rc state_snapshot_take(const struct state *state, struct state_snapshot **out);
/* Views into the snapshot; valid until freed. Any thread may read them. */
const struct iovec *state_snapshot_parts(const struct state_snapshot *snapshot, size_t *out_count);
void state_snapshot_free(struct state_snapshot *snapshot);
/* Verifies everything in new tables, then swaps. RC_TAMPERED leaves the state as it was. */
enum rc state_restore(struct state *state, struct bytes snapshot);

#endif

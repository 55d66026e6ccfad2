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
/* The state's hash, and the index that it is of: changes may be applied meanwhile. */
uint64_t state_hash(const struct state *state, uint8_t out[32]);

/* HMAC under the pepper of PIN verifiers: this cluster's own, or the one that a restore brought
 * along. Any thread. RC_TAMPERED. */
enum rc state_pepper_mac(const struct state *state, struct bytes part, uint8_t out[32]);

/* Search: calls back for each object of the token that matches all attributes, handles ascending
 * after `after`, until `visit` returns false. Uses the index on label, id, class or unique id that
 * has the fewest candidates and never walks what it does not return when the template names label,
 * id or unique id. `see_private` false hides private objects. Secret attributes in the template
 * match nothing. Objects are borrowed for the call. */
typedef bool (*state_visit)(struct object *object, void *context);
enum rc state_find(const struct state *state, uint64_t token, struct attrs wanted, bool see_private,
                   uint64_t after, state_visit visit, void *context);

/* ---- documents: small versioned records of the cluster and of the services on it. Secrets in them
 * are sealed by whoever puts them there (SEAL_CLUSTER). */

enum document_space {                       /* numbers are in the log: never reused */
                      DOCUMENT_CLUSTER = 1, /* authority, backup key, counter of nodes */
                      DOCUMENT_NODE = 2,    /* members: cluster/roll.h */
                      DOCUMENT_JOIN = 3,    /* join tokens */
                      DOCUMENT_ORIGIN = 4, /* of a restored cluster: changed by its restore alone */
                      DOCUMENT_KMS = 5,    /* of the KMS front ends; keys are paths, values JSON */
                      DOCUMENT_OWNER = 6,  /* whose DOCUMENT_KMS is: changed by its effects alone */
                      DOCUMENT_SPACE_END,
};
/* How keys of DOCUMENT_KMS begin that decide nothing: last uses, written while requests that rest
 * on the documents are in flight. */
#define DOCUMENT_NOTE        "used/"
#define DOCUMENT_KEY_MAX     128U
#define DOCUMENT_VALUE_MAX   ((size_t)64 * 1024)
#define DOCUMENT_CHANGES_MAX 8U
#define DOCUMENT_GROUNDS_MAX 256U
/* All documents together: RC_LIMIT beyond. Bounds what a snapshot copies in one go. */
#define DOCUMENTS_MAX       131072U
#define DOCUMENTS_BYTES_MAX ((size_t)64 * 1024 * 1024)

/* Appends the value. RC_NOT_FOUND. Any thread. */
enum rc state_document(const struct state *state, enum document_space space, struct bytes key,
                       struct buf *out_value, uint64_t *out_version);
/* Keys ascending (bytes_compare()) until `visit` returns false. Views for the call, under a
 * read lock: visit must not call the state. */
typedef bool (*document_visit)(void *context, struct bytes key, struct bytes value,
                               uint64_t version);
void state_documents(const struct state *state, enum document_space space, document_visit visit,
                     void *context);
/* Another number after each change in the space; cheap. Also different after a restore. Never 0.
 * Read it before the documents: whoever finds the same number again has them as they are. */
uint64_t state_documents_epoch(const struct state *state, enum document_space space);
/* The state's index of the last change in the space (of DOCUMENT_KMS alone), as far as it is known
 * here: after a snapshot was read back that of the snapshot. No lock. */
uint64_t state_documents_changed(const struct state *state, enum document_space space);
/* The same of the last change but those of keys that begin with DOCUMENT_NOTE. */
uint64_t state_documents_decided(const struct state *state, enum document_space space);
/* What changed in the space after `since`: keys ascending after `after`, until `visit` returns
 * false; version 0 and no value for what is gone. *out_whole: that far back is not known here (or
 * `since` is 0), and what is not visited is gone. *out_index: of the state that was visited. Visit
 * as above. RC_NO_MEMORY. */
enum rc state_documents_since(const struct state *state, enum document_space space, uint64_t since,
                              struct bytes after, document_visit visit, void *context,
                              uint64_t *out_index, bool *out_whole);

/* Whose the documents of DOCUMENT_KMS are. The first change binds them to its crypto user's token
 * and name, and no other's changes are taken from then on. They go with the token when it is
 * initialised again, as the keys do that they describe. */
struct documents_owner {
    uint64_t token;
    char user[USER_NAME_MAX + 1];
};
/* False: nobody's yet. Any thread. */
bool state_documents_owner(const struct state *state, struct documents_owner *out);

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
/* Both, or the first when the second is gone already. RC_OBJECT_HANDLE: there is no first. */
enum rc effect_pair_destroy(struct buf *out, const struct effect_head *head, uint64_t first,
                            uint64_t second);

struct document_change {
    enum document_space space;
    struct bytes key;
    uint64_t expected_version; /* 0: it must not exist yet */
    bool is_removal;
    struct bytes value;
};
/* An effect's bytes at most, so that it fits into one entry of the log. */
#define EFFECT_LEN_MAX ((size_t)255 * 1024)
/* All or none: RC_CONFLICT when one of the versions is another, RC_LIMIT. A new document has
 * version 1, each change adds 1. Here: RC_BAD_ARGUMENT for a space, key, value or count outside the
 * limits, a document twice, or the removal of one that must not exist; RC_TOO_LARGE over
 * EFFECT_LEN_MAX. */
enum rc effect_documents_change(struct buf *out, const struct effect_head *head,
                                const struct document_change *changes, size_t count);

/* A document that stays as it is, and by which somebody was allowed to make the change. */
struct document_ground {
    struct bytes key; /* of DOCUMENT_KMS */
    uint64_t version;
};
struct owned_change {
    uint64_t user_id;
    const struct document_change *changes; /* as above */
    size_t count;
    const struct document_ground *grounds; /* DOCUMENT_GROUNDS_MAX at most */
    size_t ground_count;
};
/* The same for DOCUMENT_KMS alone, by the crypto user of that id; without any change it only binds
 * the documents. RC_NOT_OWNER: they are bound to another; RC_TICKET_VOID: the user is gone;
 * RC_VIEW_OLD: one of the grounds has another version, or is gone. */
enum rc effect_owned_change(struct buf *out, const struct effect_head *head,
                            const struct owned_change *change);
/* The documents of DOCUMENT_KMS are nobody's again; `erase`: and are gone. */
enum rc effect_owned_release(struct buf *out, const struct effect_head *head, bool erase);

#define EFFECT_HANDLES_MAX 2U
struct effect_result {
    enum rc rc;
    size_t handle_count;
    uint64_t handles[EFFECT_HANDLES_MAX];
};

/* Was this request done, or refused by its effect? Then its repetition is not to be refused for
 * what it did itself, nor done after a refusal: it is answered with the first one's result. Any
 * thread. */
bool state_request_done(const struct state *state, const uint8_t application[16], uint64_t sequence,
                        struct effect_result *out);

/* The single writer. `index` must be state_applied() + 1. A refusal is in the result; what is
 * impossible (a malformed effect) aborts the process with a log line. Locks shards for moments. */
void state_apply(struct state *state, uint64_t index, struct bytes effect,
                 struct effect_result *out);
/* Is it well-formed, so that state_apply() will not abort? For effects from a peer, before they are
 * proposed. RC_PROTOCOL. */
enum rc effect_check(struct bytes effect);

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

/* SPDX-License-Identifier: Apache-2.0 */
/* What an HSM does, one function a request: rights, law, cryptography, and for a mutation the
 * effect to propose. The daemon's handlers are thin over this; tests drive it without a daemon. */
#ifndef QHSM_TOKEN_HSM_H
#define QHSM_TOKEN_HSM_H

#include "common/mechanism.h"
#include "token/law.h"
#include "token/mech.h"
#include "token/session_objects.h"
#include "token/state.h"
#include "token/user.h"

/* Objects that every token shows and nobody made: CKO_PROFILE. Bit 61 of the handle. */
#define BUILTIN_HANDLE_BIT ((uint64_t)1 << 61)
#define BUILTINS_COUNT     2U

/* The law that a lane read last: a ticket that was checked names the epoch, so that it holds.
 * Touched by the lane's thread alone. */
struct lane_law {
    uint64_t token;
    uint64_t epoch;
    struct policy policy;
    uint8_t apart[64]; /* lanes share no cache line */
};

struct hsm {
    struct seal_keys *keys;
    struct state *state;
    struct session_objects *sessions;
    uint64_t node;
    struct object *builtins[BUILTINS_COUNT];
    struct lane_law lanes[LANES_MAX];
};

/* Opens keys, state and session objects over a master key; crypto_lib_init() was called. */
enum rc hsm_new(const struct secret *master, const uint8_t cluster[16], uint64_t node,
                struct hsm **out);
void hsm_free(struct hsm *hsm);

/* Who asks: the daemon fills it from connection and ticket. */
struct caller {
    uint8_t application[16];
    uint64_t sequence; /* of the request; 0: none */
    bool logged_in;
    bool is_admin;        /* of the connection, not of a token */
    struct ticket ticket; /* checked against the state for this request */
    struct bytes context; /* proof of a context-specific login that came with the request */
    unsigned lane;
    uint64_t now_ms;
};

/* The outcome of a mutating request. When `effect` is empty everything is done (session objects)
 * and `result` holds the handles; else the daemon proposes it, and answers `verdict` when the
 * effect's own result is RC_OK (a wrong PIN is counted before it is answered). */
struct mutation {
    struct buf effect;
    enum rc verdict;
    struct effect_result result;
    struct buf sealed[EFFECT_HANDLES_MAX]; /* session objects */
    struct buf reply;                      /* ticket of a login; IV made by the HSM */
};
#define MUTATION_INIT                                                  \
    {                                                                  \
        .effect = BUF_INIT, .verdict = RC_OK, .result = {.rc = RC_OK}, \
        .sealed = {BUF_INIT, BUF_INIT}, .reply = BUF_INIT              \
    }
void mutation_clear(struct mutation *mutation);
/* After the effect was applied (or failed): puts its outcome into mutation->result. A pair may be
 * one token and one session object: its session half has its handle already, and is destroyed when
 * the effect was refused. Any thread. */
void hsm_settle(struct hsm *hsm, const struct caller *caller, struct mutation *mutation,
                const struct effect_result *applied);

/* Tokens and users. Functions marked POOL take milliseconds or more: never on a worker's loop. */
enum rc hsm_init_token(struct hsm *hsm, const struct caller *caller, uint64_t slot,
                       const char *label, struct bytes so_pin, struct mutation *out); /* POOL */
/* The same without the SO's PIN, for one that is locked or forgotten: everything on the token goes,
 * so_pin is the new one. RC_NOT_PERMITTED but for administrators. */
enum rc hsm_reset_token(struct hsm *hsm, const struct caller *caller, uint64_t slot,
                        const char *label, struct bytes so_pin, struct mutation *out); /* POOL */
enum rc hsm_init_pin(struct hsm *hsm, const struct caller *caller, struct bytes pin,
                     struct mutation *out); /* POOL */
enum rc hsm_set_pin(struct hsm *hsm, const struct caller *caller, uint64_t slot, CK_USER_TYPE type,
                    struct bytes old_pin, struct bytes new_pin, struct mutation *out); /* POOL */
/* The same for the crypto user of that name; the passwords are bare. */
enum rc hsm_set_password(struct hsm *hsm, const struct caller *caller, uint64_t slot,
                         const char *name, struct bytes old, struct bytes fresh,
                         struct mutation *out); /* POOL */
/* out->reply: the ticket, or with CKU_CONTEXT_SPECIFIC the proof for caller.context, good for
 * TICKET_CONTEXT_LIFE_MS. Serialised per user by the daemon. */
enum rc hsm_login(struct hsm *hsm, const struct caller *caller, uint64_t slot, CK_USER_TYPE type,
                  const char *name, struct bytes pin, struct mutation *out); /* POOL */
void hsm_logout(struct hsm *hsm, const struct caller *caller);
enum rc hsm_user_create(struct hsm *hsm, const struct caller *caller, const char *name,
                        struct bytes pin, struct mutation *out); /* POOL; SO */
enum rc hsm_user_change(struct hsm *hsm, const struct caller *caller, const char *name,
                        enum user_change change, struct bytes pin,
                        struct mutation *out); /* POOL; SO */
/* The token's law, by its SO; voids every ticket of the token. RC_BAD_ARGUMENT for limits that
 * nobody could meet (policy_check()). RC_CONFLICT when the token's epoch is not the one that the
 * policy was read with. */
enum rc hsm_policy_set(struct hsm *hsm, const struct caller *caller, const struct policy *policy,
                       uint64_t expected_epoch, struct mutation *out);

/* Objects. */
enum rc hsm_create_object(struct hsm *hsm, const struct caller *caller, uint64_t slot,
                          struct attrs wanted, struct mutation *out);
enum rc hsm_copy_object(struct hsm *hsm, const struct caller *caller, uint64_t handle,
                        struct attrs wanted, struct mutation *out);
enum rc hsm_destroy_object(struct hsm *hsm, const struct caller *caller, uint64_t handle,
                           struct mutation *out);
enum rc hsm_set_attributes(struct hsm *hsm, const struct caller *caller, uint64_t handle,
                           struct attrs wanted, struct mutation *out);
/* A visible object (new reference), of token or session. RC_OBJECT_HANDLE, RC_SESSION_OBJECT_LOST,
 * RC_NOT_LOGGED_IN never: a private object of a public caller does not exist. */
enum rc hsm_object(struct hsm *hsm, const struct caller *caller, uint64_t handle,
                   struct object **out);
/* One attribute as C_GetAttributeValue may show it; value appended to `out` (secret since
 * extractable keys are shown). */
enum rc hsm_get_attribute(struct hsm *hsm, const struct object *object, CK_ATTRIBUTE_TYPE type,
                          struct secret *out);
enum rc hsm_find(struct hsm *hsm, const struct caller *caller, uint64_t slot, struct attrs wanted,
                 uint64_t after, state_visit visit, void *context);

/* Keys. */
enum rc hsm_generate_key(struct hsm *hsm, const struct caller *caller, uint64_t slot,
                         const struct mech_call *call, struct attrs wanted, struct mutation *out);
enum rc hsm_generate_key_pair(struct hsm *hsm, const struct caller *caller, uint64_t slot,
                              const struct mech_call *call, struct attrs wanted_public,
                              struct attrs wanted_private, struct mutation *out); /* POOL for RSA */
enum rc hsm_wrap(struct hsm *hsm, const struct caller *caller, uint64_t wrapping, uint64_t target,
                 const struct mech_call *call, struct buf *out);
enum rc hsm_unwrap(struct hsm *hsm, const struct caller *caller, uint64_t unwrapping,
                   const struct mech_call *call, struct bytes wrapped, struct attrs wanted,
                   struct mutation *out);
enum rc hsm_derive(struct hsm *hsm, const struct caller *caller, uint64_t base,
                   const struct mech_call *call, struct attrs wanted, struct mutation *out);

/* Use. A private key with CKA_ALWAYS_AUTHENTICATE needs caller.context (RC_NOT_LOGGED_IN). */
enum rc hsm_crypt(struct hsm *hsm, const struct caller *caller, enum crypt_op op, uint64_t key,
                  uint64_t version, const struct mech_call *call, bool prehashed, struct bytes data,
                  struct bytes signature, struct buf *out, struct buf *out_iv);
enum rc hsm_operation_begin(struct hsm *hsm, const struct caller *caller, enum crypt_op op,
                            uint64_t key, uint64_t version, const struct mech_call *call,
                            size_t hold_max, struct buf *out_iv, struct operation **out);

#endif

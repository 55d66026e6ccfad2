/* SPDX-License-Identifier: Apache-2.0 */
/* PINs and logins: verifiers, the grammar of PINs, and tickets, which any HSM of the cluster
 * accepts. */
#ifndef QHSM_TOKEN_USER_H
#define QHSM_TOKEN_USER_H

#include "token/seal.h"
#include "token/state.h"

/* `user:password` names a crypto user, a plain PIN is the default user's; split at the first colon,
 * and only when a user of that name exists (so that a default user's PIN may hold a colon). `name`
 * from C_LoginUser wins. Views into pin. */
enum rc user_pick(const struct state *state, uint64_t token, enum user_role role, struct bytes pin,
                  const char *name, struct user_row *out_user, struct bytes *out_password);
/* Length and characters by the policy. RC_PIN_LEN, RC_PIN_INVALID. */
enum rc pin_check(const struct policy *policy, struct bytes password);
/* Fills salt, iterations, verifier, has_pin: milliseconds of work, for the pool. verifier =
 * HMAC(pepper, PBKDF2), the pepper being the state's. */
enum rc user_set_pin(const struct state *state, struct user_row *user, struct bytes password);
/* RC_PIN_INCORRECT; constant time. Milliseconds of work, for the pool. */
enum rc user_verify_pin(const struct state *state, const struct user_row *user,
                        struct bytes password);

/* A proof of a context-specific login is for the use that follows at once. */
#define TICKET_CONTEXT_LIFE_MS 30000U

struct ticket {
    uint64_t token;
    uint64_t user_id;
    enum user_role role;
    uint64_t user_version;
    uint64_t token_epoch;
    uint64_t expires_ms; /* 0: never */
    bool is_context;     /* no login, but the proof of a context-specific one */
    uint8_t application[16];
    char user[USER_NAME_MAX + 1];
};
enum rc ticket_seal(const struct seal_keys *keys, const struct ticket *ticket, struct buf *out);
/* Opens only. RC_TICKET_VOID. */
enum rc ticket_open(const struct seal_keys *keys, struct bytes sealed, struct ticket *out);
/* A login's, against the state now: version, epoch, disabled, expiry, application. Cheap, for every
 * request. RC_TICKET_VOID. */
enum rc ticket_check(const struct state *state, const struct ticket *ticket,
                     const uint8_t application[16], uint64_t now_ms);
/* The same for a proof, which must be of that login's user and token. RC_NOT_LOGGED_IN: the login
 * itself still holds. */
enum rc ticket_check_context(const struct state *state, const struct ticket *proof,
                             const struct ticket *login, uint64_t now_ms);

#endif

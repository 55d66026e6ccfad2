/* SPDX-License-Identifier: Apache-2.0 */
/* Between the files of hsm*.c: who sees what, and how new objects are put away. */
#ifndef QHSM_TOKEN_HSM_INTERNAL_H
#define QHSM_TOKEN_HSM_INTERNAL_H

#include "token/hsm.h"
#include "token/template.h"

struct effect_head hsm_head(const struct caller *caller);
/* The caller's role on that token; a login on another token is none. */
enum user_role hsm_role(const struct caller *caller, uint64_t token);
/* RC_TOKEN_NOT_INITIALIZED, RC_SLOT_INVALID. */
enum rc hsm_token(const struct hsm *hsm, uint64_t slot, struct token_row *out);
/* A visible key (new reference). What is no key, too, is answered with `missing`: RC_KEY_HANDLE,
 * RC_WRAPPING_KEY_HANDLE, ... A lost session object stays RC_SESSION_OBJECT_LOST, so that the
 * client restores it. */
enum rc hsm_key(struct hsm *hsm, const struct caller *caller, uint64_t handle, enum rc missing,
                struct object **out);

/* Seals one or two new objects: session objects are there at once, token objects are an effect. */
enum rc hsm_add(struct hsm *hsm, const struct caller *caller, uint64_t slot,
                struct object_parts *parts, size_t count, struct mutation *out);
/* template_apply() and hsm_add() of one object. */
enum rc hsm_make(struct hsm *hsm, const struct caller *caller, uint64_t slot,
                 const struct template_request *request, struct mutation *out);

/* hsm_keys.c: the value alone, under the law of unwrapping and deriving. RC_KEY_FUNCTION for a key
 * with a template of its own for what it makes. */
enum rc hsm_unwrap_value(struct hsm *hsm, const struct caller *caller, uint64_t unwrapping,
                         const struct mech_call *call, struct bytes wrapped,
                         struct token_row *out_token, struct secret *out);
enum rc hsm_derive_value(struct hsm *hsm, const struct caller *caller, uint64_t base,
                         const struct mech_call *call, struct secret *out);

/* hsm_builtin.c: CKO_PROFILE. */
enum rc hsm_builtins_new(struct hsm *hsm);
void hsm_builtins_free(struct hsm *hsm);
/* New reference or NULL. */
struct object *hsm_builtin(const struct hsm *hsm, uint64_t handle);
/* Calls back as state_find() does; false when `visit` stopped. */
bool hsm_builtins_find(const struct hsm *hsm, struct attrs wanted, uint64_t after,
                       state_visit visit, void *context);

#endif

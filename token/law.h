/* SPDX-License-Identifier: Apache-2.0 */
/* The one law: may this caller use this key for this operation with this mechanism now? Decided on
 * replicated state. */
#ifndef QHSM_TOKEN_LAW_H
#define QHSM_TOKEN_LAW_H

#include "common/crypt.h"
#include "common/mechanism.h"
#include "token/object.h"
#include "token/policy.h"

/* What an operation needs of a key. */
enum law_use {
    LAW_ENCRYPT,
    LAW_DECRYPT,
    LAW_SIGN,
    LAW_VERIFY,
    LAW_SIGN_RECOVER,
    LAW_VERIFY_RECOVER,
    LAW_WRAP,
    LAW_UNWRAP,
    LAW_DERIVE
};

/* Usage flag, key type and size against the mechanism's row, CKA_ALLOWED_MECHANISMS, dates
 * (now_ms), policy. */
enum rc law_key_use(const struct policy *policy, const struct object *key,
                    const struct mechanism *mech, enum law_use use, uint64_t now_ms);
/* Generation or digest: the mechanism has that flag and the policy allows it. */
enum rc law_mechanism(const struct policy *policy, const struct mechanism *mech, CK_FLAGS flag);
/* Target of a wrap: extractable, WRAP_WITH_TRUSTED, WRAP_TEMPLATE matches, strict policy: strength,
 * authenticated mechanism. */
enum rc law_wrap(const struct policy *policy, const struct object *wrapping,
                 const struct object *target, const struct mechanism *mech);
/* Strict policy on a new or changed key: no wrap with decrypt, no unwrap with encrypt, ...
 * (docs/security.md). */
enum rc law_new_key(const struct policy *policy, struct attrs public_attrs);

#endif

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
/* The other key of a derivation (a salt, what is concatenated): CKA_DERIVE, CKA_ALLOWED_MECHANISMS
 * and dates; type and size are the base key's alone. */
enum rc law_second_key(const struct object *key, const struct mechanism *mech, uint64_t now_ms);
/* Generation or digest: the mechanism has that flag and the policy allows it. */
enum rc law_mechanism(const struct policy *policy, const struct mechanism *mech, CK_FLAGS flag);
/* The parameter under the strict policy: short tags and IVs that the caller chose.
 * RC_MECHANISM_PARAM. */
enum rc law_parameter(const struct policy *policy, const struct mech_call *call, enum law_use use);

struct law_wrap {
    const struct object *wrapping;
    const struct object *target;
    uint32_t wrapping_strength; /* key_strength() */
    uint32_t target_strength;
    const struct mechanism *mech;
};
/* Target of a wrap: extractable, WRAP_WITH_TRUSTED, WRAP_TEMPLATE matches, strict policy: strength,
 * authenticated mechanism, a wrapping key of known origin. RC_KEY_UNEXTRACTABLE,
 * RC_KEY_NOT_WRAPPABLE, RC_WRAPPING_KEY_SIZE, RC_MECHANISM. */
enum rc law_wrap(const struct policy *policy, const struct law_wrap *wrap);

/* How a key came, for the strict policy. */
enum law_origin {
    LAW_GENERATED,
    LAW_IMPORTED,  /* its value was known outside */
    LAW_UNWRAPPED, /* its former attributes are not known */
    LAW_DERIVED,
    LAW_CHANGED, /* copied or set: `before` is the source */
};
/* Strict policy on a new or changed key (docs/security.md); anything goes when it is off.
 * RC_TEMPLATE_INCONSISTENT. `before` NULL but for LAW_CHANGED. */
enum rc law_new_key(const struct policy *policy, enum law_origin origin, struct attrs public_attrs,
                    const struct object *before);

#endif

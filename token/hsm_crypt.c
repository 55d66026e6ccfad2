/* SPDX-License-Identifier: Apache-2.0 */
/* The hot path: one look-up, the law, the mechanism. */
#include "token/hsm_internal.h"

static const enum law_use law_of[] = {
    [CRYPT_SIGN] = LAW_SIGN,
    [CRYPT_VERIFY] = LAW_VERIFY,
    [CRYPT_ENCRYPT] = LAW_ENCRYPT,
    [CRYPT_DECRYPT] = LAW_DECRYPT,
    [CRYPT_SIGN_RECOVER] = LAW_SIGN_RECOVER,
    [CRYPT_VERIFY_RECOVER] = LAW_VERIFY_RECOVER,
};

/* The token's policy without a lock when the lane knows it already. */
static enum rc policy_of(struct hsm *hsm, const struct caller *caller, uint64_t token,
                         const struct policy **out)
{
    struct lane_law *law = &hsm->lanes[caller->lane % LANES_MAX];
    *out = &law->policy;
    if (hsm_role(caller, token) != ROLE_NONE && law->token == token &&
        law->epoch == caller->ticket.token_epoch)
        return RC_OK;
    struct token_row row;
    TRY(state_token(hsm->state, token, &row));
    law->token = token;
    law->epoch = row.epoch;
    law->policy = row.policy;
    return RC_OK;
}

/* PKCS#11 3.1 4.9: such a key wants the PIN for each use. */
static enum rc check_context(const struct hsm *hsm, const struct caller *caller,
                             const struct object *key)
{
    struct ticket proof;
    if ((key->flags & OBJECT_ALWAYS_AUTHENTICATE) == 0)
        return RC_OK;
    if (caller->context.len == 0)
        return rc_fail(RC_NOT_LOGGED_IN,
                       "key 0x%lx has CKA_ALWAYS_AUTHENTICATE: a context-specific login goes "
                       "before each use",
                       (unsigned long)key->handle);
    if (ticket_open(hsm->keys, caller->context, &proof) != RC_OK)
        return rc_fail(RC_NOT_LOGGED_IN, "the context-specific login is not one of this cluster's");
    return ticket_check_context(hsm->state, &proof, &caller->ticket, caller->now_ms);
}

/* The key, lawful for that operation. */
static enum rc lawful_key(struct hsm *hsm, const struct caller *caller, enum crypt_op op,
                          uint64_t handle, uint64_t version, const struct mech_call *call,
                          struct object **out)
{
    const struct policy *policy = NULL;
    AUTO_OBJECT *object = NULL;
    if (op < CRYPT_SIGN || op > CRYPT_VERIFY_RECOVER)
        return rc_fail(RC_BAD_ARGUMENT, "no operation %d", (int)op);
    TRY(hsm_key(hsm, caller, handle, RC_KEY_HANDLE, &object));
    if (version != 0 && object->version != version)
        return rc_fail(RC_STALE_VERSION, "key 0x%lx has changed", (unsigned long)handle);
    TRY(policy_of(hsm, caller, object->token, &policy));
    TRY(law_key_use(policy, object, call->mech, law_of[op], caller->now_ms));
    TRY(law_parameter(policy, call, law_of[op]));
    TRY(check_context(hsm, caller, object));
    *out = object;
    object = NULL;
    return RC_OK;
}

enum rc hsm_crypt(struct hsm *hsm, const struct caller *caller, enum crypt_op op, uint64_t key,
                  uint64_t version, const struct mech_call *call, bool prehashed, struct bytes data,
                  struct bytes signature, struct buf *out, struct buf *out_iv)
{
    AUTO_OBJECT *object = NULL;
    struct key *parsed = NULL;
    TRY(lawful_key(hsm, caller, op, key, version, call, &object));
    TRY(key_get(hsm->keys, object, &parsed));
    return mech_crypt(call, op, parsed, caller->lane, prehashed, data, signature, out, out_iv);
}

enum rc hsm_operation_begin(struct hsm *hsm, const struct caller *caller, enum crypt_op op,
                            uint64_t key, uint64_t version, const struct mech_call *call,
                            size_t hold_max, struct buf *out_iv, struct operation **out)
{
    AUTO_OBJECT *object = NULL;
    struct key *parsed = NULL;
    TRY(lawful_key(hsm, caller, op, key, version, call, &object));
    TRY(key_get(hsm->keys, object, &parsed));
    TRY(operation_begin(call, op, parsed, hold_max, out_iv, out));
    operation_hold(*out, object);
    return RC_OK;
}

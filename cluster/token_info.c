/* SPDX-License-Identifier: Apache-2.0 */
/* TokenInfo from the replicated state: flags by PKCS#11 3.1 3.2, table 8. */
#include "cluster/token_info.h"

#include <string.h>

#include "cluster/handlers.h"

/* Two tries before the lock the count is low, one try before it is final. */
static CK_FLAGS try_flags(const struct user_row *user, const struct policy *policy, CK_FLAGS low,
                          CK_FLAGS final, CK_FLAGS locked)
{
    if (user->tries >= policy->pin_tries_max)
        return locked;
    if (user->tries + 1 == policy->pin_tries_max)
        return final | low;
    return user->tries > 0 ? low : 0;
}

static CK_FLAGS flags_of(const struct state *state, const struct token_row *token)
{
    CK_FLAGS flags = CKF_RNG | CKF_LOGIN_REQUIRED | CKF_TOKEN_INITIALIZED;
    struct user_row user;
    if (state_user(state, token->number, SO_USER_NAME, &user) == RC_OK)
        flags |= try_flags(&user, &token->policy, CKF_SO_PIN_COUNT_LOW, CKF_SO_PIN_FINAL_TRY,
                           CKF_SO_PIN_LOCKED);
    if (state_user(state, token->number, DEFAULT_USER_NAME, &user) == RC_OK && user.has_pin)
        flags |= CKF_USER_PIN_INITIALIZED | try_flags(&user, &token->policy, CKF_USER_PIN_COUNT_LOW,
                                                      CKF_USER_PIN_FINAL_TRY, CKF_USER_PIN_LOCKED);
    rc_detail_clear();
    return flags;
}

static enum rc put_text(struct call *call, const char *text, char **out)
{
    size_t size = strlen(text) + 1;
    char *copy = call_alloc(call, size, 1);
    if (copy == NULL)
        return RC_NO_MEMORY;
    memcpy(copy, text, size);
    *out = copy;
    return RC_OK;
}

static bool is_usable(const struct policy *policy, const struct mechanism *mech)
{
    return crypto_lib_offers(mech->key_type) && policy_allows_mechanism(policy, mech->type) &&
           (!policy->approved_only || mech->approval != NOT_APPROVED);
}

/* All that the policy or libcrypto takes away altogether, so that C_GetMechanismList does not show
 * it. */
static enum rc put_disabled(struct call *call, const struct policy *policy, Qhsm__TokenInfo *out)
{
    out->disabled_mechanisms = call_alloc(call, mechanism_count(), sizeof(uint64_t));
    if (out->disabled_mechanisms == NULL)
        return RC_NO_MEMORY;
    for (size_t i = 0; i < mechanism_count(); i++)
        if (!is_usable(policy, mechanism_at(i)))
            out->disabled_mechanisms[out->n_disabled_mechanisms++] = mechanism_at(i)->type;
    return RC_OK;
}

static enum rc uninitialized(struct call *call, uint64_t slot, Qhsm__TokenInfo *out)
{
    struct policy policy = policy_default();
    out->slot = slot;
    out->flags = CKF_RNG | CKF_LOGIN_REQUIRED;
    out->pin_len_min = policy.pin_len_min;
    out->pin_len_max = policy.pin_len_max;
    out->object_max = policy.objects_max;
    return put_disabled(call, &policy, out);
}

enum rc token_info_fill(struct call *call, uint64_t slot, Qhsm__TokenInfo *out)
{
    const struct state *state = call->service->hsm->state;
    struct token_row token;
    qhsm__token_info__init(out);
    if (slot == state_next_token(state))
        return uninitialized(call, slot, out);
    TRY(state_token(state, slot, &token));
    TRY(put_text(call, token.label, &out->label));
    TRY(put_text(call, token.serial, &out->serial));
    out->slot = slot;
    out->initialized = true;
    out->flags = flags_of(state, &token);
    out->pin_len_min = token.policy.pin_len_min;
    out->pin_len_max = token.policy.pin_len_max;
    out->object_count = token.object_count;
    out->object_max = token.policy.objects_max;
    out->policy_epoch = token.epoch;
    return put_disabled(call, &token.policy, out);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Handlers of a token's policy: read, changed setting by setting, written back if nobody else was
 * quicker. */
#include "cluster/handlers.h"
#include "common/log.h"

static enum rc put_settings(struct call *call, const struct policy *policy, Qhsm__PolicyReply *out)
{
    size_t count = policy_setting_count();
    Qhsm__PolicySetting *settings = call_alloc(call, count, sizeof *settings);
    out->settings = call_alloc(call, count, sizeof *out->settings);
    if (settings == NULL || out->settings == NULL)
        return RC_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        const struct policy_setting_info *info = policy_setting_at(i);
        qhsm__policy_setting__init(&settings[i]);
        settings[i].setting = (uint32_t)info->setting;
        settings[i].value = policy_value(policy, info->setting);
        out->settings[i] = &settings[i];
    }
    out->n_settings = count;
    return RC_OK;
}

static enum rc reply_policy(struct call *call, uint64_t slot)
{
    struct token_row token;
    Qhsm__PolicyReply *reply = &call->body.policy;
    qhsm__policy_reply__init(reply);
    if (slot == state_next_token(call->service->hsm->state))
        return rc_fail(RC_TOKEN_NOT_INITIALIZED, "slot %llu", (unsigned long long)slot);
    TRY(state_token(call->service->hsm->state, slot, &token));
    TRY(put_settings(call, &token.policy, reply));
    reply->epoch = token.epoch;
    reply->disabled = call_alloc(call, token.policy.disabled_count + 1, sizeof(uint64_t));
    if (reply->disabled == NULL)
        return RC_NO_MEMORY;
    for (uint32_t i = 0; i < token.policy.disabled_count; i++)
        reply->disabled[i] = token.policy.disabled[i];
    reply->n_disabled = token.policy.disabled_count;
    call->response.body_case = QHSM__RESPONSE__BODY_POLICY;
    call->response.policy = reply;
    return RC_OK;
}

enum rc handlers_policy_get(struct call *call)
{
    return reply_policy(call, call->request->policy_get->slot);
}

static enum rc change(const Qhsm__PolicySetRequest *in, struct policy *policy)
{
    for (size_t i = 0; i < in->n_changes; i++)
        TRY(policy_change(policy, in->changes[i]->setting, in->changes[i]->value));
    for (size_t i = 0; i < in->n_enable; i++)
        policy_enable(policy, in->enable[i]);
    for (size_t i = 0; i < in->n_disable; i++)
        TRY(policy_disable(policy, in->disable[i]));
    return RC_OK;
}

/* What is not named stays as it is at that epoch; the epoch is checked again when it is applied. */
enum rc handlers_policy_set(struct call *call)
{
    const Qhsm__PolicySetRequest *in = call->request->policy_set;
    struct token_row token;
    TRY(state_token(call->service->hsm->state, call->caller.ticket.token, &token));
    TRY(change(in, &token.policy));
    return hsm_policy_set(call->service->hsm, &call->caller, &token.policy, in->epoch,
                          &call->mutation);
}

enum rc handlers_policy_set_reply(struct call *call)
{
    uint64_t slot = call->caller.ticket.token;
    TRY(reply_policy(call, slot));
    log_info("policy_changed", "slot=%llu epoch=%llu", (unsigned long long)slot,
             (unsigned long long)call->body.policy.epoch);
    return RC_OK;
}

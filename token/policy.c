/* SPDX-License-Identifier: Apache-2.0 */
/* Policies: their defaults and encoding. */
#include "token/policy.h"

#define POLICY_FORMAT   1U
#define POLICY_STRICT   1U
#define POLICY_APPROVED 2U

struct policy policy_default(void)
{
    return (struct policy){
        .pin_len_min = 4,
        .pin_len_max = 128,
        .pin_tries_max = 10,
        .users_max = 1024,
    };
}

enum rc policy_encode(struct buf *out, const struct policy *policy)
{
    if (policy->disabled_count > POLICY_DISABLED_MAX)
        return rc_fail(RC_BAD_ARGUMENT, "%u disabled mechanisms, at most %u",
                       policy->disabled_count, POLICY_DISABLED_MAX);
    uint8_t switches = (uint8_t)((policy->strict ? POLICY_STRICT : 0U) |
                                 (policy->approved_only ? POLICY_APPROVED : 0U));
    TRY(buf_put_u8(out, POLICY_FORMAT));
    TRY(buf_put_u32(out, policy->pin_len_min));
    TRY(buf_put_u32(out, policy->pin_len_max));
    TRY(buf_put_u32(out, policy->pin_tries_max));
    TRY(buf_put_u32(out, policy->ticket_life_s));
    TRY(buf_put_u64(out, policy->objects_max));
    TRY(buf_put_u32(out, policy->users_max));
    TRY(buf_put_u8(out, switches));
    TRY(buf_put_u32(out, policy->disabled_count));
    for (uint32_t i = 0; i < policy->disabled_count; i++)
        TRY(buf_put_u64(out, policy->disabled[i]));
    return RC_OK;
}

bool policy_decode(struct reader *in, struct policy *out)
{
    struct policy policy = {0};
    if (reader_u8(in) != POLICY_FORMAT)
        in->failed = true;
    policy.pin_len_min = reader_u32(in);
    policy.pin_len_max = reader_u32(in);
    policy.pin_tries_max = reader_u32(in);
    policy.ticket_life_s = reader_u32(in);
    policy.objects_max = reader_u64(in);
    policy.users_max = reader_u32(in);
    uint8_t switches = reader_u8(in);
    policy.disabled_count = reader_u32(in);
    if (switches > (POLICY_STRICT | POLICY_APPROVED) || policy.disabled_count > POLICY_DISABLED_MAX)
        in->failed = true;
    for (uint32_t i = 0; reader_ok(in) && i < policy.disabled_count; i++)
        policy.disabled[i] = reader_u64(in);
    if (!reader_ok(in))
        return false;
    policy.strict = (switches & POLICY_STRICT) != 0;
    policy.approved_only = (switches & POLICY_APPROVED) != 0;
    *out = policy;
    return true;
}

bool policy_allows_mechanism(const struct policy *policy, uint64_t mechanism)
{
    for (uint32_t i = 0; i < policy->disabled_count; i++)
        if (policy->disabled[i] == mechanism)
            return false;
    return true;
}

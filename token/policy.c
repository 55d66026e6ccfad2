/* SPDX-License-Identifier: Apache-2.0 */
/* Policies: their defaults, encoding and changes. */
#include "token/policy.h"

#include "common/mechanism.h"

/* Format 2 adds serve_without_leader_s. With what format 1 means by leaving it out a policy keeps
 * that, so that the state hash of what release 0.1 wrote stays what it was. */
#define POLICY_FORMAT_1  1U
#define POLICY_FORMAT_2  2U
#define SERVE_FORMAT_1_S 10U
#define SWITCH_STRICT    1U
#define SWITCH_APPROVED  2U

struct policy policy_default(void)
{
    return (struct policy){
#define POLICY_SETTING(id_, number_, name_, is_switch_, min_, max_, initial_, text_) \
    .name_ = (initial_),
#include "common/policy.def"
#undef POLICY_SETTING
    };
}

enum rc policy_encode(struct buf *out, const struct policy *policy)
{
    if (policy->disabled_count > POLICY_DISABLED_MAX)
        return rc_fail(RC_BAD_ARGUMENT, "%u disabled mechanisms, at most %u",
                       policy->disabled_count, POLICY_DISABLED_MAX);
    uint8_t switches = (uint8_t)((policy->strict ? SWITCH_STRICT : 0U) |
                                 (policy->approved_only ? SWITCH_APPROVED : 0U));
    bool is_format_1 = policy->serve_without_leader_s == SERVE_FORMAT_1_S;
    TRY(buf_put_u8(out, is_format_1 ? POLICY_FORMAT_1 : POLICY_FORMAT_2));
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
    return is_format_1 ? RC_OK : buf_put_u32(out, policy->serve_without_leader_s);
}

bool policy_decode(struct reader *in, struct policy *out)
{
    struct policy policy = {.serve_without_leader_s = SERVE_FORMAT_1_S};
    uint8_t format = reader_u8(in);
    if (format != POLICY_FORMAT_1 && format != POLICY_FORMAT_2)
        in->failed = true;
    policy.pin_len_min = reader_u32(in);
    policy.pin_len_max = reader_u32(in);
    policy.pin_tries_max = reader_u32(in);
    policy.ticket_life_s = reader_u32(in);
    policy.objects_max = reader_u64(in);
    policy.users_max = reader_u32(in);
    uint8_t switches = reader_u8(in);
    policy.disabled_count = reader_u32(in);
    if (switches > (SWITCH_STRICT | SWITCH_APPROVED) || policy.disabled_count > POLICY_DISABLED_MAX)
        in->failed = true;
    for (uint32_t i = 0; reader_ok(in) && i < policy.disabled_count; i++)
        policy.disabled[i] = reader_u64(in);
    if (format == POLICY_FORMAT_2) {
        policy.serve_without_leader_s = reader_u32(in);
        if (policy.serve_without_leader_s == SERVE_FORMAT_1_S)
            in->failed = true; /* one encoding a policy */
    }
    if (!reader_ok(in))
        return false;
    policy.strict = (switches & SWITCH_STRICT) != 0;
    policy.approved_only = (switches & SWITCH_APPROVED) != 0;
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

/* ---- single settings ---- */

uint64_t policy_value(const struct policy *policy, enum policy_setting setting)
{
    switch (setting) {
#define POLICY_SETTING(id_, number_, name_, is_switch_, min_, max_, initial_, text_) \
    case POLICY_##id_:                                                               \
        return policy->name_;
#include "common/policy.def"
#undef POLICY_SETTING
    }
    return 0;
}

static void put_value(struct policy *policy, enum policy_setting setting, uint64_t value)
{
    switch (setting) {
#define POLICY_SETTING(id_, number_, name_, is_switch_, min_, max_, initial_, text_) \
    case POLICY_##id_:                                                               \
        policy->name_ = (__typeof__(policy->name_))value;                            \
        break;
#include "common/policy.def"
#undef POLICY_SETTING
    }
}

static enum rc check_value(const struct policy_setting_info *info, uint64_t value)
{
    if (value < info->min || value > info->max)
        return rc_fail(RC_BAD_ARGUMENT, "%s is %llu, it may be %llu to %llu", info->name,
                       (unsigned long long)value, (unsigned long long)info->min,
                       (unsigned long long)info->max);
    return RC_OK;
}

enum rc policy_change(struct policy *policy, uint32_t setting, uint64_t value)
{
    const struct policy_setting_info *info = policy_setting_find(setting);
    if (info == NULL)
        return rc_fail(RC_BAD_ARGUMENT, "no setting %u of a policy", setting);
    TRY(check_value(info, value));
    put_value(policy, info->setting, value);
    return RC_OK;
}

enum rc policy_disable(struct policy *policy, uint64_t mechanism)
{
    if (mechanism_find(mechanism) == NULL)
        return rc_fail(RC_MECHANISM, "no mechanism 0x%llx to disable",
                       (unsigned long long)mechanism);
    if (!policy_allows_mechanism(policy, mechanism))
        return RC_OK;
    if (policy->disabled_count >= POLICY_DISABLED_MAX)
        return rc_fail(RC_LIMIT, "%u mechanisms are disabled already", POLICY_DISABLED_MAX);
    policy->disabled[policy->disabled_count++] = mechanism;
    return RC_OK;
}

void policy_enable(struct policy *policy, uint64_t mechanism)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < policy->disabled_count; i++)
        if (policy->disabled[i] != mechanism)
            policy->disabled[kept++] = policy->disabled[i];
    policy->disabled_count = kept;
}

enum rc policy_check(const struct policy *policy)
{
    for (size_t i = 0; i < policy_setting_count(); i++) {
        const struct policy_setting_info *info = policy_setting_at(i);
        TRY(check_value(info, policy_value(policy, info->setting)));
    }
    if (policy->pin_len_min > policy->pin_len_max)
        return rc_fail(RC_BAD_ARGUMENT, "PINs of %u to %u bytes: pin_len_min is above pin_len_max",
                       policy->pin_len_min, policy->pin_len_max);
    return RC_OK;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The settings of a token's policy (policy.def), by number for the wire and by name for people. */
#ifndef QHSM_COMMON_POLICY_SETTINGS_H
#define QHSM_COMMON_POLICY_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* PolicySetting.setting. */
enum policy_setting {
#define POLICY_SETTING(id_, number_, name_, is_switch_, min_, max_, initial_, text_) \
    POLICY_##id_ = (number_),
#include "common/policy.def"
#undef POLICY_SETTING
};

struct policy_setting_info {
    enum policy_setting setting;
    const char *name;
    bool is_switch; /* 0 or 1 */
    uint64_t min, max;
    uint64_t initial; /* of a new token */
    const char *text;
};

size_t policy_setting_count(void);
const struct policy_setting_info *policy_setting_at(size_t index);
/* NULL when there is none. */
const struct policy_setting_info *policy_setting_find(uint32_t number);
const struct policy_setting_info *policy_setting_by_name(const char *name);

#endif

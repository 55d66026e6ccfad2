/* SPDX-License-Identifier: Apache-2.0 */
#include "common/policy_settings.h"

#include <string.h>

static const struct policy_setting_info settings[] = {
#define POLICY_SETTING(id_, number_, name_, is_switch_, min_, max_, initial_, text_) \
    {.setting = POLICY_##id_,                                                        \
     .name = #name_,                                                                 \
     .is_switch = (is_switch_),                                                      \
     .min = (min_),                                                                  \
     .max = (max_),                                                                  \
     .initial = (initial_),                                                          \
     .text = (text_)},
#include "common/policy.def"
#undef POLICY_SETTING
};

size_t policy_setting_count(void)
{
    return sizeof settings / sizeof settings[0];
}

const struct policy_setting_info *policy_setting_at(size_t index)
{
    return &settings[index];
}

const struct policy_setting_info *policy_setting_find(uint32_t number)
{
    for (size_t i = 0; i < policy_setting_count(); i++)
        if ((uint32_t)settings[i].setting == number)
            return &settings[i];
    return NULL;
}

const struct policy_setting_info *policy_setting_by_name(const char *name)
{
    for (size_t i = 0; i < policy_setting_count(); i++)
        if (strcmp(settings[i].name, name) == 0)
            return &settings[i];
    return NULL;
}

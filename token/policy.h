/* SPDX-License-Identifier: Apache-2.0 */
/* The law's settings of one token: limits and switches, replicated. */
#ifndef QHSM_TOKEN_POLICY_H
#define QHSM_TOKEN_POLICY_H

#include <stdbool.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/policy_settings.h"

#define POLICY_DISABLED_MAX 64U

struct policy {
    uint32_t pin_len_min;            /* bytes: 4 */
    uint32_t pin_len_max;            /* 128 */
    uint32_t pin_tries_max;          /* 10 */
    uint32_t ticket_life_s;          /* 0: until PIN change, disable or C_Logout */
    uint64_t objects_max;            /* 0: no limit */
    uint32_t users_max;              /* 1024 */
    uint32_t serve_without_leader_s; /* 10 */
    bool strict;        /* refuse the attacks of the list in docs/security.md (Clulow and kin) */
    bool approved_only; /* only rows that mechanisms.def calls approved */
    uint64_t disabled[POLICY_DISABLED_MAX]; /* mechanisms */
    uint32_t disabled_count;
};

struct policy policy_default(void);
enum rc policy_encode(struct buf *out, const struct policy *policy);
bool policy_decode(struct reader *in, struct policy *out);
bool policy_allows_mechanism(const struct policy *policy, uint64_t mechanism);

uint64_t policy_value(const struct policy *policy, enum policy_setting setting);
/* RC_BAD_ARGUMENT: no such setting, or a value outside its row of policy.def. */
enum rc policy_change(struct policy *policy, uint32_t setting, uint64_t value);
/* RC_MECHANISM: not one of the table; RC_LIMIT: POLICY_DISABLED_MAX are disabled. */
enum rc policy_disable(struct policy *policy, uint64_t mechanism);
void policy_enable(struct policy *policy, uint64_t mechanism);
/* Every value within its row, and limits that can be met together. RC_BAD_ARGUMENT. */
enum rc policy_check(const struct policy *policy);

#endif

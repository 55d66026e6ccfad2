/* SPDX-License-Identifier: Apache-2.0 */
/* The law's settings of one token: limits and switches, replicated. */
#ifndef QHSM_TOKEN_POLICY_H
#define QHSM_TOKEN_POLICY_H

#include <stdbool.h>
#include <stdint.h>

#include "common/buf.h"

#define POLICY_DISABLED_MAX 64U

struct policy {
    uint32_t pin_len_min;   /* bytes: 4 */
    uint32_t pin_len_max;   /* 128 */
    uint32_t pin_tries_max; /* 10 */
    uint32_t ticket_life_s; /* 0: until PIN change, disable or C_Logout */
    uint64_t objects_max;   /* 0: no limit */
    uint32_t users_max;     /* 1024 */
    bool strict;        /* refuse the attacks of the list in docs/security.md (Clulow and kin) */
    bool approved_only; /* only rows that mechanisms.def calls approved */
    uint64_t disabled[POLICY_DISABLED_MAX]; /* mechanisms */
    uint32_t disabled_count;
};

struct policy policy_default(void);
enum rc policy_encode(struct buf *out, const struct policy *policy);
bool policy_decode(struct reader *in, struct policy *out);
bool policy_allows_mechanism(const struct policy *policy, uint64_t mechanism);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* The running hash of a set of rows: the sum modulo 2^256 of a keyed hash of each, so that a row
 * comes and goes at the cost of one hash, and order does not matter. */
#ifndef QHSM_TOKEN_STATE_SUM_H
#define QHSM_TOKEN_STATE_SUM_H

#include "token/seal.h"

enum sum_table { /* numbers are part of the hash */
                 SUM_TOKEN = 1,
                 SUM_USER = 2,
                 SUM_OBJECT = 3,
                 SUM_REQUEST = 4,
                 SUM_APPLICATION = 5,
                 SUM_DOCUMENT = 6,
};

struct state_sum {
    uint64_t words[4]; /* least significant first */
};

/* RC_NO_MEMORY, RC_INTERNAL leave the sum as it was. */
enum rc state_sum_enter(struct state_sum *sum, const struct seal_keys *keys, enum sum_table table,
                        struct bytes row);
enum rc state_sum_leave(struct state_sum *sum, const struct seal_keys *keys, enum sum_table table,
                        struct bytes row);
/* The rows of both: sums over parts of a table can be made side by side. */
void state_sum_join(struct state_sum *sum, const struct state_sum *other);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* What the roll's reader and writer share: keys and format of its documents. */
#ifndef QHSM_CLUSTER_ROLL_INTERNAL_H
#define QHSM_CLUSTER_ROLL_INTERNAL_H

#include "cluster/roll.h"

#define ROLL_FORMAT       1U
#define ROLL_NODE_KEY_LEN 8U

/* In DOCUMENT_CLUSTER; also the associated data of what is sealed in them. */
#define ROLL_KEY_AUTHORITY "authority"
#define ROLL_KEY_COUNTER   "next-node"
#define ROLL_KEY_WISH      "leader-wish"

/* Followed by the member's key. */
#define ROLL_KEY_POSITION     "position"
#define ROLL_KEY_POSITION_LEN (sizeof ROLL_KEY_POSITION - 1 + ROLL_NODE_KEY_LEN)
struct bytes roll_position_key(uint64_t id, uint8_t out[ROLL_KEY_POSITION_LEN]);
struct bytes roll_key_of(uint64_t id, uint8_t out[ROLL_NODE_KEY_LEN]);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* A snapshot: head, rows of tokens, users, answered requests and floors, frames of objects by
 * ascending handle, trailer. */
#ifndef QHSM_TOKEN_SNAPSHOT_FORMAT_H
#define QHSM_TOKEN_SNAPSHOT_FORMAT_H

#include "token/state_internal.h"

#define SNAPSHOT_MAGIC       "QHSMSNAP"
#define SNAPSHOT_FORMAT      1U
#define SNAPSHOT_HEAD_LEN    (8U + 8U + 11U * 8U)
#define SNAPSHOT_TRAILER_LEN 64U /* state hash, then MAC of head and state hash */

struct snapshot_head {
    uint64_t applied, clock_ms, next_handle, next_user, next_request;
    uint64_t tokens, users, requests, floors, objects;
    uint64_t rows_len;
};

enum rc snapshot_head_encode(struct buf *out, const struct snapshot_head *head);
/* RC_TAMPERED, RC_VERSION. */
enum rc snapshot_head_decode(struct bytes input, struct snapshot_head *out);
/* MAC of head and state hash: the trailer's second half. */
enum rc snapshot_mac(const struct seal_keys *keys, struct bytes head, const uint8_t hash[32],
                     uint8_t out[32]);

#endif

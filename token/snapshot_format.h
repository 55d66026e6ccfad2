/* SPDX-License-Identifier: Apache-2.0 */
/* A snapshot: head, rows of tokens, users, answered requests and floors, frames of documents by
 * space and key (format 2), frames of objects by ascending handle, trailer. */
#ifndef QHSM_TOKEN_SNAPSHOT_FORMAT_H
#define QHSM_TOKEN_SNAPSHOT_FORMAT_H

#include "token/state_internal.h"

#define SNAPSHOT_MAGIC       "QHSMSNAP"
#define SNAPSHOT_FORMAT_1    1U /* release 0.1: without documents */
#define SNAPSHOT_FORMAT_2    2U
#define SNAPSHOT_NUMBERS     11U                               /* in the head of format 1 */
#define SNAPSHOT_HEAD_LEN    (8U + 8U + SNAPSHOT_NUMBERS * 8U) /* of format 1, the shorter one */
#define SNAPSHOT_TRAILER_LEN 64U /* state hash, then MAC of head and state hash */

struct snapshot_head {
    uint64_t applied, clock_ms, next_handle, next_user, next_request;
    uint64_t tokens, users, requests, floors, objects;
    uint64_t rows_len;
    uint64_t documents; /* none: format 1 */
};

size_t snapshot_head_len(const struct snapshot_head *head);
/* Format 1 when there are no documents, so that the former release can read what it could have
 * written, and a fleet of both can be run while it is being upgraded. */
enum rc snapshot_head_encode(struct buf *out, const struct snapshot_head *head);
/* RC_TAMPERED, RC_VERSION. */
enum rc snapshot_head_decode(struct bytes input, struct snapshot_head *out);
/* MAC of head and state hash: the trailer's second half. */
enum rc snapshot_mac(const struct seal_keys *keys, struct bytes head, const uint8_t hash[32],
                     uint8_t out[32]);
/* Its frames of objects into roster, store and sum. RC_TAMPERED; an error leaves the content in
 * disorder. */
enum rc state_restore_objects(struct state_content *content, const struct seal_keys *keys,
                              struct reader *in, uint64_t count);

#endif

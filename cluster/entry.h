/* SPDX-License-Identifier: Apache-2.0 */
/* The envelope of a log entry: which cluster, index and term it was made for, and some effects
 * sealed inside. Bound to its place in the log, since the engine's open segments are not. */
#ifndef QHSM_CLUSTER_ENTRY_H
#define QHSM_CLUSTER_ENTRY_H

#include "common/buf.h"
#include "common/rc.h"
#include "common/secret.h"
#include "token/seal.h"

#define ENTRY_LEN_MAX      ((size_t)256 * 1024) /* above it the engine stalls its heartbeats */
#define ENTRY_EFFECTS_MAX  64U
#define ENTRY_HEADER_LEN   (4U + 16U + 8U + 8U + 4U)
#define ENTRY_OVERHEAD_MAX 128U /* header, seal and padding */

struct entry_place {
    uint8_t cluster[16];
    uint64_t index;
    uint64_t term;
};

/* Appends header, sealed effects and padding to a multiple of 8. RC_TOO_LARGE over ENTRY_LEN_MAX.
 */
enum rc entry_encode(const struct seal_keys *keys, const struct entry_place *place,
                     const struct bytes *effects, size_t count, struct buf *out);

/* An entry without effects: the leader's state after log entry `at`. */
struct entry_audit {
    uint64_t at;
    uint64_t applied; /* of the state */
    uint8_t hash[32];
};
enum rc entry_encode_audit(const struct seal_keys *keys, const struct entry_place *place,
                           const struct entry_audit *audit, struct buf *out);
bool entry_is_audit(struct bytes entry);
/* As entry_open(). */
enum rc entry_open_audit(const struct seal_keys *keys, struct entry_place *place,
                         struct bytes entry, struct entry_audit *out);

/* Does the beginning of an entry (ENTRY_HEADER_LEN bytes) look like one that was made for this
 * cluster and index? Without its seal: for messages of peers. RC_TAMPERED. */
enum rc entry_peek(struct bytes head, const uint8_t cluster[16], uint64_t index);

/* Was it made for another cluster? False for what is no entry of ours at all. */
bool entry_is_foreign(struct bytes head, const uint8_t cluster[16]);

/* Opens an entry that is to be applied at place->index: `effects` are views into `plain`.
 * RC_TAMPERED says what does not fit: format, cluster, index, seal or shape. place->term is set
 * from the entry. */
enum rc entry_open(const struct seal_keys *keys, struct entry_place *place, struct bytes entry,
                   struct secret *plain, struct bytes effects[ENTRY_EFFECTS_MAX],
                   size_t *out_count);

#endif

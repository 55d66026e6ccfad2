/* SPDX-License-Identifier: Apache-2.0 */
/* Answered request ids, so that a repeated request is done once, and one that was refused is not
 * done later: bounded for each application and in all, and forgotten by age. */
#ifndef QHSM_TOKEN_REQUEST_TABLE_H
#define QHSM_TOKEN_REQUEST_TABLE_H

#include <string.h>

#include "token/sip_hash.h"
#include "token/state.h"
#include "token/state_sum.h"

#define REQUESTS_PER_APPLICATION 4096U
#define REQUESTS_TOTAL           262144U
/* What is forgotten by age is older than this, and so many came after it: logical time alone is
 * what the fastest clock of all HSMs says, and one that jumps would make everything old at once. */
#define REQUEST_LIFE_MS ((uint64_t)10 * 60 * 1000)
#define REQUESTS_KEPT   16384U

/* One answered request, as it stands in a snapshot: 64 bytes, little-endian. */
struct request_row {
    uint8_t application[16];
    uint64_t sequence;
    uint64_t ordinal; /* ascending in order of answer */
    uint64_t time_ms;
    uint32_t handle_count;
    uint32_t
        refusal; /* enum rc: it was refused, and has no handles. 0 is how release 0.1 stored all */
    uint64_t handles[EFFECT_HANDLES_MAX];
};
/* What it was answered. */
static inline void request_row_result(const struct request_row *row, struct effect_result *out)
{
    *out = (struct effect_result){.rc = (enum rc)row->refusal, .handle_count = row->handle_count};
    memcpy(out->handles, row->handles, sizeof out->handles);
}
/* What was forgotten of an application: no sequence up to `floor` is taken any more. */
struct application_row {
    uint8_t application[16];
    uint64_t floor;
};

struct request_table;

enum rc request_table_new(const struct seal_keys *keys, struct request_table **out);
void request_table_free(struct request_table *table);

enum request_seen { REQUEST_NEW, REQUEST_REPEATED, REQUEST_TOO_OLD };
/* out_row is set for REQUEST_REPEATED: borrowed until the next change. */
enum request_seen request_table_find(const struct request_table *table,
                                     const uint8_t application[16], uint64_t sequence,
                                     const struct request_row **out_row);
/* Adds the newest; forgets the application's oldest beyond its share. Accounts in `sum`.
 * RC_NO_MEMORY. */
enum rc request_table_add(struct request_table *table, struct state_sum *sum,
                          const struct request_row *row);
/* Forgets a bounded number of those that are old at `clock_ms` with many after them, or beyond the
 * total. */
enum rc request_table_expire(struct request_table *table, struct state_sum *sum, uint64_t clock_ms);

size_t request_table_count(const struct request_table *table);
size_t request_table_floor_count(const struct request_table *table);
/* Both tables encoded, oldest first. */
enum rc request_table_encode(const struct request_table *table, struct buf *out);
/* The reverse into an empty table. RC_TAMPERED. */
enum rc request_table_decode(struct request_table *table, struct state_sum *sum, struct reader *in,
                             uint64_t count, uint64_t floor_count);
#endif

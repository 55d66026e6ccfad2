/* SPDX-License-Identifier: Apache-2.0 */
/* Secret bytes: a type of its own, so that the compiler refuses to log, send or compare them by
 * mistake. */
#ifndef QHSM_COMMON_SECRET_H
#define QHSM_COMMON_SECRET_H

#include "common/buf.h"
#include "common/bytes.h"
#include "common/rc.h"

/* Memory is locked where the limit allows, kept out of core dumps where the block is large enough
 * for it, and wiped on clear. */
struct secret {
    uint8_t *ptr;
    size_t len;
    size_t cap;
};

#define SECRET_INIT                     \
    {                                   \
        .ptr = NULL, .len = 0, .cap = 0 \
    }

void secret_clear(struct secret *s);
static inline void secret_auto_clear(struct secret *s)
{
    secret_clear(s);
}
#define AUTO_SECRET __attribute__((cleanup(secret_auto_clear))) struct secret

/* Fresh zeroed memory of len bytes; earlier content is wiped. RC_NO_MEMORY, RC_TOO_LARGE (over 16
 * MiB). */
enum rc secret_alloc(struct secret *s, size_t len);
enum rc secret_from_bytes(struct secret *s, struct bytes data);
enum rc secret_append(struct secret *s, struct bytes data);
enum rc secret_put_u8(struct secret *s, uint8_t value);
enum rc secret_put_u32(struct secret *s, uint32_t value);
enum rc secret_put_u64(struct secret *s, uint64_t value);
enum rc secret_put_bytes(struct secret *s, struct bytes data);
/* Shortens to len and wipes the rest. len must not exceed s->len. */
void secret_truncate(struct secret *s, size_t len);
struct secret secret_take(struct secret *s);

/* Constant time for equal lengths. */
bool secret_equal(const struct secret *s, struct bytes other);

/* The one door out: a view of the secret for libcrypto or a seal. Every use is a place to review.
 */
static inline struct bytes secret_expose(const struct secret *s)
{
    return (struct bytes){.ptr = s->ptr, .len = s->len};
}

/* Wipes memory in a way that the compiler keeps. */
void secret_wipe(void *ptr, size_t len);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* A borrowed view of bytes: the way data crosses a module's border. Owns nothing, frees nothing. */
#ifndef QHSM_COMMON_BYTES_H
#define QHSM_COMMON_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct bytes {
    const uint8_t *ptr; /* may be NULL when len is 0 */
    size_t len;
};

#define BYTES_NONE ((struct bytes){.ptr = NULL, .len = 0})

static inline struct bytes bytes_of(const void *ptr, size_t len)
{
    return (struct bytes){.ptr = ptr, .len = len};
}

/* View of a NUL-terminated string without its NUL; NULL gives an empty view. */
static inline struct bytes bytes_of_str(const char *str)
{
    return (struct bytes){.ptr = (const uint8_t *)str, .len = str == NULL ? 0 : strlen(str)};
}

/* The part of `b` from `offset`, at most `len` bytes; clamps, never reads outside. */
struct bytes bytes_slice(struct bytes b, size_t offset, size_t len);

/* Equal content, not in constant time: for public data only. Secrets: secret_equal(). */
bool bytes_equal(struct bytes a, struct bytes b);

/* Total order by content, then length; for sorted tables. Public data only. */
int bytes_compare(struct bytes a, struct bytes b);

/* Copies exactly out_len bytes when b has that length; false (out untouched) otherwise. */
bool bytes_copy_exact(struct bytes b, void *out, size_t out_len);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#include "common/secret.h"

#include <stdlib.h>
#include <sys/mman.h>

#define SECRET_MAX ((size_t)16 * 1024 * 1024)
#define PAGE       ((size_t)4096)

void secret_wipe(void *ptr, size_t len)
{
    if (len > 0)
        explicit_bzero(ptr, len);
}

/* mlock() does not nest and works on whole pages, so only blocks with pages of their own are locked
 * one by one; for the small ones the daemon locks its whole memory (mlockall). */
static uint8_t *block_new(size_t cap)
{
    if (cap < PAGE)
        return calloc(1, cap);
    uint8_t *block = aligned_alloc(PAGE, cap);
    if (block == NULL)
        return NULL;
    memset(block, 0, cap);
    (void)mlock(block, cap);
    (void)madvise(block, cap, MADV_DONTDUMP);
    return block;
}

static void block_free(uint8_t *block, size_t cap)
{
    if (block == NULL)
        return;
    secret_wipe(block, cap);
    if (cap >= PAGE) {
        (void)madvise(block, cap, MADV_DODUMP);
        (void)munlock(block, cap);
    }
    free(block);
}

static size_t block_size(size_t len)
{
    if (len < 64)
        return 64;
    if (len < PAGE / 2) {
        size_t cap = 64;
        while (cap < len)
            cap *= 2;
        return cap;
    }
    return (len + PAGE - 1) / PAGE * PAGE;
}

void secret_clear(struct secret *s)
{
    block_free(s->ptr, s->cap);
    *s = (struct secret)SECRET_INIT;
}

enum rc secret_alloc(struct secret *s, size_t len)
{
    if (len > SECRET_MAX)
        return RC_TOO_LARGE;
    size_t cap = block_size(len);
    uint8_t *block = block_new(cap);
    if (block == NULL)
        return RC_NO_MEMORY;
    secret_clear(s);
    *s = (struct secret){.ptr = block, .len = len, .cap = cap};
    return RC_OK;
}

enum rc secret_from_bytes(struct secret *s, struct bytes data)
{
    TRY(secret_alloc(s, data.len));
    if (data.len > 0)
        memcpy(s->ptr, data.ptr, data.len);
    return RC_OK;
}

enum rc secret_append(struct secret *s, struct bytes data)
{
    if (data.len > SECRET_MAX || s->len + data.len > SECRET_MAX)
        return RC_TOO_LARGE;
    size_t len = s->len + data.len;
    if (len > s->cap) {
        size_t cap = block_size(len + len / 2);
        uint8_t *block = block_new(cap);
        if (block == NULL)
            return RC_NO_MEMORY;
        if (s->len > 0)
            memcpy(block, s->ptr, s->len);
        block_free(s->ptr, s->cap);
        s->ptr = block;
        s->cap = cap;
    }
    if (data.len > 0)
        memcpy(s->ptr + s->len, data.ptr, data.len);
    s->len = len;
    return RC_OK;
}

enum rc secret_put_u8(struct secret *s, uint8_t value)
{
    return secret_append(s, bytes_of(&value, 1));
}

static enum rc secret_put_le(struct secret *s, uint64_t value, size_t width)
{
    uint8_t le[8];
    for (size_t i = 0; i < width; i++)
        le[i] = (uint8_t)(value >> (8 * i));
    return secret_append(s, bytes_of(le, width));
}

enum rc secret_put_u32(struct secret *s, uint32_t value)
{
    return secret_put_le(s, value, 4);
}

enum rc secret_put_u64(struct secret *s, uint64_t value)
{
    return secret_put_le(s, value, 8);
}

enum rc secret_put_bytes(struct secret *s, struct bytes data)
{
    if (data.len > SECRET_MAX)
        return RC_TOO_LARGE;
    TRY(secret_put_u32(s, (uint32_t)data.len));
    return secret_append(s, data);
}

void secret_truncate(struct secret *s, size_t len)
{
    if (len >= s->len)
        return;
    secret_wipe(s->ptr + len, s->len - len);
    s->len = len;
}

struct secret secret_take(struct secret *s)
{
    struct secret moved = *s;
    *s = (struct secret)SECRET_INIT;
    return moved;
}

bool secret_equal(const struct secret *s, struct bytes other)
{
    if (s->len != other.len)
        return false;
    uint8_t differ = 0;
    for (size_t i = 0; i < s->len; i++)
        differ |= (uint8_t)(s->ptr[i] ^ other.ptr[i]);
    return differ == 0;
}

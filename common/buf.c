/* SPDX-License-Identifier: Apache-2.0 */
#include "common/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/secret.h"

void buf_clear(struct buf *buf)
{
    if (buf->ptr != NULL) {
        secret_wipe(buf->ptr, buf->cap);
        free(buf->ptr);
    }
    buf->ptr = NULL;
    buf->len = 0;
    buf->cap = 0;
}

struct buf buf_take(struct buf *buf)
{
    struct buf moved = *buf;
    buf->ptr = NULL;
    buf->len = 0;
    buf->cap = 0;
    return moved;
}

enum rc buf_reserve(struct buf *buf, size_t more)
{
    if (more > buf->max || buf->len > buf->max - more)
        return rc_fail(RC_TOO_LARGE, "%zu bytes, limit %zu", buf->len + more, buf->max);
    size_t need = buf->len + more;
    if (need <= buf->cap && buf->ptr != NULL)
        return RC_OK;
    size_t cap = buf->cap < 64 ? 64 : buf->cap;
    while (cap < need)
        cap *= 2;
    if (cap > buf->max)
        cap = buf->max < need ? need : buf->max;
    /* Not realloc: the old block may hold what must be wiped. One byte more for buf_str()'s NUL. */
    uint8_t *grown = malloc(cap + 1);
    if (grown == NULL)
        return RC_NO_MEMORY;
    if (buf->ptr != NULL) {
        memcpy(grown, buf->ptr, buf->len);
        secret_wipe(buf->ptr, buf->cap);
        free(buf->ptr);
    }
    buf->ptr = grown;
    buf->cap = cap;
    return RC_OK;
}

enum rc buf_resize(struct buf *buf, size_t len)
{
    if (len > buf->len) {
        TRY(buf_reserve(buf, len - buf->len));
        memset(buf->ptr + buf->len, 0, len - buf->len);
    } else if (len < buf->len) {
        secret_wipe(buf->ptr + len, buf->len - len);
    }
    buf->len = len;
    return RC_OK;
}

enum rc buf_append(struct buf *buf, struct bytes data)
{
    TRY(buf_reserve(buf, data.len));
    if (data.len > 0)
        memcpy(buf->ptr + buf->len, data.ptr, data.len);
    buf->len += data.len;
    return RC_OK;
}

enum rc buf_put_u8(struct buf *buf, uint8_t value)
{
    return buf_append(buf, bytes_of(&value, 1));
}

enum rc buf_put_u32(struct buf *buf, uint32_t value)
{
    uint8_t le[4];
    for (unsigned i = 0; i < 4; i++)
        le[i] = (uint8_t)(value >> (8 * i));
    return buf_append(buf, bytes_of(le, sizeof le));
}

enum rc buf_put_u64(struct buf *buf, uint64_t value)
{
    uint8_t le[8];
    for (unsigned i = 0; i < 8; i++)
        le[i] = (uint8_t)(value >> (8 * i));
    return buf_append(buf, bytes_of(le, sizeof le));
}

enum rc buf_put_bytes(struct buf *buf, struct bytes data)
{
    if (data.len > UINT32_MAX)
        return RC_TOO_LARGE;
    TRY(buf_put_u32(buf, (uint32_t)data.len));
    return buf_append(buf, data);
}

enum rc buf_put_str(struct buf *buf, const char *str)
{
    return buf_put_bytes(buf, bytes_of_str(str));
}

enum rc buf_printf(struct buf *buf, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    va_list again;
    va_copy(again, args);
    int need = vsnprintf(NULL, 0, format, args);
    va_end(args);
    enum rc rc = need < 0 ? RC_INTERNAL : buf_reserve(buf, (size_t)need);
    if (rc == RC_OK) {
        (void)vsnprintf((char *)buf->ptr + buf->len, (size_t)need + 1, format, again);
        buf->len += (size_t)need;
    }
    va_end(again);
    return rc;
}

const char *buf_str(struct buf *buf)
{
    if (buf->ptr == NULL)
        return "";
    buf->ptr[buf->len] = 0; /* buf_reserve() keeps a byte for it */
    return (const char *)buf->ptr;
}

struct bytes reader_raw(struct reader *r, size_t len)
{
    if (r->failed || len > r->rest.len) {
        r->failed = true;
        return BYTES_NONE;
    }
    struct bytes out = bytes_of(r->rest.ptr, len);
    if (len > 0)
        r->rest = bytes_of(r->rest.ptr + len, r->rest.len - len);
    return out;
}

static uint64_t reader_le(struct reader *r, size_t width)
{
    struct bytes raw = reader_raw(r, width);
    uint64_t value = 0;
    for (size_t i = 0; i < raw.len; i++)
        value |= (uint64_t)raw.ptr[i] << (8 * i);
    return value;
}

uint8_t reader_u8(struct reader *r)
{
    return (uint8_t)reader_le(r, 1);
}

uint32_t reader_u32(struct reader *r)
{
    return (uint32_t)reader_le(r, 4);
}

uint64_t reader_u64(struct reader *r)
{
    return reader_le(r, 8);
}

struct bytes reader_bytes(struct reader *r)
{
    uint32_t len = reader_u32(r);
    return reader_raw(r, len);
}

void reader_copy(struct reader *r, void *out, size_t len)
{
    struct bytes raw = reader_raw(r, len);
    if (!bytes_copy_exact(raw, out, len))
        memset(out, 0, len);
}

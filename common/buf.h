/* SPDX-License-Identifier: Apache-2.0 */
/* Owned bytes with a hard maximum, wiped when freed, and the little-endian writer and reader of all
 * our own encodings. */
#ifndef QHSM_COMMON_BUF_H
#define QHSM_COMMON_BUF_H

#include "common/bytes.h"
#include "common/rc.h"

/* Growth beyond `max` is refused with RC_TOO_LARGE, so that no peer can make us allocate at will.
 */
struct buf {
    uint8_t *ptr;
    size_t len;
    size_t cap;
    size_t max;
};

#define BUF_MAX_DEFAULT ((size_t)16 * 1024 * 1024)
#define BUF_INIT                                                \
    {                                                           \
        .ptr = NULL, .len = 0, .cap = 0, .max = BUF_MAX_DEFAULT \
    }
#define BUF_INIT_MAX(m)                             \
    {                                               \
        .ptr = NULL, .len = 0, .cap = 0, .max = (m) \
    }

/* Wipes and frees the content; the buf is empty and reusable afterwards. Safe on an empty buf. */
void buf_clear(struct buf *buf);
static inline void buf_auto_clear(struct buf *buf)
{
    buf_clear(buf);
}
#define AUTO_BUF __attribute__((cleanup(buf_auto_clear))) struct buf

/* Moves the content out; `buf` is empty afterwards. */
struct buf buf_take(struct buf *buf);

/* Makes room for `more` bytes beyond len. RC_TOO_LARGE, RC_NO_MEMORY. */
enum rc buf_reserve(struct buf *buf, size_t more);
/* Sets the length; new bytes are zero. Bytes cut off are wiped. */
enum rc buf_resize(struct buf *buf, size_t len);
enum rc buf_append(struct buf *buf, struct bytes data);
enum rc buf_put_u8(struct buf *buf, uint8_t value);
enum rc buf_put_u32(struct buf *buf, uint32_t value); /* little-endian */
enum rc buf_put_u64(struct buf *buf, uint64_t value); /* little-endian */
/* u32 length, then the bytes. */
enum rc buf_put_bytes(struct buf *buf, struct bytes data);
enum rc buf_put_str(struct buf *buf, const char *str);
/* printf into the buf, without the NUL; the buf stays NUL-terminated beyond len for buf_str(). */
enum rc buf_printf(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The content as a NUL-terminated string ("" when empty); borrowed, valid until the next change. */
const char *buf_str(struct buf *buf);

static inline struct bytes buf_bytes(const struct buf *buf)
{
    return (struct bytes){.ptr = buf->ptr, .len = buf->len};
}

/* Reader. The first failure sticks: check reader_done() or reader_ok() once at the end. Views
 * borrow from the input. */
struct reader {
    struct bytes rest;
    bool failed;
};

static inline struct reader reader_of(struct bytes input)
{
    return (struct reader){.rest = input, .failed = false};
}
uint8_t reader_u8(struct reader *r);
uint32_t reader_u32(struct reader *r);
uint64_t reader_u64(struct reader *r);
/* Exactly len bytes. */
struct bytes reader_raw(struct reader *r, size_t len);
/* u32 length, then the bytes. */
struct bytes reader_bytes(struct reader *r);
/* Fixed-size copy; zero-filled on failure. */
void reader_copy(struct reader *r, void *out, size_t len);
static inline bool reader_ok(const struct reader *r)
{
    return !r->failed;
}
/* Everything was read and nothing failed. */
static inline bool reader_done(const struct reader *r)
{
    return !r->failed && r->rest.len == 0;
}

#endif

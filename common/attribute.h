/* SPDX-License-Identifier: Apache-2.0 */
/* Attributes in canonical form, the one form between the module's border and the disk, and the
 * table of attributes.def. */
#ifndef QHSM_COMMON_ATTRIBUTE_H
#define QHSM_COMMON_ATTRIBUTE_H

#include <stdbool.h>

#include "common/buf.h"
#include "common/bytes.h"
#include "common/cryptoki.h"
#include "common/rc.h"
#include "common/secret.h"

/* How a value is written in canonical form. */
enum attr_kind {
    ATTR_BOOL,       /* 1 byte, 0 or 1 */
    ATTR_ULONG,      /* 8 bytes, little-endian; CK_UNAVAILABLE_INFORMATION is all ones */
    ATTR_BYTES,      /* as they are */
    ATTR_BIGINT,     /* big-endian, no leading zero bytes */
    ATTR_STRING,     /* UTF-8, no NUL */
    ATTR_DATE,       /* empty, or 8 ASCII digits YYYYMMDD */
    ATTR_MECHANISMS, /* array of 8-byte little-endian mechanism types */
    ATTR_TEMPLATE,   /* attrs_encode() of the nested template; nesting at most ATTR_DEPTH_MAX */
};

#define ATTR_DEPTH_MAX 2
#define ATTRS_MAX      128 /* in one template */

/* One row of attributes.def. */
struct attr_info {
    CK_ATTRIBUTE_TYPE type;
    const char *name; /* "CKA_LABEL" */
    enum attr_kind kind;
};

/* NULL when unknown. */
const struct attr_info *attr_info(CK_ATTRIBUTE_TYPE type);
const struct attr_info *attr_info_by_name(const char *name);
size_t attr_info_count(void);
const struct attr_info *attr_info_at(size_t index);

/* A canonical attribute; the value is borrowed. */
struct attr {
    CK_ATTRIBUTE_TYPE type;
    struct bytes value;
};

/* A borrowed list, e.g. a template as a caller gave it: order kept, duplicates possible until
 * checked. */
struct attrs {
    const struct attr *ptr;
    size_t count;
};

/* A list with its array; the values stay borrowed from whoever owns them. */
struct attr_list {
    struct attr items[ATTRS_MAX];
    size_t count;
};

static inline struct attrs attrs_of(const struct attr_list *list)
{
    return (struct attrs){.ptr = list->items, .count = list->count};
}

/* First of that type, or NULL. */
const struct attr *attrs_find(struct attrs attrs, CK_ATTRIBUTE_TYPE type);
/* Adds at the end. RC_TOO_LARGE when full. */
enum rc attr_list_add(struct attr_list *list, CK_ATTRIBUTE_TYPE type, struct bytes value);
/* Replaces the first of that type or adds. */
enum rc attr_list_set(struct attr_list *list, CK_ATTRIBUTE_TYPE type, struct bytes value);

/* The value's shape fits the kind of its type (length, bool 0 or 1, digits of a date, nested
 * depth). RC_ATTRIBUTE_TYPE for an unknown type, RC_ATTRIBUTE_VALUE else. */
enum rc attr_check(const struct attr *attr);

/* Typed readers: false when absent or of another shape (out untouched). */
bool attrs_get_bool(struct attrs attrs, CK_ATTRIBUTE_TYPE type, bool *out);
bool attrs_get_ulong(struct attrs attrs, CK_ATTRIBUTE_TYPE type, CK_ULONG *out);
bool attr_value_ulong(struct bytes value, CK_ULONG *out);

/* Static canonical values, for building lists without an arena. */
struct bytes attr_true(void);
struct bytes attr_false(void);
static inline struct bytes attr_bool(bool b)
{
    return b ? attr_true() : attr_false();
}
/* Writes value into the 8 bytes at `storage` and returns a view of them. */
struct bytes attr_ulong(uint8_t storage[8], CK_ULONG value);

/* Encoding: u32 count, then for each {u64 type, u32 len, bytes}. */
enum rc attrs_encode(struct buf *out, struct attrs attrs);
enum rc attrs_encode_secret(struct secret *out, struct attrs attrs);
/* Views into `input`. RC_PROTOCOL when malformed or over ATTRS_MAX. Does not attr_check(). */
enum rc attrs_decode(struct bytes input, struct attr_list *out);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* The attribute table's lookups, the shape check of canonical values, and the encoding of lists. */
#include "common/attribute.h"

#include <strings.h>

/* Canonical numbers are little-endian and CK_ULONG is copied as it lies in memory. */
_Static_assert(sizeof(CK_ULONG) == 8 && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "only LP64 little-endian hosts");

static const struct attr_info infos[] = {
#define ATTRIBUTE(type_, kind_) {.type = (type_), .name = #type_, .kind = (kind_)},
#include "common/attributes.def"
#undef ATTRIBUTE
};
#define INFO_COUNT (sizeof infos / sizeof infos[0])

const struct attr_info *attr_info(CK_ATTRIBUTE_TYPE type)
{
    size_t low = 0;
    size_t high = INFO_COUNT;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (infos[middle].type == type)
            return &infos[middle];
        if (infos[middle].type < type)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

const struct attr_info *attr_info_by_name(const char *name)
{
    const char *bare = strncasecmp(name, "CKA_", 4) == 0 ? name + 4 : name;
    for (size_t i = 0; i < INFO_COUNT; i++)
        if (strcasecmp(infos[i].name + 4, bare) == 0)
            return &infos[i];
    return NULL;
}

size_t attr_info_count(void)
{
    return INFO_COUNT;
}

const struct attr_info *attr_info_at(size_t index)
{
    return index < INFO_COUNT ? &infos[index] : NULL;
}

const struct attr *attrs_find(struct attrs attrs, CK_ATTRIBUTE_TYPE type)
{
    const struct attr *items = attrs.ptr;
    for (size_t i = 0; i < attrs.count; i++)
        if (items[i].type == type)
            return &items[i];
    return NULL;
}

enum rc attr_list_add(struct attr_list *list, CK_ATTRIBUTE_TYPE type, struct bytes value)
{
    if (list->count >= ATTRS_MAX)
        return rc_fail(RC_TOO_LARGE, "more than %d attributes", ATTRS_MAX);
    list->items[list->count++] = (struct attr){.type = type, .value = value};
    return RC_OK;
}

enum rc attr_list_set(struct attr_list *list, CK_ATTRIBUTE_TYPE type, struct bytes value)
{
    for (size_t i = 0; i < list->count; i++) {
        if (list->items[i].type == type) {
            list->items[i].value = value;
            return RC_OK;
        }
    }
    return attr_list_add(list, type, value);
}

/* Length of the UTF-8 sequence at the head of b, 0 when malformed. RFC 3629: no overlong forms, no
 * surrogates, nothing above U+10FFFF. */
static size_t utf8_sequence(struct bytes b)
{
    uint8_t lead = b.ptr[0];
    if (lead < 0x80)
        return 1;
    size_t len = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    if (lead < 0xc2 || lead > 0xf4 || b.len < len)
        return 0;
    for (size_t i = 1; i < len; i++)
        if ((b.ptr[i] & 0xc0) != 0x80)
            return 0;
    uint8_t second = b.ptr[1];
    bool bad = (lead == 0xe0 && second < 0xa0) || (lead == 0xed && second > 0x9f) ||
               (lead == 0xf0 && second < 0x90) || (lead == 0xf4 && second > 0x8f);
    return bad ? 0 : len;
}

static bool is_string(struct bytes value)
{
    while (value.len > 0) {
        size_t len = value.ptr[0] == 0 ? 0 : utf8_sequence(value);
        if (len == 0)
            return false;
        value = bytes_of(value.ptr + len, value.len - len);
    }
    return true;
}

static bool is_date(struct bytes value)
{
    if (value.len == 0)
        return true;
    if (value.len != 8)
        return false;
    for (size_t i = 0; i < 8; i++)
        if (value.ptr[i] < '0' || value.ptr[i] > '9')
            return false;
    int month = (value.ptr[4] - '0') * 10 + value.ptr[5] - '0';
    int day = (value.ptr[6] - '0') * 10 + value.ptr[7] - '0';
    return month >= 1 && month <= 12 && day >= 1 && day <= 31;
}

static enum rc check_at(const struct attr *attr, unsigned depth);

static enum rc check_template(struct bytes value, unsigned depth)
{
    if (depth > ATTR_DEPTH_MAX)
        return rc_fail(RC_ATTRIBUTE_VALUE, "templates nested deeper than %d", ATTR_DEPTH_MAX);
    struct attr_list list;
    if (attrs_decode(value, &list) != RC_OK)
        return RC_ATTRIBUTE_VALUE;
    for (size_t i = 0; i < list.count; i++)
        TRY(check_at(&list.items[i], depth));
    return RC_OK;
}

static bool shape_fits(enum attr_kind kind, struct bytes value)
{
    switch (kind) {
    case ATTR_BOOL:
        return value.len == 1 && value.ptr[0] <= 1;
    case ATTR_ULONG:
        return value.len == 8;
    case ATTR_BIGINT:
        return value.len == 0 || value.ptr[0] != 0;
    case ATTR_STRING:
        return is_string(value);
    case ATTR_DATE:
        return is_date(value);
    case ATTR_MECHANISMS:
        return value.len % 8 == 0;
    case ATTR_BYTES:
    case ATTR_TEMPLATE:
        return true;
    }
    return false;
}

static enum rc check_at(const struct attr *attr, unsigned depth)
{
    const struct attr_info *info = attr_info(attr->type);
    if (info == NULL)
        return rc_fail(RC_ATTRIBUTE_TYPE, "attribute 0x%lx is not known", attr->type);
    if (!shape_fits(info->kind, attr->value))
        return rc_fail(RC_ATTRIBUTE_VALUE, "%s: not a value of its kind (%zu bytes)", info->name,
                       attr->value.len);
    return info->kind == ATTR_TEMPLATE ? check_template(attr->value, depth + 1) : RC_OK;
}

enum rc attr_check(const struct attr *attr)
{
    return check_at(attr, 0);
}

bool attrs_get_bool(struct attrs attrs, CK_ATTRIBUTE_TYPE type, bool *out)
{
    const struct attr *attr = attrs_find(attrs, type);
    if (attr == NULL || attr->value.len != 1 || attr->value.ptr[0] > 1)
        return false;
    *out = attr->value.ptr[0] == 1;
    return true;
}

bool attr_value_ulong(struct bytes value, CK_ULONG *out)
{
    return bytes_copy_exact(value, out, sizeof *out);
}

bool attrs_get_ulong(struct attrs attrs, CK_ATTRIBUTE_TYPE type, CK_ULONG *out)
{
    const struct attr *attr = attrs_find(attrs, type);
    return attr != NULL && attr_value_ulong(attr->value, out);
}

struct bytes attr_true(void)
{
    static const uint8_t one = 1;
    return bytes_of(&one, 1);
}

struct bytes attr_false(void)
{
    static const uint8_t zero = 0;
    return bytes_of(&zero, 1);
}

struct bytes attr_ulong(uint8_t storage[8], CK_ULONG value)
{
    memcpy(storage, &value, sizeof value);
    return bytes_of(storage, sizeof value);
}

enum rc attrs_encode(struct buf *out, struct attrs attrs)
{
    if (attrs.count > ATTRS_MAX)
        return rc_fail(RC_TOO_LARGE, "%zu attributes, limit %d", attrs.count, ATTRS_MAX);
    TRY(buf_put_u32(out, (uint32_t)attrs.count));
    for (size_t i = 0; i < attrs.count; i++) {
        TRY(buf_put_u64(out, attrs.ptr[i].type));
        TRY(buf_put_bytes(out, attrs.ptr[i].value));
    }
    return RC_OK;
}

enum rc attrs_encode_secret(struct secret *out, struct attrs attrs)
{
    if (attrs.count > ATTRS_MAX)
        return rc_fail(RC_TOO_LARGE, "%zu attributes, limit %d", attrs.count, ATTRS_MAX);
    TRY(secret_put_u32(out, (uint32_t)attrs.count));
    for (size_t i = 0; i < attrs.count; i++) {
        TRY(secret_put_u64(out, attrs.ptr[i].type));
        TRY(secret_put_bytes(out, attrs.ptr[i].value));
    }
    return RC_OK;
}

enum rc attrs_decode(struct bytes input, struct attr_list *out)
{
    struct reader r = reader_of(input);
    uint32_t count = reader_u32(&r);
    if (!reader_ok(&r) || count > ATTRS_MAX)
        return rc_fail(RC_PROTOCOL, "a list of attributes is malformed or longer than %d",
                       ATTRS_MAX);
    out->count = 0;
    for (uint32_t i = 0; i < count; i++) {
        CK_ATTRIBUTE_TYPE type = reader_u64(&r);
        out->items[out->count++] = (struct attr){.type = type, .value = reader_bytes(&r)};
    }
    if (!reader_done(&r)) {
        out->count = 0;
        return rc_fail(RC_PROTOCOL, "a list of attributes is malformed");
    }
    return RC_OK;
}

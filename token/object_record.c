/* SPDX-License-Identifier: Apache-2.0 */
/* Encoding, sealing and parsing of object records. */
#include "token/object_record.h"

#include <stdlib.h>

#define RECORD_FORMAT 1U
#define AAD_LEN       (UNIQUE_ID_LEN + 16U)

#define VARINT_LEN_MAX 10U /* of 64 bits, seven a byte */

static enum rc put_varint(struct buf *out, uint64_t value)
{
    while (value >= 0x80) {
        TRY(buf_put_u8(out, (uint8_t)(value | 0x80)));
        value >>= 7;
    }
    return buf_put_u8(out, (uint8_t)value);
}

/* One encoding a value: a last byte of zero is refused. */
static uint64_t get_long_varint(struct reader *in)
{
    const uint8_t *at = in->rest.ptr;
    size_t len = in->failed ? 0 : in->rest.len;
    uint64_t value = 0;
    for (size_t i = 0; i < len && i < VARINT_LEN_MAX; i++) {
        uint64_t bits = at[i] & 0x7fU;
        if (i == VARINT_LEN_MAX - 1 && bits > 1)
            break;
        value |= bits << (7 * i);
        if ((at[i] & 0x80U) != 0)
            continue;
        if (at[i] == 0 && i > 0)
            break;
        in->rest = bytes_of(at + i + 1, len - i - 1);
        return value;
    }
    in->failed = true;
    return 0;
}

/* A start with a million objects reads a hundred million of them, most of one byte. */
static inline uint64_t get_varint(struct reader *in)
{
    if (in->failed || in->rest.len == 0 || in->rest.ptr[0] >= 0x80)
        return get_long_varint(in);
    uint8_t value = in->rest.ptr[0];
    in->rest = bytes_of(in->rest.ptr + 1, in->rest.len - 1);
    return value;
}

static struct reader read_head(struct bytes record, struct object_record *out, size_t *out_count)
{
    struct reader in = reader_of(record);
    if (reader_u8(&in) != RECORD_FORMAT)
        in.failed = true;
    out->version = reader_u64(&in);
    out->token = reader_u64(&in);
    out->owner = reader_u64(&in);
    reader_copy(&in, out->unique_id, UNIQUE_ID_LEN);
    *out_count = get_varint(&in);
    return in;
}

static struct attr read_attr(struct reader *in)
{
    struct attr attr = {.type = get_varint(in)};
    attr.value = reader_raw(in, get_varint(in));
    return attr;
}

enum rc object_record_check(struct bytes record, struct object_record *out)
{
    size_t count = 0;
    struct reader in = read_head(record, out, &count);
    struct bytes attrs = in.rest;
    if (in.failed || count > ATTRS_MAX)
        return rc_fail(RC_TAMPERED, "malformed head of an object's record");
    struct attr before = {.type = 0};
    bool has_class = false;
    for (size_t i = 0; i < count && reader_ok(&in); i++) {
        struct attr attr = read_attr(&in);
        if (i > 0 && attr.type <= before.type)
            in.failed = true;
        has_class = has_class || (attr.type == CKA_CLASS && attr.value.len == sizeof(CK_ULONG));
        before = attr;
    }
    out->attrs = bytes_slice(attrs, 0, attrs.len - in.rest.len);
    out->sealed = reader_raw(&in, get_varint(&in));
    if (!reader_done(&in) || !has_class || out->version == 0)
        return rc_fail(RC_TAMPERED, "malformed record of an object");
    return RC_OK;
}

bool object_record_next(struct reader *attrs, struct attr *out)
{
    if (attrs->rest.len == 0)
        return false;
    *out = read_attr(attrs);
    return reader_ok(attrs);
}

static int by_type(const void *left, const void *right)
{
    const struct attr *a = left;
    const struct attr *b = right;
    return a->type < b->type ? -1 : a->type > b->type;
}

/* What binds a seal to its object. */
static void seal_aad(const uint8_t unique_id[UNIQUE_ID_LEN], uint64_t version, uint64_t token,
                     uint8_t out[AAD_LEN])
{
    memcpy(out, unique_id, UNIQUE_ID_LEN);
    for (unsigned i = 0; i < 8; i++) {
        out[UNIQUE_ID_LEN + i] = (uint8_t)(version >> (8 * i));
        out[UNIQUE_ID_LEN + 8 + i] = (uint8_t)(token >> (8 * i));
    }
}

static enum rc put_public(struct buf *out, const struct attr_list *public_attrs)
{
    struct attr sorted[ATTRS_MAX];
    size_t count = public_attrs->count;
    memcpy(sorted, public_attrs->items, count * sizeof sorted[0]);
    qsort(sorted, count, sizeof sorted[0], by_type);
    TRY(put_varint(out, count));
    for (size_t i = 0; i < count; i++) {
        if (i > 0 && sorted[i].type == sorted[i - 1].type)
            return rc_fail(RC_TEMPLATE_INCONSISTENT, "attribute 0x%lx twice", sorted[i].type);
        TRY(put_varint(out, sorted[i].type));
        TRY(put_varint(out, sorted[i].value.len));
        TRY(buf_append(out, sorted[i].value));
    }
    return RC_OK;
}

static enum rc put_sealed(const struct seal_keys *keys, const struct object_parts *parts,
                          struct buf *out)
{
    if (parts->secret_attrs.count == 0)
        return put_varint(out, 0);
    uint8_t aad[AAD_LEN];
    seal_aad(parts->unique_id, parts->version, parts->token, aad);
    AUTO_SECRET plain = SECRET_INIT;
    TRY(attrs_encode_secret(&plain, attrs_of(&parts->secret_attrs)));
    TRY(put_varint(out, plain.len + SEAL_OVERHEAD));
    return seal(keys, SEAL_OBJECT, bytes_of(aad, sizeof aad), secret_expose(&plain), out);
}

static enum rc build(const struct seal_keys *keys, const struct object_parts *parts,
                     struct buf *out)
{
    TRY(buf_put_u8(out, RECORD_FORMAT));
    TRY(buf_put_u64(out, parts->version));
    TRY(buf_put_u64(out, parts->token));
    TRY(buf_put_u64(out, parts->owner));
    TRY(buf_append(out, bytes_of(parts->unique_id, UNIQUE_ID_LEN)));
    TRY(put_public(out, &parts->public_attrs));
    return put_sealed(keys, parts, out);
}

enum rc object_build(const struct seal_keys *keys, const struct object_parts *parts,
                     struct buf *out)
{
    if (parts->version == 0)
        return rc_fail(RC_INTERNAL, "an object's versions count from 1");
    const struct attr *class = attrs_find(attrs_of(&parts->public_attrs), CKA_CLASS);
    CK_ULONG value = 0;
    if (class == NULL || !attr_value_ulong(class->value, &value))
        return rc_fail(RC_TEMPLATE_INCOMPLETE, "CKA_CLASS is missing");
    AUTO_BUF record = BUF_INIT_MAX(OBJECT_RECORD_MAX);
    TRY(build(keys, parts, &record));
    return buf_append(out, buf_bytes(&record));
}

enum rc object_secrets(const struct seal_keys *keys, const struct object *object,
                       struct secret *store, struct attr_list *list)
{
    list->count = 0;
    if (object->sealed.len == 0)
        return RC_OK;
    uint8_t aad[AAD_LEN];
    seal_aad(object->unique_id, object->version, object->token, aad);
    TRY(unseal(keys, SEAL_OBJECT, bytes_of(aad, sizeof aad), object->sealed, store));
    return attrs_decode(secret_expose(store), list);
}

enum rc object_reseal(const struct seal_keys *from, const struct seal_keys *to,
                      const struct object *object, struct buf *out)
{
    struct object_parts parts = {
        .version = object->version, .token = object->token, .owner = object->owner};
    AUTO_SECRET store = SECRET_INIT;
    if (object->sealed.len == 0)
        return buf_append(out, object->record);
    memcpy(parts.unique_id, object->unique_id, UNIQUE_ID_LEN);
    TRY(object_secrets(from, object, &store, &parts.secret_attrs));
    object_attrs(object, &parts.public_attrs);
    return object_build(to, &parts, out);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Templates and attribute values: from the caller's structs, to and from the wire, and back into
 * the caller's buffers. */
#include "rpc/codec.h"

_Static_assert(sizeof(CK_ULONG) == 8 && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "canonical numbers are copied as they lie in memory");

/* All values of one template together. */
#define TEMPLATE_BYTES_MAX ((size_t)1024 * 1024)

void wire_template_clear(struct wire_template *t)
{
    secret_clear(&t->store);
    t->list.count = 0;
}

static enum rc append_template(struct secret *store, struct bytes value, unsigned depth);

/* CKA_LABEL and its like come with a final NUL from programs that pass sizeof; it is no part of the
 * text. */
static struct bytes without_final_nul(struct bytes value)
{
    while (value.len > 0 && value.ptr[value.len - 1] == 0)
        value.len--;
    return value;
}

static struct bytes without_leading_zeros(struct bytes value)
{
    while (value.len > 0 && value.ptr[0] == 0)
        value = bytes_of(value.ptr + 1, value.len - 1);
    return value;
}

static enum rc append_value(struct secret *store, enum attr_kind kind, struct bytes value,
                            unsigned depth)
{
    if (kind == ATTR_TEMPLATE)
        return append_template(store, value, depth + 1);
    if (kind == ATTR_STRING)
        value = without_final_nul(value);
    else if (kind == ATTR_BIGINT)
        value = without_leading_zeros(value);
    return secret_append(store, value);
}

/* The index-th attribute of the caller's array, however it is aligned, checked for a NULL value. */
static enum rc read_attribute(const void *array, size_t index, size_t used, CK_ATTRIBUTE *out,
                              const struct attr_info **out_info)
{
    memcpy(out, (const uint8_t *)array + index * sizeof *out, sizeof *out);
    const struct attr_info *info = attr_info(out->type);
    if (info == NULL)
        return rc_fail(RC_ATTRIBUTE_TYPE, "attribute 0x%lx is not known", out->type);
    if (out->pValue == NULL && out->ulValueLen > 0)
        return rc_fail(RC_ATTRIBUTE_VALUE, "%s: pValue is NULL, ulValueLen is not 0", info->name);
    if (used > TEMPLATE_BYTES_MAX || out->ulValueLen > TEMPLATE_BYTES_MAX - used)
        return rc_fail(RC_ATTRIBUTE_VALUE, "%s: the template is over %zu bytes", info->name,
                       TEMPLATE_BYTES_MAX);
    *out_info = info;
    return RC_OK;
}

static enum rc check_unique(struct attrs attrs)
{
    for (size_t i = 1; i < attrs.count; i++) {
        struct attrs before = {.ptr = attrs.ptr, .count = i};
        if (attrs_find(before, attrs.ptr[i].type) != NULL) {
            const struct attr_info *info = attr_info(attrs.ptr[i].type);
            return rc_fail(RC_TEMPLATE_INCONSISTENT, "%s is given twice",
                           info == NULL ? "an attribute" : info->name);
        }
    }
    return RC_OK;
}

static void put_le32(uint8_t *at, size_t value)
{
    for (unsigned i = 0; i < 4; i++)
        at[i] = (uint8_t)(value >> (8 * i));
}

/* A nested array in attrs_encode() form; each length is filled in when its value is there. */
static enum rc append_template(struct secret *store, struct bytes value, unsigned depth)
{
    size_t count = value.len / sizeof(CK_ATTRIBUTE);
    if (depth > ATTR_DEPTH_MAX || count > ATTRS_MAX || value.len % sizeof(CK_ATTRIBUTE) != 0)
        return rc_fail(RC_ATTRIBUTE_VALUE,
                       "a nested template is no array of at most %d CK_ATTRIBUTE, or over %d deep",
                       ATTRS_MAX, ATTR_DEPTH_MAX);
    size_t start = store->len;
    TRY(secret_put_u32(store, (uint32_t)count));
    for (size_t i = 0; i < count; i++) {
        CK_ATTRIBUTE ck;
        const struct attr_info *info = NULL;
        TRY(read_attribute(value.ptr, i, store->len, &ck, &info));
        TRY(secret_put_u64(store, ck.type));
        TRY(secret_put_u32(store, 0));
        size_t at = store->len;
        TRY(append_value(store, info->kind, bytes_of(ck.pValue, ck.ulValueLen), depth));
        put_le32(store->ptr + at - 4, store->len - at);
    }
    struct attr_list list;
    TRY(attrs_decode(bytes_of(store->ptr + start, store->len - start), &list));
    return check_unique(attrs_of(&list));
}

static enum rc check_all(const struct attr_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        TRY(attr_check(&list->items[i]));
    return check_unique(attrs_of(list));
}

/* The store moves while it grows, so the views are made at the end. */
static enum rc fill(const CK_ATTRIBUTE *ck, size_t count, struct secret *store,
                    struct attr_list *list)
{
    size_t start[ATTRS_MAX];
    list->count = 0;
    for (size_t i = 0; i < count; i++) {
        CK_ATTRIBUTE one;
        const struct attr_info *info = NULL;
        TRY(read_attribute(ck, i, store->len, &one, &info));
        start[i] = store->len;
        TRY(append_value(store, info->kind, bytes_of(one.pValue, one.ulValueLen), 0));
        TRY(attr_list_add(list, one.type, bytes_of(NULL, store->len - start[i])));
    }
    for (size_t i = 0; i < count; i++)
        if (store->ptr != NULL)
            list->items[i].value.ptr = store->ptr + start[i];
    return check_all(list);
}

enum rc codec_template_in(const CK_ATTRIBUTE *ck, CK_ULONG count, struct wire_template *out)
{
    if (ck == NULL && count > 0)
        return rc_fail(RC_BAD_ARGUMENT, "the template is NULL, its count is not 0");
    if (count > ATTRS_MAX)
        return rc_fail(RC_BAD_ARGUMENT, "%lu attributes in the template, limit %d", count,
                       ATTRS_MAX);
    AUTO_SECRET store = SECRET_INIT;
    struct attr_list list;
    TRY(fill(ck, count, &store, &list));
    out->list = list;
    out->store = secret_take(&store);
    return RC_OK;
}

size_t codec_template_pb(struct attrs attrs, Qhsm__Attribute *storage, Qhsm__Attribute **pointers)
{
    for (size_t i = 0; i < attrs.count; i++) {
        qhsm__attribute__init(&storage[i]);
        storage[i].type = attrs.ptr[i].type;
        /* protobuf-c only reads when it packs. */
        memcpy(&storage[i].value.data, &attrs.ptr[i].value.ptr, sizeof storage[i].value.data);
        storage[i].value.len = attrs.ptr[i].value.len;
        pointers[i] = &storage[i];
    }
    return attrs.count;
}

enum rc codec_template_from_pb(Qhsm__Attribute *const *pb, size_t count, struct attr_list *out)
{
    if (count > ATTRS_MAX)
        return rc_fail(RC_PROTOCOL, "%zu attributes in the template, limit %d", count, ATTRS_MAX);
    struct attr_list list = {.count = 0};
    for (size_t i = 0; i < count; i++)
        TRY(attr_list_add(&list, pb[i]->type, bytes_of(pb[i]->value.data, pb[i]->value.len)));
    TRY(check_all(&list));
    *out = list;
    return RC_OK;
}

static enum rc out_length(CK_ATTRIBUTE *ck, CK_ULONG len)
{
    memcpy((uint8_t *)ck + offsetof(CK_ATTRIBUTE, ulValueLen), &len, sizeof len);
    return len == CK_UNAVAILABLE_INFORMATION ? RC_BUFFER_TOO_SMALL : RC_OK;
}

/* PKCS#11 3.1 5.7.5: the type of each element is set; a NULL pValue within gets its length, a
 * short one CK_UNAVAILABLE_INFORMATION. */
static enum rc out_elements(void *array, const struct attr_list *list)
{
    bool small = false;
    for (size_t i = 0; i < list->count; i++) {
        void *element = (uint8_t *)array + i * sizeof(CK_ATTRIBUTE);
        memcpy((uint8_t *)element + offsetof(CK_ATTRIBUTE, type), &list->items[i].type,
               sizeof list->items[i].type);
        enum rc rc = codec_attribute_out(element, list->items[i].value);
        if (rc == RC_BUFFER_TOO_SMALL)
            small = true;
        else
            TRY(rc);
    }
    return small ? RC_BUFFER_TOO_SMALL : RC_OK;
}

static enum rc out_template(CK_ATTRIBUTE *ck, const CK_ATTRIBUTE *copy, struct bytes canonical)
{
    struct attr_list list;
    TRY(attrs_decode(canonical, &list));
    CK_ULONG need = list.count * sizeof(CK_ATTRIBUTE);
    if (copy->pValue == NULL)
        return out_length(ck, need);
    if (copy->ulValueLen < need)
        return out_length(ck, CK_UNAVAILABLE_INFORMATION);
    TRY(out_length(ck, need));
    return out_elements(copy->pValue, &list);
}

enum rc codec_attribute_out(CK_ATTRIBUTE *ck, struct bytes canonical)
{
    CK_ATTRIBUTE copy;
    memcpy(&copy, (const void *)ck, sizeof copy);
    const struct attr_info *info = attr_info(copy.type);
    if (info != NULL && info->kind == ATTR_TEMPLATE)
        return out_template(ck, &copy, canonical);
    if (copy.pValue == NULL)
        return out_length(ck, canonical.len);
    if (copy.ulValueLen < canonical.len)
        return out_length(ck, CK_UNAVAILABLE_INFORMATION);
    if (canonical.len > 0)
        memcpy(copy.pValue, canonical.ptr, canonical.len);
    return out_length(ck, canonical.len);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Object versions: one allocation of {object, frame, record, views of its attributes}. */
#include "token/object.h"

#include <stdlib.h>

#include "token/key.h"
#include "token/object_record.h"

struct flag_row {
    CK_ATTRIBUTE_TYPE type;
    uint32_t flag;
    bool otherwise; /* when the object lacks the attribute */
};

static const struct flag_row flag_rows[] = {
    {CKA_PRIVATE, OBJECT_PRIVATE, false},
    {CKA_TOKEN, OBJECT_TOKEN, false},
    {CKA_MODIFIABLE, OBJECT_MODIFIABLE, true},
    {CKA_COPYABLE, OBJECT_COPYABLE, true},
    {CKA_DESTROYABLE, OBJECT_DESTROYABLE, true},
    {CKA_SENSITIVE, OBJECT_SENSITIVE, false},
    {CKA_EXTRACTABLE, OBJECT_EXTRACTABLE, false},
    {CKA_WRAP_WITH_TRUSTED, OBJECT_WRAP_WITH_TRUSTED, false},
    {CKA_TRUSTED, OBJECT_TRUSTED, false},
    {CKA_ALWAYS_AUTHENTICATE, OBJECT_ALWAYS_AUTHENTICATE, false},
};

static const struct flag_row usage_rows[] = {
    {CKA_ENCRYPT, USAGE_ENCRYPT, false},
    {CKA_DECRYPT, USAGE_DECRYPT, false},
    {CKA_SIGN, USAGE_SIGN, false},
    {CKA_VERIFY, USAGE_VERIFY, false},
    {CKA_SIGN_RECOVER, USAGE_SIGN_RECOVER, false},
    {CKA_VERIFY_RECOVER, USAGE_VERIFY_RECOVER, false},
    {CKA_WRAP, USAGE_WRAP, false},
    {CKA_UNWRAP, USAGE_UNWRAP, false},
    {CKA_DERIVE, USAGE_DERIVE, false},
};

static uint32_t read_flags(const struct object *object, const struct flag_row *rows, size_t count)
{
    uint32_t flags = 0;
    for (size_t i = 0; i < count; i++)
        if (object_bool(object, rows[i].type, rows[i].otherwise))
            flags |= rows[i].flag;
    return flags;
}

static CK_ULONG read_ulong(const struct object *object, CK_ATTRIBUTE_TYPE type, CK_ULONG otherwise)
{
    const struct attr *attr = object_attr(object, type);
    CK_ULONG value = otherwise;
    if (attr == NULL || !attr_value_ulong(attr->value, &value))
        return otherwise;
    return value;
}

static void read_facts(struct object *object)
{
    object->object_class = read_ulong(object, CKA_CLASS, CK_UNAVAILABLE_INFORMATION);
    object->key_type = read_ulong(object, CKA_KEY_TYPE, CK_UNAVAILABLE_INFORMATION);
    object->flags = read_flags(object, flag_rows, sizeof flag_rows / sizeof flag_rows[0]);
    object->usage = read_flags(object, usage_rows, sizeof usage_rows / sizeof usage_rows[0]);
    object->size_bits = object_size_bits(object);
}

static size_t attrs_offset(size_t record_len)
{
    size_t end = sizeof(struct object) + OBJECT_FRAME_LEN + record_len;
    return (end + _Alignof(struct attr) - 1) & ~(_Alignof(struct attr) - 1);
}

static size_t allocation(size_t record_len, size_t attr_count)
{
    return attrs_offset(record_len) + attr_count * sizeof(struct attr);
}

static void put_le(uint8_t *at, uint64_t value, size_t width)
{
    for (size_t i = 0; i < width; i++)
        at[i] = (uint8_t)(value >> (8 * i));
}

void object_set_handle(struct object *object, uint64_t handle)
{
    object->handle = handle;
    put_le((uint8_t *)(object + 1), handle, 8);
}

struct bytes object_frame(const struct object *object)
{
    return bytes_of(object + 1, OBJECT_FRAME_LEN + object->record.len);
}

struct object *object_of_frame(const void *frame)
{
    return (struct object *)(uintptr_t)frame - 1;
}

enum rc object_from_record(uint64_t handle, struct bytes record, struct object **out)
{
    struct object_record parsed;
    TRY(object_record_check(record, &parsed));
    struct object *object = calloc(1, allocation(record.len, parsed.attr_count));
    if (object == NULL)
        return RC_NO_MEMORY;
    uint8_t *base = (uint8_t *)object;
    uint8_t *copy = (uint8_t *)(object + 1) + OBJECT_FRAME_LEN;
    struct attr *attrs = (struct attr *)(void *)(base + attrs_offset(record.len));
    memcpy(copy, record.ptr, record.len);
    atomic_init(&object->refs, 1);
    atomic_init(&object->key, NULL);
    object->record = bytes_of(copy, record.len);
    object_set_handle(object, handle);
    put_le((uint8_t *)(object + 1) + 8, record.len, 4);
    object->version = parsed.version;
    object->token = parsed.token;
    object->owner = parsed.owner;
    memcpy(object->unique_id, parsed.unique_id, UNIQUE_ID_LEN);
    object->attrs = (struct attrs){.ptr = attrs, .count = parsed.attr_count};
    object_record_views(object->record, attrs, &object->sealed);
    read_facts(object);
    *out = object;
    return RC_OK;
}

struct object *object_ref(struct object *object)
{
    atomic_fetch_add_explicit(&object->refs, 1, memory_order_relaxed);
    return object;
}

void object_unref(struct object *object)
{
    if (object == NULL || atomic_fetch_sub_explicit(&object->refs, 1, memory_order_acq_rel) != 1)
        return;
    struct key *key = atomic_load(&object->key);
    if (key != NULL)
        key_free(key);
    secret_wipe(object, allocation(object->record.len, object->attrs.count));
    free(object);
}

const struct attr *object_attr(const struct object *object, CK_ATTRIBUTE_TYPE type)
{
    size_t low = 0;
    size_t high = object->attrs.count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        CK_ATTRIBUTE_TYPE at = object->attrs.ptr[middle].type;
        if (at == type)
            return &object->attrs.ptr[middle];
        if (at < type)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

bool object_bool(const struct object *object, CK_ATTRIBUTE_TYPE type, bool otherwise)
{
    const struct attr *attr = object_attr(object, type);
    return attr == NULL || attr->value.len != 1 ? otherwise : attr->value.ptr[0] != 0;
}

bool object_matches(const struct object *object, struct attrs wanted, bool see_private)
{
    if ((object->flags & OBJECT_PRIVATE) != 0 && !see_private)
        return false;
    for (size_t i = 0; i < wanted.count; i++) {
        const struct attr *attr = object_attr(object, wanted.ptr[i].type);
        if (attr == NULL || !bytes_equal(attr->value, wanted.ptr[i].value))
            return false;
    }
    return true;
}

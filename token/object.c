/* SPDX-License-Identifier: Apache-2.0 */
/* Object versions: one allocation of {object, frame, record}. */
#include "token/object.h"

#include <stdlib.h>

#include "token/key.h"
#include "token/object_record.h"

/* What a boolean attribute says of the object. */
struct flag_row {
    CK_ATTRIBUTE_TYPE type;
    uint32_t flag;  /* enum object_flag */
    uint32_t usage; /* enum key_usage */
};

/* By type, as the attributes of a record are. */
static const struct flag_row flag_rows[] = {
    {CKA_TOKEN, OBJECT_TOKEN, 0},
    {CKA_PRIVATE, OBJECT_PRIVATE, 0},
    {CKA_TRUSTED, OBJECT_TRUSTED, 0},
    {CKA_SENSITIVE, OBJECT_SENSITIVE, 0},
    {CKA_ENCRYPT, 0, USAGE_ENCRYPT},
    {CKA_DECRYPT, 0, USAGE_DECRYPT},
    {CKA_WRAP, 0, USAGE_WRAP},
    {CKA_UNWRAP, 0, USAGE_UNWRAP},
    {CKA_SIGN, 0, USAGE_SIGN},
    {CKA_SIGN_RECOVER, 0, USAGE_SIGN_RECOVER},
    {CKA_VERIFY, 0, USAGE_VERIFY},
    {CKA_VERIFY_RECOVER, 0, USAGE_VERIFY_RECOVER},
    {CKA_DERIVE, 0, USAGE_DERIVE},
    {CKA_EXTRACTABLE, OBJECT_EXTRACTABLE, 0},
    {CKA_MODIFIABLE, OBJECT_MODIFIABLE, 0},
    {CKA_COPYABLE, OBJECT_COPYABLE, 0},
    {CKA_DESTROYABLE, OBJECT_DESTROYABLE, 0},
    {CKA_ALWAYS_AUTHENTICATE, OBJECT_ALWAYS_AUTHENTICATE, 0},
    {CKA_WRAP_WITH_TRUSTED, OBJECT_WRAP_WITH_TRUSTED, 0},
};
#define FLAG_ROWS (sizeof flag_rows / sizeof flag_rows[0])

/* When the object lacks the attribute. */
#define FLAGS_DEFAULT (OBJECT_MODIFIABLE | OBJECT_COPYABLE | OBJECT_DESTROYABLE)

static void read_flag(struct object *object, const struct flag_row *row, struct bytes value)
{
    if (value.len != 1)
        return;
    object->flags &= ~row->flag;
    if (value.ptr[0] == 0)
        return;
    object->flags |= row->flag;
    object->usage |= row->usage;
}

/* One walk over attributes and rows, both sorted: a million objects are read at a start. */
static void read_facts(struct object *object)
{
    struct reader in = reader_of(object->attrs);
    struct attr attr;
    size_t row = 0;
    object->object_class = CK_UNAVAILABLE_INFORMATION;
    object->key_type = CK_UNAVAILABLE_INFORMATION;
    object->flags = FLAGS_DEFAULT;
    while (object_record_next(&in, &attr)) {
        while (row < FLAG_ROWS && flag_rows[row].type < attr.type)
            row++;
        if (row < FLAG_ROWS && flag_rows[row].type == attr.type)
            read_flag(object, &flag_rows[row], attr.value);
        else if (attr.type == CKA_CLASS)
            (void)attr_value_ulong(attr.value, &object->object_class);
        else if (attr.type == CKA_KEY_TYPE)
            (void)attr_value_ulong(attr.value, &object->key_type);
    }
    object->size_bits = object_size_bits(object);
}

static size_t allocation(size_t record_len)
{
    return sizeof(struct object) + OBJECT_FRAME_LEN + record_len;
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

static void take_parts(struct object *object, const struct object_record *parts)
{
    object->version = parts->version;
    object->token = parts->token;
    object->owner = parts->owner;
    memcpy(object->unique_id, parts->unique_id, UNIQUE_ID_LEN);
    object->attrs = parts->attrs;
    object->sealed = parts->sealed;
    read_facts(object);
}

enum rc object_from_record(uint64_t handle, struct bytes record, struct object **out)
{
    struct object *object = calloc(1, allocation(record.len));
    if (object == NULL)
        return RC_NO_MEMORY;
    uint8_t *copy = (uint8_t *)(object + 1) + OBJECT_FRAME_LEN;
    if (record.len > 0)
        memcpy(copy, record.ptr, record.len);
    object->record = bytes_of(copy, record.len);
    struct object_record parts;
    enum rc rc = object_record_check(object->record, &parts);
    if (rc != RC_OK) {
        free(object);
        return rc;
    }
    atomic_init(&object->refs, 1);
    atomic_init(&object->key, NULL);
    object_set_handle(object, handle);
    put_le((uint8_t *)(object + 1) + 8, record.len, 4);
    take_parts(object, &parts);
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
    secret_wipe(object, allocation(object->record.len));
    free(object);
}

bool object_attr(const struct object *object, CK_ATTRIBUTE_TYPE type, struct bytes *out)
{
    struct reader in = reader_of(object->attrs);
    struct attr attr = {.type = 0};
    while (object_record_next(&in, &attr) && attr.type <= type) {
        if (attr.type != type)
            continue;
        *out = attr.value;
        return true;
    }
    return false;
}

bool object_has(const struct object *object, CK_ATTRIBUTE_TYPE type)
{
    struct bytes value;
    return object_attr(object, type, &value);
}

void object_attrs(const struct object *object, struct attr_list *out)
{
    struct reader in = reader_of(object->attrs);
    for (out->count = 0; object_record_next(&in, &out->items[out->count]); out->count++)
        ;
}

bool object_bool(const struct object *object, CK_ATTRIBUTE_TYPE type, bool otherwise)
{
    struct bytes value;
    return object_attr(object, type, &value) && value.len == 1 ? value.ptr[0] != 0 : otherwise;
}

bool object_matches(const struct object *object, struct attrs wanted, bool see_private)
{
    if ((object->flags & OBJECT_PRIVATE) != 0 && !see_private)
        return false;
    for (size_t i = 0; i < wanted.count; i++) {
        struct bytes value;
        if (!object_attr(object, wanted.ptr[i].type, &value) ||
            !bytes_equal(value, wanted.ptr[i].value))
            return false;
    }
    return true;
}

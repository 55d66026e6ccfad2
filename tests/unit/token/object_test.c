/* SPDX-License-Identifier: Apache-2.0 */
/* Records and object versions. */
#include "token/object.h"

#include "tests/unit/token/state_fixture.h"
#include "tests/unit/unit.h"

static struct seal_keys *keys;

static struct object *sample_object(const struct sample *sample)
{
    AUTO_BUF record = BUF_INIT;
    struct object *object = NULL;
    sample_record(keys, sample, &record);
    UNIT_OK(object_from_record(77, buf_bytes(&record), &object));
    return object;
}

static void a_record_gives_back_what_it_was_built_of(void)
{
    keys = fixture_keys(1);
    struct sample sample = SAMPLE_AES(5, "label");
    sample.owner = 12;
    AUTO_OBJECT *object = sample_object(&sample);
    CU_ASSERT_EQUAL(object->handle, 77);
    CU_ASSERT_EQUAL(object->version, 1);
    CU_ASSERT_EQUAL(object->token, 1);
    CU_ASSERT_EQUAL(object->owner, 12);
    CU_ASSERT_EQUAL(object->unique_id[0], 5);
    CU_ASSERT_EQUAL(object->object_class, CKO_SECRET_KEY);
    CU_ASSERT_EQUAL(object->key_type, CKK_AES);
    CU_ASSERT_EQUAL(object->size_bits, 256);
    struct bytes label = BYTES_NONE;
    CU_ASSERT_TRUE(object_attr(object, CKA_LABEL, &label));
    CU_ASSERT_TRUE(bytes_equal(label, bytes_of_str("label")));
    CU_ASSERT_FALSE(object_has(object, CKA_START_DATE));
    seal_keys_free(keys);
}

static void attributes_are_sorted_by_type(void)
{
    keys = fixture_keys(1);
    AUTO_OBJECT *object = sample_object(&SAMPLE_AES(5, "label"));
    struct attr_list all;
    object_attrs(object, &all);
    CU_ASSERT_TRUE(all.count > 10);
    for (size_t i = 1; i < all.count; i++)
        CU_ASSERT_TRUE(all.items[i - 1].type < all.items[i].type);
    for (size_t i = 0; i < all.count; i++) {
        struct bytes value = BYTES_NONE;
        CU_ASSERT_TRUE(object_attr(object, all.items[i].type, &value));
        CU_ASSERT_PTR_EQUAL(value.ptr, all.items[i].value.ptr);
    }
    seal_keys_free(keys);
}

static void flags_and_usage_follow_the_attributes(void)
{
    keys = fixture_keys(1);
    AUTO_OBJECT *object = sample_object(&SAMPLE_AES(5, "label"));
    CU_ASSERT_EQUAL(object->flags, OBJECT_PRIVATE | OBJECT_TOKEN | OBJECT_MODIFIABLE |
                                       OBJECT_COPYABLE | OBJECT_DESTROYABLE | OBJECT_SENSITIVE);
    CU_ASSERT_EQUAL(object->usage, USAGE_ENCRYPT | USAGE_DECRYPT);
    CU_ASSERT_TRUE(object_bool(object, CKA_ENCRYPT, false));
    CU_ASSERT_FALSE(object_bool(object, CKA_WRAP, true));
    CU_ASSERT_TRUE(object_bool(object, CKA_DESTROYABLE, true));
    seal_keys_free(keys);
}

struct flag_case {
    CK_ATTRIBUTE_TYPE type;
    uint32_t flag, usage;
};
static const struct flag_case flag_cases[] = {
    {CKA_PRIVATE, OBJECT_PRIVATE, 0},
    {CKA_TOKEN, OBJECT_TOKEN, 0},
    {CKA_MODIFIABLE, OBJECT_MODIFIABLE, 0},
    {CKA_COPYABLE, OBJECT_COPYABLE, 0},
    {CKA_DESTROYABLE, OBJECT_DESTROYABLE, 0},
    {CKA_SENSITIVE, OBJECT_SENSITIVE, 0},
    {CKA_EXTRACTABLE, OBJECT_EXTRACTABLE, 0},
    {CKA_WRAP_WITH_TRUSTED, OBJECT_WRAP_WITH_TRUSTED, 0},
    {CKA_TRUSTED, OBJECT_TRUSTED, 0},
    {CKA_ALWAYS_AUTHENTICATE, OBJECT_ALWAYS_AUTHENTICATE, 0},
    {CKA_ENCRYPT, 0, USAGE_ENCRYPT},
    {CKA_DECRYPT, 0, USAGE_DECRYPT},
    {CKA_SIGN, 0, USAGE_SIGN},
    {CKA_VERIFY, 0, USAGE_VERIFY},
    {CKA_SIGN_RECOVER, 0, USAGE_SIGN_RECOVER},
    {CKA_VERIFY_RECOVER, 0, USAGE_VERIFY_RECOVER},
    {CKA_WRAP, 0, USAGE_WRAP},
    {CKA_UNWRAP, 0, USAGE_UNWRAP},
    {CKA_DERIVE, 0, USAGE_DERIVE},
};
#define FLAG_CASES (sizeof flag_cases / sizeof flag_cases[0])

/* All of these attributes FALSE but the one of case `set`, if there is one. */
static struct object *flagged_object(size_t set)
{
    uint8_t class[8];
    AUTO_BUF record = BUF_INIT;
    struct object *object = NULL;
    struct object_parts parts = {.version = 1, .token = 1};
    UNIT_OK(attr_list_add(&parts.public_attrs, CKA_CLASS, attr_ulong(class, CKO_DATA)));
    for (size_t i = 0; i < FLAG_CASES; i++)
        UNIT_OK(attr_list_add(&parts.public_attrs, flag_cases[i].type, attr_bool(i == set)));
    UNIT_OK(object_build(keys, &parts, &record));
    UNIT_OK(object_from_record(1, buf_bytes(&record), &object));
    return object;
}

static void each_boolean_attribute_is_a_flag_or_usage_of_its_own(void)
{
    keys = fixture_keys(1);
    for (size_t i = 0; i < FLAG_CASES; i++) {
        AUTO_OBJECT *object = flagged_object(i);
        CU_ASSERT_EQUAL(object->flags, flag_cases[i].flag);
        CU_ASSERT_EQUAL(object->usage, flag_cases[i].usage);
    }
    AUTO_OBJECT *object = flagged_object(FLAG_CASES);
    CU_ASSERT_EQUAL(object->flags, 0);
    CU_ASSERT_EQUAL(object->usage, 0);
    seal_keys_free(keys);
}

static void the_secret_half_opens_with_the_keys(void)
{
    keys = fixture_keys(1);
    AUTO_OBJECT *object = sample_object(&SAMPLE_AES(5, "label"));
    AUTO_SECRET store = SECRET_INIT;
    struct attr_list list = {.count = 0};
    CU_ASSERT_FALSE(object_has(object, CKA_VALUE));
    UNIT_OK(object_secrets(keys, object, &store, &list));
    const struct attr *value = attrs_find(attrs_of(&list), CKA_VALUE);
    CU_ASSERT_PTR_NOT_NULL_FATAL(value);
    CU_ASSERT_EQUAL(value->value.len, 32);
    CU_ASSERT_EQUAL(value->value.ptr[0], 7);
    seal_keys_free(keys);
}

static void the_seal_is_bound_to_id_version_and_token(void)
{
    keys = fixture_keys(1);
    AUTO_OBJECT *object = sample_object(&SAMPLE_AES(5, "label"));
    AUTO_SECRET store = SECRET_INIT;
    struct attr_list list = {.count = 0};
    object->version++;
    UNIT_RC(object_secrets(keys, object, &store, &list), RC_TAMPERED);
    object->version--;
    object->token++;
    UNIT_RC(object_secrets(keys, object, &store, &list), RC_TAMPERED);
    object->token--;
    object->unique_id[3] ^= 1;
    UNIT_RC(object_secrets(keys, object, &store, &list), RC_TAMPERED);
    object->unique_id[3] ^= 1;
    UNIT_OK(object_secrets(keys, object, &store, &list));
    seal_keys_free(keys);
}

static void an_object_without_secrets_has_no_seal(void)
{
    keys = fixture_keys(1);
    struct sample sample = SAMPLE_AES(5, "label");
    sample.object_class = CKO_DATA;
    AUTO_OBJECT *object = sample_object(&sample);
    AUTO_SECRET store = SECRET_INIT;
    struct attr_list list = {.count = 1};
    CU_ASSERT_EQUAL(object->sealed.len, 0);
    UNIT_OK(object_secrets(keys, object, &store, &list));
    CU_ASSERT_EQUAL(list.count, 0);
    CU_ASSERT_EQUAL(object->key_type, CK_UNAVAILABLE_INFORMATION);
    CU_ASSERT_EQUAL(object->size_bits, 0);
    seal_keys_free(keys);
}

static void a_record_cut_short_or_lengthened_is_refused(void)
{
    keys = fixture_keys(1);
    AUTO_BUF record = BUF_INIT;
    struct object *object = NULL;
    sample_record(keys, &SAMPLE_AES(5, "label"), &record);
    for (size_t len = 0; len < record.len; len++)
        UNIT_RC(object_from_record(1, bytes_of(record.ptr, len), &object), RC_TAMPERED);
    UNIT_OK(buf_put_u8(&record, 0));
    UNIT_RC(object_from_record(1, buf_bytes(&record), &object), RC_TAMPERED);
    CU_ASSERT_PTR_NULL(object);
    seal_keys_free(keys);
}

static void a_record_without_class_or_version_is_refused(void)
{
    keys = fixture_keys(1);
    AUTO_BUF record = BUF_INIT;
    struct object_parts parts = {.version = 1, .token = 1};
    UNIT_RC(object_build(keys, &parts, &record), RC_TEMPLATE_INCOMPLETE);
    uint8_t class[8];
    UNIT_OK(attr_list_add(&parts.public_attrs, CKA_CLASS, attr_ulong(class, CKO_DATA)));
    parts.version = 0;
    UNIT_RC(object_build(keys, &parts, &record), RC_INTERNAL);
    parts.version = 1;
    UNIT_OK(object_build(keys, &parts, &record));
    seal_keys_free(keys);
}

static void an_attribute_given_twice_is_refused(void)
{
    keys = fixture_keys(1);
    AUTO_BUF record = BUF_INIT;
    struct object_parts parts = {.version = 1, .token = 1};
    uint8_t class[8];
    UNIT_OK(attr_list_add(&parts.public_attrs, CKA_CLASS, attr_ulong(class, CKO_DATA)));
    UNIT_OK(attr_list_add(&parts.public_attrs, CKA_LABEL, bytes_of_str("a")));
    UNIT_OK(attr_list_add(&parts.public_attrs, CKA_LABEL, bytes_of_str("b")));
    UNIT_RC(object_build(keys, &parts, &record), RC_TEMPLATE_INCONSISTENT);
    CU_ASSERT_EQUAL(record.len, 0);
    seal_keys_free(keys);
}

static void a_record_over_the_limit_is_refused(void)
{
    keys = fixture_keys(1);
    AUTO_BUF record = BUF_INIT;
    AUTO_BUF value = BUF_INIT;
    struct object_parts parts = {.version = 1, .token = 1};
    uint8_t class[8];
    UNIT_OK(buf_resize(&value, OBJECT_RECORD_MAX));
    UNIT_OK(attr_list_add(&parts.public_attrs, CKA_CLASS, attr_ulong(class, CKO_DATA)));
    UNIT_OK(attr_list_add(&parts.public_attrs, CKA_VALUE, buf_bytes(&value)));
    UNIT_RC(object_build(keys, &parts, &record), RC_TOO_LARGE);
    CU_ASSERT_EQUAL(record.len, 0);
    seal_keys_free(keys);
}

static void a_frame_leads_back_to_its_object(void)
{
    keys = fixture_keys(1);
    AUTO_OBJECT *object = sample_object(&SAMPLE_AES(5, "label"));
    object_set_handle(object, 0x1234);
    struct bytes frame = object_frame(object);
    struct reader in = reader_of(frame);
    CU_ASSERT_EQUAL(reader_u64(&in), 0x1234);
    CU_ASSERT_TRUE(bytes_equal(reader_bytes(&in), object->record));
    CU_ASSERT_TRUE(reader_done(&in));
    CU_ASSERT_PTR_EQUAL(object_of_frame(frame.ptr), object);
    seal_keys_free(keys);
}

static void the_size_of_a_key_is_read_from_its_public_part(void)
{
    keys = fixture_keys(1);
    /* RFC 5480 2.1.1.1: secp256r1 */
    static const uint8_t p256[] = {0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};
    uint8_t modulus[256] = {0x80};
    uint8_t class[8];
    uint8_t type[8];
    struct object_parts parts = {.version = 1, .token = 1};
    struct attr_list *list = &parts.public_attrs;
    UNIT_OK(attr_list_set(list, CKA_CLASS, attr_ulong(class, CKO_PRIVATE_KEY)));
    UNIT_OK(attr_list_set(list, CKA_KEY_TYPE, attr_ulong(type, CKK_RSA)));
    UNIT_OK(attr_list_set(list, CKA_MODULUS, bytes_of(modulus, sizeof modulus)));
    AUTO_BUF rsa_record = BUF_INIT;
    AUTO_OBJECT *rsa = NULL;
    UNIT_OK(object_build(keys, &parts, &rsa_record));
    UNIT_OK(object_from_record(1, buf_bytes(&rsa_record), &rsa));
    CU_ASSERT_EQUAL(rsa->size_bits, 2048);
    list->count = 1;
    UNIT_OK(attr_list_set(list, CKA_KEY_TYPE, attr_ulong(type, CKK_EC)));
    UNIT_OK(attr_list_set(list, CKA_EC_PARAMS, bytes_of(p256, sizeof p256)));
    AUTO_BUF ec_record = BUF_INIT;
    AUTO_OBJECT *ec = NULL;
    UNIT_OK(object_build(keys, &parts, &ec_record));
    UNIT_OK(object_from_record(1, buf_bytes(&ec_record), &ec));
    CU_ASSERT_EQUAL(ec->size_bits, 256);
    seal_keys_free(keys);
}

static void secret_attributes_depend_on_class_and_privacy(void)
{
    CU_ASSERT_TRUE(object_attr_is_secret(CKO_SECRET_KEY, false, CKA_VALUE));
    CU_ASSERT_TRUE(object_attr_is_secret(CKO_PRIVATE_KEY, true, CKA_PRIVATE_EXPONENT));
    CU_ASSERT_TRUE(object_attr_is_secret(CKO_PRIVATE_KEY, true, CKA_COEFFICIENT));
    CU_ASSERT_FALSE(object_attr_is_secret(CKO_PRIVATE_KEY, true, CKA_MODULUS));
    CU_ASSERT_TRUE(object_attr_is_secret(CKO_DATA, true, CKA_VALUE));
    CU_ASSERT_FALSE(object_attr_is_secret(CKO_DATA, false, CKA_VALUE));
    CU_ASSERT_FALSE(object_attr_is_secret(CKO_CERTIFICATE, true, CKA_VALUE));
    CU_ASSERT_FALSE(object_attr_is_secret(CKO_PUBLIC_KEY, false, CKA_VALUE));
}

static void a_template_matches_when_all_of_it_is_equal_and_visible(void)
{
    keys = fixture_keys(1);
    AUTO_OBJECT *object = sample_object(&SAMPLE_AES(5, "label"));
    struct attr wanted[2] = {{CKA_LABEL, bytes_of_str("label")}, {CKA_ENCRYPT, attr_true()}};
    const struct attrs both = {.ptr = wanted, .count = 2};
    CU_ASSERT_TRUE(object_matches(object, both, true));
    CU_ASSERT_FALSE(object_matches(object, both, false));
    wanted[1] = (struct attr){CKA_ENCRYPT, attr_false()};
    CU_ASSERT_FALSE(object_matches(object, both, true));
    const uint8_t value[32] = {7, 7, 7};
    wanted[1] = (struct attr){CKA_VALUE, bytes_of(value, sizeof value)};
    CU_ASSERT_FALSE(object_matches(object, both, true));
    seal_keys_free(keys);
}

UNIT_SUITE("token/object", UNIT_CASE(a_record_gives_back_what_it_was_built_of),
           UNIT_CASE(attributes_are_sorted_by_type),
           UNIT_CASE(flags_and_usage_follow_the_attributes),
           UNIT_CASE(each_boolean_attribute_is_a_flag_or_usage_of_its_own),
           UNIT_CASE(the_secret_half_opens_with_the_keys),
           UNIT_CASE(the_seal_is_bound_to_id_version_and_token),
           UNIT_CASE(an_object_without_secrets_has_no_seal),
           UNIT_CASE(a_record_cut_short_or_lengthened_is_refused),
           UNIT_CASE(a_record_without_class_or_version_is_refused),
           UNIT_CASE(an_attribute_given_twice_is_refused),
           UNIT_CASE(a_record_over_the_limit_is_refused),
           UNIT_CASE(a_frame_leads_back_to_its_object),
           UNIT_CASE(the_size_of_a_key_is_read_from_its_public_part),
           UNIT_CASE(secret_attributes_depend_on_class_and_privacy),
           UNIT_CASE(a_template_matches_when_all_of_it_is_equal_and_visible));

/* SPDX-License-Identifier: Apache-2.0 */
/* Templates: canonical values by kind, nesting, every refusal, and values back into the caller's
 * buffers. */
#include "rpc/codec.h"

#include "tests/unit/unit.h"

static CK_BBOOL yes = CK_TRUE;
static CK_BBOOL no = CK_FALSE;
static CK_OBJECT_CLASS secret_key = CKO_SECRET_KEY;
static struct wire_template wire;

static enum rc pass(const CK_ATTRIBUTE *ck, CK_ULONG count)
{
    wire_template_clear(&wire);
    return codec_template_in(ck, count, &wire);
}

/* One attribute. */
static enum rc pass_one(CK_ATTRIBUTE_TYPE type, const void *value, size_t len)
{
    CK_ATTRIBUTE ck = {.type = type, .ulValueLen = len};
    memcpy(&ck.pValue, &value, sizeof value);
    return pass(&ck, 1);
}

static bool value_is(size_t index, const void *ptr, size_t len)
{
    return bytes_equal(wire.list.items[index].value, bytes_of(ptr, len));
}

static void values_become_canonical(void)
{
    CK_ATTRIBUTE ck[] = {{CKA_CLASS, &secret_key, sizeof secret_key},
                         {CKA_TOKEN, &yes, sizeof yes},
                         {CKA_LABEL, (void *)(uintptr_t) "label", 6},
                         {CKA_MODULUS, (void *)(uintptr_t) "\0\0\1\0", 4},
                         {CKA_ID, NULL, 0},
                         {CKA_START_DATE, (void *)(uintptr_t) "20300101", 8}};
    UNIT_OK(pass(ck, 6));
    CU_ASSERT_EQUAL_FATAL(wire.list.count, 6);
    CU_ASSERT(value_is(0, "\4\0\0\0\0\0\0\0", 8));
    CU_ASSERT(value_is(1, "\1", 1));
    CU_ASSERT(value_is(2, "label", 5));
    CU_ASSERT(value_is(3, "\1\0", 2));
    CU_ASSERT(value_is(4, NULL, 0));
    CU_ASSERT(value_is(5, "20300101", 8));
    wire_template_clear(&wire);
}

static void wrong_lengths_and_values_are_refused(void)
{
    UNIT_RC(pass_one(CKA_CLASS, &secret_key, 4), RC_ATTRIBUTE_VALUE);
    UNIT_RC(pass_one(CKA_TOKEN, "\1\1", 2), RC_ATTRIBUTE_VALUE);
    UNIT_RC(pass_one(CKA_TOKEN, "\2", 1), RC_ATTRIBUTE_VALUE);
    UNIT_RC(pass_one(CKA_LABEL, "a\0b", 3), RC_ATTRIBUTE_VALUE);
    UNIT_RC(pass_one(CKA_LABEL, "\xff", 1), RC_ATTRIBUTE_VALUE);
    UNIT_RC(pass_one(CKA_END_DATE, "2030-01-", 8), RC_ATTRIBUTE_VALUE);
    UNIT_RC(pass_one(CKA_ALLOWED_MECHANISMS, "1234567", 7), RC_ATTRIBUTE_VALUE);
    UNIT_RC(pass_one(CKA_WRAP_TEMPLATE, "1234567", 7), RC_ATTRIBUTE_VALUE);
    UNIT_RC(pass_one(CKA_VENDOR_DEFINED, "1", 1), RC_ATTRIBUTE_TYPE);
}

static void null_pointers_are_refused(void)
{
    UNIT_OK(pass(NULL, 0));
    UNIT_RC(pass(NULL, 1), RC_BAD_ARGUMENT);
    UNIT_RC(pass_one(CKA_LABEL, NULL, 3), RC_ATTRIBUTE_VALUE);
    UNIT_RC(pass_one(CKA_LABEL, "x", CK_UNAVAILABLE_INFORMATION), RC_ATTRIBUTE_VALUE);
}

static void type_given_twice_is_refused(void)
{
    CK_ATTRIBUTE ck[] = {{CKA_TOKEN, &yes, 1}, {CKA_ID, NULL, 0}, {CKA_TOKEN, &no, 1}};
    UNIT_RC(pass(ck, 3), RC_TEMPLATE_INCONSISTENT);
    CK_ATTRIBUTE outer = {CKA_WRAP_TEMPLATE, ck, sizeof ck};
    UNIT_RC(pass(&outer, 1), RC_TEMPLATE_INCONSISTENT);
}

static void too_much_is_refused(void)
{
    static CK_ATTRIBUTE many[ATTRS_MAX + 1];
    UNIT_RC(pass(many, ATTRS_MAX + 1), RC_BAD_ARGUMENT);
    CK_ATTRIBUTE outer = {CKA_WRAP_TEMPLATE, many, sizeof many};
    UNIT_RC(pass(&outer, 1), RC_ATTRIBUTE_VALUE);
    UNIT_RC(pass_one(CKA_VALUE, "x", 1024 * 1024 + 1), RC_ATTRIBUTE_VALUE);
}

/* Large enough that the store moves on the way. */
static void views_survive_the_growth_of_the_store(void)
{
    static uint8_t value[3000];
    memset(value, 7, sizeof value);
    CK_ATTRIBUTE ck[] = {{CKA_ID, value, 60},
                         {CKA_SUBJECT, value, 3000},
                         {CKA_VALUE, value, 3000},
                         {CKA_ISSUER, value, 3000}};
    UNIT_OK(pass(ck, 4));
    CU_ASSERT(value_is(0, value, 60));
    CU_ASSERT(value_is(3, value, 3000));
    CU_ASSERT(wire.list.items[0].value.ptr == wire.store.ptr);
    wire_template_clear(&wire);
}

static void nested_templates_pass_to_their_depth(void)
{
    CK_ATTRIBUTE leaf[] = {{CKA_TOKEN, &yes, 1}, {CKA_CLASS, &secret_key, sizeof secret_key}};
    CK_ATTRIBUTE middle = {CKA_UNWRAP_TEMPLATE, leaf, sizeof leaf};
    CK_ATTRIBUTE outer = {CKA_WRAP_TEMPLATE, &middle, sizeof middle};
    CK_ATTRIBUTE deeper = {CKA_DERIVE_TEMPLATE, &outer, sizeof outer};
    UNIT_OK(pass(&outer, 1));
    struct attr_list list;
    UNIT_OK(attrs_decode(wire.list.items[0].value, &list));
    CU_ASSERT_EQUAL_FATAL(list.count, 1);
    CU_ASSERT_EQUAL(list.items[0].type, CKA_UNWRAP_TEMPLATE);
    UNIT_OK(attrs_decode(list.items[0].value, &list));
    CU_ASSERT_EQUAL_FATAL(list.count, 2);
    CU_ASSERT(bytes_equal(list.items[1].value, bytes_of(&secret_key, 8)));
    UNIT_RC(pass(&deeper, 1), RC_ATTRIBUTE_VALUE);
    wire_template_clear(&wire);
}

static void misaligned_template_is_read(void)
{
    static uint8_t room[64];
    static uint8_t number[16];
    CK_ATTRIBUTE ck = {CKA_CLASS, number + 1, 8};
    void *at = room + 1;
    CK_ATTRIBUTE_PTR template = NULL;
    memcpy(number + 1, &secret_key, sizeof secret_key);
    memcpy(at, &ck, sizeof ck);
    memcpy(&template, &at, sizeof at);
    UNIT_OK(pass(template, 1));
    CU_ASSERT(value_is(0, &secret_key, 8));
    wire_template_clear(&wire);
}

static void template_survives_the_wire(void)
{
    static Qhsm__Attribute storage[ATTRS_MAX];
    static Qhsm__Attribute *pointers[ATTRS_MAX];
    struct attr_list back;
    CK_ATTRIBUTE ck[] = {{CKA_TOKEN, &yes, 1}, {CKA_ID, NULL, 0}};
    UNIT_OK(pass(ck, 2));
    size_t count = codec_template_pb(attrs_of(&wire.list), storage, pointers);
    CU_ASSERT_EQUAL_FATAL(count, 2);
    UNIT_OK(codec_template_from_pb(pointers, count, &back));
    CU_ASSERT_EQUAL(back.items[0].type, CKA_TOKEN);
    CU_ASSERT(bytes_equal(back.items[0].value, attr_true()));
    pointers[1] = &storage[0];
    UNIT_RC(codec_template_from_pb(pointers, 2, &back), RC_TEMPLATE_INCONSISTENT);
    storage[0].value.len = 0;
    UNIT_RC(codec_template_from_pb(pointers, 1, &back), RC_ATTRIBUTE_VALUE);
    UNIT_RC(codec_template_from_pb(pointers, ATTRS_MAX + 1, &back), RC_PROTOCOL);
    wire_template_clear(&wire);
}

static void value_fills_the_buffer_or_tells_its_length(void)
{
    uint8_t buffer[8] = {0};
    CK_ATTRIBUTE ck = {CKA_LABEL, NULL, 99};
    UNIT_OK(codec_attribute_out(&ck, bytes_of_str("label")));
    CU_ASSERT_EQUAL(ck.ulValueLen, 5);
    ck = (CK_ATTRIBUTE){CKA_LABEL, buffer, 8};
    UNIT_OK(codec_attribute_out(&ck, bytes_of_str("label")));
    CU_ASSERT(ck.ulValueLen == 5 && memcmp(buffer, "label\0", 6) == 0);
    ck = (CK_ATTRIBUTE){CKA_LABEL, buffer, 4};
    UNIT_RC(codec_attribute_out(&ck, bytes_of_str("other")), RC_BUFFER_TOO_SMALL);
    CU_ASSERT(ck.ulValueLen == CK_UNAVAILABLE_INFORMATION && buffer[0] == 'l');
    ck = (CK_ATTRIBUTE){CKA_ID, buffer, 4};
    UNIT_OK(codec_attribute_out(&ck, BYTES_NONE));
    CU_ASSERT_EQUAL(ck.ulValueLen, 0);
}

static void nested_template_is_filled_in_place(void)
{
    CK_ATTRIBUTE source[] = {{CKA_TOKEN, &yes, 1}, {CKA_CLASS, &secret_key, sizeof secret_key}};
    CK_ATTRIBUTE outer = {CKA_WRAP_TEMPLATE, source, sizeof source};
    UNIT_OK(pass(&outer, 1));
    struct bytes canonical = wire.list.items[0].value;
    CK_ATTRIBUTE ck = {CKA_WRAP_TEMPLATE, NULL, 0};
    UNIT_OK(codec_attribute_out(&ck, canonical));
    CU_ASSERT_EQUAL_FATAL(ck.ulValueLen, 2 * sizeof(CK_ATTRIBUTE));
    CK_ATTRIBUTE inner[2] = {{0}};
    ck = (CK_ATTRIBUTE){CKA_WRAP_TEMPLATE, inner, sizeof inner};
    UNIT_OK(codec_attribute_out(&ck, canonical));
    CU_ASSERT(inner[0].type == CKA_TOKEN && inner[0].ulValueLen == 1);
    CU_ASSERT(inner[1].type == CKA_CLASS && inner[1].ulValueLen == 8);
    CK_BBOOL flag = CK_FALSE;
    CK_OBJECT_CLASS class = 0;
    inner[0].pValue = &flag;
    inner[1].pValue = &class;
    UNIT_OK(codec_attribute_out(&ck, canonical));
    CU_ASSERT(flag == CK_TRUE && class == CKO_SECRET_KEY);
    inner[1].ulValueLen = 4;
    UNIT_RC(codec_attribute_out(&ck, canonical), RC_BUFFER_TOO_SMALL);
    CU_ASSERT(inner[0].ulValueLen == 1 && inner[1].ulValueLen == CK_UNAVAILABLE_INFORMATION);
    ck.ulValueLen = sizeof(CK_ATTRIBUTE);
    UNIT_RC(codec_attribute_out(&ck, canonical), RC_BUFFER_TOO_SMALL);
    CU_ASSERT_EQUAL(ck.ulValueLen, CK_UNAVAILABLE_INFORMATION);
    wire_template_clear(&wire);
}

static void misaligned_attribute_is_filled(void)
{
    static uint8_t room[64];
    static uint8_t number[16];
    CK_ATTRIBUTE ck = {CKA_MODULUS_BITS, number + 1, 8};
    CK_ULONG bits = 2048;
    void *at = room + 3;
    CK_ATTRIBUTE_PTR target = NULL;
    memcpy(at, &ck, sizeof ck);
    memcpy(&target, &at, sizeof at);
    UNIT_OK(codec_attribute_out(target, bytes_of(&bits, 8)));
    CU_ASSERT(memcmp(number + 1, &bits, 8) == 0);
}

UNIT_SUITE("codec_template", UNIT_CASE(values_become_canonical),
           UNIT_CASE(wrong_lengths_and_values_are_refused), UNIT_CASE(null_pointers_are_refused),
           UNIT_CASE(type_given_twice_is_refused), UNIT_CASE(too_much_is_refused),
           UNIT_CASE(views_survive_the_growth_of_the_store),
           UNIT_CASE(nested_templates_pass_to_their_depth), UNIT_CASE(misaligned_template_is_read),
           UNIT_CASE(template_survives_the_wire),
           UNIT_CASE(value_fills_the_buffer_or_tells_its_length),
           UNIT_CASE(nested_template_is_filled_in_place),
           UNIT_CASE(misaligned_attribute_is_filled));

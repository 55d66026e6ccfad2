/* SPDX-License-Identifier: Apache-2.0 */
/* The attribute table, the shape check of each kind, and the encoding of lists. */
#include "common/attribute.h"

#include "tests/unit/unit.h"

static void rows_stand_in_the_order_of_their_numbers(void)
{
    for (size_t i = 1; i < attr_info_count(); i++)
        CU_ASSERT(attr_info_at(i - 1)->type < attr_info_at(i)->type);
    CU_ASSERT_PTR_NULL(attr_info_at(attr_info_count()));
}

static void every_row_is_found_by_number_and_by_name(void)
{
    for (size_t i = 0; i < attr_info_count(); i++) {
        const struct attr_info *info = attr_info_at(i);
        CU_ASSERT_PTR_EQUAL(attr_info(info->type), info);
        CU_ASSERT_PTR_EQUAL(attr_info_by_name(info->name), info);
    }
    CU_ASSERT_PTR_EQUAL(attr_info_by_name("label"), attr_info(CKA_LABEL));
    CU_ASSERT_PTR_NULL(attr_info(CKA_VENDOR_DEFINED));
    CU_ASSERT_PTR_NULL(attr_info_by_name("CKA_NONSENSE"));
}

static void kinds_agree_with_the_array_bit(void)
{
    for (size_t i = 0; i < attr_info_count(); i++) {
        const struct attr_info *info = attr_info_at(i);
        bool array = info->kind == ATTR_TEMPLATE || info->kind == ATTR_MECHANISMS;
        bool marked = (info->type & CKF_ARRAY_ATTRIBUTE) != 0;
        /* The published 3.2 header forgot the bit on these two. */
        if (info->type == CKA_ENCAPSULATE_TEMPLATE || info->type == CKA_DECAPSULATE_TEMPLATE)
            marked = true;
        CU_ASSERT_EQUAL(array, marked);
    }
}

static enum rc check(CK_ATTRIBUTE_TYPE type, const void *value, size_t len)
{
    struct attr attr = {.type = type, .value = bytes_of(value, len)};
    return attr_check(&attr);
}

static void bool_is_one_byte_of_0_or_1(void)
{
    UNIT_OK(check(CKA_TOKEN, "\0", 1));
    UNIT_OK(check(CKA_TOKEN, "\1", 1));
    UNIT_RC(check(CKA_TOKEN, "\2", 1), RC_ATTRIBUTE_VALUE);
    UNIT_RC(check(CKA_TOKEN, "\1\0\0\0", 4), RC_ATTRIBUTE_VALUE);
    UNIT_RC(check(CKA_TOKEN, NULL, 0), RC_ATTRIBUTE_VALUE);
}

static void ulong_is_eight_bytes(void)
{
    UNIT_OK(check(CKA_CLASS, "\3\0\0\0\0\0\0\0", 8));
    UNIT_RC(check(CKA_CLASS, "\3\0\0\0", 4), RC_ATTRIBUTE_VALUE);
    UNIT_RC(check(CKA_CLASS, NULL, 0), RC_ATTRIBUTE_VALUE);
}

static void big_integer_has_no_leading_zero(void)
{
    UNIT_OK(check(CKA_MODULUS, "\x80\0", 2));
    UNIT_OK(check(CKA_MODULUS, NULL, 0));
    UNIT_RC(check(CKA_MODULUS, "\0\x80", 2), RC_ATTRIBUTE_VALUE);
}

static enum rc check_label(const char *label)
{
    return check(CKA_LABEL, label, strlen(label));
}

/* RFC 3629 section 3 and 10. */
static void string_is_utf8_without_nul(void)
{
    UNIT_OK(check(CKA_LABEL, NULL, 0));
    UNIT_OK(check_label("Schl\xc3\xbcssel \xe2\x82\xac \xf0\x9f\x94\x91"));
    UNIT_RC(check(CKA_LABEL, "a\0", 2), RC_ATTRIBUTE_VALUE);
    UNIT_RC(check_label("\xc3"), RC_ATTRIBUTE_VALUE);
    UNIT_RC(check_label("\x80"), RC_ATTRIBUTE_VALUE);
    UNIT_RC(check_label("\xc0\x80"), RC_ATTRIBUTE_VALUE);
    UNIT_RC(check_label("\xe0\x80\x80"), RC_ATTRIBUTE_VALUE);
    UNIT_RC(check_label("\xed\xa0\x80"), RC_ATTRIBUTE_VALUE);
    UNIT_RC(check_label("\xf0\x80\x80\x80"), RC_ATTRIBUTE_VALUE);
    UNIT_RC(check_label("\xf4\x90\x80\x80"), RC_ATTRIBUTE_VALUE);
    UNIT_RC(check_label("\xff"), RC_ATTRIBUTE_VALUE);
}

static void date_is_empty_or_eight_digits(void)
{
    UNIT_OK(check(CKA_START_DATE, NULL, 0));
    UNIT_OK(check(CKA_START_DATE, "20311231", 8));
    UNIT_RC(check(CKA_START_DATE, "20311331", 8), RC_ATTRIBUTE_VALUE);
    UNIT_RC(check(CKA_START_DATE, "20311200", 8), RC_ATTRIBUTE_VALUE);
    UNIT_RC(check(CKA_START_DATE, "2031123x", 8), RC_ATTRIBUTE_VALUE);
    UNIT_RC(check(CKA_START_DATE, "203112", 6), RC_ATTRIBUTE_VALUE);
}

static void mechanism_array_is_whole_numbers(void)
{
    UNIT_OK(check(CKA_ALLOWED_MECHANISMS, NULL, 0));
    UNIT_OK(check(CKA_ALLOWED_MECHANISMS, "\1\0\0\0\0\0\0\0", 8));
    UNIT_RC(check(CKA_ALLOWED_MECHANISMS, "\1\0\0\0", 4), RC_ATTRIBUTE_VALUE);
}

static void unknown_type_is_refused(void)
{
    UNIT_RC(check(CKA_VENDOR_DEFINED | 7, "x", 1), RC_ATTRIBUTE_TYPE);
}

/* A template of `depth` templates round CKA_TOKEN = `flag`. */
static void nest(struct buf *out, unsigned depth, struct bytes flag)
{
    AUTO_BUF inner = BUF_INIT;
    struct attr attr = {.type = CKA_TOKEN, .value = flag};
    if (depth > 1) {
        nest(&inner, depth - 1, flag);
        attr = (struct attr){.type = CKA_WRAP_TEMPLATE, .value = buf_bytes(&inner)};
    }
    UNIT_OK(attrs_encode(out, (struct attrs){.ptr = &attr, .count = 1}));
}

static enum rc check_nested(unsigned depth, struct bytes flag)
{
    AUTO_BUF value = BUF_INIT;
    nest(&value, depth, flag);
    return check(CKA_WRAP_TEMPLATE, value.ptr, value.len);
}

static void nested_template_is_checked_to_its_depth(void)
{
    UNIT_OK(check_nested(1, attr_true()));
    UNIT_OK(check_nested(ATTR_DEPTH_MAX, attr_true()));
    UNIT_RC(check_nested(ATTR_DEPTH_MAX + 1, attr_true()), RC_ATTRIBUTE_VALUE);
    UNIT_RC(check_nested(1, bytes_of("\5", 1)), RC_ATTRIBUTE_VALUE);
    UNIT_RC(check_nested(ATTR_DEPTH_MAX, bytes_of("\5", 1)), RC_ATTRIBUTE_VALUE);
    UNIT_RC(check(CKA_WRAP_TEMPLATE, "\1\0\0", 3), RC_ATTRIBUTE_VALUE);
}

static void list_survives_encoding(void)
{
    uint8_t storage[8];
    struct attr_list list = {.count = 0};
    UNIT_OK(attr_list_add(&list, CKA_LABEL, bytes_of_str("a label")));
    UNIT_OK(attr_list_add(&list, CKA_ID, BYTES_NONE));
    UNIT_OK(attr_list_add(&list, CKA_MODULUS_BITS, attr_ulong(storage, 2048)));
    AUTO_BUF encoded = BUF_INIT;
    AUTO_SECRET secret = SECRET_INIT;
    UNIT_OK(attrs_encode(&encoded, attrs_of(&list)));
    UNIT_OK(attrs_encode_secret(&secret, attrs_of(&list)));
    CU_ASSERT(secret_equal(&secret, buf_bytes(&encoded)));
    struct attr_list back;
    UNIT_OK(attrs_decode(buf_bytes(&encoded), &back));
    CU_ASSERT_EQUAL_FATAL(back.count, list.count);
    for (size_t i = 0; i < list.count; i++) {
        CU_ASSERT_EQUAL(back.items[i].type, list.items[i].type);
        CU_ASSERT(bytes_equal(back.items[i].value, list.items[i].value));
    }
}

static void every_truncation_is_refused(void)
{
    AUTO_BUF encoded = BUF_INIT;
    nest(&encoded, 2, attr_true());
    struct attr_list list;
    for (size_t len = 0; len < encoded.len; len++)
        UNIT_RC(attrs_decode(bytes_of(encoded.ptr, len), &list), RC_PROTOCOL);
    UNIT_OK(buf_put_u8(&encoded, 0));
    UNIT_RC(attrs_decode(buf_bytes(&encoded), &list), RC_PROTOCOL);
}

static void too_many_attributes_are_refused(void)
{
    struct attr_list list = {.count = 0};
    for (size_t i = 0; i < ATTRS_MAX; i++)
        UNIT_OK(attr_list_add(&list, i, BYTES_NONE));
    UNIT_RC(attr_list_add(&list, 1, BYTES_NONE), RC_TOO_LARGE);
    UNIT_OK(attr_list_set(&list, 1, attr_true()));
    UNIT_RC(attrs_decode(bytes_of("\xff\xff\xff\xff", 4), &list), RC_PROTOCOL);
}

static void typed_readers_refuse_other_shapes(void)
{
    uint8_t storage[8];
    struct attr_list list = {.count = 0};
    UNIT_OK(attr_list_add(&list, CKA_TOKEN, attr_true()));
    UNIT_OK(attr_list_add(&list, CKA_VALUE_LEN, attr_ulong(storage, 32)));
    UNIT_OK(attr_list_add(&list, CKA_PRIVATE, bytes_of("\2", 1)));
    bool flag = false;
    CK_ULONG number = 7;
    CU_ASSERT(attrs_get_bool(attrs_of(&list), CKA_TOKEN, &flag) && flag);
    CU_ASSERT(attrs_get_ulong(attrs_of(&list), CKA_VALUE_LEN, &number) && number == 32);
    CU_ASSERT(!attrs_get_bool(attrs_of(&list), CKA_PRIVATE, &flag) && flag);
    CU_ASSERT(!attrs_get_bool(attrs_of(&list), CKA_SIGN, &flag));
    CU_ASSERT(!attrs_get_ulong(attrs_of(&list), CKA_TOKEN, &number) && number == 32);
}

static void setting_replaces_the_first_or_adds(void)
{
    struct attr_list list = {.count = 0};
    UNIT_OK(attr_list_set(&list, CKA_TOKEN, attr_false()));
    UNIT_OK(attr_list_set(&list, CKA_TOKEN, attr_bool(true)));
    UNIT_OK(attr_list_set(&list, CKA_PRIVATE, attr_false()));
    CU_ASSERT_EQUAL(list.count, 2);
    CU_ASSERT_EQUAL(attrs_find(attrs_of(&list), CKA_TOKEN)->value.ptr[0], 1);
    CU_ASSERT_PTR_NULL(attrs_find(attrs_of(&list), CKA_LABEL));
}

UNIT_SUITE("attribute", UNIT_CASE(rows_stand_in_the_order_of_their_numbers),
           UNIT_CASE(every_row_is_found_by_number_and_by_name),
           UNIT_CASE(kinds_agree_with_the_array_bit), UNIT_CASE(bool_is_one_byte_of_0_or_1),
           UNIT_CASE(ulong_is_eight_bytes), UNIT_CASE(big_integer_has_no_leading_zero),
           UNIT_CASE(string_is_utf8_without_nul), UNIT_CASE(date_is_empty_or_eight_digits),
           UNIT_CASE(mechanism_array_is_whole_numbers), UNIT_CASE(unknown_type_is_refused),
           UNIT_CASE(nested_template_is_checked_to_its_depth), UNIT_CASE(list_survives_encoding),
           UNIT_CASE(every_truncation_is_refused), UNIT_CASE(too_many_attributes_are_refused),
           UNIT_CASE(typed_readers_refuse_other_shapes),
           UNIT_CASE(setting_replaces_the_first_or_adds));

/* SPDX-License-Identifier: Apache-2.0 */
/* DER: strict when reading, shortest when writing. */
#include "tests/unit/unit.h"
#include "token/key_der.h"

static bool reads(const char *hex_bytes, size_t len)
{
    struct bytes rest = bytes_of(hex_bytes, len), out;
    return key_der_get(&rest, DER_OCTET_STRING, &out) && rest.len == 0;
}

static bool reads_uint(const char *bytes, size_t len)
{
    struct bytes rest = bytes_of(bytes, len), out;
    return key_der_get_uint(&rest, &out) && rest.len == 0;
}

static void a_length_that_is_not_the_shortest_is_refused(void)
{
    CU_ASSERT_TRUE(reads("\x04\x01\x55", 3));
    CU_ASSERT_TRUE(reads("\x04\x00", 2));
    CU_ASSERT_FALSE(reads("\x04\x81\x01\x55", 4));
    CU_ASSERT_FALSE(reads("\x04\x82\x00\x01\x55", 5));
    CU_ASSERT_FALSE(reads("\x04\x80\x55\x00\x00", 5));
}

static void a_value_cut_short_is_refused(void)
{
    CU_ASSERT_FALSE(reads("", 0));
    CU_ASSERT_FALSE(reads("\x04", 1));
    CU_ASSERT_FALSE(reads("\x04\x02\x55", 3));
    CU_ASSERT_FALSE(reads("\x04\x84\x7f\xff\xff\xff", 6));
    CU_ASSERT_FALSE(reads("\x02\x01\x55", 3));
}

static void an_integer_is_minimal_and_not_negative(void)
{
    CU_ASSERT_TRUE(reads_uint("\x02\x01\x00", 3));
    CU_ASSERT_TRUE(reads_uint("\x02\x02\x00\x80", 4));
    CU_ASSERT_FALSE(reads_uint("\x02\x01\x80", 3));
    CU_ASSERT_FALSE(reads_uint("\x02\x02\x00\x7f", 4));
    CU_ASSERT_FALSE(reads_uint("\x02\x00", 2));
}

static void a_failed_read_moves_nothing(void)
{
    struct bytes rest = bytes_of("\x02\x01\x80", 3), out = BYTES_NONE;
    CU_ASSERT_FALSE(key_der_get_uint(&rest, &out));
    CU_ASSERT_EQUAL(rest.len, 3);
    CU_ASSERT_EQUAL(out.len, 0);
}

static void lengths_around_the_long_form_come_back(void)
{
    static const size_t lengths[] = {0, 1, 127, 128, 255, 256, 65535, 65536};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        AUTO_SECRET content = SECRET_INIT, der = SECRET_INIT;
        struct bytes out;
        UNIT_OK(secret_alloc(&content, lengths[i]));
        UNIT_OK(key_der_put(&der, DER_OCTET_STRING, secret_expose(&content)));
        struct bytes rest = secret_expose(&der);
        CU_ASSERT_TRUE(key_der_get(&rest, DER_OCTET_STRING, &out));
        CU_ASSERT_EQUAL(out.len, lengths[i]);
        CU_ASSERT_EQUAL(rest.len, 0);
    }
}

static void a_number_is_written_minimal_whatever_its_zeros(void)
{
    AUTO_SECRET der = SECRET_INIT;
    UNIT_OK(key_der_put_uint(&der, bytes_of("\0\0\x80", 3)));
    UNIT_OK(key_der_put_uint(&der, BYTES_NONE));
    CU_ASSERT_TRUE(secret_equal(&der, bytes_of("\x02\x02\x00\x80\x02\x01\x00", 7)));
}

UNIT_SUITE("token/key_der", UNIT_CASE(a_length_that_is_not_the_shortest_is_refused),
           UNIT_CASE(a_value_cut_short_is_refused),
           UNIT_CASE(an_integer_is_minimal_and_not_negative),
           UNIT_CASE(a_failed_read_moves_nothing),
           UNIT_CASE(lengths_around_the_long_form_come_back),
           UNIT_CASE(a_number_is_written_minimal_whatever_its_zeros));

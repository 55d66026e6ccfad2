/* SPDX-License-Identifier: Apache-2.0 */
/* Secrets: growth, comparison, wiping. */
#include "common/secret.h"

#include "tests/unit/unit.h"

static void append_keeps_what_was_there(void)
{
    AUTO_SECRET s = SECRET_INIT;
    AUTO_BUF expected = BUF_INIT;
    for (unsigned i = 0; i < 2000; i++) {
        UNIT_OK(secret_put_u64(&s, i));
        UNIT_OK(buf_put_u64(&expected, i));
    }
    CU_ASSERT_EQUAL(s.len, 16000);
    CU_ASSERT(secret_equal(&s, buf_bytes(&expected)));
}

static void encodings_are_those_of_buf(void)
{
    AUTO_SECRET s = SECRET_INIT;
    AUTO_BUF buf = BUF_INIT;
    UNIT_OK(secret_put_u8(&s, 1));
    UNIT_OK(secret_put_u32(&s, 2));
    UNIT_OK(secret_put_bytes(&s, bytes_of_str("three")));
    UNIT_OK(buf_put_u8(&buf, 1));
    UNIT_OK(buf_put_u32(&buf, 2));
    UNIT_OK(buf_put_bytes(&buf, bytes_of_str("three")));
    CU_ASSERT(secret_equal(&s, buf_bytes(&buf)));
}

static void equality_needs_every_byte_and_the_length(void)
{
    AUTO_SECRET s = SECRET_INIT;
    UNIT_OK(secret_from_bytes(&s, bytes_of_str("abcd")));
    CU_ASSERT(secret_equal(&s, bytes_of_str("abcd")));
    CU_ASSERT(!secret_equal(&s, bytes_of_str("abce")));
    CU_ASSERT(!secret_equal(&s, bytes_of_str("abc")));
    CU_ASSERT(!secret_equal(&s, bytes_of_str("abcde")));
}

static void truncation_wipes_the_rest(void)
{
    AUTO_SECRET s = SECRET_INIT;
    UNIT_OK(secret_from_bytes(&s, bytes_of_str("abcd")));
    secret_truncate(&s, 1);
    CU_ASSERT_EQUAL(s.len, 1);
    CU_ASSERT(memcmp(s.ptr, "a\0\0\0", 4) == 0);
}

static void too_much_is_refused(void)
{
    AUTO_SECRET s = SECRET_INIT;
    UNIT_RC(secret_alloc(&s, (size_t)17 * 1024 * 1024), RC_TOO_LARGE);
    UNIT_RC(secret_append(&s, bytes_of("", (size_t)-1)), RC_TOO_LARGE);
}

static void take_leaves_an_empty_secret(void)
{
    AUTO_SECRET s = SECRET_INIT;
    UNIT_OK(secret_from_bytes(&s, bytes_of_str("x")));
    AUTO_SECRET moved = secret_take(&s);
    CU_ASSERT_EQUAL(s.len, 0);
    CU_ASSERT(secret_equal(&moved, bytes_of_str("x")));
}

UNIT_SUITE("secret", UNIT_CASE(append_keeps_what_was_there), UNIT_CASE(encodings_are_those_of_buf),
           UNIT_CASE(equality_needs_every_byte_and_the_length),
           UNIT_CASE(truncation_wipes_the_rest), UNIT_CASE(too_much_is_refused),
           UNIT_CASE(take_leaves_an_empty_secret));

/* SPDX-License-Identifier: Apache-2.0 */
/* Buffers with a maximum, the writer and reader of our encodings, and views. */
#include "common/buf.h"

#include "tests/unit/unit.h"

static void numbers_are_little_endian_and_read_back(void)
{
    AUTO_BUF buf = BUF_INIT;
    UNIT_OK(buf_put_u8(&buf, 0xab));
    UNIT_OK(buf_put_u32(&buf, 0x01020304));
    UNIT_OK(buf_put_u64(&buf, 0x1122334455667788));
    UNIT_OK(buf_put_str(&buf, "text"));
    CU_ASSERT(memcmp(buf.ptr + 1, "\x04\x03\x02\x01", 4) == 0);
    struct reader r = reader_of(buf_bytes(&buf));
    CU_ASSERT_EQUAL(reader_u8(&r), 0xab);
    CU_ASSERT_EQUAL(reader_u32(&r), 0x01020304);
    CU_ASSERT_EQUAL(reader_u64(&r), 0x1122334455667788);
    CU_ASSERT(bytes_equal(reader_bytes(&r), bytes_of_str("text")));
    CU_ASSERT(reader_done(&r));
}

static void reader_failure_sticks_and_yields_zeros(void)
{
    struct reader r = reader_of(bytes_of("\1\2\3", 3));
    uint8_t copy[2] = {9, 9};
    CU_ASSERT_EQUAL(reader_u32(&r), 0);
    CU_ASSERT_EQUAL(reader_u8(&r), 0);
    reader_copy(&r, copy, sizeof copy);
    CU_ASSERT(copy[0] == 0 && copy[1] == 0);
    CU_ASSERT(!reader_ok(&r) && !reader_done(&r));
}

static void length_beyond_the_input_is_refused(void)
{
    struct reader r = reader_of(bytes_of("\xff\xff\xff\xff..", 6));
    CU_ASSERT_EQUAL(reader_bytes(&r).len, 0);
    CU_ASSERT(!reader_ok(&r));
}

static void growth_beyond_the_maximum_is_refused(void)
{
    AUTO_BUF buf = BUF_INIT_MAX(10);
    UNIT_OK(buf_append(&buf, bytes_of("0123456789", 10)));
    UNIT_RC(buf_put_u8(&buf, 1), RC_TOO_LARGE);
    UNIT_RC(buf_reserve(&buf, (size_t)-1), RC_TOO_LARGE);
    CU_ASSERT_EQUAL(buf.len, 10);
}

static void resize_zeroes_what_it_adds_and_what_it_cuts(void)
{
    AUTO_BUF buf = BUF_INIT;
    UNIT_OK(buf_append(&buf, bytes_of_str("secret")));
    UNIT_OK(buf_resize(&buf, 2));
    CU_ASSERT(memcmp(buf.ptr + 2, "\0\0\0\0", 4) == 0);
    UNIT_OK(buf_resize(&buf, 200));
    CU_ASSERT_EQUAL(buf.ptr[199], 0);
}

static void text_is_terminated(void)
{
    AUTO_BUF buf = BUF_INIT;
    CU_ASSERT_STRING_EQUAL(buf_str(&buf), "");
    UNIT_OK(buf_printf(&buf, "%d-%s", 42, "x"));
    UNIT_OK(buf_printf(&buf, "%64d", 1));
    CU_ASSERT_EQUAL(strlen(buf_str(&buf)), buf.len);
    CU_ASSERT_EQUAL(buf.len, 68);
}

static void take_leaves_an_empty_buf(void)
{
    AUTO_BUF buf = BUF_INIT;
    UNIT_OK(buf_append(&buf, bytes_of_str("x")));
    AUTO_BUF moved = buf_take(&buf);
    CU_ASSERT_EQUAL(buf.len, 0);
    CU_ASSERT_PTR_NULL(buf.ptr);
    CU_ASSERT_STRING_EQUAL(buf_str(&moved), "x");
}

static void slice_never_reads_outside(void)
{
    struct bytes all = bytes_of_str("abcdef");
    CU_ASSERT(bytes_equal(bytes_slice(all, 2, 3), bytes_of_str("cde")));
    CU_ASSERT(bytes_equal(bytes_slice(all, 4, 99), bytes_of_str("ef")));
    CU_ASSERT_EQUAL(bytes_slice(all, 6, 1).len, 0);
    CU_ASSERT_EQUAL(bytes_slice(all, (size_t)-1, (size_t)-1).len, 0);
}

static void order_is_by_content_then_length(void)
{
    CU_ASSERT(bytes_compare(bytes_of_str("a"), bytes_of_str("b")) < 0);
    CU_ASSERT(bytes_compare(bytes_of_str("ab"), bytes_of_str("a")) > 0);
    CU_ASSERT_EQUAL(bytes_compare(BYTES_NONE, bytes_of_str("")), 0);
}

UNIT_SUITE("buf", UNIT_CASE(numbers_are_little_endian_and_read_back),
           UNIT_CASE(reader_failure_sticks_and_yields_zeros),
           UNIT_CASE(length_beyond_the_input_is_refused),
           UNIT_CASE(growth_beyond_the_maximum_is_refused),
           UNIT_CASE(resize_zeroes_what_it_adds_and_what_it_cuts), UNIT_CASE(text_is_terminated),
           UNIT_CASE(take_leaves_an_empty_buf), UNIT_CASE(slice_never_reads_outside),
           UNIT_CASE(order_is_by_content_then_length));

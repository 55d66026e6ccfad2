/* SPDX-License-Identifier: Apache-2.0 */
/* Envelopes: for one key and one place alone. */
#include "token/envelope.h"

#include <stdlib.h>
#include <string.h>

#include "tests/unit/unit.h"
#include "token/crypto_lib.h"
#include "token/seal.h"

static struct bytes place(void)
{
    return bytes_of_str("cluster and node");
}

static void pair(struct secret *scalar, uint8_t point[ENVELOPE_POINT_LEN])
{
    UNIT_OK(crypto_lib_init());
    UNIT_OK(envelope_key_new(scalar, point));
    CU_ASSERT_EQUAL(scalar->len, ENVELOPE_SCALAR_LEN);
    CU_ASSERT_EQUAL(point[0], 4);
}

static void close_text(const uint8_t point[ENVELOPE_POINT_LEN], const char *text, struct buf *out)
{
    AUTO_SECRET plain = SECRET_INIT;
    UNIT_OK(secret_from_bytes(&plain, bytes_of_str(text)));
    UNIT_OK(envelope_close(point, place(), &plain, out));
}

static void what_was_closed_for_a_key_is_opened_by_it(void)
{
    AUTO_SECRET scalar = SECRET_INIT;
    AUTO_SECRET plain = SECRET_INIT;
    AUTO_BUF closed = BUF_INIT;
    uint8_t point[ENVELOPE_POINT_LEN];
    pair(&scalar, point);
    UNIT_OK(buf_append(&closed, bytes_of_str("before")));
    close_text(point, "the master key", &closed);
    struct bytes view = bytes_slice(buf_bytes(&closed), 6, closed.len);
    UNIT_OK(envelope_open(&scalar, place(), view, &plain));
    CU_ASSERT_TRUE(secret_equal(&plain, bytes_of_str("the master key")));
    CU_ASSERT_PTR_NULL(memmem(closed.ptr, closed.len, "master", 6));
}

static void an_empty_secret_is_closed_and_opened(void)
{
    AUTO_SECRET scalar = SECRET_INIT;
    AUTO_SECRET plain = SECRET_INIT;
    AUTO_BUF closed = BUF_INIT;
    uint8_t point[ENVELOPE_POINT_LEN];
    pair(&scalar, point);
    close_text(point, "", &closed);
    UNIT_OK(envelope_open(&scalar, place(), buf_bytes(&closed), &plain));
    CU_ASSERT_EQUAL(plain.len, 0);
}

static void two_envelopes_of_one_secret_have_nothing_in_common(void)
{
    AUTO_SECRET scalar = SECRET_INIT;
    AUTO_BUF first = BUF_INIT;
    AUTO_BUF second = BUF_INIT;
    uint8_t point[ENVELOPE_POINT_LEN];
    pair(&scalar, point);
    close_text(point, "the master key", &first);
    close_text(point, "the master key", &second);
    CU_ASSERT_FALSE(
        bytes_equal(bytes_slice(buf_bytes(&first), 2, 64), bytes_slice(buf_bytes(&second), 2, 64)));
    CU_ASSERT_FALSE(bytes_equal(bytes_slice(buf_bytes(&first), 66, 14),
                                bytes_slice(buf_bytes(&second), 66, 14)));
}

static void another_key_or_place_does_not_open(void)
{
    AUTO_SECRET scalar = SECRET_INIT;
    AUTO_SECRET other = SECRET_INIT;
    AUTO_SECRET plain = SECRET_INIT;
    AUTO_BUF closed = BUF_INIT;
    uint8_t point[ENVELOPE_POINT_LEN];
    uint8_t other_point[ENVELOPE_POINT_LEN];
    pair(&scalar, point);
    pair(&other, other_point);
    close_text(point, "the master key", &closed);
    UNIT_RC(envelope_open(&other, place(), buf_bytes(&closed), &plain), RC_TAMPERED);
    UNIT_RC(envelope_open(&scalar, bytes_of_str("elsewhere"), buf_bytes(&closed), &plain),
            RC_TAMPERED);
    UNIT_RC(envelope_open(&scalar, BYTES_NONE, buf_bytes(&closed), &plain), RC_TAMPERED);
    CU_ASSERT_PTR_NULL(plain.ptr);
}

static void any_changed_or_missing_byte_is_noticed(void)
{
    AUTO_SECRET scalar = SECRET_INIT;
    AUTO_SECRET plain = SECRET_INIT;
    AUTO_BUF closed = BUF_INIT;
    uint8_t point[ENVELOPE_POINT_LEN];
    pair(&scalar, point);
    close_text(point, "the master key", &closed);
    for (size_t i = 0; i < closed.len; i++) {
        closed.ptr[i] ^= 1;
        UNIT_RC(envelope_open(&scalar, place(), buf_bytes(&closed), &plain), RC_TAMPERED);
        closed.ptr[i] ^= 1;
    }
    for (size_t len = 0; len < closed.len; len++)
        UNIT_RC(envelope_open(&scalar, place(), bytes_of(closed.ptr, len), &plain), RC_TAMPERED);
    UNIT_OK(envelope_open(&scalar, place(), buf_bytes(&closed), &plain));
}

static void a_point_off_the_curve_is_refused(void)
{
    AUTO_SECRET scalar = SECRET_INIT;
    AUTO_SECRET plain = SECRET_INIT;
    AUTO_BUF closed = BUF_INIT;
    uint8_t point[ENVELOPE_POINT_LEN];
    pair(&scalar, point);
    point[40] ^= 1;
    UNIT_RC(envelope_close(point, place(), &plain, &closed), RC_BAD_ARGUMENT);
    point[40] ^= 1;
    point[0] = 2;
    UNIT_RC(envelope_close(point, place(), &plain, &closed), RC_BAD_ARGUMENT);
    const uint8_t none[ENVELOPE_POINT_LEN] = {0};
    UNIT_RC(envelope_close(none, place(), &plain, &closed), RC_BAD_ARGUMENT);
    CU_ASSERT_EQUAL(closed.len, 0);
}

static void a_number_outside_the_order_opens_nothing(void)
{
    AUTO_SECRET scalar = SECRET_INIT;
    AUTO_SECRET plain = SECRET_INIT;
    AUTO_BUF closed = BUF_INIT;
    uint8_t point[ENVELOPE_POINT_LEN];
    pair(&scalar, point);
    close_text(point, "the master key", &closed);
    memset(scalar.ptr, 0xFF, scalar.len);
    UNIT_RC(envelope_open(&scalar, place(), buf_bytes(&closed), &plain), RC_BAD_ARGUMENT);
    memset(scalar.ptr, 0, scalar.len);
    UNIT_RC(envelope_open(&scalar, place(), buf_bytes(&closed), &plain), RC_BAD_ARGUMENT);
    secret_truncate(&scalar, 31);
    UNIT_RC(envelope_open(&scalar, place(), buf_bytes(&closed), &plain), RC_BAD_ARGUMENT);
}

static void unhex(const char *hex, struct secret *out)
{
    UNIT_OK(secret_alloc(out, strlen(hex) / 2));
    for (size_t i = 0; i < out->len; i++) {
        const char digits[] = {hex[2 * i], hex[2 * i + 1], 0};
        out->ptr[i] = (uint8_t)strtoul(digits, NULL, 16);
    }
}

/* The recipient's key is that of RFC 6979 A.2.5, the ephemeral one the responder's of RFC 5903 8.1;
 * the rest by the Python package cryptography. */
static void an_envelope_of_another_implementation_opens(void)
{
    AUTO_SECRET scalar = SECRET_INIT;
    AUTO_SECRET closed = SECRET_INIT;
    AUTO_SECRET plain = SECRET_INIT;
    UNIT_OK(crypto_lib_init());
    unhex("C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721", &scalar);
    unhex("0104dad0b65394221cf9b051e1feca5787d098dfe637fc90b9ef945d0c37725811805271a0461cdb8252d61f"
          "1c456fa3e59ab1f45b33accf5f58389e0577b8990bb3fb935738a2f1be9e3ad7b0ccd11000b228f8e1d2f7df"
          "b9e8e78d51067934c2ce89280f43",
          &closed);
    UNIT_OK(envelope_open(&scalar, bytes_of_str("context"), secret_expose(&closed), &plain));
    CU_ASSERT_TRUE(secret_equal(&plain, bytes_of_str("a secret for one key")));
}

UNIT_SUITE("token/envelope", UNIT_CASE(what_was_closed_for_a_key_is_opened_by_it),
           UNIT_CASE(an_empty_secret_is_closed_and_opened),
           UNIT_CASE(two_envelopes_of_one_secret_have_nothing_in_common),
           UNIT_CASE(another_key_or_place_does_not_open),
           UNIT_CASE(any_changed_or_missing_byte_is_noticed),
           UNIT_CASE(a_point_off_the_curve_is_refused),
           UNIT_CASE(a_number_outside_the_order_opens_nothing),
           UNIT_CASE(an_envelope_of_another_implementation_opens));

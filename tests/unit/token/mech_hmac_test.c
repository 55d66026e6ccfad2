/* SPDX-License-Identifier: Apache-2.0 */
/* HMAC and CMAC: parts against the whole, every length, wrong codes, keys of every length. */
#include "mech_fixture.h"

static void code_of(const char *name, struct key *key, size_t len)
{
    AUTO_BUF whole = BUF_INIT;
    AUTO_BUF parts = BUF_INIT;
    AUTO_BUF none = BUF_INIT;
    struct bytes data = bytes_of(fixture_data(), len);
    const struct mech_call call = fixture_call(name, len);
    UNIT_OK(fixture_crypt(&call, CRYPT_SIGN, key, data, BYTES_NONE, &whole));
    UNIT_OK(fixture_parts(&call, CRYPT_SIGN, key, data, BYTES_NONE, &parts));
    CU_ASSERT_TRUE(bytes_equal(buf_bytes(&whole), buf_bytes(&parts)));
    UNIT_OK(fixture_crypt(&call, CRYPT_VERIFY, key, data, buf_bytes(&whole), &none));
    UNIT_OK(fixture_parts(&call, CRYPT_VERIFY, key, data, buf_bytes(&whole), &none));
    CU_ASSERT_EQUAL(none.len, 0);
}

static void parts_give_what_the_whole_gives_for_every_row(void)
{
    for (size_t i = 0; i < mechanism_count(); i++) {
        const struct mechanism *row = mechanism_at(i);
        if (row->family != FAMILY_HMAC && row->family != FAMILY_AES_CMAC)
            continue;
        struct key *key =
            fixture_key(row->family == FAMILY_HMAC ? CKK_GENERIC_SECRET : CKK_AES, 32);
        for (size_t len = 0; len <= 1000; len += row->digest == DIGEST_SHA256 ? 1 : 37)
            code_of(row->name, key, len);
        key_free(key);
    }
}

static void keys_of_every_length_work(void)
{
    const struct mech_call call = fixture_call("CKM_SHA512_HMAC", 0);
    for (size_t len = 1; len <= 300; len++) {
        AUTO_BUF out = BUF_INIT;
        struct key *key = fixture_key(CKK_GENERIC_SECRET, len);
        enum rc rc =
            fixture_crypt(&call, CRYPT_SIGN, key, bytes_of(fixture_data(), 10), BYTES_NONE, &out);
        UNIT_OK(rc);
        key_free(key);
    }
}

static void every_turned_bit_of_a_code_is_noticed(void)
{
    AUTO_BUF code = BUF_INIT;
    AUTO_BUF none = BUF_INIT;
    struct key *key = fixture_key(CKK_GENERIC_SECRET, 32);
    const struct mech_call call = fixture_call("CKM_SHA256_HMAC", 0);
    struct bytes data = bytes_of(fixture_data(), 100);
    UNIT_OK(fixture_crypt(&call, CRYPT_SIGN, key, data, BYTES_NONE, &code));
    for (size_t bit = 0; bit < 8 * code.len; bit++) {
        code.ptr[bit / 8] ^= (uint8_t)(1U << bit % 8);
        UNIT_RC(fixture_crypt(&call, CRYPT_VERIFY, key, data, buf_bytes(&code), &none),
                RC_SIGNATURE_INVALID);
        UNIT_RC(fixture_parts(&call, CRYPT_VERIFY, key, data, buf_bytes(&code), &none),
                RC_SIGNATURE_INVALID);
        code.ptr[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
    for (size_t len = 0; len < code.len; len++)
        UNIT_RC(fixture_crypt(&call, CRYPT_VERIFY, key, data, bytes_slice(buf_bytes(&code), 0, len),
                              &none),
                RC_SIGNATURE_LEN);
    UNIT_OK(buf_put_u8(&code, 0));
    UNIT_RC(fixture_crypt(&call, CRYPT_VERIFY, key, data, buf_bytes(&code), &none),
            RC_SIGNATURE_LEN);
    UNIT_RC(fixture_parts(&call, CRYPT_VERIFY, key, data, BYTES_NONE, &none), RC_SIGNATURE_LEN);
    key_free(key);
}

static void digests_take_turns_on_one_key(void)
{
    struct key *key = fixture_key(CKK_GENERIC_SECRET, 32);
    for (unsigned turn = 0; turn < 200; turn++) {
        size_t i = fixture_random(mechanism_count());
        if (mechanism_at(i)->family == FAMILY_HMAC)
            code_of(mechanism_at(i)->name, key, fixture_random(500));
    }
    key_free(key);
}

static void a_key_of_a_digest_serves_that_digest_alone(void)
{
    struct key *key = fixture_key(CKK_SHA384_HMAC, 48);
    for (size_t i = 0; i < mechanism_count(); i++) {
        const struct mech_call call = fixture_call(mechanism_at(i)->name, 0);
        if (call.mech->family == FAMILY_HMAC)
            UNIT_RC(mech_check(&call, CRYPT_SIGN, key),
                    call.mech->digest == DIGEST_SHA384 ? RC_OK : RC_KEY_TYPE);
    }
    key_free(key);
}

UNIT_SUITE("token/mech_hmac", UNIT_CASE(parts_give_what_the_whole_gives_for_every_row),
           UNIT_CASE(keys_of_every_length_work), UNIT_CASE(every_turned_bit_of_a_code_is_noticed),
           UNIT_CASE(digests_take_turns_on_one_key),
           UNIT_CASE(a_key_of_a_digest_serves_that_digest_alone));

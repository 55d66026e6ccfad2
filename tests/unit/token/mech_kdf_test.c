/* SPDX-License-Identifier: Apache-2.0 */
/* Key derivations: lengths, prefixes, what is refused. */
#include "mech_fixture.h"

static struct mech_call hkdf(void)
{
    struct mech_call call = fixture_call("CKM_HKDF_DERIVE", 0);
    call.u.hkdf.extract = call.u.hkdf.expand = true;
    call.u.hkdf.prf = DIGEST_SHA256;
    call.u.hkdf.salt_type = CKF_HKDF_SALT_DATA;
    call.u.hkdf.salt = bytes_of(fixture_data(), 20);
    call.u.hkdf.info = bytes_of(fixture_data(), 30);
    return call;
}

static struct mech_call counter(CK_ULONG width)
{
    struct mech_call call = fixture_call("CKM_SP800_108_COUNTER_KDF", 0);
    call.u.kdf.prf = CKM_SHA256_HMAC;
    call.u.kdf.field_count = 2;
    call.u.kdf.fields[0] =
        (struct prf_field){.type = CK_SP800_108_ITERATION_VARIABLE, .width_bits = width};
    call.u.kdf.fields[1] =
        (struct prf_field){.type = CK_SP800_108_BYTE_ARRAY, .data = bytes_of(fixture_data(), 30)};
    return call;
}

/* Without a length among the fields a longer key begins with the shorter ones. */
static void every_length_is_a_prefix(const struct mech_call *call, size_t max)
{
    struct key *key = fixture_key(CKK_GENERIC_SECRET, 32);
    AUTO_SECRET longest = SECRET_INIT;
    UNIT_OK(mech_derive(call, key, NULL, 0, max, &longest));
    CU_ASSERT_EQUAL_FATAL(longest.len, max);
    for (size_t len = 1; len < max; len += len < 300 ? 1 : 97) {
        AUTO_SECRET out = SECRET_INIT;
        UNIT_OK(mech_derive(call, key, NULL, 0, len, &out));
        CU_ASSERT_TRUE(secret_equal(&out, bytes_slice(secret_expose(&longest), 0, len)));
    }
    AUTO_SECRET over = SECRET_INIT;
    UNIT_RC(mech_derive(call, key, NULL, 0, max + 1, &over), RC_KEY_SIZE);
    CU_ASSERT_EQUAL(over.len, 0);
    key_free(key);
}

static void hkdf_gives_every_length_up_to_its_limit(void)
{
    const struct mech_call call = hkdf();
    every_length_is_a_prefix(&call, (size_t)255 * 32);
}

static void a_counter_gives_every_length_up_to_its_limit(void)
{
    const struct mech_call narrow = counter(8);
    const struct mech_call wide = counter(32);
    every_length_is_a_prefix(&narrow, (size_t)255 * 32);
    every_length_is_a_prefix(&wide, 16384);
}

static void the_natural_length_is_the_digest(void)
{
    struct key *key = fixture_key(CKK_GENERIC_SECRET, 32);
    const struct mech_call calls[2] = {hkdf(), counter(8)};
    for (unsigned i = 0; i < 2; i++) {
        AUTO_SECRET out = SECRET_INIT;
        UNIT_OK(mech_derive(&calls[i], key, NULL, 0, 0, &out));
        CU_ASSERT_EQUAL(out.len, 32);
    }
    key_free(key);
}

static void what_is_derived_is_appended(void)
{
    AUTO_SECRET out = SECRET_INIT;
    struct key *key = fixture_key(CKK_GENERIC_SECRET, 32);
    const struct mech_call call = hkdf();
    UNIT_OK(secret_put_u8(&out, 0x5a));
    UNIT_OK(mech_derive(&call, key, NULL, 0, 7, &out));
    CU_ASSERT_EQUAL(out.len, 8);
    CU_ASSERT_EQUAL(out.ptr[0], 0x5a);
    key_free(key);
}

static void a_salt_key_is_the_salt(void)
{
    AUTO_SECRET by_data = SECRET_INIT;
    AUTO_SECRET by_key = SECRET_INIT;
    struct key *key = fixture_key(CKK_HKDF, 32);
    struct key *salt = fixture_key(CKK_GENERIC_SECRET, 20);
    struct mech_call call = hkdf();
    call.u.hkdf.salt = bytes_of(fixture_data() + 1000, 20); /* that key's value */
    UNIT_OK(mech_derive(&call, key, NULL, 0, 50, &by_data));
    call.u.hkdf.salt_type = CKF_HKDF_SALT_KEY;
    call.u.hkdf.salt = BYTES_NONE;
    UNIT_OK(mech_derive(&call, key, salt, 0, 50, &by_key));
    CU_ASSERT_TRUE(secret_equal(&by_key, secret_expose(&by_data)));
    key_free(key);
    key_free(salt);
}

static void the_order_of_the_fields_matters(void)
{
    AUTO_SECRET one = SECRET_INIT;
    AUTO_SECRET two = SECRET_INIT;
    struct key *key = fixture_key(CKK_GENERIC_SECRET, 32);
    struct mech_call call = counter(16);
    UNIT_OK(mech_derive(&call, key, NULL, 0, 32, &one));
    struct prf_field first = call.u.kdf.fields[0];
    call.u.kdf.fields[0] = call.u.kdf.fields[1];
    call.u.kdf.fields[1] = first;
    UNIT_OK(mech_derive(&call, key, NULL, 0, 32, &two));
    CU_ASSERT_FALSE(secret_equal(&two, secret_expose(&one)));
    key_free(key);
}

static void a_length_that_would_buy_work_is_refused(void)
{
    AUTO_SECRET out = SECRET_INIT;
    struct key *key = fixture_key(CKK_GENERIC_SECRET, 32);
    const struct mech_call call = counter(32);
    UNIT_RC(mech_derive(&call, key, NULL, 0, SIZE_MAX, &out), RC_KEY_SIZE);
    UNIT_RC(mech_derive(&call, key, NULL, 0, (size_t)1 << 40, &out), RC_KEY_SIZE);
    struct mech_call password = fixture_call("CKM_PKCS5_PBKD2", 0);
    password.u.pbkdf2.prf = DIGEST_SHA256;
    password.u.pbkdf2.iterations = 1;
    UNIT_RC(mech_derive(&password, NULL, NULL, 0, 16384, &out), RC_KEY_SIZE);
    UNIT_OK(mech_derive(&password, NULL, NULL, 0, 32, &out)); /* empty password and salt */
    key_free(key);
}

UNIT_SUITE("token/mech_kdf", UNIT_CASE(hkdf_gives_every_length_up_to_its_limit),
           UNIT_CASE(a_counter_gives_every_length_up_to_its_limit),
           UNIT_CASE(the_natural_length_is_the_digest), UNIT_CASE(what_is_derived_is_appended),
           UNIT_CASE(a_salt_key_is_the_salt), UNIT_CASE(the_order_of_the_fields_matters),
           UNIT_CASE(a_length_that_would_buy_work_is_refused));

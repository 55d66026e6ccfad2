/* SPDX-License-Identifier: Apache-2.0 */
/* RSA mechanisms: what randomness keeps out of the vectors, lanes, and what a refusal tells. */
#include <pthread.h>

#include "key_fixture.h"
#include "tests/unit/unit.h"
#include "token/key_internal.h"

static struct key_pair rsa;

static void ready(void)
{
    if (rsa.private_key == NULL)
        fixture_rsa(&rsa);
}

static bool is_rsa_signature(const struct mechanism *mech)
{
    return (mech->family == FAMILY_RSA_PKCS || mech->family == FAMILY_RSA_PSS) &&
           (mech->flags & CKF_SIGN) != 0;
}

static void sign_and_verify(const struct mechanism *mech)
{
    AUTO_BUF signature = BUF_INIT;
    struct mech_call call = {.mech = mech, .has_param = mech->param != PARAM_NONE};
    enum digest_id digest = mech->digest == DIGEST_NONE ? DIGEST_SHA256 : mech->digest;
    struct bytes data = bytes_of("0123456789abcdef0123456789abcdef", 32);
    if (mech->param == PARAM_PSS) {
        call.u.pss.digest = digest;
        call.u.pss.mgf = digest;
        call.u.pss.salt_len = digest_info(digest)->len;
    }
    UNIT_OK(fixture_crypt(&call, CRYPT_SIGN, rsa.private_key, data, BYTES_NONE, &signature));
    CU_ASSERT_EQUAL(signature.len, 256);
    UNIT_OK(fixture_crypt(&call, CRYPT_VERIFY, rsa.public_key, data, buf_bytes(&signature), NULL));
    signature.ptr[17] ^= 1;
    UNIT_RC(fixture_crypt(&call, CRYPT_VERIFY, rsa.public_key, data, buf_bytes(&signature), NULL),
            RC_SIGNATURE_INVALID);
}

static void every_row_signs_what_it_verifies(void)
{
    ready();
    for (size_t i = 0; i < mechanism_count(); i++)
        if (is_rsa_signature(mechanism_at(i)))
            sign_and_verify(mechanism_at(i));
}

static void encrypt_and_decrypt(const struct mech_call *call)
{
    AUTO_BUF cipher = BUF_INIT, plain = BUF_INIT;
    const struct bytes secret = bytes_of_str("a short secret");
    UNIT_OK(fixture_crypt(call, CRYPT_ENCRYPT, rsa.public_key, secret, BYTES_NONE, &cipher));
    UNIT_OK(fixture_crypt(call, CRYPT_DECRYPT, rsa.private_key, buf_bytes(&cipher), BYTES_NONE,
                          &plain));
    CU_ASSERT_TRUE(bytes_equal(buf_bytes(&plain), secret));
}

static void oaep_works_with_every_digest_and_mask(void)
{
    struct mech_call call = fixture_call("CKM_RSA_PKCS_OAEP");
    ready();
    call.has_param = true;
    for (int digest = DIGEST_SHA1; digest < DIGEST_COUNT; digest++) {
        for (int mgf = DIGEST_SHA1; mgf < DIGEST_COUNT; mgf++) {
            call.u.oaep.digest = (enum digest_id)digest;
            call.u.oaep.mgf = (enum digest_id)mgf;
            call.u.oaep.label = mgf % 2 == 0 ? BYTES_NONE : bytes_of_str("label");
            encrypt_and_decrypt(&call);
        }
    }
}

static void pkcs1_encryption_comes_back(void)
{
    struct mech_call call = fixture_call("CKM_RSA_PKCS");
    ready();
    encrypt_and_decrypt(&call);
}

/* The detail is what logs show: it must not tell the reasons apart either. */
static void refused_decryptions_look_the_same(void)
{
    struct mech_call raw = fixture_call("CKM_RSA_X_509"), pkcs1 = fixture_call("CKM_RSA_PKCS");
    char first[256] = "";
    ready();
    for (unsigned kind = 0; kind < 3; kind++) {
        uint8_t block[256] = {0, kind == 0 ? 1 : 2};
        AUTO_BUF cipher = BUF_INIT, plain = BUF_INIT;
        memset(block + 2, 0xAA, sizeof block - 2);
        if (kind == 1)
            block[5] = 0;
        UNIT_OK(fixture_crypt(&raw, CRYPT_ENCRYPT, rsa.public_key, bytes_of(block, sizeof block),
                              BYTES_NONE, &cipher));
        UNIT_RC(fixture_crypt(&pkcs1, CRYPT_DECRYPT, rsa.private_key, buf_bytes(&cipher),
                              BYTES_NONE, &plain),
                RC_ENCRYPTED_DATA);
        CU_ASSERT_EQUAL(plain.len, 0);
        if (kind == 0)
            memcpy(first, rc_detail(), strlen(rc_detail()) + 1);
        CU_ASSERT_STRING_EQUAL(first, rc_detail());
    }
}

static void a_private_key_goes_through_rsa_aes_key_wrap(void)
{
    struct mech_call call = fixture_call("CKM_RSA_AES_KEY_WRAP");
    AUTO_SECRET target = SECRET_INIT, plain = SECRET_INIT;
    AUTO_BUF wrapped = BUF_INIT;
    ready();
    call.has_param = true;
    call.u.rsa_aes.aes_bits = 256;
    call.u.rsa_aes.digest = call.u.rsa_aes.mgf = DIGEST_SHA256;
    UNIT_OK(key_export(rsa.private_key, &target));
    UNIT_OK(mech_wrap(&call, rsa.public_key, 0, &target, &wrapped));
    UNIT_OK(mech_unwrap(&call, rsa.private_key, 0, buf_bytes(&wrapped), &plain));
    CU_ASSERT_TRUE(secret_equal(&target, secret_expose(&plain)));
    wrapped.ptr[0] ^= 1;
    UNIT_RC(mech_unwrap(&call, rsa.private_key, 0, buf_bytes(&wrapped), &plain), RC_WRAPPED_KEY);
    UNIT_RC(mech_unwrap(&call, rsa.private_key, 0, bytes_of("short", 5), &plain),
            RC_WRAPPED_KEY_LEN);
}

static void pkcs1_and_oaep_wrap_what_they_unwrap(void)
{
    static const char *const names[] = {"CKM_RSA_PKCS", "CKM_RSA_PKCS_OAEP"};
    ready();
    for (size_t i = 0; i < 2; i++) {
        struct mech_call call = fixture_call(names[i]);
        AUTO_SECRET target = SECRET_INIT, plain = SECRET_INIT, big = SECRET_INIT;
        AUTO_BUF wrapped = BUF_INIT;
        call.has_param = i == 1;
        if (i == 1)
            call.u.oaep.digest = call.u.oaep.mgf = DIGEST_SHA256;
        UNIT_OK(secret_from_bytes(&target, bytes_of("0123456789abcdef", 16)));
        UNIT_OK(secret_alloc(&big, 250));
        UNIT_OK(mech_wrap(&call, rsa.public_key, 0, &target, &wrapped));
        UNIT_OK(mech_unwrap(&call, rsa.private_key, 0, buf_bytes(&wrapped), &plain));
        CU_ASSERT_TRUE(secret_equal(&plain, secret_expose(&target)));
        UNIT_RC(mech_wrap(&call, rsa.public_key, 0, &big, &wrapped), RC_KEY_SIZE);
    }
}

#define THREADS 4U
#define ROUNDS  24U

static void *sign_on_a_lane(void *lane)
{
    const struct mech_call call = fixture_call("CKM_SHA256_RSA_PKCS");
    unsigned number = *(unsigned *)lane;
    AUTO_BUF first = BUF_INIT, iv = BUF_INIT;
    unsigned failures = 0;
    for (unsigned i = 0; i < ROUNDS; i++) {
        AUTO_BUF out = BUF_INIT;
        if (mech_crypt(&call, CRYPT_SIGN, rsa.private_key, number, false, bytes_of_str("message"),
                       BYTES_NONE, i == 0 ? &first : &out, &iv) != RC_OK)
            failures++;
        if (i > 0 && !bytes_equal(buf_bytes(&first), buf_bytes(&out)))
            failures++;
    }
    *(unsigned *)lane = failures;
    return NULL;
}

static void lanes_sign_side_by_side(void)
{
    pthread_t threads[THREADS];
    unsigned lanes[THREADS];
    ready();
    for (unsigned i = 0; i < THREADS; i++) {
        lanes[i] = i;
        CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, sign_on_a_lane, &lanes[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        CU_ASSERT_EQUAL(lanes[i], 0);
    }
}

/* More kinds of use than a lane keeps ready: the oldest makes room, nothing leaks. */
static void a_lane_keeps_few_contexts_and_goes_on(void)
{
    struct mech_call call = fixture_call("CKM_RSA_PKCS_PSS");
    ready();
    call.has_param = true;
    call.u.pss.digest = call.u.pss.mgf = DIGEST_SHA256;
    for (unsigned round = 0; round < 3; round++) {
        for (call.u.pss.salt_len = 0; call.u.pss.salt_len < 2 * KEY_READY_MAX;
             call.u.pss.salt_len++) {
            AUTO_BUF out = BUF_INIT;
            UNIT_OK(fixture_crypt(&call, CRYPT_SIGN, rsa.private_key,
                                  bytes_of("0123456789abcdef0123456789abcdef", 32), BYTES_NONE,
                                  &out));
        }
    }
}

static void a_lane_beyond_the_last_is_refused(void)
{
    struct mech_call call = fixture_call("CKM_SHA256_RSA_PKCS");
    AUTO_BUF out = BUF_INIT, iv = BUF_INIT;
    ready();
    UNIT_RC(mech_crypt(&call, CRYPT_SIGN, rsa.private_key, LANES_MAX, false,
                       bytes_of_str("message"), BYTES_NONE, &out, &iv),
            RC_INTERNAL);
}

/* Runs last: the pair of all cases goes. */
static void the_key_goes_with_its_lanes(void)
{
    ready();
    fixture_pair_clear(&rsa);
    rsa.private_key = NULL;
    crypto_lib_cleanup();
}

UNIT_SUITE("token/mech_rsa", UNIT_CASE(every_row_signs_what_it_verifies),
           UNIT_CASE(oaep_works_with_every_digest_and_mask), UNIT_CASE(pkcs1_encryption_comes_back),
           UNIT_CASE(refused_decryptions_look_the_same),
           UNIT_CASE(a_private_key_goes_through_rsa_aes_key_wrap),
           UNIT_CASE(pkcs1_and_oaep_wrap_what_they_unwrap), UNIT_CASE(lanes_sign_side_by_side),
           UNIT_CASE(a_lane_keeps_few_contexts_and_goes_on),
           UNIT_CASE(a_lane_beyond_the_last_is_refused), UNIT_CASE(the_key_goes_with_its_lanes));

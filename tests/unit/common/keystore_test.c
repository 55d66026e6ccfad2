/* SPDX-License-Identifier: Apache-2.0 */
/* The key store's table: numbers, names, and what goes with what. */
#include "common/keystore.h"

#include "tests/unit/unit.h"

static void numbers_are_places_in_the_table(void)
{
    const struct keystore_spec_row *spec = NULL;
    const struct keystore_algorithm_row *algorithm = NULL;
    size_t i = 0;
    for (; (spec = keystore_spec_at(i)) != NULL; i++) {
        CU_ASSERT_EQUAL((size_t)spec->spec, i + 1);
        CU_ASSERT_PTR_EQUAL(keystore_spec((uint32_t)spec->spec), spec);
        CU_ASSERT_PTR_EQUAL(keystore_spec_by_name(spec->name), spec);
    }
    CU_ASSERT_EQUAL(i, 16);
    for (i = 0; (algorithm = keystore_algorithm_at(i)) != NULL; i++) {
        CU_ASSERT_EQUAL((size_t)algorithm->algorithm, i + 1);
        CU_ASSERT_PTR_EQUAL(keystore_algorithm((uint32_t)algorithm->algorithm), algorithm);
        CU_ASSERT_PTR_EQUAL(keystore_algorithm_by_name(algorithm->use, algorithm->name), algorithm);
    }
    CU_ASSERT_EQUAL(i, 24);
}

static void there_is_nothing_beside_the_table(void)
{
    CU_ASSERT_PTR_NULL(keystore_spec(0));
    CU_ASSERT_PTR_NULL(keystore_spec(17));
    CU_ASSERT_PTR_NULL(keystore_spec(UINT32_MAX));
    CU_ASSERT_PTR_NULL(keystore_algorithm(0));
    CU_ASSERT_PTR_NULL(keystore_algorithm(25));
    CU_ASSERT_PTR_NULL(keystore_spec_by_name("RSA_1024"));
    CU_ASSERT_PTR_NULL(keystore_spec_by_name(""));
    CU_ASSERT_PTR_NULL(keystore_algorithm_by_name(KEYSTORE_SIGN, "RSAES_OAEP_SHA_1"));
}

/* The same name encrypts and unwraps. */
static void a_name_belongs_to_a_use(void)
{
    const struct keystore_algorithm_row *encrypt =
        keystore_algorithm_by_name(KEYSTORE_ENCRYPT, "RSAES_OAEP_SHA_256");
    const struct keystore_algorithm_row *unwrap =
        keystore_algorithm_by_name(KEYSTORE_UNWRAP, "RSAES_OAEP_SHA_256");
    CU_ASSERT_FATAL(encrypt != NULL && unwrap != NULL);
    CU_ASSERT_EQUAL(encrypt->algorithm, KEYSTORE_OAEP_SHA256);
    CU_ASSERT_EQUAL(unwrap->algorithm, KEYSTORE_WRAP_OAEP_SHA256);
}

static bool goes(enum keystore_spec spec, enum keystore_algorithm algorithm)
{
    return keystore_goes_with(keystore_spec((uint32_t)spec),
                              keystore_algorithm((uint32_t)algorithm));
}

static void the_digest_follows_the_size(void)
{
    CU_ASSERT(goes(KEYSTORE_SPEC_P256, KEYSTORE_ECDSA_SHA256));
    CU_ASSERT(goes(KEYSTORE_SPEC_SECP256K1, KEYSTORE_ECDSA_SHA256));
    CU_ASSERT(goes(KEYSTORE_SPEC_P384, KEYSTORE_ECDSA_SHA384));
    CU_ASSERT(goes(KEYSTORE_SPEC_P521, KEYSTORE_ECDSA_SHA512));
    CU_ASSERT(!goes(KEYSTORE_SPEC_P256, KEYSTORE_ECDSA_SHA384));
    CU_ASSERT(!goes(KEYSTORE_SPEC_P521, KEYSTORE_ECDSA_SHA256));
    CU_ASSERT(goes(KEYSTORE_SPEC_HMAC_224, KEYSTORE_HMAC_SHA224));
    CU_ASSERT(goes(KEYSTORE_SPEC_HMAC_512, KEYSTORE_HMAC_SHA512));
    CU_ASSERT(!goes(KEYSTORE_SPEC_HMAC_256, KEYSTORE_HMAC_SHA224));
}

static void the_kind_of_key_decides(void)
{
    CU_ASSERT(goes(KEYSTORE_SPEC_AES_256, KEYSTORE_GCM));
    CU_ASSERT(!goes(KEYSTORE_SPEC_RSA_2048, KEYSTORE_GCM));
    CU_ASSERT(goes(KEYSTORE_SPEC_RSA_4096, KEYSTORE_PSS_SHA512));
    CU_ASSERT(goes(KEYSTORE_SPEC_RSA_2048, KEYSTORE_WRAP_RSA_AES_SHA256));
    CU_ASSERT(!goes(KEYSTORE_SPEC_P256, KEYSTORE_PSS_SHA256));
    CU_ASSERT(goes(KEYSTORE_SPEC_ED25519, KEYSTORE_ED25519));
    CU_ASSERT(goes(KEYSTORE_SPEC_ED25519, KEYSTORE_ED25519_PH));
    CU_ASSERT(!goes(KEYSTORE_SPEC_P256, KEYSTORE_ED25519));
    CU_ASSERT(goes(KEYSTORE_SPEC_ML_DSA_65, KEYSTORE_ML_DSA_SHAKE256));
    CU_ASSERT(!goes(KEYSTORE_SPEC_ED25519, KEYSTORE_ML_DSA_SHAKE256));
    CU_ASSERT(goes(KEYSTORE_SPEC_P521, KEYSTORE_ECDH));
    CU_ASSERT(!goes(KEYSTORE_SPEC_SECP256K1, KEYSTORE_ECDH));
    CU_ASSERT(!goes(KEYSTORE_SPEC_ED25519, KEYSTORE_ECDH));
}

static void every_spec_has_its_uses(void)
{
    static const struct {
        enum keystore_kind kind;
        bool uses[KEYSTORE_USE_END];
    } rows[] = {
        {KEYSTORE_AES, {[KEYSTORE_ENCRYPT] = true}},
        {KEYSTORE_RSA,
         {[KEYSTORE_ENCRYPT] = true, [KEYSTORE_SIGN] = true, [KEYSTORE_UNWRAP] = true}},
        {KEYSTORE_EC, {[KEYSTORE_SIGN] = true, [KEYSTORE_AGREE] = true}},
        {KEYSTORE_EDWARDS, {[KEYSTORE_SIGN] = true}},
        {KEYSTORE_HMAC, {[KEYSTORE_MAC] = true}},
        {KEYSTORE_ML_DSA, {[KEYSTORE_SIGN] = true}},
    };
    const struct keystore_spec_row *spec = NULL;
    for (size_t i = 0; (spec = keystore_spec_at(i)) != NULL; i++)
        for (unsigned use = 1; use < KEYSTORE_USE_END; use++) {
            bool expected = rows[spec->kind].uses[use];
            if (spec->spec == KEYSTORE_SPEC_SECP256K1 && use == KEYSTORE_AGREE)
                expected = false;
            CU_ASSERT_EQUAL(keystore_may_be_for(spec, (enum keystore_use)use), expected);
        }
}

UNIT_SUITE("keystore", UNIT_CASE(numbers_are_places_in_the_table),
           UNIT_CASE(there_is_nothing_beside_the_table), UNIT_CASE(a_name_belongs_to_a_use),
           UNIT_CASE(the_digest_follows_the_size), UNIT_CASE(the_kind_of_key_decides),
           UNIT_CASE(every_spec_has_its_uses));

/* SPDX-License-Identifier: Apache-2.0 */
/* PKCS#8 and SubjectPublicKeyInfo: libcrypto reads ours, we read libcrypto's, rubbish is refused.
 */
#include <openssl/x509.h>

#include "key_fixture.h"
#include "tests/unit/unit.h"
#include "token/key_internal.h"

static const char *const all_curves[] = {"secp224r1",  "secp256r1",  "secp384r1",
                                         "secp521r1",  "secp256k1",  "edwards25519",
                                         "edwards448", "curve25519", "curve448"};
#define CURVE_COUNT (sizeof all_curves / sizeof all_curves[0])

/* Calls `check` with a pair of every kind. */
static void each_kind(void (*check)(const struct key_pair *pair))
{
    struct key_pair pair;
    fixture_rsa(&pair);
    check(&pair);
    fixture_pair_clear(&pair);
    for (size_t i = 0; i < CURVE_COUNT; i++) {
        fixture_curve_pair(all_curves[i], &pair);
        check(&pair);
        fixture_pair_clear(&pair);
    }
    if (!crypto_lib_offers(CKK_ML_DSA))
        return;
    fixture_ml_dsa(CKP_ML_DSA_87, &pair);
    check(&pair);
    fixture_pair_clear(&pair);
}

static void libcrypto_reads(const struct key_pair *pair)
{
    AUTO_SECRET pkcs8 = SECRET_INIT;
    AUTO_BUF from_private = BUF_INIT, from_public = BUF_INIT;
    UNIT_OK(key_export(pair->private_key, &pkcs8));
    UNIT_OK(key_public_info(pair->private_key, &from_private));
    UNIT_OK(key_public_info(pair->public_key, &from_public));
    CU_ASSERT_TRUE(bytes_equal(buf_bytes(&from_private), buf_bytes(&from_public)));
    const uint8_t *at = secret_expose(&pkcs8).ptr;
    EVP_PKEY *private_key = d2i_AutoPrivateKey_ex(NULL, &at, (long)pkcs8.len, crypto_lib(), NULL);
    CU_ASSERT_PTR_EQUAL(at, pkcs8.ptr + pkcs8.len);
    at = from_public.ptr;
    EVP_PKEY *public_key = d2i_PUBKEY_ex(NULL, &at, (long)from_public.len, crypto_lib(), NULL);
    CU_ASSERT_PTR_EQUAL(at, from_public.ptr + from_public.len);
    CU_ASSERT_EQUAL(EVP_PKEY_eq(private_key, pair->private_key->pkey), 1);
    CU_ASSERT_EQUAL(EVP_PKEY_eq(public_key, pair->private_key->pkey), 1);
    EVP_PKEY_free(private_key);
    EVP_PKEY_free(public_key);
}

static void libcrypto_reads_what_is_exported(void)
{
    each_kind(libcrypto_reads);
}

static void expect_import(const struct key_pair *pair, struct bytes pkcs8)
{
    AUTO_MATERIAL material = MATERIAL_INIT;
    CK_KEY_TYPE type = key_type(pair->private_key);
    UNIT_OK(key_import(CKO_PRIVATE_KEY, type, pkcs8, &material));
    CU_ASSERT_TRUE(bytes_equal(secret_expose(&material.secret_attrs),
                               secret_expose(&pair->private_material.secret_attrs)));
    CU_ASSERT_TRUE(bytes_equal(buf_bytes(&material.public_attrs),
                               buf_bytes(&pair->private_material.public_attrs)));
}

static void comes_back(const struct key_pair *pair)
{
    AUTO_SECRET pkcs8 = SECRET_INIT;
    uint8_t *theirs = NULL;
    UNIT_OK(key_export(pair->private_key, &pkcs8));
    expect_import(pair, secret_expose(&pkcs8));
    PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(pair->private_key->pkey);
    int len = i2d_PKCS8_PRIV_KEY_INFO(info, &theirs);
    CU_ASSERT_TRUE_FATAL(len > 0);
    expect_import(pair, bytes_of(theirs, (size_t)len));
    OPENSSL_free(theirs);
    PKCS8_PRIV_KEY_INFO_free(info);
}

static void an_import_gives_the_same_attributes(void)
{
    each_kind(comes_back);
}

static void cut_short(const struct key_pair *pair)
{
    AUTO_SECRET pkcs8 = SECRET_INIT;
    CK_KEY_TYPE type = key_type(pair->private_key);
    UNIT_OK(key_export(pair->private_key, &pkcs8));
    for (size_t len = 0; len < pkcs8.len; len++) {
        AUTO_MATERIAL material = MATERIAL_INIT;
        UNIT_RC(key_import(CKO_PRIVATE_KEY, type, bytes_slice(secret_expose(&pkcs8), 0, len),
                           &material),
                RC_WRAPPED_KEY);
    }
}

static void every_truncation_is_refused(void)
{
    each_kind(cut_short);
}

/* A changed byte either is refused or gives a key of this type: nothing worse. */
static void changed(const struct key_pair *pair)
{
    AUTO_SECRET pkcs8 = SECRET_INIT;
    CK_KEY_TYPE type = key_type(pair->private_key);
    UNIT_OK(key_export(pair->private_key, &pkcs8));
    size_t head = pkcs8.len < 80 ? pkcs8.len : 80;
    for (size_t i = 0; i < head; i++) {
        AUTO_MATERIAL material = MATERIAL_INIT;
        pkcs8.ptr[i] ^= 0x41;
        enum rc rc = key_import(CKO_PRIVATE_KEY, type, secret_expose(&pkcs8), &material);
        CU_ASSERT_TRUE(rc == RC_OK || rc == RC_WRAPPED_KEY || rc == RC_CURVE);
        pkcs8.ptr[i] ^= 0x41;
    }
}

static void a_changed_byte_does_no_harm(void)
{
    each_kind(changed);
}

static void a_key_of_another_type_is_refused(void)
{
    struct key_pair pair;
    AUTO_SECRET pkcs8 = SECRET_INIT;
    AUTO_MATERIAL material = MATERIAL_INIT;
    fixture_curve_pair("secp256r1", &pair);
    UNIT_OK(key_export(pair.private_key, &pkcs8));
    UNIT_RC(key_import(CKO_PRIVATE_KEY, CKK_RSA, secret_expose(&pkcs8), &material), RC_WRAPPED_KEY);
    UNIT_RC(key_import(CKO_PRIVATE_KEY, CKK_EC_EDWARDS, secret_expose(&pkcs8), &material),
            RC_WRAPPED_KEY);
    UNIT_RC(key_import(CKO_PUBLIC_KEY, CKK_EC, secret_expose(&pkcs8), &material),
            RC_TEMPLATE_INCONSISTENT);
    fixture_pair_clear(&pair);
}

static struct key *secret_key(CK_KEY_TYPE type, struct bytes value)
{
    struct attr_list attrs = {.count = 0};
    struct key *key = NULL;
    UNIT_OK(crypto_lib_init());
    UNIT_OK(attr_list_add(&attrs, CKA_VALUE, value));
    UNIT_OK(key_parse(CKO_SECRET_KEY, type, attrs_of(&attrs), &key));
    CU_ASSERT_PTR_NOT_NULL_FATAL(key);
    return key;
}

/* FIPS 197 has no zero block; openssl enc -aes-128-ecb and sha1sum of 16 zero bytes. */
static void check_values_of_zero_keys(void)
{
    static const uint8_t zero[16];
    AUTO_BUF aes_check = BUF_INIT, generic_check = BUF_INIT;
    struct key *aes = secret_key(CKK_AES, bytes_of(zero, 16));
    struct key *generic = secret_key(CKK_GENERIC_SECRET, bytes_of(zero, 16));
    UNIT_OK(key_check_value(aes, &aes_check));
    UNIT_OK(key_check_value(generic, &generic_check));
    CU_ASSERT_TRUE(bytes_equal(buf_bytes(&aes_check), bytes_of("\x66\xE9\x4B", 3)));
    CU_ASSERT_TRUE(bytes_equal(buf_bytes(&generic_check), bytes_of("\xE1\x29\xF2", 3)));
    key_free(aes);
    key_free(generic);
}

static void a_secret_key_exports_its_value(void)
{
    AUTO_SECRET out = SECRET_INIT;
    AUTO_MATERIAL material = MATERIAL_INIT;
    struct key *key = secret_key(CKK_AES, bytes_of("0123456789abcdef", 16));
    UNIT_OK(key_export(key, &out));
    CU_ASSERT_TRUE(secret_equal(&out, bytes_of("0123456789abcdef", 16)));
    CU_ASSERT_EQUAL(key_strength(key), 128);
    UNIT_OK(key_import(CKO_SECRET_KEY, CKK_AES, secret_expose(&out), &material));
    UNIT_RC(key_import(CKO_SECRET_KEY, CKK_AES, bytes_of("short", 5), &material), RC_WRAPPED_KEY);
    key_free(key);
}

UNIT_SUITE("token/key_export", UNIT_CASE(libcrypto_reads_what_is_exported),
           UNIT_CASE(an_import_gives_the_same_attributes), UNIT_CASE(every_truncation_is_refused),
           UNIT_CASE(a_changed_byte_does_no_harm), UNIT_CASE(a_key_of_another_type_is_refused),
           UNIT_CASE(check_values_of_zero_keys), UNIT_CASE(a_secret_key_exports_its_value));

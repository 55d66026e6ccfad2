/* SPDX-License-Identifier: Apache-2.0 */
/* Keys brought to the key store, wrapped outside; and all of it under the strict policy. */
#include <openssl/rand.h>
#include <openssl/x509.h>

#include "common/policy_settings.h"
#include "tests/unit/cluster/keystore_outside.h"
#include "tests/unit/unit.h"
#include "token/crypto_lib.h"

struct import {
    uint64_t wrapping;
    enum keystore_algorithm algorithm;
    enum keystore_spec spec;
    enum keystore_use use;
    struct bytes material;
};

static enum rc import_key(const struct import *in, struct bytes wrapped, uint64_t *out_handle)
{
    Qhsm__Request request = QHSM__REQUEST__INIT;
    Qhsm__KeystoreImportRequest body = QHSM__KEYSTORE_IMPORT_REQUEST__INIT;
    char label[] = "imported";
    static const uint8_t id[16] = {1, 2, 3};
    *out_handle = 0;
    body.wrapping = in->wrapping;
    body.algorithm = (uint32_t)in->algorithm;
    body.wrapped = front_data(wrapped);
    body.spec = (uint32_t)in->spec;
    body.use = (uint32_t)in->use;
    body.label = label;
    body.id = front_data(bytes_of(id, sizeof id));
    body.material = front_data(in->material);
    request.body_case = QHSM__REQUEST__BODY_KEYSTORE_IMPORT;
    request.keystore_import = &body;
    TRY(front_call(&fixture.front, &request, true));
    *out_handle = front_key(&fixture.front)->handle;
    return RC_OK;
}

/* CKM_RSA_AES_KEY_WRAP outside: OAEP of an AES key, AES-KWP (RFC 5649) of the value under it. */
static void wrap_rsa_aes(EVP_PKEY *pkey, const char *digest, struct bytes value, struct buf *out)
{
    uint8_t kek[32], wrapped[8192];
    int len = 0, rest = 0;
    CU_ASSERT_EQUAL(RAND_bytes_ex(fixture.lib, kek, sizeof kek, 0), 1);
    outside_oaep(pkey, digest, bytes_of(kek, sizeof kek), out);
    EVP_CIPHER *cipher = EVP_CIPHER_fetch(fixture.lib, "AES-256-WRAP-PAD", NULL);
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    EVP_CIPHER_CTX_set_flags(ctx, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
    CU_ASSERT_EQUAL(EVP_EncryptInit_ex2(ctx, cipher, kek, NULL, NULL), 1);
    CU_ASSERT_EQUAL(EVP_EncryptUpdate(ctx, wrapped, &len, value.ptr, (int)value.len), 1);
    CU_ASSERT_EQUAL(EVP_EncryptFinal_ex(ctx, wrapped + len, &rest), 1);
    EVP_CIPHER_CTX_free(ctx);
    EVP_CIPHER_free(cipher);
    UNIT_OK(buf_append(out, bytes_of(wrapped, (size_t)len + (size_t)rest)));
}

static void put_private(EVP_PKEY *pkey, struct buf *out)
{
    unsigned char *der = NULL;
    PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(pkey);
    int len = i2d_PKCS8_PRIV_KEY_INFO(info, &der);
    CU_ASSERT_FATAL(len > 0);
    UNIT_OK(buf_append(out, bytes_of(der, (size_t)len)));
    OPENSSL_free(der);
    PKCS8_PRIV_KEY_INFO_free(info);
}

/* By libcrypto: what the HSM encrypted under the imported key. */
static void check_gcm_outside(const uint8_t key[32], struct bytes aad, struct bytes sealed)
{
    uint8_t plain[64];
    int len = 0, none = 0;
    size_t text = sealed.len - 28;
    EVP_CIPHER *cipher = EVP_CIPHER_fetch(fixture.lib, "AES-256-GCM", NULL);
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    CU_ASSERT_EQUAL(EVP_DecryptInit_ex2(ctx, cipher, key, sealed.ptr, NULL), 1);
    CU_ASSERT_EQUAL(EVP_DecryptUpdate(ctx, NULL, &none, aad.ptr, (int)aad.len), 1);
    CU_ASSERT_EQUAL(EVP_DecryptUpdate(ctx, plain, &len, sealed.ptr + 12, (int)text), 1);
    CU_ASSERT_EQUAL(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, 16,
                                        (void *)(uintptr_t)(sealed.ptr + 12 + text)),
                    1);
    CU_ASSERT_EQUAL(EVP_DecryptFinal_ex(ctx, plain + len, &none), 1);
    CU_ASSERT(bytes_equal(bytes_of(plain, (size_t)len), outside_message()));
    EVP_CIPHER_CTX_free(ctx);
    EVP_CIPHER_free(cipher);
}

static void an_imported_aes_key_encrypts_as_it_did_outside(void)
{
    static const uint8_t value[32] = "a key of 256 bits, known outsid";
    static const struct {
        enum keystore_algorithm algorithm;
        const char *digest;
        bool rsa_aes;
    } rows[] = {{KEYSTORE_WRAP_OAEP_SHA1, "SHA1", false},
                {KEYSTORE_WRAP_OAEP_SHA256, "SHA256", false},
                {KEYSTORE_WRAP_RSA_AES_SHA1, "SHA1", true},
                {KEYSTORE_WRAP_RSA_AES_SHA256, "SHA256", true}};
    uint8_t material[32] = {0};
    fixture_begin();
    struct import in = {.wrapping =
                            outside_make(KEYSTORE_SPEC_RSA_2048, KEYSTORE_UNWRAP, "wrapping"),
                        .spec = KEYSTORE_SPEC_AES_256,
                        .use = KEYSTORE_ENCRYPT};
    EVP_PKEY *pkey = outside_public_of_last();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        AUTO_BUF wrapped = BUF_INIT, sealed = BUF_INIT;
        uint64_t key = 0;
        in.algorithm = rows[i].algorithm;
        if (rows[i].rsa_aes)
            wrap_rsa_aes(pkey, rows[i].digest, bytes_of(value, 32), &wrapped);
        else
            outside_oaep(pkey, rows[i].digest, bytes_of(value, 32), &wrapped);
        UNIT_OK(import_key(&in, buf_bytes(&wrapped), &key));
        ProtobufCBinaryData print = front_key(&fixture.front)->material;
        CU_ASSERT_FATAL(print.len == 32);
        if (i > 0) /* the same value */
            CU_ASSERT(bytes_equal(bytes_of(print.data, 32), bytes_of(material, 32)));
        memcpy(material, print.data, 32);
        UNIT_OK(outside_gcm(key, bytes_of_str("aad"), outside_message(), &sealed));
        check_gcm_outside(value, bytes_of_str("aad"), buf_bytes(&sealed));
        wrapped.ptr[wrapped.len - 1] ^= 1;
        UNIT_RC(import_key(&in, buf_bytes(&wrapped), &key), RC_WRAPPED_KEY);
    }
    EVP_PKEY_free(pkey);
    fixture_end();
}

static void an_imported_hmac_key_makes_the_same_macs(void)
{
    static const struct {
        enum keystore_spec spec;
        enum keystore_algorithm algorithm;
        const char *digest;
        size_t len;
    } rows[] = {{KEYSTORE_SPEC_HMAC_224, KEYSTORE_HMAC_SHA224, "SHA224", 28},
                {KEYSTORE_SPEC_HMAC_256, KEYSTORE_HMAC_SHA256, "SHA256", 32},
                {KEYSTORE_SPEC_HMAC_384, KEYSTORE_HMAC_SHA384, "SHA384", 48},
                {KEYSTORE_SPEC_HMAC_512, KEYSTORE_HMAC_SHA512, "SHA512", 64}};
    struct front *front = &fixture.front;
    uint8_t value[64];
    fixture_begin();
    memset(value, 0x5A, sizeof value);
    struct import in = {.wrapping =
                            outside_make(KEYSTORE_SPEC_RSA_2048, KEYSTORE_UNWRAP, "wrapping"),
                        .algorithm = KEYSTORE_WRAP_OAEP_SHA256,
                        .use = KEYSTORE_MAC};
    EVP_PKEY *pkey = outside_public_of_last();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        AUTO_BUF wrapped = BUF_INIT, mac = BUF_INIT;
        uint8_t outside[64];
        size_t len = 0;
        uint64_t key = 0;
        in.spec = rows[i].spec;
        outside_oaep(pkey, "SHA256", bytes_of(value, rows[i].len), &wrapped);
        UNIT_OK(import_key(&in, buf_bytes(&wrapped), &key));
        UNIT_OK(front_sign(front, key, rows[i].algorithm, outside_message(), false, &mac));
        CU_ASSERT(EVP_Q_mac(fixture.lib, "HMAC", NULL, rows[i].digest, NULL, value, rows[i].len,
                            outside_message().ptr, outside_message().len, outside, sizeof outside,
                            &len) != NULL);
        CU_ASSERT(bytes_equal(buf_bytes(&mac), bytes_of(outside, len)));
        UNIT_OK(
            front_verify(front, key, rows[i].algorithm, outside_message(), false, buf_bytes(&mac)));
        mac.ptr[0] ^= 1;
        UNIT_RC(
            front_verify(front, key, rows[i].algorithm, outside_message(), false, buf_bytes(&mac)),
            RC_SIGNATURE_INVALID);
    }
    EVP_PKEY_free(pkey);
    fixture_end();
}

struct brought {
    enum keystore_spec spec;
    enum keystore_algorithm algorithm;
    const char *type, *curve, *digest;
};

static void check_brought(const struct brought *row, struct import *in, EVP_PKEY *wrapping)
{
    struct front *front = &fixture.front;
    AUTO_BUF plain = BUF_INIT, wrapped = BUF_INIT, der = BUF_INIT, signature = BUF_INIT;
    uint64_t key = 0;
    EVP_PKEY *own = row->curve != NULL ? EVP_PKEY_Q_keygen(fixture.lib, NULL, "EC", row->curve)
                    : row->spec == KEYSTORE_SPEC_RSA_2048
                        ? EVP_PKEY_Q_keygen(fixture.lib, NULL, "RSA", (size_t)2048)
                        : EVP_PKEY_Q_keygen(fixture.lib, NULL, row->type);
    CU_ASSERT_FATAL(own != NULL);
    put_private(own, &plain);
    outside_put_public(own, &der);
    wrap_rsa_aes(wrapping, "SHA256", buf_bytes(&plain), &wrapped);
    in->spec = row->spec;
    UNIT_OK(import_key(in, buf_bytes(&wrapped), &key));
    const Qhsm__KeystoreKey *told = front_key(front);
    CU_ASSERT_EQUAL(told->spec, row->spec);
    CU_ASSERT(bytes_equal(bytes_of(told->public_der.data, told->public_der.len), buf_bytes(&der)));
    UNIT_OK(front_sign(front, key, row->algorithm, outside_message(), false, &signature));
    CU_ASSERT(outside_verifies(own, row->digest, false, buf_bytes(&signature)));
    UNIT_OK(
        front_verify(front, key, row->algorithm, outside_message(), false, buf_bytes(&signature)));
    in->spec = row->spec == KEYSTORE_SPEC_P384 ? KEYSTORE_SPEC_P256 : KEYSTORE_SPEC_P384;
    UNIT_RC(import_key(in, buf_bytes(&wrapped), &key), RC_WRAPPED_KEY);
    EVP_PKEY_free(own);
}

static void imported_private_keys_sign_and_have_their_public_halves(void)
{
    static const struct brought rows[] = {
        {KEYSTORE_SPEC_RSA_2048, KEYSTORE_PKCS1_SHA256, "RSA", NULL, "SHA256"},
        {KEYSTORE_SPEC_P256, KEYSTORE_ECDSA_SHA256, "EC", "P-256", "SHA256"},
        {KEYSTORE_SPEC_P384, KEYSTORE_ECDSA_SHA384, "EC", "P-384", "SHA384"},
        {KEYSTORE_SPEC_P521, KEYSTORE_ECDSA_SHA512, "EC", "P-521", "SHA512"},
        {KEYSTORE_SPEC_SECP256K1, KEYSTORE_ECDSA_SHA256, "EC", "secp256k1", "SHA256"},
        {KEYSTORE_SPEC_ED25519, KEYSTORE_ED25519, "ED25519", NULL, NULL},
        {KEYSTORE_SPEC_ML_DSA_87, KEYSTORE_ML_DSA_SHAKE256, "ML-DSA-87", NULL, NULL}, /* the last */
    };
    fixture_begin();
    struct import in = {.wrapping =
                            outside_make(KEYSTORE_SPEC_RSA_2048, KEYSTORE_UNWRAP, "wrapping"),
                        .algorithm = KEYSTORE_WRAP_RSA_AES_SHA256,
                        .use = KEYSTORE_SIGN};
    EVP_PKEY *wrapping = outside_public_of_last();
    size_t count = sizeof rows / sizeof rows[0] - (crypto_lib_offers(CKK_ML_DSA) ? 0 : 1);
    for (size_t i = 0; i < count; i++)
        check_brought(&rows[i], &in, wrapping);
    EVP_PKEY_free(wrapping);
    fixture_end();
}

static void only_the_same_material_is_imported_again(void)
{
    static const uint8_t value[32] = {1}, other[32] = {2};
    uint8_t material[32];
    fixture_begin();
    struct import in = {.wrapping =
                            outside_make(KEYSTORE_SPEC_RSA_2048, KEYSTORE_UNWRAP, "wrapping"),
                        .algorithm = KEYSTORE_WRAP_OAEP_SHA256,
                        .spec = KEYSTORE_SPEC_AES_256,
                        .use = KEYSTORE_ENCRYPT};
    EVP_PKEY *pkey = outside_public_of_last();
    AUTO_BUF first = BUF_INIT, second = BUF_INIT, cut = BUF_INIT;
    uint64_t key = 0;
    outside_oaep(pkey, "SHA256", bytes_of(value, 32), &first);
    outside_oaep(pkey, "SHA256", bytes_of(other, 32), &second);
    outside_oaep(pkey, "SHA256", bytes_of(value, 16), &cut);
    UNIT_OK(import_key(&in, buf_bytes(&first), &key));
    memcpy(material, front_key(&fixture.front)->material.data, 32);
    UNIT_OK(front_delete(&fixture.front, key));
    in.material = bytes_of(material, 32);
    UNIT_RC(import_key(&in, buf_bytes(&second), &key), RC_CONFLICT);
    UNIT_OK(import_key(&in, buf_bytes(&first), &key));
    in.material = BYTES_NONE;
    UNIT_RC(import_key(&in, buf_bytes(&cut), &key), RC_WRAPPED_KEY);
    in.wrapping += 99;
    UNIT_RC(import_key(&in, buf_bytes(&first), &key), RC_OBJECT_HANDLE);
    EVP_PKEY_free(pkey);
    fixture_end();
}

/* ---- under the strict policy */

static void set_strict_policy(void)
{
    Qhsm__PolicyGetRequest get = QHSM__POLICY_GET_REQUEST__INIT;
    Qhsm__PolicySetRequest set = QHSM__POLICY_SET_REQUEST__INIT;
    Qhsm__Request request = QHSM__REQUEST__INIT;
    Qhsm__PolicySetting settings[2], *changes[2] = {&settings[0], &settings[1]};
    get.slot = HARNESS_SLOT;
    request.body_case = QHSM__REQUEST__BODY_POLICY_GET;
    request.policy_get = &get;
    const Qhsm__Response *response = client_call(&fixture.local, &request);
    UNIT_OK(client_rc(response));
    set.epoch = response->policy->epoch;
    for (size_t i = 0; i < 2; i++) {
        qhsm__policy_setting__init(&settings[i]);
        settings[i].setting = i == 0 ? POLICY_STRICT : POLICY_APPROVED_ONLY;
        settings[i].value = 1;
    }
    set.changes = changes;
    set.n_changes = 2;
    request.body_case = QHSM__REQUEST__BODY_POLICY_SET;
    request.policy_set = &set;
    request.sequence = 1;
    UNIT_OK(client_rc(client_call(&fixture.local, &request)));
}

static void the_strict_policy_lets_a_key_store_work(void)
{
    static const uint8_t value[32] = {7};
    struct front *front = &fixture.front;
    AUTO_BUF sealed = BUF_INIT, plain = BUF_INIT, signature = BUF_INIT, wrapped = BUF_INIT;
    uint64_t key = 0;
    fixture_begin();
    set_strict_policy();
    UNIT_RC(front_find(front, "", BYTES_NONE, 0, 0), RC_TICKET_VOID);
    UNIT_OK(front_connect(front, KEYSTORE_TOKEN, KEYSTORE_USER, KEYSTORE_PASSWORD));
    uint64_t aes = outside_make(KEYSTORE_SPEC_AES_256, KEYSTORE_ENCRYPT, "aes");
    UNIT_OK(outside_gcm(aes, bytes_of_str("aad"), outside_message(), &sealed));
    UNIT_OK(
        front_decrypt(front, aes, KEYSTORE_GCM, bytes_of_str("aad"), buf_bytes(&sealed), &plain));
    outside_check_pair(aes, KEYSTORE_SPEC_P256);
    uint64_t ec = outside_make(KEYSTORE_SPEC_P256, KEYSTORE_SIGN, "ec");
    UNIT_OK(front_sign(front, ec, KEYSTORE_ECDSA_SHA256, outside_message(), false, &signature));
    struct import in = {.wrapping =
                            outside_make(KEYSTORE_SPEC_RSA_2048, KEYSTORE_UNWRAP, "wrapping"),
                        .algorithm = KEYSTORE_WRAP_OAEP_SHA256,
                        .spec = KEYSTORE_SPEC_AES_256,
                        .use = KEYSTORE_ENCRYPT};
    EVP_PKEY *pkey = outside_public_of_last();
    outside_oaep(pkey, "SHA256", bytes_of(value, 32), &wrapped);
    UNIT_OK(import_key(&in, buf_bytes(&wrapped), &key));
    in.algorithm = KEYSTORE_WRAP_RSA_AES_SHA256;
    in.use = KEYSTORE_SIGN;
    const struct brought row = {KEYSTORE_SPEC_P256, KEYSTORE_ECDSA_SHA256, "EC", "P-256", "SHA256"};
    check_brought(&row, &in, pkey);
    UNIT_RC(front_create(front, KEYSTORE_SPEC_SECP256K1, KEYSTORE_SIGN, "koblitz", &key), RC_OK);
    AUTO_BUF none = BUF_INIT; /* made by an approved mechanism, and of no use */
    UNIT_RC(front_sign(front, key, KEYSTORE_ECDSA_SHA256, outside_message(), false, &none),
            RC_CURVE);
    EVP_PKEY_free(pkey);
    fixture_end();
}

UNIT_SUITE("keystore_import", UNIT_CASE(an_imported_aes_key_encrypts_as_it_did_outside),
           UNIT_CASE(an_imported_hmac_key_makes_the_same_macs),
           UNIT_CASE(imported_private_keys_sign_and_have_their_public_halves),
           UNIT_CASE(only_the_same_material_is_imported_again),
           UNIT_CASE(the_strict_policy_lets_a_key_store_work));

/* SPDX-License-Identifier: Apache-2.0 */
/* The key store's cryptography, each operation against libcrypto. */
#include "tests/unit/cluster/keystore_outside.h"
#include "tests/unit/unit.h"
#include "token/crypto_lib.h"

/* ---- symmetric encryption */

static void what_was_encrypted_is_decrypted_with_the_same_associated_data(void)
{
    struct bytes aad = bytes_of_str("context");
    fixture_begin();
    uint64_t key = outside_make(KEYSTORE_SPEC_AES_256, KEYSTORE_ENCRYPT, "aes");
    AUTO_BUF first = BUF_INIT, second = BUF_INIT, plain = BUF_INIT;
    UNIT_OK(outside_gcm(key, aad, outside_message(), &first));
    UNIT_OK(outside_gcm(key, aad, outside_message(), &second));
    CU_ASSERT_EQUAL(first.len, 12 + outside_message().len + 16);
    CU_ASSERT(!bytes_equal(buf_bytes(&first), buf_bytes(&second)));
    UNIT_OK(front_decrypt(&fixture.front, key, KEYSTORE_GCM, aad, buf_bytes(&first), &plain));
    CU_ASSERT(bytes_equal(buf_bytes(&plain), outside_message()));
    fixture_end();
}

static void whatever_was_changed_does_not_open(void)
{
    struct front *front = &fixture.front;
    struct bytes aad = bytes_of_str("context");
    fixture_begin();
    uint64_t key = outside_make(KEYSTORE_SPEC_AES_256, KEYSTORE_ENCRYPT, "aes");
    uint64_t other = outside_make(KEYSTORE_SPEC_AES_256, KEYSTORE_ENCRYPT, "other");
    AUTO_BUF sealed = BUF_INIT, plain = BUF_INIT;
    UNIT_OK(outside_gcm(key, aad, outside_message(), &sealed));
    for (size_t i = 0; i < sealed.len; i += 7) {
        sealed.ptr[i] ^= 1;
        UNIT_RC(front_decrypt(front, key, KEYSTORE_GCM, aad, buf_bytes(&sealed), &plain),
                RC_ENCRYPTED_DATA);
        sealed.ptr[i] ^= 1;
    }
    UNIT_RC(front_decrypt(front, key, KEYSTORE_GCM, BYTES_NONE, buf_bytes(&sealed), &plain),
            RC_ENCRYPTED_DATA);
    UNIT_RC(front_decrypt(front, other, KEYSTORE_GCM, aad, buf_bytes(&sealed), &plain),
            RC_ENCRYPTED_DATA);
    UNIT_RC(front_decrypt(front, key, KEYSTORE_GCM, aad, bytes_slice(buf_bytes(&sealed), 0, 20),
                          &plain),
            RC_ENCRYPTED_DATA);
    UNIT_RC(front_decrypt(front, other + 99, KEYSTORE_GCM, aad, buf_bytes(&sealed), &plain),
            RC_OBJECT_HANDLE);
    CU_ASSERT_EQUAL(plain.len, 0);
    fixture_end();
}

static void a_data_key_is_shown_when_it_is_asked_for(void)
{
    struct front *front = &fixture.front;
    fixture_begin();
    uint64_t key = outside_make(KEYSTORE_SPEC_AES_256, KEYSTORE_ENCRYPT, "aes");
    struct front_encrypt encrypt = {
        .key = key, .algorithm = KEYSTORE_GCM, .random_len = 32, .reveal = true};
    AUTO_BUF sealed = BUF_INIT, plain = BUF_INIT, hidden = BUF_INIT, clear = BUF_INIT;
    UNIT_OK(front_encrypt(front, &encrypt, &sealed));
    ProtobufCBinaryData shown = front->reply.msg->keystore_encrypt->plain;
    CU_ASSERT_EQUAL(shown.len, 32);
    UNIT_OK(buf_append(&clear, bytes_of(shown.data, shown.len)));
    UNIT_OK(front_decrypt(front, key, KEYSTORE_GCM, BYTES_NONE, buf_bytes(&sealed), &plain));
    CU_ASSERT(bytes_equal(buf_bytes(&plain), buf_bytes(&clear)));
    encrypt.reveal = false;
    UNIT_OK(front_encrypt(front, &encrypt, &hidden));
    CU_ASSERT_EQUAL(front->reply.msg->keystore_encrypt->plain.len, 0);
    encrypt.random_len = 1025;
    UNIT_RC(front_encrypt(front, &encrypt, &hidden), RC_TOO_LARGE);
    encrypt.random_len = 16;
    encrypt.plain = outside_message();
    UNIT_RC(front_encrypt(front, &encrypt, &hidden), RC_BAD_ARGUMENT);
    fixture_end();
}

static void a_data_key_pair_comes_encrypted_and_is_no_object(void)
{
    fixture_begin();
    uint64_t key = outside_make(KEYSTORE_SPEC_AES_256, KEYSTORE_ENCRYPT, "aes");
    const enum keystore_spec specs[] = {KEYSTORE_SPEC_RSA_2048,  KEYSTORE_SPEC_P256,
                                        KEYSTORE_SPEC_P384,      KEYSTORE_SPEC_P521,
                                        KEYSTORE_SPEC_SECP256K1, KEYSTORE_SPEC_ED25519};
    for (size_t i = 0; i < sizeof specs / sizeof specs[0]; i++)
        outside_check_pair(key, specs[i]);
    UNIT_OK(front_find(&fixture.front, "", BYTES_NONE, 0, 0));
    CU_ASSERT_EQUAL(fixture.front.reply.msg->keystore_find->n_keys, 1);
    fixture_end();
}

static void re_encryption_changes_the_key_and_the_associated_data(void)
{
    struct front *front = &fixture.front;
    struct bytes aad = bytes_of_str("a"), other = bytes_of_str("b");
    fixture_begin();
    uint64_t from = outside_make(KEYSTORE_SPEC_AES_256, KEYSTORE_ENCRYPT, "from");
    uint64_t to = outside_make(KEYSTORE_SPEC_AES_256, KEYSTORE_ENCRYPT, "to");
    uint64_t rsa = outside_make(KEYSTORE_SPEC_RSA_2048, KEYSTORE_ENCRYPT, "rsa");
    AUTO_BUF sealed = BUF_INIT, again = BUF_INIT, plain = BUF_INIT, under_rsa = BUF_INIT;
    UNIT_OK(outside_gcm(from, aad, outside_message(), &sealed));
    struct front_sealed source = {.key = from, .aad = aad, .ciphertext = buf_bytes(&sealed)};
    const struct front_encrypt to_gcm = {.key = to, .algorithm = KEYSTORE_GCM, .aad = other};
    const struct front_encrypt to_rsa = {.key = rsa, .algorithm = KEYSTORE_OAEP_SHA256};
    UNIT_OK(front_reencrypt(front, &source, &to_gcm, &again));
    UNIT_OK(front_decrypt(front, to, KEYSTORE_GCM, other, buf_bytes(&again), &plain));
    CU_ASSERT(bytes_equal(buf_bytes(&plain), outside_message()));
    UNIT_OK(front_reencrypt(front, &source, &to_rsa, &under_rsa));
    buf_clear(&plain);
    UNIT_OK(
        front_decrypt(front, rsa, KEYSTORE_OAEP_SHA256, BYTES_NONE, buf_bytes(&under_rsa), &plain));
    CU_ASSERT(bytes_equal(buf_bytes(&plain), outside_message()));
    source.aad = other;
    UNIT_RC(front_reencrypt(front, &source, &to_gcm, &again), RC_ENCRYPTED_DATA);
    fixture_end();
}

/* ---- RSA encryption */

static void rsa_decrypts_what_the_public_key_encrypted(void)
{
    static const struct {
        enum keystore_algorithm algorithm;
        const char *digest;
        size_t room;
    } rows[] = {{KEYSTORE_OAEP_SHA1, "SHA1", 214}, {KEYSTORE_OAEP_SHA256, "SHA256", 190}};
    struct front *front = &fixture.front;
    uint8_t large[256] = {0};
    fixture_begin();
    uint64_t key = outside_make(KEYSTORE_SPEC_RSA_2048, KEYSTORE_ENCRYPT, "rsa");
    EVP_PKEY *pkey = outside_public_of_last();
    for (size_t i = 0; i < 2; i++) {
        AUTO_BUF outside = BUF_INIT, inside = BUF_INIT, plain = BUF_INIT;
        outside_oaep(pkey, rows[i].digest, outside_message(), &outside);
        UNIT_OK(
            front_decrypt(front, key, rows[i].algorithm, BYTES_NONE, buf_bytes(&outside), &plain));
        CU_ASSERT(bytes_equal(buf_bytes(&plain), outside_message()));
        struct front_encrypt encrypt = {
            .key = key, .algorithm = rows[i].algorithm, .plain = bytes_of(large, rows[i].room)};
        UNIT_OK(front_encrypt(front, &encrypt, &inside));
        buf_clear(&plain);
        UNIT_OK(
            front_decrypt(front, key, rows[i].algorithm, BYTES_NONE, buf_bytes(&inside), &plain));
        CU_ASSERT(bytes_equal(buf_bytes(&plain), encrypt.plain));
        encrypt.plain.len++;
        UNIT_RC(front_encrypt(front, &encrypt, &inside), RC_DATA_LEN);
        encrypt.plain = outside_message();
        encrypt.aad = bytes_of_str("aad");
        UNIT_RC(front_encrypt(front, &encrypt, &inside), RC_BAD_ARGUMENT);
        UNIT_RC(front_decrypt(front, key, rows[1 - i].algorithm, BYTES_NONE, buf_bytes(&outside),
                              &plain),
                RC_ENCRYPTED_DATA);
    }
    EVP_PKEY_free(pkey);
    fixture_end();
}

/* ---- signatures */

static void digest_of(const char *name, struct bytes data, uint8_t *out, size_t *len)
{
    CU_ASSERT_EQUAL(EVP_Q_digest(fixture.lib, name, NULL, data.ptr, data.len, out, len), 1);
}

struct signing {
    enum keystore_spec spec;
    enum keystore_algorithm algorithm;
    const char *digest;
    bool pss;
};

static void check_digest_form(const struct signing *row, uint64_t key, EVP_PKEY *pkey)
{
    struct front *front = &fixture.front;
    uint8_t digest[64];
    size_t len = 0;
    AUTO_BUF signature = BUF_INIT, none = BUF_INIT;
    digest_of(row->digest, outside_message(), digest, &len);
    struct bytes data = bytes_of(digest, len);
    UNIT_OK(front_sign(front, key, row->algorithm, data, true, &signature));
    CU_ASSERT(outside_verifies(pkey, row->digest, row->pss, buf_bytes(&signature)));
    UNIT_OK(front_verify(front, key, row->algorithm, data, true, buf_bytes(&signature)));
    UNIT_RC(front_sign(front, key, row->algorithm, bytes_slice(data, 1, len), true, &none),
            RC_DATA_LEN);
}

static void check_signing(const struct signing *row, uint64_t key, EVP_PKEY *pkey)
{
    struct front *front = &fixture.front;
    AUTO_BUF signature = BUF_INIT;
    UNIT_OK(front_sign(front, key, row->algorithm, outside_message(), false, &signature));
    CU_ASSERT(outside_verifies(pkey, row->digest, row->pss, buf_bytes(&signature)));
    UNIT_OK(
        front_verify(front, key, row->algorithm, outside_message(), false, buf_bytes(&signature)));
    UNIT_RC(front_verify(front, key, row->algorithm, bytes_of_str("something else"), false,
                         buf_bytes(&signature)),
            RC_SIGNATURE_INVALID);
    signature.ptr[signature.len - 1] ^= 1;
    UNIT_RC(
        front_verify(front, key, row->algorithm, outside_message(), false, buf_bytes(&signature)),
        RC_SIGNATURE_INVALID);
    if (row->digest != NULL)
        check_digest_form(row, key, pkey);
}

static void every_signature_verifies_outside(void)
{
    static const struct signing rows[] = {
        {KEYSTORE_SPEC_RSA_2048, KEYSTORE_PSS_SHA256, "SHA256", true},
        {KEYSTORE_SPEC_RSA_2048, KEYSTORE_PSS_SHA384, "SHA384", true},
        {KEYSTORE_SPEC_RSA_2048, KEYSTORE_PSS_SHA512, "SHA512", true},
        {KEYSTORE_SPEC_RSA_2048, KEYSTORE_PKCS1_SHA256, "SHA256", false},
        {KEYSTORE_SPEC_RSA_2048, KEYSTORE_PKCS1_SHA384, "SHA384", false},
        {KEYSTORE_SPEC_RSA_2048, KEYSTORE_PKCS1_SHA512, "SHA512", false},
        {KEYSTORE_SPEC_P256, KEYSTORE_ECDSA_SHA256, "SHA256", false},
        {KEYSTORE_SPEC_SECP256K1, KEYSTORE_ECDSA_SHA256, "SHA256", false},
        {KEYSTORE_SPEC_P384, KEYSTORE_ECDSA_SHA384, "SHA384", false},
        {KEYSTORE_SPEC_P521, KEYSTORE_ECDSA_SHA512, "SHA512", false},
        {KEYSTORE_SPEC_ED25519, KEYSTORE_ED25519, NULL, false},
    };
    EVP_PKEY *pkey = NULL;
    uint64_t key = 0;
    fixture_begin();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (i == 0 || rows[i].spec != rows[i - 1].spec) {
            EVP_PKEY_free(pkey);
            key = outside_make(rows[i].spec, KEYSTORE_SIGN, "signer");
            pkey = outside_public_of_last();
        }
        check_signing(&rows[i], key, pkey);
    }
    EVP_PKEY_free(pkey);
    fixture_end();
}

/* libcrypto 3.0 has no Ed25519ph: the message and its digest must give the same signature, which
 * is not that of the pure form. */
static void ed25519ph_takes_a_message_or_its_digest(void)
{
    struct front *front = &fixture.front;
    uint8_t digest[64];
    size_t len = 0;
    AUTO_BUF of_message = BUF_INIT, of_digest = BUF_INIT, pure = BUF_INIT, none = BUF_INIT;
    fixture_begin();
    uint64_t key = outside_make(KEYSTORE_SPEC_ED25519, KEYSTORE_SIGN, "ed");
    digest_of("SHA512", outside_message(), digest, &len);
    struct bytes data = bytes_of(digest, len);
    UNIT_OK(front_sign(front, key, KEYSTORE_ED25519_PH, outside_message(), false, &of_message));
    UNIT_OK(front_sign(front, key, KEYSTORE_ED25519_PH, data, true, &of_digest));
    UNIT_OK(front_sign(front, key, KEYSTORE_ED25519, outside_message(), false, &pure));
    CU_ASSERT(bytes_equal(buf_bytes(&of_message), buf_bytes(&of_digest)));
    CU_ASSERT(!bytes_equal(buf_bytes(&of_message), buf_bytes(&pure)));
    UNIT_OK(front_verify(front, key, KEYSTORE_ED25519_PH, data, true, buf_bytes(&of_message)));
    UNIT_OK(front_verify(front, key, KEYSTORE_ED25519_PH, outside_message(), false,
                         buf_bytes(&of_digest)));
    UNIT_RC(front_verify(front, key, KEYSTORE_ED25519_PH, data, true, buf_bytes(&pure)),
            RC_SIGNATURE_INVALID);
    UNIT_RC(front_sign(front, key, KEYSTORE_ED25519_PH, bytes_of(digest, 32), true, &none),
            RC_DATA_LEN);
    UNIT_RC(front_sign(front, key, KEYSTORE_ED25519, data, true, &none), RC_BAD_ARGUMENT);
    fixture_end();
}

/* An HSM whose libcrypto lacks ML-DSA refuses to make the key. */
static void ml_dsa_takes_a_message_or_its_representative(void)
{
    static const enum keystore_spec specs[] = {KEYSTORE_SPEC_ML_DSA_44, KEYSTORE_SPEC_ML_DSA_65,
                                               KEYSTORE_SPEC_ML_DSA_87};
    static const uint8_t mu[64] = {1};
    struct front *front = &fixture.front;
    fixture_begin();
    for (size_t i = 0; i < sizeof specs / sizeof specs[0]; i++) {
        AUTO_BUF of_message = BUF_INIT, of_mu = BUF_INIT, none = BUF_INIT;
        uint64_t key = 0;
        enum rc rc = front_create(front, specs[i], KEYSTORE_SIGN, "ml", &key);
        CU_ASSERT_EQUAL(rc, crypto_lib_offers(CKK_ML_DSA) ? RC_OK : RC_MECHANISM);
        if (rc != RC_OK)
            continue;
        CU_ASSERT_EQUAL(front_key(front)->spec, specs[i]);
        struct bytes message = outside_message(), data = bytes_of(mu, sizeof mu);
        UNIT_OK(front_sign(front, key, KEYSTORE_ML_DSA_SHAKE256, message, false, &of_message));
        UNIT_OK(front_sign(front, key, KEYSTORE_ML_DSA_SHAKE256, data, true, &of_mu));
        UNIT_OK(front_verify(front, key, KEYSTORE_ML_DSA_SHAKE256, message, false,
                             buf_bytes(&of_message)));
        UNIT_OK(front_verify(front, key, KEYSTORE_ML_DSA_SHAKE256, data, true, buf_bytes(&of_mu)));
        UNIT_RC(front_verify(front, key, KEYSTORE_ML_DSA_SHAKE256, data, false, buf_bytes(&of_mu)),
                RC_SIGNATURE_INVALID);
        UNIT_RC(front_sign(front, key, KEYSTORE_ML_DSA_SHAKE256, bytes_of(mu, 63), true, &none),
                RC_DATA_LEN);
    }
    fixture_end();
}

static void rubbish_is_no_signature(void)
{
    struct front *front = &fixture.front;
    static const uint8_t der[] = {0x30, 6, 2, 1, 1, 2, 1, 1, 0};
    fixture_begin();
    uint64_t ec = outside_make(KEYSTORE_SPEC_P256, KEYSTORE_SIGN, "ec");
    uint64_t ed = outside_make(KEYSTORE_SPEC_ED25519, KEYSTORE_SIGN, "ed");
    UNIT_RC(front_verify(front, ec, KEYSTORE_ECDSA_SHA256, outside_message(), false, BYTES_NONE),
            RC_SIGNATURE_INVALID);
    UNIT_RC(front_verify(front, ec, KEYSTORE_ECDSA_SHA256, outside_message(), false,
                         bytes_of(der, sizeof der)),
            RC_SIGNATURE_INVALID);
    UNIT_RC(front_verify(front, ec, KEYSTORE_ECDSA_SHA256, outside_message(), false,
                         bytes_of(der, sizeof der - 1)),
            RC_SIGNATURE_INVALID);
    UNIT_RC(front_verify(front, ed, KEYSTORE_ED25519, outside_message(), false,
                         bytes_of(der, sizeof der)),
            RC_SIGNATURE_LEN);
    fixture_end();
}

static void a_key_does_what_it_is_for_and_nothing_else(void)
{
    struct front *front = &fixture.front;
    AUTO_BUF out = BUF_INIT;
    fixture_begin();
    uint64_t aes = outside_make(KEYSTORE_SPEC_AES_256, KEYSTORE_ENCRYPT, "aes");
    uint64_t ec = outside_make(KEYSTORE_SPEC_P256, KEYSTORE_SIGN, "ec");
    uint64_t agree = outside_make(KEYSTORE_SPEC_P256, KEYSTORE_AGREE, "agree");
    uint64_t mac = outside_make(KEYSTORE_SPEC_HMAC_256, KEYSTORE_MAC, "mac");
    uint64_t rsa = outside_make(KEYSTORE_SPEC_RSA_2048, KEYSTORE_ENCRYPT, "rsa");
    CU_ASSERT(front_sign(front, aes, KEYSTORE_HMAC_SHA256, outside_message(), false, &out) !=
              RC_OK);
    CU_ASSERT(outside_gcm(mac, BYTES_NONE, outside_message(), &out) != RC_OK);
    CU_ASSERT(outside_gcm(ec, BYTES_NONE, outside_message(), &out) != RC_OK);
    CU_ASSERT(front_sign(front, agree, KEYSTORE_ECDSA_SHA256, outside_message(), false, &out) !=
              RC_OK);
    CU_ASSERT(front_sign(front, rsa, KEYSTORE_PSS_SHA256, outside_message(), false, &out) != RC_OK);
    CU_ASSERT(front_sign(front, ec, KEYSTORE_ECDSA_SHA384, outside_message(), false, &out) !=
              RC_OK);
    CU_ASSERT(front_sign(front, mac, KEYSTORE_HMAC_SHA512, outside_message(), false, &out) !=
              RC_OK);
    UNIT_RC(front_sign(front, ec, 99, outside_message(), false, &out), RC_BAD_ARGUMENT);
    UNIT_RC(front_sign(front, aes, KEYSTORE_GCM, outside_message(), false, &out), RC_BAD_ARGUMENT);
    CU_ASSERT_EQUAL(out.len, 0);
    fixture_end();
}

/* ---- agreement */

static EVP_PKEY *new_pair(const char *curve)
{
    EVP_PKEY *pkey = EVP_PKEY_Q_keygen(fixture.lib, NULL, "EC", curve);
    CU_ASSERT_FATAL(pkey != NULL);
    return pkey;
}

static void agree_outside(EVP_PKEY *own, EVP_PKEY *peer, uint8_t out[80], size_t *len)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(fixture.lib, own, NULL);
    *len = 80;
    CU_ASSERT_EQUAL(EVP_PKEY_derive_init(ctx), 1);
    CU_ASSERT_EQUAL(EVP_PKEY_derive_set_peer(ctx, peer), 1);
    CU_ASSERT_EQUAL(EVP_PKEY_derive(ctx, out, len), 1);
    EVP_PKEY_CTX_free(ctx);
}

static void both_sides_agree_on_the_same_secret(void)
{
    static const struct {
        enum keystore_spec spec;
        const char *curve;
    } rows[] = {{KEYSTORE_SPEC_P256, "P-256"},
                {KEYSTORE_SPEC_P384, "P-384"},
                {KEYSTORE_SPEC_P521, "P-521"}};
    fixture_begin();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t outside[80];
        size_t len = 0;
        AUTO_BUF der = BUF_INIT, inside = BUF_INIT;
        uint64_t key = outside_make(rows[i].spec, KEYSTORE_AGREE, "agree");
        EVP_PKEY *ours = outside_public_of_last(), *own = new_pair(rows[i].curve);
        outside_put_public(own, &der);
        UNIT_OK(front_agree(&fixture.front, key, buf_bytes(&der), &inside));
        agree_outside(own, ours, outside, &len);
        CU_ASSERT(bytes_equal(buf_bytes(&inside), bytes_of(outside, len)));
        EVP_PKEY_free(ours);
        EVP_PKEY_free(own);
    }
    fixture_end();
}

static void a_peer_of_another_kind_is_refused(void)
{
    struct front *front = &fixture.front;
    AUTO_BUF other = BUF_INIT, same = BUF_INIT, out = BUF_INIT;
    fixture_begin();
    uint64_t key = outside_make(KEYSTORE_SPEC_P256, KEYSTORE_AGREE, "agree");
    EVP_PKEY *koblitz = new_pair("secp256k1"), *good = new_pair("P-256");
    outside_put_public(koblitz, &other);
    outside_put_public(good, &same);
    UNIT_RC(front_agree(front, key, buf_bytes(&other), &out), RC_PUBLIC_KEY);
    UNIT_RC(front_agree(front, key, outside_message(), &out), RC_PUBLIC_KEY);
    same.ptr[same.len - 1] ^= 1; /* off the curve */
    UNIT_RC(front_agree(front, key, buf_bytes(&same), &out), RC_PUBLIC_KEY);
    EVP_PKEY_free(koblitz);
    EVP_PKEY_free(good);
    fixture_end();
}

/* ---- random numbers */

static void random_numbers_come_as_many_as_asked(void)
{
    struct front *front = &fixture.front;
    Qhsm__Request request = QHSM__REQUEST__INIT;
    Qhsm__RandomRequest body = QHSM__RANDOM_REQUEST__INIT;
    fixture_begin();
    request.body_case = QHSM__REQUEST__BODY_KEYSTORE_RANDOM;
    request.keystore_random = &body;
    body.len = 1024;
    UNIT_OK(front_call(front, &request, false));
    CU_ASSERT_EQUAL(front->reply.msg->data->data.len, 1024);
    body.len = 65537;
    UNIT_RC(front_call(front, &request, false), RC_TOO_LARGE);
    fixture_end();
}

UNIT_SUITE(
    "keystore_crypt", UNIT_CASE(what_was_encrypted_is_decrypted_with_the_same_associated_data),
    UNIT_CASE(whatever_was_changed_does_not_open),
    UNIT_CASE(a_data_key_is_shown_when_it_is_asked_for),
    UNIT_CASE(a_data_key_pair_comes_encrypted_and_is_no_object),
    UNIT_CASE(re_encryption_changes_the_key_and_the_associated_data),
    UNIT_CASE(rsa_decrypts_what_the_public_key_encrypted),
    UNIT_CASE(every_signature_verifies_outside), UNIT_CASE(ed25519ph_takes_a_message_or_its_digest),
    UNIT_CASE(ml_dsa_takes_a_message_or_its_representative), UNIT_CASE(rubbish_is_no_signature),
    UNIT_CASE(a_key_does_what_it_is_for_and_nothing_else),
    UNIT_CASE(both_sides_agree_on_the_same_secret), UNIT_CASE(a_peer_of_another_kind_is_refused),
    UNIT_CASE(random_numbers_come_as_many_as_asked));

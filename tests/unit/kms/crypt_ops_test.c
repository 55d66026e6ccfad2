/* SPDX-License-Identifier: Apache-2.0 */
/* Suite of the cryptographic operations: what they send to the HSM, refuse before, and answer. */
#include <stdio.h>

#include "kms/base64.h"
#include "kms/ciphertext.h"
#include "kms/hash.h"
#include "kms/used.h"
#include "tests/unit/kms/fake_world.h"
#include "tests/unit/kms/soft_hsm.h"
#include "tests/unit/unit.h"

static char id[65], other[65];
static char blob[8192];

static void begin(void)
{
    world_begin();
    soft_hsm_begin();
    soft_new_key("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", id);
    soft_new_key("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", other);
}

static json_t *context(const char *name, const char *value)
{
    return json_pack("{s:s}", name, value);
}

/* Into blob. */
static void encrypt(const char *key, const char *text, json_t *in_context)
{
    json_t *out = soft_call("Encrypt", json_pack("{s:s, s:s, s:o*}", "KeyId", key, "Plaintext",
                                                 soft_blob(text), "EncryptionContext", in_context));
    CU_ASSERT_STRING_EQUAL(world.type, "");
    if (world.type[0] != '\0')
        printf("Encrypt: %s \"%s\"\n", world.type, world.text);
    soft_text(out, "CiphertextBlob", blob, sizeof blob);
    json_decref(out);
}

static bool decrypts_to(const char *text, json_t *in_context)
{
    char plain[8192];
    json_t *out = soft_call("Decrypt", json_pack("{s:s, s:o*}", "CiphertextBlob", blob,
                                                 "EncryptionContext", in_context));
    soft_text(out, "Plaintext", plain, sizeof plain);
    json_decref(out);
    return strcmp(plain, soft_blob(text)) == 0;
}

static void decrypt_finds_the_key_in_the_ciphertext(void)
{
    begin();
    encrypt(id, "text", json_pack("{s:s, s:s}", "a", "1", "b", "2"));
    json_t *out = soft_call("Decrypt", json_pack("{s:s, s:{s:s, s:s}}", "CiphertextBlob", blob,
                                                 "EncryptionContext", "b", "2", "a", "1"));
    char arn[160], algorithm[32], material[80];
    soft_text(out, "KeyId", arn, sizeof arn);
    soft_text(out, "EncryptionAlgorithm", algorithm, sizeof algorithm);
    soft_text(out, "KeyMaterialId", material, sizeof material);
    json_decref(out);
    CU_ASSERT_PTR_NOT_NULL(strstr(arn, id));
    CU_ASSERT_STRING_EQUAL(algorithm, "SYMMETRIC_DEFAULT");
    CU_ASSERT_EQUAL(strlen(material), 64);
    world_end();
}

static void another_encryption_context_does_not_open(void)
{
    begin();
    encrypt(id, "text", context("ab", "c"));
    CU_ASSERT_TRUE(decrypts_to("text", context("ab", "c")));
    json_t *const wrong[] = {NULL, context("a", "bc"), context("ab", "C"), context("AB", "c"),
                             json_pack("{s:s, s:s}", "ab", "c", "", "")};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        CU_ASSERT_FALSE(decrypts_to("text", wrong[i]));
        CU_ASSERT_STRING_EQUAL(world.type, "InvalidCiphertextException");
        CU_ASSERT_STRING_EQUAL(world.text, "");
    }
    world_end();
}

static void a_bit_that_flips_does_not_open(void)
{
    AUTO_BUF raw = BUF_INIT;
    begin();
    encrypt(id, "x", NULL);
    UNIT_OK(base64_decode(bytes_of_str(blob), &raw));
    for (size_t bit = 0; bit < raw.len * 8; bit++) {
        AUTO_BUF text = BUF_INIT;
        raw.ptr[bit / 8] ^= (uint8_t)(1U << bit % 8);
        UNIT_OK(base64_encode(buf_bytes(&raw), &text));
        raw.ptr[bit / 8] ^= (uint8_t)(1U << bit % 8);
        json_decref(soft_call("Decrypt", json_pack("{s:s}", "CiphertextBlob", buf_str(&text))));
        CU_ASSERT_STRING_EQUAL(world.type, "InvalidCiphertextException");
    }
    CU_ASSERT_TRUE(decrypts_to("x", NULL));
    world_end();
}

static void a_key_that_is_named_must_be_the_one(void)
{
    begin();
    encrypt(id, "text", NULL);
    CU_ASSERT_TRUE(soft_ends("Decrypt", "IncorrectKeyException",
                             json_pack("{s:s, s:s}", "CiphertextBlob", blob, "KeyId", other)));
    CU_ASSERT_TRUE(
        soft_ends("Decrypt", NULL, json_pack("{s:s, s:s}", "CiphertextBlob", blob, "KeyId", id)));
    world_end();
}

/* One who names no key learns nothing of another account's. */
static void another_accounts_key_and_no_key_are_denied_in_the_same_words(void)
{
    static const uint8_t none[HSM_ID_LEN] = {0};
    char text[sizeof world.text];
    AUTO_BUF raw = BUF_INIT;
    AUTO_BUF absent = BUF_INIT;
    begin();
    encrypt(id, "text", NULL);
    (void)snprintf(world.account, sizeof world.account, "%s", WORLD_OTHER);
    CU_ASSERT_TRUE(
        soft_ends("Decrypt", "AccessDeniedException", json_pack("{s:s}", "CiphertextBlob", blob)));
    (void)snprintf(text, sizeof text, "%s", world.text);
    UNIT_OK(ciphertext_put_header("00000000-0000-0000-0000-000000000000", none, &raw));
    UNIT_OK(buf_resize(&raw, raw.len + 64));
    UNIT_OK(base64_encode(buf_bytes(&raw), &absent));
    CU_ASSERT_TRUE(soft_ends("Decrypt", "AccessDeniedException",
                             json_pack("{s:s}", "CiphertextBlob", buf_str(&absent))));
    CU_ASSERT_STRING_EQUAL(world.text, text);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "on the resource associated with this ciphertext"));
    CU_ASSERT_EQUAL(soft_hsm.uses, 1);
    world_end();
}

static void an_older_material_opens_what_it_closed(void)
{
    begin();
    encrypt(id, "old", NULL);
    struct key *key = world_key(id);
    struct key_material fresh = {.id = "fresh", .hsm_id = {99}, .is_present = true};
    UNIT_OK(key_put_material(key, &fresh, true));
    world_put_key(key);
    CU_ASSERT_TRUE(decrypts_to("old", NULL));
    encrypt(id, "new", NULL);
    json_t *out = soft_call("Decrypt", json_pack("{s:s}", "CiphertextBlob", blob));
    char material[80];
    soft_text(out, "KeyMaterialId", material, sizeof material);
    CU_ASSERT_STRING_EQUAL(material, "fresh");
    json_decref(out);
    world_end();
}

static void a_material_that_the_key_never_had_does_not_open(void)
{
    begin();
    encrypt(id, "text", NULL);
    struct key *key = world_key(id);
    key->materials[0].hsm_id[5] ^= 1;
    world_put_key(key);
    CU_ASSERT_FALSE(decrypts_to("text", NULL));
    CU_ASSERT_STRING_EQUAL(world.type, "InvalidCiphertextException");
    world_end();
}

static void oaep_takes_what_fits_into_the_modulus(void)
{
    static const struct {
        const char *spec, *algorithm;
        size_t limit;
    } rows[] = {
        {"RSA_2048", "RSAES_OAEP_SHA_1", 214}, {"RSA_2048", "RSAES_OAEP_SHA_256", 190},
        {"RSA_3072", "RSAES_OAEP_SHA_1", 342}, {"RSA_3072", "RSAES_OAEP_SHA_256", 318},
        {"RSA_4096", "RSAES_OAEP_SHA_1", 470}, {"RSA_4096", "RSAES_OAEP_SHA_256", 446},
    };
    begin();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char rsa[65], text[512] = "", said[200];
        soft_new_key(rows[i].spec, "ENCRYPT_DECRYPT", rsa);
        memset(text, 'p', rows[i].limit);
        CU_ASSERT_TRUE(
            soft_ends("Encrypt", NULL,
                      json_pack("{s:s, s:s, s:s}", "KeyId", rsa, "Plaintext", soft_blob(text),
                                "EncryptionAlgorithm", rows[i].algorithm)));
        text[rows[i].limit] = 'p';
        CU_ASSERT_TRUE(
            soft_ends("Encrypt", "ValidationException",
                      json_pack("{s:s, s:s, s:s}", "KeyId", rsa, "Plaintext", soft_blob(text),
                                "EncryptionAlgorithm", rows[i].algorithm)));
        (void)snprintf(said, sizeof said,
                       "Algorithm %s and key spec %s cannot encrypt data larger than %zu bytes.",
                       rows[i].algorithm, rows[i].spec, rows[i].limit);
        CU_ASSERT_STRING_EQUAL(world.text, said);
    }
    world_end();
}

static void an_asymmetric_key_has_no_encryption_context_and_no_default_algorithm(void)
{
    char rsa[65];
    begin();
    soft_new_key("RSA_2048", "ENCRYPT_DECRYPT", rsa);
    CU_ASSERT_TRUE(soft_ends("Encrypt", "ValidationException",
                             json_pack("{s:s, s:s, s:s, s:o}", "KeyId", rsa, "Plaintext",
                                       "YQ==", "EncryptionAlgorithm", "RSAES_OAEP_SHA_256",
                                       "EncryptionContext", context("a", "b"))));
    CU_ASSERT_TRUE(soft_ends("Encrypt", "InvalidKeyUsageException",
                             json_pack("{s:s, s:s}", "KeyId", rsa, "Plaintext", "YQ==")));
    CU_ASSERT_STRING_EQUAL(world.text,
                           "Algorithm SYMMETRIC_DEFAULT is incompatible with key spec RSA_2048.");
    CU_ASSERT_EQUAL(soft_hsm.uses, 0);
    world_end();
}

static void a_message_is_hashed_before_it_goes_to_the_hsm(void)
{
    char signer[65];
    uint8_t digest[HASH_LEN];
    begin();
    soft_new_key("ECC_NIST_P256", "SIGN_VERIFY", signer);
    UNIT_OK(hash_sha256(bytes_of_str("message"), digest));
    CU_ASSERT_TRUE(soft_ends("Sign", NULL,
                             json_pack("{s:s, s:s, s:s}", "KeyId", signer, "Message",
                                       soft_blob("message"), "SigningAlgorithm", "ECDSA_SHA_256")));
    CU_ASSERT_TRUE(soft_hsm.sign.is_digest);
    CU_ASSERT_TRUE(bytes_equal(soft_hsm.sign.data, bytes_of(digest, sizeof digest)));
    CU_ASSERT_TRUE(soft_ends("Sign", "ValidationException",
                             json_pack("{s:s, s:s, s:s, s:s}", "KeyId", signer, "Message",
                                       soft_blob("message"), "MessageType", "DIGEST",
                                       "SigningAlgorithm", "ECDSA_SHA_256")));
    CU_ASSERT_STRING_EQUAL(world.text, "Digest is invalid length for algorithm ECDSA_SHA_256.");
    CU_ASSERT_EQUAL(soft_hsm.uses, 1);
    world_end();
}

static void ed25519_takes_messages_and_its_prehash_form_digests(void)
{
    static const struct {
        const char *algorithm, *type, *error;
    } rows[] = {
        {"ED25519_SHA_512", "RAW", NULL},
        {"ED25519_SHA_512", "DIGEST", "ValidationException"},
        {"ED25519_PH_SHA_512", "DIGEST", NULL},
        {"ED25519_PH_SHA_512", "RAW", "ValidationException"},
        {"ED25519_SHA_512", "EXTERNAL_MU", "ValidationException"},
    };
    const char *message = "0123456789012345678901234567890123456789012345678901234567890123";
    char signer[65];
    begin();
    soft_new_key("ECC_NIST_EDWARDS25519", "SIGN_VERIFY", signer);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        CU_ASSERT_TRUE(soft_ends("Sign", rows[i].error,
                                 json_pack("{s:s, s:s, s:s, s:s}", "KeyId", signer, "Message",
                                           soft_blob(message), "MessageType", rows[i].type,
                                           "SigningAlgorithm", rows[i].algorithm)));
    CU_ASSERT_EQUAL(soft_hsm.uses, 2);
    CU_ASSERT_TRUE(bytes_equal(soft_hsm.sign.data, bytes_of_str(message)));
    world_end();
}

static void ml_dsa_takes_messages_and_their_representatives(void)
{
    const char *mu = "0123456789012345678901234567890123456789012345678901234567890123";
    const struct {
        const char *message, *type, *error;
    } rows[] = {
        {"message", "RAW", NULL},
        {mu, "EXTERNAL_MU", NULL},
        {mu + 1, "EXTERNAL_MU", "ValidationException"},
        {mu, "DIGEST", "ValidationException"},
    };
    char signer[65];
    begin();
    soft_new_key("ML_DSA_65", "SIGN_VERIFY", signer);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        CU_ASSERT_TRUE(soft_ends("Sign", rows[i].error,
                                 json_pack("{s:s, s:s, s:s, s:s}", "KeyId", signer, "Message",
                                           soft_blob(rows[i].message), "MessageType", rows[i].type,
                                           "SigningAlgorithm", "ML_DSA_SHAKE_256")));
        if (rows[i].error == NULL)
            CU_ASSERT_EQUAL(soft_hsm.sign.is_digest, i == 1);
    }
    CU_ASSERT_EQUAL(soft_hsm.uses, 2);
    CU_ASSERT_TRUE(bytes_equal(soft_hsm.sign.data, bytes_of_str(mu)));
    world_end();
}

static json_t *verify_of(const char *signer, const char *message, const char *signature)
{
    return json_pack("{s:s, s:s, s:s, s:s}", "KeyId", signer, "Message", soft_blob(message),
                     "Signature", signature, "SigningAlgorithm", "RSASSA_PSS_SHA_256");
}

static void a_signature_of_something_else_is_invalid_without_a_word(void)
{
    char signer[65], signature[100];
    begin();
    soft_new_key("RSA_2048", "SIGN_VERIFY", signer);
    json_t *out = soft_call("Sign", json_pack("{s:s, s:s, s:s}", "KeyId", signer, "Message",
                                              soft_blob("message"), "SigningAlgorithm",
                                              "RSASSA_PSS_SHA_256"));
    soft_text(out, "Signature", signature, sizeof signature);
    json_decref(out);
    out = soft_call("Verify", verify_of(signer, "message", signature));
    CU_ASSERT_TRUE(json_is_true(json_object_get(out, "SignatureValid")));
    json_decref(out);
    CU_ASSERT_TRUE(soft_ends("Verify", "KMSInvalidSignatureException",
                             verify_of(signer, "massage", signature)));
    CU_ASSERT_STRING_EQUAL(world.text, "");
    CU_ASSERT_EQUAL(world.status, 400);
    world_end();
}

static void a_mac_is_of_its_key_spec_and_its_message(void)
{
    char key[65], mac[100];
    begin();
    soft_new_key("HMAC_256", "GENERATE_VERIFY_MAC", key);
    CU_ASSERT_TRUE(soft_ends("GenerateMac", "InvalidKeyUsageException",
                             json_pack("{s:s, s:s, s:s}", "KeyId", key, "Message",
                                       "YQ==", "MacAlgorithm", "HMAC_SHA_512")));
    CU_ASSERT_STRING_EQUAL(world.text,
                           "Algorithm HMAC_SHA_512 is incompatible with key spec HMAC_256.");
    json_t *out = soft_call("GenerateMac", json_pack("{s:s, s:s, s:s}", "KeyId", key, "Message",
                                                     "YQ==", "MacAlgorithm", "HMAC_SHA_256"));
    soft_text(out, "Mac", mac, sizeof mac);
    json_decref(out);
    CU_ASSERT_FALSE(soft_hsm.sign.is_digest);
    CU_ASSERT_TRUE(bytes_equal(soft_hsm.sign.data, bytes_of_str("a")));
    for (int i = 0; i < 2; i++)
        CU_ASSERT_TRUE(soft_ends("VerifyMac", i == 0 ? NULL : "KMSInvalidMacException",
                                 json_pack("{s:s, s:s, s:s, s:s}", "KeyId", key, "Message",
                                           i == 0 ? "YQ==" : "YWE=", "Mac", mac, "MacAlgorithm",
                                           "HMAC_SHA_256")));
    CU_ASSERT_STRING_EQUAL(world.text, "");
    world_end();
}

static void a_data_key_has_a_spec_or_a_length(void)
{
    char plain[2000];
    begin();
    CU_ASSERT_TRUE(
        soft_ends("GenerateDataKey", "ValidationException", json_pack("{s:s}", "KeyId", id)));
    CU_ASSERT_STRING_EQUAL(world.text, "Please specify either number of bytes or key spec.");
    CU_ASSERT_TRUE(soft_ends(
        "GenerateDataKey", "ValidationException",
        json_pack("{s:s, s:s, s:i}", "KeyId", id, "KeySpec", "AES_256", "NumberOfBytes", 32)));
    json_t *out =
        soft_call("GenerateDataKey", json_pack("{s:s, s:s}", "KeyId", id, "KeySpec", "AES_128"));
    soft_text(out, "Plaintext", plain, sizeof plain);
    CU_ASSERT_EQUAL(strlen(plain), 24);
    json_decref(out);
    out = soft_call("GenerateDataKeyWithoutPlaintext",
                    json_pack("{s:s, s:i}", "KeyId", id, "NumberOfBytes", 1024));
    CU_ASSERT_PTR_NULL(json_object_get(out, "Plaintext"));
    CU_ASSERT_PTR_NOT_NULL(json_object_get(out, "CiphertextBlob"));
    json_decref(out);
    world_end();
}

static void a_data_key_pair_opens_to_its_private_half(void)
{
    begin();
    json_t *out = soft_call("GenerateDataKeyPair",
                            json_pack("{s:s, s:s}", "KeyId", id, "KeyPairSpec", "ECC_NIST_P256"));
    char text[100];
    soft_text(out, "PrivateKeyPlaintext", text, sizeof text);
    CU_ASSERT_STRING_EQUAL(text, soft_blob("the private half"));
    soft_text(out, "PublicKey", text, sizeof text);
    CU_ASSERT_STRING_EQUAL(text, soft_blob("the public half"));
    soft_text(out, "PrivateKeyCiphertextBlob", blob, sizeof blob);
    CU_ASSERT_TRUE(decrypts_to("the private half", NULL));
    json_decref(out);
    out = soft_call("GenerateDataKeyPairWithoutPlaintext",
                    json_pack("{s:s, s:s}", "KeyId", id, "KeyPairSpec", "ECC_NIST_P256"));
    CU_ASSERT_PTR_NULL(json_object_get(out, "PrivateKeyPlaintext"));
    json_decref(out);
    world_end();
}

static json_t *move_of(const char *to)
{
    return json_pack("{s:s, s:s, s:{s:s}}", "CiphertextBlob", blob, "DestinationKeyId", to,
                     "DestinationEncryptionContext", "to", "there");
}

static void reencryption_stays_in_the_hsm(void)
{
    begin();
    encrypt(id, "moves", NULL);
    json_t *out = soft_call("ReEncrypt", move_of(other));
    char arn[160];
    soft_text(out, "SourceKeyId", arn, sizeof arn);
    CU_ASSERT_PTR_NOT_NULL(strstr(arn, id));
    soft_text(out, "CiphertextBlob", blob, sizeof blob);
    json_decref(out);
    CU_ASSERT_EQUAL(soft_hsm.moved_inside, 1);
    CU_ASSERT_TRUE(decrypts_to("moves", context("to", "there")));
    world_end();
}

static bool trail_names(const char *member, const char *key_id)
{
    struct key *key = world_key(key_id);
    const char *named = json_string_value(json_object_get(world.additional, member));
    bool is_named = named != NULL && strcmp(named, key->materials[0].id) == 0;
    key_free(key);
    return is_named;
}

/* Source: AWS KMS Developer Guide, "Examples of AWS KMS log entries". */
static void the_trail_names_the_material_that_was_used(void)
{
    begin();
    encrypt(id, "text", NULL);
    CU_ASSERT_TRUE(trail_names("keyMaterialId", id));
    CU_ASSERT_TRUE(decrypts_to("text", NULL));
    CU_ASSERT_TRUE(trail_names("keyMaterialId", id));
    CU_ASSERT_TRUE(soft_ends("ReEncrypt", NULL, move_of(other)));
    CU_ASSERT_TRUE(trail_names("sourceKeyMaterialId", id));
    CU_ASSERT_TRUE(trail_names("destinationKeyMaterialId", other));
    static const char *const makers[][3] = {
        {"GenerateDataKey", "KeySpec", "AES_256"},
        {"GenerateDataKeyWithoutPlaintext", "KeySpec", "AES_256"},
        {"GenerateDataKeyPair", "KeyPairSpec", "ECC_NIST_P256"},
        {"GenerateDataKeyPairWithoutPlaintext", "KeyPairSpec", "ECC_NIST_P256"}};
    for (size_t i = 0; i < sizeof makers / sizeof makers[0]; i++) {
        CU_ASSERT_TRUE(soft_ends("DescribeKey", NULL, json_pack("{s:s}", "KeyId", id)));
        CU_ASSERT_PTR_NULL(world.additional);
        CU_ASSERT_TRUE(soft_ends(makers[i][0], NULL,
                                 json_pack("{s:s, s:s}", "KeyId", id, makers[i][1], makers[i][2])));
        CU_ASSERT_TRUE(trail_names("keyMaterialId", id));
    }
    world_end();
}

static void grant_to_ann(const char *key, const char *operation)
{
    json_t *in = json_pack("{s:s, s:s, s:[s]}", "KeyId", key, "GranteePrincipal",
                           "arn:aws:iam::" WORLD_ACCOUNT ":user/ann", "Operations", operation);
    CU_ASSERT_TRUE(soft_ends("CreateGrant", NULL, in));
}

static void reencryption_needs_rights_on_both_keys(void)
{
    begin();
    encrypt(id, "moves", NULL);
    world.is_user = true;
    CU_ASSERT_TRUE(soft_ends("ReEncrypt", "AccessDeniedException", move_of(other)));
    CU_ASSERT_PTR_NOT_NULL(strstr(world.text, "kms:ReEncryptFrom"));
    world.is_user = false;
    grant_to_ann(id, "ReEncryptFrom");
    world.is_user = true;
    CU_ASSERT_TRUE(soft_ends("ReEncrypt", "AccessDeniedException", move_of(other)));
    CU_ASSERT_PTR_NOT_NULL(strstr(world.text, "kms:ReEncryptTo"));
    world.is_user = false;
    grant_to_ann(other, "ReEncryptTo");
    world.is_user = true;
    CU_ASSERT_TRUE(soft_ends("ReEncrypt", NULL, move_of(other)));
    world_end();
}

static void reencryption_looks_at_the_state_of_both_keys(void)
{
    begin();
    encrypt(id, "moves", NULL);
    CU_ASSERT_TRUE(soft_ends("DisableKey", NULL, json_pack("{s:s}", "KeyId", id)));
    CU_ASSERT_TRUE(soft_ends("ReEncrypt", "DisabledException", move_of(other)));
    CU_ASSERT_TRUE(soft_ends("EnableKey", NULL, json_pack("{s:s}", "KeyId", id)));
    CU_ASSERT_TRUE(soft_ends("DisableKey", NULL, json_pack("{s:s}", "KeyId", other)));
    CU_ASSERT_TRUE(soft_ends("ReEncrypt", "DisabledException", move_of(other)));
    CU_ASSERT_EQUAL(soft_hsm.moved_inside, 0);
    world_end();
}

static void a_dry_run_does_not_use_the_key(void)
{
    begin();
    encrypt(id, "text", NULL);
    unsigned uses = soft_hsm.uses;
    CU_ASSERT_TRUE(soft_ends("Decrypt", "DryRunOperationException",
                             json_pack("{s:s, s:b}", "CiphertextBlob", blob, "DryRun", 1)));
    CU_ASSERT_TRUE(soft_ends("Decrypt", "DryRunOperationException",
                             json_pack("{s:s, s:b, s:[s]}", "KeyId", id, "DryRun", 1,
                                       "DryRunModifiers", "IGNORE_CIPHERTEXT")));
    CU_ASSERT_TRUE(soft_ends("Decrypt", "ValidationException", json_pack("{s:s}", "KeyId", id)));
    CU_ASSERT_EQUAL(soft_hsm.uses, uses);
    world_end();
}

static void enclaves_are_not_answered(void)
{
    begin();
    encrypt(id, "text", NULL);
    CU_ASSERT_TRUE(soft_ends("Decrypt", "UnsupportedOperationException",
                             json_pack("{s:s, s:{s:s}}", "CiphertextBlob", blob, "Recipient",
                                       "AttestationDocument", "YQ==")));
    CU_ASSERT_TRUE(soft_ends("GenerateRandom", "UnsupportedOperationException",
                             json_pack("{s:i, s:{s:s}}", "NumberOfBytes", 8, "Recipient",
                                       "AttestationDocument", "YQ==")));
    world_end();
}

static void random_bytes_need_their_number(void)
{
    begin();
    CU_ASSERT_TRUE(soft_ends("GenerateRandom", "ValidationException", json_object()));
    CU_ASSERT_STRING_EQUAL(world.text, "NumberOfBytes is required.");
    CU_ASSERT_TRUE(soft_ends("GenerateRandom", NULL, json_pack("{s:i}", "NumberOfBytes", 1024)));
    CU_ASSERT_TRUE(
        soft_ends("GenerateRandom", "CustomKeyStoreNotFoundException",
                  json_pack("{s:i, s:s}", "NumberOfBytes", 8, "CustomKeyStoreId", "cks-1")));
    world_end();
}

static bool take_use(void *into, const char *path, const struct used *used)
{
    if (strstr(path, id) != NULL)
        *(struct used *)into = *used;
    return true;
}

static void a_use_is_noted_and_drained_once(void)
{
    struct used used = {0};
    struct used latest = {0};
    begin();
    encrypt(id, "text", NULL);
    world.now_ms += 5;
    CU_ASSERT_TRUE(decrypts_to("text", NULL));
    struct key *key = world_key(id);
    CU_ASSERT_TRUE(used_latest(world.kms.view, key, &latest));
    key_free(key);
    CU_ASSERT_EQUAL(latest.time_ms, world.now_ms);
    used_drain(take_use, &used);
    CU_ASSERT_EQUAL(used.time_ms, world.now_ms);
    CU_ASSERT_STRING_EQUAL(used.what, "Decrypt");
    CU_ASSERT_STRING_EQUAL(used.where, "11111111-2222-4333-8444-555555555555");
    used = (struct used){0};
    used_drain(take_use, &used);
    CU_ASSERT_EQUAL(used.time_ms, 0);
    world_end();
}

UNIT_SUITE("kms/crypt_ops", UNIT_CASE(decrypt_finds_the_key_in_the_ciphertext),
           UNIT_CASE(another_encryption_context_does_not_open),
           UNIT_CASE(a_bit_that_flips_does_not_open),
           UNIT_CASE(a_key_that_is_named_must_be_the_one),
           UNIT_CASE(another_accounts_key_and_no_key_are_denied_in_the_same_words),
           UNIT_CASE(an_older_material_opens_what_it_closed),
           UNIT_CASE(a_material_that_the_key_never_had_does_not_open),
           UNIT_CASE(oaep_takes_what_fits_into_the_modulus),
           UNIT_CASE(an_asymmetric_key_has_no_encryption_context_and_no_default_algorithm),
           UNIT_CASE(a_message_is_hashed_before_it_goes_to_the_hsm),
           UNIT_CASE(ed25519_takes_messages_and_its_prehash_form_digests),
           UNIT_CASE(ml_dsa_takes_messages_and_their_representatives),
           UNIT_CASE(a_signature_of_something_else_is_invalid_without_a_word),
           UNIT_CASE(a_mac_is_of_its_key_spec_and_its_message),
           UNIT_CASE(a_data_key_has_a_spec_or_a_length),
           UNIT_CASE(a_data_key_pair_opens_to_its_private_half),
           UNIT_CASE(reencryption_stays_in_the_hsm),
           UNIT_CASE(the_trail_names_the_material_that_was_used),
           UNIT_CASE(reencryption_needs_rights_on_both_keys),
           UNIT_CASE(reencryption_looks_at_the_state_of_both_keys),
           UNIT_CASE(a_dry_run_does_not_use_the_key), UNIT_CASE(enclaves_are_not_answered),
           UNIT_CASE(random_bytes_need_their_number), UNIT_CASE(a_use_is_noted_and_drained_once));

/* SPDX-License-Identifier: Apache-2.0 */
/* Suite of kms/import.c and op_import*.c: tokens, the same value again, new values, expiry. */
#include "kms/import.h"

#include <stdio.h>

#include "kms/base64.h"
#include "tests/unit/kms/fake_world.h"
#include "tests/unit/kms/soft_hsm.h"
#include "tests/unit/unit.h"

static char id[65];
static char token[1024];

static void begin_with(const char *spec, const char *usage)
{
    char body[200];
    world_begin();
    soft_hsm_begin();
    (void)snprintf(body, sizeof body,
                   "{\"KeySpec\":\"%s\",\"KeyUsage\":\"%s\",\"Origin\":\"EXTERNAL\"}", spec, usage);
    world_make_key(body, id);
}

static void begin(void)
{
    begin_with("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT");
}

static json_t *parameters_of(const char *key, const char *algorithm, const char *wrapping)
{
    return json_pack("{s:s, s:s, s:s}", "KeyId", key, "WrappingAlgorithm", algorithm,
                     "WrappingKeySpec", wrapping);
}

static void take_token(void)
{
    json_t *out = soft_call("GetParametersForImport",
                            parameters_of(id, "RSA_AES_KEY_WRAP_SHA_256", "RSA_2048"));
    CU_ASSERT_STRING_EQUAL(world.type, "");
    soft_text(out, "ImportToken", token, sizeof token);
    json_decref(out);
}

/* ValidTo "" : does not expire; else seconds from now. */
static json_t *import_of(const char *value, double lasts_s, const char *type)
{
    char wrapped[256];
    (void)snprintf(wrapped, sizeof wrapped, "wrapped:%s", value);
    json_t *in = json_pack("{s:s, s:s, s:s, s:s*}", "KeyId", id, "ImportToken", token,
                           "EncryptedKeyMaterial", soft_blob(wrapped), "ImportType", type);
    if (lasts_s != 0)
        (void)json_object_set_new(in, "ValidTo",
                                  json_real((double)world.now_ms / 1000.0 + lasts_s));
    else
        (void)json_object_set_new(in, "ExpirationModel",
                                  json_string("KEY_MATERIAL_DOES_NOT_EXPIRE"));
    return in;
}

static void state_is(const char *state)
{
    json_t *out = soft_call("DescribeKey", json_pack("{s:s}", "KeyId", id));
    const char *found = "";
    CU_ASSERT_EQUAL(json_unpack(out, "{s:{s:s}}", "KeyMetadata", "KeyState", &found), 0);
    CU_ASSERT_STRING_EQUAL(found, state);
    json_decref(out);
}

/* ---- tokens */

static const struct import_token sample = {.region = "us-east-1",
                                           .key_id = "1234",
                                           .wrapping = 77,
                                           .algorithm = KEYSTORE_WRAP_OAEP_SHA256,
                                           .valid_to_ms = 99};

static void a_token_comes_back_as_it_was(void)
{
    AUTO_BUF text = BUF_INIT;
    struct import_token back;
    UNIT_OK(import_token_write(&sample, &text));
    UNIT_OK(import_token_read(buf_bytes(&text), &back));
    CU_ASSERT_STRING_EQUAL(back.region, sample.region);
    CU_ASSERT_STRING_EQUAL(back.key_id, sample.key_id);
    CU_ASSERT_EQUAL(back.wrapping, 77);
    CU_ASSERT_EQUAL(back.algorithm, KEYSTORE_WRAP_OAEP_SHA256);
    CU_ASSERT_EQUAL(back.valid_to_ms, 99);
}

static void a_token_of_another_form_is_refused(void)
{
    AUTO_BUF text = BUF_INIT;
    struct import_token back;
    struct import_token wrong = sample;
    UNIT_OK(import_token_write(&sample, &text));
    for (size_t len = 0; len < text.len; len++)
        UNIT_RC(import_token_read(bytes_of(text.ptr, len), &back), RC_TAMPERED);
    UNIT_OK(buf_put_u8(&text, 0));
    UNIT_RC(import_token_read(buf_bytes(&text), &back), RC_TAMPERED);
    wrong.algorithm = KEYSTORE_GCM;
    buf_clear(&text);
    UNIT_OK(import_token_write(&wrong, &text));
    UNIT_RC(import_token_read(buf_bytes(&text), &back), RC_TAMPERED);
}

static void a_wrapping_key_tells_when_it_has_served(void)
{
    struct hsm_key key = {.id = {0, 0, 1}};
    uint64_t end_ms = UINT64_C(1) << 40;
    CU_ASSERT_FALSE(import_is_over(&key, end_ms - 1));
    CU_ASSERT_TRUE(import_is_over(&key, end_ms));
}

static void a_pending_material_becomes_the_first(void)
{
    struct key_material list[3] = {
        {.id = "now"}, {.id = "old"}, {.id = "next", .is_pending = true, .is_present = true}};
    struct key key = {.materials = list, .material_count = 3};
    CU_ASSERT_TRUE(import_promote(&key, 55));
    CU_ASSERT_STRING_EQUAL(list[0].id, "next");
    CU_ASSERT_STRING_EQUAL(list[1].id, "now");
    CU_ASSERT_STRING_EQUAL(list[2].id, "old");
    CU_ASSERT_FALSE(list[0].is_pending);
    CU_ASSERT_EQUAL(list[0].created_ms, 55);
    CU_ASSERT_FALSE(import_promote(&key, 56));
}

/* ---- parameters */

static void only_keys_of_external_origin_are_imported_into(void)
{
    begin();
    char own[65];
    soft_new_key("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", own);
    CU_ASSERT_TRUE(soft_ends("GetParametersForImport", "UnsupportedOperationException",
                             parameters_of(own, "RSAES_OAEP_SHA_256", "RSA_2048")));
    CU_ASSERT_PTR_NOT_NULL(
        strstr(world.text, "origin is AWS_KMS which is not valid for this operation."));
    CU_ASSERT_EQUAL(soft_hsm.created, 0);
    world_end();
}

static void wrappings_that_cannot_hold_the_key_are_refused(void)
{
    static const struct {
        const char *spec, *usage, *algorithm, *wrapping;
        bool works;
    } rows[] = {
        {"SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", "RSAES_OAEP_SHA_1", "RSA_2048", true},
        {"SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", "RSAES_OAEP_SHA_256", "RSA_4096", true},
        {"SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", "RSAES_PKCS1_V1_5", "RSA_2048", false},
        {"SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", "SM2PKE", "SM2", false},
        {"SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", "RSAES_OAEP_SHA_256", "SM2", false},
        {"HMAC_512", "GENERATE_VERIFY_MAC", "RSAES_OAEP_SHA_256", "RSA_2048", true},
        {"ECC_NIST_P521", "SIGN_VERIFY", "RSAES_OAEP_SHA_256", "RSA_2048", false},
        {"ECC_NIST_P521", "SIGN_VERIFY", "RSAES_OAEP_SHA_256", "RSA_3072", true},
        {"ECC_NIST_P521", "SIGN_VERIFY", "RSA_AES_KEY_WRAP_SHA_1", "RSA_2048", true},
        {"RSA_2048", "SIGN_VERIFY", "RSAES_OAEP_SHA_256", "RSA_4096", false},
        {"RSA_2048", "SIGN_VERIFY", "RSA_AES_KEY_WRAP_SHA_256", "RSA_2048", true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        begin_with(rows[i].spec, rows[i].usage);
        CU_ASSERT_TRUE(soft_ends("GetParametersForImport",
                                 rows[i].works ? NULL : "UnsupportedOperationException",
                                 parameters_of(id, rows[i].algorithm, rows[i].wrapping)));
        CU_ASSERT_EQUAL(soft_hsm.created, rows[i].works ? 1 : 0);
        world_end();
    }
}

/* ---- imports */

static void an_import_makes_the_key_usable(void)
{
    begin();
    state_is("PendingImport");
    take_token();
    CU_ASSERT_TRUE(soft_ends("ImportKeyMaterial", NULL, import_of("one", 0, NULL)));
    state_is("Enabled");
    CU_ASSERT_EQUAL(soft_hsm.deleted, 0);
    world_end();
}

static void a_token_is_for_one_key_and_a_day(void)
{
    begin();
    take_token();
    char first[65];
    memcpy(first, id, sizeof first);
    world_make_key("{\"Origin\":\"EXTERNAL\"}", id);
    CU_ASSERT_TRUE(
        soft_ends("ImportKeyMaterial", "InvalidImportTokenException", import_of("one", 0, NULL)));
    memcpy(id, first, sizeof first);
    world.now_ms += IMPORT_VALID_MS - 1;
    CU_ASSERT_TRUE(soft_ends("ImportKeyMaterial", NULL, import_of("one", 0, NULL)));
    world.now_ms += 1;
    CU_ASSERT_TRUE(
        soft_ends("ImportKeyMaterial", "ExpiredImportTokenException", import_of("one", 0, NULL)));
    (void)snprintf(token, sizeof token, "%s", soft_blob("forged"));
    CU_ASSERT_TRUE(
        soft_ends("ImportKeyMaterial", "InvalidImportTokenException", import_of("one", 0, NULL)));
    world_end();
}

static void expiry_must_be_told_and_lie_ahead(void)
{
    static const struct {
        double lasts_s;
        bool works;
    } rows[] = {{-1, false}, {0.5, true}, {364.0 * 86400, true}, {366.0 * 86400, false}};
    begin();
    take_token();
    json_t *in = import_of("one", 0, NULL);
    (void)json_object_del(in, "ExpirationModel");
    CU_ASSERT_TRUE(soft_ends("ImportKeyMaterial", "ValidationException", in));
    CU_ASSERT_STRING_EQUAL(
        world.text, "A validTo date must be set if the ExpirationModel is KEY_MATERIAL_EXPIRES");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        CU_ASSERT_TRUE(soft_ends("ImportKeyMaterial", rows[i].works ? NULL : "ValidationException",
                                 import_of("one", rows[i].lasts_s, NULL)));
    in = import_of("one", 60, NULL);
    (void)json_object_set_new(in, "ExpirationModel", json_string("KEY_MATERIAL_DOES_NOT_EXPIRE"));
    CU_ASSERT_TRUE(soft_ends("ImportKeyMaterial", "ValidationException", in));
    world_end();
}

static void material_that_has_expired_is_gone_until_it_comes_again(void)
{
    begin();
    take_token();
    CU_ASSERT_TRUE(soft_ends("ImportKeyMaterial", NULL, import_of("one", 60, NULL)));
    state_is("Enabled");
    world.now_ms += 60001;
    state_is("PendingImport");
    CU_ASSERT_TRUE(soft_ends("Encrypt", "KMSInvalidStateException",
                             json_pack("{s:s, s:s}", "KeyId", id, "Plaintext", "YQ==")));
    CU_ASSERT_TRUE(soft_ends("ImportKeyMaterial", NULL, import_of("one", 0, NULL)));
    state_is("Enabled");
    world_end();
}

static void what_expired_and_is_still_there_goes_when_it_comes_again(void)
{
    begin();
    take_token();
    CU_ASSERT_TRUE(soft_ends("ImportKeyMaterial", NULL, import_of("one", 60, NULL)));
    struct key *key = world_key(id);
    uint64_t handle = key->materials[0].handle;
    key->materials[0].is_present = false; /* the document's half of the expiry */
    world_put_key(key);
    CU_ASSERT_TRUE(soft_ends("ImportKeyMaterial", NULL, import_of("one", 0, NULL)));
    CU_ASSERT_EQUAL(soft_hsm.last_deleted, handle);
    CU_ASSERT_EQUAL(soft_hsm.created - soft_hsm.deleted, 2); /* the wrapping key, and one */
    world_end();
}

static void only_the_same_value_is_imported_again(void)
{
    begin();
    take_token();
    CU_ASSERT_TRUE(soft_ends("ImportKeyMaterial", NULL, import_of("one", 0, NULL)));
    struct key *key = world_key(id);
    uint64_t handle = key->materials[0].handle;
    key_free(key);
    CU_ASSERT_TRUE(
        soft_ends("ImportKeyMaterial", "IncorrectKeyMaterialException", import_of("two", 0, NULL)));
    CU_ASSERT_TRUE(soft_ends("ImportKeyMaterial", NULL, import_of("one", 0, NULL)));
    CU_ASSERT_EQUAL(soft_hsm.last_deleted, handle);
    CU_ASSERT_EQUAL(soft_hsm.created - soft_hsm.deleted, 2); /* the wrapping key, and one */
    CU_ASSERT_TRUE(soft_ends("DeleteImportedKeyMaterial", NULL, json_pack("{s:s}", "KeyId", id)));
    state_is("PendingImport");
    CU_ASSERT_EQUAL(soft_hsm.created - soft_hsm.deleted, 1);
    CU_ASSERT_TRUE(soft_ends("DeleteImportedKeyMaterial", NULL, json_pack("{s:s}", "KeyId", id)));
    CU_ASSERT_TRUE(
        soft_ends("ImportKeyMaterial", "IncorrectKeyMaterialException", import_of("two", 0, NULL)));
    CU_ASSERT_TRUE(soft_ends("ImportKeyMaterial", NULL, import_of("one", 0, NULL)));
    world_end();
}

static void what_does_not_unwrap_is_an_invalid_ciphertext(void)
{
    begin();
    take_token();
    json_t *in = import_of("one", 0, NULL);
    (void)json_object_set_new(in, "EncryptedKeyMaterial", json_string(soft_blob("noise")));
    CU_ASSERT_TRUE(soft_ends("ImportKeyMaterial", "InvalidCiphertextException", in));
    state_is("PendingImport");
    world_end();
}

static void a_lost_race_leaves_no_backing_key(void)
{
    begin();
    take_token();
    unsigned before = soft_hsm.created - soft_hsm.deleted;
    world.lose_commits = 1;
    CU_ASSERT_TRUE(soft_ends("ImportKeyMaterial", NULL, import_of("one", 0, NULL)));
    CU_ASSERT_EQUAL(soft_hsm.created - soft_hsm.deleted, before + 1);
    CU_ASSERT_EQUAL(soft_hsm.deleted, 1);
    world_end();
}

static void new_material_waits_for_the_rotation(void)
{
    char first[80], second[80];
    begin();
    take_token();
    json_t *out = soft_call("ImportKeyMaterial", import_of("one", 0, NULL));
    soft_text(out, "KeyMaterialId", first, sizeof first);
    json_decref(out);
    out = soft_call("ImportKeyMaterial", import_of("two", 0, "NEW_KEY_MATERIAL"));
    soft_text(out, "KeyMaterialId", second, sizeof second);
    json_decref(out);
    CU_ASSERT_EQUAL(strlen(first), 64);
    CU_ASSERT_STRING_NOT_EQUAL(first, second);
    struct key *key = world_key(id);
    CU_ASSERT_STRING_EQUAL(key_current(key, world.now_ms)->id, first);
    key_free(key);
    CU_ASSERT_TRUE(soft_ends("ImportKeyMaterial", "KMSInvalidStateException",
                             import_of("three", 0, "NEW_KEY_MATERIAL")));
    CU_ASSERT_TRUE(soft_ends("ImportKeyMaterial", "IncorrectKeyMaterialException",
                             import_of("one", 0, "NEW_KEY_MATERIAL")));
    CU_ASSERT_EQUAL(soft_hsm.created - soft_hsm.deleted, 3);
    CU_ASSERT_TRUE(soft_ends("RotateKeyOnDemand", NULL, json_pack("{s:s}", "KeyId", id)));
    key = world_key(id);
    CU_ASSERT_STRING_EQUAL(key_current(key, world.now_ms)->id, second);
    CU_ASSERT_EQUAL(key->material_count, 2);
    key_free(key);
    CU_ASSERT_TRUE(soft_ends("ImportKeyMaterial", NULL, import_of("one", 0, NULL)));
    CU_ASSERT_TRUE(soft_ends("ImportKeyMaterial", "NotFoundException",
                             json_pack("{s:s, s:s, s:s, s:s, s:s}", "KeyId", id, "ImportToken",
                                       token, "EncryptedKeyMaterial", "YQ==", "ExpirationModel",
                                       "KEY_MATERIAL_DOES_NOT_EXPIRE", "KeyMaterialId",
                                       "0000000000000000000000000000000000000000000000000000000000"
                                       "000000")));
    world_end();
}

static void a_pending_material_that_is_deleted_makes_room(void)
{
    char second[80];
    begin();
    take_token();
    CU_ASSERT_TRUE(soft_ends("ImportKeyMaterial", NULL, import_of("one", 0, NULL)));
    json_t *out = soft_call("ImportKeyMaterial", import_of("two", 0, "NEW_KEY_MATERIAL"));
    soft_text(out, "KeyMaterialId", second, sizeof second);
    json_decref(out);
    CU_ASSERT_TRUE(soft_ends("DeleteImportedKeyMaterial", NULL,
                             json_pack("{s:s, s:s}", "KeyId", id, "KeyMaterialId", second)));
    state_is("Enabled");
    CU_ASSERT_TRUE(soft_ends("RotateKeyOnDemand", "KMSInvalidStateException",
                             json_pack("{s:s}", "KeyId", id)));
    CU_ASSERT_TRUE(soft_ends("ImportKeyMaterial", NULL, import_of("three", 0, "NEW_KEY_MATERIAL")));
    CU_ASSERT_TRUE(soft_ends("RotateKeyOnDemand", NULL, json_pack("{s:s}", "KeyId", id)));
    state_is("Enabled");
    struct key *key = world_key(id);
    CU_ASSERT_STRING_NOT_EQUAL(key->materials[0].id, second);
    CU_ASSERT_FALSE(key->materials[0].is_pending);
    key_free(key);
    world_end();
}

static void asymmetric_keys_have_one_material(void)
{
    begin_with("ECC_NIST_P256", "SIGN_VERIFY");
    take_token();
    CU_ASSERT_TRUE(soft_ends("ImportKeyMaterial", NULL, import_of("one", 0, "NEW_KEY_MATERIAL")));
    CU_ASSERT_TRUE(soft_ends("ImportKeyMaterial", "UnsupportedOperationException",
                             import_of("two", 0, "NEW_KEY_MATERIAL")));
    world_end();
}

UNIT_SUITE("kms/import", UNIT_CASE(a_token_comes_back_as_it_was),
           UNIT_CASE(a_token_of_another_form_is_refused),
           UNIT_CASE(a_wrapping_key_tells_when_it_has_served),
           UNIT_CASE(a_pending_material_becomes_the_first),
           UNIT_CASE(only_keys_of_external_origin_are_imported_into),
           UNIT_CASE(wrappings_that_cannot_hold_the_key_are_refused),
           UNIT_CASE(an_import_makes_the_key_usable), UNIT_CASE(a_token_is_for_one_key_and_a_day),
           UNIT_CASE(expiry_must_be_told_and_lie_ahead),
           UNIT_CASE(material_that_has_expired_is_gone_until_it_comes_again),
           UNIT_CASE(what_expired_and_is_still_there_goes_when_it_comes_again),
           UNIT_CASE(only_the_same_value_is_imported_again),
           UNIT_CASE(what_does_not_unwrap_is_an_invalid_ciphertext),
           UNIT_CASE(a_lost_race_leaves_no_backing_key),
           UNIT_CASE(new_material_waits_for_the_rotation),
           UNIT_CASE(a_pending_material_that_is_deleted_makes_room),
           UNIT_CASE(asymmetric_keys_have_one_material));

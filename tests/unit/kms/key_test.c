/* SPDX-License-Identifier: Apache-2.0 */
/* Suite of kms/key*.c and the operations on keys: documents, creation, states, deletion, rotation.
 */
#include <stdlib.h>

#include "kms/key_new.h"
#include "tests/unit/kms/fake_world.h"
#include "tests/unit/unit.h"

static char id[KMS_KEY_ID_MAX + 1];
static char body[8192];

static const char *with_id(const char *rest)
{
    (void)snprintf(body, sizeof body, "{\"KeyId\":\"%s\"%s}", id, rest);
    return body;
}

/* The string at a path of two names, "" when there is none. */
static const char *text_at(const json_t *out, const char *first, const char *second)
{
    const json_t *value = json_object_get(out, first);
    if (second != NULL)
        value = json_object_get(value, second);
    return json_is_string(value) ? json_string_value(value) : "";
}

static json_t *metadata(void)
{
    json_t *out = world_call("DescribeKey", with_id(""));
    json_t *inner = json_incref(json_object_get(out, "KeyMetadata"));
    json_decref(out);
    return inner;
}

/* ---- documents */

static void a_document_gives_the_key_back_as_it_was(void)
{
    world_begin();
    world_make_key("{\"Description\":\"d\xc3\xa9\",\"Tags\":[{\"TagKey\":\"a\",\"TagValue\":\"\"}],"
                   "\"MultiRegion\":true}",
                   id);
    struct key *key = world_key(id);
    struct key_material pending = {.imported = true,
                                   .is_pending = true,
                                   .is_present = true,
                                   .valid_to_ms = 5,
                                   .hsm_id = {1, 255},
                                   .fingerprint = {7},
                                   .description = "second"};
    UNIT_OK(key_put_material(key, &pending, false));
    key->rotation = (struct key_rotation){true, 90, 123456789012345, 3, 4};
    key->deletion_ms = 77;
    (void)snprintf(key->store_id, sizeof key->store_id, "cks-1");
    UNIT_OK(buf_append(&key->public_der, bytes_of("\0\1\2", 3)));
    json_t *first = NULL;
    json_t *second = NULL;
    void *decoded = NULL;
    char path[129];
    key_path(key->region, key->id, path);
    UNIT_OK(key_encode(key, &first));
    UNIT_OK(key_decode(path, first, &decoded));
    UNIT_OK(key_encode(decoded, &second));
    CU_ASSERT_TRUE(json_equal(first, second));
    CU_ASSERT_STRING_EQUAL(((struct key *)decoded)->arn, key->arn);
    json_decref(first);
    json_decref(second);
    key_free(decoded);
    key_free(key);
    world_end();
}

static void a_document_that_is_no_key_is_refused(void)
{
    static const char *const changes[][2] = {
        {"spec", "99"},        {"use", "4"},
        {"origin", "9"},       {"account", "\"1\""},
        {"policy", "\"no\""},  {"policy", "null"},
        {"materials", "[{}]"}, {"tags", "[1]"},
        {"public", "\"?\""},   {"primary", "\"a long name of a Region that nobody has\""},
    };
    world_begin();
    world_make_key("{}", id);
    struct key *key = world_key(id);
    char path[129];
    key_path(key->region, key->id, path);
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        json_t *value = NULL;
        void *decoded = NULL;
        UNIT_OK(key_encode(key, &value));
        json_object_set_new(value, changes[i][0], json_loads(changes[i][1], JSON_DECODE_ANY, NULL));
        UNIT_RC(key_decode(path, value, &decoded), RC_TAMPERED);
        json_decref(value);
    }
    key_free(key);
    world_end();
}

/* ---- creation */

static void a_plain_key_is_symmetric_enabled_and_described_in_full(void)
{
    world_begin();
    world_make_key("{}", id);
    json_t *key = metadata();
    static const char *const wanted[][2] = {
        {"AWSAccountId", WORLD_ACCOUNT},  {"KeyUsage", "ENCRYPT_DECRYPT"},
        {"KeyState", "Enabled"},          {"Origin", "AWS_KMS"},
        {"KeyManager", "CUSTOMER"},       {"CustomerMasterKeySpec", "SYMMETRIC_DEFAULT"},
        {"KeySpec", "SYMMETRIC_DEFAULT"}, {"Description", ""},
    };
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++)
        CU_ASSERT_STRING_EQUAL(text_at(key, wanted[i][0], NULL), wanted[i][1]);
    CU_ASSERT_TRUE(json_is_true(json_object_get(key, "Enabled")));
    CU_ASSERT_TRUE(json_is_false(json_object_get(key, "MultiRegion")));
    CU_ASSERT_EQUAL(json_string_length(json_object_get(key, "CurrentKeyMaterialId")), 64);
    CU_ASSERT_EQUAL(strlen(id), 36);
    CU_ASSERT_DOUBLE_EQUAL(json_real_value(json_object_get(key, "CreationDate")), 1763818859.123,
                           0.0001);
    json_decref(key);
    world_end();
}

static void each_spec_goes_with_its_usages_alone(void)
{
    static const char *const usages[] = {"ENCRYPT_DECRYPT", "SIGN_VERIFY", "GENERATE_VERIFY_MAC",
                                         "KEY_AGREEMENT"};
    const struct keystore_spec_row *spec = NULL;
    world_begin();
    for (size_t i = 0; (spec = keystore_spec_at(i)) != NULL; i++)
        for (size_t j = 0; j < 4; j++) {
            bool is_right = keystore_may_be_for(spec, key_usage_by_name(usages[j]));
            (void)snprintf(body, sizeof body, "{\"KeySpec\":\"%s\",\"KeyUsage\":\"%s\"}",
                           spec->name, usages[j]);
            CU_ASSERT_TRUE(world_ends("CreateKey", is_right ? NULL : "ValidationException", body));
            (void)snprintf(body, sizeof body, "KeyUsage %s is not compatible with KeySpec %s",
                           usages[j], spec->name);
            CU_ASSERT_TRUE(is_right || strcmp(world.text, body) == 0);
        }
    world_end();
}

static void combinations_that_make_no_key_have_aws_errors(void)
{
    world_begin();
    CU_ASSERT_TRUE(world_ends("CreateKey", "ValidationException", "{\"KeySpec\":\"RSA_2048\"}"));
    CU_ASSERT_STRING_EQUAL(world.text, "You must specify a KeyUsage value for all KMS keys except "
                                       "for symmetric encryption keys.");
    CU_ASSERT_TRUE(world_ends("CreateKey", "ValidationException",
                              "{\"KeySpec\":\"SYMMETRIC_DEFAULT\",\"CustomerMasterKeySpec\":"
                              "\"SYMMETRIC_DEFAULT\"}"));
    CU_ASSERT_TRUE(world_ends("CreateKey", "UnsupportedOperationException",
                              "{\"KeySpec\":\"SM2\",\"KeyUsage\":\"SIGN_VERIFY\"}"));
    CU_ASSERT_TRUE(world_ends("CreateKey", "ValidationException", "{\"Origin\":\"AWS_CLOUDHSM\"}"));
    CU_ASSERT_TRUE(
        world_ends("CreateKey", "ValidationException", "{\"CustomKeyStoreId\":\"cks-1\"}"));
    CU_ASSERT_TRUE(world_ends("CreateKey", "ValidationException", "{\"XksKeyId\":\"a\"}"));
    CU_ASSERT_TRUE(
        world_ends("CreateKey", "ValidationException",
                   "{\"Origin\":\"EXTERNAL_KEY_STORE\",\"CustomKeyStoreId\":\"cks-1\"}"));
    CU_ASSERT_TRUE(world_ends("CreateKey", "CustomKeyStoreNotFoundException",
                              "{\"Origin\":\"AWS_CLOUDHSM\",\"CustomKeyStoreId\":\"cks-1\"}"));
    CU_ASSERT_TRUE(world_ends("CreateKey", "UnsupportedOperationException",
                              "{\"Origin\":\"AWS_CLOUDHSM\",\"CustomKeyStoreId\":\"cks-1\","
                              "\"MultiRegion\":true}"));
    CU_ASSERT_EQUAL(world.backing_made, 0);
    world_end();
}

static void a_key_without_material_waits_for_its_import(void)
{
    world_begin();
    world_make_key("{\"Origin\":\"EXTERNAL\"}", id);
    json_t *key = metadata();
    CU_ASSERT_STRING_EQUAL(text_at(key, "KeyState", NULL), "PendingImport");
    CU_ASSERT_TRUE(json_is_false(json_object_get(key, "Enabled")));
    CU_ASSERT_PTR_NULL(json_object_get(key, "ExpirationModel"));
    CU_ASSERT_EQUAL(world.backing_made, 0);
    json_decref(key);
    world_end();
}

static void an_imported_key_expires_with_the_first_of_its_materials(void)
{
    world_begin();
    world_make_key("{\"Origin\":\"EXTERNAL\"}", id);
    struct key *key = world_key(id);
    struct key_material material = {.imported = true, .is_present = true};
    UNIT_OK(key_put_material(key, &material, true));
    material.valid_to_ms = world.now_ms + 1000;
    UNIT_OK(key_put_material(key, &material, true));
    world_put_key(key);
    json_t *shown = metadata();
    CU_ASSERT_STRING_EQUAL(text_at(shown, "KeyState", NULL), "Enabled");
    CU_ASSERT_STRING_EQUAL(text_at(shown, "ExpirationModel", NULL), "KEY_MATERIAL_EXPIRES");
    json_decref(shown);
    world.now_ms += 1000;
    shown = metadata();
    CU_ASSERT_STRING_EQUAL(text_at(shown, "KeyState", NULL), "PendingImport");
    json_decref(shown);
    world_end();
}

static void a_key_of_several_regions_says_so_in_its_id(void)
{
    world_begin();
    world_make_key("{\"MultiRegion\":true}", id);
    CU_ASSERT_EQUAL(strncmp(id, "mrk-", 4), 0);
    CU_ASSERT_EQUAL(strlen(id), 36);
    json_t *key = metadata();
    CU_ASSERT_STRING_EQUAL(text_at(key, "MultiRegionConfiguration", "MultiRegionKeyType"),
                           "PRIMARY");
    json_decref(key);
    world_end();
}

static const char *tag_of(const struct key *key, const char *name)
{
    for (size_t i = 0; i < key->tag_count; i++)
        if (strcmp(key->tags[i].key, name) == 0)
            return key->tags[i].value;
    return NULL;
}

static void tags_are_checked(void)
{
    world_begin();
    world_make_key("{}", id);
    CU_ASSERT_TRUE(world_ends("TagResource", "TagException",
                              with_id(",\"Tags\":[{\"TagKey\":\"aws:x\",\"TagValue\":\"\"}]")));
    CU_ASSERT_STRING_EQUAL(world.text, "Tags beginning with aws: are reserved");
    CU_ASSERT_TRUE(world_ends("TagResource", "TagException",
                              with_id(",\"Tags\":[{\"TagKey\":\"x\",\"TagValue\":\"1\"},"
                                      "{\"TagKey\":\"x\",\"TagValue\":\"2\"}]")));
    for (unsigned i = 0; i < KMS_TAGS_MAX; i++) {
        char tag[128];
        (void)snprintf(tag, sizeof tag, ",\"Tags\":[{\"TagKey\":\"k%u\",\"TagValue\":\"v\"}]", i);
        CU_ASSERT_TRUE(world_ends("TagResource", NULL, with_id(tag)));
    }
    CU_ASSERT_TRUE(world_ends("TagResource", "LimitExceededException",
                              with_id(",\"Tags\":[{\"TagKey\":\"x\",\"TagValue\":\"\"}]")));
    CU_ASSERT_TRUE(world_ends("TagResource", NULL,
                              with_id(",\"Tags\":[{\"TagKey\":\"k7\",\"TagValue\":\"new\"}]")));
    CU_ASSERT_TRUE(world_ends("UntagResource", NULL, with_id(",\"TagKeys\":[\"k1\",\"no\"]")));
    struct key *key = world_key(id);
    CU_ASSERT_EQUAL(key->tag_count, KMS_TAGS_MAX - 1);
    CU_ASSERT_STRING_EQUAL(tag_of(key, "k7"), "new");
    CU_ASSERT_PTR_NULL(tag_of(key, "k1"));
    key_free(key);
    world_end();
}

/* ---- policies */

#define POLICY(principal)                                                        \
    "\"Policy\":\"{\\\"Version\\\":\\\"2012-10-17\\\",\\\"Statement\\\":[{"      \
    "\\\"Effect\\\":\\\"Allow\\\",\\\"Principal\\\":{\\\"AWS\\\":\\\"" principal \
    "\\\"},\\\"Action\\\":\\\"kms:*\\\",\\\"Resource\\\":\\\"*\\\"}]}\""

static void a_policy_must_name_who_exists_and_keep_a_way_back(void)
{
    world_begin();
    CU_ASSERT_TRUE(
        world_ends("CreateKey", "MalformedPolicyDocumentException", "{\"Policy\":\"nonsense\"}"));
    CU_ASSERT_TRUE(world_ends("CreateKey", "MalformedPolicyDocumentException",
                              "{" POLICY("arn:aws:iam::111122223333:user/nobody") "}"));
    CU_ASSERT_STRING_EQUAL(world.text,
                           "Policy contains a statement with one or more invalid principals.");
    CU_ASSERT_TRUE(world_ends("CreateKey", "MalformedPolicyDocumentException",
                              "{" POLICY("arn:aws:iam::444455556666:root") "}"));
    CU_ASSERT_STRING_EQUAL(world.text, "The new key policy will not allow you to update the key "
                                       "policy in the future.");
    CU_ASSERT_TRUE(world_ends(
        "CreateKey", NULL,
        "{\"BypassPolicyLockoutSafetyCheck\":true," POLICY("arn:aws:iam::444455556666:root") "}"));
    CU_ASSERT_TRUE(world_ends("CreateKey", NULL, "{" POLICY("111122223333") "}"));
    world_end();
}

static void a_policy_is_put_got_and_listed_under_its_one_name(void)
{
    world_begin();
    world_make_key("{}", id);
    CU_ASSERT_TRUE(world_ends("PutKeyPolicy", NULL,
                              with_id(",\"PolicyName\":\"default\"," POLICY("111122223333"))));
    CU_ASSERT_TRUE(world_ends("PutKeyPolicy", "NotFoundException",
                              with_id(",\"PolicyName\":\"other\"," POLICY("111122223333"))));
    json_t *out = world_call("GetKeyPolicy", with_id(""));
    CU_ASSERT_PTR_NOT_NULL(strstr(text_at(out, "Policy", NULL), "\"AWS\":\"111122223333\""));
    CU_ASSERT_STRING_EQUAL(text_at(out, "PolicyName", NULL), "default");
    json_decref(out);
    out = world_call("ListKeyPolicies", with_id(""));
    CU_ASSERT_EQUAL(json_array_size(json_object_get(out, "PolicyNames")), 1);
    json_decref(out);
    world_end();
}

static void a_policy_over_32_kb_is_over_the_limit(void)
{
    world_begin();
    world_make_key("{}", id);
    char *text = calloc(40001, 1);
    memset(text, ' ', 40000);
    CU_ASSERT_PTR_NOT_NULL(text);
    json_decref(
        world_call_json("PutKeyPolicy", json_pack("{s:s, s:s}", "KeyId", id, "Policy", text)));
    CU_ASSERT_STRING_EQUAL(world.type, "LimitExceededException");
    free(text);
    world_end();
}

/* ---- lists */

static void lists_come_in_pages_whose_markers_cannot_be_made_or_moved(void)
{
    world_begin();
    for (size_t i = 0; i < 5; i++)
        world_make_key("{}", id);
    json_t *out = world_call("ListKeys", "{\"Limit\":2}");
    char marker[1024];
    size_t count = json_array_size(json_object_get(out, "Keys"));
    CU_ASSERT_TRUE(json_is_true(json_object_get(out, "Truncated")));
    (void)snprintf(marker, sizeof marker, "%s", text_at(out, "NextMarker", NULL));
    json_decref(out);
    (void)snprintf(body, sizeof body, "{\"Limit\":3,\"Marker\":\"%s\"}", marker);
    out = world_call("ListKeys", body);
    count += json_array_size(json_object_get(out, "Keys"));
    CU_ASSERT_EQUAL(count, 5);
    CU_ASSERT_TRUE(json_is_false(json_object_get(out, "Truncated")));
    CU_ASSERT_PTR_NULL(json_object_get(out, "NextMarker"));
    json_decref(out);
    CU_ASSERT_TRUE(world_ends("ListAliases", "InvalidMarkerException", body));
    (void)snprintf(world.account, sizeof world.account, WORLD_OTHER);
    CU_ASSERT_TRUE(world_ends("ListKeys", "InvalidMarkerException", body));
    CU_ASSERT_TRUE(world_ends("ListKeys", "InvalidMarkerException", "{\"Marker\":\"YWFh\"}"));
    CU_ASSERT_TRUE(world_ends("ListKeys", NULL, "{}"));
    world_end();
}

/* ---- deletion */

static void deletion_waits_7_to_30_days_and_can_be_cancelled(void)
{
    world_begin();
    world_make_key("{}", id);
    CU_ASSERT_TRUE(world_ends("ScheduleKeyDeletion", "ValidationException",
                              with_id(",\"PendingWindowInDays\":6")));
    CU_ASSERT_TRUE(world_ends("ScheduleKeyDeletion", "ValidationException",
                              with_id(",\"PendingWindowInDays\":31")));
    json_t *out = world_call("ScheduleKeyDeletion", with_id(""));
    CU_ASSERT_STRING_EQUAL(text_at(out, "KeyState", NULL), "PendingDeletion");
    CU_ASSERT_EQUAL(json_integer_value(json_object_get(out, "PendingWindowInDays")), 30);
    CU_ASSERT_DOUBLE_EQUAL(json_real_value(json_object_get(out, "DeletionDate")),
                           1763818859.123 + 30 * 86400, 0.001);
    json_decref(out);
    CU_ASSERT_TRUE(world_ends("ScheduleKeyDeletion", "KMSInvalidStateException", with_id("")));
    CU_ASSERT_PTR_NOT_NULL(strstr(world.text, " is pending deletion."));
    CU_ASSERT_TRUE(world_ends("CancelKeyDeletion", NULL, with_id("")));
    CU_ASSERT_TRUE(world_ends("CancelKeyDeletion", "KMSInvalidStateException", with_id("")));
    CU_ASSERT_PTR_NOT_NULL(strstr(world.text, " is not pending deletion."));
    json_t *key = metadata();
    CU_ASSERT_STRING_EQUAL(text_at(key, "KeyState", NULL), "Disabled");
    CU_ASSERT_PTR_NULL(json_object_get(key, "DeletionDate"));
    json_decref(key);
    world_end();
}

/* ---- rotation */

static void rotation_has_its_period_and_its_limits(void)
{
    world_begin();
    world_make_key("{}", id);
    CU_ASSERT_TRUE(world_ends("EnableKeyRotation", "ValidationException",
                              with_id(",\"RotationPeriodInDays\":89")));
    CU_ASSERT_TRUE(world_ends("EnableKeyRotation", NULL, with_id(",\"RotationPeriodInDays\":90")));
    json_t *out = world_call("GetKeyRotationStatus", with_id(""));
    CU_ASSERT_TRUE(json_is_true(json_object_get(out, "KeyRotationEnabled")));
    CU_ASSERT_EQUAL(json_integer_value(json_object_get(out, "RotationPeriodInDays")), 90);
    CU_ASSERT_DOUBLE_EQUAL(json_real_value(json_object_get(out, "NextRotationDate")),
                           1763818859.123 + 90 * 86400, 0.001);
    json_decref(out);
    CU_ASSERT_TRUE(world_ends("DisableKeyRotation", NULL, with_id("")));
    world_make_key("{\"KeySpec\":\"HMAC_256\",\"KeyUsage\":\"GENERATE_VERIFY_MAC\"}", id);
    CU_ASSERT_TRUE(world_ends("EnableKeyRotation", "UnsupportedOperationException", with_id("")));
    out = world_call("GetKeyRotationStatus", with_id(""));
    CU_ASSERT_TRUE(json_is_false(json_object_get(out, "KeyRotationEnabled")));
    json_decref(out);
    world_end();
}

static void on_demand_rotations_are_listed_and_end_at_25(void)
{
    world_begin();
    world_make_key("{}", id);
    for (size_t i = 0; i < 25; i++)
        CU_ASSERT_TRUE(world_ends("RotateKeyOnDemand", NULL, with_id("")));
    CU_ASSERT_TRUE(world_ends("RotateKeyOnDemand", "LimitExceededException", with_id("")));
    json_t *out = world_call("ListKeyRotations", with_id(",\"Limit\":20"));
    CU_ASSERT_EQUAL(json_array_size(json_object_get(out, "Rotations")), 20);
    json_t *first = json_array_get(json_object_get(out, "Rotations"), 0);
    CU_ASSERT_STRING_EQUAL(text_at(first, "KeyMaterialState", NULL), "CURRENT");
    CU_ASSERT_STRING_EQUAL(text_at(first, "RotationType", NULL), "ON_DEMAND");
    char rest[1024];
    (void)snprintf(rest, sizeof rest, ",\"IncludeKeyMaterial\":\"ALL_KEY_MATERIAL\"");
    json_decref(out);
    out = world_call("ListKeyRotations", with_id(rest));
    CU_ASSERT_EQUAL(json_array_size(json_object_get(out, "Rotations")), 26);
    json_t *last = json_array_get(json_object_get(out, "Rotations"), 25);
    CU_ASSERT_PTR_NULL(json_object_get(last, "RotationDate"));
    json_decref(out);
    world_end();
}

static void an_imported_key_does_not_rotate_by_itself_in_any_state(void)
{
    world_begin();
    world_make_key("{\"Origin\":\"EXTERNAL\"}", id); /* pending import */
    CU_ASSERT_TRUE(world_ends("EnableKeyRotation", "UnsupportedOperationException", with_id("")));
    CU_ASSERT_TRUE(world_ends("DisableKeyRotation", "UnsupportedOperationException", with_id("")));
    world_end();
}

static void an_imported_key_rotates_to_what_is_pending_alone(void)
{
    world_begin();
    world_make_key("{\"Origin\":\"EXTERNAL\"}", id);
    struct key *key = world_key(id);
    struct key_material material = {.imported = true, .is_present = true, .hsm_id = {1}};
    UNIT_OK(key_put_material(key, &material, true));
    world_put_key(key);
    CU_ASSERT_TRUE(world_ends("RotateKeyOnDemand", "KMSInvalidStateException", with_id("")));
    CU_ASSERT_TRUE(world_ends("EnableKeyRotation", "UnsupportedOperationException", with_id("")));
    key = world_key(id);
    material.is_pending = true;
    material.hsm_id[0] = 2;
    UNIT_OK(key_put_material(key, &material, false));
    world_put_key(key);
    CU_ASSERT_TRUE(world_ends("RotateKeyOnDemand", NULL, with_id("")));
    key = world_key(id);
    CU_ASSERT_EQUAL(key->materials[0].hsm_id[0], 2);
    CU_ASSERT_FALSE(key->materials[0].is_pending);
    key_free(key);
    world_end();
}

/* ---- aliases */

static const char *alias_body(const char *name)
{
    (void)snprintf(body, sizeof body, "{\"AliasName\":\"%s\",\"TargetKeyId\":\"%s\"}", name, id);
    return body;
}

static void aliases_have_names_of_their_own(void)
{
    world_begin();
    world_make_key("{}", id);
    CU_ASSERT_TRUE(world_ends("CreateAlias", "ValidationException", alias_body("noprefix")));
    CU_ASSERT_STRING_EQUAL(world.text, "Invalid identifier");
    CU_ASSERT_TRUE(
        world_ends("CreateAlias", "NotAuthorizedException", alias_body("alias/aws/mine")));
    CU_ASSERT_TRUE(world_ends("CreateAlias", "ValidationException", alias_body("alias/a:b")));
    CU_ASSERT_TRUE(world_ends("CreateAlias", NULL, alias_body("alias/a")));
    CU_ASSERT_TRUE(world_ends("CreateAlias", "AlreadyExistsException", alias_body("alias/a")));
    CU_ASSERT_STRING_EQUAL(world.text, "An alias with the name "
                                       "arn:aws:kms:us-east-1:111122223333:alias/a already exists");
    char name[257] = "alias/";
    memset(name + 6, 'x', 250);
    CU_ASSERT_TRUE(world_ends("CreateAlias", NULL, alias_body(name)));
    (void)snprintf(body, sizeof body, "{\"KeyId\":\"%s\"}", name);
    CU_ASSERT_TRUE(world_ends("DescribeKey", NULL, body));
    json_t *out = world_call("ListAliases", "{}");
    json_t *first = json_array_get(json_object_get(out, "Aliases"), 0);
    CU_ASSERT_STRING_EQUAL(text_at(first, "AliasName", NULL), name);
    CU_ASSERT_EQUAL(json_array_size(json_object_get(out, "Aliases")), 2);
    json_decref(out);
    world_end();
}

static void an_alias_moves_between_keys_of_a_kind(void)
{
    char first[KMS_KEY_ID_MAX + 1];
    world_begin();
    world_make_key("{}", first);
    (void)snprintf(id, sizeof id, "%s", first);
    CU_ASSERT_TRUE(world_ends("CreateAlias", NULL, alias_body("alias/a")));
    world_make_key("{\"KeySpec\":\"RSA_2048\",\"KeyUsage\":\"ENCRYPT_DECRYPT\"}", id);
    CU_ASSERT_TRUE(world_ends("UpdateAlias", "ValidationException", alias_body("alias/a")));
    world_make_key("{}", id);
    CU_ASSERT_TRUE(world_ends("UpdateAlias", NULL, alias_body("alias/a")));
    CU_ASSERT_TRUE(world_ends("UpdateAlias", "NotFoundException", alias_body("alias/b")));
    json_t *out = world_call("ListAliases", with_id(""));
    CU_ASSERT_EQUAL(json_array_size(json_object_get(out, "Aliases")), 1);
    json_decref(out);
    CU_ASSERT_TRUE(world_ends("DeleteAlias", NULL, "{\"AliasName\":\"alias/a\"}"));
    CU_ASSERT_TRUE(world_ends("DeleteAlias", "NotFoundException", "{\"AliasName\":\"alias/a\"}"));
    world_end();
}

static void a_key_has_50_aliases_at_most(void)
{
    world_begin();
    world_make_key("{}", id);
    for (unsigned i = 0; i <= 50; i++) {
        char name[64];
        (void)snprintf(name, sizeof name, "alias/%u", i);
        CU_ASSERT_TRUE(
            world_ends("CreateAlias", i < 50 ? NULL : "LimitExceededException", alias_body(name)));
    }
    world_end();
}

static void a_services_key_is_made_when_named_and_then_stays_as_it_is(void)
{
    world_begin();
    CU_ASSERT_TRUE(
        world_ends("DescribeKey", "NotFoundException", "{\"KeyId\":\"alias/aws/nonsense\"}"));
    json_t *out = world_call("DescribeKey", "{\"KeyId\":\"alias/aws/s3\"}");
    CU_ASSERT_STRING_EQUAL(text_at(out, "KeyMetadata", "KeyManager"), "AWS");
    (void)snprintf(id, sizeof id, "%s", text_at(out, "KeyMetadata", "KeyId"));
    json_decref(out);
    out = world_call("DescribeKey", "{\"KeyId\":\"alias/aws/s3\"}");
    CU_ASSERT_STRING_EQUAL(text_at(out, "KeyMetadata", "KeyId"), id);
    json_decref(out);
    static const char *const changes[] = {"DisableKey", "ScheduleKeyDeletion", "EnableKeyRotation",
                                          "DisableKeyRotation", "RotateKeyOnDemand"};
    for (size_t i = 0; i < 5; i++)
        CU_ASSERT_TRUE(world_ends(changes[i], "AccessDeniedException", with_id("")));
    CU_ASSERT_TRUE(
        world_ends("PutKeyPolicy", "AccessDeniedException", with_id("," POLICY("111122223333"))));
    CU_ASSERT_TRUE(
        world_ends("Encrypt", "AccessDeniedException", with_id(",\"Plaintext\":\"YQ==\"")));
    CU_ASSERT_TRUE(world_ends("GetKeyRotationStatus", NULL, with_id("")));
    CU_ASSERT_TRUE(
        world_ends("DeleteAlias", "AccessDeniedException", "{\"AliasName\":\"alias/aws/s3\"}"));
    CU_ASSERT_EQUAL(world.backing_made, 1);
    world_end();
}

static void nobody_makes_a_services_key_without_any_right(void)
{
    world_begin();
    world.is_user = true;
    CU_ASSERT_TRUE(world_ends("DescribeKey", "NotFoundException", "{\"KeyId\":\"alias/aws/s3\"}"));
    CU_ASSERT_EQUAL(world.backing_made, 0);
    world_end();
}

static void descriptions_change(void)
{
    world_begin();
    world_make_key("{}", id);
    CU_ASSERT_TRUE(world_ends("UpdateKeyDescription", NULL, with_id(",\"Description\":\"new\"")));
    json_t *key = metadata();
    CU_ASSERT_STRING_EQUAL(text_at(key, "Description", NULL), "new");
    json_decref(key);
    CU_ASSERT_TRUE(world_ends("UpdateKeyDescription", NULL, with_id(",\"Description\":\"\"")));
    world_end();
}

static void the_last_use_is_told(void)
{
    world_begin();
    world_make_key("{}", id);
    json_t *out = world_call("GetKeyLastUsage", with_id(""));
    CU_ASSERT_PTR_NULL(json_object_get(out, "KeyLastUsage"));
    CU_ASSERT_PTR_NOT_NULL(json_object_get(out, "TrackingStartDate"));
    json_decref(out);
    CU_ASSERT_TRUE(world_ends("Encrypt", NULL, with_id(",\"Plaintext\":\"YQ==\"")));
    out = world_call("GetKeyLastUsage", with_id(""));
    CU_ASSERT_STRING_EQUAL(text_at(out, "KeyLastUsage", "Operation"), "Encrypt");
    json_decref(out);
    world_end();
}

UNIT_SUITE("kms/key", UNIT_CASE(a_document_gives_the_key_back_as_it_was),
           UNIT_CASE(a_document_that_is_no_key_is_refused),
           UNIT_CASE(a_plain_key_is_symmetric_enabled_and_described_in_full),
           UNIT_CASE(each_spec_goes_with_its_usages_alone),
           UNIT_CASE(combinations_that_make_no_key_have_aws_errors),
           UNIT_CASE(a_key_without_material_waits_for_its_import),
           UNIT_CASE(an_imported_key_expires_with_the_first_of_its_materials),
           UNIT_CASE(a_key_of_several_regions_says_so_in_its_id), UNIT_CASE(tags_are_checked),
           UNIT_CASE(a_policy_must_name_who_exists_and_keep_a_way_back),
           UNIT_CASE(a_policy_is_put_got_and_listed_under_its_one_name),
           UNIT_CASE(a_policy_over_32_kb_is_over_the_limit),
           UNIT_CASE(lists_come_in_pages_whose_markers_cannot_be_made_or_moved),
           UNIT_CASE(deletion_waits_7_to_30_days_and_can_be_cancelled),
           UNIT_CASE(rotation_has_its_period_and_its_limits),
           UNIT_CASE(on_demand_rotations_are_listed_and_end_at_25),
           UNIT_CASE(an_imported_key_does_not_rotate_by_itself_in_any_state),
           UNIT_CASE(an_imported_key_rotates_to_what_is_pending_alone),
           UNIT_CASE(aliases_have_names_of_their_own),
           UNIT_CASE(an_alias_moves_between_keys_of_a_kind),
           UNIT_CASE(a_key_has_50_aliases_at_most),
           UNIT_CASE(a_services_key_is_made_when_named_and_then_stays_as_it_is),
           UNIT_CASE(nobody_makes_a_services_key_without_any_right), UNIT_CASE(descriptions_change),
           UNIT_CASE(the_last_use_is_told));

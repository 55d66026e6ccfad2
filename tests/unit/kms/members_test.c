/* SPDX-License-Identifier: Apache-2.0 */
/* Suite of kms/members.c: AWS's texts for what a request may not be. */
#include "kms/members.h"

#include "kms/operations.h"
#include "tests/unit/unit.h"

/* The text, "" for none. */
static const char *check(const char *operation, const char *body, enum kms_error expected)
{
    const struct operation *row = operation_find(operation);
    CU_ASSERT_PTR_NOT_NULL_FATAL(row);
    json_t *in = json_loads(body, 0, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(in);
    enum kms_error error = members_check(row->members, row->member_count, in);
    if (error != expected)
        printf("%s %s: %s\n", operation, body, kms_error_text());
    CU_ASSERT_EQUAL(error, expected);
    json_decref(in);
    return error == KMS_OK ? "" : kms_error_text();
}

static void a_member_that_is_missing_or_null_is_named(void)
{
    static const char text[] = "1 validation error detected: Value null at 'keyId' failed to "
                               "satisfy constraint: Member must not be null";
    CU_ASSERT_STRING_EQUAL(check("DescribeKey", "{}", KMS_VALIDATION), text);
    CU_ASSERT_STRING_EQUAL(check("DescribeKey", "{\"KeyId\":null}", KMS_VALIDATION), text);
}

static void a_value_outside_its_choices_is_told_all_of_them(void)
{
    CU_ASSERT_STRING_EQUAL(
        check("CreateKey", "{\"KeyUsage\":\"X\"}", KMS_VALIDATION),
        "1 validation error detected: Value 'X' at 'keyUsage' failed to satisfy constraint: Member "
        "must satisfy enum value set: [SIGN_VERIFY, ENCRYPT_DECRYPT, GENERATE_VERIFY_MAC, "
        "KEY_AGREEMENT]");
}

static void all_errors_come_at_once(void)
{
    CU_ASSERT_STRING_EQUAL(
        check("CreateAlias", "{\"AliasName\":\"alias/a b\"}", KMS_VALIDATION),
        "2 validation errors detected: Value 'alias/a b' at 'aliasName' failed to satisfy "
        "constraint: Member must satisfy regular expression pattern: ^[a-zA-Z0-9:/_-]+$; Value "
        "null at 'targetKeyId' failed to satisfy constraint: Member must not be null");
}

static void numbers_have_their_range(void)
{
    CU_ASSERT_STRING_EQUAL(check("ListKeys", "{\"Limit\":1001}", KMS_VALIDATION),
                           "1 validation error detected: Value '1001' at 'limit' failed to satisfy "
                           "constraint: Member must have value less than or equal to 1000");
    CU_ASSERT_STRING_EQUAL(check("ListKeys", "{\"Limit\":0}", KMS_VALIDATION),
                           "1 validation error detected: Value '0' at 'limit' failed to satisfy "
                           "constraint: Member must have value greater than or equal to 1");
    (void)check("ListKeys", "{\"Limit\":4294967297}", KMS_SERIALIZATION);
    (void)check("ListKeys", "{\"Limit\":1.5}", KMS_SERIALIZATION);
    (void)check("ListKeys", "{\"Limit\":1000}", KMS_OK);
}

static void secrets_are_not_repeated(void)
{
    CU_ASSERT_STRING_EQUAL(
        check("Encrypt", "{\"KeyId\":\"a\",\"Plaintext\":\"\"}", KMS_VALIDATION),
        "1 validation error detected: Value at 'plaintext' failed to satisfy constraint: Member "
        "must have length greater than or equal to 1");
    CU_ASSERT_PTR_NULL(strstr(check("CreateCustomKeyStore",
                                    "{\"CustomKeyStoreName\":\"a\",\"KeyStorePassword\":\"hush\"}",
                                    KMS_VALIDATION),
                              "hush"));
}

static void lengths_count_characters_as_java_does(void)
{
    char body[1200];
    char name[1025];
    for (size_t i = 0; i < 128; i++)
        memcpy(name + 4 * i, "\xf0\x9f\x94\x91", 5);
    (void)snprintf(body, sizeof body, "{\"CustomKeyStoreName\":\"%s\"}", name);
    (void)check("CreateCustomKeyStore", body, KMS_OK); /* 128 pairs of surrogates: 256 */
    (void)snprintf(body, sizeof body, "{\"CustomKeyStoreName\":\"%sx\"}", name);
    (void)check("CreateCustomKeyStore", body, KMS_VALIDATION);
}

static void blobs_are_base64_of_so_many_bytes(void)
{
    /* bits beyond the last byte */
    (void)check("Encrypt", "{\"KeyId\":\"k\",\"Plaintext\":\"aGVsbG9=\"}", KMS_SERIALIZATION);
    (void)check("Encrypt", "{\"KeyId\":\"k\",\"Plaintext\":\"aGVsbB==\"}", KMS_SERIALIZATION);
    (void)check("Encrypt", "{\"KeyId\":\"k\",\"Plaintext\":\"aGVsbG8=\"}", KMS_OK);
    (void)check("Encrypt", "{\"KeyId\":\"a\",\"Plaintext\":\"YQ==\"}", KMS_OK);
    (void)check("Encrypt", "{\"KeyId\":\"a\",\"Plaintext\":\"YQ=\"}", KMS_SERIALIZATION);
    (void)check("Encrypt", "{\"KeyId\":\"a\",\"Plaintext\":\"Y$==\"}", KMS_SERIALIZATION);
    (void)check("Encrypt", "{\"KeyId\":\"a\",\"Plaintext\":7}", KMS_SERIALIZATION);
    char body[6000];
    char text[5465];
    memset(text, 'A', sizeof text - 1);
    text[5464] = '\0'; /* 4,098 bytes */
    (void)snprintf(body, sizeof body, "{\"KeyId\":\"a\",\"Plaintext\":\"%s\"}", text);
    (void)check("Encrypt", body, KMS_VALIDATION);
    memcpy(text + 5462, "==", 3); /* 4,096 */
    (void)snprintf(body, sizeof body, "{\"KeyId\":\"a\",\"Plaintext\":\"%s\"}", text);
    (void)check("Encrypt", body, KMS_OK);
}

static void wrong_json_types_are_serialization_errors(void)
{
    CU_ASSERT_STRING_EQUAL(check("DescribeKey", "{\"KeyId\":1}", KMS_SERIALIZATION),
                           "NUMBER_VALUE can not be converted to a String");
    CU_ASSERT_STRING_EQUAL(check("DescribeKey", "{\"KeyId\":{}}", KMS_SERIALIZATION),
                           "Start of structure or map found where not expected.");
    CU_ASSERT_STRING_EQUAL(check("DescribeKey", "{\"KeyId\":[]}", KMS_SERIALIZATION),
                           "Start of list found where not expected");
    (void)check("CreateKey", "{\"MultiRegion\":\"true\"}", KMS_SERIALIZATION);
    (void)check("CreateKey", "{\"Tags\":{}}", KMS_SERIALIZATION);
    (void)check("CreateKey", "{\"Tags\":[1]}", KMS_SERIALIZATION);
    (void)check("CreateKey", "{\"Tags\":[{\"TagKey\":1}]}", KMS_SERIALIZATION);
    (void)check("UntagResource", "{\"KeyId\":\"a\",\"TagKeys\":[1]}", KMS_SERIALIZATION);
    (void)check("Encrypt", "{\"KeyId\":\"a\",\"Plaintext\":\"YQ==\",\"EncryptionContext\":[]}",
                KMS_SERIALIZATION);
    (void)check("Encrypt",
                "{\"KeyId\":\"a\",\"Plaintext\":\"YQ==\",\"EncryptionContext\":{\"a\":1}}",
                KMS_SERIALIZATION);
    (void)check("CreateGrant", "{\"KeyId\":\"a\",\"Constraints\":1}", KMS_SERIALIZATION);
    (void)check("ImportKeyMaterial", "{\"ValidTo\":\"soon\"}", KMS_SERIALIZATION);
}

static void types_are_checked_before_constraints(void)
{
    (void)check("CreateAlias", "{\"AliasName\":\"a b\",\"TargetKeyId\":1}", KMS_SERIALIZATION);
}

static void lists_are_checked_item_by_item(void)
{
    CU_ASSERT_STRING_EQUAL(
        check("UntagResource", "{\"KeyId\":\"a\",\"TagKeys\":[\"ok\",\"\"]}", KMS_VALIDATION),
        "1 validation error detected: Value '[ok, ]' at 'tagKeys' failed to satisfy constraint: "
        "Member must satisfy constraint: [Member must have length less than or equal to 128, "
        "Member must have length greater than or equal to 1]");
    (void)check("Decrypt", "{\"DryRunModifiers\":[\"X\"]}", KMS_VALIDATION);
    (void)check("Decrypt",
                "{\"GrantTokens\":[\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\",\"8\",\"9\","
                "\"10\",\"11\"]}",
                KMS_VALIDATION);
    CU_ASSERT_STRING_EQUAL(
        check("CreateGrant", "{\"KeyId\":\"a\",\"GranteePrincipal\":\"b\",\"Operations\":[]}",
              KMS_VALIDATION),
        "1 validation error detected: Value '[]' at 'operations' failed to satisfy constraint: "
        "Member must have length greater than or equal to 1");
}

static void tags_are_named_by_their_place(void)
{
    CU_ASSERT_STRING_EQUAL(
        check("CreateKey",
              "{\"Tags\":[{\"TagKey\":\"a\",\"TagValue\":\"b\"},{\"TagValue\":\"b\"}]}",
              KMS_VALIDATION),
        "1 validation error detected: Value null at 'tags.2.member.tagKey' failed to satisfy "
        "constraint: Member must not be null");
    CU_ASSERT_STRING_EQUAL(
        check("CreateKey", "{\"Tags\":[{\"TagKey\":\"\",\"TagValue\":\"\"}]}", KMS_VALIDATION),
        "1 validation error detected: Value '' at 'tags.1.member.tagKey' failed to satisfy "
        "constraint: Member must have length greater than or equal to 1");
}

static void members_that_are_not_known_are_passed_over(void)
{
    (void)check("DescribeKey", "{\"KeyId\":\"a\",\"Whatever\":[1,{}]}", KMS_OK);
}

static void a_policy_has_latin_characters_only(void)
{
    (void)check("CreateKey", "{\"Policy\":\"{\\\"a\\\":\\n\\\"\xc3\xa9\\\"}\"}", KMS_OK);
    (void)check("CreateKey", "{\"Policy\":\"\xe2\x82\xac\"}", KMS_VALIDATION);
}

static void a_long_value_is_cut_at_a_character(void)
{
    char body[4096] = "{\"KeyUsage\":\"";
    for (size_t i = 0; i < 600; i++)
        (void)snprintf(body + strlen(body), sizeof body - strlen(body), "\xe2\x82\xac");
    (void)snprintf(body + strlen(body), sizeof body - strlen(body), "\"}");
    json_t *text = json_string(check("CreateKey", body, KMS_VALIDATION));
    CU_ASSERT_PTR_NOT_NULL(text); /* still UTF-8 */
    CU_ASSERT_PTR_NOT_NULL(strstr(kms_error_text(), "Member must satisfy enum value set"));
    json_decref(text);
}

UNIT_SUITE("kms/members", UNIT_CASE(a_member_that_is_missing_or_null_is_named),
           UNIT_CASE(a_value_outside_its_choices_is_told_all_of_them),
           UNIT_CASE(all_errors_come_at_once), UNIT_CASE(numbers_have_their_range),
           UNIT_CASE(secrets_are_not_repeated), UNIT_CASE(lengths_count_characters_as_java_does),
           UNIT_CASE(blobs_are_base64_of_so_many_bytes),
           UNIT_CASE(wrong_json_types_are_serialization_errors),
           UNIT_CASE(types_are_checked_before_constraints),
           UNIT_CASE(lists_are_checked_item_by_item), UNIT_CASE(tags_are_named_by_their_place),
           UNIT_CASE(members_that_are_not_known_are_passed_over),
           UNIT_CASE(a_policy_has_latin_characters_only),
           UNIT_CASE(a_long_value_is_cut_at_a_character));

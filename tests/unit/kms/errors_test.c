/* SPDX-License-Identifier: Apache-2.0 */
/* Operations and the errors that AWS's model gives them, with AWS's texts where those are known:
 * a row is a call that must end so. (States, usages and rights are matrix_test.c's.) */
#include <stdio.h>

#include "tests/unit/kms/fake_world.h"
#include "tests/unit/kms/soft_hsm.h"
#include "tests/unit/unit.h"

#define ARN       "arn:aws:kms:" WORLD_REGION ":" WORLD_ACCOUNT ":key/"
#define NOBODY    "11111111-2222-3333-4444-555555555555"
#define PRINCIPAL "arn:aws:iam::" WORLD_ACCOUNT ":user/ann"
#define ANY       NULL

enum kind { NONE, AES, ENCRYPTER, SIGNER, MAC, EXTERNAL, DISABLED, KINDS };

static char keys[KINDS][65];

static void begin(void)
{
    char body[256];
    world_begin();
    soft_hsm_begin();
    soft_new_key("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", keys[AES]);
    soft_new_key("RSA_2048", "ENCRYPT_DECRYPT", keys[ENCRYPTER]);
    soft_new_key("ECC_NIST_P256", "SIGN_VERIFY", keys[SIGNER]);
    soft_new_key("HMAC_256", "GENERATE_VERIFY_MAC", keys[MAC]);
    world_make_key("{\"Origin\": \"EXTERNAL\"}", keys[EXTERNAL]);
    soft_new_key("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", keys[DISABLED]);
    (void)snprintf(body, sizeof body, "{\"KeyId\": \"%s\"}", keys[DISABLED]);
    CU_ASSERT_TRUE(world_ends("DisableKey", NULL, body));
}

struct row {
    const char *operation;
    enum kind key;       /* its KeyId (NONE: no member) */
    const char *members; /* 'single quotes'; '$' is the key's id */
    const char *error;
    const char *text; /* '$' likewise; ANY; ends in '*': what follows is not looked at */
};

/* The pattern with the id in the place of '$'. */
static void fill(const char *pattern, const char *id, char *out, size_t size)
{
    size_t len = 0;
    for (const char *at = pattern; *at != 0 && len + 1 < size; at++) {
        if (*at == '$')
            len += (size_t)snprintf(out + len, size - len, "%s", id);
        else
            out[len++] = *at;
    }
    out[len] = 0;
}

static bool is_text(const char *pattern, const char *id)
{
    char expected[1024];
    if (pattern == ANY)
        return true;
    fill(pattern, id, expected, sizeof expected);
    size_t len = strlen(expected);
    return len > 0 && expected[len - 1] == '*' ? strncmp(world.text, expected, len - 1) == 0
                                               : strcmp(world.text, expected) == 0;
}

static void check(const struct row *row)
{
    char members[1024], body[1200];
    const char *id = keys[row->key];
    fill(row->members, id, members, sizeof members);
    for (char *at = members; (at = strchr(at, '\'')) != NULL;)
        *at = '"';
    if (row->key == NONE)
        (void)snprintf(body, sizeof body, "{%s}", members);
    else
        (void)snprintf(body, sizeof body, "{\"KeyId\": \"%s\"%s%s}", id,
                       members[0] == 0 ? "" : ", ", members);
    json_decref(world_call(row->operation, body));
    bool good = strcmp(world.type, row->error) == 0 && is_text(row->text, id);
    CU_ASSERT_TRUE(good);
    if (!good)
        printf("%s %s\n-> %s \"%s\"\n   %s \"%s\"\n", row->operation, body, world.type, world.text,
               row->error, row->text == ANY ? "" : row->text);
}

static void check_all(const struct row *rows, size_t count)
{
    begin();
    for (size_t i = 0; i < count; i++)
        check(&rows[i]);
    world_end();
}
#define CHECK_ALL(rows) check_all((rows), sizeof(rows) / sizeof(rows)[0])

static void names_of_keys_are_resolved_or_refused(void)
{
    static const struct row rows[] = {
        {"DescribeKey", NONE, "'KeyId': 'nobody'", "NotFoundException", "Invalid keyId 'nobody'"},
        {"DescribeKey", NONE, "'KeyId': '" ARN NOBODY "'", "NotFoundException",
         "Key '" ARN NOBODY "' does not exist"},
        {"DescribeKey", NONE, "'KeyId': 'arn:aws:kms:eu-west-9:" WORLD_ACCOUNT ":key/" NOBODY "'",
         "NotFoundException", "Invalid arn eu-west-9"},
        {"DescribeKey", NONE, "'KeyId': 'alias/none'", "NotFoundException", ANY},
        {"DescribeKey", NONE, "", "ValidationException", "1 validation error detected: *"},
        {"CreateAlias", NONE, "'AliasName': 'alias/a', 'TargetKeyId': 'alias/b'",
         "NotFoundException", "Invalid keyId \'alias/b\'"},
        {"UpdateAlias", NONE, "'AliasName': 'alias/none', 'TargetKeyId': '" ARN NOBODY "'",
         "NotFoundException", ANY},
        {"DeleteAlias", NONE, "'AliasName': 'alias/none'", "NotFoundException", ANY},
    };
    CHECK_ALL(rows);
}

static void a_key_of_another_kind_is_refused(void)
{
    static const struct row rows[] = {
        {"Encrypt", DISABLED, "'Plaintext': 'YQ=='", "DisabledException", ARN "$ is disabled."},
        {"Encrypt", EXTERNAL, "'Plaintext': 'YQ=='", "KMSInvalidStateException",
         ARN "$ is pending import."},
        {"Encrypt", SIGNER, "'Plaintext': 'YQ=='", "InvalidKeyUsageException",
         ARN "$ key usage is SIGN_VERIFY which is not valid for Encrypt."},
        {"GenerateMac", MAC, "'Message': 'YQ==', 'MacAlgorithm': 'HMAC_SHA_512'",
         "InvalidKeyUsageException",
         "Algorithm HMAC_SHA_512 is incompatible with key spec HMAC_256."},
        {"Sign", SIGNER,
         "'Message': 'YQ==', 'MessageType': 'DIGEST', 'SigningAlgorithm': 'ECDSA_SHA_256'",
         "ValidationException", "Digest is invalid length for algorithm ECDSA_SHA_256."},
        {"DeleteImportedKeyMaterial", AES, "", "UnsupportedOperationException",
         ARN "$ origin is AWS_KMS which is not valid for this operation."},
        {"GetParametersForImport", AES,
         "'WrappingAlgorithm': 'RSAES_OAEP_SHA_256', 'WrappingKeySpec': 'RSA_2048'",
         "UnsupportedOperationException",
         ARN "$ origin is AWS_KMS which is not valid for this operation."},
        {"GetParametersForImport", EXTERNAL,
         "'WrappingAlgorithm': 'SM2PKE', 'WrappingKeySpec': 'SM2'", "UnsupportedOperationException",
         ANY},
        {"GetPublicKey", AES, "", "UnsupportedOperationException", ANY},
        {"ReplicateKey", AES, "'ReplicaRegion': 'us-west-2'", "UnsupportedOperationException", ANY},
        {"UpdatePrimaryRegion", AES, "'PrimaryRegion': 'us-west-2'",
         "UnsupportedOperationException", ANY},
        {"EnableKeyRotation", SIGNER, "", "UnsupportedOperationException", ANY},
        {"EnableKeyRotation", EXTERNAL, "", "UnsupportedOperationException", ANY},
        {"EnableKeyRotation", DISABLED, "", "DisabledException", ARN "$ is disabled."},
        {"RotateKeyOnDemand", MAC, "", "UnsupportedOperationException", ANY},
        {"ListKeyRotations", SIGNER, "", "UnsupportedOperationException", ANY},
        {"GenerateDataKeyPair", AES, "'KeyPairSpec': 'SM2'", "UnsupportedOperationException", ANY},
        {"DeriveSharedSecret", SIGNER, "'KeyAgreementAlgorithm': 'ECDH', 'PublicKey': 'YQ=='",
         "InvalidKeyUsageException", ANY},
        {"Decrypt", AES, "'CiphertextBlob': 'YQ=='", "InvalidCiphertextException", ""},
        {"ReEncrypt", NONE, "'CiphertextBlob': 'YQ==', 'DestinationKeyId': '" ARN NOBODY "'",
         "NotFoundException", ANY},
        {"Verify", SIGNER,
         "'Message': 'YQ==', 'Signature': 'YQ==', 'SigningAlgorithm': 'ECDSA_SHA_256'",
         "KMSInvalidSignatureException", ""},
        {"VerifyMac", MAC, "'Message': 'YQ==', 'Mac': 'YQ==', 'MacAlgorithm': 'HMAC_SHA_256'",
         "KMSInvalidMacException", ""},
        {"Encrypt", AES, "'Plaintext': 'YQ==', 'DryRun': true", "DryRunOperationException",
         "The request would have succeeded, but the DryRun option is set."},
        {"Encrypt", AES, "'Plaintext': 'YQ==', 'GrantTokens': ['YQ==']",
         "InvalidGrantTokenException", ANY},
    };
    CHECK_ALL(rows);
}

static void new_keys_tags_and_policies_must_make_sense(void)
{
    static const struct row rows[] = {
        {"CreateKey", NONE, "'KeySpec': 'RSA_1'", "ValidationException",
         "1 validation error detected: Value 'RSA_1' at 'keySpec' failed to satisfy constraint: "
         "Member must satisfy enum value set: [*"},
        {"CreateKey", NONE, "'KeySpec': 'RSA_2048'", "ValidationException",
         "You must specify a KeyUsage value for all KMS keys except for symmetric encryption "
         "keys."},
        {"CreateKey", NONE, "'KeySpec': 'SM2', 'KeyUsage': 'SIGN_VERIFY'",
         "UnsupportedOperationException", ANY},
        {"CreateKey", NONE, "'Policy': '{}'", "MalformedPolicyDocumentException", ANY},
        {"CreateKey", NONE, "'Origin': 'AWS_CLOUDHSM'", "ValidationException", ANY},
        {"CreateKey", NONE, "'Origin': 'AWS_CLOUDHSM', 'CustomKeyStoreId': 'cks-1234567890abcdef0'",
         "CustomKeyStoreNotFoundException", ANY},
        {"CreateKey", NONE,
         "'Tags': [{'TagKey': 'a', 'TagValue': '1'}, {'TagKey': 'a', 'TagValue': '2'}]",
         "TagException", "Duplicate tag keys"},
        {"TagResource", AES, "'Tags': [{'TagKey': 'aws:a', 'TagValue': '1'}]", "TagException",
         "Tags beginning with aws: are reserved"},
        {"UntagResource", AES, "'TagKeys': ['aws:a']", "TagException",
         "Tags beginning with aws: are reserved"},
        {"PutKeyPolicy", AES, "'PolicyName': 'default', 'Policy': 'no'",
         "MalformedPolicyDocumentException", ANY},
        {"ScheduleKeyDeletion", AES, "'PendingWindowInDays': 6", "ValidationException", ANY},
        {"EnableKeyRotation", AES, "'RotationPeriodInDays': 89", "ValidationException", ANY},
        {"GenerateRandom", NONE, "'NumberOfBytes': 8, 'CustomKeyStoreId': 'cks-1234567890abcdef0'",
         "CustomKeyStoreNotFoundException", ANY},
    };
    CHECK_ALL(rows);
}

static void grants_and_aliases_must_make_sense(void)
{
    static const struct row rows[] = {
        {"CreateGrant", AES,
         "'GranteePrincipal': 'arn:aws:iam::" WORLD_ACCOUNT
         ":user/nobody', 'Operations': ['Decrypt']",
         "InvalidArnException", ANY},
        {"CreateGrant", AES, "'GranteePrincipal': '" PRINCIPAL "', 'Operations': ['Sign']",
         "ValidationException", ANY},
        {"CreateGrant", DISABLED, "'GranteePrincipal': '" PRINCIPAL "', 'Operations': ['Decrypt']",
         "DisabledException", ARN "$ is disabled."},
        {"RevokeGrant", AES,
         "'GrantId': '0000000000000000000000000000000000000000000000000000000000000000'",
         "NotFoundException", ANY},
        {"RetireGrant", NONE, "'GrantToken': 'YQ=='", "InvalidGrantTokenException", ANY},
    };
    CHECK_ALL(rows);
}

static void no_list_takes_a_marker_that_it_did_not_give(void)
{
    static const struct row rows[] = {
        {"ListKeys", NONE, "'Marker': 'YQ=='", "InvalidMarkerException", ANY},
        {"ListAliases", NONE, "'Marker': 'YQ=='", "InvalidMarkerException", ANY},
        {"ListGrants", AES, "'Marker': 'YQ=='", "InvalidMarkerException", ANY},
        {"ListKeyPolicies", AES, "'Marker': 'YQ=='", "InvalidMarkerException", ANY},
        {"ListKeyRotations", AES, "'Marker': 'YQ=='", "InvalidMarkerException", ANY},
        {"ListResourceTags", AES, "'Marker': 'YQ=='", "InvalidMarkerException", ANY},
        {"ListRetirableGrants", NONE, "'RetiringPrincipal': '" PRINCIPAL "', 'Marker': 'YQ=='",
         "InvalidMarkerException", ANY},
        {"DescribeCustomKeyStores", NONE, "'Marker': 'YQ=='", "InvalidMarkerException", ANY},
    };
    CHECK_ALL(rows);
}

UNIT_SUITE("errors", UNIT_CASE(names_of_keys_are_resolved_or_refused),
           UNIT_CASE(a_key_of_another_kind_is_refused),
           UNIT_CASE(new_keys_tags_and_policies_must_make_sense),
           UNIT_CASE(grants_and_aliases_must_make_sense),
           UNIT_CASE(no_list_takes_a_marker_that_it_did_not_give));

/* SPDX-License-Identifier: Apache-2.0 */
/* The table of operations: members with their constraints, key, rights, states, usage, rate.
 * Source: AWS's public API model of KMS (2014-11-01); tests/checks/kms_model.py compares. */
#include "kms/operations.h"

#include <stdlib.h>

#include "kms/members.h"

/* ---- shapes that several members have */

#define TEXT(n, required, lo, hi)                                                               \
    {                                                                                           \
        .name = (n), .type = MEMBER_STRING, .is_required = (required), .min = (lo), .max = (hi) \
    }
#define SECRET_TEXT(n, required, lo, hi)                                                         \
    {                                                                                            \
        .name = (n), .type = MEMBER_STRING, .is_required = (required), .min = (lo), .max = (hi), \
        .is_secret = true                                                                        \
    }
/* `re`: POSIX, and as AWS writes it */
#define MATCH(n, required, lo, hi, re)                                                           \
    {                                                                                            \
        .name = (n), .type = MEMBER_STRING, .is_required = (required), .min = (lo), .max = (hi), \
        re                                                                                       \
    }
#define ENUM(n, required, list)                                                          \
    {                                                                                    \
        .name = (n), .type = MEMBER_STRING, .is_required = (required), .choices = (list) \
    }
#define BLOB(n, required, hi)                                                              \
    {                                                                                      \
        .name = (n), .type = MEMBER_BLOB, .is_required = (required), .min = 1, .max = (hi) \
    }
#define SECRET_BLOB(n, required, hi)                                                        \
    {                                                                                       \
        .name = (n), .type = MEMBER_BLOB, .is_required = (required), .min = 1, .max = (hi), \
        .is_secret = true                                                                   \
    }
#define FLAG(n)                          \
    {                                    \
        .name = (n), .type = MEMBER_BOOL \
    }
#define NUMBER(n, lo, hi)                                         \
    {                                                             \
        .name = (n), .type = MEMBER_INT, .min = (lo), .max = (hi) \
    }
/* Its bytes are limited by the service, not by the model. */
#define CONTEXT(n)                                   \
    {                                                \
        .name = (n), .type = MEMBER_MAP, .max = 8192 \
    }
#define KEY_ID(n, required) TEXT(n, required, 1, 2048)
#define DRY_RUN             FLAG("DryRun")
#define GRANT_TOKENS                                                                \
    {                                                                               \
        .name = "GrantTokens", .type = MEMBER_STRINGS, .max = 10, .item_max = 8192, \
        .is_secret = true                                                           \
    }
#define LIMIT  NUMBER("Limit", 1, 1000)
#define MARKER MATCH("Marker", false, 1, 1024, LATIN_OR_EMPTY)
#define RECIPIENT                                                     \
    {                                                                 \
        .name = "Recipient", .type = MEMBER_STRUCT, .is_secret = true \
    }

/* ---- patterns; in UTF-8 a character up to U+00FF is one byte, or two that begin with C2 or C3 */

#define LATIN_CHARACTER "[ -\x7f]|\xc2[\x80-\xbf]|\xc3[\x80-\xbf]"
#define LATIN_OR_EMPTY  .pattern = "(" LATIN_CHARACTER ")*", .pattern_text = "[\\u0020-\\u00FF]*"
#define POLICY                                    \
    .pattern = "([\t\n\r]|" LATIN_CHARACTER ")+", \
    .pattern_text = "[\\u0009\\u000A\\u000D\\u0020-\\u00FF]+"
#define POLICY_NAME    .pattern = "[a-zA-Z0-9_]+", .pattern_text = "[\\w]+"
#define ALIAS_NAME     .pattern = "[a-zA-Z0-9:/_-]+", .pattern_text = "^[a-zA-Z0-9:/_-]+$"
#define GRANT_NAME     ALIAS_NAME
#define PRINCIPAL_ID   .pattern = "[a-zA-Z0-9_+=,.@:/-]+", .pattern_text = "^[\\w+=,.@:/-]+$"
#define REGION         .pattern = "([a-z]+-){2,3}[0-9]+", .pattern_text = "^([a-z]+-){2,3}\\d+$"
#define BACKING_KEY_ID .pattern = "[a-f0-9]+", .pattern_text = "^[a-f0-9]+$"
#define KEY_MATERIAL_DESCRIPTION \
    .pattern = "[a-zA-Z0-9:/_ \t\n\v\f\r.-]*", .pattern_text = "^[a-zA-Z0-9:/_\\s.-]+$"
/* Wider than its text: the ids in AWS's own examples have a 1. */
#define CLOUD_HSM_CLUSTER_ID \
    .pattern = "cluster-[0-9a-zA-Z]{11,16}", .pattern_text = "cluster-[2-7a-zA-Z]{11,16}"
#define ACCOUNT_ID .pattern = "[0-9]{12}"
#define XKS_KEY_ID .pattern = "[a-zA-Z0-9_.-]+", .pattern_text = "^[a-zA-Z0-9-_.]+$"
#define XKS_PROXY_URI_ENDPOINT \
    .pattern = "https://[a-zA-Z0-9.:-]+", .pattern_text = "^https://[a-zA-Z0-9.-]+$"
#define XKS_PROXY_URI_PATH                                \
    .pattern = "(/[a-zA-Z0-9/_-]+)?/kms/xks/v[0-9]{1,2}", \
    .pattern_text = "^(/[a-zA-Z0-9\\/_-]+/kms/xks/v\\d{1,2})$|^(/kms/xks/v\\d{1,2})$"
#define XKS_PROXY_VPC_ENDPOINT_SERVICE_NAME                                               \
    .pattern = "(com|eu)\\.amazonaws\\.vpce\\.([a-z]+-){2,3}[0-9]+\\.vpce-svc-[0-9a-z]+", \
    .pattern_text = "^(com|eu)\\.amazonaws\\.vpce\\.([a-z]+-){2,3}\\d+\\.vpce-svc-[0-9a-z]+$"

/* ---- choices, in the model's order */

static const char *const algorithm_spec_choices[] = {"RSAES_PKCS1_V1_5",
                                                     "RSAES_OAEP_SHA_1",
                                                     "RSAES_OAEP_SHA_256",
                                                     "RSA_AES_KEY_WRAP_SHA_1",
                                                     "RSA_AES_KEY_WRAP_SHA_256",
                                                     "SM2PKE",
                                                     NULL};
static const char *const custom_key_store_choices[] = {"AWS_CLOUDHSM", "EXTERNAL_KEY_STORE", NULL};
static const char *const customer_master_key_spec_choices[] = {"RSA_2048",
                                                               "RSA_3072",
                                                               "RSA_4096",
                                                               "ECC_NIST_P256",
                                                               "ECC_NIST_P384",
                                                               "ECC_NIST_P521",
                                                               "ECC_SECG_P256K1",
                                                               "SYMMETRIC_DEFAULT",
                                                               "HMAC_224",
                                                               "HMAC_256",
                                                               "HMAC_384",
                                                               "HMAC_512",
                                                               "SM2",
                                                               NULL};
static const char *const data_key_pair_spec_choices[] = {
    "RSA_2048",      "RSA_3072",        "RSA_4096", "ECC_NIST_P256",         "ECC_NIST_P384",
    "ECC_NIST_P521", "ECC_SECG_P256K1", "SM2",      "ECC_NIST_EDWARDS25519", NULL};
static const char *const data_key_spec_choices[] = {"AES_256", "AES_128", NULL};
static const char *const dry_run_modifier_choices[] = {"IGNORE_CIPHERTEXT", NULL};
static const char *const encryption_algorithm_spec_choices[] = {
    "SYMMETRIC_DEFAULT", "RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256", "SM2PKE", NULL};
static const char *const expiration_model_choices[] = {"KEY_MATERIAL_EXPIRES",
                                                       "KEY_MATERIAL_DOES_NOT_EXPIRE", NULL};
static const char *const grant_operation_choices[] = {"Decrypt",
                                                      "Encrypt",
                                                      "GenerateDataKey",
                                                      "GenerateDataKeyWithoutPlaintext",
                                                      "ReEncryptFrom",
                                                      "ReEncryptTo",
                                                      "Sign",
                                                      "Verify",
                                                      "GetPublicKey",
                                                      "CreateGrant",
                                                      "RetireGrant",
                                                      "DescribeKey",
                                                      "GenerateDataKeyPair",
                                                      "GenerateDataKeyPairWithoutPlaintext",
                                                      "GenerateMac",
                                                      "VerifyMac",
                                                      "DeriveSharedSecret",
                                                      NULL};
static const char *const import_choices[] = {"NEW_KEY_MATERIAL", "EXISTING_KEY_MATERIAL", NULL};
static const char *const include_key_material_choices[] = {"ALL_KEY_MATERIAL", "ROTATIONS_ONLY",
                                                           NULL};
static const char *const key_agreement_algorithm_spec_choices[] = {"ECDH", NULL};
static const char *const key_spec_choices[] = {"RSA_2048",
                                               "RSA_3072",
                                               "RSA_4096",
                                               "ECC_NIST_P256",
                                               "ECC_NIST_P384",
                                               "ECC_NIST_P521",
                                               "ECC_SECG_P256K1",
                                               "SYMMETRIC_DEFAULT",
                                               "HMAC_224",
                                               "HMAC_256",
                                               "HMAC_384",
                                               "HMAC_512",
                                               "SM2",
                                               "ML_DSA_44",
                                               "ML_DSA_65",
                                               "ML_DSA_87",
                                               "ECC_NIST_EDWARDS25519",
                                               NULL};
static const char *const key_usage_choices[] = {"SIGN_VERIFY", "ENCRYPT_DECRYPT",
                                                "GENERATE_VERIFY_MAC", "KEY_AGREEMENT", NULL};
static const char *const mac_algorithm_spec_choices[] = {"HMAC_SHA_224", "HMAC_SHA_256",
                                                         "HMAC_SHA_384", "HMAC_SHA_512", NULL};
static const char *const message_choices[] = {"RAW", "DIGEST", "EXTERNAL_MU", NULL};
static const char *const origin_choices[] = {"AWS_KMS", "EXTERNAL", "AWS_CLOUDHSM",
                                             "EXTERNAL_KEY_STORE", NULL};
static const char *const signing_algorithm_spec_choices[] = {"RSASSA_PSS_SHA_256",
                                                             "RSASSA_PSS_SHA_384",
                                                             "RSASSA_PSS_SHA_512",
                                                             "RSASSA_PKCS1_V1_5_SHA_256",
                                                             "RSASSA_PKCS1_V1_5_SHA_384",
                                                             "RSASSA_PKCS1_V1_5_SHA_512",
                                                             "ECDSA_SHA_256",
                                                             "ECDSA_SHA_384",
                                                             "ECDSA_SHA_512",
                                                             "SM2DSA",
                                                             "ML_DSA_SHAKE_256",
                                                             "ED25519_SHA_512",
                                                             "ED25519_PH_SHA_512",
                                                             NULL};
static const char *const wrapping_key_spec_choices[] = {"RSA_2048", "RSA_3072", "RSA_4096", "SM2",
                                                        NULL};
static const char *const xks_proxy_connectivity_choices[] = {"PUBLIC_ENDPOINT",
                                                             "VPC_ENDPOINT_SERVICE", NULL};

/* ---- members */

static const struct member cancel_key_deletion_members[] = {KEY_ID("KeyId", true)};
static const struct member connect_custom_key_store_members[] = {
    TEXT("CustomKeyStoreId", true, 1, 64)};
static const struct member create_alias_members[] = {MATCH("AliasName", true, 1, 256, ALIAS_NAME),
                                                     KEY_ID("TargetKeyId", true)};
static const struct member create_custom_key_store_members[] = {
    TEXT("CustomKeyStoreName", true, 1, 256),
    MATCH("CloudHsmClusterId", false, 19, 24, CLOUD_HSM_CLUSTER_ID),
    TEXT("TrustAnchorCertificate", false, 1, 5000),
    SECRET_TEXT("KeyStorePassword", false, 7, 32),
    ENUM("CustomKeyStoreType", false, custom_key_store_choices),
    MATCH("XksProxyUriEndpoint", false, 10, 128, XKS_PROXY_URI_ENDPOINT),
    MATCH("XksProxyUriPath", false, 10, 128, XKS_PROXY_URI_PATH),
    MATCH("XksProxyVpcEndpointServiceName", false, 20, 64, XKS_PROXY_VPC_ENDPOINT_SERVICE_NAME),
    MATCH("XksProxyVpcEndpointServiceOwner", false, 12, 12, ACCOUNT_ID),
    {.name = "XksProxyAuthenticationCredential",
     .type = MEMBER_STRUCT,
     .is_required = false,
     .is_secret = true},
    ENUM("XksProxyConnectivity", false, xks_proxy_connectivity_choices)};
static const struct member create_grant_members[] = {
    KEY_ID("KeyId", true),
    MATCH("GranteePrincipal", true, 1, 256, PRINCIPAL_ID),
    MATCH("RetiringPrincipal", false, 1, 256, PRINCIPAL_ID),
    {.name = "Operations",
     .type = MEMBER_STRINGS,
     .is_required = true,
     .min = 1, /* the service's, not the model's */
     .choices = grant_operation_choices},
    {.name = "Constraints", .type = MEMBER_STRUCT, .is_required = false},
    GRANT_TOKENS,
    MATCH("Name", false, 1, 256, GRANT_NAME),
    DRY_RUN};
static const struct member create_key_members[] = {
    MATCH("Policy", false, 1, 131072, POLICY),
    TEXT("Description", false, 0, 8192),
    ENUM("KeyUsage", false, key_usage_choices),
    ENUM("CustomerMasterKeySpec", false, customer_master_key_spec_choices),
    ENUM("KeySpec", false, key_spec_choices),
    ENUM("Origin", false, origin_choices),
    TEXT("CustomKeyStoreId", false, 1, 64),
    FLAG("BypassPolicyLockoutSafetyCheck"),
    {.name = "Tags", .type = MEMBER_TAGS, .is_required = false},
    FLAG("MultiRegion"),
    MATCH("XksKeyId", false, 1, 128, XKS_KEY_ID)};
static const struct member decrypt_members[] = {
    BLOB("CiphertextBlob", false, 6144),
    CONTEXT("EncryptionContext"),
    GRANT_TOKENS,
    KEY_ID("KeyId", false),
    ENUM("EncryptionAlgorithm", false, encryption_algorithm_spec_choices),
    RECIPIENT,
    DRY_RUN,
    {.name = "DryRunModifiers",
     .type = MEMBER_STRINGS,
     .is_required = false,
     .choices = dry_run_modifier_choices}};
static const struct member delete_alias_members[] = {MATCH("AliasName", true, 1, 256, ALIAS_NAME)};
static const struct member delete_custom_key_store_members[] = {
    TEXT("CustomKeyStoreId", true, 1, 64)};
static const struct member delete_imported_key_material_members[] = {
    KEY_ID("KeyId", true), MATCH("KeyMaterialId", false, 64, 64, BACKING_KEY_ID)};
static const struct member derive_shared_secret_members[] = {
    KEY_ID("KeyId", true),
    ENUM("KeyAgreementAlgorithm", true, key_agreement_algorithm_spec_choices),
    BLOB("PublicKey", true, 8192),
    GRANT_TOKENS,
    DRY_RUN,
    RECIPIENT};
static const struct member describe_custom_key_stores_members[] = {
    TEXT("CustomKeyStoreId", false, 1, 64), TEXT("CustomKeyStoreName", false, 1, 256), LIMIT,
    MARKER};
static const struct member describe_key_members[] = {KEY_ID("KeyId", true), GRANT_TOKENS};
static const struct member disable_key_members[] = {KEY_ID("KeyId", true)};
static const struct member disable_key_rotation_members[] = {KEY_ID("KeyId", true)};
static const struct member disconnect_custom_key_store_members[] = {
    TEXT("CustomKeyStoreId", true, 1, 64)};
static const struct member enable_key_members[] = {KEY_ID("KeyId", true)};
static const struct member enable_key_rotation_members[] = {
    KEY_ID("KeyId", true), NUMBER("RotationPeriodInDays", 90, 2560)};
static const struct member encrypt_members[] = {
    KEY_ID("KeyId", true),
    SECRET_BLOB("Plaintext", true, 4096),
    CONTEXT("EncryptionContext"),
    GRANT_TOKENS,
    ENUM("EncryptionAlgorithm", false, encryption_algorithm_spec_choices),
    DRY_RUN};
static const struct member generate_data_key_members[] = {
    KEY_ID("KeyId", true),
    CONTEXT("EncryptionContext"),
    NUMBER("NumberOfBytes", 1, 1024),
    ENUM("KeySpec", false, data_key_spec_choices),
    GRANT_TOKENS,
    RECIPIENT,
    DRY_RUN};
static const struct member generate_data_key_pair_members[] = {
    CONTEXT("EncryptionContext"),
    KEY_ID("KeyId", true),
    ENUM("KeyPairSpec", true, data_key_pair_spec_choices),
    GRANT_TOKENS,
    RECIPIENT,
    DRY_RUN};
static const struct member generate_data_key_pair_without_plaintext_members[] = {
    CONTEXT("EncryptionContext"), KEY_ID("KeyId", true),
    ENUM("KeyPairSpec", true, data_key_pair_spec_choices), GRANT_TOKENS, DRY_RUN};
static const struct member generate_data_key_without_plaintext_members[] = {
    KEY_ID("KeyId", true),
    CONTEXT("EncryptionContext"),
    ENUM("KeySpec", false, data_key_spec_choices),
    NUMBER("NumberOfBytes", 1, 1024),
    GRANT_TOKENS,
    DRY_RUN};
static const struct member generate_mac_members[] = {
    SECRET_BLOB("Message", true, 4096), KEY_ID("KeyId", true),
    ENUM("MacAlgorithm", true, mac_algorithm_spec_choices), GRANT_TOKENS, DRY_RUN};
static const struct member generate_random_members[] = {
    NUMBER("NumberOfBytes", 1, 1024), TEXT("CustomKeyStoreId", false, 1, 64), RECIPIENT};
static const struct member get_key_last_usage_members[] = {KEY_ID("KeyId", true)};
static const struct member get_key_policy_members[] = {
    KEY_ID("KeyId", true), MATCH("PolicyName", false, 1, 128, POLICY_NAME)};
static const struct member get_key_rotation_status_members[] = {KEY_ID("KeyId", true)};
static const struct member get_parameters_for_import_members[] = {
    KEY_ID("KeyId", true), ENUM("WrappingAlgorithm", true, algorithm_spec_choices),
    ENUM("WrappingKeySpec", true, wrapping_key_spec_choices)};
static const struct member get_public_key_members[] = {KEY_ID("KeyId", true), GRANT_TOKENS};
static const struct member import_key_material_members[] = {
    KEY_ID("KeyId", true),
    BLOB("ImportToken", true, 6144),
    BLOB("EncryptedKeyMaterial", true, 6144),
    {.name = "ValidTo", .type = MEMBER_TIME, .is_required = false},
    ENUM("ExpirationModel", false, expiration_model_choices),
    ENUM("ImportType", false, import_choices),
    MATCH("KeyMaterialDescription", false, 0, 256, KEY_MATERIAL_DESCRIPTION),
    MATCH("KeyMaterialId", false, 64, 64, BACKING_KEY_ID)};
static const struct member list_aliases_members[] = {KEY_ID("KeyId", false), LIMIT, MARKER};
static const struct member list_grants_members[] = {
    LIMIT, MARKER, KEY_ID("KeyId", true), TEXT("GrantId", false, 1, 128),
    MATCH("GranteePrincipal", false, 1, 256, PRINCIPAL_ID)};
static const struct member list_key_policies_members[] = {KEY_ID("KeyId", true), LIMIT, MARKER};
static const struct member list_key_rotations_members[] = {
    KEY_ID("KeyId", true), ENUM("IncludeKeyMaterial", false, include_key_material_choices), LIMIT,
    MARKER};
static const struct member list_keys_members[] = {LIMIT, MARKER};
static const struct member list_resource_tags_members[] = {KEY_ID("KeyId", true), LIMIT, MARKER};
static const struct member list_retirable_grants_members[] = {
    LIMIT, MARKER, MATCH("RetiringPrincipal", true, 1, 256, PRINCIPAL_ID)};
static const struct member put_key_policy_members[] = {
    KEY_ID("KeyId", true), MATCH("PolicyName", false, 1, 128, POLICY_NAME),
    MATCH("Policy", true, 1, 131072, POLICY), FLAG("BypassPolicyLockoutSafetyCheck")};
static const struct member re_encrypt_members[] = {
    BLOB("CiphertextBlob", false, 6144),
    CONTEXT("SourceEncryptionContext"),
    KEY_ID("SourceKeyId", false),
    KEY_ID("DestinationKeyId", true),
    CONTEXT("DestinationEncryptionContext"),
    ENUM("SourceEncryptionAlgorithm", false, encryption_algorithm_spec_choices),
    ENUM("DestinationEncryptionAlgorithm", false, encryption_algorithm_spec_choices),
    GRANT_TOKENS,
    DRY_RUN,
    {.name = "DryRunModifiers",
     .type = MEMBER_STRINGS,
     .is_required = false,
     .choices = dry_run_modifier_choices}};
static const struct member replicate_key_members[] = {
    KEY_ID("KeyId", true),
    MATCH("ReplicaRegion", true, 1, 32, REGION),
    MATCH("Policy", false, 1, 131072, POLICY),
    FLAG("BypassPolicyLockoutSafetyCheck"),
    TEXT("Description", false, 0, 8192),
    {.name = "Tags", .type = MEMBER_TAGS, .is_required = false}};
static const struct member retire_grant_members[] = {SECRET_TEXT("GrantToken", false, 1, 8192),
                                                     KEY_ID("KeyId", false),
                                                     TEXT("GrantId", false, 1, 128), DRY_RUN};
static const struct member revoke_grant_members[] = {KEY_ID("KeyId", true),
                                                     TEXT("GrantId", true, 1, 128), DRY_RUN};
static const struct member rotate_key_on_demand_members[] = {KEY_ID("KeyId", true)};
static const struct member schedule_key_deletion_members[] = {
    KEY_ID("KeyId", true), NUMBER("PendingWindowInDays", 1, 365)};
static const struct member sign_members[] = {
    KEY_ID("KeyId", true),
    SECRET_BLOB("Message", true, 4096),
    ENUM("MessageType", false, message_choices),
    GRANT_TOKENS,
    ENUM("SigningAlgorithm", true, signing_algorithm_spec_choices),
    DRY_RUN};
static const struct member tag_resource_members[] = {
    KEY_ID("KeyId", true), {.name = "Tags", .type = MEMBER_TAGS, .is_required = true}};
static const struct member untag_resource_members[] = {
    KEY_ID("KeyId", true),
    {.name = "TagKeys", .type = MEMBER_STRINGS, .is_required = true, .item_max = 128}};
static const struct member update_alias_members[] = {MATCH("AliasName", true, 1, 256, ALIAS_NAME),
                                                     KEY_ID("TargetKeyId", true)};
static const struct member update_custom_key_store_members[] = {
    TEXT("CustomKeyStoreId", true, 1, 64),
    TEXT("NewCustomKeyStoreName", false, 1, 256),
    SECRET_TEXT("KeyStorePassword", false, 7, 32),
    MATCH("CloudHsmClusterId", false, 19, 24, CLOUD_HSM_CLUSTER_ID),
    MATCH("XksProxyUriEndpoint", false, 10, 128, XKS_PROXY_URI_ENDPOINT),
    MATCH("XksProxyUriPath", false, 10, 128, XKS_PROXY_URI_PATH),
    MATCH("XksProxyVpcEndpointServiceName", false, 20, 64, XKS_PROXY_VPC_ENDPOINT_SERVICE_NAME),
    MATCH("XksProxyVpcEndpointServiceOwner", false, 12, 12, ACCOUNT_ID),
    {.name = "XksProxyAuthenticationCredential",
     .type = MEMBER_STRUCT,
     .is_required = false,
     .is_secret = true},
    ENUM("XksProxyConnectivity", false, xks_proxy_connectivity_choices)};
static const struct member update_key_description_members[] = {KEY_ID("KeyId", true),
                                                               TEXT("Description", true, 0, 8192)};
static const struct member update_primary_region_members[] = {
    KEY_ID("KeyId", true), MATCH("PrimaryRegion", true, 1, 32, REGION)};
static const struct member verify_members[] = {
    KEY_ID("KeyId", true),
    SECRET_BLOB("Message", true, 4096),
    ENUM("MessageType", false, message_choices),
    BLOB("Signature", true, 6144),
    ENUM("SigningAlgorithm", true, signing_algorithm_spec_choices),
    GRANT_TOKENS,
    DRY_RUN};
static const struct member verify_mac_members[] = {
    SECRET_BLOB("Message", true, 4096),
    KEY_ID("KeyId", true),
    ENUM("MacAlgorithm", true, mac_algorithm_spec_choices),
    BLOB("Mac", true, 6144),
    GRANT_TOKENS,
    DRY_RUN};

/* ---- operations, ascending */

#define OPERATION(n, f)                                                     \
    .name = #n, .action = "kms:" #n, .run = op_##f, .members = f##_members, \
    .member_count = sizeof f##_members / sizeof f##_members[0]

static const struct operation operations[] = {
    {OPERATION(CancelKeyDeletion, cancel_key_deletion), .right = RIGHT_KEY, .key_member = "KeyId",
     .naming = KEY_BY_ID_ONLY, .states = STATES_CANCEL, .rate = RATE_CONTROL},
    {OPERATION(ConnectCustomKeyStore, connect_custom_key_store), .right = RIGHT_ACCOUNT,
     .states = STATES_ANY, .rate = RATE_CONTROL},
    {OPERATION(CreateAlias, create_alias), .right = RIGHT_OWN, .rights = op_create_alias_rights,
     .key_member = "TargetKeyId", .naming = KEY_BY_ID_ONLY, .states = STATES_MANAGE,
     .rate = RATE_CONTROL},
    {OPERATION(CreateCustomKeyStore, create_custom_key_store), .right = RIGHT_ACCOUNT,
     .states = STATES_ANY, .rate = RATE_CONTROL},
    {OPERATION(CreateGrant, create_grant), .right = RIGHT_OWN, .rights = op_create_grant_rights,
     .key_member = "KeyId", .naming = KEY_BY_ID_ONLY, .states = STATES_GRANT, .rate = RATE_CONTROL,
     .has_dry_run = true, .is_cross_account = true},
    {OPERATION(CreateKey, create_key), .right = RIGHT_OWN, .rights = op_create_key_rights,
     .states = STATES_ANY, .rate = RATE_CONTROL},
    {OPERATION(Decrypt, decrypt), .right = RIGHT_OWN, .rights = op_decrypt_rights,
     .find_key = op_decrypt_find_key, .key_member = "KeyId", .naming = KEY_BY_ANY,
     .states = STATES_CRYPTO, .use = KEYSTORE_ENCRYPT, .rate = RATE_SYMMETRIC, .read_only = true,
     .has_dry_run = true, .is_cross_account = true},
    {OPERATION(DeleteAlias, delete_alias), .right = RIGHT_OWN, .rights = op_delete_alias_rights,
     .find_key = op_delete_alias_find_key, .states = STATES_ANY, .rate = RATE_CONTROL},
    {OPERATION(DeleteCustomKeyStore, delete_custom_key_store), .right = RIGHT_ACCOUNT,
     .states = STATES_ANY, .rate = RATE_CONTROL},
    {OPERATION(DeleteImportedKeyMaterial, delete_imported_key_material), .right = RIGHT_KEY,
     .key_member = "KeyId", .naming = KEY_BY_ID_ONLY, .states = STATES_IMPORT,
     .rate = RATE_CONTROL},
    {OPERATION(DeriveSharedSecret, derive_shared_secret), .right = RIGHT_KEY, .key_member = "KeyId",
     .naming = KEY_BY_ANY, .states = STATES_CRYPTO, .use = KEYSTORE_AGREE, .rate = RATE_ECC,
     .read_only = true, .has_dry_run = true, .is_cross_account = true},
    {OPERATION(DescribeCustomKeyStores, describe_custom_key_stores), .right = RIGHT_ACCOUNT,
     .states = STATES_ANY, .rate = RATE_CONTROL, .read_only = true},
    {OPERATION(DescribeKey, describe_key), .right = RIGHT_KEY, .key_member = "KeyId",
     .naming = KEY_BY_ANY, .states = STATES_ANY, .rate = RATE_CONTROL, .read_only = true,
     .is_cross_account = true},
    {OPERATION(DisableKey, disable_key), .right = RIGHT_KEY, .key_member = "KeyId",
     .naming = KEY_BY_ID_ONLY, .states = STATES_DISABLE, .rate = RATE_CONTROL},
    {OPERATION(DisableKeyRotation, disable_key_rotation), .right = RIGHT_KEY, .key_member = "KeyId",
     .naming = KEY_BY_ID_ONLY, .states = STATES_AUTO_ROTATE, .rate = RATE_CONTROL},
    {OPERATION(DisconnectCustomKeyStore, disconnect_custom_key_store), .right = RIGHT_ACCOUNT,
     .states = STATES_ANY, .rate = RATE_CONTROL},
    {OPERATION(EnableKey, enable_key), .right = RIGHT_KEY, .key_member = "KeyId",
     .naming = KEY_BY_ID_ONLY, .states = STATES_ENABLE, .rate = RATE_CONTROL},
    {OPERATION(EnableKeyRotation, enable_key_rotation), .right = RIGHT_KEY, .key_member = "KeyId",
     .naming = KEY_BY_ID_ONLY, .states = STATES_AUTO_ROTATE, .rate = RATE_CONTROL},
    {OPERATION(Encrypt, encrypt), .right = RIGHT_KEY, .key_member = "KeyId", .naming = KEY_BY_ANY,
     .states = STATES_CRYPTO, .use = KEYSTORE_ENCRYPT, .rate = RATE_SYMMETRIC, .read_only = true,
     .has_dry_run = true, .is_cross_account = true},
    {OPERATION(GenerateDataKey, generate_data_key), .right = RIGHT_KEY, .key_member = "KeyId",
     .naming = KEY_BY_ANY, .states = STATES_CRYPTO, .use = KEYSTORE_ENCRYPT, .rate = RATE_SYMMETRIC,
     .read_only = true, .has_dry_run = true, .is_cross_account = true},
    {OPERATION(GenerateDataKeyPair, generate_data_key_pair), .right = RIGHT_KEY,
     .key_member = "KeyId", .naming = KEY_BY_ANY, .states = STATES_CRYPTO, .use = KEYSTORE_ENCRYPT,
     .rate = RATE_PAIR, .read_only = true, .has_dry_run = true, .is_cross_account = true},
    {OPERATION(GenerateDataKeyPairWithoutPlaintext, generate_data_key_pair_without_plaintext),
     .right = RIGHT_KEY, .key_member = "KeyId", .naming = KEY_BY_ANY, .states = STATES_CRYPTO,
     .use = KEYSTORE_ENCRYPT, .rate = RATE_PAIR, .read_only = true, .has_dry_run = true,
     .is_cross_account = true},
    {OPERATION(GenerateDataKeyWithoutPlaintext, generate_data_key_without_plaintext),
     .right = RIGHT_KEY, .key_member = "KeyId", .naming = KEY_BY_ANY, .states = STATES_CRYPTO,
     .use = KEYSTORE_ENCRYPT, .rate = RATE_SYMMETRIC, .read_only = true, .has_dry_run = true,
     .is_cross_account = true},
    {OPERATION(GenerateMac, generate_mac), .right = RIGHT_KEY, .key_member = "KeyId",
     .naming = KEY_BY_ANY, .states = STATES_CRYPTO, .use = KEYSTORE_MAC, .rate = RATE_SYMMETRIC,
     .read_only = true, .has_dry_run = true, .is_cross_account = true},
    {OPERATION(GenerateRandom, generate_random), .right = RIGHT_ACCOUNT, .states = STATES_ANY,
     .rate = RATE_SYMMETRIC, .read_only = true},
    {OPERATION(GetKeyLastUsage, get_key_last_usage), .right = RIGHT_KEY, .key_member = "KeyId",
     .naming = KEY_BY_ID_ONLY, .states = STATES_ANY, .rate = RATE_CONTROL, .read_only = true},
    {OPERATION(GetKeyPolicy, get_key_policy), .right = RIGHT_KEY, .key_member = "KeyId",
     .naming = KEY_BY_ID_ONLY, .states = STATES_ANY, .rate = RATE_CONTROL, .read_only = true},
    {OPERATION(GetKeyRotationStatus, get_key_rotation_status), .right = RIGHT_KEY,
     .key_member = "KeyId", .naming = KEY_BY_ID_ONLY, .states = STATES_ANY, .rate = RATE_CONTROL,
     .read_only = true, .is_cross_account = true},
    {OPERATION(GetParametersForImport, get_parameters_for_import), .right = RIGHT_KEY,
     .key_member = "KeyId", .naming = KEY_BY_ID_ONLY, .states = STATES_IMPORT, .rate = RATE_CONTROL,
     .read_only = true},
    {OPERATION(GetPublicKey, get_public_key), .right = RIGHT_KEY, .key_member = "KeyId",
     .naming = KEY_BY_ANY, .states = STATES_PUBLIC, .rate = RATE_CONTROL, .read_only = true,
     .is_cross_account = true},
    {OPERATION(ImportKeyMaterial, import_key_material), .right = RIGHT_KEY, .key_member = "KeyId",
     .naming = KEY_BY_ID_ONLY, .states = STATES_IMPORT, .rate = RATE_CONTROL},
    {OPERATION(ListAliases, list_aliases), .right = RIGHT_ACCOUNT, .key_member = "KeyId",
     .naming = KEY_BY_ID_ONLY, .states = STATES_ANY, .rate = RATE_CONTROL, .read_only = true},
    {OPERATION(ListGrants, list_grants), .right = RIGHT_KEY, .key_member = "KeyId",
     .naming = KEY_BY_ID_ONLY, .states = STATES_ANY, .rate = RATE_CONTROL, .read_only = true,
     .is_cross_account = true},
    {OPERATION(ListKeyPolicies, list_key_policies), .right = RIGHT_KEY, .key_member = "KeyId",
     .naming = KEY_BY_ID_ONLY, .states = STATES_ANY, .rate = RATE_CONTROL, .read_only = true},
    {OPERATION(ListKeyRotations, list_key_rotations), .right = RIGHT_KEY, .key_member = "KeyId",
     .naming = KEY_BY_ID_ONLY, .states = STATES_ANY, .rate = RATE_CONTROL, .read_only = true},
    {OPERATION(ListKeys, list_keys), .right = RIGHT_ACCOUNT, .states = STATES_ANY,
     .rate = RATE_CONTROL, .read_only = true},
    {OPERATION(ListResourceTags, list_resource_tags), .right = RIGHT_KEY, .key_member = "KeyId",
     .naming = KEY_BY_ID_ONLY, .states = STATES_ANY, .rate = RATE_CONTROL, .read_only = true},
    {OPERATION(ListRetirableGrants, list_retirable_grants), .right = RIGHT_ACCOUNT,
     .states = STATES_ANY, .rate = RATE_CONTROL, .read_only = true},
    {OPERATION(PutKeyPolicy, put_key_policy), .right = RIGHT_KEY, .key_member = "KeyId",
     .naming = KEY_BY_ID_ONLY, .states = STATES_ANY, .rate = RATE_CONTROL},
    {OPERATION(ReEncrypt, re_encrypt), .right = RIGHT_OWN, .rights = op_re_encrypt_rights,
     .find_key = op_re_encrypt_find_key, .key_member = "DestinationKeyId", .naming = KEY_BY_ANY,
     .states = STATES_CRYPTO, .use = KEYSTORE_ENCRYPT, .rate = RATE_SYMMETRIC, .read_only = true,
     .has_dry_run = true, .is_cross_account = true},
    {OPERATION(ReplicateKey, replicate_key), .right = RIGHT_OWN, .rights = op_replicate_key_rights,
     .key_member = "KeyId", .naming = KEY_BY_ID_ONLY, .states = STATES_ROTATE,
     .rate = RATE_CONTROL},
    {OPERATION(RetireGrant, retire_grant), .right = RIGHT_OWN, .rights = op_retire_grant_rights,
     .find_key = op_retire_grant_find_key, .key_member = "KeyId", .naming = KEY_BY_ID_ONLY,
     .states = STATES_ANY, .rate = RATE_CONTROL, .has_dry_run = true, .is_cross_account = true},
    {OPERATION(RevokeGrant, revoke_grant), .right = RIGHT_KEY, .key_member = "KeyId",
     .naming = KEY_BY_ID_ONLY, .states = STATES_ANY, .rate = RATE_CONTROL, .has_dry_run = true,
     .is_cross_account = true},
    {OPERATION(RotateKeyOnDemand, rotate_key_on_demand), .right = RIGHT_KEY, .key_member = "KeyId",
     .naming = KEY_BY_ID_ONLY, .states = STATES_ROTATE, .rate = RATE_CONTROL},
    {OPERATION(ScheduleKeyDeletion, schedule_key_deletion), .right = RIGHT_KEY,
     .key_member = "KeyId", .naming = KEY_BY_ID_ONLY, .states = STATES_SCHEDULE,
     .rate = RATE_CONTROL},
    {OPERATION(Sign, sign), .right = RIGHT_KEY, .key_member = "KeyId", .naming = KEY_BY_ANY,
     .states = STATES_CRYPTO, .use = KEYSTORE_SIGN, .rate = RATE_RSA, .read_only = true,
     .has_dry_run = true, .is_cross_account = true},
    {OPERATION(TagResource, tag_resource), .right = RIGHT_KEY, .key_member = "KeyId",
     .naming = KEY_BY_ID_ONLY, .states = STATES_MANAGE, .rate = RATE_CONTROL},
    {OPERATION(UntagResource, untag_resource), .right = RIGHT_KEY, .key_member = "KeyId",
     .naming = KEY_BY_ID_ONLY, .states = STATES_MANAGE, .rate = RATE_CONTROL},
    {OPERATION(UpdateAlias, update_alias), .right = RIGHT_OWN, .rights = op_update_alias_rights,
     .key_member = "TargetKeyId", .naming = KEY_BY_ID_ONLY, .states = STATES_MANAGE,
     .rate = RATE_CONTROL},
    {OPERATION(UpdateCustomKeyStore, update_custom_key_store), .right = RIGHT_ACCOUNT,
     .states = STATES_ANY, .rate = RATE_CONTROL},
    {OPERATION(UpdateKeyDescription, update_key_description), .right = RIGHT_KEY,
     .key_member = "KeyId", .naming = KEY_BY_ID_ONLY, .states = STATES_MANAGE,
     .rate = RATE_CONTROL},
    {OPERATION(UpdatePrimaryRegion, update_primary_region), .right = RIGHT_OWN,
     .rights = op_update_primary_region_rights, .key_member = "KeyId", .naming = KEY_BY_ID_ONLY,
     .states = STATES_ROTATE, .rate = RATE_CONTROL},
    {OPERATION(Verify, verify), .right = RIGHT_KEY, .key_member = "KeyId", .naming = KEY_BY_ANY,
     .states = STATES_CRYPTO, .use = KEYSTORE_SIGN, .rate = RATE_RSA, .read_only = true,
     .has_dry_run = true, .is_cross_account = true},
    {OPERATION(VerifyMac, verify_mac), .right = RIGHT_KEY, .key_member = "KeyId",
     .naming = KEY_BY_ANY, .states = STATES_CRYPTO, .use = KEYSTORE_MAC, .rate = RATE_SYMMETRIC,
     .read_only = true, .has_dry_run = true, .is_cross_account = true},
};

_Static_assert(sizeof operations / sizeof operations[0] == OPERATION_COUNT, "one row each");

static int compare_name(const void *name, const void *row)
{
    return strcmp(name, ((const struct operation *)row)->name);
}

const struct operation *operation_find(const char *name)
{
    return bsearch(name, operations, OPERATION_COUNT, sizeof operations[0], compare_name);
}

const struct operation *operation_at(size_t index)
{
    return index < OPERATION_COUNT ? &operations[index] : NULL;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Who may do what to a key: each path of the decision, its texts, and the condition keys. */
#include <stdio.h>
#include <string.h>

#include "tests/unit/kms/authorize_fakes.h"
#include "tests/unit/unit.h"

#define DOCUMENT(statements) "{\"Version\":\"2012-10-17\",\"Statement\":[" statements "]}"
#define TO(effect, principal, action)                                                           \
    "{\"Effect\":\"" effect "\",\"Principal\":{\"AWS\":\"" principal "\"},\"Action\":\"" action \
    "\",\"Resource\":\"*\"}"
#define OWN(effect, action) \
    "{\"Effect\":\"" effect "\",\"Action\":\"" action "\",\"Resource\":\"*\"}"
#define DELEGATES    DOCUMENT(TO("Allow", "arn:aws:iam::" ACCOUNT ":root", "kms:*"))
#define KEY_ARN      "arn:aws:kms:us-east-1:" ACCOUNT ":key/1234abcd-12ab-34cd-56ef-1234567890ab"
#define REFUSED(who) "User: " who " is not authorized to perform: kms:Encrypt on resource: " KEY_ARN
#define AUTO_WORLD   __attribute__((cleanup(fake_world_clear))) struct fake_world

static enum kms_error ask(struct fake_world *world, const char *action)
{
    return authorize(&world->request, action, &world->record, NULL, NULL, 0);
}

static void allowed(struct fake_world *world)
{
    enum kms_error error = ask(world, "kms:Encrypt");
    if (error != KMS_OK)
        printf("%s\n", kms_error_text());
    CU_ASSERT_EQUAL(error, KMS_OK);
}

static void refused(struct fake_world *world, const char *text)
{
    enum kms_error error = ask(world, "kms:Encrypt");
    CU_ASSERT_EQUAL(error, KMS_ACCESS_DENIED);
    if (strcmp(kms_error_text(), text) != 0)
        printf("%s\n%s\n", kms_error_text(), text);
    CU_ASSERT_STRING_EQUAL(kms_error_text(), text);
}

#define NO_POLICY(kind) " because no " kind " allows the kms:Encrypt action"
#define FOREIGN                                                                              \
    " because the resource does not exist in this Region, no resource-based policies allow " \
    "access, or a resource-based policy explicitly denies access"

/* ---- one account */

static void account_that_is_delegated_to_decides_by_its_policies(void)
{
    AUTO_WORLD world;
    fake_world_init(&world, DELEGATES);
    refused(&world, REFUSED(ALICE) NO_POLICY("identity-based policy"));
    fake_world_allow(&world, DOCUMENT(OWN("Allow", "kms:Decrypt")));
    refused(&world, REFUSED(ALICE) NO_POLICY("identity-based policy"));
    fake_world_allow(&world, DOCUMENT(OWN("Allow", "kms:Enc*")));
    allowed(&world);
}

static void key_policy_that_names_a_user_is_enough(void)
{
    AUTO_WORLD world;
    fake_world_init(&world, DOCUMENT(TO("Allow", ALICE, "kms:Encrypt")));
    allowed(&world);
    CU_ASSERT_EQUAL(ask(&world, "kms:Decrypt"), KMS_ACCESS_DENIED);
}

static void without_delegation_iam_policies_do_not_count(void)
{
    AUTO_WORLD world;
    fake_world_init(&world, DOCUMENT(TO("Allow", ROLE, "kms:*")));
    fake_world_allow(&world, DOCUMENT(OWN("Allow", "*")));
    refused(&world, REFUSED(ALICE) NO_POLICY("resource-based policy"));
}

static void root_user_needs_the_key_policy_alone(void)
{
    AUTO_WORLD world;
    fake_world_init(&world, DELEGATES);
    fake_world_caller(&world, "arn:aws:iam::" ACCOUNT ":root");
    allowed(&world);
    AUTO_WORLD other;
    fake_world_init(&other, DOCUMENT(TO("Allow", ALICE, "kms:*")));
    fake_world_caller(&other, "arn:aws:iam::" ACCOUNT ":root");
    refused(&other, REFUSED("arn:aws:iam::" ACCOUNT ":root") NO_POLICY("resource-based policy"));
}

static void a_deny_of_any_policy_wins(void)
{
    AUTO_WORLD by_key;
    fake_world_init(&by_key, DOCUMENT(TO("Allow", ALICE, "*") "," TO("Deny", "*", "kms:E*")));
    fake_world_allow(&by_key, DOCUMENT(OWN("Allow", "*")));
    refused(&by_key, REFUSED(ALICE) " with an explicit deny in a resource-based policy");
    AUTO_WORLD by_identity;
    fake_world_init(&by_identity, DOCUMENT(TO("Allow", ALICE, "*")));
    fake_world_allow(&by_identity, DOCUMENT(OWN("Deny", "kms:Encrypt")));
    refused(&by_identity, REFUSED(ALICE) " with an explicit deny in an identity-based policy");
    AUTO_WORLD by_boundary;
    fake_world_init(&by_boundary, DOCUMENT(TO("Allow", ALICE, "*")));
    by_boundary.request.identity.boundary =
        fake_policy(POLICY_IDENTITY, DOCUMENT(OWN("Deny", "kms:Encrypt")));
    refused(&by_boundary, REFUSED(ALICE) " with an explicit deny in a permissions boundary");
    AUTO_WORLD by_session;
    fake_world_init(&by_session, DOCUMENT(TO("Allow", SESSION, "*")));
    fake_world_caller(&by_session, SESSION);
    by_session.request.identity.session_policy =
        fake_policy(POLICY_IDENTITY, DOCUMENT(OWN("Deny", "kms:Encrypt")));
    refused(&by_session, REFUSED(SESSION) " with an explicit deny in a session policy");
}

static void boundary_limits_what_iam_allows(void)
{
    AUTO_WORLD world;
    fake_world_init(&world, DELEGATES);
    fake_world_allow(&world, DOCUMENT(OWN("Allow", "kms:*")));
    world.request.identity.boundary =
        fake_policy(POLICY_IDENTITY, DOCUMENT(OWN("Allow", "kms:Decrypt")));
    refused(&world, REFUSED(ALICE) NO_POLICY("permissions boundary"));
    CU_ASSERT_EQUAL(ask(&world, "kms:Decrypt"), KMS_OK);
}

static void boundary_does_not_limit_a_user_whom_the_key_policy_names(void)
{
    AUTO_WORLD world;
    fake_world_init(&world, DOCUMENT(TO("Allow", ALICE, "kms:*")));
    world.request.identity.boundary = fake_policy(POLICY_IDENTITY, DOCUMENT(OWN("Allow", "s3:*")));
    allowed(&world);
}

static void session_policy_limits_what_is_the_roles(void)
{
    AUTO_WORLD world;
    fake_world_init(&world, DOCUMENT(TO("Allow", ROLE, "kms:*")));
    fake_world_caller(&world, SESSION);
    allowed(&world);
    world.request.identity.session_policy =
        fake_policy(POLICY_IDENTITY, DOCUMENT(OWN("Allow", "kms:Decrypt")));
    refused(&world, REFUSED(SESSION) NO_POLICY("session policy"));
    CU_ASSERT_EQUAL(ask(&world, "kms:Decrypt"), KMS_OK);
}

static void session_policy_does_not_limit_a_session_that_is_named(void)
{
    AUTO_WORLD world;
    fake_world_init(&world, DOCUMENT(TO("Allow", SESSION, "kms:*")));
    fake_world_caller(&world, SESSION);
    world.request.identity.session_policy =
        fake_policy(POLICY_IDENTITY, DOCUMENT(OWN("Allow", "s3:*")));
    allowed(&world);
}

static void key_without_a_policy_is_nobodys(void)
{
    AUTO_WORLD world;
    fake_world_init(&world, NULL);
    fake_world_allow(&world, DOCUMENT(OWN("Allow", "*")));
    refused(&world, REFUSED(ALICE) NO_POLICY("resource-based policy"));
}

static void service_is_named_by_its_name(void)
{
    AUTO_WORLD world;
    fake_world_init(&world,
                    DOCUMENT("{\"Effect\":\"Allow\",\"Principal\":{\"Service\":"
                             "\"s3.amazonaws.com\"},\"Action\":\"kms:*\",\"Resource\":\"*\"}"));
    struct identity *who = &world.request.identity;
    who->type = IDENTITY_SERVICE;
    who->account[0] = 0;
    (void)snprintf(who->name, sizeof who->name, "s3.amazonaws.com");
    allowed(&world);
    (void)snprintf(who->name, sizeof who->name, "ec2.amazonaws.com");
    CU_ASSERT_EQUAL(ask(&world, "kms:Encrypt"), KMS_ACCESS_DENIED);
}

/* ---- two accounts */

static void caller_of_another_account_needs_both_sides(void)
{
    static const char *const principals[] = {DOCUMENT(TO("Allow", BOB, "kms:*")),
                                             DOCUMENT(TO("Allow", OTHER, "kms:*"))};
    for (size_t i = 0; i < 2; i++) {
        AUTO_WORLD world;
        fake_world_init(&world, principals[i]);
        fake_world_caller(&world, BOB);
        refused(&world, REFUSED(BOB) FOREIGN);
        fake_world_allow(&world, DOCUMENT(OWN("Allow", "kms:Encrypt")));
        allowed(&world);
    }
    AUTO_WORLD closed;
    fake_world_init(&closed, DELEGATES);
    fake_world_caller(&closed, BOB);
    fake_world_allow(&closed, DOCUMENT(OWN("Allow", "*")));
    refused(&closed, REFUSED(BOB) FOREIGN);
}

static void key_of_another_account_is_refused_as_one_that_is_not_there(void)
{
    AUTO_WORLD world;
    char text[1000];
    fake_world_init(&world, DOCUMENT(TO("Deny", BOB, "kms:*")));
    fake_world_caller(&world, BOB);
    fake_world_allow(&world, DOCUMENT(OWN("Deny", "kms:Encrypt")));
    CU_ASSERT_EQUAL(ask(&world, "kms:Encrypt"), KMS_ACCESS_DENIED);
    (void)snprintf(text, sizeof text, "%s", kms_error_text());
    CU_ASSERT_EQUAL(authorize_deny_foreign(&world.request.identity, "kms:Encrypt", KEY_ARN),
                    KMS_ACCESS_DENIED);
    CU_ASSERT_STRING_EQUAL(kms_error_text(), text);
}

static void root_of_another_account_needs_the_key_policy(void)
{
    AUTO_WORLD world;
    fake_world_init(&world, DOCUMENT(TO("Allow", OTHER, "kms:Encrypt")));
    fake_world_caller(&world, "arn:aws:iam::" OTHER ":root");
    allowed(&world);
    CU_ASSERT_EQUAL(ask(&world, "kms:Decrypt"), KMS_ACCESS_DENIED);
}

/* ---- grants */

static void grant_allows_its_grantee_unless_a_policy_denies(void)
{
    struct grant grant = {.id = "g1", .grantee = (char[]){ALICE}};
    AUTO_WORLD world;
    fake_world_init(&world, DELEGATES);
    fake_grant = &grant;
    allowed(&world);
    CU_ASSERT_PTR_NOT_NULL(world.request.granted_by);
    CU_ASSERT_EQUAL(ask(&world, "kms:Decrypt"), KMS_ACCESS_DENIED);
    fake_world_allow(&world, DOCUMENT(OWN("Deny", "kms:Encrypt")));
    refused(&world, REFUSED(ALICE) " with an explicit deny in an identity-based policy");
}

static void what_a_policy_allows_uses_no_grant(void)
{
    struct grant grant = {.id = "g1", .grantee = (char[]){ALICE}};
    AUTO_WORLD world;
    fake_world_init(&world, DOCUMENT(TO("Allow", ALICE, "kms:*")));
    fake_grant = &grant;
    allowed(&world);
    CU_ASSERT_PTR_NULL(world.request.granted_by);
}

static void grant_to_a_role_is_limited_by_its_session(void)
{
    struct grant grant = {.id = "g1", .grantee = (char[]){ROLE}};
    AUTO_WORLD world;
    fake_world_init(&world, DELEGATES);
    fake_world_caller(&world, SESSION);
    fake_grant = &grant;
    allowed(&world);
    world.request.identity.session_policy =
        fake_policy(POLICY_IDENTITY, DOCUMENT(OWN("Allow", "kms:Decrypt")));
    CU_ASSERT_EQUAL(ask(&world, "kms:Encrypt"), KMS_ACCESS_DENIED);
}

static void grant_to_another_account_needs_its_policies(void)
{
    struct grant grant = {.id = "g1", .grantee = (char[]){BOB}};
    AUTO_WORLD world;
    fake_world_init(&world, DELEGATES);
    fake_world_caller(&world, BOB);
    fake_grant = &grant;
    refused(&world, REFUSED(BOB) FOREIGN);
    fake_world_allow(&world, DOCUMENT(OWN("Allow", "kms:Encrypt")));
    allowed(&world);
}

/* ---- without a key, and other services */

static void what_has_no_key_is_allowed_by_iam_alone(void)
{
    AUTO_WORLD world;
    struct authorize_reason reason;
    fake_world_init(&world, NULL);
    CU_ASSERT_EQUAL(authorize(&world.request, "kms:ListKeys", NULL, NULL, NULL, 0),
                    KMS_ACCESS_DENIED);
    CU_ASSERT_STRING_EQUAL(
        kms_error_text(), "User: " ALICE " is not authorized to perform: kms:ListKeys on resource: "
                          "* because no identity-based policy allows the kms:ListKeys action");
    fake_world_allow(&world, DOCUMENT(OWN("Allow", "kms:List*")));
    CU_ASSERT_EQUAL(authorize(&world.request, "kms:ListKeys", NULL, NULL, NULL, 0), KMS_OK);
    authorize_decide(&world.request, "kms:ListKeys", NULL, NULL, NULL, 0, &reason);
    CU_ASSERT_EQUAL(reason.verdict, VERDICT_ALLOW);
    CU_ASSERT_STRING_EQUAL(reason.policy, "IAM policy p0");
    CU_ASSERT_STRING_EQUAL(reason.statement, "statement 1");
}

static enum kms_error assume(struct fake_world *world, const char *trust, const char *account)
{
    struct policy *policy = fake_policy(POLICY_TRUST, trust);
    struct authorize_call call = {.kms = &world->kms,
                                  .http = &world->http,
                                  .identity = &world->request.identity,
                                  .region = "us-east-1",
                                  .now_ms = world->request.now_ms,
                                  .action = "sts:AssumeRole",
                                  .resource = ROLE,
                                  .resource_account = account,
                                  .resource_policy = policy};
    enum kms_error error = authorize_action(&call);
    policy_free(policy);
    return error;
}

static void role_is_assumed_by_its_trust_policy(void)
{
#define TRUST(principal)                                                 \
    DOCUMENT("{\"Effect\":\"Allow\",\"Principal\":{\"AWS\":\"" principal \
             "\"},\"Action\":\"sts:AssumeRole\"}")
    AUTO_WORLD world;
    fake_world_init(&world, NULL);
    CU_ASSERT_EQUAL(assume(&world, TRUST(ALICE), ACCOUNT), KMS_OK);
    CU_ASSERT_EQUAL(assume(&world, TRUST(ACCOUNT), ACCOUNT), KMS_ACCESS_DENIED);
    CU_ASSERT_EQUAL(assume(&world, TRUST(ALICE), OTHER), KMS_ACCESS_DENIED);
    fake_world_allow(&world, DOCUMENT(OWN("Allow", "sts:AssumeRole")));
    CU_ASSERT_EQUAL(assume(&world, TRUST(ACCOUNT), ACCOUNT), KMS_OK);
    CU_ASSERT_EQUAL(assume(&world, TRUST(ALICE), OTHER), KMS_OK);
    CU_ASSERT_EQUAL(assume(&world, TRUST(BOB), ACCOUNT), KMS_ACCESS_DENIED);
}

/* ---- condition keys */

static void holds_with(struct fake_world *world, const char *action, const char *condition,
                       bool expected, const struct authorize_extra *extra)
{
    char text[1000];
    struct authorize_reason reason;
    (void)snprintf(text, sizeof text,
                   "{\"Version\":\"2012-10-17\",\"Statement\":{\"Effect\":\"Allow\",\"Principal\":"
                   "\"*\",\"Action\":\"kms:*\",\"Resource\":\"*\",\"Condition\":{%s}}}",
                   condition);
    policy_free(world->key.policy);
    world->key.policy = fake_policy(POLICY_RESOURCE, text);
    authorize_decide(&world->request, action, &world->record, NULL, extra, extra != NULL, &reason);
    if ((reason.verdict == VERDICT_ALLOW) != expected)
        printf("%s\n", condition);
    CU_ASSERT_EQUAL(reason.verdict == VERDICT_ALLOW, expected);
}

static void holds(struct fake_world *world, const char *action, const char *condition)
{
    holds_with(world, action, condition, true, NULL);
}

static void fails(struct fake_world *world, const char *action, const char *condition)
{
    holds_with(world, action, condition, false, NULL);
}

static void conditions_know_the_caller_and_the_connection(void)
{
    AUTO_WORLD world;
    fake_world_init(&world, NULL);
    world.request.identity.tags[0] = (struct key_tag){(char[]){"team"}, (char[]){"red"}};
    world.request.identity.tag_count = 1;
    const char *a = "kms:Encrypt";
    holds(&world, a, "\"ArnEquals\":{\"aws:PrincipalArn\":\"" ALICE "\"}");
    holds(&world, a, "\"StringEquals\":{\"aws:PrincipalAccount\":\"" ACCOUNT "\"}");
    holds(&world, a, "\"StringEquals\":{\"kms:CallerAccount\":\"" ACCOUNT "\"}");
    holds(&world, a, "\"StringEquals\":{\"aws:PrincipalType\":\"User\"}");
    holds(&world, a, "\"StringEquals\":{\"aws:PrincipalTag/team\":\"red\"}");
    holds(&world, a, "\"StringEquals\":{\"aws:PrincipalTag/Team\":\"red\"}");
    holds(&world, a, "\"StringEquals\":{\"aws:username\":\"alice\"}");
    holds(&world, a, "\"StringEquals\":{\"aws:userid\":\"AIDAEXAMPLE\"}");
    holds(&world, a, "\"IpAddress\":{\"aws:SourceIp\":\"10.1.0.0/16\"}");
    holds(&world, a, "\"Bool\":{\"aws:SecureTransport\":true}");
    holds(&world, a, "\"Bool\":{\"aws:ViaAWSService\":false}");
    holds(&world, a, "\"Null\":{\"aws:MultiFactorAuthPresent\":true,\"aws:TokenIssueTime\":true}");
    holds(&world, a, "\"DateEquals\":{\"aws:CurrentTime\":\"2020-04-01T00:00:00Z\"}");
    holds(&world, a, "\"NumericEquals\":{\"aws:EpochTime\":1585699200}");
    holds(&world, a, "\"StringEquals\":{\"aws:RequestedRegion\":\"us-east-1\"}");
    holds(&world, a, "\"StringEquals\":{\"aws:ResourceAccount\":\"" ACCOUNT "\"}");
    holds(&world, a, "\"StringEquals\":{\"aws:UserAgent\":\"test\"}");
    holds(&world, a, "\"Null\":{\"kms:ViaService\":true,\"aws:nothing\":true}");
}

static void conditions_know_a_session(void)
{
    AUTO_WORLD world;
    fake_world_init(&world, NULL);
    fake_world_caller(&world, SESSION);
    world.request.identity.has_mfa = true;
    world.request.identity.created_ms = world.request.now_ms - 60000;
    const char *a = "kms:Encrypt";
    holds(&world, a, "\"ArnEquals\":{\"aws:PrincipalArn\":\"" ROLE "\"}");
    holds(&world, a, "\"StringEquals\":{\"aws:PrincipalType\":\"AssumedRole\"}");
    holds(&world, a, "\"Null\":{\"aws:username\":true}");
    holds(&world, a, "\"Bool\":{\"aws:MultiFactorAuthPresent\":true}");
    holds(&world, a, "\"NumericLessThanEquals\":{\"aws:MultiFactorAuthAge\":60}");
    holds(&world, a, "\"DateEquals\":{\"aws:TokenIssueTime\":\"2020-03-31T23:59:00Z\"}");
}

static void conditions_know_the_key(void)
{
    AUTO_WORLD world;
    struct alias first = {.name = "alias/one", .target = "1234abcd-12ab-34cd-56ef-1234567890ab"};
    struct alias other = {.name = "alias/two", .target = "other"};
    fake_world_init(&world, NULL);
    fake_aliases[0] = &other;
    fake_aliases[1] = &first;
    world.key.tags[0] = (struct key_tag){(char[]){"cost"}, (char[]){"42"}};
    world.key.tag_count = 1;
    world.request.key_name = (struct key_name){.is_alias = true, .alias = "alias/one"};
    const char *a = "kms:Encrypt";
    holds(&world, a, "\"StringEquals\":{\"kms:KeySpec\":\"SYMMETRIC_DEFAULT\"}");
    holds(&world, a, "\"StringEquals\":{\"kms:CustomerMasterKeySpec\":\"SYMMETRIC_DEFAULT\"}");
    holds(&world, a, "\"StringEquals\":{\"kms:KeyUsage\":\"ENCRYPT_DECRYPT\"}");
    holds(&world, a, "\"StringEquals\":{\"kms:KeyOrigin\":\"AWS_KMS\"}");
    holds(&world, a, "\"Bool\":{\"kms:MultiRegion\":false}");
    holds(&world, a, "\"Null\":{\"kms:MultiRegionKeyType\":true}");
    holds(&world, a, "\"NumericEquals\":{\"aws:ResourceTag/cost\":42}");
    holds(&world, a, "\"StringEquals\":{\"kms:RequestAlias\":\"alias/one\"}");
    holds(&world, a, "\"ForAnyValue:StringLike\":{\"kms:ResourceAliases\":\"alias/o*\"}");
    fails(&world, a, "\"ForAnyValue:StringEquals\":{\"kms:ResourceAliases\":\"alias/two\"}");
    world.key.multi_region = true;
    (void)snprintf(world.key.primary_region, sizeof world.key.primary_region, "eu-west-1");
    holds(&world, a, "\"StringEquals\":{\"kms:MultiRegionKeyType\":\"REPLICA\"}");
}

static void conditions_know_the_members_of_the_request(void)
{
    AUTO_WORLD world;
    fake_world_init(&world, NULL);
    world.request.in = json_loads(
        "{\"EncryptionContext\":{\"team\":\"red\",\"Dept\":\"x\"},\"SigningAlgorithm\":"
        "\"ECDSA_SHA_256\",\"PendingWindowInDays\":9,\"ValidTo\":1585699200.5,"
        "\"BypassPolicyLockoutSafetyCheck\":true,\"Tags\":[{\"TagKey\":\"t\",\"TagValue\":\"v\"},"
        "{\"TagKey\":\"u\",\"TagValue\":\"w\"}],\"GranteePrincipal\":\"" BOB
        "\",\"Operations\":[\"Encrypt\",\"Decrypt\"],\"Constraints\":{\"EncryptionContextSubset\":"
        "{\"a\":\"b\"}},\"SourceEncryptionContext\":{\"s\":\"1\"},"
        "\"DestinationEncryptionContext\":{\"d\":\"1\"}}",
        0, NULL);
    const char *a = "kms:Encrypt";
    holds(&world, a, "\"StringEquals\":{\"kms:EncryptionContext:team\":\"red\"}");
    fails(&world, a, "\"StringEquals\":{\"kms:EncryptionContext:dept\":\"x\"}");
    holds(&world, a,
          "\"ForAllValues:StringEquals\":{\"kms:EncryptionContextKeys\":[\"team\",\"Dept\"]}");
    holds(&world, a, "\"StringEquals\":{\"kms:EncryptionAlgorithm\":\"SYMMETRIC_DEFAULT\"}");
    holds(&world, "kms:Sign",
          "\"StringEquals\":{\"kms:SigningAlgorithm\":\"ECDSA_SHA_256\","
          "\"kms:MessageType\":\"RAW\"},\"Null\":{\"kms:EncryptionAlgorithm\":true}");
    holds(&world, a, "\"NumericEquals\":{\"kms:ScheduleKeyDeletionPendingWindowInDays\":9}");
    holds(&world, a, "\"DateGreaterThan\":{\"kms:ValidTo\":\"2020-04-01\"}");
    holds(&world, a, "\"Bool\":{\"kms:BypassPolicyLockoutSafetyCheck\":true}");
    holds(&world, a, "\"StringEquals\":{\"aws:RequestTag/t\":\"v\"}");
    holds(&world, a, "\"ForAllValues:StringEquals\":{\"aws:TagKeys\":[\"t\",\"u\"]}");
    holds(&world, "kms:CreateGrant",
          "\"StringEquals\":{\"kms:GranteePrincipal\":\"" BOB "\",\"kms:GrantConstraintType\":"
          "\"EncryptionContextSubset\",\"kms:EncryptionContext:a\":\"b\"},"
          "\"ForAllValues:StringEquals\":{\"kms:GrantOperations\":[\"Encrypt\",\"Decrypt\"]},"
          "\"Bool\":{\"kms:GrantIsForAWSResource\":false}");
    holds(&world, "kms:ReEncryptFrom", "\"StringEquals\":{\"kms:EncryptionContext:s\":\"1\"}");
    holds(&world, "kms:ReEncryptTo", "\"StringEquals\":{\"kms:EncryptionContext:d\":\"1\"}");
    fails(&world, "kms:ReEncryptTo", "\"StringEquals\":{\"kms:EncryptionContext:s\":\"1\"}");
}

/* Each member of a request that is a condition key under its own name, or nearly. */
static void each_member_that_is_a_condition_key_is_seen(void)
{
    static const struct {
        const char *key, *action, *member, *value, *other;
    } members[] = {
        {"DataKeyPairSpec", "GenerateDataKeyPair", "KeyPairSpec", "RSA_3072", "RSA_2048"},
        {"ExpirationModel", "ImportKeyMaterial", "ExpirationModel", "KEY_MATERIAL_DOES_NOT_EXPIRE",
         "KEY_MATERIAL_EXPIRES"},
        {"KeyAgreementAlgorithm", "DeriveSharedSecret", "KeyAgreementAlgorithm", "ECDH", "DH"},
        {"MacAlgorithm", "GenerateMac", "MacAlgorithm", "HMAC_SHA_512", "HMAC_SHA_256"},
        {"PrimaryRegion", "UpdatePrimaryRegion", "PrimaryRegion", "eu-west-1", "us-west-2"},
        {"ReplicaRegion", "ReplicateKey", "ReplicaRegion", "eu-west-1", "us-west-2"},
        {"RetiringPrincipal", "CreateGrant", "RetiringPrincipal", BOB, "arn:aws:iam::1:root"},
        {"WrappingAlgorithm", "GetParametersForImport", "WrappingAlgorithm", "RSAES_OAEP_SHA_256",
         "RSAES_OAEP_SHA_1"},
        {"WrappingKeySpec", "GetParametersForImport", "WrappingKeySpec", "RSA_4096", "RSA_2048"},
    };
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
        AUTO_WORLD world;
        char action[64], right[256], wrong[256], absent[128];
        (void)snprintf(action, sizeof action, "kms:%s", members[i].action);
        (void)snprintf(right, sizeof right, "\"StringEquals\":{\"kms:%s\":\"%s\"}", members[i].key,
                       members[i].value);
        (void)snprintf(wrong, sizeof wrong, "\"StringEquals\":{\"kms:%s\":\"%s\"}", members[i].key,
                       members[i].other);
        (void)snprintf(absent, sizeof absent, "\"Null\":{\"kms:%s\":true}", members[i].key);
        fake_world_init(&world, NULL);
        world.request.in = json_pack("{s:s}", members[i].member, members[i].value);
        holds(&world, action, right);
        fails(&world, action, wrong);
        fails(&world, action, absent);
    }
}

static void conditions_know_what_is_meant_where_a_member_is_left_out(void)
{
    AUTO_WORLD world;
    fake_world_init(&world, NULL);
    world.request.in = json_object();
    holds(&world, "kms:EnableKeyRotation", "\"NumericEquals\":{\"kms:RotationPeriodInDays\":365}");
    holds(&world, "kms:ImportKeyMaterial",
          "\"StringEquals\":{\"kms:ExpirationModel\":\"KEY_MATERIAL_EXPIRES\"}");
    holds(&world, "kms:Encrypt",
          "\"StringEquals\":{\"kms:CustomerMasterKeyUsage\":\"ENCRYPT_DECRYPT\"}");
    holds(&world, "kms:Encrypt", "\"Null\":{\"kms:RotationPeriodInDays\":true}");
    holds(&world, "kms:Encrypt", "\"Bool\":{\"aws:PrincipalIsAWSService\":false}");
    holds(&world, "kms:Encrypt", "\"Null\":{\"aws:PrincipalServiceName\":true}");
    CU_ASSERT_EQUAL(json_object_set_new(world.request.in, "RotationPeriodInDays", json_integer(90)),
                    0);
    holds(&world, "kms:EnableKeyRotation", "\"NumericLessThan\":{\"kms:RotationPeriodInDays\":91}");
}

static void conditions_know_what_create_key_asks_for(void)
{
    AUTO_WORLD world;
    fake_world_init(&world, NULL);
    world.request.in = json_loads(
        "{\"CustomerMasterKeySpec\":\"RSA_2048\",\"KeyUsage\":\"SIGN_VERIFY\"}", 0, NULL);
    fake_world_allow(&world,
                     DOCUMENT("{\"Effect\":\"Allow\",\"Action\":\"kms:CreateKey\",\"Resource\":"
                              "\"*\",\"Condition\":{\"StringEquals\":{\"kms:KeySpec\":\"RSA_2048\","
                              "\"kms:KeyUsage\":\"SIGN_VERIFY\",\"kms:KeyOrigin\":\"AWS_KMS\"},"
                              "\"Bool\":{\"kms:MultiRegion\":false}}}"));
    CU_ASSERT_EQUAL(authorize(&world.request, "kms:CreateKey", NULL, NULL, NULL, 0), KMS_OK);
    CU_ASSERT_EQUAL(json_object_set_new(world.request.in, "KeySpec", json_string("RSA_4096")), 0);
    CU_ASSERT_EQUAL(authorize(&world.request, "kms:CreateKey", NULL, NULL, NULL, 0),
                    KMS_ACCESS_DENIED);
}

/* AWS takes null for absent. */
static void conditions_take_null_for_absent(void)
{
    AUTO_WORLD world;
    fake_world_init(&world, NULL);
    world.request.in =
        json_loads("{\"KeySpec\":null,\"CustomerMasterKeySpec\":\"RSA_2048\",\"Constraints\":"
                   "{\"EncryptionContextEquals\":null,\"EncryptionContextSubset\":{\"a\":\"b\"}}}",
                   0, NULL);
    holds(&world, "kms:CreateGrant",
          "\"StringEquals\":{\"kms:GrantConstraintType\":\"EncryptionContextSubset\","
          "\"kms:EncryptionContext:a\":\"b\"}");
    json_t *constraints = json_object_get(world.request.in, "Constraints");
    CU_ASSERT_EQUAL(json_object_set_new(constraints, "EncryptionContextSubset", json_null()), 0);
    holds(&world, "kms:CreateGrant", "\"Null\":{\"kms:GrantConstraintType\":true}");
    fake_world_allow(&world,
                     DOCUMENT("{\"Effect\":\"Allow\",\"Action\":\"kms:CreateKey\",\"Resource\":"
                              "\"*\",\"Condition\":{\"StringEquals\":{\"kms:KeySpec\":"
                              "\"SYMMETRIC_DEFAULT\"}}}"));
    CU_ASSERT_EQUAL(authorize(&world.request, "kms:CreateKey", NULL, NULL, NULL, 0),
                    KMS_ACCESS_DENIED);
}

static void names_of_tags_have_no_case(void)
{
    AUTO_WORLD world;
    static const char *const red[] = {"red"};
    struct authorize_extra extra = {.name = "aws:RequestTag/team", .values = red, .count = 1};
    fake_world_init(&world, NULL);
    holds_with(&world, "kms:Encrypt", "\"StringEquals\":{\"AWS:requesttag/Team\":\"red\"}", true,
               &extra);
    holds_with(&world, "kms:Encrypt", "\"StringEquals\":{\"aws:RequestTag/teams\":\"red\"}", false,
               &extra);
    extra.name = "iam:ResourceTag/team";
    holds_with(&world, "kms:Encrypt", "\"StringEquals\":{\"IAM:resourcetag/TEAM\":\"red\"}", true,
               &extra);
    world.key.tags[0] = (struct key_tag){(char[]){"Team"}, (char[]){"red"}};
    world.key.tag_count = 1;
    world.request.in =
        json_loads("{\"Tags\":[{\"TagKey\":\"Team\",\"TagValue\":\"red\"}]}", 0, NULL);
    const char *a = "kms:TagResource";
    holds(&world, a, "\"StringEquals\":{\"aws:ResourceTag/team\":\"red\"}");
    holds(&world, a, "\"StringEquals\":{\"aws:RequestTag/TEAM\":\"red\"}");
    fails(&world, a, "\"StringEquals\":{\"aws:ResourceTag/teams\":\"red\"}");
    fails(&world, a, "\"StringEquals\":{\"aws:RequestTag/tea\":\"red\"}");
}

static void of_tags_that_differ_by_case_the_one_as_written_counts(void)
{
    AUTO_WORLD world;
    fake_world_init(&world, NULL);
    world.key.tags[0] = (struct key_tag){(char[]){"TEAM"}, (char[]){"red"}};
    world.key.tags[1] = (struct key_tag){(char[]){"team"}, (char[]){"blue"}};
    world.key.tag_count = 2;
    world.request.in = json_loads("{\"Tags\":[{\"TagKey\":\"TEAM\",\"TagValue\":\"red\"},"
                                  "{\"TagKey\":\"team\",\"TagValue\":\"blue\"}]}",
                                  0, NULL);
    const char *a = "kms:TagResource";
    holds(&world, a, "\"StringEquals\":{\"aws:ResourceTag/team\":\"blue\"}");
    holds(&world, a, "\"StringEquals\":{\"aws:ResourceTag/TEAM\":\"red\"}");
    holds(&world, a, "\"StringEquals\":{\"aws:ResourceTag/Team\":\"red\"}");
    holds(&world, a, "\"StringEquals\":{\"aws:RequestTag/team\":\"blue\"}");
    holds(&world, a, "\"StringEquals\":{\"aws:RequestTag/TEAM\":\"red\"}");
}

static void what_the_operation_adds_goes_first(void)
{
    AUTO_WORLD world;
    static const char *const via[] = {"s3.us-east-1.amazonaws.com"};
    struct authorize_extra extra = {.name = "kms:ViaService", .values = via, .count = 1};
    fake_world_init(&world, NULL);
    holds_with(&world, "kms:Encrypt",
               "\"StringEquals\":{\"KMS:viaservice\":\"s3.us-east-1.amazonaws.com\"}", true,
               &extra);
}

UNIT_SUITE("kms authorisation", UNIT_CASE(account_that_is_delegated_to_decides_by_its_policies),
           UNIT_CASE(key_policy_that_names_a_user_is_enough),
           UNIT_CASE(without_delegation_iam_policies_do_not_count),
           UNIT_CASE(root_user_needs_the_key_policy_alone), UNIT_CASE(a_deny_of_any_policy_wins),
           UNIT_CASE(boundary_limits_what_iam_allows),
           UNIT_CASE(boundary_does_not_limit_a_user_whom_the_key_policy_names),
           UNIT_CASE(session_policy_limits_what_is_the_roles),
           UNIT_CASE(session_policy_does_not_limit_a_session_that_is_named),
           UNIT_CASE(key_without_a_policy_is_nobodys), UNIT_CASE(service_is_named_by_its_name),
           UNIT_CASE(caller_of_another_account_needs_both_sides),
           UNIT_CASE(key_of_another_account_is_refused_as_one_that_is_not_there),
           UNIT_CASE(root_of_another_account_needs_the_key_policy),
           UNIT_CASE(grant_allows_its_grantee_unless_a_policy_denies),
           UNIT_CASE(what_a_policy_allows_uses_no_grant),
           UNIT_CASE(grant_to_a_role_is_limited_by_its_session),
           UNIT_CASE(grant_to_another_account_needs_its_policies),
           UNIT_CASE(what_has_no_key_is_allowed_by_iam_alone),
           UNIT_CASE(role_is_assumed_by_its_trust_policy),
           UNIT_CASE(conditions_know_the_caller_and_the_connection),
           UNIT_CASE(conditions_know_a_session), UNIT_CASE(conditions_know_the_key),
           UNIT_CASE(conditions_know_the_members_of_the_request),
           UNIT_CASE(each_member_that_is_a_condition_key_is_seen),
           UNIT_CASE(conditions_know_what_is_meant_where_a_member_is_left_out),
           UNIT_CASE(conditions_know_what_create_key_asks_for),
           UNIT_CASE(conditions_take_null_for_absent), UNIT_CASE(names_of_tags_have_no_case),
           UNIT_CASE(of_tags_that_differ_by_case_the_one_as_written_counts),
           UNIT_CASE(what_the_operation_adds_goes_first));

/* SPDX-License-Identifier: Apache-2.0 */
/* STS: who am I, roles and what they may be assumed with, sessions and what they may not. */
#include <stdio.h>

#include "kms/identity.h"
#include "tests/unit/kms/iam_world.h"
#include "tests/unit/unit.h"

#define ROLE "arn:aws:iam::111122223333:role/app/Reader"
#define TRUST(principal, condition)                                             \
    "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\","         \
    "\"Principal\":{\"AWS\":\"" principal "\"},\"Action\":[\"sts:AssumeRole\"," \
    "\"sts:TagSession\"]" condition "}]}"
#define TRUST_ACCOUNT TRUST("arn:aws:iam::111122223333:root", "")

static struct iam_caller alice;

static void make_role(const char *trust)
{
    char form[8192];
    (void)snprintf(form, sizeof form,
                   "Action=CreateRole&RoleName=Reader&Path=%%2Fapp%%2F&MaxSessionDuration=7200&"
                   "AssumeRolePolicyDocument=%s",
                   iam_world_encode(trust));
    iam_world_do(&iam_world.root, "iam", form);
}

static void let_alice(const char *action, const char *resource)
{
    char policy[1024], form[8192];
    (void)snprintf(policy, sizeof policy,
                   "{\"Version\":\"2012-10-17\",\"Statement\":{\"Effect\":\"Allow\",\"Action\":"
                   "\"%s\",\"Resource\":\"%s\"}}",
                   action, resource);
    (void)snprintf(form, sizeof form,
                   "Action=PutUserPolicy&UserName=alice&PolicyName=p&PolicyDocument=%s",
                   iam_world_encode(policy));
    iam_world_do(&iam_world.root, "iam", form);
}

static void begin(const char *trust)
{
    iam_world_begin(NULL);
    iam_world_user("alice", &alice);
    make_role(trust);
}

static void caller_identity_needs_no_right(void)
{
    iam_world_begin(NULL);
    iam_world_user("alice", &alice);
    iam_world_do(&alice, "sts", "Action=GetCallerIdentity");
    CU_ASSERT_TRUE(iam_world_has("<GetCallerIdentityResponse "
                                 "xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">"
                                 "<GetCallerIdentityResult><Arn>"
                                 "arn:aws:iam::111122223333:user/alice</Arn><UserId>AIDA"));
    CU_ASSERT_TRUE(iam_world_has("<Account>111122223333</Account>"));
    CU_ASSERT_TRUE(iam_world_has("<ResponseMetadata><RequestId>"
                                 "11111111-2222-4333-8444-555555555555</RequestId>"));
    iam_world_end();
}

static void a_role_is_assumed_with_both_sides_rights(void)
{
    struct iam_caller session;
    struct identity who;
    char region[KMS_REGION_MAX + 1];
    begin(TRUST_ACCOUNT);
    iam_world_call(&alice, "sts", "Action=AssumeRole&RoleSessionName=work&RoleArn=" ROLE);
    iam_world_expect(403, "AccessDenied");
    CU_ASSERT_TRUE(iam_world_has("User: arn:aws:iam::111122223333:user/alice is not authorized to "
                                 "perform: sts:AssumeRole on resource: "
                                 "arn:aws:iam::111122223333:role/app/Reader"));
    let_alice("sts:AssumeRole", "arn:aws:iam::111122223333:role/app/Reader");
    iam_world_do(&alice, "sts", "Action=AssumeRole&RoleSessionName=work&RoleArn=" ROLE);
    CU_ASSERT_TRUE(iam_world_has("<Arn>arn:aws:sts::111122223333:assumed-role/Reader/work</Arn>"));
    iam_world_take(&session);
    CU_ASSERT_EQUAL(strncmp(session.key, "ASIA", 4), 0);
    CU_ASSERT_EQUAL(
        identity_of_request(&iam_world.kms,
                            iam_world_sign(&session, "kms", IAM_WORLD_REGION, NULL, "{}"), "kms",
                            &who, region),
        KMS_OK);
    CU_ASSERT_EQUAL(who.type, IDENTITY_ASSUMED_ROLE);
    CU_ASSERT_STRING_EQUAL(who.role_arn, "arn:aws:iam::111122223333:role/app/Reader");
    CU_ASSERT_STRING_EQUAL(who.name, "work");
    CU_ASSERT_PTR_NULL(who.session_policy);
    identity_clear(&who);
    iam_world_do(&session, "sts", "Action=GetCallerIdentity");
    CU_ASSERT_TRUE(iam_world_has(":work</UserId>"));
    iam_world_end();
}

static void a_role_that_is_not_there_is_refused_as_one_that_does_not_trust(void)
{
    begin(TRUST_ACCOUNT);
    let_alice("sts:AssumeRole", "*");
    iam_world_call(&alice, "sts",
                   "Action=AssumeRole&RoleSessionName=work&RoleArn="
                   "arn:aws:iam::444455556666:role/None");
    iam_world_expect(403, "AccessDenied");
    CU_ASSERT_TRUE(iam_world_has("is not authorized to perform: sts:AssumeRole on resource: "
                                 "arn:aws:iam::444455556666:role/None"));
    iam_world_call(&alice, "sts", "Action=AssumeRole&RoleSessionName=work&RoleArn=nonsense");
    iam_world_expect(400, "ValidationError");
    iam_world_call(&iam_world.root, "sts", "Action=AssumeRole&RoleSessionName=work&RoleArn=" ROLE);
    iam_world_expect(403, "AccessDenied");
    iam_world_end();
}

static void the_external_id_is_the_trust_policys(void)
{
    begin(TRUST("arn:aws:iam::111122223333:root",
                ",\"Condition\":{\"StringEquals\":{\"sts:ExternalId\":\"e1\"}}"));
    let_alice("sts:*", "*");
    iam_world_call(&alice, "sts", "Action=AssumeRole&RoleSessionName=work&RoleArn=" ROLE);
    iam_world_expect(403, "AccessDenied");
    iam_world_call(&alice, "sts",
                   "Action=AssumeRole&RoleSessionName=work&ExternalId=e2&RoleArn=" ROLE);
    iam_world_expect(403, "AccessDenied");
    iam_world_do(&alice, "sts",
                 "Action=AssumeRole&RoleSessionName=work&ExternalId=e1&RoleArn=" ROLE);
    iam_world_end();
}

static void durations_keep_to_the_roles_limit(void)
{
    struct iam_caller session;
    begin(TRUST_ACCOUNT);
    let_alice("sts:*", "*");
    iam_world_call(&alice, "sts",
                   "Action=AssumeRole&RoleSessionName=ww&DurationSeconds=899&RoleArn=" ROLE);
    iam_world_expect(400, "ValidationError");
    iam_world_call(&alice, "sts",
                   "Action=AssumeRole&RoleSessionName=ww&DurationSeconds=7201&RoleArn=" ROLE);
    iam_world_expect(400, "ValidationError");
    CU_ASSERT_TRUE(iam_world_has("exceeds the MaxSessionDuration set for this role."));
    iam_world_do(&alice, "sts",
                 "Action=AssumeRole&RoleSessionName=ww&DurationSeconds=7200&RoleArn=" ROLE);
    iam_world_take(&session);
    iam_world.now_ms += 7199000;
    CU_ASSERT_EQUAL(iam_world_call(&session, "sts", "Action=GetCallerIdentity"), 200);
    iam_world.now_ms += 1000;
    iam_world_call(&session, "sts", "Action=GetCallerIdentity");
    iam_world_expect(403, "ExpiredToken");
    iam_world_end();
}

static void session_policies_and_tags_travel_in_the_token(void)
{
    struct iam_caller session;
    struct identity who;
    char region[KMS_REGION_MAX + 1], form[8192];
    begin(TRUST_ACCOUNT);
    let_alice("sts:*", "*");
    iam_world_do(&iam_world.root, "iam",
                 "Action=TagRole&RoleName=Reader&Tags.member.1.Key=team&Tags.member.1.Value=old&"
                 "Tags.member.2.Key=kept&Tags.member.2.Value=yes");
    (void)snprintf(
        form, sizeof form,
        "Action=AssumeRole&RoleSessionName=ww&RoleArn=" ROLE
        "&Tags.member.1.Key=Team&Tags.member.1.Value=blue&Policy=%s&PolicyArns.member.1.arn="
        "arn:aws:iam::aws:policy/AWSKeyManagementServicePowerUser",
        iam_world_encode("{\"Version\":\"2012-10-17\",\"Statement\":{\"Effect\":\"Allow\","
                         "\"Action\":\"kms:List*\",\"Resource\":\"*\"}}"));
    iam_world_do(&alice, "sts", form);
    iam_world_take(&session);
    CU_ASSERT_EQUAL(
        identity_of_request(&iam_world.kms,
                            iam_world_sign(&session, "kms", IAM_WORLD_REGION, NULL, "{}"), "kms",
                            &who, region),
        KMS_OK);
    CU_ASSERT_PTR_NOT_NULL(who.session_policy);
    CU_ASSERT_EQUAL_FATAL(who.tag_count, 2);
    for (size_t i = 0; i < 2; i++)
        CU_ASSERT_STRING_EQUAL(who.tags[i].value,
                               strcmp(who.tags[i].key, "Team") == 0 ? "blue" : "yes");
    identity_clear(&who);
    iam_world_call(&alice, "sts",
                   "Action=AssumeRole&RoleSessionName=ww&Policy=%7B%7D&RoleArn=" ROLE);
    iam_world_expect(400, "MalformedPolicyDocument");
    iam_world_end();
}

static void a_role_made_again_has_no_old_sessions(void)
{
    struct iam_caller session;
    begin(TRUST_ACCOUNT);
    let_alice("sts:*", "*");
    iam_world_do(&alice, "sts", "Action=AssumeRole&RoleSessionName=ww&RoleArn=" ROLE);
    iam_world_take(&session);
    iam_world_do(&iam_world.root, "iam", "Action=DeleteRole&RoleName=Reader");
    make_role(TRUST_ACCOUNT);
    iam_world_call(&session, "sts", "Action=GetCallerIdentity");
    iam_world_expect(403, "InvalidClientTokenId");
    iam_world_end();
}

static void session_credentials_of_a_user_do_not_manage_principals(void)
{
    struct iam_caller session;
    iam_world_begin(NULL);
    iam_world_do(&iam_world.root, "sts", "Action=GetSessionToken&DurationSeconds=43200");
    iam_world_take(&session);
    iam_world_do(&session, "sts", "Action=GetCallerIdentity");
    CU_ASSERT_TRUE(iam_world_has("<Arn>arn:aws:iam::111122223333:root</Arn>"));
    iam_world_call(&session, "iam", "Action=ListUsers");
    iam_world_expect(403, "InvalidClientTokenId");
    iam_world_call(&session, "sts", "Action=GetSessionToken");
    iam_world_expect(403, "AccessDenied");
    iam_world.now_ms += 3601000; /* the root's sessions last an hour */
    iam_world_call(&session, "sts", "Action=GetCallerIdentity");
    iam_world_expect(403, "ExpiredToken");
    iam_world_end();
}

static void another_account_assumes_a_role_that_trusts_it(void)
{
    struct iam_caller bob;
    iam_world_begin(NULL);
    iam_world_do(&iam_world.other_root, "iam", "Action=CreateUser&UserName=bob");
    iam_world_do(&iam_world.other_root, "iam", "Action=CreateAccessKey&UserName=bob");
    iam_world_take(&bob);
    make_role(TRUST("arn:aws:iam::444455556666:user/bob", ""));
    iam_world_call(&bob, "sts", "Action=AssumeRole&RoleSessionName=ww&RoleArn=" ROLE);
    iam_world_expect(403, "AccessDenied");
    char form[4096];
    (void)snprintf(form, sizeof form,
                   "Action=PutUserPolicy&UserName=bob&PolicyName=p&PolicyDocument=%s",
                   iam_world_encode("{\"Version\":\"2012-10-17\",\"Statement\":{\"Effect\":"
                                    "\"Allow\",\"Action\":\"sts:AssumeRole\",\"Resource\":"
                                    "\"*\"}}"));
    iam_world_do(&iam_world.other_root, "iam", form);
    iam_world_do(&bob, "sts", "Action=AssumeRole&RoleSessionName=ww&RoleArn=" ROLE);
    iam_world_end();
}

static void bad_parameters_are_told_in_awss_words(void)
{
    begin(TRUST_ACCOUNT);
    iam_world_call(&alice, "sts", "Action=AssumeRole&RoleArn=" ROLE);
    iam_world_expect(400, "ValidationError");
    CU_ASSERT_TRUE(iam_world_has("Value null at 'roleSessionName' failed to satisfy constraint: "
                                 "Member must not be null"));
    iam_world_call(&alice, "sts", "Action=AssumeRole&RoleSessionName=a%2Fb&RoleArn=" ROLE);
    iam_world_expect(400, "ValidationError");
    iam_world_call(&alice, "sts", "Action=DecodeAuthorizationMessage");
    iam_world_expect(400, "InvalidAction");
    iam_world_call(&alice, "sts", "Action=CreateUser&UserName=x");
    iam_world_expect(400, "InvalidAction");
    iam_world_call(&alice, "sts", "Action=GetCallerIdentity&Action=AssumeRole");
    iam_world_expect(400, "ValidationError");
    iam_world_call(&alice, "sts", "Action=GetCallerIdentity&x=%00");
    iam_world_expect(400, "InvalidAction");
    iam_world_call(&iam_world.root, "sts",
                   "Action=GetAccessKeyInfo&AccessKeyId=AKIAOTHEROTHEROTHER2");
    CU_ASSERT_TRUE(iam_world_has("<Account>444455556666</Account>"));
    iam_world_end();
}

static void let_carol(struct iam_caller *carol)
{
    iam_world_do(&iam_world.other_root, "iam", "Action=CreateUser&UserName=carol");
    iam_world_do(&iam_world.other_root, "iam", "Action=CreateAccessKey&UserName=carol");
    iam_world_take(carol);
    iam_world_do(&iam_world.other_root, "iam",
                 "Action=AttachUserPolicy&UserName=carol&PolicyArn="
                 "arn:aws:iam::aws:policy/AdministratorAccess");
}

static void roles_of_other_accounts_do_not_show(void)
{
    static const char ask[] = "Action=AssumeRole&RoleSessionName=work&RoleArn="
                              "arn:aws:iam::111122223333:role/%s";
    struct iam_caller carol;
    char form[512], there[1024], gone[1024];
    begin(TRUST_ACCOUNT);
    let_carol(&carol);
    (void)snprintf(form, sizeof form, ask, "app/Reader");
    iam_world_call(&carol, "sts", form);
    iam_world_expect(403, "AccessDenied");
    iam_world_get("Message", there, sizeof there);
    (void)snprintf(form, sizeof form, ask, "app/Readex");
    iam_world_call(&carol, "sts", form);
    iam_world_expect(403, "AccessDenied");
    iam_world_get("Message", gone, sizeof gone);
    CU_ASSERT_EQUAL(strlen(there), strlen(gone));
    strstr(gone, "Readex")[5] = 'r';
    CU_ASSERT_STRING_EQUAL(there, gone);
    for (int i = 0; i < 2; i++) {
        (void)snprintf(form, sizeof form, ask,
                       i == 0 ? "app/Reader&Tags.member.1.Key=aws%3Ax&Tags.member.1.Value=v"
                              : "app/Readex&Tags.member.1.Key=aws%3Ax&Tags.member.1.Value=v");
        iam_world_call(&carol, "sts", form);
        iam_world_expect(400, "InvalidInput");
    }
    iam_world_end();
}

#define STATEMENT(sid) \
    "{\"Sid\":\"" sid "\",\"Effect\":\"Allow\",\"Action\":\"kms:List*\",\"Resource\":\"*\"}"

/* As the root: a managed policy of one statement. */
static void make_policy(const char *name, const char *version, const char *statement)
{
    char policy[2048], form[8192];
    (void)snprintf(policy, sizeof policy, "{\"Version\":\"%s\",\"Statement\":[%s]}", version,
                   statement);
    (void)snprintf(form, sizeof form, "Action=CreatePolicy&PolicyName=%s&PolicyDocument=%s", name,
                   iam_world_encode(policy));
    iam_world_do(&iam_world.root, "iam", form);
}

#define ASSUME       "Action=AssumeRole&RoleSessionName=ww&RoleArn=" ROLE
#define MANAGED(n)   "&PolicyArns.member." #n ".arn=arn:aws:iam::111122223333:policy/"
#define OLD_VARIABLE "{\"Effect\":\"Deny\",\"Action\":\"*\",\"Resource\":\"arn:aws:kms:*:*:${a}\"}"

static void session_policies_joined_are_one_that_can_be_read(void)
{
    struct iam_caller session;
    begin(TRUST_ACCOUNT);
    let_alice("sts:*", "*");
    make_policy("One", "2012-10-17", STATEMENT("same"));
    make_policy("Two", "2012-10-17", STATEMENT("same"));
    make_policy("Old", "2008-10-17", OLD_VARIABLE);
    iam_world_do(&alice, "sts", ASSUME MANAGED(1) "One" MANAGED(2) "Two");
    iam_world_take(&session);
    iam_world_do(&session, "sts", "Action=GetCallerIdentity");
    iam_world_do(&alice, "sts", ASSUME MANAGED(1) "Old");
    iam_world_take(&session);
    iam_world_do(&session, "sts", "Action=GetCallerIdentity");
    iam_world_call(&alice, "sts", ASSUME MANAGED(1) "Old" MANAGED(2) "One");
    iam_world_expect(400, "MalformedPolicyDocument");
    iam_world_end();
}

static void sessions_too_large_for_a_header_are_not_made(void)
{
    static char statement[6000];
    begin(TRUST_ACCOUNT);
    let_alice("sts:*", "*");
    (void)snprintf(statement, sizeof statement,
                   "{\"Effect\":\"Allow\",\"Action\":\"kms:%01700d\",\"Resource\":\"*\"}", 0);
    make_policy("One", "2012-10-17", statement);
    make_policy("Two", "2012-10-17", statement);
    make_policy("Three", "2012-10-17", statement);
    make_policy("Four", "2012-10-17", statement);
    iam_world_do(&alice, "sts", ASSUME MANAGED(1) "One");
    iam_world_call(&alice, "sts",
                   ASSUME MANAGED(1) "One" MANAGED(2) "Two" MANAGED(3) "Three" MANAGED(4) "Four");
    iam_world_expect(400, "PackedPolicyTooLarge");
    iam_world_call(&alice, "sts",
                   ASSUME MANAGED(1) "One" MANAGED(2) "Two" MANAGED(3) "Three" MANAGED(
                       4) "Four" MANAGED(5) "Four");
    iam_world_expect(400, "PackedPolicyTooLarge");
    iam_world_end();
}

static void a_roles_tags_count_for_those_who_assume_it(void)
{
    begin(TRUST("arn:aws:iam::111122223333:root",
                ",\"Condition\":{\"StringEquals\":{\"aws:ResourceTag/team\":\"blue\","
                "\"iam:ResourceTag/team\":\"blue\"}}"));
    let_alice("sts:*", "*");
    iam_world_call(&alice, "sts", ASSUME);
    iam_world_expect(403, "AccessDenied");
    iam_world_do(&iam_world.root, "iam",
                 "Action=TagRole&RoleName=Reader&Tags.member.1.Key=team&Tags.member.1.Value=blue");
    iam_world_do(&alice, "sts", ASSUME);
    iam_world_do(&alice, "sts", ASSUME "&Tags.member.1.Key=a&Tags.member.1.Value=b");
    iam_world_end();
}

/* ---- trust is in the one who was named */

#define TRUST_ALICE TRUST("arn:aws:iam::111122223333:user/alice", "")

static void trusted_as(const char *name)
{
    char text[16384], encoded[512];
    iam_world_do(&iam_world.root, "iam", "Action=GetRole&RoleName=Reader");
    iam_world_get("AssumeRolePolicyDocument", text, sizeof text);
    (void)snprintf(encoded, sizeof encoded, "%s", iam_world_encode(name));
    char *at = encoded; /* in answers these are as they are */
    for (const char *from = encoded; *from != '\0'; from++)
        if (strncmp(from, "%2D", 3) == 0) {
            *at++ = '-';
            from += 2;
        } else {
            *at++ = *from;
        }
    *at = '\0';
    CU_ASSERT_PTR_NOT_NULL(strstr(text, encoded));
    iam_world_do(&iam_world.root, "iam", "Action=ListRoles");
    CU_ASSERT_PTR_NOT_NULL(strstr(iam_world.body, encoded));
}

static void trust_is_in_the_user_not_in_his_name(void)
{
    char form[512], id[64];
    iam_world_begin(NULL);
    iam_world_user("alice", &alice);
    iam_world_do(&iam_world.root, "iam", "Action=GetUser&UserName=alice");
    iam_world_get("UserId", id, sizeof id);
    make_role(TRUST_ALICE);
    trusted_as("\"arn:aws:iam::111122223333:user/alice\"");
    iam_world_do(&alice, "sts", ASSUME);
    (void)snprintf(form, sizeof form, "Action=DeleteAccessKey&UserName=alice&AccessKeyId=%s",
                   alice.key);
    iam_world_do(&iam_world.root, "iam", form);
    iam_world_do(&iam_world.root, "iam", "Action=DeleteUser&UserName=alice");
    iam_world_user("alice", &alice);
    iam_world_call(&alice, "sts", ASSUME);
    iam_world_expect(403, "AccessDenied");
    (void)snprintf(form, sizeof form, "\"%s\"", id);
    trusted_as(form);
    char update[4096];
    (void)snprintf(update, sizeof update,
                   "Action=UpdateAssumeRolePolicy&RoleName=Reader&PolicyDocument=%s",
                   iam_world_encode(TRUST_ALICE));
    iam_world_do(&iam_world.root, "iam", update);
    iam_world_do(&alice, "sts", ASSUME);
    iam_world_end();
}

static void trust_stays_with_a_user_who_is_renamed(void)
{
    begin(TRUST_ALICE);
    iam_world_do(&iam_world.root, "iam", "Action=UpdateUser&UserName=alice&NewUserName=alicia");
    iam_world_do(&alice, "sts", ASSUME);
    trusted_as("\"arn:aws:iam::111122223333:user/alicia\"");
    struct iam_caller other;
    iam_world_user("alice", &other);
    iam_world_call(&other, "sts", ASSUME);
    iam_world_expect(403, "AccessDenied");
    trusted_as("\"arn:aws:iam::111122223333:user/alicia\"");
    iam_world_end();
}

static void trust_in_nobody_is_refused(void)
{
    char form[4096];
    iam_world_begin(NULL);
    (void)snprintf(form, sizeof form,
                   "Action=CreateRole&RoleName=Reader&AssumeRolePolicyDocument=%s",
                   iam_world_encode(TRUST_ALICE));
    iam_world_call(&iam_world.root, "iam", form);
    iam_world_expect(400, "MalformedPolicyDocument");
    CU_ASSERT_TRUE(iam_world_has("Invalid principal in policy: &quot;AWS&quot;:&quot;"
                                 "arn:aws:iam::111122223333:user/alice&quot;"));
    iam_world_end();
}

UNIT_SUITE("kms/sts", UNIT_CASE(caller_identity_needs_no_right),
           UNIT_CASE(a_role_is_assumed_with_both_sides_rights),
           UNIT_CASE(a_role_that_is_not_there_is_refused_as_one_that_does_not_trust),
           UNIT_CASE(the_external_id_is_the_trust_policys),
           UNIT_CASE(durations_keep_to_the_roles_limit),
           UNIT_CASE(session_policies_and_tags_travel_in_the_token),
           UNIT_CASE(a_role_made_again_has_no_old_sessions),
           UNIT_CASE(session_credentials_of_a_user_do_not_manage_principals),
           UNIT_CASE(another_account_assumes_a_role_that_trusts_it),
           UNIT_CASE(bad_parameters_are_told_in_awss_words),
           UNIT_CASE(roles_of_other_accounts_do_not_show),
           UNIT_CASE(session_policies_joined_are_one_that_can_be_read),
           UNIT_CASE(sessions_too_large_for_a_header_are_not_made),
           UNIT_CASE(a_roles_tags_count_for_those_who_assume_it),
           UNIT_CASE(trust_is_in_the_user_not_in_his_name),
           UNIT_CASE(trust_stays_with_a_user_who_is_renamed),
           UNIT_CASE(trust_in_nobody_is_refused));

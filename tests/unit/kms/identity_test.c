/* SPDX-License-Identifier: Apache-2.0 */
/* Who signed: access keys, sessions, scopes, and the policies that come with a principal. */
#include "kms/identity.h"

#include <stdio.h>

#include "kms/chores_internal.h"
#include "kms/identity_secrets.h"
#include "kms/identity_session.h"
#include "kms/used.h"
#include "tests/unit/kms/iam_world.h"
#include "tests/unit/unit.h"

#define ALLOW                                                                                \
    "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":\"kms:*\"," \
    "\"Resource\":\"*\"}]}"

static struct identity who;
static char region[KMS_REGION_MAX + 1];

static enum kms_error identify_at(const struct iam_caller *caller, const char *service,
                                  const char *at, const char *wanted)
{
    identity_clear(&who);
    return identity_of_request(&iam_world.kms, iam_world_sign(caller, service, at, NULL, "{}"),
                               wanted, &who, region);
}

static enum kms_error identify(const struct iam_caller *caller)
{
    return identify_at(caller, "kms", IAM_WORLD_REGION, "kms");
}

static void end(void)
{
    identity_clear(&who);
    iam_world_end();
}

static void the_root_is_known_by_its_key(void)
{
    iam_world_begin(NULL);
    CU_ASSERT_EQUAL(identify(&iam_world.root), KMS_OK);
    CU_ASSERT_EQUAL(who.type, IDENTITY_ROOT);
    CU_ASSERT_STRING_EQUAL(who.arn, "arn:aws:iam::111122223333:root");
    CU_ASSERT_STRING_EQUAL(who.principal_id, IAM_WORLD_ACCOUNT);
    CU_ASSERT_STRING_EQUAL(region, IAM_WORLD_REGION);
    CU_ASSERT_STRING_EQUAL(who.access_key, iam_world.root.key);
    CU_ASSERT_EQUAL(who.policy_count, 1);
    end();
}

static void a_wrong_secret_is_refused(void)
{
    iam_world_begin(NULL);
    struct iam_caller forger = iam_world.root;
    forger.secret[0] ^= 1;
    CU_ASSERT_EQUAL(identify(&forger), KMS_INVALID_SIGNATURE_V4);
    CU_ASSERT_EQUAL(who.account[0], '\0');
    end();
}

static void an_unknown_key_is_refused_as_one_with_a_strange_name(void)
{
    iam_world_begin(NULL);
    struct iam_caller stranger = iam_world.root;
    stranger.key[5] ^= 1;
    CU_ASSERT_EQUAL(identify(&stranger), KMS_UNRECOGNIZED_CLIENT);
    (void)snprintf(stranger.key, sizeof stranger.key, "user/../AKIAROOTROOTROOT");
    CU_ASSERT_NOT_EQUAL(identify(&stranger), KMS_OK);
    end();
}

static void a_scope_of_another_service_or_region_is_refused(void)
{
    iam_world_begin(NULL);
    CU_ASSERT_EQUAL(identify_at(&iam_world.root, "s3", IAM_WORLD_REGION, "kms"),
                    KMS_INVALID_SIGNATURE_V4);
    CU_ASSERT_STRING_EQUAL(kms_error_text(),
                           "Credential should be scoped to correct service: 'kms'.");
    CU_ASSERT_EQUAL(identify_at(&iam_world.root, "kms", "us-west-2", "kms"),
                    KMS_INVALID_SIGNATURE_V4);
    CU_ASSERT_STRING_EQUAL(kms_error_text(), "Credential should be scoped to a valid region.");
    CU_ASSERT_EQUAL(identify_at(&iam_world.root, "kms", "us-east-1", "kms"),
                    KMS_INVALID_SIGNATURE_V4);
    CU_ASSERT_EQUAL(identify_at(&iam_world.root, "iam", "us-east-1", "iam"), KMS_OK);
    end();
}

static void a_known_secret_costs_no_round_trip(void)
{
    iam_world_begin(NULL);
    CU_ASSERT_EQUAL(identify(&iam_world.root), KMS_OK);
    atomic_store(&iam_world.cluster.fail, RC_UNAVAILABLE);
    for (int i = 0; i < 20; i++)
        CU_ASSERT_EQUAL(identify(&iam_world.root), KMS_OK);
    identity_secrets_clear();
    CU_ASSERT_EQUAL(identify(&iam_world.root), KMS_UNAVAILABLE);
    atomic_store(&iam_world.cluster.fail, RC_OK);
    end();
}

static void a_user_comes_with_all_policies(void)
{
    struct iam_caller alice;
    char form[8192];
    iam_world_begin(NULL);
    iam_world_user("alice", &alice);
    (void)snprintf(form, sizeof form,
                   "Action=PutUserPolicy&UserName=alice&PolicyName=own&PolicyDocument=%s",
                   iam_world_encode(ALLOW));
    iam_world_do(&iam_world.root, "iam", form);
    iam_world_do(&iam_world.root, "iam", "Action=CreateGroup&GroupName=staff");
    iam_world_do(&iam_world.root, "iam", "Action=AddUserToGroup&GroupName=staff&UserName=alice");
    iam_world_do(&iam_world.root, "iam",
                 "Action=AttachGroupPolicy&GroupName=staff&PolicyArn="
                 "arn:aws:iam::aws:policy/AWSKeyManagementServicePowerUser");
    (void)snprintf(form, sizeof form, "Action=CreatePolicy&PolicyName=Edge&PolicyDocument=%s",
                   iam_world_encode(ALLOW));
    iam_world_do(&iam_world.root, "iam", form);
    iam_world_do(&iam_world.root, "iam",
                 "Action=PutUserPermissionsBoundary&UserName=alice&PermissionsBoundary="
                 "arn:aws:iam::111122223333:policy/Edge");
    iam_world_do(&iam_world.root, "iam",
                 "Action=TagUser&UserName=alice&Tags.member.1.Key=team&Tags.member.1.Value=blue");
    CU_ASSERT_EQUAL(identify(&alice), KMS_OK);
    CU_ASSERT_EQUAL(who.type, IDENTITY_USER);
    CU_ASSERT_STRING_EQUAL(who.arn, "arn:aws:iam::111122223333:user/alice");
    CU_ASSERT_EQUAL(strncmp(who.principal_id, "AIDA", 4), 0);
    CU_ASSERT_EQUAL_FATAL(who.policy_count, 2);
    CU_ASSERT_STRING_EQUAL(who.policy_names[0], "own");
    CU_ASSERT_STRING_EQUAL(who.policy_names[1], "AWSKeyManagementServicePowerUser");
    CU_ASSERT_PTR_NOT_NULL(who.boundary);
    CU_ASSERT_EQUAL_FATAL(who.tag_count, 1);
    CU_ASSERT_STRING_EQUAL(who.tags[0].value, "blue");
    CU_ASSERT_TRUE(identity_exists(&iam_world.kms, who.arn));
    CU_ASSERT_FALSE(identity_exists(&iam_world.kms, "arn:aws:iam::111122223333:user/Alice"));
    CU_ASSERT_TRUE(identity_exists(&iam_world.kms, "arn:aws:iam::444455556666:root"));
    CU_ASSERT_FALSE(identity_exists(&iam_world.kms, "arn:aws:iam::999999999999:root"));
    end();
}

static void an_inactive_or_deleted_key_signs_nothing(void)
{
    struct iam_caller bob;
    char form[512];
    iam_world_begin(NULL);
    iam_world_user("bob", &bob);
    CU_ASSERT_EQUAL(identify(&bob), KMS_OK);
    (void)snprintf(form, sizeof form,
                   "Action=UpdateAccessKey&UserName=bob&Status=Inactive&AccessKeyId=%s", bob.key);
    iam_world_do(&iam_world.root, "iam", form);
    CU_ASSERT_EQUAL(identify(&bob), KMS_UNRECOGNIZED_CLIENT);
    (void)snprintf(form, sizeof form,
                   "Action=UpdateAccessKey&UserName=bob&Status=Active&AccessKeyId=%s", bob.key);
    iam_world_do(&iam_world.root, "iam", form);
    CU_ASSERT_EQUAL(identify(&bob), KMS_OK);
    (void)snprintf(form, sizeof form, "Action=DeleteAccessKey&UserName=bob&AccessKeyId=%s",
                   bob.key);
    iam_world_do(&iam_world.root, "iam", form);
    CU_ASSERT_EQUAL(identify(&bob), KMS_UNRECOGNIZED_CLIENT);
    end();
}

static void the_last_use_of_a_key_is_told_with_service_and_Region(void)
{
    struct iam_caller bob;
    char form[256];
    iam_world_begin(NULL);
    iam_world_user("bob", &bob);
    (void)snprintf(form, sizeof form, "Action=GetAccessKeyLastUsed&AccessKeyId=%s", bob.key);
    iam_world_do(&iam_world.root, "iam", form);
    CU_ASSERT_TRUE(iam_world_has("<UserName>bob</UserName><AccessKeyLastUsed>"
                                 "<ServiceName>N/A</ServiceName><Region>N/A</Region>"));
    CU_ASSERT_EQUAL(identify(&bob), KMS_OK);
    iam_world_do(&iam_world.root, "iam", form);
    CU_ASSERT_TRUE(iam_world_has("<LastUsedDate>2026-11-22T13:40:00Z</LastUsedDate><ServiceName>kms"
                                 "</ServiceName><Region>" IAM_WORLD_REGION "</Region>"));
    struct iam_caller forger = bob;
    forger.secret[0] ^= 1;
    iam_world.now_ms += 60000;
    CU_ASSERT_EQUAL(identify(&forger), KMS_INVALID_SIGNATURE_V4);
    iam_world_do(&iam_world.root, "iam", form);
    CU_ASSERT_TRUE(iam_world_has("<LastUsedDate>2026-11-22T13:40:00Z</LastUsedDate>"));
    iam_world_do(&bob, "sts", "Action=GetSessionToken");
    iam_world_do(&iam_world.root, "iam", form);
    CU_ASSERT_TRUE(iam_world_has("<LastUsedDate>2026-11-22T13:41:00Z</LastUsedDate><ServiceName>sts"
                                 "</ServiceName><Region>us-east-1</Region>"));
    end();
}

static void the_last_use_of_a_key_is_written_by_the_chores_and_goes_with_it(void)
{
    struct iam_caller bob;
    char form[256], path[129];
    iam_world_begin(NULL);
    iam_world_user("bob", &bob);
    used_access_key_path(bob.key, path);
    CU_ASSERT_EQUAL(identify(&bob), KMS_OK);
    chores_write_used(&iam_world.kms);
    struct record *record = view_get(iam_world.kms.view, path);
    CU_ASSERT_PTR_NOT_NULL_FATAL(record);
    CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(record->json, "service")), "kms");
    CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(record->json, "region")),
                           IAM_WORLD_REGION);
    record_unref(record);
    (void)snprintf(form, sizeof form, "Action=DeleteAccessKey&UserName=bob&AccessKeyId=%s",
                   bob.key);
    iam_world_do(&iam_world.root, "iam", form);
    chores_write_used(&iam_world.kms);
    CU_ASSERT_PTR_NULL(view_get(iam_world.kms.view, path));
    end();
}

static void a_session_is_its_keys_own_until_it_expires(void)
{
    struct iam_caller eve, session, other, mixed;
    iam_world_begin(NULL);
    iam_world_user("eve", &eve);
    iam_world_do(&eve, "sts", "Action=GetSessionToken&DurationSeconds=900");
    iam_world_take(&session);
    iam_world_do(&eve, "sts", "Action=GetSessionToken&DurationSeconds=900");
    iam_world_take(&other);
    CU_ASSERT_EQUAL(identify(&session), KMS_OK);
    CU_ASSERT_EQUAL(who.type, IDENTITY_USER);
    CU_ASSERT_TRUE(who.is_temporary);
    CU_ASSERT_STRING_EQUAL(who.arn, "arn:aws:iam::111122223333:user/eve");
    mixed = session;
    memcpy(mixed.token, other.token, sizeof mixed.token);
    CU_ASSERT_EQUAL(identify(&mixed), KMS_UNRECOGNIZED_CLIENT);
    mixed = session;
    mixed.token[20] = mixed.token[20] == 'A' ? 'B' : 'A';
    CU_ASSERT_EQUAL(identify(&mixed), KMS_UNRECOGNIZED_CLIENT);
    mixed = session;
    mixed.token[0] = '\0';
    CU_ASSERT_EQUAL(identify(&mixed), KMS_UNRECOGNIZED_CLIENT);
    mixed = eve;
    memcpy(mixed.token, session.token, sizeof mixed.token);
    CU_ASSERT_EQUAL(identify(&mixed), KMS_UNRECOGNIZED_CLIENT);
    iam_world.now_ms += 901000;
    CU_ASSERT_EQUAL(identify(&session), KMS_EXPIRED_TOKEN);
    end();
}

static void a_session_ends_with_its_user_even_when_one_of_that_name_is_made_again(void)
{
    struct iam_caller eve, session;
    char form[256];
    iam_world_begin(NULL);
    iam_world_user("eve", &eve);
    iam_world_do(&eve, "sts", "Action=GetSessionToken");
    iam_world_take(&session);
    (void)snprintf(form, sizeof form, "Action=DeleteAccessKey&UserName=eve&AccessKeyId=%s",
                   eve.key);
    iam_world_do(&iam_world.root, "iam", form);
    iam_world_do(&iam_world.root, "iam", "Action=DeleteUser&UserName=eve");
    CU_ASSERT_EQUAL(identify(&session), KMS_UNRECOGNIZED_CLIENT);
    iam_world_do(&iam_world.root, "iam", "Action=CreateUser&UserName=eve");
    CU_ASSERT_EQUAL(identify(&session), KMS_UNRECOGNIZED_CLIENT);
    end();
}

static void the_first_administrator_is_made_once(void)
{
    AUTO_SECRET same = SECRET_INIT, other = SECRET_INIT;
    iam_world_begin(NULL);
    UNIT_OK(secret_from_bytes(&same, bytes_of_str(iam_world.root.secret)));
    UNIT_OK(secret_from_bytes(&other, bytes_of_str("another secret")));
    UNIT_OK(identity_bootstrap(&iam_world.kms, IAM_WORLD_ACCOUNT, iam_world.root.key, &same));
    UNIT_RC(identity_bootstrap(&iam_world.kms, IAM_WORLD_ACCOUNT, iam_world.root.key, &other),
            RC_CONFLICT);
    UNIT_RC(identity_bootstrap(&iam_world.kms, IAM_WORLD_ACCOUNT, "AKIAANOTHERANOTHERAN", &same),
            RC_CONFLICT);
    UNIT_RC(identity_bootstrap(&iam_world.kms, IAM_WORLD_OTHER, iam_world.root.key, &same),
            RC_CONFLICT);
    UNIT_RC(identity_bootstrap(&iam_world.kms, "12345", "AKIAANOTHERANOTHERAN", &same),
            RC_BAD_ARGUMENT);
    UNIT_RC(identity_bootstrap(&iam_world.kms, "121212121212", "a/b", &same), RC_BAD_ARGUMENT);
    end();
}

static void documents_hold_no_secret_in_clear(void)
{
    struct iam_caller bob;
    iam_world_begin(NULL);
    iam_world_user("bob", &bob);
    for (size_t i = 0; i < iam_world.cluster.document_count; i++) {
        const char *value = iam_world.cluster.documents[i].value;
        CU_ASSERT_TRUE(value == NULL || strstr(value, bob.secret) == NULL);
        CU_ASSERT_TRUE(value == NULL || strstr(value, iam_world.root.secret) == NULL);
    }
    end();
}

UNIT_SUITE("kms/identity", UNIT_CASE(the_root_is_known_by_its_key),
           UNIT_CASE(a_wrong_secret_is_refused),
           UNIT_CASE(an_unknown_key_is_refused_as_one_with_a_strange_name),
           UNIT_CASE(a_scope_of_another_service_or_region_is_refused),
           UNIT_CASE(a_known_secret_costs_no_round_trip), UNIT_CASE(a_user_comes_with_all_policies),
           UNIT_CASE(an_inactive_or_deleted_key_signs_nothing),
           UNIT_CASE(the_last_use_of_a_key_is_told_with_service_and_Region),
           UNIT_CASE(the_last_use_of_a_key_is_written_by_the_chores_and_goes_with_it),
           UNIT_CASE(a_session_is_its_keys_own_until_it_expires),
           UNIT_CASE(a_session_ends_with_its_user_even_when_one_of_that_name_is_made_again),
           UNIT_CASE(the_first_administrator_is_made_once),
           UNIT_CASE(documents_hold_no_secret_in_clear));

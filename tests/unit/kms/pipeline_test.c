/* SPDX-License-Identifier: Apache-2.0 */
/* Suite of kms/pipeline.c: bad requests, names of keys, rights, conflicts, the trail. */
#include "tests/unit/kms/fake_world.h"
#include <stdlib.h>

#include "tests/unit/unit.h"

static void malformed_json_is_a_serialization_error(void)
{
    static const char *const bodies[] = {
        "",
        "{",
        "nonsense",
        "[]",
        "\"a\"",
        "{\"Limit\":1,\"Limit\":2}",
        "{\"Limit\":1}}",
        "{\"Limit\":99999999999999999999}",
        "{\"Marker\":\"\xff\"}",
    };
    world_begin();
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        CU_ASSERT_TRUE(world_ends("ListKeys", "SerializationException", bodies[i]));
        CU_ASSERT_EQUAL(world.status, 400);
    }
    world_end();
}

static void deep_nesting_is_refused_and_strings_do_not_count(void)
{
    char body[4096] = "{\"A\":";
    world_begin();
    size_t len = strlen(body);
    memset(body + len, '[', 40);
    memset(body + len + 40, ']', 40);
    memcpy(body + len + 80, "}", 2);
    CU_ASSERT_TRUE(world_ends("ListKeys", "SerializationException", body));
    (void)snprintf(body, sizeof body,
                   "{\"A\":\"\\\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\"}");
    CU_ASSERT_TRUE(world_ends("ListKeys", NULL, body));
    world_end();
}

static void an_unknown_operation_is_never_a_server_error(void)
{
    world_begin();
    CU_ASSERT_TRUE(world_ends("Nonsense", "UnknownOperationException", "{}"));
    CU_ASSERT_EQUAL(world.status, 400);
    CU_ASSERT_EQUAL(world.records, 0);
    world_end();
}

static void a_key_is_found_by_id_arn_alias_and_alias_arn(void)
{
    char id[KMS_KEY_ID_MAX + 1];
    char body[512];
    world_begin();
    world_make_key("{}", id);
    (void)snprintf(body, sizeof body, "{\"AliasName\":\"alias/a/b\",\"TargetKeyId\":\"%s\"}", id);
    CU_ASSERT_TRUE(world_ends("CreateAlias", NULL, body));
    static const char *const forms[] = {"%s", "arn:aws:kms:us-east-1:111122223333:key/%s",
                                        "alias/a/b",
                                        "arn:aws:kms:us-east-1:111122223333:alias/a/b"};
    for (size_t i = 0; i < 4; i++) {
        char name[256];
        (void)snprintf(name, sizeof name, "%s", forms[i]);
        char *hole = strstr(name, "%s");
        if (hole != NULL)
            (void)snprintf(hole, sizeof name - (size_t)(hole - name), "%s", id);
        (void)snprintf(body, sizeof body, "{\"KeyId\":\"%s\"}", name);
        CU_ASSERT_TRUE(world_ends("DescribeKey", NULL, body));
        CU_ASSERT_TRUE(world_ends("DisableKey", i < 2 ? NULL : "NotFoundException", body));
    }
    world_end();
}

static void a_name_that_leads_nowhere_has_aws_texts(void)
{
    world_begin();
    CU_ASSERT_TRUE(world_ends("DescribeKey", "NotFoundException", "{\"KeyId\":\"what\"}"));
    CU_ASSERT_STRING_EQUAL(world.text, "Invalid keyId 'what'");
    CU_ASSERT_TRUE(world_ends("DescribeKey", "NotFoundException",
                              "{\"KeyId\":\"arn:aws:kms:eu-west-1:111122223333:key/"
                              "12345678-1234-1234-1234-123456789012\"}"));
    CU_ASSERT_STRING_EQUAL(world.text, "Invalid arn eu-west-1");
    CU_ASSERT_TRUE(world_ends("DescribeKey", "NotFoundException",
                              "{\"KeyId\":\"12345678-1234-1234-1234-123456789012\"}"));
    CU_ASSERT_STRING_EQUAL(world.text, "Key 'arn:aws:kms:us-east-1:111122223333:key/"
                                       "12345678-1234-1234-1234-123456789012' does not exist");
    CU_ASSERT_TRUE(world_ends("DescribeKey", "NotFoundException", "{\"KeyId\":\"alias/none\"}"));
    CU_ASSERT_STRING_EQUAL(world.text,
                           "Alias arn:aws:kms:us-east-1:111122223333:alias/none is not found.");
    world_end();
}

/* By id and by alias, with a key and without: the same words but for the name. */
static void another_accounts_key_is_denied_alike_whether_it_is_there(void)
{
    char id[KMS_KEY_ID_MAX + 1];
    char body[512];
    char with[4096];
    world_begin();
    world_make_key("{}", id);
    (void)snprintf(body, sizeof body, "{\"AliasName\":\"alias/here\",\"TargetKeyId\":\"%s\"}", id);
    CU_ASSERT_TRUE(world_ends("CreateAlias", NULL, body));
    (void)snprintf(world.account, sizeof world.account, WORLD_OTHER);
    static const char *const operations[] = {"DescribeKey", "DisableKey", "ScheduleKeyDeletion"};
    for (size_t i = 0; i < 3; i++) {
        (void)snprintf(body, sizeof body,
                       "{\"KeyId\":\"arn:aws:kms:us-east-1:111122223333:key/%s\"}", id);
        world.records = 0;
        CU_ASSERT_TRUE(world_ends(operations[i], "AccessDeniedException", body));
        CU_ASSERT_EQUAL(world.records, 2); /* the key's account sees it too */
        (void)snprintf(with, sizeof with, "%s", world.text);
        char *place = strstr(body, id);
        memset(place, '1', 8);
        world.records = 0;
        CU_ASSERT_TRUE(world_ends(operations[i], "AccessDeniedException", body));
        CU_ASSERT_EQUAL(world.records, 1);
        memcpy(strstr(world.text, ":key/") + 5, id, 8);
        CU_ASSERT_STRING_EQUAL(with, world.text);
    }
#define HERE "arn:aws:kms:us-east-1:111122223333:alias/here"
#define GONE "arn:aws:kms:us-east-1:111122223333:alias/gone"
    static const char *const calls[][3] = {
        {"DescribeKey", "{\"KeyId\":\"" HERE "\"}", "{\"KeyId\":\"" GONE "\"}"},
        {"Decrypt", "{\"KeyId\":\"" HERE "\",\"CiphertextBlob\":\"YWFh\"}",
         "{\"KeyId\":\"" GONE "\",\"CiphertextBlob\":\"YWFh\"}"},
        {"ReEncrypt",
         "{\"SourceKeyId\":\"" HERE "\",\"DestinationKeyId\":\"alias/own\","
         "\"CiphertextBlob\":\"YWFh\"}",
         "{\"SourceKeyId\":\"" GONE "\",\"DestinationKeyId\":\"alias/own\","
         "\"CiphertextBlob\":\"YWFh\"}"},
    };
    world_make_key("{}", id);
    (void)snprintf(body, sizeof body, "{\"AliasName\":\"alias/own\",\"TargetKeyId\":\"%s\"}", id);
    CU_ASSERT_TRUE(world_ends("CreateAlias", NULL, body));
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        CU_ASSERT_TRUE(world_ends(calls[i][0], "AccessDeniedException", calls[i][1]));
        (void)snprintf(with, sizeof with, "%s", world.text);
        CU_ASSERT_TRUE(world_ends(calls[i][0], "AccessDeniedException", calls[i][2]));
        CU_ASSERT_PTR_NOT_NULL_FATAL(strstr(world.text, "gone"));
        memcpy(strstr(world.text, "gone"), "here", 4);
        CU_ASSERT_STRING_EQUAL(with, world.text);
    }
    world_end();
}

static void a_caller_without_rights_is_denied_and_the_trail_says_so(void)
{
    char id[KMS_KEY_ID_MAX + 1];
    char body[256];
    world_begin();
    world_make_key("{}", id);
    world.is_user = true;
    (void)snprintf(body, sizeof body, "{\"KeyId\":\"%s\"}", id);
    CU_ASSERT_TRUE(world_ends("DescribeKey", "AccessDeniedException", body));
    CU_ASSERT_STRING_EQUAL(world.error_code, "AccessDenied");
    CU_ASSERT_TRUE(world_ends("ListKeys", "AccessDeniedException", "{}"));
    CU_ASSERT_TRUE(world_ends("CreateKey", "AccessDeniedException", "{}"));
    world_end();
}

static void a_lost_compare_and_swap_is_decided_again_a_few_times(void)
{
    char id[KMS_KEY_ID_MAX + 1];
    char body[256];
    world_begin();
    world_make_key("{}", id);
    (void)snprintf(body, sizeof body, "{\"KeyId\":\"%s\"}", id);
    world.lose_commits = 3;
    unsigned records = world.records;
    unsigned permits = world.permits;
    CU_ASSERT_TRUE(world_ends("DisableKey", NULL, body));
    CU_ASSERT_EQUAL(world.permits, permits + 1); /* one for all attempts */
    CU_ASSERT_EQUAL(world.records, records + 1);
    CU_ASSERT_EQUAL(world.lose_commits, 0);
    world.lose_commits = 100;
    CU_ASSERT_TRUE(world_ends("EnableKey", "KMSInternalException", body));
    CU_ASSERT_TRUE(world.lose_commits > 90);
    world.lose_commits = 0;
    world_end();
}

static void what_an_earlier_request_met_is_forgotten(void)
{
    world_begin();
    world.is_stale = true;
    CU_ASSERT_TRUE(world_ends("ListKeys", NULL, "{}"));
    CU_ASSERT_FALSE(world.is_stale);
    world_end();
}

static void nothing_is_done_while_the_trail_is_full(void)
{
    world_begin();
    world.is_trail_full = true;
    CU_ASSERT_TRUE(world_ends("CreateKey", "ServiceUnavailableException", "{}"));
    CU_ASSERT_EQUAL(world.status, 503);
    CU_ASSERT_EQUAL(world.permits + world.backing_made + world.commits + world.records, 0);
    world.is_trail_full = false;
    CU_ASSERT_TRUE(world_ends("CreateKey", NULL, "{}"));
    CU_ASSERT_EQUAL(world.records, 1);
    world_end();
}

static void what_a_lost_creation_made_in_the_hsm_is_deleted(void)
{
    world_begin();
    world.lose_commits = 2;
    char id[KMS_KEY_ID_MAX + 1];
    world_make_key("{}", id);
    CU_ASSERT_EQUAL(world.backing_made, 3);
    CU_ASSERT_EQUAL(world.backing_deleted, 2);
    world_end();
}

/* ---- a key in a store that another front end is at */

#define STORE "store/" WORLD_REGION "/" WORLD_ACCOUNT "/cks-1234567890abcdef0"
#define GUARD "storeguard/all"

static void change_store(bool is_there)
{
    struct view_changes changes = {.count = 0};
    AUTO_RECORD *guard = view_get(world.kms.view, GUARD);
    AUTO_RECORD *old = view_get(world.kms.view, STORE);
    struct store *store = NULL;
    json_t *value = NULL;
    UNIT_OK(store_new(&store));
    (void)snprintf(store->id, sizeof store->id, "cks-1234567890abcdef0");
    (void)snprintf(store->name, sizeof store->name, "one");
    (void)snprintf(store->region, sizeof store->region, "%s", WORLD_REGION);
    (void)snprintf(store->account, sizeof store->account, "%s", WORLD_ACCOUNT);
    store->trust_anchor = strdup("anchor");
    if (is_there)
        UNIT_OK(store_encode(store, &value));
    UNIT_OK(view_changes_add(&changes, STORE, old == NULL ? 0 : old->version, value));
    UNIT_OK(view_changes_add(&changes, GUARD, guard == NULL ? 0 : guard->version, json_object()));
    UNIT_OK(view_commit(world.kms.view, &changes));
    view_changes_clear(&changes);
    store_free(store);
}

static void remove_store(void)
{
    change_store(false);
}

static void a_key_is_not_made_in_a_store_that_goes_meanwhile(void)
{
    static const char body[] =
        "{\"Origin\":\"AWS_CLOUDHSM\",\"CustomKeyStoreId\":\"cks-1234567890abcdef0\"}";
    world_begin();
    change_store(true);
    AUTO_RECORD *before = view_get(world.kms.view, GUARD);
    CU_ASSERT_TRUE(world_ends("CreateKey", NULL, body));
    AUTO_RECORD *after = view_get(world.kms.view, GUARD);
    CU_ASSERT_TRUE(before != NULL && after != NULL && before->version != after->version);
    world.on_admit = remove_store;
    CU_ASSERT_TRUE(world_ends("CreateKey", "CustomKeyStoreNotFoundException", body));
    CU_ASSERT_EQUAL(world.backing_deleted, 1);
    world_end();
}

static void a_dry_run_changes_nothing(void)
{
    char id[KMS_KEY_ID_MAX + 1];
    char body[256];
    world_begin();
    world_make_key("{}", id);
    (void)snprintf(body, sizeof body, "{\"KeyId\":\"%s\",\"Plaintext\":\"YQ==\",\"DryRun\":true}",
                   id);
    CU_ASSERT_TRUE(world_ends("Encrypt", "DryRunOperationException", body));
    CU_ASSERT_STRING_EQUAL(world.text,
                           "The request would have succeeded, but the DryRun option is set.");
    unsigned commits = world.commits;
    (void)snprintf(body, sizeof body,
                   "{\"KeyId\":\"%s\",\"GranteePrincipal\":\"arn:aws:iam::111122223333:user/a\","
                   "\"Operations\":[\"Decrypt\"],\"DryRun\":true}",
                   id);
    CU_ASSERT_TRUE(world_ends("CreateGrant", "DryRunOperationException", body));
    CU_ASSERT_EQUAL(world.commits, commits);
    world_end();
}

static void the_trail_has_the_context_and_no_plaintext(void)
{
    char id[KMS_KEY_ID_MAX + 1];
    char body[512];
    world_begin();
    world_make_key("{}", id);
    (void)snprintf(body, sizeof body,
                   "{\"KeyId\":\"%s\",\"Plaintext\":\"c2VjcmV0\",\"GrantTokens\":[],"
                   "\"Unknown\":\"c2VjcmV0\",\"EncryptionContext\":{\"Team\":\"red\"}}",
                   id);
    CU_ASSERT_TRUE(world_ends("Encrypt", NULL, body));
    char *text = json_dumps(world.parameters, JSON_SORT_KEYS | JSON_COMPACT);
    (void)snprintf(body, sizeof body, "{\"encryptionContext\":{\"Team\":\"red\"},\"keyId\":\"%s\"}",
                   id);
    CU_ASSERT_STRING_EQUAL(text, body);
    free(text);
    world_end();
}

static void passwords_are_hidden_in_the_trail(void)
{
    world_begin();
    json_decref(world_call("CreateCustomKeyStore",
                           "{\"CustomKeyStoreName\":\"a\",\"KeyStorePassword\":\"hushhush\","
                           "\"XksProxyAuthenticationCredential\":{\"AccessKeyId\":\"ABC\","
                           "\"RawSecretAccessKey\":\"hushhush\"}}"));
    char *text = json_dumps(world.parameters, 0);
    CU_ASSERT_PTR_NULL(strstr(text, "hushhush"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "HIDDEN_DUE_TO_SECURITY_REASONS"));
    free(text);
    world_end();
}

static bool untags(const char *id, const char *error, const char *members)
{
    char body[512];
    (void)snprintf(body, sizeof body, "{\"KeyId\":\"%s\",%s}", id, members);
    return world_ends("UntagResource", error, body);
}

static void members_of_other_operations_meet_no_condition(void)
{
    char id[KMS_KEY_ID_MAX + 1];
    char body[512];
    world_begin();
    world_make_key("{}", id);
    world_put_condition(id, "\"ForAllValues:StringEquals\":{\"aws:TagKeys\":[\"open\"]},"
                            "\"Null\":{\"aws:TagKeys\":false}");
    CU_ASSERT_TRUE(untags(id, NULL, "\"TagKeys\":[\"open\"]"));
    CU_ASSERT_TRUE(untags(id, "AccessDeniedException", "\"TagKeys\":[\"closed\"]"));
    CU_ASSERT_TRUE(
        untags(id, "AccessDeniedException",
               "\"TagKeys\":[\"closed\"],\"Tags\":[{\"TagKey\":\"open\",\"TagValue\":\"\"}]"));
    world_put_condition(id, "\"StringEquals\":{\"aws:RequestTag/t\":\"v\"}");
    CU_ASSERT_TRUE(
        untags(id, "AccessDeniedException",
               "\"TagKeys\":[\"closed\"],\"Tags\":[{\"TagKey\":\"t\",\"TagValue\":\"v\"}]"));
    world_put_condition(id, "\"StringEquals\":{\"kms:EncryptionContext:a\":\"b\"}");
    (void)snprintf(body, sizeof body, "{\"KeyId\":\"%s\",\"EncryptionContext\":{\"a\":\"b\"}}", id);
    CU_ASSERT_TRUE(world_ends("DisableKey", "AccessDeniedException", body));
    world_end();
}

UNIT_SUITE("kms/pipeline", UNIT_CASE(malformed_json_is_a_serialization_error),
           UNIT_CASE(deep_nesting_is_refused_and_strings_do_not_count),
           UNIT_CASE(an_unknown_operation_is_never_a_server_error),
           UNIT_CASE(a_key_is_found_by_id_arn_alias_and_alias_arn),
           UNIT_CASE(a_name_that_leads_nowhere_has_aws_texts),
           UNIT_CASE(another_accounts_key_is_denied_alike_whether_it_is_there),
           UNIT_CASE(a_caller_without_rights_is_denied_and_the_trail_says_so),
           UNIT_CASE(what_an_earlier_request_met_is_forgotten),
           UNIT_CASE(nothing_is_done_while_the_trail_is_full),
           UNIT_CASE(a_lost_compare_and_swap_is_decided_again_a_few_times),
           UNIT_CASE(what_a_lost_creation_made_in_the_hsm_is_deleted),
           UNIT_CASE(a_key_is_not_made_in_a_store_that_goes_meanwhile),
           UNIT_CASE(a_dry_run_changes_nothing),
           UNIT_CASE(members_of_other_operations_meet_no_condition),
           UNIT_CASE(the_trail_has_the_context_and_no_plaintext),
           UNIT_CASE(passwords_are_hidden_in_the_trail));

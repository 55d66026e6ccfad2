/* SPDX-License-Identifier: Apache-2.0 */
/* Operations that want more than one right: each of them, of each resource, and no other. Source:
 * AWS KMS Developer Guide, "Permissions reference". */
#include <stdio.h>

#include "tests/unit/kms/fake_world.h"
#include "tests/unit/kms/soft_hsm.h"
#include "tests/unit/unit.h"

#define RIGHTS_MAX 4U
#define THERE      "eu-west-1"

struct right {
    const char *action;
    char resource[128];
};

struct wanted {
    struct right rights[RIGHTS_MAX];
    size_t count;
};

static char first[KMS_KEY_ID_MAX + 1];
static char second[KMS_KEY_ID_MAX + 1];

static void begin(void)
{
    world_begin();
    soft_hsm_begin();
    world_make_key("{\"MultiRegion\":true}", first);
    world_make_key("{}", second);
}

static void want(struct wanted *wanted, const char *action, const char *region, const char *what)
{
    CU_ASSERT_FATAL(wanted->count < RIGHTS_MAX);
    struct right *right = &wanted->rights[wanted->count++];
    right->action = action;
    if (region == NULL)
        (void)snprintf(right->resource, sizeof right->resource, "%s", what);
    else
        (void)snprintf(right->resource, sizeof right->resource,
                       "arn:aws:kms:%s:" WORLD_ACCOUNT ":%s", region, what);
}

static void want_key(struct wanted *wanted, const char *action, const char *region, const char *id)
{
    char what[96];
    (void)snprintf(what, sizeof what, "key/%s", id);
    want(wanted, action, region, what);
}

/* All but one; `without` at the count: all. */
static void be_user(const struct wanted *wanted, size_t without)
{
    AUTO_BUF statements = BUF_INIT;
    for (size_t i = 0; i < wanted->count; i++)
        if (i != without)
            CU_ASSERT_EQUAL(buf_printf(&statements,
                                       "%s{\"Effect\":\"Allow\",\"Action\":\"%s\","
                                       "\"Resource\":\"%s\"}",
                                       statements.len == 0 ? "" : ",", wanted->rights[i].action,
                                       wanted->rights[i].resource),
                            RC_OK);
    if (statements.len == 0) /* of something else */
        CU_ASSERT_EQUAL(buf_printf(&statements, "{\"Effect\":\"Allow\",\"Action\":"
                                                "\"kms:GenerateRandom\",\"Resource\":\"*\"}"),
                        RC_OK);
    world_set_policy(buf_str(&statements));
}

/* Takes the body. Denied without any one of them, which the answer names; done with all. */
static void wants(const char *operation, json_t *body, const struct wanted *wanted)
{
    for (size_t without = 0; without < wanted->count; without++) {
        const struct right *right = &wanted->rights[without];
        be_user(wanted, without);
        bool is_denied = soft_ends(operation, "AccessDeniedException", json_incref(body));
        if (!is_denied)
            printf("%s without %s of %s\n", operation, right->action, right->resource);
        CU_ASSERT_TRUE(is_denied);
        CU_ASSERT_PTR_NOT_NULL(strstr(world.text, right->action));
    }
    be_user(wanted, wanted->count);
    CU_ASSERT_TRUE(soft_ends(operation, NULL, body));
}

static void aliases_want_a_right_of_the_alias_and_of_each_key(void)
{
    struct wanted create = {.count = 0};
    struct wanted update = {.count = 0};
    struct wanted delete = {.count = 0};
    begin();
    want(&create, "kms:CreateAlias", WORLD_REGION, "alias/rights");
    want_key(&create, "kms:CreateAlias", WORLD_REGION, first);
    wants("CreateAlias", json_pack("{s:s, s:s}", "AliasName", "alias/rights", "TargetKeyId", first),
          &create);
    want(&update, "kms:UpdateAlias", WORLD_REGION, "alias/rights");
    want_key(&update, "kms:UpdateAlias", WORLD_REGION, first);
    want_key(&update, "kms:UpdateAlias", WORLD_REGION, second);
    wants("UpdateAlias",
          json_pack("{s:s, s:s}", "AliasName", "alias/rights", "TargetKeyId", second), &update);
    want(&delete, "kms:DeleteAlias", WORLD_REGION, "alias/rights");
    want_key(&delete, "kms:DeleteAlias", WORLD_REGION, second);
    wants("DeleteAlias", json_pack("{s:s}", "AliasName", "alias/rights"), &delete);
    world_end();
}

static void a_key_with_tags_wants_the_right_to_tag(void)
{
    struct wanted plain = {.count = 0};
    struct wanted tagged = {.count = 0};
    begin();
    want(&plain, "kms:CreateKey", NULL, "*");
    wants("CreateKey", json_object(), &plain);
    want(&tagged, "kms:CreateKey", NULL, "*");
    want(&tagged, "kms:TagResource", NULL, "*");
    wants("CreateKey", json_pack("{s:[{s:s, s:s}]}", "Tags", "TagKey", "a", "TagValue", "b"),
          &tagged);
    world_end();
}

static void a_replica_wants_rights_of_the_primary_and_to_make_a_key(void)
{
    struct wanted wanted = {.count = 0};
    begin();
    want_key(&wanted, "kms:ReplicateKey", WORLD_REGION, first);
    want(&wanted, "kms:CreateKey", NULL, "*");
    want(&wanted, "kms:TagResource", NULL, "*");
    wants("ReplicateKey",
          json_pack("{s:s, s:s, s:[{s:s, s:s}]}", "KeyId", first, "ReplicaRegion", THERE, "Tags",
                    "TagKey", "a", "TagValue", "b"),
          &wanted);
    world_end();
}

static void a_new_primary_wants_the_right_of_both_keys(void)
{
    struct wanted wanted = {.count = 0};
    begin();
    CU_ASSERT_TRUE(soft_ends("ReplicateKey", NULL,
                             json_pack("{s:s, s:s}", "KeyId", first, "ReplicaRegion", THERE)));
    want_key(&wanted, "kms:UpdatePrimaryRegion", WORLD_REGION, first);
    want_key(&wanted, "kms:UpdatePrimaryRegion", THERE, first);
    wants("UpdatePrimaryRegion", json_pack("{s:s, s:s}", "KeyId", first, "PrimaryRegion", THERE),
          &wanted);
    world_end();
}

static void what_is_encrypted_again_wants_the_right_from_one_key_and_to_the_other(void)
{
    struct wanted wanted = {.count = 0};
    begin();
    json_t *out =
        world_call_json("Encrypt", json_pack("{s:s, s:s}", "KeyId", first, "Plaintext", "YQ=="));
    const char *blob = json_string_value(json_object_get(out, "CiphertextBlob"));
    CU_ASSERT_PTR_NOT_NULL_FATAL(blob);
    want_key(&wanted, "kms:ReEncryptFrom", WORLD_REGION, first);
    want_key(&wanted, "kms:ReEncryptTo", WORLD_REGION, second);
    wants("ReEncrypt", json_pack("{s:s, s:s}", "CiphertextBlob", blob, "DestinationKeyId", second),
          &wanted);
    json_decref(out);
    world_end();
}

UNIT_SUITE("kms/rights", UNIT_CASE(aliases_want_a_right_of_the_alias_and_of_each_key),
           UNIT_CASE(a_key_with_tags_wants_the_right_to_tag),
           UNIT_CASE(a_replica_wants_rights_of_the_primary_and_to_make_a_key),
           UNIT_CASE(a_new_primary_wants_the_right_of_both_keys),
           UNIT_CASE(what_is_encrypted_again_wants_the_right_from_one_key_and_to_the_other));

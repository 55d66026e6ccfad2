/* SPDX-License-Identifier: Apache-2.0 */
/* Suite of kms/principal.c: key policies and grants are for the one whom they named, not for
 * another who was made under the name later. */
#include "kms/principal.h"

#include <stdio.h>

#include "tests/unit/kms/fake_world.h"
#include "tests/unit/unit.h"

#define ANN     "arn:aws:iam::" WORLD_ACCOUNT ":user/ann"
#define ANN_ID  "AIDAann"
#define ANYBODY "\"StringLike\":{\"kms:CallerAccount\":\"*\"}"
#define FOR_GRANT                                                    \
    ",\"GranteePrincipal\":\"" ANN "\",\"RetiringPrincipal\":\"" ANN \
    "\",\"Operations\":[\"DescribeKey\"],\"Name\":\"n\""

static char id[KMS_KEY_ID_MAX + 1];

static void begin(void)
{
    world_begin();
    world_make_key("{}", id);
}

/* The key's ARN, and what else the request has: ",…"; static. */
static const char *body_with(const char *rest)
{
    static char body[512];
    (void)snprintf(body, sizeof body,
                   "{\"KeyId\":\"arn:aws:kms:" WORLD_REGION ":" WORLD_ACCOUNT ":key/%s\"%s}", id,
                   rest);
    return body;
}

static bool ends(const char *operation, const char *error, const char *rest)
{
    return world_ends(operation, error, body_with(rest));
}

static void as_ann(bool is_made_again)
{
    world.is_user = true;
    world.is_made_again = is_made_again;
}

static void as_root(bool is_ann_made_again)
{
    world.is_user = false;
    world.is_made_again = is_ann_made_again;
}

static void take(const char *operation, const char *rest, const char *member, char *out,
                 size_t size)
{
    json_t *answer = world_call(operation, body_with(rest));
    const char *text = json_string_value(json_object_get(answer, member));
    CU_ASSERT_STRING_EQUAL(world.type, "");
    CU_ASSERT_PTR_NOT_NULL(text);
    (void)snprintf(out, size, "%s", text == NULL ? "" : text);
    json_decref(answer);
}

static void a_key_policy_is_for_the_one_whom_it_named(void)
{
    char text[2048];
    begin();
    CU_ASSERT_TRUE(ends("DescribeKey", NULL, ""));
    as_ann(false);
    CU_ASSERT_TRUE(ends("DescribeKey", "AccessDeniedException", ""));
    world_put_condition(id, ANYBODY);
    as_root(false); /* a change of the key keeps it */
    CU_ASSERT_TRUE(ends("UpdateKeyDescription", NULL, ",\"Description\":\"d\""));
    take("GetKeyPolicy", "", "Policy", text, sizeof text);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "\"" ANN "\""));
    as_ann(false);
    CU_ASSERT_TRUE(ends("DescribeKey", NULL, ""));
    as_ann(true);
    CU_ASSERT_TRUE(ends("DescribeKey", "AccessDeniedException", ""));
    as_root(true);
    take("GetKeyPolicy", "", "Policy", text, sizeof text);
    CU_ASSERT_PTR_NULL(strstr(text, ANN));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "\"" ANN_ID "\""));
    json_t *back = json_pack("{s:s, s:s}", "KeyId", id, "Policy", text);
    json_decref(world_call_json("PutKeyPolicy", back)); /* nobody is named so */
    CU_ASSERT_STRING_EQUAL(world.type, "MalformedPolicyDocumentException");
    world_put_condition(id, ANYBODY);
    as_ann(true);
    CU_ASSERT_TRUE(ends("DescribeKey", NULL, ""));
    world_end();
}

static size_t grants_of(const char *rest, char *out_grantee, size_t size)
{
    json_t *answer = world_call("ListGrants", body_with(rest));
    const json_t *grants = json_object_get(answer, "Grants");
    const char *grantee =
        json_string_value(json_object_get(json_array_get(grants, 0), "GranteePrincipal"));
    size_t count = json_array_size(grants);
    (void)snprintf(out_grantee, size, "%s", grantee == NULL ? "" : grantee);
    json_decref(answer);
    return count;
}

static void a_grant_is_for_the_one_whom_it_named(void)
{
    char grantee[256], first[80], second[80];
    begin();
    take("CreateGrant", FOR_GRANT, "GrantId", first, sizeof first);
    as_ann(false);
    CU_ASSERT_TRUE(ends("DescribeKey", NULL, ""));
    as_ann(true);
    CU_ASSERT_TRUE(ends("DescribeKey", "AccessDeniedException", ""));
    char retire[256];
    (void)snprintf(retire, sizeof retire, ",\"GrantId\":\"%s\"", first);
    CU_ASSERT_TRUE(ends("RetireGrant", "AccessDeniedException", retire));
    as_root(false);
    CU_ASSERT_EQUAL(grants_of("", grantee, sizeof grantee), 1);
    CU_ASSERT_STRING_EQUAL(grantee, ANN);
    as_root(true);
    CU_ASSERT_EQUAL(grants_of("", grantee, sizeof grantee), 1);
    CU_ASSERT_STRING_EQUAL(grantee, ANN_ID);
    CU_ASSERT_EQUAL(grants_of(",\"GranteePrincipal\":\"" ANN "\"", grantee, sizeof grantee), 0);
    CU_ASSERT_EQUAL(grants_of(",\"GranteePrincipal\":\"" ANN_ID "\"", grantee, sizeof grantee), 1);
    take("CreateGrant", FOR_GRANT, "GrantId", second, sizeof second);
    CU_ASSERT_STRING_NOT_EQUAL(first, second); /* the name is the same, the request is not */
    CU_ASSERT_EQUAL(grants_of(",\"GranteePrincipal\":\"" ANN "\"", grantee, sizeof grantee), 1);
    as_ann(true);
    CU_ASSERT_TRUE(ends("DescribeKey", NULL, ""));
    as_ann(false);
    CU_ASSERT_TRUE(ends("RetireGrant", NULL, retire));
    world_end();
}

static void what_names_nobody_by_id_goes_by_ARN(void)
{
    begin();
    world_put_condition(id, ANYBODY);
    struct key *key = world_key(id); /* as a release without ids has left it */
    CU_ASSERT_PTR_NOT_NULL(key->policy_ids);
    json_decref(key->policy_ids);
    key->policy_ids = NULL;
    world_put_key(key);
    as_ann(true);
    CU_ASSERT_TRUE(ends("DescribeKey", NULL, ""));
    world_end();
}

UNIT_SUITE("kms/principal", UNIT_CASE(a_key_policy_is_for_the_one_whom_it_named),
           UNIT_CASE(a_grant_is_for_the_one_whom_it_named),
           UNIT_CASE(what_names_nobody_by_id_goes_by_ARN));

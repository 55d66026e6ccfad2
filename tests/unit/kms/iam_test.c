/* SPDX-License-Identifier: Apache-2.0 */
/* IAM by its query protocol: principals, policies, keys, groups, boundaries, tags, pages. */
#include <stdio.h>
#include <stdlib.h>

#include "kms/iam_form.h"
#include "tests/unit/kms/iam_world.h"
#include "tests/unit/unit.h"

#define POLICY                                                                                   \
    "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":\"kms:List*\"," \
    "\"Resource\":\"*\"}]}"
#define EDGE "arn:aws:iam::111122223333:policy/Edge"

/* As the root: `form` with %s taking the policy, percent-encoded. */
static unsigned with_policy(const char *form, const char *policy)
{
    char text[16384];
    const char *at = strstr(form, "%s");
    (void)snprintf(text, sizeof text, "%.*s%s%s", (int)(at - form), form, iam_world_encode(policy),
                   at + 2);
    return iam_world_call(&iam_world.root, "iam", text);
}

static void as_root(const char *form)
{
    iam_world_do(&iam_world.root, "iam", form);
}

static void make_edge(void)
{
    CU_ASSERT_EQUAL(with_policy("Action=CreatePolicy&PolicyName=Edge&PolicyDocument=%s", POLICY),
                    200);
}

static void refused(const char *form, unsigned status, const char *code)
{
    iam_world_call(&iam_world.root, "iam", form);
    iam_world_expect(status, code);
}

static void users_are_made_listed_renamed_and_deleted(void)
{
    struct iam_caller keys;
    char form[256];
    iam_world_begin(NULL);
    as_root("Action=CreateUser&UserName=alice&Path=%2Fteam%2F");
    CU_ASSERT_TRUE(iam_world_has("<Arn>arn:aws:iam::111122223333:user/team/alice</Arn>"));
    refused("Action=CreateUser&UserName=Alice", 409, "EntityAlreadyExists");
    CU_ASSERT_TRUE(iam_world_has("User with name Alice already exists."));
    refused("Action=CreateUser&UserName=a%2Fb", 400, "ValidationError");
    refused("Action=CreateUser&UserName=x&Path=nope", 400, "ValidationError");
    refused("Action=CreateUser", 400, "ValidationError");
    as_root("Action=GetUser&UserName=alice");
    refused("Action=GetUser&UserName=ALICE", 404, "NoSuchEntity");
    CU_ASSERT_TRUE(iam_world_has("The user with name ALICE cannot be found."));
    as_root("Action=CreateAccessKey&UserName=alice");
    iam_world_take(&keys);
    as_root("Action=UpdateUser&UserName=alice&NewUserName=alicia&NewPath=%2F");
    iam_world_do(&keys, "sts", "Action=GetCallerIdentity");
    CU_ASSERT_TRUE(iam_world_has("user/alicia</Arn>"));
    as_root("Action=ListUsers");
    CU_ASSERT_TRUE(iam_world_has("<UserName>alicia</UserName>"));
    refused("Action=DeleteUser&UserName=alicia", 409, "DeleteConflict");
    (void)snprintf(form, sizeof form, "Action=DeleteAccessKey&UserName=alicia&AccessKeyId=%s",
                   keys.key);
    as_root(form);
    as_root("Action=DeleteUser&UserName=alicia");
    refused("Action=GetUser&UserName=alicia", 404, "NoSuchEntity");
    iam_world_end();
}

static void lists_come_in_pages(void)
{
    char form[512], marker[256];
    unsigned seen = 0;
    iam_world_begin(NULL);
    for (int i = 0; i < 7; i++) {
        (void)snprintf(form, sizeof form, "Action=CreateUser&UserName=user%d", i);
        as_root(form);
    }
    (void)snprintf(form, sizeof form, "Action=ListUsers&MaxItems=3");
    for (int page = 0; page < 3; page++) {
        as_root(form);
        for (const char *at = iam_world.body; (at = strstr(at, "<UserName>")) != NULL; at++)
            seen++;
        iam_world_get("Marker", marker, sizeof marker);
        CU_ASSERT_EQUAL(marker[0] == '\0', page == 2);
        (void)snprintf(form, sizeof form, "Action=ListUsers&MaxItems=3&Marker=%s", marker);
    }
    CU_ASSERT_EQUAL(seen, 7);
    refused("Action=ListUsers&MaxItems=0", 400, "ValidationError");
    refused("Action=ListUsers&Marker=%21", 400, "ValidationError");
    iam_world_end();
}

static void inline_policies_are_kept_as_they_are(void)
{
    char document[1024];
    iam_world_begin(NULL);
    as_root("Action=CreateUser&UserName=u");
    CU_ASSERT_EQUAL(
        with_policy("Action=PutUserPolicy&UserName=u&PolicyName=p&PolicyDocument=%s", POLICY), 200);
    as_root("Action=GetUserPolicy&UserName=u&PolicyName=p");
    iam_world_get("PolicyDocument", document, sizeof document);
    CU_ASSERT_EQUAL(strncmp(document, "%7B%22Version%22%3A%222012-10-17%22%2C", 38), 0);
    as_root("Action=ListUserPolicies&UserName=u");
    CU_ASSERT_TRUE(iam_world_has("<PolicyNames><member>p</member></PolicyNames>"));
    with_policy("Action=PutUserPolicy&UserName=u&PolicyName=p&PolicyDocument=%s", "{\"a\":1}");
    iam_world_expect(400, "MalformedPolicyDocument");
    char large[3000];
    memset(large, 'x', sizeof large);
    large[sizeof large - 1] = '\0';
    with_policy("Action=PutUserPolicy&UserName=u&PolicyName=p&PolicyDocument=%s", large);
    iam_world_expect(409, "LimitExceeded");
    refused("Action=DeleteUser&UserName=u", 409, "DeleteConflict");
    as_root("Action=DeleteUserPolicy&UserName=u&PolicyName=p");
    refused("Action=GetUserPolicy&UserName=u&PolicyName=p", 404, "NoSuchEntity");
    as_root("Action=DeleteUser&UserName=u");
    iam_world_end();
}

static void a_policy_in_use_is_not_deleted(void)
{
    iam_world_begin(NULL);
    as_root("Action=CreateUser&UserName=u");
    make_edge();
    CU_ASSERT_TRUE(iam_world_has("<DefaultVersionId>v1</DefaultVersionId>"));
    as_root("Action=AttachUserPolicy&UserName=u&PolicyArn=" EDGE);
    as_root("Action=AttachUserPolicy&UserName=u&PolicyArn=" EDGE); /* as often as one likes */
    as_root("Action=GetPolicy&PolicyArn=" EDGE);
    CU_ASSERT_TRUE(iam_world_has("<AttachmentCount>1</AttachmentCount>"));
    refused("Action=DeletePolicy&PolicyArn=" EDGE, 409, "DeleteConflict");
    as_root("Action=ListAttachedUserPolicies&UserName=u");
    CU_ASSERT_TRUE(iam_world_has("<PolicyArn>" EDGE "</PolicyArn>"));
    as_root("Action=DetachUserPolicy&UserName=u&PolicyArn=" EDGE);
    refused("Action=DetachUserPolicy&UserName=u&PolicyArn=" EDGE, 404, "NoSuchEntity");
    as_root("Action=PutUserPermissionsBoundary&UserName=u&PermissionsBoundary=" EDGE);
    refused("Action=DeletePolicy&PolicyArn=" EDGE, 409, "DeleteConflict");
    as_root("Action=DeleteUserPermissionsBoundary&UserName=u");
    as_root("Action=DeletePolicy&PolicyArn=" EDGE);
    refused("Action=AttachUserPolicy&UserName=u&PolicyArn=" EDGE, 404, "NoSuchEntity");
    refused("Action=DeletePolicy&PolicyArn=arn:aws:iam::aws:policy/AdministratorAccess", 404,
            "NoSuchEntity");
    iam_world_end();
}

static void policies_have_up_to_five_versions(void)
{
    iam_world_begin(NULL);
    make_edge();
    for (int i = 0; i < 4; i++)
        CU_ASSERT_EQUAL(with_policy("Action=CreatePolicyVersion&SetAsDefault=true&PolicyArn=" EDGE
                                    "&PolicyDocument=%s",
                                    POLICY),
                        200);
    with_policy("Action=CreatePolicyVersion&PolicyArn=" EDGE "&PolicyDocument=%s", POLICY);
    iam_world_expect(409, "LimitExceeded");
    refused("Action=DeletePolicyVersion&VersionId=v5&PolicyArn=" EDGE, 409, "DeleteConflict");
    as_root("Action=SetDefaultPolicyVersion&VersionId=v2&PolicyArn=" EDGE);
    as_root("Action=DeletePolicyVersion&VersionId=v5&PolicyArn=" EDGE);
    as_root("Action=ListPolicyVersions&PolicyArn=" EDGE);
    CU_ASSERT_TRUE(
        iam_world_has("<VersionId>v2</VersionId><IsDefaultVersion>true</IsDefaultVersion>"));
    refused("Action=GetPolicyVersion&VersionId=v5&PolicyArn=" EDGE, 404, "NoSuchEntity");
    refused("Action=DeletePolicy&PolicyArn=" EDGE, 409, "DeleteConflict");
    CU_ASSERT_EQUAL(
        with_policy("Action=CreatePolicyVersion&PolicyArn=" EDGE "&PolicyDocument=%s", POLICY),
        200);
    CU_ASSERT_TRUE(iam_world_has("<VersionId>v6</VersionId>"));
    as_root("Action=GetPolicyVersion&VersionId=v1&PolicyArn=arn:aws:iam::aws:policy/"
            "AdministratorAccess");
    as_root("Action=ListPolicies");
    CU_ASSERT_TRUE(iam_world_has("<PolicyName>AdministratorAccess</PolicyName>"));
    CU_ASSERT_TRUE(iam_world_has("<PolicyName>Edge</PolicyName>"));
    iam_world_end();
}

static void groups_count_their_users(void)
{
    iam_world_begin(NULL);
    as_root("Action=CreateUser&UserName=u");
    as_root("Action=CreateGroup&GroupName=g");
    as_root("Action=AddUserToGroup&GroupName=g&UserName=u");
    as_root("Action=GetGroup&GroupName=g");
    CU_ASSERT_TRUE(iam_world_has("<Users><member><Path>/</Path><UserName>u</UserName>"));
    as_root("Action=ListGroupsForUser&UserName=u");
    CU_ASSERT_TRUE(iam_world_has("<GroupName>g</GroupName>"));
    refused("Action=DeleteGroup&GroupName=g", 409, "DeleteConflict");
    refused("Action=DeleteUser&UserName=u", 409, "DeleteConflict");
    as_root("Action=RemoveUserFromGroup&GroupName=g&UserName=u");
    refused("Action=RemoveUserFromGroup&GroupName=g&UserName=u", 404, "NoSuchEntity");
    as_root("Action=DeleteGroup&GroupName=g");
    as_root("Action=DeleteUser&UserName=u");
    iam_world_end();
}

static void roles_have_trust_and_tags(void)
{
    static const char trust[] = "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\","
                                "\"Principal\":{\"AWS\":\"111122223333\"},\"Action\":"
                                "\"sts:AssumeRole\"}]}";
    iam_world_begin(NULL);
    CU_ASSERT_EQUAL(with_policy("Action=CreateRole&RoleName=r&Description=A%20%26%20B&"
                                "Tags.member.1.Key=k&Tags.member.1.Value=v&"
                                "AssumeRolePolicyDocument=%s",
                                trust),
                    200);
    with_policy("Action=CreateRole&RoleName=r2&AssumeRolePolicyDocument=%s", POLICY);
    iam_world_expect(400, "MalformedPolicyDocument");
    as_root("Action=GetRole&RoleName=r");
    CU_ASSERT_TRUE(iam_world_has("<Tags><member><Key>k</Key><Value>v</Value></member></Tags>"));
    as_root("Action=UpdateRole&RoleName=r&MaxSessionDuration=43200");
    CU_ASSERT_TRUE(iam_world_has("<UpdateRoleResult></UpdateRoleResult>"));
    refused("Action=UpdateRole&RoleName=r&MaxSessionDuration=43201", 400, "ValidationError");
    CU_ASSERT_EQUAL(
        with_policy("Action=UpdateAssumeRolePolicy&RoleName=r&PolicyDocument=%s", trust), 200);
    as_root("Action=UntagRole&RoleName=r&TagKeys.member.1=k");
    as_root("Action=ListRoleTags&RoleName=r");
    CU_ASSERT_TRUE(iam_world_has("<Tags></Tags>"));
    refused("Action=TagRole&RoleName=r&Tags.member.1.Key=aws%3Ax&Tags.member.1.Value=v", 400,
            "InvalidInput");
    as_root("Action=ListRoles&PathPrefix=%2Fnone%2F");
    CU_ASSERT_TRUE(iam_world_has("<Roles></Roles>"));
    as_root("Action=DeleteRole&RoleName=r");
    iam_world_end();
}

static void users_have_two_keys_at_most(void)
{
    iam_world_begin(NULL);
    as_root("Action=CreateUser&UserName=u");
    as_root("Action=CreateAccessKey&UserName=u");
    as_root("Action=CreateAccessKey&UserName=u");
    refused("Action=CreateAccessKey&UserName=u", 409, "LimitExceeded");
    as_root("Action=ListAccessKeys&UserName=u&MaxItems=1");
    CU_ASSERT_TRUE(iam_world_has("<IsTruncated>true</IsTruncated>"));
    CU_ASSERT_PTR_NULL(strstr(iam_world.body, "SecretAccessKey"));
    as_root("Action=ListAccessKeys");
    CU_ASSERT_TRUE(iam_world_has("AKIAROOTROOTROOTROOT"));
    CU_ASSERT_PTR_NULL(strstr(iam_world.body, "AKIAOTHER"));
    refused("Action=GetAccessKeyLastUsed&AccessKeyId=AKIAOTHEROTHEROTHER2", 404, "NoSuchEntity");
    refused("Action=DeleteAccessKey&UserName=u&AccessKeyId=AKIAROOTROOTROOTROOT", 404,
            "NoSuchEntity");
    iam_world_end();
}

static void principals_without_rights_manage_nothing(void)
{
    static const char *const forms[] = {
        "Action=ListUsers",
        "Action=CreateUser&UserName=eve",
        "Action=GetUser&UserName=nobody",
        "Action=CreateAccessKey&UserName=mallory",
        "Action=CreateAccessKey",
        "Action=AttachUserPolicy&UserName=mallory&PolicyArn=arn:aws:iam::aws:policy/"
        "AdministratorAccess",
        "Action=DeleteGroup&GroupName=g",
        "Action=ListPolicies",
        "Action=SimulatePrincipalPolicy&ActionNames.member.1=kms:Encrypt&PolicySourceArn="
        "arn:aws:iam::111122223333:user/mallory"};
    struct iam_caller mallory;
    iam_world_begin(NULL);
    iam_world_user("mallory", &mallory);
    uint64_t index = iam_world.cluster.index;
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        iam_world_call(&mallory, "iam", forms[i]);
        iam_world_expect(403, "AccessDenied");
        CU_ASSERT_TRUE(iam_world_has("is not authorized to perform: iam:"));
    }
    CU_ASSERT_EQUAL(iam_world.cluster.index, index);
    iam_world_end();
}

static void accounts_do_not_see_each_other(void)
{
    iam_world_begin(NULL);
    as_root("Action=CreateUser&UserName=u");
    iam_world_call(&iam_world.other_root, "iam", "Action=GetUser&UserName=u");
    iam_world_expect(404, "NoSuchEntity");
    iam_world_do(&iam_world.other_root, "iam", "Action=ListUsers");
    CU_ASSERT_TRUE(iam_world_has("<Users></Users>"));
    make_edge();
    iam_world_do(&iam_world.other_root, "iam", "Action=CreateUser&UserName=x");
    iam_world_call(&iam_world.other_root, "iam",
                   "Action=AttachUserPolicy&UserName=x&PolicyArn=" EDGE);
    iam_world_expect(404, "NoSuchEntity");
    iam_world_call(&iam_world.other_root, "iam", "Action=DeletePolicy&PolicyArn=" EDGE);
    CU_ASSERT_NOT_EQUAL(iam_world.status, 200);
    iam_world_end();
}

static void simulations_say_what_policies_would(void)
{
    iam_world_begin(NULL);
    as_root("Action=CreateUser&UserName=u");
    CU_ASSERT_EQUAL(
        with_policy("Action=PutUserPolicy&UserName=u&PolicyName=p&PolicyDocument=%s", POLICY), 200);
    as_root("Action=SimulatePrincipalPolicy&PolicySourceArn=arn:aws:iam::111122223333:user/u&"
            "ActionNames.member.1=kms:ListKeys&ActionNames.member.2=kms:Encrypt");
    CU_ASSERT_TRUE(iam_world_has(
        "<EvalActionName>kms:ListKeys</EvalActionName><EvalResourceName>*</EvalResourceName>"
        "<EvalDecision>allowed</EvalDecision>"));
    CU_ASSERT_TRUE(iam_world_has(
        "<EvalActionName>kms:Encrypt</EvalActionName><EvalResourceName>*</EvalResourceName>"
        "<EvalDecision>implicitDeny</EvalDecision>"));
    refused("Action=SimulatePrincipalPolicy&ActionNames.member.1=kms:Encrypt&PolicySourceArn="
            "arn:aws:iam::111122223333:user/none",
            404, "NoSuchEntity");
    iam_world_end();
}

static void a_lost_swap_is_tried_again(void)
{
    iam_world_begin(NULL);
    as_root("Action=CreateUser&UserName=u");
    atomic_store(&iam_world.cluster.fail_change, RC_CONFLICT);
    as_root("Action=TagUser&UserName=u&Tags.member.1.Key=k&Tags.member.1.Value=v");
    as_root("Action=ListUserTags&UserName=u");
    CU_ASSERT_TRUE(iam_world_has("<Key>k</Key>"));
    atomic_store(&iam_world.cluster.fail_change, RC_NO_QUORUM);
    refused("Action=TagUser&UserName=u&Tags.member.1.Key=k2&Tags.member.1.Value=v", 503,
            "ServiceUnavailable");
    iam_world_end();
}

static void long_names_have_short_documents(void)
{
    char name[129], form[512];
    iam_world_begin(NULL);
    memset(name, 'p', 128);
    name[128] = '\0';
    (void)snprintf(form, sizeof form, "Action=CreateGroup&GroupName=%s", name);
    as_root(form);
    name[127] = 'q';
    (void)snprintf(form, sizeof form, "Action=CreateGroup&GroupName=%s", name);
    as_root(form);
    (void)snprintf(form, sizeof form, "Action=GetGroup&GroupName=%s", name);
    as_root(form);
    CU_ASSERT_TRUE(iam_world_has(name));
    (void)snprintf(form, sizeof form, "Action=CreateGroup&GroupName=%sx", name);
    refused(form, 400, "ValidationError");
    iam_world_end();
}

/* ---- what a call says of itself to conditions */

static void let(const char *user, const char *statement)
{
    char policy[2048], form[4096];
    (void)snprintf(policy, sizeof policy, "{\"Version\":\"2012-10-17\",\"Statement\":[%s]}",
                   statement);
    (void)snprintf(form, sizeof form,
                   "Action=PutUserPolicy&UserName=%s&PolicyName=p&PolicyDocument=%%s", user);
    CU_ASSERT_EQUAL(with_policy(form, policy), 200);
}

static void refused_to(const struct iam_caller *caller, const char *form)
{
    iam_world_call(caller, "iam", form);
    iam_world_expect(403, "AccessDenied");
}

#define PUT_POLICY                                                                              \
    "Action=PutUserPolicy&UserName=u&PolicyName=q&PolicyDocument=%7B%22Statement%22%3A"         \
    "%7B%22Effect%22%3A%22Allow%22%2C%22Action%22%3A%22kms%3AList%2A%22%2C%22Resource%22%3A%22" \
    "%2A%22%7D%7D"

/* A clerk, whom it is about, the user u and the policy EDGE. */
static void begin_with_clerk(struct iam_caller *out)
{
    iam_world_begin(NULL);
    iam_world_user("clerk", out);
    as_root("Action=CreateUser&UserName=u");
    make_edge();
}

static void the_boundary_that_counts_is_the_targets(void)
{
    struct iam_caller clerk;
    begin_with_clerk(&clerk);
    let("clerk", "{\"Effect\":\"Allow\",\"Action\":\"iam:*\",\"Resource\":\"*\",\"Condition\":"
                 "{\"StringEquals\":{\"iam:PermissionsBoundary\":\"" EDGE "\"}}}");
    refused_to(&clerk, PUT_POLICY "&PermissionsBoundary=" EDGE);
    refused_to(&clerk, "Action=CreateUser&UserName=free");
    iam_world_do(&clerk, "iam", "Action=CreateUser&UserName=bound&PermissionsBoundary=" EDGE);
    iam_world_do(&clerk, "iam",
                 "Action=PutUserPermissionsBoundary&UserName=u&PermissionsBoundary=" EDGE);
    iam_world_do(&clerk, "iam", PUT_POLICY);
    refused_to(&clerk, "Action=PutUserPermissionsBoundary&UserName=u&PermissionsBoundary="
                       "arn:aws:iam::aws:policy/AdministratorAccess");
    iam_world_do(&clerk, "iam", "Action=DeleteUserPermissionsBoundary&UserName=u");
    refused_to(&clerk, PUT_POLICY);
    iam_world_end();
}

static void parameters_that_an_action_does_not_read_meet_no_condition(void)
{
    struct iam_caller clerk;
    begin_with_clerk(&clerk);
    let("clerk", "{\"Effect\":\"Allow\",\"Action\":\"iam:*\",\"Resource\":\"*\",\"Condition\":"
                 "{\"ArnEquals\":{\"iam:PolicyARN\":\"" EDGE "\"}}}");
    refused_to(&clerk, PUT_POLICY "&PolicyArn=" EDGE);
    iam_world_do(&clerk, "iam", "Action=AttachUserPolicy&UserName=u&PolicyArn=" EDGE);
    iam_world_do(&clerk, "iam", "Action=DetachUserPolicy&UserName=u&PolicyArn=" EDGE);
    let("clerk", "{\"Effect\":\"Allow\",\"Action\":\"iam:*\",\"Resource\":\"*\",\"Condition\":"
                 "{\"StringEquals\":{\"aws:RequestTag/team\":\"blue\"}}}");
    refused_to(&clerk, PUT_POLICY "&Tags.member.1.Key=team&Tags.member.1.Value=blue");
    iam_world_do(&clerk, "iam",
                 "Action=TagUser&UserName=u&Tags.member.1.Key=team&Tags.member.1.Value=blue");
    let("clerk", "{\"Effect\":\"Allow\",\"Action\":\"iam:*\",\"Resource\":\"*\"},{\"Effect\":"
                 "\"Deny\",\"Action\":\"iam:UntagUser\",\"Resource\":\"*\",\"Condition\":"
                 "{\"ForAnyValue:StringEquals\":{\"aws:TagKeys\":\"team\"}}}");
    refused_to(&clerk, "Action=UntagUser&UserName=u&TagKeys.member.1=team");
    iam_world_do(&clerk, "iam", "Action=UntagUser&UserName=u&TagKeys.member.1=other");
    iam_world_end();
}

static void tag_keys_have_no_case(void)
{
    iam_world_begin(NULL);
    as_root("Action=CreateUser&UserName=u");
    refused("Action=TagUser&UserName=u&Tags.member.1.Key=team&Tags.member.1.Value=a&"
            "Tags.member.2.Key=Team&Tags.member.2.Value=b",
            400, "InvalidInput");
    CU_ASSERT_TRUE(iam_world_has("Tag keys are case insensitive."));
    as_root("Action=TagUser&UserName=u&Tags.member.1.Key=team&Tags.member.1.Value=a");
    as_root("Action=TagUser&UserName=u&Tags.member.1.Key=TEAM&Tags.member.1.Value=b");
    as_root("Action=ListUserTags&UserName=u");
    CU_ASSERT_TRUE(iam_world_has("<Tags><member><Key>TEAM</Key><Value>b</Value></member></Tags>"));
    as_root("Action=UntagUser&UserName=u&TagKeys.member.1=Team");
    as_root("Action=ListUserTags&UserName=u");
    CU_ASSERT_TRUE(iam_world_has("<Tags></Tags>"));
    iam_world_end();
}

static size_t count_values(const json_t *value)
{
    size_t count = 1;
    const char *key;
    json_t *item;
    size_t i;
    json_object_foreach((json_t *)(uintptr_t)value, key, item) count += count_values(item);
    json_array_foreach(value, i, item) count += count_values(item);
    return count;
}

static void the_trail_of_a_form_is_no_larger_than_the_form(void)
{
    static struct iam_form form;
    AUTO_BUF text = BUF_INIT;
    for (int i = 0; i < 300; i++)
        UNIT_OK(buf_printf(&text, "k%d.member.1024.a.member.1024=x&", i));
    CU_ASSERT_TRUE_FATAL(iam_form_parse(buf_bytes(&text), &form));
    json_t *trail = iam_form_trail(&form);
    CU_ASSERT_TRUE(count_values(trail) < 10 * form.count);
    json_decref(trail);
    iam_form_clear(&form);
    /* sorted, as some clients send them */
    CU_ASSERT_TRUE_FATAL(iam_form_parse(
        bytes_of_str("a.member.10=j&a.member.1=a&a.member.2=b&a.member.3=c&a.member.4=d&"
                     "a.member.5=e&a.member.6=f&a.member.7=g&a.member.8=h&a.member.9=i"),
        &form));
    trail = iam_form_trail(&form);
    const json_t *list = json_object_get(trail, "a");
    CU_ASSERT_EQUAL_FATAL(json_array_size(list), 10);
    CU_ASSERT_STRING_EQUAL(json_string_value(json_array_get(list, 9)), "j");
    CU_ASSERT_STRING_EQUAL(json_string_value(json_array_get(list, 1)), "b");
    json_decref(trail);
    iam_form_clear(&form);
}

static enum kms_error check_form(const char *text)
{
    static struct iam_form form;
    CU_ASSERT_TRUE_FATAL(iam_form_parse(bytes_of_str(text), &form));
    enum kms_error error = iam_form_check(&form);
    iam_form_clear(&form);
    return error;
}

/* Else a session's policy that is given twice, or as the second of none, would bound nothing. */
static void a_form_says_each_thing_once_and_leaves_no_gap(void)
{
    static const char *const good[] = {
        "",
        "a=1&b=2",
        "a.member.2=y&a.member.1=x&a.member.4=d&a.member.3=c",
        "Tags.member.1.Key=k&Tags.member.1.Value=v&Tags.member.2.Key=l&Tags.member.2.Value=w",
        "memberName=x&a.members.7=y",
    };
    static const char *const bad[] = {"a=1&a=1",
                                      "a=1&b=2&%61=3",
                                      "a&a",
                                      "PolicyArns.member.2.arn=x",
                                      "a.member.0=x",
                                      "a.member.01=x",
                                      "a.member.=x",
                                      "a.member.1x=x",
                                      "a.member.-1=x",
                                      "a.member.1=x&a.member.3=y",
                                      "a.member.10=x&a.member.11=y",
                                      "a.member.1.b.member.2=x",
                                      "a.member.99999999999999999999=x"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        CU_ASSERT_EQUAL(check_form(good[i]), KMS_OK);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        CU_ASSERT_EQUAL(check_form(bad[i]), KMS_VALIDATION);
    iam_world_begin(NULL);
    refused("Action=CreateAccessKey&UserName=u&UserName=u", 400, "ValidationError");
    iam_world_end();
}

static void a_user_is_moved_by_those_who_may_use_both_names(void)
{
    struct iam_caller clerk;
    iam_world_begin(NULL);
    iam_world_user("clerk", &clerk);
    as_root("Action=CreateUser&UserName=u&Path=%2Fteam%2F");
    let("clerk", "{\"Effect\":\"Allow\",\"Action\":\"iam:UpdateUser\",\"Resource\":"
                 "\"arn:aws:iam::111122223333:user/team/*\"}");
    refused_to(&clerk, "Action=UpdateUser&UserName=u&NewPath=%2Fadmin%2F");
    refused_to(&clerk, "Action=UpdateUser&UserName=u&NewPath=%2F&NewUserName=boss");
    iam_world_do(&clerk, "iam", "Action=UpdateUser&UserName=u&NewUserName=v");
    iam_world_do(&clerk, "iam", "Action=UpdateUser&UserName=v&NewPath=%2Fteam%2Fb%2F");
    iam_world_end();
}

static void policies_within_the_quotas_lock_nobody_out(void)
{
    struct iam_caller clerk;
    char form[512];
    iam_world_begin(NULL);
    iam_world_user("clerk", &clerk);
    for (int i = 0; i < 10; i++) {
        (void)snprintf(form, sizeof form, "Action=CreateGroup&GroupName=g%d", i);
        as_root(form);
        for (int j = 0; j < 10; j++) {
            (void)snprintf(form, sizeof form,
                           "Action=PutGroupPolicy&GroupName=g%d&PolicyName=p%d&PolicyDocument=%%s",
                           i, j);
            CU_ASSERT_EQUAL(with_policy(form, POLICY), 200);
        }
        (void)snprintf(form, sizeof form, "Action=AddUserToGroup&GroupName=g%d&UserName=clerk", i);
        as_root(form);
    }
    let("clerk", "{\"Effect\":\"Allow\",\"Action\":\"iam:ListUsers\",\"Resource\":\"*\"}");
    iam_world_do(&clerk, "iam", "Action=ListUsers");
    iam_world_end();
}

static void rights_taken_elsewhere_do_not_change_anything(void)
{
    static const char path[] = "iam/" IAM_WORLD_ACCOUNT "/user/clerk";
    struct iam_caller clerk;
    iam_world_begin(NULL);
    iam_world_user("clerk", &clerk);
    char *before = strdup(fake_cluster_document(&iam_world.cluster, path)->value);
    let("clerk", "{\"Effect\":\"Allow\",\"Action\":\"iam:*\",\"Resource\":\"*\"}");
    iam_world_do(&clerk, "iam", "Action=CreateUser&UserName=a");
    fake_cluster_put(&iam_world.cluster, path, before); /* by another front end */
    refused_to(&clerk, "Action=CreateUser&UserName=b");
    free(before);
    iam_world_end();
}

UNIT_SUITE(
    "kms/iam", UNIT_CASE(users_are_made_listed_renamed_and_deleted), UNIT_CASE(lists_come_in_pages),
    UNIT_CASE(inline_policies_are_kept_as_they_are), UNIT_CASE(a_policy_in_use_is_not_deleted),
    UNIT_CASE(policies_have_up_to_five_versions), UNIT_CASE(groups_count_their_users),
    UNIT_CASE(roles_have_trust_and_tags), UNIT_CASE(users_have_two_keys_at_most),
    UNIT_CASE(principals_without_rights_manage_nothing), UNIT_CASE(accounts_do_not_see_each_other),
    UNIT_CASE(simulations_say_what_policies_would), UNIT_CASE(a_lost_swap_is_tried_again),
    UNIT_CASE(long_names_have_short_documents), UNIT_CASE(the_boundary_that_counts_is_the_targets),
    UNIT_CASE(parameters_that_an_action_does_not_read_meet_no_condition),
    UNIT_CASE(tag_keys_have_no_case), UNIT_CASE(the_trail_of_a_form_is_no_larger_than_the_form),
    UNIT_CASE(a_form_says_each_thing_once_and_leaves_no_gap),
    UNIT_CASE(a_user_is_moved_by_those_who_may_use_both_names),
    UNIT_CASE(policies_within_the_quotas_lock_nobody_out),
    UNIT_CASE(rights_taken_elsewhere_do_not_change_anything));

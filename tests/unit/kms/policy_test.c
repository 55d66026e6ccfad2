/* SPDX-License-Identifier: Apache-2.0 */
/* Policies: what the parser takes and refuses, and what a policy says of a request. */
#include "kms/policy.h"

#include <stdio.h>
#include <time.h>

#include "common/buf.h"
#include "tests/unit/kms/policy_facts.h"
#include "tests/unit/unit.h"

#define ALICE   "arn:aws:iam::111122223333:user/alice"
#define ROLE    "arn:aws:iam::111122223333:role/worker"
#define SESSION "arn:aws:sts::111122223333:assumed-role/worker/s1"
#define KEY     "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"

static const struct policy_principal alice = {.arn = ALICE, .account = "111122223333"};
static const struct policy_principal root = {.arn = "arn:aws:iam::111122223333:root",
                                             .account = "111122223333"};
static const struct policy_principal session = {
    .arn = SESSION, .role_arn = ROLE, .account = "111122223333"};
static const struct policy_principal stranger = {.arn = "arn:aws:iam::444455556666:user/alice",
                                                 .account = "444455556666"};
static const struct policy_principal service = {.arn = "secretsmanager.amazonaws.com",
                                                .account = "",
                                                .service = "secretsmanager.amazonaws.com"};

static struct policy *parsed(enum policy_kind kind, const char *text)
{
    struct policy *policy = NULL;
    enum kms_error error = policy_parse(kind, text, strlen(text), &policy);
    if (error != KMS_OK)
        printf("%s\n   %s\n", text, kms_error_text());
    CU_ASSERT_EQUAL_FATAL(error, KMS_OK);
    return policy;
}

static void refused(enum policy_kind kind, const char *text, const char *part)
{
    struct policy *policy = NULL;
    enum kms_error error = policy_parse(kind, text, strlen(text), &policy);
    bool says = error == KMS_MALFORMED_POLICY && strstr(kms_error_text(), part) != NULL;
    if (!says)
        printf("%s\n   %d %s\n", text, (int)error, error == KMS_OK ? "" : kms_error_text());
    CU_ASSERT(says);
    CU_ASSERT_PTR_NULL(policy);
}

static struct policy_match matched(enum policy_kind kind, const char *text,
                                   const struct policy_principal *who, const char *action,
                                   const char *resource, struct facts facts)
{
    static char sid[64];
    struct policy *policy = parsed(kind, text);
    struct policy_request request = {.principal = who,
                                     .action = action,
                                     .resource = resource,
                                     .lookup = facts_lookup,
                                     .context = &facts};
    struct policy_match match;
    policy_evaluate(policy, &request, &match);
    (void)snprintf(sid, sizeof sid, "%s", match.sid);
    match.sid = sid;
    policy_free(policy);
    return match;
}

static enum policy_effect identity(const char *statement, const char *action, const char *resource)
{
    char text[2000];
    (void)snprintf(text, sizeof text, "{\"Version\":\"2012-10-17\",\"Statement\":{%s}}", statement);
    return matched(POLICY_IDENTITY, text, &alice, action, resource,
                   FACTS(FACT("aws:username", "alice"), FACT("aws:PrincipalTag/team", "red"),
                         FACT("x:star", "*"), FACT_MANY("x:many", "a", "b")))
        .effect;
}

static enum policy_effect of_key(const char *statement, const struct policy_principal *who)
{
    char text[2000];
    (void)snprintf(text, sizeof text,
                   "{\"Version\":\"2012-10-17\",\"Statement\":[{%s,\"Action\":\"kms:*\","
                   "\"Resource\":\"*\"}]}",
                   statement);
    return matched(POLICY_RESOURCE, text, who, "kms:Encrypt", KEY, NO_FACTS).effect;
}

/* ---- the parser */

static void default_policy_delegates_to_the_account(void)
{
    AUTO_BUF text = BUF_INIT;
    UNIT_OK(policy_default("111122223333", &text));
    struct policy_match match =
        matched(POLICY_RESOURCE, buf_str(&text), &alice, "kms:Decrypt", KEY, NO_FACTS);
    CU_ASSERT_EQUAL(match.effect, POLICY_ALLOW);
    CU_ASSERT(match.through_account);
    CU_ASSERT_STRING_EQUAL(match.sid, "Enable IAM User Permissions");
    match = matched(POLICY_RESOURCE, buf_str(&text), &stranger, "kms:Decrypt", KEY, NO_FACTS);
    CU_ASSERT_EQUAL(match.effect, POLICY_NOTHING);
    CU_ASSERT_EQUAL(match.statement, -1);
}

static void policy_of_a_services_key_goes_by_the_service_alone(void)
{
    AUTO_BUF text = BUF_INIT;
    UNIT_OK(policy_default_managed("111122223333", "us-east-1", "s3", &text));
    const char *json = buf_str(&text);
    CU_ASSERT_EQUAL(matched(POLICY_RESOURCE, json, &alice, "kms:Decrypt", KEY,
                            FACTS(FACT("kms:CallerAccount", "111122223333")))
                        .effect,
                    POLICY_NOTHING);
    CU_ASSERT_EQUAL(matched(POLICY_RESOURCE, json, &alice, "kms:Decrypt", KEY,
                            FACTS(FACT("kms:CallerAccount", "111122223333"),
                                  FACT("kms:ViaService", "s3.us-east-1.amazonaws.com")))
                        .effect,
                    POLICY_ALLOW);
    CU_ASSERT_EQUAL(matched(POLICY_RESOURCE, json, &alice, "kms:DescribeKey", KEY, NO_FACTS).effect,
                    POLICY_ALLOW);
    CU_ASSERT_EQUAL(
        matched(POLICY_RESOURCE, json, &alice, "kms:PutKeyPolicy", KEY, NO_FACTS).effect,
        POLICY_NOTHING);
}

static void what_is_no_json_is_refused_with_its_place(void)
{
    refused(POLICY_RESOURCE, "", "line 1");
    refused(POLICY_RESOURCE, "{\"Version\":", "Syntax errors in policy");
    refused(POLICY_RESOURCE, "[]", "a policy is an object");
    refused(POLICY_RESOURCE, "{\"Version\":\"2012-10-17\",\"Version\":\"2012-10-17\"}",
            "duplicate");
    refused(POLICY_IDENTITY, "{\"Statement\":[]}", "Statement is empty");
    refused(POLICY_IDENTITY, "{}", "Missing required field Statement");
    refused(POLICY_IDENTITY, "{\"Statement\":[3]}", "statement 1");
    refused(POLICY_IDENTITY, "{\"Version\":\"2012-10-18\",\"Statement\":[]}", "version string");
    refused(POLICY_IDENTITY, "{\"Id\":3,\"Statement\":[]}", "Id must be a string");
    refused(POLICY_IDENTITY, "{\"Statements\":[]}", "unknown element \"Statements\"");
}

#define ALLOW "\"Effect\":\"Allow\",\"Action\":\"kms:*\",\"Resource\":\"*\""
static void statement_without_its_parts_is_refused(void)
{
    refused(POLICY_IDENTITY, "{\"Statement\":{\"Action\":\"kms:*\",\"Resource\":\"*\"}}",
            "Missing required field Effect (statement 1)");
    refused(POLICY_IDENTITY,
            "{\"Statement\":{\"Effect\":\"allow\",\"Action\":\"kms:*\",\"Resource\":\"*\"}}",
            "Invalid effect: allow");
    refused(POLICY_IDENTITY, "{\"Statement\":{\"Effect\":\"Allow\",\"Resource\":\"*\"}}",
            "must contain actions");
    refused(POLICY_IDENTITY, "{\"Statement\":{\"Effect\":\"Allow\",\"Action\":\"kms:*\"}}",
            "must contain resources");
    refused(POLICY_IDENTITY, "{\"Statement\":{" ALLOW ",\"Principal\":\"*\"}}",
            "should not specify a principal");
    refused(POLICY_RESOURCE, "{\"Statement\":{" ALLOW "}}", "Missing required field Principal");
    refused(POLICY_TRUST, "{\"Statement\":{" ALLOW ",\"Principal\":\"*\"}}",
            "Has prohibited field Resource");
    refused(POLICY_IDENTITY, "{\"Statement\":{" ALLOW ",\"NotAction\":\"kms:*\"}}", "NotAction");
    refused(POLICY_IDENTITY, "{\"Statement\":{" ALLOW ",\"NotResource\":\"*\"}}", "NotResource");
    refused(POLICY_IDENTITY, "{\"Statement\":{" ALLOW ",\"Resources\":\"*\"}}",
            "unknown element \"Resources\"");
    refused(POLICY_RESOURCE, "{\"Statement\":{" ALLOW ",\"NotPrincipal\":{\"AWS\":\"*\"}}}",
            "NotPrincipal must be used with Effect Deny");
    refused(POLICY_IDENTITY,
            "{\"Statement\":[{" ALLOW ",\"Sid\":\"a\"},{" ALLOW ",\"Sid\":\"a\"}]}",
            "must be unique");
    refused(POLICY_IDENTITY, "{\"Statement\":[{" ALLOW ",\"Sid\":\"a b\"}]}", "alpha-numeric");
    refused(POLICY_IDENTITY, "{\"Statement\":[{" ALLOW ",\"Sid\":1}]}", "Sid");
    policy_free(parsed(POLICY_RESOURCE,
                       "{\"Statement\":[{\"Sid\":\"a b\",\"Principal\":\"*\"," ALLOW "}]}"));
}

static void actions_and_resources_are_of_their_form(void)
{
    static const char *const actions[] = {"\"Encrypt\"",  "\"\"", "[]",   "[\"kms:\"]",
                                          "\":Encrypt\"", "3",    "[3]",  "\"kms:a b\"",
                                          "\"kms:a:b\"",  "{}",   "null", "\"k*:Encrypt\""};
    static const char *const resources[] = {"\"key/1\"",      "[]",      "\"\"", "7",
                                            "[\"*\", \"x\"]", "\"arn:\""};
    char text[300];
    for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++) {
        (void)snprintf(text, sizeof text,
                       "{\"Statement\":{\"Effect\":\"Allow\",\"Action\":%s,\"Resource\":\"*\"}}",
                       actions[i]);
        refused(POLICY_IDENTITY, text, "");
    }
    for (size_t i = 0; i < sizeof resources / sizeof resources[0]; i++) {
        (void)snprintf(text, sizeof text,
                       "{\"Statement\":{\"Effect\":\"Allow\",\"Action\":\"*\",\"Resource\":%s}}",
                       resources[i]);
        refused(POLICY_IDENTITY, text, "");
    }
}

static void principals_are_of_their_form(void)
{
    static const char *const wrong[] = {
        "\"alice\"",
        "{}",
        "[]",
        "{\"AWS\":[]}",
        "{\"AWS\":3}",
        "{\"AWS\":\"\"}",
        "{\"AWS\":\"12345678901\"}",
        "{\"AWS\":\"arn:aws:iam::111122223333:user/*\"}",
        "{\"AWS\":\"arn:aws:iam::111122223333:group/a\"}",
        "{\"AWS\":\"arn:aws:iam::11112222333:root\"}",
        "{\"AWS\":\"arn:aws:iam::111122223333:user/\"}",
        "{\"AWS\":\"arn:aws:sts::111122223333:root\"}",
        "{\"AWS\":\"arn:aws:s3:::bucket\"}",
        "{\"Service\":\"*\"}",
        "{\"Service\":\"kms\"}",
        "{\"CanonicalUser\":\"a\"}",
        "{\"aws\":\"*\"}",
    };
    char text[400];
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        (void)snprintf(text, sizeof text, "{\"Statement\":{" ALLOW ",\"Principal\":%s}}", wrong[i]);
        refused(POLICY_RESOURCE, text, "Invalid principal in policy");
    }
    policy_free(parsed(POLICY_RESOURCE,
                       "{\"Statement\":{" ALLOW ",\"Principal\":{\"AWS\":[\"111122223333\",\"" ALICE
                       "\",\"arn:aws-cn:iam::111122223333:role/p/r\"],\"Service\":"
                       "\"s3.amazonaws.com\",\"Federated\":\"cognito-identity.amazonaws.com\"}}}"));
}

static void conditions_are_of_their_form(void)
{
    static const char *const wrong[] = {
        "3",
        "{\"StringEquals\":3}",
        "{\"StringEqual\":{\"a:b\":\"c\"}}",
        "{\"stringequals\":{\"a:b\":\"c\"}}",
        "{\"NullIfExists\":{\"a:b\":\"true\"}}",
        "{\"ForAnyValue:Null\":{\"a:b\":\"true\"}}",
        "{\"ForAny:StringEquals\":{\"a:b\":\"true\"}}",
        "{\"StringEquals\":{\"a\":\"c\"}}",
        "{\"StringEquals\":{\"a:\":\"c\"}}",
        "{\"StringEquals\":{\"a:b\":[]}}",
        "{\"StringEquals\":{\"a:b\":{}}}",
        "{\"StringEquals\":{\"a:b\":null}}",
        "{\"StringEquals\":{\"a:b\":\"c\"},\"StringEquals\":{\"a:b\":\"c\"}}",
        "{\"Bool\":{\"a:b\":\"yes\"}}",
        "{\"Null\":{\"a:b\":\"maybe\"}}",
        "{\"NumericEquals\":{\"a:b\":\"12x\"}}",
        "{\"NumericEquals\":{\"a:b\":\"\"}}",
        "{\"NumericEquals\":{\"a:b\":\"1e999\"}}",
        "{\"DateLessThan\":{\"a:b\":\"2020-13-01T00:00:00Z\"}}",
        "{\"DateLessThan\":{\"a:b\":\"yesterday\"}}",
        "{\"IpAddress\":{\"a:b\":\"10.0.0.0/33\"}}",
        "{\"IpAddress\":{\"a:b\":\"10.0.0/8\"}}",
        "{\"IpAddress\":{\"a:b\":\"2001:db8::/129\"}}",
        "{\"IpAddress\":{\"a:b\":\"10.0.0.0/\"}}",
        "{\"BinaryEquals\":{\"a:b\":\"?\"}}",
    };
    char text[400];
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        (void)snprintf(text, sizeof text, "{\"Statement\":{" ALLOW ",\"Condition\":%s}}", wrong[i]);
        refused(POLICY_IDENTITY, text, "");
    }
    refused(POLICY_IDENTITY,
            "{\"Statement\":{" ALLOW ",\"Condition\":{\"Bool\":{\"aws:SecureTransport\":\"on\"}}}}",
            "Invalid value \"on\" for Bool on condition key aws:SecureTransport");
}

static void variables_are_of_their_form(void)
{
    static const char *const wrong[] = {"arn:${aws:username",   "arn:${}",
                                        "arn:${username}",      "arn:${aws:username, x}",
                                        "arn:${aws:a${aws:b}}", "arn:${aws:username,'x}"};
    char text[300];
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        (void)snprintf(text, sizeof text,
                       "{\"Version\":\"2012-10-17\",\"Statement\":{\"Effect\":\"Allow\","
                       "\"Action\":\"*\",\"Resource\":\"%s\"}}",
                       wrong[i]);
        refused(POLICY_IDENTITY, text, "policy variable in");
    }
}

static void a_policy_that_is_too_long_is_refused(void)
{
    static char text[140000];
    memset(text, ' ', sizeof text - 1);
    refused(POLICY_IDENTITY, text, "too long");
}

/* ---- what matches */

static void actions_match_with_wildcards_and_without_case(void)
{
    static const struct {
        const char *pattern, *action;
        bool fits;
    } cases[] = {
        {"kms:Encrypt", "kms:Encrypt", true},
        {"KMS:encrypt", "kms:Encrypt", true},
        {"kms:Encryp", "kms:Encrypt", false},
        {"kms:*", "kms:Encrypt", true},
        {"*", "iam:CreateUser", true},
        {"kms:*", "iam:CreateUser", false},
        {"kms:?ncrypt", "kms:Encrypt", true},
        {"kms:?Encrypt", "kms:Encrypt", false},
        {"kms:*crypt", "kms:ReEncrypt", true},
        {"kms:ReEncrypt*", "kms:ReEncryptFrom", true},
        {"kms:G*Key*", "kms:GenerateDataKeyPair", true},
        {"kms:G*Key", "kms:GenerateDataKeyPair", false},
        {"kms:**t", "kms:Encrypt", true},
        {"kms:*x*", "kms:Encrypt", false},
    };
    char text[300];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        (void)snprintf(text, sizeof text,
                       "\"Effect\":\"Allow\",\"Action\":[\"s3:Get\",\"%s\"],\"Resource\":\"*\"",
                       cases[i].pattern);
        CU_ASSERT_EQUAL(identity(text, cases[i].action, KEY),
                        cases[i].fits ? POLICY_ALLOW : POLICY_NOTHING);
        (void)snprintf(text, sizeof text,
                       "\"Effect\":\"Deny\",\"NotAction\":[\"s3:Get\",\"%s\"],\"Resource\":\"*\"",
                       cases[i].pattern);
        CU_ASSERT_EQUAL(identity(text, cases[i].action, KEY),
                        cases[i].fits ? POLICY_NOTHING : POLICY_DENY);
    }
}

static void resources_match_with_wildcards_and_variables(void)
{
    static const struct {
        const char *pattern, *resource;
        bool fits;
    } cases[] = {
        {"*", "*", true},
        {"*", KEY, true},
        {KEY, KEY, true},
        {"arn:aws:kms:*:111122223333:key/*", KEY, true},
        {"arn:aws:kms:us-east-?:111122223333:key/*", KEY, true},
        {"arn:AWS:kms:*", KEY, false},
        {"arn:aws:kms:us-east-1:111122223333:key/1234ABCD*", KEY, false},
        {"arn:${aws:username}", "arn:alice", true},
        {"arn:${aws:username}/x", "arn:alice", false},
        {"arn:${AWS:UserName}*", "arn:alice-1", true},
        {"arn:${aws:PrincipalTag/team}/?", "arn:red/x", true},
        {"arn:${aws:nothing}", "arn:", false},
        {"arn:${aws:nothing, 'x y'}", "arn:x y", true},
        {"arn:${aws:nothing,''}!", "arn:!", true},
        {"arn:${aws:username, 'bob'}", "arn:bob", false},
        {"arn:${*}", "arn:*", true},
        {"arn:${*}", "arn:x", false},
        {"arn:${?}${$}{", "arn:?${", true},
        {"arn:${x:star}", "arn:abc", false},
        {"arn:${x:star}", "arn:*", true},
        {"arn:${x:many}", "arn:a", false},
        {"arn:?", "arn:\xc3\xa4", true},
        {"arn:??", "arn:\xc3\xa4", false},
        {"arn:$x", "arn:$x", true},
    };
    char text[400];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        (void)snprintf(
            text, sizeof text,
            "\"Effect\":\"Allow\",\"Action\":\"*\",\"Resource\":[\"arn:aws:s3:::b\",\"%s\"]",
            cases[i].pattern);
        bool fits = identity(text, "kms:Encrypt", cases[i].resource) == POLICY_ALLOW;
        if (fits != cases[i].fits)
            printf("%s against %s\n", cases[i].pattern, cases[i].resource);
        CU_ASSERT_EQUAL(fits, cases[i].fits);
    }
}

static void a_variable_without_value_opens_nothing(void)
{
    CU_ASSERT_EQUAL(
        identity("\"Effect\":\"Allow\",\"Action\":\"*\",\"NotResource\":\"arn:${aws:none}\"",
                 "kms:Encrypt", KEY),
        POLICY_NOTHING);
    CU_ASSERT_EQUAL(
        identity("\"Effect\":\"Deny\",\"Action\":\"*\",\"NotResource\":\"arn:${aws:none}\"",
                 "kms:Encrypt", KEY),
        POLICY_DENY);
    CU_ASSERT_EQUAL(identity(ALLOW ",\"Condition\":{\"StringNotEquals\":{\"aws:username\":"
                                   "\"${aws:none}\"}}",
                             "kms:Encrypt", KEY),
                    POLICY_NOTHING);
}

static void variables_are_text_in_the_older_version(void)
{
    const char *text = "{\"Version\":\"2008-10-17\",\"Statement\":{\"Effect\":\"Allow\",\"Action\":"
                       "\"*\",\"Resource\":\"arn:${aws:username}\"}}";
    struct facts facts = FACTS(FACT("aws:username", "alice"));
    CU_ASSERT_EQUAL(
        matched(POLICY_IDENTITY, text, &alice, "kms:Encrypt", "arn:alice", facts).effect,
        POLICY_NOTHING);
    CU_ASSERT_EQUAL(
        matched(POLICY_IDENTITY, text, &alice, "kms:Encrypt", "arn:${aws:username}", facts).effect,
        POLICY_ALLOW);
}

static void principals_name_users_roles_sessions_accounts_and_services(void)
{
    static const struct {
        const char *principal;
        const struct policy_principal *who;
        enum policy_effect effect;
    } cases[] = {
        {"\"*\"", &alice, POLICY_ALLOW},
        {"{\"AWS\":\"*\"}", &stranger, POLICY_ALLOW},
        {"{\"AWS\":\"" ALICE "\"}", &alice, POLICY_ALLOW},
        {"{\"AWS\":\"" ALICE "\"}", &stranger, POLICY_NOTHING},
        {"{\"AWS\":\"" ALICE "\"}", &root, POLICY_NOTHING},
        {"{\"AWS\":[\"444455556666\",\"111122223333\"]}", &alice, POLICY_ALLOW},
        {"{\"AWS\":\"111122223333\"}", &root, POLICY_ALLOW},
        {"{\"AWS\":\"arn:aws:iam::111122223333:root\"}", &session, POLICY_ALLOW},
        {"{\"AWS\":\"" ROLE "\"}", &session, POLICY_ALLOW},
        {"{\"AWS\":\"" SESSION "\"}", &session, POLICY_ALLOW},
        {"{\"AWS\":\"" SESSION "2\"}", &session, POLICY_NOTHING},
        {"{\"AWS\":\"" ROLE "\"}", &alice, POLICY_NOTHING},
        {"{\"Service\":\"secretsmanager.amazonaws.com\"}", &service, POLICY_ALLOW},
        {"{\"Service\":\"s3.amazonaws.com\"}", &service, POLICY_NOTHING},
        {"{\"Service\":\"secretsmanager.amazonaws.com\"}", &alice, POLICY_NOTHING},
        {"{\"Federated\":\"accounts.google.com\"}", &alice, POLICY_NOTHING},
    };
    char text[400];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        (void)snprintf(text, sizeof text, "\"Effect\":\"Allow\",\"Principal\":%s",
                       cases[i].principal);
        CU_ASSERT_EQUAL(of_key(text, cases[i].who), cases[i].effect);
    }
}

static void not_principal_excepts_whom_it_names_with_role_and_account(void)
{
    static const char account[] = "\"arn:aws:iam::111122223333:root\"";
    char text[500];
    (void)snprintf(text, sizeof text, "\"Effect\":\"Deny\",\"NotPrincipal\":{\"AWS\":[\"%s\",%s]}",
                   ALICE, account);
    CU_ASSERT_EQUAL(of_key(text, &alice), POLICY_NOTHING);
    CU_ASSERT_EQUAL(of_key(text, &root), POLICY_NOTHING);
    CU_ASSERT_EQUAL(of_key(text, &session), POLICY_DENY);
    CU_ASSERT_EQUAL(of_key(text, &stranger), POLICY_DENY);
    (void)snprintf(text, sizeof text, "\"Effect\":\"Deny\",\"NotPrincipal\":{\"AWS\":\"%s\"}",
                   ALICE);
    CU_ASSERT_EQUAL(of_key(text, &alice), POLICY_DENY);
    (void)snprintf(text, sizeof text,
                   "\"Effect\":\"Deny\",\"NotPrincipal\":{\"AWS\":[\"%s\",\"%s\",%s]}", SESSION,
                   ROLE, account);
    CU_ASSERT_EQUAL(of_key(text, &session), POLICY_NOTHING);
    (void)snprintf(text, sizeof text, "\"Effect\":\"Deny\",\"NotPrincipal\":{\"AWS\":[\"%s\",%s]}",
                   SESSION, account);
    CU_ASSERT_EQUAL(of_key(text, &session), POLICY_DENY);
    CU_ASSERT_EQUAL(of_key("\"Effect\":\"Deny\",\"NotPrincipal\":{\"Service\":"
                           "\"secretsmanager.amazonaws.com\"}",
                           &service),
                    POLICY_NOTHING);
}

/* ---- the decision */

#define STATEMENT(sid, effect, principal)                                                \
    "{\"Sid\":\"" sid "\",\"Effect\":\"" effect "\",\"Principal\":{\"AWS\":\"" principal \
    "\"},\"Action\":\"kms:Encrypt\",\"Resource\":\"*\"}"

static struct policy_match of_statements(const char *statements, const struct policy_principal *who)
{
    char text[1000];
    (void)snprintf(text, sizeof text, "{\"Statement\":[%s]}", statements);
    return matched(POLICY_RESOURCE, text, who, "kms:Encrypt", KEY, NO_FACTS);
}

static void a_deny_wins_wherever_it_stands(void)
{
    struct policy_match match = of_statements(
        STATEMENT("a", "Allow", ALICE) "," STATEMENT("b", "Deny", "111122223333"), &alice);
    CU_ASSERT_EQUAL(match.effect, POLICY_DENY);
    CU_ASSERT_EQUAL(match.statement, 1);
    CU_ASSERT_STRING_EQUAL(match.sid, "b");
}

static void the_closest_naming_counts(void)
{
    struct policy_match match = of_statements(
        STATEMENT("a", "Allow", "111122223333") "," STATEMENT("b", "Allow", ROLE), &session);
    CU_ASSERT_STRING_EQUAL(match.sid, "b");
    CU_ASSERT(match.through_role && !match.through_account);
    match = of_statements(STATEMENT("b", "Allow", ROLE) "," STATEMENT(
                              "c", "Allow", SESSION) "," STATEMENT("a", "Allow", "111122223333"),
                          &session);
    CU_ASSERT_STRING_EQUAL(match.sid, "c");
    CU_ASSERT(!match.through_role && !match.through_account);
    match = of_statements(STATEMENT("a", "Allow", "*"), &session);
    CU_ASSERT(match.through_role);
    match = of_statements(STATEMENT("a", "Allow", "*"), &alice);
    CU_ASSERT(!match.through_role && !match.through_account);
}

static bool lets(const char *statements, const struct policy_principal *who)
{
    char text[1000];
    (void)snprintf(text, sizeof text, "{\"Statement\":[%s]}", statements);
    struct policy *policy = parsed(POLICY_RESOURCE, text);
    bool result = policy_lets(policy, who, "kms:Encrypt");
    policy_free(policy);
    return result;
}

static void the_lock_out_check_looks_at_names_and_actions(void)
{
    CU_ASSERT(lets(STATEMENT("a", "Allow", "111122223333"), &alice));
    CU_ASSERT(lets(STATEMENT("a", "Allow", ALICE), &alice));
    CU_ASSERT(!lets(STATEMENT("a", "Allow", ROLE), &alice));
    CU_ASSERT(!lets(STATEMENT("a", "Allow", ALICE) "," STATEMENT("b", "Deny", ALICE), &alice));
    CU_ASSERT(lets("{\"Effect\":\"Allow\",\"Principal\":\"*\",\"Action\":\"*\",\"Resource\":\"*\","
                   "\"Condition\":{\"Bool\":{\"aws:SecureTransport\":true}}}",
                   &alice));
}

static bool count_visit(void *context, const char *type, const char *value)
{
    unsigned *count = context;
    CU_ASSERT(strcmp(type, "AWS") == 0 || strcmp(type, "Service") == 0);
    *count += strcmp(value, ALICE) == 0 ? 100 : 1;
    return true;
}

static void all_principals_are_named_to_a_visitor(void)
{
    unsigned count = 0;
    struct policy *policy = parsed(
        POLICY_RESOURCE, "{\"Statement\":[{" ALLOW ",\"Principal\":{\"AWS\":[\"" ALICE "\",\"*\"],"
                         "\"Service\":\"s3.amazonaws.com\"}}," STATEMENT("b", "Deny", ALICE) "]}");
    policy_principals(policy, count_visit, &count);
    CU_ASSERT_EQUAL(count, 202);
    policy_free(policy);
}

static void an_explanation_tells_each_part(void)
{
    AUTO_BUF out = BUF_INIT;
    struct facts facts = FACTS(FACT("aws:SourceIp", "10.1.1.1"));
    struct policy *policy = parsed(
        POLICY_RESOURCE, "{\"Statement\":[{\"Sid\":\"s\"," ALLOW ",\"Principal\":{\"AWS\":\"" ALICE
                         "\"},\"Condition\":{\"IpAddress\":{\"aws:SourceIp\":\"10.2.0.0/16\"}}}]}");
    struct policy_request request = {.principal = &alice,
                                     .action = "kms:Encrypt",
                                     .resource = KEY,
                                     .lookup = facts_lookup,
                                     .context = &facts};
    UNIT_OK(policy_explain(policy, &request, &out));
    const char *text = buf_str(&out);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "statement 1 \"s\", Allow: does not apply"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "Principal: names the caller\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "Action: fits kms:Encrypt"));
    CU_ASSERT_PTR_NOT_NULL(strstr(
        text,
        "IpAddress aws:SourceIp: \"10.2.0.0/16\": does not hold, the request has \"10.1.1.1\""));
    policy_free(policy);
}

static void evaluation_of_the_default_policy_is_quick(void)
{
    enum { ROUNDS = 200000 };
    AUTO_BUF text = BUF_INIT;
    UNIT_OK(policy_default("111122223333", &text));
    struct policy *policy = parsed(POLICY_RESOURCE, buf_str(&text));
    struct policy_request request = {.principal = &alice, .action = "kms:Decrypt", .resource = KEY};
    struct timespec from, to;
    unsigned allowed = 0;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &from);
    for (unsigned i = 0; i < ROUNDS; i++) {
        struct policy_match match;
        policy_evaluate(policy, &request, &match);
        allowed += match.effect == POLICY_ALLOW;
    }
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &to);
    double us = (double)(to.tv_sec - from.tv_sec) * 1e6 + (double)(to.tv_nsec - from.tv_nsec) / 1e3;
    printf("  %.3f us an evaluation ", us / ROUNDS);
    CU_ASSERT_EQUAL(allowed, ROUNDS);
    CU_ASSERT(us / ROUNDS < 20); /* unoptimised and sanitised builds, too */
    policy_free(policy);
}

/* ---- unique ids */

static void a_bound_policy_goes_by_ids(void)
{
    static const char *const names[] = {ALICE, ROLE, SESSION};
    struct policy_principal first = alice, second = alice, renamed = alice, at_work = session;
    first.id = "AIDA11111111111111111";
    second.id = "AIDA22222222222222222";
    renamed.id = first.id;
    renamed.arn = ALICE "2";
    at_work.id = "AROA11111111111111111:s1";
    static const struct {
        unsigned name; /* of names */
        const char *id;
        unsigned first, second, renamed, at_work;
    } cases[] = {
        {0, NULL, NAMED_ITSELF, NAMED_ITSELF, NAMED_NOT, NAMED_NOT},
        {0, "AIDA11111111111111111", NAMED_ITSELF, NAMED_NOT, NAMED_ITSELF, NAMED_NOT},
        {1, NULL, NAMED_NOT, NAMED_NOT, NAMED_NOT, NAMED_BY_ROLE},
        {1, "AROA11111111111111111", NAMED_NOT, NAMED_NOT, NAMED_NOT, NAMED_BY_ROLE},
        {1, "AROA22222222222222222", NAMED_NOT, NAMED_NOT, NAMED_NOT, NAMED_NOT},
        {2, "AROA11111111111111111", NAMED_NOT, NAMED_NOT, NAMED_NOT, NAMED_ITSELF},
        {2, "AROA22222222222222222", NAMED_NOT, NAMED_NOT, NAMED_NOT, NAMED_NOT},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *name = names[cases[i].name], *id = cases[i].id;
        CU_ASSERT_EQUAL(policy_principal_naming(name, id, &first), cases[i].first);
        CU_ASSERT_EQUAL(policy_principal_naming(name, id, &second), cases[i].second);
        CU_ASSERT_EQUAL(policy_principal_naming(name, id, &renamed), cases[i].renamed);
        CU_ASSERT_EQUAL(policy_principal_naming(name, id, &at_work), cases[i].at_work);
    }
}

static void an_exception_of_a_bound_policy_is_the_one_named(void)
{
    struct policy *policy =
        parsed(POLICY_RESOURCE, "{\"Version\":\"2012-10-17\",\"Statement\":{\"Effect\":\"Deny\","
                                "\"NotPrincipal\":{\"AWS\":[\"" ALICE
                                "\",\"arn:aws:iam::111122223333:root\"]},\"Action\":\"kms:*\","
                                "\"Resource\":\"*\"}}");
    json_t *ids = json_pack("{s:s}", ALICE, "AIDA11111111111111111");
    CU_ASSERT_EQUAL(policy_bind(policy, ids), KMS_OK);
    struct policy_principal who = alice;
    struct policy_request request = {
        .principal = &who, .action = "kms:Encrypt", .resource = KEY, .lookup = facts_lookup};
    struct facts none = NO_FACTS;
    request.context = &none;
    struct policy_match match;
    who.id = "AIDA11111111111111111";
    policy_evaluate(policy, &request, &match);
    CU_ASSERT_EQUAL(match.effect, POLICY_NOTHING);
    who.id = "AIDA22222222222222222";
    policy_evaluate(policy, &request, &match);
    CU_ASSERT_EQUAL(match.effect, POLICY_DENY);
    json_decref(ids);
    policy_free(policy);
}

UNIT_SUITE("kms policies", UNIT_CASE(a_bound_policy_goes_by_ids),
           UNIT_CASE(an_exception_of_a_bound_policy_is_the_one_named),
           UNIT_CASE(default_policy_delegates_to_the_account),
           UNIT_CASE(policy_of_a_services_key_goes_by_the_service_alone),
           UNIT_CASE(what_is_no_json_is_refused_with_its_place),
           UNIT_CASE(statement_without_its_parts_is_refused),
           UNIT_CASE(actions_and_resources_are_of_their_form),
           UNIT_CASE(principals_are_of_their_form), UNIT_CASE(conditions_are_of_their_form),
           UNIT_CASE(variables_are_of_their_form), UNIT_CASE(a_policy_that_is_too_long_is_refused),
           UNIT_CASE(actions_match_with_wildcards_and_without_case),
           UNIT_CASE(resources_match_with_wildcards_and_variables),
           UNIT_CASE(a_variable_without_value_opens_nothing),
           UNIT_CASE(variables_are_text_in_the_older_version),
           UNIT_CASE(principals_name_users_roles_sessions_accounts_and_services),
           UNIT_CASE(not_principal_excepts_whom_it_names_with_role_and_account),
           UNIT_CASE(a_deny_wins_wherever_it_stands), UNIT_CASE(the_closest_naming_counts),
           UNIT_CASE(the_lock_out_check_looks_at_names_and_actions),
           UNIT_CASE(all_principals_are_named_to_a_visitor),
           UNIT_CASE(an_explanation_tells_each_part),
           UNIT_CASE(evaluation_of_the_default_policy_is_quick));

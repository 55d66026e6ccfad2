/* SPDX-License-Identifier: Apache-2.0 */
/* Explanations: the decision with the statement that made it, as JSON, as text and over HTTP. */
#include "kms/explain.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/kms/authorize_fakes.h"
#include "tests/unit/unit.h"

#define KEY_ARN      "arn:aws:kms:us-east-1:" ACCOUNT ":key/1234abcd-12ab-34cd-56ef-1234567890ab"
#define FOREIGN_ARN  "arn:aws:kms:us-east-1:" OTHER ":key/1234abcd-12ab-34cd-56ef-1234567890ab"
#define FOREIGN_NONE "arn:aws:kms:us-east-1:" OTHER ":key/00000000-12ab-34cd-56ef-1234567890ab"
#define ALLOW_ALL                                                                       \
    "{\"Version\":\"2012-10-17\",\"Statement\":{\"Effect\":\"Allow\",\"Action\":\"*\"," \
    "\"Resource\":\"*\"}}"
#define SHARES                                                                            \
    "{\"Version\":\"2012-10-17\",\"Statement\":{\"Sid\":\"Nimbus\",\"Effect\":\"Allow\"," \
    "\"Principal\":\"*\",\"Action\":\"kms:*\",\"Resource\":\"*\"}}"
#define DELEGATES                                                                            \
    "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Sid\":\"Delegate\",\"Effect\":\"Allow\"," \
    "\"Principal\":{\"AWS\":\"" ACCOUNT "\"},\"Action\":\"kms:*\",\"Resource\":\"*\"},"      \
    "{\"Sid\":\"Blue\",\"Effect\":\"Deny\",\"Principal\":\"*\",\"Action\":\"kms:*\","        \
    "\"Resource\":\"*\",\"Condition\":{\"StringEquals\":{\"kms:EncryptionContext:team\":"    \
    "\"blue\",\"aws:SourceIp\":\"10.0.0.1\"}}}]}"

static struct fake_world world;
static enum kms_error signature; /* of the caller over HTTP */

/* ---- of the front end */

enum kms_error identity_of_arn(const struct kms *kms, const char *arn, struct identity *out)
{
    (void)kms;
    if (strcmp(arn, ALICE) != 0)
        return kms_fail(KMS_NO_SUCH_ENTITY, "There is no principal %s.", arn);
    *out = world.request.identity;
    return KMS_OK;
}

enum kms_error identity_of_request(const struct kms *kms, const struct http_request *request,
                                   const char *service, struct identity *out,
                                   char out_region[KMS_REGION_MAX + 1])
{
    (void)kms;
    (void)request;
    CU_ASSERT_STRING_EQUAL(service, "kms");
    *out = world.request.identity;
    (void)snprintf(out_region, KMS_REGION_MAX + 1, "us-east-1");
    return signature == KMS_OK ? KMS_OK : kms_fail_plain(signature);
}

void identity_clear(struct identity *identity)
{
    *identity = (struct identity){0}; /* all belongs to the world */
}

enum kms_error key_find(const struct kms *kms, const char *text, enum key_naming naming,
                        const char *region, const char *account, struct key_name *out_name,
                        struct record **out)
{
    (void)kms;
    (void)naming;
    CU_ASSERT_STRING_EQUAL(region, "us-east-1");
    CU_ASSERT_STRING_EQUAL(account, ACCOUNT);
    *out_name = (struct key_name){0};
    if (strncmp(text, "arn:", 4) == 0)
        (void)snprintf(out_name->account, sizeof out_name->account, "%.12s", text + 22);
    if (strcmp(text, world.key.arn) != 0)
        return kms_fail(KMS_NOT_FOUND, "Key '%s' does not exist", text);
    atomic_fetch_add(&world.record.refs, 1);
    *out = &world.record;
    return KMS_OK;
}

const char http_json_type[] = "application/x-amz-json-1.1";

void http_answer_error(struct http_answer *answer, enum kms_error error)
{
    answer->status = kms_error_row(error)->status;
    answer->error_type = kms_error_row(error)->name;
    buf_clear(&answer->body);
}

/* ---- help */

static void set_up(const char *own)
{
    fake_world_init(&world, DELEGATES);
    world.record.refs = 2;
    signature = KMS_OK;
    if (own != NULL)
        fake_world_allow(&world, own);
}

static json_t *explained(const char *key, const char *context)
{
    json_t *facts = context == NULL ? NULL : json_loads(context, 0, NULL), *out = NULL;
    const struct explain_question question = {.principal = ALICE,
                                              .action = "kms:Encrypt",
                                              .key = key,
                                              .region = "us-east-1",
                                              .context = facts};
    enum kms_error error = explain_make(&world.kms, &question, &out);
    json_decref(facts);
    CU_ASSERT_EQUAL_FATAL(error, KMS_OK);
    return out;
}

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text == NULL ? "-" : text;
}

static const json_t *walk_of(const json_t *object, size_t index)
{
    return json_array_get(json_object_get(object, "Policies"), index);
}

/* ---- cases */

static void the_policy_that_allows_is_named(void)
{
    set_up(ALLOW_ALL);
    json_t *result = explained(KEY_ARN, NULL);
    CU_ASSERT_STRING_EQUAL(text_of(result, "Decision"), "ALLOWED");
    CU_ASSERT_STRING_EQUAL(text_of(result, "Because"), "Allowed by IAM policy p0, statement 1");
    CU_ASSERT_STRING_EQUAL(text_of(result, "Resource"), KEY_ARN);
    CU_ASSERT_EQUAL(json_array_size(json_object_get(result, "Policies")), 2);
    CU_ASSERT_STRING_EQUAL(text_of(walk_of(result, 0), "Policy"), "key policy");
    CU_ASSERT_STRING_EQUAL(text_of(walk_of(result, 0), "Statement"), "Delegate");
    CU_ASSERT_STRING_EQUAL(text_of(walk_of(result, 1), "Effect"), "Allow");
    json_decref(result);
    fake_world_clear(&world);
}

static void the_statement_that_denies_is_named(void)
{
    set_up(ALLOW_ALL);
    json_t *result = explained(
        KEY_ARN, "{\"kms:EncryptionContext:team\":\"blue\",\"aws:SourceIp\":\"10.0.0.1\"}");
    CU_ASSERT_STRING_EQUAL(text_of(result, "Decision"), "DENIED");
    CU_ASSERT_STRING_EQUAL(text_of(result, "Policy"), "key policy");
    CU_ASSERT_STRING_EQUAL(text_of(result, "Statement"), "Blue");
    CU_ASSERT_PTR_NOT_NULL(
        strstr(text_of(result, "Because"), "with an explicit deny in a resource-based policy"));
    json_decref(result);
    fake_world_clear(&world);
}

static void what_is_missing_is_told(void)
{
    set_up(NULL);
    json_t *result = explained(KEY_ARN, "{\"kms:EncryptionContext:team\":\"red\"}");
    AUTO_BUF text = BUF_INIT;
    CU_ASSERT_STRING_EQUAL(text_of(result, "Decision"), "DENIED");
    CU_ASSERT_PTR_NOT_NULL(strstr(text_of(result, "Because"), "no identity-based policy allows"));
    UNIT_OK(explain_write(result, &text));
    const char *lines = buf_str(&text);
    CU_ASSERT_PTR_NOT_NULL(strstr(lines, "DENIED: " ALICE ", kms:Encrypt on " KEY_ARN "\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(lines, "Principal: names the caller's account"));
    CU_ASSERT_PTR_NOT_NULL(strstr(lines, "the request has \"red\""));
    json_decref(result);
    fake_world_clear(&world);
}

static void a_key_of_another_account_is_told_of_as_one_that_is_not_there(void)
{
    set_up(NULL);
    (void)snprintf(world.key.account, sizeof world.key.account, "%s", OTHER);
    (void)snprintf(world.key.arn, sizeof world.key.arn, "%s", FOREIGN_ARN);
    json_t *there = explained(FOREIGN_ARN, NULL);
    json_t *absent = explained(FOREIGN_NONE, NULL);
    CU_ASSERT_STRING_EQUAL(text_of(there, "Decision"), "DENIED");
    CU_ASSERT_EQUAL(json_array_size(json_object_get(there, "Policies")), 0);
    CU_ASSERT_EQUAL(json_object_set(absent, "Resource", json_object_get(there, "Resource")), 0);
    CU_ASSERT_EQUAL(strlen(text_of(there, "Because")), strlen(text_of(absent, "Because")));
    CU_ASSERT_EQUAL(json_object_set(absent, "Because", json_object_get(there, "Because")), 0);
    CU_ASSERT(json_equal(there, absent));
    json_decref(there);
    json_decref(absent);
    fake_world_clear(&world);
}

static void statements_of_another_accounts_policy_are_not_shown(void)
{
    fake_world_init(&world, SHARES);
    world.record.refs = 2;
    fake_world_allow(&world, ALLOW_ALL);
    (void)snprintf(world.key.account, sizeof world.key.account, "%s", OTHER);
    (void)snprintf(world.key.arn, sizeof world.key.arn, "%s", FOREIGN_ARN);
    json_t *result = explained(FOREIGN_ARN, NULL);
    char *text = json_dumps(result, 0);
    CU_ASSERT_STRING_EQUAL(text_of(result, "Decision"), "ALLOWED");
    CU_ASSERT_STRING_EQUAL(text_of(result, "Because"), "Allowed by key policy");
    CU_ASSERT_STRING_EQUAL(text_of(result, "Statement"), "");
    CU_ASSERT_PTR_NULL(strstr(text, "Nimbus"));
    free(text);
    json_decref(result);
    fake_world_clear(&world);
}

static void questions_that_make_no_sense_are_refused(void)
{
    json_t *out = NULL, *list = json_pack("{s:i}", "aws:SourceIp", 3);
    set_up(NULL);
    struct explain_question question = {
        .principal = BOB, .action = "kms:Encrypt", .key = KEY_ARN, .region = "us-east-1"};
    CU_ASSERT_EQUAL(explain_make(&world.kms, &question, &out), KMS_NO_SUCH_ENTITY);
    question.principal = ALICE;
    question.action = "Encrypt";
    CU_ASSERT_EQUAL(explain_make(&world.kms, &question, &out), KMS_VALIDATION);
    question.action = "kms:Encrypt";
    question.context = list;
    CU_ASSERT_EQUAL(explain_make(&world.kms, &question, &out), KMS_VALIDATION);
    question.context = NULL;
    question.key = "alias/none";
    CU_ASSERT_EQUAL(explain_make(&world.kms, &question, &out), KMS_NOT_FOUND);
    CU_ASSERT_PTR_NULL(out);
    json_decref(list);
    fake_world_clear(&world);
}

static unsigned posted(const char *body, json_t **out)
{
    struct http_request http = {
        .method = "POST", .path = "/qhsm/explain", .body = bytes_of_str(body)};
    struct http_answer answer = {.body = BUF_INIT};
    explain_answer(&world.kms, &http, &answer);
    *out = json_loadb((const char *)answer.body.ptr, answer.body.len, 0, NULL);
    buf_clear(&answer.body);
    return answer.status;
}

static void administrators_ask_over_http(void)
{
    static const char body[] =
        "{\"Principal\":\"" ALICE "\",\"Action\":\"kms:Encrypt\",\"KeyId\":"
        "\"" KEY_ARN "\",\"Members\":{\"EncryptionContext\":{\"team\":\"blue\"}},"
        "\"Context\":{\"aws:SourceIp\":[\"10.0.0.1\"]}}";
    json_t *result;
    set_up(ALLOW_ALL);
    CU_ASSERT_EQUAL(posted(body, &result), 200);
    CU_ASSERT_STRING_EQUAL(text_of(result, "Statement"), "Blue");
    json_decref(result);
    CU_ASSERT_EQUAL(posted("[]", &result), 400);
    CU_ASSERT_EQUAL(posted("{\"Principal\":\"" BOB "\",\"Action\":\"kms:Encrypt\"}", &result), 400);
    CU_ASSERT_PTR_NOT_NULL(strstr(kms_error_text(), "because the resource does not exist"));
    signature = KMS_SIGNATURE_MISMATCH;
    CU_ASSERT_EQUAL(posted(body, &result), 403);
    fake_world_clear(&world);
    set_up(NULL);
    CU_ASSERT_EQUAL(posted(body, &result), 400);
    CU_ASSERT_PTR_NOT_NULL(strstr(kms_error_text(), "is not authorized to perform: qhsm:Explain"));
    fake_world_clear(&world);
}

static void the_verb_takes_pairs(void)
{
    char *regions[] = {(char[]){"eu-west-1"}};
    struct kms_config config = {.regions = {.items = regions, .count = 1}};
    char *arguments[] = {(char[]){ALICE},           (char[]){"kms:Encrypt"},
                         (char[]){KEY_ARN},         (char[]){"aws:TagKeys=a"},
                         (char[]){"aws:TagKeys=b"}, (char[]){"aws:TagKeys=c"}};
    set_up(ALLOW_ALL);
    UNIT_OK(explain_run(&config, &world.kms, 6, arguments));
    arguments[3] = (char[]){"nothing"};
    UNIT_RC(explain_run(&config, &world.kms, 4, arguments), RC_USAGE);
    arguments[2] = (char[]){"-"};
    UNIT_OK(explain_run(&config, &world.kms, 3, arguments));
    arguments[0] = (char[]){BOB};
    UNIT_RC(explain_run(&config, &world.kms, 3, arguments), RC_BAD_ARGUMENT);
    fake_world_clear(&world);
}

UNIT_SUITE("kms explanations", UNIT_CASE(the_policy_that_allows_is_named),
           UNIT_CASE(the_statement_that_denies_is_named), UNIT_CASE(what_is_missing_is_told),
           UNIT_CASE(a_key_of_another_account_is_told_of_as_one_that_is_not_there),
           UNIT_CASE(statements_of_another_accounts_policy_are_not_shown),
           UNIT_CASE(questions_that_make_no_sense_are_refused),
           UNIT_CASE(administrators_ask_over_http), UNIT_CASE(the_verb_takes_pairs));

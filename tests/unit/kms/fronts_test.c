/* SPDX-License-Identifier: Apache-2.0 */
/* Two front ends of one cluster: what one has answered holds at the other with the next request,
 * whether its view has it yet or not. */
#include <stdio.h>
#include <stdlib.h>

#include "kms/backing_handles.h"
#include "kms/key.h"
#include "kms/pipeline.h"
#include "kms/throttle.h"
#include "kms/view.h"
#include "tests/unit/kms/iam_world.h"
#include "tests/unit/unit.h"

#define ALLOW                                                                                \
    "Action=PutUserPolicy&UserName=ann&PolicyName=p&PolicyDocument=%7B%22Version%22%3A%222"  \
    "012-10-17%22%2C%22Statement%22%3A%5B%7B%22Effect%22%3A%22Allow%22%2C%22Action%22%3A%22" \
    "kms%3A%2A%22%2C%22Resource%22%3A%22%2A%22%7D%5D%7D"
#define REVOKE "Action=DeleteUserPolicy&UserName=ann&PolicyName=p"
#define ROOT   "arn:aws:iam::" IAM_WORLD_ACCOUNT ":root"

/* The first one is iam_world's. */
static struct {
    struct hsm_client client;
    struct kms other;
    struct iam_caller ann;
    char id[KMS_KEY_ID_MAX + 1];
    char answer[4096];
} fronts;

static void begin(void)
{
    iam_world_begin(NULL);
    struct kms *kms = &iam_world.kms;
    UNIT_OK(backing_handles_new(&kms->handles));
    UNIT_OK(throttle_new(kms->config, &kms->throttle));
    memset(&fronts, 0, sizeof fronts);
    iam_world_user("ann", &fronts.ann);
    fronts.client.cluster = &iam_world.cluster;
    fronts.other = *kms;
    fronts.other.hsm = &fronts.client;
    UNIT_OK(view_new(&fronts.client, &fronts.other.view));
}

static void end(void)
{
    view_free(fronts.other.view);
    throttle_free(iam_world.kms.throttle);
    backing_handles_free(iam_world.kms.handles);
    iam_world_end();
}

/* AWS's name of the error, "" for none. */
static const char *call(struct kms *kms, const struct iam_caller *caller, const char *operation,
                        json_t *in)
{
    char target[64];
    struct http_answer answer = {.body = BUF_INIT};
    (void)snprintf(target, sizeof target, "TrentService.%s", operation);
    char *body = json_dumps(in, 0);
    json_decref(in);
    pipeline_run(kms, iam_world_sign(caller, "kms", IAM_WORLD_REGION, target, body), operation,
                 &answer);
    free(body);
    (void)snprintf(fronts.answer, sizeof fronts.answer, "%s", buf_str(&answer.body));
    buf_clear(&answer.body);
    return answer.error_type == NULL ? "" : answer.error_type;
}

static void make_key(void)
{
    CU_ASSERT_STRING_EQUAL(call(&iam_world.kms, &iam_world.root, "CreateKey", json_object()), "");
    json_t *out = json_loads(fronts.answer, 0, NULL);
    const char *id =
        json_string_value(json_object_get(json_object_get(out, "KeyMetadata"), "KeyId"));
    (void)snprintf(fronts.id, sizeof fronts.id, "%s", id == NULL ? "" : id);
    json_decref(out);
}

static json_t *grant(void)
{
    return json_pack("{s:s, s:s, s:[s]}", "KeyId", fronts.id, "GranteePrincipal", ROOT,
                     "Operations", "Decrypt");
}

static json_t *policy(void)
{
    return json_pack(
        "{s:s, s:s}", "KeyId", fronts.id, "Policy",
        "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":"
        "{\"AWS\":\"" ROOT "\"},\"Action\":\"kms:*\",\"Resource\":\"*\"}]}");
}

static json_t *key_alone(void)
{
    return json_pack("{s:s}", "KeyId", fronts.id);
}

static json_t *nothing(void)
{
    return json_object();
}

/* ---- cases */

static void rights_that_were_taken_away_change_nothing_any_more(void)
{
    static const struct {
        const char *operation;
        json_t *(*in)(void);
    } asked[] = {{"CreateGrant", grant},
                 {"PutKeyPolicy", policy},
                 {"ScheduleKeyDeletion", key_alone},
                 {"EnableKeyRotation", key_alone},
                 {"CreateKey", nothing}};
    begin();
    make_key();
    for (size_t i = 0; i < sizeof asked / sizeof asked[0]; i++) {
        iam_world_do(&iam_world.root, "iam", ALLOW);
        UNIT_OK(view_refresh(fronts.other.view));
        iam_world_do(&iam_world.root, "iam", REVOKE);
        size_t before = iam_world.cluster.document_count;
        CU_ASSERT_STRING_EQUAL(call(&fronts.other, &fronts.ann, asked[i].operation, asked[i].in()),
                               "AccessDeniedException");
        CU_ASSERT_EQUAL(iam_world.cluster.document_count, before);
    }
    end();
}

static void rights_that_were_given_hold_at_once(void)
{
    begin();
    make_key();
    UNIT_OK(view_refresh(fronts.other.view));
    CU_ASSERT_STRING_EQUAL(call(&fronts.other, &fronts.ann, "DescribeKey", key_alone()),
                           "AccessDeniedException");
    iam_world_do(&iam_world.root, "iam", ALLOW);
    CU_ASSERT_STRING_EQUAL(call(&fronts.other, &fronts.ann, "DescribeKey", key_alone()), "");
    end();
}

static void a_new_key_is_found_at_once(void)
{
    begin();
    UNIT_OK(view_refresh(fronts.other.view));
    make_key();
    CU_ASSERT_STRING_EQUAL(call(&fronts.other, &iam_world.root, "DescribeKey", key_alone()), "");
    CU_ASSERT_STRING_EQUAL(
        call(&fronts.other, &iam_world.root, "DescribeKey",
             json_pack("{s:s}", "KeyId", "00000000-0000-4000-8000-000000000000")),
        "NotFoundException");
    end();
}

static void what_is_read_is_as_new_as_the_request(void)
{
    begin();
    make_key();
    for (unsigned i = 0; i < 4; i++) {
        bool is_off = i % 2 == 0;
        UNIT_OK(view_refresh(fronts.other.view));
        CU_ASSERT_STRING_EQUAL(
            call(&iam_world.kms, &iam_world.root, is_off ? "DisableKey" : "EnableKey", key_alone()),
            "");
        CU_ASSERT_STRING_EQUAL(call(&fronts.other, &iam_world.root, "DescribeKey", key_alone()),
                               "");
        CU_ASSERT_EQUAL(strstr(fronts.answer, "\"KeyState\":\"Disabled\"") != NULL, is_off);
    }
    end();
}

static void a_refusal_asks_the_cluster_once(void)
{
    begin();
    unsigned before = atomic_load(&iam_world.cluster.asked);
    CU_ASSERT_STRING_EQUAL(
        call(&fronts.other, &iam_world.root, "DescribeKey",
             json_pack("{s:s}", "KeyId", "00000000-0000-4000-8000-000000000000")),
        "NotFoundException");
    CU_ASSERT(atomic_load(&iam_world.cluster.asked) - before <= 4); /* and two followers */
    atomic_store(&iam_world.cluster.fail, RC_UNAVAILABLE); /* it was decided all the same */
    CU_ASSERT_STRING_EQUAL(
        call(&fronts.other, &iam_world.root, "DescribeKey",
             json_pack("{s:s}", "KeyId", "00000000-0000-4000-8000-000000000000")),
        "NotFoundException");
    atomic_store(&iam_world.cluster.fail, RC_OK);
    end();
}

UNIT_SUITE("kms/fronts", UNIT_CASE(rights_that_were_taken_away_change_nothing_any_more),
           UNIT_CASE(rights_that_were_given_hold_at_once), UNIT_CASE(a_new_key_is_found_at_once),
           UNIT_CASE(what_is_read_is_as_new_as_the_request),
           UNIT_CASE(a_refusal_asks_the_cluster_once));

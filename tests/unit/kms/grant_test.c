/* SPDX-License-Identifier: Apache-2.0 */
/* Suite of kms/grant*.c and op_grant.c: what grants let through, and who may make and end them. */
#include "kms/grant.h"

#include <stdio.h>
#include <time.h>

#include "kms/base64.h"
#include "rpc/client_clock.h"
#include "tests/unit/kms/fake_world.h"
#include "tests/unit/kms/soft_hsm.h"
#include "tests/unit/unit.h"

#define ANN  "arn:aws:iam::" WORLD_ACCOUNT ":user/ann"
#define ROOT "arn:aws:iam::" WORLD_ACCOUNT ":root"

static char id[65], other[65];
static char token[1024], grant_id[GRANT_ID_LEN + 1];

static void begin(void)
{
    world_begin();
    soft_hsm_begin();
    soft_new_key("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", id);
    soft_new_key("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", other);
}

static void as_ann(bool is_ann)
{
    world.is_user = is_ann;
}

static json_t *grant_of(const char *key, const char *grantee, const char *operations)
{
    json_t *list = json_loads(operations, 0, NULL);
    return json_pack("{s:s, s:s, s:o}", "KeyId", key, "GranteePrincipal", grantee, "Operations",
                     list);
}

/* With its token and id. */
static void create(json_t *in)
{
    json_t *out = soft_call("CreateGrant", in);
    CU_ASSERT_STRING_EQUAL(world.type, "");
    soft_text(out, "GrantToken", token, sizeof token);
    soft_text(out, "GrantId", grant_id, sizeof grant_id);
    json_decref(out);
}

static json_t *encrypt_of(const char *key, json_t *context)
{
    return json_pack("{s:s, s:s, s:o*}", "KeyId", key, "Plaintext", "YQ==", "EncryptionContext",
                     context);
}

static size_t count_of(const char *key)
{
    json_t *out = soft_call("ListGrants", json_pack("{s:s}", "KeyId", key));
    size_t count = json_array_size(json_object_get(out, "Grants"));
    json_decref(out);
    return count;
}

/* ---- documents */

static void a_grant_comes_back_from_its_document(void)
{
    struct grant grant = {.key_id = "k",
                          .region = "r",
                          .id = "i",
                          .name = "n",
                          .account = WORLD_ACCOUNT,
                          .grantee = (char[]){ANN},
                          .retiring = (char[]){ROOT},
                          .issuing_account = (char[]){ROOT},
                          .operations = grant_operation("Sign") | grant_operation("CreateGrant"),
                          .created_ms = 77};
    grant.context_subset = json_pack("{s:s}", "a", "b");
    json_t *value = NULL;
    void *data = NULL;
    UNIT_OK(grant_encode(&grant, &value));
    UNIT_OK(grant_decode("grant/r/k/i", value, &data));
    const struct grant *back = data;
    CU_ASSERT_STRING_EQUAL(back->key_id, "k");
    CU_ASSERT_STRING_EQUAL(back->region, "r");
    CU_ASSERT_STRING_EQUAL(back->id, "i");
    CU_ASSERT_STRING_EQUAL(back->name, "n");
    CU_ASSERT_STRING_EQUAL(back->account, WORLD_ACCOUNT);
    CU_ASSERT_STRING_EQUAL(back->grantee, ANN);
    CU_ASSERT_STRING_EQUAL(back->retiring, ROOT);
    CU_ASSERT_EQUAL(back->operations, grant.operations);
    CU_ASSERT_EQUAL(back->created_ms, 77);
    CU_ASSERT_PTR_NULL(back->context_equals);
    CU_ASSERT_TRUE(json_equal(back->context_subset, grant.context_subset));
    grant_free(data);
    json_decref(value);
    json_decref(grant.context_subset);
}

/* A constraint or operation that is not understood must not make a grant wider. */
static void a_document_that_is_not_understood_is_refused(void)
{
    static const char *const values[] = {
        "{}",
        "[]",
        "{\"grantee\":\"a\",\"issuer\":\"b\",\"account\":\"1\"}",
        "{\"grantee\":\"a\",\"issuer\":\"b\",\"account\":\"1\",\"operations\":[]}",
        "{\"grantee\":\"a\",\"issuer\":\"b\",\"account\":\"1\",\"operations\":[\"Fly\"]}",
        "{\"grantee\":1,\"issuer\":\"b\",\"account\":\"1\",\"operations\":[\"Sign\"]}",
        "{\"grantee\":\"a\",\"issuer\":\"b\",\"account\":\"1234567890123\",\"operations\":["
        "\"Sign\"]}",
        "{\"grantee\":\"a\",\"issuer\":\"b\",\"account\":\"1\",\"operations\":[\"Sign\"],"
        "\"equals\":1}",
        "{\"grantee\":\"a\",\"issuer\":\"b\",\"account\":\"1\",\"operations\":[\"Sign\"],"
        "\"subset\":null}",
    };
    static const char *const paths[] = {"grant/r/k", "grant/r/k/i/j", "key/r/k/i", "grant"};
    json_t *good = json_loads("{\"grantee\":\"a\",\"issuer\":\"b\",\"account\":\"1\","
                              "\"operations\":[\"Sign\"]}",
                              0, NULL);
    void *data = NULL;
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        json_t *value = json_loads(values[i], 0, NULL);
        UNIT_RC(grant_decode("grant/r/k/i", value, &data), RC_TAMPERED);
        json_decref(value);
    }
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
        UNIT_RC(grant_decode(paths[i], good, &data), RC_TAMPERED);
    UNIT_OK(grant_decode("grant/r/k/i", good, &data));
    grant_free(data);
    json_decref(good);
}

/* ---- what a grant lets through */

static bool lets(const char *equals, const char *subset, const char *context)
{
    json_t *given = context == NULL ? NULL : json_loads(context, 0, NULL);
    struct grant grant = {.context_equals = equals == NULL ? NULL : json_loads(equals, 0, NULL),
                          .context_subset = subset == NULL ? NULL : json_loads(subset, 0, NULL)};
    bool answer = grant_lets_context(&grant, given);
    json_decref(grant.context_equals);
    json_decref(grant.context_subset);
    json_decref(given);
    return answer;
}

static void constraints_compare_pairs(void)
{
    CU_ASSERT_TRUE(lets(NULL, NULL, NULL));
    CU_ASSERT_TRUE(lets("{\"a\":\"1\"}", NULL, "{\"a\":\"1\"}"));
    CU_ASSERT_FALSE(lets("{\"a\":\"1\"}", NULL, "{\"a\":\"1\",\"b\":\"2\"}"));
    CU_ASSERT_FALSE(lets("{\"a\":\"1\"}", NULL, "{\"A\":\"1\"}"));
    CU_ASSERT_FALSE(lets("{\"a\":\"1\"}", NULL, NULL));
    CU_ASSERT_TRUE(lets("{}", NULL, NULL));
    CU_ASSERT_FALSE(lets("{}", NULL, "{\"a\":\"1\"}"));
    CU_ASSERT_TRUE(lets(NULL, "{\"a\":\"1\"}", "{\"b\":\"2\",\"a\":\"1\"}"));
    CU_ASSERT_FALSE(lets(NULL, "{\"a\":\"1\"}", "{\"a\":\"2\"}"));
    CU_ASSERT_FALSE(lets(NULL, "{\"a\":\"1\"}", NULL));
}

static bool within(const char *parent_constraint, bool parent_equals, const char *child_constraint,
                   bool child_equals)
{
    struct grant parent = {.operations = 3}, child = {.operations = 1};
    json_t *outer = parent_constraint == NULL ? NULL : json_loads(parent_constraint, 0, NULL);
    json_t *inner = child_constraint == NULL ? NULL : json_loads(child_constraint, 0, NULL);
    *(parent_equals ? &parent.context_equals : &parent.context_subset) = outer;
    *(child_equals ? &child.context_equals : &child.context_subset) = inner;
    bool answer = grant_is_within(&parent, &child);
    json_decref(outer);
    json_decref(inner);
    return answer;
}

static void a_child_is_no_wider_than_its_parent(void)
{
    const char *one = "{\"a\":\"1\"}", *two = "{\"a\":\"1\",\"b\":\"2\"}", *none = "{}";
    struct grant parent = {.operations = 1}, child = {.operations = 3};
    CU_ASSERT_FALSE(grant_is_within(&parent, &child));
    CU_ASSERT_TRUE(within(NULL, false, NULL, false));
    CU_ASSERT_TRUE(within(NULL, false, one, true));
    CU_ASSERT_FALSE(within(one, true, NULL, false));
    CU_ASSERT_FALSE(within(one, false, NULL, false));
    CU_ASSERT_TRUE(within(one, true, one, true));
    CU_ASSERT_FALSE(within(one, true, two, true));
    CU_ASSERT_FALSE(within(one, true, one, false));
    CU_ASSERT_TRUE(within(one, false, two, true));
    CU_ASSERT_TRUE(within(one, false, two, false));
    CU_ASSERT_TRUE(within(one, false, one, false));
    CU_ASSERT_FALSE(within(two, false, one, false));
    CU_ASSERT_FALSE(within(one, false, none, true));
}

static void operations_fit_the_kind_of_key(void)
{
    struct key key = {.spec = KEYSTORE_SPEC_AES_256, .use = KEYSTORE_ENCRYPT};
    unsigned any = grant_operation("CreateGrant") | grant_operation("RetireGrant") |
                   grant_operation("DescribeKey");
    unsigned both = grant_operation("Encrypt") | grant_operation("Decrypt") |
                    grant_operation("ReEncryptFrom") | grant_operation("ReEncryptTo");
    CU_ASSERT_EQUAL(grant_operations_of(&key),
                    any | both | grant_operation("GenerateDataKey") |
                        grant_operation("GenerateDataKeyWithoutPlaintext") |
                        grant_operation("GenerateDataKeyPair") |
                        grant_operation("GenerateDataKeyPairWithoutPlaintext"));
    key.spec = KEYSTORE_SPEC_RSA_2048;
    CU_ASSERT_EQUAL(grant_operations_of(&key), any | both | grant_operation("GetPublicKey"));
    key.use = KEYSTORE_SIGN;
    CU_ASSERT_EQUAL(grant_operations_of(&key), any | grant_operation("Sign") |
                                                   grant_operation("Verify") |
                                                   grant_operation("GetPublicKey"));
    key = (struct key){.spec = KEYSTORE_SPEC_HMAC_256, .use = KEYSTORE_MAC};
    CU_ASSERT_EQUAL(grant_operations_of(&key),
                    any | grant_operation("GenerateMac") | grant_operation("VerifyMac"));
    key = (struct key){.spec = KEYSTORE_SPEC_P256, .use = KEYSTORE_AGREE};
    CU_ASSERT_EQUAL(grant_operations_of(&key),
                    any | grant_operation("DeriveSharedSecret") | grant_operation("GetPublicKey"));
    CU_ASSERT_EQUAL(grant_operation("PutKeyPolicy"), 0);
}

/* ---- through the API */

static void a_grantee_may_do_what_the_grant_says_on_its_key_alone(void)
{
    begin();
    as_ann(true);
    CU_ASSERT_TRUE(soft_ends("Encrypt", "AccessDeniedException", encrypt_of(id, NULL)));
    as_ann(false);
    create(grant_of(id, ANN, "[\"Encrypt\"]"));
    as_ann(true);
    CU_ASSERT_TRUE(soft_ends("Encrypt", NULL, encrypt_of(id, NULL)));
    CU_ASSERT_TRUE(soft_ends("Encrypt", "AccessDeniedException", encrypt_of(other, NULL)));
    CU_ASSERT_TRUE(soft_ends("GenerateDataKey", "AccessDeniedException",
                             json_pack("{s:s, s:s}", "KeyId", id, "KeySpec", "AES_256")));
    as_ann(false);
    CU_ASSERT_TRUE(
        soft_ends("RevokeGrant", NULL, json_pack("{s:s, s:s}", "KeyId", id, "GrantId", grant_id)));
    as_ann(true);
    CU_ASSERT_TRUE(soft_ends("Encrypt", "AccessDeniedException", encrypt_of(id, NULL)));
    world_end();
}

static void a_constraint_binds_the_encryption_context(void)
{
    begin();
    json_t *in = grant_of(id, ANN, "[\"Encrypt\",\"DescribeKey\"]");
    (void)json_object_set_new(in, "Constraints",
                              json_pack("{s:{s:s}}", "EncryptionContextSubset", "team", "blue"));
    create(in);
    as_ann(true);
    CU_ASSERT_TRUE(soft_ends("Encrypt", NULL,
                             encrypt_of(id, json_pack("{s:s, s:s}", "a", "b", "team", "blue"))));
    CU_ASSERT_TRUE(soft_ends("Encrypt", "AccessDeniedException",
                             encrypt_of(id, json_pack("{s:s}", "team", "red"))));
    CU_ASSERT_TRUE(soft_ends("Encrypt", "AccessDeniedException", encrypt_of(id, NULL)));
    CU_ASSERT_TRUE(soft_ends("DescribeKey", NULL, json_pack("{s:s}", "KeyId", id)));
    world_end();
}

static void a_name_makes_the_same_request_idempotent(void)
{
    char first[GRANT_ID_LEN + 1], first_token[1024];
    begin();
    for (int i = 0; i < 3; i++) {
        json_t *in = grant_of(id, ANN, i < 2 ? "[\"Encrypt\"]" : "[\"Decrypt\"]");
        (void)json_object_set_new(in, "Name", json_string("named"));
        create(in);
        if (i == 0) {
            memcpy(first, grant_id, sizeof first);
            memcpy(first_token, token, sizeof first_token);
        }
        CU_ASSERT_EQUAL(strcmp(first, grant_id) == 0, i < 2);
    }
    CU_ASSERT_EQUAL(count_of(id), 2);
    create(grant_of(id, ANN, "[\"Encrypt\"]"));
    create(grant_of(id, ANN, "[\"Encrypt\"]"));
    CU_ASSERT_EQUAL(count_of(id), 4);
    world_end();
}

static void a_grantee_passes_on_no_more_than_he_has(void)
{
    begin();
    create(grant_of(id, ANN, "[\"Encrypt\",\"CreateGrant\"]"));
    as_ann(true);
    CU_ASSERT_TRUE(soft_ends("CreateGrant", NULL, grant_of(id, ROOT, "[\"Encrypt\"]")));
    CU_ASSERT_TRUE(
        soft_ends("CreateGrant", "AccessDeniedException", grant_of(id, ANN, "[\"Decrypt\"]")));
    CU_ASSERT_TRUE(soft_ends("CreateGrant", "AccessDeniedException",
                             grant_of(id, ANN, "[\"Encrypt\",\"Decrypt\"]")));
    CU_ASSERT_TRUE(
        soft_ends("CreateGrant", "AccessDeniedException", grant_of(other, ANN, "[\"Encrypt\"]")));
    world_end();
}

static void grants_that_make_no_sense_are_refused(void)
{
    char signer[65];
    begin();
    soft_new_key("ECC_NIST_P256", "SIGN_VERIFY", signer);
    CU_ASSERT_TRUE(
        soft_ends("CreateGrant", "ValidationException", grant_of(id, ANN, "[\"Sign\"]")));
    CU_ASSERT_TRUE(
        soft_ends("CreateGrant", "ValidationException", grant_of(signer, ANN, "[\"Encrypt\"]")));
    CU_ASSERT_TRUE(soft_ends("CreateGrant", "ValidationException", grant_of(id, ANN, "[\"Fly\"]")));
    CU_ASSERT_TRUE(
        soft_ends("CreateGrant", "InvalidArnException",
                  grant_of(id, "arn:aws:iam::" WORLD_ACCOUNT ":user/nobody", "[\"Encrypt\"]")));
    json_t *in = grant_of(signer, ANN, "[\"Sign\"]");
    (void)json_object_set_new(in, "Constraints",
                              json_pack("{s:{s:s}}", "EncryptionContextEquals", "a", "b"));
    CU_ASSERT_TRUE(soft_ends("CreateGrant", "ValidationException", in));
    in = grant_of(id, ANN, "[\"Encrypt\"]");
    (void)json_object_set_new(in, "Constraints",
                              json_pack("{s:s}", "EncryptionContextEquals", "everything"));
    CU_ASSERT_TRUE(soft_ends("CreateGrant", "SerializationException", in));
    in = grant_of(id, ANN, "[\"Encrypt\"]");
    (void)json_object_set_new(in, "Constraints",
                              json_pack("{s:{s:i}}", "EncryptionContextSubset", "a", 1));
    CU_ASSERT_TRUE(soft_ends("CreateGrant", "SerializationException", in));
    CU_ASSERT_EQUAL(count_of(id) + count_of(signer), 0);
    world_end();
}

static json_t *constrained(json_t *constraints)
{
    json_t *in = grant_of(id, ANN, "[\"Encrypt\"]");
    (void)json_object_set_new(in, "Constraints", constraints);
    return in;
}

static void a_constraint_that_is_null_is_none(void)
{
    begin();
    world_put_condition(id, "\"Null\":{\"kms:GrantConstraintType\":false}");
    CU_ASSERT_TRUE(soft_ends("CreateGrant", "AccessDeniedException",
                             constrained(json_pack("{s:n}", "EncryptionContextEquals"))));
    CU_ASSERT_TRUE(soft_ends("CreateGrant", "AccessDeniedException",
                             constrained(json_pack("{s:n}", "EncryptionContextSubset"))));
    CU_ASSERT_TRUE(soft_ends("CreateGrant", "AccessDeniedException", constrained(json_null())));
    CU_ASSERT_TRUE(soft_ends("CreateGrant", NULL,
                             constrained(json_pack("{s:n, s:{s:s}}", "EncryptionContextEquals",
                                                   "EncryptionContextSubset", "a", "b"))));
    world_put_condition(id, "\"StringEquals\":{\"kms:EncryptionContext:a\":\"b\"}");
    CU_ASSERT_TRUE(soft_ends("CreateGrant", NULL,
                             constrained(json_pack("{s:n, s:{s:s}}", "EncryptionContextEquals",
                                                   "EncryptionContextSubset", "a", "b"))));
    world_end();
}

static void a_token_of_a_grant_that_is_gone_refreshes_once_a_second(void)
{
    struct timespec pause = {.tv_sec = 1, .tv_nsec = 50000000};
    begin();
    create(grant_of(id, ANN, "[\"Encrypt\"]"));
    CU_ASSERT_TRUE(
        soft_ends("RevokeGrant", NULL, json_pack("{s:s, s:s}", "KeyId", id, "GrantId", grant_id)));
    as_ann(true);
    (void)nanosleep(&pause, NULL);
    world.refreshes = 0;
    instant start = clock_now();
    for (int i = 0; i < 20; i++) {
        json_t *in = encrypt_of(id, NULL);
        (void)json_object_set_new(in, "GrantTokens", json_pack("[s]", token));
        CU_ASSERT_TRUE(soft_ends("Encrypt", "AccessDeniedException", in));
    }
    CU_ASSERT_TRUE(world.refreshes >= 1);
    CU_ASSERT_TRUE(world.refreshes <= 1 + (clock_now() - start) / (1000 * CLOCK_MS_NS));
    world_end();
}

static void a_token_that_is_not_ours_is_refused(void)
{
    AUTO_BUF text = BUF_INIT;
    static const char *const wrong[] = {"AQpA", "not base64", "YQ=="};
    begin();
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        json_t *in = encrypt_of(id, NULL);
        (void)json_object_set_new(in, "GrantTokens", json_pack("[s]", wrong[i]));
        CU_ASSERT_TRUE(soft_ends("Encrypt", "InvalidGrantTokenException", in));
    }
    create(grant_of(id, ANN, "[\"Encrypt\"]"));
    json_t *in = encrypt_of(id, NULL);
    (void)json_object_set_new(in, "GrantTokens", json_pack("[s]", token));
    CU_ASSERT_TRUE(soft_ends("Encrypt", NULL, in));
    char path[129];
    UNIT_OK(grant_token_write(world.kms.vault, "grant/eu-west-1/k/i", &text));
    CU_ASSERT_EQUAL(grant_token_read(world.kms.vault, WORLD_REGION, buf_str(&text), path),
                    KMS_INVALID_GRANT_TOKEN);
    CU_ASSERT_EQUAL(grant_token_read(world.kms.vault, "eu-west-1", buf_str(&text), path), KMS_OK);
    CU_ASSERT_EQUAL(grant_token_read(world.kms.vault, "eu-west", buf_str(&text), path),
                    KMS_INVALID_GRANT_TOKEN);
    world_end();
}

static void a_retiring_principal_needs_no_policy_to_retire(void)
{
    begin();
    json_t *in = grant_of(id, ROOT, "[\"Encrypt\"]");
    create(in);
    as_ann(true);
    CU_ASSERT_TRUE(
        soft_ends("RetireGrant", "AccessDeniedException", json_pack("{s:s}", "GrantToken", token)));
    as_ann(false);
    in = grant_of(id, ROOT, "[\"Encrypt\"]");
    (void)json_object_set_new(in, "RetiringPrincipal", json_string(ANN));
    create(in);
    as_ann(true);
    CU_ASSERT_TRUE(soft_ends("RevokeGrant", "AccessDeniedException",
                             json_pack("{s:s, s:s}", "KeyId", id, "GrantId", grant_id)));
    CU_ASSERT_TRUE(soft_ends("RetireGrant", "DryRunOperationException",
                             json_pack("{s:s, s:b}", "GrantToken", token, "DryRun", 1)));
    CU_ASSERT_TRUE(soft_ends("RetireGrant", NULL, json_pack("{s:s}", "GrantToken", token)));
    as_ann(false);
    CU_ASSERT_EQUAL(count_of(id), 1);
    world_end();
}

static void tokens_of_grants_that_are_gone_ask_the_cluster_within_the_quota(void)
{
    begin();
    create(grant_of(id, ROOT, "[\"Encrypt\"]"));
    CU_ASSERT_TRUE(soft_ends("RetireGrant", NULL, json_pack("{s:s}", "GrantToken", token)));
    unsigned permits = world.permits, refreshes = world.refreshes;
    CU_ASSERT_TRUE(soft_ends("RetireGrant", "InvalidGrantTokenException",
                             json_pack("{s:s}", "GrantToken", token)));
    CU_ASSERT_EQUAL(world.permits, permits + 1);
    CU_ASSERT_EQUAL(world.refreshes, refreshes + 1);
    world.is_throttled = true;
    CU_ASSERT_TRUE(
        soft_ends("RetireGrant", "ThrottlingException", json_pack("{s:s}", "GrantToken", token)));
    CU_ASSERT_EQUAL(world.refreshes, refreshes + 1);
    world_end();
}

static void a_grantee_with_RetireGrant_retires_by_key_and_id(void)
{
    char arn[160];
    begin();
    (void)snprintf(arn, sizeof arn, "arn:aws:kms:%s:%s:key/%s", WORLD_REGION, WORLD_ACCOUNT, id);
    create(grant_of(id, ANN, "[\"RetireGrant\"]"));
    as_ann(true);
    CU_ASSERT_TRUE(
        soft_ends("RetireGrant", "ValidationException", json_pack("{s:s}", "KeyId", arn)));
    CU_ASSERT_TRUE(soft_ends("RetireGrant", "ValidationException",
                             json_pack("{s:s, s:s}", "GrantToken", token, "GrantId", grant_id)));
    CU_ASSERT_TRUE(
        soft_ends("RetireGrant", NULL, json_pack("{s:s, s:s}", "KeyId", arn, "GrantId", grant_id)));
    as_ann(false);
    CU_ASSERT_EQUAL(count_of(id), 0);
    CU_ASSERT_TRUE(soft_ends("RevokeGrant", "NotFoundException",
                             json_pack("{s:s, s:s}", "KeyId", id, "GrantId", grant_id)));
    CU_ASSERT_TRUE(soft_ends("RevokeGrant", "InvalidGrantIdException",
                             json_pack("{s:s, s:s}", "KeyId", id, "GrantId", "../../key")));
    world_end();
}

static void grants_are_listed_in_pages(void)
{
    char marker[2048] = "";
    size_t seen = 0;
    begin();
    for (int i = 0; i < 5; i++)
        create(grant_of(id, i == 0 ? ROOT : ANN, "[\"Encrypt\"]"));
    create(grant_of(other, ANN, "[\"Encrypt\"]"));
    do {
        json_t *out = soft_call("ListGrants", json_pack("{s:s, s:i, s:s*}", "KeyId", id, "Limit", 2,
                                                        "Marker", marker[0] == 0 ? NULL : marker));
        seen += json_array_size(json_object_get(out, "Grants"));
        soft_text(out, "NextMarker", marker, sizeof marker);
        json_decref(out);
    } while (marker[0] != '\0' && seen < 100);
    CU_ASSERT_EQUAL(seen, 5);
    json_t *out =
        soft_call("ListGrants", json_pack("{s:s, s:s}", "KeyId", id, "GranteePrincipal", ROOT));
    CU_ASSERT_EQUAL(json_array_size(json_object_get(out, "Grants")), 1);
    json_decref(out);
    out = soft_call("ListRetirableGrants", json_pack("{s:s}", "RetiringPrincipal", ROOT));
    CU_ASSERT_EQUAL(json_array_size(json_object_get(out, "Grants")), 0);
    json_decref(out);
    world_end();
}

static void a_deleted_keys_grants_go_with_it(void)
{
    begin();
    for (int i = 0; i < 20; i++)
        create(grant_of(id, ANN, "[\"Encrypt\"]"));
    create(grant_of(other, ANN, "[\"Encrypt\"]"));
    grant_delete_all(world.kms.view, WORLD_REGION, id);
    CU_ASSERT_EQUAL(count_of(id), 0);
    CU_ASSERT_EQUAL(count_of(other), 1);
    world_end();
}

UNIT_SUITE("kms/grant", UNIT_CASE(a_grant_comes_back_from_its_document),
           UNIT_CASE(a_document_that_is_not_understood_is_refused),
           UNIT_CASE(constraints_compare_pairs), UNIT_CASE(a_child_is_no_wider_than_its_parent),
           UNIT_CASE(operations_fit_the_kind_of_key),
           UNIT_CASE(a_grantee_may_do_what_the_grant_says_on_its_key_alone),
           UNIT_CASE(a_constraint_binds_the_encryption_context),
           UNIT_CASE(a_name_makes_the_same_request_idempotent),
           UNIT_CASE(a_grantee_passes_on_no_more_than_he_has),
           UNIT_CASE(grants_that_make_no_sense_are_refused),
           UNIT_CASE(a_constraint_that_is_null_is_none),
           UNIT_CASE(a_token_of_a_grant_that_is_gone_refreshes_once_a_second),
           UNIT_CASE(a_token_that_is_not_ours_is_refused),
           UNIT_CASE(a_retiring_principal_needs_no_policy_to_retire),
           UNIT_CASE(tokens_of_grants_that_are_gone_ask_the_cluster_within_the_quota),
           UNIT_CASE(a_grantee_with_RetireGrant_retires_by_key_and_id),
           UNIT_CASE(grants_are_listed_in_pages), UNIT_CASE(a_deleted_keys_grants_go_with_it));

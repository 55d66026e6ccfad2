/* SPDX-License-Identifier: Apache-2.0 */
/* CreateGrant, RetireGrant, RevokeGrant. */
#include <stdio.h>

#include "kms/authorize.h"
#include "kms/grant.h"
#include "kms/hash.h"
#include "kms/iam_random.h"
#include "kms/operations.h"

#define GRANTS_MAX     50000U /* of a key: AWS's quota */
#define OPERATIONS_MAX 32U
#define PAIRS_MAX      8U   /* of a constraint */
#define PAIRS_TEXT_MAX 384U /* names and values of it */

/* ---- CreateGrant */

enum kms_error op_create_grant_rights(struct kms_request *request)
{
    const char *operations[OPERATIONS_MAX];
    struct grant asked = {0};
    grant_of_request(request, &asked);
    size_t count = 0;
    for (unsigned i = 0; grant_operation_name(i) != NULL && count < OPERATIONS_MAX; i++)
        if ((asked.operations & 1U << i) != 0)
            operations[count++] = grant_operation_name(i);
    const char *grantee = request_string(request, "GranteePrincipal");
    const char *retiring = request_string(request, "RetiringPrincipal");
    const char *type =
        asked.context_equals != NULL ? "EncryptionContextEquals" : "EncryptionContextSubset";
    const char *service = "false";
    struct authorize_extra extra[5] = {
        {.name = "kms:GrantOperations", .values = operations, .count = count, .is_multi = true},
        {.name = "kms:GranteePrincipal", .values = &grantee, .count = 1},
        {.name = "kms:GrantIsForAWSResource", .values = &service, .count = 1},
    };
    size_t extras = 3;
    if (retiring != NULL)
        extra[extras++] = (struct authorize_extra){
            .name = "kms:RetiringPrincipal", .values = &retiring, .count = 1};
    if (asked.context_equals != NULL || asked.context_subset != NULL)
        extra[extras++] = (struct authorize_extra){
            .name = "kms:GrantConstraintType", .values = &type, .count = 1};
    return authorize(request, "kms:CreateGrant", request->key, NULL, extra, extras);
}

static enum kms_error find_principal(const struct kms_request *request, const char *member,
                                     char out_id[POLICY_ID_LEN + 1])
{
    const char *arn = request_string(request, member);
    if (arn == NULL || identity_find_id(request->kms, arn, out_id))
        return KMS_OK;
    return kms_fail(KMS_INVALID_ARN, "ARN does not refer to a valid principal: %s", arn);
}

static enum kms_error check_operations(const struct kms_request *request, const struct grant *grant)
{
    const struct key *key = key_of(request->key);
    unsigned wrong = grant->operations & ~grant_operations_of(key);
    if (wrong == 0)
        return KMS_OK;
    unsigned index = 0;
    while ((wrong & 1U << index) == 0)
        index++;
    return kms_fail(KMS_VALIDATION, "Operation %s is not valid for %s with key usage %s.",
                    grant_operation_name(index), key->arn, key_usage_name(key->use));
}

static enum kms_error check_pairs(const json_t *pairs)
{
    const char *name = NULL;
    json_t *value = NULL;
    size_t len = 0;
    json_object_foreach((json_t *)(uintptr_t)pairs, name, value)
    {
        if (!json_is_string(value))
            return kms_fail(KMS_SERIALIZATION, "The value of %s is not a string", name);
        len += strlen(name) + json_string_length(value);
    }
    if (json_object_size(pairs) > PAIRS_MAX)
        return kms_fail(KMS_VALIDATION,
                        "A grant constraint cannot have more than %u encryption context pairs.",
                        PAIRS_MAX);
    return len <= PAIRS_TEXT_MAX
               ? KMS_OK
               : kms_fail(KMS_VALIDATION,
                          "The encryption context of a grant constraint cannot be "
                          "longer than %u characters.",
                          PAIRS_TEXT_MAX);
}

/* One that is of another type must not be passed over: the grant would be wider than meant. */
static enum kms_error check_shape(const struct kms_request *request)
{
    static const char *const names[] = {"EncryptionContextEquals", "EncryptionContextSubset"};
    const json_t *constraints = json_object_get(request->in, "Constraints");
    bool good = constraints == NULL || json_is_null(constraints) || json_is_object(constraints);
    for (size_t i = 0; i < 2 && good; i++) {
        const json_t *value = json_object_get(constraints, names[i]);
        good = value == NULL || json_is_null(value) || json_is_object(value);
    }
    return good ? KMS_OK : kms_fail(KMS_SERIALIZATION, "Unexpected type in Constraints");
}

static enum kms_error check_constraints(const struct kms_request *request,
                                        const struct grant *grant)
{
    KMS_TRY(check_shape(request));
    if (grant->context_equals == NULL && grant->context_subset == NULL)
        return KMS_OK;
    const struct key *key = key_of(request->key);
    if (keystore_spec(key->spec)->kind != KEYSTORE_AES)
        return kms_fail(KMS_VALIDATION,
                        "Grant constraints are only supported for symmetric encryption keys.");
    if (grant->context_equals != NULL && grant->context_subset != NULL)
        return kms_fail(KMS_VALIDATION, "Only one of EncryptionContextEquals and "
                                        "EncryptionContextSubset can be specified.");
    KMS_TRY(check_pairs(grant->context_equals));
    return check_pairs(grant->context_subset);
}

/* With a name, the id follows from all that was asked: the same request again finds its grant. */
static enum kms_error choose_id(struct grant *grant)
{
    uint8_t id[HASH_LEN];
    iam_random(id, sizeof id);
    if (grant->name[0] != '\0') {
        json_t *value = NULL;
        KMS_TRY(kms_from_rc(grant_encode(grant, &value)));
        char *text = json_dumps(value, JSON_SORT_KEYS | JSON_COMPACT);
        json_decref(value);
        if (text == NULL)
            return kms_from_rc(RC_NO_MEMORY);
        const struct bytes parts[] = {bytes_of_str(grant->region), bytes_of_str("/"),
                                      bytes_of_str(grant->key_id), bytes_of_str(text)};
        enum rc rc = hash_sha256_of(parts, 4, id);
        free(text);
        KMS_TRY(kms_from_rc(rc));
    }
    hash_hex(bytes_of(id, sizeof id), grant->id);
    return KMS_OK;
}

static bool count_visit(void *context, struct record *record)
{
    (void)record;
    size_t *count = context;
    return ++*count < GRANTS_MAX;
}

static enum kms_error check_quota(const struct kms_request *request)
{
    char prefix[129];
    size_t count = 0;
    grant_path(request->region, key_of(request->key)->id, "", prefix);
    view_each(request->kms->view, prefix, "", count_visit, &count);
    return count < GRANTS_MAX
               ? KMS_OK
               : kms_fail(KMS_LIMIT_EXCEEDED, "The key %s has the maximum number of grants.",
                          key_of(request->key)->arn);
}

static enum kms_error store(struct kms_request *request, struct grant *grant, const char *path)
{
    AUTO_RECORD *there = view_get(request->kms->view, path);
    if (there != NULL)
        return KMS_OK;
    KMS_TRY(check_quota(request));
    grant->created_ms = request->now_ms;
    json_t *value = NULL;
    KMS_TRY(kms_from_rc(grant_encode(grant, &value)));
    return request_from_commit(request, view_commit_one(request->kms->view, path, 0, value));
}

/* Borrows all of it from the request. */
static enum kms_error read_grant(const struct kms_request *request, char issuer[64],
                                 struct grant *out)
{
    const struct key *key = key_of(request->key);
    const char *name = request_string(request, "Name");
    grant_of_request(request, out);
    (void)snprintf(issuer, 64, "arn:aws:iam::%s:root", request->identity.account);
    out->grantee = (char *)(uintptr_t)request_string(request, "GranteePrincipal");
    out->retiring = (char *)(uintptr_t)request_string(request, "RetiringPrincipal");
    out->issuing_account = issuer;
    (void)snprintf(out->key_id, sizeof out->key_id, "%s", key->id);
    (void)snprintf(out->region, sizeof out->region, "%s", key->region);
    (void)snprintf(out->account, sizeof out->account, "%s", key->account);
    (void)snprintf(out->name, sizeof out->name, "%s", name == NULL ? "" : name);
    KMS_TRY(find_principal(request, "GranteePrincipal", out->grantee_id));
    KMS_TRY(find_principal(request, "RetiringPrincipal", out->retiring_id));
    KMS_TRY(check_operations(request, out));
    return check_constraints(request, out);
}

enum kms_error op_create_grant(struct kms_request *request)
{
    struct grant grant = {0};
    char issuer[64];
    char path[129];
    KMS_TRY(read_grant(request, issuer, &grant));
    KMS_TRY(choose_id(&grant));
    grant_path(grant.region, grant.key_id, grant.id, path);
    KMS_TRY(store(request, &grant, path));
    AUTO_BUF token = BUF_INIT;
    KMS_TRY(kms_from_rc(grant_token_write(request->kms->vault, path, &token)));
    KMS_TRY(kms_from_rc(request_put_string(request, "GrantToken", buf_str(&token))));
    return kms_from_rc(request_put_string(request, "GrantId", grant.id));
}

/* ---- RetireGrant, RevokeGrant */

static enum kms_error remove_grant(struct kms_request *request, const struct record *grant)
{
    return request_from_commit(
        request, view_commit_one(request->kms->view, grant->key, grant->version, NULL));
}

static bool is_grant_id(const char *id)
{
    return strlen(id) == GRANT_ID_LEN && strspn(id, "0123456789abcdef") == GRANT_ID_LEN;
}

/* By KeyId (that is request->key) and GrantId. */
static enum kms_error find_by_id(const struct kms_request *request, struct record **out)
{
    const char *id = request_string(request, "GrantId");
    char path[129];
    if (id == NULL || !is_grant_id(id))
        return kms_fail(KMS_INVALID_GRANT_ID, "Invalid grant ID");
    grant_path(request->region, key_of(request->key)->id, id, path);
    *out = view_get(request->kms->view, path);
    return *out != NULL ? KMS_OK
                        : kms_fail(KMS_NOT_FOUND, "Grant ID %s is not found for key %s", id,
                                   key_of(request->key)->arn);
}

static enum kms_error find_by_token(const struct kms_request *request, struct record **out)
{
    char path[129];
    KMS_TRY(grant_token_read(request->kms->vault, request->region,
                             request_string(request, "GrantToken"), path));
    *out = view_get(request->kms->view, path);
    if (*out == NULL) { /* made through another front end a moment ago? */
        KMS_TRY(kms_from_rc(view_refresh(request->kms->view)));
        *out = view_get(request->kms->view, path);
    }
    return *out != NULL ? KMS_OK : kms_fail(KMS_INVALID_GRANT_TOKEN, "Invalid grant token");
}

static enum kms_error find_grant(const struct kms_request *request, struct record **out)
{
    return request_string(request, "GrantToken") != NULL ? find_by_token(request, out)
                                                         : find_by_id(request, out);
}

/* The key of the token's grant. KeyId, when there is one, is found by its own name. */
enum kms_error op_retire_grant_find_key(struct kms_request *request)
{
    bool has_token = request_string(request, "GrantToken") != NULL;
    bool has_id = request_string(request, "GrantId") != NULL;
    if (has_token == (has_id || request_string(request, "KeyId") != NULL) ||
        (!has_token && (!has_id || request->key == NULL)))
        return kms_fail(KMS_VALIDATION, "Grant token OR (grant ID, key ID) must be specified");
    if (request->key != NULL)
        return KMS_OK;
    AUTO_RECORD *grant = NULL;
    KMS_TRY(find_by_token(request, &grant));
    const struct grant *found = grant->data;
    char path[129];
    key_path(found->region, found->key_id, path);
    request->key = view_get(request->kms->view, path);
    return request->key != NULL ? KMS_OK : kms_fail(KMS_INVALID_GRANT_TOKEN, "Invalid grant token");
}

/* Those whom the grant itself lets retire it need no policy, but one may deny it to them. */
enum kms_error op_retire_grant_rights(struct kms_request *request)
{
    AUTO_RECORD *record = NULL;
    struct authorize_reason reason = {0};
    enum kms_error found = find_grant(request, &record);
    const struct grant *grant = record == NULL ? NULL : record->data;
    bool may = grant != NULL &&
               (grant_is_principal(&request->identity, grant->retiring, grant->retiring_id) ||
                ((grant->operations & grant_operation("RetireGrant")) != 0 &&
                 grant_is_principal(&request->identity, grant->grantee, grant->grantee_id)));
    if (may)
        authorize_decide(request, "kms:RetireGrant", request->key, NULL, NULL, 0, &reason);
    if (!may || reason.verdict == VERDICT_DENY)
        KMS_TRY(authorize(request, "kms:RetireGrant", request->key, NULL, NULL, 0));
    return found;
}

enum kms_error op_retire_grant(struct kms_request *request)
{
    AUTO_RECORD *grant = NULL;
    KMS_TRY(find_grant(request, &grant));
    return remove_grant(request, grant);
}

enum kms_error op_revoke_grant(struct kms_request *request)
{
    AUTO_RECORD *grant = NULL;
    KMS_TRY(find_by_id(request, &grant));
    return remove_grant(request, grant);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* CreateKey. */
#include <stdio.h>

#include "kms/authorize.h"
#include "kms/backing.h"
#include "kms/key_new.h"
#include "kms/op_store.h"
#include "kms/operations.h"

#define KEYS_MAX 100000U /* AWS's quota for account and Region */

enum kms_error op_create_key_rights(struct kms_request *request)
{
    KMS_TRY(authorize(request, "kms:CreateKey", NULL, "*", NULL, 0));
    if (json_array_size(json_object_get(request->in, "Tags")) == 0)
        return KMS_OK;
    return authorize(request, "kms:TagResource", NULL, "*", NULL, 0);
}

/* ---- spec, usage, origin */

static enum kms_error read_spec(const struct kms_request *request, struct key *key)
{
    const char *name = request_string(request, "KeySpec");
    const char *old_name = request_string(request, "CustomerMasterKeySpec");
    if (name != NULL && old_name != NULL)
        return kms_fail(KMS_VALIDATION,
                        "You cannot specify KeySpec and CustomerMasterKeySpec in the same request. "
                        "CustomerMasterKeySpec is deprecated.");
    if (name == NULL)
        name = old_name == NULL ? "SYMMETRIC_DEFAULT" : old_name;
    const struct keystore_spec_row *row = keystore_spec_by_name(name);
    if (row == NULL)
        return kms_fail(KMS_UNSUPPORTED, "KeySpec %s is not supported in this Region.", name);
    key->spec = row->spec;
    return KMS_OK;
}

static enum kms_error read_usage(const struct kms_request *request, struct key *key)
{
    const struct keystore_spec_row *spec = keystore_spec(key->spec);
    const char *usage = request_string(request, "KeyUsage");
    if (usage == NULL && spec->kind != KEYSTORE_AES)
        return kms_fail(KMS_VALIDATION, "You must specify a KeyUsage value for all KMS keys except "
                                        "for symmetric encryption keys.");
    key->use = usage == NULL ? KEYSTORE_ENCRYPT : key_usage_by_name(usage);
    if (!keystore_may_be_for(spec, key->use))
        return kms_fail(KMS_VALIDATION, "KeyUsage %s is not compatible with KeySpec %s", usage,
                        spec->name);
    return KMS_OK;
}

static enum kms_error read_origin(const struct kms_request *request, struct key *key)
{
    const char *origin = request_string(request, "Origin");
    const char *store = request_string(request, "CustomKeyStoreId");
    const char *xks = request_string(request, "XksKeyId");
    key->origin = origin == NULL ? ORIGIN_AWS_KMS : key_origin_by_name(origin);
    bool needs_store = key->origin == ORIGIN_AWS_CLOUDHSM || key->origin == ORIGIN_XKS;
    if (needs_store && store == NULL)
        return kms_fail(KMS_VALIDATION, "You must specify a CustomKeyStoreId for Origin %s.",
                        key_origin_name(key->origin));
    if (!needs_store && store != NULL)
        return kms_fail(KMS_VALIDATION, "Origin %s is not compatible with CustomKeyStoreId.",
                        key_origin_name(key->origin));
    if (key->origin == ORIGIN_XKS && xks == NULL)
        return kms_fail(KMS_VALIDATION, "You must specify an XksKeyId for Origin %s.",
                        key_origin_name(key->origin));
    if (key->origin != ORIGIN_XKS && xks != NULL)
        return kms_fail(KMS_VALIDATION, "Origin %s is not compatible with XksKeyId.",
                        key_origin_name(key->origin));
    (void)snprintf(key->xks_key_id, sizeof key->xks_key_id, "%s", xks == NULL ? "" : xks);
    return KMS_OK;
}

/* Keys of a custom key store are symmetric, and of one Region. */
static enum kms_error read_store(struct kms_request *request, struct key *key)
{
    const char *id = request_string(request, "CustomKeyStoreId");
    AUTO_RECORD *store = NULL;
    if (id == NULL)
        return KMS_OK;
    if (key->spec != KEYSTORE_SPEC_AES_256 || key->multi_region)
        return kms_fail(KMS_UNSUPPORTED,
                        "A custom key store holds single-Region symmetric encryption keys only.");
    KMS_TRY(stores_find(request, id, &store));
    (void)snprintf(key->store_id, sizeof key->store_id, "%s", store_of(store)->id);
    return stores_admit_key(request, store, key);
}

/* ---- quota */

struct census {
    const char *account;
    size_t count;
};

static bool count_key(void *context, struct record *record)
{
    struct census *census = context;
    const struct key *key = key_of(record);
    census->count += !key->aws_managed && strcmp(key->account, census->account) == 0 ? 1 : 0;
    return true;
}

static enum kms_error check_quota(const struct kms_request *request)
{
    char prefix[129];
    struct census census = {.account = request->identity.account};
    key_path(request->region, "", prefix);
    view_each(request->kms->view, prefix, "", count_key, &census);
    if (census.count < KEYS_MAX)
        return KMS_OK;
    return kms_fail(KMS_LIMIT_EXCEEDED, "You have reached the limit of %u KMS keys.", KEYS_MAX);
}

/* ---- all */

static enum kms_error fill(struct kms_request *request, struct key *key)
{
    const char *description = request_string(request, "Description");
    KMS_TRY(read_spec(request, key));
    KMS_TRY(read_usage(request, key));
    KMS_TRY(read_origin(request, key));
    KMS_TRY(kms_from_rc(key_set_description(key, description == NULL ? "" : description)));
    KMS_TRY(key_admit_policy(request, key, request_string(request, "Policy")));
    KMS_TRY(key_admit_tags(request, key));
    KMS_TRY(check_quota(request));
    return read_store(request, key);
}

/* With the guard: the store is still there, and nobody else has taken the external key. */
static enum rc commit_in_store(const struct kms_request *request, const struct record *guard,
                               const struct key *key)
{
    struct view_changes changes = {.count = 0};
    enum rc rc = key_add_change(&changes, NULL, key);
    if (rc == RC_OK)
        rc = op_store_guard_change(&changes, guard);
    if (rc == RC_OK)
        rc = view_commit(request->kms->view, &changes);
    view_changes_clear(&changes);
    return rc;
}

static enum kms_error commit(struct kms_request *request, const struct record *guard,
                             const struct key *key)
{
    enum rc rc = key->store_id[0] == 0 ? key_commit(request->kms->view, NULL, key)
                                       : commit_in_store(request, guard, key);
    bool is_undone = rc != RC_OK && rc != RC_OUTCOME_UNKNOWN;
    for (size_t i = 0; is_undone && i < key->material_count; i++)
        backing_delete(request->kms, key, &key->materials[i]);
    return request_from_commit(request, rc);
}

enum kms_error op_create_key(struct kms_request *request)
{
    AUTO_KEY *key = NULL;
    char path[129];
    json_t *metadata = NULL;
    AUTO_RECORD *guard = op_store_guard(request); /* before anything is checked */
    KMS_TRY(key_new(request, request_bool(request, "MultiRegion"), &key));
    KMS_TRY(fill(request, key));
    KMS_TRY(backing_create(request, key));
    KMS_TRY(commit(request, guard, key));
    key_path(key->region, key->id, path);
    request->key = view_get(request->kms->view, path); /* for the trail */
    KMS_TRY(kms_from_rc(key_metadata(request->kms, key, request->now_ms, &metadata)));
    (void)json_object_set_new(request->out, "KeyMetadata", metadata);
    return KMS_OK;
}

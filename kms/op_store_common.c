/* SPDX-License-Identifier: Apache-2.0 */
/* Checks and changes that several operations on custom key stores make. */
#include <stdio.h>

#include "kms/op_store.h"
#include "kms/vault.h"

#define COUNT(list) (sizeof(list) / sizeof(list)[0])
static const char guard_key[] = "storeguard/all";

const char *const op_store_hsm_members[] = {"CloudHsmClusterId", "TrustAnchorCertificate",
                                            "KeyStorePassword"};
const size_t op_store_hsm_member_count = COUNT(op_store_hsm_members);
const char *const op_store_xks_members[] = {
    "XksProxyUriEndpoint",
    "XksProxyUriPath",
    "XksProxyVpcEndpointServiceName",
    "XksProxyVpcEndpointServiceOwner",
    "XksProxyAuthenticationCredential",
    "XksProxyConnectivity",
};
const size_t op_store_xks_member_count = COUNT(op_store_xks_members);

enum kms_error op_store_refuse(const struct kms_request *request, const char *const *members,
                               size_t count, enum store_type type)
{
    for (size_t i = 0; i < count; i++) {
        const json_t *found = json_object_get(request->in, members[i]);
        if (found != NULL && !json_is_null(found))
            return kms_fail(KMS_VALIDATION,
                            "%s is not a parameter of a custom key store of type %s.", members[i],
                            store_type_name(type));
    }
    return KMS_OK;
}

/* ---- settings of an external key store */

static enum kms_error take(const struct kms_request *request, const char *member, char *out,
                           size_t size)
{
    const char *text = request_string(request, member);
    if (text == NULL)
        return KMS_OK;
    if (strlen(text) >= size)
        return kms_fail(KMS_VALIDATION,
                        "1 validation error detected: Value at '%s' failed to satisfy constraint: "
                        "Member must have length less than or equal to %zu",
                        member, size - 1);
    (void)snprintf(out, size, "%s", text);
    return KMS_OK;
}

static enum kms_error read_credential(const struct kms_request *request, struct store *store,
                                      struct secret *out_secret)
{
    const json_t *credential = json_object_get(request->in, "XksProxyAuthenticationCredential");
    if (credential == NULL || json_is_null(credential))
        return KMS_OK;
    const char *access_key = json_string_value(json_object_get(credential, "AccessKeyId"));
    const json_t *secret = json_object_get(credential, "RawSecretAccessKey");
    if (access_key == NULL || !xks_is_access_key(access_key))
        return kms_fail(KMS_VALIDATION,
                        "XksProxyAuthenticationCredential.AccessKeyId must be 20 to 30 characters "
                        "of A-Z and 2-7.");
    if (!json_is_string(secret) ||
        !xks_is_secret(json_string_value(secret), json_string_length(secret)))
        return kms_fail(KMS_VALIDATION,
                        "XksProxyAuthenticationCredential.RawSecretAccessKey must be 43 to 64 "
                        "characters of A-Z, a-z, 0-9, /, + and =.");
    (void)snprintf(store->xks_access_key, sizeof store->xks_access_key, "%s", access_key);
    return kms_from_rc(secret_from_bytes(
        out_secret, bytes_of(json_string_value(secret), json_string_length(secret))));
}

enum kms_error op_store_read_xks(const struct kms_request *request, struct store *store,
                                 struct secret *out_secret)
{
    KMS_TRY(take(request, "XksProxyUriEndpoint", store->xks_endpoint, sizeof store->xks_endpoint));
    KMS_TRY(take(request, "XksProxyUriPath", store->xks_path, sizeof store->xks_path));
    KMS_TRY(take(request, "XksProxyConnectivity", store->xks_connectivity,
                 sizeof store->xks_connectivity));
    KMS_TRY(take(request, "XksProxyVpcEndpointServiceName", store->xks_vpc_name,
                 sizeof store->xks_vpc_name));
    KMS_TRY(take(request, "XksProxyVpcEndpointServiceOwner", store->xks_vpc_owner,
                 sizeof store->xks_vpc_owner));
    return read_credential(request, store, out_secret);
}

static bool is_endpoint(const char *text)
{
    static const char scheme[] = "https://";
    size_t len = strlen(text);
    return strncmp(text, scheme, sizeof scheme - 1) == 0 && len > sizeof scheme - 1 &&
           strspn(text + sizeof scheme - 1, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                            "0123456789.-:") == len - (sizeof scheme - 1);
}

static bool is_path(const char *text)
{
    size_t len = strlen(text);
    size_t tail = sizeof XKS_API_PATH - 1;
    return text[0] == '/' && len >= tail && strcmp(text + len - tail, XKS_API_PATH) == 0 &&
           strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/_-") == len;
}

static enum kms_error need(const char *value, const char *member)
{
    return value[0] != 0 ? KMS_OK
                         : kms_fail(KMS_VALIDATION,
                                    "1 validation error detected: Value null at '%s' failed to "
                                    "satisfy constraint: Member must not be null",
                                    member);
}

enum kms_error op_store_check_xks(const struct store *store)
{
    KMS_TRY(need(store->xks_endpoint, "xksProxyUriEndpoint"));
    KMS_TRY(need(store->xks_path, "xksProxyUriPath"));
    KMS_TRY(need(store->xks_access_key, "xksProxyAuthenticationCredential"));
    KMS_TRY(need(store->xks_connectivity, "xksProxyConnectivity"));
    if (!is_endpoint(store->xks_endpoint))
        return kms_fail(KMS_VALIDATION, "XksProxyUriEndpoint must be https:// and a host name.");
    if (!is_path(store->xks_path))
        return kms_fail(KMS_VALIDATION, "XksProxyUriPath must end in " XKS_API_PATH ".");
    bool is_vpc = strcmp(store->xks_connectivity, "VPC_ENDPOINT_SERVICE") == 0;
    if (!is_vpc && strcmp(store->xks_connectivity, "PUBLIC_ENDPOINT") != 0)
        return kms_fail(KMS_VALIDATION,
                        "1 validation error detected: Value '%s' at 'xksProxyConnectivity' failed "
                        "to satisfy constraint: Member must satisfy enum value set: "
                        "[VPC_ENDPOINT_SERVICE, PUBLIC_ENDPOINT]",
                        store->xks_connectivity);
    if (is_vpc)
        return need(store->xks_vpc_name, "xksProxyVpcEndpointServiceName");
    if (store->xks_vpc_name[0] != 0)
        return kms_fail(KMS_VALIDATION, "XksProxyVpcEndpointServiceName is a parameter of "
                                        "XksProxyConnectivity VPC_ENDPOINT_SERVICE alone.");
    return KMS_OK;
}

/* ---- one store's alone */

struct unique {
    const struct store *store;
    size_t count;
    enum kms_error error;
};

static bool same(const char *left, const char *right)
{
    return left[0] != 0 && strcmp(left, right) == 0;
}

static bool is_vpc(const struct store *store)
{
    return store->xks_vpc_name[0] != 0;
}

/* A proxy is one of a Region. */
static enum kms_error compare_proxies(const struct store *store, const struct store *other)
{
    if (strcmp(store->region, other->region) != 0)
        return KMS_OK;
    bool same_endpoint = same(store->xks_endpoint, other->xks_endpoint);
    if (same_endpoint && strcmp(store->xks_path, other->xks_path) == 0)
        return kms_fail(KMS_XKS_URI_IN_USE,
                        "The XksProxyUriEndpoint %s and XksProxyUriPath %s are in use by another "
                        "external key store in this Region.",
                        store->xks_endpoint, store->xks_path);
    if (same_endpoint && (is_vpc(store) || is_vpc(other)))
        return kms_fail(KMS_XKS_ENDPOINT_IN_USE,
                        "The XksProxyUriEndpoint %s is in use by another external key store in "
                        "this Region.",
                        store->xks_endpoint);
    if (same(store->xks_vpc_name, other->xks_vpc_name))
        return kms_fail(KMS_XKS_VPC_IN_USE,
                        "The Amazon VPC endpoint service %s is in use by another external key "
                        "store in this Region.",
                        store->xks_vpc_name);
    return KMS_OK;
}

static enum kms_error compare(struct unique *unique, const struct store *other)
{
    const struct store *store = unique->store;
    bool is_home =
        strcmp(store->region, other->region) == 0 && strcmp(store->account, other->account) == 0;
    unique->count += is_home;
    if (is_home && strcmp(store->id, other->id) == 0)
        return KMS_OK;
    if (is_home && strcmp(store->name, other->name) == 0)
        return kms_fail(KMS_CUSTOM_STORE_NAME_IN_USE,
                        "The custom key store name %s is already in use in this account and "
                        "Region.",
                        store->name);
    if (same(store->cluster_id, other->cluster_id))
        return kms_fail(KMS_HSM_CLUSTER_IN_USE,
                        "The AWS CloudHSM cluster %s is already associated with a custom key "
                        "store.",
                        store->cluster_id);
    return compare_proxies(store, other);
}

static bool visit_other(void *context, struct record *record)
{
    struct unique *unique = context;
    unique->error = compare(unique, store_of(record));
    return unique->error == KMS_OK;
}

enum kms_error op_store_check_unique(struct view *view, const struct store *store,
                                     size_t *out_count)
{
    struct unique unique = {.store = store, .error = KMS_OK};
    view_each(view, "store/", "", visit_other, &unique);
    *out_count = unique.count;
    return unique.error;
}

/* ---- changes */

struct record *op_store_guard(const struct kms_request *request)
{
    return view_get(request->kms->view, guard_key);
}

enum rc op_store_guard_change(struct view_changes *changes, const struct record *guard)
{
    json_t *empty = json_object();
    return empty == NULL
               ? RC_NO_MEMORY
               : view_changes_add(changes, guard_key, guard == NULL ? 0 : guard->version, empty);
}

static enum rc fill(struct view_changes *changes, const struct record *guard,
                    const struct record *old, const struct store *fresh)
{
    char path[129];
    json_t *value = NULL;
    TRY(op_store_guard_change(changes, guard));
    if (fresh == NULL)
        return view_changes_add(changes, old->key, old->version, NULL);
    TRY(store_encode(fresh, &value));
    store_path(fresh, path);
    return view_changes_add(changes, path, old == NULL ? 0 : old->version, value);
}

enum kms_error op_store_commit(struct kms_request *request, const struct record *guard,
                               const struct record *old, const struct store *fresh)
{
    struct view_changes changes = {.count = 0};
    enum rc rc = fill(&changes, guard, old, fresh);
    if (rc == RC_OK)
        rc = view_commit(request->kms->view, &changes);
    view_changes_clear(&changes);
    return rc == RC_CONFLICT ? request_again(request) : kms_from_rc(rc);
}

enum kms_error op_store_seal(const struct kms_request *request, const struct store *store,
                             struct bytes plain, struct buf *out)
{
    char purpose[129];
    store_path(store, purpose);
    buf_clear(out);
    return kms_from_rc(vault_close(request->kms->vault, purpose, plain, out));
}

enum kms_error op_store_fail_state(const struct store *store, const char *wanted)
{
    return kms_fail(KMS_CUSTOM_STORE_INVALID_STATE,
                    "The custom key store %s is in the %s state. This operation is valid only when "
                    "its state is %s.",
                    store->id, store_state_name(store->state), wanted);
}

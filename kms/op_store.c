/* SPDX-License-Identifier: Apache-2.0 */
/* ConnectCustomKeyStore, DisconnectCustomKeyStore, DeleteCustomKeyStore, DescribeCustomKeyStores.
 */
#include "kms/op_store.h"

#include <stdio.h>

#include "kms/operations.h"
#include "kms/page.h"
#include "kms/store_connect.h"
#include "kms/store_link.h"

#define PAGE_DEFAULT 100U
#define PAGE_MOST    1000U

static enum kms_error find(struct kms_request *request, struct record **out)
{
    return stores_find(request, request_string(request, "CustomKeyStoreId"), out);
}

/* A change of a store's state; the set of stores stays as it is. */
static enum kms_error commit(struct kms_request *request, const struct record *old,
                             const struct store *fresh)
{
    enum rc rc = store_commit(request->kms->view, old, fresh);
    return rc == RC_CONFLICT ? request_again(request) : kms_from_rc(rc);
}

/* ---- connect */

static enum kms_error begin(struct kms_request *request, const struct record *record)
{
    struct store *fresh = NULL;
    KMS_TRY(kms_from_rc(store_copy(store_of(record), &fresh)));
    store_connect_begin(request->kms->stores, fresh, request->now_ms);
    enum kms_error error = commit(request, record, fresh);
    store_free(fresh);
    if (error == KMS_OK)
        store_connect_wake(request->kms->stores);
    return error;
}

static enum kms_error check_cluster_known(const struct kms_request *request,
                                          const struct store *store)
{
    if (store->type != STORE_CLOUDHSM ||
        kms_config_cluster(request->kms->config, store->cluster_id) != NULL)
        return KMS_OK;
    return kms_fail(KMS_HSM_CLUSTER_NOT_ACTIVE, "The AWS CloudHSM cluster %s is not active.",
                    store->cluster_id);
}

enum kms_error op_connect_custom_key_store(struct kms_request *request)
{
    AUTO_RECORD *record = NULL;
    KMS_TRY(find(request, &record));
    const struct store *store = store_of(record);
    switch (store->state) {
    case STORE_CONNECTING:
    case STORE_CONNECTED:
        return KMS_OK;
    case STORE_DISCONNECTED:
        KMS_TRY(check_cluster_known(request, store));
        return begin(request, record);
    case STORE_DISCONNECTING:
    case STORE_FAILED:
    default:
        return op_store_fail_state(store, "DISCONNECTED (disconnect a FAILED one first)");
    }
}

/* ---- disconnect: every front end sees the document, and that is all there is to wait for */

static enum kms_error end(struct kms_request *request, const struct record *record)
{
    struct store *fresh = NULL;
    KMS_TRY(kms_from_rc(store_copy(store_of(record), &fresh)));
    fresh->state = STORE_DISCONNECTED;
    fresh->error_code[0] = 0;
    fresh->holder[0] = 0;
    fresh->since_ms = 0;
    enum kms_error error = commit(request, record, fresh);
    store_free(fresh);
    if (error == KMS_OK)
        store_connect_wake(request->kms->stores);
    return error;
}

enum kms_error op_disconnect_custom_key_store(struct kms_request *request)
{
    AUTO_RECORD *record = NULL;
    KMS_TRY(find(request, &record));
    const struct store *store = store_of(record);
    if (store->state == STORE_DISCONNECTED || store->state == STORE_DISCONNECTING)
        return op_store_fail_state(store, "CONNECTED, CONNECTING or FAILED");
    return end(request, record);
}

/* ---- delete */

struct keys_in {
    const char *store_id;
    bool has_any;
};

static bool visit_key(void *context, struct record *record)
{
    struct keys_in *keys = context;
    keys->has_any = strcmp(key_of(record)->store_id, keys->store_id) == 0;
    return !keys->has_any;
}

enum kms_error op_delete_custom_key_store(struct kms_request *request)
{
    char prefix[129];
    AUTO_RECORD *record = NULL;
    AUTO_RECORD *guard = op_store_guard(request);
    KMS_TRY(find(request, &record));
    const struct store *store = store_of(record);
    if (store->state != STORE_DISCONNECTED)
        return op_store_fail_state(store, "DISCONNECTED");
    struct keys_in keys = {.store_id = store->id};
    (void)snprintf(prefix, sizeof prefix, "key/%s/", request->region);
    view_each(request->kms->view, prefix, "", visit_key, &keys);
    if (keys.has_any)
        return kms_fail(KMS_CUSTOM_STORE_HAS_CMKS,
                        "The custom key store %s contains KMS keys. Schedule their deletion, and "
                        "delete the key store when they are gone.",
                        store->id);
    return op_store_commit(request, guard, record, NULL);
}

/* ---- describe */

static void put(json_t *entry, const char *member, const char *text)
{
    if (text != NULL && text[0] != 0)
        (void)json_object_set_new(entry, member, json_string(text));
}

static json_t *describe_xks(const struct store *store)
{
    json_t *proxy = json_object();
    put(proxy, "Connectivity", store->xks_connectivity);
    put(proxy, "AccessKeyId", store->xks_access_key);
    put(proxy, "UriEndpoint", store->xks_endpoint);
    put(proxy, "UriPath", store->xks_path);
    put(proxy, "VpcEndpointServiceName", store->xks_vpc_name);
    put(proxy, "VpcEndpointServiceOwner", store->xks_vpc_owner);
    return proxy;
}

static json_t *describe(const struct store *store)
{
    json_t *entry = json_object();
    put(entry, "CustomKeyStoreId", store->id);
    put(entry, "CustomKeyStoreName", store->name);
    put(entry, "CloudHsmClusterId", store->cluster_id);
    put(entry, "TrustAnchorCertificate", store->trust_anchor);
    put(entry, "ConnectionState", store_state_name(store->state));
    put(entry, "ConnectionErrorCode", store->error_code);
    (void)json_object_set_new(entry, "CreationDate", json_real((double)store->created_ms / 1000.0));
    put(entry, "CustomKeyStoreType", store_type_name(store->type));
    if (store->type == STORE_XKS)
        (void)json_object_set_new(entry, "XksProxyConfiguration", describe_xks(store));
    return entry;
}

struct listing {
    struct page *page;
    const char *id;   /* wanted alone; NULL */
    const char *name; /* likewise */
    size_t count;
};

static bool visit_store(void *context, struct record *record)
{
    struct listing *listing = context;
    const struct store *store = store_of(record);
    if ((listing->id != NULL && strcmp(listing->id, store->id) != 0) ||
        (listing->name != NULL && strcmp(listing->name, store->name) != 0))
        return true;
    listing->count++;
    return page_add(listing->page, store->id, describe(store));
}

enum kms_error op_describe_custom_key_stores(struct kms_request *request)
{
    char prefix[129];
    char after[129 + PAGE_CURSOR_MAX];
    AUTO_PAGE page = PAGE_INIT;
    struct listing listing = {.page = &page,
                              .id = request_string(request, "CustomKeyStoreId"),
                              .name = request_string(request, "CustomKeyStoreName")};
    if (listing.id != NULL && listing.name != NULL)
        return kms_fail(KMS_VALIDATION, "CustomKeyStoreId and CustomKeyStoreName cannot both be "
                                        "specified.");
    KMS_TRY(page_open(request, PAGE_DEFAULT, PAGE_MOST, &page));
    (void)snprintf(prefix, sizeof prefix, "store/%s/%s/", request->region,
                   request->identity.account);
    (void)snprintf(after, sizeof after, "%s%s", page.after[0] == 0 ? "" : prefix, page.after);
    view_each(request->kms->view, prefix, after, visit_store, &listing);
    if (listing.count == 0 && (listing.id != NULL || listing.name != NULL))
        return kms_fail(KMS_CUSTOM_STORE_NOT_FOUND,
                        "AWS KMS cannot find a custom key store with the specified key store "
                        "name or ID: %.256s",
                        listing.id != NULL ? listing.id : listing.name);
    return page_close(request, &page, "CustomKeyStores");
}

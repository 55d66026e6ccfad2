/* SPDX-License-Identifier: Apache-2.0 */
/* CreateCustomKeyStore. */
#include <stdio.h>
#include <sys/random.h>

#include "kms/op_store.h"
#include "kms/operations.h"
#include "kms/store_check.h"
#include "kms/store_link.h"
#include "kms/vault.h"

#define STORES_MAX 10U /* AWS: of an account in a Region */
#define ID_DIGITS  17U

/* The store to be, and what it will keep closed. */
struct making {
    struct store *store;
    struct secret secret; /* password, or secret access key */
};

static enum kms_error make_id(struct store *store)
{
    uint8_t raw[9];
    char hex[19];
    if (getrandom(raw, sizeof raw, 0) != (ssize_t)sizeof raw)
        return kms_from_rc(rc_fail(RC_RANDOM, "getrandom failed"));
    for (size_t i = 0; i < sizeof raw; i++)
        (void)snprintf(hex + 2 * i, 3, "%02x", raw[i]);
    (void)snprintf(store->id, sizeof store->id, "cks-%.*s", (int)ID_DIGITS, hex);
    return KMS_OK;
}

static enum kms_error read_common(const struct kms_request *request, struct store *store)
{
    const char *type = request_string(request, "CustomKeyStoreType");
    (void)snprintf(store->name, sizeof store->name, "%s",
                   request_string(request, "CustomKeyStoreName"));
    (void)snprintf(store->region, sizeof store->region, "%s", request->region);
    (void)snprintf(store->account, sizeof store->account, "%s", request->identity.account);
    store->created_ms = request->now_ms;
    store->state = STORE_DISCONNECTED;
    store->type =
        type != NULL && strcmp(type, store_type_name(STORE_XKS)) == 0 ? STORE_XKS : STORE_CLOUDHSM;
    return make_id(store);
}

static enum kms_error need(const struct kms_request *request, const char *member, const char **out)
{
    *out = request_string(request, member);
    return *out != NULL ? KMS_OK
                        : kms_fail(KMS_VALIDATION,
                                   "%s is a required parameter of a custom key store of type "
                                   "AWS_CLOUDHSM.",
                                   member);
}

static enum kms_error read_hsm(const struct kms_request *request, struct making *making)
{
    const char *cluster = NULL;
    const char *anchor = NULL;
    const char *password = NULL;
    KMS_TRY(
        op_store_refuse(request, op_store_xks_members, op_store_xks_member_count, STORE_CLOUDHSM));
    KMS_TRY(need(request, "CloudHsmClusterId", &cluster));
    KMS_TRY(need(request, "TrustAnchorCertificate", &anchor));
    KMS_TRY(need(request, "KeyStorePassword", &password));
    struct store *store = making->store;
    (void)snprintf(store->cluster_id, sizeof store->cluster_id, "%s", cluster);
    store->trust_anchor = strdup(anchor);
    if (store->trust_anchor == NULL)
        return kms_from_rc(RC_NO_MEMORY);
    return kms_from_rc(secret_from_bytes(&making->secret, bytes_of_str(password)));
}

static enum kms_error read_request(const struct kms_request *request, struct making *making)
{
    struct store *store = making->store;
    KMS_TRY(read_common(request, store));
    if (store->type == STORE_CLOUDHSM)
        return read_hsm(request, making);
    KMS_TRY(op_store_refuse(request, op_store_hsm_members, op_store_hsm_member_count, STORE_XKS));
    KMS_TRY(op_store_read_xks(request, store, &making->secret));
    return op_store_check_xks(store);
}

/* ---- a repeated request: AWS gives the store that the first one made */

static bool is_alike(const struct store *one, const struct store *other)
{
    return one->type == other->type && strcmp(one->name, other->name) == 0 &&
           strcmp(one->cluster_id, other->cluster_id) == 0 &&
           strcmp(one->xks_endpoint, other->xks_endpoint) == 0 &&
           strcmp(one->xks_path, other->xks_path) == 0 &&
           strcmp(one->xks_connectivity, other->xks_connectivity) == 0 &&
           strcmp(one->xks_vpc_name, other->xks_vpc_name) == 0 &&
           strcmp(one->xks_access_key, other->xks_access_key) == 0 &&
           (one->type == STORE_XKS ||
            store_check_anchor(one->trust_anchor, bytes_of_str(other->trust_anchor)));
}

struct twin_search {
    const struct store *store;
    char key[129];
};

static bool visit_twin(void *context, struct record *record)
{
    struct twin_search *search = context;
    const struct store *other = store_of(record);
    if (other->state != STORE_DISCONNECTED || !is_alike(search->store, other))
        return true;
    (void)snprintf(search->key, sizeof search->key, "%s", record->key);
    return false;
}

static bool has_secret(const struct kms_request *request, const struct record *record,
                       const struct secret *secret)
{
    const struct store *store = store_of(record);
    const struct buf *closed = store->type == STORE_XKS ? &store->xks_secret : &store->password;
    AUTO_SECRET opened = SECRET_INIT;
    return vault_open(request->kms->vault, record->key, buf_bytes(closed), &opened) == RC_OK &&
           secret_equal(&opened, secret_expose(secret));
}

/* New reference, or NULL. */
static struct record *find_twin(const struct kms_request *request, const struct making *making)
{
    char prefix[129];
    struct twin_search search = {.store = making->store};
    (void)snprintf(prefix, sizeof prefix, "store/%s/%s/", request->region,
                   request->identity.account);
    view_each(request->kms->view, prefix, "", visit_twin, &search);
    struct record *record = search.key[0] == 0 ? NULL : view_get(request->kms->view, search.key);
    if (record != NULL && has_secret(request, record, &making->secret))
        return record;
    record_unref(record);
    return NULL;
}

/* ---- */

static enum kms_error check_backend(struct kms_request *request, const struct making *making)
{
    const struct store *store = making->store;
    if (store->type == STORE_XKS)
        return store_xks_check(request, store, &making->secret);
    return store_check_cluster(request->kms, store->cluster_id, store->trust_anchor,
                               KMS_INCORRECT_TRUST_ANCHOR);
}

static enum kms_error create(struct kms_request *request, struct making *making)
{
    AUTO_RECORD *guard = op_store_guard(request);
    AUTO_RECORD *twin = find_twin(request, making);
    struct store *store = making->store;
    size_t count = 0;
    if (twin != NULL)
        return kms_from_rc(request_put_string(request, "CustomKeyStoreId", store_of(twin)->id));
    KMS_TRY(op_store_check_unique(request->kms->view, store, &count));
    if (count >= STORES_MAX)
        return kms_fail(KMS_LIMIT_EXCEEDED, "This account has %u custom key stores in %s already.",
                        STORES_MAX, request->region);
    KMS_TRY(check_backend(request, making));
    struct buf *closed = store->type == STORE_XKS ? &store->xks_secret : &store->password;
    KMS_TRY(op_store_seal(request, store, secret_expose(&making->secret), closed));
    KMS_TRY(op_store_commit(request, guard, NULL, store));
    return kms_from_rc(request_put_string(request, "CustomKeyStoreId", store->id));
}

enum kms_error op_create_custom_key_store(struct kms_request *request)
{
    struct making making = {.secret = SECRET_INIT};
    KMS_TRY(kms_from_rc(store_new(&making.store)));
    enum kms_error error = read_request(request, &making);
    if (error == KMS_OK)
        error = create(request, &making);
    secret_clear(&making.secret);
    store_free(making.store);
    return error;
}

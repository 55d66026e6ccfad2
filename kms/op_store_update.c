/* SPDX-License-Identifier: Apache-2.0 */
/* UpdateCustomKeyStore. */
#include <stdio.h>

#include "kms/op_store.h"
#include "kms/operations.h"
#include "kms/store_check.h"
#include "kms/store_connect.h"
#include "kms/store_link.h"
#include "kms/vault.h"

static bool has(const struct kms_request *request, const char *member)
{
    const json_t *found = json_object_get(request->in, member);
    return found != NULL && !json_is_null(found);
}

/* AWS: the name at any time; credential and path of a proxy also while connected; the rest of a
 * disconnected store alone. */
static enum kms_error check_state(const struct kms_request *request, const struct store *store)
{
    static const char *const always_disconnected[] = {
        "KeyStorePassword",     "CloudHsmClusterId",
        "XksProxyUriEndpoint",  "XksProxyVpcEndpointServiceName",
        "XksProxyConnectivity", "XksProxyVpcEndpointServiceOwner",
    };
    static const char *const maybe_connected[] = {"XksProxyUriPath",
                                                  "XksProxyAuthenticationCredential"};
    if (store->state == STORE_DISCONNECTED)
        return KMS_OK;
    for (size_t i = 0; i < sizeof always_disconnected / sizeof always_disconnected[0]; i++) {
        if (has(request, always_disconnected[i]))
            return op_store_fail_state(store, "DISCONNECTED");
    }
    for (size_t i = 0; i < sizeof maybe_connected / sizeof maybe_connected[0]; i++) {
        if (has(request, maybe_connected[i]) && store->state != STORE_CONNECTED)
            return op_store_fail_state(store, "CONNECTED or DISCONNECTED");
    }
    return KMS_OK;
}

/* What was noted down while a rotation was under way may be the password yet: it stays. */
static enum kms_error update_hsm(struct kms_request *request, struct store *fresh)
{
    const char *cluster = request_string(request, "CloudHsmClusterId");
    const char *password = request_string(request, "KeyStorePassword");
    KMS_TRY(
        op_store_refuse(request, op_store_xks_members, op_store_xks_member_count, STORE_CLOUDHSM));
    if (cluster != NULL) {
        (void)snprintf(fresh->cluster_id, sizeof fresh->cluster_id, "%s", cluster);
        KMS_TRY(store_check_cluster(request->kms, cluster, fresh->trust_anchor,
                                    KMS_HSM_CLUSTER_NOT_RELATED));
    }
    return password == NULL
               ? KMS_OK
               : op_store_seal(request, fresh, bytes_of_str(password), &fresh->password);
}

/* The proxy must answer as it is to be asked from now on. */
static enum kms_error check_proxy(struct kms_request *request, const struct store *fresh,
                                  struct secret *secret)
{
    char purpose[129];
    store_path(fresh, purpose);
    if (secret->len == 0)
        KMS_TRY(kms_from_rc(
            vault_open(request->kms->vault, purpose, buf_bytes(&fresh->xks_secret), secret)));
    return store_xks_check(request, fresh, secret);
}

static enum kms_error update_xks(struct kms_request *request, struct store *fresh)
{
    AUTO_SECRET secret = SECRET_INIT;
    bool is_touched = false;
    KMS_TRY(op_store_refuse(request, op_store_hsm_members, op_store_hsm_member_count, STORE_XKS));
    for (size_t i = 0; i < op_store_xks_member_count; i++)
        is_touched = is_touched || has(request, op_store_xks_members[i]);
    if (!is_touched)
        return KMS_OK;
    KMS_TRY(op_store_read_xks(request, fresh, &secret));
    if (strcmp(fresh->xks_connectivity, "PUBLIC_ENDPOINT") == 0 &&
        !has(request, "XksProxyVpcEndpointServiceName"))
        fresh->xks_vpc_name[0] = 0;
    KMS_TRY(op_store_check_xks(fresh));
    bool is_new = secret.len > 0;
    KMS_TRY(check_proxy(request, fresh, &secret));
    return is_new ? op_store_seal(request, fresh, secret_expose(&secret), &fresh->xks_secret)
                  : KMS_OK;
}

static enum kms_error update(struct kms_request *request, const struct record *guard,
                             const struct record *record, struct store *fresh)
{
    const char *name = request_string(request, "NewCustomKeyStoreName");
    size_t count = 0;
    if (name != NULL)
        (void)snprintf(fresh->name, sizeof fresh->name, "%s", name);
    KMS_TRY(check_state(request, fresh));
    KMS_TRY(fresh->type == STORE_XKS ? update_xks(request, fresh) : update_hsm(request, fresh));
    KMS_TRY(op_store_check_unique(request->kms->view, fresh, &count));
    return op_store_commit(request, guard, record, fresh);
}

enum kms_error op_update_custom_key_store(struct kms_request *request)
{
    struct store *fresh = NULL;
    AUTO_RECORD *record = NULL;
    AUTO_RECORD *guard = op_store_guard(request);
    KMS_TRY(stores_find(request, request_string(request, "CustomKeyStoreId"), &record));
    KMS_TRY(kms_from_rc(store_copy(store_of(record), &fresh)));
    enum kms_error error = update(request, guard, record, fresh);
    store_free(fresh);
    return error;
}

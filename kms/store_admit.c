/* SPDX-License-Identifier: Apache-2.0 */
/* CreateKey in a custom key store. */
#include <stdio.h>

#include "kms/store_check.h"
#include "kms/store_link.h"
#include "kms/xks.h"

/* ---- both kinds: AES-256 for encryption alone, in one Region */

static enum kms_error check_shape(const struct store *store, const struct key *key)
{
    enum key_origin origin = store->type == STORE_XKS ? ORIGIN_XKS : ORIGIN_AWS_CLOUDHSM;
    if (key->origin != origin)
        return kms_fail(KMS_VALIDATION, "Origin %s is not valid in a custom key store of type %s.",
                        key_origin_name(key->origin), store_type_name(store->type));
    if (key->spec != KEYSTORE_SPEC_AES_256 || key->use != KEYSTORE_ENCRYPT)
        return kms_fail(KMS_UNSUPPORTED,
                        "Custom key stores hold symmetric encryption KMS keys alone.");
    if (key->multi_region)
        return kms_fail(KMS_UNSUPPORTED,
                        "You cannot create a multi-Region key in a custom key store.");
    return KMS_OK;
}

static enum kms_error check_connected(const struct store *store)
{
    return store->state == STORE_CONNECTED
               ? KMS_OK
               : kms_fail(KMS_CUSTOM_STORE_INVALID_STATE,
                          "The custom key store %s is in the %s state. Connect it and try the "
                          "request again.",
                          store->id, store_state_name(store->state));
}

/* ---- external keys */

struct rivals {
    const struct key *key;
    bool has_any;
};

static bool visit_rival(void *context, struct record *record)
{
    struct rivals *rivals = context;
    const struct key *other = key_of(record);
    rivals->has_any = strcmp(other->store_id, rivals->key->store_id) == 0 &&
                      strcmp(other->xks_key_id, rivals->key->xks_key_id) == 0 &&
                      strcmp(other->id, rivals->key->id) != 0;
    return !rivals->has_any;
}

static enum kms_error admit_xks(struct kms_request *request, const struct record *record,
                                const struct key *key)
{
    char prefix[64];
    struct rivals rivals = {.key = key};
    if (!xks_is_key_id(key->xks_key_id, strlen(key->xks_key_id)))
        return kms_fail(KMS_VALIDATION,
                        "XksKeyId is a required parameter of a KMS key in an external key store.");
    (void)snprintf(prefix, sizeof prefix, "key/%s/", key->region);
    view_each(request->kms->view, prefix, "", visit_rival, &rivals);
    if (rivals.has_any)
        return kms_fail(KMS_XKS_KEY_IN_USE,
                        "The external key %s is already associated with a KMS key in this external "
                        "key store.",
                        key->xks_key_id);
    return store_xks_admit(request, record, key);
}

/* ---- */

static enum kms_error admit_hsm(struct kms_request *request, const struct record *record)
{
    struct stores *stores = request->kms->stores;
    struct hsm_client *client = NULL;
    KMS_TRY(stores_hsm(stores, record, &client));
    enum kms_error error = store_check_hsms(client, store_of(record)->cluster_id);
    stores_hsm_done(stores, client);
    return error;
}

enum kms_error stores_admit_key(struct kms_request *request, const struct record *record,
                                struct key *key)
{
    const struct store *store = store_of(record);
    KMS_TRY(check_shape(store, key));
    KMS_TRY(check_connected(store));
    (void)snprintf(key->store_id, sizeof key->store_id, "%s", store->id);
    return store->type == STORE_XKS ? admit_xks(request, record, key) : admit_hsm(request, record);
}

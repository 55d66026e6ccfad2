/* SPDX-License-Identifier: Apache-2.0 */
/* External key stores at their proxies. What is encrypted there is what KMS's own material has
 * encrypted before (kms/backing.c), so that neither side alone can read it. */
#include "common/log.h"
#include "kms/store_link.h"
#include "kms/vault.h"

/* ---- whom to ask, and in whose name */

static struct xks_call call_of(const struct kms_request *request, const struct store *store,
                               const struct secret *secret)
{
    return (struct xks_call){
        .endpoint = store->xks_endpoint,
        .path = store->xks_path,
        .access_key = store->xks_access_key,
        .secret = secret,
        .region = store->region,
        .principal = request != NULL ? request->identity.arn : NULL,
        .operation = request != NULL ? request->operation->name : "ConnectCustomKeyStore",
        .request_id = request != NULL ? request->http->id : store->id,
    };
}

static struct xks_call call_of_key(const struct kms_request *request, const struct store *store,
                                   const struct key *key, const struct store_link *link)
{
    struct xks_call call = call_of(request, store, &link->secret);
    call.key_id = key->xks_key_id;
    call.key_arn = key->arn;
    return call;
}

/* ---- connecting and checking */

const char *store_xks_connect(struct stores *stores, const struct record *record)
{
    const struct store *store = store_of(record);
    AUTO_SECRET secret = SECRET_INIT;
    enum rc rc =
        vault_open(stores->kms->vault, record->key, buf_bytes(&store->xks_secret), &secret);
    if (rc != RC_OK) {
        log_warn("store_connect_failed", "store=%s at=secret error=%s", store->id,
                 rc_info(rc)->name);
        return "INTERNAL_ERROR";
    }
    struct xks_call call = call_of(NULL, store, &secret);
    enum xks_error error = xks_client_health(stores->xks, &call);
    return error == XKS_OK ? NULL : xks_error_row(error)->code;
}

enum kms_error store_xks_check(struct kms_request *request, const struct store *store,
                               const struct secret *secret)
{
    struct xks_call call = call_of(request, store, secret);
    enum xks_error error = xks_client_health(request->kms->stores->xks, &call);
    const struct xks_error_row *row = xks_error_row(error);
    return error == XKS_OK ? KMS_OK : kms_fail(row->store, "%s", row->text);
}

enum kms_error store_xks_admit(struct kms_request *request, const struct record *record,
                               const struct key *key)
{
    struct stores *stores = request->kms->stores;
    struct store_link *link = NULL;
    KMS_TRY(store_link_take(stores, record, &link));
    struct xks_call call = call_of_key(request, store_of(record), key, link);
    enum xks_error error = xks_client_metadata(stores->xks, &call);
    store_link_done(stores, link);
    const struct xks_error_row *row = xks_error_row(error);
    return error == XKS_OK ? KMS_OK : kms_fail(row->create_key, "%s", row->text);
}

/* ---- use */

static enum kms_error fail_use(enum xks_error error)
{
    return error == XKS_OK ? KMS_OK : kms_fail(KMS_INVALID_STATE, "%s", xks_error_row(error)->text);
}

/* A proxy takes 8,192 bytes; a longer context goes by its hash. The inner layer has all of it. */
static enum kms_error shorten(struct bytes *aad, uint8_t hash[HASH_LEN])
{
    if (aad->len <= XKS_AAD_MAX)
        return KMS_OK;
    KMS_TRY(kms_from_rc(hash_sha256(*aad, hash)));
    *aad = bytes_of(hash, HASH_LEN);
    return KMS_OK;
}

enum kms_error stores_xks_encrypt(struct kms_request *request, const struct record *record,
                                  const struct key *key, struct bytes aad, struct bytes plain,
                                  struct buf *out)
{
    uint8_t hash[HASH_LEN];
    struct stores *stores = request->kms->stores;
    struct store_link *link = NULL;
    KMS_TRY(shorten(&aad, hash));
    KMS_TRY(store_link_take(stores, record, &link));
    struct xks_call call = call_of_key(request, store_of(record), key, link);
    enum xks_error error = xks_client_encrypt(stores->xks, &call, aad, plain, out);
    store_link_done(stores, link);
    return fail_use(error);
}

enum kms_error stores_xks_decrypt(struct kms_request *request, const struct record *record,
                                  const struct key *key, struct bytes aad, struct bytes ciphertext,
                                  struct secret *out)
{
    uint8_t hash[HASH_LEN];
    struct stores *stores = request->kms->stores;
    struct store_link *link = NULL;
    KMS_TRY(shorten(&aad, hash));
    KMS_TRY(store_link_take(stores, record, &link));
    struct xks_call call = call_of_key(request, store_of(record), key, link);
    enum xks_error error = xks_client_decrypt(stores->xks, &call, aad, ciphertext, out);
    store_link_done(stores, link);
    return fail_use(error);
}

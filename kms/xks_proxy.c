/* SPDX-License-Identifier: Apache-2.0 */
/* The external key store proxy: path, then signature, then body, then the key. */
#include "kms/xks_proxy.h"

#include <stdlib.h>

#include "common/log.h"
#include "kms/sigv4.h"
#include "kms/xks_proxy_internal.h"
#include "kms/xks_proxy_json.h"

/* ---- making and reloading */

static enum rc load(const struct kms_config *config, struct xks_credentials *credentials,
                    struct xks_keys *keys)
{
    TRY(xks_credentials_load(&config->xks_credentials, credentials));
    enum rc rc = xks_keys_read(&config->xks_keys, keys);
    if (rc != RC_OK)
        xks_credentials_clear(credentials);
    return rc;
}

enum rc xks_proxy_new(struct kms *kms, struct xks_proxy **out)
{
    struct xks_proxy *proxy = calloc(1, sizeof *proxy);
    if (proxy == NULL)
        return RC_NO_MEMORY;
    proxy->kms = kms;
    proxy->health.ca_pem = (struct buf)BUF_INIT;
    proxy->permits_ms = xks_proxy_now_ms();
    proxy->permits = (double)kms->config->quota_store;
    (void)pthread_rwlock_init(&proxy->lock, NULL);
    (void)pthread_mutex_init(&proxy->health_lock, NULL);
    enum rc rc = load(kms->config, &proxy->credentials, &proxy->keys);
    if (rc != RC_OK) {
        xks_proxy_free(proxy);
        return rc;
    }
    *out = proxy;
    return RC_OK;
}

void xks_proxy_free(struct xks_proxy *proxy)
{
    if (proxy == NULL)
        return;
    xks_credentials_clear(&proxy->credentials);
    xks_keys_clear(&proxy->keys);
    hsm_health_clear(&proxy->health);
    (void)pthread_mutex_destroy(&proxy->health_lock);
    (void)pthread_rwlock_destroy(&proxy->lock);
    free(proxy);
}

enum rc xks_proxy_reload(struct xks_proxy *proxy, const struct kms_config *config)
{
    struct xks_credentials credentials = {.list = NULL};
    struct xks_keys keys = {.list = NULL};
    TRY(load(config, &credentials, &keys));
    (void)pthread_rwlock_wrlock(&proxy->lock);
    struct xks_credentials old_credentials = proxy->credentials;
    struct xks_keys old_keys = proxy->keys;
    proxy->credentials = credentials;
    proxy->keys = keys;
    (void)pthread_rwlock_unlock(&proxy->lock);
    xks_credentials_clear(&old_credentials);
    xks_keys_clear(&old_keys);
    log_info("xks_reloaded", "credentials=%zu keys=%zu", credentials.count, keys.count);
    return RC_OK;
}

/* ---- who asks */

/* AWS KMS signs by headers, without a session. */
static bool is_signed_by(const struct http_request *request, const struct sigv4_claim *claim,
                         const struct xks_proxy *proxy)
{
    const struct secret *secret = xks_credentials_find(&proxy->credentials, claim->access_key);
    return secret != NULL && strcmp(claim->service, XKS_SERVICE) == 0 && claim->expires_s == 0 &&
           claim->token == NULL && sigv4_check(request, claim, secret) == KMS_OK;
}

static bool is_authentic(struct xks_proxy *proxy, const struct http_request *request)
{
    struct sigv4_claim claim;
    if (sigv4_read(request, &claim) != KMS_OK)
        return false;
    (void)pthread_rwlock_rdlock(&proxy->lock);
    bool good = is_signed_by(request, &claim, proxy);
    (void)pthread_rwlock_unlock(&proxy->lock);
    sigv4_claim_clear(&claim);
    return good;
}

/* ---- encrypt and decrypt */

static bool has_id(const struct xks_material *material)
{
    static const uint8_t none[HSM_ID_LEN];
    return !bytes_equal(bytes_of(material->id, HSM_ID_LEN), bytes_of(none, sizeof none));
}

/* ciphertextMetadata: which of the external key's keys it was. */
static struct bytes metadata_of(const struct xks_material *material)
{
    return has_id(material) ? bytes_of(material->id, HSM_ID_LEN) : BYTES_NONE;
}

static const struct xks_material *material_of(const struct xks_key *key, struct bytes metadata)
{
    for (size_t i = 0; i < key->material_count; i++) {
        if (bytes_equal(metadata_of(&key->materials[i]), metadata))
            return &key->materials[i];
    }
    return NULL;
}

static enum rc decrypt_with(struct xks_proxy *proxy, const struct xks_material *material,
                            struct bytes aad, const struct xks_sealed *sealed, struct secret *out)
{
    AUTO_BUF joined = BUF_INIT;
    AUTO_BUF whole = BUF_INIT;
    TRY(xks_aad_join(aad, sealed->metadata, &joined));
    TRY(buf_append(&whole, sealed->iv));
    TRY(buf_append(&whole, sealed->text));
    TRY(buf_append(&whole, sealed->tag));
    const struct hsm_decrypt in = {.key = material->handle,
                                   .algorithm = KEYSTORE_GCM,
                                   .aad = buf_bytes(&joined),
                                   .ciphertext = buf_bytes(&whole)};
    return hsm_decrypt(proxy->kms->hsm, &in, out);
}

static enum rc encrypt_with(struct xks_proxy *proxy, const struct xks_material *material,
                            const struct xks_request *request, struct buf *out,
                            struct xks_sealed *out_sealed)
{
    AUTO_BUF joined = BUF_INIT;
    struct bytes metadata = metadata_of(material);
    TRY(xks_aad_join(buf_bytes(&request->aad), metadata, &joined));
    const struct hsm_encrypt in = {.key = material->handle,
                                   .algorithm = KEYSTORE_GCM,
                                   .aad = buf_bytes(&joined),
                                   .plain = buf_bytes(&request->text)};
    TRY(hsm_encrypt(proxy->kms->hsm, &in, out, NULL, NULL));
    if (out->len != XKS_IV_LEN + request->text.len + XKS_TAG_LEN)
        return rc_fail(RC_PROTOCOL, "the HSM's ciphertext has %zu bytes", out->len);
    struct bytes whole = buf_bytes(out);
    *out_sealed = (struct xks_sealed){
        .metadata = metadata,
        .iv = bytes_slice(whole, 0, XKS_IV_LEN),
        .text = bytes_slice(whole, XKS_IV_LEN, request->text.len),
        .tag = bytes_slice(whole, whole.len - XKS_TAG_LEN, XKS_TAG_LEN),
    };
    return RC_OK;
}

/* Appendix C: the value is computed before the ciphertext is tried, since what is spoilt after that
 * trial would otherwise go unseen. */
static enum rc check_sealed(struct xks_proxy *proxy, const struct xks_material *material,
                            const struct xks_request *request, const struct xks_sealed *sealed)
{
    AUTO_SECRET back = SECRET_INIT;
    TRY(decrypt_with(proxy, material, buf_bytes(&request->aad), sealed, &back));
    return secret_equal(&back, buf_bytes(&request->text))
               ? RC_OK
               : rc_fail(RC_INTERNAL, "the ciphertext does not open to its plaintext");
}

static enum rc encrypt(struct xks_proxy *proxy, const struct xks_key *key,
                       const struct xks_request *request, struct http_answer *answer)
{
    AUTO_BUF out = BUF_INIT;
    struct xks_sealed sealed;
    uint8_t cdiv[HASH_LEN];
    const struct xks_material *material = &key->materials[0];
    TRY(encrypt_with(proxy, material, request, &out, &sealed));
    if (request->wants_cdiv) {
        TRY(xks_aad_cdiv(buf_bytes(&request->aad), &sealed, cdiv));
        TRY(check_sealed(proxy, material, request, &sealed));
    }
    xks_answer_put_sealed(&sealed, request->wants_cdiv ? cdiv : NULL, answer);
    return RC_OK;
}

static enum rc decrypt(struct xks_proxy *proxy, const struct xks_key *key,
                       const struct xks_request *request, struct http_answer *answer)
{
    AUTO_SECRET plain = SECRET_INIT;
    const struct xks_sealed sealed = {buf_bytes(&request->metadata), buf_bytes(&request->iv),
                                      buf_bytes(&request->text), buf_bytes(&request->tag)};
    const struct xks_material *material = material_of(key, sealed.metadata);
    if (material == NULL || sealed.iv.len != XKS_IV_LEN)
        return rc_fail(RC_ENCRYPTED_DATA, "not a ciphertext of external key %s", key->id);
    TRY(decrypt_with(proxy, material, buf_bytes(&request->aad), &sealed, &plain));
    xks_answer_put_plain(&plain, answer);
    return RC_OK;
}

/* ---- what a key may be asked for */

static enum xks_error check_use(const struct xks_key *key, const struct xks_request *request)
{
    if (request->operation == XKS_METADATA)
        return XKS_OK;
    if (!key->is_enabled)
        return XKS_E_INVALID_STATE;
    bool needs_decrypt = request->operation == XKS_DECRYPT || request->wants_cdiv;
    bool needs_encrypt = request->operation == XKS_ENCRYPT;
    return (needs_encrypt && !key->can_encrypt) || (needs_decrypt && !key->can_decrypt)
               ? XKS_E_INVALID_KEY_USAGE
               : XKS_OK;
}

static enum rc use(struct xks_proxy *proxy, const struct xks_key *key,
                   const struct xks_request *request, struct http_answer *answer)
{
    if (request->operation == XKS_METADATA) {
        xks_answer_put_metadata(key->can_encrypt, key->can_decrypt, key->is_enabled, answer);
        return RC_OK;
    }
    return request->operation == XKS_ENCRYPT ? encrypt(proxy, key, request, answer)
                                             : decrypt(proxy, key, request, answer);
}

/* What the HSM no longer has under the handle that we know may be there under another, and what was
 * encrypted under a key that is younger than our list is found as well. */
static bool may_be_stale(enum rc rc)
{
    return rc == RC_OBJECT_HANDLE || rc == RC_KEY_HANDLE || rc == RC_ENCRYPTED_DATA;
}

static enum xks_error run(struct xks_proxy *proxy, const char *key_id,
                          const struct xks_request *request, struct http_answer *answer)
{
    struct xks_key key;
    enum rc rc = xks_proxy_key(proxy, key_id, false, &key);
    if (rc != RC_OK)
        return xks_proxy_error(rc);
    enum xks_error error = check_use(&key, request);
    if (error != XKS_OK)
        return error;
    rc = use(proxy, &key, request, answer);
    bool is_known = request->operation == XKS_DECRYPT &&
                    material_of(&key, buf_bytes(&request->metadata)) != NULL;
    if (may_be_stale(rc) && !(rc == RC_ENCRYPTED_DATA && is_known) &&
        xks_proxy_key(proxy, key_id, true, &key) == RC_OK)
        rc = use(proxy, &key, request, answer);
    return xks_proxy_error(rc);
}

/* ---- a request */

static void answer_signed(struct xks_proxy *proxy, const struct http_request *http,
                          enum xks_operation operation, const char *key_id,
                          struct http_answer *answer)
{
    struct xks_request request;
    const char *problem = "";
    uint64_t start_ms = xks_proxy_now_ms();
    enum xks_error error = xks_request_read(operation, http->body, &request, &problem);
    if (error == XKS_OK && operation == XKS_HEALTH)
        xks_proxy_health(proxy, answer);
    else if (error == XKS_OK)
        error = run(proxy, key_id, &request, answer);
    if (error != XKS_OK)
        xks_answer_put_error(error, problem[0] != 0 ? problem : xks_error_row(error)->name, answer);
    if (log_admits())
        log_info("xks_request",
                 "key=%s operation=\"%s\" kms_request=\"%s\" principal=\"%s\" status=%u error=%s "
                 "ms=%llu",
                 key_id[0] != 0 ? key_id : "none", request.kms_operation, request.request_id,
                 request.principal, answer->status,
                 error == XKS_OK ? "none" : xks_error_row(error)->name,
                 (unsigned long long)(xks_proxy_now_ms() - start_ms));
    xks_request_clear(&request);
}

bool xks_proxy_owns(const struct kms *kms, const struct http_request *request)
{
    return kms->xks != NULL && strstr(request->path, XKS_API_PATH "/") != NULL;
}

void xks_proxy_answer(struct kms *kms, const struct http_request *request,
                      struct http_answer *answer)
{
    enum xks_operation operation;
    char key_id[XKS_KEY_ID_MAX + 1];
    struct xks_proxy *proxy = kms->xks;
    if (request->query[0] != 0 ||
        !xks_request_path(kms->config->xks_prefix, request->path, &operation, key_id)) {
        xks_answer_put_error(XKS_E_INVALID_URI_PATH, "not a path of this proxy", answer);
    } else if (strcmp(request->method, "POST") != 0) {
        xks_answer_put_error(XKS_E_VALIDATION, "requests are made by POST", answer);
        answer->status = 405;
    } else if (!is_authentic(proxy, request)) {
        xks_answer_put_error(XKS_E_AUTHENTICATION_FAILED, "the signature is not valid", answer);
    } else if (!xks_proxy_take_permit(proxy)) {
        xks_answer_put_error(XKS_E_THROTTLING, "the request rate is too high", answer);
    } else {
        answer_signed(proxy, request, operation, key_id, answer);
    }
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Material of test keys, which is no secret, by the HSM's only way in: wrapped under a key of its
 * own (RSA-OAEP with SHA-256). */
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include "common/log.h"
#include "kms/hash.h"
#include "kms/hsm_client.h"
#include "kms/import.h"
#include "kms/seed.h"
#include "rpc/tls.h"

#define WRAPPED_MAX 512U

static bool encrypt(EVP_PKEY_CTX *context, struct bytes value, uint8_t *out, size_t *out_len)
{
    char padding[] = OSSL_PKEY_RSA_PAD_MODE_OAEP;
    char digest[] = "SHA256";
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_ASYM_CIPHER_PARAM_PAD_MODE, padding, 0),
        OSSL_PARAM_construct_utf8_string(OSSL_ASYM_CIPHER_PARAM_OAEP_DIGEST, digest, 0),
        OSSL_PARAM_construct_end()};
    return EVP_PKEY_encrypt_init_ex(context, params) == 1 &&
           EVP_PKEY_encrypt(context, out, out_len, value.ptr, value.len) == 1;
}

static enum rc wrap(const struct hsm_key *wrapping, struct bytes value, struct buf *out)
{
    OSSL_LIB_CTX *lib = NULL;
    uint8_t wrapped[WRAPPED_MAX];
    size_t len = sizeof wrapped;
    const unsigned char *der = wrapping->public_der.ptr;
    TRY(tls_library_new(&lib));
    EVP_PKEY *key = d2i_PUBKEY_ex(NULL, &der, (long)wrapping->public_der.len, lib, NULL);
    EVP_PKEY_CTX *context = key == NULL ? NULL : EVP_PKEY_CTX_new_from_pkey(lib, key, NULL);
    bool good = context != NULL && encrypt(context, value, wrapped, &len);
    EVP_PKEY_CTX_free(context);
    EVP_PKEY_free(key);
    tls_library_free(lib);
    return good ? buf_append(out, bytes_of(wrapped, len))
                : rc_fail(RC_CONFIG, "KeyMaterial of %zu bytes cannot be wrapped", value.len);
}

static enum rc put(const struct hsm_key *made, struct key *key)
{
    struct key_material material = {.handle = made->handle,
                                    .created_ms = key->created_ms,
                                    .imported = true,
                                    .is_present = true};
    memcpy(material.hsm_id, made->id, sizeof material.hsm_id);
    memcpy(material.fingerprint, made->material, sizeof material.fingerprint);
    hash_hex(bytes_of(made->material, sizeof made->material), material.id);
    key->origin = ORIGIN_EXTERNAL;
    TRY(buf_append(&key->public_der, buf_bytes(&made->public_der)));
    return key_put_material(key, &material, true);
}

static enum rc import_under(struct kms *kms, const struct hsm_key *wrapping, struct bytes value,
                            struct key *key)
{
    AUTO_BUF wrapped = BUF_INIT;
    uint8_t id[HASH_LEN];
    struct hsm_key made = {.handle = 0};
    const struct bytes parts[] = {bytes_of_str("test key/"), bytes_of_str(key->id)};
    TRY(hash_sha256_of(parts, 2, id));
    TRY(wrap(wrapping, value, &wrapped));
    const struct hsm_import in = {.wrapping = wrapping->handle,
                                  .algorithm = KEYSTORE_WRAP_OAEP_SHA256,
                                  .wrapped = buf_bytes(&wrapped),
                                  .spec = key->spec,
                                  .use = key->use,
                                  .label = key->id,
                                  .id = id};
    TRY(hsm_import(kms->hsm, &in, &made));
    memcpy(made.id, id, sizeof made.id);
    enum rc rc = put(&made, key);
    hsm_key_clear(&made);
    return rc;
}

enum rc seed_import(struct kms *kms, struct hsm_key *wrapping, struct bytes value, struct key *key)
{
    uint8_t id[HSM_ID_LEN] = {0}; /* chores take it after a day if we do not */
    uint64_t end_ms = key->created_ms + IMPORT_VALID_MS;
    for (unsigned i = 0; i < sizeof end_ms; i++)
        id[i] = (uint8_t)(end_ms >> (56 - 8 * i));
    if (wrapping->handle == 0)
        TRY(hsm_create(kms->hsm, KEYSTORE_SPEC_RSA_2048, KEYSTORE_UNWRAP, IMPORT_LABEL "test-key",
                       id, wrapping));
    return import_under(kms, wrapping, value, key);
}

void seed_import_end(struct kms *kms, struct hsm_key *wrapping)
{
    if (wrapping->handle != 0 && hsm_delete(kms->hsm, wrapping->handle) != RC_OK)
        log_warn("wrapping_keys_left", "handle=%llu", (unsigned long long)wrapping->handle);
    hsm_key_clear(wrapping);
}

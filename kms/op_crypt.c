/* SPDX-License-Identifier: Apache-2.0 */
/* Encrypt, Decrypt, ReEncrypt, GenerateRandom. */
#include "kms/authorize.h"
#include "kms/backing.h"
#include "kms/ciphertext.h"
#include "kms/crypto.h"
#include "kms/operations.h"
#include "kms/pipeline.h"
#include "kms/store.h"

#define SYMMETRIC "SYMMETRIC_DEFAULT"
#define GCM_EXTRA 28U /* IV and tag */

/* RFC 8017 7.1.1 */
static size_t oaep_limit(const struct keystore_spec_row *spec,
                         const struct keystore_algorithm_row *algorithm)
{
    return spec->bits / 8 - 2 * digest_info(algorithm->digest)->len - 2;
}

static enum kms_error check_len(const struct record *key,
                                const struct keystore_algorithm_row *algorithm, size_t len)
{
    if (algorithm->kind != KEYSTORE_ALG_OAEP)
        return KMS_OK;
    const struct keystore_spec_row *spec = keystore_spec(key_of(key)->spec);
    size_t limit = oaep_limit(spec, algorithm);
    if (len <= limit)
        return KMS_OK;
    return kms_fail(KMS_VALIDATION,
                    "Algorithm %s and key spec %s cannot encrypt data larger than %zu bytes.",
                    algorithm->name, spec->name, limit);
}

static enum kms_error encrypt_asymmetric(struct kms_request *request,
                                         const struct keystore_algorithm_row *algorithm,
                                         struct hsm_encrypt *in, struct buf *out)
{
    const struct key_material *material = NULL;
    KMS_TRY(crypto_check_context(request, "EncryptionContext", request->key));
    KMS_TRY(check_len(request->key, algorithm, in->plain.len));
    KMS_TRY(crypto_material(request, request->key, &material));
    in->algorithm = algorithm->algorithm;
    return backing_encrypt(request, request->key, material, in, out, NULL, NULL);
}

enum kms_error op_encrypt(struct kms_request *request)
{
    const struct keystore_algorithm_row *algorithm = NULL;
    KMS_TRY(crypto_algorithm(request, "EncryptionAlgorithm", SYMMETRIC, request->key, &algorithm));
    AUTO_BUF plain = BUF_INIT; /* wiped when freed */
    KMS_TRY(kms_from_rc(request_blob(request, "Plaintext", &plain)));
    struct hsm_encrypt in = {.plain = buf_bytes(&plain)};
    AUTO_SEALED sealed = {0};
    sealed.blob.max = BUF_MAX_DEFAULT;
    if (algorithm->kind == KEYSTORE_ALG_GCM) {
        KMS_TRY(crypto_seal(request, request->key, "EncryptionContext", &in, &sealed));
        KMS_TRY(
            crypto_answer_material(request, NULL, "keyMaterialId", request->key, sealed.material));
    } else {
        KMS_TRY(encrypt_asymmetric(request, algorithm, &in, &sealed.blob));
    }
    KMS_TRY(kms_from_rc(request_put_blob(request, "CiphertextBlob", buf_bytes(&sealed.blob))));
    KMS_TRY(kms_from_rc(request_put_string(request, "EncryptionAlgorithm", algorithm->name)));
    return crypto_answer_key(request, "KeyId", request->key);
}

/* What is to be decrypted, and how: of Decrypt, and ReEncrypt's source. */
struct opening {
    const struct record *key;
    const struct keystore_algorithm_row *algorithm;
    const struct key_material *material;
    struct buf blob, aad;
    struct hsm_decrypt in;
};
static void opening_clear(struct opening *opening)
{
    buf_clear(&opening->blob);
    buf_clear(&opening->aad);
}
#define AUTO_OPENING __attribute__((cleanup(opening_clear))) struct opening
#define OPENING_INIT                       \
    {                                      \
        .blob = BUF_INIT, .aad = BUF_INIT, \
    }

static enum kms_error material_of(struct opening *opening, const uint8_t id[HSM_ID_LEN],
                                  uint64_t now_ms)
{
    const struct key_material *material = key_material_by_hsm_id(key_of(opening->key), id);
    if (material == NULL)
        return kms_fail_plain(KMS_INVALID_CIPHERTEXT);
    if (!material->is_present || (material->valid_to_ms != 0 && material->valid_to_ms <= now_ms))
        return kms_fail(KMS_INVALID_STATE, "%s is pending import.", key_of(opening->key)->arn);
    opening->material = material;
    return KMS_OK;
}

static enum kms_error open_symmetric(struct kms_request *request, const char *context,
                                     struct opening *opening)
{
    struct ciphertext parsed;
    KMS_TRY(ciphertext_parse(buf_bytes(&opening->blob), &parsed));
    if (strcmp(parsed.key_id, key_of(opening->key)->id) != 0)
        return kms_fail_plain(KMS_INCORRECT_KEY);
    KMS_TRY(material_of(opening, parsed.material, request->now_ms));
    KMS_TRY(kms_from_rc(buf_append(&opening->aad, parsed.header)));
    KMS_TRY(kms_from_rc(request_context_aad(request, context, &opening->aad)));
    opening->in.aad = buf_bytes(&opening->aad);
    opening->in.ciphertext = parsed.sealed;
    return KMS_OK;
}

static enum kms_error open_asymmetric(struct kms_request *request, const char *context,
                                      struct opening *opening)
{
    KMS_TRY(crypto_check_context(request, context, opening->key));
    KMS_TRY(crypto_material(request, opening->key, &opening->material));
    opening->in.ciphertext = buf_bytes(&opening->blob);
    return KMS_OK;
}

/* opening->key is set. */
static enum kms_error open_blob(struct kms_request *request, const char *algorithm,
                                const char *context, struct opening *opening)
{
    KMS_TRY(crypto_algorithm(request, algorithm, SYMMETRIC, opening->key, &opening->algorithm));
    opening->in.algorithm = opening->algorithm->algorithm;
    KMS_TRY(kms_from_rc(request_blob(request, "CiphertextBlob", &opening->blob)));
    return opening->algorithm->kind == KEYSTORE_ALG_GCM
               ? open_symmetric(request, context, opening)
               : open_asymmetric(request, context, opening);
}

/* ---- Decrypt */

/* DryRunModifiers: a dry run need not have a ciphertext. */
static bool ignores_ciphertext(const struct kms_request *request)
{
    const json_t *list = json_object_get(request->in, "DryRunModifiers");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *name = json_string_value(json_array_get(list, i));
        if (name != NULL && strcmp(name, "IGNORE_CIPHERTEXT") == 0)
            return request->is_dry_run;
    }
    return false;
}

static enum kms_error check_ciphertext(const struct kms_request *request, bool has_key)
{
    if (request_string(request, "CiphertextBlob") != NULL ||
        (has_key && ignores_ciphertext(request)))
        return KMS_OK;
    return kms_fail(KMS_VALIDATION, "1 validation error detected: Value null at 'ciphertextBlob' "
                                    "failed to satisfy constraint: Member must not be null");
}

enum kms_error op_decrypt_find_key(struct kms_request *request)
{
    KMS_TRY(check_ciphertext(request, request->key != NULL));
    if (request->key != NULL)
        return KMS_OK;
    return ciphertext_key(request, "CiphertextBlob", "kms:Decrypt", &request->key);
}

/* A caller who named no key is not told whether another account's exists. */
static enum kms_error authorize_unnamed(struct kms_request *request, const char *action,
                                        const struct record *key, const char *named,
                                        const struct authorize_extra *extra)
{
    enum kms_error error = authorize(request, action, key, NULL, extra, extra == NULL ? 0 : 1);
    if (error != KMS_ACCESS_DENIED || request_string(request, named) != NULL ||
        strcmp(key_of(key)->account, request->identity.account) == 0)
        return error;
    return ciphertext_deny(request, action);
}

enum kms_error op_decrypt_rights(struct kms_request *request)
{
    return authorize_unnamed(request, "kms:Decrypt", request->key, "KeyId", NULL);
}

enum kms_error op_decrypt(struct kms_request *request)
{
    KMS_TRY(crypto_check_recipient(request));
    AUTO_OPENING opening = OPENING_INIT;
    opening.key = request->key;
    KMS_TRY(open_blob(request, "EncryptionAlgorithm", "EncryptionContext", &opening));
    AUTO_SECRET plain = SECRET_INIT;
    KMS_TRY(backing_decrypt(request, request->key, opening.material, &opening.in, &plain));
    KMS_TRY(crypto_answer_secret(request, "Plaintext", &plain));
    KMS_TRY(
        kms_from_rc(request_put_string(request, "EncryptionAlgorithm", opening.algorithm->name)));
    KMS_TRY(crypto_answer_material(request, "KeyMaterialId", "keyMaterialId", request->key,
                                   opening.material));
    return crypto_answer_key(request, "KeyId", request->key);
}

/* ---- ReEncrypt */

enum kms_error op_re_encrypt_find_key(struct kms_request *request)
{
    const char *named = request_string(request, "SourceKeyId");
    KMS_TRY(check_ciphertext(request, named != NULL));
    if (named == NULL)
        return ciphertext_key(request, "CiphertextBlob", "kms:ReEncryptFrom", &request->source);
    struct key_name name = {0};
    return pipeline_find_key(request, named, "kms:ReEncryptFrom", &name, &request->source);
}

enum kms_error op_re_encrypt_rights(struct kms_request *request)
{
    bool same = strcmp(key_of(request->source)->arn, key_of(request->key)->arn) == 0;
    const char *value = same ? "true" : "false";
    const struct authorize_extra extra = {
        .name = "kms:ReEncryptOnSameKey", .values = &value, .count = 1};
    KMS_TRY(
        authorize_unnamed(request, "kms:ReEncryptFrom", request->source, "SourceKeyId", &extra));
    KMS_TRY(authorize(request, "kms:ReEncryptTo", request->key, NULL, &extra, 1));
    return pipeline_check_key(request, request->source);
}

/* The new ciphertext of the source's text. */
static enum kms_error reencrypt(struct kms_request *request, const struct opening *from,
                                const struct keystore_algorithm_row *algorithm,
                                const struct key_material *material, struct buf *out)
{
    AUTO_BUF aad = BUF_INIT;
    struct hsm_encrypt to = {.algorithm = algorithm->algorithm};
    if (algorithm->kind == KEYSTORE_ALG_GCM) {
        KMS_TRY(
            kms_from_rc(ciphertext_put_header(key_of(request->key)->id, material->hsm_id, out)));
        KMS_TRY(kms_from_rc(buf_append(&aad, buf_bytes(out))));
        KMS_TRY(kms_from_rc(request_context_aad(request, "DestinationEncryptionContext", &aad)));
        to.aad = buf_bytes(&aad);
    } else {
        KMS_TRY(crypto_check_context(request, "DestinationEncryptionContext", request->key));
        if (from->algorithm->kind == KEYSTORE_ALG_GCM &&
            key_of(request->source)->origin != ORIGIN_XKS)
            KMS_TRY(check_len(request->key, algorithm, from->in.ciphertext.len - GCM_EXTRA));
    }
    return backing_reencrypt(request, request->source, from->material, &from->in, request->key,
                             material, &to, out);
}

static enum kms_error answer_reencrypt(struct kms_request *request, const struct opening *from,
                                       const struct keystore_algorithm_row *algorithm,
                                       const struct key_material *material)
{
    KMS_TRY(kms_from_rc(
        request_put_string(request, "SourceEncryptionAlgorithm", from->algorithm->name)));
    KMS_TRY(kms_from_rc(
        request_put_string(request, "DestinationEncryptionAlgorithm", algorithm->name)));
    KMS_TRY(crypto_answer_material(request, "SourceKeyMaterialId", "sourceKeyMaterialId",
                                   request->source, from->material));
    KMS_TRY(crypto_answer_material(request, "DestinationKeyMaterialId", "destinationKeyMaterialId",
                                   request->key, material));
    KMS_TRY(crypto_answer_key(request, "SourceKeyId", request->source));
    return crypto_answer_key(request, "KeyId", request->key);
}

enum kms_error op_re_encrypt(struct kms_request *request)
{
    AUTO_OPENING from = OPENING_INIT;
    from.key = request->source;
    KMS_TRY(open_blob(request, "SourceEncryptionAlgorithm", "SourceEncryptionContext", &from));
    const struct keystore_algorithm_row *algorithm = NULL;
    const struct key_material *material = NULL;
    KMS_TRY(crypto_algorithm(request, "DestinationEncryptionAlgorithm", SYMMETRIC, request->key,
                             &algorithm));
    KMS_TRY(crypto_material(request, request->key, &material));
    AUTO_BUF out = BUF_INIT;
    KMS_TRY(reencrypt(request, &from, algorithm, material, &out));
    KMS_TRY(kms_from_rc(request_put_blob(request, "CiphertextBlob", buf_bytes(&out))));
    return answer_reencrypt(request, &from, algorithm, material);
}

/* ---- GenerateRandom */

static enum kms_error random_of_store(struct kms_request *request, const char *id, size_t len,
                                      struct secret *out)
{
    AUTO_RECORD *store = NULL;
    KMS_TRY(stores_find(request, id, &store));
    if (((const struct store *)store->data)->type != STORE_CLOUDHSM)
        return kms_fail(KMS_UNSUPPORTED, "The custom key store %s is an external key store.", id);
    struct hsm_client *hsm = NULL;
    if (stores_hsm(request->kms->stores, store, &hsm) != KMS_OK)
        return kms_fail(KMS_CUSTOM_STORE_INVALID_STATE, "The custom key store %s is not connected.",
                        id);
    enum rc rc = view_confirm(request->kms->view, request->view); /* that cluster cannot tell */
    if (rc == RC_OK)
        rc = hsm_random(hsm, 0, len, out);
    stores_hsm_done(request->kms->stores, hsm);
    return request_from_commit(request, rc);
}

static enum kms_error random_of_kms(struct kms_request *request, size_t len, struct secret *out)
{
    return request_from_commit(request, hsm_random(request->kms->hsm, request->view, len, out));
}

enum kms_error op_generate_random(struct kms_request *request)
{
    KMS_TRY(crypto_check_recipient(request));
    json_int_t len = request_int(request, "NumberOfBytes", 0);
    if (len <= 0)
        return kms_fail(KMS_VALIDATION, "NumberOfBytes is required.");
    const char *store = request_string(request, "CustomKeyStoreId");
    AUTO_SECRET value = SECRET_INIT;
    KMS_TRY(store == NULL ? random_of_kms(request, (size_t)len, &value)
                          : random_of_store(request, store, (size_t)len, &value));
    return crypto_answer_secret(request, "Plaintext", &value);
}

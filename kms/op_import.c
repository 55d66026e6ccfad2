/* SPDX-License-Identifier: Apache-2.0 */
/* ImportKeyMaterial, DeleteImportedKeyMaterial. */
#include "kms/op_import.h"

#include <math.h>
#include <stdio.h>

#include "common/log.h"
#include "kms/hash.h"
#include "kms/iam_random.h"
#include "kms/import.h"
#include "kms/operations.h"
#include "kms/replica.h"
#include "kms/vault.h"

/* One import on its way. */
struct importing {
    struct import_token token;
    struct buf wrapped;
    uint64_t valid_to_ms;          /* 0: does not expire */
    bool is_new;                   /* another value than the key has had */
    const struct key_material *at; /* whose value it is to be, again; NULL of a new one */
    struct hsm_key made;
};
static void importing_clear(struct importing *importing)
{
    buf_clear(&importing->wrapped);
    hsm_key_clear(&importing->made);
}
#define AUTO_IMPORTING __attribute__((cleanup(importing_clear))) struct importing

/* ---- what is asked */

static enum kms_error read_token(const struct kms_request *request, struct import_token *out)
{
    AUTO_BUF sealed = BUF_INIT;
    AUTO_SECRET plain = SECRET_INIT;
    const struct key *key = key_of(request->key);
    KMS_TRY(kms_from_rc(request_blob(request, "ImportToken", &sealed)));
    if (vault_unseal(request->kms->vault, OP_IMPORT_PURPOSE, buf_bytes(&sealed), &plain) != RC_OK ||
        import_token_read(secret_expose(&plain), out) != RC_OK ||
        strcmp(out->region, key->region) != 0 || strcmp(out->key_id, key->id) != 0)
        return kms_fail(KMS_INVALID_IMPORT_TOKEN, "The import token is not valid for %s.",
                        key->arn);
    return out->valid_to_ms > request->now_ms
               ? KMS_OK
               : kms_fail(KMS_EXPIRED_IMPORT_TOKEN, "The import token has expired.");
}

static enum kms_error read_expiry(const struct kms_request *request, uint64_t *out_ms)
{
    const json_t *time = json_object_get(request->in, "ValidTo");
    const char *model = request_string(request, "ExpirationModel");
    bool expires = model == NULL || strcmp(model, "KEY_MATERIAL_EXPIRES") == 0;
    bool has_time = json_is_number(time);
    if (expires && !has_time)
        return kms_fail(KMS_VALIDATION, "A validTo date must be set if the ExpirationModel is "
                                        "KEY_MATERIAL_EXPIRES");
    if (!expires && has_time)
        return kms_fail(KMS_VALIDATION, "A validTo date cannot be set if the ExpirationModel is "
                                        "KEY_MATERIAL_DOES_NOT_EXPIRE");
    *out_ms = 0;
    if (!expires)
        return KMS_OK;
    double ms = json_number_value(time) * 1000.0;
    double now = (double)request->now_ms;
    if (!isfinite(ms) || ms <= now || ms > now + (double)IMPORT_VALID_TO_MS)
        return kms_fail(KMS_VALIDATION,
                        "The validTo date must be in the future, within 365 days from now.");
    *out_ms = (uint64_t)ms;
    return KMS_OK;
}

static enum kms_error check_new(const struct key *key)
{
    if (replica_is(key))
        return kms_fail(KMS_UNSUPPORTED,
                        "%s is a multi-Region replica key. New key material is imported into the "
                        "primary key first.",
                        key->arn);
    if (key->material_count > 0 && keystore_spec(key->spec)->kind != KEYSTORE_AES)
        return kms_fail(KMS_UNSUPPORTED,
                        "%s key spec is %s which is not valid for ImportType "
                        "NEW_KEY_MATERIAL.",
                        key->arn, keystore_spec(key->spec)->name);
    return KMS_OK;
}

static enum kms_error read_type(const struct kms_request *request, bool *out_is_new)
{
    const struct key *key = key_of(request->key);
    const char *type = request_string(request, "ImportType");
    const char *id = request_string(request, "KeyMaterialId");
    *out_is_new = type == NULL ? key->material_count == 0 && !replica_is(key)
                               : strcmp(type, "NEW_KEY_MATERIAL") == 0;
    if (*out_is_new)
        return id == NULL ? check_new(key)
                          : kms_fail(KMS_VALIDATION, "KeyMaterialId cannot be specified for new "
                                                     "key material.");
    if (id != NULL && key_material_by_id(key, id) == NULL)
        return kms_fail(KMS_NOT_FOUND, "Key material %s is not associated with %s.", id, key->arn);
    return key->material_count > 0
               ? KMS_OK
               : kms_fail(KMS_INCORRECT_KEY_MATERIAL, "No key material was ever imported into %s.",
                          key->arn);
}

/* ---- into the HSM */

static enum kms_error error_of(enum rc rc)
{
    switch ((int)rc) {
    case RC_OK:
        return KMS_OK;
    case RC_ENCRYPTED_DATA:
    case RC_ENCRYPTED_DATA_LEN:
    case RC_AEAD_FAILED:
    case RC_WRAPPED_KEY:
        return kms_fail_plain(KMS_INVALID_CIPHERTEXT);
    case RC_CONFLICT:
    case RC_DATA_INVALID:
    case RC_DATA_LEN:
    case RC_KEY_SIZE:
    case RC_KEY_TYPE:
    case RC_CURVE:
    case RC_DOMAIN_PARAMS:
    case RC_PUBLIC_KEY:
    case RC_ATTRIBUTE_VALUE:
    case RC_TEMPLATE_INCONSISTENT:
        return kms_fail(KMS_INCORRECT_KEY_MATERIAL,
                        "The key material is not valid for the KMS key, or not the key material "
                        "that was imported before.");
    case RC_OBJECT_HANDLE:
    case RC_KEY_HANDLE:
    case RC_UNWRAPPING_KEY_HANDLE:
        return kms_fail(KMS_EXPIRED_IMPORT_TOKEN, "The import token has expired.");
    default:
        return kms_from_rc(rc);
    }
}

static enum rc unwrap(struct kms_request *request, struct importing *importing, const uint8_t *id,
                      struct bytes fingerprint)
{
    const struct key *key = key_of(request->key);
    const struct hsm_import in = {.wrapping = importing->token.wrapping,
                                  .algorithm = importing->token.algorithm,
                                  .wrapped = buf_bytes(&importing->wrapped),
                                  .spec = key->spec,
                                  .use = key->use,
                                  .label = key->id,
                                  .id = id,
                                  .material = fingerprint};
    return hsm_import(request->kms->hsm, &in, &importing->made);
}

/* The value must be one that the key has had: the one that is named, or any. */
static enum kms_error unwrap_again(struct kms_request *request, struct importing *importing)
{
    const struct key *key = key_of(request->key);
    const char *named = request_string(request, "KeyMaterialId");
    enum rc rc = RC_CONFLICT;
    for (size_t i = 0; i < key->material_count && rc == RC_CONFLICT; i++) {
        const struct key_material *material = &key->materials[i];
        if (named != NULL && strcmp(named, material->id) != 0)
            continue;
        importing->at = material;
        rc = unwrap(request, importing, material->hsm_id, bytes_of(material->fingerprint, 32));
    }
    return error_of(rc);
}

static enum kms_error refuse_new(const struct key *key, const struct hsm_key *made, const char *id)
{
    const struct key_material *pending = import_pending(key, 0); /* until chores see its expiry */
    for (size_t i = 0; i < key->material_count; i++)
        if (bytes_equal(bytes_of(key->materials[i].fingerprint, 32), bytes_of(made->material, 32)))
            return kms_fail(KMS_INCORRECT_KEY_MATERIAL,
                            "Key material %s is already associated with %s.", key->materials[i].id,
                            key->arn);
    if (pending == NULL)
        return KMS_OK;
    return kms_fail(KMS_INVALID_STATE,
                    "New key material (id: %s) cannot be imported into KMS key %s, because another "
                    "key material (id: %s) is pending rotation.",
                    id, key->arn, pending->id);
}

static enum kms_error unwrap_new(struct kms_request *request, struct importing *importing)
{
    uint8_t id[HSM_ID_LEN];
    iam_random(id, sizeof id);
    return error_of(unwrap(request, importing, id, BYTES_NONE));
}

/* By its number alone: other backing keys of the key have the same label and id. */
static void discard(const struct kms_request *request, uint64_t handle)
{
    enum rc rc = hsm_delete(request->kms->hsm, handle);
    if (rc != RC_OK && rc != RC_OBJECT_HANDLE)
        log_warn("import_left_over", "key=%s handle=%llu error=%s", key_of(request->key)->id,
                 (unsigned long long)handle, rc_info(rc)->name);
}

/* ---- into the document */

/* The same value gives the same id, in every Region of a multi-Region key. */
static enum rc name_material(const struct key *key, const struct hsm_key *made,
                             char out[KMS_MATERIAL_ID_LEN + 1])
{
    uint8_t digest[HASH_LEN];
    const struct bytes parts[] = {bytes_of_str("imported material/"), bytes_of_str(key->id),
                                  bytes_of(made->material, sizeof made->material)};
    TRY(hash_sha256_of(parts, 3, digest));
    hash_hex(bytes_of(digest, sizeof digest), out);
    return RC_OK;
}

static void fill(const struct kms_request *request, const struct importing *importing,
                 struct key_material *out)
{
    const char *description = request_string(request, "KeyMaterialDescription");
    out->handle = importing->made.handle;
    out->is_present = true;
    out->imported = true;
    out->valid_to_ms = importing->valid_to_ms;
    memcpy(out->hsm_id, importing->made.id, sizeof out->hsm_id);
    memcpy(out->fingerprint, importing->made.material, sizeof out->fingerprint);
    if (description != NULL)
        (void)snprintf(out->description, sizeof out->description, "%s", description);
}

/* One that was deleted or has expired before it was ever used makes room, once its backing key is
 * gone. */
static void drop_pending(struct key *key)
{
    for (size_t i = key->material_count; i > 0; i--)
        if (key->materials[i - 1].is_pending && !key->materials[i - 1].is_present &&
            key->materials[i - 1].handle == 0)
            import_drop(key, i - 1);
}

/* An imported value for the first time waits for the rotation, but for the first of the key. */
static enum kms_error put_new(const struct kms_request *request, const struct importing *importing,
                              struct key *key, char id[KMS_MATERIAL_ID_LEN + 1])
{
    drop_pending(key);
    struct key_material material = {.created_ms = request->now_ms,
                                    .is_pending = key->material_count > 0};
    fill(request, importing, &material);
    KMS_TRY(kms_from_rc(name_material(key, &importing->made, material.id)));
    memcpy(id, material.id, sizeof material.id);
    KMS_TRY(refuse_new(key, &importing->made, material.id));
    if (key_put_material(key, &material, !material.is_pending) != RC_OK)
        return kms_fail(KMS_LIMIT_EXCEEDED, "The key %s has the maximum number of key materials.",
                        key->arn);
    if (key->public_der.len == 0)
        return kms_from_rc(buf_append(&key->public_der, buf_bytes(&importing->made.public_der)));
    return KMS_OK;
}

static void put_again(const struct kms_request *request, const struct importing *importing,
                      struct key *key, char id[KMS_MATERIAL_ID_LEN + 1])
{
    struct key_material *material =
        &key->materials[importing->at - key_of(request->key)->materials];
    fill(request, importing, material);
    memcpy(id, material->id, sizeof material->id);
}

/* *out_unused: the document does not name the new backing key, for sure. */
static enum kms_error put(struct kms_request *request, const struct importing *importing,
                          char id[KMS_MATERIAL_ID_LEN + 1], bool *out_unused)
{
    *out_unused = true;
    struct key *key = NULL;
    KMS_TRY(kms_from_rc(key_copy(key_of(request->key), &key)));
    enum kms_error error = KMS_OK;
    if (importing->at != NULL)
        put_again(request, importing, key, id);
    else
        error = put_new(request, importing, key, id);
    if (error == KMS_OK) {
        enum rc rc = key_commit(request->kms->view, request->key, key);
        *out_unused = rc != RC_OK && rc != RC_OUTCOME_UNKNOWN;
        error = request_from_commit(request, rc);
    }
    key_free(key);
    return error;
}

static enum kms_error answer(struct kms_request *request, const char *id)
{
    if (keystore_spec(key_of(request->key)->spec)->kind == KEYSTORE_AES)
        KMS_TRY(kms_from_rc(request_put_string(request, "KeyMaterialId", id)));
    return request_put_key(request);
}

enum kms_error op_import_key_material(struct kms_request *request)
{
    AUTO_IMPORTING importing = {.wrapped = BUF_INIT};
    char id[KMS_MATERIAL_ID_LEN + 1] = "";
    KMS_TRY(op_import_check(request));
    KMS_TRY(read_token(request, &importing.token));
    KMS_TRY(read_expiry(request, &importing.valid_to_ms));
    KMS_TRY(read_type(request, &importing.is_new));
    KMS_TRY(kms_from_rc(request_blob(request, "EncryptedKeyMaterial", &importing.wrapped)));
    KMS_TRY(importing.is_new ? unwrap_new(request, &importing) : unwrap_again(request, &importing));
    const struct key_material *old = importing.at;
    bool is_unused = true;
    enum kms_error error = put(request, &importing, id, &is_unused);
    if (is_unused)
        discard(request, importing.made.handle);
    KMS_TRY(error);
    if (old != NULL && old->handle != 0) /* also of one that has expired and is still there */
        discard(request, old->handle);
    return answer(request, id);
}

/* ---- DeleteImportedKeyMaterial */

static const struct key_material *to_delete(const struct kms_request *request)
{
    const struct key *key = key_of(request->key);
    const char *id = request_string(request, "KeyMaterialId");
    if (id != NULL)
        return key_material_by_id(key, id);
    return key->material_count == 0 ? NULL : &key->materials[0];
}

enum kms_error op_delete_imported_key_material(struct kms_request *request)
{
    KMS_TRY(op_import_check(request));
    const struct key_material *material = to_delete(request);
    const char *named = request_string(request, "KeyMaterialId");
    if (material == NULL)
        return named == NULL ? request_put_key(request)
                             : kms_fail(KMS_NOT_FOUND, "Key material %s is not associated with %s.",
                                        named, key_of(request->key)->arn);
    if (material->is_present) {
        struct key *key = NULL;
        KMS_TRY(kms_from_rc(key_copy(key_of(request->key), &key)));
        struct key_material *gone = &key->materials[material - key_of(request->key)->materials];
        gone->is_present = false;
        gone->valid_to_ms = 0;
        enum kms_error error = request_commit_key(request, key);
        key_free(key);
        KMS_TRY(error);
        discard(request, material->handle);
    }
    return answer(request, material->id);
}

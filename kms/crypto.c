/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the cryptographic operations. */
#include "kms/crypto.h"

#include "kms/backing.h"
#include "kms/ciphertext.h"
#include "kms/used.h"

enum kms_error crypto_material(const struct kms_request *request, const struct record *key,
                               const struct key_material **out)
{
    *out = key_current(key_of(key), request->now_ms);
    return *out != NULL ? KMS_OK
                        : kms_fail(KMS_INVALID_STATE, "%s is pending import.", key_of(key)->arn);
}

enum kms_error crypto_algorithm(const struct kms_request *request, const char *member,
                                const char *fallback, const struct record *key,
                                const struct keystore_algorithm_row **out)
{
    const char *name = request_string(request, member);
    if (name == NULL)
        name = fallback;
    const struct keystore_spec_row *spec = keystore_spec(key_of(key)->spec);
    const struct keystore_algorithm_row *row =
        name == NULL ? NULL : keystore_algorithm_by_name(key_of(key)->use, name);
    if (row == NULL || !keystore_goes_with(spec, row))
        return kms_fail(KMS_INVALID_KEY_USAGE, "Algorithm %s is incompatible with key spec %s.",
                        name == NULL ? "null" : name, spec->name);
    *out = row;
    return KMS_OK;
}

enum kms_error crypto_check_symmetric(const struct kms_request *request, const struct record *key)
{
    const struct keystore_spec_row *spec = keystore_spec(key_of(key)->spec);
    if (spec->kind == KEYSTORE_AES)
        return KMS_OK;
    return kms_fail(KMS_INVALID_KEY_USAGE, "%s key spec is %s which is not valid for %s.",
                    key_of(key)->arn, spec->name, request->operation->name);
}

enum kms_error crypto_check_recipient(const struct kms_request *request)
{
    const json_t *recipient = json_object_get(request->in, "Recipient");
    if (recipient == NULL || json_is_null(recipient))
        return KMS_OK;
    return kms_fail(KMS_UNSUPPORTED, "Recipient: attested enclaves are not supported.");
}

enum kms_error crypto_check_context(const struct kms_request *request, const char *member,
                                    const struct record *key)
{
    if (keystore_spec(key_of(key)->spec)->kind == KEYSTORE_AES ||
        json_object_size(json_object_get(request->in, member)) == 0)
        return KMS_OK;
    return kms_fail(KMS_VALIDATION, "%s is not supported for asymmetric keys.", member);
}

void crypto_sealed_clear(struct crypto_sealed *sealed)
{
    buf_clear(&sealed->blob);
    secret_clear(&sealed->plain);
    buf_clear(&sealed->public_der);
}

enum kms_error crypto_seal(struct kms_request *request, const struct record *key,
                           const char *context, struct hsm_encrypt *in, struct crypto_sealed *out)
{
    KMS_TRY(crypto_material(request, key, &out->material));
    out->blob.max = BUF_MAX_DEFAULT;
    out->public_der.max = BUF_MAX_DEFAULT;
    AUTO_BUF aad = BUF_INIT;
    KMS_TRY(kms_from_rc(ciphertext_put_header(key_of(key)->id, out->material->hsm_id, &out->blob)));
    KMS_TRY(kms_from_rc(buf_append(&aad, buf_bytes(&out->blob))));
    KMS_TRY(kms_from_rc(request_context_aad(request, context, &aad)));
    in->aad = buf_bytes(&aad);
    in->algorithm = KEYSTORE_GCM;
    enum kms_error error =
        backing_encrypt(request, key, out->material, in, &out->blob, &out->plain, &out->public_der);
    in->aad = BYTES_NONE;
    return error;
}

enum kms_error crypto_answer_key(struct kms_request *request, const char *member,
                                 const struct record *key)
{
    used_note(request, key);
    return kms_from_rc(request_put_string(request, member, key_of(key)->arn));
}

enum kms_error crypto_answer_material(struct kms_request *request, const char *member,
                                      const char *trail, const struct record *key,
                                      const struct key_material *material)
{
    if (keystore_spec(key_of(key)->spec)->kind != KEYSTORE_AES || material->id[0] == '\0')
        return KMS_OK;
    if (member != NULL)
        KMS_TRY(kms_from_rc(request_put_string(request, member, material->id)));
    if (trail == NULL)
        return KMS_OK;
    if (request->additional == NULL)
        request->additional = json_object();
    return json_object_set_new(request->additional, trail, json_string(material->id)) == 0
               ? KMS_OK
               : kms_from_rc(RC_NO_MEMORY);
}

enum kms_error crypto_answer_secret(struct kms_request *request, const char *member,
                                    const struct secret *value)
{
    return kms_from_rc(request_put_blob(request, member, secret_expose(value)));
}

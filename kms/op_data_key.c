/* SPDX-License-Identifier: Apache-2.0 */
/* GenerateDataKey and GenerateDataKeyPair, each with and without plaintext: made and encrypted in
 * one step inside the HSM. */
#include "kms/crypto.h"
#include "kms/operations.h"

static enum kms_error data_key_len(const struct kms_request *request, uint32_t *out)
{
    const char *spec = request_string(request, "KeySpec");
    json_int_t len = request_int(request, "NumberOfBytes", 0);
    if ((spec == NULL) == (len == 0))
        return kms_fail(KMS_VALIDATION, "Please specify either number of bytes or key spec.");
    if (spec != NULL)
        len = strcmp(spec, "AES_128") == 0 ? 16 : 32;
    *out = (uint32_t)len;
    return KMS_OK;
}

static enum kms_error data_key(struct kms_request *request, bool reveal)
{
    KMS_TRY(crypto_check_recipient(request));
    KMS_TRY(crypto_check_symmetric(request, request->key));
    struct hsm_encrypt in = {.reveal = reveal};
    KMS_TRY(data_key_len(request, &in.random_len));
    AUTO_SEALED sealed = {0};
    KMS_TRY(crypto_seal(request, request->key, "EncryptionContext", &in, &sealed));
    if (reveal)
        KMS_TRY(crypto_answer_secret(request, "Plaintext", &sealed.plain));
    KMS_TRY(kms_from_rc(request_put_blob(request, "CiphertextBlob", buf_bytes(&sealed.blob))));
    KMS_TRY(crypto_answer_material(request, "KeyMaterialId", "keyMaterialId", request->key,
                                   sealed.material));
    return crypto_answer_key(request, "KeyId", request->key);
}

enum kms_error op_generate_data_key(struct kms_request *request)
{
    return data_key(request, true);
}

enum kms_error op_generate_data_key_without_plaintext(struct kms_request *request)
{
    return data_key(request, false);
}

/* AWS KMS makes no pairs under keys of custom key stores. */
static enum kms_error pair_spec(const struct kms_request *request, uint32_t *out)
{
    const struct key *key = key_of(request->key);
    KMS_TRY(crypto_check_symmetric(request, request->key));
    if (key->origin != ORIGIN_AWS_KMS && key->origin != ORIGIN_EXTERNAL)
        return kms_fail(KMS_UNSUPPORTED, "%s origin is %s which is not valid for this operation.",
                        key->arn, key_origin_name(key->origin));
    const char *name = request_string(request, "KeyPairSpec");
    const struct keystore_spec_row *spec = keystore_spec_by_name(name);
    if (spec == NULL || !spec->data_key_pair)
        return kms_fail(KMS_UNSUPPORTED, "KeyPairSpec %s is not supported.", name);
    *out = spec->spec;
    return KMS_OK;
}

static enum kms_error data_key_pair(struct kms_request *request, bool reveal)
{
    KMS_TRY(crypto_check_recipient(request));
    struct hsm_encrypt in = {.reveal = reveal};
    KMS_TRY(pair_spec(request, &in.pair_spec));
    AUTO_SEALED sealed = {0};
    KMS_TRY(crypto_seal(request, request->key, "EncryptionContext", &in, &sealed));
    if (reveal)
        KMS_TRY(crypto_answer_secret(request, "PrivateKeyPlaintext", &sealed.plain));
    KMS_TRY(kms_from_rc(
        request_put_blob(request, "PrivateKeyCiphertextBlob", buf_bytes(&sealed.blob))));
    KMS_TRY(kms_from_rc(request_put_blob(request, "PublicKey", buf_bytes(&sealed.public_der))));
    KMS_TRY(kms_from_rc(
        request_put_string(request, "KeyPairSpec", request_string(request, "KeyPairSpec"))));
    KMS_TRY(crypto_answer_material(request, "KeyMaterialId", "keyMaterialId", request->key,
                                   sealed.material));
    return crypto_answer_key(request, "KeyId", request->key);
}

enum kms_error op_generate_data_key_pair(struct kms_request *request)
{
    return data_key_pair(request, true);
}

enum kms_error op_generate_data_key_pair_without_plaintext(struct kms_request *request)
{
    return data_key_pair(request, false);
}

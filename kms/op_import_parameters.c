/* SPDX-License-Identifier: Apache-2.0 */
/* GetParametersForImport: a wrapping key in the HSM, and a token that names it. */
#include <stdio.h>

#include "kms/iam_random.h"
#include "kms/import.h"
#include "kms/op_import.h"
#include "kms/operations.h"
#include "kms/vault.h"

enum kms_error op_import_check(const struct kms_request *request)
{
    const struct key *key = key_of(request->key);
    return key->origin == ORIGIN_EXTERNAL
               ? KMS_OK
               : kms_fail(KMS_UNSUPPORTED, "%s origin is %s which is not valid for this operation.",
                          key->arn, key_origin_name(key->origin));
}

/* OAEP alone takes what fits into the modulus: no RSA key, and P-521's PKCS#8 not under RSA_2048
 * (AWS KMS, "Importing key material", wrapping algorithms by type of key). */
static bool is_fit(const struct key *key, const struct keystore_algorithm_row *algorithm,
                   const struct keystore_spec_row *wrapping)
{
    if (algorithm->kind != KEYSTORE_ALG_WRAP_OAEP)
        return true;
    return keystore_spec(key->spec)->kind != KEYSTORE_RSA &&
           !(key->spec == KEYSTORE_SPEC_P521 && wrapping->spec == KEYSTORE_SPEC_RSA_2048);
}

static enum kms_error choose(const struct kms_request *request,
                             const struct keystore_algorithm_row **out_algorithm,
                             const struct keystore_spec_row **out_spec)
{
    const char *algorithm = request_string(request, "WrappingAlgorithm");
    const char *spec = request_string(request, "WrappingKeySpec");
    const struct key *key = key_of(request->key);
    *out_algorithm = keystore_algorithm_by_name(KEYSTORE_UNWRAP, algorithm);
    *out_spec = keystore_spec_by_name(spec);
    if (*out_algorithm == NULL)
        return kms_fail(KMS_UNSUPPORTED, "The wrapping algorithm %s is not supported.", algorithm);
    if (*out_spec == NULL || (*out_spec)->kind != KEYSTORE_RSA)
        return kms_fail(KMS_UNSUPPORTED, "The wrapping key spec %s is not supported.", spec);
    if (is_fit(key, *out_algorithm, *out_spec))
        return KMS_OK;
    return kms_fail(KMS_UNSUPPORTED,
                    "Wrapping algorithm %s with wrapping key spec %s is not valid for key spec %s.",
                    algorithm, spec, keystore_spec(key->spec)->name);
}

/* Chores see by the id when the key has served. */
static void choose_id(uint64_t end_ms, uint8_t out[HSM_ID_LEN])
{
    iam_random(out, HSM_ID_LEN);
    for (size_t i = 0; i < sizeof end_ms; i++)
        out[i] = (uint8_t)(end_ms >> (8 * (7 - i)));
}

static enum rc make_token(struct kms_request *request, const struct hsm_key *wrapping,
                          enum keystore_algorithm algorithm, uint64_t end_ms, struct buf *out)
{
    const struct key *key = key_of(request->key);
    struct import_token token = {
        .wrapping = wrapping->handle, .algorithm = algorithm, .valid_to_ms = end_ms};
    (void)snprintf(token.region, sizeof token.region, "%s", key->region);
    (void)snprintf(token.key_id, sizeof token.key_id, "%s", key->id);
    AUTO_BUF plain = BUF_INIT;
    TRY(import_token_write(&token, &plain));
    return vault_seal(request->kms->vault, OP_IMPORT_PURPOSE, buf_bytes(&plain), out);
}

static enum kms_error answer(struct kms_request *request, const struct hsm_key *wrapping,
                             enum keystore_algorithm algorithm, uint64_t end_ms)
{
    AUTO_BUF token = BUF_INIT;
    KMS_TRY(kms_from_rc(make_token(request, wrapping, algorithm, end_ms, &token)));
    KMS_TRY(kms_from_rc(request_put_blob(request, "ImportToken", buf_bytes(&token))));
    KMS_TRY(kms_from_rc(request_put_blob(request, "PublicKey", buf_bytes(&wrapping->public_der))));
    KMS_TRY(kms_from_rc(request_put_time(request, "ParametersValidTo", end_ms)));
    return request_put_key(request);
}

enum kms_error op_get_parameters_for_import(struct kms_request *request)
{
    const struct keystore_algorithm_row *algorithm = NULL;
    const struct keystore_spec_row *spec = NULL;
    KMS_TRY(op_import_check(request));
    KMS_TRY(choose(request, &algorithm, &spec));
    uint64_t end_ms = request->now_ms + IMPORT_VALID_MS;
    char label[HSM_LABEL_MAX + 1];
    uint8_t id[HSM_ID_LEN];
    (void)snprintf(label, sizeof label, IMPORT_LABEL "%.*s", (int)(HSM_LABEL_MAX - 7),
                   key_of(request->key)->id);
    choose_id(end_ms, id);
    struct hsm_key wrapping = {0};
    enum kms_error error = kms_from_rc(
        hsm_create(request->kms->hsm, spec->spec, KEYSTORE_UNWRAP, label, id, &wrapping));
    if (error == KMS_OK)
        error = answer(request, &wrapping, algorithm->algorithm, end_ms);
    hsm_key_clear(&wrapping);
    return error;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* GenerateMac, VerifyMac. */
#include "kms/backing.h"
#include "kms/crypto.h"
#include "kms/operations.h"

static enum kms_error prepare(const struct kms_request *request, struct buf *message,
                              struct hsm_sign *out)
{
    const struct keystore_algorithm_row *algorithm = NULL;
    KMS_TRY(crypto_algorithm(request, "MacAlgorithm", NULL, request->key, &algorithm));
    KMS_TRY(kms_from_rc(request_blob(request, "Message", message)));
    *out = (struct hsm_sign){.algorithm = algorithm->algorithm, .data = buf_bytes(message)};
    return KMS_OK;
}

static enum kms_error answer(struct kms_request *request)
{
    KMS_TRY(kms_from_rc(
        request_put_string(request, "MacAlgorithm", request_string(request, "MacAlgorithm"))));
    return crypto_answer_key(request, "KeyId", request->key);
}

enum kms_error op_generate_mac(struct kms_request *request)
{
    AUTO_BUF message = BUF_INIT;
    AUTO_BUF mac = BUF_INIT;
    struct hsm_sign in;
    KMS_TRY(prepare(request, &message, &in));
    KMS_TRY(backing_sign(request, request->key, &in, &mac));
    KMS_TRY(kms_from_rc(request_put_blob(request, "Mac", buf_bytes(&mac))));
    return answer(request);
}

enum kms_error op_verify_mac(struct kms_request *request)
{
    AUTO_BUF message = BUF_INIT;
    AUTO_BUF mac = BUF_INIT;
    struct hsm_sign in;
    bool valid = false;
    KMS_TRY(prepare(request, &message, &in));
    KMS_TRY(kms_from_rc(request_blob(request, "Mac", &mac)));
    KMS_TRY(backing_verify(request, request->key, &in, buf_bytes(&mac), &valid));
    if (!valid)
        return kms_fail_plain(KMS_INVALID_MAC);
    if (json_object_set_new(request->out, "MacValid", json_true()) != 0)
        return kms_from_rc(RC_NO_MEMORY);
    return answer(request);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Sign, Verify, GetPublicKey. Messages are hashed here: only the digest goes to the HSM; those of
 * Ed25519 and ML-DSA go whole. */
#include "kms/backing.h"
#include "kms/crypto.h"
#include "kms/digest.h"
#include "kms/operations.h"

/* What the HSM is asked to sign, or to check the signature of. */
struct signing {
    const struct keystore_algorithm_row *algorithm;
    struct buf message;
    uint8_t digest[DIGEST_LEN_MAX];
    struct hsm_sign in;
};
static void signing_clear(struct signing *signing)
{
    buf_clear(&signing->message);
}
#define AUTO_SIGNING __attribute__((cleanup(signing_clear))) struct signing

#define MU_LEN 64U /* FIPS 204, algorithm 7, step 6 */

/* Ed25519 takes whole messages, Ed25519ph (RFC 8032 5.1) digests alone; EXTERNAL_MU is ML-DSA's
 * kind of digest. */
static enum kms_error check_type(const struct keystore_algorithm_row *algorithm, const char *type)
{
    bool is_digest = strcmp(type, "DIGEST") == 0;
    bool is_ml_dsa = algorithm->kind == KEYSTORE_ALG_ML_DSA;
    bool wrong = (is_digest && (algorithm->kind == KEYSTORE_ALG_EDDSA || is_ml_dsa)) ||
                 (!is_digest && algorithm->kind == KEYSTORE_ALG_EDDSA_PH) ||
                 (!is_ml_dsa && strcmp(type, "EXTERNAL_MU") == 0);
    return wrong ? kms_fail(KMS_VALIDATION, "MessageType %s is not valid for algorithm %s.", type,
                            algorithm->name)
                 : KMS_OK;
}

static enum kms_error check_digest(const struct signing *signing, size_t len)
{
    return signing->message.len == len
               ? KMS_OK
               : kms_fail(KMS_VALIDATION, "Digest is invalid length for algorithm %s.",
                          signing->algorithm->name);
}

/* `is_digest`: the message is one already. */
static enum kms_error digest_message(struct signing *signing, bool is_digest)
{
    const struct digest_info *digest = digest_info(signing->algorithm->digest);
    size_t len = 0;
    signing->in.data = buf_bytes(&signing->message);
    signing->in.is_digest = is_digest || digest != NULL;
    if (is_digest)
        return check_digest(signing, digest == NULL ? MU_LEN : digest->len);
    if (digest == NULL)
        return KMS_OK;
    KMS_TRY(kms_from_rc(digest_of(digest->id, signing->in.data, signing->digest, &len)));
    signing->in.data = bytes_of(signing->digest, len);
    return KMS_OK;
}

static enum kms_error prepare(const struct kms_request *request, struct signing *signing)
{
    const char *type = request_string(request, "MessageType");
    if (type == NULL)
        type = "RAW";
    KMS_TRY(crypto_algorithm(request, "SigningAlgorithm", NULL, request->key, &signing->algorithm));
    KMS_TRY(check_type(signing->algorithm, type));
    signing->in.algorithm = signing->algorithm->algorithm;
    KMS_TRY(kms_from_rc(request_blob(request, "Message", &signing->message)));
    return digest_message(signing, strcmp(type, "RAW") != 0);
}

enum kms_error op_sign(struct kms_request *request)
{
    AUTO_SIGNING signing = {.message = BUF_INIT};
    KMS_TRY(prepare(request, &signing));
    AUTO_BUF signature = BUF_INIT;
    KMS_TRY(backing_sign(request, request->key, &signing.in, &signature));
    KMS_TRY(kms_from_rc(request_put_blob(request, "Signature", buf_bytes(&signature))));
    KMS_TRY(kms_from_rc(request_put_string(request, "SigningAlgorithm", signing.algorithm->name)));
    return crypto_answer_key(request, "KeyId", request->key);
}

enum kms_error op_verify(struct kms_request *request)
{
    AUTO_SIGNING signing = {.message = BUF_INIT};
    AUTO_BUF signature = BUF_INIT;
    bool valid = false;
    KMS_TRY(prepare(request, &signing));
    KMS_TRY(kms_from_rc(request_blob(request, "Signature", &signature)));
    KMS_TRY(backing_verify(request, request->key, &signing.in, buf_bytes(&signature), &valid));
    if (!valid)
        return kms_fail_plain(KMS_INVALID_SIGNATURE);
    if (json_object_set_new(request->out, "SignatureValid", json_true()) != 0)
        return kms_from_rc(RC_NO_MEMORY);
    KMS_TRY(kms_from_rc(request_put_string(request, "SigningAlgorithm", signing.algorithm->name)));
    return crypto_answer_key(request, "KeyId", request->key);
}

static const char *algorithms_member(const struct key *key)
{
    if (key->use == KEYSTORE_SIGN)
        return "SigningAlgorithms";
    return key->use == KEYSTORE_AGREE ? "KeyAgreementAlgorithms" : "EncryptionAlgorithms";
}

enum kms_error op_get_public_key(struct kms_request *request)
{
    const struct key *key = key_of(request->key);
    const char *spec = keystore_spec(key->spec)->name;
    if (key->public_der.len == 0)
        return kms_fail(KMS_UNSUPPORTED, "%s key spec is %s which is not valid for GetPublicKey.",
                        key->arn, spec);
    KMS_TRY(kms_from_rc(request_put_blob(request, "PublicKey", buf_bytes(&key->public_der))));
    KMS_TRY(kms_from_rc(request_put_string(request, "CustomerMasterKeySpec", spec)));
    KMS_TRY(kms_from_rc(request_put_string(request, "KeySpec", spec)));
    KMS_TRY(kms_from_rc(request_put_string(request, "KeyUsage", key_usage_name(key->use))));
    if (json_object_set_new(request->out, algorithms_member(key), key_algorithms(key)) != 0)
        return kms_from_rc(RC_NO_MEMORY);
    return crypto_answer_key(request, "KeyId", request->key);
}

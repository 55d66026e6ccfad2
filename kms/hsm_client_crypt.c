/* SPDX-License-Identifier: Apache-2.0 */
/* Use of backing keys at the key store. */
#include "kms/hsm_client_internal.h"

static void fill_encrypt(const struct hsm_encrypt *in, Qhsm__KeystoreEncryptRequest *body)
{
    body->key = in->key;
    body->algorithm = in->algorithm;
    body->aad = hsm_client_binary(in->aad);
    body->plain = hsm_client_binary(in->plain);
    body->random_len = in->random_len;
    body->pair_spec = in->pair_spec;
    body->reveal = in->reveal;
}

enum rc hsm_encrypt(struct hsm_client *client, const struct hsm_encrypt *in, struct buf *out,
                    struct secret *out_plain, struct buf *out_public_der)
{
    AUTO_ANSWER answer = HSM_ANSWER_INIT;
    Qhsm__Request request = QHSM__REQUEST__INIT;
    Qhsm__KeystoreEncryptRequest body = QHSM__KEYSTORE_ENCRYPT_REQUEST__INIT;
    fill_encrypt(in, &body);
    request.view = in->view;
    request.body_case = QHSM__REQUEST__BODY_KEYSTORE_ENCRYPT;
    request.keystore_encrypt = &body;
    if (in->pair_spec != 0) /* takes seconds: an HSM that makes a pair is not a silent one */
        request.sequence = rpc_sequence(client->rpc);
    TRY(hsm_client_call(client, &request, QHSM__RESPONSE__BODY_KEYSTORE_ENCRYPT, &answer));
    const Qhsm__KeystoreEncryptReply *reply = answer.reply.msg->keystore_encrypt;
    if (out_plain != NULL)
        TRY(secret_append(out_plain, hsm_client_bytes(&reply->plain)));
    if (out_public_der != NULL)
        TRY(buf_append(out_public_der, hsm_client_bytes(&reply->public_der)));
    return buf_append(out, hsm_client_bytes(&reply->ciphertext));
}

static void fill_decrypt(const struct hsm_decrypt *in, Qhsm__KeystoreDecryptRequest *body)
{
    body->key = in->key;
    body->algorithm = in->algorithm;
    body->aad = hsm_client_binary(in->aad);
    body->ciphertext = hsm_client_binary(in->ciphertext);
}

/* For an answer of plain data. */
static enum rc ask_data(struct hsm_client *client, Qhsm__Request *request,
                        struct hsm_answer *answer, struct bytes *out)
{
    TRY(hsm_client_call(client, request, QHSM__RESPONSE__BODY_DATA, answer));
    *out = hsm_client_bytes(&answer->reply.msg->data->data);
    return RC_OK;
}

enum rc hsm_decrypt(struct hsm_client *client, const struct hsm_decrypt *in, struct secret *out)
{
    AUTO_ANSWER answer = HSM_ANSWER_INIT;
    Qhsm__Request request = QHSM__REQUEST__INIT;
    Qhsm__KeystoreDecryptRequest body = QHSM__KEYSTORE_DECRYPT_REQUEST__INIT;
    struct bytes plain;
    fill_decrypt(in, &body);
    request.view = in->view;
    request.body_case = QHSM__REQUEST__BODY_KEYSTORE_DECRYPT;
    request.keystore_decrypt = &body;
    TRY(ask_data(client, &request, &answer, &plain));
    return secret_append(out, plain);
}

enum rc hsm_reencrypt(struct hsm_client *client, const struct hsm_decrypt *from,
                      const struct hsm_encrypt *to, struct buf *out)
{
    AUTO_ANSWER answer = HSM_ANSWER_INIT;
    Qhsm__Request request = QHSM__REQUEST__INIT;
    Qhsm__KeystoreReencryptRequest body = QHSM__KEYSTORE_REENCRYPT_REQUEST__INIT;
    Qhsm__KeystoreDecryptRequest source = QHSM__KEYSTORE_DECRYPT_REQUEST__INIT;
    fill_decrypt(from, &source);
    body.source = &source;
    body.key = to->key;
    body.algorithm = to->algorithm;
    body.aad = hsm_client_binary(to->aad);
    request.view = from->view;
    request.body_case = QHSM__REQUEST__BODY_KEYSTORE_REENCRYPT;
    request.keystore_reencrypt = &body;
    struct bytes ciphertext;
    TRY(ask_data(client, &request, &answer, &ciphertext));
    return buf_append(out, ciphertext);
}

enum rc hsm_sign(struct hsm_client *client, const struct hsm_sign *in, struct buf *out)
{
    AUTO_ANSWER answer = HSM_ANSWER_INIT;
    Qhsm__Request request = QHSM__REQUEST__INIT;
    Qhsm__KeystoreSignRequest body = QHSM__KEYSTORE_SIGN_REQUEST__INIT;
    struct bytes signature;
    body.key = in->key;
    body.algorithm = in->algorithm;
    body.data = hsm_client_binary(in->data);
    body.is_digest = in->is_digest;
    request.view = in->view;
    request.body_case = QHSM__REQUEST__BODY_KEYSTORE_SIGN;
    request.keystore_sign = &body;
    TRY(ask_data(client, &request, &answer, &signature));
    return buf_append(out, signature);
}

enum rc hsm_verify(struct hsm_client *client, const struct hsm_sign *in, struct bytes signature)
{
    AUTO_ANSWER answer = HSM_ANSWER_INIT;
    Qhsm__Request request = QHSM__REQUEST__INIT;
    Qhsm__KeystoreVerifyRequest body = QHSM__KEYSTORE_VERIFY_REQUEST__INIT;
    body.key = in->key;
    body.algorithm = in->algorithm;
    body.data = hsm_client_binary(in->data);
    body.is_digest = in->is_digest;
    body.signature = hsm_client_binary(signature);
    request.view = in->view;
    request.body_case = QHSM__REQUEST__BODY_KEYSTORE_VERIFY;
    request.keystore_verify = &body;
    return hsm_client_call(client, &request, QHSM__RESPONSE__BODY__NOT_SET, &answer);
}

enum rc hsm_agree(struct hsm_client *client, uint64_t view, uint64_t key, struct bytes peer_der,
                  struct secret *out)
{
    AUTO_ANSWER answer = HSM_ANSWER_INIT;
    Qhsm__Request request = QHSM__REQUEST__INIT;
    Qhsm__KeystoreAgreeRequest body = QHSM__KEYSTORE_AGREE_REQUEST__INIT;
    struct bytes shared;
    body.key = key;
    body.peer_der = hsm_client_binary(peer_der);
    request.view = view;
    request.body_case = QHSM__REQUEST__BODY_KEYSTORE_AGREE;
    request.keystore_agree = &body;
    TRY(ask_data(client, &request, &answer, &shared));
    return secret_append(out, shared);
}

enum rc hsm_random(struct hsm_client *client, uint64_t view, size_t len, struct secret *out)
{
    AUTO_ANSWER answer = HSM_ANSWER_INIT;
    Qhsm__Request request = QHSM__REQUEST__INIT;
    Qhsm__RandomRequest body = QHSM__RANDOM_REQUEST__INIT;
    struct bytes random;
    body.len = (uint32_t)len;
    request.view = view;
    request.body_case = QHSM__REQUEST__BODY_KEYSTORE_RANDOM;
    request.keystore_random = &body;
    TRY(ask_data(client, &request, &answer, &random));
    if (random.len != len)
        return rc_fail(RC_PROTOCOL, "the HSM gave %zu random bytes instead of %zu", random.len,
                       len);
    return secret_append(out, random);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Handlers of the key store that use keys: the front end's hot path. */
#include "cluster/handlers.h"
#include "rpc/wire.h"
#include "token/hsm_keystore.h"

#define FRESH_MAX 1024U /* a data key */

/* ---- encryption */

/* What is encrypted, when the HSM makes it: into call->values. */
static enum rc make_fresh(struct call *call, struct buf *public_der)
{
    const Qhsm__KeystoreEncryptRequest *in = call->request->keystore_encrypt;
    if (in->plain.len > 0 || (in->random_len != 0 && in->pair_spec != 0))
        return rc_fail(RC_BAD_ARGUMENT, "bytes, a data key or a data key pair are encrypted, and "
                                        "only one of them");
    if (in->pair_spec != 0)
        return hsm_keystore_pair(call->service->hsm, &call->caller, in->pair_spec, &call->values,
                                 public_der);
    if (in->random_len > FRESH_MAX)
        return rc_fail(RC_TOO_LARGE, "a data key of %u bytes, limit %u", in->random_len, FRESH_MAX);
    TRY(secret_alloc(&call->values, in->random_len));
    return random_bytes(call->values.ptr, call->values.len);
}

enum rc handlers_keystore_encrypt(struct call *call)
{
    const Qhsm__KeystoreEncryptRequest *in = call->request->keystore_encrypt;
    Qhsm__KeystoreEncryptReply *reply = &call->body.keystore_encrypt;
    struct hsm_keystore_work work = {.key = in->key,
                                     .algorithm = in->algorithm,
                                     .aad = handlers_bytes(in->aad),
                                     .data = handlers_bytes(in->plain)};
    bool is_fresh = in->random_len != 0 || in->pair_spec != 0;
    AUTO_BUF scratch = BUF_INIT;
    TRY(handlers_crypt_check_data(in->plain));
    if (is_fresh) {
        TRY(make_fresh(call, &call->iv));
        work.data = secret_expose(&call->values);
    }
    TRY(hsm_keystore_encrypt(call->service->hsm, &call->caller, &work, &scratch, &call->data));
    qhsm__keystore_encrypt_reply__init(reply);
    reply->ciphertext = handlers_data(buf_bytes(&call->data));
    reply->public_der = handlers_data(buf_bytes(&call->iv));
    if (is_fresh && in->reveal)
        reply->plain = handlers_data(work.data);
    call->response.body_case = QHSM__RESPONSE__BODY_KEYSTORE_ENCRYPT;
    call->response.keystore_encrypt = reply;
    return RC_OK;
}

static enum rc decrypt(struct call *call, const Qhsm__KeystoreDecryptRequest *in, struct buf *out)
{
    AUTO_BUF scratch = BUF_INIT;
    const struct hsm_keystore_work work = {.key = in->key,
                                           .algorithm = in->algorithm,
                                           .aad = handlers_bytes(in->aad),
                                           .data = handlers_bytes(in->ciphertext)};
    TRY(handlers_crypt_check_data(in->ciphertext));
    return hsm_keystore_decrypt(call->service->hsm, &call->caller, &work, &scratch, out);
}

enum rc handlers_keystore_decrypt(struct call *call)
{
    TRY(decrypt(call, call->request->keystore_decrypt, &call->data));
    handlers_crypt_reply(call, buf_bytes(&call->data));
    return RC_OK;
}

/* The plaintext stays in call->iv, which the call's end wipes, and is never answered. */
enum rc handlers_keystore_reencrypt(struct call *call)
{
    const Qhsm__KeystoreReencryptRequest *in = call->request->keystore_reencrypt;
    AUTO_BUF scratch = BUF_INIT;
    if (in->source == NULL)
        return rc_fail(RC_BAD_ARGUMENT, "nothing to re-encrypt");
    TRY(decrypt(call, in->source, &call->iv));
    const struct hsm_keystore_work work = {.key = in->key,
                                           .algorithm = in->algorithm,
                                           .aad = handlers_bytes(in->aad),
                                           .data = buf_bytes(&call->iv)};
    TRY(hsm_keystore_encrypt(call->service->hsm, &call->caller, &work, &scratch, &call->data));
    handlers_crypt_reply(call, buf_bytes(&call->data));
    return RC_OK;
}

/* ---- signatures */

enum rc handlers_keystore_sign(struct call *call)
{
    const Qhsm__KeystoreSignRequest *in = call->request->keystore_sign;
    const struct hsm_keystore_work work = {.key = in->key,
                                           .algorithm = in->algorithm,
                                           .data = handlers_bytes(in->data),
                                           .is_digest = in->is_digest};
    TRY(handlers_crypt_check_data(in->data));
    TRY(hsm_keystore_sign(call->service->hsm, &call->caller, &work, &call->iv, &call->data));
    handlers_crypt_reply(call, buf_bytes(&call->data));
    return RC_OK;
}

/* An answer without body: it is right. */
enum rc handlers_keystore_verify(struct call *call)
{
    const Qhsm__KeystoreVerifyRequest *in = call->request->keystore_verify;
    const struct hsm_keystore_work work = {.key = in->key,
                                           .algorithm = in->algorithm,
                                           .data = handlers_bytes(in->data),
                                           .is_digest = in->is_digest,
                                           .signature = handlers_bytes(in->signature)};
    TRY(handlers_crypt_check_data(in->data));
    return hsm_keystore_verify(call->service->hsm, &call->caller, &work, &call->iv);
}

/* ---- agreement, random numbers */

enum rc handlers_keystore_agree(struct call *call)
{
    const Qhsm__KeystoreAgreeRequest *in = call->request->keystore_agree;
    TRY(hsm_keystore_agree(call->service->hsm, &call->caller, in->key, handlers_bytes(in->peer_der),
                           &call->values));
    handlers_crypt_reply(call, secret_expose(&call->values));
    return RC_OK;
}

enum rc handlers_keystore_random(struct call *call)
{
    return handlers_crypt_random_bytes(call, call->request->keystore_random->len);
}

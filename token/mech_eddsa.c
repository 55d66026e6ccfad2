/* SPDX-License-Identifier: Apache-2.0 */
/* EdDSA (RFC 8032, FIPS 186-5 7): the pure form by libcrypto, contexts kept ready for each lane. */
#include "token/mech_eddsa.h"

#include <openssl/err.h>

#define SIGNATURE_MAX 114U /* Ed448 */
#define CONTEXT_MAX   255U

enum { TAG_SIGN = 1, TAG_VERIFY = 2 };

static enum rc check(const struct mech_call *call, enum crypt_op op, const struct key *key)
{
    (void)op;
    (void)key;
    if (call->has_param && call->u.eddsa.context.len > CONTEXT_MAX)
        return rc_fail(RC_MECHANISM_PARAM, "EdDSA context of %zu bytes, at most %u",
                       call->u.eddsa.context.len, CONTEXT_MAX);
    return RC_OK;
}

/* PKCS#11 3.1 6.3.15: a parameter makes Ed25519 into Ed25519ctx or Ed25519ph; Ed448 always takes a
 * context, empty when absent. */
static bool is_pure(const struct mech_call *call, const struct key *key)
{
    if (!call->has_param)
        return true;
    return key->curve->bits == 448 && !call->u.eddsa.ph && call->u.eddsa.context.len == 0;
}

static void context_release(void *ctx)
{
    EVP_MD_CTX_free(ctx);
}

/* Without a key, one that has one starts anew: from OpenSSL 3.4 on it is good for one call. */
static int start(EVP_MD_CTX *ctx, uint64_t tag, EVP_PKEY *pkey)
{
    return tag == TAG_SIGN
               ? EVP_DigestSignInit_ex(ctx, NULL, NULL, crypto_lib(), NULL, pkey, NULL)
               : EVP_DigestVerifyInit_ex(ctx, NULL, NULL, crypto_lib(), NULL, pkey, NULL);
}

static enum rc take(struct key *key, unsigned lane_number, uint64_t tag, EVP_MD_CTX **out)
{
    struct key_lane *lane;
    TRY(key_lane(key, lane_number, &lane));
    *out = key_ready_get(lane, tag);
    if (*out != NULL)
        return start(*out, tag, NULL) == 1 ? RC_OK : crypto_fail(RC_INTERNAL, "EdDSA context");
    *out = EVP_MD_CTX_new();
    if (*out == NULL || start(*out, tag, lane->pkey) != 1) {
        EVP_MD_CTX_free(*out);
        return crypto_fail(RC_INTERNAL, "EdDSA context");
    }
    key_ready_put(lane, tag, *out, context_release);
    return RC_OK;
}

/* libcrypto wants a pointer even for no bytes. */
static const uint8_t *pointer(struct bytes data)
{
    static const uint8_t nothing[1];
    return data.len == 0 ? nothing : data.ptr;
}

static enum rc sign(const struct mech_work *work, struct buf *out)
{
    if (!is_pure(work->call, work->key))
        return mech_eddsa_instance_sign(work, out);
    EVP_MD_CTX *ctx = NULL;
    uint8_t signature[SIGNATURE_MAX];
    size_t len = sizeof signature;
    TRY(take(work->key, work->lane, TAG_SIGN, &ctx));
    if (EVP_DigestSign(ctx, signature, &len, pointer(work->data), work->data.len) != 1)
        return crypto_fail(RC_INTERNAL, "EdDSA signature");
    return buf_append(out, bytes_of(signature, len));
}

static enum rc verify(const struct mech_work *work)
{
    if (work->signature.len != work->key->output_len)
        return rc_fail(RC_SIGNATURE_LEN, "an EdDSA signature of %zu bytes, %s has %u",
                       work->signature.len, work->key->curve->name, work->key->output_len);
    if (!is_pure(work->call, work->key))
        return mech_eddsa_instance_verify(work);
    EVP_MD_CTX *ctx = NULL;
    TRY(take(work->key, work->lane, TAG_VERIFY, &ctx));
    if (EVP_DigestVerify(ctx, work->signature.ptr, work->signature.len, pointer(work->data),
                         work->data.len) == 1)
        return RC_OK;
    ERR_clear_error();
    return rc_fail(RC_SIGNATURE_INVALID, "the EdDSA signature does not verify");
}

static enum rc crypt(const struct mech_work *work, struct buf *out)
{
    if (work->op == CRYPT_SIGN)
        return sign(work, out);
    if (work->op == CRYPT_VERIFY)
        return verify(work);
    return rc_fail(RC_MECHANISM, "%s only signs and verifies", work->call->mech->name);
}

const struct mech_methods mech_eddsa = {.check = check, .crypt = crypt};

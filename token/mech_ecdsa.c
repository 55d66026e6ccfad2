/* SPDX-License-Identifier: Apache-2.0 */
/* ECDSA (FIPS 186-5 6): libcrypto speaks DER, PKCS#11 r and s of the order's width. */
#include <openssl/err.h>

#include "token/ecdsa_der.h"
#include "token/mech_sign.h"

enum { TAG_SIGN = 1, TAG_VERIFY = 2 };

static void context_release(void *ctx)
{
    EVP_PKEY_CTX_free(ctx);
}

/* Without a digest set, so that one context serves every digest: libcrypto takes the leftmost bits
 * of the order's length (FIPS 186-5 6.4.1). */
static enum rc take(struct key *key, unsigned lane_number, uint64_t tag, EVP_PKEY_CTX **out)
{
    struct key_lane *lane;
    TRY(key_lane(key, lane_number, &lane));
    EVP_PKEY_CTX *ctx = key_ready_get(lane, tag);
    if (ctx == NULL) {
        ctx = EVP_PKEY_CTX_new_from_pkey(crypto_lib(), lane->pkey, NULL);
        int good = ctx == NULL       ? 0
                   : tag == TAG_SIGN ? EVP_PKEY_sign_init(ctx)
                                     : EVP_PKEY_verify_init(ctx);
        if (good != 1) {
            EVP_PKEY_CTX_free(ctx);
            return crypto_fail(RC_INTERNAL, "ECDSA context");
        }
        key_ready_put(lane, tag, ctx, context_release);
    }
    *out = ctx;
    return RC_OK;
}

static enum rc from_der(struct bytes der, size_t width, struct buf *out)
{
    size_t before = out->len;
    TRY(buf_resize(out, before + 2 * width));
    return ecdsa_der_decode(der, width, out->ptr + before)
               ? RC_OK
               : rc_fail(RC_INTERNAL, "libcrypto gave no ECDSA signature");
}

static enum rc sign(const struct mech_work *work, struct bytes input, struct buf *out)
{
    EVP_PKEY_CTX *ctx = NULL;
    uint8_t der[ECDSA_DER_MAX];
    size_t len = sizeof der;
    TRY(take(work->key, work->lane, TAG_SIGN, &ctx));
    if (EVP_PKEY_sign(ctx, der, &len, input.ptr, input.len) != 1)
        return crypto_fail(RC_INTERNAL, "ECDSA signature");
    return from_der(bytes_of(der, len), work->key->output_len / 2, out);
}

static enum rc verify(const struct mech_work *work, struct bytes input)
{
    EVP_PKEY_CTX *ctx = NULL;
    uint8_t der[ECDSA_DER_MAX];
    if (work->signature.len != work->key->output_len)
        return rc_fail(RC_SIGNATURE_LEN, "an ECDSA signature of %zu bytes, %s has %u",
                       work->signature.len, work->key->curve->name, work->key->output_len);
    TRY(take(work->key, work->lane, TAG_VERIFY, &ctx));
    size_t len = ecdsa_der_encode(work->signature, der);
    if (EVP_PKEY_verify(ctx, der, len, input.ptr, input.len) == 1)
        return RC_OK;
    ERR_clear_error();
    return rc_fail(RC_SIGNATURE_INVALID, "the ECDSA signature does not verify");
}

static enum rc crypt(const struct mech_work *work, struct buf *out)
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    struct bytes input;
    TRY(mech_sign_input(work, work->call->mech->digest, digest, &input));
    if (input.len == 0)
        return rc_fail(RC_DATA_LEN, "ECDSA needs a digest to sign");
    if (work->op == CRYPT_SIGN)
        return sign(work, input, out);
    if (work->op == CRYPT_VERIFY)
        return verify(work, input);
    return rc_fail(RC_MECHANISM, "%s only signs and verifies", work->call->mech->name);
}

const struct mech_methods mech_ecdsa = {.crypt = crypt};

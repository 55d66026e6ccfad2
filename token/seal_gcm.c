/* SPDX-License-Identifier: Apache-2.0 */
/* AES-256-GCM (SP 800-38D) over a context that keeps its key between uses. */
#include "token/seal_gcm.h"

#include <limits.h>

#include "token/crypto_lib.h"

enum rc seal_gcm_new(struct bytes key, bool sealing, EVP_CIPHER_CTX **out)
{
    const EVP_CIPHER *cipher = crypto_cipher("AES-256-GCM");
    EVP_CIPHER_CTX *context = cipher == NULL ? NULL : EVP_CIPHER_CTX_new();
    if (context == NULL)
        return RC_NO_MEMORY;
    if (EVP_CipherInit_ex2(context, cipher, key.ptr, NULL, sealing ? 1 : 0, NULL) != 1) {
        EVP_CIPHER_CTX_free(context);
        return rc_fail(RC_INTERNAL, "AES-256-GCM does not start");
    }
    *out = context;
    return RC_OK;
}

static bool gcm_body(EVP_CIPHER_CTX *context, const uint8_t *nonce, struct bytes aad,
                     struct bytes in, uint8_t *out)
{
    int len = 0;
    if (aad.len > INT_MAX || in.len > INT_MAX)
        return false;
    if (EVP_CipherInit_ex2(context, NULL, NULL, nonce, -1, NULL) != 1)
        return false;
    if (aad.len > 0 && EVP_CipherUpdate(context, NULL, &len, aad.ptr, (int)aad.len) != 1)
        return false;
    return in.len == 0 || EVP_CipherUpdate(context, out, &len, in.ptr, (int)in.len) == 1;
}

enum rc seal_gcm_encrypt(EVP_CIPHER_CTX *context, const uint8_t nonce[GCM_NONCE_LEN],
                         struct bytes aad, struct bytes plain, uint8_t *out)
{
    int len = 0;
    uint8_t *tag = out + plain.len;
    if (!gcm_body(context, nonce, aad, plain, out) || EVP_CipherFinal_ex(context, tag, &len) != 1 ||
        EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, GCM_TAG_LEN, tag) != 1)
        return rc_fail(RC_INTERNAL, "AES-256-GCM encryption of %zu bytes failed", plain.len);
    return RC_OK;
}

enum rc seal_gcm_decrypt(EVP_CIPHER_CTX *context, const uint8_t nonce[GCM_NONCE_LEN],
                         struct bytes aad, struct bytes sealed, uint8_t *out)
{
    if (sealed.len < GCM_TAG_LEN)
        return rc_fail(RC_TAMPERED, "no room for a tag");
    size_t len = sealed.len - GCM_TAG_LEN;
    uint8_t tag[GCM_TAG_LEN];
    memcpy(tag, sealed.ptr + len, sizeof tag);
    int tail = 0;
    if (!gcm_body(context, nonce, aad, bytes_slice(sealed, 0, len), out) ||
        EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, GCM_TAG_LEN, tag) != 1 ||
        EVP_CipherFinal_ex(context, out + len, &tail) != 1)
        return rc_fail(RC_TAMPERED, "the seal of %zu bytes does not hold", len);
    return RC_OK;
}

enum rc seal_gcm_forget(EVP_CIPHER_CTX *context, struct bytes key)
{
    return EVP_CipherInit_ex2(context, NULL, key.ptr, NULL, -1, NULL) == 1
               ? RC_OK
               : rc_fail(RC_INTERNAL, "AES-256-GCM does not start");
}

/* SPDX-License-Identifier: Apache-2.0 */
/* AES-GCM with an IV longer than libcrypto's cipher takes: its GCM (openssl/modes.h) over its AES
 * block by block. Slow, and rare. */
#include "token/mech_aes_gcm_long.h"

#include <openssl/modes.h>

/* What libcrypto hands to the block function. */
struct block_key {
    EVP_CIPHER_CTX *ecb;
    bool *failed;
};

static void encrypt_block(const unsigned char in[16], unsigned char out[16], const void *key)
{
    const struct block_key *with = key;
    int len = 0;
    if (EVP_EncryptUpdate(with->ecb, out, &len, in, AES_BLOCK) != 1 || len != (int)AES_BLOCK)
        *with->failed = true;
}

static bool start(GCM128_CONTEXT *gcm, const struct mech_call *call)
{
    CRYPTO_gcm128_setiv(gcm, call->u.gcm.iv.ptr, call->u.gcm.iv.len);
    return call->u.gcm.aad.len == 0 ||
           CRYPTO_gcm128_aad(gcm, call->u.gcm.aad.ptr, call->u.gcm.aad.len) == 0;
}

static enum rc seal_data(GCM128_CONTEXT *gcm, const struct mech_work *work, struct buf *out)
{
    size_t len = work->data.len;
    size_t tag_len = work->call->u.gcm.tag_bits / 8;
    TRY(buf_reserve(out, len + tag_len));
    uint8_t *at = out->ptr + out->len;
    if (!start(gcm, work->call) ||
        (len > 0 && CRYPTO_gcm128_encrypt(gcm, work->data.ptr, at, len) != 0))
        return crypto_fail(RC_INTERNAL, "GCM with a long IV");
    CRYPTO_gcm128_tag(gcm, at + len, tag_len);
    out->len += len + tag_len;
    return RC_OK;
}

static enum rc open_data(GCM128_CONTEXT *gcm, const struct mech_work *work, struct buf *out)
{
    size_t tag_len = work->call->u.gcm.tag_bits / 8;
    if (work->data.len < tag_len)
        return rc_fail(RC_ENCRYPTED_DATA_LEN, "%zu bytes are shorter than the tag", work->data.len);
    size_t len = work->data.len - tag_len;
    TRY(buf_reserve(out, len));
    uint8_t *at = out->ptr + out->len;
    bool fine = start(gcm, work->call) &&
                (len == 0 || CRYPTO_gcm128_decrypt(gcm, work->data.ptr, at, len) == 0) &&
                CRYPTO_gcm128_finish(gcm, work->data.ptr + len, tag_len) == 0;
    if (!fine) {
        secret_wipe(at, len);
        return rc_fail(RC_ENCRYPTED_DATA, "AES refuses the data");
    }
    out->len += len;
    return RC_OK;
}

enum rc mech_aes_gcm_long(EVP_CIPHER_CTX *ecb, const struct mech_work *work, struct buf *out)
{
    bool failed = false;
    struct block_key key = {.ecb = ecb, .failed = &failed};
    TRY(mech_aes_start(ecb, BYTES_NONE));
    GCM128_CONTEXT *gcm = CRYPTO_gcm128_new(&key, encrypt_block);
    if (gcm == NULL)
        return RC_NO_MEMORY;
    enum rc rc = work->op == CRYPT_ENCRYPT ? seal_data(gcm, work, out) : open_data(gcm, work, out);
    CRYPTO_gcm128_release(gcm);
    return rc == RC_OK && failed ? crypto_fail(RC_INTERNAL, "AES on one block") : rc;
}

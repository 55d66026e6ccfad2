/* SPDX-License-Identifier: Apache-2.0 */
/* Contexts of libcrypto for AES: made with their key schedule once, begun anew with an IV. */
#include "token/mech_aes.h"

#include <limits.h>
#include <openssl/err.h>

static const char *const names[AES_MODE_COUNT][3] = {
    [AES_ECB] = {"AES-128-ECB", "AES-192-ECB", "AES-256-ECB"},
    [AES_CBC] = {"AES-128-CBC", "AES-192-CBC", "AES-256-CBC"},
    [AES_CTR] = {"AES-128-CTR", "AES-192-CTR", "AES-256-CTR"},
    [AES_GCM] = {"AES-128-GCM", "AES-192-GCM", "AES-256-GCM"},
    [AES_CCM] = {"AES-128-CCM", "AES-192-CCM", "AES-256-CCM"},
    [AES_WRAP] = {"AES-128-WRAP", "AES-192-WRAP", "AES-256-WRAP"},
    [AES_WRAP_PAD] = {"AES-128-WRAP-PAD", "AES-192-WRAP-PAD", "AES-256-WRAP-PAD"},
};

/* Lengths of IV and tag come before the key and the IV: CCM computes its first block from them. */
static bool set_lengths(EVP_CIPHER_CTX *context, const struct aes_setup *setup)
{
    if (setup->iv_len > 0 &&
        EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_IVLEN, setup->iv_len, NULL) != 1)
        return false;
    return setup->tag_len == 0 ||
           EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, setup->tag_len, NULL) == 1;
}

static bool prepare(EVP_CIPHER_CTX *context, const EVP_CIPHER *cipher, struct bytes key,
                    const struct aes_setup *setup)
{
    int encrypt = setup->encrypt ? 1 : 0;
    EVP_CIPHER_CTX_set_flags(context, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
    return EVP_CipherInit_ex2(context, cipher, NULL, NULL, encrypt, NULL) == 1 &&
           set_lengths(context, setup) &&
           EVP_CipherInit_ex2(context, NULL, key.ptr, NULL, encrypt, NULL) == 1 &&
           EVP_CIPHER_CTX_set_padding(context, setup->pad ? 1 : 0) == 1;
}

enum rc mech_aes_new(struct bytes key, const struct aes_setup *setup, EVP_CIPHER_CTX **out)
{
    if (key.len != 16 && key.len != 24 && key.len != 32)
        return rc_fail(RC_KEY_SIZE, "AES key of %zu bytes, not 16, 24 or 32", key.len);
    const EVP_CIPHER *cipher = crypto_cipher(names[setup->mode][key.len / 8 - 2]);
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    if (context == NULL)
        return RC_NO_MEMORY;
    if (cipher == NULL || !prepare(context, cipher, key, setup)) {
        EVP_CIPHER_CTX_free(context);
        return crypto_fail(RC_INTERNAL, "AES context");
    }
    *out = context;
    return RC_OK;
}

static void release(void *context)
{
    EVP_CIPHER_CTX_free(context);
}

/* libcrypto keeps the last block: decrypted for the padding to be looked at, or, of GCM by AVX-512
 * since 3.1, whatever is no whole block. Only a new key clears the state of GCM and CCM; the others
 * keep their buffer even then. */
static bool forget(EVP_CIPHER_CTX *context, struct bytes key, const struct aes_setup *setup)
{
    static const uint8_t zeros[AES_BLOCK];
    uint8_t out[2 * AES_BLOCK];
    int len = 0;
    if (setup->mode == AES_GCM || setup->mode == AES_CCM)
        return EVP_CipherInit_ex2(context, NULL, key.ptr, NULL, -1, NULL) == 1;
    if (setup->mode == AES_WRAP || setup->mode == AES_WRAP_PAD)
        return true;
    return EVP_CipherInit_ex2(context, NULL, NULL, zeros, -1, NULL) == 1 &&
           EVP_CipherUpdate(context, out, &len, zeros, sizeof zeros) == 1;
}

enum rc mech_aes_use(const struct mech_work *work, const struct aes_setup *setup, mech_aes_run run,
                     struct buf *out)
{
    struct key_lane *lane = NULL;
    struct bytes value = secret_expose(&work->key->value);
    TRY(key_lane(work->key, work->lane, &lane));
    uint64_t tag = 1U | (uint64_t)setup->encrypt << 1 | (uint64_t)setup->pad << 2 |
                   (uint64_t)setup->mode << 8 | (uint64_t)setup->iv_len << 16 |
                   (uint64_t)setup->tag_len << 24;
    EVP_CIPHER_CTX *context = key_ready_get(lane, tag);
    if (context == NULL) {
        TRY(mech_aes_new(value, setup, &context));
        key_ready_put(lane, tag, context, release);
    }
    enum rc rc = run(context, work, out);
    return forget(context, value, setup) ? rc : crypto_fail(RC_INTERNAL, "AES context");
}

enum rc mech_aes_start(EVP_CIPHER_CTX *context, struct bytes iv)
{
    if (EVP_CipherInit_ex2(context, NULL, NULL, iv.ptr, -1, NULL) != 1)
        return crypto_fail(RC_INTERNAL, "AES with a new IV");
    return RC_OK;
}

static enum rc refused(enum rc failure, struct buf *out, size_t room)
{
    secret_wipe(out->ptr + out->len, room);
    ERR_clear_error();
    return rc_fail(failure, "AES refuses the data");
}

enum rc mech_aes_feed(EVP_CIPHER_CTX *context, struct bytes data, enum rc failure, struct buf *out)
{
    int len = 0;
    size_t room = data.len + 2 * AES_BLOCK;
    if (data.len == 0)
        return RC_OK;
    if (data.len > INT_MAX - 2 * AES_BLOCK)
        return rc_fail(RC_TOO_LARGE, "%zu bytes in one part", data.len);
    TRY(buf_reserve(out, room));
    if (EVP_CipherUpdate(context, out->ptr + out->len, &len, data.ptr, (int)data.len) != 1)
        return refused(failure, out, room);
    out->len += (size_t)len;
    return RC_OK;
}

enum rc mech_aes_finish(EVP_CIPHER_CTX *context, enum rc failure, struct buf *out)
{
    int len = 0;
    size_t room = 2 * AES_BLOCK;
    TRY(buf_reserve(out, room));
    if (EVP_CipherFinal_ex(context, out->ptr + out->len, &len) != 1)
        return refused(failure, out, room);
    out->len += (size_t)len;
    return RC_OK;
}

enum rc mech_aes_wrap_with(mech_aes_crypt crypt, const struct mech_call *call, struct key *wrapping,
                           unsigned lane, struct bytes plain, struct buf *out)
{
    AUTO_BUF no_iv = BUF_INIT;
    const struct mech_work work = {.call = call,
                                   .op = CRYPT_ENCRYPT,
                                   .key = wrapping,
                                   .lane = lane,
                                   .data = plain,
                                   .out_iv = &no_iv};
    enum rc rc = crypt(&work, out);
    if (rc == RC_OK && no_iv.len > 0)
        return rc_fail(RC_MECHANISM_PARAM, "a wrapped key carries the IV that the HSM makes: "
                                           "pass no IV, not zeros");
    return rc == RC_DATA_LEN ? RC_KEY_NOT_WRAPPABLE : rc;
}

enum rc mech_aes_unwrap_with(mech_aes_crypt crypt, const struct mech_call *call,
                             struct key *unwrapping, unsigned lane, struct bytes wrapped,
                             struct secret *out)
{
    AUTO_BUF plain = BUF_INIT;
    AUTO_BUF no_iv = BUF_INIT;
    const struct mech_work work = {.call = call,
                                   .op = CRYPT_DECRYPT,
                                   .key = unwrapping,
                                   .lane = lane,
                                   .data = wrapped,
                                   .out_iv = &no_iv};
    enum rc rc = crypt(&work, &plain);
    if (rc == RC_ENCRYPTED_DATA)
        return RC_WRAPPED_KEY;
    if (rc == RC_ENCRYPTED_DATA_LEN)
        return RC_WRAPPED_KEY_LEN;
    TRY(rc);
    return secret_append(out, buf_bytes(&plain));
}

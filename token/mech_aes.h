/* SPDX-License-Identifier: Apache-2.0 */
/* What the AES families share: ready contexts of libcrypto, and wrapping by an encryption. */
#ifndef QHSM_TOKEN_MECH_AES_H
#define QHSM_TOKEN_MECH_AES_H

#include "token/mech_internal.h"

#define AES_BLOCK      16U
#define AES_TAG_MAX    16U
#define GCM_IV_DEFAULT 12U

enum aes_mode {
    AES_ECB,
    AES_CBC,
    AES_CTR,
    AES_GCM,
    AES_CCM,
    AES_WRAP,
    AES_WRAP_PAD,
    AES_MODE_COUNT
};

/* All that a context is made for once; uses differ in IV and data only. */
struct aes_setup {
    enum aes_mode mode;
    bool encrypt;
    bool pad;        /* PKCS#7, CBC only */
    uint8_t iv_len;  /* GCM, CCM; 0: the mode's own */
    uint8_t tag_len; /* CCM */
};

/* A context of the caller's own, to be freed with EVP_CIPHER_CTX_free(). RC_KEY_SIZE. */
enum rc mech_aes_new(struct bytes key, const struct aes_setup *setup, EVP_CIPHER_CTX **out);
/* One whole use of a context. */
typedef enum rc (*mech_aes_run)(EVP_CIPHER_CTX *context, const struct mech_work *work,
                                struct buf *out);
/* Runs on the context that work->key's lane keeps for that setup, made at first use. Nothing of the
 * data stays in it. */
enum rc mech_aes_use(const struct mech_work *work, const struct aes_setup *setup, mech_aes_run run,
                     struct buf *out);
/* Begins anew with this IV (empty for ECB). RC_INTERNAL. */
enum rc mech_aes_start(EVP_CIPHER_CTX *context, struct bytes iv);
/* Appends what comes out. `failure` is the caller's code for a refusal of libcrypto, whose reason
 * is not told. */
enum rc mech_aes_feed(EVP_CIPHER_CTX *context, struct bytes data, enum rc failure, struct buf *out);
enum rc mech_aes_finish(EVP_CIPHER_CTX *context, enum rc failure, struct buf *out);

/* Wrapping and unwrapping as encryption of the key's value by a family's crypt(). */
typedef enum rc (*mech_aes_crypt)(const struct mech_work *work, struct buf *out);
enum rc mech_aes_wrap_with(mech_aes_crypt crypt, const struct mech_call *call, struct key *wrapping,
                           unsigned lane, struct bytes plain, struct buf *out);
enum rc mech_aes_unwrap_with(mech_aes_crypt crypt, const struct mech_call *call,
                             struct key *unwrapping, unsigned lane, struct bytes wrapped,
                             struct secret *out);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* AES-256-GCM with a ready context: the one place where seals touch the cipher. */
#ifndef QHSM_TOKEN_SEAL_GCM_H
#define QHSM_TOKEN_SEAL_GCM_H

#include <openssl/evp.h>

#include "common/bytes.h"
#include "common/rc.h"

#define GCM_NONCE_LEN 12U
#define GCM_TAG_LEN   16U

/* A context that holds the key schedule; EVP_CIPHER_CTX_free() it. RC_NO_MEMORY. */
enum rc seal_gcm_new(struct bytes key, bool sealing, EVP_CIPHER_CTX **out);
/* Writes plain.len + GCM_TAG_LEN bytes. */
enum rc seal_gcm_encrypt(EVP_CIPHER_CTX *context, const uint8_t nonce[GCM_NONCE_LEN],
                         struct bytes aad, struct bytes plain, uint8_t *out);
/* `sealed` is ciphertext and tag; writes sealed.len - GCM_TAG_LEN bytes. RC_TAMPERED: what was
 * written must not be used. */
enum rc seal_gcm_decrypt(EVP_CIPHER_CTX *context, const uint8_t nonce[GCM_NONCE_LEN],
                         struct bytes aad, struct bytes sealed, uint8_t *out);
/* Before the context waits for its next use: libcrypto keeps what was no whole block, also in plain
 * (by AVX-512, since 3.1); only its key set anew clears that. RC_INTERNAL: free it. */
enum rc seal_gcm_forget(EVP_CIPHER_CTX *context, struct bytes key);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* AES-GCM with an IV longer than libcrypto's cipher takes. */
#ifndef QHSM_TOKEN_MECH_AES_GCM_LONG_H
#define QHSM_TOKEN_MECH_AES_GCM_LONG_H

#include "token/mech_aes.h"

#define GCM_IV_SHORT_MAX 128U /* libcrypto's GCM_IV_MAX_SIZE */
#define GCM_IV_MAX       256U /* PKCS#11 2.40 2.12.2 */

/* Seals or opens by work->op on a context of AES-ECB that encrypts. Errors as GCM's. */
enum rc mech_aes_gcm_long(EVP_CIPHER_CTX *ecb, const struct mech_work *work, struct buf *out);

#endif

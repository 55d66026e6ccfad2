/* SPDX-License-Identifier: Apache-2.0 */
/* Digests in this process, by a libcrypto context of our own: messages are hashed before they go to
 * the HSM. */
#ifndef QHSM_KMS_DIGEST_H
#define QHSM_KMS_DIGEST_H

#include <openssl/types.h>

#include "common/mechanism.h"

#define DIGEST_LEN_MAX 64U

/* Any thread. NULL for a digest that libcrypto lacks. */
const EVP_MD *digest_md(enum digest_id id);
/* Any thread. RC_INTERNAL for a digest that libcrypto lacks. */
enum rc digest_of(enum digest_id id, struct bytes data, uint8_t out[DIGEST_LEN_MAX],
                  size_t *out_len);
/* The context, for other uses of libcrypto. NULL when it could not be made. */
OSSL_LIB_CTX *digest_lib(void);

#endif

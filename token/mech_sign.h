/* SPDX-License-Identifier: Apache-2.0 */
/* What all signature families share: the input, hashed where the mechanism hashes first. */
#ifndef QHSM_TOKEN_MECH_SIGN_H
#define QHSM_TOKEN_MECH_SIGN_H

#include "token/mech_internal.h"

/* The bytes that the padding or the curve takes: work->data itself (raw mechanisms and
 * prehashed), or its digest, written to `digest` (EVP_MAX_MD_SIZE). RC_DATA_LEN when a given digest
 * has another length. */
enum rc mech_sign_input(const struct mech_work *work, enum digest_id digest_id, uint8_t *digest,
                        struct bytes *out);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* AES-256-GCM in this process for what callers carry. Each sealing has a key of its own, derived
 * from the session key and 16 random bytes, so that how many there are is no matter. */
#ifndef QHSM_KMS_VAULT_GCM_H
#define QHSM_KMS_VAULT_GCM_H

#include "common/secret.h"

/* Appends version, salt (16), nonce (12), text and tag (16). */
enum rc vault_gcm_seal(const struct secret *session, const char *purpose, struct bytes plain,
                       struct buf *out);
/* Appends. RC_TAMPERED. */
enum rc vault_gcm_unseal(const struct secret *session, const char *purpose, struct bytes sealed,
                         struct secret *out);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Opened secrets of access keys, so that a known key costs no round trip to the HSM. Bounded;
 * wiped when replaced. */
#ifndef QHSM_KMS_IDENTITY_SECRETS_H
#define QHSM_KMS_IDENTITY_SECRETS_H

#include "kms/iam_records.h"
#include "kms/vault.h"

struct identity_secret;

/* A reference to the key's secret; give it back with identity_secrets_done(). As vault_open(). */
enum rc identity_secrets_get(struct vault *vault, const struct iam_key *key,
                             struct identity_secret **out);
const struct secret *identity_secrets_value(const struct identity_secret *secret);
void identity_secrets_done(struct identity_secret *secret);
/* Wipes all that nobody uses at the moment; the rest goes with its last reference. */
void identity_secrets_clear(void);

#endif

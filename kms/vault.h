/* SPDX-License-Identifier: Apache-2.0 */
/* Small secrets of the front ends themselves (passwords of key stores, secrets of access keys,
 * session and import tokens), closed under an AES key in the HSM that all front ends of the cluster
 * share. */
#ifndef QHSM_KMS_VAULT_H
#define QHSM_KMS_VAULT_H

#include "common/secret.h"
#include "kms/hsm_client.h"

struct vault;
/* Finds the key, or makes it. */
enum rc vault_new(struct hsm_client *hsm, struct vault **out);
void vault_free(struct vault *vault);
/* `purpose` binds it to its place: "store/us-east-1/…". Appends. A round trip to the HSM. */
enum rc vault_close(struct vault *vault, const char *purpose, struct bytes plain, struct buf *out);
/* RC_TAMPERED. */
enum rc vault_open(struct vault *vault, const char *purpose, struct bytes closed,
                   struct secret *out);
/* The same in this process, without a round trip, under a key that the HSM gave at the start: for
 * tokens that callers carry. */
enum rc vault_seal(const struct vault *vault, const char *purpose, struct bytes plain,
                   struct buf *out);
enum rc vault_unseal(const struct vault *vault, const char *purpose, struct bytes sealed,
                     struct secret *out);

#endif

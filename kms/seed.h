/* SPDX-License-Identifier: Apache-2.0 */
/* Declared test keys: {"keys": [{"KeyId": "...", "Region", "Account", "KeySpec", "KeyUsage",
 * "Description", "Policy" (text or object), "Tags" as CreateKey has them, "Aliases": ["alias/x"],
 * "KeyMaterial": base64}]}; all but KeyId may be absent, and nothing else may be there. Material
 * that is written down in a file is no secret: such keys say that their origin is EXTERNAL, and the
 * log says so. */
#ifndef QHSM_KMS_SEED_H
#define QHSM_KMS_SEED_H

#include "kms/hsm_client.h"
#include "kms/key.h"
#include "kms/kms.h"

/* Makes what is not there yet; what is there stays as it is. RC_CONFIG names file and key; nothing
 * is made of a file with an entry that seed_check() refuses. */
enum rc seed_load(struct kms *kms, const char *path);

/* Of kms/seed_check.c: RC_CONFIG says what is wrong with the entry and what is wanted. Its Policy
 * is text. */
enum rc seed_check(const json_t *entry);

/* Of kms/seed_material.c: imports `value` (AES, HMAC: itself; EC: PKCS#8; up to 190 bytes) as the
 * key's material, wrapped under *wrapping, which is made when its handle is 0. Equal files give
 * equal ids of material, so that ciphertexts stay good in another cluster. */
enum rc seed_import(struct kms *kms, struct hsm_key *wrapping, struct bytes value, struct key *key);
/* Deletes the wrapping key, if one was made. */
void seed_import_end(struct kms *kms, struct hsm_key *wrapping);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Import of key material: the wrapping keys (backing keys "import/KEYID" of use unwrap), the import
 * token, and what an import does to a key's materials. */
#ifndef QHSM_KMS_IMPORT_H
#define QHSM_KMS_IMPORT_H

#include "kms/hsm_client.h"
#include "kms/request.h"

#define IMPORT_LABEL       "import/"
#define IMPORT_VALID_MS    ((uint64_t)24 * 60 * 60 * 1000)
#define IMPORT_VALID_TO_MS ((uint64_t)365 * 24 * 60 * 60 * 1000)

/* What a token says. */
struct import_token {
    char region[KMS_REGION_MAX + 1];
    char key_id[KMS_KEY_ID_MAX + 1];
    uint64_t wrapping; /* handle */
    enum keystore_algorithm algorithm;
    uint64_t valid_to_ms;
};
enum rc import_token_write(const struct import_token *token, struct buf *out);
/* RC_TAMPERED. Of what the vault has opened. */
enum rc import_token_read(struct bytes text, struct import_token *out);

/* Chores: a wrapping key (label begins with IMPORT_LABEL) carries the time of its end in the first
 * 8 bytes of its id. */
bool import_is_over(const struct hsm_key *wrapping, uint64_t now_ms);
/* The material that waits for a rotation; NULL when there is none, or it was deleted or expired. */
const struct key_material *import_pending(const struct key *key, uint64_t now_ms);
/* Takes a material out of the list. */
void import_drop(struct key *key, size_t index);
/* RotateKeyOnDemand of an imported key: the pending material becomes the current one. False: there
 * is none. */
bool import_promote(struct key *key, uint64_t now_ms);

#endif

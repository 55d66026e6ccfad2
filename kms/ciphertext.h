/* SPDX-License-Identifier: Apache-2.0 */
/* The ciphertext blob of a symmetric key: version 1, u8 length and id of the key, 16 bytes that
 * name the material, 4 bytes of SHA-256 over these, so that damage is told from a key that is not
 * there; then IV, text and tag. What stands before the IV is authenticated, and after it the
 * canonical encryption context. */
#ifndef QHSM_KMS_CIPHERTEXT_H
#define QHSM_KMS_CIPHERTEXT_H

#include "kms/hsm_client.h"
#include "kms/request.h"

/* Borrows from the blob. */
struct ciphertext {
    char key_id[KMS_KEY_ID_MAX + 1];
    uint8_t material[HSM_ID_LEN];
    struct bytes header;
    struct bytes sealed; /* IV, text, tag */
};
/* KMS_INVALID_CIPHERTEXT for what is not one of ours. */
enum kms_error ciphertext_parse(struct bytes blob, struct ciphertext *out);
/* Appends the head of a new blob. */
enum rc ciphertext_put_header(const char *key_id, const uint8_t material[HSM_ID_LEN],
                              struct buf *out);
/* The key that the blob in `member` names, in the request's region: a new reference. *out stays
 * NULL when the blob is not of a symmetric key. KMS_ACCESS_DENIED (`action` is what was tried) when
 * there is no such key here: in the words in which keys of others are denied. */
enum kms_error ciphertext_key(const struct kms_request *request, const char *member,
                              const char *action, struct record **out);
/* KMS_ACCESS_DENIED as AWS tells one who named no key: nothing of whether it exists. */
enum kms_error ciphertext_deny(const struct kms_request *request, const char *action);

#endif

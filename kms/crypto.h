/* SPDX-License-Identifier: Apache-2.0 */
/* What the cryptographic operations share: algorithms by name, the material to use, what their
 * answers and the trail say of the key. */
#ifndef QHSM_KMS_CRYPTO_H
#define QHSM_KMS_CRYPTO_H

#include "kms/hsm_client.h"
#include "kms/request.h"

/* The material that new ciphertexts, signatures and MACs are made with. KMS_INVALID_STATE when
 * there is none. */
enum kms_error crypto_material(const struct kms_request *request, const struct record *key,
                               const struct key_material **out);
/* The algorithm that `member` names (absent: `fallback`; NULL: there must be one), if it goes with
 * the key. KMS_INVALID_KEY_USAGE. */
enum kms_error crypto_algorithm(const struct kms_request *request, const char *member,
                                const char *fallback, const struct record *key,
                                const struct keystore_algorithm_row **out);
/* Data keys need a symmetric key. KMS_INVALID_KEY_USAGE. */
enum kms_error crypto_check_symmetric(const struct kms_request *request, const struct record *key);
/* KMS_UNSUPPORTED: no answers to Nitro enclaves. */
enum kms_error crypto_check_recipient(const struct kms_request *request);
/* KMS_VALIDATION for an encryption context (in `member`) on an asymmetric key. */
enum kms_error crypto_check_context(const struct kms_request *request, const char *member,
                                    const struct record *key);

/* What a symmetric key made: the blob, and of a fresh value what was asked for. */
struct crypto_sealed {
    const struct key_material *material;
    struct buf blob;
    struct secret plain;
    struct buf public_der;
};
void crypto_sealed_clear(struct crypto_sealed *sealed);
#define AUTO_SEALED __attribute__((cleanup(crypto_sealed_clear))) struct crypto_sealed
/* Encrypts what `in` says under the key's current material, with the encryption context in
 * `context`, into a blob. `in`: what is encrypted, and `reveal`. */
enum kms_error crypto_seal(struct kms_request *request, const struct record *key,
                           const char *context, struct hsm_encrypt *in, struct crypto_sealed *out);

/* The key was used: its ARN into `member`, the time of its use. */
enum kms_error crypto_answer_key(struct kms_request *request, const char *member,
                                 const struct record *key);
/* KeyMaterialId into `member` of a symmetric key's answer, and into the trail as `trail` when that
 * is not NULL. */
enum kms_error crypto_answer_material(struct kms_request *request, const char *member,
                                      const char *trail, const struct record *key,
                                      const struct key_material *material);
/* A secret as a blob. What is in clear elsewhere on its way is wiped. */
enum kms_error crypto_answer_secret(struct kms_request *request, const char *member,
                                    const struct secret *value);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* The use of a KMS key's material, wherever it is: KMS's own cluster, a custom key store's, or an
 * external key store's proxy. AWS's errors for what cannot be reached. */
#ifndef QHSM_KMS_BACKING_H
#define QHSM_KMS_BACKING_H

#include "kms/hsm_client.h"
#include "kms/request.h"

/* in->view, in->key and in->algorithm (GCM) of symmetric keys are filled in here. A handle that has
 * changed (restored cluster) is found again by label and id; a backing key that is missing:
 * KMS_INVALID_STATE of a custom key store's key, KMS_KEY_UNAVAILABLE else. RC_VIEW_OLD is answered
 * inside the pipeline: see backing_is_stale(). */
enum kms_error backing_encrypt(struct kms_request *request, const struct record *key,
                               const struct key_material *material, const struct hsm_encrypt *in,
                               struct buf *out, struct secret *out_plain,
                               struct buf *out_public_der);
/* KMS_INVALID_CIPHERTEXT. */
enum kms_error backing_decrypt(struct kms_request *request, const struct record *key,
                               const struct key_material *material, const struct hsm_decrypt *in,
                               struct secret *out);
/* Inside one cluster the plaintext stays there; else by way of this process. */
enum kms_error backing_reencrypt(struct kms_request *request, const struct record *from,
                                 const struct key_material *from_material,
                                 const struct hsm_decrypt *in, const struct record *to,
                                 const struct key_material *to_material,
                                 const struct hsm_encrypt *out_in, struct buf *out);
enum kms_error backing_sign(struct kms_request *request, const struct record *key,
                            const struct hsm_sign *in, struct buf *out);
/* *out_valid false for a signature that is not right. */
enum kms_error backing_verify(struct kms_request *request, const struct record *key,
                              const struct hsm_sign *in, struct bytes signature, bool *out_valid);
enum kms_error backing_agree(struct kms_request *request, const struct record *key,
                             struct bytes peer_der, struct secret *out);
/* A new backing key for `key` (its origin, store, spec and use), put before its materials. */
enum kms_error backing_create(struct kms_request *request, struct key *key);
/* Of a material that no document will name: best effort, logged. */
void backing_delete(struct kms *kms, const struct key *key, const struct key_material *material);
/* The same for chores, which come again: RC_OK when it is gone, was gone before, or is in a custom
 * key store, where it is tried once. */
enum rc backing_remove(struct kms *kms, const struct key *key, const struct key_material *material);
/* Begins a run of an operation on this thread: nothing is stale yet. */
void backing_begin(void);
/* Did a KMS_INTERNAL of this run come of RC_VIEW_OLD? The pipeline then refreshes the
 * view and runs the request again, a few times. */
bool backing_is_stale(void);

#endif

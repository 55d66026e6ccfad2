/* SPDX-License-Identifier: Apache-2.0 */
/* What the operations on custom key stores share (kms/op_store*.c). */
#ifndef QHSM_KMS_OP_STORE_H
#define QHSM_KMS_OP_STORE_H

#include "kms/store.h"
#include "kms/xks.h"

/* The settings of an external key store that the request names, put into `store` where it does;
 * `out_secret` is the credential's, when there is one. KMS_VALIDATION. */
enum kms_error op_store_read_xks(const struct kms_request *request, struct store *store,
                                 struct secret *out_secret);
/* What an external key store must say of itself. KMS_VALIDATION. */
enum kms_error op_store_check_xks(const struct store *store);
/* A member that the request must not have with this type of key store. KMS_VALIDATION. */
enum kms_error op_store_refuse(const struct kms_request *request, const char *const *members,
                               size_t count, enum store_type type);
extern const char *const op_store_hsm_members[];
extern const size_t op_store_hsm_member_count;
extern const char *const op_store_xks_members[];
extern const size_t op_store_xks_member_count;

/* Nobody else has what must be one store's alone: name (of the account and Region), cluster, proxy.
 * KMS_CUSTOM_STORE_NAME_IN_USE, KMS_HSM_CLUSTER_IN_USE and the like. `store` itself, by its id, is
 * passed over. out_count: stores of the account and Region. */
enum kms_error op_store_check_unique(struct view *view, const struct store *store,
                                     size_t *out_count);

/* One change of the set of stores: `fresh` NULL removes. KMS_INTERNAL by request_again() when
 * somebody else made one at the same time: `guard` was read before anything was checked. */
enum kms_error op_store_commit(struct kms_request *request, const struct record *guard,
                               const struct record *old, const struct store *fresh);
/* Its part of a change that rests on the set of stores, a new key's of one. */
enum rc op_store_guard_change(struct view_changes *changes, const struct record *guard);
struct record *op_store_guard(const struct kms_request *request); /* NULL: never used yet */
enum kms_error op_store_seal(const struct kms_request *request, const struct store *store,
                             struct bytes plain, struct buf *out);
/* CustomKeyStoreInvalidStateException of an operation that wants another state. */
enum kms_error op_store_fail_state(const struct store *store, const char *wanted);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* A new key on its way to its document, and what may be put into keys. */
#ifndef QHSM_KMS_KEY_NEW_H
#define QHSM_KMS_KEY_NEW_H

#include "kms/request.h"

static inline void key_auto_free(struct key **key)
{
    key_free(*key);
}
#define AUTO_KEY __attribute__((cleanup(key_auto_free))) struct key

#define KEY_POLICY_MAX 32768U

/* A symmetric key of the caller's account and Region: enabled, with a fresh id, without a policy,
 * tags and materials. */
enum kms_error key_new(const struct kms_request *request, bool multi_region, struct key **out);
/* The policy that the caller wants for `key`: its size, its syntax, that its principals exist, and,
 * without the member BypassPolicyLockoutSafetyCheck, that the caller can change it again. NULL: the
 * default policy. */
enum kms_error key_admit_policy(const struct kms_request *request, struct key *key,
                                const char *text);
/* The request's member Tags, beside the tags that the key has. KMS_TAG, KMS_LIMIT_EXCEEDED. */
enum kms_error key_admit_tags(const struct kms_request *request, struct key *key);
/* A copy of request->key to change. */
enum kms_error key_to_change(const struct kms_request *request, struct key **out);

#endif

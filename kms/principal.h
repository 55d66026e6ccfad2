/* SPDX-License-Identifier: Apache-2.0 */
/* Users and roles as policies and grants keep them: by ARN and, beside it, the unique id that they
 * had then, so that one who is deleted and made again under his name is somebody else. */
#ifndef QHSM_KMS_PRINCIPAL_H
#define QHSM_KMS_PRINCIPAL_H

#include "kms/identity.h"

/* Ids of all that the policy names, {"ARN": "ID"}, a new reference; NULL: it names none.
 * KMS_MALFORMED_POLICY when one of them does not exist: *out_unknown, the policy's; else NULL. */
enum kms_error principal_ids(const struct kms *kms, const struct policy *policy, json_t **out,
                             const char **out_unknown);
/* Its ARN while it exists, by the name that it has now; else its id. `id` NULL: the ARN. */
void principal_show(const struct kms *kms, const char *arn, const char *id,
                    char out[KMS_ARN_MAX + 1]);
/* The text of a policy with its principals shown like that: new. */
enum kms_error principal_show_policy(const struct kms *kms, const char *text, const json_t *ids,
                                     char **out);

#endif

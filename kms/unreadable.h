/* SPDX-License-Identifier: Apache-2.0 */
/* Documents that no front end can read, and what an administrator does about them. */
#ifndef QHSM_KMS_UNREADABLE_H
#define QHSM_KMS_UNREADABLE_H

#include "kms/kms.h"

/* RC_CONFLICT while a key's document is among them: it may name what looks unused. */
enum rc unreadable_check_keys(struct view *view);

/* `qhsm-kms documents-list`: their names and versions. */
enum rc unreadable_run_list(const struct kms_config *config, struct kms *kms, int count,
                            char **arguments);
/* `qhsm-kms documents-delete NAME`. RC_NOT_FOUND, also of one that can be read. */
enum rc unreadable_run_delete(const struct kms_config *config, struct kms *kms, int count,
                              char **arguments);

#endif

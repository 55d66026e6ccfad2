/* SPDX-License-Identifier: Apache-2.0 */
/* Orphaned key material: backing keys in a cluster that no KMS key names, left by deletions while
 * the cluster could not be reached, or come back with a backup. */
#ifndef QHSM_KMS_ORPHANS_H
#define QHSM_KMS_ORPHANS_H

#include "kms/hsm_client.h"
#include "kms/kms.h"

/* `qhsm-kms orphans-list [STORE]`, `orphans-delete [STORE]`: in a connected CloudHSM key store's
 * cluster, or in KMS's own token. */
enum rc orphans_run_list(const struct kms_config *config, struct kms *kms, int count,
                         char **arguments);
enum rc orphans_run_delete(const struct kms_config *config, struct kms *kms, int count,
                           char **arguments);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* What a cluster must be to carry a custom key store. */
#ifndef QHSM_KMS_STORE_CHECK_H
#define QHSM_KMS_STORE_CHECK_H

#include "kms/store.h"

/* Active HSMs in different zones. */
size_t store_check_zones(const struct hsm_health *health);
/* Is the first certificate of both PEM texts the same? */
bool store_check_anchor(const char *pem, struct bytes other);
/* Is `anchor` the certificate `ca` of the cluster, or the former CA of one that was restored? */
bool store_check_related(const struct kms_config *config, const char *cluster_id,
                         const char *anchor, struct bytes ca);
/* A cluster of the configuration, which answers, has the certificate `anchor`, and two active HSMs
 * in different zones: KMS_HSM_CLUSTER_NOT_FOUND, _NOT_ACTIVE, KMS_INCORRECT_TRUST_ANCHOR,
 * KMS_HSM_CLUSTER_INVALID_CONFIGURATION. `wrong_anchor`: what to say of another certificate. */
enum kms_error store_check_cluster(const struct kms *kms, const char *cluster_id,
                                   const char *anchor, enum kms_error wrong_anchor);
/* CreateKey: the store's cluster has two active HSMs in different zones still. */
enum kms_error store_check_hsms(struct hsm_client *client, const char *cluster_id);

#endif

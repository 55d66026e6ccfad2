/* SPDX-License-Identifier: Apache-2.0 */
/* Request quotas: token buckets by account, region and row of AWS's quotas; key stores have their
 * own. */
#ifndef QHSM_KMS_THROTTLE_H
#define QHSM_KMS_THROTTLE_H

#include "kms/request.h"

enum rc throttle_new(const struct kms_config *config, struct throttle **out);
void throttle_free(struct throttle *throttle);
/* KMS_THROTTLING when the bucket is empty. */
enum kms_error throttle_take(struct throttle *throttle, const struct kms_request *request);

#endif

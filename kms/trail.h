/* SPDX-License-Identifier: Apache-2.0 */
/* What of a KMS request goes into the trail (kms/audit.h): its members without secrets and blobs,
 * and of an answer to a change what it changed. */
#ifndef QHSM_KMS_TRAIL_H
#define QHSM_KMS_TRAIL_H

#include "kms/request.h"

/* `error`: how it ended, its text being this thread's last. */
void trail_note(const struct kms_request *request, enum kms_error error);

#endif

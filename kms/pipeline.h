/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of the pipeline that others use as well. pipeline_run() is in kms/request.h. */
#ifndef QHSM_KMS_PIPELINE_H
#define QHSM_KMS_PIPELINE_H

#include "kms/request.h"

/* key_find() for the request's caller, by the operation's naming: a service's alias
 * ("alias/aws/s3") gets its key now, and in the place of another account's key that is not there,
 * or that the operation is not for, comes one without a policy: refused where rights are asked. */
enum kms_error pipeline_find_key(struct kms_request *request, const char *text, const char *action,
                                 struct key_name *out_name, struct record **out);

#endif

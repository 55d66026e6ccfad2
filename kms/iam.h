/* SPDX-License-Identifier: Apache-2.0 */
/* IAM and STS, the query protocol: form in, XML out. Users, groups, roles, policies and access keys
 * are documents "iam/ACCOUNT/…". */
#ifndef QHSM_KMS_IAM_H
#define QHSM_KMS_IAM_H

#include "kms/http.h"
#include "kms/kms.h"

/* By the form's Action. `service`: of the signature's scope, "iam" or "sts". */
void iam_answer(struct kms *kms, const struct http_request *request, const char *service,
                struct http_answer *answer);

#endif

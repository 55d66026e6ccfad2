/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the operations of imports. */
#ifndef QHSM_KMS_OP_IMPORT_H
#define QHSM_KMS_OP_IMPORT_H

#include "kms/request.h"

#define OP_IMPORT_PURPOSE "import" /* of the vault's seal on tokens */

/* KMS_UNSUPPORTED for keys whose material is not imported. */
enum kms_error op_import_check(const struct kms_request *request);

#endif

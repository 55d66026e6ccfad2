/* SPDX-License-Identifier: Apache-2.0 */
/* The project's version in the form of PKCS#11. */
#ifndef QHSM_P11_RELEASE_H
#define QHSM_P11_RELEASE_H

#include "common/cryptoki.h"

CK_VERSION release_version(void);

#endif

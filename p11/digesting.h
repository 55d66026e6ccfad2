/* SPDX-License-Identifier: Apache-2.0 */
/* Digests as an operation of a session; all in the module. */
#ifndef QHSM_P11_DIGESTING_H
#define QHSM_P11_DIGESTING_H

#include "p11/call.h"

enum rc digesting_update(struct call *call, const void *part, CK_ULONG len);

#endif

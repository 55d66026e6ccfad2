/* SPDX-License-Identifier: Apache-2.0 */
/* A token as CK_TOKEN_INFO shows it. */
#ifndef QHSM_CLUSTER_TOKEN_INFO_H
#define QHSM_CLUSTER_TOKEN_INFO_H

#include "cluster/call.h"

/* The token of that number, or the uninitialised one of the last slot. Strings and lists live in
 * the call. RC_SLOT_INVALID. */
enum rc token_info_fill(struct call *call, uint64_t slot, Qhsm__TokenInfo *out);

#endif

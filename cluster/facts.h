/* SPDX-License-Identifier: Apache-2.0 */
/* What a client may know of an object, to check and size operations without a round trip. */
#ifndef QHSM_CLUSTER_FACTS_H
#define QHSM_CLUSTER_FACTS_H

#include "cluster/call.h"

/* Fills `out`; its list of mechanisms lives in the call. RC_NO_MEMORY. */
enum rc facts_of(struct call *call, const struct object *object, Qhsm__KeyFacts *out);

#endif

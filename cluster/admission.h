/* SPDX-License-Identifier: Apache-2.0 */
/* What an HSM may still do when it is to be left, or has no leader: who is sent elsewhere, what
 * waits for a majority, how long keys are used without one. */
#ifndef QHSM_CLUSTER_ADMISSION_H
#define QHSM_CLUSTER_ADMISSION_H

#include "cluster/call.h"

/* RC_DRAINING for what another HSM can do as well. */
enum rc admission_place(const struct call *call);
/* Before the handler: RC_NO_QUORUM for a change that could not be made, RC_NO_LEADER for the use of
 * keys when the last news of a leader is older than the token's policy allows. Cheap as long as
 * there is a leader. */
enum rc admission_leader(const struct call *call);
/* Looks whether the roll says that this HSM is drained. A few times a second. */
void admission_refresh(struct service *service);

#endif

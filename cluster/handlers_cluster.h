/* SPDX-License-Identifier: Apache-2.0 */
/* What the handlers of the cluster's requests share among their files. */
#ifndef QHSM_CLUSTER_HANDLERS_CLUSTER_H
#define QHSM_CLUSTER_HANDLERS_CLUSTER_H

#include "cluster/call.h"

/* Until when its changes may take, on the steady clock. */
uint64_t handlers_cluster_deadline(const struct call *call);
/* For what anybody may ask and what then waits for other HSMs: all but one of the pool's threads do
 * so at a time, so that PINs are checked meanwhile. RC_OVERLOADED; else _leave() afterwards. */
enum rc handlers_cluster_enter(struct service *service);
void handlers_cluster_leave(struct service *service);
/* The client is to see what was changed from any HSM that it asks next. */
void handlers_cluster_done(struct call *call);
/* The cluster's status as the answer; the other HSMs count that user's logins, unless it is 0. */
enum rc handlers_cluster_look(struct call *call, uint64_t login_of);
/* A copy that lives until the answer is packed. */
enum rc handlers_cluster_keep(struct call *call, struct bytes data, ProtobufCBinaryData *out);
/* Lower case, as much as there is room for; gives `out`. */
const char *handlers_cluster_hex(struct bytes data, char *out, size_t cap);

#endif

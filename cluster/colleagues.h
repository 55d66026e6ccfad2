/* SPDX-License-Identifier: Apache-2.0 */
/* Requests from this HSM to the others, over their client listener with this node's certificate. */
#ifndef QHSM_CLUSTER_COLLEAGUES_H
#define QHSM_CLUSTER_COLLEAGUES_H

#include "cluster/server_config.h"
#include "common/rc.h"
#include "rpc/client.h"

struct colleagues;
struct service;

enum rc colleagues_new(struct service *service, struct colleagues **out);
void colleagues_free(struct colleagues *colleagues);
/* New certificates; connections from now on. */
enum rc colleagues_reload(struct colleagues *colleagues, const struct server_config *config);

struct colleague_reply {
    Qhsm__Response *msg;
    void *memory; /* colleagues' own */
};
void colleague_reply_clear(struct colleagues *colleagues, struct colleague_reply *reply);
/* Asks node `id` where the roll says that it listens; as rpc_call(), once, within timeout_ms.
 * RC_NOT_FOUND: not on the roll; RC_UNAVAILABLE: not reached, nothing was sent; RC_OUTCOME_UNKNOWN:
 * the connection broke after it was sent. Blocks: never on a worker's or the consensus thread.
 * Emulated trouble with that node (chaos) holds here too. */
enum rc colleagues_call(struct colleagues *colleagues, uint64_t id, Qhsm__Request *request,
                        unsigned timeout_ms, struct colleague_reply *out);
/* Connections are made anew, for a node whose address or role changed. */
void colleagues_forget(struct colleagues *colleagues, uint64_t id);

#endif

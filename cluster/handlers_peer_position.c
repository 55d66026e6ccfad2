/* SPDX-License-Identifier: Apache-2.0 */
/* What an HSM that starts is told of itself (cluster/position.h). */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "cluster/handlers.h"
#include "cluster/handlers_cluster.h"
#include "cluster/membership.h"
#include "cluster/position.h"
#include "cluster/requests.h"
#include "common/log.h"

/* For the log and for `cluster status`. */
static void note(const struct call *call, uint64_t id, const char *reason)
{
    log_warn("node_refused", "node=%" PRIu64 " reason=\"%s\"", id, reason);
    if (call->service->membership != NULL)
        membership_note_refusal(call->service->membership, id, reason);
}

enum rc handlers_peer_position(struct call *call)
{
    const Qhsm__PositionRequest *in = call->request->position;
    Qhsm__PositionReply *reply = &call->body.position;
    struct service *service = call->service;
    uint64_t id = strtoull(call->peer->name, NULL, 10);
    char reason[160];
    if (position_is_removed(service, id)) {
        note(call, id, "it was removed, and started again");
        return rc_fail(RC_NOT_PERMITTED,
                       "HSM %" PRIu64 " was removed from the cluster for good; erase its state "
                       "directory, or let it join with an empty one",
                       id);
    }
    qhsm__position_reply__init(reply);
    reply->known = position_known(service, id);
    if (in->gave_up && in->index < reply->known) {
        (void)snprintf(reason, sizeof reason,
                       "its disk went back in time: its log ends at entry %" PRIu64
                       ", it had stored %" PRIu64,
                       in->index, reply->known);
        note(call, id, reason);
        TRY(position_note(service, id, handlers_cluster_deadline(call)));
    }
    call->response.body_case = QHSM__RESPONSE__BODY_POSITION;
    call->response.position = reply;
    return RC_OK;
}

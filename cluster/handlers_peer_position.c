/* SPDX-License-Identifier: Apache-2.0 */
/* What an HSM that starts is told of itself (cluster/position.h). */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "cluster/commit.h"
#include "cluster/handlers.h"
#include "cluster/handlers_cluster.h"
#include "cluster/members.h"
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

/* So that the leader knows it too, whom the HSM may not have reached. */
static enum rc tell_roll(const struct call *call, uint64_t id, const char *address)
{
    struct roll_node nodes[CLUSTER_NODES_MAX];
    size_t count = roll_nodes(call->service->hsm->state, nodes, CLUSTER_NODES_MAX);
    for (size_t i = 0; i < count; i++) {
        if (nodes[i].id != id || nodes[i].status != NODE_MEMBER ||
            strcmp(nodes[i].address, address) == 0)
            continue;
        (void)snprintf(nodes[i].address, sizeof nodes[i].address, "%s", address);
        TRY(members_check_place(nodes, count, &nodes[i]));
        return commit_node(call->service, &nodes[i], handlers_cluster_deadline(call));
    }
    return RC_OK;
}

/* One that was given another address while it was down could not be reached, and so not tell the
 * roll of it (cluster/membership.c). HSMs of earlier releases do not say. Several may be told at
 * once: one of them writes it. */
static void locate(const struct call *call, uint64_t id, const char *address)
{
    if (address[0] == 0)
        return;
    enum rc rc = members_check_address("address", address);
    if (rc == RC_OK)
        rc = consensus_locate(call->service->consensus, id, address);
    if (rc == RC_OK)
        rc = tell_roll(call, id, address);
    if (rc != RC_OK && rc != RC_CONFLICT)
        log_warn("member_not_located", "node=%" PRIu64 " address=%s error=%s detail=\"%s\"", id,
                 address, rc_info(rc)->name, rc_detail());
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
    locate(call, id, in->address);
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

/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/members.h"

#include <inttypes.h>
#include <stdlib.h>

/* A leader is heard ten times a second: after so long there is none. */
#define SILENCE_MS 3000U

enum rc members_status(struct connection *connection, struct rpc_reply *out)
{
    Qhsm__Request request = QHSM__REQUEST__INIT;
    Qhsm__Empty empty = QHSM__EMPTY__INIT;
    request.body_case = QHSM__REQUEST__BODY_CLUSTER_STATUS;
    request.cluster_status = &empty;
    TRY(connection_call(connection, &request, false, out));
    return out->msg->body_case == QHSM__RESPONSE__BODY_CLUSTER_STATUS
               ? RC_OK
               : rc_fail(RC_PROTOCOL, "no status of the cluster in the answer");
}

static bool is_meant(const Qhsm__Node *node, const char *word, uint64_t number)
{
    return number != 0 ? node->id == number
                       : strcmp(node->zone, word) == 0 && node->status != NODE_REMOVED;
}

/* Those that can be meant. */
static enum rc list_names(const Qhsm__ClusterStatusReply *status, struct buf *out)
{
    for (size_t i = 0; i < status->n_nodes; i++) {
        const Qhsm__Node *node = status->nodes[i]->node;
        if (node->status == NODE_REMOVED)
            continue;
        TRY(buf_printf(out, "%s%" PRIu64 " (zone %s, %s)", out->len == 0 ? "" : ", ", node->id,
                       node->zone, members_status_name(node->status)));
    }
    return RC_OK;
}

static enum rc find(const Qhsm__ClusterStatusReply *status, const char *word, uint64_t *out)
{
    char *end = NULL;
    uint64_t number = strtoull(word, &end, 10);
    if (*word < '0' || *word > '9' || *end != 0)
        number = 0;
    uint64_t found = 0;
    size_t count = 0;
    for (size_t i = 0; i < status->n_nodes; i++) {
        if (!is_meant(status->nodes[i]->node, word, number))
            continue;
        found = status->nodes[i]->node->id;
        count++;
    }
    AUTO_BUF names = BUF_INIT;
    TRY(list_names(status, &names));
    if (count == 0)
        return rc_fail(RC_NOT_FOUND, "no HSM %s; there are %s", word, buf_str(&names));
    if (count > 1)
        return rc_fail(RC_CONFLICT, "%zu HSMs in zone %s: give a number; there are %s", count, word,
                       buf_str(&names));
    *out = found;
    return RC_OK;
}

enum rc members_ask(struct connection *connection, const char *word, uint64_t *out)
{
    struct rpc_reply reply = {0};
    enum rc rc = members_status(connection, &reply);
    if (rc == RC_OK)
        rc = find(reply.msg->cluster_status, word, out);
    rpc_reply_clear(connection->client, &reply);
    return rc;
}

enum rc members_change(struct connection *connection, uint64_t id, enum member_action action)
{
    Qhsm__Request request = QHSM__REQUEST__INIT;
    Qhsm__MemberRequest body = QHSM__MEMBER_REQUEST__INIT;
    body.id = id;
    body.action = (uint32_t)action;
    request.body_case = QHSM__REQUEST__BODY_MEMBER;
    request.member = &body;
    return connection_do(connection, &request, true);
}

const char *members_status_name(uint32_t status)
{
    static const char *const names[NODE_STATUS_END] = {
        [NODE_PENDING] = "pending", [NODE_APPROVED] = "approved", [NODE_MEMBER] = "member",
        [NODE_REMOVED] = "removed", [NODE_ZEROIZED] = "zeroized",
    };
    return status < NODE_STATUS_END && names[status] != NULL ? names[status] : "unknown";
}

static bool is_counted(const char *role)
{
    return strcmp(role, "leader") == 0 || strcmp(role, "voter") == 0 ||
           strcmp(role, "stand-by") == 0;
}

const char *members_health(const Qhsm__NodeView *view)
{
    const Qhsm__Node *node = view->node;
    const Qhsm__StatusReply *status = view->status;
    if (node->status == NODE_PENDING || node->status == NODE_REMOVED ||
        node->status == NODE_ZEROIZED)
        return members_status_name(node->status);
    if (status == NULL)
        return node->status == NODE_APPROVED ? "joining" : "unreachable";
    if (status->leader == 0 || status->leader_silence_ms > SILENCE_MS)
        return "no_leader";
    if (status->disk_full)
        return "disk_full";
    if (node->status == NODE_APPROVED || !is_counted(view->role))
        return "joining";
    if (node->draining)
        return "draining";
    return view->trouble[0] != 0 ? "trouble" : "ok";
}

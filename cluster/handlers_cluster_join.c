/* SPDX-License-Identifier: Apache-2.0 */
/* The cluster's side of joining: who holds a token's certificate gets a number, and from its
 * approval until it is a member certificate and master key. */
#include <inttypes.h>
#include <stdio.h>

#include "cluster/commit.h"
#include "cluster/handlers.h"
#include "cluster/handlers_cluster.h"
#include "cluster/join.h"
#include "cluster/keyfile.h"
#include "cluster/members.h"
#include "common/log.h"

#define NUMBER_MAX 16383U /* of server_config.c's table */
#define MOVE_MS    2000U

struct joining {
    struct call *call;
    uint8_t token_id[ROLL_TOKEN_ID_LEN];
    struct roll_token token;
    struct roll_node node;
    bool is_new, has_moved;
};

static enum rc check_request(const Qhsm__JoinRequest *in)
{
    TRY(members_check_zone(in->zone));
    TRY(members_check_address("address", in->address));
    return members_check_address("endpoint", in->endpoint);
}

/* Whether it is where it was; copies what the joiner says of itself now. */
static bool place(const Qhsm__JoinRequest *in, struct roll_node *node)
{
    bool is_same = strcmp(in->zone, node->zone) == 0 && strcmp(in->address, node->address) == 0 &&
                   strcmp(in->endpoint, node->endpoint) == 0;
    (void)snprintf(node->zone, sizeof node->zone, "%s", in->zone);
    (void)snprintf(node->address, sizeof node->address, "%s", in->address);
    (void)snprintf(node->endpoint, sizeof node->endpoint, "%s", in->endpoint);
    return is_same;
}

/* The one that was removed first is forgotten when the roll is full: its number is not used again
 * all the same. */
static enum rc make_room(const struct state *state, const struct roll_node *nodes, size_t count,
                         struct roll_changes *changes)
{
    if (count < CLUSTER_NODES_MAX - 1)
        return RC_OK;
    for (size_t i = 0; i < count; i++)
        if (nodes[i].status == NODE_REMOVED)
            return roll_changes_drop_node(changes, state, &nodes[i]);
    return rc_fail(RC_LIMIT, "the cluster has %zu HSMs, the most there may be", count);
}

static enum rc check_place(const struct state *state, const struct roll_node *node,
                           struct roll_changes *changes)
{
    struct roll_node nodes[CLUSTER_NODES_MAX];
    size_t count = roll_nodes(state, nodes, CLUSTER_NODES_MAX);
    TRY(members_check_place(nodes, count, node));
    return node->version == 0 ? make_room(state, nodes, count, changes) : RC_OK;
}

/* A token that was not used: a number, and a row on the roll. */
static enum rc admit(struct joining *joining, struct roll_changes *changes)
{
    const struct state *state = joining->call->service->hsm->state;
    struct roll_token *token = &joining->token;
    struct roll_node *node = &joining->node;
    uint64_t version = 0;
    if (joining->call->caller.now_ms > token->expires_ms)
        return rc_fail(RC_EXPIRED, "the join token was good until %" PRIu64 " s ago",
                       (joining->call->caller.now_ms - token->expires_ms) / 1000);
    *node = (struct roll_node){.status = token->approved ? NODE_APPROVED : NODE_PENDING,
                               .wanted = NODE_AUTO};
    TRY(roll_next_node(state, &node->id, &version));
    if (node->id > NUMBER_MAX)
        return rc_fail(RC_LIMIT, "all numbers up to %u were given away", NUMBER_MAX);
    (void)place(joining->call->request->join, node);
    memcpy(node->key_hash, token->key_hash, sizeof node->key_hash);
    memcpy(node->point, token->point, sizeof node->point);
    TRY(check_place(state, node, changes));
    token->node = node->id;
    joining->is_new = true;
    TRY(roll_changes_token(changes, token));
    TRY(roll_changes_next_node(changes, node->id + 1, version));
    return roll_changes_node(changes, node);
}

/* Each move is an entry in everybody's log, and nobody has approved of this joiner yet. */
static enum rc check_haste(const struct service *service)
{
    uint64_t moved_ms = atomic_load(&service->moved_ms);
    if (moved_ms == 0 || clock_steady_ms() >= moved_ms + MOVE_MS)
        return RC_OK;
    return rc_fail(RC_OVERLOADED, "joiners may change their addresses once in %u s",
                   MOVE_MS / 1000);
}

/* One that was: the same HSM asks again. */
static enum rc look_up(struct joining *joining, struct roll_changes *changes)
{
    const struct state *state = joining->call->service->hsm->state;
    struct roll_node *node = &joining->node;
    TRY(roll_node(state, joining->token.node, node));
    if (node->status == NODE_MEMBER)
        return rc_fail(RC_EXPIRED, "the join token was used: it made HSM %" PRIu64, node->id);
    if (node->status != NODE_PENDING && node->status != NODE_APPROVED)
        return rc_fail(RC_NOT_PERMITTED, "HSM %" PRIu64 ", which the join token made, is %s",
                       node->id, roll_status_name(node->status));
    if (place(joining->call->request->join, node))
        return RC_OK;
    TRY(check_haste(joining->call->service));
    joining->has_moved = true;
    TRY(check_place(state, node, changes));
    return roll_changes_node(changes, node);
}

static enum rc join_once(void *context, struct roll_changes *changes)
{
    struct joining *joining = context;
    const struct state *state = joining->call->service->hsm->state;
    joining->is_new = joining->has_moved = false;
    if (roll_token(state, joining->token_id, &joining->token) != RC_OK)
        return rc_fail(RC_EXPIRED, "the join token is not known here, or no more");
    return joining->token.node == 0 ? admit(joining, changes) : look_up(joining, changes);
}

static void log_joining(const struct joining *joining)
{
    const struct roll_node *node = &joining->node;
    char hash[65];
    if (!joining->is_new && !joining->has_moved)
        return;
    log_info(joining->is_new ? "joiner" : "joiner_moved",
             "node=%" PRIu64 " zone=%s address=%s endpoint=%s status=%s key=%s", node->id,
             node->zone, node->address, node->endpoint, roll_status_name(node->status),
             handlers_cluster_hex(bytes_of(node->key_hash, 32), hash, sizeof hash));
}

/* Read again from its file: it is not kept in memory. */
static enum rc wrap_master(const struct service *service, const struct roll_node *node,
                           struct buf *out)
{
    const struct server_config *config = service->config;
    AUTO_SECRET unlock = SECRET_INIT;
    AUTO_SECRET master = SECRET_INIT;
    AUTO_BUF context = BUF_INIT;
    bool forming = false;
    TRY(keyfile_unlock_key(config->unlock_key, &unlock));
    TRY(keyfile_master(config->state_dir, &unlock, false, &master, &forming));
    TRY(join_master_context(config->cluster_id, node->id, &context));
    return envelope_close(node->point, buf_bytes(&context), &master, out);
}

static enum rc reply_papers(struct call *call, const struct roll_node *node, Qhsm__JoinReply *reply)
{
    AUTO_BUF cert = BUF_INIT;
    AUTO_BUF ca = BUF_INIT;
    AUTO_BUF master = BUF_INIT;
    TRY(members_certify_node(call->service, node, &cert, &ca));
    TRY(wrap_master(call->service, node, &master));
    TRY(handlers_cluster_keep(call, buf_bytes(&cert), &reply->cert_pem));
    TRY(handlers_cluster_keep(call, buf_bytes(&ca), &reply->ca_pem));
    TRY(handlers_cluster_keep(call, buf_bytes(&master), &reply->master));
    log_info("joiner_served", "node=%" PRIu64, node->id);
    return RC_OK;
}

static enum rc answer(struct call *call)
{
    struct joining joining = {.call = call};
    Qhsm__JoinReply *reply = &call->body.join;
    if (!roll_token_id(call->peer->name, joining.token_id))
        return rc_fail(RC_NOT_PERMITTED, "%s is not the name of a join token", call->peer->name);
    TRY(check_request(call->request->join));
    TRY(commit_retry(call->service, join_once, &joining, handlers_cluster_deadline(call)));
    log_joining(&joining);
    if (joining.has_moved)
        atomic_store(&call->service->moved_ms, clock_steady_ms());
    if (joining.node.status == NODE_APPROVED) { /* still? An old roll hands out no master key */
        TRY(commit_catch_up(call->service, handlers_cluster_deadline(call)));
        TRY(commit_retry(call->service, join_once, &joining, handlers_cluster_deadline(call)));
    }
    qhsm__join_reply__init(reply);
    reply->node = joining.node.id;
    reply->status = (uint32_t)joining.node.status;
    if (joining.node.status == NODE_APPROVED)
        TRY(reply_papers(call, &joining.node, reply));
    call->response.body_case = QHSM__RESPONSE__BODY_JOIN;
    call->response.join = reply;
    handlers_cluster_done(call);
    return RC_OK;
}

enum rc handlers_cluster_join(struct call *call)
{
    TRY(handlers_cluster_enter(call->service));
    enum rc rc = answer(call);
    handlers_cluster_leave(call->service);
    return rc;
}

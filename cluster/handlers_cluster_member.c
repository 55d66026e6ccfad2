/* SPDX-License-Identifier: Apache-2.0 */
/* What officers decide about members: the roll says it, the membership thread of the HSM that leads
 * brings it about. */
#include <inttypes.h>
#include <time.h>

#include "cluster/commit.h"
#include "cluster/handlers.h"
#include "cluster/handlers_cluster.h"
#include "cluster/members.h"
#include "cluster/membership.h"
#include "common/log.h"

#define LEAD_MS 5000U
#define STEP_NS (10L * 1000 * 1000)

static const char *const action_names[] = {
    [MEMBER_APPROVE] = "approve", [MEMBER_PROMOTE] = "promote", [MEMBER_DEMOTE] = "demote",
    [MEMBER_REMOVE] = "remove",   [MEMBER_DRAIN] = "drain",     [MEMBER_UNDRAIN] = "undrain",
    [MEMBER_LEAD] = "lead",
};

struct deciding {
    struct call *call;
    uint64_t id;
    enum member_action action;
};

static enum rc refuse_status(const struct roll_node *node, const char *what)
{
    return rc_fail(RC_CONFLICT, "HSM %" PRIu64 " is %s: %s", node->id,
                   roll_status_name(node->status), what);
}

static bool is_in(const struct roll_node *node)
{
    return node->status == NODE_APPROVED || node->status == NODE_MEMBER;
}

static enum rc approve(struct roll_node *node)
{
    if (node->status == NODE_PENDING)
        node->status = NODE_APPROVED;
    return is_in(node) ? RC_OK : refuse_status(node, "it cannot come back; let it join anew");
}

static enum rc promote(struct service *service, struct roll_node *node)
{
    if (!is_in(node))
        return refuse_status(node, "only members vote");
    if (node->wanted != NODE_VOTER && members_voters(service) >= CLUSTER_VOTERS_MAX)
        return rc_fail(RC_LIMIT,
                       "the cluster has %u voters, the most there may be: demote one "
                       "first (qhsm member demote)",
                       CLUSTER_VOTERS_MAX);
    node->wanted = NODE_VOTER;
    return RC_OK;
}

static enum rc demote(struct service *service, struct roll_node *node)
{
    if (!is_in(node))
        return refuse_status(node, "only members can be demoted");
    if (node->wanted != NODE_STANDBY)
        TRY(members_check_leave(service, node->id));
    node->wanted = NODE_STANDBY;
    return RC_OK;
}

static enum rc remove_node(struct service *service, struct roll_node *node)
{
    if (node->status == NODE_MEMBER)
        TRY(members_check_leave(service, node->id));
    node->status = NODE_REMOVED;
    return RC_OK;
}

static enum rc drain(struct roll_node *node, bool draining)
{
    if (!is_in(node))
        return refuse_status(node, "it serves nobody");
    node->draining = draining;
    return RC_OK;
}

static enum rc decide(const struct deciding *deciding, struct roll_node *node)
{
    struct service *service = deciding->call->service;
    switch (deciding->action) {
    case MEMBER_APPROVE:
        return approve(node);
    case MEMBER_PROMOTE:
        return promote(service, node);
    case MEMBER_DEMOTE:
        return demote(service, node);
    case MEMBER_REMOVE:
        return remove_node(service, node);
    case MEMBER_DRAIN:
        return drain(node, true);
    case MEMBER_UNDRAIN:
        return drain(node, false);
    case MEMBER_LEAD:
    case MEMBER_ACTION_END:
        break;
    }
    return RC_INTERNAL;
}

/* Who may go depends on who else does: of two who go at once, the second is looked at again. */
static enum rc decide_once(void *context, struct roll_changes *changes)
{
    const struct deciding *deciding = context;
    const struct state *state = deciding->call->service->hsm->state;
    bool is_going = deciding->action == MEMBER_REMOVE || deciding->action == MEMBER_DEMOTE;
    uint64_t next = 0;
    uint64_t version = 0;
    struct roll_node node;
    TRY(roll_next_node(state, &next, &version)); /* before anything else is looked at */
    TRY(roll_node(state, deciding->id, &node));
    struct roll_node before = node;
    TRY(decide(deciding, &node));
    bool is_same = before.status == node.status && before.wanted == node.wanted &&
                   before.draining == node.draining;
    if (is_same)
        return RC_OK;
    if (is_going)
        TRY(roll_changes_next_node(changes, next, version));
    return roll_changes_node(changes, &node);
}

/* ---- another leader: the HSM that leads reads the wish on the roll */

static uint64_t leader_now(struct service *service)
{
    struct consensus_status status;
    consensus_status(service->consensus, &status);
    return status.leader;
}

static enum rc wish_once(void *context, struct roll_changes *changes)
{
    const struct deciding *deciding = context;
    struct roll_wish wish = {.leader = 0};
    (void)roll_wish(deciding->call->service->hsm->state, &wish); /* its version; 0: there is none */
    wish.leader = deciding->id;
    wish.time_ms = deciding->call->caller.now_ms;
    return roll_changes_wish(changes, &wish);
}

static enum rc check_candidate(struct service *service, uint64_t id)
{
    struct consensus_member members[CLUSTER_NODES_MAX];
    size_t count = consensus_members(service->consensus, members, CLUSTER_NODES_MAX);
    size_t voters = 0;
    bool votes = id == 0;
    for (size_t i = 0; i < count && i < CLUSTER_NODES_MAX; i++) {
        voters += members[i].role == CONSENSUS_VOTER ? 1 : 0;
        votes = votes || (members[i].id == id && members[i].role == CONSENSUS_VOTER);
    }
    if (!votes)
        return rc_fail(RC_CONFLICT,
                       "HSM %" PRIu64 " does not vote, so it cannot lead: qhsm member "
                       "promote",
                       id);
    return voters > 1 ? RC_OK : rc_fail(RC_CONFLICT, "there is no other voter that could lead");
}

static enum rc lead(struct deciding *deciding)
{
    struct service *service = deciding->call->service;
    const struct timespec step = {.tv_nsec = STEP_NS};
    uint64_t before = leader_now(service);
    uint64_t limit = clock_steady_ms() + LEAD_MS;
    if (deciding->id != 0 && before == deciding->id)
        return RC_OK;
    TRY(check_candidate(service, deciding->id));
    TRY(commit_retry(service, wish_once, deciding, handlers_cluster_deadline(deciding->call)));
    if (service->membership != NULL)
        membership_wake(service->membership);
    while (clock_steady_ms() < limit) {
        uint64_t now = leader_now(service);
        if (deciding->id == 0 ? now != 0 && now != before : now == deciding->id)
            return RC_OK;
        (void)nanosleep(&step, NULL);
    }
    return rc_fail(RC_UNAVAILABLE, "HSM %" PRIu64 " still leads: the other one did not take over",
                   leader_now(service));
}

enum rc handlers_cluster_member(struct call *call)
{
    const Qhsm__MemberRequest *in = call->request->member;
    struct deciding deciding = {.call = call, .id = in->id};
    if (in->action < MEMBER_APPROVE || in->action >= MEMBER_ACTION_END)
        return rc_fail(RC_PROTOCOL, "action %u on a member is not known", in->action);
    if (!roll_is_formed(call->service->hsm->state))
        return rc_fail(RC_NOT_FORMED, "there are no members yet");
    deciding.action = (enum member_action)in->action;
    if (call->service->proposer != NULL) /* what another HSM has just said of its members */
        TRY(commit_catch_up(call->service, handlers_cluster_deadline(call)));
    if (deciding.action == MEMBER_LEAD)
        TRY(lead(&deciding));
    else
        TRY(commit_retry(call->service, decide_once, &deciding, handlers_cluster_deadline(call)));
    log_info("member", "action=%s node=%" PRIu64 " by=%s/%s", action_names[deciding.action],
             deciding.id, tls_role_name(call->peer->role), call->peer->name);
    if (call->service->membership != NULL)
        membership_wake(call->service->membership);
    handlers_cluster_done(call);
    return RC_OK;
}

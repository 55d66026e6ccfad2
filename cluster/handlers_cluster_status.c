/* SPDX-License-Identifier: Apache-2.0 */
/* The cluster as the asked HSM sees it now: every member on the roll, asked at once for its own
 * status, and what is wrong with it. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "cluster/handlers.h"
#include "cluster/handlers_cluster.h"
#include "cluster/membership.h"
#include "cluster/roll.h"
#include "cluster/survey.h"

#define SURVEY_MS            500U
#define TROUBLE_LEN          320U
#define CERTIFICATE_SOON_S   ((uint64_t)30 * 24 * 3600)
#define LEADERLESS_ELECTIONS 4U

struct view {
    struct call *call;
    struct roll_node nodes[CLUSTER_NODES_MAX];
    struct consensus_member members[CLUSTER_NODES_MAX];
    struct survey_answer answers[CLUSTER_NODES_MAX];
    size_t node_count, member_count;
    struct consensus_status engine;
    uint64_t leader, term; /* leader 0: none that a majority follows */
    uint64_t now_s;
    uint64_t login_of; /* a user whose logins are counted, or 0 */
    Qhsm__NodeView *views;
};

/* ---- copies that live until the answer is packed */

static void *copy_alloc(void *context, size_t size)
{
    return call_alloc(context, size, 1);
}

static void copy_free(void *context, void *memory)
{
    (void)context; /* with the call */
    (void)memory;
}

static Qhsm__StatusReply *copy_status(struct call *call, const Qhsm__StatusReply *status)
{
    ProtobufCAllocator allocator = {.alloc = copy_alloc, .free = copy_free, .allocator_data = call};
    size_t len = qhsm__status_reply__get_packed_size(status);
    uint8_t *packed = call_alloc(call, len + 1, 1);
    if (packed == NULL)
        return NULL;
    (void)qhsm__status_reply__pack(status, packed);
    return qhsm__status_reply__unpack(&allocator, len, packed);
}

/* ---- who is there */

/* Before the cluster is formed: this HSM alone. */
static void list_nodes(struct view *view)
{
    struct service *service = view->call->service;
    const struct server_config *config = service->config;
    view->node_count = roll_nodes(service->hsm->state, view->nodes, CLUSTER_NODES_MAX);
    if (view->node_count > 0)
        return;
    struct roll_node *self = &view->nodes[view->node_count++];
    *self = (struct roll_node){.id = config->node, .status = NODE_MEMBER};
    (void)snprintf(self->zone, sizeof self->zone, "%s", config->zone);
    (void)snprintf(self->endpoint, sizeof self->endpoint, "%s",
                   config->endpoint == NULL ? "" : config->endpoint);
}

static void look_at_engine(struct view *view)
{
    struct consensus *consensus = view->call->service->consensus;
    if (consensus == NULL)
        return;
    size_t count = consensus_members(consensus, view->members, CLUSTER_NODES_MAX);
    view->member_count = count < CLUSTER_NODES_MAX ? count : CLUSTER_NODES_MAX;
    consensus_status(consensus, &view->engine);
}

/* Those who are out are not asked; the answers stand where the members do. */
static void ask(struct view *view)
{
    struct survey_answer asked[CLUSTER_NODES_MAX];
    size_t places[CLUSTER_NODES_MAX];
    size_t count = 0;
    for (size_t i = 0; i < view->node_count; i++) {
        view->answers[i] = (struct survey_answer){.id = view->nodes[i].id};
        if (view->nodes[i].status == NODE_REMOVED || view->nodes[i].status == NODE_PENDING)
            continue;
        places[count] = i;
        asked[count++].id = view->nodes[i].id;
    }
    survey_ask(view->call->service, asked, count, view->login_of, SURVEY_MS);
    for (size_t i = 0; i < count; i++)
        view->answers[places[i]] = asked[i];
}

/* ---- what is wrong */

static const struct consensus_member *member_of(const struct view *view, uint64_t id)
{
    for (size_t i = 0; i < view->member_count; i++)
        if (view->members[i].id == id)
            return &view->members[i];
    return NULL;
}

/* Another one with as many changes applied and another state; NULL when there is none. Of two that
 * differ the one is at fault that the leader does not agree with. */
static const Qhsm__NodeView *contradicting(const struct view *view, const Qhsm__StatusReply *status)
{
    for (size_t i = 0; i < view->node_count; i++) {
        const Qhsm__StatusReply *other = view->views[i].status;
        if (other != NULL && other->node != status->node &&
            other->state_index == status->state_index && status->state_index != 0 &&
            !bytes_equal(handlers_bytes(other->state_hash), handlers_bytes(status->state_hash)))
            return &view->views[i];
    }
    return NULL;
}

struct trouble {
    char *text;
    size_t len;
};

__attribute__((format(printf, 2, 3))) static void add(struct trouble *trouble, const char *format,
                                                      ...)
{
    va_list args;
    size_t room = TROUBLE_LEN - trouble->len;
    if (trouble->len > 0 && room > 3) {
        (void)snprintf(trouble->text + trouble->len, room, "; ");
        trouble->len += 2;
        room -= 2;
    }
    va_start(args, format);
    int wrote = vsnprintf(trouble->text + trouble->len, room, format, args);
    va_end(args);
    if (wrote > 0)
        trouble->len += (size_t)wrote < room ? (size_t)wrote : room - 1;
}

static void add_status(const struct view *view, const Qhsm__StatusReply *status,
                       struct trouble *out)
{
    const Qhsm__NodeView *other = contradicting(view, status);
    if (status->draining)
        add(out, "draining: clients go elsewhere until qhsm member undrain %" PRIu64, status->node);
    if (status->disk_full)
        add(out, "its disk is full: changes are refused");
    if (status->certificate_expires_s != 0 && status->certificate_expires_s < view->now_s)
        add(out, "its certificate has expired");
    else if (status->certificate_expires_s != 0 &&
             status->certificate_expires_s < view->now_s + CERTIFICATE_SOON_S)
        add(out, "its certificate expires in %" PRIu64 " days",
            (status->certificate_expires_s - view->now_s) / 86400);
    if (other != NULL)
        add(out, "its state differs from HSM %" PRIu64 "'s after %" PRIu64 " changes",
            other->status->node, status->state_index);
    if (status->leader == 0)
        add(out, "it knows no leader");
}

static void add_place(const struct view *view, const struct roll_node *node, struct trouble *out)
{
    const struct consensus_member *member = member_of(view, node->id);
    switch (node->status) {
    case NODE_PENDING:
        add(out, "waits for approval: qhsm member approve %" PRIu64, node->id);
        break;
    case NODE_APPROVED:
        add(out, "approved; it is added when its daemon runs");
        break;
    case NODE_MEMBER:
        if (member == NULL && view->member_count > 0)
            add(out, "not in the engine's configuration: it is sent nothing");
        break;
    case NODE_REMOVED:
        add(out, member != NULL ? "removed; it is being taken out" : "removed: it is refused");
        break;
    case NODE_ZEROIZED:
        add(out,
            "tampered with and zeroized: qhsm member remove %" PRIu64
            ", then let it join with an empty directory",
            node->id);
        break;
    case NODE_STATUS_END:
        break;
    }
}

/* A member that answers is well again. */
static void add_refusal(const struct view *view, uint64_t id, struct trouble *out)
{
    struct membership *membership = view->call->service->membership;
    char reason[MEMBERSHIP_REASON_LEN];
    if (membership != NULL && membership_refusal(membership, id, reason))
        add(out, "refused: %s", reason);
}

static enum rc put_trouble(struct view *view, size_t i)
{
    const struct roll_node *node = &view->nodes[i];
    const Qhsm__StatusReply *status = view->views[i].status;
    struct trouble trouble = {.text = call_alloc(view->call, TROUBLE_LEN, 1)};
    if (trouble.text == NULL)
        return RC_NO_MEMORY;
    add_place(view, node, &trouble);
    if (status == NULL)
        add_refusal(view, node->id, &trouble);
    if (status != NULL)
        add_status(view, status, &trouble);
    else if (node->status == NODE_MEMBER || node->status == NODE_APPROVED)
        add(&trouble, "does not answer: %s", view->answers[i].detail);
    view->views[i].trouble = trouble.text;
    return RC_OK;
}

/* ---- the answer */

static enum rc put_node(struct view *view, size_t i)
{
    struct roll_node *in = &view->nodes[i];
    Qhsm__Node *node = call_alloc(view->call, 1, sizeof *node);
    const struct consensus_member *member = member_of(view, in->id);
    Qhsm__NodeView *out = &view->views[i];
    if (node == NULL)
        return RC_NO_MEMORY;
    qhsm__node__init(node);
    node->id = in->id;
    node->zone = in->zone;
    node->address = in->address;
    node->endpoint = in->endpoint;
    node->status = (uint32_t)in->status;
    node->wanted = (uint32_t)in->wanted;
    node->draining = in->draining;
    node->key_hash = handlers_data(bytes_of(in->key_hash, sizeof in->key_hash));
    qhsm__node_view__init(out);
    out->node = node;
    const char *role = member == NULL ? "none" : consensus_role_name(member->role);
    out->role = handlers_text(role);
    if (view->answers[i].status == NULL)
        return RC_OK;
    out->status = copy_status(view->call, view->answers[i].status);
    return out->status != NULL ? RC_OK : RC_NO_MEMORY;
}

/* This HSM's own status is made as anybody's. */
static enum rc put_self(struct view *view)
{
    struct call *call = view->call;
    TRY(handlers_admin_status(call));
    for (size_t i = 0; i < view->node_count; i++) {
        if (view->nodes[i].id != call->service->config->node)
            continue;
        view->views[i].status = copy_status(call, &call->body.status);
        if (view->views[i].status == NULL)
            return RC_NO_MEMORY;
    }
    return RC_OK;
}

/* Who says of itself that it leads and was confirmed lately, at the highest term: this HSM may be
 * the one that has missed an election. When the leader does not answer requests, as the engine
 * here has it. */
static void find_leader(struct view *view)
{
    const uint64_t limit_ms = LEADERLESS_ELECTIONS * view->call->service->config->election_ms;
    const Qhsm__StatusReply *leading = NULL;
    for (size_t i = 0; i < view->node_count; i++) {
        const Qhsm__StatusReply *status = view->views[i].status;
        if (status == NULL || status->leader != status->node ||
            status->leader_silence_ms >= limit_ms)
            continue;
        if (leading == NULL || status->term > leading->term)
            leading = status;
    }
    bool hears_one = view->engine.leader != 0 && view->engine.silence_ms < limit_ms;
    if (leading != NULL && (!hears_one || leading->term >= view->engine.term)) {
        view->leader = leading->node;
        view->term = leading->term;
    } else {
        view->leader = hears_one ? view->engine.leader : 0;
        view->term = view->engine.term;
    }
    for (size_t i = 0; i < view->node_count; i++)
        if (view->leader != 0 && view->nodes[i].id == view->leader)
            view->views[i].role = handlers_text("leader");
}

static void put_lags(struct view *view)
{
    uint64_t most = 0;
    for (size_t i = 0; i < view->node_count; i++) {
        const Qhsm__StatusReply *status = view->views[i].status;
        most = status != NULL && status->applied > most ? status->applied : most;
    }
    for (size_t i = 0; i < view->node_count; i++)
        if (view->views[i].status != NULL)
            view->views[i].lag = most - view->views[i].status->applied;
}

static enum rc put_all(struct view *view, Qhsm__ClusterStatusReply *reply)
{
    struct call *call = view->call;
    reply->nodes = call_alloc(call, view->node_count, sizeof *reply->nodes);
    view->views = call_alloc(call, view->node_count, sizeof *view->views);
    if (reply->nodes == NULL || view->views == NULL)
        return RC_NO_MEMORY;
    for (size_t i = 0; i < view->node_count; i++) {
        TRY(put_node(view, i));
        reply->nodes[i] = &view->views[i];
    }
    reply->n_nodes = view->node_count;
    TRY(put_self(view));
    find_leader(view);
    for (size_t i = 0; i < view->node_count; i++)
        TRY(put_trouble(view, i));
    put_lags(view);
    return RC_OK;
}

static void put_cluster(const struct view *view, Qhsm__ClusterStatusReply *reply)
{
    struct call *call = view->call;
    const struct server_config *config = call->service->config;
    struct roll_authority authority = ROLL_AUTHORITY_INIT;
    reply->cluster = handlers_data(bytes_of(config->cluster_id, sizeof config->cluster_id));
    reply->asked = config->node;
    reply->leader = view->leader;
    reply->term = view->term;
    reply->time_ms = call->caller.now_ms;
    reply->has_quorum = view->leader != 0;
    reply->formed = roll_authority(call->service->hsm->state, NULL, &authority) == RC_OK;
    reply->backup_threshold = authority.threshold;
    reply->backup_shares = authority.shares;
    roll_authority_clear(&authority);
}

enum rc handlers_cluster_status(struct call *call)
{
    return handlers_cluster_look(call, 0);
}

enum rc handlers_cluster_look(struct call *call, uint64_t login_of)
{
    struct view *view = call_alloc(call, 1, sizeof *view);
    Qhsm__ClusterStatusReply *reply = call_alloc(call, 1, sizeof *reply);
    if (view == NULL || reply == NULL)
        return RC_NO_MEMORY;
    view->call = call;
    view->now_s = call->caller.now_ms / 1000;
    view->login_of = login_of;
    qhsm__cluster_status_reply__init(reply);
    TRY(handlers_cluster_enter(call->service));
    list_nodes(view);
    ask(view);
    handlers_cluster_leave(call->service);
    look_at_engine(view);
    enum rc rc = put_all(view, reply);
    survey_clear(call->service, view->answers, view->node_count);
    TRY(rc);
    put_cluster(view, reply);
    call->response.body_case = QHSM__RESPONSE__BODY_CLUSTER_STATUS;
    call->response.cluster_status = reply;
    return RC_OK;
}

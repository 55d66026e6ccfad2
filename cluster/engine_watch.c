/* SPDX-License-Identifier: Apache-2.0 */
/* What is looked at every few milliseconds: who leads, who is a member, how far the log is. The
 * engine tells nobody. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cluster/consensus_internal.h"
#include "common/log.h"

#define MS_NS                ((uint64_t)1000 * 1000)
#define LEADERLESS_ELECTIONS 2U

bool engine_leads(const struct consensus *consensus)
{
    return consensus->raft.state == RAFT_LEADER;
}

static bool has(const struct raft_configuration *members, uint64_t id)
{
    for (unsigned i = 0; i < members->n; i++)
        if (members->servers[i].id == id)
            return true;
    return false;
}

bool engine_has_member(const struct consensus *consensus, uint64_t id)
{
    return has(&consensus->raft.configuration, id) ||
           has(&consensus->raft.configuration_committed, id);
}

bool engine_has_peers(const struct consensus *consensus)
{
    const struct raft_configuration *members = &consensus->raft.configuration;
    unsigned voters = 0;
    for (unsigned i = 0; i < members->n; i++)
        voters += members->servers[i].role == RAFT_VOTER ? 1 : 0;
    return voters > 1;
}

bool engine_has_followers(const struct consensus *consensus)
{
    const struct raft_configuration *members = &consensus->raft.configuration;
    unsigned count = 0;
    for (unsigned i = 0; i < members->n; i++)
        count += members->servers[i].role != RAFT_SPARE ? 1 : 0;
    return count > 1;
}

/* ---- the leader */

static void set_heard(struct consensus *consensus, uint64_t ms)
{
    atomic_store_explicit(&consensus->heard_ms, ms, memory_order_relaxed);
    atomic_store_explicit(&consensus->has_heard, true, memory_order_relaxed);
}

/* A message of a leader was taken; an old leader's is not. */
void engine_heard(void *context, raft_id from)
{
    struct consensus *consensus = context;
    const struct raft *raft = &consensus->raft;
    if (raft->state == RAFT_FOLLOWER && raft->follower_state.current_leader.id == from)
        set_heard(consensus, uv_hrtime() / MS_NS);
}

/* By the real clock, which the engine's is not (guard_time() in raft_guard.c). */
static void hear_followers(struct consensus *consensus)
{
    uint64_t answered = engine_leads(consensus) ? contacts_majority_ms(consensus) : 0;
    if (answered > atomic_load_explicit(&consensus->heard_ms, memory_order_relaxed))
        set_heard(consensus, answered);
}

static void tell_leader(struct consensus *consensus, uint64_t leader)
{
    struct consensus_leader *seen = &consensus->member_watch.leader;
    const struct consensus_leader now = {.term = raft_current_term(&consensus->raft),
                                         .leader = leader,
                                         .self = leader == consensus->config.node};
    if (seen->term == now.term && seen->leader == now.leader)
        return;
    *seen = now;
    if (now.self) /* a majority has just voted */
        set_heard(consensus, uv_hrtime() / MS_NS);
    if (consensus->listen != NULL)
        log_info("leader", "node=%" PRIu64 " leader=%" PRIu64 " term=%" PRIu64,
                 consensus->config.node, now.leader, now.term);
    if (consensus->config.leader_changed != NULL)
        consensus->config.leader_changed(consensus->config.context, &now);
}

/* ---- members */

static bool is_removed(const struct consensus *consensus, uint64_t id)
{
    const struct member_watch *watch = &consensus->member_watch;
    size_t count = watch->removed_count < REMOVED_MAX ? watch->removed_count : REMOVED_MAX;
    for (size_t i = 0; i < count; i++)
        if (watch->removed[i] == id)
            return true;
    return consensus->peers.is_removed != NULL &&
           consensus->peers.is_removed(consensus->peers.context, id);
}

static bool is_followed(const struct consensus *consensus, uint64_t id)
{
    const struct raft *raft = &consensus->raft;
    return raft->state == RAFT_FOLLOWER && raft->follower_state.current_leader.id == id;
}

/* Of a node that is not in our log: the log may be old, and that node the leader which would bring
 * it up to date. So as long as no leader is heard any node of this cluster may speak, but those
 * who are known to be removed, and goes on when it was taken for the leader; and always to a
 * newcomer, whose log goes through members of long ago until it comes to itself. */
bool engine_is_member(void *context, uint64_t id)
{
    struct consensus *consensus = context;
    uint64_t silence_ms = consensus_leader_silence_ms(consensus);
    if (engine_has_member(consensus, id))
        return true;
    if (is_removed(consensus, id))
        return false;
    return is_followed(consensus, id) || !engine_has_member(consensus, consensus->config.node) ||
           silence_ms > (uint64_t)LEADERLESS_ELECTIONS * consensus->config.election_ms;
}

static void note_removed(struct consensus *consensus)
{
    struct member_watch *watch = &consensus->member_watch;
    for (size_t i = 0; i < watch->id_count; i++) {
        if (has(&consensus->raft.configuration_committed, watch->ids[i]))
            continue;
        watch->removed[watch->removed_count++ % REMOVED_MAX] = watch->ids[i];
        log_info("member_removed", "member=%" PRIu64, watch->ids[i]);
    }
}

static void forget_added(struct member_watch *watch, uint64_t id)
{
    for (size_t i = 0; i < REMOVED_MAX; i++)
        if (watch->removed[i] == id)
            watch->removed[i] = 0;
}

static void watch_members(struct consensus *consensus)
{
    struct member_watch *watch = &consensus->member_watch;
    const struct raft_configuration *members = &consensus->raft.configuration_committed;
    if (watch->configuration_index == consensus->raft.configuration_committed_index)
        return;
    watch->configuration_index = consensus->raft.configuration_committed_index;
    note_removed(consensus);
    watch->id_count = 0;
    for (unsigned i = 0; i < members->n && i < PEER_MEMBERS_MAX; i++) {
        watch->ids[watch->id_count++] = members->servers[i].id;
        forget_added(watch, members->servers[i].id);
    }
    contacts_keep_members(consensus);
    if (consensus->peer_transport != NULL)
        peer_transport_recheck(consensus->peer_transport);
}

/* ---- for other threads */

static const char *state_name(const struct raft *raft)
{
    switch (raft->state) {
    case RAFT_LEADER:
        return "leader";
    case RAFT_CANDIDATE:
        return "candidate";
    case RAFT_FOLLOWER:
        return "follower";
    default:
        return "unavailable";
    }
}

static void publish_members(struct consensus *consensus)
{
    const struct raft_configuration *members = &consensus->raft.configuration;
    bool leads = engine_leads(consensus);
    consensus->member_count = 0;
    for (unsigned i = 0; i < members->n && i < PEER_MEMBERS_MAX; i++) {
        const struct raft_server *server = &members->servers[i];
        struct consensus_member *out = &consensus->members[consensus->member_count++];
        raft_index match = 0;
        if (leads)
            (void)raft_match_index(&consensus->raft, server->id, &match);
        out->id = server->id;
        out->is_heard = leads && (server->id == consensus->config.node ||
                                  contacts_is_heard(consensus, server->id));
        out->role = (enum consensus_role)server->role;
        out->match = match;
        (void)snprintf(out->address, sizeof out->address, "%s", server->address);
    }
}

static void publish_status(struct consensus *consensus, uint64_t leader)
{
    struct raft *raft = &consensus->raft;
    struct consensus_status *status = &consensus->status;
    int role = raft_role(raft);
    status->renewed++;
    status->term = raft_current_term(raft);
    status->applied = raft_last_applied(raft);
    status->commit = raft_commit_index(raft);
    status->last = raft_last_index(raft);
    status->leader = leader;
    status->role = state_name(raft);
    status->membership = role < 0 ? "none" : consensus_role_name((enum consensus_role)role);
    status->snapshots = consensus->snapshots;
    status->snapshots_sent = consensus->guard.installs_sent;
    status->snapshots_not_sent = consensus->guard.installs_dropped;
    status->snapshots_received = consensus->guard.installs_received;
    status->audits = consensus->audit.compared;
    status->audited = consensus->audit.applied;
    status->missing_count = consensus->contacts.missing_count;
    status->disk_full = consensus->disk.full;
    status->disk_free_bytes = consensus->disk.free;
    status->nudges = consensus->contacts.nudges;
}

uint64_t engine_publish(struct consensus *consensus)
{
    raft_id leader = 0;
    const char *address = NULL;
    raft_leader(&consensus->raft, &leader, &address);
    hear_followers(consensus);
    watch_members(consensus);
    uint64_t missing[PEER_MEMBERS_MAX];
    size_t missing_count = contacts_missing(consensus, leader, missing);
    (void)pthread_mutex_lock(&consensus->lock);
    memcpy(consensus->contacts.missing, missing, missing_count * sizeof missing[0]);
    consensus->contacts.missing_count = missing_count;
    publish_status(consensus, leader);
    publish_members(consensus);
    (void)pthread_mutex_unlock(&consensus->lock);
    tell_leader(consensus, leader);
    return leader;
}

/* ---- peers */

static enum rc no_peers(void)
{
    return rc_fail(RC_UNSUPPORTED, "this HSM talks to no peers (listen_peer is not set)");
}

enum rc consensus_reload(struct consensus *consensus, SSL_CTX *server, SSL_CTX *client)
{
    return consensus->peer_transport != NULL
               ? peer_transport_reload(consensus->peer_transport, server, client)
               : no_peers();
}

enum rc consensus_locate(struct consensus *consensus, uint64_t id, const char *address)
{
    return consensus->peer_transport != NULL
               ? peer_transport_locate(consensus->peer_transport, id, address)
               : no_peers();
}

enum rc consensus_suggest(struct consensus *consensus, uint64_t id, const char *address)
{
    return consensus->peer_transport != NULL
               ? peer_transport_suggest(consensus->peer_transport, id, address)
               : no_peers();
}

enum rc consensus_trouble(struct consensus *consensus, uint64_t id,
                          const struct peer_trouble *trouble)
{
    return consensus->peer_transport != NULL
               ? peer_transport_trouble(consensus->peer_transport, id, trouble)
               : no_peers();
}

enum rc consensus_peer_counters(struct consensus *consensus, struct peer_counters *out)
{
    if (consensus->peer_transport == NULL)
        return no_peers();
    peer_transport_counters(consensus->peer_transport, out);
    return RC_OK;
}

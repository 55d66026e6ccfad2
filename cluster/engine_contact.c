/* SPDX-License-Identifier: Apache-2.0 */
/* What is known of each peer from its messages: when it was heard, what it was told, whether its
 * disk has room. And what the engine does not tell them: of a commit it tells with the next entry
 * or heartbeat only; and where it sent an entry it leaves the next heartbeat out, has no answer by
 * the one after that (checkContactQuorum() in timeout.c), takes the follower for unreachable, and
 * lets entries wait for heartbeats from then on. */
#include <stdlib.h>

#include "cluster/consensus_internal.h"

#define MS_NS               ((uint64_t)1000 * 1000)
#define LEADERLESS_MS(base) ((uint64_t)3 * (base)) /* it asks for votes every 1 to 2 elections */

static uint64_t now_ms(void)
{
    return uv_hrtime() / MS_NS;
}

/* NULL: too many. */
static struct contact *contact_of(struct consensus *consensus, uint64_t id)
{
    struct contacts *contacts = &consensus->contacts;
    for (size_t i = 0; i < contacts->count; i++)
        if (contacts->peers[i].id == id)
            return &contacts->peers[i];
    if (contacts->count == PEER_MEMBERS_MAX)
        return NULL;
    struct contact *contact = &contacts->peers[contacts->count++];
    *contact = (struct contact){.id = id, .since_ms = now_ms()};
    return contact;
}

/* Who is no member any more makes room. */
void contacts_keep_members(struct consensus *consensus)
{
    struct contacts *contacts = &consensus->contacts;
    for (size_t i = contacts->count; i-- > 0;)
        if (!engine_has_member(consensus, contacts->peers[i].id))
            contacts->peers[i] = contacts->peers[--contacts->count];
}

void contacts_heard(void *context, const struct raft_message *message)
{
    struct contact *contact = contact_of(context, message->server_id);
    if (contact == NULL)
        return;
    contact->heard_ms = now_ms();
    contact->is_lost = false;
    if (message->type == RAFT_REQUEST_VOTE_RESULT) {
        contact->capacity_kib = message->request_vote_result.capacity;
        contact->has_voted = true;
    }
    if (message->type == RAFT_APPEND_ENTRIES_RESULT) {
        contact->answered_ms = contact->heard_ms;
        contact->capacity_kib = message->append_entries_result.capacity;
    }
}

void contacts_lost(void *context, uint64_t id)
{
    struct contact *contact = contact_of(context, id);
    if (contact != NULL)
        contact->is_lost = true;
}

void contacts_told(void *context, raft_id to, raft_index commit)
{
    struct consensus *consensus = context;
    struct contact *contact = contact_of(consensus, to);
    if (contact == NULL)
        return;
    contact->told = commit;
    contact->told_ms = uv_now(&consensus->loop);
}

static int later_first(const void *a, const void *b)
{
    const uint64_t *x = a;
    const uint64_t *y = b;
    return *x == *y ? 0 : *x > *y ? -1 : 1;
}

uint64_t contacts_majority_ms(struct consensus *consensus)
{
    const struct raft_configuration *members = &consensus->raft.configuration;
    uint64_t answers[PEER_MEMBERS_MAX];
    size_t count = 0;
    size_t voters = 0;
    bool votes = false;
    for (unsigned i = 0; i < members->n && count < PEER_MEMBERS_MAX; i++) {
        const struct raft_server *server = &members->servers[i];
        if (server->role != RAFT_VOTER)
            continue;
        voters++;
        votes = votes || server->id == consensus->config.node;
        const struct contact *contact = contact_of(consensus, server->id);
        if (server->id != consensus->config.node)
            answers[count++] = contact != NULL ? contact->answered_ms : 0;
    }
    size_t wanted = voters / 2 + (votes ? 0 : 1);
    if (wanted == 0)
        return now_ms();
    if (wanted > count)
        return 0;
    qsort(answers, count, sizeof *answers, later_first);
    return answers[wanted - 1];
}

bool contacts_has_room(struct consensus *consensus, uint64_t id)
{
    const struct contact *contact = contact_of(consensus, id);
    return contact != NULL && contact->capacity_kib >= CAPACITY_THRESHOLD_KIB;
}

/* A new leader counts a voter whose answer it has not had yet among those without room, as soon as
 * another one has none: a majority, then, until a heartbeat is answered. */
bool contacts_are_settling(struct consensus *consensus)
{
    const struct contacts *contacts = &consensus->contacts;
    const struct raft_configuration *members = &consensus->raft.configuration;
    bool leads = contacts->leader == consensus->config.node;
    bool lacks_room = false;
    bool lacks_answer = false;
    if (leads && now_ms() - contacts->since_ms > consensus->config.election_ms)
        return false;
    for (unsigned i = 0; i < members->n; i++) {
        const struct contact *contact = contact_of(consensus, members->servers[i].id);
        if (members->servers[i].role != RAFT_VOTER || contact == NULL ||
            contact->id == consensus->config.node)
            continue;
        lacks_answer = lacks_answer || !leads || contact->answered_ms < contacts->since_ms;
        lacks_room =
            lacks_room || (contact->has_voted && contact->capacity_kib < CAPACITY_THRESHOLD_KIB);
    }
    return lacks_room && lacks_answer;
}

/* ---- who is missing */

/* For how long nothing was heard, or could have been. */
static uint64_t silence_of(struct consensus *consensus, uint64_t id)
{
    const struct contact *contact = contact_of(consensus, id);
    uint64_t since = consensus->contacts.since_ms;
    if (contact != NULL && contact->heard_ms > since)
        since = contact->heard_ms;
    if (contact != NULL && contact->since_ms > since)
        since = contact->since_ms;
    return now_ms() - since;
}

bool contacts_is_heard(struct consensus *consensus, uint64_t id)
{
    const struct contact *contact = contact_of(consensus, id);
    return contact != NULL && !contact->is_lost &&
           silence_of(consensus, id) <= consensus->config.election_ms;
}

/* A leader hears all but the spares at every heartbeat; who knows no leader hears those whom it
 * asks for votes, and who ask it. A follower hears its leader alone, and cannot tell. */
size_t contacts_missing(struct consensus *consensus, uint64_t leader, uint64_t *out)
{
    const struct raft_configuration *members = &consensus->raft.configuration;
    uint64_t limit_ms = consensus->config.election_ms;
    size_t count = 0;
    if (consensus->contacts.leader != leader) {
        consensus->contacts.leader = leader;
        consensus->contacts.since_ms = now_ms();
    }
    if (leader != 0 && leader != consensus->config.node)
        return 0;
    if (leader == 0)
        limit_ms = LEADERLESS_MS(limit_ms);
    for (unsigned i = 0; i < members->n && count < PEER_MEMBERS_MAX; i++) {
        const struct raft_server *server = &members->servers[i];
        bool is_silent = leader != 0 ? server->role == RAFT_SPARE : server->role != RAFT_VOTER;
        if (server->id == consensus->config.node || is_silent)
            continue;
        if (silence_of(consensus, server->id) > limit_ms)
            out[count++] = server->id;
    }
    return count;
}

/* ---- telling of commits */

static void nudged(struct raft_io_send *request, int status)
{
    (void)status; /* the next heartbeat says the same */
    free(request);
}

/* As a heartbeat, but anchored to the last entry that is committed, which is of this term: who has
 * it takes the commit index from it and answers what is known already. */
static void nudge(struct consensus *consensus, const struct raft_server *server, raft_index commit)
{
    struct raft_io *io = &consensus->guard.io;
    const struct raft_message message = {
        .type = RAFT_APPEND_ENTRIES,
        .server_id = server->id,
        .server_address = server->address,
        .append_entries = {.term = raft_current_term(&consensus->raft),
                           .prev_log_index = commit,
                           .prev_log_term = raft_current_term(&consensus->raft),
                           .leader_commit = commit},
    };
    struct raft_io_send *request = calloc(1, sizeof *request);
    if (request == NULL)
        return;
    if (io->send(io, request, &message, nudged) != 0)
        free(request);
    else
        consensus->contacts.nudges++;
}

/* Has it the last entry that is committed? */
static bool is_close(const struct consensus *consensus, const struct raft_server *server,
                     raft_index commit)
{
    raft_index match = 0;
    return server->id != consensus->config.node && server->role != RAFT_SPARE &&
           raft_match_index(&consensus->raft, server->id, &match) == 0 && match >= commit;
}

/* Of this term, as an anchor must be whose term is not known otherwise; 0: none yet. */
static raft_index own_commit(struct consensus *consensus)
{
    struct contacts *contacts = &consensus->contacts;
    struct raft *raft = &consensus->raft;
    raft_index commit = raft_commit_index(raft);
    if (!engine_leads(consensus)) {
        contacts->nudge_term = 0;
        return 0;
    }
    if (contacts->nudge_term != raft_current_term(raft)) { /* what it has is of an older term */
        contacts->nudge_term = raft_current_term(raft);
        contacts->nudge_after = commit;
    }
    return commit > contacts->nudge_after ? commit : 0;
}

void contacts_nudge(struct consensus *consensus)
{
    const struct raft_configuration *members = &consensus->raft.configuration;
    raft_index commit = own_commit(consensus);
    /* With more entries under way, the next ones tell. */
    if (commit == 0 || commit != raft_last_index(&consensus->raft))
        return;
    for (unsigned i = 0; i < members->n; i++) {
        const struct raft_server *server = &members->servers[i];
        const struct contact *contact = contact_of(consensus, server->id);
        if (contact != NULL && contact->told < commit && is_close(consensus, server, commit))
            nudge(consensus, server, commit);
    }
}

void contacts_beat(void *context)
{
    struct consensus *consensus = context;
    const struct raft_configuration *members = &consensus->raft.configuration;
    raft_index commit = consensus->closing ? 0 : own_commit(consensus);
    for (unsigned i = 0; commit != 0 && i < members->n; i++) {
        const struct raft_server *server = &members->servers[i];
        const struct contact *contact = contact_of(consensus, server->id);
        if (contact != NULL && contact->told_ms != uv_now(&consensus->loop) &&
            is_close(consensus, server, commit))
            nudge(consensus, server, commit);
    }
}

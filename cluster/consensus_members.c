/* SPDX-License-Identifier: Apache-2.0 */
/* Changes of the members, one at a time, and what the engine's calls need to be safe: some of them
 * check after they have changed something, and some do not check who leads. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cluster/consensus_internal.h"

#define PROMOTE_LAG_MAX 1000U /* entries */

const char *consensus_role_name(enum consensus_role role)
{
    static const char *const names[CONSENSUS_ROLE_COUNT] = {
        [CONSENSUS_STANDBY] = "stand-by",
        [CONSENSUS_VOTER] = "voter",
        [CONSENSUS_SPARE] = "spare",
    };
    return (unsigned)role < CONSENSUS_ROLE_COUNT ? names[role] : "none";
}

_Static_assert((int)CONSENSUS_STANDBY == (int)RAFT_STANDBY &&
                   (int)CONSENSUS_VOTER == (int)RAFT_VOTER &&
                   (int)CONSENSUS_SPARE == (int)RAFT_SPARE,
               "roles are the engine's");

/* ---- asking: any thread */

static enum rc enqueue(struct consensus *consensus, const struct member_change *wanted)
{
    struct member_change *change = calloc(1, sizeof *change);
    if (change == NULL)
        return RC_NO_MEMORY;
    *change = *wanted;
    (void)pthread_mutex_lock(&consensus->lock);
    enum rc rc = consensus_check_running(consensus);
    if (rc == RC_OK) {
        change->next = consensus->member_queue.waiting;
        consensus->member_queue.waiting = change;
        (void)uv_async_send(&consensus->wake);
    }
    (void)pthread_mutex_unlock(&consensus->lock);
    if (rc != RC_OK)
        free(change);
    return rc;
}

enum rc consensus_member_add(struct consensus *consensus, uint64_t id, const char *address,
                             consensus_changed done, void *context)
{
    struct member_change change = {
        .action = CHANGE_ADD, .id = id, .done = done, .context = context};
    size_t len = strlen(address);
    if (id == 0 || len == 0 || len > PEER_ADDRESS_MAX)
        return rc_fail(RC_BAD_ARGUMENT, "a member has a number, and an address of at most %u bytes",
                       PEER_ADDRESS_MAX);
    memcpy(change.address, address, len + 1);
    return enqueue(consensus, &change);
}

enum rc consensus_member_assign(struct consensus *consensus, uint64_t id, enum consensus_role role,
                                consensus_changed done, void *context)
{
    const struct member_change change = {
        .action = CHANGE_ASSIGN, .id = id, .role = role, .done = done, .context = context};
    if ((unsigned)role >= CONSENSUS_ROLE_COUNT)
        return rc_fail(RC_BAD_ARGUMENT, "no such role");
    return enqueue(consensus, &change);
}

enum rc consensus_member_remove(struct consensus *consensus, uint64_t id, consensus_changed done,
                                void *context)
{
    const struct member_change change = {
        .action = CHANGE_REMOVE, .id = id, .done = done, .context = context};
    return enqueue(consensus, &change);
}

enum rc consensus_transfer(struct consensus *consensus, uint64_t id, consensus_changed done,
                           void *context)
{
    const struct member_change change = {
        .action = CHANGE_TRANSFER, .id = id, .done = done, .context = context};
    return enqueue(consensus, &change);
}

size_t consensus_missing(struct consensus *consensus, uint64_t *out, size_t max)
{
    (void)pthread_mutex_lock(&consensus->lock);
    size_t count = consensus->contacts.missing_count;
    memcpy(out, consensus->contacts.missing, (count < max ? count : max) * sizeof *out);
    (void)pthread_mutex_unlock(&consensus->lock);
    return count;
}

size_t consensus_members(struct consensus *consensus, struct consensus_member *out, size_t max)
{
    (void)pthread_mutex_lock(&consensus->lock);
    size_t count = consensus->member_count;
    memcpy(out, consensus->members, (count < max ? count : max) * sizeof *out);
    (void)pthread_mutex_unlock(&consensus->lock);
    return count;
}

/* ---- doing: the consensus thread */

static void finish(struct member_change *change, enum rc rc)
{
    change->done(change->context, rc);
    free(change);
}

static enum rc rc_of(struct consensus *consensus, int rv)
{
    const char *text = raft_errmsg(&consensus->raft);
    switch (rv) {
    case 0:
        return RC_OK;
    case RAFT_NOTLEADER:
        return rc_fail(RC_NO_QUORUM, "this HSM does not lead the cluster");
    case RAFT_DUPLICATEID:
    case RAFT_DUPLICATEADDRESS:
    case RAFT_BADROLE:
        return rc_fail(RC_EXISTS, "%s", raft_strerror(rv));
    case RAFT_BADID:
    case RAFT_NOTFOUND:
        return rc_fail(RC_NOT_FOUND, "no such member");
    case RAFT_CANTCHANGE:
        return rc_fail(RC_CONFLICT, "another change of the members is under way");
    case RAFT_NOCONNECTION:
        return rc_fail(RC_UNAVAILABLE, "the member does not answer, or does not keep up");
    case RAFT_LEADERSHIPLOST:
    case RAFT_CANCELED:
    case RAFT_SHUTDOWN:
        return rc_fail(RC_OUTCOME_UNKNOWN, "%s", raft_strerror(rv));
    case RAFT_NOSPACE:
        return rc_fail(RC_DISK, "the disks of a majority are full");
    default:
        return rc_fail(RC_INTERNAL, "%s (%s)", raft_strerror(rv), text);
    }
}

static const struct raft_server *find(const struct consensus *consensus, uint64_t id)
{
    const struct raft_configuration *members = &consensus->raft.configuration;
    for (unsigned i = 0; i < members->n; i++)
        if (members->servers[i].id == id)
            return &members->servers[i];
    return NULL;
}

static enum rc check_assign(struct consensus *consensus, const struct member_change *change)
{
    const struct raft_server *server = find(consensus, change->id);
    raft_index match = 0;
    if (server == NULL)
        return rc_fail(RC_NOT_FOUND, "no member has number %" PRIu64, change->id);
    if (server->role == (int)change->role)
        return rc_fail(RC_EXISTS, "member %" PRIu64 " is %s already", change->id,
                       consensus_role_name(change->role));
    if (change->role != CONSENSUS_VOTER)
        return RC_OK;
    int rv = raft_match_index(&consensus->raft, change->id, &match);
    raft_index last = raft_last_index(&consensus->raft);
    if (rv != 0)
        return rc_of(consensus, rv);
    if (server->role != RAFT_STANDBY || match + PROMOTE_LAG_MAX < last)
        return rc_fail(RC_CONFLICT,
                       "member %" PRIu64 " is a %s at log entry %llu of %llu: a stand-by that is "
                       "close behind can become a voter",
                       change->id, consensus_role_name((enum consensus_role)server->role), match,
                       last);
    return RC_OK;
}

static enum rc check_change(struct consensus *consensus, const struct member_change *change)
{
    if (!engine_leads(consensus))
        return rc_of(consensus, RAFT_NOTLEADER);
    const struct raft *raft = &consensus->raft;
    if (consensus->member_queue.change != NULL || members_transferring(consensus) ||
        raft->configuration_uncommitted_index != 0 || raft->leader_state.promotee_id != 0)
        return rc_of(consensus, RAFT_CANTCHANGE);
    if (change->action == CHANGE_ADD)
        return consensus->raft.configuration.n < PEER_MEMBERS_MAX
                   ? RC_OK
                   : rc_fail(RC_LIMIT, "a cluster has at most %u members", PEER_MEMBERS_MAX);
    if (change->id == consensus->config.node)
        return rc_fail(RC_CONFLICT, "this HSM leads: transfer the lead first");
    if (change->action == CHANGE_ASSIGN)
        return check_assign(consensus, change);
    if (find(consensus, change->id) == NULL)
        return rc_fail(RC_NOT_FOUND, "no member has number %" PRIu64, change->id);
    return RC_OK;
}

static void changed(struct raft_change *request, int status)
{
    struct consensus *consensus = request->data;
    struct member_change *change = consensus->member_queue.change;
    if (change == NULL) /* of a request that failed, which the engine had kept */
        return;
    consensus->member_queue.change = NULL;
    finish(change, rc_of(consensus, status));
}

static int call_engine(struct consensus *consensus, const struct member_change *change)
{
    struct raft *raft = &consensus->raft;
    struct raft_change *request = &consensus->member_queue.change_request;
    request->data = consensus;
    if (change->action == CHANGE_ADD)
        return raft_add(raft, request, change->id, change->address, changed);
    if (change->action == CHANGE_REMOVE)
        return raft_remove(raft, request, change->id, changed);
    return raft_assign(raft, request, change->id, (int)change->role, changed);
}

static void begin_change(struct consensus *consensus, struct member_change *change)
{
    enum rc rc = check_change(consensus, change);
    if (rc == RC_OK) {
        consensus->member_queue.change = change;
        rc = rc_of(consensus, call_engine(consensus, change));
    }
    if (rc == RC_OK)
        return;
    if (consensus->member_queue.change == change) {
        consensus->member_queue.change = NULL;
        consensus->raft.legacy.change = NULL; /* set before it failed */
    }
    finish(change, rc);
}

/* ---- the lead. raft_transfer() while entries are on their way tells the other one to take over
 * before it has them: here it is called when the other one has all. Nor does it say it again when
 * the message was lost, it waits for an election's time and gives up: it is called once more. */

#define TRANSFER_TRIES 2U

bool members_transferring(const struct consensus *consensus)
{
    return consensus->member_queue.transfer != NULL;
}

static void finish_transfer(struct consensus *consensus, enum rc rc)
{
    struct member_change *change = consensus->member_queue.transfer;
    consensus->member_queue.transfer = NULL;
    finish(change, rc);
}

static void transferred(struct raft_transfer *request)
{
    struct consensus *consensus = request->data;
    struct member_queue *queue = &consensus->member_queue;
    queue->transfer_called = false;
    if (!members_transferring(consensus))
        return;
    if (!engine_leads(consensus))
        finish_transfer(consensus, RC_OK);
    else if (queue->transfer_tries == 0)
        finish_transfer(consensus, rc_fail(RC_UNAVAILABLE, "the other voter did not take over"));
    else
        queue->transfer_until_ms = uv_now(&consensus->loop) + consensus->config.election_ms;
}

static raft_index match_of(const struct consensus *consensus, uint64_t id)
{
    raft_index match = 0;
    return raft_match_index(&consensus->raft, id, &match) == 0 ? match : 0;
}

/* The voter that has most, of those who answer; 0: there is no other. */
static uint64_t choose_successor(struct consensus *consensus, bool has_room)
{
    const struct raft_configuration *members = &consensus->raft.configuration;
    uint64_t best = 0;
    for (unsigned i = 0; i < members->n; i++) {
        uint64_t id = members->servers[i].id;
        if (members->servers[i].role != RAFT_VOTER || id == consensus->config.node ||
            !contacts_is_heard(consensus, id))
            continue;
        if (has_room && !contacts_has_room(consensus, id))
            continue;
        if (best == 0 || match_of(consensus, id) > match_of(consensus, best))
            best = id;
    }
    return best;
}

/* One that can take changes, if there is one. */
static uint64_t choose_any_successor(struct consensus *consensus)
{
    uint64_t id = choose_successor(consensus, true);
    return id != 0 ? id : choose_successor(consensus, false);
}

static enum rc check_transfer(struct consensus *consensus, struct member_change *change)
{
    const struct member_queue *queue = &consensus->member_queue;
    if (!engine_leads(consensus))
        return rc_of(consensus, RAFT_NOTLEADER);
    if (queue->transfer != NULL || queue->transfer_called || queue->change != NULL)
        return rc_of(consensus, RAFT_CANTCHANGE);
    if (change->id == 0)
        change->id = choose_any_successor(consensus);
    const struct raft_server *server = find(consensus, change->id);
    if (server == NULL || server->role != RAFT_VOTER || change->id == consensus->config.node)
        return rc_fail(RC_NOT_FOUND, "no other voter has number %" PRIu64, change->id);
    return RC_OK;
}

static void begin_transfer(struct consensus *consensus, struct member_change *change)
{
    enum rc rc = check_transfer(consensus, change);
    if (rc != RC_OK) {
        finish(change, rc);
        return;
    }
    consensus->member_queue.transfer = change;
    consensus->member_queue.transfer_tries = consensus->handing_over ? 1 : TRANSFER_TRIES;
    consensus->member_queue.transfer_until_ms =
        uv_now(&consensus->loop) + consensus->config.election_ms;
}

/* Nothing new is proposed meanwhile. Where the successor goes, too, after this node voted for it,
 * the engine waits for a next leader, for ever if there is none. */
static void continue_transfer(struct consensus *consensus)
{
    struct member_queue *queue = &consensus->member_queue;
    const struct member_change *change = queue->transfer;
    if (change == NULL)
        return;
    if (queue->transfer_called) {
        if (uv_now(&consensus->loop) > queue->transfer_until_ms)
            finish_transfer(consensus,
                            rc_fail(RC_UNAVAILABLE, "the other voter did not take over"));
    } else if (!engine_leads(consensus)) {
        finish_transfer(consensus, RC_OK);
    } else if (match_of(consensus, change->id) == raft_last_index(&consensus->raft)) {
        queue->transfer_request.data = consensus;
        queue->transfer_called = true;
        queue->transfer_tries--;
        queue->transfer_until_ms = uv_now(&consensus->loop) + 2ULL * consensus->config.election_ms;
        int rv = raft_transfer(&consensus->raft, &queue->transfer_request, change->id, transferred);
        if (rv != 0) {
            queue->transfer_called = false;
            finish_transfer(consensus, rc_of(consensus, rv));
        }
    } else if (uv_now(&consensus->loop) > queue->transfer_until_ms) {
        finish_transfer(consensus,
                        rc_fail(RC_UNAVAILABLE, "member %" PRIu64 " does not keep up with the log",
                                change->id));
    }
}

static void handed_over(void *context, enum rc rc)
{
    struct consensus *consensus = context;
    (void)rc; /* the others will miss this node after an election's time */
    consensus->handing_over = false;
}

bool members_hand_over(struct consensus *consensus)
{
    struct member_change *change = NULL;
    if (consensus->hand_over_tried || !engine_leads(consensus) || !engine_has_peers(consensus))
        return false;
    consensus->hand_over_tried = true;
    change = calloc(1, sizeof *change);
    if (change == NULL)
        return false;
    *change = (struct member_change){
        .action = CHANGE_TRANSFER, .done = handed_over, .context = consensus};
    consensus->handing_over = true;
    begin_transfer(consensus, change);
    return consensus->handing_over;
}

void members_give_lead_away(struct consensus *consensus, consensus_changed done)
{
    uint64_t id = choose_successor(consensus, true);
    struct member_change *change = id != 0 ? calloc(1, sizeof *change) : NULL;
    if (change == NULL)
        return;
    *change = (struct member_change){
        .action = CHANGE_TRANSFER, .id = id, .done = done, .context = consensus};
    begin_transfer(consensus, change);
}

/* In the order of asking. */
static struct member_change *take_waiting(struct consensus *consensus)
{
    (void)pthread_mutex_lock(&consensus->lock);
    struct member_change *change = consensus->member_queue.waiting;
    consensus->member_queue.waiting = NULL;
    (void)pthread_mutex_unlock(&consensus->lock);
    struct member_change *ordered = NULL;
    while (change != NULL) {
        struct member_change *next = change->next;
        change->next = ordered;
        ordered = change;
        change = next;
    }
    return ordered;
}

void members_pump(struct consensus *consensus)
{
    struct member_change *next = NULL;
    for (struct member_change *change = take_waiting(consensus); change != NULL; change = next) {
        next = change->next;
        if (change->action == CHANGE_TRANSFER)
            begin_transfer(consensus, change);
        else
            begin_change(consensus, change);
    }
    continue_transfer(consensus);
}

void members_fail_waiting(struct consensus *consensus)
{
    struct member_change *next = NULL;
    for (struct member_change *change = take_waiting(consensus); change != NULL; change = next) {
        next = change->next;
        finish(change, RC_UNAVAILABLE);
    }
    if (members_transferring(consensus))
        finish_transfer(consensus, RC_UNAVAILABLE);
}

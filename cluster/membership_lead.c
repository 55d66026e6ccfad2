/* SPDX-License-Identifier: Apache-2.0 */
/* What the HSM that leads does for the members, one step at a time, the first that applies:
 *
 *   somebody asked for another leader      -> hand the lead over
 *   this HSM is to leave, or drained       -> hand the lead over
 *   removed or zeroized, still in the log  -> out
 *   demoted, still votes                   -> stand-by
 *   approved, and it answers               -> spare, member on the roll
 *   spare                                  -> stand-by: it is sent the log
 *   stand-by that is to vote, close behind, compared equal -> voter */
#include <inttypes.h>

#include "cluster/backup.h"
#include "cluster/commit.h"
#include "cluster/membership_internal.h"
#include "cluster/position.h"
#include "cluster/survey.h"
#include "common/log.h"

#define COMMIT_MS  5000U
#define PROBE_MS   250U
#define CLOSE      1000U /* entries behind */
#define TELL_MS    10000U
#define COMPARE_MS 1000U /* then the comparison is asked for again */

void membership_forget(struct membership *membership)
{
    membership->candidate = (struct candidate){.id = 0};
    membership->saved_for = 0;
}

static const struct consensus_member *member_of(const struct membership *membership, uint64_t id)
{
    for (size_t i = 0; i < membership->member_count; i++)
        if (membership->members[i].id == id)
            return &membership->members[i];
    return NULL;
}

static const struct roll_node *row_of(const struct membership *membership, uint64_t id)
{
    for (size_t i = 0; i < membership->node_count; i++)
        if (membership->nodes[i].id == id)
            return &membership->nodes[i];
    return NULL;
}

static size_t count_voters(const struct membership *membership)
{
    size_t count = 0;
    for (size_t i = 0; i < membership->member_count; i++)
        count += membership->members[i].role == CONSENSUS_VOTER ? 1 : 0;
    return count;
}

static bool is_out(const struct roll_node *node)
{
    return node->status == NODE_REMOVED || node->status == NODE_ZEROIZED;
}

/* What goes on failing is told now and then; what may pass (another leader, another change) not. */
static bool is_worth_telling(struct membership *membership, uint64_t id, enum rc rc)
{
    uint64_t now = clock_steady_ms();
    if (rc == RC_CONFLICT || rc == RC_NO_QUORUM || rc == RC_CANCELLED)
        return false;
    if (membership->told_id == id && membership->told_rc == rc &&
        now < membership->told_ms + TELL_MS)
        return false;
    membership->told_id = id;
    membership->told_rc = rc;
    membership->told_ms = now;
    return true;
}

/* True when it was done. */
static bool told(struct membership *membership, const char *event, uint64_t id, enum rc rc)
{
    if (rc == RC_OK)
        log_info(event, "node=%" PRIu64, id);
    else if (is_worth_telling(membership, id, rc))
        log_warn("member_change_failed", "wanted=%s node=%" PRIu64 " error=%s detail=\"%s\"", event,
                 id, rc_info(rc)->name, rc_detail());
    return rc == RC_OK;
}

/* ---- before the members change */

/* Once for each change; the change does not wait for a disk that is full. */
static void save(struct membership *membership, uint64_t id)
{
    struct backup_info info;
    if (membership->service->backups == NULL || membership->saved_for == id)
        return;
    membership->saved_for = id;
    enum rc rc = backups_make(membership->service->backups, "membership", &info);
    if (rc != RC_OK)
        log_warn("no_backup_before_change", "node=%" PRIu64 " error=%s detail=\"%s\"", id,
                 rc_info(rc)->name, rc_detail());
}

/* ---- the lead */

/* A voter that is not on its way out, the one that has most of the log; 0: there is none. */
static uint64_t successor(const struct membership *membership)
{
    const struct consensus_member *best = NULL;
    for (size_t i = 0; i < membership->member_count; i++) {
        const struct consensus_member *member = &membership->members[i];
        const struct roll_node *row = row_of(membership, member->id);
        bool stays = row == NULL || (!is_out(row) && !row->draining && row->wanted != NODE_STANDBY);
        if (member->role == CONSENSUS_VOTER && stays &&
            member->id != membership->service->config->node &&
            (best == NULL || member->match > best->match))
            best = member;
    }
    return best == NULL ? 0 : best->id;
}

static bool grant_wish(struct membership *membership)
{
    struct roll_wish wish;
    AUTO_ROLL_CHANGES changes;
    roll_changes_init(&changes);
    if (roll_wish(membership->service->hsm->state, &wish) != RC_OK)
        return false;
    /* First, so that the next leader does not find it. */
    if (roll_changes_drop_wish(&changes, &wish) != RC_OK ||
        commit_changes(membership->service, &changes, clock_steady_ms() + COMMIT_MS) != RC_OK)
        return false;
    if (wish.leader == membership->service->config->node)
        return true;
    uint64_t id = wish.leader != 0 ? wish.leader : successor(membership);
    return told(membership, "lead_handed_over", id, membership_transfer(membership, id));
}

static bool step_down(struct membership *membership)
{
    const struct roll_node *own = row_of(membership, membership->service->config->node);
    if (own == NULL || (!is_out(own) && !own->draining && own->wanted != NODE_STANDBY))
        return false;
    uint64_t id = successor(membership);
    return id != 0 && told(membership, "lead_handed_over", id, membership_transfer(membership, id));
}

/* ---- out, down */

static bool drop_one(struct membership *membership)
{
    for (size_t i = 0; i < membership->member_count; i++) {
        uint64_t id = membership->members[i].id;
        const struct roll_node *row = row_of(membership, id);
        if (row == NULL || !is_out(row) || id == membership->service->config->node)
            continue;
        save(membership, id);
        if (told(membership, "member_out", id, membership_drop(membership, id)))
            return true;
    }
    return false;
}

static bool demote_one(struct membership *membership)
{
    for (size_t i = 0; i < membership->member_count; i++) {
        const struct consensus_member *member = &membership->members[i];
        const struct roll_node *row = row_of(membership, member->id);
        if (row == NULL || row->wanted != NODE_STANDBY || member->role != CONSENSUS_VOTER ||
            member->id == membership->service->config->node)
            continue;
        if (told(membership, "member_demoted", member->id,
                 membership_assign(membership, member->id, CONSENSUS_STANDBY)))
            return true;
    }
    return false;
}

/* ---- in */

static bool write_member(struct membership *membership, const struct roll_node *row)
{
    struct roll_node node = *row;
    node.status = NODE_MEMBER;
    return told(membership, "member", node.id,
                commit_node(membership->service, &node, clock_steady_ms() + COMMIT_MS));
}

/* It runs with its certificate, so it has the master key too: the token may be used up. */
static bool answers(struct membership *membership, uint64_t id, uint64_t *out_audited)
{
    struct survey_answer answer = {.id = id};
    survey_ask(membership->service, &answer, 1, 0, PROBE_MS);
    bool is_there = answer.status != NULL;
    if (is_there && out_audited != NULL)
        *out_audited = answer.status->audited;
    survey_clear(membership->service, &answer, 1);
    return is_there;
}

static bool admit_one(struct membership *membership)
{
    for (size_t i = 0; i < membership->node_count; i++) {
        const struct roll_node *row = &membership->nodes[i];
        if (row->status != NODE_APPROVED)
            continue;
        if (member_of(membership, row->id) != NULL) /* another leader had come as far */
            return write_member(membership, row);
        if (!answers(membership, row->id, NULL))
            continue;
        save(membership, row->id);
        if (told(membership, "member_added", row->id, membership_add(membership, row)))
            return write_member(membership, row);
    }
    return false;
}

static bool follow_one(struct membership *membership)
{
    for (size_t i = 0; i < membership->member_count; i++) {
        const struct consensus_member *member = &membership->members[i];
        const struct roll_node *row = row_of(membership, member->id);
        if (member->role != CONSENSUS_SPARE || row == NULL || row->status != NODE_MEMBER)
            continue;
        if (told(membership, "member_standby", member->id,
                 membership_assign(membership, member->id, CONSENSUS_STANDBY)))
            return true;
    }
    return false;
}

/* ---- up */

/* Its state was compared with this one's after it had caught up. */
static bool is_equal(struct membership *membership, uint64_t id)
{
    struct candidate *candidate = &membership->candidate;
    uint64_t now = clock_steady_ms();
    uint64_t audited = 0;
    if (candidate->id == id && answers(membership, id, &audited) && audited > 0 &&
        audited >= candidate->applied)
        return true;
    if (candidate->id == id && now < candidate->asked_ms + COMPARE_MS)
        return false;
    uint64_t applied = state_applied(membership->service->hsm->state);
    if (consensus_audit_now(membership->service->consensus) == RC_OK)
        *candidate = (struct candidate){.id = id, .applied = applied, .asked_ms = now};
    membership_wake(membership);
    return false;
}

static bool may_vote(const struct membership *membership, const struct roll_node *row)
{
    if (row == NULL || row->status != NODE_MEMBER || row->wanted == NODE_STANDBY)
        return false;
    return count_voters(membership) < CLUSTER_VOTERS_MAX;
}

static bool promote_one(struct membership *membership, const struct consensus_status *status)
{
    for (size_t i = 0; i < membership->member_count; i++) {
        const struct consensus_member *member = &membership->members[i];
        if (member->role != CONSENSUS_STANDBY || member->match == 0 ||
            member->match + CLOSE < status->last ||
            !may_vote(membership, row_of(membership, member->id)))
            continue;
        if (membership->candidate.id != 0 && membership->candidate.id != member->id &&
            clock_steady_ms() < membership->candidate.asked_ms + COMPARE_MS)
            continue; /* another one's turn */
        if (!is_equal(membership, member->id))
            continue;
        membership->candidate.id = 0;
        if (told(membership, "member_promoted", member->id,
                 membership_assign(membership, member->id, CONSENSUS_VOTER)))
            return true;
    }
    return false;
}

/* ---- who falls silent: what it had is noted, in case that it comes back with less */

/* At once, not when it is missed: this leader may be the next to fall silent. */
static void note_silent(struct membership *membership)
{
    for (size_t i = 0; i < membership->member_count; i++) {
        const struct consensus_member *member = &membership->members[i];
        const struct roll_node *row = row_of(membership, member->id);
        if (!member->is_heard && row != NULL && !is_out(row))
            (void)position_note(membership->service, member->id,
                                clock_steady_ms() + COMMIT_MS); /* else at the next turn */
    }
}

bool membership_lead(struct membership *membership, const struct consensus_status *status)
{
    note_silent(membership);
    return grant_wish(membership) || step_down(membership) || drop_one(membership) ||
           demote_one(membership) || admit_one(membership) || follow_one(membership) ||
           promote_one(membership, status);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Do all members have the same state? After the same entries of the log each remembers the hash of
 * its own; the leader's goes through the log, and who differs stops. An audit of entry 0 compares
 * nothing: it is such an entry, for those who will not wait for the next. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cluster/consensus_internal.h"
#include "common/log.h"

void audit_reset(struct consensus *consensus)
{
    struct audit *audit = &consensus->audit;
    audit->last_index = 0;
    audit->record_count = 0;
    audit->due = false;
}

static void record_state(struct consensus *consensus, uint64_t index)
{
    struct audit *audit = &consensus->audit;
    struct entry_audit *record = &audit->records[audit->record_count++ % AUDIT_RECORDS];
    record->at = index;
    record->applied = state_applied(consensus->state);
    state_hash(consensus->state, record->hash);
    audit->due = true;
}

/* Where the log passes a multiple of `every`: a place that depends on the log alone. */
void audit_note(struct consensus *consensus, uint64_t index)
{
    struct audit *audit = &consensus->audit;
    uint64_t before = audit->last_index;
    audit->last_index = index;
    if (before != 0 && before / audit->every != index / audit->every)
        record_state(consensus, index);
}

static const struct entry_audit *find(const struct audit *audit, uint64_t at)
{
    size_t count = audit->record_count < AUDIT_RECORDS ? audit->record_count : AUDIT_RECORDS;
    for (size_t i = 0; i < count; i++)
        if (audit->records[i].at == at)
            return &audit->records[i];
    return NULL;
}

void audit_compare(struct consensus *consensus, uint64_t index, const struct entry_audit *theirs)
{
    if (theirs->at == AUDIT_AT_ONCE) {
        record_state(consensus, index);
        return;
    }
    const struct entry_audit *ours = find(&consensus->audit, theirs->at);
    char reason[160];
    if (ours == NULL) /* this node started, or had a snapshot installed, after that entry */
        return;
    if (ours->applied == theirs->applied &&
        bytes_equal(bytes_of(ours->hash, sizeof ours->hash),
                    bytes_of(theirs->hash, sizeof theirs->hash))) {
        consensus->audit.compared++;
        consensus->audit.applied = ours->applied;
        return;
    }
    (void)snprintf(reason, sizeof reason,
                   "after log entry %" PRIu64 " the state here (%" PRIu64
                   " changes) differs from the leader's (%" PRIu64 ")",
                   ours->at, ours->applied, theirs->applied);
    engine_quarantine(consensus, reason);
}

/* ---- the leader's */

enum rc consensus_audit_now(struct consensus *consensus)
{
    (void)pthread_mutex_lock(&consensus->lock);
    enum rc rc = consensus_check_running(consensus);
    if (rc == RC_OK && consensus->status.leader != consensus->config.node)
        rc = rc_fail(RC_NO_QUORUM, "this HSM does not lead the cluster");
    if (rc == RC_OK) {
        atomic_store(&consensus->audit.wanted, true);
        (void)uv_async_send(&consensus->wake);
    }
    (void)pthread_mutex_unlock(&consensus->lock);
    return rc;
}

static void proposed(struct raft_apply *request, int status, void *result)
{
    struct consensus *consensus = request->data;
    (void)status; /* another one follows */
    (void)result;
    consensus->audit.in_flight = false;
}

static enum rc encode(struct consensus *consensus, const struct entry_audit *record,
                      struct raft_buffer *out)
{
    struct entry_place place = {.index = raft_last_index(&consensus->raft) + 1,
                                .term = raft_current_term(&consensus->raft)};
    memcpy(place.cluster, consensus->config.cluster, sizeof place.cluster);
    AUTO_BUF entry = BUF_INIT;
    TRY(entry_encode_audit(consensus->keys, &place, record, &entry));
    return consensus_buffer(buf_bytes(&entry), out);
}

static void propose(struct consensus *consensus, const struct entry_audit *record)
{
    struct audit *audit = &consensus->audit;
    struct raft_buffer buffer;
    enum rc rc = encode(consensus, record, &buffer);
    if (rc == RC_OK) {
        audit->request.data = consensus;
        audit->in_flight = true;
        rc = raft_guard_apply(&consensus->raft, &audit->request, &buffer, proposed);
        if (rc != RC_OK)
            raft_free(buffer.base);
    }
    if (rc != RC_OK) {
        audit->in_flight = false;
        log_warn("audit_not_proposed", "rc=%s detail=\"%s\"", rc_info(rc)->name, rc_detail());
    }
}

void audit_pump(struct consensus *consensus)
{
    struct audit *audit = &consensus->audit;
    static const struct entry_audit at_once = {.at = AUDIT_AT_ONCE};
    if (!audit->due && !atomic_load(&audit->wanted))
        return;
    if (!engine_leads(consensus) || !engine_has_followers(consensus)) {
        audit->due = false; /* the leader's own turn, or nobody to compare with */
        atomic_store(&audit->wanted, false);
        return;
    }
    if (audit->in_flight || members_transferring(consensus))
        return;
    if (audit->due) {
        audit->due = false;
        propose(consensus, &audit->records[(audit->record_count - 1) % AUDIT_RECORDS]);
    } else if (atomic_exchange(&audit->wanted, false)) {
        propose(consensus, &at_once);
    }
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Where an effect goes: into the log when this HSM leads, else to the one that does, many in one
 * message. And linearizable reads, the same way. */
#ifndef QHSM_CLUSTER_PROPOSER_H
#define QHSM_CLUSTER_PROPOSER_H

#include "cluster/consensus.h"

struct proposer;
struct service;

/* Before consensus, which tells it of leaders; serves from proposer_start() on. */
enum rc proposer_new(struct service *service, struct proposer **out);
void proposer_leader_changed(struct proposer *proposer, const struct consensus_leader *leader);
enum rc proposer_start(struct proposer *proposer);
/* Nothing is accepted any more; what is under way is finished or failed within a second. */
void proposer_stop(struct proposer *proposer);
/* After consensus_stop(), which ends what was in the log or waited for its application. */
void proposer_free(struct proposer *proposer);
/* RC_NO_QUORUM, naming the HSMs that are missing, when there has been no leader for a few election
 * times, so that nothing can be changed. Cheap when there is one. Any thread. */
enum rc proposer_check(const struct proposer *proposer);

/* Takes the effect's buffer. After RC_OK `done` is called exactly once, on any thread, when the
 * effect is committed and applied on this HSM, or has failed: RC_NO_QUORUM (at once, naming the
 * HSMs that are missing, when there has been no leader for a few election times; until then it
 * waits for one), RC_DISK, RC_OVERLOADED, RC_OUTCOME_UNKNOWN (only for an effect without a
 * sequence; others are repeated until `expires_ms` of the steady clock), RC_DEADLINE. */
enum rc proposer_propose(struct proposer *proposer, struct buf *effect, uint64_t expires_ms,
                         consensus_done done, void *context);
/* `done` with the index that this HSM must have applied to have seen everything acknowledged
 * before the call. Reads that wait share one question. */
enum rc proposer_read_index(struct proposer *proposer, uint64_t expires_ms, consensus_read done,
                            void *context);
/* Effects sent to another HSM so far. */
uint64_t proposer_forwarded(const struct proposer *proposer);

#endif

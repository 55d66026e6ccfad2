/* SPDX-License-Identifier: Apache-2.0 */
/* Changes of the cluster's own documents, one after the other: the caller waits for each. For
 * threads that may wait, never a worker's or the consensus thread. */
#ifndef QHSM_CLUSTER_COMMIT_H
#define QHSM_CLUSTER_COMMIT_H

#include "cluster/roll.h"
#include "cluster/service.h"

/* Proposes and waits until it is applied here or has failed; takes the effect's buffer. The
 * effect's own refusal (RC_CONFLICT) or that of proposer.h. */
enum rc commit_effect(struct service *service, struct buf *effect, uint64_t expires_ms);
enum rc commit_changes(struct service *service, const struct roll_changes *changes,
                       uint64_t expires_ms);
enum rc commit_node(struct service *service, const struct roll_node *node, uint64_t expires_ms);

/* Waits until this HSM has applied what anybody was told before the call: for decisions that an old
 * roll must not make. RC_NO_QUORUM, RC_DEADLINE. */
enum rc commit_catch_up(struct service *service, uint64_t expires_ms);

/* Reads the roll, decides, and commits what it decided: again from the start when somebody else
 * changed the same meanwhile, a few times. `attempt` adds nothing to `changes` when nothing is to
 * be done. */
typedef enum rc (*commit_attempt)(void *context, struct roll_changes *changes);
enum rc commit_retry(struct service *service, commit_attempt attempt, void *context,
                     uint64_t expires_ms);

#endif

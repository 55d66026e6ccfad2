/* SPDX-License-Identifier: Apache-2.0 */
/* What libraft 0.22.1 loses of changes of the members, put right from outside. On the consensus
 * thread, never within a call of the engine. */
#ifndef QHSM_CLUSTER_RAFT_MEMBERS_H
#define QHSM_CLUSTER_RAFT_MEMBERS_H

#include <raft.h>
#include <stdbool.h>

/* Leaves in the message what precedes the first change that is not its first entry; from that one
 * on in `rest`, whose entries are the caller's. False: there is no rest. */
bool raft_members_divide(struct raft_message *message, struct raft_message *rest);

/* Before a message that raft_members_divide() has seen is handed to the engine: it may show that
 * the last change here is committed. */
void raft_members_confirm(struct raft *raft, const struct raft_append_entries *args);

/* An uncommitted change that lies within what is committed is the committed one. */
void raft_members_settle(struct raft *raft);

/* Members of `from` added to those of `to`; the engine's error number. */
int raft_members_copy(const struct raft_configuration *from, struct raft_configuration *to);

/* Of an entry of the log here, or the last of the snapshot; 0: not known. */
raft_term raft_members_term(const struct raft *raft, raft_index index);

#endif

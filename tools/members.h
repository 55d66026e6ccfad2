/* SPDX-License-Identifier: Apache-2.0 */
/* The members of the cluster as the asked HSM tells them, and which one a word of the command line
 * means. */
#ifndef QHSM_TOOLS_MEMBERS_H
#define QHSM_TOOLS_MEMBERS_H

#include "common/cluster.h"
#include "tools/connection.h"

/* Clear the reply with rpc_reply_clear(), whatever comes back. */
enum rc members_status(struct connection *connection, struct rpc_reply *out);
/* `word` is "2" or a zone with one HSM in it. RC_NOT_FOUND names those that there are; RC_CONFLICT
 * for a zone with several. */
enum rc members_ask(struct connection *connection, const char *word, uint64_t *out);
/* One change of a member, or of who leads. */
enum rc members_change(struct connection *connection, uint64_t id, enum member_action action);
/* "pending", "approved", "member", "removed", "zeroized". */
const char *members_status_name(uint32_t status);
/* In one word: "ok", "draining", "pending", "joining", "unreachable", "zeroized", "removed",
 * "disk_full", "no_leader", "trouble". */
const char *members_health(const Qhsm__NodeView *view);

#endif

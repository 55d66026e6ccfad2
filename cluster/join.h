/* SPDX-License-Identifier: Apache-2.0 */
/* A new HSM's first start: with the ticket that `qhsm cluster join` left in its state directory it
 * asks the cluster in, waits for approval, and stores certificate and master key.
 *
 *   state_dir/node.key     its private key, PEM (also found where `key` says)
 *   state_dir/join.ticket  the token as printed, or the packed JoinTicket; gone when it is in
 *   state_dir/node.number  the number it was given; overrides `node` from then on */
#ifndef QHSM_CLUSTER_JOIN_H
#define QHSM_CLUSTER_JOIN_H

#include "cluster/server_config.h"
#include "common/buf.h"

#define JOIN_TICKET_FILE "join.ticket"
#define JOIN_KEY_FILE    "node.key"
#define JOIN_NUMBER_FILE "node.number"

/* state_dir/join.ticket is there and no master key yet. */
bool join_is_wanted(const struct server_config *config);
/* Blocks until it is approved (progress in the log), then writes cert, ca, key, node number and
 * master.key (wrapped under the unlock key), removes the ticket. RC_EXPIRED, RC_NOT_PERMITTED,
 * RC_TLS ... as the cluster says; *stop ends the wait with RC_CANCELLED. */
enum rc join_cluster(struct server_config *config, const volatile bool *stop);
/* At every start: the number that this HSM was given when it joined, if it did. */
enum rc join_number(struct server_config *config);

/* What the master key for a joiner is closed with (token/envelope.h). Appends. */
enum rc join_master_context(const uint8_t cluster[16], uint64_t node, struct buf *out);

#endif

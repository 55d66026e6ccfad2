/* SPDX-License-Identifier: Apache-2.0 */
/* Against a disk that went back in time: an HSM whose log ends before what the others know that it
 * had stored would vote for those who lack it, and lose acknowledged changes. It asks them before
 * it starts its engine.
 *
 *   state_dir/peers     where the others were found last, a line each
 *   state_dir/removed   numbers of those who were removed, a line each */
#ifndef QHSM_CLUSTER_POSITION_H
#define QHSM_CLUSTER_POSITION_H

#include "cluster/roll.h"
#include "cluster/service.h"

/* Before the engine is started. RC_TAMPERED: the log here is an old copy; RC_NOT_PERMITTED: this
 * HSM was removed. RC_OK also when nobody answers within two elections: then nobody knows. */
enum rc position_check(const struct server_config *config);
/* Notes where the members are, for the next start. RC_DISK. */
enum rc position_keep_peers(const struct server_config *config, const struct roll_node *nodes,
                            size_t count);
/* Notes who was removed, besides those noted before; and reads it at a start. RC_DISK. */
enum rc position_keep_removed(const struct server_config *config,
                              const struct removed_nodes *before, const struct roll_node *nodes,
                              size_t count);
enum rc position_read_removed(const struct server_config *config, struct removed_nodes *out);
/* By the roll, or by that note. Any thread. */
bool position_is_removed(const struct service *service, uint64_t id);
/* The last entry of the log that `id` is known here to have stored and that is committed; 0: none
 * is known. */
uint64_t position_known(struct service *service, uint64_t id);
/* On the HSM that leads: writes that to the roll if it says less, for the leaders to come.
 * Elsewhere nothing more is known than the roll says: RC_OK. For threads that may wait: until
 * `expires_ms`, with the errors of commit_changes(). */
enum rc position_note(struct service *service, uint64_t id, uint64_t expires_ms);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* What a forked child takes over from its parent's state, without any of the parent's locks. */
#ifndef QHSM_P11_LIBRARY_FORK_H
#define QHSM_P11_LIBRARY_FORK_H

#include "p11/library.h"

/* The configuration says `fork = inherit`. */
bool library_fork_inherits(const struct client_config *config);
/* The same application for the daemon (tickets are bound to it), with the parent's logins. */
void library_fork_carry_login(struct library *child, const struct library *parent);
/* The parent's session handles stay valid; operations under way do not. RC_NO_MEMORY. */
enum rc library_fork_carry_sessions(struct library *child, const struct library *parent);
/* Closes the inherited connections unseen by the daemon and wipes the inherited tickets. The rest
 * of the memory stays: a thread of the parent may have been in the middle of changing it. */
void library_fork_abandon(struct library *parent);

#endif

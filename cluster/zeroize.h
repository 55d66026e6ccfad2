/* SPDX-License-Identifier: Apache-2.0 */
/* What an HSM does that was tampered with: its keys are gone, its directory is quarantined. */
#ifndef QHSM_CLUSTER_ZEROIZE_H
#define QHSM_CLUSTER_ZEROIZE_H

#include "cluster/server_config.h"

/* Marks the directory, then overwrites and removes the master key and the HSM's own key: from here
 * on nothing that is left can be opened, by whom or when ever this process ends. */
enum rc zeroize_begin(const struct server_config *config, const char *reason);
/* Overwrites and removes the rest of the state directory: log, snapshots, backups. Nothing else
 * uses it. */
enum rc zeroize_finish(const struct server_config *config);
/* RC_ZEROIZED when the directory is marked; what an interrupted zeroize_finish() left is erased. */
enum rc zeroize_check(const struct server_config *config);
bool zeroize_is_marked(const struct server_config *config);

#endif

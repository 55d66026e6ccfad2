/* SPDX-License-Identifier: Apache-2.0 */
/* After the majority is lost for good: this HSM alone goes on with the log that it has. */
#ifndef QHSM_CLUSTER_RECOVER_H
#define QHSM_CLUSTER_RECOVER_H

#include "cluster/server_config.h"

struct service;

/* Prints what the log of a stopped HSM has. RC_CONFIG when its daemon runs. */
enum rc recover_inspect(const struct server_config *config);
/* Makes this HSM the only member of its log, and notes that the roll is still to follow. */
enum rc recover_run(const struct server_config *config);
/* At the next start, leading alone: removes the others from the roll. Nothing without the note. */
enum rc recover_finish(struct service *service);

#endif

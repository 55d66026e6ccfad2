/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps the process's memory to itself: no core dumps, no debugger, no swap. */
#ifndef QHSM_CLUSTER_MEMORY_H
#define QHSM_CLUSTER_MEMORY_H

#include <stdbool.h>

#include "cluster/server_config.h"

/* Before any secret is read. RC_CONFIG when memory_lock is yes and the limits forbid it. */
enum rc memory_protect(enum memory_lock lock, bool *out_locked);

#endif

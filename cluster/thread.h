/* SPDX-License-Identifier: Apache-2.0 */
/* Threads with small stacks and no signals: those are the main thread's. */
#ifndef QHSM_CLUSTER_THREAD_H
#define QHSM_CLUSTER_THREAD_H

#include <pthread.h>

#include "common/rc.h"

enum rc thread_start(pthread_t *out, const char *name, void *(*run)(void *), void *context);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Threads with small stacks and no signals: those are the main thread's; and what they wait on. */
#ifndef QHSM_COMMON_THREAD_H
#define QHSM_COMMON_THREAD_H

#include <pthread.h>

#include "common/rc.h"

/* For waits until a time of CLOCK_MONOTONIC. */
void thread_cond_init(pthread_cond_t *cond);
enum rc thread_start(pthread_t *out, const char *name, void *(*run)(void *), void *context);

#endif

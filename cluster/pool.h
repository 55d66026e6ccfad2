/* SPDX-License-Identifier: Apache-2.0 */
/* Threads for work of milliseconds to seconds: PIN hashing (short), RSA key generation (long). Not
 * libuv's pool, which carries the log's writes. */
#ifndef QHSM_CLUSTER_POOL_H
#define QHSM_CLUSTER_POOL_H

#include "common/rc.h"

enum pool_kind { POOL_SHORT, POOL_LONG };

/* Embedded in what is to be done. */
struct pool_job {
    struct pool_job *next;
    void (*run)(struct pool_job *job, unsigned lane);
};

struct pool;

/* At least two threads: one of them takes no long work, so that a login never waits for a key
 * generation. They use the lanes from first_lane on. */
enum rc pool_new(unsigned threads, unsigned first_lane, struct pool **out);
/* Finishes what is queued, then joins; pool_submit() refuses from then on. */
void pool_stop(struct pool *pool);
void pool_free(struct pool *pool);
/* Any thread. RC_OVERLOADED when too much waits: job->run is not called then;
 * RC_UNAVAILABLE when stopping. */
enum rc pool_submit(struct pool *pool, enum pool_kind kind, struct pool_job *job);

#endif

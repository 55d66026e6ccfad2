/* SPDX-License-Identifier: Apache-2.0 */
/* The pool: lanes, bounds, and short work that does not wait for long. */
#include "cluster/pool.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "tests/unit/unit.h"

struct job {
    struct pool_job base; /* first */
    sem_t *gate;          /* waited for while it runs; NULL: none */
    sem_t *ran;
    _Atomic unsigned *lanes;
};

static void run(struct pool_job *base, unsigned lane)
{
    struct job *job = (struct job *)base;
    if (job->lanes != NULL)
        atomic_fetch_or(job->lanes, 1U << lane);
    if (job->gate != NULL)
        (void)sem_wait(job->gate);
    (void)sem_post(job->ran);
}

static struct job job_of(sem_t *gate, sem_t *ran, _Atomic unsigned *lanes)
{
    return (struct job){.base = {.run = run}, .gate = gate, .ran = ran, .lanes = lanes};
}

static void short_work_goes_on_while_long_work_takes_its_time(void)
{
    struct pool *pool = NULL;
    sem_t gate;
    sem_t ran;
    struct job slow[4];
    (void)sem_init(&gate, 0, 0);
    (void)sem_init(&ran, 0, 0);
    UNIT_OK(pool_new(3, 10, &pool));
    for (unsigned i = 0; i < 4; i++) {
        slow[i] = job_of(&gate, &ran, NULL);
        UNIT_OK(pool_submit(pool, POOL_LONG, &slow[i].base));
    }
    sem_t quick_ran;
    (void)sem_init(&quick_ran, 0, 0);
    struct job quick = job_of(NULL, &quick_ran, NULL);
    UNIT_OK(pool_submit(pool, POOL_SHORT, &quick.base));
    (void)sem_wait(&quick_ran);
    for (unsigned i = 0; i < 4; i++)
        (void)sem_post(&gate);
    pool_free(pool);
    int value = 0;
    (void)sem_getvalue(&ran, &value);
    CU_ASSERT_EQUAL(value, 4);
}

static void each_thread_has_a_lane_of_its_own(void)
{
    struct pool *pool = NULL;
    sem_t gate;
    sem_t ran;
    struct job jobs[2];
    _Atomic unsigned lanes = 0;
    (void)sem_init(&gate, 0, 0);
    (void)sem_init(&ran, 0, 0);
    UNIT_OK(pool_new(2, 5, &pool));
    for (unsigned i = 0; i < 2; i++) {
        jobs[i] = job_of(&gate, &ran, &lanes);
        UNIT_OK(pool_submit(pool, POOL_SHORT, &jobs[i].base));
    }
    while (atomic_load(&lanes) != (3U << 5))
        (void)sched_yield();
    (void)sem_post(&gate);
    (void)sem_post(&gate);
    pool_free(pool);
}

static void too_much_waiting_is_refused(void)
{
    struct pool *pool = NULL;
    sem_t gate;
    sem_t ran;
    (void)sem_init(&gate, 0, 0);
    (void)sem_init(&ran, 0, 0);
    UNIT_OK(pool_new(2, 0, &pool));
    struct job *jobs = calloc(1000, sizeof *jobs);
    CU_ASSERT_FATAL(jobs != NULL);
    unsigned accepted = 0;
    enum rc rc = RC_OK;
    while (rc == RC_OK && accepted < 1000) {
        jobs[accepted] = job_of(&gate, &ran, NULL);
        rc = pool_submit(pool, POOL_SHORT, &jobs[accepted].base);
        accepted += rc == RC_OK ? 1 : 0;
    }
    UNIT_RC(rc, RC_OVERLOADED);
    CU_ASSERT(accepted >= 256 && accepted <= 258);
    for (unsigned i = 0; i < accepted; i++)
        (void)sem_post(&gate);
    pool_free(pool);
    int value = 0;
    (void)sem_getvalue(&ran, &value);
    CU_ASSERT_EQUAL(value, (int)accepted);
    free(jobs);
}

static void a_stopped_pool_refuses(void)
{
    struct pool *pool = NULL;
    sem_t ran;
    (void)sem_init(&ran, 0, 0);
    struct job job = job_of(NULL, &ran, NULL);
    UNIT_OK(pool_new(2, 0, &pool));
    pool_stop(pool);
    UNIT_RC(pool_submit(pool, POOL_SHORT, &job.base), RC_UNAVAILABLE);
    pool_free(pool);
}

UNIT_SUITE("pool", UNIT_CASE(short_work_goes_on_while_long_work_takes_its_time),
           UNIT_CASE(each_thread_has_a_lane_of_its_own), UNIT_CASE(too_much_waiting_is_refused),
           UNIT_CASE(a_stopped_pool_refuses));

/* SPDX-License-Identifier: Apache-2.0 */
/* The pool: two bounded queues, the first thread serves the short one alone. */
#include "cluster/pool.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/thread.h"

#define WAITING_MAX 256U

struct job_queue {
    struct pool_job *first;
    struct pool_job **last;
    unsigned count;
};

struct pool_thread {
    struct pool *pool;
    pthread_t id;
    unsigned lane;
    bool short_only;
};

struct pool {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct job_queue queues[2]; /* by enum pool_kind */
    bool stopping;
    unsigned thread_count;
    struct pool_thread threads[];
};

static struct pool_job *queue_pop(struct job_queue *queue)
{
    struct pool_job *job = queue->first;
    if (job == NULL)
        return NULL;
    queue->first = job->next;
    if (queue->first == NULL)
        queue->last = &queue->first;
    queue->count--;
    return job;
}

static struct pool_job *take(struct pool_thread *thread)
{
    struct pool *pool = thread->pool;
    (void)pthread_mutex_lock(&pool->lock);
    struct pool_job *job = NULL;
    for (;;) {
        job = queue_pop(&pool->queues[POOL_SHORT]);
        if (job == NULL && !thread->short_only)
            job = queue_pop(&pool->queues[POOL_LONG]);
        if (job != NULL || pool->stopping)
            break;
        (void)pthread_cond_wait(&pool->changed, &pool->lock);
    }
    (void)pthread_mutex_unlock(&pool->lock);
    return job;
}

static void *pool_run(void *context)
{
    struct pool_thread *thread = context;
    for (struct pool_job *job = take(thread); job != NULL; job = take(thread))
        job->run(job, thread->lane);
    return NULL;
}

static enum rc start_threads(struct pool *pool, unsigned threads, unsigned first_lane)
{
    for (unsigned i = 0; i < threads; i++) {
        struct pool_thread *thread = &pool->threads[i];
        *thread = (struct pool_thread){.pool = pool, .lane = first_lane + i, .short_only = i == 0};
        TRY(thread_start(&thread->id, "qhsmd-pool", pool_run, thread));
        pool->thread_count++;
    }
    return RC_OK;
}

enum rc pool_new(unsigned threads, unsigned first_lane, struct pool **out)
{
    struct pool *pool = calloc(1, sizeof *pool + threads * sizeof pool->threads[0]);
    if (pool == NULL)
        return RC_NO_MEMORY;
    (void)pthread_mutex_init(&pool->lock, NULL);
    (void)pthread_cond_init(&pool->changed, NULL);
    for (unsigned i = 0; i < 2; i++)
        pool->queues[i].last = &pool->queues[i].first;
    enum rc rc = start_threads(pool, threads, first_lane);
    if (rc != RC_OK) {
        pool_free(pool);
        return rc;
    }
    *out = pool;
    return RC_OK;
}

void pool_stop(struct pool *pool)
{
    (void)pthread_mutex_lock(&pool->lock);
    pool->stopping = true;
    (void)pthread_cond_broadcast(&pool->changed);
    (void)pthread_mutex_unlock(&pool->lock);
    for (unsigned i = 0; i < pool->thread_count; i++)
        (void)pthread_join(pool->threads[i].id, NULL);
    pool->thread_count = 0;
}

void pool_free(struct pool *pool)
{
    if (pool == NULL)
        return;
    pool_stop(pool);
    (void)pthread_cond_destroy(&pool->changed);
    (void)pthread_mutex_destroy(&pool->lock);
    free(pool);
}

enum rc pool_submit(struct pool *pool, enum pool_kind kind, struct pool_job *job)
{
    struct job_queue *queue = &pool->queues[kind];
    (void)pthread_mutex_lock(&pool->lock);
    bool full = queue->count >= WAITING_MAX;
    bool stopping = pool->stopping;
    if (!full && !stopping) {
        job->next = NULL;
        *queue->last = job;
        queue->last = &job->next;
        queue->count++;
        /* All: the one woken alone might be the one that takes no long work. */
        (void)pthread_cond_broadcast(&pool->changed);
    }
    (void)pthread_mutex_unlock(&pool->lock);
    if (stopping)
        return rc_fail(RC_UNAVAILABLE, "the HSM is stopping");
    return full ? rc_fail(RC_OVERLOADED, "%u requests of this kind wait already", WAITING_MAX)
                : RC_OK;
}

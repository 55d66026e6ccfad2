/* SPDX-License-Identifier: Apache-2.0 */
/* The process of one contender: threads that repeat one operation, and the distribution of its
 * times. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "tools/bench.h"

/* Latencies in buckets of 1/16 octave from 1/16 us: 3 % exact, and no memory that grows. */
#define BUCKETS     512U
#define SUB_BUCKETS 16U

struct worker {
    const struct bench_engine *engine;
    const struct bench_case *one;
    unsigned number;
    pthread_t thread;
    pthread_barrier_t *start;
    double seconds;
    enum rc rc;
    char detail[128];
    uint64_t operations;
    uint64_t end_ns;
    uint32_t buckets[BUCKETS];
};

static uint64_t now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

static unsigned bucket_of(uint64_t ns)
{
    uint64_t units = ns / 4; /* 4 ns: below it nothing is told apart */
    if (units < SUB_BUCKETS)
        return (unsigned)units;
    unsigned octave = 63U - (unsigned)__builtin_clzll(units);
    unsigned sub = (unsigned)(units >> (octave - 4)) & (SUB_BUCKETS - 1);
    unsigned bucket = (octave - 3) * SUB_BUCKETS + sub;
    return bucket < BUCKETS ? bucket : BUCKETS - 1;
}

static double bucket_us(unsigned bucket)
{
    if (bucket < SUB_BUCKETS)
        return bucket * 0.004;
    unsigned octave = bucket / SUB_BUCKETS + 3;
    double units = (double)(1ULL << octave) * (1.0 + (bucket % SUB_BUCKETS + 0.5) / SUB_BUCKETS);
    return units * 0.004;
}

static double percentile(const uint64_t *buckets, uint64_t total, double part)
{
    uint64_t seen = 0;
    for (unsigned i = 0; i < BUCKETS; i++) {
        seen += buckets[i];
        if ((double)seen >= part * (double)total)
            return bucket_us(i);
    }
    return 0;
}

static void run_until(struct worker *worker, void *thread)
{
    uint64_t before = now_ns();
    uint64_t deadline = before + (uint64_t)(worker->seconds * 1e9);
    while (before < deadline) {
        worker->rc = worker->engine->step(worker->one, thread);
        if (worker->rc != RC_OK)
            return;
        uint64_t after = now_ns();
        worker->buckets[bucket_of(after - before)]++;
        worker->operations++;
        before = after;
    }
    worker->end_ns = before;
}

static void *worker_main(void *argument)
{
    struct worker *worker = argument;
    void *thread = NULL;
    worker->rc = worker->engine->thread_new(worker->one, worker->number, &thread);
    /* The first operation fills caches; it is not counted. */
    if (worker->rc == RC_OK)
        worker->rc = worker->engine->step(worker->one, thread);
    (void)pthread_barrier_wait(worker->start);
    if (worker->rc == RC_OK)
        run_until(worker, thread);
    if (worker->rc != RC_OK)
        (void)snprintf(worker->detail, sizeof worker->detail, "%s", rc_detail());
    if (thread != NULL)
        worker->engine->thread_free(thread);
    return NULL;
}

static void sum_up(struct worker *workers, unsigned count, uint64_t start, struct bench_result *out)
{
    uint64_t buckets[BUCKETS] = {0};
    uint64_t end = start;
    for (unsigned i = 0; i < count; i++) {
        if (workers[i].rc != RC_OK && out->rc == RC_OK) {
            out->rc = workers[i].rc;
            (void)snprintf(out->detail, sizeof out->detail, "%s", workers[i].detail);
        }
        out->operations += workers[i].operations;
        end = workers[i].end_ns > end ? workers[i].end_ns : end;
        for (unsigned b = 0; b < BUCKETS; b++)
            buckets[b] += workers[i].buckets[b];
    }
    out->seconds = (double)(end - start) / 1e9;
    out->p50_us = percentile(buckets, out->operations, 0.50);
    out->p99_us = percentile(buckets, out->operations, 0.99);
}

static void run_threads(const struct bench_engine *engine, const struct bench_job *job,
                        struct bench_result *out)
{
    const struct bench_case *one = &bench_cases[job->case_index];
    struct worker *workers = calloc(job->threads, sizeof *workers);
    pthread_barrier_t start;
    if (workers == NULL || pthread_barrier_init(&start, NULL, job->threads + 1) != 0) {
        out->rc = RC_NO_MEMORY;
        free(workers);
        return;
    }
    for (unsigned i = 0; i < job->threads; i++) {
        workers[i] = (struct worker){
            .engine = engine, .one = one, .number = i, .start = &start, .seconds = job->seconds};
        if (pthread_create(&workers[i].thread, NULL, worker_main, &workers[i]) != 0)
            abort(); /* the others wait at the barrier for ever: nothing to measure here */
    }
    (void)pthread_barrier_wait(&start);
    uint64_t began = now_ns();
    for (unsigned i = 0; i < job->threads; i++)
        (void)pthread_join(workers[i].thread, NULL);
    sum_up(workers, job->threads, began, out);
    (void)pthread_barrier_destroy(&start);
    free(workers);
}

static void run_job(const struct bench_engine *engine, const struct bench_job *job,
                    struct bench_result *out)
{
    const struct bench_case *one = &bench_cases[job->case_index];
    rc_detail_clear();
    out->rc = engine->prepare(one);
    if (out->rc == RC_OK)
        run_threads(engine, job, out);
    else
        (void)snprintf(out->detail, sizeof out->detail, "%s", rc_detail());
    engine->finish(one);
}

_Noreturn void bench_child(const struct bench_contender *contender, int fd)
{
    for (unsigned i = 0; i < contender->env_count; i++)
        (void)putenv((char *)(uintptr_t)contender->env[i]);
    const struct bench_engine *engine = contender->module[0] == 0 ? &bench_raw : &bench_pkcs11;
    enum rc opened = engine->open(contender);
    char why[128];
    (void)snprintf(why, sizeof why, "%s", rc_detail());
    struct bench_job job;
    while (read(fd, &job, sizeof job) == (ssize_t)sizeof job) {
        struct bench_result result = {.rc = opened};
        (void)snprintf(result.detail, sizeof result.detail, "%s", why);
        if (opened == RC_OK)
            run_job(engine, &job, &result);
        if (write(fd, &result, sizeof result) != (ssize_t)sizeof result)
            break;
    }
    engine->close();
    _exit(0);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Workers: the loop, what comes from other threads, and the way of a call through its steps. */
#include "cluster/worker.h"

#include <stdlib.h>
#include <string.h>

#include "cluster/connection.h"
#include "cluster/login_gate.h"
#include "cluster/proposer.h"
#include "cluster/requests.h"
#include "common/log.h"
#include "common/thread.h"

#define SWEEP_MS     250U
#define SPARE_MAX    16U
#define OUT_KEEP_MAX ((size_t)256 * 1024)
#define ARRIVALS_MAX 4096U

/* ---- calls */

struct call *worker_call_get(struct worker *worker)
{
    struct call *call = worker->spare;
    if (call != NULL) {
        worker->spare = call->next;
        worker->spare_count--;
        call->next = NULL;
        return call;
    }
    return call_new(&call) == RC_OK ? call : NULL;
}

void worker_call_put(struct worker *worker, struct call *call)
{
    if (worker->spare_count >= SPARE_MAX) {
        call_free(call);
        return;
    }
    call_reset(call);
    call->next = worker->spare;
    worker->spare = call;
    worker->spare_count++;
}

static struct worker *home_of(const struct call *call)
{
    return ((const struct connection *)call->owner)->worker;
}

static void post(struct worker *worker, struct call *call)
{
    (void)pthread_mutex_lock(&worker->lock);
    if (worker->done == NULL)
        (void)uv_async_send(&worker->wake);
    call->next = worker->done;
    worker->done = call;
    (void)pthread_mutex_unlock(&worker->lock);
}

void worker_post_home(struct call *call)
{
    post(home_of(call), call);
}

static void come_home(struct call *call, enum call_step step)
{
    call->step = step;
    worker_post_home(call);
}

/* On the proposer's or the consensus thread, as the next two. */
static void effect_done(void *context, enum rc rc, const struct effect_result *result,
                        uint64_t index)
{
    struct call *call = context;
    call_applied(call, rc, result, index);
    come_home(call, CALL_ANSWER);
}

static void index_known(void *context, enum rc rc, uint64_t index)
{
    struct call *call = context;
    bool goes_on = rc == RC_OK || call_needs_no_index(call, rc);
    if (!goes_on) {
        come_home(call, call_refuse(call, rc));
        return;
    }
    if (rc == RC_OK && index > call->wanted_index)
        call->wanted_index = index;
    come_home(call, CALL_WAIT);
}

/* Whether it is, or time is over, the worker sees. */
static void state_ready(void *context, enum rc rc, uint64_t applied)
{
    struct call *call = context;
    (void)applied;
    bool may_go_on = rc == RC_OK || rc == RC_DEADLINE;
    come_home(call, may_go_on ? CALL_WAIT : call_refuse(call, rc));
}

static enum call_step propose(struct call *call)
{
    enum rc rc = proposer_propose(call->service->proposer, &call->mutation.effect, call->expires_ms,
                                  effect_done, call);
    if (rc == RC_OK)
        return CALL_PROPOSE;
    const struct effect_result failed = {.rc = rc};
    hsm_settle(call->service->hsm, &call->caller, &call->mutation, &failed);
    return call_refuse(call, rc);
}

static enum call_step ask_index(struct call *call)
{
    enum rc rc = proposer_read_index(call->service->proposer, call->expires_ms, index_known, call);
    return rc == RC_OK ? CALL_ASK_INDEX : call_refuse(call, rc);
}

static enum call_step wait_for_state(struct call *call)
{
    enum rc rc = consensus_when_applied(call->service->consensus, call->wanted_index,
                                        call->expires_ms, state_ready, call);
    return rc == RC_OK ? CALL_WAIT : call_refuse(call, rc);
}

/* On a thread of the pool. */
static void pool_work(struct pool_job *job, unsigned lane)
{
    struct call *call = (struct call *)((char *)job - offsetof(struct call, job));
    enum call_step step = call_work(call, lane);
    if (step == CALL_PROPOSE)
        step = propose(call);
    if (step == CALL_ANSWER)
        come_home(call, CALL_ANSWER);
}

static enum rc submit(struct call *call)
{
    bool is_long = call->row->runs == RUNS_BY_COST;
    call->job.run = pool_work;
    return pool_submit(call->service->pool, is_long ? POOL_LONG : POOL_SHORT, &call->job);
}

/* A PIN is checked when no other check of that user is under way. */
static enum call_step to_pool(struct call *call)
{
    bool entered = true;
    enum rc rc = RC_OK;
    if (call->row->serial)
        rc = login_gate_enter(call->service->gate, call, login_gate_key(call), &entered);
    if (rc == RC_OK && entered)
        rc = submit(call);
    return rc == RC_OK ? CALL_POOL : call_refuse(call, rc);
}

/* The next who waits for the same user goes on, on its own worker if it cannot. */
static void leave_gate(struct call *call)
{
    if (call->gate_key == 0)
        return;
    struct call *following = login_gate_leave(call->service->gate, call);
    if (following == NULL)
        return;
    enum rc rc = submit(following);
    if (rc != RC_OK)
        come_home(following, call_refuse(following, rc));
}

static void answer(struct call *call)
{
    leave_gate(call);
    connection_answer(call->owner, call);
}

/* Begins the step. CALL_ANSWER, or the same: another thread has the call now. */
static enum call_step begin(struct call *call, enum call_step step)
{
    switch (step) {
    case CALL_ASK_INDEX:
        return ask_index(call);
    case CALL_WAIT:
        return wait_for_state(call);
    case CALL_POOL:
        return to_pool(call);
    case CALL_PROPOSE:
        return propose(call);
    case CALL_RUN:
    case CALL_PENDING:
    case CALL_ANSWER:
        break;
    }
    return step;
}

void worker_advance(struct worker *worker, struct call *call, enum call_step step)
{
    if (step == CALL_RUN)
        step = call_work(call, worker->lane);
    if (begin(call, step) == CALL_ANSWER)
        answer(call);
}

/* ---- timers */

static void sweep_fired(uv_timer_t *timer)
{
    struct worker *worker = timer->data;
    uint64_t now = clock_steady_ms();
    struct connection *connection = worker->connections;
    while (connection != NULL) {
        struct connection *next = connection->next;
        connection_sweep(connection, now);
        connection = next;
    }
}

static void resume_fired(uv_idle_t *idle)
{
    struct worker *worker = idle->data;
    struct connection *list = worker->runnable;
    worker->runnable = NULL;
    while (list != NULL) {
        struct connection *connection = list;
        list = connection->next_runnable;
        connection_resume(connection);
    }
    if (worker->runnable == NULL)
        (void)uv_idle_stop(idle);
}

void worker_resume(struct worker *worker)
{
    if (!worker->is_closing)
        (void)uv_idle_start(&worker->resume, resume_fired);
}

/* ---- from other threads */

enum rc worker_give(struct worker *worker, const struct arrival *arrival)
{
    enum rc rc = RC_OK;
    (void)pthread_mutex_lock(&worker->lock);
    if (worker->arrival_count == worker->arrival_cap) {
        size_t cap = worker->arrival_cap == 0 ? 16 : worker->arrival_cap * 2;
        struct arrival *grown =
            cap > ARRIVALS_MAX ? NULL : realloc(worker->arrivals, cap * sizeof *grown);
        if (grown == NULL) {
            rc = rc_fail(RC_OVERLOADED, "too many connections arrive at once");
        } else {
            worker->arrivals = grown;
            worker->arrival_cap = cap;
        }
    }
    if (rc == RC_OK) {
        worker->arrivals[worker->arrival_count++] = *arrival;
        atomic_fetch_add(&worker->load, 1);
        (void)uv_async_send(&worker->wake);
    }
    (void)pthread_mutex_unlock(&worker->lock);
    return rc;
}

size_t worker_load(struct worker *worker)
{
    return atomic_load(&worker->load);
}

static bool take_arrival(struct worker *worker, struct arrival *out)
{
    (void)pthread_mutex_lock(&worker->lock);
    bool any = worker->arrival_count > 0;
    if (any)
        *out = worker->arrivals[--worker->arrival_count];
    (void)pthread_mutex_unlock(&worker->lock);
    return any;
}

static void serve_done(struct worker *worker)
{
    (void)pthread_mutex_lock(&worker->lock);
    struct call *newest = worker->done;
    worker->done = NULL;
    (void)pthread_mutex_unlock(&worker->lock);
    struct call *oldest = NULL;
    while (newest != NULL) {
        struct call *next = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    while (oldest != NULL) {
        struct call *call = oldest;
        oldest = call->next;
        call->next = NULL;
        worker_advance(worker, call, call->step == CALL_WAIT ? call_resume(call) : CALL_ANSWER);
    }
}

static void close_handles(struct worker *worker)
{
    worker->is_closing = true;
    resume_fired(&worker->resume);
    uv_close((uv_handle_t *)&worker->wake, NULL);
    uv_close((uv_handle_t *)&worker->sweep, NULL);
    uv_close((uv_handle_t *)&worker->resume, NULL);
}

static void end_connections(struct worker *worker, bool at_once)
{
    struct connection *connection = worker->connections;
    while (connection != NULL) {
        struct connection *next = connection->next;
        if (at_once)
            connection_close(connection, "stopped");
        else
            connection_drain(connection);
        connection = next;
    }
}

static void woken(uv_async_t *wake)
{
    struct worker *worker = wake->data;
    struct arrival arrival;
    while (take_arrival(worker, &arrival))
        connection_open(worker, &arrival);
    serve_done(worker);
    (void)pthread_mutex_lock(&worker->lock);
    bool draining = worker->draining;
    bool stopping = worker->stopping;
    (void)pthread_mutex_unlock(&worker->lock);
    if (draining || stopping) {
        worker->is_draining = true;
        end_connections(worker, stopping);
    }
    if (stopping && !worker->is_closing)
        close_handles(worker);
}

/* ---- life */

static void *worker_run(void *context)
{
    struct worker *worker = context;
    (void)uv_run(&worker->loop, UV_RUN_DEFAULT);
    if (uv_loop_close(&worker->loop) != 0)
        log_warn("loop_not_closed", "loop=worker lane=%u", worker->lane);
    return NULL;
}

static void init_handles(struct worker *worker)
{
    (void)uv_async_init(&worker->loop, &worker->wake, woken);
    (void)uv_timer_init(&worker->loop, &worker->sweep);
    (void)uv_idle_init(&worker->loop, &worker->resume);
    worker->wake.data = worker;
    worker->sweep.data = worker;
    worker->resume.data = worker;
    (void)uv_timer_start(&worker->sweep, sweep_fired, SWEEP_MS, SWEEP_MS);
}

enum rc worker_new(struct service *service, unsigned lane, struct worker **out)
{
    struct worker *worker = calloc(1, sizeof *worker);
    uint8_t *scratch = calloc(1, WORKER_SCRATCH_LEN);
    if (worker == NULL || scratch == NULL || uv_loop_init(&worker->loop) != 0) {
        free(scratch);
        free(worker);
        return rc_fail(RC_NO_MEMORY, "worker %u", lane);
    }
    worker->service = service;
    worker->lane = lane;
    worker->scratch = scratch;
    worker->out = (struct buf)BUF_INIT_MAX(SIZE_MAX / 2);
    (void)pthread_mutex_init(&worker->lock, NULL);
    init_handles(worker);
    enum rc rc = thread_start(&worker->thread, "qhsmd-worker", worker_run, worker);
    worker->is_started = rc == RC_OK;
    if (rc != RC_OK) {
        worker_free(worker);
        return rc;
    }
    *out = worker;
    return RC_OK;
}

void worker_drain(struct worker *worker)
{
    (void)pthread_mutex_lock(&worker->lock);
    worker->draining = true;
    (void)uv_async_send(&worker->wake);
    (void)pthread_mutex_unlock(&worker->lock);
}

void worker_stop(struct worker *worker)
{
    if (!worker->is_started)
        return;
    (void)pthread_mutex_lock(&worker->lock);
    worker->stopping = true;
    (void)uv_async_send(&worker->wake);
    (void)pthread_mutex_unlock(&worker->lock);
    (void)pthread_join(worker->thread, NULL);
    worker->is_started = false;
}

void worker_free(struct worker *worker)
{
    if (worker == NULL)
        return;
    worker_stop(worker);
    while (worker->spare != NULL) {
        struct call *call = worker->spare;
        worker->spare = call->next;
        call_free(call);
    }
    buf_clear(&worker->out);
    (void)pthread_mutex_destroy(&worker->lock);
    free(worker->arrivals);
    secret_wipe(worker->scratch, WORKER_SCRATCH_LEN);
    free(worker->scratch);
    free(worker);
}

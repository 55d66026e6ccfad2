/* SPDX-License-Identifier: Apache-2.0 */
/* A worker: a thread and loop that owns the connections given to it and serves their requests in
 * place. */
#ifndef QHSM_CLUSTER_WORKER_H
#define QHSM_CLUSTER_WORKER_H

#include <pthread.h>
#include <uv.h>

#include "cluster/call.h"

#define WORKER_SCRATCH_LEN ((size_t)64 * 1024)

/* A socket on its way from the acceptor. */
struct arrival {
    int fd;
    SSL *ssl;    /* NULL: plain */
    bool refuse; /* over connections_max: to be told so, then closed */
    bool is_unix;
};

struct connection;

struct worker {
    struct service *service;
    unsigned lane;
    pthread_t thread;
    bool is_started;
    uv_loop_t loop;
    uv_async_t wake;
    uv_timer_t sweep; /* deadlines of connections */
    uv_idle_t resume; /* connections with requests already read */
    _Atomic size_t load;

    /* from other threads */
    pthread_mutex_t lock;
    struct call *done; /* newest first */
    struct arrival *arrivals;
    size_t arrival_count, arrival_cap;
    bool draining, stopping;

    /* the worker's own */
    bool is_draining, is_closing;
    struct connection *connections;
    struct connection *runnable;
    struct call *spare;
    unsigned spare_count;
    struct buf out; /* answers of the connection being served */
    uint8_t *scratch;
};

/* Starts the thread. */
enum rc worker_new(struct service *service, unsigned lane, struct worker **out);
/* No new requests; connections are closed as they have nothing outstanding. Any thread. */
void worker_drain(struct worker *worker);
/* Closes what is left, joins. Calls that others hold have come home before. */
void worker_stop(struct worker *worker);
void worker_free(struct worker *worker);
/* Hands over a socket. Any thread. On failure the caller keeps it. */
enum rc worker_give(struct worker *worker, const struct arrival *arrival);
/* Connections now. Any thread. */
size_t worker_load(struct worker *worker);

/* ---- on the worker's thread */

struct call *worker_call_get(struct worker *worker);
void worker_call_put(struct worker *worker, struct call *call);
/* connection_resume() will be called for worker->runnable. */
void worker_resume(struct worker *worker);
/* Takes a call to its answer or to where it waits. */
void worker_advance(struct worker *worker, struct call *call, enum call_step step);

/* ---- any thread */

/* To the worker of its connection. */
void worker_post_home(struct call *call);

#endif

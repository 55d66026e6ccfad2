/* SPDX-License-Identifier: Apache-2.0 */
/* The client's connections: which endpoint to use, which connection, and who waits. Its mutex is
 * held for moments only, never across I/O or libcrypto. */
#ifndef QHSM_RPC_CLIENT_POOL_H
#define QHSM_RPC_CLIENT_POOL_H

#include <pthread.h>

#include "rpc/client_conn.h"

#define POOL_ENDPOINTS_MAX 64U

/* What the pool knows of an endpoint. */
struct pool_endpoint {
    struct endpoint endpoint;
    struct client_conn *idle; /* last used first */
    uint64_t node;            /* as its last hello said, 0 unknown */
    unsigned failures;        /* in a row */
    instant retry_at;         /* not tried before, while another one answers */
    enum rc rc;               /* of the last failure, for the error's text */
    char reason[128];
};

struct client_pool {
    pthread_mutex_t mutex;
    pthread_cond_t freed;
    unsigned waiting;
    struct pool_endpoint *endpoints; /* own zone first, then as configured */
    size_t endpoint_count;
    struct client_conn *conns;
    size_t conn_count;
    struct client_conn *free; /* closed ones */
    struct arena **arenas;    /* spare ones */
    size_t arena_count;
};

enum rc client_pool_init(struct client_pool *pool, const struct client_config *config);
/* Closes everything, politely. */
void client_pool_clear(struct client_pool *pool);
/* In a child after fork: only closes descriptors. */
void client_pool_abandon(struct client_pool *pool);

/* What a call looks for. */
struct pool_wish {
    uint64_t node;    /* 0: any */
    uint64_t tried;   /* a bit an endpoint that has failed this call */
    instant deadline; /* for waiting */
    bool is_probe;    /* out: the endpoint failed before and others answer: connect in haste */
};
/* An idle connection, or a closed one to be opened to conn->endpoint. Endpoints in order, those
 * that failed lately last. RC_UNAVAILABLE when all have been tried (with each one's reason),
 * RC_DEADLINE when none of pool_max connections came free in time. */
enum rc client_pool_take(struct client_pool *pool, struct pool_wish *wish,
                         struct client_conn **out);
/* Back to the pool: open ones as idle, closed ones as free. */
void client_pool_give(struct client_pool *pool, struct client_conn *conn);
/* The endpoint answered: its failures are forgotten. */
void client_pool_succeeded(struct client_pool *pool, const struct client_conn *conn);
/* It failed: rests for a while that doubles. The reason is rc_detail(). */
void client_pool_failed(struct client_pool *pool, unsigned endpoint, enum rc rc);
/* Closes the idle connections of an endpoint, whose daemon has gone away. */
void client_pool_flush(struct client_pool *pool, unsigned endpoint);
/* rc_fail() naming each endpoint and why; RC_TLS or such when that is the only reason. */
enum rc client_pool_unavailable(struct client_pool *pool, uint64_t node);

enum rc client_pool_arena_take(struct client_pool *pool, struct arena **out);
void client_pool_arena_give(struct client_pool *pool, struct arena *arena);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* The client's connections: which endpoint to use, which connection, and who waits. Its mutex is
 * held for moments only, never across I/O or libcrypto. */
#ifndef QHSM_RPC_CLIENT_POOL_H
#define QHSM_RPC_CLIENT_POOL_H

#include <pthread.h>

#include "rpc/client_conn.h"

#define POOL_ENDPOINTS_MAX 64U

/*
 *          a call failed                 answered a call as it wanted
 *   WELL -----------------> DOWN    ----------------------------------> WELL
 *   WELL -----------------> REFUSES ----------------------------------> WELL
 *          it would not
 *
 * To be connected to is not enough: one that is cut off says hello, and keeps silent then.
 */
enum pool_health { POOL_WELL, POOL_REFUSES, POOL_DOWN };

/* What the pool knows of an endpoint. */
struct pool_endpoint {
    struct endpoint endpoint;
    struct client_conn *idle; /* last used first */
    _Atomic uint64_t node;    /* as its last hello said, 0 unknown; written under the mutex */
    uint64_t twins;           /* a bit an endpoint that may be of the same HSM, as long as nodes are
                                 unknown: socket and address of a zone */
    unsigned rank;            /* lower ones first; the least busy one of the same rank */
    unsigned busy;            /* connections in use */
    atomic_int health;        /* enum pool_health; written under the mutex */
    unsigned failures;        /* rests in a row */
    bool is_looked_at;        /* somebody tries whether it is back */
    atomic_uint slow;         /* answers in a row that a second HSM was quicker with */
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
    size_t turn; /* among equals the one at or after this is next */
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
    bool may_probe;   /* may be the one that looks whether an endpoint is back */
    bool only_well;   /* nothing that is in trouble */
    bool is_probe;    /* out: the endpoint failed before and others answer: connect in haste */
};
/* An idle connection, or a closed one to be opened to conn->endpoint. Endpoints by rank, the least
 * busy of a rank, in turn among equals; those in trouble last. RC_UNAVAILABLE when all have been
 * tried (with each one's reason), RC_DEADLINE when none of pool_max connections came free in time.
 */
enum rc client_pool_take(struct client_pool *pool, struct pool_wish *wish,
                         struct client_conn **out);
/* A closed connection to that endpoint beside those in use; NULL when there is none to spare. */
struct client_conn *client_pool_spare(struct client_pool *pool, unsigned endpoint);
/* Back to the pool: open ones as idle, closed ones as free. */
void client_pool_give(struct client_pool *pool, struct client_conn *conn);
/* The endpoint was connected to: whose it is. */
void client_pool_connected(struct client_pool *pool, const struct client_conn *conn);
/* The endpoint did what a call wanted: its failures are forgotten. Costs nothing when it was well.
 */
void client_pool_succeeded(struct client_pool *pool, unsigned endpoint);
/* It failed: rests for a while that doubles, its idle connections are closed. The reason is
 * rc_detail(). After RC_DEADLINE, silence, the same goes for the HSM's other endpoints. A bit for
 * each endpoint that is not worth trying for the call. */
uint64_t client_pool_failed(struct client_pool *pool, unsigned endpoint, enum rc rc);
/* Endpoints of the same HSM, itself included. */
uint64_t client_pool_same(const struct client_pool *pool, unsigned endpoint);
/* Is there an endpoint of another HSM, besides those tried? */
bool client_pool_has_other(const struct client_pool *pool, unsigned endpoint, uint64_t tried);
/* It answers, but not with what it is asked for: its HSM rests like that, with all its endpoints;
 * connections stay. A bit for each of them. */
uint64_t client_pool_refused(struct client_pool *pool, unsigned endpoint, enum rc rc);
/* Another HSM was quicker by more than the hedge's delay. Too often in a row is a failure. */
void client_pool_slow(struct client_pool *pool, unsigned endpoint);
/* Closes the idle connections of an endpoint, whose daemon has gone away. */
void client_pool_flush(struct client_pool *pool, unsigned endpoint);
/* rc_fail() naming each endpoint and why; RC_TLS or such when that is the only reason. */
enum rc client_pool_unavailable(struct client_pool *pool, uint64_t node);
/* Takes over which endpoints of the same configuration are in trouble. `from` may be the pool of a
 * process that forked us: its mutex is left alone. */
void client_pool_learn(struct client_pool *pool, const struct client_pool *from);

enum rc client_pool_arena_take(struct client_pool *pool, struct arena **out);
void client_pool_arena_give(struct client_pool *pool, struct arena *arena);

#endif

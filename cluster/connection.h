/* SPDX-License-Identifier: Apache-2.0 */
/* One client connection: handshake, frames in, answers out, and its limits. The worker's thread
 * only.
 *
 *   HANDSHAKE --> OPEN --> FLUSHING --> CLOSED
 *       |           |                      ^
 *       +-----------+----------------------+
 */
#ifndef QHSM_CLUSTER_CONNECTION_H
#define QHSM_CLUSTER_CONNECTION_H

#include "cluster/stream.h"
#include "cluster/worker.h"

enum connection_state {
    CONNECTION_HANDSHAKE,
    CONNECTION_OPEN,
    CONNECTION_FLUSHING, /* what is to be said is said; no more requests */
    CONNECTION_CLOSED,   /* memory goes when nothing is outstanding */
};

struct connection {
    struct connection *next, *previous; /* the worker's */
    struct connection *next_runnable;
    bool is_runnable;
    struct worker *worker;
    enum connection_state state;
    uv_poll_t poll;
    bool poll_open;
    int events;      /* that poll waits for */
    bool want_write; /* TLS cannot read on before it has written */
    bool refuse;
    bool serving; /* answers are gathered in worker->out */
    struct stream stream;
    struct peer peer;
    bool has_more;   /* could be served again without new bytes */
    unsigned budget; /* requests left in this turn */
    struct buf in;   /* a frame's beginning, or frames that wait their turn */
    size_t discard;  /* bytes of a refused frame still to come */
    struct buf out;  /* unsent */
    size_t out_done; /* sent of it */
    unsigned outstanding;
    unsigned offences; /* messages that made no sense */
    uint64_t opened_ms;
    uint64_t active_ms;  /* last whole request, or answer sent */
    uint64_t partial_ms; /* since when a frame is incomplete; 0: none is */
    uint64_t blocked_ms; /* since when the peer takes nothing; 0: it does */
};

/* Takes the socket; on failure it is closed. */
void connection_open(struct worker *worker, const struct arrival *arrival);
/* Goes on with requests that were read but not served. */
void connection_resume(struct connection *connection);
/* The call's answer goes out; the call is given back. */
void connection_answer(struct connection *connection, struct call *call);
/* Deadlines. */
void connection_sweep(struct connection *connection, uint64_t now_ms);
/* No more requests; closes when nothing is outstanding. */
void connection_drain(struct connection *connection);
void connection_close(struct connection *connection, const char *reason);

#endif

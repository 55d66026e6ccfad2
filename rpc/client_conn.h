/* SPDX-License-Identifier: Apache-2.0 */
/* One connection of the client: open, exchange a request for its answer, close. Used by one thread
 * at a time. */
#ifndef QHSM_RPC_CLIENT_CONN_H
#define QHSM_RPC_CLIENT_CONN_H

#include <stdatomic.h>

#include "rpc/client_clock.h"
#include "rpc/client_endpoint.h"
#include "rpc/client_tls.h"

struct client_conn {
    atomic_int fd; /* -1: closed */
    SSL *ssl;      /* NULL on a Unix socket */
    unsigned endpoint;
    uint64_t node;
    size_t frame_max; /* of the daemon, as its hello said */
    bool is_reused;   /* has answered before this call */
    bool is_stranger; /* taken to be opened; may still be open to another endpoint */
    unsigned owed;    /* answers to requests that were given up, still to come */
    char release[64];
    uint8_t cluster[16]; /* as its hello said; zero: it did not */
    int64_t certificate_expires_s;
    /* for the exchange under way */
    instant deadline;
    instant block_ns; /* SO_RCVTIMEO */
    bool may_block;   /* the next receive may rest in recv(): SO_RCVTIMEO is as long as the deadline
                       */
    enum rc io;       /* why reading or writing failed, RC_OK when it did not */
    uint64_t last_id;
    struct buf out;
    struct buf in;
    struct client_conn *next; /* in the pool's lists */
};

/* What all connections of a client share. */
struct client_peer {
    const struct client_config *config;
    const char *client_name;
    const uint8_t *application;
    struct client_tls *tls;   /* NULL for a Unix socket */
    unsigned long receive_ms; /* how long a receive may rest in the kernel: the usual deadline */
};

void client_conn_init(struct client_conn *conn);
/* Connects, shakes hands, says hello, all before `deadline`. Closed again on failure:
 * RC_UNAVAILABLE, RC_TLS, RC_VERSION, RC_PROTOCOL, or what the daemon answered. */
enum rc client_conn_open(struct client_conn *conn, const struct client_peer *peer,
                         const struct endpoint *endpoint, instant deadline);
/* `polite` sends TLS's close_notify where that does not block. Keeps the buffers. */
void client_conn_close(struct client_conn *conn, bool polite);
/* Closes and frees what it holds. */
void client_conn_clear(struct client_conn *conn);
/* The daemon has not hung up. One system call. */
bool client_conn_is_alive(const struct client_conn *conn);

/* Sends the request and waits for its answer, which is unpacked into `arena`. RC_OK: an answer, of
 * whatever rc. RC_UNAVAILABLE: the connection broke; RC_DEADLINE, RC_TLS, RC_PROTOCOL,
 * RC_TOO_LARGE. After a failure it is closed, unless the request was refused before anything was
 * sent (fd is still there). */
enum rc client_conn_exchange(struct client_conn *conn, Qhsm__Request *request, instant deadline,
                             struct arena *arena, Qhsm__Response **out);

/* The same in steps. `deadline` is told to the daemon. */
enum rc client_conn_send(struct client_conn *conn, Qhsm__Request *request, instant deadline);
/* The answer to the last request sent. Closed after a failure, RC_DEADLINE too. */
enum rc client_conn_receive(struct client_conn *conn, instant deadline, struct arena *arena,
                            Qhsm__Response **out);
/* Nobody waits for the answer to the last request any more: it is dropped when it comes. */
void client_conn_give_up(struct client_conn *conn);
#define CLIENT_CONN_WAIT_MAX 2U
/* Waits until one of them has something to read: its index, or `count` when none has by then. */
size_t client_conn_wait(struct client_conn *const *conns, size_t count, instant until);

#endif

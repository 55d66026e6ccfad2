/* SPDX-License-Identifier: Apache-2.0 */
/* One connection between two peers, from its first packet to its end. Inside of the transport; all
 * on the loop's thread.
 *
 *   dialled:   RESOLVE -> CONNECT -> HANDSHAKE -> HELLO (sent) -> ACK (read) -> PUMP
 *   accepted:                        HANDSHAKE -> HELLO (read) -> ACK (sent) -> PUMP
 *   any of them -> CLOSED
 *
 * The engine's connections carry messages one way, from the one who dialled. It is given one end
 * of a socket pair; the link carries bytes between the other end and TLS. */
#ifndef QHSM_CLUSTER_PEER_LINK_H
#define QHSM_CLUSTER_PEER_LINK_H

#include <stdatomic.h>

#include "cluster/listener_bind.h"
#include "cluster/peer_inspect.h"
#include "cluster/peer_transport.h"
#include "cluster/peer_trouble.h"
#include "rpc/tls.h"

#define PEER_HELLO_FIXED_LEN 24U
#define PEER_HELLO_LEN_MAX   (PEER_HELLO_FIXED_LEN + PEER_ADDRESS_MAX + 1U)
#define PEER_ACK_LEN         8U
#define PEER_SETUP_MS        2000U /* from the first packet to the acknowledgement */
#define PEER_BUFFER_LEN      ((size_t)64 * 1024)

enum link_state { /* in this order */
                  LINK_RESOLVE,
                  LINK_CONNECT,
                  LINK_HANDSHAKE,
                  LINK_HELLO,
                  LINK_ACK,
                  LINK_PUMP,
                  LINK_CLOSED,
                  LINK_STATE_COUNT
};

/* What the accepting side says of the dialling one; numbers are on the wire. */
enum peer_verdict {
    PEER_WELCOME,
    PEER_NO_NODE,      /* its certificate is not of a node of this cluster */
    PEER_OTHER_NUMBER, /* its hello names another number than its certificate */
    PEER_NO_MEMBER,    /* it was removed */
    PEER_MALFORMED,    /* its hello is */
    PEER_VERDICT_COUNT
};

enum link_step { STEP_WAIT, STEP_NEXT, STEP_FAIL };

struct delayed_chunk;

struct peer_link {
    struct peer_link *next, *prev;
    struct peer_transport *transport;
    enum link_state state;
    bool outbound;
    uint64_t id; /* 0: not known yet */
    char address[PEER_ADDRESS_MAX + 1];
    enum peer_verdict verdict;

    struct raft_uv_connect *request; /* of the engine, until it is answered */
    raft_uv_connect_cb done;

    uv_getaddrinfo_t resolve;
    bool resolving;
    int resolve_status;

    int fd;   /* TLS */
    int pair; /* our end */
    uv_poll_t tls_poll, pair_poll;
    uv_timer_t timer;
    bool has_tls_poll, has_pair_poll;
    int tls_events, pair_events;
    bool tls_ready, pair_ready; /* readable, at this wake-up */
    unsigned handles;           /* not closed yet */

    SSL *ssl;
    uint8_t hello[PEER_HELLO_LEN_MAX];
    size_t hello_len, hello_at;
    uint8_t ack[PEER_ACK_LEN];
    size_t ack_at;

    bool handed_over;  /* the engine has its end */
    uv_pipe_t *stream; /* until then */
    uint8_t *buffer;
    size_t start, end; /* of what is to be written on */
    struct peer_inspector *inspector;
    bool dropping; /* the present message */
    uint64_t dice;
    uint64_t stalled_ms;
    struct delayed_chunk *delayed, **delayed_last;
    size_t delayed_len;
};

/* What was last said in the log of a peer that we dial. */
struct peer_report {
    uint64_t id;       /* 0: a free row */
    unsigned failures; /* in a row */
    char text[160];    /* of the last one */
};

struct peer_transport {
    struct raft_uv_transport raft; /* what the engine has */
    uv_loop_t *loop;
    uint64_t node;
    uint8_t cluster[16];
    char cluster_text[37];
    bool (*is_member)(void *context, uint64_t id);
    void (*lost)(void *context, uint64_t id);
    void *context;
    char address[PEER_ADDRESS_MAX + 1]; /* ours, in the engine's configuration */

    struct listener_sockets sockets;
    uv_poll_t accept_polls[LISTENER_SOCKETS_MAX];
    uv_timer_t rest; /* from accepting, when there are no descriptors */
    unsigned handles;
    bool listening, closing;
    raft_uv_accept_cb accepted;
    raft_uv_transport_close_cb closed;

    struct peer_link *links; /* oldest first */
    struct peer_link *links_last;
    unsigned half_open;
    uint64_t refusal_logged_ms;
    unsigned refusals_unlogged;
    struct peer_report reports[PEER_MEMBERS_MAX];

    struct peer_notes notes;
    pthread_mutex_t tls_lock;
    SSL_CTX *server, *client;
    struct {
        _Atomic uint64_t connected, refused, failed, messages_refused, messages_dropped, bytes_in,
            bytes_out;
    } counters;
};

/* ---- peer_link.c */

/* NULL without memory. Its time runs. */
struct peer_link *peer_link_new(struct peer_transport *transport, bool outbound,
                                enum link_state state);
/* Goes as far as it can without waiting. */
void peer_link_advance(struct peer_link *link);
void peer_link_want(struct peer_link *link, int tls_events, int pair_events);
enum rc peer_link_poll_tls(struct peer_link *link);
enum rc peer_link_poll_pair(struct peer_link *link);
void peer_link_timer(struct peer_link *link, unsigned ms);
/* Ends it; an engine's request that is still open is answered. Memory goes when libuv lets it. */
void peer_link_close(struct peer_link *link, const char *reason);
enum rc peer_link_begin_tls(struct peer_link *link);
/* Of a TLS call that gave `rv`: waits for what it wants, or fails with the reason. */
enum link_step peer_link_tls_wait(struct peer_link *link, int rv);
/* The number in the certificate of the peer. RC_TLS. */
enum rc peer_link_identify(const struct peer_link *link, uint64_t *out_id);
struct peer_trouble peer_link_trouble(struct peer_link *link);

/* ---- peer_dial.c, peer_accept.c: setting up; peer_pump.c: carrying */

enum link_step peer_dial_resolve(struct peer_link *link);
enum link_step peer_dial_connect(struct peer_link *link);
enum link_step peer_dial_handshake(struct peer_link *link);
enum link_step peer_dial_hello(struct peer_link *link);
enum link_step peer_dial_ack(struct peer_link *link);
enum link_step peer_accept_handshake(struct peer_link *link);
enum link_step peer_accept_hello(struct peer_link *link);
enum link_step peer_accept_ack(struct peer_link *link);
enum rc peer_pump_open(struct peer_link *link);
enum link_step peer_pump(struct peer_link *link);
void peer_pump_free(struct peer_link *link);

int peer_dial(struct raft_uv_transport *raft, struct raft_uv_connect *request, raft_id id,
              const char *address, raft_uv_connect_cb done);
enum rc peer_accept_start(struct peer_transport *transport);
void peer_accept_stop(struct peer_transport *transport);

/* ---- peer_transport.c */

/* A reference; SSL_CTX_free() it. */
SSL_CTX *peer_transport_tls(struct peer_transport *transport, bool server);
/* Fires the engine's close callback when all is closed. */
void peer_transport_maybe_closed(struct peer_transport *transport);
/* ---- peer_report.c: the log, without a line for each attempt */
unsigned peer_report_failures(const struct peer_transport *transport, uint64_t id);
void peer_report_up(struct peer_transport *transport, const struct peer_link *link);
void peer_report_end(struct peer_transport *transport, const struct peer_link *link,
                     const char *reason);

#endif

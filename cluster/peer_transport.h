/* SPDX-License-Identifier: Apache-2.0 */
/* How the engine talks to its peers: TLS 1.3 with certificates on both sides, the number of a node
 * taken from its certificate. A raft_uv_transport, version 1. */
#ifndef QHSM_CLUSTER_PEER_TRANSPORT_H
#define QHSM_CLUSTER_PEER_TRANSPORT_H

#include <openssl/ssl.h>
#include <raft/uv.h>

#include "common/rc.h"

struct peer_transport;

struct peer_transport_config {
    uv_loop_t *loop;
    uint64_t node;
    uint8_t cluster[16];
    const char *listen; /* host:port; port 0: any */
    /* Of rpc/tls.h, of a certificate qhsm:CLUSTER/node/NODE; references are taken. */
    SSL_CTX *server, *client;
    /* May this node speak to us? On the loop's thread. */
    bool (*is_member)(void *context, uint64_t id);
    /* A link with it that carried messages has ended. May be NULL. On the loop's thread. */
    void (*lost)(void *context, uint64_t id);
    void *context;
};

/* Listens, accepts nobody yet. RC_CONFIG when it cannot bind or the certificates are of somebody
 * else. */
enum rc peer_transport_new(const struct peer_transport_config *config, struct peer_transport **out);
/* Of a transport that the engine has closed, or never initialised, when its loop has run out. */
void peer_transport_free(struct peer_transport *transport);
/* What raft_uv_init() is given; lives as long as the transport. */
struct raft_uv_transport *peer_transport_raft(struct peer_transport *transport);
unsigned peer_transport_port(const struct peer_transport *transport);

/* Asks is_member again about everybody who is connected. The loop's thread. */
void peer_transport_recheck(struct peer_transport *transport);
/* New certificates for connections from now on. Any thread. RC_CONFIG when of somebody else. */
enum rc peer_transport_reload(struct peer_transport *transport, SSL_CTX *server, SSL_CTX *client);
/* Where a node is found, whatever the engine's configuration says; NULL forgets. Any thread.
 * RC_LIMIT, RC_BAD_ARGUMENT. */
enum rc peer_transport_locate(struct peer_transport *transport, uint64_t id, const char *address);
/* The same, unless the node said itself where it is. */
enum rc peer_transport_suggest(struct peer_transport *transport, uint64_t id, const char *address);

/* ---- emulated trouble, for people who test */

struct peer_trouble {
    bool cut_in;            /* nothing from it arrives */
    bool cut_out;           /* nothing that we send arrives there */
    unsigned delay_ms;      /* of what we send */
    unsigned drop_permille; /* of its messages, whole ones, are lost */
};
/* Any thread. `id` 0: every peer that has no trouble of its own. RC_LIMIT. */
enum rc peer_transport_trouble(struct peer_transport *transport, uint64_t id,
                               const struct peer_trouble *trouble);

struct peer_counters {
    uint64_t connected;        /* links that came as far as carrying messages, both directions */
    uint64_t refused;          /* peers that we refused */
    uint64_t failed;           /* links that failed before they carried messages */
    uint64_t messages_refused; /* links cut for what they carried */
    uint64_t messages_dropped; /* by emulated trouble */
    uint64_t bytes_in, bytes_out;
};
/* Any thread. */
void peer_transport_counters(struct peer_transport *transport, struct peer_counters *out);

#endif

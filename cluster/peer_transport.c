/* SPDX-License-Identifier: Apache-2.0 */
/* The transport as the engine and the daemon see it. */
#include "cluster/peer_transport.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cluster/peer_hello.h"
#include "cluster/peer_link.h"

/* ---- what the engine calls */

static int transport_init(struct raft_uv_transport *raft, raft_id id, const char *address)
{
    struct peer_transport *transport = raft->impl;
    if (id != transport->node || strlen(address) > PEER_ADDRESS_MAX)
        return RAFT_INVALID;
    (void)snprintf(transport->address, sizeof transport->address, "%s", address);
    return 0;
}

static int transport_listen(struct raft_uv_transport *raft, raft_uv_accept_cb accepted)
{
    struct peer_transport *transport = raft->impl;
    transport->accepted = accepted;
    if (peer_accept_start(transport) == RC_OK)
        return 0;
    (void)snprintf(raft->errmsg, sizeof raft->errmsg, "%s", rc_detail());
    return RAFT_IOERR;
}

void peer_transport_maybe_closed(struct peer_transport *transport)
{
    if (!transport->closing || transport->handles > 0 || transport->links != NULL ||
        transport->closed == NULL)
        return;
    raft_uv_transport_close_cb closed = transport->closed;
    transport->closed = NULL;
    closed(&transport->raft);
}

/* The engine's open requests are answered first, then its close. */
static void transport_close(struct raft_uv_transport *raft, raft_uv_transport_close_cb closed)
{
    struct peer_transport *transport = raft->impl;
    transport->closing = true;
    transport->closed = closed;
    peer_accept_stop(transport);
    struct peer_link *next = NULL;
    for (struct peer_link *link = transport->links; link != NULL; link = next) {
        next = link->next;
        if (link->state == LINK_PUMP)
            (void)SSL_shutdown(link->ssl); /* the others need not wonder */
        if (link->state != LINK_CLOSED)
            peer_link_close(link, "closing");
    }
    peer_transport_maybe_closed(transport);
}

/* ---- certificates */

static enum rc check_identity(const SSL_CTX *ctx, const char *cluster, uint64_t node)
{
    char name[24];
    struct tls_identity identity;
    TRY(tls_own_identity(ctx, &identity));
    (void)snprintf(name, sizeof name, "%" PRIu64, node);
    if (identity.role != TLS_ROLE_NODE ||
        !bytes_equal(bytes_of_str(identity.cluster), bytes_of_str(cluster)) ||
        !bytes_equal(bytes_of_str(identity.name), bytes_of_str(name)))
        return rc_fail(RC_CONFIG, "the certificate is of qhsm:%s/%s/%s, not of qhsm:%s/node/%s",
                       identity.cluster, tls_role_name(identity.role), identity.name, cluster,
                       name);
    return RC_OK;
}

enum rc peer_transport_reload(struct peer_transport *transport, SSL_CTX *server, SSL_CTX *client)
{
    TRY(check_identity(server, transport->cluster_text, transport->node));
    TRY(check_identity(client, transport->cluster_text, transport->node));
    (void)SSL_CTX_up_ref(server);
    (void)SSL_CTX_up_ref(client);
    (void)pthread_mutex_lock(&transport->tls_lock);
    SSL_CTX *old_server = transport->server;
    SSL_CTX *old_client = transport->client;
    transport->server = server;
    transport->client = client;
    (void)pthread_mutex_unlock(&transport->tls_lock);
    SSL_CTX_free(old_server);
    SSL_CTX_free(old_client);
    return RC_OK;
}

SSL_CTX *peer_transport_tls(struct peer_transport *transport, bool server)
{
    (void)pthread_mutex_lock(&transport->tls_lock);
    SSL_CTX *ctx = server ? transport->server : transport->client;
    (void)SSL_CTX_up_ref(ctx);
    (void)pthread_mutex_unlock(&transport->tls_lock);
    return ctx;
}

/* ---- life */

/* As in the SAN URI. */
static void write_uuid(const uint8_t id[16], char out[37])
{
    static const char digits[] = "0123456789abcdef";
    size_t at = 0;
    for (size_t i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            out[at++] = '-';
        out[at++] = digits[id[i] >> 4];
        out[at++] = digits[id[i] & 15];
    }
    out[at] = 0;
}

enum rc peer_transport_new(const struct peer_transport_config *config, struct peer_transport **out)
{
    struct peer_transport *transport = calloc(1, sizeof *transport);
    if (transport == NULL)
        return RC_NO_MEMORY;
    transport->raft = (struct raft_uv_transport){
        .version = 1,
        .impl = transport,
        .init = transport_init,
        .listen = transport_listen,
        .connect = peer_dial,
        .close = transport_close,
    };
    transport->loop = config->loop;
    transport->node = config->node;
    transport->is_member = config->is_member;
    transport->lost = config->lost;
    transport->context = config->context;
    memcpy(transport->cluster, config->cluster, sizeof transport->cluster);
    write_uuid(config->cluster, transport->cluster_text);
    transport->sockets.unix_fd = -1;
    peer_notes_init(&transport->notes);
    (void)pthread_mutex_init(&transport->tls_lock, NULL);
    enum rc rc = peer_transport_reload(transport, config->server, config->client);
    if (rc == RC_OK)
        rc = listener_bind_tcp("listen_peer", config->listen, &transport->sockets);
    if (rc != RC_OK) {
        peer_transport_free(transport);
        return rc;
    }
    *out = transport;
    return RC_OK;
}

void peer_transport_free(struct peer_transport *transport)
{
    if (transport == NULL)
        return;
    for (size_t i = 0; i < transport->sockets.count; i++)
        (void)close(transport->sockets.fds[i]);
    SSL_CTX_free(transport->server);
    SSL_CTX_free(transport->client);
    (void)pthread_mutex_destroy(&transport->tls_lock);
    peer_notes_clear(&transport->notes);
    free(transport);
}

struct raft_uv_transport *peer_transport_raft(struct peer_transport *transport)
{
    return &transport->raft;
}

unsigned peer_transport_port(const struct peer_transport *transport)
{
    return listener_bound_port(transport->sockets.fds[0]);
}

/* ---- while it runs */

void peer_transport_recheck(struct peer_transport *transport)
{
    struct peer_link *next = NULL;
    for (struct peer_link *link = transport->links; link != NULL; link = next) {
        next = link->next;
        if (!link->outbound && link->state == LINK_PUMP &&
            !transport->is_member(transport->context, link->id))
            peer_link_close(link, peer_verdict_text(PEER_NO_MEMBER));
    }
}

enum rc peer_transport_locate(struct peer_transport *transport, uint64_t id, const char *address)
{
    return peer_notes_locate(&transport->notes, id, address);
}

enum rc peer_transport_suggest(struct peer_transport *transport, uint64_t id, const char *address)
{
    return peer_notes_suggest(&transport->notes, id, address);
}

enum rc peer_transport_trouble(struct peer_transport *transport, uint64_t id,
                               const struct peer_trouble *trouble)
{
    return peer_notes_trouble(&transport->notes, id, trouble);
}

void peer_transport_counters(struct peer_transport *transport, struct peer_counters *out)
{
    out->connected = atomic_load(&transport->counters.connected);
    out->refused = atomic_load(&transport->counters.refused);
    out->failed = atomic_load(&transport->counters.failed);
    out->messages_refused = atomic_load(&transport->counters.messages_refused);
    out->messages_dropped = atomic_load(&transport->counters.messages_dropped);
    out->bytes_in = atomic_load(&transport->counters.bytes_in);
    out->bytes_out = atomic_load(&transport->counters.bytes_out);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* One endpoint looked at alone, and the own certificate, for `qhsm doctor`. */
#include <stdio.h>

#include "rpc/client_conn.h"

static enum rc probe_call(struct client_conn *conn, const struct client_config *config,
                          struct rpc_probe *out)
{
    struct arena *arena = NULL;
    TRY(arena_new(&arena));
    Qhsm__Empty empty = QHSM__EMPTY__INIT;
    Qhsm__Request request = QHSM__REQUEST__INIT;
    request.body_case = QHSM__REQUEST__BODY_SLOTS;
    request.slots = &empty;
    Qhsm__Response *response = NULL;
    instant begin = clock_now();
    instant deadline = clock_after_ms(begin, config->call_timeout_ms);
    enum rc rc = client_conn_exchange(conn, &request, deadline, arena, &response);
    out->round_trip_us = (uint64_t)(clock_now() - begin) / 1000;
    if (rc == RC_OK && response->rc != 0)
        rc = rc_fail(rc_from_wire(response->rc), "%s", response->detail);
    arena_free(arena);
    return rc;
}

static enum rc probe_conn(struct client_conn *conn, const struct client_peer *peer,
                          const struct endpoint *endpoint, struct rpc_probe *out)
{
    instant begin = clock_now();
    TRY(client_conn_open(conn, peer, endpoint,
                         clock_after_ms(begin, peer->config->connect_timeout_ms)));
    out->connect_us = (uint64_t)(clock_now() - begin) / 1000;
    out->node = conn->node;
    out->certificate_expires_s = conn->certificate_expires_s;
    (void)snprintf(out->release, sizeof out->release, "%s", conn->release);
    return probe_call(conn, peer->config, out);
}

static enum rc probe_endpoint(const struct client_config *config, const struct endpoint *endpoint,
                              struct rpc_probe *out)
{
    static const uint8_t nobody[16];
    struct client_peer peer = {.config = config,
                               .client_name = "qhsm probe",
                               .application = nobody,
                               .receive_ms = config->call_timeout_ms};
    if (endpoint->is_tcp)
        TRY(client_tls_new(config, &peer.tls));
    struct client_conn conn;
    client_conn_init(&conn);
    enum rc rc = probe_conn(&conn, &peer, endpoint, out);
    client_conn_clear(&conn);
    client_tls_free(peer.tls);
    return rc;
}

void rpc_probe(const struct client_config *config, const char *endpoint, struct rpc_probe *out)
{
    *out = (struct rpc_probe){.rc = RC_OK};
    rc_detail_clear();
    struct endpoint parsed;
    out->rc = endpoint_parse(endpoint, &parsed);
    if (out->rc == RC_OK) {
        out->rc = probe_endpoint(config, &parsed, out);
        endpoint_clear(&parsed);
    }
    (void)snprintf(out->detail, sizeof out->detail, "%s", out->rc == RC_OK ? "" : rc_detail());
}

enum rc rpc_own_certificate(const struct client_config *config, int64_t *out_expires_s)
{
    struct client_tls *tls = NULL;
    TRY(client_tls_new(config, &tls));
    *out_expires_s = tls->own.expires_s;
    client_tls_free(tls);
    return RC_OK;
}

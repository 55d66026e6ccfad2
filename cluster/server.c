/* SPDX-License-Identifier: Apache-2.0 */
/* Start-up, reload and shutdown. */
#include "cluster/server.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "cluster/keyfile.h"
#include "cluster/listener.h"
#include "cluster/login_gate.h"
#include "cluster/operations.h"
#include "cluster/pool.h"
#include "cluster/worker.h"
#include "common/log.h"
#include "token/crypto_lib.h"

#define OPERATIONS_PER_APPLICATION 256U
#define OPERATIONS_TOTAL           16384U
#define OPERATIONS_HELD_MAX        ((size_t)256 * 1024 * 1024)
#define DRAIN_MS                   5000U
#define DRAIN_STEP_NS              (5L * 1000 * 1000)

struct server {
    struct service service;
    int lock_fd;
    OSSL_LIB_CTX *tls_library;
    SSL_CTX *tls;
    struct listener *listener;
    size_t worker_count;
    struct worker *workers[LANES_MAX];
};

/* ---- parts, in the order of starting */

static enum rc open_hsm(struct server *server, bool *out_forming)
{
    const struct server_config *config = server->service.config;
    AUTO_SECRET unlock = SECRET_INIT;
    AUTO_SECRET master = SECRET_INIT;
    TRY(keyfile_unlock_key(config->unlock_key, &unlock));
    TRY(keyfile_lock_dir(config->state_dir, &server->lock_fd));
    TRY(keyfile_master(config->state_dir, &unlock, config->bootstrap, &master, out_forming));
    return hsm_new(&master, config->cluster_id, config->node, &server->service.hsm);
}

static enum rc start_consensus(struct server *server, bool forming)
{
    const struct server_config *config = server->service.config;
    AUTO_BUF dir = BUF_INIT;
    TRY(buf_printf(&dir, "%s/raft", config->state_dir));
    struct consensus_config consensus = {
        .dir = buf_str(&dir),
        .node = config->node,
        .bootstrap = forming,
        .heartbeat_ms = (unsigned)config->heartbeat_ms,
        .election_ms = (unsigned)config->election_ms,
        .snapshot_threshold = (unsigned)config->snapshot_threshold,
        .snapshot_trailing = (unsigned)config->snapshot_trailing,
    };
    memcpy(consensus.cluster, config->cluster_id, sizeof consensus.cluster);
    struct hsm *hsm = server->service.hsm;
    TRY(consensus_start(&consensus, hsm->keys, hsm->state, &server->service.consensus));
    return forming ? keyfile_formed(config->state_dir) : RC_OK;
}

static enum rc read_tls(struct server *server, const struct server_config *config, SSL_CTX **out,
                        int64_t *out_expires_s)
{
    AUTO_BUF ca = BUF_INIT;
    AUTO_BUF cert = BUF_INIT;
    AUTO_SECRET key = SECRET_INIT;
    TRY(keyfile_read(config->ca, &ca));
    TRY(keyfile_read(config->cert, &cert));
    TRY(keyfile_read_secret(config->key, &key));
    const struct tls_credentials credentials = {
        .ca_pem = buf_bytes(&ca), .cert_pem = buf_bytes(&cert), .key_pem = &key};
    SSL_CTX *tls = NULL;
    TRY(tls_server_new(server->tls_library, &credentials, &tls));
    struct tls_identity identity;
    enum rc rc = tls_own_identity(tls, &identity);
    if (rc == RC_OK && strcasecmp(identity.cluster, config->cluster) != 0)
        rc = rc_fail(RC_CONFIG, "cert %s is of cluster %s", config->cert, identity.cluster);
    if (rc == RC_OK && identity.role != TLS_ROLE_NODE)
        rc = rc_fail(RC_CONFIG, "cert %s has role %s, not node", config->cert,
                     tls_role_name(identity.role));
    if (rc != RC_OK) {
        SSL_CTX_free(tls);
        return rc;
    }
    *out = tls;
    *out_expires_s = identity.expires_s;
    return RC_OK;
}

static enum rc open_tls(struct server *server)
{
    if (server->service.config->listen_tcp == NULL)
        return RC_OK;
    int64_t expires_s = 0;
    TRY(tls_library_new(&server->tls_library));
    TRY(read_tls(server, server->service.config, &server->tls, &expires_s));
    atomic_store(&server->service.certificate_expires_s, expires_s);
    return RC_OK;
}

static enum rc start_workers(struct server *server)
{
    struct service *service = &server->service;
    unsigned workers = (unsigned)service->config->workers;
    TRY(operations_new(OPERATIONS_PER_APPLICATION, OPERATIONS_TOTAL, OPERATIONS_HELD_MAX,
                       &service->operations));
    TRY(login_gate_new(&service->gate));
    TRY(pool_new((unsigned)service->config->pool_threads, workers, &service->pool));
    for (unsigned i = 0; i < workers; i++) {
        TRY(worker_new(service, i, &server->workers[i]));
        server->worker_count++;
    }
    return RC_OK;
}

static enum rc start_listening(struct server *server)
{
    TRY(listener_new(&server->service, server->workers, server->worker_count, server->tls,
                     &server->listener));
    return listener_start(server->listener);
}

/* Each connection takes a descriptor. */
static void raise_descriptors(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
}

static enum rc start_all(struct server *server)
{
    bool forming = false;
    TRY(crypto_lib_init());
    TRY(crypto_self_test());
    TRY(open_hsm(server, &forming));
    TRY(open_tls(server));
    TRY(start_consensus(server, forming));
    TRY(start_workers(server));
    return start_listening(server);
}

static void log_started(const struct server *server)
{
    const struct server_config *config = server->service.config;
    log_info("started",
             "release=%s cluster=%s node=%lu zone=%s unix=%s tcp=%s workers=%zu objects=%llu "
             "memory_locked=%s ms=%llu notice=\"emulator, not validated: root on this host can "
             "read its memory\"",
             QHSM_VERSION, config->cluster, config->node, config->zone,
             config->listen_unix == NULL ? "-" : config->listen_unix,
             config->listen_tcp == NULL ? "-" : config->listen_tcp, server->worker_count,
             (unsigned long long)state_object_count(server->service.hsm->state),
             server->service.memory_locked ? "yes" : "no",
             (unsigned long long)(clock_steady_ms() - server->service.started_ms));
}

enum rc server_start(const struct server_config *config, bool memory_locked, struct server **out)
{
    struct server *server = calloc(1, sizeof *server);
    if (server == NULL)
        return RC_NO_MEMORY;
    server->lock_fd = -1;
    server->service.config = config;
    server->service.memory_locked = memory_locked;
    server->service.started_ms = clock_steady_ms();
    limits_set(&server->service.limits, config);
    raise_descriptors();
    enum rc rc = start_all(server);
    if (rc != RC_OK) {
        server_stop(server);
        return rc;
    }
    log_started(server);
    *out = server;
    return RC_OK;
}

/* ---- reload */

static bool differs(const char *a, const char *b)
{
    return (a == NULL) != (b == NULL) || (a != NULL && strcmp(a, b) != 0);
}

static void warn_fixed(const struct server_config *old, const struct server_config *fresh)
{
    if (differs(old->cluster, fresh->cluster) || old->node != fresh->node ||
        differs(old->state_dir, fresh->state_dir) ||
        differs(old->listen_unix, fresh->listen_unix) ||
        differs(old->listen_tcp, fresh->listen_tcp) || old->workers != fresh->workers ||
        old->pool_threads != fresh->pool_threads || differs(old->log_file, fresh->log_file))
        log_warn("reload_needs_restart", "keys=\"cluster node state_dir listen_unix listen_tcp "
                                         "workers pool_threads log_file\"");
}

enum rc server_reload(struct server *server, const struct server_config *config)
{
    struct service *service = &server->service;
    warn_fixed(service->config, config);
    if (server->tls != NULL && config->cert != NULL) {
        SSL_CTX *fresh = NULL;
        int64_t expires_s = 0;
        TRY(read_tls(server, config, &fresh, &expires_s));
        (void)SSL_CTX_up_ref(fresh);
        listener_set_tls(server->listener, fresh);
        SSL_CTX_free(server->tls);
        server->tls = fresh;
        atomic_store(&service->certificate_expires_s, expires_s);
    }
    limits_set(&service->limits, config);
    return RC_OK;
}

/* ---- shutdown */

static size_t connections_left(const struct server *server)
{
    size_t left = 0;
    for (size_t i = 0; i < server->worker_count; i++)
        left += worker_load(server->workers[i]);
    return left;
}

static void drain(struct server *server)
{
    const struct timespec step = {.tv_nsec = DRAIN_STEP_NS};
    uint64_t deadline = clock_steady_ms() + DRAIN_MS;
    for (size_t i = 0; i < server->worker_count; i++)
        worker_drain(server->workers[i]);
    while (connections_left(server) > 0 && clock_steady_ms() < deadline)
        (void)nanosleep(&step, NULL);
    if (connections_left(server) > 0)
        log_warn("drain_cut_short", "connections=%zu", connections_left(server));
}

/* The pool may still propose, consensus still answers to workers: in this order each of them finds
 * the next alive. */
void server_stop(struct server *server)
{
    if (server == NULL)
        return;
    struct service *service = &server->service;
    listener_free(server->listener);
    drain(server);
    if (service->pool != NULL)
        pool_stop(service->pool);
    consensus_stop(service->consensus);
    for (size_t i = 0; i < server->worker_count; i++)
        worker_free(server->workers[i]);
    pool_free(service->pool);
    login_gate_free(service->gate);
    operations_free(service->operations);
    SSL_CTX_free(server->tls);
    tls_library_free(server->tls_library);
    hsm_free(service->hsm);
    crypto_lib_cleanup();
    if (server->lock_fd >= 0)
        (void)close(server->lock_fd);
    free(server);
}

unsigned server_port(const struct server *server)
{
    return listener_port(server->listener);
}

struct service *server_service(struct server *server)
{
    return &server->service;
}

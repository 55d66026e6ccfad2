/* SPDX-License-Identifier: Apache-2.0 */
/* Start-up, reload and shutdown. */
#include "cluster/server.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "cluster/backup.h"
#include "cluster/chaos.h"
#include "cluster/colleagues.h"
#include "cluster/keyfile.h"
#include "cluster/listener.h"
#include "cluster/login_gate.h"
#include "cluster/membership.h"
#include "cluster/operations.h"
#include "cluster/pool.h"
#include "cluster/position.h"
#include "cluster/proposer.h"
#include "cluster/recover.h"
#include "cluster/roll.h"
#include "cluster/worker.h"
#include "common/log.h"
#include "token/crypto_lib.h"

#define OPERATIONS_PER_APPLICATION 256U
#define OPERATIONS_TOTAL           16384U
#define OPERATIONS_HELD_MAX        ((size_t)256 * 1024 * 1024)
#define DRAIN_MS                   5000U
#define DRAIN_STEP_NS              (5L * 1000 * 1000)
#define FAREWELL_NS                (100L * 1000 * 1000)

/* Of one certificate. */
struct server_tls {
    SSL_CTX *server, *client;
    int64_t expires_s;
};

_Atomic int64_t clock_offset_ms;

struct server {
    struct service service;
    int lock_fd;
    OSSL_LIB_CTX *tls_library;
    struct server_tls tls;
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

/* ---- certificates */

static void tls_clear(struct server_tls *tls)
{
    SSL_CTX_free(tls->server);
    SSL_CTX_free(tls->client);
    *tls = (struct server_tls){.server = NULL};
}

static enum rc check_identity(const struct server_config *config, struct server_tls *tls)
{
    struct tls_identity identity;
    TRY(tls_own_identity(tls->server, &identity));
    if (strcasecmp(identity.cluster, config->cluster) != 0)
        return rc_fail(RC_CONFIG, "cert %s is of cluster %s", config->cert, identity.cluster);
    if (identity.role != TLS_ROLE_NODE)
        return rc_fail(RC_CONFIG, "cert %s has role %s, not node", config->cert,
                       tls_role_name(identity.role));
    tls->expires_s = identity.expires_s;
    return RC_OK;
}

static enum rc read_tls(struct server *server, const struct server_config *config,
                        struct server_tls *out)
{
    AUTO_BUF ca = BUF_INIT;
    AUTO_BUF cert = BUF_INIT;
    AUTO_SECRET key = SECRET_INIT;
    TRY(keyfile_read(config->ca, &ca));
    TRY(keyfile_read(config->cert, &cert));
    TRY(keyfile_read_secret(config->key, &key));
    const struct tls_credentials credentials = {
        .ca_pem = buf_bytes(&ca), .cert_pem = buf_bytes(&cert), .key_pem = &key};
    struct server_tls tls = {.server = NULL};
    enum rc rc = tls_server_new(server->tls_library, &credentials, &tls.server);
    if (rc == RC_OK)
        rc = tls_client_new(server->tls_library, &credentials, &tls.client);
    if (rc == RC_OK)
        rc = check_identity(config, &tls);
    if (rc != RC_OK) {
        tls_clear(&tls);
        return rc;
    }
    *out = tls;
    return RC_OK;
}

static enum rc open_tls(struct server *server)
{
    if (server->service.config->listen_tcp == NULL)
        return RC_OK;
    TRY(tls_library_new(&server->tls_library));
    TRY(read_tls(server, server->service.config, &server->tls));
    atomic_store(&server->service.certificate_expires_s, server->tls.expires_s);
    return RC_OK;
}

/* ---- consensus and what is round it */

static void leader_changed(void *context, const struct consensus_leader *leader)
{
    proposer_leader_changed(context, leader);
}

static bool is_removed(void *context, uint64_t id)
{
    return position_is_removed(context, id);
}

static struct consensus_config consensus_config_of(struct server *server, const char *dir)
{
    const struct server_config *config = server->service.config;
    struct consensus_config consensus = {
        .dir = dir,
        .node = config->node,
        .heartbeat_ms = (unsigned)config->heartbeat_ms,
        .election_ms = (unsigned)config->election_ms,
        .snapshot_threshold = (unsigned)config->snapshot_threshold,
        .snapshot_trailing = (unsigned)config->snapshot_trailing,
        .disk_reserve_bytes = (uint64_t)config->disk_reserve_mib << 20,
        .leader_changed = leader_changed,
        .context = server->service.proposer,
    };
    memcpy(consensus.cluster, config->cluster_id, sizeof consensus.cluster);
    return consensus;
}

static enum rc start_consensus(struct server *server, bool forming)
{
    struct service *service = &server->service;
    const struct server_config *config = service->config;
    AUTO_BUF dir = BUF_INIT;
    TRY(buf_printf(&dir, "%s/raft", config->state_dir));
    TRY(proposer_new(service, &service->proposer));
    struct consensus_config consensus = consensus_config_of(server, buf_str(&dir));
    const struct consensus_peers peers = {.listen = config->listen_peer,
                                          .address = config->address,
                                          .server = server->tls.server,
                                          .client = server->tls.client,
                                          .is_removed = is_removed,
                                          .context = service};
    consensus.bootstrap = forming;
    consensus.peers = config->listen_peer != NULL ? &peers : NULL;
    TRY(consensus_start(&consensus, service->hsm->keys, service->hsm->state, &service->consensus));
    return forming ? keyfile_formed(config->state_dir) : RC_OK;
}

static enum rc start_proposing(struct server *server)
{
    struct service *service = &server->service;
    if (service->config->chaos)
        TRY(chaos_new(service, &service->chaos));
    if (service->config->listen_peer != NULL)
        TRY(colleagues_new(service, &service->colleagues));
    return proposer_start(service->proposer);
}

/* What works by itself, through the above. */
static enum rc start_chores(struct server *server)
{
    struct service *service = &server->service;
    TRY(backups_start(service, &service->backups));
    TRY(recover_finish(service));
    if (service->colleagues != NULL)
        TRY(membership_start(service, &service->membership));
    return RC_OK;
}

static enum rc start_workers(struct server *server)
{
    struct service *service = &server->service;
    unsigned workers = (unsigned)service->config->workers;
    TRY(operations_new(OPERATIONS_PER_APPLICATION, OPERATIONS_TOTAL, OPERATIONS_HELD_MAX,
                       &service->operations));
    TRY(login_gate_new(&service->gate));
    TRY(logins_new(&service->logins));
    TRY(pool_new((unsigned)service->config->pool_threads, workers, &service->pool));
    for (unsigned i = 0; i < workers; i++) {
        TRY(worker_new(service, i, &server->workers[i]));
        server->worker_count++;
    }
    return RC_OK;
}

static enum rc start_listening(struct server *server)
{
    TRY(listener_new(&server->service, server->workers, server->worker_count, server->tls.server,
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
    TRY(position_check(server->service.config));
    TRY(position_read_removed(server->service.config, &server->service.removed));
    TRY(start_consensus(server, forming));
    TRY(start_proposing(server));
    TRY(start_workers(server));
    TRY(start_chores(server));
    return start_listening(server);
}

static void log_started(const struct server *server)
{
    const struct server_config *config = server->service.config;
    log_info(
        "started",
        "release=%s cluster=%s node=%lu zone=%s unix=%s tcp=%s peer=%s workers=%zu objects=%llu "
        "memory_locked=%s ms=%llu notice=\"emulator, not validated: root on this host can "
        "read its memory\"",
        QHSM_VERSION, config->cluster, config->node, config->zone,
        config->listen_unix == NULL ? "-" : config->listen_unix,
        config->listen_tcp == NULL ? "-" : config->listen_tcp,
        config->listen_peer == NULL ? "-" : config->listen_peer, server->worker_count,
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
        differs(old->listen_tcp, fresh->listen_tcp) ||
        differs(old->listen_peer, fresh->listen_peer) || old->workers != fresh->workers ||
        old->pool_threads != fresh->pool_threads || differs(old->log_file, fresh->log_file))
        log_warn("reload_needs_restart", "keys=\"cluster node state_dir listen_unix listen_tcp "
                                         "listen_peer workers pool_threads log_file\"");
}

static enum rc reload_tls(struct server *server, const struct server_config *config)
{
    struct service *service = &server->service;
    struct server_tls fresh = {.server = NULL};
    TRY(read_tls(server, config, &fresh));
    enum rc rc = RC_OK;
    if (service->colleagues != NULL)
        rc = colleagues_reload(service->colleagues, config);
    if (rc == RC_OK && service->config->listen_peer != NULL)
        rc = consensus_reload(service->consensus, fresh.server, fresh.client);
    if (rc != RC_OK) {
        tls_clear(&fresh);
        return rc;
    }
    (void)SSL_CTX_up_ref(fresh.server);
    listener_set_tls(server->listener, fresh.server);
    tls_clear(&server->tls);
    server->tls = fresh;
    atomic_store(&service->certificate_expires_s, fresh.expires_s);
    return RC_OK;
}

enum rc server_reload(struct server *server, const struct server_config *config)
{
    struct service *service = &server->service;
    warn_fixed(service->config, config);
    if (server->tls.server != NULL && config->cert != NULL)
        TRY(reload_tls(server, config));
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

struct handover {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool is_done;
};

static void handed_over(void *context, enum rc rc)
{
    struct handover *handover = context;
    log_debug("lead_handed_over", "error=%s", rc_info(rc)->name);
    (void)pthread_mutex_lock(&handover->lock);
    handover->is_done = true;
    (void)pthread_cond_signal(&handover->changed);
    (void)pthread_mutex_unlock(&handover->lock);
}

/* The others take the lead over while this HSM still serves: then nobody waits for an election. */
static void hand_over(struct service *service)
{
    struct handover handover = {.lock = PTHREAD_MUTEX_INITIALIZER,
                                .changed = PTHREAD_COND_INITIALIZER};
    if (consensus_transfer(service->consensus, 0, handed_over, &handover) != RC_OK)
        return;
    (void)pthread_mutex_lock(&handover.lock);
    while (!handover.is_done)
        (void)pthread_cond_wait(&handover.changed, &handover.lock);
    (void)pthread_mutex_unlock(&handover.lock);
}

/* Clients that are busy here are told to go elsewhere, before their connections are closed. */
static void send_clients_away(struct server *server)
{
    struct service *service = &server->service;
    const struct timespec grace = {.tv_nsec = FAREWELL_NS};
    struct consensus_member members[2];
    struct consensus_status status;
    if (service->colleagues == NULL || service->consensus == NULL)
        return;
    consensus_status(service->consensus, &status);
    if (consensus_members(service->consensus, members, 2) < 2)
        return;
    atomic_store(&service->stopping, true);
    if (status.leader == service->config->node)
        hand_over(service);
    if (atomic_load(&service->connections) > 0)
        (void)nanosleep(&grace, NULL);
}

/* Those who wait for another's PIN check. */
static void empty_gate(struct service *service)
{
    struct call *list = login_gate_close(service->gate);
    while (list != NULL) {
        struct call *call = list;
        list = call->next;
        call->step = call_refuse(call, rc_fail(RC_UNAVAILABLE, "the HSM is stopping"));
        worker_post_home(call);
    }
}

/* The pool may still propose, proposer and consensus still answer to workers, and these to each
 * other: in this order each of them finds the next alive. What requests ask is freed after the
 * workers, who may have some left. */
void server_stop(struct server *server)
{
    if (server == NULL)
        return;
    struct service *service = &server->service;
    membership_stop(service->membership);
    if (service->backups != NULL)
        backups_stop(service->backups);
    send_clients_away(server);
    listener_free(server->listener);
    drain(server);
    if (service->pool != NULL)
        pool_stop(service->pool);
    empty_gate(service);
    proposer_stop(service->proposer);
    consensus_end(service->consensus);
    for (size_t i = 0; i < server->worker_count; i++)
        worker_stop(server->workers[i]);
    for (size_t i = 0; i < server->worker_count; i++)
        worker_free(server->workers[i]);
    membership_free(service->membership);
    backups_free(service->backups);
    consensus_stop(service->consensus);
    proposer_free(service->proposer);
    if (service->chaos != NULL)
        chaos_free(service->chaos);
    colleagues_free(service->colleagues);
    pool_free(service->pool);
    logins_free(service->logins);
    login_gate_free(service->gate);
    operations_free(service->operations);
    tls_clear(&server->tls);
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

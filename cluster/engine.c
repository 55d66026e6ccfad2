/* SPDX-License-Identifier: Apache-2.0 */
/* libraft on its own thread and loop: set-up, running, shutdown. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cluster/consensus_internal.h"
#include "cluster/lone_transport.h"
#include "common/log.h"

#define MAX_INFLIGHT        PEER_ENTRIES_MAX
#define CONNECT_RETRY_MS    200U
#define DISK_RETRY_MS       500U /* where it waits for room */
#define INSTALL_TIMEOUT_MS  10000U
#define CATCH_UP_ROUNDS     100U
#define CATCH_UP_ROUND_MS   5000U /* of one that is close behind already */
#define START_ATTEMPTS      2U    /* the second one after the newest snapshot was set aside */
#define ELECTIONS_WAIT      3U
#define REPLAY_MS           10000U /* of a log that is long */
#define DRAIN_NS            ((uint64_t)5 * 1000 * 1000 * 1000)
#define HAND_OVER_ELECTIONS 2U
#define MS_NS               ((uint64_t)1000 * 1000)

/* ---- set-up */

static enum rc fail_raft(struct consensus *consensus, const char *what, int rv)
{
    const char *text = rv == 0 ? "" : raft_strerror(rv);
    const char *more = consensus->raft.errmsg;
    enum rc rc = rv == RAFT_CORRUPT || rv == RAFT_MALFORMED ? RC_TAMPERED : RC_DISK;
    return rc_fail(rc, "%s: %s: %s (%s)", consensus->dir, what, text, more);
}

static enum rc open_peers(struct consensus *consensus)
{
    struct peer_transport_config config = {.loop = &consensus->loop,
                                           .node = consensus->config.node,
                                           .listen = consensus->listen,
                                           .server = consensus->peers.server,
                                           .client = consensus->peers.client,
                                           .is_member = engine_is_member,
                                           .lost = contacts_lost,
                                           .context = consensus};
    memcpy(config.cluster, consensus->config.cluster, sizeof config.cluster);
    return peer_transport_new(&config, &consensus->peer_transport);
}

/* What else is wrong with an entry is found when it is applied. */
static bool owns_entry(void *context, const struct raft_entry *entry)
{
    const struct consensus *consensus = context;
    struct bytes content = bytes_of(entry->buf.base, entry->buf.len);
    return entry->type != RAFT_COMMAND || !entry_is_foreign(content, consensus->config.cluster);
}

static bool mark_cut(void *context, raft_index index)
{
    struct consensus *consensus = context;
    return log_mark_cut(&consensus->mark, index) == RC_OK;
}

static enum rc open_io(struct consensus *consensus)
{
    struct raft_uv_transport *transport = &consensus->transport;
    struct raft_io *io = &consensus->guard.io;
    if (mkdir(consensus->dir, 0700) != 0 && errno != EEXIST)
        return rc_fail(RC_DISK, "%s: %s", consensus->dir, strerror(errno));
    if (consensus->listen == NULL) {
        lone_transport_init(transport);
    } else {
        TRY(open_peers(consensus));
        transport = peer_transport_raft(consensus->peer_transport);
    }
    memset(&consensus->guard, 0, sizeof consensus->guard);
    io->version = 1;
    int rv = raft_uv_init(io, &consensus->loop, consensus->dir, transport);
    if (rv != 0)
        return rc_fail(RC_DISK, "%s: %s", consensus->dir, io->errmsg);
    raft_uv_set_connect_retry_delay(io, CONNECT_RETRY_MS);
    /* Else it puts what is damaged aside, and what came after, and goes on without. */
    raft_uv_set_auto_recovery(io, false);
    raft_uv_set_tracer(io, disk_tracer());
    raft_uv_set_disk_retry(io, DISK_RETRY_MS);
    raft_guard_install(&consensus->guard);
    consensus->guard.heard = engine_heard;
    consensus->guard.contact = contacts_heard;
    consensus->guard.told = contacts_told;
    consensus->guard.ticked = contacts_beat;
    consensus->guard.accepts = engine_accepts_snapshot;
    consensus->guard.owns = owns_entry;
    consensus->guard.cuts = mark_cut;
    consensus->guard.context = consensus;
    return RC_OK;
}

static void close_peers(struct consensus *consensus)
{
    peer_transport_free(consensus->peer_transport);
    consensus->peer_transport = NULL;
}

static void configure(struct consensus *consensus)
{
    struct raft *raft = &consensus->raft;
    const struct consensus_config *config = &consensus->config;
    raft_set_election_timeout(raft, config->election_ms);
    raft_set_heartbeat_timeout(raft, config->heartbeat_ms);
    raft_set_install_snapshot_timeout(raft, INSTALL_TIMEOUT_MS);
    raft_set_pre_vote(raft, true);
    raft_set_max_inflight_entries(raft, MAX_INFLIGHT);
    raft_set_max_catch_up_rounds(raft, CATCH_UP_ROUNDS);
    raft_set_max_catch_up_round_duration(raft, CATCH_UP_ROUND_MS);
    raft_set_capacity_threshold(raft, CAPACITY_THRESHOLD_KIB);
    raft_set_snapshot_threshold(raft, config->snapshot_threshold);
    raft_set_snapshot_trailing(raft, config->snapshot_trailing);
}

/* In the engine's configuration. A node that talks to nobody has a name there; see
 * consensus_locate() for one that does later. */
static void node_address(const struct consensus *consensus, char *out, size_t len)
{
    if (consensus->address != NULL)
        (void)snprintf(out, len, "%s", consensus->address);
    else
        (void)snprintf(out, len, CONSENSUS_LONE_ADDRESS, consensus->config.node);
}

static enum rc bootstrap(struct consensus *consensus)
{
    char address[PEER_ADDRESS_MAX + 1];
    node_address(consensus, address, sizeof address);
    struct raft_configuration alone;
    raft_configuration_init(&alone);
    int rv = raft_configuration_add(&alone, consensus->config.node, address, RAFT_VOTER);
    if (rv == 0)
        rv = raft_bootstrap(&consensus->raft, &alone);
    raft_configuration_close(&alone);
    if (rv == 0 || rv == RAFT_CANTBOOTSTRAP) /* there is a log: an earlier start came this far */
        return RC_OK;
    return fail_raft(consensus, "cannot form a cluster", rv);
}

static enum rc open_raft(struct consensus *consensus)
{
    char address[PEER_ADDRESS_MAX + 1];
    node_address(consensus, address, sizeof address);
    engine_fsm_init(consensus);
    int rv = raft_init(&consensus->raft, &consensus->guard.io, &consensus->fsm,
                       consensus->config.node, address);
    if (rv != 0)
        return fail_raft(consensus, "cannot open", rv);
    consensus->raft.tracer = NULL; /* it would format every message for nobody */
    configure(consensus);
    return RC_OK;
}

static void raft_closed(struct raft *raft)
{
    struct consensus *consensus = raft->data;
    raft_uv_close(&consensus->guard.io);
}

/* Closes the engine after a failed start and lets the loop finish. */
static void close_raft(struct consensus *consensus)
{
    consensus->closing = true;
    consensus->raft.data = consensus;
    raft_close(&consensus->raft, raft_closed);
    (void)uv_run(&consensus->loop, UV_RUN_DEFAULT);
    consensus->closing = false;
}

static enum rc fail_start(struct consensus *consensus, int rv)
{
    if (consensus->guard.foreign_index != 0)
        return rc_fail(RC_FOREIGN,
                       "%s is the log of another cluster: its entry %llu is not of this one; give "
                       "this HSM its own state directory, or let it join with an empty one",
                       consensus->dir, consensus->guard.foreign_index);
    return fail_raft(consensus, "cannot read the log", rv);
}

static enum rc start_once(struct consensus *consensus)
{
    consensus->restore_failed = false;
    audit_reset(consensus);
    enum rc rc = open_io(consensus);
    if (rc == RC_OK) {
        rc = open_raft(consensus);
        if (rc != RC_OK)
            raft_uv_close(&consensus->guard.io);
    }
    if (rc != RC_OK) {
        close_peers(consensus);
        return rc;
    }
    consensus->raft.data = consensus;
    if (consensus->config.bootstrap)
        rc = bootstrap(consensus);
    if (rc == RC_OK) {
        int rv = raft_start(&consensus->raft);
        rc = rv == 0
                 ? log_mark_check(&consensus->mark, consensus->dir, consensus->guard.loaded_index)
                 : fail_start(consensus, rv);
    }
    if (rc == RC_OK)
        return RC_OK;
    close_raft(consensus);
    close_peers(consensus);
    return rc;
}

/* A snapshot that fails its check is set aside once: the one before it and the trailing log give
 * the same state. */
static enum rc start(struct consensus *consensus)
{
    TRY(engine_refuse_quarantined(consensus));
    TRY(log_mark_open(consensus->dir, &consensus->mark));
    TRY(log_mark_finish_cut(&consensus->mark, consensus->dir));
    enum rc rc = RC_OK;
    for (unsigned attempt = 0; attempt < START_ATTEMPTS; attempt++) {
        rc = start_once(consensus);
        if (rc == RC_OK || !consensus->restore_failed)
            return rc;
        TRY(snapshot_set_aside(consensus->dir));
    }
    return rc;
}

/* ---- running */

static void set_phase(struct consensus *consensus, enum engine_phase phase)
{
    (void)pthread_mutex_lock(&consensus->lock);
    consensus->phase = phase;
    (void)pthread_cond_broadcast(&consensus->changed);
    (void)pthread_mutex_unlock(&consensus->lock);
}

/* Committed, and on this HSM's own disk. */
static void move_mark(struct consensus *consensus)
{
    const struct raft *raft = &consensus->raft;
    log_mark_set(&consensus->mark,
                 raft->last_applied < raft->last_stored ? raft->last_applied : raft->last_stored);
}

static void begin_close(struct consensus *consensus)
{
    consensus->closing = true;
    move_mark(consensus);
    loop_watch_stop(&consensus->watch);
    uv_close((uv_handle_t *)&consensus->wake, NULL);
    raft_close(&consensus->raft, raft_closed);
}

static bool is_idle(struct consensus *consensus)
{
    (void)pthread_mutex_lock(&consensus->lock);
    bool idle = consensus->waiting.count == 0 && consensus->in_flight_count == 0 &&
                !consensus->reads.in_flight;
    (void)pthread_mutex_unlock(&consensus->lock);
    return idle;
}

/* Stops when nothing is in flight or waits, or the time for it is over. */
static void drain(struct consensus *consensus)
{
    if (consensus->stop_ns == 0)
        consensus->stop_ns = uv_hrtime();
    uint64_t waited_ns = uv_hrtime() - consensus->stop_ns;
    bool late = waited_ns > DRAIN_NS;
    /* The engine does not tell when the other one does not take over. */
    bool hands_over = consensus->handing_over &&
                      waited_ns < HAND_OVER_ELECTIONS * MS_NS * consensus->config.election_ms;
    if (consensus->closing || (!late && (!is_idle(consensus) || hands_over)))
        return;
    if (late || !members_hand_over(consensus))
        begin_close(consensus);
}

static void pump_all(struct consensus *consensus)
{
    consensus_pump(consensus);
    members_pump(consensus);
    reads_pump(consensus);
    snapshots_pump(consensus);
    audit_pump(consensus);
}

/* Has what the log held at the start been applied, as far as it was not taken back? Before that a
 * login's ticket may look void and a key unknown, which clients take as the last word. */
static bool has_replayed(struct consensus *consensus)
{
    struct raft *raft = &consensus->raft;
    uint64_t last = raft_last_index(raft);
    return raft_last_applied(raft) >= (consensus->found_last < last ? consensus->found_last : last);
}

/* A node that is no member yet has nobody to wait for. With a leader a long log is not cut short:
 * it goes on being applied. */
static bool has_waited(struct consensus *consensus, uint64_t leader)
{
    uint64_t waited_ms = (uv_hrtime() - consensus->started_ns) / MS_NS;
    uint64_t limit_ms = (uint64_t)consensus->config.election_ms * ELECTIONS_WAIT;
    if (leader != 0)
        return has_replayed(consensus) || waited_ms > REPLAY_MS;
    return waited_ms > limit_ms || consensus->raft.configuration.n == 0;
}

static void watch_tick(void *context)
{
    struct consensus *consensus = context;
    uint64_t leader = engine_publish(consensus);
    move_mark(consensus);
    waits_expire(consensus);
    disk_tick(consensus);
    if (!consensus->closing)
        reads_finish_old(consensus);
    (void)pthread_mutex_lock(&consensus->lock);
    bool starting = consensus->phase == ENGINE_STARTING;
    bool stopping = consensus->stopping;
    (void)pthread_mutex_unlock(&consensus->lock);
    if (starting && has_waited(consensus, leader))
        set_phase(consensus, ENGINE_RUNNING);
    pump_all(consensus);
    if (stopping)
        drain(consensus);
}

static void woken(uv_async_t *wake)
{
    disk_tick(wake->data);
    pump_all(wake->data);
}

/* All callbacks of this round have run. */
static void before_waiting(uv_prepare_t *prepare)
{
    struct consensus *consensus = prepare->data;
    if (!consensus->started || consensus->closing)
        return;
    if (consensus->disk.full) /* the leader is told with the next answer */
        consensus->guard.io.capacity = 0;
    contacts_nudge(consensus);
}

/* libuv runs these handles last come first: made before the engine's own, which calls back for what
 * is done, this one runs after it. */
static void open_loop(struct consensus *consensus)
{
    (void)uv_loop_init(&consensus->loop);
    (void)uv_prepare_init(&consensus->loop, &consensus->before_waiting);
    consensus->before_waiting.data = consensus;
    (void)uv_prepare_start(&consensus->before_waiting, before_waiting);
    uv_unref((uv_handle_t *)&consensus->before_waiting);
}

static void close_loop(struct consensus *consensus)
{
    uv_close((uv_handle_t *)&consensus->before_waiting, NULL);
    (void)uv_run(&consensus->loop, UV_RUN_DEFAULT);
    if (uv_loop_close(&consensus->loop) != 0)
        log_warn("loop_not_closed", "loop=raft");
}

static void serve(struct consensus *consensus)
{
    consensus->started_ns = uv_hrtime();
    consensus->found_last = raft_last_index(&consensus->raft);
    consensus->started = true;
    atomic_store(&consensus->heard_ms, consensus->started_ns / MS_NS);
    (void)uv_async_init(&consensus->loop, &consensus->wake, woken);
    consensus->wake.data = consensus;
    loop_watch_start(&consensus->watch, &consensus->loop, watch_tick, consensus);
    if (has_waited(consensus, engine_publish(consensus)))
        set_phase(consensus, ENGINE_RUNNING);
    (void)uv_run(&consensus->loop, UV_RUN_DEFAULT);
    (void)rc_fail(RC_UNAVAILABLE, "the HSM is stopping");
    consensus_fail_waiting(consensus, RC_UNAVAILABLE);
    members_fail_waiting(consensus);
    reads_fail_waiting(consensus);
    snapshots_fail_waiting(consensus);
    waits_close(consensus);
}

/* Sockets that a peer closed are errors, not signals. */
static void block_signals(void)
{
    sigset_t broken_pipe;
    (void)sigemptyset(&broken_pipe);
    (void)sigaddset(&broken_pipe, SIGPIPE);
    (void)pthread_sigmask(SIG_BLOCK, &broken_pipe, NULL);
}

void *engine_run(void *context)
{
    struct consensus *consensus = context;
    (void)pthread_setname_np(pthread_self(), "qhsmd-raft");
    block_signals();
    open_loop(consensus);
    enum rc rc = start(consensus);
    if (rc == RC_OK) {
        serve(consensus);
    } else {
        consensus->failure = rc;
        (void)snprintf(consensus->failure_detail, sizeof consensus->failure_detail, "%s",
                       rc_detail());
    }
    log_mark_close(&consensus->mark);
    close_loop(consensus);
    set_phase(consensus, rc == RC_OK ? ENGINE_STOPPED : ENGINE_FAILED);
    return NULL;
}

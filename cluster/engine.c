/* SPDX-License-Identifier: Apache-2.0 */
/* libraft on its own thread and loop: set-up, the state machine's callbacks, shutdown. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cluster/consensus_internal.h"
#include "cluster/lone_transport.h"
#include "common/log.h"

#define MAX_INFLIGHT           512U
#define CONNECT_RETRY_MS       200U
#define INSTALL_TIMEOUT_MS     15000U
#define CATCH_UP_ROUNDS        100U
#define CATCH_UP_ROUND_MS      50000U
#define CAPACITY_THRESHOLD_KIB 9000U
#define START_ATTEMPTS         2U /* the second one after the newest snapshot was set aside */
#define ELECTIONS_WAIT         3U
#define DRAIN_NS               ((uint64_t)5 * 1000 * 1000 * 1000)
#define MS_NS                  ((uint64_t)1000 * 1000)

static struct consensus *consensus_of(struct raft_fsm *fsm)
{
    return fsm->data;
}

/* ---- quarantine */

static void quarantine_path(const struct consensus *consensus, struct buf *out)
{
    if (buf_printf(out, "%s.quarantined", consensus->dir) != RC_OK)
        abort();
}

void engine_quarantine(struct consensus *consensus, const char *reason)
{
    struct buf path = BUF_INIT;
    quarantine_path(consensus, &path);
    int fd = open(buf_str(&path), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd >= 0) {
        (void)dprintf(fd, "%s\n", reason);
        (void)fsync(fd);
        (void)close(fd);
    }
    log_error("log_quarantined",
              "reason=\"%s\" marker=%s next=\"restore this HSM from a backup or from its peers\"",
              reason, buf_str(&path));
    abort();
}

static enum rc refuse_quarantined(const struct consensus *consensus)
{
    AUTO_BUF path = BUF_INIT;
    quarantine_path(consensus, &path);
    if (access(buf_str(&path), F_OK) == 0)
        return rc_fail(RC_TAMPERED, "%s was set aside: %s says why; restore it first",
                       consensus->dir, buf_str(&path));
    return RC_OK;
}

/* ---- the state machine: never fails, stops the process instead */

static int fsm_apply(struct raft_fsm *fsm, const struct raft_buffer *buf, void **result)
{
    struct consensus *consensus = consensus_of(fsm);
    struct entry_place place = {.index = raft_last_applied(&consensus->raft) + 1};
    memcpy(place.cluster, consensus->config.cluster, sizeof place.cluster);
    AUTO_SECRET plain = SECRET_INIT;
    struct bytes effects[ENTRY_EFFECTS_MAX];
    struct effect_result results[ENTRY_EFFECTS_MAX];
    size_t count = 0;
    enum rc rc =
        entry_open(consensus->keys, &place, bytes_of(buf->base, buf->len), &plain, effects, &count);
    if (rc == RC_NO_MEMORY) {
        log_error("out_of_memory", "where=apply next=\"raise the memory limit; nothing is lost\"");
        abort();
    }
    if (rc != RC_OK)
        engine_quarantine(consensus, rc_detail());
    uint64_t first = state_applied(consensus->state) + 1;
    for (size_t i = 0; i < count; i++)
        state_apply(consensus->state, first + i, effects[i], &results[i]);
    consensus_applied(consensus, place.index, place.term, results, first, count);
    *result = NULL;
    return 0;
}

static int fsm_snapshot(struct raft_fsm *fsm, struct raft_buffer *bufs[], unsigned *n_bufs)
{
    struct consensus *consensus = consensus_of(fsm);
    uint64_t index = raft_last_applied(&consensus->raft);
    enum rc rc = snapshot_take(consensus->keys, consensus->state, consensus->config.cluster, index,
                               &consensus->snapshot);
    if (rc != RC_OK) {
        log_error("snapshot_failed", "index=%" PRIu64 " rc=%s detail=\"%s\"", index,
                  rc_info(rc)->name, rc_detail());
        return RAFT_NOMEM;
    }
    *bufs = snapshot_buffers(consensus->snapshot, n_bufs);
    log_info("snapshot_taken", "index=%" PRIu64 " parts=%u", index, *n_bufs);
    return 0;
}

static int fsm_snapshot_finalize(struct raft_fsm *fsm, struct raft_buffer *bufs[], unsigned *n_bufs)
{
    struct consensus *consensus = consensus_of(fsm);
    snapshot_free(consensus->snapshot);
    consensus->snapshot = NULL;
    consensus->snapshots++;
    *bufs = NULL;
    *n_bufs = 0;
    return 0;
}

/* Frees the buffer on success only; on failure the engine does. */
static int fsm_restore(struct raft_fsm *fsm, struct raft_buffer *buf)
{
    struct consensus *consensus = consensus_of(fsm);
    enum rc rc = snapshot_restore(consensus->keys, consensus->state, consensus->config.cluster,
                                  consensus->guard.snapshot_index, bytes_of(buf->base, buf->len));
    if (rc != RC_OK) {
        log_error("snapshot_refused", "rc=%s detail=\"%s\"", rc_info(rc)->name, rc_detail());
        consensus->restore_failed = true;
        return RAFT_CORRUPT;
    }
    raft_free(buf->base);
    buf->base = NULL;
    return 0;
}

/* ---- set-up */

static enum rc fail_raft(struct consensus *consensus, const char *what, int rv)
{
    const char *text = rv == 0 ? "" : raft_strerror(rv);
    const char *more = consensus->raft.errmsg;
    enum rc rc = rv == RAFT_CORRUPT || rv == RAFT_MALFORMED ? RC_TAMPERED : RC_DISK;
    return rc_fail(rc, "%s: %s: %s (%s)", consensus->dir, what, text, more);
}

static enum rc open_io(struct consensus *consensus)
{
    if (mkdir(consensus->dir, 0700) != 0 && errno != EEXIST)
        return rc_fail(RC_DISK, "%s: %s", consensus->dir, strerror(errno));
    lone_transport_init(&consensus->transport);
    memset(&consensus->guard, 0, sizeof consensus->guard);
    consensus->guard.io.version = 1;
    int rv =
        raft_uv_init(&consensus->guard.io, &consensus->loop, consensus->dir, &consensus->transport);
    if (rv != 0)
        return rc_fail(RC_DISK, "%s: %s", consensus->dir, consensus->guard.io.errmsg);
    raft_uv_set_connect_retry_delay(&consensus->guard.io, CONNECT_RETRY_MS);
    /* Else it puts what is damaged aside, and what came after, and goes on without. */
    raft_uv_set_auto_recovery(&consensus->guard.io, false);
    raft_guard_install(&consensus->guard);
    return RC_OK;
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

/* Addresses in the engine's configuration are names; the transport resolves them. */
static void node_name(const struct consensus *consensus, char *out, size_t len)
{
    (void)snprintf(out, len, "node/%" PRIu64, consensus->config.node);
}

static enum rc bootstrap(struct consensus *consensus)
{
    char name[32];
    node_name(consensus, name, sizeof name);
    struct raft_configuration alone;
    raft_configuration_init(&alone);
    int rv = raft_configuration_add(&alone, consensus->config.node, name, RAFT_VOTER);
    if (rv == 0)
        rv = raft_bootstrap(&consensus->raft, &alone);
    raft_configuration_close(&alone);
    if (rv == 0 || rv == RAFT_CANTBOOTSTRAP) /* there is a log: an earlier start came this far */
        return RC_OK;
    return fail_raft(consensus, "cannot form a cluster", rv);
}

static enum rc open_raft(struct consensus *consensus)
{
    char name[32];
    node_name(consensus, name, sizeof name);
    consensus->fsm = (struct raft_fsm){
        .version = 3,
        .data = consensus,
        .apply = fsm_apply,
        .snapshot = fsm_snapshot,
        .restore = fsm_restore,
        .snapshot_finalize = fsm_snapshot_finalize,
        .snapshot_async = NULL, /* the engine would run it on this thread */
    };
    int rv = raft_init(&consensus->raft, &consensus->guard.io, &consensus->fsm,
                       consensus->config.node, name);
    if (rv != 0)
        return fail_raft(consensus, "cannot open", rv);
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

static enum rc start_once(struct consensus *consensus)
{
    consensus->restore_failed = false;
    TRY(open_io(consensus));
    enum rc rc = open_raft(consensus);
    if (rc != RC_OK) {
        raft_uv_close(&consensus->guard.io);
        return rc;
    }
    consensus->raft.data = consensus;
    if (consensus->config.bootstrap)
        rc = bootstrap(consensus);
    if (rc == RC_OK) {
        int rv = raft_start(&consensus->raft);
        rc = rv == 0
                 ? log_mark_check(&consensus->mark, consensus->dir, consensus->guard.loaded_index)
                 : fail_raft(consensus, "cannot read the log", rv);
    }
    if (rc == RC_OK)
        return RC_OK;
    close_raft(consensus);
    return rc;
}

/* A snapshot that fails its check is set aside once: the one before it and the trailing log give
 * the same state. */
static enum rc start(struct consensus *consensus)
{
    TRY(refuse_quarantined(consensus));
    TRY(log_mark_open(consensus->dir, &consensus->mark));
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

static const char *role_of(struct raft *raft)
{
    switch (raft_state(raft)) {
    case RAFT_LEADER:
        return "leader";
    case RAFT_CANDIDATE:
        return "candidate";
    case RAFT_FOLLOWER:
        return "follower";
    case RAFT_UNAVAILABLE:
        return "unavailable";
    }
    return "unavailable";
}

static void set_phase(struct consensus *consensus, enum engine_phase phase)
{
    (void)pthread_mutex_lock(&consensus->lock);
    consensus->phase = phase;
    (void)pthread_cond_broadcast(&consensus->changed);
    (void)pthread_mutex_unlock(&consensus->lock);
}

static uint64_t publish(struct consensus *consensus)
{
    struct raft *raft = &consensus->raft;
    raft_id leader = 0;
    const char *address = NULL;
    raft_leader(raft, &leader, &address);
    (void)pthread_mutex_lock(&consensus->lock);
    consensus->status.term = raft_current_term(raft);
    consensus->status.applied = raft_last_applied(raft);
    consensus->status.commit = raft_commit_index(raft);
    consensus->status.leader = leader;
    consensus->status.role = role_of(raft);
    consensus->status.snapshots = consensus->snapshots;
    (void)pthread_mutex_unlock(&consensus->lock);
    return leader;
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

/* Stops when nothing is in flight or waits, or the time for it is over. */
static void drain(struct consensus *consensus)
{
    if (consensus->stop_ns == 0)
        consensus->stop_ns = uv_hrtime();
    bool late = uv_hrtime() - consensus->stop_ns > DRAIN_NS;
    (void)pthread_mutex_lock(&consensus->lock);
    bool idle = consensus->waiting.count == 0 && consensus->in_flight_count == 0;
    (void)pthread_mutex_unlock(&consensus->lock);
    if ((idle || late) && !consensus->closing)
        begin_close(consensus);
}

static void watch_tick(void *context)
{
    struct consensus *consensus = context;
    uint64_t leader = publish(consensus);
    move_mark(consensus);
    (void)pthread_mutex_lock(&consensus->lock);
    bool starting = consensus->phase == ENGINE_STARTING;
    bool stopping = consensus->stopping;
    (void)pthread_mutex_unlock(&consensus->lock);
    uint64_t waited_ms = (uv_hrtime() - consensus->started_ns) / MS_NS;
    uint64_t limit_ms = (uint64_t)consensus->config.election_ms * ELECTIONS_WAIT;
    if (starting && (leader != 0 || waited_ms > limit_ms))
        set_phase(consensus, ENGINE_RUNNING);
    if (stopping)
        drain(consensus);
}

static void woken(uv_async_t *wake)
{
    struct consensus *consensus = wake->data;
    consensus_pump(consensus);
}

static void serve(struct consensus *consensus)
{
    consensus->started_ns = uv_hrtime();
    (void)uv_async_init(&consensus->loop, &consensus->wake, woken);
    consensus->wake.data = consensus;
    loop_watch_start(&consensus->watch, &consensus->loop, watch_tick, consensus);
    if (publish(consensus) != 0)
        set_phase(consensus, ENGINE_RUNNING);
    (void)uv_run(&consensus->loop, UV_RUN_DEFAULT);
    consensus_fail_waiting(consensus, RC_UNAVAILABLE);
}

void *engine_run(void *context)
{
    struct consensus *consensus = context;
    (void)pthread_setname_np(pthread_self(), "qhsmd-raft");
    (void)uv_loop_init(&consensus->loop);
    enum rc rc = start(consensus);
    if (rc == RC_OK) {
        serve(consensus);
    } else {
        consensus->failure = rc;
        (void)snprintf(consensus->failure_detail, sizeof consensus->failure_detail, "%s",
                       rc_detail());
    }
    log_mark_close(&consensus->mark);
    if (uv_loop_close(&consensus->loop) != 0)
        log_warn("loop_not_closed", "loop=raft");
    set_phase(consensus, rc == RC_OK ? ENGINE_STOPPED : ENGINE_FAILED);
    return NULL;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* One HSM's process: the engine as cluster/engine.c sets it up, without its thread. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/simulation/sim.h"

#define HEARTBEAT_MS    100U
#define ELECTION_MS     500U
#define INSTALL_MS      2000U
#define CATCH_UP_ROUNDS 100U
#define CATCH_UP_MS     5000U
#define CAPACITY_KIB    16384U
#define AUDIT_EVERY     16U
#define FIRST_VOTERS    3U

/* ---- what the engine asks of its surroundings */

static int io_init(struct raft_io *io, raft_id id, const char *address)
{
    (void)io;
    (void)id;
    (void)address;
    return 0;
}

static void io_close(struct raft_io *io, raft_io_close_cb cb)
{
    cb(io);
}

static void tick(struct node *node, void *context)
{
    (void)context;
    event_after(HEARTBEAT_MS * MS, node, tick, NULL);
    node->tick(&node->consensus->guard.io);
}

static int io_start(struct raft_io *io, unsigned msecs, raft_io_tick_cb tick_cb,
                    raft_io_recv_cb recv)
{
    struct node *node = io->impl;
    node->tick = tick_cb;
    node->recv = recv;
    event_after(random_between(1, msecs) * MS, node, tick, NULL);
    return 0;
}

static raft_time io_time(struct raft_io *io)
{
    (void)io;
    return sim.now / MS;
}

static int io_random(struct raft_io *io, int min, int max)
{
    (void)io;
    return min + (int)random_below((uint64_t)(max - min));
}

/* Without the guard: a snapshot may be received while one is written. */
static int put_unguarded(struct raft_io *io, unsigned trailing,
                         struct raft_io_snapshot_put *request, const struct raft_snapshot *snapshot,
                         raft_io_snapshot_put_cb cb)
{
    struct node *node = io->impl;
    struct raft_guard *guard = &node->consensus->guard;
    if (trailing == 0)
        guard->snapshot_index = snapshot->index;
    return guard->inner.snapshot_put(io, trailing, request, snapshot, cb);
}

static void open_io(struct node *node)
{
    struct raft_guard *guard = &node->consensus->guard;
    struct raft_io *io = &guard->io;
    *io = (struct raft_io){.version = 1,
                           .capacity = CAPACITY_KIB,
                           .impl = node,
                           .init = io_init,
                           .close = io_close,
                           .start = io_start,
                           .time = io_time,
                           .random = io_random};
    disk_install(io);
    network_install(io);
    raft_guard_install(guard);
    guard->heard = engine_heard;
    guard->contact = contacts_heard;
    guard->told = contacts_told;
    guard->accepts = engine_accepts_snapshot;
    guard->context = node->consensus;
    if (sim.mutation == MUTATION_GUARD)
        io->snapshot_put = put_unguarded;
}

static void configure(struct raft *raft)
{
    raft_set_election_timeout(raft, ELECTION_MS);
    raft_set_heartbeat_timeout(raft, HEARTBEAT_MS);
    raft_set_install_snapshot_timeout(raft, INSTALL_MS);
    raft_set_pre_vote(raft, true);
    raft_set_max_inflight_entries(raft, PEER_ENTRIES_MAX);
    raft_set_max_catch_up_rounds(raft, CATCH_UP_ROUNDS);
    raft_set_max_catch_up_round_duration(raft, CATCH_UP_MS);
    raft_set_snapshot_threshold(raft, sim.threshold);
    raft_set_snapshot_trailing(raft, sim.trailing);
}

static void fill(struct node *node, struct consensus *consensus)
{
    consensus->config.node = node->id;
    consensus->config.heartbeat_ms = HEARTBEAT_MS;
    consensus->config.election_ms = ELECTION_MS;
    memcpy(consensus->config.cluster, sim.cluster, sizeof sim.cluster);
    consensus->dir = node->address; /* for messages; there is no such directory */
    consensus->keys = sim.keys;
    consensus->mark.fd = -1;
    consensus->audit.every = AUDIT_EVERY;
    consensus->waiting.last = &consensus->waiting.first;
    consensus->in_flight_last = &consensus->in_flight;
    (void)pthread_mutex_init(&consensus->lock, NULL);
    (void)pthread_mutex_init(&consensus->waits.lock, NULL);
    (void)pthread_cond_init(&consensus->changed, NULL);
    consensus->phase = ENGINE_RUNNING;
    if (state_new(sim.keys, &consensus->state) != RC_OK)
        exit(2);
}

/* The first three form the cluster. */
static void bootstrap(struct raft *raft)
{
    struct raft_configuration first;
    raft_configuration_init(&first);
    for (unsigned i = 0; i < FIRST_VOTERS; i++)
        if (raft_configuration_add(&first, sim.nodes[i].id, sim.nodes[i].address, RAFT_VOTER) != 0)
            exit(2);
    int rv = raft_bootstrap(raft, &first);
    if (rv != 0 && rv != RAFT_CANTBOOTSTRAP)
        exit(2);
    raft_configuration_close(&first);
}

static void start(struct node *node, void *context)
{
    (void)context;
    struct consensus *consensus = calloc(1, sizeof *consensus);
    if (consensus == NULL)
        exit(2);
    node->consensus = consensus;
    fill(node, consensus);
    open_io(node);
    engine_fsm_init(consensus);
    if (raft_init(&consensus->raft, &consensus->guard.io, &consensus->fsm, node->id,
                  node->address) != 0)
        exit(2);
    configure(&consensus->raft);
    consensus->raft.tracer = NULL;
    consensus->raft.data = consensus;
    if (node->number < FIRST_VOTERS)
        bootstrap(&consensus->raft);
    int rv = raft_start(&consensus->raft);
    if (rv != 0)
        sim_fail("node %" PRIu64 " cannot start: %s", (uint64_t)node->id, raft_strerror(rv));
    consensus->started = true;
    consensus->heard_ms = sim.now / MS;
}

/* ---- life and death */

struct node *node_new(void)
{
    for (unsigned i = 0; i < SIM_NODES; i++) {
        struct node *node = &sim.nodes[i];
        if (node->exists)
            continue;
        *node = (struct node){.number = i, .id = i + 1, .exists = true};
        (void)snprintf(node->address, sizeof node->address, "node/%u", i + 1);
        disk_init(&node->disk);
        return node;
    }
    return NULL;
}

void node_start(struct node *node)
{
    if (node->up || node->removed)
        return;
    node->up = true;
    node->commit_seen = 0;
    node->applied_seen = 0;
    trace("node %llu starts: log to %llu, term %llu", node->id, disk_last(&node->disk),
          node->disk.term);
    node_enter(node, start, NULL);
}

/* What it had in memory is never touched again, and lies there until the seed ends. */
void node_crash(struct node *node, const char *why)
{
    if (!node->up)
        return;
    trace("node %llu ends: %s", node->id, why);
    sim.stats.crashes++;
    node->up = false;
    node->incarnation++;
    node->paused_until = 0;
    node->tasks = NULL;
    disk_crash(node);
}

void node_stop(const char *why)
{
    struct node *node = sim.current;
    sim.stats.stops++;
    if (!node->may_stop)
        sim_fail("node %llu stopped itself: %s (%s)", node->id, why, rc_detail());
    node_crash(node, why);
    longjmp(node->stopped, 1);
}

/* The engine's own loop does this in each round; its requests all begin alike (RAFT__REQUEST), and
 * the type of a transfer has no public name. */
static void fire(struct raft_apply *request)
{
    void *any = request;
    if (request->type == RAFT_COMMAND)
        request->cb(request, request->status, request->result);
    else if (request->type == RAFT_BARRIER)
        ((struct raft_barrier *)any)->cb(any, request->status);
    else if (request->type == RAFT_CHANGE)
        ((struct raft_change *)any)->cb(any, request->status);
    else
        ((struct raft_transfer *)any)->cb(any);
}

static void fire_completed(struct raft *raft)
{
    void **queue = raft->legacy.requests;
    while (queue[0] != queue) {
        void **head = queue[0];
        void **next = head[0];
        queue[0] = next;
        next[1] = queue;
        char *request = (char *)head - offsetof(struct raft_apply, queue);
        fire((void *)request);
    }
}

static void pump(struct node *node)
{
    struct consensus *consensus = node->consensus;
    consensus->loop.time = sim.now / MS;
    do {
        node->woken = false;
        fire_completed(&consensus->raft);
        consensus_pump(consensus);
        members_pump(consensus);
        reads_pump(consensus);
        snapshots_pump(consensus);
        audit_pump(consensus);
        tasks_pump(node);
    } while (node->woken);
    (void)engine_publish(consensus);
    waits_expire(consensus);
    contacts_nudge(consensus);
    checks_node(node);
}

void node_enter(struct node *node, event_run run, void *context)
{
    struct node *outer = sim.current;
    sim.current = node;
    if (setjmp(node->stopped) == 0) {
        if (node->consensus != NULL)
            node->consensus->loop.time = sim.now / MS;
        run(node, context);
        pump(node);
    }
    sim.current = outer;
}

/* ---- facts */

bool node_leads(const struct node *node)
{
    return node->up && engine_leads(node->consensus);
}

struct node *node_of_id(raft_id id)
{
    return id > 0 && id <= SIM_NODES && sim.nodes[id - 1].exists ? &sim.nodes[id - 1] : NULL;
}

struct node *node_leader(void)
{
    struct node *best = NULL;
    for (unsigned i = 0; i < SIM_NODES; i++) {
        struct node *node = &sim.nodes[i];
        if (node_leads(node) && (best == NULL || node->consensus->raft.current_term >
                                                     best->consensus->raft.current_term))
            best = node;
    }
    return best;
}

uint64_t node_applied(const struct node *node)
{
    return state_applied(node->consensus->state);
}

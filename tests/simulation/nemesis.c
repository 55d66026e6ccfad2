/* SPDX-License-Identifier: Apache-2.0 */
/* Trouble: each seed draws which kinds it has, and how often. */
#include <stdio.h>

#include "tests/simulation/sim.h"

#define VOTERS_MIN 3U

static bool stopped;
static unsigned weights[16];
static uint64_t pause_ms; /* between two troubles, at most */

/* ---- nodes */

static struct node *pick_up(void)
{
    for (unsigned tries = 0; tries < 32; tries++) {
        struct node *node = &sim.nodes[random_below(SIM_NODES)];
        if (node->up && !node->removed)
            return node;
    }
    return NULL;
}

/* The leader more often than chance would have it. */
static struct node *pick_victim(void)
{
    struct node *leader = node_leader();
    return leader != NULL && random_chance(500) ? leader : pick_up();
}

static void restart(struct node *unused, void *context)
{
    (void)unused;
    struct node *node = context;
    node->disk.bad_metadata = false;
    node->disk.full = false;
    node_start(node);
}

static void restart_later(struct node *node)
{
    event_after(random_between(20, 1500) * MS, NULL, restart, node);
}

static void crash(void)
{
    struct node *node = pick_victim();
    if (node == NULL)
        return;
    node_crash(node, "killed");
    restart_later(node);
}

static void crash_all(void)
{
    for (unsigned i = 0; i < SIM_NODES; i++) {
        if (!sim.nodes[i].up)
            continue;
        node_crash(&sim.nodes[i], "power cut");
        restart_later(&sim.nodes[i]);
    }
}

static void pause_node(void)
{
    struct node *node = pick_victim();
    if (node == NULL)
        return;
    uint64_t ms = random_between(50, 2500);
    trace("node %llu is paused for %llu ms", node->id, (unsigned long long)ms);
    sim.stats.pauses++;
    node->paused_until = sim.now + ms * MS;
}

static void jump_clock(void)
{
    struct node *node = pick_up();
    if (node == NULL)
        return;
    uint64_t range_ms = (sim.strict ? 240 : 9) * 60 * 1000; /* of requests' lives: 10 minutes */
    node->clock_skew_ms = (int64_t)random_below(range_ms) - (int64_t)(range_ms / 2);
    trace("the clock of node %llu is %lld ms off", node->id, (long long)node->clock_skew_ms);
}

static void slow_disk(void)
{
    struct node *node = pick_victim();
    if (node != NULL)
        node->disk.slow_us = random_below(30) * MS;
}

/* ---- disks that fail: who meets it stops */

static void fill_disk(void)
{
    struct node *node = pick_victim();
    if (node == NULL)
        return;
    trace("the disk of node %llu is full", node->id);
    node->disk.full = true;
    node->may_stop = true;
    restart_later(node);
}

static void break_metadata(void)
{
    struct node *node = pick_up();
    if (node == NULL)
        return;
    trace("node %llu can store no term or vote", node->id);
    node->disk.bad_metadata = true;
    node->may_stop = true;
    restart_later(node);
}

/* ---- the network */

static void cut_some(void)
{
    struct node *node = pick_victim();
    unsigned way = (unsigned)random_below(3);
    sim.stats.cuts++;
    if (node == NULL)
        return;
    trace("node %llu is cut off, way %u", node->id, way);
    for (unsigned i = 0; i < SIM_NODES; i++) {
        if (way != 1)
            sim.links[i][node->number].cut = true;
        if (way != 2)
            sim.links[node->number][i].cut = true;
    }
}

static void cut_halves(void)
{
    uint64_t side = random_below(1U << SIM_NODES);
    sim.stats.cuts++;
    trace("the network is split: %llx", (unsigned long long)side);
    for (unsigned i = 0; i < SIM_NODES; i++)
        for (unsigned j = 0; j < SIM_NODES; j++)
            sim.links[i][j].cut = ((side >> i) & 1) != ((side >> j) & 1);
}

static void cut_one_link(void)
{
    unsigned from = (unsigned)random_below(SIM_NODES);
    unsigned to = (unsigned)random_below(SIM_NODES);
    sim.links[from][to].cut = from != to;
    sim.stats.cuts++;
}

static void heal(void)
{
    trace("the network is whole");
    network_heal();
}

static void degrade(void)
{
    unsigned loss = (unsigned)random_below(200);
    uint64_t delay = random_between(200, 30000);
    for (unsigned i = 0; i < SIM_NODES; i++)
        for (unsigned j = 0; j < SIM_NODES; j++) {
            sim.links[i][j].loss = loss;
            sim.links[i][j].delay_us = delay;
        }
    trace("the network loses %u per mille, %llu us", loss, (unsigned long long)delay);
}

/* ---- members */

enum change_kind {
    CHANGE_OF_ADD,
    CHANGE_OF_STANDBY,
    CHANGE_OF_VOTER,
    CHANGE_OF_REMOVE,
    CHANGE_OF_LEAD
};

struct change {
    struct node *node;
    struct node *leader;
    enum change_kind kind;
};

static void changed(void *context, enum rc rc)
{
    struct change *change = context;
    static const char *const names[] = {"add", "stand-by", "voter", "remove", "lead"};
    trace("member %llu: %s: %s, says node %llu", change->node->id, names[change->kind],
          rc_info(rc)->name, change->leader->id);
    if (rc == RC_OK)
        sim.stats.members++;
    if (rc == RC_OK && change->kind == CHANGE_OF_REMOVE)
        change->node->removed = true;
}

static void ask_change(struct node *leader, void *context)
{
    struct change *change = context;
    struct consensus *consensus = leader->consensus;
    if (stopped)
        return;
    trace("node %llu is asked for a change of member %llu", leader->id, change->node->id);
    uint64_t id = change->node->id;
    enum rc rc = RC_OK;
    if (change->kind == CHANGE_OF_ADD)
        rc = consensus_member_add(consensus, id, change->node->address, changed, change);
    else if (change->kind == CHANGE_OF_REMOVE)
        rc = consensus_member_remove(consensus, id, changed, change);
    else if (change->kind == CHANGE_OF_LEAD)
        rc = consensus_transfer(consensus, id, changed, change);
    else
        rc = consensus_member_assign(
            consensus, id, change->kind == CHANGE_OF_VOTER ? CONSENSUS_VOTER : CONSENSUS_STANDBY,
            changed, change);
    if (rc != RC_OK)
        changed(change, rc);
}

static void ask(struct node *leader, struct node *node, enum change_kind kind)
{
    struct change *change = sim_alloc(sizeof *change);
    *change = (struct change){.node = node, .leader = leader};
    change->kind = kind;
    event_after(1, leader, ask_change, change);
}

static unsigned count_voters(const struct raft_configuration *members)
{
    unsigned voters = 0;
    for (unsigned i = 0; i < members->n; i++)
        voters += members->servers[i].role == RAFT_VOTER ? 1 : 0;
    return voters;
}

static void change_member(void)
{
    struct node *leader = node_leader();
    if (leader == NULL)
        return;
    const struct raft_configuration *members = &leader->consensus->raft.configuration;
    const struct raft_server *server = &members->servers[random_below(members->n)];
    struct node *node = node_of_id(server->id);
    if (server->role == RAFT_SPARE)
        ask(leader, node, CHANGE_OF_STANDBY);
    else if (server->role == RAFT_STANDBY)
        ask(leader, node, CHANGE_OF_VOTER);
    else if (node != leader && count_voters(members) > VOTERS_MIN)
        ask(leader, node, CHANGE_OF_REMOVE);
    else if (node != leader)
        ask(leader, node, CHANGE_OF_LEAD);
}

static void add_member(void)
{
    struct node *leader = node_leader();
    struct node *node = leader != NULL ? node_new() : NULL;
    if (node == NULL)
        return;
    node_start(node);
    ask(leader, node, CHANGE_OF_ADD);
}

static void stop_removed(void)
{
    for (unsigned i = 0; i < SIM_NODES; i++)
        if (sim.nodes[i].removed)
            node_crash(&sim.nodes[i], "removed");
}

/* ---- what comes when */

typedef void (*trouble)(void);
static const trouble troubles[] = {
    crash,         pause_node, cut_some,  cut_halves,     cut_one_link, heal,      degrade,
    change_member, add_member, fill_disk, break_metadata, jump_clock,   slow_disk, crash_all,
};
#define TROUBLES (sizeof troubles / sizeof troubles[0])

static void next(struct node *unused, void *context)
{
    (void)unused;
    (void)context;
    if (stopped)
        return;
    stop_removed();
    uint64_t total = 0;
    for (size_t i = 0; i < TROUBLES; i++)
        total += weights[i];
    uint64_t dice = random_below(total);
    size_t chosen = 0;
    while (dice >= weights[chosen])
        dice -= weights[chosen++];
    if (clients_ready())
        troubles[chosen]();
    event_after(random_between(10, pause_ms) * MS, NULL, next, NULL);
}

void nemesis_start(void)
{
    for (size_t i = 0; i < TROUBLES; i++)
        weights[i] = random_chance(500) ? (unsigned)random_between(1, 8) : 0;
    weights[0] += 2;
    weights[5] = 4; /* heal */
    weights[13] = weights[13] > 0 ? 1 : 0;
    pause_ms = random_between(100, 700);
    event_after(MS, NULL, next, NULL);
}

/* Who ends late, by a write that failed before all was well. */
static void revive(struct node *unused, void *context)
{
    (void)unused;
    (void)context;
    for (unsigned i = 0; i < SIM_NODES; i++)
        if (sim.nodes[i].exists && !sim.nodes[i].up)
            restart(NULL, &sim.nodes[i]);
    event_after(500 * MS, NULL, revive, NULL);
}

void nemesis_stop(void)
{
    stopped = true;
    stop_removed();
    network_heal();
    for (unsigned i = 0; i < SIM_NODES; i++) {
        struct node *node = &sim.nodes[i];
        if (!node->exists || node->removed)
            continue;
        /* A pause ends in its time: what waits for its end must not be overtaken. */
        node->disk.slow_us = 0;
        restart(NULL, node);
    }
    revive(NULL, NULL);
}

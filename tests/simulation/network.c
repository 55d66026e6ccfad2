/* SPDX-License-Identifier: Apache-2.0 */
/* Messages between HSMs: late, lost, out of order when the seed says so, cut one way or both. */
#include <stdlib.h>
#include <string.h>

#include "tests/simulation/sim.h"

void network_init(void)
{
    for (unsigned i = 0; i < SIM_NODES; i++)
        for (unsigned j = 0; j < SIM_NODES; j++)
            sim.links[i][j] = (struct link){.delay_us = 300};
}

void network_heal(void)
{
    for (unsigned i = 0; i < SIM_NODES; i++)
        for (unsigned j = 0; j < SIM_NODES; j++) {
            sim.links[i][j].cut = false;
            sim.links[i][j].loss = 0;
            sim.links[i][j].delay_us = 300;
        }
}

/* Microseconds, or UINT64_MAX: it is lost. */
static uint64_t travel(struct link *link)
{
    if (link->cut || random_chance(link->loss))
        return UINT64_MAX;
    uint64_t arrives = sim.now + link->delay_us + random_below(link->delay_us);
    if (sim.reorder)
        arrives += random_below(link->delay_us * 4);
    else if (arrives <= link->busy_until)
        arrives = link->busy_until + 1;
    link->busy_until = arrives;
    return arrives - sim.now;
}

bool network_carry(const struct node *from, struct node *to, event_run run, void *context)
{
    uint64_t delay = travel(&sim.links[from->number][to->number]);
    if (delay == UINT64_MAX || !to->up)
        return false;
    event_after(delay, to, run, context);
    return true;
}

/* ---- the engine's */

struct letter {
    struct node *from, *to;
    struct raft_message message; /* what it points at is the letter's */
};

static size_t padded(size_t len)
{
    return (len + 7) & ~(size_t)7;
}

/* All entries' data in one piece, as the engine expects of what was received. */
static void copy_entries(const struct raft_append_entries *from, struct raft_append_entries *to)
{
    size_t len = 0;
    to->entries = NULL;
    if (from->n_entries == 0)
        return;
    for (unsigned i = 0; i < from->n_entries; i++)
        len += padded(from->entries[i].buf.len);
    uint8_t *batch = raft_malloc(len + 8);
    to->entries = raft_calloc(from->n_entries, sizeof *to->entries);
    if (batch == NULL || to->entries == NULL)
        exit(2);
    uint8_t *at = batch;
    for (unsigned i = 0; i < from->n_entries; i++) {
        const struct raft_entry *entry = &from->entries[i];
        memcpy(at, entry->buf.base, entry->buf.len);
        to->entries[i] = (struct raft_entry){.term = entry->term,
                                             .type = entry->type,
                                             .buf = {.base = at, .len = entry->buf.len},
                                             .batch = batch};
        at += padded(entry->buf.len);
    }
}

static void copy_install(const struct raft_install_snapshot *from, struct raft_install_snapshot *to)
{
    raft_configuration_init(&to->conf);
    for (unsigned i = 0; i < from->conf.n; i++)
        if (raft_configuration_add(&to->conf, from->conf.servers[i].id,
                                   from->conf.servers[i].address, from->conf.servers[i].role) != 0)
            exit(2);
    to->data.base = raft_malloc(from->data.len);
    if (to->data.base == NULL)
        exit(2);
    memcpy(to->data.base, from->data.base, from->data.len);
}

static void deliver(struct node *node, void *context)
{
    struct letter *letter = context;
    struct raft_message *message = &letter->message;
    if (sim.links[letter->from->number][node->number].cut)
        return;
    if (!engine_is_member(node->consensus, letter->from->id))
        return;
    message->server_id = letter->from->id;
    message->server_address = letter->from->address;
    node->recv(&node->consensus->guard.io, message);
}

struct sent {
    struct raft_io_send *request;
    int status;
};

static void tell_sent(struct node *node, void *context)
{
    (void)node;
    const struct sent *sent = context;
    sent->request->cb(sent->request, sent->status);
}

static void post(struct node *from, const struct raft_message *message)
{
    struct node *to = node_of_id(message->server_id);
    if (to == NULL || !to->up)
        return;
    uint64_t delay = travel(&sim.links[from->number][to->number]);
    if (delay == UINT64_MAX)
        return;
    struct letter *letter = sim_alloc(sizeof *letter);
    *letter = (struct letter){.from = from, .to = to, .message = *message};
    if (message->type == RAFT_APPEND_ENTRIES)
        copy_entries(&message->append_entries, &letter->message.append_entries);
    if (message->type == RAFT_INSTALL_SNAPSHOT) {
        copy_install(&message->install_snapshot, &letter->message.install_snapshot);
        delay += random_between(1, 30) * MS;
    }
    event_after(delay, to, deliver, letter);
}

static int network_send(struct raft_io *io, struct raft_io_send *request,
                        const struct raft_message *message, raft_io_send_cb cb)
{
    struct node *from = io->impl;
    const struct node *to = node_of_id(message->server_id);
    struct sent *sent = sim_alloc(sizeof *sent);
    sent->request = request;
    sent->status = to != NULL && to->up ? 0 : RAFT_NOCONNECTION;
    request->cb = cb;
    post(from, message);
    event_after(random_between(10, 100), from, tell_sent, sent);
    return 0;
}

void network_install(struct raft_io *io)
{
    io->send = network_send;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/cluster/raft_guard_fake.h"

#include <stdio.h>
#include <string.h>

struct guard_fake fake;

static int fake_get(struct raft_io *io, struct raft_io_snapshot_get *request,
                    raft_io_snapshot_get_cb done)
{
    (void)io;
    fake.gets++;
    fake.get = request;
    fake.got = done;
    return 0;
}

static int fake_put(struct raft_io *io, unsigned trailing, struct raft_io_snapshot_put *request,
                    const struct raft_snapshot *snapshot, raft_io_snapshot_put_cb done)
{
    (void)io;
    (void)trailing;
    fake.members = snapshot->configuration.n;
    fake.members_index = snapshot->configuration_index;
    fake.puts++;
    fake.put = request;
    fake.put_done = done;
    return 0;
}

static int fake_send(struct raft_io *io, struct raft_io_send *request,
                     const struct raft_message *message, raft_io_send_cb done)
{
    (void)io;
    fake.sends++;
    if (message->type == RAFT_INSTALL_SNAPSHOT)
        fake.sent_term = message->install_snapshot.last_term;
    if (message->type == RAFT_APPEND_ENTRIES_RESULT)
        fake.sent_last = message->append_entries_result.last_log_index;
    if (message->type == RAFT_REQUEST_VOTE) {
        fake.sent_vote = message->request_vote.term;
        (void)snprintf(fake.sent_address, sizeof fake.sent_address, "%s", message->server_address);
    }
    fake.send = request;
    fake.sent = done;
    return fake.send_result;
}

static int fake_start(struct raft_io *io, unsigned msecs, raft_io_tick_cb tick,
                      raft_io_recv_cb recv)
{
    (void)io;
    (void)msecs;
    fake.tick = tick;
    fake.recv = recv;
    return 0;
}

static int fake_set_term(struct raft_io *io, raft_term term)
{
    (void)io;
    (void)term;
    fake.stores++;
    fake.vote = 0;
    return fake.store_result;
}

static int fake_set_vote(struct raft_io *io, raft_id id)
{
    (void)io;
    fake.stores++;
    fake.vote = id;
    return fake.store_result;
}

static int fake_append(struct raft_io *io, struct raft_io_append *request,
                       const struct raft_entry entries[], unsigned n, raft_io_append_cb done)
{
    (void)io;
    (void)request;
    (void)entries;
    (void)n;
    (void)done;
    return fake.append_result;
}

static int fake_truncate(struct raft_io *io, raft_index index)
{
    (void)io;
    (void)index;
    fake.truncates++;
    return 0;
}

static void fake_close(struct raft_io *io, raft_io_close_cb done)
{
    (void)io;
    (void)done;
    fake.closes++;
}

static raft_time fake_time(struct raft_io *io)
{
    (void)io;
    return fake.now;
}

void guard_fake_received(struct raft_io *io, struct raft_message *message)
{
    (void)io;
    (void)message;
    fake.receives++;
}

void guard_fake_sent(struct raft_io_send *request, int status)
{
    (void)request;
    fake.status = status;
    fake.callbacks++;
}

void guard_fake_begin(struct raft_guard *guard)
{
    memset(&fake, 0, sizeof fake);
    memset(guard, 0, sizeof *guard);
    guard->io.snapshot_get = fake_get;
    guard->io.snapshot_put = fake_put;
    guard->io.send = fake_send;
    guard->io.start = fake_start;
    guard->io.time = fake_time;
    guard->io.close = fake_close;
    guard->io.append = fake_append;
    guard->io.truncate = fake_truncate;
    guard->io.set_term = fake_set_term;
    guard->io.set_vote = fake_set_vote;
    raft_guard_install(guard);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Wrappers of raft_io's functions; each says which fault of libraft 0.22.1 it keeps away. */
#include "cluster/raft_guard.h"

#include <stdlib.h>

#include "cluster/entry.h"
#include "common/log.h"

static struct raft_guard *guard_of(struct raft_io *io)
{
    return (struct raft_guard *)io; /* io is the first member */
}

/* A vote or term that is only in memory is a second vote after a crash: legacy.c ignores the
 * error, so the process ends here. */
static int guard_set_term(struct raft_io *io, raft_term term)
{
    int rv = guard_of(io)->inner.set_term(io, term);
    if (rv != 0) {
        log_error("raft_term_not_stored", "term=%llu error=\"%s\"", term, raft_strerror(rv));
        abort();
    }
    return rv;
}

static int guard_set_vote(struct raft_io *io, raft_id server)
{
    int rv = guard_of(io)->inner.set_vote(io, server);
    if (rv != 0) {
        log_error("raft_vote_not_stored", "server=%llu error=\"%s\"", server, raft_strerror(rv));
        abort();
    }
    return rv;
}

/* restore() is not told which index its snapshot is of, nor anybody how long the log is. */
static int guard_load(struct raft_io *io, raft_term *term, raft_id *voted_for,
                      struct raft_snapshot **snapshot, raft_index *start_index,
                      struct raft_entry *entries[], size_t *n_entries)
{
    int rv =
        guard_of(io)->inner.load(io, term, voted_for, snapshot, start_index, entries, n_entries);
    struct raft_guard *guard = guard_of(io);
    guard->snapshot_index = rv == 0 && *snapshot != NULL ? (*snapshot)->index : 0;
    guard->loaded_index = guard->snapshot_index;
    if (rv == 0 && *n_entries > 0)
        guard->loaded_index = *start_index + *n_entries - 1;
    return rv;
}

/* ---- one InstallSnapshot at a time: checkContactQuorum() in timeout.c has the whole state sent
 * again at every tick until an answer comes, which queues behind it in the same stream */

struct guard_send {
    struct raft_io_send outer;
    struct raft_io_send *inner;
    raft_io_send_cb done;
    struct raft_guard *guard;
};

static void guard_sent(struct raft_io_send *request, int status)
{
    struct guard_send *send = request->data;
    send->guard->installs--;
    send->done(send->inner, status);
    free(send);
}

static int guard_send(struct raft_io *io, struct raft_io_send *request,
                      const struct raft_message *message, raft_io_send_cb done)
{
    struct raft_guard *guard = guard_of(io);
    if (message->type != RAFT_INSTALL_SNAPSHOT)
        return guard->inner.send(io, request, message, done);
    struct guard_send *send = calloc(1, sizeof *send);
    if (send == NULL)
        return RAFT_NOMEM;
    *send = (struct guard_send){.inner = request, .done = done, .guard = guard};
    send->outer.data = send;
    guard->installs++;
    int rv = guard->inner.send(io, &send->outer, message, guard_sent);
    if (rv != 0) {
        guard->installs--;
        free(send);
    }
    return rv;
}

struct guard_get {
    struct raft_io_snapshot_get outer;
    struct raft_io_snapshot_get *inner;
    raft_io_snapshot_get_cb done;
    struct raft_guard *guard;
};

/* `done` hands the snapshot to guard_send() at once, so the count does not touch zero between. */
static void guard_got(struct raft_io_snapshot_get *request, struct raft_snapshot *snapshot,
                      int status)
{
    struct guard_get *get = request->data;
    get->done(get->inner, snapshot, status);
    get->guard->installs--;
    free(get);
}

/* A dropped request is never completed: the engine's error path frees what it has not set. That
 * leaks some 300 bytes; it asks again after its install timeout. */
static int guard_snapshot_get(struct raft_io *io, struct raft_io_snapshot_get *request,
                              raft_io_snapshot_get_cb done)
{
    struct raft_guard *guard = guard_of(io);
    if (guard->installs > 0) {
        guard->installs_dropped++;
        return 0;
    }
    struct guard_get *get = calloc(1, sizeof *get);
    if (get == NULL)
        return RAFT_NOMEM;
    *get = (struct guard_get){.inner = request, .done = done, .guard = guard};
    get->outer.data = get;
    guard->installs++;
    int rv = guard->inner.snapshot_get(io, &get->outer, guard_got);
    if (rv != 0) {
        guard->installs--;
        free(get);
    }
    return rv;
}

/* ---- no receive while our own snapshot is written: takeSnapshotCb() in legacy.c clears
 * snapshot_pending before it reads it */

struct guard_put {
    struct raft_io_snapshot_put outer;
    struct raft_io_snapshot_put *inner;
    raft_io_snapshot_put_cb done;
    struct raft_guard *guard;
};

static void guard_put_done(struct raft_io_snapshot_put *request, int status)
{
    struct guard_put *put = request->data;
    put->guard->own_puts--;
    put->done(put->inner, status);
    free(put);
}

static int guard_snapshot_put(struct raft_io *io, unsigned trailing,
                              struct raft_io_snapshot_put *request,
                              const struct raft_snapshot *snapshot, raft_io_snapshot_put_cb done)
{
    struct raft_guard *guard = guard_of(io);
    if (trailing == 0) { /* the engine's mark of an installed one, restored when it is written */
        guard->snapshot_index = snapshot->index;
        return guard->inner.snapshot_put(io, trailing, request, snapshot, done);
    }
    struct guard_put *put = calloc(1, sizeof *put);
    if (put == NULL)
        return RAFT_NOMEM;
    *put = (struct guard_put){.inner = request, .done = done, .guard = guard};
    put->outer.data = put;
    guard->own_puts++;
    int rv = guard->inner.snapshot_put(io, trailing, &put->outer, snapshot, guard_put_done);
    if (rv != 0) {
        guard->own_puts--;
        free(put);
    }
    return rv;
}

static void guard_recv(struct raft_io *io, struct raft_message *message)
{
    struct raft_guard *guard = guard_of(io);
    if (message->type != RAFT_INSTALL_SNAPSHOT) {
        guard->recv(io, message);
        return;
    }
    struct raft_install_snapshot *install = &message->install_snapshot;
    if (guard->own_puts > 0) {
        guard->receives_dropped++;
        raft_configuration_close(&install->conf);
        raft_free(install->data.base);
        return;
    }
    guard->recv(io, message);
}

static int guard_start(struct raft_io *io, unsigned msecs, raft_io_tick_cb tick,
                       raft_io_recv_cb recv)
{
    guard_of(io)->recv = recv;
    return guard_of(io)->inner.start(io, msecs, tick, guard_recv);
}

void raft_guard_install(struct raft_guard *guard)
{
    struct raft_io *io = &guard->io;
    guard->inner = *io;
    guard->recv = NULL;
    guard->own_puts = 0;
    guard->installs = 0;
    guard->installs_dropped = 0;
    guard->receives_dropped = 0;
    guard->loaded_index = 0;
    guard->snapshot_index = 0;
    io->load = guard_load;
    io->start = guard_start;
    io->set_term = guard_set_term;
    io->set_vote = guard_set_vote;
    io->send = guard_send;
    io->snapshot_get = guard_snapshot_get;
    io->snapshot_put = guard_snapshot_put;
}

enum rc raft_guard_apply(struct raft *raft, struct raft_apply *request, struct raft_buffer *buffer,
                         raft_apply_cb done)
{
    /* Both are checked by the engine only after it has appended the entry in memory. */
    if (buffer->len % 8 != 0 || buffer->len == 0 || buffer->len > ENTRY_LEN_MAX)
        return rc_fail(RC_INTERNAL, "a log entry of %zu bytes", buffer->len);
    int rv = raft_apply(raft, request, buffer, 1, done);
    if (rv == 0)
        return RC_OK;
    if (rv == RAFT_NOTLEADER)
        return rc_fail(RC_NO_QUORUM, "this HSM does not lead the cluster");
    if (rv == RAFT_NOSPACE)
        return rc_fail(RC_DISK, "the disks of a majority are full");
    log_error("raft_apply_failed", "error=\"%s\"", raft_errmsg(raft));
    abort();
}

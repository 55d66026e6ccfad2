/* SPDX-License-Identifier: Apache-2.0 */
/* Wrappers of raft_io's functions; each says which fault of libraft 0.22.1 it keeps away. */
#include "cluster/raft_guard.h"

#include <stdlib.h>
#include <string.h>

#include "cluster/entry.h"
#include "cluster/raft_members.h"
#include "common/log.h"

#define TICKS_AT_ONCE 2U
#define TIE_SHARE     10U /* of an election's time */

static struct raft_guard *guard_of(struct raft_io *io)
{
    return (struct raft_guard *)io; /* io is the first member */
}

/* Time in which this process stood still does not count: the engine looks at its clock before it
 * reads what has come meanwhile, and a leader would step down, a follower call an election, for
 * messages that lie there. Each waits once more instead, as long as it is at least alive to hear.
 */
static raft_time guard_time(struct raft_io *io)
{
    struct raft_guard *guard = guard_of(io);
    raft_time real = guard->inner.time(io);
    raft_time step = real - guard->seen;
    if (guard->stride > 0 && step > guard->stride) {
        log_info("stood_still", "ms=%llu", step);
        step = guard->stride;
    }
    guard->now += step;
    guard->seen = real;
    return guard->now;
}

/* A vote or term that is only in memory is a second vote after a crash: legacy.c ignores the
 * error, so the process ends here. They are stored in two files in turn: with both made while there
 * is room, a full disk does not matter. */
static int guard_set_term(struct raft_io *io, raft_term term)
{
    struct raft_guard *guard = guard_of(io);
    int rv = guard->inner.set_term(io, term);
    if (rv == 0 && !guard->has_stored)
        rv = guard->inner.set_vote(io, 0); /* as set_term() has just done */
    guard->has_stored = true;
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

static raft_index first_foreign(const struct raft_guard *guard, raft_index first,
                                const struct raft_entry *entries, size_t count)
{
    for (size_t i = 0; guard->owns != NULL && i < count; i++)
        if (!guard->owns(guard->context, &entries[i]))
            return first + i;
    return 0;
}

static void free_entries(struct raft_entry *entries, size_t count)
{
    for (size_t i = 0; i < count; i++) /* entries of a batch follow one another */
        if (i + 1 == count || entries[i + 1].batch != entries[i].batch)
            raft_free(entries[i].batch);
    raft_free(entries);
}

/* The engine frees a batch when none of its entries is in the log any more, also when a message
 * that is being sent still has some, and once more when that is sent. Only the log as it was loaded
 * has batches, so that each of its entries gets memory of its own. */
static int divide_batches(struct raft_entry *entries, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct raft_entry *entry = &entries[i];
        void *own = raft_malloc(entry->buf.len > 0 ? entry->buf.len : 1);
        if (own == NULL)
            return RAFT_NOMEM;
        if (entry->buf.len > 0)
            memcpy(own, entry->buf.base, entry->buf.len);
        if (i + 1 == count || entries[i + 1].batch != entry->batch)
            raft_free(entry->batch);
        entry->buf.base = own;
        entry->batch = NULL;
    }
    return 0;
}

static void free_snapshot(struct raft_snapshot *snapshot)
{
    if (snapshot == NULL)
        return;
    raft_configuration_close(&snapshot->configuration);
    for (unsigned i = 0; i < snapshot->n_bufs; i++)
        raft_free(snapshot->bufs[i].base);
    raft_free(snapshot->bufs);
    raft_free(snapshot);
}

/* restore() is not told which index its snapshot is of, nor anybody how long the log is. Entries
 * are looked at before anyone is answered: the engine compares no more than terms, and would take
 * what its leader adds to a log of another cluster for one that agrees, and say so. */
static int guard_load(struct raft_io *io, raft_term *term, raft_id *voted_for,
                      struct raft_snapshot **snapshot, raft_index *start_index,
                      struct raft_entry *entries[], size_t *n_entries)
{
    int rv =
        guard_of(io)->inner.load(io, term, voted_for, snapshot, start_index, entries, n_entries);
    struct raft_guard *guard = guard_of(io);
    if (rv == 0 && *term > 0 && guard->inner.set_vote(io, *voted_for) == 0)
        guard->has_stored = true;
    guard->snapshot_index = rv == 0 && *snapshot != NULL ? (*snapshot)->index : 0;
    guard->loaded_index = guard->snapshot_index;
    if (rv == 0 && *n_entries > 0) {
        guard->loaded_index = *start_index + *n_entries - 1;
        guard->foreign_index = first_foreign(guard, *start_index, *entries, *n_entries);
    }
    if (guard->foreign_index != 0) {
        free_entries(*entries, *n_entries);
        free_snapshot(*snapshot);
        return RAFT_CORRUPT;
    }
    guard->next_index = *start_index + *n_entries;
    if (rv == 0)
        rv = divide_batches(*entries, *n_entries);
    guard->loaded = rv == 0 ? *entries : NULL;
    guard->loaded_count = rv == 0 ? *n_entries : 0;
    return rv;
}

void raft_guard_unload(struct raft_guard *guard)
{
    for (size_t i = 0; guard->loaded != NULL && i < guard->loaded_count; i++)
        raft_free(guard->loaded[i].buf.base);
    guard->loaded = NULL;
}

/* ---- one InstallSnapshot at a time: checkContactQuorum() in timeout.c has the whole state sent
 * again at every tick until an answer comes, which queues behind it in the same stream */

#define ANSWER_MS        2000U
#define ANSWER_LEN_OF_MS ((size_t)32 * 1024) /* to be stored and restored by the receiver */

struct guard_send {
    struct raft_io_send outer;
    struct raft_io_send *inner;
    raft_io_send_cb done;
    struct raft_guard *guard;
    raft_id peer;
    raft_index index;
    size_t len;
};

static void guard_sent(struct raft_io_send *request, int status)
{
    struct guard_send *send = request->data;
    struct raft_guard *guard = send->guard;
    guard->installs--;
    if (status == 0) {
        guard->installs_sent++;
        guard->install_peer = send->peer;
        guard->install_index = send->index;
        guard->install_until = guard_time(&guard->io) + ANSWER_MS + send->len / ANSWER_LEN_OF_MS;
    }
    send->done(send->inner, status);
    free(send);
}

/* A newer snapshot may have been loaded than the one that was to be: legacyLoadSnapshotCb() puts
 * the index right, but not the term, and its receiver takes each later entry for a conflict, for
 * ever. */
static struct raft_message as_loaded(const struct raft_guard *guard,
                                     const struct raft_message *message)
{
    struct raft_message loaded = *message;
    if (loaded.install_snapshot.last_index == guard->got_index)
        loaded.install_snapshot.last_term = guard->got_term;
    return loaded;
}

/* Who asks with an older term is refused before recvAppendEntries() and recvInstallSnapshot() have
 * set the last index: it is what the stack held. The asker steps down and does not look at it, but
 * a number that cannot be ends the link (peer_message.c), and what is behind it is lost: the votes
 * of the election that has just begun. */
static struct raft_message as_known(struct raft *raft, const struct raft_message *message)
{
    struct raft_message known = *message;
    struct raft_append_entries_result *result = &known.append_entries_result;
    raft_index most = result->rejected > 0 ? result->rejected - 1 : raft_last_index(raft);
    if (result->last_log_index > most)
        result->last_log_index = most;
    return known;
}

/* ---- uvClientSend() sees that a link has ended only when it writes to it: the message is lost,
 * and a link made for the next. Between followers that next one is the second election: the first
 * goes unheard wherever one of the two was restarted since they last spoke. What waits for nothing
 * but its arrival is sent once more, which waits for the new link. */

struct small_send {
    struct raft_io_send outer;
    struct raft_io_send *inner;
    raft_io_send_cb done;
    struct raft_guard *guard;
    struct raft_message message;
    bool is_again;
    char address[]; /* the engine's may be gone by then */
};

static bool is_small(const struct raft_message *message)
{
    return message->type == RAFT_REQUEST_VOTE || message->type == RAFT_REQUEST_VOTE_RESULT ||
           message->type == RAFT_APPEND_ENTRIES_RESULT;
}

static void small_sent(struct raft_io_send *request, int status)
{
    struct small_send *send = request->data;
    struct raft_guard *guard = send->guard;
    if (status == RAFT_IOERR && !send->is_again && !guard->closing) {
        send->is_again = true;
        if (guard->inner.send(&guard->io, &send->outer, &send->message, small_sent) == 0) {
            guard->sent_again++;
            return;
        }
    }
    send->done(send->inner, status);
    free(send);
}

static int send_small(struct raft_guard *guard, struct raft_io_send *request,
                      const struct raft_message *message, raft_io_send_cb done)
{
    const char *address = message->server_address != NULL ? message->server_address : "";
    size_t size = strlen(address) + 1;
    struct small_send *send = calloc(1, sizeof *send + size);
    if (send == NULL)
        return RAFT_NOMEM;
    send->outer.data = send;
    send->inner = request;
    send->done = done;
    send->guard = guard;
    send->message =
        message->type == RAFT_APPEND_ENTRIES_RESULT ? as_known(guard->io.data, message) : *message;
    send->message.server_address = send->address;
    memcpy(send->address, address, size);
    int rv = guard->inner.send(&guard->io, &send->outer, &send->message, small_sent);
    if (rv != 0)
        free(send);
    return rv;
}

static void guard_close(struct raft_io *io, raft_io_close_cb done)
{
    guard_of(io)->closing = true;
    guard_of(io)->inner.close(io, done);
}

static int guard_send(struct raft_io *io, struct raft_io_send *request,
                      const struct raft_message *message, raft_io_send_cb done)
{
    struct raft_guard *guard = guard_of(io);
    if (message->type == RAFT_APPEND_ENTRIES && guard->told != NULL)
        guard->told(guard->context, message->server_id, message->append_entries.leader_commit);
    if (is_small(message))
        return send_small(guard, request, message, done);
    if (message->type != RAFT_INSTALL_SNAPSHOT)
        return guard->inner.send(io, request, message, done);
    struct guard_send *send = calloc(1, sizeof *send);
    if (send == NULL)
        return RAFT_NOMEM;
    *send = (struct guard_send){.inner = request,
                                .done = done,
                                .guard = guard,
                                .peer = message->server_id,
                                .index = message->install_snapshot.last_index,
                                .len = message->install_snapshot.data.len};
    send->outer.data = send;
    guard->installs++;
    const struct raft_message loaded = as_loaded(guard, message);
    int rv = guard->inner.send(io, &send->outer, &loaded, guard_sent);
    if (rv != 0) {
        guard->installs--;
        free(send);
    }
    return rv;
}

/* The receiver has it, or something newer. */
static void note_answer(struct raft_guard *guard, const struct raft_message *message)
{
    const struct raft_append_entries_result *result = &message->append_entries_result;
    if (message->server_id == guard->install_peer && result->rejected == 0 &&
        result->last_log_index >= guard->install_index)
        guard->install_until = 0;
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
    if (status == 0 && snapshot != NULL) {
        get->guard->got_index = snapshot->index;
        get->guard->got_term = snapshot->term;
    }
    get->done(get->inner, snapshot, status);
    get->guard->installs--;
    free(get);
}

/* A dropped request is never completed: the engine's error path frees what it has not set. Its
 * memory begins at `data` (legacySendMessage() in legacy.c). The engine asks again after its
 * install timeout. */
static int guard_snapshot_get(struct raft_io *io, struct raft_io_snapshot_get *request,
                              raft_io_snapshot_get_cb done)
{
    struct raft_guard *guard = guard_of(io);
    if (guard->installs > 0 || guard_time(io) < guard->install_until) {
        guard->installs_dropped++;
        raft_free(request->data);
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
    struct raft_snapshot snapshot; /* with the members as of its index; their memory is ours */
};

/* When several changes of the members are applied at once, legacyTakeSnapshot() comes between the
 * events that tell the engine of each: it names the members of before, and a node that starts from
 * that has them for ever. What is not known as committed, and lies within the snapshot, is. */
static int set_members(struct guard_put *put, const struct raft_snapshot *snapshot)
{
    const struct raft *raft = put->guard->io.data;
    const struct raft_configuration *members = &snapshot->configuration;
    put->snapshot = *snapshot;
    raft_configuration_init(&put->snapshot.configuration);
    if (raft != NULL && raft->configuration_uncommitted_index > snapshot->configuration_index &&
        raft->configuration_uncommitted_index <= snapshot->index) {
        members = &raft->configuration;
        put->snapshot.configuration_index = raft->configuration_uncommitted_index;
    }
    return raft_members_copy(members, &put->snapshot.configuration);
}

static void guard_put_free(struct guard_put *put)
{
    raft_configuration_close(&put->snapshot.configuration);
    free(put);
}

static void guard_put_done(struct raft_io_snapshot_put *request, int status)
{
    struct guard_put *put = request->data;
    put->guard->own_puts--;
    put->done(put->inner, status);
    guard_put_free(put);
}

static int guard_snapshot_put(struct raft_io *io, unsigned trailing,
                              struct raft_io_snapshot_put *request,
                              const struct raft_snapshot *snapshot, raft_io_snapshot_put_cb done)
{
    struct raft_guard *guard = guard_of(io);
    if (trailing == 0) { /* the engine's mark of an installed one, restored when it is written */
        guard->snapshot_index = snapshot->index;
        if (guard->next_index <= snapshot->index)
            guard->next_index = snapshot->index + 1;
        return guard->inner.snapshot_put(io, trailing, request, snapshot, done);
    }
    struct guard_put *put = calloc(1, sizeof *put);
    if (put == NULL)
        return RAFT_NOMEM;
    *put = (struct guard_put){.inner = request, .done = done, .guard = guard};
    put->outer.data = put;
    int rv = set_members(put, snapshot);
    guard->own_puts++;
    if (rv == 0)
        rv = guard->inner.snapshot_put(io, trailing, &put->outer, &put->snapshot, guard_put_done);
    if (rv != 0) {
        guard->own_puts--;
        guard_put_free(put);
    }
    return rv;
}

static bool takes(struct raft_guard *guard, const struct raft_install_snapshot *install)
{
    if (guard->own_puts > 0)
        return false;
    return guard->accepts == NULL || guard->accepts(guard->context, install);
}

static void recv_install(struct raft_guard *guard, struct raft_message *message)
{
    struct raft_install_snapshot *install = &message->install_snapshot;
    if (takes(guard, install)) {
        guard->installs_received++;
        guard->recv(&guard->io, message);
        return;
    }
    guard->receives_dropped++;
    raft_configuration_close(&install->conf);
    raft_free(install->data.base);
}

/* replicationAppend() takes the end of the message's entries for the commit index, also when that
 * lies before the one it has (entries sent again): it would go back, and the next snapshot be named
 * after an index that is not its state's. */
static void keep_commit(const struct raft *raft, struct raft_append_entries *args)
{
    raft_index end = args->prev_log_index + args->n_entries;
    if (args->leader_commit > raft->commit_index && end < raft->commit_index)
        args->leader_commit = raft->commit_index;
}

/* Entries that follow one which has left the log here, since a snapshot has it. From the very first
 * one on, checkConflictingEntries() would append them all once more; else they are refused, and the
 * leader goes back to its snapshot, which this node does not need, for ever. What is committed here
 * is the same in each leader's log, and is taken out. */
static void skip_committed(const struct raft *raft, struct raft_append_entries *args)
{
    raft_index known = raft->commit_index;
    raft_term term = raft_members_term(raft, known);
    bool is_heartbeat_to_new = args->prev_log_index == 0 && args->n_entries == 0;
    if (args->prev_log_index >= known || args->prev_log_index >= raft->trail.offset || term == 0 ||
        raft_members_term(raft, args->prev_log_index) != 0 || is_heartbeat_to_new)
        return;
    raft_index behind = known - args->prev_log_index;
    unsigned skip = behind < args->n_entries ? (unsigned)behind : args->n_entries;
    args->prev_log_index = known;
    args->prev_log_term = term;
    args->n_entries -= skip;
    if (args->n_entries > 0) {
        memmove(args->entries, args->entries + skip, args->n_entries * sizeof *args->entries);
    } else if (skip > 0) {
        raft_free(args->entries[0].batch);
        raft_free(args->entries);
        args->entries = NULL;
    }
}

static void recv_entries(struct raft_guard *guard, struct raft_message *message)
{
    struct raft *raft = guard->io.data;
    struct raft_message parts[2];
    struct raft_message *part = message;
    skip_committed(raft, &message->append_entries);
    for (bool more = true; more;) {
        struct raft_message *rest = part == &parts[0] ? &parts[1] : &parts[0];
        more = raft_members_divide(part, rest);
        raft_members_confirm(raft, &part->append_entries);
        keep_commit(raft, &part->append_entries);
        guard->recv(&guard->io, part);
        part = rest;
    }
}

/* Raft 4.2.3: a vote is refused within the minimum election timeout of hearing from a leader.
 * recvRequestVote() refuses it until this node's own random timeout is over, which makes an
 * election wait for the slower of two, and for a second round when that one's log is shorter. */
static void forget_silent_leader(struct raft *raft)
{
    raft_time now = guard_time(raft->io);
    if (raft->state != RAFT_FOLLOWER || now < raft->election_timer_start + raft->election_timeout)
        return;
    raft->follower_state.current_leader.id = 0;
    raft_free(raft->follower_state.current_leader.address);
    raft->follower_state.current_leader.address = NULL;
}

/* Two that have just begun to ask for pre-votes, equals, would each grant the other's, both become
 * candidates, and nobody leads before the next random timeout. The one with the smaller number goes
 * first: it leaves the other's question alone, for so short a time that nobody waits for one who
 * cannot win. A lost pre-vote does no harm but that. */
static bool goes_first(const struct raft *raft, const struct raft_message *message)
{
    const struct raft_request_vote *vote = &message->request_vote;
    if (raft->state != RAFT_CANDIDATE || !raft->candidate_state.in_pre_vote || !vote->pre_vote ||
        vote->disrupt_leader || raft->id > message->server_id)
        return false;
    raft_time begun = raft->election_timer_start;
    return guard_time(raft->io) < begun + raft->election_timeout / TIE_SHARE &&
           vote->term == raft->current_term + 1 && vote->last_log_index == raft->last_stored &&
           vote->last_log_term == raft_members_term(raft, raft->last_stored);
}

static void recv_vote(struct raft_guard *guard, struct raft_message *message)
{
    struct raft *raft = guard->io.data;
    forget_silent_leader(raft);
    if (!goes_first(raft, message))
        guard->recv(&guard->io, message);
}

static void guard_recv(struct raft_io *io, struct raft_message *message)
{
    struct raft_guard *guard = guard_of(io);
    raft_id from = message->server_id;
    bool leads = message->type == RAFT_APPEND_ENTRIES || message->type == RAFT_INSTALL_SNAPSHOT;
    if (guard->contact != NULL)
        guard->contact(guard->context, message);
    if (message->type == RAFT_APPEND_ENTRIES_RESULT)
        note_answer(guard, message);
    if (message->type == RAFT_REQUEST_VOTE && io->data != NULL)
        recv_vote(guard, message);
    else if (message->type == RAFT_INSTALL_SNAPSHOT)
        recv_install(guard, message);
    else if (message->type == RAFT_APPEND_ENTRIES && io->data != NULL)
        recv_entries(guard, message);
    else
        guard->recv(io, message);
    if (leads && guard->heard != NULL)
        guard->heard(guard->context, from);
}

static void guard_tick(struct raft_io *io)
{
    struct raft_guard *guard = guard_of(io);
    if (io->data != NULL)
        raft_members_settle(io->data);
    guard->tick(io);
    if (guard->ticked != NULL)
        guard->ticked(guard->context);
}

static int guard_append(struct raft_io *io, struct raft_io_append *request,
                        const struct raft_entry entries[], unsigned n, raft_io_append_cb done)
{
    int rv = guard_of(io)->inner.append(io, request, entries, n, done);
    if (rv == 0)
        guard_of(io)->next_index += n;
    return rv;
}

/* A process that dies while it cuts leaves both the segment and what was to stay of it. The engine
 * does not read that; the owner does, from what it noted here. The engine cuts before whatever it
 * appends: mostly nothing, and nothing is to wait for the disk then. */
static int guard_truncate(struct raft_io *io, raft_index index)
{
    struct raft_guard *guard = guard_of(io);
    if (index >= guard->next_index)
        return guard->inner.truncate(io, index);
    guard->next_index = index;
    if (guard->cuts != NULL && !guard->cuts(guard->context, index)) {
        log_error("raft_cut_not_noted", "index=%llu error=\"%s\"", index, rc_detail());
        abort();
    }
    return guard->inner.truncate(io, index);
}

static int guard_start(struct raft_io *io, unsigned msecs, raft_io_tick_cb tick,
                       raft_io_recv_cb recv)
{
    guard_of(io)->loaded = NULL; /* in the engine's log now */
    guard_of(io)->recv = recv;
    guard_of(io)->tick = tick;
    (void)guard_time(io); /* from here on */
    guard_of(io)->stride = (raft_time)TICKS_AT_ONCE * msecs;
    return guard_of(io)->inner.start(io, msecs, guard_tick, guard_recv);
}

void raft_guard_install(struct raft_guard *guard)
{
    struct raft_io *io = &guard->io;
    *guard = (struct raft_guard){.io = guard->io, .inner = guard->io};
    io->load = guard_load;
    io->start = guard_start;
    io->time = guard_time;
    io->set_term = guard_set_term;
    io->set_vote = guard_set_vote;
    io->truncate = guard_truncate;
    io->append = guard_append;
    io->send = guard_send;
    io->close = guard_close;
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

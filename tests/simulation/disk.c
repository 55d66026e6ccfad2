/* SPDX-License-Identifier: Apache-2.0 */
/* A disk in memory. What was acknowledged is there after a crash; of what was on its way a part is,
 * in order. */
#include <stdlib.h>
#include <string.h>

#include "tests/simulation/sim.h"

enum write_kind { WRITE_APPEND, WRITE_TRUNCATE, WRITE_INSTALL };

struct disk_write {
    struct disk_write *next;
    enum write_kind kind;
    struct stored_entry *entries;
    size_t count;
    raft_index from; /* truncate */
    struct stored_snapshot *snapshot;
    bool failed;
    bool acknowledged; /* by the fault that is built in */
    struct raft_io_append *append;
    struct raft_io_snapshot_put *put;
};

static struct node *node_of(struct raft_io *io)
{
    return io->impl;
}

static struct disk *disk_of(struct raft_io *io)
{
    return &node_of(io)->disk;
}

void disk_init(struct disk *disk)
{
    *disk = (struct disk){.start = 1};
    disk->last = &disk->first;
}

raft_index disk_last(const struct disk *disk)
{
    return disk->start + disk->count - 1;
}

static struct bytes copy(const void *data, size_t len)
{
    uint8_t *kept = sim_alloc(len + 1);
    memcpy(kept, data, len);
    return bytes_of(kept, len);
}

static void *raft_copy(struct bytes data)
{
    void *memory = raft_malloc(data.len + 8);
    if (memory == NULL)
        exit(2);
    memcpy(memory, data.ptr, data.len);
    return memory;
}

static void copy_configuration(const struct raft_configuration *from, struct raft_configuration *to)
{
    raft_configuration_init(to);
    for (unsigned i = 0; i < from->n; i++)
        if (raft_configuration_add(to, from->servers[i].id, from->servers[i].address,
                                   from->servers[i].role) != 0)
            exit(2);
}

/* ---- what a write does */

/* Our entries say for which place they were made. */
static void check_place(raft_index index, const struct stored_entry *entry)
{
    struct reader in = reader_of(entry->data);
    if (entry->type != RAFT_COMMAND)
        return;
    (void)reader_u32(&in);
    (void)reader_raw(&in, sizeof sim.cluster);
    uint64_t stamped = reader_u64(&in);
    if (stamped != index && sim.mutation != MUTATION_INDEX)
        sim_fail("an entry made for %llu is written at %llu", (unsigned long long)stamped, index);
}

static void do_append(struct disk *disk, const struct disk_write *write, size_t count)
{
    if (disk->count + count > disk->cap) {
        disk->cap = (disk->count + count) * 2;
        disk->entries = realloc(disk->entries, disk->cap * sizeof *disk->entries);
        if (disk->entries == NULL)
            exit(2);
    }
    for (size_t i = 0; i < count; i++) {
        check_place(disk_last(disk) + 1, &write->entries[i]);
        disk->entries[disk->count++] = write->entries[i];
    }
}

static void do_truncate(struct disk *disk, raft_index from)
{
    if (from < disk->start)
        disk->count = 0;
    else if (from <= disk_last(disk))
        disk->count = (size_t)(from - disk->start);
}

static void do_install(struct disk *disk, struct stored_snapshot *snapshot)
{
    disk->snapshot = snapshot;
    disk->start = snapshot->index + 1;
    disk->count = 0;
}

/* Not what is about to be written again. */
static void drop_until(struct disk *disk, raft_index index)
{
    for (const struct disk_write *write = disk->first; write != NULL; write = write->next)
        if (write->kind == WRITE_TRUNCATE && write->from <= index)
            index = write->from - 1;
    if (index < disk->start)
        return;
    size_t drop = (size_t)(index - disk->start) + 1;
    drop = drop < disk->count ? drop : disk->count;
    memmove(disk->entries, disk->entries + drop, (disk->count - drop) * sizeof *disk->entries);
    disk->count -= drop;
    disk->start += drop;
}

static void do_write(struct disk *disk, const struct disk_write *write)
{
    if (write->kind == WRITE_APPEND)
        do_append(disk, write, write->count);
    else if (write->kind == WRITE_TRUNCATE)
        do_truncate(disk, write->from);
    else
        do_install(disk, write->snapshot);
}

/* With the entries' index unchecked: a closed segment is lost, and what came after moves up, since
 * the engine's open segments do not say where they begin. */
static void lose_segment(struct disk *disk)
{
    if (disk->count < 8 || !random_chance(300))
        return;
    size_t lost = (size_t)random_between(1, 3);
    size_t at = disk->count - lost - (size_t)random_below(4);
    memmove(disk->entries + at, disk->entries + at + lost,
            (disk->count - at - lost) * sizeof *disk->entries);
    disk->count -= lost;
}

void disk_crash(struct node *node)
{
    struct disk *disk = &node->disk;
    for (struct disk_write *write = disk->first; write != NULL; write = write->next) {
        if (write->failed)
            break;
        if (random_chance(600)) {
            if (write->kind == WRITE_APPEND)
                do_append(disk, write, random_below(write->count + 1));
            break;
        }
        do_write(disk, write);
    }
    disk->first = NULL;
    disk->last = &disk->first;
    if (sim.mutation == MUTATION_INDEX)
        lose_segment(disk);
}

/* ---- writes on their way, in order */

static uint64_t write_time(const struct disk *disk)
{
    return random_between(50, 2000) + disk->slow_us;
}

static void finish_next(struct node *node, void *context)
{
    (void)context;
    struct disk *disk = &node->disk;
    struct disk_write *write = disk->first;
    if (write->failed) /* the engine crashes at a log write that fails: taken as its end */
        node_stop("a log write failed");
    disk->first = write->next;
    if (disk->first == NULL)
        disk->last = &disk->first;
    do_write(disk, write);
    if (disk->first != NULL)
        event_after(write_time(disk), node, finish_next, NULL);
    if (write->append != NULL && !write->acknowledged)
        write->append->cb(write->append, 0);
    if (write->put != NULL)
        write->put->cb(write->put, 0);
}

static void begin(struct node *node, struct disk_write *write)
{
    struct disk *disk = &node->disk;
    bool idle = disk->first == NULL;
    *disk->last = write;
    disk->last = &write->next;
    if (idle)
        event_after(write_time(disk), node, finish_next, NULL);
}

static void acknowledge_early(struct node *node, void *context)
{
    (void)node;
    struct raft_io_append *request = context;
    request->cb(request, 0);
}

static int disk_append(struct raft_io *io, struct raft_io_append *request,
                       const struct raft_entry entries[], unsigned n, raft_io_append_cb cb)
{
    struct node *node = node_of(io);
    struct disk_write *write = sim_alloc(sizeof *write);
    *write = (struct disk_write){.kind = WRITE_APPEND, .count = n, .append = request};
    write->entries = sim_alloc(n * sizeof *write->entries);
    for (unsigned i = 0; i < n; i++)
        write->entries[i] =
            (struct stored_entry){.term = entries[i].term,
                                  .type = entries[i].type,
                                  .data = copy(entries[i].buf.base, entries[i].buf.len)};
    write->failed = node->disk.full;
    node->may_stop = node->may_stop || write->failed;
    request->cb = cb;
    if (sim.mutation == MUTATION_FSYNC && !write->failed) {
        write->acknowledged = true;
        node->disk.slow_us = 40 * MS;
        event_after(random_between(20, 200), node, acknowledge_early, request);
    }
    begin(node, write);
    return 0;
}

static int disk_truncate(struct raft_io *io, raft_index index)
{
    struct disk_write *write = sim_alloc(sizeof *write);
    *write = (struct disk_write){.kind = WRITE_TRUNCATE, .from = index};
    begin(node_of(io), write);
    return 0;
}

/* ---- term and vote: written at once */

static int disk_set_term(struct raft_io *io, raft_term term)
{
    if (disk_of(io)->bad_metadata)
        return RAFT_IOERR;
    disk_of(io)->term = term;
    disk_of(io)->vote = 0;
    return 0;
}

static int disk_set_vote(struct raft_io *io, raft_id server)
{
    if (disk_of(io)->bad_metadata)
        return RAFT_IOERR;
    if (sim.mutation != MUTATION_VOTE)
        disk_of(io)->vote = server;
    return 0;
}

static int disk_bootstrap(struct raft_io *io, const struct raft_configuration *configuration)
{
    struct disk *disk = disk_of(io);
    struct raft_buffer buffer;
    if (disk->term != 0)
        return RAFT_CANTBOOTSTRAP;
    if (raft_configuration_encode(configuration, &buffer) != 0)
        exit(2);
    disk->term = 1;
    struct stored_entry first = {
        .term = 1, .type = RAFT_CHANGE, .data = copy(buffer.base, buffer.len)};
    do_append(disk, &(struct disk_write){.entries = &first, .count = 1}, 1);
    raft_free(buffer.base);
    return 0;
}

static int disk_recover(struct raft_io *io, const struct raft_configuration *configuration)
{
    (void)io;
    (void)configuration;
    return RAFT_IOERR;
}

/* ---- snapshots */

struct own_put {
    struct stored_snapshot *snapshot;
    struct raft_io_snapshot_put *request;
    unsigned trailing;
};

static void finish_own_put(struct node *node, void *context)
{
    const struct own_put *put = context;
    if (node->disk.full) { /* tried again until there is room */
        event_after(50 * MS, node, finish_own_put, context);
        return;
    }
    node->disk.snapshot = put->snapshot;
    if (put->snapshot->index > put->trailing)
        drop_until(&node->disk, put->snapshot->index - put->trailing);
    sim.stats.snapshots++;
    put->request->cb(put->request, 0);
}

static struct stored_snapshot *keep_snapshot(const struct raft_snapshot *snapshot)
{
    struct stored_snapshot *kept = sim_alloc(sizeof *kept);
    size_t len = 0;
    for (unsigned i = 0; i < snapshot->n_bufs; i++)
        len += snapshot->bufs[i].len;
    uint8_t *data = sim_alloc(len + 1);
    kept->data = bytes_of(data, len);
    for (unsigned i = 0; i < snapshot->n_bufs; i++) {
        memcpy(data, snapshot->bufs[i].base, snapshot->bufs[i].len);
        data += snapshot->bufs[i].len;
    }
    kept->index = snapshot->index;
    kept->term = snapshot->term;
    kept->configuration_index = snapshot->configuration_index;
    copy_configuration(&snapshot->configuration, &kept->configuration);
    return kept;
}

static int disk_snapshot_put(struct raft_io *io, unsigned trailing,
                             struct raft_io_snapshot_put *request,
                             const struct raft_snapshot *snapshot, raft_io_snapshot_put_cb cb)
{
    struct node *node = node_of(io);
    request->cb = cb;
    if (trailing == 0) {
        struct disk_write *write = sim_alloc(sizeof *write);
        *write = (struct disk_write){
            .kind = WRITE_INSTALL, .snapshot = keep_snapshot(snapshot), .put = request};
        sim.stats.installs++;
        node->restored = true;
        trace("node %llu installs a snapshot at %llu", node->id, snapshot->index);
        begin(node, write);
        return 0;
    }
    struct own_put *put = sim_alloc(sizeof *put);
    *put = (struct own_put){
        .snapshot = keep_snapshot(snapshot), .request = request, .trailing = trailing};
    event_after(random_between(5, 80) * MS, node, finish_own_put, put);
    return 0;
}

static struct raft_snapshot *load_snapshot(const struct stored_snapshot *stored)
{
    struct raft_snapshot *out = raft_calloc(1, sizeof *out);
    struct raft_buffer *buffer = raft_calloc(1, sizeof *buffer);
    if (out == NULL || buffer == NULL)
        exit(2);
    *buffer = (struct raft_buffer){.base = raft_copy(stored->data), .len = stored->data.len};
    *out = (struct raft_snapshot){.index = stored->index,
                                  .term = stored->term,
                                  .configuration_index = stored->configuration_index,
                                  .bufs = buffer,
                                  .n_bufs = 1};
    copy_configuration(&stored->configuration, &out->configuration);
    return out;
}

struct get {
    struct raft_io_snapshot_get *request;
};

static void finish_get(struct node *node, void *context)
{
    const struct get *get = context;
    get->request->cb(get->request, load_snapshot(node->disk.snapshot), 0);
}

static int disk_snapshot_get(struct raft_io *io, struct raft_io_snapshot_get *request,
                             raft_io_snapshot_get_cb cb)
{
    struct get *get = sim_alloc(sizeof *get);
    get->request = request;
    request->cb = cb;
    event_after(random_between(1, 10) * MS, node_of(io), finish_get, get);
    return 0;
}

/* ---- reading all at the start */

static struct raft_entry *load_entries(const struct disk *disk)
{
    struct raft_entry *entries = raft_calloc(disk->count, sizeof *entries);
    if (entries == NULL)
        exit(2);
    for (size_t i = 0; i < disk->count; i++) {
        const struct stored_entry *stored = &disk->entries[i];
        entries[i] =
            (struct raft_entry){.term = stored->term,
                                .type = stored->type,
                                .buf = {.base = raft_copy(stored->data), .len = stored->data.len}};
    }
    return entries;
}

static void trace_members(const struct node *node)
{
    const struct disk *disk = &node->disk;
    if (disk->snapshot != NULL)
        trace("node %llu has a snapshot at %llu with %u members of %llu", node->id,
              disk->snapshot->index, disk->snapshot->configuration.n,
              disk->snapshot->configuration_index);
    for (size_t i = 0; i < disk->count; i++)
        if (disk->entries[i].type == RAFT_CHANGE)
            trace("node %llu has a change of members at %llu, term %llu", node->id, disk->start + i,
                  disk->entries[i].term);
}

/* The log may end before the snapshot: it was applied before it was stored here. */
static int disk_load(struct raft_io *io, raft_term *term, raft_id *voted_for,
                     struct raft_snapshot **snapshot, raft_index *start_index,
                     struct raft_entry *entries[], size_t *n_entries)
{
    struct node *node = node_of(io);
    struct disk *disk = &node->disk;
    if (disk->snapshot != NULL && disk_last(disk) < disk->snapshot->index) {
        disk->start = disk->snapshot->index + 1;
        disk->count = 0;
    }
    trace_members(node);
    *term = disk->term;
    *voted_for = disk->vote;
    *snapshot = disk->snapshot != NULL ? load_snapshot(disk->snapshot) : NULL;
    node->restored = disk->snapshot != NULL;
    *start_index = disk->start;
    *n_entries = disk->count;
    *entries = disk->count > 0 ? load_entries(disk) : NULL;
    return 0;
}

void disk_install(struct raft_io *io)
{
    io->load = disk_load;
    io->bootstrap = disk_bootstrap;
    io->recover = disk_recover;
    io->set_term = disk_set_term;
    io->set_vote = disk_set_vote;
    io->append = disk_append;
    io->truncate = disk_truncate;
    io->snapshot_put = disk_snapshot_put;
    io->snapshot_get = disk_snapshot_get;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The guards round raft_io. */
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/log.h"
#include "tests/unit/cluster/raft_guard_fake.h"
#include "tests/unit/unit.h"

static void got(struct raft_io_snapshot_get *request, struct raft_snapshot *snapshot, int status)
{
    (void)request;
    (void)snapshot;
    (void)status;
    fake.callbacks++;
}

static void put_done(struct raft_io_snapshot_put *request, int status)
{
    (void)request;
    (void)status;
    fake.callbacks++;
}

static struct raft_message install_message(void)
{
    struct raft_message message = {.type = RAFT_INSTALL_SNAPSHOT, .server_id = 2};
    raft_configuration_init(&message.install_snapshot.conf);
    message.install_snapshot.data.base = raft_malloc(8);
    message.install_snapshot.data.len = 8;
    return message;
}

static void a_snapshot_is_loaded_once_until_it_is_sent(void)
{
    struct raft_guard guard;
    struct raft_io_snapshot_get gets[3] = {{.data = NULL}};
    struct raft_io_send send;
    struct raft_message message = install_message();
    guard_fake_begin(&guard);
    CU_ASSERT_EQUAL(guard.io.snapshot_get(&guard.io, &gets[0], got), 0);
    CU_ASSERT_EQUAL(guard.io.snapshot_get(&guard.io, &gets[1], got), 0);
    CU_ASSERT_EQUAL(fake.gets, 1);
    CU_ASSERT_EQUAL(guard.io.send(&guard.io, &send, &message, guard_fake_sent), 0);
    fake.got(fake.get, NULL, 0);
    CU_ASSERT_EQUAL(guard.io.snapshot_get(&guard.io, &gets[1], got), 0);
    CU_ASSERT_EQUAL(fake.gets, 1);
    CU_ASSERT_EQUAL(guard.installs_dropped, 2);
    fake.sent(fake.send, RAFT_IOERR);
    CU_ASSERT_EQUAL(guard.installs, 0);
    CU_ASSERT_EQUAL(guard.io.snapshot_get(&guard.io, &gets[2], got), 0);
    CU_ASSERT_EQUAL(fake.gets, 2);
    fake.got(fake.get, NULL, 0);
    CU_ASSERT_EQUAL(fake.callbacks, 3);
    raft_free(message.install_snapshot.data.base);
}

/* One snapshot of index 9, on its way to node 2. */
static void send_snapshot(struct raft_guard *guard)
{
    static struct raft_io_send send;
    struct raft_message message = install_message();
    message.install_snapshot.last_index = 9;
    CU_ASSERT_EQUAL(guard->io.send(&guard->io, &send, &message, guard_fake_sent), 0);
    fake.sent(fake.send, 0);
    raft_free(message.install_snapshot.data.base);
}

static bool may_send_another(struct raft_guard *guard)
{
    struct raft_io_snapshot_get get = {.data = NULL};
    unsigned before = fake.gets;
    CU_ASSERT_EQUAL(guard->io.snapshot_get(&guard->io, &get, got), 0);
    if (fake.gets == before)
        return false;
    fake.got(fake.get, NULL, 0);
    return true;
}

static void answer(struct raft_guard *guard, raft_id from, raft_index last)
{
    struct raft_message message = {.type = RAFT_APPEND_ENTRIES_RESULT, .server_id = from};
    message.append_entries_result.last_log_index = last;
    fake.recv(&guard->io, &message);
}

static void a_snapshot_that_was_sent_is_not_sent_again_before_its_answer(void)
{
    struct raft_guard guard;
    guard_fake_begin(&guard);
    CU_ASSERT_EQUAL(guard.io.start(&guard.io, 100, NULL, guard_fake_received), 0);
    send_snapshot(&guard);
    CU_ASSERT(!may_send_another(&guard));
    answer(&guard, 3, 100); /* somebody else */
    answer(&guard, 2, 8);   /* to what was sent before it */
    CU_ASSERT(!may_send_another(&guard));
    answer(&guard, 2, 9);
    CU_ASSERT(may_send_another(&guard));
    send_snapshot(&guard);
    CU_ASSERT(!may_send_another(&guard));
    for (unsigned i = 0; i < 20; i++) {
        CU_ASSERT(!may_send_another(&guard));
        fake.now += 100;
        (void)guard.io.time(&guard.io);
    }
    fake.now++;
    CU_ASSERT(may_send_another(&guard)); /* it was lost */
    CU_ASSERT_EQUAL(guard.installs_sent, 2);
    CU_ASSERT_EQUAL(fake.receives, 3);
}

/* The engine asked for the one of index 9 and term 3. */
static void a_newer_snapshot_is_sent_with_its_own_term(void)
{
    struct raft_guard guard;
    struct raft_io_snapshot_get get = {.data = NULL};
    struct raft_io_send send;
    struct raft_snapshot newer = {.index = 12, .term = 4};
    struct raft_message message = install_message();
    message.install_snapshot.last_index = 12;
    message.install_snapshot.last_term = 3;
    guard_fake_begin(&guard);
    CU_ASSERT_EQUAL(guard.io.snapshot_get(&guard.io, &get, got), 0);
    fake.got(fake.get, &newer, 0);
    CU_ASSERT_EQUAL(guard.io.send(&guard.io, &send, &message, guard_fake_sent), 0);
    CU_ASSERT_EQUAL(fake.sent_term, 4);
    fake.sent(fake.send, 0);
    raft_free(message.install_snapshot.data.base);
}

/* The engine's own copy of the address is gone by the second time. */
static void ask_for_vote(struct raft_guard *guard)
{
    static struct raft_io_send send;
    char address[] = "hsm-b:5701";
    struct raft_message vote = {.type = RAFT_REQUEST_VOTE,
                                .server_id = 2,
                                .server_address = address,
                                .request_vote = {.term = 7, .pre_vote = true}};
    CU_ASSERT_EQUAL(guard->io.send(&guard->io, &send, &vote, guard_fake_sent), 0);
    memset(address, '-', sizeof address - 1);
    memset(fake.sent_address, 0, sizeof fake.sent_address);
    fake.sent_vote = 0;
}

static void a_vote_that_is_lost_with_its_link_is_asked_for_again(void)
{
    struct raft_guard guard;
    guard_fake_begin(&guard);
    ask_for_vote(&guard);
    fake.sent(fake.send, RAFT_IOERR);
    CU_ASSERT_EQUAL(fake.sends, 2);
    CU_ASSERT_EQUAL(fake.sent_vote, 7);
    CU_ASSERT_STRING_EQUAL(fake.sent_address, "hsm-b:5701");
    CU_ASSERT_EQUAL(fake.callbacks, 0);
    fake.sent(fake.send, RAFT_IOERR); /* not for ever */
    CU_ASSERT_EQUAL(fake.sends, 2);
    CU_ASSERT_EQUAL(fake.callbacks, 1);
    CU_ASSERT_EQUAL(fake.status, RAFT_IOERR);
    ask_for_vote(&guard);
    fake.sent(fake.send, 0);
    CU_ASSERT_EQUAL(fake.sends, 3);
    CU_ASSERT_EQUAL(fake.callbacks, 2);
    CU_ASSERT_EQUAL(guard.sent_again, 1);
}

static void nothing_is_sent_again_that_cannot_be(void)
{
    struct raft_guard guard;
    guard_fake_begin(&guard);
    ask_for_vote(&guard);
    fake.send_result = RAFT_NOMEM;
    fake.sent(fake.send, RAFT_IOERR);
    CU_ASSERT_EQUAL(fake.callbacks, 1);
    fake.send_result = 0;
    ask_for_vote(&guard);
    fake.sent(fake.send, RAFT_CANCELED);
    ask_for_vote(&guard);
    guard.io.close(&guard.io, NULL);
    CU_ASSERT_EQUAL(fake.closes, 1);
    unsigned sends = fake.sends;
    fake.sent(fake.send, RAFT_IOERR);
    CU_ASSERT_EQUAL(fake.sends, sends);
    CU_ASSERT_EQUAL(fake.callbacks, 3);
    CU_ASSERT_EQUAL(guard.sent_again, 0);
}

static raft_id heard_from;
static void heard(void *context, raft_id from)
{
    (void)context;
    heard_from = from;
}

static bool accepts_nothing(void *context, const struct raft_install_snapshot *install)
{
    (void)context;
    (void)install;
    return false;
}

static void leaders_messages_are_told_of_and_their_snapshots_judged(void)
{
    struct raft_guard guard;
    struct raft_message append = {.type = RAFT_APPEND_ENTRIES, .server_id = 4};
    struct raft_message vote = {.type = RAFT_REQUEST_VOTE, .server_id = 5};
    guard_fake_begin(&guard);
    guard.heard = heard;
    guard.accepts = accepts_nothing;
    CU_ASSERT_EQUAL(guard.io.start(&guard.io, 100, NULL, guard_fake_received), 0);
    fake.recv(&guard.io, &append);
    fake.recv(&guard.io, &vote);
    CU_ASSERT_EQUAL(heard_from, 4);
    struct raft_message damaged = install_message();
    fake.recv(&guard.io, &damaged);
    CU_ASSERT_EQUAL(fake.receives, 2);
    CU_ASSERT_EQUAL(guard.receives_dropped, 1);
}

static void other_messages_pass(void)
{
    struct raft_guard guard;
    struct raft_io_send send;
    struct raft_message message = {.type = RAFT_APPEND_ENTRIES};
    guard_fake_begin(&guard);
    guard.installs = 1;
    CU_ASSERT_EQUAL(guard.io.send(&guard.io, &send, &message, guard_fake_sent), 0);
    CU_ASSERT(fake.send == &send);
    CU_ASSERT_EQUAL(guard.io.start(&guard.io, 100, NULL, guard_fake_received), 0);
    guard.own_puts = 1;
    fake.recv(&guard.io, &message);
    CU_ASSERT_EQUAL(fake.receives, 1);
}

static void a_snapshot_is_not_received_while_one_is_written(void)
{
    struct raft_guard guard;
    struct raft_io_snapshot_put put;
    struct raft_snapshot snapshot = {.index = 9};
    guard_fake_begin(&guard);
    CU_ASSERT_EQUAL(guard.io.start(&guard.io, 100, NULL, guard_fake_received), 0);
    CU_ASSERT_EQUAL(guard.io.snapshot_put(&guard.io, 100, &put, &snapshot, put_done), 0);
    struct raft_message dropped = install_message();
    fake.recv(&guard.io, &dropped);
    CU_ASSERT_EQUAL(fake.receives, 0);
    CU_ASSERT_EQUAL(guard.receives_dropped, 1);
    fake.put_done(fake.put, 0);
    CU_ASSERT_EQUAL(fake.callbacks, 1);
    struct raft_message taken = install_message();
    fake.recv(&guard.io, &taken);
    CU_ASSERT_EQUAL(fake.receives, 1);
    raft_free(taken.install_snapshot.data.base);
}

/* Two changes were applied at once, and the engine has been told of the first one only. */
static void a_snapshot_names_the_members_as_of_its_index(void)
{
    static struct raft raft = {.configuration_uncommitted_index = 8};
    struct raft_guard guard;
    struct raft_io_snapshot_put put;
    struct raft_snapshot snapshot = {.index = 9, .configuration_index = 6};
    guard_fake_begin(&guard);
    guard.io.data = &raft;
    CU_ASSERT_EQUAL(raft_configuration_add(&raft.configuration, 1, "one", RAFT_VOTER), 0);
    CU_ASSERT_EQUAL(guard.io.snapshot_put(&guard.io, 100, &put, &snapshot, put_done), 0);
    CU_ASSERT_EQUAL(fake.members, 1);
    CU_ASSERT_EQUAL(fake.members_index, 8);
    fake.put_done(fake.put, 0);
    snapshot.index = 7; /* the change is not within it */
    CU_ASSERT_EQUAL(guard.io.snapshot_put(&guard.io, 100, &put, &snapshot, put_done), 0);
    CU_ASSERT_EQUAL(fake.members, 0);
    CU_ASSERT_EQUAL(fake.members_index, 6);
    fake.put_done(fake.put, 0);
    raft_configuration_close(&raft.configuration);
}

static void the_index_of_an_installed_snapshot_is_known_to_restore(void)
{
    struct raft_guard guard;
    struct raft_io_snapshot_put put;
    struct raft_snapshot snapshot = {.index = 9};
    guard_fake_begin(&guard);
    CU_ASSERT_EQUAL(guard.io.snapshot_put(&guard.io, 0, &put, &snapshot, put_done), 0);
    CU_ASSERT_EQUAL(guard.snapshot_index, 9);
    CU_ASSERT_EQUAL(guard.own_puts, 0);
}

static int signal_of(void (*run)(struct raft_guard *))
{
    int status = 0;
    (void)fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        struct raft_guard guard;
        log_open("/dev/null", LOG_LEVEL_ERROR);
        guard_fake_begin(&guard);
        fake.store_result = RAFT_IOERR;
        run(&guard);
        _exit(0);
    }
    (void)waitpid(child, &status, 0);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void store_term(struct raft_guard *guard)
{
    (void)guard->io.set_term(&guard->io, 5);
}

static void store_vote(struct raft_guard *guard)
{
    (void)guard->io.set_vote(&guard->io, 5);
}

static bool note_nothing(void *context, raft_index index)
{
    return context != NULL && index == 0;
}

static void append(struct raft_guard *guard, unsigned count, int result)
{
    struct raft_io_append request;
    const struct raft_entry entries[8] = {{.term = 1}};
    fake.append_result = result;
    CU_ASSERT_EQUAL(guard->io.append(&guard->io, &request, entries, count, NULL), result);
}

static void cut(struct raft_guard *guard)
{
    guard->cuts = note_nothing;
    append(guard, 6, 0);
    (void)guard->io.truncate(&guard->io, 5);
}

static void what_must_be_stored_and_is_not_ends_the_process(void)
{
    CU_ASSERT_EQUAL(signal_of(store_term), SIGABRT);
    CU_ASSERT_EQUAL(signal_of(store_vote), SIGABRT);
    CU_ASSERT_EQUAL(signal_of(cut), SIGABRT);
}

static raft_index noted[4];
static size_t noted_count;

static bool note(void *context, raft_index index)
{
    (void)context;
    if (noted_count < 4)
        noted[noted_count] = index;
    noted_count++;
    return true;
}

static void truncate_log(struct raft_guard *guard, raft_index index)
{
    unsigned before = fake.truncates;
    CU_ASSERT_EQUAL(guard->io.truncate(&guard->io, index), 0);
    CU_ASSERT_EQUAL(fake.truncates, before + 1);
}

static void put_snapshot(struct raft_guard *guard, raft_index index)
{
    struct raft_io_snapshot_put put;
    struct raft_snapshot snapshot = {.index = index};
    CU_ASSERT_EQUAL(guard->io.snapshot_put(&guard->io, 0, &put, &snapshot, NULL), 0);
}

/* The engine cuts before each append; to note that would be a wait for the disk on its loop. */
static void a_cut_that_takes_nothing_off_is_not_noted(void)
{
    struct raft_guard guard;
    guard_fake_begin(&guard);
    guard.cuts = note;
    guard.next_index = 1;
    noted_count = 0;
    truncate_log(&guard, 1);
    append(&guard, 3, 0);
    truncate_log(&guard, 4);
    append(&guard, 2, 0); /* 4 and 5 */
    CU_ASSERT_EQUAL(noted_count, 0);
    truncate_log(&guard, 5); /* for another leader's 5 */
    append(&guard, 1, 0);
    truncate_log(&guard, 6);
    append(&guard, 1, RAFT_NOSPACE); /* nothing has come of it */
    truncate_log(&guard, 6);
    CU_ASSERT_EQUAL(noted_count, 1);
    CU_ASSERT_EQUAL(noted[0], 5);
    put_snapshot(&guard, 20); /* from a leader: the log goes on behind it */
    truncate_log(&guard, 21);
    append(&guard, 4, 0);
    CU_ASSERT_EQUAL(noted_count, 1);
    truncate_log(&guard, 24);
    CU_ASSERT_EQUAL(noted_count, 2);
    CU_ASSERT_EQUAL(noted[1], 24);
}

struct loaded {
    raft_term term;
    raft_id vote;
    struct raft_snapshot *snapshot;
    raft_index start;
    struct raft_entry *entries;
    size_t count;
};

static struct loaded load(struct raft_guard *guard)
{
    struct loaded out = {.count = 0};
    CU_ASSERT_EQUAL(guard->io.load(&guard->io, &out.term, &out.vote, &out.snapshot, &out.start,
                                   &out.entries, &out.count),
                    0);
    return out;
}

static int fake_load(struct raft_io *io, raft_term *term, raft_id *voted_for,
                     struct raft_snapshot **snapshot, raft_index *start_index,
                     struct raft_entry *entries[], size_t *n_entries)
{
    (void)io;
    *term = 7;
    *voted_for = 3;
    *snapshot = NULL;
    *start_index = 1;
    *entries = NULL;
    *n_entries = 0;
    return 0;
}

/* The engine makes the second of its two files when it needs it: there may be no room then. */
static void a_term_is_stored_twice_at_first_so_that_both_files_are_there(void)
{
    struct raft_guard guard;
    guard_fake_begin(&guard);
    CU_ASSERT_EQUAL(guard.io.set_term(&guard.io, 5), 0);
    CU_ASSERT_EQUAL(fake.stores, 2);
    CU_ASSERT_EQUAL(fake.vote, 0);
    CU_ASSERT_EQUAL(guard.io.set_term(&guard.io, 6), 0);
    CU_ASSERT_EQUAL(fake.stores, 3);
    guard_fake_begin(&guard);
    guard.inner.load = fake_load;
    (void)load(&guard);
    CU_ASSERT_EQUAL(fake.stores, 1);
    CU_ASSERT_EQUAL(fake.vote, 3); /* a vote is kept */
    CU_ASSERT_EQUAL(guard.io.set_term(&guard.io, 8), 0);
    CU_ASSERT_EQUAL(fake.stores, 2);
}

#define BATCHES       2U
#define BATCH_ENTRIES 3U

static int load_batches(struct raft_io *io, raft_term *term, raft_id *voted_for,
                        struct raft_snapshot **snapshot, raft_index *start_index,
                        struct raft_entry *entries[], size_t *n_entries)
{
    int rv = fake_load(io, term, voted_for, snapshot, start_index, entries, n_entries);
    *n_entries = (size_t)BATCHES * BATCH_ENTRIES;
    *entries = raft_calloc(*n_entries, sizeof **entries);
    uint64_t *batch = NULL;
    for (size_t i = 0; i < *n_entries; i++) {
        if (i % BATCH_ENTRIES == 0)
            batch = raft_calloc(BATCH_ENTRIES, sizeof *batch);
        uint64_t *base = &batch[i % BATCH_ENTRIES];
        *base = i;
        (*entries)[i] = (struct raft_entry){.term = 7,
                                            .type = RAFT_COMMAND,
                                            .buf = {.base = base, .len = sizeof *base},
                                            .batch = batch};
    }
    return rv;
}

/* logRelease() and destroyEntry() would free a batch twice: AddressSanitizer sees what is left. */
static void entries_that_were_loaded_are_freed_one_by_one(void)
{
    struct raft_guard guard;
    guard_fake_begin(&guard);
    guard.inner.load = load_batches;
    struct loaded loaded = load(&guard);
    CU_ASSERT_EQUAL_FATAL(loaded.count, BATCHES * BATCH_ENTRIES);
    for (size_t i = 0; i < loaded.count; i++) {
        CU_ASSERT_PTR_NULL(loaded.entries[i].batch);
        CU_ASSERT_EQUAL(loaded.entries[i].buf.len, sizeof(uint64_t));
        CU_ASSERT_EQUAL(*(const uint64_t *)loaded.entries[i].buf.base, i);
        raft_free(loaded.entries[i].buf.base);
    }
    raft_free(loaded.entries);
}

static unsigned contacts, ticks;
static raft_index told_commit;

static void contact(void *context, const struct raft_message *message)
{
    (void)context;
    contacts += message->server_id == 2 ? 1 : 0;
}

static void told(void *context, raft_id to, raft_index commit)
{
    (void)context;
    told_commit = to == 2 ? commit : 0;
}

static void ticked(void *context)
{
    (void)context;
    ticks++;
}

static void tick(struct raft_io *io)
{
    (void)io;
    CU_ASSERT_EQUAL(ticks, 0); /* the engine is first */
}

static void what_comes_and_goes_is_told_of(void)
{
    struct raft_guard guard;
    struct raft_io_send send;
    struct raft_message vote = {.type = RAFT_REQUEST_VOTE_RESULT, .server_id = 2};
    struct raft_message append = {
        .type = RAFT_APPEND_ENTRIES, .server_id = 2, .append_entries = {.leader_commit = 17}};
    guard_fake_begin(&guard);
    guard.contact = contact;
    guard.told = told;
    guard.ticked = ticked;
    CU_ASSERT_EQUAL(guard.io.start(&guard.io, 100, tick, guard_fake_received), 0);
    fake.recv(&guard.io, &vote);
    CU_ASSERT_EQUAL(contacts, 1);
    CU_ASSERT_EQUAL(guard.io.send(&guard.io, &send, &append, guard_fake_sent), 0);
    CU_ASSERT_EQUAL(told_commit, 17);
    fake.tick(&guard.io);
    CU_ASSERT_EQUAL(ticks, 1);
}

static void an_entry_of_a_wrong_length_never_reaches_the_engine(void)
{
    struct raft_apply request;
    struct raft_buffer odd = {.base = NULL, .len = 7};
    struct raft_buffer large = {.base = NULL, .len = 256 * 1024 + 8};
    UNIT_RC(raft_guard_apply(NULL, &request, &odd, NULL), RC_INTERNAL);
    UNIT_RC(raft_guard_apply(NULL, &request, &large, NULL), RC_INTERNAL);
}

/* Entries sent again, which end before what is committed here. */
static void old_entries_do_not_take_the_commit_index_back(void)
{
    static struct raft raft = {.commit_index = 10};
    struct raft_entry entries[9] = {{.type = RAFT_COMMAND}};
    struct raft_guard guard;
    struct raft_message message = {.type = RAFT_APPEND_ENTRIES, .server_id = 2};
    struct raft_append_entries *args = &message.append_entries;
    guard_fake_begin(&guard);
    guard.io.data = &raft;
    CU_ASSERT_EQUAL(guard.io.start(&guard.io, 100, NULL, guard_fake_received), 0);
    *args = (struct raft_append_entries){
        .entries = entries, .prev_log_index = 3, .n_entries = 4, .leader_commit = 20};
    fake.recv(&guard.io, &message);
    CU_ASSERT_EQUAL(args->leader_commit, 10);
    *args = (struct raft_append_entries){
        .entries = entries, .prev_log_index = 3, .n_entries = 9, .leader_commit = 20};
    fake.recv(&guard.io, &message);
    CU_ASSERT_EQUAL(args->leader_commit, 20);
    CU_ASSERT_EQUAL(fake.receives, 2);
}

static struct raft_entry *first_entries(unsigned count)
{
    struct raft_entry *entries = raft_calloc(count, sizeof *entries);
    void *batch = raft_malloc(8);
    for (unsigned i = 0; i < count; i++)
        entries[i] = (struct raft_entry){.term = i + 1, .batch = batch};
    return entries;
}

static void the_first_entries_are_not_appended_again_to_a_log_that_begins_later(void)
{
    static struct raft raft = {.commit_index = 4};
    struct raft_guard guard;
    struct raft_message message = {.type = RAFT_APPEND_ENTRIES, .server_id = 2};
    struct raft_append_entries *args = &message.append_entries;
    guard_fake_begin(&guard);
    raft.trail.offset = 2;
    raft.trail.snapshot.index = 4;
    raft.trail.snapshot.term = 4;
    guard.io.data = &raft;
    CU_ASSERT_EQUAL(guard.io.start(&guard.io, 100, NULL, guard_fake_received), 0);
    *args = (struct raft_append_entries){.entries = first_entries(6), .n_entries = 6};
    fake.recv(&guard.io, &message);
    CU_ASSERT_EQUAL(args->prev_log_index, 4);
    CU_ASSERT_EQUAL(args->prev_log_term, 4);
    CU_ASSERT_EQUAL(args->n_entries, 2);
    CU_ASSERT_EQUAL(args->entries[0].term, 5);
    raft_free(args->entries[0].batch);
    raft_free(args->entries);
    *args = (struct raft_append_entries){.entries = first_entries(3), .n_entries = 3};
    fake.recv(&guard.io, &message);
    CU_ASSERT_EQUAL(args->prev_log_index, 4);
    CU_ASSERT_EQUAL(args->n_entries, 0);
    CU_ASSERT_PTR_NULL(args->entries);
}

UNIT_SUITE("raft_guard", UNIT_CASE(a_snapshot_is_loaded_once_until_it_is_sent),
           UNIT_CASE(a_snapshot_that_was_sent_is_not_sent_again_before_its_answer),
           UNIT_CASE(a_newer_snapshot_is_sent_with_its_own_term),
           UNIT_CASE(a_vote_that_is_lost_with_its_link_is_asked_for_again),
           UNIT_CASE(nothing_is_sent_again_that_cannot_be),
           UNIT_CASE(leaders_messages_are_told_of_and_their_snapshots_judged),
           UNIT_CASE(other_messages_pass),
           UNIT_CASE(a_snapshot_is_not_received_while_one_is_written),
           UNIT_CASE(a_snapshot_names_the_members_as_of_its_index),
           UNIT_CASE(the_index_of_an_installed_snapshot_is_known_to_restore),
           UNIT_CASE(what_must_be_stored_and_is_not_ends_the_process),
           UNIT_CASE(a_cut_that_takes_nothing_off_is_not_noted),
           UNIT_CASE(a_term_is_stored_twice_at_first_so_that_both_files_are_there),
           UNIT_CASE(entries_that_were_loaded_are_freed_one_by_one),
           UNIT_CASE(what_comes_and_goes_is_told_of),
           UNIT_CASE(an_entry_of_a_wrong_length_never_reaches_the_engine),
           UNIT_CASE(old_entries_do_not_take_the_commit_index_back),
           UNIT_CASE(the_first_entries_are_not_appended_again_to_a_log_that_begins_later));

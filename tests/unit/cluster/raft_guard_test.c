/* SPDX-License-Identifier: Apache-2.0 */
/* The guards round raft_io, against an io that only remembers what it was asked. */
#include "cluster/raft_guard.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/log.h"
#include "tests/unit/unit.h"

static struct {
    unsigned gets, puts, sends, receives;
    struct raft_io_snapshot_get *get;
    raft_io_snapshot_get_cb got;
    struct raft_io_snapshot_put *put;
    raft_io_snapshot_put_cb put_done;
    struct raft_io_send *send;
    raft_io_send_cb sent;
    raft_io_recv_cb recv;
    int store_result;
    unsigned callbacks;
} fake;

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
    (void)snapshot;
    fake.puts++;
    fake.put = request;
    fake.put_done = done;
    return 0;
}

static int fake_send(struct raft_io *io, struct raft_io_send *request,
                     const struct raft_message *message, raft_io_send_cb done)
{
    (void)io;
    (void)message;
    fake.sends++;
    fake.send = request;
    fake.sent = done;
    return 0;
}

static int fake_start(struct raft_io *io, unsigned msecs, raft_io_tick_cb tick,
                      raft_io_recv_cb recv)
{
    (void)io;
    (void)msecs;
    (void)tick;
    fake.recv = recv;
    return 0;
}

static int fake_set_term(struct raft_io *io, raft_term term)
{
    (void)io;
    (void)term;
    return fake.store_result;
}

static int fake_set_vote(struct raft_io *io, raft_id id)
{
    (void)io;
    (void)id;
    return fake.store_result;
}

static void received(struct raft_io *io, struct raft_message *message)
{
    (void)io;
    (void)message;
    fake.receives++;
}

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

static void sent(struct raft_io_send *request, int status)
{
    (void)request;
    (void)status;
    fake.callbacks++;
}

static void setup(struct raft_guard *guard)
{
    memset(&fake, 0, sizeof fake);
    memset(guard, 0, sizeof *guard);
    guard->io.snapshot_get = fake_get;
    guard->io.snapshot_put = fake_put;
    guard->io.send = fake_send;
    guard->io.start = fake_start;
    guard->io.set_term = fake_set_term;
    guard->io.set_vote = fake_set_vote;
    raft_guard_install(guard);
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
    struct raft_io_snapshot_get gets[3];
    struct raft_io_send send;
    struct raft_message message = install_message();
    setup(&guard);
    CU_ASSERT_EQUAL(guard.io.snapshot_get(&guard.io, &gets[0], got), 0);
    CU_ASSERT_EQUAL(guard.io.snapshot_get(&guard.io, &gets[1], got), 0);
    CU_ASSERT_EQUAL(fake.gets, 1);
    CU_ASSERT_EQUAL(guard.io.send(&guard.io, &send, &message, sent), 0);
    fake.got(fake.get, NULL, 0);
    CU_ASSERT_EQUAL(guard.io.snapshot_get(&guard.io, &gets[1], got), 0);
    CU_ASSERT_EQUAL(fake.gets, 1);
    CU_ASSERT_EQUAL(guard.installs_dropped, 2);
    fake.sent(fake.send, 0);
    CU_ASSERT_EQUAL(guard.installs, 0);
    CU_ASSERT_EQUAL(guard.io.snapshot_get(&guard.io, &gets[2], got), 0);
    CU_ASSERT_EQUAL(fake.gets, 2);
    fake.got(fake.get, NULL, 0);
    CU_ASSERT_EQUAL(fake.callbacks, 3);
    raft_free(message.install_snapshot.data.base);
}

static void other_messages_pass(void)
{
    struct raft_guard guard;
    struct raft_io_send send;
    struct raft_message message = {.type = RAFT_APPEND_ENTRIES};
    setup(&guard);
    guard.installs = 1;
    CU_ASSERT_EQUAL(guard.io.send(&guard.io, &send, &message, sent), 0);
    CU_ASSERT(fake.send == &send);
    CU_ASSERT_EQUAL(guard.io.start(&guard.io, 100, NULL, received), 0);
    guard.own_puts = 1;
    fake.recv(&guard.io, &message);
    CU_ASSERT_EQUAL(fake.receives, 1);
}

static void a_snapshot_is_not_received_while_one_is_written(void)
{
    struct raft_guard guard;
    struct raft_io_snapshot_put put;
    struct raft_snapshot snapshot = {.index = 9};
    setup(&guard);
    CU_ASSERT_EQUAL(guard.io.start(&guard.io, 100, NULL, received), 0);
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

static void the_index_of_an_installed_snapshot_is_known_to_restore(void)
{
    struct raft_guard guard;
    struct raft_io_snapshot_put put;
    struct raft_snapshot snapshot = {.index = 9};
    setup(&guard);
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
        setup(&guard);
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

static void a_term_or_vote_that_is_not_stored_ends_the_process(void)
{
    struct raft_guard guard;
    setup(&guard);
    CU_ASSERT_EQUAL(guard.io.set_term(&guard.io, 5), 0);
    CU_ASSERT_EQUAL(signal_of(store_term), SIGABRT);
    CU_ASSERT_EQUAL(signal_of(store_vote), SIGABRT);
}

static void an_entry_of_a_wrong_length_never_reaches_the_engine(void)
{
    struct raft_apply request;
    struct raft_buffer odd = {.base = NULL, .len = 7};
    struct raft_buffer large = {.base = NULL, .len = 256 * 1024 + 8};
    UNIT_RC(raft_guard_apply(NULL, &request, &odd, NULL), RC_INTERNAL);
    UNIT_RC(raft_guard_apply(NULL, &request, &large, NULL), RC_INTERNAL);
}

UNIT_SUITE("raft_guard", UNIT_CASE(a_snapshot_is_loaded_once_until_it_is_sent),
           UNIT_CASE(other_messages_pass),
           UNIT_CASE(a_snapshot_is_not_received_while_one_is_written),
           UNIT_CASE(the_index_of_an_installed_snapshot_is_known_to_restore),
           UNIT_CASE(a_term_or_vote_that_is_not_stored_ends_the_process),
           UNIT_CASE(an_entry_of_a_wrong_length_never_reaches_the_engine));

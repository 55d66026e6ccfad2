/* SPDX-License-Identifier: Apache-2.0 */
/* Consensus of one: what is answered is kept, entries are shared, snapshots replace the log, and a
 * log that does not fit is not applied. */
#include "cluster/consensus.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cluster/log_mark.h"
#include "common/log.h"
#include "tests/unit/token/state_fixture.h"
#include "tests/unit/unit.h"

/* Daemons of the tests run in forked children, with threads of their own. */
const char *__tsan_default_options(void);
const char *__tsan_default_options(void)
{
    return "die_after_fork=0";
}

struct rig {
    char root[64];
    char dir[80];
    unsigned threshold;
    uint8_t seed;    /* of the keys */
    uint8_t cluster; /* first byte of its name */
    struct seal_keys *keys;
    struct state *state;
    struct consensus *consensus;
    struct effect_head head;
};

static void rig_init(struct rig *rig)
{
    memset(rig, 0, sizeof *rig);
    unit_directory(rig->root, sizeof rig->root);
    (void)snprintf(rig->dir, sizeof rig->dir, "%s/raft", rig->root);
    rig->threshold = 1024;
    rig->seed = 1;
    rig->cluster = 1;
    log_open("/dev/null", LOG_LEVEL_ERROR);
}

static enum rc rig_try_open(struct rig *rig)
{
    struct consensus_config config = {.dir = rig->dir,
                                      .node = 1,
                                      .cluster = {rig->cluster, 2, 3},
                                      .bootstrap = true,
                                      .heartbeat_ms = 50,
                                      .election_ms = 200,
                                      .snapshot_threshold = rig->threshold,
                                      /* as by default: a snapshot may come a little late */
                                      .snapshot_trailing = 2 * rig->threshold};
    rig->keys = fixture_keys(rig->seed);
    UNIT_OK(state_new(rig->keys, &rig->state));
    return consensus_start(&config, rig->keys, rig->state, &rig->consensus);
}

static void rig_open(struct rig *rig)
{
    enum rc rc = rig_try_open(rig);
    UNIT_OK(rc);
    CU_ASSERT_FATAL(rc == RC_OK);
}

static void rig_close(struct rig *rig)
{
    consensus_stop(rig->consensus);
    state_free(rig->state);
    seal_keys_free(rig->keys);
    rig->consensus = NULL;
    rig->state = NULL;
    rig->keys = NULL;
}

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *walk)
{
    (void)info;
    (void)type;
    (void)walk;
    return remove(path);
}

static void rig_clear(struct rig *rig)
{
    rig_close(rig);
    (void)nftw(rig->root, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* ---- proposals */

struct tally {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned done, good, refused;
    uint64_t highest;
    bool hold; /* the consensus thread waits here */
};

static void tally_init(struct tally *tally)
{
    memset(tally, 0, sizeof *tally);
    (void)pthread_mutex_init(&tally->lock, NULL);
    (void)pthread_cond_init(&tally->changed, NULL);
}

static void tally_done(void *context, enum rc rc, const struct effect_result *result,
                       uint64_t index)
{
    struct tally *tally = context;
    (void)pthread_mutex_lock(&tally->lock);
    while (tally->hold)
        (void)pthread_cond_wait(&tally->changed, &tally->lock);
    tally->done++;
    tally->good += rc == RC_OK && result->rc == RC_OK ? 1 : 0;
    tally->refused += rc == RC_OK && result->rc != RC_OK ? 1 : 0;
    tally->highest = index > tally->highest ? index : tally->highest;
    (void)pthread_cond_broadcast(&tally->changed);
    (void)pthread_mutex_unlock(&tally->lock);
}

static void tally_wait(struct tally *tally, unsigned count)
{
    (void)pthread_mutex_lock(&tally->lock);
    while (tally->done < count)
        (void)pthread_cond_wait(&tally->changed, &tally->lock);
    (void)pthread_mutex_unlock(&tally->lock);
}

static void tally_release(struct tally *tally)
{
    (void)pthread_mutex_lock(&tally->lock);
    tally->hold = false;
    (void)pthread_cond_broadcast(&tally->changed);
    (void)pthread_mutex_unlock(&tally->lock);
}

static void token_effect(struct rig *rig, uint64_t number, struct buf *out)
{
    const struct user_row so = {.role = ROLE_SO, .name = SO_USER_NAME, .has_pin = true};
    rig->head.time_ms++;
    UNIT_OK(effect_token_init(out, &rig->head, number, "token", "0123456789abcdef", &so));
}

static void policy_effect(struct rig *rig, uint32_t tries, struct buf *out)
{
    struct policy policy = policy_default();
    policy.pin_tries_max = tries;
    rig->head.time_ms++;
    UNIT_OK(effect_policy_put(out, &rig->head, 1, 0, &policy));
}

static void make_tokens(struct rig *rig, uint64_t first, uint64_t last)
{
    struct tally tally;
    tally_init(&tally);
    for (uint64_t number = first; number <= last; number++) {
        struct buf effect = BUF_INIT;
        token_effect(rig, number, &effect);
        UNIT_OK(consensus_propose(rig->consensus, &effect, tally_done, &tally));
        tally_wait(&tally, (unsigned)(number - first + 1));
    }
    CU_ASSERT_EQUAL(tally.good, last - first + 1);
}

/* ---- cases */

static void what_is_applied_is_there_after_a_restart(void)
{
    struct rig rig;
    uint8_t before[32];
    uint8_t after[32];
    rig_init(&rig);
    rig_open(&rig);
    make_tokens(&rig, 1, 5);
    state_hash(rig.state, before);
    CU_ASSERT_EQUAL(state_applied(rig.state), 5);
    rig_close(&rig);
    rig_open(&rig);
    CU_ASSERT_EQUAL(state_applied(rig.state), 5);
    state_hash(rig.state, after);
    CU_ASSERT(bytes_equal(bytes_of(before, 32), bytes_of(after, 32)));
    rig_clear(&rig);
}

/* A client that asked while the log was still being applied would find neither token nor login. */
static void a_long_log_is_applied_before_the_start_returns(void)
{
    enum { EFFECTS = 3000 };
    struct rig rig;
    struct tally tally;
    rig_init(&rig);
    rig_open(&rig);
    make_tokens(&rig, 1, 1);
    tally_init(&tally);
    for (unsigned i = 0; i < EFFECTS; i++) {
        struct buf effect = BUF_INIT;
        policy_effect(&rig, 5 + i % 10, &effect);
        UNIT_OK(consensus_propose(rig.consensus, &effect, tally_done, &tally));
        if (i % 500 == 499)
            tally_wait(&tally, i + 1);
    }
    rig_close(&rig);
    for (unsigned round = 0; round < 5; round++) {
        rig_open(&rig);
        CU_ASSERT_EQUAL(state_applied(rig.state), EFFECTS + 1);
        rig_close(&rig);
    }
    rig_open(&rig);
    rig_clear(&rig);
}

static void a_refused_effect_says_so_and_takes_its_index(void)
{
    struct rig rig;
    struct tally tally;
    struct buf effect = BUF_INIT;
    rig_init(&rig);
    rig_open(&rig);
    tally_init(&tally);
    token_effect(&rig, 77, &effect);
    UNIT_OK(consensus_propose(rig.consensus, &effect, tally_done, &tally));
    tally_wait(&tally, 1);
    CU_ASSERT_EQUAL(tally.refused, 1);
    CU_ASSERT_EQUAL(state_applied(rig.state), 1);
    rig_clear(&rig);
}

static void proposals_that_wait_share_an_entry(void)
{
    struct rig rig;
    struct tally tally;
    struct consensus_status status;
    rig_init(&rig);
    rig_open(&rig);
    make_tokens(&rig, 1, 1);
    tally_init(&tally);
    tally.hold = true; /* the first is answered when all the others wait */
    for (unsigned i = 0; i < 1000; i++) {
        struct buf effect = BUF_INIT;
        policy_effect(&rig, 3 + i % 7, &effect);
        UNIT_OK(consensus_propose(rig.consensus, &effect, tally_done, &tally));
    }
    tally_release(&tally);
    tally_wait(&tally, 1000);
    CU_ASSERT_EQUAL(tally.good, 1000);
    CU_ASSERT_EQUAL(tally.highest, 1001);
    CU_ASSERT_EQUAL(state_applied(rig.state), 1001);
    consensus_status(rig.consensus, &status);
    while (status.applied < status.last || status.applied < 3) { /* it follows by a tick */
        (void)usleep(1000);
        consensus_status(rig.consensus, &status);
    }
    CU_ASSERT(status.applied < 100);
    CU_ASSERT_STRING_EQUAL(status.role, "leader");
    CU_ASSERT_EQUAL(status.leader, 1);
    rig_close(&rig);
    rig_open(&rig);
    CU_ASSERT_EQUAL(state_applied(rig.state), 1001);
    rig_clear(&rig);
}

static void too_much_waiting_is_refused(void)
{
    struct rig rig;
    struct tally tally;
    enum rc rc = RC_OK;
    unsigned accepted = 0;
    rig_init(&rig);
    rig_open(&rig);
    make_tokens(&rig, 1, 1);
    tally_init(&tally);
    tally.hold = true;
    while (rc == RC_OK && accepted < 10000) {
        struct buf effect = BUF_INIT;
        policy_effect(&rig, 5, &effect);
        rc = consensus_propose(rig.consensus, &effect, tally_done, &tally);
        accepted += rc == RC_OK ? 1 : 0;
    }
    UNIT_RC(rc, RC_OVERLOADED);
    tally_release(&tally);
    tally_wait(&tally, accepted);
    CU_ASSERT_EQUAL(tally.good, accepted);
    rig_clear(&rig);
}

static void what_fits_no_entry_is_refused(void)
{
    struct rig rig;
    AUTO_BUF effect = BUF_INIT;
    rig_init(&rig);
    rig_open(&rig);
    UNIT_OK(buf_resize(&effect, 300000));
    UNIT_RC(consensus_propose(rig.consensus, &effect, tally_done, NULL), RC_TOO_LARGE);
    rig_clear(&rig);
}

/* ---- snapshots */

static unsigned newest_snapshot(const struct rig *rig, char *out, size_t len)
{
    unsigned count = 0;
    unsigned long long best = 0;
    DIR *dir = opendir(rig->dir);
    CU_ASSERT_FATAL(dir != NULL);
    for (struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        unsigned long long term = 0;
        unsigned long long index = 0;
        if (strstr(entry->d_name, ".meta") != NULL ||
            sscanf(entry->d_name, "snapshot-%llu-%llu", &term, &index) != 2)
            continue;
        count++;
        if (index >= best) {
            best = index;
            CU_ASSERT((size_t)snprintf(out, len, "%s/%s", rig->dir, entry->d_name) < len);
        }
    }
    (void)closedir(dir);
    return count;
}

static void wait_for_snapshots(const struct rig *rig, unsigned wanted)
{
    char path[256];
    for (unsigned i = 0; i < 3000 && newest_snapshot(rig, path, sizeof path) < wanted; i++)
        (void)usleep(20000);
    CU_ASSERT(newest_snapshot(rig, path, sizeof path) >= wanted);
}

static void flip_byte(const char *path, off_t at)
{
    uint8_t byte = 0;
    int fd = open(path, O_RDWR | O_CLOEXEC);
    CU_ASSERT_FATAL(fd >= 0);
    CU_ASSERT(pread(fd, &byte, 1, at) == 1);
    byte ^= 1;
    CU_ASSERT(pwrite(fd, &byte, 1, at) == 1);
    (void)close(fd);
}

static void a_snapshot_gives_the_same_state(void)
{
    struct rig rig;
    uint8_t before[32];
    uint8_t after[32];
    rig_init(&rig);
    rig.threshold = 16;
    rig_open(&rig);
    make_tokens(&rig, 1, 100);
    wait_for_snapshots(&rig, 1);
    state_hash(rig.state, before);
    rig_close(&rig);
    rig_open(&rig);
    CU_ASSERT_EQUAL(state_applied(rig.state), 100);
    state_hash(rig.state, after);
    CU_ASSERT(bytes_equal(bytes_of(before, 32), bytes_of(after, 32)));
    make_tokens(&rig, 101, 110);
    rig_clear(&rig);
}

/* The engine itself would load any of these without a word. */
static void a_damaged_snapshot_is_set_aside_for_the_one_before(void)
{
    static const off_t places[] = {1, 21, 40, 80, 200};
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        struct rig rig;
        char path[256];
        rig_init(&rig);
        rig.threshold = 16;
        rig_open(&rig);
        make_tokens(&rig, 1, 20);
        wait_for_snapshots(&rig, 1);
        make_tokens(&rig, 21, 60);
        wait_for_snapshots(&rig, 2);
        rig_close(&rig);
        (void)newest_snapshot(&rig, path, sizeof path);
        flip_byte(path, places[i]);
        rig_open(&rig);
        CU_ASSERT_EQUAL(state_applied(rig.state), 60);
        CU_ASSERT_EQUAL(state_tokens(rig.state, NULL, 0), 60);
        CU_ASSERT(access(path, F_OK) != 0);
        make_tokens(&rig, 61, 62);
        rig_clear(&rig);
    }
}

/* ---- a log that is not ours */

static int open_in_child(struct rig *rig)
{
    int status = 0;
    (void)fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        enum rc rc = rig_try_open(rig);
        _exit(rc == RC_OK ? 0 : 1);
    }
    (void)waitpid(child, &status, 0);
    return WIFSIGNALED(status) ? WTERMSIG(status) : -WEXITSTATUS(status);
}

/* It lags behind what is applied. */
static void wait_for_mark(const struct rig *rig, uint64_t wanted)
{
    struct log_mark mark = {.fd = -1};
    while (mark.index < wanted) {
        (void)usleep(1000);
        UNIT_OK(log_mark_open(rig->dir, &mark));
        log_mark_close(&mark);
    }
}

static void make_tokens_and_die(struct rig *rig)
{
    (void)fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        rig_open(rig);
        make_tokens(rig, 1, 20);
        wait_for_mark(rig, 21); /* the first entry names the members */
        (void)raise(SIGKILL);
    }
    (void)waitpid(child, NULL, 0);
}

/* What is damaged in it, and all that follows, the engine would cut off without a word. */
static void a_log_that_lost_acknowledged_changes_is_refused(void)
{
    struct rig rig;
    char path[256];
    rig_init(&rig);
    make_tokens_and_die(&rig);
    (void)snprintf(path, sizeof path, "%s/open-1", rig.dir);
    flip_byte(path, 300);
    UNIT_RC(rig_try_open(&rig), RC_TAMPERED);
    rig_close(&rig);
    UNIT_RC(rig_try_open(&rig), RC_TAMPERED);
    rig_close(&rig);
    (void)snprintf(path, sizeof path, "%s.mark", rig.dir);
    CU_ASSERT(unlink(path) == 0);
    rig_open(&rig);
    CU_ASSERT(state_applied(rig.state) < 20);
    rig_clear(&rig);
}

static void a_damaged_closed_segment_is_refused(void)
{
    struct rig rig;
    char path[256];
    rig_init(&rig);
    rig_open(&rig);
    make_tokens(&rig, 1, 3);
    rig_close(&rig);
    (void)snprintf(path, sizeof path, "%s/0000000000000001-0000000000000001", rig.dir);
    flip_byte(path, 50);
    UNIT_RC(rig_try_open(&rig), RC_TAMPERED);
    rig_clear(&rig);
}

static void make_segment(const struct rig *rig, const char *name, bool wanted)
{
    char path[256];
    (void)snprintf(path, sizeof path, "%s/%s", rig->dir, name);
    if (!wanted)
        CU_ASSERT_EQUAL(unlink(path), 0);
    FILE *file = wanted ? fopen(path, "we") : NULL;
    CU_ASSERT_EQUAL(file != NULL, wanted);
    if (file != NULL)
        (void)fclose(file);
}

/* At `at`, and once more before that was done. */
static void note_cuts(const struct rig *rig, uint64_t at)
{
    struct log_mark mark;
    UNIT_OK(log_mark_open(rig->dir, &mark));
    UNIT_OK(log_mark_cut(&mark, at));
    UNIT_OK(log_mark_cut(&mark, at + 2));
    log_mark_close(&mark);
}

static const char whole[] = "0000000000000003-0000000000000005";
static const char after[] = "0000000000000006-0000000000000008";

/* What the engine leaves when it dies while it cuts entries 4 to 8 off: what stays of their first
 * segment (3-3), with the segment itself or without, and those after it. */
static void a_cut_that_was_not_finished_is(void)
{
    for (unsigned is_gone = 0; is_gone < 2; is_gone++) {
        struct rig rig;
        rig_init(&rig);
        for (unsigned i = 1; i <= 2; i++) { /* a segment each */
            rig_open(&rig);
            make_tokens(&rig, i, i);
            rig_close(&rig);
        }
        if (is_gone == 0)
            make_segment(&rig, whole, true);
        make_segment(&rig, after, true);
        UNIT_RC(rig_try_open(&rig), RC_TAMPERED);
        rig_close(&rig);
        note_cuts(&rig, 4);
        rig_open(&rig);
        make_tokens(&rig, 3, 4);
        CU_ASSERT_EQUAL(state_tokens(rig.state, NULL, 0), 4);
        rig_close(&rig);
        rig_open(&rig); /* and what came since is no rest of it */
        CU_ASSERT_EQUAL(state_tokens(rig.state, NULL, 0), 4);
        rig_clear(&rig);
    }
}

/* The entries from the cut on are there again, then a later segment is lost. */
static void a_lost_segment_is_no_cut_that_was_not_finished(void)
{
    struct rig rig;
    rig_init(&rig);
    for (unsigned i = 1; i <= 4; i++) {
        rig_open(&rig);
        make_tokens(&rig, i, i);
        rig_close(&rig);
    }
    note_cuts(&rig, 2);
    make_segment(&rig, "0000000000000003-0000000000000003", false);
    UNIT_RC(rig_try_open(&rig), RC_TAMPERED);
    rig_clear(&rig);
}

static void a_damaged_mark_is_refused(void)
{
    struct rig rig;
    char path[256];
    rig_init(&rig);
    rig_open(&rig);
    rig_close(&rig);
    (void)snprintf(path, sizeof path, "%s.mark", rig.dir);
    flip_byte(path, 20);
    UNIT_RC(rig_try_open(&rig), RC_TAMPERED);
    rig_clear(&rig);
}

/* Before it answers anyone: to a leader its log may seem to agree. */
static void a_log_of_another_cluster_is_refused_at_the_start(void)
{
    struct rig rig;
    char marker[128];
    rig_init(&rig);
    rig_open(&rig);
    make_tokens(&rig, 1, 3);
    rig_close(&rig);
    rig.cluster = 9;
    UNIT_RC(rig_try_open(&rig), RC_FOREIGN);
    rig_close(&rig);
    (void)snprintf(marker, sizeof marker, "%s.quarantined", rig.dir);
    CU_ASSERT(access(marker, F_OK) != 0);
    rig.cluster = 1;
    rig_open(&rig);
    CU_ASSERT_EQUAL(state_applied(rig.state), 3);
    rig_clear(&rig);
}

static void a_log_of_other_keys_is_quarantined(void)
{
    struct rig rig;
    char marker[128];
    rig_init(&rig);
    rig_open(&rig);
    make_tokens(&rig, 1, 3);
    rig_close(&rig);
    (void)snprintf(marker, sizeof marker, "%s.quarantined", rig.dir);
    rig.seed = 2;
    CU_ASSERT_EQUAL(open_in_child(&rig), SIGABRT);
    CU_ASSERT(access(marker, F_OK) == 0);
    rig.seed = 1;
    UNIT_RC(rig_try_open(&rig), RC_TAMPERED);
    rig_close(&rig);
    CU_ASSERT(unlink(marker) == 0);
    rig_open(&rig);
    CU_ASSERT_EQUAL(state_applied(rig.state), 3);
    rig_clear(&rig);
}

/* The engine itself would try again in a while, with a timer that points to something else. */
static void a_write_of_the_log_that_fails_ends_the_process_and_loses_nothing(void)
{
    struct rig rig;
    int status = 0;
    rig_init(&rig);
    (void)fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        const struct rlimit nothing = {.rlim_cur = 0, .rlim_max = 0};
        struct tally tally;
        struct buf effect = BUF_INIT;
        rig_open(&rig);
        make_tokens(&rig, 1, 5);
        (void)signal(SIGXFSZ, SIG_IGN);
        (void)setrlimit(RLIMIT_FSIZE, &nothing);
        tally_init(&tally);
        token_effect(&rig, 6, &effect);
        (void)consensus_propose(rig.consensus, &effect, tally_done, &tally);
        (void)sleep(60); /* it ends before */
        _exit(0);
    }
    (void)waitpid(child, &status, 0);
    CU_ASSERT(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    rig_open(&rig);
    CU_ASSERT_EQUAL(state_applied(rig.state), 5);
    make_tokens(&rig, 6, 7);
    rig_clear(&rig);
}

static void a_directory_that_cannot_be_made_is_an_error(void)
{
    struct rig rig;
    rig_init(&rig);
    (void)snprintf(rig.dir, sizeof rig.dir, "/proc/nowhere/raft");
    UNIT_RC(rig_try_open(&rig), RC_DISK);
    rig_clear(&rig);
}

static void never_read(void *context, enum rc rc, uint64_t applied)
{
    (void)rc;
    (void)applied;
    *(bool *)context = true;
}

/* Requests that are still under way at the end of the daemon. */
static void ended_engine_tells_those_who_ask_that_it_stops(void)
{
    struct rig rig;
    struct buf effect = BUF_INIT;
    struct consensus_status status;
    struct consensus_member member;
    struct state_snapshot *snapshot = NULL;
    bool was_read = false;
    rig_init(&rig);
    rig_open(&rig);
    make_tokens(&rig, 1, 3);
    uint64_t applied = state_applied(rig.state);
    consensus_end(rig.consensus);
    consensus_end(rig.consensus);
    UNIT_OK(buf_append(&effect, bytes_of_str("effect")));
    UNIT_RC(consensus_propose(rig.consensus, &effect, NULL, NULL), RC_UNAVAILABLE);
    UNIT_RC(consensus_barrier(rig.consensus, never_read, &was_read), RC_UNAVAILABLE);
    UNIT_RC(consensus_when_applied(rig.consensus, applied + 1, UINT64_MAX, never_read, &was_read),
            RC_UNAVAILABLE);
    UNIT_RC(consensus_snapshot(rig.consensus, &snapshot), RC_UNAVAILABLE);
    UNIT_RC(consensus_audit_now(rig.consensus), RC_UNAVAILABLE);
    CU_ASSERT_FALSE(was_read);
    CU_ASSERT_EQUAL(consensus_members(rig.consensus, &member, 1), 1);
    consensus_status(rig.consensus, &status);
    CU_ASSERT(consensus_leader_silence_ms(rig.consensus) < 60000);
    buf_clear(&effect);
    rig_clear(&rig);
}

UNIT_SUITE("consensus", UNIT_CASE(what_is_applied_is_there_after_a_restart),
           UNIT_CASE(a_long_log_is_applied_before_the_start_returns),
           UNIT_CASE(a_refused_effect_says_so_and_takes_its_index),
           UNIT_CASE(proposals_that_wait_share_an_entry), UNIT_CASE(too_much_waiting_is_refused),
           UNIT_CASE(what_fits_no_entry_is_refused), UNIT_CASE(a_snapshot_gives_the_same_state),
           UNIT_CASE(a_damaged_snapshot_is_set_aside_for_the_one_before),
           UNIT_CASE(a_log_that_lost_acknowledged_changes_is_refused),
           UNIT_CASE(a_damaged_closed_segment_is_refused),
           UNIT_CASE(a_cut_that_was_not_finished_is),
           UNIT_CASE(a_lost_segment_is_no_cut_that_was_not_finished),
           UNIT_CASE(a_damaged_mark_is_refused),
           UNIT_CASE(a_log_of_another_cluster_is_refused_at_the_start),
           UNIT_CASE(a_log_of_other_keys_is_quarantined),
           UNIT_CASE(a_write_of_the_log_that_fails_ends_the_process_and_loses_nothing),
           UNIT_CASE(a_directory_that_cannot_be_made_is_an_error),
           UNIT_CASE(ended_engine_tells_those_who_ask_that_it_stops));

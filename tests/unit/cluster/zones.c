/* SPDX-License-Identifier: Apache-2.0 */
/* A cluster in a directory under /tmp. */
#include "tests/unit/cluster/zones.h"

#include <ftw.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/log.h"
#include "tests/unit/token/state_fixture.h"
#include "tests/unit/unit.h"

#define STEP_US 2000U

/* Some nodes run in forked children, with threads of their own. */
const char *__tsan_default_options(void);
const char *__tsan_default_options(void)
{
    return "die_after_fork=0";
}

/* The engine writes its traces, which nobody reads, into buffers that all its instances of a
 * process share; a daemon has one. libuv's threads close descriptors behind the sanitizer's back.
 */
const char *__tsan_default_suppressions(void);
const char *__tsan_default_suppressions(void)
{
    return "race_top:vsnprintf\nrace:closedir\n";
}

uint64_t zones_now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* ---- life */

void zones_init(struct zones *zones)
{
    memset(zones, 0, sizeof *zones);
    (void)signal(SIGPIPE, SIG_IGN);
    log_open(getenv("QHSM_TEST_LOG"),
             getenv("QHSM_TEST_LOG") != NULL ? LOG_LEVEL_DEBUG : LOG_LEVEL_ERROR);
    if (getenv("QHSM_TEST_LOG") == NULL)
        log_open("/dev/null", LOG_LEVEL_ERROR);
    unit_directory(zones->root, sizeof zones->root);
    peer_fixture_init(&zones->pki);
    zones->heartbeat_ms = 50;
    zones->election_ms = ZONES_PATIENT_MS;
    zones->threshold = 1024;
    zones->trailing = 2048;
    for (unsigned i = 0; i < ZONES_MAX; i++) {
        struct zone *zone = &zones->zone[i];
        zone->id = i + 1;
        (void)snprintf(zone->dir, sizeof zone->dir, "%s/%u", zones->root, i + 1);
        (void)snprintf(zone->address, sizeof zone->address, "127.0.0.1:%u", peer_free_port());
        zone->tls = peer_fixture_node(&zones->pki, zone->id);
    }
}

static void leader_changed(void *context, const struct consensus_leader *leader)
{
    struct zone *zone = context;
    (void)leader;
    zone->leader_changes++;
}

enum rc zone_try_start(struct zones *zones, unsigned i)
{
    struct zone *zone = &zones->zone[i];
    const struct consensus_peers peers = {
        .listen = zone->address, .server = zone->tls.server, .client = zone->tls.client};
    const struct consensus_config config = {
        .dir = zone->dir,
        .node = zone->id,
        .cluster = {1, 2, 3},
        .bootstrap = i == 0,
        .heartbeat_ms = zones->heartbeat_ms,
        .election_ms = zone->election_ms != 0 ? zone->election_ms : zones->election_ms,
        .snapshot_threshold = zones->threshold,
        .snapshot_trailing = zones->trailing,
        .peers = &peers,
        .audit_every = zones->audit_every,
        .disk_reserve_bytes = zones->disk_reserve,
        .leader_changed = leader_changed,
        .context = zone};
    zone->keys = fixture_keys(1);
    UNIT_OK(state_new(zone->keys, &zone->state));
    return consensus_start(&config, zone->keys, zone->state, &zone->consensus);
}

void zone_start(struct zones *zones, unsigned i)
{
    enum rc rc = zone_try_start(zones, i);
    UNIT_OK(rc);
    CU_ASSERT_FATAL(rc == RC_OK);
}

void zone_stop(struct zones *zones, unsigned i)
{
    struct zone *zone = &zones->zone[i];
    consensus_stop(zone->consensus);
    state_free(zone->state);
    seal_keys_free(zone->keys);
    zone->consensus = NULL;
    zone->state = NULL;
    zone->keys = NULL;
}

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *walk)
{
    (void)info;
    (void)type;
    (void)walk;
    return remove(path);
}

void zones_clear(struct zones *zones)
{
    for (unsigned i = 0; i < ZONES_MAX; i++) {
        if (zones->zone[i].state != NULL)
            zone_stop(zones, i);
        peer_identity_clear(&zones->zone[i].tls);
    }
    peer_fixture_clear(&zones->pki);
    (void)nftw(zones->root, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static bool has_lost_the_lead(enum rc rc)
{
    return rc == RC_NO_QUORUM || rc == RC_OUTCOME_UNKNOWN;
}

/* Through whoever leads; again when that one has lost the lead meanwhile, or it is too early. */
static void insist(struct zones *zones, const struct zone *zone, enum consensus_role role)
{
    uint64_t end = zones_now_ms() + ZONES_WAIT_MS;
    enum rc rc = RC_CONFLICT;
    while ((has_lost_the_lead(rc) || rc == RC_CONFLICT) && zones_now_ms() < end) {
        unsigned leader = zones_leader(zones);
        rc = role == CONSENSUS_SPARE ? zones_add(zones, leader, zone->id, zone->address)
                                     : zones_assign(zones, leader, zone->id, role);
        if (rc == RC_CONFLICT)
            (void)usleep(STEP_US);
    }
    UNIT_OK(rc == RC_EXISTS ? RC_OK : rc); /* what was lost may have been done all the same */
}

void zones_join(struct zones *zones, unsigned i, enum consensus_role role)
{
    const struct zone *zone = &zones->zone[i];
    zone_start(zones, i);
    insist(zones, zone, CONSENSUS_SPARE);
    if (role != CONSENSUS_SPARE)
        insist(zones, zone, CONSENSUS_STANDBY);
    if (role == CONSENSUS_VOTER)
        insist(zones, zone, CONSENSUS_VOTER);
}

void zones_form(struct zones *zones, unsigned count)
{
    zone_start(zones, 0);
    for (unsigned i = 1; i < count; i++)
        zones_join(zones, i, CONSENSUS_VOTER);
    CU_ASSERT_FATAL(zones_settle(zones));
}

/* ---- looking */

struct consensus_status zones_status(struct zones *zones, unsigned i)
{
    struct consensus_status status;
    consensus_status(zones->zone[i].consensus, &status);
    return status;
}

/* The next but one was begun after the call. */
struct consensus_status zones_new_status(struct zones *zones, unsigned i)
{
    uint64_t end = zones_now_ms() + ZONES_WAIT_MS;
    struct consensus_status status = zones_status(zones, i);
    uint64_t wanted = status.renewed + 2;
    for (; status.renewed < wanted && zones_now_ms() < end; status = zones_status(zones, i))
        (void)usleep(STEP_US);
    CU_ASSERT(status.renewed >= wanted);
    return status;
}

uint64_t zones_term(struct zones *zones, unsigned i)
{
    return zones_status(zones, i).term;
}

/* ZONES_MAX: none that leads, or not all who vote follow it. */
static unsigned find_leader(struct zones *zones)
{
    unsigned leader = ZONES_MAX;
    uint64_t term = 0;
    for (unsigned i = 0; i < ZONES_MAX; i++) {
        if (zones->zone[i].consensus == NULL)
            continue;
        struct consensus_status status = zones_status(zones, i);
        if (status.leader == zones->zone[i].id && status.term > term) {
            leader = i;
            term = status.term;
        }
    }
    return leader;
}

static bool is_followed(struct zones *zones, unsigned leader)
{
    unsigned followers = 0;
    struct consensus_member members[8];
    unsigned voters = 0;
    if (leader == ZONES_MAX)
        return false;
    size_t count = consensus_members(zones->zone[leader].consensus, members, 8);
    for (size_t i = 0; i < count; i++)
        voters += members[i].role == CONSENSUS_VOTER ? 1 : 0;
    for (unsigned i = 0; i < ZONES_MAX; i++)
        if (zones->zone[i].consensus != NULL &&
            zones_status(zones, i).leader == zones->zone[leader].id)
            followers++;
    return followers * 2 > voters;
}

unsigned zones_leader(struct zones *zones)
{
    uint64_t end = zones_now_ms() + ZONES_WAIT_MS;
    unsigned leader = find_leader(zones);
    while (!is_followed(zones, leader) && zones_now_ms() < end) {
        (void)usleep(STEP_US);
        leader = find_leader(zones);
    }
    CU_ASSERT_FATAL(leader < ZONES_MAX);
    return leader;
}

bool zones_wait_for(bool (*holds)(unsigned i), unsigned i)
{
    uint64_t end = zones_now_ms() + ZONES_WAIT_MS;
    bool held = holds(i);
    for (; !held && zones_now_ms() < end; held = holds(i))
        (void)usleep(STEP_US);
    return held;
}

bool zones_same(struct zones *zones, unsigned a, unsigned b)
{
    uint8_t first[32];
    uint8_t second[32];
    if (state_applied(zones->zone[a].state) != state_applied(zones->zone[b].state))
        return false;
    state_hash(zones->zone[a].state, first);
    state_hash(zones->zone[b].state, second);
    return bytes_equal(bytes_of(first, 32), bytes_of(second, 32));
}

static bool all_same(struct zones *zones)
{
    unsigned leader = find_leader(zones);
    for (unsigned i = 0; leader < ZONES_MAX && i < ZONES_MAX; i++)
        if (zones->zone[i].consensus != NULL && !zones_same(zones, i, leader))
            return false;
    return leader < ZONES_MAX;
}

bool zones_settle(struct zones *zones)
{
    uint64_t end = zones_now_ms() + ZONES_WAIT_MS;
    while (!all_same(zones) && zones_now_ms() < end)
        (void)usleep(STEP_US);
    return all_same(zones);
}

/* ---- asking */

struct outcome {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool done;
    enum rc rc;
    uint64_t applied;
};

#define OUTCOME_INIT                                                           \
    {                                                                          \
        .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER \
    }

static void outcome_set(struct outcome *outcome, enum rc rc, uint64_t applied)
{
    (void)pthread_mutex_lock(&outcome->lock);
    outcome->done = true;
    outcome->rc = rc;
    outcome->applied = applied;
    (void)pthread_cond_signal(&outcome->changed);
    (void)pthread_mutex_unlock(&outcome->lock);
}

static enum rc outcome_wait(struct outcome *outcome, enum rc asked)
{
    if (asked != RC_OK)
        return asked;
    (void)pthread_mutex_lock(&outcome->lock);
    while (!outcome->done)
        (void)pthread_cond_wait(&outcome->changed, &outcome->lock);
    (void)pthread_mutex_unlock(&outcome->lock);
    return outcome->rc;
}

static void proposed(void *context, enum rc rc, const struct effect_result *result, uint64_t index)
{
    outcome_set(context, rc == RC_OK ? result->rc : rc, index);
}

static void changed(void *context, enum rc rc)
{
    outcome_set(context, rc, 0);
}

static void was_read(void *context, enum rc rc, uint64_t applied)
{
    outcome_set(context, rc, applied);
}

enum rc zones_propose(struct zones *zones, unsigned i, struct buf *effect)
{
    struct outcome outcome = OUTCOME_INIT;
    return outcome_wait(&outcome,
                        consensus_propose(zones->zone[i].consensus, effect, proposed, &outcome));
}

void zones_effect(struct zones *zones, struct buf *out)
{
    const struct user_row so = {.role = ROLE_SO, .name = SO_USER_NAME, .has_pin = true};
    zones->head.time_ms++;
    UNIT_OK(
        effect_token_init(out, &zones->head, zones->tokens + 1, "token", "0123456789abcdef", &so));
}

void zones_policy_effect(struct zones *zones, struct buf *out)
{
    struct policy policy = policy_default();
    zones->head.time_ms++;
    policy.pin_tries_max = (uint32_t)(3 + zones->head.time_ms % 7);
    UNIT_OK(effect_policy_put(out, &zones->head, 1, 0, &policy));
}

enum rc zones_token(struct zones *zones, unsigned i)
{
    struct buf effect = BUF_INIT;
    zones_effect(zones, &effect);
    enum rc rc = zones_propose(zones, i, &effect);
    zones->tokens += rc == RC_OK ? 1 : 0;
    return rc;
}

/* A token whose outcome was not known may be there when it is made again. */
static enum rc insist_on_token(struct zones *zones)
{
    uint64_t end = zones_now_ms() + ZONES_WAIT_MS;
    enum rc before = RC_OK;
    enum rc rc = RC_NO_QUORUM;
    while (has_lost_the_lead(rc) && zones_now_ms() < end) {
        before = rc == RC_OUTCOME_UNKNOWN ? rc : before;
        rc = zones_token(zones, zones_leader(zones));
    }
    if (before != RC_OUTCOME_UNKNOWN || rc != RC_CONFLICT)
        return rc;
    zones->tokens++;
    return RC_OK;
}

void zones_tokens(struct zones *zones, unsigned count)
{
    enum rc rc = RC_OK;
    for (unsigned i = 0; i < count && rc == RC_OK; i++)
        rc = insist_on_token(zones);
    UNIT_OK(rc);
}

enum rc zones_add(struct zones *zones, unsigned leader, uint64_t id, const char *address)
{
    struct outcome outcome = OUTCOME_INIT;
    return outcome_wait(&outcome, consensus_member_add(zones->zone[leader].consensus, id, address,
                                                       changed, &outcome));
}

enum rc zones_assign(struct zones *zones, unsigned leader, uint64_t id, enum consensus_role role)
{
    struct outcome outcome = OUTCOME_INIT;
    return outcome_wait(&outcome, consensus_member_assign(zones->zone[leader].consensus, id, role,
                                                          changed, &outcome));
}

enum rc zones_remove(struct zones *zones, unsigned leader, uint64_t id)
{
    struct outcome outcome = OUTCOME_INIT;
    return outcome_wait(
        &outcome, consensus_member_remove(zones->zone[leader].consensus, id, changed, &outcome));
}

enum rc zones_transfer(struct zones *zones, unsigned leader, uint64_t id)
{
    struct outcome outcome = OUTCOME_INIT;
    uint64_t end = zones_now_ms() + ZONES_WAIT_MS;
    enum rc rc = outcome_wait(
        &outcome, consensus_transfer(zones->zone[leader].consensus, id, changed, &outcome));
    while (rc == RC_OK && zones_now_ms() < end &&
           zones_status(zones, leader).leader == zones->zone[leader].id)
        (void)usleep(STEP_US); /* its status is a moment old */
    return rc;
}

enum rc zones_barrier(struct zones *zones, unsigned i, uint64_t *out_applied)
{
    struct outcome outcome = OUTCOME_INIT;
    enum rc rc =
        outcome_wait(&outcome, consensus_barrier(zones->zone[i].consensus, was_read, &outcome));
    *out_applied = outcome.applied;
    return rc;
}

void zones_trouble(struct zones *zones, unsigned i, const struct peer_trouble *trouble)
{
    UNIT_OK(consensus_trouble(zones->zone[i].consensus, 0, trouble));
}

void zones_cut(struct zones *zones, unsigned i, bool cut)
{
    const struct peer_trouble trouble = {.cut_in = cut, .cut_out = cut};
    zones_trouble(zones, i, &trouble);
}

/* ---- many changes at once */

static void flood_done(void *context, enum rc rc, const struct effect_result *result,
                       uint64_t index)
{
    struct zones_flood *flood = context;
    (void)index;
    (void)pthread_mutex_lock(&flood->lock);
    flood->good += rc == RC_OK && result->rc == RC_OK ? 1 : 0;
    flood->unknown += rc == RC_OUTCOME_UNKNOWN ? 1 : 0;
    flood->no_quorum += rc == RC_NO_QUORUM ? 1 : 0;
    flood->other += rc != RC_OK && rc != RC_OUTCOME_UNKNOWN && rc != RC_NO_QUORUM ? 1 : 0;
    (void)pthread_mutex_unlock(&flood->lock);
}

void zones_flood(struct zones *zones, struct zones_flood *flood, unsigned i, unsigned count)
{
    for (unsigned n = 0; n < count; n++) {
        struct buf effect = BUF_INIT;
        zones_policy_effect(zones, &effect);
        enum rc rc = consensus_propose(zones->zone[i].consensus, &effect, flood_done, flood);
        UNIT_OK(rc);
        flood->sent += rc == RC_OK ? 1 : 0;
        buf_clear(&effect);
    }
}

bool zones_flood_is_over(struct zones_flood *flood)
{
    uint64_t end = zones_now_ms() + ZONES_WAIT_MS;
    for (;;) {
        (void)pthread_mutex_lock(&flood->lock);
        bool over = flood->good + flood->unknown + flood->no_quorum + flood->other == flood->sent;
        (void)pthread_mutex_unlock(&flood->lock);
        if (over || zones_now_ms() > end)
            return over;
        (void)usleep(2000);
    }
}

/* ---- small things */

unsigned zones_other(unsigned a, unsigned b)
{
    for (unsigned i = 0; i < 3; i++)
        if (i != a && i != b)
            return i;
    return 0;
}

int zones_in_child(void (*run)(void))
{
    int status = 0;
    (void)fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        run();
        _exit(0);
    }
    (void)waitpid(child, &status, 0);
    return WIFSIGNALED(status) ? WTERMSIG(status) : -WEXITSTATUS(status);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* What the engine adds to three nodes: a change is seen at once, waiting for one, who is missing,
 * audits on demand, full disks, a new beginning of one node. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/cluster/zones.h"
#include "tests/unit/unit.h"

static struct zones zones;

/* ---- seen at once */

static bool has_nudged(unsigned leader)
{
    return zones_status(&zones, leader).nudges >= 12;
}

/* A change while nothing else happens: the engine would tell with the next heartbeat. */
static void a_change_is_seen_everywhere_long_before_the_next_heartbeat(void)
{
    zones_init(&zones);
    zones.heartbeat_ms = 2 * ZONES_WAIT_MS;
    zones.election_ms = 8 * ZONES_WAIT_MS;
    zones_form(&zones, 3);
    unsigned leader = zones_leader(&zones);
    bool is_seen = true;
    for (unsigned i = 0; i < 6 && is_seen; i++) {
        UNIT_OK(zones_token(&zones, leader));
        is_seen = zones_settle(&zones);
    }
    CU_ASSERT(is_seen);
    CU_ASSERT(zones_wait_for(has_nudged, leader));
    zones_clear(&zones);
}

/* Where the engine sends an entry, it leaves the next heartbeat out, and lets entries wait for
 * heartbeats when there was no answer until the one after that. */
static void a_heartbeat_that_an_entry_pushes_aside_is_made_up_for(void)
{
    enum { FOLLOWERS = 2, ROUNDS_MAX = 100 };
    uint64_t most = 0;
    zones_init(&zones);
    zones_form(&zones, FOLLOWERS + 1);
    unsigned leader = zones_leader(&zones);
    for (unsigned i = 0; i < ROUNDS_MAX && most < 2UL * FOLLOWERS; i++) {
        uint64_t before = zones_status(&zones, leader).nudges;
        UNIT_OK(zones_token(&zones, leader));
        (void)usleep(1000 * 3 * zones.heartbeat_ms);
        uint64_t nudges = zones_status(&zones, leader).nudges - before;
        most = nudges > most ? nudges : most;
    }
    CU_ASSERT(most >= 2UL * FOLLOWERS); /* one tells of the commit, one stands for the heartbeat */
    zones_clear(&zones);
}

struct waits {
    _Atomic unsigned done, good, late, stopped;
};

static void has_waited(void *context, enum rc rc, uint64_t applied)
{
    struct waits *waits = context;
    (void)applied;
    waits->good += rc == RC_OK ? 1 : 0;
    waits->late += rc == RC_DEADLINE ? 1 : 0;
    waits->stopped += rc == RC_UNAVAILABLE ? 1 : 0;
    waits->done++;
}

static bool wait_until(const struct waits *waits, unsigned count)
{
    uint64_t end = zones_now_ms() + ZONES_WAIT_MS;
    while (waits->done < count && zones_now_ms() < end)
        (void)usleep(1000);
    return waits->done >= count;
}

static void who_waits_for_a_change_is_answered_when_it_is_applied_here(void)
{
    enum { WAITERS = 10000, CHANGES = 50 };
    struct waits waits = {.done = 0};
    zones_init(&zones);
    zones_form(&zones, 3);
    unsigned follower = (zones_leader(&zones) + 1) % 3;
    struct consensus *consensus = zones.zone[follower].consensus;
    for (unsigned i = 0; i < WAITERS; i++) /* in no order */
        UNIT_OK(consensus_when_applied(consensus, 1 + (i * 7919U) % CHANGES,
                                       zones_now_ms() + ZONES_WAIT_MS, has_waited, &waits));
    (void)usleep(20000);
    CU_ASSERT_EQUAL(waits.done, 0);
    zones_tokens(&zones, CHANGES / 2);
    CU_ASSERT(wait_until(&waits, WAITERS / 2));
    CU_ASSERT_EQUAL(waits.done, WAITERS / 2);
    zones_tokens(&zones, CHANGES / 2);
    CU_ASSERT(wait_until(&waits, WAITERS));
    CU_ASSERT_EQUAL(waits.good, WAITERS);
    UNIT_OK(consensus_when_applied(consensus, CHANGES, 0, has_waited, &waits)); /* at once */
    CU_ASSERT_EQUAL(waits.good, WAITERS + 1);
    zones_clear(&zones);
}

static void who_waits_too_long_or_when_the_node_stops_is_told(void)
{
    struct waits waits = {.done = 0};
    zones_init(&zones);
    zone_start(&zones, 0);
    struct consensus *consensus = zones.zone[0].consensus;
    uint64_t start = zones_now_ms();
    UNIT_OK(consensus_when_applied(consensus, 9, start + 300, has_waited, &waits));
    UNIT_OK(consensus_when_applied(consensus, 8, start + 50, has_waited, &waits));
    UNIT_OK(consensus_when_applied(consensus, 7, start + 10UL * ZONES_WAIT_MS, has_waited, &waits));
    CU_ASSERT(wait_until(&waits, 1));
    CU_ASSERT(zones_now_ms() - start >= 50);
    CU_ASSERT(wait_until(&waits, 2));
    CU_ASSERT(zones_now_ms() - start >= 300);
    CU_ASSERT_EQUAL(waits.late, 2);
    zone_stop(&zones, 0);
    CU_ASSERT_EQUAL(waits.stopped, 1);
    zones_clear(&zones);
}

/* ---- who is missing */

static size_t missed_by(unsigned i, uint64_t *missed)
{
    return consensus_missing(zones.zone[i].consensus, missed, ZONES_MAX);
}

static bool misses_nobody(unsigned i)
{
    uint64_t missed[ZONES_MAX];
    return missed_by(i, missed) == 0;
}

static bool misses_two(unsigned i)
{
    uint64_t missed[ZONES_MAX];
    return missed_by(i, missed) == 2;
}

/* Of the first three; the leader of the moment tells, the one that follows does not know. */
static bool its_leader_alone_misses(unsigned gone)
{
    uint64_t missed[ZONES_MAX];
    unsigned leader = zones_leader(&zones);
    return missed_by(leader, missed) == 1 && missed[0] == gone + 1 &&
           zones_status(&zones, leader).missing_count == 1 &&
           misses_nobody(zones_other(leader, gone));
}

static void the_members_that_are_not_heard_are_named(void)
{
    zones_init(&zones);
    zones.election_ms = 300;
    zones_form(&zones, 3);
    unsigned leader = zones_leader(&zones);
    unsigned first = (leader + 1) % 3;
    unsigned second = zones_other(leader, first);
    (void)usleep(400000);
    for (unsigned i = 0; i < 3; i++)
        CU_ASSERT(zones_wait_for(misses_nobody, i));
    zone_stop(&zones, first);
    CU_ASSERT(zones_wait_for(its_leader_alone_misses, first));
    zones_cut(&zones, second, true); /* it is there, but its messages are not */
    CU_ASSERT(zones_wait_for(misses_two, leader));
    CU_ASSERT(zones_wait_for(misses_two, second));
    zones_cut(&zones, second, false);
    (void)zones_leader(&zones);
    zones_clear(&zones);
}

static bool is_heard_by(unsigned i, uint64_t id)
{
    struct consensus_member members[ZONES_MAX];
    size_t count = consensus_members(zones.zone[i].consensus, members, ZONES_MAX);
    for (size_t n = 0; n < count; n++)
        if (members[n].id == id)
            return members[n].is_heard;
    return false;
}

static unsigned stopped;

static bool all_are_heard(unsigned leader)
{
    return is_heard_by(leader, 1) && is_heard_by(leader, 2) && is_heard_by(leader, 3);
}

static bool stopped_is_not_heard(unsigned leader)
{
    return !is_heard_by(leader, stopped + 1);
}

static void who_stops_is_not_heard_any_more_before_it_is_missed(void)
{
    zones_init(&zones);
    zones_form(&zones, 3);
    unsigned leader = zones_leader(&zones);
    CU_ASSERT(zones_wait_for(all_are_heard, leader));
    CU_ASSERT(!is_heard_by((leader + 1) % 3, leader + 1)); /* a follower cannot tell */
    stopped = (leader + 1) % 3;
    zone_stop(&zones, stopped);
    CU_ASSERT(zones_wait_for(stopped_is_not_heard, leader));
    CU_ASSERT(misses_nobody(leader));
    zone_start(&zones, stopped);
    CU_ASSERT(zones_wait_for(all_are_heard, leader));
    zones_clear(&zones);
}

/* ---- audits on demand */

static uint64_t audited_at;

static bool is_audited(unsigned i)
{
    return zones_status(&zones, i).audited >= audited_at;
}

/* Once the leader knows how far it is. */
static bool is_made_a_voter(unsigned i)
{
    return zones_assign(&zones, zones_leader(&zones), i + 1, CONSENSUS_VOTER) == RC_OK;
}

static void a_newcomer_is_compared_before_it_votes(void)
{
    zones_init(&zones);
    zone_start(&zones, 0);
    zones_tokens(&zones, 7);
    zones_join(&zones, 1, CONSENSUS_STANDBY);
    audited_at = state_applied(zones.zone[0].state);
    CU_ASSERT(!is_audited(1));
    UNIT_OK(consensus_audit_now(zones.zone[0].consensus));
    CU_ASSERT(zones_wait_for(is_audited, 1));
    CU_ASSERT(zones_wait_for(is_audited, 0));
    CU_ASSERT_EQUAL(zones_status(&zones, 1).audited, 7);
    CU_ASSERT(zones_wait_for(is_made_a_voter, 1));
    UNIT_RC(consensus_audit_now(zones.zone[1].consensus), RC_NO_QUORUM);
    zones_clear(&zones);
}

static void let_the_newcomer_differ(void)
{
    struct effect_result result;
    AUTO_BUF effect = BUF_INIT;
    zone_start(&zones, 0);
    zones_tokens(&zones, 7);
    zones_join(&zones, 1, CONSENSUS_STANDBY);
    (void)zones_settle(&zones);
    zones_policy_effect(&zones, &effect);
    state_apply(zones.zone[1].state, state_applied(zones.zone[1].state) + 1, buf_bytes(&effect),
                &result);
    (void)consensus_audit_now(zones.zone[0].consensus);
    (void)usleep(1000 * ZONES_WAIT_MS); /* it ends before */
}

static void a_newcomer_that_differs_stops(void)
{
    zones_init(&zones);
    CU_ASSERT_EQUAL(zones_in_child(let_the_newcomer_differ), SIGABRT);
    zones_clear(&zones);
}

/* ---- full disks */

static bool leads(unsigned i)
{
    return zones_status(&zones, i).leader == i + 1;
}

static bool follows(unsigned i)
{
    return zones_status(&zones, i).leader != 0 && !leads(i);
}

static bool is_full(unsigned i)
{
    return zones_status(&zones, i).disk_full;
}

static bool has_room(unsigned i)
{
    return !is_full(i);
}

static void a_leader_whose_disk_is_full_hands_the_lead_over(void)
{
    zones_init(&zones);
    zones_form(&zones, 3);
    zones_tokens(&zones, 3);
    unsigned old = zones_leader(&zones);
    consensus_pretend_disk_full(zones.zone[old].consensus, true);
    CU_ASSERT(zones_wait_for(follows, old));
    unsigned leader = zones_leader(&zones);
    CU_ASSERT_NOT_EQUAL(leader, old);
    zones_tokens(&zones, 3);
    CU_ASSERT(zones_settle(&zones)); /* it takes what it is sent as long as it can */
    CU_ASSERT(is_full(old));
    UNIT_OK(zones_transfer(&zones, leader, 0)); /* not to the one that is full */
    CU_ASSERT_NOT_EQUAL(zones_leader(&zones), old);
    zones_clear(&zones);
}

static enum rc outcome;

/* The lead may still be handed from one to another. */
static bool has_outcome(unsigned count)
{
    (void)count;
    return zones_token(&zones, zones_leader(&zones)) == outcome;
}

static void changes_are_refused_while_all_disks_are_full(void)
{
    zones_init(&zones);
    zones_form(&zones, 3);
    zones_tokens(&zones, 3);
    CU_ASSERT(zones_settle(&zones));
    for (unsigned i = 0; i < 3; i++)
        consensus_pretend_disk_full(zones.zone[i].consensus, true);
    for (unsigned i = 0; i < 3; i++)
        CU_ASSERT(zones_wait_for(is_full, i));
    outcome = RC_DISK;
    CU_ASSERT(zones_wait_for(has_outcome, 0));
    CU_ASSERT_EQUAL(state_applied(zones.zone[zones_leader(&zones)].state), 3);
    for (unsigned i = 0; i < 3; i++)
        consensus_pretend_disk_full(zones.zone[i].consensus, false);
    for (unsigned i = 0; i < 3; i++)
        CU_ASSERT(zones_wait_for(has_room, i));
    outcome = RC_OK; /* when the leader has heard it */
    CU_ASSERT(zones_wait_for(has_outcome, 0));
    zones_tokens(&zones, 3);
    CU_ASSERT(zones_settle(&zones));
    zones_clear(&zones);
}

static void fill(const char *path)
{
    static const char block[65536];
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    CU_ASSERT_FATAL(fd >= 0);
    while (write(fd, block, sizeof block) > 0 || write(fd, block, 512) > 0)
        continue;
    (void)close(fd);
}

/* The first node's log on a small file system of its own. False: this test may not mount one. */
static bool mount_small(char *point, size_t len)
{
    (void)snprintf(point, len, "%s/small", zones.root);
    CU_ASSERT_FATAL(mkdir(point, 0700) == 0);
    if (mount("tmpfs", point, "tmpfs", 0, "size=64m") != 0) {
        (void)printf("(no right to mount: skipped) ");
        return false;
    }
    (void)snprintf(zones.zone[0].dir, sizeof zones.zone[0].dir, "%s/raft", point);
    return true;
}

static bool has_203_tokens(unsigned i)
{
    return state_tokens(zones.zone[i].state, NULL, 0) == 203;
}

static void a_real_disk_that_fills_up_is_left_in_time_and_used_again(void)
{
    char point[80];
    char ballast[96];
    zones_init(&zones);
    zones.disk_reserve = (uint64_t)8 * 1024 * 1024;
    if (!mount_small(point, sizeof point)) {
        zones_clear(&zones);
        return;
    }
    zones_form(&zones, 3);
    zones_tokens(&zones, 3);
    CU_ASSERT_EQUAL(zones_leader(&zones), 0);
    (void)snprintf(ballast, sizeof ballast, "%s/ballast", point);
    fill(ballast);
    CU_ASSERT(zones_wait_for(follows, 0));
    CU_ASSERT(is_full(0));
    zones_tokens(&zones, 200);
    CU_ASSERT(zones_settle(&zones));
    zone_stop(&zones, 1);
    zone_stop(&zones, 2);
    zone_stop(&zones, 0);
    zones.election_ms = ZONES_HASTY_MS;
    zone_start(&zones, 0); /* with a full disk, which is no reason not to serve */
    CU_ASSERT(zones_wait_for(is_full, 0));
    CU_ASSERT(unlink(ballast) == 0);
    zone_start(&zones, 1);
    CU_ASSERT(zones_wait_for(has_room, 0));
    CU_ASSERT(zones_wait_for(has_203_tokens, 0)); /* without room for the log it waited */
    zone_stop(&zones, 1);
    zone_start(&zones, 2);
    zones_tokens(&zones, 3);
    CU_ASSERT(zones_settle(&zones));
    for (unsigned i = 0; i < 3; i++)
        if (zones.zone[i].state != NULL)
            zone_stop(&zones, i);
    CU_ASSERT(umount2(point, MNT_DETACH) == 0);
    zones_clear(&zones);
}

/* ---- a new beginning */

static const struct consensus_peers *peers_of(unsigned i)
{
    static struct consensus_peers peers;
    const struct zone *zone = &zones.zone[i];
    peers = (struct consensus_peers){
        .listen = zone->address, .server = zone->tls.server, .client = zone->tls.client};
    return &peers;
}

static struct consensus_config config_of(unsigned i)
{
    return (struct consensus_config){
        .dir = zones.zone[i].dir, .cluster = {1, 2, 3}, .node = i + 1, .peers = peers_of(i)};
}

static void a_node_goes_on_alone_when_it_is_recovered(void)
{
    struct consensus_log log;
    struct consensus_member members[4];
    zones_init(&zones);
    zones_form(&zones, 3);
    zones_tokens(&zones, 20);
    CU_ASSERT(zones_settle(&zones));
    for (unsigned i = 0; i < 3; i++)
        zone_stop(&zones, i);
    struct consensus_config config = config_of(1);
    UNIT_OK(consensus_inspect(&config, &log));
    CU_ASSERT(log.term > 0 && log.index >= 20 && log.mark > 0 && log.mark <= log.index);
    CU_ASSERT(!log.quarantined);
    UNIT_OK(consensus_recover(&config));
    zone_start(&zones, 1);
    CU_ASSERT(zones_wait_for(leads, 1));
    CU_ASSERT_EQUAL(state_applied(zones.zone[1].state), 20);
    CU_ASSERT_EQUAL(consensus_members(zones.zone[1].consensus, members, 4), 1);
    UNIT_OK(zones_token(&zones, 1));
    zones_join(&zones, 3, CONSENSUS_VOTER); /* a new number, an empty directory */
    CU_ASSERT(zones_settle(&zones));
    zones_clear(&zones);
}

static void a_log_that_cannot_be_trusted_is_not_recovered(void)
{
    struct consensus_log log;
    char path[128];
    zones_init(&zones);
    struct consensus_config config = config_of(0);
    UNIT_RC(consensus_recover(&config), RC_NOT_FOUND);
    zone_start(&zones, 0);
    zones_tokens(&zones, 3);
    zone_stop(&zones, 0);
    (void)snprintf(path, sizeof path, "%s.quarantined", zones.zone[0].dir);
    (void)close(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    UNIT_OK(consensus_inspect(&config, &log));
    CU_ASSERT(log.quarantined);
    UNIT_RC(consensus_recover(&config), RC_TAMPERED);
    CU_ASSERT(unlink(path) == 0);
    (void)snprintf(path, sizeof path, "%s.mark", zones.zone[0].dir);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    CU_ASSERT(dprintf(fd, "%020d\n", 99) == 21); /* it had more once */
    (void)close(fd);
    UNIT_RC(consensus_recover(&config), RC_TAMPERED);
    CU_ASSERT(unlink(path) == 0);
    UNIT_OK(consensus_recover(&config));
    zone_start(&zones, 0);
    CU_ASSERT_EQUAL(state_applied(zones.zone[0].state), 3);
    zones_clear(&zones);
}

UNIT_SUITE("zones_engine", UNIT_CASE(a_change_is_seen_everywhere_long_before_the_next_heartbeat),
           UNIT_CASE(a_heartbeat_that_an_entry_pushes_aside_is_made_up_for),
           UNIT_CASE(who_waits_for_a_change_is_answered_when_it_is_applied_here),
           UNIT_CASE(who_waits_too_long_or_when_the_node_stops_is_told),
           UNIT_CASE(the_members_that_are_not_heard_are_named),
           UNIT_CASE(who_stops_is_not_heard_any_more_before_it_is_missed),
           UNIT_CASE(a_newcomer_is_compared_before_it_votes),
           UNIT_CASE(a_newcomer_that_differs_stops),
           UNIT_CASE(a_leader_whose_disk_is_full_hands_the_lead_over),
           UNIT_CASE(changes_are_refused_while_all_disks_are_full),
           UNIT_CASE(a_real_disk_that_fills_up_is_left_in_time_and_used_again),
           UNIT_CASE(a_node_goes_on_alone_when_it_is_recovered),
           UNIT_CASE(a_log_that_cannot_be_trusted_is_not_recovered));

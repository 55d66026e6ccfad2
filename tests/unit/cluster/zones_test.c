/* SPDX-License-Identifier: Apache-2.0 */
/* Three nodes: they form, agree, lose one, take it back; their states are compared. */
#include "tests/unit/cluster/zones.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "cluster/log_mark.h"
#include "tests/unit/unit.h"

static struct zones zones;

/* ---- forming, agreeing */

/* A node's status follows its log by a tick. */
static bool becomes(unsigned i, const char *membership)
{
    uint64_t end = zones_now_ms() + ZONES_WAIT_MS;
    while (strcmp(zones_status(&zones, i).membership, membership) != 0 && zones_now_ms() < end)
        (void)usleep(1000);
    return strcmp(zones_status(&zones, i).membership, membership) == 0;
}

static bool has_seen_a_leader(unsigned i)
{
    return zones.zone[i].leader_changes > 0;
}

static bool its_match_is_known(unsigned i)
{
    struct consensus_member members[8];
    unsigned leader = zones_leader(&zones);
    return consensus_members(zones.zone[leader].consensus, members, 8) == 3 &&
           members[i].match == zones_status(&zones, leader).last;
}

static void three_nodes_form_and_hold_the_same_state(void)
{
    struct consensus_member members[8];
    zones_init(&zones);
    zones_form(&zones, 3);
    zones_tokens(&zones, 50);
    CU_ASSERT(zones_settle(&zones));
    for (unsigned i = 0; i < 3; i++) {
        CU_ASSERT(becomes(i, "voter"));
        CU_ASSERT_EQUAL(state_applied(zones.zone[i].state), 50);
        CU_ASSERT_EQUAL(consensus_members(zones.zone[i].consensus, members, 8), 3);
        CU_ASSERT_EQUAL(members[2].id, 3);
        CU_ASSERT_EQUAL(members[2].role, CONSENSUS_VOTER);
        CU_ASSERT_STRING_EQUAL(members[2].address, zones.zone[2].address);
        CU_ASSERT(zones_wait_for(has_seen_a_leader, i));
        CU_ASSERT(zones_wait_for(its_match_is_known, i));
    }
    zones_clear(&zones);
}

static void a_follower_refuses_changes_and_reads(void)
{
    uint64_t applied = 0;
    zones_init(&zones);
    zones_form(&zones, 3);
    unsigned follower = (zones_leader(&zones) + 1) % 3;
    UNIT_RC(zones_token(&zones, follower), RC_NO_QUORUM);
    UNIT_RC(zones_barrier(&zones, follower, &applied), RC_NO_QUORUM);
    UNIT_RC(zones_remove(&zones, follower, 1), RC_NO_QUORUM);
    UNIT_RC(zones_transfer(&zones, follower, 0), RC_NO_QUORUM);
    zones_clear(&zones);
}

static void a_node_of_one_can_be_the_first_of_many_later(void)
{
    zones_init(&zones);
    zone_start(&zones, 0);
    zones_tokens(&zones, 10);
    zone_stop(&zones, 0);
    zone_start(&zones, 0);
    zones_join(&zones, 1, CONSENSUS_VOTER);
    zones_join(&zones, 2, CONSENSUS_STANDBY);
    zones_tokens(&zones, 10);
    CU_ASSERT(zones_settle(&zones));
    CU_ASSERT(becomes(2, "stand-by"));
    zones_clear(&zones);
}

/* ---- losing one */

static void the_leader_stops_and_the_others_go_on(void)
{
    zones_init(&zones);
    zones.election_ms = 2 * ZONES_WAIT_MS; /* it hands over, or nobody leads in time */
    zones_form(&zones, 3);
    zones_tokens(&zones, 5);
    CU_ASSERT(zones_settle(&zones));
    unsigned old = zones_leader(&zones);
    zone_stop(&zones, old);
    CU_ASSERT_NOT_EQUAL(zones_leader(&zones), old);
    zones_tokens(&zones, 6);
    zone_start(&zones, old);
    CU_ASSERT(zones_settle(&zones));
    CU_ASSERT_EQUAL(state_applied(zones.zone[old].state), 11);
    zones_clear(&zones);
}

static void two_of_three_restart_and_nothing_is_lost(void)
{
    zones_init(&zones);
    zones_form(&zones, 3);
    zones_tokens(&zones, 20);
    for (unsigned i = 0; i < 3; i++)
        zone_stop(&zones, i);
    zones.election_ms = ZONES_HASTY_MS;
    zone_start(&zones, 1);
    zone_start(&zones, 2);
    zones_tokens(&zones, 1);
    CU_ASSERT(zones_settle(&zones));
    CU_ASSERT_EQUAL(state_tokens(zones.zone[2].state, NULL, 0), 21);
    zone_start(&zones, 0);
    CU_ASSERT(zones_settle(&zones));
    CU_ASSERT_EQUAL(state_tokens(zones.zone[0].state, NULL, 0), 21);
    zones_clear(&zones);
}

static bool knows_no_leader(unsigned i)
{
    return zones_status(&zones, i).leader == 0;
}

static bool is_sure(unsigned i)
{
    return consensus_leader_silence_ms(zones.zone[i].consensus) < ZONES_HASTY_MS;
}

/* Cuts the leader off and has it asked for many changes. A slow machine may have taken the lead
 * from it before: then it took none, and the next one is tried. */
static unsigned cut_off_a_leader(struct zones_flood *flood)
{
    unsigned leader = ZONES_MAX;
    for (unsigned i = 0; i < 20 && flood->unknown == 0; i++) {
        if (leader != ZONES_MAX)
            zones_cut(&zones, leader, false);
        leader = zones_leader(&zones);
        *flood = (struct zones_flood){.lock = PTHREAD_MUTEX_INITIALIZER};
        zones_cut(&zones, leader, true);
        zones_flood(&zones, flood, leader, 1000);
        CU_ASSERT(zones_flood_is_over(flood));
        CU_ASSERT_EQUAL(flood->good, 0);
        CU_ASSERT_EQUAL(flood->unknown + flood->no_quorum, 1000);
    }
    return leader;
}

static void a_leader_that_is_cut_off_answers_what_it_has_and_leads_no_more(void)
{
    struct zones_flood flood = {.unknown = 0};
    zones_init(&zones);
    zones.election_ms = ZONES_HASTY_MS;
    zones_form(&zones, 3);
    zones_tokens(&zones, 5);
    unsigned old = cut_off_a_leader(&flood); /* four entries go into the log, the rest waits */
    CU_ASSERT(flood.unknown > 0 && flood.unknown <= 256);
    CU_ASSERT(zones_wait_for(knows_no_leader, old));
    unsigned leader = zones_leader(&zones);
    CU_ASSERT_NOT_EQUAL(leader, old);
    zones_tokens(&zones, 1);
    CU_ASSERT(consensus_leader_silence_ms(zones.zone[old].consensus) >= 400);
    CU_ASSERT(zones_wait_for(is_sure, leader));
    zones_cut(&zones, old, false);
    CU_ASSERT(zones_settle(&zones));
    CU_ASSERT_EQUAL(state_tokens(zones.zone[old].state, NULL, 0), 6);
    struct log_mark mark;
    UNIT_OK(log_mark_open(zones.zone[old].dir, &mark));
    CU_ASSERT(mark.cuts[0] > 0); /* from where its own entries went */
    log_mark_close(&mark);
    zones_clear(&zones);
}

static void a_follower_that_is_cut_off_does_not_disturb_when_it_returns(void)
{
    enum { LOST = 1 };
    zones_init(&zones);
    zones.zone[LOST].election_ms = ZONES_HASTY_MS; /* nobody else calls an election */
    zones_form(&zones, 3);
    unsigned leader = zones_leader(&zones);
    uint64_t term = zones_term(&zones, leader);
    CU_ASSERT_NOT_EQUAL_FATAL(leader, LOST);
    zones_cut(&zones, LOST, true);
    zones_tokens(&zones, 20);
    (void)usleep(2000000); /* four elections */
    zones_tokens(&zones, 5);
    zones_cut(&zones, LOST, false);
    CU_ASSERT(zones_settle(&zones));
    CU_ASSERT_EQUAL(zones_term(&zones, leader), term);
    CU_ASSERT_EQUAL(zones_leader(&zones), leader);
    zones_clear(&zones);
}

/* ---- distance and loss */

static void a_far_and_a_lossy_follower_are_waited_for_by_nobody(void)
{
    const struct peer_trouble far = {.delay_ms = 1000};
    const struct peer_trouble lossy = {.drop_permille = 200};
    const struct peer_trouble none = {.delay_ms = 0};
    zones_init(&zones);
    zones_form(&zones, 3);
    unsigned leader = zones_leader(&zones);
    unsigned a = (leader + 1) % 3;
    unsigned b = zones_other(leader, a);
    zones_trouble(&zones, a, &far);
    uint64_t start = zones_now_ms();
    zones_tokens(&zones, 100);
    CU_ASSERT(zones_now_ms() - start < 100UL * far.delay_ms);
    zones_trouble(&zones, a, &none);
    zones_trouble(&zones, b, &lossy);
    zones_tokens(&zones, 100);
    zones_trouble(&zones, b, &none);
    CU_ASSERT(zones_settle(&zones));
    zones_clear(&zones);
}

/* ---- reads */

struct reads {
    _Atomic unsigned done, good;
    _Atomic uint64_t least;
};

static void was_read(void *context, enum rc rc, uint64_t applied)
{
    struct reads *reads = context;
    reads->good += rc == RC_OK ? 1 : 0;
    if (applied < reads->least)
        reads->least = applied;
    reads->done++;
}

static struct reads reads;

static bool all_are_read(unsigned count)
{
    return reads.done == count;
}

/* They wait for one another: cut off, the leader cannot answer the first before it has the last. */
static void reads_share_a_barrier_and_see_what_was_acknowledged(void)
{
    reads = (struct reads){.least = UINT64_MAX};
    zones_init(&zones);
    zones_form(&zones, 3);
    zones_tokens(&zones, 10);
    CU_ASSERT(zones_settle(&zones));
    unsigned leader = zones_leader(&zones);
    uint64_t before = zones_new_status(&zones, leader).last;
    zones_cut(&zones, leader, true);
    for (unsigned i = 0; i < 1000; i++)
        UNIT_OK(consensus_barrier(zones.zone[leader].consensus, was_read, &reads));
    CU_ASSERT_EQUAL(reads.done, 0);
    zones_cut(&zones, leader, false);
    CU_ASSERT(zones_wait_for(all_are_read, 1000));
    CU_ASSERT_EQUAL(reads.good, 1000);
    CU_ASSERT_EQUAL(reads.least, 10);
    uint64_t after = zones_new_status(&zones, leader).last;
    CU_ASSERT(after > before);
    CU_ASSERT(after - before < 10);
    zones_clear(&zones);
}

static void a_leader_that_is_alone_answers_no_read(void)
{
    uint64_t applied = 0;
    zones_init(&zones);
    zones.election_ms = ZONES_HASTY_MS;
    zones_form(&zones, 3);
    unsigned leader = zones_leader(&zones);
    zones_cut(&zones, leader, true);
    UNIT_RC(zones_barrier(&zones, leader, &applied), RC_NO_QUORUM);
    zones_clear(&zones);
}

/* ---- audits */

static bool has_compared(unsigned i)
{
    return zones_status(&zones, i).audits >= 3;
}

static void states_are_compared_through_the_log(void)
{
    zones_init(&zones);
    zones.audit_every = 10;
    zones_form(&zones, 3);
    zones_tokens(&zones, 60);
    for (unsigned i = 0; i < 3; i++)
        CU_ASSERT(zones_wait_for(has_compared, i));
    CU_ASSERT(zones_settle(&zones));
    zones_clear(&zones);
}

/* Node 3 has applied something that nobody else has. */
static void let_a_state_differ(void)
{
    struct effect_result result;
    AUTO_BUF effect = BUF_INIT;
    zones_form(&zones, 3);
    zones_tokens(&zones, 1);
    (void)zones_settle(&zones);
    zones_policy_effect(&zones, &effect);
    state_apply(zones.zone[2].state, state_applied(zones.zone[2].state) + 1, buf_bytes(&effect),
                &result);
    zones_tokens(&zones, 100);
    (void)usleep(1000 * ZONES_WAIT_MS); /* it ends before */
}

static void a_node_whose_state_differs_stops_and_marks_its_log(void)
{
    char marker[128];
    zones_init(&zones);
    zones.audit_every = 10;
    CU_ASSERT_EQUAL(zones_in_child(let_a_state_differ), SIGABRT);
    (void)snprintf(marker, sizeof marker, "%s.quarantined", zones.zone[2].dir);
    CU_ASSERT(access(marker, F_OK) == 0);
    (void)snprintf(marker, sizeof marker, "%s.quarantined", zones.zone[1].dir);
    CU_ASSERT(access(marker, F_OK) != 0);
    zones_clear(&zones);
}

UNIT_SUITE("zones", UNIT_CASE(three_nodes_form_and_hold_the_same_state),
           UNIT_CASE(a_follower_refuses_changes_and_reads),
           UNIT_CASE(a_node_of_one_can_be_the_first_of_many_later),
           UNIT_CASE(the_leader_stops_and_the_others_go_on),
           UNIT_CASE(two_of_three_restart_and_nothing_is_lost),
           UNIT_CASE(a_leader_that_is_cut_off_answers_what_it_has_and_leads_no_more),
           UNIT_CASE(a_follower_that_is_cut_off_does_not_disturb_when_it_returns),
           UNIT_CASE(a_far_and_a_lossy_follower_are_waited_for_by_nobody),
           UNIT_CASE(reads_share_a_barrier_and_see_what_was_acknowledged),
           UNIT_CASE(a_leader_that_is_alone_answers_no_read),
           UNIT_CASE(states_are_compared_through_the_log),
           UNIT_CASE(a_node_whose_state_differs_stops_and_marks_its_log));

/* SPDX-License-Identifier: Apache-2.0 */
/* Who comes to three nodes, and how; who goes; and who does not belong and stays out. */
#include "tests/unit/cluster/zones.h"

#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "tests/unit/unit.h"

static struct zones zones;

/* ---- snapshots */

/* A node is away for so long that the log does not go back far enough. */
static void outgrow(unsigned i)
{
    zone_stop(&zones, i);
    zones_tokens(&zones, 200);
}

static bool has_snapshot_installed(unsigned i)
{
    return zones_status(&zones, i).snapshots_received > 0;
}

struct sending {
    unsigned leader;
    uint64_t start_ms;
    struct consensus_status status;
};

static struct sending sending_begins(unsigned leader)
{
    return (struct sending){
        .leader = leader, .start_ms = zones_now_ms(), .status = zones_status(&zones, leader)};
}

/* One was on its way; one to each of `receivers`; one more for each that is newer; and again where
 * there was no answer for two seconds. */
static bool was_sent_no_more_than_needed(const struct sending *since, unsigned receivers)
{
    const uint64_t answer_ms = 2000;
    struct consensus_status now = zones_status(&zones, since->leader);
    uint64_t sent = now.snapshots_sent - since->status.snapshots_sent;
    uint64_t newer = now.snapshots - since->status.snapshots;
    return sent <= 1 + receivers + newer + (zones_now_ms() - since->start_ms) / answer_ms;
}

static void a_node_that_is_far_behind_is_sent_one_snapshot(void)
{
    zones_init(&zones);
    zones.threshold = 32;
    zones.trailing = 32;
    zones_form(&zones, 3);
    unsigned leader = zones_leader(&zones);
    outgrow((leader + 1) % 3);
    struct sending sending = sending_begins(leader);
    zone_start(&zones, (leader + 1) % 3);
    CU_ASSERT(zones_wait_for(has_snapshot_installed, (leader + 1) % 3));
    CU_ASSERT(zones_settle(&zones));
    CU_ASSERT(was_sent_no_more_than_needed(&sending, 1));
    zones_tokens(&zones, 3);
    CU_ASSERT(zones_settle(&zones));
    zone_stop(&zones, (leader + 1) % 3); /* what was installed is on its disk */
    zone_start(&zones, (leader + 1) % 3);
    CU_ASSERT(zones_settle(&zones));
    zones_clear(&zones);
}

/* The engine takes a peer that has not answered for a heartbeat for dead, and sends it again. */
static void a_snapshot_over_a_distance_of_many_heartbeats_is_not_sent_again(void)
{
    const struct peer_trouble far = {.delay_ms = 300};
    const struct peer_trouble none = {.delay_ms = 0};
    zones_init(&zones);
    zones.threshold = 32;
    zones.trailing = 32;
    zones_form(&zones, 3);
    unsigned leader = zones_leader(&zones);
    unsigned behind = (leader + 1) % 3;
    outgrow(behind);
    struct sending sending = sending_begins(leader);
    UNIT_OK(consensus_trouble(zones.zone[leader].consensus, behind + 1, &far));
    zone_start(&zones, behind);
    zones_trouble(&zones, behind, &far);
    CU_ASSERT(zones_wait_for(has_snapshot_installed, behind));
    CU_ASSERT(zones_settle(&zones));
    (void)usleep(500000);
    CU_ASSERT(was_sent_no_more_than_needed(&sending, 1));
    CU_ASSERT(zones_status(&zones, leader).snapshots_not_sent > 0);
    zones_trouble(&zones, behind, &none);
    zones_clear(&zones);
}

static bool has_sent_two_snapshots(unsigned leader)
{
    return zones_status(&zones, leader).snapshots_sent >= 2;
}

static void a_newcomer_gets_the_state_as_a_snapshot(void)
{
    zones_init(&zones);
    zones.threshold = 32;
    zones.trailing = 32;
    zone_start(&zones, 0);
    zones_tokens(&zones, 300);
    struct sending sending = sending_begins(0);
    zones_join(&zones, 1, CONSENSUS_VOTER);
    zones_join(&zones, 2, CONSENSUS_VOTER);
    zones_tokens(&zones, 10);
    CU_ASSERT(zones_settle(&zones));
    CU_ASSERT(zones_wait_for(has_sent_two_snapshots, 0));
    CU_ASSERT(was_sent_no_more_than_needed(&sending, 2));
    CU_ASSERT_EQUAL(state_tokens(zones.zone[2].state, NULL, 0), 310);
    zones_clear(&zones);
}

/* ---- members */

static void changes_of_the_members_that_make_no_sense_are_refused(void)
{
    zones_init(&zones);
    zones_form(&zones, 3);
    unsigned leader = zones_leader(&zones);
    uint64_t self = leader + 1;
    uint64_t other = (leader + 1) % 3 + 1;
    UNIT_RC(zones_add(&zones, leader, other, "127.0.0.1:1"), RC_EXISTS);
    UNIT_RC(zones_add(&zones, leader, 9, zones.zone[0].address), RC_EXISTS);
    UNIT_RC(zones_add(&zones, leader, 0, "127.0.0.1:1"), RC_BAD_ARGUMENT);
    UNIT_RC(zones_assign(&zones, leader, 9, CONSENSUS_STANDBY), RC_NOT_FOUND);
    UNIT_RC(zones_assign(&zones, leader, other, CONSENSUS_VOTER), RC_EXISTS);
    UNIT_RC(zones_assign(&zones, leader, self, CONSENSUS_STANDBY), RC_CONFLICT);
    UNIT_RC(zones_remove(&zones, leader, self), RC_CONFLICT);
    UNIT_RC(zones_remove(&zones, leader, 9), RC_NOT_FOUND);
    UNIT_RC(zones_transfer(&zones, leader, 9), RC_NOT_FOUND);
    UNIT_RC(zones_transfer(&zones, leader, self), RC_NOT_FOUND);
    UNIT_OK(zones_add(&zones, leader, 9, "127.0.0.1:1"));
    UNIT_RC(zones_assign(&zones, leader, 9, CONSENSUS_VOTER), RC_CONFLICT); /* a spare */
    UNIT_RC(zones_transfer(&zones, leader, 9), RC_NOT_FOUND);
    UNIT_OK(zones_assign(&zones, leader, 9, CONSENSUS_STANDBY));
    UNIT_OK(zones_remove(&zones, leader, 9));
    zones_tokens(&zones, 3);
    zones_clear(&zones);
}

static void the_lead_can_be_transferred_under_load(void)
{
    zones_init(&zones);
    zones_form(&zones, 3);
    zones_tokens(&zones, 1);
    for (unsigned round = 0; round < 5; round++) {
        struct zones_flood flood = {.lock = PTHREAD_MUTEX_INITIALIZER};
        unsigned leader = zones_leader(&zones);
        unsigned next = (leader + 1) % 3;
        uint64_t before = state_applied(zones.zone[leader].state);
        zones_flood(&zones, &flood, leader, 500);
        UNIT_OK(zones_transfer(&zones, leader, next + 1));
        CU_ASSERT(zones_flood_is_over(&flood));
        CU_ASSERT_EQUAL(zones_leader(&zones), next);
        CU_ASSERT(zones_settle(&zones));
        uint64_t applied = state_applied(zones.zone[leader].state) - before;
        CU_ASSERT(applied >= flood.good && applied <= flood.good + flood.unknown);
        CU_ASSERT_EQUAL(flood.other, 0);
    }
    zones_clear(&zones);
}

static unsigned next_leader;

static void *transfer_in_thread(void *rc)
{
    *(enum rc *)rc = zones_transfer(&zones, (next_leader + 2) % 3, next_leader + 1);
    return NULL;
}

/* The engine tells the next leader once that it is to take over. */
static void a_transfer_whose_message_is_lost_is_told_again(void)
{
    const struct peer_trouble deaf = {.drop_permille = 1000};
    const struct peer_trouble none = {.drop_permille = 0};
    enum rc rc = RC_INTERNAL;
    pthread_t thread;
    zones_init(&zones);
    zones.election_ms = 4000;
    zones_form(&zones, 3);
    unsigned leader = zones_leader(&zones);
    next_leader = (leader + 1) % 3;
    UNIT_OK(consensus_trouble(zones.zone[next_leader].consensus, leader + 1, &deaf));
    CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, transfer_in_thread, &rc), 0);
    (void)usleep(500000); /* heartbeats */
    UNIT_OK(consensus_trouble(zones.zone[next_leader].consensus, leader + 1, &none));
    (void)pthread_join(thread, NULL);
    UNIT_OK(rc);
    CU_ASSERT_EQUAL(zones_leader(&zones), next_leader);
    zones_tokens(&zones, 3);
    CU_ASSERT(zones_settle(&zones));
    zones_clear(&zones);
}

static bool is_refused(unsigned i)
{
    struct peer_counters counters;
    UNIT_OK(consensus_peer_counters(zones.zone[i].consensus, &counters));
    return counters.refused > 2;
}

static void a_removed_member_is_refused_and_harms_nobody(void)
{
    enum { GONE = 1 };
    zones_init(&zones);
    zones.zone[GONE].election_ms = 300; /* nobody else calls an election */
    zones_form(&zones, 3);
    unsigned leader = zones_leader(&zones);
    uint64_t term = zones_term(&zones, leader);
    CU_ASSERT_NOT_EQUAL_FATAL(leader, GONE);
    UNIT_OK(zones_remove(&zones, leader, zones.zone[GONE].id));
    zones_tokens(&zones, 5);
    CU_ASSERT(zones_wait_for(is_refused, leader));
    CU_ASSERT(state_applied(zones.zone[GONE].state) < 5);
    (void)usleep(1200000); /* four elections */
    zones_tokens(&zones, 5);
    CU_ASSERT_EQUAL(zones_term(&zones, leader), term);
    zone_stop(&zones, GONE); /* and when it returns with its old disk */
    zone_start(&zones, GONE);
    (void)usleep(900000);
    zones_tokens(&zones, 5);
    CU_ASSERT_EQUAL(zones_term(&zones, leader), term);
    CU_ASSERT(state_applied(zones.zone[GONE].state) < 5);
    zones_clear(&zones);
}

/* It leads, and a node that was away since before it came does not know its number. */
static void a_node_with_an_old_log_believes_a_leader_that_it_does_not_know(void)
{
    zones_init(&zones);
    zones_form(&zones, 3);
    unsigned leader = zones_leader(&zones);
    unsigned away = (leader + 1) % 3;
    unsigned stays = zones_other(leader, away);
    zone_stop(&zones, away);
    zones_join(&zones, 3, CONSENSUS_VOTER);
    UNIT_OK(zones_transfer(&zones, leader, 4));
    CU_ASSERT_EQUAL(zones_leader(&zones), 3);
    zones_tokens(&zones, 1); /* and with it the change that made it a voter */
    UNIT_OK(zones_remove(&zones, 3, leader + 1));
    zone_stop(&zones, leader);
    zones.zone[away].election_ms = ZONES_HASTY_MS; /* it gives up those whom it knows */
    zone_start(&zones, away);
    zones_tokens(&zones, 3);
    CU_ASSERT(zones_settle(&zones));
    CU_ASSERT_EQUAL(zones_leader(&zones), 3);
    (void)stays;
    zones_clear(&zones);
}

#define LONG_LOG 1200U

static void lengthen(unsigned leader)
{
    for (unsigned i = 0; i < LONG_LOG; i++) {
        struct buf effect = BUF_INIT;
        zones_policy_effect(&zones, &effect);
        UNIT_OK(zones_propose(&zones, leader, &effect));
    }
}

/* Beyond what the first three made. */
static bool has_grown(unsigned i)
{
    return state_applied(zones.zone[i].state) > 100;
}

static uint64_t refusals(unsigned i)
{
    struct peer_counters counters;
    UNIT_OK(consensus_peer_counters(zones.zone[i].consensus, &counters));
    return counters.refused;
}

/* More than the engine sends at a time, over a distance: the newcomer lives through members of long
 * ago, to whom the leader of today is a stranger. */
static void a_newcomer_that_catches_up_never_refuses_its_leader(void)
{
    zones_init(&zones);
    zones.threshold = 100000;
    zones_form(&zones, 3);
    unsigned leader = zones_leader(&zones);
    zones_tokens(&zones, 1);
    lengthen(leader);
    zones_join(&zones, 3, CONSENSUS_VOTER);
    UNIT_OK(zones_transfer(&zones, leader, 4));
    CU_ASSERT_EQUAL_FATAL(zones_leader(&zones), 3);
    zones_tokens(&zones, 1);
    const struct peer_trouble far = {.delay_ms = 40};
    UNIT_OK(consensus_trouble(zones.zone[3].consensus, 5, &far));
    zones_join(&zones, 4, CONSENSUS_STANDBY);
    CU_ASSERT(zones_settle(&zones));
    CU_ASSERT_EQUAL(refusals(4), 0);
    zones_clear(&zones);
}

/* Likewise a member that was away while another came, and came to lead: it takes two elections
 * until it believes that one, and not two for each part of the log. */
static bool refuses_its_leader_at_first_alone(void)
{
    const struct peer_trouble far = {.delay_ms = 40};
    zones_init(&zones);
    zones.threshold = 100000;
    zones_form(&zones, 3);
    unsigned leader = zones_leader(&zones);
    zones_tokens(&zones, 1);
    unsigned away = (leader + 1) % 3;
    zone_stop(&zones, away);
    lengthen(leader);
    zones_join(&zones, 3, CONSENSUS_VOTER);
    UNIT_OK(zones_transfer(&zones, leader, 4));
    CU_ASSERT_EQUAL_FATAL(zones_leader(&zones), 3);
    zones_tokens(&zones, 1);
    UNIT_OK(consensus_trouble(zones.zone[3].consensus, away + 1, &far));
    UNIT_OK(zones_remove(&zones, 3, leader + 1)); /* nobody else brings it up to date */
    zone_stop(&zones, leader);
    zones.zone[away].election_ms = ZONES_HASTY_MS;
    zone_start(&zones, away);
    CU_ASSERT(zones_wait_for(has_grown, away));
    uint64_t before = refusals(away);
    CU_ASSERT(zones_settle(&zones));
    bool is_so = refusals(away) == before;
    zones_clear(&zones);
    return is_so;
}

/* A pause of the machine may look as if the leader were lost once more. */
static void a_member_that_was_away_refuses_its_leader_at_first_alone(void)
{
    bool is_so = false;
    for (unsigned i = 0; i < 4 && !is_so; i++)
        is_so = refuses_its_leader_at_first_alone();
    CU_ASSERT(is_so);
}

/* ---- who does not belong */

static bool has_failures(unsigned i)
{
    struct peer_counters counters;
    UNIT_OK(consensus_peer_counters(zones.zone[i].consensus, &counters));
    return counters.failed + counters.refused > 4;
}

/* Node 3 restarts with that certificate: the others go on without it, and take the right one. */
static void impostor(struct peer_identity identity, bool starts)
{
    zones_init(&zones);
    zones_form(&zones, 3);
    unsigned leader = zones_leader(&zones);
    CU_ASSERT_NOT_EQUAL_FATAL(leader, 2);
    uint64_t term = zones_term(&zones, leader);
    zone_stop(&zones, 2);
    struct peer_identity own = zones.zone[2].tls;
    zones.zone[2].tls = identity;
    zones.zone[2].election_ms = ZONES_HASTY_MS;
    enum rc rc = zone_try_start(&zones, 2);
    CU_ASSERT_EQUAL(rc == RC_OK, starts);
    if (rc != RC_OK)
        UNIT_RC(rc, RC_CONFIG);
    zones_tokens(&zones, 5);
    CU_ASSERT(!starts || zones_wait_for(has_failures, leader));
    CU_ASSERT_EQUAL(state_applied(zones.zone[2].state), 0);
    CU_ASSERT_EQUAL(zones_term(&zones, leader), term);
    zone_stop(&zones, 2);
    peer_identity_clear(&zones.zone[2].tls);
    zones.zone[2].tls = own;
    zone_start(&zones, 2);
    CU_ASSERT(zones_settle(&zones));
    zones_clear(&zones);
}

static void certificates_that_do_not_fit_keep_a_node_out(void)
{
    struct peer_fixture other;
    peer_fixture_init(&other);
    impostor(peer_fixture_issue(&other, FOREIGN, TLS_ROLE_NODE, FIXTURE_CLUSTER, "3"), true);
    impostor(peer_fixture_issue(&other, OURS, TLS_ROLE_NODE, FIXTURE_CLUSTER, "2"), false);
    impostor(peer_fixture_issue(&other, OURS, TLS_ROLE_CLIENT, FIXTURE_CLUSTER, "3"), false);
    impostor(peer_fixture_issue(&other, OURS, TLS_ROLE_NODE, OTHER_CLUSTER, "3"), false);
    peer_fixture_clear(&other);
}

static void certificates_are_renewed_while_it_runs(void)
{
    zones_init(&zones);
    zones_form(&zones, 3);
    for (unsigned i = 0; i < 3; i++) {
        struct peer_identity fresh = peer_fixture_node(&zones.pki, i + 1);
        UNIT_OK(consensus_reload(zones.zone[i].consensus, fresh.server, fresh.client));
        peer_identity_clear(&fresh);
    }
    zones_tokens(&zones, 5);
    zone_stop(&zones, 2);
    zone_start(&zones, 2);
    zones_tokens(&zones, 5);
    CU_ASSERT(zones_settle(&zones));
    zones_clear(&zones);
}

UNIT_SUITE("zones_members", UNIT_CASE(a_node_that_is_far_behind_is_sent_one_snapshot),
           UNIT_CASE(a_snapshot_over_a_distance_of_many_heartbeats_is_not_sent_again),
           UNIT_CASE(a_newcomer_gets_the_state_as_a_snapshot),
           UNIT_CASE(changes_of_the_members_that_make_no_sense_are_refused),
           UNIT_CASE(the_lead_can_be_transferred_under_load),
           UNIT_CASE(a_transfer_whose_message_is_lost_is_told_again),
           UNIT_CASE(a_removed_member_is_refused_and_harms_nobody),
           UNIT_CASE(a_node_with_an_old_log_believes_a_leader_that_it_does_not_know),
           UNIT_CASE(a_newcomer_that_catches_up_never_refuses_its_leader),
           UNIT_CASE(a_member_that_was_away_refuses_its_leader_at_first_alone),
           UNIT_CASE(certificates_that_do_not_fit_keep_a_node_out),
           UNIT_CASE(certificates_are_renewed_while_it_runs));

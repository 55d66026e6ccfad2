/* SPDX-License-Identifier: Apache-2.0 */
/* What the guards round raft_io do with entries, votes and their answers, beside an engine that has
 * a log. */
#include <string.h>

#include "tests/unit/cluster/raft_guard_fake.h"
#include "tests/unit/unit.h"

/* ---- changes of the members */

static struct {
    struct raft_append_entries args[4];
    struct raft_entry first[4];
    uint64_t content[4]; /* of the last entry of each */
    unsigned count;
} parts;

/* What the engine does with them in the end. */
static void take_part(struct raft_io *io, struct raft_message *message)
{
    struct raft_append_entries *args = &message->append_entries;
    (void)io;
    CU_ASSERT_FATAL(parts.count < 4 && args->n_entries > 0);
    parts.args[parts.count] = *args;
    parts.first[parts.count] = args->entries[0];
    memcpy(&parts.content[parts.count++], args->entries[args->n_entries - 1].buf.base, 8);
    raft_free(args->entries[0].batch);
    raft_free(args->entries);
}

/* Its entries hold their index. */
static struct raft_message entries_message(raft_index prev, unsigned count)
{
    struct raft_message message = {.type = RAFT_APPEND_ENTRIES, .server_id = 2};
    struct raft_entry *entries = raft_calloc(count, sizeof *entries);
    uint64_t *batch = raft_malloc(count * sizeof *batch);
    for (unsigned i = 0; i < count; i++) {
        batch[i] = prev + 1 + i;
        entries[i] = (struct raft_entry){
            .term = 5, .type = RAFT_COMMAND, .buf = {.base = &batch[i], .len = 8}, .batch = batch};
    }
    message.append_entries = (struct raft_append_entries){.entries = entries,
                                                          .n_entries = count,
                                                          .prev_log_index = prev,
                                                          .prev_log_term = 5,
                                                          .leader_commit = 40};
    return message;
}

static void each_change_of_the_members_is_the_first_entry_of_a_message(void)
{
    static struct raft raft = {.commit_index = 10};
    struct raft_guard guard;
    struct raft_message message = entries_message(10, 6);
    guard_fake_begin(&guard);
    memset(&parts, 0, sizeof parts);
    guard.io.data = &raft;
    CU_ASSERT_EQUAL(guard.io.start(&guard.io, 100, NULL, take_part), 0);
    message.append_entries.entries[2].type = RAFT_CHANGE; /* 13 */
    message.append_entries.entries[3].type = RAFT_CHANGE; /* 14 */
    fake.recv(&guard.io, &message);
    CU_ASSERT_EQUAL_FATAL(parts.count, 3);
    for (unsigned i = 0; i < 3; i++) {
        static const raft_index prev[] = {10, 12, 13};
        static const uint64_t last[] = {12, 13, 16};
        CU_ASSERT_EQUAL(parts.args[i].prev_log_index, prev[i]);
        CU_ASSERT_EQUAL(parts.args[i].prev_log_term, 5);
        CU_ASSERT_EQUAL(parts.args[i].leader_commit, 40);
        CU_ASSERT_EQUAL(parts.args[i].n_entries, last[i] - prev[i]);
        CU_ASSERT_EQUAL(parts.first[i].type, i == 0 ? RAFT_COMMAND : RAFT_CHANGE);
        CU_ASSERT_EQUAL(parts.content[i], last[i]);
    }
}

/* A follower with entries up to 12, of them a change at 8, which is not known as committed. */
static void tick(struct raft_io *io)
{
    (void)io;
}

static void follow(struct raft *raft, struct raft_guard *guard)
{
    memset(raft, 0, sizeof *raft);
    memset(&parts, 0, sizeof parts);
    guard_fake_begin(guard);
    guard->io.data = raft;
    raft->commit_index = 7;
    raft->configuration_committed_index = 1;
    raft->configuration_uncommitted_index = 8;
    raft->trail.size = 2;
    raft->trail.back = 1;
    raft->trail.records = raft_calloc(2, sizeof *raft->trail.records);
    raft->trail.records[0].index = 12;
    raft->trail.records[0].term = 5;
    CU_ASSERT_EQUAL(raft_configuration_add(&raft->configuration, 1, "one", RAFT_VOTER), 0);
    CU_ASSERT_EQUAL(guard->io.start(&guard->io, 100, tick, take_part), 0);
}

static void unfollow(struct raft *raft)
{
    raft_free(raft->trail.records);
    raft_configuration_close(&raft->configuration);
    raft_configuration_close(&raft->configuration_committed);
}

static void receive_change(struct raft_guard *guard, raft_index prev, raft_term prev_term)
{
    struct raft_message message = entries_message(prev, 1);
    message.append_entries.entries[0].type = RAFT_CHANGE;
    message.append_entries.prev_log_term = prev_term;
    fake.recv(&guard->io, &message);
}

static void a_further_change_shows_that_the_one_before_is_committed(void)
{
    static struct raft raft;
    struct raft_guard guard;
    follow(&raft, &guard);
    receive_change(&guard, 12, 4); /* does not go with the log here */
    receive_change(&guard, 13, 5);
    receive_change(&guard, 7, 5); /* in its place */
    CU_ASSERT_EQUAL(raft.configuration_uncommitted_index, 8);
    receive_change(&guard, 12, 5);
    CU_ASSERT_EQUAL(raft.configuration_uncommitted_index, 0);
    CU_ASSERT_EQUAL(raft.configuration_committed_index, 8);
    CU_ASSERT_EQUAL(raft.configuration_committed.n, 1);
    unfollow(&raft);
}

static void a_change_within_what_is_committed_is_no_longer_uncommitted(void)
{
    static struct raft raft;
    struct raft_guard guard;
    follow(&raft, &guard);
    fake.tick(&guard.io);
    CU_ASSERT_EQUAL(raft.configuration_uncommitted_index, 8);
    raft.commit_index = 8;
    fake.tick(&guard.io);
    CU_ASSERT_EQUAL(raft.configuration_uncommitted_index, 0);
    CU_ASSERT_EQUAL(raft.configuration_committed_index, 8);
    CU_ASSERT_EQUAL(raft.configuration_committed.n, 1);
    unfollow(&raft);
}

static void a_vote_is_not_refused_for_a_leader_that_is_silent(void)
{
    static struct raft raft = {.state = RAFT_FOLLOWER, .election_timeout = 500};
    struct raft_guard guard;
    struct raft_message append = {.type = RAFT_APPEND_ENTRIES, .server_id = 3};
    struct raft_message vote = {.type = RAFT_REQUEST_VOTE, .server_id = 2};
    guard_fake_begin(&guard);
    raft.io = &guard.io;
    guard.io.data = &raft;
    raft.election_timer_start = 1000;
    raft.follower_state.current_leader.id = 3;
    raft.follower_state.current_leader.address = raft_calloc(1, 8);
    fake.now = 1000;
    CU_ASSERT_EQUAL(guard.io.start(&guard.io, 300, NULL, guard_fake_received), 0);
    fake.now = 1499;
    fake.recv(&guard.io, &vote);
    CU_ASSERT_EQUAL(raft.follower_state.current_leader.id, 3);
    fake.now = 1500;
    fake.recv(&guard.io, &append);
    CU_ASSERT_EQUAL(raft.follower_state.current_leader.id, 3);
    fake.recv(&guard.io, &vote);
    CU_ASSERT_EQUAL(raft.follower_state.current_leader.id, 0);
    CU_ASSERT_PTR_NULL(raft.follower_state.current_leader.address);
    CU_ASSERT_EQUAL(fake.receives, 3);
}

/* A machine that stands still, a process that is stopped: what has come meanwhile is read before
 * anyone concludes that nothing did. */
static void time_in_which_it_stood_still_does_not_count(void)
{
    struct raft_guard guard;
    guard_fake_begin(&guard);
    fake.now = 70000;
    CU_ASSERT_EQUAL(guard.io.time(&guard.io), 70000);
    CU_ASSERT_EQUAL(guard.io.start(&guard.io, 100, NULL, guard_fake_received), 0);
    fake.now += 200; /* two heartbeats: late, but alive */
    CU_ASSERT_EQUAL(guard.io.time(&guard.io), 70200);
    fake.now += 60000;
    CU_ASSERT_EQUAL(guard.io.time(&guard.io), 70400);
    CU_ASSERT_EQUAL(guard.io.time(&guard.io), 70400);
    fake.now += 100;
    CU_ASSERT_EQUAL(guard.io.time(&guard.io), 70500);
}

/* The log begins with 9; all up to 10 is committed. */
static void entries_after_one_that_has_left_the_log_are_taken_from_the_commit_on(void)
{
    static struct raft raft;
    struct raft_guard guard;
    follow(&raft, &guard);
    raft.configuration_uncommitted_index = 0;
    raft.commit_index = 10;
    raft.trail.offset = 8;
    raft.trail.snapshot.index = 10;
    raft.trail.snapshot.term = 5;
    struct raft_message message = entries_message(6, 8);
    fake.recv(&guard.io, &message);
    CU_ASSERT_EQUAL_FATAL(parts.count, 1);
    CU_ASSERT_EQUAL(parts.args[0].prev_log_index, 10);
    CU_ASSERT_EQUAL(parts.args[0].prev_log_term, 5);
    CU_ASSERT_EQUAL(parts.args[0].n_entries, 4);
    CU_ASSERT_EQUAL(parts.content[0], 14);
    guard.recv = guard_fake_received;
    struct raft_message heartbeat = {.type = RAFT_APPEND_ENTRIES, .server_id = 2};
    heartbeat.append_entries.prev_log_index = 6;
    heartbeat.append_entries.prev_log_term = 4;
    fake.recv(&guard.io, &heartbeat);
    CU_ASSERT_EQUAL(heartbeat.append_entries.prev_log_index, 10);
    CU_ASSERT_EQUAL(heartbeat.append_entries.prev_log_term, 5);
    unfollow(&raft);
}

/* ---- equals */

static unsigned taken(struct raft_guard *guard, raft_id from, raft_index last, raft_term term,
                      bool pre_vote)
{
    struct raft_message vote = {
        .type = RAFT_REQUEST_VOTE,
        .server_id = from,
        .request_vote = {
            .term = term, .last_log_index = last, .last_log_term = 5, .pre_vote = pre_vote}};
    fake.receives = 0;
    fake.recv(&guard->io, &vote);
    return fake.receives;
}

/* Of node 2, whose log ends in term 5. */
static void begin_pre_vote(struct raft *raft, struct raft_guard *guard)
{
    follow(raft, guard);
    guard->recv = guard_fake_received;
    raft->io = &guard->io;
    raft->id = 2;
    raft->state = RAFT_CANDIDATE;
    raft->current_term = 5;
    raft->last_stored = raft_last_index(raft);
    raft->election_timeout = 500;
    raft->election_timer_start = guard->now;
    raft->candidate_state.in_pre_vote = true;
}

static void of_two_equals_the_first_is_voted_for(void)
{
    static struct raft raft;
    struct raft_guard guard;
    begin_pre_vote(&raft, &guard);
    raft_index last = raft.last_stored;
    CU_ASSERT_EQUAL(taken(&guard, 3, last, 6, true), 0);
    CU_ASSERT_EQUAL(taken(&guard, 1, last, 6, true), 1);     /* its turn */
    CU_ASSERT_EQUAL(taken(&guard, 3, last + 1, 6, true), 1); /* it has more */
    CU_ASSERT_EQUAL(taken(&guard, 3, last, 7, true), 1);     /* it is further */
    CU_ASSERT_EQUAL(taken(&guard, 3, last, 6, false), 1);    /* it won */
    fake.now += 49;
    CU_ASSERT_EQUAL(taken(&guard, 3, last, 6, true), 0);
    fake.now += 1; /* this one cannot win, it seems */
    CU_ASSERT_EQUAL(taken(&guard, 3, last, 6, true), 1);
    raft.election_timer_start = guard.now;
    raft.candidate_state.in_pre_vote = false;
    CU_ASSERT_EQUAL(taken(&guard, 3, last, 6, true), 1);
    raft.state = RAFT_FOLLOWER;
    memset(&raft.follower_state, 0, sizeof raft.follower_state);
    CU_ASSERT_EQUAL(taken(&guard, 3, last, 6, true), 1);
    unfollow(&raft);
}

/* ---- answers */

static raft_index last_in_answer(struct raft_guard *guard, raft_index rejected, raft_index last)
{
    struct raft_io_send send;
    struct raft_message answer = {.type = RAFT_APPEND_ENTRIES_RESULT, .server_id = 2};
    answer.append_entries_result.rejected = rejected;
    answer.append_entries_result.last_log_index = last;
    CU_ASSERT_EQUAL(guard->io.send(&guard->io, &send, &answer, guard_fake_sent), 0);
    fake.sent(fake.send, 0);
    return fake.sent_last;
}

/* As the engine answers a leader of an older term. */
static void an_answer_names_no_entry_that_is_not_there(void)
{
    static struct raft raft;
    struct raft_guard guard;
    const raft_index garbage = 0x7ffdcafe12345678;
    follow(&raft, &guard);
    raft_index end = raft_last_index(&raft);
    CU_ASSERT_EQUAL(last_in_answer(&guard, 0, garbage), end);
    CU_ASSERT_EQUAL(last_in_answer(&guard, 5, garbage), 4);
    CU_ASSERT_EQUAL(last_in_answer(&guard, 0, end), end);
    CU_ASSERT_EQUAL(last_in_answer(&guard, 0, 1), 1);
    CU_ASSERT_EQUAL(last_in_answer(&guard, end + 5, end), end);
    unfollow(&raft);
}

UNIT_SUITE("raft_guard_log", UNIT_CASE(each_change_of_the_members_is_the_first_entry_of_a_message),
           UNIT_CASE(a_further_change_shows_that_the_one_before_is_committed),
           UNIT_CASE(a_change_within_what_is_committed_is_no_longer_uncommitted),
           UNIT_CASE(a_vote_is_not_refused_for_a_leader_that_is_silent),
           UNIT_CASE(time_in_which_it_stood_still_does_not_count),
           UNIT_CASE(entries_after_one_that_has_left_the_log_are_taken_from_the_commit_on),
           UNIT_CASE(of_two_equals_the_first_is_voted_for),
           UNIT_CASE(an_answer_names_no_entry_that_is_not_there));

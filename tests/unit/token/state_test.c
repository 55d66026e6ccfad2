/* SPDX-License-Identifier: Apache-2.0 */
/* The replicated state: effects, refusals, exactly-once, searches, and the state hash. */
#include "token/state.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/log.h"
#include "tests/unit/token/state_fixture.h"
#include "tests/unit/unit.h"
#include "token/request_table.h"

static void a_token_is_made_in_the_next_slot_alone(void)
{
    struct replica r;
    replica_open(&r);
    CU_ASSERT_EQUAL(state_next_token(r.state), 1);
    replica_token(&r, 1);
    replica_token(&r, 2);
    AUTO_BUF effect = BUF_INIT;
    const struct user_row so = {.role = ROLE_SO, .name = SO_USER_NAME};
    UNIT_OK(effect_token_init(&effect, &r.head, 4, "x", "1111111111111111", &so));
    UNIT_RC(replica_apply(&r, &effect).rc, RC_SLOT_INVALID);
    uint64_t numbers[4];
    CU_ASSERT_EQUAL(state_tokens(r.state, numbers, 4), 2);
    CU_ASSERT_EQUAL(numbers[1], 2);
    struct token_row row;
    UNIT_OK(state_token(r.state, 2, &row));
    CU_ASSERT_STRING_EQUAL(row.label, "token");
    CU_ASSERT_EQUAL(row.policy.pin_tries_max, 10);
    UNIT_RC(state_token(r.state, 3, &row), RC_SLOT_INVALID);
    UNIT_RC(state_token(r.state, 0, &row), RC_SLOT_INVALID);
    replica_close(&r);
}

static void two_who_make_the_same_token_do_not_empty_each_others(void)
{
    struct replica r;
    replica_open(&r);
    replica_token(&r, 1);
    CU_ASSERT_NOT_EQUAL(replica_add(&r, &SAMPLE_AES(1, "kept")), 0);
    AUTO_BUF effect = BUF_INIT;
    const struct user_row so = {.role = ROLE_SO, .name = SO_USER_NAME};
    UNIT_OK(effect_token_init(&effect, &r.head, 1, "x", "another serial", &so));
    UNIT_RC(replica_apply(&r, &effect).rc, RC_CONFLICT);
    CU_ASSERT_EQUAL(state_object_count(r.state), 1);
    replica_close(&r);
}

static void initialising_again_empties_the_token_and_voids_logins(void)
{
    struct replica r;
    struct token_row before;
    struct token_row after;
    struct user_row user;
    replica_open(&r);
    replica_token(&r, 1);
    replica_token(&r, 2);
    uint64_t id = replica_user(&r, 1, "anna");
    struct sample other = SAMPLE_AES(1, "other");
    other.token = 2;
    CU_ASSERT_NOT_EQUAL(replica_add(&r, &other), 0);
    for (uint64_t i = 0; i < 600; i++)
        CU_ASSERT_NOT_EQUAL(replica_add(&r, &SAMPLE_AES(i + 2, "gone")), 0);
    UNIT_OK(state_token(r.state, 1, &before));
    UNIT_OK(state_user_by_id(r.state, id, &user));
    CU_ASSERT_TRUE(state_login_holds(r.state, 1, before.epoch, id, user.version));
    replica_token(&r, 1);
    UNIT_OK(state_token(r.state, 1, &after));
    CU_ASSERT_EQUAL(before.object_count, 600);
    CU_ASSERT_EQUAL(after.object_count, 0);
    CU_ASSERT_TRUE(after.epoch > before.epoch);
    CU_ASSERT_EQUAL(state_object_count(r.state), 1);
    UNIT_RC(state_user(r.state, 1, "anna", &user), RC_NOT_FOUND);
    CU_ASSERT_FALSE(state_login_holds(r.state, 1, before.epoch, id, 1));
    CU_ASSERT_EQUAL(replica_find(&r, 1, CK_UNAVAILABLE_INFORMATION, "").count, 0);
    CU_ASSERT_EQUAL(replica_find(&r, 2, CK_UNAVAILABLE_INFORMATION, "").count, 1);
    replica_close(&r);
}

static struct effect_result put_user(struct replica *r, const struct user_row *user,
                                     uint64_t expected_version)
{
    AUTO_BUF effect = BUF_INIT;
    UNIT_OK(effect_user_put(&effect, &r->head, user, expected_version));
    return replica_apply(r, &effect);
}

static void a_user_is_changed_only_at_the_expected_version(void)
{
    struct replica r;
    struct user_row user;
    replica_open(&r);
    replica_token(&r, 1);
    uint64_t id = replica_user(&r, 1, "anna");
    UNIT_OK(state_user_by_id(r.state, id, &user));
    CU_ASSERT_EQUAL(user.version, 1);
    UNIT_RC(put_user(&r, &user, 0).rc, RC_EXISTS);
    UNIT_RC(put_user(&r, &user, 2).rc, RC_CONFLICT);
    user.disabled = true;
    UNIT_OK(put_user(&r, &user, 1).rc);
    UNIT_OK(state_user(r.state, 1, "anna", &user));
    CU_ASSERT_EQUAL(user.id, id);
    CU_ASSERT_EQUAL(user.version, 2);
    CU_ASSERT_TRUE(user.disabled);
    user.role = ROLE_SO;
    UNIT_RC(put_user(&r, &user, 2).rc, RC_CONFLICT);
    struct user_row nobody = {.role = ROLE_USER, .token = 1, .name = "nobody"};
    UNIT_RC(put_user(&r, &nobody, 1).rc, RC_NOT_FOUND);
    nobody.token = 9;
    UNIT_RC(put_user(&r, &nobody, 0).rc, RC_SLOT_INVALID);
    replica_close(&r);
}

static void users_are_listed_by_name_and_limited_by_policy(void)
{
    struct replica r;
    struct user_row users[8];
    struct policy policy = policy_default();
    replica_open(&r);
    replica_token(&r, 1);
    policy.users_max = 2;
    UNIT_OK(replica_policy(&r, 1, &policy).rc);
    uint64_t zoe = replica_user(&r, 1, "zoe");
    uint64_t anna = replica_user(&r, 1, "anna");
    CU_ASSERT_TRUE(anna > zoe);
    const struct user_row third = {.role = ROLE_USER, .token = 1, .name = "third"};
    UNIT_RC(put_user(&r, &third, 0).rc, RC_LIMIT);
    CU_ASSERT_EQUAL(state_users(r.state, 1, users, 8), 3);
    CU_ASSERT_STRING_EQUAL(users[0].name, "anna");
    CU_ASSERT_STRING_EQUAL(users[1].name, SO_USER_NAME);
    CU_ASSERT_STRING_EQUAL(users[2].name, "zoe");
    CU_ASSERT_EQUAL(state_users(r.state, 1, users, 1), 3);
    replica_close(&r);
}

static void a_second_security_officer_is_refused_and_the_first_stays(void)
{
    struct replica r;
    AUTO_BUF effect = BUF_INIT;
    replica_open(&r);
    replica_token(&r, 1);
    const struct user_row second = {.role = ROLE_SO, .token = 1, .name = "second"};
    UNIT_RC(put_user(&r, &second, 0).rc, RC_NOT_PERMITTED);
    UNIT_OK(effect_user_delete(&effect, &r.head, 1, SO_USER_NAME));
    UNIT_RC(replica_apply(&r, &effect).rc, RC_NOT_PERMITTED);
    replica_close(&r);
}

static void a_deleted_user_is_gone_and_his_id_is_not_given_again(void)
{
    struct replica r;
    struct user_row user;
    replica_open(&r);
    replica_token(&r, 1);
    uint64_t first = replica_user(&r, 1, "anna");
    AUTO_BUF effect = BUF_INIT;
    UNIT_OK(effect_user_delete(&effect, &r.head, 1, "anna"));
    UNIT_OK(replica_apply(&r, &effect).rc);
    UNIT_RC(replica_apply(&r, &effect).rc, RC_NOT_FOUND);
    UNIT_RC(state_user_by_id(r.state, first, &user), RC_NOT_FOUND);
    CU_ASSERT_TRUE(replica_user(&r, 1, "anna") > first);
    struct sample sample = SAMPLE_AES(1, "of nobody");
    sample.owner = first;
    CU_ASSERT_EQUAL(replica_add(&r, &sample), 0);
    replica_close(&r);
}

static void wrong_tries_lock_the_user_and_void_logins(void)
{
    struct replica r;
    struct user_row user;
    struct policy policy = policy_default();
    replica_open(&r);
    replica_token(&r, 1);
    policy.pin_tries_max = 3;
    UNIT_OK(replica_policy(&r, 1, &policy).rc);
    uint64_t id = replica_user(&r, 1, "anna");
    UNIT_OK(replica_try(&r, id, false).rc);
    UNIT_OK(replica_try(&r, id, false).rc);
    UNIT_OK(replica_try(&r, id, true).rc);
    UNIT_OK(state_user_by_id(r.state, id, &user));
    CU_ASSERT_EQUAL(user.tries, 0);
    CU_ASSERT_EQUAL(user.version, 1);
    for (unsigned i = 0; i < 3; i++)
        UNIT_OK(replica_try(&r, id, false).rc);
    UNIT_OK(state_user_by_id(r.state, id, &user));
    CU_ASSERT_EQUAL(user.tries, 3);
    CU_ASSERT_EQUAL(user.version, 2);
    UNIT_RC(replica_try(&r, id, true).rc, RC_PIN_LOCKED);
    UNIT_RC(replica_try(&r, id, false).rc, RC_PIN_LOCKED);
    UNIT_OK(state_user_by_id(r.state, id, &user));
    CU_ASSERT_EQUAL(user.tries, 3);
    replica_close(&r);
}

static void a_new_pin_starts_the_tries_again(void)
{
    struct replica r;
    struct user_row user;
    struct policy policy = policy_default();
    replica_open(&r);
    replica_token(&r, 1);
    policy.pin_tries_max = 1;
    UNIT_OK(replica_policy(&r, 1, &policy).rc);
    uint64_t id = replica_user(&r, 1, "anna");
    UNIT_OK(replica_try(&r, id, false).rc);
    UNIT_RC(replica_try(&r, id, true).rc, RC_PIN_LOCKED);
    UNIT_OK(state_user_by_id(r.state, id, &user));
    user.tries = 0;
    UNIT_OK(put_user(&r, &user, user.version).rc);
    UNIT_OK(replica_try(&r, id, true).rc);
    replica_close(&r);
}

static void tries_of_disabled_unknown_and_changed_users_are_refused(void)
{
    struct replica r;
    struct user_row user;
    replica_open(&r);
    replica_token(&r, 1);
    uint64_t id = replica_user(&r, 1, "anna");
    AUTO_BUF stale = BUF_INIT;
    AUTO_BUF unknown = BUF_INIT;
    UNIT_OK(effect_user_tried(&stale, &r.head, id, 9, false));
    UNIT_RC(replica_apply(&r, &stale).rc, RC_CONFLICT);
    UNIT_OK(effect_user_tried(&unknown, &r.head, 999, 1, false));
    UNIT_RC(replica_apply(&r, &unknown).rc, RC_NOT_FOUND);
    UNIT_OK(state_user_by_id(r.state, id, &user));
    user.disabled = true;
    UNIT_OK(put_user(&r, &user, 1).rc);
    UNIT_RC(replica_try(&r, id, true).rc, RC_USER_DISABLED);
    replica_close(&r);
}

static void a_policy_change_raises_the_epoch(void)
{
    struct replica r;
    struct token_row before;
    struct token_row after;
    struct policy policy = policy_default();
    replica_open(&r);
    replica_token(&r, 1);
    UNIT_OK(state_token(r.state, 1, &before));
    policy.strict = true;
    UNIT_OK(replica_policy(&r, 1, &policy).rc);
    UNIT_OK(state_token(r.state, 1, &after));
    CU_ASSERT_EQUAL(after.epoch, before.epoch + 1);
    CU_ASSERT_TRUE(after.policy.strict);
    UNIT_RC(replica_policy(&r, 5, &policy).rc, RC_SLOT_INVALID);
    replica_token(&r, 1);
    UNIT_OK(state_token(r.state, 1, &after));
    CU_ASSERT_TRUE(after.policy.strict);
    replica_close(&r);
}

static void handles_ascend_and_are_never_given_again(void)
{
    struct replica r;
    replica_open(&r);
    replica_token(&r, 1);
    uint64_t first = replica_add(&r, &SAMPLE_AES(1, "a"));
    uint64_t second = replica_add(&r, &SAMPLE_AES(2, "a"));
    CU_ASSERT_EQUAL(first, 1);
    CU_ASSERT_EQUAL(second, 2);
    UNIT_OK(replica_destroy(&r, second).rc);
    UNIT_RC(replica_destroy(&r, second).rc, RC_OBJECT_HANDLE);
    CU_ASSERT_EQUAL(replica_add(&r, &SAMPLE_AES(3, "a")), 3);
    CU_ASSERT_FALSE(replica_has(&r, second));
    replica_close(&r);
}

static void a_pair_is_added_whole_or_not_at_all(void)
{
    struct replica r;
    struct policy policy = policy_default();
    replica_open(&r);
    replica_token(&r, 1);
    policy.objects_max = 3;
    UNIT_OK(replica_policy(&r, 1, &policy).rc);
    AUTO_BUF first = BUF_INIT;
    AUTO_BUF second = BUF_INIT;
    AUTO_BUF effect = BUF_INIT;
    sample_record(r.keys, &SAMPLE_AES(1, "a"), &first);
    sample_record(r.keys, &SAMPLE_AES(2, "a"), &second);
    const struct bytes pair[] = {buf_bytes(&first), buf_bytes(&second)};
    UNIT_OK(effect_objects_add(&effect, &r.head, 1, pair, 2));
    struct effect_result result = replica_apply(&r, &effect);
    UNIT_OK(result.rc);
    CU_ASSERT_EQUAL(result.handle_count, 2);
    CU_ASSERT_EQUAL(result.handles[1], 2);
    result = replica_apply(&r, &effect);
    UNIT_RC(result.rc, RC_LIMIT);
    CU_ASSERT_EQUAL(result.handle_count, 0);
    CU_ASSERT_EQUAL(state_object_count(r.state), 2);
    replica_close(&r);
}

static void an_object_is_replaced_by_its_next_version_alone(void)
{
    struct replica r;
    replica_open(&r);
    replica_token(&r, 1);
    uint64_t handle = replica_add(&r, &SAMPLE_AES(1, "a"));
    struct sample changed = SAMPLE_AES(1, "b");
    UNIT_RC(replica_replace(&r, handle, &changed).rc, RC_CONFLICT);
    changed.version = 2;
    UNIT_RC(replica_replace(&r, 99, &changed).rc, RC_OBJECT_HANDLE);
    UNIT_OK(replica_replace(&r, handle, &changed).rc);
    UNIT_RC(replica_replace(&r, handle, &changed).rc, RC_CONFLICT);
    struct sample other = SAMPLE_AES(2, "b");
    other.version = 3;
    UNIT_RC(replica_replace(&r, handle, &other).rc, RC_CONFLICT);
    CU_ASSERT_EQUAL(replica_find(&r, 1, CKA_LABEL, "a").count, 0);
    CU_ASSERT_EQUAL(replica_find(&r, 1, CKA_LABEL, "b").handles[0], handle);
    replica_close(&r);
}

static void a_search_keeps_to_its_token_and_hides_private_objects(void)
{
    struct replica r;
    replica_open(&r);
    replica_token(&r, 1);
    replica_token(&r, 2);
    struct sample public_data = {
        .version = 1, .token = 1, .number = 1, .object_class = CKO_DATA, .label = "same"};
    struct sample elsewhere = SAMPLE_AES(3, "same");
    elsewhere.token = 2;
    uint64_t open_handle = replica_add(&r, &public_data);
    uint64_t hidden = replica_add(&r, &SAMPLE_AES(2, "same"));
    CU_ASSERT_NOT_EQUAL(replica_add(&r, &elsewhere), 0);
    struct found all = replica_find(&r, 1, CKA_LABEL, "same");
    CU_ASSERT_EQUAL(all.count, 2);
    CU_ASSERT_EQUAL(all.handles[1], hidden);
    struct found seen = {.count = 0};
    const struct attrs none = {.count = 0};
    UNIT_OK(state_find(r.state, 1, none, false, 0, found_add, &seen));
    CU_ASSERT_EQUAL(seen.count, 1);
    CU_ASSERT_EQUAL(seen.handles[0], open_handle);
    replica_close(&r);
}

static void a_repeated_request_answers_as_the_first_time(void)
{
    struct replica r;
    uint8_t hash[32];
    uint8_t again[32];
    replica_open(&r);
    replica_token(&r, 1);
    r.head.sequence = 5;
    uint64_t handle = replica_add(&r, &SAMPLE_AES(1, "a"));
    state_hash(r.state, hash);
    CU_ASSERT_EQUAL(replica_add(&r, &SAMPLE_AES(2, "b")), handle);
    CU_ASSERT_EQUAL(state_object_count(r.state), 1);
    state_hash(r.state, again);
    CU_ASSERT_FALSE(bytes_equal(bytes_of(hash, 32), bytes_of(again, 32))); /* the index moved */
    r.head.application[0]++;
    CU_ASSERT_NOT_EQUAL(replica_add(&r, &SAMPLE_AES(2, "b")), handle);
    r.head.sequence = 0;
    CU_ASSERT_NOT_EQUAL(replica_add(&r, &SAMPLE_AES(3, "c")), replica_add(&r, &SAMPLE_AES(4, "c")));
    replica_close(&r);
}

static void what_was_done_and_what_was_refused_is_known_to_all(void)
{
    struct replica r;
    struct effect_result done = {.rc = RC_INTERNAL};
    replica_open(&r);
    replica_token(&r, 1);
    r.head.sequence = 5;
    uint64_t handle = replica_add(&r, &SAMPLE_AES(1, "a"));
    CU_ASSERT_TRUE(state_request_done(r.state, r.head.application, 5, &done));
    UNIT_OK(done.rc);
    CU_ASSERT_EQUAL(done.handle_count, 1);
    CU_ASSERT_EQUAL(done.handles[0], handle);
    CU_ASSERT_FALSE(state_request_done(r.state, r.head.application, 6, &done));
    CU_ASSERT_FALSE(state_request_done(r.state, r.head.application, 0, &done));
    r.head.sequence = 6;
    UNIT_RC(replica_destroy(&r, handle + 1).rc, RC_OBJECT_HANDLE);
    CU_ASSERT_TRUE(state_request_done(r.state, r.head.application, 6, &done));
    UNIT_RC(done.rc, RC_OBJECT_HANDLE);
    CU_ASSERT_EQUAL(done.handle_count, 0);
    r.head.sequence = 0;
    UNIT_RC(replica_destroy(&r, handle + 1).rc, RC_OBJECT_HANDLE);
    CU_ASSERT_FALSE(state_request_done(r.state, r.head.application, 0, &done));
    replica_close(&r);
}

struct watcher {
    struct replica *replica;
    _Atomic uint64_t handle, sequence;
    _Atomic bool stop;
    unsigned gone, unknown;
};

/* As a request that comes again: who finds the object gone must find that it was done. */
static void *watch_destroyed(void *context)
{
    struct watcher *watcher = context;
    uint64_t last = 0;
    while (!watcher->stop) {
        uint64_t sequence = watcher->sequence; /* of this handle, or of an earlier one */
        uint64_t handle = watcher->handle;
        struct effect_result done;
        struct object *object = state_object(watcher->replica->state, handle);
        bool is_there = object != NULL;
        object_unref(object);
        if (is_there || sequence == last || handle == 0)
            continue;
        last = sequence;
        watcher->gone++;
        bool is_known = state_request_done(watcher->replica->state,
                                           watcher->replica->head.application, sequence, &done);
        /* A machine may hold this thread up for so long that the request is forgotten by right. */
        if (!is_known && watcher->sequence < sequence + REQUESTS_PER_APPLICATION / 2)
            watcher->unknown++;
    }
    return NULL;
}

static void a_destroyed_object_and_its_request_are_seen_together(void)
{
    struct replica r;
    replica_open(&r);
    replica_token(&r, 1);
    struct watcher watcher = {.replica = &r};
    pthread_t thread;
    CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, watch_destroyed, &watcher), 0);
    for (uint64_t i = 0; i < 30000; i++) {
        r.head.sequence = 0;
        uint64_t handle = replica_add(&r, &SAMPLE_AES(1, "a"));
        watcher.handle = handle;
        watcher.sequence = i + 1;
        r.head.sequence = i + 1;
        UNIT_OK(replica_destroy(&r, handle).rc);
    }
    while (watcher.gone == 0)
        (void)sched_yield();
    watcher.stop = true;
    (void)pthread_join(thread, NULL);
    CU_ASSERT_EQUAL(watcher.unknown, 0);
    replica_close(&r);
}

/* Its client was told so: a copy that comes late must not take effect. */
static void a_refused_request_stays_refused(void)
{
    struct replica r;
    replica_open(&r);
    r.head.sequence = 5;
    CU_ASSERT_EQUAL(replica_add(&r, &SAMPLE_AES(1, "a")), 0);
    r.head.sequence = 0;
    replica_token(&r, 1);
    r.head.sequence = 5;
    CU_ASSERT_EQUAL(replica_add(&r, &SAMPLE_AES(1, "a")), 0);
    UNIT_RC(replica_destroy(&r, 77).rc, RC_SLOT_INVALID); /* as the first time */
    r.head.sequence = 6;
    CU_ASSERT_NOT_EQUAL(replica_add(&r, &SAMPLE_AES(1, "a")), 0);
    replica_close(&r);
}

/* Tries of a PIN have no sequence: none of them passes for a repetition. */
static void each_refused_or_wrong_try_of_a_pin_is_looked_at_anew(void)
{
    struct replica r;
    struct user_row user;
    struct policy policy = policy_default();
    replica_open(&r);
    replica_token(&r, 1);
    policy.pin_tries_max = 2;
    UNIT_OK(replica_policy(&r, 1, &policy).rc);
    r.head.sequence = 0;
    uint64_t id = replica_user(&r, 1, "anna");
    UNIT_OK(replica_try(&r, id, false).rc);
    UNIT_OK(replica_try(&r, id, false).rc);
    UNIT_RC(replica_try(&r, id, true).rc, RC_PIN_LOCKED);
    UNIT_RC(replica_try(&r, id, false).rc, RC_PIN_LOCKED);
    UNIT_OK(state_user(r.state, 1, "anna", &user));
    CU_ASSERT_EQUAL(user.tries, 2);
    replica_close(&r);
}

static void forgotten_requests_are_not_done_twice(void)
{
    struct replica r;
    AUTO_BUF effect = BUF_INIT;
    replica_open(&r);
    replica_token(&r, 1);
    r.head.sequence = 1;
    uint64_t first = replica_add(&r, &SAMPLE_AES(1, "a"));
    for (uint64_t i = 2; i <= REQUESTS_PER_APPLICATION + 1; i++) {
        r.head.sequence = i;
        uint64_t handle = replica_add(&r, &SAMPLE_AES(i, "b"));
        CU_ASSERT_TRUE(handle > first);
    }
    r.head.sequence = 1;
    UNIT_OK(effect_object_destroy(&effect, &r.head, first));
    UNIT_RC(replica_apply(&r, &effect).rc, RC_OUTCOME_UNKNOWN);
    CU_ASSERT_TRUE(replica_has(&r, first));
    r.head.sequence = 2;
    CU_ASSERT_EQUAL(replica_add(&r, &SAMPLE_AES(2, "b")), first + 1);
    replica_close(&r);
}

static enum rc destroy_pair(struct replica *r, uint64_t first, uint64_t second)
{
    AUTO_BUF effect = BUF_INIT;
    UNIT_OK(effect_pair_destroy(&effect, &r->head, first, second));
    return replica_apply(r, &effect).rc;
}

static void a_pair_goes_at_once_and_a_lone_half_too(void)
{
    struct replica r;
    struct token_row token;
    uint64_t handles[5];
    replica_open(&r);
    replica_token(&r, 1);
    for (uint64_t i = 0; i < 5; i++)
        handles[i] = replica_add(&r, &SAMPLE_AES(i + 1, "a"));
    UNIT_OK(destroy_pair(&r, handles[1], handles[0]));
    CU_ASSERT(!replica_has(&r, handles[0]));
    CU_ASSERT(!replica_has(&r, handles[1]));
    UNIT_OK(destroy_pair(&r, handles[2], handles[0]));
    UNIT_RC(destroy_pair(&r, handles[2], handles[3]), RC_OBJECT_HANDLE);
    CU_ASSERT(replica_has(&r, handles[3]));
    UNIT_OK(state_token(r.state, 1, &token));
    CU_ASSERT_EQUAL(token.object_count, 2);
    replica_close(&r);
}

/* One HSM's clock moves the clock of all: what happened a moment before is not old by that. */
static void a_clock_that_jumps_makes_no_request_forgotten(void)
{
    struct replica r;
    replica_open(&r);
    replica_token(&r, 1);
    r.head.sequence = 5;
    uint64_t first = replica_add(&r, &SAMPLE_AES(1, "a"));
    r.head.time_ms += 1000 * REQUEST_LIFE_MS;
    r.head.sequence = 6;
    CU_ASSERT_NOT_EQUAL(replica_add(&r, &SAMPLE_AES(2, "a")), first);
    r.head.sequence = 5;
    r.head.time_ms = 1;
    CU_ASSERT_EQUAL(replica_add(&r, &SAMPLE_AES(3, "a")), first);
    replica_close(&r);
}

/* `count` requests of many applications, refused each: that is remembered too, and is cheap. */
static void many_requests(struct replica *r, uint64_t count)
{
    struct effect_head head = r->head;
    memset(r->head.application, 0, sizeof r->head.application);
    for (uint64_t i = 0; i < count; i++) {
        uint64_t application = 1000 + i / 1024;
        memcpy(r->head.application, &application, sizeof application);
        r->head.sequence = i % 1024 + 1;
        if (replica_destroy(r, SESSION_HANDLE_BIT - 1).rc != RC_OBJECT_HANDLE)
            CU_FAIL("not refused");
    }
    head.time_ms = r->head.time_ms;
    r->head = head;
}

static void requests_are_forgotten_when_they_are_old_and_many_came_after_them(void)
{
    struct replica r;
    struct effect_result done;
    replica_open(&r);
    replica_token(&r, 1);
    r.head.sequence = 5;
    uint64_t first = replica_add(&r, &SAMPLE_AES(1, "a"));
    many_requests(&r, REQUESTS_KEPT + 1);
    CU_ASSERT_TRUE(state_request_done(r.state, r.head.application, 5, &done)); /* not old */
    r.head.time_ms += REQUEST_LIFE_MS + 1;
    many_requests(&r, 1);
    CU_ASSERT_FALSE(state_request_done(r.state, r.head.application, 5, &done));
    r.head.time_ms = 1; /* the clock does not go back */
    uint64_t later = replica_add(&r, &SAMPLE_AES(3, "a"));
    CU_ASSERT_TRUE(later > first);
    CU_ASSERT_EQUAL(replica_add(&r, &SAMPLE_AES(3, "a")), later);
    replica_close(&r);
}

static void requests_are_bounded_whatever_the_clock_says(void)
{
    struct replica r;
    struct effect_result done;
    replica_open(&r);
    replica_token(&r, 1);
    r.head.sequence = 5;
    CU_ASSERT_NOT_EQUAL(replica_add(&r, &SAMPLE_AES(1, "a")), 0);
    many_requests(&r, REQUESTS_TOTAL - 1);
    CU_ASSERT_TRUE(state_request_done(r.state, r.head.application, 5, &done));
    r.head.application[1]++;
    UNIT_RC(replica_destroy(&r, 99).rc, RC_OBJECT_HANDLE);
    r.head.application[1]--;
    CU_ASSERT_FALSE(state_request_done(r.state, r.head.application, 5, &done));
    replica_close(&r);
}

/* The same effects in the same order, with records sealed once. */
static void the_same_effects_give_the_same_hash_everywhere(void)
{
    struct replica a;
    struct replica b;
    replica_open(&a);
    replica_open(&b);
    CU_ASSERT_TRUE(replica_same_hash(&a, &b));
    replica_token(&a, 1);
    CU_ASSERT_FALSE(replica_same_hash(&a, &b));
    replica_token(&b, 1);
    CU_ASSERT_TRUE(replica_same_hash(&a, &b));
    AUTO_BUF record = BUF_INIT;
    sample_record(a.keys, &SAMPLE_AES(1, "a"), &record);
    const struct bytes records[] = {buf_bytes(&record)};
    for (uint64_t i = 0; i < 20; i++) {
        AUTO_BUF effect = BUF_INIT;
        a.head.sequence = i;
        UNIT_OK(effect_objects_add(&effect, &a.head, 1, records, 1));
        UNIT_OK(replica_apply(&a, &effect).rc);
        UNIT_OK(replica_apply(&b, &effect).rc);
    }
    CU_ASSERT_TRUE(replica_same_hash(&a, &b));
    UNIT_OK(replica_destroy(&a, 3).rc);
    CU_ASSERT_FALSE(replica_same_hash(&a, &b));
    UNIT_OK(replica_destroy(&b, 3).rc);
    CU_ASSERT_FALSE(replica_same_hash(&a, &b)); /* the request numbers differ */
    replica_close(&a);
    replica_close(&b);
}

static void what_came_and_went_leaves_no_trace_in_the_sum(void)
{
    struct replica a;
    struct replica b;
    replica_open(&a);
    replica_open(&b);
    replica_token(&a, 1);
    replica_token(&b, 1);
    uint64_t handle = replica_add(&a, &SAMPLE_AES(1, "a"));
    struct sample changed = SAMPLE_AES(1, "b");
    changed.version = 2;
    UNIT_OK(replica_replace(&a, handle, &changed).rc);
    UNIT_OK(replica_destroy(&a, handle).rc);
    handle = replica_add(&b, &SAMPLE_AES(9, "other"));
    UNIT_OK(replica_destroy(&b, handle).rc);
    UNIT_RC(replica_destroy(&b, handle).rc, RC_OBJECT_HANDLE); /* the hash tells the index */
    CU_ASSERT_TRUE(replica_same_hash(&a, &b));
    replica_close(&a);
    replica_close(&b);
}

static void a_hash_tells_the_index_that_it_is_of(void)
{
    uint8_t hash[32];
    struct replica r;
    replica_open(&r);
    replica_token(&r, 1);
    CU_ASSERT_EQUAL(state_hash(r.state, hash), 1);
    CU_ASSERT_EQUAL(replica_add(&r, &SAMPLE_AES(1, "a")), 1);
    CU_ASSERT_EQUAL(state_hash(r.state, hash), 2);
    replica_close(&r);
}

/* Runs in a child, whose log is silent. */
static bool child_aborts(void (*run)(struct replica *r))
{
    pid_t child = fork();
    if (child == 0) {
        struct replica r;
        log_open("/dev/null", LOG_LEVEL_ERROR);
        replica_open(&r);
        replica_token(&r, 1);
        run(&r);
        _exit(0);
    }
    int status = 0;
    (void)waitpid(child, &status, 0);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

static void leave_one_out(struct replica *r)
{
    r->index++;
    (void)replica_add(r, &SAMPLE_AES(1, "a"));
}

static void apply_again(struct replica *r)
{
    r->index--;
    (void)replica_add(r, &SAMPLE_AES(1, "a"));
}

static void apply_junk(struct replica *r)
{
    struct effect_result result;
    state_apply(r->state, r->index + 1, bytes_of_str("junk"), &result);
}

static void a_gap_a_repetition_or_a_malformed_effect_stops_the_process(void)
{
    CU_ASSERT_TRUE(child_aborts(leave_one_out));
    CU_ASSERT_TRUE(child_aborts(apply_again));
    CU_ASSERT_TRUE(child_aborts(apply_junk));
}

UNIT_SUITE("token/state", UNIT_CASE(a_token_is_made_in_the_next_slot_alone),
           UNIT_CASE(two_who_make_the_same_token_do_not_empty_each_others),
           UNIT_CASE(initialising_again_empties_the_token_and_voids_logins),
           UNIT_CASE(a_user_is_changed_only_at_the_expected_version),
           UNIT_CASE(users_are_listed_by_name_and_limited_by_policy),
           UNIT_CASE(a_second_security_officer_is_refused_and_the_first_stays),
           UNIT_CASE(a_deleted_user_is_gone_and_his_id_is_not_given_again),
           UNIT_CASE(wrong_tries_lock_the_user_and_void_logins),
           UNIT_CASE(a_new_pin_starts_the_tries_again),
           UNIT_CASE(tries_of_disabled_unknown_and_changed_users_are_refused),
           UNIT_CASE(a_policy_change_raises_the_epoch),
           UNIT_CASE(handles_ascend_and_are_never_given_again),
           UNIT_CASE(a_pair_is_added_whole_or_not_at_all),
           UNIT_CASE(an_object_is_replaced_by_its_next_version_alone),
           UNIT_CASE(a_search_keeps_to_its_token_and_hides_private_objects),
           UNIT_CASE(a_repeated_request_answers_as_the_first_time),
           UNIT_CASE(what_was_done_and_what_was_refused_is_known_to_all),
           UNIT_CASE(a_destroyed_object_and_its_request_are_seen_together),
           UNIT_CASE(a_refused_request_stays_refused),
           UNIT_CASE(each_refused_or_wrong_try_of_a_pin_is_looked_at_anew),
           UNIT_CASE(forgotten_requests_are_not_done_twice),
           UNIT_CASE(a_pair_goes_at_once_and_a_lone_half_too),
           UNIT_CASE(a_clock_that_jumps_makes_no_request_forgotten),
           UNIT_CASE(requests_are_forgotten_when_they_are_old_and_many_came_after_them),
           UNIT_CASE(requests_are_bounded_whatever_the_clock_says),
           UNIT_CASE(the_same_effects_give_the_same_hash_everywhere),
           UNIT_CASE(what_came_and_went_leaves_no_trace_in_the_sum),
           UNIT_CASE(a_hash_tells_the_index_that_it_is_of),
           UNIT_CASE(a_gap_a_repetition_or_a_malformed_effect_stops_the_process));

/* SPDX-License-Identifier: Apache-2.0 */
/* Snapshots: what goes in comes out, nothing damaged comes in, and readers notice nothing. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "tests/unit/token/state_fixture.h"
#include "tests/unit/unit.h"
#include "token/state_internal.h"

/* Tokens, users, objects and answered requests of each kind of history. */
static void fill(struct replica *r)
{
    struct policy policy = policy_default();
    replica_token(r, 1);
    replica_token(r, 2);
    policy.strict = true;
    policy.pin_tries_max = 2;
    UNIT_OK(replica_policy(r, 2, &policy).rc);
    uint64_t anna = replica_user(r, 1, "anna");
    uint64_t zoe = replica_user(r, 2, "zoe");
    UNIT_OK(replica_try(r, anna, false).rc);
    UNIT_OK(replica_try(r, zoe, false).rc);
    UNIT_OK(replica_try(r, zoe, false).rc);
    for (uint64_t i = 1; i <= 700; i++) {
        char label[16];
        struct sample sample = SAMPLE_AES(i, label);
        (void)snprintf(label, sizeof label, "key %u", (unsigned)(i % 50));
        sample.token = i % 2 + 1;
        r->head.sequence = i % 3 == 0 ? 0 : i;
        CU_ASSERT_EQUAL(replica_add(r, &sample), i);
    }
    r->head.sequence = 0;
    for (uint64_t handle = 5; handle <= 700; handle += 5)
        UNIT_OK(replica_destroy(r, handle).rc);
    struct sample changed = SAMPLE_AES(2, "changed");
    changed.version = 2;
    UNIT_OK(replica_replace(r, 2, &changed).rc);
}

static void a_restored_state_is_the_same_and_goes_on_the_same(void)
{
    struct replica a;
    struct replica b;
    AUTO_BUF snapshot = BUF_INIT;
    replica_open(&a);
    replica_open(&b);
    fill(&a);
    replica_snapshot(&a, &snapshot);
    UNIT_OK(state_restore(b.state, buf_bytes(&snapshot)));
    b.index = a.index;
    CU_ASSERT_EQUAL(state_applied(b.state), a.index);
    CU_ASSERT_EQUAL(state_object_count(b.state), state_object_count(a.state));
    CU_ASSERT_TRUE(replica_same_hash(&a, &b));
    struct found left = replica_find(&a, 2, CKA_LABEL, "key 7");
    struct found right = replica_find(&b, 2, CKA_LABEL, "key 7");
    CU_ASSERT_TRUE(left.count > 3 && left.count == right.count);
    CU_ASSERT_EQUAL(left.handles[2], right.handles[2]);
    struct user_row zoe;
    UNIT_OK(state_user(b.state, 2, "zoe", &zoe));
    UNIT_RC(replica_try(&a, zoe.id, true).rc, RC_PIN_LOCKED);
    UNIT_RC(replica_try(&b, zoe.id, true).rc, RC_PIN_LOCKED);
    UNIT_OK(replica_destroy(&a, 1).rc);
    UNIT_OK(replica_destroy(&b, 1).rc);
    CU_ASSERT_TRUE(replica_same_hash(&a, &b));
    replica_close(&a);
    replica_close(&b);
}

static void answered_requests_survive(void)
{
    struct replica a;
    struct replica b;
    AUTO_BUF snapshot = BUF_INIT;
    replica_open(&a);
    replica_open(&b);
    fill(&a);
    a.head.sequence = 5000;
    UNIT_RC(replica_destroy(&a, 5000).rc, RC_OBJECT_HANDLE);
    replica_snapshot(&a, &snapshot);
    UNIT_OK(state_restore(b.state, buf_bytes(&snapshot)));
    b.index = a.index;
    b.head.sequence = 7;
    CU_ASSERT_EQUAL(replica_add(&b, &SAMPLE_AES(7, "again")), 7);
    b.head.sequence = 701;
    CU_ASSERT_EQUAL(replica_add(&b, &SAMPLE_AES(701, "new")), 701);
    b.head.sequence = 5000;
    UNIT_RC(replica_destroy(&b, 1).rc, RC_OBJECT_HANDLE); /* refused before */
    CU_ASSERT_TRUE(replica_has(&b, 1));
    replica_close(&a);
    replica_close(&b);
}

static void counts_of_objects_are_restored(void)
{
    struct replica a;
    struct replica b;
    struct token_row before;
    struct token_row after;
    AUTO_BUF snapshot = BUF_INIT;
    replica_open(&a);
    replica_open(&b);
    fill(&a);
    replica_snapshot(&a, &snapshot);
    UNIT_OK(state_restore(b.state, buf_bytes(&snapshot)));
    UNIT_OK(state_token(a.state, 2, &before));
    UNIT_OK(state_token(b.state, 2, &after));
    CU_ASSERT_EQUAL(after.object_count, before.object_count);
    CU_ASSERT_TRUE(after.policy.strict);
    CU_ASSERT_EQUAL(state_next_token(b.state), 3);
    replica_close(&a);
    replica_close(&b);
}

/* Neither accepted nor anything changed. */
static void refuse(struct replica *r, struct bytes snapshot)
{
    uint8_t before[32];
    uint8_t after[32];
    state_hash(r->state, before);
    enum rc rc = state_restore(r->state, snapshot);
    CU_ASSERT_TRUE(rc == RC_TAMPERED || rc == RC_VERSION);
    state_hash(r->state, after);
    CU_ASSERT_TRUE(bytes_equal(bytes_of(before, 32), bytes_of(after, 32)));
}

/* More than one batch, each read by several threads where there are processors. */
static void many_objects_are_restored_with_hash_counts_and_indexes(void)
{
    enum { MANY = 20000 };
    struct replica a;
    struct replica b;
    struct token_row token;
    AUTO_BUF snapshot = BUF_INIT;
    replica_open(&a);
    replica_open(&b);
    replica_token(&a, 1);
    for (uint64_t i = 1; i <= MANY; i++) {
        char label[24];
        struct sample sample = SAMPLE_AES(i, label);
        (void)snprintf(label, sizeof label, "key %u", (unsigned)(i / 3));
        CU_ASSERT_EQUAL_FATAL(replica_add(&a, &sample), i);
    }
    replica_snapshot(&a, &snapshot);
    UNIT_OK(state_restore(b.state, buf_bytes(&snapshot)));
    b.index = a.index;
    CU_ASSERT_TRUE(replica_same_hash(&a, &b));
    CU_ASSERT_EQUAL(state_object_count(b.state), MANY);
    UNIT_OK(state_token(b.state, 1, &token));
    CU_ASSERT_EQUAL(token.object_count, MANY);
    for (unsigned i = 1; i < MANY / 3; i += 97) {
        char label[24];
        (void)snprintf(label, sizeof label, "key %u", i);
        struct found found = replica_find(&b, 1, CKA_LABEL, label);
        CU_ASSERT_EQUAL(found.count, 3);
        CU_ASSERT_EQUAL(found.handles[0], 3 * i);
    }
    UNIT_OK(replica_destroy(&a, MANY / 2).rc);
    UNIT_OK(replica_destroy(&b, MANY / 2).rc);
    CU_ASSERT_TRUE(replica_same_hash(&a, &b));
    snapshot.ptr[snapshot.len / 2] ^= 1;
    refuse(&b, buf_bytes(&snapshot));
    replica_close(&a);
    replica_close(&b);
}

static void an_empty_state_is_restored_over_a_full_one(void)
{
    struct replica a;
    struct replica b;
    AUTO_BUF snapshot = BUF_INIT;
    replica_open(&a);
    replica_open(&b);
    replica_snapshot(&a, &snapshot);
    fill(&b);
    UNIT_OK(state_restore(b.state, buf_bytes(&snapshot)));
    CU_ASSERT_TRUE(replica_same_hash(&a, &b));
    CU_ASSERT_EQUAL(state_object_count(b.state), 0);
    CU_ASSERT_EQUAL(state_next_token(b.state), 1);
    replica_close(&a);
    replica_close(&b);
}

static void a_snapshot_keeps_the_moment_at_which_it_was_taken(void)
{
    struct replica a;
    struct replica b;
    struct replica c;
    AUTO_BUF at_once = BUF_INIT;
    AUTO_BUF later = BUF_INIT;
    struct state_snapshot *held = NULL;
    size_t count = 0;
    replica_open(&a);
    replica_open(&b);
    replica_open(&c);
    fill(&a);
    replica_snapshot(&a, &at_once);
    UNIT_OK(state_snapshot_take(a.state, &held));
    for (uint64_t handle = 1; handle <= 400; handle++)
        (void)replica_destroy(&a, handle);
    for (uint64_t i = 800; i < 1500; i++)
        CU_ASSERT_NOT_EQUAL(replica_add(&a, &SAMPLE_AES(i, "later")), 0);
    const struct iovec *parts = state_snapshot_parts(held, &count);
    for (size_t i = 0; i < count; i++)
        UNIT_OK(buf_append(&later, bytes_of(parts[i].iov_base, parts[i].iov_len)));
    replica_close(&a);
    state_snapshot_free(held);
    CU_ASSERT_TRUE(bytes_equal(buf_bytes(&at_once), buf_bytes(&later)));
    UNIT_OK(state_restore(b.state, buf_bytes(&later)));
    UNIT_OK(state_restore(c.state, buf_bytes(&at_once)));
    CU_ASSERT_TRUE(replica_same_hash(&b, &c));
    replica_close(&b);
    replica_close(&c);
}

static void a_changed_byte_anywhere_is_refused(void)
{
    struct replica a;
    struct replica b;
    AUTO_BUF snapshot = BUF_INIT;
    replica_open(&a);
    replica_open(&b);
    replica_token(&a, 1);
    replica_token(&b, 1);
    a.head.sequence = 1;
    CU_ASSERT_NOT_EQUAL(replica_add(&a, &SAMPLE_AES(1, "a")), 0);
    CU_ASSERT_NOT_EQUAL(replica_add(&b, &SAMPLE_AES(1, "other")), 0);
    replica_snapshot(&a, &snapshot);
    for (size_t i = 0; i < snapshot.len; i++) {
        snapshot.ptr[i] ^= 0x10;
        refuse(&b, buf_bytes(&snapshot));
        snapshot.ptr[i] ^= 0x10;
    }
    UNIT_OK(state_restore(b.state, buf_bytes(&snapshot)));
    replica_close(&a);
    replica_close(&b);
}

static void a_snapshot_cut_short_or_lengthened_is_refused(void)
{
    struct replica a;
    AUTO_BUF snapshot = BUF_INIT;
    replica_open(&a);
    replica_token(&a, 1);
    CU_ASSERT_NOT_EQUAL(replica_add(&a, &SAMPLE_AES(1, "a")), 0);
    replica_snapshot(&a, &snapshot);
    for (size_t len = 0; len < snapshot.len; len++)
        refuse(&a, bytes_of(snapshot.ptr, len));
    UNIT_OK(buf_put_u8(&snapshot, 0));
    refuse(&a, buf_bytes(&snapshot));
    replica_close(&a);
}

/* True in itself, MAC and hash: handles from there on are those of session objects. */
static void a_snapshot_whose_handles_are_used_up_is_refused(void)
{
    struct replica a;
    struct replica b;
    AUTO_BUF snapshot = BUF_INIT;
    replica_open(&a);
    replica_open(&b);
    a.state->content.digest.next_handle = SESSION_HANDLE_BIT;
    replica_snapshot(&a, &snapshot);
    refuse(&b, buf_bytes(&snapshot));
    replica_close(&a);
    replica_close(&b);
}

static void the_snapshot_of_another_cluster_is_refused(void)
{
    struct replica a;
    AUTO_BUF snapshot = BUF_INIT;
    replica_open(&a);
    replica_token(&a, 1);
    replica_snapshot(&a, &snapshot);
    struct seal_keys *others = fixture_keys(43);
    struct state *state = NULL;
    UNIT_OK(state_new(others, &state));
    UNIT_RC(state_restore(state, buf_bytes(&snapshot)), RC_TAMPERED);
    state_free(state);
    seal_keys_free(others);
    replica_close(&a);
}

/* ---- readers ---- */

struct readers {
    struct replica *replica;
    atomic_bool stop;
    atomic_uint wrong;
};

static void *read_on(void *context)
{
    struct readers *readers = context;
    const struct state *state = readers->replica->state;
    while (!atomic_load(&readers->stop)) {
        struct token_row token;
        struct user_row user;
        uint8_t hash[32];
        AUTO_OBJECT *object = state_object(state, 1);
        struct found found = replica_find(readers->replica, 1, CKA_LABEL, "stays");
        bool good = object != NULL && state_token(state, 1, &token) == RC_OK &&
                    state_user(state, 1, "anna", &user) == RC_OK && found.count == 1 &&
                    state_login_holds(state, 1, 1, user.id, 1);
        state_hash(state, hash);
        atomic_fetch_add(&readers->wrong, good ? 0 : 1);
    }
    return NULL;
}

static void write_round(struct replica *r)
{
    AUTO_BUF snapshot = BUF_INIT;
    uint64_t index = r->index;
    replica_snapshot(r, &snapshot);
    for (uint64_t i = 0; i < 30; i++) {
        uint64_t handle = replica_add(r, &SAMPLE_AES(i + 10, "goes"));
        UNIT_OK(replica_destroy(r, handle).rc);
    }
    UNIT_OK(state_restore(r->state, buf_bytes(&snapshot)));
    r->index = index;
}

static void readers_go_on_during_effects_and_restores(void)
{
    struct replica r;
    struct readers readers = {.replica = &r};
    pthread_t threads[3];
    replica_open(&r);
    replica_token(&r, 1);
    (void)replica_user(&r, 1, "anna");
    CU_ASSERT_EQUAL(replica_add(&r, &SAMPLE_AES(1, "stays")), 1);
    for (size_t i = 0; i < 3; i++)
        CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, read_on, &readers), 0);
    for (unsigned round = 0; round < 40; round++)
        write_round(&r);
    atomic_store(&readers.stop, true);
    for (size_t i = 0; i < 3; i++)
        (void)pthread_join(threads[i], NULL);
    CU_ASSERT_EQUAL(atomic_load(&readers.wrong), 0);
    replica_close(&r);
}

UNIT_SUITE("token/snapshot", UNIT_CASE(a_restored_state_is_the_same_and_goes_on_the_same),
           UNIT_CASE(answered_requests_survive), UNIT_CASE(counts_of_objects_are_restored),
           UNIT_CASE(many_objects_are_restored_with_hash_counts_and_indexes),
           UNIT_CASE(an_empty_state_is_restored_over_a_full_one),
           UNIT_CASE(a_snapshot_keeps_the_moment_at_which_it_was_taken),
           UNIT_CASE(a_changed_byte_anywhere_is_refused),
           UNIT_CASE(a_snapshot_cut_short_or_lengthened_is_refused),
           UNIT_CASE(a_snapshot_whose_handles_are_used_up_is_refused),
           UNIT_CASE(the_snapshot_of_another_cluster_is_refused),
           UNIT_CASE(readers_go_on_during_effects_and_restores));

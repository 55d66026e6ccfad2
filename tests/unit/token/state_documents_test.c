/* SPDX-License-Identifier: Apache-2.0 */
/* Documents: compare-and-swap, order, epochs, limits, snapshots, and readers meanwhile. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "tests/unit/token/state_fixture.h"
#include "tests/unit/unit.h"
#include "token/snapshot_format.h"

static struct document_change put(enum document_space space, const char *key, uint64_t expected,
                                  const char *value)
{
    return (struct document_change){.space = space,
                                    .key = bytes_of_str(key),
                                    .expected_version = expected,
                                    .value = bytes_of_str(value)};
}

static struct document_change removal(enum document_space space, const char *key, uint64_t expected)
{
    return (struct document_change){
        .space = space, .key = bytes_of_str(key), .expected_version = expected, .is_removal = true};
}

static enum rc change(struct replica *r, const struct document_change *changes, size_t count)
{
    AUTO_BUF effect = BUF_INIT;
    UNIT_OK(effect_documents_change(&effect, &r->head, changes, count));
    UNIT_OK(effect_check(buf_bytes(&effect)));
    return replica_apply(r, &effect).rc;
}

static enum rc change_one(struct replica *r, struct document_change one)
{
    return change(r, &one, 1);
}

static void check(const struct replica *r, enum document_space space, const char *key,
                  uint64_t version, const char *value)
{
    AUTO_BUF read = BUF_INIT;
    uint64_t found = 0;
    if (value == NULL) {
        UNIT_RC(state_document(r->state, space, bytes_of_str(key), &read, &found), RC_NOT_FOUND);
        return;
    }
    UNIT_OK(state_document(r->state, space, bytes_of_str(key), &read, &found));
    CU_ASSERT_EQUAL(found, version);
    CU_ASSERT_STRING_EQUAL(buf_str(&read), value);
}

static void a_document_is_made_changed_and_removed_by_its_version(void)
{
    struct replica r;
    replica_open(&r);
    UNIT_OK(change_one(&r, put(DOCUMENT_NODE, "1", 0, "a")));
    check(&r, DOCUMENT_NODE, "1", 1, "a");
    check(&r, DOCUMENT_JOIN, "1", 0, NULL);
    UNIT_RC(change_one(&r, put(DOCUMENT_NODE, "1", 0, "b")), RC_CONFLICT);
    UNIT_RC(change_one(&r, put(DOCUMENT_NODE, "1", 2, "b")), RC_CONFLICT);
    UNIT_RC(change_one(&r, put(DOCUMENT_NODE, "2", 1, "b")), RC_CONFLICT);
    check(&r, DOCUMENT_NODE, "1", 1, "a");
    UNIT_OK(change_one(&r, put(DOCUMENT_NODE, "1", 1, "")));
    check(&r, DOCUMENT_NODE, "1", 2, "");
    UNIT_RC(change_one(&r, removal(DOCUMENT_NODE, "1", 1)), RC_CONFLICT);
    UNIT_OK(change_one(&r, removal(DOCUMENT_NODE, "1", 2)));
    check(&r, DOCUMENT_NODE, "1", 0, NULL);
    UNIT_OK(change_one(&r, put(DOCUMENT_NODE, "1", 0, "again")));
    check(&r, DOCUMENT_NODE, "1", 1, "again");
    replica_close(&r);
}

static void several_are_changed_together_or_not_at_all(void)
{
    struct replica r;
    replica_open(&r);
    UNIT_OK(change_one(&r, put(DOCUMENT_CLUSTER, "counter", 0, "1")));
    UNIT_OK(change_one(&r, put(DOCUMENT_JOIN, "token", 0, "open")));
    const struct document_change lost[] = {
        put(DOCUMENT_NODE, "2", 0, "node"),
        removal(DOCUMENT_JOIN, "token", 1),
        put(DOCUMENT_CLUSTER, "counter", 7, "2"),
    };
    uint8_t before[32];
    uint8_t after[32];
    state_hash(r.state, before);
    uint64_t epoch = state_documents_epoch(r.state, DOCUMENT_NODE);
    UNIT_RC(change(&r, lost, 3), RC_CONFLICT);
    check(&r, DOCUMENT_NODE, "2", 0, NULL);
    check(&r, DOCUMENT_JOIN, "token", 1, "open");
    check(&r, DOCUMENT_CLUSTER, "counter", 1, "1");
    CU_ASSERT_EQUAL(state_documents_epoch(r.state, DOCUMENT_NODE), epoch);
    state_hash(r.state, after);
    CU_ASSERT_FALSE(bytes_equal(bytes_of(before, 32), bytes_of(after, 32))); /* the index */
    const struct document_change won[] = {lost[0], lost[1],
                                          put(DOCUMENT_CLUSTER, "counter", 1, "2")};
    UNIT_OK(change(&r, won, 3));
    check(&r, DOCUMENT_NODE, "2", 1, "node");
    check(&r, DOCUMENT_JOIN, "token", 0, NULL);
    check(&r, DOCUMENT_CLUSTER, "counter", 2, "2");
    replica_close(&r);
}

static void a_repeated_request_is_done_once(void)
{
    struct replica r;
    replica_open(&r);
    r.head.sequence = 1;
    UNIT_OK(change_one(&r, put(DOCUMENT_NODE, "1", 0, "a")));
    UNIT_OK(change_one(&r, put(DOCUMENT_NODE, "1", 0, "a")));
    check(&r, DOCUMENT_NODE, "1", 1, "a");
    r.head.sequence = 2;
    UNIT_RC(change_one(&r, put(DOCUMENT_NODE, "1", 0, "a")), RC_CONFLICT);
    replica_close(&r);
}

static void an_epoch_counts_the_changes_of_its_space_alone(void)
{
    struct replica r;
    AUTO_BUF snapshot = BUF_INIT;
    replica_open(&r);
    uint64_t nodes = state_documents_epoch(r.state, DOCUMENT_NODE);
    uint64_t joins = state_documents_epoch(r.state, DOCUMENT_JOIN);
    CU_ASSERT_NOT_EQUAL(nodes, 0);
    CU_ASSERT_EQUAL(state_documents_epoch(r.state, DOCUMENT_SPACE_END), 0);
    UNIT_OK(change_one(&r, put(DOCUMENT_NODE, "1", 0, "a")));
    CU_ASSERT_NOT_EQUAL(state_documents_epoch(r.state, DOCUMENT_NODE), nodes);
    CU_ASSERT_EQUAL(state_documents_epoch(r.state, DOCUMENT_JOIN), joins);
    nodes = state_documents_epoch(r.state, DOCUMENT_NODE);
    UNIT_OK(change_one(&r, removal(DOCUMENT_NODE, "1", 1)));
    CU_ASSERT_NOT_EQUAL(state_documents_epoch(r.state, DOCUMENT_NODE), nodes);
    nodes = state_documents_epoch(r.state, DOCUMENT_NODE);
    replica_snapshot(&r, &snapshot);
    UNIT_OK(state_restore(r.state, buf_bytes(&snapshot)));
    CU_ASSERT_NOT_EQUAL(state_documents_epoch(r.state, DOCUMENT_NODE), nodes);
    CU_ASSERT_NOT_EQUAL(state_documents_epoch(r.state, DOCUMENT_JOIN), joins);
    replica_close(&r);
}

/* ---- order ---- */

struct walk {
    struct buf keys;
    size_t left;
};

static bool note(void *context, struct bytes key, struct bytes value, uint64_t version)
{
    struct walk *walk = context;
    UNIT_OK(buf_append(&walk->keys, key));
    UNIT_OK(buf_append(&walk->keys, bytes_of_str(" ")));
    CU_ASSERT_TRUE(value.len == 1 && version == 1);
    return --walk->left > 0;
}

static void a_walk_gives_keys_in_order_until_told_to_stop(void)
{
    static const char *const keys[] = {"b", "a", "ab", "c", "\xff", "aa", "A"};
    struct replica r;
    struct walk all = {.keys = BUF_INIT, .left = 100};
    struct walk some = {.keys = BUF_INIT, .left = 3};
    replica_open(&r);
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        UNIT_OK(change_one(&r, put(DOCUMENT_JOIN, keys[i], 0, "x")));
    UNIT_OK(change_one(&r, put(DOCUMENT_NODE, "other", 0, "x")));
    state_documents(r.state, DOCUMENT_JOIN, note, &all);
    CU_ASSERT_STRING_EQUAL(buf_str(&all.keys), "A a aa ab b c \xff ");
    state_documents(r.state, DOCUMENT_JOIN, note, &some);
    CU_ASSERT_STRING_EQUAL(buf_str(&some.keys), "A a aa ");
    state_documents(r.state, DOCUMENT_SPACE_END, note, &some);
    state_documents(r.state, (enum document_space)0, note, &some);
    CU_ASSERT_EQUAL(some.left, 0);
    buf_clear(&all.keys);
    buf_clear(&some.keys);
    replica_close(&r);
}

static void the_order_of_changes_does_not_show_in_the_hash(void)
{
    struct replica a;
    struct replica b;
    replica_open(&a);
    replica_open(&b);
    UNIT_OK(change_one(&a, put(DOCUMENT_NODE, "1", 0, "x")));
    UNIT_OK(change_one(&a, put(DOCUMENT_JOIN, "2", 0, "y")));
    UNIT_OK(change_one(&b, put(DOCUMENT_JOIN, "2", 0, "y")));
    CU_ASSERT_FALSE(replica_same_hash(&a, &b));
    UNIT_OK(change_one(&b, put(DOCUMENT_NODE, "1", 0, "x")));
    CU_ASSERT_TRUE(replica_same_hash(&a, &b));
    UNIT_OK(change_one(&a, put(DOCUMENT_JOIN, "2", 1, "z")));
    UNIT_OK(change_one(&b, put(DOCUMENT_JOIN, "2", 1, "Z")));
    CU_ASSERT_FALSE(replica_same_hash(&a, &b));
    replica_close(&a);
    replica_close(&b);
}

/* ---- limits ---- */

static void refuse(struct document_change one, enum rc expected)
{
    const struct effect_head head = {.time_ms = 1};
    AUTO_BUF effect = BUF_INIT;
    UNIT_RC(effect_documents_change(&effect, &head, &one, 1), expected);
    CU_ASSERT_EQUAL(effect.len, 0);
}

static void what_is_outside_the_limits_is_not_encoded(void)
{
    const struct effect_head head = {.time_ms = 1};
    static uint8_t large[DOCUMENT_VALUE_MAX + 1];
    struct document_change one = put(DOCUMENT_NODE, "1", 0, "a");
    struct document_change many[DOCUMENT_CHANGES_MAX + 1];
    char keys[DOCUMENT_CHANGES_MAX + 1][8];
    AUTO_BUF effect = BUF_INIT;
    refuse(put(DOCUMENT_SPACE_END, "1", 0, "a"), RC_BAD_ARGUMENT);
    refuse(put(DOCUMENT_ORIGIN, "1", 0, "a"), RC_BAD_ARGUMENT);
    refuse(put((enum document_space)0, "1", 0, "a"), RC_BAD_ARGUMENT);
    refuse(put(DOCUMENT_NODE, "", 0, "a"), RC_BAD_ARGUMENT);
    refuse(removal(DOCUMENT_NODE, "1", 0), RC_BAD_ARGUMENT);
    refuse(put(DOCUMENT_NODE, "1", UINT64_MAX, "a"), RC_BAD_ARGUMENT);
    one.is_removal = true;
    one.expected_version = 1;
    refuse(one, RC_BAD_ARGUMENT);
    one = (struct document_change){.space = DOCUMENT_NODE, .key = bytes_of(large, 129)};
    refuse(one, RC_BAD_ARGUMENT);
    one = put(DOCUMENT_NODE, "1", 0, "");
    one.value = bytes_of(large, sizeof large);
    refuse(one, RC_BAD_ARGUMENT);
    UNIT_RC(effect_documents_change(&effect, &head, many, 0), RC_BAD_ARGUMENT);
    for (size_t i = 0; i < DOCUMENT_CHANGES_MAX + 1; i++) {
        (void)snprintf(keys[i], sizeof keys[i], "%zu", i);
        many[i] = put(DOCUMENT_NODE, keys[i], 0, "");
        many[i].value = bytes_of(large, DOCUMENT_VALUE_MAX);
    }
    UNIT_RC(effect_documents_change(&effect, &head, many, DOCUMENT_CHANGES_MAX + 1),
            RC_BAD_ARGUMENT);
    UNIT_RC(effect_documents_change(&effect, &head, many, 4), RC_TOO_LARGE);
    CU_ASSERT_EQUAL(effect.len, 0);
    UNIT_OK(effect_documents_change(&effect, &head, many, 3));
    const struct document_change twice[] = {put(DOCUMENT_NODE, "1", 0, "a"),
                                            put(DOCUMENT_NODE, "1", 0, "b")};
    UNIT_RC(effect_documents_change(&effect, &head, twice, 2), RC_BAD_ARGUMENT);
    const struct document_change other[] = {put(DOCUMENT_NODE, "1", 0, "a"),
                                            put(DOCUMENT_JOIN, "1", 0, "b")};
    UNIT_OK(effect_documents_change(&effect, &head, other, 2));
}

static void all_documents_together_have_a_limit(void)
{
    static uint8_t large[DOCUMENT_VALUE_MAX];
    struct replica r;
    char key[16];
    uint64_t made = 0;
    enum rc rc = RC_OK;
    replica_open(&r);
    while (rc == RC_OK && made < 2000) {
        (void)snprintf(key, sizeof key, "%08llu", (unsigned long long)made);
        struct document_change one = put(DOCUMENT_NODE, key, 0, "");
        one.value = bytes_of(large, sizeof large);
        rc = change_one(&r, one);
        made += rc == RC_OK;
    }
    UNIT_RC(rc, RC_LIMIT);
    CU_ASSERT_TRUE(made > 1000 && made <= DOCUMENTS_BYTES_MAX / DOCUMENT_VALUE_MAX);
    struct document_change same = put(DOCUMENT_NODE, "00000000", 1, "");
    same.value = bytes_of(large, sizeof large);
    UNIT_OK(change_one(&r, same));
    UNIT_OK(change_one(&r, removal(DOCUMENT_NODE, "00000000", 2)));
    same.expected_version = 0;
    UNIT_OK(change_one(&r, same));
    replica_close(&r);
}

static void fill_to(struct replica *r, size_t max)
{
    struct document_change changes[DOCUMENT_CHANGES_MAX];
    char keys[DOCUMENT_CHANGES_MAX][16];
    for (size_t made = 0; made < max; made += DOCUMENT_CHANGES_MAX) {
        for (size_t i = 0; i < DOCUMENT_CHANGES_MAX; i++) {
            (void)snprintf(keys[i], sizeof keys[i], "%08zu", made + i);
            changes[i] = put(DOCUMENT_JOIN, keys[i], 0, "");
        }
        AUTO_BUF effect = BUF_INIT;
        enum rc rc = effect_documents_change(&effect, &r->head, changes, DOCUMENT_CHANGES_MAX);
        if (rc == RC_OK)
            rc = replica_apply(r, &effect).rc;
        if (rc != RC_OK) {
            UNIT_OK(rc);
            return;
        }
    }
}

static void their_number_has_a_limit(void)
{
    struct replica r;
    replica_open(&r);
    fill_to(&r, DOCUMENTS_MAX);
    UNIT_RC(change_one(&r, put(DOCUMENT_NODE, "one more", 0, "")), RC_LIMIT);
    UNIT_OK(change_one(&r, put(DOCUMENT_JOIN, "00000007", 1, "other")));
    const struct document_change exchange[] = {removal(DOCUMENT_JOIN, "00000007", 2),
                                               put(DOCUMENT_NODE, "one more", 0, "")};
    UNIT_OK(change(&r, exchange, 2));
    replica_close(&r);
}

/* ---- hostile bytes ---- */

static void an_effect_cut_lengthened_or_changed_does_not_end_the_process(void)
{
    const struct effect_head head = {.time_ms = 1};
    const struct document_change changes[] = {put(DOCUMENT_NODE, "one", 0, "value"),
                                              removal(DOCUMENT_JOIN, "two", 3)};
    AUTO_BUF effect = BUF_INIT;
    struct replica r;
    replica_open(&r);
    UNIT_OK(effect_documents_change(&effect, &head, changes, 2));
    for (size_t len = 0; len < effect.len; len++)
        UNIT_RC(effect_check(bytes_of(effect.ptr, len)), RC_PROTOCOL);
    for (size_t i = 0; i < effect.len; i++)
        for (unsigned bit = 0; bit < 8; bit++) {
            effect.ptr[i] ^= (uint8_t)(1U << bit);
            if (effect_check(buf_bytes(&effect)) == RC_OK)
                (void)replica_apply(&r, &effect);
            effect.ptr[i] ^= (uint8_t)(1U << bit);
        }
    UNIT_OK(effect_check(buf_bytes(&effect)));
    UNIT_OK(buf_put_u8(&effect, 0));
    UNIT_RC(effect_check(buf_bytes(&effect)), RC_PROTOCOL);
    replica_close(&r);
}

/* ---- snapshots ---- */

static void fill(struct replica *r)
{
    char key[8];
    replica_token(r, 1);
    CU_ASSERT_NOT_EQUAL(replica_add(r, &SAMPLE_AES(1, "a")), 0);
    for (unsigned i = 0; i < 100; i++) {
        (void)snprintf(key, sizeof key, "%u", i);
        UNIT_OK(change_one(r, put(i % 2 == 0 ? DOCUMENT_NODE : DOCUMENT_JOIN, key, 0, key)));
        if (i % 3 == 0)
            UNIT_OK(change_one(r, put(i % 2 == 0 ? DOCUMENT_NODE : DOCUMENT_JOIN, key, 1, "new")));
        if (i % 7 == 0)
            UNIT_OK(change_one(
                r, removal(i % 2 == 0 ? DOCUMENT_NODE : DOCUMENT_JOIN, key, i % 3 == 0 ? 2 : 1)));
    }
}

static void documents_come_back_from_a_snapshot(void)
{
    struct replica a;
    struct replica b;
    AUTO_BUF snapshot = BUF_INIT;
    AUTO_BUF again = BUF_INIT;
    replica_open(&a);
    replica_open(&b);
    fill(&a);
    replica_snapshot(&a, &snapshot);
    CU_ASSERT_EQUAL(snapshot.ptr[8], SNAPSHOT_FORMAT_2);
    UNIT_OK(state_restore(b.state, buf_bytes(&snapshot)));
    b.index = a.index;
    CU_ASSERT_TRUE(replica_same_hash(&a, &b));
    check(&b, DOCUMENT_NODE, "4", 1, "4");
    check(&b, DOCUMENT_JOIN, "9", 2, "new");
    check(&b, DOCUMENT_JOIN, "7", 0, NULL);
    replica_snapshot(&b, &again);
    CU_ASSERT_TRUE(bytes_equal(buf_bytes(&snapshot), buf_bytes(&again)));
    UNIT_OK(change_one(&a, put(DOCUMENT_NODE, "4", 1, "on")));
    UNIT_OK(change_one(&b, put(DOCUMENT_NODE, "4", 1, "on")));
    CU_ASSERT_TRUE(replica_same_hash(&a, &b));
    replica_close(&a);
    replica_close(&b);
}

static void a_state_without_documents_keeps_the_former_format(void)
{
    struct replica r;
    AUTO_BUF none = BUF_INIT;
    AUTO_BUF some = BUF_INIT;
    AUTO_BUF gone = BUF_INIT;
    replica_open(&r);
    replica_token(&r, 1);
    replica_snapshot(&r, &none);
    CU_ASSERT_EQUAL(none.ptr[8], SNAPSHOT_FORMAT_1);
    UNIT_OK(change_one(&r, put(DOCUMENT_NODE, "4", 0, "x")));
    replica_snapshot(&r, &some);
    CU_ASSERT_EQUAL(some.ptr[8], SNAPSHOT_FORMAT_2);
    UNIT_OK(change_one(&r, removal(DOCUMENT_NODE, "4", 1)));
    replica_snapshot(&r, &gone);
    CU_ASSERT_EQUAL(gone.ptr[8], SNAPSHOT_FORMAT_1);
    UNIT_OK(state_restore(r.state, buf_bytes(&some)));
    check(&r, DOCUMENT_NODE, "4", 1, "x");
    UNIT_OK(state_restore(r.state, buf_bytes(&none)));
    check(&r, DOCUMENT_NODE, "4", 0, NULL);
    replica_close(&r);
}

static void a_damaged_snapshot_leaves_documents_as_they_were(void)
{
    struct replica a;
    struct replica b;
    AUTO_BUF snapshot = BUF_INIT;
    replica_open(&a);
    replica_open(&b);
    UNIT_OK(change_one(&a, put(DOCUMENT_NODE, "4", 0, "x")));
    UNIT_OK(change_one(&b, put(DOCUMENT_NODE, "4", 0, "stays")));
    replica_snapshot(&a, &snapshot);
    for (size_t i = 0; i < snapshot.len; i++) {
        snapshot.ptr[i] ^= 1;
        enum rc rc = state_restore(b.state, buf_bytes(&snapshot));
        CU_ASSERT_TRUE(rc == RC_TAMPERED || rc == RC_VERSION);
        UNIT_RC(state_restore(b.state, bytes_of(snapshot.ptr, i)), RC_TAMPERED);
        snapshot.ptr[i] ^= 1;
    }
    check(&b, DOCUMENT_NODE, "4", 1, "stays");
    replica_close(&a);
    replica_close(&b);
}

static void a_snapshot_keeps_its_documents_while_they_change(void)
{
    struct replica a;
    struct state_snapshot *held = NULL;
    AUTO_BUF at_once = BUF_INIT;
    AUTO_BUF later = BUF_INIT;
    size_t count = 0;
    replica_open(&a);
    fill(&a);
    replica_snapshot(&a, &at_once);
    UNIT_OK(state_snapshot_take(a.state, &held));
    UNIT_OK(change_one(&a, put(DOCUMENT_NODE, "4", 1, "changed")));
    UNIT_OK(change_one(&a, removal(DOCUMENT_NODE, "8", 1)));
    replica_close(&a);
    const struct iovec *parts = state_snapshot_parts(held, &count);
    for (size_t i = 0; i < count; i++)
        UNIT_OK(buf_append(&later, bytes_of(parts[i].iov_base, parts[i].iov_len)));
    state_snapshot_free(held);
    CU_ASSERT_TRUE(bytes_equal(buf_bytes(&at_once), buf_bytes(&later)));
}

/* ---- readers ---- */

#define ROUNDS 1500U

struct readers {
    struct replica *replica;
    atomic_bool stop;
    atomic_uint wrong;
};

struct pair {
    char values[2][16];
    size_t count;
};

static bool collect(void *context, struct bytes key, struct bytes value, uint64_t version)
{
    struct pair *pair = context;
    (void)key;
    (void)version;
    if (pair->count < 2 && value.len < 16)
        memcpy(pair->values[pair->count], value.ptr, value.len);
    pair->count++;
    return true;
}

/* Both documents always change together; an epoch that stands still means the same content. */
static void *read_on(void *context)
{
    struct readers *readers = context;
    const struct state *state = readers->replica->state;
    while (!atomic_load(&readers->stop)) {
        struct pair first = {.count = 0};
        struct pair second = {.count = 0};
        AUTO_BUF value = BUF_INIT;
        uint64_t version = 0;
        uint64_t epoch = state_documents_epoch(state, DOCUMENT_NODE);
        state_documents(state, DOCUMENT_NODE, collect, &first);
        bool good =
            state_document(state, DOCUMENT_NODE, bytes_of_str("left"), &value, &version) == RC_OK &&
            first.count == 2 && strcmp(first.values[0], first.values[1]) == 0;
        state_documents(state, DOCUMENT_NODE, collect, &second);
        bool newer = strcmp(first.values[0], second.values[0]) <= 0;
        good = good && newer && epoch <= state_documents_epoch(state, DOCUMENT_NODE);
        atomic_fetch_add(&readers->wrong, good ? 0 : 1);
    }
    return NULL;
}

static void write_on(struct replica *r)
{
    for (unsigned i = 1; i < ROUNDS; i++) {
        char value[16];
        (void)snprintf(value, sizeof value, "%08u", i);
        const struct document_change both[] = {put(DOCUMENT_NODE, "left", i, value),
                                               put(DOCUMENT_NODE, "right", i, value)};
        UNIT_OK(change(r, both, 2));
        if (i % 300 == 299) {
            AUTO_BUF snapshot = BUF_INIT;
            replica_snapshot(r, &snapshot);
            UNIT_OK(state_restore(r->state, buf_bytes(&snapshot)));
        }
    }
}

static void readers_see_both_changes_of_an_effect_or_none(void)
{
    struct replica r;
    struct readers readers = {.replica = &r};
    pthread_t threads[3];
    replica_open(&r);
    const struct document_change both[] = {put(DOCUMENT_NODE, "left", 0, "0"),
                                           put(DOCUMENT_NODE, "right", 0, "0")};
    UNIT_OK(change(&r, both, 2));
    for (size_t i = 0; i < 3; i++)
        CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, read_on, &readers), 0);
    write_on(&r);
    atomic_store(&readers.stop, true);
    for (size_t i = 0; i < 3; i++)
        (void)pthread_join(threads[i], NULL);
    CU_ASSERT_EQUAL(atomic_load(&readers.wrong), 0);
    replica_close(&r);
}

UNIT_SUITE("token/state_documents",
           UNIT_CASE(a_document_is_made_changed_and_removed_by_its_version),
           UNIT_CASE(several_are_changed_together_or_not_at_all),
           UNIT_CASE(a_repeated_request_is_done_once),
           UNIT_CASE(an_epoch_counts_the_changes_of_its_space_alone),
           UNIT_CASE(a_walk_gives_keys_in_order_until_told_to_stop),
           UNIT_CASE(the_order_of_changes_does_not_show_in_the_hash),
           UNIT_CASE(what_is_outside_the_limits_is_not_encoded),
           UNIT_CASE(all_documents_together_have_a_limit), UNIT_CASE(their_number_has_a_limit),
           UNIT_CASE(an_effect_cut_lengthened_or_changed_does_not_end_the_process),
           UNIT_CASE(documents_come_back_from_a_snapshot),
           UNIT_CASE(a_state_without_documents_keeps_the_former_format),
           UNIT_CASE(a_damaged_snapshot_leaves_documents_as_they_were),
           UNIT_CASE(a_snapshot_keeps_its_documents_while_they_change),
           UNIT_CASE(readers_see_both_changes_of_an_effect_or_none));

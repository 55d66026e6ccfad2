/* SPDX-License-Identifier: Apache-2.0 */
/* A backup's state put back into a new cluster, effect by effect. */
#include "token/restore.h"

#include <stdio.h>

#include "tests/unit/token/state_fixture.h"
#include "tests/unit/unit.h"
#include "token/effect.h"
#include "token/rows.h"

#define KEEP_ON_MAX 64U

/* A replica of another cluster: its own master key. */
static void open_other(struct replica *r, uint8_t seed)
{
    *r = (struct replica){.keys = fixture_keys(seed)};
    r->head.time_ms = 5000;
    UNIT_OK(state_new(r->keys, &r->state));
}

static void put_pin(struct replica *r, uint64_t token, const char *name, const char *pin)
{
    AUTO_BUF effect = BUF_INIT;
    struct user_row user = {.role = ROLE_USER, .token = token};
    (void)snprintf(user.name, sizeof user.name, "%s", name);
    UNIT_OK(user_set_pin(r->state, &user, bytes_of_str(pin)));
    UNIT_OK(effect_user_put(&effect, &r->head, &user, 0));
    UNIT_OK(replica_apply(r, &effect).rc);
}

static enum rc put_document(struct replica *r, enum document_space space, const char *key,
                            uint64_t expected, const char *value)
{
    AUTO_BUF effect = BUF_INIT;
    const struct document_change change = {.space = space,
                                           .key = bytes_of_str(key),
                                           .expected_version = expected,
                                           .value = bytes_of_str(value)};
    UNIT_OK(effect_documents_change(&effect, &r->head, &change, 1));
    return replica_apply(r, &effect).rc;
}

/* Rows with gaps in ids and handles, a locked user, policies, versions, several kinds of objects.
 */
static void fill(struct replica *r, unsigned objects)
{
    struct policy policy = policy_default();
    replica_token(r, 1);
    replica_token(r, 2);
    policy.pin_tries_max = 2;
    policy.serve_without_leader_s = 77;
    UNIT_OK(replica_policy(r, 2, &policy).rc);
    put_pin(r, 1, "anna", "anna-secret");
    (void)replica_user(r, 1, "gone");
    uint64_t zoe = replica_user(r, 2, "zoe");
    UNIT_OK(replica_try(r, zoe, false).rc);
    UNIT_OK(replica_try(r, zoe, false).rc);
    AUTO_BUF effect = BUF_INIT;
    UNIT_OK(effect_user_delete(&effect, &r->head, 1, "gone"));
    UNIT_OK(replica_apply(r, &effect).rc);
    for (unsigned i = 1; i <= objects; i++) {
        struct sample sample = SAMPLE_AES(i, "key");
        sample.token = i % 2 + 1;
        sample.object_class = i % 5 == 0 ? CKO_DATA : CKO_SECRET_KEY;
        CU_ASSERT_EQUAL(replica_add(r, &sample), i);
    }
    struct sample changed = SAMPLE_AES(2, "changed");
    changed.version = 2;
    UNIT_OK(replica_replace(r, 2, &changed).rc);
    for (uint64_t handle = 3; handle <= objects; handle += 7)
        UNIT_OK(replica_destroy(r, handle).rc);
    UNIT_OK(replica_destroy(r, objects).rc); /* the last handle is not given again */
    UNIT_OK(put_document(r, DOCUMENT_CLUSTER, "authority", 0, "of the old cluster"));
    UNIT_OK(put_document(r, DOCUMENT_JOIN, "b", 0, "service"));
    UNIT_OK(put_document(r, DOCUMENT_JOIN, "a", 0, "service"));
    UNIT_OK(put_document(r, DOCUMENT_JOIN, "a", 1, "changed"));
}

static enum rc next(struct restore *restore, struct buf *out, bool *out_last)
{
    buf_clear(out);
    enum rc rc = restore_next(restore, 9000, out, out_last);
    CU_ASSERT_TRUE(out->len < (size_t)201 * 1024);
    if (rc == RC_OK)
        UNIT_OK(effect_check(buf_bytes(out)));
    return rc;
}

/* All effects in order; their number. */
static unsigned restore_all(const struct state *source, struct replica *into, unsigned spaces)
{
    struct restore *restore = NULL;
    AUTO_BUF effect = BUF_INIT;
    bool last = false;
    unsigned count = 0;
    UNIT_OK(restore_new(source, into->keys, spaces, &restore));
    CU_ASSERT_FALSE(restore_is_under_way(into->state));
    while (!last && count < 1000) {
        UNIT_OK(next(restore, &effect, &last));
        UNIT_OK(replica_apply(into, &effect).rc);
        CU_ASSERT_EQUAL(restore_is_under_way(into->state), !last);
        count++;
    }
    struct restore_progress progress = restore_progress(restore);
    CU_ASSERT_EQUAL(progress.rows_done, progress.rows);
    restore_free(restore);
    return count;
}

/* ---- what must be the same ---- */

static void check_tokens(const struct state *a, const struct state *b)
{
    CU_ASSERT_EQUAL_FATAL(state_next_token(a), state_next_token(b));
    for (uint64_t number = 1; number < state_next_token(a); number++) {
        struct token_row left;
        struct token_row right;
        struct user_row users[2][8];
        UNIT_OK(state_token(a, number, &left));
        UNIT_OK(state_token(b, number, &right));
        CU_ASSERT_EQUAL(memcmp(&left, &right, sizeof left), 0);
        size_t count = state_users(a, number, users[0], 8);
        CU_ASSERT_EQUAL_FATAL(count, state_users(b, number, users[1], 8));
        CU_ASSERT_EQUAL(memcmp(users[0], users[1], count * sizeof users[0][0]), 0);
    }
}

static void check_secrets(const struct replica *a, const struct object *left,
                          const struct replica *b, const struct object *right)
{
    struct secret stores[2] = {SECRET_INIT, SECRET_INIT};
    struct attr_list lists[2];
    UNIT_OK(object_secrets(a->keys, left, &stores[0], &lists[0]));
    UNIT_OK(object_secrets(b->keys, right, &stores[1], &lists[1]));
    CU_ASSERT_TRUE(secret_equal(&stores[0], secret_expose(&stores[1])));
    if (left->sealed.len > 0)
        UNIT_RC(object_secrets(a->keys, right, &stores[0], &lists[0]), RC_TAMPERED);
    secret_clear(&stores[0]);
    secret_clear(&stores[1]);
}

static void check_objects(const struct replica *a, const struct replica *b, uint64_t last)
{
    CU_ASSERT_EQUAL(state_object_count(a->state), state_object_count(b->state));
    for (uint64_t handle = 1; handle <= last; handle++) {
        AUTO_OBJECT *left = state_object(a->state, handle);
        AUTO_OBJECT *right = state_object(b->state, handle);
        CU_ASSERT_EQUAL((left == NULL), (right == NULL));
        if (left == NULL || right == NULL)
            continue;
        CU_ASSERT_EQUAL(left->version, right->version);
        CU_ASSERT_EQUAL(left->token, right->token);
        CU_ASSERT_EQUAL(left->owner, right->owner);
        CU_ASSERT_TRUE(bytes_equal(left->attrs, right->attrs));
        check_secrets(a, left, b, right);
    }
}

static void everything_comes_back_under_other_keys(void)
{
    struct replica old;
    struct replica fresh;
    replica_open(&old);
    open_other(&fresh, 99);
    fill(&old, 1500);
    UNIT_OK(put_document(&fresh, DOCUMENT_CLUSTER, "authority", 0, "of the new cluster"));
    CU_ASSERT_TRUE(restore_all(old.state, &fresh, 0) > 6);
    check_tokens(old.state, fresh.state);
    check_objects(&old, &fresh, 1500);
    CU_ASSERT_EQUAL(replica_add(&fresh, &SAMPLE_AES(9999, "next")), 1501);
    CU_ASSERT_EQUAL(replica_user(&fresh, 1, "next"), replica_user(&old, 1, "next"));
    struct found found = replica_find(&fresh, 1, CKA_LABEL, "changed");
    CU_ASSERT_TRUE(found.count == 1 && found.handles[0] == 2);
    AUTO_BUF value = BUF_INIT;
    uint64_t version = 0;
    struct bytes key = bytes_of_str("authority");
    UNIT_OK(state_document(fresh.state, DOCUMENT_CLUSTER, key, &value, &version));
    CU_ASSERT_STRING_EQUAL(buf_str(&value), "of the new cluster");
    UNIT_RC(state_document(fresh.state, DOCUMENT_JOIN, bytes_of_str("a"), &value, &version),
            RC_NOT_FOUND);
    replica_close(&old);
    replica_close(&fresh);
}

static void pins_and_locks_stay_through_two_restores(void)
{
    struct replica clusters[3];
    struct user_row anna;
    struct user_row zoe;
    replica_open(&clusters[0]);
    fill(&clusters[0], 4);
    for (unsigned i = 1; i < 3; i++) {
        open_other(&clusters[i], (uint8_t)(100 + i));
        CU_ASSERT_TRUE(restore_all(clusters[i - 1].state, &clusters[i], 0) > 3);
        struct state *state = clusters[i].state;
        UNIT_OK(state_user(state, 1, "anna", &anna));
        UNIT_OK(user_verify_pin(state, &anna, bytes_of_str("anna-secret")));
        UNIT_RC(user_verify_pin(state, &anna, bytes_of_str("anna-wrong")), RC_PIN_INCORRECT);
        UNIT_OK(state_user(state, 2, "zoe", &zoe));
        UNIT_RC(replica_try(&clusters[i], zoe.id, true).rc, RC_PIN_LOCKED);
    }
    put_pin(&clusters[2], 1, "new", "new-secret");
    UNIT_OK(state_user(clusters[2].state, 1, "new", &anna));
    UNIT_OK(user_verify_pin(clusters[2].state, &anna, bytes_of_str("new-secret")));
    for (unsigned i = 0; i < 3; i++)
        replica_close(&clusters[i]);
}

static void documents_of_named_spaces_come_along(void)
{
    struct replica old;
    struct replica fresh;
    AUTO_BUF value = BUF_INIT;
    uint64_t version = 0;
    replica_open(&old);
    open_other(&fresh, 99);
    fill(&old, 4);
    CU_ASSERT_TRUE(restore_all(old.state, &fresh, 1U << DOCUMENT_JOIN | 1U << DOCUMENT_ORIGIN) > 4);
    UNIT_OK(state_document(fresh.state, DOCUMENT_JOIN, bytes_of_str("a"), &value, &version));
    CU_ASSERT_STRING_EQUAL(buf_str(&value), "changed");
    CU_ASSERT_EQUAL(version, 2);
    UNIT_RC(
        state_document(fresh.state, DOCUMENT_CLUSTER, bytes_of_str("authority"), &value, &version),
        RC_NOT_FOUND);
    replica_close(&old);
    replica_close(&fresh);
}

static void an_empty_state_is_restored_too(void)
{
    struct replica old;
    struct replica fresh;
    replica_open(&old);
    open_other(&fresh, 99);
    CU_ASSERT_EQUAL(restore_all(old.state, &fresh, 0), 2);
    CU_ASSERT_EQUAL(state_next_token(fresh.state), 1);
    replica_token(&fresh, 1);
    replica_close(&old);
    replica_close(&fresh);
}

/* ---- what is refused ---- */

static void a_cluster_that_has_tokens_is_not_restored_into(void)
{
    struct replica old;
    struct replica fresh;
    struct restore *restore = NULL;
    AUTO_BUF effect = BUF_INIT;
    bool last = false;
    replica_open(&old);
    open_other(&fresh, 99);
    fill(&old, 4);
    replica_token(&fresh, 1);
    UNIT_OK(restore_new(old.state, fresh.keys, 0, &restore));
    UNIT_OK(next(restore, &effect, &last));
    UNIT_RC(replica_apply(&fresh, &effect).rc, RC_EXISTS);
    CU_ASSERT_FALSE(restore_is_under_way(fresh.state));
    restore_free(restore);
    replica_close(&fresh);
    open_other(&fresh, 99);
    CU_ASSERT_TRUE(restore_all(old.state, &fresh, 0) > 4);
    UNIT_OK(restore_new(old.state, fresh.keys, 0, &restore));
    UNIT_OK(next(restore, &effect, &last));
    UNIT_RC(replica_apply(&fresh, &effect).rc, RC_EXISTS);
    restore_free(restore);
    replica_close(&old);
    replica_close(&fresh);
}

static void nothing_else_changes_until_the_restore_ends(void)
{
    struct replica old;
    struct replica fresh;
    struct restore *first = NULL;
    struct restore *second = NULL;
    AUTO_BUF effect = BUF_INIT;
    AUTO_BUF other = BUF_INIT;
    bool last = false;
    replica_open(&old);
    open_other(&fresh, 99);
    fill(&old, 4);
    UNIT_OK(restore_new(old.state, fresh.keys, 0, &first));
    UNIT_OK(restore_new(old.state, fresh.keys, 0, &second));
    UNIT_OK(next(first, &effect, &last));
    UNIT_OK(replica_apply(&fresh, &effect).rc);
    UNIT_OK(next(second, &other, &last));
    UNIT_RC(replica_apply(&fresh, &other).rc, RC_EXISTS);
    buf_clear(&other);
    const struct user_row so = {.role = ROLE_SO, .name = SO_USER_NAME};
    UNIT_OK(effect_token_init(&other, &fresh.head, 1, "x", "1111111111111111", &so));
    UNIT_RC(replica_apply(&fresh, &other).rc, RC_RESTORING);
    UNIT_OK(put_document(&fresh, DOCUMENT_NODE, "1", 0, "the new cluster's member"));
    UNIT_RC(put_document(&fresh, DOCUMENT_KMS, "key/a", 0, "a front end's"), RC_RESTORING);
    while (!last) {
        UNIT_OK(next(first, &effect, &last));
        UNIT_OK(replica_apply(&fresh, &effect).rc);
        struct user_row anna;
        if (!last && state_user(fresh.state, 1, "anna", &anna) == RC_OK)
            UNIT_RC(replica_try(&fresh, anna.id, true).rc, RC_RESTORING);
        rc_detail_clear();
    }
    UNIT_OK(put_document(&fresh, DOCUMENT_NODE, "1", 1, "goes on"));
    UNIT_OK(put_document(&fresh, DOCUMENT_KMS, "key/a", 0, "a front end's"));
    restore_free(first);
    restore_free(second);
    replica_close(&old);
    replica_close(&fresh);
}

/* Each effect twice, and after an outcome that was not known once more. */
static void a_repeated_part_is_done_once_and_a_missing_one_is_noticed(void)
{
    struct replica old;
    struct replica fresh;
    struct replica gaps; /* what was refused stays refused */
    struct restore *restore = NULL;
    struct buf effects[KEEP_ON_MAX];
    size_t count = 0;
    bool last = false;
    replica_open(&old);
    open_other(&fresh, 99);
    open_other(&gaps, 99);
    fill(&old, 50);
    UNIT_OK(restore_new(old.state, fresh.keys, 0, &restore));
    while (!last && count < KEEP_ON_MAX) {
        effects[count] = (struct buf)BUF_INIT;
        UNIT_OK(next(restore, &effects[count++], &last));
    }
    CU_ASSERT_TRUE_FATAL(count > 4);
    UNIT_RC(replica_apply(&gaps, &effects[1]).rc, RC_CONFLICT);
    UNIT_OK(replica_apply(&gaps, &effects[0]).rc);
    UNIT_RC(replica_apply(&gaps, &effects[2]).rc, RC_CONFLICT);
    UNIT_RC(replica_apply(&gaps, &effects[count - 1]).rc, RC_CONFLICT);
    UNIT_RC(replica_apply(&gaps, &effects[1]).rc, RC_CONFLICT);
    UNIT_OK(replica_apply(&fresh, &effects[0]).rc);
    for (size_t i = 1; i < count; i++) {
        UNIT_OK(replica_apply(&fresh, &effects[i]).rc);
        UNIT_OK(replica_apply(&fresh, &effects[i - 1]).rc);
        UNIT_OK(replica_apply(&fresh, &effects[i]).rc);
    }
    check_tokens(old.state, fresh.state);
    check_objects(&old, &fresh, 50);
    for (size_t i = 0; i < count; i++)
        buf_clear(&effects[i]);
    restore_free(restore);
    replica_close(&old);
    replica_close(&fresh);
    replica_close(&gaps);
}

static void a_snapshot_in_the_middle_goes_on_the_same(void)
{
    struct replica old;
    struct replica fresh;
    struct replica late;
    struct restore *restore = NULL;
    AUTO_BUF effect = BUF_INIT;
    bool last = false;
    replica_open(&old);
    open_other(&fresh, 99);
    open_other(&late, 99);
    fill(&old, 50);
    UNIT_OK(restore_new(old.state, fresh.keys, 0, &restore));
    while (!last) {
        AUTO_BUF snapshot = BUF_INIT;
        UNIT_OK(next(restore, &effect, &last));
        UNIT_OK(replica_apply(&fresh, &effect).rc);
        late.index = fresh.index - 1;
        if (late.index > 0)
            UNIT_OK(replica_apply(&late, &effect).rc);
        replica_snapshot(&fresh, &snapshot);
        UNIT_OK(state_restore(late.state, buf_bytes(&snapshot)));
        CU_ASSERT_TRUE(replica_same_hash(&fresh, &late));
    }
    restore_free(restore);
    replica_close(&old);
    replica_close(&fresh);
    replica_close(&late);
}

static void an_object_that_fails_its_seal_ends_the_walk(void)
{
    struct replica old;
    struct replica fresh;
    struct seal_keys *others = fixture_keys(7);
    AUTO_BUF record = BUF_INIT;
    AUTO_BUF effect = BUF_INIT;
    struct restore *restore = NULL;
    bool last = false;
    enum rc rc = RC_OK;
    replica_open(&old);
    open_other(&fresh, 99);
    replica_token(&old, 1);
    sample_record(others, &SAMPLE_AES(1, "foreign"), &record);
    const struct bytes records[] = {buf_bytes(&record)};
    UNIT_OK(effect_objects_add(&effect, &old.head, 1, records, 1));
    UNIT_OK(replica_apply(&old, &effect).rc);
    UNIT_OK(restore_new(old.state, fresh.keys, 0, &restore));
    while (rc == RC_OK && !last)
        rc = next(restore, &effect, &last);
    UNIT_RC(rc, RC_TAMPERED);
    restore_free(restore);
    seal_keys_free(others);
    replica_close(&old);
    replica_close(&fresh);
}

/* ---- hostile effects: rows that contradict each other are a result, not an abort ---- */

static void put_row(struct buf *rows, const struct token_row *token, const struct user_row *user)
{
    AUTO_BUF row = BUF_INIT;
    if (token != NULL)
        UNIT_OK(token_row_encode(&row, token));
    else
        UNIT_OK(user_row_encode(&row, user));
    UNIT_OK(buf_put_bytes(rows, buf_bytes(&row)));
}

static enum rc rows_effect(struct replica *r, uint64_t number, enum restore_table table,
                           uint32_t count, const struct buf *bytes)
{
    AUTO_BUF effect = BUF_INIT;
    const struct restore_part part = {.id = {1}, .number = number};
    const struct restore_rows rows = {table, count, buf_bytes(bytes)};
    UNIT_OK(effect_restore_rows(&effect, &r->head, &part, &rows));
    enum rc rc = effect_check(buf_bytes(&effect));
    return rc == RC_OK ? replica_apply(r, &effect).rc : rc;
}

static void rows_that_contradict_each_other_are_refused_whole(void)
{
    struct replica r;
    struct token_row token = {.number = 1, .policy = policy_default()};
    struct user_row user = {.id = 5, .token = 1, .role = ROLE_USER, .name = "a"};
    AUTO_BUF tokens = BUF_INIT;
    AUTO_BUF users = BUF_INIT;
    AUTO_BUF more = BUF_INIT;
    replica_open(&r);
    put_row(&tokens, &token, NULL);
    UNIT_RC(rows_effect(&r, 0, RESTORE_TOKENS, 2, &tokens), RC_PROTOCOL);
    UNIT_RC(rows_effect(&r, 0, RESTORE_TOKENS, 0, &tokens), RC_PROTOCOL);
    UNIT_RC(rows_effect(&r, 0, RESTORE_USERS, 1, &tokens), RC_PROTOCOL);
    UNIT_RC(rows_effect(&r, 0, RESTORE_TABLE_END, 1, &tokens), RC_PROTOCOL);
    put_row(&tokens, &token, NULL);
    UNIT_RC(rows_effect(&r, 0, RESTORE_TOKENS, 2, &tokens), RC_CONFLICT);
    CU_ASSERT_EQUAL(state_next_token(r.state), 1);
    CU_ASSERT_FALSE(restore_is_under_way(r.state));
    tokens.len /= 2;
    UNIT_OK(rows_effect(&r, 0, RESTORE_TOKENS, 1, &tokens));
    put_row(&users, NULL, &user);
    user.id = 6;
    put_row(&users, NULL, &user);
    UNIT_RC(rows_effect(&r, 1, RESTORE_USERS, 2, &users), RC_CONFLICT);
    users.len /= 2;
    UNIT_OK(rows_effect(&r, 1, RESTORE_USERS, 1, &users));
    UNIT_RC(rows_effect(&r, 2, RESTORE_USERS, 1, &users), RC_CONFLICT);
    user = (struct user_row){.id = 7, .token = 9, .role = ROLE_USER, .name = "b"};
    put_row(&more, NULL, &user);
    UNIT_RC(rows_effect(&r, 2, RESTORE_USERS, 1, &more), RC_CONFLICT);
    buf_clear(&more);
    user.id = UINT64_MAX;
    user.token = 1;
    put_row(&more, NULL, &user);
    UNIT_RC(rows_effect(&r, 2, RESTORE_USERS, 1, &more), RC_CONFLICT);
    struct user_row read[4];
    CU_ASSERT_EQUAL(state_users(r.state, 1, read, 4), 1);
    replica_close(&r);
}

static void the_end_must_fit_what_came(void)
{
    struct replica r;
    const struct token_row token = {.number = 1, .policy = policy_default()};
    AUTO_BUF tokens = BUF_INIT;
    replica_open(&r);
    put_row(&tokens, &token, NULL);
    UNIT_OK(rows_effect(&r, 0, RESTORE_TOKENS, 1, &tokens));
    const struct restore_end right = {.tokens = 1, .next_handle = 10, .next_user = 20};
    struct restore_end wrong[7];
    for (size_t i = 0; i < 7; i++)
        wrong[i] = right;
    wrong[0].tokens = 2;
    wrong[1].users = 1;
    wrong[2].objects = 1;
    wrong[3].documents = 1;
    wrong[4].next_handle = 0;
    wrong[5].next_user = 0;
    wrong[6].next_handle = SESSION_HANDLE_BIT;
    const struct restore_part part = {.id = {1}, .number = 1};
    for (size_t i = 0; i < 7; i++) {
        AUTO_BUF effect = BUF_INIT;
        UNIT_OK(effect_restore_end(&effect, &r.head, &part, &wrong[i]));
        UNIT_RC(replica_apply(&r, &effect).rc, RC_CONFLICT);
    }
    AUTO_BUF effect = BUF_INIT;
    UNIT_OK(effect_restore_end(&effect, &r.head, &part, &right));
    UNIT_OK(replica_apply(&r, &effect).rc);
    CU_ASSERT_EQUAL(replica_add(&r, &SAMPLE_AES(1, "x")), 10);
    CU_ASSERT_EQUAL(replica_user(&r, 1, "x"), 20);
    replica_close(&r);
}

static void damaged_effects_do_not_end_the_process(void)
{
    struct replica old;
    struct restore *restore = NULL;
    AUTO_BUF effect = BUF_INIT;
    bool last = false;
    replica_open(&old);
    fill(&old, 4);
    UNIT_OK(restore_new(old.state, old.keys, 1U << DOCUMENT_JOIN, &restore));
    struct replica fresh;
    open_other(&fresh, 42);
    while (!last) {
        UNIT_OK(next(restore, &effect, &last));
        for (size_t i = 2; i < effect.len; i++) {
            effect.ptr[i] ^= 0x21;
            if (effect_check(buf_bytes(&effect)) == RC_OK)
                (void)replica_apply(&fresh, &effect);
            effect.ptr[i] ^= 0x21;
            UNIT_RC(effect_check(bytes_of(effect.ptr, i)), RC_PROTOCOL);
        }
        (void)replica_apply(&fresh, &effect);
    }
    replica_close(&fresh);
    restore_free(restore);
    replica_close(&old);
}

UNIT_SUITE("token/restore", UNIT_CASE(everything_comes_back_under_other_keys),
           UNIT_CASE(pins_and_locks_stay_through_two_restores),
           UNIT_CASE(documents_of_named_spaces_come_along),
           UNIT_CASE(an_empty_state_is_restored_too),
           UNIT_CASE(a_cluster_that_has_tokens_is_not_restored_into),
           UNIT_CASE(nothing_else_changes_until_the_restore_ends),
           UNIT_CASE(a_repeated_part_is_done_once_and_a_missing_one_is_noticed),
           UNIT_CASE(a_snapshot_in_the_middle_goes_on_the_same),
           UNIT_CASE(an_object_that_fails_its_seal_ends_the_walk),
           UNIT_CASE(rows_that_contradict_each_other_are_refused_whole),
           UNIT_CASE(the_end_must_fit_what_came),
           UNIT_CASE(damaged_effects_do_not_end_the_process));

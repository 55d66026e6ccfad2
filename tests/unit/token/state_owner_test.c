/* SPDX-License-Identifier: Apache-2.0 */
/* Whose the front ends' documents are: bound by the first change, refused to others, gone with the
 * token, the same after snapshot and restore. */
#include "tests/unit/token/state_fixture.h"
#include "tests/unit/unit.h"
#include "token/effect.h"
#include "token/restore.h"

/* Tokens 1 and 2, with users kmsuser and other each. */
struct world {
    struct replica r;
    uint64_t kms, same_token, other_token;
};

static void begin(struct world *w)
{
    replica_open(&w->r);
    replica_token(&w->r, 1);
    replica_token(&w->r, 2);
    w->kms = replica_user(&w->r, 1, "kmsuser");
    w->same_token = replica_user(&w->r, 1, "other");
    w->other_token = replica_user(&w->r, 2, "kmsuser");
}

static enum rc apply(struct replica *r, const struct owned_change *change)
{
    AUTO_BUF effect = BUF_INIT;
    UNIT_OK(effect_owned_change(&effect, &r->head, change));
    UNIT_OK(effect_check(buf_bytes(&effect)));
    return replica_apply(r, &effect).rc;
}

static enum rc change(struct replica *r, uint64_t user, const struct document_change *changes,
                      size_t count)
{
    const struct owned_change all = {.user_id = user, .changes = changes, .count = count};
    return apply(r, &all);
}

static enum rc put(struct replica *r, uint64_t user, const char *key, uint64_t expected,
                   const char *value)
{
    const struct document_change one = {.space = DOCUMENT_KMS,
                                        .key = bytes_of_str(key),
                                        .expected_version = expected,
                                        .value = bytes_of_str(value)};
    return change(r, user, &one, 1);
}

/* As a release that knew no owner wrote them. */
static void put_unbound(struct replica *r, const char *key)
{
    AUTO_BUF effect = BUF_INIT;
    const struct document_change one = {
        .space = DOCUMENT_KMS, .key = bytes_of_str(key), .value = bytes_of_str("old")};
    UNIT_OK(effect_documents_change(&effect, &r->head, &one, 1));
    UNIT_OK(replica_apply(r, &effect).rc);
}

static bool has(const struct replica *r, const char *key)
{
    AUTO_BUF value = BUF_INIT;
    uint64_t version = 0;
    enum rc rc = state_document(r->state, DOCUMENT_KMS, bytes_of_str(key), &value, &version);
    rc_detail_clear();
    return rc == RC_OK;
}

static bool is_owner(const struct replica *r, uint64_t token, const char *user)
{
    struct documents_owner owner;
    return state_documents_owner(r->state, &owner) && owner.token == token &&
           strcmp(owner.user, user) == 0;
}

static enum rc init_token(struct replica *r, uint64_t number)
{
    AUTO_BUF effect = BUF_INIT;
    const struct user_row so = {.role = ROLE_SO, .name = SO_USER_NAME, .has_pin = true};
    UNIT_OK(effect_token_init(&effect, &r->head, number, "again", "0123456789abcdef", &so));
    return replica_apply(r, &effect).rc;
}

static enum rc release(struct replica *r, bool erase)
{
    AUTO_BUF effect = BUF_INIT;
    UNIT_OK(effect_owned_release(&effect, &r->head, erase));
    UNIT_OK(effect_check(buf_bytes(&effect)));
    return replica_apply(r, &effect).rc;
}

static void delete_user(struct replica *r, uint64_t token, const char *name)
{
    AUTO_BUF effect = BUF_INIT;
    UNIT_OK(effect_user_delete(&effect, &r->head, token, name));
    UNIT_OK(replica_apply(r, &effect).rc);
}

static void the_first_change_binds_and_others_are_refused(void)
{
    struct world w;
    struct documents_owner owner;
    begin(&w);
    CU_ASSERT_FALSE(state_documents_owner(w.r.state, &owner));
    UNIT_OK(put(&w.r, w.kms, "key/a", 0, "1"));
    CU_ASSERT_TRUE(is_owner(&w.r, 1, "kmsuser"));
    UNIT_RC(put(&w.r, w.other_token, "key/b", 0, "1"), RC_NOT_OWNER);
    UNIT_RC(put(&w.r, w.same_token, "key/b", 0, "1"), RC_NOT_OWNER);
    UNIT_RC(change(&w.r, w.other_token, NULL, 0), RC_NOT_OWNER);
    CU_ASSERT_FALSE(has(&w.r, "key/b"));
    UNIT_OK(put(&w.r, w.kms, "key/b", 0, "1"));
    replica_close(&w.r);
}

static void a_first_change_that_is_refused_binds_nothing(void)
{
    struct world w;
    struct documents_owner owner;
    begin(&w);
    UNIT_RC(put(&w.r, w.other_token, "key/a", 7, "1"), RC_CONFLICT);
    CU_ASSERT_FALSE(state_documents_owner(w.r.state, &owner));
    UNIT_RC(put(&w.r, 4711, "key/a", 0, "1"), RC_TICKET_VOID);
    struct user_row so;
    UNIT_OK(state_user(w.r.state, 1, SO_USER_NAME, &so));
    UNIT_RC(put(&w.r, so.id, "key/a", 0, "1"), RC_TICKET_VOID);
    CU_ASSERT_FALSE(state_documents_owner(w.r.state, &owner));
    replica_close(&w.r);
}

static void no_change_at_all_binds_too(void)
{
    struct world w;
    begin(&w);
    put_unbound(&w.r, "key/old");
    UNIT_OK(change(&w.r, w.kms, NULL, 0));
    CU_ASSERT_TRUE(is_owner(&w.r, 1, "kmsuser"));
    CU_ASSERT_TRUE(has(&w.r, "key/old"));
    UNIT_RC(put(&w.r, w.other_token, "key/old", 1, "2"), RC_NOT_OWNER);
    UNIT_OK(change(&w.r, w.kms, NULL, 0));
    replica_close(&w.r);
}

static void eight_changes_may_come_with_the_binding(void)
{
    struct world w;
    struct document_change changes[DOCUMENT_CHANGES_MAX];
    static const char *const keys[DOCUMENT_CHANGES_MAX] = {"a", "b", "c", "d", "e", "f", "g", "h"};
    begin(&w);
    for (size_t i = 0; i < DOCUMENT_CHANGES_MAX; i++)
        changes[i] = (struct document_change){.space = DOCUMENT_KMS, .key = bytes_of_str(keys[i])};
    UNIT_OK(change(&w.r, w.kms, changes, DOCUMENT_CHANGES_MAX));
    CU_ASSERT_TRUE(has(&w.r, "h") && is_owner(&w.r, 1, "kmsuser"));
    replica_close(&w.r);
}

static void the_binding_is_by_name_as_the_security_officer_gives_it(void)
{
    struct world w;
    begin(&w);
    UNIT_OK(put(&w.r, w.kms, "key/a", 0, "1"));
    delete_user(&w.r, 1, "kmsuser");
    UNIT_RC(put(&w.r, w.kms, "key/a", 1, "2"), RC_TICKET_VOID);
    UNIT_RC(put(&w.r, w.other_token, "key/a", 1, "2"), RC_NOT_OWNER);
    uint64_t anew = replica_user(&w.r, 1, "kmsuser");
    UNIT_OK(put(&w.r, anew, "key/a", 1, "2"));
    replica_close(&w.r);
}

static bool visit_nothing(void *context, struct bytes key, struct bytes value, uint64_t version)
{
    (void)key;
    (void)value;
    (void)version;
    ++*(unsigned *)context;
    return true;
}

static void documents_go_with_their_token_alone(void)
{
    struct world w;
    unsigned seen = 0;
    uint64_t index = 0;
    bool is_whole = false;
    begin(&w);
    UNIT_OK(put(&w.r, w.kms, "key/a", 0, "1"));
    uint64_t before = w.r.index;
    UNIT_OK(init_token(&w.r, 2));
    CU_ASSERT_TRUE(has(&w.r, "key/a") && is_owner(&w.r, 1, "kmsuser"));
    UNIT_OK(init_token(&w.r, 1));
    struct documents_owner owner;
    CU_ASSERT_FALSE(has(&w.r, "key/a") || state_documents_owner(w.r.state, &owner));
    /* Who has followed them hears of it, and what was decided on them is void. */
    UNIT_OK(state_documents_since(w.r.state, DOCUMENT_KMS, before, BYTES_NONE, visit_nothing, &seen,
                                  &index, &is_whole));
    CU_ASSERT_TRUE(is_whole && seen == 0);
    CU_ASSERT_EQUAL(state_documents_decided(w.r.state, DOCUMENT_KMS), w.r.index);
    uint64_t anew = replica_user(&w.r, 1, "kmsuser");
    UNIT_OK(put(&w.r, anew, "key/a", 0, "1"));
    replica_close(&w.r);
}

static void documents_that_nobody_owns_stay_when_a_token_goes(void)
{
    struct world w;
    begin(&w);
    put_unbound(&w.r, "key/old");
    UNIT_OK(init_token(&w.r, 1));
    CU_ASSERT_TRUE(has(&w.r, "key/old"));
    replica_close(&w.r);
}

static void released_documents_are_bound_anew_or_are_gone(void)
{
    struct world w;
    begin(&w);
    UNIT_OK(put(&w.r, w.kms, "key/a", 0, "1"));
    UNIT_OK(release(&w.r, false));
    UNIT_OK(put(&w.r, w.other_token, "key/a", 1, "2"));
    CU_ASSERT_TRUE(is_owner(&w.r, 2, "kmsuser"));
    UNIT_OK(release(&w.r, true));
    CU_ASSERT_FALSE(has(&w.r, "key/a"));
    UNIT_OK(put(&w.r, w.kms, "key/a", 0, "1"));
    CU_ASSERT_TRUE(is_owner(&w.r, 1, "kmsuser"));
    replica_close(&w.r);
}

static void nobody_writes_the_binding_itself(void)
{
    struct world w;
    AUTO_BUF effect = BUF_INIT;
    const struct document_change one = {.space = DOCUMENT_OWNER, .key = bytes_of_str("kms")};
    const struct document_change node = {.space = DOCUMENT_NODE, .key = bytes_of_str("1")};
    begin(&w);
    UNIT_RC(effect_documents_change(&effect, &w.r.head, &one, 1), RC_BAD_ARGUMENT);
    const struct owned_change owner = {.user_id = w.kms, .changes = &one, .count = 1};
    const struct owned_change other = {.user_id = w.kms, .changes = &node, .count = 1};
    UNIT_RC(effect_owned_change(&effect, &w.r.head, &owner), RC_BAD_ARGUMENT);
    UNIT_RC(effect_owned_change(&effect, &w.r.head, &other), RC_BAD_ARGUMENT);
    CU_ASSERT_EQUAL(effect.len, 0);
    replica_close(&w.r);
}

/* A change of "key/a" from that version on, which rests on "iam/a" and another document. */
static enum rc put_resting(struct world *w, uint64_t expected, uint64_t ground)
{
    const struct document_change one = {.space = DOCUMENT_KMS,
                                        .key = bytes_of_str("key/a"),
                                        .expected_version = expected,
                                        .value = bytes_of_str("x")};
    const struct document_ground grounds[] = {{.key = bytes_of_str("iam/other"), .version = 1},
                                              {.key = bytes_of_str("iam/a"), .version = ground}};
    const struct owned_change all = {
        .user_id = w->kms, .changes = &one, .count = 1, .grounds = grounds, .ground_count = 2};
    return apply(&w->r, &all);
}

static void a_change_is_refused_when_what_it_rests_on_is_another(void)
{
    struct world w;
    const struct document_change removal = {.space = DOCUMENT_KMS,
                                            .key = bytes_of_str("iam/a"),
                                            .expected_version = 2,
                                            .is_removal = true};
    begin(&w);
    UNIT_RC(put_resting(&w, 0, 1), RC_VIEW_OLD); /* never there */
    UNIT_OK(put(&w.r, w.kms, "iam/other", 0, "1"));
    UNIT_OK(put(&w.r, w.kms, "iam/a", 0, "1"));
    UNIT_OK(put_resting(&w, 0, 1));
    UNIT_OK(put(&w.r, w.kms, "used/a", 0, "1")); /* and any other document */
    UNIT_OK(put_resting(&w, 1, 1));
    UNIT_OK(put(&w.r, w.kms, "iam/a", 1, "2"));
    UNIT_RC(put_resting(&w, 2, 1), RC_VIEW_OLD);
    UNIT_OK(put_resting(&w, 2, 2));
    UNIT_OK(change(&w.r, w.kms, &removal, 1));
    UNIT_RC(put_resting(&w, 3, 2), RC_VIEW_OLD);
    UNIT_OK(put(&w.r, w.kms, "key/a", 3, "2")); /* its version is what it was */
    replica_close(&w.r);
}

static void what_a_change_rests_on_has_a_version_and_a_bound(void)
{
    struct world w;
    AUTO_BUF effect = BUF_INIT;
    struct document_ground grounds[DOCUMENT_GROUNDS_MAX + 1];
    begin(&w);
    for (size_t i = 0; i < DOCUMENT_GROUNDS_MAX + 1; i++)
        grounds[i] = (struct document_ground){.key = bytes_of_str("iam/a"), .version = 1};
    struct owned_change all = {
        .user_id = w.kms, .grounds = grounds, .ground_count = DOCUMENT_GROUNDS_MAX + 1};
    UNIT_RC(effect_owned_change(&effect, &w.r.head, &all), RC_LIMIT);
    all.ground_count--;
    UNIT_RC(apply(&w.r, &all), RC_VIEW_OLD);
    grounds[7].version = 0;
    UNIT_RC(effect_owned_change(&effect, &w.r.head, &all), RC_BAD_ARGUMENT);
    CU_ASSERT_EQUAL(effect.len, 0);
    replica_close(&w.r);
}

static void a_snapshot_has_the_binding_and_the_sum_is_right(void)
{
    struct world w;
    struct replica copy;
    AUTO_BUF snapshot = BUF_INIT;
    begin(&w);
    UNIT_OK(put(&w.r, w.kms, "key/a", 0, "1"));
    UNIT_OK(init_token(&w.r, 1)); /* rows that came and went leave no trace in the sum */
    uint64_t anew = replica_user(&w.r, 1, "kmsuser");
    UNIT_OK(put(&w.r, anew, "key/b", 0, "1"));
    replica_snapshot(&w.r, &snapshot);
    replica_open(&copy);
    UNIT_OK(state_restore(copy.state, buf_bytes(&snapshot)));
    copy.index = w.r.index;
    CU_ASSERT_TRUE(replica_same_hash(&w.r, &copy));
    UNIT_RC(put(&copy, w.other_token, "key/b", 1, "2"), RC_NOT_OWNER);
    UNIT_OK(put(&copy, anew, "key/b", 1, "2"));
    replica_close(&copy);
    replica_close(&w.r);
}

static void a_restored_backup_has_the_binding(void)
{
    struct world w;
    struct replica fresh;
    struct restore *restore = NULL;
    bool last = false;
    begin(&w);
    UNIT_OK(put(&w.r, w.kms, "key/a", 0, "1"));
    replica_open(&fresh);
    UNIT_OK(
        restore_new(w.r.state, fresh.keys, 1U << DOCUMENT_KMS | 1U << DOCUMENT_OWNER, &restore));
    while (!last) {
        AUTO_BUF effect = BUF_INIT;
        UNIT_OK(restore_next(restore, fresh.head.time_ms, &effect, &last));
        if (!last && fresh.index > 0)
            UNIT_RC(put(&fresh, w.kms, "key/b", 0, "1"), RC_RESTORING);
        UNIT_OK(replica_apply(&fresh, &effect).rc);
    }
    restore_free(restore);
    CU_ASSERT_TRUE(has(&fresh, "key/a") && is_owner(&fresh, 1, "kmsuser"));
    UNIT_RC(put(&fresh, w.other_token, "key/a", 1, "2"), RC_NOT_OWNER);
    UNIT_OK(put(&fresh, w.kms, "key/a", 1, "2"));
    replica_close(&fresh);
    replica_close(&w.r);
}

UNIT_SUITE("token/state_owner", UNIT_CASE(the_first_change_binds_and_others_are_refused),
           UNIT_CASE(a_first_change_that_is_refused_binds_nothing),
           UNIT_CASE(no_change_at_all_binds_too),
           UNIT_CASE(eight_changes_may_come_with_the_binding),
           UNIT_CASE(the_binding_is_by_name_as_the_security_officer_gives_it),
           UNIT_CASE(documents_go_with_their_token_alone),
           UNIT_CASE(documents_that_nobody_owns_stay_when_a_token_goes),
           UNIT_CASE(released_documents_are_bound_anew_or_are_gone),
           UNIT_CASE(nobody_writes_the_binding_itself),
           UNIT_CASE(a_change_is_refused_when_what_it_rests_on_is_another),
           UNIT_CASE(what_a_change_rests_on_has_a_version_and_a_bound),
           UNIT_CASE(a_snapshot_has_the_binding_and_the_sum_is_right),
           UNIT_CASE(a_restored_backup_has_the_binding));

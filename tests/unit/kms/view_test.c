/* SPDX-License-Identifier: Apache-2.0 */
/* The view over a cluster in memory: in step, all or none, and what it makes of trouble. */
#include "kms/view.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "tests/unit/kms/fake_cluster.h"
#include "tests/unit/unit.h"

static struct fake_cluster cluster;
static struct hsm_client client = {.cluster = &cluster};
static struct view *view;
static atomic_int decoded; /* that are alive */

/* ---- a kind of document: {"n": NUMBER} */

static enum rc decode_number(const char *key, const json_t *value, void **out)
{
    const json_t *number = json_object_get(value, "n");
    if (!json_is_integer(number))
        return rc_fail(RC_TAMPERED, "%s has no number", key);
    json_int_t *copy = calloc(1, sizeof *copy);
    *copy = json_integer_value(number);
    *out = copy;
    (void)atomic_fetch_add(&decoded, 1);
    return RC_OK;
}

static void free_number(void *data)
{
    (void)atomic_fetch_sub(&decoded, 1);
    free(data);
}

static const struct view_kind kinds[] = {
    {.prefix = "key/", .decode = decode_number, .free = free_number},
    {.prefix = "used/", .decode = decode_number, .free = free_number},
};

const struct view_kind *view_kind_at(size_t index)
{
    return index < 2 ? &kinds[index] : NULL;
}

static void begin(void)
{
    fake_cluster_init(&cluster);
    fake_cluster_put(&cluster, "key/r/a", "{\"n\":1}");
    fake_cluster_put(&cluster, "key/r/b", "{\"n\":2}");
    fake_cluster_put(&cluster, "other/x", "{\"of\":\"another release\"}");
}

static void begin_viewing(void)
{
    begin();
    UNIT_OK(view_new(&client, &view));
}

static void end(void)
{
    view_free(view);
    view = NULL;
    fake_cluster_clear(&cluster);
    CU_ASSERT_EQUAL(atomic_load(&decoded), 0);
}

/* -1: it is not there. */
static long number_in(struct view *in, const char *key)
{
    AUTO_RECORD *record = view_get(in, key);
    return record == NULL ? -1 : (long)*(const json_int_t *)record->data;
}

static long number_of(const char *key)
{
    return number_in(view, key);
}

static uint64_t version_of(const char *key)
{
    AUTO_RECORD *record = view_get(view, key);
    return record == NULL ? 0 : record->version;
}

static enum rc change(const char *key, uint64_t version, long number)
{
    json_t *value = number < 0 ? NULL : json_pack("{s:I}", "n", (json_int_t)number);
    return view_commit_one(view, key, version, value);
}

static void pause_ms(long ms)
{
    const struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};
    (void)nanosleep(&pause, NULL);
}

/* The follower brings it within a few of its turns. */
static bool comes_to(struct view *in, const char *key, long number)
{
    for (unsigned i = 0; i < 6000 && number_in(in, key) != number; i++)
        pause_ms(10);
    return number_in(in, key) == number;
}

/* ---- cases */

static void everything_is_read_at_the_start_page_by_page(void)
{
    begin();
    char key[32];
    for (unsigned i = 0; i < 200; i++) {
        (void)snprintf(key, sizeof key, "key/s/%03u", i);
        fake_cluster_put(&cluster, key, "{\"n\":7}");
    }
    cluster.page_max = 9;
    UNIT_OK(view_new(&client, &view));
    CU_ASSERT_EQUAL(number_of("key/r/a"), 1);
    CU_ASSERT_EQUAL(number_of("key/s/000"), 7);
    CU_ASSERT_EQUAL(number_of("key/s/199"), 7);
    CU_ASSERT_EQUAL(number_of("key/s/200"), -1);
    CU_ASSERT_EQUAL(view_index(view), cluster.index);
    end();
}

static bool append_key(void *context, struct record *record)
{
    char *text = context;
    size_t len = strlen(text);
    (void)snprintf(text + len, 160 - len, "%.60s ", record->key);
    return strlen(text) < 100;
}

static void records_are_visited_by_prefix_in_order_after_a_key(void)
{
    begin();
    fake_cluster_put(&cluster, "key/s/c", "{\"n\":3}");
    UNIT_OK(view_new(&client, &view));
    char text[256] = "";
    view_each(view, "key/", "", append_key, text);
    CU_ASSERT_STRING_EQUAL(text, "key/r/a key/r/b key/s/c ");
    text[0] = 0;
    view_each(view, "key/", "key/r/a", append_key, text);
    CU_ASSERT_STRING_EQUAL(text, "key/r/b key/s/c ");
    text[0] = 0;
    view_each(view, "key/r/", "key/r/aa", append_key, text);
    CU_ASSERT_STRING_EQUAL(text, "key/r/b ");
    text[0] = 0;
    view_each(view, "key/r/", "key/r/b", append_key, text);
    CU_ASSERT_STRING_EQUAL(text, "");
    end();
}

static void own_change_is_there_when_the_commit_returns(void)
{
    begin_viewing();
    uint64_t before = view_index(view);
    UNIT_OK(change("key/r/a", 1, 10));
    CU_ASSERT_EQUAL(number_of("key/r/a"), 10);
    CU_ASSERT_EQUAL(version_of("key/r/a"), 2);
    CU_ASSERT(view_index(view) > before);
    UNIT_OK(change("key/r/new", 0, 4));
    CU_ASSERT_EQUAL(number_of("key/r/new"), 4);
    UNIT_OK(change("key/r/b", 1, -1));
    CU_ASSERT_EQUAL(number_of("key/r/b"), -1);
    end();
}

static void conflict_changes_nothing_and_shows_what_came_between(void)
{
    begin_viewing();
    fake_cluster_put(&cluster, "key/r/b", "{\"n\":22}");
    struct view_changes changes = {.count = 0};
    UNIT_OK(view_changes_add(&changes, "key/r/a", 1, json_pack("{s:i}", "n", 11)));
    UNIT_OK(view_changes_add(&changes, "key/r/b", 1, json_pack("{s:i}", "n", 12)));
    UNIT_RC(view_commit(view, &changes), RC_CONFLICT);
    view_changes_clear(&changes);
    CU_ASSERT_EQUAL(number_of("key/r/a"), 1);
    CU_ASSERT_EQUAL(number_of("key/r/b"), 22);
    UNIT_RC(change("key/r/a", 0, 5), RC_CONFLICT);
    end();
}

static void over_eight_changes_and_too_large_ones_are_refused(void)
{
    begin_viewing();
    struct view_changes changes = {.count = 0};
    char *large = calloc(70000, 1);
    for (unsigned i = 0; i < VIEW_CHANGES_MAX; i++) {
        char key[32];
        (void)snprintf(key, sizeof key, "key/t/%u", i);
        UNIT_OK(view_changes_add(&changes, key, 0, json_pack("{s:i}", "n", 1)));
    }
    UNIT_RC(view_changes_add(&changes, "key/t/x", 0, json_object()), RC_LIMIT);
    UNIT_OK(view_commit(view, &changes));
    view_changes_clear(&changes);
    CU_ASSERT_EQUAL(number_of("key/t/7"), 1);
    memset(large, 'a', 69999);
    UNIT_OK(
        view_changes_add(&changes, "key/t/x", 0, json_pack("{s:i, s:s}", "n", 1, "large", large)));
    UNIT_RC(view_commit(view, &changes), RC_LIMIT);
    view_changes_clear(&changes);
    free(large);
    end();
}

static void a_commit_is_refused_when_what_it_rests_on_has_changed(void)
{
    begin_viewing();
    view_decide();
    CU_ASSERT_EQUAL(number_of("key/r/b"), 2);
    fake_cluster_put(&cluster, "key/r/b", "{\"n\":3}");
    UNIT_RC(change("key/r/a", 1, 10), RC_CONFLICT);
    CU_ASSERT_EQUAL(number_of("key/r/b"), 3);
    CU_ASSERT_EQUAL(number_of("key/r/a"), 1);
    view_decide();
    CU_ASSERT_EQUAL(number_of("key/r/b"), 3);
    fake_cluster_put(&cluster, "key/r/b", NULL);
    UNIT_RC(change("key/r/a", 1, 10), RC_CONFLICT);
    view_decide();
    CU_ASSERT_EQUAL(number_of("key/r/b"), -1);
    UNIT_OK(change("key/r/a", 1, 10));
    view_decided();
    end();
}

static void what_is_written_after_the_decided_change_completes_it(void)
{
    begin_viewing();
    fake_cluster_put(&cluster, "used/r/a", "{\"n\":1}");
    UNIT_OK(view_refresh(view));
    view_decide();
    CU_ASSERT_EQUAL(number_of("key/r/a"), 1);
    CU_ASSERT_EQUAL(number_of("key/r/a"), 1);
    CU_ASSERT_EQUAL(number_of("key/r/b"), 2);
    CU_ASSERT_EQUAL(number_of("used/r/a"), 1); /* decides nothing */
    UNIT_OK(change("key/r/a", 1, 10));
    CU_ASSERT_EQUAL(cluster.last_grounds, 2);
    UNIT_OK(change("key/r/a", 2, 11));
    CU_ASSERT_EQUAL(cluster.last_grounds, 0);
    view_decided();
    CU_ASSERT_EQUAL(number_of("key/r/b"), 2);
    UNIT_OK(change("key/r/a", 3, 12));
    CU_ASSERT_EQUAL(cluster.last_grounds, 0);
    end();
}

static void two_front_ends_see_each_other(void)
{
    struct hsm_client other_client = {.cluster = &cluster};
    struct view *other = NULL;
    begin_viewing();
    UNIT_OK(view_new(&other_client, &other));
    UNIT_OK(change("key/r/a", 1, 50));
    CU_ASSERT(comes_to(other, "key/r/a", 50));
    UNIT_OK(change("key/r/a", 2, -1));
    CU_ASSERT(comes_to(other, "key/r/a", -1));
    fake_cluster_put(&cluster, "key/r/a", "{\"n\":51}");
    UNIT_OK(view_refresh(other));
    CU_ASSERT_EQUAL(number_in(other, "key/r/a"), 51);
    view_free(other);
    end();
}

static void unreadable_documents_are_passed_over_at_the_start(void)
{
    char text[256] = "";
    begin();
    fake_cluster_put(&cluster, "key/r/c", "{\"n\":\"text\"}");
    fake_cluster_put(&cluster, "key/r/d", "no JSON");
    UNIT_OK(view_new(&client, &view));
    CU_ASSERT_EQUAL(number_of("key/r/b"), 2);
    CU_ASSERT_EQUAL(number_of("key/r/c"), -1);
    view_each(view, "key/", "", append_key, text);
    CU_ASSERT_STRING_EQUAL(text, "key/r/a key/r/b ");
    text[0] = 0;
    view_each_unreadable(view, "key/", append_key, text);
    CU_ASSERT_STRING_EQUAL(text, "key/r/c key/r/d ");
    CU_ASSERT_TRUE(view_has_unreadable(view, "key/"));
    CU_ASSERT_FALSE(view_has_unreadable(view, "used/"));
    UNIT_RC(change("key/r/c", 0, 1), RC_CONFLICT); /* its name is not free */
    UNIT_OK(change("key/r/c", 1, -1));
    UNIT_OK(change("key/r/d", 1, 4));
    CU_ASSERT_FALSE(view_has_unreadable(view, ""));
    end();
}

static void unreadable_document_takes_the_old_records_rights_along(void)
{
    begin_viewing();
    fake_cluster_put(&cluster, "key/r/a", "{}");
    fake_cluster_put(&cluster, "key/r/b", "{\"n\":3}");
    UNIT_OK(view_refresh(view));
    CU_ASSERT_EQUAL(number_of("key/r/a"), -1);
    CU_ASSERT_EQUAL(number_of("key/r/b"), 3);
    fake_cluster_put(&cluster, "key/r/a", "{\"n\":4}");
    UNIT_OK(view_refresh(view));
    CU_ASSERT_EQUAL(number_of("key/r/a"), 4);
    end();
}

static void what_could_not_be_read_is_not_written(void)
{
    begin_viewing();
    uint64_t before = cluster.index;
    struct view_changes changes = {.count = 0};
    UNIT_OK(view_changes_add(&changes, "key/r/a", 1, json_pack("{s:i}", "n", 11)));
    UNIT_OK(view_changes_add(&changes, "key/r/b", 1, json_pack("{s:s}", "n", "text")));
    UNIT_RC(view_commit(view, &changes), RC_INTERNAL);
    CU_ASSERT_PTR_NOT_NULL(strstr(rc_detail(), "key/r/b"));
    view_changes_clear(&changes);
    CU_ASSERT_EQUAL(cluster.index, before);
    CU_ASSERT_EQUAL(number_of("key/r/a"), 1);
    end();
}

static void document_of_unknown_kind_is_kept_undecoded(void)
{
    begin_viewing();
    AUTO_RECORD *record = view_get(view, "other/x");
    CU_ASSERT_PTR_NOT_NULL_FATAL(record);
    CU_ASSERT_PTR_NULL(record->kind);
    CU_ASSERT_PTR_NULL(record->data);
    CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(record->json, "of")),
                           "another release");
    end();
}

static void record_outlives_its_replacement(void)
{
    begin_viewing();
    struct record *old = view_get(view, "key/r/a");
    UNIT_OK(change("key/r/a", 1, 2));
    CU_ASSERT_EQUAL(*(const json_int_t *)old->data, 1);
    record_unref(old);
    end();
}

static void whole_answer_replaces_everything(void)
{
    begin_viewing();
    atomic_store(&cluster.fail, RC_UNAVAILABLE); /* the follower sleeps through it */
    fake_cluster_put(&cluster, "key/r/a", NULL);
    fake_cluster_forget(&cluster);
    fake_cluster_put(&cluster, "key/r/z", "{\"n\":26}");
    cluster.page_max = 1;
    atomic_store(&cluster.fail, RC_OK);
    UNIT_OK(view_refresh(view));
    CU_ASSERT_EQUAL(number_of("key/r/a"), -1);
    CU_ASSERT_EQUAL(number_of("key/r/b"), 2);
    CU_ASSERT_EQUAL(number_of("key/r/z"), 26);
    end();
}

static void hsm_that_is_behind_is_not_believed(void)
{
    begin_viewing();
    UNIT_OK(change("key/r/a", 1, 9));
    uint64_t index = view_index(view);
    cluster.behind = 3;
    UNIT_OK(view_refresh(view));
    CU_ASSERT(view_index(view) >= index);
    CU_ASSERT_EQUAL(number_of("key/r/a"), 9);
    end();
}

static void restored_cluster_is_read_anew(void)
{
    begin_viewing();
    UNIT_OK(change("key/r/a", 1, 9));
    CU_ASSERT(view_index(view) > 5);
    fake_cluster_restore(&cluster);
    UNIT_OK(view_refresh(view));
    CU_ASSERT_EQUAL(view_index(view), 1);
    CU_ASSERT_EQUAL(number_of("key/r/a"), 9);
    fake_cluster_put(&cluster, "key/r/a", "{\"n\":8}");
    UNIT_OK(view_refresh(view));
    CU_ASSERT_EQUAL(number_of("key/r/a"), 8);
    end();
}

static void trouble_is_told_and_passes(void)
{
    begin_viewing();
    atomic_store(&cluster.fail, RC_NO_QUORUM);
    UNIT_RC(view_refresh(view), RC_NO_QUORUM);
    UNIT_RC(change("key/r/a", 1, 2), RC_NO_QUORUM);
    CU_ASSERT_EQUAL(number_of("key/r/a"), 1);
    atomic_store(&cluster.fail, RC_OK);
    fake_cluster_put(&cluster, "key/r/a", "{\"n\":6}");
    CU_ASSERT(comes_to(view, "key/r/a", 6));
    end();
}

static void confirmation_tells_of_changes_but_not_of_last_uses(void)
{
    begin_viewing();
    uint64_t index = view_index(view);
    UNIT_OK(view_confirm(view, index));
    fake_cluster_put(&cluster, "used/r/a", "{\"n\":1}");
    UNIT_OK(view_confirm(view, index));
    fake_cluster_put(&cluster, "key/r/a", "{\"n\":5}");
    UNIT_RC(view_confirm(view, index), RC_VIEW_OLD);
    UNIT_OK(view_confirm(view, view_index(view)));
    end();
}

/* CUnit counts in one thread. */
static atomic_int wrong;
static void expect(bool is_right)
{
    if (!is_right)
        (void)atomic_fetch_add(&wrong, 1);
}

static void *refresh(void *context)
{
    (void)context;
    expect(view_refresh(view) == RC_OK);
    return NULL;
}

/* How often the cluster is asked by many at once, when it takes that long to answer. */
static unsigned asked_by_many(unsigned delay_ms)
{
    pthread_t threads[32];
    cluster.delay_ms = delay_ms;
    unsigned before = atomic_load(&cluster.asked);
    for (size_t i = 0; i < 32; i++)
        (void)pthread_create(&threads[i], NULL, refresh, NULL);
    for (size_t i = 0; i < 32; i++)
        (void)pthread_join(threads[i], NULL);
    return atomic_load(&cluster.asked) - before;
}

/* All of them come while the first is answered, if that takes long enough for this machine. */
static void refreshes_at_the_same_time_are_one(void)
{
    unsigned asked = 32;
    begin_viewing();
    for (unsigned delay_ms = 100; delay_ms <= 3200 && asked > 6; delay_ms *= 2)
        asked = asked_by_many(delay_ms);
    CU_ASSERT(asked <= 6);
    CU_ASSERT_EQUAL(atomic_exchange(&wrong, 0), 0);
    end();
}

static enum rc add_one(void)
{
    AUTO_RECORD *record = view_get(view, "key/r/a");
    struct view_changes changes = {.count = 0};
    json_int_t number = *(const json_int_t *)record->data + 1;
    enum rc rc =
        view_changes_add(&changes, "key/r/a", record->version, json_pack("{s:I}", "n", number));
    if (rc == RC_OK)
        rc = view_commit(view, &changes);
    view_changes_clear(&changes);
    return rc;
}

static void *count_up(void *context)
{
    (void)context;
    for (unsigned done = 0; done < 20;) {
        enum rc rc = add_one();
        done += rc == RC_OK ? 1 : 0;
        expect(rc == RC_OK || rc == RC_CONFLICT);
    }
    return NULL;
}

static void *look(void *context)
{
    const atomic_bool *stop = context;
    json_int_t last = 0;
    while (!atomic_load(stop)) {
        uint64_t index = view_index(view);
        AUTO_RECORD *record = view_get(view, "key/r/a");
        json_int_t now = *(const json_int_t *)record->data;
        expect(now >= last && view_index(view) >= index);
        last = now;
    }
    return NULL;
}

static void nothing_is_lost_between_threads(void)
{
    pthread_t writers[4];
    pthread_t readers[4];
    atomic_bool stop = false;
    begin_viewing();
    for (size_t i = 0; i < 4; i++) {
        (void)pthread_create(&writers[i], NULL, count_up, NULL);
        (void)pthread_create(&readers[i], NULL, look, &stop);
    }
    for (size_t i = 0; i < 4; i++)
        (void)pthread_join(writers[i], NULL);
    atomic_store(&stop, true);
    for (size_t i = 0; i < 4; i++)
        (void)pthread_join(readers[i], NULL);
    CU_ASSERT_EQUAL(number_of("key/r/a"), 81);
    CU_ASSERT_EQUAL(atomic_exchange(&wrong, 0), 0);
    end();
}

UNIT_SUITE("kms/view", UNIT_CASE(everything_is_read_at_the_start_page_by_page),
           UNIT_CASE(records_are_visited_by_prefix_in_order_after_a_key),
           UNIT_CASE(own_change_is_there_when_the_commit_returns),
           UNIT_CASE(conflict_changes_nothing_and_shows_what_came_between),
           UNIT_CASE(over_eight_changes_and_too_large_ones_are_refused),
           UNIT_CASE(a_commit_is_refused_when_what_it_rests_on_has_changed),
           UNIT_CASE(what_is_written_after_the_decided_change_completes_it),
           UNIT_CASE(two_front_ends_see_each_other),
           UNIT_CASE(unreadable_documents_are_passed_over_at_the_start),
           UNIT_CASE(unreadable_document_takes_the_old_records_rights_along),
           UNIT_CASE(what_could_not_be_read_is_not_written),
           UNIT_CASE(document_of_unknown_kind_is_kept_undecoded),
           UNIT_CASE(record_outlives_its_replacement), UNIT_CASE(whole_answer_replaces_everything),
           UNIT_CASE(hsm_that_is_behind_is_not_believed), UNIT_CASE(restored_cluster_is_read_anew),
           UNIT_CASE(trouble_is_told_and_passes),
           UNIT_CASE(confirmation_tells_of_changes_but_not_of_last_uses),
           UNIT_CASE(refreshes_at_the_same_time_are_one),
           UNIT_CASE(nothing_is_lost_between_threads));

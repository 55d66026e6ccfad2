/* SPDX-License-Identifier: Apache-2.0 */
/* The list of session objects, the cache of facts, and the session table at its limits. */
#include <stdlib.h>

#include "p11/facts.h"
#include "p11/owned.h"
#include "p11/session.h"
#include "tests/unit/unit.h"

static void objects_are_found_by_session_and_by_privacy(void)
{
    struct owned_objects all;
    owned_init(&all);
    for (CK_OBJECT_HANDLE h = 1; h <= 1000; h++) {
        struct owned_origin origin = {
            .session = h % 2 == 0 ? 8 : 9, .slot = 1, .is_private = h % 10 == 0};
        UNIT_OK(owned_put(&all, h, &origin, bytes_of_str("sealed"), 1));
    }
    CK_OBJECT_HANDLE found[1000];
    const struct owned_wanted session = {.session = 8};
    const struct owned_wanted private = {.private_of_slot = 1};
    const struct owned_wanted other = {.private_of_slot = 2};
    const struct owned_wanted every = {.all = true};
    CU_ASSERT_EQUAL(owned_list(&all, &session, found, 1000), 500);
    CU_ASSERT_EQUAL(owned_list(&all, &private, found, 1000), 100);
    CU_ASSERT_EQUAL(owned_list(&all, &other, found, 1000), 0);
    CU_ASSERT_EQUAL(owned_list(&all, &every, found, 7), 7);
    owned_clear(&all);
    CU_ASSERT_EQUAL(owned_count(&all), 0);
}

static void changed_object_keeps_its_session_and_has_the_new_seal(void)
{
    struct owned_objects all;
    owned_init(&all);
    struct owned_origin origin = {.session = 8};
    struct owned_origin changer = {.session = 9};
    UNIT_OK(owned_put(&all, 5, &origin, bytes_of_str("old"), 1));
    UNIT_OK(owned_put(&all, 5, &changer, bytes_of_str("new"), 2));
    CU_ASSERT_EQUAL(owned_count(&all), 1);
    AUTO_BUF sealed = BUF_INIT;
    UNIT_OK(owned_sealed(&all, 5, &sealed));
    CU_ASSERT(bytes_equal(buf_bytes(&sealed), bytes_of_str("new")));
    CK_OBJECT_HANDLE found[2];
    const struct owned_wanted wanted = {.session = 8};
    CU_ASSERT_EQUAL(owned_list(&all, &wanted, found, 2), 1);
    owned_remove(&all, 5);
    owned_remove(&all, 5);
    UNIT_RC(owned_sealed(&all, 5, &sealed), RC_OBJECT_HANDLE);
    owned_clear(&all);
}

static void session_objects_have_one_home_that_can_be_lost(void)
{
    struct owned_objects all;
    struct owned_origin origin = {.session = 8};
    owned_init(&all);
    owned_settle(&all, 3);
    CU_ASSERT_EQUAL(owned_home(&all),
                    0); /* without an object there is nothing to keep a home for */
    UNIT_OK(owned_put(&all, 5, &origin, bytes_of_str("a"), 1));
    UNIT_OK(owned_put(&all, 6, &origin, bytes_of_str("b"), 2));
    CU_ASSERT_EQUAL(owned_home(&all), 1);
    CU_ASSERT_EQUAL(owned_at(&all, 6), 2);
    owned_leave(&all, 2);
    CU_ASSERT_EQUAL(owned_home(&all), 1);
    owned_leave(&all, 1);
    CU_ASSERT_EQUAL(owned_home(&all), 0);
    owned_settle(&all, 2);
    owned_settle(&all, 1);
    CU_ASSERT_EQUAL(owned_home(&all), 2);
    owned_moved(&all, 5, 2);
    CU_ASSERT_EQUAL(owned_at(&all, 5), 2);
    owned_lost(&all, 2);
    CU_ASSERT_EQUAL(owned_at(&all, 5), 0);
    CU_ASSERT_EQUAL(owned_at(&all, 6), 0);
    CU_ASSERT_EQUAL(owned_home(&all), 2);
    owned_remove(&all, 5);
    owned_remove(&all, 6);
    CU_ASSERT_EQUAL(owned_home(&all), 0);
    owned_clear(&all);
}

static void facts_stay_until_dropped_or_crowded_out(void)
{
    struct facts_cache *cache = calloc(1, sizeof *cache);
    CU_ASSERT_PTR_NOT_NULL_FATAL(cache);
    facts_cache_init(cache);
    Qhsm__KeyFacts pb = QHSM__KEY_FACTS__INIT;
    const size_t room = (size_t)FACTS_SHARDS * FACTS_SHARD_SIZE;
    for (uint64_t h = 1; h <= room; h++) {
        pb.handle = h;
        UNIT_OK(facts_cache_put(cache, &pb, NULL));
    }
    struct facts *held = facts_cache_get(cache, 17);
    CU_ASSERT_PTR_NOT_NULL_FATAL(held);
    pb.handle = 17 + room;
    UNIT_OK(facts_cache_put(cache, &pb, NULL));
    CU_ASSERT_PTR_NULL(facts_cache_get(cache, 17));
    CU_ASSERT_EQUAL(held->handle, 17);
    facts_unref(held);
    facts_cache_drop(cache, 17);
    struct facts *other = facts_cache_get(cache, 17 + room);
    CU_ASSERT_PTR_NOT_NULL(other);
    facts_unref(other);
    facts_cache_drop(cache, 18);
    CU_ASSERT_PTR_NULL(facts_cache_get(cache, 18));
    facts_cache_clear(cache);
    CU_ASSERT_PTR_NULL(facts_cache_get(cache, 19));
    free(cache);
}

static void session_too_many_is_refused_and_one_closed_makes_room(void)
{
    struct session_table *table = calloc(1, sizeof *table);
    struct slot slot = {.id = 1};
    struct session *session = NULL;
    CU_ASSERT_PTR_NOT_NULL_FATAL(table);
    session_table_init(table);
    for (unsigned i = 0; i < SESSION_COUNT_MAX; i++) {
        UNIT_OK(session_open(table, &slot, 0, &session));
        session_unlock(session);
    }
    CK_SESSION_HANDLE last = session->handle;
    UNIT_RC(session_open(table, &slot, 0, &session), RC_SESSION_COUNT);
    UNIT_OK(session_lock(table, last, &session));
    session_close(table, session);
    UNIT_RC(session_lock(table, last, &session), RC_SESSION_INVALID);
    UNIT_OK(session_open(table, &slot, 0, &session));
    CU_ASSERT_NOT_EQUAL(session->handle, last);
    session_unlock(session);
    session_table_clear(table);
    free(table);
}

UNIT_SUITE("p11/tables", UNIT_CASE(objects_are_found_by_session_and_by_privacy),
           UNIT_CASE(changed_object_keeps_its_session_and_has_the_new_seal),
           UNIT_CASE(session_objects_have_one_home_that_can_be_lost),
           UNIT_CASE(facts_stay_until_dropped_or_crowded_out),
           UNIT_CASE(session_too_many_is_refused_and_one_closed_makes_room));

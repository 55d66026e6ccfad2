/* SPDX-License-Identifier: Apache-2.0 */
/* Session objects: owners, limits, sealed forms, and what happens when an application leaves. */
#include "token/session_objects.h"

#include <malloc.h>
#include <pthread.h>

#include "tests/unit/token/state_fixture.h"
#include "tests/unit/unit.h"

static const uint8_t mine[16] = {1};
static const uint8_t yours[16] = {2};

struct place {
    struct seal_keys *keys;
    struct session_objects *all;
};

static struct place place_open(uint64_t node, size_t per_application, size_t total)
{
    struct place place = {.keys = fixture_keys(1)};
    UNIT_OK(session_objects_new(place.keys, node, per_application, total, &place.all));
    return place;
}

static void place_close(struct place *place)
{
    session_objects_free(place->all);
    seal_keys_free(place->keys);
}

/* RC of adding a sample; handle and sealed form out. */
static enum rc add(struct place *place, const uint8_t application[16], const struct sample *sample,
                   uint64_t *out_handle, struct buf *out_sealed)
{
    AUTO_BUF record = BUF_INIT;
    sample_record(place->keys, sample, &record);
    return session_objects_add(place->all, application, buf_bytes(&record), out_handle, out_sealed);
}

static uint64_t add_one(struct place *place, const uint8_t application[16], uint64_t number)
{
    AUTO_BUF sealed = BUF_INIT;
    uint64_t handle = 0;
    UNIT_OK(add(place, application, &SAMPLE_AES(number, "s"), &handle, &sealed));
    return handle;
}

static bool has(struct place *place, const uint8_t application[16], uint64_t handle)
{
    AUTO_OBJECT *object = session_objects_get(place->all, application, handle);
    return object != NULL;
}

static void a_handle_names_its_node_and_owner(void)
{
    struct place place = place_open(5, 10, 100);
    uint64_t first = add_one(&place, mine, 1);
    uint64_t second = add_one(&place, mine, 2);
    CU_ASSERT_EQUAL(first >> 48, (SESSION_HANDLE_BIT >> 48) | 5);
    CU_ASSERT_EQUAL(second, first + 1);
    CU_ASSERT_TRUE(has(&place, mine, first));
    CU_ASSERT_FALSE(has(&place, yours, first));
    CU_ASSERT_FALSE(has(&place, mine, second + 1));
    place_close(&place);
}

static void limits_hold_for_an_application_and_in_all(void)
{
    struct place place = place_open(1, 2, 3);
    AUTO_BUF sealed = BUF_INIT;
    uint64_t handle = 0;
    uint64_t first = add_one(&place, mine, 1);
    (void)add_one(&place, mine, 2);
    UNIT_RC(add(&place, mine, &SAMPLE_AES(3, "s"), &handle, &sealed), RC_LIMIT);
    (void)add_one(&place, yours, 1);
    UNIT_RC(add(&place, yours, &SAMPLE_AES(2, "s"), &handle, &sealed), RC_LIMIT);
    CU_ASSERT_EQUAL(sealed.len, 0);
    UNIT_OK(session_objects_destroy(place.all, mine, first));
    UNIT_RC(session_objects_destroy(place.all, mine, first), RC_SESSION_OBJECT_LOST);
    CU_ASSERT_EQUAL(session_objects_count(place.all), 2);
    UNIT_OK(add(&place, yours, &SAMPLE_AES(2, "s"), &handle, &sealed));
    place_close(&place);
}

static void another_hsm_takes_the_sealed_form_back(void)
{
    struct place here = place_open(1, 10, 100);
    struct place there = place_open(2, 10, 100);
    AUTO_BUF sealed = BUF_INIT;
    uint64_t handle = 0;
    UNIT_OK(add(&here, mine, &SAMPLE_AES(1, "travels"), &handle, &sealed));
    CU_ASSERT_FALSE(has(&there, mine, handle));
    UNIT_OK(session_objects_restore(there.all, mine, handle, buf_bytes(&sealed)));
    UNIT_OK(session_objects_restore(there.all, mine, handle, buf_bytes(&sealed)));
    CU_ASSERT_EQUAL(session_objects_count(there.all), 1);
    AUTO_OBJECT *object = session_objects_get(there.all, mine, handle);
    CU_ASSERT_PTR_NOT_NULL_FATAL(object);
    AUTO_SECRET store = SECRET_INIT;
    struct attr_list list = {.count = 0};
    UNIT_OK(object_secrets(there.keys, object, &store, &list));
    CU_ASSERT_EQUAL(list.count, 1);
    place_close(&here);
    place_close(&there);
}

static void a_sealed_form_is_its_owners_under_its_handle_alone(void)
{
    struct place place = place_open(1, 10, 100);
    AUTO_BUF sealed = BUF_INIT;
    uint64_t handle = 0;
    UNIT_OK(add(&place, mine, &SAMPLE_AES(1, "s"), &handle, &sealed));
    struct bytes view = buf_bytes(&sealed);
    UNIT_RC(session_objects_restore(place.all, yours, handle, view), RC_TAMPERED);
    UNIT_RC(session_objects_restore(place.all, mine, handle + 1, view), RC_TAMPERED);
    UNIT_RC(session_objects_restore(place.all, mine, 17, view), RC_OBJECT_HANDLE);
    UNIT_RC(session_objects_restore(place.all, mine, UINT64_MAX, view), RC_OBJECT_HANDLE);
    UNIT_RC(session_objects_restore(place.all, mine, handle, bytes_slice(view, 1, view.len)),
            RC_TAMPERED);
    place_close(&place);
}

static void a_later_version_wins_over_an_earlier_one(void)
{
    struct place place = place_open(1, 10, 100);
    AUTO_BUF old = BUF_INIT;
    AUTO_BUF new = BUF_INIT;
    AUTO_BUF record = BUF_INIT;
    uint64_t handle = 0;
    UNIT_OK(add(&place, mine, &SAMPLE_AES(1, "old"), &handle, &old));
    struct sample changed = SAMPLE_AES(1, "new");
    changed.version = 2;
    sample_record(place.keys, &changed, &record);
    struct bytes view = buf_bytes(&record);
    UNIT_OK(session_objects_replace(place.all, mine, handle, view, &new));
    UNIT_RC(session_objects_replace(place.all, mine, handle, view, &new), RC_CONFLICT);
    UNIT_RC(session_objects_replace(place.all, yours, handle, view, &new), RC_SESSION_OBJECT_LOST);
    UNIT_OK(session_objects_restore(place.all, mine, handle, buf_bytes(&old)));
    AUTO_OBJECT *object = session_objects_get(place.all, mine, handle);
    CU_ASSERT_EQUAL(object->version, 2);
    struct place there = place_open(2, 10, 100);
    UNIT_OK(session_objects_restore(there.all, mine, handle, buf_bytes(&old)));
    UNIT_OK(session_objects_restore(there.all, mine, handle, buf_bytes(&new)));
    AUTO_OBJECT *restored = session_objects_get(there.all, mine, handle);
    CU_ASSERT_EQUAL(restored->version, 2);
    place_close(&place);
    place_close(&there);
}

static void a_search_sees_the_owners_objects_in_order(void)
{
    struct place place = place_open(1, 100, 100);
    uint64_t first = add_one(&place, mine, 1);
    uint64_t second = add_one(&place, mine, 2);
    (void)add_one(&place, yours, 3);
    const struct attr wanted = {.type = CKA_LABEL, .value = bytes_of_str("s")};
    const struct attrs attrs = {.ptr = &wanted, .count = 1};
    struct found found = {.count = 0};
    UNIT_OK(session_objects_find(place.all, mine, 1, attrs, true, 0, found_add, &found));
    CU_ASSERT_EQUAL(found.count, 2);
    CU_ASSERT_EQUAL(found.handles[0], first);
    CU_ASSERT_EQUAL(found.handles[1], second);
    found.count = 0;
    UNIT_OK(session_objects_find(place.all, mine, 1, attrs, true, first, found_add, &found));
    CU_ASSERT_EQUAL(found.count, 1);
    found.count = 0;
    UNIT_OK(session_objects_find(place.all, mine, 1, attrs, false, 0, found_add, &found));
    UNIT_OK(session_objects_find(place.all, mine, 2, attrs, true, 0, found_add, &found));
    CU_ASSERT_EQUAL(found.count, 0);
    place_close(&place);
}

static void objects_stay_for_the_grace_after_the_last_connection(void)
{
    struct place place = place_open(1, 10, 100);
    session_objects_attach(place.all, mine);
    session_objects_attach(place.all, mine);
    uint64_t handle = add_one(&place, mine, 1);
    session_objects_detach(place.all, mine, 1000);
    session_objects_expire(place.all, 999999, 100);
    CU_ASSERT_TRUE(has(&place, mine, handle));
    session_objects_detach(place.all, mine, 2000);
    session_objects_expire(place.all, 2099, 100);
    CU_ASSERT_TRUE(has(&place, mine, handle));
    session_objects_attach(place.all, mine);
    session_objects_expire(place.all, 999999, 100);
    CU_ASSERT_TRUE(has(&place, mine, handle));
    session_objects_detach(place.all, mine, 3000);
    session_objects_expire(place.all, 3100, 100);
    CU_ASSERT_FALSE(has(&place, mine, handle));
    CU_ASSERT_EQUAL(session_objects_count(place.all), 0);
    place_close(&place);
}

static void an_application_that_never_attached_expires_too(void)
{
    struct place place = place_open(1, 10, 100);
    (void)add_one(&place, mine, 1);
    session_objects_expire(place.all, 1000, 100);
    CU_ASSERT_EQUAL(session_objects_count(place.all), 1);
    session_objects_expire(place.all, 1100, 100);
    CU_ASSERT_EQUAL(session_objects_count(place.all), 0);
    place_close(&place);
}

static void a_logout_drops_the_private_objects_of_its_token(void)
{
    struct place place = place_open(1, 1000, 1000);
    AUTO_BUF sealed = BUF_INIT;
    uint64_t open_handle = 0;
    uint64_t elsewhere = 0;
    struct sample public_one = SAMPLE_AES(1, "p");
    public_one.is_private = false;
    struct sample other_token = SAMPLE_AES(2, "p");
    other_token.token = 2;
    UNIT_OK(add(&place, mine, &public_one, &open_handle, &sealed));
    UNIT_OK(add(&place, mine, &other_token, &elsewhere, &sealed));
    for (uint64_t i = 0; i < 150; i++)
        (void)add_one(&place, mine, i + 3);
    session_objects_drop_private(place.all, mine, 1);
    CU_ASSERT_EQUAL(session_objects_count(place.all), 2);
    CU_ASSERT_TRUE(has(&place, mine, open_handle));
    CU_ASSERT_TRUE(has(&place, mine, elsewhere));
    place_close(&place);
}

static void *churn(void *context)
{
    struct place *place = context;
    uint8_t application[16] = {7};
    for (unsigned i = 0; i < 300; i++) {
        application[1] = (uint8_t)(i % 3);
        session_objects_attach(place->all, application);
        AUTO_BUF sealed = BUF_INIT;
        uint64_t handle = 0;
        if (add(place, application, &SAMPLE_AES(i, "s"), &handle, &sealed) != RC_OK ||
            !has(place, application, handle))
            return context;
        if (i % 2 == 0 && session_objects_destroy(place->all, application, handle) != RC_OK)
            return context;
        session_objects_detach(place->all, application, i);
    }
    return NULL;
}

static void many_threads_come_and_go(void)
{
    struct place place = place_open(1, 100000, 100000);
    pthread_t threads[4];
    for (size_t i = 0; i < 4; i++)
        CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, churn, &place), 0);
    for (size_t i = 0; i < 4; i++) {
        void *failed = NULL;
        (void)pthread_join(threads[i], &failed);
        CU_ASSERT_PTR_NULL(failed);
    }
    CU_ASSERT_EQUAL(session_objects_count(place.all), 600);
    session_objects_expire(place.all, 100000, 1);
    CU_ASSERT_EQUAL(session_objects_count(place.all), 0);
    place_close(&place);
}

/* Else whoever connects under one name after another would fill the memory for the grace. (Under a
 * sanitizer mallinfo2() shows nothing.) */
static void an_application_without_objects_goes_at_once(void)
{
    struct place place = place_open(1, 10, 100);
    uint64_t kept = add_one(&place, yours, 1);
    size_t before = mallinfo2().uordblks;
    for (uint32_t i = 0; i < 10000; i++) {
        uint8_t passing[16] = {3};
        memcpy(passing + 4, &i, sizeof i);
        session_objects_attach(place.all, passing);
        session_objects_detach(place.all, passing, 1000);
    }
    session_objects_expire(place.all, 1001, 60000);
    CU_ASSERT_TRUE(mallinfo2().uordblks < before + (size_t)100 * 1024);
    CU_ASSERT_TRUE(has(&place, yours, kept));
    place_close(&place);
}

UNIT_SUITE("token/session_objects", UNIT_CASE(a_handle_names_its_node_and_owner),
           UNIT_CASE(limits_hold_for_an_application_and_in_all),
           UNIT_CASE(another_hsm_takes_the_sealed_form_back),
           UNIT_CASE(a_sealed_form_is_its_owners_under_its_handle_alone),
           UNIT_CASE(a_later_version_wins_over_an_earlier_one),
           UNIT_CASE(a_search_sees_the_owners_objects_in_order),
           UNIT_CASE(objects_stay_for_the_grace_after_the_last_connection),
           UNIT_CASE(an_application_that_never_attached_expires_too),
           UNIT_CASE(a_logout_drops_the_private_objects_of_its_token),
           UNIT_CASE(an_application_without_objects_goes_at_once),
           UNIT_CASE(many_threads_come_and_go));

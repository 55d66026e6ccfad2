/* SPDX-License-Identifier: Apache-2.0 */
/* The store's maps and indexes, sets of handles and the roster, against plain models; readers while
 * a writer works. */
#include "token/store.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/unit/token/state_fixture.h"
#include "tests/unit/unit.h"
#include "token/handle_set.h"
#include "token/roster.h"

/* A generator of our own: the same numbers everywhere. */
static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static struct object *sample_object(const struct seal_keys *keys, uint64_t handle,
                                    const struct sample *sample)
{
    AUTO_BUF record = BUF_INIT;
    struct object *object = NULL;
    sample_record(keys, sample, &record);
    UNIT_OK(object_from_record(handle, buf_bytes(&record), &object));
    return object;
}

static void put(struct store *store, const struct seal_keys *keys, uint64_t handle,
                const char *label)
{
    AUTO_OBJECT *object = sample_object(keys, handle, &SAMPLE_AES(handle, label));
    UNIT_OK(store_add(store, object));
}

static struct found find(const struct store *store, CK_ATTRIBUTE_TYPE type, struct bytes value,
                         uint64_t after, size_t max)
{
    struct found found = {.count = 0, .max = max};
    const struct attr wanted = {.type = type, .value = value};
    const struct attrs attrs = {.ptr = &wanted, .count = 1};
    /* Not an assertion: readers on other threads come here too. */
    if (store_find(store, 1, attrs, true, after, found_add, &found) != RC_OK)
        found.count = SIZE_MAX;
    return found;
}

static void a_set_of_handles_pages_like_a_sorted_list(void)
{
    struct handle_set set = {.count = 0};
    bool model[2000] = {false};
    uint64_t seed = 88172645463325252U;
    for (unsigned round = 0; round < 20000; round++) {
        uint64_t handle = next_random(&seed) % 1999 + 1;
        model[handle] = next_random(&seed) % 3 != 0;
        if (model[handle])
            UNIT_OK(handle_set_add(&set, handle));
        else
            handle_set_remove(&set, handle);
    }
    size_t expected = 0;
    for (size_t i = 0; i < 2000; i++)
        expected += model[i] ? 1 : 0;
    CU_ASSERT_EQUAL(handle_set_count(&set), expected);
    uint64_t page[7];
    uint64_t after = 0;
    size_t count = 0;
    for (size_t got = 7; got == 7;) {
        got = handle_set_page(&set, after, page, 7);
        for (size_t i = 0; i < got; i++) {
            CU_ASSERT_TRUE(page[i] > after && model[page[i]]);
            after = page[i];
        }
        count += got;
    }
    CU_ASSERT_EQUAL(count, expected);
    CU_ASSERT_EQUAL(handle_set_page(&set, UINT64_MAX, page, 7), 0);
    handle_set_clear(&set);
}

static void an_object_is_found_by_handle_until_it_is_removed(void)
{
    struct seal_keys *keys = fixture_keys(1);
    struct store *store = NULL;
    UNIT_OK(store_new(4, NULL, &store));
    for (uint64_t handle = 1; handle <= 300; handle++)
        put(store, keys, handle, "a");
    CU_ASSERT_EQUAL(store_count(store), 300);
    for (uint64_t handle = 2; handle <= 300; handle += 2)
        store_remove(store, handle);
    store_remove(store, 2);
    CU_ASSERT_EQUAL(store_count(store), 150);
    for (uint64_t handle = 1; handle <= 300; handle++) {
        AUTO_OBJECT *object = store_get(store, handle);
        CU_ASSERT_EQUAL(object != NULL, handle % 2 == 1);
        CU_ASSERT_TRUE(object == NULL || object->handle == handle);
    }
    CU_ASSERT_PTR_NULL(store_get(store, 0));
    store_free(store);
    seal_keys_free(keys);
}

static void a_search_pages_in_ascending_order(void)
{
    struct seal_keys *keys = fixture_keys(1);
    struct store *store = NULL;
    uint8_t class[8];
    UNIT_OK(store_new(4, NULL, &store));
    for (uint64_t handle = 200; handle >= 1; handle--)
        put(store, keys, handle, handle % 10 == 0 ? "tenth" : "other");
    struct found tenth = find(store, CKA_LABEL, bytes_of_str("tenth"), 0, 0);
    CU_ASSERT_EQUAL(tenth.count, 20);
    for (size_t i = 0; i < tenth.count; i++)
        CU_ASSERT_EQUAL(tenth.handles[i], (i + 1) * 10);
    uint64_t after = 0;
    size_t seen = 0;
    for (size_t got = 13; got == 13; seen += got) {
        struct found page = find(store, CKA_CLASS, attr_ulong(class, CKO_SECRET_KEY), after, 13);
        got = page.count;
        for (size_t i = 0; i < got; i++)
            CU_ASSERT_EQUAL(page.handles[i], after + i + 1);
        after += got;
    }
    CU_ASSERT_EQUAL(seen, 200);
    store_free(store);
    seal_keys_free(keys);
}

static void the_greatest_handles_are_found_alone_and_together(void)
{
    struct seal_keys *keys = fixture_keys(1);
    struct store *store = NULL;
    const uint64_t last = SESSION_HANDLE_BIT * 2 - 1;
    UNIT_OK(store_new(4, NULL, &store));
    put(store, keys, last, "a");
    struct found found = find(store, CKA_LABEL, bytes_of_str("a"), last - 1, 0);
    CU_ASSERT_TRUE(found.count == 1 && found.handles[0] == last);
    CU_ASSERT_EQUAL(find(store, CKA_LABEL, bytes_of_str("a"), last, 0).count, 0);
    put(store, keys, last - 1, "a");
    found = find(store, CKA_LABEL, bytes_of_str("a"), 0, 0);
    CU_ASSERT_TRUE(found.count == 2 && found.handles[0] == last - 1 && found.handles[1] == last);
    store_remove(store, last - 1);
    store_remove(store, last);
    CU_ASSERT_EQUAL(find(store, CKA_LABEL, bytes_of_str("a"), 0, 0).count, 0);
    store_free(store);
    seal_keys_free(keys);
}

static void a_replaced_object_leaves_its_old_indexes(void)
{
    struct seal_keys *keys = fixture_keys(1);
    struct store *store = NULL;
    UNIT_OK(store_new(1, NULL, &store));
    for (uint64_t handle = 1; handle <= 5; handle++)
        put(store, keys, handle, "old");
    AUTO_OBJECT *changed = sample_object(keys, 3, &SAMPLE_AES(3, "new"));
    UNIT_OK(store_replace(store, changed));
    CU_ASSERT_EQUAL(find(store, CKA_LABEL, bytes_of_str("old"), 0, 0).count, 4);
    struct found found = find(store, CKA_LABEL, bytes_of_str("new"), 0, 0);
    CU_ASSERT_EQUAL(found.count, 1);
    CU_ASSERT_EQUAL(found.handles[0], 3);
    AUTO_OBJECT *unknown = sample_object(keys, 9, &SAMPLE_AES(9, "new"));
    UNIT_RC(store_replace(store, unknown), RC_OBJECT_HANDLE);
    store_free(store);
    seal_keys_free(keys);
}

static void a_search_may_change_the_store_that_it_walks(void)
{
    struct seal_keys *keys = fixture_keys(1);
    struct store *store = NULL;
    UNIT_OK(store_new(4, NULL, &store));
    for (uint64_t handle = 1; handle <= 200; handle++)
        put(store, keys, handle, "x");
    struct found found = find(store, CKA_LABEL, bytes_of_str("x"), 0, 100);
    for (size_t i = 0; i < found.count; i++)
        store_remove(store, found.handles[i]);
    CU_ASSERT_EQUAL(find(store, CKA_LABEL, bytes_of_str("x"), 0, 0).count, 100);
    store_free(store);
    seal_keys_free(keys);
}

struct roster_walk {
    const bool *model;
    uint64_t last;
    size_t count;
    bool good;
};

static bool roster_step(struct object *object, void *context)
{
    struct roster_walk *walk = context;
    walk->good = walk->good && object->handle > walk->last && walk->model[object->handle];
    walk->last = object->handle;
    walk->count++;
    return true;
}

#define ROSTER_HANDLES 4000U

static void check_roster(const struct roster *roster, const bool *model)
{
    struct roster_walk walk = {.model = model, .good = true};
    size_t expected = 0;
    for (size_t i = 0; i < ROSTER_HANDLES; i++)
        expected += model[i] ? 1 : 0;
    roster_each(roster, roster_step, &walk);
    CU_ASSERT_TRUE(walk.good);
    CU_ASSERT_EQUAL(walk.count, expected);
    CU_ASSERT_EQUAL(roster->objects, expected);
}

static void roster_round(struct roster *roster, struct object **objects, bool *model,
                         uint64_t *seed, bool mostly_adds)
{
    uint64_t handle = next_random(seed) % (ROSTER_HANDLES - 1) + 1;
    bool add = next_random(seed) % 10 < (mostly_adds ? 8U : 2U);
    if (add && !model[handle]) {
        UNIT_OK(roster_add(roster, objects[handle]));
        model[handle] = true;
    } else if (add) {
        UNIT_OK(roster_replace(roster, objects[handle]));
    } else {
        UNIT_RC(roster_remove(roster, handle), model[handle] ? RC_OK : RC_NOT_FOUND);
        model[handle] = false;
    }
}

static void a_shared_roster_keeps_what_it_had(void)
{
    struct seal_keys *keys = fixture_keys(1);
    struct object **objects = calloc(ROSTER_HANDLES, sizeof(struct object *));
    bool model[ROSTER_HANDLES] = {false};
    bool frozen_model[ROSTER_HANDLES] = {false};
    struct roster roster = {.count = 0};
    struct roster frozen = {.count = 0};
    uint64_t seed = 88172645463325252U;
    CU_ASSERT_PTR_NOT_NULL_FATAL(objects);
    for (uint64_t i = 1; i < ROSTER_HANDLES; i++)
        objects[i] = sample_object(keys, i, &SAMPLE_AES(i, "r"));
    for (unsigned phase = 0; phase < 6; phase++) {
        for (unsigned i = 0; i < 6000; i++)
            roster_round(&roster, objects, model, &seed, phase % 2 == 0);
        check_roster(&roster, model);
        check_roster(&frozen, frozen_model);
        roster_clear(&frozen);
        UNIT_OK(roster_share(&roster, &frozen));
        memcpy(frozen_model, model, sizeof model);
    }
    roster_clear(&roster);
    check_roster(&frozen, frozen_model);
    roster_clear(&frozen);
    for (uint64_t i = 1; i < ROSTER_HANDLES; i++)
        object_unref(objects[i]);
    free(objects);
    seal_keys_free(keys);
}

/* ---- readers while the writer works ---- */

struct readers {
    struct store *store;
    atomic_bool stop;
    atomic_uint wrong;
};

#define STABLE 100U

static void *read_on(void *context)
{
    struct readers *readers = context;
    while (!atomic_load(&readers->stop)) {
        for (uint64_t handle = 1; handle <= STABLE; handle++) {
            AUTO_OBJECT *object = store_get(readers->store, handle);
            if (object == NULL || object->handle != handle)
                atomic_fetch_add(&readers->wrong, 1);
        }
        struct found found = find(readers->store, CKA_LABEL, bytes_of_str("stable"), 0, 0);
        if (found.count != STABLE)
            atomic_fetch_add(&readers->wrong, 1);
    }
    return NULL;
}

static void write_round(struct store *store, const struct seal_keys *keys, uint64_t base)
{
    for (uint64_t i = 0; i < 50; i++)
        put(store, keys, base + i, "passing");
    for (uint64_t i = 0; i < 50; i += 2) {
        AUTO_OBJECT *changed = sample_object(keys, base + i, &SAMPLE_AES(base + i, "changed"));
        UNIT_OK(store_replace(store, changed));
    }
    for (uint64_t i = 0; i < 50; i++)
        store_remove(store, base + i);
}

/* A store with the same stable objects takes the place of the live one. */
static void swap_round(struct store *store, const struct seal_keys *keys)
{
    struct store *fresh = NULL;
    UNIT_OK(store_new(4, store, &fresh));
    for (uint64_t handle = 1; handle <= STABLE; handle++)
        put(fresh, keys, handle, "stable");
    store_swap(store, fresh);
    store_free(fresh);
}

static void readers_see_stable_objects_while_others_change(void)
{
    struct seal_keys *keys = fixture_keys(1);
    struct readers readers = {.store = NULL};
    UNIT_OK(store_new(4, NULL, &readers.store));
    for (uint64_t handle = 1; handle <= STABLE; handle++)
        put(readers.store, keys, handle, "stable");
    pthread_t threads[3];
    for (size_t i = 0; i < 3; i++)
        CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, read_on, &readers), 0);
    for (uint64_t round = 0; round < 20; round++) {
        write_round(readers.store, keys, 1000 + round * 50);
        swap_round(readers.store, keys);
    }
    atomic_store(&readers.stop, true);
    for (size_t i = 0; i < 3; i++)
        (void)pthread_join(threads[i], NULL);
    CU_ASSERT_EQUAL(atomic_load(&readers.wrong), 0);
    CU_ASSERT_EQUAL(store_count(readers.store), STABLE);
    store_free(readers.store);
    seal_keys_free(keys);
}

UNIT_SUITE("token/store", UNIT_CASE(a_set_of_handles_pages_like_a_sorted_list),
           UNIT_CASE(an_object_is_found_by_handle_until_it_is_removed),
           UNIT_CASE(a_search_pages_in_ascending_order),
           UNIT_CASE(the_greatest_handles_are_found_alone_and_together),
           UNIT_CASE(a_replaced_object_leaves_its_old_indexes),
           UNIT_CASE(a_search_may_change_the_store_that_it_walks),
           UNIT_CASE(a_shared_roster_keeps_what_it_had),
           UNIT_CASE(readers_see_stable_objects_while_others_change));

/* SPDX-License-Identifier: Apache-2.0 */
/* Objects by handle. */
#include "token/store.h"

#include <stdlib.h>

#include "token/store_internal.h"

enum rc store_new(unsigned shards, const struct store *like, struct store **out)
{
    struct store *store = calloc(1, sizeof *store);
    if (store == NULL)
        return RC_NO_MEMORY;
    store->shards = shards;
    store->map = shards_new(shards);
    store->index = shards_new(shards);
    enum rc rc = store->map == NULL || store->index == NULL ? RC_NO_MEMORY : RC_OK;
    if (rc == RC_OK && like != NULL)
        store->seed = like->seed;
    else if (rc == RC_OK)
        rc = random_bytes(&store->seed, sizeof store->seed);
    if (rc == RC_OK)
        *out = store;
    else
        store_free(store);
    return rc;
}

static struct object *object_in(const struct table_slot *slot)
{
    return (struct object *)(uintptr_t)slot->value;
}

void store_free(struct store *store)
{
    if (store == NULL)
        return;
    for (unsigned i = 0; store->map != NULL && i < store->shards; i++) {
        const struct table *table = &store->map[i].table;
        for (size_t at = 0; at < table->cap; at++)
            if (table->slots[at].key != 0)
                object_unref(object_in(&table->slots[at]));
    }
    if (store->index != NULL)
        store_index_clear(store);
    shards_free(store->map, store->shards);
    shards_free(store->index, store->shards);
    free(store);
}

struct object *store_get(const struct store *store, uint64_t handle)
{
    if (handle == 0)
        return NULL;
    struct shard *shard = &store->map[store_shard(store, handle)];
    (void)pthread_rwlock_rdlock(&shard->lock);
    const struct table_slot *slot = table_find(&shard->table, handle);
    struct object *object = slot == NULL ? NULL : object_ref(object_in(slot));
    (void)pthread_rwlock_unlock(&shard->lock);
    return object;
}

size_t store_count(const struct store *store)
{
    return atomic_load_explicit(&store->count, memory_order_relaxed);
}

enum rc store_map_put(struct shard *shard, struct object *object)
{
    TRY(table_put(&shard->table, object->handle, (uint64_t)(uintptr_t)object));
    (void)object_ref(object);
    return RC_OK;
}

/* Puts the object under its handle; out_before: what was there, with its reference. */
static enum rc map_put(struct store *store, struct object *object, struct object **out_before)
{
    struct shard *shard = &store->map[store_shard(store, object->handle)];
    (void)pthread_rwlock_wrlock(&shard->lock);
    const struct table_slot *slot = table_find(&shard->table, object->handle);
    *out_before = slot == NULL ? NULL : object_in(slot);
    enum rc rc = store_map_put(shard, object);
    (void)pthread_rwlock_unlock(&shard->lock);
    return rc;
}

static struct object *map_take(struct store *store, uint64_t handle)
{
    struct shard *shard = &store->map[store_shard(store, handle)];
    (void)pthread_rwlock_wrlock(&shard->lock);
    struct table_slot *slot = table_find(&shard->table, handle);
    struct object *object = slot == NULL ? NULL : object_in(slot);
    if (slot != NULL)
        table_remove(&shard->table, slot);
    (void)pthread_rwlock_unlock(&shard->lock);
    return object;
}

static bool has_key(const struct index_keys *keys, uint64_t key)
{
    for (size_t i = 0; i < keys->count; i++)
        if (keys->keys[i] == key)
            return true;
    return false;
}

static void index_drop(struct store *store, const struct index_keys *keys,
                       const struct index_keys *but, uint64_t handle)
{
    for (size_t i = 0; i < keys->count; i++)
        if (!has_key(but, keys->keys[i]))
            store_index_remove(store, keys->keys[i], handle);
}

/* Under every key of `keys` that `before` lacks; all or none. */
static enum rc index_put(struct store *store, struct index_keys *keys,
                         const struct index_keys *before, uint64_t handle)
{
    enum rc rc = RC_OK;
    size_t done = 0;
    for (; done < keys->count && rc == RC_OK; done++)
        if (!has_key(before, keys->keys[done]))
            rc = store_index_add(store, keys->keys[done], handle);
    if (rc != RC_OK) {
        keys->count = done;
        index_drop(store, keys, before, handle);
    }
    return rc;
}

enum rc store_add(struct store *store, struct object *object)
{
    const struct index_keys none = {.count = 0};
    struct index_keys keys;
    struct object *before = NULL;
    store_index_keys(store, object, &keys);
    TRY(map_put(store, object, &before));
    enum rc rc = index_put(store, &keys, &none, object->handle);
    if (rc == RC_OK)
        atomic_fetch_add_explicit(&store->count, 1, memory_order_relaxed);
    else
        object_unref(map_take(store, object->handle));
    return rc;
}

enum rc store_replace(struct store *store, struct object *object)
{
    AUTO_OBJECT *before = store_get(store, object->handle);
    if (before == NULL)
        return rc_fail(RC_OBJECT_HANDLE, "no object %llu to replace",
                       (unsigned long long)object->handle);
    struct index_keys old_keys;
    struct index_keys new_keys;
    struct object *replaced = NULL;
    store_index_keys(store, before, &old_keys);
    store_index_keys(store, object, &new_keys);
    TRY(index_put(store, &new_keys, &old_keys, object->handle));
    TRY(map_put(store, object, &replaced));
    index_drop(store, &old_keys, &new_keys, object->handle);
    object_unref(replaced);
    return RC_OK;
}

void store_remove(struct store *store, uint64_t handle)
{
    const struct index_keys none = {.count = 0};
    AUTO_OBJECT *object = map_take(store, handle);
    if (object == NULL)
        return;
    struct index_keys keys;
    store_index_keys(store, object, &keys);
    index_drop(store, &keys, &none, handle);
    atomic_fetch_sub_explicit(&store->count, 1, memory_order_relaxed);
}

static void swap_shard(struct shard *live, struct shard *fresh)
{
    (void)pthread_rwlock_wrlock(&live->lock);
    struct table table = live->table;
    live->table = fresh->table;
    fresh->table = table;
    (void)pthread_rwlock_unlock(&live->lock);
}

void store_swap(struct store *live, struct store *fresh)
{
    for (unsigned i = 0; i < live->shards; i++) {
        swap_shard(&live->map[i], &fresh->map[i]);
        swap_shard(&live->index[i], &fresh->index[i]);
    }
    fresh->count = atomic_exchange(&live->count, fresh->count);
}

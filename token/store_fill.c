/* SPDX-License-Identifier: Apache-2.0 */
/* Many new objects at once: each thread of a crew enters them into a share of the shards. */
#include <stdlib.h>

#include "token/crew.h"
#include "token/store_internal.h"

struct fill {
    struct store *store;
    struct object *const *objects;
    size_t count;
    struct index_keys *keys; /* of each object */
    unsigned parts;
    enum rc results[CREW_MAX];
};

static void find_keys(void *context, unsigned part)
{
    const struct fill *fill = context;
    size_t end = crew_first(fill->count, fill->parts, part + 1);
    for (size_t i = crew_first(fill->count, fill->parts, part); i < end; i++)
        store_index_keys(fill->store, fill->objects[i], &fill->keys[i]);
}

static bool is_of(const struct fill *fill, unsigned part, unsigned shard)
{
    return shard % fill->parts == part;
}

static enum rc enter(struct fill *fill, unsigned part, size_t at)
{
    struct store *store = fill->store;
    struct object *object = fill->objects[at];
    const struct index_keys *keys = &fill->keys[at];
    unsigned shard = store_shard(store, object->handle);
    if (is_of(fill, part, shard))
        TRY(store_map_put(&store->map[shard], object));
    for (size_t i = 0; i < keys->count; i++) {
        shard = store_shard(store, keys->keys[i]);
        if (is_of(fill, part, shard))
            TRY(store_index_put(&store->index[shard], keys->keys[i], object->handle));
    }
    return RC_OK;
}

static void enter_all(void *context, unsigned part)
{
    struct fill *fill = context;
    for (size_t i = 0; i < fill->count && fill->results[part] == RC_OK; i++)
        fill->results[part] = enter(fill, part, i);
}

enum rc store_fill(struct store *store, struct object *const *objects, size_t count)
{
    struct fill fill = {.store = store, .objects = objects, .count = count};
    fill.parts = crew_size(count);
    fill.keys = calloc(count, sizeof fill.keys[0]);
    if (fill.keys == NULL)
        return RC_NO_MEMORY;
    crew_run(fill.parts, find_keys, &fill);
    crew_run(fill.parts, enter_all, &fill);
    free(fill.keys);
    for (unsigned i = 0; i < fill.parts; i++)
        TRY(fill.results[i]);
    atomic_fetch_add_explicit(&store->count, count, memory_order_relaxed);
    return RC_OK;
}

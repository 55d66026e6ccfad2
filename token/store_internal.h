/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of the store, for store*.c. */
#ifndef QHSM_TOKEN_STORE_INTERNAL_H
#define QHSM_TOKEN_STORE_INTERNAL_H

#include "token/sip_hash.h"
#include "token/store.h"
#include "token/store_table.h"

struct store {
    unsigned shards;
    struct sip_key seed;
    atomic_size_t count;
    struct shard *map;   /* handle -> struct object */
    struct shard *index; /* hash of {token, type, value} -> handle, or a handle_set when several */
};

/* All objects of a token are in the index under this type. */
#define STORE_INDEX_ALL   CK_UNAVAILABLE_INFORMATION
#define STORE_INDEX_TYPES 6U

struct index_keys {
    uint64_t keys[STORE_INDEX_TYPES];
    size_t count;
};

bool store_index_has(CK_ATTRIBUTE_TYPE type);
/* Two values may share a key: a search compares the objects themselves. */
uint64_t store_index_key(const struct store *store, uint64_t token, CK_ATTRIBUTE_TYPE type,
                         struct bytes value);
void store_index_keys(const struct store *store, const struct object *object,
                      struct index_keys *out);
/* Who calls these two holds the shard's lock, or the shard is its own. */
enum rc store_map_put(struct shard *shard, struct object *object);
enum rc store_index_put(struct shard *shard, uint64_t key, uint64_t handle);
enum rc store_index_add(struct store *store, uint64_t key, uint64_t handle);
void store_index_remove(struct store *store, uint64_t key, uint64_t handle);
size_t store_index_count(const struct store *store, uint64_t key);
size_t store_index_page(const struct store *store, uint64_t key, uint64_t after, uint64_t *out,
                        size_t max);
void store_index_clear(struct store *store);

static inline unsigned store_shard(const struct store *store, uint64_t key)
{
    return (unsigned)((key * 0x9e3779b97f4a7c15U) >> 48) & (store->shards - 1);
}

#endif

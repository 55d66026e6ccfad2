/* SPDX-License-Identifier: Apache-2.0 */
/* Indexes of the store: one table for all indexed attributes, a single handle in place, several in
 * a set. */
#include <stdlib.h>

#include "token/handle_set.h"
#include "token/store_internal.h"

static const CK_ATTRIBUTE_TYPE indexed[] = {CKA_LABEL, CKA_ID, CKA_UNIQUE_ID, CKA_CLASS,
                                            CKA_KEY_TYPE};

/* A slot's value: the address of a set, or a handle moved up by one bit with this bit below it. No
 * address has it, and none is hidden from LeakSanitizer. Handles count from one: 63 bits last. */
#define IS_HANDLE 1U

static uint64_t of_handle(uint64_t handle)
{
    return handle << 1 | IS_HANDLE;
}

static uint64_t handle_of(uint64_t value)
{
    return value >> 1;
}

static struct handle_set *set_of(uint64_t value)
{
    return (value & IS_HANDLE) != 0 ? NULL : (struct handle_set *)(uintptr_t)value;
}

bool store_index_has(CK_ATTRIBUTE_TYPE type)
{
    for (size_t i = 0; i < sizeof indexed / sizeof indexed[0]; i++)
        if (indexed[i] == type)
            return true;
    return false;
}

uint64_t store_index_key(const struct store *store, uint64_t token, CK_ATTRIBUTE_TYPE type,
                         struct bytes value)
{
    uint64_t key = sip_hash(&store->seed, token, type, value);
    return key == 0 ? 1 : key;
}

void store_index_keys(const struct store *store, const struct object *object,
                      struct index_keys *out)
{
    out->count = 0;
    out->keys[out->count++] = store_index_key(store, object->token, STORE_INDEX_ALL, BYTES_NONE);
    for (size_t i = 0; i < sizeof indexed / sizeof indexed[0]; i++) {
        struct bytes value;
        if (object_attr(object, indexed[i], &value))
            out->keys[out->count++] = store_index_key(store, object->token, indexed[i], value);
    }
}

static enum rc add_second(struct table_slot *slot, uint64_t handle)
{
    struct handle_set *set = calloc(1, sizeof *set);
    enum rc rc = set == NULL ? RC_NO_MEMORY : handle_set_add(set, handle_of(slot->value));
    if (rc == RC_OK)
        rc = handle_set_add(set, handle);
    if (rc == RC_OK) {
        slot->value = (uint64_t)(uintptr_t)set;
        return RC_OK;
    }
    if (set != NULL)
        handle_set_clear(set);
    free(set);
    return rc;
}

enum rc store_index_put(struct shard *shard, uint64_t key, uint64_t handle)
{
    struct table_slot *slot = table_find(&shard->table, key);
    if (slot == NULL)
        return table_put(&shard->table, key, of_handle(handle));
    if (set_of(slot->value) != NULL)
        return handle_set_add(set_of(slot->value), handle);
    return slot->value == of_handle(handle) ? RC_OK : add_second(slot, handle);
}

enum rc store_index_add(struct store *store, uint64_t key, uint64_t handle)
{
    struct shard *shard = &store->index[store_shard(store, key)];
    (void)pthread_rwlock_wrlock(&shard->lock);
    enum rc rc = store_index_put(shard, key, handle);
    (void)pthread_rwlock_unlock(&shard->lock);
    return rc;
}

void store_index_remove(struct store *store, uint64_t key, uint64_t handle)
{
    struct shard *shard = &store->index[store_shard(store, key)];
    (void)pthread_rwlock_wrlock(&shard->lock);
    struct table_slot *slot = table_find(&shard->table, key);
    struct handle_set *set = slot == NULL ? NULL : set_of(slot->value);
    if (set != NULL) {
        handle_set_remove(set, handle);
        if (handle_set_count(set) == 0) {
            handle_set_clear(set);
            free(set);
            table_remove(&shard->table, slot);
        }
    } else if (slot != NULL && slot->value == of_handle(handle)) {
        table_remove(&shard->table, slot);
    }
    (void)pthread_rwlock_unlock(&shard->lock);
}

size_t store_index_count(const struct store *store, uint64_t key)
{
    struct shard *shard = &store->index[store_shard(store, key)];
    (void)pthread_rwlock_rdlock(&shard->lock);
    const struct table_slot *slot = table_find(&shard->table, key);
    size_t count = slot == NULL ? 0 : 1;
    if (slot != NULL && set_of(slot->value) != NULL)
        count = handle_set_count(set_of(slot->value));
    (void)pthread_rwlock_unlock(&shard->lock);
    return count;
}

size_t store_index_page(const struct store *store, uint64_t key, uint64_t after, uint64_t *out,
                        size_t max)
{
    struct shard *shard = &store->index[store_shard(store, key)];
    (void)pthread_rwlock_rdlock(&shard->lock);
    const struct table_slot *slot = table_find(&shard->table, key);
    size_t found = 0;
    if (slot != NULL && set_of(slot->value) != NULL)
        found = handle_set_page(set_of(slot->value), after, out, max);
    else if (slot != NULL && handle_of(slot->value) > after)
        out[found++] = handle_of(slot->value);
    (void)pthread_rwlock_unlock(&shard->lock);
    return found;
}

void store_index_clear(struct store *store)
{
    for (unsigned i = 0; i < store->shards; i++) {
        struct table *table = &store->index[i].table;
        for (size_t at = 0; at < table->cap; at++) {
            struct handle_set *set =
                table->slots[at].key == 0 ? NULL : set_of(table->slots[at].value);
            if (set != NULL)
                handle_set_clear(set);
            free(set);
        }
        table_clear(table);
    }
}

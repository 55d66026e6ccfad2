/* SPDX-License-Identifier: Apache-2.0 */
/* Linear probing with backward shift: no tombstones, so a table never slows down with age. */
#include "token/store_table.h"

#include <stdlib.h>

#define CAP_MIN 8U

/* Handles are small numbers in a row; the finalizer of MurmurHash3 spreads them. */
static size_t home(const struct table *table, uint64_t key)
{
    key ^= key >> 33;
    key *= 0xff51afd7ed558ccdU;
    key ^= key >> 33;
    return (size_t)key & (table->cap - 1);
}

struct table_slot *table_find(const struct table *table, uint64_t key)
{
    if (table->cap == 0)
        return NULL;
    for (size_t at = home(table, key);; at = (at + 1) & (table->cap - 1)) {
        struct table_slot *slot = &table->slots[at];
        if (slot->key == key)
            return slot;
        if (slot->key == 0)
            return NULL;
    }
}

static void place(struct table *table, uint64_t key, uint64_t value)
{
    size_t at = home(table, key);
    while (table->slots[at].key != 0)
        at = (at + 1) & (table->cap - 1);
    table->slots[at] = (struct table_slot){.key = key, .value = value};
}

static enum rc grow(struct table *table)
{
    struct table grown = {.cap = table->cap == 0 ? CAP_MIN : table->cap * 2, .used = table->used};
    grown.slots = calloc(grown.cap, sizeof grown.slots[0]);
    if (grown.slots == NULL)
        return RC_NO_MEMORY;
    for (size_t i = 0; i < table->cap; i++)
        if (table->slots[i].key != 0)
            place(&grown, table->slots[i].key, table->slots[i].value);
    free(table->slots);
    *table = grown;
    return RC_OK;
}

enum rc table_put(struct table *table, uint64_t key, uint64_t value)
{
    struct table_slot *slot = table_find(table, key);
    if (slot != NULL) {
        slot->value = value;
        return RC_OK;
    }
    if ((table->used + 1) * 5 > table->cap * 4)
        TRY(grow(table));
    place(table, key, value);
    table->used++;
    return RC_OK;
}

void table_remove(struct table *table, const struct table_slot *slot)
{
    size_t mask = table->cap - 1;
    size_t hole = (size_t)(slot - table->slots);
    for (size_t at = (hole + 1) & mask; table->slots[at].key != 0; at = (at + 1) & mask) {
        size_t wants = home(table, table->slots[at].key);
        if (((at - wants) & mask) < ((at - hole) & mask))
            continue;
        table->slots[hole] = table->slots[at];
        hole = at;
    }
    table->slots[hole] = (struct table_slot){.key = 0, .value = 0};
    table->used--;
}

void table_clear(struct table *table)
{
    free(table->slots);
    *table = (struct table){.slots = NULL, .cap = 0, .used = 0};
}

int table_lock_init(pthread_rwlock_t *lock)
{
    pthread_rwlockattr_t attr;
    int error = pthread_rwlockattr_init(&attr);
    if (error != 0)
        return error;
    (void)pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    error = pthread_rwlock_init(lock, &attr);
    (void)pthread_rwlockattr_destroy(&attr);
    return error;
}

struct shard *shards_new(unsigned count)
{
    struct shard *shards = aligned_alloc(alignof(struct shard), count * sizeof *shards);
    if (shards == NULL)
        return NULL;
    memset(shards, 0, count * sizeof *shards);
    for (unsigned i = 0; i < count; i++) {
        if (table_lock_init(&shards[i].lock) != 0) {
            shards_free(shards, i);
            return NULL;
        }
    }
    return shards;
}

void shards_free(struct shard *shards, unsigned count)
{
    if (shards == NULL)
        return;
    for (unsigned i = 0; i < count; i++) {
        table_clear(&shards[i].table);
        (void)pthread_rwlock_destroy(&shards[i].lock);
    }
    free(shards);
}

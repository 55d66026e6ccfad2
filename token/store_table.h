/* SPDX-License-Identifier: Apache-2.0 */
/* A shard of the store: a lock and an open-addressing table from a 64-bit key to a 64-bit value. */
#ifndef QHSM_TOKEN_STORE_TABLE_H
#define QHSM_TOKEN_STORE_TABLE_H

#include <pthread.h>
#include <stdalign.h>

#include "common/bytes.h"
#include "common/rc.h"

struct table_slot {
    uint64_t key; /* 0: empty */
    uint64_t value;
};

struct table {
    struct table_slot *slots;
    size_t cap; /* power of two, or 0 */
    size_t used;
};

struct shard {
    alignas(64) pthread_rwlock_t lock;
    struct table table;
};

/* Keys are never 0. The caller holds the shard's lock. */
struct table_slot *table_find(const struct table *table, uint64_t key); /* NULL when absent */
/* Adds or overwrites. RC_NO_MEMORY: unchanged. */
enum rc table_put(struct table *table, uint64_t key, uint64_t value);
void table_remove(struct table *table, const struct table_slot *slot);
void table_clear(struct table *table);

/* A lock whose readers do not keep the writer waiting; no thread may take it twice. An errno. */
int table_lock_init(pthread_rwlock_t *lock);
/* `count` shards; NULL without memory. */
struct shard *shards_new(unsigned count);
void shards_free(struct shard *shards, unsigned count);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#include "p11/facts.h"

#include <stdlib.h>

struct facts *facts_ref(struct facts *facts)
{
    if (facts != NULL)
        atomic_fetch_add_explicit(&facts->references, 1, memory_order_relaxed);
    return facts;
}

void facts_unref(struct facts *facts)
{
    if (facts != NULL && atomic_fetch_sub(&facts->references, 1) == 1)
        free(facts);
}

bool facts_allow(const struct facts *facts, CK_MECHANISM_TYPE type)
{
    if (!facts->restricted)
        return true;
    for (size_t i = 0; i < facts->allowed_count; i++)
        if (facts->allowed[i] == type)
            return true;
    return false;
}

void facts_cache_init(struct facts_cache *cache)
{
    for (size_t i = 0; i < FACTS_SHARDS; i++)
        (void)pthread_mutex_init(&cache->shards[i].lock, NULL);
}

void facts_cache_clear(struct facts_cache *cache)
{
    for (size_t i = 0; i < FACTS_SHARDS; i++) {
        struct facts_shard *shard = &cache->shards[i];
        (void)pthread_mutex_lock(&shard->lock);
        for (size_t k = 0; k < FACTS_SHARD_SIZE; k++) {
            facts_unref(shard->items[k]);
            shard->items[k] = NULL;
        }
        (void)pthread_mutex_unlock(&shard->lock);
    }
}

static struct facts_shard *shard_of(struct facts_cache *cache, CK_OBJECT_HANDLE handle)
{
    return &cache->shards[handle % FACTS_SHARDS];
}

static struct facts **place_of(struct facts_shard *shard, CK_OBJECT_HANDLE handle)
{
    return &shard->items[handle / FACTS_SHARDS % FACTS_SHARD_SIZE];
}

struct facts *facts_cache_get(struct facts_cache *cache, CK_OBJECT_HANDLE handle)
{
    struct facts_shard *shard = shard_of(cache, handle);
    (void)pthread_mutex_lock(&shard->lock);
    struct facts *found = *place_of(shard, handle);
    found = found != NULL && found->handle == handle ? facts_ref(found) : NULL;
    (void)pthread_mutex_unlock(&shard->lock);
    return found;
}

static struct facts *facts_from_pb(const Qhsm__KeyFacts *pb)
{
    size_t count = pb->n_allowed_mechanisms;
    struct facts *facts = calloc(1, sizeof *facts + count * sizeof facts->allowed[0]);
    if (facts == NULL)
        return NULL;
    atomic_init(&facts->references, 1);
    facts->handle = pb->handle;
    facts->slot = pb->slot;
    facts->version = pb->version;
    facts->object_class = pb->object_class;
    facts->key_type = pb->key_type;
    facts->size_bits = pb->size_bits;
    facts->usage = pb->usage;
    facts->output_len = pb->output_len;
    facts->restricted = pb->restricted;
    facts->always_authenticate = pb->always_authenticate;
    facts->is_token = pb->is_token;
    facts->is_private = pb->is_private;
    facts->allowed_count = count;
    for (size_t i = 0; i < count; i++)
        facts->allowed[i] = pb->allowed_mechanisms[i];
    return facts;
}

static void replace(struct facts_cache *cache, CK_OBJECT_HANDLE handle, struct facts *fresh)
{
    struct facts_shard *shard = shard_of(cache, handle);
    (void)pthread_mutex_lock(&shard->lock);
    struct facts **place = place_of(shard, handle);
    struct facts *old = *place;
    if (fresh != NULL || (old != NULL && old->handle == handle))
        *place = fresh;
    else
        old = NULL;
    (void)pthread_mutex_unlock(&shard->lock);
    facts_unref(old);
}

enum rc facts_cache_put(struct facts_cache *cache, const Qhsm__KeyFacts *pb, struct facts **out)
{
    struct facts *fresh = facts_from_pb(pb);
    if (fresh == NULL)
        return RC_NO_MEMORY;
    if (out != NULL)
        *out = facts_ref(fresh);
    replace(cache, fresh->handle, fresh);
    return RC_OK;
}

void facts_cache_drop(struct facts_cache *cache, CK_OBJECT_HANDLE handle)
{
    replace(cache, handle, NULL);
}

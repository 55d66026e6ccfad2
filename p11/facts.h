/* SPDX-License-Identifier: Apache-2.0 */
/* What the module knows of keys, by handle, so that Init and length queries need no traffic. A
 * bounded cache: what falls out is fetched again. The daemon checks everything once more. */
#ifndef QHSM_P11_FACTS_H
#define QHSM_P11_FACTS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "common/cryptoki.h"
#include "common/rc.h"
#include "rpc/qhsm.pb-c.h"

/* Immutable once made. */
struct facts {
    atomic_uint references;
    CK_OBJECT_HANDLE handle;
    CK_SLOT_ID slot; /* 0: not told */
    uint64_t version;
    CK_OBJECT_CLASS object_class;
    CK_KEY_TYPE key_type;
    uint32_t size_bits;
    uint32_t usage; /* enum key_usage */
    uint32_t output_len;
    bool restricted;
    bool always_authenticate;
    bool is_token;
    bool is_private;
    size_t allowed_count;
    CK_MECHANISM_TYPE allowed[];
};

struct facts *facts_ref(struct facts *facts);
void facts_unref(struct facts *facts);
/* The key may be used with that mechanism as far as CKA_ALLOWED_MECHANISMS goes. */
bool facts_allow(const struct facts *facts, CK_MECHANISM_TYPE type);

#define FACTS_SHARDS     32U
#define FACTS_SHARD_SIZE 256U

struct facts_cache {
    struct facts_shard {
        pthread_mutex_t lock;
        struct facts *items[FACTS_SHARD_SIZE];
    } shards[FACTS_SHARDS];
};

void facts_cache_init(struct facts_cache *cache);
/* Drops all content; the locks stay usable. */
void facts_cache_clear(struct facts_cache *cache);
/* New reference, or NULL. */
struct facts *facts_cache_get(struct facts_cache *cache, CK_OBJECT_HANDLE handle);
/* Remembers what the daemon told; *out, when wanted, is a new reference. RC_NO_MEMORY. */
enum rc facts_cache_put(struct facts_cache *cache, const Qhsm__KeyFacts *pb, struct facts **out);
void facts_cache_drop(struct facts_cache *cache, CK_OBJECT_HANDLE handle);

#endif

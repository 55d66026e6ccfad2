/* SPDX-License-Identifier: Apache-2.0 */
/* Operations in progress: a hash table of short lists under one lock each. */
#include "cluster/operations.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define SHARDS 64U

struct entry {
    struct entry *next;
    uint8_t application[16];
    uint64_t number;
    struct operation *operation;
    uint64_t used_ms;
    size_t held;
    bool of_login;
    bool busy;
    bool doomed; /* to be freed when it comes back */
};

struct shard {
    pthread_mutex_t lock;
    struct entry *first;
};

struct operations {
    size_t per_application;
    size_t total;
    size_t held_max;
    _Atomic size_t count;
    _Atomic size_t held;
    _Atomic uint64_t next_number;
    struct shard shards[SHARDS];
};

/* An application's operations share a shard, so that they can be counted and dropped under one
 * lock. Its id is random. */
static struct shard *shard_of(struct operations *all, const uint8_t application[16])
{
    return &all->shards[application[0] % SHARDS];
}

static bool is_of(const struct entry *entry, const uint8_t application[16])
{
    return bytes_equal(bytes_of(entry->application, 16), bytes_of(application, 16));
}

static void entry_free(struct operations *all, struct entry *entry)
{
    operation_free(entry->operation);
    atomic_fetch_sub(&all->held, entry->held);
    free(entry);
    atomic_fetch_sub(&all->count, 1);
}

/* Unlinks and frees, or dooms one in use. Returns the link to go on from. */
static struct entry **drop(struct operations *all, struct entry **link)
{
    struct entry *entry = *link;
    if (entry->busy) {
        entry->doomed = true;
        return &entry->next;
    }
    *link = entry->next;
    entry_free(all, entry);
    return link;
}

enum rc operations_new(size_t per_application, size_t total, size_t held_max,
                       struct operations **out)
{
    struct operations *all = calloc(1, sizeof *all);
    if (all == NULL)
        return RC_NO_MEMORY;
    all->per_application = per_application;
    all->total = total;
    all->held_max = held_max;
    atomic_init(&all->next_number, 1);
    for (unsigned i = 0; i < SHARDS; i++)
        (void)pthread_mutex_init(&all->shards[i].lock, NULL);
    *out = all;
    return RC_OK;
}

void operations_free(struct operations *all)
{
    if (all == NULL)
        return;
    for (unsigned i = 0; i < SHARDS; i++) {
        while (all->shards[i].first != NULL) {
            struct entry *entry = all->shards[i].first;
            all->shards[i].first = entry->next;
            entry_free(all, entry);
        }
        (void)pthread_mutex_destroy(&all->shards[i].lock);
    }
    free(all);
}

static enum rc check_held(struct operations *all)
{
    if (atomic_load(&all->held) > all->held_max)
        return rc_fail(RC_LIMIT, "operations on this HSM hold more than %zu bytes back",
                       all->held_max);
    return RC_OK;
}

static enum rc check_room(struct operations *all, const struct shard *shard,
                          const uint8_t application[16])
{
    size_t own = 0;
    for (const struct entry *entry = shard->first; entry != NULL; entry = entry->next)
        own += is_of(entry, application) ? 1 : 0;
    if (own >= all->per_application)
        return rc_fail(RC_LIMIT, "%zu operations of this application are open, limit %zu", own,
                       all->per_application);
    if (atomic_load(&all->count) >= all->total)
        return rc_fail(RC_LIMIT, "%zu operations are open on this HSM", all->total);
    return RC_OK;
}

enum rc operations_add(struct operations *all, const uint8_t application[16], bool of_login,
                       struct operation *operation, uint64_t now_ms, uint64_t *out_number)
{
    struct entry *entry = calloc(1, sizeof *entry);
    if (entry == NULL)
        return RC_NO_MEMORY;
    memcpy(entry->application, application, sizeof entry->application);
    entry->operation = operation;
    entry->of_login = of_login;
    entry->used_ms = now_ms;
    entry->held = operation_held(operation);
    atomic_fetch_add(&all->held, entry->held);
    struct shard *shard = shard_of(all, application);
    (void)pthread_mutex_lock(&shard->lock);
    enum rc rc = check_room(all, shard, application);
    if (rc == RC_OK && entry->held > 0)
        rc = check_held(all);
    if (rc == RC_OK) {
        entry->number = atomic_fetch_add(&all->next_number, 1);
        *out_number = entry->number;
        entry->next = shard->first;
        shard->first = entry;
        atomic_fetch_add(&all->count, 1);
    }
    (void)pthread_mutex_unlock(&shard->lock);
    if (rc != RC_OK) {
        atomic_fetch_sub(&all->held, entry->held);
        free(entry);
    }
    return rc;
}

static struct entry **find(struct shard *shard, const uint8_t application[16], uint64_t number)
{
    struct entry **link = &shard->first;
    while (*link != NULL && ((*link)->number != number || !is_of(*link, application)))
        link = &(*link)->next;
    return link;
}

enum rc operations_take(struct operations *all, const uint8_t application[16], uint64_t number,
                        struct operation **out)
{
    struct shard *shard = shard_of(all, application);
    enum rc rc = RC_OK;
    (void)pthread_mutex_lock(&shard->lock);
    struct entry *entry = *find(shard, application, number);
    if (entry == NULL || entry->doomed)
        rc = rc_fail(RC_OPERATION_LOST, "this HSM has no operation %" PRIu64, number);
    else if (entry->busy)
        rc = rc_fail(RC_OPERATION_ACTIVE, "operation %" PRIu64 " is in use by another request",
                     number);
    if (rc == RC_OK) {
        entry->busy = true;
        *out = entry->operation;
    }
    (void)pthread_mutex_unlock(&shard->lock);
    return rc;
}

enum rc operations_weigh(struct operations *all, const uint8_t application[16], uint64_t number)
{
    struct shard *shard = shard_of(all, application);
    size_t before = 0;
    size_t now = 0;
    (void)pthread_mutex_lock(&shard->lock);
    struct entry *entry = *find(shard, application, number);
    if (entry != NULL) {
        before = entry->held;
        now = operation_held(entry->operation);
        entry->held = now;
        atomic_fetch_add(&all->held, now - before);
    }
    (void)pthread_mutex_unlock(&shard->lock);
    return now > before ? check_held(all) : RC_OK;
}

void operations_return(struct operations *all, const uint8_t application[16], uint64_t number,
                       bool keep, uint64_t now_ms)
{
    struct shard *shard = shard_of(all, application);
    (void)pthread_mutex_lock(&shard->lock);
    struct entry **link = find(shard, application, number);
    if (*link != NULL) {
        (*link)->busy = false;
        (*link)->used_ms = now_ms;
        if (!keep || (*link)->doomed)
            (void)drop(all, link);
    }
    (void)pthread_mutex_unlock(&shard->lock);
}

void operations_abort(struct operations *all, const uint8_t application[16], uint64_t number)
{
    struct shard *shard = shard_of(all, application);
    (void)pthread_mutex_lock(&shard->lock);
    struct entry **link = find(shard, application, number);
    if (*link != NULL)
        (void)drop(all, link);
    (void)pthread_mutex_unlock(&shard->lock);
}

void operations_drop_logins(struct operations *all, const uint8_t application[16])
{
    struct shard *shard = shard_of(all, application);
    (void)pthread_mutex_lock(&shard->lock);
    struct entry **link = &shard->first;
    while (*link != NULL)
        link = (*link)->of_login && is_of(*link, application) ? drop(all, link) : &(*link)->next;
    (void)pthread_mutex_unlock(&shard->lock);
}

void operations_expire(struct operations *all, uint64_t now_ms, uint64_t idle_ms)
{
    for (unsigned i = 0; i < SHARDS; i++) {
        struct shard *shard = &all->shards[i];
        (void)pthread_mutex_lock(&shard->lock);
        struct entry **link = &shard->first;
        while (*link != NULL) {
            bool old = !(*link)->busy && now_ms > (*link)->used_ms + idle_ms;
            link = old ? drop(all, link) : &(*link)->next;
        }
        (void)pthread_mutex_unlock(&shard->lock);
    }
}

size_t operations_count(struct operations *all)
{
    return atomic_load(&all->count);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Session objects: one small store an application, found through sharded tables. */
#include "token/session_objects.h"

#include <pthread.h>
#include <stdlib.h>

#include "token/sip_hash.h"
#include "token/store.h"

#define SHARDS          16U
#define BUCKETS         256U /* a shard */
#define APPLICATION_LEN 16U
#define AAD_LEN         (APPLICATION_LEN + 8U)

struct application {
    uint8_t id[APPLICATION_LEN];
    struct application *chain;
    atomic_uint refs;
    struct store *store;
    pthread_mutex_t change; /* one change at a time */
    bool gone;              /* expired: takes no object any more; under `change` */
    size_t attached;
    uint64_t detached_ms; /* 0: not yet known */
};

struct application_shard {
    pthread_mutex_t lock;
    struct application *buckets[BUCKETS];
};

struct session_objects {
    const struct seal_keys *keys;
    struct sip_key seed;
    uint64_t handle_base;
    _Atomic uint64_t counter;
    size_t per_application;
    size_t total;
    atomic_size_t count;
    struct application_shard shards[SHARDS];
};

#define COUNTER_BITS 48U
#define COUNTER_MASK (((uint64_t)1 << COUNTER_BITS) - 1)
#define NODE_MASK    0x3fffU

enum rc session_objects_new(const struct seal_keys *keys, uint64_t node, size_t per_application,
                            size_t total, struct session_objects **out)
{
    struct session_objects *all = calloc(1, sizeof *all);
    if (all == NULL)
        return RC_NO_MEMORY;
    /* A random start: after a restart no handle that a client still holds is given again. */
    uint64_t start = 0;
    enum rc rc = random_bytes(&start, sizeof start);
    if (rc == RC_OK)
        rc = random_bytes(&all->seed, sizeof all->seed);
    if (rc != RC_OK) {
        free(all);
        return rc;
    }
    all->keys = keys;
    all->handle_base = SESSION_HANDLE_BIT | (node & NODE_MASK) << COUNTER_BITS;
    atomic_init(&all->counter, start & (COUNTER_MASK >> 1));
    all->per_application = per_application;
    all->total = total;
    for (unsigned i = 0; i < SHARDS; i++)
        (void)pthread_mutex_init(&all->shards[i].lock, NULL);
    *out = all;
    return RC_OK;
}

static void application_unref(struct application *application)
{
    if (application == NULL || atomic_fetch_sub(&application->refs, 1) != 1)
        return;
    store_free(application->store);
    (void)pthread_mutex_destroy(&application->change);
    free(application);
}

static void application_auto_unref(struct application **application)
{
    application_unref(*application);
}
#define AUTO_APPLICATION __attribute__((cleanup(application_auto_unref))) struct application

void session_objects_free(struct session_objects *all)
{
    if (all == NULL)
        return;
    for (unsigned i = 0; i < SHARDS; i++) {
        for (unsigned b = 0; b < BUCKETS; b++) {
            for (struct application *next, *at = all->shards[i].buckets[b]; at != NULL; at = next) {
                next = at->chain;
                application_unref(at);
            }
        }
        (void)pthread_mutex_destroy(&all->shards[i].lock);
    }
    free(all);
}

static struct application_shard *shard_of(struct session_objects *all, const uint8_t id[16],
                                          struct application ***out_bucket)
{
    uint64_t hash = sip_hash(&all->seed, 0, 0, bytes_of(id, APPLICATION_LEN));
    struct application_shard *shard = &all->shards[hash % SHARDS];
    *out_bucket = &shard->buckets[hash / SHARDS % BUCKETS];
    return shard;
}

static struct application *application_new(const uint8_t id[16])
{
    struct application *application = calloc(1, sizeof *application);
    if (application == NULL)
        return NULL;
    if (store_new(1, NULL, &application->store) != RC_OK) {
        free(application);
        return NULL;
    }
    memcpy(application->id, id, APPLICATION_LEN);
    atomic_init(&application->refs, 1);
    (void)pthread_mutex_init(&application->change, NULL);
    return application;
}

/* In a locked bucket; made when absent and `make`. NULL: absent, or without memory. */
static struct application *in_bucket(struct application **bucket, const uint8_t id[16], bool make)
{
    struct application *at = *bucket;
    while (at != NULL &&
           !bytes_equal(bytes_of(at->id, APPLICATION_LEN), bytes_of(id, APPLICATION_LEN)))
        at = at->chain;
    if (at != NULL || !make)
        return at;
    at = application_new(id);
    if (at != NULL) {
        at->chain = *bucket;
        *bucket = at;
    }
    return at;
}

/* A new reference. */
static struct application *application_get(struct session_objects *all, const uint8_t id[16],
                                           bool make)
{
    struct application **bucket = NULL;
    struct application_shard *shard = shard_of(all, id, &bucket);
    (void)pthread_mutex_lock(&shard->lock);
    struct application *at = in_bucket(bucket, id, make);
    if (at != NULL)
        atomic_fetch_add(&at->refs, 1);
    (void)pthread_mutex_unlock(&shard->lock);
    return at;
}

static void aad_of(const uint8_t id[16], uint64_t handle, uint8_t out[AAD_LEN])
{
    memcpy(out, id, APPLICATION_LEN);
    for (unsigned i = 0; i < 8; i++)
        out[APPLICATION_LEN + i] = (uint8_t)(handle >> (8 * i));
}

static enum rc seal_record(const struct session_objects *all, const uint8_t id[16], uint64_t handle,
                           struct bytes record, struct buf *out)
{
    uint8_t aad[AAD_LEN];
    aad_of(id, handle, aad);
    return seal(all->keys, SEAL_SESSION_OBJECT, bytes_of(aad, sizeof aad), record, out);
}

/* Adds under the application's lock, within the limits. */
static enum rc add_object(struct session_objects *all, struct application *application,
                          struct object *object)
{
    if (application->gone)
        return rc_fail(RC_CONFLICT, "the application's connections have all gone");
    if (store_count(application->store) >= all->per_application)
        return rc_fail(RC_LIMIT, "the application has %zu session objects, the limit",
                       all->per_application);
    if (atomic_fetch_add(&all->count, 1) >= all->total) {
        atomic_fetch_sub(&all->count, 1);
        return rc_fail(RC_LIMIT, "this HSM has %zu session objects, the limit", all->total);
    }
    enum rc rc = store_add(application->store, object);
    if (rc != RC_OK)
        atomic_fetch_sub(&all->count, 1);
    return rc;
}

/* What expired was taken off the count already. */
static void remove_object(struct session_objects *all, struct application *owner, uint64_t handle)
{
    store_remove(owner->store, handle);
    if (!owner->gone)
        atomic_fetch_sub(&all->count, 1);
}

enum rc session_objects_add(struct session_objects *all, const uint8_t application[16],
                            struct bytes record, uint64_t *out_handle, struct buf *out_sealed)
{
    uint64_t number = atomic_fetch_add(&all->counter, 1) & COUNTER_MASK;
    uint64_t handle = all->handle_base | number;
    AUTO_APPLICATION *owner = application_get(all, application, true);
    if (owner == NULL)
        return RC_NO_MEMORY;
    AUTO_OBJECT *object = NULL;
    AUTO_BUF sealed = BUF_INIT;
    TRY(object_from_record(handle, record, &object));
    TRY(seal_record(all, application, handle, record, &sealed));
    TRY(buf_reserve(out_sealed, sealed.len));
    (void)pthread_mutex_lock(&owner->change);
    enum rc rc = add_object(all, owner, object);
    (void)pthread_mutex_unlock(&owner->change);
    TRY(rc);
    *out_handle = handle;
    return buf_append(out_sealed, buf_bytes(&sealed));
}

/* What is here already gives way to a later version only. */
static enum rc put_restored(struct session_objects *all, struct application *owner,
                            struct object *object)
{
    AUTO_OBJECT *here = store_get(owner->store, object->handle);
    if (here == NULL)
        return add_object(all, owner, object);
    return here->version < object->version ? store_replace(owner->store, object) : RC_OK;
}

enum rc session_objects_restore(struct session_objects *all, const uint8_t application[16],
                                uint64_t handle, struct bytes sealed)
{
    uint8_t aad[AAD_LEN];
    AUTO_SECRET record = SECRET_INIT;
    AUTO_OBJECT *object = NULL;
    if ((handle & SESSION_HANDLE_BIT) == 0 || handle >= SESSION_HANDLE_BIT << 1)
        return rc_fail(RC_OBJECT_HANDLE, "that is not the handle of a session object");
    aad_of(application, handle, aad);
    TRY(unseal(all->keys, SEAL_SESSION_OBJECT, bytes_of(aad, sizeof aad), sealed, &record));
    TRY(object_from_record(handle, secret_expose(&record), &object));
    AUTO_APPLICATION *owner = application_get(all, application, true);
    if (owner == NULL)
        return RC_NO_MEMORY;
    (void)pthread_mutex_lock(&owner->change);
    enum rc rc = put_restored(all, owner, object);
    (void)pthread_mutex_unlock(&owner->change);
    return rc;
}

struct object *session_objects_get(struct session_objects *all, const uint8_t application[16],
                                   uint64_t handle)
{
    AUTO_APPLICATION *owner = application_get(all, application, false);
    return owner == NULL ? NULL : store_get(owner->store, handle);
}

static enum rc replace_object(struct application *owner, struct object *object)
{
    AUTO_OBJECT *here = store_get(owner->store, object->handle);
    if (here == NULL)
        return rc_fail(RC_SESSION_OBJECT_LOST, "the session object is not on this HSM");
    if (object->version != here->version + 1)
        return rc_fail(RC_CONFLICT, "the session object was changed meanwhile");
    return store_replace(owner->store, object);
}

enum rc session_objects_replace(struct session_objects *all, const uint8_t application[16],
                                uint64_t handle, struct bytes record, struct buf *out_sealed)
{
    AUTO_APPLICATION *owner = application_get(all, application, false);
    if (owner == NULL)
        return rc_fail(RC_SESSION_OBJECT_LOST, "the session object is not on this HSM");
    AUTO_OBJECT *object = NULL;
    AUTO_BUF sealed = BUF_INIT;
    TRY(object_from_record(handle, record, &object));
    TRY(seal_record(all, application, handle, record, &sealed));
    TRY(buf_reserve(out_sealed, sealed.len));
    (void)pthread_mutex_lock(&owner->change);
    enum rc rc = replace_object(owner, object);
    (void)pthread_mutex_unlock(&owner->change);
    TRY(rc);
    return buf_append(out_sealed, buf_bytes(&sealed));
}

enum rc session_objects_destroy(struct session_objects *all, const uint8_t application[16],
                                uint64_t handle)
{
    AUTO_APPLICATION *owner = application_get(all, application, false);
    if (owner == NULL)
        return rc_fail(RC_SESSION_OBJECT_LOST, "the session object is not on this HSM");
    (void)pthread_mutex_lock(&owner->change);
    AUTO_OBJECT *object = store_get(owner->store, handle);
    if (object != NULL)
        remove_object(all, owner, handle);
    (void)pthread_mutex_unlock(&owner->change);
    return object != NULL
               ? RC_OK
               : rc_fail(RC_SESSION_OBJECT_LOST, "the session object is not on this HSM");
}

enum rc session_objects_find(struct session_objects *all, const uint8_t application[16],
                             uint64_t token, struct attrs wanted, bool see_private, uint64_t after,
                             state_visit visit, void *context)
{
    AUTO_APPLICATION *owner = application_get(all, application, false);
    if (owner == NULL)
        return RC_OK;
    return store_find(owner->store, token, wanted, see_private, after, visit, context);
}

void session_objects_attach(struct session_objects *all, const uint8_t application[16])
{
    struct application **bucket = NULL;
    struct application_shard *shard = shard_of(all, application, &bucket);
    (void)pthread_mutex_lock(&shard->lock);
    struct application *at = in_bucket(bucket, application, true);
    if (at != NULL)
        at->attached++;
    (void)pthread_mutex_unlock(&shard->lock);
}

void session_objects_detach(struct session_objects *all, const uint8_t application[16],
                            uint64_t now_ms)
{
    struct application **bucket = NULL;
    struct application_shard *shard = shard_of(all, application, &bucket);
    (void)pthread_mutex_lock(&shard->lock);
    struct application *at = in_bucket(bucket, application, false);
    if (at != NULL && at->attached > 0 && --at->attached == 0)
        at->detached_ms = now_ms;
    (void)pthread_mutex_unlock(&shard->lock);
}

/* Has nobody been connected for the grace? One that never was begins to wait now; one without
 * objects has nothing to wait for. */
static bool is_expired(struct application *at, uint64_t now_ms, uint64_t grace_ms)
{
    if (at->attached > 0)
        return false;
    if (store_count(at->store) == 0)
        return true;
    if (at->detached_ms == 0)
        at->detached_ms = now_ms;
    return now_ms > at->detached_ms && now_ms - at->detached_ms >= grace_ms;
}

static void expire_bucket(struct session_objects *all, struct application **link, uint64_t now_ms,
                          uint64_t grace_ms)
{
    while (*link != NULL) {
        struct application *at = *link;
        if (!is_expired(at, now_ms, grace_ms)) {
            link = &at->chain;
            continue;
        }
        *link = at->chain;
        (void)pthread_mutex_lock(&at->change);
        at->gone = true;
        atomic_fetch_sub(&all->count, store_count(at->store));
        (void)pthread_mutex_unlock(&at->change);
        application_unref(at);
    }
}

void session_objects_expire(struct session_objects *all, uint64_t now_ms, uint64_t grace_ms)
{
    for (unsigned i = 0; i < SHARDS; i++) {
        (void)pthread_mutex_lock(&all->shards[i].lock);
        for (unsigned b = 0; b < BUCKETS; b++)
            expire_bucket(all, &all->shards[i].buckets[b], now_ms, grace_ms);
        (void)pthread_mutex_unlock(&all->shards[i].lock);
    }
}

struct private_list {
    uint64_t handles[64];
    size_t count;
};

static bool collect_private(struct object *object, void *context)
{
    struct private_list *list = context;
    if ((object->flags & OBJECT_PRIVATE) != 0)
        list->handles[list->count++] = object->handle;
    return list->count < 64;
}

void session_objects_drop_private(struct session_objects *all, const uint8_t application[16],
                                  uint64_t token)
{
    AUTO_APPLICATION *owner = application_get(all, application, false);
    if (owner == NULL)
        return;
    const struct attr wanted = {.type = CKA_PRIVATE, .value = attr_true()};
    const struct attrs privates = {.ptr = &wanted, .count = 1};
    struct private_list list = {.count = 64};
    (void)pthread_mutex_lock(&owner->change);
    while (list.count == 64) {
        list.count = 0;
        if (store_find(owner->store, token, privates, true, 0, collect_private, &list) != RC_OK)
            break;
        for (size_t i = 0; i < list.count; i++)
            remove_object(all, owner, list.handles[i]);
    }
    (void)pthread_mutex_unlock(&owner->change);
}

size_t session_objects_count(const struct session_objects *all)
{
    return atomic_load(&all->count);
}

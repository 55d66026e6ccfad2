/* SPDX-License-Identifier: Apache-2.0 */
/* A table of backing keys by cluster and id. */
#include "kms/backing_handles.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#define BUCKETS   4096U /* a power of two */
#define COUNT_MAX 65536U

struct name {
    uint8_t cluster[16];
    uint8_t id[HSM_ID_LEN]; /* random */
};

struct entry {
    struct entry *next;
    struct name name;
    uint64_t handle;
};

struct backing_handles {
    pthread_rwlock_t lock;
    _Atomic size_t count; /* looked at without the lock: most front ends know no other handle */
    struct entry *buckets[BUCKETS];
};

enum rc backing_handles_new(struct backing_handles **out)
{
    struct backing_handles *handles = calloc(1, sizeof *handles);
    if (handles == NULL)
        return RC_NO_MEMORY;
    (void)pthread_rwlock_init(&handles->lock, NULL);
    *out = handles;
    return RC_OK;
}

static void empty(struct backing_handles *handles)
{
    for (unsigned i = 0; i < BUCKETS; i++)
        while (handles->buckets[i] != NULL) {
            struct entry *entry = handles->buckets[i];
            handles->buckets[i] = entry->next;
            free(entry);
        }
    atomic_store(&handles->count, 0);
}

void backing_handles_free(struct backing_handles *handles)
{
    if (handles == NULL)
        return;
    empty(handles);
    (void)pthread_rwlock_destroy(&handles->lock);
    free(handles);
}

static struct name name_of(const struct hsm_client *hsm, const uint8_t id[HSM_ID_LEN])
{
    struct name name;
    hsm_client_cluster(hsm, name.cluster);
    memcpy(name.id, id, HSM_ID_LEN);
    return name;
}

static struct entry **place_of(struct backing_handles *handles, const struct name *name)
{
    unsigned bucket = (name->id[0] | (unsigned)name->id[1] << 8) & (BUCKETS - 1);
    struct entry **at = &handles->buckets[bucket];
    while (*at != NULL &&
           !bytes_equal(bytes_of(&(*at)->name, sizeof *name), bytes_of(name, sizeof *name)))
        at = &(*at)->next;
    return at;
}

uint64_t backing_handles_get(struct backing_handles *handles, const struct hsm_client *hsm,
                             const uint8_t id[HSM_ID_LEN])
{
    uint64_t handle = 0;
    if (handles == NULL || atomic_load_explicit(&handles->count, memory_order_relaxed) == 0)
        return 0;
    struct name name = name_of(hsm, id);
    (void)pthread_rwlock_rdlock(&handles->lock);
    const struct entry *entry = *place_of(handles, &name);
    if (entry != NULL)
        handle = entry->handle;
    (void)pthread_rwlock_unlock(&handles->lock);
    return handle;
}

/* Without memory nothing is remembered, and the next use asks again. */
static void put_locked(struct backing_handles *handles, const struct name *name, uint64_t handle)
{
    if (atomic_load(&handles->count) >= COUNT_MAX)
        empty(handles);
    struct entry **at = place_of(handles, name);
    if (*at == NULL && (*at = calloc(1, sizeof **at)) != NULL) {
        (*at)->name = *name;
        (void)atomic_fetch_add(&handles->count, 1);
    }
    if (*at != NULL)
        (*at)->handle = handle;
}

static void drop_locked(struct backing_handles *handles, const struct name *name)
{
    struct entry **at = place_of(handles, name);
    struct entry *entry = *at;
    if (entry == NULL)
        return;
    *at = entry->next;
    free(entry);
    (void)atomic_fetch_sub(&handles->count, 1);
}

static bool take_first(void *context, const struct hsm_key *key)
{
    uint64_t *handle = context;
    *handle = key->handle;
    return false;
}

enum rc backing_handles_find(struct backing_handles *handles, struct hsm_client *hsm,
                             const char *label, const uint8_t id[HSM_ID_LEN], uint64_t *out)
{
    uint64_t handle = 0;
    TRY(hsm_find(hsm, label, id, take_first, &handle));
    struct name name = name_of(hsm, id);
    if (handles != NULL) {
        (void)pthread_rwlock_wrlock(&handles->lock);
        if (handle != 0)
            put_locked(handles, &name, handle);
        else
            drop_locked(handles, &name);
        (void)pthread_rwlock_unlock(&handles->lock);
    }
    if (handle == 0)
        return rc_fail(RC_OBJECT_HANDLE, "no backing key of %s with that id", label);
    *out = handle;
    return RC_OK;
}

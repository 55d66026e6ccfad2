/* SPDX-License-Identifier: Apache-2.0 */
#include "p11/owned.h"

#include <stdlib.h>

struct owned_object {
    struct owned_object *next;
    CK_OBJECT_HANDLE handle;
    struct owned_origin origin;
    uint64_t at;
    struct buf sealed;
};

void owned_init(struct owned_objects *all)
{
    *all = (struct owned_objects){.count = 0};
    (void)pthread_mutex_init(&all->lock, NULL);
}

static void object_free(struct owned_object *object)
{
    buf_clear(&object->sealed);
    free(object);
}

void owned_clear(struct owned_objects *all)
{
    for (size_t i = 0; i < OWNED_BUCKETS; i++) {
        while (all->buckets[i] != NULL) {
            struct owned_object *object = all->buckets[i];
            all->buckets[i] = object->next;
            object_free(object);
        }
    }
    all->count = 0;
    all->home = 0;
}

/* The link that points to the object, or to the end of its bucket's chain. */
static struct owned_object **link_of(struct owned_objects *all, CK_OBJECT_HANDLE handle)
{
    struct owned_object **link = &all->buckets[handle % OWNED_BUCKETS];
    while (*link != NULL && (*link)->handle != handle)
        link = &(*link)->next;
    return link;
}

enum rc owned_put(struct owned_objects *all, CK_OBJECT_HANDLE handle,
                  const struct owned_origin *origin, struct bytes sealed, uint64_t at)
{
    struct owned_object *fresh = calloc(1, sizeof *fresh);
    if (fresh == NULL)
        return RC_NO_MEMORY;
    fresh->handle = handle;
    fresh->origin = *origin;
    fresh->at = at;
    fresh->sealed = (struct buf)BUF_INIT;
    enum rc rc = buf_append(&fresh->sealed, sealed);
    if (rc != RC_OK) {
        object_free(fresh);
        return rc;
    }
    (void)pthread_mutex_lock(&all->lock);
    struct owned_object **link = link_of(all, handle);
    struct owned_object *old = *link;
    if (old != NULL) {
        fresh->origin = old->origin;
        fresh->next = old->next;
    } else {
        all->count++;
    }
    *link = fresh;
    if (all->home == 0)
        all->home = at;
    (void)pthread_mutex_unlock(&all->lock);
    if (old != NULL)
        object_free(old);
    return RC_OK;
}

void owned_remove(struct owned_objects *all, CK_OBJECT_HANDLE handle)
{
    (void)pthread_mutex_lock(&all->lock);
    struct owned_object **link = link_of(all, handle);
    struct owned_object *old = *link;
    if (old != NULL) {
        *link = old->next;
        all->count--;
    }
    if (all->count == 0)
        all->home = 0;
    (void)pthread_mutex_unlock(&all->lock);
    if (old != NULL)
        object_free(old);
}

bool owned_has(struct owned_objects *all, CK_OBJECT_HANDLE handle)
{
    (void)pthread_mutex_lock(&all->lock);
    bool has = *link_of(all, handle) != NULL;
    (void)pthread_mutex_unlock(&all->lock);
    return has;
}

enum rc owned_sealed(struct owned_objects *all, CK_OBJECT_HANDLE handle, struct buf *out)
{
    (void)pthread_mutex_lock(&all->lock);
    struct owned_object *object = *link_of(all, handle);
    enum rc rc = RC_OBJECT_HANDLE;
    if (object != NULL)
        rc = buf_append(out, buf_bytes(&object->sealed));
    (void)pthread_mutex_unlock(&all->lock);
    return rc;
}

size_t owned_count(struct owned_objects *all)
{
    (void)pthread_mutex_lock(&all->lock);
    size_t count = all->count;
    (void)pthread_mutex_unlock(&all->lock);
    return count;
}

uint64_t owned_home(struct owned_objects *all)
{
    (void)pthread_mutex_lock(&all->lock);
    uint64_t home = all->home;
    (void)pthread_mutex_unlock(&all->lock);
    return home;
}

void owned_settle(struct owned_objects *all, uint64_t node)
{
    (void)pthread_mutex_lock(&all->lock);
    if (all->home == 0 && all->count > 0)
        all->home = node;
    (void)pthread_mutex_unlock(&all->lock);
}

void owned_leave(struct owned_objects *all, uint64_t node)
{
    (void)pthread_mutex_lock(&all->lock);
    if (all->home == node)
        all->home = 0;
    (void)pthread_mutex_unlock(&all->lock);
}

uint64_t owned_at(struct owned_objects *all, CK_OBJECT_HANDLE handle)
{
    (void)pthread_mutex_lock(&all->lock);
    const struct owned_object *object = *link_of(all, handle);
    uint64_t at = object == NULL ? 0 : object->at;
    (void)pthread_mutex_unlock(&all->lock);
    return at;
}

void owned_moved(struct owned_objects *all, CK_OBJECT_HANDLE handle, uint64_t node)
{
    (void)pthread_mutex_lock(&all->lock);
    struct owned_object *object = *link_of(all, handle);
    if (object != NULL)
        object->at = node;
    (void)pthread_mutex_unlock(&all->lock);
}

void owned_lost(struct owned_objects *all, uint64_t node)
{
    (void)pthread_mutex_lock(&all->lock);
    for (size_t i = 0; i < OWNED_BUCKETS; i++)
        for (struct owned_object *o = all->buckets[i]; o != NULL; o = o->next)
            if (o->at == node)
                o->at = 0;
    (void)pthread_mutex_unlock(&all->lock);
}

static bool matches(const struct owned_object *object, const struct owned_wanted *wanted)
{
    if (wanted->all)
        return true;
    if (wanted->session != 0)
        return object->origin.session == wanted->session;
    return object->origin.is_private && object->origin.slot == wanted->private_of_slot;
}

size_t owned_list(struct owned_objects *all, const struct owned_wanted *wanted,
                  CK_OBJECT_HANDLE *out, size_t room)
{
    size_t count = 0;
    (void)pthread_mutex_lock(&all->lock);
    for (size_t i = 0; i < OWNED_BUCKETS && all->count > 0; i++)
        for (struct owned_object *o = all->buckets[i]; o != NULL && count < room; o = o->next)
            if (matches(o, wanted))
                out[count++] = o->handle;
    (void)pthread_mutex_unlock(&all->lock);
    return count;
}

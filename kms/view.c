/* SPDX-License-Identifier: Apache-2.0 */
/* The view: its records, who looks at them, and the thread that follows the cluster. */
#include "kms/view.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "common/log.h"
#include "common/thread.h"
#include "kms/view_internal.h"

#define FOLLOW_MS 200

/* ---- records */

void record_unref(struct record *record)
{
    if (record == NULL || atomic_fetch_sub(&record->refs, 1) > 1)
        return;
    if (record->kind != NULL && record->data != NULL)
        record->kind->free(record->data);
    json_decref(record->json);
    free(record);
}

static const struct view_kind *kind_of(const char *key)
{
    for (size_t i = 0; view_kind_at(i) != NULL; i++) {
        const struct view_kind *kind = view_kind_at(i);
        if (strncmp(key, kind->prefix, strlen(kind->prefix)) == 0)
            return kind;
    }
    return NULL;
}

static enum rc decode(struct record *record, struct bytes value)
{
    json_error_t error;
    record->kind = kind_of(record->key);
    record->json = json_loadb((const char *)value.ptr, value.len, JSON_REJECT_DUPLICATES, &error);
    if (record->kind == NULL) /* of another release: kept as it is */
        return RC_OK;
    if (record->json == NULL)
        return rc_fail(RC_TAMPERED, "document %s is no JSON: %s", record->key, error.text);
    rc_detail_clear();
    enum rc rc = record->kind->decode(record->key, record->json, &record->data);
    if (rc == RC_TAMPERED) {
        char detail[160];
        (void)snprintf(detail, sizeof detail, "%s", rc_detail());
        return rc_fail(rc, "document %s cannot be read: %s", record->key, detail);
    }
    return rc;
}

static struct record *new_record(const char *key, uint64_t version)
{
    struct record *record = calloc(1, sizeof *record);
    if (record == NULL)
        return NULL;
    record->refs = 1;
    record->version = version;
    memcpy(record->key, key, strlen(key) + 1);
    return record;
}

enum rc view_record_new(const char *key, uint64_t version, struct bytes value, struct record **out)
{
    struct record *record = new_record(key, version);
    if (record == NULL)
        return RC_NO_MEMORY;
    enum rc rc = decode(record, value);
    if (rc == RC_OK)
        *out = record;
    else
        record_unref(record);
    return rc;
}

enum rc view_record_unreadable(const char *key, uint64_t version, struct record **out)
{
    struct record *record = new_record(key, version);
    if (record == NULL)
        return RC_NO_MEMORY;
    record->is_unreadable = true;
    *out = record;
    return RC_OK;
}

/* ---- lists */

void view_list_clear(struct view_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        record_unref(list->items[i]);
    free(list->items);
    *list = (struct view_list){.items = NULL};
}

size_t view_list_find(const struct view_list *list, const char *key)
{
    size_t low = 0;
    size_t high = list->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(list->items[middle]->key, key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

enum rc view_list_reserve(struct view_list *list, size_t cap)
{
    list->items = calloc(cap == 0 ? 1 : cap, sizeof(struct record *));
    return list->items == NULL ? RC_NO_MEMORY : RC_OK;
}

/* ---- looking */

struct record *view_get(struct view *view, const char *key)
{
    struct record *found = NULL;
    (void)pthread_rwlock_rdlock(&view->lock);
    size_t at = view_list_find(&view->list, key);
    if (view_list_has(&view->list, at, key) && !view->list.items[at]->is_unreadable)
        found = record_ref(view->list.items[at]);
    (void)pthread_rwlock_unlock(&view->lock);
    if (found != NULL)
        view_grounds_note(found);
    return found;
}

static void walk(struct view *view, const char *prefix, const char *after, bool is_unreadable,
                 view_visit visit, void *context)
{
    size_t len = strlen(prefix);
    bool is_from_first = strcmp(after, prefix) < 0;
    (void)pthread_rwlock_rdlock(&view->lock);
    size_t at = view_list_find(&view->list, is_from_first ? prefix : after);
    if (!is_from_first && view_list_has(&view->list, at, after))
        at++;
    for (; at < view->list.count; at++) {
        struct record *record = view->list.items[at];
        if (strncmp(record->key, prefix, len) != 0 ||
            (record->is_unreadable == is_unreadable && !visit(context, record)))
            break;
    }
    (void)pthread_rwlock_unlock(&view->lock);
}

void view_each(struct view *view, const char *prefix, const char *after, view_visit visit,
               void *context)
{
    walk(view, prefix, after, false, visit, context);
}

void view_each_unreadable(struct view *view, const char *prefix, view_visit visit, void *context)
{
    walk(view, prefix, "", true, visit, context);
}

static bool is_one(void *context, struct record *record)
{
    (void)record;
    *(bool *)context = true;
    return false;
}

bool view_has_unreadable(struct view *view, const char *prefix)
{
    bool has_one = false;
    view_each_unreadable(view, prefix, is_one, &has_one);
    return has_one;
}

uint64_t view_index(const struct view *view)
{
    return atomic_load(&view->index);
}

/* ---- keeping in step */

/* Runs the next refresh; the mutex is held before and after. */
static void run(struct view *view)
{
    view->is_running = true;
    uint64_t number = ++view->started;
    (void)pthread_mutex_unlock(&view->mutex);
    enum rc rc = view_pull(view);
    (void)pthread_mutex_lock(&view->mutex);
    view->is_running = false;
    view->finished = number;
    view->outcome = rc;
    (void)pthread_cond_broadcast(&view->turn);
}

/* One refresh that begins after the call is enough for all who wait. */
enum rc view_refresh(struct view *view)
{
    (void)pthread_mutex_lock(&view->mutex);
    uint64_t wanted = view->started + 1;
    while (view->finished < wanted) {
        if (view->is_running)
            (void)pthread_cond_wait(&view->turn, &view->mutex);
        else
            run(view);
    }
    enum rc rc = view->outcome;
    (void)pthread_mutex_unlock(&view->mutex);
    return rc;
}

enum rc view_confirm(struct view *view, uint64_t index)
{
    TRY(view_refresh(view));
    if (atomic_load(&view->changed) > index)
        return rc_fail(RC_VIEW_OLD, "documents have changed since index %llu",
                       (unsigned long long)index);
    return RC_OK;
}

/* False when the view ends. */
static bool wait_a_moment(struct view *view)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += FOLLOW_MS * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;
    int failed = 0;
    (void)pthread_mutex_lock(&view->mutex);
    while (!view->is_stopping && failed != ETIMEDOUT)
        failed = pthread_cond_timedwait(&view->turn, &view->mutex, &until);
    bool goes_on = !view->is_stopping;
    (void)pthread_mutex_unlock(&view->mutex);
    return goes_on;
}

static void *follow(void *context)
{
    struct view *view = context;
    enum rc before = RC_OK;
    while (wait_a_moment(view)) {
        enum rc rc = view_refresh(view);
        if (rc != RC_OK && before == RC_OK)
            log_warn("view_behind", "error=%s detail=\"%s\"", rc_info(rc)->name, rc_detail());
        if (rc == RC_OK && before != RC_OK)
            log_info("view_caught_up", "index=%llu", (unsigned long long)view_index(view));
        before = rc;
    }
    return NULL;
}

static void init_locks(struct view *view)
{
    pthread_rwlockattr_t lock;
    (void)pthread_rwlockattr_init(&lock);
    (void)pthread_rwlockattr_setkind_np(&lock, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    (void)pthread_rwlock_init(&view->lock, &lock);
    (void)pthread_rwlockattr_destroy(&lock);
    (void)pthread_mutex_init(&view->mutex, NULL);
    thread_cond_init(&view->turn);
}

static enum rc start(struct view *view)
{
    TRY(view_refresh(view));
    if (pthread_create(&view->follower, NULL, follow, view) != 0)
        return rc_fail(RC_NO_MEMORY, "no thread to follow the cluster");
    view->has_follower = true;
    return RC_OK;
}

enum rc view_new(struct hsm_client *hsm, struct view **out)
{
    struct view *view = calloc(1, sizeof *view);
    if (view == NULL)
        return RC_NO_MEMORY;
    view->hsm = hsm;
    init_locks(view);
    enum rc rc = start(view);
    if (rc != RC_OK) {
        view_free(view);
        return rc;
    }
    *out = view;
    return RC_OK;
}

void view_free(struct view *view)
{
    if (view == NULL)
        return;
    (void)pthread_mutex_lock(&view->mutex);
    view->is_stopping = true;
    (void)pthread_cond_broadcast(&view->turn);
    (void)pthread_mutex_unlock(&view->mutex);
    if (view->has_follower)
        (void)pthread_join(view->follower, NULL);
    view_list_clear(&view->list);
    (void)pthread_cond_destroy(&view->turn);
    (void)pthread_mutex_destroy(&view->mutex);
    (void)pthread_rwlock_destroy(&view->lock);
    free(view);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Last uses: a table of lists that only grow, so that a use is a walk and a store, without a lock.
 * Entries live as long as the process. */
#include "kms/used.h"

#include <stdio.h>
#include <stdlib.h>

#include "kms/request.h"

#define BUCKETS 4096U

#define ACCESS_KEYS "used/akid/"

struct entry {
    struct entry *next;
    _Atomic uint64_t time_ms;
    _Atomic uint64_t what; /* address of the name */
    _Atomic uint64_t where[5];
    uint64_t written_ms; /* the draining thread's */
    char path[129];
};

static _Atomic(struct entry *) table[BUCKETS];

static bool is_of_access_key(const char *path)
{
    return strncmp(path, ACCESS_KEYS, sizeof ACCESS_KEYS - 1) == 0;
}

/* ---- documents */

static const struct {
    const char *what, *where;
} member_names[] = {[false] = {"operation", "request"}, [true] = {"service", "region"}};

enum rc used_decode(const char *path, const json_t *value, void **out)
{
    bool is_access_key = is_of_access_key(path);
    const char *what = json_string_value(json_object_get(value, member_names[is_access_key].what));
    const char *where =
        json_string_value(json_object_get(value, member_names[is_access_key].where));
    const json_t *time = json_object_get(value, "time");
    struct used *used = calloc(1, sizeof *used);
    if (used == NULL)
        return rc_fail(RC_NO_MEMORY, "a last use");
    if (what == NULL || strlen(what) >= sizeof used->what || where == NULL ||
        strlen(where) >= sizeof used->where || !json_is_integer(time)) {
        free(used);
        return rc_fail(RC_TAMPERED, "%s is not a last use that this release can read", path);
    }
    used->is_access_key = is_access_key;
    used->time_ms = (uint64_t)json_integer_value(time);
    memcpy(used->what, what, strlen(what) + 1);
    memcpy(used->where, where, strlen(where) + 1);
    *out = used;
    return RC_OK;
}

void used_free(void *used)
{
    free(used);
}

enum rc used_encode(const struct used *used, json_t **out)
{
    *out = json_pack("{s:I, s:s, s:s}", "time", (json_int_t)used->time_ms,
                     member_names[used->is_access_key].what, used->what,
                     member_names[used->is_access_key].where, used->where);
    return *out != NULL ? RC_OK : rc_fail(RC_NO_MEMORY, "a last use's document");
}

/* ---- in memory */

static void path_of(const struct key *key, char out[129])
{
    (void)snprintf(out, 129, "used/%s/%s", key->region, key->id);
}

void used_access_key_path(const char *id, char out[129])
{
    (void)snprintf(out, 129, ACCESS_KEYS "%.100s", id);
}

static _Atomic(struct entry *) *bucket_of(const char *path)
{
    uint32_t hash = 2166136261U; /* FNV-1a */
    for (const char *c = path; *c != '\0'; c++)
        hash = (hash ^ (uint8_t)*c) * 16777619U;
    return &table[hash % BUCKETS];
}

static struct entry *find_in(struct entry *entry, const char *path)
{
    while (entry != NULL && strcmp(entry->path, path) != 0)
        entry = entry->next;
    return entry;
}

/* NULL: no memory, and then nothing is noted. */
static struct entry *entry_of(const char *path)
{
    _Atomic(struct entry *) *bucket = bucket_of(path);
    struct entry *head = atomic_load_explicit(bucket, memory_order_acquire);
    struct entry *found = find_in(head, path);
    if (found != NULL)
        return found;
    struct entry *fresh = calloc(1, sizeof *fresh);
    if (fresh == NULL)
        return NULL;
    (void)snprintf(fresh->path, sizeof fresh->path, "%s", path);
    do {
        found = find_in(head, path);
        if (found != NULL) {
            free(fresh);
            return found;
        }
        fresh->next = head;
    } while (!atomic_compare_exchange_weak_explicit(bucket, &head, fresh, memory_order_release,
                                                    memory_order_acquire));
    return fresh;
}

/* Two uses at the same time may mix their parts: each is a true one of about that time. */
static void note(const char *path, const char *what, const char *where, uint64_t time_ms)
{
    uint64_t words[5] = {0};
    struct entry *entry = entry_of(path);
    if (entry == NULL)
        return;
    (void)snprintf((char *)words, sizeof words, "%s", where);
    for (size_t i = 0; i < 5; i++)
        atomic_store_explicit(&entry->where[i], words[i], memory_order_relaxed);
    atomic_store_explicit(&entry->what, (uint64_t)(uintptr_t)what, memory_order_relaxed);
    atomic_store_explicit(&entry->time_ms, time_ms, memory_order_release);
}

void used_note(const struct kms_request *request, const struct record *key)
{
    char path[129];
    path_of(key_of(key), path);
    note(path, request->operation->name, request->http->id, request->now_ms);
}

void used_note_access_key(const char *id, const char *service, const char *region, uint64_t time_ms)
{
    char path[129];
    used_access_key_path(id, path);
    note(path, service, region, time_ms);
}

static void read_entry(struct entry *entry, struct used *out)
{
    uint64_t words[5];
    *out = (struct used){.is_access_key = is_of_access_key(entry->path),
                         .time_ms = atomic_load_explicit(&entry->time_ms, memory_order_acquire)};
    for (size_t i = 0; i < 5; i++)
        words[i] = atomic_load_explicit(&entry->where[i], memory_order_relaxed);
    memcpy(out->where, words, sizeof out->where - 1);
    const char *what =
        (const char *)(uintptr_t)atomic_load_explicit(&entry->what, memory_order_relaxed);
    (void)snprintf(out->what, sizeof out->what, "%s", what == NULL ? "" : what);
}

void used_drain(used_visit visit, void *context)
{
    for (size_t i = 0; i < BUCKETS; i++) {
        struct entry *entry = atomic_load_explicit(&table[i], memory_order_acquire);
        for (; entry != NULL; entry = entry->next) {
            struct used used;
            read_entry(entry, &used);
            if (used.time_ms > entry->written_ms && visit(context, entry->path, &used))
                entry->written_ms = used.time_ms;
        }
    }
}

static bool latest(struct view *view, const char *path, struct used *out)
{
    *out = (struct used){0};
    AUTO_RECORD *record = view_get(view, path);
    if (record != NULL)
        *out = *(const struct used *)record->data;
    struct entry *entry =
        find_in(atomic_load_explicit(bucket_of(path), memory_order_acquire), path);
    struct used here = {0};
    if (entry != NULL)
        read_entry(entry, &here);
    if (here.time_ms > out->time_ms)
        *out = here;
    return out->time_ms != 0;
}

bool used_latest(struct view *view, const struct key *key, struct used *out)
{
    char path[129];
    path_of(key, path);
    return latest(view, path, out);
}

bool used_latest_access_key(struct view *view, const char *id, struct used *out)
{
    char path[129];
    used_access_key_path(id, path);
    return latest(view, path, out);
}

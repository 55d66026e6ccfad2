/* SPDX-License-Identifier: Apache-2.0 */
/* The last changes of documents, in a ring. */
#include "token/document_log.h"

#include <stdlib.h>

static struct document_log_entry *entry_at(const struct document_log *log, size_t i)
{
    return &log->entries[(log->first + i) % DOCUMENT_LOG_MAX];
}

void document_log_clear(struct document_log *log)
{
    free(log->entries);
    log->entries = NULL;
    log->first = 0;
    log->count = 0;
}

static void set_last(struct document_log *log, uint64_t index)
{
    atomic_store_explicit(&log->last, index, memory_order_release);
}

static void set_decided(struct document_log *log, uint64_t index)
{
    atomic_store_explicit(&log->decided, index, memory_order_release);
}

/* Nobody decides by it. */
static bool is_note(struct bytes key)
{
    struct bytes note = bytes_of_str(DOCUMENT_NOTE);
    return key.len >= note.len && bytes_equal(bytes_slice(key, 0, note.len), note);
}

void document_log_renew(struct document_log *log, uint64_t index)
{
    document_log_clear(log);
    log->floor = index;
    set_last(log, index);
    set_decided(log, index);
}

/* All of an index go with its first, since the floor rises over it. */
static void forget_oldest(struct document_log *log)
{
    log->floor = entry_at(log, 0)->index;
    while (log->count > 0 && entry_at(log, 0)->index <= log->floor) {
        log->first = (log->first + 1) % DOCUMENT_LOG_MAX;
        log->count--;
    }
}

enum rc document_log_add(struct document_log *log, uint64_t index, struct bytes key)
{
    if (log->entries == NULL)
        log->entries = calloc(DOCUMENT_LOG_MAX, sizeof log->entries[0]);
    if (log->entries == NULL)
        return RC_NO_MEMORY;
    if (log->count == DOCUMENT_LOG_MAX)
        forget_oldest(log);
    struct document_log_entry *entry = entry_at(log, log->count++);
    entry->index = index;
    entry->key_len = (uint8_t)key.len;
    memcpy(entry->key, key.ptr, key.len);
    set_last(log, index);
    if (!is_note(key))
        set_decided(log, index);
    return RC_OK;
}

static int compare_keys(const void *a, const void *b)
{
    return bytes_compare(*(const struct bytes *)a, *(const struct bytes *)b);
}

static size_t drop_repeated(struct bytes *keys, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if (kept == 0 || !bytes_equal(keys[kept - 1], keys[i]))
            keys[kept++] = keys[i];
    return kept;
}

/* How many of the oldest are at or before that index; indexes ascend. */
static size_t count_until(const struct document_log *log, uint64_t since)
{
    size_t low = 0;
    size_t high = log->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (entry_at(log, middle)->index <= since)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

enum rc document_log_since(const struct document_log *log, uint64_t since, struct bytes after,
                           struct bytes **out_keys, size_t *out_count)
{
    size_t count = 0;
    size_t first = count_until(log, since);
    *out_keys = NULL;
    *out_count = 0;
    if (first == log->count)
        return RC_OK;
    struct bytes *keys = calloc(log->count - first, sizeof keys[0]);
    if (keys == NULL)
        return RC_NO_MEMORY;
    for (size_t i = first; i < log->count; i++) {
        const struct document_log_entry *entry = entry_at(log, i);
        struct bytes key = bytes_of(entry->key, entry->key_len);
        if (bytes_compare(key, after) > 0)
            keys[count++] = key;
    }
    qsort(keys, count, sizeof keys[0], compare_keys);
    *out_keys = keys;
    *out_count = drop_repeated(keys, count);
    return RC_OK;
}

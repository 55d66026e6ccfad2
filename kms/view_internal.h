/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the view share: its records, and how they are brought up to date. */
#ifndef QHSM_KMS_VIEW_INTERNAL_H
#define QHSM_KMS_VIEW_INTERNAL_H

#include <pthread.h>

#include "kms/hsm_client.h"
#include "kms/view.h"

#define VIEW_KEY_MAX 128U

/* Records, keys ascending. Owns a reference to each. */
struct view_list {
    struct record **items;
    size_t count;
};
void view_list_clear(struct view_list *list);
/* Position of the first record whose key is not before `key`. */
size_t view_list_find(const struct view_list *list, const char *key);
static inline bool view_list_has(const struct view_list *list, size_t at, const char *key)
{
    return at < list->count && strcmp(list->items[at]->key, key) == 0;
}
/* Of an empty list. RC_NO_MEMORY. */
enum rc view_list_reserve(struct view_list *list, size_t cap);

struct view {
    struct hsm_client *hsm;
    pthread_rwlock_t lock; /* guards the list; only who refreshes changes it */
    struct view_list list;
    _Atomic uint64_t index;
    _Atomic uint64_t changed; /* index that a refresh came to when last it found a change */
    /* refreshes, one at a time */
    pthread_mutex_t mutex;
    pthread_cond_t turn;
    uint64_t started, finished; /* numbers of refreshes */
    enum rc outcome;            /* of the last finished one */
    bool is_running;
    bool is_stopping;
    /* of who refreshes */
    bool is_anew;        /* another cluster answers than the list is of */
    uint8_t cluster[16]; /* that answered last */
    pthread_t follower;
    bool has_follower;
};

/* What this thread's decision rests on. */
void view_grounds_note(struct record *record);

/* Reads what has changed since view->index and makes it the list. One thread at a time. */
enum rc view_pull(struct view *view);
/* A new record of a document. RC_TAMPERED: its decoder cannot read it. */
enum rc view_record_new(const char *key, uint64_t version, struct bytes value, struct record **out);
/* What stands for such a document. */
enum rc view_record_unreadable(const char *key, uint64_t version, struct record **out);

#endif

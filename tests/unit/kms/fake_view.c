/* SPDX-License-Identifier: Apache-2.0 */
/* kms/view.h over a list in memory. */
#include <stdlib.h>

#include "kms/view.h"
#include "tests/unit/kms/fake_world.h"

#define RECORDS_MAX 4096U

struct view {
    struct record *list[RECORDS_MAX]; /* keys ascending */
    size_t count;
    uint64_t index;
};

static struct view the_view;

void record_unref(struct record *record)
{
    if (record == NULL || atomic_fetch_sub(&record->refs, 1) > 1)
        return;
    if (record->kind != NULL)
        record->kind->free(record->data);
    json_decref(record->json);
    free(record);
}

enum rc view_new(struct hsm_client *hsm, struct view **out)
{
    (void)hsm;
    the_view.index = 1;
    *out = &the_view;
    return RC_OK;
}

void view_free(struct view *view)
{
    for (size_t i = 0; i < view->count; i++)
        record_unref(view->list[i]);
    view->count = 0;
}

static size_t place(const struct view *view, const char *key)
{
    size_t i = 0;
    while (i < view->count && strcmp(view->list[i]->key, key) < 0)
        i++;
    return i;
}

static struct record *at(const struct view *view, const char *key)
{
    size_t i = place(view, key);
    return i < view->count && strcmp(view->list[i]->key, key) == 0 ? view->list[i] : NULL;
}

struct record *view_get(struct view *view, const char *key)
{
    struct record *record = at(view, key);
    if (record != NULL)
        atomic_fetch_add(&record->refs, 1);
    return record;
}

void view_each(struct view *view, const char *prefix, const char *after, view_visit visit,
               void *context)
{
    for (size_t i = 0; i < view->count; i++) {
        struct record *record = view->list[i];
        if (strncmp(record->key, prefix, strlen(prefix)) == 0 && strcmp(record->key, after) > 0 &&
            !visit(context, record))
            return;
    }
}

uint64_t view_index(const struct view *view)
{
    return view->index;
}

enum rc view_refresh(struct view *view)
{
    (void)view;
    world.refreshes++;
    return RC_OK;
}

void view_decide(void) {}

void view_decided(void) {}

enum rc view_confirm(struct view *view, uint64_t index)
{
    (void)view;
    (void)index;
    return RC_OK;
}

static const struct view_kind *kind_of(const char *key)
{
    size_t i = 0;
    while (view_kind_at(i) != NULL &&
           strncmp(key, view_kind_at(i)->prefix, strlen(view_kind_at(i)->prefix)) != 0)
        i++;
    return view_kind_at(i);
}

static enum rc put(struct view *view, const struct view_change *change)
{
    struct record *record = calloc(1, sizeof *record);
    record->refs = 1;
    record->version = view->index;
    record->kind = kind_of(change->key);
    record->json = json_incref(change->value);
    (void)snprintf(record->key, sizeof record->key, "%s", change->key);
    if (record->kind != NULL)
        TRY(record->kind->decode(record->key, record->json, &record->data));
    size_t i = place(view, change->key);
    if (i < view->count && strcmp(view->list[i]->key, change->key) == 0) {
        record_unref(view->list[i]);
        view->list[i] = record;
        return RC_OK;
    }
    for (size_t j = view->count++; j > i; j--)
        view->list[j] = view->list[j - 1];
    view->list[i] = record;
    return RC_OK;
}

static void take_out(struct view *view, const char *key)
{
    size_t i = place(view, key);
    record_unref(view->list[i]);
    view->count--;
    for (; i < view->count; i++)
        view->list[i] = view->list[i + 1];
}

enum rc view_commit(struct view *view, struct view_changes *changes)
{
    if (world.lose_commits > 0) {
        world.lose_commits--;
        return RC_CONFLICT;
    }
    for (size_t i = 0; i < changes->count; i++) {
        const struct record *old = at(view, changes->list[i].key);
        if ((old == NULL ? 0 : old->version) != changes->list[i].version)
            return RC_CONFLICT;
    }
    view->index++;
    world.commits++;
    for (size_t i = 0; i < changes->count; i++) {
        if (changes->list[i].value == NULL)
            take_out(view, changes->list[i].key);
        else
            TRY(put(view, &changes->list[i]));
    }
    return RC_OK;
}

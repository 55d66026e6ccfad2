/* SPDX-License-Identifier: Apache-2.0 */
/* A sorted array with marks for removed handles, swept when they become many. */
#include "token/handle_set.h"

#include <stdlib.h>

#define REMOVED   ((uint64_t)1 << 63)
#define SWEEP_MIN 64U

static uint64_t handle_at(const struct handle_set *set, size_t at)
{
    return set->items[at] & ~REMOVED;
}

/* First position whose handle is not below. */
static size_t lower_bound(const struct handle_set *set, uint64_t handle)
{
    size_t low = 0;
    size_t high = set->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (handle_at(set, middle) < handle)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static enum rc make_room(struct handle_set *set)
{
    if (set->count < set->cap)
        return RC_OK;
    size_t cap = set->cap < 4 ? 4 : set->cap + set->cap / 2;
    uint64_t *grown = realloc(set->items, cap * sizeof grown[0]);
    if (grown == NULL)
        return RC_NO_MEMORY;
    set->items = grown;
    set->cap = cap;
    return RC_OK;
}

enum rc handle_set_add(struct handle_set *set, uint64_t handle)
{
    size_t at = set->count;
    if (set->count > 0 && handle_at(set, set->count - 1) >= handle)
        at = lower_bound(set, handle);
    if (at < set->count && handle_at(set, at) == handle) {
        set->dead -= set->items[at] == handle ? 0 : 1;
        set->items[at] = handle;
        return RC_OK;
    }
    TRY(make_room(set));
    memmove(set->items + at + 1, set->items + at, (set->count - at) * sizeof set->items[0]);
    set->items[at] = handle;
    set->count++;
    return RC_OK;
}

static void sweep(struct handle_set *set)
{
    size_t kept = 0;
    for (size_t i = 0; i < set->count; i++)
        if ((set->items[i] & REMOVED) == 0)
            set->items[kept++] = set->items[i];
    set->count = kept;
    set->dead = 0;
}

/* An eighth of marks at most: a page never walks far over them. */
void handle_set_remove(struct handle_set *set, uint64_t handle)
{
    size_t at = lower_bound(set, handle);
    if (at == set->count || set->items[at] != handle)
        return;
    set->items[at] |= REMOVED;
    set->dead++;
    while (set->count > 0 && (set->items[set->count - 1] & REMOVED) != 0) {
        set->count--;
        set->dead--;
    }
    if (set->dead >= SWEEP_MIN && set->dead > set->count / 8)
        sweep(set);
}

size_t handle_set_page(const struct handle_set *set, uint64_t after, uint64_t *out, size_t max)
{
    size_t found = 0;
    if (after == UINT64_MAX)
        return 0;
    for (size_t at = lower_bound(set, after + 1); at < set->count && found < max; at++)
        if ((set->items[at] & REMOVED) == 0)
            out[found++] = set->items[at];
    return found;
}

void handle_set_clear(struct handle_set *set)
{
    free(set->items);
    *set = (struct handle_set){.items = NULL, .count = 0, .cap = 0, .dead = 0};
}

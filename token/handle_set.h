/* SPDX-License-Identifier: Apache-2.0 */
/* Handles in ascending order: appending is free, paging starts anywhere, removal leaves a mark. */
#ifndef QHSM_TOKEN_HANDLE_SET_H
#define QHSM_TOKEN_HANDLE_SET_H

#include "common/bytes.h"
#include "common/rc.h"

struct handle_set {
    uint64_t *items; /* bit 63: removed */
    size_t count;    /* with the removed ones */
    size_t cap;
    size_t dead;
};

enum rc handle_set_add(struct handle_set *set, uint64_t handle); /* RC_NO_MEMORY */
void handle_set_remove(struct handle_set *set, uint64_t handle);
static inline size_t handle_set_count(const struct handle_set *set)
{
    return set->count - set->dead;
}
/* Up to max handles above `after`; how many. */
size_t handle_set_page(const struct handle_set *set, uint64_t after, uint64_t *out, size_t max);
void handle_set_clear(struct handle_set *set);

#endif

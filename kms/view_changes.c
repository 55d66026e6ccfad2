/* SPDX-License-Identifier: Apache-2.0 */
/* Changes of documents before they are committed. */
#include <stdio.h>
#include <string.h>

#include "kms/view_internal.h"

enum rc view_changes_add(struct view_changes *changes, const char *key, uint64_t version,
                         json_t *value)
{
    struct view_change *change = &changes->list[changes->count];
    if (changes->count == VIEW_CHANGES_MAX || strlen(key) > VIEW_KEY_MAX) {
        json_decref(value);
        return rc_fail(RC_LIMIT, "document %.64s: over %u changes at once, or too long a name", key,
                       VIEW_CHANGES_MAX);
    }
    (void)snprintf(change->key, sizeof change->key, "%s", key);
    change->version = version;
    change->value = value;
    changes->count++;
    return RC_OK;
}

void view_changes_clear(struct view_changes *changes)
{
    for (size_t i = 0; i < changes->count; i++)
        json_decref(changes->list[i].value);
    changes->count = 0;
}

enum rc view_commit_one(struct view *view, const char *key, uint64_t version, json_t *value)
{
    struct view_changes changes = {.count = 0};
    enum rc rc = view_changes_add(&changes, key, version, value);
    if (rc == RC_OK)
        rc = view_commit(view, &changes);
    view_changes_clear(&changes);
    return rc;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Last uses of keys and access keys into documents: at most one write a key and hour, several keys
 * at once. */
#include <stdio.h>

#include "common/log.h"
#include "kms/chores_internal.h"
#include "kms/used.h"

#define EVERY_MS ((uint64_t)60 * 60 * 1000)

struct writing {
    struct kms *kms;
    struct view_changes changes;
    unsigned left; /* documents that may still be written now */
};

/* Another front end may have written some of them just now: then each for itself. */
static enum rc write_each(struct writing *writing)
{
    enum rc rc = RC_OK;
    for (size_t i = 0; i < writing->changes.count && (rc == RC_OK || rc == RC_CONFLICT); i++) {
        const struct view_change *change = &writing->changes.list[i];
        rc = view_commit_one(writing->kms->view, change->key, change->version,
                             json_incref(change->value));
    }
    return rc == RC_CONFLICT ? RC_OK : rc;
}

static void flush(struct writing *writing)
{
    enum rc rc = view_commit(writing->kms->view, &writing->changes);
    if (rc == RC_CONFLICT)
        rc = write_each(writing);
    if (rc != RC_OK)
        log_warn("last_use_not_written", "keys=%zu error=%s detail=\"%s\"", writing->changes.count,
                 rc_info(rc)->name, rc_detail());
    view_changes_clear(&writing->changes);
}

static bool is_key_there(struct writing *writing, const char *path, bool is_access_key)
{
    char key_path[129];
    (void)snprintf(key_path, sizeof key_path, "%s/%s", is_access_key ? "iam" : "key",
                   path + strlen("used/"));
    AUTO_RECORD *key = view_get(writing->kms->view, key_path);
    return key != NULL;
}

static bool write_one(void *context, const char *path, const struct used *used)
{
    struct writing *writing = context;
    json_t *value = NULL;
    AUTO_RECORD *old = view_get(writing->kms->view, path);
    const struct used *before = old == NULL ? NULL : old->data;
    if (writing->left == 0 || (before != NULL && used->time_ms < before->time_ms + EVERY_MS))
        return false;
    if (!is_key_there(writing, path, used->is_access_key))
        return true; /* it was deleted since */
    if (used_encode(used, &value) != RC_OK ||
        view_changes_add(&writing->changes, path, old == NULL ? 0 : old->version, value) != RC_OK)
        return false;
    writing->left--;
    if (writing->changes.count == VIEW_CHANGES_MAX)
        flush(writing);
    return true;
}

void chores_write_used(struct kms *kms)
{
    struct writing writing = {.kms = kms, .left = CHORES_DUE_MAX};
    used_drain(write_one, &writing);
    if (writing.changes.count > 0)
        flush(&writing);
}

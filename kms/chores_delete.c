/* SPDX-License-Identifier: Apache-2.0 */
/* Deletion of keys. At its date a key's document becomes a doomed one in a single change, so that a
 * cancellation comes before or not at all; then its backing keys, aliases and grants go, and the
 * doomed document last: whoever stops half-way leaves it to the next who looks.
 *
 *   key/R/ID --due--> doomed/R/ID --backing keys, aliases, grants, last use--> nothing
 */
#include <stdio.h>

#include "common/log.h"
#include "kms/backing.h"
#include "kms/chores_internal.h"
#include "kms/replica.h"
#include "kms/rotate.h"

#define PATH_MAX_LEN 129U

static void path_of(const char *prefix, const struct key *key, char out[PATH_MAX_LEN])
{
    (void)snprintf(out, PATH_MAX_LEN, "%s%s/%s", prefix, key->region, key->id);
}

/* A key's document under its other name. */
enum rc chores_doomed_decode(const char *path, const json_t *value, void **out)
{
    char as_key[PATH_MAX_LEN];
    (void)snprintf(as_key, sizeof as_key, "key/%s", path + strlen(CHORES_DOOMED));
    return key_decode(as_key, value, out);
}

bool chores_is_doomed(struct view *view, const char *region, const char *id)
{
    char path[PATH_MAX_LEN];
    (void)snprintf(path, sizeof path, CHORES_DOOMED "%s/%s", region, id);
    AUTO_RECORD *record = view_get(view, path);
    return record != NULL;
}

/* ---- its date has come */

struct looking {
    struct chores_due *due;
    uint64_t now_ms;
};

static bool take_due(void *context, struct record *record)
{
    const struct looking *looking = context;
    const struct key *key = key_of(record);
    bool is_due = key->deletion_ms != 0 && key->deletion_ms <= looking->now_ms;
    return !is_due || chores_due_add(looking->due, record);
}

static enum rc doom(struct kms *kms, struct record *record)
{
    char doomed[PATH_MAX_LEN];
    struct view_changes changes = {.count = 0};
    path_of(CHORES_DOOMED, key_of(record), doomed);
    enum rc rc = view_changes_add(&changes, record->key, record->version, NULL);
    if (rc == RC_OK)
        rc = view_changes_add(&changes, doomed, 0, json_incref(record->json));
    if (rc == RC_OK)
        rc = view_commit(kms->view, &changes);
    view_changes_clear(&changes);
    return rc;
}

static void begin_deletions(struct kms *kms, uint64_t now_ms)
{
    AUTO_DUE due = {.count = 0};
    struct looking looking = {.due = &due, .now_ms = now_ms};
    view_each(kms->view, "key/", "", take_due, &looking);
    for (size_t i = 0; i < due.count; i++) {
        enum rc rc = doom(kms, due.list[i]);
        if (rc == RC_OK)
            key_service_event(kms, "DeleteKey", due.list[i],
                              json_pack("{s:s}", "keyId", key_of(due.list[i])->id));
        else if (rc != RC_CONFLICT) /* cancelled, or another front end was first */
            log_warn("key_not_deleted", "document=%s error=%s detail=\"%s\"", due.list[i]->key,
                     rc_info(rc)->name, rc_detail());
    }
}

/* ---- what goes with it */

struct gathering {
    struct view_changes *changes;
    const char *target; /* of aliases; NULL: all */
};

static bool take_removal(void *context, struct record *record)
{
    const struct gathering *gathering = context;
    const struct alias *alias = record->data;
    if (gathering->target != NULL && strcmp(alias->target, gathering->target) != 0)
        return true;
    return gathering->changes->count < VIEW_CHANGES_MAX &&
           view_changes_add(gathering->changes, record->key, record->version, NULL) == RC_OK;
}

/* All documents under a prefix, as many at once as go into a change. */
static enum rc remove_all(struct kms *kms, const char *prefix, const char *target)
{
    bool is_left = true;
    while (is_left) {
        struct view_changes changes = {.count = 0};
        struct gathering gathering = {.changes = &changes, .target = target};
        view_each(kms->view, prefix, "", take_removal, &gathering);
        is_left = changes.count == VIEW_CHANGES_MAX;
        TRY(view_commit(kms->view, &changes));
    }
    return RC_OK;
}

/* All are tried, so that one does not keep the others. */
static enum rc delete_materials(struct kms *kms, const struct key *key)
{
    enum rc left = RC_OK;
    bool is_shared = key->multi_region && key->origin != ORIGIN_EXTERNAL;
    if (is_shared && !replica_is_last(kms->view, key))
        return RC_OK;
    for (size_t i = 0; i < key->material_count; i++) {
        enum rc rc =
            key->materials[i].handle == 0 ? RC_OK : backing_remove(kms, key, &key->materials[i]);
        left = rc == RC_OK ? left : rc;
    }
    return left;
}

static enum rc remove_document(struct kms *kms, const char *path)
{
    AUTO_RECORD *record = view_get(kms->view, path);
    return record == NULL ? RC_OK : view_commit_one(kms->view, path, record->version, NULL);
}

static enum rc finish(struct kms *kms, const struct record *doomed, uint64_t now_ms)
{
    const struct key *key = key_of(doomed);
    char path[PATH_MAX_LEN];
    path_of("key/", key, path);
    AUTO_RECORD *again = view_get(kms->view, path);
    if (again != NULL) { /* aliases, grants and materials may be its own by now */
        log_warn("doomed_key_is_there", "document=%s", doomed->key);
        return remove_document(kms, doomed->key);
    }
    TRY(delete_materials(kms, key));
    (void)snprintf(path, sizeof path, "alias/%s/%s/", key->region, key->account);
    TRY(remove_all(kms, path, key->id));
    (void)snprintf(path, sizeof path, "grant/%s/%s/", key->region, key->id);
    TRY(remove_all(kms, path, NULL));
    path_of("used/", key, path);
    TRY(remove_document(kms, path));
    if (replica_is(key))
        TRY(replica_gone(kms, key, now_ms));
    return remove_document(kms, doomed->key);
}

static bool take_any(void *context, struct record *record)
{
    return chores_due_add(context, record);
}

void chores_delete_keys(struct kms *kms, uint64_t now_ms)
{
    AUTO_DUE doomed = {.count = 0};
    begin_deletions(kms, now_ms);
    /* One that cannot be read may be of the same materials; the log has its name. */
    if (view_has_unreadable(kms->view, "key/"))
        return;
    view_each(kms->view, CHORES_DOOMED, "", take_any, &doomed);
    for (size_t i = 0; i < doomed.count; i++) {
        enum rc rc = finish(kms, doomed.list[i], now_ms);
        if (rc != RC_OK && rc != RC_CONFLICT)
            log_warn("deletion_unfinished", "document=%s error=%s detail=\"%s\"",
                     doomed.list[i]->key, rc_info(rc)->name, rc_detail());
    }
}

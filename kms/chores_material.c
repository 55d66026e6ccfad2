/* SPDX-License-Identifier: Apache-2.0 */
/* Materials: imported ones that expire, rotations that are due, wrapping keys that were not used.
 */
#include "common/log.h"
#include "kms/backing.h"
#include "kms/chores_internal.h"
#include "kms/import.h"
#include "kms/replica.h"
#include "kms/rotate.h"

struct looking {
    struct chores_due *due;
    uint64_t now_ms;
};

/* ---- expiry: first the document says that the material is gone, then it goes, and a document
 * without its handle says that this is done */

static bool has_expired(const struct key_material *material, uint64_t now_ms)
{
    return material->is_present && material->valid_to_ms != 0 && material->valid_to_ms <= now_ms;
}

static bool is_left_over(const struct key_material *material)
{
    return material->imported && !material->is_present && material->handle != 0;
}

static bool take_expired(void *context, struct record *record)
{
    const struct looking *looking = context;
    const struct key *key = key_of(record);
    bool is_due = false;
    if (key->origin != ORIGIN_EXTERNAL)
        return true;
    for (size_t i = 0; i < key->material_count; i++)
        is_due = is_due || has_expired(&key->materials[i], looking->now_ms) ||
                 is_left_over(&key->materials[i]);
    return !is_due || chores_due_add(looking->due, record);
}

static enum rc expire(struct kms *kms, const struct record *record, uint64_t now_ms)
{
    struct key *fresh = NULL;
    bool is_changed = false;
    enum rc left = RC_OK;
    TRY(key_copy(key_of(record), &fresh));
    for (size_t i = 0; i < fresh->material_count; i++) {
        struct key_material *material = &fresh->materials[i];
        if (is_left_over(material)) {
            enum rc rc = backing_remove(kms, fresh, material);
            left = rc == RC_OK ? left : rc;
            material->handle = rc == RC_OK ? 0 : material->handle;
            is_changed = is_changed || rc == RC_OK;
        } else if (has_expired(material, now_ms)) {
            material->is_present = false;
            is_changed = true;
        }
    }
    enum rc rc = is_changed ? key_commit(kms->view, record, fresh) : RC_OK;
    key_free(fresh);
    return rc == RC_OK ? left : rc;
}

static void expire_twice(struct kms *kms, const char *path, uint64_t now_ms)
{
    enum rc rc = RC_OK;
    for (unsigned i = 0; i < 2 && rc == RC_OK; i++) {
        AUTO_RECORD *record = view_get(kms->view, path);
        if (record != NULL)
            rc = expire(kms, record, now_ms);
    }
    if (rc != RC_OK && rc != RC_CONFLICT)
        log_warn("material_not_expired", "document=%s error=%s detail=\"%s\"", path,
                 rc_info(rc)->name, rc_detail());
}

void chores_expire(struct kms *kms, uint64_t now_ms)
{
    AUTO_DUE due = {.count = 0};
    struct looking looking = {.due = &due, .now_ms = now_ms};
    view_each(kms->view, "key/", "", take_expired, &looking);
    for (size_t i = 0; i < due.count; i++)
        expire_twice(kms, due.list[i]->key, now_ms);
}

/* ---- rotation. Keys that are disabled or to be deleted wait; they are rotated as soon as they are
 * enabled again. */

static bool take_rotation(void *context, struct record *record)
{
    const struct looking *looking = context;
    const struct key *key = key_of(record);
    const struct key_rotation *rotation = &key->rotation;
    bool may_be = key->origin == ORIGIN_AWS_KMS && key->enabled && key->deletion_ms == 0 &&
                  !key->waits_for_replicas && !key->updating && !replica_is(key);
    bool is_due = may_be && rotation->enabled && rotation->next_ms != 0 &&
                  rotation->next_ms <= looking->now_ms;
    return !is_due || chores_due_add(looking->due, record);
}

void chores_rotate(struct kms_request *request)
{
    AUTO_DUE due = {.count = 0};
    struct looking looking = {.due = &due, .now_ms = request->now_ms};
    view_each(request->kms->view, "key/", "", take_rotation, &looking);
    for (size_t i = 0; i < due.count; i++) {
        const struct key *key = key_of(due.list[i]);
        memcpy(request->region, key->region, sizeof request->region);
        request->is_again = false;
        enum kms_error error = key_rotate(request, due.list[i], false);
        if (error != KMS_OK && !request->is_again)
            log_warn("key_not_rotated", "document=%s error=\"%s\"", due.list[i]->key,
                     kms_error_text());
    }
}

/* ---- wrapping keys */

struct wrapping {
    uint64_t now_ms;
    uint64_t handles[CHORES_DUE_MAX];
    size_t count;
};

static bool take_wrapping(void *context, const struct hsm_key *key)
{
    struct wrapping *wrapping = context;
    bool is_one =
        key->use == KEYSTORE_UNWRAP && strncmp(key->label, IMPORT_LABEL, strlen(IMPORT_LABEL)) == 0;
    if (is_one && import_is_over(key, wrapping->now_ms))
        wrapping->handles[wrapping->count++] = key->handle;
    return wrapping->count < CHORES_DUE_MAX;
}

void chores_drop_wrapping_keys(struct kms *kms, uint64_t now_ms)
{
    struct wrapping wrapping = {.now_ms = now_ms};
    enum rc rc = hsm_find(kms->hsm, "", NULL, take_wrapping, &wrapping);
    for (size_t i = 0; i < wrapping.count && rc == RC_OK; i++) {
        rc = hsm_delete(kms->hsm, wrapping.handles[i]);
        if (rc == RC_OBJECT_HANDLE) /* another front end was first */
            rc = RC_OK;
    }
    if (rc != RC_OK)
        log_warn("wrapping_keys_left", "error=%s detail=\"%s\"", rc_info(rc)->name, rc_detail());
}

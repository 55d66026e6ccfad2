/* SPDX-License-Identifier: Apache-2.0 */
/* The documents of one multi-Region key, and what they share. */
#include "kms/replica.h"

#include <stdio.h>
#include <stdlib.h>

#define ATTEMPTS 8U
#define DAY_MS   ((uint64_t)24 * 60 * 60 * 1000)

/* ---- the others */

static bool take_first(void *context, struct record *record)
{
    (void)snprintf(context, 129, "%s", record->key);
    return false;
}

/* The first Region after `region` ("": of all) that has a key at all. */
static bool next_region(struct view *view, char region[KMS_REGION_MAX + 1])
{
    char after[129] = "";
    char found[129] = "";
    if (region[0] != '\0') /* DEL comes after all that ids are made of */
        (void)snprintf(after, sizeof after, "key/%s/\x7f", region);
    view_each(view, "key/", after, take_first, found);
    const char *name = found + 4;
    size_t len = found[0] == '\0' ? 0 : strcspn(name, "/");
    if (len == 0 || len > KMS_REGION_MAX)
        return false;
    (void)snprintf(region, KMS_REGION_MAX + 1, "%.*s", (int)len, name);
    return true;
}

static bool is_related(const struct record *record, const struct key *key)
{
    return record != NULL && key_of(record)->multi_region &&
           strcmp(key_of(record)->account, key->account) == 0;
}

size_t replica_others(struct view *view, const struct key *key,
                      struct record *list[REPLICA_REGIONS_MAX])
{
    size_t count = 0;
    char region[KMS_REGION_MAX + 1] = "";
    while (key->multi_region && count < REPLICA_REGIONS_MAX && next_region(view, region)) {
        char path[129];
        if (strcmp(region, key->region) == 0)
            continue;
        key_path(region, key->id, path);
        struct record *record = view_get(view, path);
        if (is_related(record, key))
            list[count++] = record;
        else
            record_unref(record);
    }
    return count;
}

void replica_release(struct record *list[REPLICA_REGIONS_MAX], size_t count)
{
    for (size_t i = 0; i < count; i++)
        record_unref(list[i]);
}

static size_t count_others(struct view *view, const struct key *key)
{
    struct record *list[REPLICA_REGIONS_MAX];
    size_t count = replica_others(view, key, list);
    replica_release(list, count);
    return count;
}

bool replica_has_replicas(struct view *view, const struct key *key)
{
    return !replica_is(key) && count_others(view, key) > 0;
}

bool replica_is_last(struct view *view, const struct key *key)
{
    return count_others(view, key) == 0;
}

/* ---- the last replica went */

static enum rc schedule(struct view *view, const struct record *primary, uint64_t now_ms)
{
    struct key *fresh = NULL;
    TRY(key_copy(key_of(primary), &fresh));
    fresh->waits_for_replicas = false;
    fresh->deletion_ms = now_ms + fresh->deletion_window_days * DAY_MS;
    enum rc rc = key_commit(view, primary, fresh);
    key_free(fresh);
    return rc;
}

static enum rc try_schedule(struct view *view, const char *path, uint64_t now_ms)
{
    AUTO_RECORD *primary = view_get(view, path);
    if (primary == NULL || !key_of(primary)->waits_for_replicas ||
        count_others(view, key_of(primary)) > 0)
        return RC_OK;
    return schedule(view, primary, now_ms);
}

enum rc replica_gone(struct kms *kms, const struct key *replica, uint64_t now_ms)
{
    char path[129];
    if (!replica_is(replica))
        return RC_OK;
    key_path(replica->primary_region, replica->id, path);
    enum rc rc = RC_CONFLICT;
    for (unsigned i = 0; i < ATTEMPTS && rc == RC_CONFLICT; i++) {
        if (i > 0)
            TRY(view_refresh(kms->view));
        rc = try_schedule(kms->view, path, now_ms);
    }
    return rc;
}

/* ---- what is shared */

/* An imported material is imported into each Region: what came into this one stays as it is. */
static void keep_own(const struct key *own, struct key_material *material)
{
    const struct key_material *there = key_material_by_hsm_id(own, material->hsm_id);
    material->is_present = there != NULL && there->is_present;
    material->handle = there == NULL ? 0 : there->handle;
    material->valid_to_ms = there == NULL ? 0 : there->valid_to_ms;
}

static enum rc copy_materials(const struct key *primary, struct key *replica)
{
    struct key_material *list =
        calloc(primary->material_count == 0 ? 1 : primary->material_count, sizeof *list);
    if (list == NULL)
        return rc_fail(RC_NO_MEMORY, "a replica's materials");
    for (size_t i = 0; i < primary->material_count; i++) {
        list[i] = primary->materials[i];
        if (primary->origin == ORIGIN_EXTERNAL)
            keep_own(replica, &list[i]);
    }
    free(replica->materials);
    replica->materials = list;
    replica->material_count = primary->material_count;
    return RC_OK;
}

static enum rc take_shared(const struct key *primary, struct key *replica)
{
    replica->rotation = primary->rotation;
    memcpy(replica->primary_region, primary->primary_region, sizeof replica->primary_region);
    if (replica->public_der.len == 0 && primary->public_der.len > 0)
        TRY(buf_append(&replica->public_der, buf_bytes(&primary->public_der)));
    return copy_materials(primary, replica);
}

enum rc replica_add_change(const struct key *primary, const struct record *replica,
                           struct view_changes *changes)
{
    struct key *fresh = NULL;
    json_t *value = NULL;
    TRY(key_copy(key_of(replica), &fresh));
    enum rc rc = take_shared(primary, fresh);
    if (rc == RC_OK)
        rc = key_encode(fresh, &value);
    key_free(fresh);
    TRY(rc);
    if (!json_equal(value, replica->json))
        return view_changes_add(changes, replica->key, replica->version, value);
    json_decref(value);
    return RC_OK;
}

enum rc replica_follow(struct view *view, const struct key *primary, struct view_changes *changes)
{
    struct record *list[REPLICA_REGIONS_MAX];
    if (!primary->multi_region || replica_is(primary))
        return RC_OK;
    size_t count = replica_others(view, primary, list);
    enum rc rc = RC_OK;
    for (size_t i = 0; i < count && rc == RC_OK; i++)
        rc = replica_add_change(primary, list[i], changes);
    replica_release(list, count);
    return rc;
}

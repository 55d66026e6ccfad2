/* SPDX-License-Identifier: Apache-2.0 */
/* ReplicateKey, UpdatePrimaryRegion. */
#include <stdio.h>

#include "kms/authorize.h"
#include "kms/chores.h"
#include "kms/key_new.h"
#include "kms/operations.h"
#include "kms/replica.h"

static enum kms_error check_primary(const struct kms_request *request)
{
    const struct key *key = key_of(request->key);
    if (!key->multi_region)
        return kms_fail(KMS_UNSUPPORTED, "%s is not a multi-Region key.", key->arn);
    return replica_is(key)
               ? kms_fail(KMS_UNSUPPORTED, "%s is not a multi-Region primary key.", key->arn)
               : KMS_OK;
}

static bool has_region(const struct kms *kms, const char *region)
{
    for (size_t i = 0; i < kms->config->regions.count; i++)
        if (strcmp(kms->config->regions.items[i], region) == 0)
            return true;
    return false;
}

static struct record *related(const struct kms_request *request, const char *region)
{
    char path[129];
    const struct key *key = key_of(request->key);
    if (strlen(region) > KMS_REGION_MAX)
        return NULL;
    key_path(region, key->id, path);
    return view_get(request->kms->view, path);
}

/* ---- ReplicateKey */

enum kms_error op_replicate_key_rights(struct kms_request *request)
{
    const char *region = request_string(request, "ReplicaRegion");
    const struct authorize_extra extra = {
        .name = "kms:ReplicaRegion", .values = &region, .count = 1};
    KMS_TRY(authorize(request, "kms:ReplicateKey", request->key, NULL, &extra, 1));
    KMS_TRY(authorize(request, "kms:CreateKey", NULL, "*", NULL, 0));
    if (json_array_size(json_object_get(request->in, "Tags")) == 0)
        return KMS_OK;
    return authorize(request, "kms:TagResource", NULL, "*", NULL, 0);
}

static enum kms_error check_region(const struct kms_request *request, const char *region)
{
    const struct key *key = key_of(request->key);
    struct record *list[REPLICA_REGIONS_MAX];
    if (!has_region(request->kms, region))
        return kms_fail(KMS_VALIDATION, "The region %s is not valid.", region);
    AUTO_RECORD *there = related(request, region);
    if (there != NULL || chores_is_doomed(request->kms->view, region, key->id))
        return kms_fail(KMS_ALREADY_EXISTS, "Key %s already exists in region %s.", key->id, region);
    size_t count = replica_others(request->kms->view, key, list);
    replica_release(list, count);
    return count + 1 < REPLICA_REGIONS_MAX
               ? KMS_OK
               : kms_fail(KMS_LIMIT_EXCEEDED, "A multi-Region key can be in at most %u Regions.",
                          REPLICA_REGIONS_MAX);
}

/* Its own are Region, dates, policy, description and tags. */
static enum kms_error make_own(const struct kms_request *request, const char *region,
                               struct key *key)
{
    const char *description = request_string(request, "Description");
    (void)snprintf(key->region, sizeof key->region, "%s", region);
    key_name_itself(key);
    key->created_ms = request->now_ms;
    key->enabled = true;
    key->last_used_ms = 0;
    while (key->tag_count > 0)
        key_unset_tag(key, key->tags[0].key);
    KMS_TRY(kms_from_rc(key_set_description(key, description == NULL ? "" : description)));
    KMS_TRY(key_admit_policy(request, key, request_string(request, "Policy")));
    KMS_TRY(key_admit_tags(request, key));
    for (size_t i = 0; i < key->material_count && key->origin == ORIGIN_EXTERNAL; i++) {
        key->materials[i].is_present = false; /* to be imported into each Region */
        key->materials[i].handle = 0;
        key->materials[i].valid_to_ms = 0;
    }
    return KMS_OK;
}

/* The primary is compared and swapped with itself: it is not rotated or deleted meanwhile. */
static enum rc commit(const struct kms_request *request, const struct key *replica)
{
    struct view_changes changes = {.count = 0};
    enum rc rc = key_add_change(&changes, NULL, replica);
    if (rc == RC_OK)
        rc = view_changes_add(&changes, request->key->key, request->key->version,
                              json_incref(request->key->json));
    if (rc == RC_OK)
        rc = view_commit(request->kms->view, &changes);
    view_changes_clear(&changes);
    return rc;
}

static enum kms_error answer(struct kms_request *request, const struct key *replica)
{
    json_t *metadata = NULL;
    json_t *tags = json_array();
    for (size_t i = 0; i < replica->tag_count; i++)
        (void)json_array_append_new(tags, json_pack("{s:s, s:s}", "TagKey", replica->tags[i].key,
                                                    "TagValue", replica->tags[i].value));
    int failed = json_object_set_new(request->out, "ReplicaTags", tags);
    KMS_TRY(kms_from_rc(key_metadata(request->kms, replica, request->now_ms, &metadata)));
    failed |= json_object_set_new(request->out, "ReplicaKeyMetadata", metadata);
    if (failed != 0)
        return kms_from_rc(RC_NO_MEMORY);
    return kms_from_rc(request_put_string(request, "ReplicaPolicy", replica->policy_text));
}

enum kms_error op_replicate_key(struct kms_request *request)
{
    const char *region = request_string(request, "ReplicaRegion");
    AUTO_KEY *key = NULL;
    KMS_TRY(check_primary(request));
    KMS_TRY(check_region(request, region));
    KMS_TRY(key_to_change(request, &key));
    KMS_TRY(make_own(request, region, key));
    KMS_TRY(request_from_commit(request, commit(request, key)));
    AUTO_RECORD *made = related(request, region);
    if (made != NULL)
        request_touch(request, made);
    return answer(request, key);
}

/* ---- UpdatePrimaryRegion */

/* Of both keys: the one that is primary and the one that becomes it. */
enum kms_error op_update_primary_region_rights(struct kms_request *request)
{
    const char *region = request_string(request, "PrimaryRegion");
    const struct authorize_extra extra = {
        .name = "kms:PrimaryRegion", .values = &region, .count = 1};
    KMS_TRY(authorize(request, "kms:UpdatePrimaryRegion", request->key, NULL, &extra, 1));
    AUTO_RECORD *replica = related(request, region);
    if (replica == NULL || !key_of(replica)->multi_region)
        return KMS_OK; /* refused by the operation */
    return authorize(request, "kms:UpdatePrimaryRegion", replica, NULL, &extra, 1);
}

/* All documents name the new primary, in one change. */
static enum rc move_primary(struct kms_request *request, const char *region)
{
    struct record *list[REPLICA_REGIONS_MAX];
    struct view_changes changes = {.count = 0};
    struct key *moved = NULL;
    TRY(key_copy(key_of(request->key), &moved));
    (void)snprintf(moved->primary_region, sizeof moved->primary_region, "%s", region);
    enum rc rc = replica_add_change(moved, request->key, &changes);
    size_t count = replica_others(request->kms->view, moved, list);
    for (size_t i = 0; i < count && rc == RC_OK; i++)
        rc = replica_add_change(moved, list[i], &changes);
    replica_release(list, count);
    if (rc == RC_OK)
        rc = view_commit(request->kms->view, &changes);
    view_changes_clear(&changes);
    key_free(moved);
    return rc;
}

enum kms_error op_update_primary_region(struct kms_request *request)
{
    const char *region = request_string(request, "PrimaryRegion");
    const struct key *key = key_of(request->key);
    KMS_TRY(check_primary(request));
    if (strcmp(region, key->region) == 0)
        return KMS_OK;
    AUTO_RECORD *replica = related(request, region);
    if (replica == NULL || !key_of(replica)->multi_region)
        return kms_fail(KMS_NOT_FOUND, "Key 'arn:aws:kms:%s:%s:key/%s' does not exist", region,
                        key->account, key->id);
    KMS_TRY(pipeline_check_key(request, replica));
    return request_from_commit(request, move_primary(request, region));
}

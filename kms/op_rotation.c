/* SPDX-License-Identifier: Apache-2.0 */
/* Rotation, automatic and on demand. Source: AWS KMS Developer Guide, "Rotate AWS KMS keys". */
#include <stdio.h>

#include "kms/key_new.h"
#include "kms/operations.h"
#include "kms/page.h"
#include "kms/replica.h"
#include "kms/rotate.h"

#define DAY_MS         ((uint64_t)24 * 60 * 60 * 1000)
#define PERIOD_DEFAULT 365
#define ON_DEMAND_MAX  25U
#define LIST_PAGE      100U
#define LIST_MOST      1000U

static bool is_symmetric(const struct key *key)
{
    return keystore_spec(key->spec)->kind == KEYSTORE_AES;
}

/* Which keys rotate at all: symmetric ones of KMS itself, the primary of several Regions. */
static enum kms_error check_kind(const struct key *key, bool lets_import)
{
    if (!is_symmetric(key))
        return kms_fail(KMS_UNSUPPORTED, "%s key spec is %s which is not valid for this operation.",
                        key->arn, keystore_spec(key->spec)->name);
    if (key->origin != ORIGIN_AWS_KMS && !(lets_import && key->origin == ORIGIN_EXTERNAL))
        return kms_fail(KMS_UNSUPPORTED, "%s origin is %s which is not valid for this operation.",
                        key->arn, key_origin_name(key->origin));
    if (replica_is(key))
        return kms_fail(KMS_UNSUPPORTED,
                        "%s is a replica key. Rotation is of the primary key alone.", key->arn);
    return KMS_OK;
}

enum kms_error op_enable_key_rotation(struct kms_request *request)
{
    AUTO_KEY *key = NULL;
    KMS_TRY(check_kind(key_of(request->key), false));
    KMS_TRY(key_to_change(request, &key));
    json_int_t fallback = key->rotation.enabled ? key->rotation.period_days : PERIOD_DEFAULT;
    unsigned days = (unsigned)request_int(request, "RotationPeriodInDays", fallback);
    if (key->rotation.enabled && key->rotation.period_days == days)
        return KMS_OK;
    key->rotation.enabled = true;
    key->rotation.period_days = days;
    key->rotation.next_ms = request->now_ms + days * DAY_MS;
    return request_commit_key(request, key);
}

enum kms_error op_disable_key_rotation(struct kms_request *request)
{
    AUTO_KEY *key = NULL;
    KMS_TRY(check_kind(key_of(request->key), false));
    KMS_TRY(key_to_change(request, &key));
    key->rotation.enabled = false;
    key->rotation.next_ms = 0;
    return request_commit_key(request, key);
}

enum kms_error op_get_key_rotation_status(struct kms_request *request)
{
    const struct key *key = key_of(request->key);
    const struct key_rotation *rotation = &key->rotation;
    /* Nothing rotates while it waits for its deletion. */
    bool is_on = rotation->enabled && key->deletion_ms == 0 && !key->waits_for_replicas;
    KMS_TRY(request_put_key(request));
    (void)json_object_set_new(request->out, "KeyRotationEnabled", json_boolean(is_on));
    if (rotation->on_demand_started_ms != 0)
        KMS_TRY(kms_from_rc(request_put_time(request, "OnDemandRotationStartDate",
                                             rotation->on_demand_started_ms)));
    if (!is_on)
        return KMS_OK;
    (void)json_object_set_new(request->out, "RotationPeriodInDays",
                              json_integer((json_int_t)rotation->period_days));
    return kms_from_rc(request_put_time(request, "NextRotationDate", rotation->next_ms));
}

/* ---- on demand */

static bool has_pending(const struct key *key)
{
    return key->material_count != 0 && key->materials[key->material_count - 1].is_pending;
}

enum kms_error op_rotate_key_on_demand(struct kms_request *request)
{
    const struct key *key = key_of(request->key);
    KMS_TRY(check_kind(key, true));
    if (key->rotation.on_demand_count >= ON_DEMAND_MAX)
        return kms_fail(KMS_LIMIT_EXCEEDED,
                        "The on-demand rotations limit has been reached for the given keyId. No "
                        "more on-demand rotations can be performed for this key: %s",
                        key->id);
    if (key->origin == ORIGIN_EXTERNAL && !has_pending(key))
        return kms_fail(KMS_INVALID_STATE,
                        "No available key material pending rotation for the key: %s.", key->id);
    KMS_TRY(key_rotate(request, request->key, true));
    return request_put_key(request);
}

/* ---- list */

static const char *material_state(const struct key *key, size_t index)
{
    if (key->materials[index].is_pending)
        return "PENDING_ROTATION";
    return index == 0 ? "CURRENT" : "NON_CURRENT";
}

static void put_import(json_t *entry, const struct key_material *material)
{
    bool expires = material->valid_to_ms != 0;
    if (!material->imported)
        return;
    (void)json_object_set_new(entry, "ImportState",
                              json_string(material->is_present ? "IMPORTED" : "PENDING_IMPORT"));
    (void)json_object_set_new(
        entry, "ExpirationModel",
        json_string(expires ? "KEY_MATERIAL_EXPIRES" : "KEY_MATERIAL_DOES_NOT_EXPIRE"));
    if (expires)
        (void)json_object_set_new(entry, "ValidTo",
                                  json_real((double)material->valid_to_ms / 1000.0));
    if (material->description[0] != '\0')
        (void)json_object_set_new(entry, "KeyMaterialDescription",
                                  json_string(material->description));
}

/* The first material came by no rotation, a pending one by none yet. */
static json_t *entry_of(const struct key *key, size_t index, bool is_rotation)
{
    const struct key_material *material = &key->materials[index];
    json_t *entry = json_pack("{s:s, s:s, s:s}", "KeyId", key->id, "KeyMaterialId", material->id,
                              "KeyMaterialState", material_state(key, index));
    put_import(entry, material);
    if (!is_rotation)
        return entry;
    (void)json_object_set_new(entry, "RotationType",
                              json_string(material->on_demand ? "ON_DEMAND" : "AUTOMATIC"));
    (void)json_object_set_new(entry, "RotationDate",
                              json_real((double)material->created_ms / 1000.0));
    return entry;
}

static size_t rotated_count(const struct key *key)
{
    return key->material_count - (has_pending(key) ? 1 : 0);
}

/* The newest first, as they stand in the key. */
static enum kms_error list_materials(struct kms_request *request, bool wants_all)
{
    const struct key *key = key_of(request->key);
    size_t rotated = rotated_count(key);
    AUTO_PAGE page = PAGE_INIT;
    KMS_TRY(page_open(request, LIST_PAGE, LIST_MOST, &page));
    for (size_t i = 0; i < key->material_count; i++) {
        char cursor[24];
        bool is_rotation = i + 1 < rotated;
        (void)snprintf(cursor, sizeof cursor, "%06zu", i + 1);
        if ((!is_rotation && !wants_all) || strcmp(cursor, page.after) <= 0)
            continue;
        if (!page_add(&page, cursor, entry_of(key, i, is_rotation)))
            break;
    }
    return page_close(request, &page, "Rotations");
}

enum kms_error op_list_key_rotations(struct kms_request *request)
{
    const struct key *key = key_of(request->key);
    const char *which = request_string(request, "IncludeKeyMaterial");
    if (!is_symmetric(key))
        return kms_fail(KMS_UNSUPPORTED, "%s key spec is %s which is not valid for this operation.",
                        key->arn, keystore_spec(key->spec)->name);
    if (key->store_id[0] != '\0')
        return kms_fail(KMS_UNSUPPORTED, "%s origin is %s which is not valid for this operation.",
                        key->arn, key_origin_name(key->origin));
    return list_materials(request, which != NULL && strcmp(which, "ALL_KEY_MATERIAL") == 0);
}

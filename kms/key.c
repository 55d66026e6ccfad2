/* SPDX-License-Identifier: Apache-2.0 */
/* Keys in memory: names, copies, states, materials, and their commit. */
#include "kms/key.h"

#include <stdio.h>
#include <stdlib.h>

#include "kms/kms.h"
#include "kms/policy.h"
#include "kms/replica.h"
#include "kms/store.h"

static const char *const state_names[] = {
    [KEY_CREATING] = "Creating",
    [KEY_ENABLED] = "Enabled",
    [KEY_DISABLED] = "Disabled",
    [KEY_PENDING_DELETION] = "PendingDeletion",
    [KEY_PENDING_IMPORT] = "PendingImport",
    [KEY_PENDING_REPLICA_DELETION] = "PendingReplicaDeletion",
    [KEY_UNAVAILABLE] = "Unavailable",
    [KEY_UPDATING] = "Updating",
};

static const char *const origin_names[] = {
    [ORIGIN_AWS_KMS] = "AWS_KMS",
    [ORIGIN_EXTERNAL] = "EXTERNAL",
    [ORIGIN_AWS_CLOUDHSM] = "AWS_CLOUDHSM",
    [ORIGIN_XKS] = "EXTERNAL_KEY_STORE",
};

static const char *const usage_names[] = {
    [KEYSTORE_ENCRYPT] = "ENCRYPT_DECRYPT",
    [KEYSTORE_SIGN] = "SIGN_VERIFY",
    [KEYSTORE_MAC] = "GENERATE_VERIFY_MAC",
    [KEYSTORE_AGREE] = "KEY_AGREEMENT",
};

const char *key_state_name(enum key_state state)
{
    return state < KEY_STATE_END ? state_names[state] : "";
}

const char *key_origin_name(enum key_origin origin)
{
    return origin < ORIGIN_END ? origin_names[origin] : "";
}

enum key_origin key_origin_by_name(const char *name)
{
    enum key_origin origin = ORIGIN_AWS_KMS;
    while (origin < ORIGIN_END && strcmp(origin_names[origin], name) != 0)
        origin++;
    return origin;
}

const char *key_usage_name(enum keystore_use use)
{
    return use >= KEYSTORE_ENCRYPT && use <= KEYSTORE_AGREE ? usage_names[use] : "";
}

enum keystore_use key_usage_by_name(const char *name)
{
    for (int use = KEYSTORE_ENCRYPT; use <= KEYSTORE_AGREE; use++)
        if (strcmp(usage_names[use], name) == 0)
            return (enum keystore_use)use;
    return (enum keystore_use)0;
}

void key_path(const char *region, const char *id, char out[129])
{
    (void)snprintf(out, 129, "key/%.*s/%.*s", (int)KMS_REGION_MAX, region, (int)KMS_KEY_ID_MAX, id);
}

void key_name_itself(struct key *key)
{
    (void)snprintf(key->arn, sizeof key->arn, "arn:aws:kms:%s:%s:key/%s", key->region, key->account,
                   key->id);
}

static void clear_tags(struct key *key)
{
    for (size_t i = 0; i < key->tag_count; i++) {
        free(key->tags[i].key);
        free(key->tags[i].value);
    }
    key->tag_count = 0;
}

void key_free(void *data)
{
    struct key *key = data;
    if (key == NULL)
        return;
    clear_tags(key);
    free(key->description);
    free(key->policy_text);
    policy_free(key->policy);
    json_decref(key->policy_ids);
    free(key->materials);
    buf_clear(&key->public_der);
    free(key);
}

enum rc key_set_description(struct key *key, const char *text)
{
    char *copy = strdup(text);
    if (copy == NULL)
        return rc_fail(RC_NO_MEMORY, "description of a key");
    free(key->description);
    key->description = copy;
    return RC_OK;
}

enum kms_error key_set_policy(struct key *key, const char *text)
{
    struct policy *policy = NULL;
    KMS_TRY(policy_parse(POLICY_RESOURCE, text, strlen(text), &policy));
    char *copy = strdup(text);
    if (copy == NULL) {
        policy_free(policy);
        return kms_from_rc(rc_fail(RC_NO_MEMORY, "policy of a key"));
    }
    free(key->policy_text);
    policy_free(key->policy);
    key->policy_text = copy;
    key->policy = policy;
    return key_bind_policy(key, NULL);
}

enum kms_error key_bind_policy(struct key *key, json_t *ids)
{
    json_decref(key->policy_ids);
    key->policy_ids = ids;
    return policy_bind(key->policy, ids);
}

static size_t tag_index(const struct key *key, const char *name)
{
    size_t i = 0;
    while (i < key->tag_count && strcmp(key->tags[i].key, name) != 0)
        i++;
    return i;
}

enum rc key_set_tag(struct key *key, const char *name, const char *value)
{
    size_t i = tag_index(key, name);
    if (i == KMS_TAGS_MAX)
        return rc_fail(RC_LIMIT, "a key has at most %u tags", KMS_TAGS_MAX);
    char *copy = strdup(value);
    char *own_name = i == key->tag_count ? strdup(name) : key->tags[i].key;
    if (copy == NULL || own_name == NULL) {
        free(copy);
        if (i == key->tag_count)
            free(own_name);
        return rc_fail(RC_NO_MEMORY, "tag of a key");
    }
    if (i == key->tag_count)
        key->tags[key->tag_count++] = (struct key_tag){.key = own_name};
    free(key->tags[i].value);
    key->tags[i].value = copy;
    return RC_OK;
}

void key_unset_tag(struct key *key, const char *name)
{
    size_t i = tag_index(key, name);
    if (i == key->tag_count)
        return;
    free(key->tags[i].key);
    free(key->tags[i].value);
    key->tag_count--;
    for (; i < key->tag_count; i++)
        key->tags[i] = key->tags[i + 1];
}

enum rc key_put_material(struct key *key, const struct key_material *material, bool is_first)
{
    if (key->material_count >= KMS_MATERIALS_MAX)
        return rc_fail(RC_LIMIT, "a key has at most %u materials", KMS_MATERIALS_MAX);
    struct key_material *list = calloc(key->material_count + 1, sizeof *list);
    if (list == NULL)
        return rc_fail(RC_NO_MEMORY, "material of a key");
    size_t shift = is_first ? 1 : 0;
    for (size_t i = 0; i < key->material_count; i++)
        list[i + shift] = key->materials[i];
    list[is_first ? 0 : key->material_count] = *material;
    free(key->materials);
    key->materials = list;
    key->material_count++;
    return RC_OK;
}

/* What a copy cannot share with its original. */
static enum rc copy_owned(const struct key *key, struct key *copy)
{
    if (key->description != NULL)
        TRY(key_set_description(copy, key->description));
    if (key->policy_text != NULL &&
        (key_set_policy(copy, key->policy_text) != KMS_OK ||
         key_bind_policy(copy, json_deep_copy(key->policy_ids)) != KMS_OK))
        return rc_fail(RC_NO_MEMORY, "policy of key %s", key->id);
    for (size_t i = 0; i < key->tag_count; i++)
        TRY(key_set_tag(copy, key->tags[i].key, key->tags[i].value));
    for (size_t i = 0; i < key->material_count; i++)
        TRY(key_put_material(copy, &key->materials[i], false));
    return buf_append(&copy->public_der, buf_bytes(&key->public_der));
}

enum rc key_copy(const struct key *key, struct key **out)
{
    struct key *copy = calloc(1, sizeof *copy);
    if (copy == NULL)
        return rc_fail(RC_NO_MEMORY, "copy of a key");
    *copy = *key;
    copy->description = NULL;
    copy->policy_text = NULL;
    copy->policy = NULL;
    copy->policy_ids = NULL;
    copy->tag_count = 0;
    copy->materials = NULL;
    copy->material_count = 0;
    copy->public_der = (struct buf)BUF_INIT;
    enum rc rc = copy_owned(key, copy);
    if (rc != RC_OK) {
        key_free(copy);
        return rc;
    }
    *out = copy;
    return RC_OK;
}

enum rc key_add_change(struct view_changes *changes, const struct record *old,
                       const struct key *fresh)
{
    char path[129];
    json_t *value = NULL;
    key_path(fresh->region, fresh->id, path);
    TRY(key_encode(fresh, &value));
    return view_changes_add(changes, path, old == NULL ? 0 : old->version, value);
}

enum rc key_commit(struct view *view, const struct record *old, const struct key *fresh)
{
    struct view_changes changes = {.count = 0};
    enum rc rc = key_add_change(&changes, old, fresh);
    if (rc == RC_OK && old != NULL)
        rc = replica_follow(view, fresh, &changes);
    if (rc == RC_OK)
        rc = view_commit(view, &changes);
    view_changes_clear(&changes);
    return rc;
}

/* ---- state */

static bool is_usable(const struct key_material *material, uint64_t now_ms)
{
    return material->is_present && (material->valid_to_ms == 0 || material->valid_to_ms > now_ms);
}

/* One material that is missing or has expired makes an imported key unusable (AWS: "Importing key
 * material", "Expiration"). */
static bool is_complete(const struct key *key, uint64_t now_ms)
{
    size_t count = 0;
    for (size_t i = 0; i < key->material_count; i++) {
        if (key->materials[i].is_pending)
            continue;
        if (!is_usable(&key->materials[i], now_ms))
            return false;
        count++;
    }
    return count != 0;
}

enum key_state key_state(const struct kms *kms, const struct key *key, uint64_t now_ms)
{
    if (key->waits_for_replicas)
        return KEY_PENDING_REPLICA_DELETION;
    if (key->deletion_ms != 0)
        return KEY_PENDING_DELETION;
    if (key->updating)
        return KEY_UPDATING;
    if (key->origin == ORIGIN_EXTERNAL && !is_complete(key, now_ms))
        return KEY_PENDING_IMPORT;
    if (key->store_id[0] != '\0' && !stores_is_connected(kms, key))
        return KEY_UNAVAILABLE;
    if (key_current(key, now_ms) == NULL)
        return KEY_UNAVAILABLE;
    return key->enabled ? KEY_ENABLED : KEY_DISABLED;
}

const struct key_material *key_current(const struct key *key, uint64_t now_ms)
{
    if (key->material_count == 0 || key->materials[0].is_pending ||
        !is_usable(&key->materials[0], now_ms))
        return NULL;
    return &key->materials[0];
}

const struct key_material *key_material_by_id(const struct key *key, const char *id)
{
    for (size_t i = 0; i < key->material_count; i++)
        if (strcmp(key->materials[i].id, id) == 0)
            return &key->materials[i];
    return NULL;
}

const struct key_material *key_material_by_hsm_id(const struct key *key, const uint8_t id[16])
{
    for (size_t i = 0; i < key->material_count; i++)
        if (bytes_equal(bytes_of(key->materials[i].hsm_id, 16), bytes_of(id, 16)))
            return &key->materials[i];
    return NULL;
}

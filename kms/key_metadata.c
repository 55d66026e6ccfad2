/* SPDX-License-Identifier: Apache-2.0 */
/* KeyMetadata, as DescribeKey and CreateKey answer it. */
#include <stdio.h>

#include "kms/key.h"
#include "kms/kms.h"
#include "kms/store.h"

static void put_text(json_t *object, const char *name, const char *value)
{
    (void)json_object_set_new(object, name, json_string(value));
}

static void put_time(json_t *object, const char *name, uint64_t time_ms)
{
    (void)json_object_set_new(object, name, json_real((double)time_ms / 1000.0));
}

json_t *key_algorithms(const struct key *key)
{
    json_t *list = json_array();
    const struct keystore_spec_row *spec = keystore_spec(key->spec);
    const struct keystore_algorithm_row *row = NULL;
    for (size_t i = 0; (row = keystore_algorithm_at(i)) != NULL; i++)
        if (row->use == key->use && keystore_goes_with(spec, row))
            (void)json_array_append_new(list, json_string(row->name));
    return list;
}

static const char *const algorithm_members[] = {
    [KEYSTORE_ENCRYPT] = "EncryptionAlgorithms",
    [KEYSTORE_SIGN] = "SigningAlgorithms",
    [KEYSTORE_MAC] = "MacAlgorithms",
    [KEYSTORE_AGREE] = "KeyAgreementAlgorithms",
};

static json_t *region_entry(const struct key *key, const char *region)
{
    char arn[KMS_KEY_ARN_MAX + 1];
    (void)snprintf(arn, sizeof arn, "arn:aws:kms:%s:%s:key/%s", region, key->account, key->id);
    return json_pack("{s:s, s:s}", "Arn", arn, "Region", region);
}

/* Replicas are the keys of that id in the other Regions. */
static json_t *replicas_of(const struct kms *kms, const struct key *key)
{
    json_t *list = json_array();
    const struct config_list *regions = &kms->config->regions;
    for (size_t i = 0; i < regions->count; i++) {
        char path[129];
        key_path(regions->items[i], key->id, path);
        if (strcmp(regions->items[i], key->primary_region) == 0)
            continue;
        AUTO_RECORD *record = view_get(kms->view, path);
        bool is_self = strcmp(regions->items[i], key->region) == 0;
        if (is_self || (record != NULL && strcmp(key_of(record)->account, key->account) == 0))
            (void)json_array_append_new(list, region_entry(key, regions->items[i]));
    }
    return list;
}

static void put_regions(json_t *object, const struct kms *kms, const struct key *key)
{
    (void)json_object_set_new(object, "MultiRegion", json_boolean(key->multi_region));
    if (!key->multi_region)
        return;
    bool is_primary = strcmp(key->region, key->primary_region) == 0;
    (void)json_object_set_new(object, "MultiRegionConfiguration",
                              json_pack("{s:s, s:o, s:o}", "MultiRegionKeyType",
                                        is_primary ? "PRIMARY" : "REPLICA", "PrimaryKey",
                                        region_entry(key, key->primary_region), "ReplicaKeys",
                                        replicas_of(kms, key)));
}

static void put_store(json_t *object, const struct kms *kms, const struct key *key)
{
    char path[129];
    if (key->store_id[0] == '\0')
        return;
    put_text(object, "CustomKeyStoreId", key->store_id);
    if (key->xks_key_id[0] != '\0')
        (void)json_object_set_new(object, "XksKeyConfiguration",
                                  json_pack("{s:s}", "Id", key->xks_key_id));
    struct store named = {.type = STORE_CLOUDHSM};
    (void)snprintf(named.id, sizeof named.id, "%s", key->store_id);
    (void)snprintf(named.region, sizeof named.region, "%s", key->region);
    (void)snprintf(named.account, sizeof named.account, "%s", key->account);
    store_path(&named, path);
    AUTO_RECORD *store = view_get(kms->view, path);
    if (store != NULL && store_of(store)->cluster_id[0] != '\0')
        put_text(object, "CloudHsmClusterId", store_of(store)->cluster_id);
}

/* When the material of an imported key expires: that of its materials that goes first. */
static void put_expiry(json_t *object, const struct key *key, enum key_state state)
{
    uint64_t first_ms = 0;
    if (key->origin != ORIGIN_EXTERNAL || state == KEY_PENDING_IMPORT || key->material_count == 0)
        return;
    for (size_t i = 0; i < key->material_count; i++) {
        uint64_t ms = key->materials[i].is_pending ? 0 : key->materials[i].valid_to_ms;
        if (ms != 0 && (first_ms == 0 || ms < first_ms))
            first_ms = ms;
    }
    put_text(object, "ExpirationModel",
             first_ms == 0 ? "KEY_MATERIAL_DOES_NOT_EXPIRE" : "KEY_MATERIAL_EXPIRES");
    if (first_ms != 0)
        put_time(object, "ValidTo", first_ms);
}

static void put_material(json_t *object, const struct key *key, uint64_t now_ms)
{
    const struct key_material *current = key_current(key, now_ms);
    bool is_ours = key->origin == ORIGIN_AWS_KMS || key->origin == ORIGIN_EXTERNAL;
    if (current != NULL && is_ours && keystore_spec(key->spec)->kind == KEYSTORE_AES)
        put_text(object, "CurrentKeyMaterialId", current->id);
}

static void put_deletion(json_t *object, const struct key *key, enum key_state state)
{
    if (state == KEY_PENDING_DELETION)
        put_time(object, "DeletionDate", key->deletion_ms);
    if (state == KEY_PENDING_REPLICA_DELETION)
        (void)json_object_set_new(object, "PendingDeletionWindowInDays",
                                  json_integer((json_int_t)key->deletion_window_days));
}

enum rc key_metadata(const struct kms *kms, const struct key *key, uint64_t now_ms, json_t **out)
{
    enum key_state state = key_state(kms, key, now_ms);
    const char *spec = keystore_spec(key->spec)->name;
    json_t *object = json_pack(
        "{s:s, s:s, s:s, s:f, s:b, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "AWSAccountId",
        key->account, "KeyId", key->id, "Arn", key->arn, "CreationDate",
        (double)key->created_ms / 1000.0, "Enabled", state == KEY_ENABLED, "Description",
        key->description == NULL ? "" : key->description, "KeyUsage", key_usage_name(key->use),
        "KeyState", key_state_name(state), "Origin", key_origin_name(key->origin), "KeyManager",
        key->aws_managed ? "AWS" : "CUSTOMER", "CustomerMasterKeySpec", spec, "KeySpec", spec);
    if (object == NULL)
        return rc_fail(RC_NO_MEMORY, "metadata of key %s", key->id);
    (void)json_object_set_new(object, algorithm_members[key->use], key_algorithms(key));
    put_deletion(object, key, state);
    put_expiry(object, key, state);
    put_store(object, kms, key);
    put_regions(object, kms, key);
    put_material(object, key, now_ms);
    *out = object;
    return RC_OK;
}

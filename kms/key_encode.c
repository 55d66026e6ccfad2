/* SPDX-License-Identifier: Apache-2.0 */
/* A key as its document: JSON both ways. Times are milliseconds, binary values hexadecimal. */
#include <stdio.h>
#include <stdlib.h>

#include "kms/base64.h"
#include "kms/hash.h"
#include "kms/key.h"
#include "kms/policy.h"

/* ---- out */

static void put_flag(json_t *object, const char *name, bool value)
{
    if (value)
        (void)json_object_set_new(object, name, json_true());
}

static void put_number(json_t *object, const char *name, uint64_t value)
{
    if (value != 0)
        (void)json_object_set_new(object, name, json_integer((json_int_t)value));
}

static void put_text(json_t *object, const char *name, const char *value)
{
    if (value != NULL && value[0] != '\0')
        (void)json_object_set_new(object, name, json_string(value));
}

static json_t *encode_material(const struct key_material *material)
{
    char hsm_id[33];
    char fingerprint[65];
    hash_hex(bytes_of(material->hsm_id, 16), hsm_id);
    hash_hex(bytes_of(material->fingerprint, 32), fingerprint);
    json_t *object = json_pack("{s:s, s:s, s:s, s:I, s:I}", "id", material->id, "hsm", hsm_id,
                               "print", fingerprint, "handle", (json_int_t)material->handle,
                               "created", (json_int_t)material->created_ms);
    put_flag(object, "imported", material->imported);
    put_flag(object, "absent", !material->is_present);
    put_flag(object, "pending", material->is_pending);
    put_flag(object, "demand", material->on_demand);
    put_number(object, "valid_to", material->valid_to_ms);
    put_text(object, "description", material->description);
    return object;
}

static json_t *encode_materials(const struct key *key)
{
    json_t *list = json_array();
    for (size_t i = 0; i < key->material_count; i++)
        (void)json_array_append_new(list, encode_material(&key->materials[i]));
    return list;
}

static json_t *encode_tags(const struct key *key)
{
    json_t *list = json_array();
    for (size_t i = 0; i < key->tag_count; i++)
        (void)json_array_append_new(list,
                                    json_pack("[s, s]", key->tags[i].key, key->tags[i].value));
    return list;
}

static json_t *encode_rotation(const struct key_rotation *rotation)
{
    json_t *object = json_object();
    put_flag(object, "enabled", rotation->enabled);
    put_number(object, "days", rotation->period_days);
    put_number(object, "next", rotation->next_ms);
    put_number(object, "demand", rotation->on_demand_count);
    put_number(object, "started", rotation->on_demand_started_ms);
    return object;
}

static enum rc put_public(json_t *object, const struct key *key)
{
    if (key->public_der.len == 0)
        return RC_OK;
    AUTO_BUF text = BUF_INIT;
    TRY(base64_encode(buf_bytes(&key->public_der), &text));
    put_text(object, "public", buf_str(&text));
    return RC_OK;
}

static void put_state(json_t *object, const struct key *key)
{
    put_flag(object, "enabled", key->enabled);
    put_flag(object, "aws", key->aws_managed);
    put_number(object, "deletion", key->deletion_ms);
    put_number(object, "window", key->deletion_window_days);
    put_flag(object, "waits", key->waits_for_replicas);
    put_flag(object, "updating", key->updating);
    put_flag(object, "multi", key->multi_region);
    put_text(object, "primary", key->primary_region);
    put_text(object, "store", key->store_id);
    put_text(object, "xks", key->xks_key_id);
    put_number(object, "used", key->last_used_ms);
    put_text(object, "description", key->description);
    if (key->policy_ids != NULL)
        (void)json_object_set_new(object, "principals", json_deep_copy(key->policy_ids));
}

enum rc key_encode(const struct key *key, json_t **out)
{
    json_t *object =
        json_pack("{s:s, s:i, s:i, s:i, s:I, s:s, s:o, s:o, s:o}", "account", key->account, "spec",
                  (int)key->spec, "use", (int)key->use, "origin", (int)key->origin, "created",
                  (json_int_t)key->created_ms, "policy",
                  key->policy_text == NULL ? "" : key->policy_text, "tags", encode_tags(key),
                  "materials", encode_materials(key), "rotation", encode_rotation(&key->rotation));
    if (object == NULL)
        return rc_fail(RC_NO_MEMORY, "document of key %s", key->id);
    put_state(object, key);
    enum rc rc = put_public(object, key);
    if (rc != RC_OK) {
        json_decref(object);
        return rc;
    }
    *out = object;
    return RC_OK;
}

/* ---- in */

static uint64_t number(const json_t *object, const char *name)
{
    json_int_t value = json_integer_value(json_object_get(object, name));
    return value < 0 ? 0 : (uint64_t)value;
}

static bool flag(const json_t *object, const char *name)
{
    return json_is_true(json_object_get(object, name));
}

/* "" when absent; false when longer than fits. */
static bool text(const json_t *object, const char *name, char *out, size_t size)
{
    const char *value = json_string_value(json_object_get(object, name));
    return (size_t)snprintf(out, size, "%s", value == NULL ? "" : value) < size;
}

static int nibble(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool hex(const json_t *object, const char *name, uint8_t *out, size_t len)
{
    const json_t *value = json_object_get(object, name);
    const char *digits = json_string_value(value);
    if (digits == NULL || json_string_length(value) != 2 * len)
        return false;
    for (size_t i = 0; i < len; i++) {
        int high = nibble(digits[2 * i]);
        int low = nibble(digits[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        out[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

static bool decode_material(const json_t *object, struct key_material *out)
{
    out->handle = number(object, "handle");
    out->created_ms = number(object, "created");
    out->valid_to_ms = number(object, "valid_to");
    out->imported = flag(object, "imported");
    out->is_present = !flag(object, "absent");
    out->is_pending = flag(object, "pending");
    out->on_demand = flag(object, "demand");
    return text(object, "id", out->id, sizeof out->id) &&
           text(object, "description", out->description, sizeof out->description) &&
           hex(object, "hsm", out->hsm_id, sizeof out->hsm_id) &&
           hex(object, "print", out->fingerprint, sizeof out->fingerprint);
}

static bool decode_materials(const json_t *list, struct key *out)
{
    size_t count = json_array_size(list);
    if (count > KMS_MATERIALS_MAX)
        return false;
    out->materials = calloc(count + 1, sizeof *out->materials);
    if (out->materials == NULL)
        return false;
    for (size_t i = 0; i < count; i++)
        if (!decode_material(json_array_get(list, i), &out->materials[i]))
            return false;
    out->material_count = count;
    return true;
}

static bool decode_tags(const json_t *list, struct key *out)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *name = NULL;
        const char *value = NULL;
        if (json_unpack(json_array_get(list, i), "[s, s]", &name, &value) != 0 ||
            key_set_tag(out, name, value) != RC_OK)
            return false;
    }
    return true;
}

static void decode_rotation(const json_t *object, struct key_rotation *out)
{
    *out = (struct key_rotation){
        .enabled = flag(object, "enabled"),
        .period_days = (unsigned)number(object, "days"),
        .next_ms = number(object, "next"),
        .on_demand_count = (unsigned)number(object, "demand"),
        .on_demand_started_ms = number(object, "started"),
    };
}

static bool decode_shape(const json_t *value, struct key *out)
{
    out->spec = (enum keystore_spec)number(value, "spec");
    out->use = (enum keystore_use)number(value, "use");
    uint64_t origin = number(value, "origin");
    const struct keystore_spec_row *spec = keystore_spec(out->spec);
    if (spec == NULL || !keystore_may_be_for(spec, out->use) || origin >= ORIGIN_END)
        return false;
    out->origin = (enum key_origin)origin;
    out->created_ms = number(value, "created");
    out->enabled = flag(value, "enabled");
    out->aws_managed = flag(value, "aws");
    out->deletion_ms = number(value, "deletion");
    out->deletion_window_days = (unsigned)number(value, "window");
    out->waits_for_replicas = flag(value, "waits");
    out->updating = flag(value, "updating");
    out->multi_region = flag(value, "multi");
    out->last_used_ms = number(value, "used");
    return text(value, "primary", out->primary_region, sizeof out->primary_region) &&
           text(value, "store", out->store_id, sizeof out->store_id) &&
           text(value, "xks", out->xks_key_id, sizeof out->xks_key_id);
}

static bool decode_texts(const json_t *value, struct key *out)
{
    const char *policy = json_string_value(json_object_get(value, "policy"));
    const char *description = json_string_value(json_object_get(value, "description"));
    const char *public = json_string_value(json_object_get(value, "public"));
    if (policy == NULL || key_set_policy(out, policy) != KMS_OK ||
        key_bind_policy(out, json_deep_copy(json_object_get(value, "principals"))) != KMS_OK)
        return false;
    if (key_set_description(out, description == NULL ? "" : description) != RC_OK)
        return false;
    return public == NULL || base64_decode(bytes_of_str(public), &out->public_der) == RC_OK;
}

/* "key/REGION/ID" */
static bool decode_path(const char *path, struct key *out)
{
    const char *slash = strchr(path + strlen("key/"), '/');
    if (strncmp(path, "key/", 4) != 0 || slash == NULL)
        return false;
    int len = (int)(slash - path - 4);
    return (size_t)snprintf(out->region, sizeof out->region, "%.*s", len, path + 4) <
               sizeof out->region &&
           (size_t)snprintf(out->id, sizeof out->id, "%s", slash + 1) < sizeof out->id;
}

enum rc key_decode(const char *path, const json_t *value, void **out)
{
    struct key *key = calloc(1, sizeof *key);
    if (key == NULL)
        return rc_fail(RC_NO_MEMORY, "key %s", path);
    key->public_der = (struct buf)BUF_INIT;
    bool good = decode_path(path, key) &&
                text(value, "account", key->account, sizeof key->account) &&
                strlen(key->account) == KMS_ACCOUNT_LEN && decode_shape(value, key) &&
                decode_texts(value, key) && decode_tags(json_object_get(value, "tags"), key) &&
                decode_materials(json_object_get(value, "materials"), key);
    if (!good) {
        key_free(key);
        return rc_fail(RC_TAMPERED, "document %s is not a key that this release can read", path);
    }
    decode_rotation(json_object_get(value, "rotation"), &key->rotation);
    key_name_itself(key);
    *out = key;
    return RC_OK;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Test keys from a file, through the same doors as CreateKey and CreateAlias. */
#include "kms/seed.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "common/log.h"
#include "kms/alias.h"
#include "kms/backing.h"
#include "kms/base64.h"
#include "kms/chores.h"
#include "kms/key_new.h"

struct seeding {
    const char *path;
    size_t index;                /* of the entry */
    struct kms_request *request; /* of the account's root */
    struct hsm_key wrapping;     /* of materials that the file has */
};

static const char *text_of(const json_t *entry, const char *member, const char *fallback)
{
    const char *text = json_string_value(json_object_get(entry, member));
    return text == NULL ? fallback : text;
}

static enum rc fail(const struct seeding *seeding, const json_t *entry, const char *what)
{
    const char *id = text_of(entry, "KeyId", NULL);
    return rc_fail(RC_CONFIG, "%s: keys[%zu]%s%s: %s", seeding->path, seeding->index,
                   id == NULL ? "" : ", ", id == NULL ? "" : id, what);
}

/* AWS's words for what is wrong with it. */
static enum rc from_kms(const struct seeding *seeding, const json_t *entry, enum kms_error error)
{
    return error == KMS_OK ? RC_OK : fail(seeding, entry, kms_error_text());
}

static bool is_listed(const struct config_list *list, const char *text)
{
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->items[i], text) == 0)
            return true;
    return false;
}

/* Whose it is and where, into the request. */
static enum rc place(struct seeding *seeding, json_t *entry)
{
    struct kms_request *request = seeding->request;
    const struct kms_config *config = request->kms->config;
    if (config->regions.count == 0 || config->accounts.count == 0)
        return fail(seeding, entry, "no region or account is configured");
    const char *region = text_of(entry, "Region", config->regions.items[0]);
    const char *account = text_of(entry, "Account", config->accounts.items[0]);
    if (!is_listed(&config->regions, region) || !is_listed(&config->accounts, account))
        return fail(seeding, entry, "its Region or Account is not one of the configuration's");
    (void)snprintf(request->region, sizeof request->region, "%s", region);
    (void)snprintf(request->identity.account, sizeof request->identity.account, "%s", account);
    (void)snprintf(request->identity.arn, sizeof request->identity.arn, "arn:aws:iam::%s:root",
                   account);
    request->identity.type = IDENTITY_ROOT;
    request->in = entry;
    return RC_OK;
}

static enum rc read_shape(const struct seeding *seeding, const json_t *entry, struct key *key)
{
    const struct keystore_spec_row *spec =
        keystore_spec_by_name(text_of(entry, "KeySpec", "SYMMETRIC_DEFAULT"));
    const char *usage = text_of(entry, "KeyUsage", "ENCRYPT_DECRYPT");
    if (spec == NULL)
        return fail(seeding, entry, "its KeySpec is not known");
    key->spec = spec->spec;
    key->use = key_usage_by_name(usage);
    if (!keystore_may_be_for(spec, key->use))
        return fail(seeding, entry, "its KeyUsage does not go with its KeySpec");
    return key_set_description(key, text_of(entry, "Description", ""));
}

static enum rc admit_policy(const struct seeding *seeding, const json_t *entry, struct key *key)
{
    return from_kms(seeding, entry,
                    key_admit_policy(seeding->request, key, text_of(entry, "Policy", NULL)));
}

static enum rc put_material(struct seeding *seeding, const json_t *entry, struct key *key)
{
    const char *encoded = text_of(entry, "KeyMaterial", NULL);
    AUTO_BUF value = BUF_INIT;
    if (encoded == NULL)
        return from_kms(seeding, entry, backing_create(seeding->request, key));
    TRY(base64_decode(bytes_of_str(encoded), &value));
    return seed_import(seeding->request->kms, &seeding->wrapping, buf_bytes(&value), key);
}

static enum rc make_key(struct seeding *seeding, const json_t *entry)
{
    struct kms_request *request = seeding->request;
    const char *id = text_of(entry, "KeyId", "");
    AUTO_KEY *key = NULL;
    TRY(from_kms(seeding, entry, key_new(request, strncmp(id, "mrk-", 4) == 0, &key)));
    (void)snprintf(key->id, sizeof key->id, "%s", id);
    key_name_itself(key);
    TRY(read_shape(seeding, entry, key));
    TRY(admit_policy(seeding, entry, key));
    TRY(from_kms(seeding, entry, key_admit_tags(request, key)));
    TRY(put_material(seeding, entry, key));
    enum rc rc = key_commit(request->kms->view, NULL, key);
    if (rc == RC_OK)
        log_info("test_key_made", "key=%s material=%s", key->arn,
                 key->origin == ORIGIN_EXTERNAL ? "of_the_file" : "of_the_hsm");
    else if (rc != RC_OUTCOME_UNKNOWN)
        backing_delete(request->kms, key, &key->materials[0]);
    return rc == RC_CONFLICT ? RC_OK : rc; /* another front end was first */
}

static enum rc make_alias(const struct kms_request *request, const json_t *entry, const char *name)
{
    char path[ALIAS_PATH_MAX];
    struct alias alias = {.created_ms = request->now_ms, .updated_ms = request->now_ms};
    json_t *value = NULL;
    if (!alias_path(request->region, request->identity.account, name, path))
        return rc_fail(RC_INTERNAL, "%s is no alias", name);
    AUTO_RECORD *old = view_get(request->kms->view, path);
    if (old != NULL)
        return RC_OK;
    (void)snprintf(alias.name, sizeof alias.name, "%s", name);
    (void)snprintf(alias.target, sizeof alias.target, "%s", text_of(entry, "KeyId", ""));
    (void)snprintf(alias.region, sizeof alias.region, "%s", request->region);
    (void)snprintf(alias.account, sizeof alias.account, "%s", request->identity.account);
    TRY(alias_encode(&alias, &value));
    enum rc rc = view_commit_one(request->kms->view, path, 0, value);
    return rc == RC_CONFLICT ? RC_OK : rc;
}

static enum rc seed_one(struct seeding *seeding, json_t *entry)
{
    char path[129];
    TRY(place(seeding, entry));
    const struct kms_request *request = seeding->request;
    const char *id = text_of(entry, "KeyId", "");
    key_path(request->region, id, path);
    AUTO_RECORD *there = view_get(request->kms->view, path);
    if (there == NULL && chores_is_doomed(request->kms->view, request->region, id)) {
        log_warn("test_key_not_made", "document=%s error=\"it is being deleted\"", path);
        return RC_OK;
    }
    if (there == NULL)
        TRY(make_key(seeding, entry));
    const json_t *aliases = json_object_get(entry, "Aliases");
    for (size_t i = 0; i < json_array_size(aliases); i++)
        TRY(make_alias(request, entry, json_string_value(json_array_get(aliases, i))));
    return RC_OK;
}

/* A policy that is an object becomes its text, as CreateKey has it. */
static enum rc check_one(const struct seeding *seeding, json_t *entry)
{
    const json_t *policy = json_object_get(entry, "Policy");
    if (json_is_object(policy)) {
        char *text = json_dumps(policy, JSON_COMPACT);
        bool is_set = text != NULL && json_object_set_new(entry, "Policy", json_string(text)) == 0;
        free(text);
        if (!is_set)
            return rc_fail(RC_NO_MEMORY, "%s", seeding->path);
    }
    if (seed_check(entry) == RC_OK)
        return RC_OK;
    AUTO_BUF what = BUF_INIT;
    TRY(buf_printf(&what, "%s", rc_detail()));
    return fail(seeding, entry, buf_str(&what));
}

static enum rc seed_all(struct seeding *seeding, const json_t *file)
{
    const json_t *keys = json_object_get(file, "keys");
    if (!json_is_array(keys))
        return rc_fail(RC_CONFIG, "%s: want {\"keys\": [...]}", seeding->path);
    for (seeding->index = 0; seeding->index < json_array_size(keys); seeding->index++)
        TRY(check_one(seeding, json_array_get(keys, seeding->index)));
    for (seeding->index = 0; seeding->index < json_array_size(keys); seeding->index++)
        TRY(seed_one(seeding, json_array_get(keys, seeding->index)));
    return RC_OK;
}

enum rc seed_load(struct kms *kms, const char *path)
{
    json_error_t error;
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    json_t *file = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
    if (file == NULL)
        return rc_fail(RC_CONFIG, "%s:%d: %s", path, error.line, error.text);
    struct seeding seeding = {.path = path, .request = calloc(1, sizeof(struct kms_request))};
    enum rc rc = RC_NO_MEMORY;
    if (seeding.request != NULL) {
        seeding.request->kms = kms;
        seeding.request->now_ms = (uint64_t)now.tv_sec * 1000U;
        rc = seed_all(&seeding, file);
        seed_import_end(kms, &seeding.wrapping);
    }
    free(seeding.request);
    json_decref(file);
    return rc;
}

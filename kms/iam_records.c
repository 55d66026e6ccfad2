/* SPDX-License-Identifier: Apache-2.0 */
/* Reads principals, managed policies, MFA devices and access keys from their documents, policies
 * compiled. */
#include "kms/iam_records.h"

#include <stdio.h>
#include <stdlib.h>

#include "rpc/text_code.h"

#define FIELD(target, text) snprintf(target, sizeof(target), "%s", text)

static void names_free(struct iam_names *names)
{
    for (size_t i = 0; i < names->count; i++)
        free(names->items[i]);
    free(names->items);
}

static void head_free(struct iam_head *head)
{
    for (size_t i = 0; i < head->tag_count; i++) {
        free(head->tags[i].key);
        free(head->tags[i].value);
    }
    free(head->tags);
    free(head->description);
}

static void principal_free(struct iam_principal *principal)
{
    head_free(&principal->head);
    for (size_t i = 0; i < principal->inline_count; i++) {
        free(principal->inlines[i].name);
        free(principal->inlines[i].text);
        policy_free(principal->inlines[i].policy);
    }
    free(principal->inlines);
    names_free(&principal->attached);
    names_free(&principal->groups);
    names_free(&principal->keys);
    names_free(&principal->devices);
    free(principal->boundary);
    free(principal->trust_text);
    policy_free(principal->trust);
    json_decref(principal->trust_ids);
    free(principal);
}

static void managed_free(struct iam_managed *managed)
{
    head_free(&managed->head);
    for (size_t i = 0; i < managed->version_count; i++) {
        free(managed->versions[i].text);
        policy_free(managed->versions[i].policy);
    }
    free(managed);
}

static void mfa_free(struct iam_mfa *device)
{
    head_free(&device->head);
    buf_clear(&device->closed);
    free(device);
}

static void key_record_free(struct iam_key *key)
{
    buf_clear(&key->closed);
    free(key);
}

void iam_free(void *data)
{
    if (data == NULL)
        return;
    switch (*(enum iam_kind *)data) {
    case IAM_USER:
    case IAM_ROLE:
    case IAM_GROUP:
        principal_free(data);
        return;
    case IAM_POLICY:
        managed_free(data);
        return;
    case IAM_MFA:
        mfa_free(data);
        return;
    case IAM_KEY:
        key_record_free(data);
        return;
    }
}

static enum rc copy_text(const json_t *object, const char *name, char **out)
{
    const char *text = json_string_value(json_object_get(object, name));
    if (text == NULL)
        return RC_OK;
    *out = strdup(text);
    return *out == NULL ? RC_NO_MEMORY : RC_OK;
}

bool iam_names_has(const struct iam_names *names, const char *name)
{
    for (size_t i = 0; i < names->count; i++)
        if (strcmp(names->items[i], name) == 0)
            return true;
    return false;
}

static enum rc read_names(const json_t *list, struct iam_names *out)
{
    size_t count = json_array_size(list);
    if (count == 0)
        return RC_OK;
    out->items = calloc(count, sizeof *out->items);
    if (out->items == NULL)
        return RC_NO_MEMORY;
    for (; out->count < count; out->count++) {
        const char *text = json_string_value(json_array_get(list, out->count));
        if (text == NULL)
            return rc_fail(RC_TAMPERED, "a name in a principal's document is no string");
        out->items[out->count] = strdup(text);
        if (out->items[out->count] == NULL)
            return RC_NO_MEMORY;
    }
    return RC_OK;
}

static enum rc read_policy(enum policy_kind kind, const char *text, const char *path,
                           struct policy **out)
{
    if (policy_parse(kind, text, strlen(text), out) != KMS_OK)
        return rc_fail(RC_TAMPERED, "%s: a policy cannot be read", path);
    return RC_OK;
}

/* jansson's iterators want what they do not change without const. */
static json_t *without_const(const json_t *json)
{
    return (json_t *)(uintptr_t)json;
}

static enum rc read_tags(const json_t *tags, struct iam_head *head)
{
    if (json_object_size(tags) == 0)
        return RC_OK;
    head->tags = calloc(json_object_size(tags), sizeof *head->tags);
    if (head->tags == NULL)
        return RC_NO_MEMORY;
    const char *key;
    json_t *value;
    json_object_foreach(without_const(tags), key, value)
    {
        struct key_tag *tag = &head->tags[head->tag_count++];
        tag->key = strdup(key);
        tag->value = strdup(json_is_string(value) ? json_string_value(value) : "");
        if (tag->key == NULL || tag->value == NULL)
            return RC_NO_MEMORY;
    }
    return RC_OK;
}

static enum rc read_inlines(const json_t *policies, const char *path,
                            struct iam_principal *principal)
{
    if (json_object_size(policies) == 0)
        return RC_OK;
    principal->inlines = calloc(json_object_size(policies), sizeof *principal->inlines);
    if (principal->inlines == NULL)
        return RC_NO_MEMORY;
    const char *name;
    json_t *text;
    json_object_foreach(without_const(policies), name, text)
    {
        if (!json_is_string(text))
            return rc_fail(RC_TAMPERED, "%s: a policy is no string", path);
        struct iam_inline *inlined = &principal->inlines[principal->inline_count++];
        inlined->name = strdup(name);
        inlined->text = strdup(json_string_value(text));
        if (inlined->name == NULL || inlined->text == NULL)
            return RC_NO_MEMORY;
        TRY(read_policy(POLICY_IDENTITY, inlined->text, path, &inlined->policy));
    }
    return RC_OK;
}

static enum rc read_head(const char *path, const json_t *value, struct iam_head *head)
{
    const char *account = NULL, *name = NULL, *at = NULL, *id = NULL;
    json_int_t created = 0;
    json_error_t error;
    if (json_unpack_ex(without_const(value), &error, 0, "{s:s, s:s, s:s, s:s, s:I}", "account",
                       &account, "name", &name, "path", &at, "id", &id, "created", &created) != 0)
        return rc_fail(RC_TAMPERED, "%s: %s", path, error.text);
    FIELD(head->account, account);
    FIELD(head->name, name);
    FIELD(head->path, at);
    FIELD(head->id, id);
    head->created_ms = (uint64_t)created;
    (void)snprintf(head->arn, sizeof head->arn, "arn:aws:iam::%s:%s%s%s", account,
                   iam_kind_name(head->kind), at, name);
    TRY(copy_text(value, "description", &head->description));
    return read_tags(json_object_get(value, "tags"), head);
}

static enum rc principal_fill(const char *path, const json_t *value,
                              struct iam_principal *principal)
{
    TRY(read_head(path, value, &principal->head));
    TRY(read_inlines(json_object_get(value, "policies"), path, principal));
    TRY(read_names(json_object_get(value, "attached"), &principal->attached));
    TRY(read_names(json_object_get(value, "groups"), &principal->groups));
    TRY(read_names(json_object_get(value, "keys"), &principal->keys));
    TRY(read_names(json_object_get(value, "devices"), &principal->devices));
    TRY(copy_text(value, "boundary", &principal->boundary));
    principal->member_count = (size_t)json_integer_value(json_object_get(value, "members"));
    if (principal->head.kind != IAM_ROLE)
        return RC_OK;
    principal->session_max_s = (unsigned)json_integer_value(json_object_get(value, "sessionMax"));
    TRY(copy_text(value, "trust", &principal->trust_text));
    if (principal->trust_text == NULL)
        return rc_fail(RC_TAMPERED, "%s: a role without trust policy", path);
    TRY(read_policy(POLICY_TRUST, principal->trust_text, path, &principal->trust));
    principal->trust_ids = json_deep_copy(json_object_get(value, "trustPrincipals"));
    return policy_bind(principal->trust, principal->trust_ids) == KMS_OK ? RC_OK : RC_NO_MEMORY;
}

static enum rc managed_fill(const char *path, const json_t *value, struct iam_managed *managed)
{
    TRY(read_head(path, value, &managed->head));
    managed->updated_ms = (uint64_t)json_integer_value(json_object_get(value, "updated"));
    managed->default_version = (unsigned)json_integer_value(json_object_get(value, "default"));
    managed->attachment_count = (size_t)json_integer_value(json_object_get(value, "attachments"));
    managed->boundary_count = (size_t)json_integer_value(json_object_get(value, "boundaries"));
    const json_t *versions = json_object_get(value, "versions");
    if (json_array_size(versions) > IAM_VERSIONS_MAX)
        return rc_fail(RC_TAMPERED, "%s: too many versions", path);
    for (size_t i = 0; i < json_array_size(versions); i++) {
        const json_t *in = json_array_get(versions, i);
        struct iam_version *version = &managed->versions[managed->version_count++];
        version->number = (unsigned)json_integer_value(json_object_get(in, "number"));
        version->created_ms = (uint64_t)json_integer_value(json_object_get(in, "created"));
        TRY(copy_text(in, "text", &version->text));
        if (version->text == NULL)
            return rc_fail(RC_TAMPERED, "%s: a version without text", path);
        TRY(read_policy(POLICY_IDENTITY, version->text, path, &version->policy));
    }
    return RC_OK;
}

static enum rc mfa_fill(const char *path, const json_t *value, struct iam_mfa *device)
{
    const char *closed = NULL;
    json_int_t enabled = 0, ahead = 0, taken = 0, wrong = 0, count = 0;
    json_error_t error;
    TRY(read_head(path, value, &device->head));
    if (json_unpack_ex(without_const(value), &error, 0, "{s:s, s?I, s?I, s?I, s?I, s?I}", "secret",
                       &closed, "enabled", &enabled, "ahead", &ahead, "taken", &taken, "wrong",
                       &wrong, "wrongCount", &count) != 0)
        return rc_fail(RC_TAMPERED, "%s: %s", path, error.text);
    device->enabled_ms = (uint64_t)enabled;
    device->ahead = ahead;
    device->taken_step = (uint64_t)taken;
    device->wrong_step = (uint64_t)wrong;
    device->wrong_count = (unsigned)count;
    device->closed = (struct buf)BUF_INIT;
    return text_code_read("", closed, &device->closed);
}

static enum rc key_fill(const char *path, const json_t *value, struct iam_key *key)
{
    const char *account = NULL, *user = NULL, *closed = NULL;
    json_int_t created = 0;
    int active = 0;
    json_error_t error;
    if (json_unpack_ex(without_const(value), &error, 0, "{s:s, s:s, s:s, s:I, s:b}", "account",
                       &account, "user", &user, "secret", &closed, "created", &created, "active",
                       &active) != 0)
        return rc_fail(RC_TAMPERED, "%s: %s", path, error.text);
    FIELD(key->id, strrchr(path, '/') + 1);
    FIELD(key->account, account);
    FIELD(key->user, user);
    key->created_ms = (uint64_t)created;
    key->is_active = active != 0;
    key->closed = (struct buf)BUF_INIT;
    return text_code_read("", closed, &key->closed);
}

static bool kind_of_path(const char *path, enum iam_kind *out)
{
    const char *rest = strchr(path, '/');
    if (rest == NULL)
        return false;
    if (strncmp(rest, "/akid/", 6) == 0) {
        *out = IAM_KEY;
        return true;
    }
    rest = strchr(rest + 1, '/');
    for (enum iam_kind kind = IAM_USER; rest != NULL && kind < IAM_KEY; kind++) {
        size_t len = strlen(iam_kind_name(kind));
        if (strncmp(rest + 1, iam_kind_name(kind), len) == 0 && rest[1 + len] == '/') {
            *out = kind;
            return true;
        }
    }
    return false;
}

static size_t size_of_kind(enum iam_kind kind)
{
    if (kind == IAM_KEY)
        return sizeof(struct iam_key);
    if (kind == IAM_MFA)
        return sizeof(struct iam_mfa);
    return kind == IAM_POLICY ? sizeof(struct iam_managed) : sizeof(struct iam_principal);
}

enum rc iam_decode(const char *path, const json_t *value, void **out)
{
    enum iam_kind kind;
    if (!kind_of_path(path, &kind))
        return rc_fail(RC_TAMPERED, "%s: no such kind of document", path);
    void *data = calloc(1, size_of_kind(kind));
    if (data == NULL)
        return RC_NO_MEMORY;
    *(enum iam_kind *)data = kind;
    enum rc rc;
    if (kind == IAM_KEY)
        rc = key_fill(path, value, data);
    else if (kind == IAM_POLICY)
        rc = managed_fill(path, value, data);
    else if (kind == IAM_MFA)
        rc = mfa_fill(path, value, data);
    else
        rc = principal_fill(path, value, data);
    if (rc != RC_OK) {
        iam_free(data);
        return rc;
    }
    *out = data;
    return RC_OK;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Names of principals, policies and MFA devices: paths of their documents, ARNs, and finding them.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "kms/hash.h"
#include "kms/iam_records.h"

#define SHORT_NAME_MAX 64U

static const char *const kind_names[] = {
    [IAM_USER] = "user",     [IAM_ROLE] = "role", [IAM_GROUP] = "group",
    [IAM_POLICY] = "policy", [IAM_MFA] = "mfa",   [IAM_KEY] = "akid",
};

const char *iam_kind_name(enum iam_kind kind)
{
    return kind_names[kind];
}

/* Long names: 32 characters, '~' (in no name), and a digest of the whole. */
static void shorten(char name[IAM_NAME_MAX + 1])
{
    uint8_t digest[HASH_LEN];
    char hex[HASH_HEX_LEN];
    if (hash_sha256(bytes_of_str(name), digest) != RC_OK)
        abort(); /* libcrypto without SHA-256 */
    hash_hex(bytes_of(digest, 12), hex);
    name[32] = '~';
    (void)snprintf(name + 33, IAM_NAME_MAX + 1 - 33, "%s", hex);
}

void iam_path(const char *account, enum iam_kind kind, const char *name, char out[129])
{
    char lower[IAM_NAME_MAX + 1];
    size_t len = 0;
    for (; len < IAM_NAME_MAX && name[len] != '\0'; len++)
        lower[len] = (char)tolower((unsigned char)name[len]);
    lower[len] = '\0';
    if (len > SHORT_NAME_MAX)
        shorten(lower);
    (void)snprintf(out, 129, "iam/%s/%s/%.64s", account, kind_names[kind], lower);
}

bool iam_key_path(const char *id, char out[129])
{
    size_t len = 0;
    for (; id[len] != '\0'; len++)
        if (!isalnum((unsigned char)id[len]) || len >= 100)
            return false;
    if (len < 16)
        return false;
    (void)snprintf(out, 129, "iam/akid/%s", id);
    return true;
}

const struct iam_principal *iam_principal_of(const struct record *record, enum iam_kind kind)
{
    const struct iam_principal *principal = record == NULL ? NULL : record->data;
    return principal != NULL && principal->head.kind == kind ? principal : NULL;
}

const struct iam_managed *iam_managed_of(const struct record *record)
{
    const struct iam_managed *managed = record == NULL ? NULL : record->data;
    return managed != NULL && managed->head.kind == IAM_POLICY ? managed : NULL;
}

const struct iam_mfa *iam_mfa_of(const struct record *record)
{
    const struct iam_mfa *device = record == NULL ? NULL : record->data;
    return device != NULL && device->head.kind == IAM_MFA ? device : NULL;
}

const struct iam_key *iam_key_of(const struct record *record)
{
    const struct iam_key *key = record == NULL ? NULL : record->data;
    return key != NULL && key->kind == IAM_KEY ? key : NULL;
}

struct record *iam_find(struct view *view, const char *account, enum iam_kind kind,
                        const char *name)
{
    char path[129];
    iam_path(account, kind, name, path);
    struct record *record = view_get(view, path);
    const struct iam_head *head = record == NULL ? NULL : record->data;
    if (head != NULL && head->kind == kind && strcmp(head->name, name) == 0)
        return record;
    record_unref(record);
    return NULL;
}

struct record *iam_find_key(struct view *view, const char *id)
{
    char path[129];
    return iam_key_path(id, path) ? view_get(view, path) : NULL;
}

/* "user/a/b/NAME" after the account. */
static bool parse_resource(const char *resource, struct iam_arn *out)
{
    for (enum iam_kind kind = IAM_USER; kind < IAM_KEY; kind++) {
        size_t len = strlen(kind_names[kind]);
        if (strncmp(resource, kind_names[kind], len) != 0 || resource[len] != '/')
            continue;
        const char *name = strrchr(resource, '/') + 1;
        size_t path_len = (size_t)(name - resource) - len;
        if (path_len > IAM_PATH_MAX || strlen(name) > IAM_NAME_MAX || *name == '\0')
            return false;
        out->kind = kind;
        (void)snprintf(out->path, sizeof out->path, "%.*s", (int)path_len, resource + len);
        (void)snprintf(out->name, sizeof out->name, "%s", name);
        return true;
    }
    return false;
}

static bool parse_session(const char *resource, struct iam_arn *out)
{
    static const char prefix[] = "assumed-role/";
    if (strncmp(resource, prefix, sizeof prefix - 1) != 0)
        return false;
    const char *name = resource + sizeof prefix - 1;
    const char *end = strchr(name, '/');
    if (end == NULL || end == name || end[1] == '\0' || (size_t)(end - name) > IAM_NAME_MAX)
        return false;
    out->is_session = true;
    out->kind = IAM_ROLE;
    (void)snprintf(out->name, sizeof out->name, "%.*s", (int)(end - name), name);
    return true;
}

bool iam_arn_parse(const char *arn, struct iam_arn *out)
{
    static const char iam[] = "arn:aws:iam::", sts[] = "arn:aws:sts::";
    bool is_sts = strncmp(arn, sts, sizeof sts - 1) == 0;
    if (!is_sts && strncmp(arn, iam, sizeof iam - 1) != 0)
        return false;
    const char *account = arn + sizeof iam - 1;
    const char *resource = strchr(account, ':');
    if (resource == NULL || (size_t)(resource - account) > KMS_ACCOUNT_LEN || resource == account)
        return false;
    *out = (struct iam_arn){0};
    (void)snprintf(out->account, sizeof out->account, "%.*s", (int)(resource - account), account);
    resource++;
    if (is_sts)
        return parse_session(resource, out);
    out->is_root = strcmp(resource, "root") == 0;
    return out->is_root || parse_resource(resource, out);
}

const struct policy *iam_policy_by_arn(struct view *view, const char *arn, struct record **out_held)
{
    const struct iam_builtin *builtin = iam_builtin_find(arn);
    *out_held = NULL;
    if (builtin != NULL)
        return iam_builtin_policy(builtin);
    struct iam_arn parts;
    if (!iam_arn_parse(arn, &parts) || parts.is_root || parts.kind != IAM_POLICY)
        return NULL;
    struct record *record = iam_find(view, parts.account, IAM_POLICY, parts.name);
    const struct iam_managed *managed = iam_managed_of(record);
    for (size_t i = 0; managed != NULL && i < managed->version_count; i++) {
        if (managed->versions[i].number == managed->default_version &&
            strcmp(managed->head.arn, arn) == 0) {
            *out_held = record;
            return managed->versions[i].policy;
        }
    }
    record_unref(record);
    return NULL;
}

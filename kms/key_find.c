/* SPDX-License-Identifier: Apache-2.0 */
/* From what callers call a key (id, ARN, alias, alias ARN) to its record. Texts are AWS's. */
#include <ctype.h>
#include <stdio.h>

#include "kms/alias.h"
#include "kms/key.h"
#include "kms/kms.h"

#define ARN_PREFIX "arn:aws:kms:"

static enum kms_error invalid_id(const char *text)
{
    return kms_fail(KMS_NOT_FOUND, "Invalid keyId '%s'", text);
}

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

bool key_is_id(const char *text)
{
    if (strncmp(text, "mrk-", 4) == 0) {
        size_t count = 0;
        for (const char *c = text + 4; is_hex(*c); c++)
            count++;
        return count == 32 && text[36] == '\0';
    }
    for (size_t i = 0; i < 36; i++) {
        bool is_dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (is_dash ? text[i] != '-' : !is_hex(text[i]))
            return false;
    }
    return text[36] == '\0';
}

static bool take(char *out, size_t size, const char *text, size_t len)
{
    return (size_t)snprintf(out, size, "%.*s", (int)len, text) < size;
}

/* Key id or alias name into `out`; the rest of it is set. */
static enum kms_error read_resource(const char *text, const char *resource, struct key_name *out)
{
    if (strncmp(resource, "alias/", 6) == 0) {
        out->is_alias = true;
        if (!take(out->alias, sizeof out->alias, resource, strlen(resource)))
            return invalid_id(text);
        return KMS_OK;
    }
    char id[KMS_KEY_ID_MAX + 1];
    if (!take(id, sizeof id, resource, strlen(resource)))
        return invalid_id(text);
    for (char *c = id; *c != '\0'; c++)
        *c = (char)tolower((unsigned char)*c);
    if (!key_is_id(id))
        return invalid_id(text);
    (void)snprintf(out->id, sizeof out->id, "%s", id);
    return KMS_OK;
}

/* arn:aws:kms:REGION:ACCOUNT:key/ID, or :alias/NAME */
static enum kms_error read_arn(const char *text, struct key_name *out)
{
    const char *region = text + strlen(ARN_PREFIX);
    const char *account = strchr(region, ':');
    const char *resource = account == NULL ? NULL : strchr(account + 1, ':');
    if (resource == NULL || strncmp(text, ARN_PREFIX, strlen(ARN_PREFIX)) != 0)
        return invalid_id(text);
    if (!take(out->region, sizeof out->region, region, (size_t)(account - region)) ||
        (size_t)(resource - account - 1) != KMS_ACCOUNT_LEN)
        return invalid_id(text);
    (void)take(out->account, sizeof out->account, account + 1, KMS_ACCOUNT_LEN);
    if (strncmp(resource + 1, "key/", 4) == 0)
        return read_resource(text, resource + 5, out);
    if (strncmp(resource + 1, "alias/", 6) == 0)
        return read_resource(text, resource + 1, out);
    return invalid_id(text);
}

enum kms_error key_name_read(const char *text, enum key_naming naming, const char *region,
                             const char *account, struct key_name *out)
{
    *out = (struct key_name){.is_alias = false};
    (void)snprintf(out->region, sizeof out->region, "%s", region);
    (void)snprintf(out->account, sizeof out->account, "%s", account);
    KMS_TRY(strncmp(text, "arn:", 4) == 0 ? read_arn(text, out) : read_resource(text, text, out));
    if (strcmp(out->region, region) != 0)
        return kms_fail(KMS_NOT_FOUND, "Invalid arn %s", out->region);
    if (out->is_alias && naming == KEY_BY_ID_ONLY)
        return invalid_id(text);
    return KMS_OK;
}

static enum kms_error follow_alias(const struct kms *kms, struct key_name *name)
{
    char path[ALIAS_PATH_MAX];
    AUTO_RECORD *record = NULL;
    if (alias_path(name->region, name->account, name->alias, path))
        record = view_get(kms->view, path);
    if (record == NULL)
        return kms_fail(KMS_NOT_FOUND, "Alias arn:aws:kms:%s:%s:%s is not found.", name->region,
                        name->account, name->alias);
    (void)snprintf(name->id, sizeof name->id, "%s", alias_of(record)->target);
    return KMS_OK;
}

enum kms_error key_find(const struct kms *kms, const char *text, enum key_naming naming,
                        const char *region, const char *account, struct key_name *out_name,
                        struct record **out)
{
    KMS_TRY(key_name_read(text, naming, region, account, out_name));
    if (out_name->is_alias)
        KMS_TRY(follow_alias(kms, out_name));
    char path[129];
    key_path(out_name->region, out_name->id, path);
    struct record *record = view_get(kms->view, path);
    if (record != NULL && strcmp(key_of(record)->account, out_name->account) == 0) {
        *out = record;
        return KMS_OK;
    }
    record_unref(record);
    return kms_fail(KMS_NOT_FOUND, "Key 'arn:aws:kms:%s:%s:key/%s' does not exist",
                    out_name->region, out_name->account, out_name->id);
}

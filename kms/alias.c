/* SPDX-License-Identifier: Apache-2.0 */
/* Aliases as documents. */
#include "kms/alias.h"

#include <stdio.h>
#include <stdlib.h>

#include "kms/hash.h"

#define NAME_START "alias/"
#define RESERVED   NAME_START "aws/"

void alias_prefix(const char *region, const char *account, char out[ALIAS_PATH_MAX])
{
    (void)snprintf(out, ALIAS_PATH_MAX, "alias/%.*s/%.*s/", (int)KMS_REGION_MAX, region,
                   (int)KMS_ACCOUNT_LEN, account);
}

/* '#' is in no alias's name. */
static bool put_hashed(const char *name, char *out, size_t size)
{
    uint8_t digest[HASH_LEN];
    char hex[HASH_HEX_LEN];
    if (hash_sha256(bytes_of_str(name), digest) != RC_OK)
        return false;
    hash_hex(bytes_of(digest, sizeof digest), hex);
    return (size_t)snprintf(out, size, "#%s", hex) < size;
}

bool alias_path(const char *region, const char *account, const char *name, char out[ALIAS_PATH_MAX])
{
    if (strncmp(name, NAME_START, strlen(NAME_START)) != 0)
        return false;
    alias_prefix(region, account, out);
    size_t len = strlen(out);
    const char *rest = name + strlen(NAME_START);
    if (strlen(rest) < ALIAS_PATH_MAX - len) {
        (void)snprintf(out + len, ALIAS_PATH_MAX - len, "%s", rest);
        return true;
    }
    return put_hashed(name, out + len, ALIAS_PATH_MAX - len);
}

enum kms_error alias_check_name(const char *name)
{
    if (strncmp(name, NAME_START, strlen(NAME_START)) != 0 || name[strlen(NAME_START)] == '\0')
        return kms_fail(KMS_VALIDATION, "Invalid identifier");
    if (strncmp(name, RESERVED, strlen(RESERVED)) == 0)
        return kms_fail_plain(KMS_NOT_AUTHORIZED);
    if (strchr(name, ':') != NULL)
        return kms_fail(KMS_VALIDATION, "%s contains invalid characters for an alias", name);
    return KMS_OK;
}

enum rc alias_encode(const struct alias *alias, json_t **out)
{
    *out =
        json_pack("{s:s, s:s, s:I, s:I}", "name", alias->name, "target", alias->target, "created",
                  (json_int_t)alias->created_ms, "updated", (json_int_t)alias->updated_ms);
    return *out == NULL ? rc_fail(RC_NO_MEMORY, "document of %s", alias->name) : RC_OK;
}

/* "alias/REGION/ACCOUNT/…" */
static bool decode_path(const char *path, struct alias *out)
{
    if (strncmp(path, NAME_START, strlen(NAME_START)) != 0)
        return false;
    const char *region = path + strlen(NAME_START);
    const char *account = strchr(region, '/');
    const char *name = account == NULL ? NULL : strchr(account + 1, '/');
    if (name == NULL || (size_t)(name - account - 1) != KMS_ACCOUNT_LEN ||
        (size_t)(account - region) > KMS_REGION_MAX)
        return false;
    (void)snprintf(out->region, sizeof out->region, "%.*s", (int)(account - region), region);
    (void)snprintf(out->account, sizeof out->account, "%.*s", (int)KMS_ACCOUNT_LEN, account + 1);
    return true;
}

enum rc alias_decode(const char *path, const json_t *value, void **out)
{
    struct alias *alias = calloc(1, sizeof *alias);
    if (alias == NULL)
        return rc_fail(RC_NO_MEMORY, "%s", path);
    const char *name = NULL;
    const char *target = NULL;
    json_int_t created = 0;
    json_int_t updated = 0;
    bool is_good = json_unpack((json_t *)(uintptr_t)value, "{s:s, s:s, s:I, s:I}", "name", &name,
                               "target", &target, "created", &created, "updated", &updated) == 0 &&
                   decode_path(path, alias) && strlen(name) < sizeof alias->name &&
                   strlen(target) < sizeof alias->target;
    if (!is_good) {
        free(alias);
        return rc_fail(RC_TAMPERED, "document %s is not an alias that this release can read", path);
    }
    (void)snprintf(alias->name, sizeof alias->name, "%s", name);
    (void)snprintf(alias->target, sizeof alias->target, "%s", target);
    alias->created_ms = (uint64_t)created;
    alias->updated_ms = (uint64_t)updated;
    *out = alias;
    return RC_OK;
}

void alias_free(void *alias)
{
    free(alias);
}

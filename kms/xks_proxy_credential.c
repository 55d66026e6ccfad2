/* SPDX-License-Identifier: Apache-2.0 */
/* The proxy's credentials: several are live at once, so that they can be changed one after the
 * other while KMS goes on. */
#include <stdlib.h>

#include "kms/secret_file.h"
#include "kms/xks_proxy_internal.h"

static enum rc fail(const char *path, unsigned number, const char *why)
{
    return rc_fail(RC_CONFIG, "%s:%u: %s", path, number, why);
}

static enum rc add(struct xks_credentials *credentials, struct xks_credential *fresh)
{
    struct xks_credential *longer =
        reallocarray(credentials->list, credentials->count + 1, sizeof *longer);
    if (longer == NULL)
        return RC_NO_MEMORY;
    credentials->list = longer;
    longer[credentials->count++] = (struct xks_credential){.secret = secret_take(&fresh->secret)};
    memcpy(longer[credentials->count - 1].access_key, fresh->access_key, sizeof fresh->access_key);
    return RC_OK;
}

static enum rc read_line(const char *path, unsigned number, struct bytes line,
                         struct xks_credentials *out)
{
    struct xks_credential fresh = {.secret = SECRET_INIT};
    struct bytes access_key = secret_file_word(&line);
    if (access_key.len == 0 || access_key.ptr[0] == '#')
        return RC_OK;
    struct bytes value = secret_file_word(&line);
    if (access_key.len > XKS_ACCESS_KEY_MAX)
        return fail(path, number, "the access key id is longer than 30 characters");
    memcpy(fresh.access_key, access_key.ptr, access_key.len);
    if (!xks_is_access_key(fresh.access_key))
        return fail(path, number, "an access key id has 20 to 30 characters of A-Z and 2-7");
    if (!xks_is_secret((const char *)value.ptr, value.len))
        return fail(path, number,
                    "a secret access key has 43 to 64 characters of A-Z, a-z, 0-9, /, + and =");
    if (secret_file_word(&line).len > 0)
        return fail(path, number, "want ACCESS_KEY SECRET and no more");
    if (xks_credentials_find(out, fresh.access_key) != NULL)
        return fail(path, number, "that access key id is there twice");
    TRY(secret_from_bytes(&fresh.secret, value));
    enum rc rc = add(out, &fresh);
    secret_clear(&fresh.secret);
    return rc;
}

static enum rc read_file(const char *path, struct xks_credentials *out)
{
    AUTO_SECRET content = SECRET_INIT;
    struct bytes line = BYTES_NONE;
    TRY(secret_file_read(path, &content));
    struct bytes rest = secret_expose(&content);
    for (unsigned number = 1; secret_file_next(&rest, &line); number++)
        TRY(read_line(path, number, line, out));
    return RC_OK;
}

enum rc xks_credentials_load(const struct config_list *files, struct xks_credentials *out)
{
    struct xks_credentials found = {.list = NULL};
    enum rc rc = RC_OK;
    for (size_t i = 0; i < files->count && rc == RC_OK; i++)
        rc = read_file(files->items[i], &found);
    if (rc == RC_OK && found.count == 0)
        rc = rc_fail(RC_CONFIG, "xks_credentials: the files name no credential");
    if (rc != RC_OK) {
        xks_credentials_clear(&found);
        return rc;
    }
    *out = found;
    return RC_OK;
}

void xks_credentials_clear(struct xks_credentials *credentials)
{
    for (size_t i = 0; i < credentials->count; i++)
        secret_clear(&credentials->list[i].secret);
    free(credentials->list);
    *credentials = (struct xks_credentials){.list = NULL};
}

const struct secret *xks_credentials_find(const struct xks_credentials *credentials,
                                          const char *access_key)
{
    for (size_t i = 0; i < credentials->count; i++) {
        if (strcmp(credentials->list[i].access_key, access_key) == 0)
            return &credentials->list[i].secret;
    }
    return NULL;
}

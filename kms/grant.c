/* SPDX-License-Identifier: Apache-2.0 */
/* Grants as documents, the grant that allows a request, grant tokens. */
#include "kms/grant.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "common/log.h"
#include "kms/base64.h"
#include "kms/vault.h"

#define TOKEN_PURPOSE "grant"
#define TOKEN_MAX     8192U
#define REFRESH_MS    1000

void grant_path(const char *region, const char *key_id, const char *id, char out[129])
{
    (void)snprintf(out, 129, "grant/%s/%s/%s", region, key_id, id);
    /* too long a name is none of ours: view_get() finds nothing */
}

void grant_free(void *data)
{
    struct grant *grant = data;
    if (grant == NULL)
        return;
    free(grant->grantee);
    free(grant->retiring);
    free(grant->issuing_account);
    json_decref(grant->context_equals);
    json_decref(grant->context_subset);
    free(grant);
}

/* ---- the document */

static bool copy_text(const json_t *value, const char *member, char **out)
{
    const char *text = json_string_value(json_object_get(value, member));
    if (text == NULL)
        return json_object_get(value, member) == NULL;
    *out = strdup(text);
    return *out != NULL;
}

static bool fill_text(const char *text, char *out, size_t room)
{
    return text != NULL && snprintf(out, room, "%s", text) < (int)room;
}

/* "grant/REGION/KEY/ID" */
static bool read_path(const char *path, struct grant *grant)
{
    char copy[129];
    if (!fill_text(path, copy, sizeof copy))
        return false;
    char *rest = copy;
    const char *kind = strsep(&rest, "/");
    const char *region = strsep(&rest, "/");
    const char *key = strsep(&rest, "/");
    const char *id = strsep(&rest, "/");
    return rest == NULL && strcmp(kind, "grant") == 0 &&
           fill_text(region, grant->region, sizeof grant->region) &&
           fill_text(key, grant->key_id, sizeof grant->key_id) &&
           fill_text(id, grant->id, sizeof grant->id);
}

static bool read_operations(const json_t *list, unsigned *out)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *name = json_string_value(json_array_get(list, i));
        unsigned bit = name == NULL ? 0 : grant_operation(name);
        if (bit == 0)
            return false;
        *out |= bit;
    }
    return *out != 0;
}

static bool read_context(const json_t *value, const char *member, json_t **out)
{
    json_t *context = json_object_get(value, member);
    *out = json_incref(context);
    return context == NULL || json_is_object(context);
}

static bool read_id(const json_t *value, const char *member, char out[POLICY_ID_LEN + 1])
{
    const char *id = json_string_value(json_object_get(value, member));
    return id == NULL || fill_text(id, out, POLICY_ID_LEN + 1);
}

static bool read_value(const json_t *value, struct grant *grant)
{
    const char *name = json_string_value(json_object_get(value, "name"));
    grant->created_ms = (uint64_t)json_integer_value(json_object_get(value, "created"));
    return copy_text(value, "grantee", &grant->grantee) && grant->grantee != NULL &&
           copy_text(value, "retiring", &grant->retiring) &&
           copy_text(value, "issuer", &grant->issuing_account) && grant->issuing_account != NULL &&
           fill_text(json_string_value(json_object_get(value, "account")), grant->account,
                     sizeof grant->account) &&
           (name == NULL || fill_text(name, grant->name, sizeof grant->name)) &&
           read_id(value, "granteeId", grant->grantee_id) &&
           read_id(value, "retiringId", grant->retiring_id) &&
           read_operations(json_object_get(value, "operations"), &grant->operations) &&
           read_context(value, "equals", &grant->context_equals) &&
           read_context(value, "subset", &grant->context_subset);
}

enum rc grant_decode(const char *path, const json_t *value, void **out)
{
    struct grant *grant = calloc(1, sizeof *grant);
    if (grant == NULL)
        return rc_fail(RC_NO_MEMORY, "a grant");
    if (!read_path(path, grant) || !read_value(value, grant)) {
        grant_free(grant);
        return rc_fail(RC_TAMPERED, "%s is not a grant that this release can read", path);
    }
    *out = grant;
    return RC_OK;
}

enum rc grant_encode(const struct grant *grant, json_t **out)
{
    *out = json_pack("{s:s, s:s, s:s, s:o, s:s*, s:s*, s:O*, s:O*, s:o*, s:s*, s:s*}", "grantee",
                     grant->grantee, "issuer", grant->issuing_account, "account", grant->account,
                     "operations", grant_operation_names(grant->operations), "retiring",
                     grant->retiring, "name", grant->name[0] == '\0' ? NULL : grant->name, "equals",
                     grant->context_equals, "subset", grant->context_subset, "created",
                     grant->created_ms == 0 ? NULL : json_integer((json_int_t)grant->created_ms),
                     "granteeId", grant->grantee_id[0] == '\0' ? NULL : grant->grantee_id,
                     "retiringId", grant->retiring_id[0] == '\0' ? NULL : grant->retiring_id);
    return *out != NULL ? RC_OK : rc_fail(RC_NO_MEMORY, "a grant's document");
}

/* ---- the grant that allows */

struct allowing {
    const struct kms_request *request;
    unsigned operation;
    const json_t *context;
    const struct grant *child; /* CreateGrant; NULL else */
    char path[129];            /* found */
};

static bool visit_allowing(void *context, struct record *record)
{
    struct allowing *search = context;
    const struct grant *grant = record->data;
    if ((grant->operations & search->operation) == 0 ||
        !grant_is_principal(&search->request->identity, grant->grantee, grant->grantee_id))
        return true;
    if (grant_is_constrained(search->operation) && !grant_lets_context(grant, search->context))
        return true;
    if (search->child != NULL && !grant_is_within(grant, search->child))
        return true;
    (void)snprintf(search->path, sizeof search->path, "%s", record->key);
    return false;
}

/* The member that has the encryption context of an operation. */
static const char *context_member(const char *operation)
{
    if (strcmp(operation, "ReEncryptFrom") == 0)
        return "SourceEncryptionContext";
    return strcmp(operation, "ReEncryptTo") == 0 ? "DestinationEncryptionContext"
                                                 : "EncryptionContext";
}

static struct record *find_allowing(struct allowing *search, const struct record *key)
{
    struct view *view = search->request->kms->view;
    char prefix[129];
    grant_path(key_of(key)->region, key_of(key)->id, "", prefix);
    view_each(view, prefix, "", visit_allowing, search);
    return search->path[0] == '\0' ? NULL : view_get(view, search->path);
}

/* A token of a grant that is not in the view: made through another front end a moment ago. */
static bool has_newer_token(const struct kms_request *request)
{
    const json_t *list = json_object_get(request->in, "GrantTokens");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *token = json_string_value(json_array_get(list, i));
        char path[129];
        if (token == NULL ||
            grant_token_read(request->kms->vault, request->region, token, path) != KMS_OK)
            continue;
        AUTO_RECORD *grant = view_get(request->kms->view, path);
        if (grant == NULL)
            return true;
    }
    return false;
}

/* Tokens of grants that are gone cost the cluster nothing more: once a second for all requests. */
static bool may_refresh(void)
{
    static _Atomic int64_t next_ms;
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    int64_t now_ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
    int64_t next = atomic_load(&next_ms);
    return now_ms >= next && atomic_compare_exchange_strong(&next_ms, &next, now_ms + REFRESH_MS);
}

struct record *grant_allowing(const struct kms_request *request, const char *action,
                              const struct record *key)
{
    const char *name = strncmp(action, "kms:", 4) == 0 ? action + 4 : "";
    struct grant child = {0};
    struct allowing search = {.request = request, .operation = grant_operation(name)};
    if (search.operation == 0)
        return NULL;
    search.context = json_object_get(request->in, context_member(name));
    if (search.operation == grant_operation("CreateGrant")) {
        grant_of_request(request, &child);
        search.child = &child;
    }
    struct record *found = find_allowing(&search, key);
    if (found != NULL || !has_newer_token(request) || !may_refresh() ||
        view_refresh(request->kms->view) != RC_OK)
        return found;
    return find_allowing(&search, key);
}

/* ---- tokens */

enum rc grant_token_write(const struct vault *vault, const char *path, struct buf *out)
{
    AUTO_BUF sealed = BUF_INIT;
    TRY(vault_seal(vault, TOKEN_PURPOSE, bytes_of_str(path), &sealed));
    return base64_encode(buf_bytes(&sealed), out);
}

static bool is_path_of(const char *path, const char *region)
{
    size_t len = strlen(region);
    return strncmp(path, "grant/", 6) == 0 && strncmp(path + 6, region, len) == 0 &&
           path[6 + len] == '/';
}

enum kms_error grant_token_read(const struct vault *vault, const char *region, const char *token,
                                char out_path[129])
{
    AUTO_BUF sealed = BUF_INIT_MAX(TOKEN_MAX);
    AUTO_SECRET path = SECRET_INIT;
    char text[129] = "";
    if (base64_decode(bytes_of_str(token), &sealed) != RC_OK ||
        vault_unseal(vault, TOKEN_PURPOSE, buf_bytes(&sealed), &path) != RC_OK ||
        path.len >= sizeof text)
        return kms_fail(KMS_INVALID_GRANT_TOKEN, "Invalid grant token");
    memcpy(text, secret_expose(&path).ptr, path.len);
    if (!is_path_of(text, region))
        return kms_fail(KMS_INVALID_GRANT_TOKEN, "Invalid grant token");
    memcpy(out_path, text, sizeof text);
    return KMS_OK;
}

enum kms_error grant_check_tokens(const struct kms_request *request)
{
    const json_t *list = json_object_get(request->in, "GrantTokens");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *token = json_string_value(json_array_get(list, i));
        char path[129];
        KMS_TRY(grant_token_read(request->kms->vault, request->region, token == NULL ? "" : token,
                                 path));
    }
    return KMS_OK;
}

/* ---- with the key */

static bool visit_delete(void *context, struct record *record)
{
    struct view_changes *changes = context;
    return changes->count < VIEW_CHANGES_MAX &&
           view_changes_add(changes, record->key, record->version, NULL) == RC_OK;
}

void grant_delete_all(struct view *view, const char *region, const char *key_id)
{
    char prefix[129];
    grant_path(region, key_id, "", prefix);
    struct view_changes changes;
    enum rc rc = RC_OK;
    size_t count = 0;
    do {
        changes = (struct view_changes){0};
        view_each(view, prefix, "", visit_delete, &changes);
        if (changes.count > 0)
            rc = view_commit(view, &changes);
        count = changes.count;
        view_changes_clear(&changes);
    } while (count > 0 && rc == RC_OK);
    if (rc != RC_OK)
        log_warn("grants_left", "key=%s error=%s", key_id, rc_info(rc)->name);
}

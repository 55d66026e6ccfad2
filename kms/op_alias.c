/* SPDX-License-Identifier: Apache-2.0 */
/* CreateAlias, UpdateAlias, DeleteAlias, ListAliases. */
#include <stdio.h>

#include "kms/alias.h"
#include "kms/authorize.h"
#include "kms/operations.h"
#include "kms/page.h"

#define ALIASES_MAX   50U /* AWS's quota for a key */
#define LIST_PAGE     50U
#define LIST_MOST     100U
#define ALIAS_ARN_MAX 512U

static void arn_of(const struct kms_request *request, const char *name, char out[ALIAS_ARN_MAX])
{
    (void)snprintf(out, ALIAS_ARN_MAX, "arn:aws:kms:%s:%s:%s", request->region,
                   request->identity.account, name);
}

/* NULL: there is none. */
static struct record *find(const struct kms_request *request, const char *name)
{
    char path[ALIAS_PATH_MAX];
    if (!alias_path(request->region, request->identity.account, name, path))
        return NULL;
    return view_get(request->kms->view, path);
}

static enum kms_error not_found(const struct kms_request *request, const char *name)
{
    char arn[ALIAS_ARN_MAX];
    arn_of(request, name, arn);
    return kms_fail(KMS_NOT_FOUND, "Alias %s is not found.", arn);
}

/* NULL: it was deleted. */
static struct record *target_of(const struct kms_request *request, const struct record *alias)
{
    char path[129];
    key_path(request->region, alias_of(alias)->target, path);
    return view_get(request->kms->view, path);
}

/* ---- rights: of the alias, and of each key */

static enum kms_error ask(struct kms_request *request, const struct record *key)
{
    return authorize(request, request->operation->action, key, NULL, NULL, 0);
}

static enum kms_error ask_alias(struct kms_request *request)
{
    char arn[ALIAS_ARN_MAX];
    arn_of(request, request_string(request, "AliasName"), arn);
    return authorize(request, request->operation->action, NULL, arn, NULL, 0);
}

enum kms_error op_create_alias_rights(struct kms_request *request)
{
    KMS_TRY(ask_alias(request));
    return ask(request, request->key);
}

enum kms_error op_update_alias_rights(struct kms_request *request)
{
    KMS_TRY(ask_alias(request));
    KMS_TRY(ask(request, request->key));
    AUTO_RECORD *alias = find(request, request_string(request, "AliasName"));
    if (alias == NULL)
        return KMS_OK;
    AUTO_RECORD *target = target_of(request, alias);
    return target == NULL ? KMS_OK : ask(request, target);
}

enum kms_error op_delete_alias_find_key(struct kms_request *request)
{
    AUTO_RECORD *alias = find(request, request_string(request, "AliasName"));
    if (alias != NULL)
        request->key = target_of(request, alias);
    return KMS_OK;
}

enum kms_error op_delete_alias_rights(struct kms_request *request)
{
    KMS_TRY(ask_alias(request));
    return request->key == NULL ? KMS_OK : ask(request, request->key);
}

/* ---- changes */

struct census {
    const char *key_id;
    size_t count;
};

static bool count_alias(void *context, struct record *record)
{
    struct census *census = context;
    census->count += strcmp(alias_of(record)->target, census->key_id) == 0 ? 1 : 0;
    return true;
}

static enum kms_error check_quota(const struct kms_request *request)
{
    char prefix[ALIAS_PATH_MAX];
    struct census census = {.key_id = key_of(request->key)->id};
    alias_prefix(request->region, request->identity.account, prefix);
    view_each(request->kms->view, prefix, "", count_alias, &census);
    if (census.count < ALIASES_MAX)
        return KMS_OK;
    return kms_fail(KMS_LIMIT_EXCEEDED, "The key %s has the limit of %u aliases.",
                    key_of(request->key)->arn, ALIASES_MAX);
}

/* `alias` NULL: the document is removed. */
static enum kms_error commit(struct kms_request *request, const struct record *old,
                             const struct alias *alias)
{
    char path[ALIAS_PATH_MAX];
    json_t *value = NULL;
    const char *name = request_string(request, "AliasName");
    if (!alias_path(request->region, request->identity.account, name, path))
        return kms_from_rc(rc_fail(RC_INTERNAL, "%s is no alias", name));
    if (alias != NULL)
        KMS_TRY(kms_from_rc(alias_encode(alias, &value)));
    uint64_t version = old == NULL ? 0 : old->version;
    return request_from_commit(request, view_commit_one(request->kms->view, path, version, value));
}

enum kms_error op_create_alias(struct kms_request *request)
{
    const char *name = request_string(request, "AliasName");
    KMS_TRY(alias_check_name(name));
    AUTO_RECORD *old = find(request, name);
    if (old != NULL) {
        char arn[ALIAS_ARN_MAX];
        arn_of(request, name, arn);
        return kms_fail(KMS_ALREADY_EXISTS, "An alias with the name %s already exists", arn);
    }
    KMS_TRY(check_quota(request));
    struct alias alias = {.created_ms = request->now_ms, .updated_ms = request->now_ms};
    (void)snprintf(alias.name, sizeof alias.name, "%s", name);
    (void)snprintf(alias.target, sizeof alias.target, "%s", key_of(request->key)->id);
    return commit(request, NULL, &alias);
}

/* An alias moves between keys of one type and usage only. */
static enum kms_error check_kinship(const struct kms_request *request, const struct record *old)
{
    const struct key *fresh = key_of(request->key);
    AUTO_RECORD *target = target_of(request, old);
    if (target == NULL)
        return KMS_OK;
    const struct key *former = key_of(target);
    enum keystore_kind kind = keystore_spec(fresh->spec)->kind;
    enum keystore_kind former_kind = keystore_spec(former->spec)->kind;
    bool is_symmetric = kind == KEYSTORE_AES || kind == KEYSTORE_HMAC;
    bool was_symmetric = former_kind == KEYSTORE_AES || former_kind == KEYSTORE_HMAC;
    if (fresh->use == former->use && is_symmetric == was_symmetric)
        return KMS_OK;
    return kms_fail(KMS_VALIDATION,
                    "The alias can move to a key of the same type and key usage only: %s is for "
                    "%s, %s is for %s.",
                    former->arn, key_usage_name(former->use), fresh->arn,
                    key_usage_name(fresh->use));
}

enum kms_error op_update_alias(struct kms_request *request)
{
    const char *name = request_string(request, "AliasName");
    KMS_TRY(alias_check_name(name));
    AUTO_RECORD *old = find(request, name);
    if (old == NULL)
        return not_found(request, name);
    KMS_TRY(check_kinship(request, old));
    struct alias alias = *alias_of(old);
    if (strcmp(alias.target, key_of(request->key)->id) != 0)
        KMS_TRY(check_quota(request));
    (void)snprintf(alias.target, sizeof alias.target, "%s", key_of(request->key)->id);
    alias.updated_ms = request->now_ms;
    return commit(request, old, &alias);
}

enum kms_error op_delete_alias(struct kms_request *request)
{
    const char *name = request_string(request, "AliasName");
    KMS_TRY(alias_check_name(name));
    AUTO_RECORD *old = find(request, name);
    if (old == NULL)
        return not_found(request, name);
    return commit(request, old, NULL);
}

/* ---- list */

struct listing {
    const struct kms_request *request;
    const char *key_id; /* NULL: of all */
    struct page page;
};

static bool list_alias(void *context, struct record *record)
{
    struct listing *listing = context;
    const struct alias *alias = alias_of(record);
    char arn[ALIAS_ARN_MAX];
    if (listing->key_id != NULL && strcmp(alias->target, listing->key_id) != 0)
        return true;
    if (page_is_full(&listing->page))
        return false;
    arn_of(listing->request, alias->name, arn);
    return page_add(&listing->page, record->key,
                    json_pack("{s:s, s:s, s:s, s:f, s:f}", "AliasName", alias->name, "AliasArn",
                              arn, "TargetKeyId", alias->target, "CreationDate",
                              (double)alias->created_ms / 1000.0, "LastUpdatedDate",
                              (double)alias->updated_ms / 1000.0));
}

enum kms_error op_list_aliases(struct kms_request *request)
{
    struct listing listing = {.request = request};
    char prefix[ALIAS_PATH_MAX];
    if (request->key != NULL)
        listing.key_id = key_of(request->key)->id;
    alias_prefix(request->region, request->identity.account, prefix);
    KMS_TRY(page_open(request, LIST_PAGE, LIST_MOST, &listing.page));
    view_each(request->kms->view, prefix, listing.page.after, list_alias, &listing);
    enum kms_error error = page_close(request, &listing.page, "Aliases");
    page_clear(&listing.page);
    return error;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* What actions share: parameters, AWS's texts for what is wrong with them, documents. */
#include "kms/iam_call.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "kms/iam_random.h"
#include "kms/vault.h"
#include "rpc/text_code.h"

#define NO_MEMORY() kms_from_rc(RC_NO_MEMORY)

/* "UserName" as validation errors have it: "userName". */
static void lower_first(const char *name, char out[64])
{
    (void)snprintf(out, 64, "%s", name);
    out[0] = (char)tolower((unsigned char)out[0]);
}

enum kms_error iam_call_need(const struct iam_call *call, const char *name, const char **out)
{
    char lower[64];
    *out = iam_call_get(call, name);
    if (*out != NULL)
        return KMS_OK;
    lower_first(name, lower);
    return kms_fail(KMS_IAM_VALIDATION,
                    "1 validation error detected: Value null at '%s' failed to satisfy constraint: "
                    "Member must not be null",
                    lower);
}

enum kms_error iam_call_check_name(const char *parameter, const char *value, size_t max)
{
    char lower[64];
    size_t len = strlen(value);
    lower_first(parameter, lower);
    if (len == 0 || len > max)
        return kms_fail(KMS_IAM_VALIDATION,
                        "1 validation error detected: Value '%.200s' at '%s' failed to satisfy "
                        "constraint: Member must have length %s than or equal to %zu",
                        value, lower, len == 0 ? "greater" : "less", len == 0 ? 1 : max);
    for (; *value != '\0'; value++)
        if ((unsigned char)*value >= 0x80 ||
            (!isalnum((unsigned char)*value) && strchr("_+=,.@-", *value) == NULL))
            return kms_fail(KMS_IAM_VALIDATION,
                            "The specified value for %s is invalid. It must contain only "
                            "alphanumeric characters and/or the following: +=,.@_-",
                            lower);
    return KMS_OK;
}

enum kms_error iam_call_path(const struct iam_call *call, const char *parameter, const char **out)
{
    char lower[64];
    const char *path = iam_call_get(call, parameter);
    *out = path == NULL ? "/" : path;
    size_t len = strlen(*out);
    bool is_good = len >= 1 && len <= IAM_PATH_MAX && (*out)[0] == '/' && (*out)[len - 1] == '/';
    for (const char *at = *out; is_good && *at != '\0'; at++)
        is_good = *at > ' ' && *at < 0x7f && strncmp(at, "//", 2) != 0;
    lower_first(parameter, lower);
    return is_good ? KMS_OK
                   : kms_fail(KMS_IAM_VALIDATION,
                              "The specified value for %s is invalid. It must begin and end with / "
                              "and contain only alphanumeric characters and/or / characters.",
                              lower);
}

enum kms_error iam_call_number(const struct iam_call *call, const char *name, unsigned long min,
                               unsigned long max, unsigned long *in_out)
{
    char lower[64];
    const char *text = iam_call_get(call, name);
    if (text == NULL)
        return KMS_OK;
    bool is_number =
        *text != '\0' && strlen(text) < 12 && strspn(text, "0123456789") == strlen(text);
    unsigned long value = is_number ? strtoul(text, NULL, 10) : 0;
    lower_first(name, lower);
    if (!is_number || value < min || value > max)
        return kms_fail(KMS_IAM_VALIDATION,
                        "1 validation error detected: Value '%.64s' at '%s' failed to satisfy "
                        "constraint: Member must have value %s than or equal to %lu",
                        text, lower, value < min ? "greater" : "less", value < min ? min : max);
    *in_out = value;
    return KMS_OK;
}

enum kms_error iam_call_not_there(const struct iam_call *call)
{
    if (call->action->kind == IAM_MFA)
        return kms_fail(KMS_NO_SUCH_ENTITY, "VirtualMFADevice with serial number %s doesn't exist.",
                        call->arn);
    if (call->action->kind == IAM_POLICY)
        return kms_fail(KMS_NO_SUCH_ENTITY, "Policy %s was not found.", call->arn);
    return kms_fail(KMS_NO_SUCH_ENTITY, "The %s with name %s cannot be found.",
                    iam_kind_name(call->action->kind), call->name);
}

enum kms_error iam_call_principal(const struct iam_call *call, const struct iam_principal **out)
{
    *out = iam_principal_of(call->target, call->action->kind);
    return *out == NULL ? iam_call_not_there(call) : KMS_OK;
}

enum kms_error iam_call_edit(const struct iam_call *call, json_t **out)
{
    if (call->target == NULL)
        return iam_call_not_there(call);
    *out = json_deep_copy(call->target->json);
    return *out == NULL ? NO_MEMORY() : KMS_OK;
}

enum kms_error iam_call_add(struct view_changes *changes, const char *key, uint64_t version,
                            json_t *value)
{
    return kms_from_rc(view_changes_add(changes, key, version, value));
}

enum kms_error iam_call_commit(struct iam_call *call, struct view_changes *changes)
{
    enum rc rc = view_commit(call->kms->view, changes);
    view_changes_clear(changes);
    if (rc == RC_CONFLICT) {
        call->is_again = true;
        return kms_fail(KMS_CONFLICT, "The principal is being changed by another request.");
    }
    if (rc == RC_LIMIT)
        return kms_fail(KMS_IAM_LIMIT_EXCEEDED, "Cannot exceed the quota of this cluster.");
    return kms_from_rc(rc);
}

enum kms_error iam_call_put(struct iam_call *call, json_t *fresh)
{
    char key[129];
    struct view_changes changes = {.count = 0};
    iam_path(call->identity.account, call->action->kind, call->name, key);
    enum kms_error error =
        iam_call_add(&changes, key, call->target == NULL ? 0 : call->target->version, fresh);
    return error == KMS_OK ? iam_call_commit(call, &changes) : error;
}

enum kms_error iam_call_close(const struct iam_call *call, const char *path,
                              const struct secret *secret, struct buf *out)
{
    AUTO_BUF closed = BUF_INIT;
    enum rc rc = vault_close(call->kms->vault, path, secret_expose(secret), &closed);
    return kms_from_rc(rc == RC_OK ? text_code_write("", buf_bytes(&closed), out) : rc);
}

void iam_call_list_add(json_t *document, const char *list, const char *text)
{
    json_t *items = json_object_get(document, list);
    if (items == NULL) {
        items = json_array();
        (void)json_object_set_new(document, list, items);
    }
    (void)json_array_append_new(items, json_string(text));
}

void iam_call_list_remove(json_t *document, const char *list, const char *text)
{
    json_t *items = json_object_get(document, list);
    for (size_t i = json_array_size(items); i-- > 0;)
        if (strcmp(json_string_value(json_array_get(items, i)), text) == 0)
            (void)json_array_remove(items, i);
}

/* "AIDA" and 17 characters. */
static void new_id(const char *prefix, char out[IAM_ID_LEN + 1])
{
    (void)snprintf(out, IAM_ID_LEN + 1, "%s", prefix);
    iam_random_text("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", IAM_ID_LEN - 4, out + 4);
}

enum kms_error iam_call_check_policy(enum policy_kind kind, const char *text, size_t max)
{
    size_t len = 0;
    for (const char *at = text; *at != '\0'; at++)
        len += !isspace((unsigned char)*at);
    if (len > max)
        return kms_fail(KMS_IAM_LIMIT_EXCEEDED, "Cannot exceed quota for PolicySize: %zu", max);
    struct policy *policy = NULL;
    enum kms_error error = policy_parse(kind, text, strlen(text), &policy);
    policy_free(policy);
    return error == KMS_MALFORMED_POLICY ? KMS_IAM_MALFORMED_POLICY : error;
}

/* One of that name in other letters is there, when the target itself is not. */
static enum kms_error check_new(const struct iam_call *call)
{
    char key[129];
    iam_path(call->identity.account, call->action->kind, call->name, key);
    AUTO_RECORD *other = view_get(call->kms->view, key);
    if (other == NULL)
        return KMS_OK;
    if (call->action->kind == IAM_POLICY)
        return kms_fail(KMS_ENTITY_ALREADY_EXISTS,
                        "A policy called %s already exists. Duplicate names are not allowed.",
                        call->name);
    if (call->action->kind == IAM_MFA)
        return kms_fail(KMS_ENTITY_ALREADY_EXISTS,
                        "MFADevice entity at the same path and name already exists.");
    char kind[8];
    (void)snprintf(kind, sizeof kind, "%s", iam_kind_name(call->action->kind));
    kind[0] = (char)toupper((unsigned char)kind[0]);
    return kms_fail(KMS_ENTITY_ALREADY_EXISTS, "%s with name %s already exists.", kind, call->name);
}

enum kms_error iam_call_new_document(struct iam_call *call, const char *id_prefix, const char *path,
                                     json_t **out)
{
    char id[IAM_ID_LEN + 1];
    json_t *tags = NULL;
    KMS_TRY(check_new(call));
    if (call->action->kind != IAM_GROUP)
        KMS_TRY(iam_tag_read(call, &tags));
    new_id(id_prefix, id);
    json_t *fresh =
        json_pack("{s:s, s:s, s:s, s:s, s:I}", "account", call->identity.account, "name",
                  call->name, "path", path, "id", id, "created", (json_int_t)call->now_ms);
    const char *description = iam_call_get(call, "Description");
    bool good = fresh != NULL;
    if (good && tags != NULL)
        good = json_object_set(fresh, "tags", tags) == 0;
    if (good && description != NULL)
        good = json_object_set_new(fresh, "description", json_string(description)) == 0;
    json_decref(tags);
    if (!good) {
        json_decref(fresh);
        return kms_fail(KMS_IAM_VALIDATION, "A parameter is no UTF-8 text.");
    }
    *out = fresh;
    return KMS_OK;
}

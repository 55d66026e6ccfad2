/* SPDX-License-Identifier: Apache-2.0 */
/* Users. Source: IAM API Reference. */
#include <stdio.h>

#include "kms/iam_call.h"

enum kms_error iam_call_create(struct iam_call *call, json_t *fresh, const char *boundary)
{
    char key[129];
    struct view_changes changes = {.count = 0};
    iam_path(call->identity.account, call->action->kind, call->name, key);
    enum kms_error error = KMS_OK;
    if (boundary != NULL)
        error = iam_policy_count(call, boundary, "boundaries", 1, &changes);
    if (error == KMS_OK && boundary != NULL)
        (void)json_object_set_new(fresh, "boundary", json_string(boundary));
    if (error != KMS_OK) {
        json_decref(fresh);
        view_changes_clear(&changes);
        return error;
    }
    KMS_TRY(iam_call_add(&changes, key, 0, fresh));
    return iam_call_commit(call, &changes);
}

enum kms_error iam_user_create(struct iam_call *call)
{
    const char *path;
    json_t *fresh;
    KMS_TRY(iam_call_path(call, "Path", &path));
    KMS_TRY(iam_call_new_document(call, "AIDA", path, &fresh));
    KMS_TRY(iam_call_create(call, fresh, iam_call_get(call, "PermissionsBoundary")));
    call->response = json_pack("{s:{s:s, s:s}}", "user", "userName", call->name, "arn", call->arn);
    return iam_write_target(call, "User", iam_write_user);
}

/* The root has no document. */
static enum kms_error get_root(struct iam_call *call)
{
    iam_xml_open(&call->xml, "User");
    iam_xml_text(&call->xml, "UserId", call->identity.account);
    iam_xml_text(&call->xml, "Arn", call->identity.arn);
    iam_xml_time(&call->xml, "CreateDate", 0);
    iam_xml_close(&call->xml, "User");
    return KMS_OK;
}

enum kms_error iam_user_get(struct iam_call *call)
{
    const struct iam_principal *user;
    if (call->name[0] == '\0' && call->identity.type == IDENTITY_ROOT)
        return get_root(call);
    if (call->name[0] == '\0')
        return kms_fail(KMS_IAM_VALIDATION,
                        "Must specify userName when calling with non-User credentials");
    KMS_TRY(iam_call_principal(call, &user));
    return iam_write_target(call, "User", iam_write_user);
}

enum kms_error iam_user_list(struct iam_call *call)
{
    return iam_page_records(call, IAM_USER, "Users", iam_write_user);
}

/* ---- deletion: of users, roles and groups with nothing on them */

enum kms_error iam_call_delete(struct iam_call *call)
{
    const struct iam_principal *principal;
    KMS_TRY(iam_call_principal(call, &principal));
    const char *what = NULL;
    if (principal->attached.count > 0)
        what = "detach all policies";
    else if (principal->inline_count > 0)
        what = "delete policies";
    else if (principal->keys.count > 0)
        what = "delete access keys";
    else if (principal->devices.count > 0)
        what = "deactivate MFA devices";
    else if (principal->groups.count > 0 || principal->member_count > 0)
        what = principal->head.kind == IAM_GROUP ? "remove users from group"
                                                 : "remove user from groups";
    if (what != NULL)
        return kms_fail(KMS_DELETE_CONFLICT, "Cannot delete entity, must %s first.", what);
    struct view_changes changes = {.count = 0};
    enum kms_error error = KMS_OK;
    if (principal->boundary != NULL)
        error = iam_policy_count(call, principal->boundary, "boundaries", -1, &changes);
    if (error == KMS_OK)
        error = iam_call_add(&changes, call->target->key, call->target->version, NULL);
    if (error == KMS_OK)
        return iam_call_commit(call, &changes);
    view_changes_clear(&changes);
    return error;
}

enum kms_error iam_user_delete(struct iam_call *call)
{
    return iam_call_delete(call);
}

/* ---- another name or path */

/* The keys' documents name their user. */
static enum kms_error rename_keys(struct iam_call *call, const struct iam_principal *user,
                                  const char *name, struct view_changes *changes)
{
    for (size_t i = 0; i < user->keys.count; i++) {
        AUTO_RECORD *key = iam_find_key(call->kms->view, user->keys.items[i]);
        if (key == NULL)
            continue;
        json_t *fresh = json_deep_copy(key->json);
        (void)json_object_set_new(fresh, "user", json_string(name));
        KMS_TRY(iam_call_add(changes, key->key, key->version, fresh));
    }
    return KMS_OK;
}

static enum kms_error rename_changes(struct iam_call *call, const struct iam_principal *user,
                                     const char *name, json_t *fresh, struct view_changes *changes)
{
    char key[129];
    iam_path(call->identity.account, IAM_USER, name, key);
    if (strcmp(key, call->target->key) == 0)
        KMS_TRY(iam_call_add(changes, key, call->target->version, json_incref(fresh)));
    else {
        AUTO_RECORD *other = view_get(call->kms->view, key);
        if (other != NULL)
            return kms_fail(KMS_ENTITY_ALREADY_EXISTS, "User with name %s already exists.", name);
        KMS_TRY(iam_call_add(changes, key, 0, json_incref(fresh)));
        KMS_TRY(iam_call_add(changes, call->target->key, call->target->version, NULL));
    }
    return strcmp(name, call->name) == 0 ? KMS_OK : rename_keys(call, user, name, changes);
}

/* The rights for the user as it will be, beside those for the user as it is. */
static enum kms_error may_become(const struct iam_call *call, const char *path, const char *name)
{
    char arn[IAM_ARN_MAX + 1];
    (void)snprintf(arn, sizeof arn, "arn:aws:iam::%s:user%s%s", call->identity.account, path, name);
    return strcmp(arn, call->arn) == 0 ? KMS_OK : iam_call_authorize(call, arn);
}

enum kms_error iam_user_update(struct iam_call *call)
{
    const struct iam_principal *user;
    const char *path;
    const char *name = iam_call_get(call, "NewUserName");
    KMS_TRY(iam_call_principal(call, &user));
    KMS_TRY(iam_call_path(call, "NewPath", &path));
    if (name == NULL)
        name = call->name;
    KMS_TRY(iam_call_check_name("NewUserName", name, 64));
    if (iam_call_get(call, "NewPath") == NULL)
        path = user->head.path;
    KMS_TRY(may_become(call, path, name));
    json_t *fresh;
    KMS_TRY(iam_call_edit(call, &fresh));
    struct view_changes changes = {.count = 0};
    (void)json_object_set_new(fresh, "name", json_string(name));
    (void)json_object_set_new(fresh, "path", json_string(path));
    enum kms_error error = rename_changes(call, user, name, fresh, &changes);
    json_decref(fresh);
    if (error == KMS_OK)
        return iam_call_commit(call, &changes);
    view_changes_clear(&changes);
    return error;
}

enum kms_error iam_user_account_aliases(struct iam_call *call)
{
    iam_xml_open(&call->xml, "AccountAliases");
    iam_xml_close(&call->xml, "AccountAliases");
    iam_xml_bool(&call->xml, "IsTruncated", false);
    return KMS_OK;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Managed policies. Source: IAM API Reference. */
#include <stdio.h>

#include "kms/iam_call.h"

enum kms_error iam_policy_count(struct iam_call *call, const char *arn, const char *member,
                                int delta, struct view_changes *changes)
{
    struct iam_arn parts;
    if (iam_builtin_find(arn) != NULL)
        return KMS_OK;
    AUTO_RECORD *record = NULL;
    if (iam_arn_parse(arn, &parts) && !parts.is_root && parts.kind == IAM_POLICY &&
        strcmp(parts.account, call->identity.account) == 0)
        record = iam_find(call->kms->view, parts.account, IAM_POLICY, parts.name);
    const struct iam_managed *managed = iam_managed_of(record);
    if (record == NULL || managed == NULL || strcmp(managed->head.arn, arn) != 0)
        return kms_fail(KMS_NO_SUCH_ENTITY, "Policy %.300s does not exist or is not attachable.",
                        arn);
    json_t *fresh = json_deep_copy(record->json);
    json_int_t count = json_integer_value(json_object_get(fresh, member)) + delta;
    (void)json_object_set_new(fresh, member, json_integer(count < 0 ? 0 : count));
    return iam_call_add(changes, record->key, record->version, fresh);
}

enum kms_error iam_policy_create(struct iam_call *call)
{
    const char *path, *text;
    json_t *fresh;
    KMS_TRY(iam_call_path(call, "Path", &path));
    KMS_TRY(iam_call_need(call, "PolicyDocument", &text));
    KMS_TRY(iam_call_check_policy(POLICY_IDENTITY, text, IAM_POLICY_MAX));
    KMS_TRY(iam_call_new_document(call, "ANPA", path, &fresh));
    json_t *versions = json_pack("[{s:i, s:I, s:s}]", "number", 1, "created",
                                 (json_int_t)call->now_ms, "text", text);
    (void)json_object_set_new(fresh, "versions", versions);
    (void)json_object_set_new(fresh, "default", json_integer(1));
    (void)json_object_set_new(fresh, "newest", json_integer(1));
    (void)json_object_set_new(fresh, "updated", json_integer((json_int_t)call->now_ms));
    KMS_TRY(iam_call_create(call, fresh, NULL));
    call->response =
        json_pack("{s:{s:s, s:s}}", "policy", "policyName", call->name, "arn", call->arn);
    return iam_write_target(call, "Policy", iam_write_managed);
}

static void write_builtin(struct iam_xml *xml, const struct iam_builtin *builtin)
{
    char arn[IAM_ARN_MAX + 1];
    iam_builtin_arn(builtin, arn);
    iam_xml_text(xml, "PolicyName", builtin->name);
    iam_xml_text(xml, "PolicyId", builtin->id);
    iam_xml_text(xml, "Arn", arn);
    iam_xml_text(xml, "Path", builtin->path);
    iam_xml_text(xml, "DefaultVersionId", "v1");
    iam_xml_bool(xml, "IsAttachable", true);
    iam_xml_text(xml, "Description", builtin->description);
    iam_xml_text(xml, "CreateDate", builtin->created);
    iam_xml_text(xml, "UpdateDate", builtin->created);
}

enum kms_error iam_policy_get(struct iam_call *call)
{
    const struct iam_builtin *builtin = iam_builtin_find(call->arn);
    if (builtin == NULL && call->target == NULL)
        return kms_fail(KMS_NO_SUCH_ENTITY, "Policy %s was not found.", call->arn);
    if (builtin == NULL)
        return iam_write_target(call, "Policy", iam_write_managed);
    iam_xml_open(&call->xml, "Policy");
    write_builtin(&call->xml, builtin);
    iam_xml_close(&call->xml, "Policy");
    return KMS_OK;
}

/* ---- the list: AWS's own first, then the account's */

struct walk {
    struct iam_call *call;
    struct iam_page *page;
    const char *path_prefix;
    bool only_attached;
};

static void list_builtins(struct walk *walk)
{
    const struct iam_builtin *builtin;
    for (size_t i = 0; (builtin = iam_builtin_at(i)) != NULL; i++) {
        char cursor[40];
        (void)snprintf(cursor, sizeof cursor, "aws/%08zu", i); /* before "iam/..." */
        if (strncmp(builtin->path, walk->path_prefix, strlen(walk->path_prefix)) != 0 ||
            walk->only_attached || !iam_page_takes(walk->page, cursor))
            continue;
        iam_xml_open(&walk->call->xml, "member");
        write_builtin(&walk->call->xml, builtin);
        iam_xml_close(&walk->call->xml, "member");
    }
}

static bool visit_policy(void *context, struct record *record)
{
    struct walk *walk = context;
    const struct iam_managed *managed = iam_managed_of(record);
    if (managed == NULL ||
        strncmp(managed->head.path, walk->path_prefix, strlen(walk->path_prefix)) != 0 ||
        (walk->only_attached && managed->attachment_count + managed->boundary_count == 0))
        return true;
    if (!iam_page_takes(walk->page, record->key))
        return !walk->page->is_truncated;
    iam_xml_open(&walk->call->xml, "member");
    iam_write_managed(walk->call, record);
    iam_xml_close(&walk->call->xml, "member");
    return true;
}

enum kms_error iam_policy_list(struct iam_call *call)
{
    struct iam_page page;
    char prefix[129];
    const char *scope = iam_call_get(call, "Scope");
    const char *path = iam_call_get(call, "PathPrefix");
    const char *attached = iam_call_get(call, "OnlyAttached");
    KMS_TRY(iam_page_open(call, &page));
    struct walk walk = {.call = call,
                        .page = &page,
                        .path_prefix = path == NULL ? "/" : path,
                        .only_attached = attached != NULL && strcmp(attached, "true") == 0};
    iam_xml_open(&call->xml, "Policies");
    if (scope == NULL || strcmp(scope, "Local") != 0)
        list_builtins(&walk);
    iam_path(call->identity.account, IAM_POLICY, "", prefix);
    if ((scope == NULL || strcmp(scope, "AWS") != 0) && !page.is_truncated)
        view_each(call->kms->view, prefix, strncmp(page.after, "iam/", 4) == 0 ? page.after : "",
                  visit_policy, &walk);
    iam_xml_close(&call->xml, "Policies");
    iam_page_close(call, &page);
    return KMS_OK;
}

enum kms_error iam_policy_delete(struct iam_call *call)
{
    const struct iam_managed *managed = iam_managed_of(call->target);
    if (managed == NULL)
        return kms_fail(KMS_NO_SUCH_ENTITY, "Policy %s was not found.", call->arn);
    if (managed->attachment_count + managed->boundary_count > 0)
        return kms_fail(KMS_DELETE_CONFLICT, "Cannot delete a policy attached to entities.");
    if (managed->version_count > 1)
        return kms_fail(KMS_DELETE_CONFLICT, "This policy has more than one version. Before you "
                                             "delete a policy, you must delete the policy's "
                                             "versions. The default version is deleted with the "
                                             "policy.");
    struct view_changes changes = {.count = 0};
    KMS_TRY(iam_call_add(&changes, call->target->key, call->target->version, NULL));
    return iam_call_commit(call, &changes);
}

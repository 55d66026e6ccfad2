/* SPDX-License-Identifier: Apache-2.0 */
/* Policies of users, roles and groups: inline, attached, and permissions boundaries. */
#include <stdio.h>

#include "kms/iam_call.h"

#define ATTACHED_MAX 10U

/* Of all inline policies together, white space not counted. */
static const size_t inline_max[] = {[IAM_USER] = 2048, [IAM_ROLE] = 10240, [IAM_GROUP] = 5120};
static const char *const name_elements[] = {
    [IAM_USER] = "UserName", [IAM_ROLE] = "RoleName", [IAM_GROUP] = "GroupName"};

static size_t text_size(const char *text)
{
    size_t len = 0;
    for (; *text != '\0'; text++)
        len += strchr(" \t\r\n", *text) == NULL;
    return len;
}

enum kms_error iam_inline_put(struct iam_call *call)
{
    const struct iam_principal *principal;
    const char *name, *text;
    size_t max = inline_max[call->action->kind];
    KMS_TRY(iam_call_principal(call, &principal));
    KMS_TRY(iam_call_need(call, "PolicyName", &name));
    KMS_TRY(iam_call_need(call, "PolicyDocument", &text));
    KMS_TRY(iam_call_check_name("PolicyName", name, IAM_NAME_MAX));
    KMS_TRY(iam_call_check_policy(POLICY_IDENTITY, text, max));
    size_t total = text_size(text);
    for (size_t i = 0; i < principal->inline_count; i++)
        if (strcmp(principal->inlines[i].name, name) != 0)
            total += text_size(principal->inlines[i].text);
    if (total > max)
        return kms_fail(KMS_IAM_LIMIT_EXCEEDED,
                        "Maximum policy size of %zu bytes exceeded for %s %s", max,
                        iam_kind_name(call->action->kind), call->name);
    json_t *fresh;
    KMS_TRY(iam_call_edit(call, &fresh));
    json_t *policies = json_object_get(fresh, "policies");
    if (policies == NULL) {
        policies = json_object();
        (void)json_object_set_new(fresh, "policies", policies);
    }
    (void)json_object_set_new(policies, name, json_string(text));
    return iam_call_put(call, fresh);
}

static enum kms_error find_inline(const struct iam_call *call, const struct iam_inline **out)
{
    const struct iam_principal *principal;
    const char *name;
    KMS_TRY(iam_call_principal(call, &principal));
    KMS_TRY(iam_call_need(call, "PolicyName", &name));
    for (size_t i = 0; i < principal->inline_count; i++) {
        *out = &principal->inlines[i];
        if (strcmp((*out)->name, name) == 0)
            return KMS_OK;
    }
    return kms_fail(KMS_NO_SUCH_ENTITY, "The %s policy with name %.128s cannot be found.",
                    iam_kind_name(call->action->kind), name);
}

enum kms_error iam_inline_get(struct iam_call *call)
{
    const struct iam_inline *found;
    KMS_TRY(find_inline(call, &found));
    iam_xml_text(&call->xml, name_elements[call->action->kind], call->name);
    iam_xml_text(&call->xml, "PolicyName", found->name);
    iam_xml_policy(&call->xml, "PolicyDocument", found->text);
    return KMS_OK;
}

enum kms_error iam_inline_list(struct iam_call *call)
{
    struct iam_page page;
    const struct iam_principal *principal;
    KMS_TRY(iam_call_principal(call, &principal));
    KMS_TRY(iam_page_open(call, &page));
    iam_xml_open(&call->xml, "PolicyNames");
    for (size_t i = 0; i < principal->inline_count; i++)
        if (iam_page_takes_number(&page, i))
            iam_xml_text(&call->xml, "member", principal->inlines[i].name);
    iam_xml_close(&call->xml, "PolicyNames");
    iam_page_close(call, &page);
    return KMS_OK;
}

enum kms_error iam_inline_delete(struct iam_call *call)
{
    const struct iam_inline *found;
    json_t *fresh;
    KMS_TRY(find_inline(call, &found));
    KMS_TRY(iam_call_edit(call, &fresh));
    (void)json_object_del(json_object_get(fresh, "policies"), found->name);
    return iam_call_put(call, fresh);
}

/* ---- managed policies on it */

static size_t place_of(const struct iam_names *names, const char *name)
{
    size_t at = 0;
    while (at < names->count && strcmp(names->items[at], name) != 0)
        at++;
    return at;
}

static enum kms_error put_attached(struct iam_call *call, const char *arn, int delta, size_t at)
{
    struct view_changes changes = {.count = 0};
    json_t *fresh;
    KMS_TRY(iam_policy_count(call, arn, "attachments", delta, &changes));
    enum kms_error error = iam_call_edit(call, &fresh);
    if (error == KMS_OK) {
        json_t *attached = json_object_get(fresh, "attached");
        if (attached == NULL) {
            attached = json_array();
            (void)json_object_set_new(fresh, "attached", attached);
        }
        if (delta > 0)
            (void)json_array_append_new(attached, json_string(arn));
        else
            (void)json_array_remove(attached, at);
        error = iam_call_add(&changes, call->target->key, call->target->version, fresh);
    }
    if (error == KMS_OK)
        return iam_call_commit(call, &changes);
    view_changes_clear(&changes);
    return error;
}

enum kms_error iam_attached_add(struct iam_call *call)
{
    const struct iam_principal *principal;
    const char *arn;
    KMS_TRY(iam_call_principal(call, &principal));
    KMS_TRY(iam_call_need(call, "PolicyArn", &arn));
    if (place_of(&principal->attached, arn) < principal->attached.count)
        return KMS_OK;
    if (principal->attached.count >= ATTACHED_MAX)
        return kms_fail(KMS_IAM_LIMIT_EXCEEDED, "Cannot exceed quota for PoliciesPer%c%s: %u",
                        iam_kind_name(call->action->kind)[0] - 'a' + 'A',
                        iam_kind_name(call->action->kind) + 1, ATTACHED_MAX);
    return put_attached(call, arn, 1, 0);
}

enum kms_error iam_attached_remove(struct iam_call *call)
{
    const struct iam_principal *principal;
    const char *arn;
    KMS_TRY(iam_call_principal(call, &principal));
    KMS_TRY(iam_call_need(call, "PolicyArn", &arn));
    size_t at = place_of(&principal->attached, arn);
    if (at == principal->attached.count)
        return kms_fail(KMS_NO_SUCH_ENTITY, "Policy %.300s was not found.", arn);
    return put_attached(call, arn, -1, at);
}

enum kms_error iam_attached_list(struct iam_call *call)
{
    struct iam_page page;
    const struct iam_principal *principal;
    const char *prefix = iam_call_get(call, "PathPrefix");
    KMS_TRY(iam_call_principal(call, &principal));
    KMS_TRY(iam_page_open(call, &page));
    iam_xml_open(&call->xml, "AttachedPolicies");
    for (size_t i = 0; i < principal->attached.count; i++) {
        const char *arn = principal->attached.items[i];
        struct iam_arn parts;
        if (!iam_arn_parse(arn, &parts) ||
            (prefix != NULL && strncmp(parts.path, prefix, strlen(prefix)) != 0) ||
            !iam_page_takes_number(&page, i))
            continue;
        iam_xml_open(&call->xml, "member");
        iam_xml_text(&call->xml, "PolicyName", parts.name);
        iam_xml_text(&call->xml, "PolicyArn", arn);
        iam_xml_close(&call->xml, "member");
    }
    iam_xml_close(&call->xml, "AttachedPolicies");
    iam_page_close(call, &page);
    return KMS_OK;
}

/* ---- permissions boundaries */

/* Takes the place of the present one; NULL: none. */
static enum kms_error set_boundary(struct iam_call *call, const struct iam_principal *principal,
                                   const char *arn)
{
    struct view_changes changes = {.count = 0};
    json_t *fresh;
    enum kms_error error = KMS_OK;
    if (principal->boundary != NULL)
        error = iam_policy_count(call, principal->boundary, "boundaries", -1, &changes);
    if (error == KMS_OK && arn != NULL)
        error = iam_policy_count(call, arn, "boundaries", 1, &changes);
    if (error == KMS_OK)
        error = iam_call_edit(call, &fresh);
    if (error == KMS_OK) {
        if (arn != NULL)
            (void)json_object_set_new(fresh, "boundary", json_string(arn));
        else
            (void)json_object_del(fresh, "boundary");
        error = iam_call_add(&changes, call->target->key, call->target->version, fresh);
    }
    if (error == KMS_OK)
        return iam_call_commit(call, &changes);
    view_changes_clear(&changes);
    return error;
}

enum kms_error iam_boundary_put(struct iam_call *call)
{
    const struct iam_principal *principal;
    const char *arn;
    KMS_TRY(iam_call_principal(call, &principal));
    KMS_TRY(iam_call_need(call, "PermissionsBoundary", &arn));
    if (principal->boundary != NULL && strcmp(principal->boundary, arn) == 0)
        return KMS_OK;
    return set_boundary(call, principal, arn);
}

enum kms_error iam_boundary_delete(struct iam_call *call)
{
    const struct iam_principal *principal;
    KMS_TRY(iam_call_principal(call, &principal));
    if (principal->boundary == NULL)
        return kms_fail(KMS_NO_SUCH_ENTITY, "The %s with name %s has no permissions boundary.",
                        iam_kind_name(call->action->kind), call->name);
    return set_boundary(call, principal, NULL);
}

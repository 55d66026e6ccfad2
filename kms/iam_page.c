/* SPDX-License-Identifier: Apache-2.0 */
/* Lists in pages, and the members of users, roles, groups and policies in answers. */
#include <stdio.h>
#include <stdlib.h>

#include "kms/iam_call.h"
#include "kms/principal.h"
#include "rpc/text_code.h"

enum kms_error iam_page_open(const struct iam_call *call, struct iam_page *out)
{
    unsigned long limit = 100;
    *out = (struct iam_page){.count = 0};
    KMS_TRY(iam_call_number(call, "MaxItems", 1, 1000, &limit));
    out->limit = limit;
    const char *marker = iam_call_get(call, "Marker");
    if (marker == NULL)
        return KMS_OK;
    AUTO_BUF after = BUF_INIT_MAX(sizeof out->after - 1);
    if (text_code_read("", marker, &after) != RC_OK || strlen(buf_str(&after)) != after.len)
        return kms_fail(KMS_IAM_VALIDATION, "Invalid Marker.");
    (void)snprintf(out->after, sizeof out->after, "%s", buf_str(&after));
    return KMS_OK;
}

bool iam_page_takes(struct iam_page *page, const char *cursor)
{
    if (strcmp(cursor, page->after) <= 0)
        return false;
    if (page->count == page->limit) {
        page->is_truncated = true;
        return false;
    }
    page->count++;
    (void)snprintf(page->last, sizeof page->last, "%s", cursor);
    return true;
}

bool iam_page_takes_number(struct iam_page *page, size_t number)
{
    char cursor[24];
    (void)snprintf(cursor, sizeof cursor, "%08zu", number);
    return iam_page_takes(page, cursor);
}

void iam_page_close(struct iam_call *call, const struct iam_page *page)
{
    AUTO_BUF marker = BUF_INIT;
    iam_xml_bool(&call->xml, "IsTruncated", page->is_truncated);
    if (!page->is_truncated)
        return;
    if (text_code_write("", bytes_of_str(page->last), &marker) != RC_OK)
        call->xml.has_failed = true;
    else
        iam_xml_text(&call->xml, "Marker", buf_str(&marker));
}

struct records_walk {
    struct iam_page *page;
    enum iam_kind kind;
    const char *path_prefix;
    struct record **found; /* page->limit of them */
    size_t count;
};

static bool visit_record(void *context, struct record *record)
{
    struct records_walk *walk = context;
    const struct iam_head *head = record->data;
    if (head == NULL || head->kind != walk->kind ||
        strncmp(head->path, walk->path_prefix, strlen(walk->path_prefix)) != 0)
        return true;
    if (!iam_page_takes(walk->page, record->key))
        return !walk->page->is_truncated;
    walk->found[walk->count++] = record_ref(record);
    return true;
}

/* `write` may look at the view, so the view is no longer held then. */
static void write_found(struct iam_call *call, const struct records_walk *walk, const char *list,
                        iam_write write)
{
    iam_xml_open(&call->xml, list);
    for (size_t i = 0; i < walk->count; i++) {
        iam_xml_open(&call->xml, "member");
        write(call, walk->found[i]);
        iam_xml_close(&call->xml, "member");
        record_unref(walk->found[i]);
    }
    iam_xml_close(&call->xml, list);
}

enum kms_error iam_page_records(struct iam_call *call, enum iam_kind kind, const char *list,
                                iam_write write)
{
    struct iam_page page;
    char prefix[129];
    const char *path_prefix = iam_call_get(call, "PathPrefix");
    KMS_TRY(iam_page_open(call, &page));
    struct records_walk walk = {.page = &page,
                                .kind = kind,
                                .path_prefix = path_prefix == NULL ? "/" : path_prefix,
                                .found = calloc(page.limit, sizeof *walk.found)};
    if (walk.found == NULL)
        return kms_from_rc(RC_NO_MEMORY);
    iam_path(call->identity.account, kind, "", prefix);
    view_each(call->kms->view, prefix, page.after, visit_record, &walk);
    write_found(call, &walk, list, write);
    free(walk.found);
    iam_page_close(call, &page);
    return KMS_OK;
}

/* ---- fragments */

void iam_write_tags(struct iam_xml *xml, const struct iam_head *head)
{
    if (head->tag_count == 0)
        return;
    iam_xml_open(xml, "Tags");
    for (size_t i = 0; i < head->tag_count; i++) {
        iam_xml_open(xml, "member");
        iam_xml_text(xml, "Key", head->tags[i].key);
        iam_xml_text(xml, "Value", head->tags[i].value);
        iam_xml_close(xml, "member");
    }
    iam_xml_close(xml, "Tags");
}

static void write_head(struct iam_xml *xml, const struct iam_head *head, const char *name,
                       const char *id)
{
    iam_xml_text(xml, "Path", head->path);
    iam_xml_text(xml, name, head->name);
    iam_xml_text(xml, id, head->id);
    iam_xml_text(xml, "Arn", head->arn);
    iam_xml_time(xml, "CreateDate", head->created_ms);
}

static void write_boundary(struct iam_xml *xml, const struct iam_principal *principal)
{
    if (principal->boundary == NULL)
        return;
    iam_xml_open(xml, "PermissionsBoundary");
    iam_xml_text(xml, "PermissionsBoundaryType", "Policy");
    iam_xml_text(xml, "PermissionsBoundaryArn", principal->boundary);
    iam_xml_close(xml, "PermissionsBoundary");
}

void iam_write_user(struct iam_call *call, const struct record *record)
{
    const struct iam_principal *user = record->data;
    struct iam_xml *xml = &call->xml;
    write_head(xml, &user->head, "UserName", "UserId");
    write_boundary(xml, user);
    iam_write_tags(xml, &user->head);
}

void iam_write_group(struct iam_call *call, const struct record *record)
{
    const struct iam_principal *group = record->data;
    struct iam_xml *xml = &call->xml;
    write_head(xml, &group->head, "GroupName", "GroupId");
}

static void write_trust(struct iam_call *call, const struct iam_principal *role)
{
    char *text = NULL;
    if (principal_show_policy(call->kms, role->trust_text, role->trust_ids, &text) == KMS_OK)
        iam_xml_policy(&call->xml, "AssumeRolePolicyDocument", text);
    else
        call->xml.has_failed = true;
    free(text);
}

void iam_write_role(struct iam_call *call, const struct record *record)
{
    const struct iam_principal *role = record->data;
    struct iam_xml *xml = &call->xml;
    write_head(xml, &role->head, "RoleName", "RoleId");
    write_trust(call, role);
    iam_xml_text_if(xml, "Description", role->head.description);
    iam_xml_number(xml, "MaxSessionDuration", role->session_max_s);
    write_boundary(xml, role);
    iam_write_tags(xml, &role->head);
}

void iam_write_managed(struct iam_call *call, const struct record *record)
{
    const struct iam_managed *policy = record->data;
    struct iam_xml *xml = &call->xml;
    char version[16];
    (void)snprintf(version, sizeof version, "v%u", policy->default_version);
    write_head(xml, &policy->head, "PolicyName", "PolicyId");
    iam_xml_text(xml, "DefaultVersionId", version);
    iam_xml_number(xml, "AttachmentCount", policy->attachment_count);
    iam_xml_number(xml, "PermissionsBoundaryUsageCount", policy->boundary_count);
    iam_xml_bool(xml, "IsAttachable", true);
    iam_xml_text_if(xml, "Description", policy->head.description);
    iam_xml_time(xml, "UpdateDate", policy->updated_ms);
    iam_write_tags(xml, &policy->head);
}

enum kms_error iam_write_target(struct iam_call *call, const char *name, iam_write write)
{
    AUTO_RECORD *now =
        iam_find(call->kms->view, call->identity.account, call->action->kind, call->name);
    if (now == NULL)
        return kms_fail(KMS_NO_SUCH_ENTITY, "The %s with name %s cannot be found.",
                        iam_kind_name(call->action->kind), call->name);
    iam_xml_open(&call->xml, name);
    write(call, now);
    iam_xml_close(&call->xml, name);
    return KMS_OK;
}

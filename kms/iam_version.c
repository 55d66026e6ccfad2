/* SPDX-License-Identifier: Apache-2.0 */
/* Versions of managed policies: up to five, one of them the default. */
#include <stdio.h>
#include <stdlib.h>

#include "kms/iam_call.h"

static enum kms_error managed_of(const struct iam_call *call, const struct iam_managed **out)
{
    *out = iam_managed_of(call->target);
    return *out != NULL ? KMS_OK
                        : kms_fail(KMS_NO_SUCH_ENTITY, "Policy %s was not found.", call->arn);
}

/* "v12"; 0: none. */
static unsigned version_number(const char *text)
{
    if (text == NULL || text[0] != 'v' || strlen(text) > 8 ||
        strspn(text + 1, "0123456789") != strlen(text + 1))
        return 0;
    return (unsigned)strtoul(text + 1, NULL, 10);
}

static enum kms_error find_version(const struct iam_call *call, const struct iam_managed *managed,
                                   const struct iam_version **out)
{
    const char *text;
    KMS_TRY(iam_call_need(call, "VersionId", &text));
    unsigned number = version_number(text);
    for (size_t i = 0; i < managed->version_count; i++) {
        *out = &managed->versions[i];
        if ((*out)->number == number)
            return KMS_OK;
    }
    return kms_fail(KMS_NO_SUCH_ENTITY,
                    "Policy %s version %.16s does not exist or is not attachable.", call->arn,
                    text);
}

static void write_version(struct iam_xml *xml, const struct iam_version *version, bool is_default,
                          bool with_text)
{
    char id[16];
    (void)snprintf(id, sizeof id, "v%u", version->number);
    if (with_text)
        iam_xml_policy(xml, "Document", version->text);
    iam_xml_text(xml, "VersionId", id);
    iam_xml_bool(xml, "IsDefaultVersion", is_default);
    iam_xml_time(xml, "CreateDate", version->created_ms);
}

enum kms_error iam_version_create(struct iam_call *call)
{
    const struct iam_managed *managed;
    const char *text, *as_default = iam_call_get(call, "SetAsDefault");
    json_t *fresh;
    KMS_TRY(managed_of(call, &managed));
    KMS_TRY(iam_call_need(call, "PolicyDocument", &text));
    KMS_TRY(iam_call_check_policy(POLICY_IDENTITY, text, IAM_POLICY_MAX));
    if (managed->version_count == IAM_VERSIONS_MAX)
        return kms_fail(KMS_IAM_LIMIT_EXCEEDED,
                        "A managed policy can have up to %u versions. Before you create a new "
                        "version, you must delete an existing version.",
                        IAM_VERSIONS_MAX);
    bool is_default = as_default != NULL && strcmp(as_default, "true") == 0;
    KMS_TRY(iam_call_edit(call, &fresh));
    unsigned number = (unsigned)json_integer_value(json_object_get(fresh, "newest")) + 1;
    json_t *version = json_pack("{s:i, s:I, s:s}", "number", (int)number, "created",
                                (json_int_t)call->now_ms, "text", text);
    (void)json_array_append_new(json_object_get(fresh, "versions"), version);
    (void)json_object_set_new(fresh, "newest", json_integer(number));
    (void)json_object_set_new(fresh, "updated", json_integer((json_int_t)call->now_ms));
    if (is_default)
        (void)json_object_set_new(fresh, "default", json_integer(number));
    KMS_TRY(iam_call_put(call, fresh));
    struct iam_version made = {.number = number, .created_ms = call->now_ms};
    iam_xml_open(&call->xml, "PolicyVersion");
    write_version(&call->xml, &made, is_default, false);
    iam_xml_close(&call->xml, "PolicyVersion");
    return KMS_OK;
}

static enum kms_error get_builtin(struct iam_call *call, const struct iam_builtin *builtin)
{
    const char *text;
    KMS_TRY(iam_call_need(call, "VersionId", &text));
    if (strcmp(text, "v1") != 0)
        return kms_fail(KMS_NO_SUCH_ENTITY,
                        "Policy %s version %.16s does not exist or is not attachable.", call->arn,
                        text);
    iam_xml_open(&call->xml, "PolicyVersion");
    iam_xml_policy(&call->xml, "Document", builtin->text);
    iam_xml_text(&call->xml, "VersionId", "v1");
    iam_xml_bool(&call->xml, "IsDefaultVersion", true);
    iam_xml_text(&call->xml, "CreateDate", builtin->created);
    iam_xml_close(&call->xml, "PolicyVersion");
    return KMS_OK;
}

enum kms_error iam_version_get(struct iam_call *call)
{
    const struct iam_builtin *builtin = iam_builtin_find(call->arn);
    const struct iam_managed *managed;
    const struct iam_version *version;
    if (builtin != NULL)
        return get_builtin(call, builtin);
    KMS_TRY(managed_of(call, &managed));
    KMS_TRY(find_version(call, managed, &version));
    iam_xml_open(&call->xml, "PolicyVersion");
    write_version(&call->xml, version, version->number == managed->default_version, true);
    iam_xml_close(&call->xml, "PolicyVersion");
    return KMS_OK;
}

enum kms_error iam_version_list(struct iam_call *call)
{
    const struct iam_builtin *builtin = iam_builtin_find(call->arn);
    const struct iam_managed *managed = NULL;
    struct iam_page page;
    if (builtin == NULL)
        KMS_TRY(managed_of(call, &managed));
    KMS_TRY(iam_page_open(call, &page));
    iam_xml_open(&call->xml, "Versions");
    for (size_t i = 0; managed != NULL && i < managed->version_count; i++) {
        const struct iam_version *version = &managed->versions[managed->version_count - 1 - i];
        if (!iam_page_takes_number(&page, i))
            continue;
        iam_xml_open(&call->xml, "member");
        write_version(&call->xml, version, version->number == managed->default_version, false);
        iam_xml_close(&call->xml, "member");
    }
    if (builtin != NULL && iam_page_takes_number(&page, 0)) {
        iam_xml_open(&call->xml, "member");
        iam_xml_text(&call->xml, "VersionId", "v1");
        iam_xml_bool(&call->xml, "IsDefaultVersion", true);
        iam_xml_text(&call->xml, "CreateDate", builtin->created);
        iam_xml_close(&call->xml, "member");
    }
    iam_xml_close(&call->xml, "Versions");
    iam_page_close(call, &page);
    return KMS_OK;
}

enum kms_error iam_version_set_default(struct iam_call *call)
{
    const struct iam_managed *managed;
    const struct iam_version *version;
    json_t *fresh;
    KMS_TRY(managed_of(call, &managed));
    KMS_TRY(find_version(call, managed, &version));
    KMS_TRY(iam_call_edit(call, &fresh));
    (void)json_object_set_new(fresh, "default", json_integer(version->number));
    (void)json_object_set_new(fresh, "updated", json_integer((json_int_t)call->now_ms));
    return iam_call_put(call, fresh);
}

enum kms_error iam_version_delete(struct iam_call *call)
{
    const struct iam_managed *managed;
    const struct iam_version *version;
    json_t *fresh;
    KMS_TRY(managed_of(call, &managed));
    KMS_TRY(find_version(call, managed, &version));
    if (version->number == managed->default_version)
        return kms_fail(KMS_DELETE_CONFLICT, "Cannot delete the default version of a policy.");
    KMS_TRY(iam_call_edit(call, &fresh));
    (void)json_array_remove(json_object_get(fresh, "versions"),
                            (size_t)(version - managed->versions));
    return iam_call_put(call, fresh);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Tags of users, roles and policies. Source: IAM User Guide, "Rules for tagging". */
#include <strings.h>

#include "kms/iam_call.h"

#define TAG_KEY_MAX   128U
#define TAG_VALUE_MAX 256U

static enum kms_error check_tag(const char *key, const char *value)
{
    if (strlen(key) == 0 || strlen(key) > TAG_KEY_MAX || value == NULL ||
        strlen(value) > TAG_VALUE_MAX)
        return kms_fail(KMS_IAM_VALIDATION,
                        "1 validation error detected: Value at 'tags' failed to satisfy "
                        "constraint: Tag keys have 1 to 128 characters, tag values at most 256");
    if (strncasecmp(key, "aws:", 4) == 0)
        return kms_fail(KMS_IAM_INVALID_INPUT,
                        "Tag keys beginning with aws: are reserved for system use.");
    return KMS_OK;
}

/* The key as the tags have it; keys have no case. NULL. */
static const char *find_key(json_t *tags, const char *key)
{
    const char *other;
    json_t *value;
    json_object_foreach(tags, other, value) if (strcasecmp(other, key) == 0) return other;
    return NULL;
}

static void remove_key(json_t *tags, const char *key)
{
    for (const char *old = find_key(tags, key); old != NULL; old = find_key(tags, key))
        (void)json_object_del(tags, old);
}

static enum kms_error read_into(const struct iam_call *call, json_t *tags)
{
    size_t count = iam_form_count(&call->form, "Tags", "Key");
    for (size_t i = 1; i <= count; i++) {
        const char *key = iam_form_member(&call->form, "Tags", i, "Key");
        const char *value = iam_form_member(&call->form, "Tags", i, "Value");
        KMS_TRY(check_tag(key, value));
        if (find_key(tags, key) != NULL)
            return kms_fail(KMS_IAM_INVALID_INPUT,
                            "Duplicate tag keys found. Please note that Tag keys are case "
                            "insensitive.");
        if (json_object_set_new(tags, key, json_string(value)) != 0)
            return kms_fail(KMS_IAM_VALIDATION, "A tag is no UTF-8 text.");
    }
    if (json_object_size(tags) > KMS_TAGS_MAX)
        return kms_fail(KMS_IAM_LIMIT_EXCEEDED,
                        "The number of tags has reached the maximum limit of %u.", KMS_TAGS_MAX);
    return KMS_OK;
}

enum kms_error iam_tag_read(const struct iam_call *call, json_t **out)
{
    json_t *tags = json_object();
    if (tags == NULL)
        return kms_from_rc(RC_NO_MEMORY);
    enum kms_error error = read_into(call, tags);
    if (error != KMS_OK)
        json_decref(tags);
    else
        *out = tags;
    return error;
}

enum kms_error iam_tag_add(struct iam_call *call)
{
    json_t *tags = NULL, *fresh = NULL;
    KMS_TRY(iam_tag_read(call, &tags));
    enum kms_error error = iam_call_edit(call, &fresh);
    if (error != KMS_OK) {
        json_decref(tags);
        return error;
    }
    json_t *old = json_object_get(fresh, "tags");
    if (old == NULL) {
        old = json_object();
        (void)json_object_set_new(fresh, "tags", old);
    }
    const char *key;
    json_t *value;
    json_object_foreach(tags, key, value)
    {
        remove_key(old, key);
        (void)json_object_set(old, key, value);
    }
    json_decref(tags);
    if (json_object_size(old) > KMS_TAGS_MAX) {
        json_decref(fresh);
        return kms_fail(KMS_IAM_LIMIT_EXCEEDED,
                        "The number of tags has reached the maximum limit of %u.", KMS_TAGS_MAX);
    }
    return iam_call_put(call, fresh);
}

enum kms_error iam_tag_remove(struct iam_call *call)
{
    json_t *fresh;
    size_t count = iam_form_count(&call->form, "TagKeys", "");
    KMS_TRY(iam_call_edit(call, &fresh));
    for (size_t i = 1; i <= count; i++)
        remove_key(json_object_get(fresh, "tags"), iam_form_member(&call->form, "TagKeys", i, ""));
    return iam_call_put(call, fresh);
}

enum kms_error iam_tag_list(struct iam_call *call)
{
    struct iam_page page;
    const struct iam_principal *principal;
    KMS_TRY(iam_call_principal(call, &principal));
    KMS_TRY(iam_page_open(call, &page));
    iam_xml_open(&call->xml, "Tags");
    for (size_t i = 0; i < principal->head.tag_count; i++) {
        if (!iam_page_takes_number(&page, i))
            continue;
        iam_xml_open(&call->xml, "member");
        iam_xml_text(&call->xml, "Key", principal->head.tags[i].key);
        iam_xml_text(&call->xml, "Value", principal->head.tags[i].value);
        iam_xml_close(&call->xml, "member");
    }
    iam_xml_close(&call->xml, "Tags");
    iam_page_close(call, &page);
    return KMS_OK;
}

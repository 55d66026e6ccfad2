/* SPDX-License-Identifier: Apache-2.0 */
/* Groups. A user's document names its groups; a group's counts its users. */
#include "kms/iam_call.h"

#define GROUPS_OF_USER_MAX 10U

enum kms_error iam_group_create(struct iam_call *call)
{
    const char *path;
    json_t *fresh;
    KMS_TRY(iam_call_path(call, "Path", &path));
    KMS_TRY(iam_call_new_document(call, "AGPA", path, &fresh));
    KMS_TRY(iam_call_create(call, fresh, NULL));
    return iam_write_target(call, "Group", iam_write_group);
}

enum kms_error iam_group_list(struct iam_call *call)
{
    return iam_page_records(call, IAM_GROUP, "Groups", iam_write_group);
}

enum kms_error iam_group_delete(struct iam_call *call)
{
    return iam_call_delete(call);
}

struct walk {
    struct iam_call *call;
    struct iam_page *page;
};

static bool visit_user(void *context, struct record *record)
{
    struct walk *walk = context;
    const struct iam_principal *user = iam_principal_of(record, IAM_USER);
    if (user == NULL || !iam_names_has(&user->groups, walk->call->name))
        return true;
    if (!iam_page_takes(walk->page, record->key))
        return !walk->page->is_truncated;
    iam_xml_open(&walk->call->xml, "member");
    iam_write_user(walk->call, record);
    iam_xml_close(&walk->call->xml, "member");
    return true;
}

enum kms_error iam_group_get(struct iam_call *call)
{
    char prefix[129];
    struct iam_page page;
    const struct iam_principal *group;
    KMS_TRY(iam_call_principal(call, &group));
    KMS_TRY(iam_page_open(call, &page));
    KMS_TRY(iam_write_target(call, "Group", iam_write_group));
    struct walk walk = {.call = call, .page = &page};
    iam_path(call->identity.account, IAM_USER, "", prefix);
    iam_xml_open(&call->xml, "Users");
    view_each(call->kms->view, prefix, page.after, visit_user, &walk);
    iam_xml_close(&call->xml, "Users");
    iam_page_close(call, &page);
    return KMS_OK;
}

/* ---- who is in it */

static enum kms_error find_user(const struct iam_call *call, struct record **out)
{
    const char *name;
    KMS_TRY(iam_call_need(call, "UserName", &name));
    *out = iam_find(call->kms->view, call->identity.account, IAM_USER, name);
    return *out != NULL
               ? KMS_OK
               : kms_fail(KMS_NO_SUCH_ENTITY, "The user with name %.128s cannot be found.", name);
}

static enum kms_error count_member(struct iam_call *call, int delta, struct view_changes *changes)
{
    json_t *fresh;
    KMS_TRY(iam_call_edit(call, &fresh));
    json_int_t members = json_integer_value(json_object_get(fresh, "members"));
    (void)json_object_set_new(fresh, "members", json_integer(members + delta));
    return iam_call_add(changes, call->target->key, call->target->version, fresh);
}

static enum kms_error move_user(struct iam_call *call, const struct record *user, bool is_in_now)
{
    json_t *fresh = json_deep_copy(user->json);
    if (is_in_now)
        iam_call_list_remove(fresh, "groups", call->name);
    else
        iam_call_list_add(fresh, "groups", call->name);
    struct view_changes changes = {.count = 0};
    KMS_TRY(iam_call_add(&changes, user->key, user->version, fresh));
    enum kms_error error = count_member(call, is_in_now ? -1 : 1, &changes);
    if (error == KMS_OK)
        return iam_call_commit(call, &changes);
    view_changes_clear(&changes);
    return error;
}

enum kms_error iam_group_add_user(struct iam_call *call)
{
    AUTO_RECORD *record = NULL;
    const struct iam_principal *group;
    KMS_TRY(iam_call_principal(call, &group));
    KMS_TRY(find_user(call, &record));
    const struct iam_principal *user = iam_principal_of(record, IAM_USER);
    if (iam_names_has(&user->groups, call->name))
        return KMS_OK;
    if (user->groups.count >= GROUPS_OF_USER_MAX)
        return kms_fail(KMS_IAM_LIMIT_EXCEEDED, "Cannot exceed quota for GroupsPerUser: %u",
                        GROUPS_OF_USER_MAX);
    return move_user(call, record, false);
}

enum kms_error iam_group_remove_user(struct iam_call *call)
{
    AUTO_RECORD *record = NULL;
    const struct iam_principal *group;
    KMS_TRY(iam_call_principal(call, &group));
    KMS_TRY(find_user(call, &record));
    const struct iam_principal *user = iam_principal_of(record, IAM_USER);
    if (!iam_names_has(&user->groups, call->name))
        return kms_fail(KMS_NO_SUCH_ENTITY, "User %s is not in the group with name %s.",
                        user->head.name, call->name);
    return move_user(call, record, true);
}

enum kms_error iam_group_list_for_user(struct iam_call *call)
{
    struct iam_page page;
    const struct iam_principal *user;
    KMS_TRY(iam_call_principal(call, &user));
    KMS_TRY(iam_page_open(call, &page));
    iam_xml_open(&call->xml, "Groups");
    for (size_t i = 0; i < user->groups.count; i++) {
        AUTO_RECORD *group =
            iam_find(call->kms->view, call->identity.account, IAM_GROUP, user->groups.items[i]);
        if (group == NULL || !iam_page_takes_number(&page, i))
            continue;
        iam_xml_open(&call->xml, "member");
        iam_write_group(call, group);
        iam_xml_close(&call->xml, "member");
    }
    iam_xml_close(&call->xml, "Groups");
    iam_page_close(call, &page);
    return KMS_OK;
}

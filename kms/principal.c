/* SPDX-License-Identifier: Apache-2.0 */
/* Principals of policies and grants, and how they are shown. Source: IAM User Guide, "IAM JSON
 * policy elements: Principal". */
#include "kms/principal.h"

#include <stdio.h>
#include <stdlib.h>

#include "kms/iam_records.h"
#include "kms/kms.h"

/* ---- ids */

struct naming {
    const struct kms *kms;
    json_t *ids;
    const char *unknown; /* of the policy */
    bool has_failed;
};

static bool is_account(const char *text)
{
    return strspn(text, "0123456789") == KMS_ACCOUNT_LEN && text[KMS_ACCOUNT_LEN] == '\0';
}

static bool visit(void *context, const char *type, const char *value)
{
    struct naming *naming = context;
    char root[64], id[POLICY_ID_LEN + 1];
    const char *arn = value;
    if (strcmp(type, "AWS") != 0 || strcmp(value, "*") == 0)
        return true;
    if (is_account(value)) {
        (void)snprintf(root, sizeof root, "arn:aws:iam::%s:root", value);
        arn = root;
    }
    if (!identity_find_id(naming->kms, arn, id))
        naming->unknown = value;
    else if (id[0] != '\0')
        naming->has_failed = json_object_set_new(naming->ids, value, json_string(id)) != 0;
    return naming->unknown == NULL && !naming->has_failed;
}

enum kms_error principal_ids(const struct kms *kms, const struct policy *policy, json_t **out,
                             const char **out_unknown)
{
    struct naming naming = {.kms = kms, .ids = json_object()};
    policy_principals(policy, visit, &naming);
    *out_unknown = naming.unknown;
    bool is_good = naming.ids != NULL && naming.unknown == NULL && !naming.has_failed;
    if (is_good && json_object_size(naming.ids) > 0) {
        *out = naming.ids;
        return KMS_OK;
    }
    json_decref(naming.ids);
    *out = NULL;
    if (is_good)
        return KMS_OK;
    return naming.unknown == NULL
               ? kms_from_rc(RC_NO_MEMORY)
               : kms_fail(KMS_MALFORMED_POLICY,
                          "Policy contains a statement with one or more invalid principals.");
}

/* ---- showing one */

struct search {
    const char *id;
    char *arn;
};

static bool is_of_id(void *context, struct record *record)
{
    struct search *search = context;
    const struct iam_principal *user = iam_principal_of(record, IAM_USER);
    if (user == NULL || strcmp(user->head.id, search->id) != 0)
        return true;
    (void)snprintf(search->arn, KMS_ARN_MAX + 1, "%s", user->head.arn);
    return false;
}

void principal_show(const struct kms *kms, const char *arn, const char *id,
                    char out[KMS_ARN_MAX + 1])
{
    char now[POLICY_ID_LEN + 1], prefix[129];
    struct iam_arn parts;
    bool is_same = id == NULL || (identity_find_id(kms, arn, now) && strcmp(now, id) == 0);
    (void)snprintf(out, KMS_ARN_MAX + 1, "%s", is_same ? arn : id);
    if (is_same || !iam_arn_parse(arn, &parts) || parts.kind != IAM_USER)
        return;
    struct search search = {.id = id, .arn = out}; /* a user may have another name */
    iam_path(parts.account, IAM_USER, "", prefix);
    view_each(kms->view, prefix, "", is_of_id, &search);
}

/* ---- showing policies */

static json_t *shown_as(const json_t *shown, const json_t *name)
{
    return json_is_string(name) ? json_object_get(shown, json_string_value(name)) : NULL;
}

/* "AWS" of Principal or NotPrincipal: a name, or a list of names. */
static void replace(json_t *principal, const json_t *shown)
{
    json_t *names = json_object_get(principal, "AWS");
    json_t *other = shown_as(shown, names);
    if (other != NULL) {
        (void)json_object_set(principal, "AWS", other);
        return; /* `names` is gone */
    }
    for (size_t i = 0; i < json_array_size(names); i++) {
        other = shown_as(shown, json_array_get(names, i));
        if (other != NULL)
            (void)json_array_set(names, i, other);
    }
}

static void replace_in(json_t *statement, const json_t *shown)
{
    replace(json_object_get(statement, "Principal"), shown);
    replace(json_object_get(statement, "NotPrincipal"), shown);
}

static char *replaced(const char *text, const json_t *shown)
{
    json_t *policy = json_loads(text, 0, NULL);
    json_t *statements = json_object_get(policy, "Statement");
    if (json_is_object(statements))
        replace_in(statements, shown);
    for (size_t i = 0; i < json_array_size(statements); i++)
        replace_in(json_array_get(statements, i), shown);
    char *out = policy == NULL ? NULL : json_dumps(policy, JSON_INDENT(2));
    json_decref(policy);
    return out;
}

/* Those that are shown otherwise than the text has them. */
static json_t *changes_of(const struct kms *kms, const json_t *ids)
{
    char name[KMS_ARN_MAX + 1];
    const char *arn;
    json_t *id, *out = json_object();
    json_object_foreach((json_t *)(uintptr_t)ids, arn, id)
    {
        principal_show(kms, arn, json_string_value(id), name);
        if (strcmp(name, arn) != 0)
            (void)json_object_set_new(out, arn, json_string(name));
    }
    return out;
}

enum kms_error principal_show_policy(const struct kms *kms, const char *text, const json_t *ids,
                                     char **out)
{
    json_t *shown = changes_of(kms, ids);
    *out = json_object_size(shown) == 0 ? strdup(text) : replaced(text, shown);
    json_decref(shown);
    return *out == NULL ? kms_from_rc(RC_NO_MEMORY) : KMS_OK;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Principal and NotPrincipal. Source: IAM User Guide, "IAM JSON policy elements: Principal" and
 * "NotPrincipal". */
#include <string.h>

#include "kms/policy_tree.h"

#define ACCOUNT_LEN 12U

static enum kms_error principal_is_wrong(const char *type, const char *value)
{
    return kms_fail(KMS_MALFORMED_POLICY, "Invalid principal in policy: \"%s\":\"%.512s\"", type,
                    value);
}

static bool is_account(const char *text, size_t len)
{
    return len == ACCOUNT_LEN && strspn(text, "0123456789") >= ACCOUNT_LEN;
}

/* "arn:aws:iam::ACCOUNT:" and its kin: the rest after the account, and the service. */
static const char *arn_rest(const char *value, const char **out_account, bool *out_is_sts)
{
    if (strncmp(value, "arn:aws", 7) != 0)
        return NULL;
    const char *at = value + 7 + strspn(value + 7, "-abcdefghijklmnopqrstuvwxyz");
    *out_is_sts = strncmp(at, ":sts::", 6) == 0;
    if (!*out_is_sts && strncmp(at, ":iam::", 6) != 0)
        return NULL;
    *out_account = at + 6;
    size_t digits = strspn(*out_account, "0123456789");
    return is_account(*out_account, digits) && (*out_account)[digits] == ':'
               ? *out_account + digits + 1
               : NULL;
}

/* A whole name of a user, role or session: no wildcards. */
static bool is_named(const char *rest, bool is_sts)
{
    static const char *const kinds[] = {"user/", "role/"};
    static const char *const sts_kinds[] = {"assumed-role/", "federated-user/"};
    const char *const *list = is_sts ? sts_kinds : kinds;
    for (size_t i = 0; i < 2; i++) {
        size_t len = strlen(list[i]);
        if (strncmp(rest, list[i], len) == 0)
            return rest[len] != 0 && strpbrk(rest, "*?") == NULL;
    }
    return false;
}

static enum kms_error compile_aws(const char *value, struct policy_who *out)
{
    const char *account = value, *rest;
    bool is_sts = false;
    if (strcmp(value, "*") == 0) {
        out->kind = PRINCIPAL_ANY;
        return KMS_OK;
    }
    if (!is_account(value, strlen(value))) {
        rest = arn_rest(value, &account, &is_sts);
        if (rest == NULL || (!is_named(rest, is_sts) && (is_sts || strcmp(rest, "root") != 0)))
            return principal_is_wrong("AWS", value);
        out->kind = strcmp(rest, "root") == 0 ? PRINCIPAL_ACCOUNT : PRINCIPAL_ARN;
    } else {
        out->kind = PRINCIPAL_ACCOUNT;
    }
    memcpy(out->account, account, ACCOUNT_LEN);
    return KMS_OK;
}

static enum kms_error compile_one(struct policy_arena *arena, const char *type, const char *value,
                                  struct policy_who *out)
{
    *out = (struct policy_who){0};
    if (*value == 0)
        return principal_is_wrong(type, value);
    if (strcmp(type, "AWS") == 0) {
        out->type = "AWS";
        KMS_TRY(compile_aws(value, out));
    } else if (strcmp(type, "Service") == 0) {
        out->type = "Service";
        out->kind = PRINCIPAL_SERVICE;
        if (strchr(value, '.') == NULL || strpbrk(value, "*? /:") != NULL)
            return principal_is_wrong(type, value);
    } else if (strcmp(type, "Federated") == 0) {
        out->type = "Federated";
        out->kind = PRINCIPAL_FEDERATED;
    } else {
        return kms_fail(KMS_MALFORMED_POLICY,
                        "Invalid principal in policy: unknown principal type \"%.100s\".", type);
    }
    out->value = policy_arena_text(arena, value, strlen(value));
    return out->value == NULL ? kms_fail_plain(KMS_INTERNAL) : KMS_OK;
}

static enum kms_error compile_type(struct policy_arena *arena, const char *type,
                                   const json_t *value, struct policy_whos *out)
{
    size_t count = json_is_array(value) ? json_array_size(value) : 1;
    if (count == 0)
        return kms_fail(KMS_MALFORMED_POLICY, "Invalid principal in policy: \"%.100s\" is empty.",
                        type);
    for (size_t i = 0; i < count; i++) {
        const json_t *item = json_is_array(value) ? json_array_get(value, i) : value;
        if (!json_is_string(item))
            return kms_fail(KMS_MALFORMED_POLICY,
                            "Invalid principal in policy: values of \"%.100s\" must be strings.",
                            type);
        KMS_TRY(compile_one(arena, type, json_string_value(item), &out->list[out->count]));
        out->count++;
    }
    return KMS_OK;
}

enum kms_error policy_principal_compile(struct policy_arena *arena, const json_t *value,
                                        struct policy_whos *out)
{
    bool is_star = json_is_string(value) && strcmp(json_string_value(value), "*") == 0;
    if (!is_star && (!json_is_object(value) || json_object_size(value) == 0))
        return kms_fail(KMS_MALFORMED_POLICY,
                        "Invalid principal in policy: a principal is \"*\" or "
                        "an object with AWS, Service or Federated.");
    const char *type;
    const json_t *of_type;
    size_t count = is_star ? 1 : 0;
    json_object_foreach((json_t *)(uintptr_t)value, type, of_type) count +=
        json_is_array(of_type) ? json_array_size(of_type) : 1;
    struct policy_whos made = {.list = policy_arena_take(arena, count, sizeof *made.list)};
    if (made.list == NULL)
        return kms_fail_plain(KMS_INTERNAL);
    if (is_star)
        KMS_TRY(compile_type(arena, "AWS", value, &made));
    json_object_foreach((json_t *)(uintptr_t)value, type, of_type)
        KMS_TRY(compile_type(arena, type, of_type, &made));
    *out = made;
    return KMS_OK;
}

/* ---- unique ids */

enum kms_error policy_bind(struct policy *policy, const json_t *ids)
{
    for (size_t i = 0; i < policy->count; i++) {
        struct policy_whos *whos = &policy->statements[i].principals;
        for (size_t k = 0; k < whos->count; k++) {
            struct policy_who *who = &whos->list[k];
            const char *id = json_string_value(json_object_get(ids, who->value));
            if (who->kind != PRINCIPAL_ARN || id == NULL)
                continue;
            who->id = policy_arena_text(&policy->arena, id, strlen(id));
            if (who->id == NULL)
                return kms_fail_plain(KMS_INTERNAL);
        }
    }
    return KMS_OK;
}

/* ---- matching */

enum policy_naming policy_principal_naming(const char *arn, const char *id,
                                           const struct policy_principal *principal)
{
    bool is_by_id =
        id != NULL && principal->id != NULL && strncmp(principal->id, id, POLICY_ID_LEN) == 0;
    if (id != NULL && !is_by_id)
        return NAMED_NOT;
    bool is_user = is_by_id && principal->role_arn == NULL;
    if (is_user || strcmp(arn, principal->arn) == 0)
        return NAMED_ITSELF;
    return principal->role_arn != NULL && strcmp(arn, principal->role_arn) == 0 ? NAMED_BY_ROLE
                                                                                : NAMED_NOT;
}

static enum policy_naming names(const struct policy_who *who,
                                const struct policy_principal *principal)
{
    switch (who->kind) {
    case PRINCIPAL_ANY:
        return principal->role_arn == NULL ? NAMED_ITSELF : NAMED_BY_ROLE;
    case PRINCIPAL_ACCOUNT:
        return principal->service == NULL && strcmp(who->account, principal->account) == 0
                   ? NAMED_BY_ACCOUNT
                   : NAMED_NOT;
    case PRINCIPAL_ARN:
        return policy_principal_naming(who->value, who->id, principal);
    case PRINCIPAL_SERVICE:
        return principal->service != NULL && strcmp(who->value, principal->service) == 0
                   ? NAMED_ITSELF
                   : NAMED_NOT;
    case PRINCIPAL_FEDERATED:
        break;
    }
    return NAMED_NOT;
}

enum policy_naming policy_principal_names(const struct policy_whos *whos,
                                          const struct policy_principal *principal)
{
    enum policy_naming best = NAMED_NOT;
    for (size_t i = 0; i < whos->count && best != NAMED_ITSELF; i++) {
        enum policy_naming naming = names(&whos->list[i], principal);
        best = naming > best ? naming : best;
    }
    return best;
}

/* As `naming`: itself, or by its role. */
static bool is_listed(const struct policy_whos *whos, const struct policy_principal *principal,
                      enum policy_naming naming)
{
    for (size_t i = 0; i < whos->count; i++)
        if (whos->list[i].kind == PRINCIPAL_ARN && names(&whos->list[i], principal) == naming)
            return true;
    return false;
}

bool policy_principal_excepts(const struct policy_whos *whos,
                              const struct policy_principal *principal)
{
    bool account = false, is_root = false;
    for (size_t i = 0; i < whos->count; i++) {
        const struct policy_who *who = &whos->list[i];
        if (who->kind == PRINCIPAL_ANY)
            return true;
        if (who->kind == PRINCIPAL_SERVICE && names(who, principal) == NAMED_ITSELF)
            return true;
        account = account || names(who, principal) == NAMED_BY_ACCOUNT;
    }
    const char *rest = strrchr(principal->arn, ':');
    is_root = rest != NULL && strcmp(rest, ":root") == 0;
    if (!account || is_root)
        return account;
    return is_listed(whos, principal, NAMED_ITSELF) &&
           (principal->role_arn == NULL || is_listed(whos, principal, NAMED_BY_ROLE));
}

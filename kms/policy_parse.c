/* SPDX-License-Identifier: Apache-2.0 */
/* From the text of a policy to its compiled form. Source: IAM User Guide, "Grammar of the IAM JSON
 * policy language". */
#include <stdlib.h>
#include <string.h>

#include "kms/policy_tree.h"

/* No policy of KMS or IAM is longer. */
#define TEXT_MAX ((size_t)128 * 1024)

static enum kms_error syntax_error(const char *what)
{
    return kms_fail(KMS_MALFORMED_POLICY, "Syntax errors in policy: %s.", what);
}

/* What is wrong is in a statement: which one. */
struct place {
    size_t number; /* from 1 */
    const char *sid;
};

static enum kms_error statement_error(const struct place *place, const char *what,
                                      const char *element)
{
    return kms_fail(KMS_MALFORMED_POLICY, "%s%s (statement %zu%s%.100s)", what, element,
                    place->number, *place->sid == 0 ? "" : ", Sid ", place->sid);
}

static enum kms_error check_members(const json_t *object, const char *const *allowed, size_t count)
{
    const char *name;
    const json_t *value = NULL;
    json_object_foreach((json_t *)(uintptr_t)object, name, value)
    {
        size_t i = 0;
        while (i < count && strcmp(name, allowed[i]) != 0)
            i++;
        if (i == count)
            return kms_fail(KMS_MALFORMED_POLICY,
                            "Syntax errors in policy: unknown element \"%.100s\".", name);
    }
    return KMS_OK;
}

/* ---- the parts of a statement */

static bool is_action(const char *text)
{
    if (strcmp(text, "*") == 0)
        return true;
    size_t vendor = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-");
    return vendor > 0 && text[vendor] == ':' && text[vendor + 1] != 0 &&
           strpbrk(text, " \t\r\n") == NULL && strchr(text + vendor + 1, ':') == NULL;
}

/* "*", or "arn:" and five colons; the first part may be a wildcard's. */
static bool is_resource(const char *text)
{
    if (strcmp(text, "*") == 0)
        return true;
    return strncmp(text, "arn:", 4) == 0 && text[4] != 0;
}

static enum kms_error check_pattern(const struct place *place, const char *element,
                                    bool is_of_action, const char *text)
{
    if (is_of_action && !is_action(text))
        return kms_fail(
            KMS_MALFORMED_POLICY,
            "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc. "
            "%s \"%.200s\" of statement %zu is not.",
            element, text, place->number);
    if (!is_of_action && !is_resource(text))
        return kms_fail(KMS_MALFORMED_POLICY,
                        "Resource %.512s must be in ARN format or \"*\". (statement %zu)", text,
                        place->number);
    return KMS_OK;
}

/* A string or a list of strings. */
static enum kms_error parse_patterns(struct policy *policy, const struct place *place,
                                     const json_t *value, const char *element, bool is_of_action,
                                     struct policy_patterns *out)
{
    unsigned uses = PATTERN_WILD;
    uses |= !is_of_action && policy->has_variables ? PATTERN_VARIABLE : 0U;
    size_t count = json_is_array(value) ? json_array_size(value) : 1;
    struct policy_pattern *list = policy_arena_take(&policy->arena, count, sizeof *list);
    if (list == NULL)
        return kms_fail_plain(KMS_INTERNAL);
    if (count == 0)
        return statement_error(place, "Syntax errors in policy: empty ", element);
    for (size_t i = 0; i < count; i++) {
        const json_t *item = json_is_array(value) ? json_array_get(value, i) : value;
        if (!json_is_string(item))
            return statement_error(place, "Syntax errors in policy: not a string in ", element);
        const char *text = json_string_value(item);
        KMS_TRY(check_pattern(place, element, is_of_action, text));
        KMS_TRY(policy_pattern_compile(&policy->arena, text, uses, &list[i]));
    }
    *out = (struct policy_patterns){.list = list, .count = count};
    return KMS_OK;
}

/* X or NotX, one of them: *out_value NULL when there is neither. */
static enum kms_error one_of(const struct place *place, const json_t *object, const char *name,
                             const char *not_name, const json_t **out_value, bool *out_is_not)
{
    const json_t *plain = json_object_get(object, name),
                 *negated = json_object_get(object, not_name);
    if (plain != NULL && negated != NULL)
        return statement_error(
            place, "Syntax errors in policy: both a thing and its opposite: ", not_name);
    *out_is_not = negated != NULL;
    *out_value = negated != NULL ? negated : plain;
    return KMS_OK;
}

static enum kms_error parse_effect(const struct place *place, const json_t *object,
                                   struct policy_statement *out)
{
    const json_t *effect = json_object_get(object, "Effect");
    const char *text = json_string_value(effect);
    if (effect == NULL)
        return statement_error(place, "Missing required field ", "Effect");
    if (text == NULL || (strcmp(text, "Allow") != 0 && strcmp(text, "Deny") != 0))
        return statement_error(place, "Invalid effect: ", text == NULL ? "not a string" : text);
    out->effect = strcmp(text, "Allow") == 0 ? POLICY_ALLOW : POLICY_DENY;
    return KMS_OK;
}

static enum kms_error parse_principal(struct policy *policy, const struct place *place,
                                      const json_t *object, struct policy_statement *out)
{
    const json_t *value = NULL;
    KMS_TRY(one_of(place, object, "Principal", "NotPrincipal", &value, &out->is_not_principal));
    if (policy->kind == POLICY_IDENTITY)
        return value == NULL
                   ? KMS_OK
                   : statement_error(place, "Policy document should not specify a principal.", "");
    if (value == NULL)
        return statement_error(place, "Missing required field ", "Principal");
    if (out->is_not_principal && out->effect == POLICY_ALLOW)
        return statement_error(place, "NotPrincipal must be used with Effect Deny.", "");
    return policy_principal_compile(&policy->arena, value, &out->principals);
}

static enum kms_error parse_resource(struct policy *policy, const struct place *place,
                                     const json_t *object, struct policy_statement *out)
{
    const json_t *value = NULL;
    KMS_TRY(one_of(place, object, "Resource", "NotResource", &value, &out->is_not_resource));
    if (policy->kind == POLICY_TRUST)
        return value == NULL ? KMS_OK : statement_error(place, "Has prohibited field ", "Resource");
    if (value == NULL)
        return statement_error(place, "Policy statement must contain resources.", "");
    return parse_patterns(policy, place, value, out->is_not_resource ? "NotResource" : "Resource",
                          false, &out->resources);
}

static enum kms_error parse_action(struct policy *policy, const struct place *place,
                                   const json_t *object, struct policy_statement *out)
{
    const json_t *value = NULL;
    KMS_TRY(one_of(place, object, "Action", "NotAction", &value, &out->is_not_action));
    if (value == NULL)
        return statement_error(place, "Policy statement must contain actions.", "");
    return parse_patterns(policy, place, value, out->is_not_action ? "NotAction" : "Action", true,
                          &out->actions);
}

/* Identity policies: letters and digits. Those of resources may have blanks and more. */
static enum kms_error parse_sid(struct policy *policy, struct place *place, const json_t *object,
                                struct policy_statement *out)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    const json_t *value = json_object_get(object, "Sid");
    const char *sid = value == NULL ? "" : json_string_value(value);
    if (sid == NULL)
        return statement_error(place, "Syntax errors in policy: not a string: ", "Sid");
    if (policy->kind == POLICY_IDENTITY && strspn(sid, letters) != strlen(sid))
        return statement_error(
            place, "Statement IDs (SID) must be alpha-numeric: [0-9A-Za-z]*, not ", sid);
    out->sid = policy_arena_text(&policy->arena, sid, strlen(sid));
    if (out->sid == NULL)
        return kms_fail_plain(KMS_INTERNAL);
    place->sid = out->sid;
    return KMS_OK;
}

static enum kms_error check_sid_is_new(const struct policy *policy, size_t index)
{
    const char *sid = policy->statements[index].sid;
    for (size_t i = 0; i < index && *sid != 0; i++)
        if (strcmp(policy->statements[i].sid, sid) == 0)
            return kms_fail(KMS_MALFORMED_POLICY,
                            "Statement IDs (SID) in a single policy must be unique: \"%.200s\".",
                            sid);
    return KMS_OK;
}

static enum kms_error parse_statement(struct policy *policy, size_t index, const json_t *object)
{
    static const char *const elements[] = {"Sid",          "Effect",      "Principal",
                                           "NotPrincipal", "Action",      "NotAction",
                                           "Resource",     "NotResource", "Condition"};
    struct place place = {.number = index + 1, .sid = ""};
    struct policy_statement *out = &policy->statements[index];
    if (!json_is_object(object))
        return statement_error(&place, "Syntax errors in policy: a statement must be an object.",
                               "");
    KMS_TRY(check_members(object, elements, sizeof elements / sizeof elements[0]));
    KMS_TRY(parse_sid(policy, &place, object, out));
    KMS_TRY(check_sid_is_new(policy, index));
    KMS_TRY(parse_effect(&place, object, out));
    KMS_TRY(parse_principal(policy, &place, object, out));
    KMS_TRY(parse_action(policy, &place, object, out));
    KMS_TRY(parse_resource(policy, &place, object, out));
    const json_t *condition = json_object_get(object, "Condition");
    if (condition == NULL)
        return KMS_OK;
    return policy_condition_compile(&policy->arena, condition, policy->has_variables,
                                    &out->conditions, &out->condition_count);
}

/* ---- the document */

static enum kms_error parse_version(struct policy *policy, const json_t *root)
{
    const json_t *value = json_object_get(root, "Version");
    const char *text = value == NULL ? "2008-10-17" : json_string_value(value);
    if (text == NULL || (strcmp(text, "2008-10-17") != 0 && strcmp(text, "2012-10-17") != 0))
        return kms_fail(KMS_MALFORMED_POLICY, "The policy must contain a valid version string: "
                                              "2012-10-17 or 2008-10-17.");
    policy->has_variables = strcmp(text, "2012-10-17") == 0;
    const json_t *id = json_object_get(root, "Id");
    return id == NULL || json_is_string(id) ? KMS_OK : syntax_error("Id must be a string");
}

static enum kms_error parse_root(struct policy *policy, const json_t *root)
{
    static const char *const elements[] = {"Version", "Id", "Statement"};
    if (!json_is_object(root))
        return syntax_error("a policy is an object");
    KMS_TRY(check_members(root, elements, sizeof elements / sizeof elements[0]));
    KMS_TRY(parse_version(policy, root));
    const json_t *statements = json_object_get(root, "Statement");
    if (statements == NULL)
        return kms_fail(KMS_MALFORMED_POLICY, "Missing required field Statement");
    bool is_list = json_is_array(statements);
    size_t count = is_list ? json_array_size(statements) : 1;
    if (count == 0)
        return syntax_error("Statement is empty");
    policy->statements = policy_arena_take(&policy->arena, count, sizeof *policy->statements);
    if (policy->statements == NULL)
        return kms_fail_plain(KMS_INTERNAL);
    for (size_t i = 0; i < count; i++, policy->count++)
        KMS_TRY(parse_statement(policy, i, is_list ? json_array_get(statements, i) : statements));
    return KMS_OK;
}

enum kms_error policy_parse(enum policy_kind kind, const char *text, size_t len,
                            struct policy **out)
{
    json_error_t error;
    if (len > TEXT_MAX)
        return kms_fail(KMS_MALFORMED_POLICY, "Policy of %zu bytes is too long, limit %zu.", len,
                        TEXT_MAX);
    json_t *root = json_loadb(text, len, JSON_REJECT_DUPLICATES, &error);
    if (root == NULL)
        return kms_fail(KMS_MALFORMED_POLICY,
                        "Syntax errors in policy: %.120s (line %d, column %d).", error.text,
                        error.line, error.column);
    struct policy *policy = calloc(1, sizeof *policy);
    if (policy == NULL) {
        json_decref(root);
        return kms_fail_plain(KMS_INTERNAL);
    }
    policy->kind = kind;
    enum kms_error result = parse_root(policy, root);
    json_decref(root);
    if (result == KMS_OK)
        *out = policy;
    else
        policy_free(policy);
    return result;
}

void policy_free(struct policy *policy)
{
    if (policy == NULL)
        return;
    policy_arena_clear(&policy->arena);
    free(policy);
}

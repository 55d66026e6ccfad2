/* SPDX-License-Identifier: Apache-2.0 */
/* Condition: operators, their values, and whether a condition holds. Source: IAM User Guide, "IAM
 * JSON policy elements: Condition operators" and "Conditions with multiple context keys or values".
 */
#include <stdio.h>
#include <string.h>

#include "kms/policy_tree.h"

#define OPERATORS(type, stem)                                          \
    {stem "Equals", type, ORDER_EQUAL, false, false},                  \
        {stem "NotEquals", type, ORDER_EQUAL, true, false},            \
        {stem "LessThan", type, ORDER_LESS, false, false},             \
        {stem "LessThanEquals", type, ORDER_LESS_EQUAL, false, false}, \
        {stem "GreaterThan", type, ORDER_MORE, false, false},          \
    {                                                                  \
        stem "GreaterThanEquals", type, ORDER_MORE_EQUAL, false, false \
    }

static const struct policy_operator operators[] = {
    {"StringEquals", CONDITION_STRING, ORDER_EQUAL, false, false},
    {"StringNotEquals", CONDITION_STRING, ORDER_EQUAL, true, false},
    {"StringEqualsIgnoreCase", CONDITION_STRING_FOLD, ORDER_EQUAL, false, false},
    {"StringNotEqualsIgnoreCase", CONDITION_STRING_FOLD, ORDER_EQUAL, true, false},
    {"StringLike", CONDITION_STRING, ORDER_EQUAL, false, true},
    {"StringNotLike", CONDITION_STRING, ORDER_EQUAL, true, true},
    {"ArnEquals", CONDITION_ARN, ORDER_EQUAL, false, true},
    {"ArnLike", CONDITION_ARN, ORDER_EQUAL, false, true},
    {"ArnNotEquals", CONDITION_ARN, ORDER_EQUAL, true, true},
    {"ArnNotLike", CONDITION_ARN, ORDER_EQUAL, true, true},
    OPERATORS(CONDITION_NUMERIC, "Numeric"),
    OPERATORS(CONDITION_DATE, "Date"),
    {"Bool", CONDITION_BOOL, ORDER_EQUAL, false, false},
    {"BinaryEquals", CONDITION_BINARY, ORDER_EQUAL, false, false},
    {"IpAddress", CONDITION_IP, ORDER_EQUAL, false, false},
    {"NotIpAddress", CONDITION_IP, ORDER_EQUAL, true, false},
    {"Null", CONDITION_NULL, ORDER_EQUAL, false, false},
};

/* ---- compiling */

static enum kms_error value_is_wrong(const struct policy_condition *condition, const char *text)
{
    return kms_fail(KMS_MALFORMED_POLICY,
                    "Invalid value \"%.200s\" for %s on condition key %.200s.", text,
                    condition->operator_text, condition->key);
}

/* The text of a JSON value: strings as they are, numbers and truth values as JSON writes them. */
static const char *value_text(const json_t *value, char number[64])
{
    if (json_is_string(value))
        return json_string_value(value);
    if (json_is_boolean(value))
        return json_is_true(value) ? "true" : "false";
    if (json_is_integer(value))
        (void)snprintf(number, 64, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    else if (json_is_real(value))
        (void)snprintf(number, 64, "%.17g", json_real_value(value));
    else
        return NULL;
    return number;
}

static enum kms_error compile_operand(struct policy_arena *arena,
                                      const struct policy_condition *condition, const char *text,
                                      bool has_variables, struct policy_operand *out)
{
    unsigned uses = (condition->operator->has_wildcards ? PATTERN_WILD : 0U) |
                    (has_variables ? PATTERN_VARIABLE : 0U);
    bool is_right = true;
    out->text = policy_arena_text(arena, text, strlen(text));
    if (out->text == NULL)
        return kms_fail_plain(KMS_INTERNAL);
    switch (condition->operator->type) {
    case CONDITION_STRING:
    case CONDITION_STRING_FOLD:
        return policy_pattern_compile(arena, text, uses, &out->pattern);
    case CONDITION_ARN:
        out->arn = policy_arena_take(arena, 1, sizeof *out->arn);
        return out->arn == NULL ? kms_fail_plain(KMS_INTERNAL)
                                : policy_arn_compile(arena, text, uses, out->arn);
    case CONDITION_NUMERIC:
        is_right = policy_value_number(text, &out->number);
        break;
    case CONDITION_DATE:
        is_right = policy_value_time(text, &out->number);
        break;
    case CONDITION_BOOL:
    case CONDITION_NULL:
        is_right = policy_value_bool(text, &out->truth);
        break;
    case CONDITION_BINARY:
        is_right = policy_value_is_base64(text);
        break;
    case CONDITION_IP:
        is_right = policy_value_network(text, &out->address);
        break;
    }
    return is_right ? KMS_OK : value_is_wrong(condition, text);
}

static const struct policy_operator *operator_find(const char *name, size_t len)
{
    for (size_t i = 0; i < sizeof operators / sizeof operators[0]; i++)
        if (strncmp(operators[i].name, name, len) == 0 && operators[i].name[len] == 0)
            return &operators[i];
    return NULL;
}

/* "ForAnyValue:StringLikeIfExists" in its parts. */
static enum kms_error compile_operator(const char *text, struct policy_condition *out)
{
    static const char all[] = "ForAllValues:", any[] = "ForAnyValue:", exists[] = "IfExists";
    const char *name = text;
    if (strncmp(name, all, sizeof all - 1) == 0) {
        out->set = SET_ALL;
        name += sizeof all - 1;
    } else if (strncmp(name, any, sizeof any - 1) == 0) {
        out->set = SET_ANY;
        name += sizeof any - 1;
    }
    size_t len = strlen(name);
    if (len > sizeof exists - 1 && strcmp(name + len - (sizeof exists - 1), exists) == 0) {
        out->if_exists = true;
        len -= sizeof exists - 1;
    }
    out->operator= operator_find(name, len);
    if (out->operator==
        NULL ||(out->operator->type == CONDITION_NULL &&(out->if_exists || out->set != SET_NONE)))
        return kms_fail(KMS_MALFORMED_POLICY, "Invalid Condition type : %.200s.", text);
    return KMS_OK;
}

static enum kms_error compile_key(struct policy_arena *arena, const char *key, const json_t *value,
                                  bool has_variables, struct policy_condition *out)
{
    const char *colon = strchr(key, ':');
    if (colon == NULL || colon == key || colon[1] == 0)
        return kms_fail(
            KMS_MALFORMED_POLICY,
            "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc. "
            "Condition key \"%.200s\" is not.",
            key);
    out->key = policy_arena_text(arena, key, strlen(key));
    out->count = json_is_array(value) ? json_array_size(value) : 1;
    out->operands = policy_arena_take(arena, out->count, sizeof *out->operands);
    if (out->key == NULL || out->operands == NULL)
        return kms_fail_plain(KMS_INTERNAL);
    if (out->count == 0)
        return kms_fail(KMS_MALFORMED_POLICY, "Condition key %.200s of %s has no value.", key,
                        out->operator_text);
    for (size_t i = 0; i < out->count; i++) {
        char number[64];
        const char *text =
            value_text(json_is_array(value) ? json_array_get(value, i) : value, number);
        if (text == NULL)
            return kms_fail(KMS_MALFORMED_POLICY,
                            "Syntax errors in policy: a value of condition key %.200s is neither a "
                            "string nor a number nor a truth value.",
                            key);
        KMS_TRY(compile_operand(arena, out, text, has_variables, &out->operands[i]));
    }
    return KMS_OK;
}

static enum kms_error compile_block(struct policy_arena *arena, const char *operator_text,
                                    const json_t *keys, bool has_variables,
                                    struct policy_condition *list, size_t *count)
{
    const char *key;
    const json_t *value;
    struct policy_condition frame = {
        .operator_text = policy_arena_text(arena, operator_text, strlen(operator_text))};
    if (frame.operator_text == NULL)
        return kms_fail_plain(KMS_INTERNAL);
    KMS_TRY(compile_operator(operator_text, &frame));
    json_object_foreach((json_t *)(uintptr_t)keys, key, value)
    {
        list[*count] = frame;
        KMS_TRY(compile_key(arena, key, value, has_variables, &list[*count]));
        (*count)++;
    }
    return KMS_OK;
}

enum kms_error policy_condition_compile(struct policy_arena *arena, const json_t *value,
                                        bool has_variables, struct policy_condition **out_list,
                                        size_t *out_count)
{
    const char *operator_text;
    const json_t *keys;
    size_t total = 0;
    if (!json_is_object(value))
        return kms_fail(KMS_MALFORMED_POLICY,
                        "Syntax errors in policy: Condition must be an object.");
    json_object_foreach((json_t *)(uintptr_t)value, operator_text, keys)
    {
        if (!json_is_object(keys))
            return kms_fail(KMS_MALFORMED_POLICY,
                            "Syntax errors in policy: condition operator %.200s must be an object "
                            "of condition keys.",
                            operator_text);
        total += json_object_size(keys);
    }
    struct policy_condition *list = policy_arena_take(arena, total, sizeof *list);
    if (list == NULL)
        return kms_fail_plain(KMS_INTERNAL);
    size_t count = 0;
    json_object_foreach((json_t *)(uintptr_t)value, operator_text, keys)
        KMS_TRY(compile_block(arena, operator_text, keys, has_variables, list, &count));
    *out_list = list;
    *out_count = count;
    return KMS_OK;
}

/* ---- evaluation */

static bool compares(enum policy_condition_order order, double value, double with)
{
    switch (order) {
    case ORDER_EQUAL:
        return !(value < with) && !(value > with);
    case ORDER_LESS:
        return value < with;
    case ORDER_LESS_EQUAL:
        return value <= with;
    case ORDER_MORE:
        return value > with;
    case ORDER_MORE_EQUAL:
        return value >= with;
    }
    return false;
}

static enum policy_hit operand_hits(const struct policy_operator *operator,
                                    const struct policy_operand * operand, const char *value,
                                    const struct policy_request *request)
{
    double number;
    bool truth, hit = false;
    switch (operator->type) {
    case CONDITION_STRING:
    case CONDITION_STRING_FOLD:
        return policy_pattern_match(&operand->pattern,
                                    bytes_of_str(value), operator->type == CONDITION_STRING_FOLD,
                                    request);
    case CONDITION_ARN:
        return policy_arn_match(operand->arn, bytes_of_str(value), request);
    case CONDITION_NUMERIC:
        hit = policy_value_number(value, &number) &&
              compares(operator->order, number, operand->number);
        break;
    case CONDITION_DATE:
        hit =
            policy_value_time(value, &number) && compares(operator->order, number, operand->number);
        break;
    case CONDITION_BOOL:
        hit = policy_value_bool(value, &truth) && truth == operand->truth;
        break;
    case CONDITION_BINARY:
        hit = strcmp(value, operand->text) == 0;
        break;
    case CONDITION_IP:
        hit = policy_value_in_network(&operand->address, value);
        break;
    case CONDITION_NULL:
        break;
    }
    return hit ? HIT_YES : HIT_NO;
}

/* One value of the request against all of the policy: any of them, or none for what is negated. */
static bool value_holds(const struct policy_condition *condition, enum policy_effect effect,
                        const char *value, const struct policy_request *request)
{
    enum policy_hit best = HIT_NO;
    for (size_t i = 0; i < condition->count && best != HIT_YES; i++) {
        enum policy_hit hit =
            operand_hits(condition->operator, & condition->operands[i], value, request);
        best = hit == HIT_NO ? best : hit;
    }
    if (!condition->operator->is_negated)
        return best == HIT_YES;
    return best == HIT_NO || (best == HIT_UNRESOLVED && effect == POLICY_DENY);
}

/* The key is not in the request. */
static bool absent_holds(const struct policy_condition *condition)
{
    if (condition->if_exists || condition->set == SET_ALL)
        return true;
    return condition->set == SET_NONE && condition->operator->is_negated;
}

bool policy_condition_holds(const struct policy_condition *condition, enum policy_effect effect,
                            const struct policy_request *request)
{
    struct policy_values found = {.values = NULL, .count = 0};
    bool is_there = request->lookup != NULL &&
                    request->lookup(request->context, condition->key, &found) && found.count > 0;
    if (condition->operator->type == CONDITION_NULL) {
        for (size_t i = 0; i < condition->count; i++)
            if (condition->operands[i].truth == !is_there)
                return true;
        return false;
    }
    if (!is_there)
        return absent_holds(condition);
    /* Without ForAllValues or ForAnyValue: one value must match, or for what is negated all. */
    bool is_all = condition->set == SET_ALL ||
                  (condition->set == SET_NONE && condition->operator->is_negated);
    for (size_t i = 0; i < found.count; i++)
        if (value_holds(condition, effect, found.values[i], request) != is_all)
            return !is_all;
    return is_all;
}

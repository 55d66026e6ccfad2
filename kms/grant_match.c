/* SPDX-License-Identifier: Apache-2.0 */
/* What a grant lets through: operations by kind of key, constraints over encryption contexts. */
#include "kms/grant.h"

enum grant_keys {
    GRANT_ANY,
    GRANT_ENCRYPTING,
    GRANT_SYMMETRIC,
    GRANT_SIGNING,
    GRANT_ASYMMETRIC,
    GRANT_MAC,
    GRANT_AGREEING,
};

static const struct {
    const char *name;
    enum grant_keys keys;
    bool is_constrained;
} rows[] = {
#define GRANT_OPERATION(name, keys, constrained) {#name, keys, constrained},
#include "kms/grant_operations.def"
#undef GRANT_OPERATION
};
#define ROWS (sizeof rows / sizeof rows[0])

unsigned grant_operation(const char *name)
{
    for (size_t i = 0; i < ROWS; i++)
        if (strcmp(rows[i].name, name) == 0)
            return 1U << i;
    return 0;
}

const char *grant_operation_name(unsigned index)
{
    return index < ROWS ? rows[index].name : NULL;
}

json_t *grant_operation_names(unsigned operations)
{
    json_t *list = json_array();
    for (size_t i = 0; i < ROWS; i++)
        if ((operations & 1U << i) != 0)
            (void)json_array_append_new(list, json_string(rows[i].name));
    return list;
}

bool grant_is_principal(const struct identity *identity, const char *arn, const char *id)
{
    const struct policy_principal caller = identity_as_principal(identity);
    return arn != NULL &&
           policy_principal_naming(arn, id[0] == '\0' ? NULL : id, &caller) != NAMED_NOT;
}

bool grant_is_constrained(unsigned operation)
{
    for (size_t i = 0; i < ROWS; i++)
        if (operation == 1U << i)
            return rows[i].is_constrained;
    return false;
}

static bool is_asymmetric(const struct key *key)
{
    enum keystore_kind kind = keystore_spec(key->spec)->kind;
    return kind != KEYSTORE_AES && kind != KEYSTORE_HMAC;
}

static bool can(const struct key *key, enum grant_keys keys)
{
    switch (keys) {
    case GRANT_ENCRYPTING:
        return key->use == KEYSTORE_ENCRYPT;
    case GRANT_SYMMETRIC:
        return keystore_spec(key->spec)->kind == KEYSTORE_AES;
    case GRANT_SIGNING:
        return key->use == KEYSTORE_SIGN;
    case GRANT_ASYMMETRIC:
        return is_asymmetric(key);
    case GRANT_MAC:
        return key->use == KEYSTORE_MAC;
    case GRANT_AGREEING:
        return key->use == KEYSTORE_AGREE;
    case GRANT_ANY:
        break;
    }
    return true;
}

unsigned grant_operations_of(const struct key *key)
{
    unsigned all = 0;
    for (size_t i = 0; i < ROWS; i++)
        if (can(key, rows[i].keys))
            all |= 1U << i;
    return all;
}

/* Every pair of `part` is in `whole`. */
static bool is_subset(const json_t *part, const json_t *whole)
{
    const char *name = NULL;
    json_t *value = NULL;
    json_object_foreach((json_t *)(uintptr_t)part, name,
                        value) if (!json_equal(value, json_object_get(whole, name))) return false;
    return true;
}

static bool is_same(const json_t *a, const json_t *b)
{
    return json_object_size(a) == json_object_size(b) && is_subset(a, b);
}

bool grant_lets_context(const struct grant *grant, const json_t *context)
{
    return (grant->context_equals == NULL || is_same(grant->context_equals, context)) &&
           (grant->context_subset == NULL || is_subset(grant->context_subset, context));
}

/* What the child lets through, the parent does too. */
static bool is_constrained_within(const struct grant *parent, const struct grant *child)
{
    if (parent->context_equals != NULL &&
        (child->context_equals == NULL || !is_same(parent->context_equals, child->context_equals)))
        return false;
    return parent->context_subset == NULL ||
           is_subset(parent->context_subset, child->context_equals) ||
           is_subset(parent->context_subset, child->context_subset);
}

bool grant_is_within(const struct grant *parent, const struct grant *child)
{
    return (child->operations & ~parent->operations) == 0 && is_constrained_within(parent, child);
}

static json_t *constraint(const json_t *constraints, const char *name)
{
    json_t *value = json_object_get(constraints, name);
    return json_is_object(value) ? value : NULL;
}

void grant_of_request(const struct kms_request *request, struct grant *out)
{
    const json_t *list = json_object_get(request->in, "Operations");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *name = json_string_value(json_array_get(list, i));
        out->operations |= name == NULL ? 0 : grant_operation(name);
    }
    const json_t *constraints = json_object_get(request->in, "Constraints");
    out->context_equals = constraint(constraints, "EncryptionContextEquals");
    out->context_subset = constraint(constraints, "EncryptionContextSubset");
}

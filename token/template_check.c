/* SPDX-License-Identifier: Apache-2.0 */
/* What a caller wants against the rules: shape, duplicates, every footnote, contradictions. */
#include "token/template_draft.h"

const char *draft_name(CK_ATTRIBUTE_TYPE type)
{
    const struct attr_info *info = attr_info(type);
    return info == NULL ? "an unknown attribute" : info->name;
}

/* Big integers may come with leading zeros; the canonical form has none. */
static struct bytes trimmed(struct attr attr)
{
    const struct attr_info *info = attr_info(attr.type);
    struct bytes value = attr.value;
    if (info == NULL || info->kind != ATTR_BIGINT)
        return value;
    while (value.len > 0 && value.ptr[0] == 0)
        value = bytes_slice(value, 1, value.len - 1);
    return value;
}

static enum rc add_wanted(struct draft *draft)
{
    struct attrs given = draft->request->wanted;
    for (size_t i = 0; i < given.count; i++) {
        struct attr attr = {.type = given.ptr[i].type, .value = trimmed(given.ptr[i])};
        TRY(attr_check(&attr));
        if (attrs_find(attrs_of(&draft->wanted), attr.type) != NULL)
            return rc_fail(RC_TEMPLATE_INCONSISTENT, "%s is in the template twice",
                           draft_name(attr.type));
        TRY(attr_list_add(&draft->wanted, attr.type, attr.value));
    }
    return RC_OK;
}

/* PKCS#11 3.1 4.9, 4.10: the template of the unwrapping or base key comes first, the caller's may
 * add to it but not differ. */
static enum rc add_enforced(struct draft *draft)
{
    struct attrs enforced = draft->request->enforced;
    for (size_t i = 0; i < enforced.count; i++) {
        struct bytes value = trimmed(enforced.ptr[i]);
        const struct attr *given = attrs_find(attrs_of(&draft->wanted), enforced.ptr[i].type);
        if (given == NULL)
            TRY(attr_list_add(&draft->wanted, enforced.ptr[i].type, value));
        else if (!bytes_equal(given->value, value))
            return rc_fail(RC_TEMPLATE_INCONSISTENT, "%s differs from the template of the key used",
                           draft_name(given->type));
    }
    return RC_OK;
}

static bool has_source(const struct draft *draft)
{
    return draft->request->use == TEMPLATE_COPY || draft->request->use == TEMPLATE_SET;
}

static enum rc same_or_fail(const struct draft *draft, CK_ATTRIBUTE_TYPE type, CK_ULONG forced)
{
    CK_ULONG given = forced;
    if (attrs_get_ulong(attrs_of(&draft->wanted), type, &given) && given != forced)
        return rc_fail(RC_TEMPLATE_INCONSISTENT, "%s is 0x%lx, expected 0x%lx", draft_name(type),
                       given, forced);
    return RC_OK;
}

static enum rc pick_class(struct draft *draft)
{
    const struct template_request *request = draft->request;
    draft->object_class = request->object_class;
    if (has_source(draft))
        draft->object_class = request->source->object_class;
    if (draft->object_class != CK_UNAVAILABLE_INFORMATION)
        return has_source(draft) ? RC_OK : same_or_fail(draft, CKA_CLASS, draft->object_class);
    if (attrs_get_ulong(attrs_of(&draft->wanted), CKA_CLASS, &draft->object_class))
        return RC_OK;
    if (request->use != TEMPLATE_DERIVE && request->use != TEMPLATE_GENERATE)
        return rc_fail(RC_TEMPLATE_INCOMPLETE, "CKA_CLASS is missing");
    draft->object_class = CKO_SECRET_KEY;
    return RC_OK;
}

static enum rc pick_type(struct draft *draft)
{
    const struct template_request *request = draft->request;
    CK_ATTRIBUTE_TYPE attr = class_rules_type_attr(draft->object_class);
    draft->type = CK_UNAVAILABLE_INFORMATION;
    if (attr == CK_UNAVAILABLE_INFORMATION)
        return RC_OK;
    if (has_source(draft)) {
        struct bytes stored;
        if (!object_attr(request->source, attr, &stored) || !attr_value_ulong(stored, &draft->type))
            return rc_fail(RC_TAMPERED, "a stored object has no %s", draft_name(attr));
        return RC_OK;
    }
    draft->type = attr == CKA_KEY_TYPE ? request->key_type : CK_UNAVAILABLE_INFORMATION;
    if (draft->type != CK_UNAVAILABLE_INFORMATION)
        return same_or_fail(draft, attr, draft->type);
    if (attrs_get_ulong(attrs_of(&draft->wanted), attr, &draft->type))
        return RC_OK;
    if (request->use != TEMPLATE_DERIVE && request->use != TEMPLATE_GENERATE)
        return rc_fail(RC_TEMPLATE_INCOMPLETE, "%s is missing", draft_name(attr));
    draft->type = CKK_GENERIC_SECRET;
    return RC_OK;
}

static enum rc pick_rules(struct draft *draft)
{
    TRY(pick_class(draft));
    TRY(pick_type(draft));
    draft->rules = class_rules_find(draft->object_class, draft->type);
    if (draft->rules == NULL)
        return rc_fail(RC_ATTRIBUTE_VALUE,
                       "no object of CKA_CLASS 0x%lx and type 0x%lx can be made",
                       draft->object_class, draft->type);
    bool unwraps = draft->request->use == TEMPLATE_UNWRAP;
    bool derives = draft->request->use == TEMPLATE_DERIVE;
    bool is_secret = draft->object_class == CKO_SECRET_KEY;
    if ((derives && !is_secret) ||
        (unwraps && !is_secret && draft->object_class != CKO_PRIVATE_KEY))
        return rc_fail(RC_TEMPLATE_INCONSISTENT, "CKA_CLASS 0x%lx cannot be %s",
                       draft->object_class, derives ? "derived" : "unwrapped");
    return RC_OK;
}

static bool source_attr(const struct draft *draft, CK_ATTRIBUTE_TYPE type, struct bytes *out)
{
    const struct attr *secret = attrs_find(draft->request->source_secrets, type);
    if (object_attr(draft->request->source, type, out))
        return true;
    if (secret != NULL)
        *out = secret->value;
    return secret != NULL;
}

/* Notes 8, 11 and 12, and what 4.4 lets a copy change. */
static enum rc check_change(const struct draft *draft, const struct attr *wanted,
                            const struct attr_rule *rule)
{
    struct bytes now;
    bool is_set = source_attr(draft, wanted->type, &now);
    bool same = is_set && bytes_equal(now, wanted->value);
    uint32_t may = draft->request->use == TEMPLATE_COPY ? NOTE_8 | NOTE_COPY : NOTE_8;
    if ((rule->notes & may) == 0 && !(same && draft->request->use == TEMPLATE_COPY))
        return rc_fail(RC_ATTRIBUTE_READ_ONLY, "%s cannot be changed", draft_name(rule->type));
    if (same || !is_set)
        return RC_OK;
    bool was = bytes_equal(now, attr_true());
    if (((rule->notes & NOTE_11) != 0 && was) || ((rule->notes & NOTE_12) != 0 && !was))
        return rc_fail(RC_ATTRIBUTE_READ_ONLY, "%s is %s for ever", draft_name(rule->type),
                       was ? "TRUE" : "FALSE");
    if (rule->type == CKA_PRIVATE && was)
        return rc_fail(RC_TEMPLATE_INCONSISTENT,
                       "CKA_PRIVATE: a private object has no public copies");
    return RC_OK;
}

/* Note 10; the trust is the SO's to take away, too. */
static enum rc check_so_only(const struct draft *draft, const struct attr *wanted)
{
    if (draft->request->role == ROLE_SO)
        return RC_OK;
    struct bytes now;
    bool is_set = has_source(draft) && source_attr(draft, wanted->type, &now);
    bool differs =
        is_set ? !bytes_equal(now, wanted->value) : bytes_equal(wanted->value, attr_true());
    if (differs)
        return rc_fail(RC_ATTRIBUTE_READ_ONLY, "%s can be set by the security officer only",
                       draft_name(wanted->type));
    return RC_OK;
}

/* Notes 2, 4 and 6 by way of making; 0 for changes, which check_change() judges. */
static uint32_t forbidden_note(enum template_use use)
{
    switch (use) {
    case TEMPLATE_CREATE:
        return NOTE_2;
    case TEMPLATE_GENERATE:
        return NOTE_4;
    case TEMPLATE_UNWRAP:
    case TEMPLATE_DERIVE:
        return NOTE_6;
    case TEMPLATE_COPY:
    case TEMPLATE_SET:
        break;
    }
    return 0;
}

/* Notes 1, 3 and 5. A derivation requires nothing: its mechanism has a natural length. */
static uint32_t required_note(enum template_use use)
{
    switch (use) {
    case TEMPLATE_CREATE:
        return NOTE_1;
    case TEMPLATE_GENERATE:
        return NOTE_3;
    case TEMPLATE_UNWRAP:
        return NOTE_5;
    case TEMPLATE_DERIVE:
    case TEMPLATE_COPY:
    case TEMPLATE_SET:
        break;
    }
    return 0;
}

static enum rc check_given(const struct draft *draft)
{
    for (size_t i = 0; i < draft->wanted.count; i++) {
        const struct attr *wanted = &draft->wanted.items[i];
        const struct attr_rule *rule = class_rules_attr(draft->rules, wanted->type);
        if (rule == NULL)
            return rc_fail(RC_ATTRIBUTE_TYPE,
                           "%s is not an attribute of CKA_CLASS 0x%lx, type 0x%lx",
                           draft_name(wanted->type), draft->object_class, draft->type);
        if ((rule->notes & forbidden_note(draft->request->use)) != 0)
            return rc_fail(RC_ATTRIBUTE_READ_ONLY, "%s cannot be given here, the HSM sets it",
                           draft_name(wanted->type));
        if (has_source(draft))
            TRY(check_change(draft, wanted, rule));
        if ((rule->notes & NOTE_10) != 0)
            TRY(check_so_only(draft, wanted));
    }
    return RC_OK;
}

static enum rc check_required(const struct draft *draft)
{
    uint32_t note = required_note(draft->request->use);
    for (size_t set = 0; set < RULE_SETS_MAX; set++) {
        const struct rule_rows *rows = &draft->rules->sets[set];
        for (size_t i = 0; i < rows->count; i++) {
            CK_ATTRIBUTE_TYPE type = rows->rows[i].type;
            bool picked = type == CKA_CLASS || type == class_rules_type_attr(draft->object_class);
            if ((rows->rows[i].notes & note) != 0 && !picked &&
                attrs_find(attrs_of(&draft->wanted), type) == NULL)
                return rc_fail(RC_TEMPLATE_INCOMPLETE, "%s is missing", draft_name(type));
        }
    }
    return RC_OK;
}

enum rc draft_check(struct draft *draft)
{
    TRY(add_wanted(draft));
    TRY(add_enforced(draft));
    TRY(pick_rules(draft));
    TRY(check_given(draft));
    return check_required(draft);
}

static bool is_empty(struct attrs attrs, CK_ATTRIBUTE_TYPE type)
{
    const struct attr *attr = attrs_find(attrs, type);
    return attr == NULL || attr->value.len == 0;
}

/* PKCS#11 3.1 4.6.3: the value or where to find it, and then also the hashes of both keys. */
static enum rc check_certificate(struct attrs all)
{
    if (is_empty(all, CKA_VALUE) && is_empty(all, CKA_URL))
        return rc_fail(RC_TEMPLATE_INCOMPLETE, "CKA_VALUE is missing, and CKA_URL too");
    if (!is_empty(all, CKA_URL) && is_empty(all, CKA_VALUE) &&
        (is_empty(all, CKA_HASH_OF_SUBJECT_PUBLIC_KEY) ||
         is_empty(all, CKA_HASH_OF_ISSUER_PUBLIC_KEY)))
        return rc_fail(RC_TEMPLATE_INCOMPLETE,
                       "CKA_HASH_OF_SUBJECT_PUBLIC_KEY or CKA_HASH_OF_ISSUER_PUBLIC_KEY is missing "
                       "beside CKA_URL");
    return RC_OK;
}

enum rc draft_check_whole(const struct draft *draft)
{
    struct attrs all = attrs_of(&draft->all);
    const struct attr *start = attrs_find(all, CKA_START_DATE);
    const struct attr *end = attrs_find(all, CKA_END_DATE);
    if (start != NULL && end != NULL && start->value.len > 0 && end->value.len > 0 &&
        bytes_compare(start->value, end->value) > 0)
        return rc_fail(RC_TEMPLATE_INCONSISTENT, "CKA_END_DATE is before CKA_START_DATE");
    bool is_private = false, asks = false;
    (void)attrs_get_bool(all, CKA_PRIVATE, &is_private);
    (void)attrs_get_bool(all, CKA_ALWAYS_AUTHENTICATE, &asks);
    if (asks && !is_private)
        return rc_fail(RC_TEMPLATE_INCONSISTENT,
                       "CKA_ALWAYS_AUTHENTICATE needs CKA_PRIVATE to be TRUE");
    if (is_private && draft->request->role != ROLE_USER)
        return rc_fail(RC_NOT_LOGGED_IN, "CKA_PRIVATE is TRUE: only a crypto user that is logged "
                                         "in has private objects");
    if (draft->object_class == CKO_CERTIFICATE)
        TRY(check_certificate(all));
    return RC_OK;
}

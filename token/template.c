/* SPDX-License-Identifier: Apache-2.0 */
/* The one pass that makes an object's attributes from a template, defaults and material. */
#include "token/template.h"

#include "token/law.h"
#include "token/template_draft.h"

enum rc draft_put(struct draft *draft, CK_ATTRIBUTE_TYPE type, struct bytes value)
{
    struct secret *store = draft->store;
    size_t offset = store->len;
    if (value.len > store->cap - offset)
        return rc_fail(RC_TOO_LARGE, "%s: %zu bytes do not fit", draft_name(type), value.len);
    TRY(secret_append(store, value));
    return attr_list_set(&draft->all, type, bytes_slice(secret_expose(store), offset, value.len));
}

enum rc draft_put_ulong(struct draft *draft, CK_ATTRIBUTE_TYPE type, CK_ULONG value)
{
    uint8_t number[8];
    return draft_put(draft, type, attr_ulong(number, value));
}

static bool has_source(const struct draft *draft)
{
    return draft->request->use == TEMPLATE_COPY || draft->request->use == TEMPLATE_SET;
}

static bool is_secret_or_private(const struct draft *draft)
{
    return draft->object_class == CKO_SECRET_KEY || draft->object_class == CKO_PRIVATE_KEY;
}

static bool draft_bool(const struct draft *draft, CK_ATTRIBUTE_TYPE type)
{
    bool value = false;
    (void)attrs_get_bool(attrs_of(&draft->all), type, &value);
    return value;
}

static bool has(const struct draft *draft, CK_ATTRIBUTE_TYPE type)
{
    return attrs_find(attrs_of(&draft->all), type) != NULL;
}

static enum rc put_bool(struct draft *draft, CK_ATTRIBUTE_TYPE type, bool value)
{
    return attr_list_set(&draft->all, type, attr_bool(value));
}

static enum rc overlay(struct draft *draft, struct attrs attrs)
{
    for (size_t i = 0; i < attrs.count; i++)
        TRY(attr_list_set(&draft->all, attrs.ptr[i].type, attrs.ptr[i].value));
    return RC_OK;
}

/* A copy was not looked at by the SO who trusted the original. */
static enum rc start_from_source(struct draft *draft)
{
    const struct template_request *request = draft->request;
    struct attr_list source;
    object_attrs(request->source, &source);
    TRY(overlay(draft, attrs_of(&source)));
    TRY(overlay(draft, request->source_secrets));
    if (request->use == TEMPLATE_COPY && request->role != ROLE_SO && has(draft, CKA_TRUSTED))
        TRY(put_bool(draft, CKA_TRUSTED, false));
    return RC_OK;
}

static enum rc put_default(struct draft *draft, const struct attr_rule *rule)
{
    bool strict = draft->request->policy != NULL && draft->request->policy->strict;
    uint32_t usage = strict ? draft->rules->usage_strict : draft->rules->usage;
    switch (rule->otherwise) {
    case DEFAULT_EMPTY:
        return attr_list_add(&draft->all, rule->type, BYTES_NONE);
    case DEFAULT_FALSE:
        return put_bool(draft, rule->type, false);
    case DEFAULT_TRUE:
        return put_bool(draft, rule->type, true);
    case DEFAULT_ZERO:
        return draft_put_ulong(draft, rule->type, 0);
    case DEFAULT_USAGE:
        return put_bool(draft, rule->type, (usage & class_rules_usage_bit(rule->type)) != 0);
    case DEFAULT_ABSENT:
    case DEFAULT_COMPUTED:
        break;
    }
    return RC_OK;
}

/* Note 9. Private and secret keys are private objects; a key is sensitive unless the caller says
 * otherwise or asks for an extractable secret key. */
static enum rc put_token_defaults(struct draft *draft)
{
    if (!has(draft, CKA_PRIVATE))
        TRY(put_bool(draft, CKA_PRIVATE, is_secret_or_private(draft)));
    if (!is_secret_or_private(draft) || has(draft, CKA_SENSITIVE))
        return RC_OK;
    bool open = draft->object_class == CKO_SECRET_KEY && draft_bool(draft, CKA_EXTRACTABLE);
    return put_bool(draft, CKA_SENSITIVE, !open);
}

static enum rc put_defaults(struct draft *draft)
{
    TRY(draft_put_ulong(draft, CKA_CLASS, draft->object_class));
    CK_ATTRIBUTE_TYPE type_attr = class_rules_type_attr(draft->object_class);
    if (type_attr != CK_UNAVAILABLE_INFORMATION)
        TRY(draft_put_ulong(draft, type_attr, draft->type));
    for (size_t set = 0; set < RULE_SETS_MAX; set++) {
        const struct rule_rows *rows = &draft->rules->sets[set];
        for (size_t i = 0; i < rows->count; i++)
            if (!has(draft, rows->rows[i].type))
                TRY(put_default(draft, &rows->rows[i]));
    }
    return put_token_defaults(draft);
}

static bool bases_are(const struct template_request *request, CK_ATTRIBUTE_TYPE type)
{
    return object_bool(request->source, type, false) &&
           (request->second == NULL || object_bool(request->second, type, false));
}

static bool wants(const struct draft *draft, CK_ATTRIBUTE_TYPE type, bool wanted)
{
    const struct attr *attr = attrs_find(attrs_of(&draft->wanted), type);
    return attr != NULL && bytes_equal(attr->value, attr_bool(wanted));
}

/* PKCS#11 3.1 6.43.3 (concatenation) and its kin: as sensitive and as little extractable as the
 * most protected of the bases. */
static enum rc inherit(struct draft *draft)
{
    const struct template_request *request = draft->request;
    bool sensitive = object_bool(request->source, CKA_SENSITIVE, true) ||
                     (request->second != NULL && object_bool(request->second, CKA_SENSITIVE, true));
    if (sensitive && wants(draft, CKA_SENSITIVE, false))
        return rc_fail(RC_TEMPLATE_INCONSISTENT, "CKA_SENSITIVE is inherited from the base key");
    if (sensitive)
        TRY(put_bool(draft, CKA_SENSITIVE, true));
    if (bases_are(request, CKA_EXTRACTABLE))
        return RC_OK;
    if (wants(draft, CKA_EXTRACTABLE, true))
        return rc_fail(RC_TEMPLATE_INCONSISTENT, "CKA_EXTRACTABLE is inherited from the base key");
    return put_bool(draft, CKA_EXTRACTABLE, false);
}

/* CKA_LOCAL and its kin tell the truth about where the value has been. */
static enum rc put_history(struct draft *draft)
{
    const struct template_request *request = draft->request;
    if (class_rules_type_attr(draft->object_class) != CKA_KEY_TYPE || has_source(draft))
        return RC_OK;
    bool generated = request->use == TEMPLATE_GENERATE;
    TRY(put_bool(draft, CKA_LOCAL, generated));
    TRY(draft_put_ulong(draft, CKA_KEY_GEN_MECHANISM,
                        generated ? request->mechanism : CK_UNAVAILABLE_INFORMATION));
    if (!is_secret_or_private(draft))
        return RC_OK;
    if (request->use == TEMPLATE_DERIVE && request->inherits)
        TRY(inherit(draft));
    bool derived = request->use == TEMPLATE_DERIVE;
    bool always = generated || (derived && bases_are(request, CKA_ALWAYS_SENSITIVE));
    bool never = generated || (derived && bases_are(request, CKA_NEVER_EXTRACTABLE));
    TRY(put_bool(draft, CKA_ALWAYS_SENSITIVE, always && draft_bool(draft, CKA_SENSITIVE)));
    return put_bool(draft, CKA_NEVER_EXTRACTABLE, never && !draft_bool(draft, CKA_EXTRACTABLE));
}

static enum law_origin origin_of(enum template_use use)
{
    switch (use) {
    case TEMPLATE_CREATE:
        return LAW_IMPORTED;
    case TEMPLATE_UNWRAP:
        return LAW_UNWRAPPED;
    case TEMPLATE_DERIVE:
        return LAW_DERIVED;
    case TEMPLATE_COPY:
    case TEMPLATE_SET:
        return LAW_CHANGED;
    case TEMPLATE_GENERATE:
        break;
    }
    return LAW_GENERATED;
}

/* Everything that does not need the key's value. */
static enum rc draft_open(struct draft *draft)
{
    const struct template_request *request = draft->request;
    TRY(secret_alloc(draft->store, DRAFT_STORE_MAX));
    secret_truncate(draft->store, 0);
    TRY(draft_check(draft));
    if (has_source(draft))
        TRY(start_from_source(draft));
    TRY(overlay(draft, attrs_of(&draft->wanted)));
    if (!has_source(draft))
        TRY(put_defaults(draft));
    TRY(put_history(draft));
    TRY(draft_check_whole(draft));
    if (request->policy == NULL || class_rules_type_attr(draft->object_class) != CKA_KEY_TYPE)
        return RC_OK;
    return law_new_key(request->policy, origin_of(request->use), attrs_of(&draft->all),
                       has_source(draft) ? request->source : NULL);
}

/* The mechanism's word is final; a length that the caller named must be the one that came. */
static enum rc add_material(struct draft *draft, struct bytes encoded)
{
    struct attr_list list;
    if (encoded.len == 0)
        return RC_OK;
    TRY(attrs_decode(encoded, &list));
    for (size_t i = 0; i < list.count; i++) {
        const struct attr *attr = &list.items[i];
        const struct attr *wanted = attrs_find(attrs_of(&draft->wanted), attr->type);
        if (attr->type == CKA_VALUE_LEN && wanted != NULL &&
            !bytes_equal(wanted->value, attr->value))
            return rc_fail(RC_TEMPLATE_INCONSISTENT, "CKA_VALUE_LEN is not the key's length");
        if (class_rules_attr(draft->rules, attr->type) != NULL)
            TRY(attr_list_set(&draft->all, attr->type, attr->value));
    }
    return RC_OK;
}

static enum rc put_unique_id(struct draft *draft, struct object_parts *parts)
{
    static const char digits[] = "0123456789abcdef";
    const struct object *source = draft->request->source;
    char hex[2 * UNIQUE_ID_LEN];
    if (draft->request->use == TEMPLATE_SET)
        memcpy(parts->unique_id, source->unique_id, UNIQUE_ID_LEN);
    else
        TRY(random_bytes(parts->unique_id, UNIQUE_ID_LEN));
    for (size_t i = 0; i < UNIQUE_ID_LEN; i++) {
        hex[2 * i] = digits[parts->unique_id[i] >> 4];
        hex[2 * i + 1] = digits[parts->unique_id[i] & 15];
    }
    return draft_put(draft, CKA_UNIQUE_ID, bytes_of(hex, sizeof hex));
}

static enum rc split(const struct draft *draft, struct object_parts *parts)
{
    bool is_private = draft_bool(draft, CKA_PRIVATE);
    parts->public_attrs.count = 0;
    parts->secret_attrs.count = 0;
    for (size_t i = 0; i < draft->all.count; i++) {
        const struct attr *attr = &draft->all.items[i];
        bool hidden = object_attr_is_secret(draft->object_class, is_private, attr->type);
        TRY(attr_list_add(hidden ? &parts->secret_attrs : &parts->public_attrs, attr->type,
                          attr->value));
    }
    return RC_OK;
}

enum rc template_check(const struct template_request *request, CK_OBJECT_CLASS *out_class,
                       CK_KEY_TYPE *out_key_type)
{
    AUTO_SECRET store = SECRET_INIT;
    struct draft draft = {.request = request, .store = &store};
    TRY(draft_open(&draft));
    if (out_class != NULL)
        *out_class = draft.object_class;
    if (out_key_type != NULL)
        *out_key_type = draft.type;
    return RC_OK;
}

enum rc template_apply(const struct template_request *request, struct secret *store,
                       struct object_parts *parts)
{
    struct draft draft = {.request = request, .store = store};
    TRY(draft_open(&draft));
    if (request->material != NULL) {
        TRY(add_material(&draft, buf_bytes(&request->material->public_attrs)));
        TRY(add_material(&draft, secret_expose(&request->material->secret_attrs)));
    }
    if (!has_source(&draft) && class_rules_type_attr(draft.object_class) == CKA_KEY_TYPE)
        TRY(draft_finish_key(&draft));
    TRY(put_unique_id(&draft, parts));
    parts->version = request->use == TEMPLATE_SET ? request->source->version + 1 : 1;
    return split(&draft, parts);
}

static bool is_shielded(const struct object *object)
{
    return (object->flags & OBJECT_SENSITIVE) != 0 || (object->flags & OBJECT_EXTRACTABLE) == 0;
}

enum rc template_readable(const struct object *object, CK_ATTRIBUTE_TYPE type)
{
    if (object_has(object, type))
        return RC_OK;
    CK_ULONG kind = object->key_type;
    struct bytes certificate;
    if (object_attr(object, CKA_CERTIFICATE_TYPE, &certificate))
        (void)attr_value_ulong(certificate, &kind);
    const struct class_rules *rules = class_rules_find(object->object_class, kind);
    const struct attr_rule *rule = rules == NULL ? NULL : class_rules_attr(rules, type);
    bool is_private = (object->flags & OBJECT_PRIVATE) != 0;
    if (rule == NULL || !object_attr_is_secret(object->object_class, is_private, type))
        return rc_fail(RC_ATTRIBUTE_TYPE, "the object has no %s", draft_name(type));
    if ((rule->notes & NOTE_7) != 0 && is_shielded(object))
        return rc_fail(RC_ATTRIBUTE_SENSITIVE, "%s of a sensitive or not extractable key",
                       draft_name(type));
    return RC_OK;
}

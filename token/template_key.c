/* SPDX-License-Identifier: Apache-2.0 */
/* What an object has because of its key's value: canonical numbers, lengths, check value, public
 * key info. */
#include "token/key_internal.h"
#include "token/template_draft.h"

static const struct attr *wanted(const struct draft *draft, CK_ATTRIBUTE_TYPE type)
{
    return attrs_find(attrs_of(&draft->wanted), type);
}

/* The material does not live as long as the draft. */
static enum rc put_all(struct draft *draft, struct bytes encoded)
{
    struct attr_list list;
    TRY(attrs_decode(encoded, &list));
    for (size_t i = 0; i < list.count; i++)
        TRY(draft_put(draft, list.items[i].type, list.items[i].value));
    return RC_OK;
}

/* A created key in normal form: missing RSA numbers, EC points in DER, no leading zeros. */
static enum rc put_canonical(struct draft *draft, const struct key *key)
{
    AUTO_MATERIAL material = MATERIAL_INIT;
    const struct attr *params = wanted(draft, CKA_EC_PARAMS);
    TRY(key_parts_material(key, draft->object_class, params == NULL ? BYTES_NONE : params->value,
                           &material));
    TRY(put_all(draft, buf_bytes(&material.public_attrs)));
    return put_all(draft, secret_expose(&material.secret_attrs));
}

/* Computed, or given and equal, or given empty: then there is none. PKCS#11 3.1 4.10.2 says so of
 * the check value. */
static enum rc put_computed(struct draft *draft, CK_ATTRIBUTE_TYPE type, struct bytes value)
{
    const struct attr *given = wanted(draft, type);
    if (given == NULL || bytes_equal(given->value, value))
        return draft_put(draft, type, value);
    if (given->value.len == 0 && type == CKA_CHECK_VALUE)
        return RC_OK;
    if (given->value.len == 0)
        return draft_put(draft, type, value);
    return rc_fail(type == CKA_CHECK_VALUE ? RC_ATTRIBUTE_VALUE : RC_TEMPLATE_INCONSISTENT,
                   "%s is not that of the key", draft_name(type));
}

static enum rc finish_pair(struct draft *draft, const struct key *key)
{
    AUTO_BUF info = BUF_INIT;
    enum template_use use = draft->request->use;
    if (use == TEMPLATE_CREATE)
        TRY(put_canonical(draft, key));
    if (draft->object_class == CKO_PRIVATE_KEY && use != TEMPLATE_GENERATE)
        TRY(key_validate(key));
    if (draft->object_class == CKO_PUBLIC_KEY && draft->type == CKK_RSA)
        TRY(draft_put_ulong(draft, CKA_MODULUS_BITS, key_bits(key)));
    TRY(key_public_info(key, &info));
    return put_computed(draft, CKA_PUBLIC_KEY_INFO, buf_bytes(&info));
}

static enum rc finish_secret(struct draft *draft, const struct key *key)
{
    AUTO_BUF check = BUF_INIT;
    CK_ULONG len = key_bits(key) / 8;
    CK_ULONG given = len;
    if (attrs_get_ulong(attrs_of(&draft->wanted), CKA_VALUE_LEN, &given) && given != len)
        return rc_fail(RC_TEMPLATE_INCONSISTENT, "CKA_VALUE_LEN is %lu, the key has %lu bytes",
                       given, len);
    TRY(draft_put_ulong(draft, CKA_VALUE_LEN, len));
    TRY(key_check_value(key, &check));
    return put_computed(draft, CKA_CHECK_VALUE, buf_bytes(&check));
}

enum rc draft_finish_key(struct draft *draft)
{
    struct key *key = NULL;
    enum rc rc = key_parse(draft->object_class, draft->type, attrs_of(&draft->all), &key);
    if (rc == RC_OK)
        rc = draft->object_class == CKO_SECRET_KEY ? finish_secret(draft, key)
                                                   : finish_pair(draft, key);
    key_free(key);
    bool unwrapped = draft->request->use == TEMPLATE_UNWRAP;
    return unwrapped && rc == RC_ATTRIBUTE_VALUE ? RC_WRAPPED_KEY : rc;
}

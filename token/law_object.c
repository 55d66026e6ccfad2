/* SPDX-License-Identifier: Apache-2.0 */
/* The law over keys that move, begin and change: what may be wrapped, and what the strict policy
 * refuses of a new key or a parameter. The attacks are listed in docs/security.md. */
#include "token/law.h"

#define MOVES_KEYS   ((uint32_t)(USAGE_WRAP | USAGE_UNWRAP))
#define WORKS_DATA   ((uint32_t)(USAGE_ENCRYPT | USAGE_DECRYPT))
#define TAG_BITS_MIN 96U /* SP 800-38D appendix C: shorter tags need limits that nobody counts */
#define MAC_LEN_MIN  8U  /* SP 800-38B 5.5, SP 800-107 5.3.3 */

static bool is_true(struct attrs attrs, CK_ATTRIBUTE_TYPE type)
{
    bool value = false;
    return attrs_get_bool(attrs, type, &value) && value;
}

static uint32_t usage_of(struct attrs attrs)
{
    return (is_true(attrs, CKA_ENCRYPT) ? USAGE_ENCRYPT : 0U) |
           (is_true(attrs, CKA_DECRYPT) ? USAGE_DECRYPT : 0U) |
           (is_true(attrs, CKA_SIGN) ? USAGE_SIGN : 0U) |
           (is_true(attrs, CKA_VERIFY) ? USAGE_VERIFY : 0U) |
           (is_true(attrs, CKA_SIGN_RECOVER) ? USAGE_SIGN_RECOVER : 0U) |
           (is_true(attrs, CKA_VERIFY_RECOVER) ? USAGE_VERIFY_RECOVER : 0U) |
           (is_true(attrs, CKA_WRAP) ? USAGE_WRAP : 0U) |
           (is_true(attrs, CKA_UNWRAP) ? USAGE_UNWRAP : 0U) |
           (is_true(attrs, CKA_DERIVE) ? USAGE_DERIVE : 0U);
}

/* Was the value made here and never seen outside? A key from a password was seen by whoever knows
 * the password. */
static bool has_unknown_value(const struct object *key)
{
    CK_ULONG made_by = CK_UNAVAILABLE_INFORMATION;
    struct bytes value;
    if (object_attr(key, CKA_KEY_GEN_MECHANISM, &value))
        (void)attr_value_ulong(value, &made_by);
    const struct mechanism *mech = mechanism_find(made_by);
    return object_bool(key, CKA_LOCAL, false) && object_bool(key, CKA_ALWAYS_SENSITIVE, false) &&
           object_bool(key, CKA_NEVER_EXTRACTABLE, false) &&
           (mech == NULL || mech->family != FAMILY_PBKDF2);
}

static enum rc check_template(const struct law_wrap *wrap)
{
    struct bytes wanted;
    struct attr_list list;
    if (!object_attr(wrap->wrapping, CKA_WRAP_TEMPLATE, &wanted))
        return RC_OK;
    TRY(attrs_decode(wanted, &list));
    for (size_t i = 0; i < list.count; i++) {
        struct bytes has;
        if (!object_attr(wrap->target, list.items[i].type, &has) ||
            !bytes_equal(has, list.items[i].value)) {
            const struct attr_info *info = attr_info(list.items[i].type);
            return rc_fail(RC_KEY_NOT_WRAPPABLE,
                           "%s is not as the wrapping key's CKA_WRAP_TEMPLATE wants it",
                           info == NULL ? "an attribute" : info->name);
        }
    }
    return RC_OK;
}

static enum rc check_wrap_strict(const struct law_wrap *wrap)
{
    if (wrap->wrapping_strength < wrap->target_strength)
        return rc_fail(RC_WRAPPING_KEY_SIZE,
                       "the wrapping key's strength is %u bits, the other key's %u",
                       wrap->wrapping_strength, wrap->target_strength);
    if ((wrap->wrapping->flags & OBJECT_TRUSTED) != 0)
        return RC_OK;
    if (wrap->wrapping->object_class != CKO_SECRET_KEY || !has_unknown_value(wrap->wrapping))
        return rc_fail(RC_KEY_NOT_WRAPPABLE,
                       "the strict policy wraps only with a secret key made here and never shown, "
                       "or with one that the security officer made CKA_TRUSTED");
    if ((wrap->target->usage & MOVES_KEYS) != 0)
        return rc_fail(RC_KEY_NOT_WRAPPABLE, "the strict policy wraps a wrapping key only with a "
                                             "CKA_TRUSTED one");
    return RC_OK;
}

enum rc law_wrap(const struct policy *policy, const struct law_wrap *wrap)
{
    const struct object *target = wrap->target;
    if (target->object_class != CKO_SECRET_KEY && target->object_class != CKO_PRIVATE_KEY)
        return rc_fail(RC_KEY_NOT_WRAPPABLE, "only secret and private keys are wrapped");
    if ((target->flags & OBJECT_EXTRACTABLE) == 0)
        return rc_fail(RC_KEY_UNEXTRACTABLE, "CKA_EXTRACTABLE of the key is FALSE");
    if ((target->flags & OBJECT_WRAP_WITH_TRUSTED) != 0 &&
        (wrap->wrapping->flags & OBJECT_TRUSTED) == 0)
        return rc_fail(RC_KEY_NOT_WRAPPABLE,
                       "the key is CKA_WRAP_WITH_TRUSTED, the wrapping key is not CKA_TRUSTED");
    TRY(check_template(wrap));
    return policy->strict ? check_wrap_strict(wrap) : RC_OK;
}

enum rc law_parameter(const struct policy *policy, const struct mech_call *call, enum law_use use)
{
    const struct mechanism *mech = call->mech;
    bool protects = use == LAW_ENCRYPT || use == LAW_WRAP;
    if (!policy->strict)
        return RC_OK;
    if (mech->param == PARAM_GCM && call->u.gcm.tag_bits < TAG_BITS_MIN)
        return rc_fail(RC_MECHANISM_PARAM, "%s: the strict policy wants tags of %u bits or more",
                       mech->name, TAG_BITS_MIN);
    if (mech->param == PARAM_GCM && protects && (mech->type & CKM_VENDOR_DEFINED) == 0)
        return rc_fail(RC_MECHANISM_PARAM,
                       "%s: the strict policy encrypts only with an IV that "
                       "the HSM makes, against its use twice",
                       mech->name);
    if (mech->param == PARAM_CCM && call->u.ccm.mac_len < MAC_LEN_MIN)
        return rc_fail(RC_MECHANISM_PARAM, "%s: the strict policy wants MACs of %u bytes or more",
                       mech->name, MAC_LEN_MIN);
    if (mech->param == PARAM_LENGTH && call->u.length < MAC_LEN_MIN)
        return rc_fail(RC_MECHANISM_PARAM, "%s: the strict policy wants MACs of %u bytes or more",
                       mech->name, MAC_LEN_MIN);
    return RC_OK;
}

static enum rc refuse(const char *what)
{
    return rc_fail(RC_TEMPLATE_INCONSISTENT, "the strict policy refuses %s", what);
}

/* Usage and time of validity only ever shrink, else wrap and decrypt could follow each other. */
static enum rc check_changed(struct attrs attrs, const struct object *before)
{
    struct bytes was = BYTES_NONE;
    const struct attr *is = attrs_find(attrs, CKA_END_DATE);
    if ((usage_of(attrs) & ~before->usage) != 0)
        return refuse("to give a key a usage that it did not have when it was made");
    if (object_attr(before, CKA_END_DATE, &was) && was.len > 0 &&
        (is == NULL || is->value.len == 0 || bytes_compare(is->value, was) > 0))
        return refuse("to move CKA_END_DATE to a later day");
    return RC_OK;
}

/* Its former attributes are unknown, so that it may not become less protected than any key. */
static enum rc check_unwrapped(struct attrs attrs)
{
    if (!is_true(attrs, CKA_SENSITIVE))
        return refuse("to unwrap a key as CKA_SENSITIVE FALSE");
    if (is_true(attrs, CKA_EXTRACTABLE) && !is_true(attrs, CKA_WRAP_WITH_TRUSTED))
        return refuse("to unwrap a key as CKA_EXTRACTABLE without CKA_WRAP_WITH_TRUSTED");
    if ((usage_of(attrs) & MOVES_KEYS) != 0)
        return refuse("to unwrap a key as a wrapping or unwrapping key");
    return RC_OK;
}

static enum rc check_mover(struct attrs attrs, enum law_origin origin)
{
    CK_ULONG object_class = CK_UNAVAILABLE_INFORMATION;
    (void)attrs_get_ulong(attrs, CKA_CLASS, &object_class);
    uint32_t usage = usage_of(attrs);
    if ((usage & MOVES_KEYS) == 0 || origin == LAW_CHANGED)
        return RC_OK;
    if (object_class == CKO_SECRET_KEY && !is_true(attrs, CKA_SENSITIVE))
        return refuse("a wrapping key with CKA_SENSITIVE FALSE");
    if ((usage & USAGE_WRAP) != 0 && origin != LAW_GENERATED && !is_true(attrs, CKA_TRUSTED))
        return refuse("CKA_WRAP on a key whose value may be known outside");
    return RC_OK;
}

enum rc law_new_key(const struct policy *policy, enum law_origin origin, struct attrs public_attrs,
                    const struct object *before)
{
    if (!policy->strict)
        return RC_OK;
    uint32_t usage = usage_of(public_attrs);
    if ((usage & MOVES_KEYS) != 0 && (usage & WORKS_DATA) != 0)
        return refuse("one key that both moves keys (CKA_WRAP, CKA_UNWRAP) and works on data "
                      "(CKA_ENCRYPT, CKA_DECRYPT)");
    if (origin == LAW_CHANGED && before != NULL)
        TRY(check_changed(public_attrs, before));
    if (origin == LAW_UNWRAPPED)
        TRY(check_unwrapped(public_attrs));
    return check_mover(public_attrs, origin);
}

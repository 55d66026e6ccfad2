/* SPDX-License-Identifier: Apache-2.0 */
/* From a key to the canonical attributes of a new object. */
#include "token/key_der.h"
#include "token/key_internal.h"

enum rc key_parts(const struct key *key, bool with_private, struct secret *arena,
                  struct attr_list *out)
{
    if (key->pkey == NULL)
        return rc_fail(RC_KEY_TYPE, "a secret key has no public and private parts");
    if (key->key_type == CKK_RSA)
        return key_rsa_parts(key, with_private, arena, out);
    return key->ml_dsa != NULL ? key_ml_dsa_parts(key, with_private, arena, out)
                               : key_ec_parts(key, with_private, arena, out);
}

static bool is_public_part(CK_OBJECT_CLASS object_class, CK_ATTRIBUTE_TYPE type)
{
    switch (type) {
    case CKA_MODULUS:
    case CKA_PUBLIC_EXPONENT:
    case CKA_EC_PARAMS:
    case CKA_PARAMETER_SET:
        return true;
    case CKA_VALUE:    /* ML-DSA's public keys have one, too */
    case CKA_EC_POINT: /* the standard gives it to public keys alone */
        return object_class == CKO_PUBLIC_KEY;
    default:
        return false;
    }
}

static struct bytes canonical(const struct key *key, const struct attr *part, struct bytes params,
                              const struct buf *point)
{
    if (part->type == CKA_EC_PARAMS && params.len > 0)
        return params;
    if (part->type == CKA_EC_POINT)
        return buf_bytes(point);
    /* PKCS#11 3.1 6.3.4: CKA_VALUE is a big integer on Weierstrass curves, bytes on the others */
    return part->type == CKA_VALUE && key->key_type == CKK_EC ? key_der_trim(part->value)
                                                              : part->value;
}

enum rc key_parts_material(const struct key *key, CK_OBJECT_CLASS object_class, struct bytes params,
                           struct material *out)
{
    AUTO_SECRET arena = SECRET_INIT;
    AUTO_BUF point = BUF_INIT;
    struct attr_list parts = {.count = 0}, open = {.count = 0}, hidden = {.count = 0};
    TRY(key_parts(key, object_class == CKO_PRIVATE_KEY, &arena, &parts));
    const struct attr *raw = attrs_find(attrs_of(&parts), CKA_EC_POINT);
    if (raw != NULL)
        TRY(key_ec_point(key->key_type, key->curve->oid, raw->value, &point));
    for (size_t i = 0; i < parts.count; i++) {
        const struct attr *part = &parts.items[i];
        struct bytes value = canonical(key, part, params, &point);
        if (is_public_part(object_class, part->type))
            TRY(attr_list_add(&open, part->type, value));
        else if (part->type != CKA_EC_POINT)
            TRY(attr_list_add(&hidden, part->type, value));
    }
    TRY(attrs_encode(&out->public_attrs, attrs_of(&open)));
    return attrs_encode_secret(&out->secret_attrs, attrs_of(&hidden));
}

enum rc key_pair_material(const struct key *key, struct bytes params, struct material *out_public,
                          struct material *out_private)
{
    TRY(key_pairwise(key));
    TRY(key_parts_material(key, CKO_PUBLIC_KEY, params, out_public));
    return key_parts_material(key, CKO_PRIVATE_KEY, params, out_private);
}

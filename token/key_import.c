/* SPDX-License-Identifier: Apache-2.0 */
/* Unwrapped bytes to attributes: PKCS#8 of a private key, the raw value of a secret key. */
#include "token/key_der.h"
#include "token/key_internal.h"

static const uint8_t oid_rsa[] = {0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x01};
static const uint8_t oid_ec[] = {0x2A, 0x86, 0x48, 0xCE, 0x3D, 2, 1};

static enum rc malformed(const char *what)
{
    return rc_fail(RC_WRAPPED_KEY, "the unwrapped bytes are no PKCS#8 key: %s", what);
}

/* PrivateKeyInfo or OneAsymmetricKey (RFC 5958 2); attributes and public key may follow. */
static bool split(struct bytes plain, struct bytes *algorithm, struct bytes *inner)
{
    struct bytes body, version, ignored;
    if (!key_der_get(&plain, DER_SEQUENCE, &body) || plain.len != 0 ||
        !key_der_get_uint(&body, &version) || version.len > 1 ||
        !key_der_get(&body, DER_SEQUENCE, algorithm) ||
        !key_der_get(&body, DER_OCTET_STRING, inner))
        return false;
    (void)key_der_get(&body, DER_CONTEXT_0, &ignored);
    (void)key_der_get(&body, DER_IMPLICIT_1, &ignored);
    return body.len == 0;
}

static enum rc import_rsa(struct bytes algorithm, struct bytes inner, struct attr_list *out)
{
    static const CK_ATTRIBUTE_TYPE order[] = {
        CKA_MODULUS, CKA_PUBLIC_EXPONENT, CKA_PRIVATE_EXPONENT, CKA_PRIME_1,
        CKA_PRIME_2, CKA_EXPONENT_1,      CKA_EXPONENT_2,       CKA_COEFFICIENT};
    struct bytes oid, body, number;
    if (!key_der_get(&algorithm, DER_OID, &oid) ||
        !bytes_equal(oid, bytes_of(oid_rsa, sizeof oid_rsa)))
        return malformed("the algorithm is not RSA");
    if (!key_der_get(&inner, DER_SEQUENCE, &body) || inner.len != 0 ||
        !key_der_get_uint(&body, &number) || number.len != 0)
        return malformed("RSAPrivateKey");
    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) {
        if (!key_der_get_uint(&body, &number))
            return malformed("a number of RSAPrivateKey");
        TRY(attr_list_add(out, order[i], number));
    }
    return body.len == 0 ? RC_OK : malformed("RSAPrivateKey has more than two primes");
}

/* ECPrivateKey (RFC 5915); its optional public key is worked out again anyway. */
static enum rc import_ec(struct bytes algorithm, struct bytes inner, struct attr_list *out)
{
    struct bytes oid, body, number;
    const struct key_curve *curve;
    if (!key_der_get(&algorithm, DER_OID, &oid) ||
        !bytes_equal(oid, bytes_of(oid_ec, sizeof oid_ec)))
        return malformed("the algorithm is not EC");
    TRY(key_curve_find(CKK_EC, algorithm, &curve));
    if (!key_der_get(&inner, DER_SEQUENCE, &body) || inner.len != 0 ||
        !key_der_get_uint(&body, &number) || !key_der_get(&body, DER_OCTET_STRING, &number))
        return malformed("ECPrivateKey");
    TRY(attr_list_add(out, CKA_EC_PARAMS, curve->oid));
    return attr_list_add(out, CKA_VALUE, number);
}

static enum rc import_raw(CK_KEY_TYPE key_type, struct bytes algorithm, struct bytes inner,
                          struct attr_list *out)
{
    struct bytes value;
    const struct key_curve *curve = key_curve_by_oid(algorithm);
    if (curve == NULL || curve->key_type != key_type)
        return malformed("the algorithm is not of the key type wanted");
    if (!key_der_get(&inner, DER_OCTET_STRING, &value) || inner.len != 0)
        return malformed("CurvePrivateKey");
    TRY(attr_list_add(out, CKA_EC_PARAMS, curve->oid));
    return attr_list_add(out, CKA_VALUE, value);
}

/* ML-DSA-PrivateKey (RFC 9881 6): the seed, the expanded key, or both. */
static enum rc import_ml_dsa(struct bytes algorithm, struct bytes inner, struct attr_list *out)
{
    struct bytes seed = BYTES_NONE, value = BYTES_NONE, both;
    const struct key_ml_dsa_set *set = key_ml_dsa_by_oid(algorithm);
    if (set == NULL)
        return malformed("the algorithm is not ML-DSA");
    bool good =
        key_der_get(&inner, DER_IMPLICIT_0, &seed) ||
        key_der_get(&inner, DER_OCTET_STRING, &value) ||
        (key_der_get(&inner, DER_SEQUENCE, &both) && key_der_get(&both, DER_OCTET_STRING, &seed) &&
         key_der_get(&both, DER_OCTET_STRING, &value) && both.len == 0);
    if (!good || inner.len != 0)
        return malformed("ML-DSA-PrivateKey");
    TRY(attr_list_add(out, CKA_PARAMETER_SET, set->number));
    TRY(attr_list_add(out, CKA_SEED, seed));
    return attr_list_add(out, CKA_VALUE, value);
}

static enum rc decode_private(CK_KEY_TYPE key_type, struct bytes plain, struct attr_list *out)
{
    struct bytes algorithm, inner;
    if (!split(plain, &algorithm, &inner))
        return malformed("PrivateKeyInfo");
    if (key_type == CKK_RSA)
        return import_rsa(algorithm, inner, out);
    if (key_type == CKK_EC)
        return import_ec(algorithm, inner, out);
    if (key_type == CKK_ML_DSA)
        return import_ml_dsa(algorithm, inner, out);
    return import_raw(key_type, algorithm, inner, out);
}

static enum rc import_private(CK_KEY_TYPE key_type, struct bytes plain, struct material *out)
{
    struct attr_list parts = {.count = 0};
    struct key *key = NULL;
    TRY(decode_private(key_type, plain, &parts));
    enum rc rc = key_parse(CKO_PRIVATE_KEY, key_type, attrs_of(&parts), &key);
    if (rc == RC_OK)
        rc = key_parts_material(key, CKO_PRIVATE_KEY, BYTES_NONE, out);
    key_free(key);
    return rc;
}

static enum rc import_secret(CK_KEY_TYPE key_type, struct bytes plain, struct material *out)
{
    struct attr_list open = {.count = 0}, hidden = {.count = 0};
    struct key *key = NULL;
    TRY(attr_list_add(&hidden, CKA_VALUE, plain));
    enum rc rc = key_parse(CKO_SECRET_KEY, key_type, attrs_of(&hidden), &key);
    key_free(key);
    TRY(rc);
    TRY(attrs_encode(&out->public_attrs, attrs_of(&open)));
    return attrs_encode_secret(&out->secret_attrs, attrs_of(&hidden));
}

/* What is wrong with a value is told as a wrong wrapped key: the caller has no attributes to mend.
 */
enum rc key_import(CK_OBJECT_CLASS object_class, CK_KEY_TYPE key_type, struct bytes plain,
                   struct material *out)
{
    if (object_class != CKO_SECRET_KEY && object_class != CKO_PRIVATE_KEY)
        return rc_fail(RC_TEMPLATE_INCONSISTENT, "only secret and private keys are unwrapped");
    enum rc rc = object_class == CKO_SECRET_KEY ? import_secret(key_type, plain, out)
                                                : import_private(key_type, plain, out);
    if (rc == RC_ATTRIBUTE_VALUE || rc == RC_TEMPLATE_INCOMPLETE || rc == RC_PUBLIC_KEY)
        return RC_WRAPPED_KEY;
    return rc;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Keys as PKCS#8 (RFC 5958, RFC 8017 A.1.2, RFC 5915, RFC 8410, RFC 9881) and as
 * SubjectPublicKeyInfo. */
#include "token/key_der.h"
#include "token/key_internal.h"

/* With tag: rsaEncryption (RFC 8017 A.1) and its NULL, id-ecPublicKey (RFC 5480 2.1.1). */
static const uint8_t oid_rsa_null[] = {6,    9,    0x2A, 0x86, 0x48, 0x86, 0xF7,
                                       0x0D, 0x01, 0x01, 0x01, 0x05, 0x00};
static const uint8_t oid_ec[] = {6, 7, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 2, 1};

static struct bytes part(const struct attr_list *parts, CK_ATTRIBUTE_TYPE type)
{
    const struct attr *found = attrs_find(attrs_of(parts), type);
    return found == NULL ? BYTES_NONE : found->value;
}

static enum rc put_algorithm(const struct key *key, struct secret *out)
{
    AUTO_SECRET id = SECRET_INIT;
    if (key->key_type == CKK_RSA)
        TRY(secret_append(&id, bytes_of(oid_rsa_null, sizeof oid_rsa_null)));
    if (key->key_type == CKK_EC)
        TRY(secret_append(&id, bytes_of(oid_ec, sizeof oid_ec)));
    if (key->curve != NULL)
        TRY(secret_append(&id, key->curve->oid));
    if (key->ml_dsa != NULL)
        TRY(secret_append(&id, key->ml_dsa->oid));
    return key_der_put(out, DER_SEQUENCE, secret_expose(&id));
}

static enum rc put_sequence(struct secret *out, const struct secret *content)
{
    return key_der_put(out, DER_SEQUENCE, secret_expose(content));
}

/* A BIT STRING of whole bytes. */
static enum rc put_bits(struct secret *out, struct bytes content)
{
    AUTO_SECRET bits = SECRET_INIT;
    TRY(secret_put_u8(&bits, 0));
    TRY(secret_append(&bits, content));
    return key_der_put(out, DER_BIT_STRING, secret_expose(&bits));
}

/* RSAPublicKey, or RSAPrivateKey after its version: the parts are in its order. */
static enum rc put_rsa(const struct attr_list *parts, bool is_private, struct secret *out)
{
    AUTO_SECRET body = SECRET_INIT;
    if (is_private)
        TRY(key_der_put_uint(&body, BYTES_NONE));
    for (size_t i = 0; i < parts->count; i++)
        TRY(key_der_put_uint(&body, parts->items[i].value));
    return put_sequence(out, &body);
}

/* ECPrivateKey (RFC 5915) without parameters, which stand in the algorithm. */
static enum rc put_ec_private(const struct attr_list *parts, struct secret *out)
{
    static const uint8_t one = 1;
    AUTO_SECRET body = SECRET_INIT, bits = SECRET_INIT;
    TRY(key_der_put_uint(&body, bytes_of(&one, 1)));
    TRY(key_der_put(&body, DER_OCTET_STRING, part(parts, CKA_VALUE)));
    TRY(put_bits(&bits, part(parts, CKA_EC_POINT)));
    TRY(key_der_put(&body, DER_CONTEXT_1, secret_expose(&bits)));
    return put_sequence(out, &body);
}

/* RFC 9881 6: both forms, or the expanded key alone when no seed is known. */
static enum rc put_ml_dsa_private(const struct attr_list *parts, struct secret *out)
{
    AUTO_SECRET both = SECRET_INIT;
    struct bytes seed = part(parts, CKA_SEED), value = part(parts, CKA_VALUE);
    if (seed.len == 0)
        return key_der_put(out, DER_OCTET_STRING, value);
    TRY(key_der_put(&both, DER_OCTET_STRING, seed));
    TRY(key_der_put(&both, DER_OCTET_STRING, value));
    return put_sequence(out, &both);
}

static enum rc put_private(const struct key *key, const struct attr_list *parts, struct secret *out)
{
    if (key->key_type == CKK_RSA)
        return put_rsa(parts, true, out);
    if (key->key_type == CKK_EC)
        return put_ec_private(parts, out);
    if (key->ml_dsa != NULL)
        return put_ml_dsa_private(parts, out);
    return key_der_put(out, DER_OCTET_STRING, part(parts, CKA_VALUE)); /* CurvePrivateKey */
}

enum rc key_export(const struct key *key, struct secret *out)
{
    if (key->object_class == CKO_SECRET_KEY)
        return secret_append(out, secret_expose(&key->value));
    if (key->object_class != CKO_PRIVATE_KEY)
        return rc_fail(RC_KEY_NOT_WRAPPABLE, "a public key is not wrapped");
    AUTO_SECRET arena = SECRET_INIT, inner = SECRET_INIT, body = SECRET_INIT;
    struct attr_list parts = {.count = 0};
    TRY(key_parts(key, true, &arena, &parts));
    TRY(put_private(key, &parts, &inner));
    TRY(key_der_put_uint(&body, BYTES_NONE));
    TRY(put_algorithm(key, &body));
    TRY(key_der_put(&body, DER_OCTET_STRING, secret_expose(&inner)));
    return put_sequence(out, &body);
}

enum rc key_public_info(const struct key *key, struct buf *out)
{
    AUTO_SECRET arena = SECRET_INIT, rsa = SECRET_INIT, body = SECRET_INIT, info = SECRET_INIT;
    struct attr_list parts = {.count = 0};
    TRY(key_parts(key, false, &arena, &parts));
    struct bytes bits = part(&parts, key->ml_dsa != NULL ? CKA_VALUE : CKA_EC_POINT);
    if (key->key_type == CKK_RSA) {
        TRY(put_rsa(&parts, false, &rsa));
        bits = secret_expose(&rsa);
    }
    TRY(put_algorithm(key, &body));
    TRY(put_bits(&body, bits));
    TRY(put_sequence(&info, &body));
    return buf_append(out, secret_expose(&info));
}

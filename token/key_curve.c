/* SPDX-License-Identifier: Apache-2.0 */
/* Curves by OID and by name: SEC 2, FIPS 186-5, RFC 8410; PKCS#11 3.1 6.3.3 to 6.3.5 for the
 * printable names. */
#include "token/key_curve.h"

#include <strings.h>

#include <openssl/obj_mac.h>

#include "token/key_der.h"

#define OID(...)                                                                             \
    {                                                                                        \
        .ptr = (const uint8_t[]){__VA_ARGS__}, .len = sizeof((const uint8_t[]){__VA_ARGS__}) \
    }
#define WEIERSTRASS(name_, libcrypto_, nid_, bits_, strength_, ...)                           \
    {                                                                                         \
        .name = (name_), .libcrypto = (libcrypto_), .key_type = CKK_EC, .nid = (nid_),        \
        .bits = (bits_), .len = ((bits_) + 7) / 8, .output_len = 2 * (((bits_) + 7) / 8),     \
        .strength = (strength_), .approved = (nid_) != NID_secp256k1, .oid = OID(__VA_ARGS__) \
    }
#define RFC7748(name_, libcrypto_, type_, bits_, len_, output_, strength_, ...)           \
    {                                                                                     \
        .name = (name_), .libcrypto = (libcrypto_), .key_type = (type_), .bits = (bits_), \
        .len = (len_), .output_len = (output_), .strength = (strength_),                  \
        .approved = (type_) != CKK_EC_MONTGOMERY, .oid = OID(__VA_ARGS__)                 \
    }

static const struct key_curve curves[] = {
    WEIERSTRASS("secp224r1", "P-224", NID_secp224r1, 224, 112, 6, 5, 0x2B, 0x81, 4, 0, 0x21),
    WEIERSTRASS("secp256r1", "P-256", NID_X9_62_prime256v1, 256, 128, 6, 8, 0x2A, 0x86, 0x48, 0xCE,
                0x3D, 3, 1, 7),
    WEIERSTRASS("secp384r1", "P-384", NID_secp384r1, 384, 192, 6, 5, 0x2B, 0x81, 4, 0, 0x22),
    WEIERSTRASS("secp521r1", "P-521", NID_secp521r1, 521, 256, 6, 5, 0x2B, 0x81, 4, 0, 0x23),
    WEIERSTRASS("secp256k1", "secp256k1", NID_secp256k1, 256, 128, 6, 5, 0x2B, 0x81, 4, 0, 0x0A),
    RFC7748("edwards25519", "ED25519", CKK_EC_EDWARDS, 255, 32, 64, 128, 6, 3, 0x2B, 0x65, 0x70),
    RFC7748("edwards448", "ED448", CKK_EC_EDWARDS, 448, 57, 114, 224, 6, 3, 0x2B, 0x65, 0x71),
    RFC7748("curve25519", "X25519", CKK_EC_MONTGOMERY, 255, 32, 0, 128, 6, 3, 0x2B, 0x65, 0x6E),
    RFC7748("curve448", "X448", CKK_EC_MONTGOMERY, 448, 56, 0, 224, 6, 3, 0x2B, 0x65, 0x6F),
};
#define CURVE_COUNT (sizeof curves / sizeof curves[0])

/* Other names and numbers that applications send: GnuPG's OIDs, NIST's and OpenSSL's names. */
static const struct {
    struct bytes oid;
    const char *alias;
    const char *name;
} aliases[] = {
    {OID(6, 9, 0x2B, 6, 1, 4, 1, 0xDA, 0x47, 0x0F, 1), NULL, "edwards25519"},
    {OID(6, 10, 0x2B, 6, 1, 4, 1, 0x97, 0x55, 1, 5, 1), NULL, "curve25519"},
    {{NULL, 0}, "P-224", "secp224r1"},
    {{NULL, 0}, "P-256", "secp256r1"},
    {{NULL, 0}, "prime256v1", "secp256r1"},
    {{NULL, 0}, "P-384", "secp384r1"},
    {{NULL, 0}, "P-521", "secp521r1"},
    {{NULL, 0}, "Ed25519", "edwards25519"},
    {{NULL, 0}, "Ed448", "edwards448"},
    {{NULL, 0}, "X25519", "curve25519"},
    {{NULL, 0}, "X448", "curve448"},
};

static bool same_name(struct bytes text, const char *name)
{
    return name != NULL && strlen(name) == text.len &&
           strncasecmp((const char *)text.ptr, name, text.len) == 0;
}

static const struct key_curve *by_name(struct bytes name)
{
    for (size_t i = 0; i < CURVE_COUNT; i++)
        if (same_name(name, curves[i].name))
            return &curves[i];
    return NULL;
}

const struct key_curve *key_curve_by_oid(struct bytes oid)
{
    for (size_t i = 0; i < CURVE_COUNT; i++)
        if (bytes_equal(oid, curves[i].oid))
            return &curves[i];
    return NULL;
}

static const struct key_curve *by_alias(struct bytes params, struct bytes name)
{
    for (size_t i = 0; i < sizeof aliases / sizeof aliases[0]; i++)
        if (same_name(name, aliases[i].alias) ||
            (aliases[i].oid.len > 0 && bytes_equal(params, aliases[i].oid)))
            return by_name(bytes_of_str(aliases[i].name));
    return NULL;
}

enum rc key_curve_find(CK_KEY_TYPE key_type, struct bytes params, const struct key_curve **out)
{
    struct bytes rest = params, name = BYTES_NONE;
    const struct key_curve *curve = key_curve_by_oid(params);
    if (curve == NULL && key_der_get(&rest, DER_PRINTABLE_STRING, &name) && rest.len == 0)
        curve = by_name(name);
    if (curve == NULL)
        curve = by_alias(params, name);
    if (curve == NULL)
        return rc_fail(RC_CURVE, "CKA_EC_PARAMS names no known curve (OID or PrintableString)");
    if (curve->key_type != key_type)
        return rc_fail(RC_CURVE, "curve %s is not for this key type", curve->name);
    *out = curve;
    return RC_OK;
}

/* By SEC 1 2.3.3 lengths; the hybrid form (06, 07) and the point at infinity are refused. */
static bool is_raw(const struct key_curve *curve, struct bytes point)
{
    if (curve->key_type != CKK_EC)
        return point.len == curve->len;
    if (point.len == 2 * curve->len + 1)
        return point.ptr[0] == 0x04;
    return point.len == curve->len + 1 && (point.ptr[0] == 0x02 || point.ptr[0] == 0x03);
}

enum rc key_curve_point(const struct key_curve *curve, struct bytes point, struct bytes *out)
{
    struct bytes inner, rest = point;
    if (point.len > 0 && is_raw(curve, point)) {
        *out = point;
        return RC_OK;
    }
    if (!key_der_get(&rest, DER_OCTET_STRING, &inner) || rest.len != 0 || inner.len == 0 ||
        !is_raw(curve, inner))
        return rc_fail(RC_PUBLIC_KEY, "a point of %zu bytes does not fit curve %s", point.len,
                       curve->name);
    *out = inner;
    return RC_OK;
}

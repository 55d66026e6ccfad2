/* SPDX-License-Identifier: Apache-2.0 */
/* Keys on curves from their attributes: Weierstrass, Edwards, Montgomery. */
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>

#include "token/key_der.h"
#include "token/key_internal.h"
#include "token/key_params.h"

#define POINT_MAX  (2 * 66 + 1) /* P-521 */
#define SCALAR_MAX 66

static enum rc required(struct attrs attrs, CK_ATTRIBUTE_TYPE type, struct bytes *out)
{
    const struct attr *attr = attrs_find(attrs, type);
    if (attr == NULL || attr->value.len == 0) {
        const struct attr_info *info = attr_info(type);
        return rc_fail(RC_TEMPLATE_INCOMPLETE, "a key on a curve needs %s",
                       info == NULL ? "an attribute" : info->name);
    }
    *out = attr->value;
    return RC_OK;
}

/* What a calculation on a Weierstrass curve needs. */
struct work {
    EC_GROUP *group;
    EC_POINT *point;
    BIGNUM *scalar;
    BN_CTX *ctx;
};

static void work_clear(struct work *w)
{
    BN_clear_free(w->scalar);
    EC_POINT_free(w->point);
    EC_GROUP_free(w->group);
    BN_CTX_free(w->ctx);
}

static enum rc work_init(struct work *w, const struct key_curve *curve)
{
    *w = (struct work){.group = EC_GROUP_new_by_curve_name_ex(crypto_lib(), NULL, curve->nid)};
    if (w->group == NULL)
        return crypto_fail(RC_CURVE, curve->name);
    w->point = EC_POINT_new(w->group);
    w->scalar = BN_secure_new();
    w->ctx = BN_CTX_secure_new_ex(crypto_lib());
    if (w->point == NULL || w->scalar == NULL || w->ctx == NULL)
        return crypto_fail(RC_NO_MEMORY, "a point on a curve");
    return RC_OK;
}
#define AUTO_WORK __attribute__((cleanup(work_clear))) struct work

static enum rc point_out(const struct work *w, const struct key_curve *curve, uint8_t *out)
{
    size_t want = 2 * curve->len + 1;
    if (EC_POINT_point2oct(w->group, w->point, POINT_CONVERSION_UNCOMPRESSED, out, want, w->ctx) !=
        want)
        return crypto_fail(RC_PUBLIC_KEY, "the point at infinity is no key");
    return RC_OK;
}

/* A given point, uncompressed; on the curve or RC_PUBLIC_KEY. */
static enum rc point_check(const struct key_curve *curve, struct bytes raw, uint8_t *out)
{
    AUTO_WORK w;
    TRY(work_init(&w, curve));
    if (EC_POINT_oct2point(w.group, w.point, raw.ptr, raw.len, w.ctx) != 1)
        return crypto_fail(RC_PUBLIC_KEY, "the point is not on the curve");
    return point_out(&w, curve, out);
}

/* The public point of a private number, which must be 1 to order - 1. */
static enum rc point_of(const struct key_curve *curve, struct bytes scalar, uint8_t *out)
{
    AUTO_WORK w;
    TRY(work_init(&w, curve));
    if (BN_bin2bn(scalar.ptr, (int)scalar.len, w.scalar) == NULL)
        return crypto_fail(RC_NO_MEMORY, "a private number");
    BN_set_flags(w.scalar, BN_FLG_CONSTTIME);
    if (BN_is_zero(w.scalar) || BN_cmp(w.scalar, EC_GROUP_get0_order(w.group)) >= 0)
        return rc_fail(RC_ATTRIBUTE_VALUE, "the private number is outside 1 to order - 1 of %s",
                       curve->name);
    if (EC_POINT_mul(w.group, w.point, w.scalar, NULL, NULL, w.ctx) != 1)
        return crypto_fail(RC_INTERNAL, "public point of a private key");
    return point_out(&w, curve, out);
}

static enum rc build(struct key *key, const uint8_t *point, struct bytes scalar)
{
    bool with_private = scalar.len > 0;
    AUTO_KEY_PARAMS params;
    TRY(key_params_init(&params, scalar.len));
    TRY(key_params_text(&params, OSSL_PKEY_PARAM_GROUP_NAME, key->curve->libcrypto));
    TRY(key_params_octets(&params, OSSL_PKEY_PARAM_PUB_KEY,
                          bytes_of(point, 2 * key->curve->len + 1)));
    if (with_private)
        TRY(key_params_uint(&params, OSSL_PKEY_PARAM_PRIV_KEY, scalar));
    return key_params_build(&params, "EC", with_private ? EVP_PKEY_KEYPAIR : EVP_PKEY_PUBLIC_KEY,
                            &key->pkey);
}

static enum rc weierstrass_private(struct key *key, struct bytes value)
{
    const struct key_curve *curve = key->curve;
    uint8_t point[POINT_MAX];
    struct bytes number = key_der_trim(value);
    if (number.len > curve->len)
        return rc_fail(RC_ATTRIBUTE_VALUE, "the private number is longer than the order of %s",
                       curve->name);
    AUTO_SECRET scalar = SECRET_INIT; /* fixed width, so that its length tells nothing */
    TRY(secret_alloc(&scalar, curve->len));
    if (number.len > 0)
        memcpy(scalar.ptr + curve->len - number.len, number.ptr, number.len);
    TRY(point_of(curve, secret_expose(&scalar), point));
    return build(key, point, secret_expose(&scalar));
}

static enum rc raw_private(struct key *key, struct bytes value)
{
    struct bytes inner = BYTES_NONE, rest = value;
    if (value.len == key->curve->len + 2 && key_der_get(&rest, DER_OCTET_STRING, &inner))
        value = inner;
    if (value.len != key->curve->len)
        return rc_fail(RC_ATTRIBUTE_VALUE, "a private key of %zu bytes, %s has %u", value.len,
                       key->curve->name, key->curve->len);
    key->pkey = EVP_PKEY_new_raw_private_key_ex(crypto_lib(), key->curve->libcrypto, NULL,
                                                value.ptr, value.len);
    return key->pkey != NULL ? RC_OK : crypto_fail(RC_ATTRIBUTE_VALUE, "private key");
}

static enum rc parse_public(struct key *key, struct bytes point)
{
    struct bytes raw = BYTES_NONE;
    uint8_t uncompressed[POINT_MAX];
    TRY(key_curve_point(key->curve, point, &raw));
    if (key->key_type == CKK_EC) {
        TRY(point_check(key->curve, raw, uncompressed));
        return build(key, uncompressed, BYTES_NONE);
    }
    key->pkey =
        EVP_PKEY_new_raw_public_key_ex(crypto_lib(), key->curve->libcrypto, NULL, raw.ptr, raw.len);
    return key->pkey != NULL ? RC_OK : crypto_fail(RC_PUBLIC_KEY, "public key");
}

/* A private key's CKA_EC_POINT, where a template has one, must be its own. */
static enum rc check_given_point(const struct key *key, struct attrs attrs)
{
    const struct attr *given = attrs_find(attrs, CKA_EC_POINT);
    if (given == NULL || given->value.len == 0)
        return RC_OK;
    AUTO_SECRET arena = SECRET_INIT;
    AUTO_BUF canonical = BUF_INIT, own = BUF_INIT;
    struct attr_list parts = {.count = 0};
    TRY(key_ec_parts(key, false, &arena, &parts));
    const struct attr *point = attrs_find(attrs_of(&parts), CKA_EC_POINT);
    TRY(key_ec_point(key->key_type, key->curve->oid, given->value, &canonical));
    TRY(key_ec_point(key->key_type, key->curve->oid, point->value, &own));
    if (!bytes_equal(buf_bytes(&canonical), buf_bytes(&own)))
        return rc_fail(RC_ATTRIBUTE_VALUE, "CKA_EC_POINT does not belong to CKA_VALUE");
    return RC_OK;
}

enum rc key_ec_parse(struct key *key, struct attrs attrs)
{
    struct bytes params = BYTES_NONE, number = BYTES_NONE;
    TRY(required(attrs, CKA_EC_PARAMS, &params));
    TRY(key_curve_find(key->key_type, params, &key->curve));
    key->bits = key->curve->bits;
    key->output_len = key->curve->output_len;
    if (key->object_class != CKO_PRIVATE_KEY) {
        TRY(required(attrs, CKA_EC_POINT, &number));
        return parse_public(key, number);
    }
    TRY(required(attrs, CKA_VALUE, &number));
    TRY(key->key_type == CKK_EC ? weierstrass_private(key, number) : raw_private(key, number));
    return check_given_point(key, attrs);
}

enum rc key_ec_point(CK_KEY_TYPE key_type, struct bytes params, struct bytes point, struct buf *out)
{
    const struct key_curve *curve = NULL;
    struct bytes raw = BYTES_NONE;
    uint8_t uncompressed[POINT_MAX];
    TRY(key_curve_find(key_type, params, &curve));
    TRY(key_curve_point(curve, point, &raw));
    if (key_type != CKK_EC)
        return buf_append(out, raw);
    TRY(point_check(curve, raw, uncompressed));
    AUTO_SECRET der = SECRET_INIT;
    TRY(key_der_put(&der, DER_OCTET_STRING, bytes_of(uncompressed, 2 * curve->len + 1)));
    return buf_append(out, secret_expose(&der));
}

static enum rc public_point(const struct key *key, uint8_t *at, size_t *out_len)
{
    int got = key->key_type == CKK_EC
                  ? EVP_PKEY_get_octet_string_param(key->pkey, OSSL_PKEY_PARAM_PUB_KEY, at,
                                                    POINT_MAX, out_len)
                  : EVP_PKEY_get_raw_public_key(key->pkey, at, out_len);
    return got == 1 ? RC_OK : crypto_fail(RC_INTERNAL, "public point of a key");
}

static enum rc private_value(const struct key *key, uint8_t *at, size_t *out_len)
{
    if (key->key_type == CKK_EC)
        return key_params_get(key->pkey, OSSL_PKEY_PARAM_PRIV_KEY, key->curve->len, at, SCALAR_MAX,
                              out_len);
    return EVP_PKEY_get_raw_private_key(key->pkey, at, out_len) == 1
               ? RC_OK
               : crypto_fail(RC_INTERNAL, "private value of a key");
}

enum rc key_ec_parts(const struct key *key, bool with_private, struct secret *arena,
                     struct attr_list *out)
{
    size_t point_len = POINT_MAX, value_len = SCALAR_MAX;
    TRY(secret_alloc(arena, POINT_MAX + SCALAR_MAX));
    TRY(attr_list_add(out, CKA_EC_PARAMS, key->curve->oid));
    TRY(public_point(key, arena->ptr, &point_len));
    TRY(attr_list_add(out, CKA_EC_POINT, bytes_of(arena->ptr, point_len)));
    if (!with_private)
        return RC_OK;
    uint8_t *at = arena->ptr + POINT_MAX;
    TRY(private_value(key, at, &value_len));
    return attr_list_add(out, CKA_VALUE, bytes_of(at, value_len));
}

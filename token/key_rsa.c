/* SPDX-License-Identifier: Apache-2.0 */
/* RSA keys from their attributes. */
#include <openssl/core_names.h>

#include "token/key_der.h"
#include "token/key_internal.h"
#include "token/key_params.h"

/* In the order of PKCS#1's RSAPrivateKey (RFC 8017 A.1.2). */
static const struct {
    CK_ATTRIBUTE_TYPE type;
    const char *param;
    const char *name;
} numbers[] = {
    {CKA_MODULUS, OSSL_PKEY_PARAM_RSA_N, "CKA_MODULUS"},
    {CKA_PUBLIC_EXPONENT, OSSL_PKEY_PARAM_RSA_E, "CKA_PUBLIC_EXPONENT"},
    {CKA_PRIVATE_EXPONENT, OSSL_PKEY_PARAM_RSA_D, "CKA_PRIVATE_EXPONENT"},
    {CKA_PRIME_1, OSSL_PKEY_PARAM_RSA_FACTOR1, "CKA_PRIME_1"},
    {CKA_PRIME_2, OSSL_PKEY_PARAM_RSA_FACTOR2, "CKA_PRIME_2"},
    {CKA_EXPONENT_1, OSSL_PKEY_PARAM_RSA_EXPONENT1, "CKA_EXPONENT_1"},
    {CKA_EXPONENT_2, OSSL_PKEY_PARAM_RSA_EXPONENT2, "CKA_EXPONENT_2"},
    {CKA_COEFFICIENT, OSSL_PKEY_PARAM_RSA_COEFFICIENT1, "CKA_COEFFICIENT"},
};
enum { PUBLIC_COUNT = 2, PRIVATE_COUNT = sizeof numbers / sizeof numbers[0] };

static uint32_t bit_length(struct bytes number)
{
    struct bytes trimmed = key_der_trim(number);
    if (trimmed.len == 0)
        return 0;
    uint32_t bits = (uint32_t)(trimmed.len - 1) * 8;
    for (unsigned top = trimmed.ptr[0]; top != 0; top >>= 1)
        bits++;
    return bits;
}

static bool is_odd(struct bytes number)
{
    return number.len > 0 && (number.ptr[number.len - 1] & 1) != 0;
}

static enum rc required(struct attrs attrs, size_t index, struct bytes *out)
{
    const struct attr *attr = attrs_find(attrs, numbers[index].type);
    if (attr == NULL || attr->value.len == 0)
        return rc_fail(RC_TEMPLATE_INCOMPLETE, "an RSA key needs %s", numbers[index].name);
    *out = key_der_trim(attr->value);
    return RC_OK;
}

static enum rc check_modulus(struct key *key, struct bytes modulus)
{
    uint32_t bits = bit_length(modulus);
    if (bits < RSA_BITS_MIN || bits > RSA_BITS_MAX)
        return rc_fail(RC_ATTRIBUTE_VALUE, "RSA modulus of %u bits, allowed %u to %u", bits,
                       RSA_BITS_MIN, RSA_BITS_MAX);
    if (!is_odd(modulus))
        return rc_fail(RC_ATTRIBUTE_VALUE, "the RSA modulus is even");
    key->bits = bits;
    key->output_len = (bits + 7) / 8;
    return RC_OK;
}

/* SP 800-56B 6.2: e < 2^256; libcrypto takes at most 64 bits above a modulus of 3072. */
static enum rc check_exponent(const struct key *key, struct bytes exponent)
{
    uint32_t bits = bit_length(exponent), most = key->bits > 3072 ? 64 : 256;
    if (!is_odd(exponent) || bits < 2 || bits > most)
        return rc_fail(RC_ATTRIBUTE_VALUE,
                       "RSA public exponent of %u bits; odd, 2 to %u bits wanted", bits, most);
    return RC_OK;
}

static enum rc build(struct key *key, struct attrs attrs, size_t count, int selection)
{
    AUTO_KEY_PARAMS params;
    TRY(key_params_init(&params, count * key->output_len));
    for (size_t i = 0; i < count; i++) {
        struct bytes number = BYTES_NONE;
        TRY(required(attrs, i, &number));
        if (number.len == 0 || number.len > key->output_len)
            return rc_fail(RC_ATTRIBUTE_VALUE, "%s does not fit the modulus", numbers[i].name);
        TRY(key_params_uint(&params, numbers[i].param, number));
    }
    return key_params_build(&params, "RSA", selection, &key->pkey);
}

static bool is_complete(struct attrs attrs)
{
    for (size_t i = 0; i < PRIVATE_COUNT; i++) {
        const struct attr *attr = attrs_find(attrs, numbers[i].type);
        if (attr == NULL || attr->value.len == 0)
            return false;
    }
    return true;
}

static enum rc parse_private(struct key *key, struct attrs attrs)
{
    struct bytes exponent = BYTES_NONE;
    AUTO_SECRET arena = SECRET_INIT;
    struct attr_list completed = {.count = 0};
    if (!is_complete(attrs)) {
        TRY(required(attrs, PUBLIC_COUNT, &exponent));
        TRY(key_rsa_complete(attrs, &arena, &completed));
        attrs = attrs_of(&completed);
    }
    TRY(required(attrs, 1, &exponent));
    TRY(check_exponent(key, exponent));
    return build(key, attrs, PRIVATE_COUNT, EVP_PKEY_KEYPAIR);
}

enum rc key_rsa_parse(struct key *key, struct attrs attrs)
{
    struct bytes modulus = BYTES_NONE, exponent = BYTES_NONE;
    TRY(required(attrs, 0, &modulus));
    TRY(check_modulus(key, modulus));
    if (key->object_class == CKO_PRIVATE_KEY)
        return parse_private(key, attrs);
    TRY(required(attrs, 1, &exponent));
    TRY(check_exponent(key, exponent));
    return build(key, attrs, PUBLIC_COUNT, EVP_PKEY_PUBLIC_KEY);
}

enum rc key_rsa_parts(const struct key *key, bool with_private, struct secret *arena,
                      struct attr_list *out)
{
    size_t count = with_private ? PRIVATE_COUNT : PUBLIC_COUNT, used = 0;
    TRY(secret_alloc(arena, count * key->output_len));
    for (size_t i = 0; i < count; i++) {
        size_t len = 0;
        TRY(key_params_get(key->pkey, numbers[i].param, 0, arena->ptr + used, arena->len - used,
                           &len));
        TRY(attr_list_add(out, numbers[i].type, bytes_of(arena->ptr + used, len)));
        used += len;
    }
    return RC_OK;
}

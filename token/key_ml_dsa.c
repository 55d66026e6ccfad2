/* SPDX-License-Identifier: Apache-2.0 */
/* ML-DSA keys (FIPS 204) from their attributes and back. libcrypto works out what is missing and
 * refuses halves that do not belong together. */
#include "token/key_ml_dsa.h"

#include <openssl/core_names.h>
#include <openssl/err.h>

#include "token/key_internal.h"
#include "token/key_params.h"

/* libcrypto 3.5's name, which the headers of 3.0 lack. */
#define PARAM_SEED "seed"

#define BYTES(...)                                                                           \
    {                                                                                        \
        .ptr = (const uint8_t[]){__VA_ARGS__}, .len = sizeof((const uint8_t[]){__VA_ARGS__}) \
    }
#define OID(last_)    BYTES(6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 3, (last_))
#define NUMBER(last_) BYTES((last_), 0, 0, 0, 0, 0, 0, 0)

static const struct key_ml_dsa_set sets[] = {
    [CKP_ML_DSA_44] = {"ML-DSA-44", 1312, 2560, 2420, 128, OID(0x11), NUMBER(CKP_ML_DSA_44)},
    [CKP_ML_DSA_65] = {"ML-DSA-65", 1952, 4032, 3309, 192, OID(0x12), NUMBER(CKP_ML_DSA_65)},
    [CKP_ML_DSA_87] = {"ML-DSA-87", 2592, 4896, 4627, 256, OID(0x13), NUMBER(CKP_ML_DSA_87)},
};
#define SET_COUNT (sizeof sets / sizeof sets[0])

const struct key_ml_dsa_set *key_ml_dsa_set(CK_ULONG number)
{
    return number < SET_COUNT && sets[number].name != NULL ? &sets[number] : NULL;
}

const struct key_ml_dsa_set *key_ml_dsa_by_bits(uint32_t bits)
{
    for (size_t i = 0; i < SET_COUNT; i++)
        if (sets[i].name != NULL && 8 * sets[i].public_len == bits)
            return &sets[i];
    return NULL;
}

const struct key_ml_dsa_set *key_ml_dsa_by_oid(struct bytes oid)
{
    for (size_t i = 0; i < SET_COUNT; i++)
        if (sets[i].name != NULL && bytes_equal(sets[i].oid, oid))
            return &sets[i];
    return NULL;
}

/* A part that may be absent; of its one length when it is there. */
static enum rc part_of(struct attrs attrs, CK_ATTRIBUTE_TYPE type, uint32_t len, struct bytes *out)
{
    const struct attr *attr = attrs_find(attrs, type);
    *out = attr == NULL ? BYTES_NONE : attr->value;
    if (out->len == 0 || out->len == len)
        return RC_OK;
    return rc_fail(RC_ATTRIBUTE_VALUE, "%s of %zu bytes, this parameter set has %u",
                   attr_info(type)->name, out->len, len);
}

static enum rc build(struct key *key, const char *name, struct bytes value, struct bytes seed)
{
    bool is_private = key->object_class == CKO_PRIVATE_KEY;
    AUTO_KEY_PARAMS params;
    TRY(key_params_init(&params, 0));
    if (value.len > 0)
        TRY(key_params_octets(&params, name, value));
    if (seed.len > 0)
        TRY(key_params_octets(&params, PARAM_SEED, seed));
    return key_params_build(&params, key->ml_dsa->name,
                            is_private ? EVP_PKEY_KEYPAIR : EVP_PKEY_PUBLIC_KEY, &key->pkey);
}

static enum rc parse_private(struct key *key, struct attrs attrs)
{
    struct bytes value, seed;
    TRY(part_of(attrs, CKA_VALUE, key->ml_dsa->private_len, &value));
    TRY(part_of(attrs, CKA_SEED, ML_DSA_SEED_LEN, &seed));
    if (value.len == 0 && seed.len == 0)
        return rc_fail(RC_TEMPLATE_INCOMPLETE, "a private ML-DSA key needs CKA_VALUE or CKA_SEED");
    return build(key, OSSL_PKEY_PARAM_PRIV_KEY, value, seed);
}

static enum rc parse_public(struct key *key, struct attrs attrs)
{
    struct bytes value;
    TRY(part_of(attrs, CKA_VALUE, key->ml_dsa->public_len, &value));
    if (value.len == 0)
        return rc_fail(RC_TEMPLATE_INCOMPLETE, "a public ML-DSA key needs CKA_VALUE");
    return build(key, OSSL_PKEY_PARAM_PUB_KEY, value, BYTES_NONE);
}

void key_ml_dsa_init(struct key *key, const struct key_ml_dsa_set *set)
{
    key->ml_dsa = set;
    key->bits = 8 * set->public_len;
    key->output_len = set->signature_len;
}

enum rc key_ml_dsa_choose(struct key *key, struct attrs attrs)
{
    CK_ULONG number = 0;
    if (!attrs_get_ulong(attrs, CKA_PARAMETER_SET, &number))
        return rc_fail(RC_TEMPLATE_INCOMPLETE, "an ML-DSA key needs CKA_PARAMETER_SET");
    const struct key_ml_dsa_set *set = key_ml_dsa_set(number);
    if (set == NULL)
        return rc_fail(RC_ATTRIBUTE_VALUE, "CKA_PARAMETER_SET %lu is none of ML-DSA", number);
    key_ml_dsa_init(key, set);
    return RC_OK;
}

enum rc key_ml_dsa_parse(struct key *key, struct attrs attrs)
{
    TRY(key_ml_dsa_choose(key, attrs));
    return key->object_class == CKO_PRIVATE_KEY ? parse_private(key, attrs)
                                                : parse_public(key, attrs);
}

static enum rc put_part(const struct key *key, const char *name, CK_ATTRIBUTE_TYPE type,
                        uint8_t *at, size_t room, struct attr_list *out)
{
    size_t len = 0;
    if (EVP_PKEY_get_octet_string_param(key->pkey, name, at, room, &len) != 1)
        return crypto_fail(RC_INTERNAL, "part of an ML-DSA key");
    return attr_list_add(out, type, bytes_of(at, len));
}

/* A key that was brought in without its seed has none. */
static bool has_seed(const struct key *key)
{
    size_t len = 0;
    bool has = EVP_PKEY_get_octet_string_param(key->pkey, PARAM_SEED, NULL, 0, &len) == 1;
    ERR_clear_error();
    return has && len == ML_DSA_SEED_LEN;
}

enum rc key_ml_dsa_parts(const struct key *key, bool with_private, struct secret *arena,
                         struct attr_list *out)
{
    TRY(secret_alloc(arena, ML_DSA_SEED_LEN + ML_DSA_PRIVATE_MAX));
    uint8_t *seed = arena->ptr, *value = arena->ptr + ML_DSA_SEED_LEN;
    TRY(attr_list_add(out, CKA_PARAMETER_SET, key->ml_dsa->number));
    if (with_private && has_seed(key))
        TRY(put_part(key, PARAM_SEED, CKA_SEED, seed, ML_DSA_SEED_LEN, out));
    return put_part(key, with_private ? OSSL_PKEY_PARAM_PRIV_KEY : OSSL_PKEY_PARAM_PUB_KEY,
                    CKA_VALUE, value, ML_DSA_PRIVATE_MAX, out);
}

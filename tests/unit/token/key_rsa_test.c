/* SPDX-License-Identifier: Apache-2.0 */
/* RSA keys from attributes: sizes, missing numbers, numbers that do not belong together. */
#include "key_fixture.h"
#include "tests/unit/unit.h"
#include "token/key_internal.h"

static struct bytes value_of(const struct attr_list *list, CK_ATTRIBUTE_TYPE type)
{
    const struct attr *attr = attrs_find(attrs_of(list), type);
    CU_ASSERT_PTR_NOT_NULL_FATAL(attr);
    return attr->value;
}

/* The list without what `keep` does not name. */
static void only(const struct attr_list *all, const CK_ATTRIBUTE_TYPE *keep, size_t count,
                 struct attr_list *out)
{
    out->count = 0;
    for (size_t i = 0; i < count; i++)
        UNIT_OK(attr_list_add(out, keep[i], value_of(all, keep[i])));
}

static void sign(struct key *key, struct buf *out)
{
    struct mech_call call = fixture_call("CKM_SHA256_RSA_PKCS");
    UNIT_OK(fixture_crypt(&call, CRYPT_SIGN, key, bytes_of_str("message"), BYTES_NONE, out));
}

static void expect_same_key(const struct key_pair *pair, const struct attr_list *attrs)
{
    AUTO_BUF expected = BUF_INIT, got = BUF_INIT;
    struct key *key = NULL;
    UNIT_OK(key_parse(CKO_PRIVATE_KEY, CKK_RSA, attrs_of(attrs), &key));
    CU_ASSERT_PTR_NOT_NULL_FATAL(key);
    UNIT_OK(key_validate(key));
    sign(pair->private_key, &expected);
    sign(key, &got);
    CU_ASSERT_TRUE(bytes_equal(buf_bytes(&expected), buf_bytes(&got)));
    key_free(key);
}

static void missing_numbers_are_found(void)
{
    static const CK_ATTRIBUTE_TYPE n_e_d[] = {CKA_MODULUS, CKA_PUBLIC_EXPONENT,
                                              CKA_PRIVATE_EXPONENT};
    static const CK_ATTRIBUTE_TYPE n_d[] = {CKA_MODULUS, CKA_PRIVATE_EXPONENT};
    static const CK_ATTRIBUTE_TYPE primes[] = {CKA_MODULUS, CKA_PUBLIC_EXPONENT,
                                               CKA_PRIVATE_EXPONENT, CKA_PRIME_1, CKA_PRIME_2};
    struct key_pair pair;
    struct attr_list all, some;
    fixture_rsa(&pair);
    fixture_attrs(&pair.private_material, &all);
    expect_same_key(&pair, &all);
    only(&all, n_e_d, 3, &some);
    expect_same_key(&pair, &some);
    only(&all, n_d, 2, &some);
    expect_same_key(&pair, &some);
    only(&all, primes, 5, &some);
    expect_same_key(&pair, &some);
    fixture_pair_clear(&pair);
}

static void leading_zeros_are_welcome(void)
{
    struct key_pair pair;
    struct attr_list all;
    AUTO_BUF padded = BUF_INIT;
    fixture_rsa(&pair);
    fixture_attrs(&pair.private_material, &all);
    UNIT_OK(buf_put_u8(&padded, 0));
    UNIT_OK(buf_append(&padded, value_of(&all, CKA_MODULUS)));
    UNIT_OK(attr_list_set(&all, CKA_MODULUS, buf_bytes(&padded)));
    expect_same_key(&pair, &all);
    fixture_pair_clear(&pair);
}

static void refuses(const struct attr_list *attrs, CK_OBJECT_CLASS object_class, enum rc expected)
{
    struct key *key = NULL;
    UNIT_RC(key_parse(object_class, CKK_RSA, attrs_of(attrs), &key), expected);
    CU_ASSERT_PTR_NULL(key);
}

static void a_private_exponent_of_another_key_is_refused(void)
{
    static const CK_ATTRIBUTE_TYPE n_e_d[] = {CKA_MODULUS, CKA_PUBLIC_EXPONENT,
                                              CKA_PRIVATE_EXPONENT};
    struct key_pair one, other;
    struct attr_list first, second, mixed;
    fixture_rsa(&one);
    fixture_rsa(&other);
    fixture_attrs(&one.private_material, &first);
    fixture_attrs(&other.private_material, &second);
    only(&first, n_e_d, 3, &mixed);
    UNIT_OK(attr_list_set(&mixed, CKA_PRIVATE_EXPONENT, value_of(&second, CKA_PRIME_1)));
    refuses(&mixed, CKO_PRIVATE_KEY, RC_ATTRIBUTE_VALUE);
    fixture_pair_clear(&one);
    fixture_pair_clear(&other);
}

static void numbers_that_contradict_each_other_do_not_validate(void)
{
    struct key_pair pair;
    struct attr_list all;
    struct key *key = NULL;
    fixture_rsa(&pair);
    fixture_attrs(&pair.private_material, &all);
    UNIT_OK(attr_list_set(&all, CKA_EXPONENT_1, value_of(&all, CKA_EXPONENT_2)));
    UNIT_OK(key_parse(CKO_PRIVATE_KEY, CKK_RSA, attrs_of(&all), &key));
    UNIT_RC(key_validate(key), RC_ATTRIBUTE_VALUE);
    key_free(key);
    fixture_pair_clear(&pair);
}

static void sizes_and_exponents_out_of_range_are_refused(void)
{
    uint8_t modulus[1025];
    memset(modulus, 0xFF, sizeof modulus);
    const struct bytes three = bytes_of("\x03", 1), four = bytes_of("\x04", 1);
    struct attr_list attrs = {.count = 0};
    UNIT_OK(attr_list_add(&attrs, CKA_MODULUS, bytes_of(modulus, 128)));
    UNIT_OK(attr_list_add(&attrs, CKA_PUBLIC_EXPONENT, three));
    refuses(&attrs, CKO_PUBLIC_KEY, RC_ATTRIBUTE_VALUE);
    UNIT_OK(attr_list_set(&attrs, CKA_MODULUS, bytes_of(modulus, 1025)));
    refuses(&attrs, CKO_PUBLIC_KEY, RC_ATTRIBUTE_VALUE);
    UNIT_OK(attr_list_set(&attrs, CKA_MODULUS, bytes_of(modulus, 256)));
    UNIT_OK(attr_list_set(&attrs, CKA_PUBLIC_EXPONENT, four));
    refuses(&attrs, CKO_PUBLIC_KEY, RC_ATTRIBUTE_VALUE);
    modulus[255] = 0xFE;
    UNIT_OK(attr_list_set(&attrs, CKA_PUBLIC_EXPONENT, three));
    refuses(&attrs, CKO_PUBLIC_KEY, RC_ATTRIBUTE_VALUE);
}

static void what_is_missing_is_named(void)
{
    struct attr_list attrs = {.count = 0};
    UNIT_OK(crypto_lib_init());
    refuses(&attrs, CKO_PUBLIC_KEY, RC_TEMPLATE_INCOMPLETE);
    CU_ASSERT_PTR_NOT_NULL(strstr(rc_detail(), "CKA_MODULUS"));
}

static void facts_of_a_key_of_2048_bits(void)
{
    struct key_pair pair;
    fixture_rsa(&pair);
    CU_ASSERT_EQUAL(key_bits(pair.private_key), 2048);
    CU_ASSERT_EQUAL(key_output_len(pair.private_key), 256);
    CU_ASSERT_EQUAL(key_strength(pair.public_key), 112);
    CU_ASSERT_EQUAL(key_type(pair.public_key), CKK_RSA);
    CU_ASSERT_EQUAL(key_class(pair.public_key), CKO_PUBLIC_KEY);
    UNIT_OK(key_validate(pair.public_key));
    fixture_pair_clear(&pair);
}

static void generation_refuses(struct attrs wanted, enum rc expected)
{
    struct mech_call call = fixture_call("CKM_RSA_PKCS_KEY_PAIR_GEN");
    AUTO_MATERIAL public_half = MATERIAL_INIT, private_half = MATERIAL_INIT;
    const struct attrs none = {.count = 0};
    UNIT_RC(mech_generate_pair(&call, wanted, none, &public_half, &private_half), expected);
}

static void generation_checks_size_and_exponent(void)
{
    uint8_t small[8], odd[8], good[8];
    const struct attr sizes[] = {{CKA_MODULUS_BITS, attr_ulong(small, 1024)},
                                 {CKA_MODULUS_BITS, attr_ulong(odd, 2049)}};
    const struct attr exponents[] = {{CKA_MODULUS_BITS, attr_ulong(good, 2048)},
                                     {CKA_PUBLIC_EXPONENT, bytes_of("\x01\x00\x00", 3)}};
    UNIT_OK(crypto_lib_init());
    generation_refuses((struct attrs){.count = 0}, RC_TEMPLATE_INCOMPLETE);
    generation_refuses((struct attrs){&sizes[0], 1}, RC_KEY_SIZE);
    generation_refuses((struct attrs){&sizes[1], 1}, RC_KEY_SIZE);
    generation_refuses((struct attrs){exponents, 2}, RC_ATTRIBUTE_VALUE);
}

UNIT_SUITE("token/key_rsa", UNIT_CASE(missing_numbers_are_found),
           UNIT_CASE(leading_zeros_are_welcome),
           UNIT_CASE(a_private_exponent_of_another_key_is_refused),
           UNIT_CASE(numbers_that_contradict_each_other_do_not_validate),
           UNIT_CASE(sizes_and_exponents_out_of_range_are_refused),
           UNIT_CASE(what_is_missing_is_named), UNIT_CASE(facts_of_a_key_of_2048_bits),
           UNIT_CASE(generation_checks_size_and_exponent));

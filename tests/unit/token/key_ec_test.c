/* SPDX-License-Identifier: Apache-2.0 */
/* Keys on curves from attributes: names of curves, forms of points, private numbers. */
#include "key_fixture.h"
#include "tests/unit/unit.h"
#include "token/key_internal.h"

static const char *const all_curves[] = {"secp224r1",  "secp256r1",  "secp384r1",
                                         "secp521r1",  "secp256k1",  "edwards25519",
                                         "edwards448", "curve25519", "curve448"};
#define CURVE_COUNT (sizeof all_curves / sizeof all_curves[0])

static CK_KEY_TYPE type_of(const char *curve)
{
    return strncmp(curve, "secp", 4) == 0      ? CKK_EC
           : strncmp(curve, "edwards", 7) == 0 ? CKK_EC_EDWARDS
                                               : CKK_EC_MONTGOMERY;
}

static void every_curve_is_known_by_oid_and_by_name(void)
{
    for (size_t i = 0; i < CURVE_COUNT; i++) {
        uint8_t text[32] = {0x13, (uint8_t)strlen(all_curves[i])};
        memcpy(text + 2, all_curves[i], text[1]);
        const struct key_curve *by_oid = NULL, *by_name = NULL;
        CK_KEY_TYPE type = type_of(all_curves[i]);
        UNIT_OK(key_curve_find(type, fixture_curve(all_curves[i]), &by_oid));
        UNIT_OK(key_curve_find(type, bytes_of(text, text[1] + 2U), &by_name));
        CU_ASSERT_PTR_EQUAL(by_oid, by_name);
        UNIT_RC(key_curve_find(type == CKK_EC ? CKK_EC_EDWARDS : CKK_EC,
                               fixture_curve(all_curves[i]), &by_oid),
                RC_CURVE);
    }
}

static void what_names_no_curve_is_refused(void)
{
    const struct key_curve *curve = NULL;
    UNIT_RC(key_curve_find(CKK_EC, BYTES_NONE, &curve), RC_CURVE);
    UNIT_RC(key_curve_find(CKK_EC, bytes_of("\x05\x00", 2), &curve), RC_CURVE);
    UNIT_RC(key_curve_find(CKK_EC, bytes_of("\x30\x03\x02\x01\x01", 5), &curve), RC_CURVE);
    UNIT_RC(key_curve_find(CKK_EC, bytes_of("\x13\x05secp", 6), &curve), RC_CURVE);
}

static void a_generated_key_validates_and_has_its_facts(void)
{
    static const uint32_t strengths[CURVE_COUNT] = {112, 128, 192, 256, 128, 128, 224, 128, 224};
    static const uint32_t outputs[CURVE_COUNT] = {56, 64, 96, 132, 64, 64, 114, 0, 0};
    for (size_t i = 0; i < CURVE_COUNT; i++) {
        struct key_pair pair;
        fixture_curve_pair(all_curves[i], &pair);
        UNIT_OK(key_validate(pair.private_key));
        UNIT_OK(key_validate(pair.public_key));
        CU_ASSERT_EQUAL(key_strength(pair.private_key), strengths[i]);
        CU_ASSERT_EQUAL(key_output_len(pair.public_key), outputs[i]);
        fixture_pair_clear(&pair);
    }
}

static enum rc parse(const char *curve, CK_OBJECT_CLASS object_class, CK_ATTRIBUTE_TYPE type,
                     struct bytes value)
{
    struct attr_list attrs = {.count = 0};
    struct key *key = NULL;
    UNIT_OK(crypto_lib_init());
    UNIT_OK(attr_list_add(&attrs, CKA_EC_PARAMS, fixture_curve(curve)));
    UNIT_OK(attr_list_add(&attrs, type, value));
    enum rc rc = key_parse(object_class, type_of(curve), attrs_of(&attrs), &key);
    key_free(key);
    return rc;
}

static void private_numbers_outside_the_order_are_refused(void)
{
    static const uint8_t order[] = {0xFF, 0xFF, 0xFF, 0xFF, 0x00, 0x00, 0x00, 0x00,
                                    0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
                                    0xBC, 0xE6, 0xFA, 0xAD, 0xA7, 0x17, 0x9E, 0x84,
                                    0xF3, 0xB9, 0xCA, 0xC2, 0xFC, 0x63, 0x25, 0x51};
    uint8_t below[32], zero[32] = {0}, longer[33] = {1};
    memcpy(below, order, sizeof order);
    below[31]--;
    UNIT_RC(parse("secp256r1", CKO_PRIVATE_KEY, CKA_VALUE, bytes_of(order, 32)),
            RC_ATTRIBUTE_VALUE);
    UNIT_OK(parse("secp256r1", CKO_PRIVATE_KEY, CKA_VALUE, bytes_of(below, 32)));
    UNIT_RC(parse("secp256r1", CKO_PRIVATE_KEY, CKA_VALUE, bytes_of(zero, 32)), RC_ATTRIBUTE_VALUE);
    UNIT_RC(parse("secp256r1", CKO_PRIVATE_KEY, CKA_VALUE, bytes_of(longer, 33)),
            RC_ATTRIBUTE_VALUE);
    UNIT_OK(parse("secp256r1", CKO_PRIVATE_KEY, CKA_VALUE, bytes_of("\x01", 1)));
    UNIT_RC(parse("edwards25519", CKO_PRIVATE_KEY, CKA_VALUE, bytes_of(zero, 31)),
            RC_ATTRIBUTE_VALUE);
}

static void a_point_off_the_curve_is_refused(void)
{
    uint8_t point[65] = {4, 1, 2, 3};
    UNIT_RC(parse("secp256r1", CKO_PUBLIC_KEY, CKA_EC_POINT, bytes_of(point, 65)), RC_PUBLIC_KEY);
    UNIT_RC(parse("secp256r1", CKO_PUBLIC_KEY, CKA_EC_POINT, bytes_of(point, 64)), RC_PUBLIC_KEY);
    UNIT_RC(parse("secp256r1", CKO_PUBLIC_KEY, CKA_EC_POINT, bytes_of("\0", 1)), RC_PUBLIC_KEY);
    UNIT_RC(parse("secp256r1", CKO_PUBLIC_KEY, CKA_EC_POINT, BYTES_NONE), RC_TEMPLATE_INCOMPLETE);
    UNIT_RC(parse("curve448", CKO_PUBLIC_KEY, CKA_EC_POINT, bytes_of(point, 57)), RC_PUBLIC_KEY);
}

/* Raw, compressed, and in DER: one canonical form. */
static void every_form_of_a_point_becomes_one(void)
{
    struct key_pair pair;
    struct attr_list attrs;
    AUTO_BUF compressed = BUF_INIT, from_raw = BUF_INIT, from_compressed = BUF_INIT,
             again = BUF_INIT;
    const struct bytes params = fixture_curve("secp256r1");
    fixture_curve_pair("secp256r1", &pair);
    fixture_attrs(&pair.public_material, &attrs);
    const struct bytes der = attrs_find(attrs_of(&attrs), CKA_EC_POINT)->value;
    CU_ASSERT_EQUAL_FATAL(der.len, 67);
    const struct bytes raw = bytes_slice(der, 2, 65);
    UNIT_OK(buf_put_u8(&compressed, (uint8_t)(2 + (raw.ptr[64] & 1))));
    UNIT_OK(buf_append(&compressed, bytes_slice(raw, 1, 32)));
    UNIT_OK(key_ec_point(CKK_EC, params, raw, &from_raw));
    UNIT_OK(key_ec_point(CKK_EC, params, buf_bytes(&compressed), &from_compressed));
    UNIT_OK(key_ec_point(CKK_EC, params, der, &again));
    CU_ASSERT_TRUE(bytes_equal(buf_bytes(&from_raw), der));
    CU_ASSERT_TRUE(bytes_equal(buf_bytes(&from_compressed), der));
    CU_ASSERT_TRUE(bytes_equal(buf_bytes(&again), der));
    fixture_pair_clear(&pair);
}

static void an_edwards_point_stays_raw_even_when_it_looks_like_der(void)
{
    uint8_t point[34] = {4, 30};
    AUTO_BUF raw = BUF_INIT, unwrapped = BUF_INIT;
    const struct bytes params = fixture_curve("edwards25519");
    UNIT_OK(key_ec_point(CKK_EC_EDWARDS, params, bytes_of(point, 32), &raw));
    CU_ASSERT_TRUE(bytes_equal(buf_bytes(&raw), bytes_of(point, 32)));
    point[1] = 32;
    UNIT_OK(key_ec_point(CKK_EC_EDWARDS, params, bytes_of(point, 34), &unwrapped));
    CU_ASSERT_TRUE(bytes_equal(buf_bytes(&unwrapped), bytes_of(point + 2, 32)));
    UNIT_RC(key_ec_point(CKK_EC_EDWARDS, params, bytes_of(point, 33), &raw), RC_PUBLIC_KEY);
}

static void a_point_that_belongs_to_another_value_is_refused(void)
{
    static const char *const curves[] = {"secp384r1", "edwards448", "curve25519"};
    for (size_t i = 0; i < 3; i++) {
        struct key_pair one, other;
        struct attr_list mine, theirs;
        struct key *key = NULL;
        fixture_curve_pair(curves[i], &one);
        fixture_curve_pair(curves[i], &other);
        fixture_attrs(&one.private_material, &mine);
        fixture_attrs(&other.public_material, &theirs);
        UNIT_OK(
            attr_list_add(&mine, CKA_EC_POINT, attrs_find(attrs_of(&theirs), CKA_EC_POINT)->value));
        UNIT_RC(key_parse(CKO_PRIVATE_KEY, type_of(curves[i]), attrs_of(&mine), &key),
                RC_ATTRIBUTE_VALUE);
        fixture_pair_clear(&one);
        fixture_pair_clear(&other);
    }
}

UNIT_SUITE("token/key_ec", UNIT_CASE(every_curve_is_known_by_oid_and_by_name),
           UNIT_CASE(what_names_no_curve_is_refused),
           UNIT_CASE(a_generated_key_validates_and_has_its_facts),
           UNIT_CASE(private_numbers_outside_the_order_are_refused),
           UNIT_CASE(a_point_off_the_curve_is_refused),
           UNIT_CASE(every_form_of_a_point_becomes_one),
           UNIT_CASE(an_edwards_point_stays_raw_even_when_it_looks_like_der),
           UNIT_CASE(a_point_that_belongs_to_another_value_is_refused));

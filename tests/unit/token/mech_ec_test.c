/* SPDX-License-Identifier: Apache-2.0 */
/* Mechanisms on curves: what randomness keeps out of the vectors, widths, two sides of an
 * agreement.
 */
#include "key_fixture.h"
#include "tests/unit/unit.h"
#include "token/ecdsa_der.h"
#include "token/key_internal.h"

static const char *const weierstrass[] = {"secp224r1", "secp256r1", "secp384r1", "secp521r1",
                                          "secp256k1"};
#define WEIERSTRASS_COUNT (sizeof weierstrass / sizeof weierstrass[0])

static void sign_and_verify(const struct mechanism *mech, const struct key_pair *pair)
{
    AUTO_BUF signature = BUF_INIT;
    const struct mech_call call = {.mech = mech};
    const struct bytes data = bytes_of_str("message");
    UNIT_OK(fixture_crypt(&call, CRYPT_SIGN, pair->private_key, data, BYTES_NONE, &signature));
    CU_ASSERT_EQUAL(signature.len, key_output_len(pair->private_key));
    UNIT_OK(
        fixture_crypt(&call, CRYPT_VERIFY, pair->public_key, data, buf_bytes(&signature), NULL));
    signature.ptr[signature.len - 1] ^= 1;
    UNIT_RC(fixture_crypt(&call, CRYPT_VERIFY, pair->public_key, data, buf_bytes(&signature), NULL),
            RC_SIGNATURE_INVALID);
}

static void every_row_signs_on_every_curve(void)
{
    for (size_t c = 0; c < WEIERSTRASS_COUNT; c++) {
        struct key_pair pair;
        fixture_curve_pair(weierstrass[c], &pair);
        for (size_t i = 0; i < mechanism_count(); i++) {
            const struct mechanism *mech = mechanism_at(i);
            if (mech->family == FAMILY_ECDSA && (mech->flags & CKF_SIGN) != 0)
                sign_and_verify(mech, &pair);
        }
        fixture_pair_clear(&pair);
    }
}

/* About one in 128 has an r or s that begins with a zero byte. */
static void signatures_have_one_width(void)
{
    struct key_pair pair;
    const struct mech_call call = fixture_call("CKM_ECDSA_SHA256");
    fixture_curve_pair("secp256r1", &pair);
    for (unsigned i = 0; i < 600; i++) {
        AUTO_BUF signature = BUF_INIT;
        const struct bytes data = bytes_of(&i, sizeof i);
        UNIT_OK(fixture_crypt(&call, CRYPT_SIGN, pair.private_key, data, BYTES_NONE, &signature));
        CU_ASSERT_EQUAL(signature.len, 64);
        UNIT_OK(
            fixture_crypt(&call, CRYPT_VERIFY, pair.public_key, data, buf_bytes(&signature), NULL));
    }
    fixture_pair_clear(&pair);
}

/* Zero is one zero byte in DER, and no byte of a number's own. */
static void a_signature_of_zeroes_has_both_forms(void)
{
    const uint8_t raw[64] = {0};
    const uint8_t expected[] = {0x30, 0x06, 0x02, 0x01, 0x00, 0x02, 0x01, 0x00};
    uint8_t der[ECDSA_DER_MAX];
    uint8_t back[sizeof raw] = {1};
    size_t len = ecdsa_der_encode(bytes_of(raw, sizeof raw), der);
    CU_ASSERT_TRUE(bytes_equal(bytes_of(der, len), bytes_of(expected, sizeof expected)));
    CU_ASSERT_TRUE_FATAL(ecdsa_der_decode(bytes_of(der, len), sizeof raw / 2, back));
    CU_ASSERT_TRUE(bytes_equal(bytes_of(back, sizeof back), bytes_of(raw, sizeof raw)));
}

/* FIPS 186-5 6.4.1: the leftmost bits of the order's length count. */
static void a_longer_digest_is_truncated(void)
{
    struct key_pair pair;
    AUTO_BUF signature = BUF_INIT;
    uint8_t digest[64];
    memset(digest, 0x5A, sizeof digest);
    const struct mech_call call = fixture_call("CKM_ECDSA");
    fixture_curve_pair("secp256r1", &pair);
    UNIT_OK(fixture_crypt(&call, CRYPT_SIGN, pair.private_key, bytes_of(digest, 64), BYTES_NONE,
                          &signature));
    UNIT_OK(fixture_crypt(&call, CRYPT_VERIFY, pair.public_key, bytes_of(digest, 32),
                          buf_bytes(&signature), NULL));
    UNIT_RC(fixture_crypt(&call, CRYPT_SIGN, pair.private_key, BYTES_NONE, BYTES_NONE, &signature),
            RC_DATA_LEN);
    fixture_pair_clear(&pair);
}

static void derive(const struct key_pair *own, const struct key_pair *peer, struct secret *out)
{
    struct mech_call call = fixture_call("CKM_ECDH1_DERIVE");
    struct attr_list attrs;
    fixture_attrs(&peer->public_material, &attrs);
    call.has_param = true;
    call.u.ecdh.kdf = CKD_NULL;
    call.u.ecdh.peer = attrs_find(attrs_of(&attrs), CKA_EC_POINT)->value;
    UNIT_OK(mech_derive(&call, own->private_key, NULL, 0, 0, out));
}

static void both_sides_agree_on_every_curve(void)
{
    static const char *const curves[] = {"secp224r1", "secp256r1",  "secp384r1", "secp521r1",
                                         "secp256k1", "curve25519", "curve448"};
    for (size_t i = 0; i < sizeof curves / sizeof curves[0]; i++) {
        struct key_pair one, other;
        AUTO_SECRET mine = SECRET_INIT, theirs = SECRET_INIT;
        fixture_curve_pair(curves[i], &one);
        fixture_curve_pair(curves[i], &other);
        derive(&one, &other, &mine);
        derive(&other, &one, &theirs);
        CU_ASSERT_EQUAL(mine.len, one.private_key->curve->len);
        CU_ASSERT_TRUE(secret_equal(&mine, secret_expose(&theirs)));
        fixture_pair_clear(&one);
        fixture_pair_clear(&other);
    }
}

static void instance(const struct key_pair *pair, bool has_param, bool ph, const char *context)
{
    AUTO_BUF signature = BUF_INIT;
    struct mech_call call = fixture_call("CKM_EDDSA");
    const struct bytes data = bytes_of_str("message");
    call.has_param = has_param;
    call.u.eddsa.ph = ph;
    call.u.eddsa.context = bytes_of_str(context);
    UNIT_OK(fixture_crypt(&call, CRYPT_SIGN, pair->private_key, data, BYTES_NONE, &signature));
    UNIT_OK(
        fixture_crypt(&call, CRYPT_VERIFY, pair->public_key, data, buf_bytes(&signature), NULL));
    call.has_param = true;
    call.u.eddsa.context = bytes_of_str("another");
    UNIT_RC(fixture_crypt(&call, CRYPT_VERIFY, pair->public_key, data, buf_bytes(&signature), NULL),
            RC_SIGNATURE_INVALID);
}

static void each_instance_of_eddsa_holds_for_itself_alone(void)
{
    static const char *const curves[] = {"edwards25519", "edwards448"};
    for (size_t i = 0; i < 2; i++) {
        struct key_pair pair;
        fixture_curve_pair(curves[i], &pair);
        instance(&pair, false, false, "");
        instance(&pair, true, false, "");
        instance(&pair, true, false, "context");
        instance(&pair, true, true, "");
        instance(&pair, true, true, "context");
        fixture_pair_clear(&pair);
    }
}

static void a_key_of_another_kind_is_refused(void)
{
    struct key_pair pair;
    AUTO_BUF out = BUF_INIT;
    const struct mech_call ecdsa = fixture_call("CKM_ECDSA"), eddsa = fixture_call("CKM_EDDSA");
    fixture_curve_pair("curve25519", &pair);
    UNIT_RC(
        fixture_crypt(&ecdsa, CRYPT_SIGN, pair.private_key, bytes_of_str("x"), BYTES_NONE, &out),
        RC_KEY_TYPE);
    UNIT_RC(
        fixture_crypt(&eddsa, CRYPT_SIGN, pair.private_key, bytes_of_str("x"), BYTES_NONE, &out),
        RC_KEY_TYPE);
    fixture_pair_clear(&pair);
}

UNIT_SUITE("token/mech_ec", UNIT_CASE(every_row_signs_on_every_curve),
           UNIT_CASE(signatures_have_one_width), UNIT_CASE(a_signature_of_zeroes_has_both_forms),
           UNIT_CASE(a_longer_digest_is_truncated), UNIT_CASE(both_sides_agree_on_every_curve),
           UNIT_CASE(each_instance_of_eddsa_holds_for_itself_alone),
           UNIT_CASE(a_key_of_another_kind_is_refused));

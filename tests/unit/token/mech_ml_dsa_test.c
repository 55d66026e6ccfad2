/* SPDX-License-Identifier: Apache-2.0 */
/* ML-DSA: keys from every form of their value, contexts, hedging, mu, digests; and an HSM whose
 * libcrypto lacks it. The known answers are in tests/vectors. */
#include "key_fixture.h"
#include "tests/unit/unit.h"
#include "token/key_internal.h"

#define SETS 3U

static bool is_offered(void)
{
    UNIT_OK(crypto_lib_init());
    return crypto_lib_offers(CKK_ML_DSA);
}

static struct mech_call call_of(const char *mechanism, CK_HEDGE_TYPE hedge, const char *context)
{
    struct mech_call call = fixture_call(mechanism);
    call.has_param = true;
    call.u.sign_context.hedge = hedge;
    call.u.sign_context.context = bytes_of_str(context);
    return call;
}

static enum rc parse(CK_OBJECT_CLASS object_class, CK_ULONG set, struct bytes value,
                     struct bytes seed)
{
    uint8_t number[8];
    struct attr_list attrs = {.count = 0};
    struct key *key = NULL;
    UNIT_OK(attr_list_add(&attrs, CKA_PARAMETER_SET, attr_ulong(number, set)));
    UNIT_OK(attr_list_add(&attrs, CKA_VALUE, value));
    UNIT_OK(attr_list_add(&attrs, CKA_SEED, seed));
    enum rc rc = key_parse(object_class, CKK_ML_DSA, attrs_of(&attrs), &key);
    if (rc == RC_OK)
        rc = key_validate(key);
    key_free(key);
    return rc;
}

static struct bytes part(const struct attr_list *attrs, CK_ATTRIBUTE_TYPE type)
{
    const struct attr *attr = attrs_find(attrs_of(attrs), type);
    CU_ASSERT_PTR_NOT_NULL_FATAL(attr);
    return attr->value;
}

static void an_hsm_whose_libcrypto_lacks_it_says_so(void)
{
    uint8_t number[8], value[ML_DSA_SEED_LEN] = {1};
    const struct attr wanted[] = {{CKA_PARAMETER_SET, attr_ulong(number, CKP_ML_DSA_44)}};
    const struct attrs none = {.count = 0};
    const struct mech_call call = fixture_call("CKM_ML_DSA_KEY_PAIR_GEN");
    AUTO_MATERIAL public = MATERIAL_INIT, private = MATERIAL_INIT;
    if (is_offered())
        return;
    UNIT_RC(mech_generate_pair(&call, (struct attrs){wanted, 1}, none, &public, &private),
            RC_MECHANISM);
    CU_ASSERT_PTR_NOT_NULL(strstr(rc_detail(), "3.5 or newer"));
    UNIT_RC(parse(CKO_PRIVATE_KEY, CKP_ML_DSA_44, BYTES_NONE, bytes_of(value, sizeof value)),
            RC_MECHANISM);
}

static void a_private_key_comes_from_its_seed_its_value_or_both(void)
{
    for (CK_ULONG set = 1; is_offered() && set <= SETS; set++) {
        struct key_pair pair;
        struct attr_list attrs;
        fixture_ml_dsa(set, &pair);
        fixture_attrs(&pair.private_material, &attrs);
        struct bytes value = part(&attrs, CKA_VALUE), seed = part(&attrs, CKA_SEED);
        CU_ASSERT_EQUAL(value.len, key_ml_dsa_set(set)->private_len);
        CU_ASSERT_EQUAL(seed.len, ML_DSA_SEED_LEN);
        UNIT_OK(parse(CKO_PRIVATE_KEY, set, value, seed));
        UNIT_OK(parse(CKO_PRIVATE_KEY, set, value, BYTES_NONE));
        UNIT_OK(parse(CKO_PRIVATE_KEY, set, BYTES_NONE, seed));
        UNIT_RC(parse(CKO_PRIVATE_KEY, set, BYTES_NONE, BYTES_NONE), RC_TEMPLATE_INCOMPLETE);
        fixture_pair_clear(&pair);
    }
}

static void parts_that_do_not_belong_together_are_refused(void)
{
    struct key_pair pair, other;
    struct attr_list attrs, others;
    if (!is_offered())
        return;
    fixture_ml_dsa(CKP_ML_DSA_44, &pair);
    fixture_ml_dsa(CKP_ML_DSA_44, &other);
    fixture_attrs(&pair.private_material, &attrs);
    fixture_attrs(&other.private_material, &others);
    struct bytes value = part(&attrs, CKA_VALUE), seed = part(&attrs, CKA_SEED);
    UNIT_RC(parse(CKO_PRIVATE_KEY, CKP_ML_DSA_44, value, part(&others, CKA_SEED)),
            RC_ATTRIBUTE_VALUE);
    UNIT_RC(parse(CKO_PRIVATE_KEY, CKP_ML_DSA_65, value, BYTES_NONE), RC_ATTRIBUTE_VALUE);
    UNIT_RC(parse(CKO_PRIVATE_KEY, CKP_ML_DSA_44, BYTES_NONE, bytes_slice(seed, 0, 31)),
            RC_ATTRIBUTE_VALUE);
    UNIT_RC(parse(CKO_PUBLIC_KEY, CKP_ML_DSA_44, value, BYTES_NONE), RC_ATTRIBUTE_VALUE);
    UNIT_RC(parse(CKO_PRIVATE_KEY, 4, value, seed), RC_ATTRIBUTE_VALUE);
    uint8_t bent[ML_DSA_PRIVATE_MAX];
    memcpy(bent, value.ptr, value.len);
    bent[200] ^= 1; /* within s1 */
    UNIT_RC(parse(CKO_PRIVATE_KEY, CKP_ML_DSA_44, bytes_of(bent, value.len), BYTES_NONE),
            RC_ATTRIBUTE_VALUE);
    fixture_pair_clear(&pair);
    fixture_pair_clear(&other);
}

static void sizes_are_those_of_the_parameter_set(void)
{
    for (CK_ULONG set = 1; is_offered() && set <= SETS; set++) {
        struct key_pair pair;
        AUTO_BUF signature = BUF_INIT;
        const struct mech_call call = fixture_call("CKM_ML_DSA");
        struct bytes data = bytes_of_str("data");
        fixture_ml_dsa(set, &pair);
        UNIT_OK(fixture_crypt(&call, CRYPT_SIGN, pair.private_key, data, BYTES_NONE, &signature));
        CU_ASSERT_EQUAL(signature.len, key_output_len(pair.private_key));
        CU_ASSERT_EQUAL(key_bits(pair.private_key), 8 * key_ml_dsa_set(set)->public_len);
        CU_ASSERT_PTR_EQUAL(key_ml_dsa_by_bits(key_bits(pair.public_key)), key_ml_dsa_set(set));
        UNIT_OK(
            fixture_crypt(&call, CRYPT_VERIFY, pair.public_key, data, buf_bytes(&signature), NULL));
        UNIT_RC(fixture_crypt(&call, CRYPT_VERIFY, pair.public_key, data,
                              bytes_slice(buf_bytes(&signature), 0, 100), NULL),
                RC_SIGNATURE_LEN);
        fixture_pair_clear(&pair);
    }
}

static void sign_twice(const char *mechanism, CK_HEDGE_TYPE hedge, struct key *key, bool same)
{
    AUTO_BUF first = BUF_INIT, second = BUF_INIT;
    const struct mech_call call = call_of(mechanism, hedge, "");
    UNIT_OK(fixture_crypt(&call, CRYPT_SIGN, key, bytes_of_str("data"), BYTES_NONE, &first));
    UNIT_OK(fixture_crypt(&call, CRYPT_SIGN, key, bytes_of_str("data"), BYTES_NONE, &second));
    CU_ASSERT_EQUAL(bytes_equal(buf_bytes(&first), buf_bytes(&second)), same);
}

static void signatures_are_hedged_unless_asked_otherwise(void)
{
    struct key_pair pair;
    if (!is_offered())
        return;
    fixture_ml_dsa(CKP_ML_DSA_44, &pair);
    static const char *const mechanisms[] = {"CKM_ML_DSA", "CKM_HASH_ML_DSA_SHA256"};
    for (size_t i = 0; i < sizeof mechanisms / sizeof mechanisms[0]; i++) {
        sign_twice(mechanisms[i], CKH_HEDGE_PREFERRED, pair.private_key, false);
        sign_twice(mechanisms[i], CKH_HEDGE_REQUIRED, pair.private_key, false);
        sign_twice(mechanisms[i], CKH_DETERMINISTIC_REQUIRED, pair.private_key, true);
    }
    fixture_pair_clear(&pair);
}

static void a_signature_holds_for_its_context_and_mechanism_alone(void)
{
    struct key_pair pair;
    AUTO_BUF signature = BUF_INIT;
    if (!is_offered())
        return;
    fixture_ml_dsa(CKP_ML_DSA_44, &pair);
    const struct mech_call call = call_of("CKM_ML_DSA", CKH_HEDGE_PREFERRED, "one");
    const struct mech_call others[] = {call_of("CKM_ML_DSA", CKH_HEDGE_PREFERRED, "two"),
                                       call_of("CKM_ML_DSA", CKH_HEDGE_PREFERRED, ""),
                                       call_of("CKM_HASH_ML_DSA_SHA512", 0, "one")};
    struct bytes data = bytes_of_str("data");
    UNIT_OK(fixture_crypt(&call, CRYPT_SIGN, pair.private_key, data, BYTES_NONE, &signature));
    UNIT_OK(fixture_crypt(&call, CRYPT_VERIFY, pair.public_key, data, buf_bytes(&signature), NULL));
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        UNIT_RC(fixture_crypt(&others[i], CRYPT_VERIFY, pair.public_key, data,
                              buf_bytes(&signature), NULL),
                RC_SIGNATURE_INVALID);
    fixture_pair_clear(&pair);
}

static void parameters_out_of_range_are_refused(void)
{
    static const uint8_t context[256];
    struct key_pair pair;
    if (!is_offered())
        return;
    fixture_ml_dsa(CKP_ML_DSA_44, &pair);
    struct mech_call call = call_of("CKM_ML_DSA", CKH_DETERMINISTIC_REQUIRED + 1, "");
    UNIT_RC(mech_check(&call, CRYPT_SIGN, pair.private_key), RC_MECHANISM_PARAM);
    call.u.sign_context.hedge = CKH_HEDGE_REQUIRED;
    call.u.sign_context.context = bytes_of(context, 256);
    UNIT_RC(mech_check(&call, CRYPT_SIGN, pair.private_key), RC_MECHANISM_PARAM);
    call.u.sign_context.context = bytes_of(context, 255);
    UNIT_OK(mech_check(&call, CRYPT_SIGN, pair.private_key));
    fixture_pair_clear(&pair);
}

/* FIPS 204, algorithm 7, step 6: mu = SHAKE256(SHAKE256(pk, 64) || M', 64). */
static void mu_of(const struct key *public_key, struct bytes message, uint8_t out[64])
{
    AUTO_SECRET arena = SECRET_INIT;
    struct attr_list parts = {.count = 0};
    uint8_t tr[64];
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    UNIT_OK(key_parts(public_key, false, &arena, &parts));
    struct bytes pk = part(&parts, CKA_VALUE);
    CU_ASSERT_EQUAL(EVP_DigestInit_ex(ctx, crypto_shake256(), NULL), 1);
    CU_ASSERT_EQUAL(EVP_DigestUpdate(ctx, pk.ptr, pk.len), 1);
    CU_ASSERT_EQUAL(EVP_DigestFinalXOF(ctx, tr, sizeof tr), 1);
    CU_ASSERT_EQUAL(EVP_DigestInit_ex(ctx, crypto_shake256(), NULL), 1);
    CU_ASSERT_EQUAL(EVP_DigestUpdate(ctx, tr, sizeof tr), 1);
    CU_ASSERT_EQUAL(EVP_DigestUpdate(ctx, "\0\0", 2), 1); /* pure, no context */
    CU_ASSERT_EQUAL(EVP_DigestUpdate(ctx, message.ptr, message.len), 1);
    CU_ASSERT_EQUAL(EVP_DigestFinalXOF(ctx, out, 64), 1);
    EVP_MD_CTX_free(ctx);
}

static void a_message_and_its_representative_have_one_signature(void)
{
    struct key_pair pair;
    AUTO_BUF signature = BUF_INIT, iv = BUF_INIT, nothing = BUF_INIT;
    uint8_t mu[64];
    if (!is_offered())
        return;
    fixture_ml_dsa(CKP_ML_DSA_65, &pair);
    const struct mech_call call = fixture_call("CKM_ML_DSA");
    mu_of(pair.public_key, bytes_of_str("data"), mu);
    UNIT_OK(mech_crypt(&call, CRYPT_SIGN, pair.private_key, 0, true, bytes_of(mu, 64), BYTES_NONE,
                       &signature, &iv));
    UNIT_OK(fixture_crypt(&call, CRYPT_VERIFY, pair.public_key, bytes_of_str("data"),
                          buf_bytes(&signature), NULL));
    UNIT_OK(mech_crypt(&call, CRYPT_VERIFY, pair.public_key, 0, true, bytes_of(mu, 64),
                       buf_bytes(&signature), &nothing, &iv));
    UNIT_RC(mech_crypt(&call, CRYPT_SIGN, pair.private_key, 0, true, bytes_of(mu, 63), BYTES_NONE,
                       &nothing, &iv),
            RC_DATA_LEN);
    fixture_pair_clear(&pair);
}

UNIT_SUITE("token/mech_ml_dsa", UNIT_CASE(an_hsm_whose_libcrypto_lacks_it_says_so),
           UNIT_CASE(a_private_key_comes_from_its_seed_its_value_or_both),
           UNIT_CASE(parts_that_do_not_belong_together_are_refused),
           UNIT_CASE(sizes_are_those_of_the_parameter_set),
           UNIT_CASE(signatures_are_hedged_unless_asked_otherwise),
           UNIT_CASE(a_signature_holds_for_its_context_and_mechanism_alone),
           UNIT_CASE(parameters_out_of_range_are_refused),
           UNIT_CASE(a_message_and_its_representative_have_one_signature));

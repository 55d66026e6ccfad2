/* SPDX-License-Identifier: Apache-2.0 */
/* Mechanism parameters: each struct there and back, each refusal, misaligned pointers. */
#include "rpc/codec.h"

#include <stdlib.h>

#include "tests/unit/unit.h"

static uint8_t iv16[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
static uint8_t text[] = "additional data";
#define TEXT ((CK_VOID_PTR)text), sizeof text

static struct wire_mechanism wire;
static struct mech_call call;

/* Through the caller's border, the wire, and back; `call` is what arrives. */
static enum rc pass(CK_MECHANISM_TYPE type, const void *param, size_t len)
{
    CK_MECHANISM ck = {.mechanism = type, .ulParameterLen = len};
    memcpy(&ck.pParameter, &param, sizeof param);
    wire_mechanism_clear(&wire);
    TRY(codec_mechanism_in(&ck, &wire));
    Qhsm__Mechanism pb;
    codec_mechanism_pb(&wire, &pb);
    TRY(codec_mechanism_from_pb(&pb, &call));
    CU_ASSERT_EQUAL(call.mech->type, type);
    CU_ASSERT_EQUAL(call.has_param, len > 0);
    return codec_mechanism_call(&wire, &call);
}
#define PASS(type, param) pass(type, &(param), sizeof(param))

static bool same(struct bytes b, const void *ptr, size_t len)
{
    return bytes_equal(b, bytes_of(ptr, len));
}

static void mechanism_without_parameter_passes(void)
{
    UNIT_OK(pass(CKM_SHA256_RSA_PKCS, NULL, 0));
    UNIT_OK(pass(CKM_SHA256_RSA_PKCS, iv16, 0));
    UNIT_RC(PASS(CKM_SHA256_RSA_PKCS, iv16), RC_MECHANISM_PARAM);
    UNIT_RC(pass(CKM_AES_CBC, NULL, 0), RC_MECHANISM_PARAM);
    UNIT_RC(pass(CKM_AES_CBC, NULL, 16), RC_MECHANISM_PARAM);
}

static void unknown_and_absent_mechanisms_are_refused(void)
{
    UNIT_RC(pass(CKM_MD5_RSA_PKCS, NULL, 0), RC_MECHANISM);
    UNIT_RC(codec_mechanism_in(NULL, &wire), RC_BAD_ARGUMENT);
    UNIT_RC(codec_mechanism_from_pb(NULL, &call), RC_MECHANISM);
}

static void ivs_have_their_length(void)
{
    UNIT_OK(PASS(CKM_AES_CBC, iv16));
    CU_ASSERT(same(call.u.iv, iv16, 16));
    UNIT_RC(pass(CKM_AES_CBC, iv16, 12), RC_MECHANISM_PARAM);
    UNIT_OK(pass(CKM_AES_KEY_WRAP, NULL, 0));
    UNIT_OK(pass(CKM_AES_KEY_WRAP, iv16, 8));
    UNIT_OK(pass(CKM_AES_KEY_WRAP_KWP, iv16, 4));
    UNIT_RC(pass(CKM_AES_KEY_WRAP, iv16, 16), RC_MECHANISM_PARAM);
}

static void counter_has_1_to_128_bits(void)
{
    CK_AES_CTR_PARAMS p = {.ulCounterBits = 128};
    memcpy(p.cb, iv16, 16);
    UNIT_OK(PASS(CKM_AES_CTR, p));
    CU_ASSERT_EQUAL(call.u.ctr.counter_bits, 128);
    CU_ASSERT(memcmp(call.u.ctr.block, iv16, 16) == 0);
    p.ulCounterBits = 0;
    UNIT_RC(PASS(CKM_AES_CTR, p), RC_MECHANISM_PARAM);
    p.ulCounterBits = 129;
    UNIT_RC(PASS(CKM_AES_CTR, p), RC_MECHANISM_PARAM);
}

/* PITFALLS: JDK 17 sends one, then the other. */
static void gcm_comes_in_48_and_40_bytes(void)
{
    CK_GCM_PARAMS p = {iv16, 12, 96, TEXT, 128};
    UNIT_OK(PASS(CKM_AES_GCM, p));
    CU_ASSERT(same(call.u.gcm.iv, iv16, 12));
    CU_ASSERT(same(call.u.gcm.aad, TEXT));
    CU_ASSERT(call.u.gcm.iv_bits == 96 && call.u.gcm.tag_bits == 128);
    CK_GCM_PARAMS_LEGACY old = {iv16, 12, TEXT, 96};
    UNIT_OK(PASS(CKM_AES_GCM, old));
    CU_ASSERT(same(call.u.gcm.iv, iv16, 12));
    CU_ASSERT(same(call.u.gcm.aad, TEXT));
    CU_ASSERT(call.u.gcm.iv_bits == 0 && call.u.gcm.tag_bits == 96);
    UNIT_OK(PASS(CKM_CLOUDHSM_AES_GCM, p));
    UNIT_RC(pass(CKM_AES_GCM, &p, 44), RC_MECHANISM_PARAM);
}

static void gcm_refuses_what_cannot_be(void)
{
    CK_GCM_PARAMS p = {iv16, 12, 96, TEXT, 129};
    UNIT_RC(PASS(CKM_AES_GCM, p), RC_MECHANISM_PARAM);
    p.ulTagBits = 100;
    UNIT_RC(PASS(CKM_AES_GCM, p), RC_MECHANISM_PARAM);
    p.ulTagBits = 128;
    p.ulIvLen = 0;
    UNIT_RC(PASS(CKM_AES_GCM, p), RC_MECHANISM_PARAM);
    p.ulIvLen = 12;
    p.pIv = NULL;
    UNIT_RC(PASS(CKM_AES_GCM, p), RC_MECHANISM_PARAM);
    p.pIv = iv16;
    p.pAAD = NULL;
    UNIT_RC(PASS(CKM_AES_GCM, p), RC_MECHANISM_PARAM);
    p.ulAADLen = 0;
    UNIT_OK(PASS(CKM_AES_GCM, p));
    p.pAAD = text;
    p.ulAADLen = (CK_ULONG)-1;
    UNIT_RC(PASS(CKM_AES_GCM, p), RC_MECHANISM_PARAM);
}

static void parameter_is_bounded_as_a_whole(void)
{
    uint8_t *big = calloc(1, 65536);
    CU_ASSERT_PTR_NOT_NULL_FATAL(big);
    CK_GCM_PARAMS p = {iv16, 12, 96, big, 65536, 128};
    UNIT_RC(PASS(CKM_AES_GCM, p), RC_MECHANISM_PARAM);
    p.ulAADLen = 65536 - 100;
    UNIT_OK(PASS(CKM_AES_GCM, p));
    UNIT_RC(codec_mechanism_decode(CKM_AES_GCM, true, bytes_of(big, 65537), &call),
            RC_MECHANISM_PARAM);
    free(big);
}

static void ccm_passes_and_checks_its_lengths(void)
{
    CK_CCM_PARAMS p = {32, iv16, 13, TEXT, 16};
    UNIT_OK(PASS(CKM_AES_CCM, p));
    CU_ASSERT(same(call.u.ccm.nonce, iv16, 13));
    CU_ASSERT(call.u.ccm.data_len == 32 && call.u.ccm.mac_len == 16);
    p.ulNonceLen = 6;
    UNIT_RC(PASS(CKM_AES_CCM, p), RC_MECHANISM_PARAM);
    p.ulNonceLen = 14;
    UNIT_RC(PASS(CKM_AES_CCM, p), RC_MECHANISM_PARAM);
    p.ulNonceLen = 12;
    p.ulMACLen = 5;
    UNIT_RC(PASS(CKM_AES_CCM, p), RC_MECHANISM_PARAM);
}

static void numbers_and_handles_pass(void)
{
    CK_MAC_GENERAL_PARAMS length = 8;
    CK_OBJECT_HANDLE handle = 0x8000000000000042;
    UNIT_OK(PASS(CKM_SHA256_HMAC_GENERAL, length));
    CU_ASSERT_EQUAL(call.u.length, 8);
    UNIT_OK(PASS(CKM_CONCATENATE_BASE_AND_KEY, handle));
    CU_ASSERT_EQUAL(call.u.object, handle);
    UNIT_RC(pass(CKM_SHA256_HMAC_GENERAL, &length, 4), RC_MECHANISM_PARAM);
}

static void pss_names_known_digests_and_the_mechanism_s_own(void)
{
    CK_RSA_PKCS_PSS_PARAMS p = {CKM_SHA256, CKG_MGF1_SHA384, 32};
    UNIT_OK(PASS(CKM_RSA_PKCS_PSS, p));
    CU_ASSERT(call.u.pss.digest == DIGEST_SHA256 && call.u.pss.mgf == DIGEST_SHA384);
    CU_ASSERT_EQUAL(call.u.pss.salt_len, 32);
    UNIT_OK(PASS(CKM_SHA256_RSA_PKCS_PSS, p));
    UNIT_RC(PASS(CKM_SHA384_RSA_PKCS_PSS, p), RC_MECHANISM_PARAM);
    p.mgf = 99;
    UNIT_RC(PASS(CKM_RSA_PKCS_PSS, p), RC_MECHANISM_PARAM);
    p = (CK_RSA_PKCS_PSS_PARAMS){CKM_SHA256_HMAC, CKG_MGF1_SHA384, 32};
    UNIT_RC(PASS(CKM_RSA_PKCS_PSS, p), RC_MECHANISM_PARAM);
}

static void oaep_takes_a_label_or_none(void)
{
    CK_RSA_PKCS_OAEP_PARAMS p = {CKM_SHA_1, CKG_MGF1_SHA1, CKZ_DATA_SPECIFIED, TEXT};
    UNIT_OK(PASS(CKM_RSA_PKCS_OAEP, p));
    CU_ASSERT(same(call.u.oaep.label, TEXT));
    p.source = 0;
    UNIT_RC(PASS(CKM_RSA_PKCS_OAEP, p), RC_MECHANISM_PARAM);
    p.ulSourceDataLen = 0;
    UNIT_OK(PASS(CKM_RSA_PKCS_OAEP, p));
    p.source = 2;
    UNIT_RC(PASS(CKM_RSA_PKCS_OAEP, p), RC_MECHANISM_PARAM);
}

static void rsa_aes_wrap_nests_oaep(void)
{
    CK_RSA_PKCS_OAEP_PARAMS oaep = {CKM_SHA256, CKG_MGF1_SHA256, CKZ_DATA_SPECIFIED, NULL, 0};
    CK_RSA_AES_KEY_WRAP_PARAMS p = {256, &oaep};
    UNIT_OK(PASS(CKM_RSA_AES_KEY_WRAP, p));
    CU_ASSERT(call.u.rsa_aes.aes_bits == 256 && call.u.rsa_aes.digest == DIGEST_SHA256);
    p.ulAESKeyBits = 100;
    UNIT_RC(PASS(CKM_RSA_AES_KEY_WRAP, p), RC_MECHANISM_PARAM);
    p = (CK_RSA_AES_KEY_WRAP_PARAMS){256, NULL};
    UNIT_RC(PASS(CKM_RSA_AES_KEY_WRAP, p), RC_MECHANISM_PARAM);
}

static void ecdh_needs_the_other_party_s_key(void)
{
    CK_ECDH1_DERIVE_PARAMS p = {CKD_SHA256_KDF, sizeof text, text, 16, iv16};
    UNIT_OK(PASS(CKM_ECDH1_DERIVE, p));
    CU_ASSERT(same(call.u.ecdh.peer, iv16, 16));
    CU_ASSERT(same(call.u.ecdh.shared_info, TEXT));
    p.kdf = CKD_NULL;
    UNIT_RC(PASS(CKM_ECDH1_DERIVE, p), RC_MECHANISM_PARAM);
    p.ulSharedDataLen = 0;
    UNIT_OK(PASS(CKM_ECDH1_DERIVE, p));
    p.kdf = CKD_CPDIVERSIFY_KDF;
    UNIT_RC(PASS(CKM_ECDH1_DERIVE, p), RC_MECHANISM_PARAM);
    p = (CK_ECDH1_DERIVE_PARAMS){CKD_NULL, 0, NULL, 0, NULL};
    UNIT_RC(PASS(CKM_ECDH1_DERIVE, p), RC_MECHANISM_PARAM);
}

static void eddsa_is_pure_without_a_parameter(void)
{
    uint8_t context[256] = {0};
    UNIT_OK(pass(CKM_EDDSA, NULL, 0));
    CU_ASSERT(!call.u.eddsa.ph && call.u.eddsa.context.len == 0);
    CK_EDDSA_PARAMS p = {CK_TRUE, 255, context};
    UNIT_OK(PASS(CKM_EDDSA, p));
    CU_ASSERT(call.u.eddsa.ph && call.u.eddsa.context.len == 255);
    p.ulContextDataLen = 256;
    UNIT_RC(PASS(CKM_EDDSA, p), RC_MECHANISM_PARAM);
    p = (CK_EDDSA_PARAMS){7, 0, NULL};
    UNIT_RC(PASS(CKM_EDDSA, p), RC_MECHANISM_PARAM);
}

static void ml_dsa_takes_a_hedge_variant_and_a_context(void)
{
    uint8_t context[256] = {0};
    UNIT_OK(pass(CKM_ML_DSA, NULL, 0));
    CU_ASSERT(!call.has_param);
    CK_SIGN_ADDITIONAL_CONTEXT p = {CKH_DETERMINISTIC_REQUIRED, context, 255};
    UNIT_OK(PASS(CKM_HASH_ML_DSA_SHA512, p));
    CU_ASSERT(call.u.sign_context.hedge == CKH_DETERMINISTIC_REQUIRED &&
              call.u.sign_context.context.len == 255);
    p.ulContextLen = 256;
    UNIT_RC(PASS(CKM_ML_DSA, p), RC_MECHANISM_PARAM);
    p = (CK_SIGN_ADDITIONAL_CONTEXT){CKH_DETERMINISTIC_REQUIRED + 1, NULL, 0};
    UNIT_RC(PASS(CKM_ML_DSA, p), RC_MECHANISM_PARAM);
    p = (CK_SIGN_ADDITIONAL_CONTEXT){CKH_HEDGE_REQUIRED, NULL, 1};
    UNIT_RC(PASS(CKM_ML_DSA, p), RC_MECHANISM_PARAM);
}

static void hkdf_reads_only_what_its_stages_use(void)
{
    CK_HKDF_PARAMS p = {CK_TRUE, CK_TRUE, CKM_SHA256, CKF_HKDF_SALT_DATA, TEXT, 5, iv16, 16};
    UNIT_OK(PASS(CKM_HKDF_DERIVE, p));
    CU_ASSERT(same(call.u.hkdf.salt, TEXT) && same(call.u.hkdf.info, iv16, 16));
    CU_ASSERT_EQUAL(call.u.hkdf.salt_key, CK_INVALID_HANDLE);
    p.ulSaltType = CKF_HKDF_SALT_KEY;
    p.pSalt = NULL;
    UNIT_OK(PASS(CKM_HKDF_DERIVE, p));
    CU_ASSERT(call.u.hkdf.salt.len == 0 && call.u.hkdf.salt_key == 5);
    p.ulSaltType = 0;
    UNIT_RC(PASS(CKM_HKDF_DERIVE, p), RC_MECHANISM_PARAM);
    p.bExtract = CK_FALSE;
    UNIT_OK(PASS(CKM_HKDF_DERIVE, p));
    p.bExpand = CK_FALSE;
    UNIT_RC(PASS(CKM_HKDF_DERIVE, p), RC_MECHANISM_PARAM);
}

static CK_SP800_108_COUNTER_FORMAT counter = {CK_FALSE, 32};
static CK_SP800_108_DKM_LENGTH_FORMAT dkm = {CK_SP800_108_DKM_LENGTH_SUM_OF_KEYS, CK_TRUE, 16};
static CK_PRF_DATA_PARAM fields[] = {
    {CK_SP800_108_ITERATION_VARIABLE, &counter, sizeof counter},
    {CK_SP800_108_BYTE_ARRAY, text, sizeof text},
    {CK_SP800_108_DKM_LENGTH, &dkm, sizeof dkm},
};

static void counter_kdf_keeps_its_fields_in_order(void)
{
    CK_SP800_108_KDF_PARAMS p = {CKM_SHA256_HMAC, 3, fields, 0, NULL};
    UNIT_OK(PASS(CKM_SP800_108_COUNTER_KDF, p));
    CU_ASSERT_EQUAL_FATAL(call.u.kdf.field_count, 3);
    CU_ASSERT_EQUAL(call.u.kdf.prf, CKM_SHA256_HMAC);
    CU_ASSERT(call.u.kdf.fields[0].width_bits == 32 && !call.u.kdf.fields[0].little_endian);
    CU_ASSERT(same(call.u.kdf.fields[1].data, TEXT));
    CU_ASSERT(call.u.kdf.fields[2].width_bits == 16 && call.u.kdf.fields[2].little_endian);
    CU_ASSERT_EQUAL(call.u.kdf.fields[2].dkm_method, CK_SP800_108_DKM_LENGTH_SUM_OF_KEYS);
}

static void counter_kdf_refuses_what_it_cannot_do(void)
{
    CK_PRF_DATA_PARAM many[PRF_FIELDS_MAX + 1] = {0};
    CK_SP800_108_KDF_PARAMS p = {CKM_SHA256_HMAC, 2, fields + 1, 0, NULL};
    UNIT_RC(PASS(CKM_SP800_108_COUNTER_KDF, p), RC_MECHANISM_PARAM);
    p = (CK_SP800_108_KDF_PARAMS){CKM_SHA256_HMAC, 3, fields, 1, NULL};
    UNIT_RC(PASS(CKM_SP800_108_COUNTER_KDF, p), RC_MECHANISM_PARAM);
    p = (CK_SP800_108_KDF_PARAMS){CKM_SHA256_HMAC, 3, NULL, 0, NULL};
    UNIT_RC(PASS(CKM_SP800_108_COUNTER_KDF, p), RC_MECHANISM_PARAM);
    p = (CK_SP800_108_KDF_PARAMS){CKM_SHA256_HMAC, PRF_FIELDS_MAX + 1, many, 0, NULL};
    UNIT_RC(PASS(CKM_SP800_108_COUNTER_KDF, p), RC_MECHANISM_PARAM);
    p.ulNumberOfDataParams = 1;
    UNIT_RC(PASS(CKM_SP800_108_COUNTER_KDF, p), RC_MECHANISM_PARAM);
    many[0] = (CK_PRF_DATA_PARAM){CK_SP800_108_ITERATION_VARIABLE, &counter, 1};
    UNIT_RC(PASS(CKM_SP800_108_COUNTER_KDF, p), RC_MECHANISM_PARAM);
    CK_SP800_108_COUNTER_FORMAT odd = {CK_FALSE, 12};
    many[0] = (CK_PRF_DATA_PARAM){CK_SP800_108_ITERATION_VARIABLE, &odd, sizeof odd};
    UNIT_RC(PASS(CKM_SP800_108_COUNTER_KDF, p), RC_MECHANISM_PARAM);
}

static void pbkdf2_takes_both_structs(void)
{
    CK_PKCS5_PBKD2_PARAMS2 p = {.saltSource = CKZ_SALT_SPECIFIED,
                                .pSaltSourceData = iv16,
                                .ulSaltSourceDataLen = 16,
                                .iterations = 1000,
                                .prf = CKP_PKCS5_PBKD2_HMAC_SHA256,
                                .pPassword = text,
                                .ulPasswordLen = sizeof text};
    UNIT_OK(PASS(CKM_PKCS5_PBKD2, p));
    CU_ASSERT(same(call.u.pbkdf2.password, TEXT));
    CU_ASSERT(call.u.pbkdf2.prf == DIGEST_SHA256 && call.u.pbkdf2.iterations == 1000);
    CK_ULONG len = sizeof text;
    CK_PKCS5_PBKD2_PARAMS old;
    memcpy(&old, &p, sizeof old);
    old.ulPasswordLen = &len;
    UNIT_OK(PASS(CKM_PKCS5_PBKD2, old));
    CU_ASSERT(same(call.u.pbkdf2.password, TEXT));
    p.ulPasswordLen = 0x10001; /* neither a length of ours nor memory */
    UNIT_RC(PASS(CKM_PKCS5_PBKD2, p), RC_MECHANISM_PARAM);
}

static void pbkdf2_refuses_wrong_values(void)
{
    CK_PKCS5_PBKD2_PARAMS2 good = {
        .saltSource = CKZ_SALT_SPECIFIED, .iterations = 1, .prf = CKP_PKCS5_PBKD2_HMAC_SHA512_256};
    CK_PKCS5_PBKD2_PARAMS2 p = good;
    UNIT_OK(PASS(CKM_PKCS5_PBKD2, p));
    p.iterations = 0;
    UNIT_RC(PASS(CKM_PKCS5_PBKD2, p), RC_MECHANISM_PARAM);
    p = good;
    p.prf = CKP_PKCS5_PBKD2_HMAC_GOSTR3411;
    UNIT_RC(PASS(CKM_PKCS5_PBKD2, p), RC_MECHANISM_PARAM);
    p = good;
    p.saltSource = 0;
    UNIT_RC(PASS(CKM_PKCS5_PBKD2, p), RC_MECHANISM_PARAM);
    p = good;
    p.ulPasswordLen = 4;
    UNIT_RC(PASS(CKM_PKCS5_PBKD2, p), RC_MECHANISM_PARAM);
}

static void derivation_data_is_not_empty(void)
{
    CK_KEY_DERIVATION_STRING_DATA p = {TEXT};
    UNIT_OK(PASS(CKM_XOR_BASE_AND_DATA, p));
    CU_ASSERT(same(call.u.iv, TEXT));
    p.ulLen = 0;
    UNIT_RC(PASS(CKM_AES_ECB_ENCRYPT_DATA, p), RC_MECHANISM_PARAM);
    CK_AES_CBC_ENCRYPT_DATA_PARAMS cbc = {.pData = text, .length = 16};
    memcpy(cbc.iv, iv16, 16);
    UNIT_OK(PASS(CKM_AES_CBC_ENCRYPT_DATA, cbc));
    CU_ASSERT(same(call.u.cbc_data.iv, iv16, 16) && same(call.u.cbc_data.data, text, 16));
}

/* Everything one byte off: the mechanism, its struct, the structs inside. */
static void misaligned_pointers_are_read(void)
{
    static uint8_t room[4][128];
    CK_MECHANISM_PTR at = NULL;
    void *mechanism = room[0] + 1;
    void *param = room[1] + 1;
    void *array = room[2] + 1;
    CK_SP800_108_KDF_PARAMS p = {CKM_SHA256_HMAC, 3, NULL, 0, NULL};
    memcpy(array, fields, sizeof fields);
    memcpy(&p.pDataParams, &array, sizeof array);
    memcpy(room[3] + 1, &counter, sizeof counter);
    void *value = room[3] + 1;
    memcpy((uint8_t *)array + offsetof(CK_PRF_DATA_PARAM, pValue), &value, sizeof value);
    memcpy(param, &p, sizeof p);
    CK_MECHANISM ck = {CKM_SP800_108_COUNTER_KDF, param, sizeof p};
    memcpy(mechanism, &ck, sizeof ck);
    memcpy(&at, &mechanism, sizeof at);
    wire_mechanism_clear(&wire);
    UNIT_OK(codec_mechanism_in(at, &wire));
    UNIT_OK(codec_mechanism_call(&wire, &call));
    CU_ASSERT_EQUAL(call.u.kdf.field_count, 3);
}

static void truncated_and_lengthened_encodings_are_refused(void)
{
    CK_GCM_PARAMS p = {iv16, 12, 96, TEXT, 128};
    UNIT_OK(PASS(CKM_AES_GCM, p));
    for (size_t len = 0; len < wire.param.len; len++)
        UNIT_RC(codec_mechanism_decode(CKM_AES_GCM, true, bytes_of(wire.param.ptr, len), &call),
                RC_MECHANISM_PARAM);
    UNIT_OK(buf_put_u8(&wire.param, 0));
    UNIT_RC(codec_mechanism_decode(CKM_AES_GCM, true, buf_bytes(&wire.param), &call),
            RC_MECHANISM_PARAM);
    UNIT_RC(codec_mechanism_decode(CKM_SHA256_RSA_PKCS, false, buf_bytes(&wire.param), &call),
            RC_MECHANISM_PARAM);
}

static void iv_of_the_hsm_is_written_back(void)
{
    uint8_t iv[12] = {0};
    CK_GCM_PARAMS p = {iv, 12, 96, NULL, 0, 128};
    CK_MECHANISM ck = {CKM_CLOUDHSM_AES_GCM, &p, sizeof p};
    UNIT_OK(codec_mechanism_iv_back(&ck, bytes_of(iv16, 12)));
    CU_ASSERT(memcmp(iv, iv16, 12) == 0);
    CK_GCM_PARAMS_LEGACY old = {iv, 11, NULL, 0, 128};
    ck = (CK_MECHANISM){CKM_CLOUDHSM_AES_GCM, &old, sizeof old};
    UNIT_RC(codec_mechanism_iv_back(&ck, bytes_of(iv16, 12)), RC_MECHANISM_PARAM);
    ck.ulParameterLen = 8;
    UNIT_RC(codec_mechanism_iv_back(&ck, bytes_of(iv16, 12)), RC_MECHANISM_PARAM);
}

/* Presence is judged for each row, so a new kind cannot be forgotten in the codec. */
static void every_row_refuses_a_byte_of_nonsense(void)
{
    for (size_t i = 0; i < mechanism_count(); i++)
        UNIT_RC(codec_mechanism_decode(mechanism_at(i)->type, true, bytes_of("x", 1), &call),
                RC_MECHANISM_PARAM);
    wire_mechanism_clear(&wire);
}

UNIT_SUITE("codec_mechanism", UNIT_CASE(mechanism_without_parameter_passes),
           UNIT_CASE(unknown_and_absent_mechanisms_are_refused), UNIT_CASE(ivs_have_their_length),
           UNIT_CASE(counter_has_1_to_128_bits), UNIT_CASE(gcm_comes_in_48_and_40_bytes),
           UNIT_CASE(gcm_refuses_what_cannot_be), UNIT_CASE(parameter_is_bounded_as_a_whole),
           UNIT_CASE(ccm_passes_and_checks_its_lengths), UNIT_CASE(numbers_and_handles_pass),
           UNIT_CASE(pss_names_known_digests_and_the_mechanism_s_own),
           UNIT_CASE(oaep_takes_a_label_or_none), UNIT_CASE(rsa_aes_wrap_nests_oaep),
           UNIT_CASE(ecdh_needs_the_other_party_s_key),
           UNIT_CASE(eddsa_is_pure_without_a_parameter),
           UNIT_CASE(ml_dsa_takes_a_hedge_variant_and_a_context),
           UNIT_CASE(hkdf_reads_only_what_its_stages_use),
           UNIT_CASE(counter_kdf_keeps_its_fields_in_order),
           UNIT_CASE(counter_kdf_refuses_what_it_cannot_do), UNIT_CASE(pbkdf2_takes_both_structs),
           UNIT_CASE(pbkdf2_refuses_wrong_values), UNIT_CASE(derivation_data_is_not_empty),
           UNIT_CASE(misaligned_pointers_are_read),
           UNIT_CASE(truncated_and_lengthened_encodings_are_refused),
           UNIT_CASE(iv_of_the_hsm_is_written_back),
           UNIT_CASE(every_row_refuses_a_byte_of_nonsense));

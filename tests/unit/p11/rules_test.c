/* SPDX-License-Identifier: Apache-2.0 */
/* Result lengths and the checks of Init, from facts alone. */
#include <stdlib.h>

#include "common/attribute.h"
#include "p11/crypt_rules.h"
#include "tests/unit/unit.h"

static struct facts *facts_of(CK_OBJECT_CLASS class, CK_KEY_TYPE type, uint32_t bits,
                              uint32_t output_len)
{
    struct facts *facts = calloc(1, sizeof *facts);
    CU_ASSERT_PTR_NOT_NULL_FATAL(facts);
    atomic_init(&facts->references, 1);
    facts->object_class = class;
    facts->key_type = type;
    facts->size_bits = bits;
    facts->output_len = output_len;
    facts->usage = 0x1FF;
    return facts;
}

struct length_case {
    CK_MECHANISM_TYPE type;
    const void *param;
    CK_ULONG param_len;
    enum crypt_op op;
    size_t in_len;
    size_t out_len;
    bool exact;
};

static void check_length(const struct length_case *c, struct facts *facts)
{
    CK_MECHANISM mechanism = {.mechanism = c->type, .ulParameterLen = c->param_len};
    memcpy(&mechanism.pParameter, &c->param, sizeof c->param);
    struct operation operation = {.stage = STAGE_NONE};
    operation_reset(&operation);
    UNIT_OK(codec_mechanism_in(&mechanism, &operation.mechanism));
    operation.facts = facts_ref(facts);
    size_t len = 0;
    bool exact = false;
    UNIT_OK(crypt_result_len(&operation, c->op, c->in_len, &len, &exact));
    CU_ASSERT_EQUAL(len, c->out_len);
    CU_ASSERT_EQUAL(exact, c->exact);
    operation_reset(&operation);
}

static void lengths_of_symmetric_results_are_known(void)
{
    static CK_BYTE iv[16];
    static CK_ULONG nine = 9;
    CK_GCM_PARAMS gcm = {.pIv = iv, .ulIvLen = 12, .ulIvBits = 96, .ulTagBits = 96};
    CK_CCM_PARAMS ccm = {.ulDataLen = 20, .pNonce = iv, .ulNonceLen = 12, .ulMACLen = 8};
    const struct length_case cases[] = {
        {CKM_AES_ECB, NULL, 0, CRYPT_ENCRYPT, 32, 32, true},
        {CKM_AES_CBC, iv, 16, CRYPT_DECRYPT, 32, 32, true},
        {CKM_AES_CBC_PAD, iv, 16, CRYPT_ENCRYPT, 32, 48, true},
        {CKM_AES_CBC_PAD, iv, 16, CRYPT_ENCRYPT, 31, 32, true},
        {CKM_AES_CBC_PAD, iv, 16, CRYPT_DECRYPT, 48, 48, false},
        {CKM_AES_GCM, &gcm, sizeof gcm, CRYPT_ENCRYPT, 20, 32, true},
        {CKM_AES_GCM, &gcm, sizeof gcm, CRYPT_DECRYPT, 32, 20, false},
        {CKM_AES_GCM, &gcm, sizeof gcm, CRYPT_DECRYPT, 3, 0, false},
        {CKM_AES_CCM, &ccm, sizeof ccm, CRYPT_ENCRYPT, 20, 28, true},
        {CKM_AES_CMAC, NULL, 0, CRYPT_SIGN, 1000, 16, true},
        {CKM_AES_CMAC_GENERAL, &nine, sizeof nine, CRYPT_SIGN, 1000, 9, true},
        {CKM_SHA384_HMAC, NULL, 0, CRYPT_SIGN, 1000, 48, true},
        {CKM_SHA384_HMAC_GENERAL, &nine, sizeof nine, CRYPT_SIGN, 1000, 9, true},
    };
    struct facts *facts = facts_of(CKO_SECRET_KEY, CKK_AES, 256, 0);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        check_length(&cases[i], facts);
    facts_unref(facts);
}

static void lengths_of_asymmetric_results_are_the_keys(void)
{
    const struct length_case cases[] = {
        {CKM_RSA_PKCS, NULL, 0, CRYPT_SIGN, 20, 256, true},
        {CKM_RSA_PKCS, NULL, 0, CRYPT_ENCRYPT, 20, 256, true},
        {CKM_RSA_PKCS, NULL, 0, CRYPT_DECRYPT, 256, 256, false},
        {CKM_RSA_PKCS, NULL, 0, CRYPT_VERIFY_RECOVER, 256, 256, false},
        {CKM_SHA256_RSA_PKCS, NULL, 0, CRYPT_SIGN, 5000, 256, true},
    };
    struct facts *facts = facts_of(CKO_PRIVATE_KEY, CKK_RSA, 2048, 256);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        check_length(&cases[i], facts);
    facts_unref(facts);
}

/* A mechanism that the table offers for an operation without a rule here would give nonsense. */
static void every_mechanism_of_an_operation_has_a_family_rule(void)
{
    const CK_FLAGS crypting = CKF_SIGN | CKF_VERIFY | CKF_ENCRYPT | CKF_DECRYPT;
    for (size_t i = 0; i < mechanism_count(); i++) {
        const struct mechanism *mech = mechanism_at(i);
        if ((mech->flags & crypting) == 0)
            continue;
        const struct crypt_family *family = crypt_family(mech);
        bool ruled = family->asymmetric || family->path == PATH_REMOTE ||
                     mech->family == FAMILY_AES_KW || mech->family == FAMILY_AES_KWP;
        CU_ASSERT(ruled);
    }
}

static void key_checks_have_their_own_codes(void)
{
    const struct mechanism *mech = mechanism_find(CKM_SHA256_RSA_PKCS);
    struct facts *facts = facts_of(CKO_PRIVATE_KEY, CKK_RSA, 2048, 256);
    UNIT_OK(crypt_check_key(facts, mech, CRYPT_SIGN));
    UNIT_OK(crypt_check_mechanism(mech, CRYPT_VERIFY));
    UNIT_RC(crypt_check_mechanism(mech, CRYPT_ENCRYPT), RC_MECHANISM);
    facts->size_bits = 1024;
    UNIT_RC(crypt_check_key(facts, mech, CRYPT_SIGN), RC_KEY_SIZE);
    facts->size_bits = 2048;
    facts->key_type = CKK_EC;
    UNIT_RC(crypt_check_key(facts, mech, CRYPT_SIGN), RC_KEY_TYPE);
    facts->key_type = CKK_RSA;
    facts->usage = 0;
    UNIT_RC(crypt_check_key(facts, mech, CRYPT_SIGN), RC_KEY_FUNCTION);
    facts->usage = USAGE_SIGN;
    facts->restricted = true;
    UNIT_RC(crypt_check_key(facts, mech, CRYPT_SIGN), RC_MECHANISM);
    facts->object_class = CKO_CERTIFICATE;
    UNIT_RC(crypt_check_key(facts, mech, CRYPT_SIGN), RC_KEY_HANDLE);
    facts_unref(facts);
}

UNIT_SUITE("p11/rules", UNIT_CASE(lengths_of_symmetric_results_are_known),
           UNIT_CASE(lengths_of_asymmetric_results_are_the_keys),
           UNIT_CASE(every_mechanism_of_an_operation_has_a_family_rule),
           UNIT_CASE(key_checks_have_their_own_codes));

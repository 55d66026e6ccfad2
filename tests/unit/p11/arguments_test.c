/* SPDX-License-Identifier: Apache-2.0 */
/* Every function of the 3.2 list with NULL for each pointer that may not be, and with pointers of
 * any alignment and lengths that no memory has. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "tests/unit/p11/script_hsm.h"
#include "tests/unit/unit.h"

#define KEY     77UL
#define AES_KEY 78UL

static CK_SESSION_HANDLE session;
static CK_BYTE data[32] = {1, 2, 3};
static CK_BYTE out[512];
static CK_ULONG len;
static CK_OBJECT_HANDLE object, other;

static void begin(void)
{
    script_start(NULL);
    session = script_session();
}

static void end(void)
{
    CU_ASSERT_EQUAL(C_Finalize(NULL), CKR_OK);
    script_stop();
}

/* The facts of a key are those of the moment when it is first used. */
static void key_is(CK_OBJECT_CLASS class, CK_KEY_TYPE type, unsigned bits)
{
    script.object_class = class;
    script.key_type = type;
    script.size_bits = bits;
}

static CK_MECHANISM mechanism_of(CK_MECHANISM_TYPE type)
{
    len = sizeof out;
    return (CK_MECHANISM){.mechanism = type};
}

static void signing(void)
{
    CK_MECHANISM mechanism = mechanism_of(CKM_SHA256_RSA_PKCS);
    (void)C_SignInit(session, NULL, 0);
    CU_ASSERT_EQUAL(C_SignInit(session, &mechanism, KEY), CKR_OK);
}

static void verifying(void)
{
    CK_MECHANISM mechanism = mechanism_of(CKM_SHA256_RSA_PKCS);
    (void)C_VerifyInit(session, NULL, 0);
    CU_ASSERT_EQUAL(C_VerifyInit(session, &mechanism, KEY), CKR_OK);
}

static void verifying_given(void)
{
    CK_MECHANISM mechanism = mechanism_of(CKM_SHA256_RSA_PKCS);
    (void)C_VerifyInit(session, NULL, 0);
    CU_ASSERT_EQUAL(C_VerifySignatureInit(session, &mechanism, KEY, out, 256), CKR_OK);
}

static void recovering(void)
{
    CK_MECHANISM mechanism = mechanism_of(CKM_RSA_PKCS);
    (void)C_SignRecoverInit(session, NULL, 0);
    (void)C_VerifyRecoverInit(session, NULL, 0);
    CU_ASSERT_EQUAL(C_SignRecoverInit(session, &mechanism, KEY), CKR_OK);
    CU_ASSERT_EQUAL(C_VerifyRecoverInit(session, &mechanism, KEY), CKR_OK);
}

static void ciphering(void)
{
    CK_MECHANISM mechanism = mechanism_of(CKM_AES_ECB);
    (void)C_EncryptInit(session, NULL, 0);
    (void)C_DecryptInit(session, NULL, 0);
    CU_ASSERT_EQUAL(C_EncryptInit(session, &mechanism, AES_KEY), CKR_OK);
    CU_ASSERT_EQUAL(C_DecryptInit(session, &mechanism, AES_KEY), CKR_OK);
}

static void digesting(void)
{
    CK_MECHANISM mechanism = mechanism_of(CKM_SHA256);
    (void)C_DigestInit(session, NULL);
    CU_ASSERT_EQUAL(C_DigestInit(session, &mechanism), CKR_OK);
}

static void all_at_work(void)
{
    signing();
    verifying();
    ciphering();
    digesting();
}

/* 16 bytes gathered, so that a huge part would overflow the sum. */
static void part_of_a_mac(void)
{
    CK_MECHANISM mechanism = mechanism_of(CKM_AES_CMAC);
    (void)C_SignInit(session, NULL, 0);
    CU_ASSERT_EQUAL(C_SignInit(session, &mechanism, AES_KEY), CKR_OK);
    CU_ASSERT_EQUAL(C_SignUpdate(session, data, 16), CKR_OK);
}

static void searching(void)
{
    (void)C_FindObjectsFinal(session);
    CU_ASSERT_EQUAL(C_FindObjectsInit(session, NULL, 0), CKR_OK);
}

/* Both keys known, nothing under way. */
static void keys_known(void)
{
    key_is(CKO_SECRET_KEY, CKK_AES, 256);
    ciphering();
    key_is(CKO_PRIVATE_KEY, CKK_RSA, 2048);
    all_at_work();
    (void)C_SessionCancel(session, CKF_SIGN | CKF_VERIFY | CKF_ENCRYPT | CKF_DECRYPT | CKF_DIGEST);
}

struct row {
    const char *function;
    CK_RV got;
    int line;
};

static CK_UTF8CHAR pin[] = "1234";
static CK_MECHANISM aes_gen = {.mechanism = CKM_AES_KEY_GEN};
static CK_MECHANISM rsa_gen = {.mechanism = CKM_RSA_PKCS_KEY_PAIR_GEN};
static CK_MECHANISM wrap = {.mechanism = CKM_AES_KEY_WRAP};
static CK_MECHANISM rsa_hashed = {.mechanism = CKM_SHA256_RSA_PKCS};
static CK_MECHANISM derive_plain = {
    .mechanism = CKM_CONCATENATE_BASE_AND_KEY, .pParameter = &object, .ulParameterLen = 8};

#define ROW(setup, name, ...)                           \
    {                                                   \
#name, ((setup), (name)(__VA_ARGS__)), __LINE__ \
    }
#define NONE (void)0

/* The functions that had a row. */
static const char *called[256];
static size_t called_count;

static void check(const struct row *rows, size_t count, CK_RV expected)
{
    for (size_t i = 0; i < count; i++) {
        if (called_count < sizeof called / sizeof called[0])
            called[called_count++] = rows[i].function;
        if (rows[i].got != expected)
            (void)printf("\n    line %d: %s answers 0x%lx", rows[i].line, rows[i].function,
                         rows[i].got);
        CU_ASSERT_EQUAL(rows[i].got, expected);
    }
}

static bool has_row(const char *function)
{
    for (size_t i = 0; i < called_count; i++)
        if (strcmp(called[i], function) == 0)
            return true;
    return false;
}

/* Each function with a pointer has a row; C_Initialize's NULL means no wishes. */
static void check_none_forgotten(void)
{
#define FUNCTION(name, parameters) {#name, #parameters},
    static const struct {
        const char *name;
        const char *parameters;
    } functions[] = {CK_FUNCTIONS_2_40(FUNCTION) CK_FUNCTIONS_3_0(FUNCTION)
                         CK_FUNCTIONS_3_2(FUNCTION)};
#undef FUNCTION
    for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++) {
        const char *name = functions[i].name;
        if (strstr(functions[i].parameters, "_PTR") == NULL || strcmp(name, "C_Initialize") == 0 ||
            has_row(name))
            continue;
        (void)printf("\n    no row for %s", name);
        CU_FAIL("a function with a pointer has no row");
    }
}

static void null_in_slots_and_tokens(void)
{
    const struct row rows[] = {
        ROW(NONE, C_Finalize, data),
        ROW(NONE, C_GetInfo, NULL),
        ROW(NONE, C_GetFunctionList, NULL),
        ROW(NONE, C_GetSlotList, CK_TRUE, NULL, NULL),
        ROW(NONE, C_GetSlotInfo, 1, NULL),
        ROW(NONE, C_GetTokenInfo, 1, NULL),
        ROW(NONE, C_GetMechanismList, 1, NULL, NULL),
        ROW(NONE, C_GetMechanismInfo, 1, CKM_RSA_PKCS, NULL),
        ROW(NONE, C_InitToken, 1, NULL, 4, pin),
        ROW(NONE, C_InitToken, 1, pin, 4, NULL),
        ROW(NONE, C_InitPIN, session, NULL, 4),
        ROW(NONE, C_SetPIN, session, NULL, 4, pin, 4),
        ROW(NONE, C_SetPIN, session, pin, 4, NULL, 4),
        ROW(NONE, C_WaitForSlotEvent, CKF_DONT_BLOCK, NULL, NULL),
        ROW(NONE, C_GetInterfaceList, NULL, NULL),
        ROW(NONE, C_GetInterface, NULL, NULL, NULL, 0),
    };
    check(rows, sizeof rows / sizeof rows[0], CKR_ARGUMENTS_BAD);
}

static void null_in_sessions_and_objects(void)
{
    const struct row rows[] = {
        ROW(NONE, C_OpenSession, 1, CKF_SERIAL_SESSION, NULL, NULL, NULL),
        ROW(NONE, C_GetSessionInfo, session, NULL),
        ROW(digesting(), C_GetOperationState, session, NULL, NULL),
        ROW(NONE, C_SetOperationState, session, NULL, 4, 0, 0),
        ROW(NONE, C_Login, session, CKU_USER, NULL, 4),
        ROW(NONE, C_LoginUser, session, CKU_USER, NULL, 4, pin, 4),
        ROW(NONE, C_LoginUser, session, CKU_USER, pin, 4, NULL, 4),
        ROW(NONE, C_CreateObject, session, NULL, 2, &object),
        ROW(NONE, C_CreateObject, session, NULL, 0, NULL),
        ROW(NONE, C_CopyObject, session, KEY, NULL, 2, &object),
        ROW(NONE, C_CopyObject, session, KEY, NULL, 0, NULL),
        ROW(NONE, C_GetObjectSize, session, KEY, NULL),
        ROW(NONE, C_GetAttributeValue, session, KEY, NULL, 1),
        ROW(NONE, C_SetAttributeValue, session, KEY, NULL, 1),
        ROW((void)C_FindObjectsFinal(session), C_FindObjectsInit, session, NULL, 1),
        ROW(searching(), C_FindObjects, session, NULL, 1, &len),
        ROW(searching(), C_FindObjects, session, &object, 1, NULL),
        ROW(NONE, C_GetSessionValidationFlags, session, CKS_LAST_VALIDATION_OK, NULL),
    };
    check(rows, sizeof rows / sizeof rows[0], CKR_ARGUMENTS_BAD);
}

static void null_in_ciphers_and_digests(void)
{
    const struct row rows[] = {
        ROW((void)C_EncryptInit(session, NULL, 0), C_EncryptInit, session, NULL, AES_KEY),
        ROW(ciphering(), C_Encrypt, session, NULL, 16, out, &len),
        ROW(ciphering(), C_Encrypt, session, data, 16, out, NULL),
        ROW(ciphering(), C_EncryptUpdate, session, NULL, 16, out, &len),
        ROW(ciphering(), C_EncryptUpdate, session, data, 16, out, NULL),
        ROW(ciphering(), C_EncryptFinal, session, out, NULL),
        ROW((void)C_DecryptInit(session, NULL, 0), C_DecryptInit, session, NULL, AES_KEY),
        ROW(ciphering(), C_Decrypt, session, NULL, 16, out, &len),
        ROW(ciphering(), C_Decrypt, session, data, 16, out, NULL),
        ROW(ciphering(), C_DecryptUpdate, session, NULL, 16, out, &len),
        ROW(ciphering(), C_DecryptUpdate, session, data, 16, out, NULL),
        ROW(ciphering(), C_DecryptFinal, session, out, NULL),
        ROW((void)C_DigestInit(session, NULL), C_DigestInit, session, NULL),
        ROW(digesting(), C_Digest, session, NULL, 4, out, &len),
        ROW(digesting(), C_Digest, session, data, 4, out, NULL),
        ROW(digesting(), C_DigestUpdate, session, NULL, 4),
        ROW(digesting(), C_DigestFinal, session, out, NULL),
    };
    check(rows, sizeof rows / sizeof rows[0], CKR_ARGUMENTS_BAD);
}

static void null_in_signatures(void)
{
    const struct row rows[] = {
        ROW((void)C_SignInit(session, NULL, 0), C_SignInit, session, NULL, KEY),
        ROW(signing(), C_Sign, session, NULL, 4, out, &len),
        ROW(signing(), C_Sign, session, data, 4, out, NULL),
        ROW(signing(), C_SignUpdate, session, NULL, 4),
        ROW(signing(), C_SignFinal, session, out, NULL),
        ROW((void)C_SignRecoverInit(session, NULL, 0), C_SignRecoverInit, session, NULL, KEY),
        ROW(recovering(), C_SignRecover, session, NULL, 4, out, &len),
        ROW(recovering(), C_SignRecover, session, data, 4, out, NULL),
        ROW((void)C_VerifyInit(session, NULL, 0), C_VerifyInit, session, NULL, KEY),
        ROW(verifying(), C_Verify, session, NULL, 4, out, 256),
        ROW(verifying(), C_Verify, session, data, 4, NULL, 256),
        ROW(verifying(), C_VerifyUpdate, session, NULL, 4),
        ROW(verifying(), C_VerifyFinal, session, NULL, 256),
        ROW((void)C_VerifyRecoverInit(session, NULL, 0), C_VerifyRecoverInit, session, NULL, KEY),
        ROW(recovering(), C_VerifyRecover, session, NULL, 256, out, &len),
        ROW(recovering(), C_VerifyRecover, session, out, 256, out, NULL),
        ROW((void)C_VerifyInit(session, NULL, 0), C_VerifySignatureInit, session, NULL, KEY, out,
            256),
        ROW((void)C_VerifyInit(session, NULL, 0), C_VerifySignatureInit, session, &rsa_hashed, KEY,
            NULL, 256),
        ROW(verifying_given(), C_VerifySignature, session, NULL, 4),
        ROW(verifying_given(), C_VerifySignatureUpdate, session, NULL, 4),
    };
    check(rows, sizeof rows / sizeof rows[0], CKR_ARGUMENTS_BAD);
}

static void null_in_dual(void)
{
    const struct row rows[] = {
        ROW(all_at_work(), C_DigestEncryptUpdate, session, NULL, 16, out, &len),
        ROW(all_at_work(), C_DigestEncryptUpdate, session, data, 16, out, NULL),
        ROW(all_at_work(), C_DecryptDigestUpdate, session, NULL, 16, out, &len),
        ROW(all_at_work(), C_DecryptDigestUpdate, session, data, 16, out, NULL),
        ROW(all_at_work(), C_SignEncryptUpdate, session, NULL, 16, out, &len),
        ROW(all_at_work(), C_SignEncryptUpdate, session, data, 16, out, NULL),
        ROW(all_at_work(), C_DecryptVerifyUpdate, session, NULL, 16, out, &len),
        ROW(all_at_work(), C_DecryptVerifyUpdate, session, data, 16, out, NULL),
    };
    check(rows, sizeof rows / sizeof rows[0], CKR_ARGUMENTS_BAD);
}

static void null_in_keys(void)
{
    const struct row rows[] = {
        ROW(NONE, C_GenerateKey, session, NULL, NULL, 0, &object),
        ROW(NONE, C_GenerateKey, session, &aes_gen, NULL, 1, &object),
        ROW(NONE, C_GenerateKey, session, &aes_gen, NULL, 0, NULL),
        ROW(NONE, C_GenerateKeyPair, session, NULL, NULL, 0, NULL, 0, &object, &other),
        ROW(NONE, C_GenerateKeyPair, session, &rsa_gen, NULL, 1, NULL, 0, &object, &other),
        ROW(NONE, C_GenerateKeyPair, session, &rsa_gen, NULL, 0, NULL, 1, &object, &other),
        ROW(NONE, C_GenerateKeyPair, session, &rsa_gen, NULL, 0, NULL, 0, NULL, &other),
        ROW(NONE, C_GenerateKeyPair, session, &rsa_gen, NULL, 0, NULL, 0, &object, NULL),
        ROW(NONE, C_WrapKey, session, NULL, AES_KEY, KEY, out, &len),
        ROW(NONE, C_WrapKey, session, &wrap, AES_KEY, KEY, out, NULL),
        ROW(NONE, C_UnwrapKey, session, NULL, AES_KEY, out, 40, NULL, 0, &object),
        ROW(NONE, C_UnwrapKey, session, &wrap, AES_KEY, NULL, 40, NULL, 0, &object),
        ROW(NONE, C_UnwrapKey, session, &wrap, AES_KEY, out, 40, NULL, 1, &object),
        ROW(NONE, C_UnwrapKey, session, &wrap, AES_KEY, out, 40, NULL, 0, NULL),
        ROW(NONE, C_DeriveKey, session, NULL, KEY, NULL, 0, &object),
        ROW(NONE, C_DeriveKey, session, &derive_plain, KEY, NULL, 1, &object),
        ROW(NONE, C_DeriveKey, session, &derive_plain, KEY, NULL, 0, NULL),
        ROW(NONE, C_SeedRandom, session, NULL, 8),
        ROW(NONE, C_GenerateRandom, session, NULL, 8),
    };
    check(rows, sizeof rows / sizeof rows[0], CKR_ARGUMENTS_BAD);
}

static void null_in_what_is_not_supported(void)
{
    const struct row rows[] = {
        ROW(NONE, C_MessageEncryptInit, session, NULL, 4),
        ROW(NONE, C_EncryptMessage, session, NULL, 4, NULL, 4, NULL, 4, NULL, NULL),
        ROW(NONE, C_EncryptMessageBegin, session, NULL, 4, NULL, 4),
        ROW(NONE, C_EncryptMessageNext, session, NULL, 4, NULL, 4, NULL, NULL, 4),
        ROW(NONE, C_MessageDecryptInit, session, NULL, 4),
        ROW(NONE, C_DecryptMessage, session, NULL, 4, NULL, 4, NULL, 4, NULL, NULL),
        ROW(NONE, C_DecryptMessageBegin, session, NULL, 4, NULL, 4),
        ROW(NONE, C_DecryptMessageNext, session, NULL, 4, NULL, 4, NULL, NULL, 4),
        ROW(NONE, C_MessageSignInit, session, NULL, 4),
        ROW(NONE, C_SignMessage, session, NULL, 4, NULL, 4, NULL, NULL),
        ROW(NONE, C_SignMessageBegin, session, NULL, 4),
    };
    check(rows, sizeof rows / sizeof rows[0], CKR_FUNCTION_NOT_SUPPORTED);
}

static void null_in_more_that_is_not_supported(void)
{
    const struct row rows[] = {
        ROW(NONE, C_SignMessageNext, session, NULL, 4, NULL, 4, NULL, NULL),
        ROW(NONE, C_MessageVerifyInit, session, NULL, 4),
        ROW(NONE, C_VerifyMessage, session, NULL, 4, NULL, 4, NULL, 4),
        ROW(NONE, C_VerifyMessageBegin, session, NULL, 4),
        ROW(NONE, C_VerifyMessageNext, session, NULL, 4, NULL, 4, NULL, 4),
        ROW(NONE, C_EncapsulateKey, session, NULL, 4, NULL, 4, NULL, NULL, NULL),
        ROW(NONE, C_DecapsulateKey, session, NULL, 4, NULL, 4, NULL, 4, NULL),
        ROW(NONE, C_AsyncComplete, session, NULL, NULL),
        ROW(NONE, C_AsyncGetID, session, NULL, NULL),
        ROW(NONE, C_AsyncJoin, session, NULL, 4, NULL, 4),
        ROW(NONE, C_WrapKeyAuthenticated, session, NULL, 4, 4, NULL, 4, NULL, NULL),
        ROW(NONE, C_UnwrapKeyAuthenticated, session, NULL, 4, NULL, 4, NULL, 4, NULL, 4, NULL),
    };
    check(rows, sizeof rows / sizeof rows[0], CKR_FUNCTION_NOT_SUPPORTED);
}

static void null_is_refused_by_every_function(void)
{
    begin();
    keys_known();
    called_count = 0;
    null_in_slots_and_tokens();
    null_in_sessions_and_objects();
    null_in_ciphers_and_digests();
    null_in_signatures();
    null_in_dual();
    null_in_keys();
    null_in_what_is_not_supported();
    null_in_more_that_is_not_supported();
    check_none_forgotten();
    end();
}

/* CK_UNAVAILABLE_INFORMATION, or minus one of an error, taken for a length. */
#define HUGE_LEN (~0UL - 4)

static void length_that_no_memory_has_is_refused(void)
{
    begin();
    keys_known();
    CK_ATTRIBUTE item[] = {{.type = CKA_LABEL, .pValue = data, .ulValueLen = 4}};
    const struct row rows[] = {
        ROW(NONE, C_Login, session, CKU_USER, pin, HUGE_LEN),
        ROW(NONE, C_LoginUser, session, CKU_USER, pin, HUGE_LEN, pin, 4),
        ROW(NONE, C_LoginUser, session, CKU_USER, pin, 4, pin, HUGE_LEN),
        ROW(NONE, C_InitToken, 1, pin, HUGE_LEN, out),
        ROW(NONE, C_InitPIN, session, pin, HUGE_LEN),
        ROW(NONE, C_SetPIN, session, pin, HUGE_LEN, pin, 4),
        ROW(NONE, C_SetPIN, session, pin, 4, pin, HUGE_LEN),
        ROW(NONE, C_CreateObject, session, item, HUGE_LEN, &object),
        ROW(NONE, C_GetAttributeValue, session, KEY, item, HUGE_LEN),
        ROW(NONE, C_SetAttributeValue, session, KEY, item, HUGE_LEN),
        ROW((void)C_FindObjectsFinal(session), C_FindObjectsInit, session, item, HUGE_LEN),
        ROW(ciphering(), C_Encrypt, session, data, HUGE_LEN, out, &len),
        ROW(ciphering(), C_Encrypt, session, data, HUGE_LEN, NULL, &len),
        ROW(ciphering(), C_EncryptUpdate, session, data, HUGE_LEN, out, &len),
        ROW(ciphering(), C_EncryptUpdate, session, data, HUGE_LEN, NULL, &len),
        ROW(ciphering(), C_Decrypt, session, data, HUGE_LEN, out, &len),
        ROW(ciphering(), C_DecryptUpdate, session, data, HUGE_LEN, out, &len),
        ROW(digesting(), C_Digest, session, data, HUGE_LEN, out, &len),
        ROW(digesting(), C_DigestUpdate, session, data, HUGE_LEN),
        ROW(signing(), C_Sign, session, data, HUGE_LEN, out, &len),
        ROW(signing(), C_SignUpdate, session, data, HUGE_LEN),
        ROW(part_of_a_mac(), C_SignUpdate, session, data, HUGE_LEN),
        ROW(recovering(), C_SignRecover, session, data, HUGE_LEN, out, &len),
        ROW(verifying(), C_Verify, session, data, HUGE_LEN, out, 256),
        ROW(verifying(), C_Verify, session, data, 4, out, HUGE_LEN),
        ROW(verifying(), C_VerifyUpdate, session, data, HUGE_LEN),
        ROW(verifying(), C_VerifyFinal, session, out, HUGE_LEN),
        ROW(recovering(), C_VerifyRecover, session, out, HUGE_LEN, out, &len),
        ROW((void)C_VerifyInit(session, NULL, 0), C_VerifySignatureInit, session, &rsa_hashed, KEY,
            out, HUGE_LEN),
        ROW(verifying_given(), C_VerifySignature, session, data, HUGE_LEN),
        ROW(verifying_given(), C_VerifySignatureUpdate, session, data, HUGE_LEN),
        ROW(all_at_work(), C_DigestEncryptUpdate, session, data, HUGE_LEN, out, &len),
        ROW(all_at_work(), C_DecryptDigestUpdate, session, data, HUGE_LEN, out, &len),
        ROW(NONE, C_UnwrapKey, session, &wrap, AES_KEY, out, HUGE_LEN, NULL, 0, &object),
        ROW(NONE, C_SeedRandom, session, data, HUGE_LEN),
    };
    check(rows, sizeof rows / sizeof rows[0], CKR_ARGUMENTS_BAD);
    end();
}

/* The area's fields at odd addresses. */
#define AT(type, offset) ((type)(void *)(area + (offset)))

static void every_out_pointer_may_be_misaligned(void)
{
    static CK_BYTE area[1024];
    begin();
    script.find_total = 3;
    keys_known();
    CK_ULONG room = 100;
    memcpy(area + 1, &room, sizeof room);
    CU_ASSERT_EQUAL(C_GetSlotList(CK_TRUE, AT(CK_SLOT_ID_PTR, 11), AT(CK_ULONG_PTR, 1)), CKR_OK);
    memcpy(area + 1, &room, sizeof room);
    CU_ASSERT_EQUAL(C_GetMechanismList(1, NULL, AT(CK_ULONG_PTR, 1)), CKR_OK);
    CU_ASSERT_EQUAL(C_GetMechanismInfo(1, CKM_RSA_PKCS, AT(CK_MECHANISM_INFO_PTR, 3)), CKR_OK);
    CU_ASSERT_EQUAL(C_GetInfo(AT(CK_INFO_PTR, 5)), CKR_OK);
    CU_ASSERT_EQUAL(C_GetSlotInfo(1, AT(CK_SLOT_INFO_PTR, 5)), CKR_OK);
    CU_ASSERT_EQUAL(C_GetTokenInfo(1, AT(CK_TOKEN_INFO_PTR, 5)), CKR_OK);
    CU_ASSERT_EQUAL(C_GetFunctionList(AT(CK_FUNCTION_LIST_PTR_PTR, 7)), CKR_OK);
    CU_ASSERT_EQUAL(C_GetInterface(NULL, NULL, AT(CK_INTERFACE_PTR_PTR, 7), 0), CKR_OK);
    memcpy(area + 1, &room, sizeof room);
    CU_ASSERT_EQUAL(C_GetInterfaceList(AT(CK_INTERFACE_PTR, 13), AT(CK_ULONG_PTR, 1)), CKR_OK);
    CU_ASSERT_EQUAL(C_OpenSession(1, CKF_SERIAL_SESSION, NULL, NULL, AT(CK_SESSION_HANDLE_PTR, 9)),
                    CKR_OK);
    CU_ASSERT_EQUAL(C_FindObjectsInit(session, NULL, 0), CKR_OK);
    CU_ASSERT_EQUAL(C_FindObjects(session, AT(CK_OBJECT_HANDLE_PTR, 21), 3, AT(CK_ULONG_PTR, 3)),
                    CKR_OK);
    memcpy(&object, area + 21 + 16, sizeof object);
    CU_ASSERT_EQUAL(object, 3);
    CK_ATTRIBUTE label = {.type = CKA_LABEL, .pValue = data, .ulValueLen = 4};
    memcpy(area + 101, &label, sizeof label);
    memcpy(area + 201, &aes_gen, sizeof aes_gen);
    memcpy(area + 301, &rsa_gen, sizeof rsa_gen);
    CU_ASSERT_EQUAL(
        C_CreateObject(session, AT(CK_ATTRIBUTE_PTR, 101), 1, AT(CK_OBJECT_HANDLE_PTR, 17)),
        CKR_OK);
    CU_ASSERT_EQUAL(C_GenerateKey(session, AT(CK_MECHANISM_PTR, 201), AT(CK_ATTRIBUTE_PTR, 101), 1,
                                  AT(CK_OBJECT_HANDLE_PTR, 17)),
                    CKR_OK);
    CU_ASSERT_EQUAL(C_GenerateKeyPair(session, AT(CK_MECHANISM_PTR, 301), NULL, 0,
                                      AT(CK_ATTRIBUTE_PTR, 101), 1, AT(CK_OBJECT_HANDLE_PTR, 17),
                                      AT(CK_OBJECT_HANDLE_PTR, 27)),
                    CKR_OK);
    digesting();
    room = 32;
    memcpy(area + 1, &room, sizeof room);
    CU_ASSERT_EQUAL(C_Digest(session, data, 4, area + 33, AT(CK_ULONG_PTR, 1)), CKR_OK);
    end();
}

UNIT_SUITE("p11/arguments", UNIT_CASE(null_is_refused_by_every_function),
           UNIT_CASE(length_that_no_memory_has_is_refused),
           UNIT_CASE(every_out_pointer_may_be_misaligned));

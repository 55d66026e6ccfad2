/* SPDX-License-Identifier: Apache-2.0 */
/* Operations: what costs traffic, what ends them, and results that wait for their buffer. */
#include <stdlib.h>
#include <string.h>

#include "common/rc.h"
#include "rpc/wire.h"
#include "tests/unit/p11/script_hsm.h"
#include "tests/unit/unit.h"

static CK_SESSION_HANDLE session;
static CK_BYTE data[32] = {1, 2, 3};
static CK_BYTE out[512];

#define KEY 77UL

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

static CK_RV sign_init(CK_MECHANISM_TYPE type)
{
    CK_MECHANISM mechanism = {.mechanism = type};
    return C_SignInit(session, &mechanism, KEY);
}

static unsigned crypts(void)
{
    return script.asked[QHSM__REQUEST__BODY_CRYPT];
}

static void signature_costs_one_round_trip_when_the_key_is_known(void)
{
    begin();
    CK_ULONG len = sizeof out;
    CU_ASSERT_EQUAL(sign_init(CKM_SHA256_RSA_PKCS), CKR_OK);
    CU_ASSERT_EQUAL(C_Sign(session, data, sizeof data, out, &len), CKR_OK);
    CU_ASSERT_EQUAL(len, 256);
    unsigned before = script_total();
    for (unsigned i = 0; i < 10; i++) {
        CU_ASSERT_EQUAL(sign_init(CKM_SHA256_RSA_PKCS), CKR_OK);
        CU_ASSERT_EQUAL(C_Sign(session, data, sizeof data, NULL, &len), CKR_OK);
        CU_ASSERT_EQUAL(len, 256);
        CU_ASSERT_EQUAL(C_Sign(session, data, sizeof data, out, &len), CKR_OK);
    }
    CU_ASSERT_EQUAL(script_total(), before + 10);
    CU_ASSERT_EQUAL(out[0], 0x5A);
    end();
}

static void small_buffer_is_told_without_traffic_and_the_operation_stays(void)
{
    begin();
    CK_ULONG len = 10;
    CU_ASSERT_EQUAL(sign_init(CKM_SHA256_RSA_PKCS), CKR_OK);
    CU_ASSERT_EQUAL(C_Sign(session, data, sizeof data, out, &len), CKR_BUFFER_TOO_SMALL);
    CU_ASSERT_EQUAL(len, 256);
    CU_ASSERT_EQUAL(crypts(), 0);
    CU_ASSERT_EQUAL(C_Sign(session, data, sizeof data, out, &len), CKR_OK);
    CU_ASSERT_EQUAL(C_Sign(session, data, sizeof data, out, &len), CKR_OPERATION_NOT_INITIALIZED);
    end();
}

static void decrypted_text_waits_for_its_buffer_and_is_made_once(void)
{
    begin();
    CK_MECHANISM mechanism = {.mechanism = CKM_RSA_PKCS};
    CK_ULONG len = 2;
    CU_ASSERT_EQUAL(C_DecryptInit(session, &mechanism, KEY), CKR_OK);
    CU_ASSERT_EQUAL(C_Decrypt(session, out, 256, out, &len), CKR_BUFFER_TOO_SMALL);
    CU_ASSERT_EQUAL(len, 5);
    CU_ASSERT_EQUAL(C_DecryptInit(session, &mechanism, KEY), CKR_OPERATION_ACTIVE);
    CU_ASSERT_EQUAL(C_Decrypt(session, out, 256, NULL, &len), CKR_OK);
    CU_ASSERT_EQUAL(len, 5);
    CU_ASSERT_EQUAL(C_Decrypt(session, out, 256, out, &len), CKR_OK);
    CU_ASSERT_EQUAL(len, 5);
    CU_ASSERT_EQUAL(out[4], 0x5A);
    CU_ASSERT_EQUAL(crypts(), 1);
    CU_ASSERT_EQUAL(C_Decrypt(session, out, 256, out, &len), CKR_OPERATION_NOT_INITIALIZED);
    end();
}

static void operation_ends_on_any_other_error(void)
{
    begin();
    CK_ULONG len = sizeof out;
    CU_ASSERT_EQUAL(sign_init(CKM_SHA256_RSA_PKCS), CKR_OK);
    CU_ASSERT_EQUAL(C_Sign(session, NULL, 7, out, &len), CKR_ARGUMENTS_BAD);
    CU_ASSERT_EQUAL(C_Sign(session, data, 7, out, &len), CKR_OPERATION_NOT_INITIALIZED);
    CU_ASSERT_EQUAL(sign_init(CKM_SHA256_RSA_PKCS), CKR_OK);
    CU_ASSERT_EQUAL(C_Sign(session, data, 7, out, NULL), CKR_ARGUMENTS_BAD);
    CU_ASSERT_EQUAL(C_Sign(session, data, 7, out, &len), CKR_OPERATION_NOT_INITIALIZED);
    CU_ASSERT_EQUAL(sign_init(CKM_SHA256_RSA_PKCS), CKR_OK);
    script.fail_once[QHSM__REQUEST__BODY_CRYPT] = RC_KEY_DATE;
    CU_ASSERT_EQUAL(C_Sign(session, data, 7, out, &len), CKR_KEY_FUNCTION_NOT_PERMITTED);
    CU_ASSERT_EQUAL(C_Sign(session, data, 7, out, &len), CKR_OPERATION_NOT_INITIALIZED);
    end();
}

static void one_shot_after_an_update_is_refused_and_the_parts_go_on(void)
{
    begin();
    CK_ULONG len = sizeof out;
    CU_ASSERT_EQUAL(sign_init(CKM_SHA256_RSA_PKCS), CKR_OK);
    CU_ASSERT_EQUAL(C_SignUpdate(session, data, 7), CKR_OK);
    CU_ASSERT_EQUAL(C_Sign(session, data, 7, out, &len), CKR_OPERATION_ACTIVE);
    CU_ASSERT_EQUAL(C_SignFinal(session, NULL, &len), CKR_OK);
    CU_ASSERT_EQUAL(len, 256);
    CU_ASSERT_EQUAL(C_SignFinal(session, out, &len), CKR_OK);
    CU_ASSERT(script.prehashed);
    CU_ASSERT_EQUAL(script.data_len, 32);
    CU_ASSERT_EQUAL(crypts(), 1);
    end();
}

static void null_mechanism_cancels(void)
{
    begin();
    CK_ULONG len = sizeof out;
    CU_ASSERT_EQUAL(C_SignInit(session, NULL, KEY), CKR_ARGUMENTS_BAD);
    CU_ASSERT_EQUAL(sign_init(CKM_SHA256_RSA_PKCS), CKR_OK);
    CU_ASSERT_EQUAL(sign_init(CKM_SHA256_RSA_PKCS), CKR_OPERATION_ACTIVE);
    CU_ASSERT_EQUAL(C_SignInit(session, NULL, KEY), CKR_OK);
    CU_ASSERT_EQUAL(C_Sign(session, data, 7, out, &len), CKR_OPERATION_NOT_INITIALIZED);
    CU_ASSERT_EQUAL(sign_init(CKM_SHA256_RSA_PKCS), CKR_OK);
    CU_ASSERT_EQUAL(C_SessionCancel(session, CKF_SIGN), CKR_OK);
    CU_ASSERT_EQUAL(C_SignFinal(session, out, &len), CKR_OPERATION_NOT_INITIALIZED);
    end();
}

static void long_data_is_hashed_here(void)
{
    begin();
    static CK_BYTE lots[100000];
    CK_ULONG len = sizeof out;
    CU_ASSERT_EQUAL(sign_init(CKM_SHA512_RSA_PKCS), CKR_OK);
    CU_ASSERT_EQUAL(C_Sign(session, lots, sizeof lots, out, &len), CKR_OK);
    CU_ASSERT(script.prehashed);
    CU_ASSERT_EQUAL(script.data_len, 64);
    CU_ASSERT_EQUAL(sign_init(CKM_SHA512_RSA_PKCS), CKR_OK);
    CU_ASSERT_EQUAL(C_Sign(session, lots, 4096, out, &len), CKR_OK);
    CU_ASSERT(!script.prehashed);
    CU_ASSERT_EQUAL(script.data_len, 4096);
    end();
}

static void wrong_keys_are_refused_at_init_with_their_own_codes(void)
{
    begin();
    CU_ASSERT_EQUAL(sign_init(CKM_VENDOR_DEFINED + 7), CKR_MECHANISM_INVALID);
    CU_ASSERT_EQUAL(sign_init(CKM_SHA256), CKR_MECHANISM_INVALID);
    CU_ASSERT_EQUAL(sign_init(CKM_ECDSA), CKR_KEY_TYPE_INCONSISTENT);
    CU_ASSERT_EQUAL(sign_init(CKM_SHA256_HMAC), CKR_KEY_TYPE_INCONSISTENT);
    script.fail_once[QHSM__REQUEST__BODY_FACTS] = RC_OBJECT_HANDLE;
    CK_MECHANISM mechanism = {.mechanism = CKM_RSA_PKCS};
    CU_ASSERT_EQUAL(C_SignInit(session, &mechanism, 78), CKR_KEY_HANDLE_INVALID);
    CU_ASSERT_EQUAL(C_SignInit(session, &mechanism, 0), CKR_KEY_HANDLE_INVALID);
    script.usage = 0;
    CU_ASSERT_EQUAL(C_SignInit(session, &mechanism, 79), CKR_KEY_FUNCTION_NOT_PERMITTED);
    script.usage = 0x1FF;
    script.size_bits = 512;
    CU_ASSERT_EQUAL(C_SignInit(session, &mechanism, 80), CKR_KEY_SIZE_RANGE);
    script.size_bits = 2048;
    script.restricted = true;
    CU_ASSERT_EQUAL(C_SignInit(session, &mechanism, 81), CKR_MECHANISM_INVALID);
    script.restricted = false;
    script.object_class = CKO_DATA;
    CU_ASSERT_EQUAL(C_SignInit(session, &mechanism, 82), CKR_KEY_HANDLE_INVALID);
    CU_ASSERT_EQUAL(crypts(), 0);
    end();
}

static void changed_key_is_looked_at_again_and_the_call_repeated(void)
{
    begin();
    CK_ULONG len = sizeof out;
    CU_ASSERT_EQUAL(sign_init(CKM_SHA256_RSA_PKCS), CKR_OK);
    script.version = 2;
    CU_ASSERT_EQUAL(C_Sign(session, data, 7, out, &len), CKR_OK);
    CU_ASSERT_EQUAL(crypts(), 2);
    CU_ASSERT_EQUAL(sign_init(CKM_SHA256_RSA_PKCS), CKR_OK);
    script.version = 3;
    script.usage = 0;
    CU_ASSERT_EQUAL(C_Sign(session, data, 7, out, &len), CKR_KEY_FUNCTION_NOT_PERMITTED);
    end();
}

static void key_that_another_application_changed_is_not_refused_on_old_facts(void)
{
    begin();
    script.usage = 0;
    CU_ASSERT_EQUAL(sign_init(CKM_SHA256_RSA_PKCS), CKR_KEY_FUNCTION_NOT_PERMITTED);
    script.usage = 0x1FF;
    CU_ASSERT_EQUAL(sign_init(CKM_SHA256_RSA_PKCS), CKR_OK);
    end();
}

static void verify_always_ends(void)
{
    begin();
    CK_MECHANISM mechanism = {.mechanism = CKM_SHA256_RSA_PKCS};
    CU_ASSERT_EQUAL(C_VerifyInit(session, &mechanism, KEY), CKR_OK);
    CU_ASSERT_EQUAL(C_Verify(session, data, 7, NULL, 256), CKR_ARGUMENTS_BAD);
    CU_ASSERT_EQUAL(C_Verify(session, data, 7, out, 256), CKR_OPERATION_NOT_INITIALIZED);
    CU_ASSERT_EQUAL(C_VerifyInit(session, &mechanism, KEY), CKR_OK);
    CU_ASSERT_EQUAL(C_Verify(session, data, 7, out, 256), CKR_OK);
    CU_ASSERT_EQUAL(C_VerifyInit(session, &mechanism, KEY), CKR_OK);
    script.fail_once[QHSM__REQUEST__BODY_CRYPT] = RC_SIGNATURE_INVALID;
    CU_ASSERT_EQUAL(C_Verify(session, data, 7, out, 256), CKR_SIGNATURE_INVALID);
    CU_ASSERT_EQUAL(C_Verify(session, data, 7, out, 256), CKR_OPERATION_NOT_INITIALIZED);
    CU_ASSERT_EQUAL(C_VerifySignatureInit(session, &mechanism, KEY, out, 256), CKR_OK);
    CU_ASSERT_EQUAL(C_VerifySignatureUpdate(session, data, 7), CKR_OK);
    CU_ASSERT_EQUAL(C_VerifySignatureFinal(session), CKR_OK);
    end();
}

static void key_with_always_authenticate_wants_a_login_for_each_use(void)
{
    begin();
    script.always_authenticate = true;
    CK_UTF8CHAR pin[] = "1234";
    CK_ULONG len = sizeof out;
    CU_ASSERT_EQUAL(C_Login(session, CKU_USER, pin, 4), CKR_OK);
    CU_ASSERT_EQUAL(C_Login(session, CKU_CONTEXT_SPECIFIC, pin, 4), CKR_OPERATION_NOT_INITIALIZED);
    CU_ASSERT_EQUAL(sign_init(CKM_SHA256_RSA_PKCS), CKR_OK);
    CU_ASSERT_EQUAL(C_Sign(session, data, 7, out, &len), CKR_USER_NOT_LOGGED_IN);
    CU_ASSERT_EQUAL(sign_init(CKM_SHA256_RSA_PKCS), CKR_OK);
    CU_ASSERT_EQUAL(C_Login(session, CKU_CONTEXT_SPECIFIC, pin, 4), CKR_OK);
    CU_ASSERT_EQUAL(C_Sign(session, data, 7, out, &len), CKR_OK);
    CU_ASSERT_EQUAL(sign_init(CKM_SHA256_RSA_PKCS), CKR_OK);
    CU_ASSERT_EQUAL(C_Sign(session, data, 7, out, &len), CKR_USER_NOT_LOGGED_IN);
    end();
}

static void aes_key(void)
{
    script.key_type = CKK_AES;
    script.object_class = CKO_SECRET_KEY;
    script.size_bits = 256;
    script.output_len = 0;
}

static void cipher_in_parts_keeps_what_does_not_fit(void)
{
    begin();
    aes_key();
    CK_BYTE iv[16] = {0};
    CK_MECHANISM mechanism = {CKM_AES_CBC_PAD, iv, sizeof iv};
    CK_ULONG len = 0;
    CU_ASSERT_EQUAL(C_EncryptInit(session, &mechanism, KEY), CKR_OK);
    CU_ASSERT_EQUAL(C_EncryptUpdate(session, data, 32, NULL, &len), CKR_OK);
    CU_ASSERT(len >= 32);
    CU_ASSERT_EQUAL(script.asked[QHSM__REQUEST__BODY_OPERATION_BEGIN], 0);
    len = 3;
    CU_ASSERT_EQUAL(C_EncryptUpdate(session, data, 32, out, &len), CKR_BUFFER_TOO_SMALL);
    CU_ASSERT_EQUAL(len, 32);
    CU_ASSERT_EQUAL(C_EncryptFinal(session, out, &len), CKR_OPERATION_ACTIVE);
    CU_ASSERT_EQUAL(C_EncryptUpdate(session, data, 32, out, &len), CKR_OK);
    CU_ASSERT_EQUAL(script.asked[QHSM__REQUEST__BODY_OPERATION_UPDATE], 1);
    CU_ASSERT_EQUAL(C_EncryptFinal(session, NULL, &len), CKR_OK);
    CU_ASSERT_EQUAL(len, 16);
    CU_ASSERT_EQUAL(C_EncryptFinal(session, out, &len), CKR_OK);
    CU_ASSERT_EQUAL(script.asked[QHSM__REQUEST__BODY_OPERATION_FINAL], 1);
    CU_ASSERT_EQUAL(C_EncryptFinal(session, out, &len), CKR_OPERATION_NOT_INITIALIZED);
    end();
}

static void abandoned_cipher_is_aborted_at_the_daemon(void)
{
    begin();
    aes_key();
    CK_MECHANISM mechanism = {.mechanism = CKM_AES_ECB};
    CK_ULONG len = sizeof out;
    CU_ASSERT_EQUAL(C_EncryptInit(session, &mechanism, KEY), CKR_OK);
    CU_ASSERT_EQUAL(C_EncryptUpdate(session, data, 16, out, &len), CKR_OK);
    CU_ASSERT_EQUAL(C_CloseSession(session), CKR_OK);
    CU_ASSERT_EQUAL(script.asked[QHSM__REQUEST__BODY_OPERATION_ABORT], 1);
    end();
}

static void short_mac_in_parts_travels_once_and_a_long_one_streams(void)
{
    begin();
    aes_key();
    script.key_type = CKK_GENERIC_SECRET;
    script.output_len = 32;
    CK_MECHANISM mechanism = {.mechanism = CKM_SHA256_HMAC};
    CK_ULONG len = sizeof out;
    CU_ASSERT_EQUAL(C_SignInit(session, &mechanism, KEY), CKR_OK);
    for (unsigned i = 0; i < 20; i++)
        CU_ASSERT_EQUAL(C_SignUpdate(session, data, sizeof data), CKR_OK);
    CU_ASSERT_EQUAL(C_SignFinal(session, out, &len), CKR_OK);
    CU_ASSERT_EQUAL(len, 32);
    CU_ASSERT_EQUAL(crypts(), 1);
    CU_ASSERT_EQUAL(script.data_len, 640);
    static CK_BYTE lots[40000];
    CU_ASSERT_EQUAL(C_SignInit(session, &mechanism, KEY), CKR_OK);
    CU_ASSERT_EQUAL(C_SignUpdate(session, lots, sizeof lots), CKR_OK);
    CU_ASSERT_EQUAL(script.asked[QHSM__REQUEST__BODY_OPERATION_BEGIN], 0);
    CU_ASSERT_EQUAL(C_SignUpdate(session, lots, sizeof lots), CKR_OK);
    CU_ASSERT_EQUAL(C_SignFinal(session, out, &len), CKR_OK);
    CU_ASSERT_EQUAL(script.asked[QHSM__REQUEST__BODY_OPERATION_BEGIN], 1);
    CU_ASSERT_EQUAL(script.asked[QHSM__REQUEST__BODY_OPERATION_UPDATE], 2);
    CU_ASSERT_EQUAL(script.asked[QHSM__REQUEST__BODY_OPERATION_FINAL], 1);
    end();
}

static void parts_on_a_broken_connection_are_lost_and_say_so(void)
{
    begin();
    aes_key();
    CK_MECHANISM mechanism = {.mechanism = CKM_AES_ECB};
    CK_ULONG len = sizeof out;
    CU_ASSERT_EQUAL(C_EncryptInit(session, &mechanism, KEY), CKR_OK);
    CU_ASSERT_EQUAL(C_EncryptUpdate(session, data, 16, out, &len), CKR_OK);
    script.fail_once[QHSM__REQUEST__BODY_OPERATION_UPDATE] = RC_OPERATION_LOST;
    len = sizeof out;
    CU_ASSERT_EQUAL(C_EncryptUpdate(session, data, 16, out, &len), CKR_DEVICE_ERROR);
    CU_ASSERT_EQUAL(C_EncryptFinal(session, out, &len), CKR_OPERATION_NOT_INITIALIZED);
    CU_ASSERT_EQUAL(script.asked[QHSM__REQUEST__BODY_OPERATION_ABORT], 0);
    end();
}

static void misaligned_pointers_are_stored_through(void)
{
    begin();
    static CK_BYTE area[64];
    CK_ULONG_PTR len = (CK_ULONG_PTR)(void *)(area + 1);
    CK_ULONG room = sizeof out;
    memcpy(area + 1, &room, sizeof room);
    CU_ASSERT_EQUAL(sign_init(CKM_SHA256_RSA_PKCS), CKR_OK);
    CU_ASSERT_EQUAL(C_Sign(session, data, sizeof data, out, len), CKR_OK);
    memcpy(&room, area + 1, sizeof room);
    CU_ASSERT_EQUAL(room, 256);
    CK_SESSION_INFO_PTR info = (CK_SESSION_INFO_PTR)(void *)(area + 3);
    CU_ASSERT_EQUAL(C_GetSessionInfo(session, info), CKR_OK);
    CK_MECHANISM mechanism = {.mechanism = CKM_RSA_PKCS};
    memcpy(area + 5, &mechanism, sizeof mechanism);
    CU_ASSERT_EQUAL(C_SignInit(session, (CK_MECHANISM_PTR)(void *)(area + 5), KEY), CKR_OK);
    end();
}

static void wrapped_key_is_the_one_whose_length_was_asked(void)
{
    begin();
    aes_key();
    CK_MECHANISM mechanism = {.mechanism = CKM_AES_KEY_WRAP};
    CK_ULONG len = 0;
    CU_ASSERT_EQUAL(C_WrapKey(session, &mechanism, KEY, 78, NULL, &len), CKR_OK);
    CU_ASSERT_EQUAL(len, 40);
    len = 39;
    CU_ASSERT_EQUAL(C_WrapKey(session, &mechanism, KEY, 78, out, &len), CKR_BUFFER_TOO_SMALL);
    CU_ASSERT_EQUAL(C_WrapKey(session, &mechanism, KEY, 78, out, &len), CKR_OK);
    CU_ASSERT_EQUAL(script.asked[QHSM__REQUEST__BODY_WRAP], 1);
    CU_ASSERT_EQUAL(C_WrapKey(session, &mechanism, KEY, 78, out, &len), CKR_OK);
    CU_ASSERT_EQUAL(script.asked[QHSM__REQUEST__BODY_WRAP], 2);
    end();
}

static void dual_functions_do_both_or_say_which_is_missing(void)
{
    begin();
    aes_key();
    CK_MECHANISM aes = {.mechanism = CKM_AES_ECB};
    CK_MECHANISM sha = {.mechanism = CKM_SHA256};
    CK_ULONG len = sizeof out;
    CU_ASSERT_EQUAL(C_EncryptInit(session, &aes, KEY), CKR_OK);
    CU_ASSERT_EQUAL(C_DigestEncryptUpdate(session, data, 16, out, &len),
                    CKR_OPERATION_NOT_INITIALIZED);
    CU_ASSERT_EQUAL(C_DigestInit(session, &sha), CKR_OK);
    len = 3;
    CU_ASSERT_EQUAL(C_DigestEncryptUpdate(session, data, 16, out, &len), CKR_BUFFER_TOO_SMALL);
    len = sizeof out;
    CU_ASSERT_EQUAL(C_DigestEncryptUpdate(session, data, 16, out, &len), CKR_OK);
    CU_ASSERT_EQUAL(len, 16);
    len = sizeof out;
    CU_ASSERT_EQUAL(C_EncryptFinal(session, out, &len), CKR_OK);
    CK_BYTE twice[32];
    CK_BYTE once[32];
    len = 32;
    CU_ASSERT_EQUAL(C_DigestFinal(session, twice, &len), CKR_OK);
    CU_ASSERT_EQUAL(C_DigestInit(session, &sha), CKR_OK);
    len = 32;
    CU_ASSERT_EQUAL(C_Digest(session, data, 16, once, &len), CKR_OK);
    CU_ASSERT_EQUAL(memcmp(once, twice, 32), 0);
    end();
}

static void dual_function_in_place_digests_the_plain_part(void)
{
    begin();
    aes_key();
    CK_MECHANISM aes = {.mechanism = CKM_AES_ECB};
    CK_MECHANISM sha = {.mechanism = CKM_SHA256};
    CK_BYTE part[16] = {7};
    CK_BYTE expected[32];
    CK_BYTE got[32];
    CK_ULONG len = 32;
    CU_ASSERT_EQUAL(C_DigestInit(session, &sha), CKR_OK);
    CU_ASSERT_EQUAL(C_Digest(session, part, 16, expected, &len), CKR_OK);
    CU_ASSERT_EQUAL(C_EncryptInit(session, &aes, KEY), CKR_OK);
    CU_ASSERT_EQUAL(C_DigestInit(session, &sha), CKR_OK);
    len = 16;
    CU_ASSERT_EQUAL(C_DigestEncryptUpdate(session, part, 16, part, &len), CKR_OK);
    CU_ASSERT_EQUAL(part[0], 0x5A);
    len = 32;
    CU_ASSERT_EQUAL(C_DigestFinal(session, got, &len), CKR_OK);
    CU_ASSERT_EQUAL(memcmp(got, expected, 32), 0);
    end();
}

UNIT_SUITE("p11/operations", UNIT_CASE(signature_costs_one_round_trip_when_the_key_is_known),
           UNIT_CASE(small_buffer_is_told_without_traffic_and_the_operation_stays),
           UNIT_CASE(decrypted_text_waits_for_its_buffer_and_is_made_once),
           UNIT_CASE(operation_ends_on_any_other_error),
           UNIT_CASE(one_shot_after_an_update_is_refused_and_the_parts_go_on),
           UNIT_CASE(null_mechanism_cancels), UNIT_CASE(long_data_is_hashed_here),
           UNIT_CASE(wrong_keys_are_refused_at_init_with_their_own_codes),
           UNIT_CASE(changed_key_is_looked_at_again_and_the_call_repeated),
           UNIT_CASE(key_that_another_application_changed_is_not_refused_on_old_facts),
           UNIT_CASE(verify_always_ends),
           UNIT_CASE(key_with_always_authenticate_wants_a_login_for_each_use),
           UNIT_CASE(cipher_in_parts_keeps_what_does_not_fit),
           UNIT_CASE(abandoned_cipher_is_aborted_at_the_daemon),
           UNIT_CASE(short_mac_in_parts_travels_once_and_a_long_one_streams),
           UNIT_CASE(parts_on_a_broken_connection_are_lost_and_say_so),
           UNIT_CASE(misaligned_pointers_are_stored_through),
           UNIT_CASE(wrapped_key_is_the_one_whose_length_was_asked),
           UNIT_CASE(dual_functions_do_both_or_say_which_is_missing),
           UNIT_CASE(dual_function_in_place_digests_the_plain_part));

/* SPDX-License-Identifier: Apache-2.0 */
/* Objects: searching in pages, session objects and their end, read-only sessions. */
#include <string.h>
#include <time.h>

#include "common/rc.h"
#include "tests/unit/p11/script_hsm.h"
#include "tests/unit/unit.h"

static CK_SESSION_HANDLE session;
static CK_BBOOL yes = CK_TRUE;

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

static void search_returns_each_object_once_over_many_pages(void)
{
    begin();
    script.find_total = 10000;
    CU_ASSERT_EQUAL(C_FindObjectsInit(session, NULL, 0), CKR_OK);
    CU_ASSERT_EQUAL(C_FindObjectsInit(session, NULL, 0), CKR_OPERATION_ACTIVE);
    CK_OBJECT_HANDLE expected = 1;
    for (;;) {
        CK_OBJECT_HANDLE found[77];
        CK_ULONG count = 0;
        CU_ASSERT_EQUAL_FATAL(C_FindObjects(session, found, 77, &count), CKR_OK);
        for (CK_ULONG i = 0; i < count; i++)
            CU_ASSERT_EQUAL(found[i], expected++);
        if (count == 0)
            break;
    }
    CU_ASSERT_EQUAL(expected, 10001);
    CU_ASSERT_EQUAL(script.asked[QHSM__REQUEST__BODY_FIND], 4);
    CU_ASSERT_EQUAL(C_FindObjectsFinal(session), CKR_OK);
    CU_ASSERT_EQUAL(C_FindObjectsFinal(session), CKR_OPERATION_NOT_INITIALIZED);
    end();
}

static void search_loses_nothing_to_a_page_that_fails(void)
{
    begin();
    script.find_total = 200; /* a page of 128, and the rest */
    static CK_OBJECT_HANDLE found[200];
    CK_ULONG count = 0;
    CU_ASSERT_EQUAL(C_FindObjectsInit(session, NULL, 0), CKR_OK);
    script.fail_once[QHSM__REQUEST__BODY_FIND] = RC_NO_QUORUM;
    CU_ASSERT_EQUAL(C_FindObjects(session, found, 200, &count), CKR_OK);
    CU_ASSERT_EQUAL(count, 128);
    CU_ASSERT_EQUAL(C_FindObjects(session, found, 200, &count), CKR_OK);
    CU_ASSERT_EQUAL(count, 72);
    CU_ASSERT_EQUAL(found[71], 200);
    end();
}

static void small_search_is_one_request(void)
{
    begin();
    script.find_total = 3;
    CK_OBJECT_HANDLE found[2];
    CK_ULONG count = 0;
    CU_ASSERT_EQUAL(C_FindObjects(session, found, 2, &count), CKR_OPERATION_NOT_INITIALIZED);
    CU_ASSERT_EQUAL(C_FindObjectsInit(session, NULL, 0), CKR_OK);
    CU_ASSERT_EQUAL(C_FindObjects(session, found, 2, NULL), CKR_ARGUMENTS_BAD);
    CU_ASSERT_EQUAL(C_FindObjects(session, found, 2, &count), CKR_OK);
    CU_ASSERT_EQUAL(count, 2);
    CU_ASSERT_EQUAL(C_FindObjects(session, found, 2, &count), CKR_OK);
    CU_ASSERT_EQUAL(count, 1);
    CU_ASSERT_EQUAL(script.asked[QHSM__REQUEST__BODY_FIND], 1);
    end();
}

static CK_OBJECT_HANDLE make(void)
{
    CK_OBJECT_HANDLE object = 0;
    CK_ULONG value_len = 32;
    CK_ATTRIBUTE items[] = {{CKA_VALUE_LEN, &value_len, sizeof value_len}};
    CK_MECHANISM mechanism = {.mechanism = CKM_AES_KEY_GEN};
    CU_ASSERT_EQUAL(C_GenerateKey(session, &mechanism, items, 1, &object), CKR_OK);
    return object;
}

static void session_objects_end_with_their_session(void)
{
    begin();
    script.session_objects = true;
    CK_SESSION_HANDLE other = session;
    CU_ASSERT_EQUAL(C_OpenSession(1, CKF_SERIAL_SESSION, NULL, NULL, &session), CKR_OK);
    for (unsigned i = 0; i < 100; i++)
        CU_ASSERT_NOT_EQUAL(make(), 0);
    CU_ASSERT_EQUAL(C_CloseSession(other), CKR_OK);
    CU_ASSERT_EQUAL(script.asked[QHSM__REQUEST__BODY_DESTROY_OBJECT], 0);
    CU_ASSERT_EQUAL(C_CloseSession(session), CKR_OK);
    CU_ASSERT_EQUAL(script.asked[QHSM__REQUEST__BODY_DESTROY_OBJECT], 100);
    end();
}

static void private_session_objects_end_with_the_login(void)
{
    begin();
    CK_UTF8CHAR pin[] = "1234";
    script.session_objects = true;
    CU_ASSERT_EQUAL(C_Login(session, CKU_USER, pin, 4), CKR_OK);
    (void)make();
    CU_ASSERT_EQUAL(C_Logout(session), CKR_OK);
    CU_ASSERT_EQUAL(script.asked[QHSM__REQUEST__BODY_DESTROY_OBJECT], 1);
    end();
}

static void session_objects_end_at_once_when_their_hsm_is_gone(void)
{
    script_start(NULL);
    session = script_session();
    script.session_objects = true;
    CK_OBJECT_HANDLE lost = make();
    CK_OBJECT_HANDLE refused = make();
    for (unsigned i = 0; i < 20; i++)
        (void)make();
    script.fail_once[QHSM__REQUEST__BODY_DESTROY_OBJECT] = RC_SESSION_OBJECT_LOST;
    CU_ASSERT_EQUAL(C_DestroyObject(session, lost), CKR_OK);
    CU_ASSERT_EQUAL(script.asked[QHSM__REQUEST__BODY_RESTORE_OBJECT], 0);
    script.fail_once[QHSM__REQUEST__BODY_DESTROY_OBJECT] = RC_ACTION_PROHIBITED;
    CU_ASSERT_EQUAL(C_DestroyObject(session, refused), CKR_ACTION_PROHIBITED);
    script_stop();
    struct timespec start;
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &start);
    CU_ASSERT_EQUAL(C_DestroyObject(session, refused), CKR_OK);
    CU_ASSERT_EQUAL(C_CloseSession(session), CKR_OK);
    CU_ASSERT_EQUAL(C_Finalize(NULL), CKR_OK);
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    CU_ASSERT(now.tv_sec - start.tv_sec < SCRIPT_TIMEOUT_S / 4); /* half, if it were waited for */
}

static void lost_session_object_is_given_back_and_the_call_repeated(void)
{
    begin();
    script.session_objects = true;
    CK_OBJECT_HANDLE object = make();
    CK_MECHANISM mechanism = {.mechanism = CKM_SHA256_RSA_PKCS};
    CK_BYTE signature[256];
    CK_ULONG len = sizeof signature;
    CU_ASSERT_EQUAL(C_SignInit(session, &mechanism, object), CKR_OK);
    script.fail_once[QHSM__REQUEST__BODY_CRYPT] = RC_SESSION_OBJECT_LOST;
    CU_ASSERT_EQUAL(C_Sign(session, signature, 5, signature, &len), CKR_OK);
    CU_ASSERT_EQUAL(script.asked[QHSM__REQUEST__BODY_RESTORE_OBJECT], 1);
    CU_ASSERT_EQUAL(script.asked[QHSM__REQUEST__BODY_CRYPT], 2);
    end();
}

static void search_gives_lost_session_objects_back_first(void)
{
    begin();
    script.session_objects = true;
    for (unsigned i = 0; i < 5; i++)
        (void)make();
    CU_ASSERT_EQUAL(C_FindObjectsInit(session, NULL, 0), CKR_OK);
    CU_ASSERT_EQUAL(C_FindObjectsFinal(session), CKR_OK);
    CU_ASSERT_EQUAL(script.asked[QHSM__REQUEST__BODY_RESTORE_OBJECT], 0);
    script.fail_once[QHSM__REQUEST__BODY_FACTS] = RC_SESSION_OBJECT_LOST;
    CU_ASSERT_EQUAL(C_FindObjectsInit(session, NULL, 0), CKR_OK);
    CU_ASSERT_EQUAL(script.asked[QHSM__REQUEST__BODY_RESTORE_OBJECT], 5);
    end();
}

static void token_objects_are_not_made_in_a_read_only_session(void)
{
    begin();
    CK_SESSION_HANDLE read_only = 0;
    CU_ASSERT_EQUAL(C_OpenSession(1, CKF_SERIAL_SESSION, NULL, NULL, &read_only), CKR_OK);
    CK_ATTRIBUTE token[] = {{CKA_TOKEN, &yes, sizeof yes}};
    CK_OBJECT_HANDLE object = 0;
    CK_MECHANISM mechanism = {.mechanism = CKM_AES_KEY_GEN};
    CU_ASSERT_EQUAL(C_CreateObject(read_only, token, 1, &object), CKR_SESSION_READ_ONLY);
    CU_ASSERT_EQUAL(C_GenerateKey(read_only, &mechanism, token, 1, &object), CKR_SESSION_READ_ONLY);
    CU_ASSERT_EQUAL(C_DestroyObject(read_only, 5), CKR_SESSION_READ_ONLY);
    CU_ASSERT_EQUAL(C_SetAttributeValue(read_only, 5, token, 1), CKR_SESSION_READ_ONLY);
    CU_ASSERT_EQUAL(script.asked[QHSM__REQUEST__BODY_DESTROY_OBJECT], 0);
    CU_ASSERT_EQUAL(C_CreateObject(session, token, 1, &object), CKR_OK);
    CU_ASSERT_EQUAL(C_DestroyObject(session, object), CKR_OK);
    end();
}

static void null_pointers_are_refused_everywhere(void)
{
    begin();
    CK_MECHANISM mechanism = {.mechanism = CKM_AES_KEY_GEN};
    CK_OBJECT_HANDLE object = 0;
    CU_ASSERT_EQUAL(C_CreateObject(session, NULL, 2, &object), CKR_ARGUMENTS_BAD);
    CU_ASSERT_EQUAL(C_CreateObject(session, NULL, 0, NULL), CKR_ARGUMENTS_BAD);
    CU_ASSERT_EQUAL(C_GenerateKey(session, NULL, NULL, 0, &object), CKR_ARGUMENTS_BAD);
    CU_ASSERT_EQUAL(C_GenerateKey(session, &mechanism, NULL, 0, NULL), CKR_ARGUMENTS_BAD);
    CU_ASSERT_EQUAL(C_GenerateKeyPair(session, &mechanism, NULL, 0, NULL, 0, &object, NULL),
                    CKR_ARGUMENTS_BAD);
    CU_ASSERT_EQUAL(C_GetAttributeValue(session, 5, NULL, 1), CKR_ARGUMENTS_BAD);
    CU_ASSERT_EQUAL(C_WrapKey(session, &mechanism, 5, 6, NULL, NULL), CKR_ARGUMENTS_BAD);
    CU_ASSERT_EQUAL(C_UnwrapKey(session, &mechanism, 5, NULL, 9, NULL, 0, &object),
                    CKR_ARGUMENTS_BAD);
    CU_ASSERT_EQUAL(C_GenerateRandom(session, NULL, 9), CKR_ARGUMENTS_BAD);
    CU_ASSERT_EQUAL(C_GetObjectSize(session, 5, NULL), CKR_ARGUMENTS_BAD);
    end();
}

static void random_comes_in_any_length(void)
{
    begin();
    CK_BYTE bytes[1000] = {0};
    CU_ASSERT_EQUAL(C_GenerateRandom(session, bytes, sizeof bytes), CKR_OK);
    CU_ASSERT_EQUAL(bytes[999], 0x5A);
    CU_ASSERT_EQUAL(C_GenerateRandom(session, bytes, 0), CKR_OK);
    CU_ASSERT_EQUAL(C_SeedRandom(session, bytes, 8), CKR_OK);
    end();
}

UNIT_SUITE("p11/objects", UNIT_CASE(search_returns_each_object_once_over_many_pages),
           UNIT_CASE(search_loses_nothing_to_a_page_that_fails),
           UNIT_CASE(small_search_is_one_request),
           UNIT_CASE(session_objects_end_with_their_session),
           UNIT_CASE(session_objects_end_at_once_when_their_hsm_is_gone),
           UNIT_CASE(private_session_objects_end_with_the_login),
           UNIT_CASE(lost_session_object_is_given_back_and_the_call_repeated),
           UNIT_CASE(search_gives_lost_session_objects_back_first),
           UNIT_CASE(token_objects_are_not_made_in_a_read_only_session),
           UNIT_CASE(null_pointers_are_refused_everywhere), UNIT_CASE(random_comes_in_any_length));

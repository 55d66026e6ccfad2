/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions, their states, and the login, which belongs to the application. */
#include <pthread.h>
#include <string.h>

#include "common/rc.h"
#include "tests/unit/p11/script_hsm.h"
#include "tests/unit/unit.h"

static CK_UTF8CHAR pin[] = "1234";

static void begin(void)
{
    script_start(NULL);
    CU_ASSERT_EQUAL_FATAL(C_Initialize(NULL), CKR_OK);
}

static void end(void)
{
    CU_ASSERT_EQUAL(C_Finalize(NULL), CKR_OK);
    script_stop();
}

static CK_SESSION_HANDLE open_session(CK_FLAGS flags)
{
    CK_SESSION_HANDLE session = 0;
    CU_ASSERT_EQUAL(C_OpenSession(1, CKF_SERIAL_SESSION | flags, NULL, NULL, &session), CKR_OK);
    return session;
}

static CK_STATE state_of(CK_SESSION_HANDLE session)
{
    CK_SESSION_INFO info = {.state = 99};
    CU_ASSERT_EQUAL(C_GetSessionInfo(session, &info), CKR_OK);
    return info.state;
}

static void login_is_of_all_sessions_and_ends_with_the_last(void)
{
    begin();
    CK_SESSION_HANDLE one = open_session(CKF_RW_SESSION);
    CK_SESSION_HANDLE two = open_session(0);
    CU_ASSERT_EQUAL(C_Login(one, CKU_USER, pin, 4), CKR_OK);
    CU_ASSERT_EQUAL(state_of(one), CKS_RW_USER_FUNCTIONS);
    CU_ASSERT_EQUAL(state_of(two), CKS_RO_USER_FUNCTIONS);
    CU_ASSERT_EQUAL(C_Login(two, CKU_USER, pin, 4), CKR_USER_ALREADY_LOGGED_IN);
    CU_ASSERT_EQUAL(C_Login(two, CKU_SO, pin, 4), CKR_USER_ANOTHER_ALREADY_LOGGED_IN);
    CU_ASSERT_EQUAL(C_CloseSession(one), CKR_OK);
    CU_ASSERT_EQUAL(state_of(two), CKS_RO_USER_FUNCTIONS);
    CU_ASSERT_EQUAL(C_CloseSession(two), CKR_OK);
    CK_SESSION_HANDLE three = open_session(0);
    CU_ASSERT_EQUAL(state_of(three), CKS_RO_PUBLIC_SESSION);
    end();
}

static void security_officer_and_read_only_sessions_exclude_each_other(void)
{
    begin();
    CK_SESSION_HANDLE read_only = open_session(0);
    CK_SESSION_HANDLE writing = open_session(CKF_RW_SESSION);
    CU_ASSERT_EQUAL(C_Login(writing, CKU_SO, pin, 4), CKR_SESSION_READ_ONLY_EXISTS);
    CU_ASSERT_EQUAL(C_CloseSession(read_only), CKR_OK);
    CU_ASSERT_EQUAL(C_Login(writing, CKU_SO, pin, 4), CKR_OK);
    CU_ASSERT_EQUAL(state_of(writing), CKS_RW_SO_FUNCTIONS);
    CU_ASSERT_EQUAL(C_OpenSession(1, CKF_SERIAL_SESSION, NULL, NULL, &read_only),
                    CKR_SESSION_READ_WRITE_SO_EXISTS);
    CU_ASSERT_EQUAL(C_Logout(writing), CKR_OK);
    CU_ASSERT_EQUAL(C_Logout(writing), CKR_USER_NOT_LOGGED_IN);
    end();
}

static void wrong_arguments_of_login_are_refused_here(void)
{
    begin();
    CK_SESSION_HANDLE session = open_session(CKF_RW_SESSION);
    CU_ASSERT_EQUAL(C_Login(session, CKU_USER, NULL, 0), CKR_ARGUMENTS_BAD);
    CU_ASSERT_EQUAL(C_Login(session, 7, pin, 4), CKR_USER_TYPE_INVALID);
    CU_ASSERT_EQUAL(C_Login(session + 1, CKU_USER, pin, 4), CKR_SESSION_HANDLE_INVALID);
    CU_ASSERT_EQUAL(C_LoginUser(session, CKU_USER, pin, 4, NULL, 0), CKR_ARGUMENTS_BAD);
    CU_ASSERT_EQUAL(script.asked[QHSM__REQUEST__BODY_LOGIN], 0);
    CU_ASSERT_EQUAL(C_LoginUser(session, CKU_USER, pin, 4, pin, 4), CKR_OK);
    end();
}

static void wrong_pin_says_so_and_nobody_is_logged_in(void)
{
    begin();
    CK_SESSION_HANDLE session = open_session(0);
    script.fail_once[QHSM__REQUEST__BODY_LOGIN] = RC_PIN_INCORRECT;
    CU_ASSERT_EQUAL(C_Login(session, CKU_USER, pin, 4), CKR_PIN_INCORRECT);
    CU_ASSERT_EQUAL(state_of(session), CKS_RO_PUBLIC_SESSION);
    end();
}

static void void_ticket_logs_out_and_a_new_login_works(void)
{
    begin();
    CK_SESSION_HANDLE session = open_session(0);
    CU_ASSERT_EQUAL(C_Login(session, CKU_USER, pin, 4), CKR_OK);
    script.fail_once[QHSM__REQUEST__BODY_FIND] = RC_TICKET_VOID;
    CU_ASSERT_EQUAL(C_FindObjectsInit(session, NULL, 0), CKR_USER_NOT_LOGGED_IN);
    CU_ASSERT_EQUAL(state_of(session), CKS_RO_PUBLIC_SESSION);
    CU_ASSERT_EQUAL(C_Login(session, CKU_USER, pin, 4), CKR_OK);
    CU_ASSERT_EQUAL(C_FindObjectsInit(session, NULL, 0), CKR_OK);
    CU_ASSERT_EQUAL(script.ticket_len, 40);
    end();
}

static void changed_pin_renews_the_login_at_once(void)
{
    begin();
    CK_SESSION_HANDLE session = open_session(CKF_RW_SESSION);
    CU_ASSERT_EQUAL(C_SetPIN(session, pin, 4, pin, 4), CKR_OK);
    CU_ASSERT_EQUAL(script.asked[QHSM__REQUEST__BODY_LOGIN], 0);
    CU_ASSERT_EQUAL(C_Login(session, CKU_USER, pin, 4), CKR_OK);
    CU_ASSERT_EQUAL(C_SetPIN(session, pin, 4, pin, 4), CKR_OK);
    CU_ASSERT_EQUAL(script.asked[QHSM__REQUEST__BODY_LOGIN], 2);
    CU_ASSERT_EQUAL(state_of(session), CKS_RW_USER_FUNCTIONS);
    CK_SESSION_HANDLE read_only = open_session(0);
    CU_ASSERT_EQUAL(C_SetPIN(read_only, pin, 4, pin, 4), CKR_SESSION_READ_ONLY);
    CU_ASSERT_EQUAL(C_InitPIN(session, pin, 4), CKR_USER_NOT_LOGGED_IN);
    end();
}

/* The PIN is another one now: an error would make the application keep the old one. */
static void pin_is_changed_even_when_the_login_cannot_be_renewed(void)
{
    begin();
    CK_SESSION_HANDLE session = open_session(CKF_RW_SESSION);
    CU_ASSERT_EQUAL(C_Login(session, CKU_USER, pin, 4), CKR_OK);
    script.fail_once[QHSM__REQUEST__BODY_LOGIN] = RC_NO_QUORUM;
    CU_ASSERT_EQUAL(C_SetPIN(session, pin, 4, pin, 4), CKR_OK);
    CU_ASSERT_EQUAL(state_of(session), CKS_RW_PUBLIC_SESSION);
    CU_ASSERT_EQUAL(C_Login(session, CKU_USER, pin, 4), CKR_OK);
    end();
}

static void init_token_needs_all_sessions_closed(void)
{
    begin();
    CK_UTF8CHAR name[33] = "new                             ";
    CK_SESSION_HANDLE session = open_session(0);
    CU_ASSERT_EQUAL(C_InitToken(1, pin, 4, name), CKR_SESSION_EXISTS);
    CU_ASSERT_EQUAL(C_CloseAllSessions(1), CKR_OK);
    CU_ASSERT_EQUAL(C_InitToken(1, pin, 4, NULL), CKR_ARGUMENTS_BAD);
    CU_ASSERT_EQUAL(C_InitToken(1, pin, 4, name), CKR_OK);
    CU_ASSERT_EQUAL(C_CloseSession(session), CKR_SESSION_HANDLE_INVALID);
    end();
}

static void sessions_are_refused_where_there_is_no_token(void)
{
    begin();
    CK_SESSION_HANDLE session = 0;
    CU_ASSERT_EQUAL(C_OpenSession(1, 0, NULL, NULL, &session), CKR_SESSION_PARALLEL_NOT_SUPPORTED);
    CU_ASSERT_EQUAL(C_OpenSession(2, CKF_SERIAL_SESSION, NULL, NULL, &session),
                    CKR_TOKEN_NOT_RECOGNIZED);
    CU_ASSERT_EQUAL(C_OpenSession(9, CKF_SERIAL_SESSION, NULL, NULL, &session),
                    CKR_SLOT_ID_INVALID);
    CU_ASSERT_EQUAL(C_OpenSession(1, CKF_SERIAL_SESSION, NULL, NULL, NULL), CKR_ARGUMENTS_BAD);
    CU_ASSERT_EQUAL(C_CloseAllSessions(9), CKR_SLOT_ID_INVALID);
    end();
}

static void old_handles_stay_invalid_when_their_place_is_used_again(void)
{
    begin();
    CK_SESSION_HANDLE first = open_session(0);
    CU_ASSERT_EQUAL(C_CloseSession(first), CKR_OK);
    CK_SESSION_HANDLE second = open_session(0);
    CK_SESSION_INFO info;
    CU_ASSERT_NOT_EQUAL(first, second);
    CU_ASSERT_EQUAL(C_GetSessionInfo(first, &info), CKR_SESSION_HANDLE_INVALID);
    CU_ASSERT_EQUAL(C_GetSessionInfo(0, &info), CKR_SESSION_HANDLE_INVALID);
    CU_ASSERT_EQUAL(C_GetSessionInfo(~0UL, &info), CKR_SESSION_HANDLE_INVALID);
    CU_ASSERT_EQUAL(C_GetSessionInfo(second, &info), CKR_OK);
    end();
}

static void *open_and_close(void *unused)
{
    (void)unused;
    for (unsigned i = 0; i < 300; i++) {
        CK_SESSION_HANDLE session = 0;
        CK_SESSION_INFO info;
        CK_RV rv = C_OpenSession(1, CKF_SERIAL_SESSION, NULL, NULL, &session);
        if (rv != CKR_OK || C_GetSessionInfo(session, &info) != CKR_OK ||
            C_CloseSession(session) != CKR_OK)
            return &script;
    }
    return NULL;
}

static void threads_open_and_close_sessions_side_by_side(void)
{
    begin();
    pthread_t threads[8];
    for (size_t i = 0; i < 8; i++)
        CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, open_and_close, NULL), 0);
    for (size_t i = 0; i < 8; i++) {
        void *failed = NULL;
        CU_ASSERT_EQUAL(pthread_join(threads[i], &failed), 0);
        CU_ASSERT_PTR_NULL(failed);
    }
    end();
}

UNIT_SUITE("p11/login", UNIT_CASE(login_is_of_all_sessions_and_ends_with_the_last),
           UNIT_CASE(security_officer_and_read_only_sessions_exclude_each_other),
           UNIT_CASE(wrong_arguments_of_login_are_refused_here),
           UNIT_CASE(wrong_pin_says_so_and_nobody_is_logged_in),
           UNIT_CASE(void_ticket_logs_out_and_a_new_login_works),
           UNIT_CASE(changed_pin_renews_the_login_at_once),
           UNIT_CASE(pin_is_changed_even_when_the_login_cannot_be_renewed),
           UNIT_CASE(init_token_needs_all_sessions_closed),
           UNIT_CASE(sessions_are_refused_where_there_is_no_token),
           UNIT_CASE(old_handles_stay_invalid_when_their_place_is_used_again),
           UNIT_CASE(threads_open_and_close_sessions_side_by_side));

/* SPDX-License-Identifier: Apache-2.0 */
/* What a forked child finds, and that its parent goes on unharmed. */
#include <pthread.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/p11/script_hsm.h"
#include "tests/unit/unit.h"

static CK_SESSION_HANDLE session;
static CK_UTF8CHAR pin[] = "1234";

static CK_RV sign(CK_SESSION_HANDLE in)
{
    CK_MECHANISM mechanism = {.mechanism = CKM_SHA256_RSA_PKCS};
    CK_BYTE signature[256];
    CK_ULONG len = sizeof signature;
    CK_RV rv = C_SignInit(in, &mechanism, 7);
    return rv != CKR_OK ? rv : C_Sign(in, signature, 5, signature, &len);
}

/* The step at which the child failed, 0 for none. */
static int in_child(int (*steps)(void))
{
    pid_t child = fork();
    if (child == 0)
        _exit(steps());
    int status = -1;
    CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

static void begin(const char *more)
{
    script_start(more);
    session = script_session();
    CU_ASSERT_EQUAL(C_Login(session, CKU_USER, pin, 4), CKR_OK);
    CU_ASSERT_EQUAL(sign(session), CKR_OK);
}

static void end(void)
{
    CU_ASSERT_EQUAL(sign(session), CKR_OK);
    CU_ASSERT_EQUAL(C_Finalize(NULL), CKR_OK);
    script_stop();
}

static int child_initializes_again(void)
{
    CK_SESSION_HANDLE own = 0;
    if (sign(session) != CKR_CRYPTOKI_NOT_INITIALIZED)
        return 1;
    if (C_Finalize(NULL) != CKR_CRYPTOKI_NOT_INITIALIZED)
        return 2;
    /* the files are not readable for the worker: what the parent has read is used */
    (void)unsetenv("QHSM_CONF");
    (void)unsetenv("HOME");
    if (C_Initialize(NULL) != CKR_OK)
        return 3;
    if (sign(session) != CKR_SESSION_HANDLE_INVALID)
        return 4;
    if (C_OpenSession(1, CKF_SERIAL_SESSION, NULL, NULL, &own) != CKR_OK)
        return 5;
    if (C_Login(own, CKU_USER, pin, 4) != CKR_OK || sign(own) != CKR_OK)
        return 6;
    if (C_Initialize(NULL) != CKR_CRYPTOKI_ALREADY_INITIALIZED)
        return 7;
    return C_Finalize(NULL) == CKR_OK ? 0 : 8;
}

static void child_is_not_initialized_until_it_says_so(void)
{
    begin(NULL);
    for (unsigned i = 0; i < 5; i++)
        CU_ASSERT_EQUAL(in_child(child_initializes_again), 0);
    end();
}

static int child_does_nothing(void)
{
    return 0;
}

static void child_that_exits_does_not_disturb_the_parent(void)
{
    begin(NULL);
    unsigned before = script_total();
    CU_ASSERT_EQUAL(in_child(child_does_nothing), 0);
    CU_ASSERT_EQUAL(sign(session), CKR_OK);
    CU_ASSERT_EQUAL(script_total(), before + 1);
    end();
}

static int grandchild(void)
{
    if (C_Initialize(NULL) != CKR_OK)
        return 1;
    return in_child(child_initializes_again) == 0 ? 0 : 2;
}

static void grandchildren_work_too(void)
{
    begin(NULL);
    CU_ASSERT_EQUAL(in_child(grandchild), 0);
    end();
}

static int child_carries_on(void)
{
    CK_SESSION_INFO info;
    if (sign(session) != CKR_OK)
        return 1;
    if (C_GetSessionInfo(session, &info) != CKR_OK || info.state != CKS_RW_USER_FUNCTIONS)
        return 2;
    if (C_Login(session, CKU_USER, pin, 4) != CKR_USER_ALREADY_LOGGED_IN)
        return 3;
    CK_SESSION_HANDLE own = 0;
    if (C_OpenSession(1, CKF_SERIAL_SESSION, NULL, NULL, &own) != CKR_OK || own == session)
        return 4;
    if (C_Initialize(NULL) != CKR_CRYPTOKI_ALREADY_INITIALIZED)
        return 5;
    return C_CloseSession(session) == CKR_OK && C_CloseSession(own) == CKR_OK ? 0 : 6;
}

static void child_carries_on_where_the_configuration_says_inherit(void)
{
    begin("fork = inherit\n");
    CU_ASSERT_EQUAL(in_child(child_carries_on), 0);
    end();
}

static int child_initializes_and_is_logged_in(void)
{
    CK_SESSION_HANDLE own = 0;
    if (C_Initialize(NULL) != CKR_OK)
        return 1;
    if (C_OpenSession(1, CKF_SERIAL_SESSION, NULL, NULL, &own) != CKR_OK)
        return 2;
    return C_Login(own, CKU_USER, pin, 4) == CKR_USER_ALREADY_LOGGED_IN ? 0 : 3;
}

static void child_that_initializes_under_inherit_keeps_the_login(void)
{
    begin("fork = inherit\n");
    CU_ASSERT_EQUAL(in_child(child_initializes_and_is_logged_in), 0);
    end();
}

static atomic_bool stop;

static void *keep_signing(void *unused)
{
    (void)unused;
    CK_SESSION_HANDLE own = 0;
    if (C_OpenSession(1, CKF_SERIAL_SESSION, NULL, NULL, &own) != CKR_OK)
        return &stop;
    while (!stop)
        if (sign(own) != CKR_OK)
            return &stop;
    (void)C_CloseSession(own);
    return NULL;
}

static void forks_among_busy_threads_neither_hang_nor_harm(void)
{
    begin(NULL);
    stop = false;
    pthread_t threads[4];
    for (size_t i = 0; i < 4; i++)
        CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, keep_signing, NULL), 0);
    for (unsigned i = 0; i < 20; i++)
        CU_ASSERT_EQUAL(in_child(child_initializes_again), 0);
    stop = true;
    for (size_t i = 0; i < 4; i++) {
        void *failed = NULL;
        CU_ASSERT_EQUAL(pthread_join(threads[i], &failed), 0);
        CU_ASSERT_PTR_NULL(failed);
    }
    end();
}

UNIT_SUITE("p11/fork", UNIT_CASE(child_is_not_initialized_until_it_says_so),
           UNIT_CASE(child_that_exits_does_not_disturb_the_parent),
           UNIT_CASE(grandchildren_work_too),
           UNIT_CASE(child_carries_on_where_the_configuration_says_inherit),
           UNIT_CASE(child_that_initializes_under_inherit_keeps_the_login),
           UNIT_CASE(forks_among_busy_threads_neither_hang_nor_harm));

/* SPDX-License-Identifier: Apache-2.0 */
/* `fork = inherit` against a real daemon: the child goes on with the parent's login and session
 * objects, and both make keys of their own. Run by tests/integration/killed_daemon.sh. */
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cryptoki.h"
#include "tests/unit/unit.h"

static CK_FUNCTION_LIST_PTR p11;
static CK_SESSION_HANDLE session;
static CK_OBJECT_HANDLE shared;

static void begin(void)
{
    union {
        void *symbol;
        CK_C_GetFunctionList function;
    } get;
    void *module = dlopen(getenv("QHSM_MODULE"), RTLD_NOW | RTLD_LOCAL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(module);
    get.symbol = dlsym(module, "C_GetFunctionList");
    CU_ASSERT_EQUAL_FATAL(get.function(&p11), CKR_OK);
    char *pin = getenv("QHSM_USER_PIN");
    CU_ASSERT_EQUAL_FATAL(p11->C_Initialize(NULL), CKR_OK);
    CU_ASSERT_EQUAL_FATAL(
        p11->C_OpenSession(1, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &session), CKR_OK);
    CU_ASSERT_EQUAL_FATAL(p11->C_Login(session, CKU_USER, (CK_UTF8CHAR_PTR)pin, strlen(pin)),
                          CKR_OK);
}

static CK_OBJECT_HANDLE make(void)
{
    CK_BBOOL yes = CK_TRUE;
    CK_ULONG len = 16;
    CK_OBJECT_HANDLE key = CK_INVALID_HANDLE;
    CK_ATTRIBUTE items[] = {{CKA_VALUE_LEN, &len, sizeof len}, {CKA_ENCRYPT, &yes, 1}};
    CK_MECHANISM mechanism = {.mechanism = CKM_AES_KEY_GEN};
    return p11->C_GenerateKey(session, &mechanism, items, 2, &key) == CKR_OK ? key
                                                                             : CK_INVALID_HANDLE;
}

static CK_RV encrypt(CK_OBJECT_HANDLE key)
{
    CK_BYTE block[16] = {0};
    CK_ULONG len = sizeof block;
    CK_MECHANISM mechanism = {.mechanism = CKM_AES_ECB};
    CK_RV rv = p11->C_EncryptInit(session, &mechanism, key);
    return rv != CKR_OK ? rv : p11->C_Encrypt(session, block, sizeof block, block, &len);
}

static int child(void)
{
    if (encrypt(shared) != CKR_OK)
        return 1;
    for (unsigned i = 0; i < 20; i++) {
        CK_OBJECT_HANDLE own = make();
        if (own == CK_INVALID_HANDLE || own == shared || encrypt(own) != CKR_OK)
            return 2;
        if (p11->C_DestroyObject(session, own) != CKR_OK)
            return 3;
    }
    return p11->C_Finalize(NULL) == CKR_OK ? 0 : 4;
}

static void child_carries_on_and_disturbs_nobody(void)
{
    begin();
    for (unsigned i = 0; i < 5; i++) {
        shared = make();
        CU_ASSERT_NOT_EQUAL(shared, CK_INVALID_HANDLE);
        pid_t pid = fork();
        if (pid == 0)
            _exit(child());
        CK_OBJECT_HANDLE other = make();
        int status = -1;
        CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
        CU_ASSERT(WIFEXITED(status));
        CU_ASSERT_EQUAL(WEXITSTATUS(status), 0);
        CU_ASSERT_EQUAL(encrypt(other), CKR_OK);
        CU_ASSERT_EQUAL(encrypt(shared), CKR_OK);
        CU_ASSERT_EQUAL(p11->C_DestroyObject(session, shared), CKR_OK);
    }
    CU_ASSERT_EQUAL(p11->C_Finalize(NULL), CKR_OK);
}

UNIT_SUITE("p11/inherit", UNIT_CASE(child_carries_on_and_disturbs_nobody));

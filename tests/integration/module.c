/* SPDX-License-Identifier: Apache-2.0 */
/* See module.h. */
#include "tests/integration/module.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void *library;

/* _exit: the program may be a child of fork, and what runs at exit is among what is tested. */
static void give_up(const char *what, int line)
{
    (void)fprintf(stderr, "line %d: %s\n", line, what);
    _exit(1);
}

void module_expect(CK_RV expected, CK_RV got, const char *what, int line)
{
    if (got == expected)
        return;
    (void)fprintf(stderr, "line %d: %s answers 0x%lx, not 0x%lx\n", line, what, got, expected);
    _exit(1);
}

void module_check(bool good, const char *what, int line)
{
    if (!good)
        give_up(what, line);
}

const char *module_setting(const char *name)
{
    const char *value = getenv(name);
    if (value == NULL)
        give_up(name, __LINE__);
    return value;
}

CK_FUNCTION_LIST_PTR module_load(void)
{
    union {
        void *symbol;
        CK_C_GetFunctionList function;
    } get;
    CK_FUNCTION_LIST_PTR p11 = NULL;
    library = dlopen(module_setting("QHSM_MODULE"), RTLD_NOW | RTLD_LOCAL);
    if (library == NULL)
        give_up(dlerror(), __LINE__);
    get.symbol = dlsym(library, "C_GetFunctionList");
    CHECK(get.symbol != NULL);
    EXPECT(CKR_OK, get.function(&p11));
    return p11;
}

void module_unload(void)
{
    CHECK(dlclose(library) == 0);
    library = NULL;
}

static bool is_named(const CK_TOKEN_INFO *info, const char *label)
{
    char padded[sizeof info->label + 1];
    (void)snprintf(padded, sizeof padded, "%-32s", label);
    return memcmp(info->label, padded, sizeof info->label) == 0;
}

CK_SLOT_ID module_slot(CK_FUNCTION_LIST_PTR p11)
{
    CK_SLOT_ID slots[64];
    CK_ULONG count = sizeof slots / sizeof slots[0];
    const char *label = module_setting("QHSM_TOKEN");
    EXPECT(CKR_OK, p11->C_GetSlotList(CK_TRUE, slots, &count));
    for (CK_ULONG i = 0; i < count; i++) {
        CK_TOKEN_INFO info;
        EXPECT(CKR_OK, p11->C_GetTokenInfo(slots[i], &info));
        if (is_named(&info, label))
            return slots[i];
    }
    give_up("no slot has the token of QHSM_TOKEN", __LINE__);
    return 0;
}

CK_SESSION_HANDLE module_session(CK_FUNCTION_LIST_PTR p11)
{
    CK_SESSION_HANDLE session = CK_INVALID_HANDLE;
    EXPECT(CKR_OK, p11->C_OpenSession(module_slot(p11), CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL,
                                      NULL, &session));
    return session;
}

CK_SESSION_HANDLE module_login(CK_FUNCTION_LIST_PTR p11)
{
    CK_SESSION_HANDLE session = module_session(p11);
    CK_UTF8CHAR pin[256];
    CK_ULONG len = strlen(module_setting("QHSM_USER_PIN"));
    CHECK(len < sizeof pin);
    memcpy(pin, module_setting("QHSM_USER_PIN"), len);
    EXPECT(CKR_OK, p11->C_Login(session, CKU_USER, pin, len));
    return session;
}

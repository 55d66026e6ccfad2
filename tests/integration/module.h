/* SPDX-License-Identifier: Apache-2.0 */
/* For programs that play an application: the module of QHSM_MODULE, loaded as applications do, a
 * session on the token QHSM_TOKEN, and checks that end the program with a message. They print
 * nothing else. */
#ifndef QHSM_TESTS_INTEGRATION_MODULE_H
#define QHSM_TESTS_INTEGRATION_MODULE_H

#include <stdbool.h>

#include "common/cryptoki.h"

/* The function list of 2.40. */
CK_FUNCTION_LIST_PTR module_load(void);
void module_unload(void);
/* The slot of the token QHSM_TOKEN; the module is initialised. */
CK_SLOT_ID module_slot(CK_FUNCTION_LIST_PTR p11);
/* A new read/write session on that slot. */
CK_SESSION_HANDLE module_session(CK_FUNCTION_LIST_PTR p11);
/* A new read/write session, and the login of QHSM_USER_PIN. */
CK_SESSION_HANDLE module_login(CK_FUNCTION_LIST_PTR p11);
/* A variable of the environment, which must be there. */
const char *module_setting(const char *name);

void module_expect(CK_RV expected, CK_RV got, const char *what, int line);
void module_check(bool good, const char *what, int line);

#define EXPECT(expected, call) module_expect(expected, call, #call, __LINE__)
#define CHECK(condition)       module_check(condition, #condition, __LINE__)

#endif

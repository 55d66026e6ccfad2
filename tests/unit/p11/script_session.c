/* SPDX-License-Identifier: Apache-2.0 */
/* Apart from the rest, for tests that are not linked with the module. */
#include "tests/unit/p11/script_hsm.h"
#include "tests/unit/unit.h"

CK_SESSION_HANDLE script_session(void)
{
    CK_SESSION_HANDLE session = 0;
    CU_ASSERT_EQUAL_FATAL(C_Initialize(NULL), CKR_OK);
    CU_ASSERT_EQUAL_FATAL(
        C_OpenSession(1, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &session), CKR_OK);
    return session;
}

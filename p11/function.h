/* SPDX-License-Identifier: Apache-2.0 */
/* The functions of PKCS#11 2.40, 3.0 and 3.2 as numbers, for the call trace. */
#ifndef QHSM_P11_FUNCTION_H
#define QHSM_P11_FUNCTION_H

#include "common/cryptoki.h"

enum function {
#define FUNCTION_NUMBER(name, parameters) FN_##name,
    CK_FUNCTIONS_2_40(FUNCTION_NUMBER) CK_FUNCTIONS_3_0(FUNCTION_NUMBER)
        CK_FUNCTIONS_3_2(FUNCTION_NUMBER)
#undef FUNCTION_NUMBER
            FUNCTION_COUNT
};

/* "C_Sign" */
const char *function_name(enum function function);

#endif

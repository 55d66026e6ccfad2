/* SPDX-License-Identifier: Apache-2.0 */
#include "p11/function.h"

#define FUNCTION_NAME(name, parameters) [FN_##name] = #name,
static const char *const names[FUNCTION_COUNT] = {CK_FUNCTIONS_2_40(FUNCTION_NAME) CK_FUNCTIONS_3_0(
    FUNCTION_NAME) CK_FUNCTIONS_3_2(FUNCTION_NAME)};

const char *function_name(enum function function)
{
    return names[function];
}

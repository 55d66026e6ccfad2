/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/unit.h"

#include <CUnit/Basic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void unit_rc(int rc, int expected, const char *text, const char *file, unsigned line)
{
    char condition[256];
    (void)snprintf(condition, sizeof condition, "%s gave %d, expected %d", text, rc, expected);
    (void)CU_assertImplementation(rc == expected ? CU_TRUE : CU_FALSE, line, condition, file, "",
                                  CU_FALSE);
}

void unit_ok(int rc, const char *text, const char *file, unsigned line)
{
    unit_rc(rc, 0, text, file, line);
}

void unit_directory(char *out, size_t size)
{
    const char *parent = getenv("TMPDIR");
    int len = snprintf(out, size, "%s/qhsm-unit-XXXXXX", parent != NULL ? parent : "/tmp");
    if (len < 0 || (size_t)len >= size || mkdtemp(out) == NULL) {
        perror(out);
        abort();
    }
}

/* With an argument runs only the cases whose name contains it. */
int main(int argc, char **argv)
{
    if (CU_initialize_registry() != CUE_SUCCESS)
        return 2;
    CU_pSuite suite = CU_add_suite(unit_suite_name, NULL, NULL);
    if (suite == NULL)
        return 2;
    unsigned added = 0;
    for (unsigned i = 0; i < unit_case_count; i++) {
        if (argc > 1 && strstr(unit_cases[i].name, argv[1]) == NULL)
            continue;
        if (CU_add_test(suite, unit_cases[i].name, unit_cases[i].run) == NULL)
            return 2;
        added++;
    }
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failed = CU_get_number_of_failures();
    CU_cleanup_registry();
    return added == 0 || failed > 0 ? 1 : 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The frame of a CUnit suite: a test file lists its cases, unit.c runs them. */
#ifndef QHSM_TESTS_UNIT_H
#define QHSM_TESTS_UNIT_H

#include <CUnit/CUnit.h>

struct unit_case {
    const char *name; /* a sentence: sign_is_refused_when_key_lacks_CKA_SIGN */
    void (*run)(void);
};

/* Each suite defines these three, by UNIT_SUITE. */
extern const char *const unit_suite_name;
extern const struct unit_case unit_cases[];
extern const unsigned unit_case_count;

#define UNIT_CASE(fn)          \
    {                          \
        .name = #fn, .run = fn \
    }
#define UNIT_SUITE(name, ...)                            \
    const char *const unit_suite_name = (name);          \
    const struct unit_case unit_cases[] = {__VA_ARGS__}; \
    const unsigned unit_case_count = sizeof unit_cases / sizeof unit_cases[0]

/* Asserts RC_OK, with the code and detail printed when not. */
#define UNIT_OK(expr) unit_ok((int)(expr), #expr, __FILE__, __LINE__)
/* Asserts that exact code. */
#define UNIT_RC(expr, expected) unit_rc((int)(expr), (int)(expected), #expr, __FILE__, __LINE__)
void unit_ok(int rc, const char *text, const char *file, unsigned line);
void unit_rc(int rc, int expected, const char *text, const char *file, unsigned line);

/* A new directory under TMPDIR, which the lanes of the sanitizers have in memory. Aborts. */
void unit_directory(char *out, size_t size);

#endif

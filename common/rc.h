/* SPDX-License-Identifier: Apache-2.0 */
/* The one error type of the program, its table (rc.def), and the detail that travels with an error.
 */
#ifndef QHSM_COMMON_RC_H
#define QHSM_COMMON_RC_H

#include <stdint.h>

enum [[nodiscard]] rc{
#define RC(name, wire, ckr, http, exit_code, text, next) RC_##name = (wire),
#include "common/rc.def"
#undef RC
};

/* One row of rc.def. */
struct rc_info {
    enum rc rc;
    const char *name;  /* "PIN_INCORRECT" */
    unsigned long ckr; /* what the PKCS#11 border answers */
    unsigned http;     /* status of the KMS and key store borders */
    int exit_code;     /* of the command line */
    const char *text;  /* what happened, one sentence */
    const char *next;  /* what to do next, or "" */
};

/* Never NULL: an unknown number gives the row of RC_INTERNAL. Any thread. */
const struct rc_info *rc_info(enum rc rc);
/* From a peer's number: unknown numbers become RC_INTERNAL. */
enum rc rc_from_wire(uint32_t number);

/* Returns early with the error of `expr`. The only macro of the house that hides a return. */
#define TRY(expr)                 \
    do {                          \
        enum rc try_rc_ = (expr); \
        if (try_rc_ != RC_OK)     \
            return try_rc_;       \
    } while (0)

/* Records what exactly was refused and why, for log, trace and CLI (thread local, at most 255
 * bytes, never data, PINs or attribute values), and returns rc: `return rc_fail(RC_KEY_SIZE_RANGE,
 * "RSA modulus of %u bits, allowed %u to %u",
 * ...)`. The latest detail stands until rc_detail_clear(). */
enum rc rc_fail(enum rc rc, const char *format, ...) __attribute__((format(printf, 2, 3)));
#ifdef __clang_analyzer__ /* it cannot see that the error comes back: RC_OK for all it knows */
#define rc_fail(code, ...) ((void)rc_fail(code, __VA_ARGS__), (code))
#endif
/* "" when there is none. Borrowed, this thread's, valid until the next rc_fail or clear. */
const char *rc_detail(void);
void rc_detail_clear(void);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Errors of the front end (errors.def) with the text that goes to the caller. */
#ifndef QHSM_KMS_ERROR_H
#define QHSM_KMS_ERROR_H

#include "common/rc.h"

enum [[nodiscard]] kms_error{
    KMS_OK,
#define KMS_ERROR(symbol, name, status, text) KMS_##symbol,
#include "kms/errors.def"
#undef KMS_ERROR
    KMS_ERROR_END,
};

struct kms_error_row {
    const char *name; /* "NotFoundException" */
    unsigned status;  /* HTTP */
    const char *text; /* when the place of the error says nothing else */
};
/* Never NULL. */
const struct kms_error_row *kms_error_row(enum kms_error error);

#define KMS_TRY(expr)                    \
    do {                                 \
        enum kms_error try_ke_ = (expr); \
        if (try_ke_ != KMS_OK)           \
            return try_ke_;              \
    } while (0)

/* Records the text for the caller (thread local, at most 2,047 bytes; never plaintext) and returns
 * error: `return kms_fail(KMS_NOT_FOUND, "Key '%s' does not exist", arn)`. */
enum kms_error kms_fail(enum kms_error error, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* With the default text of its row. */
enum kms_error kms_fail_plain(enum kms_error error);
#ifdef __clang_analyzer__ /* it cannot see that the error comes back: KMS_OK for all it knows */
#define kms_fail(code, ...)  ((void)kms_fail(code, __VA_ARGS__), (code))
#define kms_fail_plain(code) ((void)kms_fail_plain(code), (code))
#endif
/* The text of the last failure on this thread, never NULL. */
const char *kms_error_text(void);

/* What of the HSM has no meaning of its own at the place: RC_OK, unavailable HSMs and deadlines
 * (DEPENDENCY_TIMEOUT, KEY_UNAVAILABLE), the rest INTERNAL. Logs rc and its detail; the caller is
 * told no more than the row's text. */
enum kms_error kms_from_rc(enum rc rc);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* The table of errors, and the text of this thread's last one. */
#include "kms/error.h"

#include <stdarg.h>
#include <stdio.h>

#include "common/log.h"

#define TEXT_MAX 2048U

static const struct kms_error_row rows[] = {
    [KMS_OK] = {"", 200, ""},
#define KMS_ERROR(symbol, name, status, text) [KMS_##symbol] = {name, status, text},
#include "kms/errors.def"
#undef KMS_ERROR
};

static _Thread_local char last[TEXT_MAX];

const struct kms_error_row *kms_error_row(enum kms_error error)
{
    return error < KMS_ERROR_END ? &rows[error] : &rows[KMS_INTERNAL];
}

#undef kms_fail
#undef kms_fail_plain
enum kms_error kms_fail(enum kms_error error, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(last, sizeof last, format, args);
    va_end(args);
    return error;
}

enum kms_error kms_fail_plain(enum kms_error error)
{
    return kms_fail(error, "%s", kms_error_row(error)->text);
}

const char *kms_error_text(void)
{
    return last;
}

static enum kms_error error_of_rc(enum rc rc)
{
    switch ((int)rc) {
    case RC_UNAVAILABLE:
    case RC_NO_QUORUM:
    case RC_NO_LEADER:
    case RC_DRAINING:
    case RC_OVERLOADED:
        return KMS_UNAVAILABLE;
    case RC_DEADLINE:
        return KMS_DEPENDENCY_TIMEOUT;
    default:
        return KMS_INTERNAL;
    }
}

enum kms_error kms_from_rc(enum rc rc)
{
    if (rc == RC_OK)
        return KMS_OK;
    log_warn("hsm_refused", "error=%s detail=\"%s\"", rc_info(rc)->name, rc_detail());
    if (rc == RC_MECHANISM) /* by its policy, or its libcrypto */
        return kms_fail(KMS_UNSUPPORTED, "The HSM does not offer this: %s.", rc_detail());
    return kms_fail_plain(error_of_rc(rc));
}

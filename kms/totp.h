/* SPDX-License-Identifier: Apache-2.0 */
/* Time-based one-time passwords (RFC 6238) as virtual MFA devices make them: HMAC-SHA-1, steps of
 * 30 seconds, six digits. Any thread. */
#ifndef QHSM_KMS_TOTP_H
#define QHSM_KMS_TOTP_H

#include <stdbool.h>

#include "common/secret.h"

#define TOTP_STEP_MS 30000U
#define TOTP_DIGITS  6U

/* Six digits? */
bool totp_is_code(const char *text);
/* The code of a step. RC_INTERNAL. */
enum rc totp_code(const struct secret *seed, uint64_t step, char out[TOTP_DIGITS + 1]);
/* The first step from `first` to `last` whose code is `code` and the next one's `next` (NULL: any);
 * *out_is_found false when there is none. RC_INTERNAL. */
enum rc totp_find(const struct secret *seed, const char *code, const char *next, uint64_t first,
                  uint64_t last, bool *out_is_found, uint64_t *out_step);

#endif

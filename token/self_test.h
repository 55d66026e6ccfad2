/* SPDX-License-Identifier: Apache-2.0 */
/* What the self-tests of secret and of asymmetric keys share. */
#ifndef QHSM_TOKEN_SELF_TEST_H
#define QHSM_TOKEN_SELF_TEST_H

#include "token/mech_internal.h"

#define SELF_TEST_INPUT_MAX 512U

/* Bytes of a constant in hex. */
struct self_test_bytes {
    uint8_t bytes[SELF_TEST_INPUT_MAX];
    size_t len;
};
struct bytes self_test_parse(const char *hex, struct self_test_bytes *out);

/* First row with these columns. */
const struct mechanism *self_test_row(enum mech_family family, enum param_kind param,
                                      enum digest_id digest);
/* RC_SELF_TEST with the name of what failed. */
enum rc self_test_failed(const char *what, const char *step);
enum rc self_test_same(const char *what, const char *step, struct bytes got, struct bytes want);

enum rc self_test_pairs(void);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* A share as text: what of it is typed, and what a typing error looks like. */
#ifndef QHSM_TOKEN_SHAMIR_TEXT_H
#define QHSM_TOKEN_SHAMIR_TEXT_H

#include "token/shamir.h"

#define SHAMIR_SECRET_LEN 32U
#define SHAMIR_CHECK_LEN  8U /* of the secret, shared with it */
#define SHAMIR_VALUE_LEN  (SHAMIR_SECRET_LEN + SHAMIR_CHECK_LEN)
#define SHAMIR_SET_LEN    5U

struct shamir_point {
    uint8_t threshold;
    uint8_t number; /* 1 to SHAMIR_SHARES_MAX: where the polynomials were evaluated */
    uint8_t set[SHAMIR_SET_LEN];
    struct secret value; /* SHAMIR_VALUE_LEN */
};

enum rc shamir_text_write(const struct shamir_point *point, struct shamir_share *out);
/* `which`: the share's place among those given, from 1, for the error. RC_BAD_ARGUMENT. */
enum rc shamir_text_read(const char *text, size_t which, struct shamir_point *out);
/* The set as it stands in the text, 8 characters. */
void shamir_text_set(const uint8_t set[SHAMIR_SET_LEN], char out[9]);

#endif

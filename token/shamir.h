/* SPDX-License-Identifier: Apache-2.0 */
/* Shamir's secret sharing over GF(2^8), with a check that tells wrong shares from right ones. */
#ifndef QHSM_TOKEN_SHAMIR_H
#define QHSM_TOKEN_SHAMIR_H

#include "common/buf.h"
#include "common/rc.h"
#include "common/secret.h"

#define SHAMIR_SHARES_MAX 16U
#define SHAMIR_TEXT_MAX   160U

/* A share as people keep it: "qhsm-share-1-THRESHOLD-NUMBER-..." in letters and digits that are
 * hard to confuse, with a checksum against typing errors and the identity of the set. */
struct shamir_share {
    char text[SHAMIR_TEXT_MAX];
};
/* 1 <= threshold <= count <= SHAMIR_SHARES_MAX; secret of 32 bytes. RC_BAD_ARGUMENT. */
enum rc shamir_split(const struct secret *secret, unsigned threshold, unsigned count,
                     struct shamir_share *out);
/* Spaces, case and line ends do not matter. RC_BAD_ARGUMENT names the share that is mistyped, given
 * twice, or of another set, and how many are missing. */
enum rc shamir_join(const char *const *texts, size_t count, struct secret *out);

#endif

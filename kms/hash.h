/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256 and HMAC-SHA-256 of the front end, in its own library context. Any thread. */
#ifndef QHSM_KMS_HASH_H
#define QHSM_KMS_HASH_H

#include "common/bytes.h"
#include "common/rc.h"

#define HASH_LEN     32U
#define HASH_HEX_LEN 65U /* with its NUL */

/* RC_INTERNAL. */
enum rc hash_sha256(struct bytes data, uint8_t out[HASH_LEN]);
/* Of the parts one after the other. */
enum rc hash_sha256_of(const struct bytes *parts, size_t count, uint8_t out[HASH_LEN]);
enum rc hash_hmac(struct bytes key, struct bytes data, uint8_t out[HASH_LEN]);
/* Lower case, NUL-terminated: 2 * len + 1 characters. */
void hash_hex(struct bytes data, char *out);

#endif

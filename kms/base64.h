/* SPDX-License-Identifier: Apache-2.0 */
/* Base64 with padding (RFC 4648 4), as JSON bodies and documents carry bytes. */
#ifndef QHSM_KMS_BASE64_H
#define QHSM_KMS_BASE64_H

#include "common/buf.h"

/* Appends. */
enum rc base64_encode(struct bytes data, struct buf *out);
/* Strict: whole groups, padding at the end alone, spare bits zero, no white space.
 * RC_BAD_ARGUMENT. Appends. */
enum rc base64_decode(struct bytes text, struct buf *out);

#endif

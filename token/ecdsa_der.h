/* SPDX-License-Identifier: Apache-2.0 */
/* ECDSA signatures in both forms: r and s of the order's width (PKCS#11), and DER (RFC 3279 2.2.3).
 */
#ifndef QHSM_TOKEN_ECDSA_DER_H
#define QHSM_TOKEN_ECDSA_DER_H

#include <stdbool.h>

#include "common/bytes.h"

#define ECDSA_WIDTH_MAX 66U /* P-521 */
#define ECDSA_DER_MAX   (2 * (ECDSA_WIDTH_MAX + 3) + 4)

/* r || s, at most ECDSA_WIDTH_MAX each, to DER; the length. */
size_t ecdsa_der_encode(struct bytes signature, uint8_t der[ECDSA_DER_MAX]);
/* And back, 2 * width bytes; false for what is no such signature. */
bool ecdsa_der_decode(struct bytes der, size_t width, uint8_t *out);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* A secret for the holder of one P-256 key alone: ephemeral ECDH, HKDF-SHA256, AES-256-GCM. The
 * master key for a joiner, the content key of a backup. */
#ifndef QHSM_TOKEN_ENVELOPE_H
#define QHSM_TOKEN_ENVELOPE_H

#include "common/buf.h"
#include "common/rc.h"
#include "common/secret.h"

#define ENVELOPE_POINT_LEN  65U /* uncompressed P-256 point */
#define ENVELOPE_SCALAR_LEN 32U
#define ENVELOPE_OVERHEAD   (1U + ENVELOPE_POINT_LEN + 16U) /* format, ephemeral point, tag */

enum rc envelope_key_new(struct secret *out_scalar, uint8_t out_point[ENVELOPE_POINT_LEN]);
/* The public half. RC_BAD_ARGUMENT for no number of the curve. */
enum rc envelope_point(const struct secret *scalar, uint8_t out_point[ENVELOPE_POINT_LEN]);
/* `context` binds it to its purpose and place (cluster, node). Appends. RC_BAD_ARGUMENT for a point
 * off the curve. */
enum rc envelope_close(const uint8_t point[ENVELOPE_POINT_LEN], struct bytes context,
                       const struct secret *plain, struct buf *out);
/* RC_TAMPERED when it was closed for another key or context, or changed. */
enum rc envelope_open(const struct secret *scalar, struct bytes context, struct bytes closed,
                      struct secret *out);

#endif

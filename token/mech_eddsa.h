/* SPDX-License-Identifier: Apache-2.0 */
/* The EdDSA instances that libcrypto 3.0 does not offer: Ed25519ctx, Ed25519ph, Ed448ph, and Ed448
 * with a context (RFC 8032 5.1, 5.2). */
#ifndef QHSM_TOKEN_MECH_EDDSA_H
#define QHSM_TOKEN_MECH_EDDSA_H

#include "token/mech_internal.h"

/* The message is hashed here, unless work->prehashed. RC_DATA_LEN, RC_INTERNAL. */
enum rc mech_eddsa_instance_sign(const struct mech_work *work, struct buf *out);
/* RC_SIGNATURE_INVALID. */
enum rc mech_eddsa_instance_verify(const struct mech_work *work);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* The EdDSA instances that libcrypto 3.0 does not offer: Ed25519ctx, Ed25519ph, Ed448ph, and Ed448
 * with a context (RFC 8032 5.1, 5.2). */
#ifndef QHSM_TOKEN_MECH_EDDSA_H
#define QHSM_TOKEN_MECH_EDDSA_H

#include "token/mech_internal.h"

/* Message as given: the prehash is done here. RC_INTERNAL. */
enum rc mech_eddsa_instance_sign(const struct key *key, bool ph, struct bytes context,
                                 struct bytes message, struct buf *out);
/* RC_SIGNATURE_INVALID. */
enum rc mech_eddsa_instance_verify(const struct key *key, bool ph, struct bytes context,
                                   struct bytes message, struct bytes signature);

#endif

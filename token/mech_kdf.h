/* SPDX-License-Identifier: Apache-2.0 */
/* What the key derivations share. */
#ifndef QHSM_TOKEN_MECH_KDF_H
#define QHSM_TOKEN_MECH_KDF_H

#include "token/mech_internal.h"

/* check_type(): any secret key. */
enum rc mech_kdf_check_type(const struct mechanism *mech, const struct key *key);
/* Appends the first `value_len` bytes of what was derived, all of it for 0. RC_KEY_SIZE when there
 * are fewer. */
enum rc mech_kdf_give(const struct secret *derived, size_t value_len, struct secret *out);

#endif

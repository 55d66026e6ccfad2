/* SPDX-License-Identifier: Apache-2.0 */
/* Digests: no key, so nothing of theirs is asked of the token but mech_digest_once(). */
#include "token/mech_internal.h"

const struct mech_methods mech_digest = {0};

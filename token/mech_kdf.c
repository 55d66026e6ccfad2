/* SPDX-License-Identifier: Apache-2.0 */
/* What the key derivations share: the base key's class and the length of the result. */
#include "token/mech_kdf.h"

enum rc mech_kdf_check_type(const struct mechanism *mech, const struct key *key)
{
    if (key->object_class == CKO_SECRET_KEY)
        return RC_OK;
    return rc_fail(RC_KEY_TYPE, "%s derives from a secret key", mech->name);
}

enum rc mech_kdf_give(const struct secret *derived, size_t value_len, struct secret *out)
{
    if (value_len > derived->len)
        return rc_fail(RC_KEY_SIZE, "%zu bytes wanted, the mechanism gives %zu", value_len,
                       derived->len);
    size_t len = value_len == 0 ? derived->len : value_len;
    return secret_append(out, bytes_slice(secret_expose(derived), 0, len));
}

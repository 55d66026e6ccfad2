/* SPDX-License-Identifier: Apache-2.0 */
/* Keys by concatenation and XOR with data or a second key, PKCS#11 3.1 6.43. */
#include "token/mech_kdf.h"

/* What is joined to the base key. */
static enum rc other_of(const struct mech_call *call, const struct key *second, struct bytes *out)
{
    if (call->mech->param != PARAM_OBJECT) {
        *out = call->u.iv;
        return RC_OK;
    }
    if (second == NULL)
        return rc_fail(RC_KEY_HANDLE, "%s needs its second key", call->mech->name);
    TRY(mech_kdf_check_type(call->mech, second));
    *out = secret_expose(&second->value);
    return RC_OK;
}

static enum rc join(struct bytes first, struct bytes last, size_t value_len, struct secret *out)
{
    AUTO_SECRET joined = SECRET_INIT;
    TRY(secret_append(&joined, first));
    TRY(secret_append(&joined, last));
    return mech_kdf_give(&joined, value_len, out);
}

static enum rc concat(const struct mech_call *call, struct key *base, struct key *second,
                      unsigned lane, size_t value_len, struct secret *out)
{
    (void)lane;
    struct bytes other = BYTES_NONE;
    TRY(other_of(call, second, &other));
    return join(secret_expose(&base->value), other, value_len, out);
}

static enum rc prepend(const struct mech_call *call, struct key *base, struct key *second,
                       unsigned lane, size_t value_len, struct secret *out)
{
    (void)lane;
    struct bytes other = BYTES_NONE;
    TRY(other_of(call, second, &other));
    return join(other, secret_expose(&base->value), value_len, out);
}

/* As long as the shorter of the two. */
static enum rc xor (const struct mech_call *call, struct key *base, struct key *second,
                    unsigned lane, size_t value_len, struct secret *out) {
    (void)lane; AUTO_SECRET mixed = SECRET_INIT; struct bytes other = BYTES_NONE;
    TRY(other_of(call, second, &other));
    if (other.len == 0) return rc_fail(RC_MECHANISM_PARAM, "%s without data", call->mech->name);
    TRY(secret_append(&mixed, bytes_slice(secret_expose(&base->value), 0, other.len)));
    for (size_t i = 0; i < mixed.len; i++) mixed.ptr[i] ^= other.ptr[i];
    return mech_kdf_give(&mixed, value_len, out);
}

const struct mech_methods mech_concat = {.check_type = mech_kdf_check_type, .derive = concat};
const struct mech_methods mech_prepend = {.check_type = mech_kdf_check_type, .derive = prepend};
const struct mech_methods mech_xor = {.check_type = mech_kdf_check_type, .derive = xor};

/* SPDX-License-Identifier: Apache-2.0 */
/* Random secret keys: AES, generic secrets, HKDF keys. */
#include "token/mech_internal.h"

/* PKCS#11 3.1 6.13.2, 6.7.4: the length is the template's. */
static enum rc wanted_len(const struct mechanism *mech, struct attrs wanted, CK_ULONG *out)
{
    if (attrs_get_ulong(wanted, CKA_VALUE_LEN, out))
        return RC_OK;
    return rc_fail(RC_TEMPLATE_INCOMPLETE, "CKA_VALUE_LEN is missing for %s", mech->name);
}

static enum rc bad_len(const struct mechanism *mech, CK_ULONG len)
{
    return rc_fail(RC_ATTRIBUTE_VALUE, "CKA_VALUE_LEN of %lu bytes is not for %s", len, mech->name);
}

static enum rc make(CK_ULONG len, struct material *out)
{
    AUTO_SECRET value = SECRET_INIT;
    TRY(secret_alloc(&value, len));
    TRY(random_bytes(value.ptr, value.len));
    return mech_secret_material(&value, out);
}

enum rc mech_secret_material(const struct secret *value, struct material *out)
{
    const struct attr attr = {.type = CKA_VALUE, .value = secret_expose(value)};
    TRY(attrs_encode(&out->public_attrs, (struct attrs){.ptr = NULL, .count = 0}));
    return attrs_encode_secret(&out->secret_attrs, (struct attrs){.ptr = &attr, .count = 1});
}

static enum rc generate_aes(const struct mech_call *call, struct attrs wanted, struct material *out)
{
    CK_ULONG len = 0;
    TRY(wanted_len(call->mech, wanted, &len));
    if (len != 16 && len != 24 && len != 32)
        return bad_len(call->mech, len);
    return make(len, out);
}

/* `unit`: the row's sizes are multiples of this of a byte. */
static enum rc generate_in(const struct mech_call *call, CK_ULONG unit, struct attrs wanted,
                           struct material *out)
{
    CK_ULONG len = 0;
    TRY(wanted_len(call->mech, wanted, &len));
    if (len > call->mech->max_size / unit || len * unit < call->mech->min_size)
        return bad_len(call->mech, len);
    return make(len, out);
}

/* Its row counts bits, PKCS#11 3.1 6.7.4. */
static enum rc generate_generic(const struct mech_call *call, struct attrs wanted,
                                struct material *out)
{
    return generate_in(call, 8, wanted, out);
}

static enum rc generate_hkdf(const struct mech_call *call, struct attrs wanted,
                             struct material *out)
{
    return generate_in(call, 1, wanted, out);
}

const struct mech_methods mech_aes_gen = {.generate = generate_aes};
const struct mech_methods mech_secret_gen = {.generate = generate_generic};
const struct mech_methods mech_hkdf_gen = {.generate = generate_hkdf};

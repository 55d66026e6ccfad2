/* SPDX-License-Identifier: Apache-2.0 */
/* HKDF, RFC 5869 and SP 800-56C: extract, expand, or both. */
#include "token/mech_kdf.h"
#include "token/mech_mac.h"

static enum rc check(const struct mech_call *call, enum crypt_op op, const struct key *key)
{
    (void)op;
    (void)key;
    CK_ULONG salt = call->u.hkdf.salt_type;
    if (digest_info(call->u.hkdf.prf) == NULL)
        return rc_fail(RC_MECHANISM_PARAM, "HKDF without a digest");
    if (!call->u.hkdf.extract && !call->u.hkdf.expand)
        return rc_fail(RC_MECHANISM_PARAM, "HKDF that neither extracts nor expands");
    if (call->u.hkdf.extract && salt != CKF_HKDF_SALT_NULL && salt != CKF_HKDF_SALT_DATA &&
        salt != CKF_HKDF_SALT_KEY)
        return rc_fail(RC_MECHANISM_PARAM, "HKDF salt of type 0x%lx", salt);
    return RC_OK;
}

/* Without a salt it is as many zeros as the digest has bytes, RFC 5869 2.2. */
static enum rc salt_of(const struct mech_call *call, const struct key *salt_key, struct bytes *out)
{
    static const uint8_t zeros[EVP_MAX_MD_SIZE];
    switch (call->u.hkdf.salt_type) {
    case CKF_HKDF_SALT_DATA:
        *out = call->u.hkdf.salt;
        break;
    case CKF_HKDF_SALT_KEY:
        if (salt_key == NULL)
            return rc_fail(RC_KEY_HANDLE, "HKDF needs its salt key");
        TRY(mech_kdf_check_type(call->mech, salt_key));
        *out = secret_expose(&salt_key->value);
        break;
    default:
        *out = BYTES_NONE;
    }
    if (out->len == 0)
        *out = bytes_of(zeros, mech_mac_len(call->u.hkdf.prf));
    return RC_OK;
}

/* One code into a secret of its own. */
static enum rc end(EVP_MAC_CTX *context, struct secret *out)
{
    size_t len = 0;
    TRY(secret_alloc(out, EVP_MAX_MD_SIZE));
    TRY(mech_mac_end(context, out->ptr, &len));
    secret_truncate(out, len);
    return RC_OK;
}

static enum rc extract(enum digest_id prf, struct bytes salt, struct bytes input,
                       struct secret *out)
{
    EVP_MAC_CTX *context = NULL;
    TRY(mech_mac_new(prf, salt, &context));
    enum rc rc = mech_mac_feed(context, input);
    if (rc == RC_OK)
        rc = end(context, out);
    EVP_MAC_CTX_free(context);
    return rc;
}

/* T(i) = HMAC(PRK, T(i-1) | info | i), RFC 5869 2.3. */
static enum rc expand_with(EVP_MAC_CTX *context, struct bytes info, size_t len, struct secret *out)
{
    AUTO_SECRET block = SECRET_INIT;
    for (unsigned i = 1; len > 0; i++) {
        const uint8_t number = (uint8_t)i;
        if (i > 1)
            TRY(mech_mac_again(context));
        TRY(mech_mac_feed(context, secret_expose(&block)));
        TRY(mech_mac_feed(context, info));
        TRY(mech_mac_feed(context, bytes_of(&number, 1)));
        TRY(end(context, &block));
        size_t take = len < block.len ? len : block.len;
        TRY(secret_append(out, bytes_slice(secret_expose(&block), 0, take)));
        len -= take;
    }
    return RC_OK;
}

static enum rc expand(const struct mech_call *call, struct bytes prk, size_t len,
                      struct secret *out)
{
    EVP_MAC_CTX *context = NULL;
    if (len > 255 * mech_mac_len(call->u.hkdf.prf))
        return rc_fail(RC_KEY_SIZE, "%zu bytes wanted, HKDF gives 255 times its digest", len);
    TRY(mech_mac_new(call->u.hkdf.prf, prk, &context));
    enum rc rc = expand_with(context, call->u.hkdf.info, len, out);
    EVP_MAC_CTX_free(context);
    return rc;
}

static enum rc derive(const struct mech_call *call, struct key *base, struct key *second,
                      unsigned lane, size_t value_len, struct secret *out)
{
    (void)lane;
    AUTO_SECRET prk = SECRET_INIT;
    struct bytes salt = BYTES_NONE;
    struct bytes input = secret_expose(&base->value);
    size_t natural = mech_mac_len(call->u.hkdf.prf);
    if (call->u.hkdf.extract) {
        TRY(salt_of(call, second, &salt));
        TRY(extract(call->u.hkdf.prf, salt, input, &prk));
        input = secret_expose(&prk);
    }
    if (!call->u.hkdf.expand)
        return mech_kdf_give(&prk, value_len, out);
    return expand(call, input, value_len == 0 ? natural : value_len, out);
}

const struct mech_methods mech_hkdf = {
    .check_type = mech_kdf_check_type, .check = check, .derive = derive};

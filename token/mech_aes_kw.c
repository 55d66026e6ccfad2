/* SPDX-License-Identifier: Apache-2.0 */
/* AES key wrapping, SP 800-38F: KW (RFC 3394) and KWP (RFC 5649). */
#include "token/mech_aes.h"

#define SEMIBLOCK 8U

static const uint8_t kw_iv[8] = {0xa6, 0xa6, 0xa6, 0xa6, 0xa6, 0xa6, 0xa6, 0xa6};
static const uint8_t kwp_iv[4] = {0xa6, 0x59, 0x59, 0xa6};

/* Always given in full: a context remembers the IV of its last use. */
static struct bytes default_iv(enum aes_mode mode)
{
    return mode == AES_WRAP ? bytes_of(kw_iv, sizeof kw_iv) : bytes_of(kwp_iv, sizeof kwp_iv);
}

static enum aes_mode mode_of(const struct mechanism *mech)
{
    return mech->family == FAMILY_AES_KW ? AES_WRAP : AES_WRAP_PAD;
}

static struct bytes iv_of(const struct mech_call *call)
{
    bool given = call->has_param && call->u.iv.len > 0;
    return given ? call->u.iv : default_iv(mode_of(call->mech));
}

static enum rc check(const struct mech_call *call, enum crypt_op op, const struct key *key)
{
    (void)op;
    (void)key;
    size_t want = default_iv(mode_of(call->mech)).len;
    size_t len = iv_of(call).len;
    if (len == want)
        return RC_OK;
    return rc_fail(RC_MECHANISM_PARAM, "IV of %zu bytes, %s takes none or %zu", len,
                   call->mech->name, want);
}

/* KW wants two semiblocks at least, KWP one byte. */
static bool length_fits(enum aes_mode mode, size_t len)
{
    return mode == AES_WRAP ? len >= 2 * SEMIBLOCK && len % SEMIBLOCK == 0 : len > 0;
}

static enum rc run(EVP_CIPHER_CTX *context, const struct mech_work *work, struct buf *out)
{
    const enum aes_mode mode = mode_of(work->call->mech);
    const size_t len = work->data.len;
    if (work->op == CRYPT_ENCRYPT) {
        if (!length_fits(mode, len))
            return rc_fail(RC_DATA_LEN, "%zu bytes cannot be wrapped by %s", len,
                           work->call->mech->name);
    } else if (len % SEMIBLOCK != 0 || len < (mode == AES_WRAP ? 3U : 2U) * SEMIBLOCK) {
        return rc_fail(RC_ENCRYPTED_DATA_LEN, "%zu bytes are no wrapped key", len);
    }
    TRY(mech_aes_start(context, iv_of(work->call)));
    return mech_aes_feed(context, work->data, RC_ENCRYPTED_DATA, out);
}

static enum rc crypt(const struct mech_work *work, struct buf *out)
{
    const struct aes_setup setup = {.mode = mode_of(work->call->mech),
                                    .encrypt = work->op == CRYPT_ENCRYPT};
    return mech_aes_use(work, &setup, run, out);
}

static enum rc wrap(const struct mech_call *call, struct key *wrapping, unsigned lane,
                    const struct secret *plain, struct buf *out)
{
    return mech_aes_wrap_with(crypt, call, wrapping, lane, secret_expose(plain), out);
}

static enum rc unwrap(const struct mech_call *call, struct key *unwrapping, unsigned lane,
                      struct bytes wrapped, struct secret *out_plain)
{
    return mech_aes_unwrap_with(crypt, call, unwrapping, lane, wrapped, out_plain);
}

const struct mech_methods mech_aes_kw = {
    .check = check, .crypt = crypt, .wrap = wrap, .unwrap = unwrap};

const struct mech_methods mech_aes_kwp = {
    .check = check, .crypt = crypt, .wrap = wrap, .unwrap = unwrap};

static enum rc bare(struct bytes kek, bool encrypt, struct bytes data, enum rc failure,
                    struct buf *out)
{
    EVP_CIPHER_CTX *context = NULL;
    const struct aes_setup setup = {.mode = AES_WRAP_PAD, .encrypt = encrypt};
    TRY(mech_aes_new(kek, &setup, &context));
    enum rc rc = mech_aes_start(context, default_iv(AES_WRAP_PAD));
    if (rc == RC_OK)
        rc = mech_aes_feed(context, data, failure, out);
    EVP_CIPHER_CTX_free(context);
    return rc;
}

enum rc mech_aes_kwp_wrap(struct bytes kek, struct bytes plain, struct buf *out)
{
    if (!length_fits(AES_WRAP_PAD, plain.len))
        return rc_fail(RC_KEY_NOT_WRAPPABLE, "nothing to wrap");
    return bare(kek, true, plain, RC_INTERNAL, out);
}

enum rc mech_aes_kwp_unwrap(struct bytes kek, struct bytes wrapped, struct secret *out)
{
    AUTO_BUF plain = BUF_INIT;
    if (wrapped.len % SEMIBLOCK != 0 || wrapped.len < 2 * SEMIBLOCK)
        return rc_fail(RC_WRAPPED_KEY, "%zu bytes are no wrapped key", wrapped.len);
    TRY(bare(kek, false, wrapped, RC_WRAPPED_KEY, &plain));
    return secret_append(out, buf_bytes(&plain));
}

/* SPDX-License-Identifier: Apache-2.0 */
/* AES-CCM, SP 800-38C: the length of the data is part of the first block, so that the parts of a
 * multi-part operation are gathered (PKCS#11 3.1 6.13.3). */
#include <openssl/err.h>

#include "token/mech_gather.h"

static enum rc check(const struct mech_call *call, enum crypt_op op, const struct key *key)
{
    (void)op;
    (void)key;
    CK_ULONG mac = call->u.ccm.mac_len;
    size_t nonce = call->u.ccm.nonce.len;
    if (nonce < 7 || nonce > 13)
        return rc_fail(RC_MECHANISM_PARAM, "nonce of %zu bytes, CCM takes 7 to 13", nonce);
    if (mac < 4 || mac > 16 || mac % 2 != 0)
        return rc_fail(RC_MECHANISM_PARAM, "MAC of %lu bytes, CCM takes 4, 6, ... 16", mac);
    /* The length field has 15 - nonce bytes. */
    if (nonce > 7 && call->u.ccm.data_len >> (8 * (15 - nonce)) != 0)
        return rc_fail(RC_MECHANISM_PARAM, "%lu bytes are too many for a nonce of %zu",
                       call->u.ccm.data_len, nonce);
    if (call->u.ccm.data_len > BUF_MAX_DEFAULT || call->u.ccm.aad.len > BUF_MAX_DEFAULT)
        return rc_fail(RC_MECHANISM_PARAM, "data or additional data over %zu bytes",
                       BUF_MAX_DEFAULT);
    return RC_OK;
}

static struct aes_setup setup_of(const struct mech_call *call, bool encrypt)
{
    return (struct aes_setup){.mode = AES_CCM,
                              .encrypt = encrypt,
                              .iv_len = (uint8_t)call->u.ccm.nonce.len,
                              .tag_len = (uint8_t)call->u.ccm.mac_len};
}

static enum rc start(EVP_CIPHER_CTX *context, const struct mech_call *call, struct bytes tag)
{
    int len = 0;
    uint8_t copy[AES_TAG_MAX]; /* the control takes no const */
    TRY(mech_aes_start(context, call->u.ccm.nonce));
    if (tag.len > 0) {
        memcpy(copy, tag.ptr, tag.len);
        if (EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, (int)tag.len, copy) != 1)
            return crypto_fail(RC_INTERNAL, "CCM tag");
    }
    if (EVP_CipherUpdate(context, NULL, &len, NULL, (int)call->u.ccm.data_len) != 1)
        return crypto_fail(RC_INTERNAL, "CCM length");
    const struct bytes *aad = &call->u.ccm.aad;
    if (aad->len > 0 && EVP_CipherUpdate(context, NULL, &len, aad->ptr, (int)aad->len) != 1)
        return crypto_fail(RC_INTERNAL, "CCM with additional data");
    return RC_OK;
}

/* Unlike elsewhere the empty input must be fed too: it is what makes or checks the tag. */
static enum rc feed(EVP_CIPHER_CTX *context, struct bytes data, enum rc failure, struct buf *out)
{
    static const uint8_t nothing[1];
    int len = 0;
    const uint8_t *in = data.len == 0 ? nothing : data.ptr;
    TRY(buf_reserve(out, data.len + AES_BLOCK));
    if (EVP_CipherUpdate(context, out->ptr + out->len, &len, in, (int)data.len) != 1) {
        secret_wipe(out->ptr + out->len, data.len + AES_BLOCK);
        ERR_clear_error();
        return rc_fail(failure, "CCM refuses the data");
    }
    out->len += data.len;
    return RC_OK;
}

static enum rc ccm_seal(EVP_CIPHER_CTX *context, const struct mech_work *work, struct buf *out)
{
    const struct mech_call *call = work->call;
    size_t tag_len = call->u.ccm.mac_len;
    if (work->data.len != call->u.ccm.data_len)
        return rc_fail(RC_DATA_LEN, "%zu bytes, the parameter says %lu", work->data.len,
                       call->u.ccm.data_len);
    TRY(start(context, call, BYTES_NONE));
    TRY(feed(context, work->data, RC_INTERNAL, out));
    TRY(buf_reserve(out, tag_len));
    if (EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, (int)tag_len, out->ptr + out->len) != 1)
        return crypto_fail(RC_INTERNAL, "CCM tag");
    out->len += tag_len;
    return RC_OK;
}

static enum rc ccm_open(EVP_CIPHER_CTX *context, const struct mech_work *work, struct buf *out)
{
    const struct mech_call *call = work->call;
    size_t tag_len = call->u.ccm.mac_len;
    size_t len = call->u.ccm.data_len;
    if (work->data.len != len + tag_len)
        return rc_fail(RC_ENCRYPTED_DATA_LEN, "%zu bytes, the parameter says %zu and a MAC of %zu",
                       work->data.len, len, tag_len);
    TRY(start(context, call, bytes_slice(work->data, len, tag_len)));
    return feed(context, bytes_slice(work->data, 0, len), RC_ENCRYPTED_DATA, out);
}

static enum rc run(EVP_CIPHER_CTX *context, const struct mech_work *work, struct buf *out)
{
    return work->op == CRYPT_ENCRYPT ? ccm_seal(context, work, out) : ccm_open(context, work, out);
}

static enum rc crypt(const struct mech_work *work, struct buf *out)
{
    const struct aes_setup setup = setup_of(work->call, work->op == CRYPT_ENCRYPT);
    return mech_aes_use(work, &setup, run, out);
}

static enum rc begin(const struct mech_call *call, struct buf *out_iv, struct operation *operation)
{
    (void)out_iv;
    struct gather *gather = NULL;
    const struct gather_kind kind = {.run = run,
                                     .setup = setup_of(call, operation->op == CRYPT_ENCRYPT)};
    return mech_gather_begin(call, &kind, operation, &gather);
}

static enum rc update(struct operation *operation, struct bytes data, struct buf *out)
{
    (void)out;
    return mech_gather_update(operation, data);
}

static enum rc final(struct operation *operation, struct bytes data, struct bytes signature,
                     struct buf *out)
{
    (void)signature;
    return mech_gather_final(operation, data, out);
}

/* The length in the parameter is the wrapped value's, which the caller may not know: 0 means that.
 */
static enum rc wrap(const struct mech_call *call, struct key *wrapping, unsigned lane,
                    const struct secret *plain, struct buf *out)
{
    struct mech_call sized = *call;
    if (sized.u.ccm.data_len == 0)
        sized.u.ccm.data_len = plain->len;
    TRY(check(&sized, CRYPT_ENCRYPT, wrapping));
    return mech_aes_wrap_with(crypt, &sized, wrapping, lane, secret_expose(plain), out);
}

static enum rc unwrap(const struct mech_call *call, struct key *unwrapping, unsigned lane,
                      struct bytes wrapped, struct secret *out_plain)
{
    struct mech_call sized = *call;
    if (sized.u.ccm.data_len == 0 && wrapped.len > sized.u.ccm.mac_len)
        sized.u.ccm.data_len = wrapped.len - sized.u.ccm.mac_len;
    TRY(check(&sized, CRYPT_DECRYPT, unwrapping));
    return mech_aes_unwrap_with(crypt, &sized, unwrapping, lane, wrapped, out_plain);
}

const struct mech_methods mech_aes_ccm = {.check = check,
                                          .crypt = crypt,
                                          .begin = begin,
                                          .update = update,
                                          .final = final,
                                          .wrap = wrap,
                                          .unwrap = unwrap};

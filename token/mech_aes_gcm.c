/* SPDX-License-Identifier: Apache-2.0 */
/* AES-GCM, SP 800-38D: the tag follows the data (PKCS#11 3.1 6.13.3); decryption gives nothing out
 * before the tag has been verified. */
#include "token/mech_aes_gcm_long.h"
#include "token/mech_gather.h"

/* The vendor's row, CloudHSM's: the HSM makes the IV when it encrypts. */
static bool makes_iv(const struct mechanism *mech)
{
    return (mech->type & CKM_VENDOR_DEFINED) != 0;
}

static bool is_zero(struct bytes b)
{
    uint8_t any = 0;
    for (size_t i = 0; i < b.len; i++)
        any |= b.ptr[i];
    return any == 0;
}

static enum rc check_iv(const struct mech_call *call, enum crypt_op op)
{
    size_t len = call->u.gcm.iv.len;
    if (!makes_iv(call->mech)) {
        if (len >= 1 && len <= GCM_IV_MAX)
            return RC_OK;
        return rc_fail(RC_MECHANISM_PARAM, "IV of %zu bytes, GCM takes 1 to %u", len, GCM_IV_MAX);
    }
    if (len == 0 || (len == GCM_IV_DEFAULT && (op == CRYPT_DECRYPT || is_zero(call->u.gcm.iv))))
        return RC_OK;
    return rc_fail(RC_MECHANISM_PARAM,
                   "%s makes its IV: pass none (it then precedes the data) or 12 zero bytes",
                   call->mech->name);
}

static enum rc check(const struct mech_call *call, enum crypt_op op, const struct key *key)
{
    (void)key;
    CK_ULONG tag = call->u.gcm.tag_bits;
    if (tag < 32 || tag > 128 || tag % 8 != 0)
        return rc_fail(RC_MECHANISM_PARAM, "tag of %lu bits, GCM takes 32 to 128 by 8", tag);
    return check_iv(call, op);
}

/* What one use needs, with the IV settled. */
struct gcm {
    EVP_CIPHER_CTX *context;
    struct bytes iv;
    struct bytes aad;
    size_t tag_len;
};

static enum rc gcm_start(const struct gcm *gcm)
{
    int len = 0;
    TRY(mech_aes_start(gcm->context, gcm->iv));
    if (gcm->aad.len > BUF_MAX_DEFAULT)
        return rc_fail(RC_TOO_LARGE, "%zu bytes of additional data", gcm->aad.len);
    if (gcm->aad.len > 0 &&
        EVP_CipherUpdate(gcm->context, NULL, &len, gcm->aad.ptr, (int)gcm->aad.len) != 1)
        return crypto_fail(RC_INTERNAL, "GCM with additional data");
    return RC_OK;
}

static enum rc gcm_seal_end(const struct gcm *gcm, struct buf *out)
{
    TRY(mech_aes_finish(gcm->context, RC_INTERNAL, out));
    TRY(buf_reserve(out, gcm->tag_len));
    if (EVP_CIPHER_CTX_ctrl(gcm->context, EVP_CTRL_AEAD_GET_TAG, (int)gcm->tag_len,
                            out->ptr + out->len) != 1)
        return crypto_fail(RC_INTERNAL, "GCM tag");
    out->len += gcm->tag_len;
    return RC_OK;
}

static enum rc gcm_open_end(const struct gcm *gcm, struct bytes tag, struct buf *out)
{
    uint8_t copy[AES_TAG_MAX]; /* the control takes no const */
    memcpy(copy, tag.ptr, tag.len);
    if (EVP_CIPHER_CTX_ctrl(gcm->context, EVP_CTRL_AEAD_SET_TAG, (int)tag.len, copy) != 1)
        return crypto_fail(RC_INTERNAL, "GCM tag");
    return mech_aes_finish(gcm->context, RC_ENCRYPTED_DATA, out);
}

static enum rc gcm_seal(const struct gcm *gcm, struct bytes data, struct buf *out)
{
    TRY(buf_reserve(out, data.len + 3 * AES_BLOCK));
    TRY(gcm_start(gcm));
    TRY(mech_aes_feed(gcm->context, data, RC_INTERNAL, out));
    return gcm_seal_end(gcm, out);
}

static enum rc gcm_open(const struct gcm *gcm, struct bytes data, struct buf *out)
{
    if (data.len < gcm->tag_len)
        return rc_fail(RC_ENCRYPTED_DATA_LEN, "%zu bytes are shorter than the tag", data.len);
    size_t len = data.len - gcm->tag_len;
    size_t start = out->len;
    TRY(gcm_start(gcm));
    TRY(mech_aes_feed(gcm->context, bytes_slice(data, 0, len), RC_ENCRYPTED_DATA, out));
    enum rc rc = gcm_open_end(gcm, bytes_slice(data, len, gcm->tag_len), out);
    if (rc != RC_OK)
        TRY(buf_resize(out, start));
    return rc;
}

static bool is_long(const struct mech_call *call)
{
    return call->u.gcm.iv.len > GCM_IV_SHORT_MAX;
}

static struct aes_setup setup_of(const struct mech_call *call, bool encrypt)
{
    if (is_long(call))
        return (struct aes_setup){.mode = AES_ECB, .encrypt = true};
    size_t iv_len = call->u.gcm.iv.len == 0 ? GCM_IV_DEFAULT : call->u.gcm.iv.len;
    return (struct aes_setup){.mode = AES_GCM, .encrypt = encrypt, .iv_len = (uint8_t)iv_len};
}

/* The IV that the HSM makes goes to out_iv where the caller has room for it, before the data
 * else. */
static enum rc make_iv(const struct mech_call *call, uint8_t iv[GCM_IV_DEFAULT], struct buf *out,
                       struct buf *out_iv)
{
    TRY(random_bytes(iv, GCM_IV_DEFAULT));
    return buf_append(call->u.gcm.iv.len == 0 ? out : out_iv, bytes_of(iv, GCM_IV_DEFAULT));
}

static enum rc run(EVP_CIPHER_CTX *context, const struct mech_work *work, struct buf *out)
{
    const struct mech_call *call = work->call;
    if (is_long(call))
        return mech_aes_gcm_long(context, work, out);
    uint8_t iv[GCM_IV_DEFAULT];
    struct bytes data = work->data;
    struct gcm gcm = {.context = context,
                      .iv = call->u.gcm.iv,
                      .aad = call->u.gcm.aad,
                      .tag_len = call->u.gcm.tag_bits / 8};
    if (work->op == CRYPT_ENCRYPT) {
        if (makes_iv(call->mech)) {
            TRY(make_iv(call, iv, out, work->out_iv));
            gcm.iv = bytes_of(iv, sizeof iv);
        }
        return gcm_seal(&gcm, data, out);
    }
    if (gcm.iv.len == 0) {
        if (data.len < GCM_IV_DEFAULT + gcm.tag_len)
            return rc_fail(RC_ENCRYPTED_DATA_LEN, "%zu bytes hold no IV and tag", data.len);
        gcm.iv = bytes_slice(data, 0, GCM_IV_DEFAULT);
        data = bytes_slice(data, GCM_IV_DEFAULT, data.len);
    }
    return gcm_open(&gcm, data, out);
}

static enum rc crypt(const struct mech_work *work, struct buf *out)
{
    const struct aes_setup setup = setup_of(work->call, work->op == CRYPT_ENCRYPT);
    return mech_aes_use(work, &setup, run, out);
}

/* Multi-part. Encrypting streams; decrypting, an IV that precedes the data and a long one are
 * gathered. */
static enum rc begin(const struct mech_call *call, struct buf *out_iv, struct operation *operation)
{
    struct gather_kind kind = {.run = run, .setup = setup_of(call, operation->op == CRYPT_ENCRYPT)};
    struct gather *gather = NULL;
    TRY(mech_gather_begin(call, &kind, operation, &gather));
    if (operation->op != CRYPT_ENCRYPT || call->u.gcm.iv.len == 0 || is_long(call))
        return RC_OK;
    uint8_t iv[GCM_IV_DEFAULT];
    struct gcm gcm = {.context = gather->context, .iv = call->u.gcm.iv, .aad = call->u.gcm.aad};
    if (makes_iv(call->mech)) {
        TRY(make_iv(call, iv, NULL, out_iv));
        gcm.iv = bytes_of(iv, sizeof iv);
    }
    gather->streams = true;
    return gcm_start(&gcm);
}

static enum rc update(struct operation *operation, struct bytes data, struct buf *out)
{
    struct gather *gather = operation->state;
    if (!gather->streams)
        return mech_gather_update(operation, data);
    return mech_aes_feed(gather->context, data, RC_INTERNAL, out);
}

static enum rc final(struct operation *operation, struct bytes data, struct bytes signature,
                     struct buf *out)
{
    (void)signature;
    struct gather *gather = operation->state;
    const struct gcm gcm = {.context = gather->context, .tag_len = gather->call.u.gcm.tag_bits / 8};
    if (!gather->streams)
        return mech_gather_final(operation, data, out);
    TRY(mech_aes_feed(gather->context, data, RC_INTERNAL, out));
    return gcm_seal_end(&gcm, out);
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

const struct mech_methods mech_aes_gcm = {.check = check,
                                          .crypt = crypt,
                                          .begin = begin,
                                          .update = update,
                                          .final = final,
                                          .wrap = wrap,
                                          .unwrap = unwrap};

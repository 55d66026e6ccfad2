/* SPDX-License-Identifier: Apache-2.0 */
/* The parameter structs of ciphers, RSA and elliptic curves, and the table of all kinds. */
#include "rpc/codec_params.h"

/* Callers' structs are copied as they lie in memory. */
_Static_assert(sizeof(CK_ULONG) == 8 && sizeof(void *) == 8, "only LP64 hosts");

enum rc codec_params_fail(const char *what)
{
    return rc_fail(RC_MECHANISM_PARAM, "%s", what);
}

enum rc codec_params_copy(struct bytes ck, void *out, size_t len)
{
    if (bytes_copy_exact(ck, out, len))
        return RC_OK;
    return rc_fail(RC_MECHANISM_PARAM, "parameter of %zu bytes, expected %zu", ck.len, len);
}

enum rc codec_params_put(struct buf *out, const void *ptr, CK_ULONG len)
{
    if (ptr == NULL && len > 0)
        return rc_fail(RC_MECHANISM_PARAM, "NULL with a length of %lu in the parameter", len);
    if (len > PARAM_MAX)
        return rc_fail(RC_MECHANISM_PARAM, "%lu bytes in the parameter, limit %zu", len, PARAM_MAX);
    return buf_put_bytes(out, bytes_of(ptr, len));
}

enum rc codec_params_digest(struct reader *r, enum digest_id *out)
{
    CK_MECHANISM_TYPE type = reader_u64(r);
    const struct digest_info *digest = digest_by_mechanism(type);
    if (digest == NULL)
        return rc_fail(RC_MECHANISM_PARAM, "0x%lx is not a digest mechanism", type);
    *out = digest->id;
    return RC_OK;
}

enum rc codec_params_bool(struct reader *r, bool *out)
{
    uint8_t value = reader_u8(r);
    if (value > 1)
        return codec_params_fail("a CK_BBOOL is neither CK_TRUE nor CK_FALSE");
    *out = value == 1;
    return RC_OK;
}

static enum rc in_raw(struct bytes ck, struct buf *out)
{
    return buf_append(out, ck);
}

static enum rc in_ulong(struct bytes ck, struct buf *out)
{
    CK_ULONG value;
    TRY(codec_params_copy(ck, &value, sizeof value));
    return buf_put_u64(out, value);
}

static enum rc decode_none(struct reader *r, struct mech_call *out)
{
    (void)r;
    (void)out;
    return RC_OK;
}

static enum rc decode_iv(struct reader *r, struct mech_call *out)
{
    out->u.iv = reader_raw(r, r->rest.len);
    return out->u.iv.len == 16 ? RC_OK : codec_params_fail("the IV is not 16 bytes long");
}

/* SP 800-38F: 8 bytes for KW, 4 for KWP; which of them is the family's to say. */
static enum rc decode_wrap_iv(struct reader *r, struct mech_call *out)
{
    out->u.iv = reader_raw(r, r->rest.len);
    return out->u.iv.len == 8 || out->u.iv.len == 4
               ? RC_OK
               : codec_params_fail("the key wrap's IV is neither 8 nor 4 bytes long");
}

static enum rc in_ctr(struct bytes ck, struct buf *out)
{
    CK_AES_CTR_PARAMS p;
    TRY(codec_params_copy(ck, &p, sizeof p));
    TRY(buf_put_u64(out, p.ulCounterBits));
    return buf_append(out, bytes_of(p.cb, sizeof p.cb));
}

static enum rc decode_ctr(struct reader *r, struct mech_call *out)
{
    out->u.ctr.counter_bits = reader_u64(r);
    reader_copy(r, out->u.ctr.block, sizeof out->u.ctr.block);
    return out->u.ctr.counter_bits >= 1 && out->u.ctr.counter_bits <= 128
               ? RC_OK
               : codec_params_fail("the counter has not 1 to 128 bits");
}

/* Two layouts are in use, told apart by length (PKCS#11 2.40 text and header). */
static enum rc in_gcm(struct bytes ck, struct buf *out)
{
    CK_GCM_PARAMS p;
    if (ck.len == sizeof(CK_GCM_PARAMS_LEGACY)) {
        CK_GCM_PARAMS_LEGACY old;
        TRY(codec_params_copy(ck, &old, sizeof old));
        p = (CK_GCM_PARAMS){.pIv = old.pIv,
                            .ulIvLen = old.ulIvLen,
                            .ulIvBits = 0,
                            .pAAD = old.pAAD,
                            .ulAADLen = old.ulAADLen,
                            .ulTagBits = old.ulTagBits};
    } else {
        TRY(codec_params_copy(ck, &p, sizeof p));
    }
    TRY(codec_params_put(out, p.pIv, p.ulIvLen));
    TRY(buf_put_u64(out, p.ulIvBits));
    TRY(codec_params_put(out, p.pAAD, p.ulAADLen));
    return buf_put_u64(out, p.ulTagBits);
}

static enum rc decode_gcm(struct reader *r, struct mech_call *out)
{
    out->u.gcm.iv = reader_bytes(r);
    out->u.gcm.iv_bits = reader_u64(r);
    out->u.gcm.aad = reader_bytes(r);
    out->u.gcm.tag_bits = reader_u64(r);
    /* The vendor's GCM makes its IV itself: AWS CloudHSM, "Supported mechanisms",
     * CKM_CLOUDHSM_AES_GCM. */
    if (out->u.gcm.iv.len == 0 && (out->mech->type & CKM_VENDOR_DEFINED) == 0)
        return codec_params_fail("GCM without an IV");
    return out->u.gcm.tag_bits <= 128 && out->u.gcm.tag_bits % 8 == 0
               ? RC_OK
               : codec_params_fail("the GCM tag's bits are over 128 or not whole bytes");
}

static enum rc in_ccm(struct bytes ck, struct buf *out)
{
    CK_CCM_PARAMS p;
    TRY(codec_params_copy(ck, &p, sizeof p));
    TRY(buf_put_u64(out, p.ulDataLen));
    TRY(codec_params_put(out, p.pNonce, p.ulNonceLen));
    TRY(codec_params_put(out, p.pAAD, p.ulAADLen));
    return buf_put_u64(out, p.ulMACLen);
}

/* SP 800-38C A.1: nonce of 7 to 13 bytes, tag of 4, 6, ... 16. */
static enum rc decode_ccm(struct reader *r, struct mech_call *out)
{
    out->u.ccm.data_len = reader_u64(r);
    out->u.ccm.nonce = reader_bytes(r);
    out->u.ccm.aad = reader_bytes(r);
    out->u.ccm.mac_len = reader_u64(r);
    if (out->u.ccm.nonce.len < 7 || out->u.ccm.nonce.len > 13)
        return codec_params_fail("the CCM nonce has not 7 to 13 bytes");
    CK_ULONG mac = out->u.ccm.mac_len;
    return mac >= 4 && mac <= 16 && mac % 2 == 0
               ? RC_OK
               : codec_params_fail("the CCM tag's length is not one of 4, 6, 8, 10, 12, 14, 16");
}

static enum rc decode_length(struct reader *r, struct mech_call *out)
{
    out->u.length = reader_u64(r);
    return RC_OK;
}

static enum rc decode_object(struct reader *r, struct mech_call *out)
{
    out->u.object = reader_u64(r);
    return RC_OK;
}

static enum rc read_mgf(struct reader *r, enum digest_id *out)
{
    CK_RSA_PKCS_MGF_TYPE mgf = reader_u64(r);
    const struct digest_info *digest = digest_by_mgf(mgf);
    if (digest == NULL)
        return rc_fail(RC_MECHANISM_PARAM, "mask generation function %lu is not known", mgf);
    *out = digest->id;
    return RC_OK;
}

static enum rc in_pss(struct bytes ck, struct buf *out)
{
    CK_RSA_PKCS_PSS_PARAMS p;
    TRY(codec_params_copy(ck, &p, sizeof p));
    TRY(buf_put_u64(out, p.hashAlg));
    TRY(buf_put_u64(out, p.mgf));
    return buf_put_u64(out, p.sLen);
}

static enum rc decode_pss(struct reader *r, struct mech_call *out)
{
    TRY(codec_params_digest(r, &out->u.pss.digest));
    TRY(read_mgf(r, &out->u.pss.mgf));
    out->u.pss.salt_len = reader_u64(r);
    if (out->mech->digest != DIGEST_NONE && out->mech->digest != out->u.pss.digest)
        return codec_params_fail("hashAlg is not the mechanism's own digest");
    return RC_OK;
}

static enum rc put_oaep(const CK_RSA_PKCS_OAEP_PARAMS *p, struct buf *out)
{
    TRY(buf_put_u64(out, p->hashAlg));
    TRY(buf_put_u64(out, p->mgf));
    TRY(buf_put_u64(out, p->source));
    return codec_params_put(out, p->pSourceData, p->ulSourceDataLen);
}

static enum rc in_oaep(struct bytes ck, struct buf *out)
{
    CK_RSA_PKCS_OAEP_PARAMS p;
    TRY(codec_params_copy(ck, &p, sizeof p));
    return put_oaep(&p, out);
}

/* PKCS#11 3.1 6.1.7: source 0 means that there is no label. */
static enum rc read_oaep(struct reader *r, enum digest_id *digest, enum digest_id *mgf,
                         struct bytes *label)
{
    TRY(codec_params_digest(r, digest));
    TRY(read_mgf(r, mgf));
    uint64_t source = reader_u64(r);
    *label = reader_bytes(r);
    bool known = source == CKZ_DATA_SPECIFIED || (source == 0 && label->len == 0);
    return known ? RC_OK : codec_params_fail("the OAEP source is not CKZ_DATA_SPECIFIED");
}

static enum rc decode_oaep(struct reader *r, struct mech_call *out)
{
    return read_oaep(r, &out->u.oaep.digest, &out->u.oaep.mgf, &out->u.oaep.label);
}

static enum rc in_rsa_aes(struct bytes ck, struct buf *out)
{
    CK_RSA_AES_KEY_WRAP_PARAMS p;
    TRY(codec_params_copy(ck, &p, sizeof p));
    if (p.pOAEPParams == NULL)
        return codec_params_fail("pOAEPParams is NULL");
    CK_RSA_PKCS_OAEP_PARAMS oaep;
    memcpy(&oaep, (const void *)p.pOAEPParams, sizeof oaep);
    TRY(buf_put_u64(out, p.ulAESKeyBits));
    return put_oaep(&oaep, out);
}

static enum rc decode_rsa_aes(struct reader *r, struct mech_call *out)
{
    CK_ULONG bits = reader_u64(r);
    if (bits != 128 && bits != 192 && bits != 256)
        return codec_params_fail("ulAESKeyBits is not 128, 192 or 256");
    out->u.rsa_aes.aes_bits = bits;
    return read_oaep(r, &out->u.rsa_aes.digest, &out->u.rsa_aes.mgf, &out->u.rsa_aes.label);
}

static enum rc in_ecdh(struct bytes ck, struct buf *out)
{
    CK_ECDH1_DERIVE_PARAMS p;
    TRY(codec_params_copy(ck, &p, sizeof p));
    TRY(buf_put_u64(out, p.kdf));
    TRY(codec_params_put(out, p.pSharedData, p.ulSharedDataLen));
    return codec_params_put(out, p.pPublicData, p.ulPublicDataLen);
}

static enum rc decode_ecdh(struct reader *r, struct mech_call *out)
{
    out->u.ecdh.kdf = reader_u64(r);
    out->u.ecdh.shared_info = reader_bytes(r);
    out->u.ecdh.peer = reader_bytes(r);
    if (out->u.ecdh.kdf != CKD_NULL && digest_by_kdf(out->u.ecdh.kdf) == NULL)
        return rc_fail(RC_MECHANISM_PARAM, "key derivation function %lu is not known",
                       out->u.ecdh.kdf);
    if (out->u.ecdh.kdf == CKD_NULL && out->u.ecdh.shared_info.len > 0)
        return codec_params_fail("CKD_NULL takes no shared data");
    return out->u.ecdh.peer.len > 0 ? RC_OK
                                    : codec_params_fail("the other party's public key is absent");
}

static enum rc in_eddsa(struct bytes ck, struct buf *out)
{
    CK_EDDSA_PARAMS p;
    TRY(codec_params_copy(ck, &p, sizeof p));
    TRY(buf_put_u8(out, p.phFlag));
    return codec_params_put(out, p.pContextData, p.ulContextDataLen);
}

static enum rc decode_eddsa(struct reader *r, struct mech_call *out)
{
    TRY(codec_params_bool(r, &out->u.eddsa.ph));
    out->u.eddsa.context = reader_bytes(r);
    return out->u.eddsa.context.len <= 255 ? RC_OK
                                           : codec_params_fail("the context is over 255 bytes");
}

static enum rc in_sign_context(struct bytes ck, struct buf *out)
{
    CK_SIGN_ADDITIONAL_CONTEXT p;
    TRY(codec_params_copy(ck, &p, sizeof p));
    TRY(buf_put_u64(out, p.hedgeVariant));
    return codec_params_put(out, p.pContext, p.ulContextLen);
}

static enum rc decode_sign_context(struct reader *r, struct mech_call *out)
{
    out->u.sign_context.hedge = reader_u64(r);
    out->u.sign_context.context = reader_bytes(r);
    if (out->u.sign_context.hedge > CKH_DETERMINISTIC_REQUIRED)
        return codec_params_fail("the hedge variant is not known");
    return out->u.sign_context.context.len <= 255
               ? RC_OK
               : codec_params_fail("the context is over 255 bytes");
}

static const struct param_codec codecs[] = {
    [PARAM_NONE] = {true, false, in_raw, decode_none},
    [PARAM_IV] = {false, true, in_raw, decode_iv},
    [PARAM_IV_OPTIONAL] = {true, true, in_raw, decode_wrap_iv},
    [PARAM_CTR] = {false, true, in_ctr, decode_ctr},
    [PARAM_GCM] = {false, true, in_gcm, decode_gcm},
    [PARAM_CCM] = {false, true, in_ccm, decode_ccm},
    [PARAM_LENGTH] = {false, true, in_ulong, decode_length},
    [PARAM_PSS] = {false, true, in_pss, decode_pss},
    [PARAM_OAEP] = {false, true, in_oaep, decode_oaep},
    [PARAM_RSA_AES] = {false, true, in_rsa_aes, decode_rsa_aes},
    [PARAM_ECDH] = {false, true, in_ecdh, decode_ecdh},
    [PARAM_EDDSA] = {true, true, in_eddsa, decode_eddsa},
    [PARAM_SIGN_CONTEXT] = {true, true, in_sign_context, decode_sign_context},
    [PARAM_HKDF] = {false, true, codec_derive_hkdf_in, codec_derive_hkdf_decode},
    [PARAM_SP800_108] = {false, true, codec_derive_kdf_in, codec_derive_kdf_decode},
    [PARAM_PBKDF2] = {false, true, codec_derive_pbkdf2_in, codec_derive_pbkdf2_decode},
    [PARAM_STRING] = {false, true, codec_derive_string_in, codec_derive_string_decode},
    [PARAM_CBC_DATA] = {false, true, codec_derive_cbc_in, codec_derive_cbc_decode},
    [PARAM_OBJECT] = {false, true, in_ulong, decode_object},
};

const struct param_codec *param_codec(enum param_kind kind)
{
    return &codecs[kind];
}

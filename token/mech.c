/* SPDX-License-Identifier: Apache-2.0 */
/* The one table of mechanism families, and what every use has in common before a family sees it:
 * flag, key type and key size of the mechanism's row. */
#include "token/mech_internal.h"

static const struct mech_methods *const families[FAMILY_COUNT] = {
    [FAMILY_DIGEST] = &mech_digest,
    [FAMILY_RSA_GEN] = &mech_rsa_gen,
    [FAMILY_RSA_PKCS] = &mech_rsa_pkcs,
    [FAMILY_RSA_PSS] = &mech_rsa_pss,
    [FAMILY_RSA_OAEP] = &mech_rsa_oaep,
    [FAMILY_RSA_X509] = &mech_rsa_x509,
    [FAMILY_RSA_AES_WRAP] = &mech_rsa_aes,
    [FAMILY_EC_GEN] = &mech_ec_gen,
    [FAMILY_ECDSA] = &mech_ecdsa,
    [FAMILY_ECDH] = &mech_ecdh,
    [FAMILY_EDWARDS_GEN] = &mech_edwards_gen,
    [FAMILY_MONTGOMERY_GEN] = &mech_montgomery_gen,
    [FAMILY_EDDSA] = &mech_eddsa,
    [FAMILY_AES_GEN] = &mech_aes_gen,
    [FAMILY_AES_ECB] = &mech_aes_ecb,
    [FAMILY_AES_CBC] = &mech_aes_cbc,
    [FAMILY_AES_CBC_PAD] = &mech_aes_cbc_pad,
    [FAMILY_AES_CTR] = &mech_aes_ctr,
    [FAMILY_AES_GCM] = &mech_aes_gcm,
    [FAMILY_AES_CCM] = &mech_aes_ccm,
    [FAMILY_AES_CMAC] = &mech_aes_cmac,
    [FAMILY_AES_KW] = &mech_aes_kw,
    [FAMILY_AES_KWP] = &mech_aes_kwp,
    [FAMILY_SECRET_GEN] = &mech_secret_gen,
    [FAMILY_HMAC] = &mech_hmac,
    [FAMILY_HKDF] = &mech_hkdf,
    [FAMILY_HKDF_GEN] = &mech_hkdf_gen,
    [FAMILY_SP800_108] = &mech_sp800_108,
    [FAMILY_PBKDF2] = &mech_pbkdf2,
    [FAMILY_CONCAT] = &mech_concat,
    [FAMILY_PREPEND] = &mech_prepend,
    [FAMILY_XOR] = &mech_xor,
    [FAMILY_AES_DERIVE] = &mech_aes_derive,
    [FAMILY_ML_DSA_GEN] = &mech_ml_dsa_gen,
    [FAMILY_ML_DSA] = &mech_ml_dsa,
};

/* No derived key is longer: CKA_VALUE_LEN must not buy work. */
#define DERIVE_MAX 16384U

static enum rc refuse(const struct mechanism *mech, const char *use)
{
    return rc_fail(RC_MECHANISM, "%s is not for %s", mech->name, use);
}

static CK_FLAGS op_flag(enum crypt_op op)
{
    switch (op) {
    case CRYPT_SIGN:
        return CKF_SIGN;
    case CRYPT_VERIFY:
        return CKF_VERIFY;
    case CRYPT_ENCRYPT:
        return CKF_ENCRYPT;
    case CRYPT_DECRYPT:
        return CKF_DECRYPT;
    case CRYPT_SIGN_RECOVER:
        return CKF_SIGN_RECOVER;
    case CRYPT_VERIFY_RECOVER:
        return CKF_VERIFY_RECOVER;
    }
    return 0;
}

/* 0 and 0: no range. */
static enum rc check_size(const struct mechanism *mech, const struct key *key)
{
    if (mech->max_size == 0)
        return RC_OK;
    bool in_bits = mechanism_counts_bits(mech);
    CK_ULONG size = in_bits ? key->bits : key->bits / 8;
    if (size >= mech->min_size && size <= mech->max_size)
        return RC_OK;
    return rc_fail(RC_KEY_SIZE, "key of %lu %s, %s takes %lu to %lu", size,
                   in_bits ? "bits" : "bytes", mech->name, mech->min_size, mech->max_size);
}

static enum rc check_key(const struct mechanism *mech, const struct key *key)
{
    if (key == NULL)
        return rc_fail(RC_KEY_HANDLE, "%s needs a key", mech->name);
    if (mech->key_type != CK_UNAVAILABLE_INFORMATION && mech->key_type != key->key_type)
        return rc_fail(RC_KEY_TYPE, "%s needs a key of type 0x%lx, this one is 0x%lx", mech->name,
                       mech->key_type, key->key_type);
    return RC_OK;
}

/* The order matters to callers who probe: mechanism, key type, size, parameter. */
static enum rc check_use(const struct mech_call *call, CK_FLAGS flag, enum crypt_op op,
                         const struct key *key)
{
    const struct mech_methods *methods = families[call->mech->family];
    if ((call->mech->flags & flag) == 0)
        return refuse(call->mech, "this operation");
    TRY(check_key(call->mech, key));
    if (methods->check_type != NULL)
        TRY(methods->check_type(call->mech, key));
    TRY(check_size(call->mech, key));
    return methods->check == NULL ? RC_OK : methods->check(call, op, key);
}

const struct mech_methods *mech_methods_of(const struct mechanism *mech)
{
    return families[mech->family];
}

enum rc mech_check(const struct mech_call *call, enum crypt_op op, const struct key *key)
{
    return check_use(call, op_flag(op), op, key);
}

static enum rc stream_all(const struct mech_work *work, struct buf *out)
{
    struct operation *operation = NULL;
    TRY(operation_begin(work->call, work->op, work->key, work->data.len + 1, work->out_iv,
                        &operation));
    enum rc rc = operation_final(operation, work->data, work->signature, out);
    operation_free(operation);
    return rc;
}

static bool may_be_prehashed(const struct mech_call *call)
{
    bool is_ph = call->mech->param == PARAM_EDDSA && call->has_param && call->u.eddsa.ph;
    bool is_mu = call->mech->family == FAMILY_ML_DSA;
    return is_ph || is_mu || mechanism_hashes_first(call->mech);
}

enum rc mech_crypt(const struct mech_call *call, enum crypt_op op, struct key *key, unsigned lane,
                   bool prehashed, struct bytes data, struct bytes signature, struct buf *out,
                   struct buf *out_iv)
{
    const struct mech_methods *methods = families[call->mech->family];
    const struct mech_work work = {.call = call,
                                   .op = op,
                                   .key = key,
                                   .lane = lane,
                                   .prehashed = prehashed,
                                   .data = data,
                                   .signature = signature,
                                   .out_iv = out_iv};
    TRY(mech_check(call, op, key));
    if (prehashed && !may_be_prehashed(call))
        return rc_fail(RC_BAD_ARGUMENT, "%s does not hash its input first", call->mech->name);
    size_t start = out->len;
    enum rc rc = RC_OK;
    if (methods->crypt != NULL)
        rc = methods->crypt(&work, out);
    else if (methods->begin != NULL)
        rc = stream_all(&work, out);
    else
        return refuse(call->mech, "this operation");
    if (rc != RC_OK && out->len > start)
        TRY(buf_resize(out, start));
    return rc;
}

enum rc mech_generate(const struct mech_call *call, struct attrs wanted, struct material *out)
{
    const struct mech_methods *methods = families[call->mech->family];
    if ((call->mech->flags & CKF_GENERATE) == 0 || methods->generate == NULL)
        return refuse(call->mech, "generating a secret key");
    return methods->generate(call, wanted, out);
}

enum rc mech_generate_pair(const struct mech_call *call, struct attrs wanted_public,
                           struct attrs wanted_private, struct material *out_public,
                           struct material *out_private)
{
    const struct mech_methods *methods = families[call->mech->family];
    if ((call->mech->flags & CKF_GENERATE_KEY_PAIR) == 0 || methods->generate_pair == NULL)
        return refuse(call->mech, "generating a key pair");
    if (!crypto_lib_offers(call->mech->key_type))
        return crypto_lib_lacks();
    return methods->generate_pair(call, wanted_public, wanted_private, out_public, out_private);
}

/* Errors of key type and size have codes of their own where the key wraps, PKCS#11 3.1 5.18.3. */
static enum rc as_wrapping(enum rc rc, enum rc type, enum rc size)
{
    if (rc == RC_KEY_TYPE)
        return type;
    return rc == RC_KEY_SIZE ? size : rc;
}

enum rc mech_wrap(const struct mech_call *call, struct key *wrapping, unsigned lane,
                  const struct secret *plain, struct buf *out)
{
    const struct mech_methods *methods = families[call->mech->family];
    if (methods->wrap == NULL)
        return refuse(call->mech, "wrapping");
    TRY(as_wrapping(check_use(call, CKF_WRAP, CRYPT_ENCRYPT, wrapping), RC_WRAPPING_KEY_TYPE,
                    RC_WRAPPING_KEY_SIZE));
    size_t start = out->len;
    enum rc rc = methods->wrap(call, wrapping, lane, plain, out);
    if (rc != RC_OK && out->len > start)
        TRY(buf_resize(out, start));
    return rc;
}

enum rc mech_unwrap(const struct mech_call *call, struct key *unwrapping, unsigned lane,
                    struct bytes wrapped, struct secret *out_plain)
{
    const struct mech_methods *methods = families[call->mech->family];
    if (methods->unwrap == NULL)
        return refuse(call->mech, "unwrapping");
    TRY(as_wrapping(check_use(call, CKF_UNWRAP, CRYPT_DECRYPT, unwrapping), RC_UNWRAPPING_KEY_TYPE,
                    RC_UNWRAPPING_KEY_SIZE));
    return methods->unwrap(call, unwrapping, lane, wrapped, out_plain);
}

/* check() sees CRYPT_SIGN for a derivation: no family tells the two apart. */
enum rc mech_derive(const struct mech_call *call, struct key *base, struct key *second,
                    unsigned lane, size_t value_len, struct secret *out)
{
    const struct mech_methods *methods = families[call->mech->family];
    if (methods->derive == NULL)
        return refuse(call->mech, "deriving");
    if (value_len > DERIVE_MAX)
        return rc_fail(RC_KEY_SIZE, "%zu bytes wanted, limit %u", value_len, DERIVE_MAX);
    /* C_GenerateKey with PBKDF2: the password is the key. */
    if ((call->mech->flags & CKF_DERIVE) == 0)
        return methods->derive(call, base, second, lane, value_len, out);
    TRY(check_use(call, CKF_DERIVE, CRYPT_SIGN, base));
    return methods->derive(call, base, second, lane, value_len, out);
}

enum rc mech_digest_once(const struct mech_call *call, struct bytes data, struct buf *out)
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    size_t len = 0;
    if ((call->mech->flags & CKF_DIGEST) == 0)
        return refuse(call->mech, "digesting");
    TRY(crypto_digest(call->mech->digest, data, digest, &len));
    return buf_append(out, bytes_of(digest, len));
}

/* SPDX-License-Identifier: Apache-2.0 */
/* PKCS#1 v1.5 (RFC 8017 7.2, 8.2): signatures, recovery, encryption, wrapping. */
#include "token/mech_rsa.h"

#define PKCS1_OVERHEAD 11U

static enum rc check_room(const struct key *key, struct bytes data)
{
    if (data.len + PKCS1_OVERHEAD <= key->output_len)
        return RC_OK;
    return rc_fail(RC_DATA_LEN, "%zu bytes; PKCS#1 v1.5 with this key takes %u", data.len,
                   key->output_len - PKCS1_OVERHEAD);
}

static enum rc check(const struct mech_call *call, enum crypt_op op, const struct key *key)
{
    (void)key;
    if (call->mech->digest != DIGEST_NONE && op != CRYPT_SIGN && op != CRYPT_VERIFY)
        return rc_fail(RC_MECHANISM, "%s only signs and verifies", call->mech->name);
    return RC_OK;
}

static enum rc decrypt(const struct mech_work *work, const struct rsa_padding_spec *spec,
                       struct buf *out)
{
    TRY(mech_rsa_check_len(work->key, work->data, RC_ENCRYPTED_DATA_LEN));
    return mech_rsa_run(work->key, work->lane, RSA_USE_DECRYPT, spec, work->data, RC_ENCRYPTED_DATA,
                        out);
}

static enum rc crypt(const struct mech_work *work, struct buf *out)
{
    struct key *key = work->key;
    struct rsa_padding_spec spec = {.padding = RSA_PAD_PKCS1, .digest = work->call->mech->digest};
    uint8_t digest[EVP_MAX_MD_SIZE];
    struct bytes input;
    if (work->op == CRYPT_DECRYPT)
        return decrypt(work, &spec, out);
    if (work->op == CRYPT_VERIFY_RECOVER) {
        TRY(mech_rsa_check_len(key, work->data, RC_SIGNATURE_LEN));
        return mech_rsa_run(key, work->lane, RSA_USE_RECOVER, &spec, work->data,
                            RC_SIGNATURE_INVALID, out);
    }
    TRY(mech_sign_input(work, spec.digest, digest, &input));
    TRY(check_room(key, input));
    if (work->op == CRYPT_VERIFY)
        return mech_rsa_verify(key, work->lane, &spec, input, work->signature);
    enum rsa_use use = work->op == CRYPT_ENCRYPT ? RSA_USE_ENCRYPT : RSA_USE_SIGN;
    return mech_rsa_run(key, work->lane, use, &spec, input, RC_INTERNAL, out);
}

static enum rc wrap(const struct mech_call *call, struct key *wrapping, unsigned lane,
                    const struct secret *plain, struct buf *out)
{
    (void)call;
    const struct rsa_padding_spec spec = {.padding = RSA_PAD_PKCS1};
    if (plain->len + PKCS1_OVERHEAD > wrapping->output_len)
        return rc_fail(RC_KEY_SIZE, "a key of %zu bytes is too long to wrap with this modulus",
                       plain->len);
    return mech_rsa_run(wrapping, lane, RSA_USE_ENCRYPT, &spec, secret_expose(plain), RC_INTERNAL,
                        out);
}

static enum rc unwrap(const struct mech_call *call, struct key *unwrapping, unsigned lane,
                      struct bytes wrapped, struct secret *out_plain)
{
    (void)call;
    const struct rsa_padding_spec spec = {.padding = RSA_PAD_PKCS1};
    TRY(mech_rsa_check_len(unwrapping, wrapped, RC_WRAPPED_KEY_LEN));
    return mech_rsa_decrypt(unwrapping, lane, &spec, wrapped, RC_WRAPPED_KEY, out_plain);
}

const struct mech_methods mech_rsa_pkcs = {
    .check = check, .crypt = crypt, .wrap = wrap, .unwrap = unwrap};

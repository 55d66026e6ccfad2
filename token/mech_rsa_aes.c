/* SPDX-License-Identifier: Apache-2.0 */
/* CKM_RSA_AES_KEY_WRAP (PKCS#11 3.1 6.1.11): an AES key of the moment under OAEP, the target under
 * that with AES-KWP. */
#include "token/mech_rsa.h"
#include "token/seal.h"

static enum rc spec_of(const struct mech_call *call, const struct key *key,
                       struct rsa_padding_spec *out)
{
    return mech_rsa_oaep_spec(call->u.rsa_aes.digest, call->u.rsa_aes.mgf, call->u.rsa_aes.label,
                              key, out);
}

static bool is_aes_len(size_t len)
{
    return len == 16 || len == 24 || len == 32;
}

static enum rc check(const struct mech_call *call, enum crypt_op op, const struct key *key)
{
    (void)op;
    struct rsa_padding_spec spec = {.padding = RSA_PAD_OAEP};
    if (call->u.rsa_aes.aes_bits % 8 != 0 || !is_aes_len(call->u.rsa_aes.aes_bits / 8))
        return rc_fail(RC_MECHANISM_PARAM, "AES key of %lu bits; 128, 192 or 256 wanted",
                       call->u.rsa_aes.aes_bits);
    return spec_of(call, key, &spec);
}

static enum rc wrap(const struct mech_call *call, struct key *wrapping, unsigned lane,
                    const struct secret *plain, struct buf *out)
{
    struct rsa_padding_spec spec = {.padding = RSA_PAD_OAEP};
    AUTO_SECRET kek = SECRET_INIT;
    TRY(spec_of(call, wrapping, &spec));
    TRY(secret_alloc(&kek, call->u.rsa_aes.aes_bits / 8));
    TRY(random_bytes(kek.ptr, kek.len));
    TRY(mech_rsa_run(wrapping, lane, RSA_USE_ENCRYPT, &spec, secret_expose(&kek), RC_INTERNAL,
                     out));
    return mech_aes_kwp_wrap(secret_expose(&kek), secret_expose(plain), out);
}

static enum rc unwrap(const struct mech_call *call, struct key *unwrapping, unsigned lane,
                      struct bytes wrapped, struct secret *out_plain)
{
    struct rsa_padding_spec spec = {.padding = RSA_PAD_OAEP};
    AUTO_SECRET kek = SECRET_INIT;
    size_t first = unwrapping->output_len;
    TRY(spec_of(call, unwrapping, &spec));
    if (wrapped.len < first + 16)
        return rc_fail(RC_WRAPPED_KEY_LEN, "%zu bytes are no RSA block and a wrapped key",
                       wrapped.len);
    TRY(mech_rsa_decrypt(unwrapping, lane, &spec, bytes_slice(wrapped, 0, first), RC_WRAPPED_KEY,
                         &kek));
    if (!is_aes_len(kek.len))
        return rc_fail(RC_WRAPPED_KEY, "RSA decryption failed");
    return mech_aes_kwp_unwrap(secret_expose(&kek),
                               bytes_slice(wrapped, first, wrapped.len - first), out_plain);
}

const struct mech_methods mech_rsa_aes = {.check = check, .wrap = wrap, .unwrap = unwrap};

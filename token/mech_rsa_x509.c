/* SPDX-License-Identifier: Apache-2.0 */
/* Raw RSA, CKM_RSA_X_509: the input is a number, padded with zeros in front (PKCS#11 3.1 6.1.8). */
#include "token/mech_rsa.h"

static const struct rsa_padding_spec raw = {.padding = RSA_PAD_NONE};

static enum rc pad(const struct key *key, struct bytes data, struct secret *out)
{
    if (data.len > key->output_len)
        return rc_fail(RC_DATA_LEN, "%zu bytes, the modulus has %u", data.len, key->output_len);
    TRY(secret_alloc(out, key->output_len));
    if (data.len > 0)
        memcpy(out->ptr + key->output_len - data.len, data.ptr, data.len);
    return RC_OK;
}

/* libcrypto refuses a number that is not below the modulus: the only failure to expect. */
static enum rc forward(const struct mech_work *work, enum rsa_use use, struct buf *out)
{
    AUTO_SECRET padded = SECRET_INIT;
    TRY(pad(work->key, work->data, &padded));
    return mech_rsa_run(work->key, work->lane, use, &raw, secret_expose(&padded), RC_DATA_INVALID,
                        out);
}

static enum rc backward(const struct mech_work *work, enum rsa_use use, enum rc wrong_len,
                        enum rc failure, struct buf *out)
{
    TRY(mech_rsa_check_len(work->key, work->data, wrong_len));
    return mech_rsa_run(work->key, work->lane, use, &raw, work->data, failure, out);
}

static enum rc verify(const struct mech_work *work)
{
    AUTO_SECRET padded = SECRET_INIT;
    TRY(pad(work->key, work->data, &padded));
    return mech_rsa_verify(work->key, work->lane, &raw, secret_expose(&padded), work->signature);
}

static enum rc crypt(const struct mech_work *work, struct buf *out)
{
    switch (work->op) {
    case CRYPT_SIGN:
    case CRYPT_SIGN_RECOVER:
        return forward(work, RSA_USE_SIGN, out);
    case CRYPT_ENCRYPT:
        return forward(work, RSA_USE_ENCRYPT, out);
    case CRYPT_DECRYPT:
        return backward(work, RSA_USE_DECRYPT, RC_ENCRYPTED_DATA_LEN, RC_ENCRYPTED_DATA, out);
    case CRYPT_VERIFY_RECOVER:
        return backward(work, RSA_USE_RECOVER, RC_SIGNATURE_LEN, RC_SIGNATURE_INVALID, out);
    case CRYPT_VERIFY:
        return verify(work);
    }
    return rc_fail(RC_MECHANISM, "operation %d", (int)work->op);
}

const struct mech_methods mech_rsa_x509 = {.crypt = crypt};

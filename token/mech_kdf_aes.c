/* SPDX-License-Identifier: Apache-2.0 */
/* Keys by encryption of the caller's data with AES, PKCS#11 3.1 6.15. */
#include "token/mech_aes.h"
#include "token/mech_kdf.h"

/* With an IV it is CBC, without it ECB. */
static struct bytes data_of(const struct mech_call *call)
{
    return call->mech->param == PARAM_CBC_DATA ? call->u.cbc_data.data : call->u.iv;
}

static enum rc check(const struct mech_call *call, enum crypt_op op, const struct key *key)
{
    (void)op;
    (void)key;
    size_t len = data_of(call).len;
    if (len == 0 || len % AES_BLOCK != 0)
        return rc_fail(RC_MECHANISM_PARAM, "%zu bytes of data are no whole number of blocks", len);
    if (call->mech->param == PARAM_CBC_DATA && call->u.cbc_data.iv.len != AES_BLOCK)
        return rc_fail(RC_MECHANISM_PARAM, "IV of %zu bytes, CBC takes 16",
                       call->u.cbc_data.iv.len);
    return RC_OK;
}

static enum rc run(EVP_CIPHER_CTX *context, const struct mech_work *work, struct buf *out)
{
    const struct mech_call *call = work->call;
    bool cbc = call->mech->param == PARAM_CBC_DATA;
    TRY(mech_aes_start(context, cbc ? call->u.cbc_data.iv : BYTES_NONE));
    return mech_aes_feed(context, work->data, RC_INTERNAL, out);
}

static enum rc derive(const struct mech_call *call, struct key *base, struct key *second,
                      unsigned lane, size_t value_len, struct secret *out)
{
    (void)second;
    AUTO_BUF encrypted = BUF_INIT;
    AUTO_SECRET derived = SECRET_INIT;
    bool cbc = call->mech->param == PARAM_CBC_DATA;
    const struct aes_setup setup = {.mode = cbc ? AES_CBC : AES_ECB, .encrypt = true};
    const struct mech_work work = {
        .call = call, .op = CRYPT_ENCRYPT, .key = base, .lane = lane, .data = data_of(call)};
    TRY(mech_aes_use(&work, &setup, run, &encrypted));
    TRY(secret_from_bytes(&derived, buf_bytes(&encrypted)));
    return mech_kdf_give(&derived, value_len, out);
}

const struct mech_methods mech_aes_derive = {.check = check, .derive = derive};

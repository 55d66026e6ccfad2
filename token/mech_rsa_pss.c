/* SPDX-License-Identifier: Apache-2.0 */
/* RSASSA-PSS (RFC 8017 8.1) with the caller's digest, mask generation and salt length. */
#include "token/mech_rsa.h"

/* RFC 8017 9.1.1: emLen >= hLen + sLen + 2. */
static enum rc check(const struct mech_call *call, enum crypt_op op, const struct key *key)
{
    (void)op;
    const struct digest_info *digest = digest_info(call->u.pss.digest);
    if (digest == NULL || digest_info(call->u.pss.mgf) == NULL)
        return rc_fail(RC_MECHANISM_PARAM, "PSS with an unknown digest or mask generation");
    if (call->mech->digest != DIGEST_NONE && call->mech->digest != call->u.pss.digest)
        return rc_fail(RC_MECHANISM_PARAM, "%s with %s in its parameter", call->mech->name,
                       digest->name);
    size_t encoded_len = (key->bits - 1 + 7) / 8, most = encoded_len - digest->len - 2;
    if (encoded_len < digest->len + 2 || call->u.pss.salt_len > most)
        return rc_fail(RC_MECHANISM_PARAM, "PSS salt of %lu bytes; at most %zu fit",
                       call->u.pss.salt_len, most);
    return RC_OK;
}

static enum rc crypt(const struct mech_work *work, struct buf *out)
{
    const struct mech_call *call = work->call;
    const struct rsa_padding_spec spec = {.padding = RSA_PAD_PSS,
                                          .digest = call->u.pss.digest,
                                          .mgf = call->u.pss.mgf,
                                          .salt_len = (uint32_t)call->u.pss.salt_len};
    uint8_t digest[EVP_MAX_MD_SIZE];
    struct bytes input;
    TRY(mech_sign_input(work, spec.digest, digest, &input));
    if (work->op == CRYPT_VERIFY)
        return mech_rsa_verify(work->key, work->lane, &spec, input, work->signature);
    if (work->op == CRYPT_SIGN)
        return mech_rsa_run(work->key, work->lane, RSA_USE_SIGN, &spec, input, RC_INTERNAL, out);
    return rc_fail(RC_MECHANISM, "%s only signs and verifies", call->mech->name);
}

const struct mech_methods mech_rsa_pss = {.check = check, .crypt = crypt};

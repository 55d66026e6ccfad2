/* SPDX-License-Identifier: Apache-2.0 */
/* RSAES-OAEP (RFC 8017 7.1) with the caller's digest, mask generation and label. */
#include "token/mech_rsa.h"

enum rc mech_rsa_oaep_spec(enum digest_id digest, enum digest_id mgf, struct bytes label,
                           const struct key *key, struct rsa_padding_spec *out)
{
    const struct digest_info *info = digest_info(digest);
    if (info == NULL || digest_info(mgf) == NULL)
        return rc_fail(RC_MECHANISM_PARAM, "OAEP with an unknown digest or mask generation");
    if (2 * info->len + 2 > key->output_len)
        return rc_fail(RC_MECHANISM_PARAM, "OAEP with %s leaves no room in the modulus",
                       info->name);
    *out = (struct rsa_padding_spec){
        .padding = RSA_PAD_OAEP, .digest = digest, .mgf = mgf, .label = label};
    return RC_OK;
}

/* Bytes that OAEP takes at most. */
static size_t room_of(const struct rsa_padding_spec *spec, const struct key *key)
{
    return key->output_len - 2 * digest_info(spec->digest)->len - 2;
}

static enum rc spec_of(const struct mech_call *call, const struct key *key,
                       struct rsa_padding_spec *out)
{
    return mech_rsa_oaep_spec(call->u.oaep.digest, call->u.oaep.mgf, call->u.oaep.label, key, out);
}

static enum rc check(const struct mech_call *call, enum crypt_op op, const struct key *key)
{
    (void)op;
    struct rsa_padding_spec spec = {.padding = RSA_PAD_OAEP};
    return spec_of(call, key, &spec);
}

static enum rc crypt(const struct mech_work *work, struct buf *out)
{
    struct rsa_padding_spec spec = {.padding = RSA_PAD_OAEP};
    TRY(spec_of(work->call, work->key, &spec));
    if (work->op == CRYPT_DECRYPT) {
        TRY(mech_rsa_check_len(work->key, work->data, RC_ENCRYPTED_DATA_LEN));
        return mech_rsa_run(work->key, work->lane, RSA_USE_DECRYPT, &spec, work->data,
                            RC_ENCRYPTED_DATA, out);
    }
    if (work->op != CRYPT_ENCRYPT)
        return rc_fail(RC_MECHANISM, "%s only encrypts and decrypts", work->call->mech->name);
    size_t room = room_of(&spec, work->key);
    if (work->data.len > room)
        return rc_fail(RC_DATA_LEN, "%zu bytes; OAEP with this key and digest takes %zu",
                       work->data.len, room);
    return mech_rsa_run(work->key, work->lane, RSA_USE_ENCRYPT, &spec, work->data, RC_INTERNAL,
                        out);
}

static enum rc wrap(const struct mech_call *call, struct key *wrapping, unsigned lane,
                    const struct secret *plain, struct buf *out)
{
    struct rsa_padding_spec spec = {.padding = RSA_PAD_OAEP};
    TRY(spec_of(call, wrapping, &spec));
    if (plain->len > room_of(&spec, wrapping))
        return rc_fail(RC_KEY_SIZE, "a key of %zu bytes; OAEP with this key and digest takes %zu",
                       plain->len, room_of(&spec, wrapping));
    return mech_rsa_run(wrapping, lane, RSA_USE_ENCRYPT, &spec, secret_expose(plain), RC_INTERNAL,
                        out);
}

static enum rc unwrap(const struct mech_call *call, struct key *unwrapping, unsigned lane,
                      struct bytes wrapped, struct secret *out_plain)
{
    struct rsa_padding_spec spec = {.padding = RSA_PAD_OAEP};
    TRY(spec_of(call, unwrapping, &spec));
    TRY(mech_rsa_check_len(unwrapping, wrapped, RC_WRAPPED_KEY_LEN));
    return mech_rsa_decrypt(unwrapping, lane, &spec, wrapped, RC_WRAPPED_KEY, out_plain);
}

const struct mech_methods mech_rsa_oaep = {
    .check = check, .crypt = crypt, .wrap = wrap, .unwrap = unwrap};

/* SPDX-License-Identifier: Apache-2.0 */
/* ECDH (SP 800-56A 5.7.1.2; RFC 7748 6): the shared secret itself, or through the X9.63 KDF. All
 * curves here have cofactor 1 or carry it in the function, so both mechanisms agree. */
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/params.h>

#include "token/mech_internal.h"

static enum rc check_type(const struct mechanism *mech, const struct key *key)
{
    if (key->key_type == CKK_EC || key->key_type == CKK_EC_MONTGOMERY)
        return RC_OK;
    return rc_fail(RC_KEY_TYPE, "%s needs a Weierstrass or Montgomery key", mech->name);
}

static enum rc check(const struct mech_call *call, enum crypt_op op, const struct key *key)
{
    (void)op;
    (void)key;
    CK_EC_KDF_TYPE kdf = call->u.ecdh.kdf;
    if (kdf == CKD_NULL && call->u.ecdh.shared_info.len > 0)
        return rc_fail(RC_MECHANISM_PARAM, "CKD_NULL takes no shared data");
    if (kdf != CKD_NULL && digest_by_kdf(kdf) == NULL)
        return rc_fail(RC_MECHANISM_PARAM, "key derivation function %lu", kdf);
    return RC_OK;
}

/* The peer's point as a key of the same curve; a wrong one is the parameter's fault. */
static enum rc peer_key(const struct mech_call *call, const struct key *base, struct key **out)
{
    struct attr_list attrs = {.count = 0};
    TRY(attr_list_add(&attrs, CKA_EC_PARAMS, base->curve->oid));
    TRY(attr_list_add(&attrs, CKA_EC_POINT, call->u.ecdh.peer));
    enum rc rc = key_parse(CKO_PUBLIC_KEY, base->key_type, attrs_of(&attrs), out);
    return rc == RC_PUBLIC_KEY || rc == RC_TEMPLATE_INCOMPLETE ? RC_MECHANISM_PARAM : rc;
}

static enum rc agree(EVP_PKEY *own, EVP_PKEY *peer, size_t len, struct secret *out)
{
    size_t got = len;
    TRY(secret_alloc(out, len));
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(crypto_lib(), own, NULL);
    bool done = ctx != NULL && EVP_PKEY_derive_init(ctx) == 1 &&
                EVP_PKEY_derive_set_peer_ex(ctx, peer, 0) == 1 &&
                EVP_PKEY_derive(ctx, out->ptr, &got) == 1 && got == len;
    EVP_PKEY_CTX_free(ctx);
    /* RFC 7748 6: a result of zeros comes from a point of small order */
    return done ? RC_OK : crypto_fail(RC_MECHANISM_PARAM, "no agreement with the peer's point");
}

/* PKCS#11 3.1 6.3.18: truncation takes bytes from the leading end. */
static enum rc truncate_leading(const struct secret *shared, size_t value_len, struct secret *out)
{
    size_t len = value_len == 0 ? shared->len : value_len;
    if (len > shared->len)
        return rc_fail(RC_KEY_SIZE, "CKA_VALUE_LEN %zu, the shared secret has %zu bytes", len,
                       shared->len);
    return secret_append(out, bytes_slice(secret_expose(shared), shared->len - len, len));
}

static OSSL_PARAM octets(const char *name, struct bytes value)
{
    return OSSL_PARAM_construct_octet_string(name, (void *)(uintptr_t)value.ptr, value.len);
}

static enum rc derive_x963(const struct mech_call *call, const struct secret *shared, size_t len,
                           struct secret *out)
{
    const struct digest_info *digest = digest_by_kdf(call->u.ecdh.kdf);
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char *)(uintptr_t)digest->name, 0),
        octets(OSSL_KDF_PARAM_KEY, secret_expose(shared)),
        OSSL_PARAM_construct_end(),
        OSSL_PARAM_construct_end(),
    };
    if (call->u.ecdh.shared_info.len > 0)
        params[2] = octets(OSSL_KDF_PARAM_INFO, call->u.ecdh.shared_info);
    AUTO_SECRET derived = SECRET_INIT;
    TRY(secret_alloc(&derived, len));
    EVP_KDF_CTX *ctx = EVP_KDF_CTX_new(crypto_kdf("X963KDF"));
    bool done = ctx != NULL && EVP_KDF_derive(ctx, derived.ptr, len, params) == 1;
    EVP_KDF_CTX_free(ctx);
    if (!done)
        return crypto_fail(RC_INTERNAL, "X9.63 key derivation");
    return secret_append(out, secret_expose(&derived));
}

static enum rc derive(const struct mech_call *call, struct key *base, struct key *second,
                      unsigned lane_number, size_t value_len, struct secret *out)
{
    (void)second;
    struct key_lane *lane;
    struct key *peer = NULL;
    AUTO_SECRET shared = SECRET_INIT;
    TRY(key_lane(base, lane_number, &lane));
    TRY(peer_key(call, base, &peer));
    enum rc rc = agree(lane->pkey, peer->pkey, base->curve->len, &shared);
    key_free(peer);
    TRY(rc);
    if (call->u.ecdh.kdf == CKD_NULL)
        return truncate_leading(&shared, value_len, out);
    return derive_x963(call, &shared, value_len == 0 ? shared.len : value_len, out);
}

const struct mech_methods mech_ecdh = {.check_type = check_type, .check = check, .derive = derive};

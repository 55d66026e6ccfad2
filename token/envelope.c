/* SPDX-License-Identifier: Apache-2.0 */
/* {u8 format, ephemeral point, ciphertext, tag}. The key: HKDF-SHA256 over the shared secret
 * (SP 800-56A 5.7.1.2), with both points as salt and the context in its info; it seals once, so the
 * nonce is derived too. */
#include "token/envelope.h"

#include <openssl/core_names.h>
#include <openssl/params.h>

#include "token/key_internal.h"
#include "token/key_params.h"
#include "token/seal_gcm.h"

#define FORMAT      1U
#define HEAD_LEN    (1U + ENVELOPE_POINT_LEN)
#define KEY_LEN     32U
#define SECRET_MAX  ((size_t)64 * 1024)
#define SCALAR_DRAW 64U /* tries: a number is above the order once in 2^32 */

static void key_auto_free(struct key **key)
{
    key_free(*key);
}
#define AUTO_KEY __attribute__((cleanup(key_auto_free))) struct key

static enum rc parse(CK_OBJECT_CLASS object_class, CK_ATTRIBUTE_TYPE type, struct bytes value,
                     struct key **out)
{
    static const uint8_t secp256r1[] = {6, 8, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 3, 1, 7};
    struct attr_list attrs = {.count = 0};
    TRY(attr_list_add(&attrs, CKA_EC_PARAMS, bytes_of(secp256r1, sizeof secp256r1)));
    TRY(attr_list_add(&attrs, type, value));
    return key_parse(object_class, CKK_EC, attrs_of(&attrs), out);
}

static enum rc point_of(const struct key *key, uint8_t out[ENVELOPE_POINT_LEN])
{
    size_t len = 0;
    if (EVP_PKEY_get_octet_string_param(key->pkey, OSSL_PKEY_PARAM_PUB_KEY, out, ENVELOPE_POINT_LEN,
                                        &len) != 1 ||
        len != ENVELOPE_POINT_LEN)
        return crypto_fail(RC_INTERNAL, "public point of an envelope's key");
    return RC_OK;
}

/* A random scalar and its key. */
static enum rc draw(struct secret *out_scalar, struct key **out)
{
    TRY(secret_alloc(out_scalar, ENVELOPE_SCALAR_LEN));
    enum rc rc = RC_ATTRIBUTE_VALUE;
    for (unsigned i = 0; i < SCALAR_DRAW && rc == RC_ATTRIBUTE_VALUE; i++) {
        TRY(random_bytes(out_scalar->ptr, out_scalar->len));
        rc = parse(CKO_PRIVATE_KEY, CKA_VALUE, secret_expose(out_scalar), out);
    }
    return rc;
}

enum rc envelope_key_new(struct secret *out_scalar, uint8_t out_point[ENVELOPE_POINT_LEN])
{
    AUTO_SECRET scalar = SECRET_INIT;
    AUTO_KEY *key = NULL;
    TRY(draw(&scalar, &key));
    TRY(point_of(key, out_point));
    secret_clear(out_scalar);
    *out_scalar = secret_take(&scalar);
    return RC_OK;
}

static enum rc parse_scalar(const struct secret *scalar, struct key **out)
{
    if (scalar->len != ENVELOPE_SCALAR_LEN ||
        parse(CKO_PRIVATE_KEY, CKA_VALUE, secret_expose(scalar), out) != RC_OK)
        return rc_fail(RC_BAD_ARGUMENT, "the key to open an envelope with is no number of P-256");
    return RC_OK;
}

enum rc envelope_point(const struct secret *scalar, uint8_t out_point[ENVELOPE_POINT_LEN])
{
    AUTO_KEY *key = NULL;
    TRY(parse_scalar(scalar, &key));
    return point_of(key, out_point);
}

static enum rc agree(const struct key *own, const struct key *peer, struct secret *out)
{
    size_t len = KEY_LEN;
    TRY(secret_alloc(out, len));
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_pkey(crypto_lib(), own->pkey, NULL);
    bool done = context != NULL && EVP_PKEY_derive_init(context) == 1 &&
                EVP_PKEY_derive_set_peer_ex(context, peer->pkey, 0) == 1 &&
                EVP_PKEY_derive(context, out->ptr, &len) == 1 && len == KEY_LEN;
    EVP_PKEY_CTX_free(context);
    return done ? RC_OK : crypto_fail(RC_INTERNAL, "key agreement of an envelope");
}

/* Key and nonce, one after the other. */
static enum rc derive(struct secret *shared, struct buf *points, struct bytes context,
                      struct secret *out)
{
    char digest[] = "SHA2-256";
    AUTO_BUF info = BUF_INIT;
    TRY(buf_append(&info, bytes_of_str("qhsm/envelope/1")));
    TRY(buf_append(&info, context));
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, shared->ptr, shared->len),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, points->ptr, points->len),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, info.ptr, info.len),
        OSSL_PARAM_construct_end(),
    };
    TRY(secret_alloc(out, KEY_LEN + GCM_NONCE_LEN));
    EVP_KDF_CTX *kdf = EVP_KDF_CTX_new(crypto_kdf("HKDF"));
    bool done = kdf != NULL && EVP_KDF_derive(kdf, out->ptr, out->len, params) == 1;
    EVP_KDF_CTX_free(kdf);
    return done ? RC_OK : crypto_fail(RC_INTERNAL, "key derivation of an envelope");
}

static enum rc derive_key(const struct key *own, const struct key *peer,
                          const uint8_t ephemeral[ENVELOPE_POINT_LEN],
                          const uint8_t recipient[ENVELOPE_POINT_LEN], struct bytes context,
                          struct secret *out)
{
    AUTO_SECRET shared = SECRET_INIT;
    AUTO_BUF points = BUF_INIT;
    TRY(agree(own, peer, &shared));
    TRY(buf_append(&points, bytes_of(ephemeral, ENVELOPE_POINT_LEN)));
    TRY(buf_append(&points, bytes_of(recipient, ENVELOPE_POINT_LEN)));
    return derive(&shared, &points, context, out);
}

static enum rc seal_plain(const struct secret *key, const struct secret *plain, struct buf *out)
{
    EVP_CIPHER_CTX *cipher = NULL;
    size_t start = out->len;
    struct bytes aad = bytes_slice(buf_bytes(out), start - HEAD_LEN, HEAD_LEN);
    TRY(buf_resize(out, start + plain->len + GCM_TAG_LEN));
    aad.ptr = out->ptr + start - HEAD_LEN;
    TRY(seal_gcm_new(bytes_slice(secret_expose(key), 0, KEY_LEN), true, &cipher));
    enum rc rc =
        seal_gcm_encrypt(cipher, key->ptr + KEY_LEN, aad, secret_expose(plain), out->ptr + start);
    EVP_CIPHER_CTX_free(cipher);
    return rc;
}

enum rc envelope_close(const uint8_t point[ENVELOPE_POINT_LEN], struct bytes context,
                       const struct secret *plain, struct buf *out)
{
    AUTO_KEY *recipient = NULL;
    AUTO_KEY *own = NULL;
    AUTO_SECRET scalar = SECRET_INIT;
    AUTO_SECRET key = SECRET_INIT;
    AUTO_BUF closed = BUF_INIT;
    uint8_t ephemeral[ENVELOPE_POINT_LEN];
    if (plain->len > SECRET_MAX)
        return rc_fail(RC_TOO_LARGE, "%zu bytes into an envelope", plain->len);
    if (point[0] != 4 || parse(CKO_PUBLIC_KEY, CKA_EC_POINT, bytes_of(point, ENVELOPE_POINT_LEN),
                               &recipient) != RC_OK)
        return rc_fail(RC_BAD_ARGUMENT, "the recipient's key is no point of P-256");
    TRY(draw(&scalar, &own));
    TRY(point_of(own, ephemeral));
    TRY(derive_key(own, recipient, ephemeral, point, context, &key));
    TRY(buf_put_u8(&closed, FORMAT));
    TRY(buf_append(&closed, bytes_of(ephemeral, sizeof ephemeral)));
    TRY(seal_plain(&key, plain, &closed));
    return buf_append(out, buf_bytes(&closed));
}

static enum rc open_sealed(const struct secret *key, struct bytes closed, struct secret *out)
{
    AUTO_SECRET plain = SECRET_INIT;
    EVP_CIPHER_CTX *cipher = NULL;
    struct bytes sealed = bytes_slice(closed, HEAD_LEN, closed.len);
    TRY(secret_alloc(&plain, sealed.len - GCM_TAG_LEN));
    TRY(seal_gcm_new(bytes_slice(secret_expose(key), 0, KEY_LEN), false, &cipher));
    enum rc rc = seal_gcm_decrypt(cipher, key->ptr + KEY_LEN, bytes_slice(closed, 0, HEAD_LEN),
                                  sealed, plain.ptr);
    EVP_CIPHER_CTX_free(cipher);
    if (rc == RC_TAMPERED)
        return rc_fail(rc, "the envelope is for another key or place, or was changed");
    TRY(rc);
    secret_clear(out);
    *out = secret_take(&plain);
    return RC_OK;
}

enum rc envelope_open(const struct secret *scalar, struct bytes context, struct bytes closed,
                      struct secret *out)
{
    AUTO_KEY *own = NULL;
    AUTO_KEY *peer = NULL;
    AUTO_SECRET key = SECRET_INIT;
    uint8_t point[ENVELOPE_POINT_LEN];
    if (closed.len < HEAD_LEN + GCM_TAG_LEN || closed.len > HEAD_LEN + SECRET_MAX + GCM_TAG_LEN)
        return rc_fail(RC_TAMPERED, "an envelope of %zu bytes", closed.len);
    if (closed.ptr[0] != FORMAT)
        return rc_fail(RC_TAMPERED, "envelope of format %u, this release opens %u", closed.ptr[0],
                       FORMAT);
    const uint8_t *ephemeral = closed.ptr + 1;
    TRY(parse_scalar(scalar, &own));
    if (ephemeral[0] != 4 || parse(CKO_PUBLIC_KEY, CKA_EC_POINT,
                                   bytes_of(ephemeral, ENVELOPE_POINT_LEN), &peer) != RC_OK)
        return rc_fail(RC_TAMPERED, "the envelope's point is not on P-256");
    TRY(point_of(own, point));
    TRY(derive_key(own, peer, ephemeral, point, context, &key));
    return open_sealed(&key, closed, out);
}

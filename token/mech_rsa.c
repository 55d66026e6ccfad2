/* SPDX-License-Identifier: Apache-2.0 */
/* RSA through EVP: a context for each lane, use and padding is initialised once and used again. */
#include "token/mech_rsa.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/params.h>

#define PARAMS_MAX 7U
/* OSSL_ASYM_CIPHER_PARAM_IMPLICIT_REJECTION, which headers before OpenSSL 3.2 do not have. */
#define IMPLICIT_REJECTION "implicit-rejection"

typedef int (*rsa_init)(EVP_PKEY_CTX *ctx, const OSSL_PARAM params[]);
typedef int (*rsa_call)(EVP_PKEY_CTX *ctx, unsigned char *out, size_t *out_len,
                        const unsigned char *in, size_t in_len);

static const struct {
    rsa_init init;
    rsa_call call;
    const char *what;
} uses[] = {
    [RSA_USE_SIGN] = {EVP_PKEY_sign_init_ex, EVP_PKEY_sign, "RSA signature"},
    [RSA_USE_VERIFY] = {EVP_PKEY_verify_init_ex, NULL, "RSA verification"},
    [RSA_USE_RECOVER] = {EVP_PKEY_verify_recover_init_ex, EVP_PKEY_verify_recover, "RSA recovery"},
    [RSA_USE_ENCRYPT] = {EVP_PKEY_encrypt_init_ex, EVP_PKEY_encrypt, "RSA encryption"},
    [RSA_USE_DECRYPT] = {EVP_PKEY_decrypt_init_ex, EVP_PKEY_decrypt, "RSA decryption"},
};

static const char *const padding_names[] = {
    [RSA_PAD_NONE] = OSSL_PKEY_RSA_PAD_MODE_NONE,
    [RSA_PAD_PKCS1] = OSSL_PKEY_RSA_PAD_MODE_PKCSV15,
    [RSA_PAD_PSS] = OSSL_PKEY_RSA_PAD_MODE_PSS,
    [RSA_PAD_OAEP] = OSSL_PKEY_RSA_PAD_MODE_OAEP,
};

/* OSSL_PARAM has no const form; libcrypto only reads these. */
static OSSL_PARAM text(const char *name, const char *value)
{
    return OSSL_PARAM_construct_utf8_string(name, (char *)(uintptr_t)value, 0);
}

/* Digest and padding names are the same for signatures and for encryption. */
static void build_params(const struct rsa_padding_spec *spec, int *salt_len,
                         OSSL_PARAM params[PARAMS_MAX])
{
    static unsigned never = 0;
    size_t n = 0;
    const struct digest_info *digest = digest_info(spec->digest), *mgf = digest_info(spec->mgf);
    params[n++] = text(OSSL_SIGNATURE_PARAM_PAD_MODE, padding_names[spec->padding]);
    if (digest != NULL)
        params[n++] = text(OSSL_SIGNATURE_PARAM_DIGEST, digest->name);
    if (mgf != NULL)
        params[n++] = text(OSSL_SIGNATURE_PARAM_MGF1_DIGEST, mgf->name);
    if (spec->padding == RSA_PAD_PSS)
        params[n++] = OSSL_PARAM_construct_int(OSSL_SIGNATURE_PARAM_PSS_SALTLEN, salt_len);
    if (spec->label.len > 0)
        params[n++] = OSSL_PARAM_construct_octet_string(
            OSSL_ASYM_CIPHER_PARAM_OAEP_LABEL, (void *)(uintptr_t)spec->label.ptr, spec->label.len);
    /* PKCS#11 wants an error for bad padding, not CKR_OK with made-up bytes, which libcrypto gives
     * from 3.2 on (and which would be unwrapped to a key). The strict policy refuses this padding
     * altogether: docs/security.md. */
    if (spec->padding == RSA_PAD_PKCS1)
        params[n++] = OSSL_PARAM_construct_uint(IMPLICIT_REJECTION, &never);
    params[n] = OSSL_PARAM_construct_end();
}

static enum rc context_new(EVP_PKEY *pkey, enum rsa_use use, const struct rsa_padding_spec *spec,
                           EVP_PKEY_CTX **out)
{
    OSSL_PARAM params[PARAMS_MAX];
    int salt_len = (int)spec->salt_len;
    build_params(spec, &salt_len, params);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(crypto_lib(), pkey, NULL);
    if (ctx == NULL || uses[use].init(ctx, params) != 1) {
        EVP_PKEY_CTX_free(ctx);
        return crypto_fail(RC_MECHANISM_PARAM, uses[use].what);
    }
    *out = ctx;
    return RC_OK;
}

static void context_release(void *ctx)
{
    EVP_PKEY_CTX_free(ctx);
}

/* A context in hand: the lane's ready one, or (OAEP with a label) one for this call. */
struct rsa_context {
    EVP_PKEY_CTX *ctx;
    bool own;
};

static void drop(struct rsa_context *context)
{
    if (context->own)
        EVP_PKEY_CTX_free(context->ctx);
}
#define AUTO_CONTEXT __attribute__((cleanup(drop))) struct rsa_context

static enum rc take(struct key *key, unsigned lane_number, enum rsa_use use,
                    const struct rsa_padding_spec *spec, struct rsa_context *out)
{
    struct key_lane *lane;
    uint64_t tag = (uint64_t)use << 56 | (uint64_t)spec->padding << 48 |
                   (uint64_t)spec->digest << 40 | (uint64_t)spec->mgf << 32 | spec->salt_len;
    TRY(key_lane(key, lane_number, &lane));
    if (spec->label.len > 0) {
        TRY(context_new(lane->pkey, use, spec, &out->ctx));
        out->own = true;
        return RC_OK;
    }
    out->ctx = key_ready_get(lane, tag);
    if (out->ctx == NULL) {
        TRY(context_new(lane->pkey, use, spec, &out->ctx));
        key_ready_put(lane, tag, out->ctx, context_release);
    }
    return RC_OK;
}

/* Padding oracles live from differences: only `failure` is told of a decryption. */
static enum rc refuse(enum rsa_use use, enum rc failure)
{
    if (use != RSA_USE_DECRYPT && use != RSA_USE_RECOVER)
        return crypto_fail(failure, uses[use].what);
    ERR_clear_error();
    return rc_fail(failure, "%s failed", uses[use].what);
}

enum rc mech_rsa_run(struct key *key, unsigned lane, enum rsa_use use,
                     const struct rsa_padding_spec *spec, struct bytes in, enum rc failure,
                     struct buf *out)
{
    AUTO_CONTEXT context = {.ctx = NULL};
    size_t before = out->len, len = key->output_len;
    TRY(take(key, lane, use, spec, &context));
    TRY(buf_resize(out, before + len));
    if (uses[use].call(context.ctx, out->ptr + before, &len, in.ptr, in.len) == 1)
        return buf_resize(out, before + len);
    TRY(buf_resize(out, before));
    return refuse(use, failure);
}

enum rc mech_rsa_decrypt(struct key *key, unsigned lane, const struct rsa_padding_spec *spec,
                         struct bytes in, enum rc failure, struct secret *out)
{
    AUTO_CONTEXT context = {.ctx = NULL};
    AUTO_SECRET plain = SECRET_INIT;
    size_t len = key->output_len;
    TRY(take(key, lane, RSA_USE_DECRYPT, spec, &context));
    TRY(secret_alloc(&plain, len));
    if (uses[RSA_USE_DECRYPT].call(context.ctx, plain.ptr, &len, in.ptr, in.len) != 1)
        return refuse(RSA_USE_DECRYPT, failure);
    secret_truncate(&plain, len);
    return secret_append(out, secret_expose(&plain));
}

enum rc mech_rsa_verify(struct key *key, unsigned lane, const struct rsa_padding_spec *spec,
                        struct bytes tbs, struct bytes signature)
{
    AUTO_CONTEXT context = {.ctx = NULL};
    TRY(mech_rsa_check_len(key, signature, RC_SIGNATURE_LEN));
    TRY(take(key, lane, RSA_USE_VERIFY, spec, &context));
    if (EVP_PKEY_verify(context.ctx, signature.ptr, signature.len, tbs.ptr, tbs.len) == 1)
        return RC_OK;
    ERR_clear_error();
    return rc_fail(RC_SIGNATURE_INVALID, "the RSA signature does not verify");
}

enum rc mech_rsa_check_len(const struct key *key, struct bytes in, enum rc failure)
{
    if (in.len == key->output_len)
        return RC_OK;
    return rc_fail(failure, "%zu bytes, the modulus has %u", in.len, key->output_len);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* ML-DSA and HashML-DSA (FIPS 204). libcrypto does the first, also from its representative mu; the
 * second is the first on a message that names the digest (algorithm 4). */
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/params.h>

#include "token/mech_internal.h"
#include "token/mech_sign.h"

#define CONTEXT_MAX 255U
#define MU_LEN      64U /* FIPS 204, algorithm 7, step 6 */
/* Algorithm 4, step 23: a byte, the context and its length, the digest's OID, the digest. */
#define DIGEST_OID_LEN 11U
#define MESSAGE_MAX    (2 + CONTEXT_MAX + DIGEST_OID_LEN + EVP_MAX_MD_SIZE)

/* libcrypto 3.5's names, which the headers of 3.0 lack. */
#define PARAM_CONTEXT       "context-string"
#define PARAM_ENCODING      "message-encoding" /* 0: the message is M' already */
#define PARAM_DETERMINISTIC "deterministic"
#define PARAM_MU            "mu"

/* What goes to libcrypto for one message. */
struct message {
    struct bytes data;
    struct bytes context;
    int is_encoded;
    int is_mu;
    int is_deterministic;
    uint8_t store[MESSAGE_MAX];
};

static enum rc check(const struct mech_call *call, enum crypt_op op, const struct key *key)
{
    (void)op;
    (void)key;
    if (!call->has_param)
        return RC_OK;
    if (call->u.sign_context.context.len > CONTEXT_MAX)
        return rc_fail(RC_MECHANISM_PARAM, "ML-DSA context of %zu bytes, at most %u",
                       call->u.sign_context.context.len, CONTEXT_MAX);
    return call->u.sign_context.hedge <= CKH_DETERMINISTIC_REQUIRED
               ? RC_OK
               : rc_fail(RC_MECHANISM_PARAM, "hedge variant %lu is not known",
                         call->u.sign_context.hedge);
}

/* id-sha256 and its kin, 2.16.840.1.101.3.4.2.x: the last arc. */
static uint8_t digest_arc(enum digest_id digest)
{
    static const uint8_t arcs[DIGEST_COUNT] = {
        [DIGEST_SHA256] = 1,   [DIGEST_SHA384] = 2,   [DIGEST_SHA512] = 3,   [DIGEST_SHA224] = 4,
        [DIGEST_SHA3_224] = 7, [DIGEST_SHA3_256] = 8, [DIGEST_SHA3_384] = 9, [DIGEST_SHA3_512] = 10,
    };
    return arcs[digest];
}

static enum rc encode_digest(const struct mech_work *work, struct message *out)
{
    const uint8_t oid[DIGEST_OID_LEN] = {
        6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, digest_arc(work->call->mech->digest)};
    uint8_t digest[EVP_MAX_MD_SIZE];
    struct bytes input;
    TRY(mech_sign_input(work, work->call->mech->digest, digest, &input));
    uint8_t *at = out->store;
    *at++ = 1;
    *at++ = (uint8_t)out->context.len;
    if (out->context.len > 0)
        memcpy(at, out->context.ptr, out->context.len);
    at += out->context.len;
    memcpy(at, oid, sizeof oid);
    at += sizeof oid;
    memcpy(at, input.ptr, input.len);
    out->data = bytes_of(out->store, (size_t)(at - out->store) + input.len);
    out->context = BYTES_NONE;
    out->is_encoded = 1;
    return RC_OK;
}

static enum rc message_init(const struct mech_work *work, struct message *out)
{
    out->data = work->data;
    out->context = BYTES_NONE;
    out->is_encoded = out->is_mu = out->is_deterministic = 0;
    if (work->call->has_param) {
        out->context = work->call->u.sign_context.context;
        out->is_deterministic = work->call->u.sign_context.hedge == CKH_DETERMINISTIC_REQUIRED;
    }
    if (work->call->mech->digest != DIGEST_NONE)
        return encode_digest(work, out);
    out->is_mu = work->prehashed;
    if (out->is_mu && work->data.len != MU_LEN)
        return rc_fail(RC_DATA_LEN, "a message representative of %zu bytes, ML-DSA has %u",
                       work->data.len, MU_LEN);
    return RC_OK;
}

/* libcrypto wants a pointer even for no bytes. */
static void *pointer(struct bytes data)
{
    static uint8_t nothing[1];
    return data.len == 0 ? nothing : (void *)(uintptr_t)data.ptr;
}

static enum rc start(const struct mech_work *work, struct message *message, EVP_MD_CTX **out)
{
    int encoding = !message->is_encoded;
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_int(PARAM_DETERMINISTIC, &message->is_deterministic),
        OSSL_PARAM_construct_int(PARAM_MU, &message->is_mu),
        OSSL_PARAM_construct_int(PARAM_ENCODING, &encoding),
        OSSL_PARAM_construct_octet_string(PARAM_CONTEXT, pointer(message->context),
                                          message->context.len),
        OSSL_PARAM_construct_end()};
    struct key_lane *lane;
    TRY(key_lane(work->key, work->lane, &lane));
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    int good =
        ctx == NULL ? 0
        : work->op == CRYPT_SIGN
            ? EVP_DigestSignInit_ex(ctx, NULL, NULL, crypto_lib(), NULL, lane->pkey, params)
            : EVP_DigestVerifyInit_ex(ctx, NULL, NULL, crypto_lib(), NULL, lane->pkey, params);
    if (good != 1) {
        EVP_MD_CTX_free(ctx);
        return crypto_fail(RC_INTERNAL, "ML-DSA context");
    }
    *out = ctx;
    return RC_OK;
}

static enum rc sign(const struct mech_work *work, struct message *message, struct buf *out)
{
    EVP_MD_CTX *ctx = NULL;
    size_t before = out->len, len = work->key->output_len;
    TRY(buf_resize(out, before + len));
    TRY(start(work, message, &ctx));
    int good =
        EVP_DigestSign(ctx, out->ptr + before, &len, pointer(message->data), message->data.len);
    EVP_MD_CTX_free(ctx);
    return good == 1 && len == work->key->output_len ? RC_OK
                                                     : crypto_fail(RC_INTERNAL, "ML-DSA signature");
}

static enum rc verify(const struct mech_work *work, struct message *message)
{
    EVP_MD_CTX *ctx = NULL;
    if (work->signature.len != work->key->output_len)
        return rc_fail(RC_SIGNATURE_LEN, "an ML-DSA signature of %zu bytes, %s has %u",
                       work->signature.len, work->key->ml_dsa->name, work->key->output_len);
    TRY(start(work, message, &ctx));
    int good = EVP_DigestVerify(ctx, work->signature.ptr, work->signature.len,
                                pointer(message->data), message->data.len);
    EVP_MD_CTX_free(ctx);
    ERR_clear_error();
    return good == 1 ? RC_OK
                     : rc_fail(RC_SIGNATURE_INVALID, "the ML-DSA signature does not verify");
}

static enum rc crypt(const struct mech_work *work, struct buf *out)
{
    struct message message;
    TRY(message_init(work, &message));
    if (work->op == CRYPT_SIGN)
        return sign(work, &message, out);
    if (work->op == CRYPT_VERIFY)
        return verify(work, &message);
    return rc_fail(RC_MECHANISM, "%s only signs and verifies", work->call->mech->name);
}

static enum rc generate(const struct key_ml_dsa_set *set, EVP_PKEY **out)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(crypto_lib(), set->name, NULL);
    bool done = ctx != NULL && EVP_PKEY_keygen_init(ctx) == 1 && EVP_PKEY_generate(ctx, out) == 1;
    EVP_PKEY_CTX_free(ctx);
    return done ? RC_OK : crypto_fail(RC_INTERNAL, "generating an ML-DSA key pair");
}

static enum rc generate_pair(const struct mech_call *call, struct attrs wanted_public,
                             struct attrs wanted_private, struct material *out_public,
                             struct material *out_private)
{
    (void)wanted_private;
    struct key key = {.object_class = CKO_PRIVATE_KEY, .key_type = call->mech->key_type};
    TRY(key_ml_dsa_choose(&key, wanted_public));
    TRY(generate(key.ml_dsa, &key.pkey));
    enum rc rc = key_pair_material(&key, BYTES_NONE, out_public, out_private);
    EVP_PKEY_free(key.pkey);
    return rc;
}

const struct mech_methods mech_ml_dsa = {.check = check, .crypt = crypt};
const struct mech_methods mech_ml_dsa_gen = {.generate_pair = generate_pair};

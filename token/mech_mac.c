/* SPDX-License-Identifier: Apache-2.0 */
/* Sign, verify and stream with a message authentication code. */
#include "token/mech_mac.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <stdlib.h>

#define CMAC_LEN 16U

static const char *cmac_cipher(size_t key_len)
{
    if (key_len == 16)
        return "AES-128-CBC";
    return key_len == 24 ? "AES-192-CBC" : "AES-256-CBC";
}

static bool init(EVP_MAC_CTX *context, enum digest_id digest, struct bytes key)
{
    OSSL_PARAM params[2] = {OSSL_PARAM_END, OSSL_PARAM_END};
    const char *name = digest == DIGEST_NONE ? cmac_cipher(key.len) : digest_info(digest)->name;
    const char *what = digest == DIGEST_NONE ? OSSL_MAC_PARAM_CIPHER : OSSL_MAC_PARAM_DIGEST;
    char copy[32]; /* the parameter takes no const */
    size_t len = strlen(name);
    if (len >= sizeof copy)
        return false;
    memcpy(copy, name, len + 1);
    params[0] = OSSL_PARAM_construct_utf8_string(what, copy, 0);
    return EVP_MAC_init(context, key.ptr, key.len, params) == 1;
}

enum rc mech_mac_new(enum digest_id digest, struct bytes key, EVP_MAC_CTX **out)
{
    static const uint8_t empty[1]; /* NULL would mean: keep the key */
    if (digest == DIGEST_NONE && key.len != 16 && key.len != 24 && key.len != 32)
        return rc_fail(RC_KEY_SIZE, "AES key of %zu bytes, not 16, 24 or 32", key.len);
    EVP_MAC_CTX *context = EVP_MAC_CTX_new(digest == DIGEST_NONE ? crypto_cmac() : crypto_hmac());
    if (context == NULL)
        return RC_NO_MEMORY;
    if (!init(context, digest, key.ptr == NULL ? bytes_of(empty, 0) : key)) {
        EVP_MAC_CTX_free(context);
        return crypto_fail(RC_INTERNAL, "MAC context");
    }
    *out = context;
    return RC_OK;
}

enum rc mech_mac_again(EVP_MAC_CTX *context)
{
    return EVP_MAC_init(context, NULL, 0, NULL) == 1 ? RC_OK
                                                     : crypto_fail(RC_INTERNAL, "MAC begins");
}

enum rc mech_mac_feed(EVP_MAC_CTX *context, struct bytes data)
{
    if (data.len == 0 || EVP_MAC_update(context, data.ptr, data.len) == 1)
        return RC_OK;
    return crypto_fail(RC_INTERNAL, "MAC over the data");
}

enum rc mech_mac_end(EVP_MAC_CTX *context, uint8_t *out, size_t *out_len)
{
    return EVP_MAC_final(context, out, out_len, EVP_MAX_MD_SIZE) == 1
               ? RC_OK
               : crypto_fail(RC_INTERNAL, "MAC ends");
}

size_t mech_mac_len(enum digest_id digest)
{
    return digest == DIGEST_NONE ? CMAC_LEN : digest_info(digest)->len;
}

static size_t wanted_len(const struct mech_call *call)
{
    return call->mech->param == PARAM_LENGTH ? call->u.length : mech_mac_len(call->mech->digest);
}

enum rc mech_mac_check(const struct mech_call *call, enum crypt_op op, const struct key *key)
{
    (void)op;
    (void)key;
    size_t len = wanted_len(call);
    size_t whole = mech_mac_len(call->mech->digest);
    if (len >= 1 && len <= whole)
        return RC_OK;
    return rc_fail(RC_MECHANISM_PARAM, "output of %zu bytes, %s gives 1 to %zu", len,
                   call->mech->name, whole);
}

/* Gives the code out, or compares it with the signature. */
static enum rc conclude(EVP_MAC_CTX *context, size_t len, enum crypt_op op, struct bytes signature,
                        struct buf *out)
{
    uint8_t code[EVP_MAX_MD_SIZE];
    size_t whole = 0;
    TRY(mech_mac_end(context, code, &whole));
    if (op == CRYPT_SIGN)
        return buf_append(out, bytes_of(code, len));
    if (signature.len != len)
        return rc_fail(RC_SIGNATURE_LEN, "%zu bytes, expected %zu", signature.len, len);
    bool same = CRYPTO_memcmp(code, signature.ptr, len) == 0;
    secret_wipe(code, sizeof code);
    return same ? RC_OK : rc_fail(RC_SIGNATURE_INVALID, "the code differs");
}

static void release(void *context)
{
    EVP_MAC_CTX_free(context);
}

static enum rc ready(const struct mech_work *work, EVP_MAC_CTX **out)
{
    struct key_lane *lane = NULL;
    TRY(key_lane(work->key, work->lane, &lane));
    uint64_t tag = (uint64_t)1 << 32 | (uint64_t)work->call->mech->digest << 8;
    EVP_MAC_CTX *context = key_ready_get(lane, tag);
    if (context == NULL) {
        TRY(mech_mac_new(work->call->mech->digest, secret_expose(&work->key->value), &context));
        key_ready_put(lane, tag, context, release);
    }
    *out = context;
    return mech_mac_again(context);
}

enum rc mech_mac_crypt(const struct mech_work *work, struct buf *out)
{
    EVP_MAC_CTX *context = NULL;
    TRY(ready(work, &context));
    TRY(mech_mac_feed(context, work->data));
    return conclude(context, wanted_len(work->call), work->op, work->signature, out);
}

struct mac_stream {
    EVP_MAC_CTX *context;
    size_t len;
};

static void stream_free(void *state)
{
    struct mac_stream *stream = state;
    EVP_MAC_CTX_free(stream->context);
    free(stream);
}

enum rc mech_mac_begin(const struct mech_call *call, struct buf *out_iv,
                       struct operation *operation)
{
    (void)out_iv;
    struct mac_stream *stream = calloc(1, sizeof *stream);
    if (stream == NULL)
        return RC_NO_MEMORY;
    operation->state = stream;
    operation->state_free = stream_free;
    stream->len = wanted_len(call);
    return mech_mac_new(call->mech->digest, secret_expose(&operation->key->value),
                        &stream->context);
}

enum rc mech_mac_update(struct operation *operation, struct bytes data, struct buf *out)
{
    (void)out;
    struct mac_stream *stream = operation->state;
    return mech_mac_feed(stream->context, data);
}

enum rc mech_mac_final(struct operation *operation, struct bytes data, struct bytes signature,
                       struct buf *out)
{
    struct mac_stream *stream = operation->state;
    TRY(mech_mac_feed(stream->context, data));
    return conclude(stream->context, stream->len, operation->op, signature, out);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Hashes by libcrypto: HMAC contexts are copies of one that has its digest already. */
#include "kms/hash.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <pthread.h>

#include "kms/digest.h"

static struct {
    pthread_once_t once;
    enum rc rc;
    EVP_MAC_CTX *hmac; /* without a key */
} hash = {.once = PTHREAD_ONCE_INIT};

static enum rc set_up_hmac(OSSL_LIB_CTX *lib)
{
    char digest[] = "SHA256";
    const OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
                                 OSSL_PARAM_construct_end()};
    EVP_MAC *mac = EVP_MAC_fetch(lib, "HMAC", NULL);
    hash.hmac = mac == NULL ? NULL : EVP_MAC_CTX_new(mac);
    EVP_MAC_free(mac);
    return hash.hmac != NULL && EVP_MAC_CTX_set_params(hash.hmac, params) == 1 ? RC_OK
                                                                               : RC_INTERNAL;
}

/* Lives as long as the process. */
static void set_up(void)
{
    hash.rc = digest_md(DIGEST_SHA256) == NULL ? RC_INTERNAL : set_up_hmac(digest_lib());
}

static enum rc ready(void)
{
    (void)pthread_once(&hash.once, set_up);
    return hash.rc == RC_OK ? RC_OK : rc_fail(hash.rc, "libcrypto has no SHA-256");
}

enum rc hash_sha256_of(const struct bytes *parts, size_t count, uint8_t out[HASH_LEN])
{
    TRY(ready());
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool good = ctx != NULL && EVP_DigestInit_ex2(ctx, digest_md(DIGEST_SHA256), NULL) == 1;
    for (size_t i = 0; i < count && good; i++)
        good = EVP_DigestUpdate(ctx, parts[i].ptr, parts[i].len) == 1;
    good = good && EVP_DigestFinal_ex(ctx, out, NULL) == 1;
    EVP_MD_CTX_free(ctx);
    return good ? RC_OK : rc_fail(RC_INTERNAL, "SHA-256 failed");
}

enum rc hash_sha256(struct bytes data, uint8_t out[HASH_LEN])
{
    return hash_sha256_of(&data, 1, out);
}

enum rc hash_hmac(struct bytes key, struct bytes data, uint8_t out[HASH_LEN])
{
    static const uint8_t none;
    TRY(ready());
    size_t len = 0;
    EVP_MAC_CTX *ctx = EVP_MAC_CTX_dup(hash.hmac);
    bool good = ctx != NULL &&
                EVP_MAC_init(ctx, key.len == 0 ? &none : key.ptr, key.len, NULL) == 1 &&
                EVP_MAC_update(ctx, data.ptr, data.len) == 1 &&
                EVP_MAC_final(ctx, out, &len, HASH_LEN) == 1 && len == HASH_LEN;
    EVP_MAC_CTX_free(ctx);
    return good ? RC_OK : rc_fail(RC_INTERNAL, "HMAC failed");
}

void hash_hex(struct bytes data, char *out)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < data.len; i++) {
        *out++ = digits[data.ptr[i] >> 4];
        *out++ = digits[data.ptr[i] & 15];
    }
    *out = 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Keys by purpose (HKDF), AES-256-GCM seals and HMACs under them, with ready contexts kept in
 * lock-free pools. */
#include "token/seal.h"

#include <endian.h>
#include <openssl/core_names.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "token/crypto_lib.h"
#include "token/seal_gcm.h"

#define SEAL_FORMAT    1U
#define POOL_SLOTS     8U
#define MAC_PARTS_MAX  8U
#define PURPOSE_KEYLEN 32U

/* Contexts that carry their key schedule; whoever takes one has it alone. */
struct pool {
    _Atomic(void *) slots[POOL_SLOTS];
};

struct purpose {
    struct secret key;
    struct pool sealers, openers, macs;
};

struct seal_keys {
    struct purpose purposes[SEAL_PURPOSE_COUNT];
};

static const char *const labels[] = {
    [SEAL_OBJECT] = "qhsm/object",   [SEAL_TICKET] = "qhsm/ticket",
    [SEAL_LOG] = "qhsm/log",         [SEAL_SESSION_OBJECT] = "qhsm/session-object",
    [SEAL_PIN] = "qhsm/pin",         [SEAL_STATE] = "qhsm/state",
    [SEAL_CLUSTER] = "qhsm/cluster", [SEAL_BACKUP] = "qhsm/backup",
};
_Static_assert(sizeof labels / sizeof labels[0] == SEAL_PURPOSE_COUNT,
               "without a label of its own a purpose would share its key with another");

static void *pool_take(struct pool *pool)
{
    for (unsigned i = 0; i < POOL_SLOTS; i++) {
        void *context = atomic_exchange_explicit(&pool->slots[i], NULL, memory_order_acq_rel);
        if (context != NULL)
            return context;
    }
    return NULL;
}

/* False when the pool is full: the caller frees. */
static bool pool_give(struct pool *pool, void *context)
{
    for (unsigned i = 0; i < POOL_SLOTS; i++) {
        void *empty = NULL;
        if (atomic_compare_exchange_strong(&pool->slots[i], &empty, context))
            return true;
    }
    return false;
}

static enum rc cipher_take(struct purpose *purpose, bool sealing, EVP_CIPHER_CTX **out)
{
    *out = pool_take(sealing ? &purpose->sealers : &purpose->openers);
    if (*out != NULL)
        return RC_OK;
    return seal_gcm_new(secret_expose(&purpose->key), sealing, out);
}

static void cipher_give(struct purpose *purpose, bool sealing, EVP_CIPHER_CTX *context)
{
    bool is_clean = seal_gcm_forget(context, secret_expose(&purpose->key)) == RC_OK;
    if (!is_clean || !pool_give(sealing ? &purpose->sealers : &purpose->openers, context))
        EVP_CIPHER_CTX_free(context);
}

static EVP_MAC_CTX *mac_new(const struct secret *secret)
{
    char digest[] = "SHA2-256";
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };
    struct bytes key = secret_expose(secret);
    EVP_MAC_CTX *context = EVP_MAC_CTX_new(crypto_hmac());
    if (context != NULL && EVP_MAC_init(context, key.ptr, key.len, params) != 1) {
        EVP_MAC_CTX_free(context);
        context = NULL;
    }
    return context;
}

static enum rc derive(EVP_KDF_CTX *kdf, const struct secret *master, const uint8_t cluster[16],
                      const char *label, struct secret *out)
{
    char digest[] = "SHA2-256";
    uint8_t salt[16];
    memcpy(salt, cluster, sizeof salt);
    struct bytes key = secret_expose(master);
    AUTO_SECRET copy = SECRET_INIT;
    AUTO_BUF info = BUF_INIT;
    TRY(secret_from_bytes(&copy, key));
    TRY(buf_append(&info, bytes_of_str(label)));
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, copy.ptr, copy.len),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, salt, sizeof salt),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, info.ptr, info.len),
        OSSL_PARAM_construct_end(),
    };
    TRY(secret_alloc(out, PURPOSE_KEYLEN));
    if (EVP_KDF_derive(kdf, out->ptr, out->len, params) != 1)
        return rc_fail(RC_INTERNAL, "HKDF of the key for %s failed", label);
    return RC_OK;
}

enum rc seal_keys_new(const struct secret *master, const uint8_t cluster[16],
                      struct seal_keys **out)
{
    if (master->len != MASTER_KEY_LEN)
        return rc_fail(RC_BAD_ARGUMENT, "master key of %zu bytes, %u wanted", master->len,
                       MASTER_KEY_LEN);
    EVP_KDF *hkdf = crypto_kdf("HKDF");
    EVP_KDF_CTX *kdf = hkdf == NULL ? NULL : EVP_KDF_CTX_new(hkdf);
    struct seal_keys *keys = calloc(1, sizeof *keys);
    enum rc rc = kdf == NULL || keys == NULL ? RC_NO_MEMORY : RC_OK;
    for (unsigned i = 0; i < SEAL_PURPOSE_COUNT && rc == RC_OK; i++) {
        rc = derive(kdf, master, cluster, labels[i], &keys->purposes[i].key);
        EVP_KDF_CTX_reset(kdf);
    }
    EVP_KDF_CTX_free(kdf);
    if (rc == RC_OK)
        *out = keys;
    else
        seal_keys_free(keys);
    return rc;
}

static void purpose_clear(struct purpose *purpose)
{
    void *context;
    while ((context = pool_take(&purpose->sealers)) != NULL)
        EVP_CIPHER_CTX_free(context);
    while ((context = pool_take(&purpose->openers)) != NULL)
        EVP_CIPHER_CTX_free(context);
    while ((context = pool_take(&purpose->macs)) != NULL)
        EVP_MAC_CTX_free(context);
    secret_clear(&purpose->key);
}

void seal_keys_free(struct seal_keys *keys)
{
    if (keys == NULL)
        return;
    for (unsigned i = 0; i < SEAL_PURPOSE_COUNT; i++)
        purpose_clear(&keys->purposes[i]);
    free(keys);
}

/* The pools change under const keys: they are caches. */
static struct purpose *purpose_of(const struct seal_keys *keys, enum seal_purpose purpose)
{
    return (struct purpose *)(uintptr_t)&keys->purposes[purpose];
}

enum rc seal(const struct seal_keys *keys, enum seal_purpose purpose, struct bytes aad,
             struct bytes plain, struct buf *out)
{
    struct purpose *p = purpose_of(keys, purpose);
    size_t start = out->len;
    TRY(buf_reserve(out, plain.len + SEAL_OVERHEAD));
    uint8_t *at = out->ptr + start;
    at[0] = SEAL_FORMAT;
    TRY(random_bytes(at + 1, GCM_NONCE_LEN));
    EVP_CIPHER_CTX *context = NULL;
    TRY(cipher_take(p, true, &context));
    enum rc rc = seal_gcm_encrypt(context, at + 1, aad, plain, at + 1 + GCM_NONCE_LEN);
    cipher_give(p, true, context);
    if (rc == RC_OK)
        out->len = start + plain.len + SEAL_OVERHEAD;
    return rc;
}

enum rc unseal(const struct seal_keys *keys, enum seal_purpose purpose, struct bytes aad,
               struct bytes sealed, struct secret *out)
{
    if (sealed.len < SEAL_OVERHEAD)
        return rc_fail(RC_TAMPERED, "seal of %zu bytes, at least %u wanted", sealed.len,
                       SEAL_OVERHEAD);
    if (sealed.ptr[0] != SEAL_FORMAT)
        return rc_fail(RC_TAMPERED, "seal of format %u, not %u", sealed.ptr[0], SEAL_FORMAT);
    struct purpose *p = purpose_of(keys, purpose);
    AUTO_SECRET plain = SECRET_INIT;
    TRY(secret_alloc(&plain, sealed.len - SEAL_OVERHEAD));
    EVP_CIPHER_CTX *context = NULL;
    TRY(cipher_take(p, false, &context));
    enum rc rc = seal_gcm_decrypt(context, sealed.ptr + 1, aad,
                                  bytes_slice(sealed, 1 + GCM_NONCE_LEN, sealed.len), plain.ptr);
    cipher_give(p, false, context);
    TRY(rc);
    secret_clear(out);
    *out = secret_take(&plain);
    return RC_OK;
}

static enum rc mac_run(EVP_MAC_CTX *context, const struct bytes *parts, size_t count,
                       uint8_t out[32])
{
    uint64_t lengths[MAC_PARTS_MAX];
    for (size_t i = 0; i < count; i++)
        lengths[i] = htole64(parts[i].len);
    size_t len = 0;
    bool ok = EVP_MAC_init(context, NULL, 0, NULL) == 1 &&
              EVP_MAC_update(context, (const uint8_t *)lengths, count * sizeof lengths[0]) == 1;
    for (size_t i = 0; i < count && ok; i++)
        ok = parts[i].len == 0 || EVP_MAC_update(context, parts[i].ptr, parts[i].len) == 1;
    ok = ok && EVP_MAC_final(context, out, &len, 32) == 1 && len == 32;
    return ok ? RC_OK : rc_fail(RC_INTERNAL, "HMAC failed");
}

enum rc seal_mac(const struct seal_keys *keys, enum seal_purpose purpose, const struct bytes *parts,
                 size_t count, uint8_t out[32])
{
    if (count > MAC_PARTS_MAX)
        return rc_fail(RC_BAD_ARGUMENT, "%zu parts to a MAC, at most %u", count, MAC_PARTS_MAX);
    struct purpose *p = purpose_of(keys, purpose);
    EVP_MAC_CTX *context = pool_take(&p->macs);
    if (context == NULL)
        context = mac_new(&p->key);
    if (context == NULL)
        return RC_NO_MEMORY;
    uint8_t mac[32];
    enum rc rc = mac_run(context, parts, count, mac);
    if (!pool_give(&p->macs, context))
        EVP_MAC_CTX_free(context);
    if (rc == RC_OK)
        memcpy(out, mac, sizeof mac);
    return rc;
}

enum rc seal_pepper(const struct seal_keys *keys, struct secret *out)
{
    return secret_from_bytes(out, secret_expose(&keys->purposes[SEAL_PIN].key));
}

enum rc seal_mac_by(const struct secret *key, const struct bytes *parts, size_t count,
                    uint8_t out[32])
{
    if (count > MAC_PARTS_MAX)
        return rc_fail(RC_BAD_ARGUMENT, "%zu parts to a MAC, at most %u", count, MAC_PARTS_MAX);
    EVP_MAC_CTX *context = mac_new(key);
    if (context == NULL)
        return RC_NO_MEMORY;
    enum rc rc = mac_run(context, parts, count, out);
    EVP_MAC_CTX_free(context);
    return rc;
}

enum rc random_bytes(void *out, size_t len)
{
    if (RAND_priv_bytes_ex(crypto_lib(), out, len, 0) != 1)
        return rc_fail(RC_RANDOM, "libcrypto's generator gave no randomness");
    return RC_OK;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* One private library context with the default provider, and everything fetched from it at start.
 */
#include "token/crypto_lib.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/provider.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static const char *const cipher_names[] = {
    "AES-128-ECB",      "AES-192-ECB",  "AES-256-ECB",  "AES-128-CBC",      "AES-192-CBC",
    "AES-256-CBC",      "AES-128-CTR",  "AES-192-CTR",  "AES-256-CTR",      "AES-128-GCM",
    "AES-192-GCM",      "AES-256-GCM",  "AES-128-CCM",  "AES-192-CCM",      "AES-256-CCM",
    "AES-128-WRAP",     "AES-192-WRAP", "AES-256-WRAP", "AES-128-WRAP-PAD", "AES-192-WRAP-PAD",
    "AES-256-WRAP-PAD",
};

static const char *const kdf_names[] = {"HKDF", "KBKDF", "PBKDF2", "X963KDF"};

/* Written by init and cleanup alone, read by every thread in between. */
static struct {
    OSSL_LIB_CTX *lib;
    OSSL_PROVIDER *provider;
    EVP_MD *md[DIGEST_COUNT];
    EVP_MD *shake256;
    EVP_CIPHER *cipher[COUNT(cipher_names)];
    EVP_KDF *kdf[COUNT(kdf_names)];
    EVP_MAC *hmac;
    EVP_MAC *cmac;
    bool has_ml_dsa;
} crypto;

static enum rc missing(const char *name)
{
    ERR_clear_error();
    return rc_fail(RC_SELF_TEST, "libcrypto's default provider does not offer %s", name);
}

static enum rc fetch_digests(void)
{
    for (int id = DIGEST_NONE + 1; id < DIGEST_COUNT; id++) {
        const struct digest_info *info = digest_info((enum digest_id)id);
        if (info == NULL)
            return rc_fail(RC_SELF_TEST, "digest %d has no row", id);
        crypto.md[id] = EVP_MD_fetch(crypto.lib, info->name, NULL);
        if (crypto.md[id] == NULL)
            return missing(info->name);
    }
    crypto.shake256 = EVP_MD_fetch(crypto.lib, "SHAKE256", NULL);
    return crypto.shake256 != NULL ? RC_OK : missing("SHAKE256");
}

static enum rc fetch_ciphers(void)
{
    for (size_t i = 0; i < COUNT(cipher_names); i++) {
        crypto.cipher[i] = EVP_CIPHER_fetch(crypto.lib, cipher_names[i], NULL);
        if (crypto.cipher[i] == NULL)
            return missing(cipher_names[i]);
    }
    return RC_OK;
}

static enum rc fetch_keyed(void)
{
    for (size_t i = 0; i < COUNT(kdf_names); i++) {
        crypto.kdf[i] = EVP_KDF_fetch(crypto.lib, kdf_names[i], NULL);
        if (crypto.kdf[i] == NULL)
            return missing(kdf_names[i]);
    }
    crypto.hmac = EVP_MAC_fetch(crypto.lib, "HMAC", NULL);
    crypto.cmac = EVP_MAC_fetch(crypto.lib, "CMAC", NULL);
    return crypto.hmac == NULL || crypto.cmac == NULL ? missing("HMAC or CMAC") : RC_OK;
}

static bool has_key_type(const char *name)
{
    EVP_KEYMGMT *found = EVP_KEYMGMT_fetch(crypto.lib, name, NULL);
    EVP_KEYMGMT_free(found);
    ERR_clear_error();
    return found != NULL;
}

static enum rc load(void)
{
    if (OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL) != 1)
        return crypto_fail(RC_SELF_TEST, "libcrypto does not start");
    crypto.lib = OSSL_LIB_CTX_new();
    if (crypto.lib == NULL)
        return crypto_fail(RC_SELF_TEST, "no library context");
    crypto.provider = OSSL_PROVIDER_load(crypto.lib, "default");
    if (crypto.provider == NULL)
        return missing("itself");
    crypto.has_ml_dsa =
        has_key_type("ML-DSA-44") && has_key_type("ML-DSA-65") && has_key_type("ML-DSA-87");
    TRY(fetch_digests());
    TRY(fetch_ciphers());
    return fetch_keyed();
}

enum rc crypto_lib_init(void)
{
    if (crypto.lib != NULL)
        return RC_OK;
    enum rc rc = load();
    if (rc != RC_OK)
        crypto_lib_cleanup();
    return rc;
}

void crypto_lib_cleanup(void)
{
    for (size_t i = 0; i < COUNT(crypto.md); i++)
        EVP_MD_free(crypto.md[i]);
    EVP_MD_free(crypto.shake256);
    for (size_t i = 0; i < COUNT(crypto.cipher); i++)
        EVP_CIPHER_free(crypto.cipher[i]);
    for (size_t i = 0; i < COUNT(crypto.kdf); i++)
        EVP_KDF_free(crypto.kdf[i]);
    EVP_MAC_free(crypto.hmac);
    EVP_MAC_free(crypto.cmac);
    if (crypto.provider != NULL)
        (void)OSSL_PROVIDER_unload(crypto.provider);
    OSSL_LIB_CTX_free(crypto.lib);
    memset(&crypto, 0, sizeof crypto);
}

OSSL_LIB_CTX *crypto_lib(void)
{
    return crypto.lib;
}

bool crypto_lib_offers(CK_KEY_TYPE key_type)
{
    return key_type != CKK_ML_DSA || crypto.has_ml_dsa;
}

enum rc crypto_lib_lacks(void)
{
    return rc_fail(RC_MECHANISM,
                   "the HSM's libcrypto lacks ML-DSA: it is OpenSSL %s, 3.5 or newer is needed",
                   OpenSSL_version(OPENSSL_VERSION_STRING));
}

const EVP_MD *crypto_md(enum digest_id digest)
{
    return (unsigned)digest < DIGEST_COUNT ? crypto.md[digest] : NULL;
}

const EVP_MD *crypto_shake256(void)
{
    return crypto.shake256;
}

EVP_MAC *crypto_hmac(void)
{
    return crypto.hmac;
}

EVP_MAC *crypto_cmac(void)
{
    return crypto.cmac;
}

const EVP_CIPHER *crypto_cipher(const char *name)
{
    for (size_t i = 0; i < COUNT(cipher_names); i++)
        if (strcmp(cipher_names[i], name) == 0)
            return crypto.cipher[i];
    return NULL;
}

EVP_KDF *crypto_kdf(const char *name)
{
    for (size_t i = 0; i < COUNT(kdf_names); i++)
        if (strcmp(kdf_names[i], name) == 0)
            return crypto.kdf[i];
    return NULL;
}

enum rc crypto_digest(enum digest_id digest, struct bytes data, uint8_t *out, size_t *out_len)
{
    const EVP_MD *md = crypto_md(digest);
    unsigned len = 0;
    if (md == NULL || EVP_Digest(data.ptr, data.len, out, &len, md, NULL) != 1)
        return crypto_fail(RC_INTERNAL, "digest failed");
    *out_len = len;
    return RC_OK;
}

enum rc crypto_fail(enum rc rc, const char *what)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());
    ERR_clear_error();
    if (reason == NULL)
        return rc_fail(rc, "%s", what);
    return rc_fail(rc, "%s: %s", what, reason);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Is a key consistent, do its halves belong together, and its check value. */
#include "token/key_internal.h"

#define CHECK_VALUE_LEN 3U

typedef int (*pkey_check)(EVP_PKEY_CTX *ctx);

static enum rc run_check(const struct key *key, pkey_check check, const char *what)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(crypto_lib(), key->pkey, NULL);
    int good = ctx == NULL ? -1 : check(ctx);
    EVP_PKEY_CTX_free(ctx);
    return good == 1 ? RC_OK : crypto_fail(RC_ATTRIBUTE_VALUE, what);
}

/* A signature over a fixed message, verified; the digest that libcrypto picks by itself. */
static bool signs_and_verifies(EVP_PKEY *pkey, const char *digest)
{
    static const uint8_t message[] = "pairwise consistency";
    uint8_t signature[ML_DSA_SIGNATURE_MAX]; /* the longest of all */
    size_t len = sizeof signature;
    EVP_MD_CTX *sign = EVP_MD_CTX_new(), *verify = EVP_MD_CTX_new();
    bool good =
        sign != NULL && verify != NULL &&
        EVP_DigestSignInit_ex(sign, NULL, digest, crypto_lib(), NULL, pkey, NULL) == 1 &&
        EVP_DigestSign(sign, signature, &len, message, sizeof message) == 1 &&
        EVP_DigestVerifyInit_ex(verify, NULL, digest, crypto_lib(), NULL, pkey, NULL) == 1 &&
        EVP_DigestVerify(verify, signature, len, message, sizeof message) == 1;
    EVP_MD_CTX_free(sign);
    EVP_MD_CTX_free(verify);
    return good;
}

enum rc key_pairwise(const struct key *key)
{
    bool good = false;
    bool hashes_first = key->key_type == CKK_RSA || key->key_type == CKK_EC;
    if (key->key_type == CKK_EC_MONTGOMERY)
        good = run_check(key, EVP_PKEY_check, "the halves do not fit") == RC_OK;
    else
        good = signs_and_verifies(key->pkey, hashes_first ? "SHA2-256" : NULL);
    return good ? RC_OK : crypto_fail(RC_SELF_TEST, "a new key pair fails its consistency test");
}

static enum rc validate_private(const struct key *key)
{
    if (key->key_type != CKK_RSA)
        return run_check(key, EVP_PKEY_check, "the private key contradicts itself");
    TRY(key_rsa_check(key));
    return signs_and_verifies(key->pkey, "SHA2-256")
               ? RC_OK
               : crypto_fail(RC_ATTRIBUTE_VALUE, "the RSA key does not verify what it signs");
}

/* What key_parse() saw of a public RSA key is all that there is to see cheaply. */
enum rc key_validate(const struct key *key)
{
    if (key->pkey == NULL)
        return RC_OK;
    if (key->object_class == CKO_PRIVATE_KEY)
        return validate_private(key);
    if (key->key_type == CKK_RSA)
        return RC_OK;
    return run_check(key, EVP_PKEY_public_check, "the public key is not valid");
}

/* PKCS#11 3.1 6.13.2: AES: the first bytes of an encrypted zero block. */
static enum rc aes_check_value(const struct key *key, uint8_t *out)
{
    static const uint8_t zero[16];
    const char *name = key->bits == 128   ? "AES-128-ECB"
                       : key->bits == 192 ? "AES-192-ECB"
                                          : "AES-256-ECB";
    uint8_t block[32];
    int len = 0;
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    bool done = ctx != NULL &&
                EVP_EncryptInit_ex2(ctx, crypto_cipher(name), secret_expose(&key->value).ptr, NULL,
                                    NULL) == 1 &&
                EVP_EncryptUpdate(ctx, block, &len, zero, sizeof zero) == 1 && len == sizeof zero;
    EVP_CIPHER_CTX_free(ctx);
    if (!done)
        return crypto_fail(RC_INTERNAL, "check value");
    memcpy(out, block, CHECK_VALUE_LEN);
    return RC_OK;
}

/* PKCS#11 3.1 4.10.2: other secret keys: the first bytes of the SHA-1 of the value. */
enum rc key_check_value(const struct key *key, struct buf *out)
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    size_t len = 0;
    if (key->object_class != CKO_SECRET_KEY)
        return rc_fail(RC_KEY_TYPE, "only secret keys have a check value here");
    if (key->key_type == CKK_AES)
        TRY(aes_check_value(key, digest));
    else
        TRY(crypto_digest(DIGEST_SHA1, secret_expose(&key->value), digest, &len));
    return buf_append(out, bytes_of(digest, CHECK_VALUE_LEN));
}

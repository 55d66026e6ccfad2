/* SPDX-License-Identifier: Apache-2.0 */
/* The file `master.key`: the cluster's master key under a node's unlock key, AES-256-GCM with the
 * header as associated data. */
#include <openssl/core_names.h>
#include <openssl/params.h>

#include "token/crypto_lib.h"
#include "token/seal.h"
#include "token/seal_gcm.h"

#define FILE_MAGIC  "QHSMMKEY"
#define FILE_FORMAT 1U
#define SALT_LEN    16U
#define UNLOCK_LEN  32U
/* magic, format, kdf, log2 of N, r, p, salt */
#define HEADER_LEN (8U + 5U + SALT_LEN)
#define FILE_LEN   (HEADER_LEN + GCM_NONCE_LEN + MASTER_KEY_LEN + GCM_TAG_LEN)

enum unlock_kdf { UNLOCK_HKDF = 1, UNLOCK_SCRYPT = 2 };

/* RFC 7914: about 0.1 s and 32 MiB. */
#define SCRYPT_LOG_N 15U
#define SCRYPT_R     8U
#define SCRYPT_P     1U
/* What a file may ask of us: 256 MiB. */
#define SCRYPT_LOG_N_MAX 18U

/* 32 bytes that nobody can type are a key; everything else is a passphrase. */
static enum unlock_kdf kdf_for(struct bytes unlock)
{
    if (unlock.len != UNLOCK_LEN)
        return UNLOCK_SCRYPT;
    for (size_t i = 0; i < unlock.len; i++)
        if (unlock.ptr[i] < 0x20 || unlock.ptr[i] > 0x7e)
            return UNLOCK_HKDF;
    return UNLOCK_SCRYPT;
}

static enum rc kdf_run(const char *name, const OSSL_PARAM *params, struct secret *out)
{
    EVP_KDF *kdf = EVP_KDF_fetch(crypto_lib(), name, NULL);
    EVP_KDF_CTX *context = kdf == NULL ? NULL : EVP_KDF_CTX_new(kdf);
    enum rc rc = secret_alloc(out, UNLOCK_LEN);
    if (rc == RC_OK &&
        (context == NULL || EVP_KDF_derive(context, out->ptr, out->len, params) != 1))
        rc = rc_fail(RC_INTERNAL, "%s of the unlock key failed", name);
    EVP_KDF_CTX_free(context);
    EVP_KDF_free(kdf);
    return rc;
}

static enum rc derive_hkdf(struct secret *unlock, uint8_t *salt, struct secret *out)
{
    char digest[] = "SHA2-256";
    char info[] = "qhsm/unlock";
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, unlock->ptr, unlock->len),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, salt, SALT_LEN),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, info, sizeof info - 1),
        OSSL_PARAM_construct_end(),
    };
    return kdf_run("HKDF", params, out);
}

static enum rc derive_scrypt(struct secret *unlock, const uint8_t header[HEADER_LEN], uint8_t *salt,
                             struct secret *out)
{
    uint64_t n = (uint64_t)1 << header[10];
    uint32_t r = header[11];
    uint32_t p = header[12];
    uint64_t memory_max = (uint64_t)512 * 1024 * 1024;
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_PASSWORD, unlock->ptr, unlock->len),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, salt, SALT_LEN),
        OSSL_PARAM_construct_uint64(OSSL_KDF_PARAM_SCRYPT_N, &n),
        OSSL_PARAM_construct_uint32(OSSL_KDF_PARAM_SCRYPT_R, &r),
        OSSL_PARAM_construct_uint32(OSSL_KDF_PARAM_SCRYPT_P, &p),
        OSSL_PARAM_construct_uint64(OSSL_KDF_PARAM_SCRYPT_MAXMEM, &memory_max),
        OSSL_PARAM_construct_end(),
    };
    return kdf_run("SCRYPT", params, out);
}

static enum rc unlock_derive(const struct secret *unlock, const uint8_t header[HEADER_LEN],
                             struct secret *out)
{
    AUTO_SECRET copy = SECRET_INIT;
    uint8_t salt[SALT_LEN];
    memcpy(salt, header + HEADER_LEN - SALT_LEN, SALT_LEN);
    TRY(secret_from_bytes(&copy, secret_expose(unlock)));
    if (header[9] == UNLOCK_HKDF)
        return derive_hkdf(&copy, salt, out);
    return derive_scrypt(&copy, header, salt, out);
}

enum rc master_key_wrap(const struct secret *unlock, const struct secret *master, struct buf *out)
{
    if (unlock->len == 0)
        return rc_fail(RC_BAD_ARGUMENT, "the unlock key is empty");
    if (master->len != MASTER_KEY_LEN)
        return rc_fail(RC_BAD_ARGUMENT, "master key of %zu bytes", master->len);
    uint8_t file[FILE_LEN] = FILE_MAGIC;
    file[8] = FILE_FORMAT;
    file[9] = (uint8_t)kdf_for(secret_expose(unlock));
    file[10] = SCRYPT_LOG_N;
    file[11] = SCRYPT_R;
    file[12] = SCRYPT_P;
    TRY(random_bytes(file + HEADER_LEN - SALT_LEN, SALT_LEN + GCM_NONCE_LEN));
    AUTO_SECRET key = SECRET_INIT;
    TRY(unlock_derive(unlock, file, &key));
    EVP_CIPHER_CTX *context = NULL;
    TRY(seal_gcm_new(secret_expose(&key), true, &context));
    enum rc rc = seal_gcm_encrypt(context, file + HEADER_LEN, bytes_of(file, HEADER_LEN),
                                  secret_expose(master), file + HEADER_LEN + GCM_NONCE_LEN);
    EVP_CIPHER_CTX_free(context);
    TRY(rc);
    return buf_append(out, bytes_of(file, sizeof file));
}

static enum rc check_file(struct bytes file)
{
    if (file.len != FILE_LEN || !bytes_equal(bytes_slice(file, 0, 8), bytes_of_str(FILE_MAGIC)))
        return rc_fail(RC_SEALED, "this is not a master.key file");
    if (file.ptr[8] != FILE_FORMAT)
        return rc_fail(RC_SEALED, "master.key of format %u, this release reads %u", file.ptr[8],
                       FILE_FORMAT);
    bool hkdf = file.ptr[9] == UNLOCK_HKDF;
    bool scrypt = file.ptr[9] == UNLOCK_SCRYPT && file.ptr[10] >= 1 &&
                  file.ptr[10] <= SCRYPT_LOG_N_MAX && file.ptr[11] >= 1 && file.ptr[11] <= 8 &&
                  file.ptr[12] >= 1 && file.ptr[12] <= 4;
    return hkdf || scrypt ? RC_OK
                          : rc_fail(RC_SEALED, "master.key asks for an unknown key derivation");
}

enum rc master_key_unwrap(const struct secret *unlock, struct bytes wrapped, struct secret *out)
{
    TRY(check_file(wrapped));
    AUTO_SECRET key = SECRET_INIT;
    AUTO_SECRET master = SECRET_INIT;
    TRY(unlock_derive(unlock, wrapped.ptr, &key));
    TRY(secret_alloc(&master, MASTER_KEY_LEN));
    EVP_CIPHER_CTX *context = NULL;
    TRY(seal_gcm_new(secret_expose(&key), false, &context));
    enum rc rc =
        seal_gcm_decrypt(context, wrapped.ptr + HEADER_LEN, bytes_slice(wrapped, 0, HEADER_LEN),
                         bytes_slice(wrapped, HEADER_LEN + GCM_NONCE_LEN, FILE_LEN), master.ptr);
    EVP_CIPHER_CTX_free(context);
    if (rc != RC_OK) {
        rc_detail_clear();
        return rc_fail(RC_SEALED, "the unlock key does not open master.key");
    }
    secret_clear(out);
    *out = secret_take(&master);
    return RC_OK;
}

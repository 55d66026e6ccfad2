/* SPDX-License-Identifier: Apache-2.0 */
/* The keys of certificates: EC P-256, a private one as PEM, a public one as SubjectPublicKeyInfo
 * (RFC 5480). */
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "rpc/pki.h"
#include "rpc/text_code.h"

/* RFC 5480 2: SEQUENCE { SEQUENCE { id-ecPublicKey, secp256r1 }, BIT STRING }. */
static const uint8_t spki_head[] = {0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48,
                                    0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48,
                                    0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00};
#define SPKI_LEN (sizeof spki_head + PKI_POINT_LEN)

static void pkey_auto_free(EVP_PKEY **key)
{
    EVP_PKEY_free(*key);
}
static void bio_auto_free(BIO **bio)
{
    BIO_free(*bio);
}
#define AUTO_PKEY __attribute__((cleanup(pkey_auto_free))) EVP_PKEY
#define AUTO_BIO  __attribute__((cleanup(bio_auto_free))) BIO

static enum rc key_failed(enum rc rc, const char *what)
{
    char text[160];
    return rc_fail(rc, "%s: %s", what, tls_error_text(text));
}

static enum rc key_read(OSSL_LIB_CTX *lib, const struct secret *key_pem, EVP_PKEY **out)
{
    struct bytes pem = secret_expose(key_pem);
    AUTO_BIO *bio = BIO_new_mem_buf(pem.ptr, (int)pem.len);
    /* "" as passphrase: an encrypted key fails instead of asking on the terminal. */
    char none[] = "";
    *out = bio == NULL ? NULL : PEM_read_bio_PrivateKey_ex(bio, NULL, NULL, none, lib, NULL);
    return *out != NULL ? RC_OK : key_failed(RC_TLS, "the private key cannot be read");
}

enum rc pki_key_new(OSSL_LIB_CTX *lib, struct secret *out_key_pem)
{
    AUTO_PKEY *key = EVP_PKEY_Q_keygen(lib, NULL, "EC", "P-256");
    AUTO_BIO *bio = BIO_new(BIO_s_secmem());
    if (key == NULL || bio == NULL ||
        PEM_write_bio_PrivateKey_ex(bio, key, NULL, NULL, 0, NULL, NULL, lib, NULL) != 1)
        return key_failed(RC_TLS, "no new key");
    char *content = NULL;
    long len = BIO_get_mem_data(bio, &content);
    return secret_from_bytes(out_key_pem, bytes_of(content, len > 0 ? (size_t)len : 0));
}

static enum rc spki_write(EVP_PKEY *key, struct buf *out_spki)
{
    unsigned char *der = NULL;
    int len = i2d_PUBKEY(key, &der);
    if (len <= 0)
        return key_failed(RC_TLS, "the public key cannot be written");
    enum rc rc = RC_OK;
    if ((size_t)len != SPKI_LEN ||
        !bytes_equal(bytes_of(der, sizeof spki_head), bytes_of(spki_head, sizeof spki_head)))
        rc = rc_fail(RC_BAD_ARGUMENT, "the key is not one of EC P-256");
    else
        rc = buf_append(out_spki, bytes_of(der, (size_t)len));
    OPENSSL_free(der);
    return rc;
}

enum rc pki_key_public(OSSL_LIB_CTX *lib, const struct secret *key_pem, struct buf *out_spki)
{
    AUTO_PKEY *key = NULL;
    TRY(key_read(lib, key_pem, &key));
    return spki_write(key, out_spki);
}

enum rc pki_key_scalar(OSSL_LIB_CTX *lib, const struct secret *key_pem, struct secret *out)
{
    AUTO_PKEY *key = NULL;
    BIGNUM *scalar = NULL;
    TRY(key_read(lib, key_pem, &key));
    TRY(secret_alloc(out, PKI_SCALAR_LEN));
    bool good = EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_PRIV_KEY, &scalar) == 1 &&
                BN_bn2binpad(scalar, out->ptr, PKI_SCALAR_LEN) == (int)PKI_SCALAR_LEN;
    BN_clear_free(scalar);
    return good ? RC_OK : key_failed(RC_BAD_ARGUMENT, "the key is not one of EC P-256");
}

enum rc pki_key_of_cert(OSSL_LIB_CTX *lib, struct bytes cert_pem, struct buf *out_spki)
{
    AUTO_BIO *bio = BIO_new_mem_buf(cert_pem.ptr, (int)cert_pem.len);
    X509 *cert = X509_new_ex(lib, NULL);
    bool is_read = bio != NULL && cert != NULL && PEM_read_bio_X509(bio, &cert, NULL, NULL) != NULL;
    EVP_PKEY *key = is_read ? X509_get0_pubkey(cert) : NULL;
    enum rc rc = key != NULL ? spki_write(key, out_spki)
                             : key_failed(RC_TLS, "the certificate cannot be read");
    X509_free(cert);
    return rc;
}

/* One encoding alone is taken, so that the hash of a key is one. */
enum rc pki_key_point(OSSL_LIB_CTX *lib, struct bytes spki, uint8_t out[PKI_POINT_LEN])
{
    const unsigned char *at = spki.ptr;
    bool has_form = spki.len == SPKI_LEN && bytes_equal(bytes_slice(spki, 0, sizeof spki_head),
                                                        bytes_of(spki_head, sizeof spki_head));
    AUTO_PKEY *key = has_form ? d2i_PUBKEY_ex(NULL, &at, (long)spki.len, lib, NULL) : NULL;
    if (key == NULL)
        return key_failed(RC_BAD_ARGUMENT, "not a public key of EC P-256 (SubjectPublicKeyInfo)");
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(lib, key, NULL);
    bool is_good = ctx != NULL && EVP_PKEY_public_check(ctx) == 1;
    EVP_PKEY_CTX_free(ctx);
    if (!is_good)
        return key_failed(RC_BAD_ARGUMENT, "the public key is not on the curve P-256");
    memcpy(out, spki.ptr + sizeof spki_head, PKI_POINT_LEN);
    return RC_OK;
}

enum rc pki_key_of_point(const uint8_t point[PKI_POINT_LEN], struct buf *out_spki)
{
    TRY(buf_append(out_spki, bytes_of(spki_head, sizeof spki_head)));
    return buf_append(out_spki, bytes_of(point, PKI_POINT_LEN));
}

enum rc pki_key_hash(OSSL_LIB_CTX *lib, struct bytes spki, uint8_t out[32])
{
    size_t len = 0;
    if (EVP_Q_digest(lib, "SHA256", NULL, spki.ptr, spki.len, out, &len) != 1 || len != 32)
        return key_failed(RC_INTERNAL, "SHA-256");
    return RC_OK;
}

enum rc pki_key_code(struct bytes spki, struct buf *out)
{
    return text_code_write(TEXT_CODE_KEY, spki, out);
}

enum rc pki_key_from_code(OSSL_LIB_CTX *lib, const char *code, struct buf *out_spki)
{
    AUTO_BUF spki = BUF_INIT_MAX(256);
    uint8_t point[PKI_POINT_LEN];
    TRY(text_code_read(TEXT_CODE_KEY, code, &spki));
    TRY(pki_key_point(lib, buf_bytes(&spki), point));
    return buf_append(out_spki, buf_bytes(&spki));
}

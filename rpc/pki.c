/* SPDX-License-Identifier: Apache-2.0 */
/* X.509 of the cluster's certificate authority (RFC 5280), made with libcrypto. */
#include "rpc/pki.h"

#include <arpa/inet.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <time.h>

#define DAY_S      86400
#define SKEW_S     300
#define KEY_ID_LEN 20
#define SERIAL_LEN 16

static void cert_auto_free(X509 **cert)
{
    X509_free(*cert);
}
static void pkey_auto_free(EVP_PKEY **key)
{
    EVP_PKEY_free(*key);
}
static void bio_auto_free(BIO **bio)
{
    BIO_free(*bio);
}
static void names_auto_free(GENERAL_NAMES **names)
{
    GENERAL_NAMES_free(*names);
}
#define AUTO_CERT  __attribute__((cleanup(cert_auto_free))) X509
#define AUTO_PKEY  __attribute__((cleanup(pkey_auto_free))) EVP_PKEY
#define AUTO_BIO   __attribute__((cleanup(bio_auto_free))) BIO
#define AUTO_NAMES __attribute__((cleanup(names_auto_free))) GENERAL_NAMES

static enum rc pki_failed(const char *what)
{
    char text[160];
    return rc_fail(RC_TLS, "%s: %s", what, tls_error_text(text));
}

static struct bytes bio_view(BIO *bio)
{
    char *content = NULL;
    long len = BIO_get_mem_data(bio, &content);
    return bytes_of(content, len > 0 ? (size_t)len : 0);
}

static enum rc cert_to_pem(X509 *cert, struct buf *out)
{
    AUTO_BIO *bio = BIO_new(BIO_s_mem());
    if (bio == NULL || PEM_write_bio_X509(bio, cert) != 1)
        return pki_failed("a certificate cannot be written");
    return buf_append(out, bio_view(bio));
}

static enum rc key_to_pem(OSSL_LIB_CTX *lib, EVP_PKEY *key, struct secret *out)
{
    AUTO_BIO *bio = BIO_new(BIO_s_secmem());
    if (bio == NULL ||
        PEM_write_bio_PrivateKey_ex(bio, key, NULL, NULL, 0, NULL, NULL, lib, NULL) != 1)
        return pki_failed("a private key cannot be written");
    return secret_from_bytes(out, bio_view(bio));
}

static EVP_PKEY *key_new(OSSL_LIB_CTX *lib)
{
    return EVP_PKEY_Q_keygen(lib, NULL, "EC", "P-256");
}

static bool set_serial(X509 *cert, OSSL_LIB_CTX *lib)
{
    uint8_t raw[SERIAL_LEN];
    if (RAND_bytes_ex(lib, raw, sizeof raw, 0) != 1)
        return false;
    raw[0] = (uint8_t)((raw[0] & 0x7F) | 0x40); /* positive, and of full length */
    BIGNUM *number = BN_bin2bn(raw, sizeof raw, NULL);
    bool good = number != NULL && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(cert)) != NULL;
    BN_free(number);
    return good;
}

static bool set_validity(X509 *cert, int64_t not_before_s, unsigned days)
{
    time_t from = not_before_s != 0 ? (time_t)not_before_s : time(NULL) - SKEW_S;
    return ASN1_TIME_set(X509_getm_notBefore(cert), from) != NULL &&
           ASN1_TIME_adj(X509_getm_notAfter(cert), from, (int)days, 0) != NULL;
}

static bool name_add(X509_NAME *name, const char *field, const char *text)
{
    return X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8, (const unsigned char *)text, -1,
                                      -1, 0) == 1;
}

static bool add_constraints(X509 *cert, bool is_ca)
{
    BASIC_CONSTRAINTS *constraints = BASIC_CONSTRAINTS_new();
    if (constraints == NULL)
        return false;
    constraints->ca = is_ca ? 0xFF : 0;
    bool good = !is_ca || (constraints->pathlen = ASN1_INTEGER_new()) != NULL;
    good = good && (!is_ca || ASN1_INTEGER_set(constraints->pathlen, 0) == 1) &&
           X509_add1_ext_i2d(cert, NID_basic_constraints, constraints, 1, 0) == 1;
    BASIC_CONSTRAINTS_free(constraints);
    return good;
}

/* RFC 5280 4.2.1.3: bit 0 digitalSignature, 5 keyCertSign, 6 cRLSign. */
static bool add_usage(X509 *cert, bool is_ca)
{
    ASN1_BIT_STRING *bits = ASN1_BIT_STRING_new();
    if (bits == NULL)
        return false;
    bool good =
        is_ca ? ASN1_BIT_STRING_set_bit(bits, 5, 1) == 1 && ASN1_BIT_STRING_set_bit(bits, 6, 1) == 1
              : ASN1_BIT_STRING_set_bit(bits, 0, 1) == 1;
    good = good && X509_add1_ext_i2d(cert, NID_key_usage, bits, 1, 0) == 1;
    ASN1_BIT_STRING_free(bits);
    return good;
}

static bool add_extended_usage(X509 *cert, bool is_server)
{
    EXTENDED_KEY_USAGE *usage = EXTENDED_KEY_USAGE_new();
    bool good = usage != NULL && sk_ASN1_OBJECT_push(usage, OBJ_nid2obj(NID_client_auth)) > 0 &&
                (!is_server || sk_ASN1_OBJECT_push(usage, OBJ_nid2obj(NID_server_auth)) > 0) &&
                X509_add1_ext_i2d(cert, NID_ext_key_usage, usage, 0, 0) == 1;
    EXTENDED_KEY_USAGE_free(usage);
    return good;
}

/* RFC 7093 method 1: the leftmost 160 bits of the SHA-256 of the public key. */
static bool key_id(X509 *cert, OSSL_LIB_CTX *lib, uint8_t out[KEY_ID_LEN])
{
    const ASN1_BIT_STRING *bits = X509_get0_pubkey_bitstr(cert);
    uint8_t digest[32];
    size_t len = 0;
    if (EVP_Q_digest(lib, "SHA256", NULL, ASN1_STRING_get0_data(bits),
                     (size_t)ASN1_STRING_length(bits), digest, &len) != 1)
        return false;
    memcpy(out, digest, KEY_ID_LEN);
    return true;
}

static bool add_key_ids(X509 *cert, X509 *issuer, OSSL_LIB_CTX *lib)
{
    uint8_t own[KEY_ID_LEN];
    uint8_t signer[KEY_ID_LEN];
    ASN1_OCTET_STRING *subject = ASN1_OCTET_STRING_new();
    AUTHORITY_KEYID *authority = AUTHORITY_KEYID_new();
    bool good = subject != NULL && authority != NULL && key_id(cert, lib, own) &&
                key_id(issuer, lib, signer) &&
                (authority->keyid = ASN1_OCTET_STRING_new()) != NULL &&
                ASN1_OCTET_STRING_set(subject, own, KEY_ID_LEN) == 1 &&
                ASN1_OCTET_STRING_set(authority->keyid, signer, KEY_ID_LEN) == 1 &&
                X509_add1_ext_i2d(cert, NID_subject_key_identifier, subject, 0, 0) == 1 &&
                X509_add1_ext_i2d(cert, NID_authority_key_identifier, authority, 0, 0) == 1;
    ASN1_OCTET_STRING_free(subject);
    AUTHORITY_KEYID_free(authority);
    return good;
}

/* `type`: GEN_URI, GEN_DNS, GEN_IPADD. */
static bool name_push(GENERAL_NAMES *names, int type, struct bytes value)
{
    GENERAL_NAME *name = GENERAL_NAME_new();
    ASN1_STRING *text = type == GEN_IPADD ? ASN1_OCTET_STRING_new() : ASN1_IA5STRING_new();
    if (name == NULL || text == NULL || ASN1_STRING_set(text, value.ptr, (int)value.len) != 1) {
        GENERAL_NAME_free(name);
        ASN1_STRING_free(text);
        return false;
    }
    GENERAL_NAME_set0_value(name, type, text);
    if (sk_GENERAL_NAME_push(names, name) > 0)
        return true;
    GENERAL_NAME_free(name);
    return false;
}

static bool is_host_name(const char *host)
{
    size_t len = strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-");
    return len > 0 && len <= 253 && host[len] == 0;
}

static enum rc host_push(GENERAL_NAMES *names, const char *host)
{
    uint8_t ip[16];
    bool good;
    if (inet_pton(AF_INET, host, ip) == 1)
        good = name_push(names, GEN_IPADD, bytes_of(ip, 4));
    else if (inet_pton(AF_INET6, host, ip) == 1)
        good = name_push(names, GEN_IPADD, bytes_of(ip, 16));
    else if (is_host_name(host))
        good = name_push(names, GEN_DNS, bytes_of_str(host));
    else
        return rc_fail(RC_BAD_ARGUMENT, "`%s` is neither a host name nor an IP address", host);
    return good ? RC_OK : RC_NO_MEMORY;
}

static enum rc add_names(X509 *cert, const struct pki_subject *subject)
{
    AUTO_BUF uri = BUF_INIT;
    TRY(buf_printf(&uri, "qhsm:%s/%s/%s", subject->cluster, tls_role_name(subject->role),
                   subject->name));
    struct tls_identity ignored;
    if (tls_identity_parse(buf_bytes(&uri), &ignored) != RC_OK)
        return rc_fail(RC_BAD_ARGUMENT,
                       "no certificate can be made for %s: a UUID in lower case, a role, and a "
                       "name of up to 64 letters, digits, dots and dashes are asked",
                       buf_str(&uri));
    AUTO_NAMES *names = GENERAL_NAMES_new();
    if (names == NULL || !name_push(names, GEN_URI, buf_bytes(&uri)))
        return RC_NO_MEMORY;
    for (size_t i = 0; i < subject->host_count; i++)
        TRY(host_push(names, subject->hosts[i]));
    if (X509_add1_ext_i2d(cert, NID_subject_alt_name, names, 0, 0) != 1)
        return pki_failed("the SAN cannot be written");
    return RC_OK;
}

static enum rc cert_sign(X509 *cert, EVP_PKEY *key, OSSL_LIB_CTX *lib)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool good = ctx != NULL &&
                EVP_DigestSignInit_ex(ctx, NULL, "SHA256", lib, NULL, key, NULL) == 1 &&
                X509_sign_ctx(cert, ctx) > 0;
    EVP_MD_CTX_free(ctx);
    return good ? RC_OK : pki_failed("a certificate cannot be signed");
}

static enum rc cert_begin(OSSL_LIB_CTX *lib, EVP_PKEY *key, int64_t not_before_s, unsigned days,
                          X509 **out)
{
    if (days == 0 || days > 36500)
        return rc_fail(RC_BAD_ARGUMENT, "%u days of validity, 1 to 36500 are possible", days);
    X509 *cert = X509_new_ex(lib, NULL);
    if (cert == NULL || X509_set_version(cert, X509_VERSION_3) != 1 || !set_serial(cert, lib) ||
        !set_validity(cert, not_before_s, days) || X509_set_pubkey(cert, key) != 1) {
        X509_free(cert);
        return pki_failed("no certificate");
    }
    *out = cert;
    return RC_OK;
}

enum rc pki_ca_new(OSSL_LIB_CTX *lib, const char *cluster, unsigned days, struct buf *out_cert_pem,
                   struct secret *out_key_pem)
{
    AUTO_PKEY *key = key_new(lib);
    if (key == NULL)
        return pki_failed("no key for the CA");
    AUTO_CERT *cert = NULL;
    TRY(cert_begin(lib, key, 0, days, &cert));
    X509_NAME *name = X509_get_subject_name(cert);
    if (!name_add(name, "O", "QuorumHSM cluster") || !name_add(name, "CN", cluster) ||
        X509_set_issuer_name(cert, name) != 1 || !add_constraints(cert, true) ||
        !add_usage(cert, true) || !add_key_ids(cert, cert, lib))
        return pki_failed("the CA certificate cannot be made");
    TRY(cert_sign(cert, key, lib));
    TRY(key_to_pem(lib, key, out_key_pem));
    return cert_to_pem(cert, out_cert_pem);
}

static enum rc ca_load(OSSL_LIB_CTX *lib, struct bytes cert_pem, const struct secret *key_pem,
                       X509 **out_cert, EVP_PKEY **out_key)
{
    struct bytes key = secret_expose(key_pem);
    AUTO_BIO *cert_bio = BIO_new_mem_buf(cert_pem.ptr, (int)cert_pem.len);
    AUTO_BIO *key_bio = BIO_new_mem_buf(key.ptr, (int)key.len);
    *out_cert = X509_new_ex(lib, NULL);
    if (cert_bio == NULL || key_bio == NULL || *out_cert == NULL ||
        PEM_read_bio_X509(cert_bio, out_cert, NULL, NULL) == NULL)
        return pki_failed("the CA certificate cannot be read");
    /* "" as passphrase: an encrypted key fails instead of asking on the terminal. */
    char none[] = "";
    *out_key = PEM_read_bio_PrivateKey_ex(key_bio, NULL, NULL, none, lib, NULL);
    if (*out_key == NULL || X509_check_private_key(*out_cert, *out_key) != 1)
        return pki_failed("the CA's private key cannot be used");
    return RC_OK;
}

/* Everything of a certificate but whose key is in it. */
static enum rc certify(OSSL_LIB_CTX *lib, struct bytes ca_cert_pem, const struct secret *ca_key_pem,
                       const struct pki_subject *subject, EVP_PKEY *key, struct buf *out_cert_pem)
{
    AUTO_CERT *ca = NULL;
    AUTO_PKEY *ca_key = NULL;
    TRY(ca_load(lib, ca_cert_pem, ca_key_pem, &ca, &ca_key));
    AUTO_CERT *cert = NULL;
    TRY(cert_begin(lib, key, subject->not_before_s, subject->days, &cert));
    TRY(add_names(cert, subject));
    X509_NAME *name = X509_get_subject_name(cert);
    if (!name_add(name, "O", "QuorumHSM cluster") ||
        !name_add(name, "OU", tls_role_name(subject->role)) ||
        !name_add(name, "CN", subject->name) ||
        X509_set_issuer_name(cert, X509_get_subject_name(ca)) != 1 ||
        !add_constraints(cert, false) || !add_usage(cert, false) ||
        !add_extended_usage(cert, subject->is_server || subject->role == TLS_ROLE_NODE) ||
        !add_key_ids(cert, ca, lib))
        return pki_failed("the certificate cannot be made");
    TRY(cert_sign(cert, ca_key, lib));
    return cert_to_pem(cert, out_cert_pem);
}

enum rc pki_issue(OSSL_LIB_CTX *lib, struct bytes ca_cert_pem, const struct secret *ca_key_pem,
                  const struct pki_subject *subject, struct buf *out_cert_pem,
                  struct secret *out_key_pem)
{
    AUTO_PKEY *key = key_new(lib);
    if (key == NULL)
        return pki_failed("no key for the certificate");
    AUTO_BUF cert = BUF_INIT;
    TRY(certify(lib, ca_cert_pem, ca_key_pem, subject, key, &cert));
    TRY(key_to_pem(lib, key, out_key_pem));
    return buf_append(out_cert_pem, buf_bytes(&cert));
}

enum rc pki_certify(OSSL_LIB_CTX *lib, struct bytes ca_cert_pem, const struct secret *ca_key_pem,
                    const struct pki_subject *subject, struct bytes spki, struct buf *out_cert_pem)
{
    uint8_t point[PKI_POINT_LEN];
    TRY(pki_key_point(lib, spki, point));
    const unsigned char *at = spki.ptr;
    AUTO_PKEY *key = d2i_PUBKEY_ex(NULL, &at, (long)spki.len, lib, NULL);
    if (key == NULL)
        return pki_failed("the public key cannot be read");
    return certify(lib, ca_cert_pem, ca_key_pem, subject, key, out_cert_pem);
}

enum rc pki_ca_check(OSSL_LIB_CTX *lib, struct bytes ca_cert_pem, const struct secret *ca_key_pem)
{
    AUTO_CERT *ca = NULL;
    AUTO_PKEY *ca_key = NULL;
    TRY(ca_load(lib, ca_cert_pem, ca_key_pem, &ca, &ca_key));
    return X509_check_ca(ca) == 1 ? RC_OK
                                  : rc_fail(RC_TLS, "that certificate is not of an authority");
}

/* SPDX-License-Identifier: Apache-2.0 */
/* TLS contexts from PEM in memory, in a library context of our own. */
#include "rpc/tls.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/provider.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#define CHAIN_DEPTH_MAX 4

enum rc tls_program_init(void)
{
    uint64_t options = OPENSSL_INIT_NO_ATEXIT | OPENSSL_INIT_NO_LOAD_CONFIG;
    return OPENSSL_init_ssl(options, NULL) == 1
               ? RC_OK
               : rc_fail(RC_TLS, "libssl cannot be initialised in this process");
}

bool tls_library_gone(void)
{
    return OPENSSL_init_crypto(OPENSSL_INIT_NO_ATEXIT, NULL) == 0;
}

/* Contexts that nobody uses now, to be used again. libcrypto 3.0 does not forget the threads that
 * drew random numbers from a context when it is freed: each of them, as it ends, looks into it. */
#define PARKED_MAX 64U
static _Atomic(OSSL_LIB_CTX *) parked[PARKED_MAX];
static _Atomic pid_t parked_by; /* a child of fork may find their locks held: it leaves those */

static OSSL_LIB_CTX *take_parked(void)
{
    OSSL_LIB_CTX *lib = NULL;
    if (atomic_load(&parked_by) != getpid())
        return NULL;
    for (size_t i = 0; lib == NULL && i < PARKED_MAX; i++)
        if (atomic_load_explicit(&parked[i], memory_order_relaxed) != NULL)
            lib = atomic_exchange(&parked[i], NULL);
    return lib;
}

/* A child of fork begins with none; -pid while one of its threads sees to that. */
static void own_parked(void)
{
    pid_t self = getpid();
    pid_t owner = atomic_load(&parked_by);
    while (owner != self) {
        if (owner == -self) {
            (void)sched_yield();
            owner = atomic_load(&parked_by);
        } else if (atomic_compare_exchange_strong(&parked_by, &owner, -self)) {
            for (size_t i = 0; i < PARKED_MAX; i++)
                atomic_store(&parked[i], NULL);
            atomic_store(&parked_by, self);
            return;
        }
    }
}

static bool park(OSSL_LIB_CTX *lib)
{
    own_parked();
    for (size_t i = 0; i < PARKED_MAX; i++) {
        OSSL_LIB_CTX *empty = NULL;
        if (atomic_compare_exchange_strong(&parked[i], &empty, lib))
            return true;
    }
    return false;
}

/* When the program ends, or the library that this is part of is unloaded. */
static __attribute__((destructor)) void free_parked(void)
{
    if (atomic_load(&parked_by) != getpid() || tls_library_gone())
        return;
    for (size_t i = 0; i < PARKED_MAX; i++)
        OSSL_LIB_CTX_free(atomic_exchange(&parked[i], NULL));
}

enum rc tls_library_new(OSSL_LIB_CTX **out)
{
    char text[160];
    if (OPENSSL_init_crypto(OPENSSL_INIT_NO_ATEXIT, NULL) == 0)
        return rc_fail(RC_TLS, "libcrypto has been shut down in this process");
    *out = take_parked();
    if (*out != NULL)
        return RC_OK;
    OSSL_LIB_CTX *lib = OSSL_LIB_CTX_new();
    if (lib == NULL)
        return rc_fail(RC_NO_MEMORY, "no library context: %s", tls_error_text(text));
    /* The fallback of a fresh context. Loaded by name it would need a handle to unload it by. */
    if (OSSL_PROVIDER_available(lib, "default") != 1) {
        OSSL_LIB_CTX_free(lib);
        return rc_fail(RC_TLS, "no default provider: %s", tls_error_text(text));
    }
    *out = lib;
    return RC_OK;
}

void tls_library_free(OSSL_LIB_CTX *lib)
{
    if (lib != NULL && !tls_library_gone() && !park(lib))
        OSSL_LIB_CTX_free(lib);
}

const char *tls_error_text(char out[160])
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());
    (void)snprintf(out, 160, "%s", reason != NULL ? reason : "no reason given");
    (void)ERR_pop_to_mark(); /* without a mark it empties the queue */
    return out;
}

const char *tls_failure_text(const SSL *ssl, char out[160])
{
    long verdict = SSL_get_verify_result(ssl);
    if (verdict == X509_V_OK)
        return tls_error_text(out);
    (void)ERR_pop_to_mark();
    (void)snprintf(out, 160, "the peer's certificate is refused: %s",
                   X509_verify_cert_error_string(verdict));
    return out;
}

/* An encrypted key is refused, never asked for on the terminal. */
static int no_passphrase(char *out, int size, int writing, void *data)
{
    (void)out;
    (void)size;
    (void)writing;
    (void)data;
    return -1;
}

static BIO *pem_open(struct bytes pem)
{
    return pem.len > INT32_MAX ? NULL : BIO_new_mem_buf(pem.ptr, (int)pem.len);
}

/* NULL at the end or at a malformed one. */
static X509 *pem_next_certificate(OSSL_LIB_CTX *lib, BIO *bio)
{
    X509 *cert = X509_new_ex(lib, NULL);
    if (cert != NULL && PEM_read_bio_X509(bio, &cert, no_passphrase, NULL) == NULL) {
        X509_free(cert);
        cert = NULL;
    }
    return cert;
}

/* The reader ended at the end of the input, not at a malformed block. */
static bool pem_at_end(void)
{
    unsigned long error = ERR_peek_last_error();
    return ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
}

static enum rc bad_pem(const char *which)
{
    char text[160];
    return rc_fail(RC_TLS, "%s: %s", which, tls_error_text(text));
}

static enum rc load_ca(SSL_CTX *ctx, OSSL_LIB_CTX *lib, struct bytes pem)
{
    BIO *bio = pem_open(pem);
    if (bio == NULL)
        return rc_fail(RC_TLS, "no CA certificate is given (ca)");
    X509_STORE *store = SSL_CTX_get_cert_store(ctx);
    unsigned count = 0;
    bool added = true;
    for (X509 *cert; added && (cert = pem_next_certificate(lib, bio)) != NULL; count++) {
        added = X509_STORE_add_cert(store, cert) == 1;
        X509_free(cert);
    }
    BIO_free(bio);
    if (!added || count == 0 || !pem_at_end())
        return bad_pem("the CA certificates (ca) cannot be read");
    (void)ERR_pop_to_mark();
    return RC_OK;
}

static bool use_chain(SSL_CTX *ctx, OSSL_LIB_CTX *lib, BIO *bio)
{
    X509 *own = pem_next_certificate(lib, bio);
    bool good = own != NULL && SSL_CTX_use_certificate(ctx, own) == 1;
    X509_free(own);
    for (X509 *cert; good && (cert = pem_next_certificate(lib, bio)) != NULL;) {
        good = SSL_CTX_add0_chain_cert(ctx, cert) == 1;
        if (!good)
            X509_free(cert);
    }
    return good && pem_at_end();
}

static enum rc load_certificate(SSL_CTX *ctx, OSSL_LIB_CTX *lib, struct bytes pem)
{
    BIO *bio = pem_open(pem);
    if (bio == NULL)
        return rc_fail(RC_TLS, "no certificate is given (cert)");
    bool good = use_chain(ctx, lib, bio);
    BIO_free(bio);
    if (!good)
        return bad_pem("the certificate (cert) cannot be used");
    (void)ERR_pop_to_mark();
    return RC_OK;
}

static enum rc load_key(SSL_CTX *ctx, OSSL_LIB_CTX *lib, const struct secret *pem)
{
    BIO *bio = pem == NULL ? NULL : pem_open(secret_expose(pem));
    if (bio == NULL)
        return rc_fail(RC_TLS, "no private key is given (key)");
    EVP_PKEY *key = PEM_read_bio_PrivateKey_ex(bio, NULL, no_passphrase, NULL, lib, NULL);
    BIO_free(bio);
    if (key == NULL)
        return bad_pem("the private key (key) cannot be read; it must not be encrypted");
    bool good = SSL_CTX_use_PrivateKey(ctx, key) == 1 && SSL_CTX_check_private_key(ctx) == 1;
    EVP_PKEY_free(key);
    return good ? RC_OK : bad_pem("the private key (key) does not fit the certificate (cert)");
}

/* Everything is set by name, since libssl applies the system_default section of the host's
 * openssl.cnf to each new context, ours too. */
static bool harden(SSL_CTX *ctx)
{
    /* Not const: libssl's macros cast. */
    static char groups[] = "X25519:P-256:P-384";
    static char signatures[] = "ECDSA+SHA256:ECDSA+SHA384:ed25519:rsa_pss_rsae_sha256:"
                               "rsa_pss_rsae_sha384:rsa_pss_pss_sha256";
    SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET | SSL_OP_NO_COMPRESSION | SSL_OP_CLEANSE_PLAINTEXT);
    SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_read_ahead(ctx, 1);
    SSL_CTX_set_security_level(ctx, 2);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    SSL_CTX_set_verify_depth(ctx, CHAIN_DEPTH_MAX);
    return SSL_CTX_set_max_proto_version(ctx, TLS1_3_VERSION) == 1 &&
           SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) == 1 &&
           SSL_CTX_set_num_tickets(ctx, 0) == 1 && SSL_CTX_set_max_early_data(ctx, 0) == 1 &&
           SSL_CTX_set_ciphersuites(ctx, "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:"
                                         "TLS_CHACHA20_POLY1305_SHA256") == 1 &&
           SSL_CTX_set1_groups_list(ctx, groups) == 1 &&
           SSL_CTX_set1_sigalgs_list(ctx, signatures) == 1;
}

static enum rc context_new(OSSL_LIB_CTX *lib, const SSL_METHOD *method,
                           const struct tls_credentials *credentials, SSL_CTX **out)
{
    char text[160];
    SSL_CTX *ctx = SSL_CTX_new_ex(lib, NULL, method);
    if (ctx == NULL || !harden(ctx)) {
        SSL_CTX_free(ctx);
        return rc_fail(RC_TLS, "no TLS 1.3 context: %s", tls_error_text(text));
    }
    enum rc rc = load_ca(ctx, lib, credentials->ca_pem);
    if (rc == RC_OK)
        rc = load_certificate(ctx, lib, credentials->cert_pem);
    if (rc == RC_OK)
        rc = load_key(ctx, lib, credentials->key_pem);
    if (rc != RC_OK) {
        SSL_CTX_free(ctx);
        return rc;
    }
    *out = ctx;
    return RC_OK;
}

enum rc tls_server_new(OSSL_LIB_CTX *lib, const struct tls_credentials *credentials, SSL_CTX **out)
{
    return context_new(lib, TLS_server_method(), credentials, out);
}

enum rc tls_client_new(OSSL_LIB_CTX *lib, const struct tls_credentials *credentials, SSL_CTX **out)
{
    return context_new(lib, TLS_client_method(), credentials, out);
}

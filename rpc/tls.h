/* SPDX-License-Identifier: Apache-2.0 */
/* TLS 1.3 with mutual certificates of the cluster's own CA, in a private OSSL_LIB_CTX; the role is
 * in the SAN URI. */
#ifndef QHSM_RPC_TLS_H
#define QHSM_RPC_TLS_H

#include <openssl/ssl.h>

#include "common/bytes.h"
#include "common/rc.h"
#include "common/secret.h"

/* SAN URI: qhsm:CLUSTER-UUID/ROLE/NAME, e.g. qhsm:5f0c.../node/1, .../client/web, .../admin/alice.
 */
enum tls_role {
    TLS_ROLE_NONE,
    TLS_ROLE_NODE,
    TLS_ROLE_CLIENT,
    TLS_ROLE_ADMIN,
    TLS_ROLE_KEYSTORE,
    TLS_ROLE_JOINER, /* the name is a join ticket's: may ask to be let in, nothing else */
};

struct tls_identity {
    enum tls_role role;
    char cluster[37];
    char name[65];
    int64_t expires_s;
};

/* "node", "client", "admin", "keystore", "joiner"; "none" for TLS_ROLE_NONE. */
const char *tls_role_name(enum tls_role role);
/* Parses a SAN URI; expires_s is 0. RC_TLS when it is not one of ours to the letter. */
enum rc tls_identity_parse(struct bytes uri, struct tls_identity *out);

/* First call in main() of our own programs (qhsmd, qhsm, ...), never in a library: keeps libcrypto
 * from reading any configuration in this process. In a foreign host that would switch off the
 * host's own openssl.cnf, and deadlock when the host is just reading it. */
enum rc tls_program_init(void);

/* A library context that loads the default provider alone, reads no configuration and registers no
 * atexit work (unless the host has had libcrypto register its own before). Shared,
 * reference-counted by the caller.
 *
 * libssl itself makes libcrypto read the host's openssl.cnf into the *default* context on the first
 * SSL_CTX of a process, if the host has not done that yet. Nothing of it is used here, but it may
 * load pkcs11-provider and thereby call this library again: hold no lock across tls_*_new(). */
enum rc tls_library_new(OSSL_LIB_CTX **out);
/* Threads that used it may go on, and end later. */
void tls_library_free(OSSL_LIB_CTX *lib);
/* OPENSSL_cleanup() has run in this process: nothing of libcrypto may be called, not even to free.
 */
bool tls_library_gone(void);

struct tls_credentials {
    struct bytes ca_pem;
    struct bytes cert_pem; /* own certificate first, then intermediate ones */
    const struct secret *key_pem;
};
/* TLS 1.3 only, VERIFY_PEER (and FAIL_IF_NO_PEER_CERT), tickets and session cache off, read-ahead
 * on (ask SSL_has_pending() before waiting for the socket). RC_TLS with the reason. */
enum rc tls_server_new(OSSL_LIB_CTX *lib, const struct tls_credentials *credentials, SSL_CTX **out);
enum rc tls_client_new(OSSL_LIB_CTX *lib, const struct tls_credentials *credentials, SSL_CTX **out);
/* After the handshake. RC_TLS when the certificate has no or a malformed SAN URI of ours, or more
 * than one. */
enum rc tls_peer_identity(const SSL *ssl, struct tls_identity *out);
/* The same of one's own certificate in a context made above. */
enum rc tls_own_identity(const SSL_CTX *ctx, struct tls_identity *out);
/* Text of the last libssl error of this thread for rc_fail(); clears the queue, back to the
 * caller's ERR_set_mark() where one is set. */
const char *tls_error_text(char out[160]);
/* The same for a failed handshake or read, with what was wrong with the peer's certificate. */
const char *tls_failure_text(const SSL *ssl, char out[160]);

#endif

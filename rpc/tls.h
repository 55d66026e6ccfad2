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
enum tls_role { TLS_ROLE_NONE, TLS_ROLE_NODE, TLS_ROLE_CLIENT, TLS_ROLE_ADMIN, TLS_ROLE_KEYSTORE };

struct tls_identity {
    enum tls_role role;
    char cluster[37];
    char name[65];
    int64_t expires_s;
};

/* A library context that loads the default provider alone, reads no configuration and registers no
 * atexit work. Shared, reference-counted by the caller. */
enum rc tls_library_new(OSSL_LIB_CTX **out);
void tls_library_free(OSSL_LIB_CTX *lib);

struct tls_credentials {
    struct bytes ca_pem;
    struct bytes cert_pem;
    const struct secret *key_pem;
};
/* TLS 1.3 only, VERIFY_PEER (and FAIL_IF_NO_PEER_CERT), tickets and session cache off. RC_TLS with
 * the reason. */
enum rc tls_server_new(OSSL_LIB_CTX *lib, const struct tls_credentials *credentials, SSL_CTX **out);
enum rc tls_client_new(OSSL_LIB_CTX *lib, const struct tls_credentials *credentials, SSL_CTX **out);
/* After the handshake. RC_TLS when the certificate has no or a malformed SAN URI of ours. */
enum rc tls_peer_identity(const SSL *ssl, struct tls_identity *out);
/* Text of the last libssl error of this thread for rc_fail(); clears the queue. */
const char *tls_error_text(char out[160]);

#endif

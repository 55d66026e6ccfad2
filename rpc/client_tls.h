/* SPDX-License-Identifier: Apache-2.0 */
/* TLS of the client: one context for all its connections, and libssl over our own sends and
 * receives (no SIGPIPE, deadlines). */
#ifndef QHSM_RPC_CLIENT_TLS_H
#define QHSM_RPC_CLIENT_TLS_H

#include "rpc/client.h"
#include "rpc/tls.h"

struct client_tls {
    OSSL_LIB_CTX *lib;
    SSL_CTX *ctx;
    BIO_METHOD *method; /* reads and writes a struct client_conn */
    struct tls_identity own;
    const char *peer; /* of the configuration */
};

enum rc client_tls_new(const struct client_config *config, struct client_tls **out);
void client_tls_free(struct client_tls *tls);

#endif

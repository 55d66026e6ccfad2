/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of the joiner's side. */
#ifndef QHSM_CLUSTER_JOIN_INTERNAL_H
#define QHSM_CLUSTER_JOIN_INTERNAL_H

#include "cluster/join.h"
#include "rpc/client.h"
#include "rpc/pki.h"
#include "token/envelope.h"

#define JOIN_NUMBER_MAX 16383U /* of server_config.c's table */

struct joiner {
    int lock_fd;
    OSSL_LIB_CTX *lib;
    Qhsm__JoinTicket *ticket;
    struct secret key_pem, scalar, unlock;
    struct buf spki;
    struct client_config *client_config;
    struct rpc_client *client;
    enum rc told_rc;
    uint64_t told_ms; /* steady; 0: nothing told yet */
};

/* join_client.c: a client with the ticket's certificate and endpoints. RC_TLS when the key is not
 * the certificate's. */
enum rc join_dial(struct joiner *joiner);
/* Clear the reply, whatever comes back. */
enum rc join_ask(const struct server_config *config, struct joiner *joiner, struct rpc_reply *out);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates and free ports for the suites that have peers. */
#ifndef QHSM_TESTS_PEER_FIXTURE_H
#define QHSM_TESTS_PEER_FIXTURE_H

#include "rpc/pki.h"

#define FIXTURE_CLUSTER "01020300-0000-0000-0000-000000000000" /* {1, 2, 3} */
#define OTHER_CLUSTER   "99000000-0000-0000-0000-000000000000"

/* Two authorities: that of the cluster, and a foreign one that issues for the same cluster. */
struct peer_fixture {
    OSSL_LIB_CTX *lib;
    struct {
        struct buf cert;
        struct secret key;
    } authorities[2];
};
enum { OURS, FOREIGN };

struct peer_identity {
    SSL_CTX *server, *client;
};

void peer_fixture_init(struct peer_fixture *fixture);
void peer_fixture_clear(struct peer_fixture *fixture);
/* Contexts with a new certificate; the authority of the certificate is the one that is trusted. */
struct peer_identity peer_fixture_issue(const struct peer_fixture *fixture, unsigned authority,
                                        enum tls_role role, const char *cluster, const char *name);
struct peer_identity peer_fixture_node(const struct peer_fixture *fixture, uint64_t node);
void peer_identity_clear(struct peer_identity *identity);
/* A port of loopback that nobody uses, out of the range that the kernel gives to those who dial. */
unsigned peer_free_port(void);
/* A connection to that port of loopback that has said nothing yet. */
int peer_fixture_connect(unsigned port);
/* Of this process; what it takes to count them included. */
unsigned peer_fixture_open_files(void);

#endif

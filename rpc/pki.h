/* SPDX-License-Identifier: Apache-2.0 */
/* The cluster's own certificate authority: makes the CA and issues certificates that carry a role.
 */
#ifndef QHSM_RPC_PKI_H
#define QHSM_RPC_PKI_H

#include "rpc/tls.h"

/* Both as PEM, EC P-256, self-signed, path length 0. `cluster`: UUID, for the subject's name. */
enum rc pki_ca_new(OSSL_LIB_CTX *lib, const char *cluster, unsigned days, struct buf *out_cert_pem,
                   struct secret *out_key_pem);

/* Whom a certificate is for. */
struct pki_subject {
    enum tls_role role;
    const char *cluster;      /* UUID */
    const char *name;         /* number of a node, name of anybody else */
    const char *const *hosts; /* DNS names and IP addresses, for the SAN; may be none */
    size_t host_count;
    int64_t not_before_s; /* Unix time; 0: five minutes ago, for clocks that differ a little */
    unsigned days;
};
/* Fresh key and a certificate signed by the CA. RC_BAD_ARGUMENT when the subject would not make a
 * valid SAN URI or a host is malformed; RC_TLS for a CA that cannot be used. */
enum rc pki_issue(OSSL_LIB_CTX *lib, struct bytes ca_cert_pem, const struct secret *ca_key_pem,
                  const struct pki_subject *subject, struct buf *out_cert_pem,
                  struct secret *out_key_pem);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* The cluster's own certificate authority: makes the CA and issues certificates that carry a role.
 */
#ifndef QHSM_RPC_PKI_H
#define QHSM_RPC_PKI_H

#include "rpc/tls.h"

/* Both as PEM, EC P-256, self-signed, path length 0. `cluster`: UUID, for the subject's name. */
enum rc pki_ca_new(OSSL_LIB_CTX *lib, const char *cluster, unsigned days, struct buf *out_cert_pem,
                   struct secret *out_key_pem);

/* RC_TLS when the key is not the certificate's, or it is not an authority's. */
enum rc pki_ca_check(OSSL_LIB_CTX *lib, struct bytes ca_cert_pem, const struct secret *ca_key_pem);

/* Whom a certificate is for. */
struct pki_subject {
    enum tls_role role;
    const char *cluster;      /* UUID */
    const char *name;         /* number of a node, name of anybody else */
    const char *const *hosts; /* DNS names and IP addresses, for the SAN; may be none */
    size_t host_count;
    int64_t not_before_s; /* Unix time; 0: five minutes ago, for clocks that differ a little */
    unsigned days;
    bool is_server; /* others connect to it, too; nodes are servers anyway */
};
/* Fresh key and a certificate signed by the CA. RC_BAD_ARGUMENT when the subject would not make a
 * valid SAN URI or a host is malformed; RC_TLS for a CA that cannot be used. */
enum rc pki_issue(OSSL_LIB_CTX *lib, struct bytes ca_cert_pem, const struct secret *ca_key_pem,
                  const struct pki_subject *subject, struct buf *out_cert_pem,
                  struct secret *out_key_pem);
/* The same for somebody else's key, of which only the public half is known: a DER
 * SubjectPublicKeyInfo, EC P-256. */
enum rc pki_certify(OSSL_LIB_CTX *lib, struct bytes ca_cert_pem, const struct secret *ca_key_pem,
                    const struct pki_subject *subject, struct bytes spki, struct buf *out_cert_pem);

/* ---- keys (pki_key.c): EC P-256 alone */

#define PKI_POINT_LEN  65U /* uncompressed */
#define PKI_SCALAR_LEN 32U

/* A private key as PEM. */
enum rc pki_key_new(OSSL_LIB_CTX *lib, struct secret *out_key_pem);
/* Its public half as DER SubjectPublicKeyInfo. RC_TLS for a key that cannot be read,
 * RC_BAD_ARGUMENT for one of another kind. */
enum rc pki_key_public(OSSL_LIB_CTX *lib, const struct secret *key_pem, struct buf *out_spki);
enum rc pki_key_scalar(OSSL_LIB_CTX *lib, const struct secret *key_pem, struct secret *out);
/* The public key in a certificate (the first one of the PEM). */
enum rc pki_key_of_cert(OSSL_LIB_CTX *lib, struct bytes cert_pem, struct buf *out_spki);
/* RC_BAD_ARGUMENT when it is not one of EC P-256, to the byte. */
enum rc pki_key_point(OSSL_LIB_CTX *lib, struct bytes spki, uint8_t out[PKI_POINT_LEN]);
/* The SubjectPublicKeyInfo of a point that pki_key_point() gave. Appends. */
enum rc pki_key_of_point(const uint8_t point[PKI_POINT_LEN], struct buf *out_spki);
/* SHA-256 of the SubjectPublicKeyInfo. */
enum rc pki_key_hash(OSSL_LIB_CTX *lib, struct bytes spki, uint8_t out[32]);
/* A public key as people copy it: "qhsm-key-1." and base64url. Appends. */
enum rc pki_key_code(struct bytes spki, struct buf *out);
/* RC_BAD_ARGUMENT. */
enum rc pki_key_from_code(OSSL_LIB_CTX *lib, const char *code, struct buf *out_spki);

#endif

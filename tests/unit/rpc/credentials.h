/* SPDX-License-Identifier: Apache-2.0 */
/* A certificate authority and certificates for tests. */
#ifndef QHSM_TESTS_RPC_CREDENTIALS_H
#define QHSM_TESTS_RPC_CREDENTIALS_H

#include "rpc/pki.h"

#define TEST_CLUSTER "5f0c2b9e-0a41-4a6e-9d0f-2f6f1f3f7a11"

/* What one side of a connection holds. */
struct credentials {
    struct buf ca;
    struct buf cert;
    struct secret key;
};
void credentials_clear(struct credentials *credentials);
struct tls_credentials credentials_view(const struct credentials *credentials);

struct test_ca {
    OSSL_LIB_CTX *lib;
    struct buf cert;
    struct secret key;
};
void test_ca_init(struct test_ca *ca);
void test_ca_clear(struct test_ca *ca);
/* Valid now. */
void test_ca_issue(struct test_ca *ca, enum tls_role role, struct credentials *out);
/* A day long, `days_ago`; and of any cluster. */
void test_ca_issue_at(struct test_ca *ca, enum tls_role role, const char *cluster, int days_ago,
                      struct credentials *out);

#endif

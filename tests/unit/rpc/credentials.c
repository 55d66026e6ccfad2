/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/rpc/credentials.h"

#include <time.h>

#include "tests/unit/unit.h"

void credentials_clear(struct credentials *credentials)
{
    buf_clear(&credentials->ca);
    buf_clear(&credentials->cert);
    secret_clear(&credentials->key);
}

struct tls_credentials credentials_view(const struct credentials *credentials)
{
    return (struct tls_credentials){.ca_pem = buf_bytes(&credentials->ca),
                                    .cert_pem = buf_bytes(&credentials->cert),
                                    .key_pem = &credentials->key};
}

void test_ca_init(struct test_ca *ca)
{
    *ca = (struct test_ca){.cert = BUF_INIT};
    UNIT_OK(tls_library_new(&ca->lib));
    UNIT_OK(pki_ca_new(ca->lib, TEST_CLUSTER, 3650, &ca->cert, &ca->key));
}

void test_ca_clear(struct test_ca *ca)
{
    buf_clear(&ca->cert);
    secret_clear(&ca->key);
    tls_library_free(ca->lib);
}

void test_ca_issue_at(struct test_ca *ca, enum tls_role role, const char *cluster, int days_ago,
                      struct credentials *out)
{
    *out = (struct credentials){.ca = BUF_INIT, .cert = BUF_INIT};
    struct pki_subject subject = {.role = role, .cluster = cluster, .name = "1", .days = 1};
    if (days_ago != 0)
        subject.not_before_s = (int64_t)time(NULL) - (int64_t)days_ago * 86400;
    UNIT_OK(buf_append(&out->ca, buf_bytes(&ca->cert)));
    UNIT_OK(pki_issue(ca->lib, buf_bytes(&ca->cert), &ca->key, &subject, &out->cert, &out->key));
}

void test_ca_issue(struct test_ca *ca, enum tls_role role, struct credentials *out)
{
    test_ca_issue_at(ca, role, TEST_CLUSTER, 0, out);
}

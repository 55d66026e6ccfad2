/* SPDX-License-Identifier: Apache-2.0 */
/* The certificate authority and the reading of roles. */
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <pthread.h>

#include "rpc/pki.h"
#include "rpc/text_code.h"
#include "tests/unit/unit.h"

#define CLUSTER "5f0c2b9e-0a41-4a6e-9d0f-2f6f1f3f7a11"

struct issued {
    OSSL_LIB_CTX *lib;
    struct buf ca;
    struct secret ca_key;
    struct buf cert;
    struct secret key;
};

static void issued_init(struct issued *i)
{
    *i = (struct issued){.ca = BUF_INIT, .cert = BUF_INIT};
    UNIT_OK(tls_library_new(&i->lib));
    UNIT_OK(pki_ca_new(i->lib, CLUSTER, 3650, &i->ca, &i->ca_key));
}

static void issued_clear(struct issued *i)
{
    buf_clear(&i->ca);
    buf_clear(&i->cert);
    secret_clear(&i->ca_key);
    secret_clear(&i->key);
    tls_library_free(i->lib);
}

static enum rc issue(struct issued *i, const struct pki_subject *subject)
{
    buf_clear(&i->cert);
    secret_clear(&i->key);
    return pki_issue(i->lib, buf_bytes(&i->ca), &i->ca_key, subject, &i->cert, &i->key);
}

static X509 *read_cert(OSSL_LIB_CTX *lib, struct bytes pem)
{
    BIO *bio = BIO_new_mem_buf(pem.ptr, (int)pem.len);
    X509 *cert = X509_new_ex(lib, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(PEM_read_bio_X509(bio, &cert, NULL, NULL));
    BIO_free(bio);
    return cert;
}

static int verify(struct issued *i, X509 *cert, int purpose)
{
    X509 *ca = read_cert(i->lib, buf_bytes(&i->ca));
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *ctx = X509_STORE_CTX_new_ex(i->lib, NULL);
    (void)X509_STORE_add_cert(store, ca);
    (void)X509_STORE_CTX_init(ctx, store, cert, NULL);
    (void)X509_STORE_CTX_set_purpose(ctx, purpose);
    X509_VERIFY_PARAM_set_flags(X509_STORE_CTX_get0_param(ctx), X509_V_FLAG_X509_STRICT);
    (void)X509_verify_cert(ctx);
    int error = X509_STORE_CTX_get_error(ctx);
    X509_STORE_CTX_free(ctx);
    X509_STORE_free(store);
    X509_free(ca);
    return error;
}

static void issued_node_certificate_verifies_strictly_for_both_sides(void)
{
    struct issued i;
    issued_init(&i);
    const char *hosts[] = {"localhost", "127.0.0.1", "::1"};
    struct pki_subject node = {.role = TLS_ROLE_NODE, .cluster = CLUSTER, .name = "1", .days = 30};
    node.hosts = hosts;
    node.host_count = 3;
    UNIT_OK(issue(&i, &node));
    X509 *cert = read_cert(i.lib, buf_bytes(&i.cert));
    CU_ASSERT_EQUAL(verify(&i, cert, X509_PURPOSE_SSL_SERVER), X509_V_OK);
    CU_ASSERT_EQUAL(verify(&i, cert, X509_PURPOSE_SSL_CLIENT), X509_V_OK);
    CU_ASSERT_EQUAL(X509_check_host(cert, "localhost", 0, 0, NULL), 1);
    CU_ASSERT_EQUAL(X509_check_ip_asc(cert, "127.0.0.1", 0), 1);
    CU_ASSERT_EQUAL(X509_check_ip_asc(cert, "::1", 0), 1);
    X509_free(cert);
    issued_clear(&i);
}

static void issued_client_certificate_is_no_server_and_no_ca(void)
{
    struct issued i;
    issued_init(&i);
    struct pki_subject client = {
        .role = TLS_ROLE_CLIENT, .cluster = CLUSTER, .name = "web", .days = 30};
    UNIT_OK(issue(&i, &client));
    X509 *cert = read_cert(i.lib, buf_bytes(&i.cert));
    CU_ASSERT_EQUAL(verify(&i, cert, X509_PURPOSE_SSL_CLIENT), X509_V_OK);
    CU_ASSERT_EQUAL(verify(&i, cert, X509_PURPOSE_SSL_SERVER), X509_V_ERR_INVALID_PURPOSE);
    CU_ASSERT_EQUAL(X509_check_ca(cert), 0);
    X509_free(cert);
    issued_clear(&i);
}

static void issued_certificate_loads_into_both_contexts_and_tells_its_role(void)
{
    struct issued i;
    issued_init(&i);
    struct pki_subject admin = {
        .role = TLS_ROLE_ADMIN, .cluster = CLUSTER, .name = "alice", .days = 30};
    UNIT_OK(issue(&i, &admin));
    struct tls_credentials credentials = {
        .ca_pem = buf_bytes(&i.ca), .cert_pem = buf_bytes(&i.cert), .key_pem = &i.key};
    SSL_CTX *server = NULL;
    SSL_CTX *client = NULL;
    UNIT_OK(tls_server_new(i.lib, &credentials, &server));
    UNIT_OK(tls_client_new(i.lib, &credentials, &client));
    struct tls_identity identity;
    UNIT_OK(tls_own_identity(server, &identity));
    CU_ASSERT_EQUAL(identity.role, TLS_ROLE_ADMIN);
    CU_ASSERT_STRING_EQUAL(identity.cluster, CLUSTER);
    CU_ASSERT_STRING_EQUAL(identity.name, "alice");
    CU_ASSERT(identity.expires_s > time(NULL) + 29 * 86400);
    SSL_CTX_free(server);
    SSL_CTX_free(client);
    issued_clear(&i);
}

static void context_is_refused_when_the_key_is_another_certificates(void)
{
    struct issued i;
    issued_init(&i);
    struct pki_subject client = {
        .role = TLS_ROLE_CLIENT, .cluster = CLUSTER, .name = "web", .days = 30};
    UNIT_OK(issue(&i, &client));
    struct tls_credentials credentials = {
        .ca_pem = buf_bytes(&i.ca), .cert_pem = buf_bytes(&i.cert), .key_pem = &i.ca_key};
    SSL_CTX *ctx = NULL;
    UNIT_RC(tls_client_new(i.lib, &credentials, &ctx), RC_TLS);
    CU_ASSERT_PTR_NOT_NULL(strstr(rc_detail(), "does not fit"));
    credentials.key_pem = NULL;
    UNIT_RC(tls_client_new(i.lib, &credentials, &ctx), RC_TLS);
    credentials.key_pem = &i.key;
    credentials.cert_pem = bytes_of_str("-----BEGIN CERTIFICATE-----\nAAAA\n");
    UNIT_RC(tls_client_new(i.lib, &credentials, &ctx), RC_TLS);
    credentials.cert_pem = buf_bytes(&i.cert);
    credentials.ca_pem = BYTES_NONE;
    UNIT_RC(tls_client_new(i.lib, &credentials, &ctx), RC_TLS);
    issued_clear(&i);
}

static void issue_refuses_names_that_make_no_uri(void)
{
    struct issued i;
    issued_init(&i);
    struct pki_subject s = {.role = TLS_ROLE_CLIENT, .cluster = CLUSTER, .name = "a/b", .days = 1};
    UNIT_RC(issue(&i, &s), RC_BAD_ARGUMENT);
    s.name = "";
    UNIT_RC(issue(&i, &s), RC_BAD_ARGUMENT);
    s.name = "web";
    s.cluster = "not-a-uuid";
    UNIT_RC(issue(&i, &s), RC_BAD_ARGUMENT);
    s.cluster = CLUSTER;
    s.days = 0;
    UNIT_RC(issue(&i, &s), RC_BAD_ARGUMENT);
    s.days = 1;
    const char *hosts[] = {"bad host"};
    s.hosts = hosts;
    s.host_count = 1;
    UNIT_RC(issue(&i, &s), RC_BAD_ARGUMENT);
    issued_clear(&i);
}

static void identity_is_read_to_the_letter_only(void)
{
    static const char *const bad[] = {
        "",
        "https://example.net/",
        "qhsm:",
        "qhsm:" CLUSTER,
        "qhsm:" CLUSTER "/",
        "qhsm:" CLUSTER "/admin",
        "qhsm:" CLUSTER "/admin/",
        "qhsm:" CLUSTER "/root/alice",
        "qhsm:" CLUSTER "/Admin/alice",
        "qhsm:" CLUSTER "/none/alice",
        "qhsm:" CLUSTER "/admin/a b",
        "qhsm:" CLUSTER "/admin/a/b",
        "qhsm:5F0C2B9E-0A41-4A6E-9D0F-2F6F1F3F7A11/admin/alice",
        "qhsm:5f0c2b9e00a41-4a6e-9d0f-2f6f1f3f7a11/admin/alice",
        "QHSM:" CLUSTER "/admin/alice",
        "qhsm:" CLUSTER "/admin/"
        "0123456789012345678901234567890123456789012345678901234567890123456789",
    };
    struct tls_identity identity;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        UNIT_RC(tls_identity_parse(bytes_of_str(bad[i]), &identity), RC_TLS);
    UNIT_RC(tls_identity_parse(bytes_of("qhsm:" CLUSTER "/admin/al\0ice", 54), &identity), RC_TLS);
    UNIT_OK(tls_identity_parse(bytes_of_str("qhsm:" CLUSTER "/keystore/kms-1"), &identity));
    CU_ASSERT_EQUAL(identity.role, TLS_ROLE_KEYSTORE);
    CU_ASSERT_STRING_EQUAL(identity.name, "kms-1");
}

static void certified_key_of_somebody_else_is_the_certificates(void)
{
    struct issued i;
    struct secret key = SECRET_INIT;
    struct buf spki = BUF_INIT;
    struct buf cert = BUF_INIT;
    struct buf read_back = BUF_INIT;
    issued_init(&i);
    UNIT_OK(pki_key_new(i.lib, &key));
    UNIT_OK(pki_key_public(i.lib, &key, &spki));
    const struct pki_subject joiner = {
        .role = TLS_ROLE_JOINER, .cluster = CLUSTER, .name = "00ff", .days = 1};
    UNIT_OK(pki_certify(i.lib, buf_bytes(&i.ca), &i.ca_key, &joiner, buf_bytes(&spki), &cert));
    UNIT_OK(pki_key_of_cert(i.lib, buf_bytes(&cert), &read_back));
    CU_ASSERT(bytes_equal(buf_bytes(&spki), buf_bytes(&read_back)));
    struct tls_credentials credentials = {
        .ca_pem = buf_bytes(&i.ca), .cert_pem = buf_bytes(&cert), .key_pem = &key};
    SSL_CTX *client = NULL;
    struct tls_identity identity = {.role = TLS_ROLE_NONE};
    UNIT_OK(tls_client_new(i.lib, &credentials, &client));
    UNIT_OK(tls_own_identity(client, &identity));
    CU_ASSERT_EQUAL(identity.role, TLS_ROLE_JOINER);
    CU_ASSERT_STRING_EQUAL(identity.name, "00ff");
    SSL_CTX_free(client);
    buf_clear(&spki);
    buf_clear(&cert);
    buf_clear(&read_back);
    secret_clear(&key);
    issued_clear(&i);
}

static void key_that_is_not_p256_to_the_byte_is_refused(void)
{
    struct issued i;
    struct secret key = SECRET_INIT;
    struct buf spki = BUF_INIT;
    struct buf cert = BUF_INIT;
    uint8_t point[PKI_POINT_LEN];
    const struct pki_subject who = {
        .role = TLS_ROLE_CLIENT, .cluster = CLUSTER, .name = "x", .days = 1};
    issued_init(&i);
    UNIT_OK(pki_key_new(i.lib, &key));
    UNIT_OK(pki_key_public(i.lib, &key, &spki));
    spki.ptr[spki.len - 1] ^= 1; /* off the curve */
    UNIT_RC(pki_key_point(i.lib, buf_bytes(&spki), point), RC_BAD_ARGUMENT);
    UNIT_RC(pki_certify(i.lib, buf_bytes(&i.ca), &i.ca_key, &who, buf_bytes(&spki), &cert),
            RC_BAD_ARGUMENT);
    spki.ptr[spki.len - 1] ^= 1;
    UNIT_OK(buf_put_u8(&spki, 0)); /* something behind it */
    UNIT_RC(pki_key_point(i.lib, buf_bytes(&spki), point), RC_BAD_ARGUMENT);
    UNIT_RC(pki_key_point(i.lib, BYTES_NONE, point), RC_BAD_ARGUMENT);
    CU_ASSERT_EQUAL(cert.len, 0);
    buf_clear(&spki);
    secret_clear(&key);
    issued_clear(&i);
}

static void key_code_is_read_back_and_errors_in_it_are_told(void)
{
    struct issued i;
    struct secret key = SECRET_INIT;
    struct buf spki = BUF_INIT;
    struct buf code = BUF_INIT;
    struct buf again = BUF_INIT;
    issued_init(&i);
    UNIT_OK(pki_key_new(i.lib, &key));
    UNIT_OK(pki_key_public(i.lib, &key, &spki));
    UNIT_OK(pki_key_code(buf_bytes(&spki), &code));
    CU_ASSERT_EQUAL(strncmp(buf_str(&code), "qhsm-key-1.", 11), 0);
    UNIT_OK(buf_append(&code, bytes_of_str("\n")));
    UNIT_OK(pki_key_from_code(i.lib, buf_str(&code), &again));
    CU_ASSERT(bytes_equal(buf_bytes(&spki), buf_bytes(&again)));
    UNIT_RC(pki_key_from_code(i.lib, "qhsm-join-1.AAAA", &again), RC_BAD_ARGUMENT);
    UNIT_RC(pki_key_from_code(i.lib, "qhsm-key-1.AA=A", &again), RC_BAD_ARGUMENT);
    UNIT_OK(buf_resize(&code, code.len - 3));
    UNIT_RC(pki_key_from_code(i.lib, buf_str(&code), &again), RC_BAD_ARGUMENT);
    buf_clear(&spki);
    buf_clear(&code);
    buf_clear(&again);
    secret_clear(&key);
    issued_clear(&i);
}

/* RFC 4648 10, in the alphabet of section 5, without padding. */
static void text_code_agrees_with_the_rfc(void)
{
    static const char *const pairs[][2] = {
        {"", ""},           {"f", "Zg"},          {"fo", "Zm8"},         {"foo", "Zm9v"},
        {"foob", "Zm9vYg"}, {"fooba", "Zm9vYmE"}, {"foobar", "Zm9vYmFy"}};
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        struct buf text = BUF_INIT;
        struct buf data = BUF_INIT;
        UNIT_OK(text_code_write("", bytes_of_str(pairs[i][0]), &text));
        CU_ASSERT_STRING_EQUAL(buf_str(&text), pairs[i][1]);
        UNIT_OK(text_code_read("", buf_str(&text), &data));
        CU_ASSERT_STRING_EQUAL(buf_str(&data), pairs[i][0]);
        buf_clear(&text);
        buf_clear(&data);
    }
}

static void ca_check_wants_a_pair_of_an_authority(void)
{
    struct issued i;
    issued_init(&i);
    struct pki_subject client = {
        .role = TLS_ROLE_CLIENT, .cluster = CLUSTER, .name = "web", .days = 30};
    UNIT_OK(issue(&i, &client));
    UNIT_OK(pki_ca_check(i.lib, buf_bytes(&i.ca), &i.ca_key));
    UNIT_RC(pki_ca_check(i.lib, buf_bytes(&i.ca), &i.key), RC_TLS);
    UNIT_RC(pki_ca_check(i.lib, buf_bytes(&i.cert), &i.key), RC_TLS);
    issued_clear(&i);
}

/* ---- library contexts */

struct drawer {
    OSSL_LIB_CTX *lib;
    pthread_barrier_t drawn, freed;
    unsigned char number[16];
};

static void *draw(void *context)
{
    struct drawer *drawer = context;
    CU_ASSERT_EQUAL(RAND_bytes_ex(drawer->lib, drawer->number, sizeof drawer->number, 0), 1);
    (void)pthread_barrier_wait(&drawer->drawn);
    (void)pthread_barrier_wait(&drawer->freed);
    return NULL; /* libcrypto looks into each context that the thread has drawn from */
}

static void a_thread_may_outlive_the_library_context_that_it_used(void)
{
    for (int i = 0; i < 50; i++) {
        struct drawer drawer = {.lib = NULL};
        pthread_t thread;
        UNIT_OK(tls_library_new(&drawer.lib));
        (void)pthread_barrier_init(&drawer.drawn, NULL, 2);
        (void)pthread_barrier_init(&drawer.freed, NULL, 2);
        CU_ASSERT_FATAL(pthread_create(&thread, NULL, draw, &drawer) == 0);
        (void)pthread_barrier_wait(&drawer.drawn);
        tls_library_free(drawer.lib);
        (void)pthread_barrier_wait(&drawer.freed);
        (void)pthread_join(thread, NULL);
        (void)pthread_barrier_destroy(&drawer.drawn);
        (void)pthread_barrier_destroy(&drawer.freed);
    }
}

UNIT_SUITE("pki", UNIT_CASE(a_thread_may_outlive_the_library_context_that_it_used),
           UNIT_CASE(issued_node_certificate_verifies_strictly_for_both_sides),
           UNIT_CASE(issued_client_certificate_is_no_server_and_no_ca),
           UNIT_CASE(issued_certificate_loads_into_both_contexts_and_tells_its_role),
           UNIT_CASE(context_is_refused_when_the_key_is_another_certificates),
           UNIT_CASE(issue_refuses_names_that_make_no_uri),
           UNIT_CASE(certified_key_of_somebody_else_is_the_certificates),
           UNIT_CASE(key_that_is_not_p256_to_the_byte_is_refused),
           UNIT_CASE(key_code_is_read_back_and_errors_in_it_are_told),
           UNIT_CASE(text_code_agrees_with_the_rfc),
           UNIT_CASE(ca_check_wants_a_pair_of_an_authority),
           UNIT_CASE(identity_is_read_to_the_letter_only));

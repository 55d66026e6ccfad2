/* SPDX-License-Identifier: Apache-2.0 */
/* The client of external key store proxies against a TLS server that answers well, ill, late or not
 * at all. */
#include <arpa/inet.h>
#include <curl/curl.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "kms/sigv4.h"
#include "kms/xks_answer.h"
#include "kms/xks_proxy_json.h"
#include "rpc/client_clock.h"
#include "tests/unit/rpc/credentials.h"
#include "tests/unit/unit.h"

#define ACCESS "AKIAI2SFODNN7EXAMPLE"
#define SECRET "FYtE5EFA5FT0mCc3DrGUe2sti527BitkQ0Zr9MO9fvE"
#define PATH   "/example/kms/xks/v1"

#define LATE_MS  20000U
#define LIMIT_MS 250U

enum behaviour {
    ANSWERS,
    IS_LATE, /* by LATE_MS, or until it behaves otherwise */
    TALKS_HTML,
    REFUSES, /* with `body` and `status` */
    TALKS_MUCH,
    SPOILS_VALUE, /* a CDIV that is not the ciphertext's */
    SHORTENS,     /* ciphertext of another length */
    CLOSES,
    REDIRECTS,
};

static struct {
    struct test_ca ca, other_ca;
    SSL_CTX *ctx;
    int listener;
    unsigned port;
    pthread_t thread;
    _Atomic(enum behaviour) behaviour;
    unsigned status;
    const char *body;
    char ca_path[64];
    unsigned requests, connections;
    bool was_signed;
    char metadata[2048]; /* of the last request */
} server;

/* ---- what the server says */

static void seal(const struct xks_request *request, struct http_answer *answer)
{
    AUTO_BUF text = BUF_INIT;
    uint8_t cdiv[HASH_LEN];
    for (size_t i = 0; i < request->text.len; i++)
        UNIT_OK(buf_put_u8(&text, request->text.ptr[i] ^ 0x77));
    if (server.behaviour == SHORTENS)
        UNIT_OK(buf_put_u8(&text, 0));
    const struct xks_sealed sealed = {bytes_of_str("version 1"), bytes_of("0123456789abcdef", 16),
                                      buf_bytes(&text), bytes_of("sixteen byte tag", 16)};
    UNIT_OK(xks_aad_cdiv(buf_bytes(&request->aad), &sealed, cdiv));
    cdiv[3] ^= server.behaviour == SPOILS_VALUE;
    xks_answer_put_sealed(&sealed, cdiv, answer);
}

static void open_sealed(const struct xks_request *request, struct http_answer *answer)
{
    AUTO_SECRET plain = SECRET_INIT;
    UNIT_OK(secret_alloc(&plain, request->text.len));
    for (size_t i = 0; i < plain.len; i++)
        plain.ptr[i] = request->text.ptr[i] ^ 0x77;
    CU_ASSERT(bytes_equal(buf_bytes(&request->metadata), bytes_of_str("version 1")));
    CU_ASSERT_EQUAL(request->iv.len, 16);
    xks_answer_put_plain(&plain, answer);
}

static void answer_health(struct http_answer *answer)
{
    static const char health[] =
        "{\"xksProxyFleetSize\": 1, \"xksProxyVendor\": \"v\", \"xksProxyModel\": \"m\", "
        "\"ekmVendor\": \"e\", \"ekmFleetDetails\": [{\"id\": \"1\", \"model\": \"m\", "
        "\"healthStatus\": \"ACTIVE\"}]}";
    answer->status = 200;
    UNIT_OK(buf_append(&answer->body, bytes_of_str(server.body != NULL ? server.body : health)));
}

static void answer_well(const char *path, struct bytes body, struct http_answer *answer)
{
    enum xks_operation operation;
    char key[XKS_KEY_ID_MAX + 1];
    struct xks_request request;
    const char *problem = "";
    CU_ASSERT_FATAL(xks_request_path("/example", path, &operation, key));
    CU_ASSERT_EQUAL(xks_request_read(operation, body, &request, &problem), XKS_OK);
    if (operation == XKS_ENCRYPT)
        seal(&request, answer);
    else if (operation == XKS_DECRYPT)
        open_sealed(&request, answer);
    else if (operation == XKS_METADATA && server.body == NULL)
        xks_answer_put_metadata(true, true, true, answer);
    else
        answer_health(answer);
    xks_request_clear(&request);
}

/* ---- HTTP, as much as is needed */

static char *line_value(char *head, const char *name)
{
    char *found = strcasestr(head, name);
    if (found == NULL)
        return NULL;
    found += strlen(name);
    found += strspn(found, " ");
    return strndup(found, strcspn(found, "\r"));
}

static void check_signature(char *head, const char *path, struct bytes body)
{
    char *host = line_value(head, "\nHost:");
    char *type = line_value(head, "\nContent-Type:");
    char *date = line_value(head, "\nX-Amz-Date:");
    char *authorization = line_value(head, "\nAuthorization:");
    struct http_request request = {
        .method = "POST",
        .path = path,
        .query = "",
        .headers = {{"host", host},
                    {"content-type", type},
                    {"x-amz-date", date},
                    {"authorization", authorization}},
        .header_count = 4,
        .body = body,
        .time_ms = (uint64_t)time(NULL) * 1000,
    };
    struct sigv4_claim claim;
    AUTO_SECRET secret = SECRET_INIT;
    UNIT_OK(secret_from_bytes(&secret, bytes_of_str(SECRET)));
    server.was_signed = sigv4_read(&request, &claim) == KMS_OK;
    if (server.was_signed) {
        server.was_signed = sigv4_check(&request, &claim, &secret) == KMS_OK &&
                            strcmp(claim.service, "kms-xks-proxy") == 0 &&
                            strcmp(claim.access_key, ACCESS) == 0;
        sigv4_claim_clear(&claim);
    }
    free(host);
    free(type);
    free(date);
    free(authorization);
}

static bool read_request(SSL *ssl, struct buf *in, char path[300], struct bytes *out_body)
{
    char chunk[4096];
    buf_clear(in);
    for (;;) {
        int got = SSL_read(ssl, chunk, sizeof chunk);
        if (got <= 0)
            return false;
        UNIT_OK(buf_append(in, bytes_of(chunk, (size_t)got)));
        const char *all = buf_str(in);
        const char *end = strstr(all, "\r\n\r\n");
        const char *length = strcasestr(all, "\r\nContent-Length:");
        if (end == NULL || length == NULL)
            continue;
        size_t head = (size_t)(end - all) + 4;
        size_t body = strtoul(length + 17, NULL, 10);
        if (in->len < head + body)
            continue;
        CU_ASSERT_EQUAL(sscanf(all, "POST %299s HTTP/1.1", path), 1);
        *out_body = bytes_slice(buf_bytes(in), head, body);
        return true;
    }
}

static void write_all(SSL *ssl, const struct http_answer *answer, const char *more)
{
    AUTO_BUF out = BUF_INIT;
    UNIT_OK(buf_printf(&out,
                       "HTTP/1.1 %u X\r\nContent-Type: application/json\r\n%sContent-Length: "
                       "%zu\r\n\r\n",
                       answer->status, more, answer->body.len));
    UNIT_OK(buf_append(&out, buf_bytes(&answer->body)));
    (void)SSL_write(ssl, out.ptr, (int)out.len);
}

static void answer_request(SSL *ssl, const char *path, struct bytes body)
{
    const struct timespec pause = {.tv_nsec = 1000000};
    struct http_answer answer = {.body = BUF_INIT};
    for (instant start = clock_now();
         server.behaviour == IS_LATE && clock_now() < clock_after_ms(start, LATE_MS);)
        (void)nanosleep(&pause, NULL);
    if (server.behaviour == TALKS_HTML || server.behaviour == REFUSES) {
        answer.status = server.status;
        UNIT_OK(buf_append(&answer.body, bytes_of_str(server.body)));
    } else if (server.behaviour == TALKS_MUCH) {
        answer.status = 200;
        UNIT_OK(buf_resize(&answer.body, 300000));
    } else if (server.behaviour == REDIRECTS) {
        answer.status = 302;
    } else {
        answer_well(path, body, &answer);
    }
    write_all(ssl, &answer, server.behaviour == REDIRECTS ? "Location: /elsewhere\r\n" : "");
    buf_clear(&answer.body);
}

static void serve(SSL *ssl)
{
    AUTO_BUF in = BUF_INIT;
    char path[300];
    struct bytes body;
    while (read_request(ssl, &in, path, &body)) {
        server.requests++;
        check_signature((char *)in.ptr, path, body);
        snprintf(server.metadata, sizeof server.metadata, "%.*s", (int)body.len,
                 (const char *)body.ptr);
        if (server.behaviour == CLOSES)
            return;
        answer_request(ssl, path, body);
    }
}

static void *listen_on(void *context)
{
    (void)context;
    for (;;) {
        int fd = accept(server.listener, NULL, NULL);
        if (fd < 0)
            return NULL;
        SSL *ssl = SSL_new(server.ctx);
        server.connections++;
        if (SSL_set_fd(ssl, fd) == 1 && SSL_accept(ssl) == 1)
            serve(ssl);
        SSL_free(ssl);
        close(fd);
    }
}

/* ---- start and end */

static void use_certificate(struct test_ca *ca, const char *host)
{
    const char *hosts[] = {host};
    AUTO_BUF cert = BUF_INIT;
    AUTO_SECRET key = SECRET_INIT;
    struct pki_subject subject = {.role = TLS_ROLE_NODE,
                                  .cluster = TEST_CLUSTER,
                                  .name = "1",
                                  .hosts = hosts,
                                  .host_count = 1,
                                  .days = 1};
    UNIT_OK(pki_issue(ca->lib, buf_bytes(&ca->cert), &ca->key, &subject, &cert, &key));
    BIO *cert_bio = BIO_new_mem_buf(cert.ptr, (int)cert.len);
    BIO *key_bio = BIO_new_mem_buf(key.ptr, (int)key.len);
    X509 *x509 = PEM_read_bio_X509(cert_bio, NULL, NULL, NULL);
    EVP_PKEY *pkey = PEM_read_bio_PrivateKey(key_bio, NULL, NULL, NULL);
    CU_ASSERT_EQUAL(SSL_CTX_use_certificate(server.ctx, x509), 1);
    CU_ASSERT_EQUAL(SSL_CTX_use_PrivateKey(server.ctx, pkey), 1);
    X509_free(x509);
    EVP_PKEY_free(pkey);
    BIO_free(cert_bio);
    BIO_free(key_bio);
}

static void open_listener(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof address;
    server.listener = socket(AF_INET, SOCK_STREAM, 0);
    CU_ASSERT_EQUAL_FATAL(bind(server.listener, (struct sockaddr *)&address, len), 0);
    CU_ASSERT_EQUAL_FATAL(listen(server.listener, 16), 0);
    CU_ASSERT_EQUAL_FATAL(getsockname(server.listener, (struct sockaddr *)&address, &len), 0);
    server.port = ntohs(address.sin_port);
}

static void write_ca(void)
{
    snprintf(server.ca_path, sizeof server.ca_path, "/tmp/qhsm-xks-ca-XXXXXX");
    int fd = mkstemp(server.ca_path);
    CU_ASSERT_FATAL(fd >= 0);
    CU_ASSERT_EQUAL(write(fd, server.ca.cert.ptr, server.ca.cert.len), (ssize_t)server.ca.cert.len);
    close(fd);
}

static struct kms_config config;
static struct xks_client *client;
static struct secret secret;
static char endpoint[64];
static struct xks_call call;

static void start_as(bool by_other_ca, const char *host)
{
    (void)signal(SIGPIPE, SIG_IGN);
    test_ca_init(&server.ca);
    test_ca_init(&server.other_ca);
    server.ctx = SSL_CTX_new(TLS_server_method());
    server.behaviour = ANSWERS;
    server.body = NULL;
    server.requests = server.connections = 0;
    use_certificate(by_other_ca ? &server.other_ca : &server.ca, host);
    write_ca();
    open_listener();
    CU_ASSERT_EQUAL(pthread_create(&server.thread, NULL, listen_on, NULL), 0);
    config = (struct kms_config){.xks_ca = server.ca_path, .xks_timeout_ms = 60000};
    UNIT_OK(xks_client_new(&config, &client));
    UNIT_OK(secret_from_bytes(&secret, bytes_of_str(SECRET)));
    snprintf(endpoint, sizeof endpoint, "https://localhost:%u", server.port);
    call = (struct xks_call){.endpoint = endpoint,
                             .path = PATH,
                             .access_key = ACCESS,
                             .secret = &secret,
                             .region = "us-east-1",
                             .key_id = "foo",
                             .principal = "arn:aws:iam::111122223333:user/alice",
                             .key_arn = "arn:aws:kms:us-east-1:111122223333:key/1",
                             .operation = "Encrypt",
                             .request_id = "request-1"};
}

static void start(void)
{
    start_as(false, "localhost");
}

static void end(void)
{
    xks_client_free(client);
    secret_clear(&secret);
    shutdown(server.listener, SHUT_RDWR);
    pthread_join(server.thread, NULL);
    close(server.listener);
    SSL_CTX_free(server.ctx);
    unlink(server.ca_path);
    test_ca_clear(&server.ca);
    test_ca_clear(&server.other_ca);
}

static enum xks_error encrypt(struct buf *out)
{
    return xks_client_encrypt(client, &call, bytes_of_str("additional"), bytes_of_str("hello"),
                              out);
}

static enum xks_error health(void)
{
    struct xks_call without_key = call;
    without_key.key_id = NULL;
    return xks_client_health(client, &without_key);
}

/* ---- cases */

static void a_text_comes_back_from_the_proxy_as_it_was(void)
{
    AUTO_BUF sealed = BUF_INIT;
    AUTO_SECRET plain = SECRET_INIT;
    start();
    CU_ASSERT_EQUAL(encrypt(&sealed), XKS_OK);
    CU_ASSERT(server.was_signed);
    CU_ASSERT_PTR_NOT_NULL(strstr(server.metadata, "\"kmsRequestId\":\"request-1\""));
    CU_ASSERT_PTR_NOT_NULL(strstr(server.metadata, "\"kmsKeyArn\":\"arn:aws:kms:"));
    CU_ASSERT_PTR_NOT_NULL(strstr(server.metadata, "\"SHA_256\""));
    CU_ASSERT_EQUAL(
        xks_client_decrypt(client, &call, bytes_of_str("additional"), buf_bytes(&sealed), &plain),
        XKS_OK);
    CU_ASSERT(secret_equal(&plain, bytes_of_str("hello")));
    CU_ASSERT_EQUAL(server.connections, 1); /* kept */
    end();
}

/* Of the client: its last handle. */
static CURL *last_handle;
CURLcode __real_curl_easy_perform(CURL *curl);
CURLcode __wrap_curl_easy_perform(CURL *curl);

CURLcode __wrap_curl_easy_perform(CURL *curl)
{
    last_handle = curl;
    return __real_curl_easy_perform(curl);
}

static void an_idle_connection_knows_nothing_of_the_call_before(void)
{
    start();
    CU_ASSERT_EQUAL(health(), XKS_OK);
    CURL *handle = last_handle;
    CU_ASSERT_EQUAL(__real_curl_easy_perform(handle), CURLE_URL_MALFORMAT);
    CU_ASSERT_EQUAL(health(), XKS_OK);
    CU_ASSERT_PTR_EQUAL(last_handle, handle);
    CU_ASSERT_EQUAL(server.connections, 1);
    end();
}

static void metadata_and_health_are_asked(void)
{
    start();
    CU_ASSERT_EQUAL(xks_client_metadata(client, &call), XKS_OK);
    CU_ASSERT_PTR_NULL(strstr(server.metadata, "kmsKeyArn"));
    CU_ASSERT_EQUAL(health(), XKS_OK);
    CU_ASSERT_PTR_NULL(strstr(server.metadata, "awsPrincipalArn"));
    end();
}

static void a_key_that_kms_cannot_use_is_refused(void)
{
    static const struct {
        const char *body;
        enum xks_error error;
    } rows[] = {
        {"{\"keySpec\": \"AES_256\", \"keyUsage\": [\"ENCRYPT\"], \"keyStatus\": \"ENABLED\"}",
         XKS_E_INVALID_KEY_USAGE},
        {"{\"keySpec\": \"AES_128\", \"keyUsage\": [\"ENCRYPT\", \"DECRYPT\"], \"keyStatus\": "
         "\"ENABLED\"}",
         XKS_E_INVALID_KEY_USAGE},
        {"{\"keySpec\": \"AES_256\", \"keyUsage\": [\"DECRYPT\", \"ENCRYPT\", \"SIGN\"], "
         "\"keyStatus\": \"DISABLED\"}",
         XKS_E_INVALID_STATE},
        {"{\"keySpec\": \"AES_256\", \"keyUsage\": \"ENCRYPT\", \"keyStatus\": \"ENABLED\"}",
         XKS_E_MALFORMED},
        {"{}", XKS_E_MALFORMED},
        {"", XKS_E_MALFORMED},
    };
    start();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        server.body = rows[i].body;
        CU_ASSERT_EQUAL(xks_client_metadata(client, &call), rows[i].error);
    }
    server.body = "{\"xksProxyFleetSize\": 0}";
    CU_ASSERT_EQUAL(health(), XKS_E_MALFORMED);
    end();
}

static void each_error_of_the_proxy_is_known_by_its_name(void)
{
    char body[200];
    AUTO_BUF out = BUF_INIT;
    start();
    server.behaviour = REFUSES;
    server.body = body;
    for (unsigned i = XKS_OK + 1; i < XKS_ERROR_END; i++) {
        const struct xks_error_row *row = xks_error_row((enum xks_error)i);
        if (row->status == 0)
            continue;
        snprintf(body, sizeof body, "{\"errorName\": \"%s\", \"errorMessage\": \"why\\u0001\"}",
                 row->name);
        server.status = row->status;
        CU_ASSERT_EQUAL(encrypt(&out), (enum xks_error)i);
    }
    snprintf(body, sizeof body, "{\"errorName\": \"SurprisingException\"}");
    CU_ASSERT_EQUAL(encrypt(&out), XKS_E_MALFORMED);
    CU_ASSERT_EQUAL(out.len, 0);
    end();
}

static void a_proxy_is_given_up_after_a_quarter_of_a_second(void)
{
    AUTO_BUF out = BUF_INIT;
    start();
    config.xks_timeout_ms = LIMIT_MS;
    server.behaviour = IS_LATE;
    instant before = clock_now();
    CU_ASSERT_EQUAL(encrypt(&out), XKS_E_TIMED_OUT);
    instant took_ms = (clock_now() - before) / CLOCK_MS_NS;
    CU_ASSERT(took_ms >= LIMIT_MS - 5 && took_ms < LATE_MS);
    server.behaviour = ANSWERS;
    end();
}

static void answers_that_are_none_are_not_believed(void)
{
    static const enum behaviour behaviours[] = {SPOILS_VALUE, SHORTENS, TALKS_MUCH, REDIRECTS};
    AUTO_BUF out = BUF_INIT;
    start();
    for (size_t i = 0; i < sizeof behaviours / sizeof behaviours[0]; i++) {
        server.behaviour = behaviours[i];
        CU_ASSERT_EQUAL(encrypt(&out), XKS_E_MALFORMED);
    }
    server.behaviour = TALKS_HTML;
    server.body = "<html>500</html>";
    for (server.status = 200; server.status <= 500; server.status += 300)
        CU_ASSERT_EQUAL(encrypt(&out), XKS_E_MALFORMED);
    CU_ASSERT_EQUAL(out.len, 0);
    end();
}

static void a_proxy_that_hangs_up_is_not_reachable(void)
{
    AUTO_BUF out = BUF_INIT;
    start();
    server.behaviour = CLOSES;
    CU_ASSERT_EQUAL(encrypt(&out), XKS_E_NO_CONNECTION);
    snprintf(endpoint, sizeof endpoint, "https://localhost:1");
    CU_ASSERT_EQUAL(encrypt(&out), XKS_E_NO_CONNECTION);
    snprintf(endpoint, sizeof endpoint, "https://no-such-host.invalid");
    CU_ASSERT_EQUAL(encrypt(&out), XKS_E_NO_CONNECTION);
    snprintf(endpoint, sizeof endpoint, "http://localhost:%u", server.port);
    CU_ASSERT_EQUAL(encrypt(&out), XKS_E_INVALID_URI_PATH);
    end();
}

static void a_certificate_of_another_authority_or_host_ends_the_connection(void)
{
    AUTO_BUF out = BUF_INIT;
    start_as(true, "localhost");
    CU_ASSERT_EQUAL(encrypt(&out), XKS_E_NO_TLS);
    CU_ASSERT_EQUAL(server.requests, 0);
    end();
    start_as(false, "other.example");
    CU_ASSERT_EQUAL(encrypt(&out), XKS_E_NO_TLS);
    CU_ASSERT_EQUAL(server.requests, 0);
    end();
}

static void old_versions_of_tls_are_refused(void)
{
    start();
    SSL_CTX_set_min_proto_version(server.ctx, TLS1_1_VERSION);
    SSL_CTX_set_max_proto_version(server.ctx, TLS1_1_VERSION);
    CU_ASSERT_EQUAL(health(), XKS_E_NO_TLS);
    end();
}

static void what_is_no_ciphertext_of_a_proxy_is_not_sent_to_it(void)
{
    static const char *const bad[] = {"", "\x0c", "\x0cshort", "\x20 thirty-two is no length"};
    AUTO_SECRET out = SECRET_INIT;
    start();
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        CU_ASSERT_EQUAL(xks_client_decrypt(client, &call, BYTES_NONE, bytes_of_str(bad[i]), &out),
                        XKS_E_BAD_CIPHERTEXT);
    CU_ASSERT_EQUAL(server.requests, 0);
    end();
}

UNIT_SUITE("kms/xks_client", UNIT_CASE(a_text_comes_back_from_the_proxy_as_it_was),
           UNIT_CASE(an_idle_connection_knows_nothing_of_the_call_before),
           UNIT_CASE(metadata_and_health_are_asked),
           UNIT_CASE(a_key_that_kms_cannot_use_is_refused),
           UNIT_CASE(each_error_of_the_proxy_is_known_by_its_name),
           UNIT_CASE(a_proxy_is_given_up_after_a_quarter_of_a_second),
           UNIT_CASE(answers_that_are_none_are_not_believed),
           UNIT_CASE(a_proxy_that_hangs_up_is_not_reachable),
           UNIT_CASE(a_certificate_of_another_authority_or_host_ends_the_connection),
           UNIT_CASE(old_versions_of_tls_are_refused),
           UNIT_CASE(what_is_no_ciphertext_of_a_proxy_is_not_sent_to_it));

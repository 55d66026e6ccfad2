/* SPDX-License-Identifier: Apache-2.0 */
/* The listeners over real sockets, with a service that tells what reached it. */
#include "kms/server.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "common/log.h"
#include "kms/http.h"
#include "rpc/pki.h"
#include "tests/unit/unit.h"

#define ANSWER_MAX 65536

/* ---- the service */

static _Atomic unsigned served, slow_ones;

void http_route(struct kms *kms, const struct http_request *request, struct http_answer *answer)
{
    (void)kms;
    if (strcmp(request->path, "/slow") == 0) {
        slow_ones++;
        (void)usleep(400000);
    }
    answer->status = 200;
    answer->content_type = "text/plain";
    UNIT_OK(buf_printf(&answer->body, "%s|%s|%s|%zu|%s|%s|%s|%s|%zu", request->method,
                       request->path, request->query, request->body.len, request->peer,
                       request->is_tls ? request->tls_version : "plain",
                       request->client_subject == NULL ? "nobody" : request->client_subject,
                       http_header(request, "x-own") == NULL ? "" : http_header(request, "x-own"),
                       strlen(request->id)));
    served++;
}

/* ---- a server and a raw client */

#define PATIENCE_S 40 /* of a caller; less than a server has that is not to end one */

static char listen_text[] = "127.0.0.1:0";

struct bed {
    struct kms_config config;
    struct kms kms;
    struct kms_server *server;
};

static void bed_init(struct bed *bed)
{
    *bed = (struct bed){.config = {.listen = listen_text,
                                   .connections_max = 64,
                                   .idle_timeout_s = 60,
                                   .request_timeout_s = 60}};
    bed->kms.config = &bed->config;
    log_set_level(LOG_LEVEL_ERROR);
}

static void bed_start(struct bed *bed)
{
    UNIT_OK(kms_server_start(&bed->kms, &bed->server));
}

static int dial(const struct bed *bed)
{
    const struct timeval patience = {.tv_sec = PATIENCE_S};
    const struct sockaddr_in address = {.sin_family = AF_INET,
                                        .sin_port =
                                            htons((uint16_t)kms_server_port(bed->server, false)),
                                        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CU_ASSERT_FATAL(fd >= 0);
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    CU_ASSERT_EQUAL_FATAL(connect(fd, (const struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static bool say(int fd, const char *text)
{
    return send(fd, text, strlen(text), MSG_NOSIGNAL) == (ssize_t)strlen(text);
}

static const char *body_of(const char *answer)
{
    const char *end = strstr(answer, "\r\n\r\n");
    return end == NULL ? NULL : end + 4;
}

/* A process that was stopped and goes on is interrupted where a timeout is set. */
static ssize_t receive(int fd, char *out, size_t room)
{
    ssize_t got;
    do
        got = recv(fd, out, room, 0);
    while (got < 0 && errno == EINTR);
    return got;
}

/* Until the body is whole, or the connection ends. */
static const char *hear(int fd)
{
    static char answer[ANSWER_MAX];
    size_t len = 0;
    answer[0] = 0;
    while (len < sizeof answer - 1) {
        const char *body = body_of(answer);
        const char *length = strstr(answer, "Content-Length: ");
        if (body != NULL && length != NULL && strlen(body) >= strtoul(length + 16, NULL, 10))
            break;
        ssize_t got = receive(fd, answer + len, sizeof answer - 1 - len);
        if (got <= 0)
            break;
        len += (size_t)got;
        answer[len] = 0;
    }
    return answer;
}

static void expect_answer(int fd, unsigned status, const char *part)
{
    char begin[32];
    const char *answer = hear(fd);
    (void)snprintf(begin, sizeof begin, "HTTP/1.1 %u ", status);
    if (strncmp(answer, begin, strlen(begin)) != 0 || strstr(answer, part) == NULL) {
        printf("answer: %.600s\n", answer);
        CU_FAIL("another answer");
    }
    CU_PASS("as expected");
}

static void exchange(const struct bed *bed, const char *text, unsigned status, const char *part)
{
    int fd = dial(bed);
    CU_ASSERT_TRUE(say(fd, text));
    expect_answer(fd, status, part);
    (void)close(fd);
}

static time_t seconds(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec;
}

/* Those that were ended take a moment to go: a caller may have to come more than once. */
static void exchange_at_last(const struct bed *bed)
{
    bool is_answered = false;
    for (time_t start = seconds(); !is_answered && seconds() - start < PATIENCE_S;) {
        int fd = dial(bed);
        is_answered = say(fd, "GET /still HTTP/1.1\r\nHost: h\r\n\r\n") &&
                      strncmp(hear(fd), "HTTP/1.1 200 ", 13) == 0;
        (void)close(fd);
    }
    CU_ASSERT_TRUE(is_answered);
}

/* ---- good requests */

static void what_was_sent_reaches_the_service_undecoded(void)
{
    struct bed bed;
    bed_init(&bed);
    bed_start(&bed);
    exchange(&bed,
             "POST /a%2Fb/../c?x=%41&y HTTP/1.1\r\nHost: h\r\nX-Own:  two  words\r\n"
             "Content-Length: 3\r\n\r\nabc",
             200, "POST|/a%2Fb/../c|x=%41&y|3|127.0.0.1|plain|nobody|two  words|36");
    exchange(&bed, "GET / HTTP/1.1\r\nHost: h\r\n\r\n", 200, "x-amzn-RequestId: ");
    kms_server_stop(bed.server);
}

static void a_connection_serves_many_requests(void)
{
    struct bed bed;
    bed_init(&bed);
    bed_start(&bed);
    int fd = dial(&bed);
    for (int i = 0; i < 20; i++) {
        CU_ASSERT_TRUE(say(fd, "POST /k HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello"));
        expect_answer(fd, 200, "POST|/k||5|");
    }
    (void)close(fd);
    kms_server_stop(bed.server);
}

static void a_body_in_chunks_is_joined(void)
{
    struct bed bed;
    bed_init(&bed);
    bed_start(&bed);
    exchange(&bed,
             "POST /k HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
             "3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n",
             200, "POST|/k||7|");
    kms_server_stop(bed.server);
}

/* ---- sizes */

static void a_body_over_the_limit_is_answered_with_413(void)
{
    struct bed bed;
    bed_init(&bed);
    bed_start(&bed);
    char *big = calloc(1, HTTP_BODY_MAX + 2);
    CU_ASSERT_PTR_NOT_NULL_FATAL(big);
    memset(big, 'x', HTTP_BODY_MAX + 1);
    unsigned before = served;
    int fd = dial(&bed);
    CU_ASSERT_TRUE(say(fd, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 262145\r\n\r\n"));
    CU_ASSERT_TRUE(say(fd, big));
    expect_answer(fd, 413, "\"__type\":\"RequestEntityTooLargeException\"");
    (void)close(fd);
    exchange(&bed, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999\r\n\r\nx", 413,
             "x-amzn-ErrorType: RequestEntityTooLargeException");
    CU_ASSERT_EQUAL(served, before);
    big[HTTP_BODY_MAX] = 0;
    fd = dial(&bed);
    CU_ASSERT_TRUE(say(fd, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 262144\r\n\r\n"));
    CU_ASSERT_TRUE(say(fd, big));
    expect_answer(fd, 200, "|262144|");
    (void)close(fd);
    free(big);
    kms_server_stop(bed.server);
}

static void headers_over_the_limit_are_refused(void)
{
    struct bed bed;
    AUTO_BUF text = BUF_INIT;
    bed_init(&bed);
    bed_start(&bed);
    unsigned before = served;
    UNIT_OK(buf_printf(&text, "GET / HTTP/1.1\r\nHost: h\r\n"));
    for (unsigned i = 0; i < HTTP_HEADERS_MAX; i++)
        UNIT_OK(buf_printf(&text, "X-%u: 1\r\n", i));
    UNIT_OK(buf_printf(&text, "\r\n"));
    exchange(&bed, buf_str(&text), 400, "too many headers");
    buf_clear(&text);
    UNIT_OK(buf_printf(&text, "GET / HTTP/1.1\r\nHost: h\r\nX-Own: "));
    for (unsigned i = 0; i < 8192; i++)
        UNIT_OK(buf_printf(&text, "xxxxxxxx"));
    UNIT_OK(buf_printf(&text, "\r\n\r\n"));
    int fd = dial(&bed);
    (void)say(fd, buf_str(&text));
    (void)hear(fd);
    (void)close(fd);
    CU_ASSERT_EQUAL(served, before);
    exchange(&bed, "GET /still HTTP/1.1\r\nHost: h\r\n\r\n", 200, "/still");
    kms_server_stop(bed.server);
}

/* ---- what two readers could read differently */

#define BOTH_LENGTHS                                      \
    "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n" \
    "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"

static void doubtful_messages_are_refused(void)
{
    static const char *const texts[] = {
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
        BOTH_LENGTHS,
        "GET / HTTP/1.1\r\nHost: h\r\nHost: g\r\n\r\n",
        "GET http://h/ HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET * HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET / HTTP/1.1\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3x\r\n\r\nabc",
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\nabc",
        "nonsense\r\n\r\n",
        "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    };
    struct bed bed;
    bed_init(&bed);
    bed_start(&bed);
    unsigned before = served;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        int fd = dial(&bed);
        CU_ASSERT_TRUE(say(fd, texts[i]));
        (void)shutdown(fd, SHUT_WR);
        const char *answer = hear(fd);
        bool refused = answer[0] == 0 || strncmp(answer, "HTTP/1.1 4", 10) == 0 ||
                       strncmp(answer, "HTTP/1.0 4", 10) == 0;
        if (!refused)
            printf("%zu: %.300s\n", i, answer);
        CU_ASSERT_TRUE(refused);
        (void)close(fd);
    }
    CU_ASSERT_EQUAL(served, before);
    kms_server_stop(bed.server);
}

/* ---- slow callers */

/* Begins so, and goes on with a byte each fifth of a second unless `more` is 0. Does the other side
 * end it? */
static bool is_ended(const struct bed *bed, const char *begin, char more)
{
    int fd = dial(bed);
    int answers = 0;
    struct pollfd ended = {.fd = fd, .events = POLLIN};
    CU_ASSERT_TRUE(say(fd, begin));
    for (time_t start = seconds(); answers == 0 && seconds() - start < PATIENCE_S;) {
        answers = poll(&ended, 1, 200);
        if (answers == 0 && more != 0 && send(fd, &more, 1, MSG_NOSIGNAL) != 1)
            answers = 1;
    }
    (void)close(fd);
    return answers != 0;
}

static void callers_that_trickle_are_ended(void)
{
    struct bed bed;
    bed_init(&bed);
    bed.config.request_timeout_s = 1;
    bed.config.idle_timeout_s = 1;
    bed_start(&bed);
    /* never a whole line; headers, but no end of the body */
    CU_ASSERT_TRUE(is_ended(&bed, "GET /", 'a'));
    CU_ASSERT_TRUE(
        is_ended(&bed, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\n", 'x'));
    exchange_at_last(&bed);
    kms_server_stop(bed.server);
}

static void silent_callers_are_ended(void)
{
    struct bed bed;
    bed_init(&bed);
    bed.config.idle_timeout_s = 1;
    bed_start(&bed);
    CU_ASSERT_TRUE(is_ended(&bed, "", 0));
    kms_server_stop(bed.server);
}

/* Four that have had an answer, and a fifth. Which of the four is ended? */
static size_t who_gives_way(void)
{
    struct bed bed;
    struct pollfd fds[4];
    size_t ended = 0;
    bed_init(&bed);
    bed.config.connections_max = 4;
    bed_start(&bed);
    for (size_t i = 0; i < 4; i++) {
        fds[i] = (struct pollfd){.fd = dial(&bed), .events = POLLIN};
        CU_ASSERT_TRUE(say(fds[i].fd, "GET / HTTP/1.1\r\nHost: h\r\n\r\n"));
        expect_answer(fds[i].fd, 200, "GET|/|");
    }
    exchange(&bed, "GET /fifth HTTP/1.1\r\nHost: h\r\n\r\n", 200, "/fifth");
    CU_ASSERT_EQUAL(poll(fds, 4, PATIENCE_S * 1000), 1);
    while (ended < 3 && fds[ended].revents == 0)
        ended++;
    for (size_t i = 0; i < 4; i++) {
        if (i != ended) {
            CU_ASSERT_TRUE(say(fds[i].fd, "GET /again HTTP/1.1\r\nHost: h\r\n\r\n"));
            expect_answer(fds[i].fd, 200, "/again");
        }
        (void)close(fds[i].fd);
    }
    kms_server_stop(bed.server);
    return ended;
}

/* The first; but who has read the answer may be ahead of the server, which does not call that
 * caller idle yet. */
static void idle_callers_give_way_when_the_house_is_full(void)
{
    size_t who = 1;
    for (unsigned i = 0; i < 20 && who != 0; i++)
        who = who_gives_way();
    CU_ASSERT_EQUAL(who, 0);
}

/* Of this one the server tells when it has seen it. */
static void say_half(int fd)
{
    char answer[64] = "";
    CU_ASSERT_TRUE(say(fd, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n"
                           "Expect: 100-continue\r\n\r\n"));
    CU_ASSERT_TRUE(receive(fd, answer, sizeof answer - 1) > 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(answer, "100 Continue"));
    (void)usleep(2000); /* the server counts milliseconds */
}

static void slow_callers_give_way_when_the_house_is_full(void)
{
    struct bed bed;
    int fds[200];
    bed_init(&bed);
    bed.config.connections_max = 4;
    bed_start(&bed);
    int good = dial(&bed);
    for (size_t i = 0; i < 4; i += 2) { /* one that says nothing before one that says half */
        fds[i] = dial(&bed);
        fds[i + 1] = dial(&bed);
        say_half(fds[i + 1]);
        CU_ASSERT_TRUE(say(good, "GET /good HTTP/1.1\r\nHost: h\r\n\r\n"));
        expect_answer(good, 200, "/good"); /* those that have asked nothing yet went first */
    }
    for (size_t i = 4; i < 200; i++) {
        fds[i] = dial(&bed);
        (void)say(fds[i],
                  i % 2 == 0 ? "" : "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\n");
        (void)usleep(2000);
    }
    exchange_at_last(&bed);
    for (size_t i = 0; i < 200; i++)
        (void)close(fds[i]);
    (void)close(good);
    kms_server_stop(bed.server);
}

/* ---- the end */

static void *ask_slowly(void *context)
{
    exchange(context, "GET /slow HTTP/1.1\r\nHost: h\r\n\r\n", 200, "/slow");
    return NULL;
}

static void a_request_in_work_is_answered_before_the_end(void)
{
    struct bed bed;
    pthread_t thread;
    bed_init(&bed);
    bed_start(&bed);
    CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, ask_slowly, &bed), 0);
    while (slow_ones == 0)
        (void)usleep(1000);
    kms_server_stop(bed.server);
    (void)pthread_join(thread, NULL);
}

static void a_port_in_use_is_told(void)
{
    struct bed first, second;
    char address[32];
    bed_init(&first);
    bed_start(&first);
    (void)snprintf(address, sizeof address, "127.0.0.1:%u", kms_server_port(first.server, false));
    bed_init(&second);
    second.config.listen = address;
    UNIT_RC(kms_server_start(&second.kms, &second.server), RC_CONFIG);
    CU_ASSERT_PTR_NOT_NULL(strstr(rc_detail(), "Address already in use"));
    kms_server_stop(first.server);
}

/* ---- TLS */

#define CLUSTER "6f1d2c3a-5a0e-4b5f-9d35-0f9d5c1c7a11"

struct authority {
    OSSL_LIB_CTX *lib;
    struct buf cert;
    struct secret key;
    char dir[48];
};

static char *file_put(const struct authority *of, const char *name, struct bytes content)
{
    char path[128];
    (void)snprintf(path, sizeof path, "%s/%s", of->dir, name);
    FILE *file = fopen(path, "we");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    CU_ASSERT_EQUAL(fwrite(content.ptr, 1, content.len, file), content.len);
    (void)fclose(file);
    return strdup(path);
}

static void authority_init(struct authority *out, const char *file)
{
    *out = (struct authority){.cert = BUF_INIT};
    unit_directory(out->dir, sizeof out->dir);
    UNIT_OK(tls_library_new(&out->lib));
    UNIT_OK(pki_ca_new(out->lib, CLUSTER, 10, &out->cert, &out->key));
    free(file_put(out, file, buf_bytes(&out->cert)));
}

static void authority_clear(struct authority *of)
{
    char command[64];
    (void)snprintf(command, sizeof command, "rm -r %s", of->dir);
    CU_ASSERT_EQUAL(system(command), 0);
    buf_clear(&of->cert);
    secret_clear(&of->key);
    tls_library_free(of->lib);
}

/* NAME.pem and NAME.key; only those of nodes, whose name is a number, are for servers. */
static void issue(struct authority *of, const char *name, char **out_cert, char **out_key)
{
    static const char *const hosts[] = {"127.0.0.1"};
    const struct pki_subject subject = {.role = name[0] == '1' ? TLS_ROLE_NODE : TLS_ROLE_CLIENT,
                                        .cluster = CLUSTER,
                                        .name = name,
                                        .hosts = hosts,
                                        .host_count = 1,
                                        .days = 5};
    AUTO_BUF cert = BUF_INIT;
    AUTO_SECRET key = SECRET_INIT;
    char file[64];
    UNIT_OK(pki_issue(of->lib, buf_bytes(&of->cert), &of->key, &subject, &cert, &key));
    (void)snprintf(file, sizeof file, "%s.pem", name);
    *out_cert = file_put(of, file, buf_bytes(&cert));
    (void)snprintf(file, sizeof file, "%s.key", name);
    *out_key = file_put(of, file, secret_expose(&key));
}

static size_t keep(char *data, size_t size, size_t count, void *out)
{
    return buf_append(out, bytes_of(data, size * count)) == RC_OK ? size * count : 0;
}

/* Status, 0 when the connection ended without an answer. */
static long fetch(const struct bed *bed, const char *ca, const char *cert, const char *key,
                  struct buf *out)
{
    char url[64];
    long status = 0;
    CURL *curl = curl_easy_init();
    (void)snprintf(url, sizeof url, "https://127.0.0.1:%u/t", kms_server_port(bed->server, true));
    (void)curl_easy_setopt(curl, CURLOPT_URL, url);
    (void)curl_easy_setopt(curl, CURLOPT_CAINFO, ca);
    (void)curl_easy_setopt(curl, CURLOPT_TIMEOUT, (long)PATIENCE_S);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, keep);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEDATA, out);
    if (cert != NULL) {
        (void)curl_easy_setopt(curl, CURLOPT_SSLCERT, cert);
        (void)curl_easy_setopt(curl, CURLOPT_SSLKEY, key);
    }
    if (curl_easy_perform(curl) == CURLE_OK)
        (void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_cleanup(curl);
    return status;
}

static void https_bed(struct bed *bed, struct authority *authority, char *ca)
{
    bed_init(bed);
    authority_init(authority, "ca.pem");
    (void)snprintf(ca, 64, "%s/ca.pem", authority->dir);
    issue(authority, "1", &bed->config.cert, &bed->config.key);
    bed->config.listen = NULL;
    bed->config.listen_https = listen_text;
}

static void https_bed_clear(struct bed *bed, struct authority *authority)
{
    kms_server_stop(bed->server);
    authority_clear(authority);
    free(bed->config.cert);
    free(bed->config.key);
}

static void https_tells_version_and_nobody(void)
{
    struct bed bed;
    struct authority authority;
    char ca[64];
    AUTO_BUF answer = BUF_INIT;
    https_bed(&bed, &authority, ca);
    bed_start(&bed);
    CU_ASSERT_EQUAL(fetch(&bed, ca, NULL, NULL, &answer), 200);
    CU_ASSERT_PTR_NOT_NULL(strstr(buf_str(&answer), "GET|/t||0|127.0.0.1|TLSv1.3|nobody|"));
    https_bed_clear(&bed, &authority);
}

static void without_the_demanded_certificate_nothing_is_answered(void)
{
    struct bed bed;
    struct authority authority, other;
    char ca[64], subject[] = "cks";
    char *good[2], *named[2], *foreign[2];
    AUTO_BUF answer = BUF_INIT;
    https_bed(&bed, &authority, ca);
    authority_init(&other, "ca.pem");
    issue(&authority, "cks", &good[0], &good[1]);
    issue(&authority, "mallory", &named[0], &named[1]);
    issue(&other, "cks", &foreign[0], &foreign[1]);
    bed.config.client_ca = ca;
    bed.config.client_subject = subject;
    bed_start(&bed);
    unsigned before = served;
    CU_ASSERT_EQUAL(fetch(&bed, ca, NULL, NULL, &answer), 0);
    CU_ASSERT_EQUAL(fetch(&bed, ca, named[0], named[1], &answer), 0);
    CU_ASSERT_EQUAL(fetch(&bed, ca, foreign[0], foreign[1], &answer), 0);
    CU_ASSERT_EQUAL(served, before);
    CU_ASSERT_EQUAL(answer.len, 0);
    CU_ASSERT_EQUAL(fetch(&bed, ca, good[0], good[1], &answer), 200);
    CU_ASSERT_PTR_NOT_NULL(strstr(buf_str(&answer), "|cks|"));
    for (size_t i = 0; i < 2; i++) {
        free(good[i]);
        free(named[i]);
        free(foreign[i]);
    }
    https_bed_clear(&bed, &authority);
    authority_clear(&other);
}

static void certificates_are_replaced_while_it_runs(void)
{
    struct bed bed;
    struct authority authority, other;
    char ca[64], other_ca[64];
    AUTO_BUF answer = BUF_INIT;
    https_bed(&bed, &authority, ca);
    authority_init(&other, "ca.pem");
    (void)snprintf(other_ca, sizeof other_ca, "%s/ca.pem", other.dir);
    bed_start(&bed);
    struct kms_config fresh = bed.config;
    issue(&other, "1", &fresh.cert, &fresh.key);
    CU_ASSERT_EQUAL(fetch(&bed, other_ca, NULL, NULL, &answer), 0);
    UNIT_OK(kms_server_reload(bed.server, &fresh));
    CU_ASSERT_EQUAL(fetch(&bed, other_ca, NULL, NULL, &answer), 200);
    char missing[] = "/nowhere.pem";
    struct kms_config wrong = fresh;
    wrong.cert = missing;
    UNIT_RC(kms_server_reload(bed.server, &wrong), RC_CONFIG);
    CU_ASSERT_EQUAL(fetch(&bed, other_ca, NULL, NULL, &answer), 200);
    free(fresh.cert);
    free(fresh.key);
    https_bed_clear(&bed, &authority);
    authority_clear(&other);
}

UNIT_SUITE("server", UNIT_CASE(what_was_sent_reaches_the_service_undecoded),
           UNIT_CASE(a_connection_serves_many_requests), UNIT_CASE(a_body_in_chunks_is_joined),
           UNIT_CASE(a_body_over_the_limit_is_answered_with_413),
           UNIT_CASE(headers_over_the_limit_are_refused), UNIT_CASE(doubtful_messages_are_refused),
           UNIT_CASE(callers_that_trickle_are_ended), UNIT_CASE(silent_callers_are_ended),
           UNIT_CASE(idle_callers_give_way_when_the_house_is_full),
           UNIT_CASE(slow_callers_give_way_when_the_house_is_full),
           UNIT_CASE(a_request_in_work_is_answered_before_the_end),
           UNIT_CASE(a_port_in_use_is_told), UNIT_CASE(https_tells_version_and_nobody),
           UNIT_CASE(without_the_demanded_certificate_nothing_is_answered),
           UNIT_CASE(certificates_are_replaced_while_it_runs));

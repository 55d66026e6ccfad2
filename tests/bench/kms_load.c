/* SPDX-License-Identifier: Apache-2.0 */
/* Signed requests to a KMS front end over keep-alive connections, one thread each; what came back
 * and how long it took. Signatures are made anew each second, as their date is.
 *
 * kms-load HOST:PORT CONNECTIONS SECONDS TARGET BODY      AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY
 * TARGET: TrentService.Encrypt, or a path of the external key store proxy.
 * Prints JSON. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CONNECTIONS_MAX 256
#define SAMPLES_MAX     (1 << 20)
#define REQUEST_MAX     16384

static struct {
    struct sockaddr_in address;
    const char *host, *target, *body, *access, *secret;
    unsigned connections;
    double seconds;
    uint64_t end_ns;
} load;

struct worker {
    pthread_t thread;
    uint32_t *took_us;
    size_t count;
    uint64_t failed, broken; /* answered otherwise than 200; not answered */
    uint64_t longest_gap_us; /* between two good answers */
    char first_failure[512];
};

static uint64_t now_ns(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000U + (uint64_t)t.tv_nsec;
}

/* ---- AWS Signature Version 4 */

static void hex(const uint8_t *raw, size_t len, char *out)
{
    for (size_t i = 0; i < len; i++)
        (void)snprintf(out + 2 * i, 3, "%02x", raw[i]);
}

static void mac(const uint8_t *key, size_t key_len, const char *text, uint8_t out[32])
{
    unsigned len = 32;
    (void)HMAC(EVP_sha256(), key, (int)key_len, (const unsigned char *)text, strlen(text), out,
               &len);
}

static void digest(const char *text, char out[65])
{
    uint8_t raw[32];
    (void)EVP_Digest(text, strlen(text), raw, NULL, EVP_sha256(), NULL);
    hex(raw, sizeof raw, out);
}

static bool is_proxy(void)
{
    return load.target[0] == '/';
}

static const char *service(void)
{
    return is_proxy() ? "kms-xks-proxy" : "kms";
}

static void sign(const char *date, const char *text, char out[65])
{
    uint8_t key[32];
    char first[256], day[9];
    (void)snprintf(day, sizeof day, "%.8s", date);
    (void)snprintf(first, sizeof first, "AWS4%s", load.secret);
    mac((const uint8_t *)first, strlen(first), day, key);
    mac(key, sizeof key, "us-east-1", key);
    mac(key, sizeof key, service(), key);
    mac(key, sizeof key, "aws4_request", key);
    mac(key, sizeof key, text, key);
    hex(key, sizeof key, out);
}

static size_t make_request(time_t second, char *out)
{
    char date[17], body_hash[65], canonical[2048], canonical_hash[65], text[512], signature[65];
    char target[256] = "", target_line[256] = "";
    const char *names =
        is_proxy() ? "content-type;host;x-amz-date" : "content-type;host;x-amz-date;x-amz-target";
    const char *path = is_proxy() ? load.target : "/";
    if (!is_proxy()) {
        (void)snprintf(target, sizeof target, "X-Amz-Target: %s\r\n", load.target);
        (void)snprintf(target_line, sizeof target_line, "x-amz-target:%s\n", load.target);
    }
    struct tm utc;
    (void)gmtime_r(&second, &utc);
    (void)strftime(date, sizeof date, "%Y%m%dT%H%M%SZ", &utc);
    digest(load.body, body_hash);
    (void)snprintf(canonical, sizeof canonical,
                   "POST\n%s\n\ncontent-type:application/x-amz-json-1.1\nhost:%s\nx-amz-date:%s\n"
                   "%s\n%s\n%s",
                   path, load.host, date, target_line, names, body_hash);
    digest(canonical, canonical_hash);
    (void)snprintf(text, sizeof text, "AWS4-HMAC-SHA256\n%s\n%.8s/us-east-1/%s/aws4_request\n%s",
                   date, date, service(), canonical_hash);
    sign(date, text, signature);
    int len =
        snprintf(out, REQUEST_MAX,
                 "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/x-amz-json-1.1\r\n"
                 "X-Amz-Date: %s\r\n%sAuthorization: AWS4-HMAC-SHA256 "
                 "Credential=%s/%.8s/us-east-1/%s/aws4_request, SignedHeaders=%s, "
                 "Signature=%s\r\nContent-Length: %zu\r\n\r\n%s",
                 path, load.host, date, target, load.access, date, service(), names, signature,
                 strlen(load.body), load.body);
    return len > 0 && len < REQUEST_MAX ? (size_t)len : 0;
}

/* ---- one connection */

static int dial(void)
{
    const int on = 1;
    const struct timeval patience = {.tv_sec = 10};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&load.address, sizeof load.address) != 0) {
        (void)close(fd);
        return -1;
    }
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    return fd;
}

/* Reads one answer; its status, or 0. */
static int answer(int fd, char *text, size_t size)
{
    size_t len = 0;
    for (;;) {
        ssize_t got = recv(fd, text + len, size - 1 - len, 0);
        if (got <= 0)
            return 0;
        len += (size_t)got;
        text[len] = 0;
        const char *body = strstr(text, "\r\n\r\n");
        if (body == NULL)
            continue;
        const char *length = strcasestr(text, "\r\ncontent-length:");
        size_t wanted = length == NULL ? 0 : strtoul(length + 17, NULL, 10);
        if ((size_t)(body + 4 - text) + wanted <= len)
            return (int)strtol(text + 9, NULL, 10);
        if (len + 1 >= size)
            return 0;
    }
}

static void note(struct worker *worker, int status, const char *text)
{
    worker->failed += status != 0 ? 1 : 0;
    worker->broken += status == 0 ? 1 : 0;
    const char *body = strstr(text, "\r\n\r\n");
    if (worker->first_failure[0] == 0)
        (void)snprintf(worker->first_failure, sizeof worker->first_failure, "%d %.480s", status,
                       body == NULL ? "" : body + 4);
}

static void *work(void *context)
{
    struct worker *worker = context;
    static _Thread_local char request[REQUEST_MAX], text[REQUEST_MAX];
    size_t len = 0;
    time_t made = 0;
    int fd = -1;
    uint64_t good_ns = now_ns();
    while (now_ns() < load.end_ns) {
        if (fd < 0 && (fd = dial()) < 0) {
            worker->broken++;
            (void)usleep(10000);
            continue;
        }
        if (time(NULL) != made) {
            made = time(NULL);
            len = make_request(made, request);
        }
        uint64_t begin_ns = now_ns();
        text[0] = 0;
        int status = send(fd, request, len, MSG_NOSIGNAL) == (ssize_t)len
                         ? answer(fd, text, sizeof text)
                         : 0;
        uint64_t end_ns = now_ns();
        if (status == 200) {
            uint64_t gap_us = (end_ns - good_ns) / 1000;
            worker->longest_gap_us =
                gap_us > worker->longest_gap_us ? gap_us : worker->longest_gap_us;
            good_ns = end_ns;
            if (worker->count < SAMPLES_MAX)
                worker->took_us[worker->count++] = (uint32_t)((end_ns - begin_ns) / 1000);
            continue;
        }
        note(worker, status, text);
        if (status == 0) {
            (void)close(fd);
            fd = -1;
        }
    }
    if (fd >= 0)
        (void)close(fd);
    return NULL;
}

static int by_time(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static void print_json_text(const char *text)
{
    for (; *text != 0; text++)
        if (*text == '"' || *text == '\\')
            (void)printf("\\%c", *text);
        else if ((unsigned char)*text >= 0x20)
            (void)putchar(*text);
}

static int report(const struct worker *workers)
{
    size_t count = 0;
    uint64_t failed = 0, broken = 0, gap = 0;
    const char *why = "";
    for (unsigned i = 0; i < load.connections; i++)
        count += workers[i].count;
    uint32_t *all = calloc(count + 1, sizeof *all);
    if (all == NULL)
        return 1;
    size_t at = 0;
    for (unsigned i = 0; i < load.connections; i++) {
        memcpy(all + at, workers[i].took_us, workers[i].count * sizeof *all);
        at += workers[i].count;
        failed += workers[i].failed;
        broken += workers[i].broken;
        gap = workers[i].longest_gap_us > gap ? workers[i].longest_gap_us : gap;
        why = workers[i].first_failure[0] != 0 ? workers[i].first_failure : why;
    }
    qsort(all, count, sizeof *all, by_time);
    (void)printf("{\"done\": %zu, \"rate\": %.0f, \"failed\": %llu, \"broken\": %llu, \"p50_us\": "
                 "%u, \"p99_us\": %u, \"max_us\": %u, \"longest_gap_us\": %llu, \"why\": \"",
                 count, (double)count / load.seconds, (unsigned long long)failed,
                 (unsigned long long)broken, count == 0 ? 0 : all[count / 2],
                 count == 0 ? 0 : all[count * 99 / 100], count == 0 ? 0 : all[count - 1],
                 (unsigned long long)gap);
    print_json_text(why);
    (void)printf("\"}\n");
    free(all);
    return count > 0 ? 0 : 1;
}

static bool read_arguments(int argc, char **argv)
{
    static char host[64];
    char *colon = argc == 6 ? strrchr(argv[1], ':') : NULL;
    load.access = getenv("AWS_ACCESS_KEY_ID");
    load.secret = getenv("AWS_SECRET_ACCESS_KEY");
    if (colon == NULL || load.access == NULL || load.secret == NULL)
        return false;
    (void)snprintf(host, sizeof host, "%s", argv[1]);
    load.host = host;
    load.address = (struct sockaddr_in){.sin_family = AF_INET,
                                        .sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10))};
    *colon = 0;
    load.connections = (unsigned)strtoul(argv[2], NULL, 10);
    load.seconds = strtod(argv[3], NULL);
    load.target = argv[4];
    load.body = argv[5];
    return inet_pton(AF_INET, argv[1], &load.address.sin_addr) == 1 && load.connections > 0 &&
           load.connections <= CONNECTIONS_MAX && load.seconds > 0 && strlen(load.body) < 8192;
}

int main(int argc, char **argv)
{
    static struct worker workers[CONNECTIONS_MAX];
    if (!read_arguments(argc, argv)) {
        (void)fprintf(stderr, "kms-load HOST:PORT CONNECTIONS SECONDS TARGET BODY\n");
        return 2;
    }
    load.end_ns = now_ns() + (uint64_t)(load.seconds * 1e9);
    for (unsigned i = 0; i < load.connections; i++) {
        workers[i].took_us = calloc(SAMPLES_MAX, sizeof(uint32_t));
        if (workers[i].took_us == NULL ||
            pthread_create(&workers[i].thread, NULL, work, &workers[i]) != 0)
            return 1;
    }
    for (unsigned i = 0; i < load.connections; i++)
        (void)pthread_join(workers[i].thread, NULL);
    return report(workers);
}

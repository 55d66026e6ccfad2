/* SPDX-License-Identifier: Apache-2.0 */
/* Requests to external key store proxies by libcurl, one connection a thread that is at it. */
#include "kms/xks_client.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "common/log.h"
#include "kms/base64.h"
#include "kms/sigv4.h"
#include "kms/xks_answer.h"

#define IDLE_MAX       64U
#define ANSWER_MAX     ((size_t)64 * 1024)
#define CONTENT_TYPE   "application/json"
#define URL_MAX        (XKS_URI_MAX + 8U) /* and a port */
#define CDIV_ALGORITHM "SHA_256"

struct xks_client {
    const struct kms_config *config;
    pthread_mutex_t lock;
    CURL *idle[IDLE_MAX]; /* with their open connections */
    size_t idle_count;
};

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;
static CURLcode curl_ready;
static void start_curl(void)
{
    curl_ready = curl_global_init(CURL_GLOBAL_DEFAULT);
}

enum rc xks_client_new(const struct kms_config *config, struct xks_client **out)
{
    (void)pthread_once(&curl_once, start_curl);
    if (curl_ready != CURLE_OK)
        return rc_fail(RC_INTERNAL, "libcurl: %s", curl_easy_strerror(curl_ready));
    struct xks_client *client = calloc(1, sizeof *client);
    if (client == NULL)
        return RC_NO_MEMORY;
    client->config = config;
    (void)pthread_mutex_init(&client->lock, NULL);
    *out = client;
    return RC_OK;
}

void xks_client_free(struct xks_client *client)
{
    if (client == NULL)
        return;
    for (size_t i = 0; i < client->idle_count; i++)
        curl_easy_cleanup(client->idle[i]);
    (void)pthread_mutex_destroy(&client->lock);
    free(client);
}

/* ---- one exchange */

struct exchange {
    const struct xks_call *call;
    const char *verb; /* "encrypt"; health has none */
    char url[URL_MAX];
    const char *host; /* in url */
    char host_text[140];
    const char *path; /* in url */
    struct bytes body;
    struct buf answer;
    long status;
    char problem[CURL_ERROR_SIZE];
};

static uint64_t wall_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static size_t receive(char *data, size_t size, size_t count, void *context)
{
    struct exchange *exchange = context;
    enum rc rc = buf_append(&exchange->answer, bytes_of(data, size * count));
    return rc == RC_OK ? size * count : 0;
}

/* The host as the Host header and the signature have it: without the port that https means. */
static void read_host(struct exchange *exchange)
{
    static const char standard[] = ":443";
    size_t len = (size_t)(exchange->path - exchange->host);
    size_t tail = sizeof standard - 1;
    if (len > tail && strncmp(exchange->path - tail, standard, tail) == 0)
        len -= tail;
    (void)snprintf(exchange->host_text, sizeof exchange->host_text, "%.*s", (int)len,
                   exchange->host);
}

static enum xks_error make_url(struct exchange *exchange)
{
    const struct xks_call *call = exchange->call;
    int len = call->key_id == NULL
                  ? snprintf(exchange->url, sizeof exchange->url, "%s%s/health", call->endpoint,
                             call->path)
                  : snprintf(exchange->url, sizeof exchange->url, "%s%s/keys/%s/%s", call->endpoint,
                             call->path, call->key_id, exchange->verb);
    if (len < 0 || (size_t)len >= sizeof exchange->url ||
        strncmp(exchange->url, "https://", 8) != 0)
        return XKS_E_INVALID_URI_PATH;
    exchange->host = exchange->url + 8;
    exchange->path = strchr(exchange->host, '/');
    if (exchange->path == NULL)
        return XKS_E_INVALID_URI_PATH;
    read_host(exchange);
    return XKS_OK;
}

static bool add_header(struct curl_slist **list, const char *name, const char *value)
{
    AUTO_BUF line = BUF_INIT;
    if (buf_printf(&line, "%s: %s", name, value) != RC_OK)
        return false;
    struct curl_slist *longer = curl_slist_append(*list, buf_str(&line));
    if (longer != NULL)
        *list = longer;
    return longer != NULL;
}

static bool make_headers(const struct exchange *exchange, struct curl_slist **out)
{
    char date[17];
    AUTO_BUF authorization = BUF_INIT;
    const struct sigv4_signer signer = {
        .access_key = exchange->call->access_key,
        .secret = exchange->call->secret,
        .region = exchange->call->region,
        .service = XKS_SERVICE,
        .time_ms = wall_ms(),
    };
    if (sigv4_sign(&signer, exchange->host_text, exchange->path, CONTENT_TYPE, exchange->body, date,
                   &authorization) != KMS_OK)
        return false;
    return add_header(out, "Host", exchange->host_text) &&
           add_header(out, "Content-Type", CONTENT_TYPE) && add_header(out, "X-Amz-Date", date) &&
           add_header(out, "Authorization", buf_str(&authorization)) &&
           add_header(out, "Expect", "");
}

static void set_tls(const struct kms_config *config, CURL *curl)
{
    (void)curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    (void)curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 1L);
    (void)curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 2L);
    if (config->xks_ca != NULL)
        (void)curl_easy_setopt(curl, CURLOPT_CAINFO, config->xks_ca);
    if (config->xks_cert != NULL)
        (void)curl_easy_setopt(curl, CURLOPT_SSLCERT, config->xks_cert);
    if (config->xks_key != NULL)
        (void)curl_easy_setopt(curl, CURLOPT_SSLKEY, config->xks_key);
}

/* Nothing of the process's environment: no proxy, no .netrc, no redirection. */
static void set_up(const struct kms_config *config, CURL *curl, struct exchange *exchange,
                   struct curl_slist *headers)
{
    (void)curl_easy_setopt(curl, CURLOPT_URL, exchange->url);
    (void)curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "https");
    (void)curl_easy_setopt(curl, CURLOPT_PROXY, "");
    (void)curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
    (void)curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    (void)curl_easy_setopt(curl, CURLOPT_USERAGENT, "qhsm-kms/" QHSM_VERSION);
    (void)curl_easy_setopt(curl, CURLOPT_POST, 1L);
    (void)curl_easy_setopt(curl, CURLOPT_POSTFIELDS, (const char *)exchange->body.ptr);
    (void)curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, (long)exchange->body.len);
    (void)curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, receive);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEDATA, exchange);
    (void)curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, exchange->problem);
    (void)curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(curl, CURLOPT_TCP_NODELAY, 1L);
    (void)curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)config->xks_timeout_ms);
    (void)curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)config->xks_timeout_ms);
    set_tls(config, curl);
}

/* ---- what libcurl says, in KMS's terms */

static enum xks_error error_of_timeout(CURL *curl)
{
    curl_off_t connected_us = 0;
    (void)curl_easy_getinfo(curl, CURLINFO_CONNECT_TIME_T, &connected_us);
    return connected_us == 0 ? XKS_E_NO_CONNECTION : XKS_E_TIMED_OUT;
}

static enum xks_error error_of(CURL *curl, CURLcode code)
{
    switch ((int)code) {
    case CURLE_OK:
        return XKS_OK;
    case CURLE_OPERATION_TIMEDOUT:
        return error_of_timeout(curl);
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_ENGINE_NOTFOUND:
        return XKS_E_NO_TLS;
    case CURLE_WRITE_ERROR: /* larger than any answer of the API */
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_HTTP2:
        return XKS_E_MALFORMED;
    case CURLE_OUT_OF_MEMORY:
        return XKS_E_INTERNAL;
    default:
        return XKS_E_NO_CONNECTION;
    }
}

static CURL *take_handle(struct xks_client *client)
{
    CURL *curl = NULL;
    (void)pthread_mutex_lock(&client->lock);
    if (client->idle_count > 0)
        curl = client->idle[--client->idle_count];
    (void)pthread_mutex_unlock(&client->lock);
    return curl != NULL ? curl : curl_easy_init();
}

static void give_handle(struct xks_client *client, CURL *curl)
{
    (void)pthread_mutex_lock(&client->lock);
    bool is_kept = client->idle_count < IDLE_MAX;
    if (is_kept)
        client->idle[client->idle_count++] = curl;
    (void)pthread_mutex_unlock(&client->lock);
    if (!is_kept)
        curl_easy_cleanup(curl);
}

static enum xks_error perform(struct xks_client *client, struct exchange *exchange,
                              struct curl_slist *headers)
{
    CURL *curl = take_handle(client);
    if (curl == NULL)
        return XKS_E_INTERNAL;
    set_up(client->config, curl, exchange, headers);
    enum xks_error error = error_of(curl, curl_easy_perform(curl));
    (void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &exchange->status);
    curl_easy_reset(curl); /* of what points into this exchange; connections stay */
    give_handle(client, curl);
    return error;
}

static enum xks_error finish(struct exchange *exchange, enum xks_error error)
{
    char message[XKS_MESSAGE_MAX + 1] = "";
    if (error == XKS_OK && exchange->status != 200)
        error = xks_answer_error(buf_bytes(&exchange->answer), message);
    else if (error != XKS_OK)
        (void)snprintf(message, sizeof message, "%s", exchange->problem);
    if (error != XKS_OK && log_admits())
        log_warn("xks_refused", "url=%s request=%s status=%ld code=%s message=\"%s\"",
                 exchange->url, exchange->call->request_id, exchange->status,
                 xks_error_row(error)->code, message);
    return error;
}

/* `body` becomes the request's; the answer's body is in exchange->answer. */
static enum xks_error exchange_run(struct xks_client *client, struct exchange *exchange,
                                   json_t *body)
{
    struct curl_slist *headers = NULL;
    char *text = body == NULL ? NULL : json_dumps(body, JSON_COMPACT);
    if (text == NULL)
        return XKS_E_INTERNAL;
    exchange->body = bytes_of_str(text);
    enum xks_error error = make_url(exchange);
    if (error == XKS_OK && !make_headers(exchange, &headers))
        error = XKS_E_INTERNAL;
    if (error == XKS_OK)
        error = perform(client, exchange, headers);
    error = finish(exchange, error);
    curl_slist_free_all(headers);
    free(text);
    return error;
}

/* ---- bodies */

static void put_text(json_t *object, const char *member, const char *text)
{
    if (text != NULL)
        (void)json_object_set_new(object, member, json_string(text));
}

static bool put_blob(json_t *object, const char *member, struct bytes blob)
{
    AUTO_BUF text = BUF_INIT;
    return base64_encode(blob, &text) == RC_OK &&
           json_object_set_new(object, member, json_stringn(buf_str(&text), text.len)) == 0;
}

static json_t *body_new(const struct xks_call *call)
{
    json_t *metadata = json_object();
    put_text(metadata, "awsPrincipalArn", call->key_id != NULL ? call->principal : NULL);
    put_text(metadata, "kmsKeyArn", call->key_id != NULL ? call->key_arn : NULL);
    put_text(metadata, "kmsOperation", call->operation);
    put_text(metadata, "kmsRequestId", call->request_id);
    return json_pack("{s:o}", "requestMetadata", metadata);
}

static void exchange_clear(struct exchange *exchange)
{
    buf_clear(&exchange->answer);
}
#define EXCHANGE(call_, verb_)                                            \
    __attribute__((cleanup(exchange_clear))) struct exchange exchange = { \
        .call = (call_), .verb = (verb_), .answer = BUF_INIT_MAX(ANSWER_MAX)}

enum xks_error xks_client_health(struct xks_client *client, const struct xks_call *call)
{
    EXCHANGE(call, NULL);
    json_t *body = body_new(call);
    enum xks_error error = exchange_run(client, &exchange, body);
    json_decref(body);
    return error == XKS_OK ? xks_answer_health(buf_bytes(&exchange.answer)) : error;
}

enum xks_error xks_client_metadata(struct xks_client *client, const struct xks_call *call)
{
    struct xks_call without_key = *call; /* there is no KMS key yet */
    without_key.key_arn = NULL;
    EXCHANGE(&without_key, "metadata");
    json_t *body = body_new(&without_key);
    enum xks_error error = exchange_run(client, &exchange, body);
    json_decref(body);
    return error == XKS_OK ? xks_answer_metadata(buf_bytes(&exchange.answer)) : error;
}

enum xks_error xks_client_encrypt(struct xks_client *client, const struct xks_call *call,
                                  struct bytes aad, struct bytes plain, struct buf *out)
{
    EXCHANGE(call, "encrypt");
    json_t *body = body_new(call);
    put_text(body, "encryptionAlgorithm", "AES_GCM");
    put_text(body, "ciphertextDataIntegrityValueAlgorithm", CDIV_ALGORITHM);
    bool good =
        put_blob(body, "additionalAuthenticatedData", aad) && put_blob(body, "plaintext", plain);
    enum xks_error error = good ? exchange_run(client, &exchange, body) : XKS_E_INTERNAL;
    json_decref(body);
    return error == XKS_OK ? xks_answer_encrypt(buf_bytes(&exchange.answer), aad, plain.len, out)
                           : error;
}

static bool put_sealed(json_t *body, const struct xks_sealed *sealed)
{
    return put_blob(body, "initializationVector", sealed->iv) &&
           put_blob(body, "ciphertext", sealed->text) &&
           put_blob(body, "authenticationTag", sealed->tag) &&
           (sealed->metadata.len == 0 || put_blob(body, "ciphertextMetadata", sealed->metadata));
}

enum xks_error xks_client_decrypt(struct xks_client *client, const struct xks_call *call,
                                  struct bytes aad, struct bytes sealed, struct secret *out)
{
    EXCHANGE(call, "decrypt");
    struct xks_sealed parts;
    enum xks_error error = xks_answer_open(sealed, &parts);
    if (error != XKS_OK)
        return error;
    json_t *body = body_new(call);
    put_text(body, "encryptionAlgorithm", "AES_GCM");
    bool good = put_blob(body, "additionalAuthenticatedData", aad) && put_sealed(body, &parts);
    error = good ? exchange_run(client, &exchange, body) : XKS_E_INTERNAL;
    json_decref(body);
    return error == XKS_OK ? xks_answer_decrypt(buf_bytes(&exchange.answer), parts.text.len, out)
                           : error;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP by libmicrohttpd, a thread a connection: the one place that knows it. */
#include "kms/server.h"

#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "common/log.h"
#include "kms/secret_file.h"
#include "kms/server_internal.h"

#define HEADERS_BYTES ((size_t)32 * 1024) /* of one request's line and headers */
#define TARGET_MAX    ((size_t)32 * 1024)
#define STACK_BYTES   ((size_t)1024 * 1024)
#define ANSWER_MAX    ((size_t)4 * 1024 * 1024)
#define DRAIN_MAX     ((size_t)4 * 1024 * 1024) /* of a body that is refused anyway */
/* Beyond connections_max, until those that were ended are gone. */
#define CONNECTIONS_OVER 64U
#define STOP_MS          5000U
#define STOP_STEP_MS     10U

struct listener {
    struct MHD_Daemon *daemon;
    unsigned port;
};

struct kms_server {
    struct kms *kms;
    struct server_watch *watch;
    pthread_mutex_t tls_lock;
    struct server_tls *tls; /* of new connections */
    struct listener http, https;
};

/* ---- connections */

static void caller_free(struct caller *caller)
{
    buf_clear(&caller->target);
    buf_clear(&caller->body);
    buf_clear(&caller->answer.body);
    server_tls_unref(caller->tls);
    free(caller);
}

/* Each answer is taken before the next question: libmicrohttpd 1.0 has one place for all. */
static int socket_of(struct MHD_Connection *connection)
{
    return MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
}

static gnutls_session_t session_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
    return info == NULL ? NULL : (gnutls_session_t)info->tls_session;
}

static struct caller *caller_new(struct kms_server *server, struct MHD_Connection *connection)
{
    gnutls_session_t session = session_of(connection);
    struct caller *caller = calloc(1, sizeof *caller);
    if (caller == NULL)
        return NULL;
    caller->fd = socket_of(connection);
    caller->target = (struct buf)BUF_INIT_MAX(TARGET_MAX);
    caller->body = (struct buf)BUF_INIT_MAX(HTTP_BODY_MAX);
    caller->answer.body = (struct buf)BUF_INIT_MAX(ANSWER_MAX);
    server_socket_peer(caller->fd, caller->peer, sizeof caller->peer);
    if (session != NULL) {
        (void)pthread_mutex_lock(&server->tls_lock);
        caller->tls = server_tls_ref(server->tls);
        (void)pthread_mutex_unlock(&server->tls_lock);
        server_tls_attach(caller, session);
    }
    return caller;
}

static void on_connection(void *context, struct MHD_Connection *connection, void **slot,
                          enum MHD_ConnectionNotificationCode what)
{
    struct kms_server *server = context;
    struct caller *caller = *slot;
    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        *slot = caller = caller_new(server, connection);
        if (caller != NULL)
            server_watch_add(server->watch, caller);
    } else if (caller != NULL) {
        server_watch_remove(server->watch, caller);
        caller_free(caller);
        *slot = NULL;
    }
}

static struct caller *caller_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info == NULL ? NULL : info->socket_context;
}

/* The first line is there: libmicrohttpd decodes it next, and signatures are of what was sent. */
static void *on_target(void *context, const char *uri, struct MHD_Connection *connection)
{
    struct caller *caller = caller_of(connection);
    (void)context;
    if (caller == NULL)
        return NULL;
    server_watch_state(caller, CALLER_READING);
    caller->is_begun = false;
    caller->dropped = 0;
    if (buf_resize(&caller->target, 0) != RC_OK || buf_resize(&caller->body, 0) != RC_OK ||
        buf_append(&caller->target, bytes_of(uri, strlen(uri) + 1)) != RC_OK)
        (void)buf_resize(&caller->target, 0);
    return caller;
}

/* Plaintext may have gone through. */
static void on_completed(void *context, struct MHD_Connection *connection, void **slot,
                         enum MHD_RequestTerminationCode how)
{
    struct caller *caller = *slot;
    (void)context;
    (void)connection;
    (void)how;
    if (caller == NULL)
        return;
    (void)buf_resize(&caller->body, 0);
    (void)buf_resize(&caller->answer.body, 0);
    server_watch_state(caller, CALLER_WAITING);
    *slot = NULL;
}

/* ---- answers */

/* RFC 9562 5.4 */
static void fresh_id(char out[37])
{
    uint8_t raw[16] = {0};
    if (getrandom(raw, sizeof raw, 0) != (ssize_t)sizeof raw)
        log_warn("no_randomness", "for=request_id");
    raw[6] = (uint8_t)((raw[6] & 0x0f) | 0x40);
    raw[8] = (uint8_t)((raw[8] & 0x3f) | 0x80);
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < sizeof raw; i++) {
        *out++ = digits[raw[i] >> 4];
        *out++ = digits[raw[i] & 15];
        if (i == 3 || i == 5 || i == 7 || i == 9)
            *out++ = '-';
    }
    *out = 0;
}

static void put(struct MHD_Response *response, const char *name, const char *value)
{
    if (value != NULL)
        (void)MHD_add_response_header(response, name, value);
}

/* The body stays the caller's until on_completed(). */
static enum MHD_Result send_answer(struct MHD_Connection *connection, struct caller *caller,
                                   const char *id, bool closes)
{
    static char nothing[1];
    struct http_answer *answer = &caller->answer;
    struct MHD_Response *response = MHD_create_response_from_buffer(
        answer->body.len, answer->body.len == 0 ? nothing : (void *)answer->body.ptr,
        MHD_RESPMEM_PERSISTENT);
    if (response == NULL)
        return MHD_NO;
    put(response, "x-amzn-RequestId", id);
    put(response, "Content-Type", answer->content_type);
    put(response, "x-amzn-ErrorType", answer->error_type);
    put(response, "Cache-Control", "no-cache, no-store, must-revalidate, private");
    put(response, "Allow", answer->status == 405 ? "POST" : NULL);
    put(response, "Connection", closes ? "close" : NULL);
    server_watch_state(caller, CALLER_ANSWERING);
    if (answer->status < 300)
        server_watch_accepted(caller);
    enum MHD_Result result = MHD_queue_response(connection, answer->status, response);
    MHD_destroy_response(response);
    return result;
}

/* What is refused before it is a request. */
static enum MHD_Result refuse(struct MHD_Connection *connection, struct caller *caller,
                              enum kms_error error, unsigned status)
{
    char id[37];
    fresh_id(id);
    http_answer_error(&caller->answer, error);
    caller->answer.status = status;
    return send_answer(connection, caller, id, true);
}

static enum MHD_Result refuse_size(struct MHD_Connection *connection, struct caller *caller)
{
    return refuse(connection, caller,
                  kms_fail(KMS_REQUEST_TOO_LARGE, "Request size is over %zu bytes.", HTTP_BODY_MAX),
                  413);
}

/* ---- requests */

struct gather {
    struct http_request *request;
    const char *wrong; /* NULL: good */
    unsigned hosts, lengths, codings;
};

static enum MHD_Result on_header(void *context, enum MHD_ValueKind kind, const char *key,
                                 size_t key_len, const char *value, size_t value_len)
{
    struct gather *gather = context;
    struct http_request *request = gather->request;
    (void)kind;
    if (value == NULL)
        value = "";
    if (request->header_count == HTTP_HEADERS_MAX)
        gather->wrong = "There are too many headers.";
    else if (strlen(key) != key_len || strlen(value) != value_len)
        gather->wrong = "There is a NUL in a header.";
    if (gather->wrong != NULL)
        return MHD_NO;
    request->headers[request->header_count++] = (struct http_header){key, value};
    gather->hosts += strcasecmp(key, "host") == 0;
    gather->lengths += strcasecmp(key, "content-length") == 0;
    gather->codings += strcasecmp(key, "transfer-encoding") == 0;
    return MHD_YES;
}

/* What two readers of the same bytes could read differently is not read: RFC 9112 11.2. NULL: good.
 */
static const char *gather_headers(struct MHD_Connection *connection, struct http_request *request)
{
    struct gather gather = {.request = request};
    (void)MHD_get_connection_values_n(connection, MHD_HEADER_KIND, on_header, &gather);
    if (gather.wrong != NULL)
        return gather.wrong;
    if (gather.hosts > 1 || gather.lengths + gather.codings > 1)
        return "Host, Content-Length or Transfer-Encoding is there more than once, or both of the "
               "last two.";
    return NULL;
}

static uint64_t wall_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void describe_tls(struct MHD_Connection *connection, struct caller *caller)
{
    gnutls_session_t session = session_of(connection);
    if (session != NULL)
        server_tls_describe(caller, session);
    caller->is_described = true;
}

static void fill_request(struct caller *caller, const char *method, struct http_request *out)
{
    char *target = (char *)caller->target.ptr;
    char *mark = strchr(target, '?');
    out->method = method;
    out->path = target;
    out->query = "";
    if (mark != NULL) {
        *mark = 0;
        out->query = mark + 1;
    }
    out->body = buf_bytes(&caller->body);
    out->peer = caller->peer;
    out->is_tls = caller->tls != NULL;
    out->tls_version = caller->tls_version;
    out->tls_cipher = caller->tls_cipher;
    out->client_subject = caller->subject[0] == 0 ? NULL : caller->subject;
    out->time_ms = wall_ms();
    fresh_id(out->id);
}

static enum MHD_Result serve(struct kms_server *server, struct MHD_Connection *connection,
                             struct caller *caller, const char *method)
{
    struct http_request request = {.header_count = 0};
    const char *wrong = gather_headers(connection, &request);
    if (wrong == NULL && (caller->target.len == 0 || caller->target.ptr[0] != '/'))
        wrong = "The request's target is not a path, or too long.";
    if (wrong != NULL)
        return refuse(connection, caller, kms_fail(KMS_SERIALIZATION, "%s", wrong), 400);
    if (caller->tls != NULL && !caller->is_described)
        describe_tls(connection, caller);
    fill_request(caller, method, &request);
    server_watch_state(caller, CALLER_WORKING);
    caller->answer.status = 0;
    caller->answer.content_type = NULL;
    caller->answer.error_type = NULL;
    (void)buf_resize(&caller->answer.body, 0);
    http_route(server->kms, &request, &caller->answer);
    return send_answer(connection, caller, request.id, false);
}

/* Headers are there, the body is not. */
static enum MHD_Result begin(struct MHD_Connection *connection, struct caller *caller)
{
    const char *length = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Content-Length");
    caller->is_begun = true;
    if (length != NULL && strtoull(length, NULL, 10) > HTTP_BODY_MAX + DRAIN_MAX)
        return refuse_size(connection, caller);
    return MHD_YES;
}

/* A body that is too large is read on for a while, so that the caller sees the answer. */
static enum MHD_Result take_body(struct caller *caller, const char *data, size_t len)
{
    if (caller->dropped == 0 && buf_append(&caller->body, bytes_of(data, len)) == RC_OK)
        return MHD_YES;
    caller->dropped += len;
    return caller->dropped <= DRAIN_MAX ? MHD_YES : MHD_NO;
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *data,
                                  size_t *data_len, void **slot)
{
    struct caller *caller = *slot;
    (void)url;
    (void)version;
    if (caller == NULL)
        return MHD_NO;
    if (!caller->is_begun)
        return begin(connection, caller);
    if (*data_len > 0) {
        enum MHD_Result result = take_body(caller, data, *data_len);
        *data_len = 0;
        return result;
    }
    if (caller->dropped > 0)
        return refuse_size(connection, caller);
    return serve(context, connection, caller, method);
}

/* ---- start and stop */

static void on_log(void *context, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));
static void on_log(void *context, const char *format, va_list args)
{
    char text[512];
    (void)context;
    (void)vsnprintf(text, sizeof text, format, args);
    text[strcspn(text, "\r\n")] = 0;
    log_debug("http_library", "text=\"%s\"", text);
}

/* NUL-terminated. */
static enum rc read_pem(const char *path, struct secret *out)
{
    TRY(secret_file_read(path, out));
    return secret_put_u8(out, 0);
}

static struct MHD_Daemon *start_daemon(struct kms_server *server, int fd, unsigned extra,
                                       const struct MHD_OptionItem *tls)
{
    const struct kms_config *config = server->kms->config;
    unsigned flags = MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD |
                     MHD_USE_POLL | MHD_USE_ITC | MHD_USE_ERROR_LOG | extra;
    return MHD_start_daemon(
        flags, 0, NULL, NULL, on_request, server, MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL,
        MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_NOTIFY_CONNECTION, on_connection, server,
        MHD_OPTION_URI_LOG_CALLBACK, on_target, server, MHD_OPTION_NOTIFY_COMPLETED, on_completed,
        server, MHD_OPTION_CONNECTION_LIMIT, (unsigned)config->connections_max + CONNECTIONS_OVER,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)config->idle_timeout_s,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, HEADERS_BYTES, MHD_OPTION_THREAD_STACK_SIZE,
        STACK_BYTES, MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_ARRAY, tls, MHD_OPTION_END);
}

static enum rc listen_on(struct kms_server *server, const char *key, const char *address,
                         const struct MHD_OptionItem *tls, struct listener *out)
{
    int fd = -1;
    TRY(server_socket_listen(key, address, &fd, &out->port));
    out->daemon = start_daemon(server, fd, tls[0].option == MHD_OPTION_END ? 0 : MHD_USE_TLS, tls);
    if (out->daemon == NULL) {
        (void)close(fd);
        return rc_fail(RC_CONFIG, "%s = %s: the HTTP library does not start there", key, address);
    }
    log_info("listening", "%s=%s port=%u", key, address, out->port);
    return RC_OK;
}

static enum rc listen_http(struct kms_server *server)
{
    const struct MHD_OptionItem none[] = {{MHD_OPTION_END, 0, NULL}};
    const char *address = server->kms->config->listen;
    return address == NULL ? RC_OK : listen_on(server, "listen", address, none, &server->http);
}

static enum rc listen_https(struct kms_server *server)
{
    const struct kms_config *config = server->kms->config;
    AUTO_SECRET cert = SECRET_INIT;
    AUTO_SECRET key = SECRET_INIT;
    if (config->listen_https == NULL)
        return RC_OK;
    TRY(server_tls_new(config, &server->tls));
    /* The library wants some to begin with; each connection has its own: server_tls_attach(). */
    TRY(read_pem(config->cert, &cert));
    TRY(read_pem(config->key, &key));
    const struct MHD_OptionItem tls[] = {
        {MHD_OPTION_HTTPS_MEM_KEY, 0, key.ptr},
        {MHD_OPTION_HTTPS_MEM_CERT, 0, cert.ptr},
        {MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t)server_tls_priorities},
        {MHD_OPTION_END, 0, NULL}};
    return listen_on(server, "listen_https", config->listen_https, tls, &server->https);
}

enum rc kms_server_start(struct kms *kms, struct kms_server **out)
{
    struct kms_server *server = calloc(1, sizeof *server);
    if (server == NULL)
        return RC_NO_MEMORY;
    server->kms = kms;
    (void)pthread_mutex_init(&server->tls_lock, NULL);
    enum rc rc = server_watch_new(kms->config, &server->watch);
    if (rc == RC_OK)
        rc = listen_https(server);
    if (rc == RC_OK) /* last: who finds that it answers there finds both */
        rc = listen_http(server);
    if (rc != RC_OK) {
        kms_server_stop(server);
        return rc;
    }
    *out = server;
    return RC_OK;
}

static void quiesce(struct listener *listener)
{
    int fd = listener->daemon == NULL ? -1 : MHD_quiesce_daemon(listener->daemon);
    if (fd >= 0)
        (void)close(fd);
}

void kms_server_stop(struct kms_server *server)
{
    if (server == NULL)
        return;
    const struct timespec step = {.tv_nsec = (long)STOP_STEP_MS * 1000000};
    quiesce(&server->http);
    quiesce(&server->https);
    for (unsigned waited = 0; waited < STOP_MS && server->watch != NULL; waited += STOP_STEP_MS) {
        if (server_watch_busy(server->watch) == 0)
            break;
        (void)nanosleep(&step, NULL);
    }
    if (server->http.daemon != NULL)
        MHD_stop_daemon(server->http.daemon);
    if (server->https.daemon != NULL)
        MHD_stop_daemon(server->https.daemon);
    server_watch_free(server->watch);
    server_tls_unref(server->tls);
    (void)pthread_mutex_destroy(&server->tls_lock);
    free(server);
}

enum rc kms_server_reload(struct kms_server *server, const struct kms_config *config)
{
    struct server_tls *fresh = NULL;
    if (server->tls == NULL || config->listen_https == NULL)
        return RC_OK;
    TRY(server_tls_new(config, &fresh));
    (void)pthread_mutex_lock(&server->tls_lock);
    struct server_tls *old = server->tls;
    server->tls = fresh;
    (void)pthread_mutex_unlock(&server->tls_lock);
    server_tls_unref(old);
    return RC_OK;
}

unsigned kms_server_port(const struct kms_server *server, bool https)
{
    return https ? server->https.port : server->http.port;
}

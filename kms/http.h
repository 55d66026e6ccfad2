/* SPDX-License-Identifier: Apache-2.0 */
/* A request and its answer as all services of the front end see them, apart from the HTTP library:
 * tests and fuzz targets make them by hand. */
#ifndef QHSM_KMS_HTTP_H
#define QHSM_KMS_HTTP_H

#include <stdbool.h>

#include "common/buf.h"
#include "kms/error.h"

#define HTTP_HEADERS_MAX 64U
#define HTTP_BODY_MAX    ((size_t)256 * 1024)

struct http_header {
    const char *name; /* as sent */
    const char *value;
};

/* Borrowed for the call. */
struct http_request {
    const char *method;
    const char *path;  /* as sent, still percent-encoded, without the query */
    const char *query; /* as sent, without '?'; "" */
    struct http_header headers[HTTP_HEADERS_MAX];
    size_t header_count;
    struct bytes body;
    const char *peer; /* address of the caller: "127.0.0.1" */
    bool is_tls;
    const char *tls_version; /* "TLSv1.3"; "" */
    const char *tls_cipher;
    const char *client_subject; /* CN of the client's checked certificate; NULL: none */
    char id[37];                /* x-amzn-RequestId: a UUID, fresh */
    uint64_t time_ms;           /* wall clock, when it came */
};
/* The only header of that name (case is nothing); NULL when absent or there twice. */
const char *http_header(const struct http_request *request, const char *name);
/* How many of that name. */
size_t http_header_count(const struct http_request *request, const char *name);

struct http_answer {
    unsigned status;
    const char *content_type; /* static */
    const char *error_type;   /* x-amzn-ErrorType; NULL */
    struct buf body;
};

/* {"__type": "NotFoundException", "message": kms_error_text()} with the status of its row: replaces
 * what is in the body. */
void http_answer_error(struct http_answer *answer, enum kms_error error);
/* The JSON type of AWS's services. */
extern const char http_json_type[];

struct kms;
/* The whole front end: routes by method, path, X-Amz-Target and Action, and always answers. Any
 * thread. */
void http_route(struct kms *kms, const struct http_request *request, struct http_answer *answer);

#endif

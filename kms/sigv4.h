/* SPDX-License-Identifier: Apache-2.0 */
/* AWS Signature Version 4: checking of requests (header and presigned forms), and signing of our
 * own to external key store proxies. Source: AWS's documentation "Signature Version 4". */
#ifndef QHSM_KMS_SIGV4_H
#define QHSM_KMS_SIGV4_H

#include "common/secret.h"
#include "kms/error.h"
#include "kms/http.h"

/* What the caller says of its signature; views into the request, or `store`. */
struct sigv4_claim {
    char access_key[129];
    char date[9]; /* of the scope: "20261122" */
    char region[65];
    char service[65];
    const char *token;          /* X-Amz-Security-Token; NULL */
    char signature[65];         /* lower-case hex */
    const char *signed_headers; /* "host;x-amz-date" */
    uint64_t time_ms;
    unsigned expires_s; /* presigned; 0: header form */
    struct buf store;
};
void sigv4_claim_clear(struct sigv4_claim *claim);

/* Reads Authorization or X-Amz-Algorithm's query. KMS_MISSING_AUTHENTICATION,
 * KMS_INCOMPLETE_SIGNATURE (AWS's texts), KMS_INVALID_SIGNATURE_V4 for a skewed clock (5 minutes)
 * or an expired query. Demands host among the signed headers, x-amz-date (or date), and each x-amz-
 * header that is there. */
enum kms_error sigv4_read(const struct http_request *request, struct sigv4_claim *out);
/* Is it the signature of this request under `secret`? KMS_INVALID_SIGNATURE_V4. Constant time. */
enum kms_error sigv4_check(const struct http_request *request, const struct sigv4_claim *claim,
                           const struct secret *secret);

/* Wipes the signing keys that are kept: at the end of the process. */
void sigv4_forget(void);

struct sigv4_signer {
    const char *access_key;
    const struct secret *secret;
    const char *region;
    const char *service;
    uint64_t time_ms;
};
/* For a POST of `body` to host and path with headers host, content-type (NULL: none) and
 * x-amz-date: values of X-Amz-Date (16 characters and NUL) and Authorization. */
enum kms_error sigv4_sign(const struct sigv4_signer *signer, const char *host, const char *path,
                          const char *content_type, struct bytes body, char out_date[17],
                          struct buf *out_authorization);

#endif

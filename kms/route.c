/* SPDX-License-Identifier: Apache-2.0 */
/* Which service a request is for: by path, X-Amz-Target, or Action of a form. */
#include <string.h>

#include "kms/audit.h"
#include "kms/explain.h"
#include "kms/iam.h"
#include "kms/request.h"
#include "kms/sigv4.h"
#include "kms/xks_proxy.h"

#define PATH_EXPLAIN  "/qhsm/explain" /* qhsm kms explain */
#define TARGET_KMS    "TrentService."
#define TARGET_LOOKUP "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.LookupEvents"

/* For load balancers: it runs, and answers. */
static bool is_ping(const struct http_request *http)
{
    return (strcmp(http->path, "/ping") == 0 || strcmp(http->path, "/health") == 0) &&
           (strcmp(http->method, "GET") == 0 || strcmp(http->method, "HEAD") == 0);
}

static void answer_ping(struct http_answer *answer)
{
    answer->status = 200;
    answer->content_type = "text/plain";
    if (buf_append(&answer->body, bytes_of_str("healthy\n")) != RC_OK)
        answer->status = 503;
}

static void answer_unknown(struct http_answer *answer, unsigned status)
{
    http_answer_error(answer, kms_fail_plain(KMS_UNKNOWN_OPERATION));
    answer->status = status;
}

static void answer_target(struct kms *kms, const struct http_request *http, const char *target,
                          struct http_answer *answer)
{
    if (strncmp(target, TARGET_KMS, sizeof TARGET_KMS - 1) == 0)
        pipeline_run(kms, http, target + sizeof TARGET_KMS - 1, answer);
    else if (strcmp(target, TARGET_LOOKUP) == 0)
        audit_lookup(kms, http, answer);
    else
        answer_unknown(answer, kms_error_row(KMS_UNKNOWN_OPERATION)->status);
}

/* A parameter Action in a form or a query. */
static bool has_action(struct bytes text)
{
    static const char name[] = "Action=";
    for (size_t at = 0; at < text.len;) {
        struct bytes rest = bytes_slice(text, at, text.len);
        if (bytes_equal(bytes_slice(rest, 0, sizeof name - 1), bytes_of(name, sizeof name - 1)))
            return true;
        const uint8_t *next = memchr(rest.ptr, '&', rest.len);
        at = next == NULL ? text.len : (size_t)(next - text.ptr) + 1;
    }
    return false;
}

/* IAM and STS share their protocol: the signature tells them apart; what is wrong with it, iam.c
 * says in its own form. */
static void answer_query(struct kms *kms, const struct http_request *http,
                         struct http_answer *answer)
{
    struct sigv4_claim claim;
    const char *host = http_header(http, "host");
    bool is_sts = host != NULL && strncmp(host, "sts", 3) == 0;
    if (sigv4_read(http, &claim) == KMS_OK) {
        is_sts = strcmp(claim.service, "sts") == 0;
        sigv4_claim_clear(&claim);
    }
    iam_answer(kms, http, is_sts ? "sts" : "iam", answer);
}

static void route_post(struct kms *kms, const struct http_request *http, struct http_answer *answer)
{
    const char *target = http_header(http, "x-amz-target");
    if (strcmp(http->path, PATH_EXPLAIN) == 0)
        explain_answer(kms, http, answer);
    else if (http_header_count(http, "x-amz-target") > 1)
        http_answer_error(answer,
                          kms_fail(KMS_SERIALIZATION, "X-Amz-Target is there more than once."));
    else if (target != NULL)
        answer_target(kms, http, target, answer);
    else if (has_action(http->body))
        answer_query(kms, http, answer);
    else
        answer_unknown(answer, 404);
}

void http_route(struct kms *kms, const struct http_request *http, struct http_answer *answer)
{
    if (is_ping(http))
        answer_ping(answer);
    else if (xks_proxy_owns(kms, http))
        xks_proxy_answer(kms, http, answer);
    else if (strcmp(http->method, "POST") == 0)
        route_post(kms, http, answer);
    else if (strcmp(http->method, "GET") == 0 && has_action(bytes_of_str(http->query)))
        answer_query(kms, http, answer); /* presigned: sts:GetCallerIdentity */
    else
        answer_unknown(answer, 405);
}

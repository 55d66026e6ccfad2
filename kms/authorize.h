/* SPDX-License-Identifier: Apache-2.0 */
/* May this caller do this to this key now? Key policy, IAM policies, session policy, boundary,
 * grants, both accounts' sides. The one place that decides. */
#ifndef QHSM_KMS_AUTHORIZE_H
#define QHSM_KMS_AUTHORIZE_H

#include "kms/request.h"

/* What the operation adds to the condition keys that the pipeline knows by itself (those of key,
 * caller and connection, and kms:EncryptionContext and others from the request's members). Goes
 * before what the pipeline knows. */
struct authorize_extra {
    const char *name; /* "kms:GrantOperations" */
    const char *const *values;
    size_t count;
    bool is_multi;
};

enum authorize_verdict { VERDICT_ALLOW, VERDICT_DENY, VERDICT_NOTHING };
/* Why, for the error's text, the log at debug, and `qhsm kms explain`. */
struct authorize_reason {
    enum authorize_verdict verdict;
    bool is_cross_account;
    /* Which kind of policy decided, or is missing for NOTHING, in AWS's words: "identity-based
     * policy", "resource-based policy", "permissions boundary", "session policy"; "grant". */
    const char *side;
    char policy[192];    /* "key policy", "IAM policy NAME", "session policy", "grant ID" */
    char statement[129]; /* Sid or "statement 2"; "" */
};

/* `key` NULL: RIGHT_ACCOUNT, resource "*" or `resource`. On KMS_OK by a grant request->granted_by
 * is set. KMS_ACCESS_DENIED with AWS's text ("User: … is not authorized to perform: …"). */
enum kms_error authorize(struct kms_request *request, const char *action, const struct record *key,
                         const char *resource, const struct authorize_extra *extra,
                         size_t extra_count);
/* The same without side effects, and with the reason. */
void authorize_decide(struct kms_request *request, const char *action, const struct record *key,
                      const char *resource, const struct authorize_extra *extra, size_t extra_count,
                      struct authorize_reason *out);
/* KMS_ACCESS_DENIED for a resource of another account, with the same text whether it exists or not:
 * for keys of other accounts that are not there. */
enum kms_error authorize_deny_foreign(const struct identity *identity, const char *action,
                                      const char *arn);

/* ---- calls of other services: iam:, sts:, cloudtrail: */

struct authorize_call {
    const struct kms *kms;
    const struct http_request *http;
    const struct identity *identity;
    const char *region;
    uint64_t now_ms;
    const char *action;   /* "sts:AssumeRole" */
    const char *resource; /* ARN; NULL: "*" */
    /* Whose the resource is; NULL: the caller's account. */
    const char *resource_account;
    /* The resource's own policy (a role's trust policy), which then must allow; NULL: none. */
    const struct policy *resource_policy;
    const struct authorize_extra *extra;
    size_t extra_count;
};
/* KMS_ACCESS_DENIED with AWS's text. */
enum kms_error authorize_action(const struct authorize_call *call);

#endif

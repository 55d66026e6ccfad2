/* SPDX-License-Identifier: Apache-2.0 */
/* The condition keys of a request, looked up when a policy asks for them: private to
 * kms/authorize*.c and kms/explain.c. */
#ifndef QHSM_KMS_AUTHORIZE_CONTEXT_H
#define QHSM_KMS_AUTHORIZE_CONTEXT_H

#include "kms/authorize.h"
#include "kms/policy_tree.h"

struct authorize_context {
    const struct kms *kms;
    const struct http_request *http; /* NULL: not known */
    const struct identity *identity;
    const char *region;
    uint64_t now_ms;
    const char *action;
    const char *resource_account;
    const json_t *in;            /* the request's members; NULL */
    const struct key *key;       /* NULL */
    const struct key_name *name; /* how the request named it; NULL */
    const struct authorize_extra *extra;
    size_t extra_count;
    struct policy_arena arena; /* of the values; cleared by the owner */
    bool failed;               /* no memory for a value: nothing may be decided */
};
/* A policy_lookup of a struct authorize_context. */
bool authorize_context_lookup(void *context, const char *name, struct policy_values *out);

#endif

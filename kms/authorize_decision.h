/* SPDX-License-Identifier: Apache-2.0 */
/* One decision with all it rests on: private to kms/authorize.c and kms/explain.c. */
#ifndef QHSM_KMS_AUTHORIZE_DECISION_H
#define QHSM_KMS_AUTHORIZE_DECISION_H

#include "kms/authorize_context.h"

struct authorize_decision {
    struct authorize_context context;
    struct policy_principal principal;
    struct policy_request request;
    const struct policy *resource_policy; /* NULL: identity policies alone */
    const struct record *key;             /* for grants; NULL */
    const struct kms_request *of_grants;  /* the request that grants may allow; NULL: none may */
    struct record *grant;                 /* that allowed it: a reference; NULL */
};
/* In place, and not to be moved: it points into itself. */
void authorize_decision_init(struct authorize_decision *decision,
                             const struct authorize_call *call);
/* With what the request itself says, and `key` (NULL: none). */
void authorize_decision_of(struct authorize_decision *decision, const struct kms_request *request,
                           const struct authorize_call *call, const struct record *key);
/* KMS_ACCESS_DENIED with AWS's text. */
enum kms_error authorize_decision_answer(const struct authorize_decision *decision,
                                         const struct authorize_reason *reason);
void authorize_decision_make(struct authorize_decision *decision, struct authorize_reason *out);
void authorize_decision_clear(struct authorize_decision *decision);
#define AUTO_DECISION __attribute__((cleanup(authorize_decision_clear))) struct authorize_decision

#endif

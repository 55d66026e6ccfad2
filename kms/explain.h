/* SPDX-License-Identifier: Apache-2.0 */
/* Why may a principal do something, or why not: the decision, the statement that made it, and how
 * each policy stands to the request. For administrators: POST /qhsm/explain, and the verb. */
#ifndef QHSM_KMS_EXPLAIN_H
#define QHSM_KMS_EXPLAIN_H

#include <jansson.h>

#include "kms/http.h"
#include "kms/kms.h"

struct explain_question {
    const char *principal; /* ARN of user, role, session or root */
    const char *action;    /* "kms:Encrypt" */
    const char *key;       /* as callers name keys; NULL: none */
    const char *resource;  /* without a key; NULL: "*" */
    const char *region;    /* one of the configuration's */
    const json_t *members; /* of the request: an object, NULL: none */
    const json_t *context; /* condition keys: name -> string or list of strings; NULL */
};
/* {"Decision": "ALLOWED" or "DENIED", "Because", "Policy", "Statement", "CrossAccount",
 * "Principal", "Action", "Resource", "Policies": [{"Policy", "Effect", "Statement", "Walk":
 * [lines]}]}, a new reference. KMS_NO_SUCH_ENTITY, KMS_NOT_FOUND, KMS_VALIDATION. */
enum kms_error explain_make(struct kms *kms, const struct explain_question *question, json_t **out);
/* The same for people; appended. */
enum rc explain_write(const json_t *explanation, struct buf *out);

/* POST /qhsm/explain, signed as service kms by the root user of the principal's account or a
 * principal of it that may do qhsm:Explain: {"Principal", "Action", "KeyId"?, "Resource"?,
 * "Members"?, "Context"?}. */
void explain_answer(struct kms *kms, const struct http_request *http, struct http_answer *answer);
/* The verb: PRINCIPAL ACTION KEY [NAME=VALUE...]; KEY "-": none. */
enum rc explain_run(const struct kms_config *config, struct kms *kms, int count, char **arguments);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* CloudTrail records: one JSON object a call, in files that are rolled, each with a signed digest.
 * Never plaintext, key material, passwords or secrets. Source: AWS CloudTrail User Guide, "Record
 * contents". */
#ifndef QHSM_KMS_AUDIT_H
#define QHSM_KMS_AUDIT_H

#include <jansson.h>

#include "kms/http.h"
#include "kms/identity.h"

struct audit;
/* config->trail_dir NULL: an audit that keeps the last records in memory alone (LookupEvents). */
enum rc audit_new(struct kms *kms, struct audit **out);
/* Writes what waits. */
void audit_free(struct audit *audit);

struct audit_event {
    const struct http_request *http;
    const struct identity *identity; /* NULL: not known who */
    const char *source;              /* "kms.amazonaws.com" */
    const char *name;                /* "Encrypt" */
    const char *region;
    const char *account; /* recipient */
    bool read_only;
    const json_t *parameters; /* requestParameters, already without secrets; NULL */
    const json_t *response;   /* NULL */
    const json_t *additional; /* NULL */
    const char *error_code;   /* NULL: none */
    const char *error_text;
    const struct record *const *resources; /* keys */
    size_t resource_count;
    bool is_service_event; /* eventType AwsServiceEvent: RotateKey, DeleteKey */
};
/* Before anything is done that leaves a record: KMS_UNAVAILABLE when the queue is full and stays so
 * for a while, since the trail cannot be written. */
enum kms_error audit_admit(struct audit *audit);
/* Queues it; a writer thread does the rest. Never waits. */
void audit_record(struct audit *audit, const struct audit_event *event);

/* cloudtrail:LookupEvents. */
struct http_answer;
void audit_lookup(struct kms *kms, const struct http_request *http, struct http_answer *answer);

#endif

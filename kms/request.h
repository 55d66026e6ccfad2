/* SPDX-License-Identifier: Apache-2.0 */
/* One request of the KMS API on its way from JSON to JSON, and the table of operations. The
 * pipeline (kms/pipeline.c): shape by the table, key, rights, state and usage, dry run, rate; then
 * the operation; then the trail. */
#ifndef QHSM_KMS_REQUEST_H
#define QHSM_KMS_REQUEST_H

#include <jansson.h>

#include "kms/http.h"
#include "kms/identity.h"
#include "kms/key.h"
#include "kms/kms.h"

#define REQUEST_KEYS_MAX 2U

struct operation;

struct kms_request {
    struct kms *kms;
    const struct http_request *http;
    const struct operation *operation;
    struct identity identity;
    char region[KMS_REGION_MAX + 1];
    uint64_t now_ms;
    uint64_t view;      /* index, taken before anything was looked up */
    json_t *in;         /* object; borrowed strings are good until the end */
    json_t *out;        /* object, empty at first; an operation without output leaves it */
    struct record *key; /* of the table's key member; NULL when the operation has none */
    struct key_name key_name;
    struct record *source;     /* ReEncrypt: of the ciphertext */
    struct record *granted_by; /* the grant that allowed it; NULL */
    /* For the trail. */
    struct record *touched[REQUEST_KEYS_MAX]; /* own references */
    size_t touched_count;
    json_t *additional; /* additionalEventData; NULL */
    bool is_dry_run;
    bool is_again; /* request_again() */
};

/* Strings of the request: NULL when absent. The table has checked types and limits. */
const char *request_string(const struct kms_request *request, const char *member);
bool request_bool(const struct kms_request *request, const char *member);
/* fallback when absent */
json_int_t request_int(const struct kms_request *request, const char *member, json_int_t fallback);
/* A blob member, decoded from base64 (appended); RC_NOT_FOUND when absent. */
enum rc request_blob(const struct kms_request *request, const char *member, struct buf *out);
/* Answers. */
enum rc request_put_string(struct kms_request *request, const char *member, const char *value);
enum rc request_put_blob(struct kms_request *request, const char *member, struct bytes value);
/* Epoch seconds with milliseconds. */
enum rc request_put_time(struct kms_request *request, const char *member, uint64_t time_ms);
/* The canonical form of a member of type map of strings: sorted, length-prefixed; appended, nothing
 * for an empty or absent one. */
enum rc request_context_aad(const struct kms_request *request, const char *member, struct buf *out);

/* A compare-and-swap was lost: `return request_again(request)` makes the pipeline take the request
 * from its beginning on the records as they are now, a few times. What the operation made outside
 * of the documents it takes back first. */
enum kms_error request_again(struct kms_request *request);
/* key_commit() of request->key with its conflict handled so, and the view's errors as AWS's. */
enum kms_error request_commit_key(struct kms_request *request, const struct key *fresh);
/* The same for another commit: RC_CONFLICT goes round again. */
enum kms_error request_from_commit(struct kms_request *request, enum rc rc);
/* The key of an answer or the trail that the pipeline has not found itself. Takes a reference. */
void request_touch(struct kms_request *request, struct record *key);
/* "KeyId": the ARN of request->key. */
enum kms_error request_put_key(struct kms_request *request);

/* How often an operation counts: AWS's request quotas, shared by those of one row. */
enum operation_rate {
    RATE_SYMMETRIC,
    RATE_RSA,
    RATE_ECC,
    RATE_PAIR,
    RATE_CONTROL, /* each operation its own */
    RATE_NONE,
};

/* Rights that the pipeline asks for. */
enum operation_right {
    RIGHT_KEY,     /* IAM action on request->key */
    RIGHT_ACCOUNT, /* on "*": ListKeys, CreateKey … by IAM policies alone */
    RIGHT_OWN,     /* the operation's `rights` asks itself (authorize()) */
};

/* Behaviour for keys in other states than Enabled: one column of kms/key_states.def. */
enum operation_states {
    STATES_ANY,
    STATES_CRYPTO, /* Enabled only; Disabled: DisabledException, others KMSInvalidState */
    STATES_MANAGE, /* not while pending deletion */
    STATES_ROTATE,
    STATES_AUTO_ROTATE, /* EnableKeyRotation, DisableKeyRotation */
    STATES_ENABLE,
    STATES_DISABLE,
    STATES_CANCEL,
    STATES_SCHEDULE,
    STATES_IMPORT,
    STATES_PUBLIC, /* GetPublicKey */
    STATES_GRANT,
    STATES_END,
};

struct member; /* kms/members.h: name, type, constraint */

struct operation {
    const char *name;   /* "Encrypt" */
    const char *action; /* "kms:Encrypt" */
    enum kms_error (*run)(struct kms_request *request);
    /* Before rights: the key that the request names otherwise than by key_member, into
     * request->key where that is NULL (Decrypt), into request->source (ReEncrypt). NULL: none. */
    enum kms_error (*find_key)(struct kms_request *request);
    /* Of RIGHT_OWN: asks authorize() at the place where the pipeline does for the others, so before
     * the key's state and the dry run are looked at. NULL: none is needed. */
    enum kms_error (*rights)(struct kms_request *request);
    const char *key_member; /* "KeyId"; NULL */
    enum key_naming naming;
    enum operation_right right;
    enum operation_states states;
    enum keystore_use use; /* 0: of any key */
    enum operation_rate rate;
    bool read_only; /* of the trail */
    bool has_dry_run;
    bool is_cross_account; /* may name another account's key */
    const struct member *members;
    size_t member_count;
};
/* NULL when there is none of that name. */
const struct operation *operation_find(const char *name);
/* NULL after the last. */
const struct operation *operation_at(size_t index);

/* Is the key in a state and of a use that the request's operation wants (its columns `states` and
 * `use`)? AWS's errors. The pipeline asks of request->key; ReEncrypt of its source. */
enum kms_error pipeline_check_key(const struct kms_request *request, const struct record *key);

/* Runs one: body to answer, with errors in AWS's shape. Never fails. */
void pipeline_run(struct kms *kms, const struct http_request *http, const char *operation,
                  struct http_answer *answer);

#endif

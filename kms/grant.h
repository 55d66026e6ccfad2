/* SPDX-License-Identifier: Apache-2.0 */
/* Grants: "grant/REGION/KEY/ID". */
#ifndef QHSM_KMS_GRANT_H
#define QHSM_KMS_GRANT_H

#include "kms/request.h"

#define GRANT_ID_LEN 64U

struct grant {
    char id[GRANT_ID_LEN + 1];
    char key_id[KMS_KEY_ID_MAX + 1];
    char region[KMS_REGION_MAX + 1];
    char name[257];
    char account[KMS_ACCOUNT_LEN + 1];          /* the key's */
    char *grantee, *retiring, *issuing_account; /* ARNs; retiring NULL: none */
    /* Unique ids (kms/principal.h); "": not known, or a root. */
    char grantee_id[POLICY_ID_LEN + 1], retiring_id[POLICY_ID_LEN + 1];
    unsigned operations;                     /* bits of kms/grant_operations.def */
    json_t *context_equals, *context_subset; /* constraints; NULL */
    uint64_t created_ms;
};
enum rc grant_decode(const char *path, const json_t *value, void **out);
void grant_free(void *grant);
/* A new reference; with created_ms 0 without its date. */
enum rc grant_encode(const struct grant *grant, json_t **out);
void grant_path(const char *region, const char *key_id, const char *id, char out[129]);

/* A grant that lets the request's caller do `action` on the key: by grantee, operation and
 * constraints over its encryption context. New reference or NULL. */
struct record *grant_allowing(const struct kms_request *request, const char *action,
                              const struct record *key);
/* The grant tokens that came with the request: each must be one of ours. KMS_INVALID_GRANT_TOKEN.
 */
enum kms_error grant_check_tokens(const struct kms_request *request);
/* A token of the grant's document, different each time; appended, without NUL. */
enum rc grant_token_write(const struct vault *vault, const char *path, struct buf *out);
/* KMS_INVALID_GRANT_TOKEN for what is not one of `region`'s. */
enum kms_error grant_token_read(const struct vault *vault, const char *region, const char *token,
                                char out_path[129]);
/* All grants of a key that is deleted; best effort, for chores. */
void grant_delete_all(struct view *view, const char *region, const char *key_id);

/* ---- grant_match.c: pure */

/* 0: no such operation. */
unsigned grant_operation(const char *name);
/* NULL after the last bit. */
const char *grant_operation_name(unsigned index);
/* A list of names, a new reference. */
json_t *grant_operation_names(unsigned operations);
/* Those that a key can have at all. */
unsigned grant_operations_of(const struct key *key);
/* Is the caller that principal of a grant: itself, or by the role that it has assumed? NULL: no. */
bool grant_is_principal(const struct identity *identity, const char *arn, const char *id);
/* Do the constraints let this encryption context (NULL: none) through? */
bool grant_lets_context(const struct grant *grant, const json_t *context);
/* Is `child` within `parent`: operations and constraints? */
bool grant_is_within(const struct grant *parent, const struct grant *child);
/* Do the constraints matter to that operation? */
bool grant_is_constrained(unsigned operation);
/* What a CreateGrant request's Operations and Constraints say; `out` borrows from it. */
void grant_of_request(const struct kms_request *request, struct grant *out);

#endif

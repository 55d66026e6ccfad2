/* SPDX-License-Identifier: Apache-2.0 */
/* Who signed a request: found by access key, with the policies that speak of it. */
#ifndef QHSM_KMS_IDENTITY_H
#define QHSM_KMS_IDENTITY_H

#include "common/secret.h"
#include "kms/key.h"
#include "kms/policy.h"
#include "kms/sigv4.h"

enum identity_type { IDENTITY_ROOT, IDENTITY_USER, IDENTITY_ASSUMED_ROLE, IDENTITY_SERVICE };

/* More than the quotas of IAM let a principal have: 10 managed policies and those inline (at least
 * 59 characters each, of 2,048) of a user and the same (of 5,120) of each of 10 groups. */
#define IDENTITY_POLICIES_MAX 1040U
/* The principal, its boundary, its 10 managed policies, and 10 groups with theirs. */
#define IDENTITY_HELD_MAX 128U

/* Holds the records that its policies are of. */
struct identity {
    enum identity_type type;
    char account[KMS_ACCOUNT_LEN + 1];
    char arn[KMS_ARN_MAX + 1];      /* user, root, or assumed-role session */
    char role_arn[KMS_ARN_MAX + 1]; /* of an assumed role; "" */
    char principal_id[130];         /* AIDA…, AROA…:session, account of root */
    char name[129];                 /* user, or session name */
    char access_key[129];
    uint64_t created_ms; /* of the session; 0 */
    bool has_mfa;
    bool is_temporary; /* by session token */
    /* Identity policies: each allows or denies for itself. */
    const struct policy *policies[IDENTITY_POLICIES_MAX];
    const char *policy_names[IDENTITY_POLICIES_MAX]; /* of the records */
    size_t policy_count;
    const struct policy *boundary; /* permissions boundary; NULL */
    struct policy *session_policy; /* of AssumeRole; owned; NULL */
    struct record *held[IDENTITY_HELD_MAX];
    size_t held_count;
    struct key_tag tags[KMS_TAGS_MAX]; /* of principal and session: aws:PrincipalTag */
    size_t tag_count;
};
void identity_clear(struct identity *identity);

struct kms;
/* Reads the signature, finds access key and secret (a session's in its token), checks it, fills
 * `out`. Wrong region or service in the scope: KMS_INVALID_SIGNATURE_V4 with AWS's text. Unknown
 * access key: KMS_UNRECOGNIZED_CLIENT; KMS_EXPIRED_TOKEN. `service`: "kms", a text that lives as
 * long as the process. out_region: of the scope, one of the configuration's. */
enum kms_error identity_of_request(const struct kms *kms, const struct http_request *request,
                                   const char *service, struct identity *out,
                                   char out_region[KMS_REGION_MAX + 1]);
/* A user, role or group as policies see it, without a request: for simulations. KMS_NO_SUCH_ENTITY.
 */
enum kms_error identity_of_principal(const struct kms *kms, const char *arn, struct identity *out);
/* The first administrator's key, when the cluster has no principal yet: made and stored. `qhsm kms
 * up` and the configuration's `account`. */
enum rc identity_bootstrap(struct kms *kms, const char *account, const char *access_key,
                           const struct secret *secret);
/* The principal of this ARN as a request of its would have it, without a signature: root, user,
 * role (a session of it) or session; for `qhsm kms explain`. KMS_NO_SUCH_ENTITY. */
enum kms_error identity_of_arn(const struct kms *kms, const char *arn, struct identity *out);
/* Does the principal of this ARN exist (user, role, root of a known account)? */
bool identity_exists(const struct kms *kms, const char *arn);
/* The same, and its unique id (a session's: of its role; a root's: ""). */
bool identity_find_id(const struct kms *kms, const char *arn, char out_id[POLICY_ID_LEN + 1]);
/* As policies see it; borrows from it. */
static inline struct policy_principal identity_as_principal(const struct identity *identity)
{
    return (struct policy_principal){
        .arn = identity->arn,
        .role_arn = identity->role_arn[0] == '\0' ? NULL : identity->role_arn,
        .account = identity->account,
        .service = identity->type == IDENTITY_SERVICE ? identity->name : NULL,
        .id = identity->principal_id[0] == '\0' ? NULL : identity->principal_id};
}

#endif

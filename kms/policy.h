/* SPDX-License-Identifier: Apache-2.0 */
/* Policy documents (IAM's JSON language), compiled, and their evaluation: pure, no I/O. Source: IAM
 * User Guide, "Policy evaluation logic" and "JSON policy elements". */
#ifndef QHSM_KMS_POLICY_H
#define QHSM_KMS_POLICY_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "kms/error.h"

enum policy_kind {
    POLICY_IDENTITY, /* of users, groups, roles, sessions: no Principal; Resource needed */
    POLICY_RESOURCE, /* of keys: Principal needed */
    POLICY_TRUST,    /* of roles: Principal needed, no Resource */
};

struct policy; /* immutable, any thread */
/* KMS_MALFORMED_POLICY with a text that names what is wrong (element, statement), for any text. */
enum kms_error policy_parse(enum policy_kind kind, const char *text, size_t len,
                            struct policy **out);
void policy_free(struct policy *policy);

/* Who asks, as Principal elements and policy variables see it. */
struct policy_principal {
    const char *arn;      /* "arn:aws:iam::1:user/a"; an assumed role's session ARN */
    const char *role_arn; /* of an assumed role: matches as well; NULL */
    const char *account;
    const char *service; /* "secretsmanager.amazonaws.com"; NULL */
    const char *id; /* of the user, or the role and its session: "AIDA…", "AROA…:s"; NULL */
};

/* Characters of a unique id: "AIDA" and 17. */
#define POLICY_ID_LEN 21U
/* How a user, role or session that a policy or a grant keeps as `arn`, and as unique `id` (NULL:
 * not known), names a caller. One made again under a former one's name has another id; a user who
 * was renamed has the same. */
enum policy_naming {
    NAMED_NOT,
    NAMED_BY_ACCOUNT, /* its account (root), and it is not root itself or it is */
    NAMED_BY_ROLE,    /* the role of its session, or "*" for a session */
    NAMED_ITSELF,     /* its ARN, its service, "*" */
};
enum policy_naming policy_principal_naming(const char *arn, const char *id,
                                           const struct policy_principal *principal);

/* Values of a condition key. More than one for multi-valued keys. */
struct policy_values {
    const char *const *values;
    size_t count;
    bool is_multi; /* ForAllValues and ForAnyValue only are right on it */
};
/* What the request says of a condition key, by its full name ("kms:EncryptionContext:team": names
 * are compared without case, but what follows EncryptionContext: and the tag keys as they are).
 * False: the key is not in the request. Values are borrowed until the evaluation's end. */
typedef bool (*policy_lookup)(void *context, const char *name, struct policy_values *out);

struct policy_request {
    const struct policy_principal *principal;
    const char *action;   /* "kms:Encrypt" */
    const char *resource; /* ARN; "*" where the operation has none */
    policy_lookup lookup;
    void *context;
};

enum policy_effect { POLICY_NOTHING, POLICY_ALLOW, POLICY_DENY }; /* a Deny wins */
struct policy_match {
    enum policy_effect effect;
    int statement;   /* index of the one that decided; -1 */
    const char *sid; /* of it, borrowed from the policy; "" */
    /* Key policies: did the allowing statement name the account (root) rather than the principal
     * itself? Then IAM policies decide. */
    bool through_account;
    /* Did it name the role of the caller's session, or everybody ("*") to a session? Then the
     * role's permissions boundary and the session's policy limit it. */
    bool through_role;
};
/* Of several statements that allow: the one that names the caller most closely. */
void policy_evaluate(const struct policy *policy, const struct policy_request *request,
                     struct policy_match *out);
/* Why each statement did not match, for `qhsm kms explain`: text lines, appended. */
struct buf;
enum rc policy_explain(const struct policy *policy, const struct policy_request *request,
                       struct buf *out);
/* Does some statement let `arn` or its account do `action` (the lock-out check)? Conditions count
 * as met. */
bool policy_lets(const struct policy *policy, const struct policy_principal *principal,
                 const char *action);
/* Each principal named, for checks that they exist: "arn:…", "*" , service names. */
typedef bool (*policy_principal_visit)(void *context, const char *type, const char *value);
void policy_principals(const struct policy *policy, policy_principal_visit visit, void *context);
/* The unique ids of those that it names, {"ARN": "ID"}: from now on they are known by them. Before
 * the policy is shared. KMS_INTERNAL: no memory. */
enum kms_error policy_bind(struct policy *policy, const json_t *ids);

/* The key policy of a key that is created without one: the account decides by IAM policies.
 * Appends. */
enum rc policy_default(const char *account, struct buf *out);
/* The fixed policy of a service's key (alias/aws/SERVICE): through that service alone. Appends. */
enum rc policy_default_managed(const char *account, const char *region, const char *service,
                               struct buf *out);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Principals, managed policies, MFA devices and access keys as their documents have them:
 * "iam/ACCOUNT/user/NAME" (role, group, policy, mfa likewise, names in lower case since they differ
 * by more than case) and "iam/akid/ACCESSKEYID". */
#ifndef QHSM_KMS_IAM_RECORDS_H
#define QHSM_KMS_IAM_RECORDS_H

#include "common/buf.h"
#include "kms/key.h"
#include "kms/policy.h"
#include "kms/view.h"

#define IAM_NAME_MAX     128U
#define IAM_PATH_MAX     512U
#define IAM_ARN_MAX      760U
#define IAM_ID_LEN       21U /* "AIDA" and 17 */
#define IAM_VERSIONS_MAX 5U

enum iam_kind { IAM_USER, IAM_ROLE, IAM_GROUP, IAM_POLICY, IAM_MFA, IAM_KEY };

struct iam_names {
    char **items;
    size_t count;
};
bool iam_names_has(const struct iam_names *names, const char *name);

struct iam_inline {
    char *name;
    char *text;
    struct policy *policy;
};

/* What users, roles, groups, managed policies and MFA devices have in common; first member of each.
 */
struct iam_head {
    enum iam_kind kind;
    char account[KMS_ACCOUNT_LEN + 1];
    char name[IAM_NAME_MAX + 1];
    char path[IAM_PATH_MAX + 1];
    char id[IAM_ID_LEN + 1];
    char arn[IAM_ARN_MAX + 1];
    uint64_t created_ms;
    char *description;
    struct key_tag *tags;
    size_t tag_count;
};

struct iam_principal {
    struct iam_head head;
    struct iam_inline *inlines;
    size_t inline_count;
    struct iam_names attached; /* ARNs of managed policies */
    struct iam_names groups;   /* of a user: names */
    struct iam_names keys;     /* of a user: access key ids */
    struct iam_names devices;  /* of a user: names of MFA devices */
    char *boundary;            /* ARN of a managed policy; NULL */
    size_t member_count;       /* of a group */
    char *trust_text;          /* of a role */
    struct policy *trust;
    json_t *trust_ids; /* of the principals that it names (kms/principal.h); NULL */
    unsigned session_max_s;
};

struct iam_version {
    unsigned number;
    uint64_t created_ms;
    char *text;
    struct policy *policy;
};

struct iam_managed {
    struct iam_head head;
    uint64_t updated_ms;
    unsigned default_version;
    size_t attachment_count, boundary_count;
    struct iam_version versions[IAM_VERSIONS_MAX];
    size_t version_count;
};

/* A virtual MFA device; its ARN is its serial number. */
struct iam_mfa {
    struct iam_head head;
    struct buf closed;   /* the seed, by vault_close() under the document's path */
    uint64_t enabled_ms; /* 0: it is nobody's */
    /* In steps of time (kms/totp.h): how far its clock is ahead, and the last whose code was taken;
     * no earlier one is taken again. */
    int64_t ahead;
    uint64_t taken_step;
    /* Wrong codes in the step of the last one. */
    uint64_t wrong_step;
    unsigned wrong_count;
};

struct iam_key {
    enum iam_kind kind;
    char id[129];
    char account[KMS_ACCOUNT_LEN + 1];
    char user[IAM_NAME_MAX + 1]; /* "": the account's root */
    uint64_t created_ms;
    bool is_active;
    struct buf closed; /* the secret, by vault_close() under the document's path */
};

/* The kind "iam/". RC_TAMPERED. */
enum rc iam_decode(const char *path, const json_t *value, void **out);
void iam_free(void *data);

/* The record's content when it is of that kind, else NULL; borrowed. */
const struct iam_principal *iam_principal_of(const struct record *record, enum iam_kind kind);
const struct iam_managed *iam_managed_of(const struct record *record);
const struct iam_mfa *iam_mfa_of(const struct record *record);
const struct iam_key *iam_key_of(const struct record *record);

/* "user", "role", "group", "policy", "mfa". */
const char *iam_kind_name(enum iam_kind kind);
/* Path of the document. Long names end in a digest, so that they fit. */
void iam_path(const char *account, enum iam_kind kind, const char *name, char out[129]);
/* False when the id cannot be an access key's. */
bool iam_key_path(const char *id, char out[129]);
/* New references; NULL when there is none of exactly that name. */
struct record *iam_find(struct view *view, const char *account, enum iam_kind kind,
                        const char *name);
struct record *iam_find_key(struct view *view, const char *id);

/* "arn:aws:iam::ACCOUNT:user/path/name" and its kin, in parts. */
struct iam_arn {
    char account[KMS_ACCOUNT_LEN + 1]; /* "aws" for managed policies of AWS */
    bool is_root;
    bool is_session; /* arn:aws:sts::…:assumed-role/ROLE/SESSION: kind role */
    enum iam_kind kind;
    char path[IAM_PATH_MAX + 1];
    char name[IAM_NAME_MAX + 1];
};
bool iam_arn_parse(const char *arn, struct iam_arn *out);

/* ---- AWS's own managed policies */

struct iam_builtin {
    const char *name, *path, *id, *description, *created;
    const char *text;
};
const struct iam_builtin *iam_builtin_at(size_t index); /* NULL after the last */
/* By ARN; NULL. */
const struct iam_builtin *iam_builtin_find(const char *arn);
/* Compiled at first use, for good; NULL: no memory. */
const struct policy *iam_builtin_policy(const struct iam_builtin *builtin);
/* "arn:aws:iam::aws:policy/…" */
void iam_builtin_arn(const struct iam_builtin *builtin, char out[IAM_ARN_MAX + 1]);

/* The policy of a managed policy's default version; *out_held is a new reference or NULL (AWS's
 * own). NULL when there is no such policy. */
const struct policy *iam_policy_by_arn(struct view *view, const char *arn,
                                       struct record **out_held);

#endif

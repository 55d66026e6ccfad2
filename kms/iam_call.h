/* SPDX-License-Identifier: Apache-2.0 */
/* One call of IAM or STS on its way from form to XML, and what its actions share. */
#ifndef QHSM_KMS_IAM_CALL_H
#define QHSM_KMS_IAM_CALL_H

#include "kms/authorize.h"
#include "kms/iam.h"
#include "kms/iam_form.h"
#include "kms/iam_records.h"
#include "kms/iam_xml.h"

struct iam_call;

enum {
    IAM_READ = 1, /* changes nothing */
    IAM_SELF = 2, /* without a name: the caller's own user */
    IAM_OWN = 4,  /* the action asks for its rights itself, or needs none */
    IAM_NEW = 8,  /* its target is not there yet */
    IAM_NO_TARGET = 16,
};

struct iam_action {
    const char *service; /* "iam" */
    const char *name;    /* "CreateUser" */
    enum kms_error (*run)(struct iam_call *call);
    enum iam_kind kind; /* of its target */
    unsigned flags;
};
/* NULL. */
const struct iam_action *iam_action_find(const char *service, const char *name);

struct iam_call {
    struct kms *kms;
    const struct http_request *http;
    const struct iam_action *action;
    struct iam_form form;
    struct identity identity;
    char region[KMS_REGION_MAX + 1];
    uint64_t now_ms;
    char name[IAM_NAME_MAX + 1]; /* of the target */
    char arn[IAM_ARN_MAX + 1];   /* of the target */
    struct record *target;       /* NULL: not there */
    struct iam_xml xml;          /* of the result */
    json_t *response;            /* responseElements; NULL */
    bool is_again;               /* a compare-and-swap was lost */
};

static inline const char *iam_call_get(const struct iam_call *call, const char *name)
{
    return iam_form_get(&call->form, name);
}
/* The parameter, or KMS_IAM_VALIDATION with AWS's text. */
enum kms_error iam_call_need(const struct iam_call *call, const char *name, const char **out);
/* At most `max` characters of IAM's names: \w+=,.@- */
enum kms_error iam_call_check_name(const char *parameter, const char *value, size_t max);
/* Path ("/" when absent). */
enum kms_error iam_call_path(const struct iam_call *call, const char *parameter, const char **out);
/* The number, between the limits, or `fallback` when absent. */
enum kms_error iam_call_number(const struct iam_call *call, const char *name, unsigned long min,
                               unsigned long max, unsigned long *in_out);
/* The rights for the action on `resource` (NULL: "*"). KMS_ACCESS_DENIED. */
enum kms_error iam_call_authorize(const struct iam_call *call, const char *resource);
/* KMS_NO_SUCH_ENTITY, with the target's name. */
enum kms_error iam_call_not_there(const struct iam_call *call);
/* The target as a principal: KMS_NO_SUCH_ENTITY. */
enum kms_error iam_call_principal(const struct iam_call *call, const struct iam_principal **out);
/* The target's document to be changed: a new reference. */
enum kms_error iam_call_edit(const struct iam_call *call, json_t **out);
/* Replaces the target's document; takes the reference. With no version of it: new. */
enum kms_error iam_call_put(struct iam_call *call, json_t *fresh);
/* All changes; KMS_CONFLICT makes the call start again. Clears `changes`. */
enum kms_error iam_call_commit(struct iam_call *call, struct view_changes *changes);
enum kms_error iam_call_add(struct view_changes *changes, const char *key, uint64_t version,
                            json_t *value);
/* A secret of the document at `path`, closed by the vault, as the document has it. */
enum kms_error iam_call_close(const struct iam_call *call, const char *path,
                              const struct secret *secret, struct buf *out);
/* A list of texts in a document, made when it is not there. */
void iam_call_list_add(json_t *document, const char *list, const char *text);
void iam_call_list_remove(json_t *document, const char *list, const char *text);
/* Parses to see that it is one, and not longer than `max` without white space:
 * KMS_IAM_MALFORMED_POLICY, KMS_IAM_LIMIT_EXCEEDED. */
enum kms_error iam_call_check_policy(enum policy_kind kind, const char *text, size_t max);
/* Document of a new principal or policy, with path, tags and boundary of the form. */
enum kms_error iam_call_new_document(struct iam_call *call, const char *id_prefix, const char *path,
                                     json_t **out);

/* A new principal with its permissions boundary (NULL: none). Takes `fresh`. */
enum kms_error iam_call_create(struct iam_call *call, json_t *fresh, const char *boundary);
/* Takes the target out, when nothing is on it. KMS_DELETE_CONFLICT. */
enum kms_error iam_call_delete(struct iam_call *call);

/* ---- access keys: "AKIA" or "ASIA" and 16 characters; secrets of 40 */

void iam_key_new_id(const char *prefix, char out[21]);
enum rc iam_key_new_secret(struct secret *out);
void iam_key_write_secret(struct iam_xml *xml, const struct secret *secret);

/* ---- pages */

struct iam_page {
    size_t limit, count;
    char after[129], last[129];
    bool is_truncated;
};
enum kms_error iam_page_open(const struct iam_call *call, struct iam_page *out);
/* Is the item at this cursor of this page? Cursors ascend. */
bool iam_page_takes(struct iam_page *page, const char *cursor);
/* The same for lists by number. */
bool iam_page_takes_number(struct iam_page *page, size_t number);
/* IsTruncated, Marker. */
void iam_page_close(struct iam_call *call, const struct iam_page *page);
/* Records of that kind in the caller's account, below PathPrefix, each written by `write` inside
 * <member>. */
typedef void (*iam_write)(struct iam_call *call, const struct record *record);
enum kms_error iam_page_records(struct iam_call *call, enum iam_kind kind, const char *list,
                                iam_write write);

/* ---- fragments */

void iam_write_tags(struct iam_xml *xml, const struct iam_head *head);
/* Members of <User>, <Role>, <Group>. A role's look at the view. */
void iam_write_user(struct iam_call *call, const struct record *record);
void iam_write_role(struct iam_call *call, const struct record *record);
void iam_write_group(struct iam_call *call, const struct record *record);
void iam_write_managed(struct iam_call *call, const struct record *record);
/* The target as it is now, inside <name>. */
enum kms_error iam_write_target(struct iam_call *call, const char *name, iam_write write);

/* ---- managed policies */

#define IAM_POLICY_MAX 6144U /* characters but white space */

/* An existing customer managed policy to count an attachment (or a boundary's use) in: adds its
 * change. Nothing for AWS's own. KMS_NO_SUCH_ENTITY. */
enum kms_error iam_policy_count(struct iam_call *call, const char *arn, const char *member,
                                int delta, struct view_changes *changes);

/* ---- MFA devices */

#define IAM_MFA_DEVICES_MAX 8U /* of a user */

/* The device of SerialNumber, of the caller's account: a new reference. KMS_NO_SUCH_ENTITY. */
enum kms_error iam_mfa_find(const struct iam_call *call, struct record **out);
/* By AuthenticationCode1 and the one after it: how far the device's clock is ahead, into its
 * document. KMS_INVALID_AUTHENTICATION_CODE. */
enum kms_error iam_mfa_synchronise(const struct iam_call *call, const struct record *device,
                                   json_t *fresh);
/* Takes TokenCode, once, of the caller's device SerialNumber. False when there is neither.
 * KMS_IAM_ACCESS_DENIED. */
enum kms_error iam_mfa_authenticate(struct iam_call *call, bool *out_has_mfa);

/* ---- actions, by file */

/* iam_user.c */
enum kms_error iam_user_account_aliases(struct iam_call *call);
enum kms_error iam_user_create(struct iam_call *call);
enum kms_error iam_user_get(struct iam_call *call);
enum kms_error iam_user_list(struct iam_call *call);
enum kms_error iam_user_delete(struct iam_call *call);
enum kms_error iam_user_update(struct iam_call *call);
/* iam_key.c */
enum kms_error iam_key_create(struct iam_call *call);
enum kms_error iam_key_list(struct iam_call *call);
enum kms_error iam_key_update(struct iam_call *call);
enum kms_error iam_key_delete(struct iam_call *call);
enum kms_error iam_key_last_used(struct iam_call *call);
/* iam_mfa.c */
enum kms_error iam_mfa_create(struct iam_call *call);
enum kms_error iam_mfa_delete(struct iam_call *call);
enum kms_error iam_mfa_enable(struct iam_call *call);
enum kms_error iam_mfa_deactivate(struct iam_call *call);
enum kms_error iam_mfa_resync(struct iam_call *call);
enum kms_error iam_mfa_list(struct iam_call *call);
enum kms_error iam_mfa_list_virtual(struct iam_call *call);
/* iam_role.c */
enum kms_error iam_role_create(struct iam_call *call);
enum kms_error iam_role_get(struct iam_call *call);
enum kms_error iam_role_list(struct iam_call *call);
enum kms_error iam_role_delete(struct iam_call *call);
enum kms_error iam_role_update(struct iam_call *call);
enum kms_error iam_role_update_trust(struct iam_call *call);
/* iam_group.c */
enum kms_error iam_group_create(struct iam_call *call);
enum kms_error iam_group_get(struct iam_call *call);
enum kms_error iam_group_list(struct iam_call *call);
enum kms_error iam_group_delete(struct iam_call *call);
enum kms_error iam_group_add_user(struct iam_call *call);
enum kms_error iam_group_remove_user(struct iam_call *call);
enum kms_error iam_group_list_for_user(struct iam_call *call);
/* iam_inline.c: users, roles and groups alike */
enum kms_error iam_inline_put(struct iam_call *call);
enum kms_error iam_inline_get(struct iam_call *call);
enum kms_error iam_inline_list(struct iam_call *call);
enum kms_error iam_inline_delete(struct iam_call *call);
enum kms_error iam_attached_add(struct iam_call *call);
enum kms_error iam_attached_remove(struct iam_call *call);
enum kms_error iam_attached_list(struct iam_call *call);
enum kms_error iam_boundary_put(struct iam_call *call);
enum kms_error iam_boundary_delete(struct iam_call *call);
/* iam_tag.c */
enum kms_error iam_tag_add(struct iam_call *call);
enum kms_error iam_tag_remove(struct iam_call *call);
enum kms_error iam_tag_list(struct iam_call *call);
/* Reads Tags.member.N into an object; a new reference. */
enum kms_error iam_tag_read(const struct iam_call *call, json_t **out);
/* iam_policy.c, iam_version.c */
enum kms_error iam_policy_create(struct iam_call *call);
enum kms_error iam_policy_get(struct iam_call *call);
enum kms_error iam_policy_list(struct iam_call *call);
enum kms_error iam_policy_delete(struct iam_call *call);
enum kms_error iam_version_create(struct iam_call *call);
enum kms_error iam_version_get(struct iam_call *call);
enum kms_error iam_version_list(struct iam_call *call);
enum kms_error iam_version_set_default(struct iam_call *call);
enum kms_error iam_version_delete(struct iam_call *call);
/* iam_simulate.c */
enum kms_error iam_simulate(struct iam_call *call);
/* sts.c */
enum kms_error sts_caller_identity(struct iam_call *call);
enum kms_error sts_assume_role(struct iam_call *call);
enum kms_error sts_session_token(struct iam_call *call);
enum kms_error sts_access_key_info(struct iam_call *call);

#endif

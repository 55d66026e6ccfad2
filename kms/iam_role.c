/* SPDX-License-Identifier: Apache-2.0 */
/* Roles. Source: IAM API Reference. */
#include "kms/iam_call.h"
#include "kms/principal.h"

#define TRUST_MAX         2048U
#define SESSION_DEFAULT_S 3600U

static enum kms_error session_max(const struct iam_call *call, unsigned long *in_out)
{
    return iam_call_number(call, "MaxSessionDuration", 3600, 43200, in_out);
}

/* The trust policy into the role's document, if its principals exist. */
static enum kms_error set_trust(const struct iam_call *call, const char *text, json_t *fresh)
{
    struct policy *policy = NULL;
    json_t *ids = NULL;
    const char *unknown;
    KMS_TRY(policy_parse(POLICY_TRUST, text, strlen(text), &policy));
    enum kms_error error = principal_ids(call->kms, policy, &ids, &unknown);
    if (unknown != NULL)
        error = kms_fail(KMS_IAM_MALFORMED_POLICY,
                         "Invalid principal in policy: \"AWS\":\"%.300s\"", unknown);
    policy_free(policy);
    KMS_TRY(error);
    (void)json_object_set_new(fresh, "trust", json_string(text));
    (void)json_object_del(fresh, "trustPrincipals");
    if (ids != NULL)
        (void)json_object_set_new(fresh, "trustPrincipals", ids);
    return KMS_OK;
}

enum kms_error iam_role_create(struct iam_call *call)
{
    const char *path, *trust;
    unsigned long session_s = SESSION_DEFAULT_S;
    json_t *fresh;
    KMS_TRY(iam_call_path(call, "Path", &path));
    KMS_TRY(iam_call_need(call, "AssumeRolePolicyDocument", &trust));
    KMS_TRY(iam_call_check_policy(POLICY_TRUST, trust, TRUST_MAX));
    KMS_TRY(session_max(call, &session_s));
    KMS_TRY(iam_call_new_document(call, "AROA", path, &fresh));
    (void)json_object_set_new(fresh, "sessionMax", json_integer((json_int_t)session_s));
    enum kms_error error = set_trust(call, trust, fresh);
    if (error != KMS_OK) {
        json_decref(fresh);
        return error;
    }
    KMS_TRY(iam_call_create(call, fresh, iam_call_get(call, "PermissionsBoundary")));
    call->response = json_pack("{s:{s:s, s:s}}", "role", "roleName", call->name, "arn", call->arn);
    return iam_write_target(call, "Role", iam_write_role);
}

enum kms_error iam_role_get(struct iam_call *call)
{
    const struct iam_principal *role;
    KMS_TRY(iam_call_principal(call, &role));
    return iam_write_target(call, "Role", iam_write_role);
}

enum kms_error iam_role_list(struct iam_call *call)
{
    return iam_page_records(call, IAM_ROLE, "Roles", iam_write_role);
}

enum kms_error iam_role_delete(struct iam_call *call)
{
    return iam_call_delete(call);
}

enum kms_error iam_role_update(struct iam_call *call)
{
    json_t *fresh;
    unsigned long session_s = SESSION_DEFAULT_S;
    const char *description = iam_call_get(call, "Description");
    KMS_TRY(session_max(call, &session_s));
    KMS_TRY(iam_call_edit(call, &fresh));
    if (iam_call_get(call, "MaxSessionDuration") != NULL)
        (void)json_object_set_new(fresh, "sessionMax", json_integer((json_int_t)session_s));
    if (description != NULL)
        (void)json_object_set_new(fresh, "description", json_string(description));
    return iam_call_put(call, fresh);
}

enum kms_error iam_role_update_trust(struct iam_call *call)
{
    json_t *fresh;
    const char *trust;
    KMS_TRY(iam_call_need(call, "PolicyDocument", &trust));
    KMS_TRY(iam_call_check_policy(POLICY_TRUST, trust, TRUST_MAX));
    KMS_TRY(iam_call_edit(call, &fresh));
    enum kms_error error = set_trust(call, trust, fresh);
    if (error == KMS_OK)
        return iam_call_put(call, fresh);
    json_decref(fresh);
    return error;
}

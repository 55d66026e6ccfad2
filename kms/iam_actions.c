/* SPDX-License-Identifier: Apache-2.0 */
/* The table of actions of IAM and STS. */
#include "kms/iam_call.h"

#define USER(action, function, bits)                                                             \
    {                                                                                            \
        .service = "iam", .name = (action), .run = (function), .kind = IAM_USER, .flags = (bits) \
    }
#define ROLE(action, function, bits)                                                             \
    {                                                                                            \
        .service = "iam", .name = (action), .run = (function), .kind = IAM_ROLE, .flags = (bits) \
    }
#define GROUP(action, function, bits)                                                             \
    {                                                                                             \
        .service = "iam", .name = (action), .run = (function), .kind = IAM_GROUP, .flags = (bits) \
    }
#define POLICY(action, function, bits)                                                             \
    {                                                                                              \
        .service = "iam", .name = (action), .run = (function), .kind = IAM_POLICY, .flags = (bits) \
    }
#define MFA(action, function, bits)                                                             \
    {                                                                                           \
        .service = "iam", .name = (action), .run = (function), .kind = IAM_MFA, .flags = (bits) \
    }
#define STS(action, function)                                                   \
    {                                                                           \
        .service = "sts", .name = (action), .run = (function), .kind = IAM_KEY, \
        .flags = IAM_READ | IAM_OWN | IAM_NO_TARGET                             \
    }

static const struct iam_action actions[] = {
    USER("CreateUser", iam_user_create, IAM_NEW),
    USER("GetUser", iam_user_get, IAM_READ | IAM_SELF),
    USER("ListUsers", iam_user_list, IAM_READ | IAM_NO_TARGET),
    USER("DeleteUser", iam_user_delete, 0),
    USER("UpdateUser", iam_user_update, 0),
    USER("CreateAccessKey", iam_key_create, IAM_SELF),
    USER("ListAccessKeys", iam_key_list, IAM_READ | IAM_SELF),
    USER("UpdateAccessKey", iam_key_update, IAM_SELF),
    USER("DeleteAccessKey", iam_key_delete, IAM_SELF),
    USER("GetAccessKeyLastUsed", iam_key_last_used, IAM_READ | IAM_NO_TARGET | IAM_OWN),
    USER("EnableMFADevice", iam_mfa_enable, 0),
    USER("DeactivateMFADevice", iam_mfa_deactivate, IAM_SELF),
    USER("ResyncMFADevice", iam_mfa_resync, 0),
    USER("ListMFADevices", iam_mfa_list, IAM_READ | IAM_SELF),
    MFA("CreateVirtualMFADevice", iam_mfa_create, IAM_NEW),
    MFA("ListVirtualMFADevices", iam_mfa_list_virtual, IAM_READ | IAM_NO_TARGET),
    MFA("DeleteVirtualMFADevice", iam_mfa_delete, 0),
    USER("PutUserPolicy", iam_inline_put, 0),
    USER("GetUserPolicy", iam_inline_get, IAM_READ),
    USER("ListUserPolicies", iam_inline_list, IAM_READ),
    USER("DeleteUserPolicy", iam_inline_delete, 0),
    USER("AttachUserPolicy", iam_attached_add, 0),
    USER("DetachUserPolicy", iam_attached_remove, 0),
    USER("ListAttachedUserPolicies", iam_attached_list, IAM_READ),
    USER("PutUserPermissionsBoundary", iam_boundary_put, 0),
    USER("DeleteUserPermissionsBoundary", iam_boundary_delete, 0),
    USER("TagUser", iam_tag_add, 0),
    USER("UntagUser", iam_tag_remove, 0),
    USER("ListUserTags", iam_tag_list, IAM_READ),
    USER("ListGroupsForUser", iam_group_list_for_user, IAM_READ),
    USER("SimulatePrincipalPolicy", iam_simulate, IAM_READ | IAM_NO_TARGET | IAM_OWN),
    USER("ListAccountAliases", iam_user_account_aliases, IAM_READ | IAM_NO_TARGET),
    ROLE("CreateRole", iam_role_create, IAM_NEW),
    ROLE("GetRole", iam_role_get, IAM_READ),
    ROLE("ListRoles", iam_role_list, IAM_READ | IAM_NO_TARGET),
    ROLE("DeleteRole", iam_role_delete, 0),
    ROLE("UpdateRole", iam_role_update, 0),
    ROLE("UpdateAssumeRolePolicy", iam_role_update_trust, 0),
    ROLE("PutRolePolicy", iam_inline_put, 0),
    ROLE("GetRolePolicy", iam_inline_get, IAM_READ),
    ROLE("ListRolePolicies", iam_inline_list, IAM_READ),
    ROLE("DeleteRolePolicy", iam_inline_delete, 0),
    ROLE("AttachRolePolicy", iam_attached_add, 0),
    ROLE("DetachRolePolicy", iam_attached_remove, 0),
    ROLE("ListAttachedRolePolicies", iam_attached_list, IAM_READ),
    ROLE("PutRolePermissionsBoundary", iam_boundary_put, 0),
    ROLE("DeleteRolePermissionsBoundary", iam_boundary_delete, 0),
    ROLE("TagRole", iam_tag_add, 0),
    ROLE("UntagRole", iam_tag_remove, 0),
    ROLE("ListRoleTags", iam_tag_list, IAM_READ),
    GROUP("CreateGroup", iam_group_create, IAM_NEW),
    GROUP("GetGroup", iam_group_get, IAM_READ),
    GROUP("ListGroups", iam_group_list, IAM_READ | IAM_NO_TARGET),
    GROUP("DeleteGroup", iam_group_delete, 0),
    GROUP("AddUserToGroup", iam_group_add_user, 0),
    GROUP("RemoveUserFromGroup", iam_group_remove_user, 0),
    GROUP("PutGroupPolicy", iam_inline_put, 0),
    GROUP("GetGroupPolicy", iam_inline_get, IAM_READ),
    GROUP("ListGroupPolicies", iam_inline_list, IAM_READ),
    GROUP("DeleteGroupPolicy", iam_inline_delete, 0),
    GROUP("AttachGroupPolicy", iam_attached_add, 0),
    GROUP("DetachGroupPolicy", iam_attached_remove, 0),
    GROUP("ListAttachedGroupPolicies", iam_attached_list, IAM_READ),
    POLICY("CreatePolicy", iam_policy_create, IAM_NEW),
    POLICY("GetPolicy", iam_policy_get, IAM_READ),
    POLICY("ListPolicies", iam_policy_list, IAM_READ | IAM_NO_TARGET),
    POLICY("DeletePolicy", iam_policy_delete, 0),
    POLICY("CreatePolicyVersion", iam_version_create, 0),
    POLICY("GetPolicyVersion", iam_version_get, IAM_READ),
    POLICY("ListPolicyVersions", iam_version_list, IAM_READ),
    POLICY("SetDefaultPolicyVersion", iam_version_set_default, 0),
    POLICY("DeletePolicyVersion", iam_version_delete, 0),
    STS("GetCallerIdentity", sts_caller_identity),
    STS("AssumeRole", sts_assume_role),
    STS("GetSessionToken", sts_session_token),
    STS("GetAccessKeyInfo", sts_access_key_info),
};

const struct iam_action *iam_action_find(const char *service, const char *name)
{
    for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++)
        if (strcmp(actions[i].service, service) == 0 && strcmp(actions[i].name, name) == 0)
            return &actions[i];
    return NULL;
}

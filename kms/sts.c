/* SPDX-License-Identifier: Apache-2.0 */
/* Temporary credentials. Source: STS API Reference. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "kms/iam_call.h"
#include "kms/identity_session.h"

#define DURATION_MIN_S     900U
#define DURATION_MAX_S     43200U
#define DURATION_CHAINED_S 3600U
#define TOKEN_DEFAULT_S    43200U
#define TOKEN_MAX_S        129600U
#define SESSION_POLICY_MAX 2048U
#define SESSION_ARNS_MAX   10U
#define TOKEN_SIZE_MAX     8192U /* of a header that servers take */

enum kms_error sts_caller_identity(struct iam_call *call)
{
    iam_xml_text(&call->xml, "Arn", call->identity.arn);
    iam_xml_text(&call->xml, "UserId", call->identity.principal_id);
    iam_xml_text(&call->xml, "Account", call->identity.account);
    return KMS_OK;
}

enum kms_error sts_access_key_info(struct iam_call *call)
{
    const char *id;
    KMS_TRY(iam_call_need(call, "AccessKeyId", &id));
    KMS_TRY(iam_call_authorize(call, NULL));
    AUTO_RECORD *record = iam_find_key(call->kms->view, id);
    const struct iam_key *key = iam_key_of(record);
    if (key == NULL)
        return kms_fail(KMS_IAM_VALIDATION, "Invalid Access Key ID: %.128s", id);
    iam_xml_text(&call->xml, "Account", key->account);
    return KMS_OK;
}

/* ---- credentials */

static enum kms_error write_credentials(struct iam_call *call, struct identity_session *session)
{
    char id[21];
    AUTO_BUF token = BUF_INIT;
    iam_key_new_id("ASIA", id);
    session->created_ms = call->now_ms;
    enum rc rc = iam_key_new_secret(&session->secret);
    if (rc == RC_OK)
        rc = identity_session_seal(call->kms->vault, id, session, &token);
    if (rc != RC_OK)
        return kms_from_rc(rc);
    if (buf_bytes(&token).len > TOKEN_SIZE_MAX)
        return kms_fail_plain(KMS_PACKED_POLICY_TOO_LARGE);
    iam_xml_open(&call->xml, "Credentials");
    iam_xml_text(&call->xml, "AccessKeyId", id);
    iam_key_write_secret(&call->xml, &session->secret);
    iam_xml_text(&call->xml, "SessionToken", buf_str(&token));
    iam_xml_time(&call->xml, "Expiration", session->expires_ms);
    iam_xml_close(&call->xml, "Credentials");
    call->response = json_pack("{s:{s:s}}", "credentials", "accessKeyId", id);
    return KMS_OK;
}

enum kms_error sts_session_token(struct iam_call *call)
{
    unsigned long duration_s = TOKEN_DEFAULT_S;
    bool has_mfa, is_root = call->identity.type == IDENTITY_ROOT;
    if (call->identity.is_temporary)
        return kms_fail(KMS_IAM_ACCESS_DENIED, "Cannot call GetSessionToken with session "
                                               "credentials");
    KMS_TRY(iam_call_number(call, "DurationSeconds", DURATION_MIN_S, TOKEN_MAX_S, &duration_s));
    KMS_TRY(iam_mfa_authenticate(call, &has_mfa));
    if (is_root && duration_s > 3600)
        duration_s = 3600;
    struct identity_session session __attribute__((cleanup(identity_session_clear))) = {
        .type = call->identity.type,
        .secret = SECRET_INIT,
        .has_mfa = has_mfa,
        .expires_ms = call->now_ms + duration_s * 1000};
    memcpy(session.account, call->identity.account, sizeof session.account);
    if (!is_root)
        memcpy(session.principal, call->identity.name, sizeof session.principal);
    (void)snprintf(session.principal_id, sizeof session.principal_id, "%.21s",
                   call->identity.principal_id);
    return write_credentials(call, &session);
}

/* ---- session policies: all of them as one document */

struct joined {
    json_t *statements;
    bool has_old, has_new; /* versions */
    bool has_literal;      /* "${" where it is no variable */
};

/* Sids differ within a policy; those of two may be the same. */
static int add_statement(struct joined *joined, json_t *statement, bool is_old)
{
    (void)json_object_del(statement, "Sid");
    char *text = json_dumps(statement, JSON_COMPACT);
    if (text == NULL)
        return -1;
    joined->has_literal |= is_old && strstr(text, "${") != NULL;
    free(text);
    return json_array_append(joined->statements, statement);
}

static enum kms_error add_statements(struct joined *joined, const char *text)
{
    json_t *policy = json_loads(text, 0, NULL), *item;
    json_t *statement = json_object_get(policy, "Statement");
    const char *version = json_string_value(json_object_get(policy, "Version"));
    bool is_old = version == NULL || strcmp(version, "2008-10-17") == 0;
    int bad = policy == NULL || statement == NULL;
    *(is_old ? &joined->has_old : &joined->has_new) = true;
    if (json_is_array(statement)) {
        size_t i;
        json_array_foreach(statement, i, item)
        {
            bad |= add_statement(joined, item, is_old);
        }
    } else if (!bad)
        bad = add_statement(joined, statement, is_old);
    json_decref(policy);
    return bad == 0 ? KMS_OK
                    : kms_fail(KMS_IAM_MALFORMED_POLICY, "The session policy cannot be read.");
}

/* Its text, new; NULL: there is none. */
static enum kms_error managed_text(const struct iam_call *call, const char *arn, const char **out,
                                   struct record **out_held)
{
    const struct iam_builtin *builtin = iam_builtin_find(arn);
    *out = builtin == NULL ? NULL : builtin->text;
    *out_held = NULL;
    if (builtin != NULL)
        return KMS_OK;
    if (iam_policy_by_arn(call->kms->view, arn, out_held) == NULL)
        return kms_fail(KMS_IAM_VALIDATION, "Policy %.300s does not exist or is not attachable.",
                        arn);
    const struct iam_managed *managed = iam_managed_of(*out_held);
    for (size_t i = 0; i < managed->version_count; i++)
        if (managed->versions[i].number == managed->default_version)
            *out = managed->versions[i].text;
    return KMS_OK;
}

static enum kms_error gather_policies(const struct iam_call *call, const char *account,
                                      struct joined *all)
{
    const char *text = iam_call_get(call, "Policy");
    size_t count = iam_form_count(&call->form, "PolicyArns", "arn");
    if (text != NULL) {
        KMS_TRY(iam_call_check_policy(POLICY_IDENTITY, text, SESSION_POLICY_MAX));
        KMS_TRY(add_statements(all, text));
    }
    if (count > SESSION_ARNS_MAX)
        return kms_fail(KMS_IAM_VALIDATION, "At most %u managed session policies can be given.",
                        SESSION_ARNS_MAX);
    for (size_t i = 1; i <= count; i++) {
        AUTO_RECORD *held = NULL;
        struct iam_arn parts;
        const char *arn = iam_form_member(&call->form, "PolicyArns", i, "arn");
        if (!iam_arn_parse(arn, &parts) ||
            (strcmp(parts.account, account) != 0 && strcmp(parts.account, "aws") != 0))
            return kms_fail(KMS_IAM_VALIDATION, "ARN %.300s is not valid.", arn);
        KMS_TRY(managed_text(call, arn, &text, &held));
        KMS_TRY(add_statements(all, text));
    }
    return KMS_OK;
}

static enum kms_error joined_text(const struct joined *joined, char **out)
{
    if (joined->has_old && joined->has_new && joined->has_literal)
        return kms_fail(KMS_IAM_MALFORMED_POLICY,
                        "A session policy of version 2008-10-17 with the text ${ cannot be used "
                        "together with one of version 2012-10-17, where that is a variable.");
    bool is_old = joined->has_old && !joined->has_new;
    json_t *document = json_pack("{s:s, s:O}", "Version", is_old ? "2008-10-17" : "2012-10-17",
                                 "Statement", joined->statements);
    char *text = json_dumps(document, JSON_COMPACT);
    json_decref(document);
    if (text == NULL)
        return kms_from_rc(RC_NO_MEMORY);
    struct policy *policy = NULL;
    enum kms_error error = KMS_OK;
    if (strlen(text) > TOKEN_SIZE_MAX)
        error = kms_fail_plain(KMS_PACKED_POLICY_TOO_LARGE);
    else
        error = policy_parse(POLICY_IDENTITY, text, strlen(text), &policy);
    policy_free(policy);
    if (error == KMS_OK)
        *out = text;
    else
        free(text);
    return error == KMS_MALFORMED_POLICY ? KMS_IAM_MALFORMED_POLICY : error;
}

static enum kms_error session_policy(const struct iam_call *call, const char *account, char **out)
{
    struct joined all = {.statements = json_array()};
    enum kms_error error = gather_policies(call, account, &all);
    if (error == KMS_OK && (all.has_old || all.has_new))
        error = joined_text(&all, out);
    json_decref(all.statements);
    return error;
}

/* ---- session tags */

static enum kms_error session_tags(const struct iam_call *call, struct identity_session *session)
{
    json_t *tags, *value;
    const char *key;
    enum kms_error error = KMS_OK;
    KMS_TRY(iam_tag_read(call, &tags));
    json_object_foreach(tags, key, value)
    {
        if (error == KMS_OK)
            error = kms_from_rc(identity_session_add_tag(session, key, json_string_value(value)));
    }
    json_decref(tags);
    return error;
}

/* ---- AssumeRole */

static enum kms_error check_session_name(const char *name)
{
    size_t len = strlen(name);
    if (len < 2 || len > 64)
        return kms_fail(KMS_IAM_VALIDATION,
                        "1 validation error detected: Value '%.100s' at 'roleSessionName' failed "
                        "to satisfy constraint: Member must have length %s than or equal to %d",
                        name, len < 2 ? "greater" : "less", len < 2 ? 2 : 64);
    for (const char *at = name; *at != '\0'; at++)
        if ((unsigned char)*at >= 0x80 ||
            (!isalnum((unsigned char)*at) && strchr("_+=,.@-", *at) == NULL))
            return kms_fail(KMS_IAM_VALIDATION,
                            "1 validation error detected: Value '%.100s' at 'roleSessionName' "
                            "failed to satisfy constraint: Member must satisfy regular expression "
                            "pattern: [\\w+=,.@-]*",
                            name);
    return KMS_OK;
}

#define CONDITIONS_MAX (5 + 3 * KMS_TAGS_MAX)
/* Of the session to be, for conditions of the trust policy. */
struct conditions {
    struct authorize_extra list[CONDITIONS_MAX];
    const char *values[CONDITIONS_MAX];
    char names[3 * KMS_TAGS_MAX][160];
    const char *tag_keys[KMS_TAGS_MAX];
    size_t count, name_count;
};

static void condition_add(struct conditions *conditions, const char *name, const char *value)
{
    if (value == NULL)
        return;
    size_t at = conditions->count++;
    conditions->values[at] = value;
    conditions->list[at] =
        (struct authorize_extra){.name = name, .values = &conditions->values[at], .count = 1};
}

static void condition_add_tag(struct conditions *conditions, const char *prefix,
                              const struct key_tag *tag)
{
    char *name = conditions->names[conditions->name_count++];
    (void)snprintf(name, sizeof conditions->names[0], "%s%s", prefix, tag->key);
    condition_add(conditions, name, tag->value);
}

static void conditions_fill(const struct iam_call *call, const struct iam_principal *role,
                            const struct identity_session *session, struct conditions *conditions)
{
    for (size_t i = 0; i < role->head.tag_count && i < KMS_TAGS_MAX; i++) {
        condition_add_tag(conditions, "aws:ResourceTag/", &role->head.tags[i]);
        condition_add_tag(conditions, "iam:ResourceTag/", &role->head.tags[i]);
    }
    condition_add(conditions, "sts:ExternalId", iam_call_get(call, "ExternalId"));
    condition_add(conditions, "sts:RoleSessionName", session->session_name);
    if (session->has_mfa) {
        condition_add(conditions, "aws:MultiFactorAuthPresent", "true");
        condition_add(conditions, "aws:MultiFactorAuthAge", "0");
    }
    for (size_t i = 0; i < session->tag_count; i++) {
        condition_add_tag(conditions, "aws:RequestTag/", &session->tags[i]);
        conditions->tag_keys[i] = session->tags[i].key;
    }
    if (session->tag_count > 0)
        conditions->list[conditions->count++] =
            (struct authorize_extra){.name = "aws:TagKeys",
                                     .values = conditions->tag_keys,
                                     .count = session->tag_count,
                                     .is_multi = true};
}

static enum kms_error may_assume(const struct iam_call *call, const struct iam_principal *role,
                                 const struct identity_session *session)
{
    struct conditions *conditions = calloc(1, sizeof *conditions);
    if (conditions == NULL)
        return kms_from_rc(RC_NO_MEMORY);
    conditions_fill(call, role, session, conditions);
    struct authorize_call right = {.kms = call->kms,
                                   .http = call->http,
                                   .identity = &call->identity,
                                   .region = call->region,
                                   .now_ms = call->now_ms,
                                   .action = "sts:AssumeRole",
                                   .resource = role->head.arn,
                                   .resource_account = role->head.account,
                                   .resource_policy = role->trust,
                                   .extra = conditions->list,
                                   .extra_count = conditions->count};
    enum kms_error error = authorize_action(&right);
    right.action = "sts:TagSession";
    if (error == KMS_OK && session->tag_count > 0)
        error = authorize_action(&right);
    free(conditions);
    return error;
}

static enum kms_error duration(const struct iam_call *call, const struct iam_principal *role,
                               unsigned long *out_s)
{
    *out_s = 3600;
    KMS_TRY(iam_call_number(call, "DurationSeconds", DURATION_MIN_S, DURATION_MAX_S, out_s));
    if (call->identity.type == IDENTITY_ASSUMED_ROLE && *out_s > DURATION_CHAINED_S)
        return kms_fail(KMS_IAM_VALIDATION,
                        "The requested DurationSeconds exceeds the 1 hour session limit for roles "
                        "assumed by role chaining");
    if (*out_s > role->session_max_s)
        return kms_fail(KMS_IAM_VALIDATION, "The requested DurationSeconds exceeds the "
                                            "MaxSessionDuration set for this role.");
    return KMS_OK;
}

/* Roles of other accounts that are not there are refused as those that do not trust the caller. */
static enum kms_error find_role(const struct iam_call *call, const char *arn, struct record **out)
{
    struct iam_arn parts;
    if (!iam_arn_parse(arn, &parts) || parts.is_root || parts.is_session || parts.kind != IAM_ROLE)
        return kms_fail(KMS_IAM_VALIDATION, "%.300s is invalid", arn);
    struct record *record = iam_find(call->kms->view, parts.account, IAM_ROLE, parts.name);
    const struct iam_principal *role = iam_principal_of(record, IAM_ROLE);
    if (role != NULL && strcmp(role->head.arn, arn) == 0) {
        *out = record;
        return KMS_OK;
    }
    record_unref(record);
    if (strcmp(parts.account, call->identity.account) != 0)
        return authorize_deny_foreign(&call->identity, "sts:AssumeRole", arn);
    return kms_fail(KMS_IAM_ACCESS_DENIED,
                    "User: %s is not authorized to perform: sts:AssumeRole on resource: %.300s",
                    call->identity.arn, arn);
}

/* The tags first: what is wrong with them says nothing of the role. */
static enum kms_error fill_session(struct iam_call *call, const char *arn, const char *name,
                                   struct identity_session *session)
{
    AUTO_RECORD *record = NULL;
    unsigned long duration_s;
    (void)snprintf(session->session_name, sizeof session->session_name, "%s", name);
    KMS_TRY(session_tags(call, session));
    KMS_TRY(find_role(call, arn, &record));
    const struct iam_principal *role = iam_principal_of(record, IAM_ROLE);
    KMS_TRY(may_assume(call, role, session));
    KMS_TRY(duration(call, role, &duration_s));
    KMS_TRY(session_policy(call, role->head.account, &session->policy));
    session->type = IDENTITY_ASSUMED_ROLE;
    session->expires_ms = call->now_ms + duration_s * 1000;
    memcpy(session->account, role->head.account, sizeof session->account);
    memcpy(session->principal, role->head.name, sizeof session->principal);
    memcpy(session->principal_id, role->head.id, sizeof session->principal_id);
    return KMS_OK;
}

static void write_assumed(struct iam_call *call, const struct identity_session *session)
{
    char text[300];
    iam_xml_open(&call->xml, "AssumedRoleUser");
    (void)snprintf(text, sizeof text, "%s:%s", session->principal_id, session->session_name);
    iam_xml_text(&call->xml, "AssumedRoleId", text);
    (void)snprintf(text, sizeof text, "arn:aws:sts::%s:assumed-role/%s/%s", session->account,
                   session->principal, session->session_name);
    iam_xml_text(&call->xml, "Arn", text);
    iam_xml_close(&call->xml, "AssumedRoleUser");
}

enum kms_error sts_assume_role(struct iam_call *call)
{
    const char *arn, *name;
    KMS_TRY(iam_call_need(call, "RoleArn", &arn));
    KMS_TRY(iam_call_need(call, "RoleSessionName", &name));
    KMS_TRY(check_session_name(name));
    if (iam_call_get(call, "SourceIdentity") != NULL ||
        iam_form_member(&call->form, "TransitiveTagKeys", 1, "") != NULL)
        return kms_fail(KMS_IAM_VALIDATION,
                        "SourceIdentity and TransitiveTagKeys are not offered here.");
    if (call->identity.type == IDENTITY_ROOT)
        return kms_fail(KMS_IAM_ACCESS_DENIED, "Roles may not be assumed by root accounts.");
    struct identity_session session
        __attribute__((cleanup(identity_session_clear))) = {.secret = SECRET_INIT};
    KMS_TRY(iam_mfa_authenticate(call, &session.has_mfa));
    KMS_TRY(fill_session(call, arn, name, &session));
    KMS_TRY(write_credentials(call, &session));
    write_assumed(call, &session);
    return KMS_OK;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The query protocol: who asks, for what, may they; then the action, its answer and its trail. */
#include "kms/iam.h"

#include <stdio.h>
#include <stdlib.h>

#include "kms/audit.h"
#include "kms/iam_call.h"

#define TRIES_MAX    8
#define IAM_XMLNS    "https://iam.amazonaws.com/doc/2010-05-08/"
#define STS_XMLNS    "https://sts.amazonaws.com/doc/2011-06-15/"
#define IAM_VERSION  "2010-05-08"
#define STS_VERSION  "2011-06-15"
#define TAG_NAMES    3U /* two of the target's tags, one of the request's */
#define EXTRAS_MAX   (3 + TAG_NAMES * KMS_TAGS_MAX)
#define TAG_NAME_MAX 160U

/* ---- rights */

/* What the call says of itself to conditions of policies. */
struct extras {
    struct authorize_extra list[EXTRAS_MAX];
    const char *values[EXTRAS_MAX];
    char names[TAG_NAMES * KMS_TAGS_MAX][TAG_NAME_MAX];
    size_t count, name_count;
    const char *tag_keys[KMS_TAGS_MAX];
};

static void extra_add(struct extras *extras, const char *name, const char *value)
{
    if (value == NULL || extras->count == EXTRAS_MAX)
        return;
    extras->values[extras->count] = value;
    extras->list[extras->count] = (struct authorize_extra){
        .name = name, .values = &extras->values[extras->count], .count = 1};
    extras->count++;
}

static void extra_add_tag(struct extras *extras, const char *prefix, const char *key,
                          const char *value)
{
    if (extras->name_count == TAG_NAMES * KMS_TAGS_MAX)
        return;
    char *name = extras->names[extras->name_count++];
    (void)snprintf(name, TAG_NAME_MAX, "%s%s", prefix, key);
    extra_add(extras, name, value);
}

static bool is_action(const struct iam_call *call, const char *prefix)
{
    return strncmp(call->action->name, prefix, strlen(prefix)) == 0;
}

/* The boundary that the call sets, or the one that the user or role has. */
static const char *boundary_of(const struct iam_call *call)
{
    enum iam_kind kind = call->action->kind;
    if (kind != IAM_USER && kind != IAM_ROLE)
        return NULL;
    if ((call->action->flags & IAM_NEW) != 0 || call->action->run == iam_boundary_put)
        return iam_call_get(call, "PermissionsBoundary");
    const struct iam_principal *target = iam_principal_of(call->target, kind);
    return target == NULL ? NULL : target->boundary;
}

static void extras_add_keys(struct extras *extras, size_t count)
{
    if (count > 0 && extras->count < EXTRAS_MAX)
        extras->list[extras->count++] = (struct authorize_extra){
            .name = "aws:TagKeys", .values = extras->tag_keys, .count = count, .is_multi = true};
}

static size_t at_most_tags(size_t count)
{
    return count < KMS_TAGS_MAX ? count : KMS_TAGS_MAX;
}

/* Of actions that read tags alone: others would take whatever the caller makes up. */
static void extras_add_request(const struct iam_call *call, struct extras *extras)
{
    if (is_action(call, "Untag")) {
        size_t count = at_most_tags(iam_form_count(&call->form, "TagKeys", ""));
        for (size_t i = 0; i < count; i++)
            extras->tag_keys[i] = iam_form_member(&call->form, "TagKeys", i + 1, "");
        extras_add_keys(extras, count);
        return;
    }
    bool makes = (call->action->flags & IAM_NEW) != 0 && call->action->kind != IAM_GROUP;
    if (!makes && !is_action(call, "Tag"))
        return;
    size_t count = at_most_tags(iam_form_count(&call->form, "Tags", "Key"));
    for (size_t i = 0; i < count; i++) {
        extras->tag_keys[i] = iam_form_member(&call->form, "Tags", i + 1, "Key");
        extra_add_tag(extras, "aws:RequestTag/", extras->tag_keys[i],
                      iam_form_member(&call->form, "Tags", i + 1, "Value"));
    }
    extras_add_keys(extras, count);
}

static void extras_fill(const struct iam_call *call, struct extras *extras)
{
    if (is_action(call, "Attach") || is_action(call, "Detach"))
        extra_add(extras, "iam:PolicyARN", iam_call_get(call, "PolicyArn"));
    extra_add(extras, "iam:PermissionsBoundary", boundary_of(call));
    const struct iam_head *head = call->target == NULL ? NULL : call->target->data;
    for (size_t i = 0; head != NULL && i < head->tag_count && i < KMS_TAGS_MAX; i++) {
        extra_add_tag(extras, "aws:ResourceTag/", head->tags[i].key, head->tags[i].value);
        extra_add_tag(extras, "iam:ResourceTag/", head->tags[i].key, head->tags[i].value);
    }
    extras_add_request(call, extras);
}

enum kms_error iam_call_authorize(const struct iam_call *call, const char *resource)
{
    char action[80];
    struct extras *extras = calloc(1, sizeof *extras);
    if (extras == NULL)
        return kms_from_rc(RC_NO_MEMORY);
    (void)snprintf(action, sizeof action, "%s:%s", call->action->service, call->action->name);
    extras_fill(call, extras);
    struct authorize_call right = {.kms = call->kms,
                                   .http = call->http,
                                   .identity = &call->identity,
                                   .region = call->region,
                                   .now_ms = call->now_ms,
                                   .action = action,
                                   .resource = resource,
                                   .extra = extras->list,
                                   .extra_count = extras->count};
    enum kms_error error = authorize_action(&right);
    free(extras);
    return error;
}

/* ---- the target */

/* What names a target: where it is there, and where it is made. */
static const struct {
    const char *parameter, *new_parameter;
    size_t name_max;
    bool is_by_arn;
} targets[] = {
    [IAM_USER] = {"UserName", "UserName", 64, false},
    [IAM_ROLE] = {"RoleName", "RoleName", 64, false},
    [IAM_GROUP] = {"GroupName", "GroupName", 128, false},
    [IAM_POLICY] = {"PolicyArn", "PolicyName", 128, true},
    [IAM_MFA] = {"SerialNumber", "VirtualMFADeviceName", 128, true},
};

static void set_name(struct iam_call *call, const char *name)
{
    (void)snprintf(call->name, sizeof call->name, "%s", name);
}

static enum kms_error name_by_arn(struct iam_call *call)
{
    const char *arn;
    struct iam_arn parts;
    enum iam_kind kind = call->action->kind;
    KMS_TRY(iam_call_need(call, targets[kind].parameter, &arn));
    if (strlen(arn) > IAM_ARN_MAX || !iam_arn_parse(arn, &parts) || parts.is_root ||
        parts.kind != kind)
        return kms_fail(KMS_IAM_INVALID_INPUT, "ARN %.300s is not valid.", arn);
    (void)snprintf(call->arn, sizeof call->arn, "%s", arn);
    set_name(call, parts.name);
    if (strcmp(parts.account, call->identity.account) != 0)
        return KMS_OK; /* AWS's own, or another account's: not there for changes */
    call->target = iam_find(call->kms->view, parts.account, kind, parts.name);
    const struct iam_head *head = call->target == NULL ? NULL : call->target->data;
    if (head != NULL && strcmp(head->arn, arn) != 0) {
        record_unref(call->target);
        call->target = NULL;
    }
    return KMS_OK;
}

/* AWS looks at a name only where one is made. */
static enum kms_error name_new(struct iam_call *call)
{
    const char *name, *path;
    enum iam_kind kind = call->action->kind;
    const char *parameter = targets[kind].new_parameter;
    KMS_TRY(iam_call_need(call, parameter, &name));
    KMS_TRY(iam_call_check_name(parameter, name, targets[kind].name_max));
    KMS_TRY(iam_call_path(call, "Path", &path));
    set_name(call, name);
    (void)snprintf(call->arn, sizeof call->arn, "arn:aws:iam::%s:%s%s%s", call->identity.account,
                   iam_kind_name(kind), path, name);
    return KMS_OK;
}

static enum kms_error name_target(struct iam_call *call)
{
    enum iam_kind kind = call->action->kind;
    const char *name = iam_call_get(call, targets[kind].parameter);
    if (name == NULL && (call->action->flags & IAM_SELF) != 0) {
        if (call->identity.type != IDENTITY_USER) {
            (void)snprintf(call->arn, sizeof call->arn, "%.700s", call->identity.arn);
            return KMS_OK;
        }
        name = call->identity.name;
    }
    if (name == NULL)
        return iam_call_need(call, targets[kind].parameter, &name);
    KMS_TRY(iam_call_check_name(targets[kind].parameter, name, IAM_NAME_MAX));
    set_name(call, name);
    call->target = iam_find(call->kms->view, call->identity.account, kind, name);
    const struct iam_head *head = call->target == NULL ? NULL : call->target->data;
    if (head != NULL)
        memcpy(call->arn, head->arn, sizeof call->arn);
    else
        (void)snprintf(call->arn, sizeof call->arn, "arn:aws:iam::%s:%s/%s", call->identity.account,
                       iam_kind_name(kind), name);
    return KMS_OK;
}

static enum kms_error find_target(struct iam_call *call)
{
    if ((call->action->flags & IAM_NO_TARGET) != 0)
        return KMS_OK;
    if ((call->action->flags & IAM_NEW) != 0)
        return name_new(call);
    return targets[call->action->kind].is_by_arn ? name_by_arn(call) : name_target(call);
}

/* ---- running it */

/* Credentials of GetSessionToken without MFA: no IAM, and of STS two actions. Source: STS API
 * Reference, GetSessionToken. */
static enum kms_error check_session(const struct iam_call *call)
{
    if (!call->identity.is_temporary || call->identity.type == IDENTITY_ASSUMED_ROLE ||
        call->identity.has_mfa || strcmp(call->action->name, "AssumeRole") == 0 ||
        strcmp(call->action->name, "GetCallerIdentity") == 0)
        return KMS_OK;
    if (strcmp(call->action->service, "iam") == 0)
        return kms_fail_plain(KMS_INVALID_CLIENT_TOKEN);
    return kms_fail(KMS_IAM_ACCESS_DENIED, "Cannot call %s with session credentials",
                    call->action->name);
}

static enum kms_error run_once(struct iam_call *call)
{
    call->is_again = false;
    KMS_TRY(find_target(call));
    if ((call->action->flags & IAM_OWN) == 0)
        KMS_TRY(iam_call_authorize(call, call->arn[0] == '\0' ? NULL : call->arn));
    KMS_TRY(call->action->run(call));
    return call->xml.has_failed ? kms_from_rc(RC_NO_MEMORY) : KMS_OK;
}

static void start_again(struct iam_call *call)
{
    record_unref(call->target);
    call->target = NULL;
    json_decref(call->response);
    call->response = NULL;
    buf_clear(call->xml.out);
    call->xml.has_failed = false;
}

static enum kms_error identify(struct iam_call *call, const char *service)
{
    identity_clear(&call->identity);
    return identity_of_request(call->kms, call->http, service, &call->identity, call->region);
}

/* By the newest documents, the caller's own too: rights may have been taken on another front end.
 */
static enum kms_error renew(struct iam_call *call)
{
    if (view_refresh(call->kms->view) != RC_OK)
        return kms_fail_plain(KMS_UNAVAILABLE);
    return identify(call, call->action->service);
}

/* Nobody without a signature gets as far as the first renewal. What reads has it only when it is
 * refused. */
static enum kms_error run(struct iam_call *call)
{
    enum kms_error error = KMS_OK;
    bool takes_code = iam_call_get(call, "TokenCode") != NULL; /* each once */
    bool is_renewed = takes_code || (call->action->flags & IAM_READ) == 0;
    for (int i = 0; i < TRIES_MAX; i++) {
        start_again(call);
        view_decide();
        if (is_renewed || i > 0)
            KMS_TRY(renew(call));
        KMS_TRY(check_session(call));
        error = run_once(call);
        if (!call->is_again && (is_renewed || i > 0 || error == KMS_OK))
            break;
    }
    return error;
}

static enum kms_error begin(struct iam_call *call, const char *service)
{
    bool is_get = strcmp(call->http->method, "GET") == 0;
    bool is_form =
        iam_form_parse(is_get ? bytes_of_str(call->http->query) : call->http->body, &call->form);
    KMS_TRY(identify(call, service));
    KMS_TRY(iam_form_check(&call->form));
    const char *name = is_form ? iam_call_get(call, "Action") : NULL;
    const char *version = is_form ? iam_call_get(call, "Version") : NULL;
    const char *own = strcmp(service, "sts") == 0 ? STS_VERSION : IAM_VERSION;
    if (name != NULL && (version == NULL || strcmp(version, own) == 0))
        call->action = iam_action_find(service, name);
    if (call->action == NULL)
        return kms_fail(KMS_INVALID_ACTION, "Could not find operation %.64s for version %.16s",
                        name == NULL ? "" : name, version == NULL ? own : version);
    return run(call);
}

/* ---- the answer. Errors of all services have other names here. */

static const struct {
    enum kms_error error;
    const char *name;
    unsigned status;
} renamed[] = {
    {KMS_ACCESS_DENIED, "AccessDenied", 403},
    {KMS_INVALID_SIGNATURE_V4, "SignatureDoesNotMatch", 403},
    {KMS_UNRECOGNIZED_CLIENT, "InvalidClientTokenId", 403},
    {KMS_MISSING_AUTHENTICATION, "MissingAuthenticationToken", 403},
    {KMS_INCOMPLETE_SIGNATURE, "IncompleteSignature", 400},
    {KMS_EXPIRED_TOKEN, "ExpiredToken", 403},
    {KMS_VALIDATION, "ValidationError", 400},
    {KMS_MALFORMED_POLICY, "MalformedPolicyDocument", 400},
    {KMS_THROTTLING, "Throttling", 400},
    {KMS_UNAVAILABLE, "ServiceUnavailable", 503},
    {KMS_DEPENDENCY_TIMEOUT, "ServiceUnavailable", 503},
    {KMS_INTERNAL, "ServiceFailure", 500},
    {KMS_CONFLICT, "ConcurrentModification", 409},
};

static const char *error_name(enum kms_error error, unsigned *out_status)
{
    for (size_t i = 0; i < sizeof renamed / sizeof renamed[0]; i++) {
        if (renamed[i].error == error) {
            *out_status = renamed[i].status;
            return renamed[i].name;
        }
    }
    *out_status = kms_error_row(error)->status;
    return kms_error_row(error)->name;
}

static void answer_fault(const struct iam_call *call, enum kms_error error, const char *xmlns,
                         struct http_answer *answer)
{
    struct iam_xml xml = {.out = &answer->body};
    const char *name = error_name(error, &answer->status);
    buf_clear(&answer->body);
    if (buf_printf(&answer->body, "<ErrorResponse xmlns=\"%s\">", xmlns) != RC_OK)
        return;
    iam_xml_open(&xml, "Error");
    iam_xml_text(&xml, "Type", answer->status < 500 ? "Sender" : "Receiver");
    iam_xml_text(&xml, "Code", name);
    iam_xml_text(&xml, "Message", kms_error_text());
    iam_xml_close(&xml, "Error");
    iam_xml_text(&xml, "RequestId", call->http->id);
    iam_xml_close(&xml, "ErrorResponse");
}

static enum rc answer_result(const struct iam_call *call, const char *xmlns, struct buf *body)
{
    const char *name = call->action->name;
    TRY(buf_printf(body, "<%sResponse xmlns=\"%s\">", name, xmlns));
    TRY(buf_printf(body, "<%sResult>", name));
    TRY(buf_append(body, buf_bytes(call->xml.out)));
    TRY(buf_printf(body, "</%sResult>", name));
    return buf_printf(body,
                      "<ResponseMetadata><RequestId>%s</RequestId></ResponseMetadata></%sResponse>",
                      call->http->id, name);
}

static void record(const struct iam_call *call, enum kms_error error)
{
    char source[32];
    unsigned status;
    if (call->action == NULL || call->identity.account[0] == '\0')
        return;
    (void)snprintf(source, sizeof source, "%s.amazonaws.com", call->action->service);
    json_t *parameters = iam_form_trail(&call->form);
    struct audit_event event = {.http = call->http,
                                .identity = &call->identity,
                                .source = source,
                                .name = call->action->name,
                                .region = call->region,
                                .account = call->identity.account,
                                .read_only = (call->action->flags & IAM_READ) != 0,
                                .parameters = json_object_size(parameters) == 0 ? NULL : parameters,
                                .response = error == KMS_OK ? call->response : NULL};
    if (error != KMS_OK) {
        event.error_code = error_name(error, &status);
        event.error_text = kms_error_text();
    }
    audit_record(call->kms->audit, &event);
    json_decref(parameters);
}

static void iam_call_clear(struct iam_call *call)
{
    identity_clear(&call->identity);
    iam_form_clear(&call->form);
    record_unref(call->target);
    json_decref(call->response);
}

void iam_answer(struct kms *kms, const struct http_request *request, const char *service,
                struct http_answer *answer)
{
    AUTO_BUF result = BUF_INIT;
    struct iam_call *call = calloc(1, sizeof *call);
    answer->status = 503;
    answer->content_type = "text/xml";
    if (call == NULL)
        return;
    const char *xmlns = strcmp(service, "sts") == 0 ? STS_XMLNS : IAM_XMLNS;
    call->kms = kms;
    call->http = request;
    call->now_ms = request->time_ms;
    call->xml.out = &result;
    enum kms_error error = audit_admit(kms->audit);
    if (error == KMS_OK)
        error = begin(call, service);
    view_decided();
    record(call, error);
    answer->status = 200;
    if (error == KMS_OK && answer_result(call, xmlns, &answer->body) != RC_OK)
        error = kms_from_rc(RC_NO_MEMORY);
    if (error != KMS_OK)
        answer_fault(call, error, xmlns, answer);
    iam_call_clear(call);
    free(call);
}

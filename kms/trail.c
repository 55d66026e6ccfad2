/* SPDX-License-Identifier: Apache-2.0 */
/* KMS requests in the trail. Source: AWS KMS Developer Guide, "Logging AWS KMS API calls with AWS
 * CloudTrail". */
#include "kms/trail.h"

#include <stdio.h>

#include "kms/audit.h"
#include "kms/members.h"

#define HIDDEN "HIDDEN_DUE_TO_SECURITY_REASONS"

/* Names in the trail begin with a small letter, at every depth; maps of the caller's own names
 * (encryption contexts) stay as they are. */
static json_t *camel(const json_t *value);

static json_t *camel_object(const json_t *object)
{
    json_t *copy = json_object();
    const char *name = NULL;
    json_t *value = NULL;
    json_object_foreach((json_t *)(uintptr_t)object, name, value)
    {
        char small[MEMBER_NAME_MAX];
        member_camel(name, small);
        (void)json_object_set_new(copy, small, camel(value));
    }
    return copy;
}

static json_t *camel(const json_t *value)
{
    if (json_is_object(value))
        return camel_object(value);
    if (!json_is_array(value))
        return json_incref((json_t *)(uintptr_t)value);
    json_t *copy = json_array();
    for (size_t i = 0; i < json_array_size(value); i++)
        (void)json_array_append_new(copy, camel(json_array_get(value, i)));
    return copy;
}

static json_t *parameter_of(const struct member *member, json_t *value)
{
    if (member->is_secret)
        return member->type == MEMBER_STRING || member->type == MEMBER_STRUCT ? json_string(HIDDEN)
                                                                              : NULL;
    switch (member->type) {
    case MEMBER_BLOB:
        return NULL;
    case MEMBER_TAGS:
        return camel(value);
    case MEMBER_STRING:
    case MEMBER_BOOL:
    case MEMBER_INT:
    case MEMBER_TIME:
    case MEMBER_STRINGS:
    case MEMBER_MAP:
    case MEMBER_STRUCT:
    default:
        return json_incref(value);
    }
}

/* requestParameters. Members that the table does not know could be anything, so they stay out. */
static json_t *parameters_of(const struct kms_request *request)
{
    const struct operation *operation = request->operation;
    json_t *object = NULL;
    for (size_t i = 0; i < operation->member_count; i++) {
        const struct member *member = &operation->members[i];
        json_t *value = json_object_get(request->in, member->name);
        if (value == NULL || json_is_null(value))
            continue;
        json_t *shown = parameter_of(member, value);
        char name[MEMBER_NAME_MAX];
        member_camel(member->name, name);
        if (shown != NULL && object == NULL)
            object = json_object();
        if (shown != NULL)
            (void)json_object_set_new(object, name, shown);
    }
    return object;
}

/* Members of answers that the trail repeats. */
static const char *const repeated[] = {
    "KeyMetadata", "ReplicaKeyMetadata",  "GrantId",      "CustomKeyStoreId",
    "KeyState",    "PendingWindowInDays", "DeletionDate", "KeyMaterialId",
};

static json_t *response_of(const struct kms_request *request)
{
    if (request->operation->read_only)
        return NULL;
    json_t *object = NULL;
    for (size_t i = 0; i < sizeof repeated / sizeof repeated[0]; i++) {
        const json_t *value = json_object_get(request->out, repeated[i]);
        char name[MEMBER_NAME_MAX];
        if (value == NULL)
            continue;
        if (object == NULL)
            object = json_object();
        member_camel(repeated[i], name);
        (void)json_object_set_new(object, name, camel(value));
    }
    if (request->key == NULL)
        return object;
    if (object == NULL)
        object = json_object();
    (void)json_object_set_new(object, "keyId", json_string(key_of(request->key)->arn));
    return object;
}

static size_t resources_of(const struct kms_request *request,
                           const struct record *out[2 + REQUEST_KEYS_MAX])
{
    size_t count = 0;
    if (request->source != NULL)
        out[count++] = request->source;
    if (request->key != NULL)
        out[count++] = request->key;
    for (size_t i = 0; i < request->touched_count; i++)
        out[count++] = request->touched[i];
    return count;
}

/* A call that failed does not tell its caller which key another account's alias stands for, or
 * whether there is one. */
static size_t shown_to_caller(const struct audit_event *event, const struct record **out)
{
    size_t count = 0;
    for (size_t i = 0; i < event->resource_count; i++)
        if (event->error_code == NULL ||
            strcmp(key_of(event->resources[i])->account, event->identity->account) == 0)
            out[count++] = event->resources[i];
    return count;
}

static void note_for_caller(const struct kms_request *request, const struct audit_event *event)
{
    const struct record *shown[2 + REQUEST_KEYS_MAX];
    struct audit_event own = *event;
    own.resources = shown;
    own.resource_count = shown_to_caller(event, shown);
    audit_record(request->kms->audit, &own);
}

/* The account of a key that is another's sees the call too, when there is such a key: version 0 is
 * of none. */
static void note_for_owners(const struct kms_request *request, struct audit_event *event)
{
    for (size_t i = 0; i < event->resource_count; i++) {
        const char *owner = key_of(event->resources[i])->account;
        if (strcmp(owner, request->identity.account) == 0 || event->resources[i]->version == 0)
            continue;
        event->account = owner;
        audit_record(request->kms->audit, event);
        return;
    }
}

void trail_note(const struct kms_request *request, enum kms_error error)
{
    const struct record *resources[2 + REQUEST_KEYS_MAX];
    json_t *parameters = request->in == NULL ? NULL : parameters_of(request);
    json_t *response = error == KMS_OK ? response_of(request) : NULL;
    bool is_denied = error == KMS_ACCESS_DENIED;
    struct audit_event event = {
        .http = request->http,
        .identity = &request->identity,
        .source = "kms.amazonaws.com",
        .name = request->operation->name,
        .region = request->region,
        .account = request->identity.account,
        .read_only = request->operation->read_only,
        .parameters = parameters,
        .response = response,
        .additional = request->additional,
        .error_code = error == KMS_OK ? NULL
                      : is_denied     ? "AccessDenied"
                                      : kms_error_row(error)->name,
        .error_text = error == KMS_OK ? NULL : kms_error_text(),
        .resources = resources,
        .resource_count = resources_of(request, resources),
    };
    note_for_caller(request, &event);
    note_for_owners(request, &event);
    json_decref(parameters);
    json_decref(response);
}

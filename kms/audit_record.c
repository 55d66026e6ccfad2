/* SPDX-License-Identifier: Apache-2.0 */
/* One CloudTrail record, formatted by the thread that makes it into its shard of the queue. Source:
 * AWS CloudTrail User Guide, "Record contents" and "userIdentity element". */
#include <stdio.h>
#include <time.h>

#include "common/log.h"
#include "kms/audit_internal.h"
#include "kms/iam_random.h"
#include "kms/utc.h"

#define RECORD_USUAL ((size_t)4096) /* frame and text */
#define ROOM_MS      1000U          /* a writer that works is faster */

static void member(struct audit_json *json, const char *opening, const char *value)
{
    audit_json_raw(json, opening);
    audit_json_string(json, value);
}

/* One that is left out when there is nothing to say. */
static void member_if(struct audit_json *json, const char *opening, const char *value)
{
    if (value != NULL && value[0] != '\0')
        member(json, opening, value);
}

static void put_attributes(struct audit_json *json, const struct identity *identity)
{
    char time[UTC_LEN];
    utc_print(identity->created_ms, time);
    member(json, "\"attributes\":{\"creationDate\":", time);
    member(json, ",\"mfaAuthenticated\":", identity->has_mfa ? "true" : "false");
    audit_json_raw(json, "}");
}

static void put_issuer(struct audit_json *json, const struct identity *identity)
{
    char id[sizeof identity->principal_id];
    (void)snprintf(id, sizeof id, "%.*s", (int)strcspn(identity->principal_id, ":"),
                   identity->principal_id);
    const char *slash = strrchr(identity->role_arn, '/');
    member(json, "\"sessionIssuer\":{\"type\":\"Role\",\"principalId\":", id);
    member(json, ",\"arn\":", identity->role_arn);
    member(json, ",\"accountId\":", identity->account);
    member(json, ",\"userName\":", slash == NULL ? "" : slash + 1);
    audit_json_raw(json, "},");
}

static const char *const identity_types[] = {
    [IDENTITY_ROOT] = "Root",
    [IDENTITY_USER] = "IAMUser",
    [IDENTITY_ASSUMED_ROLE] = "AssumedRole",
    [IDENTITY_SERVICE] = "AWSService",
};

static void put_identity(struct audit_json *json, const struct identity *identity)
{
    if (identity == NULL) {
        audit_json_raw(json, "{\"type\":\"Unknown\"}");
        return;
    }
    member(json, "{\"type\":", identity_types[identity->type]);
    if (identity->type == IDENTITY_SERVICE) {
        member(json,
               ",\"invokedBy\":", identity->name[0] == '\0' ? "AWS Internal" : identity->name);
        audit_json_raw(json, "}");
        return;
    }
    member(json, ",\"principalId\":", identity->principal_id);
    member(json, ",\"arn\":", identity->arn);
    member(json, ",\"accountId\":", identity->account);
    member_if(json, ",\"accessKeyId\":", identity->access_key);
    if (identity->type == IDENTITY_USER)
        member(json, ",\"userName\":", identity->name);
    if (identity->is_temporary) {
        audit_json_raw(json, ",\"sessionContext\":{");
        if (identity->type == IDENTITY_ASSUMED_ROLE)
            put_issuer(json, identity);
        put_attributes(json, identity);
        audit_json_raw(json, "}");
    }
    audit_json_raw(json, "}");
}

static void put_resources(struct audit_json *json, const struct audit_event *event)
{
    const char *opening = ",\"resources\":[";
    for (size_t i = 0; i < event->resource_count; i++) {
        const struct record *record = event->resources[i];
        if (record == NULL || strncmp(record->key, "key/", 4) != 0)
            continue;
        audit_json_raw(json, opening);
        member(json, "{\"accountId\":", key_of(record)->account);
        member(json, ",\"type\":\"AWS::KMS::Key\",\"ARN\":", key_of(record)->arn);
        audit_json_raw(json, "}");
        opening = ",";
    }
    if (*opening == ',' && opening[1] == '\0')
        audit_json_raw(json, "]");
}

static void put_connection(struct audit_json *json, const struct http_request *http)
{
    if (http == NULL || !http->is_tls)
        return;
    const char *host = http_header(http, "host");
    member(json,
           ",\"tlsDetails\":{\"tlsVersion\":", http->tls_version == NULL ? "" : http->tls_version);
    member_if(json, ",\"cipherSuite\":", http->tls_cipher);
    member_if(json, ",\"clientProvidedHostHeader\":", host);
    audit_json_raw(json, "}");
}

/* A version 4 UUID of randomness that is fetched for many at once. */
static void put_id(struct audit_json *json, const char *opening)
{
    static _Thread_local uint8_t pool[256];
    static _Thread_local size_t left;
    char id[37];
    if (left == 0) {
        iam_random(pool, sizeof pool);
        left = sizeof pool;
    }
    left -= 16;
    iam_random_uuid(pool + left, id);
    member(json, opening, id);
}

static void put_caller(struct audit_json *json, const struct audit_event *event)
{
    const char *agent = event->http == NULL ? NULL : http_header(event->http, "user-agent");
    const char *peer = event->http == NULL ? "AWS Internal" : event->http->peer;
    member(json, ",\"sourceIPAddress\":", peer == NULL ? "" : peer);
    member_if(json, ",\"userAgent\":", event->http == NULL ? "AWS Internal" : agent);
    member_if(json, ",\"errorCode\":", event->error_code);
    member_if(json, ",\"errorMessage\":", event->error_text);
}

static void put_calls_data(struct audit_json *json, const struct audit_event *event)
{
    audit_json_raw(json, ",\"requestParameters\":");
    audit_json_value(json, event->parameters);
    audit_json_raw(json, ",\"responseElements\":");
    audit_json_value(json, event->response);
    if (event->additional != NULL) {
        audit_json_raw(json, ",\"additionalEventData\":");
        audit_json_value(json, event->additional);
    }
    if (event->http != NULL)
        member(json, ",\"requestID\":", event->http->id);
}

/* Service events have no caller's request. */
static uint64_t time_of(const struct audit_event *event)
{
    if (event->http != NULL)
        return event->http->time_ms;
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Many records fall into one second. */
static const char *second_of(uint64_t time_ms)
{
    static _Thread_local uint64_t last;
    static _Thread_local char text[UTC_LEN];
    if (last != time_ms / 1000 || text[0] == '\0') {
        last = time_ms / 1000;
        utc_print(time_ms, text);
    }
    return text;
}

static enum rc format_at(const struct audit_event *event, const struct audit_frame *frame,
                         struct buf *out)
{
    struct audit_json json = {.out = out};
    audit_json_raw(&json, "{\"eventVersion\":\"1.11\",\"userIdentity\":");
    put_identity(&json, event->identity);
    member(&json, ",\"eventTime\":", second_of(frame->time_ms));
    member(&json, ",\"eventSource\":", event->source);
    member(&json, ",\"eventName\":", event->name);
    member(&json, ",\"awsRegion\":", frame->region);
    put_caller(&json, event);
    put_calls_data(&json, event);
    put_id(&json, ",\"eventID\":");
    audit_json_raw(&json, event->read_only ? ",\"readOnly\":true" : ",\"readOnly\":false");
    put_resources(&json, event);
    member(&json, ",\"eventType\":", event->is_service_event ? "AwsServiceEvent" : "AwsApiCall");
    member(&json, ",\"managementEvent\":true,\"recipientAccountId\":", frame->account);
    audit_json_raw(&json, ",\"eventCategory\":\"Management\"");
    put_connection(&json, event->http);
    audit_json_raw(&json, "}");
    return json.has_failed ? RC_NO_MEMORY : RC_OK;
}

/* Names of streams are names of files: nothing but what accounts and Regions are made of. */
static void copy_name(char *out, size_t size, const char *name, const char *fallback)
{
    bool is_good = name != NULL && name[0] != '\0' && strlen(name) < size &&
                   strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == strlen(name);
    (void)snprintf(out, size, "%s", is_good ? name : fallback);
}

static void frame_of(const struct kms *kms, const struct audit_event *event,
                     struct audit_frame *out)
{
    const struct kms_config *config = kms->config;
    *out = (struct audit_frame){.time_ms = time_of(event)};
    copy_name(out->account, sizeof out->account, event->account,
              config->accounts.count > 0 ? config->accounts.items[0] : "000000000000");
    copy_name(out->region, sizeof out->region, event->region,
              config->regions.count > 0 ? config->regions.items[0] : "us-east-1");
}

enum rc audit_format(const struct kms *kms, const struct audit_event *event, struct buf *out)
{
    struct audit_frame frame;
    frame_of(kms, event, &frame);
    return format_at(event, &frame, out);
}

static struct audit_shard *own_shard(struct audit *audit)
{
    static _Atomic unsigned next;
    static _Thread_local unsigned own;
    if (own == 0)
        own = 1 + atomic_fetch_add(&next, 1) % AUDIT_SHARDS;
    return &audit->shards[own - 1];
}

static bool wait_for_room(struct audit *audit, struct audit_shard *shard)
{
    struct timespec until;
    int failed = 0;
    audit_deadline(ROOM_MS, &until);
    audit_kick(audit);
    while (shard->waiting.len > AUDIT_SHARD_MAX && failed == 0)
        failed = pthread_cond_timedwait(&shard->room, &shard->lock, &until);
    return shard->waiting.len <= AUDIT_SHARD_MAX;
}

/* The shard is this thread's: what it records next goes there. */
enum kms_error audit_admit(struct audit *audit)
{
    if (audit == NULL)
        return KMS_OK;
    struct audit_shard *shard = own_shard(audit);
    (void)pthread_mutex_lock(&shard->lock);
    bool has_room = shard->waiting.len <= AUDIT_SHARD_MAX || wait_for_room(audit, shard);
    (void)pthread_mutex_unlock(&shard->lock);
    if (has_room)
        return KMS_OK;
    if (!atomic_exchange(&audit->is_refusing, true))
        log_error("trail_full", "requests=refused reason=\"the trail cannot be written: see "
                                "trail_write, make room in trail_dir\"");
    return kms_fail(KMS_UNAVAILABLE, "The audit trail cannot be written. Please try again.");
}

/* Frame and text, the frame's length set last. */
static enum rc enqueue(struct audit *audit, struct audit_shard *shard,
                       const struct audit_event *event, struct audit_frame *frame)
{
    size_t start = shard->waiting.len;
    TRY(buf_reserve(&shard->waiting, RECORD_USUAL));
    TRY(buf_append(&shard->waiting, bytes_of(frame, sizeof *frame)));
    enum rc rc = format_at(event, frame, &shard->waiting);
    if (rc != RC_OK) {
        if (buf_resize(&shard->waiting, start) != RC_OK)
            log_error("trail", "error=\"a queue cannot be cut\"");
        return rc;
    }
    frame->number = atomic_fetch_add(&audit->next_number, 1);
    frame->len = (uint32_t)(shard->waiting.len - start - sizeof *frame);
    memcpy(shard->waiting.ptr + start, frame, sizeof *frame);
    return RC_OK;
}

void audit_record(struct audit *audit, const struct audit_event *event)
{
    if (audit == NULL)
        return;
    struct audit_frame frame;
    frame_of(audit->kms, event, &frame);
    struct audit_shard *shard = own_shard(audit);
    (void)pthread_mutex_lock(&shard->lock);
    enum rc rc = enqueue(audit, shard, event, &frame);
    bool is_filling = shard->waiting.len > AUDIT_SHARD_MAX / 2;
    (void)pthread_mutex_unlock(&shard->lock);
    if (rc != RC_OK)
        log_error("trail_record_lost", "event=%s error=%s", event->name, rc_info(rc)->name);
    if (is_filling)
        audit_kick(audit);
}

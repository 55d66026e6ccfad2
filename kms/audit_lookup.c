/* SPDX-License-Identifier: Apache-2.0 */
/* cloudtrail:LookupEvents over this front end's files, newest first. Source: AWS CloudTrail API
 * Reference. */
#include <stdio.h>
#include <stdlib.h>

#include "kms/audit_internal.h"
#include "kms/authorize.h"
#include "kms/hash.h"
#include "kms/utc.h"
#include "kms/vault.h"
#include "rpc/text_code.h"

#define RESULTS_MAX   50
#define SCAN_MAX      ((size_t)64 * 1024 * 1024) /* of one call; a token goes on from there */
#define DAYS_90_MS    (90ULL * 86400 * 1000)
#define OUT_OF_ORDER  (15ULL * 60 * 1000)
#define ATTRIBUTES_AT "LookupAttributes"

enum attribute {
    ATTRIBUTE_NONE,
    ATTRIBUTE_EVENT_ID,
    ATTRIBUTE_EVENT_NAME,
    ATTRIBUTE_READ_ONLY,
    ATTRIBUTE_USERNAME,
    ATTRIBUTE_RESOURCE_TYPE,
    ATTRIBUTE_RESOURCE_NAME,
    ATTRIBUTE_EVENT_SOURCE,
    ATTRIBUTE_ACCESS_KEY,
    ATTRIBUTE_END,
};
static const char *const attribute_names[] = {
    [ATTRIBUTE_EVENT_ID] = "EventId",           [ATTRIBUTE_EVENT_NAME] = "EventName",
    [ATTRIBUTE_READ_ONLY] = "ReadOnly",         [ATTRIBUTE_USERNAME] = "Username",
    [ATTRIBUTE_RESOURCE_TYPE] = "ResourceType", [ATTRIBUTE_RESOURCE_NAME] = "ResourceName",
    [ATTRIBUTE_EVENT_SOURCE] = "EventSource",   [ATTRIBUTE_ACCESS_KEY] = "AccessKeyId",
};

struct lookup {
    struct kms *kms;
    const struct http_request *http;
    struct identity identity;
    char region[KMS_REGION_MAX + 1];
    json_t *in, *events;
    enum attribute attribute;
    const char *value;
    uint64_t start_ms, end_ms;
    size_t limit, scanned;
    char filter[HASH_HEX_LEN]; /* of what is asked: a token goes with it */
    char file[AUDIT_NAME_MAX]; /* where to go on: "": from the newest */
    size_t offset;             /* lines before it */
    bool is_more;
};

/* ---- what is asked */

static enum kms_error read_time(const json_t *in, const char *name, uint64_t *in_out)
{
    const json_t *value = json_object_get(in, name);
    if (value == NULL || json_is_null(value))
        return KMS_OK;
    double seconds = json_number_value(value);
    if (!json_is_number(value) || !(seconds >= 0 && seconds < 1e11))
        return kms_fail(KMS_SERIALIZATION, "%s must be a timestamp", name);
    *in_out = (uint64_t)(seconds * 1000);
    return KMS_OK;
}

static enum kms_error read_times(struct lookup *lookup)
{
    lookup->end_ms = lookup->http->time_ms + 60000;
    lookup->start_ms = lookup->http->time_ms > DAYS_90_MS ? lookup->http->time_ms - DAYS_90_MS : 0;
    KMS_TRY(read_time(lookup->in, "StartTime", &lookup->start_ms));
    KMS_TRY(read_time(lookup->in, "EndTime", &lookup->end_ms));
    return lookup->start_ms <= lookup->end_ms
               ? KMS_OK
               : kms_fail(KMS_INVALID_TIME_RANGE, "Start time must be before end time.");
}

static enum kms_error read_attribute(struct lookup *lookup)
{
    const json_t *list = json_object_get(lookup->in, ATTRIBUTES_AT);
    if (list == NULL || json_is_null(list) || json_array_size(list) == 0)
        return json_is_array(list) || list == NULL || json_is_null(list)
                   ? KMS_OK
                   : kms_fail(KMS_SERIALIZATION, ATTRIBUTES_AT " must be a list");
    if (json_array_size(list) > 1)
        return kms_fail(KMS_INVALID_LOOKUP, "You can specify only one lookup attribute.");
    const json_t *given = json_array_get(list, 0);
    const char *key = json_string_value(json_object_get(given, "AttributeKey"));
    lookup->value = json_string_value(json_object_get(given, "AttributeValue"));
    for (enum attribute i = ATTRIBUTE_EVENT_ID; key != NULL && i < ATTRIBUTE_END; i++)
        if (strcmp(attribute_names[i], key) == 0)
            lookup->attribute = i;
    if (lookup->attribute == ATTRIBUTE_NONE || lookup->value == NULL || *lookup->value == '\0' ||
        strlen(lookup->value) > 2000)
        return kms_fail(KMS_INVALID_LOOKUP, "The lookup attribute is not valid.");
    return KMS_OK;
}

static void token_purpose(const struct lookup *lookup, char out[96])
{
    (void)snprintf(out, 96, "lookup/%s/%s", lookup->identity.account, lookup->region);
}

static enum kms_error set_filter(struct lookup *lookup)
{
    AUTO_BUF text = BUF_INIT;
    uint8_t hash[HASH_LEN];
    const json_t *start = json_object_get(lookup->in, "StartTime");
    const json_t *end = json_object_get(lookup->in, "EndTime");
    enum rc rc =
        buf_printf(&text, "%d %.3f %.3f %s", (int)lookup->attribute, json_number_value(start),
                   json_number_value(end), lookup->value == NULL ? "" : lookup->value);
    if (rc == RC_OK)
        rc = hash_sha256(buf_bytes(&text), hash);
    if (rc == RC_OK)
        hash_hex(bytes_of(hash, sizeof hash), lookup->filter);
    return kms_from_rc(rc);
}

static enum kms_error read_token(struct lookup *lookup)
{
    const char *token = json_string_value(json_object_get(lookup->in, "NextToken"));
    if (token == NULL)
        return KMS_OK;
    AUTO_BUF sealed = BUF_INIT;
    AUTO_SECRET plain = SECRET_INIT;
    char purpose[96], filter[HASH_HEX_LEN];
    token_purpose(lookup, purpose);
    if (text_code_read("", token, &sealed) != RC_OK ||
        vault_unseal(lookup->kms->vault, purpose, buf_bytes(&sealed), &plain) != RC_OK)
        return kms_fail(KMS_INVALID_NEXT_TOKEN, "Invalid token.");
    struct reader in = reader_of(secret_expose(&plain));
    reader_copy(&in, filter, sizeof filter);
    reader_copy(&in, lookup->file, sizeof lookup->file);
    lookup->offset = reader_u64(&in);
    if (!reader_done(&in) || strcmp(filter, lookup->filter) != 0)
        return kms_fail(KMS_INVALID_NEXT_TOKEN, "Invalid token.");
    return KMS_OK;
}

static enum kms_error read_request(struct lookup *lookup)
{
    const json_t *limit = json_object_get(lookup->in, "MaxResults");
    lookup->limit = RESULTS_MAX;
    if (limit != NULL && !json_is_null(limit)) {
        json_int_t value = json_integer_value(limit);
        if (!json_is_integer(limit) || value < 1 || value > RESULTS_MAX)
            return kms_fail(KMS_INVALID_MAX_RESULTS,
                            "A maximum of %d results is allowed, and at least one.", RESULTS_MAX);
        lookup->limit = (size_t)value;
    }
    KMS_TRY(read_attribute(lookup));
    KMS_TRY(read_times(lookup));
    KMS_TRY(set_filter(lookup));
    return read_token(lookup);
}

/* ---- records */

static const char *member(const json_t *record, const char *name)
{
    const char *text = json_string_value(json_object_get(record, name));
    return text == NULL ? "" : text;
}

static const char *user_name(const json_t *record)
{
    const json_t *who = json_object_get(record, "userIdentity");
    const char *type = member(who, "type");
    if (strcmp(type, "Root") == 0)
        return "root";
    if (strcmp(type, "AssumedRole") != 0)
        return member(who, "userName");
    const char *colon = strchr(member(who, "principalId"), ':');
    return colon == NULL ? "" : colon + 1;
}

static bool has_resource(const json_t *record, const char *name, const char *value)
{
    const json_t *resources = json_object_get(record, "resources");
    for (size_t i = 0; i < json_array_size(resources); i++)
        if (strcmp(member(json_array_get(resources, i), name), value) == 0)
            return true;
    return false;
}

static bool is_asked(const struct lookup *lookup, const json_t *record)
{
    const char *value = lookup->value;
    switch (lookup->attribute) {
    case ATTRIBUTE_EVENT_ID:
        return strcmp(member(record, "eventID"), value) == 0;
    case ATTRIBUTE_EVENT_NAME:
        return strcmp(member(record, "eventName"), value) == 0;
    case ATTRIBUTE_READ_ONLY:
        return strcmp(json_is_true(json_object_get(record, "readOnly")) ? "true" : "false",
                      value) == 0;
    case ATTRIBUTE_USERNAME:
        return strcmp(user_name(record), value) == 0;
    case ATTRIBUTE_RESOURCE_TYPE:
        return has_resource(record, "type", value);
    case ATTRIBUTE_RESOURCE_NAME:
        return has_resource(record, "ARN", value);
    case ATTRIBUTE_EVENT_SOURCE:
        return strcmp(member(record, "eventSource"), value) == 0;
    case ATTRIBUTE_ACCESS_KEY:
        return strcmp(member(json_object_get(record, "userIdentity"), "accessKeyId"), value) == 0;
    case ATTRIBUTE_NONE:
    case ATTRIBUTE_END:
        break;
    }
    return true;
}

static json_t *resources_json(const json_t *record)
{
    const json_t *resources = json_object_get(record, "resources");
    json_t *out = json_array();
    for (size_t i = 0; i < json_array_size(resources); i++) {
        const json_t *one = json_array_get(resources, i);
        (void)json_array_append_new(out,
                                    json_pack("{s:s, s:s}", "ResourceType", member(one, "type"),
                                              "ResourceName", member(one, "ARN")));
    }
    return out;
}

static void add_event(struct lookup *lookup, const json_t *record, struct bytes line,
                      uint64_t time_ms)
{
    const char *key = member(json_object_get(record, "userIdentity"), "accessKeyId");
    json_t *event =
        json_pack("{s:s, s:s, s:s, s:I, s:s, s:s, s:o, s:s%}", "EventId", member(record, "eventID"),
                  "EventName", member(record, "eventName"), "ReadOnly",
                  json_is_true(json_object_get(record, "readOnly")) ? "true" : "false", "EventTime",
                  (json_int_t)(time_ms / 1000), "EventSource", member(record, "eventSource"),
                  "Username", user_name(record), "Resources", resources_json(record),
                  "CloudTrailEvent", (const char *)line.ptr, line.len);
    if (event != NULL && *key != '\0')
        (void)json_object_set_new(event, "AccessKeyId", json_string(key));
    (void)json_array_append_new(lookup->events, event);
}

/* Most lines are passed over without being parsed. */
static bool may_be_asked(const struct lookup *lookup, struct bytes line)
{
    if (lookup->attribute == ATTRIBUTE_NONE || lookup->attribute == ATTRIBUTE_READ_ONLY ||
        strcmp(lookup->value, "root") == 0)
        return true;
    for (const char *at = lookup->value; *at != '\0'; at++)
        if (*at < 0x20 || *at > 0x7e || *at == '"' || *at == '\\')
            return true; /* may be written otherwise */
    return memmem(line.ptr, line.len, lookup->value, strlen(lookup->value)) != NULL;
}

/* False: all that is older is too old. */
static bool see_line(struct lookup *lookup, struct bytes line)
{
    uint64_t time_ms;
    if (!may_be_asked(lookup, line))
        return true;
    json_t *record = json_loadb((const char *)line.ptr, line.len, 0, NULL);
    if (!utc_parse(member(record, "eventTime"), &time_ms)) {
        json_decref(record);
        return true;
    }
    bool goes_on = time_ms + OUT_OF_ORDER >= lookup->start_ms;
    if (time_ms >= lookup->start_ms / 1000 * 1000 && time_ms <= lookup->end_ms &&
        is_asked(lookup, record))
        add_event(lookup, record, line, time_ms);
    json_decref(record);
    return goes_on;
}

/* The line that ends before *in_out_end (with its newline); false: there is none. */
static bool line_before(const struct buf *content, size_t *in_out_end, struct bytes *out)
{
    size_t end = *in_out_end;
    if (end == 0)
        return false;
    size_t start = end - 1;
    while (start > 0 && content->ptr[start - 1] != '\n')
        start--;
    *in_out_end = start;
    *out = bytes_of(content->ptr + start, end - 1 - start);
    if (out->len > 0 && out->ptr[0] == ',')
        *out = bytes_slice(*out, 1, out->len - 1);
    return true;
}

/* Lines of one file from lookup->offset back. False: the page is full, or all else is too old. */
static bool see_file(struct lookup *lookup, const struct buf *content)
{
    size_t end = lookup->offset < content->len ? lookup->offset : content->len;
    while (end > 0 && content->ptr[end - 1] != '\n') /* half a line, being written */
        end--;
    struct bytes line;
    while (line_before(content, &end, &line)) {
        lookup->scanned += line.len;
        if (line.len > 2 && !see_line(lookup, line))
            return false;
        lookup->offset = end;
        if (json_array_size(lookup->events) >= lookup->limit || lookup->scanned > SCAN_MAX) {
            lookup->is_more = true;
            return false;
        }
    }
    return true;
}

/* Names with and without the mark of being unfinished are the same file's. */
static void plain_name(const char *name, char out[AUDIT_NAME_MAX])
{
    const char *part = strstr(name, AUDIT_PART);
    (void)snprintf(out, AUDIT_NAME_MAX, "%.*s",
                   (int)(part == NULL ? strlen(name) : (size_t)(part - name)), name);
}

static enum kms_error see_files(struct lookup *lookup, char **names, size_t count)
{
    bool is_found = lookup->file[0] == '\0';
    for (size_t i = 0; i < count; i++) {
        AUTO_BUF content = BUF_INIT_MAX((size_t)512 * 1024 * 1024);
        char plain[AUDIT_NAME_MAX];
        plain_name(names[i], plain);
        if (!is_found && strcmp(plain, lookup->file) != 0)
            continue;
        if (is_found)
            lookup->offset = SIZE_MAX;
        is_found = true;
        memcpy(lookup->file, plain, sizeof plain);
        struct audit_place place = {
            .account = lookup->identity.account, .region = lookup->region, .name = names[i]};
        enum rc rc = audit_files_read(lookup->kms->audit->files, &place, &content);
        if (rc != RC_OK && rc != RC_NOT_FOUND)
            return kms_from_rc(rc);
        if (!see_file(lookup, &content))
            break;
    }
    return KMS_OK;
}

static enum kms_error put_token(struct lookup *lookup, json_t *out)
{
    AUTO_BUF plain = BUF_INIT;
    AUTO_BUF sealed = BUF_INIT;
    AUTO_BUF token = BUF_INIT;
    char purpose[96];
    token_purpose(lookup, purpose);
    enum rc rc = buf_append(&plain, bytes_of(lookup->filter, sizeof lookup->filter));
    if (rc == RC_OK)
        rc = buf_append(&plain, bytes_of(lookup->file, sizeof lookup->file));
    if (rc == RC_OK)
        rc = buf_put_u64(&plain, lookup->offset);
    if (rc == RC_OK)
        rc = vault_seal(lookup->kms->vault, purpose, buf_bytes(&plain), &sealed);
    if (rc == RC_OK)
        rc = text_code_write("", buf_bytes(&sealed), &token);
    if (rc == RC_OK)
        (void)json_object_set_new(out, "NextToken", json_string(buf_str(&token)));
    return kms_from_rc(rc);
}

static enum kms_error find_events(struct lookup *lookup, struct http_answer *answer)
{
    char **names;
    size_t count;
    audit_flush(lookup->kms->audit);
    enum rc rc = audit_files_list(lookup->kms->audit->files, lookup->identity.account,
                                  lookup->region, &names, &count);
    if (rc != RC_OK)
        return kms_from_rc(rc);
    enum kms_error error = see_files(lookup, names, count);
    audit_names_free(names, count);
    KMS_TRY(error);
    json_t *out = json_pack("{s:O}", "Events", lookup->events);
    if (lookup->is_more)
        error = put_token(lookup, out);
    char *text = error == KMS_OK ? json_dumps(out, JSON_COMPACT) : NULL;
    json_decref(out);
    if (error == KMS_OK && (text == NULL || buf_append(&answer->body, bytes_of_str(text)) != RC_OK))
        error = kms_from_rc(RC_NO_MEMORY);
    free(text);
    return error;
}

static enum kms_error look_up(struct lookup *lookup, struct http_answer *answer)
{
    const struct http_request *http = lookup->http;
    KMS_TRY(
        identity_of_request(lookup->kms, http, "cloudtrail", &lookup->identity, lookup->region));
    lookup->in =
        json_loadb((const char *)http->body.ptr, http->body.len, JSON_REJECT_DUPLICATES, NULL);
    if (!json_is_object(lookup->in))
        return kms_fail(KMS_SERIALIZATION, "Start of structure or map found where not expected.");
    struct authorize_call right = {.kms = lookup->kms,
                                   .http = http,
                                   .identity = &lookup->identity,
                                   .region = lookup->region,
                                   .now_ms = http->time_ms,
                                   .action = "cloudtrail:LookupEvents"};
    KMS_TRY(authorize_action(&right));
    KMS_TRY(read_request(lookup));
    return find_events(lookup, answer);
}

static void record_call(const struct lookup *lookup, enum kms_error error)
{
    if (lookup->identity.account[0] == '\0')
        return;
    struct audit_event event = {.http = lookup->http,
                                .identity = &lookup->identity,
                                .source = "cloudtrail.amazonaws.com",
                                .name = "LookupEvents",
                                .region = lookup->region,
                                .account = lookup->identity.account,
                                .read_only = true,
                                .parameters = lookup->in};
    if (error != KMS_OK) {
        event.error_code = kms_error_row(error)->name;
        event.error_text = kms_error_text();
    }
    audit_record(lookup->kms->audit, &event);
}

void audit_lookup(struct kms *kms, const struct http_request *http, struct http_answer *answer)
{
    struct lookup *lookup = calloc(1, sizeof *lookup);
    answer->content_type = http_json_type;
    answer->status = 200;
    if (lookup == NULL) {
        http_answer_error(answer, kms_from_rc(RC_NO_MEMORY));
        return;
    }
    lookup->kms = kms;
    lookup->http = http;
    lookup->events = json_array();
    enum kms_error error = look_up(lookup, answer);
    if (error != KMS_OK)
        http_answer_error(answer, error);
    record_call(lookup, error);
    identity_clear(&lookup->identity);
    json_decref(lookup->events);
    json_decref(lookup->in);
    free(lookup);
}

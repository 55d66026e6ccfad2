/* SPDX-License-Identifier: Apache-2.0 */
/* The way of a request from HTTP to its operation and back. */
#include "kms/pipeline.h"

#include <stdio.h>
#include <stdlib.h>

#include "kms/alias.h"
#include "kms/audit.h"
#include "kms/authorize.h"
#include "kms/backing.h"
#include "kms/grant.h"
#include "kms/members.h"
#include "kms/operations.h"
#include "kms/throttle.h"
#include "kms/trail.h"

#define CONTENT_TYPE "application/x-amz-json-1.1"
#define ATTEMPTS_MAX 6
#define DEPTH_MAX    32U /* AWS's own shapes have 5 */
#define PRECISION    13  /* epoch seconds with milliseconds */
#define DUMP_FLAGS   (JSON_COMPACT | JSON_REAL_PRECISION(PRECISION))
#define BODY_LEN     512U

/* ---- JSON */

/* Brackets inside brackets, outside of strings: before the parser recurses. */
static bool is_shallow(struct bytes body)
{
    size_t depth = 0;
    bool is_string = false;
    for (size_t i = 0; i < body.len; i++) {
        uint8_t c = body.ptr[i];
        if (is_string) {
            if (c == '\\')
                i++;
            is_string = c != '"';
            continue;
        }
        is_string = c == '"';
        if (c == '{' || c == '[')
            depth++;
        else if ((c == '}' || c == ']') && depth > 0)
            depth--;
        if (depth > DEPTH_MAX)
            return false;
    }
    return true;
}

static enum kms_error parse(struct kms_request *request)
{
    struct bytes body = request->http->body;
    if (!is_shallow(body))
        return kms_fail(KMS_SERIALIZATION, "The request is nested too deeply");
    json_error_t error;
    request->in = json_loadb((const char *)body.ptr, body.len, JSON_REJECT_DUPLICATES, &error);
    if (request->in == NULL)
        return kms_fail(KMS_SERIALIZATION, "The request is not valid JSON: line %d, column %d",
                        error.line, error.column);
    if (!json_is_object(request->in))
        return kms_fail(KMS_SERIALIZATION, "Expected structure or null");
    request->out = json_object();
    if (request->out == NULL)
        return kms_from_rc(rc_fail(RC_NO_MEMORY, "answer"));
    return KMS_OK;
}

static int append(const char *text, size_t len, void *out)
{
    return buf_append(out, bytes_of(text, len)) == RC_OK ? 0 : -1;
}

/* ---- the key */

/* A service's key is made when its alias is first named, by somebody who may do something. */
static bool may_make(struct kms_request *request, const char *action, enum key_naming naming,
                     const struct key_name *name)
{
    return naming == KEY_BY_ANY && name->is_alias &&
           strcmp(name->account, request->identity.account) == 0 &&
           strcmp(name->region, request->region) == 0 && alias_is_of_service(name->alias) &&
           authorize(request, action, NULL, "*", NULL, 0) == KMS_OK;
}

static enum kms_error find_or_make(struct kms_request *request, const char *text,
                                   const char *action, struct key_name *name, struct record **out)
{
    const struct kms *kms = request->kms;
    const char *account = request->identity.account;
    enum key_naming naming = request->operation->naming;
    enum kms_error error = key_find(kms, text, naming, request->region, account, name, out);
    if (error != KMS_NOT_FOUND)
        return error;
    if (may_make(request, action, naming, name))
        KMS_TRY(alias_make_managed(request, name->alias));
    return key_find(kms, text, naming, request->region, account, name, out);
}

static bool is_foreign(const struct kms_request *request, const struct key_name *name)
{
    return strcmp(name->account, request->identity.account) != 0 &&
           strcmp(name->region, request->region) == 0;
}

/* ---- keys of other accounts: nobody learns whether they exist */

static const struct view_kind stand_in_kind = {.prefix = "", .free = key_free};

/* A key that gives no rights, under the name that the caller gave. */
static struct key *key_as_named(const struct key_name *name)
{
    struct key *key = calloc(1, sizeof *key);
    if (key == NULL)
        return NULL;
    (void)snprintf(key->id, sizeof key->id, "%s", name->id);
    (void)snprintf(key->region, sizeof key->region, "%s", name->region);
    (void)snprintf(key->account, sizeof key->account, "%s", name->account);
    key_name_itself(key);
    if (name->is_alias) /* as_named() has room for all of it */
        (void)snprintf(key->arn, sizeof key->arn, "arn:aws:kms:%s:%s:%.80s", name->region,
                       name->account, name->alias);
    key->spec = KEYSTORE_SPEC_AES_256;
    key->use = KEYSTORE_ENCRYPT;
    return key;
}

/* Goes the way of a key that is there. With the version of the one that it stands in for: its
 * account sees the call in its trail. */
static enum kms_error stand_in(const struct key_name *name, struct record **out)
{
    struct key *key = key_as_named(name);
    struct record *record = calloc(1, sizeof *record);
    if (key == NULL || record == NULL) {
        free(key);
        free(record);
        return kms_from_rc(rc_fail(RC_NO_MEMORY, "key"));
    }
    *record = (struct record){.refs = 1, .kind = &stand_in_kind, .data = key};
    record->version = *out == NULL ? 0 : (*out)->version;
    record_unref(*out);
    *out = record;
    return KMS_OK;
}

enum kms_error pipeline_find_key(struct kms_request *request, const char *text, const char *action,
                                 struct key_name *out_name, struct record **out)
{
    const struct operation *operation = request->operation;
    enum kms_error error = find_or_make(request, text, action, out_name, out);
    bool is_named = out_name->id[0] != '\0' || out_name->is_alias;
    if (!is_foreign(request, out_name) || !is_named)
        return error;
    if (error == KMS_NOT_FOUND || (error == KMS_OK && !operation->is_cross_account))
        return stand_in(out_name, out);
    return error;
}

static enum kms_error find_key(struct kms_request *request)
{
    const struct operation *operation = request->operation;
    const char *text =
        operation->key_member == NULL ? NULL : request_string(request, operation->key_member);
    if (text != NULL)
        KMS_TRY(
            pipeline_find_key(request, text, operation->action, &request->key_name, &request->key));
    return operation->find_key == NULL ? KMS_OK : operation->find_key(request);
}

/* ---- rights, state, usage */

/* A refusal that shows another account's key under the alias that the caller gave. */
static enum kms_error as_named(const struct kms_request *request, const char *member,
                               const struct record *record, enum kms_error error)
{
    struct key_name name = {0};
    const char *text = member == NULL ? NULL : request_string(request, member);
    if (error != KMS_ACCESS_DENIED || record == NULL || text == NULL ||
        strcmp(key_of(record)->account, request->identity.account) == 0)
        return error;
    AUTO_BUF refusal = BUF_INIT;
    if (buf_printf(&refusal, "%s", kms_error_text()) != RC_OK)
        return kms_fail_plain(error);
    const char *arn = key_of(record)->arn;
    const char *place = strstr(buf_str(&refusal), arn);
    if (place == NULL ||
        key_name_read(text, KEY_BY_ANY, request->region, request->identity.account, &name) !=
            KMS_OK ||
        !name.is_alias)
        return kms_fail(error, "%s", buf_str(&refusal));
    return kms_fail(error, "%.*sarn:aws:kms:%s:%s:%s%s", (int)(place - buf_str(&refusal)),
                    buf_str(&refusal), name.region, name.account, name.alias, place + strlen(arn));
}

static enum kms_error ask_rights(struct kms_request *request)
{
    const struct operation *operation = request->operation;
    switch (operation->right) {
    case RIGHT_KEY:
        return authorize(request, operation->action, request->key, NULL, NULL, 0);
    case RIGHT_ACCOUNT:
        return authorize(request, operation->action, NULL, "*", NULL, 0);
    case RIGHT_OWN:
    default:
        return operation->rights == NULL ? KMS_OK : operation->rights(request);
    }
}

/* Not every operation asks about its key. */
static enum kms_error refuse_stand_in(const struct kms_request *request,
                                      const struct record *record)
{
    if (record == NULL || record->kind != &stand_in_kind)
        return KMS_OK;
    return authorize_deny_foreign(&request->identity, request->operation->action,
                                  key_of(record)->arn);
}

static enum kms_error check_rights(struct kms_request *request)
{
    enum kms_error error = ask_rights(request);
    if (error == KMS_OK)
        error = refuse_stand_in(request, request->key);
    if (error == KMS_OK)
        error = refuse_stand_in(request, request->source);
    error = as_named(request, request->operation->key_member, request->key, error);
    return as_named(request, "SourceKeyId", request->source, error);
}

enum answer { ANSWER_Y, ANSWER_D, ANSWER_I, ANSWER_U };

static const enum answer answers[STATES_END][KEY_STATE_END] = {
#define KEY_STATES(row, a, b, c, d, e, f, g, h)                       \
    [STATES_##row] = {ANSWER_##a, ANSWER_##b, ANSWER_##c, ANSWER_##d, \
                      ANSWER_##e, ANSWER_##f, ANSWER_##g, ANSWER_##h},
#include "kms/key_states.def"
#undef KEY_STATES
};

static const char *const state_texts[] = {
    [KEY_CREATING] = "is creating",
    [KEY_ENABLED] = "is enabled",
    [KEY_DISABLED] = "is disabled",
    [KEY_PENDING_DELETION] = "is pending deletion",
    [KEY_PENDING_IMPORT] = "is pending import",
    [KEY_PENDING_REPLICA_DELETION] = "is pending replica deletion",
    [KEY_UNAVAILABLE] = "is unavailable",
    [KEY_UPDATING] = "is updating",
};

static enum kms_error error_of(enum answer answer, const struct key *key)
{
    switch (answer) {
    case ANSWER_Y:
        return KMS_OK;
    case ANSWER_D:
        return KMS_DISABLED;
    case ANSWER_U:
        return key->store_id[0] == '\0' ? KMS_KEY_UNAVAILABLE : KMS_INVALID_STATE;
    case ANSWER_I:
    default:
        return KMS_INVALID_STATE;
    }
}

static enum kms_error check_state(const struct kms_request *request, const struct key *key)
{
    enum key_state state = key_state(request->kms, key, request->now_ms);
    enum kms_error error = error_of(answers[request->operation->states][state], key);
    if (error == KMS_OK)
        return KMS_OK;
    if (request->operation->states == STATES_CANCEL)
        return kms_fail(error, "%s is not pending deletion.", key->arn);
    return kms_fail(error, "%s %s.", key->arn, state_texts[state]);
}

enum kms_error pipeline_check_key(const struct kms_request *request, const struct record *record)
{
    const struct key *key = key_of(record);
    KMS_TRY(check_state(request, key));
    enum keystore_use use = request->operation->use;
    if (use != 0 && key->use != use)
        return kms_fail(KMS_INVALID_KEY_USAGE, "%s key usage is %s which is not valid for %s.",
                        key->arn, key_usage_name(key->use), request->operation->name);
    return KMS_OK;
}

/* ---- all of it */

/* One permit is enough for all attempts. */
static enum kms_error take_permit(struct kms_request *request, bool *has_permit)
{
    if (!*has_permit)
        KMS_TRY(throttle_take(request->kms->throttle, request));
    *has_permit = true;
    return KMS_OK;
}

/* A search of the operation's own may ask the cluster: the quota goes first where it does not
 * depend on the key. */
static bool is_search_limited(const struct operation *operation)
{
    return operation->find_key != NULL && operation->rate == RATE_CONTROL;
}

static enum kms_error admit(struct kms_request *request, bool *has_permit)
{
    const struct operation *operation = request->operation;
    KMS_TRY(parse(request));
    KMS_TRY(members_check(operation->members, operation->member_count, request->in));
    members_keep(operation->members, operation->member_count, request->in);
    request->is_dry_run = operation->has_dry_run && request_bool(request, "DryRun");
    if (is_search_limited(operation))
        KMS_TRY(take_permit(request, has_permit));
    KMS_TRY(find_key(request));
    KMS_TRY(check_rights(request));
    KMS_TRY(grant_check_tokens(request));
    if (request->key != NULL)
        KMS_TRY(pipeline_check_key(request, request->key));
    if (request->is_dry_run)
        return kms_fail_plain(KMS_DRY_RUN);
    return take_permit(request, has_permit);
}

static enum kms_error run(struct kms_request *request, bool *has_permit)
{
    KMS_TRY(admit(request, has_permit));
    return request->operation->run(request);
}

static void release(struct kms_request *request)
{
    json_decref(request->in);
    json_decref(request->out);
    json_decref(request->additional);
    record_unref(request->key);
    record_unref(request->source);
    record_unref(request->granted_by);
    for (size_t i = 0; i < request->touched_count; i++)
        record_unref(request->touched[i]);
    identity_clear(&request->identity);
    view_decided();
}

static void begin(struct kms_request *request, struct kms *kms, const struct http_request *http,
                  const struct operation *operation)
{
    *request = (struct kms_request){
        .kms = kms,
        .http = http,
        .operation = operation,
        .now_ms = http->time_ms,
        .view = view_index(kms->view),
    };
}

/* The last error of this thread as an answer in AWS's JSON. */
static void answer_error(struct http_answer *answer, enum kms_error error)
{
    const struct kms_error_row *row = kms_error_row(error);
    const char *text = kms_error_text();
    json_t *body = json_pack("{s:s, s:s}", "__type", row->name, "message", text);
    if (body == NULL) /* a text that was cut inside a character */
        body = json_pack("{s:s, s:s}", "__type", row->name, "message", row->text);
    answer->status = row->status;
    answer->content_type = CONTENT_TYPE;
    answer->error_type = row->name;
    buf_clear(&answer->body);
    (void)json_dump_callback(body, append, &answer->body, DUMP_FLAGS);
    json_decref(body);
}

static enum kms_error answer_with(struct http_answer *answer, const json_t *out)
{
    answer->status = 200;
    answer->content_type = CONTENT_TYPE;
    answer->error_type = NULL;
    if (json_object_size(out) == 0)
        return KMS_OK;
    if (buf_reserve(&answer->body, BODY_LEN) != RC_OK ||
        json_dump_callback(out, append, &answer->body, DUMP_FLAGS) != 0)
        return kms_from_rc(rc_fail(RC_NO_MEMORY, "answer"));
    return KMS_OK;
}

/* What the attempts of a request share. */
struct tries {
    bool has_permit;
    bool is_fresh; /* the next one's view is newer than the request */
    bool is_last;
};

/* An answer that comes of documents alone, which another front end may have changed before the
 * request: a refusal, or what was read of them. (What uses a key has the HSM ask; it has quotas of
 * other rates.) */
static bool rests_on_view(const struct operation *operation, enum kms_error error)
{
    switch ((int)error) {
    case KMS_OK:
        return operation->read_only && operation->rate == RATE_CONTROL;
    case KMS_NOT_FOUND:
    case KMS_ACCESS_DENIED:
    case KMS_DISABLED:
    case KMS_INVALID_STATE:
    case KMS_INVALID_ARN:
    case KMS_INVALID_GRANT_ID:
    case KMS_INVALID_GRANT_TOKEN:
    case KMS_ALREADY_EXISTS:
    case KMS_CUSTOM_STORE_NOT_FOUND:
    case KMS_CUSTOM_STORE_INVALID_STATE:
        return true;
    default:
        return false;
    }
}

/* Is it to be decided again, by a newer view? */
static bool is_outdated(const struct kms_request *request, enum kms_error error,
                        struct tries *tries)
{
    struct view *view = request->kms->view;
    if (tries->is_last)
        return false;
    if (error == KMS_INTERNAL && (request->is_again || backing_is_stale()))
        return view_refresh(view) == RC_OK;
    if (tries->is_fresh || !rests_on_view(request->operation, error))
        return false;
    tries->is_fresh = true;
    return view_confirm(view, request->view) == RC_VIEW_OLD;
}

/* One attempt from the signature on. False: again. */
static bool attempt(struct kms *kms, const struct http_request *http,
                    const struct operation *operation, struct tries *tries,
                    struct http_answer *answer)
{
    struct kms_request request;
    view_decide();
    backing_begin();
    begin(&request, kms, http, operation);
    enum kms_error error = identity_of_request(kms, http, "kms", &request.identity, request.region);
    bool is_known = error == KMS_OK;
    if (is_known)
        error = run(&request, &tries->has_permit);
    if (is_known && is_outdated(&request, error, tries)) {
        release(&request);
        return false;
    }
    if (error == KMS_OK)
        error = answer_with(answer, request.out);
    if (error != KMS_OK)
        answer_error(answer, error);
    if (is_known)
        trail_note(&request, error);
    release(&request);
    return true;
}

void pipeline_run(struct kms *kms, const struct http_request *http, const char *operation,
                  struct http_answer *answer)
{
    const struct operation *row = operation_find(operation);
    if (row == NULL) {
        answer_error(answer,
                     kms_fail(KMS_UNKNOWN_OPERATION, "The operation is not one of AWS KMS's"));
        return;
    }
    enum kms_error error = audit_admit(kms->audit);
    if (error != KMS_OK) {
        answer_error(answer, error);
        return;
    }
    struct tries tries = {.has_permit = false};
    for (int i = 0; i < ATTEMPTS_MAX; i++) {
        tries.is_last = i == ATTEMPTS_MAX - 1;
        if (attempt(kms, http, row, &tries, answer))
            return;
    }
}

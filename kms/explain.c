/* SPDX-License-Identifier: Apache-2.0 */
/* An explanation: a request made by hand, decided as any other, and its policies' walk. */
#include "kms/explain.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "kms/authorize_decision.h"

#define EXTRAS_MAX 64U

struct explanation {
    struct kms_request request;
    struct authorize_extra extras[EXTRAS_MAX];
    size_t extra_count;
    bool is_foreign; /* the key is said to be another account's; it may not be there */
    struct policy_arena arena;
};

static void explanation_free(struct explanation *e)
{
    if (e == NULL)
        return;
    identity_clear(&e->request.identity);
    record_unref(e->request.key);
    json_decref(e->request.in);
    policy_arena_clear(&e->arena);
    free(e);
}

static void explanation_auto_free(struct explanation **e)
{
    explanation_free(*e);
}

/* ---- the request */

/* The strings of a value: itself, or its items. */
static enum kms_error add_extra(struct explanation *e, const char *name, const json_t *value)
{
    size_t count = json_is_array(value) ? json_array_size(value) : 1;
    const char **list = policy_arena_take(&e->arena, count, sizeof *list);
    if (list == NULL)
        return kms_fail_plain(KMS_INTERNAL);
    for (size_t i = 0; i < count; i++) {
        list[i] = json_string_value(json_is_array(value) ? json_array_get(value, i) : value);
        if (list[i] == NULL)
            return kms_fail(KMS_VALIDATION, "Condition key %s: a string or a list of strings.",
                            name);
    }
    if (e->extra_count == EXTRAS_MAX)
        return kms_fail(KMS_VALIDATION, "More than %u condition keys.", EXTRAS_MAX);
    e->extras[e->extra_count++] = (struct authorize_extra){
        .name = name, .values = list, .count = count, .is_multi = json_is_array(value)};
    return KMS_OK;
}

/* The encryption context goes where a request has it: grants look at it, too. */
static enum kms_error add_context(struct explanation *e, const char *name, const json_t *value)
{
    static const char prefix[] = "kms:EncryptionContext:";
    if (strncasecmp(name, prefix, sizeof prefix - 1) != 0)
        return add_extra(e, name, value);
    json_t *map = json_object_get(e->request.in, "EncryptionContext");
    if (map == NULL) {
        map = json_object();
        if (json_object_set_new(e->request.in, "EncryptionContext", map) != 0)
            return kms_fail_plain(KMS_INTERNAL);
    }
    const char *text = json_string_value(value);
    if (text == NULL || json_object_set_new(map, name + sizeof prefix - 1, json_string(text)) != 0)
        return kms_fail(KMS_VALIDATION, "%s: a string.", name);
    return KMS_OK;
}

static enum kms_error read_facts(struct explanation *e, const struct explain_question *question)
{
    const char *name;
    const json_t *value;
    if ((question->members != NULL && !json_is_object(question->members)) ||
        (question->context != NULL && !json_is_object(question->context)))
        return kms_fail(KMS_VALIDATION, "Members and Context are objects.");
    e->request.in = question->members == NULL ? json_object() : json_deep_copy(question->members);
    if (e->request.in == NULL)
        return kms_fail_plain(KMS_INTERNAL);
    json_object_foreach((json_t *)(uintptr_t)question->context, name, value)
        KMS_TRY(add_context(e, name, value));
    return KMS_OK;
}

static uint64_t now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static enum kms_error prepare(struct kms *kms, const struct explain_question *question,
                              struct explanation *e)
{
    struct kms_request *request = &e->request;
    request->kms = kms;
    request->now_ms = now_ms();
    (void)snprintf(request->region, sizeof request->region, "%s", question->region);
    if (strchr(question->action, ':') == NULL)
        return kms_fail(KMS_VALIDATION, "%s is not an action: kms:Encrypt is one.",
                        question->action);
    KMS_TRY(read_facts(e, question));
    KMS_TRY(identity_of_arn(kms, question->principal, &request->identity));
    if (question->key == NULL)
        return KMS_OK;
    enum kms_error error = key_find(kms, question->key, KEY_BY_ANY, request->region,
                                    request->identity.account, &request->key_name, &request->key);
    const char *owner = request->key_name.account;
    e->is_foreign = *owner != 0 && strcmp(owner, request->identity.account) != 0;
    return error == KMS_NOT_FOUND && e->is_foreign ? KMS_OK : error;
}

/* ---- the walk */

static const char *effect_name(enum policy_effect effect)
{
    static const char *const names[] = {
        [POLICY_NOTHING] = "Nothing", [POLICY_ALLOW] = "Allow", [POLICY_DENY] = "Deny"};
    return names[effect];
}

static json_t *lines_of(const char *text)
{
    json_t *lines = json_array();
    while (*text != 0 && lines != NULL) {
        size_t len = strcspn(text, "\n");
        if (json_array_append_new(lines, json_stringn(text, len)) != 0) {
            json_decref(lines);
            return NULL;
        }
        text += len + (text[len] != 0);
    }
    return lines;
}

static enum kms_error walk_policy(const struct authorize_decision *d, const char *name,
                                  const struct policy *policy, json_t *list)
{
    AUTO_BUF text = BUF_INIT;
    struct policy_match match;
    char statement[160] = "";
    if (policy == NULL)
        return KMS_OK;
    policy_evaluate(policy, &d->request, &match);
    KMS_TRY(kms_from_rc(policy_explain(policy, &d->request, &text)));
    if (match.statement >= 0 && *match.sid != 0)
        (void)snprintf(statement, sizeof statement, "%.128s", match.sid);
    else if (match.statement >= 0)
        (void)snprintf(statement, sizeof statement, "statement %d", match.statement + 1);
    json_t *row =
        json_pack("{s:s, s:s, s:s, s:o}", "Policy", name, "Effect", effect_name(match.effect),
                  "Statement", statement, "Walk", lines_of(buf_str(&text)));
    return json_array_append_new(list, row) == 0 ? KMS_OK : kms_fail_plain(KMS_INTERNAL);
}

/* Policies of other accounts are theirs. */
static enum kms_error walk(const struct authorize_decision *d, bool is_cross_account, json_t *list)
{
    const struct identity *who = d->context.identity;
    if (!is_cross_account)
        KMS_TRY(walk_policy(d, "key policy", d->resource_policy, list));
    KMS_TRY(walk_policy(d, "session policy", who->session_policy, list));
    KMS_TRY(walk_policy(d, "permissions boundary", who->boundary, list));
    for (size_t i = 0; i < who->policy_count; i++) {
        char name[160];
        (void)snprintf(name, sizeof name, "IAM policy %s", who->policy_names[i]);
        KMS_TRY(walk_policy(d, name, who->policies[i], list));
    }
    return KMS_OK;
}

static enum kms_error make_result(const struct authorize_decision *d,
                                  const struct authorize_reason *reason, const char *resource,
                                  const char *because, bool walks, json_t **out)
{
    json_t *result =
        json_pack("{s:s, s:s, s:s, s:s, s:b, s:s, s:s, s:s, s:[]}", "Decision",
                  reason->verdict == VERDICT_ALLOW ? "ALLOWED" : "DENIED", "Because", because,
                  "Policy", reason->policy, "Statement", reason->statement, "CrossAccount",
                  (int)reason->is_cross_account, "Principal", d->context.identity->arn, "Action",
                  d->request.action, "Resource", resource, "Policies");
    enum kms_error error = result == NULL ? kms_fail_plain(KMS_INTERNAL) : KMS_OK;
    if (error == KMS_OK && walks)
        error = walk(d, reason->is_cross_account, json_object_get(result, "Policies"));
    if (error == KMS_OK)
        *out = result;
    else
        json_decref(result);
    return error;
}

/* The same for a key that is there and for one that is not. */
static enum kms_error result_of_foreign(const struct authorize_decision *d, const char *resource,
                                        json_t **out)
{
    const struct authorize_reason nothing = {.verdict = VERDICT_NOTHING, .is_cross_account = true};
    (void)authorize_deny_foreign(d->context.identity, d->request.action, resource);
    return make_result(d, &nothing, resource, kms_error_text(), false, out);
}

static enum kms_error result_of(const struct authorize_decision *d,
                                const struct authorize_reason *reason, json_t **out)
{
    struct authorize_reason told = *reason;
    char because[sizeof told.policy + sizeof told.statement + 32];
    if (told.is_cross_account) /* its policies' statements are its account's own */
        told.statement[0] = '\0';
    (void)snprintf(because, sizeof because, "Allowed by %s%s%s", told.policy,
                   *told.statement == 0 ? "" : ", ", told.statement);
    bool allowed = authorize_decision_answer(d, reason) == KMS_OK;
    return make_result(d, &told, d->request.resource, allowed ? because : kms_error_text(), true,
                       out);
}

enum kms_error explain_make(struct kms *kms, const struct explain_question *question, json_t **out)
{
    struct explanation *e __attribute__((cleanup(explanation_auto_free))) = calloc(1, sizeof *e);
    AUTO_DECISION d = {.grant = NULL};
    struct authorize_reason reason;
    if (e == NULL)
        return kms_fail_plain(KMS_INTERNAL);
    KMS_TRY(prepare(kms, question, e));
    const struct authorize_call call = {.kms = kms,
                                        .identity = &e->request.identity,
                                        .region = e->request.region,
                                        .now_ms = e->request.now_ms,
                                        .action = question->action,
                                        .resource = question->resource,
                                        .extra = e->extras,
                                        .extra_count = e->extra_count};
    authorize_decision_of(&d, &e->request, &call, e->request.key);
    authorize_decision_make(&d, &reason);
    if (e->is_foreign && (e->request.key == NULL || reason.verdict != VERDICT_ALLOW))
        return result_of_foreign(&d, question->key, out);
    return result_of(&d, &reason, out);
}

/* ---- for people */

static const char *text_at(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text == NULL ? "" : text;
}

static enum rc write_policy(const json_t *policy, struct buf *out)
{
    const json_t *lines = json_object_get(policy, "Walk");
    TRY(buf_printf(out, "\n%s: %s\n", text_at(policy, "Policy"), text_at(policy, "Effect")));
    for (size_t i = 0; i < json_array_size(lines); i++)
        TRY(buf_printf(out, "  %s\n", json_string_value(json_array_get(lines, i))));
    return RC_OK;
}

enum rc explain_write(const json_t *explanation, struct buf *out)
{
    const json_t *policies = json_object_get(explanation, "Policies");
    TRY(buf_printf(out, "%s: %s, %s on %s\n%s\n", text_at(explanation, "Decision"),
                   text_at(explanation, "Principal"), text_at(explanation, "Action"),
                   text_at(explanation, "Resource"), text_at(explanation, "Because")));
    for (size_t i = 0; i < json_array_size(policies); i++)
        TRY(write_policy(json_array_get(policies, i), out));
    return RC_OK;
}

/* ---- over HTTP */

static enum kms_error check_caller(struct kms *kms, const struct http_request *http,
                                   const char *principal, char out_region[KMS_REGION_MAX + 1])
{
    struct identity who __attribute__((cleanup(identity_clear)));
    KMS_TRY(identity_of_request(kms, http, "kms", &who, out_region));
    const struct authorize_call call = {.kms = kms,
                                        .http = http,
                                        .identity = &who,
                                        .region = out_region,
                                        .now_ms = http->time_ms,
                                        .action = "qhsm:Explain"};
    KMS_TRY(authorize_action(&call));
    const char *account = strstr(principal, "::");
    if (account != NULL && strncmp(account + 2, who.account, KMS_ACCOUNT_LEN) == 0 &&
        account[2 + KMS_ACCOUNT_LEN] == ':')
        return KMS_OK;
    return authorize_deny_foreign(&who, "qhsm:Explain", principal);
}

static enum kms_error answer_question(struct kms *kms, const struct http_request *http,
                                      const json_t *body, json_t **out)
{
    char region[KMS_REGION_MAX + 1] = "";
    struct explain_question question = {
        .principal = text_at(body, "Principal"),
        .action = text_at(body, "Action"),
        .key = json_string_value(json_object_get(body, "KeyId")),
        .resource = json_string_value(json_object_get(body, "Resource")),
        .region = region,
        .members = json_object_get(body, "Members"),
        .context = json_object_get(body, "Context"),
    };
    KMS_TRY(check_caller(kms, http, question.principal, region));
    return explain_make(kms, &question, out);
}

void explain_answer(struct kms *kms, const struct http_request *http, struct http_answer *answer)
{
    json_t *body =
        json_loadb((const char *)http->body.ptr, http->body.len, JSON_REJECT_DUPLICATES, NULL);
    json_t *result = NULL;
    enum kms_error error = json_is_object(body)
                               ? answer_question(kms, http, body, &result)
                               : kms_fail(KMS_SERIALIZATION, "The body is not a JSON object.");
    char *text = error == KMS_OK ? json_dumps(result, JSON_COMPACT) : NULL;
    json_decref(body);
    json_decref(result);
    if (error == KMS_OK && text == NULL)
        error = kms_fail_plain(KMS_INTERNAL);
    if (error == KMS_OK)
        error = kms_from_rc(buf_append(&answer->body, bytes_of_str(text)));
    answer->status = 200;
    answer->content_type = http_json_type;
    if (error != KMS_OK)
        http_answer_error(answer, error);
    free(text);
}

/* ---- the verb */

static enum rc read_pairs(int count, char **pairs, json_t *context)
{
    for (int i = 0; i < count; i++) {
        const char *sign = strchr(pairs[i], '=');
        char name[512];
        if (sign == NULL || sign == pairs[i] || (size_t)(sign - pairs[i]) >= sizeof name)
            return rc_fail(RC_USAGE, "%s: want NAME=VALUE", pairs[i]);
        (void)snprintf(name, sizeof name, "%.*s", (int)(sign - pairs[i]), pairs[i]);
        json_t *value = json_string(sign + 1);
        json_t *old = json_object_get(context, name);
        int failed;
        if (old == NULL) {
            failed = json_object_set_new(context, name, value);
        } else if (json_is_array(old)) {
            failed = json_array_append_new(old, value);
        } else {
            failed = json_object_set_new(context, name, json_pack("[O,o]", old, value));
        }
        if (failed != 0)
            return rc_fail(RC_USAGE, "%s: not text in UTF-8", pairs[i]);
    }
    return RC_OK;
}

static enum rc explain_pairs(const struct kms_config *config, struct kms *kms, int count,
                             char **arguments, json_t *context)
{
    AUTO_BUF text = BUF_INIT;
    char region[KMS_REGION_MAX + 1] = "";
    json_t *result = NULL;
    const bool has_key = strcmp(arguments[2], "-") != 0;
    if (config->regions.count > 0)
        (void)snprintf(region, sizeof region, "%s", config->regions.items[0]);
    if (has_key) /* an ARN names its Region */
        (void)sscanf(arguments[2], "arn:aws:kms:%32[^:]:", region);
    TRY(read_pairs(count - 3, arguments + 3, context));
    const struct explain_question question = {.principal = arguments[0],
                                              .action = arguments[1],
                                              .key = has_key ? arguments[2] : NULL,
                                              .region = region,
                                              .context = context};
    if (explain_make(kms, &question, &result) != KMS_OK)
        return rc_fail(RC_BAD_ARGUMENT, "%.200s", kms_error_text());
    enum rc rc = explain_write(result, &text);
    json_decref(result);
    if (rc == RC_OK)
        (void)fputs(buf_str(&text), stdout);
    return rc;
}

enum rc explain_run(const struct kms_config *config, struct kms *kms, int count, char **arguments)
{
    json_t *context = json_object();
    if (context == NULL)
        return RC_NO_MEMORY;
    enum rc rc = explain_pairs(config, kms, count, arguments, context);
    json_decref(context);
    return rc;
}

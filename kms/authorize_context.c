/* SPDX-License-Identifier: Apache-2.0 */
/* Values of condition keys. Sources: IAM User Guide, "AWS global condition context keys"; AWS KMS
 * Developer Guide, "Condition keys for AWS KMS". */
#include "kms/authorize_context.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "kms/alias.h"

struct row {
    const char *name;
    bool (*get)(struct authorize_context *context, const struct row *row,
                struct policy_values *out);
    const char *member;   /* of the request */
    const char *fallback; /* when the member is absent, for `actions` */
    const char *actions;  /* each between blanks */
    const char *(*of_key)(const struct key *key);
};

/* ---- making values */

static void *take(struct authorize_context *context, size_t count, size_t size)
{
    void *out = policy_arena_take(&context->arena, count, size);
    context->failed = context->failed || out == NULL;
    return out;
}

/* `text` stays. */
static bool give(struct authorize_context *context, const char *text, struct policy_values *out)
{
    const char **list = text == NULL ? NULL : take(context, 1, sizeof *list);
    if (list == NULL)
        return false;
    list[0] = text;
    *out = (struct policy_values){.values = list, .count = 1};
    return true;
}

static bool give_bool(struct authorize_context *context, bool value, struct policy_values *out)
{
    return give(context, value ? "true" : "false", out);
}

__attribute__((format(printf, 3, 4))) static bool
give_format(struct authorize_context *context, struct policy_values *out, const char *format, ...)
{
    char text[80];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    const char *copy = policy_arena_text(&context->arena, text, strlen(text));
    context->failed = context->failed || copy == NULL;
    return give(context, copy, out);
}

static bool give_time(struct authorize_context *context, uint64_t time_ms,
                      struct policy_values *out)
{
    char text[32];
    struct tm parts;
    time_t seconds = (time_t)(time_ms / 1000);
    if (gmtime_r(&seconds, &parts) == NULL ||
        strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts) == 0)
        return false;
    return give_format(context, out, "%s", text);
}

static bool give_json(struct authorize_context *context, const json_t *value,
                      struct policy_values *out)
{
    if (json_is_string(value))
        return give(context, json_string_value(value), out);
    if (json_is_boolean(value))
        return give_bool(context, json_is_true(value), out);
    if (json_is_integer(value))
        return give_format(context, out, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    return json_is_real(value) && give_format(context, out, "%.3f", json_real_value(value));
}

/* ---- the caller */

static bool get_principal_arn(struct authorize_context *c, const struct row *row,
                              struct policy_values *out)
{
    (void)row;
    const struct identity *who = c->identity;
    if (who->type == IDENTITY_SERVICE)
        return false;
    return give(c, who->role_arn[0] != 0 ? who->role_arn : who->arn, out);
}

static bool get_account(struct authorize_context *c, const struct row *row,
                        struct policy_values *out)
{
    (void)row;
    return c->identity->type != IDENTITY_SERVICE && give(c, c->identity->account, out);
}

static bool get_principal_type(struct authorize_context *c, const struct row *row,
                               struct policy_values *out)
{
    static const char *const names[] = {[IDENTITY_ROOT] = "Account",
                                        [IDENTITY_USER] = "User",
                                        [IDENTITY_ASSUMED_ROLE] = "AssumedRole",
                                        [IDENTITY_SERVICE] = NULL};
    (void)row;
    return give(c, names[c->identity->type], out);
}

static bool get_is_service(struct authorize_context *c, const struct row *row,
                           struct policy_values *out)
{
    (void)row;
    return give_bool(c, c->identity->type == IDENTITY_SERVICE, out);
}

static bool get_service_name(struct authorize_context *c, const struct row *row,
                             struct policy_values *out)
{
    (void)row;
    return c->identity->type == IDENTITY_SERVICE && give(c, c->identity->name, out);
}

static bool get_user_id(struct authorize_context *c, const struct row *row,
                        struct policy_values *out)
{
    (void)row;
    return c->identity->principal_id[0] != 0 && give(c, c->identity->principal_id, out);
}

static bool get_user_name(struct authorize_context *c, const struct row *row,
                          struct policy_values *out)
{
    (void)row;
    return c->identity->type == IDENTITY_USER && give(c, c->identity->name, out);
}

static bool get_mfa(struct authorize_context *c, const struct row *row, struct policy_values *out)
{
    (void)row;
    return c->identity->is_temporary && give_bool(c, c->identity->has_mfa, out);
}

static bool get_mfa_age(struct authorize_context *c, const struct row *row,
                        struct policy_values *out)
{
    (void)row;
    if (!c->identity->is_temporary || !c->identity->has_mfa || c->identity->created_ms > c->now_ms)
        return false;
    return give_format(c, out, "%" PRIu64, (c->now_ms - c->identity->created_ms) / 1000);
}

static bool get_issued(struct authorize_context *c, const struct row *row,
                       struct policy_values *out)
{
    (void)row;
    return c->identity->is_temporary && give_time(c, c->identity->created_ms, out);
}

/* Names of tags have no case here. Those of KMS keys have: of two that differ by case only, the one
 * that is written as the policy writes it counts. */
static bool give_tag(struct authorize_context *c, const struct key_tag *tags, size_t count,
                     const char *name, struct policy_values *out)
{
    const struct key_tag *found = NULL;
    for (size_t i = 0; i < count; i++)
        if ((found == NULL && strcasecmp(tags[i].key, name) == 0) || strcmp(tags[i].key, name) == 0)
            found = &tags[i];
    return found != NULL && give(c, found->value, out);
}

/* ---- the connection and the time */

static bool get_source_ip(struct authorize_context *c, const struct row *row,
                          struct policy_values *out)
{
    (void)row;
    return c->http != NULL && give(c, c->http->peer, out);
}

static bool get_secure(struct authorize_context *c, const struct row *row,
                       struct policy_values *out)
{
    (void)row;
    return c->http != NULL && give_bool(c, c->http->is_tls, out);
}

static bool get_header(struct authorize_context *c, const struct row *row,
                       struct policy_values *out)
{
    return c->http != NULL && give(c, http_header(c->http, row->member), out);
}

static bool get_now(struct authorize_context *c, const struct row *row, struct policy_values *out)
{
    (void)row;
    return give_time(c, c->now_ms, out);
}

static bool get_epoch(struct authorize_context *c, const struct row *row, struct policy_values *out)
{
    (void)row;
    return give_format(c, out, "%" PRIu64, c->now_ms / 1000);
}

static bool get_region(struct authorize_context *c, const struct row *row,
                       struct policy_values *out)
{
    (void)row;
    return give(c, c->region, out);
}

static bool get_constant(struct authorize_context *c, const struct row *row,
                         struct policy_values *out)
{
    return give(c, row->fallback, out);
}

static bool get_resource_account(struct authorize_context *c, const struct row *row,
                                 struct policy_values *out)
{
    (void)row;
    return give(c, c->resource_account, out);
}

/* ---- members of the request */

static bool is_of_action(const struct authorize_context *c, const char *actions)
{
    size_t len = strlen(c->action);
    const char *at = actions;
    while (at != NULL && (at = strstr(at, c->action)) != NULL) {
        if (at > actions && at[-1] == ' ' && at[len] == ' ')
            return true;
        at += len;
    }
    return false;
}

static bool get_member(struct authorize_context *c, const struct row *row,
                       struct policy_values *out)
{
    const json_t *value = json_object_get(c->in, row->member);
    if (value != NULL && !json_is_null(value))
        return give_json(c, value, out);
    return row->fallback != NULL && is_of_action(c, row->actions) && give(c, row->fallback, out);
}

/* ReEncrypt has two of each; the action says which. */
static const char *side_member(const struct authorize_context *c, const char *plain,
                               const char *source, const char *destination)
{
    if (strcmp(c->action, "kms:ReEncryptFrom") == 0)
        return source;
    return strcmp(c->action, "kms:ReEncryptTo") == 0 ? destination : plain;
}

static bool get_algorithm(struct authorize_context *c, const struct row *row,
                          struct policy_values *out)
{
    struct row of_side = *row;
    of_side.member = side_member(c, "EncryptionAlgorithm", "SourceEncryptionAlgorithm",
                                 "DestinationEncryptionAlgorithm");
    return get_member(c, &of_side, out);
}

static const char *spec_of(const struct key *key)
{
    const struct keystore_spec_row *row = keystore_spec(key->spec);
    return row == NULL ? NULL : row->name;
}

/* What CreateKey asks for, or what the key has. */
static bool get_key_fact(struct authorize_context *c, const struct row *row,
                         struct policy_values *out)
{
    if (c->key != NULL)
        return give(c, row->of_key(c->key), out);
    struct row asked = *row;
    if (row->of_key == spec_of && !json_is_string(json_object_get(c->in, "KeySpec")))
        asked.member = "CustomerMasterKeySpec"; /* its old name */
    return is_of_action(c, row->actions) && get_member(c, &asked, out);
}

static const char *usage_of(const struct key *key)
{
    return key_usage_name(key->use);
}

static const char *origin_of(const struct key *key)
{
    return key_origin_name(key->origin);
}

static const char *multi_region_of(const struct key *key)
{
    return key->multi_region ? "true" : "false";
}

static const char *multi_region_type_of(const struct key *key)
{
    if (!key->multi_region)
        return NULL;
    return strcmp(key->primary_region, key->region) == 0 ? "PRIMARY" : "REPLICA";
}

/* Of a grant that is asked for; NULL. */
static const json_t *grant_constraint(const struct authorize_context *c, const char *name)
{
    const json_t *value = json_object_get(json_object_get(c->in, "Constraints"), name);
    return json_is_object(value) ? value : NULL;
}

/* The encryption context that the action is about. */
static const json_t *encryption_context(const struct authorize_context *c)
{
    const json_t *equals = grant_constraint(c, "EncryptionContextEquals");
    if (strcmp(c->action, "kms:CreateGrant") == 0)
        return equals != NULL ? equals : grant_constraint(c, "EncryptionContextSubset");
    return json_object_get(c->in, side_member(c, "EncryptionContext", "SourceEncryptionContext",
                                              "DestinationEncryptionContext"));
}

static bool get_context_keys(struct authorize_context *c, const struct row *row,
                             struct policy_values *out)
{
    const json_t *map = encryption_context(c), *value;
    const char *key, **list = NULL;
    size_t count = 0;
    (void)row;
    if (json_object_size(map) == 0 || (list = take(c, json_object_size(map), sizeof *list)) == NULL)
        return false;
    json_object_foreach((json_t *)(uintptr_t)map, key, value) list[count++] = key;
    *out = (struct policy_values){.values = list, .count = count, .is_multi = true};
    return true;
}

/* Strings of a list; of objects their `member`. */
static bool give_list(struct authorize_context *c, const json_t *items, const char *member,
                      struct policy_values *out)
{
    size_t count = 0, size = json_array_size(items);
    const char **list = size == 0 ? NULL : take(c, size, sizeof *list);
    for (size_t i = 0; i < size && list != NULL; i++) {
        const json_t *item = json_array_get(items, i);
        const char *text = json_string_value(member == NULL ? item : json_object_get(item, member));
        if (text != NULL)
            list[count++] = text;
    }
    *out = (struct policy_values){.values = list, .count = count, .is_multi = true};
    return count > 0;
}

static bool get_strings(struct authorize_context *c, const struct row *row,
                        struct policy_values *out)
{
    return give_list(c, json_object_get(c->in, row->member), NULL, out);
}

static bool get_tag_keys(struct authorize_context *c, const struct row *row,
                         struct policy_values *out)
{
    (void)row;
    return give_list(c, json_object_get(c->in, "Tags"), "TagKey", out) ||
           give_list(c, json_object_get(c->in, "TagKeys"), NULL, out);
}

static bool get_constraint_type(struct authorize_context *c, const struct row *row,
                                struct policy_values *out)
{
    (void)row;
    if (grant_constraint(c, "EncryptionContextEquals") != NULL)
        return give(c, "EncryptionContextEquals", out);
    return grant_constraint(c, "EncryptionContextSubset") != NULL &&
           give(c, "EncryptionContextSubset", out);
}

/* ---- aliases */

static bool get_request_alias(struct authorize_context *c, const struct row *row,
                              struct policy_values *out)
{
    (void)row;
    return c->name != NULL && c->name->is_alias && give(c, c->name->alias, out);
}

struct alias_search {
    struct authorize_context *context;
    const char **list; /* NULL: only count */
    size_t count, max;
};

static bool visit_alias(void *context, struct record *record)
{
    struct alias_search *search = context;
    const struct alias *alias = alias_of(record);
    if (strcmp(alias->target, search->context->key->id) != 0)
        return true;
    if (search->list == NULL) {
        search->max++;
        return true;
    }
    if (search->count == search->max)
        return false;
    const char *copy = policy_arena_text(&search->context->arena, alias->name, strlen(alias->name));
    search->context->failed = search->context->failed || copy == NULL;
    search->list[search->count] = copy;
    search->count += copy != NULL;
    return copy != NULL;
}

static bool get_resource_aliases(struct authorize_context *c, const struct row *row,
                                 struct policy_values *out)
{
    char prefix[ALIAS_PATH_MAX];
    struct alias_search search = {.context = c};
    (void)row;
    if (c->key == NULL)
        return false;
    alias_prefix(c->key->region, c->key->account, prefix);
    view_each(c->kms->view, prefix, "", visit_alias, &search);
    if (search.max == 0 || (search.list = take(c, search.max, sizeof *search.list)) == NULL)
        return false;
    view_each(c->kms->view, prefix, "", visit_alias, &search);
    *out = (struct policy_values){.values = search.list, .count = search.count, .is_multi = true};
    return search.count > 0;
}

/* ---- the table, sorted as strcasecmp() does */

#define CREATE     " kms:CreateKey "
#define POLICY_OPS " kms:CreateKey kms:PutKeyPolicy kms:ReplicateKey "
#define SYMMETRIC                                                                     \
    " kms:Encrypt kms:Decrypt kms:ReEncryptFrom kms:ReEncryptTo kms:GenerateDataKey " \
    "kms:GenerateDataKeyWithoutPlaintext kms:GenerateDataKeyPair "                    \
    "kms:GenerateDataKeyPairWithoutPlaintext "
#define MEMBER(key, member_name)                                  \
    {                                                             \
        .name = (key), .get = get_member, .member = (member_name) \
    }
#define MEMBER_OR(key, member_name, fallback_text, of_actions)                                  \
    {                                                                                           \
        .name = (key), .get = get_member, .member = (member_name), .fallback = (fallback_text), \
        .actions = (of_actions)                                                                 \
    }
#define FACT(key, member_name, fallback_text, of)                                                 \
    {                                                                                             \
        .name = (key), .get = get_key_fact, .member = (member_name), .fallback = (fallback_text), \
        .actions = CREATE, .of_key = (of)                                                         \
    }

static const struct row rows[] = {
    {.name = "aws:CurrentTime", .get = get_now},
    {.name = "aws:EpochTime", .get = get_epoch},
    {.name = "aws:MultiFactorAuthAge", .get = get_mfa_age},
    {.name = "aws:MultiFactorAuthPresent", .get = get_mfa},
    {.name = "aws:PrincipalAccount", .get = get_account},
    {.name = "aws:PrincipalArn", .get = get_principal_arn},
    {.name = "aws:PrincipalIsAWSService", .get = get_is_service},
    {.name = "aws:PrincipalServiceName", .get = get_service_name},
    {.name = "aws:PrincipalType", .get = get_principal_type},
    {.name = "aws:Referer", .get = get_header, .member = "referer"},
    {.name = "aws:RequestedRegion", .get = get_region},
    {.name = "aws:ResourceAccount", .get = get_resource_account},
    {.name = "aws:SecureTransport", .get = get_secure},
    {.name = "aws:SourceIp", .get = get_source_ip},
    {.name = "aws:TagKeys", .get = get_tag_keys},
    {.name = "aws:TokenIssueTime", .get = get_issued},
    {.name = "aws:UserAgent", .get = get_header, .member = "user-agent"},
    {.name = "aws:userid", .get = get_user_id},
    {.name = "aws:username", .get = get_user_name},
    {.name = "aws:ViaAWSService", .get = get_constant, .fallback = "false"},
    MEMBER_OR("kms:BypassPolicyLockoutSafetyCheck", "BypassPolicyLockoutSafetyCheck", "false",
              POLICY_OPS),
    {.name = "kms:CallerAccount", .get = get_account},
    FACT("kms:CustomerMasterKeySpec", "KeySpec", "SYMMETRIC_DEFAULT", spec_of),
    FACT("kms:CustomerMasterKeyUsage", "KeyUsage", "ENCRYPT_DECRYPT", usage_of),
    MEMBER("kms:DataKeyPairSpec", "KeyPairSpec"),
    {.name = "kms:EncryptionAlgorithm",
     .get = get_algorithm,
     .fallback = "SYMMETRIC_DEFAULT",
     .actions = SYMMETRIC},
    {.name = "kms:EncryptionContextKeys", .get = get_context_keys},
    MEMBER_OR("kms:ExpirationModel", "ExpirationModel", "KEY_MATERIAL_EXPIRES",
              " kms:ImportKeyMaterial "),
    {.name = "kms:GrantConstraintType", .get = get_constraint_type},
    MEMBER("kms:GranteePrincipal", "GranteePrincipal"),
    {.name = "kms:GrantIsForAWSResource", .get = get_constant, .fallback = "false"},
    {.name = "kms:GrantOperations", .get = get_strings, .member = "Operations"},
    MEMBER("kms:KeyAgreementAlgorithm", "KeyAgreementAlgorithm"),
    FACT("kms:KeyOrigin", "Origin", "AWS_KMS", origin_of),
    FACT("kms:KeySpec", "KeySpec", "SYMMETRIC_DEFAULT", spec_of),
    FACT("kms:KeyUsage", "KeyUsage", "ENCRYPT_DECRYPT", usage_of),
    MEMBER("kms:MacAlgorithm", "MacAlgorithm"),
    MEMBER_OR("kms:MessageType", "MessageType", "RAW", " kms:Sign kms:Verify "),
    FACT("kms:MultiRegion", "MultiRegion", "false", multi_region_of),
    {.name = "kms:MultiRegionKeyType", .get = get_key_fact, .of_key = multi_region_type_of},
    MEMBER("kms:PrimaryRegion", "PrimaryRegion"),
    MEMBER("kms:ReplicaRegion", "ReplicaRegion"),
    {.name = "kms:RequestAlias", .get = get_request_alias},
    {.name = "kms:ResourceAliases", .get = get_resource_aliases},
    MEMBER("kms:RetiringPrincipal", "RetiringPrincipal"),
    MEMBER_OR("kms:RotationPeriodInDays", "RotationPeriodInDays", "365", " kms:EnableKeyRotation "),
    MEMBER_OR("kms:ScheduleKeyDeletionPendingWindowInDays", "PendingWindowInDays", "30",
              " kms:ScheduleKeyDeletion "),
    MEMBER("kms:SigningAlgorithm", "SigningAlgorithm"),
    MEMBER("kms:ValidTo", "ValidTo"),
    MEMBER("kms:WrappingAlgorithm", "WrappingAlgorithm"),
    MEMBER("kms:WrappingKeySpec", "WrappingKeySpec"),
};

static int compare_rows(const void *name, const void *row)
{
    return strcasecmp(name, ((const struct row *)row)->name);
}

/* "aws:PrincipalTag/" and its kin: the rest of the name, as it is. */
static const char *after(const char *name, const char *prefix)
{
    size_t len = strlen(prefix);
    return strncasecmp(name, prefix, len) == 0 ? name + len : NULL;
}

static bool lookup_request_tag(struct authorize_context *c, const char *tag,
                               struct policy_values *out)
{
    const json_t *tags = json_object_get(c->in, "Tags"), *found = NULL;
    for (size_t i = 0; i < json_array_size(tags); i++) {
        const json_t *item = json_array_get(tags, i);
        const char *key = json_string_value(json_object_get(item, "TagKey"));
        if (key != NULL && ((found == NULL && strcasecmp(key, tag) == 0) || strcmp(key, tag) == 0))
            found = item;
    }
    return found != NULL && give_json(c, json_object_get(found, "TagValue"), out);
}

static bool lookup_prefixed(struct authorize_context *c, const char *name,
                            struct policy_values *out, bool *out_found)
{
    const char *rest;
    *out_found = true;
    if ((rest = after(name, "kms:EncryptionContext:")) != NULL)
        return give_json(c, json_object_get(encryption_context(c), rest), out);
    if ((rest = after(name, "aws:PrincipalTag/")) != NULL)
        return give_tag(c, c->identity->tags, c->identity->tag_count, rest, out);
    if ((rest = after(name, "aws:ResourceTag/")) != NULL)
        return c->key != NULL && give_tag(c, c->key->tags, c->key->tag_count, rest, out);
    if ((rest = after(name, "aws:RequestTag/")) != NULL)
        return lookup_request_tag(c, rest, out);
    *out_found = false;
    return false;
}

static const struct authorize_extra *extra_find(const struct authorize_context *c, const char *name)
{
    for (size_t i = 0; i < c->extra_count; i++)
        if (strcasecmp(c->extra[i].name, name) == 0)
            return &c->extra[i];
    return NULL;
}

bool authorize_context_lookup(void *context, const char *name, struct policy_values *out)
{
    struct authorize_context *c = context;
    bool is_prefixed;
    const struct authorize_extra *extra = extra_find(c, name);
    if (extra != NULL) {
        *out = (struct policy_values){
            .values = extra->values, .count = extra->count, .is_multi = extra->is_multi};
        return extra->count > 0;
    }
    bool is_there = lookup_prefixed(c, name, out, &is_prefixed);
    if (is_prefixed)
        return is_there;
    const struct row *row =
        bsearch(name, rows, sizeof rows / sizeof rows[0], sizeof rows[0], compare_rows);
    return row != NULL && row->get(c, row, out);
}

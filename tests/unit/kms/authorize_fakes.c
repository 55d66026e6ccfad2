/* SPDX-License-Identifier: Apache-2.0 */
/* What authorisation needs of the rest of the front end, made by hand. */
#include "tests/unit/kms/authorize_fakes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "kms/alias.h"

struct grant *fake_grant;
struct alias *fake_aliases[4];

struct record *grant_allowing(const struct kms_request *request, const char *action,
                              const struct record *key)
{
    (void)key;
    const struct identity *who = &request->identity;
    if (fake_grant == NULL || strcmp(action, "kms:Encrypt") != 0 ||
        (strcmp(fake_grant->grantee, who->arn) != 0 &&
         strcmp(fake_grant->grantee, who->role_arn) != 0))
        return NULL;
    struct record *record = calloc(1, sizeof *record);
    record->data = fake_grant;
    atomic_store(&record->refs, 1);
    return record;
}

void record_unref(struct record *record)
{
    if (record != NULL && atomic_fetch_sub(&record->refs, 1) == 1)
        free(record);
}

void alias_prefix(const char *region, const char *account, char out[ALIAS_PATH_MAX])
{
    (void)snprintf(out, ALIAS_PATH_MAX, "alias/%s/%s/", region, account);
}

void view_each(struct view *view, const char *prefix, const char *after, view_visit visit,
               void *context)
{
    (void)view;
    (void)prefix;
    (void)after;
    for (size_t i = 0; fake_aliases[i] != NULL; i++) {
        struct record record = {.data = fake_aliases[i]};
        if (!visit(context, &record))
            return;
    }
}

const char *key_usage_name(enum keystore_use use)
{
    return use == KEYSTORE_ENCRYPT ? "ENCRYPT_DECRYPT" : "SIGN_VERIFY";
}

const char *key_origin_name(enum key_origin origin)
{
    return origin == ORIGIN_AWS_KMS ? "AWS_KMS" : "EXTERNAL";
}

const char *http_header(const struct http_request *request, const char *name)
{
    for (size_t i = 0; i < request->header_count; i++)
        if (strcasecmp(request->headers[i].name, name) == 0)
            return request->headers[i].value;
    return NULL;
}

struct policy *fake_policy(enum policy_kind kind, const char *text)
{
    struct policy *policy = NULL;
    if (policy_parse(kind, text, strlen(text), &policy) == KMS_OK)
        return policy;
    printf("%s: %s\n", text, kms_error_text());
    abort();
}

void fake_world_init(struct fake_world *world, const char *key_policy)
{
    *world = (struct fake_world){
        .http = {.peer = "10.1.2.3",
                 .is_tls = true,
                 .headers = {{"User-Agent", "test"}},
                 .header_count = 1},
        .key = {.id = "1234abcd-12ab-34cd-56ef-1234567890ab",
                .region = "us-east-1",
                .account = ACCOUNT,
                .arn = "arn:aws:kms:us-east-1:" ACCOUNT ":key/1234abcd-12ab-34cd-56ef-1234567890ab",
                .spec = KEYSTORE_SPEC_AES_256,
                .use = KEYSTORE_ENCRYPT,
                .origin = ORIGIN_AWS_KMS,
                .enabled = true}};
    if (key_policy != NULL)
        world->key.policy = fake_policy(POLICY_RESOURCE, key_policy);
    world->record.data = &world->key;
    world->request.kms = &world->kms;
    world->request.http = &world->http;
    world->request.key = &world->record;
    world->request.now_ms = 1585699200000; /* 2020-04-01 */
    (void)snprintf(world->request.region, sizeof world->request.region, "us-east-1");
    fake_world_caller(world, ALICE);
    fake_grant = NULL;
    memset(fake_aliases, 0, sizeof fake_aliases);
}

void fake_world_caller(struct fake_world *world, const char *arn)
{
    struct identity *who = &world->request.identity;
    const char *account = strstr(arn, "::") + 2;
    who->type = IDENTITY_USER;
    if (strstr(arn, ":root") != NULL)
        who->type = IDENTITY_ROOT;
    else if (strstr(arn, ":assumed-role/") != NULL)
        who->type = IDENTITY_ASSUMED_ROLE;
    who->is_temporary = who->type == IDENTITY_ASSUMED_ROLE;
    (void)snprintf(who->arn, sizeof who->arn, "%s", arn);
    (void)snprintf(who->account, sizeof who->account, "%.12s", account);
    const char *role = strstr(arn, ":assumed-role/"), *slash = strrchr(arn, '/');
    who->role_arn[0] = 0;
    if (role != NULL) /* the session's name is after the role's */
        (void)snprintf(who->role_arn, sizeof who->role_arn, "arn:aws:iam::%s:role/%.*s",
                       who->account, (int)(slash - role - 14), role + 14);
    (void)snprintf(who->name, sizeof who->name, "%s", slash == NULL ? "root" : slash + 1);
    (void)snprintf(who->principal_id, sizeof who->principal_id, "AIDAEXAMPLE");
}

void fake_world_allow(struct fake_world *world, const char *identity_policy)
{
    struct identity *who = &world->request.identity;
    static char names[8][8];
    char *name = names[who->policy_count % 8];
    (void)snprintf(name, sizeof names[0], "p%u", (unsigned)(who->policy_count % 8));
    who->policy_names[who->policy_count] = name;
    who->policies[who->policy_count++] = fake_policy(POLICY_IDENTITY, identity_policy);
}

/* Policies are const to the identity; here they are the world's. */
static void drop(const struct policy *policy)
{
    policy_free((struct policy *)(uintptr_t)policy);
}

void fake_world_clear(struct fake_world *world)
{
    struct identity *who = &world->request.identity;
    for (size_t i = 0; i < who->policy_count; i++)
        drop(who->policies[i]);
    drop(who->boundary);
    policy_free(who->session_policy);
    policy_free(world->key.policy);
    record_unref(world->request.granted_by);
    json_decref(world->request.in);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* From a signed request to its principal with all policies that speak of it. */
#include "kms/identity.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <time.h>

#include "common/log.h"
#include "kms/iam_records.h"
#include "kms/identity_secrets.h"
#include "kms/identity_session.h"
#include "kms/kms.h"
#include "kms/used.h"
#include "rpc/text_code.h"

#define GLOBAL_REGION "us-east-1" /* of IAM and STS, whatever is configured */

void identity_clear(struct identity *identity)
{
    for (size_t i = 0; i < identity->held_count; i++)
        record_unref(identity->held[i]);
    for (size_t i = 0; i < identity->tag_count; i++) {
        free(identity->tags[i].key);
        free(identity->tags[i].value);
    }
    policy_free(identity->session_policy);
    *identity = (struct identity){0};
}

/* ---- policies. What does not fit is refused as a whole: a policy left out might have denied. */

static enum kms_error too_many(const struct identity *identity)
{
    log_warn("identity_policies", "principal=%s error=\"too many policies\"", identity->arn);
    return kms_fail(KMS_ACCESS_DENIED, "Too many policies are attached to %s", identity->arn);
}

static enum kms_error hold(struct identity *identity, struct record *record)
{
    if (identity->held_count == IDENTITY_HELD_MAX) {
        record_unref(record);
        return too_many(identity);
    }
    identity->held[identity->held_count++] = record;
    return KMS_OK;
}

/* The name lives as long as the policy. */
static enum kms_error add_policy(struct identity *identity, const struct policy *policy,
                                 const char *name)
{
    if (identity->policy_count == IDENTITY_POLICIES_MAX)
        return too_many(identity);
    size_t at = identity->policy_count++;
    identity->policies[at] = policy;
    identity->policy_names[at] = name;
    return KMS_OK;
}

static enum kms_error find_managed(const struct kms *kms, struct identity *identity,
                                   const char *arn, const struct policy **out)
{
    struct record *held = NULL;
    *out = iam_policy_by_arn(kms->view, arn, &held);
    if (*out == NULL) {
        log_warn("identity_policies", "principal=%s policy=%s error=\"not there\"", identity->arn,
                 arn);
        return kms_fail(KMS_ACCESS_DENIED, "Policy %s does not exist", arn);
    }
    return held == NULL ? KMS_OK : hold(identity, held);
}

static enum kms_error add_policies_of(const struct kms *kms, struct identity *identity,
                                      const struct iam_principal *principal)
{
    for (size_t i = 0; i < principal->inline_count; i++)
        KMS_TRY(add_policy(identity, principal->inlines[i].policy, principal->inlines[i].name));
    for (size_t i = 0; i < principal->attached.count; i++) {
        const char *arn = principal->attached.items[i];
        const struct policy *policy;
        KMS_TRY(find_managed(kms, identity, arn, &policy));
        KMS_TRY(add_policy(identity, policy, strrchr(arn, '/') + 1));
    }
    return KMS_OK;
}

static enum kms_error add_groups(const struct kms *kms, struct identity *identity,
                                 const struct iam_principal *user)
{
    for (size_t i = 0; i < user->groups.count; i++) {
        struct record *record =
            iam_find(kms->view, identity->account, IAM_GROUP, user->groups.items[i]);
        if (record == NULL)
            return kms_fail(KMS_ACCESS_DENIED, "Group %s does not exist", user->groups.items[i]);
        KMS_TRY(hold(identity, record));
        KMS_TRY(add_policies_of(kms, identity, iam_principal_of(record, IAM_GROUP)));
    }
    return KMS_OK;
}

/* A session's tag takes the place of the principal's; keys have no case. */
static enum kms_error add_tag(struct identity *identity, const struct key_tag *tag)
{
    struct key_tag *at = identity->tags;
    while (at < identity->tags + identity->tag_count && strcasecmp(at->key, tag->key) != 0)
        at++;
    if (at == identity->tags + KMS_TAGS_MAX)
        return kms_fail(KMS_ACCESS_DENIED, "Too many tags on %s", identity->arn);
    if (at == identity->tags + identity->tag_count) {
        *at = (struct key_tag){0};
        identity->tag_count++;
    }
    free(at->key);
    free(at->value);
    at->key = strdup(tag->key);
    at->value = strdup(tag->value);
    return at->key == NULL || at->value == NULL ? kms_fail_plain(KMS_INTERNAL) : KMS_OK;
}

/* ---- principals */

static enum kms_error fill_root(struct identity *out)
{
    out->type = IDENTITY_ROOT;
    (void)snprintf(out->arn, sizeof out->arn, "arn:aws:iam::%s:root", out->account);
    (void)snprintf(out->principal_id, sizeof out->principal_id, "%s", out->account);
    (void)snprintf(out->name, sizeof out->name, "root");
    const struct iam_builtin *all = iam_builtin_at(0);
    const struct policy *policy = iam_builtin_policy(all);
    return policy == NULL ? kms_fail_plain(KMS_INTERNAL) : add_policy(out, policy, all->name);
}

/* User or role, with what its document says. */
static enum kms_error fill_principal(const struct kms *kms, enum iam_kind kind, const char *name,
                                     struct identity *out, const struct iam_principal **out_found)
{
    struct record *record = iam_find(kms->view, out->account, kind, name);
    const struct iam_principal *found = iam_principal_of(record, kind);
    if (found == NULL) {
        record_unref(record);
        return kms_fail_plain(KMS_UNRECOGNIZED_CLIENT);
    }
    KMS_TRY(hold(out, record));
    (void)snprintf(out->arn, sizeof out->arn, "%s", found->head.arn);
    (void)snprintf(out->principal_id, sizeof out->principal_id, "%s", found->head.id);
    for (size_t i = 0; i < found->head.tag_count; i++)
        KMS_TRY(add_tag(out, &found->head.tags[i]));
    KMS_TRY(add_policies_of(kms, out, found));
    *out_found = found;
    return found->boundary == NULL ? KMS_OK
                                   : find_managed(kms, out, found->boundary, &out->boundary);
}

static enum kms_error fill_user(const struct kms *kms, const char *name, struct identity *out)
{
    const struct iam_principal *user;
    out->type = IDENTITY_USER;
    (void)snprintf(out->name, sizeof out->name, "%s", name);
    KMS_TRY(fill_principal(kms, IAM_USER, name, out, &user));
    return add_groups(kms, out, user);
}

static enum kms_error fill_role(const struct kms *kms, const struct identity_session *session,
                                struct identity *out)
{
    const struct iam_principal *role;
    out->type = IDENTITY_ASSUMED_ROLE;
    KMS_TRY(fill_principal(kms, IAM_ROLE, session->principal, out, &role));
    (void)snprintf(out->role_arn, sizeof out->role_arn, "%s", role->head.arn);
    (void)snprintf(out->arn, sizeof out->arn, "arn:aws:sts::%s:assumed-role/%s/%s", out->account,
                   role->head.name, session->session_name);
    (void)snprintf(out->principal_id, sizeof out->principal_id, "%s:%.64s", role->head.id,
                   session->session_name);
    (void)snprintf(out->name, sizeof out->name, "%s", session->session_name);
    return KMS_OK;
}

static enum kms_error fill_session(const struct kms *kms, const struct identity_session *session,
                                   struct identity *out)
{
    memcpy(out->account, session->account, sizeof out->account);
    out->is_temporary = true;
    out->has_mfa = session->has_mfa;
    out->created_ms = session->created_ms;
    if (session->type == IDENTITY_ROOT)
        KMS_TRY(fill_root(out));
    else if (session->type == IDENTITY_USER)
        KMS_TRY(fill_user(kms, session->principal, out));
    else
        KMS_TRY(fill_role(kms, session, out));
    /* one of that name, made again, is another principal */
    if (session->type != IDENTITY_ROOT &&
        strncmp(out->principal_id, session->principal_id, IAM_ID_LEN) != 0)
        return kms_fail_plain(KMS_UNRECOGNIZED_CLIENT);
    for (size_t i = 0; i < session->tag_count; i++)
        KMS_TRY(add_tag(out, &session->tags[i]));
    if (session->policy == NULL)
        return KMS_OK;
    return policy_parse(POLICY_IDENTITY, session->policy, strlen(session->policy),
                        &out->session_policy);
}

/* ---- signatures */

static enum kms_error check_scope(const struct kms *kms, const struct sigv4_claim *claim,
                                  const char *service)
{
    if (strcmp(claim->service, service) != 0)
        return kms_fail(KMS_INVALID_SIGNATURE_V4,
                        "Credential should be scoped to correct service: '%s'.", service);
    bool is_global = strcmp(service, "iam") == 0 || strcmp(service, "sts") == 0;
    if (is_global && strcmp(claim->region, GLOBAL_REGION) == 0)
        return KMS_OK;
    for (size_t i = 0; i < kms->config->regions.count; i++)
        if (strcmp(claim->region, kms->config->regions.items[i]) == 0)
            return KMS_OK;
    return kms_fail(KMS_INVALID_SIGNATURE_V4, "Credential should be scoped to a valid region.");
}

static enum kms_error by_session(const struct kms *kms, const struct http_request *request,
                                 const struct sigv4_claim *claim, struct identity *out)
{
    struct identity_session session
        __attribute__((cleanup(identity_session_clear))) = {.secret = SECRET_INIT};
    if (claim->token == NULL ||
        identity_session_unseal(kms->vault, claim->access_key, claim->token, &session) != RC_OK)
        return kms_fail_plain(KMS_UNRECOGNIZED_CLIENT);
    KMS_TRY(sigv4_check(request, claim, &session.secret));
    if (session.expires_ms <= request->time_ms)
        return kms_fail_plain(KMS_EXPIRED_TOKEN);
    return fill_session(kms, &session, out);
}

static enum kms_error by_key(const struct kms *kms, const struct http_request *request,
                             const struct sigv4_claim *claim, struct identity *out)
{
    AUTO_RECORD *record = iam_find_key(kms->view, claim->access_key);
    const struct iam_key *key = iam_key_of(record);
    if (key == NULL || !key->is_active || claim->token != NULL)
        return kms_fail_plain(KMS_UNRECOGNIZED_CLIENT);
    struct identity_secret *secret;
    enum rc rc = identity_secrets_get(kms->vault, key, &secret);
    if (rc != RC_OK)
        return kms_from_rc(rc);
    enum kms_error error = sigv4_check(request, claim, identity_secrets_value(secret));
    identity_secrets_done(secret);
    KMS_TRY(error);
    memcpy(out->account, key->account, sizeof out->account);
    return key->user[0] == '\0' ? fill_root(out) : fill_user(kms, key->user, out);
}

static enum kms_error identify(const struct kms *kms, const struct http_request *request,
                               const char *service, struct identity *out,
                               char out_region[KMS_REGION_MAX + 1])
{
    struct sigv4_claim claim __attribute__((cleanup(sigv4_claim_clear))) = {.store = BUF_INIT};
    KMS_TRY(sigv4_read(request, &claim));
    KMS_TRY(check_scope(kms, &claim, service));
    if (strncmp(claim.access_key, "ASIA", 4) == 0)
        KMS_TRY(by_session(kms, request, &claim, out));
    else
        KMS_TRY(by_key(kms, request, &claim, out));
    if (!out->is_temporary)
        used_note_access_key(claim.access_key, service, claim.region, request->time_ms);
    (void)snprintf(out->access_key, sizeof out->access_key, "%s", claim.access_key);
    (void)snprintf(out_region, KMS_REGION_MAX + 1, "%.*s", (int)KMS_REGION_MAX, claim.region);
    return KMS_OK;
}

enum kms_error identity_of_request(const struct kms *kms, const struct http_request *request,
                                   const char *service, struct identity *out,
                                   char out_region[KMS_REGION_MAX + 1])
{
    *out = (struct identity){0};
    enum kms_error error = identify(kms, request, service, out, out_region);
    if (error != KMS_OK)
        identity_clear(out);
    return error;
}

static enum kms_error fill_group(const struct kms *kms, const char *name, struct identity *out)
{
    const struct iam_principal *group;
    out->type = IDENTITY_USER;
    return fill_principal(kms, IAM_GROUP, name, out, &group);
}

enum kms_error identity_of_principal(const struct kms *kms, const char *arn, struct identity *out)
{
    struct iam_arn parts;
    struct identity_session none = {.secret = SECRET_INIT};
    *out = (struct identity){0};
    if (!iam_arn_parse(arn, &parts) || parts.is_root || parts.is_session)
        return kms_fail(KMS_IAM_INVALID_INPUT, "Invalid Entity Arn: %.300s", arn);
    memcpy(out->account, parts.account, sizeof out->account);
    memcpy(none.principal, parts.name, sizeof parts.name);
    enum kms_error error = KMS_UNRECOGNIZED_CLIENT;
    if (parts.kind == IAM_USER)
        error = fill_user(kms, parts.name, out);
    else if (parts.kind == IAM_ROLE)
        error = fill_role(kms, &none, out);
    else if (parts.kind == IAM_GROUP)
        error = fill_group(kms, parts.name, out);
    const char *found = parts.kind == IAM_ROLE ? out->role_arn : out->arn;
    if (error == KMS_UNRECOGNIZED_CLIENT || (error == KMS_OK && strcmp(found, arn) != 0))
        error = kms_fail(KMS_NO_SUCH_ENTITY, "No entity with ARN %.300s was found.", arn);
    if (error != KMS_OK)
        identity_clear(out);
    return error;
}

/* ---- the first administrator, and who exists */

struct root_search {
    const char *account;
    bool is_found;
};

static bool is_root_of(void *context, struct record *record)
{
    struct root_search *search = context;
    const struct iam_key *key = iam_key_of(record);
    search->is_found =
        key != NULL && key->user[0] == '\0' && strcmp(key->account, search->account) == 0;
    return !search->is_found;
}

static enum rc check_known(struct kms *kms, const struct iam_key *key, const char *account,
                           const struct secret *secret)
{
    struct identity_secret *known;
    if (key->user[0] != '\0' || strcmp(key->account, account) != 0)
        return rc_fail(RC_CONFLICT, "access key %s is another principal's", key->id);
    TRY(identity_secrets_get(kms->vault, key, &known));
    bool is_same = secret_equal(secret, secret_expose(identity_secrets_value(known)));
    identity_secrets_done(known);
    return is_same ? RC_OK
                   : rc_fail(RC_CONFLICT, "access key %s has another secret already", key->id);
}

static enum rc commit_root(struct kms *kms, const char *account, const char *path,
                           const struct secret *secret)
{
    AUTO_BUF closed = BUF_INIT;
    AUTO_BUF text = BUF_INIT;
    TRY(vault_close(kms->vault, path, secret_expose(secret), &closed));
    TRY(text_code_write("", buf_bytes(&closed), &text));
    return view_commit_one(kms->view, path, 0,
                           json_pack("{s:s, s:s, s:s, s:I, s:b}", "account", account, "user", "",
                                     "secret", buf_str(&text), "created",
                                     (json_int_t)time(NULL) * 1000, "active", 1));
}

enum rc identity_bootstrap(struct kms *kms, const char *account, const char *access_key,
                           const struct secret *secret)
{
    char path[129];
    if (strlen(account) != KMS_ACCOUNT_LEN || strspn(account, "0123456789") != KMS_ACCOUNT_LEN)
        return rc_fail(RC_BAD_ARGUMENT, "an account is twelve digits");
    if (!iam_key_path(access_key, path))
        return rc_fail(RC_BAD_ARGUMENT, "an access key is 16 to 100 letters and digits");
    AUTO_RECORD *record = view_get(kms->view, path);
    if (iam_key_of(record) != NULL)
        return check_known(kms, iam_key_of(record), account, secret);
    struct root_search search = {.account = account};
    view_each(kms->view, "iam/akid/", "", is_root_of, &search);
    if (search.is_found)
        return rc_fail(RC_CONFLICT, "the root of account %s has another access key already",
                       account);
    enum rc rc = commit_root(kms, account, path, secret);
    if (rc != RC_CONFLICT)
        return rc;
    /* another front end was first */
    AUTO_RECORD *theirs = view_get(kms->view, path);
    return iam_key_of(theirs) == NULL ? rc : check_known(kms, iam_key_of(theirs), account, secret);
}

static bool is_own_account(const struct kms *kms, const char *account)
{
    for (size_t i = 0; i < kms->config->accounts.count; i++)
        if (strcmp(kms->config->accounts.items[i], account) == 0)
            return true;
    return false;
}

bool identity_find_id(const struct kms *kms, const char *arn, char out_id[POLICY_ID_LEN + 1])
{
    struct iam_arn parts;
    out_id[0] = '\0';
    if (!iam_arn_parse(arn, &parts))
        return false;
    if (parts.is_root)
        return is_own_account(kms, parts.account);
    if (parts.kind != IAM_USER && parts.kind != IAM_ROLE)
        return false;
    AUTO_RECORD *record = iam_find(kms->view, parts.account, parts.kind, parts.name);
    const struct iam_principal *principal = iam_principal_of(record, parts.kind);
    if (principal == NULL || (!parts.is_session && strcmp(principal->head.arn, arn) != 0))
        return false;
    (void)snprintf(out_id, POLICY_ID_LEN + 1, "%s", principal->head.id);
    return true;
}

bool identity_exists(const struct kms *kms, const char *arn)
{
    char id[POLICY_ID_LEN + 1];
    return identity_find_id(kms, arn, id);
}

static enum kms_error fill_by_arn(const struct kms *kms, const char *arn,
                                  const struct iam_arn *parts, struct identity *out)
{
    memcpy(out->account, parts->account, sizeof out->account);
    if (parts->is_root)
        return fill_root(out);
    if (parts->kind == IAM_USER)
        return fill_user(kms, parts->name, out);
    struct identity_session session = {
        .type = IDENTITY_ASSUMED_ROLE, .secret = SECRET_INIT, .created_ms = 0};
    memcpy(session.account, out->account, sizeof session.account);
    (void)snprintf(session.principal, sizeof session.principal, "%s", parts->name);
    (void)snprintf(session.session_name, sizeof session.session_name, "%.128s",
                   parts->is_session ? strrchr(arn, '/') + 1 : "explain");
    out->is_temporary = true;
    return fill_role(kms, &session, out);
}

enum kms_error identity_of_arn(const struct kms *kms, const char *arn, struct identity *out)
{
    struct iam_arn parts;
    *out = (struct identity){0};
    if (!identity_exists(kms, arn) || !iam_arn_parse(arn, &parts))
        return kms_fail(KMS_NO_SUCH_ENTITY, "There is no principal %s.", arn);
    enum kms_error error = fill_by_arn(kms, arn, &parts, out);
    if (error != KMS_OK)
        identity_clear(out);
    return error;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The decision. Sources: IAM User Guide, "Policy evaluation logic", "How permissions boundaries and
 * session policies work with resource-based policies", "Cross-account policy evaluation logic";
 * AWS KMS Developer Guide, "Key policies", "Grants", "Allowing users in other accounts".
 *
 *   a Deny anywhere                                        -> denied
 *   same account: key policy names the caller              -> allowed
 *                 ... its role, or "*" to a session        -> allowed within boundary and session
 *                 ... the account                          -> as IAM policies say, within both
 *                 a grant names the caller (or its role)   -> allowed (within both)
 *   other account: key policy or grant allows, and IAM     -> allowed within boundary and session
 *   no key (ListKeys ...): as IAM policies say             -> within boundary and session
 */
#include "kms/authorize_decision.h"

#include <stdio.h>
#include <string.h>

#include "common/log.h"
#include "kms/grant.h"

static const char side_identity[] = "identity-based policy";
static const char side_resource[] = "resource-based policy";
static const char side_boundary[] = "permissions boundary";
static const char side_session[] = "session policy";

/* ---- reasons */

static void reason_set(struct authorize_reason *out, enum authorize_verdict verdict,
                       const char *side, const char *policy, const char *name)
{
    out->verdict = verdict;
    out->side = side;
    (void)snprintf(out->policy, sizeof out->policy, "%s%s%.160s", policy, *name == 0 ? "" : " ",
                   name);
    out->statement[0] = 0;
}

static void reason_statement(struct authorize_reason *out, const struct policy_match *match)
{
    if (match->statement >= 0 && *match->sid != 0)
        (void)snprintf(out->statement, sizeof out->statement, "%.128s", match->sid);
    else if (match->statement >= 0)
        (void)snprintf(out->statement, sizeof out->statement, "statement %d", match->statement + 1);
}

/* ---- the caller's own side */

/* What the policies around a caller say; a Deny ends it. */
struct own_side {
    bool denied;
    bool identity, boundary, session; /* allows; what there is not, allows */
    struct authorize_reason reason;   /* of the Deny, or of the identity policy that allows */
};

static enum policy_effect own_evaluate(struct authorize_decision *d, const struct policy *policy,
                                       const char *side, const char *what, const char *name,
                                       struct own_side *own)
{
    struct policy_match match;
    policy_evaluate(policy, &d->request, &match);
    bool is_first = side == side_identity && match.effect == POLICY_ALLOW && !own->identity;
    if (match.effect == POLICY_DENY || is_first) {
        reason_set(&own->reason, match.effect == POLICY_DENY ? VERDICT_DENY : VERDICT_ALLOW, side,
                   what, name);
        reason_statement(&own->reason, &match);
    }
    own->denied = own->denied || match.effect == POLICY_DENY;
    return match.effect;
}

static void own_side(struct authorize_decision *d, struct own_side *own)
{
    const struct identity *who = d->context.identity;
    *own = (struct own_side){.boundary = true, .session = true};
    if (who->type == IDENTITY_ROOT) {
        own->identity = true;
        reason_set(&own->reason, VERDICT_ALLOW, side_identity, "account root user", "");
    }
    if (who->session_policy != NULL)
        own->session = own_evaluate(d, who->session_policy, side_session, side_session, "", own) ==
                       POLICY_ALLOW;
    if (who->boundary != NULL && !own->denied)
        own->boundary =
            own_evaluate(d, who->boundary, side_boundary, side_boundary, "", own) == POLICY_ALLOW;
    for (size_t i = 0; i < who->policy_count && !own->denied; i++) {
        enum policy_effect effect = own_evaluate(d, who->policies[i], side_identity, "IAM policy",
                                                 who->policy_names[i], own);
        own->identity = own->identity || effect == POLICY_ALLOW;
    }
}

/* Boundary and session policy must allow, and with `identity` an IAM policy: else what is missing.
 */
static bool own_allows(const struct own_side *own, bool identity, struct authorize_reason *out)
{
    const char *missing = NULL;
    if (identity && !own->identity)
        missing = side_identity;
    else if (!own->boundary)
        missing = side_boundary;
    else if (!own->session)
        missing = side_session;
    if (missing != NULL)
        reason_set(out, VERDICT_NOTHING, missing, missing, "");
    return missing == NULL;
}

/* ---- the key's side */

static bool grant_is_to_role(const struct authorize_decision *d, const struct grant *grant)
{
    const char *role = d->context.identity->role_arn;
    return *role != 0 && grant->grantee != NULL && strcmp(grant->grantee, role) == 0;
}

/* Does a grant, within what limits the caller? */
static bool allowed_by_grant(struct authorize_decision *d, const struct own_side *own,
                             struct authorize_reason *out)
{
    if (d->of_grants == NULL || d->key == NULL)
        return false;
    AUTO_RECORD *record = grant_allowing(d->of_grants, d->request.action, d->key);
    if (record == NULL)
        return false;
    const struct grant *grant = record->data;
    struct authorize_reason missing;
    if (out->is_cross_account ? !own_allows(own, true, &missing)
                              : grant_is_to_role(d, grant) && !own_allows(own, false, &missing))
        return false;
    reason_set(out, VERDICT_ALLOW, "grant", "grant", grant->id);
    d->grant = record;
    record = NULL;
    return true;
}

/* A statement of the resource's policy allows. */
static bool allowed_by_resource(const struct policy_match *match, const struct own_side *own,
                                struct authorize_reason *out)
{
    if (out->is_cross_account ? !own_allows(own, true, out)
                              : (match->through_account || match->through_role) &&
                                    !own_allows(own, match->through_account, out))
        return false;
    if (match->through_account && !out->is_cross_account) {
        bool is_cross = out->is_cross_account;
        *out = own->reason;
        out->is_cross_account = is_cross;
        return true;
    }
    reason_set(out, VERDICT_ALLOW, side_resource, "key policy", "");
    reason_statement(out, match);
    return true;
}

static void decide_with_resource(struct authorize_decision *d, const struct own_side *own,
                                 struct authorize_reason *out)
{
    struct policy_match match;
    policy_evaluate(d->resource_policy, &d->request, &match);
    if (match.effect == POLICY_DENY) {
        reason_set(out, VERDICT_DENY, side_resource, "key policy", "");
        reason_statement(out, &match);
        return;
    }
    reason_set(out, VERDICT_NOTHING, side_resource, "key policy", "");
    if (match.effect == POLICY_ALLOW && allowed_by_resource(&match, own, out))
        return;
    struct authorize_reason missing = *out;
    if (!allowed_by_grant(d, own, out))
        *out = missing;
}

void authorize_decision_make(struct authorize_decision *d, struct authorize_reason *out)
{
    struct own_side own;
    const struct identity *who = d->context.identity;
    *out = (struct authorize_reason){.verdict = VERDICT_NOTHING,
                                     .is_cross_account =
                                         who->type != IDENTITY_SERVICE &&
                                         strcmp(d->context.resource_account, who->account) != 0};
    own_side(d, &own);
    if (own.denied) {
        bool is_cross = out->is_cross_account;
        *out = own.reason;
        out->is_cross_account = is_cross;
    } else if (d->resource_policy != NULL) {
        decide_with_resource(d, &own, out);
    } else if (out->is_cross_account || d->key != NULL) {
        reason_set(out, VERDICT_NOTHING, side_resource, side_resource, "");
    } else if (own_allows(&own, true, out)) {
        *out = own.reason;
    }
    if (d->context.failed)
        reason_set(out, VERDICT_NOTHING, side_resource, "no memory", "");
}

void authorize_decision_clear(struct authorize_decision *d)
{
    record_unref(d->grant);
    d->grant = NULL;
    policy_arena_clear(&d->context.arena);
}

/* ---- entries */

void authorize_decision_init(struct authorize_decision *d, const struct authorize_call *call)
{
    const struct identity *who = call->identity;
    *d = (struct authorize_decision){
        .context = {.kms = call->kms,
                    .http = call->http,
                    .identity = who,
                    .region = call->region,
                    .now_ms = call->now_ms,
                    .action = call->action,
                    .resource_account =
                        call->resource_account == NULL ? who->account : call->resource_account,
                    .extra = call->extra,
                    .extra_count = call->extra_count},
        .principal = identity_as_principal(who),
        .resource_policy = call->resource_policy,
    };
    d->request = (struct policy_request){.principal = &d->principal,
                                         .action = call->action,
                                         .resource = call->resource == NULL ? "*" : call->resource,
                                         .lookup = authorize_context_lookup,
                                         .context = &d->context};
}

void authorize_decision_of(struct authorize_decision *d, const struct kms_request *request,
                           const struct authorize_call *call, const struct record *key)
{
    authorize_decision_init(d, call);
    d->context.in = request->in;
    d->of_grants = request;
    d->key = key;
    if (key == NULL)
        return;
    d->context.key = key_of(key);
    d->context.name = key == request->key ? &request->key_name : NULL;
    d->context.resource_account = key_of(key)->account;
    d->request.resource = key_of(key)->arn;
    d->resource_policy = key_of(key)->policy;
}

static struct authorize_call call_of_request(const struct kms_request *request, const char *action,
                                             const char *resource,
                                             const struct authorize_extra *extra,
                                             size_t extra_count)
{
    return (struct authorize_call){.kms = request->kms,
                                   .http = request->http,
                                   .identity = &request->identity,
                                   .region = request->region,
                                   .now_ms = request->now_ms,
                                   .action = action,
                                   .resource = resource,
                                   .extra = extra,
                                   .extra_count = extra_count};
}

void authorize_decide(struct kms_request *request, const char *action, const struct record *key,
                      const char *resource, const struct authorize_extra *extra, size_t extra_count,
                      struct authorize_reason *out)
{
    AUTO_DECISION d;
    struct authorize_call call = call_of_request(request, action, resource, extra, extra_count);
    authorize_decision_of(&d, request, &call, key);
    authorize_decision_make(&d, out);
}

enum kms_error authorize_deny_foreign(const struct identity *identity, const char *action,
                                      const char *arn)
{
    return kms_fail(
        KMS_ACCESS_DENIED,
        "User: %s is not authorized to perform: %s on resource: %s because the resource "
        "does not exist in this Region, no resource-based policies allow access, or a "
        "resource-based policy explicitly denies access",
        identity->arn, action, arn);
}

enum kms_error authorize_decision_answer(const struct authorize_decision *d,
                                         const struct authorize_reason *reason)
{
    const struct policy_request *request = &d->request;
    const struct identity *who = d->context.identity;
    log_debug(
        "authorized", "principal=%s action=%s resource=%s verdict=%s by=\"%s\" statement=\"%s\"",
        who->arn, request->action, request->resource,
        reason->verdict == VERDICT_ALLOW ? "allow" : "deny", reason->policy, reason->statement);
    if (reason->verdict == VERDICT_ALLOW)
        return KMS_OK;
    if (reason->is_cross_account)
        return authorize_deny_foreign(who, request->action, request->resource);
    if (reason->verdict == VERDICT_DENY)
        return kms_fail(
            KMS_ACCESS_DENIED,
            "User: %s is not authorized to perform: %s on resource: %s with an explicit "
            "deny in %s %s",
            who->arn, request->action, request->resource,
            reason->side == side_identity ? "an" : "a", reason->side);
    return kms_fail(
        KMS_ACCESS_DENIED,
        "User: %s is not authorized to perform: %s on resource: %s because no %s allows "
        "the %s action",
        who->arn, request->action, request->resource, reason->side, request->action);
}

enum kms_error authorize(struct kms_request *request, const char *action, const struct record *key,
                         const char *resource, const struct authorize_extra *extra,
                         size_t extra_count)
{
    AUTO_DECISION d;
    struct authorize_reason reason;
    struct authorize_call call = call_of_request(request, action, resource, extra, extra_count);
    authorize_decision_of(&d, request, &call, key);
    authorize_decision_make(&d, &reason);
    KMS_TRY(authorize_decision_answer(&d, &reason));
    if (d.grant != NULL) {
        record_unref(request->granted_by);
        request->granted_by = d.grant;
        d.grant = NULL;
    }
    return KMS_OK;
}

enum kms_error authorize_action(const struct authorize_call *call)
{
    AUTO_DECISION d;
    struct authorize_reason reason;
    authorize_decision_init(&d, call);
    authorize_decision_make(&d, &reason);
    return authorize_decision_answer(&d, &reason);
}

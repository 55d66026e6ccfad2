/* SPDX-License-Identifier: Apache-2.0 */
/* Does a policy allow or deny a request? No allocation, no I/O. Source: IAM User Guide, "Policy
 * evaluation logic". */
#include <string.h>

#include "kms/policy_tree.h"

static enum policy_naming naming_of(const struct policy_statement *statement,
                                    const struct policy_principal *principal)
{
    if (statement->principals.count == 0)
        return NAMED_ITSELF;
    if (statement->is_not_principal)
        return policy_principal_excepts(&statement->principals, principal) ? NAMED_NOT
                                                                           : NAMED_ITSELF;
    return policy_principal_names(&statement->principals, principal);
}

/* NotX with a variable that has no value: see enum policy_hit. */
static bool part_fits(enum policy_hit hit, bool is_not, enum policy_effect effect)
{
    if (!is_not)
        return hit == HIT_YES;
    return hit == HIT_NO || (hit == HIT_UNRESOLVED && effect == POLICY_DENY);
}

void policy_statement_fit(const struct policy_statement *statement,
                          const struct policy_request *request, bool whole, struct policy_fit *out)
{
    *out = (struct policy_fit){.failed_condition = 0};
    out->action =
        part_fits(policy_patterns_match(&statement->actions, request->action, true, request),
                  statement->is_not_action, statement->effect);
    if (!out->action && !whole)
        return;
    out->naming = naming_of(statement, request->principal);
    if (out->naming == NAMED_NOT && !whole)
        return;
    out->resource =
        statement->resources.count == 0 ||
        part_fits(policy_patterns_match(&statement->resources, request->resource, false, request),
                  statement->is_not_resource, statement->effect);
    if (!out->resource && !whole)
        return;
    while (out->failed_condition < statement->condition_count &&
           policy_condition_holds(&statement->conditions[out->failed_condition], statement->effect,
                                  request))
        out->failed_condition++;
    out->applies = out->action && out->naming != NAMED_NOT && out->resource &&
                   out->failed_condition == statement->condition_count;
}

static void match_take(struct policy_match *out, const struct policy *policy, size_t index,
                       enum policy_naming naming)
{
    const struct policy_statement *statement = &policy->statements[index];
    out->effect = statement->effect;
    out->statement = (int)index;
    out->sid = statement->sid;
    out->through_account = naming == NAMED_BY_ACCOUNT;
    out->through_role = naming == NAMED_BY_ROLE;
}

void policy_evaluate(const struct policy *policy, const struct policy_request *request,
                     struct policy_match *out)
{
    enum policy_naming best = NAMED_NOT;
    *out = (struct policy_match){.effect = POLICY_NOTHING, .statement = -1, .sid = ""};
    for (size_t i = 0; i < policy->count; i++) {
        const struct policy_statement *statement = &policy->statements[i];
        struct policy_fit fit;
        if (statement->effect == POLICY_ALLOW && best == NAMED_ITSELF)
            continue;
        policy_statement_fit(statement, request, false, &fit);
        if (!fit.applies || (statement->effect == POLICY_ALLOW && fit.naming <= best))
            continue;
        match_take(out, policy, i, fit.naming);
        if (statement->effect == POLICY_DENY)
            return;
        best = fit.naming;
    }
}

/* Denies without a condition count, allowances count with their conditions met. */
bool policy_lets(const struct policy *policy, const struct policy_principal *principal,
                 const char *action)
{
    struct policy_request request = {.principal = principal, .action = action, .resource = "*"};
    bool lets = false;
    for (size_t i = 0; i < policy->count; i++) {
        const struct policy_statement *statement = &policy->statements[i];
        struct policy_fit fit;
        policy_statement_fit(statement, &request, true, &fit);
        if (!fit.action || fit.naming == NAMED_NOT)
            continue;
        if (statement->effect == POLICY_ALLOW)
            lets = true;
        else if (statement->condition_count == 0)
            return false;
    }
    return lets;
}

void policy_principals(const struct policy *policy, policy_principal_visit visit, void *context)
{
    for (size_t i = 0; i < policy->count; i++) {
        const struct policy_whos *whos = &policy->statements[i].principals;
        for (size_t k = 0; k < whos->count; k++)
            if (!visit(context, whos->list[k].type, whos->list[k].value))
                return;
    }
}

/* SPDX-License-Identifier: Apache-2.0 */
/* How each statement of a policy stands to a request, for people. */
#include "kms/policy_tree.h"

static const char *naming_text(const struct policy_statement *statement, enum policy_naming naming)
{
    if (statement->principals.count == 0)
        return "attached to the caller";
    if (statement->is_not_principal)
        return naming == NAMED_NOT ? "NotPrincipal: excepts the caller"
                                   : "NotPrincipal: does not except the caller";
    switch (naming) {
    case NAMED_NOT:
        return "Principal: does not name the caller";
    case NAMED_BY_ACCOUNT:
        return "Principal: names the caller's account";
    case NAMED_BY_ROLE:
        return "Principal: names the caller's role";
    case NAMED_ITSELF:
        break;
    }
    return "Principal: names the caller";
}

static enum rc explain_values(const struct policy_condition *condition,
                              const struct policy_request *request, struct buf *out)
{
    struct policy_values found;
    if (request->lookup == NULL || !request->lookup(request->context, condition->key, &found) ||
        found.count == 0)
        return buf_printf(out, "the request has no such key");
    TRY(buf_printf(out, "the request has"));
    for (size_t i = 0; i < found.count; i++)
        TRY(buf_printf(out, "%s \"%s\"", i == 0 ? "" : ",", found.values[i]));
    return RC_OK;
}

static enum rc explain_condition(const struct policy_condition *condition, bool holds,
                                 const struct policy_request *request, struct buf *out)
{
    TRY(buf_printf(out, "  Condition %s %s:", condition->operator_text, condition->key));
    for (size_t i = 0; i < condition->count; i++)
        TRY(buf_printf(out, "%s \"%s\"", i == 0 ? "" : ",", condition->operands[i].text));
    TRY(buf_printf(out, ": %s, ", holds ? "holds" : "does not hold"));
    TRY(explain_values(condition, request, out));
    return buf_printf(out, "\n");
}

static enum rc explain_statement(const struct policy_statement *statement, size_t number,
                                 const struct policy_request *request, struct buf *out)
{
    struct policy_fit fit;
    policy_statement_fit(statement, request, true, &fit);
    TRY(buf_printf(out, "statement %zu%s%s%s, %s: %s\n", number, *statement->sid == 0 ? "" : " \"",
                   statement->sid, *statement->sid == 0 ? "" : "\"",
                   statement->effect == POLICY_ALLOW ? "Allow" : "Deny",
                   fit.applies ? "applies" : "does not apply"));
    TRY(buf_printf(out, "  %s\n", naming_text(statement, fit.naming)));
    TRY(buf_printf(out, "  %s: %s %s\n", statement->is_not_action ? "NotAction" : "Action",
                   fit.action ? "fits" : "does not fit", request->action));
    if (statement->resources.count > 0)
        TRY(buf_printf(out, "  %s: %s %s\n",
                       statement->is_not_resource ? "NotResource" : "Resource",
                       fit.resource ? "fits" : "does not fit", request->resource));
    for (size_t i = 0; i < statement->condition_count; i++) {
        const struct policy_condition *condition = &statement->conditions[i];
        bool holds = policy_condition_holds(condition, statement->effect, request);
        TRY(explain_condition(condition, holds, request, out));
    }
    return RC_OK;
}

enum rc policy_explain(const struct policy *policy, const struct policy_request *request,
                       struct buf *out)
{
    for (size_t i = 0; i < policy->count; i++)
        TRY(explain_statement(&policy->statements[i], i + 1, request, out));
    return RC_OK;
}

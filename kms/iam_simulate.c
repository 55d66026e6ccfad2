/* SPDX-License-Identifier: Apache-2.0 */
/* SimulatePrincipalPolicy: what the policies of a principal would say. Source: IAM API Reference.
 * Key policies and grants are not looked at: `qhsm kms explain` does. */
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "kms/iam_call.h"

#define EXTRA_MAX   16U
#define ENTRIES_MAX 64U
#define VALUES_MAX  16U

struct entry {
    const char *name;
    const char *values[VALUES_MAX];
    size_t count;
    bool is_multi;
};

struct simulation {
    struct iam_call *call;
    struct identity identity;
    struct policy *extra[EXTRA_MAX]; /* PolicyInputList */
    size_t extra_count;
    struct entry entries[ENTRIES_MAX];
    size_t entry_count;
};

static void simulation_free(struct simulation *simulation)
{
    for (size_t i = 0; i < simulation->extra_count; i++)
        policy_free(simulation->extra[i]);
    identity_clear(&simulation->identity);
    free(simulation);
}

static bool look_up(void *context, const char *name, struct policy_values *out)
{
    const struct simulation *simulation = context;
    for (size_t i = 0; i < simulation->entry_count; i++) {
        const struct entry *entry = &simulation->entries[i];
        if (strcasecmp(entry->name, name) == 0) {
            *out = (struct policy_values){
                .values = entry->values, .count = entry->count, .is_multi = entry->is_multi};
            return true;
        }
    }
    return false;
}

static void add_entry(struct simulation *simulation, const char *name, const char *value)
{
    if (simulation->entry_count == ENTRIES_MAX)
        return;
    simulation->entries[simulation->entry_count++] =
        (struct entry){.name = name, .values = {value}, .count = 1};
}

/* ContextEntries.member.N.ContextKeyValues.member.M */
static enum kms_error read_entry(struct simulation *simulation, size_t number)
{
    const struct iam_form *form = &simulation->call->form;
    char list[64];
    const char *type = iam_form_member(form, "ContextEntries", number, "ContextKeyType");
    if (simulation->entry_count == ENTRIES_MAX)
        return kms_fail(KMS_IAM_INVALID_INPUT, "Too many context entries.");
    struct entry *entry = &simulation->entries[simulation->entry_count++];
    *entry =
        (struct entry){.name = iam_form_member(form, "ContextEntries", number, "ContextKeyName")};
    (void)snprintf(list, sizeof list, "ContextEntries.member.%zu.ContextKeyValues", number);
    entry->count = iam_form_count(form, list, "");
    entry->is_multi = type != NULL && strstr(type, "List") != NULL;
    if (entry->count > VALUES_MAX)
        return kms_fail(KMS_IAM_INVALID_INPUT, "Too many values of a context entry.");
    for (size_t i = 0; i < entry->count; i++)
        entry->values[i] = iam_form_member(form, list, i + 1, "");
    return KMS_OK;
}

static enum kms_error read_context(struct simulation *simulation)
{
    const struct iam_form *form = &simulation->call->form;
    size_t count = iam_form_count(form, "ContextEntries", "ContextKeyName");
    for (size_t i = 1; i <= count; i++)
        KMS_TRY(read_entry(simulation, i));
    add_entry(simulation, "aws:PrincipalArn",
              simulation->identity.role_arn[0] == '\0' ? simulation->identity.arn
                                                       : simulation->identity.role_arn);
    add_entry(simulation, "aws:PrincipalAccount", simulation->identity.account);
    if (simulation->identity.name[0] != '\0')
        add_entry(simulation, "aws:username", simulation->identity.name);
    return KMS_OK;
}

static enum kms_error read_policies(struct simulation *simulation)
{
    const struct iam_form *form = &simulation->call->form;
    size_t count = iam_form_count(form, "PolicyInputList", "");
    if (count > EXTRA_MAX)
        return kms_fail(KMS_IAM_INVALID_INPUT, "Too many policies in PolicyInputList.");
    for (size_t i = 1; i <= count; i++) {
        const char *text = iam_form_member(form, "PolicyInputList", i, "");
        KMS_TRY(policy_parse(POLICY_IDENTITY, text, strlen(text), &simulation->extra[i - 1]));
        simulation->extra_count = i;
    }
    return KMS_OK;
}

/* ---- deciding */

struct decision {
    enum policy_effect effect;
    const char *policy; /* that decided */
};

static void weigh(const struct policy *policy, const char *name,
                  const struct policy_request *request, struct decision *decision)
{
    struct policy_match match;
    policy_evaluate(policy, request, &match);
    if (match.effect == POLICY_DENY ||
        (match.effect == POLICY_ALLOW && decision->effect == POLICY_NOTHING)) {
        decision->effect = match.effect;
        decision->policy = name;
    }
}

static void write_decision(struct iam_xml *xml, const struct policy_request *request,
                           const struct decision *decision)
{
    static const char *const names[] = {[POLICY_NOTHING] = "implicitDeny",
                                        [POLICY_ALLOW] = "allowed",
                                        [POLICY_DENY] = "explicitDeny"};
    iam_xml_open(xml, "member");
    iam_xml_text(xml, "EvalActionName", request->action);
    iam_xml_text(xml, "EvalResourceName", request->resource);
    iam_xml_text(xml, "EvalDecision", names[decision->effect]);
    iam_xml_open(xml, "MatchedStatements");
    if (decision->policy != NULL) {
        iam_xml_open(xml, "member");
        iam_xml_text(xml, "SourcePolicyId", decision->policy);
        iam_xml_text(xml, "SourcePolicyType", "IAM Policy");
        iam_xml_close(xml, "member");
    }
    iam_xml_close(xml, "MatchedStatements");
    iam_xml_open(xml, "MissingContextValues");
    iam_xml_close(xml, "MissingContextValues");
}

static void simulate(struct simulation *simulation, const char *action, const char *resource)
{
    const struct identity *identity = &simulation->identity;
    struct iam_xml *xml = &simulation->call->xml;
    struct policy_principal principal = identity_as_principal(identity);
    struct policy_request request = {.principal = &principal,
                                     .action = action,
                                     .resource = resource,
                                     .lookup = look_up,
                                     .context = simulation};
    struct decision decision = {.effect = POLICY_NOTHING}, boundary = {.effect = POLICY_NOTHING};
    for (size_t i = 0; i < identity->policy_count; i++)
        weigh(identity->policies[i], identity->policy_names[i], &request, &decision);
    for (size_t i = 0; i < simulation->extra_count; i++)
        weigh(simulation->extra[i], "PolicyInputList", &request, &decision);
    if (identity->boundary != NULL) {
        weigh(identity->boundary, "PermissionsBoundary", &request, &boundary);
        if (boundary.effect == POLICY_DENY)
            decision = boundary;
        else if (boundary.effect == POLICY_NOTHING && decision.effect == POLICY_ALLOW)
            decision = (struct decision){.effect = POLICY_NOTHING};
    }
    write_decision(xml, &request, &decision);
    if (identity->boundary != NULL) {
        iam_xml_open(xml, "PermissionsBoundaryDecisionDetail");
        iam_xml_bool(xml, "AllowedByPermissionsBoundary", boundary.effect == POLICY_ALLOW);
        iam_xml_close(xml, "PermissionsBoundaryDecisionDetail");
    }
    iam_xml_close(xml, "member");
}

static enum kms_error run(struct simulation *simulation)
{
    struct iam_call *call = simulation->call;
    const struct iam_form *form = &call->form;
    struct iam_page page;
    const char *first;
    size_t actions = iam_form_count(form, "ActionNames", "");
    size_t resources = iam_form_count(form, "ResourceArns", "");
    KMS_TRY(iam_call_need(call, "ActionNames.member.1", &first));
    KMS_TRY(iam_page_open(call, &page));
    KMS_TRY(read_policies(simulation));
    KMS_TRY(read_context(simulation));
    iam_xml_open(&call->xml, "EvaluationResults");
    for (size_t i = 0; i < actions * (resources == 0 ? 1 : resources); i++) {
        const char *resource = "*";
        if (resources > 0)
            resource = iam_form_member(form, "ResourceArns", i % resources + 1, "");
        if (iam_page_takes_number(&page, i))
            simulate(
                simulation,
                iam_form_member(form, "ActionNames", i / (resources == 0 ? 1 : resources) + 1, ""),
                resource);
    }
    iam_xml_close(&call->xml, "EvaluationResults");
    iam_page_close(call, &page);
    return KMS_OK;
}

enum kms_error iam_simulate(struct iam_call *call)
{
    const char *arn;
    KMS_TRY(iam_call_need(call, "PolicySourceArn", &arn));
    KMS_TRY(iam_call_authorize(call, arn));
    if (iam_call_get(call, "ResourcePolicy") != NULL)
        return kms_fail(KMS_IAM_INVALID_INPUT, "Resource policies are not simulated here.");
    struct simulation *simulation = calloc(1, sizeof *simulation);
    if (simulation == NULL)
        return kms_from_rc(RC_NO_MEMORY);
    simulation->call = call;
    enum kms_error error = identity_of_principal(call->kms, arn, &simulation->identity);
    if (error == KMS_OK && strcmp(simulation->identity.account, call->identity.account) != 0)
        error = kms_fail(KMS_NO_SUCH_ENTITY, "No entity with ARN %.300s was found.", arn);
    if (error == KMS_OK)
        error = run(simulation);
    simulation_free(simulation);
    return error;
}

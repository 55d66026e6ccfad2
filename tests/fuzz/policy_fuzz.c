/* SPDX-License-Identifier: Apache-2.0 */
/* Policies as a hostile caller may write them. The first byte chooses kind and caller; up to the
 * next line break the value that every condition key has; then the policy. What is taken must be
 * evaluated, explained and asked for its principals without harm, twice alike. */
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "kms/policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

static bool lookup(void *context, const char *name, struct policy_values *out)
{
    *out = (struct policy_values){
        .values = context, .count = 1 + (strlen(name) % 2), .is_multi = strlen(name) % 2 != 0};
    return strlen(name) % 5 != 0;
}

static bool visit(void *context, const char *type, const char *value)
{
    *(size_t *)context += strlen(type) + strlen(value);
    return true;
}

static const struct policy_principal callers[] = {
    {.arn = "arn:aws:iam::111122223333:user/a", .account = "111122223333"},
    {.arn = "arn:aws:iam::111122223333:root", .account = "111122223333"},
    {.arn = "arn:aws:sts::111122223333:assumed-role/r/s",
     .role_arn = "arn:aws:iam::111122223333:role/r",
     .account = "111122223333"},
    {.arn = "s3.amazonaws.com", .account = "", .service = "s3.amazonaws.com"},
};

static void use(const struct policy *policy, const struct policy_request *request)
{
    AUTO_BUF text = BUF_INIT;
    struct policy_match match, again;
    size_t len = 0;
    policy_evaluate(policy, request, &match);
    policy_evaluate(policy, request, &again);
    must(match.effect == again.effect && match.statement == again.statement);
    must((match.effect == POLICY_NOTHING) == (match.statement < 0));
    must(policy_explain(policy, request, &text) == RC_OK && text.len > 0);
    (void)policy_lets(policy, request->principal, request->action);
    policy_principals(policy, visit, &len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *line = size == 0 ? NULL : memchr(data, '\n', size);
    struct policy *policy = NULL;
    char value[256] = "";
    if (line == NULL || line == data || (size_t)(line - data) > sizeof value)
        return 0;
    memcpy(value, data + 1, (size_t)(line - data) - 1);
    const char *values[] = {value, "arn:aws:iam::111122223333:user/a"};
    struct policy_request request = {.principal = &callers[data[0] / 3 % 4],
                                     .action = "kms:Encrypt",
                                     .resource = "arn:aws:kms:us-east-1:111122223333:key/1",
                                     .lookup = lookup,
                                     .context = values};
    const char *text = (const char *)line + 1;
    enum policy_kind kind = (enum policy_kind)(data[0] % 3);
    if (policy_parse(kind, text, size - (size_t)(line + 1 - data), &policy) != KMS_OK) {
        must(policy == NULL && kms_error_text()[0] != 0);
        return 0;
    }
    use(policy, &request);
    policy_free(policy);
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* GetKeyPolicy, PutKeyPolicy, ListKeyPolicies: a key has one policy, and its name is "default". */
#include <stdlib.h>

#include "kms/key_new.h"
#include "kms/operations.h"
#include "kms/page.h"
#include "kms/principal.h"

#define NAME      "default"
#define LIST_PAGE 100U
#define LIST_MOST 1000U

static enum kms_error check_name(const struct kms_request *request)
{
    const char *name = request_string(request, "PolicyName");
    if (name == NULL || strcmp(name, NAME) == 0)
        return KMS_OK;
    return kms_fail(KMS_NOT_FOUND, "No such policy exists");
}

enum kms_error op_get_key_policy(struct kms_request *request)
{
    const struct key *key = key_of(request->key);
    char *text;
    KMS_TRY(check_name(request));
    KMS_TRY(principal_show_policy(request->kms, key->policy_text, key->policy_ids, &text));
    enum rc rc = request_put_string(request, "Policy", text);
    free(text);
    KMS_TRY(kms_from_rc(rc));
    return kms_from_rc(request_put_string(request, "PolicyName", NAME));
}

enum kms_error op_put_key_policy(struct kms_request *request)
{
    AUTO_KEY *key = NULL;
    KMS_TRY(check_name(request));
    KMS_TRY(key_to_change(request, &key));
    KMS_TRY(key_admit_policy(request, key, request_string(request, "Policy")));
    return request_commit_key(request, key);
}

enum kms_error op_list_key_policies(struct kms_request *request)
{
    AUTO_PAGE page = PAGE_INIT;
    KMS_TRY(page_open(request, LIST_PAGE, LIST_MOST, &page));
    (void)page_add(&page, NAME, json_string(NAME));
    return page_close(request, &page, "PolicyNames");
}

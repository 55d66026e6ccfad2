/* SPDX-License-Identifier: Apache-2.0 */
/* ListGrants, ListRetirableGrants. */
#include <stdio.h>

#include "kms/grant.h"
#include "kms/operations.h"
#include "kms/page.h"
#include "kms/principal.h"

#define PAGE_DEFAULT 50U
#define PAGE_MOST    100U

/* A principal that is asked for, by ARN, or by id where it is gone; NULL: any. */
struct wanted {
    const char *name;
    char id[POLICY_ID_LEN + 1]; /* of the one that has the ARN; "" */
};

struct listing {
    struct page *page;
    const char *id; /* wanted; NULL: any */
    struct wanted grantee, retiring;
    const char *account;                 /* of the key */
    struct record *found[PAGE_MOST + 1]; /* one more says that there is another page */
    size_t count;
};

static const char *id_of(const char *text)
{
    return text[0] == '\0' ? NULL : text;
}

static json_t *constraints_of(const struct grant *grant)
{
    if (grant->context_equals == NULL && grant->context_subset == NULL)
        return NULL;
    return json_pack("{s:O*, s:O*}", "EncryptionContextEquals", grant->context_equals,
                     "EncryptionContextSubset", grant->context_subset);
}

static json_t *entry_of(const struct kms *kms, const struct grant *grant)
{
    char arn[KMS_KEY_ARN_MAX + 1], grantee[KMS_ARN_MAX + 1], retiring[KMS_ARN_MAX + 1];
    principal_show(kms, grant->grantee, id_of(grant->grantee_id), grantee);
    if (grant->retiring != NULL)
        principal_show(kms, grant->retiring, id_of(grant->retiring_id), retiring);
    (void)snprintf(arn, sizeof arn, "arn:aws:kms:%s:%s:key/%s", grant->region, grant->account,
                   grant->key_id);
    return json_pack(
        "{s:s, s:s, s:s, s:s*, s:s*, s:s, s:f, s:o, s:o*}", "KeyId", arn, "GrantId", grant->id,
        "GranteePrincipal", grantee, "RetiringPrincipal", grant->retiring == NULL ? NULL : retiring,
        "Name", grant->name[0] == '\0' ? NULL : grant->name, "IssuingAccount",
        grant->issuing_account, "CreationDate", (double)grant->created_ms / 1000.0, "Operations",
        grant_operation_names(grant->operations), "Constraints", constraints_of(grant));
}

static struct wanted wanted_of(const struct kms_request *request, const char *member)
{
    struct wanted wanted = {.name = request_string(request, member)};
    if (wanted.name != NULL)
        (void)identity_find_id(request->kms, wanted.name, wanted.id);
    return wanted;
}

static bool is_principal(const struct wanted *wanted, const char *arn, const char *id)
{
    if (wanted->name == NULL)
        return true;
    if (arn == NULL)
        return false;
    return id[0] == '\0' ? strcmp(wanted->name, arn) == 0
                         : strcmp(wanted->name, id) == 0 || strcmp(wanted->id, id) == 0;
}

static bool is_wanted(const struct listing *listing, const struct grant *grant)
{
    return (listing->id == NULL || strcmp(listing->id, grant->id) == 0) &&
           is_principal(&listing->grantee, grant->grantee, grant->grantee_id) &&
           (listing->account == NULL || strcmp(listing->account, grant->account) == 0) &&
           is_principal(&listing->retiring, grant->retiring, grant->retiring_id);
}

static bool visit(void *context, struct record *record)
{
    struct listing *listing = context;
    if (is_wanted(listing, record->data))
        listing->found[listing->count++] = record_ref(record);
    return listing->count <= PAGE_MOST;
}

/* Principals are looked up for what is listed, so when the view is no longer held. */
static enum kms_error list(struct kms_request *request, const char *prefix, struct listing *listing)
{
    struct page *page = listing->page;
    KMS_TRY(page_open(request, PAGE_DEFAULT, PAGE_MOST, page));
    view_each(request->kms->view, prefix, page->after, visit, listing);
    for (size_t i = 0; i < listing->count; i++) {
        struct record *record = listing->found[i];
        if (!page_is_full(page))
            (void)page_add(page, record->key, entry_of(request->kms, record->data));
        record_unref(record);
    }
    return page_close(request, listing->page, "Grants");
}

enum kms_error op_list_grants(struct kms_request *request)
{
    AUTO_PAGE page = PAGE_INIT;
    struct listing listing = {.page = &page,
                              .id = request_string(request, "GrantId"),
                              .grantee = wanted_of(request, "GranteePrincipal")};
    char prefix[129];
    grant_path(request->region, key_of(request->key)->id, "", prefix);
    return list(request, prefix, &listing);
}

enum kms_error op_list_retirable_grants(struct kms_request *request)
{
    AUTO_PAGE page = PAGE_INIT;
    struct listing listing = {.page = &page,
                              .retiring = wanted_of(request, "RetiringPrincipal"),
                              .account = request->identity.account};
    char prefix[129];
    (void)snprintf(prefix, sizeof prefix, "grant/%s/", request->region);
    return list(request, prefix, &listing);
}

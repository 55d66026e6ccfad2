/* SPDX-License-Identifier: Apache-2.0 */
/* Documents that no front end can read: named, and deleted by hand. */
#include "kms/unreadable.h"

#include <stdio.h>

#include "common/log.h"
#include "kms/view.h"

static bool copy_name(void *context, struct record *record)
{
    (void)snprintf(context, sizeof record->key, "%s", record->key);
    return false;
}

enum rc unreadable_check_keys(struct view *view)
{
    char name[129] = "";
    view_each_unreadable(view, "key/", copy_name, name);
    return name[0] == '\0' ? RC_OK
                           : rc_fail(RC_CONFLICT,
                                     "document %s cannot be read, and may name them: qhsm keystore "
                                     "documents list",
                                     name);
}

static bool print(void *context, struct record *record)
{
    (void)context;
    (void)printf("%s %llu\n", record->key, (unsigned long long)record->version);
    return true;
}

enum rc unreadable_run_list(const struct kms_config *config, struct kms *kms, int count,
                            char **arguments)
{
    (void)config;
    (void)count;
    (void)arguments;
    view_each_unreadable(kms->view, "", print, NULL);
    return RC_OK;
}

struct search {
    const char *name;
    uint64_t version; /* found */
};

static bool take(void *context, struct record *record)
{
    struct search *search = context;
    if (strcmp(record->key, search->name) != 0)
        return true;
    search->version = record->version;
    return false;
}

enum rc unreadable_run_delete(const struct kms_config *config, struct kms *kms, int count,
                              char **arguments)
{
    (void)config;
    (void)count;
    struct search search = {.name = arguments[0]};
    view_each_unreadable(kms->view, search.name, take, &search);
    if (search.version == 0)
        return rc_fail(RC_NOT_FOUND, "no document %.128s that cannot be read", search.name);
    TRY(view_commit_one(kms->view, search.name, search.version, NULL));
    log_warn("document_deleted", "key=%s version=%llu", search.name,
             (unsigned long long)search.version);
    return RC_OK;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* What an entry of the file of test keys may say: what CreateKey and CreateAlias take, by the
 * tables that they go by themselves. */
#include "kms/alias.h"
#include "kms/members.h"
#include "kms/seed.h"

#define COUNT(list) (sizeof(list) / sizeof(list)[0])
#define SHAPE       "a UUID, or mrk- and 32 hex digits, in small letters"
#define MEMBER_NAMES                                                         \
    "KeyId, Region, Account, KeySpec, KeyUsage, Description, Policy, Tags, " \
    "Aliases and KeyMaterial"

static const struct member own_members[] = {
    {.name = "KeyId", .type = MEMBER_STRING},
    {.name = "Region", .type = MEMBER_STRING},
    {.name = "Account", .type = MEMBER_STRING},
    {.name = "Aliases", .type = MEMBER_STRINGS, .item_max = 256},
    {.name = "KeyMaterial", .type = MEMBER_BLOB},
};
static const char *const create_key_members[] = {"KeySpec", "KeyUsage", "Description", "Policy",
                                                 "Tags"};

static const struct member *member_of(const char *operation, const char *name)
{
    const struct operation *row = operation_find(operation);
    for (size_t i = 0; i < row->member_count; i++)
        if (strcmp(row->members[i].name, name) == 0)
            return &row->members[i];
    return NULL;
}

/* NULL: an entry has no such member. */
static const struct member *find_member(const char *name)
{
    for (size_t i = 0; i < COUNT(own_members); i++)
        if (strcmp(own_members[i].name, name) == 0)
            return &own_members[i];
    for (size_t i = 0; i < COUNT(create_key_members); i++)
        if (strcmp(create_key_members[i], name) == 0)
            return member_of("CreateKey", name);
    return NULL;
}

static enum rc check_member(const char *name, const json_t *entry)
{
    const struct member *member = find_member(name);
    if (member == NULL)
        return rc_fail(RC_CONFIG, "%s is not known; an entry has " MEMBER_NAMES, name);
    if (members_check(member, 1, entry) != KMS_OK)
        return rc_fail(RC_CONFIG, "%s: %s", name, kms_error_text());
    return RC_OK;
}

static bool is_alias(const char *name)
{
    json_t *in = json_pack("{s:s}", "AliasName", name);
    bool is_good = in != NULL && alias_check_name(name) == KMS_OK &&
                   members_check(member_of("CreateAlias", "AliasName"), 1, in) == KMS_OK;
    json_decref(in);
    return is_good;
}

static enum rc check_aliases(const json_t *list)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *name = json_string_value(json_array_get(list, i));
        if (!is_alias(name))
            return rc_fail(RC_CONFIG,
                           "Aliases: '%.64s' is not a name that CreateAlias takes; want alias/ and "
                           "up to 250 of A-Z, a-z, 0-9, /, _ and -, but not alias/aws/",
                           name);
    }
    return RC_OK;
}

enum rc seed_check(const json_t *entry)
{
    const char *name = NULL;
    json_t *value = NULL;
    if (!json_is_object(entry))
        return rc_fail(RC_CONFIG, "want an object with " MEMBER_NAMES);
    const char *id = json_string_value(json_object_get(entry, "KeyId"));
    if (id == NULL || !key_is_id(id))
        return rc_fail(RC_CONFIG, "KeyId is %s; want " SHAPE,
                       id == NULL ? "missing" : "not the id of a key");
    json_object_foreach((json_t *)(uintptr_t)entry, name, value) TRY(check_member(name, entry));
    return check_aliases(json_object_get(entry, "Aliases"));
}

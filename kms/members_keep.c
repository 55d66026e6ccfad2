/* SPDX-License-Identifier: Apache-2.0 */
/* What is left of a request for rights and operations: the operation's own members, none null. */
#include "kms/members.h"

#include <string.h>

static const struct member *find(const struct member *members, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(members[i].name, name) == 0)
            return &members[i];
    return NULL;
}

static void drop_nulls(json_t *object)
{
    const char *name;
    json_t *value;
    void *next;
    json_object_foreach_safe(object, next, name, value)
    {
        if (json_is_null(value))
            (void)json_object_del(object, name);
    }
}

void members_keep(const struct member *members, size_t count, json_t *in)
{
    const char *name;
    json_t *value;
    void *next;
    json_object_foreach_safe(in, next, name, value)
    {
        const struct member *member = find(members, count, name);
        if (member == NULL || json_is_null(value))
            (void)json_object_del(in, name);
        else if (member->type == MEMBER_STRUCT)
            drop_nulls(value);
    }
}

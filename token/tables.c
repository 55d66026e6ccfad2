/* SPDX-License-Identifier: Apache-2.0 */
/* Sorted arrays of rows: tokens and users are few, and read far more often than changed. */
#include "token/tables.h"

#include <stdlib.h>

struct token_entry *tables_token(const struct tables *tables, uint64_t number)
{
    return number == 0 || number > tables->token_count ? NULL : tables->tokens[number - 1];
}

/* First user whose name is not below. */
static size_t name_bound(const struct token_entry *entry, const char *name)
{
    size_t low = 0;
    size_t high = entry->user_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (strcmp(entry->users[middle]->name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* First user whose id is not below. */
static size_t id_bound(const struct tables *tables, uint64_t id)
{
    size_t low = 0;
    size_t high = tables->user_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (tables->users[middle]->id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct user_row *tables_user(const struct tables *tables, uint64_t token, const char *name)
{
    const struct token_entry *entry = tables_token(tables, token);
    if (entry == NULL)
        return NULL;
    size_t at = name_bound(entry, name);
    bool found = at < entry->user_count && strcmp(entry->users[at]->name, name) == 0;
    return found ? entry->users[at] : NULL;
}

struct user_row *tables_user_by_id(const struct tables *tables, uint64_t id)
{
    size_t at = id_bound(tables, id);
    return at < tables->user_count && tables->users[at]->id == id ? tables->users[at] : NULL;
}

/* The array with room for one more, or NULL: then the old one stays. */
static void *grown(void *array, size_t count, size_t *cap)
{
    if (count < *cap)
        return array;
    size_t wanted = *cap == 0 ? 4 : *cap * 2;
    void *larger = realloc(array, wanted * sizeof(void *));
    if (larger != NULL)
        *cap = wanted;
    return larger;
}

enum rc tables_token_add(struct tables *tables, const struct token_row *row)
{
    if (row->number != tables->token_count + 1)
        return RC_CONFLICT;
    struct token_entry **tokens = grown(tables->tokens, tables->token_count, &tables->token_cap);
    if (tokens == NULL)
        return RC_NO_MEMORY;
    tables->tokens = tokens;
    struct token_entry *entry = calloc(1, sizeof *entry);
    if (entry == NULL)
        return RC_NO_MEMORY;
    entry->row = *row;
    tables->tokens[tables->token_count++] = entry;
    return RC_OK;
}

static void insert_at(struct user_row **users, size_t count, size_t at, struct user_row *user)
{
    memmove(users + at + 1, users + at, (count - at) * sizeof(struct user_row *));
    users[at] = user;
}

static void remove_at(struct user_row **users, size_t count, size_t at)
{
    memmove(users + at, users + at + 1, (count - at - 1) * sizeof(struct user_row *));
}

static enum rc user_room(struct tables *tables, struct token_entry *entry)
{
    struct user_row **all = grown(tables->users, tables->user_count, &tables->user_cap);
    if (all == NULL)
        return RC_NO_MEMORY;
    tables->users = all;
    struct user_row **named = grown(entry->users, entry->user_count, &entry->user_cap);
    if (named == NULL)
        return RC_NO_MEMORY;
    entry->users = named;
    return RC_OK;
}

enum rc tables_user_add(struct tables *tables, const struct user_row *row)
{
    struct token_entry *entry = tables_token(tables, row->token);
    if (entry == NULL)
        return RC_SLOT_INVALID;
    size_t count = tables->user_count;
    if (tables_user(tables, row->token, row->name) != NULL ||
        (count > 0 && tables->users[count - 1]->id >= row->id))
        return RC_CONFLICT;
    TRY(user_room(tables, entry));
    struct user_row *user = calloc(1, sizeof *user);
    if (user == NULL)
        return RC_NO_MEMORY;
    *user = *row;
    insert_at(tables->users, count, count, user);
    tables->user_count++;
    insert_at(entry->users, entry->user_count, name_bound(entry, user->name), user);
    entry->user_count++;
    return RC_OK;
}

void tables_user_remove(struct tables *tables, struct user_row *user)
{
    struct token_entry *entry = tables_token(tables, user->token);
    remove_at(entry->users, entry->user_count, name_bound(entry, user->name));
    entry->user_count--;
    remove_at(tables->users, tables->user_count, id_bound(tables, user->id));
    tables->user_count--;
    secret_wipe(user, sizeof *user);
    free(user);
}

void tables_clear(struct tables *tables)
{
    for (size_t i = 0; i < tables->user_count; i++) {
        secret_wipe(tables->users[i], sizeof *tables->users[i]);
        free(tables->users[i]);
    }
    for (size_t i = 0; i < tables->token_count; i++) {
        free(tables->tokens[i]->users);
        free(tables->tokens[i]);
    }
    free(tables->users);
    free(tables->tokens);
    *tables = (struct tables){.tokens = NULL};
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens and users in memory. The caller locks: readers share, the one writer excludes them. */
#ifndef QHSM_TOKEN_TABLES_H
#define QHSM_TOKEN_TABLES_H

#include "token/state.h"

struct token_entry {
    struct token_row row;
    struct user_row **users; /* by name; owned by tables.users */
    size_t user_count;
    size_t user_cap;
};

struct tables {
    struct token_entry **tokens; /* number n at n - 1: numbers are never given back */
    size_t token_count;
    size_t token_cap;
    struct user_row **users; /* by id */
    size_t user_count;
    size_t user_cap;
};

/* NULL when absent. */
struct token_entry *tables_token(const struct tables *tables, uint64_t number);
struct user_row *tables_user(const struct tables *tables, uint64_t token, const char *name);
struct user_row *tables_user_by_id(const struct tables *tables, uint64_t id);

/* The next number. RC_NO_MEMORY, RC_CONFLICT for another number. */
enum rc tables_token_add(struct tables *tables, const struct token_row *row);
/* An id above all others, a name that the token lacks. RC_NO_MEMORY, RC_CONFLICT, RC_SLOT_INVALID.
 */
enum rc tables_user_add(struct tables *tables, const struct user_row *row);
void tables_user_remove(struct tables *tables, struct user_row *user);
void tables_clear(struct tables *tables);

#endif

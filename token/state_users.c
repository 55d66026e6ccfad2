/* SPDX-License-Identifier: Apache-2.0 */
/* Effects on tokens, users and policies. */
#include "token/effect.h"
#include "token/state_internal.h"

/* Replaces a row in place: the sum follows, readers see the old or the new one. */
static void change_user(struct state *state, struct user_row *user, const struct user_row *to)
{
    state_must(state_user_leave(&state->content, state->keys, user), "old user");
    state_must(state_user_enter(&state->content, state->keys, to), "new user");
    (void)pthread_rwlock_wrlock(&state->lock);
    *user = *to;
    (void)pthread_rwlock_unlock(&state->lock);
}

static void change_token(struct state *state, struct token_entry *entry, const struct token_row *to)
{
    state_must(state_token_leave(&state->content, state->keys, &entry->row), "old token");
    state_must(state_token_enter(&state->content, state->keys, to), "new token");
    (void)pthread_rwlock_wrlock(&state->lock);
    entry->row = *to;
    (void)pthread_rwlock_unlock(&state->lock);
}

static void add_user(struct state *state, const struct user_row *wanted)
{
    struct user_row row = *wanted;
    row.id = state->content.digest.next_user++;
    row.version = 1;
    state_must(state_user_enter(&state->content, state->keys, &row), "new user");
    (void)pthread_rwlock_wrlock(&state->lock);
    enum rc rc = tables_user_add(&state->content.tables, &row);
    (void)pthread_rwlock_unlock(&state->lock);
    state_must(rc, "new user");
}

static void remove_user(struct state *state, struct user_row *user)
{
    state_must(state_user_leave(&state->content, state->keys, user), "old user");
    (void)pthread_rwlock_wrlock(&state->lock);
    tables_user_remove(&state->content.tables, user);
    (void)pthread_rwlock_unlock(&state->lock);
}

static void set_text(char *out, size_t cap, const char *text)
{
    size_t len = strnlen(text, cap - 1);
    memset(out, 0, cap);
    memcpy(out, text, len);
}

static void add_token(struct state *state, const struct effect *effect)
{
    struct token_row row = {.number = effect->token, .epoch = 1, .policy = policy_default()};
    set_text(row.label, sizeof row.label, effect->label);
    set_text(row.serial, sizeof row.serial, effect->serial);
    state_must(state_token_enter(&state->content, state->keys, &row), "new token");
    (void)pthread_rwlock_wrlock(&state->lock);
    enum rc rc = tables_token_add(&state->content.tables, &row);
    (void)pthread_rwlock_unlock(&state->lock);
    state_must(rc, "new token");
}

/* Objects, users and a front end's documents of it go; number, serial and policy stay: no way round
 * the policy leads through C_InitToken. */
static void empty_token(struct state *state, struct token_entry *entry, const struct effect *effect)
{
    state_objects_drop(state, effect->token);
    state_owner_emptied(state, effect->token);
    while (entry->user_count > 0)
        remove_user(state, entry->users[entry->user_count - 1]);
    struct token_row row = entry->row;
    row.epoch++;
    set_text(row.label, sizeof row.label, effect->label);
    change_token(state, entry, &row);
}

static enum rc may_try(const struct user_row *user, uint32_t tries_max, uint64_t expected_version)
{
    if (tries_max != 0 && user->tries >= tries_max)
        return RC_PIN_LOCKED;
    if (user->disabled)
        return RC_USER_DISABLED;
    return user->version == expected_version ? RC_OK : RC_CONFLICT;
}

/* Initialising again by the SO's PIN names the SO whose PIN it was; an administrator names nobody.
 */
static enum rc may_empty(const struct state *state, const struct token_entry *entry,
                         const struct effect *effect)
{
    if (strcmp(entry->row.serial, effect->serial) != 0)
        return RC_CONFLICT;
    if (effect->user.id == 0)
        return RC_OK;
    const struct user_row *so = tables_user_by_id(&state->content.tables, effect->user.id);
    if (so == NULL || so->token != effect->token)
        return RC_CONFLICT;
    return may_try(so, entry->row.policy.pin_tries_max, effect->user.version);
}

enum rc state_do_token_init(struct state *state, struct effect *effect, struct effect_result *out)
{
    (void)out;
    struct tables *tables = &state->content.tables;
    struct token_entry *entry = tables_token(tables, effect->token);
    if (entry == NULL && effect->token != tables->token_count + 1)
        return RC_SLOT_INVALID;
    if (entry != NULL)
        TRY(may_empty(state, entry, effect));
    if (entry == NULL)
        add_token(state, effect);
    else
        empty_token(state, entry, effect);
    struct user_row so = effect->user;
    so.token = effect->token;
    so.tries = 0;
    so.disabled = false;
    set_text(so.name, sizeof so.name, SO_USER_NAME);
    add_user(state, &so);
    return RC_OK;
}

static enum rc user_new(struct state *state, const struct effect *effect)
{
    const struct token_entry *entry = tables_token(&state->content.tables, effect->user.token);
    if (effect->user.role != ROLE_USER)
        return RC_NOT_PERMITTED;
    /* The security officer is one of the rows but not one of the limited. */
    uint32_t max = entry->row.policy.users_max;
    if (max != 0 && entry->user_count > max)
        return RC_LIMIT;
    add_user(state, &effect->user);
    return RC_OK;
}

enum rc state_do_user_put(struct state *state, struct effect *effect, struct effect_result *out)
{
    (void)out;
    const struct user_row *wanted = &effect->user;
    struct tables *tables = &state->content.tables;
    if (tables_token(tables, wanted->token) == NULL)
        return RC_SLOT_INVALID;
    struct user_row *user = tables_user(tables, wanted->token, wanted->name);
    if (effect->expected_version == 0)
        return user != NULL ? RC_EXISTS : user_new(state, effect);
    if (user == NULL)
        return RC_NOT_FOUND;
    if (user->version != effect->expected_version || user->role != wanted->role)
        return RC_CONFLICT;
    struct user_row row = *wanted;
    row.id = user->id;
    row.version = user->version + 1;
    row.tries = wanted->tries == 0 ? 0 : user->tries;
    change_user(state, user, &row);
    return RC_OK;
}

enum rc state_do_user_delete(struct state *state, struct effect *effect, struct effect_result *out)
{
    (void)out;
    struct user_row *user = tables_user(&state->content.tables, effect->token, effect->name);
    if (user == NULL)
        return RC_NOT_FOUND;
    if (user->role == ROLE_SO)
        return RC_NOT_PERMITTED;
    remove_user(state, user);
    return RC_OK;
}

/* SP 800-63B 5.2.2: wrong tries in a row are limited. */
enum rc state_do_user_tried(struct state *state, struct effect *effect, struct effect_result *out)
{
    (void)out;
    struct user_row *user = tables_user_by_id(&state->content.tables, effect->user_id);
    if (user == NULL)
        return RC_NOT_FOUND;
    const struct token_entry *entry = tables_token(&state->content.tables, user->token);
    uint32_t max = entry->row.policy.pin_tries_max;
    TRY(may_try(user, max, effect->expected_version));
    if (effect->right && user->tries == 0)
        return RC_OK;
    struct user_row row = *user;
    row.tries = effect->right ? 0 : user->tries + (user->tries < UINT32_MAX ? 1 : 0);
    if (max != 0 && row.tries >= max)
        row.version++; /* tickets given before end with the lock */
    change_user(state, user, &row);
    return RC_OK;
}

enum rc state_do_policy_put(struct state *state, struct effect *effect, struct effect_result *out)
{
    (void)out;
    struct token_entry *entry = tables_token(&state->content.tables, effect->token);
    if (entry == NULL)
        return RC_SLOT_INVALID;
    if (effect->expected_version != 0 && effect->expected_version != entry->row.epoch)
        return RC_CONFLICT;
    struct token_row row = entry->row;
    row.policy = effect->policy;
    row.epoch++;
    change_token(state, entry, &row);
    return RC_OK;
}

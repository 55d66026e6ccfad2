/* SPDX-License-Identifier: Apache-2.0 */
/* The replicated state: birth, end and reading. */
#include "token/state.h"

#include <sched.h>
#include <stdlib.h>

#include "common/log.h"
#include "token/state_internal.h"
#include "token/store_table.h"

enum rc state_content_init(struct state_content *content, const struct seal_keys *keys,
                           const struct store *like)
{
    *content = (struct state_content){.store = NULL};
    content->digest.next_handle = 1;
    content->digest.next_user = 1;
    content->digest.next_request = 1;
    TRY(request_table_new(keys, &content->requests));
    return store_new(STATE_SHARDS, like, &content->store);
}

void state_content_clear(struct state_content *content)
{
    tables_clear(&content->tables);
    documents_clear(&content->documents);
    roster_clear(&content->roster);
    store_free(content->store);
    request_table_free(content->requests);
    *content = (struct state_content){.store = NULL};
}

enum rc state_new(const struct seal_keys *keys, struct state **out)
{
    struct state *state = calloc(1, sizeof *state);
    if (state == NULL)
        return RC_NO_MEMORY;
    state->keys = keys;
    if (table_lock_init(&state->lock) != 0 ||
        pthread_mutex_init(&state->published_lock, NULL) != 0) {
        free(state);
        return RC_NO_MEMORY;
    }
    enum rc rc = state_content_init(&state->content, keys, NULL);
    if (rc != RC_OK) {
        state_free(state);
        return rc;
    }
    for (unsigned space = 0; space < DOCUMENT_SPACE_END; space++)
        atomic_init(&state->document_epochs[space], 1);
    state_publish(state);
    *out = state;
    return RC_OK;
}

void state_free(struct state *state)
{
    if (state == NULL)
        return;
    state_content_clear(&state->content);
    for (unsigned space = 0; space < DOCUMENT_SPACE_END; space++)
        document_log_clear(&state->document_logs[space]);
    (void)pthread_rwlock_destroy(&state->lock);
    (void)pthread_mutex_destroy(&state->published_lock);
    free(state);
}

void state_must(enum rc rc, const char *what)
{
    if (rc == RC_OK)
        return;
    log_error("state_cannot_apply", "what=\"%s\" error=%s detail=\"%s\"", what, rc_info(rc)->name,
              rc_detail());
    abort();
}

void state_publish(struct state *state)
{
    (void)pthread_mutex_lock(&state->published_lock);
    state->published = state->content.digest;
    (void)pthread_mutex_unlock(&state->published_lock);
    atomic_store_explicit(&state->applied, state->content.digest.applied, memory_order_release);
}

/* Locks are no part of the state's value. */
static pthread_rwlock_t *lock_of(const struct state *state)
{
    return (pthread_rwlock_t *)(uintptr_t)&state->lock;
}

void state_read_lock(const struct state *state)
{
    (void)pthread_rwlock_rdlock(lock_of(state));
}

void state_read_unlock(const struct state *state)
{
    (void)pthread_rwlock_unlock(lock_of(state));
}

enum rc state_token(const struct state *state, uint64_t number, struct token_row *out)
{
    state_read_lock(state);
    const struct token_entry *entry = tables_token(&state->content.tables, number);
    if (entry != NULL)
        *out = entry->row;
    state_read_unlock(state);
    return entry != NULL
               ? RC_OK
               : rc_fail(RC_SLOT_INVALID, "no token in slot %llu", (unsigned long long)number);
}

size_t state_tokens(const struct state *state, uint64_t *numbers, size_t max)
{
    state_read_lock(state);
    size_t count = state->content.tables.token_count;
    state_read_unlock(state);
    for (size_t i = 0; i < count && i < max; i++)
        numbers[i] = i + 1;
    return count;
}

uint64_t state_next_token(const struct state *state)
{
    return state_tokens(state, NULL, 0) + 1;
}

enum rc state_user(const struct state *state, uint64_t token, const char *name,
                   struct user_row *out)
{
    state_read_lock(state);
    const struct user_row *user = tables_user(&state->content.tables, token, name);
    if (user != NULL)
        *out = *user;
    state_read_unlock(state);
    return user != NULL
               ? RC_OK
               : rc_fail(RC_NOT_FOUND, "token %llu has no such user", (unsigned long long)token);
}

enum rc state_user_by_id(const struct state *state, uint64_t id, struct user_row *out)
{
    state_read_lock(state);
    const struct user_row *user = tables_user_by_id(&state->content.tables, id);
    if (user != NULL)
        *out = *user;
    state_read_unlock(state);
    return user != NULL ? RC_OK
                        : rc_fail(RC_NOT_FOUND, "no user of id %llu", (unsigned long long)id);
}

size_t state_users(const struct state *state, uint64_t token, struct user_row *out, size_t max)
{
    state_read_lock(state);
    const struct token_entry *entry = tables_token(&state->content.tables, token);
    size_t count = entry == NULL ? 0 : entry->user_count;
    for (size_t i = 0; i < count && i < max; i++)
        out[i] = *entry->users[i];
    state_read_unlock(state);
    return count;
}

bool state_login_holds(const struct state *state, uint64_t token, uint64_t token_epoch,
                       uint64_t user_id, uint64_t user_version)
{
    state_read_lock(state);
    const struct token_entry *entry = tables_token(&state->content.tables, token);
    const struct user_row *user = tables_user_by_id(&state->content.tables, user_id);
    bool holds = entry != NULL && entry->row.epoch == token_epoch && user != NULL &&
                 user->token == token && user->version == user_version && !user->disabled;
    state_read_unlock(state);
    return holds;
}

struct object *state_object(const struct state *state, uint64_t handle)
{
    return store_get(state->content.store, handle);
}

uint64_t state_object_count(const struct state *state)
{
    return store_count(state->content.store);
}

uint64_t state_applied(const struct state *state)
{
    return atomic_load_explicit(&state->applied, memory_order_acquire);
}

enum rc state_find(const struct state *state, uint64_t token, struct attrs wanted, bool see_private,
                   uint64_t after, state_visit visit, void *context)
{
    return store_find(state->content.store, token, wanted, see_private, after, visit, context);
}

uint64_t state_hash(const struct state *state, uint8_t out[32])
{
    pthread_mutex_t *lock = (pthread_mutex_t *)(uintptr_t)&state->published_lock;
    (void)pthread_mutex_lock(lock);
    struct state_digest digest = state->published;
    (void)pthread_mutex_unlock(lock);
    state_must(state_digest_hash(state->keys, &digest, out), "state hash");
    return digest.applied;
}

/* An effect is seen piece by piece while it is applied, its request last of all. */
static void await_turn(const struct state *state)
{
    uint64_t turn = atomic_load(&state->turn);
    while (turn % 2 == 1 && atomic_load(&state->turn) == turn)
        (void)sched_yield();
}

bool state_request_done(const struct state *state, const uint8_t application[16], uint64_t sequence,
                        struct effect_result *out)
{
    const struct request_row *row = NULL;
    if (sequence == 0)
        return false;
    await_turn(state);
    state_read_lock(state);
    bool done = request_table_find(state->content.requests, application, sequence, &row) ==
                REQUEST_REPEATED;
    if (done)
        request_row_result(row, out);
    state_read_unlock(state);
    return done;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of the replicated state, for state*.c. */
#ifndef QHSM_TOKEN_STATE_INTERNAL_H
#define QHSM_TOKEN_STATE_INTERNAL_H

#include <pthread.h>

#include "token/request_table.h"
#include "token/roster.h"
#include "token/rows.h"
#include "token/state_sum.h"
#include "token/store.h"
#include "token/tables.h"

#define STATE_SHARDS 64U

/* The numbers that, with the sum over all rows, make up the state hash. */
struct state_digest {
    struct state_sum sum;
    uint64_t applied;
    uint64_t clock_ms; /* the greatest time seen in an effect */
    uint64_t next_handle;
    uint64_t next_user;
    uint64_t next_request;
};

/* Everything replicated. Tables are read under state.lock, the store under its own; the rest
 * belongs to the writer. */
struct state_content {
    struct tables tables;
    struct store *store;
    struct roster roster;
    struct request_table *requests;
    struct state_digest digest;
};

struct state {
    const struct seal_keys *keys;
    pthread_rwlock_t lock; /* content.tables */
    struct state_content content;
    pthread_mutex_t published_lock;
    struct state_digest published; /* the digest after the last effect */
    _Atomic uint64_t applied;
};

/* `like`: the store whose place it will take, or NULL. */
enum rc state_content_init(struct state_content *content, const struct seal_keys *keys,
                           const struct store *like);
void state_content_clear(struct state_content *content);
/* Makes the writer's digest visible. */
void state_publish(struct state *state);
enum rc state_digest_hash(const struct seal_keys *keys, const struct state_digest *digest,
                          uint8_t out[32]);

/* A row comes into the sum of the content or leaves it. */
enum rc state_token_enter(struct state_content *content, const struct seal_keys *keys,
                          const struct token_row *row);
enum rc state_token_leave(struct state_content *content, const struct seal_keys *keys,
                          const struct token_row *row);
enum rc state_user_enter(struct state_content *content, const struct seal_keys *keys,
                         const struct user_row *row);
enum rc state_user_leave(struct state_content *content, const struct seal_keys *keys,
                         const struct user_row *row);
/* Into store, roster and sum; its handle is set. RC_NO_MEMORY leaves them in disorder. */
enum rc state_object_enter(struct state_content *content, const struct seal_keys *keys,
                           struct object *object);

/* An allocation or MAC in apply failed: this HSM cannot follow the others any more. */
void state_must(enum rc rc, const char *what);

/* The effects that touch objects (state_objects.c) and those that touch tokens and users
 * (state_users.c). Refusals are results. */
struct effect;
enum rc state_do_objects_add(struct state *state, struct effect *effect, struct effect_result *out);
enum rc state_do_object_replace(struct state *state, struct effect *effect,
                                struct effect_result *out);
enum rc state_do_object_destroy(struct state *state, struct effect *effect,
                                struct effect_result *out);
enum rc state_do_token_init(struct state *state, struct effect *effect, struct effect_result *out);
enum rc state_do_user_put(struct state *state, struct effect *effect, struct effect_result *out);
enum rc state_do_user_delete(struct state *state, struct effect *effect, struct effect_result *out);
enum rc state_do_user_tried(struct state *state, struct effect *effect, struct effect_result *out);
enum rc state_do_policy_put(struct state *state, struct effect *effect, struct effect_result *out);
/* All objects of a token go. */
void state_objects_drop(struct state *state, uint64_t token);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of the replicated state, for state*.c. */
#ifndef QHSM_TOKEN_STATE_INTERNAL_H
#define QHSM_TOKEN_STATE_INTERNAL_H

#include <pthread.h>

#include "token/document_log.h"
#include "token/documents.h"
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

/* Everything replicated. Tables, documents and requests are read under state.lock, the store under
 * its own; the rest belongs to the writer. */
struct state_content {
    struct tables tables;
    struct documents documents;
    struct store *store;
    struct roster roster;
    struct request_table *requests;
    struct state_digest digest;
};

struct state {
    const struct seal_keys *keys;
    pthread_rwlock_t lock; /* content.tables, content.documents, content.requests */
    struct state_content content;
    pthread_mutex_t published_lock;
    struct state_digest published; /* the digest after the last effect */
    _Atomic uint64_t applied;
    _Atomic uint64_t turn; /* odd while an effect is being applied */
    /* Of this process, not replicated. */
    _Atomic uint64_t document_epochs[DOCUMENT_SPACE_END];
    struct document_log document_logs[DOCUMENT_SPACE_END]; /* under lock, but for `last` */
};

/* Readers of content.tables and content.documents. */
void state_read_lock(const struct state *state);
void state_read_unlock(const struct state *state);

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

/* Into or out of the sum alone. */
enum rc state_document_enter(struct state_content *content, const struct seal_keys *keys,
                             const struct document *document);
enum rc state_document_leave(struct state_content *content, const struct seal_keys *keys,
                             const struct document *document);
/* All documents are others now: after a snapshot was read back. */
void state_documents_renewed(struct state *state);

/* An allocation or MAC in apply failed: this HSM cannot follow the others any more. */
void state_must(enum rc rc, const char *what);

/* The effects that touch objects (state_objects.c), tokens and users (state_users.c), documents
 * (state_documents.c), a front end's documents (state_owner.c). Refusals are results. */
struct effect;
enum rc state_do_objects_add(struct state *state, struct effect *effect, struct effect_result *out);
enum rc state_do_object_replace(struct state *state, struct effect *effect,
                                struct effect_result *out);
enum rc state_do_object_destroy(struct state *state, struct effect *effect,
                                struct effect_result *out);
enum rc state_do_pair_destroy(struct state *state, struct effect *effect,
                              struct effect_result *out);
enum rc state_do_token_init(struct state *state, struct effect *effect, struct effect_result *out);
enum rc state_do_user_put(struct state *state, struct effect *effect, struct effect_result *out);
enum rc state_do_user_delete(struct state *state, struct effect *effect, struct effect_result *out);
enum rc state_do_user_tried(struct state *state, struct effect *effect, struct effect_result *out);
enum rc state_do_policy_put(struct state *state, struct effect *effect, struct effect_result *out);
enum rc state_do_documents_change(struct state *state, struct effect *effect,
                                  struct effect_result *out);
enum rc state_do_owned_change(struct state *state, struct effect *effect,
                              struct effect_result *out);
enum rc state_do_owned_release(struct state *state, struct effect *effect,
                               struct effect_result *out);
enum rc state_do_restore_rows(struct state *state, struct effect *effect,
                              struct effect_result *out);
enum rc state_do_restore_end(struct state *state, struct effect *effect, struct effect_result *out);
/* All of an effect's rows or, RC_CONFLICT or RC_LIMIT, none. */
struct restore_rows;
enum rc state_refill(struct state *state, const struct restore_rows *rows);
/* restore_is_under_way() for the writer, without the lock. */
bool state_is_restoring(const struct state_content *content);
/* The token's number of objects, for readers. */
void state_objects_count(struct state *state, uint64_t token, size_t added, size_t removed);
/* Without a look at versions: the new one is expected_version + 1. At most one over
 * DOCUMENT_CHANGES_MAX. */
void state_documents_make(struct state *state, const struct document_change *changes, size_t count);
/* All or none, by their versions; readers see all or none. At most one over DOCUMENT_CHANGES_MAX.
 * RC_CONFLICT, RC_LIMIT. */
enum rc state_documents_change(struct state *state, const struct document_change *changes,
                               size_t count);
/* All of a space go. */
void state_documents_drop(struct state *state, enum document_space space);
/* The token is being emptied: the documents that belong to it go. */
void state_owner_emptied(struct state *state, uint64_t token);
/* One that is not there yet, with its version; owns it then. */
void state_document_add(struct state *state, struct document *document);
/* All objects of a token go. */
void state_objects_drop(struct state *state, uint64_t token);

#endif

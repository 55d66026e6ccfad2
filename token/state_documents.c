/* SPDX-License-Identifier: Apache-2.0 */
/* Documents of the state: reading them, and changes by compare-and-swap. */
#include <stdlib.h>

#include "token/effect.h"
#include "token/state_internal.h"

/* ---- reading ---- */

enum rc state_document(const struct state *state, enum document_space space, struct bytes key,
                       struct buf *out_value, uint64_t *out_version)
{
    enum rc rc = RC_NOT_FOUND;
    state_read_lock(state);
    const struct document *document = documents_find(&state->content.documents, space, key);
    if (document != NULL)
        rc = buf_append(out_value, document_value(document));
    if (rc == RC_OK)
        *out_version = document_version(document);
    state_read_unlock(state);
    return rc == RC_NOT_FOUND ? rc_fail(rc, "no such document in space %d", (int)space) : rc;
}

void state_documents(const struct state *state, enum document_space space, document_visit visit,
                     void *context)
{
    state_read_lock(state);
    documents_each(&state->content.documents, space, BYTES_NONE, visit, context);
    state_read_unlock(state);
}

uint64_t state_documents_epoch(const struct state *state, enum document_space space)
{
    if (space <= 0 || space >= DOCUMENT_SPACE_END)
        return 0;
    return atomic_load_explicit(&state->document_epochs[space], memory_order_acquire);
}

uint64_t state_documents_changed(const struct state *state, enum document_space space)
{
    if (space <= 0 || space >= DOCUMENT_SPACE_END)
        return 0;
    return atomic_load_explicit(&state->document_logs[space].last, memory_order_acquire);
}

uint64_t state_documents_decided(const struct state *state, enum document_space space)
{
    if (space <= 0 || space >= DOCUMENT_SPACE_END)
        return 0;
    return atomic_load_explicit(&state->document_logs[space].decided, memory_order_acquire);
}

static void visit_keys(const struct documents *documents, enum document_space space,
                       const struct bytes *keys, size_t count, document_visit visit, void *context)
{
    for (size_t i = 0; i < count; i++) {
        const struct document *document = documents_find(documents, space, keys[i]);
        bool goes_on = document == NULL ? visit(context, keys[i], BYTES_NONE, 0)
                                        : visit(context, keys[i], document_value(document),
                                                document_version(document));
        if (!goes_on)
            return;
    }
}

/* Applied before it is published: the last change here may be ahead of the state's own index. */
static uint64_t index_of(const struct state *state, enum document_space space)
{
    uint64_t applied = state_applied(state);
    uint64_t changed = state_documents_changed(state, space);
    return changed > applied ? changed : applied;
}

enum rc state_documents_since(const struct state *state, enum document_space space, uint64_t since,
                              struct bytes after, document_visit visit, void *context,
                              uint64_t *out_index, bool *out_whole)
{
    const struct documents *documents = &state->content.documents;
    struct bytes *keys = NULL;
    size_t count = 0;
    enum rc rc = RC_OK;
    if (space <= 0 || space >= DOCUMENT_SPACE_END)
        return rc_fail(RC_BAD_ARGUMENT, "no document space %d", (int)space);
    state_read_lock(state);
    const struct document_log *log = &state->document_logs[space];
    *out_index = index_of(state, space);
    *out_whole = since == 0 || since < log->floor || since > *out_index;
    if (*out_whole) {
        documents_each(documents, space, after, visit, context);
    } else {
        rc = document_log_since(log, since, after, &keys, &count);
        visit_keys(documents, space, keys, count, visit, context);
    }
    state_read_unlock(state);
    free(keys);
    return rc;
}

/* ---- changing ---- */

/* Under the lock: who reads the documents finds the change in the log too. */
static enum rc note_change(struct state *state, enum document_space space, struct bytes key)
{
    uint64_t index = state->content.digest.applied + 1; /* of the effect that is being applied */
    atomic_fetch_add_explicit(&state->document_epochs[space], 1, memory_order_release);
    return space == DOCUMENT_KMS ? document_log_add(&state->document_logs[space], index, key)
                                 : RC_OK;
}

void state_documents_renewed(struct state *state)
{
    (void)pthread_rwlock_wrlock(&state->lock);
    for (unsigned space = 1; space < DOCUMENT_SPACE_END; space++) {
        atomic_fetch_add_explicit(&state->document_epochs[space], 1, memory_order_release);
        document_log_renew(&state->document_logs[space], state->content.digest.applied);
    }
    (void)pthread_rwlock_unlock(&state->lock);
}

enum rc state_document_enter(struct state_content *content, const struct seal_keys *keys,
                             const struct document *document)
{
    return state_sum_enter(&content->digest.sum, keys, SUM_DOCUMENT, document_row(document));
}

enum rc state_document_leave(struct state_content *content, const struct seal_keys *keys,
                             const struct document *document)
{
    return state_sum_leave(&content->digest.sum, keys, SUM_DOCUMENT, document_row(document));
}

/* One change, prepared: the row that goes and the row that comes, NULL where there is none. */
struct step {
    const struct document_change *change;
    struct document *before; /* borrowed */
    struct document *after;  /* owned until it is put */
};

static enum rc may_change(const struct documents *documents, const struct document_change *changes,
                          size_t change_count)
{
    size_t bytes = documents->bytes;
    size_t count = documents->count;
    for (size_t i = 0; i < change_count; i++) {
        const struct document_change *change = &changes[i];
        const struct document *now = documents_find(documents, change->space, change->key);
        uint64_t version = now == NULL ? 0 : document_version(now);
        if (version != change->expected_version)
            return RC_CONFLICT;
        if (now != NULL)
            bytes -= document_frame(now).len;
        count -= now != NULL;
        if (change->is_removal)
            continue;
        bytes += DOCUMENT_FRAME_LEN(change->key.len, change->value.len);
        count++;
    }
    return bytes > DOCUMENTS_BYTES_MAX || count > DOCUMENTS_MAX ? RC_LIMIT : RC_OK;
}

static void prepare(struct state *state, const struct document_change *change, struct step *out)
{
    struct state_content *content = &state->content;
    *out = (struct step){.change = change};
    out->before = documents_find(&content->documents, change->space, change->key);
    if (out->before != NULL)
        state_must(state_document_leave(content, state->keys, out->before), "old document");
    if (change->is_removal)
        return;
    state_must(document_new(change->space, change->key, change->expected_version + 1, change->value,
                            &out->after),
               "new document");
    state_must(state_document_enter(content, state->keys, out->after), "new document");
}

/* Readers see all changes of an effect or none. */
static void make(struct state *state, const struct step *steps, size_t count)
{
    struct documents *documents = &state->content.documents;
    enum rc rc = RC_OK;
    (void)pthread_rwlock_wrlock(&state->lock);
    for (size_t i = 0; i < count && rc == RC_OK; i++) {
        const struct document_change *change = steps[i].change;
        rc = note_change(state, change->space, change->key);
        if (rc == RC_OK && steps[i].after != NULL)
            rc = documents_put(documents, steps[i].after);
        else if (rc == RC_OK)
            documents_remove(documents, change->space, change->key);
    }
    (void)pthread_rwlock_unlock(&state->lock);
    state_must(rc, "documents");
}

void state_documents_make(struct state *state, const struct document_change *changes, size_t count)
{
    struct step steps[DOCUMENT_CHANGES_MAX + 1];
    for (size_t i = 0; i < count; i++)
        prepare(state, &changes[i], &steps[i]);
    make(state, steps, count);
}

void state_document_add(struct state *state, struct document *document)
{
    struct document_name name = document_name(document);
    const struct document_change change = {.space = name.space, .key = name.key};
    const struct step step = {.change = &change, .after = document};
    state_must(state_document_enter(&state->content, state->keys, document), "new document");
    make(state, &step, 1);
}

enum rc state_documents_change(struct state *state, const struct document_change *changes,
                               size_t count)
{
    TRY(may_change(&state->content.documents, changes, count));
    state_documents_make(state, changes, count);
    return RC_OK;
}

/* Who followed them is told all anew. */
void state_documents_drop(struct state *state, enum document_space space)
{
    struct state_content *content = &state->content;
    const struct document_shelf *shelf = &content->documents.shelves[space];
    for (size_t i = 0; i < shelf->count; i++)
        state_must(state_document_leave(content, state->keys, shelf->items[i]), "old document");
    (void)pthread_rwlock_wrlock(&state->lock);
    documents_drop(&content->documents, space);
    atomic_fetch_add_explicit(&state->document_epochs[space], 1, memory_order_release);
    document_log_renew(&state->document_logs[space], content->digest.applied + 1);
    (void)pthread_rwlock_unlock(&state->lock);
}

enum rc state_do_documents_change(struct state *state, struct effect *effect,
                                  struct effect_result *out)
{
    (void)out;
    return state_documents_change(state, effect->documents, effect->document_count);
}

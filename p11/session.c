/* SPDX-License-Identifier: Apache-2.0 */
#include "p11/session.h"

#include <stdlib.h>

#define INDEX_BITS 16U
_Static_assert(SESSION_COUNT_MAX <= 1U << INDEX_BITS, "an index fits its part of the handle");

void session_table_init(struct session_table *table)
{
    (void)pthread_mutex_init(&table->lock, NULL);
    table->first_free = NULL;
    table->chunk_count = 0;
    for (size_t i = 0; i < SESSION_CHUNKS; i++)
        atomic_init(&table->chunks[i], NULL);
}

static void content_clear(struct session *session)
{
    for (size_t i = 0; i < OPERATION_COUNT; i++) {
        operation_free(session->operations[i]);
        session->operations[i] = NULL;
    }
    session_find_end(session);
    session_wrapped_forget(session);
}

void session_table_clear(struct session_table *table)
{
    for (uint32_t c = 0; c < table->chunk_count; c++) {
        struct session *chunk = atomic_exchange(&table->chunks[c], NULL);
        for (uint32_t i = 0; i < SESSION_CHUNK; i++) {
            content_clear(&chunk[i]);
            (void)pthread_mutex_destroy(&chunk[i].lock);
        }
        free(chunk);
    }
    table->chunk_count = 0;
    table->first_free = NULL;
}

static enum rc grow(struct session_table *table)
{
    if (table->chunk_count == SESSION_CHUNKS)
        return rc_fail(RC_SESSION_COUNT, "%u sessions are open", SESSION_COUNT_MAX);
    struct session *chunk = calloc(SESSION_CHUNK, sizeof *chunk);
    if (chunk == NULL)
        return RC_NO_MEMORY;
    for (uint32_t i = SESSION_CHUNK; i-- > 0;) {
        (void)pthread_mutex_init(&chunk[i].lock, NULL);
        chunk[i].index = table->chunk_count * SESSION_CHUNK + i;
        chunk[i].next_free = table->first_free;
        table->first_free = &chunk[i];
    }
    atomic_store(&table->chunks[table->chunk_count], chunk);
    table->chunk_count++;
    return RC_OK;
}

static enum rc take_free(struct session_table *table, struct session **out)
{
    enum rc rc = RC_OK;
    (void)pthread_mutex_lock(&table->lock);
    if (table->first_free == NULL)
        rc = grow(table);
    if (rc == RC_OK) {
        *out = table->first_free;
        table->first_free = (*out)->next_free;
    }
    (void)pthread_mutex_unlock(&table->lock);
    return rc;
}

enum rc session_open(struct session_table *table, struct slot *slot, CK_FLAGS flags,
                     struct session **out)
{
    struct session *session = NULL;
    TRY(take_free(table, &session));
    (void)pthread_mutex_lock(&session->lock);
    session->generation++;
    session->handle = (session->generation << INDEX_BITS) | session->index;
    session->slot = slot;
    session->flags = flags;
    *out = session;
    return RC_OK;
}

enum rc session_lock(struct session_table *table, CK_SESSION_HANDLE handle, struct session **out)
{
    size_t index = handle & ((1U << INDEX_BITS) - 1);
    struct session *chunk =
        atomic_load_explicit(&table->chunks[index / SESSION_CHUNK], memory_order_acquire);
    if (chunk == NULL || handle == 0)
        return RC_SESSION_INVALID;
    struct session *session = &chunk[index % SESSION_CHUNK];
    (void)pthread_mutex_lock(&session->lock);
    if (session->handle != handle) {
        (void)pthread_mutex_unlock(&session->lock);
        return RC_SESSION_INVALID;
    }
    *out = session;
    return RC_OK;
}

void session_unlock(struct session *session)
{
    (void)pthread_mutex_unlock(&session->lock);
}

void session_close(struct session_table *table, struct session *session)
{
    content_clear(session);
    session->handle = 0;
    session->slot = NULL;
    (void)pthread_mutex_unlock(&session->lock);
    (void)pthread_mutex_lock(&table->lock);
    session->next_free = table->first_free;
    table->first_free = session;
    (void)pthread_mutex_unlock(&table->lock);
}

size_t session_list(struct session_table *table, const struct slot *slot, CK_SESSION_HANDLE *out,
                    size_t room)
{
    size_t count = 0;
    for (size_t c = 0; c < SESSION_CHUNKS; c++) {
        struct session *chunk = atomic_load_explicit(&table->chunks[c], memory_order_acquire);
        if (chunk == NULL)
            break;
        for (size_t i = 0; i < SESSION_CHUNK && count < room; i++) {
            (void)pthread_mutex_lock(&chunk[i].lock);
            if (chunk[i].handle != 0 && chunk[i].slot == slot)
                out[count++] = chunk[i].handle;
            (void)pthread_mutex_unlock(&chunk[i].lock);
        }
    }
    return count;
}

enum rc session_table_grow_like(struct session_table *table, const struct session_table *parent)
{
    while (table->chunk_count < parent->chunk_count)
        TRY(grow(table));
    for (uint32_t c = 0; c < parent->chunk_count; c++)
        for (uint32_t i = 0; i < SESSION_CHUNK; i++)
            table->chunks[c][i].generation = parent->chunks[c][i].generation;
    return RC_OK;
}

void session_reopen(struct session_table *table, struct slot *slot, const struct session *old)
{
    struct session *session =
        &table->chunks[old->index / SESSION_CHUNK][old->index % SESSION_CHUNK];
    session->handle = old->handle;
    session->slot = slot;
    session->flags = old->flags;
}

void session_table_relink(struct session_table *table)
{
    table->first_free = NULL;
    for (uint32_t i = table->chunk_count * SESSION_CHUNK; i-- > 0;) {
        struct session *session = &table->chunks[i / SESSION_CHUNK][i % SESSION_CHUNK];
        if (session->handle != 0)
            continue;
        session->next_free = table->first_free;
        table->first_free = session;
    }
}

bool session_is_read_only(const struct session *session)
{
    return (session->flags & CKF_RW_SESSION) == 0;
}

struct operation *session_operation(struct session *session, unsigned index)
{
    if (session->operations[index] == NULL) {
        struct operation *fresh = calloc(1, sizeof *fresh);
        if (fresh != NULL)
            operation_reset(fresh);
        session->operations[index] = fresh;
    }
    return session->operations[index];
}

void session_find_end(struct session *session)
{
    struct session_find *find = &session->find;
    free(find->page);
    if (find->wanted != NULL)
        wire_template_clear(find->wanted);
    free(find->wanted);
    *find = (struct session_find){.active = false};
}

void session_wrapped_forget(struct session *session)
{
    struct session_wrapped *wrapped = &session->wrapped;
    wire_mechanism_clear(&wrapped->mechanism);
    buf_clear(&wrapped->iv);
    buf_clear(&wrapped->result);
    *wrapped = (struct session_wrapped){.kept = false, .iv = BUF_INIT, .result = BUF_INIT};
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The table of sessions. A session lives in the module alone; its memory is reused but never freed
 * before C_Finalize, so that a late call with an old handle finds a lock and a wrong handle, not
 * freed memory. */
#ifndef QHSM_P11_SESSION_H
#define QHSM_P11_SESSION_H

#include "p11/operation.h"
#include "p11/slot.h"

#define FIND_PAGE_FIRST 128U  /* with facts: a small search is one round trip */
#define FIND_PAGE_NEXT  4096U /* handles alone */

/* A search: the page at hand, and the template for the next one. */
struct session_find {
    bool active;
    bool more;
    CK_OBJECT_HANDLE last;
    size_t next;
    size_t count;
    CK_OBJECT_HANDLE *page;
    struct wire_template *wanted;
};

/* The last wrapped key that did not fit its buffer, or whose length was asked: the call that
 * follows gets the same. */
struct session_wrapped {
    bool kept;
    CK_OBJECT_HANDLE wrapping_key;
    CK_OBJECT_HANDLE key;
    struct wire_mechanism mechanism;
    struct buf iv;
    struct buf result;
};

struct session {
    pthread_mutex_t lock;     /* guards all below */
    CK_SESSION_HANDLE handle; /* 0: free */
    struct slot *slot;
    CK_FLAGS flags;
    struct operation *operations[OPERATION_COUNT];
    struct session_find find;
    struct session_wrapped wrapped;
    uint32_t index;
    uint64_t generation;
    struct session *next_free;
};

#define SESSION_CHUNK     64U
#define SESSION_CHUNKS    1024U
#define SESSION_COUNT_MAX (SESSION_CHUNK * SESSION_CHUNKS)

struct session_table {
    pthread_mutex_t lock; /* guards free list and growth */
    struct session *first_free;
    uint32_t chunk_count;
    _Atomic(struct session *) chunks[SESSION_CHUNKS];
};

void session_table_init(struct session_table *table);
void session_table_clear(struct session_table *table);

/* A new session, locked. RC_SESSION_COUNT, RC_NO_MEMORY. */
enum rc session_open(struct session_table *table, struct slot *slot, CK_FLAGS flags,
                     struct session **out);
/* Locks the session of that handle. RC_SESSION_INVALID. */
enum rc session_lock(struct session_table *table, CK_SESSION_HANDLE handle, struct session **out);
void session_unlock(struct session *session);
/* Frees a locked session's content and its handle, and unlocks it. */
void session_close(struct session_table *table, struct session *session);
/* Handles of the sessions of a slot, at most `room`; for C_CloseAllSessions. */
size_t session_list(struct session_table *table, const struct slot *slot, CK_SESSION_HANDLE *out,
                    size_t room);

/* For a forked child that carries on: room for the parent's handles, the same handle again, and at
 * the end the list of what stayed free. The parent's locks are not touched. RC_NO_MEMORY. */
enum rc session_table_grow_like(struct session_table *table, const struct session_table *parent);
void session_reopen(struct session_table *table, struct slot *slot, const struct session *old);
void session_table_relink(struct session_table *table);

bool session_is_read_only(const struct session *session);
/* The operation at that index, made when new; NULL without memory. */
struct operation *session_operation(struct session *session, unsigned index);
void session_find_end(struct session *session);
void session_wrapped_forget(struct session *session);

#endif

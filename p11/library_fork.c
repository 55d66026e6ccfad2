/* SPDX-License-Identifier: Apache-2.0 */
#include "p11/library_fork.h"

#include "p11/trace.h"

bool library_fork_inherits(const struct client_config *config)
{
    return config->fork_policy == CLIENT_FORK_INHERIT;
}

void library_fork_carry_login(struct library *child, const struct library *parent)
{
    child->shares_application = true;
    child->owned.home = parent->owned.home;
    memcpy(child->application, parent->application, sizeof child->application);
    for (const struct slot *old = parent->slots.first; old != NULL; old = old->next) {
        struct slot *slot = slot_table_get(&child->slots, old->id);
        if (slot == NULL || old->ticket == NULL)
            continue;
        struct ticket *copy = NULL;
        if (ticket_new(secret_expose(&old->ticket->content), &copy) != RC_OK)
            continue;
        if (slot_login(slot, old->role, old->user, copy) != RC_OK)
            ticket_unref(copy);
    }
}

/* One session with the parent's handle. */
static enum rc carry_session(struct library *child, const struct session *old)
{
    struct slot *slot = slot_table_get(&child->slots, old->slot->id);
    if (slot == NULL)
        return RC_NO_MEMORY;
    if (slot_session_add(slot, session_is_read_only(old)) != RC_OK)
        return RC_OK;
    session_reopen(&child->sessions, slot, old);
    return RC_OK;
}

enum rc library_fork_carry_sessions(struct library *child, const struct library *parent)
{
    TRY(session_table_grow_like(&child->sessions, &parent->sessions));
    for (size_t c = 0; c < SESSION_CHUNKS; c++) {
        const struct session *chunk = atomic_load(&parent->sessions.chunks[c]);
        if (chunk == NULL)
            break;
        for (size_t i = 0; i < SESSION_CHUNK; i++)
            if (chunk[i].handle != 0 && chunk[i].slot != NULL)
                TRY(carry_session(child, &chunk[i]));
    }
    session_table_relink(&child->sessions);
    return RC_OK;
}

void library_fork_abandon(struct library *parent)
{
    if (parent->rpc != NULL)
        rpc_client_abandon(parent->rpc);
    parent->rpc = NULL;
    trace_close(parent->trace_fd);
    parent->trace_fd = -1;
    for (struct slot *slot = parent->slots.first; slot != NULL; slot = slot->next)
        if (slot->ticket != NULL)
            secret_wipe(slot->ticket->content.ptr, slot->ticket->content.len);
}

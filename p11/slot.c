/* SPDX-License-Identifier: Apache-2.0 */
#include "p11/slot.h"

#include <stdio.h>
#include <stdlib.h>

void slot_table_init(struct slot_table *table)
{
    (void)pthread_mutex_init(&table->lock, NULL);
    table->first = NULL;
}

void slot_table_clear(struct slot_table *table)
{
    while (table->first != NULL) {
        struct slot *slot = table->first;
        table->first = slot->next;
        ticket_unref(slot->ticket);
        (void)pthread_mutex_destroy(&slot->lock);
        free(slot);
    }
}

static struct slot *slot_new(CK_SLOT_ID id)
{
    struct slot *slot = calloc(1, sizeof *slot);
    if (slot == NULL)
        return NULL;
    slot->id = id;
    slot->role = ROLE_NONE;
    (void)pthread_mutex_init(&slot->lock, NULL);
    return slot;
}

struct slot *slot_table_get(struct slot_table *table, CK_SLOT_ID id)
{
    (void)pthread_mutex_lock(&table->lock);
    struct slot *slot = table->first;
    while (slot != NULL && slot->id != id)
        slot = slot->next;
    if (slot == NULL) {
        slot = slot_new(id);
        if (slot != NULL) {
            slot->next = table->first;
            table->first = slot;
        }
    }
    (void)pthread_mutex_unlock(&table->lock);
    return slot;
}

enum rc slot_session_add(struct slot *slot, bool read_only)
{
    enum rc rc = RC_OK;
    (void)pthread_mutex_lock(&slot->lock);
    if (read_only && slot->role == ROLE_SO) {
        rc = RC_SESSION_RW_SO_EXISTS;
    } else {
        slot->sessions++;
        slot->read_only_sessions += read_only ? 1U : 0U;
    }
    (void)pthread_mutex_unlock(&slot->lock);
    return rc;
}

/* With the lock held; gives the ticket up to the caller. */
static struct ticket *forget_login(struct slot *slot)
{
    struct ticket *ticket = slot->ticket;
    slot->ticket = NULL;
    slot->role = ROLE_NONE;
    return ticket;
}

bool slot_session_remove(struct slot *slot, bool read_only)
{
    struct ticket *dropped = NULL;
    (void)pthread_mutex_lock(&slot->lock);
    slot->sessions--;
    slot->read_only_sessions -= read_only ? 1U : 0U;
    if (slot->sessions == 0)
        dropped = forget_login(slot);
    (void)pthread_mutex_unlock(&slot->lock);
    ticket_unref(dropped);
    return dropped != NULL;
}

enum rc slot_check_no_session(struct slot *slot)
{
    (void)pthread_mutex_lock(&slot->lock);
    unsigned sessions = slot->sessions;
    (void)pthread_mutex_unlock(&slot->lock);
    return sessions == 0 ? RC_OK : RC_SESSION_EXISTS;
}

enum user_role slot_role(struct slot *slot)
{
    (void)pthread_mutex_lock(&slot->lock);
    enum user_role role = slot->role;
    (void)pthread_mutex_unlock(&slot->lock);
    return role;
}

struct ticket *slot_ticket(struct slot *slot)
{
    (void)pthread_mutex_lock(&slot->lock);
    struct ticket *ticket = ticket_ref(slot->ticket);
    (void)pthread_mutex_unlock(&slot->lock);
    return ticket;
}

static enum rc login_allowed(const struct slot *slot, enum user_role role)
{
    if (slot->role == role)
        return RC_ALREADY_LOGGED_IN;
    if (slot->role != ROLE_NONE)
        return RC_OTHER_LOGGED_IN;
    if (role == ROLE_SO && slot->read_only_sessions > 0)
        return RC_SESSION_READ_ONLY_EXISTS;
    return RC_OK;
}

enum rc slot_check_login(struct slot *slot, enum user_role role)
{
    (void)pthread_mutex_lock(&slot->lock);
    enum rc rc = login_allowed(slot, role);
    (void)pthread_mutex_unlock(&slot->lock);
    return rc;
}

enum rc slot_login(struct slot *slot, enum user_role role, const char *user, struct ticket *ticket)
{
    (void)pthread_mutex_lock(&slot->lock);
    enum rc rc = login_allowed(slot, role);
    if (rc == RC_OK) {
        slot->role = role;
        slot->ticket = ticket;
        (void)snprintf(slot->user, sizeof slot->user, "%s", user);
    }
    (void)pthread_mutex_unlock(&slot->lock);
    return rc;
}

void slot_user(struct slot *slot, char out[SLOT_USER_ROOM])
{
    (void)pthread_mutex_lock(&slot->lock);
    memcpy(out, slot->user, SLOT_USER_ROOM);
    (void)pthread_mutex_unlock(&slot->lock);
}

void slot_ticket_replace(struct slot *slot, struct ticket *ticket)
{
    (void)pthread_mutex_lock(&slot->lock);
    struct ticket *old = ticket;
    if (slot->role != ROLE_NONE) {
        old = slot->ticket;
        slot->ticket = ticket;
    }
    (void)pthread_mutex_unlock(&slot->lock);
    ticket_unref(old);
}

enum rc slot_logout(struct slot *slot)
{
    (void)pthread_mutex_lock(&slot->lock);
    struct ticket *dropped = forget_login(slot);
    (void)pthread_mutex_unlock(&slot->lock);
    ticket_unref(dropped);
    return dropped == NULL ? RC_NOT_LOGGED_IN : RC_OK;
}

bool slot_ticket_void(struct slot *slot, const struct ticket *ticket)
{
    struct ticket *dropped = NULL;
    (void)pthread_mutex_lock(&slot->lock);
    if (slot->ticket == ticket)
        dropped = forget_login(slot);
    (void)pthread_mutex_unlock(&slot->lock);
    ticket_unref(dropped);
    return dropped != NULL;
}

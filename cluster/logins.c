/* SPDX-License-Identifier: Apache-2.0 */
/* The list of connections that are logged in. The lock is taken when a connection's login changes,
 * not for each request. */
#include "cluster/logins.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>

#include "common/log.h"

struct logins {
    pthread_mutex_t lock; /* for all below, and the notes in the list */
    struct login_note *first;
};

enum rc logins_new(struct logins **out)
{
    struct logins *logins = calloc(1, sizeof *logins);
    if (logins == NULL)
        return RC_NO_MEMORY;
    (void)pthread_mutex_init(&logins->lock, NULL);
    *out = logins;
    return RC_OK;
}

void logins_free(struct logins *logins)
{
    if (logins == NULL)
        return;
    (void)pthread_mutex_destroy(&logins->lock);
    free(logins);
}

/* ---- with the lock held */

static void take_out(struct logins *logins, struct login_note *note)
{
    if (!atomic_load_explicit(&note->is_noted, memory_order_relaxed))
        return;
    if (note->previous != NULL)
        note->previous->next = note->next;
    else
        logins->first = note->next;
    if (note->next != NULL)
        note->next->previous = note->previous;
    atomic_store_explicit(&note->is_noted, false, memory_order_relaxed);
}

static void put_in(struct logins *logins, struct login_note *note)
{
    if (atomic_load_explicit(&note->is_noted, memory_order_relaxed))
        return;
    note->previous = NULL;
    note->next = logins->first;
    if (logins->first != NULL)
        logins->first->previous = note;
    logins->first = note;
    atomic_store_explicit(&note->is_noted, true, memory_order_relaxed);
}

/* A changed PIN, a disabled user or time may have ended it since. */
static bool holds(const struct state *state, const struct ticket *ticket, uint64_t now_ms)
{
    return (ticket->expires_ms == 0 || now_ms < ticket->expires_ms) &&
           state_login_holds(state, ticket->token, ticket->token_epoch, ticket->user_id,
                             ticket->user_version);
}

/* ---- without */

void logins_note(struct logins *logins, struct login_note *note, const struct ticket *ticket,
                 const char *peer, uint64_t now_ms)
{
    (void)pthread_mutex_lock(&logins->lock);
    note->ticket = *ticket;
    note->peer = peer;
    note->since_ms = now_ms;
    put_in(logins, note);
    (void)pthread_mutex_unlock(&logins->lock);
}

void logins_forget(struct logins *logins, struct login_note *note)
{
    (void)pthread_mutex_lock(&logins->lock);
    take_out(logins, note);
    (void)pthread_mutex_unlock(&logins->lock);
}

void logins_end(struct logins *logins, const struct ticket *login)
{
    const size_t len = sizeof login->application;
    (void)pthread_mutex_lock(&logins->lock);
    for (struct login_note *note = logins->first; note != NULL;) {
        struct login_note *next = note->next;
        if (note->ticket.user_id == login->user_id &&
            bytes_equal(bytes_of(note->ticket.application, len), bytes_of(login->application, len)))
            take_out(logins, note);
        note = next;
    }
    (void)pthread_mutex_unlock(&logins->lock);
}

uint32_t logins_count(struct logins *logins, const struct state *state, uint64_t user_id,
                      uint64_t now_ms)
{
    uint32_t count = 0;
    (void)pthread_mutex_lock(&logins->lock);
    for (const struct login_note *note = logins->first; note != NULL; note = note->next) {
        if (note->ticket.user_id != user_id || !holds(state, &note->ticket, now_ms))
            continue;
        count++;
        log_info("user_in_use", "slot=%" PRIu64 " user=%s peer=%s for_ms=%" PRIu64,
                 note->ticket.token, note->ticket.user, note->peer, now_ms - note->since_ms);
    }
    (void)pthread_mutex_unlock(&logins->lock);
    return count;
}

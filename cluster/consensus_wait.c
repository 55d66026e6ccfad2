/* SPDX-License-Identifier: Apache-2.0 */
/* Who waits for an index of the state: a heap, lowest index first, so that applying costs what is
 * answered and no more. */
#include <stdlib.h>

#include "cluster/consensus_internal.h"

#define WAITS_MAX  65536U
#define FIRST_ROOM 64U
#define MS_NS      ((uint64_t)1000 * 1000)

/* ---- the heap; the waits' lock is held */

static void swap(struct applied_wait *a, struct applied_wait *b)
{
    struct applied_wait kept = *a;
    *a = *b;
    *b = kept;
}

static void sift_up(struct applied_waits *waits, size_t at)
{
    while (at > 0 && waits->items[at].index < waits->items[(at - 1) / 2].index) {
        swap(&waits->items[at], &waits->items[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
}

static void sift_down(struct applied_waits *waits, size_t at)
{
    for (;;) {
        size_t least = at;
        for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < waits->count; child++)
            if (waits->items[child].index < waits->items[least].index)
                least = child;
        if (least == at)
            return;
        swap(&waits->items[at], &waits->items[least]);
        at = least;
    }
}

static enum rc make_room(struct applied_waits *waits)
{
    if (waits->count < waits->room)
        return RC_OK;
    if (waits->count >= WAITS_MAX)
        return rc_fail(RC_OVERLOADED, "%u requests wait for changes already", WAITS_MAX);
    size_t room = waits->room > 0 ? 2 * waits->room : FIRST_ROOM;
    struct applied_wait *items = reallocarray(waits->items, room, sizeof *items);
    if (items == NULL)
        return RC_NO_MEMORY;
    waits->items = items;
    waits->room = room;
    return RC_OK;
}

static enum rc push(struct applied_waits *waits, const struct applied_wait *wait)
{
    TRY(make_room(waits));
    if (waits->count == 0 || wait->expires_ms < waits->earliest_ms)
        waits->earliest_ms = wait->expires_ms;
    waits->items[waits->count++] = *wait;
    sift_up(waits, waits->count - 1);
    return RC_OK;
}

static void remove_at(struct applied_waits *waits, size_t at)
{
    waits->items[at] = waits->items[--waits->count];
    if (at >= waits->count)
        return;
    sift_up(waits, at);
    sift_down(waits, at);
}

/* ---- asking: any thread */

enum rc consensus_when_applied(struct consensus *consensus, uint64_t index, uint64_t expires_ms,
                               consensus_read done, void *context)
{
    struct applied_waits *waits = &consensus->waits;
    const struct applied_wait wait = {index, expires_ms, done, context};
    enum rc rc = RC_OK;
    (void)pthread_mutex_lock(&waits->lock);
    uint64_t applied = state_applied(consensus->state);
    bool is_there = applied >= index;
    if (!is_there)
        rc = waits->closed ? rc_fail(RC_UNAVAILABLE, "the HSM is stopping") : push(waits, &wait);
    (void)pthread_mutex_unlock(&waits->lock);
    if (is_there)
        done(context, RC_OK, applied);
    return rc;
}

/* ---- answering: the consensus thread */

void waits_note(struct consensus *consensus)
{
    struct applied_waits *waits = &consensus->waits;
    uint64_t applied = state_applied(consensus->state);
    (void)pthread_mutex_lock(&waits->lock);
    while (waits->count > 0 && waits->items[0].index <= applied) {
        struct applied_wait wait = waits->items[0];
        remove_at(waits, 0);
        (void)pthread_mutex_unlock(&waits->lock);
        wait.done(wait.context, RC_OK, applied);
        (void)pthread_mutex_lock(&waits->lock);
    }
    (void)pthread_mutex_unlock(&waits->lock);
}

/* One that is over, and when the next one will be. */
static bool take_expired(struct applied_waits *waits, uint64_t now_ms, struct applied_wait *out)
{
    uint64_t earliest = UINT64_MAX;
    if (waits->count == 0 || now_ms < waits->earliest_ms)
        return false;
    for (size_t i = 0; i < waits->count; i++) {
        if (waits->items[i].expires_ms <= now_ms) {
            *out = waits->items[i];
            remove_at(waits, i);
            return true;
        }
        if (waits->items[i].expires_ms < earliest)
            earliest = waits->items[i].expires_ms;
    }
    waits->earliest_ms = earliest;
    return false;
}

static void end(struct consensus *consensus, uint64_t now_ms, enum rc rc, const char *why)
{
    struct applied_waits *waits = &consensus->waits;
    struct applied_wait wait;
    (void)pthread_mutex_lock(&waits->lock);
    while (take_expired(waits, now_ms, &wait)) {
        (void)pthread_mutex_unlock(&waits->lock);
        wait.done(wait.context, rc_fail(rc, "%s", why), state_applied(consensus->state));
        (void)pthread_mutex_lock(&waits->lock);
    }
    (void)pthread_mutex_unlock(&waits->lock);
}

void waits_expire(struct consensus *consensus)
{
    end(consensus, uv_hrtime() / MS_NS, RC_DEADLINE,
        "this HSM has not applied the change in time: it is behind its peers");
}

void waits_close(struct consensus *consensus)
{
    (void)pthread_mutex_lock(&consensus->waits.lock);
    consensus->waits.closed = true;
    consensus->waits.earliest_ms = 0;
    (void)pthread_mutex_unlock(&consensus->waits.lock);
    end(consensus, UINT64_MAX, RC_UNAVAILABLE, "the HSM is stopping");
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Connections under way. libmicrohttpd ends those that say nothing; here those end that say too
 * little for too long, or stand in the way of a new one. */
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

#include "common/log.h"
#include "common/thread.h"
#include "kms/server_internal.h"

#define TICK_MS   250U
#define ANSWER_MS 30000U

struct server_watch {
    pthread_mutex_t lock;
    pthread_cond_t stop_asked;
    pthread_t thread;
    bool is_stopping;
    struct caller callers; /* ring */
    size_t count, count_max;
    size_t ended; /* of them: they make room already */
    uint64_t idle_ms, request_ms;
};

static uint64_t now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void server_watch_state(struct caller *caller, enum caller_state state)
{
    atomic_store(&caller->since_ms, now_ms());
    atomic_store(&caller->state, (int)state);
}

void server_watch_accepted(struct caller *caller)
{
    atomic_store(&caller->accepted_ms, now_ms());
}

static bool is_too_long(const struct server_watch *watch, struct caller *caller, uint64_t now)
{
    uint64_t since = atomic_load(&caller->since_ms);
    uint64_t age = now > since ? now - since : 0;
    switch ((enum caller_state)atomic_load(&caller->state)) {
    case CALLER_WAITING:
        return age > watch->idle_ms + watch->request_ms;
    case CALLER_READING:
        return age > watch->request_ms;
    case CALLER_ANSWERING:
        return age > ANSWER_MS;
    case CALLER_WORKING:
        return false;
    }
    return false;
}

static void end(struct server_watch *watch, struct caller *caller, const char *reason)
{
    watch->ended += caller->is_ended ? 0 : 1;
    caller->is_ended = true;
    if (log_admits())
        log_info("caller_ended", "peer=%s reason=\"%s\"", caller->peer, reason);
    (void)shutdown(caller->fd, SHUT_RDWR);
    server_watch_state(caller, CALLER_WORKING); /* once */
}

static bool may_give_way(struct caller *caller)
{
    int state = atomic_load(&caller->state);
    return !caller->is_ended && (state == CALLER_WAITING || state == CALLER_READING);
}

static void make_room(struct server_watch *watch)
{
    struct caller *oldest = NULL;
    for (struct caller *one = watch->callers.next; one != &watch->callers; one = one->next)
        if (may_give_way(one) &&
            (oldest == NULL || atomic_load(&one->accepted_ms) < atomic_load(&oldest->accepted_ms)))
            oldest = one;
    if (oldest != NULL)
        end(watch, oldest, "no room");
}

static void end_slow_ones(struct server_watch *watch)
{
    uint64_t now = now_ms();
    for (struct caller *one = watch->callers.next; one != &watch->callers; one = one->next)
        if (is_too_long(watch, one, now))
            end(watch, one, "too slow");
}

static void *run(void *context)
{
    struct server_watch *watch = context;
    (void)pthread_mutex_lock(&watch->lock);
    while (!watch->is_stopping) {
        struct timespec until;
        (void)clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += (long)TICK_MS * 1000000;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        (void)pthread_cond_timedwait(&watch->stop_asked, &watch->lock, &until);
        end_slow_ones(watch);
    }
    (void)pthread_mutex_unlock(&watch->lock);
    return NULL;
}

enum rc server_watch_new(const struct kms_config *config, struct server_watch **out)
{
    struct server_watch *watch = calloc(1, sizeof *watch);
    if (watch == NULL)
        return RC_NO_MEMORY;
    watch->callers.next = watch->callers.previous = &watch->callers;
    watch->count_max = config->connections_max;
    watch->idle_ms = (uint64_t)config->idle_timeout_s * 1000;
    watch->request_ms = (uint64_t)config->request_timeout_s * 1000;
    (void)pthread_mutex_init(&watch->lock, NULL);
    thread_cond_init(&watch->stop_asked);
    if (pthread_create(&watch->thread, NULL, run, watch) != 0) {
        free(watch);
        return rc_fail(RC_NO_MEMORY, "no thread for the watch of connections");
    }
    *out = watch;
    return RC_OK;
}

void server_watch_free(struct server_watch *watch)
{
    if (watch == NULL)
        return;
    (void)pthread_mutex_lock(&watch->lock);
    watch->is_stopping = true;
    (void)pthread_cond_signal(&watch->stop_asked);
    (void)pthread_mutex_unlock(&watch->lock);
    (void)pthread_join(watch->thread, NULL);
    (void)pthread_cond_destroy(&watch->stop_asked);
    (void)pthread_mutex_destroy(&watch->lock);
    free(watch);
}

void server_watch_add(struct server_watch *watch, struct caller *caller)
{
    server_watch_state(caller, CALLER_WAITING);
    server_watch_accepted(caller);
    (void)pthread_mutex_lock(&watch->lock);
    if (watch->count - watch->ended >= watch->count_max)
        make_room(watch);
    caller->next = &watch->callers;
    caller->previous = watch->callers.previous;
    caller->previous->next = caller;
    watch->callers.previous = caller;
    watch->count++;
    (void)pthread_mutex_unlock(&watch->lock);
}

void server_watch_remove(struct server_watch *watch, struct caller *caller)
{
    (void)pthread_mutex_lock(&watch->lock);
    caller->previous->next = caller->next;
    caller->next->previous = caller->previous;
    watch->count--;
    watch->ended -= caller->is_ended ? 1 : 0;
    (void)pthread_mutex_unlock(&watch->lock);
}

size_t server_watch_busy(struct server_watch *watch)
{
    size_t busy = 0;
    (void)pthread_mutex_lock(&watch->lock);
    for (struct caller *one = watch->callers.next; one != &watch->callers; one = one->next)
        busy += atomic_load(&one->state) != CALLER_WAITING;
    (void)pthread_mutex_unlock(&watch->lock);
    return busy;
}

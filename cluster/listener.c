/* SPDX-License-Identifier: Apache-2.0 */
/* Accepting connections. */
#include "cluster/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cluster/admission.h"
#include "cluster/listener_bind.h"
#include "cluster/operations.h"
#include "common/log.h"
#include "common/thread.h"

#define ACCEPTS_MAX  64U /* in one turn */
#define REFUSALS_MAX 16U /* connections over the limit that are told so */
#define CHORES_MS    100U
#define EXPIRE_EVERY 10U /* chores */

struct door {
    struct listener *listener;
    uv_poll_t poll;
    int fd;
    bool is_unix;
};

struct listener {
    struct service *service;
    struct worker *const *workers;
    size_t worker_count;
    pthread_t thread;
    bool is_started, has_loop;
    uv_loop_t loop;
    uv_async_t stop;
    uv_timer_t chores;
    unsigned chore;
    pthread_mutex_t lock;
    SSL_CTX *tls;
    int reserve; /* given up to accept and close when descriptors run out */
    size_t door_count;
    struct door doors[LISTENER_SOCKETS_MAX + 1];
};

/* ---- accepting */

static struct worker *least_loaded(const struct listener *listener)
{
    struct worker *best = listener->workers[0];
    for (size_t i = 1; i < listener->worker_count; i++)
        if (worker_load(listener->workers[i]) < worker_load(best))
            best = listener->workers[i];
    return best;
}

static SSL *new_ssl(struct listener *listener)
{
    (void)pthread_mutex_lock(&listener->lock);
    SSL *ssl = listener->tls == NULL ? NULL : SSL_new(listener->tls);
    (void)pthread_mutex_unlock(&listener->lock);
    return ssl;
}

static void welcome(struct listener *listener, int fd, bool is_unix)
{
    struct service *service = listener->service;
    uint64_t before = atomic_fetch_add(&service->connections, 1);
    size_t limit = atomic_load(&service->limits.connections_max);
    struct arrival arrival = {.fd = fd, .is_unix = is_unix, .refuse = before >= limit};
    bool fits = before < limit + REFUSALS_MAX;
    if (fits && !is_unix)
        arrival.ssl = new_ssl(listener);
    if (arrival.refuse)
        log_warn("connection_refused", "connections=%zu limit=%zu", (size_t)before, limit);
    if (fits && (is_unix || arrival.ssl != NULL) &&
        worker_give(least_loaded(listener), &arrival) == RC_OK)
        return;
    SSL_free(arrival.ssl);
    (void)close(fd);
    atomic_fetch_sub(&service->connections, 1);
}

/* Without a descriptor to accept with, the connection would stay in the queue and wake us for
 * ever. */
static void shed(struct listener *listener, const struct door *door)
{
    log_warn("connection_refused", "error=\"%s\"", strerror(errno));
    if (listener->reserve >= 0)
        (void)close(listener->reserve);
    int fd = accept4(door->fd, NULL, NULL, SOCK_CLOEXEC);
    if (fd >= 0)
        (void)close(fd);
    listener->reserve = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void knocked(uv_poll_t *poll, int status, int events)
{
    struct door *door = poll->data;
    (void)events;
    if (status < 0)
        return;
    for (unsigned i = 0; i < ACCEPTS_MAX; i++) {
        int fd = accept4(door->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            welcome(door->listener, fd, door->is_unix);
            continue;
        }
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
            shed(door->listener, door);
        if (errno != EINTR && errno != ECONNABORTED)
            return;
    }
}

/* ---- chores */

static void do_chores(uv_timer_t *timer)
{
    struct listener *listener = timer->data;
    struct service *service = listener->service;
    admission_refresh(service);
    if (++listener->chore % EXPIRE_EVERY != 0)
        return;
    session_objects_expire(service->hsm->sessions, clock_wall_ms(),
                           atomic_load(&service->limits.session_grace_ms));
    operations_expire(service->operations, clock_steady_ms(),
                      atomic_load(&service->limits.operation_idle_ms));
}

/* ---- life */

static void stopped(uv_async_t *stop)
{
    struct listener *listener = stop->data;
    for (size_t i = 0; i < listener->door_count; i++)
        uv_close((uv_handle_t *)&listener->doors[i].poll, NULL);
    uv_close((uv_handle_t *)&listener->chores, NULL);
    uv_close((uv_handle_t *)&listener->stop, NULL);
}

static void *listener_run(void *context)
{
    struct listener *listener = context;
    (void)uv_run(&listener->loop, UV_RUN_DEFAULT);
    return NULL;
}

static void add_doors(struct listener *listener, const struct listener_sockets *sockets)
{
    for (size_t i = 0; i < sockets->count; i++)
        listener->doors[listener->door_count++] =
            (struct door){.listener = listener, .fd = sockets->fds[i], .is_unix = false};
    if (sockets->unix_fd >= 0)
        listener->doors[listener->door_count++] =
            (struct door){.listener = listener, .fd = sockets->unix_fd, .is_unix = true};
}

enum rc listener_new(struct service *service, struct worker *const *workers, size_t worker_count,
                     SSL_CTX *tls, struct listener **out)
{
    struct listener_sockets sockets;
    TRY(listener_bind(service->config, &sockets));
    struct listener *listener = calloc(1, sizeof *listener);
    if (listener == NULL) {
        listener_unbind(service->config, &sockets);
        return RC_NO_MEMORY;
    }
    listener->service = service;
    listener->workers = workers;
    listener->worker_count = worker_count;
    listener->tls = tls;
    if (tls != NULL)
        (void)SSL_CTX_up_ref(tls);
    (void)pthread_mutex_init(&listener->lock, NULL);
    listener->reserve = open("/dev/null", O_RDONLY | O_CLOEXEC);
    add_doors(listener, &sockets);
    *out = listener;
    return RC_OK;
}

enum rc listener_start(struct listener *listener)
{
    if (uv_loop_init(&listener->loop) != 0)
        return rc_fail(RC_NO_MEMORY, "loop of the acceptor");
    listener->has_loop = true;
    (void)uv_async_init(&listener->loop, &listener->stop, stopped);
    (void)uv_timer_init(&listener->loop, &listener->chores);
    listener->stop.data = listener;
    listener->chores.data = listener;
    (void)uv_timer_start(&listener->chores, do_chores, CHORES_MS, CHORES_MS);
    for (size_t i = 0; i < listener->door_count; i++) {
        struct door *door = &listener->doors[i];
        door->poll.data = door;
        if (uv_poll_init(&listener->loop, &door->poll, door->fd) != 0 ||
            uv_poll_start(&door->poll, UV_READABLE, knocked) != 0)
            return rc_fail(RC_IO, "cannot wait for connections");
    }
    TRY(thread_start(&listener->thread, "qhsmd-accept", listener_run, listener));
    listener->is_started = true;
    return RC_OK;
}

void listener_set_tls(struct listener *listener, SSL_CTX *tls)
{
    (void)pthread_mutex_lock(&listener->lock);
    SSL_CTX *old = listener->tls;
    listener->tls = tls;
    (void)pthread_mutex_unlock(&listener->lock);
    SSL_CTX_free(old);
}

unsigned listener_port(const struct listener *listener)
{
    for (size_t i = 0; i < listener->door_count; i++)
        if (!listener->doors[i].is_unix)
            return listener_bound_port(listener->doors[i].fd);
    return 0;
}

void listener_free(struct listener *listener)
{
    if (listener == NULL)
        return;
    if (listener->is_started) {
        (void)uv_async_send(&listener->stop);
        (void)pthread_join(listener->thread, NULL);
    }
    struct listener_sockets sockets = {.unix_fd = -1};
    for (size_t i = 0; i < listener->door_count; i++) {
        if (listener->doors[i].is_unix)
            sockets.unix_fd = listener->doors[i].fd;
        else
            sockets.fds[sockets.count++] = listener->doors[i].fd;
    }
    listener_unbind(listener->service->config, &sockets);
    if (listener->has_loop && uv_loop_close(&listener->loop) != 0)
        log_debug("loop_not_closed", "loop=accept");
    if (listener->reserve >= 0)
        (void)close(listener->reserve);
    SSL_CTX_free(listener->tls);
    (void)pthread_mutex_destroy(&listener->lock);
    free(listener);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The pool: lists under one mutex. */
#include "rpc/client_pool.h"

#include <stdio.h>
#include <stdlib.h>

#define BACKOFF_FIRST_MS 100UL
#define BACKOFF_MAX_MS   10000UL
#define DOUBLINGS_MAX    8U

static void lock(struct client_pool *pool)
{
    (void)pthread_mutex_lock(&pool->mutex);
}

static void unlock(struct client_pool *pool)
{
    (void)pthread_mutex_unlock(&pool->mutex);
}

static bool is_own_zone(const struct endpoint *endpoint, const char *zone)
{
    return zone != NULL && endpoint->zone != NULL && strcmp(endpoint->zone, zone) == 0;
}

static enum rc add_endpoints(struct client_pool *pool, const struct client_config *config,
                             bool own_zone)
{
    for (size_t i = 0; i < config->endpoints.count; i++) {
        struct endpoint endpoint;
        TRY(endpoint_parse(config->endpoints.items[i], &endpoint));
        if (is_own_zone(&endpoint, config->zone) == own_zone)
            pool->endpoints[pool->endpoint_count++].endpoint = endpoint;
        else
            endpoint_clear(&endpoint);
    }
    return RC_OK;
}

static enum rc init_conns(struct client_pool *pool, size_t count)
{
    pool->conns = calloc(count, sizeof *pool->conns);
    pool->arenas = calloc(count, sizeof *pool->arenas);
    if (pool->conns == NULL || pool->arenas == NULL)
        return RC_NO_MEMORY;
    pool->conn_count = count;
    for (size_t i = count; i-- > 0;) {
        client_conn_init(&pool->conns[i]);
        pool->conns[i].next = pool->free;
        pool->free = &pool->conns[i];
    }
    return RC_OK;
}

static enum rc init_lists(struct client_pool *pool, const struct client_config *config)
{
    size_t count = config->endpoints.count;
    if (count == 0 || count > POOL_ENDPOINTS_MAX)
        return rc_fail(RC_CONFIG, "%zu endpoints, 1 to %u are possible", count, POOL_ENDPOINTS_MAX);
    pool->endpoints = calloc(count, sizeof *pool->endpoints);
    if (pool->endpoints == NULL)
        return RC_NO_MEMORY;
    TRY(add_endpoints(pool, config, true));
    TRY(add_endpoints(pool, config, false));
    return init_conns(pool, config->pool_max > 0 ? config->pool_max : 1);
}

enum rc client_pool_init(struct client_pool *pool, const struct client_config *config)
{
    *pool = (struct client_pool){.waiting = 0};
    pthread_condattr_t attributes;
    (void)pthread_mutex_init(&pool->mutex, NULL);
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&pool->freed, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    enum rc rc = init_lists(pool, config);
    if (rc != RC_OK)
        client_pool_clear(pool);
    return rc;
}

void client_pool_clear(struct client_pool *pool)
{
    for (size_t i = 0; i < pool->conn_count; i++)
        client_conn_clear(&pool->conns[i]);
    for (size_t i = 0; i < pool->endpoint_count; i++)
        endpoint_clear(&pool->endpoints[i].endpoint);
    for (size_t i = 0; i < pool->arena_count; i++)
        arena_free(pool->arenas[i]);
    free(pool->conns);
    free(pool->endpoints);
    free(pool->arenas);
    (void)pthread_cond_destroy(&pool->freed);
    (void)pthread_mutex_destroy(&pool->mutex);
}

void client_pool_abandon(struct client_pool *pool)
{
    for (size_t i = 0; i < pool->conn_count; i++)
        endpoint_close(&pool->conns[i].fd);
}

static bool is_wanted(const struct pool_endpoint *endpoint, size_t index,
                      const struct pool_wish *wish)
{
    if ((wish->tried >> index & 1) != 0)
        return false;
    return wish->node == 0 || endpoint->node == 0 || endpoint->node == wish->node;
}

/* Closed afterwards, outside the mutex, by whoever opens it anew. */
static struct client_conn *evict(struct client_pool *pool)
{
    for (size_t i = pool->endpoint_count; i-- > 0;) {
        struct client_conn *conn = pool->endpoints[i].idle;
        if (conn != NULL) {
            pool->endpoints[i].idle = conn->next;
            return conn;
        }
    }
    return NULL;
}

static struct client_conn *take_unused(struct client_pool *pool)
{
    struct client_conn *conn = pool->free;
    if (conn == NULL)
        return evict(pool);
    pool->free = conn->next;
    return conn;
}

static bool any_idle(const struct client_pool *pool, const struct pool_wish *wish)
{
    for (size_t i = 0; i < pool->endpoint_count; i++)
        if (pool->endpoints[i].idle != NULL && is_wanted(&pool->endpoints[i], i, wish))
            return true;
    return false;
}

static unsigned long backoff_ms(unsigned failures)
{
    unsigned doublings = failures > DOUBLINGS_MAX ? DOUBLINGS_MAX : failures;
    unsigned long ms = BACKOFF_FIRST_MS << doublings;
    return ms < BACKOFF_MAX_MS ? ms : BACKOFF_MAX_MS;
}

/* A connection of one endpoint: idle, or to be opened. */
static struct client_conn *take_from(struct client_pool *pool, unsigned index,
                                     struct pool_wish *wish)
{
    struct pool_endpoint *endpoint = &pool->endpoints[index];
    struct client_conn *conn = endpoint->idle;
    if (conn != NULL) {
        endpoint->idle = conn->next;
        return conn;
    }
    wish->is_probe = endpoint->failures > 0 && any_idle(pool, wish);
    conn = take_unused(pool);
    if (conn == NULL)
        return NULL;
    conn->endpoint = index;
    conn->is_stranger = true;
    if (endpoint->failures > 0) /* one caller tries, the others go elsewhere meanwhile */
        endpoint->retry_at = clock_after_ms(clock_now(), backoff_ms(endpoint->failures));
    return conn;
}

/* The best endpoint that may be tried, or endpoint_count. */
static size_t choose(const struct client_pool *pool, const struct pool_wish *wish)
{
    size_t resting = pool->endpoint_count;
    instant now = 0;
    for (size_t i = 0; i < pool->endpoint_count; i++) {
        const struct pool_endpoint *endpoint = &pool->endpoints[i];
        if (!is_wanted(endpoint, i, wish))
            continue;
        if (endpoint->idle != NULL || endpoint->failures == 0)
            return i;
        if (now == 0)
            now = clock_now();
        if (now >= endpoint->retry_at)
            return i;
        if (resting == pool->endpoint_count)
            resting = i;
    }
    return resting;
}

static bool wait_freed(struct client_pool *pool, instant deadline)
{
    struct timespec until = clock_timespec(deadline);
    pool->waiting++;
    int failed = pthread_cond_timedwait(&pool->freed, &pool->mutex, &until);
    pool->waiting--;
    return failed == 0;
}

static enum rc take_locked(struct client_pool *pool, struct pool_wish *wish,
                           struct client_conn **out)
{
    for (;;) {
        size_t index = choose(pool, wish);
        if (index == pool->endpoint_count)
            return RC_UNAVAILABLE;
        *out = take_from(pool, (unsigned)index, wish);
        if (*out != NULL)
            return RC_OK;
        if (!wait_freed(pool, wish->deadline))
            return rc_fail(RC_DEADLINE, "all %zu connections are in use (pool_max)",
                           pool->conn_count);
    }
}

enum rc client_pool_take(struct client_pool *pool, struct pool_wish *wish, struct client_conn **out)
{
    wish->is_probe = false;
    lock(pool);
    enum rc rc = take_locked(pool, wish, out);
    unlock(pool);
    if (rc == RC_UNAVAILABLE)
        return client_pool_unavailable(pool, wish->node);
    if (rc == RC_OK && (*out)->is_stranger) {
        client_conn_close(*out, true); /* an evicted one is still open */
        (*out)->is_stranger = false;
    }
    return rc;
}

void client_pool_give(struct client_pool *pool, struct client_conn *conn)
{
    bool is_open = atomic_load(&conn->fd) >= 0;
    lock(pool);
    struct client_conn **list = is_open ? &pool->endpoints[conn->endpoint].idle : &pool->free;
    conn->next = *list;
    *list = conn;
    bool wake = pool->waiting > 0;
    unlock(pool);
    if (wake)
        (void)pthread_cond_signal(&pool->freed);
}

void client_pool_succeeded(struct client_pool *pool, const struct client_conn *conn)
{
    lock(pool);
    struct pool_endpoint *endpoint = &pool->endpoints[conn->endpoint];
    endpoint->failures = 0;
    endpoint->node = conn->node;
    unlock(pool);
}

void client_pool_failed(struct client_pool *pool, unsigned index, enum rc rc)
{
    lock(pool);
    struct pool_endpoint *endpoint = &pool->endpoints[index];
    endpoint->retry_at = clock_after_ms(clock_now(), backoff_ms(endpoint->failures));
    endpoint->failures++;
    endpoint->rc = rc == RC_DEADLINE ? RC_UNAVAILABLE : rc; /* that of connecting, not the call's */
    (void)snprintf(endpoint->reason, sizeof endpoint->reason, "%s",
                   rc_detail()[0] != 0 ? rc_detail() : rc_info(rc)->text);
    unlock(pool);
}

void client_pool_flush(struct client_pool *pool, unsigned index)
{
    lock(pool);
    struct client_conn *list = pool->endpoints[index].idle;
    pool->endpoints[index].idle = NULL;
    unlock(pool);
    while (list != NULL) {
        struct client_conn *next = list->next;
        client_conn_close(list, false);
        client_pool_give(pool, list);
        list = next;
    }
}

enum rc client_pool_unavailable(struct client_pool *pool, uint64_t node)
{
    AUTO_BUF text = BUF_INIT;
    enum rc common = RC_OK;
    enum rc written = RC_OK;
    lock(pool);
    for (size_t i = 0; i < pool->endpoint_count && written == RC_OK; i++) {
        const struct pool_endpoint *endpoint = &pool->endpoints[i];
        if (node != 0 && endpoint->node != 0 && endpoint->node != node)
            continue;
        common = common == RC_OK || common == endpoint->rc ? endpoint->rc : RC_UNAVAILABLE;
        written = buf_printf(&text, "%s%s: %s", text.len > 0 ? "; " : "", endpoint->endpoint.text,
                             endpoint->reason);
    }
    unlock(pool);
    TRY(written);
    if (node != 0)
        return rc_fail(RC_UNAVAILABLE, "HSM %llu cannot be reached; %s", (unsigned long long)node,
                       buf_str(&text));
    return rc_fail(common == RC_OK ? RC_UNAVAILABLE : common, "%s", buf_str(&text));
}

enum rc client_pool_arena_take(struct client_pool *pool, struct arena **out)
{
    lock(pool);
    struct arena *arena = pool->arena_count > 0 ? pool->arenas[--pool->arena_count] : NULL;
    unlock(pool);
    if (arena == NULL)
        return arena_new(out);
    *out = arena;
    return RC_OK;
}

void client_pool_arena_give(struct client_pool *pool, struct arena *arena)
{
    arena_reset(arena);
    lock(pool);
    bool kept = pool->arena_count < pool->conn_count;
    if (kept)
        pool->arenas[pool->arena_count++] = arena;
    unlock(pool);
    if (!kept)
        arena_free(arena);
}

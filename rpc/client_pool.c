/* SPDX-License-Identifier: Apache-2.0 */
/* The pool: lists under one mutex. */
#include "rpc/client_pool.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/thread.h"

#define BACKOFF_FIRST_MS 100UL
#define BACKOFF_MAX_MS   5000UL
#define DOUBLINGS_MAX    8U
#define SLOW_MAX         3U

static void lock(struct client_pool *pool)
{
    (void)pthread_mutex_lock(&pool->mutex);
}

static void unlock(struct client_pool *pool)
{
    (void)pthread_mutex_unlock(&pool->mutex);
}

/* Without a zone of our own the order of the file is the order of preference. With one, a socket
 * of this machine comes before the network of the own zone, and that before the other zones. */
static unsigned rank_of(const struct endpoint *endpoint, const char *zone, size_t place)
{
    enum { RANK_HERE, RANK_OWN_ZONE, RANK_ELSEWHERE };
    if (zone == NULL)
        return (unsigned)place;
    bool own = endpoint->zone == NULL ? !endpoint->is_tcp : strcmp(endpoint->zone, zone) == 0;
    if (!own)
        return RANK_ELSEWHERE;
    return endpoint->is_tcp ? RANK_OWN_ZONE : RANK_HERE;
}

static enum rc add_endpoints(struct client_pool *pool, const struct client_config *config)
{
    for (size_t i = 0; i < config->endpoints.count; i++) {
        struct pool_endpoint *endpoint = &pool->endpoints[i];
        TRY(endpoint_parse(config->endpoints.items[i], &endpoint->endpoint));
        endpoint->rank = rank_of(&endpoint->endpoint, config->zone, i);
        pool->endpoint_count++;
    }
    return RC_OK;
}

static bool may_be_twins(const struct endpoint *a, const struct endpoint *b)
{
    return a->is_tcp != b->is_tcp && a->zone != NULL && b->zone != NULL &&
           strcmp(a->zone, b->zone) == 0;
}

static void find_twins(struct client_pool *pool)
{
    for (size_t i = 0; i < pool->endpoint_count; i++)
        for (size_t k = 0; k < pool->endpoint_count; k++)
            if (may_be_twins(&pool->endpoints[i].endpoint, &pool->endpoints[k].endpoint))
                pool->endpoints[i].twins |= (uint64_t)1 << k;
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
    TRY(add_endpoints(pool, config));
    find_twins(pool);
    return init_conns(pool, config->pool_max > 0 ? config->pool_max : 1);
}

enum rc client_pool_init(struct client_pool *pool, const struct client_config *config)
{
    *pool = (struct client_pool){.waiting = 0};
    (void)pthread_mutex_init(&pool->mutex, NULL);
    thread_cond_init(&pool->freed);
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

static uint64_t node_of(const struct pool_endpoint *endpoint)
{
    return atomic_load_explicit(&endpoint->node, memory_order_relaxed);
}

uint64_t client_pool_same(const struct client_pool *pool, unsigned index)
{
    const struct pool_endpoint *one = &pool->endpoints[index];
    uint64_t node = node_of(one);
    uint64_t same = (uint64_t)1 << index;
    for (size_t i = 0; i < pool->endpoint_count; i++) {
        uint64_t other = node_of(&pool->endpoints[i]);
        bool known = node != 0 && other != 0;
        if (known ? node == other : (one->twins >> i & 1) != 0)
            same |= (uint64_t)1 << i;
    }
    return same;
}

bool client_pool_has_other(const struct client_pool *pool, unsigned index, uint64_t tried)
{
    uint64_t all = ~(uint64_t)0 >> (POOL_ENDPOINTS_MAX - pool->endpoint_count);
    return (all & ~tried & ~client_pool_same(pool, index)) != 0;
}

static bool is_wanted(const struct pool_endpoint *endpoint, size_t index,
                      const struct pool_wish *wish)
{
    if ((wish->tried >> index & 1) != 0)
        return false;
    return wish->node == 0 || node_of(endpoint) == 0 || node_of(endpoint) == wish->node;
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

/* Does another endpoint answer, as far as is known? */
static bool any_other(const struct client_pool *pool, size_t index, const struct pool_wish *wish)
{
    for (size_t i = 0; i < pool->endpoint_count; i++)
        if (i != index && pool->endpoints[i].idle != NULL &&
            is_wanted(&pool->endpoints[i], i, wish))
            return true;
    return false;
}

static unsigned long backoff_ms(unsigned failures)
{
    unsigned doublings = failures > DOUBLINGS_MAX ? DOUBLINGS_MAX : failures;
    unsigned long ms = BACKOFF_FIRST_MS << doublings;
    return ms < BACKOFF_MAX_MS ? ms : BACKOFF_MAX_MS;
}

static enum pool_health health_of(const struct pool_endpoint *endpoint)
{
    return (enum pool_health)atomic_load_explicit(&endpoint->health, memory_order_relaxed);
}

/* A connection of one endpoint: idle, or to be opened. */
static struct client_conn *take_from(struct client_pool *pool, unsigned index,
                                     struct pool_wish *wish)
{
    struct pool_endpoint *endpoint = &pool->endpoints[index];
    struct client_conn *conn = endpoint->idle;
    wish->is_probe = health_of(endpoint) != POOL_WELL && any_other(pool, index, wish);
    if (conn != NULL && health_of(endpoint) != POOL_DOWN) {
        endpoint->idle = conn->next;
    } else { /* an open connection to who is down tells nothing for as long as it likes */
        conn = take_unused(pool);
        if (conn == NULL)
            return NULL;
        conn->is_stranger = true;
    }
    conn->endpoint = index;
    endpoint->busy++;
    pool->turn = index + 1;
    /* One caller tries, the others go elsewhere meanwhile. */
    if (health_of(endpoint) != POOL_WELL) {
        endpoint->retry_at = clock_after_ms(clock_now(), backoff_ms(endpoint->failures));
        endpoint->is_looked_at = true;
    }
    return conn;
}

/* How good a choice an endpoint is; lower is better, first things first. */
struct choice {
    unsigned grade; /* 0: well, or due to be looked at */
    unsigned rank;
    unsigned busy;
    size_t distance; /* from whose turn it is */
};

static struct choice rate(const struct client_pool *pool, size_t index,
                          const struct pool_wish *wish, instant now)
{
    const struct pool_endpoint *endpoint = &pool->endpoints[index];
    enum pool_health health = health_of(endpoint);
    bool is_due = health == POOL_WELL || (wish->may_probe && now >= endpoint->retry_at);
    return (struct choice){.grade = is_due ? POOL_WELL : (unsigned)health,
                           .rank = endpoint->rank,
                           .busy = endpoint->busy,
                           .distance =
                               (index + pool->endpoint_count - pool->turn) % pool->endpoint_count};
}

static bool is_better(const struct choice *a, const struct choice *b)
{
    if (a->grade != b->grade)
        return a->grade < b->grade;
    if (a->rank != b->rank)
        return a->rank < b->rank;
    if (a->busy != b->busy)
        return a->busy < b->busy;
    return a->distance < b->distance;
}

/* The best endpoint that may be tried, or endpoint_count. */
static size_t choose(const struct client_pool *pool, const struct pool_wish *wish)
{
    size_t chosen = pool->endpoint_count;
    struct choice best = {.grade = 0};
    instant now = 0;
    for (size_t i = 0; i < pool->endpoint_count; i++) {
        const struct pool_endpoint *endpoint = &pool->endpoints[i];
        bool is_well = health_of(endpoint) == POOL_WELL;
        if (!is_wanted(endpoint, i, wish) || (wish->only_well && !is_well))
            continue;
        if (now == 0 && !is_well)
            now = clock_now();
        struct choice choice = rate(pool, i, wish, now);
        if (chosen < pool->endpoint_count && !is_better(&choice, &best))
            continue;
        chosen = i;
        best = choice;
    }
    return chosen;
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

struct client_conn *client_pool_spare(struct client_pool *pool, unsigned endpoint)
{
    lock(pool);
    struct client_conn *conn = take_unused(pool);
    if (conn != NULL)
        pool->endpoints[endpoint].busy++;
    unlock(pool);
    if (conn == NULL)
        return NULL;
    client_conn_close(conn, true);
    conn->endpoint = endpoint;
    return conn;
}

static void put_away(struct client_pool *pool, struct client_conn *conn, bool was_in_use)
{
    bool is_open = atomic_load(&conn->fd) >= 0;
    lock(pool);
    struct pool_endpoint *endpoint = &pool->endpoints[conn->endpoint];
    struct client_conn **list = is_open ? &endpoint->idle : &pool->free;
    conn->next = *list;
    *list = conn;
    endpoint->busy -= was_in_use ? 1 : 0;
    bool wake = pool->waiting > 0;
    unlock(pool);
    if (wake)
        (void)pthread_cond_signal(&pool->freed);
}

void client_pool_give(struct client_pool *pool, struct client_conn *conn)
{
    put_away(pool, conn, true);
}

static void set_health(struct pool_endpoint *endpoint, enum pool_health health)
{
    atomic_store_explicit(&endpoint->health, (int)health, memory_order_relaxed);
    if (health == POOL_WELL) {
        endpoint->failures = 0;
        atomic_store_explicit(&endpoint->slow, 0, memory_order_relaxed);
    }
}

void client_pool_connected(struct client_pool *pool, const struct client_conn *conn)
{
    lock(pool);
    pool->endpoints[conn->endpoint].node = conn->node;
    unlock(pool);
}

void client_pool_succeeded(struct client_pool *pool, unsigned index)
{
    struct pool_endpoint *endpoint = &pool->endpoints[index];
    if (health_of(endpoint) == POOL_WELL &&
        atomic_load_explicit(&endpoint->slow, memory_order_relaxed) == 0)
        return;
    lock(pool);
    set_health(endpoint, POOL_WELL);
    unlock(pool);
}

/* Calls that were under way together fail together: that is one failure. */
static void endpoint_rests(struct client_pool *pool, unsigned index, enum rc rc,
                           enum pool_health health)
{
    lock(pool);
    struct pool_endpoint *endpoint = &pool->endpoints[index];
    if (endpoint->failures == 0 || endpoint->is_looked_at) {
        endpoint->retry_at = clock_after_ms(clock_now(), backoff_ms(endpoint->failures));
        endpoint->failures++;
    }
    endpoint->is_looked_at = false;
    set_health(endpoint, health);
    endpoint->rc = rc == RC_DEADLINE ? RC_UNAVAILABLE : rc; /* that of connecting, not the call's */
    (void)snprintf(endpoint->reason, sizeof endpoint->reason, "%s",
                   rc_detail()[0] != 0 ? rc_detail() : rc_info(rc)->text);
    unlock(pool);
}

uint64_t client_pool_failed(struct client_pool *pool, unsigned index, enum rc rc)
{
    uint64_t failed = rc == RC_DEADLINE ? client_pool_same(pool, index) : (uint64_t)1 << index;
    for (unsigned i = 0; i < pool->endpoint_count; i++) {
        if ((failed >> i & 1) == 0)
            continue;
        endpoint_rests(pool, i, rc, POOL_DOWN);
        client_pool_flush(pool, i);
    }
    return failed;
}

uint64_t client_pool_refused(struct client_pool *pool, unsigned index, enum rc rc)
{
    uint64_t same = client_pool_same(pool, index);
    for (unsigned i = 0; i < pool->endpoint_count; i++)
        if ((same >> i & 1) != 0)
            endpoint_rests(pool, i, rc, POOL_REFUSES);
    return same;
}

void client_pool_slow(struct client_pool *pool, unsigned index)
{
    struct pool_endpoint *endpoint = &pool->endpoints[index];
    if (atomic_fetch_add(&endpoint->slow, 1) + 1 < SLOW_MAX)
        return;
    (void)client_pool_failed(
        pool, index,
        rc_fail(RC_DEADLINE, "slower than another HSM by hedge_ms, %u times in a row", SLOW_MAX));
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
        put_away(pool, list, false);
        list = next;
    }
}

void client_pool_learn(struct client_pool *pool, const struct client_pool *from)
{
    if (pool->endpoint_count != from->endpoint_count)
        return;
    for (size_t i = 0; i < pool->endpoint_count; i++) {
        const struct pool_endpoint *known = &from->endpoints[i];
        struct pool_endpoint *endpoint = &pool->endpoints[i];
        if (health_of(known) == POOL_WELL)
            continue;
        set_health(endpoint, health_of(known));
        endpoint->failures = known->failures;
        endpoint->retry_at = known->retry_at;
        endpoint->rc = known->rc;
        memcpy(endpoint->reason, known->reason, sizeof endpoint->reason);
        endpoint->reason[sizeof endpoint->reason - 1] = 0;
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
        if (node != 0 && node_of(endpoint) != 0 && node_of(endpoint) != node)
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

/* SPDX-License-Identifier: Apache-2.0 */
/* What all parts of the daemon share, and the limits that SIGHUP may change. */
#ifndef QHSM_CLUSTER_SERVICE_H
#define QHSM_CLUSTER_SERVICE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <time.h>

#include "cluster/consensus.h"
#include "cluster/server_config.h"
#include "token/hsm.h"

struct operations;
struct login_gate;
struct logins;
struct pool;
struct colleagues;
struct proposer;
struct membership;
struct backups;
struct chaos;

struct limits {
    _Atomic size_t connections_max;
    _Atomic size_t connection_memory;
    _Atomic size_t frame_max;
    _Atomic uint64_t login_deadline_ms;
    _Atomic uint64_t idle_timeout_ms; /* 0: never */
    _Atomic uint64_t session_grace_ms;
    _Atomic uint64_t operation_idle_ms;
};

/* Members that were removed, as noted before this start: the roll says so again only when a leader
 * was found and the log applied. Written by nobody after the start. */
#define REMOVED_NODES_MAX 256U
struct removed_nodes {
    uint64_t ids[REMOVED_NODES_MAX];
    size_t count;
};

struct service {
    const struct server_config *config; /* as at start-up */
    struct limits limits;
    struct hsm *hsm;
    struct consensus *consensus; /* NULL: effects are applied by the caller (tests) */
    struct operations *operations;
    struct login_gate *gate;
    struct logins *logins; /* NULL: not noted (tests) */
    struct pool *pool;
    struct proposer *proposer;
    struct chaos *chaos;           /* NULL: the configuration does not allow it */
    struct colleagues *colleagues; /* NULL: talks to no other HSM, as the next */
    struct membership *membership;
    struct backups *backups;
    struct removed_nodes removed;
    uint64_t started_ms;
    bool memory_locked;
    _Atomic int64_t certificate_expires_s; /* 0: no TLS */
    _Atomic bool stopping;                 /* clients are to go elsewhere */
    _Atomic bool draining;                 /* the same, as the roll says */
    _Atomic uint64_t connections;
    _Atomic uint64_t requests;
    _Atomic unsigned waiting;  /* threads of the pool that wait for other HSMs, for strangers */
    _Atomic uint64_t moved_ms; /* steady: when a joiner last said that it is somewhere else */
};

static inline void limits_set(struct limits *limits, const struct server_config *config)
{
    atomic_store(&limits->connections_max, config->connections_max);
    atomic_store(&limits->connection_memory, config->connection_memory);
    atomic_store(&limits->frame_max, config->frame_max);
    atomic_store(&limits->login_deadline_ms, config->login_deadline_ms);
    atomic_store(&limits->idle_timeout_ms, (uint64_t)config->idle_timeout_s * 1000);
    atomic_store(&limits->session_grace_ms, (uint64_t)config->session_grace_s * 1000);
    atomic_store(&limits->operation_idle_ms, (uint64_t)config->operation_idle_s * 1000);
}

static inline uint64_t clock_read_ms(clockid_t clock)
{
    struct timespec t;
    (void)clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* Emulated trouble: how far the wall clock is off. */
extern _Atomic int64_t clock_offset_ms;

/* Wall clock: dates, tickets, effects. */
static inline uint64_t clock_wall_ms(void)
{
    return clock_read_ms(CLOCK_REALTIME) +
           (uint64_t)atomic_load_explicit(&clock_offset_ms, memory_order_relaxed);
}

/* Never set back: deadlines. */
static inline uint64_t clock_steady_ms(void)
{
    return clock_read_ms(CLOCK_MONOTONIC);
}

#endif

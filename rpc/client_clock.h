/* SPDX-License-Identifier: Apache-2.0 */
/* Moments of the monotonic clock, for deadlines. */
#ifndef QHSM_RPC_CLIENT_CLOCK_H
#define QHSM_RPC_CLIENT_CLOCK_H

#include <stdint.h>
#include <time.h>

/* Nanoseconds of CLOCK_MONOTONIC. */
typedef int64_t instant;

#define CLOCK_MS_NS 1000000LL

static inline instant clock_now(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (instant)now.tv_sec * 1000000000LL + now.tv_nsec;
}

static inline instant clock_after_ms(instant from, unsigned long ms)
{
    return from + (instant)ms * CLOCK_MS_NS;
}

static inline instant clock_earlier(instant a, instant b)
{
    return a < b ? a : b;
}

/* For a duration of at least 0. */
static inline struct timespec clock_timespec(instant ns)
{
    return (struct timespec){.tv_sec = ns / 1000000000LL, .tv_nsec = ns % 1000000000LL};
}

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Measures how long a loop was kept from its work: a timer that should fire every 5 ms. */
#ifndef QHSM_CLUSTER_LOOP_WATCH_H
#define QHSM_CLUSTER_LOOP_WATCH_H

#include <stdatomic.h>
#include <stdint.h>
#include <uv.h>

struct loop_watch {
    uv_timer_t timer;
    uint64_t last_ns;
    void (*tick)(void *context); /* every period, on the loop */
    void *context;
    _Atomic uint64_t max_us;     /* longest stall; any thread reads */
    _Atomic uint64_t slow_count; /* stalls over 10 ms */
};

/* On the loop's thread. `tick` may be NULL. */
void loop_watch_start(struct loop_watch *watch, uv_loop_t *loop, void (*tick)(void *),
                      void *context);
/* Closes the timer; the memory is free after the loop has run once more. */
void loop_watch_stop(struct loop_watch *watch);

#endif

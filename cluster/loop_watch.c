/* SPDX-License-Identifier: Apache-2.0 */
/* The loop watch: lateness of a periodic timer is the time that callbacks took. */
#include "cluster/loop_watch.h"

#define PERIOD_MS 5U
#define SLOW_US   10000U
#define US        1000U
#define MS_NS     1000000U

static void watch_fired(uv_timer_t *timer)
{
    struct loop_watch *watch = timer->data;
    uint64_t now = uv_hrtime();
    uint64_t due = watch->last_ns + PERIOD_MS * MS_NS;
    uint64_t late_us = now > due ? (now - due) / US : 0;
    if (late_us > atomic_load_explicit(&watch->max_us, memory_order_relaxed))
        atomic_store_explicit(&watch->max_us, late_us, memory_order_relaxed);
    if (late_us > SLOW_US)
        atomic_fetch_add_explicit(&watch->slow_count, 1, memory_order_relaxed);
    if (watch->tick != NULL)
        watch->tick(watch->context);
    watch->last_ns = uv_hrtime();
}

void loop_watch_start(struct loop_watch *watch, uv_loop_t *loop, void (*tick)(void *),
                      void *context)
{
    watch->tick = tick;
    watch->context = context;
    atomic_init(&watch->max_us, 0);
    atomic_init(&watch->slow_count, 0);
    (void)uv_timer_init(loop, &watch->timer);
    watch->timer.data = watch;
    watch->last_ns = uv_hrtime();
    (void)uv_timer_start(&watch->timer, watch_fired, PERIOD_MS, PERIOD_MS);
}

void loop_watch_stop(struct loop_watch *watch)
{
    uv_close((uv_handle_t *)&watch->timer, NULL);
}

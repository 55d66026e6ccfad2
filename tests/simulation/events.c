/* SPDX-License-Identifier: Apache-2.0 */
/* What happens next: a heap by time, then by order of making. */
#include <stdlib.h>

#include "tests/simulation/sim.h"

struct event {
    uint64_t at, order;
    struct node *node;
    unsigned incarnation;
    event_run run;
    void *context;
};

static struct event *heap;
static size_t count, cap;
static uint64_t made;

static bool is_before(const struct event *a, const struct event *b)
{
    return a->at != b->at ? a->at < b->at : a->order < b->order;
}

static void swap(size_t a, size_t b)
{
    struct event kept = heap[a];
    heap[a] = heap[b];
    heap[b] = kept;
}

static void push(const struct event *event)
{
    if (count == cap) {
        cap = cap == 0 ? 1024 : cap * 2;
        heap = realloc(heap, cap * sizeof *heap);
        if (heap == NULL)
            exit(2);
    }
    size_t at = count++;
    heap[at] = *event;
    for (; at > 0 && is_before(&heap[at], &heap[(at - 1) / 2]); at = (at - 1) / 2)
        swap(at, (at - 1) / 2);
}

static struct event pop(void)
{
    struct event first = heap[0];
    heap[0] = heap[--count];
    for (size_t at = 0;;) {
        size_t least = at;
        for (size_t child = at * 2 + 1; child <= at * 2 + 2 && child < count; child++)
            if (is_before(&heap[child], &heap[least]))
                least = child;
        if (least == at)
            return first;
        swap(at, least);
        at = least;
    }
}

void event_after(uint64_t delay_us, struct node *node, event_run run, void *context)
{
    const struct event event = {.at = sim.now + delay_us,
                                .order = made++,
                                .node = node,
                                .incarnation = node != NULL ? node->incarnation : 0,
                                .run = run,
                                .context = context};
    push(&event);
}

bool event_next(void)
{
    if (count == 0 || sim.failed)
        return false;
    struct event event = pop();
    sim.now = event.at;
    sim.stats.events++;
    struct node *node = event.node;
    if (node == NULL) {
        event.run(NULL, event.context);
        return true;
    }
    if (!node->up || node->incarnation != event.incarnation)
        return true;
    if (node->paused_until > sim.now) { /* in the order of before */
        event.at = node->paused_until;
        push(&event);
        return true;
    }
    node_enter(node, event.run, event.context);
    return true;
}

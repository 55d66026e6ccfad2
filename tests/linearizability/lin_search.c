/* SPDX-License-Identifier: Apache-2.0 */
/* The search: calls and returns in order of time; an operation whose call stands before the first
 * return that is left may be the next one. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/linearizability/lin.h"

/* ---- calls and returns, a doubly linked list */

struct event {
    struct event *before, *after;
    struct event *end;        /* of a call: its return, or NULL */
    const struct event *twin; /* of an unknown one: the same operation, called last before it */
    const struct lin_op *op;
    size_t number; /* of the operation */
    uint64_t time;
    bool is_call;
};

/* ---- configurations seen: bits of the operations done, and the state */

struct seen {
    uint64_t *slots; /* `words` + 1 each, the last one the state */
    bool *used;
    uint64_t *certain; /* bits of the operations that have returned, and all of the state */
    size_t words, count, cap;
};

struct search {
    const struct lin_history *history;
    struct event *events;
    struct event head;
    uint64_t *done;
    struct seen seen;
    struct {
        struct event *call;
        uint64_t state;
    } * stack;
    size_t depth, must; /* operations that have returned and are not in order yet */
    uint64_t state;
};

static void *must_have(void *memory)
{
    if (memory == NULL) {
        (void)fputs("linearizability: no memory\n", stderr);
        abort();
    }
    return memory;
}

static uint64_t hash_of(const struct seen *seen, const uint64_t *item)
{
    uint64_t hash = 0x9e3779b97f4a7c15U;
    for (size_t i = 0; i <= seen->words; i++) {
        hash = (hash ^ (item[i] & seen->certain[i])) * 0xff51afd7ed558ccdU;
        hash ^= hash >> 32;
    }
    return hash;
}

/* What was seen leads wherever the item does: the same state and returned operations, and no more
 * of the unknown ones spent on it. */
static bool covers(const struct seen *seen, const uint64_t *slot, const uint64_t *item)
{
    for (size_t i = 0; i <= seen->words; i++)
        if (((slot[i] ^ item[i]) & seen->certain[i]) != 0 || (slot[i] & ~item[i]) != 0)
            return false;
    return true;
}

static size_t seen_slot(const struct seen *seen, const uint64_t *item)
{
    size_t width = seen->words + 1;
    size_t at = (size_t)hash_of(seen, item) & (seen->cap - 1);
    while (seen->used[at] && !covers(seen, seen->slots + at * width, item))
        at = (at + 1) & (seen->cap - 1);
    return at;
}

static void seen_alloc(struct seen *seen, size_t cap)
{
    seen->cap = cap;
    seen->slots = must_have(calloc(cap * (seen->words + 1), sizeof *seen->slots));
    seen->used = must_have(calloc(cap, sizeof *seen->used));
}

static void seen_grow(struct seen *seen)
{
    struct seen old = *seen;
    size_t width = seen->words + 1;
    seen_alloc(seen, old.cap * 2);
    for (size_t i = 0; i < old.cap; i++) {
        if (!old.used[i])
            continue;
        size_t at = seen_slot(seen, old.slots + i * width);
        if (seen->used[at]) {
            seen->count--;
            continue;
        }
        memcpy(seen->slots + at * width, old.slots + i * width, width * sizeof *old.slots);
        seen->used[at] = true;
    }
    free(old.slots);
    free(old.used);
}

/* False when one that covers it was there. */
static bool seen_add(struct seen *seen, const uint64_t *item)
{
    if (seen->count * 2 >= seen->cap)
        seen_grow(seen);
    size_t at = seen_slot(seen, item);
    if (seen->used[at])
        return false;
    size_t width = seen->words + 1;
    memcpy(seen->slots + at * width, item, width * sizeof *item);
    seen->used[at] = true;
    seen->count++;
    return true;
}

/* ---- the list */

static void unlink_event(struct event *event)
{
    event->before->after = event->after;
    if (event->after != NULL)
        event->after->before = event->before;
}

static void relink_event(struct event *event)
{
    event->before->after = event;
    if (event->after != NULL)
        event->after->before = event;
}

static void lift(struct event *call)
{
    unlink_event(call);
    if (call->end != NULL)
        unlink_event(call->end);
}

static void unlift(struct event *call)
{
    if (call->end != NULL)
        relink_event(call->end);
    relink_event(call);
}

/* A return at the same moment as a call stands after it: they overlap. */
static int by_time(const void *a, const void *b)
{
    const struct event *left = a;
    const struct event *right = b;
    if (left->time != right->time)
        return left->time < right->time ? -1 : 1;
    if (left->is_call != right->is_call)
        return left->is_call ? -1 : 1;
    return left->number < right->number ? -1 : 1;
}

static size_t fill_events(struct search *search)
{
    const struct lin_history *history = search->history;
    size_t count = 0;
    for (size_t i = 0; i < history->count; i++) {
        const struct lin_op *op = &history->ops[i];
        if (op->outcome == LIN_UNKNOWN && lin_is_read(op->function))
            continue; /* says nothing */
        search->events[count++] =
            (struct event){.op = op, .number = i, .time = op->called, .is_call = true};
        if (op->outcome != LIN_OK)
            continue;
        search->events[count++] = (struct event){.op = op, .number = i, .time = op->returned};
        search->seen.certain[i / 64] |= UINT64_C(1) << (i % 64);
        search->must++;
    }
    search->seen.certain[search->seen.words] = UINT64_MAX;
    return count;
}

static void link_events(struct search *search, size_t count)
{
    struct event **calls = must_have(calloc(search->history->count + 1, sizeof *calls));
    struct event *last = &search->head;
    qsort(search->events, count, sizeof *search->events, by_time);
    for (size_t i = 0; i < count; i++) {
        struct event *event = &search->events[i];
        if (event->is_call)
            calls[event->number] = event;
        else
            calls[event->number]->end = event;
        event->before = last;
        last->after = event;
        last = event;
    }
    free(calls);
}

static bool are_twins(const struct lin_op *a, const struct lin_op *b)
{
    return a->outcome == LIN_UNKNOWN && b->outcome == LIN_UNKNOWN && a->function == b->function &&
           a->arg == b->arg && a->from == b->from;
}

/* Of equal operations without a return the one called first does as well as any: the others are
 * tried after it, or each of their subsets would be tried. */
static void find_twins(struct search *search, size_t count)
{
    for (size_t i = 0; i < count; i++)
        for (size_t j = i; j > 0 && search->events[i].twin == NULL; j--)
            if (are_twins(search->events[i].op, search->events[j - 1].op))
                search->events[i].twin = &search->events[j - 1];
}

static void search_open(struct search *search, const struct lin_history *history)
{
    size_t words = history->count / 64 + 1;
    *search = (struct search){.history = history, .state = lin_start(history->model)};
    search->events = must_have(calloc(history->count * 2 + 1, sizeof *search->events));
    search->done = must_have(calloc(words + 1, sizeof *search->done));
    search->stack = must_have(calloc(history->count + 1, sizeof *search->stack));
    search->seen.words = words;
    search->seen.certain = must_have(calloc(words + 1, sizeof *search->seen.certain));
    seen_alloc(&search->seen, 256);
    size_t count = fill_events(search);
    link_events(search, count);
    find_twins(search, count);
}

static void search_close(struct search *search)
{
    free(search->events);
    free(search->done);
    free(search->stack);
    free(search->seen.certain);
    free(search->seen.slots);
    free(search->seen.used);
}

/* ---- steps */

static bool is_done(const struct search *search, const struct event *call)
{
    return (search->done[call->number / 64] >> (call->number % 64) & 1) != 0;
}

static void mark(struct search *search, const struct event *call, bool done)
{
    uint64_t bit = UINT64_C(1) << (call->number % 64);
    if (done)
        search->done[call->number / 64] |= bit;
    else
        search->done[call->number / 64] &= ~bit;
    if (call->end != NULL)
        search->must += done ? (size_t)-1 : 1;
}

/* True when the operation is the next one in a configuration that was not seen before. */
static bool advance(struct search *search, struct event *call)
{
    uint64_t state = 0;
    if (call->twin != NULL && !is_done(search, call->twin))
        return false;
    if (!lin_step(search->history, search->state, call->op, &state))
        return false;
    if (call->end == NULL && state == search->state)
        return false; /* it might as well never take effect */
    mark(search, call, true);
    search->done[search->seen.words] = state;
    if (!seen_add(&search->seen, search->done)) {
        mark(search, call, false);
        return false;
    }
    search->stack[search->depth].call = call;
    search->stack[search->depth].state = search->state;
    search->depth++;
    search->state = state;
    lift(call);
    return true;
}

/* Takes the last one back; the next to try stands after it. */
static struct event *retreat(struct search *search)
{
    search->depth--;
    struct event *call = search->stack[search->depth].call;
    search->state = search->stack[search->depth].state;
    mark(search, call, false);
    unlift(call);
    return call->after;
}

static enum lin_verdict run(struct search *search, size_t steps_max, struct lin_report *report)
{
    struct event *event = search->head.after;
    while (search->must > 0) {
        if (steps_max != 0 && report->steps >= steps_max)
            return LIN_TOO_MANY;
        report->steps++;
        if (event != NULL && event->is_call) {
            event = advance(search, event) ? search->head.after : event->after;
            continue;
        }
        if (search->depth >= report->longest) {
            report->longest = search->depth;
            report->stuck = event != NULL ? event->op : NULL;
        }
        if (search->depth == 0)
            return LIN_VIOLATION;
        event = retreat(search);
    }
    report->stuck = NULL;
    return LIN_LINEARIZABLE;
}

enum lin_verdict lin_check(const struct lin_history *history, size_t steps_max,
                           struct lin_report *out)
{
    struct search search;
    *out = (struct lin_report){.steps = 0};
    search_open(&search, history);
    enum lin_verdict verdict = run(&search, steps_max, out);
    search_close(&search);
    return verdict;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Segments with reference counts; a shared one is copied before it changes. */
#include "token/roster.h"

#include <stdlib.h>

struct roster_segment {
    atomic_uint refs;
    size_t count;
    struct iovec frames[ROSTER_SEGMENT];
};

static struct object *object_at(const struct roster_segment *segment, size_t at)
{
    return object_of_frame(segment->frames[at].iov_base);
}

static struct iovec frame_of(const struct object *object)
{
    struct bytes frame = object_frame(object);
    return (struct iovec){.iov_base = (void *)(uintptr_t)frame.ptr, .iov_len = frame.len};
}

static struct roster_segment *segment_new(void)
{
    struct roster_segment *segment = calloc(1, sizeof *segment);
    if (segment != NULL)
        atomic_init(&segment->refs, 1);
    return segment;
}

static void segment_unref(struct roster_segment *segment)
{
    if (atomic_fetch_sub_explicit(&segment->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < segment->count; i++)
        object_unref(object_at(segment, i));
    free(segment);
}

/* First segment that ends at or above the handle; count when there is none. */
static size_t find_segment(const struct roster *roster, uint64_t handle)
{
    size_t low = 0;
    size_t high = roster->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        const struct roster_segment *segment = roster->segments[middle];
        if (object_at(segment, segment->count - 1)->handle < handle)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* First place in the segment at or above the handle. */
static size_t find_place(const struct roster_segment *segment, uint64_t handle)
{
    size_t low = 0;
    size_t high = segment->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (object_at(segment, middle)->handle < handle)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The segment as this roster's alone. */
static enum rc own(struct roster *roster, size_t at, struct roster_segment **out)
{
    struct roster_segment *segment = roster->segments[at];
    if (atomic_load_explicit(&segment->refs, memory_order_acquire) > 1) {
        struct roster_segment *copy = segment_new();
        if (copy == NULL)
            return RC_NO_MEMORY;
        copy->count = segment->count;
        memcpy(copy->frames, segment->frames, segment->count * sizeof segment->frames[0]);
        for (size_t i = 0; i < copy->count; i++)
            (void)object_ref(object_at(copy, i));
        segment_unref(segment);
        roster->segments[at] = copy;
    }
    *out = roster->segments[at];
    return RC_OK;
}

static enum rc insert_segment(struct roster *roster, size_t at, struct roster_segment *segment)
{
    if (roster->count == roster->cap) {
        size_t cap = roster->cap == 0 ? 8 : roster->cap * 2;
        struct roster_segment **grown = realloc(roster->segments, cap * sizeof grown[0]);
        if (grown == NULL)
            return RC_NO_MEMORY;
        roster->segments = grown;
        roster->cap = cap;
    }
    memmove(roster->segments + at + 1, roster->segments + at,
            (roster->count - at) * sizeof roster->segments[0]);
    roster->segments[at] = segment;
    roster->count++;
    return RC_OK;
}

static enum rc add_segment(struct roster *roster, size_t at)
{
    struct roster_segment *segment = segment_new();
    enum rc rc = segment == NULL ? RC_NO_MEMORY : insert_segment(roster, at, segment);
    if (rc != RC_OK)
        free(segment);
    return rc;
}

/* The upper half of a full segment moves into a new one behind it. */
static enum rc split(struct roster *roster, size_t at)
{
    struct roster_segment *low = NULL;
    TRY(own(roster, at, &low));
    TRY(add_segment(roster, at + 1));
    struct roster_segment *high = roster->segments[at + 1];
    size_t kept = low->count / 2;
    high->count = low->count - kept;
    memcpy(high->frames, low->frames + kept, high->count * sizeof high->frames[0]);
    low->count = kept;
    return RC_OK;
}

static enum rc insert(struct roster *roster, size_t at, struct object *object)
{
    struct roster_segment *segment = NULL;
    TRY(own(roster, at, &segment));
    size_t place = find_place(segment, object->handle);
    memmove(segment->frames + place + 1, segment->frames + place,
            (segment->count - place) * sizeof segment->frames[0]);
    segment->frames[place] = frame_of(object_ref(object));
    segment->count++;
    roster->objects++;
    return RC_OK;
}

enum rc roster_add(struct roster *roster, struct object *object)
{
    size_t at = find_segment(roster, object->handle);
    if (at == roster->count && at > 0)
        at--;
    if (roster->count == 0) {
        TRY(add_segment(roster, 0));
    } else if (roster->segments[at]->count == ROSTER_SEGMENT) {
        bool append = find_place(roster->segments[at], object->handle) == ROSTER_SEGMENT;
        TRY(append ? add_segment(roster, at + 1) : split(roster, at));
        if (append ||
            find_place(roster->segments[at], object->handle) == roster->segments[at]->count)
            at++;
    }
    return insert(roster, at, object);
}

/* RC_NOT_FOUND; else the owned segment and the place in it. */
static enum rc locate(struct roster *roster, uint64_t handle, size_t *out_at,
                      struct roster_segment **out_segment, size_t *out_place)
{
    size_t at = find_segment(roster, handle);
    if (at == roster->count)
        return RC_NOT_FOUND;
    size_t place = find_place(roster->segments[at], handle);
    if (object_at(roster->segments[at], place)->handle != handle)
        return RC_NOT_FOUND;
    TRY(own(roster, at, out_segment));
    *out_at = at;
    *out_place = place;
    return RC_OK;
}

enum rc roster_replace(struct roster *roster, struct object *object)
{
    struct roster_segment *segment = NULL;
    size_t at = 0;
    size_t place = 0;
    TRY(locate(roster, object->handle, &at, &segment, &place));
    struct object *before = object_at(segment, place);
    segment->frames[place] = frame_of(object_ref(object));
    object_unref(before);
    return RC_OK;
}

static void remove_segment(struct roster *roster, size_t at)
{
    segment_unref(roster->segments[at]);
    roster->count--;
    memmove(roster->segments + at, roster->segments + at + 1,
            (roster->count - at) * sizeof roster->segments[0]);
}

/* Joins the segment behind into this one when both are small and nobody shares them. */
static void merge(struct roster *roster, size_t at)
{
    if (at + 1 >= roster->count)
        return;
    struct roster_segment *low = roster->segments[at];
    struct roster_segment *high = roster->segments[at + 1];
    if (low->count + high->count > ROSTER_SEGMENT / 2 || atomic_load(&low->refs) > 1 ||
        atomic_load(&high->refs) > 1)
        return;
    memcpy(low->frames + low->count, high->frames, high->count * sizeof high->frames[0]);
    low->count += high->count;
    high->count = 0;
    remove_segment(roster, at + 1);
}

enum rc roster_remove(struct roster *roster, uint64_t handle)
{
    struct roster_segment *segment = NULL;
    size_t at = 0;
    size_t place = 0;
    TRY(locate(roster, handle, &at, &segment, &place));
    object_unref(object_at(segment, place));
    segment->count--;
    memmove(segment->frames + place, segment->frames + place + 1,
            (segment->count - place) * sizeof segment->frames[0]);
    roster->objects--;
    if (segment->count == 0)
        remove_segment(roster, at);
    else
        merge(roster, at);
    if (at > 0 && at < roster->count)
        merge(roster, at - 1);
    return RC_OK;
}

void roster_clear(struct roster *roster)
{
    for (size_t i = 0; i < roster->count; i++)
        segment_unref(roster->segments[i]);
    free(roster->segments);
    *roster = (struct roster){.segments = NULL, .count = 0, .cap = 0, .objects = 0};
}

void roster_each(const struct roster *roster, bool (*visit)(struct object *object, void *context),
                 void *context)
{
    for (size_t i = 0; i < roster->count; i++)
        for (size_t at = 0; at < roster->segments[i]->count; at++)
            if (!visit(object_at(roster->segments[i], at), context))
                return;
}

enum rc roster_share(const struct roster *roster, struct roster *out)
{
    struct roster copy = {.count = roster->count, .cap = roster->count};
    copy.objects = roster->objects;
    if (roster->count > 0) {
        copy.segments = calloc(roster->count, sizeof copy.segments[0]);
        if (copy.segments == NULL)
            return RC_NO_MEMORY;
    }
    for (size_t i = 0; i < roster->count; i++) {
        copy.segments[i] = roster->segments[i];
        atomic_fetch_add_explicit(&copy.segments[i]->refs, 1, memory_order_relaxed);
    }
    *out = copy;
    return RC_OK;
}

void roster_frames(const struct roster *roster, struct iovec *out)
{
    for (size_t i = 0; i < roster->count; i++) {
        const struct roster_segment *segment = roster->segments[i];
        memcpy(out, segment->frames, segment->count * sizeof out[0]);
        out += segment->count;
    }
}

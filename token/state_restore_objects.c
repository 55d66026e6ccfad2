/* SPDX-License-Identifier: Apache-2.0 */
/* Objects of a snapshot, in batches: parsed and hashed by a crew, since their number decides how
 * long a start takes, then entered by handle. */
#include <stdio.h>
#include <stdlib.h>

#include "token/crew.h"
#include "token/snapshot_format.h"

#define BATCH      16384U
#define DETAIL_LEN 256U

/* What one thread reads of a batch. */
struct part {
    struct reader frames;
    uint64_t last; /* handle of the object before */
    struct object **objects;
    size_t count;
    struct state_sum sum;
    enum rc rc;
    char detail[DETAIL_LEN]; /* of its thread's error */
};

struct batch {
    struct state_content *content;
    const struct seal_keys *keys;
    struct object **objects;
    size_t count;
    unsigned part_count;
    struct part parts[CREW_MAX];
};

/* An object that is refused is freed with the batch. */
static enum rc read_object(const struct batch *batch, struct part *part, struct object **out)
{
    const struct state_content *content = batch->content;
    uint64_t handle = reader_u64(&part->frames);
    struct bytes record = reader_bytes(&part->frames);
    if (!reader_ok(&part->frames) || handle <= part->last || handle >= content->digest.next_handle)
        return rc_fail(RC_TAMPERED, "malformed object in the snapshot");
    part->last = handle;
    TRY(object_from_record(handle, record, out));
    if (tables_token(&content->tables, (*out)->token) == NULL)
        return rc_fail(RC_TAMPERED, "object without token in the snapshot");
    return state_sum_enter(&part->sum, batch->keys, SUM_OBJECT, object_frame(*out));
}

static void read_part(void *context, unsigned at)
{
    struct batch *batch = context;
    struct part *part = &batch->parts[at];
    for (size_t i = 0; i < part->count && part->rc == RC_OK; i++)
        part->rc = read_object(batch, part, &part->objects[i]);
    if (part->rc != RC_OK)
        (void)snprintf(part->detail, sizeof part->detail, "%s", rc_detail());
}

/* Only looks for where each part ends. */
static void split(struct batch *batch, struct reader *in, uint64_t *last)
{
    batch->part_count = crew_size(batch->count);
    for (unsigned i = 0; i < batch->part_count; i++) {
        struct part *part = &batch->parts[i];
        size_t first = crew_first(batch->count, batch->part_count, i);
        *part = (struct part){.frames = *in, .last = *last, .objects = batch->objects + first};
        part->count = crew_first(batch->count, batch->part_count, i + 1) - first;
        for (size_t k = 0; k < part->count; k++) {
            *last = reader_u64(in);
            (void)reader_bytes(in);
        }
    }
}

static enum rc enter_batch(const struct batch *batch)
{
    struct state_content *content = batch->content;
    for (size_t i = 0; i < batch->count; i++) {
        TRY(roster_add(&content->roster, batch->objects[i]));
        tables_token(&content->tables, batch->objects[i]->token)->row.object_count++;
    }
    return store_fill(content->store, batch->objects, batch->count);
}

static enum rc read_batch(struct batch *batch, struct reader *in, uint64_t *last)
{
    split(batch, in, last);
    crew_run(batch->part_count, read_part, batch);
    for (unsigned i = 0; i < batch->part_count; i++) {
        if (batch->parts[i].rc != RC_OK)
            return rc_fail(batch->parts[i].rc, "%s", batch->parts[i].detail);
        state_sum_join(&batch->content->digest.sum, &batch->parts[i].sum);
    }
    return enter_batch(batch);
}

static void clear(struct batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        object_unref(batch->objects[i]);
        batch->objects[i] = NULL;
    }
}

enum rc state_restore_objects(struct state_content *content, const struct seal_keys *keys,
                              struct reader *in, uint64_t count)
{
    struct batch batch = {.content = content, .keys = keys};
    uint64_t last = 0;
    enum rc rc = RC_OK;
    batch.objects = calloc(BATCH, sizeof batch.objects[0]);
    if (batch.objects == NULL)
        return RC_NO_MEMORY;
    for (; count > 0 && rc == RC_OK; count -= batch.count) {
        batch.count = count < BATCH ? (size_t)count : BATCH;
        rc = read_batch(&batch, in, &last);
        clear(&batch);
    }
    free(batch.objects);
    return rc;
}

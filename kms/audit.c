/* SPDX-License-Identifier: Apache-2.0 */
/* The trail's queue and the thread that empties it. */
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "common/log.h"
#include "common/thread.h"
#include "kms/audit_internal.h"

#define PERIOD_MS 50U
#define RETRY_MS  1000U

/* A shard's content, taken out of the queue. */
struct batch {
    struct buf taken[AUDIT_SHARDS];
    struct audit_line *lines;
    struct audit_frame *frames; /* aligned copies */
    size_t count;
};

void audit_kick(struct audit *audit)
{
    (void)pthread_mutex_lock(&audit->lock);
    audit->is_kicked = true;
    (void)pthread_cond_signal(&audit->wake);
    (void)pthread_mutex_unlock(&audit->lock);
}

void audit_flush(struct audit *audit)
{
    (void)pthread_mutex_lock(&audit->lock);
    uint64_t wanted = ++audit->flush_wanted;
    audit->is_kicked = true;
    (void)pthread_cond_signal(&audit->wake);
    while (audit->flush_done < wanted)
        (void)pthread_cond_wait(&audit->written, &audit->lock);
    (void)pthread_mutex_unlock(&audit->lock);
}

/* Each shard's content changes places with the buf that was emptied last: memory is reused. */
static size_t batch_take(struct audit *audit, struct batch *batch)
{
    size_t len = 0;
    for (size_t i = 0; i < AUDIT_SHARDS; i++) {
        struct audit_shard *shard = &audit->shards[i];
        (void)pthread_mutex_lock(&shard->lock);
        struct buf full = shard->waiting;
        shard->waiting = batch->taken[i];
        batch->taken[i] = full;
        (void)pthread_cond_broadcast(&shard->room);
        (void)pthread_mutex_unlock(&shard->lock);
        len += full.len;
    }
    return len;
}

static void batch_visit(struct batch *batch)
{
    batch->count = 0;
    for (size_t i = 0; i < AUDIT_SHARDS; i++) {
        const struct buf *taken = &batch->taken[i];
        for (size_t at = 0; at < taken->len;) {
            struct audit_frame frame;
            memcpy(&frame, taken->ptr + at, sizeof frame);
            at += sizeof frame;
            if (batch->lines != NULL) {
                batch->frames[batch->count] = frame;
                batch->lines[batch->count] = (struct audit_line){
                    .frame = &batch->frames[batch->count], .text = taken->ptr + at};
            }
            batch->count++;
            at += frame.len;
        }
    }
}

static int by_number(const void *left, const void *right)
{
    const struct audit_line *a = left, *b = right;
    return a->frame->number < b->frame->number ? -1 : a->frame->number > b->frame->number;
}

static enum rc batch_sort(struct batch *batch)
{
    batch_visit(batch);
    struct audit_line *lines = calloc(batch->count, sizeof *lines);
    struct audit_frame *frames = calloc(batch->count, sizeof *frames);
    if (lines == NULL || frames == NULL) {
        free(lines);
        free(frames);
        return RC_NO_MEMORY;
    }
    batch->lines = lines;
    batch->frames = frames;
    batch_visit(batch);
    qsort(batch->lines, batch->count, sizeof *batch->lines, by_number);
    return RC_OK;
}

static void batch_empty(struct batch *batch)
{
    free(batch->lines);
    free(batch->frames);
    batch->lines = NULL;
    batch->frames = NULL;
    batch->count = 0;
    for (size_t i = 0; i < AUDIT_SHARDS; i++)
        batch->taken[i].len = 0; /* no secrets in it: kept as it is for the next time */
}

void audit_deadline(unsigned ms, struct timespec *out)
{
    (void)clock_gettime(CLOCK_MONOTONIC, out);
    out->tv_nsec += (long)ms * 1000000;
    out->tv_sec += out->tv_nsec / 1000000000;
    out->tv_nsec %= 1000000000;
}

/* Until somebody kicks, or for that long. False: it is to stop. */
static bool nap(struct audit *audit, unsigned ms, uint64_t *out_wanted)
{
    struct timespec until;
    audit_deadline(ms, &until);
    (void)pthread_mutex_lock(&audit->lock);
    while (!audit->is_kicked && !audit->is_stopping)
        if (pthread_cond_timedwait(&audit->wake, &audit->lock, &until) == ETIMEDOUT)
            break;
    audit->is_kicked = false;
    *out_wanted = audit->flush_wanted;
    bool goes_on = !audit->is_stopping;
    (void)pthread_mutex_unlock(&audit->lock);
    return goes_on;
}

static void flushed(struct audit *audit, uint64_t wanted)
{
    (void)pthread_mutex_lock(&audit->lock);
    audit->flush_done = wanted;
    (void)pthread_cond_broadcast(&audit->written);
    (void)pthread_mutex_unlock(&audit->lock);
}

static void batch_move(struct audit *audit, struct batch *batch)
{
    enum rc rc = batch_sort(batch);
    for (size_t i = 0; rc == RC_OK && i < batch->count; i++)
        rc = audit_files_add(audit->files, &batch->lines[i]);
    if (rc != RC_OK)
        log_error("trail_records_lost", "records=%zu error=%s", batch->count, rc_info(rc)->name);
    batch_empty(batch);
}

static void give_up(struct audit *audit)
{
    size_t lost = audit_files_salvage(audit->files);
    if (lost > 0)
        log_error("trail_records_lost", "records=%zu reason=\"the trail cannot be written\"", lost);
    (void)audit_files_roll(audit->files, true);
}

static void written(struct audit *audit)
{
    if (atomic_exchange(&audit->is_refusing, false))
        log_info("trail_written_again", "requests=\"accepted\"");
}

/* While files cannot be written nothing more is taken: the queue fills, and requests are refused.
 */
static void *writer_run(void *context)
{
    struct audit *audit = context;
    struct batch batch = {.count = 0};
    bool goes_on = true, is_stuck = false;
    for (size_t i = 0; i < AUDIT_SHARDS; i++)
        batch.taken[i] = (struct buf)BUF_INIT;
    while (goes_on) {
        uint64_t wanted;
        goes_on = nap(audit, is_stuck ? RETRY_MS : PERIOD_MS, &wanted);
        if ((!is_stuck || !goes_on) && batch_take(audit, &batch) > 0)
            batch_move(audit, &batch);
        enum rc rc = audit_files_flush(audit->files);
        if (rc != RC_OK && (!is_stuck || !goes_on))
            log_error("trail_write", "error=%s detail=\"%s\"", rc_info(rc)->name, rc_detail());
        is_stuck = rc != RC_OK;
        if (!is_stuck)
            written(audit);
        if (!is_stuck && audit_files_roll(audit->files, !goes_on) && audit->digests != NULL)
            audit_digests_kick(audit->digests);
        flushed(audit, wanted);
    }
    if (is_stuck)
        give_up(audit);
    for (size_t i = 0; i < AUDIT_SHARDS; i++)
        buf_clear(&batch.taken[i]);
    return NULL;
}

static void set_up_locks(struct audit *audit)
{
    (void)pthread_mutex_init(&audit->lock, NULL);
    thread_cond_init(&audit->wake);
    (void)pthread_cond_init(&audit->written, NULL);
    for (size_t i = 0; i < AUDIT_SHARDS; i++) {
        (void)pthread_mutex_init(&audit->shards[i].lock, NULL);
        thread_cond_init(&audit->shards[i].room);
        audit->shards[i].waiting = (struct buf)BUF_INIT;
    }
}

static void destroy(struct audit *audit)
{
    audit_digests_free(audit->digests);
    audit_files_free(audit->files);
    for (size_t i = 0; i < AUDIT_SHARDS; i++) {
        buf_clear(&audit->shards[i].waiting);
        (void)pthread_cond_destroy(&audit->shards[i].room);
        (void)pthread_mutex_destroy(&audit->shards[i].lock);
    }
    (void)pthread_cond_destroy(&audit->written);
    (void)pthread_cond_destroy(&audit->wake);
    (void)pthread_mutex_destroy(&audit->lock);
    free(audit);
}

static enum rc start(struct audit *audit)
{
    const struct kms_config *config = audit->kms->config;
    TRY(audit_files_new(config->trail_dir, config->trail_roll_s, &audit->files));
    if (config->trail_dir != NULL)
        TRY(audit_digests_new(audit->kms, config->trail_dir, &audit->digests));
    if (pthread_create(&audit->writer, NULL, writer_run, audit) != 0)
        return rc_fail(RC_NO_MEMORY, "no thread for the trail");
    return RC_OK;
}

enum rc audit_new(struct kms *kms, struct audit **out)
{
    struct audit *audit = aligned_alloc(64, (sizeof *audit + 63) / 64 * 64);
    if (audit == NULL)
        return RC_NO_MEMORY;
    memset(audit, 0, sizeof *audit);
    audit->kms = kms;
    set_up_locks(audit);
    enum rc rc = start(audit);
    if (rc != RC_OK) {
        destroy(audit);
        return rc;
    }
    *out = audit;
    return RC_OK;
}

void audit_free(struct audit *audit)
{
    if (audit == NULL)
        return;
    (void)pthread_mutex_lock(&audit->lock);
    audit->is_stopping = true;
    (void)pthread_cond_signal(&audit->wake);
    (void)pthread_mutex_unlock(&audit->lock);
    (void)pthread_join(audit->writer, NULL);
    destroy(audit);
}

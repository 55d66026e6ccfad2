/* SPDX-License-Identifier: Apache-2.0 */
/* The restore's thread: check by MACs, decrypt, load into a state of the backup's own keys, then
 * effect after effect into the log. */
#include "cluster/backup_restore.h"

#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cluster/backup_store.h"
#include "cluster/commit.h"
#include "common/log.h"
#include "common/thread.h"
#include "token/restore.h"
#include "token/shamir.h"

#define STEP_MS     10000U  /* for one effect, then it is tried again */
#define PATIENCE_MS 120000U /* without a quorum, before it is given up */
#define PAUSE_NS    (200L * 1000 * 1000)

/* What was opened by the shares. */
struct restore_source {
    struct backup_store_file stored;
    struct backup_file file;
    struct seal_keys *keys; /* of the backup's cluster */
    struct state *state;
};

static void source_free(struct restore_source *source)
{
    if (source == NULL)
        return;
    state_free(source->state);
    seal_keys_free(source->keys);
    backup_file_clear(&source->file);
    backup_store_close(&source->stored);
    free(source);
}

/* ---- before anything is changed */

static enum rc open_by_shares(struct restore_source *source, const char *const *shares,
                              size_t count)
{
    AUTO_SECRET scalar = SECRET_INIT;
    AUTO_SECRET master = SECRET_INIT;
    TRY(backup_file_open(&source->stored.input, &source->file));
    TRY(shamir_join(shares, count, &scalar));
    TRY(backup_file_unlock(&source->file, &scalar, &master));
    return seal_keys_new(&master, source->file.facts.cluster, &source->keys);
}

static enum rc source_new(const char *dir, const char *name, const char *const *shares,
                          size_t count, struct restore_source **out)
{
    struct restore_source *source = calloc(1, sizeof *source);
    if (source == NULL)
        return RC_NO_MEMORY;
    source->file = (struct backup_file){.header = BUF_INIT, .key = SECRET_INIT};
    enum rc rc = backup_store_open(dir, name, &source->stored);
    if (rc == RC_OK)
        rc = open_by_shares(source, shares, count);
    if (rc == RC_OK)
        *out = source;
    else
        source_free(source);
    return rc;
}

static enum rc check_target(const struct service *service, const struct backup_facts *facts)
{
    uint64_t token = 0;
    const struct state *state = service->hsm->state;
    if (restore_is_under_way(state))
        return rc_fail(RC_RESTORING, "a restore is under way, or was interrupted: then begin again "
                                     "with an empty state directory");
    if (state_tokens(state, &token, 1) > 0)
        return rc_fail(RC_EXISTS,
                       "this cluster has tokens already: a backup is restored into a new "
                       "cluster alone");
    if (facts != NULL && bytes_equal(bytes_of(facts->cluster, sizeof facts->cluster),
                                     bytes_of(service->config->cluster_id, 16)))
        return rc_fail(RC_EXISTS, "the backup is of this cluster itself: a restored cluster is a "
                                  "new one, with another `cluster` in qhsmd.conf");
    return RC_OK;
}

static bool goes_on(void *context, uint64_t done, uint64_t total)
{
    const struct restore_job *job = context;
    (void)done;
    (void)total;
    return !atomic_load(&job->stopping);
}

/* Everything of the file, by its MACs, its tags, and the state's own hash. */
static enum rc load(struct restore_job *job)
{
    struct restore_source *source = job->source;
    const struct backup_facts *facts = &source->file.facts;
    const struct backup_progress progress = {.report = goes_on, .context = job};
    AUTO_BUF snapshot = BUF_INIT_MAX(facts->snapshot_len + BACKUP_CHUNK_LEN);
    TRY(backup_file_check(&source->file, facts->cluster, source->keys, &progress));
    TRY(backup_file_read(&source->file, &snapshot, &progress));
    TRY(state_new(source->keys, &source->state));
    return state_restore(source->state, buf_bytes(&snapshot));
}

/* ---- through the log */

static void set_progress(struct restore_job *job, uint64_t done, uint64_t total)
{
    (void)pthread_mutex_lock(&job->lock);
    job->status.done = done;
    job->status.total = total;
    (void)pthread_mutex_unlock(&job->lock);
}

static bool is_passing(enum rc rc)
{
    return rc == RC_NO_QUORUM || rc == RC_OUTCOME_UNKNOWN || rc == RC_DEADLINE ||
           rc == RC_OVERLOADED || rc == RC_UNAVAILABLE;
}

/* The same effect until it is in: a change of leaders must not end a restore. */
static enum rc commit(struct restore_job *job, const struct buf *effect)
{
    const struct timespec pause = {.tv_nsec = PAUSE_NS};
    uint64_t until_ms = clock_steady_ms() + PATIENCE_MS;
    for (;;) {
        AUTO_BUF copy = BUF_INIT;
        TRY(buf_append(&copy, buf_bytes(effect)));
        enum rc rc = commit_effect(job->service, &copy, clock_steady_ms() + STEP_MS);
        if (rc == RC_OK || !is_passing(rc) || clock_steady_ms() > until_ms)
            return rc;
        if (atomic_load(&job->stopping))
            return rc_fail(RC_CANCELLED, "the HSM is stopping");
        (void)nanosleep(&pause, NULL);
    }
}

static enum rc put_all(struct restore_job *job, struct restore *restore)
{
    bool last = false;
    while (!last) {
        AUTO_BUF effect = BUF_INIT;
        if (atomic_load(&job->stopping))
            return rc_fail(RC_CANCELLED, "the HSM is stopping");
        TRY(restore_next(restore, clock_wall_ms(), &effect, &last));
        TRY(commit(job, &effect));
        struct restore_progress progress = restore_progress(restore);
        set_progress(job, progress.rows_done, progress.rows);
    }
    return RC_OK;
}

static enum rc run(struct restore_job *job)
{
    struct restore *restore = NULL;
    TRY(load(job));
    TRY(check_target(job->service, NULL));
    TRY(restore_new(job->source->state, job->service->hsm->keys,
                    1U << DOCUMENT_KMS | 1U << DOCUMENT_OWNER, &restore));
    enum rc rc = put_all(job, restore);
    restore_free(restore);
    return rc;
}

/* ---- the job */

static void finish(struct restore_job *job, enum rc rc)
{
    const char *next = restore_is_under_way(job->service->hsm->state)
                           ? "begin again with an empty state directory"
                           : "nothing was changed";
    (void)pthread_mutex_lock(&job->lock);
    struct backup_restore_status *status = &job->status;
    status->finished = true;
    status->rc = rc;
    if (rc != RC_OK)
        (void)snprintf(status->detail, sizeof status->detail, "%s; %s", rc_detail(), next);
    if (rc == RC_OK)
        log_info("restore_done", "rows=%" PRIu64, status->total);
    else
        log_error("restore_failed", "rc=%s detail=\"%s\" rows=%" PRIu64 " of=%" PRIu64,
                  rc_info(rc)->name, status->detail, status->done, status->total);
    (void)pthread_mutex_unlock(&job->lock);
}

static void *run_thread(void *context)
{
    struct restore_job *job = context;
    rc_detail_clear();
    enum rc rc = run(job);
    source_free(job->source);
    job->source = NULL;
    (void)malloc_trim(0); /* as much as the state itself */
    finish(job, rc);
    return NULL;
}

void restore_job_init(struct restore_job *job, struct service *service)
{
    job->service = service;
    (void)pthread_mutex_init(&job->lock, NULL);
    if (restore_is_under_way(service->hsm->state))
        log_error("restore_unfinished",
                  "next=\"wait, if it goes on at another HSM; else begin again with an empty state "
                  "directory\"");
}

void restore_job_stop(struct restore_job *job)
{
    (void)pthread_mutex_lock(&job->lock);
    bool has_thread = job->has_thread;
    atomic_store(&job->stopping, true);
    job->has_thread = false;
    (void)pthread_mutex_unlock(&job->lock);
    if (has_thread)
        (void)pthread_join(job->thread, NULL);
}

void restore_job_clear(struct restore_job *job)
{
    (void)pthread_mutex_destroy(&job->lock);
}

/* The lock is held. */
static enum rc start_thread(struct restore_job *job, struct restore_source *source)
{
    const struct backup_facts *facts = &source->file.facts;
    if (atomic_load(&job->stopping))
        return rc_fail(RC_UNAVAILABLE, "the HSM is stopping");
    if (job->has_thread && !job->status.finished)
        return rc_fail(RC_RESTORING, "a restore is under way");
    if (job->has_thread)
        (void)pthread_join(job->thread, NULL);
    job->has_thread = false;
    job->status =
        (struct backup_restore_status){.total = facts->tokens + facts->users + facts->objects};
    job->source = source; /* the thread's, as soon as there is one */
    log_info("restore_started", "objects=%" PRIu64 " tokens=%" PRIu64 " users=%" PRIu64,
             facts->objects, facts->tokens, facts->users);
    TRY(thread_start(&job->thread, "restore", run_thread, job));
    job->has_thread = true;
    job->was_started = true;
    return RC_OK;
}

enum rc restore_job_start(struct restore_job *job, const char *dir, const char *name,
                          const char *const *shares, size_t count)
{
    struct restore_source *source = NULL;
    TRY(check_target(job->service, NULL));
    TRY(source_new(dir, name, shares, count, &source));
    enum rc rc = check_target(job->service, &source->file.facts);
    if (rc == RC_OK) {
        (void)pthread_mutex_lock(&job->lock);
        rc = start_thread(job, source);
        (void)pthread_mutex_unlock(&job->lock);
    }
    if (rc != RC_OK)
        source_free(source);
    return rc;
}

enum rc restore_job_status(struct restore_job *job, struct backup_restore_status *out)
{
    (void)pthread_mutex_lock(&job->lock);
    *out = job->status;
    bool was_started = job->was_started;
    (void)pthread_mutex_unlock(&job->lock);
    if (was_started)
        return RC_OK;
    if (!restore_is_under_way(job->service->hsm->state))
        return rc_fail(RC_NOT_FOUND, "nothing was restored since this HSM was started");
    out->finished = true;
    out->rc = RC_RESTORING;
    (void)snprintf(out->detail, sizeof out->detail,
                   "not by this HSM: another one does it, or it was interrupted; then begin again "
                   "with an empty state directory");
    return RC_OK;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Making backups, on request and by the schedule. */
#include "cluster/backup.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <time.h>

#include "cluster/backup_internal.h"
#include "cluster/keyfile.h"
#include "cluster/roll.h"
#include "common/log.h"
#include "common/thread.h"
#include "token/restore.h"
#include "token/snapshot_format.h"

#define LOOK_MS         1000U  /* between looks at the schedule */
#define SETTLE_MS       3000U  /* the first one comes soon after the cluster was formed */
#define AGAIN_MS        60000U /* after a failure */
#define SPARE_LEN       ((uint64_t)1024 * 1024)
#define MIB             ((uint64_t)1024 * 1024)
#define PER_CHUNK_EXTRA 64U

/* ---- making one */

static enum rc read_master(const struct server_config *config, struct secret *out)
{
    AUTO_SECRET unlock = SECRET_INIT;
    bool forming = false;
    TRY(keyfile_unlock_key(config->unlock_key, &unlock));
    return keyfile_master(config->state_dir, &unlock, false, out, &forming);
}

/* So that a backup does not fill the disk that the log needs. */
static enum rc check_room(struct backups *backups, uint64_t len)
{
    struct statvfs disk;
    struct consensus_status status;
    const char *dir = backups->dir;
    uint64_t reserve = backups->service->config->disk_reserve_mib * MIB;
    consensus_status(backups->service->consensus, &status);
    if (status.disk_full)
        return rc_fail(RC_DISK, "the disk is full: no backup was made");
    if (statvfs(dir, &disk) != 0)
        return RC_OK;
    uint64_t available = (uint64_t)disk.f_bavail * disk.f_frsize;
    uint64_t wanted = len + len / BACKUP_CHUNK_LEN * PER_CHUNK_EXTRA + SPARE_LEN + reserve;
    if (available < wanted)
        return rc_fail(RC_DISK,
                       "%s has %" PRIu64 " MiB free, a backup needs %" PRIu64 " with the reserve",
                       dir, available / MIB, wanted / MIB + 1);
    return RC_OK;
}

static enum rc put_facts(const struct backups *backups, const struct roll_authority *authority,
                         const struct iovec *parts, const char *reason, struct backup_facts *out)
{
    struct snapshot_head head;
    TRY(snapshot_head_decode(bytes_of(parts[0].iov_base, parts[0].iov_len), &head));
    *out = (struct backup_facts){.time_ms = clock_wall_ms(),
                                 .index = head.applied,
                                 .tokens = head.tokens,
                                 .users = head.users,
                                 .objects = head.objects,
                                 .threshold = (uint8_t)authority->threshold,
                                 .shares = (uint8_t)authority->shares,
                                 .release = QHSM_VERSION};
    memcpy(out->cluster, backups->service->config->cluster_id, sizeof out->cluster);
    memcpy(out->point, authority->backup_point, sizeof out->point);
    (void)snprintf(out->reason, sizeof out->reason, "%s", reason);
    return RC_OK;
}

static bool goes_on(void *context, uint64_t done, uint64_t total)
{
    const struct backups *backups = context;
    (void)done;
    (void)total;
    return !atomic_load(&backups->stopping);
}

static uint64_t length_of(const struct iovec *parts, size_t count)
{
    uint64_t len = 0;
    for (size_t i = 0; i < count; i++)
        len += parts[i].iov_len;
    return len;
}

static enum rc write_snapshot(struct backups *backups, const struct roll_authority *authority,
                              const struct state_snapshot *snapshot, const char *reason,
                              struct backup_info *out)
{
    size_t count = 0;
    const struct iovec *parts = state_snapshot_parts(snapshot, &count);
    AUTO_SECRET master = SECRET_INIT;
    struct backup_plan plan = {.keys = backups->service->hsm->keys, .master = &master};
    const struct backup_progress progress = {.report = goes_on, .context = backups};
    TRY(check_room(backups, length_of(parts, count)));
    TRY(put_facts(backups, authority, parts, reason, &plan.facts));
    TRY(read_master(backups->service->config, &master));
    return backup_store_write(backups->dir, &plan, parts, count, &progress, out);
}

static enum rc make(struct backups *backups, const char *reason, struct backup_info *out)
{
    struct service *service = backups->service;
    struct roll_authority authority = ROLL_AUTHORITY_INIT;
    struct state_snapshot *snapshot = NULL;
    if (atomic_load(&backups->stopping))
        return rc_fail(RC_UNAVAILABLE, "the HSM is stopping");
    if (restore_is_under_way(service->hsm->state))
        return rc_fail(RC_RESTORING, "no backup of what is restored in part only");
    TRY(roll_authority(service->hsm->state, NULL, &authority));
    enum rc rc = consensus_snapshot(service->consensus, &snapshot);
    if (rc == RC_OK)
        rc = write_snapshot(backups, &authority, snapshot, reason, out);
    state_snapshot_free(snapshot);
    roll_authority_clear(&authority);
    return rc;
}

enum rc backups_make(struct backups *backups, const char *reason, struct backup_info *out)
{
    const struct server_config *config = backups->service->config;
    struct backup_info info;
    uint64_t began_ms = clock_steady_ms();
    (void)pthread_mutex_lock(&backups->making);
    enum rc rc = make(backups, reason, &info);
    if (rc == RC_OK)
        backup_store_prune(backups->dir, config->cluster_id, config->backup_keep,
                           config->backup_keep_days, clock_wall_ms());
    (void)pthread_mutex_unlock(&backups->making);
    if (rc != RC_OK)
        return rc;
    log_info("backup_made",
             "file=%s/%s reason=%s index=%" PRIu64 " objects=%" PRIu64 " bytes=%" PRIu64
             " ms=%" PRIu64,
             backups->dir, info.name, info.reason, info.index, info.objects, info.bytes,
             clock_steady_ms() - began_ms);
    atomic_store(&backups->newest_ms, info.time_ms);
    atomic_store(&backups->failing, false);
    *out = info;
    return RC_OK;
}

/* ---- what is there */

bool backups_are_failing(const struct backups *backups)
{
    return atomic_load(&backups->failing);
}

size_t backups_list(struct backups *backups, struct backup_info *out, size_t max)
{
    return backup_store_list(backups->dir, out, max);
}

enum rc backups_verify(struct backups *backups, const char *name, struct backup_info *out)
{
    const struct service *service = backups->service;
    AUTO_STORE_FILE stored = {.fd = -1};
    AUTO_BACKUP_FILE file = {.header = BUF_INIT, .key = SECRET_INIT};
    const struct backup_progress progress = {.report = goes_on, .context = backups};
    TRY(backup_store_open(backups->dir, name, &stored));
    TRY(backup_file_open(&stored.input, &file));
    TRY(backup_file_check(&file, service->config->cluster_id, service->hsm->keys, &progress));
    struct backup_info info; /* the name may be out's own */
    backup_store_info(name, stored.input.len, &file.facts, &info);
    *out = info;
    return RC_OK;
}

/* ---- the schedule */

struct schedule {
    uint64_t formed_ms; /* steady: when it was first seen; 0: not yet */
    uint64_t again_ms;  /* steady: not before */
};

/* Has this cluster's newest backup here become too old, by the wall clock, or is there none? */
static bool is_due(struct backups *backups)
{
    const struct server_config *config = backups->service->config;
    uint64_t interval_ms = config->backup_interval_s * 1000;
    uint64_t now = clock_wall_ms();
    uint64_t newest = atomic_load(&backups->newest_ms);
    uint64_t away = now > newest ? now - newest : newest - now;
    return newest == 0 || away >= interval_ms;
}

static void look(struct backups *backups, struct schedule *schedule)
{
    uint64_t now = clock_steady_ms();
    const struct state *state = backups->service->hsm->state;
    if (now < schedule->again_ms || !roll_is_formed(state) || restore_is_under_way(state))
        return;
    if (schedule->formed_ms == 0)
        schedule->formed_ms = now;
    if (now - schedule->formed_ms < SETTLE_MS || !is_due(backups))
        return;
    struct backup_info info;
    enum rc rc = backups_make(backups, "schedule", &info);
    if (rc == RC_OK || rc == RC_CANCELLED)
        return;
    atomic_store(&backups->failing, true);
    schedule->again_ms = now + AGAIN_MS;
    log_error("backup_failed", "rc=%s detail=\"%s\" next=\"tried again in a minute\"",
              rc_info(rc)->name, rc_detail());
}

static bool wait_a_moment(struct backups *backups)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += LOOK_MS / 1000;
    (void)pthread_mutex_lock(&backups->lock);
    if (!atomic_load(&backups->stopping))
        (void)pthread_cond_timedwait(&backups->changed, &backups->lock, &until);
    (void)pthread_mutex_unlock(&backups->lock);
    return !atomic_load(&backups->stopping);
}

static void *keep_schedule(void *context)
{
    struct backups *backups = context;
    struct schedule schedule = {.formed_ms = 0};
    while (wait_a_moment(backups))
        look(backups, &schedule);
    return NULL;
}

/* ---- start and stop */

static enum rc begin(struct backups *backups)
{
    const struct server_config *config = backups->service->config;
    AUTO_BUF dir = BUF_INIT;
    TRY(buf_printf(&dir, "%s/backups", config->state_dir));
    backups->dir = strdup(buf_str(&dir));
    if (backups->dir == NULL)
        return RC_NO_MEMORY;
    TRY(backup_store_prepare(backups->dir));
    atomic_store(&backups->newest_ms, backup_store_newest(backups->dir, config->cluster_id));
    if (config->backup_interval_s == 0)
        return RC_OK;
    TRY(thread_start(&backups->thread, "backups", keep_schedule, backups));
    backups->has_thread = true;
    return RC_OK;
}

enum rc backups_start(struct service *service, struct backups **out)
{
    struct backups *backups = calloc(1, sizeof *backups);
    if (backups == NULL)
        return RC_NO_MEMORY;
    backups->service = service;
    (void)pthread_mutex_init(&backups->making, NULL);
    (void)pthread_mutex_init(&backups->lock, NULL);
    thread_cond_init(&backups->changed);
    restore_job_init(&backups->restore, service);
    enum rc rc = begin(backups);
    if (rc == RC_OK)
        *out = backups;
    else
        backups_free(backups);
    return rc;
}

void backups_stop(struct backups *backups)
{
    (void)pthread_mutex_lock(&backups->lock);
    atomic_store(&backups->stopping, true);
    (void)pthread_cond_broadcast(&backups->changed);
    (void)pthread_mutex_unlock(&backups->lock);
    if (backups->has_thread)
        (void)pthread_join(backups->thread, NULL);
    backups->has_thread = false;
    restore_job_stop(&backups->restore);
}

void backups_free(struct backups *backups)
{
    if (backups == NULL)
        return;
    backups_stop(backups);
    restore_job_clear(&backups->restore);
    (void)pthread_cond_destroy(&backups->changed);
    (void)pthread_mutex_destroy(&backups->lock);
    (void)pthread_mutex_destroy(&backups->making);
    free(backups->dir);
    free(backups);
}

/* ---- restoring */

enum rc backups_restore(struct backups *backups, const char *name, const char *const *shares,
                        size_t count)
{
    return restore_job_start(&backups->restore, backups->dir, name, shares, count);
}

enum rc backups_restore_status(struct backups *backups, struct backup_restore_status *out)
{
    return restore_job_status(&backups->restore, out);
}

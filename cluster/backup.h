/* SPDX-License-Identifier: Apache-2.0 */
/* Backups: the whole state and the master key, closed to the backup key whose shares the officers
 * hold. Kept in state_dir/backups, by count and age; made on request, by schedule and before the
 * members change. Restored only into a new cluster. */
#ifndef QHSM_CLUSTER_BACKUP_H
#define QHSM_CLUSTER_BACKUP_H

#include <stdbool.h>

#include "common/buf.h"
#include "common/rc.h"

struct backups;
struct service;

struct backup_info {
    char name[96];
    uint64_t bytes, time_ms, index, objects;
    uint8_t cluster[16];
    unsigned threshold, shares;
    char reason[16]; /* "manual", "schedule", "membership"; in a list "damaged" */
};

/* Starts the schedule. After consensus and proposer. RC_DISK. */
enum rc backups_start(struct service *service, struct backups **out);
/* Before proposer and consensus. Ends schedule, restore and what is being made; requests are
 * refused from then on. */
void backups_stop(struct backups *backups);
/* When nobody asks any more. */
void backups_free(struct backups *backups);
/* Blocks; pool threads. RC_NOT_FORMED, RC_DISK, RC_RESTORING. */
enum rc backups_make(struct backups *backups, const char *reason, struct backup_info *out);
/* Did the schedule's last one fail, and none was made since? Any thread. */
bool backups_are_failing(const struct backups *backups);
/* Fills at most `max`, newest first; returns how many there are. */
size_t backups_list(struct backups *backups, struct backup_info *out, size_t max);
/* Everything that can be checked without the shares; `name` of the list, or a full path.
 * RC_TAMPERED says what is damaged; RC_FOREIGN, RC_VERSION, RC_BAD_ARGUMENT (no backup),
 * RC_NOT_FOUND. */
enum rc backups_verify(struct backups *backups, const char *name, struct backup_info *out);

struct backup_restore_status {
    uint64_t done, total; /* rows */
    bool finished;
    enum rc rc; /* of one that failed */
    char detail[256];
};
/* Into this cluster, which must have no token yet: starts it and returns. Blocks for moments; pool
 * threads. RC_BAD_ARGUMENT says which share is wrong; RC_TAMPERED, RC_VERSION, RC_NOT_FOUND as
 * above; RC_EXISTS: there are tokens, or it is the backup's own cluster; RC_RESTORING: one runs, or
 * was interrupted. */
enum rc backups_restore(struct backups *backups, const char *name, const char *const *shares,
                        size_t count);
/* RC_NOT_FOUND: nothing was restored since the start. A restore that was interrupted is finished
 * with RC_RESTORING. Any thread. */
enum rc backups_restore_status(struct backups *backups, struct backup_restore_status *out);

#endif

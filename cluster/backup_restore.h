/* SPDX-License-Identifier: Apache-2.0 */
/* Restoring a backup into this cluster: everything is opened and checked before anything is
 * changed, then goes through the cluster's log. One at a time, on a thread of its own. */
#ifndef QHSM_CLUSTER_BACKUP_RESTORE_H
#define QHSM_CLUSTER_BACKUP_RESTORE_H

#include <pthread.h>
#include <stdatomic.h>

#include "cluster/backup.h"
#include "cluster/service.h"

struct restore_source;

struct restore_job {
    struct service *service;
    pthread_mutex_t lock;
    pthread_t thread;
    bool has_thread; /* to be joined */
    bool was_started;
    struct backup_restore_status status;
    _Atomic bool stopping;
    struct restore_source *source; /* the thread's, while it runs */
};

void restore_job_init(struct restore_job *job, struct service *service);
/* Ends one that runs: what it has done so far stays, and the cluster says that it is half. */
void restore_job_stop(struct restore_job *job);
void restore_job_clear(struct restore_job *job);
/* As backups_restore(). Reads the header and opens the file by the shares here and now; the rest on
 * the thread. */
enum rc restore_job_start(struct restore_job *job, const char *dir, const char *name,
                          const char *const *shares, size_t count);
enum rc restore_job_status(struct restore_job *job, struct backup_restore_status *out);

#endif

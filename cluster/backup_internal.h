/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of backups: the schedule's thread and the restore's. */
#ifndef QHSM_CLUSTER_BACKUP_INTERNAL_H
#define QHSM_CLUSTER_BACKUP_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "cluster/backup_restore.h"
#include "cluster/backup_store.h"
#include "cluster/service.h"

struct backups {
    struct service *service;
    char *dir;              /* state_dir/backups */
    pthread_mutex_t making; /* one at a time */
    pthread_mutex_t lock;   /* wakes the schedule when stopping */
    pthread_cond_t changed;
    pthread_t thread;
    bool has_thread;
    _Atomic bool stopping;
    _Atomic bool failing;       /* the schedule's last one; none since */
    _Atomic uint64_t newest_ms; /* wall clock, of this cluster's newest backup here; 0: none */
    struct restore_job restore;
};

#endif

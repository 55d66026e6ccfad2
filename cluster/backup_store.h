/* SPDX-License-Identifier: Apache-2.0 */
/* The directory of backups: names, writing all or nothing, reading, and which may go. */
#ifndef QHSM_CLUSTER_BACKUP_STORE_H
#define QHSM_CLUSTER_BACKUP_STORE_H

#include "cluster/backup.h"
#include "token/backup_file.h"

#define BACKUP_STORE_SUFFIX ".qhsmbackup"

/* ---- reading: an open file as the format's input */

struct backup_store_file {
    int fd;
    struct backup_input input; /* borrows the file: it must not move */
};
/* A name of the directory, or with a slash a path on this host. RC_NOT_FOUND, RC_IO. */
enum rc backup_store_open(const char *dir, const char *name, struct backup_store_file *out);
void backup_store_close(struct backup_store_file *file);
#define AUTO_STORE_FILE __attribute__((cleanup(backup_store_close))) struct backup_store_file

/* What the header says, for a list. */
void backup_store_info(const char *name, uint64_t bytes, const struct backup_facts *facts,
                       struct backup_info *out);

/* ---- writing */

/* Under another name, with nothing of it left when anything fails: written, synced, read back and
 * checked, renamed. *out_name is the new one's. RC_DISK, RC_CANCELLED. */
enum rc backup_store_write(const char *dir, struct backup_plan *plan, const struct iovec *parts,
                           size_t count, const struct backup_progress *progress,
                           struct backup_info *out);
/* What a process that was killed left unfinished goes. The directory is made when it is not there.
 */
enum rc backup_store_prepare(const char *dir);

/* ---- what is there */

/* At most `max`, newest first; returns how many there are. One that cannot be read has the reason
 * "damaged". */
size_t backup_store_list(const char *dir, struct backup_info *out, size_t max);
/* Time of this cluster's newest, 0: none. */
uint64_t backup_store_newest(const char *dir, const uint8_t cluster[16]);
/* Removes this cluster's oldest beyond `keep`, and those older than `days` (0: no limit), but never
 * the newest. */
void backup_store_prune(const char *dir, const uint8_t cluster[16], size_t keep, uint64_t days,
                        uint64_t now_ms);

#endif

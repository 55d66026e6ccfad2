/* SPDX-License-Identifier: Apache-2.0 */
/* What unlocks an HSM, and the files of its state directory that are not the log. */
#ifndef QHSM_CLUSTER_KEYFILE_H
#define QHSM_CLUSTER_KEYFILE_H

#include <stdbool.h>

#include "common/rc.h"
#include "common/secret.h"

/* `source` is a path or credential:NAME (systemd.exec(5), CREDENTIALS_DIRECTORY). A file must be a
 * regular one of ours or root's, closed to group and others. RC_SEALED says what is wrong. */
enum rc keyfile_unlock_key(const char *source, struct secret *out);

/* Opens state_dir (made when absent, 0700) for this process alone until it ends: *out_fd holds the
 * lock. RC_CONFIG when another daemon has it. */
enum rc keyfile_lock_dir(const char *state_dir, int *out_fd);

/* Reads and unwraps state_dir/master.key. When there is none: with `bootstrap`, in a directory
 * without a log, makes one; else RC_SEALED. *out_forming: the cluster of one is still to be formed,
 * now or after an interrupted start; call keyfile_formed() when it is. */
enum rc keyfile_master(const char *state_dir, const struct secret *unlock, bool bootstrap,
                       struct secret *out, bool *out_forming);
enum rc keyfile_formed(const char *state_dir);

/* Another HSM's master key comes into a new directory: wrapped under the unlock key, stored last of
 * all that a joiner gets. keyfile_master() takes the directory without a log until
 * keyfile_joined() says that it has one. RC_DISK. */
enum rc keyfile_store_master(const char *state_dir, const struct secret *unlock,
                             const struct secret *master);
enum rc keyfile_joined(const char *state_dir);

/* All or nothing, mode 0600; the directory is there. RC_DISK. */
enum rc keyfile_write(const char *path, struct bytes content);
/* Gone for good, or never there. RC_DISK. */
enum rc keyfile_remove(const char *path);
/* Content of a small file (certificates), at most 1 MiB. */
enum rc keyfile_read(const char *path, struct buf *out);
enum rc keyfile_read_secret(const char *path, struct secret *out);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* How far the log was known to be stored, beside the log (DIR.mark): the engine cuts a damaged open
 * segment off without a word, which would lose acknowledged changes. */
#ifndef QHSM_CLUSTER_LOG_MARK_H
#define QHSM_CLUSTER_LOG_MARK_H

#include <stdint.h>

#include "common/rc.h"

struct log_mark {
    int fd; /* -1: not open */
    uint64_t index;
};

/* Reads the mark of the log in `dir`, makes one (0) where there is none. RC_DISK, RC_TAMPERED. */
enum rc log_mark_open(const char *dir, struct log_mark *out);
/* RC_TAMPERED when the log that was loaded ends before the mark. */
enum rc log_mark_check(const struct log_mark *mark, const char *dir, uint64_t last_index);
/* Moves it on, never back. Not synced: it may lag behind the log, which is synced. */
void log_mark_set(struct log_mark *mark, uint64_t index);
void log_mark_close(struct log_mark *mark);

#endif

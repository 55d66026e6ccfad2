/* SPDX-License-Identifier: Apache-2.0 */
/* What the engine does not keep of its log, beside the log (DIR.mark): how far it was known to be
 * stored, since the engine cuts a damaged open segment off without a word, which would lose
 * acknowledged changes; and where it was cut last at a leader's word, since the engine cannot start
 * with a log that it was cutting when it died. */
#ifndef QHSM_CLUSTER_LOG_MARK_H
#define QHSM_CLUSTER_LOG_MARK_H

#include <stdint.h>

#include "common/rc.h"

#define LOG_MARK_CUTS 16U

struct log_mark {
    int fd; /* -1: not open */
    uint64_t index;
    uint64_t cuts[LOG_MARK_CUTS]; /* first entries that were to go; 0: none. The engine may have
                                     several to do */
    unsigned next;                /* of them, to be written over */
};

/* Reads the mark of the log in `dir`, makes one (0) where there is none. RC_DISK, RC_TAMPERED. */
enum rc log_mark_open(const char *dir, struct log_mark *out);
/* RC_TAMPERED when the log that was loaded ends before the mark. */
enum rc log_mark_check(const struct log_mark *mark, const char *dir, uint64_t last_index);
/* Moves it on, never back. Not synced: it may lag behind the log, which is synced. */
void log_mark_set(struct log_mark *mark, uint64_t index);
/* Before entries from `index` on are cut off; synced. RC_DISK. */
enum rc log_mark_cut(struct log_mark *mark, uint64_t index);
/* Removes the segments that a cut has left behind, before the engine reads the log. RC_DISK. */
enum rc log_mark_finish_cut(const struct log_mark *mark, const char *dir);
void log_mark_close(struct log_mark *mark);

#endif

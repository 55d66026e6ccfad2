/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of fixed length, the mark and the cuts, so that writing one again never changes the file's
 * size. */
#include "cluster/log_mark.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/log.h"

#define DIGITS         20
#define MARK_LEN       ((size_t)DIGITS + 1)
#define SEGMENT_DIGITS 16U

#define LINES (1 + LOG_MARK_CUTS)

static bool put(int fd, size_t line, uint64_t index)
{
    char text[MARK_LEN + 1];
    (void)snprintf(text, sizeof text, "%0*" PRIu64 "\n", DIGITS, index);
    return pwrite(fd, text, MARK_LEN, (off_t)(line * MARK_LEN)) == (ssize_t)MARK_LEN;
}

static bool put_missing(int fd, size_t there)
{
    for (size_t line = there; line < LINES; line++)
        if (!put(fd, line, 0))
            return false;
    return there == LINES || fsync(fd) == 0;
}

static bool parse(const char *text, uint64_t *out)
{
    *out = strtoull(text, NULL, 10);
    return strspn(text, "0123456789") == DIGITS && text[DIGITS] == '\n';
}

static enum rc get(const char *path, struct log_mark *out)
{
    char text[LINES * MARK_LEN + 1] = "";
    ssize_t len = pread(out->fd, text, sizeof text - 1, 0);
    size_t there = len < 0 ? 0 : ((size_t)len + MARK_LEN - 1) / MARK_LEN;
    bool good = true;
    for (size_t line = 0; good && line < there; line++)
        good = parse(text + line * MARK_LEN, line == 0 ? &out->index : &out->cuts[line - 1]);
    if (!good)
        return rc_fail(RC_TAMPERED,
                       "%s, which says how long the log was, is damaged; remove it to start "
                       "without that check",
                       path);
    return len >= 0 && put_missing(out->fd, there)
               ? RC_OK
               : rc_fail(RC_DISK, "%s: %s", path, strerror(errno));
}

enum rc log_mark_open(const char *dir, struct log_mark *out)
{
    AUTO_BUF path = BUF_INIT;
    TRY(buf_printf(&path, "%s.mark", dir));
    const char *name = buf_str(&path);
    int fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return rc_fail(RC_DISK, "%s: %s", name, strerror(errno));
    *out = (struct log_mark){.fd = fd};
    return get(name, out);
}

enum rc log_mark_check(const struct log_mark *mark, const char *dir, uint64_t last_index)
{
    if (last_index >= mark->index)
        return RC_OK;
    return rc_fail(RC_TAMPERED,
                   "%s: the log ends at entry %" PRIu64 ", but had %" PRIu64 ": damaged or an old "
                   "copy; restore it from a backup, or remove %s.mark to accept the loss",
                   dir, last_index, mark->index, dir);
}

void log_mark_set(struct log_mark *mark, uint64_t index)
{
    if (mark->fd < 0 || index <= mark->index)
        return;
    if (!put(mark->fd, 0, index))
        log_warn("log_mark_not_written", "index=%" PRIu64 " error=\"%s\"", index, strerror(errno));
    mark->index = index;
}

enum rc log_mark_cut(struct log_mark *mark, uint64_t index)
{
    unsigned at = mark->next;
    mark->next = (at + 1) % LOG_MARK_CUTS;
    mark->cuts[at] = index;
    return put(mark->fd, 1 + at, index) && fdatasync(mark->fd) == 0
               ? RC_OK
               : rc_fail(RC_DISK, "the mark of the log: %s", strerror(errno));
}

/* ---- closed segments, named FIRST-LAST */

struct segment {
    uint64_t first, last;
};

static bool is_segment(const char *name, struct segment *out)
{
    static const char digits[] = "0123456789";
    if (strspn(name, digits) != SEGMENT_DIGITS || name[SEGMENT_DIGITS] != '-' ||
        strspn(name + SEGMENT_DIGITS + 1, digits) != SEGMENT_DIGITS ||
        name[2 * SEGMENT_DIGITS + 1] != 0)
        return false;
    out->first = strtoull(name, NULL, 10);
    out->last = strtoull(name + SEGMENT_DIGITS + 1, NULL, 10);
    return true;
}

/* A cut writes what stays of a segment under a name of its own, then removes the segment and those
 * after it, oldest first. So while it lasts there is a segment up to the entry before, none from
 * that entry on, and others that go further; never otherwise. */
static bool is_half_cut(DIR *listing, uint64_t cut)
{
    bool ends_before = false;
    bool begins_there = false;
    bool goes_further = false;
    struct segment segment;
    rewinddir(listing);
    for (const struct dirent *entry; (entry = readdir(listing)) != NULL;) {
        if (!is_segment(entry->d_name, &segment))
            continue;
        ends_before = ends_before || segment.last == cut - 1;
        begins_there = begins_there || segment.first == cut;
        goes_further = goes_further || segment.last >= cut;
    }
    return ends_before && !begins_there && goes_further;
}

static enum rc remove_from(DIR *listing, const char *dir, uint64_t cut)
{
    struct segment segment;
    rewinddir(listing);
    for (const struct dirent *entry; (entry = readdir(listing)) != NULL;) {
        if (!is_segment(entry->d_name, &segment) || segment.last < cut)
            continue;
        if (unlinkat(dirfd(listing), entry->d_name, 0) != 0)
            return rc_fail(RC_DISK, "%s/%s: %s", dir, entry->d_name, strerror(errno));
        log_info("log_cut_finished", "dir=%s index=%" PRIu64 " segment=%s", dir, cut,
                 entry->d_name);
    }
    return fsync(dirfd(listing)) == 0 ? RC_OK : rc_fail(RC_DISK, "%s: %s", dir, strerror(errno));
}

enum rc log_mark_finish_cut(const struct log_mark *mark, const char *dir)
{
    DIR *listing = opendir(dir);
    if (listing == NULL)
        return errno == ENOENT ? RC_OK : rc_fail(RC_DISK, "%s: %s", dir, strerror(errno));
    enum rc rc = RC_OK;
    for (unsigned i = 0; rc == RC_OK && i < LOG_MARK_CUTS; i++)
        if (mark->cuts[i] != 0 && is_half_cut(listing, mark->cuts[i]))
            rc = remove_from(listing, dir, mark->cuts[i]);
    (void)closedir(listing);
    return rc;
}

void log_mark_close(struct log_mark *mark)
{
    if (mark->fd >= 0)
        (void)close(mark->fd);
    mark->fd = -1;
}

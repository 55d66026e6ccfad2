/* SPDX-License-Identifier: Apache-2.0 */
/* The mark is one line of fixed length, so that writing it again never changes the file's size. */
#include "cluster/log_mark.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/log.h"

#define DIGITS   20
#define MARK_LEN ((size_t)DIGITS + 1)

static bool put(int fd, uint64_t index)
{
    char line[MARK_LEN + 1];
    (void)snprintf(line, sizeof line, "%0*" PRIu64 "\n", DIGITS, index);
    return pwrite(fd, line, MARK_LEN, 0) == (ssize_t)MARK_LEN;
}

static enum rc get(int fd, const char *path, uint64_t *out)
{
    char line[MARK_LEN + 1] = "";
    ssize_t n = pread(fd, line, MARK_LEN, 0);
    if (n < 0)
        return rc_fail(RC_DISK, "%s: %s", path, strerror(errno));
    *out = 0;
    if (n == 0) /* new */
        return put(fd, 0) && fsync(fd) == 0 ? RC_OK
                                            : rc_fail(RC_DISK, "%s: %s", path, strerror(errno));
    if (strspn(line, "0123456789") != DIGITS || line[DIGITS] != '\n')
        return rc_fail(RC_TAMPERED,
                       "%s, which says how long the log was, is damaged; remove it to start "
                       "without that check",
                       path);
    *out = strtoull(line, NULL, 10);
    return RC_OK;
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
    return get(fd, name, &out->index);
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
    if (!put(mark->fd, index))
        log_warn("log_mark_not_written", "index=%" PRIu64 " error=\"%s\"", index, strerror(errno));
    mark->index = index;
}

void log_mark_close(struct log_mark *mark)
{
    if (mark->fd >= 0)
        (void)close(mark->fd);
    mark->fd = -1;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Files of a development cluster. */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/dev.h"

enum rc dev_dir_make(const char *path, mode_t mode)
{
    AUTO_BUF part = BUF_INIT;
    for (const char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        buf_clear(&part);
        TRY(buf_printf(&part, "%.*s", (int)(slash - path), path));
        if (mkdir(buf_str(&part), 0755) != 0 && errno != EEXIST)
            return rc_fail(RC_IO, "%s: %s", buf_str(&part), strerror(errno));
    }
    if (mkdir(path, mode) != 0)
        return errno == EEXIST ? RC_OK : rc_fail(RC_IO, "%s: %s", path, strerror(errno));
    /* Whatever the umask is; but a directory of somebody else's keeps its mode. */
    return chmod(path, mode) == 0 ? RC_OK : rc_fail(RC_IO, "%s: %s", path, strerror(errno));
}

static enum rc write_all(int fd, const char *path, struct bytes content)
{
    size_t done = 0;
    while (done < content.len) {
        ssize_t wrote = write(fd, content.ptr + done, content.len - done);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote < 0)
            return rc_fail(RC_IO, "%s: %s", path, strerror(errno));
        done += (size_t)wrote;
    }
    return RC_OK;
}

enum rc dev_file_write(const char *path, mode_t mode, struct bytes content)
{
    AUTO_BUF part = BUF_INIT;
    TRY(buf_printf(&part, "%s.part", path));
    (void)unlink(buf_str(&part));
    int fd = open(buf_str(&part), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (fd < 0)
        return rc_fail(RC_IO, "%s: %s", buf_str(&part), strerror(errno));
    enum rc rc = write_all(fd, path, content);
    if (close(fd) != 0 && rc == RC_OK)
        rc = rc_fail(RC_IO, "%s: %s", path, strerror(errno));
    if (rc == RC_OK && rename(buf_str(&part), path) != 0)
        rc = rc_fail(RC_IO, "%s: %s", path, strerror(errno));
    return rc;
}

enum rc dev_file_read(const char *path, struct buf *out)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return rc_fail(errno == ENOENT ? RC_NOT_FOUND : RC_IO, "%s: %s", path, strerror(errno));
    uint8_t chunk[4096];
    enum rc rc = RC_OK;
    for (;;) {
        ssize_t got = read(fd, chunk, sizeof chunk);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            rc = rc_fail(RC_IO, "%s: %s", path, strerror(errno));
        if (got <= 0 || rc != RC_OK)
            break;
        rc = buf_append(out, bytes_of(chunk, (size_t)got));
    }
    secret_wipe(chunk, sizeof chunk);
    (void)close(fd);
    return rc;
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *walk)
{
    (void)info;
    (void)kind;
    (void)walk;
    return remove(path);
}

enum rc dev_remove(const char *path)
{
    if (nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS) != 0 && errno != ENOENT)
        return rc_fail(RC_IO, "%s: %s", path, strerror(errno));
    return RC_OK;
}

/* In the build tree the parts lie beside tools/; installed, where CMake put them. */
enum rc dev_program(const char *installed, const char *in_build, struct buf *out)
{
    char self[PATH_MAX];
    ssize_t len = readlink("/proc/self/exe", self, sizeof self - 1);
    if (len <= 0)
        return rc_fail(RC_IO, "/proc/self/exe: %s", strerror(errno));
    self[len] = 0;
    char *slash = strrchr(self, '/');
    *slash = 0;
    AUTO_BUF beside = BUF_INIT;
    TRY(buf_printf(&beside, "%s/../%s", self, in_build));
    char real[PATH_MAX];
    if (realpath(buf_str(&beside), real) != NULL || realpath(installed, real) != NULL)
        return buf_printf(out, "%s", real);
    return rc_fail(RC_NOT_FOUND, "neither %s nor %s exists", buf_str(&beside), installed);
}

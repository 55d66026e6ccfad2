/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster/zeroize.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/log.h"

#define MARK "zeroized"

static const char mark_text[] =
    "This HSM was tampered with and has erased its keys. It does not start any more.\n"
    "On another HSM: qhsm member remove. Then remove this directory, and let the HSM join anew.\n";

static enum rc state_path(const struct server_config *config, const char *name, struct buf *out)
{
    return buf_printf(out, "%s/%s", config->state_dir, name);
}

bool zeroize_is_marked(const struct server_config *config)
{
    AUTO_BUF path = BUF_INIT;
    return state_path(config, MARK, &path) == RC_OK && access(buf_str(&path), F_OK) == 0;
}

static enum rc write_zeros(int fd, const char *path, off_t len)
{
    static const uint8_t zeros[65536];
    while (len > 0) {
        size_t part = len < (off_t)sizeof zeros ? (size_t)len : sizeof zeros;
        ssize_t n = write(fd, zeros, part);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return rc_fail(RC_DISK, "%s: %s", path, strerror(errno));
        len -= n;
    }
    return fsync(fd) == 0 ? RC_OK : rc_fail(RC_DISK, "%s: %s", path, strerror(errno));
}

/* Overwritten in place, as far as the file system does that; then removed even if it could not be.
 */
static enum rc erase(const char *path)
{
    struct stat info;
    int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 && errno == ENOENT)
        return RC_OK;
    enum rc rc = RC_OK;
    if (fd >= 0 && fstat(fd, &info) == 0 && S_ISREG(info.st_mode))
        rc = write_zeros(fd, path, info.st_size);
    if (fd >= 0)
        (void)close(fd);
    if (unlink(path) != 0 && errno != ENOENT)
        rc = rc_fail(RC_DISK, "%s: %s", path, strerror(errno));
    return rc;
}

static enum rc put_mark(const struct server_config *config)
{
    AUTO_BUF path = BUF_INIT;
    TRY(state_path(config, MARK, &path));
    int fd = open(buf_str(&path), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    bool is_good = fd >= 0 &&
                   write(fd, mark_text, sizeof mark_text - 1) == (ssize_t)(sizeof mark_text - 1) &&
                   fsync(fd) == 0;
    int error = errno;
    if (fd >= 0)
        (void)close(fd);
    return is_good ? RC_OK : rc_fail(RC_DISK, "%s: %s", buf_str(&path), strerror(error));
}

enum rc zeroize_begin(const struct server_config *config, const char *reason)
{
    AUTO_BUF master = BUF_INIT;
    log_error("zeroized", "node=%lu zone=%s reason=\"%s\" next=\"qhsm member remove\"",
              config->node, config->zone, reason);
    enum rc rc = put_mark(config);
    TRY(state_path(config, "master.key", &master));
    TRY(erase(buf_str(&master)));
    if (config->key != NULL)
        TRY(erase(config->key));
    return rc;
}

/* Of nftw(): the first that failed is told, the rest is tried all the same. */
static enum rc first_failure;

static int erase_entry(const char *path, const struct stat *info, int kind, struct FTW *walk)
{
    const char *name = path + walk->base;
    (void)info;
    if (walk->level == 0 || strcmp(name, MARK) == 0 || strcmp(name, "lock") == 0)
        return 0;
    enum rc rc = RC_OK;
    if (kind != FTW_DP)
        rc = erase(path);
    else if (rmdir(path) != 0)
        rc = rc_fail(RC_DISK, "%s: %s", path, strerror(errno));
    if (first_failure == RC_OK)
        first_failure = rc;
    return 0;
}

enum rc zeroize_finish(const struct server_config *config)
{
    first_failure = RC_OK;
    if (nftw(config->state_dir, erase_entry, 16, FTW_DEPTH | FTW_PHYS) != 0 && errno != ENOENT)
        return rc_fail(RC_DISK, "%s: %s", config->state_dir, strerror(errno));
    return first_failure;
}

enum rc zeroize_check(const struct server_config *config)
{
    if (!zeroize_is_marked(config))
        return RC_OK;
    TRY(zeroize_finish(config));
    return rc_fail(RC_ZEROIZED, "%s/" MARK " says so", config->state_dir);
}

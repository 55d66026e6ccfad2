/* SPDX-License-Identifier: Apache-2.0 */
/* state_dir/backups, written: all of a backup or nothing. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cluster/backup_store.h"
#include "common/log.h"

#define UNFINISHED ".unfinished"
#define FRESH      "new" UNFINISHED
#define NAME_TRIES 60U

struct target {
    int fd;
    const char *dir;
    const char *path; /* of the unfinished file */
};

static enum rc write_some(void *context, struct bytes data)
{
    const struct target *target = context;
    while (data.len > 0) {
        ssize_t n = write(target->fd, data.ptr, data.len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return rc_fail(RC_DISK, "%s: %s", target->path, strerror(errno));
        data = bytes_slice(data, (size_t)n, data.len);
    }
    return RC_OK;
}

/* What is on the disk is what was meant, by its own MACs. */
static enum rc check_back(const struct target *target, const struct backup_plan *plan)
{
    AUTO_STORE_FILE stored = {.fd = -1};
    AUTO_BACKUP_FILE file = {.header = BUF_INIT, .key = SECRET_INIT};
    TRY(backup_store_open(target->dir, FRESH, &stored));
    TRY(backup_file_open(&stored.input, &file));
    return backup_file_check(&file, plan->facts.cluster, plan->keys, NULL);
}

static enum rc sync_dir(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool done = fd >= 0 && fsync(fd) == 0;
    enum rc rc = done ? RC_OK : rc_fail(RC_DISK, "%s: %s", path, strerror(errno));
    if (fd >= 0)
        (void)close(fd);
    return rc;
}

/* 2026-11-22T10-15-00Z-INDEX: a later second when another backup has that name. */
static enum rc put_name(const struct backup_facts *facts, unsigned later_s, struct buf *out)
{
    char text[32];
    struct tm tm;
    time_t when = (time_t)(facts->time_ms / 1000) + (time_t)later_s;
    if (gmtime_r(&when, &tm) == NULL || strftime(text, sizeof text, "%Y-%m-%dT%H-%M-%SZ", &tm) == 0)
        return rc_fail(RC_INTERNAL, "the time cannot be written");
    return buf_printf(out, "%s-%" PRIu64 BACKUP_STORE_SUFFIX, text, facts->index);
}

/* Takes no other's name. */
static enum rc rename_new(const struct target *target, const struct backup_facts *facts,
                          struct buf *out_name)
{
    for (unsigned i = 0; i < NAME_TRIES; i++) {
        AUTO_BUF path = BUF_INIT;
        TRY(buf_resize(out_name, 0));
        TRY(put_name(facts, i, out_name));
        TRY(buf_printf(&path, "%s/%s", target->dir, buf_str(out_name)));
        if (link(target->path, buf_str(&path)) == 0)
            return unlink(target->path) == 0
                       ? RC_OK
                       : rc_fail(RC_DISK, "%s: %s", target->path, strerror(errno));
        if (errno != EEXIST)
            return rc_fail(RC_DISK, "%s: %s", buf_str(&path), strerror(errno));
    }
    return rc_fail(RC_EXISTS, "%u backups of this minute are there already", NAME_TRIES);
}

static enum rc fill(const struct target *target, struct backup_plan *plan,
                    const struct iovec *parts, size_t count, const struct backup_progress *progress)
{
    struct target copy = *target;
    const struct backup_output output = {.write = write_some, .context = &copy};
    TRY(backup_file_write(plan, parts, count, &output, progress));
    if (fsync(target->fd) != 0)
        return rc_fail(RC_DISK, "%s: %s", target->path, strerror(errno));
    return check_back(target, plan);
}

static enum rc write_whole(struct target *target, struct backup_plan *plan,
                           const struct iovec *parts, size_t count,
                           const struct backup_progress *progress, struct backup_info *out)
{
    struct stat info;
    AUTO_BUF name = BUF_INIT;
    TRY(fill(target, plan, parts, count, progress));
    if (fstat(target->fd, &info) != 0)
        return rc_fail(RC_DISK, "%s: %s", target->path, strerror(errno));
    TRY(rename_new(target, &plan->facts, &name));
    TRY(sync_dir(target->dir));
    backup_store_info(buf_str(&name), (uint64_t)info.st_size, &plan->facts, out);
    return RC_OK;
}

enum rc backup_store_write(const char *dir, struct backup_plan *plan, const struct iovec *parts,
                           size_t count, const struct backup_progress *progress,
                           struct backup_info *out)
{
    AUTO_BUF path = BUF_INIT;
    TRY(buf_printf(&path, "%s/" FRESH, dir));
    struct target target = {.dir = dir, .path = buf_str(&path)};
    target.fd = open(target.path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (target.fd < 0)
        return rc_fail(RC_DISK, "%s: %s", target.path, strerror(errno));
    enum rc rc = write_whole(&target, plan, parts, count, progress, out);
    (void)close(target.fd);
    if (rc != RC_OK)
        (void)unlink(target.path);
    return rc;
}

static bool is_unfinished(const char *name)
{
    size_t len = strlen(name);
    size_t suffix = strlen(UNFINISHED);
    return len > suffix && strcmp(name + len - suffix, UNFINISHED) == 0;
}

enum rc backup_store_prepare(const char *path)
{
    if (mkdir(path, 0700) != 0 && errno != EEXIST)
        return rc_fail(RC_DISK, "%s: %s", path, strerror(errno));
    DIR *dir = opendir(path);
    if (dir == NULL)
        return rc_fail(RC_DISK, "%s: %s", path, strerror(errno));
    for (struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        if (!is_unfinished(entry->d_name) || unlinkat(dirfd(dir), entry->d_name, 0) != 0)
            continue;
        log_warn("backup_unfinished_removed", "file=%s/%s", path, entry->d_name);
    }
    (void)closedir(dir);
    return RC_OK;
}

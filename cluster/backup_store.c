/* SPDX-License-Identifier: Apache-2.0 */
/* state_dir/backups, read: opening, listing, pruning. */
#include "cluster/backup_store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/log.h"

#define LIST_MAX 16384U
#define DAY_MS   ((uint64_t)24 * 3600 * 1000)

/* ---- opening */

static enum rc read_at(void *context, uint64_t offset, uint8_t *out, size_t len)
{
    const struct backup_store_file *file = context;
    while (len > 0) {
        ssize_t n = pread(file->fd, out, len, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return rc_fail(RC_IO, "reading the backup: %s",
                           n < 0 ? strerror(errno) : "it became shorter");
        out += n;
        offset += (uint64_t)n;
        len -= (size_t)n;
    }
    return RC_OK;
}

static enum rc open_path(const char *path, struct backup_store_file *out)
{
    struct stat info;
    /* a fifo must not hold us up */
    out->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (out->fd < 0)
        return rc_fail(errno == ENOENT ? RC_NOT_FOUND : RC_IO, "%s: %s", path, strerror(errno));
    if (fstat(out->fd, &info) != 0 || !S_ISREG(info.st_mode)) {
        backup_store_close(out);
        return rc_fail(RC_IO, "%s is not a regular file", path);
    }
    out->input =
        (struct backup_input){.read = read_at, .context = out, .len = (uint64_t)info.st_size};
    return RC_OK;
}

enum rc backup_store_open(const char *dir, const char *name, struct backup_store_file *out)
{
    out->fd = -1;
    if (name[0] == 0)
        return rc_fail(RC_BAD_ARGUMENT, "a backup without a name");
    if (name[0] == '/')
        return open_path(name, out);
    if (strchr(name, '/') != NULL)
        return rc_fail(RC_BAD_ARGUMENT,
                       "%s is neither a backup's name nor a full path on the HSM's host", name);
    AUTO_BUF path = BUF_INIT;
    TRY(buf_printf(&path, "%s/%s", dir, name));
    return open_path(buf_str(&path), out);
}

void backup_store_close(struct backup_store_file *file)
{
    if (file->fd >= 0)
        (void)close(file->fd);
    file->fd = -1;
}

void backup_store_info(const char *name, uint64_t bytes, const struct backup_facts *facts,
                       struct backup_info *out)
{
    const char *slash = strrchr(name, '/');
    *out = (struct backup_info){.bytes = bytes,
                                .time_ms = facts->time_ms,
                                .index = facts->index,
                                .objects = facts->objects,
                                .threshold = facts->threshold,
                                .shares = facts->shares};
    memcpy(out->cluster, facts->cluster, sizeof out->cluster);
    (void)snprintf(out->name, sizeof out->name, "%s", slash == NULL ? name : slash + 1);
    (void)snprintf(out->reason, sizeof out->reason, "%s", facts->reason);
}

/* ---- listing */

static bool is_backup(const struct dirent *entry)
{
    size_t len = strlen(entry->d_name);
    size_t suffix = strlen(BACKUP_STORE_SUFFIX);
    return entry->d_name[0] != '.' && len > suffix &&
           len < sizeof((struct backup_info *)NULL)->name &&
           strcmp(entry->d_name + len - suffix, BACKUP_STORE_SUFFIX) == 0;
}

static void read_info(const char *dir, const char *name, struct backup_info *out)
{
    AUTO_STORE_FILE stored = {.fd = -1};
    AUTO_BACKUP_FILE file = {.header = BUF_INIT, .key = SECRET_INIT};
    const struct backup_facts unknown = {.reason = "damaged"};
    bool is_read = backup_store_open(dir, name, &stored) == RC_OK &&
                   backup_file_open(&stored.input, &file) == RC_OK;
    uint64_t bytes = stored.fd >= 0 ? stored.input.len : 0;
    backup_store_info(name, bytes, is_read ? &file.facts : &unknown, out);
}

static int newest_first(const void *a, const void *b)
{
    const struct backup_info *x = a;
    const struct backup_info *y = b;
    if (x->time_ms != y->time_ms)
        return x->time_ms > y->time_ms ? -1 : 1;
    return strcmp(y->name, x->name);
}

/* All of them, on the heap. */
static struct backup_info *read_all(const char *path, size_t *out_count)
{
    size_t count = 0;
    size_t cap = 0;
    struct backup_info *all = NULL;
    DIR *dir = opendir(path);
    struct dirent *entry = dir == NULL ? NULL : readdir(dir);
    for (; entry != NULL && count < LIST_MAX; entry = readdir(dir)) {
        if (!is_backup(entry))
            continue;
        if (count == cap) {
            cap = cap == 0 ? 32 : cap * 2;
            struct backup_info *grown = realloc(all, cap * sizeof *all);
            if (grown == NULL)
                break;
            all = grown;
        }
        read_info(path, entry->d_name, &all[count++]);
    }
    if (dir != NULL)
        (void)closedir(dir);
    if (count > 1)
        qsort(all, count, sizeof *all, newest_first);
    *out_count = count;
    return all;
}

size_t backup_store_list(const char *dir, struct backup_info *out, size_t max)
{
    size_t count = 0;
    struct backup_info *all = read_all(dir, &count);
    size_t given = count < max ? count : max;
    if (given > 0)
        memcpy(out, all, given * sizeof *out);
    free(all);
    return count;
}

/* ---- pruning */

static bool is_ours(const struct backup_info *info, const uint8_t cluster[16])
{
    return info->time_ms != 0 &&
           bytes_equal(bytes_of(info->cluster, sizeof info->cluster), bytes_of(cluster, 16));
}

uint64_t backup_store_newest(const char *dir, const uint8_t cluster[16])
{
    size_t count = 0;
    uint64_t newest = 0;
    struct backup_info *all = read_all(dir, &count);
    for (size_t i = 0; i < count && newest == 0; i++)
        newest = is_ours(&all[i], cluster) ? all[i].time_ms : 0;
    free(all);
    return newest;
}

static void remove_backup(const char *dir, const struct backup_info *info)
{
    AUTO_BUF path = BUF_INIT;
    if (buf_printf(&path, "%s/%s", dir, info->name) != RC_OK)
        return;
    if (unlink(buf_str(&path)) == 0)
        log_info("backup_removed", "file=%s", buf_str(&path));
    else
        log_warn("backup_not_removed", "file=%s error=\"%s\"", buf_str(&path), strerror(errno));
}

void backup_store_prune(const char *dir, const uint8_t cluster[16], size_t keep, uint64_t days,
                        uint64_t now_ms)
{
    size_t count = 0;
    size_t ours = 0;
    struct backup_info *all = read_all(dir, &count);
    for (size_t i = 0; i < count; i++) {
        if (!is_ours(&all[i], cluster))
            continue;
        bool is_old =
            days > 0 && now_ms > all[i].time_ms && (now_ms - all[i].time_ms) / DAY_MS >= days;
        if (++ours > 1 && (ours > keep || is_old))
            remove_backup(dir, &all[i]);
    }
    free(all);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The trail's directory: names of its files, and whole files read and written. Source: AWS
 * CloudTrail User Guide, "CloudTrail log file name format". */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kms/audit_internal.h"
#include "kms/iam_random.h"
#include "kms/utc.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

void audit_name(const char *what, const char *account, const char *region, uint64_t time_ms,
                char out[AUDIT_NAME_MAX])
{
    char time[UTC_LEN], random[14];
    utc_print_compact(time_ms, time);
    iam_random_text(alphabet, 13, random);
    (void)snprintf(out, AUDIT_NAME_MAX, "%s_%s_%s_%s_%03u%s.json", account, what, region, time,
                   (unsigned)(time_ms % 1000), random);
}

static bool take_part(const char **at, char *out, size_t size)
{
    size_t len = strcspn(*at, "_");
    if ((*at)[len] != '_' || len == 0 || len >= size)
        return false;
    (void)snprintf(out, size, "%.*s", (int)len, *at);
    *at += len + 1;
    return true;
}

bool audit_name_split(const char *name, const char *what, char account[KMS_ACCOUNT_LEN + 1],
                      char region[KMS_REGION_MAX + 1], uint64_t *out_time_ms)
{
    char kind[24], time[UTC_LEN];
    const char *suffix = strstr(name, ".json");
    if (suffix == NULL || (suffix[5] != '\0' && strcmp(suffix + 5, AUDIT_PART) != 0))
        return false;
    return take_part(&name, account, KMS_ACCOUNT_LEN + 1) && take_part(&name, kind, sizeof kind) &&
           strcmp(kind, what) == 0 && take_part(&name, region, KMS_REGION_MAX + 1) &&
           take_part(&name, time, sizeof time) && utc_parse(time, out_time_ms);
}

static int not_hidden(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static int by_bytes(const struct dirent **left, const struct dirent **right)
{
    return strcmp((*left)->d_name, (*right)->d_name);
}

void audit_names_free(char **names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(names[i]);
    free(names);
}

enum rc audit_names(const char *dir, char ***out, size_t *out_count)
{
    struct dirent **entries;
    int count = scandir(dir, &entries, not_hidden, by_bytes);
    if (count < 0)
        return rc_fail(RC_IO, "%s: %s", dir, strerror(errno));
    char **names = calloc((size_t)count + 1, sizeof *names);
    bool is_short = names == NULL;
    for (int i = 0; i < count; i++) {
        if (!is_short)
            names[i] = strdup(entries[i]->d_name);
        is_short = is_short || names[i] == NULL;
        free(entries[i]);
    }
    free(entries);
    if (is_short) {
        if (names != NULL)
            audit_names_free(names, (size_t)count);
        return RC_NO_MEMORY;
    }
    *out = names;
    *out_count = (size_t)count;
    return RC_OK;
}

static enum rc read_all(int fd, const char *path, size_t max, struct buf *out)
{
    struct stat status;
    if (fstat(fd, &status) != 0)
        return rc_fail(RC_IO, "%s: %s", path, strerror(errno));
    if ((uint64_t)status.st_size > max)
        return rc_fail(RC_TOO_LARGE, "%s: over %zu bytes", path, max);
    size_t start = out->len, want = (size_t)status.st_size;
    TRY(buf_resize(out, start + want));
    size_t have = 0;
    while (have < want) {
        ssize_t some = read(fd, out->ptr + start + have, want - have);
        if (some < 0 && errno == EINTR)
            continue;
        if (some < 0)
            return rc_fail(RC_IO, "%s: %s", path, strerror(errno));
        if (some == 0)
            break;
        have += (size_t)some;
    }
    return buf_resize(out, start + have);
}

enum rc audit_read_file(const char *dir, const char *name, size_t max, struct buf *out)
{
    char path[4096];
    if ((size_t)snprintf(path, sizeof path, "%s/%s", dir, name) >= sizeof path)
        return rc_fail(RC_BAD_ARGUMENT, "a path too long");
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return rc_fail(errno == ENOENT ? RC_NOT_FOUND : RC_IO, "%s: %s", path, strerror(errno));
    enum rc rc = read_all(fd, path, max, out);
    (void)close(fd);
    return rc;
}

static enum rc sync_dir(const char *dir)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int bad = fd < 0 || fsync(fd) != 0;
    if (fd >= 0)
        (void)close(fd);
    return bad ? rc_fail(RC_IO, "%s: %s", dir, strerror(errno)) : RC_OK;
}

static enum rc write_new(const char *path, struct bytes data)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    if (fd < 0)
        return rc_fail(RC_IO, "%s: %s", path, strerror(errno));
    bool good = write(fd, data.ptr, data.len) == (ssize_t)data.len && fsync(fd) == 0;
    int error = errno;
    (void)close(fd);
    return good ? RC_OK : rc_fail(RC_IO, "%s: %s", path, strerror(error));
}

enum rc audit_write_file(const char *dir, const char *name, struct bytes data)
{
    char path[4096], fresh[4096];
    int len = snprintf(fresh, sizeof fresh, "%s/.%s.new", dir, name);
    if (len < 0 || (size_t)len >= sizeof fresh)
        return rc_fail(RC_BAD_ARGUMENT, "a path too long");
    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    TRY(write_new(fresh, data));
    if (rename(fresh, path) != 0)
        return rc_fail(RC_IO, "%s: %s", path, strerror(errno));
    return sync_dir(dir);
}

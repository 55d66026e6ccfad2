/* SPDX-License-Identifier: Apache-2.0 */
/* Streams of records: a file for each account and Region, completed when it is old or large; or the
 * last records in memory. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/log.h"
#include "kms/audit_internal.h"

#define FILE_MAX_LEN   ((uint64_t)32 * 1024 * 1024)
#define MEMORY_MAX_LEN ((size_t)4 * 1024 * 1024)
#define ADDED_MAX      ((size_t)128 * 1024 * 1024)
#define READ_MAX       ((size_t)256 * 1024 * 1024)
#define LOCK_NAME      ".lock"

static const char opening[] = "{\"Records\":[\n";
static const char closing[] = "]}\n";

struct stream {
    char account[KMS_ACCOUNT_LEN + 1];
    char region[KMS_REGION_MAX + 1];
    struct buf added;          /* not written yet */
    bool has_records;          /* of the present file */
    char name[AUDIT_NAME_MAX]; /* of the file when complete */
    int fd;                    /* -1: none is open */
    uint64_t len;              /* what of it is good */
    uint64_t opened_s;
    struct buf memory[2]; /* now, and before */
    unsigned long generation;
    struct stream *next;
};

struct audit_files {
    pthread_mutex_t lock;
    char *dir; /* NULL: memory */
    int lock_fd;
    unsigned long roll_s;
    struct stream *streams;
};

static uint64_t monotonic_s(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec;
}

static struct stream *stream_find(struct audit_files *files, const char *account,
                                  const char *region)
{
    struct stream *stream = files->streams;
    while (stream != NULL &&
           (strcmp(stream->account, account) != 0 || strcmp(stream->region, region) != 0))
        stream = stream->next;
    return stream;
}

static struct stream *stream_of(struct audit_files *files, const struct audit_frame *frame)
{
    struct stream *stream = stream_find(files, frame->account, frame->region);
    if (stream != NULL)
        return stream;
    stream = calloc(1, sizeof *stream);
    if (stream == NULL)
        return NULL;
    memcpy(stream->account, frame->account, sizeof stream->account);
    memcpy(stream->region, frame->region, sizeof stream->region);
    stream->added = (struct buf)BUF_INIT_MAX(ADDED_MAX);
    stream->memory[0] = (struct buf)BUF_INIT;
    stream->memory[1] = (struct buf)BUF_INIT;
    stream->generation = 1;
    stream->fd = -1;
    stream->next = files->streams;
    files->streams = stream;
    return stream;
}

static enum rc stream_add(struct audit_files *files, const struct audit_line *line)
{
    struct stream *stream = stream_of(files, line->frame);
    if (stream == NULL)
        return RC_NO_MEMORY;
    struct buf *to = files->dir == NULL ? &stream->memory[0] : &stream->added;
    if (files->dir == NULL && to->len > MEMORY_MAX_LEN) {
        buf_clear(&stream->memory[1]);
        stream->memory[1] = buf_take(to);
        *to = (struct buf)BUF_INIT;
        stream->has_records = false;
        stream->generation++;
    }
    TRY(buf_reserve(to, line->frame->len + 2));
    if (stream->has_records)
        TRY(buf_append(to, bytes_of(",", 1)));
    stream->has_records = true;
    TRY(buf_append(to, bytes_of(line->text, line->frame->len)));
    return buf_append(to, bytes_of("\n", 1));
}

enum rc audit_files_add(struct audit_files *files, const struct audit_line *line)
{
    (void)pthread_mutex_lock(&files->lock);
    enum rc rc = stream_add(files, line);
    (void)pthread_mutex_unlock(&files->lock);
    return rc;
}

static bool path_of(const struct audit_files *files, const char *name, const char *suffix,
                    char out[4096])
{
    return snprintf(out, 4096, "%s/%s%s", files->dir, name, suffix) < 4096;
}

/* At the end of what is good; what a failure left behind that is overwritten. */
static enum rc stream_put(struct stream *stream, struct bytes data)
{
    for (size_t done = 0; done < data.len;) {
        ssize_t some =
            pwrite(stream->fd, data.ptr + done, data.len - done, (off_t)(stream->len + done));
        if (some < 0 && errno == EINTR)
            continue;
        if (some < 0) {
            int error = errno;
            if (ftruncate(stream->fd, (off_t)stream->len) != 0)
                log_warn("trail_truncate", "file=%s error=\"%s\"", stream->name, strerror(errno));
            return rc_fail(RC_IO, "%s: %s", stream->name, strerror(error));
        }
        done += (size_t)some;
    }
    stream->len += data.len;
    return RC_OK;
}

static enum rc stream_open(const struct audit_files *files, struct stream *stream)
{
    char path[4096];
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    audit_name("CloudTrail", stream->account, stream->region,
               (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000, stream->name);
    if (!path_of(files, stream->name, AUDIT_PART, path))
        return rc_fail(RC_BAD_ARGUMENT, "a path too long");
    stream->fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
    if (stream->fd < 0)
        return rc_fail(RC_IO, "%s: %s", path, strerror(errno));
    stream->len = 0;
    stream->opened_s = monotonic_s();
    return RC_OK;
}

static enum rc stream_begin(const struct audit_files *files, struct stream *stream)
{
    if (stream->fd < 0)
        TRY(stream_open(files, stream));
    return stream->len > 0 ? RC_OK : stream_put(stream, bytes_of(opening, sizeof opening - 1));
}

static enum rc stream_flush(const struct audit_files *files, struct stream *stream)
{
    if (stream->added.len == 0)
        return RC_OK;
    TRY(stream_begin(files, stream));
    TRY(stream_put(stream, buf_bytes(&stream->added)));
    stream->added.len = 0;
    return RC_OK;
}

enum rc audit_files_flush(struct audit_files *files)
{
    enum rc worst = RC_OK;
    (void)pthread_mutex_lock(&files->lock);
    for (struct stream *stream = files->streams; stream != NULL && files->dir != NULL;
         stream = stream->next) {
        enum rc rc = stream_flush(files, stream);
        if (rc != RC_OK)
            worst = rc;
    }
    (void)pthread_mutex_unlock(&files->lock);
    return worst;
}

static size_t stream_salvage(const struct audit_files *files, struct stream *stream)
{
    struct bytes rest = buf_bytes(&stream->added);
    enum rc rc = rest.len == 0 ? RC_OK : stream_begin(files, stream);
    size_t lost = 0;
    while (rest.len > 0) {
        const uint8_t *end = memchr(rest.ptr, '\n', rest.len);
        size_t len = end == NULL ? rest.len : (size_t)(end - rest.ptr) + 1;
        if (rc == RC_OK)
            rc = stream_put(stream, bytes_of(rest.ptr, len));
        lost += rc != RC_OK;
        rest = bytes_slice(rest, len, rest.len);
    }
    stream->added.len = 0;
    return lost;
}

size_t audit_files_salvage(struct audit_files *files)
{
    size_t lost = 0;
    (void)pthread_mutex_lock(&files->lock);
    for (struct stream *stream = files->streams; stream != NULL; stream = stream->next)
        lost += stream_salvage(files, stream);
    (void)pthread_mutex_unlock(&files->lock);
    return lost;
}

static enum rc complete(const struct audit_files *files, const char *name)
{
    char from[4096], to[4096];
    if (!path_of(files, name, AUDIT_PART, from) || !path_of(files, name, "", to))
        return rc_fail(RC_BAD_ARGUMENT, "a path too long");
    return rename(from, to) == 0 ? RC_OK : rc_fail(RC_IO, "%s: %s", to, strerror(errno));
}

static enum rc stream_complete(const struct audit_files *files, struct stream *stream)
{
    TRY(stream_put(stream, bytes_of(closing, sizeof closing - 1)));
    if (fsync(stream->fd) != 0) {
        stream->len -= sizeof closing - 1; /* written again next time */
        return rc_fail(RC_IO, "%s: %s", stream->name, strerror(errno));
    }
    (void)close(stream->fd);
    stream->fd = -1;
    stream->has_records = false;
    return complete(files, stream->name);
}

bool audit_files_roll(struct audit_files *files, bool all)
{
    bool some = false;
    (void)pthread_mutex_lock(&files->lock);
    for (struct stream *stream = files->streams; stream != NULL; stream = stream->next) {
        if (stream->fd < 0 || stream->added.len > 0 ||
            (!all && stream->len < FILE_MAX_LEN &&
             monotonic_s() - stream->opened_s < files->roll_s))
            continue;
        enum rc rc = stream_complete(files, stream);
        if (rc != RC_OK)
            log_error("trail_roll", "error=%s detail=\"%s\"", rc_info(rc)->name, rc_detail());
        some = true;
    }
    (void)pthread_mutex_unlock(&files->lock);
    return some;
}

/* ---- what a program that ended in the middle has left behind */

static enum rc mend(struct audit_files *files, const char *part)
{
    char path[4096], name[AUDIT_NAME_MAX];
    AUTO_BUF content = BUF_INIT_MAX(READ_MAX);
    TRY(audit_read_file(files->dir, part, READ_MAX, &content));
    size_t good = content.len;
    while (good > 0 && content.ptr[good - 1] != '\n')
        good--;
    struct bytes head = bytes_slice(buf_bytes(&content), 0, good);
    if (!path_of(files, part, "", path))
        return rc_fail(RC_BAD_ARGUMENT, "a path too long");
    if (good <= sizeof opening - 1)
        return unlink(path) == 0 ? RC_OK : rc_fail(RC_IO, "%s: %s", path, strerror(errno));
    (void)snprintf(name, sizeof name, "%.*s", (int)(strlen(part) - strlen(AUDIT_PART)), part);
    log_info("trail_mended", "file=%s dropped_bytes=%zu", name, content.len - good);
    TRY(buf_resize(&content, head.len));
    size_t tail = sizeof closing - 1;
    if (good < tail || !bytes_equal(bytes_slice(head, good - tail, tail), bytes_of(closing, tail)))
        TRY(buf_append(&content, bytes_of(closing, tail)));
    TRY(audit_write_file(files->dir, name, buf_bytes(&content)));
    (void)unlink(path);
    return RC_OK;
}

static enum rc mend_all(struct audit_files *files)
{
    char **names;
    size_t count;
    TRY(audit_names(files->dir, &names, &count));
    enum rc rc = RC_OK;
    for (size_t i = 0; rc == RC_OK && i < count; i++) {
        char account[KMS_ACCOUNT_LEN + 1], region[KMS_REGION_MAX + 1];
        uint64_t time_ms;
        size_t len = strlen(names[i]);
        bool is_part = len > strlen(AUDIT_PART) &&
                       strcmp(names[i] + len - strlen(AUDIT_PART), AUDIT_PART) == 0;
        if (is_part && audit_name_split(names[i], "CloudTrail", account, region, &time_ms))
            rc = mend(files, names[i]);
    }
    audit_names_free(names, count);
    return rc;
}

static enum rc claim_dir(struct audit_files *files)
{
    char path[4096];
    if (mkdir(files->dir, 0750) != 0 && errno != EEXIST)
        return rc_fail(RC_IO, "%s: %s", files->dir, strerror(errno));
    if (!path_of(files, LOCK_NAME, "", path))
        return rc_fail(RC_BAD_ARGUMENT, "a path too long");
    files->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    if (files->lock_fd < 0)
        return rc_fail(RC_IO, "%s: %s", path, strerror(errno));
    if (flock(files->lock_fd, LOCK_EX | LOCK_NB) != 0)
        return rc_fail(RC_CONFLICT, "%s: another front end writes its trail there", files->dir);
    return mend_all(files);
}

enum rc audit_files_new(const char *dir, unsigned long roll_s, struct audit_files **out)
{
    struct audit_files *files = calloc(1, sizeof *files);
    if (files == NULL)
        return RC_NO_MEMORY;
    (void)pthread_mutex_init(&files->lock, NULL);
    files->lock_fd = -1;
    files->roll_s = roll_s == 0 ? 300 : roll_s;
    enum rc rc = RC_OK;
    if (dir != NULL) {
        files->dir = strdup(dir);
        rc = files->dir == NULL ? RC_NO_MEMORY : claim_dir(files);
    }
    if (rc != RC_OK) {
        audit_files_free(files);
        return rc;
    }
    *out = files;
    return RC_OK;
}

void audit_files_free(struct audit_files *files)
{
    if (files == NULL)
        return;
    while (files->streams != NULL) {
        struct stream *stream = files->streams;
        files->streams = stream->next;
        if (stream->fd >= 0)
            (void)close(stream->fd);
        buf_clear(&stream->added);
        buf_clear(&stream->memory[0]);
        buf_clear(&stream->memory[1]);
        free(stream);
    }
    if (files->lock_fd >= 0)
        (void)close(files->lock_fd);
    (void)pthread_mutex_destroy(&files->lock);
    free(files->dir);
    free(files);
}

/* ---- reading */

#define MEMORY_NAME "memory-%zu"

static enum rc list_memory(struct audit_files *files, const char *account, const char *region,
                           char **names, size_t *out_count)
{
    (void)pthread_mutex_lock(&files->lock);
    const struct stream *stream = stream_find(files, account, region);
    for (size_t i = 0; stream != NULL && i < 2; i++)
        if (stream->memory[i].len > 0 &&
            asprintf(&names[*out_count], MEMORY_NAME, (size_t)stream->generation - i) > 0)
            ++*out_count;
    (void)pthread_mutex_unlock(&files->lock);
    return RC_OK;
}

static bool is_of_stream(const char *name, const char *account, const char *region)
{
    char own_account[KMS_ACCOUNT_LEN + 1], own_region[KMS_REGION_MAX + 1];
    uint64_t time_ms;
    return audit_name_split(name, "CloudTrail", own_account, own_region, &time_ms) &&
           strcmp(own_account, account) == 0 && strcmp(own_region, region) == 0;
}

enum rc audit_files_list(struct audit_files *files, const char *account, const char *region,
                         char ***out, size_t *out_count)
{
    char **names;
    size_t count = 0, kept = 0;
    if (files->dir == NULL) {
        names = calloc(2, sizeof *names);
        if (names == NULL)
            return RC_NO_MEMORY;
        *out = names;
        *out_count = 0;
        return list_memory(files, account, region, names, out_count);
    }
    TRY(audit_names(files->dir, &names, &count));
    for (size_t i = 0; i < count; i++) {
        if (is_of_stream(names[i], account, region))
            names[kept++] = names[i];
        else
            free(names[i]);
    }
    for (size_t i = 0; i < kept / 2; i++) {
        char *swap = names[i];
        names[i] = names[kept - 1 - i];
        names[kept - 1 - i] = swap;
    }
    *out = names;
    *out_count = kept;
    return RC_OK;
}

enum rc audit_files_read(struct audit_files *files, const struct audit_place *place,
                         struct buf *out)
{
    if (files->dir != NULL) {
        enum rc rc = audit_read_file(files->dir, place->name, READ_MAX, out);
        char whole[AUDIT_NAME_MAX]; /* completed since it was listed? */
        size_t len = strlen(place->name), tail = strlen(AUDIT_PART);
        if (rc != RC_NOT_FOUND || len <= tail || strcmp(place->name + len - tail, AUDIT_PART) != 0)
            return rc;
        (void)snprintf(whole, sizeof whole, "%.*s", (int)(len - tail), place->name);
        return audit_read_file(files->dir, whole, READ_MAX, out);
    }
    enum rc rc = RC_NOT_FOUND;
    (void)pthread_mutex_lock(&files->lock);
    const struct stream *stream = stream_find(files, place->account, place->region);
    for (size_t i = 0; stream != NULL && i < 2; i++) {
        char name[AUDIT_NAME_MAX];
        (void)snprintf(name, sizeof name, MEMORY_NAME, (size_t)stream->generation - i);
        if (strcmp(name, place->name) == 0)
            rc = buf_append(out, buf_bytes(&stream->memory[i]));
    }
    (void)pthread_mutex_unlock(&files->lock);
    return rc;
}

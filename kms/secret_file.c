/* SPDX-License-Identifier: Apache-2.0 */
/* Files of secrets, read without a buffer that stays behind. */
#include "kms/secret_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static enum rc read_open(int fd, const char *path, struct secret *out)
{
    struct stat status;
    if (fstat(fd, &status) != 0)
        return rc_fail(RC_CONFIG, "%s: %s", path, strerror(errno));
    if (status.st_size > (off_t)SECRET_FILE_MAX)
        return rc_fail(RC_CONFIG, "%s: over %zu bytes", path, SECRET_FILE_MAX);
    TRY(secret_alloc(out, SECRET_FILE_MAX));
    size_t len = 0;
    for (ssize_t got = 1; got > 0 && len < SECRET_FILE_MAX; len += (size_t)got) {
        got = read(fd, out->ptr + len, SECRET_FILE_MAX - len);
        if (got < 0)
            return rc_fail(RC_CONFIG, "%s: %s", path, strerror(errno));
    }
    secret_truncate(out, len);
    return RC_OK;
}

enum rc secret_file_read(const char *path, struct secret *out)
{
    AUTO_SECRET content = SECRET_INIT;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return rc_fail(RC_CONFIG, "%s: %s", path, strerror(errno));
    enum rc rc = read_open(fd, path, &content);
    (void)close(fd);
    TRY(rc);
    secret_clear(out);
    *out = secret_take(&content);
    return RC_OK;
}

enum rc secret_file_line(const char *path, struct secret *out)
{
    AUTO_SECRET content = SECRET_INIT;
    struct bytes line = BYTES_NONE;
    TRY(secret_file_read(path, &content));
    struct bytes rest = secret_expose(&content);
    (void)secret_file_next(&rest, &line);
    if (line.len == 0)
        return rc_fail(RC_CONFIG, "%s: the first line is empty", path);
    return secret_from_bytes(out, line);
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

struct bytes secret_file_word(struct bytes *rest)
{
    size_t from = 0;
    while (from < rest->len && is_blank(rest->ptr[from]))
        from++;
    size_t to = from;
    while (to < rest->len && !is_blank(rest->ptr[to]))
        to++;
    struct bytes word = bytes_slice(*rest, from, to - from);
    *rest = bytes_slice(*rest, to, rest->len - to);
    return word;
}

bool secret_file_next(struct bytes *rest, struct bytes *out_line)
{
    size_t len = 0;
    if (rest->len == 0)
        return false;
    while (len < rest->len && rest->ptr[len] != '\n')
        len++;
    *out_line = bytes_slice(*rest, 0, len);
    *rest = bytes_slice(*rest, len + 1, rest->len);
    if (out_line->len > 0 && out_line->ptr[out_line->len - 1] == '\r')
        out_line->len--;
    return true;
}

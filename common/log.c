/* SPDX-License-Identifier: Apache-2.0 */
/* Log lines: formatted on the stack, escaped, one write(2) each. */
#include "common/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_LEN 4096

static const struct level {
    const char *name;
    char priority; /* syslog's, as systemd reads it */
} levels[] = {
    [LOG_LEVEL_DEBUG] = {"debug", '7'},
    [LOG_LEVEL_INFO] = {"info", '6'},
    [LOG_LEVEL_WARN] = {"warn", '4'},
    [LOG_LEVEL_ERROR] = {"error", '3'},
};

/* Written by log_open() before other threads log; log_reopen() swaps the file behind the same
 * descriptor, so that writers never see one that is closed. */
static int log_fd = STDERR_FILENO;
static bool log_journal;
static char *log_path;
static _Atomic int log_least = LOG_LEVEL_INFO;

/* sd-daemon(3): the variable is inherited, so it counts only when stderr is still that stream. */
static bool stderr_is_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    struct stat status;
    if (stream == NULL || fstat(STDERR_FILENO, &status) != 0)
        return false;
    char expected[64];
    (void)snprintf(expected, sizeof expected, "%lu:%lu", (unsigned long)status.st_dev,
                   (unsigned long)status.st_ino);
    return strcmp(stream, expected) == 0;
}

static int open_append(const char *path)
{
    return open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
}

static void close_file(void)
{
    if (log_fd != STDERR_FILENO)
        (void)close(log_fd);
    log_fd = STDERR_FILENO;
    free(log_path);
    log_path = NULL;
}

void log_open(const char *path_or_null, enum log_level least)
{
    close_file();
    log_set_level(least);
    log_journal = path_or_null == NULL && stderr_is_journal();
    if (path_or_null == NULL)
        return;
    int fd = open_append(path_or_null);
    if (fd < 0) {
        log_error("log_open_failed", "path=\"%s\" error=\"%s\" next=\"logging to stderr\"",
                  path_or_null, strerrordesc_np(errno));
        return;
    }
    log_fd = fd;
    log_path = strdup(path_or_null);
}

void log_set_level(enum log_level least)
{
    atomic_store_explicit(&log_least, (int)least, memory_order_relaxed);
}

void log_reopen(void)
{
    if (log_path == NULL)
        return;
    int fd = open_append(log_path);
    if (fd < 0 || dup3(fd, log_fd, O_CLOEXEC) < 0)
        log_error("log_reopen_failed", "path=\"%s\" error=\"%s\" next=\"logging to the old file\"",
                  log_path, strerrordesc_np(errno));
    if (fd >= 0)
        (void)close(fd);
}

bool log_level_parse(const char *name, enum log_level *out)
{
    for (unsigned i = 0; i < sizeof levels / sizeof levels[0]; i++) {
        if (strcasecmp(name, levels[i].name) == 0) {
            *out = (enum log_level)i;
            return true;
        }
    }
    return false;
}

/* `time level event` or `<priority>event`. */
static size_t put_head(char *out, size_t cap, enum log_level level, const char *event)
{
    int len;
    if (log_journal) {
        len = snprintf(out, cap, "<%c>%s", levels[level].priority, event);
    } else {
        struct timespec now;
        struct tm utc;
        (void)clock_gettime(CLOCK_REALTIME, &now);
        (void)gmtime_r(&now.tv_sec, &utc);
        size_t date = strftime(out, cap, "%Y-%m-%dT%H:%M:%S", &utc);
        len = snprintf(out + date, cap - date, ".%03ldZ %-5s %s", now.tv_nsec / 1000000,
                       levels[level].name, event);
        len += (int)date;
    }
    return len < 0 ? 0 : (size_t)len < cap ? (size_t)len : cap - 1;
}

/* A peer must not be able to forge lines or drive a terminal. */
static size_t put_escaped(char *out, size_t cap, const char *text)
{
    static const char hex[] = "0123456789abcdef";
    size_t len = 0;
    for (; *text != 0 && len + 4 <= cap; text++) {
        unsigned char c = (unsigned char)*text;
        if (c >= 0x20 && c != 0x7f) {
            out[len++] = (char)c;
            continue;
        }
        out[len++] = '\\';
        out[len++] = 'x';
        out[len++] = hex[c >> 4];
        out[len++] = hex[c & 15];
    }
    return len;
}

void log_event(enum log_level level, const char *event, const char *fields, ...)
{
    if ((int)level < atomic_load_explicit(&log_least, memory_order_relaxed))
        return;
    char text[LINE_MAX_LEN / 2];
    va_list args;
    va_start(args, fields);
    int formatted = vsnprintf(text, sizeof text, fields, args);
    va_end(args);
    char line[LINE_MAX_LEN];
    size_t len = put_head(line, 256, level, event);
    if (formatted > 0) {
        line[len++] = ' ';
        len += put_escaped(line + len, sizeof line - len - 1, text);
    }
    line[len++] = '\n';
    ssize_t written;
    do
        written = write(log_fd, line, len);
    while (written < 0 && errno == EINTR);
}

bool log_admits(void)
{
    static _Atomic int64_t second;
    static _Atomic unsigned count;
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    if (atomic_exchange(&second, (int64_t)now.tv_sec) != (int64_t)now.tv_sec) {
        unsigned before = atomic_exchange(&count, 0);
        if (before > LOG_BURST)
            log_warn("lines_left_out", "count=%u", before - LOG_BURST);
    }
    return atomic_fetch_add(&count, 1) < LOG_BURST;
}

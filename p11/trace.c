/* SPDX-License-Identifier: Apache-2.0 */
#include "p11/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/attribute.h"
#include "common/mechanism.h"

#define TRACE_TEMPLATE_MAX 40UL

enum rc trace_open(const char *path, int *out_fd)
{
    *out_fd = -1;
    if (path == NULL || path[0] == 0)
        return RC_OK;
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0600);
    if (fd < 0)
        return rc_fail(RC_CONFIG, "trace file %s cannot be opened: %s", path, strerror(errno));
    *out_fd = fd;
    return RC_OK;
}

void trace_close(int fd)
{
    if (fd >= 0)
        (void)close(fd);
}

void trace_begin(struct trace_line *line, int fd, const char *function)
{
    line->fd = fd;
    line->len = 0;
    if (fd < 0)
        return;
    struct timespec now;
    struct tm utc;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    (void)clock_gettime(CLOCK_MONOTONIC, &line->start);
    (void)gmtime_r(&now.tv_sec, &utc);
    trace_note(line, "%04d-%02d-%02dT%02d:%02d:%02d.%06ldZ %d.%d %s", utc.tm_year + 1900,
               utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec, now.tv_nsec / 1000,
               (int)getpid(), (int)gettid(), function);
}

void trace_note(struct trace_line *line, const char *format, ...)
{
    if (line->fd < 0 || line->len >= sizeof line->text - 1)
        return;
    va_list args;
    va_start(args, format);
    size_t room = sizeof line->text - line->len;
    int written = vsnprintf(line->text + line->len, room, format, args);
    va_end(args);
    if (written > 0)
        line->len += (size_t)written < room ? (size_t)written : room - 1;
}

void trace_handle(struct trace_line *line, const char *name, CK_ULONG handle)
{
    trace_note(line, " %s=0x%lx", name, handle);
}

void trace_mechanism(struct trace_line *line, const CK_MECHANISM *mechanism)
{
    if (line->fd < 0)
        return;
    if (mechanism == NULL) {
        trace_note(line, " mechanism=NULL");
        return;
    }
    CK_MECHANISM copy;
    memcpy(&copy, (const void *)mechanism, sizeof copy);
    const struct mechanism *row = mechanism_find(copy.mechanism);
    if (row != NULL)
        trace_note(line, " mechanism=%s", row->name);
    else
        trace_note(line, " mechanism=0x%lx", copy.mechanism);
    if (copy.pParameter != NULL)
        trace_note(line, " param=%lu", copy.ulParameterLen);
}

void trace_template(struct trace_line *line, const char *name, const CK_ATTRIBUTE *items,
                    CK_ULONG count)
{
    if (line->fd < 0)
        return;
    if (items == NULL) {
        trace_note(line, " %s=NULL count=%lu", name, count);
        return;
    }
    trace_note(line, " %s=[", name);
    for (CK_ULONG i = 0; i < count && i < TRACE_TEMPLATE_MAX; i++) {
        CK_ATTRIBUTE item;
        memcpy(&item, (const char *)(const void *)items + i * sizeof item, sizeof item);
        const struct attr_info *info = attr_info(item.type);
        const char *blank = i == 0 ? "" : " ";
        if (info != NULL)
            trace_note(line, "%s%s:%ld", blank, info->name, (long)item.ulValueLen);
        else
            trace_note(line, "%s0x%lx:%ld", blank, item.type, (long)item.ulValueLen);
    }
    trace_note(line, count > TRACE_TEMPLATE_MAX ? " ...]" : "]");
}

struct ckr_name {
    unsigned long ckr;
    const char *name;
};

static const char *ckr_name(unsigned long ckr)
{
    static const struct ckr_name names[] = {
#define RC(name_, wire_, ckr_, http_, exit_, text_, next_) {(ckr_), #ckr_},
#include "common/rc.def"
#undef RC
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (names[i].ckr == ckr)
            return names[i].name;
    return "CKR_?";
}

/* A detail may quote a peer: control characters must not break the line. */
static void escape_controls(char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
            text[i] = '?';
}

void trace_end(struct trace_line *line, enum rc rc)
{
    if (line->fd < 0)
        return;
    int saved_errno = errno;
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    long us =
        (now.tv_sec - line->start.tv_sec) * 1000000L + (now.tv_nsec - line->start.tv_nsec) / 1000L;
    const struct rc_info *info = rc_info(rc);
    trace_note(line, " -> %s us=%ld", ckr_name(info->ckr), us);
    if (rc != RC_OK)
        trace_note(line, " rc=%s detail=\"%s\"", info->name,
                   rc_detail()[0] != 0 ? rc_detail() : info->text);
    escape_controls(line->text, line->len);
    if (line->len == sizeof line->text)
        line->len--;
    line->text[line->len++] = '\n';
    ssize_t written = write(line->fd, line->text, line->len);
    (void)written; /* the trace must not change what the call answers */
    errno = saved_errno;
}

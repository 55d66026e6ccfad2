/* SPDX-License-Identifier: Apache-2.0 */
/* Log of the daemons: one event a line, `time level event key=value ...`; never data, PINs or
 * attribute values. */
#ifndef QHSM_COMMON_LOG_H
#define QHSM_COMMON_LOG_H

#include <stdbool.h>

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR };

/* To stderr by default; with a path, appends there (log_reopen() after rotation). Under systemd
 * (JOURNAL_STREAM) lines carry the <N> priority prefix instead of a time. */
void log_open(const char *path_or_null, enum log_level least);
void log_set_level(enum log_level least);
void log_reopen(void);
bool log_level_parse(const char *name, enum log_level *out);

/* `event` is snake_case; `fields` a printf format of `key=value` pairs, values with blanks in
 * quotes made by the caller
 * ("error=\"%s\""), or "" for none. Control bytes are escaped. Thread-safe; one write(2) a line. */
void log_event(enum log_level level, const char *event, const char *fields, ...)
    __attribute__((format(printf, 3, 4)));

/* For lines that a peer can cause as often as it likes: a number of them a second, of all threads
 * together; how many were left out is told with the next that is not. */
#define LOG_BURST 50U
bool log_admits(void);

#define log_debug(...) log_event(LOG_LEVEL_DEBUG, __VA_ARGS__)
#define log_info(...)  log_event(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_warn(...)  log_event(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_error(...) log_event(LOG_LEVEL_ERROR, __VA_ARGS__)

#endif

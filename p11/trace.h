/* SPDX-License-Identifier: Apache-2.0 */
/* The call trace: one line a call with its duration, arguments by name and length, result and
 * detail; never data, PINs or attribute values. One write(2) a line. */
#ifndef QHSM_P11_TRACE_H
#define QHSM_P11_TRACE_H

#include <stdbool.h>
#include <time.h>

#include "common/cryptoki.h"
#include "common/rc.h"

/* A line in the making. Only the fields before `text` are set when the trace is off. */
struct trace_line {
    int fd; /* -1: off */
    struct timespec start;
    size_t len;
    char text[1536];
};

/* Opens for appending, mode 0600. -1 when path is NULL; RC_CONFIG when it cannot be opened. */
enum rc trace_open(const char *path, int *out_fd);
void trace_close(int fd);

void trace_begin(struct trace_line *line, int fd, const char *function);
/* " key=value" pairs; cut off at the end of the line's room. */
void trace_note(struct trace_line *line, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void trace_handle(struct trace_line *line, const char *name, CK_ULONG handle);
/* " mechanism=CKM_AES_GCM param=48" */
void trace_mechanism(struct trace_line *line, const CK_MECHANISM *mechanism);
/* " template=[CKA_CLASS:8 CKA_LABEL:5]" */
void trace_template(struct trace_line *line, const char *name, const CK_ATTRIBUTE *items,
                    CK_ULONG count);
/* Adds result, duration and rc_detail(), writes the line. */
void trace_end(struct trace_line *line, enum rc rc);

#endif

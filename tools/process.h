/* SPDX-License-Identifier: Apache-2.0 */
/* Programs of ours in the background, each with a configuration, a log and a pid file. */
#ifndef QHSM_TOOLS_PROCESS_H
#define QHSM_TOOLS_PROCESS_H

#include <sys/types.h>

#include "common/buf.h"
#include "common/rc.h"

/* Paths are absolute and owned by whoever made it: process_clear(). */
struct process {
    const char *name; /* of the program: "qhsmd" */
    struct buf program, config, log, pid_file;
    struct buf netns; /* file of the network namespace that it runs in; empty: this one */
};
#define PROCESS_INIT                                                            \
    {                                                                           \
        .name = NULL, .program = BUF_INIT, .config = BUF_INIT, .log = BUF_INIT, \
        .pid_file = BUF_INIT, .netns = BUF_INIT                                 \
    }
void process_clear(struct process *process);
#define AUTO_PROCESS __attribute__((cleanup(process_clear))) struct process

/* 0: it does not run. */
pid_t process_pid(struct process *process);
/* Stopped by SIGSTOP. */
bool process_is_paused(struct process *process);
/* `NAME --config CONFIG` in a session of its own, output to the log; writes the pid file. */
enum rc process_start(struct process *process);
/* After SIGKILL it is gone, with its locks and addresses. RC_NOT_FOUND when none runs. */
enum rc process_signal(struct process *process, int number);
/* SIGTERM, then SIGKILL when it does not go within the time. RC_NOT_FOUND when none runs. */
enum rc process_stop(struct process *process, unsigned timeout_ms);
/* The end of the log, which tells why it did not start. */
void process_last_line(struct process *process, struct buf *out);

#endif

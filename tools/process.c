/* SPDX-License-Identifier: Apache-2.0 */
/* Starting, finding and stopping programs of ours in the background. */
#include "tools/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tools/dev.h"

#define KILL_MS 10000U

void process_clear(struct process *process)
{
    buf_clear(&process->program);
    buf_clear(&process->config);
    buf_clear(&process->log);
    buf_clear(&process->pid_file);
    buf_clear(&process->netns);
}

/* A pid file may be stale and its number reused, or the process dead and not yet reaped:
 * /proc/PID/stat, "PID (COMM) STATE ...", proc(5). 0: there is no such process. */
static char state_of(const struct process *process, pid_t pid)
{
    char path[64], wanted[32];
    (void)snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    (void)snprintf(wanted, sizeof wanted, "(%.15s) ", process->name);
    AUTO_BUF stat = BUF_INIT;
    if (dev_file_read(path, &stat) != RC_OK)
        return 0;
    const char *comm = strstr(buf_str(&stat), wanted);
    if (comm == NULL)
        return 0;
    char state = comm[strlen(wanted)];
    if (strchr("ZX", state) != NULL)
        return 0;
    return state;
}

pid_t process_pid(struct process *process)
{
    AUTO_BUF text = BUF_INIT;
    if (dev_file_read(buf_str(&process->pid_file), &text) != RC_OK)
        return 0;
    long pid = strtol(buf_str(&text), NULL, 10);
    return pid > 1 && state_of(process, (pid_t)pid) != 0 ? (pid_t)pid : 0;
}

bool process_is_paused(struct process *process)
{
    pid_t pid = process_pid(process);
    return pid != 0 && state_of(process, pid) == 'T';
}

/* What it cannot enter is told on descriptor 2. */
static void enter(const char *netns)
{
    int fd = open(netns, O_RDONLY | O_CLOEXEC);
    if (fd >= 0 && setns(fd, CLONE_NEWNET) == 0)
        return;
    (void)dprintf(2, "network namespace %s: %s\n", netns, strerror(errno));
    _exit(126);
}

/* In the child: own session, output to the log, nothing else inherited. */
static _Noreturn void become(const struct process *process)
{
    const char *program = (const char *)process->program.ptr;
    (void)setsid();
    int out = open((const char *)process->log.ptr, O_WRONLY | O_CREAT | O_APPEND, 0600);
    int in = open("/dev/null", O_RDONLY);
    if (out < 0 || in < 0 || dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0)
        _exit(126);
    if (process->netns.len > 0)
        enter((const char *)process->netns.ptr);
    (void)close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
    (void)execl(program, process->name, "--config", (const char *)process->config.ptr,
                (char *)NULL);
    (void)dprintf(2, "exec %s: %s\n", program, strerror(errno));
    _exit(127);
}

static void wait_closed(int fd)
{
    char ignored;
    while (read(fd, &ignored, 1) < 0 && errno == EINTR)
        ;
    (void)close(fd);
}

enum rc process_start(struct process *process)
{
    AUTO_BUF text = BUF_INIT;
    int running[2]; /* closed by exec: from then on its name is the program's */
    /* Strings are ended before fork: the child may only exec. */
    (void)buf_str(&process->program);
    (void)buf_str(&process->config);
    (void)buf_str(&process->log);
    (void)buf_str(&process->netns);
    if (pipe2(running, O_CLOEXEC) != 0)
        return rc_fail(RC_IO, "pipe: %s", strerror(errno));
    pid_t pid = fork();
    if (pid == 0)
        become(process);
    (void)close(running[1]);
    wait_closed(running[0]);
    if (pid < 0)
        return rc_fail(RC_IO, "fork: %s", strerror(errno));
    TRY(buf_printf(&text, "%d\n", (int)pid));
    return dev_file_write(buf_str(&process->pid_file), 0644, buf_bytes(&text));
}

/* A descriptor of the process: what it is told then reaches no other that got its number. */
static enum rc open_process(struct process *process, pid_t *out_pid, int *out)
{
    *out_pid = process_pid(process);
    *out = *out_pid == 0 ? -1 : pidfd_open(*out_pid, 0);
    if (*out < 0 && *out_pid != 0 && errno != ESRCH)
        return rc_fail(RC_IO, "pidfd_open %d: %s", (int)*out_pid, strerror(errno));
    return *out >= 0 ? RC_OK
                     : rc_fail(RC_NOT_FOUND, "no %s runs by %s", process->name,
                               buf_str(&process->pid_file));
}

/* Until all its threads are gone, and with them its locks and addresses. */
static bool wait_ended(int fd, unsigned timeout_ms)
{
    struct pollfd ended = {.fd = fd, .events = POLLIN};
    int rv = 0;
    do
        rv = poll(&ended, 1, (int)timeout_ms);
    while (rv < 0 && errno == EINTR);
    return rv > 0;
}

static enum rc send_signal(int fd, pid_t pid, int number)
{
    if (pidfd_send_signal(fd, number, NULL, 0) != 0 && errno != ESRCH)
        return rc_fail(RC_IO, "kill %d: %s", (int)pid, strerror(errno));
    if (number == SIGKILL && !wait_ended(fd, KILL_MS))
        return rc_fail(RC_IO, "process %d is killed, and does not end", (int)pid);
    return RC_OK;
}

enum rc process_signal(struct process *process, int number)
{
    pid_t pid = 0;
    int fd = -1;
    TRY(open_process(process, &pid, &fd));
    enum rc rc = send_signal(fd, pid, number);
    (void)close(fd);
    return rc;
}

static enum rc stop(int fd, pid_t pid, unsigned timeout_ms)
{
    TRY(send_signal(fd, pid, SIGTERM));
    TRY(send_signal(fd, pid, SIGCONT)); /* one that is paused hears it then */
    return wait_ended(fd, timeout_ms) ? RC_OK : send_signal(fd, pid, SIGKILL);
}

enum rc process_stop(struct process *process, unsigned timeout_ms)
{
    pid_t pid = 0;
    int fd = -1;
    TRY(open_process(process, &pid, &fd));
    enum rc rc = stop(fd, pid, timeout_ms);
    (void)close(fd);
    if (rc != RC_OK)
        return rc;
    (void)waitpid(pid, NULL, WNOHANG); /* when we started it */
    (void)unlink(buf_str(&process->pid_file));
    return RC_OK;
}

void process_last_line(struct process *process, struct buf *out)
{
    AUTO_BUF log = BUF_INIT;
    if (dev_file_read(buf_str(&process->log), &log) != RC_OK)
        return;
    char *text = (char *)(uintptr_t)buf_str(&log);
    size_t len = strlen(text);
    while (len > 0 && text[len - 1] == '\n')
        text[--len] = 0;
    const char *line = strrchr(text, '\n');
    (void)buf_printf(out, "%s", line == NULL ? text : line + 1);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Starting, watching and stopping the daemon of one zone. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "rpc/client.h"
#include "tools/dev.h"

#define SETTLE_MS 5000U

static void sleep_ms(long ms)
{
    struct timespec rest = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    while (nanosleep(&rest, &rest) != 0 && errno == EINTR)
        ;
}

static enum rc zone_path(const struct dev *dev, unsigned zone, const char *file, struct buf *out)
{
    return buf_printf(out, "%s/zone-%c/%s", dev->dir, (char)('a' + zone), file);
}

/* A pid file may be stale and its number reused, or the process dead and not yet reaped:
 * /proc/PID/stat, "PID (COMM) STATE ...", proc(5). */
static bool is_daemon(pid_t pid)
{
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    AUTO_BUF stat = BUF_INIT;
    if (dev_file_read(path, &stat) != RC_OK)
        return false;
    const char *comm = strstr(buf_str(&stat), "(qhsmd)");
    return comm != NULL && strchr("ZX", comm[sizeof "(qhsmd) " - 1]) == NULL;
}

pid_t dev_daemon_pid(const struct dev *dev, unsigned zone)
{
    AUTO_BUF path = BUF_INIT;
    AUTO_BUF text = BUF_INIT;
    if (zone_path(dev, zone, "qhsmd.pid", &path) != RC_OK ||
        dev_file_read(buf_str(&path), &text) != RC_OK)
        return 0;
    long pid = strtol(buf_str(&text), NULL, 10);
    return pid > 1 && is_daemon((pid_t)pid) ? (pid_t)pid : 0;
}

/* In the child: own session, output to the log, nothing else inherited. */
static _Noreturn void become_daemon(const char *program, const char *config, const char *log)
{
    (void)setsid();
    int out = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    int in = open("/dev/null", O_RDONLY);
    if (out < 0 || in < 0 || dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0)
        _exit(126);
    (void)close_range(3, ~0U, 0);
    (void)execl(program, "qhsmd", "--config", config, (char *)NULL);
    (void)dprintf(2, "exec %s: %s\n", program, strerror(errno));
    _exit(127);
}

static enum rc probe_zone(const struct dev *dev, unsigned zone)
{
    AUTO_BUF path = BUF_INIT;
    TRY(zone_path(dev, zone, "client.conf", &path));
    struct client_config *config = NULL;
    TRY(client_config_load(buf_str(&path), &config));
    enum rc rc = RC_UNAVAILABLE;
    if (config->endpoints.count > 0) {
        struct rpc_probe probe = {0};
        rpc_probe(config, config->endpoints.items[0], &probe);
        rc = probe.rc;
    }
    client_config_free(config);
    return rc;
}

/* A daemon that is there may be on its way out, killed or told to stop a moment ago: it stays when
 * it answers. */
static bool is_there_to_stay(const struct dev *dev, unsigned zone)
{
    for (unsigned waited = 0; waited < SETTLE_MS && dev_daemon_pid(dev, zone) != 0; waited += 20) {
        if (probe_zone(dev, zone) == RC_OK)
            return true;
        sleep_ms(20);
    }
    return dev_daemon_pid(dev, zone) != 0;
}

enum rc dev_daemon_start(const struct dev *dev, unsigned zone)
{
    if (is_there_to_stay(dev, zone))
        return RC_OK;
    AUTO_BUF program = BUF_INIT;
    AUTO_BUF config = BUF_INIT;
    AUTO_BUF log = BUF_INIT;
    AUTO_BUF pid_path = BUF_INIT;
    AUTO_BUF text = BUF_INIT;
    TRY(dev_program(QHSM_INSTALL_QHSMD, "cluster/qhsmd", &program));
    TRY(zone_path(dev, zone, "qhsmd.conf", &config));
    TRY(zone_path(dev, zone, "qhsmd.log", &log));
    TRY(zone_path(dev, zone, "qhsmd.pid", &pid_path));
    /* The strings are made before fork: the child may only exec. */
    const char *program_str = buf_str(&program), *config_str = buf_str(&config),
               *log_str = buf_str(&log);
    pid_t pid = fork();
    if (pid < 0)
        return rc_fail(RC_IO, "fork: %s", strerror(errno));
    if (pid == 0)
        become_daemon(program_str, config_str, log_str);
    TRY(buf_printf(&text, "%d\n", (int)pid));
    return dev_file_write(buf_str(&pid_path), 0644, buf_bytes(&text));
}

/* The end of the log tells why a daemon did not start. */
static void last_line(const struct dev *dev, unsigned zone, struct buf *out)
{
    AUTO_BUF path = BUF_INIT;
    AUTO_BUF log = BUF_INIT;
    if (zone_path(dev, zone, "qhsmd.log", &path) != RC_OK ||
        dev_file_read(buf_str(&path), &log) != RC_OK)
        return;
    char *text = (char *)(uintptr_t)buf_str(&log);
    size_t len = strlen(text);
    while (len > 0 && text[len - 1] == '\n')
        text[--len] = 0;
    const char *line = strrchr(text, '\n');
    (void)buf_printf(out, "%s", line == NULL ? text : line + 1);
}

enum rc dev_daemon_wait(const struct dev *dev, unsigned zone, unsigned timeout_ms)
{
    pid_t pid = dev_daemon_pid(dev, zone);
    for (unsigned waited = 0; waited < timeout_ms; waited += 20) {
        if (probe_zone(dev, zone) == RC_OK)
            return RC_OK;
        if (pid > 0 && waitpid(pid, NULL, WNOHANG) == pid)
            break;
        sleep_ms(20);
    }
    AUTO_BUF line = BUF_INIT;
    last_line(dev, zone, &line);
    return rc_fail(RC_UNAVAILABLE, "the daemon of zone %c did not start: %s", (char)('a' + zone),
                   buf_str(&line));
}

enum rc dev_daemon_stop(const struct dev *dev, unsigned zone, unsigned timeout_ms)
{
    pid_t pid = dev_daemon_pid(dev, zone);
    if (pid == 0)
        return rc_fail(RC_NOT_FOUND, "no daemon runs for zone %c", (char)('a' + zone));
    if (kill(pid, SIGTERM) != 0)
        return rc_fail(RC_IO, "kill %d: %s", (int)pid, strerror(errno));
    for (unsigned waited = 0; waited < timeout_ms && is_daemon(pid); waited += 20) {
        (void)waitpid(pid, NULL, WNOHANG);
        sleep_ms(20);
    }
    if (is_daemon(pid))
        (void)kill(pid, SIGKILL);
    AUTO_BUF path = BUF_INIT;
    TRY(zone_path(dev, zone, "qhsmd.pid", &path));
    (void)unlink(buf_str(&path));
    return RC_OK;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Starting, watching and stopping the daemon of one zone. */
#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

#include "rpc/client.h"
#include "tools/dev.h"
#include "tools/dev_net.h"
#include "tools/process.h"

#define SETTLE_MS 5000U

void dev_rest_ms(unsigned ms)
{
    struct timespec rest = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
    while (nanosleep(&rest, &rest) != 0 && errno == EINTR)
        ;
}

static enum rc daemon_of(const struct dev *dev, unsigned zone, struct process *out)
{
    out->name = "qhsmd";
    TRY(dev_zone_path(dev, zone, "qhsmd.conf", &out->config));
    TRY(dev_zone_path(dev, zone, "qhsmd.log", &out->log));
    return dev_zone_path(dev, zone, "qhsmd.pid", &out->pid_file);
}

bool dev_daemon_is_paused(const struct dev *dev, unsigned zone)
{
    AUTO_PROCESS daemon = PROCESS_INIT;
    return daemon_of(dev, zone, &daemon) == RC_OK && process_is_paused(&daemon);
}

pid_t dev_daemon_pid(const struct dev *dev, unsigned zone)
{
    AUTO_PROCESS daemon = PROCESS_INIT;
    return daemon_of(dev, zone, &daemon) == RC_OK ? process_pid(&daemon) : 0;
}

static enum rc probe_zone(const struct dev *dev, unsigned zone)
{
    AUTO_BUF path = BUF_INIT;
    TRY(dev_zone_path(dev, zone, "client.conf", &path));
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
    if (dev_daemon_is_paused(dev, zone))
        return true;
    for (unsigned waited = 0; waited < SETTLE_MS && dev_daemon_pid(dev, zone) != 0; waited += 20) {
        if (probe_zone(dev, zone) == RC_OK)
            return true;
        dev_rest_ms(20);
    }
    return dev_daemon_pid(dev, zone) != 0;
}

enum rc dev_daemon_start(const struct dev *dev, unsigned zone)
{
    AUTO_PROCESS daemon = PROCESS_INIT;
    if (is_there_to_stay(dev, zone))
        return RC_OK;
    TRY(daemon_of(dev, zone, &daemon));
    TRY(dev_net_namespace(dev, zone, &daemon.netns));
    TRY(dev_program(QHSM_INSTALL_QHSMD, "cluster/qhsmd", &daemon.program));
    return process_start(&daemon);
}

enum rc dev_daemon_wait(const struct dev *dev, unsigned zone, unsigned timeout_ms)
{
    AUTO_PROCESS daemon = PROCESS_INIT;
    AUTO_BUF line = BUF_INIT;
    TRY(daemon_of(dev, zone, &daemon));
    pid_t pid = process_pid(&daemon);
    for (unsigned waited = 0; waited < timeout_ms; waited += 20) {
        if (probe_zone(dev, zone) == RC_OK)
            return RC_OK;
        if (pid > 0 && waitpid(pid, NULL, WNOHANG) == pid)
            break;
        dev_rest_ms(20);
    }
    process_last_line(&daemon, &line);
    return rc_fail(RC_UNAVAILABLE, "the daemon of zone %c did not start: %s", dev_letter(zone),
                   buf_str(&line));
}

enum rc dev_daemon_signal(const struct dev *dev, unsigned zone, int number)
{
    AUTO_PROCESS daemon = PROCESS_INIT;
    TRY(daemon_of(dev, zone, &daemon));
    enum rc rc = process_signal(&daemon, number);
    return rc == RC_NOT_FOUND ? rc_fail(rc, "no daemon runs for zone %c", dev_letter(zone)) : rc;
}

enum rc dev_daemon_stop(const struct dev *dev, unsigned zone, unsigned timeout_ms)
{
    AUTO_PROCESS daemon = PROCESS_INIT;
    TRY(daemon_of(dev, zone, &daemon));
    enum rc rc = process_stop(&daemon, timeout_ms);
    return rc == RC_NOT_FOUND ? rc_fail(rc, "no daemon runs for zone %c", dev_letter(zone)) : rc;
}

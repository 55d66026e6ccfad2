/* SPDX-License-Identifier: Apache-2.0 */
/* qhsmd: arguments and signals. */
#include <getopt.h>
#include <stdio.h>

#include "cluster/join.h"
#include "cluster/memory.h"
#include "cluster/recover.h"
#include "cluster/renewal.h"
#include "cluster/server.h"
#include "cluster/zeroize.h"
#include "common/daemon.h"
#include "common/log.h"
#include "common/notify.h"
#include "rpc/tls.h"
#include "token/crypto_lib.h"

#define CONFIG_DEFAULT "/etc/qhsm/qhsmd.conf"

struct options {
    const char *config;
    bool check_only, inspect, recover;
};

static void print_usage(void)
{
    (void)printf(
        "Usage: qhsmd [--config FILE] [--check-config | --inspect | --recover]\n"
        "The HSM daemon of QuorumHSM. It is an emulator: nothing here is validated.\n\n"
        "  -c, --config FILE    configuration (%s)\n"
        "      --check-config   read it, say what is wrong, and end\n"
        "      --inspect        say what the log of the stopped HSM has, and end\n"
        "      --recover        make it a cluster of one with that log, and end:\n"
        "                       qhsm cluster recover tells what that may lose, and asks\n"
        "      --version        release\n"
        "  -h, --help           this text\n\n"
        "SIGHUP reads certificates and limits again and reopens the log; SIGTERM finishes\n"
        "what is in flight and ends.\n\nKeys of the configuration:\n",
        CONFIG_DEFAULT);
    daemon_print_keys(server_config_keys, server_config_key_count);
}

static enum rc parse(int argc, char **argv, struct options *out, bool *out_done)
{
    const struct daemon_flag flags[] = {{"check-config", &out->check_only},
                                        {"inspect", &out->inspect},
                                        {"recover", &out->recover},
                                        {NULL, NULL}};
    struct daemon daemon = {
        .name = "qhsmd", .print_usage = print_usage, .flags = flags, .config = CONFIG_DEFAULT};
    TRY(daemon_parse(&daemon, argc, argv));
    out->config = daemon.config;
    *out_done = daemon.is_done;
    if (optind == argc)
        return RC_OK;
    (void)fprintf(stderr, "qhsmd: unexpected argument %s\n", argv[optind]);
    return RC_USAGE;
}

struct serving {
    struct server *server;
    struct renewal *renewal;
    const char *path;
};

static void reload(void *context)
{
    const struct serving *serving = context;
    notify_reloading();
    log_reopen();
    struct server_config *fresh = NULL;
    enum rc rc = server_config_load(serving->path, &fresh);
    if (rc == RC_OK)
        rc = server_reload(serving->server, fresh);
    if (rc == RC_OK) {
        log_set_level((enum log_level)fresh->log_level);
        log_info("reloaded", "config=%s", serving->path);
        renewal_look(serving->renewal);
    } else {
        (void)daemon_fail("reload: the old settings stay", rc);
    }
    server_config_free(fresh);
    notify_send("READY=1");
}

/* ---- joining */

static volatile bool join_stop;

static void stop_joining(int number)
{
    (void)number;
    join_stop = true;
}

/* Nobody waits for signals yet: those that end it are handled, for so long. */
static enum rc join(struct server_config *config)
{
    struct sigaction stop = {.sa_handler = stop_joining};
    sigset_t ends;
    if (!join_is_wanted(config))
        return join_number(config);
    TRY(crypto_lib_init());
    (void)sigaction(SIGTERM, &stop, NULL);
    (void)sigaction(SIGINT, &stop, NULL);
    (void)sigemptyset(&ends);
    (void)sigaddset(&ends, SIGTERM);
    (void)sigaddset(&ends, SIGINT);
    (void)sigprocmask(SIG_UNBLOCK, &ends, NULL);
    enum rc rc = join_cluster(config, &join_stop);
    (void)sigprocmask(SIG_BLOCK, &ends, NULL);
    return rc != RC_OK ? rc : join_number(config);
}

static int run(const struct options *options, struct server_config *config)
{
    sigset_t signals;
    struct serving serving = {.path = options->config};
    bool locked = false;
    daemon_block_signals(&signals);
    log_open(config->log_file, (enum log_level)config->log_level);
    enum rc rc = memory_protect((enum memory_lock)config->memory_lock, &locked);
    if (rc == RC_OK)
        rc = tls_program_init();
    if (rc == RC_OK)
        rc = zeroize_check(config);
    if (rc == RC_OK)
        rc = join(config);
    if (rc == RC_OK)
        rc = server_start(config, locked, &serving.server);
    if (rc == RC_OK)
        rc = renewal_start(server_service(serving.server), &serving.renewal);
    if (rc != RC_OK)
        return daemon_fail("start", rc);
    notify_send("READY=1");
    daemon_wait(&signals, reload, &serving);
    notify_send("STOPPING=1");
    renewal_stop(serving.renewal);
    server_stop(serving.server);
    log_info("stopped", "by=signal");
    rc = zeroize_check(config);
    return rc == RC_OK ? 0 : daemon_fail("the end of an HSM that was tampered with", rc);
}

/* Without serving. */
static int run_offline(const struct options *options, struct server_config *config)
{
    enum rc rc = zeroize_check(config);
    if (rc == RC_OK)
        rc = join_number(config);
    if (rc == RC_OK)
        rc = options->recover ? recover_run(config) : recover_inspect(config);
    return rc == RC_OK ? 0 : daemon_fail(options->recover ? "recover" : "inspect", rc);
}

int main(int argc, char **argv)
{
    struct options options = {.config = NULL};
    bool is_done = false;
    log_open(NULL, LOG_LEVEL_INFO);
    enum rc rc = parse(argc, argv, &options, &is_done);
    if (rc != RC_OK || is_done)
        return rc_info(rc)->exit_code;
    struct server_config *config = NULL;
    rc = server_config_load(options.config, &config);
    if (rc != RC_OK)
        return daemon_fail("configuration", rc);
    int status = 0;
    if (options.check_only)
        (void)printf("%s is good\n", options.config);
    else if (options.inspect || options.recover)
        status = run_offline(&options, config);
    else
        status = run(&options, config);
    server_config_free(config);
    return status;
}

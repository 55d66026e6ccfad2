/* SPDX-License-Identifier: Apache-2.0 */
/* qhsmd: arguments and signals. */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "cluster/memory.h"
#include "cluster/notify.h"
#include "cluster/server.h"
#include "common/log.h"
#include "rpc/tls.h"

#define CONFIG_DEFAULT "/etc/qhsm/qhsmd.conf"

struct options {
    const char *config;
    bool check_only;
    bool done;
};

static void print_usage(void)
{
    (void)printf(
        "Usage: qhsmd [--config FILE] [--check-config]\n"
        "The HSM daemon of QuorumHSM. It is an emulator: nothing here is validated.\n\n"
        "  -c, --config FILE    configuration (%s)\n"
        "      --check-config   read it, say what is wrong, and end\n"
        "      --version        release\n"
        "  -h, --help           this text\n\n"
        "SIGHUP reads certificates and limits again and reopens the log; SIGTERM finishes\n"
        "what is in flight and ends.\n\nKeys of the configuration:\n",
        CONFIG_DEFAULT);
    for (size_t i = 0; i < server_config_key_count; i++)
        (void)printf("  %-20s %s%s%s%s\n", server_config_keys[i].name, server_config_keys[i].help,
                     server_config_keys[i].fallback == NULL ? "" : " (",
                     server_config_keys[i].fallback == NULL ? "" : server_config_keys[i].fallback,
                     server_config_keys[i].fallback == NULL ? "" : ")");
}

static enum rc parse(int argc, char **argv, struct options *out)
{
    enum { CHECK = 256, VERSION };
    static const struct option known[] = {{"config", required_argument, NULL, 'c'},
                                          {"check-config", no_argument, NULL, CHECK},
                                          {"version", no_argument, NULL, VERSION},
                                          {"help", no_argument, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
    for (int c = getopt_long(argc, argv, "c:h", known, NULL); c != -1;
         c = getopt_long(argc, argv, "c:h", known, NULL)) {
        if (c == 'c') {
            out->config = optarg;
        } else if (c == CHECK) {
            out->check_only = true;
        } else if (c == VERSION) {
            (void)printf("qhsmd %s\n", QHSM_VERSION);
            out->done = true;
        } else if (c == 'h') {
            print_usage();
            out->done = true;
        } else {
            return RC_USAGE;
        }
    }
    if (optind < argc) {
        (void)fprintf(stderr, "qhsmd: unexpected argument %s\n", argv[optind]);
        return RC_USAGE;
    }
    return RC_OK;
}

static int fail(const char *what, enum rc rc)
{
    const struct rc_info *info = rc_info(rc);
    log_error("failed", "what=\"%s\" error=%s text=\"%s\" detail=\"%s\" next=\"%s\"", what,
              info->name, info->text, rc_detail(), info->next);
    return info->exit_code;
}

static void reload(struct server *server, const char *path)
{
    notify_reloading();
    log_reopen();
    struct server_config *fresh = NULL;
    enum rc rc = server_config_load(path, &fresh);
    if (rc == RC_OK)
        rc = server_reload(server, fresh);
    if (rc == RC_OK) {
        log_set_level((enum log_level)fresh->log_level);
        log_info("reloaded", "config=%s", path);
    } else {
        (void)fail("reload: the old settings stay", rc);
    }
    server_config_free(fresh);
    notify_send("READY=1");
}

/* Blocked before any thread is made: signals come here and nowhere else. */
static void block_signals(sigset_t *out)
{
    (void)sigemptyset(out);
    (void)sigaddset(out, SIGTERM);
    (void)sigaddset(out, SIGINT);
    (void)sigaddset(out, SIGHUP);
    (void)sigprocmask(SIG_BLOCK, out, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
}

static void serve_signals(struct server *server, const char *path, const sigset_t *signals)
{
    for (;;) {
        int number = 0;
        if (sigwait(signals, &number) != 0)
            continue;
        if (number != SIGHUP) {
            log_info("stopping", "signal=%d", number);
            return;
        }
        reload(server, path);
    }
}

static int run(const struct options *options, const struct server_config *config)
{
    sigset_t signals;
    struct server *server = NULL;
    bool locked = false;
    block_signals(&signals);
    log_open(config->log_file, (enum log_level)config->log_level);
    enum rc rc = memory_protect((enum memory_lock)config->memory_lock, &locked);
    if (rc == RC_OK)
        rc = tls_program_init();
    if (rc == RC_OK)
        rc = server_start(config, locked, &server);
    if (rc != RC_OK)
        return fail("start", rc);
    notify_send("READY=1");
    serve_signals(server, options->config, &signals);
    notify_send("STOPPING=1");
    server_stop(server);
    log_info("stopped", "by=signal");
    return 0;
}

int main(int argc, char **argv)
{
    struct options options = {.config = CONFIG_DEFAULT};
    log_open(NULL, LOG_LEVEL_INFO);
    enum rc rc = parse(argc, argv, &options);
    if (rc != RC_OK || options.done)
        return rc_info(rc)->exit_code;
    struct server_config *config = NULL;
    rc = server_config_load(options.config, &config);
    if (rc != RC_OK)
        return fail("configuration", rc);
    int status = 0;
    if (options.check_only)
        (void)printf("%s is good\n", options.config);
    else
        status = run(&options, config);
    server_config_free(config);
    return status;
}

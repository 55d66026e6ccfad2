/* SPDX-License-Identifier: Apache-2.0 */
/* qhsm-kms: arguments and signals. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "common/daemon.h"
#include "common/log.h"
#include "common/notify.h"
#include "common/report.h"
#include "kms/json_memory.h"
#include "kms/kms.h"
#include "kms/server.h"
#include "kms/sigv4.h"
#include "kms/verbs.h"
#include "rpc/tls.h"

#define CONFIG_DEFAULT "/etc/qhsm/kms.conf"

struct options {
    const char *config;
    const struct verb *verb; /* NULL: serve */
    char **arguments;
    int argument_count;
    bool check_only;
};

static void print_usage(void)
{
    size_t count = 0;
    const struct config_key *keys = kms_config_keys(&count);
    (void)printf("Usage: qhsm-kms [VERB] [--config FILE] [--check-config] [ARGUMENT...]\n"
                 "The KMS front end of QuorumHSM: the API of AWS KMS over keys in the HSMs. It is "
                 "an\nemulator: nothing here is validated.\n\n"
                 "  -c, --config FILE    configuration (%s)\n"
                 "      --check-config   read it, say what is wrong, and end\n"
                 "      --version        release\n"
                 "  -h, --help           this text\n\n"
                 "SIGHUP reads certificates and credentials again and reopens the log; SIGTERM\n"
                 "finishes what is in flight and ends.\n\nVerbs, instead of serving:\n",
                 CONFIG_DEFAULT);
    for (size_t i = 0; verb_at(i) != NULL; i++)
        (void)printf("  %s %s\n      %s\n", verb_at(i)->name, verb_at(i)->arguments,
                     verb_at(i)->help);
    (void)printf("\nKeys of the configuration:\n");
    daemon_print_keys(keys, count);
}

/* ---- arguments */

static const struct verb *find_verb(const char *name)
{
    for (size_t i = 0; verb_at(i) != NULL; i++) {
        if (strcmp(verb_at(i)->name, name) == 0)
            return verb_at(i);
    }
    return NULL;
}

/* The first word is the verb. */
static enum rc take_words(int argc, char **argv, struct options *out)
{
    if (optind == argc)
        return RC_OK;
    out->verb = find_verb(argv[optind]);
    out->arguments = argv + optind + 1;
    out->argument_count = argc - optind - 1;
    if (out->verb == NULL)
        return rc_fail(RC_USAGE, "%s is not a verb", argv[optind]);
    if (out->argument_count < out->verb->least || out->argument_count > out->verb->most)
        return rc_fail(RC_USAGE, "qhsm-kms %s %s", out->verb->name, out->verb->arguments);
    return RC_OK;
}

static enum rc parse(int argc, char **argv, struct options *out, bool *out_done)
{
    const struct daemon_flag flags[] = {{"check-config", &out->check_only}, {NULL, NULL}};
    struct daemon daemon = {
        .name = "qhsm-kms", .print_usage = print_usage, .flags = flags, .config = CONFIG_DEFAULT};
    TRY(daemon_parse(&daemon, argc, argv));
    out->config = daemon.config;
    *out_done = daemon.is_done;
    return daemon.is_done ? RC_OK : take_words(argc, argv, out);
}

/* ---- serving */

/* Each connection takes a descriptor; memory with secrets is nobody else's. */
static void set_limits(void)
{
    const struct rlimit none = {.rlim_cur = 0, .rlim_max = 0};
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
    if (setrlimit(RLIMIT_CORE, &none) != 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
        log_warn("memory_not_protected", "next=\"core dumps may hold secrets: ulimit -c 0\"");
}

struct serving {
    struct kms *kms;
    struct kms_server *server;
    const char *path;
};

static void reload(void *context)
{
    const struct serving *serving = context;
    struct kms_config *fresh = NULL;
    notify_reloading();
    log_reopen();
    enum rc rc = kms_config_load(serving->path, &fresh);
    if (rc == RC_OK)
        rc = kms_server_reload(serving->server, fresh);
    if (rc == RC_OK)
        rc = kms_reload(serving->kms, fresh);
    if (rc != RC_OK)
        (void)daemon_fail("reload: what is not told otherwise stays as it was", rc);
    kms_config_free(fresh);
    notify_send("READY=1");
}

static int serve(const struct options *options, struct kms_config *config)
{
    sigset_t signals;
    struct serving serving = {.path = options->config};
    daemon_block_signals(&signals);
    log_open(config->log_file, (enum log_level)config->log_level);
    log_info("starting", "version=%s emulator=yes next=\"an emulator: nothing here is validated\"",
             QHSM_VERSION);
    set_limits();
    enum rc rc = kms_new(config, &serving.kms);
    if (rc == RC_OK)
        rc = kms_server_start(serving.kms, &serving.server);
    if (rc == RC_OK) {
        notify_send("READY=1");
        daemon_wait(&signals, reload, &serving);
        notify_send("STOPPING=1");
    }
    int status = rc == RC_OK ? 0 : daemon_fail("start", rc);
    kms_server_stop(serving.server);
    kms_free(serving.kms);
    sigv4_forget();
    if (status == 0)
        log_info("stopped", "by=signal");
    return status;
}

/* ---- verbs */

/* No trail: its directory is the serving front end's. */
static int run_verb(const struct options *options, struct kms_config *config)
{
    struct kms *kms = NULL;
    enum rc rc = RC_OK;
    char *trail_dir = config->trail_dir;
    log_open(NULL, LOG_LEVEL_WARN);
    if (options->verb->needs_hsm) {
        config->trail_dir = NULL;
        rc = kms_new(config, &kms);
        config->trail_dir = trail_dir;
    }
    if (rc == RC_OK)
        rc = options->verb->run(config, kms, options->argument_count, options->arguments);
    int status = rc == RC_OK ? 0 : report_error(stderr, "qhsm-kms", rc);
    kms_free(kms);
    return status;
}

int main(int argc, char **argv)
{
    struct options options = {.config = NULL};
    bool is_done = false;
    json_memory_protect();
    struct kms_config *config = NULL;
    int status = 0;
    log_open(NULL, LOG_LEVEL_INFO);
    enum rc rc = parse(argc, argv, &options, &is_done);
    if (rc == RC_OK && is_done)
        return 0;
    if (rc == RC_OK)
        rc = tls_program_init();
    if (rc == RC_OK)
        rc = kms_config_load(options.config, &config);
    if (rc != RC_OK)
        return options.verb != NULL
                   ? report_error(stderr, "qhsm-kms", rc)
                   : daemon_fail(rc == RC_USAGE ? "arguments" : "configuration", rc);
    if (options.check_only)
        (void)printf("%s is good\n", options.config);
    else if (options.verb != NULL)
        status = run_verb(&options, config);
    else
        status = serve(&options, config);
    kms_config_free(config);
    return status;
}

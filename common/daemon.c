/* SPDX-License-Identifier: Apache-2.0 */
/* Command line and signals of a daemon. */
#include "common/daemon.h"

#include <getopt.h>
#include <stdio.h>

#include "common/log.h"

#define FLAGS_MAX 8U

enum { VERSION = 256, FLAG };

static void fill(const struct daemon *daemon, struct option known[static FLAGS_MAX + 4])
{
    size_t count = 0;
    known[count++] = (struct option){"config", required_argument, NULL, 'c'};
    known[count++] = (struct option){"help", no_argument, NULL, 'h'};
    known[count++] = (struct option){"version", no_argument, NULL, VERSION};
    for (size_t i = 0; i < FLAGS_MAX && daemon->flags[i].name != NULL; i++)
        known[count++] = (struct option){daemon->flags[i].name, no_argument, NULL, (int)(FLAG + i)};
    known[count] = (struct option){NULL, 0, NULL, 0};
}

static void take(struct daemon *daemon, int option)
{
    if (option >= FLAG) {
        *daemon->flags[option - FLAG].out = true;
    } else if (option == 'c') {
        daemon->config = optarg;
    } else if (option == VERSION) {
        (void)printf("%s %s\n", daemon->name, QHSM_VERSION);
        daemon->is_done = true;
    } else {
        daemon->print_usage();
        daemon->is_done = true;
    }
}

enum rc daemon_parse(struct daemon *daemon, int argc, char **argv)
{
    struct option known[FLAGS_MAX + 4];
    fill(daemon, known);
    for (int c = getopt_long(argc, argv, "c:h", known, NULL); c != -1;
         c = getopt_long(argc, argv, "c:h", known, NULL)) {
        if (c == '?')
            return RC_USAGE;
        take(daemon, c);
    }
    return RC_OK;
}

void daemon_print_keys(const struct config_key *keys, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        bool has_fallback = keys[i].fallback != NULL;
        (void)printf("  %-20s %s%s%s%s\n", keys[i].name, keys[i].help, has_fallback ? " (" : "",
                     has_fallback ? keys[i].fallback : "", has_fallback ? ")" : "");
    }
}

int daemon_fail(const char *what, enum rc rc)
{
    const struct rc_info *info = rc_info(rc);
    log_error("failed", "what=\"%s\" error=%s text=\"%s\" detail=\"%s\" next=\"%s\"", what,
              info->name, info->text, rc_detail(), info->next);
    return info->exit_code;
}

void daemon_block_signals(sigset_t *out)
{
    (void)sigemptyset(out);
    (void)sigaddset(out, SIGTERM);
    (void)sigaddset(out, SIGINT);
    (void)sigaddset(out, SIGHUP);
    (void)sigprocmask(SIG_BLOCK, out, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
}

void daemon_wait(const sigset_t *signals, void (*reload)(void *context), void *context)
{
    for (;;) {
        int number = 0;
        if (sigwait(signals, &number) != 0)
            continue;
        if (number != SIGHUP) {
            log_info("stopping", "signal=%d", number);
            return;
        }
        reload(context);
    }
}

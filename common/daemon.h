/* SPDX-License-Identifier: Apache-2.0 */
/* What the main functions of the daemons share: command line, signals, the word at the end. */
#ifndef QHSM_COMMON_DAEMON_H
#define QHSM_COMMON_DAEMON_H

#include <signal.h>

#include "common/config.h"

/* A long option without argument, beside those that every daemon has. */
struct daemon_flag {
    const char *name;
    bool *out;
};

struct daemon {
    const char *name; /* of the program */
    void (*print_usage)(void);
    const struct daemon_flag *flags; /* at most 8; the last one's name is NULL */
    const char *config;              /* in: the default */
    bool is_done;                    /* --help and --version are answered */
};

/* --config, --help, --version and the flags. Words that are no options are left at optind. RC_USAGE
 * (told on standard error). */
enum rc daemon_parse(struct daemon *daemon, int argc, char **argv);
/* For --help: a line for each key. */
void daemon_print_keys(const struct config_key *keys, size_t count);

/* Logs what failed, and what to do; the exit code. */
int daemon_fail(const char *what, enum rc rc);
/* Before any thread is made: those that end or reload come by daemon_wait() and nowhere else. */
void daemon_block_signals(sigset_t *out);
/* Runs reload(context) for each SIGHUP, until another of the signals says that it is the end. */
void daemon_wait(const sigset_t *signals, void (*reload)(void *context), void *context);

#endif

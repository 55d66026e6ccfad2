/* SPDX-License-Identifier: Apache-2.0 */
/* A daemon's command line, and the signals that it waits for. */
#include "common/daemon.h"

#include <getopt.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "tests/unit/unit.h"

static bool has_flag, has_other;
static unsigned usages;

static void count_usage(void)
{
    usages++;
}

static enum rc parse(struct daemon *daemon, const char *const *words)
{
    static const struct daemon_flag flags[] = {
        {"flag", &has_flag}, {"other", &has_other}, {NULL, NULL}};
    static char copies[6][32];
    char *argv[6] = {NULL};
    int argc = 0;
    for (; words[argc] != NULL; argc++) {
        (void)snprintf(copies[argc], sizeof copies[argc], "%s", words[argc]);
        argv[argc] = copies[argc];
    }
    has_flag = has_other = false;
    usages = 0;
    optind = 0; /* getopt begins anew */
    opterr = 0;
    *daemon = (struct daemon){
        .name = "program", .print_usage = count_usage, .flags = flags, .config = "default.conf"};
    return daemon_parse(daemon, argc, argv);
}

static void options_are_read_and_words_are_left(void)
{
    struct daemon daemon;
    UNIT_OK(parse(&daemon, (const char *[]){"program", NULL}));
    CU_ASSERT_STRING_EQUAL(daemon.config, "default.conf");
    CU_ASSERT_FALSE(daemon.is_done || has_flag || has_other);
    UNIT_OK(parse(&daemon, (const char *[]){"program", "--other", "-c", "my.conf", "word", NULL}));
    CU_ASSERT_STRING_EQUAL(daemon.config, "my.conf");
    CU_ASSERT_TRUE(has_other);
    CU_ASSERT_FALSE(has_flag);
    CU_ASSERT_EQUAL(optind, 4);
    UNIT_OK(parse(&daemon, (const char *[]){"program", "--config", "its.conf", "--flag", NULL}));
    CU_ASSERT_STRING_EQUAL(daemon.config, "its.conf");
    CU_ASSERT_TRUE(has_flag);
}

static void help_and_version_are_answered(void)
{
    struct daemon daemon;
    UNIT_OK(parse(&daemon, (const char *[]){"program", "-h", NULL}));
    CU_ASSERT_TRUE(daemon.is_done);
    CU_ASSERT_EQUAL(usages, 1);
    UNIT_OK(parse(&daemon, (const char *[]){"program", "--version", NULL}));
    CU_ASSERT_TRUE(daemon.is_done);
    CU_ASSERT_EQUAL(usages, 0);
}

static void unknown_options_and_missing_arguments_are_refused(void)
{
    struct daemon daemon;
    UNIT_RC(parse(&daemon, (const char *[]){"program", "--wrong", NULL}), RC_USAGE);
    UNIT_RC(parse(&daemon, (const char *[]){"program", "--config", NULL}), RC_USAGE);
    UNIT_RC(parse(&daemon, (const char *[]){"program", "--flag=1", NULL}), RC_USAGE);
    CU_ASSERT_FALSE(has_flag);
}

static void count_reload(void *context)
{
    unsigned *count = context;
    if (++*count == 2)
        (void)kill(getpid(), SIGTERM);
    else
        (void)kill(getpid(), SIGHUP);
}

static void hangups_reload_until_it_is_told_to_end(void)
{
    sigset_t signals, before;
    unsigned count = 0;
    (void)pthread_sigmask(SIG_SETMASK, NULL, &before);
    daemon_block_signals(&signals);
    (void)kill(getpid(), SIGHUP);
    daemon_wait(&signals, count_reload, &count);
    CU_ASSERT_EQUAL(count, 2);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
}

UNIT_SUITE("daemon", UNIT_CASE(options_are_read_and_words_are_left),
           UNIT_CASE(help_and_version_are_answered),
           UNIT_CASE(unknown_options_and_missing_arguments_are_refused),
           UNIT_CASE(hangups_reload_until_it_is_told_to_end));

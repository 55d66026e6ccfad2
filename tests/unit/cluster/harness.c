/* SPDX-License-Identifier: Apache-2.0 */
/* Daemons for tests. */
#include "tests/unit/cluster/harness.h"

#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cluster/join.h"
#include "common/log.h"
#include "tests/unit/unit.h"
#include "token/crypto_lib.h"

/* Daemons of the tests run in forked children, with threads of their own. */
const char *__tsan_default_options(void);
const char *__tsan_default_options(void)
{
    return "die_after_fork=0";
}

void harness_set(char **field, const char *value)
{
    free(*field);
    *field = strdup(value);
}

static void set_path(const struct harness *harness, char **field, const char *name)
{
    char path[128];
    (void)snprintf(path, sizeof path, "%s/%s", harness->dir, name);
    harness_set(field, path);
}

static void write_key(const char *path)
{
    static const char key[32] = "an unlock key of the unit tests";
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, key, sizeof key) != (ssize_t)sizeof key)
        abort();
    (void)close(fd);
}

void harness_init(struct harness *harness)
{
    memset(harness, 0, sizeof *harness);
    unit_directory(harness->dir, sizeof harness->dir);
    struct server_config *config = &harness->config;
    if (config_defaults(server_config_keys, server_config_key_count, config) != RC_OK)
        abort();
    harness_set(&config->cluster, HARNESS_CLUSTER);
    set_path(harness, &config->state_dir, "state");
    set_path(harness, &config->listen_unix, "sock");
    set_path(harness, &config->unlock_key, "unlock");
    write_key(config->unlock_key);
    config->bootstrap = true;
    config->workers = 2;
    config->pool_threads = 2;
    config->memory_lock = MEMORY_LOCK_NO;
    if (server_config_check(config) != RC_OK)
        abort();
    const char *level = getenv("QHSM_TEST_LOG");
    enum log_level least = LOG_LEVEL_ERROR;
    if (level != NULL)
        (void)log_level_parse(level, &least);
    log_open(NULL, least);
    (void)signal(SIGPIPE, SIG_IGN);
}

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *walk)
{
    (void)info;
    (void)type;
    (void)walk;
    return remove(path);
}

void harness_clear(struct harness *harness)
{
    harness_stop(harness);
    config_clear(server_config_keys, server_config_key_count, &harness->config);
    (void)nftw(harness->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* As main() does. */
static enum rc join(struct server_config *config)
{
    static const volatile bool stop = false;
    if (!join_is_wanted(config))
        return join_number(config);
    TRY(crypto_lib_init());
    TRY(join_cluster(config, &stop));
    return join_number(config);
}

enum rc harness_start(struct harness *harness)
{
    TRY(join(&harness->config));
    return server_start(&harness->config, false, &harness->server);
}

void harness_stop(struct harness *harness)
{
    if (harness->child != 0)
        harness_kill(harness);
    server_stop(harness->server);
    harness->server = NULL;
}

/* ---- in another process: forked before this one has any thread of a daemon */

/* It does not outlive a test that is killed; SIGTERM ends it as main() does. */
static _Noreturn void child_run(struct harness *harness, int ready)
{
    sigset_t ends;
    int number = 0;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)sigemptyset(&ends);
    (void)sigaddset(&ends, SIGTERM);
    (void)sigprocmask(SIG_BLOCK, &ends, NULL);
    enum rc rc = harness_start(harness);
    char byte = (char)rc;
    if (write(ready, &byte, 1) != 1 || rc != RC_OK)
        _exit(rc_info(rc)->exit_code);
    while (sigwait(&ends, &number) != 0)
        continue;
    server_stop(harness->server);
    exit(0);
}

void harness_fork(struct harness *harness)
{
    int ends[2];
    char byte = -1;
    if (pipe2(ends, O_CLOEXEC) != 0)
        abort();
    (void)fflush(NULL);
    harness->child = fork();
    if (harness->child == 0)
        child_run(harness, ends[1]);
    (void)close(ends[1]);
    if (read(ends[0], &byte, 1) != 1 || byte != (char)RC_OK)
        (void)fprintf(stderr, "the daemon did not start: %d\n", byte);
    (void)close(ends[0]);
}

void harness_kill(struct harness *harness)
{
    (void)kill(harness->child, SIGKILL);
    (void)waitpid(harness->child, NULL, 0);
    harness->child = 0;
}

int harness_end(struct harness *harness)
{
    int status = 0;
    (void)kill(harness->child, SIGTERM);
    (void)waitpid(harness->child, &status, 0);
    harness->child = 0;
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int harness_run_to_end(struct harness *harness)
{
    int status = 0;
    (void)fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        struct server *server = NULL;
        log_open("/dev/null", LOG_LEVEL_ERROR);
        enum rc rc = server_start(&harness->config, false, &server);
        server_stop(server);
        _exit(rc_info(rc)->exit_code);
    }
    (void)waitpid(child, &status, 0);
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

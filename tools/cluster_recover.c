/* SPDX-License-Identifier: Apache-2.0 */
/* qhsm cluster recover: the daemon's program does it; this asks. */
#include <errno.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tools/cluster_commands.h"
#include "tools/daemon_conf.h"
#include "tools/dev.h"

/* Its output is ours. */
static enum rc run(const char *program, const char *config, const char *option)
{
    (void)fflush(stdout);
    pid_t pid = fork();
    if (pid < 0)
        return rc_fail(RC_IO, "fork: %s", strerror(errno));
    if (pid == 0) {
        (void)execl(program, "qhsmd", "--config", config, option, (char *)NULL);
        _exit(127);
    }
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return RC_OK;
    return rc_fail(RC_CONFLICT, "%s %s failed, for the reason above; is the daemon stopped?",
                   program, option);
}

enum rc cluster_recover(struct cli *cli, const struct cluster_options *options)
{
    (void)cli;
    AUTO_DAEMON_CONF conf = {0};
    AUTO_BUF program = BUF_INIT;
    TRY(daemon_conf_load(options->daemon_config, &conf));
    TRY(dev_program(QHSM_INSTALL_QHSMD, "cluster/qhsmd", &program));
    TRY(run(buf_str(&program), options->daemon_config, "--inspect"));
    printf(
        "\nThis HSM would become a cluster of one, with what its own log has. Changes that were "
        "acknowledged after\nthe end of this log are LOST: use the HSM with the highest term, and "
        "among those the highest index.\nEvery other HSM must be erased before it is started "
        "again: two of them could form a second cluster.\n\n");
    TRY(cli_confirm(options->yes, "Recover from this HSM?"));
    TRY(run(buf_str(&program), options->daemon_config, "--recover"));
    printf(
        "Next: start the daemon, look at it (qhsm cluster status), then let the others join anew "
        "with empty directories: qhsm cluster join\n");
    return RC_OK;
}

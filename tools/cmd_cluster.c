/* SPDX-License-Identifier: Apache-2.0 */
/* qhsm cluster init | status | token create | join | transfer-leader | recover | certificate
 * create: the table and the options. */
#include <inttypes.h>

#include "tools/cluster_commands.h"
#include "tools/daemon_conf.h"
#include "tools/members.h"

static struct cluster_options options = {.daemon_config = DAEMON_CONF_DEFAULT};

enum {
    OPTION_DAEMON_CONFIG = CLI_OPTION,
    OPTION_SHARES,
    OPTION_THRESHOLD,
    OPTION_OUT,
    OPTION_KEY,
    OPTION_LIFE,
    OPTION_TOKEN,
    OPTION_ROLE,
    OPTION_DAYS,
    OPTION_APPROVE,
    OPTION_YES,
    OPTION_WATCH,
};

#define DAEMON_CONFIG_HELP \
    "Configuration of the daemon on this host (default: " DAEMON_CONF_DEFAULT ")"

static const struct argp_option init_argp[] = {
    {"daemon-config", OPTION_DAEMON_CONFIG, "FILE", 0, DAEMON_CONFIG_HELP, 0},
    {"shares", OPTION_SHARES, "N", 0, "Shares of the backup key (default: 3)", 0},
    {"threshold", OPTION_THRESHOLD, "K", 0, "How many of them open a backup (default: 2)", 0},
    {"out", OPTION_OUT, "FILE", 0,
     "Write the shares to FILE (mode 0600) rather than to the terminal", 0},
    {0}};
static const struct argp_option status_argp[] = {
    {"watch", OPTION_WATCH, NULL, 0, "Again each second, until Ctrl-C", 0}, {0}};
static const struct argp_option token_argp[] = {
    {"key", OPTION_KEY, "CODE", 0, "What `qhsm cluster join` printed on the new host", 0},
    {"approve", OPTION_APPROVE, NULL, 0, "Approve it now: it joins without `qhsm member approve`",
     0},
    {"life", OPTION_LIFE, "SECONDS", 0, "How long the token is good (default: 600)", 0},
    {0}};
static const struct argp_option join_argp[] = {
    {"config", OPTION_DAEMON_CONFIG, "FILE", 0, DAEMON_CONFIG_HELP, 0},
    {"token", OPTION_TOKEN, "TOKEN", 0, "What `qhsm cluster token create` printed", 0},
    {0}};
static const struct argp_option recover_argp[] = {
    {"config", OPTION_DAEMON_CONFIG, "FILE", 0, DAEMON_CONFIG_HELP, 0},
    {"yes", OPTION_YES, NULL, 0, "Do not ask", 0},
    {0}};
static const struct argp_option certificate_argp[] = {
    {"role", OPTION_ROLE, "ROLE", 0, "client (default), admin or keystore", 0},
    {"days", OPTION_DAYS, "N", 0, "Days that it is good (default: 365)", 0},
    {"out", OPTION_OUT, "DIR", 0, "Where NAME.pem and NAME.key go (default: here)", 0},
    {0}};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    static const char **const texts[] = {
        [OPTION_DAEMON_CONFIG - CLI_OPTION] = &options.daemon_config,
        [OPTION_SHARES - CLI_OPTION] = &options.shares,
        [OPTION_THRESHOLD - CLI_OPTION] = &options.threshold,
        [OPTION_OUT - CLI_OPTION] = &options.out,
        [OPTION_KEY - CLI_OPTION] = &options.key,
        [OPTION_LIFE - CLI_OPTION] = &options.life,
        [OPTION_TOKEN - CLI_OPTION] = &options.token,
        [OPTION_ROLE - CLI_OPTION] = &options.role,
        [OPTION_DAYS - CLI_OPTION] = &options.days,
    };
    (void)state;
    switch (key) {
    case OPTION_APPROVE:
        options.approve = true;
        return 0;
    case OPTION_YES:
        options.yes = true;
        return 0;
    case OPTION_WATCH:
        options.watch = true;
        return 0;
    default:
        if (key < CLI_OPTION || key >= OPTION_APPROVE)
            return ARGP_ERR_UNKNOWN;
        *texts[key - CLI_OPTION] = arg;
        return 0;
    }
}

static enum rc run_init(struct cli *cli)
{
    return cluster_init(cli, &options);
}
static enum rc run_status(struct cli *cli)
{
    return cluster_status(cli, &options);
}
static enum rc run_token_create(struct cli *cli)
{
    return cluster_token_create(cli, &options);
}
static enum rc run_join(struct cli *cli)
{
    return cluster_join(cli, &options);
}
static enum rc run_recover(struct cli *cli)
{
    return cluster_recover(cli, &options);
}
static enum rc run_certificate(struct cli *cli)
{
    return cluster_certificate(cli, &options);
}

static enum rc run_transfer(struct cli *cli)
{
    AUTO_CONNECTION connection = {0};
    uint64_t id = 0;
    TRY(connection_open(cli, &connection));
    if (cli->argument_count > 0)
        TRY(members_ask(&connection, cli->arguments[0], &id));
    TRY(members_change(&connection, id, MEMBER_LEAD));
    struct rpc_reply reply = {0};
    enum rc rc = members_status(&connection, &reply);
    if (rc == RC_OK)
        printf("HSM %" PRIu64 " leads\n", reply.msg->cluster_status->leader);
    rpc_reply_clear(connection.client, &reply);
    return rc;
}

static const char init_text[] =
    "In two steps on the first host. Before its daemon runs: makes what qhsmd.conf (bootstrap = "
    "yes) "
    "names and is not there yet: the unlock key, the cluster's own CA, the HSM's certificate. Then "
    "start the daemon and give the command again: the cluster takes the CA over, sealed, and makes "
    "the backup key, whose shares are shown once and kept nowhere. Any K of the N shares open a "
    "backup; without them nobody can.\n\nNext: qhsm token init, which makes the first security "
    "officer; qhsm cluster certificate create --role admin; on the next host: qhsm cluster join.";
static const char token_text[] =
    "A join token is good for one HSM, whose key it names, and for ten minutes. Without --approve "
    "the HSM waits until an administrator compared its key: qhsm member list, qhsm member approve.";
static const char join_text[] =
    "On the new host, twice. First without --token: makes the HSM's key (`key` of qhsmd.conf) and "
    "prints its public half as a code, for `qhsm cluster token create --key CODE` on a host that "
    "reaches the cluster. Then with the token: it is kept in the state directory, and the daemon, "
    "once started, asks the cluster in.";
static const char recover_text[] =
    "For a cluster that has lost its majority for good. On the host of the HSM that has applied "
    "most "
    "(compare what `qhsmd --inspect` says on each one left), with its daemon stopped: makes it a "
    "cluster of one again, with all that is on its disk. Changes that only the lost HSMs had "
    "stored "
    "are lost, and the others must never be started again on their old directories: erase them and "
    "let them join anew.";

const struct command commands_cluster[] = {
    {.noun = "cluster",
     .verb = "init",
     .arguments = "",
     .summary = "Form a cluster: CA, certificates, backup key, as administrator",
     .text = init_text,
     .common = CLI_CONNECTS | CLI_OUTPUT,
     .options = init_argp,
     .parse = parse,
     .run = run_init},
    {.noun = "cluster",
     .verb = "status",
     .arguments = "",
     .summary = "Show the HSMs of the cluster: role, lag, state, health",
     .text = "HEALTH is ok, or says what is the matter; LAG counts the changes that an HSM is "
             "behind the most advanced one.",
     .common = CLI_CONNECTS | CLI_OUTPUT,
     .options = status_argp,
     .parse = parse,
     .run = run_status},
    {.noun = "cluster",
     .verb = "token create",
     .arguments = "",
     .summary = "Make a join token for a new HSM, as administrator",
     .text = token_text,
     .common = CLI_CONNECTS | CLI_OUTPUT,
     .options = token_argp,
     .parse = parse,
     .run = run_token_create},
    {.noun = "cluster",
     .verb = "join",
     .arguments = "",
     .summary = "Prepare a new HSM on its host to join a cluster",
     .text = join_text,
     .options = join_argp,
     .parse = parse,
     .run = run_join},
    {.noun = "cluster",
     .verb = "transfer-leader",
     .arguments = "[HSM]",
     .summary = "Hand the lead to another HSM, as administrator",
     .common = CLI_CONNECTS,
     .arguments_max = 1,
     .run = run_transfer},
    {.noun = "cluster",
     .verb = "recover",
     .arguments = "",
     .summary = "Form a cluster of one from what this host's HSM has left",
     .text = recover_text,
     .options = recover_argp,
     .parse = parse,
     .run = run_recover},
    {.noun = "cluster",
     .verb = "certificate create",
     .arguments = "NAME",
     .summary = "Make a certificate for a client or administrator, as administrator",
     .text = "The key is made here and does not leave this machine.",
     .common = CLI_CONNECTS,
     .arguments_min = 1,
     .arguments_max = 1,
     .options = certificate_argp,
     .parse = parse,
     .run = run_certificate},
    {0}};

/* SPDX-License-Identifier: Apache-2.0 */
/* qhsm chaos VERB ZONE: real signals to a development cluster's daemons, and trouble that they
 * emulate themselves. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>

#include "common/cluster.h"
#include "tools/connection.h"
#include "tools/dev.h"
#include "tools/dev_net.h"

#define STOP_TIMEOUT  10000U
#define START_TIMEOUT 60000U
#define DELAY_MAX_MS  60000L
#define CLOCK_MAX_MS  (10LL * 366 * 86400 * 1000)

static struct {
    const char *dir;
    const char *from;
    const char *one_way;
    const char *delay;
    const char *permille;
    const char *by;
    bool clients, yes;
} options;

enum {
    OPTION_DIR = CLI_OPTION,
    OPTION_FROM,
    OPTION_ONE_WAY,
    OPTION_DELAY,
    OPTION_PERMILLE,
    OPTION_BY,
    OPTION_CLIENTS,
    OPTION_YES,
};

#define DIR_OPTION                                                           \
    {                                                                        \
        "dir", OPTION_DIR, "DIR", 0,                                         \
            "Directory of the cluster (default: ~/.local/state/qhsm/dev)", 0 \
    }
#define FROM_OPTION                                                                 \
    {                                                                               \
        "from", OPTION_FROM, "ZONE", 0, "Towards this zone alone (default: all)", 0 \
    }

static const struct argp_option plain_argp[] = {DIR_OPTION, {0}};
static const struct argp_option partition_argp[] = {
    DIR_OPTION,
    FROM_OPTION,
    {"one-way", OPTION_ONE_WAY, "WAY", 0,
     "Cut one direction only: in (it hears nothing) or out (nobody hears it)", 0},
    {"clients", OPTION_CLIENTS, NULL, 0, "Cut off its clients over TCP too", 0},
    {0}};
static const struct argp_option slow_argp[] = {
    DIR_OPTION,
    FROM_OPTION,
    {"delay", OPTION_DELAY, "TIME", 0, "Such as 50ms or 2s: of each message that it sends", 0},
    {0}};
static const struct argp_option drop_argp[] = {
    DIR_OPTION,
    FROM_OPTION,
    {"permille", OPTION_PERMILLE, "N", 0, "Of 1,000 messages to it, so many are lost", 0},
    {0}};
static const struct argp_option clock_argp[] = {
    DIR_OPTION,
    {"by", OPTION_BY, "TIME", 0, "Such as +3600s, -2h or 0s: off from the real time", 0},
    {0}};
static const struct argp_option tamper_argp[] = {
    DIR_OPTION, {"yes", OPTION_YES, NULL, 0, "Do not ask before the HSM erases its keys", 0}, {0}};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    static const char **const texts[] = {
        [OPTION_DIR - CLI_OPTION] = &options.dir,
        [OPTION_FROM - CLI_OPTION] = &options.from,
        [OPTION_ONE_WAY - CLI_OPTION] = &options.one_way,
        [OPTION_DELAY - CLI_OPTION] = &options.delay,
        [OPTION_PERMILLE - CLI_OPTION] = &options.permille,
        [OPTION_BY - CLI_OPTION] = &options.by,
    };
    (void)state;
    if (key >= CLI_OPTION && key < OPTION_CLIENTS) {
        *texts[key - CLI_OPTION] = arg;
        return 0;
    }
    if (key != OPTION_CLIENTS && key != OPTION_YES)
        return ARGP_ERR_UNKNOWN;
    *(key == OPTION_CLIENTS ? &options.clients : &options.yes) = true;
    return 0;
}

/* ---- whom it is about */

struct target {
    struct buf dir;
    struct dev dev;
    unsigned zone;
};

static void target_clear(struct target *target)
{
    buf_clear(&target->dir);
}
#define AUTO_TARGET __attribute__((cleanup(target_clear))) struct target

static enum rc open_cluster(struct target *out)
{
    bool is_new = false;
    *out = (struct target){.dir = BUF_INIT};
    TRY(dev_locate(options.dir, &out->dir));
    TRY(dev_lock(buf_str(&out->dir)));
    out->dev.dir = (char *)(uintptr_t)buf_str(&out->dir);
    TRY(dev_identity(&out->dev, &is_new));
    return is_new
               ? rc_fail(RC_NOT_FOUND, "%s holds no development cluster: qhsm dev up", out->dev.dir)
               : RC_OK;
}

static enum rc open_target(const struct cli *cli, struct target *out)
{
    TRY(open_cluster(out));
    return dev_zone_find(&out->dev, cli->arguments[0], &out->zone);
}

/* What has to follow a command that is told: the same directory. */
static const char *dir_option(void)
{
    return options.dir == NULL ? "" : " --dir ";
}
static const char *dir_name(void)
{
    return options.dir == NULL ? "" : options.dir;
}

/* ---- signals */

static enum rc chaos_kill(struct cli *cli)
{
    AUTO_TARGET target;
    TRY(open_target(cli, &target));
    TRY(dev_daemon_signal(&target.dev, target.zone, SIGKILL));
    printf("zone %s is killed; it comes back with: qhsm chaos restart %s%s%s\n", cli->arguments[0],
           cli->arguments[0], dir_option(), dir_name());
    return RC_OK;
}

static enum rc chaos_restart(struct cli *cli)
{
    AUTO_TARGET target;
    TRY(open_target(cli, &target));
    if (dev_zone_is_zeroized(&target.dev, target.zone))
        return rc_fail(RC_ZEROIZED, "zone %s: then qhsm dev join %s%s%s", cli->arguments[0],
                       cli->arguments[0], dir_option(), dir_name());
    enum rc rc = dev_daemon_stop(&target.dev, target.zone, STOP_TIMEOUT);
    if (rc != RC_OK && rc != RC_NOT_FOUND)
        return rc;
    TRY(dev_daemon_start(&target.dev, target.zone));
    TRY(dev_daemon_wait(&target.dev, target.zone, START_TIMEOUT));
    printf("zone %s runs\n", cli->arguments[0]);
    return RC_OK;
}

static enum rc chaos_pause(struct cli *cli)
{
    AUTO_TARGET target;
    TRY(open_target(cli, &target));
    TRY(dev_daemon_signal(&target.dev, target.zone, SIGSTOP));
    printf("zone %s is stopped; it goes on with: qhsm chaos resume %s%s%s\n", cli->arguments[0],
           cli->arguments[0], dir_option(), dir_name());
    return RC_OK;
}

static enum rc chaos_resume(struct cli *cli)
{
    AUTO_TARGET target;
    TRY(open_target(cli, &target));
    TRY(dev_daemon_signal(&target.dev, target.zone, SIGCONT));
    printf("zone %s goes on\n", cli->arguments[0]);
    return RC_OK;
}

/* ---- requests */

static enum rc check_answers(const struct dev *dev, unsigned zone)
{
    char letter = dev_letter(zone);
    if (dev_daemon_pid(dev, zone) == 0)
        return rc_fail(RC_UNAVAILABLE, "zone %c is down: qhsm chaos restart %c%s%s", letter, letter,
                       dir_option(), dir_name());
    if (dev_daemon_is_paused(dev, zone))
        return rc_fail(RC_UNAVAILABLE, "zone %c is paused: qhsm chaos resume %c%s%s", letter,
                       letter, dir_option(), dir_name());
    return RC_OK;
}

/* Clear the reply, whatever comes back. */
static enum rc ask(const struct dev *dev, unsigned zone, Qhsm__ChaosRequest *body,
                   struct connection *connection, struct rpc_reply *out)
{
    Qhsm__Request request = QHSM__REQUEST__INIT;
    TRY(check_answers(dev, zone));
    TRY(dev_zone_open(dev, zone, connection));
    request.body_case = QHSM__REQUEST__BODY_CHAOS;
    request.chaos = body;
    TRY(connection_call(connection, &request, false, out));
    return out->msg->body_case == QHSM__RESPONSE__BODY_CHAOS
               ? RC_OK
               : rc_fail(RC_PROTOCOL, "no list of troubles in the answer");
}

static enum rc tell(const struct dev *dev, unsigned zone, Qhsm__ChaosRequest *body)
{
    AUTO_CONNECTION connection = {0};
    struct rpc_reply reply = {0};
    enum rc rc = ask(dev, zone, body, &connection, &reply);
    for (size_t i = 0; rc == RC_OK && i < reply.msg->chaos->n_troubles; i++)
        printf("zone %c: %s\n", dev_letter(zone), reply.msg->chaos->troubles[i]);
    if (rc == RC_OK && reply.msg->chaos->n_troubles == 0)
        printf("zone %c: no trouble\n", dev_letter(zone));
    rpc_reply_clear(connection.client, &reply);
    return rc;
}

/* Between network namespaces: not the daemon, but the network is told. */
static enum rc cut_network(const struct target *target, const Qhsm__ChaosRequest *body,
                           const unsigned *from)
{
    const struct dev_cut cut = {.zone = target->zone,
                                .peer = from,
                                .in = body->in,
                                .out = body->out,
                                .clients = body->clients};
    AUTO_BUF text = BUF_INIT;
    TRY(dev_net_cut(&target->dev, &cut));
    TRY(dev_net_describe(&target->dev, target->zone, &text));
    printf("zone %c: %s\n", dev_letter(target->zone), buf_str(&text));
    return RC_OK;
}

static enum rc tell_target(struct cli *cli, Qhsm__ChaosRequest *body)
{
    AUTO_TARGET target;
    unsigned from = 0;
    TRY(open_target(cli, &target));
    if (options.from != NULL) {
        TRY(dev_zone_find(&target.dev, options.from, &from));
        if (from == target.zone)
            return rc_fail(RC_USAGE, "--from names the zone itself");
        TRY(dev_zone_node(&target.dev, from, &body->peer));
    }
    if ((body->in || body->out) && dev_net_exists(&target.dev))
        return cut_network(&target, body, options.from == NULL ? NULL : &from);
    return tell(&target.dev, target.zone, body);
}

static enum rc chaos_partition(struct cli *cli)
{
    Qhsm__ChaosRequest body = QHSM__CHAOS_REQUEST__INIT;
    const char *way = options.one_way;
    if (way != NULL && strcmp(way, "in") != 0 && strcmp(way, "out") != 0)
        return rc_fail(RC_USAGE, "--one-way is in or out, not %s", way);
    body.kind = CHAOS_LINK;
    body.in = way == NULL || strcmp(way, "in") == 0;
    body.out = way == NULL || strcmp(way, "out") == 0;
    body.clients = options.clients;
    return tell_target(cli, &body);
}

/* NUMBER with ms, s, m or h. */
static enum rc parse_time(const char *what, const char *text, int64_t most_ms, int64_t *out_ms)
{
    static const struct {
        const char *name;
        int64_t ms;
    } units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}};
    char *end = NULL;
    if (text == NULL)
        return rc_fail(RC_USAGE, "%s is missing", what);
    errno = 0;
    long long value = strtoll(text, &end, 10);
    for (size_t i = 0; end != text && errno == 0 && i < sizeof units / sizeof units[0]; i++) {
        if (strcmp(end, units[i].name) != 0 || llabs(value) > most_ms / units[i].ms)
            continue;
        *out_ms = value * units[i].ms;
        return RC_OK;
    }
    return rc_fail(RC_USAGE, "%s is a number with ms, s, m or h, at most %" PRId64 " s: not %s",
                   what, most_ms / 1000, text);
}

static enum rc chaos_slow(struct cli *cli)
{
    Qhsm__ChaosRequest body = QHSM__CHAOS_REQUEST__INIT;
    int64_t delay_ms = 0;
    TRY(parse_time("--delay", options.delay, DELAY_MAX_MS, &delay_ms));
    if (delay_ms < 0)
        return rc_fail(RC_USAGE, "--delay cannot be in the past");
    body.kind = CHAOS_LINK;
    body.delay_ms = (uint32_t)delay_ms;
    return tell_target(cli, &body);
}

static enum rc chaos_drop(struct cli *cli)
{
    Qhsm__ChaosRequest body = QHSM__CHAOS_REQUEST__INIT;
    uint64_t permille = 0;
    if (options.permille == NULL)
        return rc_fail(RC_USAGE, "--permille is missing");
    TRY(cli_number("--permille", options.permille, 0, 1000, &permille));
    body.kind = CHAOS_LINK;
    body.drop_permille = (uint32_t)permille;
    return tell_target(cli, &body);
}

static enum rc chaos_clock(struct cli *cli)
{
    Qhsm__ChaosRequest body = QHSM__CHAOS_REQUEST__INIT;
    TRY(parse_time("--by", options.by, CLOCK_MAX_MS, &body.clock_ms));
    body.kind = CHAOS_CLOCK;
    return tell_target(cli, &body);
}

static enum rc chaos_disk_full(struct cli *cli)
{
    Qhsm__ChaosRequest body = QHSM__CHAOS_REQUEST__INIT;
    body.kind = CHAOS_DISK_FULL;
    return tell_target(cli, &body);
}

static enum rc chaos_heal(struct cli *cli)
{
    Qhsm__ChaosRequest body = QHSM__CHAOS_REQUEST__INIT;
    body.kind = CHAOS_HEAL;
    AUTO_TARGET target;
    if (cli->argument_count > 0) {
        TRY(open_target(cli, &target));
        TRY(dev_net_heal(&target.dev, target.zone));
        return tell(&target.dev, target.zone, &body);
    }
    TRY(open_cluster(&target));
    for (unsigned zone = 0; zone < target.dev.zones; zone++) {
        TRY(dev_net_heal(&target.dev, zone));
        if (check_answers(&target.dev, zone) == RC_OK)
            TRY(tell(&target.dev, zone, &body));
    }
    return RC_OK;
}

static enum rc chaos_tamper(struct cli *cli)
{
    AUTO_TARGET target;
    Qhsm__ChaosRequest body = QHSM__CHAOS_REQUEST__INIT;
    AUTO_CONNECTION connection = {0};
    struct rpc_reply reply = {0};
    TRY(open_target(cli, &target));
    TRY(cli_confirm(options.yes, "The HSM will erase its master key, its log and its backups."));
    body.kind = CHAOS_TAMPER;
    enum rc rc = ask(&target.dev, target.zone, &body, &connection, &reply);
    rpc_reply_clear(connection.client, &reply);
    /* The daemon ends; its answer may be lost with it. */
    for (unsigned waited = 0; waited < STOP_TIMEOUT; waited += 20) {
        if (dev_daemon_pid(&target.dev, target.zone) == 0)
            break;
        dev_rest_ms(20);
    }
    if (!dev_zone_is_zeroized(&target.dev, target.zone))
        return rc != RC_OK ? rc : rc_fail(RC_INTERNAL, "the HSM did not erase itself: see its log");
    printf(
        "zone %s has erased itself and is quarantined.\nNext: qhsm member remove %s; qhsm dev join "
        "%s%s%s\n",
        cli->arguments[0], cli->arguments[0], cli->arguments[0], dir_option(), dir_name());
    return RC_OK;
}

/* ---- status */

static enum rc add_status(const struct dev *dev, unsigned zone, struct table *table)
{
    AUTO_CONNECTION connection = {0};
    struct rpc_reply reply = {0};
    AUTO_BUF troubles = BUF_INIT;
    TRY(dev_net_describe(dev, zone, &troubles));
    Qhsm__ChaosRequest body = QHSM__CHAOS_REQUEST__INIT;
    body.kind = CHAOS_STATUS;
    const char *state = dev_zone_is_zeroized(dev, zone)   ? "tampered"
                        : dev_daemon_pid(dev, zone) == 0  ? "down"
                        : dev_daemon_is_paused(dev, zone) ? "paused"
                                                          : "running";
    enum rc rc = RC_OK;
    if (strcmp(state, "running") == 0)
        rc = ask(dev, zone, &body, &connection, &reply);
    for (size_t i = 0; rc == RC_OK && reply.msg != NULL && i < reply.msg->chaos->n_troubles; i++)
        rc = buf_printf(&troubles, "%s%s", troubles.len == 0 ? "" : ", ",
                        reply.msg->chaos->troubles[i]);
    if (rc != RC_OK)
        rc = buf_printf(&troubles, "%s%s", troubles.len == 0 ? "" : ", ", rc_detail());
    rpc_reply_clear(connection.client, &reply);
    TRY(rc);
    TRY(table_cell(table, "%c", dev_letter(zone)));
    TRY(table_cell(table, "%s", state));
    TRY(table_cell(table, "%d", (int)dev_daemon_pid(dev, zone)));
    return table_cell(table, "%s", buf_str(&troubles));
}

static enum rc chaos_status(struct cli *cli)
{
    static const struct column columns[] = {{"ZONE", "zone", CELL_TEXT},
                                            {"DAEMON", "daemon", CELL_TEXT},
                                            {"PID", "pid", CELL_NUMBER},
                                            {"TROUBLE", "troubles", CELL_LIST}};
    AUTO_TARGET target;
    AUTO_TABLE *table = NULL;
    TRY(open_cluster(&target));
    TRY(table_new(columns, sizeof columns / sizeof columns[0], &table));
    for (unsigned zone = 0; zone < target.dev.zones; zone++)
        TRY(add_status(&target.dev, zone, table));
    return table_print(table, cli->json);
}

#define CHAOS(word, what, more, list, function)                                                  \
    {                                                                                            \
        .noun = "chaos", .verb = (word), .arguments = "ZONE", .summary = (what), .text = (more), \
        .arguments_min = 1, .arguments_max = 1, .options = (list), .parse = parse,               \
        .run = (function)                                                                        \
    }
#define LINKS                                                                               \
    "Both what replicates the log and the requests between HSMs. A later word on the same " \
    "links replaces this one; qhsm chaos heal ends it."

const struct command commands_chaos[] = {
    CHAOS("kill", "Kill a zone's daemon of dev up: SIGKILL", NULL, plain_argp, chaos_kill),
    CHAOS("restart", "Start a zone's daemon of dev up, stopping it first", NULL, plain_argp,
          chaos_restart),
    CHAOS("pause", "Stop a zone's daemon in its tracks: SIGSTOP", NULL, plain_argp, chaos_pause),
    CHAOS("resume", "Let a paused daemon go on: SIGCONT", NULL, plain_argp, chaos_resume),
    CHAOS("partition", "Cut a zone's HSM off from the other HSMs",
          LINKS
          " Clients of that HSM stay connected unless --clients is given; its Unix socket "
          "always works, so that it can be healed. In a cluster of dev up --netns the packets "
          "themselves vanish, without a word to either side; such cuts add up until healed.",
          partition_argp, chaos_partition),
    CHAOS("slow", "Delay what a zone's HSM sends to the other HSMs", LINKS, slow_argp, chaos_slow),
    CHAOS("drop", "Lose messages to a zone's HSM from the other HSMs", LINKS, drop_argp,
          chaos_drop),
    CHAOS("clock", "Set a zone's wall clock off",
          "Dates of keys, logins and tokens follow it; timeouts do not.", clock_argp, chaos_clock),
    CHAOS("disk-full", "Let a zone's disk count as full", "It refuses changes until healed.",
          plain_argp, chaos_disk_full),
    CHAOS("tamper", "Let a zone's HSM detect tampering: it erases itself",
          "It tells the cluster, wipes its keys, overwrites and removes master key, log, "
          "snapshots and backups, and ends; started again it refuses. The cluster goes on.",
          tamper_argp, chaos_tamper),
    {.noun = "chaos",
     .verb = "heal",
     .arguments = "[ZONE]",
     .summary = "End all that a zone's HSM emulates, or all zones' HSMs",
     .text = "Not pause, kill and tamper.",
     .arguments_max = 1,
     .options = plain_argp,
     .parse = parse,
     .run = chaos_heal},
    {.noun = "chaos",
     .verb = "status",
     .arguments = "",
     .summary = "Show each zone's daemon and the trouble it is in",
     .common = CLI_OUTPUT,
     .options = plain_argp,
     .parse = parse,
     .run = chaos_status},
    {0}};

/* SPDX-License-Identifier: Apache-2.0 */
/* qhsm backup create | list | verify | restore | status */
#include <inttypes.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "tools/connection.h"
#include "tools/dev.h"

#define SHARES_MAX 16U

static struct {
    const char *shares;
    bool yes;
} options;

enum { OPTION_SHARES = CLI_OPTION, OPTION_YES };

static const struct argp_option restore_argp[] = {
    {"shares", OPTION_SHARES, "FILE", 0,
     "Read the shares of the backup key from FILE, one a line; - for standard input", 0},
    {"yes", OPTION_YES, NULL, 0, "Do not ask", 0},
    {0}};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    (void)state;
    switch (key) {
    case OPTION_SHARES:
        options.shares = arg;
        return 0;
    case OPTION_YES:
        options.yes = true;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* ---- create, list, verify: an answer with backups */

static const struct column columns[] = {
    {"NAME", "name", CELL_TEXT},         {"TIME", "time", CELL_TEXT},
    {"BYTES", "bytes", CELL_NUMBER},     {"INDEX", "index", CELL_NUMBER},
    {"OBJECTS", "objects", CELL_NUMBER}, {"SHARES NEEDED", "threshold", CELL_NUMBER},
    {"OF", "shares", CELL_NUMBER},       {"REASON", "reason", CELL_TEXT},
    {"CLUSTER", "cluster", CELL_TEXT}};

static enum rc put_time(struct table *table, uint64_t time_ms)
{
    time_t when = (time_t)(time_ms / 1000);
    struct tm tm;
    char text[32] = "";
    if (gmtime_r(&when, &tm) != NULL)
        (void)strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm);
    return table_cell(table, "%s", text);
}

static enum rc add_row(struct table *table, const Qhsm__BackupInfo *info)
{
    AUTO_BUF uuid = BUF_INIT;
    for (size_t i = 0; i < info->cluster.len; i++)
        TRY(buf_printf(&uuid, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "",
                       info->cluster.data[i]));
    TRY(table_cell(table, "%s", info->name));
    TRY(put_time(table, info->time_ms));
    const uint64_t numbers[] = {info->bytes, info->index, info->objects, info->threshold,
                                info->shares};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        TRY(table_cell(table, "%" PRIu64, numbers[i]));
    TRY(table_cell(table, "%s", info->reason));
    return table_cell(table, "%s", buf_str(&uuid));
}

static enum rc ask(struct cli *cli, Qhsm__Request *request)
{
    AUTO_CONNECTION connection = {0};
    TRY(connection_open(cli, &connection));
    AUTO_TABLE *table = NULL;
    TRY(table_new(columns, sizeof columns / sizeof columns[0], &table));
    struct rpc_reply reply = {0};
    enum rc rc = connection_call(&connection, request, false, &reply);
    if (rc == RC_OK && reply.msg->body_case != QHSM__RESPONSE__BODY_BACKUPS)
        rc = rc_fail(RC_PROTOCOL, "no backup in the answer");
    for (size_t i = 0; rc == RC_OK && i < reply.msg->backups->n_backups; i++)
        rc = add_row(table, reply.msg->backups->backups[i]);
    rpc_reply_clear(connection.client, &reply);
    TRY(rc);
    return table_print(table, cli->json);
}

static enum rc backup_create(struct cli *cli)
{
    Qhsm__Request request = QHSM__REQUEST__INIT;
    Qhsm__BackupRequest body = QHSM__BACKUP_REQUEST__INIT;
    request.body_case = QHSM__REQUEST__BODY_BACKUP_CREATE;
    request.backup_create = &body;
    return ask(cli, &request);
}

static enum rc backup_list(struct cli *cli)
{
    Qhsm__Request request = QHSM__REQUEST__INIT;
    Qhsm__Empty empty = QHSM__EMPTY__INIT;
    request.body_case = QHSM__REQUEST__BODY_BACKUP_LIST;
    request.backup_list = &empty;
    return ask(cli, &request);
}

static enum rc backup_verify(struct cli *cli)
{
    Qhsm__Request request = QHSM__REQUEST__INIT;
    Qhsm__BackupRequest body = QHSM__BACKUP_REQUEST__INIT;
    body.name = cli->arguments[0];
    request.body_case = QHSM__REQUEST__BODY_BACKUP_VERIFY;
    request.backup_verify = &body;
    return ask(cli, &request);
}

/* ---- restore */

struct shares {
    char *lines[SHARES_MAX];
    size_t count;
};

static void shares_clear(struct shares *shares)
{
    for (size_t i = 0; i < shares->count; i++) {
        secret_wipe(shares->lines[i], strlen(shares->lines[i]));
        free(shares->lines[i]);
    }
    shares->count = 0;
}

/* One a line; an empty line ends what a person types. */
static enum rc read_shares(FILE *file, bool asks, struct shares *out)
{
    for (;;) {
        char *line = NULL;
        size_t cap = 0;
        if (asks) {
            printf("share %zu (empty: no more): ", out->count + 1);
            (void)fflush(stdout);
        }
        ssize_t len = getline(&line, &cap, file);
        while (len > 0 && (line[len - 1] == '\n' || line[len - 1] == '\r'))
            line[--len] = 0;
        bool ends = len < 0 || (len == 0 && asks);
        if (len <= 0) {
            free(line);
            if (ends)
                return RC_OK;
            continue;
        }
        if (out->count == SHARES_MAX) {
            free(line);
            return rc_fail(RC_USAGE, "more than %u shares", SHARES_MAX);
        }
        out->lines[out->count++] = line;
    }
}

static enum rc open_shares(struct shares *out)
{
    bool is_typed = options.shares == NULL;
    if (is_typed && isatty(STDIN_FILENO) == 0)
        return rc_fail(RC_USAGE, "no terminal to ask for the shares on: give --shares FILE");
    if (is_typed || strcmp(options.shares, "-") == 0)
        return read_shares(stdin, is_typed, out);
    FILE *file = fopen(options.shares, "re");
    if (file == NULL)
        return rc_fail(RC_NOT_FOUND, "%s cannot be read", options.shares);
    enum rc rc = read_shares(file, false, out);
    (void)fclose(file);
    return rc;
}

/* What a restore answers, and how far one has come. */
static enum rc restore_call(struct connection *connection, Qhsm__Request *request, bool mutates,
                            bool *out_finished)
{
    struct rpc_reply reply = {0};
    enum rc rc = connection_call(connection, request, mutates, &reply);
    if (rc == RC_OK && reply.msg->body_case != QHSM__RESPONSE__BODY_RESTORE)
        rc = rc_fail(RC_PROTOCOL, "no progress of a restore in the answer");
    if (rc == RC_OK) {
        const Qhsm__RestoreReply *progress = reply.msg->restore;
        *out_finished = progress->finished;
        printf("%" PRIu64 " of %" PRIu64 " records%s\n", progress->done, progress->total,
               progress->finished ? ", finished" : "");
        if (progress->rc != 0)
            rc = rc_fail(rc_from_wire(progress->rc), "%s", progress->detail);
    }
    rpc_reply_clear(connection->client, &reply);
    return rc;
}

static enum rc restore_status(struct connection *connection, bool *out_finished)
{
    Qhsm__Request request = QHSM__REQUEST__INIT;
    Qhsm__Empty empty = QHSM__EMPTY__INIT;
    request.body_case = QHSM__REQUEST__BODY_RESTORE_STATUS;
    request.restore_status = &empty;
    return restore_call(connection, &request, false, out_finished);
}

static enum rc restore(struct cli *cli, struct shares *shares)
{
    AUTO_CONNECTION connection = {0};
    bool finished = false;
    TRY(connection_open(cli, &connection));
    Qhsm__Request request = QHSM__REQUEST__INIT;
    Qhsm__RestoreRequest body = QHSM__RESTORE_REQUEST__INIT;
    body.path = cli->arguments[0];
    body.shares = shares->lines;
    body.n_shares = shares->count;
    request.body_case = QHSM__REQUEST__BODY_BACKUP_RESTORE;
    request.backup_restore = &body;
    TRY(restore_call(&connection, &request, true, &finished));
    while (!finished) {
        (void)sleep(1);
        TRY(restore_status(&connection, &finished));
    }
    printf("Restored into this cluster, under its own identity. Next: qhsm token list\n");
    return RC_OK;
}

static enum rc backup_restore(struct cli *cli)
{
    struct shares shares = {.count = 0};
    TRY(cli_confirm(options.yes, "The backup's tokens, users and keys will be put into this new "
                                 "cluster."));
    enum rc rc = open_shares(&shares);
    if (rc == RC_OK)
        rc = restore(cli, &shares);
    shares_clear(&shares);
    return rc;
}

static enum rc backup_status(struct cli *cli)
{
    AUTO_CONNECTION connection = {0};
    bool finished = false;
    TRY(connection_open(cli, &connection));
    return restore_status(&connection, &finished);
}

const struct command commands_backup[] = {
    {.noun = "backup",
     .verb = "create",
     .arguments = "",
     .summary = "Make a backup on the HSM that answers, as administrator",
     .text = "Everything, closed to the backup key: without K of its N shares (qhsm cluster init) "
             "nobody can open it, not even the cluster that made it.",
     .common = CLI_CONNECTS | CLI_OUTPUT,
     .run = backup_create},
    {.noun = "backup",
     .verb = "list",
     .arguments = "",
     .summary = "List the backups on the HSM that answers, newest first, as administrator",
     .common = CLI_CONNECTS | CLI_OUTPUT,
     .run = backup_list},
    {.noun = "backup",
     .verb = "verify",
     .arguments = "NAME",
     .summary = "Check a backup as far as that goes without the shares, as administrator",
     .text = "NAME is of the list, or a path on the HSM's host.",
     .common = CLI_CONNECTS | CLI_OUTPUT,
     .arguments_min = 1,
     .arguments_max = 1,
     .run = backup_verify},
    {.noun = "backup",
     .verb = "restore",
     .arguments = "PATH",
     .summary = "Restore a backup into a new cluster without tokens, as administrator",
     .text = "PATH is on the HSM's host. The cluster keeps its own identity, CA and members.",
     .common = CLI_CONNECTS,
     .arguments_min = 1,
     .arguments_max = 1,
     .options = restore_argp,
     .parse = parse,
     .run = backup_restore},
    {.noun = "backup",
     .verb = "status",
     .arguments = "",
     .summary = "Show how far a restore is, as administrator",
     .common = CLI_CONNECTS,
     .run = backup_status},
    {0}};

/* SPDX-License-Identifier: Apache-2.0 */
/* qhsm member list | approve | promote | demote | remove | drain | undrain */
#include <inttypes.h>

#include "tools/members.h"

static struct {
    bool yes;
} options;

enum { OPTION_YES = CLI_OPTION };

static const struct argp_option remove_argp[] = {
    {"yes", OPTION_YES, NULL, 0, "Do not ask before an HSM leaves for good", 0}, {0}};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    (void)arg;
    (void)state;
    if (key != OPTION_YES)
        return ARGP_ERR_UNKNOWN;
    options.yes = true;
    return 0;
}

/* ---- list */

static const struct column columns[] = {
    {"HSM", "id", CELL_NUMBER},        {"ZONE", "zone", CELL_TEXT},
    {"STATUS", "status", CELL_TEXT},   {"ROLE", "role", CELL_TEXT},
    {"WANTED", "wanted", CELL_TEXT},   {"DRAINING", "draining", CELL_BOOL},
    {"ADDRESS", "address", CELL_TEXT}, {"ENDPOINT", "endpoint", CELL_TEXT},
    {"KEY", "key", CELL_TEXT}};

static const char *wanted_name(uint32_t wanted)
{
    static const char *const names[NODE_WANTED_END] = {
        [NODE_AUTO] = "auto", [NODE_VOTER] = "voter", [NODE_STANDBY] = "stand-by"};
    return wanted < NODE_WANTED_END ? names[wanted] : "unknown";
}

/* The first bytes are enough for an officer's eyes; JSON gets them all. */
static enum rc put_hash(struct table *table, ProtobufCBinaryData hash, size_t most)
{
    AUTO_BUF text = BUF_INIT;
    for (size_t i = 0; i < hash.len && i < most; i++)
        TRY(buf_printf(&text, "%02x", hash.data[i]));
    return table_cell(table, "%s", buf_str(&text));
}

static enum rc add_row(struct table *table, const Qhsm__NodeView *view, bool json)
{
    const Qhsm__Node *node = view->node;
    TRY(table_cell(table, "%" PRIu64, node->id));
    TRY(table_cell(table, "%s", node->zone));
    TRY(table_cell(table, "%s", members_status_name(node->status)));
    TRY(table_cell(table, "%s", view->role));
    TRY(table_cell(table, "%s", wanted_name(node->wanted)));
    TRY(table_cell(table, "%s", node->draining ? "true" : "false"));
    TRY(table_cell(table, "%s", node->address));
    TRY(table_cell(table, "%s", node->endpoint));
    return put_hash(table, node->key_hash, json ? 32 : 8);
}

static enum rc member_list(struct cli *cli)
{
    AUTO_CONNECTION connection = {0};
    TRY(connection_open(cli, &connection));
    AUTO_TABLE *table = NULL;
    TRY(table_new(columns, sizeof columns / sizeof columns[0], &table));
    struct rpc_reply reply = {0};
    enum rc rc = members_status(&connection, &reply);
    for (size_t i = 0; rc == RC_OK && i < reply.msg->cluster_status->n_nodes; i++)
        rc = add_row(table, reply.msg->cluster_status->nodes[i], cli->json);
    rpc_reply_clear(connection.client, &reply);
    TRY(rc);
    return table_print(table, cli->json);
}

/* ---- changes */

static enum rc change(struct cli *cli, enum member_action action, const char *done)
{
    AUTO_CONNECTION connection = {0};
    uint64_t id = 0;
    TRY(connection_open(cli, &connection));
    TRY(members_ask(&connection, cli->arguments[0], &id));
    TRY(members_change(&connection, id, action));
    printf("HSM %" PRIu64 " %s\n", id, done);
    return RC_OK;
}

static enum rc member_approve(struct cli *cli)
{
    return change(cli, MEMBER_APPROVE, "may join; see it come: qhsm cluster status --watch");
}

static enum rc member_promote(struct cli *cli)
{
    return change(cli, MEMBER_PROMOTE,
                  "is to be a voter, as soon as it is close behind with an equal state");
}

static enum rc member_demote(struct cli *cli)
{
    return change(cli, MEMBER_DEMOTE, "is to be a stand-by: it serves keys and does not vote");
}

static enum rc member_drain(struct cli *cli)
{
    return change(cli, MEMBER_DRAIN,
                  "hands its clients and its lead over; end it with: qhsm member undrain");
}

static enum rc member_undrain(struct cli *cli)
{
    return change(cli, MEMBER_UNDRAIN, "serves again");
}

static enum rc member_remove(struct cli *cli)
{
    AUTO_CONNECTION connection = {0};
    AUTO_BUF question = BUF_INIT;
    uint64_t id = 0;
    TRY(connection_open(cli, &connection));
    TRY(members_ask(&connection, cli->arguments[0], &id));
    TRY(buf_printf(&question,
                   "HSM %" PRIu64 " will leave the cluster for good: its number and certificate "
                   "are refused from then on.",
                   id));
    TRY(cli_confirm(options.yes, buf_str(&question)));
    TRY(members_change(&connection, id, MEMBER_REMOVE));
    printf("HSM %" PRIu64 " is removed; erase its state directory, or let it join anew with an "
           "empty one\n",
           id);
    return RC_OK;
}

#define MEMBER(word, what, more, function)                                                       \
    {                                                                                            \
        .noun = "member", .verb = (word), .arguments = "HSM", .summary = (what), .text = (more), \
        .common = CLI_CONNECTS, .arguments_min = 1, .arguments_max = 1, .run = (function)        \
    }
#define WHICH "HSM is a number of `qhsm member list`, or a zone with one HSM in it."

const struct command commands_member[] = {
    {.noun = "member",
     .verb = "list",
     .arguments = "",
     .summary = "List the HSMs of the cluster, also those that wait or were removed",
     .common = CLI_CONNECTS | CLI_OUTPUT,
     .run = member_list},
    MEMBER("approve", "Let an HSM that waits into the cluster, as administrator",
           WHICH " Compare KEY of `qhsm member list` with what the new host printed.",
           member_approve),
    MEMBER("promote", "Make an HSM a voter, as administrator",
           WHICH " At most five vote; the rest serve keys as stand-bys.", member_promote),
    MEMBER("demote", "Make an HSM a stand-by, as administrator", WHICH, member_demote),
    {.noun = "member",
     .verb = "remove",
     .arguments = "HSM",
     .summary = "Remove an HSM for good, as administrator",
     .text = WHICH,
     .common = CLI_CONNECTS,
     .arguments_min = 1,
     .arguments_max = 1,
     .options = remove_argp,
     .parse = parse,
     .run = member_remove},
    MEMBER("drain", "Hand an HSM's clients over to the others, for maintenance, as administrator",
           WHICH, member_drain),
    MEMBER("undrain", "Let a drained HSM serve again, as administrator", WHICH, member_undrain),
    {0}};

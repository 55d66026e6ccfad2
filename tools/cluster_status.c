/* SPDX-License-Identifier: Apache-2.0 */
/* qhsm cluster status: a table for people, an object an HSM for programs. */
#include <inttypes.h>
#include <time.h>
#include <unistd.h>

#include "tools/cluster_commands.h"
#include "tools/members.h"

#define SHORT_HASH 4U /* bytes: enough to see a difference */
#define DAY_S      86400

static const struct column people[] = {{"HSM", "id", CELL_NUMBER},
                                       {"ZONE", "zone", CELL_TEXT},
                                       {"ROLE", "role", CELL_TEXT},
                                       {"TERM", "term", CELL_NUMBER},
                                       {"APPLIED", "applied", CELL_NUMBER},
                                       {"LAG", "lag", CELL_NUMBER},
                                       {"STATE", "state_hash", CELL_TEXT},
                                       {"OBJECTS", "objects", CELL_NUMBER},
                                       {"CERT DAYS", "certificate_days", CELL_NUMBER},
                                       {"HEALTH", "health", CELL_TEXT},
                                       {"", "trouble", CELL_TEXT}};

static const struct column programs[] = {
    {"", "id", CELL_NUMBER},
    {"", "zone", CELL_TEXT},
    {"", "role", CELL_TEXT},
    {"", "term", CELL_NUMBER},
    {"", "applied", CELL_NUMBER},
    {"", "lag", CELL_NUMBER},
    {"", "state_hash", CELL_TEXT},
    {"", "objects", CELL_NUMBER},
    {"", "certificate_days", CELL_NUMBER},
    {"", "health", CELL_TEXT},
    {"", "trouble", CELL_TEXT},
    {"", "certificate_expires", CELL_TEXT},
    {"", "reachable", CELL_BOOL},
    {"", "leader", CELL_BOOL},
    {"", "status", CELL_TEXT},
    {"", "draining", CELL_BOOL},
    {"", "address", CELL_TEXT},
    {"", "endpoint", CELL_TEXT},
    {"", "release", CELL_TEXT},
    {"", "state_index", CELL_NUMBER},
    {"", "connections", CELL_NUMBER},
    {"", "requests", CELL_NUMBER},
    {"", "memory_kib", CELL_NUMBER},
    {"", "audits", CELL_NUMBER},
    {"", "loop_slow", CELL_NUMBER},
    {"", "loop_max_us", CELL_NUMBER},
    {"", "snapshots", CELL_NUMBER},
    {"", "forwarded", CELL_NUMBER},
    {"", "has_quorum", CELL_BOOL},
    {"", "formed", CELL_BOOL},
    {"", "backup_threshold", CELL_NUMBER},
    {"", "backup_shares", CELL_NUMBER},
};

static enum rc put_hash(struct table *table, const Qhsm__StatusReply *status, bool json)
{
    AUTO_BUF text = BUF_INIT;
    for (size_t i = 0; i < status->state_hash.len && (json || i < SHORT_HASH); i++)
        TRY(buf_printf(&text, "%02x", status->state_hash.data[i]));
    return table_cell(table, "%s", buf_str(&text));
}

/* What the HSM itself told; nothing where it did not answer. */
static enum rc put_told(struct table *table, const Qhsm__StatusReply *status, uint64_t lag,
                        bool json)
{
    if (status == NULL) {
        for (size_t i = 0; i < 6; i++)
            TRY(table_cell(table, "%s", ""));
        return RC_OK;
    }
    const uint64_t counts[] = {status->term, status->applied, lag};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++)
        TRY(table_cell(table, "%" PRIu64, counts[i]));
    TRY(put_hash(table, status, json));
    TRY(table_cell(table, "%" PRIu64, status->objects));
    if (status->certificate_expires_s == 0)
        return table_cell(table, "%s", "");
    int64_t left_s = (int64_t)status->certificate_expires_s - (int64_t)time(NULL);
    return table_cell(table, "%" PRId64, left_s / DAY_S);
}

static enum rc put_date(struct table *table, const Qhsm__StatusReply *status)
{
    struct tm tm;
    char text[32] = "";
    time_t when = status == NULL ? 0 : (time_t)status->certificate_expires_s;
    if (when != 0 && gmtime_r(&when, &tm) != NULL)
        (void)strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm);
    return table_cell(table, "%s", text);
}

static enum rc put_bool(struct table *table, bool value)
{
    return table_cell(table, "%s", value ? "true" : "false");
}

/* The columns that only programs get. */
static enum rc put_more(struct table *table, const Qhsm__ClusterStatusReply *cluster,
                        const Qhsm__NodeView *view)
{
    const Qhsm__Node *node = view->node;
    const Qhsm__StatusReply *status = view->status;
    TRY(put_date(table, status));
    TRY(put_bool(table, status != NULL));
    TRY(put_bool(table, cluster->leader == node->id));
    TRY(table_cell(table, "%s", members_status_name(node->status)));
    TRY(put_bool(table, node->draining));
    TRY(table_cell(table, "%s", node->address));
    TRY(table_cell(table, "%s", node->endpoint));
    TRY(table_cell(table, "%s", status == NULL ? "" : status->release));
    static const Qhsm__StatusReply silent = {0};
    const Qhsm__StatusReply *s = status == NULL ? &silent : status;
    const uint64_t counts[] = {s->state_index,         s->connections, s->requests,
                               s->memory_bytes / 1024, s->audits,      s->loop_slow,
                               s->loop_max_us,         s->snapshots,   s->forwarded};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++)
        TRY(status == NULL ? table_cell(table, "%s", "")
                           : table_cell(table, "%" PRIu64, counts[i]));
    TRY(put_bool(table, cluster->has_quorum));
    TRY(put_bool(table, cluster->formed));
    TRY(table_cell(table, "%u", cluster->backup_threshold));
    return table_cell(table, "%u", cluster->backup_shares);
}

static enum rc add_row(struct table *table, const Qhsm__ClusterStatusReply *cluster,
                       const Qhsm__NodeView *view, bool json)
{
    TRY(table_cell(table, "%" PRIu64, view->node->id));
    TRY(table_cell(table, "%s", view->node->zone));
    TRY(table_cell(table, "%s", view->role));
    TRY(put_told(table, view->status, view->lag, json));
    TRY(table_cell(table, "%s", members_health(view)));
    TRY(table_cell(table, "%s", view->trouble));
    return json ? put_more(table, cluster, view) : RC_OK;
}

/* The HSM that was asked has not noticed yet, or its leader is cut off from it alone. */
static bool leader_is_silent(const Qhsm__ClusterStatusReply *cluster)
{
    for (size_t i = 0; i < cluster->n_nodes; i++)
        if (cluster->nodes[i]->node->id == cluster->leader)
            return cluster->nodes[i]->status == NULL;
    return false;
}

static void print_head(const Qhsm__ClusterStatusReply *cluster)
{
    AUTO_BUF uuid = BUF_INIT;
    for (size_t i = 0; i < cluster->cluster.len; i++)
        if (buf_printf(&uuid, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "",
                       cluster->cluster.data[i]) != RC_OK)
            return;
    printf("cluster %s: %s", buf_str(&uuid),
           cluster->has_quorum ? "has a majority" : "NO MAJORITY");
    if (cluster->leader != 0)
        printf(", HSM %" PRIu64 " %s", cluster->leader,
               leader_is_silent(cluster) ? "leads but does not answer" : "leads");
    if (!cluster->formed)
        printf(", not formed yet: qhsm cluster init");
    printf("\n");
}

static enum rc show(const struct cli *cli, const Qhsm__ClusterStatusReply *cluster)
{
    AUTO_TABLE *table = NULL;
    if (cli->json)
        TRY(table_new(programs, sizeof programs / sizeof programs[0], &table));
    else
        TRY(table_new(people, sizeof people / sizeof people[0], &table));
    for (size_t i = 0; i < cluster->n_nodes; i++)
        if (cluster->nodes[i]->node->status != NODE_REMOVED)
            TRY(add_row(table, cluster, cluster->nodes[i], cli->json));
    if (!cli->json)
        print_head(cluster);
    return table_print(table, cli->json);
}

static enum rc ask(struct connection *connection, const struct cli *cli)
{
    struct rpc_reply reply = {0};
    enum rc rc = members_status(connection, &reply);
    if (rc == RC_OK)
        rc = show(cli, reply.msg->cluster_status);
    rpc_reply_clear(connection->client, &reply);
    return rc;
}

enum rc cluster_status(struct cli *cli, const struct cluster_options *options)
{
    AUTO_CONNECTION connection = {0};
    TRY(connection_open(cli, &connection));
    if (!options->watch)
        return ask(&connection, cli);
    bool clears = !cli->json && isatty(STDOUT_FILENO) == 1;
    for (;;) {
        if (clears)
            printf("\033[H\033[2J");
        (void)cli_report(cli, ask(&connection, cli));
        if (ferror(stdout) != 0)
            return rc_fail(RC_IO, "standard output");
        (void)sleep(1);
    }
}

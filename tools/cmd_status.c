/* SPDX-License-Identifier: Apache-2.0 */
/* qhsm status: the HSM that answers. */
#include <time.h>

#include "tools/connection.h"

static const struct column columns[] = {
    {"Node", "node", CELL_NUMBER},
    {"Zone", "zone", CELL_TEXT},
    {"Release", "release", CELL_TEXT},
    {"Role", "role", CELL_TEXT},
    {"Term", "term", CELL_NUMBER},
    {"Applied", "applied", CELL_NUMBER},
    {"Commit", "commit", CELL_NUMBER},
    {"Leader", "leader", CELL_NUMBER},
    {"Leader last heard (ms)", "leader_silence_ms", CELL_NUMBER},
    {"Membership", "membership", CELL_TEXT},
    {"Audits", "audits", CELL_NUMBER},
    {"Audited up to", "audited", CELL_NUMBER},
    {"Snapshots", "snapshots", CELL_NUMBER},
    {"Snapshots sent", "snapshots_sent", CELL_NUMBER},
    {"Snapshots received", "snapshots_received", CELL_NUMBER},
    {"Changes forwarded", "forwarded", CELL_NUMBER},
    {"Draining", "draining", CELL_BOOL},
    {"Disk full", "disk_full", CELL_BOOL},
    {"State hash", "state_hash", CELL_TEXT},
    {"State hash is of", "state_index", CELL_NUMBER},
    {"Tokens", "tokens", CELL_NUMBER},
    {"Objects", "objects", CELL_NUMBER},
    {"Session objects", "session_objects", CELL_NUMBER},
    {"Connections", "connections", CELL_NUMBER},
    {"Requests", "requests", CELL_NUMBER},
    {"Workers", "workers", CELL_NUMBER},
    {"Uptime (s)", "uptime_s", CELL_NUMBER},
    {"Memory (KiB)", "memory_kib", CELL_NUMBER},
    {"Memory locked", "memory_locked", CELL_BOOL},
    {"Disk free (MiB)", "disk_free_mib", CELL_NUMBER},
    {"Longest callback (us)", "loop_max_us", CELL_NUMBER},
    {"Callbacks over 10 ms", "loop_slow", CELL_NUMBER},
    {"Certificate expires", "certificate_expires", CELL_TEXT},
    {"Warnings", "warnings", CELL_TEXT}};

static enum rc number(struct table *table, uint64_t value)
{
    return table_cell(table, "%llu", (unsigned long long)value);
}

/* ISO 8601, UTC; empty where there is no certificate. */
static enum rc date(struct table *table, time_t when)
{
    struct tm tm;
    char text[32] = "";
    if (when != 0 && gmtime_r(&when, &tm) != NULL)
        (void)strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm);
    return table_cell(table, "%s", text);
}

static enum rc put_cluster(struct table *table, const Qhsm__StatusReply *s)
{
    TRY(number(table, s->leader));
    TRY(number(table, s->leader_silence_ms));
    TRY(table_cell(table, "%s", s->membership));
    const uint64_t counts[] = {
        s->audits,   s->audited, s->snapshots, s->snapshots_sent, s->snapshots_received,
        s->forwarded};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++)
        TRY(number(table, counts[i]));
    TRY(table_cell(table, "%s", s->draining ? "true" : "false"));
    return table_cell(table, "%s", s->disk_full ? "true" : "false");
}

static enum rc fill(struct table *table, const Qhsm__StatusReply *s)
{
    AUTO_BUF hash = BUF_INIT;
    for (size_t i = 0; i < s->state_hash.len; i++)
        TRY(buf_printf(&hash, "%02x", s->state_hash.data[i]));
    AUTO_BUF warnings = BUF_INIT;
    for (size_t i = 0; i < s->n_warnings; i++)
        TRY(buf_printf(&warnings, "%s%s", i == 0 ? "" : "; ", s->warnings[i]));
    TRY(number(table, s->node));
    TRY(table_cell(table, "%s", s->zone));
    TRY(table_cell(table, "%s", s->release));
    TRY(table_cell(table, "%s", s->role));
    const uint64_t counts[] = {s->term, s->applied, s->commit};
    for (size_t i = 0; i < 3; i++)
        TRY(number(table, counts[i]));
    TRY(put_cluster(table, s));
    TRY(table_cell(table, "%s", buf_str(&hash)));
    TRY(number(table, s->state_index));
    const uint64_t sizes[] = {s->tokens,   s->objects, s->session_objects,  s->connections,
                              s->requests, s->workers, s->uptime_ms / 1000, s->memory_bytes / 1024};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        TRY(number(table, sizes[i]));
    TRY(table_cell(table, "%s", s->memory_locked ? "true" : "false"));
    TRY(number(table, s->disk_free_bytes / (1024 * 1024)));
    TRY(number(table, s->loop_max_us));
    TRY(number(table, s->loop_slow));
    TRY(date(table, (time_t)s->certificate_expires_s));
    return table_cell(table, "%s", buf_str(&warnings));
}

static enum rc status(struct cli *cli)
{
    AUTO_CONNECTION connection = {0};
    TRY(connection_open(cli, &connection));
    AUTO_TABLE *table = NULL;
    TRY(table_new(columns, sizeof columns / sizeof columns[0], &table));
    Qhsm__Request request = QHSM__REQUEST__INIT;
    Qhsm__StatusRequest body = QHSM__STATUS_REQUEST__INIT;
    request.body_case = QHSM__REQUEST__BODY_STATUS;
    request.status = &body;
    struct rpc_reply reply = {0};
    enum rc rc = connection_call(&connection, &request, false, &reply);
    if (rc == RC_OK && reply.msg->body_case != QHSM__RESPONSE__BODY_STATUS)
        rc = rc_fail(RC_PROTOCOL, "no status in the answer");
    if (rc == RC_OK)
        rc = fill(table, reply.msg->status);
    rpc_reply_clear(connection.client, &reply);
    TRY(rc);
    return table_print_object(table, cli->json);
}

const struct command commands_status[] = {{.noun = "status",
                                           .verb = "",
                                           .arguments = "",
                                           .summary = "Show the state of the HSM that answers",
                                           .common = CLI_CONNECTS | CLI_OUTPUT,
                                           .run = status},
                                          {0}};

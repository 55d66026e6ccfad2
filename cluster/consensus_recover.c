/* SPDX-License-Identifier: Apache-2.0 */
/* Offline: what a log has, and a new beginning of one node alone with it. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cluster/consensus_internal.h"
#include "cluster/lone_transport.h"
#include "common/log.h"

/* The engine without a thread: its loop runs only to close it. */
struct offline {
    const struct consensus_config *config;
    uv_loop_t loop;
    struct raft_uv_transport transport;
    struct raft_io io;
    struct raft raft;
    struct raft_fsm fsm;
    char address[PEER_ADDRESS_MAX + 1];
};

static enum rc fail_raft(const struct offline *offline, const char *what, int rv)
{
    enum rc rc = rv == RAFT_CORRUPT || rv == RAFT_MALFORMED ? RC_TAMPERED : RC_DISK;
    return rc_fail(rc, "%s: %s: %s (%s)", offline->config->dir, what, raft_strerror(rv),
                   offline->io.errmsg);
}

static enum rc fill_address(struct offline *offline)
{
    const struct consensus_peers *peers = offline->config->peers;
    int len = 0;
    if (peers == NULL)
        len = snprintf(offline->address, sizeof offline->address, CONSENSUS_LONE_ADDRESS,
                       offline->config->node);
    else
        len = snprintf(offline->address, sizeof offline->address, "%s",
                       peers->address != NULL ? peers->address : peers->listen);
    if ((size_t)len >= sizeof offline->address)
        return rc_fail(RC_CONFIG, "a peer's address has at most %u characters", PEER_ADDRESS_MAX);
    return RC_OK;
}

static enum rc open_io(struct offline *offline)
{
    offline->io.version = 1;
    int rv = raft_uv_init(&offline->io, &offline->loop, offline->config->dir, &offline->transport);
    if (rv != 0)
        return fail_raft(offline, "cannot open", rv);
    raft_uv_set_auto_recovery(&offline->io, false);
    offline->fsm = (struct raft_fsm){.version = 1};
    rv = raft_init(&offline->raft, &offline->io, &offline->fsm, offline->config->node,
                   offline->address);
    if (rv == 0)
        return RC_OK;
    enum rc rc = fail_raft(offline, "cannot open", rv);
    raft_uv_close(&offline->io);
    return rc;
}

static enum rc finish_cut(const struct consensus_config *config)
{
    struct log_mark mark = {.fd = -1};
    enum rc rc = log_mark_open(config->dir, &mark);
    if (rc == RC_OK)
        rc = log_mark_finish_cut(&mark, config->dir);
    log_mark_close(&mark);
    return rc;
}

static enum rc offline_open(struct offline *offline, const struct consensus_config *config)
{
    memset(offline, 0, sizeof *offline);
    offline->config = config;
    TRY(fill_address(offline));
    if (access(config->dir, F_OK) != 0)
        return rc_fail(RC_NOT_FOUND, "%s: there is no log", config->dir);
    TRY(finish_cut(config));
    (void)uv_loop_init(&offline->loop);
    lone_transport_init(&offline->transport);
    enum rc rc = open_io(offline);
    if (rc == RC_OK)
        return RC_OK;
    (void)uv_run(&offline->loop, UV_RUN_DEFAULT);
    (void)uv_loop_close(&offline->loop);
    return rc;
}

static void closed(struct raft *raft)
{
    struct offline *offline = raft->data;
    raft_uv_close(&offline->io);
}

static void offline_close(struct offline *offline)
{
    offline->raft.data = offline;
    raft_close(&offline->raft, closed);
    (void)uv_run(&offline->loop, UV_RUN_DEFAULT);
    (void)uv_loop_close(&offline->loop);
}

/* ---- what is there */

/* Entries of one read share their memory. */
static void free_entries(struct raft_entry *entries, size_t count)
{
    const void *last = NULL;
    for (size_t i = 0; i < count; i++) {
        if (entries[i].batch != last)
            raft_free(entries[i].batch);
        last = entries[i].batch;
    }
    raft_free(entries);
}

static void free_snapshot(struct raft_snapshot *snapshot)
{
    raft_configuration_close(&snapshot->configuration);
    raft_free(snapshot->bufs[0].base);
    raft_free(snapshot->bufs);
    raft_free(snapshot);
}

static enum rc load(struct offline *offline, struct consensus_log *out)
{
    struct raft_snapshot *snapshot = NULL;
    struct raft_entry *entries = NULL;
    raft_index start = 0;
    raft_term term = 0;
    raft_id voted_for = 0;
    size_t count = 0;
    int rv = offline->io.load(&offline->io, &term, &voted_for, &snapshot, &start, &entries, &count);
    if (rv != 0)
        return fail_raft(offline, "cannot read the log", rv);
    if (snapshot != NULL) {
        out->term = snapshot->term;
        out->index = out->snapshot = snapshot->index;
        free_snapshot(snapshot);
    }
    if (count > 0) {
        out->term = entries[count - 1].term;
        out->index = start + count - 1;
    }
    if (entries != NULL)
        free_entries(entries, count);
    return RC_OK;
}

static enum rc read_mark(const struct consensus_config *config, struct consensus_log *out)
{
    struct log_mark mark = {.fd = -1};
    enum rc rc = log_mark_open(config->dir, &mark);
    out->mark = mark.index;
    log_mark_close(&mark);
    return rc;
}

static enum rc look_for_marker(const struct consensus_config *config, struct consensus_log *out)
{
    AUTO_BUF path = BUF_INIT;
    TRY(buf_printf(&path, "%s.quarantined", config->dir));
    out->quarantined = access(buf_str(&path), F_OK) == 0;
    return RC_OK;
}

enum rc consensus_inspect(const struct consensus_config *config, struct consensus_log *out)
{
    struct consensus_log log = {.term = 0};
    struct offline offline;
    TRY(offline_open(&offline, config));
    enum rc rc = load(&offline, &log);
    offline_close(&offline);
    TRY(rc);
    TRY(read_mark(config, &log));
    TRY(look_for_marker(config, &log));
    if (log.index == 0)
        return rc_fail(RC_NOT_FOUND, "%s: the log is empty", config->dir);
    *out = log;
    return RC_OK;
}

/* ---- a new beginning */

static enum rc check(const struct consensus_config *config, const struct consensus_log *log)
{
    if (log->quarantined)
        return rc_fail(RC_TAMPERED,
                       "%s was set aside, %s.quarantined says why: recover from another HSM",
                       config->dir, config->dir);
    if (log->index < log->mark)
        return rc_fail(RC_TAMPERED,
                       "%s: the log ends at entry %" PRIu64 ", but had %" PRIu64
                       ": recover from another HSM, or remove %s.mark to accept the loss",
                       config->dir, log->index, log->mark, config->dir);
    return RC_OK;
}

static enum rc recover(struct offline *offline)
{
    struct raft_configuration alone;
    raft_configuration_init(&alone);
    int rv = raft_configuration_add(&alone, offline->config->node, offline->address, RAFT_VOTER);
    if (rv == 0)
        rv = raft_recover(&offline->raft, &alone);
    raft_configuration_close(&alone);
    return rv == 0 ? RC_OK : fail_raft(offline, "cannot recover", rv);
}

enum rc consensus_recover(const struct consensus_config *config)
{
    struct consensus_log log;
    struct offline offline;
    TRY(consensus_inspect(config, &log));
    TRY(check(config, &log));
    TRY(offline_open(&offline, config));
    enum rc rc = recover(&offline);
    offline_close(&offline);
    if (rc == RC_OK)
        log_warn("log_recovered", "dir=%s node=%" PRIu64 " term=%" PRIu64 " index=%" PRIu64,
                 config->dir, config->node, log.term, log.index);
    return rc;
}

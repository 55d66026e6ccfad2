/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster/recover.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cluster/commit.h"
#include "cluster/keyfile.h"
#include "common/log.h"

#define NOTE      "recovered" /* in state_dir */
#define FINISH_MS 10000U

/* The directory's lock ends with the process. */
static enum rc take_dir(const struct server_config *config, struct buf *out_raft)
{
    int lock = -1;
    if (access(config->state_dir, F_OK) != 0)
        return rc_fail(RC_NOT_FOUND, "%s: %s", config->state_dir, strerror(errno));
    TRY(keyfile_lock_dir(config->state_dir, &lock));
    return buf_printf(out_raft, "%s/raft", config->state_dir);
}

static void fill(const struct server_config *config, const char *raft,
                 struct consensus_peers *peers, struct consensus_config *out)
{
    *peers = (struct consensus_peers){.listen = config->listen_peer, .address = config->address};
    *out = (struct consensus_config){
        .dir = raft,
        .node = config->node,
        .heartbeat_ms = (unsigned)config->heartbeat_ms,
        .election_ms = (unsigned)config->election_ms,
        .snapshot_threshold = (unsigned)config->snapshot_threshold,
        .snapshot_trailing = (unsigned)config->snapshot_trailing,
        .peers = config->listen_peer == NULL ? NULL : peers,
    };
    memcpy(out->cluster, config->cluster_id, sizeof out->cluster);
}

enum rc recover_inspect(const struct server_config *config)
{
    AUTO_BUF raft = BUF_INIT;
    struct consensus_peers peers;
    struct consensus_config consensus;
    struct consensus_log log = {.term = 0};
    TRY(take_dir(config, &raft));
    fill(config, buf_str(&raft), &peers, &consensus);
    TRY(consensus_inspect(&consensus, &log));
    printf("HSM %lu of zone %s: the log ends at term %" PRIu64 ", index %" PRIu64
           "; newest snapshot at %" PRIu64 "\n",
           config->node, config->zone, log.term, log.index, log.snapshot);
    if (log.index < log.mark)
        printf("DAMAGED: it once reached index %" PRIu64 "\n", log.mark);
    if (log.quarantined)
        printf("SET ASIDE: %s.quarantined says why\n", buf_str(&raft));
    return fflush(stdout) == 0 ? RC_OK : rc_fail(RC_IO, "standard output: %s", strerror(errno));
}

static enum rc note_path(const struct server_config *config, struct buf *out)
{
    return buf_printf(out, "%s/" NOTE, config->state_dir);
}

/* After the log was changed: never without. Cut short in between, recovering again does it. */
static enum rc put_note(const struct server_config *config)
{
    AUTO_BUF path = BUF_INIT;
    TRY(note_path(config, &path));
    int fd = open(buf_str(&path), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    bool is_good = fd >= 0 && fsync(fd) == 0;
    int error = errno;
    if (fd >= 0)
        (void)close(fd);
    return is_good ? RC_OK : rc_fail(RC_DISK, "%s: %s", buf_str(&path), strerror(error));
}

enum rc recover_run(const struct server_config *config)
{
    AUTO_BUF raft = BUF_INIT;
    struct consensus_peers peers;
    struct consensus_config consensus;
    TRY(take_dir(config, &raft));
    fill(config, buf_str(&raft), &peers, &consensus);
    TRY(consensus_recover(&consensus));
    TRY(put_note(config));
    printf("HSM %lu of zone %s is a cluster of one\n", config->node, config->zone);
    return fflush(stdout) == 0 ? RC_OK : rc_fail(RC_IO, "standard output: %s", strerror(errno));
}

/* ---- the roll */

static enum rc remove_other(struct service *service, struct roll_node *node)
{
    if (node->id == service->config->node || node->status == NODE_REMOVED)
        return RC_OK;
    node->status = NODE_REMOVED;
    TRY(commit_node(service, node, clock_steady_ms() + FINISH_MS));
    log_warn("member_lost", "node=%" PRIu64 " zone=%s reason=\"recovered without it\"", node->id,
             node->zone);
    return RC_OK;
}

enum rc recover_finish(struct service *service)
{
    AUTO_BUF path = BUF_INIT;
    struct roll_node nodes[CLUSTER_NODES_MAX];
    TRY(note_path(service->config, &path));
    if (access(buf_str(&path), F_OK) != 0)
        return RC_OK;
    size_t count = roll_nodes(service->hsm->state, nodes, CLUSTER_NODES_MAX);
    for (size_t i = 0; i < count && i < CLUSTER_NODES_MAX; i++)
        TRY(remove_other(service, &nodes[i]));
    if (unlink(buf_str(&path)) != 0)
        return rc_fail(RC_DISK, "%s: %s", buf_str(&path), strerror(errno));
    log_warn("recovered", "node=%lu next=\"erase the other HSMs and let them join anew\"",
             service->config->node);
    return RC_OK;
}

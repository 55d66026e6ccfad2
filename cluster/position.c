/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster/position.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cluster/commit.h"
#include "cluster/keyfile.h"
#include "cluster/position_ask.h"
#include "common/log.h"

#define PEERS_FILE   "peers"
#define REMOVED_FILE "removed"

/* ---- what is known here of the others */

static uint64_t known_to_leader(struct service *service, uint64_t id)
{
    struct consensus_member members[CLUSTER_NODES_MAX];
    struct consensus_status status;
    consensus_status(service->consensus, &status);
    size_t count = consensus_members(service->consensus, members, CLUSTER_NODES_MAX);
    for (size_t i = 0; i < count && i < CLUSTER_NODES_MAX; i++)
        if (members[i].id == id)
            return members[i].match < status.commit ? members[i].match : status.commit;
    return 0;
}

uint64_t position_known(struct service *service, uint64_t id)
{
    struct roll_position noted = {.index = 0};
    uint64_t known = known_to_leader(service, id);
    if (roll_position(service->hsm->state, id, &noted) != RC_OK)
        return known;
    return noted.index > known ? noted.index : known;
}

struct noting {
    struct service *service;
    uint64_t id;
};

static enum rc note_once(void *context, struct roll_changes *changes)
{
    const struct noting *noting = context;
    struct roll_position position = {.id = noting->id};
    uint64_t known = known_to_leader(noting->service, noting->id);
    enum rc rc = roll_position(noting->service->hsm->state, noting->id, &position);
    if (rc != RC_OK && rc != RC_NOT_FOUND)
        return rc;
    if (known <= position.index)
        return RC_OK;
    position.index = known;
    return roll_changes_position(changes, &position);
}

enum rc position_note(struct service *service, uint64_t id, uint64_t expires_ms)
{
    struct noting noting = {.service = service, .id = id};
    return commit_retry(service, note_once, &noting, expires_ms);
}

/* ---- where the others are */

static enum rc peers_path(const struct server_config *config, struct buf *out)
{
    return buf_printf(out, "%s/%s", config->state_dir, PEERS_FILE);
}

enum rc position_keep_peers(const struct server_config *config, const struct roll_node *nodes,
                            size_t count)
{
    AUTO_BUF path = BUF_INIT;
    AUTO_BUF text = BUF_INIT;
    for (size_t i = 0; i < count; i++)
        if (nodes[i].status == NODE_MEMBER && nodes[i].id != config->node &&
            nodes[i].endpoint[0] != 0)
            TRY(buf_printf(&text, "%s\n", nodes[i].endpoint));
    TRY(peers_path(config, &path));
    return keyfile_write(buf_str(&path), buf_bytes(&text));
}

static void read_peers(const struct server_config *config, struct position_ask *ask)
{
    AUTO_BUF path = BUF_INIT;
    AUTO_BUF text = BUF_INIT;
    char *rest = NULL;
    if (peers_path(config, &path) != RC_OK || keyfile_read(buf_str(&path), &text) != RC_OK ||
        buf_put_u8(&text, 0) != RC_OK)
        return; /* a first start */
    for (char *line = strtok_r((char *)text.ptr, "\n", &rest);
         line != NULL && ask->count < CLUSTER_NODES_MAX; line = strtok_r(NULL, "\n", &rest))
        (void)snprintf(ask->questions[ask->count++].endpoint, sizeof ask->questions[0].endpoint,
                       "tcp:%s", line);
}

/* ---- who was removed */

static bool is_noted(const struct removed_nodes *removed, uint64_t id)
{
    for (size_t i = 0; i < removed->count; i++)
        if (removed->ids[i] == id)
            return true;
    return false;
}

static void note_removed(struct removed_nodes *removed, uint64_t id)
{
    if (id != 0 && removed->count < REMOVED_NODES_MAX && !is_noted(removed, id))
        removed->ids[removed->count++] = id;
}

static enum rc removed_path(const struct server_config *config, struct buf *out)
{
    return buf_printf(out, "%s/%s", config->state_dir, REMOVED_FILE);
}

enum rc position_keep_removed(const struct server_config *config,
                              const struct removed_nodes *before, const struct roll_node *nodes,
                              size_t count)
{
    struct removed_nodes all = {.count = 0};
    AUTO_BUF path = BUF_INIT;
    AUTO_BUF text = BUF_INIT;
    for (size_t i = 0; i < count; i++)
        if (nodes[i].status == NODE_REMOVED || nodes[i].status == NODE_ZEROIZED)
            note_removed(&all, nodes[i].id);
    for (size_t i = 0; i < before->count; i++)
        note_removed(&all, before->ids[i]);
    if (all.count == 0)
        return RC_OK;
    for (size_t i = 0; i < all.count; i++)
        TRY(buf_printf(&text, "%" PRIu64 "\n", all.ids[i]));
    TRY(removed_path(config, &path));
    return keyfile_write(buf_str(&path), buf_bytes(&text));
}

enum rc position_read_removed(const struct server_config *config, struct removed_nodes *out)
{
    AUTO_BUF path = BUF_INIT;
    AUTO_BUF text = BUF_INIT;
    char *rest = NULL;
    out->count = 0;
    TRY(removed_path(config, &path));
    if (access(buf_str(&path), F_OK) != 0)
        return RC_OK; /* nobody was */
    TRY(keyfile_read(buf_str(&path), &text));
    TRY(buf_put_u8(&text, 0));
    for (char *line = strtok_r((char *)text.ptr, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest))
        note_removed(out, strtoull(line, NULL, 10));
    return RC_OK;
}

bool position_is_removed(const struct service *service, uint64_t id)
{
    return roll_is_removed(service->hsm->state, id) || is_noted(&service->removed, id);
}

/* ---- how far the log here reaches */

/* The mark says at least that; the log itself takes long to read. */
static uint64_t read_mark(const struct server_config *config)
{
    AUTO_BUF path = BUF_INIT;
    AUTO_BUF text = BUF_INIT;
    if (buf_printf(&path, "%s/raft.mark", config->state_dir) != RC_OK ||
        keyfile_read(buf_str(&path), &text) != RC_OK)
        return 0;
    return strtoull(buf_str(&text), NULL, 10);
}

static enum rc read_log(const struct server_config *config, uint64_t *out)
{
    AUTO_BUF dir = BUF_INIT;
    struct consensus_log log = {.index = 0};
    TRY(buf_printf(&dir, "%s/raft", config->state_dir));
    struct consensus_config consensus = {.dir = buf_str(&dir), .node = config->node};
    memcpy(consensus.cluster, config->cluster_id, sizeof consensus.cluster);
    enum rc rc = consensus_inspect(&consensus, &log);
    if (rc != RC_OK && rc != RC_NOT_FOUND)
        return rc;
    *out = log.index;
    return RC_OK;
}

/* ---- the check */

/* What most is known; RC_NOT_PERMITTED as soon as one of them says so. */
static enum rc weigh(const struct position_ask *ask, uint64_t *out_known)
{
    uint64_t known = 0;
    for (size_t i = 0; i < ask->count; i++) {
        const struct position_question *question = &ask->questions[i];
        if (question->rc == RC_NOT_PERMITTED)
            return rc_fail(RC_NOT_PERMITTED, "%s says: %s", question->endpoint, question->detail);
        if (question->rc == RC_OK && question->known > known)
            known = question->known;
        if (question->rc != RC_OK)
            log_debug("position_not_told", "by=%s error=%s detail=\"%s\"", question->endpoint,
                      rc_info(question->rc)->name, question->detail);
    }
    *out_known = known;
    return RC_OK;
}

static enum rc check(const struct server_config *config, struct position_ask *ask)
{
    uint64_t known = 0;
    uint64_t index = read_mark(config);
    TRY(position_ask_all(ask, index, false));
    TRY(weigh(ask, &known));
    if (known <= index)
        return RC_OK;
    TRY(read_log(config, &index));
    if (known <= index)
        return RC_OK;
    (void)position_ask_all(ask, index, true); /* so that their officers see it too */
    return rc_fail(RC_TAMPERED,
                   "the log in %s ends at entry %" PRIu64 ", but the other HSMs know that this one "
                   "had stored %" PRIu64 ": an old copy of the disk. It must not vote: qhsm member "
                   "remove %lu, then let it join with an empty directory",
                   config->state_dir, index, known, config->node);
}

enum rc position_check(const struct server_config *config)
{
    struct position_ask *ask = calloc(1, sizeof *ask);
    if (ask == NULL)
        return RC_NO_MEMORY;
    read_peers(config, ask);
    enum rc rc = RC_OK;
    if (config->listen_peer != NULL && ask->count > 0)
        rc = position_ask_open(ask, config);
    if (rc == RC_OK && ask->is_open)
        rc = check(config, ask);
    position_ask_close(ask);
    free(ask);
    return rc;
}

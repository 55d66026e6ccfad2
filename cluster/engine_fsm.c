/* SPDX-License-Identifier: Apache-2.0 */
/* The state machine's callbacks. They never fail; what is impossible stops the process. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "cluster/consensus_internal.h"
#include "common/log.h"

static struct consensus *consensus_of(struct raft_fsm *fsm)
{
    return fsm->data;
}

/* ---- quarantine */

static void quarantine_path(const struct consensus *consensus, struct buf *out)
{
    if (buf_printf(out, "%s.quarantined", consensus->dir) != RC_OK)
        abort();
}

void engine_quarantine(struct consensus *consensus, const char *reason)
{
    struct buf path = BUF_INIT;
    quarantine_path(consensus, &path);
    int fd = open(buf_str(&path), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd >= 0) {
        (void)dprintf(fd, "%s\n", reason);
        (void)fsync(fd);
        (void)close(fd);
    }
    log_error("log_quarantined",
              "reason=\"%s\" marker=%s next=\"restore this HSM from a backup or from its peers\"",
              reason, buf_str(&path));
    abort();
}

enum rc engine_refuse_quarantined(const struct consensus *consensus)
{
    AUTO_BUF path = BUF_INIT;
    quarantine_path(consensus, &path);
    if (access(buf_str(&path), F_OK) == 0)
        return rc_fail(RC_TAMPERED, "%s was set aside: %s says why; restore it first",
                       consensus->dir, buf_str(&path));
    return RC_OK;
}

/* ---- entries */

/* An entry that cannot be opened: without memory the log is good, else it is set aside. */
static _Noreturn void give_up(struct consensus *consensus, enum rc rc)
{
    if (rc != RC_NO_MEMORY)
        engine_quarantine(consensus, rc_detail());
    log_error("out_of_memory", "where=apply next=\"raise the memory limit; nothing is lost\"");
    abort();
}

static void apply_effects(struct consensus *consensus, struct entry_place *place,
                          struct bytes entry)
{
    AUTO_SECRET plain = SECRET_INIT;
    struct bytes effects[ENTRY_EFFECTS_MAX];
    struct effect_result results[ENTRY_EFFECTS_MAX];
    size_t count = 0;
    enum rc rc = entry_open(consensus->keys, place, entry, &plain, effects, &count);
    if (rc != RC_OK)
        give_up(consensus, rc);
    uint64_t first = state_applied(consensus->state) + 1;
    for (size_t i = 0; i < count; i++)
        state_apply(consensus->state, first + i, effects[i], &results[i]);
    consensus_applied(consensus, place->index, place->term, results, first, count);
}

static void apply_audit(struct consensus *consensus, struct entry_place *place, struct bytes entry)
{
    struct entry_audit audit;
    enum rc rc = entry_open_audit(consensus->keys, place, entry, &audit);
    if (rc != RC_OK)
        give_up(consensus, rc);
    audit_compare(consensus, place->index, &audit);
}

static int fsm_apply(struct raft_fsm *fsm, const struct raft_buffer *buf, void **result)
{
    struct consensus *consensus = consensus_of(fsm);
    struct bytes entry = bytes_of(buf->base, buf->len);
    struct entry_place place = {.index = raft_last_applied(&consensus->raft) + 1};
    memcpy(place.cluster, consensus->config.cluster, sizeof place.cluster);
    if (entry_is_audit(entry))
        apply_audit(consensus, &place, entry);
    else
        apply_effects(consensus, &place, entry);
    audit_note(consensus, place.index);
    waits_note(consensus);
    *result = NULL;
    return 0;
}

/* ---- snapshots */

static int fsm_snapshot(struct raft_fsm *fsm, struct raft_buffer *bufs[], unsigned *n_bufs)
{
    struct consensus *consensus = consensus_of(fsm);
    uint64_t index = raft_last_applied(&consensus->raft);
    enum rc rc = snapshot_take(consensus->keys, consensus->state, consensus->config.cluster, index,
                               &consensus->snapshot);
    if (rc != RC_OK) {
        log_error("snapshot_failed", "index=%" PRIu64 " rc=%s detail=\"%s\"", index,
                  rc_info(rc)->name, rc_detail());
        return RAFT_NOMEM;
    }
    *bufs = snapshot_buffers(consensus->snapshot, n_bufs);
    log_info("snapshot_taken", "index=%" PRIu64 " parts=%u", index, *n_bufs);
    return 0;
}

static int fsm_snapshot_finalize(struct raft_fsm *fsm, struct raft_buffer *bufs[], unsigned *n_bufs)
{
    struct consensus *consensus = consensus_of(fsm);
    snapshot_free(consensus->snapshot);
    consensus->snapshot = NULL;
    consensus->snapshots++;
    *bufs = NULL;
    *n_bufs = 0;
    return 0;
}

static enum rc restore(struct consensus *consensus, const struct raft_buffer *buf)
{
    return snapshot_restore(consensus->keys, consensus->state, consensus->config.cluster,
                            consensus->guard.snapshot_index, bytes_of(buf->base, buf->len));
}

/* Frees the buffer on success only; on failure the engine does. At a start a damaged snapshot is
 * set aside; one that a peer sent is on the disk already, in place of the log, and the engine would
 * stay without a state for ever. */
static int fsm_restore(struct raft_fsm *fsm, struct raft_buffer *buf)
{
    struct consensus *consensus = consensus_of(fsm);
    enum rc rc = restore(consensus, buf);
    if (rc != RC_OK && consensus->started)
        engine_quarantine(consensus, rc_detail());
    if (rc != RC_OK) {
        log_error("snapshot_refused", "rc=%s detail=\"%s\"", rc_info(rc)->name, rc_detail());
        consensus->restore_failed = true;
        raft_guard_unload(&consensus->guard);
        return RAFT_CORRUPT;
    }
    audit_reset(consensus);
    waits_note(consensus);
    if (consensus->started)
        log_info("snapshot_installed", "index=%llu applied=%" PRIu64,
                 consensus->guard.snapshot_index, state_applied(consensus->state));
    raft_free(buf->base);
    buf->base = NULL;
    return 0;
}

/* Before the engine replaces its log by it. */
bool engine_accepts_snapshot(void *context, const struct raft_install_snapshot *install)
{
    struct consensus *consensus = context;
    enum rc rc = snapshot_check(consensus->keys, consensus->config.cluster, install->last_index,
                                bytes_of(install->data.base, install->data.len));
    if (rc == RC_OK && !disk_has_room_for(consensus, install->data.len))
        rc = rc_fail(RC_DISK, "no room for a snapshot of %zu bytes", install->data.len);
    if (rc != RC_OK)
        log_error("snapshot_refused", "rc=%s detail=\"%s\"", rc_info(rc)->name, rc_detail());
    return rc == RC_OK;
}

void engine_fsm_init(struct consensus *consensus)
{
    consensus->fsm = (struct raft_fsm){
        .version = 3,
        .data = consensus,
        .apply = fsm_apply,
        .snapshot = fsm_snapshot,
        .restore = fsm_restore,
        .snapshot_finalize = fsm_snapshot_finalize,
        .snapshot_async = NULL, /* the engine would run it on this thread */
    };
}

/* SPDX-License-Identifier: Apache-2.0 */
/* A snapshot as the engine stores it: a header of ours that binds the state's own snapshot to
 * cluster and log index, since the engine keeps no checksum of it. */
#ifndef QHSM_CLUSTER_SNAPSHOT_H
#define QHSM_CLUSTER_SNAPSHOT_H

#include <raft.h>

#include "common/rc.h"
#include "token/state.h"

/* References, not copies: cheap to take on the loop, written by another thread. */
struct snapshot;

/* `index` is of the last log entry that the state holds. `buffers` belong to the snapshot. */
enum rc snapshot_take(const struct seal_keys *keys, const struct state *state,
                      const uint8_t cluster[16], uint64_t index, struct snapshot **out);
struct raft_buffer *snapshot_buffers(struct snapshot *snapshot, unsigned *out_count);
void snapshot_free(struct snapshot *snapshot);

#define SNAPSHOT_PEEK_LEN 36U
/* Does the beginning of a snapshot (SNAPSHOT_PEEK_LEN bytes) look like one of this cluster, of that
 * index and length? Without its MAC: for messages of peers. RC_TAMPERED. */
enum rc snapshot_peek(struct bytes head, const uint8_t cluster[16], uint64_t index, uint64_t len);

/* Verifies the header with its MAC, not the content. RC_TAMPERED. */
enum rc snapshot_check(const struct seal_keys *keys, const uint8_t cluster[16], uint64_t index,
                       struct bytes stored);

/* Verifies the header against cluster and index, then restores the state. RC_TAMPERED leaves the
 * state as it was. */
enum rc snapshot_restore(const struct seal_keys *keys, struct state *state,
                         const uint8_t cluster[16], uint64_t index, struct bytes stored);

/* Renames the newest snapshot in the engine's directory (and its .meta) to corrupt-..., so that
 * the one before it is used. RC_NOT_FOUND when there is none. */
enum rc snapshot_set_aside(const char *dir);

#endif

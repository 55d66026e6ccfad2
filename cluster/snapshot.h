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

/* Verifies the header against cluster and index, then restores the state. RC_TAMPERED leaves the
 * state as it was. */
enum rc snapshot_restore(const struct seal_keys *keys, struct state *state,
                         const uint8_t cluster[16], uint64_t index, struct bytes stored);

/* Renames the newest snapshot in the engine's directory (and its .meta) to corrupt-..., so that
 * the one before it is used. RC_NOT_FOUND when there is none. */
enum rc snapshot_set_aside(const char *dir);

#endif

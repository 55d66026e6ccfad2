/* SPDX-License-Identifier: Apache-2.0 */
/* What a peer sends is checked here before the engine sees it: the engine believes lengths and
 * counts, allocates what it is told, and reads beyond what it has got. */
#ifndef QHSM_CLUSTER_PEER_INSPECT_H
#define QHSM_CLUSTER_PEER_INSPECT_H

#include "common/bytes.h"
#include "common/rc.h"

#define PEER_ENTRIES_MAX    512U /* of a message; the engine's limit of entries in flight */
#define PEER_MEMBERS_MAX    64U
#define PEER_ADDRESS_MAX    255U /* bytes without the NUL */
#define PEER_SNAPSHOT_MAX   ((uint64_t)1 << 30)
#define PEER_HEADER_MAX     16384U
#define PEER_CONFIG_LEN_MAX 8192U

struct peer_inspector;

/* For the stream of messages that `peer` sends in the cluster. RC_NO_MEMORY. */
enum rc peer_inspector_new(const uint8_t cluster[16], uint64_t peer, struct peer_inspector **out);
void peer_inspector_free(struct peer_inspector *inspector);

/* Looks at the next bytes of the stream, of one message at most: `out_used` of them belong to it.
 * Only after RC_OK may these be handed on; RC_PROTOCOL says what does not fit, and nothing of the
 * chunk may be handed on. */
enum rc peer_inspect(struct peer_inspector *inspector, struct bytes chunk, size_t *out_used);
/* The next byte begins a message. */
bool peer_inspect_at_start(const struct peer_inspector *inspector);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* The preamble and header of one of the engine's messages, taken apart and checked. */
#ifndef QHSM_CLUSTER_PEER_MESSAGE_H
#define QHSM_CLUSTER_PEER_MESSAGE_H

#include "common/bytes.h"
#include "common/rc.h"

struct peer_message {
    unsigned type; /* RAFT_APPEND_ENTRIES, ... */
    size_t header_len;
    size_t payload_len;
    uint64_t first_index;    /* of the entries */
    uint64_t snapshot_index; /* of the snapshot */
    uint32_t entry_count;
};

struct peer_entry {
    uint64_t term;
    unsigned type; /* RAFT_COMMAND, RAFT_BARRIER, RAFT_CHANGE */
    size_t len;
};

/* Of the 16 bytes of a preamble: type and header_len. RC_PROTOCOL for a type, a version or a length
 * that the engine does not send. */
enum rc peer_message_begin(struct bytes preamble, struct peer_message *out);
/* Of the whole header: the rest of `message`. RC_PROTOCOL. */
enum rc peer_message_check(struct bytes header, uint64_t peer, struct peer_message *message);
/* Entry `i` of a header that was checked. */
struct peer_entry peer_message_entry(struct bytes header, uint32_t i);
/* A cluster configuration as the engine encodes it. RC_PROTOCOL. */
enum rc peer_configuration_check(struct bytes encoded);

#endif

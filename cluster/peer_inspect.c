/* SPDX-License-Identifier: Apache-2.0 */
/* Messages of libraft 0.22.1 as it writes them (its uv_encoding.c), and nothing else: preamble of
 * two words {type, 0, version, 0, 0 (4 bytes); length of the header}, header, payload; all
 * little-endian. */
#include "cluster/peer_inspect.h"

#include <inttypes.h>
#include <raft.h>
#include <stdlib.h>

#include "cluster/entry.h"
#include "cluster/peer_message.h"
#include "cluster/snapshot.h"

#define PREAMBLE_LEN 16U

enum inspect_phase { INSPECT_PREAMBLE, INSPECT_HEADER, INSPECT_PAYLOAD };

struct peer_inspector {
    uint8_t cluster[16];
    uint64_t peer;
    enum inspect_phase phase;
    struct peer_message message;
    size_t have; /* of preamble or header; of the payload's present part */
    size_t need;
    uint32_t entry; /* the payload's present one */
    uint8_t header[PEER_HEADER_MAX];
    uint8_t part[PEER_CONFIG_LEN_MAX]; /* beginning of the present part of the payload */
};

enum rc peer_inspector_new(const uint8_t cluster[16], uint64_t peer, struct peer_inspector **out)
{
    struct peer_inspector *inspector = calloc(1, sizeof *inspector);
    if (inspector == NULL)
        return RC_NO_MEMORY;
    memcpy(inspector->cluster, cluster, sizeof inspector->cluster);
    inspector->peer = peer;
    inspector->need = PREAMBLE_LEN;
    *out = inspector;
    return RC_OK;
}

void peer_inspector_free(struct peer_inspector *inspector)
{
    free(inspector);
}

bool peer_inspect_at_start(const struct peer_inspector *inspector)
{
    return inspector->phase == INSPECT_PREAMBLE && inspector->have == 0;
}

static void begin(struct peer_inspector *inspector, enum inspect_phase phase, size_t need)
{
    inspector->phase = phase;
    inspector->have = 0;
    inspector->need = need;
}

/* ---- payload: the entries one after another, or the snapshot as one part */

static enum rc check_snapshot_part(const struct peer_inspector *inspector)
{
    const struct peer_message *message = &inspector->message;
    return snapshot_peek(bytes_of(inspector->part, SNAPSHOT_PEEK_LEN), inspector->cluster,
                         message->snapshot_index, message->payload_len);
}

static enum rc check_entry_part(const struct peer_inspector *inspector)
{
    const struct peer_message *message = &inspector->message;
    struct peer_entry entry =
        peer_message_entry(bytes_of(inspector->header, message->header_len), inspector->entry);
    if (entry.type == RAFT_CHANGE)
        return peer_configuration_check(bytes_of(inspector->part, entry.len));
    if (entry.type == RAFT_COMMAND)
        return entry_peek(bytes_of(inspector->part, ENTRY_HEADER_LEN), inspector->cluster,
                          message->first_index + inspector->entry);
    return RC_OK;
}

/* How much of the present part is looked at. */
static size_t part_watched(const struct peer_inspector *inspector)
{
    if (inspector->message.type == RAFT_INSTALL_SNAPSHOT)
        return SNAPSHOT_PEEK_LEN;
    struct peer_entry entry = peer_message_entry(
        bytes_of(inspector->header, inspector->message.header_len), inspector->entry);
    return entry.type == RAFT_CHANGE ? entry.len
                                     : (entry.type == RAFT_COMMAND ? ENTRY_HEADER_LEN : 0);
}

static void begin_part(struct peer_inspector *inspector)
{
    const struct peer_message *message = &inspector->message;
    size_t len = message->payload_len;
    if (message->type == RAFT_APPEND_ENTRIES)
        len = peer_message_entry(bytes_of(inspector->header, message->header_len), inspector->entry)
                  .len;
    begin(inspector, INSPECT_PAYLOAD, len);
}

static enum rc take_payload(struct peer_inspector *inspector, struct bytes chunk, size_t *out_used)
{
    size_t used = inspector->need - inspector->have;
    if (used > chunk.len)
        used = chunk.len;
    size_t watched = part_watched(inspector);
    if (inspector->have < watched) {
        struct bytes seen = bytes_slice(chunk, 0, used);
        seen = bytes_slice(seen, 0, watched - inspector->have);
        memcpy(inspector->part + inspector->have, seen.ptr, seen.len);
        if (inspector->have + seen.len == watched)
            TRY(inspector->message.type == RAFT_INSTALL_SNAPSHOT ? check_snapshot_part(inspector)
                                                                 : check_entry_part(inspector));
    }
    inspector->have += used;
    *out_used = used;
    if (inspector->have < inspector->need)
        return RC_OK;
    inspector->entry++;
    if (inspector->entry < inspector->message.entry_count)
        begin_part(inspector);
    else
        begin(inspector, INSPECT_PREAMBLE, PREAMBLE_LEN);
    return RC_OK;
}

/* ---- preamble and header */

static enum rc finish_preamble(struct peer_inspector *inspector)
{
    struct bytes preamble = bytes_of(inspector->header, PREAMBLE_LEN);
    TRY(peer_message_begin(preamble, &inspector->message));
    begin(inspector, INSPECT_HEADER, inspector->message.header_len);
    return RC_OK;
}

static enum rc finish_header(struct peer_inspector *inspector)
{
    struct peer_message *message = &inspector->message;
    struct bytes header = bytes_of(inspector->header, message->header_len);
    TRY(peer_message_check(header, inspector->peer, message));
    inspector->entry = 0;
    if (message->payload_len > 0)
        begin_part(inspector);
    else
        begin(inspector, INSPECT_PREAMBLE, PREAMBLE_LEN);
    return RC_OK;
}

enum rc peer_inspect(struct peer_inspector *inspector, struct bytes chunk, size_t *out_used)
{
    if (inspector->phase == INSPECT_PAYLOAD)
        return take_payload(inspector, chunk, out_used);
    size_t used = inspector->need - inspector->have;
    if (used > chunk.len)
        used = chunk.len;
    memcpy(inspector->header + inspector->have, chunk.ptr, used);
    inspector->have += used;
    *out_used = used;
    if (inspector->have < inspector->need)
        return RC_OK;
    return inspector->phase == INSPECT_PREAMBLE ? finish_preamble(inspector)
                                                : finish_header(inspector);
}

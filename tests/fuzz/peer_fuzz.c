/* SPDX-License-Identifier: Apache-2.0 */
/* What a peer may send: a stream of messages, cut into chunks. What the inspector lets through is
 * walked over once more as the engine does it, which believes every length. */
#include <raft.h>
#include <stdlib.h>

#include "cluster/peer_inspect.h"
#include "common/buf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t cluster[16] = {1, 2, 3};

static void must(bool holds)
{
    if (!holds)
        abort();
}

/* As uvDecodeMessage() of libraft: reads where the header says, without a look at its length. */
static size_t payload_as_the_engine(struct bytes preamble, struct bytes header)
{
    struct reader in = reader_of(header);
    size_t payload = 0;
    if (preamble.ptr[0] == RAFT_APPEND_ENTRIES) {
        (void)reader_raw(&in, 32);
        uint64_t count = reader_u64(&in);
        for (uint64_t i = 0; i < count; i++) {
            (void)reader_raw(&in, 12);
            uint32_t len = reader_u32(&in);
            must(len > 0 && len <= 256 * 1024 && len % 8 == 0);
            payload += len;
        }
    }
    if (preamble.ptr[0] == RAFT_INSTALL_SNAPSHOT) {
        (void)reader_raw(&in, 32);
        uint64_t len = reader_u64(&in);
        must(len <= header.len);
        (void)reader_raw(&in, (size_t)len);
        payload = reader_u64(&in);
        must(payload <= 1 << 30);
    }
    must(reader_ok(&in));
    return payload;
}

/* `let_through` ends where the inspector stopped; what is complete in it must make sense. */
static void walk(struct bytes let_through)
{
    struct reader in = reader_of(let_through);
    while (in.rest.len >= 16) {
        struct bytes preamble = reader_raw(&in, 16);
        struct reader len_reader = reader_of(bytes_slice(preamble, 8, 8));
        uint64_t len = reader_u64(&len_reader);
        must(len > 0 && len <= PEER_HEADER_MAX);
        if (in.rest.len < len)
            return;
        struct bytes header = reader_raw(&in, (size_t)len);
        size_t payload = payload_as_the_engine(preamble, header);
        if (in.rest.len < payload)
            return;
        (void)reader_raw(&in, payload);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct peer_inspector *inspector = NULL;
    if (size < 2 || peer_inspector_new(cluster, 7, &inspector) != RC_OK)
        return 0;
    size_t chunk_len = data[0] + 1U;
    struct bytes stream = bytes_of(data + 1, size - 1);
    size_t at = 0;
    enum rc rc = RC_OK;
    while (rc == RC_OK && at < stream.len) {
        size_t used = 0;
        rc = peer_inspect(inspector, bytes_slice(stream, at, chunk_len), &used);
        must(rc != RC_OK || used > 0);
        at += rc == RC_OK ? used : 0;
    }
    peer_inspector_free(inspector);
    walk(bytes_slice(stream, 0, at));
    return 0;
}

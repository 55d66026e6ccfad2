/* SPDX-License-Identifier: Apache-2.0 */
/* The engine's encoding, from its uv_encoding.c of 0.22.1. */
#include "tests/unit/cluster/peer_messages.h"

#include <raft.h>
#include <stdlib.h>

#include "cluster/entry.h"
#include "cluster/snapshot.h"

static const uint8_t cluster[16] = {1, 2, 3};

static void must(enum rc rc)
{
    if (rc != RC_OK)
        abort();
}

static void u64(struct buf *out, uint64_t value)
{
    must(buf_put_u64(out, value));
}

static void pad(struct buf *out, size_t start, size_t len)
{
    must(buf_resize(out, start + len));
}

void message_begin(struct buf *out, unsigned type, unsigned version, uint64_t header_len)
{
    u64(out, type | (uint64_t)version << 16);
    u64(out, header_len);
}

void message_vote(struct buf *out, uint64_t candidate)
{
    message_begin(out, RAFT_REQUEST_VOTE, 2, 40);
    u64(out, 3);
    u64(out, candidate);
    u64(out, 10);
    u64(out, 2);
    u64(out, 2);
}

void message_vote_result(struct buf *out)
{
    message_begin(out, RAFT_REQUEST_VOTE_RESULT, 2, 24);
    u64(out, 3);
    u64(out, 1);
    u64(out, 0x100010001);
}

void message_append_result(struct buf *out)
{
    message_begin(out, RAFT_APPEND_ENTRIES_RESULT, 2, 32);
    u64(out, 3);
    u64(out, 0);
    u64(out, 10);
    u64(out, 1);
}

void message_timeout_now(struct buf *out)
{
    message_begin(out, RAFT_TIMEOUT_NOW, 0, 24);
    u64(out, 3);
    u64(out, 10);
    u64(out, 3);
}

static void append_fixed(struct buf *out, uint64_t index, uint64_t count)
{
    message_begin(out, RAFT_APPEND_ENTRIES, 0, 48 + 16 * count);
    u64(out, 3);
    u64(out, index - 1);
    u64(out, 2);
    u64(out, index - 1);
    u64(out, count);
}

static void row(struct buf *out, unsigned type, uint32_t len)
{
    u64(out, 3);
    must(buf_put_u32(out, type));
    must(buf_put_u32(out, len));
}

static void command(struct buf *out, uint64_t index, uint32_t len)
{
    size_t start = out->len;
    must(buf_put_u32(out, 0x31454851U));
    must(buf_append(out, bytes_of(cluster, sizeof cluster)));
    u64(out, index);
    u64(out, 3);
    must(buf_put_u32(out, 1));
    pad(out, start, len);
}

void message_append(struct buf *out, uint64_t index, uint32_t count, uint32_t len)
{
    append_fixed(out, index, count);
    for (uint32_t i = 0; i < count; i++)
        row(out, RAFT_COMMAND, len);
    u64(out, 0);
    for (uint32_t i = 0; i < count; i++)
        command(out, index + i, len);
}

void message_configuration(struct buf *out, uint64_t members)
{
    size_t start = out->len;
    must(buf_put_u8(out, 1));
    u64(out, members);
    for (uint64_t i = 1; i <= members; i++) {
        u64(out, i);
        must(buf_printf(out, "host-%u:7600", (unsigned)i));
        must(buf_put_u8(out, 0));
        must(buf_put_u8(out, RAFT_VOTER));
    }
    pad(out, start, (out->len - start + 7) / 8 * 8);
}

void message_append_others(struct buf *out, uint64_t index, uint64_t members)
{
    AUTO_BUF configuration = BUF_INIT;
    message_configuration(&configuration, members);
    append_fixed(out, index, 2);
    row(out, RAFT_BARRIER, 8);
    row(out, RAFT_CHANGE, (uint32_t)configuration.len);
    u64(out, 0);
    u64(out, 0);
    must(buf_append(out, buf_bytes(&configuration)));
}

void message_install(struct buf *out, uint64_t index, uint64_t members, uint64_t len)
{
    AUTO_BUF configuration = BUF_INIT;
    message_configuration(&configuration, members);
    message_begin(out, RAFT_INSTALL_SNAPSHOT, 0, 56 + configuration.len);
    u64(out, 3);
    u64(out, index);
    u64(out, 2);
    u64(out, 1);
    u64(out, configuration.len);
    must(buf_append(out, buf_bytes(&configuration)));
    u64(out, len);
    u64(out, 0);
    size_t start = out->len;
    must(buf_put_u32(out, 0x31534851U));
    must(buf_append(out, bytes_of(cluster, sizeof cluster)));
    u64(out, index);
    u64(out, len - SNAPSHOT_PEEK_LEN - 32);
    pad(out, start, len);
}

void message_all(struct buf *out, uint64_t peer)
{
    message_vote(out, peer);
    message_vote_result(out);
    message_append(out, 11, 0, 0);
    message_append(out, 11, 3, 104);
    message_append_others(out, 14, 5);
    message_append_result(out);
    message_install(out, 20, 3, 1000);
    message_timeout_now(out);
}

void message_hello(struct buf *out, uint64_t node, const char *address, uint64_t padded)
{
    must(buf_append(out, bytes_of_str("QSMPEER1")));
    must(buf_put_u64(out, node));
    must(buf_put_u64(out, padded));
    size_t start = out->len;
    must(buf_append(out, bytes_of_str(address)));
    if (padded < 4096)
        must(buf_resize(out, start + padded));
}

void message_stream(struct buf *out, unsigned count)
{
    *out = (struct buf)BUF_INIT_MAX((size_t)256 << 20);
    for (unsigned i = 0; i < count; i++)
        message_append(out, 10 + i, 1, 200000);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The inspector lets through what the engine sends, and stops everything else before its last byte
 * is handed on. */
#include "cluster/peer_inspect.h"

#include <raft.h>

#include "tests/unit/cluster/peer_messages.h"
#include "tests/unit/unit.h"

#define PEER 7U

static const uint8_t cluster[16] = {1, 2, 3};
static const uint8_t other[16] = {9};

/* In chunks of that size; how many whole messages came through. */
static enum rc pass(const uint8_t id[16], struct bytes stream, size_t chunk_len,
                    unsigned *out_whole)
{
    struct peer_inspector *inspector = NULL;
    enum rc rc = RC_OK;
    *out_whole = 0;
    UNIT_OK(peer_inspector_new(id, PEER, &inspector));
    for (size_t at = 0; rc == RC_OK && at < stream.len;) {
        struct bytes chunk = bytes_slice(stream, at, chunk_len);
        while (rc == RC_OK && chunk.len > 0) {
            size_t used = 0;
            rc = peer_inspect(inspector, chunk, &used);
            CU_ASSERT(rc != RC_OK || (used > 0 && used <= chunk.len));
            chunk = bytes_slice(chunk, used, chunk.len);
            at += used;
            *out_whole += rc == RC_OK && peer_inspect_at_start(inspector) ? 1 : 0;
        }
    }
    peer_inspector_free(inspector);
    return rc;
}

static enum rc pass_whole(const struct buf *stream)
{
    unsigned whole = 0;
    return pass(cluster, buf_bytes(stream), stream->len, &whole);
}

static void set_u64(struct buf *buf, size_t at, uint64_t value)
{
    memcpy(buf->ptr + at, &value, sizeof value);
}

static void all_messages_pass_in_chunks_of_any_size(void)
{
    static const size_t sizes[] = {1, 7, 8, 16, 64, 1000, 1 << 20};
    AUTO_BUF stream = BUF_INIT;
    message_all(&stream, PEER);
    message_all(&stream, PEER);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        unsigned whole = 0;
        UNIT_OK(pass(cluster, buf_bytes(&stream), sizes[i], &whole));
        CU_ASSERT_EQUAL(whole, 16);
    }
}

static void another_candidate_than_the_sender_is_refused(void)
{
    AUTO_BUF stream = BUF_INIT;
    message_vote(&stream, PEER + 1);
    UNIT_RC(pass_whole(&stream), RC_PROTOCOL);
}

static void unknown_types_and_versions_are_refused(void)
{
    static const uint64_t words[] = {0, 7, 255, 1 | 1 << 16, 2, 3, 1 | 1ULL << 8, 1 | 1ULL << 63};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        AUTO_BUF stream = BUF_INIT;
        message_append(&stream, 5, 1, 64);
        set_u64(&stream, 0, words[i]);
        UNIT_RC(pass_whole(&stream), RC_PROTOCOL);
    }
}

static void header_lengths_outside_their_bounds_are_refused_with_the_preamble(void)
{
    static const uint64_t lens[] = {0, 1, 47, 48 + 16 * 513, 1 << 30, UINT64_MAX};
    for (size_t i = 0; i < sizeof lens / sizeof lens[0]; i++) {
        AUTO_BUF stream = BUF_INIT;
        message_begin(&stream, RAFT_APPEND_ENTRIES, 0, lens[i]);
        UNIT_RC(pass_whole(&stream), RC_PROTOCOL);
    }
}

static void a_count_that_differs_from_the_header_is_refused(void)
{
    static const uint64_t counts[] = {0, 1, 3, 513, (1ULL << 32) | 2, UINT64_MAX};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        AUTO_BUF stream = BUF_INIT;
        message_append(&stream, 5, 2, 64);
        set_u64(&stream, 16 + 32, counts[i]);
        UNIT_RC(pass_whole(&stream), RC_PROTOCOL);
    }
}

static void entries_of_wrong_length_type_or_term_are_refused(void)
{
    static const struct {
        uint64_t term, word;
    } rows[] = {
        {3, 1 | 0ULL << 32},          {3, 1 | 60ULL << 32}, {3, 1 | 262152ULL << 32},
        {3, 0 | 64ULL << 32},         {3, 4 | 64ULL << 32}, {3, 2 | 16ULL << 32},
        {3, 3 | 8200ULL << 32},       {4, 1 | 64ULL << 32}, {1, 1 | 64ULL << 32},
        {3, 257 | 64ULL << 32},       {0, 1 | 64ULL << 32}, {3, 1 | 40ULL << 32},
        {3, 1 | 0xfffffff8ULL << 32},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        AUTO_BUF stream = BUF_INIT;
        message_append(&stream, 5, 1, 64);
        set_u64(&stream, 16 + 40, rows[i].term);
        set_u64(&stream, 16 + 48, rows[i].word);
        UNIT_RC(pass_whole(&stream), RC_PROTOCOL);
    }
}

static void entries_of_another_place_or_cluster_are_refused(void)
{
    unsigned whole = 0;
    AUTO_BUF stream = BUF_INIT;
    message_append(&stream, 5, 2, 64);
    UNIT_RC(pass(other, buf_bytes(&stream), 13, &whole), RC_TAMPERED);
    CU_ASSERT_EQUAL(whole, 0);
    set_u64(&stream, 16 + 8, 5); /* previous index */
    UNIT_RC(pass_whole(&stream), RC_TAMPERED);
}

static void numbers_beyond_counting_are_refused(void)
{
    static const size_t places[] = {16, 24, 40};
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        AUTO_BUF stream = BUF_INIT;
        message_append(&stream, 5, 0, 0);
        set_u64(&stream, places[i], 1ULL << 60);
        UNIT_RC(pass_whole(&stream), RC_PROTOCOL);
    }
}

static void snapshots_that_are_too_long_or_not_ours_are_refused(void)
{
    unsigned whole = 0;
    AUTO_BUF good = BUF_INIT;
    AUTO_BUF longer = BUF_INIT;
    message_install(&good, 20, 3, 5000);
    UNIT_OK(pass(cluster, buf_bytes(&good), 100, &whole));
    UNIT_RC(pass(other, buf_bytes(&good), 100, &whole), RC_TAMPERED);
    message_install(&longer, 20, 3, 100);
    size_t at = longer.len - 100 - 16;
    set_u64(&longer, at, (1ULL << 30) + 1);
    UNIT_RC(pass_whole(&longer), RC_PROTOCOL);
    set_u64(&longer, at, 101); /* the snapshot itself says otherwise */
    UNIT_RC(pass_whole(&longer), RC_TAMPERED);
    set_u64(&longer, at, 8);
    UNIT_RC(pass_whole(&longer), RC_PROTOCOL);
}

static void configurations_are_checked_wherever_they_come(void)
{
    AUTO_BUF many = BUF_INIT;
    AUTO_BUF entry = BUF_INIT;
    message_install(&many, 20, 65, 100);
    UNIT_RC(pass_whole(&many), RC_PROTOCOL);
    message_append_others(&entry, 14, 3);
    UNIT_OK(pass_whole(&entry));
    size_t at = entry.len - 3 * 21 - 9; /* no padding */
    CU_ASSERT_EQUAL(entry.ptr[at + 1], 3);
    entry.ptr[at + 1] = 4;
    UNIT_RC(pass_whole(&entry), RC_PROTOCOL);
    entry.ptr[at + 1] = 3;
    entry.ptr[at] = 2; /* its format */
    UNIT_RC(pass_whole(&entry), RC_PROTOCOL);
    entry.ptr[at] = 1;
    entry.ptr[at + 9] = 2; /* number 2 twice */
    UNIT_RC(pass_whole(&entry), RC_PROTOCOL);
}

static void no_flipped_byte_leads_it_astray(void)
{
    AUTO_BUF good = BUF_INIT;
    message_all(&good, PEER);
    for (size_t at = 0; at < good.len; at++) {
        unsigned whole = 0;
        good.ptr[at] ^= 0x80;
        enum rc rc = pass(cluster, buf_bytes(&good), 33, &whole);
        CU_ASSERT(rc == RC_OK || rc == RC_PROTOCOL || rc == RC_TAMPERED);
        CU_ASSERT(whole <= 8);
        good.ptr[at] ^= 0x80;
    }
}

UNIT_SUITE("peer_inspect", UNIT_CASE(all_messages_pass_in_chunks_of_any_size),
           UNIT_CASE(another_candidate_than_the_sender_is_refused),
           UNIT_CASE(unknown_types_and_versions_are_refused),
           UNIT_CASE(header_lengths_outside_their_bounds_are_refused_with_the_preamble),
           UNIT_CASE(a_count_that_differs_from_the_header_is_refused),
           UNIT_CASE(entries_of_wrong_length_type_or_term_are_refused),
           UNIT_CASE(entries_of_another_place_or_cluster_are_refused),
           UNIT_CASE(numbers_beyond_counting_are_refused),
           UNIT_CASE(snapshots_that_are_too_long_or_not_ours_are_refused),
           UNIT_CASE(configurations_are_checked_wherever_they_come),
           UNIT_CASE(no_flipped_byte_leads_it_astray));

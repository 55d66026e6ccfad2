/* SPDX-License-Identifier: Apache-2.0 */
/* Log entries: sealed, padded, and bound to their place. */
#include "cluster/entry.h"

#include "tests/unit/unit.h"
#include "token/crypto_lib.h"

static const uint8_t cluster[16] = {1, 2, 3};
static const uint8_t other[16] = {3, 2, 1};

static struct seal_keys *keys_new(void)
{
    AUTO_SECRET master = SECRET_INIT;
    struct seal_keys *keys = NULL;
    UNIT_OK(crypto_lib_init());
    UNIT_OK(secret_alloc(&master, MASTER_KEY_LEN));
    UNIT_OK(seal_keys_new(&master, cluster, &keys));
    return keys;
}

static struct entry_place place_of(const uint8_t id[16], uint64_t index)
{
    struct entry_place place = {.index = index, .term = 3};
    memcpy(place.cluster, id, sizeof place.cluster);
    return place;
}

static void encode(const struct seal_keys *keys, struct buf *out)
{
    const struct bytes effects[] = {bytes_of_str("first"), bytes_of_str(""), bytes_of_str("third")};
    struct entry_place place = place_of(cluster, 7);
    UNIT_OK(entry_encode(keys, &place, effects, 3, out));
}

static enum rc open_at(const struct seal_keys *keys, struct bytes entry, const uint8_t id[16],
                       uint64_t index)
{
    AUTO_SECRET plain = SECRET_INIT;
    struct bytes effects[ENTRY_EFFECTS_MAX];
    size_t count = 0;
    struct entry_place place = place_of(id, index);
    return entry_open(keys, &place, entry, &plain, effects, &count);
}

static void effects_come_back_in_order(void)
{
    struct seal_keys *keys = keys_new();
    AUTO_BUF entry = BUF_INIT;
    encode(keys, &entry);
    CU_ASSERT_EQUAL(entry.len % 8, 0);
    AUTO_SECRET plain = SECRET_INIT;
    struct bytes effects[ENTRY_EFFECTS_MAX];
    size_t count = 0;
    struct entry_place place = place_of(cluster, 7);
    place.term = 0;
    UNIT_OK(entry_open(keys, &place, buf_bytes(&entry), &plain, effects, &count));
    CU_ASSERT_EQUAL(place.term, 3);
    CU_ASSERT_EQUAL_FATAL(count, 3);
    CU_ASSERT(bytes_equal(effects[0], bytes_of_str("first")));
    CU_ASSERT_EQUAL(effects[1].len, 0);
    CU_ASSERT(bytes_equal(effects[2], bytes_of_str("third")));
    seal_keys_free(keys);
}

static void an_entry_at_another_index_is_refused(void)
{
    struct seal_keys *keys = keys_new();
    AUTO_BUF entry = BUF_INIT;
    encode(keys, &entry);
    UNIT_RC(open_at(keys, buf_bytes(&entry), cluster, 8), RC_TAMPERED);
    UNIT_RC(open_at(keys, buf_bytes(&entry), cluster, 6), RC_TAMPERED);
    seal_keys_free(keys);
}

static void an_entry_of_another_cluster_is_refused(void)
{
    struct seal_keys *keys = keys_new();
    AUTO_BUF entry = BUF_INIT;
    encode(keys, &entry);
    UNIT_RC(open_at(keys, buf_bytes(&entry), other, 7), RC_TAMPERED);
    seal_keys_free(keys);
}

/* All but the padding. */
static void every_changed_byte_is_noticed(void)
{
    struct seal_keys *keys = keys_new();
    AUTO_BUF entry = BUF_INIT;
    encode(keys, &entry);
    size_t meaningful = 40 + 4 + SEAL_OVERHEAD + 3 * 4 + 10;
    for (size_t i = 0; i < meaningful; i++) {
        entry.ptr[i] ^= 0x20;
        CU_ASSERT(open_at(keys, buf_bytes(&entry), cluster, 7) == RC_TAMPERED);
        entry.ptr[i] ^= 0x20;
    }
    UNIT_OK(open_at(keys, buf_bytes(&entry), cluster, 7));
    seal_keys_free(keys);
}

static void every_shortened_entry_is_noticed(void)
{
    struct seal_keys *keys = keys_new();
    AUTO_BUF entry = BUF_INIT;
    encode(keys, &entry);
    for (size_t len = 0; len + 8 < entry.len; len++)
        CU_ASSERT(open_at(keys, bytes_slice(buf_bytes(&entry), 0, len), cluster, 7) == RC_TAMPERED);
    seal_keys_free(keys);
}

static void an_entry_over_the_limit_is_not_made(void)
{
    struct seal_keys *keys = keys_new();
    AUTO_BUF large = BUF_INIT;
    AUTO_BUF entry = BUF_INIT;
    struct entry_place place = place_of(cluster, 7);
    UNIT_OK(buf_resize(&large, ENTRY_LEN_MAX - ENTRY_OVERHEAD_MAX));
    struct bytes effect = buf_bytes(&large);
    UNIT_OK(entry_encode(keys, &place, &effect, 1, &entry));
    buf_clear(&entry);
    UNIT_OK(buf_resize(&large, ENTRY_LEN_MAX));
    effect = buf_bytes(&large);
    UNIT_RC(entry_encode(keys, &place, &effect, 1, &entry), RC_TOO_LARGE);
    seal_keys_free(keys);
}

UNIT_SUITE("entry", UNIT_CASE(effects_come_back_in_order),
           UNIT_CASE(an_entry_at_another_index_is_refused),
           UNIT_CASE(an_entry_of_another_cluster_is_refused),
           UNIT_CASE(every_changed_byte_is_noticed), UNIT_CASE(every_shortened_entry_is_noticed),
           UNIT_CASE(an_entry_over_the_limit_is_not_made));

/* SPDX-License-Identifier: Apache-2.0 */
/* Facts, places and MACs of a backup. */
#include "token/backup_format.h"

#include <string.h>

#include "token/crypto_lib.h"

static enum rc put_numbers(const struct backup_facts *facts, struct buf *out)
{
    const uint64_t numbers[] = {facts->time_ms, facts->index,   facts->tokens,
                                facts->users,   facts->objects, facts->snapshot_len};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        TRY(buf_put_u64(out, numbers[i]));
    TRY(buf_put_u8(out, facts->threshold));
    return buf_put_u8(out, facts->shares);
}

enum rc backup_facts_encode(const struct backup_facts *facts, struct buf *out)
{
    TRY(buf_append(out, bytes_of_str(BACKUP_MAGIC)));
    TRY(buf_put_u32(out, BACKUP_FORMAT));
    TRY(buf_put_u32(out, 0));
    TRY(buf_append(out, bytes_of(facts->cluster, sizeof facts->cluster)));
    TRY(buf_append(out, bytes_of(facts->id, sizeof facts->id)));
    TRY(put_numbers(facts, out));
    TRY(buf_append(out, bytes_of(facts->point, sizeof facts->point)));
    TRY(buf_put_str(out, facts->release));
    return buf_put_str(out, facts->reason);
}

/* Printable text for logs and terminals. */
static void take_text(struct reader *in, char *out, size_t cap)
{
    struct bytes text = reader_bytes(in);
    if (!reader_ok(in) || text.len >= cap) {
        in->failed = true;
        return;
    }
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] < 0x20 || text.ptr[i] > 0x7e)
            in->failed = true;
    if (text.len > 0)
        memcpy(out, text.ptr, text.len);
    out[text.len] = 0;
}

void backup_facts_decode(struct reader *in, struct backup_facts *out)
{
    *out = (struct backup_facts){.time_ms = 0};
    (void)reader_raw(in, BACKUP_PREFIX_LEN);
    reader_copy(in, out->cluster, sizeof out->cluster);
    reader_copy(in, out->id, sizeof out->id);
    uint64_t *const numbers[] = {&out->time_ms, &out->index,   &out->tokens,
                                 &out->users,   &out->objects, &out->snapshot_len};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        *numbers[i] = reader_u64(in);
    out->threshold = reader_u8(in);
    out->shares = reader_u8(in);
    reader_copy(in, out->point, sizeof out->point);
    take_text(in, out->release, sizeof out->release);
    take_text(in, out->reason, sizeof out->reason);
}

uint64_t backup_chunk_count(uint64_t snapshot_len)
{
    return snapshot_len / BACKUP_CHUNK_LEN + (snapshot_len % BACKUP_CHUNK_LEN != 0);
}

size_t backup_chunk_len(uint64_t snapshot_len, uint64_t chunk)
{
    uint64_t left = snapshot_len - chunk * BACKUP_CHUNK_LEN;
    return left < BACKUP_CHUNK_LEN ? (size_t)left : BACKUP_CHUNK_LEN;
}

void backup_nonce(enum backup_part part, uint64_t number, uint8_t out[GCM_NONCE_LEN])
{
    memset(out, 0, GCM_NONCE_LEN);
    out[0] = (uint8_t)part;
    for (unsigned i = 0; i < 8; i++)
        out[4 + i] = (uint8_t)(number >> (8 * i));
}

enum rc backup_place(const uint8_t header_hash[BACKUP_HASH_LEN], enum backup_part part,
                     uint64_t number, uint64_t count, struct buf *out)
{
    TRY(buf_append(out, bytes_of(header_hash, BACKUP_HASH_LEN)));
    TRY(buf_put_u32(out, (uint32_t)part));
    TRY(buf_put_u64(out, number));
    return buf_put_u64(out, count);
}

enum rc backup_part_mac(const struct seal_keys *keys, struct bytes place, struct bytes sealed,
                        uint8_t out[BACKUP_MAC_LEN])
{
    const struct bytes parts[] = {bytes_of_str("backup"), place, sealed};
    return seal_mac(keys, SEAL_BACKUP, parts, 3, out);
}

enum rc backup_hash(struct bytes data, uint8_t out[BACKUP_HASH_LEN])
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    size_t len = 0;
    TRY(crypto_digest(DIGEST_SHA256, data, digest, &len));
    memcpy(out, digest, BACKUP_HASH_LEN);
    return RC_OK;
}

enum rc backup_envelope_context(struct bytes facts, struct buf *out)
{
    uint8_t hash[BACKUP_HASH_LEN];
    TRY(backup_hash(facts, hash));
    TRY(buf_append(out, bytes_of_str("qhsm/backup/1")));
    return buf_append(out, bytes_of(hash, sizeof hash));
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Reading a backup: what its header says, the check by MACs, the opening by the backup key. */
#include "token/backup_file.h"

#include <inttypes.h>
#include <string.h>

#include "token/backup_format.h"

#define UUID_TEXT_LEN 37U

/* ---- header */

static enum rc read_header(const struct backup_input *input, struct buf *out)
{
    uint8_t prefix[BACKUP_PREFIX_LEN];
    if (input->len < sizeof prefix)
        return rc_fail(RC_BAD_ARGUMENT, "%" PRIu64 " bytes are no backup", input->len);
    TRY(input->read(input->context, 0, prefix, sizeof prefix));
    struct reader in = reader_of(bytes_of(prefix, sizeof prefix));
    if (!bytes_equal(reader_raw(&in, BACKUP_MAGIC_LEN), bytes_of_str(BACKUP_MAGIC)))
        return rc_fail(RC_BAD_ARGUMENT, "this is no backup: it does not begin with " BACKUP_MAGIC);
    (void)reader_u32(&in);
    size_t len = reader_u32(&in);
    if (len < BACKUP_PREFIX_LEN + BACKUP_HASH_LEN + BACKUP_MAC_LEN || len > BACKUP_HEADER_MAX)
        return rc_fail(RC_TAMPERED, "the backup is damaged in its header: a length of %zu", len);
    if (len > input->len)
        return rc_fail(RC_TAMPERED, "the backup is cut short within its header");
    TRY(buf_resize(out, len));
    return input->read(input->context, 0, out->ptr, len);
}

/* Unkeyed: tells damage from a backup of another cluster or a later format. */
static enum rc check_header_hash(struct backup_file *file)
{
    struct bytes all = buf_bytes(&file->header);
    size_t hashed = all.len - BACKUP_HASH_LEN - BACKUP_MAC_LEN;
    TRY(backup_hash(bytes_slice(all, 0, hashed), file->header_hash));
    if (!bytes_equal(bytes_slice(all, hashed, BACKUP_HASH_LEN),
                     bytes_of(file->header_hash, BACKUP_HASH_LEN)))
        return rc_fail(RC_TAMPERED, "the backup is damaged in its header (the first %zu bytes)",
                       all.len);
    return RC_OK;
}

static enum rc parse_header(struct backup_file *file)
{
    struct bytes all = buf_bytes(&file->header);
    struct reader in = reader_of(bytes_slice(all, BACKUP_MAGIC_LEN, 4));
    uint32_t format = reader_u32(&in);
    if (format != BACKUP_FORMAT)
        return rc_fail(RC_VERSION, "a backup of format %" PRIu32 ", this release reads %u", format,
                       BACKUP_FORMAT);
    in = reader_of(bytes_slice(all, 0, all.len - BACKUP_HASH_LEN - BACKUP_MAC_LEN));
    backup_facts_decode(&in, &file->facts);
    file->bound = bytes_slice(all, 0, (size_t)(in.rest.ptr - all.ptr));
    file->envelope = reader_bytes(&in);
    file->master = reader_bytes(&in);
    if (!reader_done(&in) || file->master.len != BACKUP_MASTER_LEN)
        return rc_fail(RC_TAMPERED, "the backup's header is malformed");
    return RC_OK;
}

static enum rc check_length(const struct backup_file *file)
{
    uint64_t chunks = backup_chunk_count(file->facts.snapshot_len);
    uint64_t len = 0;
    bool over = __builtin_mul_overflow(chunks, BACKUP_CHUNK_EXTRA, &len) ||
                __builtin_add_overflow(len, file->facts.snapshot_len, &len) ||
                __builtin_add_overflow(len, file->header.len + BACKUP_TRAILER_LEN, &len);
    if (over || file->input.len < len)
        return rc_fail(RC_TAMPERED,
                       "the backup is cut short: it has %" PRIu64 " bytes and should have %" PRIu64,
                       file->input.len, len);
    if (file->input.len > len)
        return rc_fail(RC_TAMPERED, "the backup has %" PRIu64 " bytes after its end",
                       file->input.len - len);
    return RC_OK;
}

enum rc backup_file_open(const struct backup_input *input, struct backup_file *out)
{
    AUTO_BACKUP_FILE file = {.input = *input, .header = BUF_INIT, .key = SECRET_INIT};
    TRY(read_header(input, &file.header));
    TRY(check_header_hash(&file));
    TRY(parse_header(&file));
    TRY(check_length(&file));
    *out = file;
    file = (struct backup_file){.header = BUF_INIT, .key = SECRET_INIT};
    return RC_OK;
}

void backup_file_clear(struct backup_file *file)
{
    buf_clear(&file->header);
    secret_clear(&file->key);
}

/* ---- parts: chunks, and the trailer behind them */

struct part {
    enum backup_part part;
    uint64_t number;
    uint64_t offset;
    size_t head_len, sealed_len; /* what is in the clear before it; with the tag */
};

static struct part part_at(const struct backup_file *file, uint64_t number)
{
    uint64_t chunks = backup_chunk_count(file->facts.snapshot_len);
    struct part part = {.part = BACKUP_CHUNK, .number = number};
    if (number == chunks) {
        part = (struct part){.part = BACKUP_TRAILER,
                             .head_len = BACKUP_TRAILER_LEN - GCM_TAG_LEN - BACKUP_MAC_LEN};
        part.offset = file->input.len - BACKUP_TRAILER_LEN;
        part.sealed_len = GCM_TAG_LEN;
        return part;
    }
    part.offset = file->header.len + number * (BACKUP_CHUNK_LEN + BACKUP_CHUNK_EXTRA);
    part.sealed_len = backup_chunk_len(file->facts.snapshot_len, number) + GCM_TAG_LEN;
    return part;
}

static enum rc damaged(const struct backup_file *file, const struct part *part)
{
    uint64_t last = part->offset + part->head_len + part->sealed_len + BACKUP_MAC_LEN - 1;
    if (part->part == BACKUP_TRAILER)
        return rc_fail(RC_TAMPERED, "the backup is damaged in its trailer, from byte %" PRIu64,
                       part->offset);
    return rc_fail(
        RC_TAMPERED,
        "the backup is damaged in chunk %" PRIu64 " of %" PRIu64 ", bytes %" PRIu64 " to %" PRIu64,
        part->number + 1, backup_chunk_count(file->facts.snapshot_len), part->offset, last);
}

static enum rc read_part(const struct backup_file *file, const struct part *part, struct buf *out)
{
    TRY(buf_resize(out, part->head_len + part->sealed_len + BACKUP_MAC_LEN));
    return file->input.read(file->input.context, part->offset, out->ptr, out->len);
}

static enum rc place_of(const struct backup_file *file, const struct part *part, struct buf *out)
{
    return backup_place(file->header_hash, part->part, part->number,
                        backup_chunk_count(file->facts.snapshot_len), out);
}

static enum rc report(const struct backup_file *file, const struct backup_progress *progress,
                      uint64_t number)
{
    uint64_t total = file->facts.snapshot_len;
    uint64_t done = number * BACKUP_CHUNK_LEN;
    if (progress == NULL || progress->report(progress->context, done < total ? done : total, total))
        return RC_OK;
    return rc_fail(RC_CANCELLED, "the work on the backup was ended");
}

/* ---- checking by a member */

static void uuid_text(const uint8_t id[16], char out[UUID_TEXT_LEN])
{
    static const char digits[] = "0123456789abcdef";
    char *at = out;
    for (unsigned i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *at++ = '-';
        *at++ = digits[id[i] >> 4];
        *at++ = digits[id[i] & 15];
    }
    *at = 0;
}

static enum rc check_header_mac(const struct backup_file *file, const struct seal_keys *keys)
{
    struct bytes all = buf_bytes(&file->header);
    uint8_t mac[BACKUP_MAC_LEN];
    TRY(backup_part_mac(keys, BYTES_NONE, bytes_slice(all, 0, all.len - BACKUP_MAC_LEN), mac));
    if (!bytes_equal(bytes_slice(all, all.len - BACKUP_MAC_LEN, BACKUP_MAC_LEN),
                     bytes_of(mac, sizeof mac)))
        return rc_fail(RC_TAMPERED, "the header's MAC does not hold: it was not made by an HSM of "
                                    "this cluster, or was changed");
    return RC_OK;
}

static enum rc check_part(const struct backup_file *file, const struct part *part,
                          const struct seal_keys *keys, struct buf *memory)
{
    AUTO_BUF place = BUF_INIT;
    uint8_t mac[BACKUP_MAC_LEN];
    TRY(read_part(file, part, memory));
    TRY(place_of(file, part, &place));
    struct bytes all = buf_bytes(memory);
    size_t len = all.len - BACKUP_MAC_LEN;
    TRY(backup_part_mac(keys, buf_bytes(&place), bytes_slice(all, 0, len), mac));
    if (!bytes_equal(bytes_slice(all, len, BACKUP_MAC_LEN), bytes_of(mac, sizeof mac)))
        return damaged(file, part);
    return RC_OK;
}

enum rc backup_file_check(const struct backup_file *file, const uint8_t cluster[16],
                          const struct seal_keys *keys, const struct backup_progress *progress)
{
    if (!bytes_equal(bytes_of(file->facts.cluster, 16), bytes_of(cluster, 16))) {
        char names[2][UUID_TEXT_LEN];
        uuid_text(file->facts.cluster, names[0]);
        uuid_text(cluster, names[1]);
        return rc_fail(RC_FOREIGN, "a backup of cluster %s, this is %s", names[0], names[1]);
    }
    TRY(check_header_mac(file, keys));
    AUTO_BUF memory = BUF_INIT;
    uint64_t chunks = backup_chunk_count(file->facts.snapshot_len);
    for (uint64_t i = 0; i <= chunks; i++) {
        struct part part = part_at(file, i);
        TRY(check_part(file, &part, keys, &memory));
        TRY(report(file, progress, i));
    }
    return RC_OK;
}

/* ---- opening by the backup key */

static enum rc open_master(const struct backup_file *file, struct secret *out)
{
    AUTO_SECRET plain = SECRET_INIT;
    EVP_CIPHER_CTX *cipher = NULL;
    uint8_t nonce[GCM_NONCE_LEN];
    backup_nonce(BACKUP_MASTER, 0, nonce);
    TRY(secret_alloc(&plain, MASTER_KEY_LEN));
    TRY(seal_gcm_new(secret_expose(&file->key), false, &cipher));
    enum rc rc = seal_gcm_decrypt(cipher, nonce, file->bound, file->master, plain.ptr);
    EVP_CIPHER_CTX_free(cipher);
    if (rc == RC_TAMPERED)
        return rc_fail(rc, "the master key in the backup's header was changed");
    TRY(rc);
    secret_clear(out);
    *out = secret_take(&plain);
    return RC_OK;
}

enum rc backup_file_unlock(struct backup_file *file, const struct secret *scalar,
                           struct secret *out_master)
{
    AUTO_BUF context = BUF_INIT;
    uint8_t point[ENVELOPE_POINT_LEN];
    TRY(envelope_point(scalar, point));
    if (!bytes_equal(bytes_of(point, sizeof point), bytes_of(file->facts.point, sizeof point)))
        return rc_fail(RC_BAD_ARGUMENT,
                       "the shares are of another cluster's backup key, or of an older one: this "
                       "backup needs %u of %u others",
                       file->facts.threshold, file->facts.shares);
    TRY(backup_envelope_context(file->bound, &context));
    AUTO_SECRET key = SECRET_INIT;
    TRY(envelope_open(scalar, buf_bytes(&context), file->envelope, &key));
    if (key.len != BACKUP_KEY_LEN)
        return rc_fail(RC_TAMPERED, "the backup's content key has %zu bytes", key.len);
    secret_clear(&file->key);
    file->key = secret_take(&key);
    return open_master(file, out_master);
}

static enum rc open_part(const struct backup_file *file, const struct part *part,
                         EVP_CIPHER_CTX *cipher, struct buf *memory, struct buf *out)
{
    AUTO_BUF place = BUF_INIT;
    uint8_t nonce[GCM_NONCE_LEN];
    TRY(read_part(file, part, memory));
    TRY(place_of(file, part, &place));
    backup_nonce(part->part, part->number, nonce);
    struct bytes sealed = bytes_slice(buf_bytes(memory), part->head_len, part->sealed_len);
    size_t start = out->len;
    TRY(buf_reserve(out, sealed.len));
    enum rc rc = seal_gcm_decrypt(cipher, nonce, buf_bytes(&place), sealed, out->ptr + start);
    if (rc == RC_TAMPERED)
        return damaged(file, part);
    TRY(rc);
    out->len = start + sealed.len - GCM_TAG_LEN;
    return RC_OK;
}

static enum rc open_parts(const struct backup_file *file, EVP_CIPHER_CTX *cipher, struct buf *out,
                          const struct backup_progress *progress)
{
    AUTO_BUF memory = BUF_INIT;
    uint64_t chunks = backup_chunk_count(file->facts.snapshot_len);
    TRY(buf_reserve(out, file->facts.snapshot_len + GCM_TAG_LEN));
    for (uint64_t i = 0; i <= chunks; i++) {
        struct part part = part_at(file, i);
        TRY(open_part(file, &part, cipher, &memory, out));
        TRY(report(file, progress, i));
    }
    return RC_OK;
}

enum rc backup_file_read(const struct backup_file *file, struct buf *out,
                         const struct backup_progress *progress)
{
    EVP_CIPHER_CTX *cipher = NULL;
    if (file->key.len == 0)
        return rc_fail(RC_SEALED, "the backup has not been opened with its shares");
    TRY(seal_gcm_new(secret_expose(&file->key), false, &cipher));
    enum rc rc = open_parts(file, cipher, out, progress);
    EVP_CIPHER_CTX_free(cipher);
    return rc;
}

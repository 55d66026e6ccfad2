/* SPDX-License-Identifier: Apache-2.0 */
/* Writing a backup: header, chunks one at a time, trailer. */
#include <string.h>

#include "token/backup_format.h"

struct writer {
    const struct backup_plan *plan;
    const struct backup_output *output;
    EVP_CIPHER_CTX *cipher;
    uint8_t header_hash[BACKUP_HASH_LEN];
    uint64_t chunk, chunks;
    struct buf plain, sealed; /* a chunk that is being filled; what is written */
};

static enum rc emit(const struct writer *writer, struct bytes data)
{
    return writer->output->write(writer->output->context, data);
}

/* ---- header */

/* Its own length, now that it is known. */
static void set_length(struct buf *header, size_t len)
{
    for (unsigned i = 0; i < 4; i++)
        header->ptr[BACKUP_LENGTH_AT + i] = (uint8_t)(len >> (8 * i));
}

static enum rc close_key(const struct backup_plan *plan, const struct secret *key,
                         struct bytes facts, struct buf *out)
{
    AUTO_BUF context = BUF_INIT;
    TRY(backup_envelope_context(facts, &context));
    return envelope_close(plan->facts.point, buf_bytes(&context), key, out);
}

static enum rc seal_master(const struct writer *writer, struct bytes facts, struct buf *out)
{
    uint8_t nonce[GCM_NONCE_LEN];
    uint8_t sealed[BACKUP_MASTER_LEN];
    const struct secret *master = writer->plan->master;
    if (master->len != MASTER_KEY_LEN)
        return rc_fail(RC_BAD_ARGUMENT, "master key of %zu bytes", master->len);
    backup_nonce(BACKUP_MASTER, 0, nonce);
    TRY(seal_gcm_encrypt(writer->cipher, nonce, facts, secret_expose(master), sealed));
    return buf_put_bytes(out, bytes_of(sealed, sizeof sealed));
}

/* Facts, envelope, master key, hash, MAC. */
static enum rc put_header(struct writer *writer, const struct secret *key)
{
    const struct backup_plan *plan = writer->plan;
    AUTO_BUF header = BUF_INIT;
    AUTO_BUF envelope = BUF_INIT;
    uint8_t mac[BACKUP_MAC_LEN];
    TRY(backup_facts_encode(&plan->facts, &header));
    size_t facts_len = header.len;
    set_length(&header, facts_len + 4 + ENVELOPE_OVERHEAD + BACKUP_KEY_LEN + 4 + BACKUP_MASTER_LEN +
                            BACKUP_HASH_LEN + BACKUP_MAC_LEN);
    TRY(close_key(plan, key, buf_bytes(&header), &envelope));
    TRY(buf_put_bytes(&header, buf_bytes(&envelope)));
    TRY(seal_master(writer, bytes_slice(buf_bytes(&header), 0, facts_len), &header));
    TRY(backup_hash(buf_bytes(&header), writer->header_hash));
    TRY(buf_append(&header, bytes_of(writer->header_hash, BACKUP_HASH_LEN)));
    TRY(backup_part_mac(plan->keys, BYTES_NONE, buf_bytes(&header), mac));
    TRY(buf_append(&header, bytes_of(mac, sizeof mac)));
    return emit(writer, buf_bytes(&header));
}

/* ---- chunks and trailer */

static enum rc put_part(struct writer *writer, enum backup_part part, uint64_t number)
{
    AUTO_BUF place = BUF_INIT;
    uint8_t nonce[GCM_NONCE_LEN];
    uint8_t mac[BACKUP_MAC_LEN];
    size_t start = writer->sealed.len;
    struct bytes plain = buf_bytes(&writer->plain);
    TRY(backup_place(writer->header_hash, part, number, writer->chunks, &place));
    backup_nonce(part, number, nonce);
    TRY(buf_resize(&writer->sealed, start + plain.len + GCM_TAG_LEN));
    TRY(seal_gcm_encrypt(writer->cipher, nonce, buf_bytes(&place), plain,
                         writer->sealed.ptr + start));
    TRY(backup_part_mac(writer->plan->keys, buf_bytes(&place), buf_bytes(&writer->sealed), mac));
    TRY(buf_append(&writer->sealed, bytes_of(mac, sizeof mac)));
    TRY(emit(writer, buf_bytes(&writer->sealed)));
    TRY(buf_resize(&writer->sealed, 0));
    return buf_resize(&writer->plain, 0);
}

static enum rc put_chunk(struct writer *writer, const struct backup_progress *progress)
{
    TRY(put_part(writer, BACKUP_CHUNK, writer->chunk++));
    uint64_t total = writer->plan->facts.snapshot_len;
    uint64_t done = writer->chunk < writer->chunks ? writer->chunk * BACKUP_CHUNK_LEN : total;
    if (progress == NULL || progress->report(progress->context, done, total))
        return RC_OK;
    return rc_fail(RC_CANCELLED, "the backup was ended");
}

static enum rc put_parts(struct writer *writer, const struct iovec *parts, size_t count,
                         const struct backup_progress *progress)
{
    for (size_t i = 0; i < count; i++) {
        struct bytes rest = bytes_of(parts[i].iov_base, parts[i].iov_len);
        while (rest.len > 0) {
            struct bytes some = bytes_slice(rest, 0, BACKUP_CHUNK_LEN - writer->plain.len);
            TRY(buf_append(&writer->plain, some));
            rest = bytes_slice(rest, some.len, rest.len);
            if (writer->plain.len == BACKUP_CHUNK_LEN)
                TRY(put_chunk(writer, progress));
        }
    }
    return writer->plain.len > 0 ? put_chunk(writer, progress) : RC_OK;
}

static enum rc put_trailer(struct writer *writer)
{
    TRY(buf_append(&writer->sealed, bytes_of_str(BACKUP_MAGIC_END)));
    TRY(buf_put_u64(&writer->sealed, writer->chunks));
    TRY(buf_put_u64(&writer->sealed, writer->plan->facts.snapshot_len));
    return put_part(writer, BACKUP_TRAILER, 0);
}

static enum rc write_all(struct writer *writer, const struct iovec *parts, size_t count,
                         const struct backup_progress *progress)
{
    AUTO_SECRET key = SECRET_INIT;
    TRY(secret_alloc(&key, BACKUP_KEY_LEN));
    TRY(random_bytes(key.ptr, key.len));
    TRY(buf_reserve(&writer->plain, BACKUP_CHUNK_LEN));
    TRY(buf_reserve(&writer->sealed, BACKUP_CHUNK_LEN + BACKUP_CHUNK_EXTRA));
    TRY(seal_gcm_new(secret_expose(&key), true, &writer->cipher));
    TRY(put_header(writer, &key));
    TRY(put_parts(writer, parts, count, progress));
    return put_trailer(writer);
}

enum rc backup_file_write(struct backup_plan *plan, const struct iovec *parts, size_t count,
                          const struct backup_output *output,
                          const struct backup_progress *progress)
{
    struct writer writer = {.plan = plan, .output = output, .plain = BUF_INIT, .sealed = BUF_INIT};
    plan->facts.snapshot_len = 0;
    for (size_t i = 0; i < count; i++)
        plan->facts.snapshot_len += parts[i].iov_len;
    TRY(random_bytes(plan->facts.id, sizeof plan->facts.id));
    writer.chunks = backup_chunk_count(plan->facts.snapshot_len);
    enum rc rc = write_all(&writer, parts, count, progress);
    EVP_CIPHER_CTX_free(writer.cipher);
    buf_clear(&writer.plain);
    buf_clear(&writer.sealed);
    return rc;
}

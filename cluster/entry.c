/* SPDX-License-Identifier: Apache-2.0 */
/* Log entries: {format, cluster, index, term, count} in the clear as the seal's associated data,
 * then the effects under SEAL_LOG, then zeros up to a multiple of 8 (the engine's rule). */
#include "cluster/entry.h"

#include <inttypes.h>

#define ENTRY_FORMAT 0x31454851U /* "QHE1" */
#define ENTRY_ALIGN  8U

static enum rc put_header(struct buf *out, const struct entry_place *place, size_t count)
{
    TRY(buf_put_u32(out, ENTRY_FORMAT));
    TRY(buf_append(out, bytes_of(place->cluster, sizeof place->cluster)));
    TRY(buf_put_u64(out, place->index));
    TRY(buf_put_u64(out, place->term));
    return buf_put_u32(out, (uint32_t)count);
}

static enum rc gather(const struct bytes *effects, size_t count, struct secret *plain)
{
    for (size_t i = 0; i < count; i++)
        TRY(secret_put_bytes(plain, effects[i]));
    return RC_OK;
}

static enum rc put_sealed(const struct seal_keys *keys, const struct entry_place *place,
                          size_t count, const struct secret *plain, struct buf *out)
{
    size_t start = out->len;
    TRY(put_header(out, place, count));
    AUTO_BUF sealed = BUF_INIT;
    TRY(seal(keys, SEAL_LOG, bytes_slice(buf_bytes(out), start, ENTRY_HEADER_LEN),
             secret_expose(plain), &sealed));
    TRY(buf_put_bytes(out, buf_bytes(&sealed)));
    size_t len = (out->len - start + ENTRY_ALIGN - 1) / ENTRY_ALIGN * ENTRY_ALIGN;
    if (len > ENTRY_LEN_MAX)
        return rc_fail(RC_TOO_LARGE, "a log entry of %zu bytes, limit %zu", len, ENTRY_LEN_MAX);
    return buf_resize(out, start + len);
}

enum rc entry_encode(const struct seal_keys *keys, const struct entry_place *place,
                     const struct bytes *effects, size_t count, struct buf *out)
{
    if (count == 0 || count > ENTRY_EFFECTS_MAX)
        return rc_fail(RC_INTERNAL, "an entry of %zu effects", count);
    AUTO_SECRET plain = SECRET_INIT;
    TRY(gather(effects, count, &plain));
    return put_sealed(keys, place, count, &plain, out);
}

enum rc entry_encode_audit(const struct seal_keys *keys, const struct entry_place *place,
                           const struct entry_audit *audit, struct buf *out)
{
    AUTO_BUF body = BUF_INIT;
    TRY(buf_put_u64(&body, audit->at));
    TRY(buf_put_u64(&body, audit->applied));
    TRY(buf_append(&body, bytes_of(audit->hash, sizeof audit->hash)));
    struct bytes parts[] = {buf_bytes(&body)};
    AUTO_SECRET plain = SECRET_INIT;
    TRY(gather(parts, 1, &plain));
    return put_sealed(keys, place, 0, &plain, out);
}

static enum rc check_header(struct reader *in, struct entry_place *place, uint32_t *out_count)
{
    uint8_t cluster[16];
    uint32_t format = reader_u32(in);
    reader_copy(in, cluster, sizeof cluster);
    uint64_t index = reader_u64(in);
    place->term = reader_u64(in);
    *out_count = reader_u32(in);
    if (!reader_ok(in) || format != ENTRY_FORMAT)
        return rc_fail(RC_TAMPERED, "entry %" PRIu64 " has no known format", place->index);
    if (!bytes_equal(bytes_of(cluster, sizeof cluster), bytes_of(place->cluster, sizeof cluster)))
        return rc_fail(RC_TAMPERED, "entry %" PRIu64 " is of another cluster", place->index);
    if (index != place->index)
        return rc_fail(RC_TAMPERED, "entry stamped with index %" PRIu64 " comes at %" PRIu64, index,
                       place->index);
    return RC_OK;
}

bool entry_is_foreign(struct bytes head, const uint8_t cluster[16])
{
    uint8_t theirs[16];
    struct reader in = reader_of(head);
    uint32_t format = reader_u32(&in);
    reader_copy(&in, theirs, sizeof theirs);
    return reader_ok(&in) && format == ENTRY_FORMAT &&
           !bytes_equal(bytes_of(theirs, sizeof theirs), bytes_of(cluster, sizeof theirs));
}

enum rc entry_peek(struct bytes head, const uint8_t cluster[16], uint64_t index)
{
    struct entry_place place = {.index = index};
    memcpy(place.cluster, cluster, sizeof place.cluster);
    struct reader in = reader_of(bytes_slice(head, 0, ENTRY_HEADER_LEN));
    uint32_t count = 0;
    return check_header(&in, &place, &count);
}

static enum rc open_sealed(const struct seal_keys *keys, struct entry_place *place,
                           struct bytes entry, struct secret *plain, uint32_t *out_count)
{
    struct reader in = reader_of(entry);
    TRY(check_header(&in, place, out_count));
    struct bytes sealed = reader_bytes(&in);
    if (!reader_ok(&in) || *out_count > ENTRY_EFFECTS_MAX || in.rest.len >= ENTRY_ALIGN)
        return rc_fail(RC_TAMPERED, "entry %" PRIu64 " is malformed", place->index);
    if (unseal(keys, SEAL_LOG, bytes_slice(entry, 0, ENTRY_HEADER_LEN), sealed, plain) != RC_OK)
        return rc_fail(RC_TAMPERED, "the seal of entry %" PRIu64 " does not hold", place->index);
    return RC_OK;
}

enum rc entry_open(const struct seal_keys *keys, struct entry_place *place, struct bytes entry,
                   struct secret *plain, struct bytes effects[ENTRY_EFFECTS_MAX], size_t *out_count)
{
    uint32_t count = 0;
    TRY(open_sealed(keys, place, entry, plain, &count));
    struct reader body = reader_of(secret_expose(plain));
    for (uint32_t i = 0; i < count; i++)
        effects[i] = reader_bytes(&body);
    if (!reader_done(&body) || count == 0)
        return rc_fail(RC_TAMPERED, "entry %" PRIu64 " holds other than its effects", place->index);
    *out_count = count;
    return RC_OK;
}

bool entry_is_audit(struct bytes entry)
{
    struct reader in = reader_of(bytes_slice(entry, ENTRY_HEADER_LEN - 4, 4));
    return reader_u32(&in) == 0 && reader_ok(&in);
}

enum rc entry_open_audit(const struct seal_keys *keys, struct entry_place *place,
                         struct bytes entry, struct entry_audit *out)
{
    uint32_t count = 0;
    AUTO_SECRET plain = SECRET_INIT;
    TRY(open_sealed(keys, place, entry, &plain, &count));
    struct reader body = reader_of(secret_expose(&plain));
    struct reader audit = reader_of(reader_bytes(&body));
    out->at = reader_u64(&audit);
    out->applied = reader_u64(&audit);
    reader_copy(&audit, out->hash, sizeof out->hash);
    if (!reader_done(&body) || !reader_done(&audit) || count != 0)
        return rc_fail(RC_TAMPERED, "entry %" PRIu64 " is a malformed audit", place->index);
    return RC_OK;
}

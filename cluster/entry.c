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

enum rc entry_encode(const struct seal_keys *keys, const struct entry_place *place,
                     const struct bytes *effects, size_t count, struct buf *out)
{
    if (count == 0 || count > ENTRY_EFFECTS_MAX)
        return rc_fail(RC_INTERNAL, "an entry of %zu effects", count);
    size_t start = out->len;
    TRY(put_header(out, place, count));
    AUTO_SECRET plain = SECRET_INIT;
    TRY(gather(effects, count, &plain));
    AUTO_BUF sealed = BUF_INIT;
    TRY(seal(keys, SEAL_LOG, bytes_slice(buf_bytes(out), start, ENTRY_HEADER_LEN),
             secret_expose(&plain), &sealed));
    TRY(buf_put_bytes(out, buf_bytes(&sealed)));
    size_t len = (out->len - start + ENTRY_ALIGN - 1) / ENTRY_ALIGN * ENTRY_ALIGN;
    if (len > ENTRY_LEN_MAX)
        return rc_fail(RC_TOO_LARGE, "a log entry of %zu bytes, limit %zu", len, ENTRY_LEN_MAX);
    return buf_resize(out, start + len);
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

enum rc entry_peek(struct bytes head, const uint8_t cluster[16], uint64_t index)
{
    struct entry_place place = {.index = index};
    memcpy(place.cluster, cluster, sizeof place.cluster);
    struct reader in = reader_of(bytes_slice(head, 0, ENTRY_HEADER_LEN));
    uint32_t count = 0;
    return check_header(&in, &place, &count);
}

enum rc entry_open(const struct seal_keys *keys, struct entry_place *place, struct bytes entry,
                   struct secret *plain, struct bytes effects[ENTRY_EFFECTS_MAX], size_t *out_count)
{
    struct reader in = reader_of(entry);
    uint32_t count = 0;
    TRY(check_header(&in, place, &count));
    struct bytes sealed = reader_bytes(&in);
    if (!reader_ok(&in) || count == 0 || count > ENTRY_EFFECTS_MAX || in.rest.len >= ENTRY_ALIGN)
        return rc_fail(RC_TAMPERED, "entry %" PRIu64 " is malformed", place->index);
    if (unseal(keys, SEAL_LOG, bytes_slice(entry, 0, ENTRY_HEADER_LEN), sealed, plain) != RC_OK)
        return rc_fail(RC_TAMPERED, "the seal of entry %" PRIu64 " does not hold", place->index);
    struct reader body = reader_of(secret_expose(plain));
    for (uint32_t i = 0; i < count; i++)
        effects[i] = reader_bytes(&body);
    if (!reader_done(&body))
        return rc_fail(RC_TAMPERED, "entry %" PRIu64 " holds other than its effects", place->index);
    *out_count = count;
    return RC_OK;
}

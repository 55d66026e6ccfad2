/* SPDX-License-Identifier: Apache-2.0 */
/* Head and MAC of a snapshot. */
#include "token/snapshot_format.h"

enum rc snapshot_head_encode(struct buf *out, const struct snapshot_head *head)
{
    const uint64_t numbers[] = {
        head->applied,      head->clock_ms, head->next_handle, head->next_user,
        head->next_request, head->tokens,   head->users,       head->requests,
        head->floors,       head->objects,  head->rows_len,
    };
    TRY(buf_append(out, bytes_of_str(SNAPSHOT_MAGIC)));
    TRY(buf_put_u64(out, SNAPSHOT_FORMAT));
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        TRY(buf_put_u64(out, numbers[i]));
    return RC_OK;
}

enum rc snapshot_head_decode(struct bytes input, struct snapshot_head *out)
{
    struct reader in = reader_of(input);
    if (!bytes_equal(reader_raw(&in, 8), bytes_of_str(SNAPSHOT_MAGIC)))
        return rc_fail(RC_TAMPERED, "this is not a snapshot of an HSM's state");
    uint64_t format = reader_u64(&in);
    if (reader_ok(&in) && format != SNAPSHOT_FORMAT)
        return rc_fail(RC_VERSION, "snapshot of format %llu, this release reads %u",
                       (unsigned long long)format, SNAPSHOT_FORMAT);
    uint64_t *const numbers[] = {
        &out->applied,      &out->clock_ms, &out->next_handle, &out->next_user,
        &out->next_request, &out->tokens,   &out->users,       &out->requests,
        &out->floors,       &out->objects,  &out->rows_len,
    };
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        *numbers[i] = reader_u64(&in);
    return reader_ok(&in) ? RC_OK : rc_fail(RC_TAMPERED, "the snapshot ends within its head");
}

enum rc snapshot_mac(const struct seal_keys *keys, struct bytes head, const uint8_t hash[32],
                     uint8_t out[32])
{
    const struct bytes parts[] = {bytes_of_str("snapshot"), head, bytes_of(hash, 32)};
    return seal_mac(keys, SEAL_STATE, parts, 3, out);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Head and MAC of a snapshot. */
#include "token/snapshot_format.h"

/* In the order of the head; the last is there in format 2 alone. */
static void list_numbers(struct snapshot_head *head, uint64_t *out[SNAPSHOT_NUMBERS + 1])
{
    uint64_t *const numbers[SNAPSHOT_NUMBERS + 1] = {
        &head->applied,      &head->clock_ms, &head->next_handle, &head->next_user,
        &head->next_request, &head->tokens,   &head->users,       &head->requests,
        &head->floors,       &head->objects,  &head->rows_len,    &head->documents,
    };
    memcpy(out, numbers, sizeof numbers);
}

static size_t number_count(uint64_t format)
{
    return format == SNAPSHOT_FORMAT_1 ? SNAPSHOT_NUMBERS : SNAPSHOT_NUMBERS + 1;
}

size_t snapshot_head_len(const struct snapshot_head *head)
{
    return head->documents == 0 ? SNAPSHOT_HEAD_LEN : SNAPSHOT_HEAD_LEN + sizeof(uint64_t);
}

enum rc snapshot_head_encode(struct buf *out, const struct snapshot_head *head)
{
    struct snapshot_head copy = *head;
    uint64_t *numbers[SNAPSHOT_NUMBERS + 1];
    uint64_t format = head->documents == 0 ? SNAPSHOT_FORMAT_1 : SNAPSHOT_FORMAT_2;
    list_numbers(&copy, numbers);
    TRY(buf_append(out, bytes_of_str(SNAPSHOT_MAGIC)));
    TRY(buf_put_u64(out, format));
    for (size_t i = 0; i < number_count(format); i++)
        TRY(buf_put_u64(out, *numbers[i]));
    return RC_OK;
}

enum rc snapshot_head_decode(struct bytes input, struct snapshot_head *out)
{
    struct reader in = reader_of(input);
    struct snapshot_head head = {.documents = 0};
    uint64_t *numbers[SNAPSHOT_NUMBERS + 1];
    if (!bytes_equal(reader_raw(&in, 8), bytes_of_str(SNAPSHOT_MAGIC)))
        return rc_fail(RC_TAMPERED, "this is not a snapshot of an HSM's state");
    uint64_t format = reader_u64(&in);
    if (reader_ok(&in) && (format < SNAPSHOT_FORMAT_1 || format > SNAPSHOT_FORMAT_2))
        return rc_fail(RC_VERSION, "snapshot of format %llu, this release reads %u to %u",
                       (unsigned long long)format, SNAPSHOT_FORMAT_1, SNAPSHOT_FORMAT_2);
    list_numbers(&head, numbers);
    for (size_t i = 0; i < number_count(format); i++)
        *numbers[i] = reader_u64(&in);
    if (!reader_ok(&in))
        return rc_fail(RC_TAMPERED, "the snapshot ends within its head");
    if (format != SNAPSHOT_FORMAT_1 && head.documents == 0)
        return rc_fail(RC_TAMPERED, "a snapshot of format 2 has documents");
    *out = head;
    return RC_OK;
}

enum rc snapshot_mac(const struct seal_keys *keys, struct bytes head, const uint8_t hash[32],
                     uint8_t out[32])
{
    const struct bytes parts[] = {bytes_of_str("snapshot"), head, bytes_of(hash, 32)};
    return seal_mac(keys, SEAL_STATE, parts, 3, out);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The effects of a restore as bytes: {id, u64 part}, then {u8 table, u32 count, rows} or the
 * numbers at the end. */
#include "token/documents.h"
#include "token/effect.h"
#include "token/object_record.h"
#include "token/rows.h"

static enum rc put_part(struct buf *out, const struct restore_part *part)
{
    TRY(buf_append(out, bytes_of(part->id, sizeof part->id)));
    return buf_put_u64(out, part->number);
}

enum rc effect_restore_rows(struct buf *out, const struct effect_head *head,
                            const struct restore_part *part, const struct restore_rows *rows)
{
    TRY(effect_head_encode(out, EFFECT_RESTORE_ROWS, head));
    TRY(put_part(out, part));
    TRY(buf_put_u8(out, (uint8_t)rows->table));
    TRY(buf_put_u32(out, rows->count));
    return buf_append(out, rows->rows);
}

enum rc effect_restore_end(struct buf *out, const struct effect_head *head,
                           const struct restore_part *part, const struct restore_end *end)
{
    const uint64_t numbers[] = {end->tokens,  end->users,       end->documents,
                                end->objects, end->next_handle, end->next_user};
    TRY(effect_head_encode(out, EFFECT_RESTORE_END, head));
    TRY(put_part(out, part));
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        TRY(buf_put_u64(out, numbers[i]));
    return RC_OK;
}

static bool token_is_sound(struct bytes row)
{
    struct reader in = reader_of(row);
    struct token_row token;
    return token_row_decode(&in, &token) && reader_done(&in);
}

static bool user_is_sound(struct bytes row)
{
    struct reader in = reader_of(row);
    struct user_row user;
    bool sound = user_row_decode(&in, &user) && reader_done(&in);
    secret_wipe(&user, sizeof user);
    return sound;
}

/* Of the origin the pepper alone: progress is the state's own. */
static bool document_is_sound(struct bytes row)
{
    struct document *document = NULL;
    if (document_from_row(row, &document) != RC_OK)
        return false;
    struct document_name name = document_name(document);
    bool sound =
        name.space != DOCUMENT_ORIGIN || bytes_equal(name.key, bytes_of_str(RESTORE_PEPPER_KEY));
    document_unref(document);
    return sound;
}

bool effect_restore_object(struct bytes row, uint64_t *out_handle, struct bytes *out_record)
{
    struct reader in = reader_of(row);
    struct object_record head;
    *out_handle = reader_u64(&in);
    *out_record = in.rest;
    return reader_ok(&in) && *out_handle != 0 && *out_handle < SESSION_HANDLE_BIT &&
           in.rest.len <= OBJECT_RECORD_MAX && object_record_check(in.rest, &head) == RC_OK;
}

static bool object_is_sound(struct bytes row)
{
    uint64_t handle;
    struct bytes record;
    return effect_restore_object(row, &handle, &record);
}

static bool (*const is_sound[RESTORE_TABLE_END])(struct bytes row) = {
    [RESTORE_TOKENS] = token_is_sound,
    [RESTORE_USERS] = user_is_sound,
    [RESTORE_DOCUMENTS] = document_is_sound,
    [RESTORE_OBJECTS] = object_is_sound,
};

static void decode_part(struct reader *in, struct effect *out)
{
    reader_copy(in, out->part.id, sizeof out->part.id);
    out->part.number = reader_u64(in);
}

enum rc effect_restore_rows_decode(struct reader *in, struct effect *out)
{
    if (in->rest.len > EFFECT_LEN_MAX)
        return RC_PROTOCOL;
    decode_part(in, out);
    uint8_t table = reader_u8(in);
    uint32_t count = reader_u32(in);
    if (table == 0 || table >= RESTORE_TABLE_END || count == 0 || count > RESTORE_ROWS_MAX)
        return RC_PROTOCOL;
    out->rows = (struct restore_rows){(enum restore_table)table, count, in->rest};
    for (uint32_t i = 0; i < count; i++) {
        struct bytes row = reader_bytes(in);
        if (!reader_ok(in) || !is_sound[table](row))
            return RC_PROTOCOL;
    }
    return RC_OK;
}

enum rc effect_restore_end_decode(struct reader *in, struct effect *out)
{
    decode_part(in, out);
    uint64_t *const numbers[] = {&out->end.tokens,  &out->end.users,       &out->end.documents,
                                 &out->end.objects, &out->end.next_handle, &out->end.next_user};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        *numbers[i] = reader_u64(in);
    return RC_OK;
}

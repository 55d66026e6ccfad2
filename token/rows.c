/* SPDX-License-Identifier: Apache-2.0 */
/* Encoding of token and user rows, each with its format version. */
#include "token/rows.h"

#define TOKEN_ROW_FORMAT 1U
#define USER_ROW_FORMAT  1U

static enum rc put_text(struct buf *out, const char *text, size_t cap, const char *what)
{
    size_t len = strnlen(text, cap);
    if (len == cap)
        return rc_fail(RC_BAD_ARGUMENT, "%s longer than %zu bytes", what, cap - 1);
    return buf_put_bytes(out, bytes_of(text, len));
}

void reader_text(struct reader *in, char *out, size_t cap)
{
    struct bytes text = reader_bytes(in);
    if (text.len >= cap || (text.len > 0 && memchr(text.ptr, 0, text.len) != NULL)) {
        in->failed = true;
        return;
    }
    if (text.len > 0)
        memcpy(out, text.ptr, text.len);
    out[text.len] = 0;
}

static bool reader_flag(struct reader *in)
{
    uint8_t value = reader_u8(in);
    if (value > 1)
        in->failed = true;
    return value == 1;
}

enum rc token_row_encode(struct buf *out, const struct token_row *row)
{
    TRY(buf_put_u8(out, TOKEN_ROW_FORMAT));
    TRY(buf_put_u64(out, row->number));
    TRY(put_text(out, row->label, sizeof row->label, "token label"));
    TRY(put_text(out, row->serial, sizeof row->serial, "token serial"));
    TRY(buf_put_u64(out, row->epoch));
    return policy_encode(out, &row->policy);
}

bool token_row_decode(struct reader *in, struct token_row *out)
{
    struct token_row row = {.number = 0};
    if (reader_u8(in) != TOKEN_ROW_FORMAT)
        in->failed = true;
    row.number = reader_u64(in);
    reader_text(in, row.label, sizeof row.label);
    reader_text(in, row.serial, sizeof row.serial);
    row.epoch = reader_u64(in);
    if (!policy_decode(in, &row.policy))
        return false;
    *out = row;
    return true;
}

enum rc user_row_encode(struct buf *out, const struct user_row *row)
{
    TRY(buf_put_u8(out, USER_ROW_FORMAT));
    TRY(buf_put_u64(out, row->id));
    TRY(buf_put_u64(out, row->token));
    TRY(buf_put_u8(out, (uint8_t)row->role));
    TRY(put_text(out, row->name, sizeof row->name, "user name"));
    TRY(buf_put_u64(out, row->version));
    TRY(buf_put_u8(out, row->disabled ? 1 : 0));
    TRY(buf_put_u8(out, row->has_pin ? 1 : 0));
    TRY(buf_put_u32(out, row->tries));
    TRY(buf_put_u32(out, row->iterations));
    TRY(buf_append(out, bytes_of(row->salt, sizeof row->salt)));
    return buf_append(out, bytes_of(row->verifier, sizeof row->verifier));
}

bool user_row_decode(struct reader *in, struct user_row *out)
{
    struct user_row row = {.id = 0};
    if (reader_u8(in) != USER_ROW_FORMAT)
        in->failed = true;
    row.id = reader_u64(in);
    row.token = reader_u64(in);
    row.role = (enum user_role)reader_u8(in);
    reader_text(in, row.name, sizeof row.name);
    row.version = reader_u64(in);
    row.disabled = reader_flag(in);
    row.has_pin = reader_flag(in);
    row.tries = reader_u32(in);
    row.iterations = reader_u32(in);
    reader_copy(in, row.salt, sizeof row.salt);
    reader_copy(in, row.verifier, sizeof row.verifier);
    if ((row.role != ROLE_SO && row.role != ROLE_USER) || row.name[0] == 0)
        in->failed = true;
    if (!reader_ok(in))
        return false;
    *out = row;
    return true;
}

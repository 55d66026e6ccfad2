/* SPDX-License-Identifier: Apache-2.0 */
/* Effects as bytes: {u8 format, u8 kind, application, u64 sequence, u64 time_ms, body}. */
#include "token/effect.h"

#include "token/rows.h"

#define EFFECT_FORMAT 1U

enum rc effect_head_encode(struct buf *out, enum effect_kind kind, const struct effect_head *head)
{
    TRY(buf_put_u8(out, EFFECT_FORMAT));
    TRY(buf_put_u8(out, (uint8_t)kind));
    TRY(buf_append(out, bytes_of(head->application, sizeof head->application)));
    TRY(buf_put_u64(out, head->sequence));
    return buf_put_u64(out, head->time_ms);
}

static enum rc check_text(const char *text, size_t max, const char *what)
{
    size_t len = strnlen(text, max + 1);
    if (len > max)
        return rc_fail(RC_BAD_ARGUMENT, "%s longer than %zu bytes", what, max);
    return RC_OK;
}

enum rc effect_token_init(struct buf *out, const struct effect_head *head, uint64_t number,
                          const char *label, const char *serial, const struct user_row *so)
{
    if (so->role != ROLE_SO)
        return rc_fail(RC_BAD_ARGUMENT, "a token begins with its security officer");
    TRY(check_text(label, TOKEN_LABEL_MAX, "token label"));
    TRY(check_text(serial, 16, "token serial"));
    TRY(effect_head_encode(out, EFFECT_TOKEN_INIT, head));
    TRY(buf_put_u64(out, number));
    TRY(buf_put_str(out, label));
    TRY(buf_put_str(out, serial));
    return user_row_encode(out, so);
}

enum rc effect_user_put(struct buf *out, const struct effect_head *head,
                        const struct user_row *user, uint64_t expected_version)
{
    if (user->name[0] == 0)
        return rc_fail(RC_BAD_ARGUMENT, "the user's name is empty");
    TRY(effect_head_encode(out, EFFECT_USER_PUT, head));
    TRY(buf_put_u64(out, expected_version));
    return user_row_encode(out, user);
}

enum rc effect_user_delete(struct buf *out, const struct effect_head *head, uint64_t token,
                           const char *name)
{
    TRY(check_text(name, USER_NAME_MAX, "user name"));
    TRY(effect_head_encode(out, EFFECT_USER_DELETE, head));
    TRY(buf_put_u64(out, token));
    return buf_put_str(out, name);
}

enum rc effect_user_tried(struct buf *out, const struct effect_head *head, uint64_t user_id,
                          uint64_t expected_version, bool right)
{
    TRY(effect_head_encode(out, EFFECT_USER_TRIED, head));
    TRY(buf_put_u64(out, user_id));
    TRY(buf_put_u64(out, expected_version));
    return buf_put_u8(out, right ? 1 : 0);
}

enum rc effect_policy_put(struct buf *out, const struct effect_head *head, uint64_t token,
                          uint64_t expected_epoch, const struct policy *policy)
{
    TRY(effect_head_encode(out, EFFECT_POLICY_PUT, head));
    TRY(buf_put_u64(out, token));
    TRY(buf_put_u64(out, expected_epoch));
    return policy_encode(out, policy);
}

enum rc effect_objects_add(struct buf *out, const struct effect_head *head, uint64_t token,
                           const struct bytes *records, size_t count)
{
    if (count == 0 || count > EFFECT_HANDLES_MAX)
        return rc_fail(RC_BAD_ARGUMENT, "%zu objects in one effect, at most %u", count,
                       EFFECT_HANDLES_MAX);
    TRY(effect_head_encode(out, EFFECT_OBJECTS_ADD, head));
    TRY(buf_put_u64(out, token));
    TRY(buf_put_u8(out, (uint8_t)count));
    for (size_t i = 0; i < count; i++)
        TRY(buf_put_bytes(out, records[i]));
    return RC_OK;
}

enum rc effect_object_replace(struct buf *out, const struct effect_head *head, uint64_t handle,
                              struct bytes record)
{
    TRY(effect_head_encode(out, EFFECT_OBJECT_REPLACE, head));
    TRY(buf_put_u64(out, handle));
    return buf_put_bytes(out, record);
}

enum rc effect_object_destroy(struct buf *out, const struct effect_head *head, uint64_t handle)
{
    TRY(effect_head_encode(out, EFFECT_OBJECT_DESTROY, head));
    return buf_put_u64(out, handle);
}

enum rc effect_pair_destroy(struct buf *out, const struct effect_head *head, uint64_t first,
                            uint64_t second)
{
    TRY(effect_head_encode(out, EFFECT_PAIR_DESTROY, head));
    TRY(buf_put_u64(out, first));
    return buf_put_u64(out, second);
}

static enum rc decode_token_init(struct reader *in, struct effect *out)
{
    out->token = reader_u64(in);
    reader_text(in, out->label, sizeof out->label);
    reader_text(in, out->serial, sizeof out->serial);
    bool good = user_row_decode(in, &out->user) && out->user.role == ROLE_SO && out->token != 0;
    return good ? RC_OK : RC_PROTOCOL;
}

static enum rc decode_user_put(struct reader *in, struct effect *out)
{
    out->expected_version = reader_u64(in);
    return user_row_decode(in, &out->user) ? RC_OK : RC_PROTOCOL;
}

static enum rc decode_user_delete(struct reader *in, struct effect *out)
{
    out->token = reader_u64(in);
    reader_text(in, out->name, sizeof out->name);
    return RC_OK;
}

static enum rc decode_user_tried(struct reader *in, struct effect *out)
{
    out->user_id = reader_u64(in);
    out->expected_version = reader_u64(in);
    uint8_t right = reader_u8(in);
    out->right = right == 1;
    return right <= 1 ? RC_OK : RC_PROTOCOL;
}

static enum rc decode_policy_put(struct reader *in, struct effect *out)
{
    out->token = reader_u64(in);
    out->expected_version = reader_u64(in);
    return policy_decode(in, &out->policy) ? RC_OK : RC_PROTOCOL;
}

static enum rc decode_object(struct reader *in, struct effect *out)
{
    struct bytes record = reader_bytes(in);
    if (!reader_ok(in) || record.len > OBJECT_RECORD_MAX)
        return RC_PROTOCOL;
    enum rc rc = object_from_record(0, record, &out->objects[out->object_count]);
    if (rc == RC_OK)
        out->object_count++;
    return rc == RC_TAMPERED ? RC_PROTOCOL : rc;
}

static enum rc decode_objects_add(struct reader *in, struct effect *out)
{
    out->token = reader_u64(in);
    uint8_t count = reader_u8(in);
    if (count == 0 || count > EFFECT_HANDLES_MAX)
        return RC_PROTOCOL;
    for (uint8_t i = 0; i < count; i++) {
        TRY(decode_object(in, out));
        if (out->objects[i]->token != out->token)
            return RC_PROTOCOL;
    }
    return RC_OK;
}

static enum rc decode_object_replace(struct reader *in, struct effect *out)
{
    out->handle = reader_u64(in);
    return decode_object(in, out);
}

static enum rc decode_object_destroy(struct reader *in, struct effect *out)
{
    out->handle = reader_u64(in);
    return RC_OK;
}

static enum rc decode_pair_destroy(struct reader *in, struct effect *out)
{
    out->handle = reader_u64(in);
    out->second_handle = reader_u64(in);
    return out->handle != out->second_handle ? RC_OK : RC_PROTOCOL;
}

static enum rc (*const bodies[EFFECT_KIND_END])(struct reader *in, struct effect *out) = {
    [EFFECT_TOKEN_INIT] = decode_token_init,
    [EFFECT_USER_PUT] = decode_user_put,
    [EFFECT_USER_DELETE] = decode_user_delete,
    [EFFECT_USER_TRIED] = decode_user_tried,
    [EFFECT_POLICY_PUT] = decode_policy_put,
    [EFFECT_OBJECTS_ADD] = decode_objects_add,
    [EFFECT_OBJECT_REPLACE] = decode_object_replace,
    [EFFECT_OBJECT_DESTROY] = decode_object_destroy,
    [EFFECT_DOCUMENTS_CHANGE] = effect_documents_decode,
    [EFFECT_RESTORE_ROWS] = effect_restore_rows_decode,
    [EFFECT_RESTORE_END] = effect_restore_end_decode,
    [EFFECT_PAIR_DESTROY] = decode_pair_destroy,
    [EFFECT_OWNED_CHANGE] = effect_owned_change_decode,
    [EFFECT_OWNED_RELEASE] = effect_owned_release_decode,
};

enum rc effect_decode(struct bytes input, struct effect *out)
{
    AUTO_EFFECT effect = {.token = 0};
    struct reader in = reader_of(input);
    uint8_t format = reader_u8(&in);
    uint8_t kind = reader_u8(&in);
    if (format != EFFECT_FORMAT || kind >= EFFECT_KIND_END || bodies[kind] == NULL)
        return rc_fail(RC_PROTOCOL, "effect of format %u and kind %u", format, kind);
    effect.kind = (enum effect_kind)kind;
    reader_copy(&in, effect.head.application, sizeof effect.head.application);
    effect.head.sequence = reader_u64(&in);
    effect.head.time_ms = reader_u64(&in);
    enum rc rc = bodies[kind](&in, &effect);
    if (rc == RC_OK && !reader_done(&in))
        rc = RC_PROTOCOL;
    if (rc != RC_OK)
        return rc_fail(rc, "malformed effect of kind %u", kind);
    *out = effect;
    effect.object_count = 0;
    return RC_OK;
}

void effect_clear(struct effect *effect)
{
    for (size_t i = 0; i < effect->object_count; i++)
        object_unref(effect->objects[i]);
    effect->object_count = 0;
    secret_wipe(&effect->user, sizeof effect->user);
}

enum rc effect_check(struct bytes effect)
{
    AUTO_EFFECT decoded = {.token = 0};
    return effect_decode(effect, &decoded);
}

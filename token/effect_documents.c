/* SPDX-License-Identifier: Apache-2.0 */
/* Changes of documents as bytes: {u8 count, count times {u8 space, key, u64 expected version, u8 is
 * removal, value}}, a front end's behind {u64 user}, and what it rests on, if anything, behind it:
 * bytes of {key, u64 version} each. */
#include "token/documents.h"
#include "token/effect.h"

static bool same(const struct document_change *a, const struct document_change *b)
{
    return a->space == b->space && bytes_equal(a->key, b->key);
}

/* One form a change: what is removed has been there and has no value. */
static bool is_sound(const struct document_change *changes, size_t at)
{
    const struct document_change *change = &changes[at];
    for (size_t i = 0; i < at; i++)
        if (same(&changes[i], change))
            return false;
    if (change->is_removal && (change->expected_version == 0 || change->value.len != 0))
        return false;
    return change->space != DOCUMENT_ORIGIN && change->space != DOCUMENT_OWNER &&
           change->expected_version != UINT64_MAX &&
           document_fits(change->space, change->key, change->value);
}

static enum rc put_change(struct buf *out, const struct document_change *change)
{
    TRY(buf_put_u8(out, (uint8_t)change->space));
    TRY(buf_put_bytes(out, change->key));
    TRY(buf_put_u64(out, change->expected_version));
    TRY(buf_put_u8(out, change->is_removal ? 1 : 0));
    return buf_put_bytes(out, change->value);
}

static enum rc put_changes(struct buf *out, const struct document_change *changes, size_t count)
{
    TRY(buf_put_u8(out, (uint8_t)count));
    for (size_t i = 0; i < count; i++) {
        if (!is_sound(changes, i))
            return rc_fail(RC_BAD_ARGUMENT, "document %zu of %zu: space %d, key of %zu bytes",
                           i + 1, count, (int)changes[i].space, changes[i].key.len);
        TRY(put_change(out, &changes[i]));
    }
    return RC_OK;
}

enum rc effect_documents_change(struct buf *out, const struct effect_head *head,
                                const struct document_change *changes, size_t count)
{
    AUTO_BUF effect = BUF_INIT_MAX(EFFECT_LEN_MAX);
    if (count == 0 || count > DOCUMENT_CHANGES_MAX)
        return rc_fail(RC_BAD_ARGUMENT, "%zu documents in one effect, at most %u", count,
                       DOCUMENT_CHANGES_MAX);
    TRY(effect_head_encode(&effect, EFFECT_DOCUMENTS_CHANGE, head));
    TRY(put_changes(&effect, changes, count));
    return buf_append(out, buf_bytes(&effect));
}

static bool are_of_kms(const struct document_change *changes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (changes[i].space != DOCUMENT_KMS)
            return false;
    return true;
}

static bool is_ground(const struct document_ground *ground)
{
    return ground->version != 0 && document_fits(DOCUMENT_KMS, ground->key, BYTES_NONE);
}

/* None is nothing at all. */
static enum rc put_grounds(struct buf *out, const struct document_ground *grounds, size_t count)
{
    AUTO_BUF list = BUF_INIT_MAX(EFFECT_LEN_MAX);
    if (count > DOCUMENT_GROUNDS_MAX)
        return rc_fail(RC_LIMIT, "a change rests on %zu documents, at most %u", count,
                       DOCUMENT_GROUNDS_MAX);
    for (size_t i = 0; i < count; i++) {
        if (!is_ground(&grounds[i]))
            return rc_fail(RC_BAD_ARGUMENT,
                           "no document can be what a change rests on: key of %zu "
                           "bytes",
                           grounds[i].key.len);
        TRY(buf_put_bytes(&list, grounds[i].key));
        TRY(buf_put_u64(&list, grounds[i].version));
    }
    return count == 0 ? RC_OK : buf_put_bytes(out, buf_bytes(&list));
}

enum rc effect_owned_change(struct buf *out, const struct effect_head *head,
                            const struct owned_change *change)
{
    AUTO_BUF effect = BUF_INIT_MAX(EFFECT_LEN_MAX);
    if (change->count > DOCUMENT_CHANGES_MAX || !are_of_kms(change->changes, change->count))
        return rc_fail(RC_BAD_ARGUMENT, "%zu documents in one effect, at most %u, of one space",
                       change->count, DOCUMENT_CHANGES_MAX);
    TRY(effect_head_encode(&effect, EFFECT_OWNED_CHANGE, head));
    TRY(buf_put_u64(&effect, change->user_id));
    TRY(put_changes(&effect, change->changes, change->count));
    TRY(put_grounds(&effect, change->grounds, change->ground_count));
    return buf_append(out, buf_bytes(&effect));
}

enum rc effect_owned_release(struct buf *out, const struct effect_head *head, bool erase)
{
    TRY(effect_head_encode(out, EFFECT_OWNED_RELEASE, head));
    return buf_put_u8(out, erase ? 1 : 0);
}

static enum rc decode_change(struct reader *in, struct effect *out)
{
    struct document_change *change = &out->documents[out->document_count];
    change->space = (enum document_space)reader_u8(in);
    change->key = reader_bytes(in);
    change->expected_version = reader_u64(in);
    uint8_t is_removal = reader_u8(in);
    change->is_removal = is_removal == 1;
    change->value = reader_bytes(in);
    if (!reader_ok(in) || is_removal > 1 || !is_sound(out->documents, out->document_count))
        return RC_PROTOCOL;
    out->document_count++;
    return RC_OK;
}

static enum rc decode_changes(struct reader *in, struct effect *out, uint8_t least)
{
    size_t len = in->rest.len;
    uint8_t count = reader_u8(in);
    if (count < least || count > DOCUMENT_CHANGES_MAX || len > EFFECT_LEN_MAX)
        return RC_PROTOCOL;
    for (uint8_t i = 0; i < count; i++)
        TRY(decode_change(in, out));
    return RC_OK;
}

enum rc effect_documents_decode(struct reader *in, struct effect *out)
{
    return decode_changes(in, out, 1);
}

bool effect_ground_next(struct reader *grounds, struct document_ground *out)
{
    if (grounds->rest.len == 0)
        return false;
    out->key = reader_bytes(grounds);
    out->version = reader_u64(grounds);
    return reader_ok(grounds) && is_ground(out);
}

static enum rc decode_grounds(struct reader *in, struct effect *out)
{
    struct document_ground ground;
    size_t count = 0;
    out->grounds = reader_bytes(in);
    struct reader grounds = reader_of(out->grounds);
    while (effect_ground_next(&grounds, &ground))
        count++;
    return reader_done(&grounds) && count > 0 && count <= DOCUMENT_GROUNDS_MAX ? RC_OK
                                                                               : RC_PROTOCOL;
}

enum rc effect_owned_change_decode(struct reader *in, struct effect *out)
{
    out->user_id = reader_u64(in);
    TRY(decode_changes(in, out, 0));
    if (in->rest.len > 0)
        TRY(decode_grounds(in, out));
    return are_of_kms(out->documents, out->document_count) ? RC_OK : RC_PROTOCOL;
}

enum rc effect_owned_release_decode(struct reader *in, struct effect *out)
{
    uint8_t erase = reader_u8(in);
    out->erase = erase == 1;
    return erase <= 1 ? RC_OK : RC_PROTOCOL;
}

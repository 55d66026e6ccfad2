/* SPDX-License-Identifier: Apache-2.0 */
/* The walk over a backup's state: table by table, as many rows an effect as it takes, the end. */
#include "token/restore.h"

#include <stdlib.h>

#include "token/effect.h"
#include "token/state_internal.h"

#define ROWS_LEN_MAX ((size_t)200 * 1024)

enum stage { STAGE_PEPPER, STAGE_TOKENS, STAGE_USERS, STAGE_DOCUMENTS, STAGE_OBJECTS, STAGE_END };

struct restore {
    const struct state *source;
    const struct seal_keys *target;
    struct documents documents; /* those of the wanted spaces */
    struct iovec *document_frames;
    struct iovec *object_frames;
    struct roster roster;
    struct restore_part part;
    enum stage stage;
    size_t at; /* row of the stage */
    uint64_t rows_done;
};

static const struct state_content *content_of(const struct restore *restore)
{
    return &restore->source->content;
}

static enum rc list_rows(struct restore *restore, unsigned spaces)
{
    TRY(documents_share(&content_of(restore)->documents, &restore->documents));
    for (unsigned space = 1; space < DOCUMENT_SPACE_END; space++)
        if (space == DOCUMENT_ORIGIN || (spaces & (1U << space)) == 0)
            documents_drop(&restore->documents, (enum document_space)space);
    TRY(roster_share(&content_of(restore)->roster, &restore->roster));
    restore->document_frames = calloc(restore->documents.count + 1, sizeof(struct iovec));
    restore->object_frames = calloc(restore->roster.objects + 1, sizeof(struct iovec));
    if (restore->document_frames == NULL || restore->object_frames == NULL)
        return RC_NO_MEMORY;
    documents_frames(&restore->documents, restore->document_frames);
    roster_frames(&restore->roster, restore->object_frames);
    return RC_OK;
}

enum rc restore_new(const struct state *source, const struct seal_keys *target, unsigned spaces,
                    struct restore **out)
{
    struct restore *restore = calloc(1, sizeof *restore);
    if (restore == NULL)
        return RC_NO_MEMORY;
    restore->source = source;
    restore->target = target;
    enum rc rc = random_bytes(restore->part.id, sizeof restore->part.id);
    if (rc == RC_OK)
        rc = list_rows(restore, spaces);
    if (rc == RC_OK)
        *out = restore;
    else
        restore_free(restore);
    return rc;
}

void restore_free(struct restore *restore)
{
    if (restore == NULL)
        return;
    documents_clear(&restore->documents);
    roster_clear(&restore->roster);
    free(restore->document_frames);
    free(restore->object_frames);
    free(restore);
}

/* ---- a row of each table, appended; `at` is one that is there ---- */

/* The source's own pepper, or the one that it was restored with. */
static enum rc open_pepper(const struct state *source, struct secret *out)
{
    AUTO_BUF sealed = BUF_INIT;
    struct bytes key = bytes_of_str(RESTORE_PEPPER_KEY);
    uint64_t version = 0;
    enum rc rc = state_document(source, DOCUMENT_ORIGIN, key, &sealed, &version);
    if (rc == RC_NOT_FOUND) {
        rc_detail_clear();
        return seal_pepper(source->keys, out);
    }
    TRY(rc);
    return unseal(source->keys, SEAL_CLUSTER, key, buf_bytes(&sealed), out);
}

static enum rc put_pepper(const struct restore *restore, size_t at, struct buf *out)
{
    (void)at;
    AUTO_SECRET pepper = SECRET_INIT;
    AUTO_BUF sealed = BUF_INIT;
    struct document *document = NULL;
    struct bytes key = bytes_of_str(RESTORE_PEPPER_KEY);
    TRY(open_pepper(restore->source, &pepper));
    TRY(seal(restore->target, SEAL_CLUSTER, key, secret_expose(&pepper), &sealed));
    TRY(document_new(DOCUMENT_ORIGIN, key, 1, buf_bytes(&sealed), &document));
    enum rc rc = buf_put_bytes(out, document_row(document));
    document_unref(document);
    return rc;
}

static enum rc put_token(const struct restore *restore, size_t at, struct buf *out)
{
    AUTO_BUF row = BUF_INIT;
    TRY(token_row_encode(&row, &content_of(restore)->tables.tokens[at]->row));
    return buf_put_bytes(out, buf_bytes(&row));
}

static enum rc put_user(const struct restore *restore, size_t at, struct buf *out)
{
    AUTO_BUF row = BUF_INIT;
    TRY(user_row_encode(&row, content_of(restore)->tables.users[at]));
    return buf_put_bytes(out, buf_bytes(&row));
}

/* A frame is a row behind its length. */
static enum rc put_document(const struct restore *restore, size_t at, struct buf *out)
{
    const struct iovec *frame = &restore->document_frames[at];
    return buf_append(out, bytes_of(frame->iov_base, frame->iov_len));
}

static enum rc put_object(const struct restore *restore, size_t at, struct buf *out)
{
    const struct object *object = object_of_frame(restore->object_frames[at].iov_base);
    AUTO_BUF row = BUF_INIT;
    TRY(buf_put_u64(&row, object->handle));
    TRY(object_reseal(restore->source->keys, restore->target, object, &row));
    return buf_put_bytes(out, buf_bytes(&row));
}

struct stage_row {
    enum restore_table table;
    enum rc (*put)(const struct restore *restore, size_t at, struct buf *out);
};
static const struct stage_row stages[STAGE_END] = {
    [STAGE_PEPPER] = {RESTORE_DOCUMENTS, put_pepper},
    [STAGE_TOKENS] = {RESTORE_TOKENS, put_token},
    [STAGE_USERS] = {RESTORE_USERS, put_user},
    [STAGE_DOCUMENTS] = {RESTORE_DOCUMENTS, put_document},
    [STAGE_OBJECTS] = {RESTORE_OBJECTS, put_object},
};

static size_t stage_rows(const struct restore *restore, enum stage stage)
{
    const struct tables *tables = &content_of(restore)->tables;
    const size_t counts[STAGE_END] = {
        [STAGE_PEPPER] = 1,
        [STAGE_TOKENS] = tables->token_count,
        [STAGE_USERS] = tables->user_count,
        [STAGE_DOCUMENTS] = restore->documents.count,
        [STAGE_OBJECTS] = restore->roster.objects,
    };
    return stage == STAGE_END ? 0 : counts[stage];
}

/* What the next row takes at most. */
static size_t row_len_max(const struct restore *restore)
{
    if (restore->stage == STAGE_OBJECTS)
        return restore->object_frames[restore->at].iov_len;
    if (restore->stage == STAGE_DOCUMENTS)
        return restore->document_frames[restore->at].iov_len;
    return 1024;
}

static enum rc put_rows(struct restore *restore, struct buf *rows, uint32_t *out_count)
{
    const struct stage_row *stage = &stages[restore->stage];
    size_t count = stage_rows(restore, restore->stage);
    uint32_t put = 0;
    while (restore->at < count && put < RESTORE_ROWS_MAX &&
           (put == 0 || rows->len + row_len_max(restore) <= ROWS_LEN_MAX)) {
        TRY(stage->put(restore, restore->at, rows));
        restore->at++;
        put++;
    }
    *out_count = put;
    return RC_OK;
}

static struct restore_end end_of(const struct restore *restore)
{
    const struct state_content *content = content_of(restore);
    return (struct restore_end){
        .tokens = content->tables.token_count,
        .users = content->tables.user_count,
        .documents = restore->documents.count + 1, /* the pepper */
        .objects = content->roster.objects,
        .next_handle = content->digest.next_handle,
        .next_user = content->digest.next_user,
    };
}

static void skip_empty_stages(struct restore *restore)
{
    while (restore->stage < STAGE_END && restore->at >= stage_rows(restore, restore->stage)) {
        restore->stage++;
        restore->at = 0;
    }
}

/* Its request id is the restore's id and part: a repeated effect is done once. */
static struct effect_head head_of(const struct restore *restore, uint64_t time_ms)
{
    struct effect_head head = {.sequence = restore->part.number + 1, .time_ms = time_ms};
    memcpy(head.application, restore->part.id, sizeof head.application);
    return head;
}

enum rc restore_next(struct restore *restore, uint64_t time_ms, struct buf *out, bool *out_last)
{
    struct effect_head head = head_of(restore, time_ms);
    skip_empty_stages(restore);
    if (restore->stage == STAGE_END) {
        struct restore_end end = end_of(restore);
        TRY(effect_restore_end(out, &head, &restore->part, &end));
    } else {
        AUTO_BUF bytes = BUF_INIT;
        struct restore_rows rows = {.table = stages[restore->stage].table};
        TRY(put_rows(restore, &bytes, &rows.count));
        rows.rows = buf_bytes(&bytes);
        TRY(effect_restore_rows(out, &head, &restore->part, &rows));
        restore->rows_done += rows.count;
    }
    *out_last = restore->stage == STAGE_END;
    restore->part.number++;
    return RC_OK;
}

struct restore_progress restore_progress(const struct restore *restore)
{
    struct restore_progress progress = {.rows_done = restore->rows_done};
    for (unsigned stage = 0; stage < STAGE_END; stage++)
        progress.rows += stage_rows(restore, (enum stage)stage);
    return progress;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Taking a snapshot: small rows are copied, documents and objects are referenced. */
#include <stdlib.h>

#include "token/snapshot_format.h"

#define ROWS_MAX ((size_t)256 * 1024 * 1024)

struct state_snapshot {
    struct buf rows; /* with the head */
    struct documents documents;
    struct roster roster;
    uint8_t trailer[SNAPSHOT_TRAILER_LEN];
    struct iovec *parts;
    size_t part_count;
};

static enum rc put_tables(const struct tables *tables, struct buf *out)
{
    for (size_t i = 0; i < tables->token_count; i++)
        TRY(token_row_encode(out, &tables->tokens[i]->row));
    for (size_t i = 0; i < tables->user_count; i++)
        TRY(user_row_encode(out, tables->users[i]));
    return RC_OK;
}

static struct snapshot_head head_of(const struct state_content *content)
{
    const struct state_digest *digest = &content->digest;
    return (struct snapshot_head){
        .applied = digest->applied,
        .clock_ms = digest->clock_ms,
        .next_handle = digest->next_handle,
        .next_user = digest->next_user,
        .next_request = digest->next_request,
        .tokens = content->tables.token_count,
        .users = content->tables.user_count,
        .requests = request_table_count(content->requests),
        .floors = request_table_floor_count(content->requests),
        .objects = content->roster.objects,
        .documents = content->documents.count,
    };
}

/* The head goes in front once the length of the rows is known. */
static enum rc put_rows(const struct state_content *content, struct buf *out)
{
    struct snapshot_head head = head_of(content);
    size_t head_len = snapshot_head_len(&head);
    AUTO_BUF first = BUF_INIT;
    TRY(buf_resize(out, head_len));
    TRY(put_tables(&content->tables, out));
    TRY(request_table_encode(content->requests, out));
    head.rows_len = out->len - head_len;
    TRY(snapshot_head_encode(&first, &head));
    memcpy(out->ptr, first.ptr, head_len);
    return RC_OK;
}

static enum rc put_trailer(const struct state *state, struct state_snapshot *snapshot)
{
    struct snapshot_head counts = head_of(&state->content);
    struct bytes head = bytes_slice(buf_bytes(&snapshot->rows), 0, snapshot_head_len(&counts));
    TRY(state_digest_hash(state->keys, &state->content.digest, snapshot->trailer));
    return snapshot_mac(state->keys, head, snapshot->trailer, snapshot->trailer + 32);
}

static enum rc list_parts(struct state_snapshot *snapshot)
{
    size_t documents = snapshot->documents.count;
    size_t count = documents + snapshot->roster.objects + 2;
    snapshot->parts = calloc(count, sizeof snapshot->parts[0]);
    if (snapshot->parts == NULL)
        return RC_NO_MEMORY;
    snapshot->parts[0] =
        (struct iovec){.iov_base = snapshot->rows.ptr, .iov_len = snapshot->rows.len};
    documents_frames(&snapshot->documents, snapshot->parts + 1);
    roster_frames(&snapshot->roster, snapshot->parts + 1 + documents);
    snapshot->parts[count - 1] =
        (struct iovec){.iov_base = snapshot->trailer, .iov_len = SNAPSHOT_TRAILER_LEN};
    snapshot->part_count = count;
    return RC_OK;
}

static enum rc take(const struct state *state, struct state_snapshot *snapshot)
{
    TRY(put_rows(&state->content, &snapshot->rows));
    TRY(put_trailer(state, snapshot));
    TRY(documents_share(&state->content.documents, &snapshot->documents));
    TRY(roster_share(&state->content.roster, &snapshot->roster));
    return list_parts(snapshot);
}

enum rc state_snapshot_take(const struct state *state, struct state_snapshot **out)
{
    struct state_snapshot *snapshot = calloc(1, sizeof *snapshot);
    if (snapshot == NULL)
        return RC_NO_MEMORY;
    snapshot->rows = (struct buf)BUF_INIT_MAX(ROWS_MAX);
    enum rc rc = take(state, snapshot);
    if (rc == RC_OK)
        *out = snapshot;
    else
        state_snapshot_free(snapshot);
    return rc;
}

const struct iovec *state_snapshot_parts(const struct state_snapshot *snapshot, size_t *out_count)
{
    *out_count = snapshot->part_count;
    return snapshot->parts;
}

void state_snapshot_free(struct state_snapshot *snapshot)
{
    if (snapshot == NULL)
        return;
    documents_clear(&snapshot->documents);
    roster_clear(&snapshot->roster);
    buf_clear(&snapshot->rows);
    free(snapshot->parts);
    free(snapshot);
}

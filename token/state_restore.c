/* SPDX-License-Identifier: Apache-2.0 */
/* Reading a snapshot back: everything into new tables, checked against the state hash in its
 * trailer, then exchanged with the live ones under their locks. */
#include "token/snapshot_format.h"

/* The trailer vouches for the head and the state hash; the hash, recomputed, for all rows. */
static enum rc check_trailer(const struct seal_keys *keys, struct bytes head, struct bytes trailer)
{
    uint8_t mac[32];
    TRY(snapshot_mac(keys, head, trailer.ptr, mac));
    if (!bytes_equal(bytes_of(mac, sizeof mac), bytes_slice(trailer, 32, 32)))
        return rc_fail(RC_TAMPERED, "the snapshot's MAC does not hold");
    return RC_OK;
}

static enum rc read_tokens(struct state_content *content, const struct seal_keys *keys,
                           struct reader *in, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        struct token_row row;
        if (!token_row_decode(in, &row))
            return rc_fail(RC_TAMPERED, "malformed token in the snapshot");
        TRY(state_token_enter(content, keys, &row));
        TRY(tables_token_add(&content->tables, &row));
    }
    return RC_OK;
}

static enum rc read_users(struct state_content *content, const struct seal_keys *keys,
                          struct reader *in, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        struct user_row row;
        if (!user_row_decode(in, &row))
            return rc_fail(RC_TAMPERED, "malformed user in the snapshot");
        TRY(state_user_enter(content, keys, &row));
        TRY(tables_user_add(&content->tables, &row));
    }
    return RC_OK;
}

static enum rc read_document(struct state_content *content, const struct seal_keys *keys,
                             struct reader *in)
{
    struct document *document = NULL;
    TRY(document_from_row(reader_bytes(in), &document));
    size_t count = content->documents.count;
    enum rc rc = state_document_enter(content, keys, document);
    if (rc == RC_OK)
        rc = documents_put(&content->documents, document);
    if (rc != RC_OK) {
        document_unref(document);
        return rc;
    }
    return content->documents.count == count + 1
               ? RC_OK
               : rc_fail(RC_TAMPERED, "a document twice in the snapshot");
}

static enum rc read_rows(struct state_content *content, const struct seal_keys *keys,
                         const struct snapshot_head *head, struct bytes rows)
{
    struct reader in = reader_of(rows);
    struct state_digest *digest = &content->digest;
    TRY(read_tokens(content, keys, &in, head->tokens));
    TRY(read_users(content, keys, &in, head->users));
    TRY(request_table_decode(content->requests, &digest->sum, &in, head->requests, head->floors));
    return reader_done(&in) ? RC_OK : rc_fail(RC_TAMPERED, "rows left over in the snapshot");
}

static enum rc read_frames(struct state_content *content, const struct seal_keys *keys,
                           const struct snapshot_head *head, struct bytes frames)
{
    struct reader in = reader_of(frames);
    for (uint64_t i = 0; i < head->documents; i++)
        TRY(read_document(content, keys, &in));
    TRY(state_restore_objects(content, keys, &in, head->objects));
    return reader_done(&in) ? RC_OK : rc_fail(RC_TAMPERED, "objects left over in the snapshot");
}

static enum rc check_hash(const struct state_content *content, const struct seal_keys *keys,
                          struct bytes trailer)
{
    uint8_t hash[32];
    TRY(state_digest_hash(keys, &content->digest, hash));
    if (!bytes_equal(bytes_of(hash, sizeof hash), bytes_slice(trailer, 0, 32)))
        return rc_fail(RC_TAMPERED, "the snapshot's rows do not have its state hash");
    return RC_OK;
}

static enum rc read_snapshot(struct state_content *content, const struct seal_keys *keys,
                             struct bytes snapshot)
{
    struct snapshot_head head;
    TRY(snapshot_head_decode(snapshot, &head));
    size_t head_len = snapshot_head_len(&head);
    if (snapshot.len < head_len + SNAPSHOT_TRAILER_LEN ||
        head.rows_len > snapshot.len - head_len - SNAPSHOT_TRAILER_LEN)
        return rc_fail(RC_TAMPERED, "the snapshot is cut short");
    size_t frames_at = head_len + head.rows_len;
    size_t trailer_at = snapshot.len - SNAPSHOT_TRAILER_LEN;
    struct bytes trailer = bytes_slice(snapshot, trailer_at, SNAPSHOT_TRAILER_LEN);
    TRY(check_trailer(keys, bytes_slice(snapshot, 0, head_len), trailer));
    struct state_digest *digest = &content->digest;
    if (head.next_handle == 0 || head.next_handle >= SESSION_HANDLE_BIT)
        return rc_fail(RC_TAMPERED, "the snapshot counts handles that are for session objects");
    digest->applied = head.applied;
    digest->clock_ms = head.clock_ms;
    digest->next_handle = head.next_handle;
    digest->next_user = head.next_user;
    digest->next_request = head.next_request;
    TRY(read_rows(content, keys, &head, bytes_slice(snapshot, head_len, head.rows_len)));
    TRY(read_frames(content, keys, &head,
                    bytes_slice(snapshot, frames_at, trailer_at - frames_at)));
    return check_hash(content, keys, trailer);
}

/* Readers see the old or the new of each table and shard; the old goes with `fresh`. */
static void exchange(struct state *state, struct state_content *fresh)
{
    struct state_content *live = &state->content;
    struct state_content old = *live;
    store_swap(live->store, fresh->store);
    (void)pthread_rwlock_wrlock(&state->lock);
    live->tables = fresh->tables;
    live->documents = fresh->documents;
    (void)pthread_rwlock_unlock(&state->lock);
    live->roster = fresh->roster;
    live->requests = fresh->requests;
    live->digest = fresh->digest;
    fresh->tables = old.tables;
    fresh->documents = old.documents;
    fresh->roster = old.roster;
    fresh->requests = old.requests;
}

enum rc state_restore(struct state *state, struct bytes snapshot)
{
    struct state_content fresh;
    enum rc rc = state_content_init(&fresh, state->keys, state->content.store);
    if (rc == RC_OK)
        rc = read_snapshot(&fresh, state->keys, snapshot);
    if (rc == RC_OK) {
        exchange(state, &fresh);
        state_documents_renewed(state);
        state_publish(state);
    }
    state_content_clear(&fresh);
    return rc == RC_CONFLICT || rc == RC_SLOT_INVALID
               ? rc_fail(RC_TAMPERED, "rows of the snapshot contradict each other")
               : rc;
}

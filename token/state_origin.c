/* SPDX-License-Identifier: Apache-2.0 */
/* Where a restored cluster comes from: the progress of its restore, and the pepper of PINs that it
 * brought along. Both are documents of DOCUMENT_ORIGIN. */
#include "token/effect.h"
#include "token/restore.h"
#include "token/state_internal.h"

#define PROGRESS_KEY    "progress"
#define PROGRESS_FORMAT 1U

static const struct document *origin(const struct state_content *content, const char *key)
{
    return documents_find(&content->documents, DOCUMENT_ORIGIN, bytes_of_str(key));
}

bool state_is_restoring(const struct state_content *content)
{
    return origin(content, PROGRESS_KEY) != NULL;
}

bool restore_is_under_way(const struct state *state)
{
    state_read_lock(state);
    bool is = state_is_restoring(&state->content);
    state_read_unlock(state);
    return is;
}

enum rc state_pepper_mac(const struct state *state, struct bytes part, uint8_t out[32])
{
    AUTO_BUF sealed = BUF_INIT;
    AUTO_SECRET pepper = SECRET_INIT;
    struct bytes key = bytes_of_str(RESTORE_PEPPER_KEY);
    uint64_t version = 0;
    enum rc rc = state_document(state, DOCUMENT_ORIGIN, key, &sealed, &version);
    if (rc == RC_NOT_FOUND) {
        rc_detail_clear();
        return seal_mac(state->keys, SEAL_PIN, &part, 1, out);
    }
    TRY(rc);
    TRY(unseal(state->keys, SEAL_CLUSTER, key, buf_bytes(&sealed), &pepper));
    return seal_mac_by(&pepper, &part, 1, out);
}

/* ---- progress ---- */

struct progress {
    struct restore_part next;
    uint64_t documents; /* put back so far */
    uint64_t version;   /* of the document; 0: the restore begins */
};

static void read_progress(const struct document *document, struct progress *out)
{
    struct reader in = reader_of(document_value(document));
    bool known = reader_u8(&in) == PROGRESS_FORMAT;
    reader_copy(&in, out->next.id, sizeof out->next.id);
    out->next.number = reader_u64(&in);
    out->documents = reader_u64(&in);
    out->version = document_version(document);
    state_must(known && reader_done(&in) ? RC_OK : RC_TAMPERED, "progress of a restore");
}

/* Is it that effect's turn? */
static enum rc find_progress(const struct state *state, const struct restore_part *part,
                             struct progress *out)
{
    const struct document *document = origin(&state->content, PROGRESS_KEY);
    *out = (struct progress){.next = *part};
    if (document == NULL) {
        if (state->content.tables.token_count > 0 ||
            origin(&state->content, RESTORE_PEPPER_KEY) != NULL)
            return RC_EXISTS;
        return part->number == 0 ? RC_OK : RC_CONFLICT;
    }
    read_progress(document, out);
    if (!bytes_equal(bytes_of(out->next.id, sizeof part->id), bytes_of(part->id, sizeof part->id)))
        return RC_EXISTS;
    return out->next.number == part->number ? RC_OK : RC_CONFLICT;
}

static enum rc encode_progress(const struct progress *progress, struct buf *out)
{
    TRY(buf_put_u8(out, PROGRESS_FORMAT));
    TRY(buf_append(out, bytes_of(progress->next.id, sizeof progress->next.id)));
    TRY(buf_put_u64(out, progress->next.number));
    return buf_put_u64(out, progress->documents);
}

static void write_progress(struct state *state, const struct progress *progress)
{
    AUTO_BUF value = BUF_INIT;
    state_must(encode_progress(progress, &value), "progress of a restore");
    const struct document_change change = {.space = DOCUMENT_ORIGIN,
                                           .key = bytes_of_str(PROGRESS_KEY),
                                           .expected_version = progress->version,
                                           .value = buf_bytes(&value)};
    state_documents_make(state, &change, 1);
}

static void end_progress(struct state *state, const struct progress *progress)
{
    const struct document_change change = {.space = DOCUMENT_ORIGIN,
                                           .key = bytes_of_str(PROGRESS_KEY),
                                           .expected_version = progress->version,
                                           .is_removal = true};
    state_documents_make(state, &change, 1);
}

/* ---- the effects ---- */

enum rc state_do_restore_rows(struct state *state, struct effect *effect, struct effect_result *out)
{
    (void)out;
    struct progress progress;
    TRY(find_progress(state, &effect->part, &progress));
    TRY(state_refill(state, &effect->rows));
    progress.next.number++;
    if (effect->rows.table == RESTORE_DOCUMENTS)
        progress.documents += effect->rows.count;
    write_progress(state, &progress);
    return RC_OK;
}

enum rc state_do_restore_end(struct state *state, struct effect *effect, struct effect_result *out)
{
    (void)out;
    struct state_content *content = &state->content;
    const struct restore_end *end = &effect->end;
    struct progress progress;
    TRY(find_progress(state, &effect->part, &progress));
    bool complete =
        progress.version != 0 && end->tokens == content->tables.token_count &&
        end->users == content->tables.user_count && end->objects == content->roster.objects &&
        end->documents == progress.documents && end->next_handle >= content->digest.next_handle &&
        end->next_handle < SESSION_HANDLE_BIT && end->next_user >= content->digest.next_user;
    if (!complete)
        return RC_CONFLICT;
    content->digest.next_handle = end->next_handle;
    content->digest.next_user = end->next_user;
    end_progress(state, &progress);
    return RC_OK;
}

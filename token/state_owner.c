/* SPDX-License-Identifier: Apache-2.0 */
/* Whose the front ends' documents are: one document of DOCUMENT_OWNER, {u8 format, u64 token,
 * user's name}. It comes with the first change and goes with the token, or when it is released. A
 * name, not the user's id: a user that was deleted and made again by the security officer is the
 * same one. */
#include "token/effect.h"
#include "token/state_internal.h"

#define OWNER_FORMAT 1U
#define OWNER_KEY    bytes_of_str("kms")

/* One that this release cannot read is nobody who logs in here: token 0. */
static bool read_owner(const struct document *document, struct documents_owner *out)
{
    *out = (struct documents_owner){.token = 0};
    if (document == NULL)
        return false;
    struct documents_owner read = {.token = 0};
    struct reader in = reader_of(document_value(document));
    bool known = reader_u8(&in) == OWNER_FORMAT;
    read.token = reader_u64(&in);
    reader_text(&in, read.user, sizeof read.user);
    if (known && reader_done(&in))
        *out = read;
    return true;
}

static bool find_owner(const struct state *state, struct documents_owner *out)
{
    return read_owner(documents_find(&state->content.documents, DOCUMENT_OWNER, OWNER_KEY), out);
}

bool state_documents_owner(const struct state *state, struct documents_owner *out)
{
    state_read_lock(state);
    bool is_owned = find_owner(state, out);
    state_read_unlock(state);
    return is_owned;
}

static void encode_owner(const struct user_row *user, struct buf *out)
{
    bool is_put = buf_put_u8(out, OWNER_FORMAT) == RC_OK &&
                  buf_put_u64(out, user->token) == RC_OK && buf_put_str(out, user->name) == RC_OK;
    state_must(is_put ? RC_OK : RC_NO_MEMORY, "owner of documents");
}

/* Whoever was allowed the change by a document may not be by what has taken its place. */
static enum rc check_grounds(const struct state *state, struct bytes grounds)
{
    struct reader in = reader_of(grounds);
    struct document_ground ground;
    while (effect_ground_next(&in, &ground)) {
        const struct document *now =
            documents_find(&state->content.documents, DOCUMENT_KMS, ground.key);
        if (now == NULL || document_version(now) != ground.version)
            return RC_VIEW_OLD;
    }
    return RC_OK;
}

/* The binding is the first of the changes that it comes with. */
enum rc state_do_owned_change(struct state *state, struct effect *effect, struct effect_result *out)
{
    (void)out;
    AUTO_BUF value = BUF_INIT;
    struct document_change changes[DOCUMENT_CHANGES_MAX + 1];
    struct documents_owner owner;
    size_t count = 0;
    const struct user_row *user = tables_user_by_id(&state->content.tables, effect->user_id);
    if (user == NULL || user->role != ROLE_USER)
        return RC_TICKET_VOID;
    if (!find_owner(state, &owner)) {
        encode_owner(user, &value);
        changes[count++] = (struct document_change){
            .space = DOCUMENT_OWNER, .key = OWNER_KEY, .value = buf_bytes(&value)};
    } else if (owner.token != user->token || strcmp(owner.user, user->name) != 0) {
        return RC_NOT_OWNER;
    }
    TRY(check_grounds(state, effect->grounds));
    for (size_t i = 0; i < effect->document_count; i++)
        changes[count++] = effect->documents[i];
    return state_documents_change(state, changes, count);
}

enum rc state_do_owned_release(struct state *state, struct effect *effect,
                               struct effect_result *out)
{
    (void)out;
    state_documents_drop(state, DOCUMENT_OWNER);
    if (effect->erase)
        state_documents_drop(state, DOCUMENT_KMS);
    return RC_OK;
}

void state_owner_emptied(struct state *state, uint64_t token)
{
    struct documents_owner owner;
    if (!find_owner(state, &owner) || owner.token != token)
        return;
    state_documents_drop(state, DOCUMENT_OWNER);
    state_documents_drop(state, DOCUMENT_KMS);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of a backup back into tables, documents and store: a restore's effects. */
#include "token/effect.h"
#include "token/state_internal.h"

/* Each row may be put back (`may`, with the rows of the effect before it in mind), then all
 * are (`put`). The effect's decoder has seen that they are well-formed. */

struct walk {
    struct state *state;
    struct bytes rows; /* of the whole effect */
    uint32_t at;
    uint64_t last; /* id or handle of the row before */
    struct bytes last_row;
    size_t bytes; /* documents' frames so far */
};

static struct token_row token_of(struct bytes row)
{
    struct token_row token = {.number = 0};
    struct reader in = reader_of(row);
    state_must(token_row_decode(&in, &token) ? RC_OK : RC_PROTOCOL, "restored token");
    return token;
}

static enum rc may_token(struct walk *walk, struct bytes row)
{
    struct token_row token = token_of(row);
    return token.number == walk->state->content.tables.token_count + walk->at + 1 ? RC_OK
                                                                                  : RC_CONFLICT;
}

static void put_token(struct state *state, struct bytes row)
{
    struct token_row token = token_of(row);
    state_must(state_token_enter(&state->content, state->keys, &token), "restored token");
    (void)pthread_rwlock_wrlock(&state->lock);
    enum rc rc = tables_token_add(&state->content.tables, &token);
    (void)pthread_rwlock_unlock(&state->lock);
    state_must(rc, "restored token");
}

static struct user_row user_of(struct bytes row)
{
    struct user_row user = {.id = 0};
    struct reader in = reader_of(row);
    state_must(user_row_decode(&in, &user) ? RC_OK : RC_PROTOCOL, "restored user");
    return user;
}

/* Bounded by RESTORE_ROWS_MAX. */
static bool is_named_before(const struct walk *walk, const struct user_row *user)
{
    struct reader in = reader_of(walk->rows);
    for (uint32_t i = 0; i < walk->at; i++) {
        struct user_row other = user_of(reader_bytes(&in));
        if (other.token == user->token && strcmp(other.name, user->name) == 0)
            return true;
    }
    return false;
}

static enum rc may_user(struct walk *walk, struct bytes row)
{
    const struct tables *tables = &walk->state->content.tables;
    struct user_row user = user_of(row);
    uint64_t last = walk->last;
    if (walk->at == 0)
        last = tables->user_count == 0 ? 0 : tables->users[tables->user_count - 1]->id;
    walk->last = user.id;
    bool fits = user.id > last && user.id < UINT64_MAX && tables_token(tables, user.token) != NULL;
    if (!fits || tables_user(tables, user.token, user.name) != NULL || is_named_before(walk, &user))
        return RC_CONFLICT;
    return RC_OK;
}

static void put_user(struct state *state, struct bytes row)
{
    struct user_row user = user_of(row);
    state_must(state_user_enter(&state->content, state->keys, &user), "restored user");
    (void)pthread_rwlock_wrlock(&state->lock);
    enum rc rc = tables_user_add(&state->content.tables, &user);
    (void)pthread_rwlock_unlock(&state->lock);
    state_must(rc, "restored user");
    state->content.digest.next_user = user.id + 1;
}

static struct document *document_of(struct bytes row)
{
    struct document *document = NULL;
    state_must(document_from_row(row, &document), "restored document");
    return document;
}

static enum rc may_document(struct walk *walk, struct bytes row)
{
    const struct documents *documents = &walk->state->content.documents;
    struct bytes before = walk->last_row;
    struct document_name name = document_name_of(row);
    walk->last_row = row;
    walk->bytes += sizeof(uint32_t) + row.len;
    if (documents->bytes + walk->bytes > DOCUMENTS_BYTES_MAX ||
        documents->count + walk->at + 1 > DOCUMENTS_MAX)
        return RC_LIMIT;
    if (documents_find(documents, name.space, name.key) != NULL)
        return RC_CONFLICT;
    struct document_name last = document_name_of(before);
    bool ascends = walk->at == 0 || last.space < name.space ||
                   (last.space == name.space && bytes_compare(last.key, name.key) < 0);
    return ascends ? RC_OK : RC_CONFLICT;
}

static void put_document(struct state *state, struct bytes row)
{
    state_document_add(state, document_of(row));
}

static struct object *object_of(struct bytes row)
{
    uint64_t handle = 0;
    struct bytes record = BYTES_NONE;
    struct object *object = NULL;
    state_must(effect_restore_object(row, &handle, &record) ? RC_OK : RC_PROTOCOL,
               "restored object");
    state_must(object_from_record(handle, record, &object), "restored object");
    return object;
}

static enum rc may_object(struct walk *walk, struct bytes row)
{
    AUTO_OBJECT *object = object_of(row);
    uint64_t last = walk->at == 0 ? walk->state->content.digest.next_handle - 1 : walk->last;
    walk->last = object->handle;
    bool fits =
        object->handle > last && tables_token(&walk->state->content.tables, object->token) != NULL;
    return fits ? RC_OK : RC_CONFLICT;
}

static void put_object(struct state *state, struct bytes row)
{
    AUTO_OBJECT *object = object_of(row);
    state_must(state_object_enter(&state->content, state->keys, object), "restored object");
    state_objects_count(state, object->token, 1, 0);
    state->content.digest.next_handle = object->handle + 1;
}

struct table_rule {
    enum rc (*may)(struct walk *walk, struct bytes row);
    void (*put)(struct state *state, struct bytes row);
};
static const struct table_rule rules[RESTORE_TABLE_END] = {
    [RESTORE_TOKENS] = {may_token, put_token},
    [RESTORE_USERS] = {may_user, put_user},
    [RESTORE_DOCUMENTS] = {may_document, put_document},
    [RESTORE_OBJECTS] = {may_object, put_object},
};

enum rc state_refill(struct state *state, const struct restore_rows *rows)
{
    const struct table_rule *rule = &rules[rows->table];
    struct walk walk = {.state = state, .rows = rows->rows};
    struct reader in = reader_of(rows->rows);
    for (; walk.at < rows->count; walk.at++)
        TRY(rule->may(&walk, reader_bytes(&in)));
    in = reader_of(rows->rows);
    for (uint32_t i = 0; i < rows->count; i++)
        rule->put(state, reader_bytes(&in));
    return RC_OK;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Effects on objects. */
#include "token/effect.h"
#include "token/state_internal.h"

#define DROP_BATCH 256U

void state_objects_count(struct state *state, uint64_t token, size_t added, size_t removed)
{
    struct token_entry *entry = tables_token(&state->content.tables, token);
    if (entry == NULL)
        return;
    (void)pthread_rwlock_wrlock(&state->lock);
    entry->row.object_count += added;
    entry->row.object_count -= removed;
    (void)pthread_rwlock_unlock(&state->lock);
}

static bool owner_is_there(const struct state *state, const struct object *object)
{
    if (object->owner == 0)
        return true;
    const struct user_row *owner = tables_user_by_id(&state->content.tables, object->owner);
    return owner != NULL && owner->token == object->token;
}

static enum rc may_add(const struct state *state, const struct effect *effect)
{
    const struct token_entry *entry = tables_token(&state->content.tables, effect->token);
    if (entry == NULL)
        return RC_SLOT_INVALID;
    uint64_t max = entry->row.policy.objects_max;
    if (max != 0 && entry->row.object_count + effect->object_count > max)
        return RC_LIMIT;
    for (size_t i = 0; i < effect->object_count; i++)
        if (!owner_is_there(state, effect->objects[i]))
            return RC_TICKET_VOID;
    return RC_OK;
}

enum rc state_do_objects_add(struct state *state, struct effect *effect, struct effect_result *out)
{
    TRY(may_add(state, effect));
    struct state_content *content = &state->content;
    for (size_t i = 0; i < effect->object_count; i++) {
        uint64_t handle = content->digest.next_handle++;
        object_set_handle(effect->objects[i], handle);
        state_must(state_object_enter(content, state->keys, effect->objects[i]), "new object");
        out->handles[out->handle_count++] = handle;
    }
    state_objects_count(state, effect->token, effect->object_count, 0);
    return RC_OK;
}

static enum rc may_replace(const struct object *before, const struct object *after)
{
    if (before == NULL)
        return RC_OBJECT_HANDLE;
    bool same = after->version == before->version + 1 && after->token == before->token &&
                bytes_equal(bytes_of(after->unique_id, UNIQUE_ID_LEN),
                            bytes_of(before->unique_id, UNIQUE_ID_LEN));
    return same ? RC_OK : RC_CONFLICT;
}

enum rc state_do_object_replace(struct state *state, struct effect *effect,
                                struct effect_result *out)
{
    struct state_content *content = &state->content;
    struct state_sum *sum = &content->digest.sum;
    struct object *after = effect->objects[0];
    AUTO_OBJECT *before = store_get(content->store, effect->handle);
    TRY(may_replace(before, after));
    object_set_handle(after, effect->handle);
    state_must(state_sum_leave(sum, state->keys, SUM_OBJECT, object_frame(before)), "old object");
    state_must(state_sum_enter(sum, state->keys, SUM_OBJECT, object_frame(after)), "new object");
    state_must(roster_replace(&content->roster, after), "roster");
    state_must(store_replace(content->store, after), "store");
    out->handles[out->handle_count++] = effect->handle;
    return RC_OK;
}

static void drop(struct state *state, struct object *object)
{
    struct state_content *content = &state->content;
    state_must(state_sum_leave(&content->digest.sum, state->keys, SUM_OBJECT, object_frame(object)),
               "old object");
    state_must(roster_remove(&content->roster, object->handle), "roster");
    store_remove(content->store, object->handle);
}

static enum rc destroy(struct state *state, uint64_t handle)
{
    AUTO_OBJECT *object = store_get(state->content.store, handle);
    if (object == NULL)
        return RC_OBJECT_HANDLE;
    drop(state, object);
    state_objects_count(state, object->token, 0, 1);
    return RC_OK;
}

enum rc state_do_object_destroy(struct state *state, struct effect *effect,
                                struct effect_result *out)
{
    (void)out;
    return destroy(state, effect->handle);
}

enum rc state_do_pair_destroy(struct state *state, struct effect *effect, struct effect_result *out)
{
    (void)out;
    TRY(destroy(state, effect->handle));
    (void)destroy(state, effect->second_handle); /* somebody may have been quicker */
    return RC_OK;
}

struct batch {
    struct object *objects[DROP_BATCH];
    size_t count;
};

static bool collect(struct object *object, void *context)
{
    struct batch *batch = context;
    batch->objects[batch->count++] = object_ref(object);
    return batch->count < DROP_BATCH;
}

void state_objects_drop(struct state *state, uint64_t token)
{
    const struct attrs all = {.ptr = NULL, .count = 0};
    struct batch batch = {.count = DROP_BATCH};
    while (batch.count == DROP_BATCH) {
        batch.count = 0;
        state_must(store_find(state->content.store, token, all, true, 0, collect, &batch), "store");
        for (size_t i = 0; i < batch.count; i++) {
            drop(state, batch.objects[i]);
            object_unref(batch.objects[i]);
        }
        state_objects_count(state, token, 0, batch.count);
    }
}

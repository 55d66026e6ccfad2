/* SPDX-License-Identifier: Apache-2.0 */
/* The single writer's door: index, repeated requests, and one row an effect. */
#include "common/log.h"
#include "token/effect.h"
#include "token/state_internal.h"

typedef enum rc (*effect_do)(struct state *state, struct effect *effect, struct effect_result *out);

static const effect_do effects[EFFECT_KIND_END] = {
    [EFFECT_TOKEN_INIT] = state_do_token_init,
    [EFFECT_USER_PUT] = state_do_user_put,
    [EFFECT_USER_DELETE] = state_do_user_delete,
    [EFFECT_USER_TRIED] = state_do_user_tried,
    [EFFECT_POLICY_PUT] = state_do_policy_put,
    [EFFECT_OBJECTS_ADD] = state_do_objects_add,
    [EFFECT_OBJECT_REPLACE] = state_do_object_replace,
    [EFFECT_OBJECT_DESTROY] = state_do_object_destroy,
    [EFFECT_DOCUMENTS_CHANGE] = state_do_documents_change,
    [EFFECT_RESTORE_ROWS] = state_do_restore_rows,
    [EFFECT_RESTORE_END] = state_do_restore_end,
    [EFFECT_PAIR_DESTROY] = state_do_pair_destroy,
    [EFFECT_OWNED_CHANGE] = state_do_owned_change,
    [EFFECT_OWNED_RELEASE] = state_do_owned_release,
};

/* A gap or a repetition means that log and state do not belong together. */
static void check_index(const struct state *state, uint64_t index)
{
    uint64_t applied = state->content.digest.applied;
    if (index != applied + 1)
        state_must(rc_fail(RC_INTERNAL, "index %llu after %llu", (unsigned long long)index,
                           (unsigned long long)applied),
                   "the log does not continue this state");
}

static struct request_row row_of(const struct state_digest *digest, const struct effect_head *head,
                                 const struct effect_result *result)
{
    struct request_row row = {
        .sequence = head->sequence,
        .ordinal = digest->next_request,
        .time_ms = digest->clock_ms,
        .refusal = (uint32_t)result->rc,
    };
    memcpy(row.application, head->application, sizeof row.application);
    if (result->rc == RC_OK) {
        row.handle_count = (uint32_t)result->handle_count;
        memcpy(row.handles, result->handles, sizeof row.handles);
    }
    return row;
}

static enum rc remember(struct state_content *content, const struct effect_head *head,
                        const struct effect_result *result)
{
    struct request_row row = row_of(&content->digest, head, result);
    content->digest.next_request++;
    return request_table_add(content->requests, &content->digest.sum, &row);
}

/* What was done is remembered, and what was refused, whatever for: its client was told so, and a
 * copy that comes late must not find that it may be done by now. Who tries again after a refusal
 * takes a new sequence. Tries of a PIN have none: each is looked at and counted (SP 800-63B 5.2.2).
 * What is old is forgotten. */
static void keep_requests(struct state *state, const struct effect_head *head,
                          const struct effect_result *result, bool is_new)
{
    struct state_content *content = &state->content;
    enum rc rc = RC_OK;
    (void)pthread_rwlock_wrlock(&state->lock);
    if (is_new && head->sequence != 0)
        rc = remember(content, head, result);
    if (rc == RC_OK)
        rc =
            request_table_expire(content->requests, &content->digest.sum, content->digest.clock_ms);
    (void)pthread_rwlock_unlock(&state->lock);
    state_must(rc, "request table");
}

/* True when the request was answered before, or is too old to know. */
static bool answered(const struct state_content *content, const struct effect_head *head,
                     struct effect_result *out)
{
    const struct request_row *row = NULL;
    enum request_seen seen = REQUEST_NEW;
    if (head->sequence != 0)
        seen = request_table_find(content->requests, head->application, head->sequence, &row);
    if (seen == REQUEST_REPEATED) {
        request_row_result(row, out);
    } else if (seen == REQUEST_TOO_OLD) {
        out->rc = RC_OUTCOME_UNKNOWN;
    }
    return seen != REQUEST_NEW;
}

/* The front ends' documents are part of what is restored; others are the cluster's own. */
static bool is_of_front_ends(const struct effect *effect)
{
    for (size_t i = 0; i < effect->document_count; i++)
        if (effect->documents[i].space == DOCUMENT_KMS)
            return true;
    return false;
}

/* A state that is half restored is changed by the restore alone. */
static bool waits_for_restore(const struct state *state, const struct effect *effect)
{
    switch ((int)effect->kind) {
    case EFFECT_RESTORE_ROWS:
    case EFFECT_RESTORE_END:
        return false;
    case EFFECT_DOCUMENTS_CHANGE:
        return state_is_restoring(&state->content) && is_of_front_ends(effect);
    default:
        return state_is_restoring(&state->content);
    }
}

static void apply(struct state *state, struct bytes bytes, struct effect_result *out)
{
    struct state_content *content = &state->content;
    AUTO_EFFECT effect = {.token = 0};
    state_must(effect_decode(bytes, &effect), "effect");
    if (effect.head.time_ms > content->digest.clock_ms)
        content->digest.clock_ms = effect.head.time_ms;
    *out = (struct effect_result){.rc = RC_OK};
    bool is_new = !answered(content, &effect.head, out);
    if (is_new)
        out->rc = waits_for_restore(state, &effect) ? RC_RESTORING
                                                    : effects[effect.kind](state, &effect, out);
    keep_requests(state, &effect.head, out, is_new);
    rc_detail_clear();
}

void state_apply(struct state *state, uint64_t index, struct bytes effect,
                 struct effect_result *out)
{
    check_index(state, index);
    (void)atomic_fetch_add(&state->turn, 1);
    apply(state, effect, out);
    state->content.digest.applied = index;
    state_publish(state);
    (void)atomic_fetch_add(&state->turn, 1);
}

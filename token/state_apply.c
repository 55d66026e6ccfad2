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
        .handle_count = result->handle_count,
    };
    memcpy(row.application, head->application, sizeof row.application);
    memcpy(row.handles, result->handles, sizeof row.handles);
    return row;
}

static void remember(struct state_content *content, const struct effect_head *head,
                     const struct effect_result *result)
{
    struct request_row row = row_of(&content->digest, head, result);
    content->digest.next_request++;
    state_must(request_table_add(content->requests, &content->digest.sum, &row), "request table");
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
        out->handle_count = row->handle_count;
        memcpy(out->handles, row->handles, sizeof out->handles);
    } else if (seen == REQUEST_TOO_OLD) {
        out->rc = RC_OUTCOME_UNKNOWN;
    }
    return seen != REQUEST_NEW;
}

static void apply(struct state *state, struct bytes bytes, struct effect_result *out)
{
    struct state_content *content = &state->content;
    AUTO_EFFECT effect = {.token = 0};
    state_must(effect_decode(bytes, &effect), "effect");
    if (effect.head.time_ms > content->digest.clock_ms)
        content->digest.clock_ms = effect.head.time_ms;
    *out = (struct effect_result){.rc = RC_OK};
    if (!answered(content, &effect.head, out)) {
        out->rc = effects[effect.kind](state, &effect, out);
        if (out->rc == RC_OK && effect.head.sequence != 0)
            remember(content, &effect.head, out);
    }
    state_must(
        request_table_expire(content->requests, &content->digest.sum, content->digest.clock_ms),
        "request table");
    rc_detail_clear();
}

void state_apply(struct state *state, uint64_t index, struct bytes effect,
                 struct effect_result *out)
{
    check_index(state, index);
    apply(state, effect, out);
    state->content.digest.applied = index;
    state_publish(state);
}

void state_skip(struct state *state, uint64_t index)
{
    check_index(state, index);
    state->content.digest.applied = index;
    state_publish(state);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The models: one number is the whole state. */
#include "tests/linearizability/lin.h"

static const char *const function_names[LIN_FUNCTION_COUNT] = {
    [LIN_CREATE] = "create", [LIN_READ] = "read",       [LIN_MODIFY] = "modify",
    [LIN_CAS] = "cas",       [LIN_DESTROY] = "destroy", [LIN_WRONG] = "wrong",
    [LIN_RIGHT] = "right",   [LIN_UNLOCK] = "unlock",   [LIN_ADD] = "add",
    [LIN_REMOVE] = "remove", [LIN_HAS] = "has",
};
static const char *const model_names[LIN_MODEL_COUNT] = {
    [LIN_OBJECT] = "object", [LIN_PIN] = "pin", [LIN_SET] = "set"};
static const char *const answer_names[LIN_ANSWER_COUNT] = {
    [LIN_DONE] = "done",         [LIN_EXISTS] = "exists",       [LIN_IS_ABSENT] = "absent",
    [LIN_CONFLICT] = "conflict", [LIN_INCORRECT] = "incorrect", [LIN_LOCKED] = "locked",
};

const char *lin_function_name(enum lin_function function)
{
    return function_names[function];
}

const char *lin_model_name(enum lin_model_kind model)
{
    return model_names[model];
}

const char *lin_answer_name(enum lin_answer answer)
{
    return answer_names[answer];
}

bool lin_is_read(enum lin_function function)
{
    return function == LIN_READ || function == LIN_HAS;
}

uint64_t lin_start(enum lin_model_kind model)
{
    return model == LIN_OBJECT ? LIN_ABSENT : 0;
}

/* What the operation does and answers; `result` of a read is its value. */
struct effect {
    uint64_t state, result;
};

static struct effect object_effect(uint64_t state, const struct lin_op *op)
{
    bool absent = state == LIN_ABSENT;
    if (op->function == LIN_READ)
        return (struct effect){state, state};
    if (op->function == LIN_CREATE)
        return absent ? (struct effect){op->arg, LIN_DONE} : (struct effect){state, LIN_EXISTS};
    if (absent)
        return (struct effect){state, LIN_IS_ABSENT};
    if (op->function == LIN_DESTROY)
        return (struct effect){LIN_ABSENT, LIN_DONE};
    if (op->function == LIN_CAS && state != op->from)
        return (struct effect){state, LIN_CONFLICT};
    return (struct effect){op->arg, LIN_DONE};
}

static struct effect pin_effect(uint64_t limit, uint64_t state, const struct lin_op *op)
{
    if (op->function == LIN_READ)
        return (struct effect){state, state};
    if (op->function == LIN_UNLOCK)
        return (struct effect){0, LIN_DONE};
    if (limit != 0 && state >= limit)
        return (struct effect){state, LIN_LOCKED};
    if (op->function == LIN_RIGHT)
        return (struct effect){0, LIN_DONE};
    bool locks = limit != 0 && state + 1 == limit && op->result == LIN_LOCKED; /* may say so */
    return (struct effect){state + 1, locks ? LIN_LOCKED : LIN_INCORRECT};
}

static struct effect set_effect(uint64_t state, const struct lin_op *op)
{
    uint64_t bit = UINT64_C(1) << (op->arg & 63);
    bool has = (state & bit) != 0;
    if (op->function == LIN_READ)
        return (struct effect){state, state};
    if (op->function == LIN_HAS)
        return (struct effect){state, has ? 1 : 0};
    if (op->function == LIN_ADD)
        return (struct effect){state | bit, has ? LIN_EXISTS : LIN_DONE};
    return (struct effect){state & ~bit, has ? LIN_DONE : LIN_IS_ABSENT};
}

bool lin_step(const struct lin_history *history, uint64_t state, const struct lin_op *op,
              uint64_t *out_state)
{
    struct effect effect;
    if (history->model == LIN_OBJECT)
        effect = object_effect(state, op);
    else if (history->model == LIN_PIN)
        effect = pin_effect(history->limit, state, op);
    else
        effect = set_effect(state, op);
    if (op->outcome == LIN_OK && op->result != effect.result)
        return false;
    *out_state = effect.state;
    return true;
}

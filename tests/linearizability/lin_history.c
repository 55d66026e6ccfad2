/* SPDX-License-Identifier: Apache-2.0 */
/* Histories by key, and their text. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/linearizability/lin.h"

#define WORDS_MAX    9U
#define LINE_LEN_MAX 255U

static void *grow(void *items, size_t size, size_t count, size_t *cap)
{
    if (count < *cap)
        return items;
    *cap = *cap == 0 ? 16 : *cap * 2;
    void *more = realloc(items, *cap * size);
    if (more == NULL) {
        (void)fputs("linearizability: no memory\n", stderr);
        abort();
    }
    return more;
}

void lin_histories_clear(struct lin_histories *histories)
{
    for (size_t i = 0; i < histories->count; i++)
        free(histories->items[i].ops);
    free(histories->items);
    *histories = (struct lin_histories){.items = NULL};
}

struct lin_history *lin_histories_key(struct lin_histories *histories, enum lin_model_kind model,
                                      const char *key, uint64_t limit)
{
    for (size_t i = 0; i < histories->count; i++)
        if (histories->items[i].model == model && strcmp(histories->items[i].key, key) == 0)
            return &histories->items[i];
    histories->items =
        grow(histories->items, sizeof *histories->items, histories->count, &histories->cap);
    struct lin_history *history = &histories->items[histories->count++];
    *history = (struct lin_history){.model = model, .limit = limit};
    (void)snprintf(history->key, sizeof history->key, "%s", key);
    return history;
}

struct lin_op *lin_add(struct lin_history *history, const struct lin_op *op)
{
    history->ops = grow(history->ops, sizeof *history->ops, history->count, &history->cap);
    history->ops[history->count] = *op;
    return &history->ops[history->count++];
}

/* ---- text */

struct parser {
    struct lin_histories *out;
    struct lin_error *error;
    char *words[WORDS_MAX];
    size_t word_count;
};

static bool wrong(struct parser *parser, const char *what)
{
    (void)snprintf(parser->error->text, sizeof parser->error->text, "%s", what);
    return false;
}

static bool number(const char *word, uint64_t *out)
{
    char *end = NULL;
    if (strcmp(word, "absent") == 0) {
        *out = LIN_ABSENT;
        return true;
    }
    errno = 0;
    *out = strtoull(word, &end, 10);
    return word[0] >= '0' && word[0] <= '9' && *end == 0 && errno == 0;
}

static bool find_model(const char *word, enum lin_model_kind *out)
{
    for (unsigned i = 0; i < LIN_MODEL_COUNT; i++) {
        *out = (enum lin_model_kind)i;
        if (strcmp(word, lin_model_name(*out)) == 0)
            return true;
    }
    return false;
}

static bool find_function(const char *word, enum lin_function *out)
{
    for (unsigned i = 0; i < LIN_FUNCTION_COUNT; i++) {
        *out = (enum lin_function)i;
        if (strcmp(word, lin_function_name(*out)) == 0)
            return true;
    }
    return false;
}

static bool find_answer(const char *word, uint64_t *out)
{
    for (unsigned i = 0; i < LIN_ANSWER_COUNT; i++) {
        *out = i;
        if (strcmp(word, lin_answer_name((enum lin_answer)i)) == 0)
            return true;
    }
    return false;
}

/* The operation of the process that has not ended. */
static struct lin_op *find_open(struct lin_history *history, uint64_t process,
                                enum lin_function function)
{
    for (size_t i = history->count; i > 0; i--) {
        struct lin_op *op = &history->ops[i - 1];
        if (op->process == process && op->function == function && op->returned == LIN_NEVER &&
            op->line != 0)
            return op;
    }
    return NULL;
}

static size_t arity(enum lin_function function)
{
    static const uint8_t counts[LIN_FUNCTION_COUNT] = {
        [LIN_CREATE] = 1, [LIN_MODIFY] = 1, [LIN_CAS] = 2,
        [LIN_ADD] = 1,    [LIN_REMOVE] = 1, [LIN_HAS] = 1};
    return counts[function];
}

static bool invoke(struct parser *parser, struct lin_history *history, struct lin_op *op)
{
    char **words = parser->words;
    size_t arguments = parser->word_count - 6;
    if (arguments != arity(op->function))
        return wrong(parser, "the function has another number of arguments");
    if (arguments > 0 && !number(words[5], &op->arg))
        return wrong(parser, "arguments are numbers");
    if (arguments == 2) {
        op->from = op->arg;
        if (!number(words[6], &op->arg))
            return wrong(parser, "arguments are numbers");
    }
    op->outcome = LIN_UNKNOWN;
    op->returned = LIN_NEVER;
    op->line = parser->error->line;
    if (!number(words[parser->word_count - 1], &op->called))
        return wrong(parser, "the time is a number");
    (void)lin_add(history, op);
    return true;
}

static bool set_result(struct parser *parser, struct lin_op *op)
{
    const char *word = parser->words[5];
    if (parser->word_count == 6) {
        op->result = LIN_DONE;
        return !lin_is_read(op->function) || wrong(parser, "a read has a result");
    }
    if (lin_is_read(op->function) ? number(word, &op->result) : find_answer(word, &op->result))
        return true;
    return wrong(parser, "no such result");
}

static bool end(struct parser *parser, struct lin_history *history, const struct lin_op *wanted)
{
    const char *how = parser->words[1];
    struct lin_op *op = find_open(history, wanted->process, wanted->function);
    uint64_t time = 0;
    if (op == NULL)
        return wrong(parser, "this process has not begun such an operation");
    if (!number(parser->words[parser->word_count - 1], &time) || time < op->called)
        return wrong(parser, "the time is a number, not before the call's");
    if (strcmp(how, "unknown") == 0) {
        op->line = 0; /* ended, without a return */
        return true;
    }
    if (strcmp(how, "fail") == 0) {
        *op = history->ops[--history->count];
        return true;
    }
    if (strcmp(how, "ok") != 0)
        return wrong(parser, "events are invoke, ok, fail and unknown");
    op->outcome = LIN_OK;
    op->returned = time;
    return set_result(parser, op);
}

static bool event(struct parser *parser)
{
    enum lin_model_kind model = LIN_OBJECT;
    struct lin_op op = {.line = 0};
    if (parser->word_count < 6)
        return wrong(parser, "PROCESS EVENT MODEL KEY FUNCTION [...] TIME");
    if (!number(parser->words[0], &op.process))
        return wrong(parser, "the process is a number");
    if (!find_model(parser->words[2], &model))
        return wrong(parser, "no such model");
    if (!find_function(parser->words[4], &op.function))
        return wrong(parser, "no such function");
    struct lin_history *history = lin_histories_key(parser->out, model, parser->words[3], 0);
    if (strcmp(parser->words[1], "invoke") == 0)
        return invoke(parser, history, &op);
    return end(parser, history, &op);
}

static bool line(struct parser *parser, char *text)
{
    char *rest = NULL;
    parser->word_count = 0;
    for (char *word = strtok_r(text, " \t\r", &rest);
         word != NULL && word[0] != '#' && parser->word_count < WORDS_MAX;
         word = strtok_r(NULL, " \t\r", &rest))
        parser->words[parser->word_count++] = word;
    if (parser->word_count == 0)
        return true;
    if (strcmp(parser->words[0], "limit") != 0)
        return event(parser);
    uint64_t limit = 0;
    if (parser->word_count != 3 || !number(parser->words[2], &limit))
        return wrong(parser, "limit KEY N");
    lin_histories_key(parser->out, LIN_PIN, parser->words[1], 0)->limit = limit;
    return true;
}

bool lin_parse(const char *text, struct lin_histories *out, struct lin_error *error)
{
    struct parser parser = {.out = out, .error = error};
    *error = (struct lin_error){.line = 0};
    while (*text != 0) {
        char copy[LINE_LEN_MAX + 1];
        size_t len = strcspn(text, "\n");
        error->line++;
        if (len > LINE_LEN_MAX)
            return wrong(&parser, "the line is too long");
        memcpy(copy, text, len);
        copy[len] = 0;
        if (!line(&parser, copy))
            return false;
        text += len + (text[len] == '\n' ? 1 : 0);
    }
    return true;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* check FILE...: are the recorded histories linearizable? Each key is a history of its own. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/linearizability/lin.h"

#define STEPS_MAX ((size_t)50 * 1000 * 1000)

static const char usage[] =
    "Usage: check [-q] FILE...\n"
    "Checks recorded histories (tests/linearizability/lin.h has their form), - for standard "
    "input.\n"
    "A key in several files is one history; exits 0 when all are linearizable, 1 when one is not,\n"
    "2 when a file cannot be read, 3 when one could not be decided in the steps that are given to\n"
    "it. -q prints the totals only.\n";

static char *read_all(FILE *file)
{
    size_t len = 0;
    size_t cap = (size_t)64 * 1024;
    char *text = calloc(1, cap);
    while (text != NULL) {
        len += fread(text + len, 1, cap - len - 1, file);
        text[len] = 0;
        if (feof(file) || ferror(file))
            return text;
        cap *= 2;
        char *more = realloc(text, cap);
        if (more == NULL)
            free(text);
        text = more;
    }
    return NULL;
}

static bool read_file(const char *name, struct lin_histories *out)
{
    FILE *file = strcmp(name, "-") == 0 ? stdin : fopen(name, "re");
    char *text = file != NULL ? read_all(file) : NULL;
    if (file != NULL && file != stdin)
        (void)fclose(file);
    if (text == NULL) {
        (void)fprintf(stderr, "check: %s: %s\n", name, strerror(errno));
        return false;
    }
    struct lin_error error;
    bool good = lin_parse(text, out, &error);
    if (!good)
        (void)fprintf(stderr, "check: %s:%u: %s\n", name, error.line, error.text);
    free(text);
    return good;
}

static void print_op(const struct lin_history *history, const struct lin_op *op)
{
    printf("  line %u: process %" PRIu64 " %s %s %s", op->line, op->process,
           lin_model_name(history->model), history->key, lin_function_name(op->function));
    if (lin_is_read(op->function) && op->result == LIN_ABSENT)
        printf(" gave absent");
    else if (lin_is_read(op->function))
        printf(" gave %" PRIu64, op->result);
    else
        printf(" %" PRIu64 " was %s", op->arg, lin_answer_name((enum lin_answer)op->result));
    printf(", %" PRIu64 " to %" PRIu64 "\n", op->called, op->returned);
}

struct totals {
    size_t histories, operations, unknown, violations, undecided;
};

static void check_one(const struct lin_history *history, bool quiet, struct totals *totals)
{
    struct lin_report report;
    enum lin_verdict verdict = lin_check(history, STEPS_MAX, &report);
    totals->histories++;
    totals->operations += history->count;
    for (size_t i = 0; i < history->count; i++)
        totals->unknown += history->ops[i].outcome == LIN_UNKNOWN ? 1 : 0;
    totals->violations += verdict == LIN_VIOLATION ? 1 : 0;
    totals->undecided += verdict == LIN_TOO_MANY ? 1 : 0;
    if (verdict == LIN_LINEARIZABLE && quiet)
        return;
    static const char *const words[] = {"linearizable", "NOT LINEARIZABLE", "undecided"};
    printf("%s %s: %zu operations, %s (%zu steps)\n", lin_model_name(history->model), history->key,
           history->count, words[verdict], report.steps);
    if (verdict == LIN_VIOLATION && report.stuck != NULL)
        print_op(history, report.stuck);
}

int main(int argc, char **argv)
{
    bool quiet = argc > 1 && strcmp(argv[1], "-q") == 0;
    int first = quiet ? 2 : 1;
    struct lin_histories histories = {.items = NULL};
    struct totals totals = {.histories = 0};
    if (argc <= first || strcmp(argv[first], "--help") == 0) {
        (void)fputs(usage, argc > first ? stdout : stderr);
        return argc > first ? 0 : 2;
    }
    for (int i = first; i < argc; i++)
        if (!read_file(argv[i], &histories))
            return 2;
    for (size_t i = 0; i < histories.count; i++)
        check_one(&histories.items[i], quiet, &totals);
    printf(
        "%zu histories, %zu operations (%zu of unknown outcome): %zu violations, %zu undecided\n",
        totals.histories, totals.operations, totals.unknown, totals.violations, totals.undecided);
    lin_histories_clear(&histories);
    if (totals.violations > 0)
        return 1;
    return totals.undecided > 0 ? 3 : 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The checker on histories whose verdict is known, and on random ones made from a real order. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/linearizability/lin.h"
#include "tests/unit/unit.h"

#define STEPS_MAX 1000000U

static enum lin_verdict verdict_of(const char *text)
{
    struct lin_histories histories = {.items = NULL};
    struct lin_error error;
    struct lin_report report;
    enum lin_verdict worst = LIN_LINEARIZABLE;
    if (!lin_parse(text, &histories, &error)) {
        (void)fprintf(stderr, "line %u: %s\n", error.line, error.text);
        CU_FAIL("the history cannot be read");
    }
    for (size_t i = 0; i < histories.count; i++) {
        enum lin_verdict verdict = lin_check(&histories.items[i], STEPS_MAX, &report);
        worst = verdict > worst ? verdict : worst;
    }
    lin_histories_clear(&histories);
    return worst;
}

static void good(const char *text)
{
    CU_ASSERT_EQUAL(verdict_of(text), LIN_LINEARIZABLE);
}

static void bad(const char *text)
{
    CU_ASSERT_EQUAL(verdict_of(text), LIN_VIOLATION);
}

static void an_empty_history_is_linearizable(void)
{
    good("");
    good("# nothing\n\n");
}

static void a_read_sees_what_was_written_before(void)
{
    good("1 invoke object k create 5 10\n1 ok object k create 20\n"
         "2 invoke object k read 30\n2 ok object k read 5 40\n");
    bad("1 invoke object k create 5 10\n1 ok object k create 20\n"
        "2 invoke object k read 30\n2 ok object k read absent 40\n");
    bad("1 invoke object k create 5 10\n1 ok object k create 20\n"
        "2 invoke object k read 30\n2 ok object k read 6 40\n");
}

#define DURING_A_WRITE(value)                                                             \
    "1 invoke object k create 5 1\n1 ok object k create 2\n"                              \
    "1 invoke object k modify 6 10\n2 invoke object k read 11\n2 ok object k read " value \
    " 12\n1 ok object k modify 20\n"

static void a_read_during_a_write_sees_either(void)
{
    good(DURING_A_WRITE("5"));
    good(DURING_A_WRITE("6"));
    bad(DURING_A_WRITE("7"));
}

/* New, then old again, both while the write goes on. */
#define TWO_READS(first, second)                                                            \
    "1 invoke object k create 5 1\n1 ok object k create 2\n1 invoke object k modify 6 10\n" \
    "2 invoke object k read 11\n2 ok object k read " first                                  \
    " 12\n3 invoke object k read 13\n3 ok object k read " second " 14\n1 ok object k modify 20\n"

static void two_reads_do_not_go_back_in_time(void)
{
    good(TWO_READS("5", "6"));
    bad(TWO_READS("6", "5"));
}

#define TWO_WRITES(first, second)                                    \
    "9 invoke object k create 0 0\n9 ok object k create 0\n"         \
    "1 invoke object k modify 1 10\n2 invoke object k modify 2 10\n" \
    "1 ok object k modify 20\n2 ok object k modify 20\n"             \
    "3 invoke object k read 30\n3 ok object k read " first           \
    " 40\n4 invoke object k read 30\n4 ok object k read " second " 40\n"

static void overlapping_writes_are_seen_in_one_order_by_all(void)
{
    good(TWO_WRITES("1", "1"));
    good(TWO_WRITES("2", "2"));
    bad(TWO_WRITES("1", "2"));
}

static void an_unknown_write_may_take_effect_late(void)
{
    good("1 invoke object k create 5 1\n1 ok object k create 2\n"
         "1 invoke object k modify 6 3\n1 unknown object k modify 10\n"
         "2 invoke object k read 20\n2 ok object k read 5 21\n"
         "2 invoke object k read 30\n2 ok object k read 6 31\n");
    /* it takes effect once: not 6, 5 and 6 again */
    bad("1 invoke object k create 5 1\n1 ok object k create 2\n"
        "1 invoke object k modify 6 3\n1 unknown object k modify 10\n"
        "2 invoke object k read 20\n2 ok object k read 6 21\n"
        "2 invoke object k modify 5 22\n2 ok object k modify 23\n"
        "2 invoke object k read 24\n2 ok object k read 6 25\n");
}

static void an_unknown_write_may_never_take_effect(void)
{
    good("1 invoke object k create 5 1\n1 unknown object k create 2\n"
         "2 invoke object k read 20\n2 ok object k read absent 21\n");
    good("1 invoke object k create 5 1\n"
         "2 invoke object k create 6 20\n2 ok object k create 21\n"
         "2 invoke object k read 22\n2 ok object k read 6 23\n");
}

static void an_unknown_write_takes_no_effect_before_it_was_called(void)
{
    bad("2 invoke object k read 1\n2 ok object k read 5 2\n"
        "1 invoke object k create 5 3\n1 unknown object k create 4\n");
}

static void a_failed_write_is_seen_by_nobody(void)
{
    bad("1 invoke object k create 5 1\n1 fail object k create 2\n"
        "2 invoke object k read 3\n2 ok object k read 5 4\n");
    good("1 invoke object k create 5 1\n1 fail object k create 2\n"
         "2 invoke object k read 3\n2 ok object k read absent 4\n");
}

static void refusals_are_checked_too(void)
{
    bad("1 invoke object k create 5 1\n1 ok object k create 2\n"
        "2 invoke object k destroy 3\n2 ok object k destroy absent 4\n");
    bad("1 invoke object k cas 1 2 1\n1 ok object k cas 2\n");
    good("1 invoke object k create 1 1\n1 ok object k create 2\n"
         "1 invoke object k cas 1 2 3\n1 ok object k cas 4\n"
         "2 invoke object k cas 1 3 5\n2 ok object k cas conflict 6\n"
         "2 invoke object k destroy 7\n2 ok object k destroy 8\n"
         "2 invoke object k read 9\n2 ok object k read absent 10\n");
}

/* Two who change from the same version: one wins. */
static void compare_and_swap_has_one_winner(void)
{
    bad("1 invoke object k create 1 1\n1 ok object k create 2\n"
        "1 invoke object k cas 1 2 3\n2 invoke object k cas 1 3 3\n"
        "1 ok object k cas 9\n2 ok object k cas 9\n");
}

static void keys_are_histories_of_their_own(void)
{
    good("1 invoke object a create 1 1\n1 ok object a create 2\n"
         "1 invoke object b read 3\n1 ok object b read absent 4\n");
}

static void a_pin_counter_counts_each_wrong_try(void)
{
    good("limit u 2\n1 invoke pin u wrong 1\n1 ok pin u wrong incorrect 2\n"
         "2 invoke pin u wrong 3\n2 ok pin u wrong incorrect 4\n"
         "1 invoke pin u right 5\n1 ok pin u right locked 6\n"
         "1 invoke pin u read 7\n1 ok pin u read 2 8\n"
         "1 invoke pin u unlock 9\n1 ok pin u unlock 10\n"
         "1 invoke pin u right 11\n1 ok pin u right 12\n");
    /* a third guess */
    bad("limit u 2\n1 invoke pin u wrong 1\n1 ok pin u wrong incorrect 2\n"
        "2 invoke pin u wrong 3\n2 ok pin u wrong incorrect 4\n"
        "3 invoke pin u wrong 5\n3 ok pin u wrong incorrect 6\n");
    /* three at once are no more than two either */
    bad("limit u 2\n1 invoke pin u wrong 1\n2 invoke pin u wrong 1\n3 invoke pin u wrong 1\n"
        "1 ok pin u wrong incorrect 9\n2 ok pin u wrong incorrect 9\n"
        "3 ok pin u wrong incorrect 9\n");
    /* locked, though nobody tried */
    bad("limit u 2\n1 invoke pin u right 1\n1 ok pin u right locked 2\n");
}

static void unknown_tries_may_have_counted(void)
{
    good("limit u 2\n1 invoke pin u wrong 1\n1 unknown pin u wrong 2\n"
         "2 invoke pin u wrong 3\n2 ok pin u wrong incorrect 4\n"
         "2 invoke pin u right 5\n2 ok pin u right locked 6\n");
    good("limit u 2\n1 invoke pin u wrong 1\n1 unknown pin u wrong 2\n"
         "2 invoke pin u wrong 3\n2 ok pin u wrong incorrect 4\n"
         "2 invoke pin u right 5\n2 ok pin u right 6\n");
}

/* As many unknown tries as known ones: not each subset of them is tried. */
static void many_unknown_tries_are_decided(void)
{
    struct lin_histories histories = {.items = NULL};
    struct lin_history *history = lin_histories_key(&histories, LIN_PIN, "u", 0);
    struct lin_report report;
    for (uint64_t i = 0; i < 60; i++) {
        struct lin_op try = {
            .function = LIN_WRONG, .outcome = LIN_UNKNOWN, .called = i * 10, .returned = LIN_NEVER};
        (void)lin_add(history, &try);
        try.outcome = LIN_OK;
        try.result = LIN_INCORRECT;
        try.returned = i * 10 + 5;
        (void)lin_add(history, &try);
    }
    struct lin_op read = {.function = LIN_READ, .called = 1000, .returned = 1001, .result = 75};
    struct lin_op *last = lin_add(history, &read);
    CU_ASSERT_EQUAL(lin_check(history, STEPS_MAX, &report), LIN_LINEARIZABLE);
    last->result = 59;
    CU_ASSERT_EQUAL(lin_check(history, STEPS_MAX, &report), LIN_VIOLATION);
    last->result = 121;
    CU_ASSERT_EQUAL(lin_check(history, STEPS_MAX, &report), LIN_VIOLATION);
    lin_histories_clear(&histories);
}

/* As above, of users: what unknown changes leave as it was, and what more of them lead to, is not
 * tried. */
static void many_unknown_changes_of_a_set_are_decided(void)
{
    enum { ELEMENTS = 6, ROUNDS = 16 };
    struct lin_histories histories = {.items = NULL};
    struct lin_history *history = lin_histories_key(&histories, LIN_SET, "s", 0);
    struct lin_report report;
    for (uint64_t i = 0; i < ROUNDS; i++) {
        struct lin_op op = {.function = LIN_ADD,
                            .arg = i % ELEMENTS,
                            .outcome = LIN_UNKNOWN,
                            .called = i * 10,
                            .returned = LIN_NEVER};
        (void)lin_add(history, &op);
        op.function = LIN_REMOVE;
        (void)lin_add(history, &op);
        op = (struct lin_op){.function = LIN_READ, .called = i * 10 + 4, .returned = i * 10 + 8};
        op.result = i % 4 == 3 ? UINT64_C(1) << (i % ELEMENTS) : 0;
        (void)lin_add(history, &op);
    }
    CU_ASSERT_EQUAL(lin_check(history, STEPS_MAX, &report), LIN_LINEARIZABLE);
    history->ops[history->count - 1].result = 1U << ELEMENTS;
    CU_ASSERT_EQUAL(lin_check(history, STEPS_MAX, &report), LIN_VIOLATION);
    lin_histories_clear(&histories);
}

static void a_set_lists_what_was_added(void)
{
    good("1 invoke set s add 0 1\n1 ok set s add 2\n1 invoke set s add 2 3\n1 ok set s add 4\n"
         "2 invoke set s read 5\n2 ok set s read 5 6\n"
         "2 invoke set s remove 0 7\n2 ok set s remove 8\n"
         "2 invoke set s has 0 9\n2 ok set s has 0 10\n2 invoke set s read 11\n"
         "2 ok set s read 4 12\n");
    /* an element is lost */
    bad("1 invoke set s add 0 1\n1 ok set s add 2\n1 invoke set s add 2 3\n1 ok set s add 4\n"
        "2 invoke set s read 5\n2 ok set s read 4 6\n");
    /* added twice */
    bad("1 invoke set s add 0 1\n1 ok set s add 2\n1 invoke set s add 0 3\n1 ok set s add 4\n");
}

static void a_text_of_another_form_is_refused(void)
{
    static const char *const texts[] = {
        "1 invoke object k create 5\n",
        "x invoke object k create 5 1\n",
        "1 invoke table k create 5 1\n",
        "1 invoke object k burn 5 1\n",
        "1 ok object k create 1\n",
        "1 invoke object k create 5 10\n1 ok object k create 9\n",
        "1 invoke object k read 10\n1 ok object k read 11\n",
        "1 invoke object k create 5 10\n1 done object k create 11\n",
        "1 invoke object k create 5 10\n1 ok object k create perhaps 11\n",
        "limit k\n",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct lin_histories histories = {.items = NULL};
        struct lin_error error;
        CU_ASSERT_FALSE(lin_parse(texts[i], &histories, &error));
        CU_ASSERT_NOT_EQUAL(error.text[0], 0);
        lin_histories_clear(&histories);
    }
}

/* ---- random histories: operations of many processes at moments that are known, whose calls and
 * returns lie around them; some are unknown */

static uint64_t random_state;

static uint64_t draw(uint64_t below)
{
    random_state = random_state * 6364136223846793005U + 1442695040888963407U;
    return (random_state >> 33) % below;
}

static void random_history(struct lin_history *out, size_t count)
{
    uint64_t state = LIN_ABSENT;
    for (size_t i = 0; i < count; i++) {
        uint64_t at = 1000 + i * 10;
        struct lin_op op = {.process = i,
                            .function = draw(2) == 0 ? LIN_READ : LIN_MODIFY,
                            .arg = draw(5),
                            .called = at - draw(60),
                            .returned = at + draw(60),
                            .line = (unsigned)i + 1};
        if (i == 0)
            op.function = LIN_CREATE;
        if (op.function == LIN_READ)
            op.result = state;
        else
            state = op.arg;
        if (op.function != LIN_READ && draw(20) == 0)
            op.outcome = LIN_UNKNOWN;
        (void)lin_add(out, &op);
    }
}

static void a_history_of_a_known_order_is_linearizable(void)
{
    for (unsigned seed = 1; seed <= 50; seed++) {
        struct lin_histories histories = {.items = NULL};
        struct lin_report report;
        random_state = seed;
        random_history(lin_histories_key(&histories, LIN_OBJECT, "k", 0), 120);
        CU_ASSERT_EQUAL(lin_check(&histories.items[0], STEPS_MAX, &report), LIN_LINEARIZABLE);
        lin_histories_clear(&histories);
    }
}

static void a_value_from_nowhere_in_a_long_history_is_found(void)
{
    for (unsigned seed = 1; seed <= 50; seed++) {
        struct lin_histories histories = {.items = NULL};
        struct lin_report report;
        random_state = seed;
        struct lin_history *history = lin_histories_key(&histories, LIN_OBJECT, "k", 0);
        random_history(history, 80);
        for (size_t i = 40; i < history->count; i++) {
            if (history->ops[i].function != LIN_READ)
                continue;
            history->ops[i].result = 77;
            break;
        }
        CU_ASSERT_EQUAL(lin_check(history, STEPS_MAX, &report), LIN_VIOLATION);
        CU_ASSERT_PTR_NOT_NULL(report.stuck);
        lin_histories_clear(&histories);
    }
}

UNIT_SUITE("linearizability", UNIT_CASE(an_empty_history_is_linearizable),
           UNIT_CASE(a_read_sees_what_was_written_before),
           UNIT_CASE(a_read_during_a_write_sees_either),
           UNIT_CASE(two_reads_do_not_go_back_in_time),
           UNIT_CASE(overlapping_writes_are_seen_in_one_order_by_all),
           UNIT_CASE(an_unknown_write_may_take_effect_late),
           UNIT_CASE(an_unknown_write_may_never_take_effect),
           UNIT_CASE(an_unknown_write_takes_no_effect_before_it_was_called),
           UNIT_CASE(a_failed_write_is_seen_by_nobody), UNIT_CASE(refusals_are_checked_too),
           UNIT_CASE(compare_and_swap_has_one_winner), UNIT_CASE(keys_are_histories_of_their_own),
           UNIT_CASE(a_pin_counter_counts_each_wrong_try),
           UNIT_CASE(unknown_tries_may_have_counted), UNIT_CASE(many_unknown_tries_are_decided),
           UNIT_CASE(many_unknown_changes_of_a_set_are_decided),
           UNIT_CASE(a_set_lists_what_was_added), UNIT_CASE(a_text_of_another_form_is_refused),
           UNIT_CASE(a_history_of_a_known_order_is_linearizable),
           UNIT_CASE(a_value_from_nowhere_in_a_long_history_is_found));

/* SPDX-License-Identifier: Apache-2.0 */
/* Is a recorded history of one object linearizable? Wing and Gong's search with Lowe's memory of
 * configurations (set of operations done, state). Herlihy and Wing 1990; Lowe 2017. */
#ifndef QHSM_TESTS_LIN_H
#define QHSM_TESTS_LIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LIN_NEVER    UINT64_MAX /* has not returned */
#define LIN_ABSENT   UINT64_MAX /* a value: there is none */
#define LIN_NAME_MAX 63U

enum lin_outcome {
    LIN_OK,      /* it took effect, and this was its answer */
    LIN_UNKNOWN, /* it may take effect at any time after it was called, or never */
};

/* What a key is. A model is total: for each state and operation it says which answers are right. */
enum lin_model_kind { LIN_OBJECT, LIN_PIN, LIN_SET, LIN_MODEL_COUNT };

/* Operations of all models; arguments and results are numbers. */
enum lin_function {
    LIN_CREATE,  /* object: arg value; done, or `exists` */
    LIN_READ,    /* object: result value or LIN_ABSENT; pin: result tries; set: result bit mask */
    LIN_MODIFY,  /* object: arg value; done, or `absent` */
    LIN_CAS,     /* object: from, arg: done, `conflict` or `absent` */
    LIN_DESTROY, /* object: done, or `absent` */
    LIN_WRONG,   /* pin: `incorrect`, `locked`; the one that locks may say either */
    LIN_RIGHT,   /* pin: done or `locked` */
    LIN_UNLOCK,  /* pin: done */
    LIN_ADD,     /* set: arg element; done, or `exists` */
    LIN_REMOVE,  /* set: arg element; done, or `absent` */
    LIN_HAS,     /* set: arg element; result 0 or 1 */
    LIN_FUNCTION_COUNT
};

enum lin_answer {
    LIN_DONE,
    LIN_EXISTS,
    LIN_IS_ABSENT,
    LIN_CONFLICT,
    LIN_INCORRECT,
    LIN_LOCKED,
    LIN_ANSWER_COUNT
};

struct lin_op {
    uint64_t process;
    enum lin_function function;
    uint64_t from, arg;
    enum lin_outcome outcome;
    uint64_t result; /* of reads a value, of others an enum lin_answer */
    uint64_t called, returned;
    unsigned line; /* in the file; 0: none */
};

struct lin_history {
    char key[LIN_NAME_MAX + 1];
    enum lin_model_kind model;
    uint64_t limit; /* pin: wrong tries that lock; 0: none do */
    struct lin_op *ops;
    size_t count, cap;
};

/* lin_model.c */
uint64_t lin_start(enum lin_model_kind model);
/* May the operation be answered so in `state`? The state after it. An unknown outcome fits all. */
bool lin_step(const struct lin_history *history, uint64_t state, const struct lin_op *op,
              uint64_t *out_state);
bool lin_is_read(enum lin_function function);
const char *lin_function_name(enum lin_function function);
const char *lin_model_name(enum lin_model_kind model);
const char *lin_answer_name(enum lin_answer answer);

enum lin_verdict { LIN_LINEARIZABLE, LIN_VIOLATION, LIN_TOO_MANY };
struct lin_report {
    size_t steps;               /* tried */
    size_t longest;             /* operations that could be put in order at most */
    const struct lin_op *stuck; /* of a violation: the first return that could not be passed */
};
/* LIN_TOO_MANY when more than `steps_max` were tried without an answer (0: no limit). Aborts
 * without memory. */
enum lin_verdict lin_check(const struct lin_history *history, size_t steps_max,
                           struct lin_report *out);

/* ---- histories by key (lin_history.c) */

struct lin_histories {
    struct lin_history *items;
    size_t count, cap;
};
void lin_histories_clear(struct lin_histories *histories);
/* The key's history, made when it is new. */
struct lin_history *lin_histories_key(struct lin_histories *histories, enum lin_model_kind model,
                                      const char *key, uint64_t limit);
struct lin_op *lin_add(struct lin_history *history, const struct lin_op *op);

/* Text, one event a line, in any order of processes but each process's own:
 *   PROCESS invoke MODEL KEY FUNCTION [ARGUMENTS] TIME
 *   PROCESS ok MODEL KEY FUNCTION [RESULT] TIME
 *   PROCESS fail|unknown MODEL KEY FUNCTION TIME
 * and `limit KEY N` for a pin. `fail`: it had no effect for sure. An invoke without an end is
 * unknown. Blank lines and # comments are skipped. False, with what is wrong, for another text. */
struct lin_error {
    unsigned line;
    char text[160];
};
bool lin_parse(const char *text, struct lin_histories *out, struct lin_error *error);

#endif

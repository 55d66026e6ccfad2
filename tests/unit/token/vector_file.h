/* SPDX-License-Identifier: Apache-2.0 */
/* Reader of the vector files in tests/vectors (format: README.md there). */
#ifndef QHSM_TESTS_VECTOR_FILE_H
#define QHSM_TESTS_VECTOR_FILE_H

#include "common/attribute.h"
#include "common/buf.h"
#include "common/mechanism.h"

#define VECTOR_LINES_MAX 48U

struct vector_line {
    char *name;
    char *value;
};

struct vector {
    const char *path;
    unsigned number; /* of its first line */
    struct vector_line lines[VECTOR_LINES_MAX];
    size_t count;
    bool has_source;
};

/* Calls `run` for each entry in order. A malformed file fails the test that reads it. */
void vector_file_each(const char *path, void (*run)(const struct vector *vector, void *context),
                      void *context);

/* NULL when there is no such line. */
const char *vector_text(const struct vector *vector, const char *name);
unsigned long vector_number(const struct vector *vector, const char *name, unsigned long otherwise);
/* Hex or quoted text, appended; an absent line is empty. */
void vector_bytes(const struct vector *vector, const char *name, struct buf *out);
void vector_value(const struct vector *vector, const char *text, struct buf *out);

/* Attributes of the lines "PREFIX.CKA_...", canonical, encoded by attrs_encode(). */
void vector_attrs(const struct vector *vector, const char *prefix, struct buf *out);

/* The mechanism and its parameter; views into `store`. */
struct vector_call {
    struct mech_call call;
    struct buf store[PRF_FIELDS_MAX + 4];
    size_t used;
};
void vector_call_make(const struct vector *vector, struct vector_call *out);
void vector_call_clear(struct vector_call *call);

/* Fails the running case, naming file and line. */
void vector_fail(const struct vector *vector, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif

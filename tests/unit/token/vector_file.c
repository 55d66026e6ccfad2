/* SPDX-License-Identifier: Apache-2.0 */
/* Parsing of vector files: lines `name = value`, entries that begin with `mechanism`. */
#include "vector_file.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/unit/unit.h"

void vector_fail(const struct vector *vector, const char *format, ...)
{
    char text[512];
    const char *mechanism = vector_text(vector, "mechanism");
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    fprintf(stderr, "%s:%u: %s: %s %s\n", vector->path, vector->number,
            mechanism == NULL ? "?" : mechanism, text, rc_detail());
    rc_detail_clear();
    CU_FAIL("vector");
}

static char *trim(char *text)
{
    while (isspace((unsigned char)*text))
        text++;
    char *end = text + strlen(text);
    while (end > text && isspace((unsigned char)end[-1]))
        *--end = 0;
    return text;
}

static void clear(struct vector *vector)
{
    for (size_t i = 0; i < vector->count; i++) {
        free(vector->lines[i].name);
        free(vector->lines[i].value);
    }
    vector->count = 0;
}

static void add(struct vector *vector, char *line)
{
    char *equals = strchr(line, '=');
    if (equals == NULL || vector->count == VECTOR_LINES_MAX) {
        vector_fail(vector, "line \"%s\" is not `name = value`, or one too many", line);
        return;
    }
    *equals = 0;
    struct vector_line *added = &vector->lines[vector->count++];
    added->name = strdup(trim(line));
    added->value = strdup(trim(equals + 1));
}

struct parse {
    struct vector vector;
    void (*run)(const struct vector *vector, void *context);
    void *context;
};

static void flush(struct parse *parse)
{
    if (parse->vector.count > 0) {
        CU_ASSERT_TRUE(parse->vector.has_source);
        parse->run(&parse->vector, parse->context);
    }
    clear(&parse->vector);
}

static void take(struct parse *parse, char *line, unsigned number)
{
    char *comment = strchr(line, '#');
    if (comment != NULL)
        *comment = 0;
    line = trim(line);
    if (*line == 0)
        return;
    if (strncmp(line, "source", 6) == 0 || strncmp(line, "mechanism", 9) == 0)
        flush(parse);
    if (strncmp(line, "source", 6) == 0) {
        parse->vector.has_source = true;
        return;
    }
    if (parse->vector.count == 0)
        parse->vector.number = number;
    add(&parse->vector, line);
}

/* A backslash at the end joins the next line. */
static bool read_line(FILE *file, struct buf *line, unsigned *number)
{
    char *part = NULL;
    size_t cap = 0;
    bool more = true;
    UNIT_OK(buf_resize(line, 0));
    while (more && getline(&part, &cap, file) >= 0) {
        const char *text = trim(part);
        size_t len = strlen(text);
        ++*number;
        more = len > 0 && text[len - 1] == '\\';
        UNIT_OK(buf_append(line, bytes_of(text, more ? len - 1 : len)));
    }
    bool any = !more || line->len > 0;
    free(part);
    UNIT_OK(buf_put_u8(line, 0));
    return any;
}

void vector_file_each(const char *path, void (*run)(const struct vector *vector, void *context),
                      void *context)
{
    struct parse parse = {.vector = {.path = path}, .run = run, .context = context};
    AUTO_BUF line = BUF_INIT;
    unsigned number = 0;
    FILE *file = fopen(path, "re");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    while (read_line(file, &line, &number))
        take(&parse, (char *)line.ptr, number);
    flush(&parse);
    (void)fclose(file);
}

const char *vector_text(const struct vector *vector, const char *name)
{
    for (size_t i = 0; i < vector->count; i++)
        if (strcmp(vector->lines[i].name, name) == 0)
            return vector->lines[i].value;
    return NULL;
}

unsigned long vector_number(const struct vector *vector, const char *name, unsigned long otherwise)
{
    const char *text = vector_text(vector, name);
    char *end = NULL;
    if (text == NULL)
        return otherwise;
    unsigned long number = strtoul(text, &end, 10);
    if (*text == 0 || *end != 0)
        vector_fail(vector, "%s is no number: %s", name, text);
    return number;
}

static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)tolower((unsigned char)c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

void vector_value(const struct vector *vector, const char *text, struct buf *out)
{
    size_t len = strlen(text);
    if (len >= 2 && text[0] == '"' && text[len - 1] == '"') {
        UNIT_OK(buf_append(out, bytes_of(text + 1, len - 2)));
        return;
    }
    int high = -1;
    for (; *text != 0; text++) {
        if (isspace((unsigned char)*text))
            continue;
        int value = digit(*text);
        if (value < 0) {
            vector_fail(vector, "not hex: %s", text);
            return;
        }
        if (high >= 0)
            UNIT_OK(buf_put_u8(out, (uint8_t)(high << 4 | value)));
        high = high >= 0 ? -1 : value;
    }
    if (high >= 0)
        vector_fail(vector, "hex with an odd number of digits");
}

void vector_bytes(const struct vector *vector, const char *name, struct buf *out)
{
    const char *text = vector_text(vector, name);
    if (text != NULL)
        vector_value(vector, text, out);
}

/* Numbers and truth values are written as such, not in their canonical bytes. */
static void attr_value(const struct vector *vector, const struct attr_info *info, const char *text,
                       struct buf *out)
{
    uint8_t number[8];
    switch (info->kind) {
    case ATTR_BOOL:
        UNIT_OK(buf_append(out, attr_bool(strcmp(text, "yes") == 0)));
        return;
    case ATTR_ULONG:
        UNIT_OK(buf_append(out, attr_ulong(number, strtoul(text, NULL, 0))));
        return;
    case ATTR_BYTES:
    case ATTR_BIGINT:
    case ATTR_STRING:
    case ATTR_DATE:
    case ATTR_MECHANISMS:
    case ATTR_TEMPLATE:
        vector_value(vector, text, out);
    }
}

void vector_attrs(const struct vector *vector, const char *prefix, struct buf *out)
{
    struct attr_list list = {.count = 0};
    struct buf values[VECTOR_LINES_MAX];
    size_t used = 0;
    size_t len = strlen(prefix);
    for (size_t i = 0; i < vector->count; i++) {
        const struct vector_line *line = &vector->lines[i];
        if (strncmp(line->name, prefix, len) != 0 || line->name[len] != '.')
            continue;
        const struct attr_info *info = attr_info_by_name(line->name + len + 1);
        if (info == NULL) {
            vector_fail(vector, "no attribute %s", line->name);
            continue;
        }
        values[used] = (struct buf)BUF_INIT;
        attr_value(vector, info, line->value, &values[used]);
        UNIT_OK(attr_list_add(&list, info->type, buf_bytes(&values[used])));
        used++;
    }
    UNIT_OK(attrs_encode(out, attrs_of(&list)));
    for (size_t i = 0; i < used; i++)
        buf_clear(&values[i]);
}

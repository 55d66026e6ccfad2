/* SPDX-License-Identifier: Apache-2.0 */
#include <jansson.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "tools/cli.h"

struct table {
    const struct column *columns;
    size_t column_count;
    char **cells;
    size_t cell_count, cell_cap;
};

enum rc table_new(const struct column *columns, size_t column_count, struct table **out)
{
    struct table *table = calloc(1, sizeof *table);
    if (table == NULL)
        return RC_NO_MEMORY;
    table->columns = columns;
    table->column_count = column_count;
    *out = table;
    return RC_OK;
}

void table_free(struct table *table)
{
    if (table == NULL)
        return;
    for (size_t i = 0; i < table->cell_count; i++)
        free(table->cells[i]);
    free(table->cells);
    free(table);
}

enum rc table_cell(struct table *table, const char *format, ...)
{
    if (table->cell_count == table->cell_cap) {
        size_t cap = table->cell_cap == 0 ? 64 : table->cell_cap * 2;
        char **grown = reallocarray(table->cells, cap, sizeof *grown);
        if (grown == NULL)
            return RC_NO_MEMORY;
        table->cells = grown;
        table->cell_cap = cap;
    }
    va_list args;
    va_start(args, format);
    int len = vasprintf(&table->cells[table->cell_count], format, args);
    va_end(args);
    if (len < 0)
        return RC_NO_MEMORY;
    table->cell_count++;
    return RC_OK;
}

static size_t row_count(const struct table *table)
{
    return table->cell_count / table->column_count;
}

/* Terminals show code points, not bytes. */
static size_t width_of(const char *text)
{
    size_t width = 0;
    for (; *text != 0; text++)
        if (((unsigned char)*text & 0xc0) != 0x80)
            width++;
    return width;
}

/* A label may be anybody's: what it says must not steer the terminal. */
static void print_text(const char *text)
{
    for (; *text != 0; text++)
        (void)putchar((unsigned char)*text < 0x20 || *text == 0x7f ? '?' : *text);
}

static void print_padded(const char *text, size_t width, bool right, bool last)
{
    size_t have = width_of(text);
    int pad = have < width ? (int)(width - have) : 0;
    if (right)
        printf("%*s", pad, "");
    print_text(text);
    if (!right && !last)
        printf("%*s", pad, "");
    printf("%s", last ? "\n" : "  ");
}

static void print_table(const struct table *table)
{
    size_t columns = table->column_count;
    size_t *widths = calloc(columns, sizeof *widths);
    if (widths == NULL)
        return;
    for (size_t c = 0; c < columns; c++) {
        widths[c] = width_of(table->columns[c].title);
        for (size_t r = 0; r < row_count(table); r++) {
            size_t width = width_of(table->cells[r * columns + c]);
            if (width > widths[c])
                widths[c] = width;
        }
    }
    for (size_t c = 0; c < columns; c++)
        print_padded(table->columns[c].title, widths[c], table->columns[c].kind == CELL_NUMBER,
                     c + 1 == columns);
    for (size_t i = 0; i < row_count(table) * columns; i++)
        print_padded(table->cells[i], widths[i % columns],
                     table->columns[i % columns].kind == CELL_NUMBER, i % columns + 1 == columns);
    free(widths);
}

static json_t *list_json(const char *cell)
{
    json_t *array = json_array();
    while (*cell != 0) {
        size_t len = strcspn(cell, ",");
        (void)json_array_append_new(array, json_stringn(cell, len));
        cell += len + (cell[len] == ',' ? 1 : 0);
    }
    return array;
}

static json_t *cell_json(const struct column *column, const char *cell)
{
    switch (column->kind) {
    case CELL_BOOL:
        return json_boolean(strcmp(cell, "true") == 0);
    case CELL_NUMBER: {
        char *end = NULL;
        if (strchr(cell, '.') != NULL) {
            double real = strtod(cell, &end);
            return *cell != 0 && *end == 0 ? json_real(real) : json_null();
        }
        long long number = strtoll(cell, &end, 10);
        return *cell != 0 && *end == 0 ? json_integer(number) : json_null();
    }
    case CELL_LIST:
        return list_json(cell);
    case CELL_TEXT:
        break;
    }
    return json_string(cell);
}

static json_t *row_json(const struct table *table, size_t row)
{
    json_t *object = json_object();
    for (size_t c = 0; c < table->column_count; c++)
        (void)json_object_set_new(
            object, table->columns[c].key,
            cell_json(&table->columns[c], table->cells[row * table->column_count + c]));
    return object;
}

static enum rc print_json(json_t *json)
{
    int failed = json == NULL ? -1 : json_dumpf(json, stdout, JSON_INDENT(2));
    json_decref(json);
    putchar('\n');
    return failed == 0 && fflush(stdout) == 0 ? RC_OK : rc_fail(RC_IO, "standard output");
}

enum rc table_print(const struct table *table, bool json)
{
    if (!json) {
        print_table(table);
        return fflush(stdout) == 0 ? RC_OK : rc_fail(RC_IO, "standard output");
    }
    json_t *array = json_array();
    for (size_t r = 0; r < row_count(table); r++)
        (void)json_array_append_new(array, row_json(table, r));
    return print_json(array);
}

enum rc table_print_object(const struct table *table, bool json)
{
    if (row_count(table) == 0)
        return RC_INTERNAL;
    if (json)
        return print_json(row_json(table, 0));
    size_t width = 0;
    for (size_t c = 0; c < table->column_count; c++)
        if (width_of(table->columns[c].title) > width)
            width = width_of(table->columns[c].title);
    for (size_t c = 0; c < table->column_count; c++) {
        print_padded(table->columns[c].title, width, false, false);
        print_text(table->cells[c]);
        printf("\n");
    }
    return fflush(stdout) == 0 ? RC_OK : rc_fail(RC_IO, "standard output");
}

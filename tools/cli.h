/* SPDX-License-Identifier: Apache-2.0 */
/* The frame of the command line: commands as rows, common options, output, and how an error is
 * told. */
#ifndef QHSM_TOOLS_CLI_H
#define QHSM_TOOLS_CLI_H

#include <argp.h>
#include <stdbool.h>
#include <stdio.h>

#include "common/rc.h"
#include "common/secret.h"

/* What every command may be given; filled by cli_main() before run(). */
struct cli {
    const char *config;   /* --config; NULL: the search order of client.conf */
    bool json;            /* -o json */
    const char *token;    /* --token LABEL or slot number; NULL: client.conf, or the only one */
    const char *user;     /* --user; NULL: the default user */
    const char *pin_file; /* --pin-file; "-" is standard input */
    int pin_fd;           /* --pin-fd; -1: none */
    const char *pin_credential; /* --pin-credential: name under $CREDENTIALS_DIRECTORY */
    bool linearizable;          /* --linearizable: reads see every change acknowledged anywhere */
    char **arguments;           /* what is left after the options */
    int argument_count;
};

/* Which groups of common options a command takes. */
enum cli_common {
    CLI_CONNECTS = 1 << 0,
    CLI_TOKEN = 1 << 1,
    CLI_PIN = 1 << 2,
    CLI_OUTPUT = 1 << 3,
    CLI_READ = 1 << 4
};

/* One command. `parse` gets the command's own options (keys from CLI_OPTION up); NULL when it has
 * none. */
struct command {
    const char *noun;
    const char *verb;      /* one word or two; "" when the noun stands alone */
    const char *arguments; /* "NAME", for the usage line; "" for none */
    const char *summary;   /* one line for the list */
    const char *text;      /* more for --help, or NULL */
    unsigned common;       /* enum cli_common */
    int arguments_min, arguments_max;
    const struct argp_option *options; /* ends with {0}; or NULL */
    error_t (*parse)(int key, char *arg, struct argp_state *state);
    enum rc (*run)(struct cli *cli);
};

#define CLI_OPTION 0x1000 /* first key of a command's own options */

/* Each file of commands exports its rows, ended by a row without a noun. */
extern const struct command commands_backup[];
extern const struct command commands_bench[];
extern const struct command commands_chaos[];
extern const struct command commands_cluster[];
extern const struct command commands_dev[];
extern const struct command commands_doctor[];
extern const struct command commands_key[];
extern const struct command commands_kms[];
extern const struct command commands_keystore[];
extern const struct command commands_mechanism[];
extern const struct command commands_member[];
extern const struct command commands_policy[];
extern const struct command commands_status[];
extern const struct command commands_token[];
extern const struct command commands_user[];

/* Writes "qhsm: WHAT" / "  why: ..." / "  next: ..." (or JSON) to stderr and returns the exit code
 * of rc.def. */
int cli_report(const struct cli *cli, enum rc rc);

/* A person's word for what cannot be undone (cli_ask.c): asks on the terminal, unless `yes`.
 * RC_CANCELLED; RC_USAGE without a terminal. */
enum rc cli_confirm(bool yes, const char *what);
/* A whole number in a range, of an option's or argument's text. RC_USAGE names `what`. */
enum rc cli_number(const char *what, const char *text, uint64_t least, uint64_t most,
                   uint64_t *out);

/* ---- PINs (cli_pin.c): never from argv
 * ------------------------------------------------------------------------- */

/* From --pin-file, --pin-fd, --pin-credential, else a prompt on the terminal without echo; `what`
 * names it there. */
enum rc cli_pin(const struct cli *cli, const char *what, struct secret *out);
/* A new one: from `file` when given, else asked twice. */
enum rc cli_pin_new(const char *file, const char *what, struct secret *out);

/* ---- output (cli_output.c)
 * --------------------------------------------------------------------------------------- */

enum cell_kind { CELL_TEXT, CELL_NUMBER, CELL_BOOL, CELL_LIST };
/* A list: words with commas between, an array in JSON. */
struct column {
    const char *title; /* of the table */
    const char *key;   /* of the JSON object */
    enum cell_kind kind;
};
struct table;
/* Collects rows, then prints either an aligned table or a JSON array of objects. */
enum rc table_new(const struct column *columns, size_t column_count, struct table **out);
/* One cell after another, row by row; text is copied. Numbers and bools as text: "12", "true". */
enum rc table_cell(struct table *table, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
enum rc table_print(const struct table *table, bool json);
/* A single object: one line a field, or one JSON object. */
enum rc table_print_object(const struct table *table, bool json);
void table_free(struct table *table);
static inline void table_auto_free(struct table **t)
{
    table_free(*t);
}
#define AUTO_TABLE __attribute__((cleanup(table_auto_free))) struct table

#endif

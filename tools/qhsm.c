/* SPDX-License-Identifier: Apache-2.0 */
/* qhsm: finds the command by noun and verb, reads its options, runs it, tells the error. */
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/report.h"
#include "rpc/tls.h"
#include "tools/cli.h"

static const struct command *const groups[] = {
    commands_token,  commands_user,   commands_key,     commands_mechanism, commands_policy,
    commands_status, commands_doctor, commands_cluster, commands_member,    commands_backup,
    commands_dev,    commands_chaos,  commands_bench,   commands_kms,       commands_keystore,
};
#define GROUP_COUNT (sizeof groups / sizeof groups[0])

enum common_key {
    KEY_TOKEN = 0x100,
    KEY_PIN_FILE,
    KEY_PIN_FD,
    KEY_PIN_CREDENTIAL,
    KEY_LINEARIZABLE
};

static const struct argp_option options_connects[] = {
    {"config", 'c', "FILE", 0, "client.conf to use instead of QHSM_CONF, ~/.config/qhsm, /etc/qhsm",
     90},
    {0}};
static const struct argp_option options_token[] = {
    {"token", KEY_TOKEN, "LABEL", 0,
     "Token by label or slot number (default: client.conf, or the only one)", 90},
    {0}};
static const struct argp_option options_pin[] = {
    {"user", 'u', "NAME", 0, "Crypto user to log in as (default: the token's default user)", 91},
    {"pin-file", KEY_PIN_FILE, "FILE", 0,
     "Read the PIN from the first line of FILE, - for standard input", 91},
    {"pin-fd", KEY_PIN_FD, "N", 0, "Read the PIN from descriptor N", 91},
    {"pin-credential", KEY_PIN_CREDENTIAL, "NAME", 0, "Read the PIN from a systemd credential", 91},
    {0}};
static const struct argp_option options_output[] = {
    {"output", 'o', "FORMAT", 0, "table (default) or json", 92}, {0}};

static const struct argp_option options_read[] = {
    {"linearizable", KEY_LINEARIZABLE, NULL, 0,
     "See every change that any HSM has acknowledged (asks the leader)", 92},
    {0}};

static error_t parse_common(int key, char *arg, struct argp_state *state)
{
    struct cli *cli = state->input;
    switch (key) {
    case 'c':
        cli->config = arg;
        return 0;
    case KEY_TOKEN:
        cli->token = arg;
        return 0;
    case 'u':
        cli->user = arg;
        return 0;
    case KEY_PIN_FILE:
        cli->pin_file = arg;
        return 0;
    case KEY_PIN_FD: {
        char *end = NULL;
        long fd = strtol(arg, &end, 10);
        if (*arg == 0 || *end != 0 || fd < 0 || fd > 65535)
            argp_error(state, "--pin-fd wants a descriptor's number, not %s", arg);
        cli->pin_fd = (int)fd;
        return 0;
    }
    case KEY_PIN_CREDENTIAL:
        cli->pin_credential = arg;
        return 0;
    case KEY_LINEARIZABLE:
        cli->linearizable = true;
        return 0;
    case 'o':
        if (strcmp(arg, "json") != 0 && strcmp(arg, "table") != 0)
            argp_error(state, "--output wants table or json, not %s", arg);
        cli->json = arg[0] == 'j';
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp argp_connects = {.options = options_connects, .parser = parse_common};
static const struct argp argp_token = {.options = options_token, .parser = parse_common};
static const struct argp argp_pin = {.options = options_pin, .parser = parse_common};
static const struct argp argp_output = {.options = options_output, .parser = parse_common};
static const struct argp argp_read = {.options = options_read, .parser = parse_common};
#define COMMON_COUNT 5U /* groups of enum cli_common */

/* What parse_command() needs: the row and what it fills. */
struct parsing {
    const struct command *command;
    struct cli *cli;
    size_t child_count;
};

static error_t parse_command(int key, char *arg, struct argp_state *state)
{
    struct parsing *parsing = state->input;
    const struct command *command = parsing->command;
    switch (key) {
    case ARGP_KEY_INIT:
        for (size_t i = 0; i < parsing->child_count; i++)
            state->child_inputs[i] = parsing->cli;
        return 0;
    case ARGP_KEY_ARGS:
        parsing->cli->arguments = state->argv + state->next;
        parsing->cli->argument_count = state->argc - state->next;
        return 0;
    case ARGP_KEY_END:
        if (parsing->cli->argument_count < command->arguments_min)
            argp_error(state, "%s is missing", command->arguments);
        if (parsing->cli->argument_count > command->arguments_max)
            argp_error(state, "unexpected argument %s",
                       parsing->cli->arguments[command->arguments_max]);
        return 0;
    default:
        return command->parse == NULL ? ARGP_ERR_UNKNOWN : command->parse(key, arg, state);
    }
}

static int run_command(const struct command *command, int argc, char **argv)
{
    struct cli cli = {.pin_fd = -1};
    /* In the order of enum cli_common. */
    static const struct argp *const common[COMMON_COUNT] = {&argp_connects, &argp_token, &argp_pin,
                                                            &argp_output, &argp_read};
    struct argp_child children[COMMON_COUNT + 1] = {0};
    size_t count = 0;
    for (size_t i = 0; i < COMMON_COUNT; i++)
        if ((command->common & (1U << i)) != 0)
            children[count++] = (struct argp_child){.argp = common[i]};
    AUTO_BUF name = BUF_INIT;
    AUTO_BUF text = BUF_INIT;
    bool is_alone = command->verb[0] == 0;
    if (buf_printf(&name, "qhsm %s%s%s", command->noun, is_alone ? "" : " ", command->verb) !=
            RC_OK ||
        buf_printf(&text, "%s.%s%s", command->summary, command->text == NULL ? "" : "\v",
                   command->text == NULL ? "" : command->text) != RC_OK)
        return cli_report(&cli, RC_NO_MEMORY);
    struct argp argp = {.options = command->options,
                        .parser = parse_command,
                        .args_doc = command->arguments,
                        .doc = buf_str(&text),
                        .children = children};
    char *title = strdup(buf_str(&name));
    if (title == NULL)
        return cli_report(&cli, RC_NO_MEMORY);
    argv[0] = title;
    struct parsing parsing = {.command = command, .cli = &cli, .child_count = count};
    argp_err_exit_status = rc_info(RC_USAGE)->exit_code;
    error_t failed = argp_parse(&argp, argc, argv, 0, NULL, &parsing);
    int code = failed != 0 ? cli_report(&cli, rc_fail(RC_USAGE, "%s", strerror(failed)))
                           : cli_report(&cli, command->run(&cli));
    free(title);
    return code;
}

int cli_report(const struct cli *cli, enum rc rc)
{
    if (rc == RC_OK)
        return 0;
    const struct rc_info *info = rc_info(rc);
    if (cli->json) {
        json_t *error =
            json_pack("{s:{s:s, s:i, s:s, s:s, s:s}}", "error", "name", info->name, "number",
                      (int)rc, "what", info->text, "why", rc_detail(), "next", info->next);
        if (error != NULL)
            (void)json_dumpf(error, stderr, JSON_INDENT(2));
        (void)fputc('\n', stderr);
        json_decref(error);
        return info->exit_code;
    }
    return report_error(stderr, "qhsm", rc);
}

static void print_list(FILE *out, const char *noun)
{
    for (size_t g = 0; g < GROUP_COUNT; g++)
        for (const struct command *c = groups[g]; c->noun != NULL; c++) {
            if (noun != NULL && strcmp(noun, c->noun) != 0)
                continue;
            char name[64];
            (void)snprintf(name, sizeof name, "%s %s %s", c->noun, c->verb, c->arguments);
            (void)fprintf(out, "  %-34s %s\n", name, c->summary);
        }
}

static void print_help(FILE *out)
{
    (void)fprintf(out,
                  "Usage: qhsm NOUN VERB [OPTION...] [ARGUMENT...]\n"
                  "The command line of QuorumHSM, a PKCS#11 HSM emulator with cluster sync.\n\n");
    print_list(out, NULL);
    (void)fprintf(
        out, "\n  qhsm NOUN VERB --help tells more. Exit codes: 0 done, 1 internal, 2 usage, 3 not "
             "found,\n"
             "  4 refused, 5 credentials, 6 unavailable, 7 conflict, 8 bad input, 9 usable with "
             "warnings.\n"
             "  Manual: man qhsm\n");
}

/* For the shell's completion: every command a line, "noun verb --option --option ...". */
static int print_words(void)
{
    static const struct argp_option *const common[COMMON_COUNT] = {
        options_connects, options_token, options_pin, options_output, options_read};
    for (size_t g = 0; g < GROUP_COUNT; g++)
        for (const struct command *c = groups[g]; c->noun != NULL; c++) {
            printf("%s %s", c->noun, c->verb[0] == 0 ? "-" : c->verb);
            for (const struct argp_option *o = c->options; o != NULL && o->name != NULL; o++)
                printf(" --%s", o->name);
            for (size_t i = 0; i < COMMON_COUNT; i++)
                for (const struct argp_option *o = common[i];
                     (c->common & (1U << i)) != 0 && o->name != NULL; o++)
                    printf(" --%s", o->name);
            printf(" --help\n");
        }
    return 0;
}

/* How many words after the program's name are the command's own; 0: it is another command. */
static int match(const struct command *command, int argc, char **argv)
{
    if (strcmp(command->noun, argv[1]) != 0)
        return 0;
    int used = 1;
    for (const char *verb = command->verb; *verb != 0; used++) {
        size_t len = strcspn(verb, " ");
        const char *word = used + 1 < argc ? argv[used + 1] : "";
        if (strlen(word) != len || strncmp(word, verb, len) != 0)
            return 0;
        verb += len + (verb[len] == ' ' ? 1 : 0);
    }
    return used;
}

static const struct command *find_command(int argc, char **argv, int *out_used)
{
    for (size_t g = 0; g < GROUP_COUNT; g++)
        for (const struct command *c = groups[g]; c->noun != NULL; c++) {
            *out_used = match(c, argc, argv);
            if (*out_used > 0)
                return c;
        }
    return NULL;
}

static bool is_noun(const char *noun)
{
    for (size_t g = 0; g < GROUP_COUNT; g++)
        for (const struct command *c = groups[g]; c->noun != NULL; c++)
            if (strcmp(c->noun, noun) == 0)
                return true;
    return false;
}

/* A full disk behind standard output must not look like success. */
static int flushed(int code)
{
    bool is_written = fflush(stdout) == 0 && ferror(stdout) == 0;
    if (is_written || code != 0)
        return code;
    const struct cli plain = {.pin_fd = -1};
    return cli_report(&plain, rc_fail(RC_IO, "standard output: %s", strerror(errno)));
}

static int run(int argc, char **argv)
{
    int usage = rc_info(RC_USAGE)->exit_code;
    const struct cli plain = {.pin_fd = -1};
    enum rc ready = tls_program_init();
    if (ready != RC_OK)
        return cli_report(&plain, ready);
    if (argc < 2) {
        print_help(stderr);
        return usage;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        strcmp(argv[1], "help") == 0) {
        print_help(stdout);
        return 0;
    }
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "version") == 0) {
        printf("qhsm %s (an emulator: not validated hardware)\n", QHSM_VERSION);
        return 0;
    }
    if (strcmp(argv[1], "--completion-words") == 0)
        return print_words();
    int used = 0;
    const struct command *command = find_command(argc, argv, &used);
    if (command != NULL)
        return run_command(command, argc - used, argv + used);
    if (!is_noun(argv[1])) {
        (void)fprintf(stderr, "qhsm: no such command: %s\n  next: qhsm --help\n", argv[1]);
        return usage;
    }
    const char *last = argc > 2 ? argv[argc - 1] : "";
    bool wants_help = strcmp(last, "--help") == 0 || strcmp(last, "-h") == 0;
    if (argc > 2 && !wants_help)
        (void)fprintf(stderr, "qhsm: %s has no verb %s\n", argv[1], argv[2]);
    (void)fprintf(wants_help ? stdout : stderr, "Usage: qhsm %s VERB [OPTION...]\n", argv[1]);
    print_list(wants_help ? stdout : stderr, argv[1]);
    return wants_help ? 0 : usage;
}

int main(int argc, char **argv)
{
    /* One write for what fits: `| grep -q` may have gone by the second. */
    static char buffer[65536];
    if (isatty(STDOUT_FILENO) == 0)
        (void)setvbuf(stdout, buffer, _IOFBF, sizeof buffer);
    return flushed(run(argc, argv));
}

/* SPDX-License-Identifier: Apache-2.0 */
/* qhsm bench: PKCS#11 modules and raw libcrypto side by side. */
#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tools/bench.h"
#include "tools/cli.h"
#include "tools/dev.h"

#define THREAD_COUNTS_MAX 8

static struct {
    struct bench_contender contenders[BENCH_CONTENDERS];
    unsigned count;
    unsigned threads[THREAD_COUNTS_MAX];
    unsigned thread_counts;
    double seconds;
    unsigned rounds;
    const char *cases;
    bool lists;
} options = {.threads = {1, 8}, .thread_counts = 2, .seconds = 1.0, .rounds = 1, .cases = "*"};

enum {
    OPTION_MODULE = CLI_OPTION,
    OPTION_NAME,
    OPTION_TOKEN,
    OPTION_PIN_FILE,
    OPTION_PIN_ENV,
    OPTION_ENV,
    OPTION_OBJECTS,
    OPTION_RAW,
    OPTION_THREADS,
    OPTION_SECONDS,
    OPTION_ROUNDS,
    OPTION_CASES,
    OPTION_LIST
};

static const struct argp_option bench_argp[] = {
    {"module", OPTION_MODULE, "FILE", 0,
     "A PKCS#11 module to measure; may be repeated. The options of this group belong to the "
     "--module before them",
     1},
    {"raw", OPTION_RAW, NULL, 0, "Measure libcrypto alone, too", 1},
    {"name", OPTION_NAME, "TEXT", 0, "Its name in the table", 2},
    {"label", OPTION_TOKEN, "LABEL", 0, "Its token (default: the first initialised)", 2},
    {"user-pin-file", OPTION_PIN_FILE, "FILE", 0, "The user's PIN", 2},
    {"user-pin-env", OPTION_PIN_ENV, "NAME", 0,
     "The variable with the user's PIN (default: QHSM_USER_PIN)", 2},
    {"env", OPTION_ENV, "NAME=VALUE", 0, "Environment of its process; may be repeated", 2},
    {"objects", OPTION_OBJECTS, "N", 0, "Token objects to search among (default: 1000)", 2},
    {"threads", OPTION_THREADS, "N,N...", 0, "Threads (default: 1,8)", 3},
    {"seconds", OPTION_SECONDS, "S", 0, "Time of each measurement (default: 1)", 3},
    {"rounds", OPTION_ROUNDS, "N", 0, "Rounds, interleaved; the median counts (default: 1)", 3},
    {"cases", OPTION_CASES, "PATTERN,...", 0, "Cases by shell patterns (default: all)", 3},
    {"list", OPTION_LIST, NULL, 0, "List the cases", 3},
    {0}};

static void copy_text(struct argp_state *state, char *out, size_t out_len, const char *text)
{
    if (strlen(text) >= out_len)
        argp_error(state, "%s is too long", text);
    (void)snprintf(out, out_len, "%s", text);
}

static unsigned parse_number(struct argp_state *state, const char *text, unsigned max)
{
    uint64_t number = 0;
    if (cli_number("the value", text, 1, max, &number) != RC_OK)
        argp_error(state, "%s", rc_detail());
    return (unsigned)number;
}

static struct bench_contender *add_contender(struct argp_state *state, const char *module,
                                             const char *name)
{
    if (options.count == BENCH_CONTENDERS)
        argp_error(state, "at most %d contenders", BENCH_CONTENDERS);
    struct bench_contender *contender = &options.contenders[options.count++];
    *contender = (struct bench_contender){.objects = 1000, .pin_env = "QHSM_USER_PIN", .fd = -1};
    copy_text(state, contender->module, sizeof contender->module, module);
    copy_text(state, contender->name, sizeof contender->name, name);
    return contender;
}

static void parse_threads(struct argp_state *state, char *list)
{
    options.thread_counts = 0;
    char *rest = list;
    for (char *item = strsep(&rest, ","); item != NULL; item = strsep(&rest, ",")) {
        if (options.thread_counts == THREAD_COUNTS_MAX)
            argp_error(state, "at most %d counts of threads", THREAD_COUNTS_MAX);
        options.threads[options.thread_counts++] = parse_number(state, item, BENCH_THREADS_MAX);
    }
}

static error_t parse_contender(int key, char *arg, struct argp_state *state)
{
    struct bench_contender *last =
        options.count == 0 ? NULL : &options.contenders[options.count - 1];
    if (last == NULL) {
        argp_error(state, "%s comes after the --module that it belongs to", arg);
        return EINVAL;
    }
    switch (key) {
    case OPTION_NAME:
        copy_text(state, last->name, sizeof last->name, arg);
        return 0;
    case OPTION_TOKEN:
        copy_text(state, last->token, sizeof last->token, arg);
        return 0;
    case OPTION_PIN_FILE:
        copy_text(state, last->pin_file, sizeof last->pin_file, arg);
        return 0;
    case OPTION_PIN_ENV:
        copy_text(state, last->pin_env, sizeof last->pin_env, arg);
        return 0;
    case OPTION_ENV:
        if (last->env_count == sizeof last->env / sizeof last->env[0] || strchr(arg, '=') == NULL)
            argp_error(state, "--env %s: NAME=VALUE, at most four", arg);
        copy_text(state, last->env[last->env_count++], BENCH_TEXT_MAX, arg);
        return 0;
    default:
        last->objects = parse_number(state, arg, 2000000);
        return 0;
    }
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    const char *slash = NULL;
    switch (key) {
    case OPTION_MODULE:
        slash = strrchr(arg, '/');
        (void)add_contender(state, arg, slash == NULL ? arg : slash + 1);
        return 0;
    case OPTION_RAW:
        (void)add_contender(state, "", "libcrypto");
        return 0;
    case OPTION_NAME:
    case OPTION_TOKEN:
    case OPTION_PIN_FILE:
    case OPTION_PIN_ENV:
    case OPTION_ENV:
    case OPTION_OBJECTS:
        return parse_contender(key, arg, state);
    case OPTION_THREADS:
        parse_threads(state, arg);
        return 0;
    case OPTION_SECONDS:
        options.seconds = strtod(arg, NULL);
        if (options.seconds < 0.01 || options.seconds > 3600)
            argp_error(state, "--seconds: 0.01 to 3600, not %s", arg);
        return 0;
    case OPTION_ROUNDS:
        options.rounds = parse_number(state, arg, 100);
        return 0;
    case OPTION_CASES:
        options.cases = arg;
        return 0;
    case OPTION_LIST:
        options.lists = true;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static bool is_chosen(const char *name)
{
    char patterns[BENCH_TEXT_MAX];
    (void)snprintf(patterns, sizeof patterns, "%s", options.cases);
    char *rest = patterns;
    for (char *item = strsep(&rest, ","); item != NULL; item = strsep(&rest, ","))
        if (fnmatch(item, name, 0) == 0)
            return true;
    return false;
}

static enum rc start(struct bench_contender *contender)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
        return rc_fail(RC_IO, "socketpair: %s", strerror(errno));
    contender->pid = fork();
    if (contender->pid < 0)
        return rc_fail(RC_IO, "fork: %s", strerror(errno));
    if (contender->pid == 0) {
        (void)close(pair[0]);
        for (unsigned i = 0; i < options.count; i++)
            if (options.contenders[i].fd >= 0)
                (void)close(options.contenders[i].fd);
        bench_child(contender, pair[1]);
    }
    (void)close(pair[1]);
    contender->fd = pair[0];
    return RC_OK;
}

static void run(const struct bench_contender *contender, const struct bench_job *job,
                struct bench_result *out)
{
    *out = (struct bench_result){.rc = RC_IO, .detail = "the contender's process died"};
    if (write(contender->fd, job, sizeof *job) != (ssize_t)sizeof *job)
        return;
    struct bench_result result;
    ssize_t got = recv(contender->fd, &result, sizeof result, MSG_WAITALL);
    if (got == (ssize_t)sizeof result)
        *out = result;
}

static double rate(const struct bench_result *result)
{
    return result->seconds > 0 ? (double)result->operations / result->seconds : 0;
}

static int by_rate(const void *a, const void *b)
{
    double left = rate(a), right = rate(b);
    return (left > right) - (left < right);
}

static const struct column columns[] = {{"CASE", "case", CELL_TEXT},
                                        {"THREADS", "threads", CELL_NUMBER},
                                        {"MODULE", "module", CELL_TEXT},
                                        {"OPS/S", "ops_per_s", CELL_NUMBER},
                                        {"P50 US", "p50_us", CELL_NUMBER},
                                        {"P99 US", "p99_us", CELL_NUMBER},
                                        {"RATIO", "ratio_to_first", CELL_NUMBER},
                                        {"NOTE", "note", CELL_TEXT}};

/* A row; the ratio is to the first contender's rate in the same case. */
static enum rc add_row(struct table *table, const struct bench_job *job,
                       const struct bench_contender *contender, const struct bench_result *result,
                       double first)
{
    TRY(table_cell(table, "%s", bench_cases[job->case_index].name));
    TRY(table_cell(table, "%u", job->threads));
    TRY(table_cell(table, "%s", contender->name));
    if (result->rc != RC_OK) {
        for (int i = 0; i < 4; i++)
            TRY(table_cell(table, "-"));
        return table_cell(table, "%s",
                          result->detail[0] != 0 ? result->detail : rc_info(result->rc)->name);
    }
    TRY(table_cell(table, "%.1f", rate(result)));
    TRY(table_cell(table, "%.1f", result->p50_us));
    TRY(table_cell(table, "%.1f", result->p99_us));
    if (first > 0)
        TRY(table_cell(table, "%.2f", rate(result) / first));
    else
        TRY(table_cell(table, "-"));
    return table_cell(table, "%s", "");
}

/* One case with one number of threads: all contenders in turn, so that the machine's moods hit them
 * alike. */
static enum rc measure(struct table *table, const struct bench_job *job)
{
    static struct bench_result results[BENCH_CONTENDERS][100];
    for (unsigned round = 0; round < options.rounds; round++)
        for (unsigned i = 0; i < options.count; i++)
            run(&options.contenders[i], job, &results[i][round]);
    double first = 0;
    for (unsigned i = 0; i < options.count; i++) {
        qsort(results[i], options.rounds, sizeof results[i][0], by_rate);
        const struct bench_result *median = &results[i][options.rounds / 2];
        if (i == 0)
            first = rate(median);
        TRY(add_row(table, job, &options.contenders[i], median, first));
    }
    if (isatty(STDERR_FILENO))
        (void)fprintf(stderr, "\r%-20s %2u threads", bench_cases[job->case_index].name,
                      job->threads);
    return RC_OK;
}

static enum rc measure_all(struct table *table)
{
    for (unsigned c = 0; c < bench_case_count; c++)
        for (unsigned t = 0; t < options.thread_counts; t++) {
            bool skips = !is_chosen(bench_cases[c].name) ||
                         (bench_cases[c].is_single && options.threads[t] != 1);
            if (skips)
                continue;
            const struct bench_job job = {
                .case_index = c, .threads = options.threads[t], .seconds = options.seconds};
            TRY(measure(table, &job));
        }
    if (isatty(STDERR_FILENO))
        (void)fprintf(stderr, "\r%40s\r", "");
    return RC_OK;
}

static enum rc default_contenders(void)
{
    const char *module = getenv("QHSM_MODULE");
    AUTO_BUF path = BUF_INIT;
    if (module == NULL) {
        TRY(dev_program(QHSM_INSTALL_MODULE, "p11/libqhsm-pkcs11.so", &path));
        module = buf_str(&path);
    }
    struct bench_contender *ours = &options.contenders[0];
    *ours = (struct bench_contender){
        .name = "quorumhsm", .objects = 1000, .pin_env = "QHSM_USER_PIN", .fd = -1};
    (void)snprintf(ours->module, sizeof ours->module, "%s", module);
    options.contenders[1] = (struct bench_contender){.name = "libcrypto", .fd = -1};
    options.count = 2;
    return RC_OK;
}

static enum rc bench(struct cli *cli)
{
    if (options.lists) {
        for (unsigned i = 0; i < bench_case_count; i++)
            printf("%s\n", bench_cases[i].name);
        return RC_OK;
    }
    if (options.count == 0)
        TRY(default_contenders());
    AUTO_TABLE *table = NULL;
    TRY(table_new(columns, sizeof columns / sizeof columns[0], &table));
    for (unsigned i = 0; i < options.count; i++)
        TRY(start(&options.contenders[i]));
    enum rc rc = measure_all(table);
    for (unsigned i = 0; i < options.count; i++) {
        (void)close(options.contenders[i].fd);
        (void)waitpid(options.contenders[i].pid, NULL, 0);
    }
    TRY(rc);
    return table_print(table, cli->json);
}

const struct command commands_bench[] = {
    {.noun = "bench",
     .verb = "",
     .arguments = "",
     .summary = "Measure PKCS#11 modules and libcrypto side by side",
     .text = "Each contender runs in a process of its own; each case runs for all of them in turn. "
             "Without --module: this "
             "project's module (with the environment of dev up) and libcrypto. Rates are of this "
             "machine at this moment: "
             "compare the ratios, which are to the first contender.",
     .common = CLI_OUTPUT,
     .options = bench_argp,
     .parse = parse,
     .run = bench},
    {0}};

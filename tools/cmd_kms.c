/* SPDX-License-Identifier: Apache-2.0 */
/* qhsm kms up | down | explain, qhsm trail verify, qhsm keystore orphans | documents: the KMS front
 * end. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tools/cli.h"
#include "tools/kms_dev.h"

#define START_TIMEOUT 30000U
#define STOP_TIMEOUT  10000U

static struct {
    const char *dir;
    const char *name;
    const char *listen;
    const char *config;
    bool fast_time;
    bool no_throttle;
} options = {.name = "kms"};

enum {
    OPTION_DIR = CLI_OPTION,
    OPTION_NAME,
    OPTION_LISTEN,
    OPTION_FAST,
    OPTION_NO_THROTTLE,
    OPTION_CONFIG
};

#define DIR_OPTION                                                           \
    {                                                                        \
        "dir", OPTION_DIR, "DIR", 0,                                         \
            "Directory of the cluster (default: ~/.local/state/qhsm/dev)", 0 \
    }
#define NAME_OPTION                                                                                \
    {                                                                                              \
        "name", OPTION_NAME, "NAME", 0,                                                            \
            "Which front end (default: kms); several of one cluster have the same keys and users", \
            0                                                                                      \
    }

static const struct argp_option up_argp[] = {
    DIR_OPTION,
    NAME_OPTION,
    {"listen", OPTION_LISTEN, "ADDRESS", 0, "Address to listen at (default: 127.0.0.1)", 0},
    {"fast-time", OPTION_FAST, NULL, 0, "What comes due is looked for ten times a second", 0},
    {"no-throttle", OPTION_NO_THROTTLE, NULL, 0,
     "No quotas: without it callers are held to AWS's (CreateKey: 5 a second)", 0},
    {0}};
static const struct argp_option down_argp[] = {DIR_OPTION, {0}};
static const struct argp_option ask_argp[] = {
    DIR_OPTION,
    NAME_OPTION,
    {"kms-config", OPTION_CONFIG, "FILE", 0, "kms.conf of the front end, instead of --dir", 0},
    {0}};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    (void)state;
    switch (key) {
    case OPTION_DIR:
        options.dir = arg;
        return 0;
    case OPTION_NAME:
        if (arg[0] == 0 || strlen(arg) > 32 || strchr(arg, '/') != NULL || arg[0] == '.')
            argp_error(state, "--name: a word of at most 32 characters, not %s", arg);
        options.name = arg;
        return 0;
    case OPTION_LISTEN:
        options.listen = arg;
        return 0;
    case OPTION_FAST:
        options.fast_time = true;
        return 0;
    case OPTION_NO_THROTTLE:
        options.no_throttle = true;
        return 0;
    case OPTION_CONFIG:
        options.config = arg;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static enum rc open_dir(struct buf *dir, struct dev *out)
{
    bool is_new = false;
    TRY(dev_locate(options.dir, dir));
    *out = (struct dev){.dir = (char *)(uintptr_t)buf_str(dir)};
    TRY(dev_lock(buf_str(dir)));
    TRY(dev_identity(out, &is_new));
    return is_new ? rc_fail(RC_NOT_FOUND, "%s holds no development cluster: qhsm dev up", out->dir)
                  : RC_OK;
}

static enum rc tell(const struct kms_dev *kms)
{
    AUTO_BUF http = BUF_INIT;
    AUTO_BUF https = BUF_INIT;
    TRY(kms_dev_endpoint(kms, false, &http));
    TRY(kms_dev_endpoint(kms, true, &https));
    printf("KMS at %s and %s\n  . %s/env    then: aws --endpoint-url %s kms list-keys\n",
           buf_str(&http), buf_str(&https), kms->dev->dir, buf_str(&http));
    return RC_OK;
}

static enum rc kms_up(struct cli *cli)
{
    (void)cli;
    AUTO_BUF dir = BUF_INIT;
    AUTO_PROCESS process = PROCESS_INIT;
    struct dev dev;
    TRY(open_dir(&dir, &dev));
    const struct kms_dev kms = {.dev = &dev,
                                .name = options.name,
                                .listen = options.listen,
                                .fast_time = options.fast_time,
                                .no_throttle = options.no_throttle};
    TRY(kms_dev_process(&kms, &process));
    if (process_pid(&process) == 0) {
        TRY(kms_dev_setup(&kms));
        TRY(dev_program(QHSM_INSTALL_KMS, "kms/qhsm-kms", &process.program));
        TRY(process_start(&process));
    }
    TRY(kms_dev_wait(&kms, START_TIMEOUT));
    TRY(kms_dev_env(&kms));
    return tell(&kms);
}

static enum rc kms_down(struct cli *cli)
{
    (void)cli;
    AUTO_BUF dir = BUF_INIT;
    struct dev dev;
    TRY(open_dir(&dir, &dev));
    return kms_dev_stop_all(&dev, STOP_TIMEOUT);
}

/* ---- what the front end's program answers itself: qhsm-kms VERB --config FILE ARGUMENT... */

#define ARGUMENTS_MAX 32

static enum rc config_path(struct buf *out)
{
    AUTO_BUF dir = BUF_INIT;
    if (options.config != NULL)
        return buf_printf(out, "%s", options.config);
    TRY(dev_locate(options.dir, &dir));
    return buf_printf(out, "%s/kms/%s.conf", buf_str(&dir), options.name);
}

static enum rc pass_on(const struct cli *cli, const char *verb)
{
    AUTO_BUF program = BUF_INIT;
    AUTO_BUF config = BUF_INIT;
    const char *arguments[ARGUMENTS_MAX + 5] = {"qhsm-kms", verb, "--config", NULL};
    TRY(dev_program(QHSM_INSTALL_KMS, "kms/qhsm-kms", &program));
    TRY(config_path(&config));
    arguments[3] = buf_str(&config);
    for (int i = 0; i < cli->argument_count && i < ARGUMENTS_MAX; i++)
        arguments[4 + i] = cli->arguments[i];
    (void)execv(buf_str(&program), (char *const *)(uintptr_t)arguments);
    return rc_fail(RC_IO, "%s: %s", buf_str(&program), strerror(errno));
}

static enum rc kms_explain(struct cli *cli)
{
    return pass_on(cli, "explain");
}
static enum rc kms_trail(struct cli *cli)
{
    return pass_on(cli, "trail-verify");
}
static enum rc orphans_list(struct cli *cli)
{
    return pass_on(cli, "orphans-list");
}
static enum rc orphans_delete(struct cli *cli)
{
    return pass_on(cli, "orphans-delete");
}

static enum rc documents_list(struct cli *cli)
{
    return pass_on(cli, "documents-list");
}
static enum rc documents_delete(struct cli *cli)
{
    return pass_on(cli, "documents-delete");
}

static const char up_text[] =
    "Makes a token " KMS_DEV_TOKEN " with a user " KMS_DEV_USER ", a certificate of the role "
    "keystore, and an access key of the account's administrator (account 000000000000, regions "
    "us-east-1, us-west-2 and eu-central-1), then starts qhsm-kms in the background. Files are in "
    "DIR/kms. Into DIR/env go AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_DEFAULT_REGION, "
    "AWS_ENDPOINT_URL, QHSM_KMS_ENDPOINT, QHSM_KMS_HTTPS and QHSM_KMS_CA.\n\n"
    "  . DIR/env\n"
    "  aws --endpoint-url $QHSM_KMS_ENDPOINT kms create-key\n\n"
    "Another --name starts another front end of the same cluster: it has the same keys, users and "
    "policies.";

const struct command commands_kms[] = {
    {.noun = "kms",
     .verb = "up",
     .arguments = "",
     .summary = "Start a KMS front end beside the cluster of dev up, in the background",
     .text = up_text,
     .options = up_argp,
     .parse = parse,
     .run = kms_up},
    {.noun = "kms",
     .verb = "down",
     .arguments = "",
     .summary = "Stop the front ends of kms up",
     .options = down_argp,
     .parse = parse,
     .run = kms_down},
    {.noun = "kms",
     .verb = "explain",
     .arguments = "PRINCIPAL ACTION KEY [NAME=VALUE...]",
     .summary = "May this principal do this? Prints the statement that decides",
     .text = "PRINCIPAL is an ARN, ACTION as in policies (kms:Encrypt), KEY a key's id, ARN or "
             "alias, or -. NAME=VALUE gives a condition key of the request: "
             "kms:EncryptionContext:team=blue, aws:SourceIp=10.0.0.1.",
     .arguments_min = 3,
     .arguments_max = ARGUMENTS_MAX,
     .options = ask_argp,
     .parse = parse,
     .run = kms_explain},
    {.noun = "kms",
     .verb = "trail verify",
     .arguments = "[DIR]",
     .summary = "Check the signed digests of the front end's records",
     .arguments_max = 1,
     .options = ask_argp,
     .parse = parse,
     .run = kms_trail},
    {.noun = "keystore",
     .verb = "orphans list",
     .arguments = "[STORE]",
     .summary = "List backing keys that no key of KMS names",
     .text = "STORE is a custom key store's id; without it, KMS's own token is looked through.",
     .arguments_max = 1,
     .options = ask_argp,
     .parse = parse,
     .run = orphans_list},
    {.noun = "keystore",
     .verb = "orphans delete",
     .arguments = "[STORE]",
     .summary = "Delete them: what they encrypted can't be read any more",
     .arguments_max = 1,
     .options = ask_argp,
     .parse = parse,
     .run = orphans_delete},
    {.noun = "keystore",
     .verb = "documents list",
     .arguments = "",
     .summary = "List documents of KMS that its front ends cannot read",
     .text =
         "Name and version of each. Front ends pass them over: what they describe is not there, "
         "and nothing of that name can be made.",
     .options = ask_argp,
     .parse = parse,
     .run = documents_list},
    {.noun = "keystore",
     .verb = "documents delete",
     .arguments = "NAME",
     .summary = "Delete one of them",
     .text =
         "Only one that cannot be read. The backing keys of a KMS key whose document is deleted "
         "become orphans.",
     .arguments_min = 1,
     .arguments_max = 1,
     .options = ask_argp,
     .parse = parse,
     .run = documents_delete},
    {0}};

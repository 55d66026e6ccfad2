/* SPDX-License-Identifier: Apache-2.0 */
/* qhsm policy show | set */
#include "common/mechanism.h"
#include "common/policy_settings.h"
#include "tools/policy_ask.h"

#define CHANGES_MAX 64U

static struct {
    const char *profile;
    const char *epoch;
} options;

enum { OPTION_PROFILE = CLI_OPTION, OPTION_EPOCH };

static const struct argp_option set_argp[] = {
    {"profile", OPTION_PROFILE, "NAME", 0,
     "Start from a set of values; known is cloudhsm: its limits, PINs of 8 to 32, strict", 0},
    {"epoch", OPTION_EPOCH, "N", 0,
     "Only if the policy is still the one that policy show told with this epoch", 0},
    {0}};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    (void)state;
    switch (key) {
    case OPTION_PROFILE:
        options.profile = arg;
        return 0;
    case OPTION_EPOCH:
        options.epoch = arg;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* ---- show */

/* Beside the settings: token, epoch, disabled mechanisms. */
#define COLUMNS_MAX 32U

static size_t make_columns(struct column columns[COLUMNS_MAX])
{
    size_t count = 0;
    columns[count++] = (struct column){"token", "token", CELL_TEXT};
    columns[count++] = (struct column){"epoch", "epoch", CELL_NUMBER};
    for (size_t i = 0; i < policy_setting_count() && count + 1 < COLUMNS_MAX; i++) {
        const struct policy_setting_info *info = policy_setting_at(i);
        columns[count++] =
            (struct column){info->name, info->name, info->is_switch ? CELL_BOOL : CELL_NUMBER};
    }
    columns[count++] = (struct column){"disabled", "disabled", CELL_LIST};
    return count;
}

/* What an older HSM does not tell stays empty. */
static enum rc add_setting(struct table *table, const struct policy_setting_info *info,
                           const Qhsm__PolicyReply *policy)
{
    for (size_t i = 0; i < policy->n_settings; i++) {
        if (policy->settings[i]->setting != (uint32_t)info->setting)
            continue;
        unsigned long long value = policy->settings[i]->value;
        if (info->is_switch)
            return table_cell(table, "%s", value != 0 ? "true" : "false");
        return table_cell(table, "%llu", value);
    }
    return table_cell(table, "%s", "");
}

static enum rc add_disabled(struct table *table, const Qhsm__PolicyReply *policy)
{
    AUTO_BUF names = BUF_INIT;
    for (size_t i = 0; i < policy->n_disabled; i++) {
        const struct mechanism *mech = mechanism_find(policy->disabled[i]);
        const char *comma = i == 0 ? "" : ",";
        if (mech != NULL)
            TRY(buf_printf(&names, "%s%s", comma, mech->name));
        else
            TRY(buf_printf(&names, "%s0x%llx", comma, (unsigned long long)policy->disabled[i]));
    }
    return table_cell(table, "%s", names.len == 0 ? "" : buf_str(&names));
}

static enum rc print_policy(const struct cli *cli, const struct connection *connection,
                            const Qhsm__PolicyReply *policy)
{
    struct column columns[COLUMNS_MAX];
    AUTO_TABLE *table = NULL;
    TRY(table_new(columns, make_columns(columns), &table));
    TRY(table_cell(table, "%s", connection->label));
    TRY(table_cell(table, "%llu", (unsigned long long)policy->epoch));
    for (size_t i = 0; i < policy_setting_count(); i++)
        TRY(add_setting(table, policy_setting_at(i), policy));
    TRY(add_disabled(table, policy));
    return table_print_object(table, cli->json);
}

static enum rc policy_show(struct cli *cli)
{
    AUTO_CONNECTION connection = {0};
    TRY(connection_open(cli, &connection));
    if (cli->argument_count > 0)
        cli->token = cli->arguments[0];
    TRY(connection_token(cli, &connection));
    struct rpc_reply reply = {0};
    enum rc rc = policy_ask(&connection, &reply);
    if (rc == RC_OK)
        rc = print_policy(cli, &connection, reply.msg->policy);
    rpc_reply_clear(connection.client, &reply);
    return rc;
}

/* ---- set */

struct changes {
    Qhsm__PolicySetting settings[CHANGES_MAX];
    Qhsm__PolicySetting *list[CHANGES_MAX];
    uint64_t disable[CHANGES_MAX], enable[CHANGES_MAX];
    size_t count, disable_count, enable_count;
};

/* A later word on the same setting wins. */
static void change_setting(struct changes *changes, enum policy_setting setting, uint64_t value)
{
    size_t at = 0;
    while (at < changes->count && changes->settings[at].setting != (uint32_t)setting)
        at++;
    if (at == changes->count)
        changes->count++;
    qhsm__policy_setting__init(&changes->settings[at]);
    changes->settings[at].setting = (uint32_t)setting;
    changes->settings[at].value = value;
    changes->list[at] = &changes->settings[at];
}

static enum rc add_mechanism(const char *name, uint64_t *list, size_t *count)
{
    const struct mechanism *mech = mechanism_by_name(name);
    if (mech == NULL)
        return rc_fail(RC_USAGE, "no mechanism %s: see qhsm mechanism list", name);
    if (*count >= CHANGES_MAX)
        return rc_fail(RC_USAGE, "more than %u mechanisms in one change", CHANGES_MAX);
    list[(*count)++] = mech->type;
    return RC_OK;
}

static enum rc parse_value(const struct policy_setting_info *info, const char *text, uint64_t *out)
{
    if (info->is_switch) {
        *out = strcmp(text, "yes") == 0 || strcmp(text, "true") == 0;
        if (*out == 0 && strcmp(text, "no") != 0 && strcmp(text, "false") != 0)
            return rc_fail(RC_USAGE, "%s is yes or no, not %s", info->name, text);
        return RC_OK;
    }
    return cli_number(info->name, text, info->min, info->max, out);
}

static enum rc known_names(struct buf *out)
{
    for (size_t i = 0; i < policy_setting_count(); i++)
        TRY(buf_printf(out, "%s, ", policy_setting_at(i)->name));
    return buf_printf(out, "disable, enable");
}

static enum rc change_named(struct changes *changes, const char *name, const char *value)
{
    AUTO_BUF known = BUF_INIT;
    uint64_t number = 0;
    if (strcmp(name, "disable") == 0)
        return add_mechanism(value, changes->disable, &changes->disable_count);
    if (strcmp(name, "enable") == 0)
        return add_mechanism(value, changes->enable, &changes->enable_count);
    const struct policy_setting_info *info = policy_setting_by_name(name);
    if (info == NULL) {
        TRY(known_names(&known));
        return rc_fail(RC_USAGE, "no setting %s; known are %s", name, buf_str(&known));
    }
    TRY(parse_value(info, value, &number));
    change_setting(changes, info->setting, number);
    return RC_OK;
}

/* NAME=VALUE */
static enum rc change_word(struct changes *changes, const char *word)
{
    const char *equals = strchr(word, '=');
    AUTO_BUF name = BUF_INIT;
    if (equals == NULL)
        return rc_fail(RC_USAGE, "%s: expected NAME=VALUE", word);
    TRY(buf_printf(&name, "%.*s", (int)(equals - word), word));
    return change_named(changes, name.len == 0 ? "" : buf_str(&name), equals + 1);
}

static const struct {
    const char *profile;
    enum policy_setting setting;
    uint64_t value;
} profiles[] = {
    /* The limits of AWS CloudHSM that its user guide names (quotas). */
    {"cloudhsm", POLICY_OBJECTS_MAX, 16666}, {"cloudhsm", POLICY_USERS_MAX, 1024},
    {"cloudhsm", POLICY_PIN_LEN_MIN, 8},     {"cloudhsm", POLICY_PIN_LEN_MAX, 32},
    {"cloudhsm", POLICY_STRICT, 1},
};

static enum rc change_by_profile(struct changes *changes, const char *profile)
{
    size_t before = changes->count;
    for (size_t i = 0; i < sizeof profiles / sizeof profiles[0]; i++)
        if (strcmp(profiles[i].profile, profile) == 0)
            change_setting(changes, profiles[i].setting, profiles[i].value);
    return changes->count > before ? RC_OK
                                   : rc_fail(RC_USAGE, "no profile %s; known is cloudhsm", profile);
}

static enum rc gather(const struct cli *cli, struct changes *out)
{
    if (options.profile != NULL)
        TRY(change_by_profile(out, options.profile));
    for (int i = 0; i < cli->argument_count; i++)
        TRY(change_word(out, cli->arguments[i]));
    if (out->count + out->disable_count + out->enable_count == 0)
        return rc_fail(RC_USAGE, "nothing to change: NAME=VALUE or --profile is missing");
    return RC_OK;
}

/* The epoch that the change is made from. */
static enum rc expected_epoch(struct connection *connection, uint64_t *out)
{
    if (options.epoch != NULL)
        return cli_number("--epoch", options.epoch, 0, UINT64_MAX, out);
    struct rpc_reply reply = {0};
    enum rc rc = policy_ask(connection, &reply);
    if (rc == RC_OK)
        *out = reply.msg->policy->epoch;
    rpc_reply_clear(connection->client, &reply);
    return rc;
}

static enum rc policy_set(struct cli *cli)
{
    static struct changes changes;
    AUTO_CONNECTION connection = {0};
    TRY(gather(cli, &changes));
    TRY(connection_open(cli, &connection));
    TRY(connection_login(cli, &connection, CKU_SO));
    Qhsm__PolicySetRequest body = QHSM__POLICY_SET_REQUEST__INIT;
    TRY(expected_epoch(&connection, &body.epoch));
    body.changes = changes.list;
    body.n_changes = changes.count;
    body.disable = changes.disable;
    body.n_disable = changes.disable_count;
    body.enable = changes.enable;
    body.n_enable = changes.enable_count;
    struct rpc_reply reply = {0};
    enum rc rc = policy_change(&connection, &body, &reply);
    if (rc == RC_OK)
        rc = print_policy(cli, &connection, reply.msg->policy);
    rpc_reply_clear(connection.client, &reply);
    return rc;
}

const struct command commands_policy[] = {
    {.noun = "policy",
     .verb = "show",
     .arguments = "[LABEL]",
     .summary = "Show a token's policy: limits, switches, disabled mechanisms",
     .common = CLI_CONNECTS | CLI_TOKEN | CLI_OUTPUT | CLI_READ,
     .arguments_max = 1,
     .run = policy_show},
    {.noun = "policy",
     .verb = "set",
     .arguments = "NAME=VALUE...",
     .summary = "Change settings of a token's policy, as security officer",
     .text = "What is not named stays. NAME is pin_len_min, pin_len_max, pin_tries_max, "
             "ticket_life_s, objects_max, users_max, serve_without_leader_s (numbers), strict, "
             "approved_only (yes or no), "
             "or disable and enable with a mechanism, as often as needed. Every login to the token "
             "ends with the change.",
     .common = CLI_CONNECTS | CLI_TOKEN | CLI_PIN | CLI_OUTPUT,
     .arguments_max = CHANGES_MAX / 2,
     .options = set_argp,
     .parse = parse,
     .run = policy_set},
    {0}};

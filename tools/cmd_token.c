/* SPDX-License-Identifier: Apache-2.0 */
/* qhsm token init | list | show */
#include <unistd.h>

#include "common/cryptoki.h"
#include "tools/connection.h"

#define SLOTS_COLUMNS 7

static struct {
    const char *so_pin_file;
    const char *user_pin_file;
    const char *slot;
    bool force;
    bool yes;
} init_options;

enum { OPTION_SO_PIN = CLI_OPTION, OPTION_USER_PIN, OPTION_SLOT, OPTION_FORCE, OPTION_YES };

static const struct argp_option init_argp[] = {
    {"so-pin-file", OPTION_SO_PIN, "FILE", 0,
     "Read the security officer's PIN from FILE (default: ask)", 0},
    {"user-pin-file", OPTION_USER_PIN, "FILE", 0,
     "Also make the default user, with the PIN in FILE", 0},
    {"slot", OPTION_SLOT, "N", 0,
     "Re-initialise the token in slot N: DESTROYS its objects and users", 0},
    {"force", OPTION_FORCE, NULL, 0,
     "With --slot: without the present security officer's PIN, as administrator", 0},
    {"yes", OPTION_YES, NULL, 0, "Do not ask before --force destroys a token", 0},
    {0}};

static error_t init_parse(int key, char *arg, struct argp_state *state)
{
    (void)state;
    switch (key) {
    case OPTION_SO_PIN:
        init_options.so_pin_file = arg;
        return 0;
    case OPTION_USER_PIN:
        init_options.user_pin_file = arg;
        return 0;
    case OPTION_SLOT:
        init_options.slot = arg;
        return 0;
    case OPTION_FORCE:
        init_options.force = true;
        return 0;
    case OPTION_YES:
        init_options.yes = true;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static enum rc slots(struct connection *connection, struct rpc_reply *reply)
{
    Qhsm__Request request = QHSM__REQUEST__INIT;
    Qhsm__Empty empty = QHSM__EMPTY__INIT;
    request.body_case = QHSM__REQUEST__BODY_SLOTS;
    request.slots = &empty;
    TRY(connection_call(connection, &request, false, reply));
    return reply->msg->body_case == QHSM__RESPONSE__BODY_SLOTS
               ? RC_OK
               : rc_fail(RC_PROTOCOL, "no list of slots");
}

/* The slot of the token to be: the free one, or the one that --slot names. */
static enum rc find_slot(struct connection *connection)
{
    struct rpc_reply reply = {0};
    enum rc rc = slots(connection, &reply);
    bool found = false;
    for (size_t i = 0; rc == RC_OK && i < reply.msg->slots->n_slots; i++) {
        const Qhsm__TokenInfo *token = reply.msg->slots->slots[i];
        char number[24];
        (void)snprintf(number, sizeof number, "%llu", (unsigned long long)token->slot);
        bool is_it = init_options.slot == NULL ? !token->initialized
                                               : strcmp(number, init_options.slot) == 0;
        if (is_it) {
            connection->slot = token->slot;
            (void)snprintf(connection->label, sizeof connection->label, "%s", token->label);
            found = true;
        }
    }
    rpc_reply_clear(connection->client, &reply);
    if (rc == RC_OK && !found)
        rc = rc_fail(RC_SLOT_INVALID, "slot %s",
                     init_options.slot == NULL ? "(free)" : init_options.slot);
    return rc;
}

static enum rc init_user(struct connection *connection, struct bytes so_pin)
{
    AUTO_SECRET pin = SECRET_INIT;
    TRY(cli_pin_new(init_options.user_pin_file, "PIN of the default user", &pin));
    TRY(connection_login_pin(connection, CKU_SO, NULL, so_pin));
    Qhsm__Request request = QHSM__REQUEST__INIT;
    Qhsm__InitPinRequest init = QHSM__INIT_PIN_REQUEST__INIT;
    init.pin = pb_bytes(secret_expose(&pin));
    request.body_case = QHSM__REQUEST__BODY_INIT_PIN;
    request.init_pin = &init;
    return connection_do(connection, &request, true);
}

/* The label, typed, as a person's word that this token is meant. */
static enum rc confirm_force(const struct connection *connection)
{
    if (init_options.slot == NULL)
        return rc_fail(RC_USAGE, "--force needs --slot");
    if (init_options.yes)
        return RC_OK;
    if (isatty(STDIN_FILENO) == 0)
        return rc_fail(RC_USAGE, "no terminal to ask on: --yes destroys token %s unasked",
                       connection->label);
    char line[64] = "";
    printf("Every key and user of token %s in slot %llu will be destroyed. Type its label: ",
           connection->label, (unsigned long long)connection->slot);
    (void)fflush(stdout);
    if (fgets(line, sizeof line, stdin) == NULL)
        line[0] = 0;
    line[strcspn(line, "\n")] = 0;
    return strcmp(line, connection->label) == 0
               ? RC_OK
               : rc_fail(RC_CANCELLED, "that is not the label of the token: nothing was done");
}

static enum rc token_init(struct cli *cli)
{
    AUTO_CONNECTION connection = {0};
    TRY(connection_open(cli, &connection));
    TRY(find_slot(&connection));
    if (init_options.force)
        TRY(confirm_force(&connection));
    AUTO_SECRET so_pin = SECRET_INIT;
    TRY(cli_pin_new(init_options.so_pin_file, "PIN of the security officer", &so_pin));
    Qhsm__Request request = QHSM__REQUEST__INIT;
    Qhsm__InitTokenRequest init = QHSM__INIT_TOKEN_REQUEST__INIT;
    init.slot = connection.slot;
    init.label = cli->arguments[0];
    init.so_pin = pb_bytes(secret_expose(&so_pin));
    init.force = init_options.force;
    request.body_case = QHSM__REQUEST__BODY_INIT_TOKEN;
    request.init_token = &init;
    TRY(connection_do(&connection, &request, true));
    if (init_options.user_pin_file != NULL)
        TRY(init_user(&connection, secret_expose(&so_pin)));
    printf("token %s is in slot %llu\n", cli->arguments[0], (unsigned long long)connection.slot);
    return RC_OK;
}

static const struct column columns[SLOTS_COLUMNS] = {
    {"SLOT", "slot", CELL_NUMBER},       {"LABEL", "label", CELL_TEXT},
    {"SERIAL", "serial", CELL_TEXT},     {"INITIALIZED", "initialized", CELL_BOOL},
    {"USER PIN", "user_pin", CELL_BOOL}, {"OBJECTS", "objects", CELL_NUMBER},
    {"LIMIT", "object_max", CELL_NUMBER}};

static enum rc add_row(struct table *table, const Qhsm__TokenInfo *token)
{
    bool has_user = (token->flags & CKF_USER_PIN_INITIALIZED) != 0;
    TRY(table_cell(table, "%llu", (unsigned long long)token->slot));
    TRY(table_cell(table, "%s", token->label));
    TRY(table_cell(table, "%s", token->serial));
    TRY(table_cell(table, "%s", token->initialized ? "true" : "false"));
    TRY(table_cell(table, "%s", has_user ? "true" : "false"));
    TRY(table_cell(table, "%llu", (unsigned long long)token->object_count));
    return table_cell(table, "%llu", (unsigned long long)token->object_max);
}

static enum rc print_tokens(struct cli *cli, struct connection *connection, bool only_one)
{
    AUTO_TABLE *table = NULL;
    TRY(table_new(columns, SLOTS_COLUMNS, &table));
    struct rpc_reply reply = {0};
    enum rc rc = slots(connection, &reply);
    for (size_t i = 0; rc == RC_OK && i < reply.msg->slots->n_slots; i++)
        if (!only_one || reply.msg->slots->slots[i]->slot == connection->slot)
            rc = add_row(table, reply.msg->slots->slots[i]);
    rpc_reply_clear(connection->client, &reply);
    TRY(rc);
    return only_one ? table_print_object(table, cli->json) : table_print(table, cli->json);
}

static enum rc token_list(struct cli *cli)
{
    AUTO_CONNECTION connection = {0};
    TRY(connection_open(cli, &connection));
    return print_tokens(cli, &connection, false);
}

static enum rc token_show(struct cli *cli)
{
    AUTO_CONNECTION connection = {0};
    TRY(connection_open(cli, &connection));
    if (cli->argument_count > 0)
        cli->token = cli->arguments[0];
    TRY(connection_token(cli, &connection));
    return print_tokens(cli, &connection, true);
}

const struct command commands_token[] = {
    {.noun = "token",
     .verb = "init",
     .arguments = "LABEL",
     .summary = "Initialise a token",
     .text = "Makes a token in the free slot, with a security officer. With --user-pin-file the "
             "default user is made "
             "too, so that PKCS#11 applications can log in. With --slot and --force an "
             "administrator (uid 0 or the daemon's own user on the Unix socket, or an admin "
             "certificate) destroys a token whose security officer is locked or forgotten, and "
             "starts it anew.",
     .common = CLI_CONNECTS,
     .arguments_min = 1,
     .arguments_max = 1,
     .options = init_argp,
     .parse = init_parse,
     .run = token_init},
    {.noun = "token",
     .verb = "list",
     .arguments = "",
     .summary = "List the slots and their tokens",
     .common = CLI_CONNECTS | CLI_OUTPUT | CLI_READ,
     .run = token_list},
    {.noun = "token",
     .verb = "show",
     .arguments = "[LABEL]",
     .summary = "Show one token",
     .common = CLI_CONNECTS | CLI_TOKEN | CLI_OUTPUT | CLI_READ,
     .arguments_max = 1,
     .run = token_show},
    {0}};

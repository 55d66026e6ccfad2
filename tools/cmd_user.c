/* SPDX-License-Identifier: Apache-2.0 */
/* qhsm user create | list | passwd | unlock | disable | delete */
#include "common/crypt.h"
#include "common/cryptoki.h"
#include "tools/connection.h"

static struct {
    const char *new_pin_file;
    bool is_so;
} options;

enum { OPTION_NEW_PIN = CLI_OPTION, OPTION_SO };

static const struct argp_option new_pin_argp[] = {
    {"new-pin-file", OPTION_NEW_PIN, "FILE", 0, "Read the new PIN from FILE (default: ask)", 0},
    {0}};
static const struct argp_option passwd_argp[] = {
    {"new-pin-file", OPTION_NEW_PIN, "FILE", 0, "Read the new PIN from FILE (default: ask)", 0},
    {"so", OPTION_SO, NULL, 0,
     "Change the security officer's PIN; with NAME: set NAME's PIN as security officer", 0},
    {0}};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    (void)state;
    switch (key) {
    case OPTION_NEW_PIN:
        options.new_pin_file = arg;
        return 0;
    case OPTION_SO:
        options.is_so = true;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static enum rc user_create(struct cli *cli)
{
    AUTO_CONNECTION connection = {0};
    TRY(connection_open(cli, &connection));
    TRY(connection_login(cli, &connection, CKU_SO));
    AUTO_SECRET pin = SECRET_INIT;
    TRY(cli_pin_new(options.new_pin_file, "PIN of the new user", &pin));
    Qhsm__Request request = QHSM__REQUEST__INIT;
    Qhsm__UserCreateRequest create = QHSM__USER_CREATE_REQUEST__INIT;
    create.name = cli->arguments[0];
    create.pin = pb_bytes(secret_expose(&pin));
    request.body_case = QHSM__REQUEST__BODY_USER_CREATE;
    request.user_create = &create;
    TRY(connection_do(&connection, &request, true));
    printf("user %s can log in to %s with the PIN %s:PASSWORD\n", cli->arguments[0],
           connection.label, cli->arguments[0]);
    return RC_OK;
}

static enum rc change(struct cli *cli, enum user_change what, struct bytes pin)
{
    AUTO_CONNECTION connection = {0};
    TRY(connection_open(cli, &connection));
    TRY(connection_login(cli, &connection, CKU_SO));
    Qhsm__Request request = QHSM__REQUEST__INIT;
    Qhsm__UserChangeRequest body = QHSM__USER_CHANGE_REQUEST__INIT;
    body.name = cli->arguments[0];
    body.change = what;
    body.pin = pb_bytes(pin);
    request.body_case = QHSM__REQUEST__BODY_USER_CHANGE;
    request.user_change = &body;
    return connection_do(&connection, &request, true);
}

static enum rc user_unlock(struct cli *cli)
{
    return change(cli, USER_CHANGE_UNLOCK, BYTES_NONE);
}

static enum rc user_disable(struct cli *cli)
{
    return change(cli, USER_CHANGE_DISABLE, BYTES_NONE);
}

static enum rc user_delete(struct cli *cli)
{
    return change(cli, USER_CHANGE_DELETE, BYTES_NONE);
}

/* "name:password" as the PIN of a named crypto user. */
static enum rc qualified(const char *name, const struct secret *password, struct secret *out)
{
    if (name != NULL) {
        TRY(secret_append(out, bytes_of_str(name)));
        TRY(secret_append(out, bytes_of_str(":")));
    }
    return secret_append(out, secret_expose(password));
}

static enum rc own_pin(struct cli *cli)
{
    AUTO_CONNECTION connection = {0};
    TRY(connection_open(cli, &connection));
    TRY(connection_token(cli, &connection));
    AUTO_SECRET old_word = SECRET_INIT;
    AUTO_SECRET new_word = SECRET_INIT;
    TRY(cli_pin(cli, "Current PIN", &old_word));
    TRY(cli_pin_new(options.new_pin_file, "New PIN", &new_word));
    const char *name = options.is_so ? NULL : cli->user;
    AUTO_SECRET old_pin = SECRET_INIT;
    AUTO_SECRET new_pin = SECRET_INIT;
    TRY(qualified(name, &old_word, &old_pin));
    TRY(qualified(NULL, &new_word, &new_pin));
    Qhsm__Request request = QHSM__REQUEST__INIT;
    Qhsm__SetPinRequest body = QHSM__SET_PIN_REQUEST__INIT;
    body.slot = connection.slot;
    body.user_type = options.is_so ? CKU_SO : CKU_USER;
    body.old_pin = pb_bytes(secret_expose(&old_pin));
    body.new_pin = pb_bytes(secret_expose(&new_pin));
    request.body_case = QHSM__REQUEST__BODY_SET_PIN;
    request.set_pin = &body;
    return connection_do(&connection, &request, true);
}

static enum rc user_passwd(struct cli *cli)
{
    if (!options.is_so || cli->argument_count == 0) {
        if (cli->argument_count > 0)
            cli->user = cli->arguments[0];
        return own_pin(cli);
    }
    AUTO_SECRET pin = SECRET_INIT;
    TRY(cli_pin_new(options.new_pin_file, "New PIN", &pin));
    return change(cli, USER_CHANGE_PIN, secret_expose(&pin));
}

static const struct column columns[] = {{"NAME", "name", CELL_TEXT},
                                        {"ROLE", "role", CELL_TEXT},
                                        {"DEFAULT", "default", CELL_BOOL},
                                        {"PIN", "has_pin", CELL_BOOL},
                                        {"LOCKED", "locked", CELL_BOOL},
                                        {"DISABLED", "disabled", CELL_BOOL},
                                        {"TRIES LEFT", "tries_left", CELL_NUMBER}};

static enum rc add_row(struct table *table, const Qhsm__UserInfo *user)
{
    const bool flags[] = {user->is_default, user->has_pin, user->locked, user->disabled};
    TRY(table_cell(table, "%s", user->name));
    TRY(table_cell(table, "%s", user->role == ROLE_SO ? "security-officer" : "crypto-user"));
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++)
        TRY(table_cell(table, "%s", flags[i] ? "true" : "false"));
    return table_cell(table, "%u", user->tries_left);
}

static enum rc user_list(struct cli *cli)
{
    AUTO_CONNECTION connection = {0};
    TRY(connection_open(cli, &connection));
    TRY(connection_token(cli, &connection));
    AUTO_TABLE *table = NULL;
    TRY(table_new(columns, sizeof columns / sizeof columns[0], &table));
    Qhsm__Request request = QHSM__REQUEST__INIT;
    Qhsm__UserListRequest body = QHSM__USER_LIST_REQUEST__INIT;
    body.slot = connection.slot;
    request.body_case = QHSM__REQUEST__BODY_USER_LIST;
    request.user_list = &body;
    struct rpc_reply reply = {0};
    enum rc rc = connection_call(&connection, &request, false, &reply);
    if (rc == RC_OK && reply.msg->body_case != QHSM__RESPONSE__BODY_USERS)
        rc = rc_fail(RC_PROTOCOL, "no list of users in the answer");
    for (size_t i = 0; rc == RC_OK && i < reply.msg->users->n_users; i++)
        rc = add_row(table, reply.msg->users->users[i]);
    rpc_reply_clear(connection.client, &reply);
    TRY(rc);
    return table_print(table, cli->json);
}

#define SO_COMMON (CLI_CONNECTS | CLI_TOKEN | CLI_PIN)

const struct command commands_user[] = {
    {.noun = "user",
     .verb = "create",
     .arguments = "NAME",
     .summary = "Make a crypto user, as security officer",
     .text = "The PIN options give the security officer's PIN. The new user logs in to PKCS#11 "
             "with NAME:PASSWORD.",
     .common = SO_COMMON,
     .arguments_min = 1,
     .arguments_max = 1,
     .options = new_pin_argp,
     .parse = parse,
     .run = user_create},
    {.noun = "user",
     .verb = "list",
     .arguments = "",
     .summary = "List the users of a token",
     .common = CLI_CONNECTS | CLI_TOKEN | CLI_OUTPUT | CLI_READ,
     .run = user_list},
    {.noun = "user",
     .verb = "passwd",
     .arguments = "[NAME]",
     .summary = "Change a PIN",
     .text = "Without --so the user's own PIN, which is asked for; with --so the security "
             "officer's, or NAME's as "
             "security officer, which also lifts a lock.",
     .common = SO_COMMON,
     .arguments_max = 1,
     .options = passwd_argp,
     .parse = parse,
     .run = user_passwd},
    {.noun = "user",
     .verb = "unlock",
     .arguments = "NAME",
     .summary = "Lift a lock or a disable, as security officer",
     .common = SO_COMMON,
     .arguments_min = 1,
     .arguments_max = 1,
     .run = user_unlock},
    {.noun = "user",
     .verb = "disable",
     .arguments = "NAME",
     .summary = "Forbid a user to log in, as security officer",
     .text = "Logins that the user has are void at once.",
     .common = SO_COMMON,
     .arguments_min = 1,
     .arguments_max = 1,
     .run = user_disable},
    {.noun = "user",
     .verb = "delete",
     .arguments = "NAME",
     .summary = "Delete a crypto user, as security officer",
     .text = "The objects that the user made stay: all crypto users of a token share them.",
     .common = SO_COMMON,
     .arguments_min = 1,
     .arguments_max = 1,
     .run = user_delete},
    {0}};

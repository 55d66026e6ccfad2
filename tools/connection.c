/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/connection.h"

#include <stdlib.h>
#include <sys/random.h>

enum rc connection_open(const struct cli *cli, struct connection *out)
{
    *out = (struct connection){.ticket = BUF_INIT, .linearizable = cli->linearizable};
    TRY(client_config_load(cli->config, &out->config));
    uint8_t application[16];
    if (getrandom(application, sizeof application, 0) != (ssize_t)sizeof application)
        return rc_fail(RC_RANDOM, "getrandom failed");
    return rpc_client_new(out->config, "qhsm " QHSM_VERSION, application, &out->client);
}

void connection_close(struct connection *connection)
{
    if (connection->client != NULL)
        rpc_client_free(connection->client);
    client_config_free(connection->config);
    buf_clear(&connection->ticket);
    connection->client = NULL;
    connection->config = NULL;
}

/* What client.conf asks of reads; not of what is said of HSMs, which is asked when there is
 * trouble.
 */
static bool reads_state(const Qhsm__Request *request)
{
    static const Qhsm__Request__BodyCase bodies[] = {
        QHSM__REQUEST__BODY_SLOTS,          QHSM__REQUEST__BODY_FIND,
        QHSM__REQUEST__BODY_GET_ATTRIBUTES, QHSM__REQUEST__BODY_FACTS,
        QHSM__REQUEST__BODY_USER_LIST,      QHSM__REQUEST__BODY_POLICY_GET};
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++)
        if (bodies[i] == request->body_case)
            return true;
    return false;
}

enum rc connection_call(struct connection *connection, Qhsm__Request *request, bool mutates,
                        struct rpc_reply *out)
{
    request->ticket = pb_bytes(buf_bytes(&connection->ticket));
    if (mutates)
        request->sequence = rpc_sequence(connection->client);
    else
        request->linearizable =
            connection->linearizable ||
            (connection->config->read == CLIENT_READ_LINEARIZABLE && reads_state(request));
    return rpc_call(connection->client, request, RPC_REPEAT_SAFE, out);
}

enum rc connection_do(struct connection *connection, Qhsm__Request *request, bool mutates)
{
    struct rpc_reply reply = {0};
    enum rc rc = connection_call(connection, request, mutates, &reply);
    rpc_reply_clear(connection->client, &reply);
    return rc;
}

static bool is_wanted(const char *wanted, const Qhsm__TokenInfo *token)
{
    if (wanted == NULL || strcmp(wanted, token->label) == 0)
        return true;
    char *end = NULL;
    unsigned long long slot = strtoull(wanted, &end, 10);
    return *wanted != 0 && *end == 0 && slot == token->slot;
}

static enum rc pick(struct connection *connection, const char *wanted,
                    const Qhsm__SlotsReply *slots)
{
    size_t found = 0;
    for (size_t i = 0; i < slots->n_slots; i++) {
        const Qhsm__TokenInfo *token = slots->slots[i];
        if (!token->initialized || !is_wanted(wanted, token))
            continue;
        connection->slot = token->slot;
        (void)snprintf(connection->label, sizeof connection->label, "%s", token->label);
        found++;
    }
    if (found == 1)
        return RC_OK;
    if (wanted != NULL)
        return rc_fail(found == 0 ? RC_SLOT_INVALID : RC_CONFLICT, "%zu tokens answer to %s", found,
                       wanted);
    return rc_fail(found == 0 ? RC_TOKEN_NOT_INITIALIZED : RC_USAGE,
                   found == 0 ? "the HSM has no initialised token (%zu)"
                              : "%zu tokens: name one with --token",
                   found);
}

enum rc connection_token(const struct cli *cli, struct connection *connection)
{
    Qhsm__Request request = QHSM__REQUEST__INIT;
    Qhsm__Empty empty = QHSM__EMPTY__INIT;
    request.body_case = QHSM__REQUEST__BODY_SLOTS;
    request.slots = &empty;
    struct rpc_reply reply = {0};
    enum rc rc = connection_call(connection, &request, false, &reply);
    if (rc == RC_OK && reply.msg->body_case != QHSM__RESPONSE__BODY_SLOTS)
        rc = rc_fail(RC_PROTOCOL, "no list of slots in the answer");
    if (rc == RC_OK)
        rc = pick(connection, cli->token != NULL ? cli->token : connection->config->token,
                  reply.msg->slots);
    rpc_reply_clear(connection->client, &reply);
    return rc;
}

enum rc connection_login_pin(struct connection *connection, CK_USER_TYPE type, const char *user,
                             struct bytes pin)
{
    Qhsm__Request request = QHSM__REQUEST__INIT;
    Qhsm__LoginRequest login = QHSM__LOGIN_REQUEST__INIT;
    login.slot = connection->slot;
    login.user_type = type;
    login.pin = pb_bytes(pin);
    if (user != NULL)
        login.user = (char *)(uintptr_t)user;
    request.body_case = QHSM__REQUEST__BODY_LOGIN;
    request.login = &login;
    struct rpc_reply reply = {0};
    enum rc rc = connection_call(connection, &request, true, &reply);
    if (rc == RC_OK && reply.msg->body_case != QHSM__RESPONSE__BODY_LOGIN)
        rc = rc_fail(RC_PROTOCOL, "no ticket in the answer to a login");
    if (rc == RC_OK) {
        buf_clear(&connection->ticket);
        rc = buf_append(&connection->ticket,
                        bytes_of(reply.msg->login->ticket.data, reply.msg->login->ticket.len));
    }
    rpc_reply_clear(connection->client, &reply);
    return rc;
}

enum rc connection_login(const struct cli *cli, struct connection *connection, CK_USER_TYPE type)
{
    TRY(connection_token(cli, connection));
    AUTO_SECRET pin = SECRET_INIT;
    AUTO_BUF what = BUF_INIT;
    if (type == CKU_SO)
        TRY(buf_printf(&what, "PIN of the security officer of %s", connection->label));
    else
        TRY(buf_printf(&what, "PIN of %s of %s", cli->user == NULL ? "the user" : cli->user,
                       connection->label));
    TRY(cli_pin(cli, buf_str(&what), &pin));
    return connection_login_pin(connection, type, type == CKU_SO ? NULL : cli->user,
                                secret_expose(&pin));
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The command line's connection to an HSM: client.conf, the token that is meant, the login. */
#ifndef QHSM_TOOLS_CONNECTION_H
#define QHSM_TOOLS_CONNECTION_H

#include "common/cryptoki.h"
#include "rpc/client.h"
#include "tools/cli.h"

struct connection {
    struct client_config *config;
    struct rpc_client *client;
    uint64_t slot; /* 0 until connection_token() */
    char label[33];
    struct buf ticket; /* empty until a login */
    bool linearizable; /* reads */
};

enum rc connection_open(const struct cli *cli, struct connection *out);
void connection_close(struct connection *connection);
#define AUTO_CONNECTION __attribute__((cleanup(connection_close))) struct connection

/* Finds the token: --token, else `token` of client.conf, else the only initialised one. */
enum rc connection_token(const struct cli *cli, struct connection *connection);
/* Logs in; the PIN by cli_pin(). */
enum rc connection_login(const struct cli *cli, struct connection *connection, CK_USER_TYPE type);
enum rc connection_login_pin(struct connection *connection, CK_USER_TYPE type, const char *user,
                             struct bytes pin);

/* Sends with ticket and, for `mutates`, a sequence. */
enum rc connection_call(struct connection *connection, Qhsm__Request *request, bool mutates,
                        struct rpc_reply *out);
/* The same where the answer's body does not matter. */
enum rc connection_do(struct connection *connection, Qhsm__Request *request, bool mutates);

static inline ProtobufCBinaryData pb_bytes(struct bytes b)
{
    return (ProtobufCBinaryData){.data = (uint8_t *)(uintptr_t)b.ptr, .len = b.len};
}

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* The joiner asks: any member, over TLS with the ticket's certificate. */
#include <stdlib.h>
#include <string.h>

#include "cluster/join_internal.h"
#include "token/seal.h"

#define CONNECT_MS 1000UL
#define CALL_MS    4000UL

static enum rc put_endpoints(const Qhsm__JoinTicket *ticket, struct config_list *out)
{
    if (ticket->n_endpoints == 0)
        return rc_fail(RC_BAD_ARGUMENT, "the join token names no HSM to ask");
    out->items = calloc(ticket->n_endpoints, sizeof *out->items);
    if (out->items == NULL)
        return RC_NO_MEMORY;
    for (size_t i = 0; i < ticket->n_endpoints; i++) {
        AUTO_BUF text = BUF_INIT;
        bool is_whole = strncmp(ticket->endpoints[i], "tcp:", 4) == 0;
        TRY(buf_printf(&text, "%s%s", is_whole ? "" : "tcp:", ticket->endpoints[i]));
        out->items[i] = strdup(buf_str(&text));
        if (out->items[i] == NULL)
            return RC_NO_MEMORY;
        out->count++;
    }
    return RC_OK;
}

static enum rc put_config(const struct joiner *joiner, struct client_config *out)
{
    size_t count = 0;
    const struct config_key *keys = client_config_keys(&count);
    const Qhsm__JoinTicket *ticket = joiner->ticket;
    TRY(config_defaults(keys, count, out));
    TRY(put_endpoints(ticket, &out->endpoints));
    out->connect_timeout_ms = CONNECT_MS;
    out->call_timeout_ms = CALL_MS;
    TRY(buf_append(&out->ca_pem, bytes_of(ticket->ca_pem.data, ticket->ca_pem.len)));
    TRY(buf_append(&out->cert_pem, bytes_of(ticket->cert_pem.data, ticket->cert_pem.len)));
    return secret_from_bytes(&out->key_pem, secret_expose(&joiner->key_pem));
}

/* Else every HSM would be found unreachable. */
static enum rc check_pair(const struct joiner *joiner)
{
    const struct client_config *config = joiner->client_config;
    const struct tls_credentials credentials = {.ca_pem = buf_bytes(&config->ca_pem),
                                                .cert_pem = buf_bytes(&config->cert_pem),
                                                .key_pem = &config->key_pem};
    SSL_CTX *ctx = NULL;
    enum rc rc = tls_client_new(joiner->lib, &credentials, &ctx);
    SSL_CTX_free(ctx);
    return rc == RC_OK ? RC_OK
                       : rc_fail(rc, "the join token is not for the key of this HSM, or damaged");
}

enum rc join_dial(struct joiner *joiner)
{
    uint8_t application[16];
    struct client_config *fresh = calloc(1, sizeof *fresh);
    if (fresh == NULL)
        return RC_NO_MEMORY;
    fresh->ca_pem = fresh->cert_pem = (struct buf)BUF_INIT;
    joiner->client_config = fresh;
    TRY(put_config(joiner, fresh));
    TRY(check_pair(joiner));
    TRY(random_bytes(application, sizeof application));
    return rpc_client_new(fresh, "qhsmd " QHSM_VERSION, application, &joiner->client);
}

enum rc join_ask(const struct server_config *config, struct joiner *joiner, struct rpc_reply *out)
{
    Qhsm__Request request = QHSM__REQUEST__INIT;
    Qhsm__JoinRequest join = QHSM__JOIN_REQUEST__INIT;
    join.zone = config->zone;
    join.address = config->address;
    join.endpoint = config->endpoint;
    char release[] = QHSM_VERSION;
    join.release = release;
    request.body_case = QHSM__REQUEST__BODY_JOIN;
    request.join = &join;
    return rpc_call(joiner->client, &request, RPC_REPEAT_SAFE, out);
}

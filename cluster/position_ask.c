/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster/position_ask.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "cluster/keyfile.h"
#include "common/thread.h"
#include "rpc/client.h"
#include "token/seal.h"

/* The one that knows better may be slow; who is gone says so at once, or is waited for so long. */
#define ASK_ELECTIONS 2UL

enum rc position_ask_open(struct position_ask *ask, const struct server_config *config)
{
    ask->ca = ask->cert = (struct buf)BUF_INIT;
    ask->is_open = true;
    ask->limit_ms = ASK_ELECTIONS * config->election_ms;
    ask->address = config->address;
    TRY(keyfile_read(config->ca, &ask->ca));
    TRY(keyfile_read(config->cert, &ask->cert));
    return keyfile_read_secret(config->key, &ask->key);
}

void position_ask_close(struct position_ask *ask)
{
    if (!ask->is_open)
        return;
    buf_clear(&ask->ca);
    buf_clear(&ask->cert);
    secret_clear(&ask->key);
}

/* ---- one of them */

struct asker {
    const struct position_ask *ask;
    struct position_question *question;
    uint64_t index;
    bool gave_up;
    bool is_running;
    pthread_t thread;
};

static enum rc converse(const struct asker *asker, struct rpc_client *client)
{
    Qhsm__Request request = QHSM__REQUEST__INIT;
    Qhsm__PositionRequest position = QHSM__POSITION_REQUEST__INIT;
    struct rpc_reply reply = {.msg = NULL};
    position.index = asker->index;
    position.gave_up = asker->gave_up;
    position.address = asker->ask->address;
    request.body_case = QHSM__REQUEST__BODY_POSITION;
    request.position = &position;
    enum rc rc = rpc_call(client, &request, RPC_REPEAT_FAREWELL, &reply);
    if (rc == RC_OK && reply.msg->body_case == QHSM__RESPONSE__BODY_POSITION)
        asker->question->known = reply.msg->position->known;
    rpc_reply_clear(client, &reply);
    return rc;
}

static enum rc put_config(const struct asker *asker, struct client_config *out)
{
    size_t count = 0;
    const struct config_key *keys = client_config_keys(&count);
    TRY(config_defaults(keys, count, out));
    out->endpoints.items = calloc(1, sizeof *out->endpoints.items);
    if (out->endpoints.items == NULL)
        return RC_NO_MEMORY;
    out->endpoints.items[0] = strdup(asker->question->endpoint);
    if (out->endpoints.items[0] == NULL)
        return RC_NO_MEMORY;
    out->endpoints.count = 1;
    out->connect_timeout_ms = asker->ask->limit_ms;
    out->call_timeout_ms = asker->ask->limit_ms;
    TRY(buf_append(&out->ca_pem, buf_bytes(&asker->ask->ca)));
    TRY(buf_append(&out->cert_pem, buf_bytes(&asker->ask->cert)));
    return secret_from_bytes(&out->key_pem, secret_expose(&asker->ask->key));
}

static enum rc ask_one(const struct asker *asker, struct client_config *config)
{
    struct rpc_client *client = NULL;
    uint8_t application[16];
    config->ca_pem = config->cert_pem = (struct buf)BUF_INIT;
    TRY(put_config(asker, config));
    TRY(random_bytes(application, sizeof application));
    TRY(rpc_client_new(config, "qhsmd " QHSM_VERSION, application, &client));
    enum rc rc = converse(asker, client);
    rpc_client_free(client);
    return rc;
}

static void *run(void *context)
{
    struct asker *asker = context;
    struct position_question *question = asker->question;
    struct client_config *config = calloc(1, sizeof *config);
    question->rc = config == NULL ? RC_NO_MEMORY : ask_one(asker, config);
    (void)snprintf(question->detail, sizeof question->detail, "%s", rc_detail());
    client_config_free(config);
    return NULL;
}

enum rc position_ask_all(struct position_ask *ask, uint64_t index, bool gave_up)
{
    struct asker *askers = calloc(ask->count, sizeof *askers);
    if (askers == NULL)
        return RC_NO_MEMORY;
    for (size_t i = 0; i < ask->count; i++) {
        askers[i] = (struct asker){
            .ask = ask, .question = &ask->questions[i], .index = index, .gave_up = gave_up};
        askers[i].is_running =
            thread_start(&askers[i].thread, "position", run, &askers[i]) == RC_OK;
        if (!askers[i].is_running)
            (void)run(&askers[i]);
    }
    for (size_t i = 0; i < ask->count; i++)
        if (askers[i].is_running)
            (void)pthread_join(askers[i].thread, NULL);
    free(askers);
    return RC_OK;
}

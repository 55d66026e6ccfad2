/* SPDX-License-Identifier: Apache-2.0 */
/* The cluster as its key store shows it: health, and the front end's documents. */
#include <stdio.h>

#include "kms/hsm_client_internal.h"

void hsm_health_clear(struct hsm_health *health)
{
    buf_clear(&health->ca_pem);
    health->count = 0;
}

static void read_hsms(const Qhsm__KeystoreHealthReply *reply, struct hsm_health *out)
{
    for (size_t i = 0; i < reply->n_hsms && out->count < HSM_ZONES_MAX; i++) {
        const Qhsm__KeystoreHsm *hsm = reply->hsms[i];
        out->hsms[out->count].node = hsm->node;
        out->hsms[out->count].active = hsm->active;
        (void)snprintf(out->hsms[out->count].zone, sizeof out->hsms[0].zone, "%s", hsm->zone);
        out->count++;
    }
}

enum rc hsm_health(struct hsm_client *client, struct hsm_health *out)
{
    AUTO_ANSWER answer = HSM_ANSWER_INIT;
    Qhsm__Request request = QHSM__REQUEST__INIT;
    Qhsm__KeystoreHealthRequest body = QHSM__KEYSTORE_HEALTH_REQUEST__INIT;
    struct buf ca_pem = BUF_INIT;
    request.body_case = QHSM__REQUEST__BODY_KEYSTORE_HEALTH;
    request.keystore_health = &body;
    TRY(hsm_client_ask(client, &request, QHSM__RESPONSE__BODY_KEYSTORE_HEALTH, &answer));
    const Qhsm__KeystoreHealthReply *reply = answer.reply.msg->keystore_health;
    uint8_t cluster[16];
    if (!bytes_copy_exact(hsm_client_bytes(&reply->cluster), cluster, sizeof cluster))
        return rc_fail(RC_PROTOCOL, "the cluster's id has %zu bytes", reply->cluster.len);
    TRY(buf_append(&ca_pem, hsm_client_bytes(&reply->ca_pem)));
    *out = (struct hsm_health){.ca_pem = ca_pem, .has_quorum = reply->has_quorum};
    memcpy(out->cluster, cluster, sizeof cluster);
    read_hsms(reply, out);
    return RC_OK;
}

enum rc hsm_logins(struct hsm_client *client, uint32_t *out)
{
    AUTO_ANSWER answer = HSM_ANSWER_INIT;
    Qhsm__Request request = QHSM__REQUEST__INIT;
    Qhsm__KeystoreHealthRequest body = QHSM__KEYSTORE_HEALTH_REQUEST__INIT;
    body.token = client->token;
    body.user = client->user;
    request.body_case = QHSM__REQUEST__BODY_KEYSTORE_HEALTH;
    request.keystore_health = &body;
    TRY(hsm_client_ask(client, &request, QHSM__RESPONSE__BODY_KEYSTORE_HEALTH, &answer));
    const Qhsm__KeystoreHealthReply *reply = answer.reply.msg->keystore_health;
    *out = 0;
    for (size_t i = 0; i < reply->n_hsms; i++)
        *out += reply->hsms[i]->logins;
    return RC_OK;
}

enum rc hsm_documents(struct hsm_client *client, uint64_t since, const char *after,
                      struct rpc_reply *out)
{
    AUTO_ANSWER answer = HSM_ANSWER_INIT;
    Qhsm__Request request = QHSM__REQUEST__INIT;
    Qhsm__KeystoreDocumentsRequest body = QHSM__KEYSTORE_DOCUMENTS_REQUEST__INIT;
    body.since = since;
    body.after = hsm_client_text(after);
    request.body_case = QHSM__REQUEST__BODY_KEYSTORE_DOCUMENTS;
    request.keystore_documents = &body;
    TRY(hsm_client_call(client, &request, QHSM__RESPONSE__BODY_KEYSTORE_DOCUMENTS, &answer));
    *out = answer.reply;
    answer.client = NULL;
    return RC_OK;
}

void hsm_client_done(struct hsm_client *client, struct rpc_reply *reply)
{
    rpc_reply_clear(client->rpc, reply);
}

enum rc hsm_change(struct hsm_client *client, Qhsm__KeystoreChangeRequest *change,
                   uint64_t *out_index)
{
    AUTO_ANSWER answer = HSM_ANSWER_INIT;
    Qhsm__Request request = QHSM__REQUEST__INIT;
    request.body_case = QHSM__REQUEST__BODY_KEYSTORE_CHANGE;
    request.keystore_change = change;
    TRY(hsm_client_change(client, &request, QHSM__RESPONSE__BODY__NOT_SET, &answer));
    *out_index = answer.reply.msg->applied_index;
    return RC_OK;
}

enum rc hsm_claim(struct hsm_client *client)
{
    Qhsm__KeystoreChangeRequest none = QHSM__KEYSTORE_CHANGE_REQUEST__INIT;
    uint64_t index = 0;
    return hsm_change(client, &none, &index);
}

void hsm_client_cluster(const struct hsm_client *client, uint8_t out[16])
{
    struct rpc_seen seen;
    rpc_client_seen(client->rpc, &seen);
    memcpy(out, seen.cluster, sizeof seen.cluster);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Handlers of the key store: logins of a front end's user, and how the cluster is. */
#include <inttypes.h>
#include <string.h>

#include "cluster/handlers.h"
#include "cluster/handlers_cluster.h"
#include "cluster/keyfile.h"
#include "cluster/roll.h"
#include "common/cluster.h"

/* ---- logins */

/* Labels are no names: one of several tokens is nobody's to choose. */
static enum rc find_token(const struct state *state, const char *label, uint64_t *out)
{
    size_t count = state_tokens(state, NULL, 0);
    *out = 0;
    for (uint64_t number = 1; number <= count; number++) {
        struct token_row row;
        if (state_token(state, number, &row) != RC_OK || strcmp(row.label, label) != 0)
            continue;
        if (*out != 0)
            return rc_fail(RC_CONFLICT,
                           "the tokens in slots %" PRIu64 " and %" PRIu64 " are both labelled %s",
                           *out, number, label);
        *out = number;
    }
    return *out != 0 ? RC_OK : rc_fail(RC_NOT_FOUND, "there is no token %s", label);
}

enum rc handlers_keystore_user(const struct state *state, const char *token, const char *user,
                               struct user_row *out)
{
    uint64_t number = 0;
    TRY(find_token(state, token, &number));
    if (state_user(state, number, user, out) == RC_OK && out->role == ROLE_USER)
        return RC_OK;
    return rc_fail(RC_NOT_FOUND, "token %s has no crypto user %s", token, user);
}

enum rc handlers_keystore_connect(struct call *call)
{
    const Qhsm__KeystoreConnectRequest *in = call->request->keystore_connect;
    struct hsm *hsm = call->service->hsm;
    struct user_row user;
    TRY(handlers_keystore_user(hsm->state, in->token, in->user, &user));
    return hsm_login(hsm, &call->caller, user.token, CKU_USER, user.name,
                     handlers_bytes(in->password), &call->mutation);
}

enum rc handlers_keystore_connect_reply(struct call *call)
{
    struct bytes sealed = buf_bytes(&call->mutation.reply);
    Qhsm__KeystoreConnectReply *reply = &call->body.keystore_connect;
    qhsm__keystore_connect_reply__init(reply);
    TRY(peer_login(call->peer, call->service, sealed));
    reply->ticket = handlers_data(sealed);
    reply->expires_ms = call->peer->ticket.expires_ms;
    reply->slot = call->peer->ticket.token;
    handlers_note_index(call);
    call->response.body_case = QHSM__RESPONSE__BODY_KEYSTORE_CONNECT;
    call->response.keystore_connect = reply;
    return RC_OK;
}

/* A repetition of what was done is answered before the old password is tried again, and counted as
 * wrong. */
enum rc handlers_keystore_rotate(struct call *call)
{
    const Qhsm__KeystoreRotateRequest *in = call->request->keystore_rotate;
    struct hsm *hsm = call->service->hsm;
    struct effect_result done;
    struct user_row user;
    if (state_request_done(hsm->state, call->caller.application, call->caller.sequence, &done) &&
        done.rc == RC_OK)
        return RC_OK;
    TRY(handlers_keystore_user(hsm->state, in->token, in->user, &user));
    return hsm_set_password(hsm, &call->caller, user.token, user.name, handlers_bytes(in->password),
                            handlers_bytes(in->new_password), &call->mutation);
}

/* ---- health */

/* A member that answers and takes requests. */
static bool is_active(const Qhsm__NodeView *view)
{
    return view->node->status == NODE_MEMBER && view->status != NULL && !view->status->draining &&
           !view->node->draining;
}

/* The user whose logins are asked for; 0: there is none, or none is asked for. */
static uint64_t user_of(const struct call *call)
{
    const Qhsm__KeystoreHealthRequest *in = call->request->keystore_health;
    struct user_row user = {.id = 0};
    if (in->user[0] != 0 &&
        handlers_keystore_user(call->service->hsm->state, in->token, in->user, &user) != RC_OK) {
        rc_detail_clear();
        return 0;
    }
    return user.id;
}

static uint32_t logins_at(struct call *call, const Qhsm__NodeView *view, uint64_t user)
{
    const struct service *service = call->service;
    if (view->node->id != service->config->node || user == 0 || service->logins == NULL)
        return view->status == NULL ? 0 : view->status->logins;
    return logins_count(service->logins, service->hsm->state, user, call->caller.now_ms);
}

static enum rc put_hsms(struct call *call, const Qhsm__ClusterStatusReply *status, uint64_t user,
                        Qhsm__KeystoreHealthReply *reply)
{
    Qhsm__KeystoreHsm *hsms = call_alloc(call, status->n_nodes + 1, sizeof *hsms);
    reply->hsms = call_alloc(call, status->n_nodes + 1, sizeof(Qhsm__KeystoreHsm *));
    if (hsms == NULL || reply->hsms == NULL)
        return RC_NO_MEMORY;
    for (size_t i = 0; i < status->n_nodes; i++) {
        const Qhsm__NodeView *view = status->nodes[i];
        if (view->node->status == NODE_REMOVED || view->node->status == NODE_PENDING)
            continue;
        Qhsm__KeystoreHsm *hsm = &hsms[reply->n_hsms];
        qhsm__keystore_hsm__init(hsm);
        hsm->node = view->node->id;
        hsm->zone = view->node->zone;
        hsm->active = is_active(view);
        hsm->logins = logins_at(call, view, user);
        reply->hsms[reply->n_hsms++] = hsm;
    }
    return RC_OK;
}

/* Before the cluster is formed its CA is that of the configuration. */
static enum rc put_ca(struct call *call, Qhsm__KeystoreHealthReply *reply)
{
    const struct server_config *config = call->service->config;
    struct roll_authority authority = ROLL_AUTHORITY_INIT;
    enum rc rc = roll_authority(call->service->hsm->state, NULL, &authority);
    if (rc == RC_NOT_FORMED) {
        rc_detail_clear();
        rc = config->ca == NULL ? RC_OK : keyfile_read(config->ca, &authority.ca_pem);
    }
    if (rc == RC_OK)
        rc = handlers_cluster_keep(call, buf_bytes(&authority.ca_pem), &reply->ca_pem);
    roll_authority_clear(&authority);
    return rc;
}

/* What an administrator is told of the cluster, in short. */
enum rc handlers_keystore_health(struct call *call)
{
    Qhsm__KeystoreHealthReply *reply = call_alloc(call, 1, sizeof *reply);
    if (reply == NULL)
        return RC_NO_MEMORY;
    qhsm__keystore_health_reply__init(reply);
    uint64_t user = user_of(call);
    TRY(handlers_cluster_look(call, user));
    const Qhsm__ClusterStatusReply *status = call->response.cluster_status;
    reply->cluster = status->cluster;
    reply->has_quorum = status->has_quorum;
    TRY(put_hsms(call, status, user, reply));
    TRY(put_ca(call, reply));
    call->response.body_case = QHSM__RESPONSE__BODY_KEYSTORE_HEALTH;
    call->response.keystore_health = reply;
    return RC_OK;
}

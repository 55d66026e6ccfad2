/* SPDX-License-Identifier: Apache-2.0 */
/* Handlers of greeting, slots, PINs and logins. */
#include <string.h>

#include "cluster/handlers.h"
#include "cluster/operations.h"
#include "cluster/token_info.h"
#include "common/log.h"

#define TOKENS_MAX 1024U

/* ---- hello */

static enum rc pick_version(const Qhsm__HelloRequest *hello, uint32_t *out)
{
    uint32_t best = hello->version_max < WIRE_VERSION_MAX ? hello->version_max : WIRE_VERSION_MAX;
    if (best < hello->version_min || best < WIRE_VERSION_MIN)
        return rc_fail(RC_VERSION, "client speaks %u to %u, this HSM %u to %u", hello->version_min,
                       hello->version_max, WIRE_VERSION_MIN, WIRE_VERSION_MAX);
    *out = best;
    return RC_OK;
}

enum rc handlers_token_hello(struct call *call)
{
    const Qhsm__HelloRequest *hello = call->request->hello;
    const struct server_config *config = call->service->config;
    struct peer *peer = call->peer;
    Qhsm__HelloReply *reply = &call->body.hello;
    qhsm__hello_reply__init(reply);
    if (peer->greeted)
        return rc_fail(RC_PROTOCOL, "a second hello on this connection");
    if (hello->application.len != sizeof peer->application)
        return rc_fail(RC_PROTOCOL, "an application id of %zu bytes, not 16",
                       hello->application.len);
    TRY(pick_version(hello, &reply->version));
    memcpy(peer->application, hello->application.data, sizeof peer->application);
    peer->greeted = true;
    session_objects_attach(call->service->hsm->sessions, peer->application);
    reply->cluster = handlers_data(bytes_of(config->cluster_id, sizeof config->cluster_id));
    reply->node = config->node;
    reply->release = handlers_text(QHSM_VERSION);
    reply->frame_max = (uint32_t)atomic_load(&call->service->limits.frame_max);
    reply->zone = handlers_text(config->zone);
    call->response.body_case = QHSM__RESPONSE__BODY_HELLO;
    call->response.hello = reply;
    log_debug("hello", "role=%s peer=%s client=\"%.64s\"", tls_role_name(peer->role), peer->name,
              hello->client);
    /* A ticket that comes along lets large frames in from the start; a void one is told later. */
    if (call->request->ticket.len > 0 &&
        peer_login(peer, call->service, handlers_bytes(call->request->ticket)) != RC_OK)
        rc_detail_clear();
    return RC_OK;
}

/* ---- slots and tokens */

enum rc handlers_token_slots(struct call *call)
{
    const struct state *state = call->service->hsm->state;
    uint64_t *numbers = call_alloc(call, TOKENS_MAX, sizeof *numbers);
    if (numbers == NULL)
        return RC_NO_MEMORY;
    size_t count = state_tokens(state, numbers, TOKENS_MAX - 1);
    if (count > TOKENS_MAX - 1)
        count = TOKENS_MAX - 1;
    numbers[count++] = state_next_token(state);
    Qhsm__TokenInfo *infos = call_alloc(call, count, sizeof *infos);
    Qhsm__TokenInfo **list = call_alloc(call, count, sizeof *list);
    if (infos == NULL || list == NULL)
        return RC_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        TRY(token_info_fill(call, numbers[i], &infos[i]));
        list[i] = &infos[i];
    }
    Qhsm__SlotsReply *reply = &call->body.slots;
    qhsm__slots_reply__init(reply);
    reply->n_slots = count;
    reply->slots = list;
    reply->time_ms = clock_wall_ms();
    handlers_note_index(call);
    call->response.body_case = QHSM__RESPONSE__BODY_SLOTS;
    call->response.slots = reply;
    return RC_OK;
}

enum rc handlers_token_init(struct call *call)
{
    const Qhsm__InitTokenRequest *in = call->request->init_token;
    if (in->force)
        return hsm_reset_token(call->service->hsm, &call->caller, in->slot, in->label,
                               handlers_bytes(in->so_pin), &call->mutation);
    return hsm_init_token(call->service->hsm, &call->caller, in->slot, in->label,
                          handlers_bytes(in->so_pin), &call->mutation);
}

enum rc handlers_token_init_reply(struct call *call)
{
    unsigned long long slot = call->request->init_token->slot;
    if (call->request->init_token->force)
        log_warn("token_destroyed_by_administrator", "slot=%llu peer=%s/%s", slot,
                 tls_role_name(call->peer->role), call->peer->name);
    log_info("token_initialised", "slot=%llu", slot);
    TRY(token_info_fill(call, slot, &call->body.token));
    call->response.body_case = QHSM__RESPONSE__BODY_TOKEN;
    call->response.token = &call->body.token;
    return RC_OK;
}

enum rc handlers_token_init_pin(struct call *call)
{
    return hsm_init_pin(call->service->hsm, &call->caller,
                        handlers_bytes(call->request->init_pin->pin), &call->mutation);
}

enum rc handlers_token_set_pin(struct call *call)
{
    const Qhsm__SetPinRequest *in = call->request->set_pin;
    return hsm_set_pin(call->service->hsm, &call->caller, in->slot, in->user_type,
                       handlers_bytes(in->old_pin), handlers_bytes(in->new_pin), &call->mutation);
}

/* ---- login */

enum rc handlers_token_login(struct call *call)
{
    const Qhsm__LoginRequest *in = call->request->login;
    const char *name = in->user[0] == 0 ? NULL : in->user;
    return hsm_login(call->service->hsm, &call->caller, in->slot, in->user_type, name,
                     handlers_bytes(in->pin), &call->mutation);
}

enum rc handlers_token_login_reply(struct call *call)
{
    struct bytes sealed = buf_bytes(&call->mutation.reply);
    Qhsm__LoginReply *reply = &call->body.login;
    qhsm__login_reply__init(reply);
    reply->ticket = handlers_data(sealed);
    if (call->request->login->user_type == CKU_CONTEXT_SPECIFIC) {
        reply->expires_ms = call->caller.now_ms + TICKET_CONTEXT_LIFE_MS;
        reply->user = call->caller.ticket.user;
    } else {
        TRY(peer_login(call->peer, call->service, sealed));
        reply->expires_ms = call->peer->ticket.expires_ms;
        reply->user = call->peer->ticket.user;
    }
    handlers_note_index(call);
    call->response.body_case = QHSM__RESPONSE__BODY_LOGIN;
    call->response.login = reply;
    return RC_OK;
}

enum rc handlers_token_logout(struct call *call)
{
    hsm_logout(call->service->hsm, &call->caller);
    operations_drop_logins(call->service->operations, call->caller.application);
    if (call->service->logins != NULL)
        logins_end(call->service->logins, &call->caller.ticket);
    return RC_OK;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "p11/remote_home.h"

#include <stdlib.h>

void remote_reply_clear(struct remote_reply *reply)
{
    if (reply->client != NULL)
        rpc_reply_clear(reply->client, &reply->reply);
    *reply = (struct remote_reply)REMOTE_REPLY_INIT;
}

enum rc remote_send(struct call *call, Qhsm__Request *request, const struct remote_how *how,
                    struct remote_reply *out)
{
    uint64_t any = 0;
    uint64_t *pin = how->pin != NULL ? how->pin : &any;
    remote_reply_clear(out);
    out->client = call->library->rpc;
    enum rc rc = rpc_call_pinned(out->client, request, how->repeat, pin, &out->reply);
    out->node = *pin;
    return rc;
}

static void set_ticket(Qhsm__Request *request, const struct ticket *ticket)
{
    request->ticket = (ProtobufCBinaryData){.data = NULL};
    if (ticket == NULL || ticket->content.len == 0)
        return;
    request->ticket.len = ticket->content.len;
    request->ticket.data = ticket->content.ptr;
}

/* What client.conf asks of reads. */
static void set_read(const struct client_config *config, Qhsm__Request *request)
{
    int body = (int)request->body_case;
    if (config->read == CLIENT_READ_LINEARIZABLE &&
        (body == QHSM__REQUEST__BODY_FIND || body == QHSM__REQUEST__BODY_FACTS ||
         body == QHSM__REQUEST__BODY_GET_ATTRIBUTES))
        request->linearizable = true;
}

enum rc remote_call(struct call *call, Qhsm__Request *request, const struct remote_how *how,
                    Qhsm__Response__BodyCase expected, struct remote_reply *out)
{
    static const struct remote_how plain = {.repeat = RPC_REPEAT_SAFE};
    if (how == NULL)
        how = &plain;
    struct slot *slot = call->session == NULL ? NULL : call->session->slot;
    struct ticket *login = slot == NULL || how->without_login ? NULL : slot_ticket(slot);
    set_ticket(request, login);
    set_read(call->library->config, request);
    enum rc rc = remote_home_concerns(call, how) ? remote_home_call(call, request, how, out)
                                                 : remote_send(call, request, how, out);
    if (rc == RC_TICKET_VOID && login != NULL && slot_ticket_void(slot, login))
        facts_cache_clear(&call->library->facts);
    if (rc == RC_OK && expected != QHSM__RESPONSE__BODY__NOT_SET &&
        out->reply.msg->body_case != expected)
        rc = rc_fail(RC_PROTOCOL, "the HSM answered with body %d instead of %d",
                     (int)out->reply.msg->body_case, (int)expected);
    set_ticket(request, NULL);
    ticket_unref(login);
    return rc;
}

enum rc remote_mutate(struct call *call, Qhsm__Request *request, const struct remote_how *how,
                      Qhsm__Response__BodyCase expected, struct remote_reply *out)
{
    struct remote_how own = {.repeat = RPC_REPEAT_SAFE};
    if (how != NULL)
        own = *how;
    if (call->library->shares_application)
        own.repeat = RPC_REPEAT_NEVER;
    else
        request->sequence = rpc_sequence(call->library->rpc);
    return remote_call(call, request, &own, expected, out);
}

static enum rc fetch_facts(struct call *call, CK_OBJECT_HANDLE handle, struct facts **out)
{
    if (handle == CK_INVALID_HANDLE)
        return RC_OBJECT_HANDLE;
    Qhsm__FactsRequest body = QHSM__FACTS_REQUEST__INIT;
    body.handle = handle;
    Qhsm__Request request = QHSM__REQUEST__INIT;
    request.body_case = QHSM__REQUEST__BODY_FACTS;
    request.facts = &body;
    const struct remote_how how = {
        .repeat = RPC_REPEAT_SAFE, .handles = {handle}, .handle_count = 1};
    AUTO_REPLY reply = REMOTE_REPLY_INIT;
    TRY(remote_call(call, &request, &how, QHSM__RESPONSE__BODY_FACTS, &reply));
    return facts_cache_put(&call->library->facts, reply.reply.msg->facts, out);
}

enum rc remote_facts(struct call *call, CK_OBJECT_HANDLE handle, struct facts **out)
{
    struct facts *facts = facts_cache_get(&call->library->facts, handle);
    if (facts == NULL)
        TRY(fetch_facts(call, handle, &facts));
    CK_SLOT_ID slot = call->session->slot->id;
    if (facts->slot != 0 && facts->slot != slot) {
        facts_unref(facts);
        return rc_fail(RC_OBJECT_HANDLE, "object 0x%lx is not of slot %lu", handle, slot);
    }
    *out = facts;
    return RC_OK;
}

static enum rc take_object(struct call *call, const Qhsm__ObjectReply *reply, size_t index,
                           uint64_t node)
{
    const Qhsm__KeyFacts *facts = reply->objects[index];
    TRY(facts_cache_put(&call->library->facts, facts, NULL));
    if (facts->is_token)
        return RC_OK;
    struct bytes sealed = BYTES_NONE;
    if (index < reply->n_sealed)
        sealed = bytes_of(reply->sealed[index].data, reply->sealed[index].len);
    struct owned_origin origin = {.session = call->session->handle,
                                  .slot = call->session->slot->id,
                                  .is_private = facts->is_private};
    return owned_put(&call->library->owned, facts->handle, &origin, sealed, node);
}

enum rc remote_objects(struct call *call, const struct remote_reply *answer, size_t count,
                       CK_OBJECT_HANDLE *out)
{
    const Qhsm__ObjectReply *reply = answer->reply.msg->object;
    if (reply->n_objects != count)
        return rc_fail(RC_PROTOCOL, "the HSM answered with %zu objects instead of %zu",
                       reply->n_objects, count);
    for (size_t i = 0; i < count; i++) {
        TRY(take_object(call, reply, i, answer->node));
        out[i] = reply->objects[i]->handle;
    }
    return RC_OK;
}

static enum rc fetch_tokens(struct call *call, enum rpc_repeat repeat, struct token_list **out)
{
    Qhsm__Empty body = QHSM__EMPTY__INIT;
    Qhsm__Request request = QHSM__REQUEST__INIT;
    request.body_case = QHSM__REQUEST__BODY_SLOTS;
    request.slots = &body;
    AUTO_REPLY reply = REMOTE_REPLY_INIT;
    const struct remote_how how = {.repeat = repeat};
    TRY(remote_call(call, &request, &how, QHSM__RESPONSE__BODY_SLOTS, &reply));
    return token_cache_put(&call->library->tokens, reply.reply.msg->slots, out);
}

enum rc remote_tokens(struct call *call, int64_t max_age_ms, struct token_list **out)
{
    *out = max_age_ms == 0 ? NULL : token_cache_get(&call->library->tokens, max_age_ms);
    return *out != NULL ? RC_OK : fetch_tokens(call, RPC_REPEAT_SAFE, out);
}

enum rc remote_tokens_known(struct call *call, struct token_list **out)
{
    *out = token_cache_get(&call->library->tokens, REMOTE_TOKENS_AGE_MS);
    if (*out != NULL)
        return RC_OK;
    struct token_list *last = token_cache_get(&call->library->tokens, -1);
    enum rc rc = fetch_tokens(call, last == NULL ? RPC_REPEAT_SAFE : RPC_REPEAT_FAREWELL, out);
    if (rc == RC_OK || last == NULL || !remote_is_trouble(rc)) {
        token_list_unref(last);
        return rc;
    }
    rc_detail_clear();
    *out = last;
    return RC_OK;
}

static bool is_disabled(const struct token_list *tokens, CK_SLOT_ID slot, CK_MECHANISM_TYPE type)
{
    const struct token_info *token = token_list_find(tokens, slot);
    return token != NULL && !token_info_allows(token, type);
}

enum rc remote_check_mechanism(struct call *call, const struct mechanism *mech)
{
    CK_SLOT_ID slot = call->session->slot->id;
    AUTO_TOKENS known = token_cache_get(&call->library->tokens, -1);
    if (known == NULL || !is_disabled(known, slot, mech->type))
        return RC_OK;
    AUTO_TOKENS fresh = NULL;
    TRY(remote_tokens(call, REMOTE_TOKENS_AGE_MS, &fresh));
    if (is_disabled(fresh, slot, mech->type))
        return rc_fail(RC_MECHANISM, "%s is disabled by the token's policy", mech->name);
    return RC_OK;
}

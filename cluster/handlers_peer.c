/* SPDX-License-Identifier: Apache-2.0 */
/* What the HSMs ask each other: effects to propose, the index of a linearizable read. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cluster/chaos.h"
#include "cluster/entry.h"
#include "cluster/handlers.h"
#include "cluster/position.h"
#include "cluster/requests.h"
#include "cluster/roll.h"
#include "common/log.h"

#define DETAIL_LEN 160U

/* ---- who asks */

/* The certificate's name, to the letter; 0: none. */
static uint64_t node_of(const struct peer *peer)
{
    char name[24];
    uint64_t id = strtoull(peer->name, NULL, 10);
    (void)snprintf(name, sizeof name, "%" PRIu64, id);
    return strcmp(name, peer->name) == 0 ? id : 0;
}

static enum rc admit(const struct call *call)
{
    const struct service *service = call->service;
    uint64_t id = node_of(call->peer);
    if (id == 0 || !roll_admits(service->hsm->state, id) || position_is_removed(service, id)) {
        if (log_admits())
            log_warn("node_refused", "node=%s request=%s reason=\"no member\"", call->peer->name,
                     call->row->name);
        return rc_fail(RC_NOT_PERMITTED, "HSM %s is no member of this cluster", call->peer->name);
    }
    if (service->chaos != NULL && chaos_link(service->chaos, id).cut_in)
        return rc_fail(RC_UNAVAILABLE, "emulated: the link from HSM %" PRIu64 " is cut", id);
    return RC_OK;
}

/* Tests and fuzzing have no log. */
static enum rc need_log(const struct call *call)
{
    if (call->service->consensus != NULL)
        return RC_OK;
    return rc_fail(RC_UNAVAILABLE, "this HSM has no log");
}

/* ---- propose */

/* One effect of the request; `number` of them follow each other. */
struct peer_effect {
    struct call *call;
    enum rc rc;
    char detail[DETAIL_LEN];
    struct effect_result result;
    uint64_t index;
};

static void effect_failed(struct peer_effect *effect, enum rc rc)
{
    effect->rc = rc;
    (void)snprintf(effect->detail, sizeof effect->detail, "%s", rc_detail());
}

/* On the consensus thread. */
static void effect_done(void *context, enum rc rc, const struct effect_result *result,
                        uint64_t index)
{
    struct peer_effect *effect = context;
    effect->result = *result;
    effect->index = index;
    if (rc != RC_OK)
        effect_failed(effect, rc);
    call_arrived(effect->call);
}

static void propose_one(struct call *call, struct bytes raw, struct peer_effect *effect)
{
    AUTO_BUF copy = BUF_INIT;
    effect->call = call;
    call_await(call);
    enum rc rc = buf_append(&copy, raw);
    if (rc == RC_OK)
        rc = consensus_propose(call->service->consensus, &copy, effect_done, effect);
    if (rc != RC_OK) {
        effect_failed(effect, rc);
        call_arrived(call);
    }
}

/* A malformed one would stop every HSM when it is applied: none of the message is proposed then. */
static enum rc check_effects(const struct call *call)
{
    const Qhsm__ProposeRequest *in = call->request->propose;
    enum rc rc = RC_OK;
    for (size_t i = 0; i < in->n_effects && rc == RC_OK; i++)
        rc = effect_check(handlers_bytes(in->effects[i]));
    if (rc == RC_PROTOCOL)
        log_warn("effect_refused", "node=%s detail=\"%s\"", call->peer->name, rc_detail());
    return rc;
}

enum rc handlers_peer_propose(struct call *call)
{
    const Qhsm__ProposeRequest *in = call->request->propose;
    TRY(admit(call));
    if (in->n_effects == 0 || in->n_effects > ENTRY_EFFECTS_MAX)
        return rc_fail(RC_PROTOCOL, "%zu effects in one request, limit %u", in->n_effects,
                       ENTRY_EFFECTS_MAX);
    TRY(check_effects(call));
    TRY(need_log(call));
    struct peer_effect *effects = call_alloc(call, in->n_effects, sizeof *effects);
    if (effects == NULL)
        return RC_NO_MEMORY;
    call->pending = effects;
    for (size_t i = 0; i < in->n_effects; i++)
        propose_one(call, handlers_bytes(in->effects[i]), &effects[i]);
    return RC_OK;
}

static void put_result(const struct peer_effect *effect, Qhsm__ProposeResult *out)
{
    qhsm__propose_result__init(out);
    out->rc = (uint32_t)effect->rc;
    out->detail = handlers_text(effect->detail);
    if (effect->rc != RC_OK)
        return;
    union {
        const uint64_t *in;
        uint64_t *out;
    } handles = {.in = effect->result.handles};
    out->result = (uint32_t)effect->result.rc;
    out->n_handles = effect->result.handle_count;
    out->handles = handles.out;
    out->index = effect->index;
}

enum rc handlers_peer_propose_reply(struct call *call)
{
    const struct peer_effect *effects = call->pending;
    size_t count = call->request->propose->n_effects;
    Qhsm__ProposeReply *reply = &call->body.propose;
    Qhsm__ProposeResult *results = call_alloc(call, count, sizeof *results);
    qhsm__propose_reply__init(reply);
    reply->results = call_alloc(call, count, sizeof(Qhsm__ProposeResult *));
    if (results == NULL || reply->results == NULL)
        return RC_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        put_result(&effects[i], &results[i]);
        reply->results[i] = &results[i];
    }
    reply->n_results = count;
    call->response.body_case = QHSM__RESPONSE__BODY_PROPOSE;
    call->response.propose = reply;
    return RC_OK;
}

/* ---- read index */

static void index_known(void *context, enum rc rc, uint64_t applied)
{
    struct peer_effect *read = context;
    read->index = applied;
    if (rc != RC_OK)
        effect_failed(read, rc);
    call_arrived(read->call);
}

enum rc handlers_peer_read_index(struct call *call)
{
    TRY(admit(call));
    TRY(need_log(call));
    struct peer_effect *read = call_alloc(call, 1, sizeof *read);
    if (read == NULL)
        return RC_NO_MEMORY;
    read->call = call;
    call->pending = read;
    call_await(call);
    enum rc rc = consensus_barrier(call->service->consensus, index_known, read);
    if (rc != RC_OK) {
        effect_failed(read, rc);
        call_arrived(call);
    }
    return RC_OK;
}

enum rc handlers_peer_read_index_reply(struct call *call)
{
    const struct peer_effect *read = call->pending;
    Qhsm__ReadIndexReply *reply = &call->body.read_index;
    if (read->rc != RC_OK)
        return rc_fail(read->rc, "%s", read->detail);
    qhsm__read_index_reply__init(reply);
    reply->index = read->index;
    call->response.body_case = QHSM__RESPONSE__BODY_READ_INDEX;
    call->response.read_index = reply;
    return RC_OK;
}

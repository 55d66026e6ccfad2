/* SPDX-License-Identifier: Apache-2.0 */
/* The steps of a request. */
#include "cluster/call.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cluster/login_gate.h"
#include "cluster/requests.h"
#include "common/log.h"
#include "rpc/codec.h"

#define KEEP_MAX        ((size_t)128 * 1024) /* a reused buffer above it is freed */
#define WAIT_MS         2000U                /* for the state to catch up with the client */
#define SERVER_LIMIT_MS 600000U              /* of a request that names no deadline */

struct call_memory {
    struct call_memory *next;
    size_t len;
    max_align_t content[];
};

/* ---- peer */

void peer_clear(struct peer *peer)
{
    secret_clear(&peer->ticket_sealed);
    *peer = (struct peer){.ticket_sealed = SECRET_INIT};
}

enum rc peer_login(struct peer *peer, const struct service *service, struct bytes ticket)
{
    if (ticket.len > WIRE_TICKET_MAX)
        return rc_fail(RC_TICKET_VOID, "a ticket of %zu bytes", ticket.len);
    if (!secret_equal(&peer->ticket_sealed, ticket)) {
        struct ticket opened;
        TRY(ticket_open(service->hsm->keys, ticket, &opened));
        TRY(secret_from_bytes(&peer->ticket_sealed, ticket));
        peer->ticket = opened;
    }
    TRY(ticket_check(service->hsm->state, &peer->ticket, peer->application, clock_wall_ms()));
    peer->logged_in = true;
    return RC_OK;
}

/* ---- life of a call */

enum rc call_new(struct call **out)
{
    struct call *call = calloc(1, sizeof *call);
    if (call == NULL)
        return RC_NO_MEMORY;
    call->mutation = (struct mutation)MUTATION_INIT;
    call->data = (struct buf)BUF_INIT;
    call->iv = (struct buf)BUF_INIT;
    call->values = (struct secret)SECRET_INIT;
    enum rc rc = arena_new(&call->arena);
    if (rc != RC_OK) {
        free(call);
        return rc;
    }
    *out = call;
    return RC_OK;
}

static void free_memory(struct call *call)
{
    while (call->memory != NULL) {
        struct call_memory *memory = call->memory;
        call->memory = memory->next;
        secret_wipe(memory->content, memory->len);
        free(memory);
    }
}

void call_free(struct call *call)
{
    if (call == NULL)
        return;
    free_memory(call);
    mutation_clear(&call->mutation);
    buf_clear(&call->data);
    buf_clear(&call->iv);
    secret_clear(&call->values);
    arena_free(call->arena);
    free(call);
}

static void empty_buf(struct buf *buf)
{
    if (buf->cap > KEEP_MAX || buf_resize(buf, 0) != RC_OK)
        buf_clear(buf);
}

void call_reset(struct call *call)
{
    free_memory(call);
    if (call->row != NULL && call->row->changes == CHANGES_STATE) {
        mutation_clear(&call->mutation);
        call->mutation = (struct mutation)MUTATION_INIT;
    }
    empty_buf(&call->data);
    empty_buf(&call->iv);
    secret_clear(&call->values);
    arena_reset(call->arena);
    call->next = NULL;
    call->request = NULL;
    call->row = NULL;
    call->gate_key = 0;
    call->is_applied = false;
    call->rc = RC_OK;
    call->detail[0] = 0;
    call->applied_index = 0;
}

void *call_alloc(struct call *call, size_t count, size_t size)
{
    size_t len = 0;
    if (__builtin_mul_overflow(count, size, &len))
        return NULL;
    struct call_memory *memory = calloc(1, sizeof *memory + len);
    if (memory == NULL)
        return NULL;
    memory->len = len;
    memory->next = call->memory;
    call->memory = memory;
    return memory->content;
}

/* ---- steps */

enum call_step call_refuse(struct call *call, enum rc rc)
{
    call->rc = rc;
    call->response.body_case = QHSM__RESPONSE__BODY__NOT_SET;
    (void)snprintf(call->detail, sizeof call->detail, "%s", rc_detail());
    return CALL_ANSWER;
}

enum rc call_decode(struct call *call, struct service *service, struct peer *peer,
                    struct bytes message)
{
    call->service = service;
    call->peer = peer;
    qhsm__response__init(&call->response);
    rc_detail_clear();
    atomic_fetch_add_explicit(&service->requests, 1, memory_order_relaxed);
    enum rc rc = frame_request(call->arena, message, &call->request);
    if (rc != RC_OK) {
        call->id = frame_request_id(message);
        (void)call_refuse(call, rc);
        return rc;
    }
    call->id = call->request->id;
    uint64_t limit = call->request->deadline_ms != 0 ? call->request->deadline_ms : SERVER_LIMIT_MS;
    call->expires_ms = clock_steady_ms() + limit;
    return RC_OK;
}

static enum rc admit_connection(struct call *call)
{
    const struct peer *peer = call->peer;
    bool is_hello = call->request->body_case == QHSM__REQUEST__BODY_HELLO;
    call->row = request_find(call->request->body_case);
    if (call->row == NULL)
        return rc_fail(RC_UNSUPPORTED, "request %d is not known here",
                       (int)call->request->body_case);
    if (!peer->greeted && !is_hello)
        return rc_fail(RC_PROTOCOL, "%s before hello", call->row->name);
    if ((call->row->may & (1U << peer->role)) == 0)
        return rc_fail(RC_NOT_PERMITTED, "a connection as %s may not ask %s",
                       tls_role_name(peer->role), call->row->name);
    return RC_OK;
}

static enum rc need_login(const struct call *call)
{
    const struct caller *caller = &call->caller;
    switch (call->row->login) {
    case LOGIN_IGNORED:
    case LOGIN_OPTIONAL:
        return RC_OK;
    case LOGIN_NEEDED:
        return caller->logged_in ? RC_OK : rc_fail(RC_NOT_LOGGED_IN, "%s", call->row->name);
    case LOGIN_SO:
        if (caller->logged_in && caller->ticket.role == ROLE_SO)
            return RC_OK;
        return rc_fail(RC_NOT_LOGGED_IN, "%s is the security officer's", call->row->name);
    case LOGIN_OR_ADMIN:
        if (caller->logged_in || call->peer->role == TLS_ROLE_ADMIN)
            return RC_OK;
        return rc_fail(RC_NOT_LOGGED_IN, "%s needs a login or an administrator's connection",
                       call->row->name);
    }
    return RC_INTERNAL;
}

static enum rc admit_login(struct call *call)
{
    struct bytes ticket = bytes_of(call->request->ticket.data, call->request->ticket.len);
    struct caller *caller = &call->caller;
    memcpy(caller->application, call->peer->application, sizeof caller->application);
    caller->sequence = call->request->sequence;
    caller->now_ms = clock_wall_ms();
    caller->logged_in = false;
    caller->is_admin = call->peer->role == TLS_ROLE_ADMIN;
    caller->context = BYTES_NONE;
    if (call->row->login != LOGIN_IGNORED && ticket.len > 0) {
        TRY(peer_login(call->peer, call->service, ticket));
        caller->logged_in = true;
        caller->ticket = call->peer->ticket;
    }
    return need_login(call);
}

static enum call_step where(struct call *call)
{
    switch (call->row->runs) {
    case RUNS_ON_WORKER:
        return CALL_RUN;
    case RUNS_SHORT:
        return CALL_POOL;
    case RUNS_BY_COST:
        return request_is_costly(call->request) ? CALL_POOL : CALL_RUN;
    }
    return CALL_RUN;
}

static bool is_behind(const struct call *call)
{
    return call->request->seen_index > 0 &&
           state_applied(call->service->hsm->state) < call->request->seen_index;
}

enum call_step call_admit(struct call *call)
{
    enum rc rc = admit_connection(call);
    if (rc == RC_OK && is_behind(call)) {
        uint64_t limit = clock_steady_ms() + WAIT_MS;
        call->expires_ms = limit < call->expires_ms ? limit : call->expires_ms;
        return CALL_WAIT;
    }
    if (rc == RC_OK)
        rc = admit_login(call);
    return rc == RC_OK ? where(call) : call_refuse(call, rc);
}

/* The ticket is looked at now: what it says may be in what was waited for. */
enum call_step call_resume(struct call *call)
{
    if (is_behind(call)) {
        if (clock_steady_ms() < call->expires_ms)
            return CALL_WAIT;
        return call_refuse(
            call, rc_fail(RC_DEADLINE, "this HSM is at index %" PRIu64 ", the client saw %" PRIu64,
                          state_applied(call->service->hsm->state), call->request->seen_index));
    }
    enum rc rc = admit_login(call);
    return rc == RC_OK ? where(call) : call_refuse(call, rc);
}

enum call_step call_work(struct call *call, unsigned lane)
{
    call->caller.lane = lane;
    if (call->row->runs != RUNS_ON_WORKER && clock_steady_ms() > call->expires_ms)
        return call_refuse(
            call, rc_fail(RC_DEADLINE, "%s waited too long for its turn", call->row->name));
    enum rc rc = call->row->handle(call);
    if (rc != RC_OK)
        return call_refuse(call, rc);
    if (call->row->changes != CHANGES_STATE)
        return CALL_ANSWER;
    const struct mutation *mutation = &call->mutation;
    call->rc = mutation->result.rc != RC_OK ? mutation->result.rc : mutation->verdict;
    if (call->rc != RC_OK)
        (void)snprintf(call->detail, sizeof call->detail, "%s", rc_detail());
    if (mutation->effect.len > 0)
        return CALL_PROPOSE;
    call->is_applied = true;
    return CALL_ANSWER;
}

/* The detail of a verdict (a wrong PIN) was recorded by the thread that came to it. */
void call_applied(struct call *call, enum rc rc, const struct effect_result *result, uint64_t index)
{
    struct effect_result outcome = *result;
    if (rc != RC_OK)
        outcome = (struct effect_result){.rc = rc};
    if (outcome.rc != RC_OK)
        (void)snprintf(call->detail, sizeof call->detail, "%s", rc == RC_OK ? "" : rc_detail());
    hsm_settle(call->service->hsm, &call->caller, &call->mutation, &outcome);
    call->applied_index = rc == RC_OK ? index : 0;
    call->rc = outcome.rc != RC_OK ? outcome.rc : call->mutation.verdict;
    call->is_applied = true;
}

/* ---- the answer */

static void build_reply(struct call *call)
{
    if (call->rc != RC_OK || !call->is_applied || call->row->reply == NULL)
        return;
    enum rc rc = call->row->reply(call);
    if (rc != RC_OK)
        (void)call_refuse(call, rc);
}

static void log_refusal(const struct call *call)
{
    const char *name = call->row == NULL ? "unknown" : call->row->name;
    const char *error = rc_info(call->rc)->name;
    switch ((int)call->rc) {
    case RC_INTERNAL:
    case RC_NO_MEMORY:
    case RC_TAMPERED:
    case RC_DISK:
    case RC_SELF_TEST:
    case RC_RANDOM:
        log_error("request_failed", "request=%s error=%s detail=\"%s\"", name, error, call->detail);
        break;
    case RC_PIN_INCORRECT:
    case RC_PIN_LOCKED:
    case RC_NOT_PERMITTED:
    case RC_OVERLOADED:
        log_warn("request_refused", "request=%s error=%s peer=%s/%s detail=\"%s\"", name, error,
                 tls_role_name(call->peer->role), call->peer->name, call->detail);
        break;
    default:
        log_debug("request_refused", "request=%s error=%s detail=\"%s\"", name, error,
                  call->detail);
        break;
    }
}

enum rc call_pack(struct call *call, struct buf *out)
{
    build_reply(call);
    size_t frame_max = atomic_load_explicit(&call->service->limits.frame_max, memory_order_relaxed);
    Qhsm__Response *response = &call->response;
    response->id = call->id;
    response->applied_index = call->applied_index;
    if (call->rc == RC_OK) {
        enum rc rc = frame_put(out, &response->base, frame_max);
        if (rc == RC_OK)
            return RC_OK;
        (void)call_refuse(call, rc);
    }
    log_refusal(call);
    response->rc = (uint32_t)call->rc;
    response->detail = call->detail;
    response->body_case = QHSM__RESPONSE__BODY__NOT_SET;
    return frame_put(out, &response->base, frame_max);
}
